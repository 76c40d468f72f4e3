//! Says what rows want said: renders a delivery in the reader's language and sends it.
//!
//! An answer edits the interaction's reply, which may be repeated without harm. Once the interaction's token is gone
//! the same message is edited by the bot's own token. What was asked in words is answered by a reply, edited likewise.
//! What was private is never said in public.

use std::time::Duration;

use crate::app::App;
use crate::discord::client::{Client, Error, NO_HISTORY};
use crate::discord::render::{self, Rendered};
use crate::model::ids::MessageId;
use crate::model::{Timestamp, millis};
use crate::store::deliveries::Claimed;
use crate::text;

use secrecy::ExposeSecret as _;

/// A token this close to its end is not used any more.
const TOKEN_MARGIN: Duration = Duration::from_secs(5);

/// First wait after a failure; doubles each time.
const BACK_OFF_FROM: Duration = Duration::from_secs(1);

/// Longest wait.
const BACK_OFF_TO: Duration = Duration::from_mins(1);

/// After so many tries nobody waits any more (some hours).
const TRIES: i64 = 200;

/// Sends one delivery that is due. `false`: there was none.
///
/// # Errors
/// The store failed; the delivery is due again when its lease ends.
pub async fn step(app: &App, client: &Client) -> anyhow::Result<bool> {
    let Some(delivery) = app.store.claim_delivery(app.clock.now()).await? else {
        return Ok(false);
    };
    deliver(app, client, &delivery).await?;
    Ok(true)
}

/// Sends a delivery that the caller holds.
///
/// # Errors
/// As [`step`].
pub async fn deliver(app: &App, client: &Client, delivery: &Claimed) -> anyhow::Result<()> {
    let rendered = render::message(&text::say(&delivery.reply, delivery.locale));
    let now = app.clock.now();
    let newest = match send(client, delivery, &rendered, now).await {
        Sent::Arrived(message) => {
            tracing::info!(delivery = delivery.id, cause = %delivery.cause, "said");
            app.metrics.delivery("delivered");
            app.store.delivered(delivery, message).await?
        }
        Sent::Became(message) => {
            app.store.became(delivery, message, now).await?;
            false
        }
        Sent::Never(why) => {
            tracing::warn!(delivery = delivery.id, cause = %delivery.cause, why, "cannot be said");
            app.metrics.delivery("given_up");
            app.store.give_up(delivery, &why, true).await?
        }
        Sent::Refused(why) => {
            tracing::error!(delivery = delivery.id, why, "Discord refused what this bot sent");
            app.metrics.delivery("given_up");
            app.store.give_up(delivery, &why, false).await?
        }
        Sent::NotNow(why) if delivery.tried >= TRIES => app.store.give_up(delivery, &why, false).await?,
        Sent::NotNow(why) => {
            tracing::warn!(delivery = delivery.id, cause = %delivery.cause, why, "will be said later");
            app.metrics.delivery("postponed");
            app.store.postpone(delivery, now.plus(back_off(delivery.tried)), &why).await?;
            true
        }
    };
    if !newest {
        app.wake.outbox.notify_one();
    }
    Ok(())
}

/// So often a message is made whose answer was lost.
const CREATES: i64 = 3;

enum Sent {
    Arrived(Option<MessageId>),
    /// The message is there, perhaps with an older text.
    Became(MessageId),
    NotNow(String),
    /// Nor can anything else.
    Never(String),
    /// What it says is at fault; a newer text may not be.
    Refused(String),
}

async fn send(client: &Client, delivery: &Claimed, rendered: &Rendered, now: Timestamp) -> Sent {
    let token = delivery.token.as_ref().filter(|(_, expires)| now.plus(TOKEN_MARGIN) < *expires);
    let token = token.map(|(token, _)| token.expose_secret());
    if delivery.post {
        return post(client, delivery, rendered, token).await;
    }
    if let Some(token) = token {
        match client.edit_reply(token, rendered.edit_reply()).await {
            Ok(message) => return Sent::Arrived(Some(message)),
            Err(Error::Gone { .. }) => {}
            Err(error) => return failed(&error),
        }
    }
    if delivery.private {
        return Sent::Never("the interaction's token is gone, and the answer is private".to_owned());
    }
    if let Some(message) = delivery.message {
        match client.edit_message(delivery.channel, message, rendered.edit_message()).await {
            Ok(()) => return Sent::Arrived(None),
            Err(Error::Gone { .. } | Error::Forbidden { .. }) => {}
            Err(error) => return failed(&error),
        }
    }
    created(delivery, make(client, delivery, rendered).await)
}

/// A message of its own: by the bot itself, and where it may not post, by the interaction's token.
async fn post(client: &Client, delivery: &Claimed, rendered: &Rendered, token: Option<&str>) -> Sent {
    let Some(message) = delivery.message else {
        return match (make(client, delivery, rendered).await, token) {
            // Only where it surely is not there: when an answer was lost, the message may be.
            (Err(Error::Gone { .. } | Error::Forbidden { .. }), Some(token)) => {
                match client.follow_up(token, rendered.follow_up()).await {
                    Ok(message) => Sent::Arrived(Some(message)),
                    Err(Error::RateLimited) => Sent::NotNow(Error::RateLimited.to_string()),
                    Err(error) => Sent::Never(error.to_string()),
                }
            }
            (made, _) => created(delivery, made),
        };
    };
    match (client.edit_message(delivery.channel, message, rendered.edit_message()).await, token) {
        (Ok(()), _) => Sent::Arrived(None),
        (Err(Error::Gone { .. } | Error::Forbidden { .. }), Some(token)) => {
            match client.edit_follow_up(token, message, rendered.follow_up()).await {
                Ok(()) => Sent::Arrived(None),
                Err(error) => failed(&error),
            }
        }
        (Err(error), _) => failed(&error),
    }
}

async fn make(client: &Client, delivery: &Claimed, rendered: &Rendered) -> Result<MessageId, Error> {
    let nonce = nonce(delivery);
    let say = |reply_to| client.create_message(delivery.channel, rendered.create_message(&nonce, reply_to));
    match say(delivery.reply_to.map(|message| (delivery.channel, message))).await {
        // Where the bot may not read what was said before, it may still speak.
        Err(Error::Forbidden { code: NO_HISTORY }) => say(None).await,
        made => made,
    }
}

fn created(delivery: &Claimed, made: Result<MessageId, Error>) -> Sent {
    match made {
        // After a lost answer Discord gives back the message that was made then, with the text of then.
        Ok(message) if delivery.tried > 1 => Sent::Became(message),
        Ok(message) => Sent::Arrived(Some(message)),
        // Discord forgets a nonce after minutes, so it is used again a few times at most, seconds apart.
        Err(error @ Error::Unanswered { .. }) if delivery.tried < CREATES => Sent::NotNow(error.to_string()),
        Err(error @ Error::Unanswered { .. }) => Sent::Never(format!("posted anew, and the answer was lost: {error}")),
        Err(error) => failed(&error),
    }
}

fn failed(error: &Error) -> Sent {
    let why = error.to_string();
    match error {
        Error::RateLimited | Error::Unanswered { .. } | Error::NotSent => Sent::NotNow(why),
        Error::Unauthorized => Sent::NotNow(why),
        Error::Gone { .. } | Error::Forbidden { .. } | Error::AlreadyAcknowledged => Sent::Never(why),
        Error::Refused { .. } => Sent::Refused(why),
    }
}

/// The same for each try to make one message; at most 25 characters (discord-rules 4).
fn nonce(delivery: &Claimed) -> String {
    format!("{}{}", delivery.cause, if delivery.post { "p" } else { "a" })
}

fn back_off(tried: i64) -> Duration {
    let doublings = u32::try_from(tried.clamp(1, 10) - 1).unwrap_or(0);
    let wait = millis(BACK_OFF_FROM).saturating_mul(1 << doublings).min(millis(BACK_OFF_TO));
    Duration::from_millis(wait.unsigned_abs())
}
