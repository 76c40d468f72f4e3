//! BK-CI is asked to tell by itself of what is watched: as whoever watches, beside everything else, and never twice for
//! one pipeline. What it refuses, or does not answer, costs a later look and nothing else.

use std::time::Duration;

use sandbox::bkci::{
    BuildPlan, CallbackCall, Endpoint, Fail, Family, Fault, JobPlan, Posted, ProjectRight, RequestRecord, Right,
    StagePlan, TaskPlan, Wrong,
};
use sandbox::discord::{Message, Typing};

use crate::support::{World, stories};

stories![
    the_first_watch_of_a_pipeline_registers_a_callback_and_the_last_one_takes_it_along,
    without_the_right_to_edit_the_answer_says_that_it_will_poll,
    an_address_that_bkci_refuses_is_told,
    while_bkci_does_not_answer_it_is_asked_again_and_retries_go_on,
    whole_projects_are_asked_for_once_and_only_where_the_operator_wants_that,
    what_the_configuration_says_later_is_caught_up_with_at_the_next_start,
    killed_while_it_was_asked_it_is_asked_again,
    a_callback_that_is_sent_makes_the_bot_look,
];

const TOKEN: &str = "hunter2-callback-token";
const REGISTER: Endpoint = Endpoint::Callback(CallbackCall::PutOfPipeline);
const REMOVE: Endpoint = Endpoint::Callback(CallbackCall::DeleteOfPipeline);
const OF_PROJECT: Endpoint = Endpoint::Callback(CallbackCall::CreateMany);
const LIST: Endpoint = Endpoint::Callback(CallbackCall::List);
const REMOVE_OF_PROJECT: Endpoint = Endpoint::Callback(CallbackCall::Delete);

/// With callbacks, and v4's addresses, by which single pipelines can have some.
async fn start(world: &mut World) -> anyhow::Result<()> {
    world.speak(Family::V4);
    world.set("bkci.callback_token", TOKEN);
    world.set("http.public_url", "https://bot.example.com/reprise");
    world.bkci.grant("dev.uid", &world.pipeline, Right::Edit);
    world.start().await
}

fn command(world: &World, (user, channel): (u64, u64), name: &str) -> Typing {
    let typing = Typing::new(user, channel, name).option("project", "demo");
    typing.option("pipeline", world.pipeline.0.as_str())
}

fn add(world: &World) -> Typing {
    command(world, (world.dev, world.channel), "watch add")
}

/// Adds a watch and waits until its answer says how that stands.
async fn told(world: &World, typing: Typing, part: &str) -> anyhow::Result<Message> {
    Ok(world.answer(world.send(typing)?, part).await)
}

const ON: &str = "so it hears at once";

fn asked(world: &World, endpoint: Endpoint) -> Vec<RequestRecord> {
    world.bkci.requests_of(endpoint)
}

fn count(world: &World, endpoint: Endpoint) -> usize {
    asked(world, endpoint).len()
}

async fn the_first_watch_of_a_pipeline_registers_a_callback_and_the_last_one_takes_it_along(
    world: &mut World,
) -> anyhow::Result<()> {
    start(world).await?;
    let answer = told(world, add(world), ON).await?;
    assert!(!answer.ephemeral() && answer.text().contains("every 5 s"), "{}", answer.text());
    let registered = asked(world, REGISTER);
    assert!(registered.iter().all(|asked| asked.uid.as_deref() == Some("dev.uid")), "{registered:?}");
    let (calls, elsewhere) = (registered.len(), world.discord.add_channel(world.guild, "elsewhere"));
    told(world, command(world, (world.dev, elsewhere), "watch add"), ON).await?;
    told(world, add(world), ON).await?;
    world.settled().await?;
    assert_eq!(count(world, REGISTER), calls, "it is there already");
    world.map(world.stranger, "mal.uid").await?;
    world.bkci.permit("mal.uid", "demo", &world.pipeline, &[Right::View]);
    for (channel, last) in [(world.channel, false), (elsewhere, true)] {
        world.ask(command(world, (world.stranger, channel), "watch remove")).await?;
        world.settled().await?;
        assert_eq!(count(world, REMOVE) > 0, last, "{:?}", asked(world, REMOVE));
    }
    let removed = asked(world, REMOVE);
    assert!(removed.iter().all(|asked| asked.uid.as_deref() == Some("dev.uid")), "as who made it: {removed:?}");
    world.failing_build();
    world.pass(Duration::from_secs(60));
    world.bkci.callbacks_settled().await;
    assert!(world.bkci.sent_callbacks().is_empty(), "nothing is told any more");
    Ok(())
}

async fn without_the_right_to_edit_the_answer_says_that_it_will_poll(world: &mut World) -> anyhow::Result<()> {
    start(world).await?;
    world.bkci.withdraw("dev.uid", &world.pipeline, Right::Edit);
    let answer = told(world, add(world), "It will poll").await?;
    assert!(answer.text().contains("(403)") && answer.text().contains("no permission"), "{}", answer.text());
    assert_eq!(count(world, REGISTER), 1, "a refusal is not asked again");
    // Somebody who may edit it watches too.
    world.map(world.stranger, "mal.uid").await?;
    world.bkci.permit("mal.uid", "demo", &world.pipeline, &[Right::View, Right::Edit]);
    let elsewhere = world.discord.add_channel(world.guild, "elsewhere");
    told(world, command(world, (world.stranger, elsewhere), "watch add"), ON).await?;
    assert_eq!(asked(world, REGISTER).last().and_then(|asked| asked.uid.clone()).as_deref(), Some("mal.uid"));
    assert!(world.answer(answer.interaction.as_ref().expect("an answer").id, "It will poll").await.id == answer.id);
    world.settled().await
}

async fn an_address_that_bkci_refuses_is_told(world: &mut World) -> anyhow::Result<()> {
    start(world).await?;
    world.stop().await?;
    world.set("http.public_url", "http://127.0.0.1:8080");
    world.start().await?;
    let answer = told(world, add(world), "It will poll").await?.text();
    assert!(answer.contains("2101366") && answer.contains("http.public_url"), "{answer}");
    // What was refused is forgotten with the watch: there is nothing to remove.
    world.ask(command(world, (world.dev, world.channel), "watch remove")).await?;
    world.settled().await?;
    assert_eq!((count(world, REGISTER), count(world, REMOVE)), (1, 0));
    Ok(())
}

async fn while_bkci_does_not_answer_it_is_asked_again_and_retries_go_on(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    start(world).await?;
    world.bkci.order(REGISTER, Fault::answer(Wrong::ServerError));
    let lost = world.bkci.order(REGISTER, Fault::hold_answer());
    let interaction = world.send(add(world))?;
    world.answer(interaction, "did not answer; it is asked again").await;
    world.pass_until("the second call", |world| (count(world, REGISTER) == 2).then_some(())).await;
    // It hangs, and a lost retry is looked after all the same.
    world.bkci.order(Endpoint::Retry, Fault::lose_answer());
    let retried = world.send(world.retry(world.dev, &build))?;
    let accepted = |world: &World| world.discord.answer(retried)?.text().contains("accepted").then_some(());
    world.pass_until("the retry", accepted).await;
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    lost.release();
    world
        .pass_until("the callback", |world| world.discord.answer(interaction)?.text().contains(ON).then_some(()))
        .await;
    world.settled().await
}

async fn whole_projects_are_asked_for_once_and_only_where_the_operator_wants_that(
    world: &mut World,
) -> anyhow::Result<()> {
    world.set("bkci.callback_token", TOKEN);
    world.set("http.public_url", "https://bot.example.com");
    world.start().await?;
    let other = world.bkci.add_pipeline("demo", "other");
    world.bkci.permit("dev.uid", "demo", &other, &[Right::View]);
    let of_other = |name: &str| {
        let typing = Typing::new(world.dev, world.channel, name).option("project", "demo");
        typing.option("pipeline", other.0.as_str())
    };
    let [add_other, remove_other] = [of_other("watch add"), of_other("watch remove")];
    let answer = world.ask(add(world)).await?.text();
    world.settled().await?;
    assert!(answer.contains("every 5 s") && !answer.contains("by itself"), "{answer}");
    assert_eq!((count(world, OF_PROJECT), count(world, LIST)), (0, 0), "v3 has no others, and these are not wanted");
    world.stop().await?;
    world.set("follow.project_callbacks", "true");
    world.start().await?;
    let answer = told(world, add_other.clone(), "It will poll").await?.text();
    assert!(answer.contains("2101104") && answer.contains("manage"), "{answer}");
    world.settled().await?;
    world.bkci.permit_in_project("dev.uid", "demo", &[ProjectRight::Manage]);
    told(world, add_other, ON).await?;
    let asked_for = count(world, OF_PROJECT);
    told(world, add(world), ON).await?;
    world.settled().await?;
    assert_eq!(count(world, OF_PROJECT), asked_for, "one for all of the project's pipelines");
    world.ask(remove_other).await?;
    world.settled().await?;
    assert_eq!(count(world, REMOVE_OF_PROJECT), 0, "another is watched still");
    world.ask(command(world, (world.dev, world.channel), "watch remove")).await?;
    world.settled().await?;
    assert_eq!(count(world, REMOVE_OF_PROJECT), 2, "each event has a row of its own");
    let tokens = world.logs.text().matches(TOKEN).count();
    assert_eq!(tokens, 0, "it stands in addresses, and in no log");
    Ok(())
}

async fn what_the_configuration_says_later_is_caught_up_with_at_the_next_start(
    world: &mut World,
) -> anyhow::Result<()> {
    world.speak(Family::V4);
    world.bkci.grant("dev.uid", &world.pipeline, Right::Edit);
    world.start().await?;
    world.ask(add(world)).await?;
    world.settled().await?;
    assert_eq!(count(world, REGISTER), 0);
    let mut calls = [0, 0];
    for (token, url, [more, fewer]) in [
        (TOKEN, "https://bot.example.com", [true, false]),
        (TOKEN, "https://bot.example.com", [false, false]),
        (TOKEN, "https://other.example.com", [true, false]),
        ("hunter2-another-token", "https://other.example.com", [true, false]),
        ("", "https://other.example.com", [false, true]),
        (TOKEN, "https://bot.example.com", [true, false]),
    ] {
        world.stop().await?;
        world.set("bkci.callback_token", token);
        world.set("http.public_url", url);
        world.start().await?;
        world.settled().await?;
        let now = [count(world, REGISTER), count(world, REMOVE)];
        assert_eq!([now[0] > calls[0], now[1] > calls[1]], [more, fewer], "{token} {url}");
        calls = now;
    }
    Ok(())
}

async fn killed_while_it_was_asked_it_is_asked_again(world: &mut World) -> anyhow::Result<()> {
    start(world).await?;
    world.bkci.order(REGISTER, Fault::hold_answer());
    let interaction = world.send(add(world))?;
    world.answer(interaction, "is being asked").await;
    world.bkci.wait_for("the call", |bkci| (!bkci.requests_of(REGISTER).is_empty()).then_some(())).await;
    world.kill().await;
    world.start().await?;
    // On PostgreSQL another process may still be at it, until its lease ends.
    world.pass(Duration::from_secs(10 * 60));
    world
        .pass_until("the callback", |world| world.discord.answer(interaction)?.text().contains(ON).then_some(()))
        .await;
    assert!(count(world, REGISTER) >= 2);
    world.settled().await
}

async fn a_callback_that_is_sent_makes_the_bot_look(world: &mut World) -> anyhow::Result<()> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    world.bkci.allow_internal_callbacks(true);
    world.speak(Family::V4);
    world.bkci.grant("dev.uid", &world.pipeline, Right::Edit);
    world.set("http.listen", &format!("127.0.0.1:{port}"));
    world.set("bkci.callback_token", TOKEN);
    world.set("http.public_url", &format!("http://127.0.0.1:{port}/"));
    world.set("follow.poll_ms", "86400000");
    world.start().await?;
    told(world, add(world), ON).await?;
    let unit = TaskPlan::new("Unit").fails(Fail::script("exit 1"));
    let stage = StagePlan::new("Test").job(JobPlan::new("linux").without_machine().task(unit));
    let build = world.bkci.start_build(BuildPlan::new(&world.pipeline).stage(stage));
    let looks = |world: &World| count(world, Endpoint::History) + count(world, Endpoint::Batch);
    let looked = looks(world);
    // Nobody polls within a day: what is seen is seen because BK-CI told.
    world.pass_until("a look", |world| (looks(world) > looked && !sent(world, &build).is_empty()).then_some(())).await;
    world.bkci.callbacks_settled().await;
    let sent = sent(world, &build);
    assert!(sent.iter().all(|outcome| *outcome == Posted::Answered(200)), "{sent:?}");
    Ok(())
}

fn sent(world: &World, build: &str) -> Vec<Posted> {
    let all = world.bkci.sent_callbacks().into_iter();
    all.filter(|callback| callback.build == build).map(|callback| callback.outcome).collect()
}
