//! Every outward call to Discord.
//!
//! serenity's rate limiter stays on, in production and in tests alike. Each call has an end of its own, since a 429 is
//! waited out while the route's lock is held. No error holds an address, a token or a body.

use std::collections::HashMap;
use std::net::ToSocketAddrs as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use serenity::all::{
    ChannelId as Channel, CreateCommand, CreateInteractionResponseFollowup, CreateMessage, EditInteractionResponse,
    EditMessage, GuildId as Guild, Http, HttpBuilder, HttpError, InteractionId as Interaction, LightMethod,
    MessageId as Message, Permissions, Request, Route,
};
use tokio::time::{Instant, timeout, timeout_at};

use super::slash::{self, Describe, Scope};
use crate::commands::Answer;
use crate::model::ids::{ChannelId, InteractionId, MessageId};

/// A first response must arrive within 3 s of the event (discord-rules 1); the rest is for the way here.
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_millis(2_500);

/// After this the answer to an acknowledgement counts as lost, and it is sent once more.
const ACKNOWLEDGE_TRY: Duration = Duration::from_millis(1_200);

/// Any other call, with the waits that rate limits impose.
const CALL_WITHIN: Duration = Duration::from_secs(20);

/// The names that `discord.connect_to` stands in for.
const HOSTS: [&str; 2] = ["discord.com", "cdn.discordapp.com"];

/// Only the asker sees it (discord-rules 1).
const EPHEMERAL: u64 = 64;

/// Callback types (discord-rules 1): a new message that is filled in later, and the button's own message, changed later.
const DEFERRED_MESSAGE: u8 = 5;
const DEFERRED_UPDATE: u8 = 6;

/// What the client needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// The bot's token.
    pub token: SecretString,
    /// `HOST:PORT` to connect to in place of Discord.
    pub connect_to: Option<String>,
    /// An extra root certificate for that.
    pub ca_pem: Option<Vec<u8>>,
}

/// The client. Clones share connections and rate limits.
#[derive(Clone)]
pub struct Client {
    http: Arc<Http>,
    application_id: u64,
}

/// Why a call failed (discord-rules 8).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What it was about is not there any more, or not usable any more.
    #[error("Discord does not know it any more ({code})")]
    Gone {
        /// Discord's code.
        code: i64,
    },
    /// The interaction has its first response already.
    #[error("acknowledged already (40060)")]
    AlreadyAcknowledged,
    /// The bot may not do this there.
    #[error("not allowed there ({code})")]
    Forbidden {
        /// Discord's code.
        code: i64,
    },
    /// The token is wrong.
    #[error("Discord does not accept the bot's token (discord.token)")]
    Unauthorized,
    /// Too many requests.
    #[error("rate limited")]
    RateLimited,
    /// It may have happened.
    #[error("no usable answer ({hint})")]
    Unanswered {
        /// What happened.
        hint: String,
    },
    /// It surely did not happen.
    #[error("Discord cannot be reached")]
    NotSent,
    /// What we sent is wrong.
    #[error("refused ({code}: {message})")]
    Refused {
        /// Discord's code.
        code: i64,
        /// Discord's message.
        message: String,
    },
}

/// What Discord says of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Whether anybody may invite its bot.
    pub public: bool,
    /// The key that interactions are signed with, in hexadecimal digits.
    pub public_key: String,
    /// Where interactions are sent; absent: to the gateway.
    pub endpoint: Option<String>,
}

/// What registering came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Whether anything had to be written.
    pub changed: bool,
}

/// Builds serenity's client, led elsewhere where the options say so.
///
/// # Errors
/// `discord.connect_to` or `discord.ca_file` is of no use.
pub(super) fn http(options: &Options) -> anyhow::Result<HttpBuilder> {
    let mut builder = reqwest::Client::builder().use_native_tls().connect_timeout(Duration::from_secs(3));
    if let Some(connect_to) = &options.connect_to {
        let address = connect_to.to_socket_addrs().context("discord.connect_to")?.next();
        let address = address.context("discord.connect_to names no address")?;
        builder = HOSTS.iter().fold(builder, |builder, host| builder.resolve(host, address));
    }
    if let Some(pem) = &options.ca_pem {
        let certificate = reqwest::Certificate::from_pem(pem).context("discord.ca_file holds no PEM certificate")?;
        builder = builder.add_root_certificate(certificate);
    }
    let client = builder.build().context("building the HTTP client for Discord")?;
    Ok(HttpBuilder::new(options.token.expose_secret()).client(client))
}

impl Client {
    /// Builds the client and asks Discord who this token is.
    ///
    /// # Errors
    /// Discord cannot be reached, or does not accept the token.
    pub async fn connect(options: Options) -> anyhow::Result<Self> {
        let http = http(&options)?.build();
        let asked = timeout(CALL_WITHIN, http.get_current_application_info()).await;
        let application = flat(asked).context("asking Discord for this bot's application (discord.token)")?;
        http.set_application_id(application.id);
        Ok(Self { http: Arc::new(http), application_id: application.id.get() })
    }

    /// The application this bot belongs to.
    pub fn application_id(&self) -> u64 {
        self.application_id
    }

    /// What Discord says of it, for `reprise check`.
    ///
    /// # Errors
    /// Any case of [`Error`].
    pub async fn application(&self) -> Result<Application, Error> {
        let told = flat(timeout(CALL_WITHIN, self.http.get_current_application_info()).await)?;
        let endpoint = told.interactions_endpoint_url.filter(|url| !url.is_empty());
        Ok(Application { public: told.bot_public, public_key: told.verify_key, endpoint })
    }

    /// Says that an answer will follow. A lost answer is asked for once more, within the same three seconds.
    ///
    /// # Errors
    /// The interaction is lost: nobody will see an answer to it.
    pub async fn acknowledge(&self, interaction: InteractionId, token: &str, answer: Answer) -> Result<(), Error> {
        let body = match answer {
            Answer::Public => json!({"type": DEFERRED_MESSAGE, "data": {"flags": 0}}),
            Answer::Private => json!({"type": DEFERRED_MESSAGE, "data": {"flags": EPHEMERAL}}),
            Answer::InPlace { .. } => json!({"type": DEFERRED_UPDATE}),
        };
        let end = Instant::now() + ACKNOWLEDGE_WITHIN;
        let id = Interaction::new(interaction.0);
        let send = || self.http.create_interaction_response(id, token, &body, Vec::new());
        let first = flat(timeout(ACKNOWLEDGE_TRY, send()).await);
        match first {
            Err(Error::Unanswered { .. } | Error::NotSent) => match flat(timeout_at(end, send()).await) {
                // The first one had arrived.
                Err(Error::AlreadyAcknowledged) => Ok(()),
                second => second,
            },
            first => first,
        }
    }

    /// Edits the answer to an interaction. May be repeated.
    ///
    /// # Errors
    /// Any case of [`Error`].
    pub async fn edit_reply(&self, token: &str, edit: EditInteractionResponse) -> Result<MessageId, Error> {
        let call = self.http.edit_original_interaction_response(token, &edit, Vec::new());
        flat(timeout(CALL_WITHIN, call).await).map(|message| MessageId(message.id.get()))
    }

    /// Edits a message of the bot, by the bot's own token. May be repeated.
    ///
    /// # Errors
    /// Any case of [`Error`].
    pub async fn edit_message(&self, channel: ChannelId, message: MessageId, edit: EditMessage) -> Result<(), Error> {
        let (channel, message) = (Channel::new(channel.0), Message::new(message.0));
        let call = self.http.edit_message(channel, message, &edit, Vec::new());
        flat(timeout(CALL_WITHIN, call).await).map(|_| ())
    }

    /// Posts a message.
    ///
    /// # Errors
    /// Any case of [`Error`]; [`Error::Unanswered`] may have posted it.
    pub async fn create_message(&self, channel: ChannelId, message: CreateMessage) -> Result<MessageId, Error> {
        let call = self.http.send_message(Channel::new(channel.0), Vec::new(), &message);
        flat(timeout(CALL_WITHIN, call).await).map(|message| MessageId(message.id.get()))
    }

    /// Posts a further public message by an interaction's token, for a channel where the bot may not post by itself.
    /// Discord has no nonce for these (discord-rules 1): it must not be repeated.
    ///
    /// # Errors
    /// Any case of [`Error`]; [`Error::Unanswered`] may have posted it.
    pub async fn follow_up(&self, token: &str, message: CreateInteractionResponseFollowup) -> Result<MessageId, Error> {
        let call = self.http.create_followup_message(token, &message, Vec::new());
        flat(timeout(CALL_WITHIN, call).await).map(|message| MessageId(message.id.get()))
    }

    /// Edits such a message. May be repeated.
    ///
    /// # Errors
    /// Any case of [`Error`].
    pub async fn edit_follow_up(
        &self,
        token: &str,
        message: MessageId,
        edit: CreateInteractionResponseFollowup,
    ) -> Result<(), Error> {
        let call = self.http.edit_followup_message(token, Message::new(message.0), &edit, Vec::new());
        flat(timeout(CALL_WITHIN, call).await).map(|_| ())
    }

    /// Tells a person that something failed on our side, as the first response or instead of what was to follow it.
    ///
    /// # Errors
    /// Any case of [`Error`]; nobody can be told then.
    pub async fn incident(&self, interaction: InteractionId, token: &str, text: &str) -> Result<(), Error> {
        let mentions = json!({"parse": []});
        let body = json!({"type": 4, "data": {"content": text, "flags": EPHEMERAL, "allowed_mentions": mentions}});
        let id = Interaction::new(interaction.0);
        let first = self.http.create_interaction_response(id, token, &body, Vec::new());
        match flat(timeout(ACKNOWLEDGE_WITHIN, first).await) {
            Err(Error::AlreadyAcknowledged) => {
                let body = json!({"content": text, "allowed_mentions": mentions});
                let edit = self.http.edit_original_interaction_response(token, &body, Vec::new());
                flat(timeout(CALL_WITHIN, edit).await).map(|_| ())
            }
            first => first,
        }
    }

    /// Registers the commands where they differ, and clears the other scope, so that no command shows twice.
    ///
    /// # Errors
    /// Discord cannot be reached or refuses, with the server it is about.
    pub async fn register(&self, guilds: &[u64], describe: &Describe) -> anyhow::Result<Registered> {
        let scope = Scope::from(guilds.is_empty());
        let defined = slash::definitions(scope, describe);
        let mut changed = false;
        for place in places(guilds) {
            if slash::differs(scope, &defined, &self.registered(place).await?) {
                self.put(place, &defined).await?;
                changed = true;
            }
        }
        for place in self.other_places(guilds).await? {
            if !self.registered(place).await?.is_empty() {
                self.put(place, &[]).await?;
                changed = true;
            }
        }
        Ok(Registered { changed })
    }

    /// Whether the commands are registered as this version defines them.
    ///
    /// # Errors
    /// As [`Self::register`].
    pub async fn is_registered(&self, guilds: &[u64], describe: &Describe) -> anyhow::Result<bool> {
        let scope = Scope::from(guilds.is_empty());
        let defined = slash::definitions(scope, describe);
        for place in places(guilds) {
            if slash::differs(scope, &defined, &self.registered(place).await?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes every command of this application, in both scopes.
    ///
    /// # Errors
    /// As [`Self::register`].
    pub async fn clear(&self, guilds: &[u64]) -> anyhow::Result<()> {
        for place in places(guilds).into_iter().chain(self.other_places(guilds).await?) {
            self.put(place, &[]).await?;
        }
        Ok(())
    }

    /// Global when servers are listed, else the servers the bot is in.
    async fn other_places(&self, guilds: &[u64]) -> anyhow::Result<Vec<Option<Guild>>> {
        if !guilds.is_empty() {
            return Ok(vec![None]);
        }
        let servers = flat(timeout(CALL_WITHIN, self.http.get_guilds(None, None)).await);
        Ok(servers.context("asking Discord for this bot's servers")?.into_iter().map(|guild| Some(guild.id)).collect())
    }

    async fn registered(&self, place: Option<Guild>) -> anyhow::Result<Vec<Value>> {
        let params = Some(vec![("with_localizations", "true".to_owned())]);
        let request = Request::new(self.route(place), LightMethod::Get).params(params);
        let commands = flat(timeout(CALL_WITHIN, self.http.fire::<Vec<Value>>(request)).await);
        commands.with_context(|| format!("reading the commands that are registered {}", named(place)))
    }

    async fn put(&self, place: Option<Guild>, commands: &[CreateCommand]) -> anyhow::Result<()> {
        let body = Some(serde_json::to_vec(commands)?);
        let request = Request::new(self.route(place), LightMethod::Put).body(body);
        let put = flat(timeout(CALL_WITHIN, self.http.fire::<Vec<Value>>(request)).await);
        put.with_context(|| format!("registering the commands {}", named(place)))?;
        Ok(())
    }

    fn route(&self, place: Option<Guild>) -> Route<'static> {
        let application_id = self.application_id.into();
        match place {
            Some(guild_id) => Route::GuildCommands { application_id, guild_id },
            None => Route::Commands { application_id },
        }
    }

    /// What the bot may do in a server, in words, for `reprise check`.
    ///
    /// # Errors
    /// The bot is not in that server, or lacks a permission everywhere there.
    pub async fn permissions(&self, guild: u64) -> anyhow::Result<String> {
        let servers = flat(timeout(CALL_WITHIN, self.http.get_guilds(None, None)).await)?;
        let server = servers.into_iter().find(|server| server.id.get() == guild);
        let server = server.context("the bot is not there")?;
        let wanted = Permissions::VIEW_CHANNEL | Permissions::SEND_MESSAGES | Permissions::EMBED_LINKS;
        let missing = wanted - server.permissions;
        let all = missing.is_empty() || server.permissions.administrator();
        anyhow::ensure!(all, "the bot lacks there: {}", missing.get_permission_names().join(", "));
        Ok("the bot is there, and may view channels, send messages and embed links".to_owned())
    }

    /// Throws away what the rate limiter keeps of single interactions: it never does so by itself (stack.md 1.3).
    pub async fn sweep_rate_limits(&self) {
        let Some(ratelimiter) = &self.http.ratelimiter else { return };
        let routes = ratelimiter.routes();
        let mut routes = routes.write().await;
        let mut idle = HashMap::new();
        for (bucket, limit) in routes.drain() {
            // A lock that is held means a request is under way; a limit that was used up must be remembered.
            let keep = limit.try_lock().map_or(true, |limit| limit.limit() > 0 && limit.remaining() == 0);
            if keep {
                idle.insert(bucket, limit);
            }
        }
        *routes = idle;
    }

    /// How many routes the rate limiter remembers, for tests and metrics.
    pub async fn rate_limits(&self) -> usize {
        match &self.http.ratelimiter {
            Some(ratelimiter) => ratelimiter.routes().read().await.len(),
            None => 0,
        }
    }
}

fn places(guilds: &[u64]) -> Vec<Option<Guild>> {
    if guilds.is_empty() { vec![None] } else { guilds.iter().map(|guild| Some(Guild::new(*guild))).collect() }
}

fn named(place: Option<Guild>) -> String {
    place.map_or_else(|| "globally".to_owned(), |guild| format!("in the server {guild}"))
}

fn flat<T>(answer: Result<serenity::Result<T>, tokio::time::error::Elapsed>) -> Result<T, Error> {
    match answer {
        Ok(answer) => answer.map_err(|error| classify(&error)),
        Err(_) => Err(Error::Unanswered { hint: "no answer in time".to_owned() }),
    }
}

fn classify(error: &serenity::Error) -> Error {
    match error {
        serenity::Error::Http(HttpError::UnsuccessfulRequest(response)) => {
            let code = i64::try_from(response.error.code).unwrap_or(-1);
            by_code(response.status_code.as_u16(), code, &response.error.message)
        }
        serenity::Error::Http(HttpError::Request(error)) if error.is_connect() => Error::NotSent,
        serenity::Error::Http(HttpError::Request(_)) => Error::Unanswered { hint: "the connection broke".to_owned() },
        serenity::Error::Json(_) => Error::Unanswered { hint: "the answer cannot be read".to_owned() },
        _ => Error::Refused { code: -1, message: "the request could not be built".to_owned() },
    }
}

/// discord-rules 8
fn by_code(http: u16, code: i64, message: &str) -> Error {
    match (http, code) {
        (_, 40060) => Error::AlreadyAcknowledged,
        // 50027 comes with 401 and means the interaction's token, not ours.
        (_, 10003 | 10004 | 10008 | 10015 | 10062 | 50027) => Error::Gone { code },
        (401, _) => Error::Unauthorized,
        (403, _) => Error::Forbidden { code },
        (404, _) => Error::Gone { code },
        (429, _) => Error::RateLimited,
        (500..=599, _) => Error::Unanswered { hint: format!("HTTP {http}") },
        _ => Error::Refused { code, message: message.chars().take(200).collect() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_ends_as_the_table_says() {
        for (http, code, expected) in [
            (404, 10062, "Discord does not know it any more (10062)"),
            (404, 10015, "Discord does not know it any more (10015)"),
            (401, 50027, "Discord does not know it any more (50027)"),
            (400, 40060, "acknowledged already (40060)"),
            (403, 50001, "not allowed there (50001)"),
            (403, 50013, "not allowed there (50013)"),
            (401, 0, "Discord does not accept the bot's token (discord.token)"),
            (429, 0, "rate limited"),
            (502, -1, "no usable answer (HTTP 502)"),
            (400, 50035, "refused (50035: Invalid Form Body)"),
        ] {
            assert_eq!(by_code(http, code, "Invalid Form Body").to_string(), expected);
        }
    }
}
