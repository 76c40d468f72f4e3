//! From what was named to what is re-run, or to the reason why not (bkci-api 6.2–6.4, 7.2).

use super::find::{self, Found, Verb};
use super::{JobScope, Part, RETRY_WINDOW, Refusal, Scope, TaskScope, Wanted};
use crate::model::build::{Build, Condition, Job, Stage, Task, failed, failed_or_canceled, finished};
use crate::model::status::BuildStatus;

pub(super) fn resolve(build: &Build, wanted: &Wanted) -> Result<Scope, Refusal> {
    refuse_by_state(build)?;
    match wanted {
        Wanted::WholeBuild => {
            refuse_running(build)?;
            Ok(Scope::WholeBuild)
        }
        Wanted::FailedJobs(None) => failed_stage(build),
        Wanted::Retry(named) => retry(build, find::find(build, named, Verb::Retry)?),
        Wanted::Skip(named) => skip(build, find::find(build, named, Verb::Skip)?),
        Wanted::FailedJobs(Some(named)) => failed_jobs(build, find::find(build, named, Verb::FailedJobs)?),
    }
}

/// Everything in the build that could be named as `task`, in model order.
pub fn retryable(build: &Build) -> Vec<Part> {
    targets(build, retry)
}

/// Everything in the build that could be named as `skip`, in model order.
pub fn skippable(build: &Build) -> Vec<Part> {
    targets(build, skip)
}

fn targets(build: &Build, resolve: impl Fn(&Build, Found<'_>) -> Result<Scope, Refusal>) -> Vec<Part> {
    if refuse_by_state(build).is_err() {
        return Vec::new();
    }
    let parts = find::parts(build).filter(|found| find::unambiguous(build, *found).is_ok());
    parts.filter(|found| resolve(build, *found).is_ok()).map(|found| found.part()).collect()
}

fn refuse_by_state(build: &Build) -> Result<(), Refusal> {
    // Both times are BK-CI's, so a wrong clock here does not matter.
    if build.started.is_some_and(|started| build.read_at.since(started) > RETRY_WINDOW) {
        return Err(Refusal::TooOld);
    }
    if build.is_finished() {
        return Ok(());
    }
    if build.status == BuildStatus::StageSuccess {
        return Err(Refusal::AtGate);
    }
    if build.stages.iter().any(|stage| stage.finally && stage.status.is_some_and(BuildStatus::is_running)) {
        return Err(Refusal::FinallyRunning);
    }
    Ok(())
}

/// The forms that BK-CI does not take while a build runs (bkci-api 6.4).
fn refuse_running(build: &Build) -> Result<(), Refusal> {
    if build.is_finished() { Ok(()) } else { Err(Refusal::StillRunning(build.status)) }
}

fn retry(build: &Build, found: Found<'_>) -> Result<Scope, Refusal> {
    refuse_place(build, found)?;
    match found {
        Found::Stage(stage) => {
            refuse_running(build)?;
            refuse_stage(stage)?;
            Ok(Scope::Stage { id: stage.id.clone(), name: stage.name.clone() })
        }
        Found::Job(stage, job) => {
            refuse_running(build)?;
            refuse_job(job)?;
            Ok(if job.matrix { Scope::Matrix(job_scope(stage, job)) } else { Scope::Job(job_scope(stage, job)) })
        }
        Found::Child(stage, child) => {
            refuse_while_running(build, stage, child)?;
            refuse_job(child)?;
            Ok(Scope::Child(job_scope(stage, child)))
        }
        Found::Task(stage, job, task) => {
            refuse_unfailed(&task.name, task.status)?;
            refuse_while_running(build, stage, job)?;
            if !task.can_retry {
                return Err(Refusal::NotRetryable { name: task.name.clone() });
            }
            let before = job.tasks.iter().take_while(|earlier| !std::ptr::eq(*earlier, task));
            let mut failed = before.filter(|earlier| failed(earlier.status) && !earlier.is_tolerated());
            if let Some(earlier) = failed.next().filter(|_| task.options.condition == Condition::AfterSuccess) {
                return Err(Refusal::Behind { name: task.name.clone(), earlier: earlier.name.clone() });
            }
            Ok(Scope::Task(task_scope(stage, job, task)))
        }
        Found::Template(_, task) => Err(Refusal::Template { name: task.name.clone() }),
    }
}

fn skip(build: &Build, found: Found<'_>) -> Result<Scope, Refusal> {
    refuse_place(build, found)?;
    match found {
        Found::Stage(stage) => {
            refuse_running(build)?;
            skip_in_stage(stage)
        }
        Found::Job(stage, job) | Found::Child(stage, job) => {
            // BK-CI would skip the job's first task, whether or not that is the one that failed (bkci-api 6.2).
            let tasks = job.parts().iter().flat_map(|part| part.tasks.iter().map(move |task| (part, task)));
            let failed = tasks.filter(|(_, task)| failed_or_canceled(task.status));
            let candidates = find::candidates(failed.map(|(part, task)| Found::Task(stage, part, task)));
            Err(Refusal::SkipWhat { name: job.name.clone(), candidates })
        }
        Found::Task(stage, job, task) => {
            refuse_unfailed(&task.name, task.status)?;
            refuse_while_running(build, stage, job)?;
            if !task.can_skip {
                return Err(Refusal::NotSkippable { names: vec![task.name.clone()] });
            }
            Ok(Scope::SkipTask(task_scope(stage, job, task)))
        }
        Found::Template(_, task) => Err(Refusal::Template { name: task.name.clone() }),
    }
}

fn failed_jobs(build: &Build, found: Found<'_>) -> Result<Scope, Refusal> {
    refuse_running(build)?;
    refuse_place(build, found)?;
    match found {
        Found::Stage(stage) => failed_jobs_of(build, stage),
        Found::Job(stage, matrix) if matrix.matrix => {
            refuse_job(matrix)?;
            if stage.finally {
                return Err(Refusal::Finally { name: stage.name.clone() });
            }
            let failed = matrix.children.iter().filter(|child| failed_or_canceled(child.status));
            let children: Vec<String> = failed.map(|child| child.name.clone()).collect();
            if children.is_empty() {
                return Err(Refusal::NotRetryable { name: matrix.name.clone() });
            }
            Ok(Scope::FailedChildren { matrix: job_scope(stage, matrix), children })
        }
        Found::Job(_, job) | Found::Child(_, job) => Err(Refusal::FailedJobsOf { name: job.name.clone() }),
        Found::Task(_, _, task) | Found::Template(_, task) => Err(Refusal::FailedJobsOf { name: task.name.clone() }),
    }
}

/// The stage that failed. Where several did, the first: BK-CI stops at it, whatever later ones could do.
fn failed_stage(build: &Build) -> Result<Scope, Refusal> {
    refuse_running(build)?;
    let mut failed = build.stages.iter().skip(1).filter(|stage| failed_or_canceled(stage.status));
    match failed.next() {
        Some(stage) if stage.finally => Err(Refusal::Finally { name: stage.name.clone() }),
        Some(stage) => {
            // What is sent must be this stage for BK-CI too.
            find::unambiguous(build, Found::Stage(stage))?;
            failed_jobs_of(build, stage)
        }
        None => Err(Refusal::NothingFailed),
    }
}

fn failed_jobs_of(build: &Build, stage: &Stage) -> Result<Scope, Refusal> {
    refuse_stage(stage)?;
    let unsuccessful = |job: &&Job| job.enabled && !job.status.is_some_and(BuildStatus::is_success);
    let others = build.stages.iter().skip_while(|other| !std::ptr::eq(*other, stage)).skip(1);
    let others = others.filter(|other| !other.finally && failed_or_canceled(other.status));
    let jobs: Vec<String> = stage.jobs.iter().filter(unsuccessful).map(|job| job.name.clone()).collect();
    if jobs.is_empty() {
        return Err(Refusal::NothingFailed);
    }
    Ok(Scope::FailedJobs {
        id: stage.id.clone(),
        name: stage.name.clone(),
        jobs,
        others: others.map(|other| other.name.clone()).collect(),
    })
}

/// BK-CI checks no right for this form (bkci-api 6.2), so each task's own permission to be skipped is asked for here.
fn skip_in_stage(stage: &Stage) -> Result<Scope, Refusal> {
    refuse_stage(stage)?;
    let failed_tasks = || {
        let tasks = stage.running_jobs().flat_map(|job| job.tasks.iter().map(move |task| (job, task)));
        tasks.filter(|(_, task)| failed(task.status))
    };
    if failed_tasks().next().is_none() {
        return Err(Refusal::NotSkippable { names: vec![stage.name.clone()] });
    }
    let forbidden: Vec<String> =
        failed_tasks().filter(|(_, task)| !task.can_skip).map(|(_, task)| task.name.clone()).collect();
    if !forbidden.is_empty() {
        return Err(Refusal::NotSkippable { names: forbidden });
    }
    // The reference does not say whether a matrix would be split again instead, and then nothing of it be skipped.
    let matrices = stage.jobs.iter().filter(|job| job.matrix).flat_map(|job| &job.children);
    if matrices.flat_map(|child| &child.tasks).any(|task| failed(task.status)) {
        let candidates = find::candidates(failed_tasks().map(|(job, task)| Found::Task(stage, job, task)));
        return Err(Refusal::SkipWhat { name: stage.name.clone(), candidates });
    }
    let tasks = failed_tasks().map(|(_, task)| task.name.clone()).collect();
    Ok(Scope::SkipInStage { id: stage.id.clone(), name: stage.name.clone(), tasks })
}

/// The finally stage runs again by itself, its matrices split anew; and behind a stage that stays failed nothing is
/// reached.
fn refuse_place(build: &Build, found: Found<'_>) -> Result<(), Refusal> {
    let stage = found.stage();
    if stage.finally {
        let in_matrix = |task: &Task| stage.jobs.iter().all(|job| !job.tasks.iter().any(|own| std::ptr::eq(own, task)));
        let alone = match found {
            Found::Stage(_) | Found::Child(..) => false,
            Found::Job(..) | Found::Template(..) => true,
            Found::Task(_, _, task) => !in_matrix(task),
        };
        return if alone { Ok(()) } else { Err(Refusal::Finally { name: stage.name.clone() }) };
    }
    let earlier = build.stages.iter().skip(1).take_while(|earlier| !std::ptr::eq(*earlier, stage));
    let mut failed = earlier.filter(|earlier| !earlier.finally && failed_or_canceled(earlier.status));
    match failed.next() {
        Some(earlier) if failed_or_canceled(found.status()) => {
            Err(Refusal::Behind { name: found.name().to_owned(), earlier: earlier.name.clone() })
        }
        Some(_) | None => Ok(()),
    }
}

fn refuse_stage(stage: &Stage) -> Result<(), Refusal> {
    refuse_unfailed(&stage.name, stage.status)?;
    if stage.can_retry { Ok(()) } else { Err(Refusal::NotRetryable { name: stage.name.clone() }) }
}

/// A job without tasks has no first task that BK-CI could start from: it would re-run the whole build (bkci-api 6.2).
fn refuse_job(job: &Job) -> Result<(), Refusal> {
    refuse_unfailed(&job.name, job.status)?;
    let retryable = job.can_retry && !job.tasks.is_empty();
    if retryable { Ok(()) } else { Err(Refusal::NotRetryable { name: job.name.clone() }) }
}

fn refuse_unfailed(name: &str, status: Option<BuildStatus>) -> Result<(), Refusal> {
    if failed_or_canceled(status) { Ok(()) } else { Err(Refusal::NotFailed { name: name.to_owned() }) }
}

/// bkci-api 6.4: in a build that still runs, its stage must run and its job must have ended.
fn refuse_while_running(build: &Build, stage: &Stage, job: &Job) -> Result<(), Refusal> {
    if build.is_finished() {
        return Ok(());
    }
    if stage.status != Some(BuildStatus::Running) {
        return Err(Refusal::StageNotRunning { name: stage.name.clone() });
    }
    if !finished(job.status) {
        return Err(Refusal::JobRunning { name: job.name.clone() });
    }
    Ok(())
}

fn job_scope(stage: &Stage, job: &Job) -> JobScope {
    JobScope { id: job.id.clone(), name: job.name.clone(), stage: stage.name.clone() }
}

fn task_scope(stage: &Stage, job: &Job, task: &Task) -> TaskScope {
    TaskScope { id: task.id.clone(), name: task.name.clone(), job: job.name.clone(), stage: stage.name.clone() }
}
