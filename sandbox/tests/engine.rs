//! What the double of BK-CI runs when a part of a build is retried: the corners of bkci-api.md 6.2 and 7.2, asked for on
//! its own page.

use std::time::Duration;

use sandbox::bkci::{
    BkCi, BuildPlan, Fail, JobPlan, MatrixChild, PipelineId, Right, RunCondition, StagePlan, TaskPlan, Wish,
};
use sandbox::clock::Clock;

type Tested = anyhow::Result<()>;

const MINUTE: Duration = Duration::from_secs(60);

struct Scene {
    bkci: BkCi,
    pipeline: PipelineId,
}

impl Scene {
    async fn set() -> anyhow::Result<Self> {
        let bkci = BkCi::start(Clock::default()).await?;
        let pipeline = bkci.add_pipeline("demo", "nightly");
        bkci.permit("alice", "demo", &pipeline, &[Right::View, Right::Execute]);
        Ok(Self { bkci, pipeline })
    }

    fn build(&self, stages: impl IntoIterator<Item = StagePlan>) -> BuildPlan {
        let plan = BuildPlan::new(&self.pipeline).age(60 * MINUTE);
        stages.into_iter().fold(plan, BuildPlan::stage)
    }

    /// Retries, lets it run, and answers the names of the tasks that ran.
    fn retry(&self, build: &str, task_id: &str, change: fn(&mut Wish)) -> Vec<String> {
        let mut wish = Wish { task_id: Some(task_id.to_owned()), ..Wish::default() };
        change(&mut wish);
        let count = self.bkci.retry_on_the_web("alice", build, wish).expect("accepted");
        self.bkci.clock().advance(5 * MINUTE);
        let view = self.bkci.build(build);
        let jobs = || view.stages.iter().flat_map(|stage| &stage.jobs);
        let tasks = || jobs().chain(jobs().flat_map(|job| &job.children)).flat_map(|job| &job.tasks);
        let name = |id: &String| tasks().find(|task| task.id == *id).map_or("?", |task| &task.name).to_owned();
        self.bkci.executed(build).iter().filter(|(in_count, _)| *in_count == count).map(|(_, id)| name(id)).collect()
    }

    fn task(&self, build: &str, name: &str) -> String {
        self.bkci.build(build).task(name).map(|task| task.id.clone()).unwrap_or_default()
    }

    fn status(&self, build: &str, task: &str) -> Option<String> {
        self.bkci.build(build).task(task).and_then(|task| task.status.clone())
    }
}

fn again(_: &mut Wish) {}

fn skip(wish: &mut Wish) {
    wish.skip = true;
}

fn task(name: &str) -> TaskPlan {
    TaskPlan::new(name)
}

fn breaks(name: &str) -> TaskPlan {
    TaskPlan::new(name).fails(Fail::script("exit 1")).passes()
}

fn skippable(name: &str) -> TaskPlan {
    breaks(name).with(|options| {
        options.continue_when_failed = true;
        options.manual_skip = Some(true);
    })
}

fn job(name: &str, tasks: impl IntoIterator<Item = TaskPlan>) -> JobPlan {
    tasks.into_iter().fold(JobPlan::new(name), JobPlan::task)
}

/// 6.2, "task": "…, later unfinished stages, finally-stage". A task that is in it makes no exception.
#[tokio::test]
async fn whatever_is_named_in_the_finally_stage_all_of_it_runs_again() -> Tested {
    let scene = Scene::set().await?;
    let last = || {
        let sweep = job("sweep", [task("collect"), skippable("sweep"), task("report")]);
        scene
            .build([StagePlan::new("Test").job(job("test", [task("unit")]))])
            .finally(StagePlan::new("Last").job(sweep).job(job("mail", [task("mail")])))
    };
    let build = scene.bkci.add_build(last());
    assert_eq!(scene.retry(&build, &scene.task(&build, "sweep"), again), ["collect", "mail", "sweep", "report"]);
    let build = scene.bkci.add_build(last());
    assert_eq!(scene.retry(&build, &scene.task(&build, "sweep"), skip), ["collect", "mail", "report"]);
    assert_eq!(scene.status(&build, "sweep").as_deref(), Some("SKIP"));
    let build = scene.bkci.add_build(last());
    assert_eq!(scene.retry(&build, "2", again), ["collect", "mail", "sweep", "report"], "a job");
    Ok(())
}

/// 6.2, "job": "as 'task' with the first task of the job". Without a first task nothing matches, and trap 3 closes.
#[tokio::test]
async fn a_job_without_tasks_is_an_id_that_matches_nothing() -> Tested {
    let scene = Scene::set().await?;
    let empty = JobPlan::new("empty").machine_fails(Fail::machine("no agent"));
    let stage = StagePlan::new("Test").job(job("test", [task("unit")])).job(empty);
    let build = scene.bkci.add_build(scene.build([stage]));
    assert_eq!(scene.bkci.build(&build).status, "FAILED");
    assert_eq!(scene.retry(&build, "2", again), ["unit"], "the whole build");
    Ok(())
}

/// 6.2, "skip failed tasks of a stage": "rest of the stage re-runs"; a matrix that re-runs is "split again completely".
#[tokio::test]
async fn skipping_in_a_stage_splits_its_sound_matrices_again() -> Tested {
    let scene = Scene::set().await?;
    let matrix = job("matrix", [task("in each")]).child(MatrixChild::new("os", "a")).child(MatrixChild::new("os", "b"));
    let stage = StagePlan::new("Test").job(matrix).job(job("lint", [skippable("lint"), task("report")]));
    let build = scene.bkci.add_build(scene.build([stage]));
    let before = scene.task(&build, "in each");
    assert_eq!(scene.retry(&build, "stage-2", skip), ["in each", "in each", "report"]);
    assert_ne!(scene.task(&build, "in each"), before, "another child");
    Ok(())
}

/// 7.2, `jobControlOption.continueWhenFailed`.
#[tokio::test]
async fn a_job_whose_failure_is_tolerated_does_not_fail_its_stage() -> Tested {
    let scene = Scene::set().await?;
    let stages = || {
        let flaky = job("flaky", [breaks("flaky")]).tolerated();
        [StagePlan::new("Test").job(flaky), StagePlan::new("Ship").job(job("ship", [task("ship")]))]
    };
    let build = scene.bkci.add_build(scene.build(stages()));
    let view = scene.bkci.build(&build);
    assert_eq!((view.status.as_str(), scene.status(&build, "ship").as_deref()), ("SUCCEED", Some("SUCCEED")));
    assert_eq!(view.job("flaky").and_then(|job| job.status.as_deref()), Some("FAILED"));
    assert_eq!(scene.retry(&build, &scene.task(&build, "flaky"), again), ["flaky"], "the later stage has finished");
    Ok(())
}

/// 7.2, `runCondition` of tasks, jobs and stages: what depends on variables runs or is skipped.
#[tokio::test]
async fn variables_decide_about_tasks_jobs_and_stages() -> Tested {
    let scene = Scene::set().await?;
    let when =
        |name: &str, matched| task(name).with(|options| options.run_condition = RunCondition::Variables { matched });
    let build = scene.bkci.add_build(
        scene.build([
            StagePlan::new("A")
                .job(job("a", [when("yes", true), when("no", false)]))
                .job(job("b", [task("b")]).when(false)),
            StagePlan::new("B").when(false).job(job("c", [task("c")])),
            StagePlan::new("C").when(true).job(job("d", [breaks("d"), when("after a failure", true)]).when(true)),
        ]),
    );
    let ran: Vec<Option<String>> =
        ["yes", "no", "b", "c", "d", "after a failure"].map(|name| scene.status(&build, name)).into();
    let expected = ["SUCCEED", "SKIP", "SKIP", "SKIP", "FAILED", "UNEXEC"].map(|status| Some(status.to_owned()));
    assert_eq!(ran, expected);
    Ok(())
}

/// 6.2 knows one stage at a time: one that failed before the one that is named stays failed, and stops the build.
#[tokio::test]
async fn behind_a_stage_that_stays_failed_nothing_runs_but_the_finally_stage() -> Tested {
    let scene = Scene::set().await?;
    let sometimes = || task("first").passes().fails(Fail::script("exit 1")).passes();
    let plan = || {
        let stages = [
            StagePlan::new("First").job(job("first", [sometimes()])),
            StagePlan::new("Second").job(job("second", [breaks("second")])),
        ];
        scene.build(stages).finally(StagePlan::new("Last").job(job("last", [task("last")])))
    };
    // Nothing checks that a task failed (6.2, trap 4): so two stages come to have failed.
    let build = scene.bkci.add_build(plan());
    assert_eq!(scene.retry(&build, &scene.task(&build, "first"), again), ["first", "last"]);
    assert_eq!(scene.retry(&build, &scene.task(&build, "second"), again), ["last"]);

    let build = scene.bkci.add_build(plan());
    assert_eq!(scene.retry(&build, &scene.task(&build, "first"), again), ["first", "last"]);
    assert_eq!(scene.retry(&build, "stage-2", again), ["first", "last"], "a later stage that has finished stays so");
    assert_eq!(scene.bkci.build(&build).status, "FAILED");
    assert_eq!(scene.retry(&build, "stage-3", again), ["second", "last"]);
    assert_eq!(scene.bkci.build(&build).status, "SUCCEED");
    Ok(())
}
