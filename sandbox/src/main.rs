//! Starts the doubles of Discord and BK-CI and the real bot beside them, as a child process with an embedded database.

mod tour;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use sandbox::bkci::Courier;
use sandbox::stage::Stage;
use sandbox::{page, timetable};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// Play Discord and BK-CI for the real bot, and serve a chat page to try it in
///
/// Builds the bot, starts it beside both doubles with an embedded database in a temporary folder, and prints the address
/// of the page. No account, no network: everything stays on this machine and is gone at the end.
#[derive(Debug, Parser)]
#[command(name = "sandbox", version, after_help = "Ctrl-C ends it. REPRISE__LOG__LEVEL=info shows what the bot logs.")]
struct Arguments {
    /// Port of the chat page on 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = 7878, value_name = "PORT")]
    port: u16,
    /// Lose BK-CI's callbacks: the bot finds out by looking (the page can change it)
    #[arg(long)]
    no_callbacks: bool,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Play without a person and print the conversation; fails unless what is shown is true
    Tour,
}

#[tokio::main]
#[expect(clippy::print_stderr, reason = "the last word, for a person")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without the backtrace that `Debug` would add: what is said is what to do.
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let page = match arguments.what {
        None => Some(listen(arguments.port).await?),
        Some(What::Tour) => None,
    };
    let program = build_bot().await?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let told = async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    };
    let callbacks = if arguments.no_callbacks { Courier::Loses } else { Courier::Prompt };
    play(&program, (page, callbacks), told).await
}

/// Plays until it is over, or until `told` to stop. The bot is ended in good order either way.
async fn play(
    program: &Path,
    (page, callbacks): (Option<TcpListener>, Courier),
    told: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    tokio::pin!(told);
    let mut stage = tokio::select! {
        stage = Stage::start(program) => stage?,
        () = &mut told => anyhow::bail!("interrupted before the bot was ready"),
    };
    stage.bkci.order_callbacks(callbacks);
    let done = match page {
        None => tokio::select! {
            toured = tour::walk(&stage) => toured,
            () = &mut told => Err(anyhow::anyhow!("interrupted before the tour was over")),
        },
        Some(listener) => {
            let serving = serve(listener, page::router(stage.page()));
            let starting = timetable::play(stage.bkci.clone(), stage.demo.clone());
            tokio::select! {
                () = starting => Ok(()),
                served = serving => served,
                ended = stage.ended() => Err(anyhow::anyhow!("the bot ended with {}; what it said stands above", ended?)),
                () = &mut told => Ok(()),
            }
        }
    };
    if done.is_ok() {
        return stage.stop().await;
    }
    // The first error is the one to tell.
    let _ = stage.stop().await;
    done
}

/// Before anything else: nobody waits for a build to hear that the port is taken.
async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let remedy = "perhaps another sandbox runs there: end it, or take a free port by --port 0";
    TcpListener::bind(address).await.with_context(|| format!("the chat page cannot be served on {address}; {remedy}"))
}

/// The program beside this one may be old or missing, so cargo has the last word. With the features of the whole
/// workspace, as the tests are built: else its libraries are built a second time.
async fn build_bot() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the sandbox is a member of a workspace")?;
    let mut build = Command::new(cargo);
    build.args(["build", "--workspace", "--bin", "reprise", "--message-format", "json-render-diagnostics"]);
    let built = build.current_dir(root).stdout(Stdio::piped()).spawn()?.wait_with_output().await?;
    anyhow::ensure!(built.status.success(), "the bot does not build");
    let messages = String::from_utf8_lossy(&built.stdout).into_owned();
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let programs = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    programs.collect::<Vec<_>>().pop().context("cargo did not say where it put the bot")
}

#[expect(clippy::print_stdout, reason = "the address is what a person waits for")]
async fn serve(listener: TcpListener, router: axum::Router) -> anyhow::Result<()> {
    println!("The sandbox is ready: open http://{} in a browser.", listener.local_addr()?);
    println!("Be chen and type /watch add demo nightly: builds start by themselves, and what fails is told there.");
    println!("Or type /retry; the builds stand at the right. Be nova, whom nobody has mapped, and try the same.");
    println!("Ctrl-C ends it.");
    axum::serve(listener, router).await.context("serving the chat page")
}
