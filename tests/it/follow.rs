//! Builds are followed until their attempt ends: one message changes, and what it shows is true.

mod messages;
mod moving;
mod pace;
mod states;
mod trouble;

use std::time::Duration;

use anyhow::Context as _;
use sandbox::bkci::{BkCi, BuildPlan, Endpoint, Fail, JobPlan, StagePlan, TaskPlan, Wish};
use sandbox::discord::Message;

use crate::support::{World, stories_on_each_family};

stories_on_each_family![
    a_retry_is_followed_until_its_attempt_ends_in_the_message_that_answered_it,
    three_attempts_are_one_message_that_ends_recovered,
    what_somebody_else_retries_meanwhile_is_their_attempt,
];

/// Longer than any time between two looks that go well.
const LOOK: Duration = Duration::from_secs(10);

/// A build of two stages whose tests fail so often before they pass. It has failed once.
fn flaky(world: &World, failures: usize) -> String {
    let compile = JobPlan::new("compile").task(TaskPlan::new("Compile").takes(Duration::from_secs(40)));
    let fail = Fail::script("2 of 90 failed");
    let unit = TaskPlan::new("Unit tests").takes(Duration::from_secs(30)).passes_on_retry(failures, fail);
    let plan = BuildPlan::new(&world.pipeline)
        .stage(StagePlan::new("Build").job(compile))
        .stage(StagePlan::new("Test").job(JobPlan::new("unit").task(unit)));
    let build = world.bkci.add_build(plan.started_by("dev.uid"));
    world.pass(Duration::from_secs(120));
    build
}

/// So often was a pipeline looked at.
fn looks(bkci: &BkCi) -> usize {
    let looks = [Endpoint::History, Endpoint::Batch].map(|endpoint| bkci.requests_of(endpoint).len());
    looks.iter().sum()
}

/// Lets time pass, and waits until the bot has looked since and has nothing in hand.
async fn look_after(world: &World, time: Duration) -> anyhow::Result<()> {
    let before = looks_that_ended(world).await?;
    world.pass(time);
    let looked = async {
        while looks_that_ended(world).await? == before {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        anyhow::Ok(())
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), looked).await;
    in_time.with_context(|| format!("nobody looked\n{}\n{}", world.discord.describe(), world.logs.text()))??;
    world.settled().await
}

/// A look has read all that it reads when it is counted.
async fn looks_that_ended(world: &World) -> anyhow::Result<u64> {
    let metrics = world.get("/metrics").await?.1;
    let looks = metrics.lines().filter(|line| line.starts_with("reprise_looks_total"));
    Ok(looks.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
}

/// The messages of a channel, as its members see them.
fn shown(world: &World, channel: u64) -> Vec<Message> {
    let messages = world.discord.messages(channel, world.stranger).into_iter();
    messages.filter(|message| !message.ephemeral()).collect()
}

/// The one message of the channel of the world.
fn notice(world: &World) -> Message {
    let mut messages = shown(world, world.channel);
    assert_eq!(messages.len(), 1, "{messages:#?}");
    messages.remove(0)
}

/// Lets builds go on until the one message of the channel shows something.
async fn notice_with(world: &World, part: &str) -> Message {
    let shows = |world: &World| Some(notice(world)).filter(|message| message.text().contains(part));
    world.pass_on(&format!("a notice with {part:?}"), shows).await
}

fn retry_on_the_web(world: &World, uid: &str, build: &str) -> anyhow::Result<u32> {
    let retried = world.bkci.retry_on_the_web(uid, build, Wish::default());
    retried.map_err(|refused| anyhow::anyhow!("{refused:?}"))
}

async fn a_retry_is_followed_until_its_attempt_ends_in_the_message_that_answered_it(
    world: &mut World,
) -> anyhow::Result<()> {
    let build = flaky(world, 1);
    world.start().await?;
    let asked = world.send(world.retry(world.dev, &build))?;
    let first = world.answer(asked, "Retry accepted").await;
    let compiling = world.pass_until_answered(asked, "Now: **Build › compile › Compile**").await;
    let testing = world.pass_until_answered(asked, "Now: **Test › unit › Unit tests**").await;
    let ended = world.pass_until_answered(asked, "Recovered on attempt 2, retried by").await;
    assert!([&compiling, &testing, &ended].iter().all(|message| message.id == first.id), "one message");
    assert_eq!(world.discord.messages(world.channel, world.dev).len(), 1);
    assert!(ended.text().contains(&format!("<@{}>", world.dev)) && ended.text().contains(&build), "{}", ended.text());
    assert!(testing.text().contains("✅ Build"), "{}", testing.text());
    Ok(())
}

async fn three_attempts_are_one_message_that_ends_recovered(world: &mut World) -> anyhow::Result<()> {
    let build = flaky(world, 2);
    world.map(world.admin, "ada.uid").await?;
    world.bkci.permit("ada.uid", "demo", &world.pipeline, &[sandbox::bkci::Right::View, sandbox::bkci::Right::Execute]);
    world.start().await?;
    let first = world.send(world.retry(world.dev, &build))?;
    world.answer(first, "Retry accepted").await;
    let failed = world.pass_until_answered(first, "2 of 90 failed").await;
    let again = world.ask(world.retry(world.admin, &build)).await?;
    let link = format!("https://discord.com/channels/{}/{}/{}", world.guild, world.channel, failed.id);
    let asker = format!("<@{}>", world.admin);
    // Contract 5, and where it goes on.
    for part in ["Retry accepted", build.as_str(), "#1", "Attempt\n3", "demo", "nightly", "whole build", &asker, &link]
    {
        assert!(again.text().contains(part), "{part}:\n{}", again.text());
    }
    assert!(again.mentions.is_empty() && again.components.iter().all(|row| !row.to_string().contains("custom_id")));
    let ended = world.pass_until_answered(first, "Recovered on attempt 3, retried by").await;
    assert_eq!(ended.id, failed.id);
    let text = ended.text();
    assert!(text.contains(&format!("Recovered on attempt 3, retried by {asker}")), "{text}");
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("**") && line.contains(" · ")).collect();
    assert_eq!(lines.len(), 3, "a line for each attempt:\n{text}");
    for (line, parts) in lines.iter().zip([
        ["**1**", "dev.uid", "❌"],
        ["**2**", &format!("<@{}>", world.dev), "❌"],
        ["**3**", &asker, "✅"],
    ]) {
        assert!(parts.iter().all(|part| line.contains(part)), "{parts:?}: {line}");
    }
    world.settled().await?;
    assert_eq!(shown(world, world.channel).len(), 2, "the notice and the short answer");
    let short = world.discord.message(again.id).map(|message| message.text());
    assert_eq!(short, Some(again.text()), "the short answer stays as it was");
    Ok(())
}

async fn what_somebody_else_retries_meanwhile_is_their_attempt(world: &mut World) -> anyhow::Result<()> {
    let build = flaky(world, 2);
    world.bkci.permit("eve", "demo", &world.pipeline, &[sandbox::bkci::Right::View, sandbox::bkci::Right::Execute]);
    world.start().await?;
    let asked = world.send(world.retry(world.dev, &build))?;
    world.answer(asked, "Retry accepted").await;
    world.pass_until_answered(asked, "Now: **Test › unit › Unit tests**").await;
    // It fails, and is retried on the page before the bot looks again.
    world.pass(Duration::from_secs(35));
    assert_eq!(retry_on_the_web(world, "eve", &build)?, 3);
    let ended = world.pass_until_answered(asked, "Recovered on attempt 3, retried by `eve`").await;
    assert!(ended.text().contains(&format!("**2** · <@{}>", world.dev)), "{}", ended.text());
    assert!(ended.text().contains("**3** · `eve`"), "{}", ended.text());
    assert_eq!(notice(world).id, ended.id);
    Ok(())
}
