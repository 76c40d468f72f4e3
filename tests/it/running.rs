//! A build that still runs: only a failed task of a job that has ended is retried, once, though the attempt does not grow
//! (bkci-api 6.4).

use std::time::Duration;

use sandbox::bkci::{BuildPlan, Endpoint, Fail, Fault, JobPlan, MatrixChild, Outcome, Right, StagePlan, TaskPlan};

use crate::support::{World, stories_on_each_family};

stories_on_each_family![
    a_failed_task_of_a_running_build_is_retried_and_again_when_it_fails_again,
    an_answer_lost_after_the_task_was_started_is_found_out_by_the_task,
    an_answer_lost_before_anything_happened_ends_unconfirmed_and_makes_room,
    two_people_who_want_the_same_task_retry_it_once,
    a_skip_whose_answer_was_lost_is_found_out_by_the_tasks_state,
    a_child_of_a_running_matrix_is_retried_by_its_id,
    nothing_else_in_a_running_build_is_sent,
];

const MINUTE: Duration = Duration::from_secs(60);

/// Running: *quick* has failed in job 1, *skippable* in job 3; *soak* of job 2 goes on for an hour. *quick* fails twice.
fn running(world: &World) -> String {
    let quick = TaskPlan::new("quick").fails(Fail::script("red")).fails(Fail::script("red again")).passes();
    let skippable = TaskPlan::new("skippable").fails(Fail::script("red")).with(|options| {
        options.continue_when_failed = true;
        options.manual_skip = Some(true);
    });
    let soak = TaskPlan::new("soak").takes(60 * MINUTE);
    let test = StagePlan::new("Test")
        .job(JobPlan::new("fast").task(quick).task(TaskPlan::new("after")))
        .job(JobPlan::new("long").task(soak))
        .job(JobPlan::new("style").task(skippable));
    world.bkci.add_build(BuildPlan::new(&world.pipeline).started_by("dev.uid").age(5 * MINUTE).stage(test))
}

fn task_id(world: &World, build: &str, name: &str) -> String {
    world.bkci.build(build).task(name).expect("a task").id.clone()
}

fn typed(world: &World, user: u64, build: &str, option: (&str, &str)) -> anyhow::Result<u64> {
    let typing = world.retry(user, build).option(option.0, option.1);
    world.discord.type_command(typing).map_err(|refused| anyhow::anyhow!("{refused:?}"))
}

fn says(world: &World, interaction: u64, part: &str) -> Option<()> {
    world.discord.answer(interaction)?.text().contains(part).then_some(())
}

async fn a_failed_task_of_a_running_build_is_retried_and_again_when_it_fails_again(
    world: &mut World,
) -> anyhow::Result<()> {
    let build = running(world);
    world.start().await?;
    let retry = |world: &World| world.retry(world.dev, &build).option("task", "quick");
    let text = world.ask(retry(world)).await?.text();
    assert!(text.contains(&build) && text.contains("Retry accepted"), "{text}");
    let refused = world.ask(retry(world)).await?.text();
    assert!(refused.contains("did not fail"), "it is under way: {refused}");
    world.pass(MINUTE);
    let text = world.ask(retry(world)).await?.text();
    assert!(text.contains("Retry accepted"), "it failed again: {text}");
    world.pass(MINUTE);
    let accepted = world.bkci.accepted_retries(&build);
    let quick = task_id(world, &build, "quick");
    assert_eq!(accepted.iter().map(|retry| retry.task_id.as_deref()).collect::<Vec<_>>(), [Some(quick.as_str()); 2]);
    assert!(accepted.iter().all(|retry| retry.execute_count == 1), "the attempt did not grow");
    let view = world.bkci.build(&build);
    assert_eq!(
        (view.status.as_str(), view.task("after").and_then(|task| task.status.as_deref())),
        ("RUNNING", Some("SUCCEED"))
    );
    Ok(())
}

async fn an_answer_lost_after_the_task_was_started_is_found_out_by_the_task(world: &mut World) -> anyhow::Result<()> {
    let build = running(world);
    world.start().await?;
    world.bkci.order(Endpoint::Retry, Fault::lose_answer());
    let interaction = typed(world, world.dev, &build, ("task", "quick"))?;
    world.pass_until("the truth", |world| says(world, interaction, "this was carried out")).await;
    assert_eq!(world.bkci.requests_of(Endpoint::Retry).len(), 1);
    Ok(())
}

async fn an_answer_lost_before_anything_happened_ends_unconfirmed_and_makes_room(
    world: &mut World,
) -> anyhow::Result<()> {
    let build = running(world);
    world.start().await?;
    world.bkci.order(Endpoint::Retry, Fault::lose_request());
    let interaction = typed(world, world.dev, &build, ("task", "quick"))?;
    world.pass_until("an end", |world| says(world, interaction, "Unknown whether")).await;
    assert!(world.bkci.accepted_retries(&build).is_empty());
    let second = typed(world, world.dev, &build, ("task", "quick"))?;
    world.answer(second, "Retry accepted").await;
    world.pass(Duration::from_secs(301));
    world.pass_until("the correction", |world| says(world, interaction, "a later retry was")).await;
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    Ok(())
}

async fn two_people_who_want_the_same_task_retry_it_once(world: &mut World) -> anyhow::Result<()> {
    let build = running(world);
    world.map(world.admin, "ada.uid").await?;
    world.bkci.permit("ada.uid", "demo", &world.pipeline, &[Right::View, Right::Execute]);
    world.start().await?;
    let held = world.bkci.order(Endpoint::Retry, Fault::hold_request());
    let first = typed(world, world.dev, &build, ("task", "quick"))?;
    let arrived = |bkci: &sandbox::bkci::BkCi| (!bkci.requests_of(Endpoint::Retry).is_empty()).then_some(());
    world.bkci.wait_for("the first retry at BK-CI", arrived).await;
    let quick = task_id(world, &build, "quick");
    let second = world.ask(world.retry(world.admin, &build).option("task", quick.as_str())).await?.text();
    assert!(second.contains(&format!("<@{}>", world.dev)), "says who was first:\n{second}");
    // Another task of the same build is another wish.
    let other = world.ask(world.retry(world.admin, &build).option("skip", "skippable")).await?.text();
    assert!(other.contains("Retry accepted"), "{other}");
    held.release();
    world.answer(first, "Retry accepted").await;
    assert_eq!(world.bkci.accepted_retries(&build).len(), 2);
    Ok(())
}

async fn a_skip_whose_answer_was_lost_is_found_out_by_the_tasks_state(world: &mut World) -> anyhow::Result<()> {
    let build = running(world);
    world.start().await?;
    world.bkci.order(Endpoint::Retry, Fault::lose_answer());
    let interaction = typed(world, world.dev, &build, ("skip", "skippable"))?;
    world.pass_until("the truth", |world| says(world, interaction, "this was carried out")).await;
    let view = world.bkci.build(&build);
    assert_eq!(view.task("skippable").and_then(|task| task.status.as_deref()), Some("SKIP"));
    assert_eq!(world.bkci.requests_of(Endpoint::Retry).len(), 1);
    Ok(())
}

async fn a_child_of_a_running_matrix_is_retried_by_its_id(world: &mut World) -> anyhow::Result<()> {
    let red = || vec![Outcome::Fail(Fail::script("red")), Outcome::Pass];
    let matrix = JobPlan::new("matrix")
        .task(TaskPlan::new("fetch"))
        .task(TaskPlan::new("test"))
        .child(MatrixChild::new("os", "linux"))
        .child(MatrixChild::new("os", "windows").task_ends(1, red()));
    let long = JobPlan::new("long").task(TaskPlan::new("soak").takes(60 * MINUTE));
    let plan = BuildPlan::new(&world.pipeline).started_by("dev.uid").age(5 * MINUTE);
    let build = world.bkci.add_build(plan.stage(StagePlan::new("Test").job(matrix).job(long)));
    world.start().await?;
    world.bkci.order(Endpoint::Retry, Fault::lose_answer());
    let interaction = typed(world, world.dev, &build, ("task", "matrix (windows)"))?;
    world.pass_until("the truth", |world| says(world, interaction, "this was carried out")).await;
    let accepted = world.bkci.accepted_retries(&build);
    assert_eq!(accepted.iter().map(|retry| retry.task_id.as_deref()).collect::<Vec<_>>(), [Some("1002")]);
    Ok(())
}

async fn nothing_else_in_a_running_build_is_sent(world: &mut World) -> anyhow::Result<()> {
    let build = running(world);
    world.start().await?;
    for (option, named, reason) in [
        ("task", "stage-2", "still running"),
        ("task", "fast", "still running"),
        ("skip", "stage-2", "still running"),
        ("task", "soak", "did not fail"),
        ("task", "after", "did not fail"),
        ("skip", "quick", "does not allow to skip"),
    ] {
        let text = world.ask(world.retry(world.dev, &build).option(option, named)).await?.text();
        assert!(text.contains(reason), "{named}: {text}");
    }
    let text = world.ask(world.retry(world.dev, &build).option("failed_jobs", true)).await?.text();
    assert!(text.contains("still running"), "{text}");
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    Ok(())
}
