//! The command line (contract 1): reads arguments and layers, calls what they name, and ends with the exit code.
//!
//! Promises: what was asked for is on standard output, everything else on standard error; a fault in the configuration
//! ends with 2 before anything is tried.

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
use crate::config::{Http, Settings};
use crate::discord::client::Client;
use crate::model::ids::{ProjectId, Uid, UserId};
use crate::store::Store;
use crate::{check, run, telemetry, text};

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
    match arguments.command {
        Command::Serve { files } => configured(&files, serve).await,
        Command::Check { files, uid, project } => {
            let check = async |settings| ended(check::check(&settings, uid.zip(project)).await);
            configured(&files, check).await
        }
        Command::Commands { files, action } => {
            configured(&files, async |settings| ended(commands(&settings, &action).await)).await
        }
        Command::Mapping { files, action } => {
            configured(&files, async |settings| ended(mapping(&settings, &action).await)).await
        }
        // A container takes no other exit codes than 0 and 1 of it.
        Command::Health { files } => ended(health(&files).await),
    }
}

async fn configured(files: &Files, carry_out: impl AsyncFnOnce(Settings) -> ExitCode) -> ExitCode {
    let settings = match Settings::load(&files.config, std::env::vars_os()) {
        Ok(settings) => settings,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::from(FAULTY);
        }
    };
    telemetry::init(settings.log.format, &settings.log.level);
    carry_out(settings).await
}

/// How a call ends that a person, not a log, waits for.
fn ended(done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> ExitCode {
    match serve_until_told_to_stop(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "ended");
            ExitCode::FAILURE
        }
    }
}

async fn serve_until_told_to_stop(settings: Settings) -> anyhow::Result<()> {
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
            let cleared = client.clear_elsewhere(guilds).await?;
            tracing::info!(changed = cleared.changed, "no other server has any");
        }
        CommandsAction::Clear => client.clear(guilds).await?,
    }
    Ok(())
}

/// Asks the process that these layers would start. Plain HTTP to ourselves needs no client library.
async fn health(files: &Files) -> anyhow::Result<()> {
    let listen = Http::load(&files.config, std::env::vars_os())?.listen;
    let here = if listen.is_ipv4() { IpAddr::from(Ipv4Addr::LOCALHOST) } else { IpAddr::from(Ipv6Addr::LOCALHOST) };
    let address = SocketAddr::new(if listen.ip().is_unspecified() { here } else { listen.ip() }, listen.port());
    let answer = tokio::time::timeout(HEALTH_TIMEOUT, ask_for_health(address)).await;
    let answer = answer.with_context(|| format!("nothing answers in time at {address} (http.listen)"))?;
    let answer = answer.with_context(|| format!("nothing answers at {address} (http.listen)"))?;
    anyhow::ensure!(answer.starts_with(b"HTTP/1.1 200"), "{address} (http.listen) answers, but not that it is well");
    writeln!(std::io::stdout().lock(), "{address} is alive")?;
    Ok(())
}

async fn ask_for_health(address: SocketAddr) -> std::io::Result<Vec<u8>> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    Ok(answer)
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
