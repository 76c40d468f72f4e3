//! `/build stop`: sent once as the person who asks, and what became of it is told truly, whatever is lost on the way.

use std::time::Duration;

use sandbox::bkci::{BkCi, BuildPlan, Endpoint, Fault, JobPlan, Right, StagePlan, TaskPlan, Wish, Wrong};
use sandbox::discord::{self, Gate, Typing};

use crate::support::{World, stories_on_each_family};

stories_on_each_family![
    a_running_build_is_stopped_once_as_the_person_who_asks,
    a_build_that_has_ended_is_not_stopped,
    a_build_of_another_pipeline_is_not_stopped,
    refusals_of_a_stop_are_told_apart,
    a_lost_answer_is_not_made_up_for_by_a_second_stop,
    a_stop_that_bkci_never_saw_ends_unknown_and_is_corrected_later,
    killed_while_a_stop_was_sent_it_is_only_looked_at,
    where_somebody_else_stopped_it_meanwhile_that_is_said,
    a_newer_attempt_is_left_alone,
    while_bkci_is_down_a_stop_is_tried_for_a_while,
    everybody_who_stops_it_at_once_stops_it_once,
    a_second_stop_after_a_minute_is_possible_and_said_to_be_by_force,
    the_stop_on_a_notice_stops_that_attempt_only,
];

/// It runs for an hour.
pub fn running_build(world: &World) -> String {
    let task = TaskPlan::new("Soak").takes(Duration::from_hours(1));
    let stage = StagePlan::new("Test").job(JobPlan::new("linux").task(task));
    world
        .bkci
        .add_build(BuildPlan::new(&world.pipeline).started_by("dev.uid").age(Duration::from_secs(60)).stage(stage))
}

fn stop(world: &World, user: u64, build: &str) -> Typing {
    let typing = Typing::new(user, world.channel, "build stop").option("project", "demo");
    typing.option("pipeline", world.pipeline.0.as_str()).option("build", build)
}

fn stops(world: &World) -> usize {
    world.bkci.requests_of(Endpoint::Stop).len()
}

fn says(world: &World, interaction: u64, part: &str) -> Option<()> {
    world.discord.answer(interaction)?.text().contains(part).then_some(())
}

async fn a_running_build_is_stopped_once_as_the_person_who_asks(world: &mut World) -> anyhow::Result<()> {
    let build = running_build(world);
    world.start().await?;
    let interaction = world.send(stop(world, world.dev, &build))?;
    let answer = world.answer(interaction, "Stopping").await;
    world.discord.redeliver(interaction);
    let text = answer.text();
    assert!(!answer.ephemeral() && answer.mentions.is_empty(), "in public, and without a ping");
    for part in [build.as_str(), "nightly", "#1", "demo", &format!("<@{}>", world.dev), "attempt 1"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(answer.components.iter().any(|row| row.to_string().contains("devops.example.com")), "a link");
    world.settled().await?;
    let asked = world.bkci.requests_of(Endpoint::Stop);
    assert_eq!((asked.len(), asked[0].header("X-DEVOPS-UID")), (1, Some("dev.uid")));
    world.pass(Duration::from_secs(2));
    assert_eq!(world.bkci.build(&build).status, "CANCELED");
    Ok(())
}

async fn a_build_that_has_ended_is_not_stopped(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let text = world.ask(stop(world, world.dev, &build)).await?.text();
    assert!(text.contains("Not stopped") && text.contains("FAILED"), "{text}");
    assert_eq!(stops(world), 0);
    Ok(())
}

/// BK-CI itself would stop it: it does not look whether build and pipeline belong together (bkci-api 8).
async fn a_build_of_another_pipeline_is_not_stopped(world: &mut World) -> anyhow::Result<()> {
    let build = running_build(world);
    let other = world.bkci.add_pipeline("demo", "other");
    world.bkci.permit("dev.uid", "demo", &other, &[Right::View, Right::Execute]);
    world.start().await?;
    let typing = Typing::new(world.dev, world.channel, "build stop").option("project", "demo");
    let typing = typing.option("pipeline", other.0.as_str()).option("build", build.as_str());
    let text = world.ask(typing).await?.text();
    assert!(text.contains("Nothing was done"), "{text}");
    assert_eq!(stops(world), 0);
    Ok(())
}

async fn refusals_of_a_stop_are_told_apart(world: &mut World) -> anyhow::Result<()> {
    world.forgive("BK-CI does not accept how this bot is set up");
    world.map(world.admin, "ada.uid").await?;
    world.bkci.permit("ada.uid", "demo", &world.pipeline, &[Right::View]);
    let build = running_build(world);
    world.start().await?;
    let text = world.ask(stop(world, world.admin, &build)).await?.text();
    assert!(text.contains("2101008 (HTTP 400)") && text.contains("no permission"), "{text}");
    for (wrong, part) in [
        (Wrong::Refusal(2_101_182), "has ended"),
        (Wrong::Refusal(2_101_340), "started the build or manages the pipeline"),
        (Wrong::RateLimited { reset_s: 9 }, "9 s"),
        (Wrong::Gateway(1_640_301), "bkci.app_code"),
    ] {
        world.bkci.order(Endpoint::Stop, Fault::answer(wrong.clone()));
        let answer = world.ask(stop(world, world.dev, &build)).await?;
        let text = answer.text();
        assert!(text.contains("Not stopped") && text.contains(part), "{wrong:?}: {text}");
    }
    world.bkci.stop_on_the_web("dev.uid", &build).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let text = world.ask(stop(world, world.dev, &build)).await?.text();
    assert!(text.contains("in 60 s") && text.contains("2101019"), "{text}");
    Ok(())
}

async fn a_lost_answer_is_not_made_up_for_by_a_second_stop(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let losses = [
        Fault::lose_answer(),
        Fault::answer(Wrong::RequestTimeout).after_acting(),
        Fault::answer(Wrong::Html200).after_acting(),
        Fault::answer(Wrong::Truncated).after_acting(),
    ];
    for (number, lost) in losses.into_iter().enumerate() {
        let build = running_build(world);
        world.bkci.order(Endpoint::Stop, lost);
        let interaction = world.send(stop(world, world.dev, &build))?;
        let found = |world: &World| says(world, interaction, "the build shows that attempt 1 was stopped");
        world.pass_until("the truth", found).await;
        assert_eq!(stops(world), number + 1, "one call each");
    }
    Ok(())
}

async fn a_stop_that_bkci_never_saw_ends_unknown_and_is_corrected_later(world: &mut World) -> anyhow::Result<()> {
    let build = running_build(world);
    world.start().await?;
    world.bkci.order(Endpoint::Stop, Fault::lose_request());
    let interaction = world.send(stop(world, world.dev, &build))?;
    world.pass_until("an interim text", |world| says(world, interaction, "has not answered yet")).await;
    world.pass_until("an end", |world| says(world, interaction, "Unknown whether")).await;
    assert_eq!(stops(world), 1);
    let answer = world.discord.answer(interaction).expect("an answer");
    assert!(answer.components.iter().any(|row| row.to_string().contains("devops.example.com")), "a link");
    let second = world.send(stop(world, world.dev, &build))?;
    world.answer(second, "Stopping").await;
    world.pass(Duration::from_secs(301));
    world.pass_until("the correction", |world| says(world, interaction, "A later stop was")).await;
    assert_eq!(stops(world), 2);
    Ok(())
}

async fn killed_while_a_stop_was_sent_it_is_only_looked_at(world: &mut World) -> anyhow::Result<()> {
    let build = running_build(world);
    world.start().await?;
    world.bkci.order(Endpoint::Stop, Fault::hold_answer());
    let interaction = world.send(stop(world, world.dev, &build))?;
    world.bkci.wait_for("the stop", |bkci| (!bkci.requests_of(Endpoint::Stop).is_empty()).then_some(())).await;
    world.kill().await;
    world.start().await?;
    world.pass_until("the truth", |world| says(world, interaction, "the build shows that attempt 1")).await;
    assert_eq!(stops(world), 1);
    Ok(())
}

async fn where_somebody_else_stopped_it_meanwhile_that_is_said(world: &mut World) -> anyhow::Result<()> {
    let build = running_build(world);
    world.bkci.permit("eve", "demo", &world.pipeline, &[Right::View, Right::Execute]);
    world.start().await?;
    world.bkci.order(Endpoint::Stop, Fault::lose_request());
    let interaction = world.send(stop(world, world.dev, &build))?;
    world.pass_until("an interim text", |world| says(world, interaction, "has not answered yet")).await;
    world.bkci.stop_on_the_web("eve", &build).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    world.pass_until("who stopped it", |world| says(world, interaction, "stopped by `eve`")).await;
    Ok(())
}

async fn a_newer_attempt_is_left_alone(world: &mut World) -> anyhow::Result<()> {
    let build = running_build(world);
    world.bkci.permit("eve", "demo", &world.pipeline, &[Right::View, Right::Execute]);
    world.start().await?;
    world.bkci.order(Endpoint::Stop, Fault::lose_request());
    let interaction = world.send(stop(world, world.dev, &build))?;
    world.bkci.wait_for("the stop", |bkci| (!bkci.requests_of(Endpoint::Stop).is_empty()).then_some(())).await;
    let down = world.bkci.order_always(Endpoint::Detail, Fault::answer(Wrong::NginxBadGateway));
    world.bkci.stop_on_the_web("eve", &build).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    world.pass(Duration::from_secs(2));
    world.bkci.retry_on_the_web("eve", &build, Wish::default()).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    down.withdraw();
    world.pass_until("that another attempt runs", |world| says(world, interaction, "A newer attempt runs")).await;
    assert_eq!(stops(world), 1);
    assert!(!world.bkci.build(&build).finished, "the newer attempt runs on");
    Ok(())
}

async fn while_bkci_is_down_a_stop_is_tried_for_a_while(world: &mut World) -> anyhow::Result<()> {
    let (build, other) = (running_build(world), running_build(world));
    world.start().await?;
    for (build, up, part) in [(build, true, "Stopping"), (other, false, "Not stopped: BK-CI cannot be reached")] {
        // Up for the read, down before the stop: nothing is decided before Discord has the acknowledgement.
        let gate = Gate::default();
        let callback = "/interactions/{interaction_id}/{interaction_token}/callback";
        world.discord.order(discord::Fault::on("POST", callback).hold_answer(&gate));
        let reads = world.bkci.requests_of(Endpoint::Detail).len();
        let interaction = world.send(stop(world, world.dev, &build))?;
        let read = |bkci: &BkCi| {
            let reads = bkci.requests_of(Endpoint::Detail).into_iter().skip(reads);
            reads.into_iter().any(|request| request.status.is_some()).then_some(())
        };
        world.bkci.wait_for("the read", read).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.bkci.down().await?;
        gate.open();
        world.pass_until("that it is tried", |world| says(world, interaction, "still trying")).await;
        if up {
            world.bkci.up().await?;
        }
        world.pass_until(part, |world| says(world, interaction, part)).await;
    }
    assert_eq!(stops(world), 1);
    world.bkci.up().await?;
    Ok(())
}

async fn everybody_who_stops_it_at_once_stops_it_once(world: &mut World) -> anyhow::Result<()> {
    let build = running_build(world);
    world.map(world.admin, "ada.uid").await?;
    world.bkci.permit("ada.uid", "demo", &world.pipeline, &[Right::View, Right::Execute]);
    world.start().await?;
    let first = world.send(stop(world, world.dev, &build))?;
    world.answer(first, "Stopping").await;
    let text = world.ask(stop(world, world.admin, &build)).await?.text();
    assert!(text.contains(&format!("<@{}>", world.dev)) && text.contains("Nothing more was sent"), "{text}");
    let held = world.bkci.order(Endpoint::Stop, Fault::hold_answer());
    let build = running_build(world);
    let pending = world.send(stop(world, world.dev, &build))?;
    world.bkci.wait_for("the stop", |bkci| (bkci.requests_of(Endpoint::Stop).len() == 2).then_some(())).await;
    let text = world.ask(stop(world, world.admin, &build)).await?.text();
    assert!(text.contains("a moment ago") && text.contains(&format!("<@{}>", world.dev)), "{text}");
    held.release();
    world.answer(pending, "Stopping").await;
    assert_eq!(stops(world), 2);
    Ok(())
}

async fn a_second_stop_after_a_minute_is_possible_and_said_to_be_by_force(world: &mut World) -> anyhow::Result<()> {
    let soak = || JobPlan::new("linux").task(TaskPlan::new("Soak").takes(Duration::from_hours(1)));
    let plan = BuildPlan::new(&world.pipeline).started_by("dev.uid").age(Duration::from_secs(60));
    let plan = plan.stage(StagePlan::new("Test").job(soak())).finally(StagePlan::new("Clean up").job(soak()));
    let build = world.bkci.add_build(plan);
    world.start().await?;
    world.answer(world.send(stop(world, world.dev, &build))?, "Stopping").await;
    world.pass(Duration::from_secs(61));
    assert!(!world.bkci.build(&build).finished, "what runs in any case still runs");
    let second = world.answer(world.send(stop(world, world.dev, &build))?, "Stopping").await.text();
    assert!(second.contains("by force"), "{second}");
    assert_eq!(stops(world), 2);
    assert!(world.bkci.build(&build).finished);
    Ok(())
}

async fn the_stop_on_a_notice_stops_that_attempt_only(world: &mut World) -> anyhow::Result<()> {
    use super::presses::{notice, press};
    let (runs, over) = (running_build(world), world.failing_build());
    world.start().await?;
    let shown = notice(world, &runs, 1).await?;
    let answer = world.answer(press(world, world.dev, &shown, "stop")?, "Stopping").await;
    assert!(answer.ephemeral(), "the notice shows it to everybody");
    let shown = notice(world, &over, 1).await?;
    let ended = world.answer(press(world, world.dev, &shown, "stop")?, "Not stopped").await;
    assert!(ended.ephemeral() && ended.text().contains("has ended"), "{}", ended.text());
    world.ask(world.retry(world.dev, &over)).await?;
    let moved = world.answer(press(world, world.dev, &shown, "stop")?, "first").await;
    assert!(moved.text().contains("attempt 2"), "{}", moved.text());
    assert_eq!(stops(world), 1);
    Ok(())
}
