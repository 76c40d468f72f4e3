//! Previews and confirmations: what is shown is what runs, or nothing.

use std::time::Duration;

use sandbox::bkci::{BuildPlan, Endpoint, Fail, JobPlan, Right, StagePlan, TaskPlan, Wish};
use sandbox::discord::{Fault, Message, RequestRecord};

use crate::support::{World, stories_on_each_family};

stories_on_each_family![
    a_preview_is_private_and_running_it_answers_in_the_channel,
    a_preview_can_be_cancelled,
    where_the_bot_may_not_post_the_result_of_a_preview_still_reaches_the_channel,
    a_lost_answer_to_the_public_message_makes_no_second_one,
    when_no_answer_to_the_public_message_ever_comes_it_is_still_one,
    a_build_that_succeeded_is_retried_only_after_a_confirmation,
    skipping_a_whole_stage_asks_first,
    only_the_asker_may_confirm,
    a_button_pressed_twice_retries_once,
    what_changed_since_is_said_and_nothing_runs,
    an_offer_survives_a_restart_and_ends_after_its_time,
    the_operator_may_want_every_retry_confirmed_or_none,
    without_a_mapping_a_button_does_nothing,
    what_nobody_can_confirm_is_asked_for_again_by_a_button_and_both_answers_end_true,
    left_for_too_long_by_a_dead_process_it_asks_again,
];

fn button(message: &Message, verb: &str) -> String {
    let rows = message.components.iter().flat_map(|row| row["components"].as_array().cloned().unwrap_or_default());
    let ids = rows.filter_map(|button| button["custom_id"].as_str().map(str::to_owned));
    let mut wanted = ids.filter(|id| id.split(':').next() == Some(verb));
    wanted.next().unwrap_or_else(|| panic!("there is no button {verb}: {}", message.text()))
}

fn press(world: &World, user: u64, message: &Message, verb: &str) -> anyhow::Result<u64> {
    let pressed = world.discord.press(user, message.id, &button(message, verb));
    pressed.map_err(|refused| anyhow::anyhow!("{refused:?}"))
}

fn preview(world: &World, build: &str) -> sandbox::discord::Typing {
    world.retry(world.dev, build).option("preview", true)
}

/// The newest message in the channel that everybody sees and that contains `part`.
async fn public(world: &World, part: &str) -> Message {
    let what = format!("a public message with {part:?}");
    let (channel, stranger) = (world.channel, world.stranger);
    let find = |discord: &sandbox::discord::Discord| {
        discord.messages(channel, stranger).into_iter().rev().find(|message| message.text().contains(part))
    };
    world.discord.wait_for(&what, find).await
}

fn retries(world: &World, build: &str) -> usize {
    world.bkci.accepted_retries(build).len()
}

async fn a_preview_is_private_and_running_it_answers_in_the_channel(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let shown = world.ask(preview(world, &build)).await?;
    assert!(shown.ephemeral() && shown.text().contains("Nothing was done yet"), "{}", shown.text());
    assert_eq!(retries(world, &build), 0);
    let pressed = press(world, world.dev, &shown, "run")?;
    let result = public(world, "Retry accepted").await;
    assert!(result.text().contains(&build) && result.mentions.is_empty(), "{}", result.text());
    assert!(result.nonce.is_some(), "a message that is made is made once");
    let closed = world.answer(pressed, "Accepted").await;
    assert!(closed.id == shown.id && closed.components.is_empty(), "the preview is closed in its place");
    assert_eq!(retries(world, &build), 1);
    assert_eq!(world.bkci.accepted_retries(&build)[0].uid, "dev.uid");
    Ok(())
}

async fn a_preview_can_be_cancelled(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let shown = world.ask(preview(world, &build)).await?;
    let pressed = press(world, world.dev, &shown, "cancel")?;
    let closed = world.answer(pressed, "cancelled").await;
    assert!(closed.ephemeral() && closed.id == shown.id);
    assert!(world.discord.messages(world.channel, world.stranger).is_empty(), "nobody else hears of it");
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    Ok(())
}

async fn where_the_bot_may_not_post_the_result_of_a_preview_still_reaches_the_channel(
    world: &mut World,
) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let missing = serde_json::json!({"message": "Missing Permissions", "code": 50013});
    world.discord.order(Fault::on("POST", "/channels/{channel_id}/messages").json(403, &missing));
    let held = world.bkci.order(Endpoint::Retry, sandbox::bkci::Fault::hold_answer());
    let shown = world.ask(preview(world, &build)).await?;
    let pressed = press(world, world.dev, &shown, "run")?;
    world.pass_until("an interim text", |world| says(world, "has not answered yet")).await;
    held.release();
    let result = public(world, "Retry accepted").await;
    assert_eq!(world.discord.messages(world.channel, world.stranger).len(), 1, "the same message was edited");
    let by_token = world.discord.interaction(pressed).map(|seen| seen.followups);
    assert_eq!(by_token, Some(vec![result.id]), "it was posted by the interaction's token");
    Ok(())
}

fn says(world: &World, part: &str) -> Option<()> {
    let messages = world.discord.messages(world.channel, world.stranger);
    messages.iter().any(|message| message.text().contains(part)).then_some(())
}

async fn a_lost_answer_to_the_public_message_makes_no_second_one(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    world.discord.order(Fault::on("POST", "/channels/{channel_id}/messages").lose_answer());
    let shown = world.ask(preview(world, &build)).await?;
    press(world, world.dev, &shown, "run")?;
    world.pass_until("the result", |world| says(world, "Retry accepted")).await;
    let posts = |world: &World| {
        let posted =
            |request: &RequestRecord| request.method == "POST" && request.route == "/channels/{channel_id}/messages";
        (world.discord.requests().iter().filter(|request| posted(request)).count() == 2).then_some(())
    };
    world.pass_until("a second try, with the same nonce", posts).await;
    world.stop().await?;
    assert_eq!(world.discord.messages(world.channel, world.stranger).len(), 1);
    Ok(())
}

fn posted(world: &World, times: usize) -> Option<()> {
    let posts =
        |request: &RequestRecord| request.method == "POST" && request.route == "/channels/{channel_id}/messages";
    (world.discord.requests().iter().filter(|request| posts(request)).count() == times).then_some(())
}

async fn when_no_answer_to_the_public_message_ever_comes_it_is_still_one(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    world.discord.order(Fault::on("POST", "/channels/{channel_id}/messages").times(3).lose_answer());
    let shown = world.ask(preview(world, &build)).await?;
    let pressed = press(world, world.dev, &shown, "run")?;
    world.pass_until("the last try", |world| posted(world, 3)).await;
    world.settled().await?;
    assert_eq!(world.discord.messages(world.channel, world.stranger).len(), 1, "no further message by the token");
    assert_eq!(world.discord.interaction(pressed).map(|seen| seen.followups), Some(Vec::new()));
    Ok(())
}

async fn a_build_that_succeeded_is_retried_only_after_a_confirmation(world: &mut World) -> anyhow::Result<()> {
    let build = world.bkci.add_build(BuildPlan::succeeding(&world.pipeline));
    world.start().await?;
    let asked = world.ask(world.retry(world.dev, &build)).await?;
    assert!(!asked.ephemeral() && asked.mentions.is_empty(), "in public, and without a ping");
    assert_eq!(retries(world, &build), 0);
    let pressed = press(world, world.dev, &asked, "run")?;
    let result = world.answer(pressed, "Retry accepted").await;
    assert!(result.id == asked.id, "the same message turns into the result");
    assert!(!result.components.iter().any(|row| row.to_string().contains("run:")), "its buttons are gone");
    assert_eq!(retries(world, &build), 1);
    Ok(())
}

fn one_stage_that_may_be_skipped(world: &World) -> String {
    let lint = TaskPlan::new("Lint").id("e-11111111111111111111111111111111").fails(Fail::script("style"));
    let lint = lint.with(|options| {
        options.manual_skip = Some(true);
        options.continue_when_failed = true;
    });
    let fails = TaskPlan::new("Unit").id("e-22222222222222222222222222222222").fails(Fail::script("red")).passes();
    let fails = fails.with(|options| {
        options.manual_skip = Some(true);
        options.continue_when_failed = true;
    });
    let stage = StagePlan::new("Test").job(JobPlan::new("one").task(lint)).job(JobPlan::new("two").task(fails));
    let plan = BuildPlan::new(&world.pipeline).started_by("dev.uid").age(Duration::from_secs(3600)).stage(stage);
    world.bkci.add_build(plan)
}

async fn skipping_a_whole_stage_asks_first(world: &mut World) -> anyhow::Result<()> {
    let build = one_stage_that_may_be_skipped(world);
    world.start().await?;
    let asked = world.ask(world.retry(world.dev, &build).option("skip", "stage-2")).await?;
    assert!(asked.text().contains("Lint") && asked.text().contains("Unit"), "{}", asked.text());
    assert_eq!(retries(world, &build), 0);
    let pressed = press(world, world.dev, &asked, "run")?;
    world.answer(pressed, "Retry accepted").await;
    let accepted = &world.bkci.accepted_retries(&build)[0];
    assert_eq!((accepted.task_id.as_deref(), accepted.skip), (Some("stage-2"), true));
    Ok(())
}

async fn only_the_asker_may_confirm(world: &mut World) -> anyhow::Result<()> {
    let build = world.bkci.add_build(BuildPlan::succeeding(&world.pipeline));
    world.map(world.admin, "ada.uid").await?;
    world.bkci.permit("ada.uid", "demo", &world.pipeline, &[Right::View, Right::Execute]);
    world.start().await?;
    let asked = world.ask(world.retry(world.dev, &build)).await?;
    for verb in ["run", "cancel"] {
        let pressed = press(world, world.admin, &asked, verb)?;
        let refused = world.answer(pressed, &format!("<@{}>", world.dev)).await;
        assert!(refused.ephemeral() && refused.id != asked.id, "only the one who pressed sees it");
    }
    assert_eq!(retries(world, &build), 0);
    assert!(world.discord.message(asked.id).expect("the question").text().contains("Nothing was done yet"));
    Ok(())
}

async fn a_button_pressed_twice_retries_once(world: &mut World) -> anyhow::Result<()> {
    let build = world.bkci.add_build(BuildPlan::succeeding(&world.pipeline));
    world.start().await?;
    let asked = world.ask(world.retry(world.dev, &build)).await?;
    let held = [0; 2].map(|_| world.bkci.order(Endpoint::Detail, sandbox::bkci::Fault::hold_answer()));
    let first = press(world, world.dev, &asked, "run")?;
    let second = press(world, world.dev, &asked, "run")?;
    world.bkci.wait_for("both reads", |bkci| (bkci.requests_of(Endpoint::Detail).len() == 3).then_some(())).await;
    held.iter().for_each(|held| held.release());
    world.discord.redeliver(first);
    world.answer(first, "Retry accepted").await;
    world.stop().await?;
    let shown = world.discord.message(asked.id).expect("the question").text();
    assert!(shown.contains("Retry accepted"), "the second press {second} wrote over the result:\n{shown}");
    assert_eq!(world.bkci.requests_of(Endpoint::Retry).len(), 1);
    world.start().await?;
    Ok(())
}

async fn what_changed_since_is_said_and_nothing_runs(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.bkci.permit("eve", "demo", &world.pipeline, &[Right::View, Right::Execute]);
    world.start().await?;
    let shown = world.ask(preview(world, &build)).await?;
    world.bkci.retry_on_the_web("eve", &build, Wish::default()).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let pressed = press(world, world.dev, &shown, "run")?;
    let answer = world.answer(pressed, "Not retried").await;
    assert!(answer.ephemeral() && answer.text().contains("eve") && answer.text().contains('2'), "{}", answer.text());
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty(), "the bot sent nothing");
    assert!(world.discord.messages(world.channel, world.stranger).is_empty());
    Ok(())
}

async fn an_offer_survives_a_restart_and_ends_after_its_time(world: &mut World) -> anyhow::Result<()> {
    let (first, second) = (world.failing_build(), world.failing_build());
    world.start().await?;
    let shown = world.ask(preview(world, &first)).await?;
    world.stop().await?;
    world.start().await?;
    press(world, world.dev, &shown, "run")?;
    public(world, "Retry accepted").await;
    let late = world.ask(preview(world, &second)).await?;
    world.pass(Duration::from_secs(15 * 60 + 1));
    let pressed = press(world, world.dev, &late, "run")?;
    let refused = world.answer(pressed, "It worked until").await;
    assert!(refused.ephemeral() && refused.text().contains("Type the command again"), "{}", refused.text());
    assert_eq!(retries(world, &second), 0);
    Ok(())
}

async fn the_operator_may_want_every_retry_confirmed_or_none(world: &mut World) -> anyhow::Result<()> {
    world.set("retry.confirm", "always");
    let failed = world.failing_build();
    world.start().await?;
    let asked = world.ask(world.retry(world.dev, &failed)).await?;
    assert_eq!(retries(world, &failed), 0);
    let pressed = press(world, world.dev, &asked, "cancel")?;
    world.answer(pressed, "cancelled").await;
    world.stop().await?;
    world.set("retry.confirm", "never");
    let succeeded = world.bkci.add_build(BuildPlan::succeeding(&world.pipeline));
    world.start().await?;
    world.ask(world.retry(world.dev, &succeeded)).await?;
    assert_eq!(retries(world, &succeeded), 1);
    Ok(())
}

async fn without_a_mapping_a_button_does_nothing(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let shown = world.ask(preview(world, &build)).await?;
    let remove = sandbox::discord::Typing::new(world.admin, world.channel, "mapping remove");
    world.ask(remove.option("user", world.dev.to_string())).await?;
    let pressed = press(world, world.dev, &shown, "run")?;
    let refused = world.answer(pressed, "/mapping set").await;
    assert!(refused.ephemeral());
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    Ok(())
}

async fn what_nobody_can_confirm_is_asked_for_again_by_a_button_and_both_answers_end_true(
    world: &mut World,
) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    world.bkci.order(Endpoint::Retry, sandbox::bkci::Fault::lose_request());
    let typed = world.discord.type_command(world.retry(world.dev, &build));
    let first = typed.map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let unknown = |world: &World| {
        world.discord.answer(first).filter(|answer| answer.text().contains("Unknown whether")).map(|_| ())
    };
    world.pass_until("that nobody knows", unknown).await;
    let answer = world.discord.answer(first).expect("an answer");
    let pressed = press(world, world.dev, &answer, "again")?;
    let second = world.answer(pressed, "Retry accepted").await;
    assert!(second.id != answer.id && !second.ephemeral(), "the first answer may still be corrected");
    assert_eq!((retries(world, &build), world.bkci.requests_of(Endpoint::Retry).len()), (1, 2));
    world.pass(Duration::from_secs(301));
    let corrected = |world: &World| {
        let answer = world.discord.answer(first)?;
        (answer.text().contains("a later retry was") && answer.components.len() < 2).then_some(())
    };
    world.pass_until("the correction", corrected).await;
    Ok(())
}

async fn left_for_too_long_by_a_dead_process_it_asks_again(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    world.bkci.order(Endpoint::Detail, sandbox::bkci::Fault::hold_answer());
    let typed = world.discord.type_command(world.retry(world.dev, &build));
    let interaction = typed.map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let acknowledged = |discord: &sandbox::discord::Discord| discord.interaction(interaction)?.acknowledged.map(|_| ());
    world.discord.wait_for("the acknowledgement", acknowledged).await;
    world.bkci.wait_for("the read", |bkci| (!bkci.requests_of(Endpoint::Detail).is_empty()).then_some(())).await;
    world.kill().await;
    world.pass(Duration::from_secs(40));
    world.start().await?;
    let asks = |world: &World| {
        world.discord.answer(interaction).filter(|answer| answer.text().contains("was interrupted")).map(|_| ())
    };
    world.pass_until("a question", asks).await;
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty(), "an old wish is not carried out unasked");
    let question = world.discord.answer(interaction).expect("a question");
    let pressed = press(world, world.dev, &question, "run")?;
    world.answer(pressed, "Retry accepted").await;
    assert_eq!(retries(world, &build), 1);
    Ok(())
}
