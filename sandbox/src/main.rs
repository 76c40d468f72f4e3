//! Starts the doubles of Discord and BK-CI and the real bot beside them, as a child process with an embedded database.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use sandbox::bkci::BkCi;
use sandbox::clock::Clock;
use sandbox::demo::{Demo, UID};
use sandbox::discord::{Discord, Message, Options, Typing};
use sandbox::page::{self, Page};
use tokio::process::{Child, Command};

/// Play Discord and BK-CI for the real bot.
#[derive(Debug, Parser)]
#[command(name = "sandbox", version)]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Type /retry as a developer, print the conversation, and fail unless the build was really retried
    Tour,
}

/// Where the chat page is; this machine only.
const PAGE: &str = "127.0.0.1:7878";

/// The bot may take so long to say goodbye.
const GOODBYE: Duration = Duration::from_secs(15);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let discord = Discord::start(Options::from_env(Clock::default())).await?;
    let bkci = BkCi::start(discord.clock().clone()).await?;
    let demo = Demo::build(&discord, &bkci);
    let folder = tempfile::tempdir()?;
    let program = build_bot().await?;
    let environment = environment(&discord, &bkci, &demo, folder.path())?;
    map_the_developer(&program, &environment, &demo, folder.path()).await?;
    let mut bot = Command::new(&program).arg("serve").env_clear().envs(environment).kill_on_drop(true).spawn()?;
    discord.wait_for("the bot at the gateway", |discord| (discord.gateway_sessions() > 0).then_some(())).await;
    let done = match arguments.what {
        Some(What::Tour) => tour(&discord, &bkci, &demo).await,
        None => talk(&discord, &bkci, &demo).await,
    };
    stop(&mut bot).await?;
    done
}

/// The program beside this one may be old or missing, so cargo has the last word.
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

fn environment(
    discord: &Discord,
    bkci: &BkCi,
    demo: &Demo,
    folder: &Path,
) -> anyhow::Result<Vec<(&'static str, String)>> {
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
        ("REPRISE__HTTP__LISTEN", "127.0.0.1:0".to_owned()),
        ("REPRISE__LOG__LEVEL", std::env::var("REPRISE__LOG__LEVEL").unwrap_or_else(|_| "warn".to_owned())),
    ])
}

async fn map_the_developer(
    program: &Path,
    environment: &[(&'static str, String)],
    demo: &Demo,
    folder: &Path,
) -> anyhow::Result<()> {
    let file = folder.join("mappings.csv");
    std::fs::write(&file, format!("discord_user_id,devops_uid\n{},{UID}\n", demo.developer))?;
    let mut import = Command::new(program);
    let status =
        import.args(["mapping", "import"]).arg(file).env_clear().envs(environment.iter().cloned()).status().await?;
    anyhow::ensure!(status.success(), "the mapping could not be imported");
    Ok(())
}

/// SIGTERM, as a service manager would; the exit code is part of the tour.
async fn stop(bot: &mut Child) -> anyhow::Result<()> {
    if let Some(id) = bot.id() {
        Command::new("kill").arg(id.to_string()).status().await?;
    }
    let ended = tokio::time::timeout(GOODBYE, bot.wait()).await.context("the bot did not stop")??;
    anyhow::ensure!(ended.success(), "the bot ended with {ended}");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "printing the conversation is what this is for")]
fn show(who: &str, message: &str) {
    println!("{who}");
    for line in message.lines() {
        println!("  {line}");
    }
}

fn show_answer(answer: &Message) {
    show(if answer.ephemeral() { "Reprise (only to the asker)" } else { "Reprise" }, &answer.text());
}

/// Types a command as a person and waits for what the bot says to it.
async fn ask(discord: &Discord, typing: Typing) -> anyhow::Result<Message> {
    let interaction =
        discord.type_command(typing).map_err(|refused| anyhow::anyhow!("Discord refuses: {refused:?}"))?;
    let answered = |discord: &Discord| discord.answer(interaction).filter(|answer| !answer.thinking());
    let answer = discord.wait_for("an answer", answered).await;
    show_answer(&answer);
    Ok(answer)
}

async fn tour(discord: &Discord, bkci: &BkCi, demo: &Demo) -> anyhow::Result<()> {
    let retry = |user| {
        let typing = Typing::new(user, demo.channel, "retry").option("project", "demo");
        typing.option("pipeline", demo.pipeline.0.as_str()).option("build", demo.failed.as_str())
    };
    let typed = format!("/retry project:demo pipeline:{} build:{}", demo.pipeline.0, demo.failed);
    show("nova, whom nobody has mapped yet, types", &typed);
    let refused = ask(discord, retry(demo.newcomer)).await?;
    anyhow::ensure!(
        refused.ephemeral() && bkci.accepted_retries(&demo.failed).is_empty(),
        "nova must be refused privately"
    );

    show("chen, a developer, types", &typed);
    let answer = ask(discord, retry(demo.developer)).await?;
    let retries = bkci.accepted_retries(&demo.failed);
    anyhow::ensure!(retries.len() == 1, "BK-CI accepted {} retries", retries.len());
    anyhow::ensure!(retries[0].uid == UID, "BK-CI was asked as {}", retries[0].uid);
    anyhow::ensure!(!answer.ephemeral() && answer.text().contains(&demo.failed), "the answer lacks the build id");
    let broken: Vec<String> = discord.violations().into_iter().chain(bkci.violations()).collect();
    anyhow::ensure!(broken.is_empty(), "the bot broke a published contract: {broken:?}");
    show("BK-CI", &format!("{} was retried once, as {UID}: attempt {}", demo.failed, retries[0].execute_count));
    Ok(())
}

/// Serves the chat page until somebody ends it.
async fn talk(discord: &Discord, bkci: &BkCi, demo: &Demo) -> anyhow::Result<()> {
    let page = Page { discord: discord.clone(), bkci: bkci.clone(), demo: demo.clone() };
    let listener = tokio::net::TcpListener::bind(PAGE).await.with_context(|| format!("listening on {PAGE}"))?;
    show("The sandbox is ready", &format!("Open http://{PAGE} and type /retry. Ctrl-C ends it."));
    let ended = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(listener, page::router(page)).with_graceful_shutdown(ended).await.context("serving the chat page")
}
