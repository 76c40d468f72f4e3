//! `World`: both doubles, the bot, and a fresh database.
//!
//! At its end it fails a story that broke a published contract, logged an error it did not order, logged a secret, or
//! left a row that somebody still has to work on.

mod databases;
mod logs;
mod rows;

use std::time::Duration;

use anyhow::Context as _;
use reprise::clock::Clock;
use reprise::config::Settings;
use reprise::model::Timestamp;
use reprise::store::Store;
use sandbox::bkci::{BkCi, BuildPlan, Family, PipelineId, Right};
use sandbox::discord::{Discord, Message, Options, Typing};
use secrecy::SecretString;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use databases::{POSTGRES, database_url, folder, postgres_schema};
use logs::Logs;

/// Discord's bit for Manage Server (discord-rules 5).
pub const MANAGE_SERVER: u64 = 1 << 5;

/// On what a story is told.
#[derive(Clone, Copy, Debug)]
pub enum Ground {
    Sqlite,
    Postgres,
    /// The embedded database, and BK-CI by the addresses of v4 through the gateway.
    V4,
    /// The same past the gateway.
    V4Backend,
}

impl Ground {
    fn family(self) -> Family {
        match self {
            Self::Sqlite | Self::Postgres => Family::V3,
            Self::V4 => Family::V4,
            Self::V4Backend => Family::V4Backend,
        }
    }
}

/// Real time that a bot may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// One test per story and database.
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {
        $crate::support::stories!(in sqlite Sqlite: $($story),+);
        $crate::support::stories!(in postgres Postgres: $($story),+);
    };
    (in $module:ident $ground:ident: $($story:ident),+) => {
        mod $module {
            $(#[test]
            fn $story() {
                $crate::support::tell($crate::support::Ground::$ground, super::$story);
            })+
        }
    };
}
pub(crate) use stories;

/// One test per story and database, and one more per further family of BK-CI's addresses: for stories of retrying.
macro_rules! stories_on_each_family {
    ($($story:ident),+ $(,)?) => {
        $crate::support::stories!($($story),+);
        $crate::support::stories!(in v4 V4: $($story),+);
        $crate::support::stories!(in v4_backend V4Backend: $($story),+);
    };
}
pub(crate) use stories_on_each_family;

pub struct World {
    pub discord: Discord,
    pub bkci: BkCi,
    pub guild: u64,
    pub channel: u64,
    pub admin: u64,
    pub dev: u64,
    pub stranger: u64,
    pub pipeline: PipelineId,
    pub logs: Logs,
    /// The last one counts; the others were spoken before.
    families: Vec<Family>,
    clock: Clock,
    store_url: String,
    folder: tempfile::TempDir,
    extra: Vec<(String, String)>,
    bot: Option<Bot>,
    /// For a look at the rows while the bot runs.
    observer: OnceCell<Store>,
    forgiven: Vec<&'static str>,
}

struct Bot {
    running: JoinHandle<anyhow::Result<()>>,
    shutdown: CancellationToken,
    address: String,
}

pub fn tell(ground: Ground, story: impl AsyncFnOnce(&mut World) -> anyhow::Result<()>) {
    let logs = Logs::default();
    let subscriber = reprise::telemetry::subscriber("debug", logs.clone());
    tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let Some(store_url) = database_url(ground).await else { return };
            let mut world = World::new(store_url, ground.family(), logs.clone()).await.expect("a world");
            let told = story(&mut world).await;
            if let Err(error) = told {
                panic!("{error:?}\n\n{}\n\nlog:\n{}", world.discord.describe(), logs.text());
            }
            world.end().await;
        });
    });
}

fn api_key(family: Family) -> &'static str {
    match family {
        Family::V3 => "v3",
        Family::V4 => "v4",
        Family::V4Backend => "v4-backend",
    }
}

impl World {
    async fn new(store_url: String, family: Family, logs: Logs) -> anyhow::Result<Self> {
        let clock = sandbox::clock::Clock::default();
        let discord = Discord::start(Options::from_env(clock.clone())).await?;
        let bkci = BkCi::start(clock).await?;
        let guild = discord.add_guild("Builders", "en-US");
        let channel = discord.add_channel(guild, "builds");
        let (admin, dev, stranger) = (discord.add_user("ada"), discord.add_user("dev"), discord.add_user("mallory"));
        discord.join(guild, admin, MANAGE_SERVER, &[]);
        discord.join(guild, dev, 0, &[]);
        discord.join(guild, stranger, 0, &[]);
        bkci.add_project("demo");
        let pipeline = bkci.add_pipeline("demo", "nightly");
        bkci.permit("dev.uid", "demo", &pipeline, &[Right::View, Right::Execute]);
        let folder = folder()?;
        let sqlite = format!("sqlite://{}/reprise.db", folder.path().display());
        let store_url = if store_url.is_empty() { sqlite } else { store_url };
        std::fs::write(folder.path().join("ca.pem"), discord.ca_pem())?;
        let mut world = Self {
            discord,
            bkci,
            guild,
            channel,
            admin,
            dev,
            stranger,
            pipeline,
            logs,
            families: vec![family],
            clock: Clock::default(),
            store_url,
            folder,
            extra: Vec::new(),
            bot: None,
            observer: OnceCell::new(),
            forgiven: Vec::new(),
        };
        world.map(dev, "dev.uid").await?;
        Ok(world)
    }

    /// A further setting, from the next start on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.extra.push((format!("REPRISE__{}", key.to_uppercase().replace('.', "__")), value.to_owned()));
    }

    /// The environment a program of this world is started with.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> = [
            ("REPRISE__DISCORD__TOKEN", self.discord.token()),
            ("REPRISE__DISCORD__GUILD_IDS", self.guild.to_string()),
            ("REPRISE__DISCORD__CONNECT_TO", self.discord.connect_to().to_string()),
            ("REPRISE__DISCORD__CA_FILE", self.folder.path().join("ca.pem").display().to_string()),
            ("REPRISE__BKCI__BASE_URL", self.bkci.base_url_of(self.family())),
            ("REPRISE__BKCI__API", api_key(self.family()).to_owned()),
            ("REPRISE__BKCI__APP_CODE", self.bkci.app_code()),
            ("REPRISE__BKCI__APP_SECRET", self.bkci.app_secret()),
            ("REPRISE__BKCI__WEB_URL", "https://devops.example.com".to_owned()),
            ("REPRISE__STORE__URL", self.store_url.clone()),
            ("REPRISE__HTTP__LISTEN", "127.0.0.1:0".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for (name, value) in &self.extra {
            variables.retain(|(other, _)| other != name);
            variables.push((name.clone(), value.clone()));
        }
        variables
    }

    /// What a bot of this world is configured with.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        Settings::load(&[], self.environment().into_iter()).map_err(|faults| anyhow::anyhow!("{faults}"))
    }

    /// The bot's time.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// From the next start on, BK-CI is spoken to by these addresses.
    pub fn speak(&mut self, family: Family) {
        self.families.push(family);
    }

    pub fn family(&self) -> Family {
        self.families.last().copied().unwrap_or(Family::V3)
    }

    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub async fn store(&self) -> anyhow::Result<Store> {
        Store::open(&SecretString::from(self.store_url.clone())).await
    }

    /// Leads the bot to a database in which nothing was ever made, and says where that is.
    pub async fn fresh_store(&mut self) -> anyhow::Result<String> {
        self.observer = OnceCell::new();
        self.store_url = match std::env::var(POSTGRES) {
            Ok(server) if self.store_url.starts_with("postgres") => postgres_schema(&server).await?,
            _ => format!("sqlite://{}/fresh.db", self.folder.path().display()),
        };
        Ok(self.store_url.clone())
    }

    /// Puts rows into the database by hand.
    pub async fn put_rows(&self, sql: String) -> anyhow::Result<()> {
        use sqlx::Connection as _;
        let sql = sqlx::AssertSqlSafe(sql);
        if self.store_url.starts_with("sqlite:") {
            let mut connection = sqlx::SqliteConnection::connect(&self.store_url).await?;
            sqlx::raw_sql(sql).execute(&mut connection).await?;
            connection.close().await?;
        } else {
            let mut connection = sqlx::PgConnection::connect(&self.store_url).await?;
            sqlx::raw_sql(sql).execute(&mut connection).await?;
            connection.close().await?;
        }
        Ok(())
    }

    pub async fn map(&mut self, user: u64, uid: &str) -> anyhow::Result<()> {
        let store = self.store().await?;
        let mapping = (reprise::model::ids::UserId(user), uid.parse()?);
        store.import_mappings(&[mapping], self.clock.now()).await?;
        store.close().await;
        Ok(())
    }

    /// Starts the bot and waits until it is ready.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        self.begin().await?;
        self.until_ready().await
    }

    /// Starts the bot.
    pub async fn begin(&mut self) -> anyhow::Result<()> {
        // Discord lets a bot identify once in five seconds (discord-rules 7).
        self.pass(Duration::from_secs(5));
        let settings = self.settings()?;
        let listener = tokio::net::TcpListener::bind(settings.http.listen).await?;
        let address = format!("http://{}", listener.local_addr()?);
        let shutdown = CancellationToken::new();
        let clock = self.clock.clone();
        let running = tokio::spawn(reprise::run::run(settings, listener, clock, shutdown.clone()));
        self.bot = Some(Bot { running, shutdown, address });
        Ok(())
    }

    async fn until_ready(&self) -> anyhow::Result<()> {
        let ready = async {
            while !matches!(self.get("/readyz").await, Ok((200, _))) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(10), ready).await;
        in_time.with_context(|| format!("the bot did not become ready\n{}", self.logs.text()))
    }

    pub fn address(&self) -> &str {
        &self.bot.as_ref().expect("the bot runs").address
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        // Making a client reads the system's certificates, which costs more than most stories. No connection is kept: it
        // would belong to another story's runtime.
        static HTTP: std::sync::LazyLock<reqwest::Client> = std::sync::LazyLock::new(|| {
            reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client without options")
        });
        let response = HTTP.get(format!("{}{path}", self.address())).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// Stops the bot as SIGTERM does.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let bot = self.bot.take().context("the bot runs")?;
        bot.shutdown.cancel();
        tokio::time::timeout(PATIENCE, bot.running).await.context("it does not stop")??
    }

    /// The process dies: nothing is finished, nothing is said.
    pub async fn kill(&mut self) {
        let bot = self.bot.take().expect("the bot runs");
        bot.running.abort();
        let _ = bot.running.await;
    }

    /// How the bot ended by itself.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        let running = self.bot.take().context("the bot runs")?.running;
        tokio::time::timeout(PATIENCE, running).await.context("it runs on and on")??
    }

    /// Lets time pass, for everybody.
    pub fn pass(&self, time: Duration) {
        self.bkci.clock().advance(time);
        self.clock.advance(time);
    }

    /// Moves the time on, a little at a time, until something is to be seen.
    pub async fn pass_until<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        self.acknowledged().await;
        for _ in 0..400 {
            if let Some(seen) = look(self) {
                return seen;
            }
            self.pass(Duration::from_millis(500));
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        panic!("200 s passed without {what}\n{}\n{}", self.discord.describe(), self.logs.text());
    }

    /// On a busy machine the three seconds for an acknowledgement would pass before the bot has had one of them.
    async fn acknowledged(&self) {
        let all_acknowledged = async {
            let waits = |discord: &Discord| discord.interactions().iter().any(|i| i.acknowledged.is_none());
            while waits(&self.discord) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), all_acknowledged).await;
    }

    /// Lets builds go on, until the answer to an interaction contains `part`.
    pub async fn pass_until_answered(&self, interaction: u64, part: &str) -> Message {
        let shows = |world: &Self| world.discord.answer(interaction).filter(|answer| answer.text().contains(part));
        self.pass_on(&format!("an answer with {part:?}"), shows).await
    }

    /// Lets builds go on, a few seconds at a time, until something is to be seen.
    pub async fn pass_on<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        self.acknowledged().await;
        for _ in 0..400 {
            for _ in 0..20 {
                if let Some(seen) = look(self) {
                    return seen;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            self.pass(Duration::from_secs(2));
        }
        panic!("800 s passed without {what}\n{}\n{}", self.discord.describe(), self.logs.text());
    }

    /// An error that the story brings about.
    pub fn forgive(&mut self, part: &'static str) {
        self.forgiven.push(part);
    }

    pub fn failing_build(&self) -> String {
        self.bkci.add_build(BuildPlan::failing(&self.pipeline).started_by("dev.uid"))
    }

    pub fn retry(&self, user: u64, build: &str) -> Typing {
        let typing = Typing::new(user, self.channel, "retry").option("project", "demo");
        typing.option("pipeline", self.pipeline.0.as_str()).option("build", build)
    }

    /// A command without options, in the channel.
    pub fn command(&self, user: u64, name: &str) -> Typing {
        Typing::new(user, self.channel, name)
    }

    /// Types a command.
    pub fn send(&self, typing: Typing) -> anyhow::Result<u64> {
        self.discord.type_command(typing).map_err(|refused| anyhow::anyhow!("{refused:?}"))
    }

    /// Types a command and waits until its answer shows something.
    pub async fn ask(&self, typing: Typing) -> anyhow::Result<Message> {
        Ok(self.answer(self.send(typing)?, "").await)
    }

    /// Waits until the answer to an interaction contains `part`.
    pub async fn answer(&self, interaction: u64, part: &str) -> Message {
        let what = format!("an answer with {part:?}");
        let shows = |discord: &Discord| {
            discord.answer(interaction).filter(|message| !message.thinking() && message.text().contains(part))
        };
        self.discord.wait_for(&what, shows).await
    }

    /// Waits until no row is left to do.
    pub async fn settled(&self) -> anyhow::Result<()> {
        let store = self.observer.get_or_try_init(|| self.store()).await?;
        let done = async {
            while store.left_to_do(self.clock.now()).await? > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            anyhow::Ok(())
        };
        let in_time = tokio::time::timeout(Duration::from_secs(10), done).await;
        in_time.with_context(|| format!("rows are left to do\n{}", self.logs.text()))?
    }

    async fn end(mut self) {
        if let Some(observer) = self.observer.take() {
            observer.close().await;
        }
        let store = self.store().await.expect("the store opens");
        // What a story did not wait for is done by the bot, and what a killed process had in hand still runs in this one.
        let left = async || store.left_to_do(self.clock.now()).await.expect("a count");
        for _ in 0..200 {
            if left().await == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // The bot's last look may just have found something to say.
        let since = Timestamp(self.clock.now().0 - 5_000);
        if self.bot.is_some() {
            self.stop().await.expect("the bot stops in good order");
        }
        let left = store.left_to_do(since).await.expect("a count");
        assert_eq!(left, 0, "rows are left to do\n{}", self.logs.text());
        store.close().await;
        let mut broken = self.discord.violations();
        broken.extend(self.bkci.violations());
        assert!(broken.is_empty(), "published contracts were broken: {broken:#?}");
        let spoken = |family: Option<Family>| family.is_some_and(|family| self.families.contains(&family));
        let stray = self.bkci.requests().into_iter().find(|request| !spoken(request.family));
        assert!(stray.is_none(), "BK-CI was asked by an address of another family: {stray:?}");
        let errors = self.logs.errors(&self.forgiven);
        assert!(errors.is_empty(), "errors were logged:\n{}", errors.join("\n"));
        let secrets = self.discord.secrets().into_iter().chain(self.bkci.secrets());
        for secret in secrets.filter(|secret| !secret.is_empty()) {
            assert!(!self.logs.text().contains(&secret), "a secret was logged");
        }
    }
}
