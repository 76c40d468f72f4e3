//! The tour: one refusal, one retry, and a watch that hears of a failure and of its repair, without a person, printed as
//! they happen.
//!
//! It fails unless BK-CI really ran the builds again, as the person who asked, and the messages really show it.

use std::time::Duration;

use sandbox::demo::UID;
use sandbox::discord::{Discord, Message, Typing};
use sandbox::stage::Stage;
use sandbox::timetable;

/// The build that is retried takes less than this, by the stage's own clock.
const LONGEST: Duration = Duration::from_secs(600);

/// What is seen comes within this, in real time: the bot may look as seldom as every five seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// The button under a failure.
const RETRY: &str = "Retry failed jobs";

/// Walks the whole tour.
pub async fn walk(stage: &Stage) -> anyhow::Result<()> {
    let Stage { bkci, demo, .. } = stage;
    let retry = |user| {
        let typing = Typing::new(user, demo.channel, "retry").option("project", "demo");
        typing.option("pipeline", demo.pipeline.0.as_str()).option("build", demo.failed.as_str())
    };
    let before = bkci.build(&demo.failed);
    show("BK-CI", &format!("{} is {}, attempt {}", demo.failed, before.status, before.execute_count));

    let refused = ask(stage, "nova, whom nobody has mapped yet, types", retry(demo.newcomer)).await?;
    anyhow::ensure!(refused.ephemeral(), "nova must be refused privately");
    anyhow::ensure!(bkci.accepted_retries(&demo.failed).is_empty(), "nova must not retry anything");

    let answer = ask(stage, "chen, a developer, types", retry(demo.developer)).await?;
    let retries = bkci.accepted_retries(&demo.failed);
    anyhow::ensure!(retries.len() == 1, "BK-CI accepted {} retries", retries.len());
    anyhow::ensure!(retries[0].uid == UID, "BK-CI was asked as {}", retries[0].uid);
    let attempt = retries[0].execute_count;
    let shown = answer.text();
    let shows = |line: &str| shown.lines().any(|one| one.trim_matches('`') == line);
    anyhow::ensure!(
        !answer.ephemeral() && shows(&demo.failed) && shows(&attempt.to_string()),
        "the answer must show everybody the build's id and attempt {attempt}"
    );
    anyhow::ensure!(stage.violations().is_empty(), "the bot broke a published contract: {:?}", stage.violations());
    watch_it_run(stage, attempt)?;
    hear_of_a_failure(stage).await?;
    anyhow::ensure!(stage.violations().is_empty(), "the bot broke a published contract: {:?}", stage.violations());
    Ok(())
}

/// The channel watches; a build fails, is retried by the button under that message, and the same message tells the end.
async fn hear_of_a_failure(stage: &Stage) -> anyhow::Result<()> {
    let Stage { discord, bkci, demo, .. } = stage;
    let typing = Typing::new(demo.developer, demo.channel, "watch add").option("project", "demo");
    ask(stage, "chen types", typing.option("pipeline", demo.pipeline.0.as_str())).await?;
    let build = bkci.start_build(timetable::flaky(&demo.pipeline));
    let number = bkci.build(&build).number;
    show("BK-CI", &format!("{build} starts, number {number}"));
    let notice = |discord: &Discord| {
        let mut messages = discord.messages(demo.channel, demo.newcomer).into_iter();
        messages.find(|message| message.text().contains(&build) && message.interaction.is_none())
    };
    let failed = pass_until(stage, "a failure is told", notice).await?;
    show("Reprise, to the channel that watches", &failed.text());
    let button = failed.component(RETRY).and_then(|button| button["custom_id"].as_str());
    let button = button.ok_or_else(|| anyhow::anyhow!("the failure has no button {RETRY:?}"))?;
    show("chen presses", RETRY);
    let pressed = discord.press(demo.developer, failed.id, button);
    let pressed = pressed.map_err(|refused| anyhow::anyhow!("Discord refuses: {refused}"))?;
    // Before time passes faster: Discord waits three seconds.
    discord.wait_for("the press is acknowledged", |discord| discord.interaction(pressed)?.acknowledged).await;
    let green = |discord: &Discord| discord.message(failed.id).filter(|message| message.text().contains("Recovered"));
    let green = pass_until(stage, "the same message tells the repair", green).await?;
    show("Reprise, in the same message", &green.text());
    let retries = bkci.accepted_retries(&build);
    anyhow::ensure!(retries.len() == 1 && retries[0].uid == UID, "BK-CI accepted {retries:?}");
    let about = discord.messages(demo.channel, demo.newcomer);
    let about = about.iter().filter(|message| message.text().contains(&build)).count();
    anyhow::ensure!(about == 1, "{about} messages tell of {build}");
    Ok(())
}

/// Lets the builds' time pass faster than ours, until something is to be seen. The bot's time is ours.
async fn pass_until<T>(stage: &Stage, what: &str, look: impl Fn(&Discord) -> Option<T>) -> anyhow::Result<T> {
    let started = tokio::time::Instant::now();
    loop {
        if let Some(seen) = look(&stage.discord) {
            return Ok(seen);
        }
        anyhow::ensure!(
            started.elapsed() < PATIENCE,
            "waited {PATIENCE:?} in vain until {what}\n{}",
            stage.discord.describe()
        );
        stage.discord.clock().advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Lets time pass until the build has ended.
fn watch_it_run(stage: &Stage, attempt: u32) -> anyhow::Result<()> {
    let Stage { discord, bkci, demo, .. } = stage;
    let mut passed = Duration::ZERO;
    while !bkci.build(&demo.failed).finished {
        anyhow::ensure!(passed < LONGEST, "the build still runs after {LONGEST:?}");
        discord.clock().advance(Duration::from_secs(1));
        passed += Duration::from_secs(1);
    }
    let ran = bkci.executed(&demo.failed).into_iter().filter(|(execution, _)| *execution == attempt).count();
    let status = bkci.build(&demo.failed).status;
    anyhow::ensure!(ran > 0 && status == "SUCCEED", "attempt {attempt} ran {ran} tasks and ended {status}");
    show("BK-CI", &format!("{}, as {UID}: attempt {attempt} ran {ran} tasks and ended {status}", demo.failed));
    Ok(())
}

/// Types a command as a person, and shows what is seen until there is an answer.
async fn ask(stage: &Stage, who: &str, typing: Typing) -> anyhow::Result<Message> {
    let options = typing.options.iter().map(|(name, value)| format!(" {name}:{}", value.as_str().unwrap_or_default()));
    show(who, &format!("/{}{}", typing.command, options.collect::<String>()));
    let typed = stage.discord.type_command(typing);
    let interaction = typed.map_err(|refused| anyhow::anyhow!("Discord refuses: {refused}"))?;
    let seen = |discord: &Discord| discord.interaction(interaction)?.answer.and_then(|answer| discord.message(answer));
    if stage.discord.wait_for("a sign of life", seen).await.thinking() {
        show("Reprise", "is thinking…");
    }
    let answer = stage.discord.wait_for("an answer", |discord| discord.answer(interaction)).await;
    show(if answer.ephemeral() { "Reprise (only to the asker)" } else { "Reprise" }, &answer.text());
    Ok(answer)
}

#[expect(clippy::print_stdout, reason = "printing the conversation is what this is for")]
fn show(who: &str, message: &str) {
    println!("{who}");
    for line in message.lines() {
        println!("  {line}");
    }
}
