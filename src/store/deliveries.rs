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
        id_of(self.cause, self.post)
    }
}

/// The row of a message of a cause: its answer, or its post.
pub(crate) fn id_of(cause: InteractionId, post: bool) -> String {
    format!("{}/{cause}", if post { "post" } else { "answer" })
}

/// Where a message goes that answers nothing.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// Made from its cause.
    pub id: &'a str,
    /// What made it.
    pub cause: i64,
    /// The channel.
    pub channel: ChannelId,
    /// The language of its readers.
    pub locale: Locale,
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
    /// The fence.
    pub attempts: i64,
    /// Which try it is since the message last took a text, from 1.
    pub tried: i64,
}

type Row = (String, i64, bool, i64, String, Option<i64>, i64, i64, Option<i64>, Option<String>);
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
            "UPDATE delivery SET lease_until_ms = $1, attempts = attempts + 1, tried = tried + 1 WHERE id = (
                SELECT id FROM delivery WHERE state = 'waiting' AND due_ms <= $2 AND lease_until_ms <= $3
                ORDER BY due_ms LIMIT 1 ",
            $lock,
            ") RETURNING id, cause, post, revision, reply, message, attempts, tried, channel, locale"
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
        self.end(delivery, ("delivered", None, false), message).await
    }

    /// Writes down that a text cannot arrive, and why; `for_good`: nor can any newer one. `false`: a newer text waits for
    /// the same message.
    ///
    /// # Errors
    /// The database failed.
    pub async fn give_up(&self, delivery: &Claimed, why: &str, for_good: bool) -> anyhow::Result<bool> {
        self.end(delivery, ("given_up", Some(why), for_good), None).await
    }

    async fn end(
        &self,
        delivery: &Claimed,
        (state, why, for_good): (&str, Option<&str>, bool),
        message: Option<MessageId>,
    ) -> anyhow::Result<bool> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE delivery SET state = CASE WHEN revision = $1 OR $2 THEN $3 ELSE state END, why = $4,
                       message = COALESCE($5, message), lease_until_ms = 0, tried = 0
                   WHERE id = $6 AND attempts = $7 RETURNING revision, closing";
        let message = message.or(delivery.message).map(MessageId::as_i64);
        let (revision, attempts) = (delivery.revision, delivery.attempts);
        let row = fetch!(&mut tx, (i64, bool), sql, revision, for_good, state, why, message, &delivery.id, attempts);
        let row = row.with_context(|| format!("ending delivery {}", delivery.id))?;
        let newest = row.is_some_and(|(revision, _)| for_good || revision == delivery.revision);
        if newest && row.is_some_and(|(_, closing)| closing || for_good) {
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
        let sql = "UPDATE delivery SET message = $1, due_ms = $2, lease_until_ms = 0, tried = 0
                   WHERE id = $3 AND attempts = $4";
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
                   attempts, tried)
               VALUES ($1, $2, $3, 1, $4, $5, 'waiting', NULL, $6, $7, 1, 1)
               ON CONFLICT (id) DO UPDATE SET revision = delivery.revision + 1, reply = excluded.reply,
                   closing = excluded.closing, state = 'waiting', why = NULL, due_ms = excluded.due_ms,
                   attempts = CASE WHEN delivery.lease_until_ms > $8 THEN delivery.attempts ELSE delivery.attempts + 1 END,
                   tried = CASE WHEN delivery.lease_until_ms > $8 THEN delivery.tried ELSE delivery.tried + 1 END,
                   lease_until_ms = CASE WHEN delivery.lease_until_ms > $8 THEN delivery.lease_until_ms
                                         ELSE excluded.lease_until_ms END
               RETURNING id, cause, post, revision, reply, message, attempts, tried, channel, locale,
                   CASE WHEN lease_until_ms = $7 THEN 1 ELSE 0 END";
    let (id, cause) = (text.id(), text.cause.as_i64());
    let reply = serde_json::to_string(text.reply)?;
    let lease = now.plus(LEASE).0;
    type Said = (String, i64, bool, i64, String, Option<i64>, i64, i64, Option<i64>, Option<String>, i32);
    let row = fetch!(&mut *tx, Said, sql, &id, cause, text.post, reply, text.closing, now.0, lease, now.0);
    let (id, cause, post, revision, reply, message, attempts, tried, channel, locale, ours) =
        row.with_context(|| format!("writing delivery {id}"))?.context("an upsert returned no row")?;
    if ours == 0 {
        return Ok(None);
    }
    Ok(Some(claimed(tx, (id, cause, post, revision, reply, message, attempts, tried, channel, locale)).await?))
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

/// What was last said, or is to be said, as the answer to an interaction.
pub(crate) async fn said(tx: &mut Tx, cause: InteractionId) -> anyhow::Result<Option<Reply>> {
    let id = format!("answer/{cause}");
    let row = fetch!(tx, (String,), "SELECT reply FROM delivery WHERE id = $1", &id);
    let row = row.with_context(|| format!("reading delivery {id}"))?;
    row.map(|row| serde_json::from_str(&row.0)).transpose().with_context(|| format!("reading delivery {id}"))
}

/// Has a message posted that answers nothing. Nothing happens when it was before.
pub(crate) async fn post(tx: &mut Tx, letter: Letter<'_>, reply: &Reply, now: Timestamp) -> anyhow::Result<()> {
    let sql = "INSERT INTO delivery (id, cause, post, revision, reply, closing, state, why, due_ms, lease_until_ms,
                   attempts, channel, locale)
               VALUES ($1, $2, TRUE, 1, $3, FALSE, 'waiting', NULL, $4, 0, 0, $5, $6) ON CONFLICT (id) DO NOTHING";
    let Letter { id, cause, channel, locale } = letter;
    let reply = serde_json::to_string(reply)?;
    execute!(tx, sql, id, cause, reply, now.0, channel.as_i64(), locale.as_str())
        .with_context(|| format!("writing delivery {id}"))?;
    Ok(())
}

/// What became of a newer text.
pub(crate) enum Amended {
    /// It takes the place of one that waited.
    Waiting,
    /// It will be said.
    Anew,
}

/// Puts a newer text into a message that was made before, to be said at a given time, or sooner when one waits already.
/// What was given up stays so: whoever deleted the message wants no other.
pub(crate) async fn amend(
    tx: &mut Tx,
    id: &str,
    (reply, closing): (&Reply, bool),
    due: Timestamp,
) -> anyhow::Result<Amended> {
    let waiting = fetch!(&mut *tx, (i64,), "SELECT revision FROM delivery WHERE id = $1 AND state = 'waiting'", id);
    let waiting = waiting.with_context(|| format!("looking whether delivery {id} waits"))?.is_some();
    let sql = "UPDATE delivery SET revision = revision + 1, reply = $1, closing = $2, why = NULL,
                   due_ms = CASE WHEN state = 'waiting' AND due_ms < $3 THEN due_ms ELSE $3 END, state = 'waiting'
               WHERE id = $4 AND state <> 'given_up'";
    let reply = serde_json::to_string(reply)?;
    execute!(tx, sql, reply, closing, due.0, id).with_context(|| format!("amending delivery {id}"))?;
    Ok(if waiting { Amended::Waiting } else { Amended::Anew })
}

async fn claimed(tx: &mut Tx, row: Row) -> anyhow::Result<Claimed> {
    let (id, cause, post, revision, reply, message, attempts, tried, channel, locale) = row;
    if let (Some(channel), Some(locale)) = (channel, locale) {
        return Ok(Claimed {
            reply: serde_json::from_str(&reply).with_context(|| format!("reading delivery {id}"))?,
            id,
            cause: InteractionId::from_i64(cause),
            post,
            revision,
            locale: Locale::from_discord(&locale),
            private: false,
            channel: ChannelId::from_i64(channel),
            message: message.map(MessageId::from_i64),
            reply_to: None,
            token: None,
            attempts,
            tried,
        });
    }
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
        tried,
    })
}
