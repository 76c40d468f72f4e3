//! Deliveries: what is to be said on Discord. One row per message; a newer text replaces an older one that is still
//! waiting, so what is said last is always the newest.
//!
//! A cause has at most two messages: its *answer*, and a *post*: a public message of its own, for what was started from
//! a private one.

use std::time::Duration;

use anyhow::Context as _;
use secrecy::SecretString;

use super::{Store, Tx, claim, execute, fetch};
use crate::model::ids::{ChannelId, InteractionId, MessageId};
use crate::model::{Locale, Timestamp};
use crate::reply::Reply;

/// Longer than any call to Discord may take.
pub const LEASE: Duration = Duration::from_secs(30);

/// A text for one of the messages of a cause.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// The interaction it comes from.
    pub cause: InteractionId,
    /// A public message of its own, and not the answer.
    pub post: bool,
    /// What to say.
    pub reply: &'a Reply,
    /// Nothing more will be said to this cause: its token can go.
    pub closing: bool,
}

impl<'a> Text<'a> {
    /// The last word to an interaction.
    pub fn last(cause: InteractionId, reply: &'a Reply) -> Self {
        Self { cause, post: false, reply, closing: true }
    }

    fn id(&self) -> String {
        format!("{}/{}", if self.post { "post" } else { "answer" }, self.cause)
    }
}

/// A delivery that the caller may send, until its lease ends.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Made from its cause.
    pub id: String,
    /// The interaction it answers.
    pub cause: InteractionId,
    /// A message of its own in the channel, and not the answer to its cause.
    pub post: bool,
    /// Which of the texts for this message it is.
    pub revision: i64,
    /// What to say.
    pub reply: Reply,
    /// The reader's language.
    pub locale: Locale,
    /// For the asker only.
    pub private: bool,
    /// Where it was asked.
    pub channel: ChannelId,
    /// The message it is, once Discord has told us.
    pub message: Option<MessageId>,
    /// The message that asked in words: the answer replies to it.
    pub reply_to: Option<MessageId>,
    /// Lets us answer until the moment given.
    pub token: Option<(SecretString, Timestamp)>,
    /// The fence, and how often it was tried.
    pub attempts: i64,
}

type Row = (String, i64, bool, i64, String, Option<i64>, i64);
type Envelope = (String, String, bool, i64, Option<i64>, Option<i64>, Option<String>, i64);

/// What an incident met.
#[derive(Debug)]
pub enum Incident {
    /// It is the answer; the delivery is claimed.
    Said(Box<Claimed>),
    /// There is a decision, or somebody else is about to make one.
    Decided,
    /// The interaction is not known here.
    NoReceipt,
}

macro_rules! claim_sql {
    ($lock:literal) => {
        concat!(
            "UPDATE delivery SET lease_until_ms = $1, attempts = attempts + 1 WHERE id = (
                SELECT id FROM delivery WHERE state = 'waiting' AND due_ms <= $2 AND lease_until_ms <= $3
                ORDER BY due_ms LIMIT 1 ",
            $lock,
            ") RETURNING id, cause, post, revision, reply, message, attempts"
        )
    };
}

impl Store {
    /// Claims a delivery that is due.
    ///
    /// # Errors
    /// The database failed.
    pub async fn claim_delivery(&self, now: Timestamp) -> anyhow::Result<Option<Claimed>> {
        let mut tx = self.begin().await?;
        let row = claim!(&mut tx, Row, claim_sql, now.plus(LEASE).0, now.0, now.0).context("claiming a delivery")?;
        let claimed = match row {
            Some(row) => Some(claimed(&mut tx, row).await?),
            None => None,
        };
        tx.commit().await?;
        Ok(claimed)
    }

    /// Writes down that a delivery arrived, and which message it is. `false`: a newer text waits for the same message.
    ///
    /// # Errors
    /// The database failed; the same text will be sent once more, which changes nothing.
    pub async fn delivered(&self, delivery: &Claimed, message: Option<MessageId>) -> anyhow::Result<bool> {
        self.end(delivery, "delivered", None, message).await
    }

    /// Writes down that a delivery can never arrive, and why. `false`: a newer text waits for the same message.
    ///
    /// # Errors
    /// The database failed.
    pub async fn give_up(&self, delivery: &Claimed, why: &str) -> anyhow::Result<bool> {
        self.end(delivery, "given_up", Some(why), None).await
    }

    async fn end(
        &self,
        delivery: &Claimed,
        state: &str,
        why: Option<&str>,
        message: Option<MessageId>,
    ) -> anyhow::Result<bool> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE delivery SET state = CASE WHEN revision = $1 THEN $2 ELSE state END, why = $3,
                       message = COALESCE($4, message), lease_until_ms = 0
                   WHERE id = $5 AND attempts = $6 RETURNING revision, closing";
        let message = message.or(delivery.message).map(MessageId::as_i64);
        let (revision, attempts) = (delivery.revision, delivery.attempts);
        let row = fetch!(&mut tx, (i64, bool), sql, revision, state, why, message, &delivery.id, attempts);
        let row = row.with_context(|| format!("ending delivery {}", delivery.id))?;
        let newest = row.is_some_and(|(revision, _)| revision == delivery.revision);
        if newest && row.is_some_and(|(_, closing)| closing) {
            // Another text of this cause may still need the token; it is forgotten when it expires at the latest.
            let sql = "UPDATE receipt SET state = 'answered', token = NULL WHERE interaction = $1
                           AND NOT EXISTS (SELECT 1 FROM delivery WHERE cause = $2 AND state = 'waiting')";
            execute!(&mut tx, sql, delivery.cause.as_i64(), delivery.cause.as_i64()).context("closing a receipt")?;
        }
        tx.commit().await?;
        Ok(newest)
    }

    /// Keeps which message a delivery became, while its newest text still has to be put there.
    ///
    /// # Errors
    /// The database failed.
    pub async fn became(&self, delivery: &Claimed, message: MessageId, now: Timestamp) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE delivery SET message = $1, due_ms = $2, lease_until_ms = 0 WHERE id = $3 AND attempts = $4";
        execute!(&mut tx, sql, message.as_i64(), now.0, &delivery.id, delivery.attempts)
            .context("noting the message of a delivery")?;
        tx.commit().await
    }

    /// Puts a delivery off.
    ///
    /// # Errors
    /// The database failed; the delivery is due again when its lease ends.
    pub async fn postpone(&self, delivery: &Claimed, due: Timestamp, why: &str) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE delivery SET due_ms = $1, why = $2, lease_until_ms = 0 WHERE id = $3 AND attempts = $4";
        execute!(&mut tx, sql, due.0, why, &delivery.id, delivery.attempts).context("putting a delivery off")?;
        tx.commit().await
    }

    /// Answers a fresh receipt with an incident, unless somebody has decided it.
    ///
    /// # Errors
    /// The database failed; nothing was written.
    pub async fn say_incident(&self, cause: InteractionId, reply: &Reply, now: Timestamp) -> anyhow::Result<Incident> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE receipt SET state = 'decided' WHERE interaction = $1 AND state = 'received' AND attempts = 1";
        if execute!(&mut tx, sql, cause.as_i64()).context("ending a receipt with an incident")? == 0 {
            let known = fetch!(&mut tx, (i64,), "SELECT attempts FROM receipt WHERE interaction = $1", cause.as_i64());
            return Ok(if known.context("looking for a receipt")?.is_some() {
                Incident::Decided
            } else {
                Incident::NoReceipt
            });
        }
        let claimed = say(&mut tx, Text::last(cause, reply), now).await?;
        tx.commit().await?;
        Ok(claimed.map_or(Incident::Decided, |claimed| Incident::Said(Box::new(claimed))))
    }
}

/// Puts a text into the row of its message, and claims it when nobody else is at it. Whoever is at it will find that
/// there is a newer one.
pub(crate) async fn say(tx: &mut Tx, text: Text<'_>, now: Timestamp) -> anyhow::Result<Option<Claimed>> {
    let sql = "INSERT INTO delivery (id, cause, post, revision, reply, closing, state, why, due_ms, lease_until_ms,
                   attempts)
               VALUES ($1, $2, $3, 1, $4, $5, 'waiting', NULL, $6, $7, 1)
               ON CONFLICT (id) DO UPDATE SET revision = delivery.revision + 1, reply = excluded.reply,
                   closing = excluded.closing, state = 'waiting', why = NULL, due_ms = excluded.due_ms,
                   attempts = CASE WHEN delivery.lease_until_ms > $8 THEN delivery.attempts ELSE delivery.attempts + 1 END,
                   lease_until_ms = CASE WHEN delivery.lease_until_ms > $8 THEN delivery.lease_until_ms
                                         ELSE excluded.lease_until_ms END
               RETURNING id, cause, post, revision, reply, message, attempts,
                   CASE WHEN lease_until_ms = $7 THEN 1 ELSE 0 END";
    let (id, cause) = (text.id(), text.cause.as_i64());
    let reply = serde_json::to_string(text.reply)?;
    let lease = now.plus(LEASE).0;
    type Said = (String, i64, bool, i64, String, Option<i64>, i64, i32);
    let row = fetch!(&mut *tx, Said, sql, &id, cause, text.post, reply, text.closing, now.0, lease, now.0);
    let (id, cause, post, revision, reply, message, attempts, ours) =
        row.with_context(|| format!("writing delivery {id}"))?.context("an upsert returned no row")?;
    if ours == 0 {
        return Ok(None);
    }
    Ok(Some(claimed(tx, (id, cause, post, revision, reply, message, attempts)).await?))
}

/// Puts a text into the row of its message, for whichever worker comes first.
pub(crate) async fn offer(tx: &mut Tx, text: Text<'_>, now: Timestamp) -> anyhow::Result<()> {
    let claimed = say(tx, text, now).await?;
    if let Some(claimed) = claimed {
        let sql = "UPDATE delivery SET lease_until_ms = 0 WHERE id = $1 AND attempts = $2";
        execute!(tx, sql, &claimed.id, claimed.attempts).context("offering a delivery")?;
    }
    Ok(())
}

async fn claimed(tx: &mut Tx, (id, cause, post, revision, reply, message, attempts): Row) -> anyhow::Result<Claimed> {
    let sql = "SELECT locale, guild_locale, private, channel, message, reply_to, token, token_expires_ms
               FROM receipt WHERE interaction = $1";
    let envelope = fetch!(tx, Envelope, sql, cause).context("reading the receipt of a delivery")?;
    let (locale, guild_locale, private, channel, answered_in, reply_to, token, expires_ms) =
        envelope.with_context(|| format!("delivery {id} answers an interaction without a receipt"))?;
    let message = if post { message } else { message.or(answered_in) };
    Ok(Claimed {
        reply: serde_json::from_str(&reply).with_context(|| format!("reading delivery {id}"))?,
        id,
        cause: InteractionId::from_i64(cause),
        post,
        revision,
        locale: Locale::from_discord(if post { &guild_locale } else { &locale }),
        private: private && !post,
        channel: ChannelId::from_i64(channel),
        message: message.map(MessageId::from_i64),
        reply_to: reply_to.map(MessageId::from_i64),
        token: token.map(|token| (SecretString::from(token), Timestamp(expires_ms))),
        attempts,
    })
}
