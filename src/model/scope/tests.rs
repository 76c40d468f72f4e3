use super::*;
use crate::model::Timestamp;
use crate::model::build::{Condition, Job, Options, Stage, Task};
use crate::model::status::BuildStatus;
use BuildStatus as S;

const DAY_MS: i64 = 24 * 3600 * 1000;

pub(in crate::model) fn task(id: &str, status: Option<BuildStatus>) -> Task {
    let (id, name) = (id.to_owned(), format!("task {id}"));
    let (can_retry, can_skip, options) = (failed_or_canceled(status), false, Options::default());
    Task {
        id,
        step_id: None,
        name,
        status,
        can_retry,
        can_skip,
        options,
        starts_by_hand: 0,
        waits_for_a_person: false,
        started: None,
        took: None,
        error: None,
    }
}

/// What a person may skip after it failed (bkci-api 7.2).
pub(super) fn skippable_task(id: &str) -> Task {
    let options = Options { continue_when_failed: true, manual_skip: true, ..Options::default() };
    Task { can_skip: true, options, ..task(id, Some(S::Failed)) }
}

pub(in crate::model) fn job(id: &str, status: BuildStatus, tasks: Vec<Task>) -> Job {
    Job {
        id: id.into(),
        job_id: None,
        name: format!("job {id}"),
        status: Some(status),
        can_retry: failed_or_canceled(Some(status)),
        enabled: true,
        conditional: false,
        continue_when_failed: false,
        matrix: false,
        fast_kill: false,
        took: None,
        tasks,
        children: Vec::new(),
    }
}

/// A matrix whose children have the tasks of `tasks`, with ids of their own.
pub(in crate::model) fn matrix(id: &str, tasks: Vec<Task>, children: &[BuildStatus]) -> Job {
    let status = children.iter().copied().find(|status| status.is_failure()).unwrap_or(S::Succeed);
    let child = |(index, status): (usize, &BuildStatus)| {
        let own = |task: &Task| Task { id: format!("{}-{index}", task.id), status: Some(*status), ..task.clone() };
        let tasks = tasks.iter().map(own).map(|t| Task { can_retry: failed_or_canceled(t.status), ..t }).collect();
        Job { name: format!("job {id} ({index})"), ..job(&format!("{id}00{}", index + 1), *status, tasks) }
    };
    let children = children.iter().enumerate().map(child).collect();
    Job { matrix: true, children, ..job(id, status, tasks) }
}

pub(in crate::model) fn stage(id: &str, status: Option<BuildStatus>, jobs: Vec<Job>) -> Stage {
    Stage {
        id: id.into(),
        name: format!("name of {id}"),
        status,
        can_retry: failed_or_canceled(status),
        finally: false,
        enabled: true,
        conditional: false,
        fast_kill: false,
        gated: false,
        started: None,
        took: None,
        jobs,
    }
}

pub(super) fn finally(id: &str, status: BuildStatus, jobs: Vec<Job>) -> Stage {
    Stage { finally: true, can_retry: false, ..stage(id, Some(status), jobs) }
}

pub(in crate::model) fn build(status: BuildStatus, stages: Vec<Stage>) -> Build {
    let trigger = job("0", S::Succeed, vec![task("T-1-1-1", Some(S::Succeed))]);
    let trigger = stage("stage-1", Some(S::Succeed), vec![trigger]);
    Build {
        id: "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e".parse().expect("an id"),
        pipeline: "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a".parse().expect("an id"),
        pipeline_name: "nightly".into(),
        number: 128,
        status,
        execute_count: 1,
        started: Some(Timestamp(1_000)),
        ended: status.is_finished().then_some(Timestamp(2_000)),
        read_at: Timestamp(3_000),
        from_webhook: false,
        branch: None,
        commit: None,
        message: None,
        may_stop: None,
        canceled_by: None,
        starters: vec!["alice".into()],
        errors: Vec::new(),
        stages: std::iter::once(trigger).chain(stages).collect(),
    }
}

fn failed_build() -> Build {
    let compile = job("1", S::Succeed, vec![task("e-ok", Some(S::Succeed))]);
    // It runs even after a failure, and may be retried since a person may skip it (bkci-api 7.2).
    let options = Options { condition: Condition::EvenAfterFailure, ..skippable_task("").options };
    let unit = Task { options, ..task("e-unit", Some(S::Failed)) };
    let test = job("2", S::Failed, vec![skippable_task("e-lint"), unit]);
    let last = job("3", S::Failed, vec![Task { can_retry: false, ..task("e-last", Some(S::Failed)) }]);
    let middle = stage("stage-2", Some(S::Failed), vec![compile, test]);
    build(S::Failed, vec![middle, finally("stage-3", S::Failed, vec![last])])
}

fn resolve(build: &Build, wanted: Wanted) -> String {
    match Scope::resolve(build, &wanted) {
        Ok(scope) => {
            let failed = if scope.only_failed_jobs() { " only failed jobs" } else { "" };
            let skip = if scope.skips() { " skip" } else { "" };
            format!("{}{failed}{skip}", scope.task_id().unwrap_or("everything"))
        }
        Err(refusal) => format!("{refusal:?}"),
    }
}

fn retry(build: &Build, named: &str) -> String {
    resolve(build, Wanted::Retry(named.into()))
}

fn skip(build: &Build, named: &str) -> String {
    resolve(build, Wanted::Skip(named.into()))
}

fn failed_jobs(build: &Build, named: Option<&str>) -> String {
    resolve(build, Wanted::FailedJobs(named.map(str::to_owned)))
}

#[test]
fn an_id_that_was_found_is_sent_and_nothing_else_is() {
    let build = failed_build();
    assert_eq!(resolve(&build, Wanted::WholeBuild), "everything");
    assert_eq!(retry(&build, "e-unit"), "e-unit");
    assert_eq!(retry(&build, " e-unit "), "e-unit");
    assert_eq!(retry(&build, "stage-2"), "stage-2");
    assert_eq!(retry(&build, "2"), "2", "a job");
    assert_eq!(skip(&build, "e-lint"), "e-lint skip");
    assert_eq!(failed_jobs(&build, None), "stage-2 only failed jobs");
    assert_eq!(failed_jobs(&build, Some("stage-2")), "stage-2 only failed jobs");
    assert!(skip(&build, "e-unit").starts_with("NotSkippable"));
    assert!(skip(&build, "stage-2").contains("task e-unit"), "one of its failed tasks may not be skipped");
    assert!(retry(&build, "e-ok").starts_with("NotFailed"));
    assert!(retry(&build, "1").starts_with("NotFailed"), "a job that succeeded");
    assert!(retry(&build, "stage-1").starts_with("Trigger"));
    assert!(retry(&build, "T-1-1-1").starts_with("Trigger"));
    assert!(retry(&build, "stage-3").starts_with("Finally"));
    assert!(retry(&build, "e-last").starts_with("NotRetryable"));
    let mut behind = build.clone();
    behind.stages[1].jobs[1].tasks[1].options.condition = Condition::AfterSuccess;
    assert!(retry(&behind, "e-unit").starts_with("Behind"), "it would wait for e-lint");
    for unknown in ["", " ", "e-none", "stage-9", "7", "E-UNIT"] {
        assert!(retry(&build, unknown).starts_with("NotFound"), "{unknown:?}: {}", retry(&build, unknown));
        assert!(skip(&build, unknown).starts_with("NotFound"), "{unknown:?}");
        assert!(failed_jobs(&build, Some(unknown)).starts_with("NotFound"), "{unknown:?}");
    }
    assert!(retry(&build, "e-none").contains("e-lint"), "says what could have been meant");
}

#[test]
fn a_name_or_step_id_is_enough_when_only_one_thing_that_failed_bears_it() {
    let mut build = failed_build();
    for (job, task, step) in [(0, 0, "unit"), (1, 1, "unit"), (1, 0, "lint")] {
        build.stages[1].jobs[job].tasks[task].step_id = Some(step.into());
    }
    build.stages[1].jobs[1].job_id = Some("tests".into());
    assert_eq!(retry(&build, "unit"), "e-unit", "the other one succeeded");
    assert_eq!(retry(&build, "TASK E-Unit"), "e-unit");
    assert_eq!(retry(&build, "tests"), "2");
    assert_eq!(retry(&build, "Name of Stage-2"), "stage-2");
    assert!(retry(&build, "task e-un").starts_with("NotFound"), "a part of a name is no name");

    build.stages[1].jobs[1].tasks[0].step_id = Some("unit".into());
    let refused = retry(&build, "unit");
    assert!(refused.starts_with("Ambiguous") && refused.contains("e-lint") && refused.contains("e-unit"), "{refused}");
    assert_eq!(retry(&build, "e-unit"), "e-unit", "its id still names it");

    build.stages[1].jobs[1].name = "name of stage-2".into();
    assert!(retry(&build, "name of stage-2").starts_with("Ambiguous"), "a stage and a job");
    assert_eq!(failed_jobs(&build, Some("name of stage-2")), "stage-2 only failed jobs", "only the stage can be meant");
}

#[test]
fn an_id_that_bkci_would_take_for_something_else_is_refused() {
    let mut build = failed_build();
    build.stages[1].jobs[0].tasks[0].step_id = Some("e-unit".into());
    assert!(retry(&build, "e-unit").starts_with("Shadowed"));
    assert!(retry(&build, "task e-unit").starts_with("Shadowed"), "by name as well");
    assert!(retryable(&build).iter().all(|part| part.id != "e-unit"));
    build.stages[1].jobs[0].tasks[0].step_id = Some("2".into());
    assert!(retry(&build, "2").starts_with("Shadowed"), "a job behind a step id");
    let mut build = failed_build();
    build.stages[0].jobs[0].tasks[0].step_id = Some("stage-2".into());
    assert!(failed_jobs(&build, None).starts_with("Shadowed"), "a stage behind a step id of the trigger");
    let mut build = failed_build();
    build.stages[1].jobs[1].tasks[1].id = String::new();
    assert!(retry(&build, "task e-unit").starts_with("Shadowed"), "without an id BK-CI would run everything");
}

#[test]
fn the_state_of_the_build_decides_first() {
    let with = |change: fn(&mut Build)| {
        let mut build = failed_build();
        change(&mut build);
        resolve(&build, Wanted::WholeBuild)
    };
    assert_eq!(with(|b| b.status = S::Running), "StillRunning(Running)");
    assert_eq!(with(|b| b.status = S::Unknown), "StillRunning(Unknown)");
    assert_eq!(with(|b| (b.status, b.ended) = (S::StageSuccess, None)), "AtGate");
    assert_eq!(with(|b| b.status = S::Canceled), "everything");
    assert_eq!(with(|b| b.read_at = Timestamp(1_001 + 28 * DAY_MS)), "TooOld");
    assert_eq!(with(|b| b.read_at = Timestamp(1_000 + 28 * DAY_MS)), "everything");
    assert_eq!(with(|b| (b.started, b.read_at) = (None, Timestamp(90 * DAY_MS))), "everything", "it never started");
}

#[test]
fn what_is_risky_is_told() {
    let why =
        |build: &Build, wanted: Wanted| Scope::resolve(build, &wanted).map(|scope| scope.needs_confirmation(build));
    let mut build = failed_build();
    assert_eq!(why(&build, Wanted::WholeBuild), Ok(None));
    assert_eq!(why(&build, Wanted::Skip("e-lint".into())), Ok(None));
    build.stages[1].jobs[1].tasks.pop();
    assert_eq!(why(&build, Wanted::Skip("stage-2".into())), Ok(Some(Why::SkipsStage)));
    build.status = S::StageSuccess;
    assert_eq!(why(&build, Wanted::WholeBuild), Ok(Some(Why::NotFailed)), "stopped at a gate on purpose");
    build.status = S::Succeed;
    assert_eq!(why(&build, Wanted::WholeBuild), Ok(Some(Why::NotFailed)));
    assert_eq!(why(&build, Wanted::Retry("stage-2".into())), Ok(Some(Why::NotFailed)), "whatever is named");
}

#[test]
fn a_matrix_is_named_whole_or_by_a_child_and_its_templates_never() {
    let tasks = vec![task("e-t", None), Task { step_id: Some("t".into()), ..task("e-u", None) }];
    let jobs = vec![matrix("2", tasks, &[S::Succeed, S::Failed, S::Failed])];
    let build = build(S::Failed, vec![stage("stage-2", Some(S::Failed), jobs)]);
    assert_eq!(retry(&build, "2"), "2");
    assert_eq!(failed_jobs(&build, Some("2")), "2 only failed jobs");
    assert_eq!(failed_jobs(&build, Some("job 2")), "2 only failed jobs");
    assert_eq!(retry(&build, "2002"), "2002");
    assert_eq!(retry(&build, "job 2 (1)"), "2002");
    assert!(retry(&build, "2001").starts_with("NotFailed"));
    assert_eq!(retry(&build, "e-t-1"), "e-t-1");
    assert!(retry(&build, "e-t").starts_with("Template"));
    let refused = retry(&build, "t");
    assert!(refused.starts_with("Ambiguous") && refused.contains("e-u-1") && !refused.contains("\"e-u\""), "{refused}");
    assert!(failed_jobs(&build, Some("2002")).starts_with("FailedJobsOf"));
    assert!(failed_jobs(&build, Some("e-t-1")).starts_with("FailedJobsOf"));
    for job in ["2", "2002"] {
        let refused = skip(&build, job);
        assert!(refused.starts_with("SkipWhat") && refused.contains("e-t-1"), "{refused}");
    }
}

#[test]
fn a_stage_behind_one_that_stays_failed_is_refused_and_failed_jobs_begin_with_the_first() {
    let of = |id: &str, job_id: &str| {
        let jobs = vec![job(job_id, S::Failed, vec![task(&format!("e-{job_id}"), Some(S::Failed))])];
        stage(id, Some(S::Failed), jobs)
    };
    let build = build(S::Failed, vec![of("stage-2", "1"), of("stage-3", "2")]);
    for named in ["stage-3", "2", "e-2"] {
        assert!(retry(&build, named).starts_with("Behind"), "{named}");
    }
    let scope = Scope::resolve(&build, &Wanted::FailedJobs(None));
    let (id, name, jobs) = ("stage-2".to_owned(), "name of stage-2".to_owned(), vec!["job 1".to_owned()]);
    assert_eq!(scope, Ok(Scope::FailedJobs { id, name, jobs, others: vec!["name of stage-3".to_owned()] }));
}

#[test]
fn nothing_is_offered_that_would_be_refused() {
    let build = failed_build();
    let ids = |parts: Vec<Part>| parts.into_iter().map(|part| part.id).collect::<Vec<_>>();
    assert_eq!(ids(retryable(&build)), ["stage-2", "2", "e-lint", "e-unit", "3"]);
    assert_eq!(ids(skippable(&build)), ["e-lint"]);
    let running = Build { status: S::Running, ended: None, ..failed_build() };
    assert_eq!(ids(retryable(&running)), Vec::<String>::new(), "its stage does not run");
}

#[test]
fn the_tasks_that_ran_are_told_with_the_failed_ones_first() {
    let tasks = vec![
        task("e-done", Some(S::Succeed)),
        task("e-skipped", Some(S::Skip)),
        task("e-runs", Some(S::Running)),
        task("e-waits", Some(S::Queue)),
        task("e-later", None),
        task("e-unexec", Some(S::Unexec)),
        task("e-stopped", Some(S::Canceled)),
    ];
    let split = matrix("3", vec![task("e-m", None)], &[S::Succeed, S::ExecTimeout]);
    let stages = vec![stage("stage-2", Some(S::Failed), vec![job("2", S::Failed, tasks), split])];
    let ids: Vec<String> = ran(&build(S::Failed, stages)).into_iter().map(|part| part.id).collect();
    assert_eq!(ids, ["e-stopped", "e-m-1", "e-runs", "e-done", "e-m-0"], "neither a matrix's own nor the trigger's");
}

fn plan(build: &Build, wanted: Wanted) -> Plan {
    what_runs(build, &Scope::resolve(build, &wanted).expect("it resolves"))
}

fn told(plan: &Plan) -> Vec<String> {
    plan.tasks().map(|(_, job, task)| format!("{} {} {:?}", job.id, task.id, task.fate)).collect()
}

#[test]
fn a_plan_says_what_runs_what_stays_and_what_is_not_reached() {
    let mut build = failed_build();
    let other = job("7", S::Failed, vec![task("e-other", Some(S::Failed))]);
    build.stages[1].jobs.push(other);
    let ship = stage("stage-9", Some(S::Unexec), vec![job("8", S::Unexec, vec![task("e-ship", Some(S::Unexec))])]);
    build.stages.insert(2, Stage { gated: true, ..ship });

    let one = plan(&build, Wanted::Retry("e-unit".into()));
    assert_eq!(told(&one), ["2 e-unit Runs", "3 e-last Runs"]);
    let ids = |parts: &[Part]| parts.iter().map(|part| part.id.clone()).collect::<Vec<_>>();
    assert_eq!((ids(&one.stays), ids(&one.unreached)), (vec!["e-lint".into(), "7".into()], vec!["stage-9".into()]));
    assert_eq!((one.gates().count(), one.wipes_variables), (0, Some(false)));

    let jobs = plan(&build, Wanted::FailedJobs(None));
    assert_eq!(
        told(&jobs),
        ["2 e-lint Runs", "2 e-unit Runs", "7 e-other Runs", "8 e-ship RunsIfAllPass", "3 e-last Runs"]
    );
    assert!(jobs.stays.is_empty() && jobs.unreached.is_empty());
    assert_eq!(jobs.gates().map(|stage| stage.id.as_str()).collect::<Vec<_>>(), ["stage-9"]);

    let whole = plan(&build, Wanted::WholeBuild);
    assert_eq!((told(&whole).len(), whole.wipes_variables), (6, None), "the detail does not tell about variables");
}

#[test]
fn how_long_it_takes_is_what_it_took_stage_after_stage_and_jobs_at_once() {
    let mut build = failed_build();
    assert_eq!(plan(&build, Wanted::WholeBuild).took(), None, "nobody knows");
    for (stage, job, task, seconds) in [(1, 0, 0, 100), (1, 1, 0, 30), (1, 1, 1, 40), (2, 0, 0, 5)] {
        build.stages[stage].jobs[job].tasks[task].took = Some(Duration::from_secs(seconds));
    }
    assert_eq!(plan(&build, Wanted::WholeBuild).took(), Some(Duration::from_secs(105)));
    assert_eq!(plan(&build, Wanted::FailedJobs(None)).took(), Some(Duration::from_secs(75)));
    assert_eq!(plan(&build, Wanted::Skip("e-lint".into())).took(), Some(Duration::from_secs(45)), "without it");
}

#[test]
fn what_depends_on_other_things_is_not_certain() {
    let with = |change: fn(&mut Build)| {
        let mut build = failed_build();
        change(&mut build);
        told(&plan(&build, Wanted::Retry("2".into())))
    };
    assert_eq!(with(|_| ()), ["2 e-lint Runs", "2 e-unit Runs", "3 e-last Runs"]);
    let depends = |build: &mut Build| build.stages[1].jobs[1].conditional = true;
    assert_eq!(with(depends), ["2 e-lint MayRun", "2 e-unit MayRun", "3 e-last Runs"]);
    let killed = |build: &mut Build| {
        build.stages[1].fast_kill = true;
        build.stages[1].jobs[0].status = Some(S::Failed);
    };
    assert_eq!(with(killed), ["2 e-lint MayRun", "2 e-unit MayRun", "3 e-last Runs"], "job 1 stays failed, and kills");
    let after_a_tolerated = |build: &mut Build| {
        let tasks = &mut build.stages[1].jobs[1].tasks;
        tasks[0].options = Options { continue_when_failed: true, ..Options::default() };
        tasks[1].options.condition = Condition::OnlyAfterFailure;
    };
    assert_eq!(with(after_a_tolerated), ["2 e-lint Runs", "2 e-unit RunsIfFailed", "3 e-last Runs"]);
}

#[test]
fn a_digest_stands_for_what_would_run_and_not_for_the_moment_of_the_read() {
    let build = failed_build();
    let digest = build.digest();
    assert_eq!((digest.len(), digest.chars().all(|c| c.is_ascii_hexdigit())), (32, true));
    let later = Build { read_at: Timestamp(9_000), pipeline_name: "renamed".into(), ..build.clone() };
    assert_eq!(later.digest(), digest);
    let told = Build { branch: Some("main".into()), commit: Some("fix".into()), message: Some("m".into()), ..later };
    let mut told = Build { may_stop: Some(true), canceled_by: Some("bob".into()), ..told };
    told.stages[1].started = Some(Timestamp(1));
    told.stages[1].jobs[1].tasks[1].started = Some(Timestamp(1));
    assert_eq!(told.digest(), digest, "who says what of it, and when, changes nothing");
    let changes: [fn(&mut Build); 9] = [
        |b| b.execute_count = 2,
        |b| b.status = S::Canceled,
        |b| b.ended = Some(Timestamp(2_001)),
        |b| b.stages[1].gated = true,
        |b| b.stages[1].jobs[1].status = Some(S::Canceled),
        |b| b.stages[1].jobs[1].tasks[1].status = Some(S::Skip),
        |b| b.stages[1].jobs[1].tasks[1].starts_by_hand = 1,
        |b| b.stages[1].jobs[1].tasks[1].options.enabled = false,
        |b| b.stages[1].jobs[1].tasks.swap(0, 1),
    ];
    let mut digests: Vec<String> = changes
        .iter()
        .map(|change| {
            let mut build = build.clone();
            change(&mut build);
            build.digest()
        })
        .collect();
    digests.push(digest);
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 10);
}
