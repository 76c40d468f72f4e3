//! Both doubles, one person, and the bot beside them in this process; and what is told at the end.

use std::time::Duration;

use anyhow::Context as _;
use reprise::clock::Clock;
use reprise::config::Settings;
use reprise::model::ids::{Uid, UserId};
use reprise::store::Store;
use sandbox::bkci::BkCi;
use sandbox::discord::{Discord, Options};
use secrecy::SecretString;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::Api;

/// As whom everything is looked at.
pub const UID: &str = "dev.uid";

/// The project of every pipeline.
pub const PROJECT: &str = "demo";

/// The bot has so long to start.
const WELCOME: Duration = Duration::from_secs(30);

/// The doubles, and a database.
pub struct Scene {
    pub discord: Discord,
    pub bkci: BkCi,
    pub guild: u64,
    pub person: u64,
    pub clock: Clock,
    pub file: String,
    folder: tempfile::TempDir,
}

/// The bot at work.
pub struct Bot {
    running: JoinHandle<anyhow::Result<()>>,
    shutdown: CancellationToken,
}

impl Scene {
    pub async fn set() -> anyhow::Result<Self> {
        let clock = sandbox::clock::Clock::default();
        let discord = Discord::start(Options { clock: clock.clone(), openapi: None }).await?;
        let bkci = BkCi::start(clock).await?;
        let guild = discord.add_guild("Builders", "en-US");
        let person = discord.add_user("dev");
        discord.join(guild, person, 0, &[]);
        bkci.add_project(PROJECT);
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("ca.pem"), discord.ca_pem())?;
        let file = format!("sqlite://{}/reprise.db", folder.path().display());
        Ok(Self { discord, bkci, guild, person, clock: Clock::default(), file, folder })
    }

    /// The store, with the person mapped.
    pub async fn store(&self) -> anyhow::Result<Store> {
        let store = Store::open(&SecretString::from(self.file.clone())).await?;
        let uid: Uid = UID.parse()?;
        store.import_mappings(&[(UserId(self.person), uid)], self.clock.now()).await?;
        Ok(store)
    }

    pub fn settings(&self, api: Api, more: &[(&str, &str)]) -> anyhow::Result<Settings> {
        let given = [
            ("DISCORD__TOKEN", self.discord.token()),
            ("DISCORD__GUILD_IDS", self.guild.to_string()),
            ("DISCORD__CONNECT_TO", self.discord.connect_to().to_string()),
            ("DISCORD__CA_FILE", self.folder.path().join("ca.pem").display().to_string()),
            ("BKCI__BASE_URL", self.bkci.base_url_of(api.family())),
            ("BKCI__API", api.key().to_owned()),
            ("BKCI__APP_CODE", self.bkci.app_code()),
            ("BKCI__APP_SECRET", self.bkci.app_secret()),
            ("STORE__URL", self.file.clone()),
            ("HTTP__LISTEN", "127.0.0.1:0".to_owned()),
        ];
        let more = more.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let variables = given.into_iter().chain(more).map(|(key, value)| (format!("REPRISE__{key}"), value));
        Settings::load(&[], variables).map_err(|faults| anyhow::anyhow!("{faults}"))
    }

    /// Starts the bot, and waits until it is at the gateway.
    pub async fn start(&self, settings: Settings) -> anyhow::Result<Bot> {
        let listener = TcpListener::bind(settings.http.listen).await?;
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(reprise::run::run(settings, listener, self.clock.clone(), shutdown.clone()));
        let ready = async {
            while self.discord.gateway_sessions() == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(WELCOME, ready).await.context("the bot does not start")?;
        Ok(Bot { running, shutdown })
    }
}

impl Bot {
    pub async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        self.running.await?
    }
}

/// What is told: lines of a table, the same as JSON, and what does not hold.
#[derive(Debug, Default)]
pub struct Report {
    lines: Vec<(String, String)>,
    json: Map<String, Value>,
    broken: Vec<String>,
}

impl Report {
    pub fn tell(&mut self, key: &str, words: &str, value: impl Into<Value>) {
        let value = value.into();
        self.lines.push((words.to_owned(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        self.json.insert(key.to_owned(), value);
    }

    /// A number that must not be more than so much.
    pub fn hold(&mut self, (key, words): (&str, &str), value: u64, most: u64) {
        self.tell(key, &format!("{words} (at most {most})"), value);
        if value > most {
            self.broken.push(format!("{words}: {value}, and {most} is the most"));
        }
    }

    pub fn break_off(&mut self, why: String) {
        self.broken.push(why);
    }

    pub fn holds(&self) -> bool {
        self.broken.is_empty()
    }

    #[expect(clippy::print_stdout, reason = "it is what is asked for")]
    pub fn print(&self) {
        let width = self.lines.iter().map(|(words, _)| words.chars().count()).max().unwrap_or(0);
        for (words, value) in &self.lines {
            println!("{words:width$}  {value}");
        }
        for broken in &self.broken {
            println!("DOES NOT HOLD: {broken}");
        }
        println!("{}", Value::Object(self.json.clone()));
    }
}
