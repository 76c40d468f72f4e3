//! The Discord double carries a client that nobody here wrote: a bot on discord.js logs in, registers a command, answers
//! it, edits its answer, and answers buttons and a form, and breaks no rule in the double's eyes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use sandbox::clock::Clock;
use sandbox::discord::{Discord, Message, Options, Scope, Typing};
use sandbox::skips::{program, skip};
use serde_json::json;
use tokio::process::{Child, Command};

/// The bot may take so long, in real time, to end.
const GOODBYE: Duration = Duration::from_secs(10);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/discordjs")
}

/// Installs what the lock file names, unless that is there already.
async fn install() -> Result<(), String> {
    if program(&["node"]).is_none() || program(&["npm"]).is_none() {
        return Err("install Node.js and npm".into());
    }
    let changed = |file: &str| folder().join(file).metadata().and_then(|file| file.modified()).ok();
    let (wanted, there) = (changed("package-lock.json"), changed("node_modules/.package-lock.json"));
    if there.is_some() && there >= wanted {
        return Ok(());
    }
    let npm = Command::new("npm").args(["ci", "--ignore-scripts"]).current_dir(folder()).output().await;
    let npm = npm.map_err(|error| format!("npm cannot be run: {error}"))?;
    if npm.status.success() {
        return Ok(());
    }
    Err(format!("npm could not install it: {}", String::from_utf8_lossy(&npm.stderr)))
}

fn start(discord: &Discord, guild: u64, ca_file: &Path) -> anyhow::Result<Child> {
    let mut node = Command::new("node");
    node.arg("bot.js").current_dir(folder()).stdin(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    node.env("DISCORD_API", format!("https://{}/api", discord.connect_to()));
    node.env("DISCORD_TOKEN", discord.token()).env("DISCORD_GUILD", guild.to_string());
    node.env("NODE_EXTRA_CA_CERTS", ca_file);
    node.spawn().context("starting node")
}

/// Ends the bot; a bot that met something unexpected says so by its exit code.
async fn stop(mut bot: Child) -> anyhow::Result<()> {
    drop(bot.stdin.take());
    let ended = tokio::time::timeout(GOODBYE, bot.wait_with_output()).await.context("the bot does not end")??;
    anyhow::ensure!(ended.status.success(), "{}: {}", ended.status, String::from_utf8_lossy(&ended.stderr));
    Ok(())
}

async fn answer(discord: &Discord, interaction: u64, part: &str) -> Message {
    let shows = |discord: &Discord| discord.answer(interaction).filter(|answer| answer.text().contains(part));
    discord.wait_for(part, shows).await
}

#[tokio::test]
async fn a_bot_on_discord_js_registers_answers_edits_and_is_pressed_without_breaking_a_rule() -> anyhow::Result<()> {
    if let Err(remedy) = install().await {
        skip("the Discord double with discord.js", &remedy);
        return Ok(());
    }
    let discord = Discord::start(Options::from_env(Clock::default())).await?;
    let guild = discord.add_guild("Canteen", "en-US");
    let (channel, guest) = (discord.add_channel(guild, "orders"), discord.add_user("Guest"));
    discord.join(guild, guest, 0, &[]);
    let home = tempfile::tempdir()?;
    let ca_file = home.path().join("ca.pem");
    std::fs::write(&ca_file, discord.ca_pem())?;
    let bot = start(&discord, guild, &ca_file)?;
    discord.wait_for("its command", |discord| discord.commands(Scope::Guild(guild)).pop()).await;

    let typing = Typing::new(guest, channel, "order");
    let suggested = discord.autocomplete(typing.clone().option("dish", "ump"), "dish").await?;
    assert_eq!(suggested, [json!({ "name": "dumplings", "value": "dumplings" })]);

    let ordered = discord.type_command(typing.option("dish", "dumplings").option("portions", 2))?;
    let message = answer(&discord, ordered, "Ordered").await;
    assert_eq!(message.text(), "Ordered\nDish\ndumplings\nPortions\n2\nHurry\nNote");
    let followed = |discord: &Discord| discord.interaction(ordered)?.followups.first().copied();
    let followup = discord.wait_for("a followup", followed).await;
    assert_eq!(discord.message(followup).and_then(|message| message.viewer), Some(guest), "it is private");

    let pressed = discord.press(guest, message.id, "note")?;
    discord.wait_for("a form", |discord| discord.interaction(pressed)?.modal).await;
    let submitted = discord.submit_modal(pressed, &[("text", "no onions")])?;
    assert_eq!(answer(&discord, submitted, "Noted").await.content, "Noted: no onions");

    let pressed = discord.press(guest, message.id, "hurry")?;
    let hurried = answer(&discord, pressed, "five minutes").await;
    assert_eq!((hurried.id, hurried.components.len()), (message.id, 0), "the same message, without buttons");

    assert_eq!(discord.violations(), Vec::<String>::new());
    stop(bot).await
}
