//! Every outward call to Discord.
//!
//! serenity's rate limiter stays on, in production and in tests alike, but for what is said by an interaction's token:
//! Discord limits that per token (discord-rules 6), serenity counts all tokens as one, and a hundred answers at once would
//! wait for each other, five in five seconds. A 429 there puts the delivery off. Each call has an end of its own, since a
//! 429 is waited out while the route's lock is held. No error holds an address, a token or a body. Of an answer only what is
//! used is read: a message of a shape that serenity does not know arrived all the same.

use std::net::ToSocketAddrs as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use futures_util::FutureExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serenity::all::{
    ApplicationId, ChannelId as Channel, CreateInteractionResponseFollowup, CreateMessage, EditInteractionResponse,
    EditMessage, Http, HttpBuilder, HttpError, InteractionId as Interaction, LightMethod, MessageId as Message,
    Request, Route,
};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::commands::Answer;
use crate::model::ids::{ChannelId, InteractionId, MessageId};

/// A first response must arrive within 3 s of the event (discord-rules 1); the rest is for the way here.
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_millis(2_500);

/// After this the answer to an acknowledgement counts as lost, and it is sent once more.
const ACKNOWLEDGE_TRY: Duration = Duration::from_millis(1_200);

/// Between two such tries.
const ACKNOWLEDGE_PAUSE: Duration = Duration::from_millis(200);

/// Any other call, with the waits that rate limits impose.
const CALL_WITHIN: Duration = Duration::from_secs(20);

/// The names that `discord.connect_to` stands in for.
const HOSTS: [&str; 2] = ["discord.com", "cdn.discordapp.com"];

/// Why a reply is refused where the bot may not read what was said before (discord-rules 5, 8).
pub const NO_HISTORY: i64 = 160_002;

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
    unlimited: Arc<Http>,
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

/// Builds serenity's client, led elsewhere where the options say so.
///
/// # Errors
/// `discord.connect_to` or `discord.ca_file` is of no use.
pub(super) fn http(options: &Options) -> anyhow::Result<HttpBuilder> {
    Ok(HttpBuilder::new(options.token.expose_secret()).client(transport(options)?))
}

fn transport(options: &Options) -> anyhow::Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder().use_native_tls().connect_timeout(Duration::from_secs(3));
    if let Some(connect_to) = &options.connect_to {
        // A proxy from the environment would get the name and go to the real Discord.
        builder = builder.no_proxy();
        let address = connect_to.to_socket_addrs().context("discord.connect_to")?.next();
        let address = address.context("discord.connect_to names no address")?;
        builder = HOSTS.iter().fold(builder, |builder, host| builder.resolve(host, address));
    }
    if let Some(pem) = &options.ca_pem {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).context("discord.ca_file is no PEM file")?;
        anyhow::ensure!(!certificates.is_empty(), "discord.ca_file holds no PEM certificate");
        builder = certificates.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
    }
    builder.build().context("building the HTTP client for Discord")
}

/// All that is read of the application for `reprise check`.
#[derive(Deserialize)]
struct Told {
    bot_public: bool,
    verify_key: String,
    interactions_endpoint_url: Option<String>,
}

/// All that is read of a message, or of the application.
#[derive(Deserialize)]
struct Only<T> {
    id: T,
}

impl Client {
    /// Builds the client and asks Discord who this token is.
    ///
    /// # Errors
    /// Discord cannot be reached, or does not accept the token.
    pub async fn connect(options: Options) -> anyhow::Result<Self> {
        let transport = transport(&options)?;
        let http = || HttpBuilder::new(options.token.expose_secret()).client(transport.clone());
        let unlimited = Arc::new(http().ratelimiter_disabled(true).build());
        let mut client = Self { http: Arc::new(http().build()), unlimited, application_id: 0 };
        let asked = client.call::<Only<ApplicationId>>(LightMethod::Get, Route::Oauth2ApplicationCurrent, None).await;
        client.application_id = asked.context("asking Discord for this bot's application (discord.token)")?.id.get();
        Ok(client)
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
        let told: Told = self.call(LightMethod::Get, Route::Oauth2ApplicationCurrent, None).await?;
        let endpoint = told.interactions_endpoint_url.filter(|url| !url.is_empty());
        Ok(Application { public: told.bot_public, public_key: told.verify_key, endpoint })
    }

    /// Where the gateway is.
    ///
    /// # Errors
    /// Any case of [`Error`].
    pub async fn gateway_url(&self) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Gateway {
            url: String,
        }
        self.call::<Gateway>(LightMethod::Get, Route::Gateway, None).await.map(|gateway| gateway.url)
    }

    /// Says that an answer will follow. Tried again while its answer is lost, within the same three seconds: whatever
    /// happens, Discord takes only one.
    ///
    /// # Errors
    /// [`Error::AlreadyAcknowledged`]: somebody else has, and answers. [`Error::Unanswered`]: nobody knows. Any other:
    /// the interaction is lost, and nobody will see an answer to it.
    pub async fn acknowledge(&self, interaction: InteractionId, token: &str, answer: Answer) -> Result<(), Error> {
        let body = match answer {
            Answer::Public => json!({"type": DEFERRED_MESSAGE, "data": {"flags": 0}}),
            Answer::Private => json!({"type": DEFERRED_MESSAGE, "data": {"flags": EPHEMERAL}}),
            Answer::InPlace { .. } => json!({"type": DEFERRED_UPDATE}),
        };
        first_response(|patience| timeout_at(patience, self.respond(interaction, token, &body)).map(flat)).await
    }

    async fn respond(&self, interaction: InteractionId, token: &str, body: &Value) -> serenity::Result<()> {
        self.http.create_interaction_response(Interaction::new(interaction.0), token, body, Vec::new()).await
    }

    /// Shows what can be chosen for an option: names and values. There is no second try: the next keystroke asks anew.
    ///
    /// # Errors
    /// Any case of [`Error`]; the person sees that there are no suggestions.
    pub async fn suggest(
        &self,
        interaction: InteractionId,
        token: &str,
        choices: &[(String, String)],
    ) -> Result<(), Error> {
        let choices: Vec<Value> = choices.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let body = json!({"type": 8, "data": {"choices": choices}});
        let call = self.http.create_interaction_response(Interaction::new(interaction.0), token, &body, Vec::new());
        flat(timeout(ACKNOWLEDGE_TRY, call).await)
    }

    /// Edits the answer to an interaction. May be repeated.
    ///
    /// # Errors
    /// Any case of [`Error`].
    pub async fn edit_reply(&self, token: &str, edit: EditInteractionResponse) -> Result<MessageId, Error> {
        let route = Route::WebhookOriginalInteractionResponse { application_id: self.application_id.into(), token };
        self.message(LightMethod::Patch, route, &edit).await
    }

    /// Edits a message of the bot, by the bot's own token. May be repeated.
    ///
    /// # Errors
    /// Any case of [`Error`].
    pub async fn edit_message(&self, channel: ChannelId, message: MessageId, edit: EditMessage) -> Result<(), Error> {
        let (channel_id, message_id) = (Channel::new(channel.0), Message::new(message.0));
        self.message(LightMethod::Patch, Route::ChannelMessage { channel_id, message_id }, &edit).await.map(|_| ())
    }

    /// Posts a message.
    ///
    /// # Errors
    /// Any case of [`Error`]; [`Error::Unanswered`] may have posted it.
    pub async fn create_message(&self, channel: ChannelId, message: CreateMessage) -> Result<MessageId, Error> {
        let channel_id = Channel::new(channel.0);
        self.message(LightMethod::Post, Route::ChannelMessages { channel_id }, &message).await
    }

    /// Posts a further public message by an interaction's token, for a channel where the bot may not post by itself.
    /// Discord has no nonce for these (discord-rules 1): it must not be repeated.
    ///
    /// # Errors
    /// Any case of [`Error`]; [`Error::Unanswered`] may have posted it.
    pub async fn follow_up(&self, token: &str, message: CreateInteractionResponseFollowup) -> Result<MessageId, Error> {
        let route = Route::WebhookFollowupMessages { application_id: self.application_id.into(), token };
        self.message(LightMethod::Post, route, &message).await
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
        let (application_id, message_id) = (self.application_id.into(), Message::new(message.0));
        let route = Route::WebhookFollowupMessage { application_id, token, message_id };
        self.message(LightMethod::Patch, route, &edit).await.map(|_| ())
    }

    /// Tells a person that something failed on our side. Where the interaction has its first response already this is
    /// a further message (discord-rules 1: or what fills the waiting one), so that it never replaces an answer.
    ///
    /// # Errors
    /// Any case of [`Error`]; nobody can be told then.
    pub async fn incident(&self, interaction: InteractionId, token: &str, text: &str) -> Result<(), Error> {
        let message = json!({"content": text, "flags": EPHEMERAL, "allowed_mentions": {"parse": []}});
        let body = json!({"type": 4, "data": message});
        match flat(timeout(ACKNOWLEDGE_WITHIN, self.respond(interaction, token, &body)).await) {
            Err(Error::AlreadyAcknowledged) => {
                let route = Route::WebhookFollowupMessages { application_id: self.application_id.into(), token };
                self.message(LightMethod::Post, route, &message).await.map(|_| ())
            }
            first => first,
        }
    }

    async fn message(
        &self,
        method: LightMethod,
        route: Route<'_>,
        body: &(impl Serialize + Sync),
    ) -> Result<MessageId, Error> {
        let body = serde_json::to_vec(body).map_err(|_| unbuilt())?;
        let by_token = matches!(
            route,
            Route::WebhookOriginalInteractionResponse { .. }
                | Route::WebhookFollowupMessages { .. }
                | Route::WebhookFollowupMessage { .. }
        );
        let http = if by_token { &self.unlimited } else { &self.http };
        let request = Request::new(route, method).body(Some(body));
        let said = flat(timeout(CALL_WITHIN, http.fire::<Only<Message>>(request)).await);
        said.map(|message| MessageId(message.id.get()))
    }

    /// Any call, answered by something of which `T` is read.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: LightMethod,
        route: Route<'_>,
        body: Option<Vec<u8>>,
    ) -> Result<T, Error> {
        self.fire(Request::new(route, method).body(body)).await
    }

    pub(super) async fn fire<T: DeserializeOwned>(&self, request: Request<'_>) -> Result<T, Error> {
        flat(timeout(CALL_WITHIN, self.http.fire(request)).await)
    }

    /// Throws away what the rate limiter keeps of single interactions: it never does so by itself (stack.md 1.3).
    pub async fn sweep_rate_limits(&self) {
        let Some(ratelimiter) = &self.http.ratelimiter else { return };
        let routes = ratelimiter.routes();
        let mut routes = routes.write().await;
        // serenity counts in the system's time, whatever clock the rest goes by.
        let now = SystemTime::now();
        routes.retain(|_, limit| match limit.try_lock() {
            Ok(limit) => limit.remaining() == 0 && limit.reset().is_some_and(|reset| reset > now),
            // A request is under way.
            Err(_) => true,
        });
    }

    /// How many routes the rate limiter remembers; `None` while it is at work.
    pub fn rate_limits(&self) -> Option<usize> {
        let routes = self.http.ratelimiter.as_ref()?.routes();
        routes.try_read().ok().map(|routes| routes.len())
    }
}

/// Asks for a first response by `send`, which is told how long it may take, until the answer is known or nobody waits.
async fn first_response<F>(send: impl Fn(Instant) -> F) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>>,
{
    let end = Instant::now() + ACKNOWLEDGE_WITHIN;
    let mut may_have_arrived = false;
    loop {
        match send(end.min(Instant::now() + ACKNOWLEDGE_TRY)).await {
            Err(Error::Unanswered { .. }) => may_have_arrived = true,
            Err(Error::NotSent) => {}
            // An earlier one of ours had arrived. When none can have, it is somebody else's (discord-rules 8).
            Err(Error::AlreadyAcknowledged) if may_have_arrived => return Ok(()),
            answer => return answer,
        }
        let again = Instant::now() + ACKNOWLEDGE_PAUSE;
        if again >= end {
            return Err(if may_have_arrived { lost() } else { Error::NotSent });
        }
        sleep_until(again).await;
    }
}

fn flat<T>(answer: Result<serenity::Result<T>, tokio::time::error::Elapsed>) -> Result<T, Error> {
    match answer {
        Ok(answer) => answer.map_err(|error| classify(&error)),
        Err(_) => Err(lost()),
    }
}

fn lost() -> Error {
    Error::Unanswered { hint: "no answer in time".to_owned() }
}

fn unbuilt() -> Error {
    Error::Refused { code: -1, message: "the request could not be built".to_owned() }
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
        _ => unbuilt(),
    }
}

/// discord-rules 8
fn by_code(http: u16, code: i64, message: &str) -> Error {
    match (http, code) {
        (_, 40060) => Error::AlreadyAcknowledged,
        // 50027 comes with 401 and means the interaction's token, not ours.
        (_, 10003 | 10004 | 10008 | 10015 | 10062 | 50027) => Error::Gone { code },
        (_, NO_HISTORY) => Error::Forbidden { code },
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
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn a_first_response_counts_as_ours_only_when_one_of_ours_can_have_arrived() {
        let ours = [
            vec![Ok(())],
            vec![Err(Error::NotSent), Ok(())],
            vec![Err(lost()), Ok(())],
            vec![Err(lost()), Err(Error::NotSent), Err(Error::AlreadyAcknowledged)],
        ];
        let not_ours = [
            (vec![Err(Error::AlreadyAcknowledged)], Error::AlreadyAcknowledged),
            (vec![Err(Error::NotSent), Err(Error::AlreadyAcknowledged)], Error::AlreadyAcknowledged),
            (vec![Err(Error::Gone { code: 10062 })], Error::Gone { code: 10062 }),
            (vec![Err(lost()), Err(Error::Gone { code: 10062 })], Error::Gone { code: 10062 }),
        ];
        let cases = ours.into_iter().map(|answers| (answers, Ok(())));
        for (answers, expected) in cases.chain(not_ours.into_iter().map(|(answers, error)| (answers, Err(error)))) {
            let left = Mutex::new(answers.clone());
            let ended = first_response(async |_| left.lock().expect("no panic").remove(0)).await;
            assert_eq!(ended, expected, "{answers:?}");
            assert!(left.lock().expect("no panic").is_empty(), "{answers:?}: all were needed");
        }
    }

    #[tokio::test]
    async fn a_first_response_is_not_asked_for_when_nobody_waits_any_more() {
        for (answer, expected) in [(Error::NotSent, Error::NotSent), (lost(), lost())] {
            let begun = Instant::now();
            let ended = first_response(async |patience| {
                assert!(patience <= begun + ACKNOWLEDGE_WITHIN + Duration::from_millis(100));
                Err(answer.clone())
            });
            assert_eq!(ended.await, Err(expected));
            assert!(begun.elapsed() < Duration::from_secs(3));
        }
    }

    #[test]
    fn each_code_ends_as_the_table_says() {
        for (http, code, expected) in [
            (404, 10062, "Discord does not know it any more (10062)"),
            (404, 10015, "Discord does not know it any more (10015)"),
            (401, 50027, "Discord does not know it any more (50027)"),
            (400, 40060, "acknowledged already (40060)"),
            (403, 50001, "not allowed there (50001)"),
            (403, 50013, "not allowed there (50013)"),
            (400, 160_002, "not allowed there (160002)"),
            (401, 0, "Discord does not accept the bot's token (discord.token)"),
            (429, 0, "rate limited"),
            (502, -1, "no usable answer (HTTP 502)"),
            (400, 50035, "refused (50035: Invalid Form Body)"),
        ] {
            assert_eq!(by_code(http, code, "Invalid Form Body").to_string(), expected);
        }
    }
}
