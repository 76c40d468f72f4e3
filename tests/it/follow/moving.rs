//! Whatever happens to the bot or to its reading meanwhile, the notice ends true.

use std::time::Duration;

use sandbox::bkci::{BuildPlan, Endpoint, Fail, Fault, JobPlan, On, RequestRecord, StagePlan, TaskPlan};

use super::{LOOK, flaky, look_after, notice_with};
use crate::support::{World, stories_on_each_family};

stories_on_each_family![
    stopped_and_killed_in_the_middle_it_goes_on_from_its_rows,
    a_task_of_a_running_build_is_followed_although_the_attempt_does_not_grow,
    a_look_that_began_before_a_retry_does_not_write_over_it,
];

async fn stopped_and_killed_in_the_middle_it_goes_on_from_its_rows(world: &mut World) -> anyhow::Result<()> {
    let build = flaky(world, 1);
    world.start().await?;
    let first = world.ask(world.retry(world.dev, &build)).await?;
    notice_with(world, "Now: **Build › compile › Compile**").await;
    world.stop().await?;
    world.pass(Duration::from_secs(20));
    world.start().await?;
    notice_with(world, "Now: **Test › unit › Unit tests**").await;
    // In the middle of a look.
    let look = |request: &RequestRecord| matches!(request.endpoint, Some(Endpoint::History | Endpoint::Batch));
    let held = world.bkci.order(On::when(look), Fault::hold_answer());
    world.pass(LOOK);
    world.bkci.wait_for("a look", |_| (held.hits() > 0).then_some(())).await;
    world.kill().await;
    world.pass(Duration::from_secs(60));
    world.start().await?;
    let ended = notice_with(world, "Recovered on attempt 2, retried by").await;
    assert_eq!(ended.id, first.id);
    held.release();
    Ok(())
}

async fn a_task_of_a_running_build_is_followed_although_the_attempt_does_not_grow(
    world: &mut World,
) -> anyhow::Result<()> {
    let quick = TaskPlan::new("quick").fails(Fail::script("red")).passes();
    let soak = TaskPlan::new("soak").takes(Duration::from_secs(7 * 60));
    let test = StagePlan::new("Test").job(JobPlan::new("fast").task(quick)).job(JobPlan::new("long").task(soak));
    let plan = BuildPlan::new(&world.pipeline).started_by("dev.uid").age(Duration::from_secs(5 * 60)).stage(test);
    let build = world.bkci.add_build(plan);
    world.start().await?;
    let asked = world.send(world.retry(world.dev, &build).option("task", "quick"))?;
    let accepted = world.answer(asked, "Retry accepted").await;
    let running = world.pass_until_answered(asked, "Now: **Test › fast › quick**").await;
    assert!(running.text().contains("quick") && running.text().contains(&format!("<@{}>", world.dev)));
    world.pass_until_answered(asked, "Now: **Test › long › soak**").await;
    let ended = world.pass_until_answered(asked, "Passed: nightly #1").await;
    assert!(ended.id == accepted.id && !ended.text().contains("attempt 2"), "{}", ended.text());
    assert_eq!(world.bkci.build(&build).execute_count, 1);
    Ok(())
}

async fn a_look_that_began_before_a_retry_does_not_write_over_it(world: &mut World) -> anyhow::Result<()> {
    let build = flaky(world, 2);
    world.start().await?;
    let asked = world.send(world.retry(world.dev, &build))?;
    world.answer(asked, "Retry accepted").await;
    world.pass_until_answered(asked, "Now: **Test › unit › Unit tests**").await;
    // The end of attempt 2 is read, and the answer is long on its way.
    let held = world.bkci.order(Endpoint::Detail, Fault::hold_answer());
    world.pass(Duration::from_secs(60));
    world.bkci.wait_for("a look", |_| (held.hits() > 0).then_some(())).await;
    let again = world.send(world.retry(world.dev, &build))?;
    world.answer(again, "Retry accepted").await;
    world.answer(asked, "· attempt 3").await;
    held.release();
    look_after(world, LOOK).await?;
    let text = notice_of(world, asked);
    assert!(!text.contains("2 of 90 failed") && text.contains("· attempt 3"), "{text}");
    world.pass_until_answered(asked, "Recovered on attempt 3, retried by").await;
    Ok(())
}

fn notice_of(world: &World, asked: u64) -> String {
    world.discord.answer(asked).map(|message| message.text()).unwrap_or_default()
}
