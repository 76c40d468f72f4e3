//! The whole stage: both doubles with the demo's world in them, and the real bot as a child process with a database of
//! its own. The sandbox program and the browser test play on it.
//!
//! It promises that the bot is at the gateway with its commands registered once [`Stage::start`] returns, and that the
//! bot was ended as a service manager would once [`Stage::stop`] does. It knows the bot by its program alone.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::{Child, Command};

use crate::bkci::BkCi;
use crate::clock::Clock;
use crate::demo::{Demo, UID};
use crate::discord::{Discord, Options, Scope};
use crate::page::Page;

/// The bot may take so long, in real time, to be ready.
const WELCOME: Duration = Duration::from_secs(30);

/// The bot may take so long, in real time, to say goodbye.
const GOODBYE: Duration = Duration::from_secs(15);

/// What BK-CI's callbacks have to show to the bot.
const CALLBACK_TOKEN: &str = "sandbox-callback-token-5d20";

/// The bot's variable for what it logs.
const LOG_LEVEL: &str = "REPRISE__LOG__LEVEL";

/// A running stage. Dropping it kills the bot.
pub struct Stage {
    /// The chat.
    pub discord: Discord,
    /// The builds.
    pub bkci: BkCi,
    /// Who and what there is.
    pub demo: Demo,
    bot: Child,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// Starts both doubles, maps the developer, starts the bot and waits until it can be talked to.
    ///
    /// # Errors
    /// When something does not start, or the bot ends or is not ready within half a minute.
    pub async fn start(program: &Path) -> anyhow::Result<Self> {
        let discord = Discord::start(Options::from_env(Clock::default())).await?;
        let bkci = BkCi::start(discord.clock().clone()).await?;
        let demo = Demo::build(&discord, &bkci);
        let folder = tempfile::tempdir().context("making a folder for the bot's database")?;
        let play = Play { program, environment: environment(&discord, &bkci, &demo, folder.path())? };
        play.map_the_developer(&demo, folder.path()).await?;
        let bot = play.command().arg("serve").kill_on_drop(true).spawn().context("starting the bot")?;
        let mut stage = Self { discord, bkci, demo, bot, _folder: folder };
        stage.until_ready().await?;
        Ok(stage)
    }

    async fn until_ready(&mut self) -> anyhow::Result<()> {
        let (discord, scope) = (self.discord.clone(), Scope::Guild(self.demo.guild));
        let ready = async {
            let mut changed = discord.changed();
            while discord.gateway_sessions() == 0 || discord.commands(scope).is_empty() {
                // The sender lives as long as `discord` does.
                let _ = changed.changed().await;
            }
        };
        tokio::select! {
            () = ready => Ok(()),
            ended = self.bot.wait() => anyhow::bail!("the bot ended with {}; what it said stands above", ended?),
            () = tokio::time::sleep(WELCOME) => {
                anyhow::bail!("the bot was not ready within {WELCOME:?}\n{}", self.discord.describe())
            }
        }
    }

    /// The chat page on this stage.
    pub fn page(&self) -> Page {
        Page { discord: self.discord.clone(), bkci: self.bkci.clone(), demo: self.demo.clone() }
    }

    /// What correct clients never do and the bot did, at either service.
    pub fn violations(&self) -> Vec<String> {
        self.discord.violations().into_iter().chain(self.bkci.violations()).collect()
    }

    /// Waits until the bot ends by itself.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn ended(&mut self) -> impl Future<Output = std::io::Result<ExitStatus>> {
        self.bot.wait()
    }

    /// Ends the bot by SIGTERM.
    ///
    /// # Errors
    /// When it does not end in time, or not with exit code 0.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(id) = self.bot.id() {
            // The shell's own `kill`: a small system has no program of that name.
            Command::new("sh").args(["-c", "kill \"$0\"", &id.to_string()]).status().await?;
        }
        let ended = tokio::time::timeout(GOODBYE, self.bot.wait()).await.context("the bot did not stop")??;
        anyhow::ensure!(ended.success(), "the bot ended with {ended}");
        Ok(())
    }
}

/// The program with what it is told.
struct Play<'a> {
    program: &'a Path,
    environment: Vec<(&'static str, String)>,
}

impl Play<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command.env_clear().envs(self.environment.iter().cloned());
        command
    }

    async fn map_the_developer(&self, demo: &Demo, folder: &Path) -> anyhow::Result<()> {
        let file = folder.join("mappings.csv");
        std::fs::write(&file, format!("discord_user_id,devops_uid\n{},{UID}\n", demo.developer))?;
        let import = self.command().args(["mapping", "import"]).arg(file).status().await;
        let status = import.with_context(|| format!("running {}", self.program.display()))?;
        anyhow::ensure!(status.success(), "the mapping could not be imported");
        Ok(())
    }
}

fn environment(
    discord: &Discord,
    bkci: &BkCi,
    demo: &Demo,
    folder: &Path,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    // Free now; should another program take it before the bot does, the bot says so.
    let listen = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?.local_addr()?;
    let ca_file = folder.join("ca.pem");
    std::fs::write(&ca_file, discord.ca_pem())?;
    Ok(vec![
        ("REPRISE__DISCORD__TOKEN", discord.token()),
        ("REPRISE__DISCORD__GUILD_IDS", demo.guild.to_string()),
        ("REPRISE__DISCORD__CONNECT_TO", discord.connect_to().to_string()),
        ("REPRISE__DISCORD__CA_FILE", ca_file.display().to_string()),
        ("REPRISE__BKCI__BASE_URL", bkci.base_url()),
        ("REPRISE__BKCI__APP_CODE", bkci.app_code()),
        ("REPRISE__BKCI__APP_SECRET", bkci.app_secret()),
        ("REPRISE__BKCI__WEB_URL", "https://devops.example.com".to_owned()),
        ("REPRISE__STORE__URL", format!("sqlite://{}", folder.join("reprise.db").display())),
        ("REPRISE__BKCI__API", "v4".to_owned()),
        ("REPRISE__BKCI__CALLBACK_TOKEN", CALLBACK_TOKEN.to_owned()),
        ("REPRISE__HTTP__LISTEN", listen.to_string()),
        ("REPRISE__HTTP__PUBLIC_URL", format!("http://{listen}")),
        (LOG_LEVEL, std::env::var(LOG_LEVEL).unwrap_or_else(|_| "warn".to_owned())),
    ])
}
