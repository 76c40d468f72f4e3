//! `/watch`: a channel's standing wish to hear of a pipeline. Whoever adds it, or takes it over, is the person as whom it
//! is looked at: they must see the pipeline, which reading it as them proves.

use super::named::{self, malformed};
use super::{Action, Answer, Decision, Next, Opened, Recorded, Request, WatchOptions, private, settled};
use crate::app::App;
use crate::bkci::BuildsOf;
use crate::model::ids::{BuildId, InteractionId, OfferId, PipelineId, ProjectId, Uid, UserId};
use crate::model::named::PipelineNamed;
use crate::model::{BuildRef, Timestamp, millis};
use crate::policy;
use crate::reply::watches::{Added, Callback, Entry, Refused};
use crate::reply::{Failure, Reply, RetryOption, Unfound, Unusable, Watching};
use crate::store::deliveries::Text;
use crate::store::hooks::{Standing, Wish};
use crate::store::receipts::Claimed as Receipt;
use crate::store::watches::{State, Taker, Watch, id_of};
use crate::store::{Tx, deliveries, hooks, offers, watches};

use super::retry::failure;

/// No branch is longer (a reference of Git ends at 255 bytes, the file's name).
const BRANCH_MAX: usize = 200;

/// More never fit into one message.
const LISTED: usize = 50;

/// What a mapped person wants with a watch; BK-CI was not asked yet.
#[derive(Debug)]
pub struct Wanted {
    as_user: Uid,
    user: UserId,
    what: What,
}

#[derive(Debug)]
enum What {
    Add(Box<Add>),
    Remove(Box<Watch>),
    Take(OfferId, Box<Watch>),
}

#[derive(Debug)]
struct Add {
    request: Request,
    options: WatchOptions,
    project: ProjectId,
    pipeline: PipelineNamed,
    branch: Option<String>,
}

/// What is done about a watch.
#[derive(Debug)]
pub enum Act {
    /// Add it, or replace the one that the channel has.
    Add {
        /// The watch.
        watch: Box<Watch>,
        /// Its role is pinged only where the bot may mention everybody.
        unmentionable: bool,
    },
    /// Remove it.
    Remove(Box<Watch>),
    /// Let it go on, looked at as somebody else, who used this offer.
    Take(Box<Watch>, Taker, OfferId),
}

pub(super) async fn add(app: &App, request: &Request, options: &WatchOptions) -> anyhow::Result<Opened> {
    let user = request.actor.user;
    let Some(mapping) = app.store.mapping(user).await? else {
        return Ok(private(Reply::NotMapped { user }));
    };
    let (project, pipeline) = match parse(&options.project, &options.pipeline) {
        Ok(named) => named,
        Err(reply) => return Ok(private(*reply)),
    };
    if let Some(refused) = refused(request, options) {
        return Ok(refuse(refused));
    }
    let branch = match branch(options.branch.as_deref()) {
        Ok(branch) => branch,
        Err(refused) => return Ok(refuse(refused)),
    };
    let add = Add { request: request.clone(), options: options.clone(), project, pipeline, branch };
    Ok(next(Answer::Public, Wanted { as_user: mapping.uid, user, what: What::Add(Box::new(add)) }))
}

fn next(answer: Answer, wanted: Wanted) -> Opened {
    Opened { answer, next: Next::Watch(Box::new(wanted)) }
}

fn refuse(why: Refused) -> Opened {
    private(Reply::Watching(Box::new(Watching::Refused(why))))
}

fn say(watching: Watching) -> Decision {
    Decision::Say(Reply::Watching(Box::new(watching)))
}

fn parse(project: &str, pipeline: &str) -> Result<(ProjectId, PipelineNamed), Box<Reply>> {
    let project = project.parse().map_err(|_| malformed(RetryOption::Project, project))?;
    let pipeline = PipelineNamed::read(pipeline).map_err(|_| malformed(RetryOption::Pipeline, pipeline))?;
    Ok((project, pipeline))
}

/// What Discord says with the command decides: nothing is asked of it.
fn refused(request: &Request, options: &WatchOptions) -> Option<Refused> {
    if !options.missing.is_empty() {
        return Some(Refused::Missing(options.missing.clone()));
    }
    let role = options.mention?;
    if role.is_everyone(request.place.guild) {
        return Some(Refused::Everyone);
    }
    (!role.mentionable && !options.may_mention).then_some(Refused::Unmentionable { role: role.id })
}

/// Nothing typed is every branch.
fn branch(given: Option<&str>) -> Result<Option<String>, Refused> {
    let Some(glob) = given.map(str::trim).filter(|glob| !glob.is_empty()) else { return Ok(None) };
    if glob.chars().count() > BRANCH_MAX || glob.chars().any(char::is_control) {
        return Err(Refused::Branch { given: glob.to_owned() });
    }
    Ok(Some(glob.to_owned()))
}

/// The adder and administrators may remove it in any case: of a pipeline that is gone nobody sees anything.
pub(super) async fn remove(app: &App, request: &Request, (project, pipeline): (&str, &str)) -> anyhow::Result<Opened> {
    let (project, pipeline) = match parse(project, pipeline) {
        Ok(named) => named,
        Err(reply) => return Ok(private(*reply)),
    };
    let mut found = app.store.watches_in(request.place.channel).await?;
    found.retain(|watch| {
        watch.project == project
            && match &pipeline {
                PipelineNamed::Id(id) => watch.pipeline == *id,
                PipelineNamed::Name(name) => watch.pipeline_name == *name,
            }
    });
    let watch = match (found.pop(), found.is_empty()) {
        (None, _) => return Ok(private(Reply::Watching(Box::new(Watching::Absent { project, pipeline })))),
        (Some(watch), true) => watch,
        (Some(last), false) => {
            let named = last.pipeline_name.clone();
            let twins = found.into_iter().chain([last]).map(|watch| (watch.pipeline, watch.pipeline_name));
            let why = Unfound::Ambiguous { named, candidates: twins.collect() };
            return Ok(private(Reply::Unfound { project, why }));
        }
    };
    let user = request.actor.user;
    if watch.user == user || policy::administers(&app.settings, &request.actor, &request.place) {
        return Ok(settled(Answer::Public, act(Act::Remove(Box::new(watch)))));
    }
    let Some(mapping) = app.store.mapping(user).await? else {
        return Ok(private(Reply::NotMapped { user }));
    };
    Ok(next(Answer::Public, Wanted { as_user: mapping.uid, user, what: What::Remove(Box::new(watch)) }))
}

pub(super) async fn list(app: &App, request: &Request) -> anyhow::Result<Opened> {
    let watches = app.store.watches_in(request.place.channel).await?;
    let total = u32::try_from(watches.len()).unwrap_or(u32::MAX);
    let entries = watches.iter().take(LISTED).map(entry).collect();
    Ok(private(Reply::Watching(Box::new(Watching::List { entries, total }))))
}

/// A press on the button of a paused watch: whoever sees the pipeline may look at it from now on.
pub(super) async fn take(app: &App, request: &Request, (offer, id): (OfferId, &str)) -> anyhow::Result<Opened> {
    let user = request.actor.user;
    let watch = match app.store.watch(id).await? {
        Some(watch) if watch.channel != request.place.channel => {
            return Ok(private(Reply::Unusable(Unusable::Unknown)));
        }
        Some(watch) if watch.state == State::Paused => watch,
        Some(_) | None => return Ok(private(Reply::Watching(Box::new(Watching::NotPaused)))),
    };
    let Some(mapping) = app.store.mapping(user).await? else {
        return Ok(private(Reply::NotMapped { user }));
    };
    // Whether it succeeds turns out later, and a refusal is theirs alone; what succeeds is told in the channel.
    Ok(next(Answer::Private, Wanted { as_user: mapping.uid, user, what: What::Take(offer, Box::new(watch)) }))
}

fn act(act: Act) -> Decision {
    Decision::Do(Action::Watch(Box::new(act)))
}

/// Finds the pipeline and reads it, as that person.
pub(super) async fn decide(app: &App, wanted: Wanted) -> Decision {
    let Wanted { as_user, user, what } = wanted;
    match what {
        What::Add(add) => decide_add(app, *add, as_user).await,
        What::Remove(watch) => match see(app, &as_user, (&watch.project, &watch.pipeline)).await {
            Ok(_) => act(Act::Remove(watch)),
            Err(failure) => unread(watch.project, PipelineNamed::Id(watch.pipeline), failure),
        },
        What::Take(offer, watch) => match see(app, &as_user, (&watch.project, &watch.pipeline)).await {
            Ok(Seen { since, .. }) => act(Act::Take(watch, Taker { as_user, user, since }, offer)),
            Err(failure) => unread(watch.project, PipelineNamed::Id(watch.pipeline), failure),
        },
    }
}

fn unread(project: ProjectId, pipeline: PipelineNamed, failure: Failure) -> Decision {
    say(Watching::Unread { project, pipeline, failure })
}

async fn decide_add(app: &App, add: Add, as_user: Uid) -> Decision {
    let Add { request, options, project, pipeline: named, branch } = add;
    let pipeline = match named::pipeline(&app.bkci, &as_user, (&project, &named)).await {
        Ok(pipeline) => pipeline,
        Err(reply) => return Decision::Say(*reply),
    };
    let seen = match see(app, &as_user, (&project, &pipeline)).await {
        Ok(seen) => seen,
        Err(failure) => return unread(project, named, failure),
    };
    let pipeline_name = match &named {
        PipelineNamed::Name(name) => name.clone(),
        PipelineNamed::Id(id) => {
            name(app, &as_user, (&project, id), seen.newest).await.unwrap_or_else(|| id.to_string())
        }
    };
    let (guild, channel) = (request.place.guild, request.place.channel);
    let watch = Watch {
        id: id_of(channel, &project, &pipeline),
        guild,
        channel,
        project,
        pipeline,
        pipeline_name,
        as_user,
        user: request.actor.user,
        hears: options.on,
        branch,
        mention: options.mention.map(|role| role.id),
        mention_starter: options.mention_starter,
        locale: request.guild_locale,
        since: seen.since,
        state: State::On,
    };
    act(Act::Add { watch: Box::new(watch), unmentionable: options.mention.is_some_and(|role| !role.mentionable) })
}

/// What was read of a pipeline.
struct Seen {
    /// The newest update (BK-CI's clock); the beginning of time when there is no build.
    since: Timestamp,
    /// The build that changed last.
    newest: Option<BuildId>,
}

/// Reads what changed last of a pipeline: only who may see it can.
async fn see(app: &App, uid: &Uid, (project, pipeline): (&ProjectId, &PipelineId)) -> Result<Seen, Failure> {
    let part = app.bkci.builds_by_update(BuildsOf { uid, project, pipeline }, 1).await.map_err(failure)?;
    let updated = part.entries.iter().filter_map(|build| build.updated.or(build.read_at)).max();
    Ok(Seen { since: updated.unwrap_or(Timestamp(0)), newest: part.entries.into_iter().next().map(|build| build.id) })
}

/// A pipeline's name, which only its builds tell where an id was typed.
async fn name(
    app: &App,
    uid: &Uid,
    (project, pipeline): (&ProjectId, &PipelineId),
    newest: Option<BuildId>,
) -> Option<String> {
    let build = BuildRef { project: project.clone(), pipeline: pipeline.clone(), build: newest? };
    let read = app.bkci.build_detail(uid, &build).await.ok()?;
    (read.pipeline == *pipeline).then_some(read.pipeline_name)
}

/// Writes what is done about a watch, and what is said of it.
pub(super) async fn record(app: &App, tx: &mut Tx, receipt: &Receipt, act: Act) -> anyhow::Result<Recorded> {
    let (cause, now) = (receipt.request.interaction, app.clock.now());
    let (watching, closing) = match act {
        Act::Add { watch, unmentionable } => {
            let replaced = !watches::put(&mut *tx, &watch, now).await?;
            let callback = ask_for_callbacks(app, &mut *tx, &watch, cause).await?;
            let closing = callback != Callback::Asked;
            let poll_ms = millis(app.settings.follow.poll).unsigned_abs();
            let entry = entry(&watch);
            (Watching::Added(Added { entry, replaced, unmentionable, poll_ms, callback }), closing)
        }
        Act::Remove(watch) => {
            let (project, pipeline) = (&watch.project, &watch.pipeline);
            if watches::remove(&mut *tx, &watch.id).await? {
                hooks::unwant(&mut *tx, (project, pipeline), now).await?;
                (Watching::Removed { entry: entry(&watch), by: receipt.request.actor.user }, true)
            } else {
                let (project, pipeline) = (watch.project, PipelineNamed::Id(watch.pipeline));
                (Watching::Absent { project, pipeline }, true)
            }
        }
        Act::Take(watch, taker, offer) => return record_taken(app, tx, receipt, (*watch, taker, offer)).await,
    };
    app.wake.hooks.notify_one();
    app.wake.follower.notify_one();
    let reply = Reply::Watching(Box::new(watching));
    let delivery = deliveries::say(tx, Text { cause, post: false, reply: &reply, closing }, now).await?;
    Ok(delivery.map_or(Recorded::Nothing, |delivery| Recorded::Answer(Box::new(delivery))))
}

async fn record_taken(
    app: &App,
    tx: &mut Tx,
    receipt: &Receipt,
    (watch, taker, offer): (Watch, Taker, OfferId),
) -> anyhow::Result<Recorded> {
    let (cause, now) = (receipt.request.interaction, app.clock.now());
    let reply = if watches::resume(&mut *tx, &watch, &taker, now).await? {
        offers::take(&mut *tx, &offer, taker.user, now).await?;
        let watch = Watch { as_user: taker.as_user, user: taker.user, since: taker.since, state: State::On, ..watch };
        ask_for_callbacks(app, &mut *tx, &watch, cause).await?;
        let taken = Reply::Watching(Box::new(Watching::Taken { entry: entry(&watch) }));
        deliveries::offer(&mut *tx, Text { cause, post: true, reply: &taken, closing: false }, now).await?;
        Reply::PreviewClosed
    } else {
        Reply::Watching(Box::new(Watching::NotPaused))
    };
    app.wake.hooks.notify_one();
    app.wake.follower.notify_one();
    super::say(tx, cause, &reply, now).await
}

/// Wishes that BK-CI tell of the pipeline by itself, where the operator wants that. It is asked for later: nobody waits.
async fn ask_for_callbacks(app: &App, tx: &mut Tx, watch: &Watch, cause: InteractionId) -> anyhow::Result<Callback> {
    let Some(callbacks) = app.settings.callbacks() else { return Ok(Callback::Off) };
    let wish = Wish {
        project: watch.project.clone(),
        pipeline: (!callbacks.of_projects).then(|| watch.pipeline.clone()),
        as_user: watch.as_user.clone(),
        mark: callbacks.mark(),
        cause,
    };
    Ok(match hooks::want(tx, &wish, app.clock.now()).await? {
        Standing::Registered => Callback::On,
        Standing::Wanted => Callback::Asked,
    })
}

fn entry(watch: &Watch) -> Entry {
    Entry {
        project: watch.project.clone(),
        pipeline: watch.pipeline.clone(),
        pipeline_name: watch.pipeline_name.clone(),
        hears: watch.hears,
        branch: watch.branch.clone(),
        mention: watch.mention,
        mention_starter: watch.mention_starter,
        user: watch.user,
        as_user: watch.as_user.clone(),
        paused: watch.state == State::Paused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_one_line_of_some_length() {
        assert_eq!(branch(None), Ok(None));
        assert_eq!(branch(Some("  ")), Ok(None));
        assert_eq!(branch(Some(" release/* ")), Ok(Some("release/*".to_owned())));
        assert_eq!(branch(Some(&"主".repeat(200))), Ok(Some("主".repeat(200))));
        for bad in ["a\nb", "a\u{0}", "a\u{1b}[0m", &"x".repeat(201)] {
            assert_eq!(branch(Some(bad)), Err(Refused::Branch { given: bad.to_owned() }), "{bad:?}");
        }
    }
}
