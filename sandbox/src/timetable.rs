//! Builds that start by themselves in the demo's world, by its clock: they fail, recover, hang, and one finds no machine.
//!
//! It acts on BK-CI's double alone, as people and timers beside the bot would.

use std::time::Duration;

use crate::bkci::{BkCi, BuildPlan, Fail, JobPlan, PipelineId, StagePlan, TaskPlan, Trigger, Webhook};
use crate::demo::{Demo, UID};

/// The first one starts after this …
const FIRST: Duration = Duration::from_secs(20);

/// … and each other one so much later than the one before.
const EVERY: Duration = Duration::from_secs(40);

/// What starts, in this order, again and again.
const TIMES: [Start; 6] =
    [Start::Fails, Start::Passes, Start::Hangs, Start::FindsNoMachine, Start::Fails, Start::Passes];

#[derive(Clone, Copy)]
enum Start {
    Fails,
    Passes,
    /// Until the next one hangs.
    Hangs,
    FindsNoMachine,
}

/// Starts builds for as long as there is a world.
pub async fn play(bkci: BkCi, demo: Demo) {
    let clock = bkci.clock().clone();
    let [nightly, release] = demo.pipelines.as_slice() else { return };
    let mut hanging: Option<String> = None;
    let mut at_ms = clock.now_ms() + millis(FIRST);
    for (start, number) in TIMES.iter().cycle().zip(1..) {
        clock.until(at_ms).await;
        at_ms += millis(EVERY);
        match start {
            Start::Fails => drop(bkci.start_build(flaky(nightly).by(push(number, "Cache the session's key")))),
            Start::Passes => drop(bkci.start_build(passing(nightly).by(push(number, "Read the cache again")))),
            Start::FindsNoMachine => drop(bkci.start_build(without_machine(release))),
            Start::Hangs => {
                if let Some(build) = hanging.replace(bkci.start_build(hanging_for_ever(nightly))) {
                    // Somebody may have stopped it before.
                    let _ = bkci.stop_on_the_web(UID, &build);
                }
            }
        }
    }
}

/// A build that begins now, fails in its tests, and passes when what failed is run again.
pub fn flaky(pipeline: &PipelineId) -> BuildPlan {
    let said = [
        "##[group]cargo test --workspace",
        "running 90 tests",
        "\u{1b}[32mtest session::fresh ... ok\u{1b}[0m",
        "\u{1b}[31mtest session::stale ... FAILED\u{1b}[0m",
        "##[endgroup]",
        "export DEPLOY_TOKEN=4e1f9c0d7b6a5e3f",
        "test result: FAILED. 89 passed; 1 failed",
    ];
    let fail = Fail::script("1 of 90 tests failed");
    let tests = TaskPlan::new("Unit tests").step("unit_test").takes(seconds(8)).log(said);
    two_stages(pipeline, tests.log(["test result: ok. 90 passed; 0 failed"]).passes_on_retry(1, fail))
        .started_by(UID)
        .commit("main", "5f0c1d9e7a3b", "Retry the login when the session is stale")
}

fn passing(pipeline: &PipelineId) -> BuildPlan {
    two_stages(pipeline, TaskPlan::new("Unit tests").step("unit_test").takes(seconds(8)))
}

fn hanging_for_ever(pipeline: &PipelineId) -> BuildPlan {
    let soak = TaskPlan::new("Soak test").step("soak").hangs();
    two_stages(pipeline, soak).by(Trigger::Timer).started_by(UID).message("Soak test of the night")
}

fn without_machine(pipeline: &PipelineId) -> BuildPlan {
    let mac = JobPlan::new("mac").machine_fails(Fail::machine("no machine in the pool answered"));
    let mac = mac.task(TaskPlan::new("Compile").takes(seconds(6))).task(TaskPlan::new("Notarise").takes(seconds(4)));
    let publish = JobPlan::new("publish").task(TaskPlan::new("Upload").plugin("upload").takes(seconds(4)));
    BuildPlan::new(pipeline)
        .started_by("dev.ada")
        .message("Release candidate")
        .stage(StagePlan::new("Build").job(mac))
        .stage(StagePlan::new("Publish").job(publish))
}

fn two_stages(pipeline: &PipelineId, tests: TaskPlan) -> BuildPlan {
    let compile = JobPlan::new("linux")
        .task(TaskPlan::new("Checkout").plugin("checkout").takes(seconds(2)))
        .task(TaskPlan::new("Compile").takes(seconds(5)));
    let deploy = JobPlan::new("deploy").task(TaskPlan::new("Roll out").plugin("rollout").takes(seconds(30)));
    BuildPlan::new(pipeline)
        .stage(StagePlan::new("Build").job(compile))
        .stage(StagePlan::new("Test").job(JobPlan::new("unit").task(tests)))
        .stage(StagePlan::new("Deploy").job(deploy))
}

/// Each push is another commit.
fn push(number: u32, message: &str) -> Trigger {
    let commit = format!("{:012x}", u64::from(number).wrapping_mul(0x9E37_79B9_7F4A));
    Trigger::Webhook(Webhook::push(UID, "main", &commit[..12], message))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
