//! How often the notice is edited, and what a look costs.

use std::time::Duration;

use sandbox::bkci::{BuildPlan, Endpoint, Fail, JobPlan, StagePlan, TaskPlan};
use sandbox::discord::{Fault, Typing};

use super::{LOOK, look_after, looks, notice, notice_with};
use crate::support::{World, stories};

stories!(in sqlite Sqlite: a_build_that_just_runs_on_is_not_edited,
    many_short_tasks_are_shown_in_few_edits_and_the_end_at_once);
stories!(in v4 V4: of_a_pipeline_that_is_watched_too_one_call_tells_everything);

/// Edits that fit into any three hours.
const EDITS: usize = 60;

const EDIT: &str = "/channels/{channel_id}/messages/{message_id}";
const EDIT_ANSWER: &str = "/webhooks/{webhook_id}/{webhook_token}/messages/@original";

const MINUTE: Duration = Duration::from_secs(60);

fn failed_once(world: &World, mut unit: JobPlan) -> String {
    unit = unit.task(TaskPlan::new("Report").passes_on_retry(1, Fail::script("red")));
    let plan = BuildPlan::new(&world.pipeline).stage(StagePlan::new("Test").job(unit));
    world.bkci.add_build(plan.started_by("dev.uid").age(3 * 60 * MINUTE))
}

/// What is read from BK-CI in time must not wait for turns that real time hands out.
fn without_pace(world: &mut World) {
    world.set("bkci.max_requests_per_s", "1000");
}

async fn a_build_that_just_runs_on_is_not_edited(world: &mut World) -> anyhow::Result<()> {
    without_pace(world);
    let build = failed_once(world, JobPlan::new("unit").task(TaskPlan::new("Soak").takes(20 * MINUTE)));
    world.start().await?;
    world.ask(world.retry(world.dev, &build)).await?;
    notice_with(world, "Now: **Test › unit › Soak**").await;
    let before = notice(world).edits;
    for _ in 0..55 {
        look_after(world, 2 * LOOK).await?;
    }
    // A reader sees that it runs, and since when; that time passes is no news.
    assert_eq!(notice(world).edits, before);
    notice_with(world, "Recovered on attempt 2").await;
    Ok(())
}

async fn many_short_tasks_are_shown_in_few_edits_and_the_end_at_once(world: &mut World) -> anyhow::Result<()> {
    without_pace(world);
    let short = |job: JobPlan, number| job.task(TaskPlan::new(&format!("Part {number}")).takes(MINUTE / 2));
    let build = failed_once(world, (0..120).fold(JobPlan::new("unit"), short));
    world.start().await?;
    let asked_ms = world.bkci.clock().now_ms();
    world.ask(world.retry(world.dev, &build)).await?;
    let ends = |world: &World| world.bkci.build(&build).end_ms.filter(|_| world.bkci.build(&build).finished);
    let (before, mut failing) = (looks(&world.bkci), false);
    let ended_ms = loop {
        if let Some(ended_ms) = ends(world) {
            break ended_ms;
        }
        if !failing && looks(&world.bkci) >= before + 100 {
            failing = true;
            world.discord.order(Fault::on("PATCH", EDIT_ANSWER).html_502());
            world.discord.order(Fault::on("PATCH", EDIT).html_502());
        }
        look_after(world, 2 * LOOK).await?;
    };
    assert!(ended_ms - asked_ms > 3_600_000);
    let ended = notice_with(world, "Recovered on attempt 2").await;
    let told_ms = ended.edits.last().copied().unwrap_or_default();
    assert!(told_ms - ended_ms < 25_000, "the end does not wait: {} ms", told_ms - ended_ms);
    assert!((20..=EDITS).contains(&ended.edits.len()), "{} edits", ended.edits.len());
    let edits: Vec<_> = { world.discord.requests() }.into_iter().filter(|sent| sent.method == "PATCH").collect();
    let failed = edits.iter().position(|sent| sent.status == Some(502)).expect("an edit that failed");
    let waited_ms = edits[failed + 1].at_ms - edits[failed].at_ms;
    assert!(waited_ms < 10_000, "however many went well before, the next try is soon: {waited_ms} ms");
    Ok(())
}

async fn of_a_pipeline_that_is_watched_too_one_call_tells_everything(world: &mut World) -> anyhow::Result<()> {
    without_pace(world);
    let build = failed_once(world, JobPlan::new("unit").task(TaskPlan::new("Soak").takes(5 * MINUTE)));
    world.start().await?;
    world.ask(world.retry(world.dev, &build)).await?;
    look_after(world, LOOK).await?;
    let elsewhere = world.discord.add_channel(world.guild, "elsewhere");
    let typing = Typing::new(world.dev, elsewhere, "watch add").option("project", "demo");
    world.ask(typing.option("pipeline", world.pipeline.0.as_str())).await?;
    for _ in 0..2 {
        look_after(world, LOOK).await?;
    }
    let by_name = |world: &World| world.bkci.requests_of(Endpoint::Batch).len();
    let before = by_name(world);
    for _ in 0..4 {
        look_after(world, LOOK).await?;
    }
    assert!(before > 0);
    assert_eq!(by_name(world), before, "the history tells of what is followed too");
    notice_with(world, "Recovered on attempt 2").await;
    Ok(())
}
