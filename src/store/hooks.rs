//! Hooks: callbacks that BK-CI is asked for, so that it tells by itself of watched pipelines. One row per pipeline, or per
//! project; it lives as long as somebody watches there.

use std::time::Duration;

use anyhow::Context as _;

use super::deliveries::{self, Text};
use super::{Store, Tx, claim, execute, fetch};
use crate::model::Timestamp;
use crate::model::ids::{InteractionId, PipelineId, ProjectId, Uid};
use crate::reply::watches::{Added, Callback};
use crate::reply::{Reply, Watching};

/// A callback that somebody wishes.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// English name of the project.
    pub project: ProjectId,
    /// Absent for one of the whole project.
    pub pipeline: Option<PipelineId>,
    /// As whom to ask.
    pub as_user: Uid,
    /// Where BK-CI should tell, and by which token: changes when either does.
    pub mark: String,
    /// The interaction whose answer tells what becomes of it.
    pub cause: InteractionId,
}

/// How a wish stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// BK-CI tells already.
    Registered,
    /// It will be asked.
    Wanted,
}

/// A hook that the caller may work on, until its lease ends.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Made from project and pipeline.
    pub id: String,
    /// English name of the project.
    pub project: ProjectId,
    /// Absent for one of the whole project.
    pub pipeline: Option<PipelineId>,
    /// As whom.
    pub as_user: Uid,
    /// Where BK-CI should tell, and by which token: what it was asked for last.
    pub mark: String,
    /// It is to be registered, not removed.
    pub wanted: bool,
    /// The interaction whose answer tells what becomes of it.
    pub cause: Option<InteractionId>,
    /// Calls in a row without an answer.
    pub failed: u32,
    /// The fence.
    pub attempts: i64,
}

/// What a call came to.
#[derive(Clone, Debug)]
pub enum Step {
    /// It is registered, or removed.
    Done,
    /// It will not be registered, or nothing can be done to remove it.
    Refused(crate::reply::Failure),
    /// It is tried again.
    Later(Timestamp),
}

type Row = (String, String, Option<String>, String, String, String, Option<i64>, i64, i64);

macro_rules! claim_sql {
    ($lock:literal) => {
        concat!(
            "UPDATE hook SET lease_until_ms = $1, attempts = attempts + 1 WHERE id = (
                SELECT id FROM hook WHERE state IN ('wanted', 'unwanted') AND due_ms <= $2 AND lease_until_ms <= $3
                ORDER BY due_ms LIMIT 1 ",
            $lock,
            ") RETURNING id, project, pipeline, as_user, mark, state, cause, failed, attempts"
        )
    };
}

impl Store {
    /// Claims a hook that is to be registered or removed.
    ///
    /// # Errors
    /// The database failed.
    pub async fn claim_hook(&self, now: Timestamp, lease: Duration) -> anyhow::Result<Option<Claimed>> {
        let mut tx = self.begin().await?;
        let row = claim!(&mut tx, Row, claim_sql, now.plus(lease).0, now.0, now.0).context("claiming a hook")?;
        tx.commit().await?;
        row.map(claimed).transpose()
    }

    /// Brings the rows in line with what the operator wants by now: a mark of where BK-CI should tell, of whole
    /// projects or of single pipelines; or nothing. What is watched and has no callback gets one.
    ///
    /// # Errors
    /// The database failed; nothing was written.
    pub async fn align_hooks(&self, wanted: Option<(&str, bool)>, now: Timestamp) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        let (mark, of_projects) = wanted.unwrap_or_default();
        let sql = "DELETE FROM hook WHERE state = 'refused' AND ($1 OR (pipeline IS NULL) <> $2)";
        execute!(&mut tx, sql, wanted.is_none(), of_projects).context("forgetting refused hooks")?;
        let sql = "UPDATE hook SET state = 'unwanted', due_ms = $1, cause = NULL, failed = 0
                   WHERE state <> 'unwanted' AND ($2 OR (pipeline IS NULL) <> $3)";
        execute!(&mut tx, sql, now.0, wanted.is_none(), of_projects).context("letting hooks go")?;
        // The old mark stays until the new one is registered: somebody has to know what to remove.
        let sql = "UPDATE hook SET state = 'wanted', due_ms = $1, failed = 0
                   WHERE state IN ('registered', 'refused') AND mark <> $2";
        execute!(&mut tx, sql, now.0, mark).context("moving hooks")?;
        let of_each = "INSERT INTO hook (id, project, pipeline, as_user, mark, state, due_ms)
                       SELECT project || '/' || pipeline, project, pipeline, MIN(as_user), $1, 'wanted', $2
                       FROM watch WHERE state = 'on' GROUP BY project, pipeline ON CONFLICT (id) DO NOTHING";
        let of_all = "INSERT INTO hook (id, project, pipeline, as_user, mark, state, due_ms)
                      SELECT project, project, NULL, MIN(as_user), $1, 'wanted', $2
                      FROM watch WHERE state = 'on' GROUP BY project ON CONFLICT (id) DO NOTHING";
        if wanted.is_some() {
            let sql = if of_projects { of_all } else { of_each };
            execute!(&mut tx, sql, mark, now.0).context("wishing the hooks that are missing")?;
        }
        tx.commit().await
    }

    /// Writes what a call came to, by which `mark` holds if BK-CI does as asked, and lets the answers that wait for it tell.
    /// What was wished meanwhile stays, and is worked on next.
    ///
    /// # Errors
    /// The database failed; the hook is found again when its lease ends, and the call may be repeated.
    pub async fn conclude_hook(
        &self,
        hook: &Claimed,
        (step, mark): (&Step, &str),
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        let state = if hook.wanted { "wanted" } else { "unwanted" };
        let sql = "UPDATE hook SET state = $1, due_ms = $2, failed = $3, mark = $4, lease_until_ms = 0
                   WHERE id = $5 AND attempts = $6 AND state = $7 AND as_user = $8 AND mark = $9
                   RETURNING id, cause";
        let (next, due, failed) = match step {
            Step::Done => ("registered", i64::MAX, 0),
            Step::Refused(_) => ("refused", i64::MAX, 0),
            Step::Later(due) => (state, due.0, i64::from(hook.failed) + 1),
        };
        type Ended = (String, Option<i64>);
        let mark = if matches!(step, Step::Done) { mark } else { &hook.mark };
        let (id, uid) = (hook.id.as_str(), hook.as_user.as_str());
        let row = fetch!(&mut tx, Ended, sql, next, due, failed, mark, id, hook.attempts, state, uid, &hook.mark);
        let row = row.with_context(|| format!("concluding hook {id}"))?;
        match row {
            Some((_, cause)) if hook.wanted => {
                // Two may have wished the same while it was asked for.
                let causes = [cause.map(InteractionId::from_i64), hook.cause];
                let twice = causes[0] == causes[1];
                for cause in causes.into_iter().skip(usize::from(twice)).flatten() {
                    tell(&mut tx, cause, step, now).await?;
                }
            }
            Some(_) if matches!(step, Step::Later(_)) => {}
            Some(_) => {
                execute!(&mut tx, "DELETE FROM hook WHERE id = $1", id).with_context(|| format!("ending hook {id}"))?;
            }
            None => {
                let sql = "UPDATE hook SET lease_until_ms = 0 WHERE id = $1 AND attempts = $2";
                execute!(&mut tx, sql, id, hook.attempts).with_context(|| format!("letting hook {id} go"))?;
            }
        }
        tx.commit().await
    }
}

/// Wishes a callback. One that is there stays as it is; one that was refused is asked for again, as this person.
pub(crate) async fn want(tx: &mut Tx, wish: &Wish, now: Timestamp) -> anyhow::Result<Standing> {
    let id = match &wish.pipeline {
        Some(pipeline) => format!("{}/{pipeline}", wish.project),
        None => wish.project.to_string(),
    };
    // Attempts and lease stay: whoever has the row in hand ends first.
    let sql = "INSERT INTO hook (id, project, pipeline, as_user, mark, state, cause, due_ms)
               VALUES ($1, $2, $3, $4, $5, 'wanted', $6, $7)
               ON CONFLICT (id) DO UPDATE SET as_user = excluded.as_user, mark = excluded.mark, state = 'wanted',
                   cause = excluded.cause, due_ms = excluded.due_ms, failed = 0
               WHERE hook.state <> 'registered' OR hook.mark <> excluded.mark";
    let written = execute!(
        tx,
        sql,
        &id,
        wish.project.as_str(),
        wish.pipeline.as_ref().map(PipelineId::as_str),
        wish.as_user.as_str(),
        &wish.mark,
        wish.cause.as_i64(),
        now.0,
    );
    let written = written.with_context(|| format!("wishing hook {id}"))?;
    Ok(if written == 0 { Standing::Registered } else { Standing::Wanted })
}

/// Lets the callbacks go that nobody needs any more, now that a watch of this pipeline was removed.
pub(crate) async fn unwant(
    tx: &mut Tx,
    (project, pipeline): (&ProjectId, &PipelineId),
    now: Timestamp,
) -> anyhow::Result<()> {
    let (of, at) = (project.as_str(), pipeline.as_str());
    let letting = || format!("letting the hooks of {project} and {pipeline} go");
    let sql = "DELETE FROM hook WHERE project = $1 AND state = 'refused'
                   AND ((pipeline = $2 AND NOT EXISTS (SELECT 1 FROM watch WHERE project = $1 AND pipeline = $2))
                       OR (pipeline IS NULL AND NOT EXISTS (SELECT 1 FROM watch WHERE project = $1)))";
    execute!(&mut *tx, sql, of, at).with_context(letting)?;
    // What is wanted may be registered already, if the answer was lost.
    let sql = "UPDATE hook SET state = 'unwanted', due_ms = $3, cause = NULL, failed = 0 WHERE project = $1
                   AND ((pipeline = $2 AND NOT EXISTS (SELECT 1 FROM watch WHERE project = $1 AND pipeline = $2))
                       OR (pipeline IS NULL AND NOT EXISTS (SELECT 1 FROM watch WHERE project = $1)))";
    execute!(tx, sql, of, at, now.0).with_context(letting)?;
    Ok(())
}

/// Edits the answer of whoever added the watch, if that is what it still says.
async fn tell(tx: &mut Tx, cause: InteractionId, step: &Step, now: Timestamp) -> anyhow::Result<()> {
    let Some(Reply::Watching(said)) = deliveries::said(&mut *tx, cause).await? else { return Ok(()) };
    let Watching::Added(added) = *said else { return Ok(()) };
    let callback = match step {
        Step::Done => Callback::On,
        Step::Refused(failure) => Callback::Refused(failure.clone()),
        Step::Later(_) => Callback::AskedAgain,
    };
    if added.callback == callback {
        return Ok(());
    }
    let closing = !matches!(step, Step::Later(_));
    let reply = Reply::Watching(Box::new(Watching::Added(Added { callback, ..added })));
    deliveries::offer(tx, Text { cause, post: false, reply: &reply, closing }, now).await
}

fn claimed((id, project, pipeline, as_user, mark, state, cause, failed, attempts): Row) -> anyhow::Result<Claimed> {
    let reading = || format!("reading hook {id}");
    Ok(Claimed {
        project: project.parse().with_context(reading)?,
        pipeline: pipeline.map(|pipeline| pipeline.parse()).transpose().with_context(reading)?,
        as_user: as_user.parse().with_context(reading)?,
        mark,
        wanted: state == "wanted",
        cause: cause.map(InteractionId::from_i64),
        failed: u32::try_from(failed).with_context(reading)?,
        attempts,
        id,
    })
}
