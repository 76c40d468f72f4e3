//! One build of hours whose stages and steps change all the time: how often its message is edited. The clock of both
//! doubles and of the bot is handed on a little at a time.

use std::time::Duration;

use anyhow::Context as _;
use reprise::model::millis;
use sandbox::bkci::{BuildPlan, Fail, JobPlan, Right, StagePlan, TaskPlan};
use sandbox::discord::Typing;

use crate::Arguments;
use crate::measure::most_within;
use crate::scene::{PROJECT, Report, Scene, UID};

/// So many edits at most, in three hours.
const MOST: u64 = 60;

const THREE_HOURS: Duration = Duration::from_secs(3 * 60 * 60);

/// A step of the build.
const STEP: Duration = Duration::from_secs(30);

/// Steps of a stage.
const STEPS: u64 = 10;

/// So much time is handed on at once …
const AT_ONCE: Duration = Duration::from_secs(2);

/// … and the bot has so long for it.
const REALLY: Duration = Duration::from_millis(20);

/// The build may take so much longer than its steps.
const LATE: Duration = Duration::from_mins(10);

pub async fn measure(arguments: &Arguments) -> anyhow::Result<Report> {
    let scene = Scene::set().await?;
    let channel = scene.discord.add_channel(scene.guild, "builds");
    let pipeline = scene.bkci.add_pipeline(PROJECT, "nightly");
    scene.bkci.permit(UID, PROJECT, &pipeline, &[Right::View, Right::Execute]);
    scene.store().await?.close().await;
    let build = scene.bkci.add_build(plan(&pipeline, arguments.hours).started_by(UID).age(Duration::from_mins(1)));
    // The clock outruns the pace, which counts real time.
    let settings = scene.settings(arguments.family, &[("BKCI__MAX_REQUESTS_PER_S", "1000")])?;
    let bot = scene.start(settings).await?;
    let typing = Typing::new(scene.person, channel, "retry").option("project", PROJECT);
    let typing = typing.option("pipeline", pipeline.0.as_str()).option("build", build.as_str());
    let asked = scene.discord.type_command(typing).map_err(|refused| anyhow::anyhow!("{refused}"))?;
    scene.discord.wait_for("an answer", |discord| discord.answer(asked)).await;

    let begun = scene.clock.now();
    let longest = Duration::from_secs(60 * 60 * arguments.hours) + LATE;
    let shown = || scene.discord.answer(asked).map(|answer| answer.text()).unwrap_or_default();
    while !shown().contains("Recovered") {
        let passed = scene.clock.now().since(begun);
        anyhow::ensure!(passed < longest, "after {passed:?} the message does not tell the end:\n{}", shown());
        scene.discord.clock().advance(AT_ONCE);
        scene.clock.advance(AT_ONCE);
        tokio::time::sleep(REALLY).await;
    }
    let took = scene.clock.now().since(begun);
    bot.stop().await?;
    let ended = scene.bkci.build(&build).end_ms.context("the build has ended")?;
    let edits = scene.discord.requests().into_iter().filter(|request| request.method == "PATCH");
    let edits: Vec<i64> = edits.filter(|request| request.status == Some(200)).map(|request| request.at_ms).collect();

    let mut report = Report::default();
    report.tell("family", "addresses of BK-CI", arguments.family.key());
    report.tell("minutes", "the build took, minutes", took.as_secs() / 60);
    report.tell("changes", "its steps changed", 60 * 60 * arguments.hours / STEP.as_secs());
    report.tell("edits", "edits of its message", edits.len());
    let last = edits.iter().max().copied().unwrap_or_default();
    report.tell("told_ms", "the end was told after, ms", last - ended);
    report.hold(("edits_max_3h", "edits in any three hours"), most_within(edits, millis(THREE_HOURS)), MOST);
    Ok(report)
}

/// Fails at its first step, and passes when that is retried.
fn plan(pipeline: &sandbox::bkci::PipelineId, hours: u64) -> BuildPlan {
    let steps = 60 * 60 * hours / STEP.as_secs();
    let stage = |number: u64| {
        let step = |step: u64| {
            let task = TaskPlan::new(&format!("Step {step}")).takes(STEP);
            let first = (number, step) == (0, 0);
            if first { task.passes_on_retry(1, Fail::script("not yet")) } else { task }
        };
        let job = (0..STEPS).map(step).fold(JobPlan::new("linux"), JobPlan::task);
        StagePlan::new(&format!("Stage {number}")).job(job)
    };
    (0..steps.div_ceil(STEPS)).map(stage).fold(BuildPlan::new(pipeline), BuildPlan::stage)
}
