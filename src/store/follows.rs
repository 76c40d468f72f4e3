//! Follows: builds that are looked at until their attempt ends. The row goes with the end.

use std::time::Duration;

use anyhow::Context as _;

use super::looks::{self, Look};
use super::{Store, Tx, execute, read};
use crate::model::ids::{BuildId, UserId};
use crate::model::{BuildRef, Timestamp};
use crate::store::operations::Wish;

/// A build has hardly left the queue sooner; when BK-CI says so by a callback, it is looked at then.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// A build that is looked at.
#[derive(Clone, Debug)]
pub struct Follow {
    /// Which; project, pipeline and as whom are those of its look.
    pub build: BuildId,
    /// Who had it retried.
    pub user: UserId,
    /// The attempt that is waited for.
    pub attempt: u32,
    /// Of what the last look saw; absent before the first.
    pub seen: Option<String>,
    /// When its detail was last read.
    pub read: Timestamp,
    /// When this attempt was asked for.
    pub since: Timestamp,
    /// The fence.
    pub revision: i64,
}

type Row = (String, i64, i64, Option<String>, i64, i64, i64);

impl Store {
    /// What a look follows.
    ///
    /// # Errors
    /// The database failed.
    pub async fn follows_of(&self, look: &str) -> anyhow::Result<Vec<Follow>> {
        let sql = "SELECT build, user_id, attempt, seen, read_ms, since_ms, revision FROM follow WHERE look = $1
                   ORDER BY since_ms";
        let rows = read!(self, Row, sql, look).with_context(|| format!("reading the follows of {look}"))?;
        rows.into_iter()
            .map(|(build, user, attempt, seen, read_ms, since_ms, revision)| {
                Ok(Follow {
                    build: build.parse().context("reading a follow")?,
                    user: UserId::from_i64(user),
                    attempt: u32::try_from(attempt).context("the attempt of a follow")?,
                    seen,
                    read: Timestamp(read_ms),
                    since: Timestamp(since_ms),
                    revision,
                })
            })
            .collect()
    }
}

/// Follows what a wish started, as the person who wished it.
pub(crate) async fn begin(tx: &mut Tx, wish: &Wish, attempt: u32, now: Timestamp) -> anyhow::Result<()> {
    let of = Wanted { build: &wish.about.build, as_user: &wish.as_user, user: wish.about.asked_by, attempt };
    want(tx, &of, now).await
}

/// What is to be followed, as whom, for whom.
pub(crate) struct Wanted<'a> {
    pub(crate) build: &'a BuildRef,
    pub(crate) as_user: &'a crate::model::ids::Uid,
    pub(crate) user: UserId,
    pub(crate) attempt: u32,
}

/// Follows a build from now on; who is the last to want it looks for it.
pub(crate) async fn want(tx: &mut Tx, of: &Wanted<'_>, now: Timestamp) -> anyhow::Result<()> {
    let BuildRef { project, pipeline, build } = of.build;
    let look = looks::want(tx, (project, pipeline, of.as_user), None, now.plus(FIRST_LOOK)).await?;
    let sql = "INSERT INTO follow (build, look, user_id, attempt, since_ms) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (build) DO UPDATE SET look = excluded.look, user_id = excluded.user_id,
                   attempt = excluded.attempt, since_ms = excluded.since_ms, seen = NULL, read_ms = 0,
                   revision = follow.revision + 1";
    execute!(tx, sql, build.as_str(), look, of.user.as_i64(), i64::from(of.attempt), now.0)
        .with_context(|| format!("following {build}"))?;
    Ok(())
}

/// What became of a follow that a look has seen.
#[derive(Clone, Debug)]
pub enum Change {
    /// It goes on.
    Saw {
        /// The attempt that runs.
        attempt: u32,
        /// Of what was seen.
        seen: String,
        /// When its detail was last read.
        read: Timestamp,
    },
    /// Its attempt has ended, or it cannot be looked at any more.
    Ended,
}

/// Writes what a look has seen, unless the follow was begun anew meanwhile.
pub(crate) async fn note(tx: &mut Tx, look: &Look, follow: &Follow, change: &Change) -> anyhow::Result<()> {
    let (build, revision) = (follow.build.as_str(), follow.revision);
    match change {
        Change::Saw { attempt, seen, read } => {
            let sql = "UPDATE follow SET attempt = $1, seen = $2, read_ms = $3
                       WHERE build = $4 AND revision = $5 AND look = $6";
            execute!(tx, sql, i64::from(*attempt), seen, read.0, build, revision, &look.id)
        }
        Change::Ended => {
            let sql = "DELETE FROM follow WHERE build = $1 AND revision = $2 AND look = $3";
            execute!(tx, sql, build, revision, &look.id)
        }
    }
    .with_context(|| format!("noting what {build} has come to"))?;
    Ok(())
}
