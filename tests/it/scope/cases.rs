//! Cases written by hand from the reference: what is named, what is sent and what then runs, or why nothing is sent. The
//! first word of each is the row of bkci-api.md that it plays.

use std::time::Duration;

use reprise::model::scope::{Fate, Scope, Wanted, what_runs};
use sandbox::bkci::{
    BuildPlan, BuildView, Fail, JobPlan, MatrixChild, Options, Outcome, RunCondition, StagePlan, Status, TaskPlan, Wish,
};

use super::{Scene, all_jobs};

const HOUR: Duration = Duration::from_secs(3600);

const STYLE: &str = "e-00000000000000000000000000000001";
const FETCH: &str = "e-00000000000000000000000000000002";
const UNIT: &str = "e-00000000000000000000000000000003";
const REPORT: &str = "e-00000000000000000000000000000004";
const BROWSER: &str = "e-00000000000000000000000000000005";
const UPLOAD: &str = "e-00000000000000000000000000000006";
const SWEEP: &str = "e-00000000000000000000000000000007";

/// Makes a build and answers its id.
type Make = fn(&Scene) -> String;

fn retry(named: &str) -> Wanted {
    Wanted::Retry(named.to_owned())
}

fn skip(named: &str) -> Wanted {
    Wanted::Skip(named.to_owned())
}

fn failed_jobs(of: &str) -> Wanted {
    Wanted::FailedJobs(Some(of.to_owned()))
}

const FAILED_JOBS: Wanted = Wanted::FailedJobs(None);

#[tokio::test]
async fn what_is_sent_and_what_then_runs_is_what_the_reference_says() -> anyhow::Result<()> {
    let everything: &[&str] = &["style", "fetch", "browser", "unit", "report", "upload", "sweep"];
    #[rustfmt::skip]
    let cases: [(&str, Make, Wanted, &str, &[&str]); 45] = [
        ("6.2 whole build", wide, Wanted::WholeBuild, "", everything),
        ("6.2 stage, all jobs", wide, retry("stage-2"), "stage-2", everything),
        ("6.2 stage, by its name", wide, retry(" test "), "stage-2", everything),
        ("6.2 stage, failed jobs only", wide, FAILED_JOBS, "stage-2 failedContainer",
            &["fetch", "browser", "unit", "report", "upload", "sweep"]),
        ("6.2 stage, failed jobs only, named", wide, failed_jobs("Test"), "stage-2 failedContainer",
            &["fetch", "browser", "unit", "report", "upload", "sweep"]),
        ("6.2 trap 1: without a stage named, the one that failed is", canceled, FAILED_JOBS, "stage-2 failedContainer",
            &["quick", "soak", "ship"]),
        ("6.2 skip failed tasks of a stage", lenient, skip("stage-2"), "stage-2 skip", &["good", "report", "upload"]),
        ("6.2 skip failed tasks of a stage: one that was cancelled runs again", half_canceled, skip("stage-2"),
            "stage-2 skip", &["note", "soak", "ship"]),
        ("6.2 task: other failed jobs stay failed", wide, retry(UNIT), UNIT, &["unit", "report", "sweep"]),
        ("6.2 task, the last failed job: onward", one_failed, retry(UNIT), UNIT, &["unit", "report", "upload", "sweep"]),
        ("6.2 task, by stepId", one_failed, retry("unit_test"), UNIT, &["unit", "report", "upload", "sweep"]),
        ("6.2 task, by its name", one_failed, retry("UNIT"), UNIT, &["unit", "report", "upload", "sweep"]),
        ("4 stepId of two tasks, of which one failed", same_step, retry("same"), BROWSER, &["browser"]),
        ("6.2 skip a task", wide, skip(BROWSER), "e-00000000000000000000000000000005 skip", &["sweep"]),
        ("6.2 skip a task, the last failed one", lenient_one, skip(UNIT), "e-00000000000000000000000000000003 skip",
            &["report", "upload"]),
        ("6.2 skip a task: conditions are evaluated again", conditions, skip("first"), "2/0 skip", &["next", "always"]),
        ("6.2 task: conditions are evaluated again", conditions, retry("first"), "2/0", &["first", "next", "always"]),
        ("6.2 job", wide, retry("2"), "2", &["fetch", "unit", "report", "sweep"]),
        ("6.2 job, by jobId", wide, retry("job_unit"), "2", &["fetch", "unit", "report", "sweep"]),
        ("6.2 job, by its name", wide, retry("unit tests"), "2", &["fetch", "unit", "report", "sweep"]),
        ("6.2 matrix, whole", matrix, retry("2"), "2", &["get", "get", "get", "check", "check", "check", "ship"]),
        ("6.2 matrix, by its name", matrix, retry("matrix"), "2",
            &["get", "get", "get", "check", "check", "check", "ship"]),
        ("6.2 matrix, failed children", matrix, failed_jobs("2"), "2 failedContainer",
            &["get", "get", "check", "check", "ship"]),
        ("6.2 stage, failed jobs only: its matrix is split again", matrix, FAILED_JOBS, "stage-2 failedContainer",
            &["get", "get", "get", "check", "check", "check", "ship"]),
        ("6.2 matrix child job: another child stays failed", matrix, retry("2002"), "2002", &["get", "check"]),
        ("6.2 matrix child job, the last one that failed", one_child, retry("matrix (windows)"), "2002",
            &["get", "check", "ship"]),
        ("6.2 matrix child task", one_child, retry("check"), "2002/1", &["check", "ship"]),
        ("6.2 matrix child task, by stepId", one_child, retry("c"), "2002/1", &["check", "ship"]),
        ("6.2 matrix child skip: the template says it may be", lenient_child, skip("check"), "2002/1 skip", &["ship"]),
        ("6.2 trap 4: a build that succeeded runs again", succeeded, Wanted::WholeBuild, "", &["good", "ship"]),
        ("6.2 trap 6: the gate of the stage opens again", gated, retry("upload"), "2/0", &["upload", "tell"]),
        ("6.2 trap 6: and so does the whole build's", gated, Wanted::WholeBuild, "", &["good", "upload", "tell"]),
        ("6.3 #4: a minute less than 28 days old", almost_28_days, Wanted::WholeBuild, "", &["broken"]),
        ("6.4 task", running, retry("quick"), "2/0", &["quick", "after"]),
        ("6.4 task skip", running, skip("style"), "3/0 skip", &["note"]),
        ("6.4 matrix child job", running, retry("4002"), "4002", &["get", "check"]),
        ("6.4 matrix child task", running, retry("check"), "4002/1", &["check"]),
        ("7.2 a machine that did not start leaves a failed job without a failed task", no_machine, retry("agent"), "2",
            &["first", "second"]),
        ("7.2 continueWhenFailed with manualSkip: both", lenient_one, retry(UNIT), UNIT, &["unit", "report", "upload"]),
        ("7.2 a task of the finally stage: all of that stage", failed_at_the_end, retry("sweep"), "3/0",
            &["sweep", "mail"]),
        ("7.2 a job of the finally stage: all of that stage", failed_at_the_end, retry("3"), "3", &["sweep", "mail"]),
        ("5.1 EXEC_TIMEOUT is a failure", timeout, retry("slow"), "2/0", &["slow", "ship"]),
        ("5.1 CANCELED can be retried", canceled, retry("soak"), "2/0", &["soak"]),
        ("5.1 a build stopped at its gate runs again", stopped_at_its_gate, Wanted::WholeBuild, "", &["good", "upload"]),
        ("6.2 several stages failed: the first", two_stages, FAILED_JOBS, "stage-2 failedContainer", &["first", "last"]),
    ];
    let scene = Scene::set().await?;
    for (row, make, wanted, sent, ran) in cases {
        let build = make(&scene);
        let detail = scene.read(&build).await?;
        let scope = Scope::resolve(&detail, &wanted);
        let scope = scope.unwrap_or_else(|refusal| panic!("{row}: {refusal:?}"));
        let before = scene.bkci.executed(&build).len();
        scene.send(&build, &scope).await?;
        assert_eq!(last_sent(&scene, &build), sent, "{row}");
        scene.run_on(&build, 30);
        let view = scene.bkci.build(&build);
        let meanwhile = super::running_meanwhile(&detail, &scope);
        let executed = scene.bkci.executed(&build).split_off(before);
        let executed = executed.iter().map(|(_, id)| id).filter(|id| !meanwhile.contains(*id));
        assert_eq!(executed.map(|id| name(&view, id)).collect::<Vec<_>>(), ran, "{row}");

        // And that is what had been foretold.
        let mut foretold: Vec<String> = super::foretold(&what_runs(&detail, &scope), &view, Fate::runs_if_all_pass)
            .iter()
            .map(|id| name(&view, id))
            .collect();
        let mut ran = ran.to_vec();
        foretold.sort();
        ran.sort_unstable();
        assert_eq!(foretold, ran, "{row}, foretold");
    }
    assert!(scene.bkci.violations().is_empty(), "{:?}", scene.bkci.violations());
    Ok(())
}

#[tokio::test]
async fn what_would_run_something_else_is_refused_with_the_reason() -> anyhow::Result<()> {
    #[rustfmt::skip]
    let cases: [(&str, Make, Wanted, &str); 46] = [
        ("6.2 trap 1: failedContainer needs a stage or a matrix", wide, failed_jobs("2"), "FailedJobsOf"),
        ("6.2 trap 1: a task is neither", wide, failed_jobs(UNIT), "FailedJobsOf"),
        ("6.2 trap 1: a child is neither", matrix, failed_jobs("2002"), "FailedJobsOf"),
        ("6.2 trap 1: no stage failed", succeeded, FAILED_JOBS, "NothingFailed"),
        ("6.2 trap 2: skip without anything", wide, skip(""), "NotFound"),
        ("6.2 trap 3: an unknown id", wide, retry("e-00000000000000000000000000000099"), "NotFound"),
        ("6.2 trap 3: a blank one", wide, retry(" "), "NotFound"),
        ("6.2 trap 3: skipping an unknown one", wide, skip("deploy"), "NotFound"),
        ("6.2 trap 3: a part of a name", wide, retry("uni"), "NotFound"),
        ("6.2 trap 3: a job without tasks", empty_job, retry("2"), "NotRetryable"),
        ("6.2 trap 4: a task that succeeded", wide, retry(FETCH), "NotFailed"),
        ("6.2 trap 4: a task that never ran", wide, retry(UPLOAD), "NotFailed"),
        ("6.2 trap 4: a job that succeeded", wide, retry("1"), "NotFailed"),
        ("6.2 trap 4: a child that succeeded", matrix, retry("2001"), "NotFailed"),
        ("6.2 trap 4: a task of a build that succeeded", succeeded, retry("good"), "NotFailed"),
        ("6.2 trap 5: manualRetry=false", hidden, retry("hidden"), "NotRetryable"),
        ("6.2 skip failed tasks of a stage: one may not be", wide, skip("stage-2"), "NotSkippable"),
        ("6.2 skip failed tasks of a stage: in a matrix", lenient_child, skip("stage-2"), "SkipWhat"),
        ("6.2 job: skip would skip its first task", wide, skip("2"), "SkipWhat"),
        ("6.2 matrix: skip would skip a template", matrix, skip("2"), "SkipWhat"),
        ("6.2 matrix child: skip is for its tasks", matrix, skip("2002"), "SkipWhat"),
        ("6.2 matrix child skip: the template says it may not be", one_child, skip("check"), "NotSkippable"),
        ("6.2 matrix: a template is no task", matrix, retry(UNIT), "Template"),
        ("4 stepId of two tasks that failed", two_steps, retry("same"), "Ambiguous"),
        ("4 name of two tasks that failed", matrix, retry("check"), "Ambiguous"),
        ("4 the first match in model order is another", shadowed, retry(UNIT), "Shadowed"),
        ("4 also when it is named by its name", shadowed, retry("unit"), "Shadowed"),
        ("6.3 #4: 28 days and a second", older_than_28_days, Wanted::WholeBuild, "TooOld"),
        ("6.3 #8b: a stage that did not fail", wide, retry("stage-3"), "NotFailed"),
        ("6.3 #8c: manualSkip is not set", wide, skip(UNIT), "NotSkippable"),
        ("16.8 the trigger stage", wide, retry("stage-1"), "Trigger"),
        ("16.8 the trigger job", wide, retry("0"), "Trigger"),
        ("16.8 the trigger", wide, skip("T-1-1-1"), "Trigger"),
        ("6.4 waiting at a gate, any mode", at_a_gate, Wanted::WholeBuild, "AtGate"),
        ("6.4 waiting at a gate, a task", at_a_gate, retry("good"), "AtGate"),
        ("6.4 whole build", running, Wanted::WholeBuild, "StillRunning"),
        ("6.4 stage", running, retry("stage-2"), "StillRunning"),
        ("6.4 failed jobs of a stage", running, FAILED_JOBS, "StillRunning"),
        ("6.4 plain job", running, retry("2"), "StillRunning"),
        ("6.4 matrix, failed children", running, failed_jobs("4"), "StillRunning"),
        ("6.4 stage of the task is not running", stage_has_ended, retry("flaky"), "StageNotRunning"),
        ("6.4 job of the task not finished", job_goes_on, retry("broken"), "JobRunning"),
        ("6.4 task neither failed nor cancelled", running, retry("soak"), "NotFailed"),
        ("7.2 the finally stage", failed_at_the_end, retry("stage-3"), "Finally"),
        ("7.2 while a finally stage is running", finally_runs, retry("broken"), "FinallyRunning"),
        ("6.2 a stage behind one that stays failed", two_stages, retry("second"), "Behind"),
    ];
    let scene = Scene::set().await?;
    for (row, make, wanted, refusal) in cases {
        let detail = scene.read(&make(&scene)).await?;
        let refused = Scope::resolve(&detail, &wanted).expect_err(row);
        assert!(format!("{refused:?}").starts_with(refusal), "{row}: {refused:?}");
    }
    Ok(())
}

/// `taskId` and the flags of the last retry; a task of a child, or one whose id was made up, as job and position.
fn last_sent(scene: &Scene, build: &str) -> String {
    let retry = scene.bkci.accepted_retries(build).pop().expect("a retry");
    let view = scene.bkci.build(build);
    let known = [STYLE, FETCH, UNIT, REPORT, BROWSER, UPLOAD, SWEEP];
    let id = retry.task_id.unwrap_or_default();
    let parts = all_jobs(&view).flat_map(|job| std::iter::once(job).chain(&job.children));
    let spot = parts.flat_map(|job| job.tasks.iter().enumerate().map(move |(at, task)| (job, at, task)));
    let mut spot = spot.filter(|(_, _, task)| task.id == id && !known.contains(&id.as_str()));
    let mut sent = spot.next().map_or_else(|| id.clone(), |(job, at, _)| format!("{}/{at}", job.id));
    for (flag, is_set) in [(" failedContainer", retry.failed_container), (" skip", retry.skip)] {
        sent.push_str(if is_set { flag } else { "" });
    }
    sent
}

fn name(view: &BuildView, id: &str) -> String {
    super::all_tasks(view).find(|(_, task)| task.id == id).map_or("?", |(_, task)| task.name.as_str()).to_owned()
}

// ---- builds ----

fn ok(name: &str) -> TaskPlan {
    TaskPlan::new(name)
}

fn breaks(name: &str) -> TaskPlan {
    TaskPlan::new(name).fails(Fail::script("exit 1")).passes()
}

fn may_be_skipped(options: &mut Options) {
    options.continue_when_failed = true;
    options.manual_skip = Some(true);
}

fn job(name: &str, tasks: impl IntoIterator<Item = TaskPlan>) -> JobPlan {
    tasks.into_iter().fold(JobPlan::new(name), JobPlan::task)
}

fn stage(name: &str, jobs: impl IntoIterator<Item = JobPlan>) -> StagePlan {
    jobs.into_iter().fold(StagePlan::new(name), StagePlan::job)
}

fn ship() -> StagePlan {
    stage("Ship", [job("ship", [ok("ship")])])
}

/// It started an hour ago, unless said otherwise.
fn add(scene: &Scene, stages: impl IntoIterator<Item = StagePlan>, change: fn(BuildPlan) -> BuildPlan) -> String {
    let plan = BuildPlan::new(&scene.pipeline).started_by("dev.uid").age(HOUR);
    scene.bkci.add_build(change(stages.into_iter().fold(plan, BuildPlan::stage)))
}

fn as_it_is(plan: BuildPlan) -> BuildPlan {
    plan
}

fn tidy(plan: BuildPlan) -> BuildPlan {
    plan.finally(stage("Tidy", [job("tidy", [ok("sweep").id(SWEEP)])]))
}

fn unit_job(unit: TaskPlan) -> JobPlan {
    job("unit tests", [ok("fetch").id(FETCH), unit.id(UNIT).step("unit_test"), ok("report").id(REPORT)])
        .job_id("job_unit")
}

fn upload() -> StagePlan {
    stage("Ship", [job("ship", [ok("upload").id(UPLOAD)])])
}

/// *unit* (job 2) and *browser* (job 3, may be skipped) failed; *upload* was not reached; *sweep* ran at the end.
fn wide(scene: &Scene) -> String {
    let lint = job("lint", [ok("style").id(STYLE)]);
    let browser = job("in the browser", [breaks("browser").id(BROWSER).with(may_be_skipped)]);
    add(scene, [stage("Test", [lint, unit_job(breaks("unit")), browser]), upload()], tidy)
}

fn one_failed(scene: &Scene) -> String {
    add(scene, [stage("Test", [job("lint", [ok("style").id(STYLE)]), unit_job(breaks("unit"))]), upload()], tidy)
}

/// *unit* and *odd* failed, and both may be skipped.
fn lenient(scene: &Scene) -> String {
    let unit = job("unit tests", [ok("good"), breaks("unit").id(UNIT).with(may_be_skipped), ok("report").id(REPORT)]);
    add(scene, [stage("Test", [unit, job("odd", [breaks("odd").with(may_be_skipped)])]), upload()], as_it_is)
}

fn lenient_one(scene: &Scene) -> String {
    let unit = job("unit tests", [ok("good"), breaks("unit").id(UNIT).with(may_be_skipped), ok("report").id(REPORT)]);
    add(scene, [stage("Test", [unit]), upload()], as_it_is)
}

/// Two tasks have the step id *same*; only the second failed.
fn same_step(scene: &Scene) -> String {
    let jobs =
        [job("one", [ok("style").id(STYLE).step("same")]), job("two", [breaks("browser").id(BROWSER).step("same")])];
    add(scene, [stage("Test", jobs)], as_it_is)
}

fn two_steps(scene: &Scene) -> String {
    let jobs = [job("one", [breaks("unit").step("same")]), job("two", [breaks("browser").step("same")])];
    add(scene, [stage("Test", jobs)], as_it_is)
}

/// A task that comes first has the id of *unit* as its step id.
fn shadowed(scene: &Scene) -> String {
    let jobs = [job("one", [ok("style").step(UNIT)]), job("two", [breaks("unit").id(UNIT)])];
    add(scene, [stage("Test", jobs)], as_it_is)
}

/// Job 2: *first* failed and may be skipped; after it one usual task, one that always runs, one only after failures.
fn conditions(scene: &Scene) -> String {
    let when = |name, condition| ok(name).with(|options: &mut Options| options.run_condition = condition);
    let tasks = [
        breaks("first").with(may_be_skipped),
        ok("next"),
        when("always", RunCondition::EvenIfFailed),
        when("after a failure", RunCondition::OnlyIfFailed),
        ok("off").with(|options| options.enable = false),
    ];
    add(scene, [stage("Test", [job("fine", [ok("good")]), job("odd", tasks)])], as_it_is)
}

fn red() -> Vec<Outcome> {
    vec![Outcome::Fail(Fail::script("exit 1")), Outcome::Pass]
}

fn matrix_job(check: TaskPlan, failing: &[&str]) -> JobPlan {
    let job = job("matrix", [ok("get"), check.id(UNIT).step("c")]);
    ["linux", "windows", "macos"].into_iter().fold(job, |job, os| {
        let child = MatrixChild::new("os", os);
        job.child(if failing.contains(&os) { child.task_ends(1, red()) } else { child })
    })
}

/// Job 2 is a matrix of three children, two of which failed in *check*.
fn matrix(scene: &Scene) -> String {
    let jobs = [job("fine", [ok("good")]), matrix_job(ok("check"), &["windows", "macos"])];
    add(scene, [stage("Test", jobs), ship()], as_it_is)
}

fn one_child(scene: &Scene) -> String {
    let jobs = [job("fine", [ok("good")]), matrix_job(ok("check"), &["windows"])];
    add(scene, [stage("Test", jobs), ship()], as_it_is)
}

fn lenient_child(scene: &Scene) -> String {
    let jobs = [job("fine", [ok("good")]), matrix_job(ok("check").with(may_be_skipped), &["windows"])];
    add(scene, [stage("Test", jobs), ship()], as_it_is)
}

fn succeeded(scene: &Scene) -> String {
    add(scene, [stage("Test", [job("fine", [ok("good")])]), ship()], as_it_is)
}

/// *upload* (job 2) failed behind a gate that was opened.
fn gated(scene: &Scene) -> String {
    let test = stage("Test", [job("fine", [ok("good")])]);
    let upload = stage("Ship", [job("ship", [breaks("upload")])]).gate(&["carol"]);
    let build = add(scene, [test, upload, stage("Tell", [job("tell", [ok("tell")])]).gate(&["carol"])], as_it_is);
    scene.run_on(&build, 10);
    build
}

fn at_a_gate(scene: &Scene) -> String {
    let test = stage("Test", [job("fine", [ok("good")])]);
    add(scene, [test, stage("Ship", [job("ship", [ok("upload")])]).gate(&["carol"])], as_it_is)
}

fn stopped_at_its_gate(scene: &Scene) -> String {
    let build = at_a_gate(scene);
    scene.bkci.review_gate("carol", &build, false);
    build
}

fn just_broken(scene: &Scene, change: fn(BuildPlan) -> BuildPlan) -> String {
    add(scene, [stage("Test", [job("fine", [breaks("broken")])])], change)
}

fn almost_28_days(scene: &Scene) -> String {
    just_broken(scene, |plan| plan.age(28 * 24 * HOUR - Duration::from_secs(60)))
}

fn older_than_28_days(scene: &Scene) -> String {
    just_broken(scene, |plan| plan.age(28 * 24 * HOUR + Duration::from_secs(1)))
}

/// Running: *quick* (job 2), *style* (job 3, may be skipped) and the second child of job 4 failed; *soak* goes on.
fn running(scene: &Scene) -> String {
    let jobs = [
        job("long", [ok("soak").takes(10 * HOUR)]),
        job("short", [breaks("quick"), ok("after")]),
        job("lint", [breaks("style").with(may_be_skipped), ok("note")]),
        matrix_job(ok("check"), &["windows"]),
    ];
    add(scene, [stage("Test", jobs), ship()], as_it_is)
}

fn no_machine(scene: &Scene) -> String {
    let agent = job("agent", [ok("first"), ok("second")]).machine_fails(Fail::machine("no agent"));
    add(scene, [stage("Test", [job("fine", [ok("good")]), agent])], as_it_is)
}

fn empty_job(scene: &Scene) -> String {
    let empty = JobPlan::new("empty").machine_fails(Fail::machine("no agent"));
    add(scene, [stage("Test", [job("fine", [ok("good")]), empty])], as_it_is)
}

fn hidden(scene: &Scene) -> String {
    let hidden = breaks("hidden").with(|options| options.manual_retry = false);
    add(scene, [stage("Test", [job("fine", [hidden])])], as_it_is)
}

/// Only *sweep*, in job 3 of the finally stage, failed.
fn failed_at_the_end(scene: &Scene) -> String {
    let last =
        |plan: BuildPlan| plan.finally(stage("Last", [job("tidy", [breaks("sweep")]), job("mail", [ok("mail")])]));
    add(scene, [stage("Test", [job("one", [ok("good")]), job("two", [ok("better")])])], last)
}

fn timeout(scene: &Scene) -> String {
    let slow = ok("slow").fails(Fail::script("too slow").with_status(Status::ExecTimeout)).passes();
    add(scene, [stage("Test", [job("fine", [ok("good")]), job("slow one", [slow])]), ship()], as_it_is)
}

/// Somebody stopped it while *quick* and *soak* ran.
fn canceled(scene: &Scene) -> String {
    let jobs = [job("short", [ok("quick").takes(HOUR)]), job("long", [ok("soak").takes(HOUR)])];
    let build = add(scene, [stage("Test", jobs), ship()], |plan| plan.age(Duration::from_secs(60)));
    scene.bkci.stop_on_the_web("dev.uid", &build).expect("it runs");
    scene.bkci.clock().advance(Duration::from_secs(2));
    build
}

/// Somebody stopped it while *soak* ran; *style*, which may be skipped, had failed.
fn half_canceled(scene: &Scene) -> String {
    let jobs = [job("lint", [breaks("style").with(may_be_skipped), ok("note")]), job("long", [ok("soak").takes(HOUR)])];
    let build = add(scene, [stage("Test", jobs), ship()], |plan| plan.age(Duration::from_secs(60)));
    scene.bkci.stop_on_the_web("dev.uid", &build).expect("it runs");
    scene.bkci.clock().advance(Duration::from_secs(2));
    build
}

/// Running: stage 2 has ended with a failure that is tolerated, stage 3 goes on.
fn stage_has_ended(scene: &Scene) -> String {
    let flaky = stage("Test", [job("flaky one", [breaks("flaky")]).tolerated()]);
    add(scene, [flaky, stage("Soak", [job("long", [ok("soak").takes(10 * HOUR)])])], as_it_is)
}

fn job_goes_on(scene: &Scene) -> String {
    let soak = ok("soak").takes(10 * HOUR).with(|options| options.run_condition = RunCondition::EvenIfFailed);
    add(scene, [stage("Test", [job("long", [breaks("broken"), soak])])], as_it_is)
}

fn finally_runs(scene: &Scene) -> String {
    just_broken(scene, |plan| plan.finally(stage("Last", [job("long", [ok("soak").takes(10 * HOUR)])])))
}

/// Stage 3 failed; then stage 2, retried on the page although it had not failed, failed too.
fn two_stages(scene: &Scene) -> String {
    let first = ok("first").passes().fails(Fail::script("exit 1")).passes();
    let stages = [stage("Early", [job("one", [first])]), stage("Late", [job("two", [breaks("second")])])];
    let build = add(scene, stages, |plan| plan.finally(stage("Last", [job("last", [ok("last")])])));
    let wish = Wish { task_id: Some("1".to_owned()), ..Wish::default() };
    scene.bkci.retry_on_the_web("dev.uid", &build, wish).expect("nothing checks that it failed");
    scene.run_on(&build, 10);
    build
}
