//! A channel that watches a pipeline hears of failures and of their repair: once, in one message per build, with what a
//! reader needs and nothing that a stranger's text does.

use std::time::Duration;

use sandbox::bkci::{BuildPlan, Fail, JobPlan, Right, StagePlan, TaskPlan, Wish};
use sandbox::discord::{Message, Typing};

use crate::support::{World, stories};

stories![
    a_failure_is_told_with_what_a_reader_needs_and_its_repair_in_the_same_message,
    what_the_page_of_bkci_retries_changes_the_same_message,
    a_success_that_repairs_an_earlier_build_is_told_once_and_other_successes_are_not,
    only_first_failures_ping_and_no_edit_does,
    only_branches_that_fit_are_told,
    an_old_failure_that_is_written_to_again_is_no_news,
    what_failed_while_the_bot_was_off_is_told_once,
    whoever_watches_everything_hears_every_end,
    what_is_chosen_on_a_notice_is_what_runs,
    two_channels_hear_each_in_its_own_language_and_message,
    secrets_and_colours_of_the_log_are_not_shown,
    a_watch_whose_user_loses_the_right_pauses_says_so_once_and_goes_on_as_somebody_else,
    a_watch_whose_user_loses_the_mapping_pauses,
    what_nobody_may_see_any_more_is_told_to_nobody,
];
stories!(in v4 V4: a_failure_is_told_with_what_a_reader_needs_and_its_repair_in_the_same_message,
    what_the_page_of_bkci_retries_changes_the_same_message);

fn add(world: &World) -> Typing {
    Typing::new(world.dev, world.channel, "watch add").option("project", "demo").option("pipeline", "nightly")
}

/// Adds a watch, and waits until it looks.
async fn watch(world: &World, typing: Typing) -> anyhow::Result<()> {
    let answer = world.ask(typing).await?;
    anyhow::ensure!(answer.text().contains("Watching"), "{}", answer.text());
    Ok(())
}

/// A build that fails in its second stage, or passes.
fn plan(world: &World, failures: usize) -> BuildPlan {
    let fail = Fail::script("2 of 90 failed");
    let unit = TaskPlan::new("Unit tests").takes(Duration::from_secs(3)).passes_on_retry(failures, fail);
    BuildPlan::new(&world.pipeline)
        .stage(StagePlan::new("Build").job(JobPlan::new("compile").task(TaskPlan::new("Compile"))))
        .stage(StagePlan::new("Test").job(JobPlan::new("unit").task(unit)))
        .started_by("eve.uid")
        .commit("main", "4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a11223344", "Make it faster\n\nmuch")
}

/// What the bot has posted in a channel by itself.
fn posted(world: &World, channel: u64) -> Vec<Message> {
    let messages = world.discord.messages(channel, world.dev).into_iter();
    let said = |message: &Message| message.text().contains("Watching") || message.text().contains("watched");
    messages.filter(|message| !message.ephemeral() && !said(message)).collect()
}

async fn hears(world: &World, part: &str) -> Message {
    let what = format!("a message with {part:?}");
    let shows = |world: &World| posted(world, world.channel).into_iter().find(|said| said.text().contains(part));
    world.pass_on(&what, shows).await
}

/// Lets some looks go by.
async fn a_while(world: &World) {
    let reads = world.bkci.requests().len();
    world.pass_on("looks", |world| (world.bkci.requests().len() >= reads + 3).then_some(())).await;
}

async fn a_failure_is_told_with_what_a_reader_needs_and_its_repair_in_the_same_message(
    world: &mut World,
) -> anyhow::Result<()> {
    world.start().await?;
    watch(world, add(world)).await?;
    let build = world.bkci.start_build(plan(world, 2));
    let failed = hears(world, "Failed").await;
    let number = world.bkci.build(&build).number.to_string();
    let text = failed.text();
    for part in [
        build.as_str(),
        &number,
        "nightly",
        "demo",
        "main",
        "Make it faster",
        "`eve.uid`",
        "Test",
        "unit",
        "Unit tests",
        "2 of 90 failed",
        "2199011",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    assert!(!text.contains("much"), "the first line of the commit's message is enough:\n{text}");
    for (attempt, part) in [(2, "Failed"), (3, "Recovered on attempt 3, retried by")] {
        let button = failed_jobs(world, failed.id);
        world.discord.press(world.dev, failed.id, &button).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
        let wanted = format!("attempt {attempt}");
        let shows = |world: &World| {
            world.discord.message(failed.id).filter(|said| said.text().contains(part) && said.text().contains(&wanted))
        };
        let shown = world.pass_on(&wanted, shows).await;
        assert!(attempt == 2 || shown.text().contains(&format!("<@{}>", world.dev)), "{}", shown.text());
    }
    assert_eq!(posted(world, world.channel).len(), 1, "one message for three attempts");
    let accepted = world.bkci.accepted_retries(&build);
    assert_eq!(accepted.iter().map(|retry| retry.uid.as_str()).collect::<Vec<_>>(), ["dev.uid", "dev.uid"]);
    Ok(())
}

/// The button that retries failed jobs, as the message has it now.
fn failed_jobs(world: &World, message: u64) -> String {
    let message = world.discord.message(message).expect("the message");
    let button = message.component("Retry failed jobs").expect("the button");
    button["custom_id"].as_str().expect("its id").to_owned()
}

async fn what_the_page_of_bkci_retries_changes_the_same_message(world: &mut World) -> anyhow::Result<()> {
    world.bkci.permit("eve.uid", "demo", &world.pipeline, &[Right::View, Right::Execute]);
    world.start().await?;
    watch(world, add(world)).await?;
    let build = world.bkci.start_build(plan(world, 1));
    let failed = hears(world, "Failed").await;
    world
        .bkci
        .retry_on_the_web("eve.uid", &build, Wish::default())
        .map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let shows = |world: &World| world.discord.message(failed.id).filter(|said| said.text().contains("Recovered"));
    let fixed = world.pass_on("the repair", shows).await.text();
    assert!(fixed.contains("attempt 2") && fixed.contains("`eve.uid`"), "{fixed}");
    assert_eq!(posted(world, world.channel).len(), 1);
    Ok(())
}

async fn a_success_that_repairs_an_earlier_build_is_told_once_and_other_successes_are_not(
    world: &mut World,
) -> anyhow::Result<()> {
    world.start().await?;
    watch(world, add(world)).await?;
    world.bkci.start_build(plan(world, 0));
    a_while(world).await;
    assert!(posted(world, world.channel).is_empty(), "nothing was broken");
    let broken = world.bkci.start_build(plan(world, 9));
    hears(world, "Failed").await;
    world.bkci.start_build(plan(world, 0).commit("other", "1", "elsewhere"));
    a_while(world).await;
    assert_eq!(posted(world, world.channel).len(), 1, "another branch repairs nothing");
    let repair = world.bkci.start_build(plan(world, 0));
    let fixed = hears(world, "Fixed").await;
    for build in [&broken, &repair] {
        let number = format!("#{}", world.bkci.build(build).number);
        assert!(fixed.text().contains(&number), "{number}: {}", fixed.text());
    }
    world.bkci.start_build(plan(world, 0));
    a_while(world).await;
    assert_eq!(posted(world, world.channel).len(), 2, "what is whole is not repaired");
    Ok(())
}

async fn only_first_failures_ping_and_no_edit_does(world: &mut World) -> anyhow::Result<()> {
    let role = world.discord.add_role(world.guild, "on call", 0);
    world.discord.set_mentionable(world.guild, role, true);
    world.map(world.stranger, "eve.uid").await?;
    world.start().await?;
    watch(world, add(world).option("mention", role.to_string()).option("mention_starter", true)).await?;
    let build = world.bkci.start_build(plan(world, 9));
    let first = hears(world, "Failed").await;
    assert_eq!(
        (first.pinged().roles.as_slice(), first.pinged().users.as_slice()),
        ([role].as_slice(), [world.stranger].as_slice())
    );
    world
        .bkci
        .retry_on_the_web("dev.uid", &build, Wish::default())
        .map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let again = |world: &World| {
        world
            .discord
            .message(first.id)
            .filter(|said| said.text().contains("Failed") && said.text().contains("attempt 2"))
    };
    let edited = world.pass_on("the second failure", again).await;
    assert_eq!(edited.pinged(), first.pinged(), "an edit pings nobody");
    let second = world.bkci.start_build(plan(world, 9));
    let number = format!("#{}", world.bkci.build(&second).number);
    let next = hears(world, &number).await;
    assert!(next.pinged().roles.is_empty(), "the branch was known to be broken");
    assert_eq!(next.pinged().users, [world.stranger], "but this build is another one of theirs");
    Ok(())
}

async fn only_branches_that_fit_are_told(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    watch(world, add(world).option("branch", "release/*")).await?;
    world.bkci.start_build(plan(world, 9));
    let told = world.bkci.start_build(plan(world, 9).commit("release/1.2", "1", "x"));
    hears(world, &told).await;
    a_while(world).await;
    assert_eq!(posted(world, world.channel).len(), 1);
    Ok(())
}

async fn an_old_failure_that_is_written_to_again_is_no_news(world: &mut World) -> anyhow::Result<()> {
    let old = world.failing_build();
    world.pass(Duration::from_secs(600));
    world.start().await?;
    watch(world, add(world)).await?;
    world.bkci.set_remark(&old, "looked into");
    a_while(world).await;
    assert!(posted(world, world.channel).is_empty());
    let news = world.bkci.start_build(plan(world, 9));
    hears(world, &news).await;
    Ok(())
}

async fn what_failed_while_the_bot_was_off_is_told_once(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    watch(world, add(world)).await?;
    a_while(world).await;
    world.stop().await?;
    let builds: Vec<String> = (0..5).map(|_| world.bkci.start_build(plan(world, 9))).collect();
    world.pass(Duration::from_secs(7200));
    world.start().await?;
    for build in &builds {
        hears(world, build).await;
    }
    a_while(world).await;
    assert_eq!(posted(world, world.channel).len(), builds.len());
    Ok(())
}

async fn what_is_chosen_on_a_notice_is_what_runs(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    watch(world, add(world)).await?;
    for (list, skips) in [("Retry from…", false), ("Skip…", true)] {
        let lint = TaskPlan::new("Lint").fails(Fail::script("style")).with(|options| {
            options.manual_skip = Some(true);
            options.continue_when_failed = true;
        });
        let stage = StagePlan::new("Test").job(JobPlan::new("lint").task(lint));
        let build = world.bkci.start_build(BuildPlan::new(&world.pipeline).stage(stage).started_by("eve.uid"));
        let failed = hears(world, &build).await;
        let custom_id = failed.component(list).expect("the list")["custom_id"].as_str().expect("its id").to_owned();
        let (_, value) = { failed.choices(list) }.into_iter().find(|(label, _)| label == "Lint").expect("the task");
        let chosen = world.discord.choose(world.dev, failed.id, &custom_id, &[&value]);
        let answer = world.answer(chosen.map_err(|refused| anyhow::anyhow!("{refused:?}"))?, "Retry accepted").await;
        assert!(answer.ephemeral(), "{}", answer.text());
        let [accepted] = world.bkci.accepted_retries(&build).try_into().expect("one retry");
        assert_eq!((accepted.task_id, accepted.skip), (Some(value), skips));
        assert_eq!(accepted.uid, "dev.uid");
    }
    Ok(())
}

async fn whoever_watches_everything_hears_every_end(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    watch(world, add(world).option("on", "all")).await?;
    world.bkci.start_build(plan(world, 0));
    hears(world, "Passed").await;
    let stopped = world.bkci.start_build(BuildPlan::running(&world.pipeline).started_by("eve.uid"));
    a_while(world).await;
    world.bkci.stop_on_the_web("dev.uid", &stopped).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let canceled = hears(world, "Cancelled").await;
    assert!(canceled.text().contains("`dev.uid`"), "{}", canceled.text());
    Ok(())
}

async fn two_channels_hear_each_in_its_own_language_and_message(world: &mut World) -> anyhow::Result<()> {
    let (guild, other) = {
        let guild = world.discord.add_guild("中文", "zh-CN");
        world.discord.invite_bot(guild);
        world.discord.join(guild, world.dev, 0, &[]);
        (guild, world.discord.add_channel(guild, "构建"))
    };
    let served = format!("{},{guild}", world.guild);
    world.set("discord.guild_ids", &served);
    world.start().await?;
    watch(world, add(world)).await?;
    let asked = world.send(Typing { channel: other, ..add(world) })?;
    world.answer(asked, "nightly").await;
    let build = world.bkci.start_build(plan(world, 9));
    let here = hears(world, "Failed").await;
    let there = world.pass_on("the other channel", |world| {
        world.discord.messages(other, world.dev).into_iter().find(|said| said.text().contains(&build))
    });
    let there = there.await;
    assert!(there.text().contains("失败") && !there.text().contains("Failed"), "{}", there.text());
    assert!(here.text().contains(&build) && here.id != there.id);
    Ok(())
}

async fn secrets_and_colours_of_the_log_are_not_shown(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    watch(world, add(world)).await?;
    let log =
        ["##[command]deploy", "\u{1b}[31mpassword=hunter2hunter2\u{1b}[0m", "```\n@everyone <@&1>", "the last line"];
    let task = TaskPlan::new("Deploy").log(log).fails(Fail::script("token=ghp_0123456789abcdefghijABCDEFGHIJ012345"));
    let stage = StagePlan::new("Deploy").job(JobPlan::new("deploy").task(task));
    world.bkci.start_build(BuildPlan::new(&world.pipeline).stage(stage).started_by("eve.uid"));
    let failed = hears(world, "the last line").await;
    let text = failed.text();
    assert!(text.contains("******") && !text.contains('\u{1b}') && !text.contains("##["), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("ghp_0123"), "{text}");
    assert_eq!(text.matches("```").count() % 2, 0, "the block cannot be broken out of:\n{text}");
    assert!(failed.pinged().is_nobody());
    Ok(())
}

async fn a_watch_whose_user_loses_the_right_pauses_says_so_once_and_goes_on_as_somebody_else(
    world: &mut World,
) -> anyhow::Result<()> {
    world.map(world.stranger, "eve.uid").await?;
    world.bkci.permit("eve.uid", "demo", &world.pipeline, &[Right::View]);
    world.start().await?;
    watch(world, add(world)).await?;
    world.bkci.withdraw("dev.uid", &world.pipeline, Right::View);
    let paused = hears(world, "`dev.uid`").await;
    let reads = world.bkci.requests().len();
    world.pass(Duration::from_secs(120));
    world.bkci.start_build(plan(world, 9));
    assert_eq!(world.bkci.requests().len(), reads, "nobody looks any more");
    let take = paused.component("Take over").expect("the button")["custom_id"].as_str().expect("its id").to_owned();
    world.discord.press(world.stranger, paused.id, &take).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let build = world.bkci.start_build(plan(world, 9));
    hears(world, &build).await;
    let as_whom = world.bkci.requests().split_off(reads);
    assert!(as_whom.iter().all(|asked| asked.uid.as_deref() == Some("eve.uid")), "as who took it over");
    let told = posted(world, world.channel).into_iter().filter(|said| said.text().contains("`dev.uid`")).count();
    assert_eq!(told, 1, "once");
    Ok(())
}

async fn a_watch_whose_user_loses_the_mapping_pauses(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    watch(world, add(world)).await?;
    a_while(world).await;
    let removal = Typing::new(world.admin, world.channel, "mapping remove").option("user", world.dev.to_string());
    world.ask(removal).await?;
    let paused = hears(world, "`dev.uid`").await;
    assert!(paused.component("Take over").is_some(), "{}", paused.text());
    let reads = world.bkci.requests().len();
    world.pass(Duration::from_secs(60));
    assert_eq!(world.bkci.requests().len(), reads, "nothing is read as somebody who is nobody here any more");
    Ok(())
}

async fn what_nobody_may_see_any_more_is_told_to_nobody(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    watch(world, add(world)).await?;
    a_while(world).await;
    // Refused once, which can pass, and meanwhile a build fails: nothing is told before it may be read again.
    world.bkci.withdraw("dev.uid", &world.pipeline, Right::View);
    let build = world.bkci.start_build(plan(world, 9));
    let refused = |world: &World| world.bkci.requests().iter().any(|asked| asked.status == Some(403)).then_some(());
    world.pass_on("a refusal", refused).await;
    assert!(posted(world, world.channel).is_empty());
    world.bkci.grant("dev.uid", &world.pipeline, Right::View);
    let told = hears(world, &build).await;
    assert!(told.text().contains("Failed"), "{}", told.text());
    Ok(())
}
