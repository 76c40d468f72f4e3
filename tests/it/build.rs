//! `/build status` and `/build log`: what is shown was read as the person who asks.

use std::time::Duration;

use sandbox::bkci::{BuildPlan, Endpoint, Fail, Fault, JobPlan, LogCall, StagePlan, TaskPlan, Wish, Wrong};
use sandbox::discord::Typing;

use crate::support::{World, stories_on_each_family};

stories_on_each_family![
    the_status_of_a_build_is_told_in_public_with_buttons_that_act,
    a_build_that_passed_has_a_status_without_buttons,
    the_log_of_the_first_failing_task_is_for_the_asker_alone,
    a_log_is_that_of_the_task_that_was_named_in_the_attempt_that_ran_it_last,
    the_log_of_the_task_that_runs_is_shown_while_nothing_failed,
    no_line_of_a_log_breaks_out_or_shows_a_secret,
    why_there_is_no_log_is_said,
    who_may_not_look_is_told_so_and_sees_nothing,
];

const LINT: &str = "e-11111111111111111111111111111111";
const UNIT: &str = "e-22222222222222222222222222222222";

/// One job passes, the other fails at first.
fn half_failing(world: &World) -> String {
    let lint = TaskPlan::new("Lint").id(LINT).log(["lint: all fine"]);
    let unit = TaskPlan::new("Unit tests").id(UNIT).step("unit_test").fails(Fail::script("red"));
    let unit = unit.log(["first try", "red on the first try"]).log(["second try", "red again"]);
    let stage = StagePlan::new("Test").job(JobPlan::new("one").task(lint)).job(JobPlan::new("two").task(unit));
    world
        .bkci
        .add_build(BuildPlan::new(&world.pipeline).started_by("dev.uid").age(Duration::from_mins(60)).stage(stage))
}

fn command(world: &World, user: u64, (name, build): (&str, &str)) -> Typing {
    let typing = Typing::new(user, world.channel, name).option("project", "demo");
    typing.option("pipeline", world.pipeline.0.as_str()).option("build", build)
}

fn log(world: &World, build: &str) -> Typing {
    command(world, world.dev, ("build log", build))
}

async fn the_status_of_a_build_is_told_in_public_with_buttons_that_act(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let answer = world.ask(command(world, world.dev, ("build status", &build))).await?;
    let text = answer.text();
    assert!(!answer.ephemeral() && answer.mentions.is_empty(), "in public, and without a ping");
    assert!(text.contains("Failed: nightly #1") && text.contains(&build), "{text}");
    assert_eq!(world.bkci.requests().len(), 1, "one read");
    assert!(world.bkci.requests().iter().all(|request| request.header("X-DEVOPS-UID") == Some("dev.uid")));
    let retry = format!("failed:{}", answer.interaction.as_ref().expect("an answer").id);
    let pressed =
        world.discord.press(world.dev, answer.id, &retry).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let closed = world.answer(pressed, "Accepted").await;
    assert!(closed.ephemeral(), "{}", closed.text());
    let told = |world: &World| {
        let public = world.discord.messages(world.channel, world.stranger);
        public.iter().any(|message| message.id != answer.id && message.text().contains(&build)).then_some(())
    };
    world.pass_until("the channel hears of it", told).await;
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    Ok(())
}

async fn a_build_that_passed_has_a_status_without_buttons(world: &mut World) -> anyhow::Result<()> {
    let build = world.bkci.add_build(BuildPlan::succeeding(&world.pipeline));
    world.start().await?;
    let answer = world.ask(command(world, world.dev, ("build status", &build))).await?;
    assert!(answer.text().contains("Passed"), "{}", answer.text());
    assert!(!answer.components.iter().any(|row| row.to_string().contains("custom_id")), "only a link");
    Ok(())
}

async fn the_log_of_the_first_failing_task_is_for_the_asker_alone(world: &mut World) -> anyhow::Result<()> {
    let build = half_failing(world);
    world.start().await?;
    let answer = world.ask(log(world, &build)).await?;
    let text = answer.text();
    assert!(answer.ephemeral(), "only the asker");
    for part in ["Unit tests", "Test › two › Unit tests", "attempt 1", "red on the first try", "```", "<t:"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = world.ask(log(world, &build).option("lines", 1)).await?.text();
    assert!(text.contains("red on the first try") && text.matches("first try").count() == 1, "{text}");
    Ok(())
}

async fn a_log_is_that_of_the_task_that_was_named_in_the_attempt_that_ran_it_last(
    world: &mut World,
) -> anyhow::Result<()> {
    let build = half_failing(world);
    let failed = Wish { task_id: Some("stage-2".into()), failed_container: true, skip: false };
    world.bkci.retry_on_the_web("dev.uid", &build, failed).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    world.pass(Duration::from_mins(30));
    world.start().await?;
    for named in [UNIT, "unit_test", "unit tests"] {
        let text = world.ask(log(world, &build).option("task", named)).await?.text();
        assert!(text.contains("attempt 2") && text.contains("red again"), "{named}: {text}");
        assert!(!text.contains("first try"), "{named}: {text}");
    }
    let text = world.ask(log(world, &build).option("task", LINT)).await?.text();
    assert!(text.contains("attempt 1") && text.contains("lint: all fine"), "it did not run again: {text}");
    Ok(())
}

async fn the_log_of_the_task_that_runs_is_shown_while_nothing_failed(world: &mut World) -> anyhow::Result<()> {
    let build = super::stopping::running_build(world);
    world.bkci.set_log(&build, &world.bkci.build(&build).task("Soak").expect("a task").id, 1, ["it soaks"]);
    world.start().await?;
    let text = world.ask(log(world, &build)).await?.text();
    assert!(text.contains("runs since") && text.contains("it soaks"), "{text}");
    Ok(())
}

async fn no_line_of_a_log_breaks_out_or_shows_a_secret(world: &mut World) -> anyhow::Result<()> {
    let build = half_failing(world);
    let lines = ["\u{1b}[31mred\u{1b}[0m", "```", "<@&1> @everyone", "##[error]boom", "password=hunter2hunter2"];
    world.bkci.set_log(&build, UNIT, 1, lines);
    world.start().await?;
    let answer = world.ask(log(world, &build)).await?;
    let text = answer.text();
    assert_eq!(text.matches("```").count(), 2, "{text}");
    assert!(text.contains("red") && text.contains("boom") && !text.contains('\u{1b}'), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("##["), "{text}");
    assert!(answer.mentions.is_empty() && !answer.mention_everyone);
    Ok(())
}

async fn why_there_is_no_log_is_said(world: &mut World) -> anyhow::Result<()> {
    let build = half_failing(world);
    let passed = world.bkci.add_build(BuildPlan::succeeding(&world.pipeline));
    world.start().await?;
    for (status, part) in [
        (1, "has written nothing"),
        (2, "does not keep this log any more"),
        (3, "put this log away"),
        (999, "could not look through its logs"),
    ] {
        world.bkci.set_log_status(&build, Some(status));
        let text = world.ask(log(world, &build)).await?.text();
        assert!(text.contains(part), "{status}: {text}");
    }
    for (build, named, part) in [
        (&build, Some("nothing"), "Nothing in this build"),
        (&build, Some("stage-2"), "is no task"),
        (&passed, None, "Name a task"),
    ] {
        let typing = log(world, build);
        let typing = named.map_or_else(|| log(world, build), |named| typing.option("task", named));
        let text = world.ask(typing).await?.text();
        assert!(text.contains(part) && text.contains("These have a log"), "{named:?}: {text}");
    }
    world.bkci.set_log_status(&build, None);
    world.bkci.order_always(Endpoint::Log(LogCall::LastLine), Fault::answer(Wrong::ServerError));
    let text = world.ask(log(world, &build)).await?.text();
    assert!(text.contains("a fault of its own"), "{text}");
    Ok(())
}

async fn who_may_not_look_is_told_so_and_sees_nothing(world: &mut World) -> anyhow::Result<()> {
    let build = half_failing(world);
    world.map(world.admin, "ada.uid").await?;
    world.start().await?;
    for name in ["build status", "build log"] {
        let text = world.ask(command(world, world.admin, (name, &build))).await?.text();
        assert!(text.contains("no permission") && !text.contains("Unit"), "{name}: {text}");
        let unmapped = world.ask(command(world, world.stranger, (name, &build))).await?;
        assert!(unmapped.ephemeral() && unmapped.text().contains("/mapping set"), "{}", unmapped.text());
    }
    // The right can go between the two reads.
    world.bkci.order(Endpoint::Log(LogCall::LastLine), Fault::answer(Wrong::Refusal(2_100_054)));
    let text = world.ask(log(world, &build)).await?.text();
    assert!(text.contains("2100054") && text.contains("no permission"), "{text}");
    Ok(())
}
