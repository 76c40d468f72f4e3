//! Operations: intentions to change BK-CI.

use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::deliveries::{self, Claimed as Delivery, Text};
use super::{Store, Tx, claim, execute, fetch, offers};
use crate::model::Timestamp;
use crate::model::build::Build;
use crate::model::ids::{InteractionId, OfferId, Uid, UserId};
use crate::model::status::BuildStatus;
use crate::reply::{About, Offer, Outcome, Reply};

/// How long a wish that came to nothing can be asked for again by a button.
const AGAIN_FOR: Duration = Duration::from_hours(24);

/// What is to be carried out; it does not change any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Which build and part, asked for by whom. Its scope is settled.
    pub about: About,
    /// As whom.
    pub as_user: Uid,
    /// The build's attempt before (`executeCount`).
    pub count_before: u32,
    /// In a build that still ran, where the attempt does not grow: how often the task had been started by hand before
    /// (bkci-api 6.4, 7.2).
    #[serde(default)]
    pub starts_before: Option<u32>,
    /// The build's starters are those of its code event (bkci-api 6.5).
    pub from_webhook: bool,
    /// The build's state before; not known of wishes of version 0.1.
    #[serde(default = "unknown")]
    pub status: BuildStatus,
    /// Of everything that decides what would run, before (`Build::digest`).
    #[serde(default)]
    pub digest: String,
    /// It was asked for on a private message, so what becomes of it is told in a public message of its own.
    #[serde(default)]
    pub posted: bool,
}

fn unknown() -> BuildStatus {
    BuildStatus::Unknown
}

impl Wish {
    /// A wish about a build as it was read, whose outcome is the answer to its cause.
    pub fn new(about: About, as_user: Uid, build: &Build) -> Self {
        Self {
            starts_before: about.scope.as_ref().and_then(|scope| scope.starts_by_hand(build)),
            about,
            as_user,
            count_before: build.execute_count,
            from_webhook: build.from_webhook,
            status: build.status,
            digest: build.digest(),
            posted: false,
        }
    }

    /// What a button offers that would carry this wish out, as long as the build stays as it was.
    pub fn offered_as(&self, id: OfferId, expires: Timestamp) -> Offer {
        Offer {
            id,
            about: self.about.clone(),
            attempt: self.count_before,
            status: self.status,
            digest: self.digest.clone(),
            asker: Some(self.about.asked_by),
            expires,
            used_by: None,
        }
    }

    /// Two wishes with the same goal are one.
    pub fn goal(&self) -> String {
        let attempt = format!("retry/{}/{}", self.about.build.build, self.count_before);
        let task = self.about.scope.as_ref().and_then(|scope| scope.task_id());
        match (self.starts_before, task) {
            (Some(starts), Some(task)) => format!("{attempt}/{task}/{starts}"),
            (Some(_) | None, _) => attempt,
        }
    }
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not sent.
    Intended,
    /// Sent, or about to be: it may have happened.
    Sending,
    /// BK-CI carried it out.
    Accepted,
    /// Refused; nothing runs.
    Rejected,
    /// It surely never reached BK-CI.
    NotSent,
    /// Never answered, and not to be seen; looked at a while longer.
    Unconfirmed,
    /// The next attempt is somebody else's, or cannot be told whose.
    Overtaken,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::NotSent => "not_sent",
            Self::Unconfirmed => "unconfirmed",
            Self::Overtaken => "overtaken",
        }
    }

    fn from_row(text: &str) -> anyhow::Result<Self> {
        let all = [
            Self::Intended,
            Self::Sending,
            Self::Accepted,
            Self::Rejected,
            Self::NotSent,
            Self::Unconfirmed,
            Self::Overtaken,
        ];
        all.into_iter().find(|state| state.as_str() == text).with_context(|| format!("unknown state {text:?}"))
    }
}

/// An operation that the caller may work on, until its lease ends.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Made from its cause.
    pub id: String,
    /// The interaction it came from.
    pub cause: InteractionId,
    /// Where it stands.
    pub state: State,
    /// What is to be carried out.
    pub wish: Wish,
    /// When the person asked.
    pub asked: Timestamp,
    /// When it was sent, if it was.
    pub sent: Option<Timestamp>,
    /// The fence.
    pub attempts: i64,
}

/// What became of writing down an intention.
#[derive(Debug)]
pub enum Intention {
    /// Written, leased to the caller, and already marked as sending: the call may go out.
    Ours(Box<Claimed>),
    /// Somebody wished the same before.
    First {
        /// Who.
        by: UserId,
        /// Whether BK-CI has accepted theirs.
        accepted: bool,
    },
}

/// How an operation goes on or ends.
#[derive(Clone, Debug)]
pub struct Step {
    /// The next state.
    pub state: State,
    /// What is said; absent when nothing new is to be told.
    pub outcome: Option<Outcome>,
    /// When it is looked at again; absent when never.
    pub due: Option<Timestamp>,
}

type Row = (String, i64, String, String, i64, Option<i64>, i64);

macro_rules! claim_sql {
    ($lock:literal) => {
        concat!(
            "UPDATE operation SET lease_until_ms = $1, attempts = attempts + 1 WHERE id = (
                SELECT id FROM operation
                WHERE state IN ('intended', 'sending', 'unconfirmed') AND due_ms <= $2 AND lease_until_ms <= $3
                ORDER BY due_ms LIMIT 1 ",
            $lock,
            ") RETURNING id, cause, state, wish, asked_ms, sent_ms, attempts"
        )
    };
}

impl Store {
    /// Claims an operation that was left behind, or is due to be looked at.
    ///
    /// # Errors
    /// The database failed.
    pub async fn claim_operation(&self, now: Timestamp, lease: Duration) -> anyhow::Result<Option<Claimed>> {
        let mut tx = self.begin().await?;
        let row = claim!(&mut tx, Row, claim_sql, now.plus(lease).0, now.0, now.0).context("claiming an operation")?;
        tx.commit().await?;
        row.map(claimed).transpose()
    }

    /// Marks a claimed intention as sending, before the call goes out. `false`: it is no longer the caller's.
    ///
    /// # Errors
    /// The database failed; the call must not go out.
    pub async fn mark_sending(&self, operation: &Claimed, now: Timestamp) -> anyhow::Result<bool> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE operation SET state = 'sending', sent_ms = $1
                   WHERE id = $2 AND attempts = $3 AND state = 'intended'";
        let ours = execute!(&mut tx, sql, now.0, &operation.id, operation.attempts).context("marking as sending")?;
        tx.commit().await?;
        Ok(ours == 1)
    }

    /// Writes how an operation goes on, and what is to be said about it, in one transaction. The delivery comes back
    /// claimed when nobody else is at it. Nothing happens when the operation is no longer the caller's.
    ///
    /// # Errors
    /// The database failed; nothing was written.
    pub async fn conclude(&self, operation: &Claimed, step: &Step, now: Timestamp) -> anyhow::Result<Option<Delivery>> {
        let mut tx = self.begin().await?;
        let outcome = step.outcome.as_ref().map(serde_json::to_string).transpose()?;
        let sql = "UPDATE operation SET state = $1, outcome = COALESCE($2, outcome), due_ms = $3, lease_until_ms = 0
                   WHERE id = $4 AND attempts = $5";
        let due = step.due.map_or(i64::MAX, |due| due.0);
        let ours = execute!(&mut tx, sql, step.state.as_str(), outcome, due, &operation.id, operation.attempts);
        if ours.with_context(|| format!("concluding {}", operation.id))? == 0 {
            return Ok(None);
        }
        let delivery = match &step.outcome {
            Some(outcome) => {
                let again = offer_again(&mut tx, operation, outcome, now).await?;
                let reply = Reply::Retry { about: operation.wish.about.clone(), outcome: outcome.clone(), again };
                let (cause, post) = (operation.cause, operation.wish.posted);
                deliveries::say(&mut tx, Text { cause, post, reply: &reply, closing: closes(step) }, now).await?
            }
            None => None,
        };
        tx.commit().await?;
        Ok(delivery)
    }

    /// Says how an operation stands while it is still under way.
    ///
    /// # Errors
    /// The database failed.
    pub async fn report(&self, operation: &Claimed, outcome: Outcome, now: Timestamp) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        let sql =
            "UPDATE operation SET outcome = $1 WHERE id = $2 AND attempts = $3 AND state IN ('intended', 'sending')";
        let text = serde_json::to_string(&outcome)?;
        if execute!(&mut tx, sql, text, &operation.id, operation.attempts).context("reporting on an operation")? == 1 {
            let reply = Reply::Retry { about: operation.wish.about.clone(), outcome, again: None };
            let (cause, post) = (operation.cause, operation.wish.posted);
            deliveries::offer(&mut tx, Text { cause, post, reply: &reply, closing: false }, now).await?;
        }
        tx.commit().await
    }

    /// Whether a later wish for the same goal is alive or was carried out.
    ///
    /// # Errors
    /// The database failed.
    pub async fn superseded(&self, operation: &Claimed) -> anyhow::Result<bool> {
        let mut tx = self.begin().await?;
        let sql = "SELECT id FROM operation
                   WHERE goal = $1 AND id <> $2 AND state IN ('intended', 'sending', 'accepted')";
        let other = fetch!(&mut tx, (String,), sql, operation.wish.goal(), &operation.id);
        tx.commit().await?;
        Ok(other.context("looking for a later wish")?.is_some())
    }
}

/// What may not have happened can be asked for again, by the same person, while the build stays as it was. The bot
/// itself never repeats it.
async fn offer_again(
    tx: &mut Tx,
    operation: &Claimed,
    outcome: &Outcome,
    now: Timestamp,
) -> anyhow::Result<Option<OfferId>> {
    if !outcome.may_be_asked_again() {
        return Ok(None);
    }
    let id: OfferId = format!("again-{}", operation.cause).parse().context("an offer's id")?;
    offers::post(tx, operation.cause, &operation.wish.offered_as(id.clone(), now.plus(AGAIN_FOR))).await?;
    Ok(Some(id))
}

/// A wish that may still be corrected keeps its interaction's token until that expires.
fn closes(step: &Step) -> bool {
    step.due.is_none()
}

/// Writes down an intention, already as sending: the caller holds it and goes straight on.
pub(crate) async fn intend(
    tx: &mut Tx,
    cause: InteractionId,
    wish: &Wish,
    asked: Timestamp,
    (now, lease): (Timestamp, Duration),
) -> anyhow::Result<Intention> {
    let id = format!("retry/{cause}");
    let sql = "INSERT INTO operation (id, goal, cause, state, wish, asked_by, asked_ms, sent_ms, outcome, due_ms,
                   lease_until_ms, attempts)
               VALUES ($1, $2, $3, 'sending', $4, $5, $6, $7, NULL, $8, $9, 1) ON CONFLICT DO NOTHING";
    let written = execute!(
        &mut *tx,
        sql,
        &id,
        wish.goal(),
        cause.as_i64(),
        serde_json::to_string(wish)?,
        wish.about.asked_by.as_i64(),
        asked.0,
        now.0,
        now.0,
        now.plus(lease).0,
    );
    if written.with_context(|| format!("writing down {id}"))? == 1 {
        let wish = wish.clone();
        let sent = Some(now);
        return Ok(Intention::Ours(Box::new(Claimed {
            id,
            cause,
            state: State::Sending,
            wish,
            asked,
            sent,
            attempts: 1,
        })));
    }
    let sql = "SELECT asked_by, state FROM operation WHERE goal = $1 AND state IN ('intended', 'sending', 'accepted')";
    let first = fetch!(tx, (i64, String), sql, wish.goal()).context("looking for who was first")?;
    let (by, state) =
        first.with_context(|| format!("{id} was refused by the store although nothing stands against it"))?;
    Ok(Intention::First { by: UserId::from_i64(by), accepted: state == State::Accepted.as_str() })
}

fn claimed((id, cause, state, wish, asked_ms, sent_ms, attempts): Row) -> anyhow::Result<Claimed> {
    let wish = serde_json::from_str(&wish).with_context(|| format!("reading operation {id}"))?;
    Ok(Claimed {
        id,
        cause: InteractionId::from_i64(cause),
        state: State::from_row(&state)?,
        wish,
        asked: Timestamp(asked_ms),
        sent: sent_ms.map(Timestamp),
        attempts,
    })
}
