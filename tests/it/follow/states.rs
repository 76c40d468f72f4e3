//! BK-CI's words for how a build stands (bkci-api 5).

use std::time::Duration;

use sandbox::bkci::{BuildPlan, Fail, JobPlan, StagePlan, Status, TaskPlan};

use super::{LOOK, flaky, look_after, notice, notice_with};
use crate::support::{World, stories};

stories!(in sqlite Sqlite: all_eight_failure_states_end_it, what_bkci_may_say_in_future_is_waited_out,
    a_gate_is_waited_at_and_opened_or_closed_it_goes_on_and_ends, the_errors_of_the_attempt_before_are_never_shown);
stories!(in v4 V4: all_eight_failure_states_end_it, what_bkci_may_say_in_future_is_waited_out,
    a_gate_is_waited_at_and_opened_or_closed_it_goes_on_and_ends, the_errors_of_the_attempt_before_are_never_shown);

/// The failure set (bkci-api 5.1), but for one that BK-CI itself does not use.
const FAILURES: [Status; 7] = [
    Status::Failed,
    Status::Terminate,
    Status::ReviewAbort,
    Status::HeartbeatTimeout,
    Status::QualityCheckFail,
    Status::QueueTimeout,
    Status::ExecTimeout,
];

fn one_task(world: &World, task: TaskPlan) -> BuildPlan {
    let test = StagePlan::new("Test").job(JobPlan::new("unit").task(task));
    BuildPlan::new(&world.pipeline).stage(test).started_by("dev.uid").age(Duration::from_secs(3600))
}

async fn all_eight_failure_states_end_it(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let mut asked = Vec::new();
    for status in FAILURES {
        assert!(status.is_failure());
        let unit = TaskPlan::new("Unit tests").fails(Fail::script("red"));
        let unit = unit.fails(Fail::script("red again").with_status(status));
        let build = world.bkci.add_build(one_task(world, unit));
        let answer = world.send(world.retry(world.dev, &build))?;
        world.answer(answer, "Retry accepted").await;
        asked.push((status, build, answer));
    }
    let build = world.bkci.add_build(one_task(world, TaskPlan::new("Unit tests").fails(Fail::script("red"))));
    let unused = world.send(world.retry(world.dev, &build))?;
    world.answer(unused, "Retry accepted").await;
    world.bkci.tell_status(&build, Some("QUOTA_FAILED"));
    world.pass_until_answered(unused, "Failed: nightly").await;
    for (status, build, answer) in asked {
        let ended = world.pass_until_answered(answer, "Failed: nightly").await;
        assert_eq!(world.bkci.build(&build).status, status.as_str());
        assert!(ended.text().contains("red again") && ended.text().contains("attempt 2"), "{}", ended.text());
    }
    let left = world.number("SELECT (SELECT COUNT(*) FROM follow) + (SELECT COUNT(*) FROM look)").await?;
    assert_eq!(left, 0, "nothing is followed any more, and nothing is looked at");
    Ok(())
}

async fn what_bkci_may_say_in_future_is_waited_out(world: &mut World) -> anyhow::Result<()> {
    let build = flaky(world, 1);
    world.start().await?;
    world.ask(world.retry(world.dev, &build)).await?;
    notice_with(world, "Now: **Build › compile › Compile**").await;
    world.bkci.tell_status(&build, Some("THINKING_ABOUT_IT"));
    for _ in 0..20 {
        look_after(world, LOOK).await?;
    }
    assert!(world.bkci.build(&build).finished);
    let text = notice(world).text();
    assert!(text.contains("Running: nightly") && !text.contains("Recovered"), "{text}");
    world.bkci.tell_status(&build, None);
    notice_with(world, "Recovered on attempt 2").await;
    Ok(())
}

async fn a_gate_is_waited_at_and_opened_or_closed_it_goes_on_and_ends(world: &mut World) -> anyhow::Result<()> {
    let gated = |world: &World| {
        let unit = TaskPlan::new("Unit tests").passes_on_retry(1, Fail::script("red"));
        let deploy = JobPlan::new("deploy").task(TaskPlan::new("Roll out").takes(Duration::from_secs(30)));
        world.bkci.add_build(one_task(world, unit).stage(StagePlan::new("Deploy").job(deploy).gate(&["eve"])))
    };
    let (opened, closed) = (gated(world), gated(world));
    world.start().await?;
    let first = world.send(world.retry(world.dev, &opened))?;
    let second = world.send(world.retry(world.dev, &closed))?;
    for asked in [first, second] {
        world.answer(asked, "Retry accepted").await;
    }
    for asked in [first, second] {
        world.pass_until_answered(asked, "Waiting for a person: nightly").await;
    }
    for _ in 0..10 {
        look_after(world, Duration::from_secs(60)).await?;
    }
    for asked in [first, second] {
        let text = world.answer(asked, "").await.text();
        assert!(text.contains("Waiting for a person"), "{text}");
    }
    world.bkci.review_gate("eve", &opened, true);
    world.bkci.review_gate("eve", &closed, false);
    world.pass_until_answered(first, "Now: **Deploy › deploy › Roll out**").await;
    for asked in [first, second] {
        world.pass_until_answered(asked, "Recovered on attempt 2").await;
    }
    assert_eq!(world.bkci.build(&closed).status, "STAGE_SUCCESS");
    Ok(())
}

async fn the_errors_of_the_attempt_before_are_never_shown(world: &mut World) -> anyhow::Result<()> {
    let unit = TaskPlan::new("Unit tests").fails(Fail::script("an old error")).fails(Fail::script("a new error"));
    let build = world.bkci.add_build(one_task(world, unit));
    world.bkci.set_queue_time(Duration::from_secs(90));
    world.start().await?;
    world.ask(world.retry(world.dev, &build)).await?;
    notice_with(world, "Queued: nightly").await;
    for _ in 0..5 {
        look_after(world, LOOK).await?;
        assert_eq!(world.bkci.build(&build).status, "QUEUE");
        let text = notice(world).text();
        assert!(!text.contains("old error") && !text.contains("Failed:"), "{text}");
    }
    let text = notice_with(world, "a new error").await.text();
    assert!(!text.contains("an old error"), "{text}");
    Ok(())
}
