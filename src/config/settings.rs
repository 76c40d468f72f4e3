//! What a valid configuration says, typed: one struct per section, one field per key (contract 2).
//!
//! Promises: whoever holds a [`Settings`] need not check it again; `Debug` shows no secret.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How the bot stands with Discord.
    pub discord: Discord,
    /// How the bot reaches BK-CI.
    pub bkci: Bkci,
    /// Where rows are kept.
    pub store: Store,
    /// What the program serves.
    pub http: Http,
    /// Who may administer.
    pub admin: Admin,
    /// How retries are asked for.
    pub retry: Retry,
    /// How builds are followed.
    pub follow: Follow,
    /// What links a Discord user to a UID.
    pub identity: Identity,
    /// The audit chain.
    pub audit: Audit,
    /// What is logged.
    pub log: Log,
    /// Keys that are set though this version does nothing with them.
    pub without_effect: Vec<&'static str>,
}

impl Settings {
    /// What BK-CI is asked for so that it tells by itself of watched pipelines; absent: nothing. The address without a
    /// token that is checked would let anybody in, and v3 knows callbacks of whole projects only (bkci-api 11.1).
    pub fn callbacks(&self) -> Option<Callbacks> {
        let (public_url, token) = (self.http.public_url.as_ref()?, self.bkci.callback_token.clone()?);
        let of_projects = self.bkci.api == Api::V3;
        let url = format!("{public_url}/bkci/callback");
        (!of_projects || self.follow.project_callbacks).then_some(Callbacks { url, token, of_projects })
    }
}

/// What BK-CI is asked for so that it tells by itself of watched pipelines.
#[derive(Debug, Clone)]
pub struct Callbacks {
    /// Where it should tell it.
    pub url: String,
    /// What it has to show there.
    pub token: SecretString,
    /// It tells of every pipeline of a project, not of one.
    pub of_projects: bool,
}

impl Callbacks {
    /// Changes when the address or the token does. The address stands before the `#`, a few bits of the token's digest
    /// behind it: enough to see that it is another one, too few to check a guess.
    pub fn mark(&self) -> String {
        let digest = Sha256::digest(self.token.expose_secret());
        format!("{}#{:02x}{:02x}", self.url, digest[0], digest[1])
    }

    /// The address that a mark was made of.
    pub fn address_of(mark: &str) -> &str {
        mark.split_once('#').map_or(mark, |(address, _)| address)
    }
}

/// `[discord]`
#[derive(Debug, Clone)]
pub struct Discord {
    /// The bot's token, without the word `Bot`.
    pub token: SecretString,
    /// Servers that are served, each once; empty: all.
    pub guild_ids: Vec<u64>,
    /// How interactions arrive.
    pub transport: Transport,
    /// The application's public key, 64 lower-case hexadecimal digits; present when `transport` is `Http`.
    pub public_key: Option<String>,
    /// Whether commands in words are answered too.
    pub words: bool,
    /// Where to connect instead of Discord's hosts.
    pub connect_to: Option<HostPort>,
    /// One more root certificate (PEM), readable at start.
    pub ca_file: Option<PathBuf>,
}

/// `[bkci]`
#[derive(Debug, Clone)]
pub struct Bkci {
    /// Address before the API path, without a slash at its end.
    pub base_url: String,
    /// Family of addresses.
    pub api: Api,
    /// The application's code.
    pub app_code: String,
    /// The application's secret.
    pub app_secret: SecretString,
    /// Where the application's credentials go; `auto` is already resolved.
    pub credentials: Credentials,
    /// Host of the web pages, without a slash at its end; absent: no links.
    pub web_url: Option<String>,
    /// Time to reach BK-CI, 1 ms to 60 s.
    pub connect_timeout: Duration,
    /// Longest silence while BK-CI answers, 1 ms to 60 s.
    pub read_timeout: Duration,
    /// Ceiling for background reads, at least 1.
    pub max_requests_per_s: u32,
    /// Token that a callback must show; absent: callbacks are not served.
    pub callback_token: Option<SecretString>,
}

/// `[store]`
#[derive(Debug, Clone)]
pub struct Store {
    /// `sqlite:`, `postgres://` or `postgresql://`; secret, because it may hold a password.
    pub url: SecretString,
}

/// `[http]`
#[derive(Debug, Clone)]
pub struct Http {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// How BK-CI reaches us, without a slash at its end; absent: no callbacks are registered.
    pub public_url: Option<String>,
}

/// `[admin]`
#[derive(Debug, Clone)]
pub struct Admin {
    /// Discord users who may administer.
    pub users: Vec<u64>,
    /// Discord roles whose members may administer.
    pub roles: Vec<u64>,
    /// Channel that hears of mappings.
    pub channel: Option<u64>,
}

/// `[retry]`
#[derive(Debug, Clone)]
pub struct Retry {
    /// When the bot asks before it acts.
    pub confirm: Confirm,
}

/// `[follow]`
#[derive(Debug, Clone)]
pub struct Follow {
    /// How often a build is looked at without a hint, at least 200 ms.
    pub poll: Duration,
    /// Log lines in a failure notice, at most 1000; 0: none.
    pub log_lines: u32,
    /// Whether project-level callbacks may be registered.
    pub project_callbacks: bool,
}

/// `[identity]`
#[derive(Debug, Clone)]
pub struct Identity {
    /// What a link needs.
    pub require: Require,
    /// Project of the proof.
    pub proof_project: Option<String>,
    /// Pipeline of the proof.
    pub proof_pipeline: Option<String>,
    /// UID as whom a proof is read.
    pub reader_uid: Option<String>,
    /// Days after which a proof is renewed; 0: never.
    pub expires_days: u32,
}

/// `[audit]`
#[derive(Debug, Clone)]
pub struct Audit {
    /// Key of the chain; absent: made on first start.
    pub key: Option<SecretString>,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct Log {
    /// Shape of a line.
    pub format: LogFormat,
    /// A filter that `tracing-subscriber` accepts.
    pub level: String,
}

/// How interactions arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// By the websocket that the bot opens.
    Gateway,
    /// By signed requests from Discord.
    Http,
}

/// A family of BK-CI addresses (bkci-api.md 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Ids in the path.
    V3,
    /// Through the gateway, ids in the query.
    V4,
    /// What the gateway forwards to.
    V4Backend,
}

/// Where the application's credentials go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// `app_code` and `app_secret` in the query.
    Query,
    /// `X-Bkapi-Authorization`.
    Header,
}

/// When the bot asks before it acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    /// Before what is easily regretted (contract 4).
    Risky,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a link between a Discord user and a UID needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Require {
    /// An administrator's word.
    Admin,
    /// The person's proof.
    Proof,
    /// Both.
    Both,
}

/// Shape of a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// A host and the port on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// A name or an address; an IPv6 address without its brackets.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}
