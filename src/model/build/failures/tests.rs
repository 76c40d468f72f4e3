use super::*;
use crate::model::Timestamp;
use crate::model::build::{ErrorInfo, ErrorKind, Options};
use crate::model::scope::tests::{build, job, matrix, stage, task};
use crate::model::status::BuildStatus as S;

/// `stage › job › task (problem)`.
fn told(build: &Build) -> Vec<String> {
    let place = |place: FailedPlace| {
        let parts = [Some(place.stage), place.job, place.task].into_iter().flatten();
        let names: Vec<String> = parts.map(|(id, _)| id).collect();
        let problem = place.problem.map(|problem| format!(" ({})", problem.message)).unwrap_or_default();
        format!("{}{problem}", names.join(" › "))
    };
    build.failures().into_iter().map(place).collect()
}

fn problem(message: &str) -> Problem {
    Problem { kind: ErrorKind::User, code: 2_199_011, message: message.into() }
}

fn error(stage: &str, job: &str, task: Option<&str>) -> ErrorInfo {
    let message = format!("of {stage} {job} {}", task.unwrap_or("-"));
    ErrorInfo { stage: stage.into(), job: job.into(), task: task.map(str::to_owned), problem: problem(&message) }
}

fn failed_build(jobs: Vec<Job>) -> Build {
    build(S::Failed, vec![stage("stage-2", Some(S::Failed), jobs)])
}

#[test]
fn every_task_that_failed_is_a_place_in_model_order() {
    let first = job("1", S::Failed, vec![task("e-1", Some(S::Succeed)), task("e-2", Some(S::QualityCheckFail))]);
    let second = job("2", S::HeartbeatTimeout, vec![task("e-3", Some(S::Terminate)), task("e-4", Some(S::Unexec))]);
    let canceled = job("3", S::Canceled, vec![task("e-5", Some(S::Canceled)), task("e-6", Some(S::Skip))]);
    let build = failed_build(vec![first, second, canceled]);
    assert_eq!(told(&build), ["stage-2 › 1 › e-2", "stage-2 › 2 › e-3"]);
    let place = build.failures().remove(0);
    assert_eq!((place.stage.1.as_str(), place.task.map(|task| task.1)), ("name of stage-2", Some("task e-2".into())));
}

#[test]
fn a_tolerated_failure_is_no_place_and_one_that_may_be_skipped_is() {
    let options = |manual_skip| Options { continue_when_failed: true, manual_skip, ..Options::default() };
    let tolerated = Task { options: options(false), ..task("e-1", Some(S::Failed)) };
    let skippable = Task { options: options(true), ..task("e-2", Some(S::Failed)) };
    let fine = job("1", S::Succeed, vec![tolerated.clone()]);
    let waits = job("2", S::Failed, vec![tolerated.clone(), skippable]);
    let goes_on = Job { continue_when_failed: true, ..job("3", S::Failed, vec![task("e-3", Some(S::Failed))]) };
    assert_eq!(told(&failed_build(vec![fine.clone(), waits, goes_on.clone()])), ["stage-2 › 2 › e-2"]);
    let passed = build(S::Succeed, vec![stage("stage-2", Some(S::Succeed), vec![fine, goes_on])]);
    assert!(passed.failures().is_empty());
    assert_eq!(
        told(&failed_build(vec![job("4", S::Failed, vec![tolerated])])),
        ["stage-2 › 4"],
        "something else did it"
    );
}

#[test]
fn a_job_that_failed_without_a_task_and_a_stage_without_a_job_are_places_themselves() {
    let mut build = failed_build(vec![job("1", S::QueueTimeout, vec![task("e-1", None)])]);
    build.errors = vec![error("stage-2", "2", None), error("stage-2", "1", Some("e-9")), error("stage-2", "1", None)];
    assert_eq!(told(&build), ["stage-2 › 1 (of stage-2 1 -)"]);

    let gate = stage("stage-3", Some(S::QualityCheckFail), vec![job("7", S::Succeed, Vec::new())]);
    let mut build = super::super::Build { status: S::QualityCheckFail, ..failed_build(Vec::new()) };
    build.stages = vec![gate];
    build.errors = vec![error("stage-3", "", None)];
    assert_eq!(told(&build), ["stage-3 (of stage-3  -)"]);
    assert_eq!(build.failures()[0].job, None);
}

#[test]
fn the_children_of_a_matrix_are_named_as_their_own() {
    let template = || vec![task("e-1", Some(S::Failed))];
    let mut build = failed_build(vec![matrix("2", template(), &[S::Succeed, S::Failed, S::Failed])]);
    build.errors = vec![error("stage-2", "2003", Some("e-1-2"))];
    let places = build.failures();
    let names: Vec<_> = places.iter().map(|place| place.job.clone().map(|job| job.1).unwrap_or_default()).collect();
    assert_eq!(names, ["job 2 (1)", "job 2 (2)"]);
    assert_eq!(told(&build), ["stage-2 › 2002 › e-1-1", "stage-2 › 2003 › e-1-2 (of stage-2 2003 e-1-2)"]);

    let tolerated = Job { continue_when_failed: true, ..matrix("2", template(), &[S::Failed]) };
    assert!(build_of(tolerated).failures().is_empty());
    let unsplit = Job { matrix: true, ..job("2", S::Failed, template()) };
    assert_eq!(told(&failed_build(vec![unsplit])), ["stage-2 › 2"], "its own tasks are only templates");
}

fn build_of(tolerated: Job) -> Build {
    build(S::Succeed, vec![stage("stage-2", Some(S::Succeed), vec![tolerated])])
}

#[test]
fn a_problem_is_the_task_s_own_else_the_listed_one_and_never_of_the_attempt_before() {
    let own = Task { error: Some(problem("its own")), ..task("e-1", Some(S::Failed)) };
    let mut build = failed_build(vec![job("1", S::Failed, vec![own, task("e-2", Some(S::Failed))])]);
    build.errors = vec![error("stage-2", "1", Some("e-1")), error("stage-2", "1", Some("e-2"))];
    let both = ["stage-2 › 1 › e-1 (its own)", "stage-2 › 1 › e-2 (of stage-2 1 e-2)"];
    assert_eq!(told(&build), both);
    for (status, current) in [(S::Running, true), (S::Queue, false), (S::QueueCache, false), (S::Unknown, false)] {
        let retried = Build { status, ended: None, ..build.clone() };
        let expected = [both[0], if current { both[1] } else { "stage-2 › 1 › e-2" }];
        assert_eq!(told(&retried), expected, "{status:?}");
    }
}

#[test]
fn the_step_that_runs_is_the_first_in_model_order_and_waiting_for_a_person_counts() {
    let step = |build: &Build| build.running_step().map(|(_, job, task)| format!("{} {}", job.id, task.id));
    let running = |status, tasks: Vec<Task>| job("1", status, tasks);
    let of = |jobs| Build { ended: None, ..build(S::Running, vec![stage("stage-2", Some(S::Running), jobs)]) };
    for (status, runs) in [
        (S::Running, true),
        (S::Reviewing, true),
        (S::Pause, true),
        (S::LoopWaiting, true),
        (S::CallWaiting, true),
        (S::PrepareEnv, true),
        (S::Queue, false),
        (S::Succeed, false),
        (S::Failed, false),
    ] {
        let tasks = vec![task("e-1", Some(S::Succeed)), task("e-2", Some(status)), task("e-3", None)];
        let build = of(vec![running(S::Running, tasks)]);
        assert_eq!(step(&build), runs.then(|| "1 e-2".to_owned()), "{status:?}");
    }
    let split = matrix("2", vec![task("e-1", Some(S::Running))], &[S::Succeed, S::Running]);
    let later = job("3", S::Running, vec![task("e-9", Some(S::Running))]);
    let build = of(vec![split, later]);
    assert_eq!(step(&build).as_deref(), Some("2002 e-1-1"), "a matrix's templates do not run");
    let over = Build { status: S::Canceled, ended: Some(Timestamp(2_000)), ..build };
    assert_eq!(step(&over), None, "what was cut off does not run");
    assert_eq!(step(&of(vec![running(S::Running, Vec::new())])), None, "its machine is being prepared");
}
