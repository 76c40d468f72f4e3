//! Commands typed in words: a mention, and what follows it. Everybody reads what is answered.

use std::time::Duration;

use sandbox::bkci::{BuildPlan, Endpoint, Fail, Fault, JobPlan, Right, StagePlan, TaskPlan};
use sandbox::discord::permissions::{READ_MESSAGE_HISTORY, Target};
use sandbox::discord::{Message, Typing};
use serde_json::{Value, json};

use crate::support::{World, stories};

stories![
    a_failed_task_is_skipped_by_its_name,
    a_leading_slash_and_quotes_are_understood,
    a_mistake_is_answered_each_time_with_its_place,
    without_a_mapping_one_line_names_the_private_way_and_comes_once_an_hour,
    what_is_no_command_gets_the_usage_once_an_hour,
    a_reply_a_bot_a_webhook_and_an_edit_are_no_commands,
    delivered_twice_it_retries_once,
    a_preview_is_shown_to_all_and_confirmed_by_the_asker,
    the_language_is_the_one_the_server_was_last_seen_with,
    while_bkci_is_slow_the_same_message_says_more_and_more,
    killed_before_the_decision_it_is_decided_anew,
    what_a_resumed_connection_brings_late_asks_first,
    words_can_be_switched_off_and_take_no_privileged_intent,
    by_signed_http_nobody_hears_words,
    in_a_server_that_is_not_served_nothing_is_said,
    what_was_typed_does_nothing_in_the_answer,
    where_the_bot_may_not_read_history_it_answers_without_a_reply,
    a_lost_answer_makes_no_second_message,
];

/// `GUILD_MESSAGES` (discord-rules 7).
const GUILD_MESSAGES: u64 = 1 << 9;

/// Says something to the bot; answers the message's id.
fn say(world: &World, user: u64, words: &str) -> anyhow::Result<u64> {
    say_in(world, user, world.channel, words)
}

fn say_in(world: &World, user: u64, channel: u64, words: &str) -> anyhow::Result<u64> {
    let text = format!("<@{}> {words}", world.discord.bot());
    world.discord.say(user, channel, &text).map_err(|refused| anyhow::anyhow!("{refused:?}"))
}

/// What the bot replied to a message.
fn replies(discord: &sandbox::discord::Discord, channel: u64, viewer: u64, asked: u64) -> Vec<Message> {
    let mut messages = discord.messages(channel, viewer);
    messages.retain(|message| message.author == discord.bot() && message.reply_to == Some(asked));
    messages
}

async fn heard(world: &World, asked: u64, part: &str) -> Message {
    let channel = world.discord.message(asked).expect("what was said").channel;
    let what = format!("a reply with {part:?}");
    let find = |discord: &sandbox::discord::Discord| {
        replies(discord, channel, world.dev, asked).into_iter().find(|message| message.text().contains(part))
    };
    world.discord.wait_for(&what, find).await
}

/// Everything the bot said in the channel.
fn said(world: &World) -> Vec<Message> {
    let mut messages = world.discord.messages(world.channel, world.dev);
    messages.retain(|message| message.author == world.discord.bot());
    messages
}

/// Waits until everything that was said before is dealt with: a command is answered after it.
async fn settle(world: &World) -> anyhow::Result<()> {
    world.ask(Typing::new(world.dev, world.channel, "whoami")).await?;
    Ok(())
}

fn posts(world: &World) -> Vec<Value> {
    let requests = world.discord.requests().into_iter();
    let posts = requests.filter(|one| one.method == "POST" && one.route == "/channels/{channel_id}/messages");
    posts.map(|request| request.body).collect()
}

fn lint_and_unit(world: &World) -> String {
    let may_be_skipped = |task: TaskPlan| {
        task.with(|options| {
            options.manual_skip = Some(true);
            options.continue_when_failed = true;
        })
    };
    let lint = may_be_skipped(TaskPlan::new("Lint code").id("e-11111111111111111111111111111111"));
    let unit = TaskPlan::new("Unit").id("e-22222222222222222222222222222222").fails(Fail::script("red")).passes();
    let jobs = StagePlan::new("Test").job(JobPlan::new("lint").task(lint.fails(Fail::script("style"))));
    let jobs = jobs.job(JobPlan::new("units").task(unit));
    let plan = BuildPlan::new(&world.pipeline).started_by("dev.uid").age(Duration::from_secs(3600));
    world.bkci.add_build(plan.stage(jobs))
}

fn retry(world: &World, build: &str) -> String {
    format!("retry demo {} {build}", world.pipeline.0)
}

async fn a_failed_task_is_skipped_by_its_name(world: &mut World) -> anyhow::Result<()> {
    let build = lint_and_unit(world);
    world.start().await?;
    let asked = say(world, world.dev, &format!("{} --skip \"lint code\"", retry(world, &build)))?;
    let answer = heard(world, asked, "Retry accepted").await;
    assert!(!answer.ephemeral() && answer.mentions.is_empty(), "public, and it pings nobody");
    for part in [build.as_str(), "nightly", "Lint code", &format!("<@{}>", world.dev)] {
        assert!(answer.text().contains(part), "{part} is missing:\n{}", answer.text());
    }
    let accepted = world.bkci.accepted_retries(&build);
    let (uid, task) = (accepted[0].uid.as_str(), accepted[0].task_id.as_deref());
    assert_eq!((accepted.len(), uid, task), (1, "dev.uid", Some("e-11111111111111111111111111111111")));
    assert!(accepted[0].skip);
    let posts = posts(world);
    assert_eq!((posts.len(), answer.edits.len()), (1, 0), "one message, said once");
    assert_eq!(posts[0]["allowed_mentions"], json!({"parse": [], "users": [], "roles": [], "replied_user": false}));
    assert_eq!(posts[0]["message_reference"]["fail_if_not_exists"], json!(false));
    assert!(posts[0]["enforce_nonce"] == json!(true) && answer.nonce.is_some());
    Ok(())
}

async fn a_leading_slash_and_quotes_are_understood(world: &mut World) -> anyhow::Result<()> {
    let (first, second) = (lint_and_unit(world), lint_and_unit(world));
    world.start().await?;
    let asked = say(world, world.dev, &format!("/{} --task=Unit", retry(world, &first)))?;
    heard(world, asked, "Retry accepted").await;
    let asked = say(world, world.dev, &format!("Retry “demo” '{}' `{second}` —skip “Lint code”", world.pipeline.0))?;
    heard(world, asked, "Retry accepted").await;
    let task = |build: &str| world.bkci.accepted_retries(build)[0].task_id.clone();
    assert_eq!(task(&first).as_deref(), Some("e-22222222222222222222222222222222"));
    assert_eq!(task(&second).as_deref(), Some("e-11111111111111111111111111111111"));
    Ok(())
}

async fn a_mistake_is_answered_each_time_with_its_place(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for _ in 0..2 {
        let asked = say(world, world.dev, "retry demo nightly 128 --tsk unit")?;
        let answer = heard(world, asked, "--tsk unit\n                       ^").await;
        assert!(answer.text().contains("@Reprise retry PROJECT"), "{}", answer.text());
    }
    // What has the right form may still be no id. It repeats only what everybody could read.
    let asked = say(world, world.dev, "retry demo nightly latest!")?;
    heard(world, asked, "please check").await;
    assert!(world.bkci.requests().is_empty());
    Ok(())
}

async fn without_a_mapping_one_line_names_the_private_way_and_comes_once_an_hour(
    world: &mut World,
) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let asked = say(world, world.stranger, &retry(world, &build))?;
    let line = heard(world, asked, "/whoami").await;
    for private in ["linked", "mapping", "DevOps", &world.stranger.to_string()] {
        assert!(!line.text().contains(private), "{private} is told to everybody:\n{}", line.text());
    }
    // Somebody who is mapped reads the same, so the line tells nothing of anybody.
    let asked = say(world, world.dev, "whoami")?;
    assert_eq!(heard(world, asked, "").await.text(), line.text());
    say(world, world.stranger, &retry(world, &build))?;
    say(world, world.dev, "help")?;
    settle(world).await?;
    assert_eq!(posts(world).len(), 2, "{:?}", said(world).iter().map(Message::text).collect::<Vec<_>>());
    world.pass(Duration::from_secs(3_601));
    let asked = say(world, world.stranger, &retry(world, &build))?;
    heard(world, asked, "/whoami").await;
    world.stop().await?;
    assert_eq!(posts(world).len(), 3);
    assert!(world.bkci.requests().is_empty());
    Ok(())
}

async fn what_is_no_command_gets_the_usage_once_an_hour(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let asked = say(world, world.dev, "thank you!")?;
    heard(world, asked, "@Reprise retry PROJECT").await;
    say(world, world.dev, "")?;
    say(world, world.dev, "restart everything")?;
    let asked = say(world, world.dev, &retry(world, &build))?;
    heard(world, asked, "Retry accepted").await;
    settle(world).await?;
    assert_eq!(posts(world).len(), 2);
    let asked = say(world, world.stranger, "hello?")?;
    heard(world, asked, "@Reprise retry PROJECT").await;
    world.stop().await?;
    assert_eq!(posts(world).len(), 3, "once for each of them");
    Ok(())
}

async fn a_reply_a_bot_a_webhook_and_an_edit_are_no_commands(world: &mut World) -> anyhow::Result<()> {
    let (first, second) = (world.failing_build(), world.failing_build());
    let robot = world.discord.add_bot_user("robot");
    world.discord.join(world.guild, robot, 0, &[]);
    world.map(robot, "dev.uid").await?;
    world.start().await?;
    let asked = say(world, world.dev, &retry(world, &first))?;
    let answer = heard(world, asked, "Retry accepted").await;
    let refused = |refused: sandbox::discord::Refused| anyhow::anyhow!("{refused:?}");
    let command = format!("<@{}> {}", world.discord.bot(), retry(world, &second));
    world.discord.reply(world.dev, answer.id, &retry(world, &second)).map_err(refused)?;
    world.discord.say(world.dev, world.channel, &format!("please, {command}")).map_err(refused)?;
    say(world, robot, &retry(world, &second))?;
    world.discord.say_as_webhook(world.channel, "hook", &command);
    let edited = world.discord.say(world.dev, world.channel, "hm").map_err(refused)?;
    world.discord.edit_said(world.dev, edited, &command).map_err(refused)?;
    // Brought again by a resumed connection, it is still one that was changed.
    world.discord.redeliver_message(edited);
    settle(world).await?;
    world.stop().await?;
    assert!(world.bkci.accepted_retries(&second).is_empty() && posts(world).len() == 1);
    assert!(world.bkci.requests_of(Endpoint::Detail).len() == 1);
    Ok(())
}

async fn delivered_twice_it_retries_once(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let asked = say(world, world.dev, &retry(world, &build))?;
    world.discord.redeliver_message(asked);
    heard(world, asked, "Retry accepted").await;
    world.discord.redeliver_message(asked);
    settle(world).await?;
    world.stop().await?;
    assert_eq!((world.bkci.requests_of(Endpoint::Retry).len(), posts(world).len()), (1, 1));
    Ok(())
}

fn button(message: &Message, verb: &str) -> String {
    let rows = message.components.iter().flat_map(|row| row["components"].as_array().cloned().unwrap_or_default());
    let ids = rows.filter_map(|button| button["custom_id"].as_str().map(str::to_owned));
    ids.into_iter().find(|id| id.starts_with(&format!("{verb}:"))).expect("a button")
}

async fn a_preview_is_shown_to_all_and_confirmed_by_the_asker(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.map(world.admin, "ada.uid").await?;
    world.bkci.permit("ada.uid", "demo", &world.pipeline, &[Right::View, Right::Execute]);
    world.start().await?;
    let asked = say(world, world.dev, &format!("{} --preview", retry(world, &build)))?;
    let shown = heard(world, asked, "Nothing was done yet").await;
    assert!(shown.text().contains(&format!("Only <@{}> can press", world.dev)), "{}", shown.text());
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    let press = |user| {
        let pressed = world.discord.press(user, shown.id, &button(&shown, "run"));
        pressed.map_err(|refused| anyhow::anyhow!("{refused:?}"))
    };
    let refused = world.answer(press(world.admin)?, &format!("<@{}>", world.dev)).await;
    assert!(refused.ephemeral() && refused.id != shown.id);
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    let result = world.answer(press(world.dev)?, "Retry accepted").await;
    assert!(result.id == shown.id && !result.ephemeral(), "the same message turns into the result");
    assert_eq!(world.bkci.accepted_retries(&build)[0].uid, "dev.uid");
    Ok(())
}

async fn the_language_is_the_one_the_server_was_last_seen_with(world: &mut World) -> anyhow::Result<()> {
    let guild = world.discord.add_guild("ビルド", "ja");
    world.discord.join(guild, world.dev, 0, &[]);
    let channel = world.discord.add_channel(guild, "builds");
    world.set("discord.guild_ids", &format!("{},{guild}", world.guild));
    let (first, second) = (world.failing_build(), world.failing_build());
    world.start().await?;
    let asked = say_in(world, world.dev, channel, &retry(world, &first))?;
    heard(world, asked, "Retry accepted").await;
    // An interaction tells the server's language, whatever the person's is. It is kept across a restart.
    world.ask(Typing::new(world.dev, channel, "whoami").locale("en-US")).await?;
    world.stop().await?;
    world.start().await?;
    let asked = say_in(world, world.dev, channel, &retry(world, &second))?;
    heard(world, asked, "再試行を受け付けました").await;
    Ok(())
}

async fn while_bkci_is_slow_the_same_message_says_more_and_more(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let read = world.bkci.order(Endpoint::Detail, Fault::hold_answer());
    let sent = world.bkci.order(Endpoint::Retry, Fault::hold_answer());
    let asked = say(world, world.dev, &retry(world, &build))?;
    world.bkci.wait_for("the read", |bkci| (!bkci.requests_of(Endpoint::Detail).is_empty()).then_some(())).await;
    world.pass(Duration::from_secs(3));
    let interim = heard(world, asked, "Reading the build").await;
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    read.release();
    world.bkci.wait_for("the retry", |bkci| (!bkci.requests_of(Endpoint::Retry).is_empty()).then_some(())).await;
    world.pass(Duration::from_secs(1));
    heard(world, asked, "has not answered yet").await;
    sent.release();
    let answer = heard(world, asked, "Retry accepted").await;
    assert_eq!((answer.id, posts(world).len()), (interim.id, 1), "the same message was edited");
    Ok(())
}

async fn killed_before_the_decision_it_is_decided_anew(world: &mut World) -> anyhow::Result<()> {
    let (fresh, late) = (world.failing_build(), world.failing_build());
    world.start().await?;
    let asked = killed_while_reading(world, &fresh).await?;
    world.start().await?;
    let shows = |world: &World, asked: u64, part: &str| {
        let replies = replies(&world.discord, world.channel, world.dev, asked);
        replies.iter().any(|message| message.text().contains(part)).then_some(())
    };
    world.pass_until("the decision", |world| shows(world, asked, "Retry accepted")).await;
    assert_eq!(world.bkci.accepted_retries(&fresh).len(), 1);
    let asked = killed_while_reading(world, &late).await?;
    world.pass(Duration::from_secs(60));
    world.start().await?;
    world.pass_until("the question", |world| shows(world, asked, "too much time has passed")).await;
    assert!(world.bkci.accepted_retries(&late).is_empty());
    assert_eq!(said(world).len(), 2, "each is answered once");
    Ok(())
}

async fn killed_while_reading(world: &mut World, build: &str) -> anyhow::Result<u64> {
    let before = world.bkci.requests_of(Endpoint::Detail).len();
    world.bkci.order(Endpoint::Detail, Fault::hold_answer());
    let asked = say(world, world.dev, &retry(world, build))?;
    let read = |bkci: &sandbox::bkci::BkCi| (bkci.requests_of(Endpoint::Detail).len() > before).then_some(());
    world.bkci.wait_for("the read", read).await;
    world.kill().await;
    Ok(asked)
}

async fn what_a_resumed_connection_brings_late_asks_first(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    let asked = say(world, world.dev, &retry(world, &build))?;
    world.start().await?;
    world.pass(Duration::from_secs(60));
    world.discord.redeliver_message(asked);
    heard(world, asked, "too much time has passed").await;
    assert!(world.bkci.accepted_retries(&build).is_empty() && world.bkci.requests_of(Endpoint::Detail).len() == 1);
    Ok(())
}

async fn words_can_be_switched_off_and_take_no_privileged_intent(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    assert_eq!(world.discord.gateway_intents(), [GUILD_MESSAGES]);
    let help = world.ask(Typing::new(world.dev, world.channel, "help")).await?.text();
    assert!(help.contains("@Reprise retry"), "{help}");
    world.stop().await?;
    world.set("discord.words", "false");
    world.start().await?;
    assert_eq!(world.discord.gateway_intents(), [0]);
    say(world, world.dev, &retry(world, &build))?;
    let help = world.ask(Typing::new(world.dev, world.channel, "help")).await?.text();
    assert!(!help.contains("@Reprise retry"), "{help}");
    world.stop().await?;
    assert!(posts(world).is_empty() && world.bkci.requests().is_empty());
    Ok(())
}

async fn by_signed_http_nobody_hears_words(world: &mut World) -> anyhow::Result<()> {
    world.set("discord.transport", "http");
    world.set("discord.public_key", &world.discord.public_key());
    let build = world.failing_build();
    world.start().await?;
    world.discord.set_endpoint(Some(&format!("{}/discord/interactions", world.address()))).await?;
    say(world, world.dev, &retry(world, &build))?;
    let help = world.ask(Typing::new(world.dev, world.channel, "help")).await?.text();
    assert!(!help.contains("@Reprise retry"), "{help}");
    assert!(world.discord.gateway_intents().is_empty());
    world.stop().await?;
    assert!(posts(world).is_empty() && world.bkci.requests().is_empty());
    Ok(())
}

async fn in_a_server_that_is_not_served_nothing_is_said(world: &mut World) -> anyhow::Result<()> {
    let guild = world.discord.add_guild("Elsewhere", "en-US");
    world.discord.join(guild, world.dev, 0, &[]);
    let channel = world.discord.add_channel(guild, "builds");
    let build = world.failing_build();
    world.start().await?;
    say_in(world, world.dev, channel, &retry(world, &build))?;
    say_in(world, world.dev, channel, "help")?;
    settle(world).await?;
    world.stop().await?;
    assert!(posts(world).is_empty() && world.bkci.requests().is_empty());
    Ok(())
}

async fn what_was_typed_does_nothing_in_the_answer(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let (admin, guild) = (world.admin, world.guild);
    for (typed, part) in [
        (format!("retry demo nightly 1 @everyone ``` <@{admin}> <@&{guild}> **b**"), "From here on"),
        (format!("retry demo `nightly` \"<@{admin}>``` @here\""), "please check"),
        ("retry \"[x](https://evil.example)\" a b".to_owned(), "please check"),
    ] {
        let asked = say(world, world.dev, &typed)?;
        let answer = heard(world, asked, part).await;
        assert!(answer.mentions.is_empty() && answer.mention_roles.is_empty() && !answer.mention_everyone, "{typed}");
        let fences = answer.text().matches("```").count();
        assert!(fences == 0 || fences == 2, "{}", answer.text());
    }
    for post in posts(world) {
        assert_eq!(post["allowed_mentions"]["parse"], json!([]));
        assert_eq!(post["allowed_mentions"]["replied_user"], json!(false));
    }
    Ok(())
}

async fn where_the_bot_may_not_read_history_it_answers_without_a_reply(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.discord.overwrite(world.channel, Target::Member(world.discord.bot()), 0, READ_MESSAGE_HISTORY);
    world.start().await?;
    say(world, world.dev, &retry(world, &build))?;
    let channel = world.channel;
    let find = |discord: &sandbox::discord::Discord| {
        discord.messages(channel, world.dev).into_iter().find(|message| message.text().contains("Retry accepted"))
    };
    let answer = world.discord.wait_for("the answer", find).await;
    assert_eq!((answer.reply_to, said(world).len()), (None, 1));
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    Ok(())
}

async fn a_lost_answer_makes_no_second_message(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    world.discord.order(sandbox::discord::Fault::on("POST", "/channels/{channel_id}/messages").lose_answer());
    let asked = say(world, world.dev, &retry(world, &build))?;
    world.pass_until("a second try, with the same nonce", |world| (posts(world).len() == 2).then_some(())).await;
    heard(world, asked, "Retry accepted").await;
    world.stop().await?;
    assert_eq!(said(world).len(), 1);
    Ok(())
}
