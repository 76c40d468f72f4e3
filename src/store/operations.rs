//! Operations: intentions to change BK-CI.

mod wish;

use std::time::Duration;

use anyhow::Context as _;

use self::wish::goal_of_attempt;
pub use self::wish::{Deed, StopWish, Wish};
use super::deliveries::{self, Claimed as Delivery, Text};
use super::notices::Weight;
use super::{Store, Tx, claim, execute, fetch, follows, notices, offers, read, receipts};
use crate::model::Timestamp;
use crate::model::ids::{BuildId, InteractionId, OfferId, Uid, UserId};
use crate::model::scope::Scope;
use crate::model::watch::MessageRef;
use crate::reply::{About, Notice, Outcome, Reply, StopOutcome};

/// How long a wish that came to nothing can be asked for again by a button.
const AGAIN_FOR: Duration = Duration::from_hours(24);

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
    pub deed: Deed,
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
        /// When it was sent, or else asked for.
        since: Timestamp,
    },
}

/// A wish that is on its way or was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who asked.
    pub by: UserId,
    /// As whom.
    pub as_user: Uid,
    /// What of the build.
    pub scope: Option<Scope>,
    /// Whether BK-CI has accepted it.
    pub accepted: bool,
}

/// How an operation goes on or ends.
#[derive(Clone, Debug)]
pub struct Step {
    /// The next state.
    pub state: State,
    /// What is said; absent when nothing new is to be told.
    pub said: Option<Said>,
    /// When it is looked at again; absent when never.
    pub due: Option<Timestamp>,
}

/// What is said of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// How a retry stands.
    Retry(Outcome),
    /// How a stop stands.
    Stop(StopOutcome),
}

impl Said {
    /// A word for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Retry(outcome) => outcome.name(),
            Self::Stop(outcome) => outcome.name(),
        }
    }

    fn to_row(&self) -> anyhow::Result<String> {
        Ok(match self {
            Self::Retry(outcome) => serde_json::to_string(outcome)?,
            Self::Stop(outcome) => serde_json::to_string(outcome)?,
        })
    }

    /// `again`: the button by which to ask once more; `notice`: another message that shows how it goes on.
    fn reply(&self, about: &About, again: Option<OfferId>, notice: Option<MessageRef>) -> Reply {
        let about = about.clone();
        match self {
            Self::Retry(outcome) => Reply::Retry { about, outcome: outcome.clone(), again, notice },
            Self::Stop(outcome) => Reply::Stop { about, outcome: outcome.clone() },
        }
    }
}

type Row = (String, i64, String, String, String, i64, Option<i64>, i64);

macro_rules! claim_sql {
    ($lock:literal) => {
        concat!(
            "UPDATE operation SET lease_until_ms = $1, attempts = attempts + 1 WHERE id = (
                SELECT id FROM operation
                WHERE state IN ('intended', 'sending', 'unconfirmed') AND due_ms <= $2 AND lease_until_ms <= $3
                ORDER BY due_ms LIMIT 1 ",
            $lock,
            ") RETURNING id, cause, state, kind, wish, asked_ms, sent_ms, attempts"
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
        let outcome = step.said.as_ref().map(Said::to_row).transpose()?;
        let sql = "UPDATE operation SET state = $1, outcome = COALESCE($2, outcome), due_ms = $3, lease_until_ms = 0
                   WHERE id = $4 AND attempts = $5";
        let due = step.due.map_or(i64::MAX, |due| due.0);
        let ours = execute!(&mut tx, sql, step.state.as_str(), outcome, due, &operation.id, operation.attempts);
        if ours.with_context(|| format!("concluding {}", operation.id))? == 0 {
            return Ok(None);
        }
        let delivery = match &step.said {
            Some(said) => {
                let again = offer_again(&mut tx, operation, said, now).await?;
                let followed = follow(&mut tx, operation, said, now).await?;
                let notice = followed.as_ref().and_then(notices::Kept::jump);
                let reply = said.reply(operation.deed.about(), again, notice);
                let (cause, post) = (operation.cause, operation.deed.posted());
                // What becomes of an accepted retry is shown in the same message while its interaction allows it.
                let goes_on = followed.is_none() && matches!(said, Said::Retry(Outcome::Accepted { .. }));
                let closing = closes(step) && !goes_on;
                deliveries::say(&mut tx, Text { cause, post, reply: &reply, closing }, now).await?
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
    pub async fn report(&self, operation: &Claimed, said: &Said, now: Timestamp) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        let sql =
            "UPDATE operation SET outcome = $1 WHERE id = $2 AND attempts = $3 AND state IN ('intended', 'sending')";
        if execute!(&mut tx, sql, said.to_row()?, &operation.id, operation.attempts)
            .context("reporting on an operation")?
            == 1
        {
            let reply = said.reply(operation.deed.about(), None, None);
            let (cause, post) = (operation.cause, operation.deed.posted());
            deliveries::offer(&mut tx, Text { cause, post, reply: &reply, closing: false }, now).await?;
        }
        tx.commit().await
    }

    /// The wish of ours that stands for an attempt: carried out, or on its way.
    ///
    /// # Errors
    /// The database failed.
    pub async fn wish_for(&self, build: &BuildId, attempt: u32) -> anyhow::Result<Option<Standing>> {
        let sql = "SELECT wish, state FROM operation WHERE goal = $1 AND state IN ('intended', 'sending', 'accepted')";
        let goal = goal_of_attempt(build, attempt.saturating_sub(1));
        let rows = read!(self, (String, String), sql, &goal).with_context(|| format!("looking for {goal}"))?;
        let Some((wish, state)) = rows.into_iter().next() else { return Ok(None) };
        let wish: Wish = serde_json::from_str(&wish).with_context(|| format!("reading {goal}"))?;
        let accepted = state == State::Accepted.as_str();
        Ok(Some(Standing { by: wish.about.asked_by, as_user: wish.as_user, scope: wish.about.scope, accepted }))
    }

    /// Whether a later wish for the same goal is alive or was carried out.
    ///
    /// # Errors
    /// The database failed.
    pub async fn superseded(&self, operation: &Claimed) -> anyhow::Result<bool> {
        let mut tx = self.begin().await?;
        let sql = "SELECT id FROM operation
                   WHERE goal = $1 AND id <> $2 AND state IN ('intended', 'sending', 'accepted')";
        let other = fetch!(&mut tx, (String,), sql, operation.deed.goal(), &operation.id);
        tx.commit().await?;
        Ok(other.context("looking for a later wish")?.is_some())
    }
}

/// What may not have happened can be asked for again, by the same person, while the build stays as it was. The bot
/// itself never repeats it.
async fn offer_again(tx: &mut Tx, operation: &Claimed, said: &Said, now: Timestamp) -> anyhow::Result<Option<OfferId>> {
    let (Deed::Retry(wish), Said::Retry(outcome)) = (&operation.deed, said) else { return Ok(None) };
    if !outcome.may_be_asked_again() {
        return Ok(None);
    }
    let id: OfferId = format!("again-{}", operation.cause).parse().context("an offer's id")?;
    offers::post(tx, operation.cause, &wish.offered_as(id.clone(), now.plus(AGAIN_FOR))).await?;
    Ok(Some(id))
}

/// Follows a build that runs again, and shows that in its notice. The notice comes back when it is another message than
/// the answer.
async fn follow(
    tx: &mut Tx,
    operation: &Claimed,
    said: &Said,
    now: Timestamp,
) -> anyhow::Result<Option<notices::Kept>> {
    let (Deed::Retry(wish), Said::Retry(Outcome::Accepted { attempt, .. })) = (&operation.deed, said) else {
        return Ok(None);
    };
    let attempt = *attempt;
    let attempt =
        attempt.unwrap_or(if wish.starts_before.is_some() { wish.count_before } else { wish.count_before + 1 });
    follows::begin(tx, wish, attempt, now).await?;
    let answered = receipts::answered(tx, operation.cause).await?;
    let about = &wish.about;
    if let Some(kept) = notices::find(tx, answered.place.channel, &about.build.build).await? {
        let facts = kept.facts.clone().again(attempt, about);
        let broken = kept.broken || wish.status.is_failure();
        let edit = notices::Edit { facts, broken, weight: Weight::Turn, kept };
        if edit.kept.gone && (wish.posted || !answered.private) {
            notices::replace(tx, &edit, &deliveries::id_of(operation.cause, wish.posted), now).await?;
            return Ok(None);
        }
        notices::edit(tx, &edit, now).await?;
        return Ok(Some(edit.kept));
    }
    if answered.private && !wish.posted {
        return Ok(None);
    }
    let facts = Notice::begun(attempt, about, (wish.count_before, wish.status));
    let new = notices::New { place: answered.place, locale: answered.locale, facts, broken: wish.status.is_failure() };
    notices::adopt(tx, &new, &deliveries::id_of(operation.cause, wish.posted), now).await?;
    Ok(None)
}

/// A wish that may still be corrected keeps its interaction's token until that expires.
fn closes(step: &Step) -> bool {
    step.due.is_none()
}

/// So long BK-CI refuses a second stop (bkci-api 8).
pub const STOP_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// Writes down an intention, already as sending: the caller holds it and goes straight on.
pub(crate) async fn intend(
    tx: &mut Tx,
    cause: InteractionId,
    mut deed: Deed,
    asked: Timestamp,
    (now, lease): (Timestamp, Duration),
) -> anyhow::Result<Intention> {
    let id = format!("{}/{cause}", deed.kind());
    let sql = "INSERT INTO operation (id, goal, cause, kind, state, wish, asked_by, asked_ms, sent_ms, outcome, due_ms,
                   lease_until_ms, attempts)
               VALUES ($1, $2, $3, $4, 'sending', $5, $6, $7, $8, NULL, $9, $10, 1) ON CONFLICT DO NOTHING";
    loop {
        let written = execute!(
            &mut *tx,
            sql,
            &id,
            deed.goal(),
            cause.as_i64(),
            deed.kind(),
            deed.to_row()?,
            deed.about().asked_by.as_i64(),
            asked.0,
            now.0,
            now.0,
            now.plus(lease).0,
        );
        if written.with_context(|| format!("writing down {id}"))? == 1 {
            let (state, sent) = (State::Sending, Some(now));
            return Ok(Intention::Ours(Box::new(Claimed { id, cause, state, deed, asked, sent, attempts: 1 })));
        }
        let (by, accepted, since) = standing(tx, &deed.goal())
            .await?
            .with_context(|| format!("{id} was refused by the store although nothing stands against it"))?;
        match &mut deed {
            // Whoever wants it stopped although that was accepted a while ago wants another stop.
            Deed::Stop(wish) if accepted && now.since(since) >= STOP_AGAIN_AFTER => wish.earlier += 1,
            Deed::Retry(_) | Deed::Stop(_) => return Ok(Intention::First { by, accepted, since }),
        }
    }
}

/// Who wanted the same before, whether BK-CI has accepted that, and since when it stands.
async fn standing(tx: &mut Tx, goal: &str) -> anyhow::Result<Option<(UserId, bool, Timestamp)>> {
    let sql = "SELECT asked_by, state, COALESCE(sent_ms, asked_ms) FROM operation
               WHERE goal = $1 AND state IN ('intended', 'sending', 'accepted')";
    let first = fetch!(tx, (i64, String, i64), sql, goal).context("looking for who was first")?;
    Ok(first.map(|(by, state, since)| (UserId::from_i64(by), state == State::Accepted.as_str(), Timestamp(since))))
}

fn claimed((id, cause, state, kind, deed, asked_ms, sent_ms, attempts): Row) -> anyhow::Result<Claimed> {
    let deed = Deed::from_row(&kind, &deed).with_context(|| format!("reading operation {id}"))?;
    Ok(Claimed {
        id,
        cause: InteractionId::from_i64(cause),
        state: State::from_row(&state)?,
        deed,
        asked: Timestamp(asked_ms),
        sent: sent_ms.map(Timestamp),
        attempts,
    })
}
