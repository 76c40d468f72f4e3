//! Receipts: interactions that we are about to acknowledge, and messages that are commands in words. The only rows that
//! hold an interaction's token.

use std::time::Duration;

use anyhow::Context as _;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Store, Tx, claim, execute, fetch};
use crate::commands::{Answer, Command, Origin, Request};
use crate::model::ids::{InteractionId, MessageId};
use crate::model::{Actor, Locale, Place, Timestamp};

/// How long the process that took a request may take to decide before another one looks at it. Below the 30 s after
/// which a wish is too old to be carried out (house 4.3).
pub const LEASE: Duration = Duration::from_secs(28);

/// What is kept of a request so that another process can decide it.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    actor: Actor,
    place: Place,
    locale: Locale,
    guild_locale: Locale,
    /// Absent in rows of version 0.1, where every request was a command.
    #[serde(default)]
    origin: Origin,
    command: Command,
}

/// A receipt that the caller may decide, until its lease ends.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// What was asked.
    pub request: Request,
    /// Whether the answer is for the asker only; settled when it was acknowledged.
    pub private: bool,
    /// When it arrived; of a message that came late, when it was typed.
    pub received: Timestamp,
    /// The fence.
    pub attempts: i64,
}

type Row = (i64, Option<String>, i64, String, bool, i64, i64);

macro_rules! claim_sql {
    ($lock:literal) => {
        concat!(
            "UPDATE receipt SET lease_until_ms = $1, attempts = attempts + 1 WHERE interaction = (
                SELECT interaction FROM receipt WHERE state = 'received' AND lease_until_ms <= $2
                ORDER BY received_ms LIMIT 1 ",
            $lock,
            ") RETURNING interaction, token, token_expires_ms, request, private, received_ms, attempts"
        )
    };
}

impl Store {
    /// Writes the receipt of a request, uttered then and leased to the caller from now on. `None`: it was delivered
    /// before.
    ///
    /// # Errors
    /// The database failed; the interaction must not be acknowledged.
    pub async fn receive(
        &self,
        request: &Request,
        answer: Answer,
        (uttered, now): (Timestamp, Timestamp),
    ) -> anyhow::Result<Option<Claimed>> {
        let kept = Kept {
            actor: request.actor.clone(),
            place: request.place,
            locale: request.locale,
            guild_locale: request.guild_locale,
            origin: request.origin,
            command: request.command.clone(),
        };
        let (private, message) = (answer.is_private(), answer.takes_the_place_of());
        let locale = if private { request.locale } else { request.guild_locale };
        let sql = "INSERT INTO receipt (interaction, state, token, token_expires_ms, request, private, locale,
                       guild_locale, channel, message, reply_to, received_ms, lease_until_ms, attempts)
                   VALUES ($1, 'received', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1)
                   ON CONFLICT (interaction) DO NOTHING";
        let token = request.token.as_ref();
        let mut tx = self.begin().await?;
        let written = execute!(
            &mut tx,
            sql,
            request.interaction.as_i64(),
            token.map(|(token, _)| token.expose_secret()),
            token.map_or(0, |(_, expires)| expires.0),
            serde_json::to_string(&kept)?,
            private,
            locale.as_str(),
            request.guild_locale.as_str(),
            request.place.channel.as_i64(),
            message.map(MessageId::as_i64),
            request.asked_in().map(MessageId::as_i64),
            uttered.0,
            now.plus(LEASE).0,
        )
        .context("writing a receipt")?;
        tx.commit().await?;
        Ok((written == 1).then(|| Claimed { request: request.clone(), private, received: uttered, attempts: 1 }))
    }

    /// Claims a receipt that was left without a decision.
    ///
    /// # Errors
    /// The database failed.
    pub async fn claim_receipt(&self, now: Timestamp) -> anyhow::Result<Option<Claimed>> {
        let mut tx = self.begin().await?;
        let row = claim!(&mut tx, Row, claim_sql, now.plus(LEASE).0, now.0).context("claiming a receipt")?;
        tx.commit().await?;
        row.map(claimed).transpose()
    }

    /// Closes a receipt whose interaction was never acknowledged: nobody waits for an answer.
    ///
    /// # Errors
    /// The database failed.
    pub async fn drop_receipt(&self, interaction: InteractionId) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        close(&mut tx, interaction).await?;
        tx.commit().await
    }

    /// Forgets tokens that Discord does not accept any more.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_tokens(&self, now: Timestamp) -> anyhow::Result<u64> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE receipt SET token = NULL WHERE token IS NOT NULL AND token_expires_ms <= $1";
        let forgotten = execute!(&mut tx, sql, now.0).context("forgetting expired tokens")?;
        tx.commit().await?;
        Ok(forgotten)
    }
}

/// Where an interaction was answered.
pub(crate) struct Answered {
    /// Server and channel.
    pub(crate) place: Place,
    /// The server's language.
    pub(crate) locale: Locale,
    /// Only the asker sees the answer.
    pub(crate) private: bool,
}

/// Where an interaction is answered.
pub(crate) async fn answered(tx: &mut Tx, interaction: InteractionId) -> anyhow::Result<Answered> {
    let sql = "SELECT request, private, guild_locale FROM receipt WHERE interaction = $1";
    let row = fetch!(tx, (String, bool, String), sql, interaction.as_i64());
    let row = row.with_context(|| format!("reading the receipt of {interaction}"))?;
    let (request, private, locale) = row.with_context(|| format!("{interaction} has no receipt"))?;
    let kept: Kept = serde_json::from_str(&request).with_context(|| format!("reading receipt {interaction}"))?;
    Ok(Answered { place: kept.place, locale: Locale::from_discord(&locale), private })
}

/// Nothing more will be said to an interaction.
pub(crate) async fn close(tx: &mut Tx, interaction: InteractionId) -> anyhow::Result<()> {
    let sql = "UPDATE receipt SET state = 'answered', token = NULL WHERE interaction = $1";
    execute!(tx, sql, interaction.as_i64()).context("closing a receipt")?;
    Ok(())
}

/// Marks a receipt as decided. `false`: somebody else decided it meanwhile, so the caller must write nothing.
pub(crate) async fn decided(tx: &mut Tx, receipt: &Claimed) -> anyhow::Result<bool> {
    let sql = "UPDATE receipt SET state = 'decided' WHERE interaction = $1 AND state = 'received' AND attempts = $2";
    let ours = execute!(tx, sql, receipt.request.interaction.as_i64(), receipt.attempts);
    Ok(ours.context("marking a receipt as decided")? == 1)
}

/// Whether nobody has decided a receipt since the caller claimed it. Nobody does before this transaction ends.
pub(crate) async fn undecided(tx: &mut Tx, receipt: &Claimed) -> anyhow::Result<bool> {
    let sql = "UPDATE receipt SET attempts = attempts WHERE interaction = $1 AND state = 'received' AND attempts = $2";
    let ours = execute!(tx, sql, receipt.request.interaction.as_i64(), receipt.attempts);
    Ok(ours.context("looking whether a receipt was decided")? == 1)
}

fn claimed((interaction, token, expires_ms, request, private, received_ms, attempts): Row) -> anyhow::Result<Claimed> {
    let interaction = InteractionId::from_i64(interaction);
    let kept: Kept = serde_json::from_str(&request).with_context(|| format!("reading receipt {interaction}"))?;
    let request = Request {
        interaction,
        token: token.map(|token| (SecretString::from(token), Timestamp(expires_ms))),
        actor: kept.actor,
        place: kept.place,
        locale: kept.locale,
        guild_locale: kept.guild_locale,
        origin: kept.origin,
        command: kept.command,
    };
    Ok(Claimed { request, private, received: Timestamp(received_ms), attempts })
}
