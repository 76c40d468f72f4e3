//! The command line (contract 1).

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Settings;
use crate::discord::client::Client;
use crate::model::ids::{ProjectId, Uid, UserId};
use crate::store::Store;
use crate::{bkci, run, telemetry, text};

/// A Discord bot that retries BK-CI builds: exactly what was meant, once, under the name of the person who asked.
#[derive(Debug, Parser)]
#[command(name = "reprise", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the bot until it is told to stop (SIGTERM or SIGINT)
    Serve {
        #[command(flatten)]
        files: Files,
    },
    /// Try everything the configuration names, and say what to do about what fails
    Check {
        #[command(flatten)]
        files: Files,
        /// Also try BK-CI as this DevOps user
        #[arg(long = "as", value_name = "UID", requires = "project")]
        uid: Option<Uid>,
        /// The project to try it with (English name)
        #[arg(long, requires = "uid")]
        project: Option<ProjectId>,
    },
    /// Show, register or remove the slash commands (`serve` registers by itself)
    Commands {
        #[command(flatten)]
        files: Files,
        #[command(subcommand)]
        action: CommandsAction,
    },
    /// Import or export who acts as whom
    Mapping {
        #[command(flatten)]
        files: Files,
        #[command(subcommand)]
        action: MappingAction,
    },
    /// Ask the running process whether it is alive
    Health {
        #[command(flatten)]
        files: Files,
    },
}

#[derive(Debug, clap::Args)]
struct Files {
    /// A TOML file over the built-in defaults; may be given more than once, later ones win
    #[arg(long = "config", value_name = "FILE")]
    config: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum CommandsAction {
    /// Print the definitions as JSON
    Show,
    /// Register them, if they differ from what is registered
    Register,
    /// Remove them
    Clear,
}

#[derive(Debug, Subcommand)]
enum MappingAction {
    /// Add and change mappings, all or none; removes nobody
    Import {
        /// CSV with the header `discord_user_id,devops_uid`
        file: PathBuf,
    },
    /// Print all mappings as CSV, sorted
    Export,
}

/// How long `health` waits.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(3);

/// More of the answer than this is not read.
const ANSWER_MAX: u64 = 4096;

/// A fault in the configuration (contract 1).
const FAULTY: u8 = 2;

/// Carries out what the arguments say.
pub async fn main(arguments: Arguments) -> ExitCode {
    let files = match &arguments.command {
        Command::Serve { files } | Command::Check { files, .. } | Command::Commands { files, .. } => files,
        Command::Mapping { files, .. } | Command::Health { files } => files,
    };
    let settings = match Settings::load(&files.config, std::env::vars()) {
        Ok(settings) => settings,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::from(FAULTY);
        }
    };
    telemetry::init(settings.log.format, &settings.log.level);
    let done = match arguments.command {
        Command::Serve { .. } => serve(settings).await,
        Command::Check { uid, project, .. } => check(&settings, uid.zip(project)).await,
        Command::Commands { action, .. } => commands(&settings, &action).await,
        Command::Mapping { action, .. } => mapping(&settings, &action).await,
        Command::Health { .. } => health(settings.http.listen).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "ended");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("told to stop; finishing what is in hand");
        stop.cancel();
    });
    let address = settings.http.listen;
    let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address} (http.listen)"))?;
    run::run(settings, listener, Clock::default(), shutdown).await
}

struct Findings {
    bad: bool,
}

impl Findings {
    fn add(&mut self, key: &str, found: Result<String, String>) -> anyhow::Result<()> {
        self.bad |= found.is_err();
        let mut out = std::io::stdout().lock();
        match found {
            Ok(good) => writeln!(out, "ok      {key}: {good}")?,
            Err(fault) => writeln!(out, "FAILED  {key}: {fault}")?,
        }
        Ok(())
    }
}

async fn check(settings: &Settings, as_user: Option<(Uid, ProjectId)>) -> anyhow::Result<()> {
    let mut findings = Findings { bad: false };
    let store = Store::open(&settings.store.url).await;
    findings.add(
        "store.url",
        store.map(|_| "the database is open and up to date".to_owned()).map_err(|e| format!("{e:#}")),
    )?;
    check_discord(settings, &mut findings).await?;
    let bkci = bkci::Client::new(run::bkci_options(settings))?;
    let reached = bkci.reach().await;
    let reached = reached.map(|()| "BK-CI answers and accepts the application".to_owned()).map_err(|e| e.to_string());
    findings.add("bkci.base_url, bkci.app_code, bkci.app_secret", reached)?;
    if let Some((uid, project)) = as_user {
        let found = bkci.project(&uid, &project).await.map_err(|e| e.to_string());
        findings.add("--as, --project", found.map(|()| format!("{uid} can read the project {project}")))?;
    }
    anyhow::ensure!(!findings.bad, "something above needs attention");
    Ok(())
}

async fn check_discord(settings: &Settings, findings: &mut Findings) -> anyhow::Result<()> {
    if settings.discord.guild_ids.is_empty() {
        let text = "every server is served; only admin.users and admin.roles administer mappings";
        findings.add("discord.guild_ids", Ok(text.to_owned()))?;
    }
    let client = match Client::connect(run::discord_options(settings)?).await {
        Ok(client) => client,
        Err(error) => return findings.add("discord.token", Err(format!("{error:#}"))),
    };
    findings.add("discord.token", Ok(format!("application {}", client.application_id())))?;
    let registered = client.is_registered(&settings.discord.guild_ids, &text::command_description).await;
    let registered = registered.map_err(|error| error.to_string()).and_then(|same| {
        if same {
            Ok("as this version defines them".to_owned())
        } else {
            Err("differ; `reprise commands register` or `serve` mends it".to_owned())
        }
    });
    findings.add("commands", registered)?;
    for guild in &settings.discord.guild_ids {
        let found = client.permissions(*guild).await.map_err(|error| error.to_string());
        findings.add("discord.guild_ids", found.map(|what| format!("server {guild}: {what}")))?;
    }
    Ok(())
}

async fn commands(settings: &Settings, action: &CommandsAction) -> anyhow::Result<()> {
    let guilds = &settings.discord.guild_ids;
    if let CommandsAction::Show = action {
        let definitions = crate::discord::slash::definitions(guilds.is_empty().into(), &text::command_description);
        writeln!(std::io::stdout().lock(), "{}", serde_json::to_string_pretty(&definitions)?)?;
        return Ok(());
    }
    let client = Client::connect(run::discord_options(settings)?).await?;
    match action {
        CommandsAction::Show => {}
        CommandsAction::Register => {
            let registered = client.register(guilds, &text::command_description).await?;
            tracing::info!(changed = registered.changed, "commands are registered");
        }
        CommandsAction::Clear => client.clear(guilds).await?,
    }
    Ok(())
}

/// Asks the running process over its own address. Plain HTTP to ourselves needs no client library.
async fn health(listen: SocketAddr) -> anyhow::Result<()> {
    let here = if listen.is_ipv4() { IpAddr::from(Ipv4Addr::LOCALHOST) } else { IpAddr::from(Ipv6Addr::LOCALHOST) };
    let address = SocketAddr::new(if listen.ip().is_unspecified() { here } else { listen.ip() }, listen.port());
    let ask = async {
        let mut connection = TcpStream::connect(address).await?;
        connection
            .write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
            .await?;
        let mut answer = Vec::new();
        connection.take(ANSWER_MAX).read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = tokio::time::timeout(HEALTH_TIMEOUT, ask).await;
    let answer = answer.with_context(|| format!("{address} (http.listen) does not answer"))?;
    let answer = answer.with_context(|| format!("asking {address} (http.listen)"))?;
    anyhow::ensure!(answer.starts_with(b"HTTP/1.1 200"), "{address} answers, but not that it is well");
    Ok(())
}

async fn mapping(settings: &Settings, action: &MappingAction) -> anyhow::Result<()> {
    let store = Store::open(&settings.store.url).await?;
    match action {
        MappingAction::Import { file } => {
            let text = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
            let mappings = crate::csv_file::read(&text)?;
            store.import_mappings(&mappings, Clock::default().now()).await?;
            tracing::info!(mappings = mappings.len(), "imported");
        }
        MappingAction::Export => {
            let mappings: Vec<(UserId, Uid)> = store.mappings().await?.into_iter().map(|m| (m.user, m.uid)).collect();
            crate::csv_file::write(&mappings, std::io::stdout().lock())?;
        }
    }
    store.close().await;
    Ok(())
}
