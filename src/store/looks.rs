//! Looks: the unit of looking at BK-CI, what one UID may see of one pipeline. A look is wanted by follows and watches,
//! and its row goes when nobody wants it any more.

use std::time::Duration;

use anyhow::Context as _;

use super::follows::{self, Change, Follow};
use super::notices::{self, Edit, New};
use super::watches::{self, Watch};
use super::{Store, Tx, claim, deliveries, execute, offers};
use crate::model::Timestamp;
use crate::model::ids::{InteractionId, PipelineId, ProjectId, Uid};
use crate::reply::notice::{Paused, State};
use crate::reply::{Offer, Reply};

/// Callbacks make a look due, but not more often than this: repeated and forged ones cost little.
const HINT_EVERY: Duration = Duration::from_secs(1);

/// A look that the caller may take, until its lease ends.
#[derive(Clone, Debug)]
pub struct Look {
    /// Made from what is looked at.
    pub id: String,
    /// English name of the project.
    pub project: ProjectId,
    /// `p-…`
    pub pipeline: PipelineId,
    /// As whom.
    pub as_user: Uid,
    /// The newest update that was seen (BK-CI's clock); absent before the first look.
    pub mark: Option<Timestamp>,
    /// Looks in a row that were refused.
    pub refused: u32,
    /// Looks in a row that failed otherwise.
    pub failed: u32,
    /// The fence.
    pub attempts: i64,
}

/// How a look goes on.
#[derive(Clone, Copy, Debug)]
pub struct Next {
    /// When it is taken again.
    pub due: Timestamp,
    /// The newest update that was seen.
    pub mark: Option<Timestamp>,
    /// Looks in a row that were refused.
    pub refused: u32,
    /// Looks in a row that failed otherwise.
    pub failed: u32,
}

/// What a look has found: written as a whole, or not at all.
#[derive(Clone, Debug)]
pub struct Findings {
    /// How the look goes on.
    pub next: Next,
    /// What became of what is followed.
    pub follows: Vec<(Follow, Change)>,
    /// Notices that change, with what their buttons offer.
    pub edits: Vec<(Edit, Option<Offer>)>,
    /// Notices that are made, with what their buttons offer.
    pub posts: Vec<(New, Option<Offer>)>,
    /// Watches for which nobody looks any more, and what their channels hear of that.
    pub paused: Vec<(Watch, Paused, Offer)>,
}

impl Findings {
    /// Nothing so far.
    pub fn new(next: Next) -> Self {
        Self { next, follows: Vec::new(), edits: Vec::new(), posts: Vec::new(), paused: Vec::new() }
    }
}

type Row = (String, String, String, String, Option<i64>, i64, i64, i64);

macro_rules! claim_sql {
    ($lock:literal) => {
        concat!(
            "UPDATE look SET lease_until_ms = $1, due_ms = $1, attempts = attempts + 1 WHERE id = (
                SELECT id FROM look WHERE due_ms <= $2 AND lease_until_ms <= $3 ORDER BY due_ms LIMIT 1 ",
            $lock,
            ") RETURNING id, project, pipeline, as_user, mark_ms, refused, failed, attempts"
        )
    };
}

impl Store {
    /// Claims a look that is due. Whoever wants it sooner than the lease ends, from now on, is heard when it is concluded.
    ///
    /// # Errors
    /// The database failed.
    pub async fn claim_look(&self, now: Timestamp, lease: Duration) -> anyhow::Result<Option<Look>> {
        let mut tx = self.begin().await?;
        let row = claim!(&mut tx, Row, claim_sql, now.plus(lease).0, now.0, now.0).context("claiming a look")?;
        tx.commit().await?;
        let Some((id, project, pipeline, as_user, mark, refused, failed, attempts)) = row else { return Ok(None) };
        let reading = || format!("reading look {id}");
        Ok(Some(Look {
            project: project.parse().with_context(reading)?,
            pipeline: pipeline.parse().with_context(reading)?,
            as_user: as_user.parse().with_context(reading)?,
            mark: mark.map(Timestamp),
            refused: u32::try_from(refused).with_context(reading)?,
            failed: u32::try_from(failed).with_context(reading)?,
            id,
            attempts,
        }))
    }

    /// Writes what a look has found. `false`: the look is no longer the caller's, or something that it read has changed
    /// since: nothing was written, and it is due again.
    ///
    /// # Errors
    /// The database failed; nothing was written.
    pub async fn record_look(&self, look: &Look, findings: &Findings, now: Timestamp) -> anyhow::Result<bool> {
        let mut tx = self.begin().await?;
        if !conclude(&mut tx, look, findings.next, now).await? {
            return Ok(false);
        }
        for (follow, change) in &findings.follows {
            follows::note(&mut tx, look, follow, change).await?;
        }
        for (edit, offer) in &findings.edits {
            if !notices::edit(&mut tx, edit, now).await? {
                drop(tx);
                return self.look_again(look, now).await.map(|()| false);
            }
            let repaired = edit.kept.broken && !edit.broken;
            put_offer(&mut tx, edit.kept.id, offer.as_ref()).await?;
            if repaired {
                notices::repaired(&mut tx, edit.facts.on_branch(edit.kept.place.channel), edit.facts.number).await?;
            }
        }
        for (new, offer) in &findings.posts {
            notices::post(&mut tx, new, now).await?;
            put_offer(&mut tx, notices::id_of(new.place.channel, &new.facts.build.build), offer.as_ref()).await?;
            if matches!(new.facts.state, State::Fixed { .. }) {
                notices::repaired(&mut tx, new.facts.on_branch(new.place.channel), new.facts.number).await?;
            }
        }
        for (watch, paused, offer) in &findings.paused {
            if watches::pause(&mut tx, &watch.id).await? {
                tell_paused(&mut tx, (watch, paused, offer), now).await?;
            }
        }
        forget_unwanted(&mut tx, &look.id).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Gives a look back that found its ground moving.
    async fn look_again(&self, look: &Look, now: Timestamp) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        let Look { mark, refused, failed, .. } = *look;
        conclude(&mut tx, look, Next { due: now, mark, refused, failed }, now).await?;
        tx.commit().await
    }

    /// Makes the looks at a pipeline due, since BK-CI says that something happened there. How many there are.
    ///
    /// # Errors
    /// The database failed; the next poll sees what happened.
    pub async fn hint(&self, project: &ProjectId, pipeline: &PipelineId, now: Timestamp) -> anyhow::Result<u64> {
        let every = crate::model::millis(HINT_EVERY);
        let sql = "UPDATE look SET due_ms = CASE WHEN looked_ms + $1 > $2 THEN looked_ms + $1 ELSE $2 END
                   WHERE project = $3 AND pipeline = $4
                       AND due_ms > CASE WHEN looked_ms + $1 > $2 THEN looked_ms + $1 ELSE $2 END";
        let mut tx = self.begin().await?;
        let hinted = execute!(&mut tx, sql, every, now.0, project.as_str(), pipeline.as_str());
        let hinted = hinted.context("making looks due")?;
        tx.commit().await?;
        Ok(hinted)
    }
}

/// Wants a pipeline looked at as somebody, by `due` at the latest. `mark`, where the caller has seen the newest update,
/// counts only for a look that is new. The look's id.
pub(crate) async fn want(
    tx: &mut Tx,
    (project, pipeline, as_user): (&ProjectId, &PipelineId, &Uid),
    mark: Option<Timestamp>,
    due: Timestamp,
) -> anyhow::Result<String> {
    let id = format!("{project}/{pipeline}/{as_user}");
    let sql = "INSERT INTO look (id, project, pipeline, as_user, mark_ms, due_ms) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (id) DO UPDATE SET refused = 0,
                   due_ms = CASE WHEN look.due_ms < excluded.due_ms THEN look.due_ms ELSE excluded.due_ms END";
    let mark = mark.map(|mark| mark.0);
    execute!(tx, sql, &id, project.as_str(), pipeline.as_str(), as_user.as_str(), mark, due.0)
        .with_context(|| format!("wanting look {id}"))?;
    Ok(id)
}

/// Ends a look that the caller holds: it goes on, or goes when nobody wants it any more. `false`: it is no longer the
/// caller's, who must write nothing.
pub(crate) async fn conclude(tx: &mut Tx, look: &Look, next: Next, now: Timestamp) -> anyhow::Result<bool> {
    let sql = "UPDATE look SET mark_ms = COALESCE($1, mark_ms), refused = $2, failed = $3, looked_ms = $5, lease_until_ms = 0,
                   due_ms = CASE WHEN due_ms < lease_until_ms THEN due_ms ELSE $4 END
               WHERE id = $6 AND attempts = $7";
    let (mark, refused, failed) = (next.mark.map(|mark| mark.0), i64::from(next.refused), i64::from(next.failed));
    let ours = execute!(&mut *tx, sql, mark, refused, failed, next.due.0, now.0, &look.id, look.attempts);
    Ok(ours.with_context(|| format!("concluding look {}", look.id))? == 1)
}

async fn put_offer(tx: &mut Tx, notice: i64, offer: Option<&Offer>) -> anyhow::Result<()> {
    match offer {
        Some(offer) => offers::post(tx, InteractionId::from_i64(notice), offer).await,
        None => Ok(()),
    }
}

async fn tell_paused(
    tx: &mut Tx,
    (watch, paused, offer): (&Watch, &Paused, &Offer),
    now: Timestamp,
) -> anyhow::Result<()> {
    let cause = notices::number_of(offer.id.as_str());
    offers::post(tx, InteractionId::from_i64(cause), offer).await?;
    let id = format!("paused/{}", offer.id);
    let letter = deliveries::Letter { id: &id, cause, channel: watch.channel, locale: watch.locale };
    deliveries::post(tx, letter, &Reply::WatchPaused(paused.clone()), now).await
}

/// Forgets a look that neither a follow nor a watch wants.
pub(crate) async fn forget_unwanted(tx: &mut Tx, id: &str) -> anyhow::Result<()> {
    let sql = "DELETE FROM look WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM follow WHERE look = $1)
                   AND NOT EXISTS (SELECT 1 FROM watch WHERE look = $1 AND state = 'on')";
    execute!(tx, sql, id).with_context(|| format!("forgetting look {id}"))?;
    Ok(())
}
