//! From what a look saw to what its channels are told.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::hearing::{self, End};
use super::pace::Pace;
use super::sight;
use crate::app::App;
use crate::bkci::{Error, TaskLog};
use crate::model::build::Build;
use crate::model::ids::{BuildId, OfferId, Uid, UserId};
use crate::model::scope::RETRY_WINDOW;
use crate::model::watch::Hears;
use crate::model::{BuildRef, Place, Timestamp, listed};
use crate::reply::notice::{Acts, Lost, Paused, Ping, State};
use crate::reply::{About, Notice, Offer, What};
use crate::store::follows::{Change, Follow};
use crate::store::looks::{Findings, Look};
use crate::store::notices::{Branch, Edit, Kept, New, Weight, id_of};
use crate::store::watches::Watch;
use crate::text;

/// So many builds are read in one look; what is left is due at once.
const READS: usize = 20;

/// There is no such build (bkci-api 15).
const NO_BUILD: i64 = 2_101_163;

/// Between two reads of a build that only show progress: at least this, and a tenth of its age …
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// … but no more than this.
const PROGRESS_AT_LEAST: Duration = Duration::from_mins(6);

/// What BK-CI does not list since it has not changed is read all the same after this: it may be gone.
const UNLISTED_EVERY: Duration = Duration::from_mins(30);

/// What a look is for, and where what it finds is put.
pub struct Telling<'a> {
    /// The parts.
    pub app: &'a App,
    /// The pace of reads.
    pub pace: &'a Pace,
    /// As whom, of which pipeline.
    pub look: &'a Look,
    /// What is followed.
    pub follows: &'a [Follow],
    /// Who wants to hear of the pipeline.
    pub watches: &'a [Watch],
}

/// A channel that is to hear of a build for the first time.
struct Hearer<'a> {
    watch: &'a Watch,
    end: End,
    /// The number of the latest earlier build that the channel knows to be broken.
    broken: Option<u32>,
}

/// A build that is read since something of it may be news.
struct Subject<'a> {
    id: &'a BuildId,
    follow: Option<&'a Follow>,
    /// As the list had it.
    listed: Option<&'a listed::Build>,
    kept: Vec<Kept>,
    hearers: Vec<Hearer<'a>>,
}

/// What a look has to do about a build.
enum Need<'a> {
    /// Nothing.
    Nothing,
    /// To note what the list shows: no channel shows the build, so it need not be read.
    Note(&'a Follow, Change),
    /// To read it.
    Read(Subject<'a>, Weight),
}

/// What is known of a follow before its notices are looked at.
#[derive(Clone, Copy, Default)]
struct Stir {
    /// It looks different, or was never looked at.
    moved: bool,
    /// It may show progress that no list shows.
    due: bool,
    /// It was never looked at, or is gone.
    unseen: bool,
    /// Its attempt has ended.
    ends: bool,
}

impl Telling<'_> {
    /// Finds what is to be told of the builds that were seen. `false`: not all of them were read, the rest is left to
    /// the next look.
    ///
    /// # Errors
    /// The store failed; or, within, BK-CI did.
    pub async fn find(&self, seen: &[listed::Build], findings: &mut Findings) -> anyhow::Result<Result<bool, Error>> {
        let unlisted = self.follows.iter().filter(|follow| !seen.iter().any(|build| build.id == follow.build));
        let candidates =
            seen.iter().map(|build| (&build.id, Some(build))).chain(unlisted.map(|follow| (&follow.build, None)));
        let (mut turns, mut progress) = (Vec::new(), Vec::new());
        for (id, listed) in candidates {
            match self.need(id, listed).await? {
                Need::Nothing => {}
                Need::Note(follow, change) => findings.follows.push((follow.clone(), change)),
                Need::Read(subject, Weight::Turn) => turns.push(subject),
                Need::Read(subject, Weight::Progress) => progress.push(subject),
            }
        }
        let all = turns.len() <= READS;
        let few = READS.saturating_sub(turns.len());
        for subject in turns.into_iter().take(READS) {
            if let Err(error) = self.tell(subject, findings).await? {
                return Ok(Err(error));
            }
        }
        for subject in progress.into_iter().take(few) {
            // Others may have come meanwhile; the next look sees it too.
            if !self.pace.is_idle() {
                break;
            }
            if let Err(error) = self.tell(subject, findings).await? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(all))
    }

    /// What there is to do about a build. Ends and new attempts are read at once; what only moves on is read where a
    /// notice can show it now, and when nothing else waits for a turn.
    async fn need<'a>(&'a self, id: &'a BuildId, listed: Option<&'a listed::Build>) -> anyhow::Result<Need<'a>> {
        let follow = self.follows.iter().find(|follow| follow.build == *id);
        let stir = follow.map_or(Stir::default(), |follow| self.stir(follow, listed));
        if self.watches.is_empty() && !stir.moved && !stir.due {
            return Ok(Need::Nothing);
        }
        let kept = self.app.store.notices_of(id).await?;
        let hearers = match listed {
            Some(listed) => self.hearers(&kept, listed).await?,
            None => Vec::new(),
        };
        let shown = !kept.is_empty() || !hearers.is_empty();
        let subject = Subject { id, follow, listed, kept, hearers };
        let weight = match (follow, listed) {
            (Some(follow), Some(listed)) if !shown => {
                let note = stir.moved.then(|| Need::Note(follow, saw(follow, listed)));
                return Ok(note.unwrap_or(Need::Nothing));
            }
            _ if shown => self.weight(&subject, stir),
            _ if stir.unseen => Some(Weight::Turn),
            _ => stir.moved.then_some(Weight::Progress),
        };
        Ok(weight.map_or(Need::Nothing, |weight| Need::Read(subject, weight)))
    }

    /// What is known of a follow before its notices are looked at.
    fn stir(&self, follow: &Follow, listed: Option<&listed::Build>) -> Stir {
        let now = self.app.clock.now();
        // Of those that are asked for by id, only what is gone is left out (bkci-api 7.5).
        let missing = listed.is_none() && sight::by_name(&self.app.bkci, self.look, !self.watches.is_empty());
        let moved = match (&follow.seen, listed) {
            (Some(seen), Some(listed)) => *seen != hearing::print(listed),
            (Some(_), None) => missing || now.since(follow.read.max(follow.since)) >= UNLISTED_EVERY,
            (None, _) => true,
        };
        let every = (now.since(follow.since) / 10).clamp(PROGRESS_EVERY, PROGRESS_AT_LEAST);
        let ends = listed.is_some_and(|listed| matches!(saw(follow, listed), Change::Ended));
        Stir { moved, due: now.since(follow.read) >= every, unseen: follow.seen.is_none() || missing, ends }
    }

    /// How much it matters that a build is read that some channel shows, or is to; `None`: not now.
    fn weight(&self, subject: &Subject<'_>, stir: Stir) -> Option<Weight> {
        let news = |kept: &Kept| subject.listed.and_then(|listed| hearing::news(listed, &kept.facts));
        let news: Vec<_> = subject.kept.iter().filter_map(news).collect();
        if stir.unseen || stir.ends || !subject.hearers.is_empty() || news.contains(&Weight::Turn) {
            return Some(Weight::Turn);
        }
        let now = self.app.clock.now();
        let shows = || subject.kept.iter().any(|kept| kept.allows(Weight::Progress, now) <= now);
        ((stir.moved || stir.due || !news.is_empty()) && shows()).then_some(Weight::Progress)
    }

    async fn hearers(&self, kept: &[Kept], listed: &listed::Build) -> anyhow::Result<Vec<Hearer<'_>>> {
        let mut hearers = Vec::new();
        for watch in self.watches {
            let has_notice = kept.iter().any(|kept| kept.place.channel == watch.channel);
            let Some(end) = hearing::wants(watch, listed).filter(|_| !has_notice) else { continue };
            let branch = branch(watch, listed.branch.as_deref());
            let broken = self.app.store.broken_before(branch, listed.number).await?;
            if end != End::Passed || watch.hears == Hears::All || broken.is_some() {
                hearers.push(Hearer { watch, end, broken });
            }
        }
        Ok(hearers)
    }

    async fn tell(&self, subject: Subject<'_>, findings: &mut Findings) -> anyhow::Result<Result<(), Error>> {
        let Look { project, pipeline, as_user, .. } = self.look;
        let named = BuildRef { project: project.clone(), pipeline: pipeline.clone(), build: subject.id.clone() };
        self.pace.turn().await;
        let read = match self.app.bkci.build_detail(as_user, &named).await {
            Ok(read) if read.pipeline == *pipeline => read,
            Ok(_) => return self.gone(&subject, findings).await,
            Err(error) if is_gone(&error) => return self.gone(&subject, findings).await,
            Err(error) => return Ok(Err(error)),
        };
        let facts = self.facts(&named, &read).await?;
        let mut stale = false;
        for kept in &subject.kept {
            if read.execute_count < kept.facts.attempt() {
                stale = true;
                continue;
            }
            findings.edits.push(self.edit(kept, &facts, &read));
        }
        for hearer in &subject.hearers {
            findings.posts.extend(self.post(hearer, &facts, &read).await?);
        }
        if let Some(follow) = subject.follow.filter(|_| !stale) {
            let ended = read.is_finished() && read.execute_count >= follow.attempt;
            let saw = Change::Saw {
                attempt: follow.attempt.max(read.execute_count),
                seen: subject.listed.map(hearing::print).unwrap_or_default(),
                read: self.app.clock.now(),
            };
            findings.follows.push((follow.clone(), if ended { Change::Ended } else { saw }));
        }
        Ok(Ok(()))
    }

    async fn gone(&self, subject: &Subject<'_>, findings: &mut Findings) -> anyhow::Result<Result<(), Error>> {
        findings.edits.extend(lost(self.app, subject.id, Lost::Build).await?);
        findings.follows.extend(subject.follow.map(|follow| (follow.clone(), Change::Ended)));
        Ok(Ok(()))
    }

    /// What a reader sees of a build, whichever the channel.
    async fn facts(&self, named: &BuildRef, read: &Build) -> anyhow::Result<Notice> {
        let mut facts = Notice::of(named, read, self.app.bkci.build_page(named, None));
        for count in facts.attempts.iter().map(|attempt| attempt.count).filter(|count| *count > 1).collect::<Vec<_>>() {
            let ours = self.app.store.wish_for(&named.build, count).await?.filter(|ours| ours.accepted);
            if let Some(ours) = ours {
                facts = facts.retried_by(count, ours.by, ours.scope);
            }
        }
        if let State::Failed(failed) = &mut facts.state {
            failed.log = self.log(named, read).await;
        }
        Ok(facts)
    }

    /// The end of the log of what failed first; nothing, when there is none to be had.
    async fn log(&self, named: &BuildRef, read: &Build) -> Vec<String> {
        let lines = self.app.settings.follow.log_lines;
        let task = read.failures().into_iter().find_map(|place| place.task);
        let Some((task, _)) = task.filter(|_| lines > 0) else { return Vec::new() };
        let (of, uid) = (TaskLog { build: named, task: &task, attempt: read.execute_count }, &self.look.as_user);
        let tail = async {
            self.pace.turn().await;
            let end = self.app.bkci.log_end(uid, named).await?;
            self.pace.turn().await;
            self.app.bkci.log_before(uid, of, (end, lines)).await
        };
        match tail.await {
            Ok(tail) => text::clean(&tail.lines),
            Err(error) => {
                tracing::info!(build = %named, %error, "the log of what failed cannot be read");
                Vec::new()
            }
        }
    }

    fn edit(&self, kept: &Kept, facts: &Notice, read: &Build) -> (Edit, Option<Offer>) {
        let mut facts = facts.clone().after(&kept.facts);
        let mut broken = kept.broken;
        match (&facts.state, &kept.facts.state) {
            (State::Failed(_), _) => broken = true,
            (State::Passed, State::Fixed { earlier }) if facts.attempt() == kept.facts.attempt() => {
                facts = facts.as_fixed(*earlier);
            }
            (State::Passed, _) if kept.broken => {
                (facts, broken) = (facts.as_fixed(None), false);
            }
            (State::Passed | State::Running { .. } | State::Canceled { .. }, _)
            | (State::Fixed { .. } | State::Unwatched(_), _) => {}
        }
        let offer = self.offer(kept.id, &mut facts, read);
        let weight = hearing::weight(&kept.facts, &facts);
        (Edit { kept: kept.clone(), facts, broken, weight }, offer)
    }

    /// A channel's first message about a build; `None`: the build has moved on since it was listed.
    async fn post(
        &self,
        hearer: &Hearer<'_>,
        facts: &Notice,
        read: &Build,
    ) -> anyhow::Result<Option<(New, Option<Offer>)>> {
        let Hearer { watch, end, broken } = hearer;
        let mut facts = facts.clone();
        match (&facts.state, end) {
            (State::Failed(_), End::Failed) => {
                let role = watch.mention.filter(|_| broken.is_none());
                facts.ping = Ping { role, user: self.starter(watch, read).await? };
            }
            (State::Passed, End::Passed) if broken.is_some() => facts = facts.as_fixed(*broken),
            (State::Passed, End::Passed) | (State::Canceled { .. }, End::Canceled) => {}
            (State::Failed(_) | State::Passed | State::Canceled { .. }, _)
            | (State::Running { .. } | State::Fixed { .. } | State::Unwatched(_), _) => return Ok(None),
        }
        let offer = self.offer(id_of(watch.channel, &facts.build.build), &mut facts, read);
        let place = Place { guild: watch.guild, channel: watch.channel };
        let broken = matches!(facts.state, State::Failed(_));
        Ok(Some((New { place, locale: watch.locale, facts, broken }, offer)))
    }

    /// The person whose build it is, if the watch wants them pinged and exactly one is known.
    async fn starter(&self, watch: &Watch, read: &Build) -> anyhow::Result<Option<UserId>> {
        let uid = read.starter(1).and_then(|uid| uid.parse::<Uid>().ok()).filter(|_| watch.mention_starter);
        let Some(uid) = uid else { return Ok(None) };
        let people = self.app.store.people_of(&uid).await?;
        let mut people = people.into_iter();
        Ok(people.next().filter(|_| people.next().is_none()))
    }

    /// What can be done on a notice from now on, and the offer that its buttons belong to.
    fn offer(&self, notice: i64, facts: &mut Notice, read: &Build) -> Option<Offer> {
        let id = offer_id(notice, read.execute_count);
        facts.acts = Acts::of(read, id.clone());
        facts.acts.as_ref()?;
        let begun = read.started.unwrap_or(read.read_at);
        Some(offer_of(facts, id, begun.plus(RETRY_WINDOW)))
    }
}

/// What a list makes of a follow.
fn saw(follow: &Follow, listed: &listed::Build) -> Change {
    let attempt = listed.execute_count.unwrap_or(follow.attempt);
    if listed.is_finished() && attempt >= follow.attempt {
        return Change::Ended;
    }
    Change::Saw { attempt: follow.attempt.max(attempt), seen: hearing::print(listed), read: follow.read }
}

fn offer_of(facts: &Notice, id: OfferId, expires: Timestamp) -> Offer {
    let about = About {
        build: facts.build.clone(),
        pipeline_name: facts.pipeline_name.clone(),
        number: facts.number,
        scope: None,
        // Nobody: whoever presses asks.
        asked_by: UserId(0),
        link: facts.link.clone(),
    };
    let what = What::Notice { about, attempt: facts.attempt() };
    Offer { id, what, asker: None, expires, used_by: None }
}

/// The same for each text of a notice about one attempt.
fn offer_id(notice: i64, attempt: u32) -> OfferId {
    format!("n{notice}-{attempt}").parse().expect("letters, digits and a dash are an offer's id")
}

fn branch<'a>(watch: &'a Watch, branch: Option<&'a str>) -> Branch<'a> {
    Branch { channel: watch.channel, project: &watch.project, pipeline: &watch.pipeline, branch }
}

fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Rejected(said) if said.code == NO_BUILD || said.unpaired().is_some())
}

/// What the notices of a build that runs show when nobody looks at it any more: that, and a button for somebody else.
pub async fn lost(app: &App, build: &BuildId, lost: Lost) -> anyhow::Result<Vec<(Edit, Option<Offer>)>> {
    let kept = app.store.notices_of(build).await?;
    let running = kept.into_iter().filter(|kept| matches!(kept.facts.state, State::Running { .. }));
    let edit = |kept: Kept| {
        let mut facts = kept.facts.clone().lost(lost);
        let id = offer_id(kept.id, facts.attempt());
        let offer = (lost != Lost::Build).then(|| {
            facts.acts = Some(Acts::take_over(id.clone()));
            offer_of(&facts, id, app.clock.now().plus(RETRY_WINDOW))
        });
        let broken = kept.broken;
        (Edit { kept, facts, broken, weight: Weight::Turn }, offer)
    };
    Ok(running.map(edit).collect())
}

/// What a channel hears when nobody looks for its watch any more.
pub fn paused(look: &Look, watch: &Watch, lost: Lost) -> (Paused, Offer) {
    let cause = Sha256::digest(format!("{}/{}", watch.id, look.attempts));
    let hex: String = cause.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let id: OfferId = format!("w{hex}").parse().expect("letters and digits are an offer's id");
    let what = What::Watch { watch: watch.id.clone() };
    let paused = Paused {
        project: watch.project.clone(),
        pipeline: watch.pipeline.clone(),
        pipeline_name: watch.pipeline_name.clone(),
        as_user: watch.as_user.clone(),
        lost,
        offer: id.clone(),
    };
    (paused, Offer { id, what, asker: None, expires: Timestamp(i64::MAX), used_by: None })
}
