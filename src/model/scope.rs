//! What exactly a retry will re-run: resolved against a build that was read, or refused with the reason.
//!
//! BK-CI answers an id that it does not know by re-running the whole build (bkci-api 6.2, trap 3). So nothing a person
//! typed is ever sent: what goes out is the id of something that was found in the build's detail.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::build::{Build, Stage, Task, failed_or_canceled};
use super::status::BuildStatus;

/// BK-CI refuses to retry a build that started longer ago (bkci-api 6.3, check 4).
pub const RETRY_WINDOW: Duration = Duration::from_hours(28 * 24);

/// At most this many candidates are named when what was asked for does not exist.
const CANDIDATES: usize = 5;

/// What a person named, as typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// Everything.
    WholeBuild,
    /// From this task or stage on.
    Retry(String),
    /// Without this failed task, or without this stage's failed tasks.
    Skip(String),
}

/// What a retry will re-run. Names are for people, ids were found in the build's detail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Everything from the start, with the original parameters and the original pipeline version.
    WholeBuild,
    /// Every job of a failed stage, then onward.
    Stage {
        /// `stage-2`
        id: String,
        /// The user's name for it.
        name: String,
    },
    /// The failed tasks of a stage become skipped, the rest of the stage runs again.
    SkipInStage {
        /// `stage-2`
        id: String,
        /// The user's name for it.
        name: String,
        /// The names of the tasks that are skipped.
        tasks: Vec<String>,
    },
    /// A failed task and what follows it.
    Task(TaskScope),
    /// A failed task becomes skipped, what follows it runs.
    SkipTask(TaskScope),
}

/// A task as the target of a retry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskScope {
    /// `e-…`
    pub id: String,
    /// The user's name for it.
    pub name: String,
    /// The name of its job.
    pub job: String,
    /// The name of its stage.
    pub stage: String,
}

/// Why a build, or a part of it, is not retried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// It has not ended; BK-CI would refuse, or re-run something else than was meant.
    StillRunning(BuildStatus),
    /// It waits for somebody to approve a stage.
    AtGate,
    /// It ended well: BK-CI would re-run it without a word.
    Succeeded,
    /// It started more than [`RETRY_WINDOW`] ago.
    TooOld,
    /// Nothing in this build has that id. What could have been meant: failed tasks and stages.
    NotFound {
        /// What was asked for.
        named: String,
        /// Failed tasks and stages: id and name.
        candidates: Vec<(String, String)>,
    },
    /// BK-CI would take something else for this id, since it comes first in the build.
    Shadowed {
        /// What was asked for.
        named: String,
    },
    /// The trigger stage or its tasks.
    Trigger,
    /// It is there, and did not fail.
    NotFailed {
        /// The task's or stage's name.
        name: String,
    },
    /// The pipeline does not allow to retry it by hand.
    NotRetryable {
        /// The task's or stage's name.
        name: String,
    },
    /// The pipeline does not allow to skip it.
    NotSkippable {
        /// The tasks' names.
        names: Vec<String>,
    },
}

impl Scope {
    /// The id that goes to BK-CI as `taskId`.
    pub fn task_id(&self) -> Option<&str> {
        match self {
            Self::WholeBuild => None,
            Self::Stage { id, .. } | Self::SkipInStage { id, .. } => Some(id),
            Self::Task(task) | Self::SkipTask(task) => Some(&task.id),
        }
    }

    /// Whether BK-CI is asked to skip.
    pub fn skips(&self) -> bool {
        matches!(self, Self::SkipInStage { .. } | Self::SkipTask(_))
    }

    /// Whether everything runs again.
    pub fn is_whole_build(&self) -> bool {
        matches!(self, Self::WholeBuild)
    }

    /// Finds what was named in the build.
    ///
    /// # Errors
    /// Why BK-CI must not be asked for this; nothing was changed.
    pub fn resolve(build: &Build, wanted: &Wanted) -> Result<Self, Refusal> {
        refuse_by_state(build)?;
        match wanted {
            Wanted::WholeBuild => Ok(Self::WholeBuild),
            Wanted::Retry(named) => match find(build, named)? {
                Found::Stage(stage) => retry_stage(stage),
                Found::Task(stage, job, task) => retry_task(stage, job, task),
            },
            Wanted::Skip(named) => match find(build, named)? {
                Found::Stage(stage) => skip_in_stage(stage),
                Found::Task(stage, job, task) => skip_task(stage, job, task),
            },
        }
    }
}

fn refuse_by_state(build: &Build) -> Result<(), Refusal> {
    if !build.is_finished() {
        let at_gate = build.status == BuildStatus::StageSuccess;
        return Err(if at_gate { Refusal::AtGate } else { Refusal::StillRunning(build.status) });
    }
    if build.status.is_success() || build.status == BuildStatus::StageSuccess {
        return Err(Refusal::Succeeded);
    }
    // Both times are BK-CI's, so a wrong clock here does not matter.
    if build.started.is_some_and(|started| build.read_at.since(started) > RETRY_WINDOW) {
        return Err(Refusal::TooOld);
    }
    Ok(())
}

enum Found<'a> {
    Stage(&'a Stage),
    /// Stage, name of the job, task.
    Task(&'a Stage, &'a str, &'a Task),
}

/// Walks as BK-CI does: the first stage id, job id, task id or step id in model order wins (bkci-api 6.2).
fn find<'a>(build: &'a Build, named: &str) -> Result<Found<'a>, Refusal> {
    let first = build.stages.iter().enumerate().find_map(|(index, stage)| Some((index, first_in_stage(stage, named)?)));
    let exists = || {
        let mut tasks = build.stages.iter().flat_map(Stage::all_jobs).flat_map(|job| &job.tasks);
        tasks.any(|task| task.id == named) || build.stages.iter().any(|stage| stage.id == named)
    };
    match first {
        Some((0, Some(_))) => Err(Refusal::Trigger),
        Some((_, Some(found))) => Ok(found),
        Some((_, None)) if exists() => Err(Refusal::Shadowed { named: named.to_owned() }),
        Some((_, None)) | None => {
            Err(Refusal::NotFound { named: named.to_owned(), candidates: candidates(build).take(CANDIDATES).collect() })
        }
    }
}

/// `Some(None)`: something matches that may not be named here (a job, or a task by its step id).
fn first_in_stage<'a>(stage: &'a Stage, named: &str) -> Option<Option<Found<'a>>> {
    if stage.id == named {
        return Some(Some(Found::Stage(stage)));
    }
    stage.all_jobs().find_map(|job| {
        if job.id == named {
            return Some(None);
        }
        job.tasks.iter().find_map(|task| {
            let by_id = task.id == named;
            let by_step = task.step_id.as_deref() == Some(named);
            (by_id || by_step).then(|| by_id.then_some(Found::Task(stage, &job.name, task)))
        })
    })
}

fn candidates(build: &Build) -> impl Iterator<Item = (String, String)> {
    build.stages.iter().skip(1).flat_map(|stage| {
        let tasks = stage.all_jobs().flat_map(|job| &job.tasks).filter(|task| failed_or_canceled(task.status));
        let tasks = tasks.map(|task| (task.id.clone(), task.name.clone()));
        let stage = failed_or_canceled(stage.status).then(|| (stage.id.clone(), stage.name.clone()));
        stage.into_iter().chain(tasks)
    })
}

fn retry_stage(stage: &Stage) -> Result<Scope, Refusal> {
    if !failed_or_canceled(stage.status) {
        return Err(Refusal::NotFailed { name: stage.name.clone() });
    }
    if !stage.can_retry {
        return Err(Refusal::NotRetryable { name: stage.name.clone() });
    }
    Ok(Scope::Stage { id: stage.id.clone(), name: stage.name.clone() })
}

/// BK-CI checks no right for this form (bkci-api 6.2), so each task's own permission to be skipped is asked for here.
fn skip_in_stage(stage: &Stage) -> Result<Scope, Refusal> {
    retry_stage(stage)?;
    let failed = || stage.all_jobs().flat_map(|job| &job.tasks).filter(|task| failed_or_canceled(task.status));
    if failed().next().is_none() {
        return Err(Refusal::NotSkippable { names: vec![stage.name.clone()] });
    }
    let forbidden: Vec<String> = failed().filter(|task| !task.can_skip).map(|task| task.name.clone()).collect();
    if !forbidden.is_empty() {
        return Err(Refusal::NotSkippable { names: forbidden });
    }
    let tasks = failed().map(|task| task.name.clone()).collect();
    Ok(Scope::SkipInStage { id: stage.id.clone(), name: stage.name.clone(), tasks })
}

fn retry_task(stage: &Stage, job: &str, task: &Task) -> Result<Scope, Refusal> {
    refuse_unfailed(task)?;
    if !task.can_retry {
        return Err(Refusal::NotRetryable { name: task.name.clone() });
    }
    Ok(Scope::Task(task_scope(stage, job, task)))
}

fn skip_task(stage: &Stage, job: &str, task: &Task) -> Result<Scope, Refusal> {
    refuse_unfailed(task)?;
    if !task.can_skip {
        return Err(Refusal::NotSkippable { names: vec![task.name.clone()] });
    }
    Ok(Scope::SkipTask(task_scope(stage, job, task)))
}

fn refuse_unfailed(task: &Task) -> Result<(), Refusal> {
    if failed_or_canceled(task.status) { Ok(()) } else { Err(Refusal::NotFailed { name: task.name.clone() }) }
}

fn task_scope(stage: &Stage, job: &str, task: &Task) -> TaskScope {
    TaskScope { id: task.id.clone(), name: task.name.clone(), job: job.to_owned(), stage: stage.name.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use BuildStatus as S;

    const DAY_MS: i64 = 24 * 3600 * 1000;

    fn task(id: &str, status: Option<BuildStatus>, can_retry: bool, can_skip: bool) -> Task {
        Task { id: id.into(), step_id: None, name: format!("task {id}"), status, can_retry, can_skip }
    }

    fn job(id: &str, status: BuildStatus, tasks: Vec<Task>) -> Job {
        Job { id: id.into(), name: format!("job {id}"), status: Some(status), tasks, children: Vec::new() }
    }

    fn stage(id: &str, status: BuildStatus, can_retry: bool, jobs: Vec<Job>) -> Stage {
        Stage { id: id.into(), name: format!("name of {id}"), status: Some(status), can_retry, jobs }
    }

    use super::super::build::Job;

    fn failed_build() -> Build {
        let trigger = stage(
            "stage-1",
            S::Succeed,
            false,
            vec![job("0", S::Succeed, vec![task("T-1-1-1", Some(S::Succeed), false, false)])],
        );
        let compile = job("1", S::Succeed, vec![task("e-ok", Some(S::Succeed), false, false)]);
        let test = job(
            "2",
            S::Failed,
            vec![task("e-lint", Some(S::Failed), true, true), task("e-unit", Some(S::Failed), true, false)],
        );
        let finally = stage(
            "stage-3",
            S::Failed,
            false,
            vec![job("3", S::Failed, vec![task("e-last", Some(S::Failed), false, false)])],
        );
        Build {
            id: "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e".parse().expect("an id"),
            pipeline: "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a".parse().expect("an id"),
            pipeline_name: "nightly".into(),
            number: 128,
            status: S::Failed,
            execute_count: 1,
            started: Some(Timestamp(1_000)),
            ended: Some(Timestamp(2_000)),
            read_at: Timestamp(3_000),
            from_webhook: false,
            starters: vec!["alice".into()],
            stages: vec![trigger, stage("stage-2", S::Failed, true, vec![compile, test]), finally],
        }
    }

    fn resolve(build: &Build, wanted: Wanted) -> String {
        match Scope::resolve(build, &wanted) {
            Ok(scope) => format!("{} skip={} ", scope.task_id().unwrap_or("everything"), scope.skips()),
            Err(refusal) => format!("{refusal:?}"),
        }
    }

    #[test]
    fn an_id_that_was_found_is_sent_and_nothing_else_is() {
        let build = failed_build();
        let retry = |named: &str| resolve(&build, Wanted::Retry(named.into()));
        let skip = |named: &str| resolve(&build, Wanted::Skip(named.into()));
        assert_eq!(resolve(&build, Wanted::WholeBuild), "everything skip=false ");
        assert_eq!(retry("e-unit"), "e-unit skip=false ");
        assert_eq!(retry("stage-2"), "stage-2 skip=false ");
        assert_eq!(skip("e-lint"), "e-lint skip=true ");
        assert!(skip("e-unit").starts_with("NotSkippable"));
        assert!(skip("stage-2").contains("task e-unit"), "one of its failed tasks may not be skipped");
        assert!(retry("e-ok").starts_with("NotFailed"));
        assert!(retry("stage-1").starts_with("Trigger"));
        assert!(retry("T-1-1-1").starts_with("Trigger"));
        assert!(retry("stage-3").starts_with("NotRetryable"), "the finally stage never offers it");
        assert!(retry("e-last").starts_with("NotRetryable"));
        for unknown in ["", " ", "e-none", "stage-9", "task e-unit", "2", "E-UNIT"] {
            assert!(retry(unknown).starts_with("NotFound"), "{unknown:?}: {}", retry(unknown));
            assert!(skip(unknown).starts_with("NotFound"), "{unknown:?}");
        }
        assert!(retry("e-none").contains("e-lint"), "says what could have been meant");
    }

    #[test]
    fn an_id_that_bkci_would_take_for_something_else_is_refused() {
        let mut build = failed_build();
        build.stages[1].jobs[0].tasks[0].step_id = Some("e-unit".into());
        assert!(resolve(&build, Wanted::Retry("e-unit".into())).starts_with("Shadowed"));
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
        assert_eq!(with(|b| b.status = S::StageSuccess), "Succeeded");
        assert_eq!(with(|b| b.status = S::Succeed), "Succeeded");
        assert_eq!(with(|b| b.status = S::Canceled), "everything skip=false ");
        assert_eq!(with(|b| b.read_at = Timestamp(1_001 + 28 * DAY_MS)), "TooOld");
        assert_eq!(with(|b| b.read_at = Timestamp(1_000 + 28 * DAY_MS)), "everything skip=false ");
    }
}
