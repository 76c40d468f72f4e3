//! Notices: the one message per build in a channel. A notice keeps what its readers see, and the budget of its edits.

use std::time::Duration;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::{Store, Tx, deliveries, execute, fetch, read};
use crate::model::ids::{BuildId, ChannelId, GuildId, MessageId, PipelineId, ProjectId};
use crate::model::watch::MessageRef;
use crate::model::{BuildRef, Locale, Place, Timestamp, millis};
use crate::reply::notice::State;
use crate::reply::{Notice, Reply};

/// So many edits can be made at once …
const BURST: i64 = 30;

/// … and one more in each such time: at most 60 in any three hours.
const REFILL: Duration = Duration::from_mins(6);

/// Edits that only show progress leave so many for what matters.
const RESERVE: i64 = 6;

/// Between two edits that only show progress, while the budget is full; the emptier it is, the longer.
const SPACING: Duration = Duration::from_secs(10);

/// The message of a build in a channel.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Made from channel and build.
    pub id: i64,
    /// Server and channel.
    pub place: Place,
    /// The language of its readers.
    pub locale: Locale,
    /// Which delivery is the message.
    pub delivery: String,
    /// The message, once Discord has told us.
    pub message: Option<MessageId>,
    /// The message is gone, or cannot be reached any more.
    pub gone: bool,
    /// What its readers see.
    pub facts: Notice,
    /// The channel was told of a failure that is not repaired yet.
    pub broken: bool,
    /// When the budget of its edits would be full again.
    pub full: Timestamp,
    /// When it was last edited, or will be.
    pub edited: Timestamp,
    /// The fence.
    pub revision: i64,
}

/// How much an edit matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Something moves on; that can wait a little.
    Progress,
    /// An end, or a new attempt.
    Turn,
}

type Row = (i64, i64, i64, String, String, Option<i64>, i32, String, bool, i64, i64, i64);

macro_rules! select {
    ($which:literal) => {
        concat!(
            "SELECT notice.id, notice.guild, notice.channel, notice.locale, notice.delivery, delivery.message,
                 CASE WHEN delivery.state = 'given_up' THEN 1 ELSE 0 END, notice.facts, notice.broken, notice.full_ms, notice.edited_ms, notice.revision
             FROM notice LEFT JOIN delivery ON delivery.id = notice.delivery WHERE ",
            $which
        )
    };
}

/// The id of a build's notice in a channel.
pub fn id_of(channel: ChannelId, build: &BuildId) -> i64 {
    number_of(&format!("{channel}/{build}"))
}

/// A number that stands for a text.
pub(crate) fn number_of(text: &str) -> i64 {
    let digest = Sha256::digest(text);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    // Positive, so that it reads as one number wherever it appears.
    i64::from_be_bytes(bytes) & i64::MAX
}

impl Notice {
    /// The branch of a pipeline, as a channel hears of it.
    pub(crate) fn on_branch(&self, channel: ChannelId) -> Branch<'_> {
        let BuildRef { project, pipeline, .. } = &self.build;
        Branch { channel, project, pipeline, branch: self.branch.as_deref() }
    }
}

impl Kept {
    /// Where somebody can jump to.
    pub fn jump(&self) -> Option<MessageRef> {
        let Place { guild, channel } = self.place;
        self.message.map(|message| MessageRef { guild, channel, message })
    }

    /// When the next edit may go out: at once if it matters, unless the budget is used up.
    pub fn allows(&self, weight: Weight, now: Timestamp) -> Timestamp {
        let refill = millis(REFILL);
        let spent_until = |left: i64| Timestamp(self.full.0 - (BURST - 1 - left) * refill);
        let soonest = match weight {
            Weight::Turn => spent_until(0),
            Weight::Progress => {
                let used = (self.full.0 - now.0).max(0).cast_unsigned().div_ceil(refill.cast_unsigned());
                let wait = SPACING.mul_f64(1.15_f64.powi(i32::try_from(used).unwrap_or(i32::MAX).min(60)));
                spent_until(RESERVE).max(self.edited.plus(wait))
            }
        };
        soonest.max(now)
    }

    /// When the budget is full again after an edit at this time.
    fn charged(&self, at: Timestamp) -> Timestamp {
        self.full.max(at).plus(REFILL)
    }
}

impl Store {
    /// The messages about a build, in whichever channel.
    ///
    /// # Errors
    /// The database failed.
    pub async fn notices_of(&self, build: &BuildId) -> anyhow::Result<Vec<Kept>> {
        let rows = read!(self, Row, select!("notice.build = $1 ORDER BY notice.id"), build.as_str());
        rows.with_context(|| format!("reading the notices of {build}"))?.into_iter().map(kept).collect()
    }

    /// The number of the latest build of a branch that the channel was told had failed, and that was not repaired before
    /// build `number`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn broken_before(&self, of: Branch<'_>, number: u32) -> anyhow::Result<Option<u32>> {
        let sql = "SELECT number FROM notice WHERE channel = $1 AND project = $2 AND pipeline = $3 AND broken
                       AND COALESCE(branch, '') = $4 AND number < $5 ORDER BY number DESC LIMIT 1";
        let Branch { channel, project, pipeline, branch } = of;
        let rows = read!(
            self,
            (i64,),
            sql,
            channel.as_i64(),
            project.as_str(),
            pipeline.as_str(),
            branch.unwrap_or_default(),
            i64::from(number)
        );
        let rows = rows.context("looking for what was broken before")?;
        rows.first().map(|(number,)| u32::try_from(*number).context("the number of a build")).transpose()
    }
}

/// A branch of a pipeline, as a channel hears of it.
#[derive(Clone, Copy, Debug)]
pub struct Branch<'a> {
    /// Which channel.
    pub channel: ChannelId,
    /// English name of the project.
    pub project: &'a ProjectId,
    /// `p-…`
    pub pipeline: &'a PipelineId,
    /// Absent where BK-CI tells none.
    pub branch: Option<&'a str>,
}

/// The message about a build in a channel, seen in a transaction.
pub(crate) async fn find(tx: &mut Tx, channel: ChannelId, build: &BuildId) -> anyhow::Result<Option<Kept>> {
    let sql = select!("notice.build = $1 AND notice.channel = $2");
    let row = fetch!(tx, Row, sql, build.as_str(), channel.as_i64());
    row.with_context(|| format!("reading the notice of {build}"))?.map(kept).transpose()
}

/// A notice that is about to be made.
#[derive(Clone, Debug)]
pub struct New {
    /// Server and channel.
    pub place: Place,
    /// The language of its readers.
    pub locale: Locale,
    /// What its readers see.
    pub facts: Notice,
    /// The channel hears, or has heard, of a failure.
    pub broken: bool,
}

/// Makes an answer that is about to be said the notice of a build. `false`: the channel has one.
pub(crate) async fn adopt(tx: &mut Tx, new: &New, delivery: &str, now: Timestamp) -> anyhow::Result<bool> {
    let facts = &new.facts;
    let sql =
        "INSERT INTO notice (id, guild, channel, build, project, pipeline, branch, number, locale, delivery, facts,
                   broken, full_ms, edited_ms)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING";
    let made = execute!(
        tx,
        sql,
        id_of(new.place.channel, &facts.build.build),
        new.place.guild.as_i64(),
        new.place.channel.as_i64(),
        facts.build.build.as_str(),
        facts.build.project.as_str(),
        facts.build.pipeline.as_str(),
        facts.branch.as_deref(),
        i64::from(facts.number),
        new.locale.as_str(),
        delivery,
        serde_json::to_string(facts)?,
        new.broken,
        now.0,
        now.0,
    );
    Ok(made.with_context(|| format!("making the notice of {}", facts.build))? == 1)
}

/// Makes an answer that is about to be said the notice of a build, in place of a message that is gone.
pub(crate) async fn replace(tx: &mut Tx, edit: &Edit, delivery: &str, now: Timestamp) -> anyhow::Result<()> {
    let Edit { kept, facts, broken, .. } = edit;
    let sql = "UPDATE notice SET delivery = $1, facts = $2, broken = $3, full_ms = $4, edited_ms = $4,
                   revision = revision + 1
               WHERE id = $5";
    execute!(tx, sql, delivery, serde_json::to_string(facts)?, broken, now.0, kept.id)
        .with_context(|| format!("replacing the notice of {}", facts.build))?;
    Ok(())
}

/// Makes a notice, and has it posted in its channel. Nothing happens when the channel has one.
pub(crate) async fn post(tx: &mut Tx, new: &New, now: Timestamp) -> anyhow::Result<()> {
    let id = id_of(new.place.channel, &new.facts.build.build);
    let delivery = format!("notice/{id}");
    if adopt(tx, new, &delivery, now).await? {
        let reply = Reply::Notice(Box::new(new.facts.clone()));
        let letter = deliveries::Letter { id: &delivery, cause: id, channel: new.place.channel, locale: new.locale };
        deliveries::post(tx, letter, &reply, now).await?;
    }
    Ok(())
}

/// What a notice shows from now on.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Which, as it was read.
    pub kept: Kept,
    /// What its readers see.
    pub facts: Notice,
    /// Whether the channel knows of a failure that is not repaired.
    pub broken: bool,
    /// How much it matters.
    pub weight: Weight,
}

/// Edits a notice, as soon as its budget allows. `false`: it was changed since it was read, and nothing was written.
pub(crate) async fn edit(tx: &mut Tx, edit: &Edit, now: Timestamp) -> anyhow::Result<bool> {
    let Edit { kept, facts, broken, weight } = edit;
    let news = !facts.reads_like(&kept.facts);
    let sql = "UPDATE notice SET facts = $1, broken = $2, branch = $3, revision = revision + 1
               WHERE id = $4 AND revision = $5";
    let text = serde_json::to_string(facts)?;
    let ours = execute!(&mut *tx, sql, text, broken, facts.branch.as_deref(), kept.id, kept.revision);
    if ours.with_context(|| format!("editing the notice of {}", facts.build))? == 0 {
        return Ok(false);
    }
    if !news {
        return Ok(true);
    }
    let at = kept.allows(*weight, now);
    let closing = !matches!(facts.state, State::Running { .. });
    let amended = deliveries::amend(tx, &kept.delivery, (&Reply::Notice(Box::new(facts.clone())), closing), at).await?;
    match amended {
        // What waits to be said is said in its newest form, at no cost.
        deliveries::Amended::Waiting => {}
        deliveries::Amended::Anew => {
            let full = kept.charged(at);
            let sql = "UPDATE notice SET full_ms = $1, edited_ms = $2 WHERE id = $3";
            execute!(tx, sql, full.0, at.0, kept.id).context("charging an edit")?;
        }
    }
    Ok(true)
}

/// What was broken in a branch before build `number` is repaired.
pub(crate) async fn repaired(tx: &mut Tx, of: Branch<'_>, number: u32) -> anyhow::Result<()> {
    let Branch { channel, project, pipeline, branch } = of;
    let sql = "UPDATE notice SET broken = FALSE WHERE channel = $1 AND project = $2 AND pipeline = $3 AND broken
                   AND COALESCE(branch, '') = $4 AND number <= $5";
    execute!(
        tx,
        sql,
        channel.as_i64(),
        project.as_str(),
        pipeline.as_str(),
        branch.unwrap_or_default(),
        i64::from(number)
    )
    .context("noting what is repaired")?;
    Ok(())
}

fn kept(row: Row) -> anyhow::Result<Kept> {
    let (id, guild, channel, locale, delivery, message, gone, facts, broken, full_ms, edited_ms, revision) = row;
    Ok(Kept {
        id,
        place: Place { guild: GuildId::from_i64(guild), channel: ChannelId::from_i64(channel) },
        locale: Locale::from_discord(&locale),
        delivery,
        message: message.map(MessageId::from_i64),
        gone: gone == 1,
        facts: serde_json::from_str(&facts).with_context(|| format!("reading notice {id}"))?,
        broken,
        full: Timestamp(full_ms),
        edited: Timestamp(edited_ms),
        revision,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::status::BuildStatus;

    /// The start of a story; any time will do.
    const BEGIN: Timestamp = Timestamp(1_800_000_000_000);

    fn kept() -> Kept {
        let named = |text: &str| text.parse().expect("an id");
        let build = BuildRef {
            project: "demo".parse().expect("a project"),
            pipeline: "p-00000000000000000000000000000000".parse().expect("a pipeline"),
            build: named("b-00000000000000000000000000000000"),
        };
        let facts = Notice {
            build,
            pipeline_name: String::new(),
            number: 1,
            link: None,
            started_by: None,
            branch: None,
            commit: None,
            state: State::Running { status: BuildStatus::Running },
            attempts: Vec::new(),
            stages: Vec::new(),
            step: None,
            elapsed_s: 0,
            acts: None,
            ping: crate::reply::notice::Ping::default(),
        };
        Kept {
            id: 1,
            place: Place { guild: GuildId(1), channel: ChannelId(1) },
            locale: Locale::from_discord("en-US"),
            delivery: String::new(),
            message: None,
            gone: false,
            facts,
            broken: false,
            full: BEGIN,
            edited: BEGIN,
            revision: 1,
        }
    }

    /// When a message is edited, if something changes after each of these waits, as `edit` has it.
    fn edits(changes: &[(u64, Weight)]) -> Vec<i64> {
        let (mut kept, mut now, mut sent) = (kept(), BEGIN, Vec::new());
        let mut waits: Option<Timestamp> = None;
        for (wait, weight) in changes {
            now = now.plus(Duration::from_millis(*wait));
            sent.extend(waits.take_if(|at| *at <= now).map(|at| at.0));
            let at = kept.allows(*weight, now);
            if let Some(earlier) = waits {
                waits = Some(earlier.min(at));
                continue;
            }
            (kept.full, kept.edited, waits) = (kept.charged(at), at, Some(at));
        }
        sent.extend(waits.map(|at| at.0));
        sent
    }

    fn most_in_three_hours(edits: &[i64]) -> usize {
        let within = |from: &i64| edits.iter().filter(|at| **at >= *from && **at < from + 3 * 3_600_000).count();
        edits.iter().map(within).max().unwrap_or_default()
    }

    fn weights() -> impl Strategy<Value = Weight> {
        prop_oneof![9 => Just(Weight::Progress), 1 => Just(Weight::Turn)]
    }

    proptest! {
        #[test]
        fn no_three_hours_have_more_than_60_edits(
            changes in proptest::collection::vec((0_u64..120_000, weights()), 1..600),
            turns in any::<bool>(),
        ) {
            let turn = |(wait, weight): (u64, Weight)| (wait, if turns { Weight::Turn } else { weight });
            let edits = edits(&changes.into_iter().map(turn).collect::<Vec<_>>());
            prop_assert!(edits.is_sorted());
            prop_assert!(most_in_three_hours(&edits) <= 60, "{}", most_in_three_hours(&edits));
        }

        #[test]
        fn an_end_after_hours_of_progress_is_told_at_once(
            changes in proptest::collection::vec((0_u64..30_000, Just(Weight::Progress)), 1..600),
        ) {
            let ended: u64 = changes.iter().map(|(wait, _)| wait).sum();
            let edits = edits(&[changes, vec![(0, Weight::Turn)]].concat());
            prop_assert_eq!(edits.last().copied(), Some(BEGIN.0 + i64::try_from(ended).expect("hours")));
        }
    }

    #[test]
    fn progress_every_second_uses_what_it_may_and_no_more() {
        let edits = edits(&[(1000, Weight::Progress); 9 * 3600]);
        let most = most_in_three_hours(&edits);
        assert!((45..=60).contains(&most), "{most}");
        assert!(edits[1] - edits[0] < 15_000, "the first ones follow each other soon");
    }
}
