//! Watches: a channel's standing wish to hear of a pipeline. One row per channel and pipeline; adding it again replaces
//! it. A watch that is on wants its look; a paused one waits until somebody looks for it as themselves.

use anyhow::Context as _;

use super::{Store, Tx, execute, fetch, looks, read};
use crate::model::ids::{ChannelId, GuildId, PipelineId, ProjectId, RoleId, Uid, UserId};
use crate::model::watch::Hears;
use crate::model::{Locale, Timestamp};

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Made from channel and pipeline ([`id_of`]).
    pub id: String,
    /// In which server.
    pub guild: GuildId,
    /// The channel that hears.
    pub channel: ChannelId,
    /// English name of the project.
    pub project: ProjectId,
    /// `p-…`
    pub pipeline: PipelineId,
    /// The pipeline's name when it was added; text of a stranger.
    pub pipeline_name: String,
    /// As whom it is looked at.
    pub as_user: Uid,
    /// Who added it, or took it over since.
    pub user: UserId,
    /// Which ends are told.
    pub hears: Hears,
    /// Only builds of branches that fit this glob.
    pub branch: Option<String>,
    /// The role to ping at a first failure.
    pub mention: Option<RoleId>,
    /// Whether to ping the person whose build failed.
    pub mention_starter: bool,
    /// The language of its notices.
    pub locale: Locale,
    /// Builds that ended before are not told (BK-CI's clock).
    pub since: Timestamp,
    /// Whether it is looked at.
    pub state: State,
}

/// Whether a watch is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is.
    On,
    /// Nobody is there any more as whom to look.
    Paused,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Paused => "paused",
        }
    }
}

/// The id of a channel's watch of a pipeline.
pub fn id_of(channel: ChannelId, project: &ProjectId, pipeline: &PipelineId) -> String {
    format!("{channel}/{project}/{pipeline}")
}

/// Without the id, which is made from its parts, and the look's.
type Row =
    (i64, i64, String, String, String, String, i64, String, Option<String>, Option<i64>, bool, String, i64, String);

macro_rules! select {
    ($which:literal) => {
        concat!(
            "SELECT guild, channel, project, pipeline, pipeline_name, as_user, user_id, hears, branch, mention,
                 mention_starter, locale, since_ms, state
             FROM watch WHERE ",
            $which
        )
    };
}

impl Store {
    /// The watches that are on and that this look is for.
    ///
    /// # Errors
    /// The database failed.
    pub async fn watches_of(&self, look: &str) -> anyhow::Result<Vec<Watch>> {
        let rows = read!(self, Row, select!("look = $1 AND state = 'on' ORDER BY id"), look);
        rows.with_context(|| format!("reading the watches of look {look}"))?.into_iter().map(watch).collect()
    }

    /// What a channel watches, paused or not, by the pipeline's name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn watches_in(&self, channel: ChannelId) -> anyhow::Result<Vec<Watch>> {
        let rows = read!(self, Row, select!("channel = $1 ORDER BY pipeline_name, id"), channel.as_i64());
        rows.with_context(|| format!("reading the watches of channel {channel}"))?.into_iter().map(watch).collect()
    }

    /// A watch, if it is still there.
    ///
    /// # Errors
    /// The database failed.
    pub async fn watch(&self, id: &str) -> anyhow::Result<Option<Watch>> {
        let rows = read!(self, Row, select!("id = $1"), id).with_context(|| format!("reading watch {id}"))?;
        rows.into_iter().next().map(watch).transpose()
    }
}

/// Adds a watch, or replaces the channel's watch of the same pipeline; its look is wanted at once. `true`: it is new.
pub(crate) async fn put(tx: &mut Tx, watch: &Watch, now: Timestamp) -> anyhow::Result<bool> {
    let before = look_of(&mut *tx, &watch.id).await?;
    let of = (&watch.project, &watch.pipeline, &watch.as_user);
    let look = looks::want(&mut *tx, of, Some(watch.since), now).await?;
    let sql = "INSERT INTO watch (id, guild, channel, project, pipeline, pipeline_name, look, as_user, user_id, hears,
                   branch, mention, mention_starter, locale, since_ms, added_ms, state)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
               ON CONFLICT (id) DO UPDATE SET guild = excluded.guild, pipeline_name = excluded.pipeline_name,
                   look = excluded.look, as_user = excluded.as_user, user_id = excluded.user_id, hears = excluded.hears,
                   branch = excluded.branch, mention = excluded.mention, mention_starter = excluded.mention_starter,
                   locale = excluded.locale, since_ms = excluded.since_ms, added_ms = excluded.added_ms,
                   state = excluded.state";
    execute!(
        &mut *tx,
        sql,
        &watch.id,
        watch.guild.as_i64(),
        watch.channel.as_i64(),
        watch.project.as_str(),
        watch.pipeline.as_str(),
        &watch.pipeline_name,
        &look,
        watch.as_user.as_str(),
        watch.user.as_i64(),
        watch.hears.as_str(),
        watch.branch.as_deref(),
        watch.mention.map(RoleId::as_i64),
        watch.mention_starter,
        watch.locale.as_str(),
        watch.since.0,
        now.0,
        watch.state.as_str(),
    )
    .with_context(|| format!("adding watch {}", watch.id))?;
    if let Some(before) = before.as_deref().filter(|before| *before != look) {
        looks::forget_unwanted(tx, before).await?;
    }
    Ok(before.is_none())
}

/// Removes a watch, and its look when nobody else wants it. `false`: it was not there.
pub(crate) async fn remove(tx: &mut Tx, id: &str) -> anyhow::Result<bool> {
    let row = fetch!(&mut *tx, (String,), "DELETE FROM watch WHERE id = $1 RETURNING look", id);
    let Some((look,)) = row.with_context(|| format!("removing watch {id}"))? else { return Ok(false) };
    looks::forget_unwanted(tx, &look).await?;
    Ok(true)
}

/// Stops looking for a watch, until somebody takes it over. `false`: it was not on. The look stays: whoever pauses holds
/// it, and forgets it when that is wanted no more.
pub(crate) async fn pause(tx: &mut Tx, id: &str) -> anyhow::Result<bool> {
    let paused = execute!(tx, "UPDATE watch SET state = 'paused' WHERE id = $1 AND state = 'on'", id);
    Ok(paused.with_context(|| format!("pausing watch {id}"))? == 1)
}

/// Who looks for a watch from now on.
#[derive(Clone, Debug)]
pub struct Taker {
    /// As whom.
    pub as_user: Uid,
    /// Who that is.
    pub user: UserId,
    /// Builds that ended before are not told (BK-CI's clock).
    pub since: Timestamp,
}

/// Lets a paused watch go on, looked at as somebody else; its look is wanted at once. `false`: it is not paused any more.
pub(crate) async fn resume(tx: &mut Tx, watch: &Watch, taker: &Taker, now: Timestamp) -> anyhow::Result<bool> {
    let Some(before) = look_of(&mut *tx, &watch.id).await? else { return Ok(false) };
    let of = (&watch.project, &watch.pipeline, &taker.as_user);
    let look = looks::want(&mut *tx, of, Some(taker.since), now).await?;
    let sql = "UPDATE watch SET state = 'on', look = $1, as_user = $2, user_id = $3, since_ms = $4
               WHERE id = $5 AND state = 'paused'";
    let (uid, user, since) = (taker.as_user.as_str(), taker.user.as_i64(), taker.since.0);
    let resumed = execute!(&mut *tx, sql, &look, uid, user, since, &watch.id);
    let resumed = resumed.with_context(|| format!("resuming watch {}", watch.id))? == 1;
    for look in [before.as_str(), &look] {
        looks::forget_unwanted(&mut *tx, look).await?;
    }
    Ok(resumed)
}

async fn look_of(tx: &mut Tx, id: &str) -> anyhow::Result<Option<String>> {
    let row = fetch!(tx, (String,), "SELECT look FROM watch WHERE id = $1", id);
    Ok(row.with_context(|| format!("reading watch {id}"))?.map(|row| row.0))
}

fn watch(row: Row) -> anyhow::Result<Watch> {
    let (guild, channel, project, pipeline, pipeline_name, as_user, user, hears, branch, mention, ..) = row.clone();
    let (.., starter, locale, since_ms, state) = row;
    let channel = ChannelId::from_i64(channel);
    let reading = || format!("reading a watch of channel {channel}");
    let (project, pipeline) = (project.parse().with_context(reading)?, pipeline.parse().with_context(reading)?);
    Ok(Watch {
        id: id_of(channel, &project, &pipeline),
        guild: GuildId::from_i64(guild),
        channel,
        project,
        pipeline,
        pipeline_name,
        as_user: as_user.parse().with_context(reading)?,
        user: UserId::from_i64(user),
        hears: Hears::from_text(&hears).with_context(reading)?,
        branch,
        mention: mention.map(RoleId::from_i64),
        mention_starter: starter,
        locale: Locale::from_discord(&locale),
        since: Timestamp(since_ms),
        state: if state == State::Paused.as_str() { State::Paused } else { State::On },
    })
}
