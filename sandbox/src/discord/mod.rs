//! A double of Discord: API v10 over REST and the gateway, as strict as the documentation says the real one is.
//!
//! It remembers a world (servers, channels, people), lets people act in it, delivers what they do to the bot, and holds
//! every request of the bot against the rules (`discord-rules.md`), Discord's own OpenAPI document where it is at hand,
//! and the `twilight` crates. It promises to be no kinder than the real service; where the real one says nothing a
//! comment names the choice that was made.
//!
//! It must not depend on the bot, and reads no time but its [`Clock`]'s, save the liveness of sockets.
//!
//! | to find | look in |
//! |---|---|
//! | what is remembered | `state` |
//! | building the world | `world` |
//! | what people do, and how it reaches the bot | `people`, `typed`, `delivery` |
//! | what the bot asks for | `rest/*`, its limits in `rules/*`, `limits`, `schema` |
//! | the gateway | `gateway`, its sockets in `socket` |
//! | what goes wrong on order | `faults` |
//! | looking at it all | `look` |

mod delivery;
mod faults;
mod gateway;
mod ids;
mod limits;
mod listen;
mod look;
mod payload;
mod people;
pub mod permissions;
mod refusal;
mod rest;
mod rules;
mod schema;
mod socket;
mod state;
mod tls;
mod typed;
mod world;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::Router;
use ed25519_dalek::SigningKey;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::watch;

pub use self::faults::{Fault, Gate};
pub use self::gateway::MESSAGE_CONTENT;
pub use self::limits::RateScope;
pub use self::people::{Refused, Typing};
pub use self::state::{Acknowledged, InteractionState, Message, Pinged, RequestRecord, Scope, Used};

use self::gateway::{Event, Gateway, RECONNECT, ToClient};
use self::ids::Snowflakes;
use self::limits::Limits;
use self::listen::Door;
use self::schema::Document;
use self::state::{Bot, State, User};
use crate::clock::Clock;
use crate::wire;

/// What a double is started with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The time it lives in.
    pub clock: Clock,
    /// Discord's OpenAPI document; without it, bodies are held against the rules and `twilight` only.
    pub openapi: Option<PathBuf>,
}

impl Options {
    /// With the document that the environment variable `DISCORD_OPENAPI` names.
    pub fn from_env(clock: Clock) -> Self {
        Self { clock, openapi: std::env::var_os("DISCORD_OPENAPI").map(PathBuf::from) }
    }
}

/// A handle on a running double. Clones are the same double.
#[derive(Clone)]
pub struct Discord {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    clock: Clock,
    document: Option<Arc<Document>>,
    authority: &'static tls::Authority,
    /// Made when an endpoint is first used: reading the system's certificates takes its time.
    poster: OnceLock<reqwest::Client>,
    doors: OnceLock<Doors>,
}

struct Doors {
    tls: Door,
    plain: Door,
    gateway: Door,
}

impl Discord {
    /// Starts a double with an application and no server yet.
    ///
    /// # Errors
    /// When no port can be bound, the certificate cannot be made, or the OpenAPI document cannot be read.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let document = options.openapi.as_deref().map(Document::at).transpose()?;
        let authority = tls::Authority::of_this_process()?;
        let state = Mutex::new(new_state(options.clock.clone()));
        let changed = watch::Sender::new(0);
        let doors = OnceLock::new();
        let poster = OnceLock::new();
        let inner = Inner { state, changed, clock: options.clock, document, authority, poster, doors };
        let discord = Self { inner: Arc::new(inner) };
        let doors = discord.open_doors().await?;
        discord.change(|state| state.gateway_url = format!("ws://{}", doors.gateway.address));
        // Set once, right here: nobody else has this handle yet.
        let _ = discord.inner.doors.set(doors);
        Ok(discord)
    }

    async fn open_doors(&self) -> anyhow::Result<Doors> {
        let discord = self.clone();
        let router = Router::new().fallback(move |request| rest::serve(discord.clone(), request));
        let acceptor = self.inner.authority.acceptor();
        let plain_router = router.clone();
        let tls = Door::open(move |stream: TcpStream| {
            let (acceptor, router) = (acceptor.clone(), router.clone());
            async move {
                // A failed handshake is the client's to report.
                if let Ok(stream) = acceptor.accept(stream).await {
                    wire::serve(stream, router).await;
                }
            }
        });
        let plain = Door::open(move |stream: TcpStream| wire::serve(stream, plain_router.clone()));
        let discord = self.clone();
        let gateway = Door::open(move |stream: TcpStream| socket::serve(discord.clone(), stream));
        Ok(Doors { tls: tls.await?, plain: plain.await?, gateway: gateway.await? })
    }

    fn doors(&self) -> &Doors {
        self.inner.doors.get().expect("the doors are opened before the handle is given out")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock has failed already; others may go on.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_at<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.inner.changed.send_modify(|count| *count += 1);
        result
    }

    fn change_with<T>(&self, change: impl FnOnce(&mut State, Option<&Document>) -> T) -> T {
        let document = self.inner.document.clone();
        self.change(|state| change(state, document.as_deref()))
    }

    fn poster(&self) -> anyhow::Result<&reqwest::Client> {
        if let Some(poster) = self.inner.poster.get() {
            return Ok(poster);
        }
        let poster = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(self.inner.poster.get_or_init(|| poster))
    }

    /// The time this double lives in.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Where the REST interface answers over TLS as discord.com and cdn.discordapp.com (`discord.connect_to`).
    pub fn connect_to(&self) -> SocketAddr {
        self.doors().tls.address
    }

    /// The certificate of an authority that has signed nothing here.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn another_ca_pem() -> anyhow::Result<String> {
        Ok(tls::Authority::make("Another authority")?.ca_pem)
    }

    /// The certificate of the authority that signed the double's (`discord.ca_file`).
    pub fn ca_pem(&self) -> &str {
        &self.inner.authority.ca_pem
    }

    /// Base URL of the same REST interface without TLS, for clients that take one: `http://127.0.0.1:PORT`.
    pub fn plain_url(&self) -> String {
        format!("http://{}", self.doors().plain.address)
    }

    /// Address of the gateway: `ws://127.0.0.1:PORT`.
    pub fn gateway_url(&self) -> String {
        format!("ws://{}", self.doors().gateway.address)
    }

    /// The bot's token.
    pub fn token(&self) -> String {
        self.look_at(|state| state.bot.token.clone())
    }

    /// The application's id.
    pub fn application_id(&self) -> u64 {
        self.look_at(|state| state.bot.application)
    }

    /// The bot's user.
    pub fn bot(&self) -> u64 {
        self.look_at(|state| state.bot.user)
    }

    /// The key that signs interactions, in hexadecimal digits.
    pub fn public_key(&self) -> String {
        self.look_at(|state| state.bot.public_key())
    }

    /// An outage: every connection is cut, new ones are refused. Sessions are kept as after any lost connection.
    pub async fn pause(&self) {
        let doors = self.doors();
        for door in [&doors.tls, &doors.plain, &doors.gateway] {
            door.set_open(false).await;
        }
        self.change(|state| {
            let now_ms = state.now_ms();
            state.gateway.lose_all(now_ms);
        });
    }

    /// The end of an outage, at the same addresses.
    pub async fn resume(&self) {
        let doors = self.doors();
        for door in [&doors.tls, &doors.plain, &doors.gateway] {
            door.set_open(true).await;
        }
    }

    /// Orders a fault; faults strike in the order in which they were ordered.
    pub fn order(&self, fault: Fault) {
        self.change(|state| state.faults.push(faults::Standing::new(fault)));
    }

    /// Takes back every fault that did not strike yet.
    pub fn clear_faults(&self) {
        self.change(|state| state.faults.clear());
    }

    /// Gateway sessions that are connected.
    pub fn gateway_sessions(&self) -> usize {
        self.look_at(|state| state.gateway.connected())
    }

    /// The intents of each of them.
    pub fn gateway_intents(&self) -> Vec<u64> {
        self.look_at(|state| state.gateway.intents())
    }

    /// Closes every gateway connection with this code (`discord-rules.md` 7).
    pub fn close_gateway(&self, code: u16) {
        self.change(|state| state.gateway.to_all(|| ToClient::Close(code, "Closed on order.")));
    }

    /// Cuts every gateway connection without a close frame.
    pub fn drop_gateway(&self) {
        self.change(|state| state.gateway.to_all(|| ToClient::Drop));
    }

    /// Asks every client to reconnect and resume (op 7).
    pub fn reconnect(&self) {
        self.change(|state| state.gateway.to_all(|| ToClient::control(RECONNECT, Value::Null)));
    }

    /// Invalidates every session (op 9).
    pub fn invalidate_session(&self, resumable: bool) {
        self.change(|state| state.gateway.invalidate(resumable));
    }

    /// Closes each connection with `code` after IDENTIFY or RESUME, until told `None`.
    pub fn refuse_gateway(&self, code: Option<u16>) {
        self.change(|state| state.gateway.refuses_with = code);
    }

    /// Whether heartbeats stay without an answer, so that clients see a zombie connection.
    pub fn withhold_acks(&self, withholds: bool) {
        self.change(|state| state.gateway.withholds_acks = withholds);
    }

    /// The heartbeat interval that new connections are told. Milliseconds of real time.
    pub fn set_heartbeat_interval(&self, interval_ms: u64) {
        self.change(|state| state.gateway.heartbeat_interval_ms = interval_ms);
    }

    /// Enables privileged intents in the application's settings; none are at first.
    pub fn enable_intents(&self, bits: u64) {
        self.change(|state| state.gateway.enabled_intents = bits);
    }

    /// Sends any event to every session of shard 0, known to the documentation or not.
    pub fn send_raw(&self, event: &str, data: Value) {
        self.change(|state| {
            state.loose_tokens.extend(data["token"].as_str().map(str::to_owned));
            let now_ms = state.now_ms();
            state.gateway.dispatch(&Event { name: event, guild: None, intents: 0 }, now_ms, |_| data.clone());
        });
    }

    /// Sends any text as a frame to every client: garbage, if wanted.
    pub fn send_frame(&self, text: &str) {
        self.change(|state| state.gateway.to_all(|| ToClient::Frame(text.to_owned())));
    }
}

fn new_state(clock: Clock) -> State {
    let mut ids = Snowflakes::new(clock.clone());
    let application = ids.next();
    let token = format!("sandbox-bot-token.{:032x}", rand::random::<u128>());
    // A bot's user has the id of its application, as for every application made since 2016.
    let bot = Bot { token, application, user: application, key: SigningKey::from_bytes(&rand::random()) };
    let mut state = State {
        clock,
        ids,
        bot,
        gateway_url: String::new(),
        users: BTreeMap::new(),
        guilds: BTreeMap::new(),
        channels: BTreeMap::new(),
        messages: BTreeMap::new(),
        interactions: BTreeMap::new(),
        commands: BTreeMap::new(),
        command_permissions: Vec::new(),
        loose_tokens: Vec::new(),
        command_creates: HashMap::new(),
        uploads: BTreeMap::new(),
        nonces: HashMap::new(),
        gateway: Gateway::default(),
        endpoint: None,
        limits: Limits::default(),
        faults: Vec::new(),
        requests: Vec::new(),
        violations: Vec::new(),
    };
    state.users.insert(
        application,
        User { id: application, name: "Reprise".into(), bot: true, locale: String::new(), closed_dms: false },
    );
    state
}
