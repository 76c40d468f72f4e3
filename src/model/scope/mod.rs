//! What exactly a retry will re-run: resolved against a build that was read, or refused with the reason; and, before it
//! is asked for, what would run.
//!
//! BK-CI answers an id that it does not know by re-running the whole build (bkci-api 6.2, trap 3). So nothing a person
//! typed is ever sent: what goes out is the id of something that was found in the build's detail, and only where BK-CI
//! would find the same thing.

mod find;
mod refusal;
mod resolve;
mod runs;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::build::{Build, Job, Stage, Task, failed_or_canceled};
pub use find::{logged, ran};
pub use refusal::{Kind, Part, Refusal};
pub use resolve::{retryable, skippable};
pub use runs::{Fate, Plan, PlannedJob, PlannedStage, PlannedTask, what_runs};

/// BK-CI refuses to retry a build that started longer ago (bkci-api 6.3, check 4).
pub const RETRY_WINDOW: Duration = Duration::from_hours(28 * 24);

/// What a person named, as typed: an id, a step id, a job's own id, or a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// Everything.
    WholeBuild,
    /// From this task, job or stage on.
    Retry(String),
    /// Without this failed task, or without this stage's failed tasks.
    Skip(String),
    /// Only the failed jobs of this stage, or the failed children of this matrix; of the stage that failed, where none
    /// is named.
    FailedJobs(Option<String>),
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
    /// The jobs of a failed stage that did not succeed, then onward.
    FailedJobs {
        /// `stage-2`
        id: String,
        /// The user's name for it.
        name: String,
        /// The names of these jobs.
        jobs: Vec<String>,
        /// The names of later stages that failed too and stay so: BK-CI re-runs one failed stage at a time.
        others: Vec<String>,
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
    /// Every task of a failed job.
    Job(JobScope),
    /// A failed matrix, split again.
    Matrix(JobScope),
    /// The failed children of a matrix.
    FailedChildren {
        /// The matrix.
        matrix: JobScope,
        /// The names of the children.
        children: Vec<String>,
    },
    /// Every task of a failed child of a matrix.
    Child(JobScope),
    /// A failed task and what follows it in its job.
    Task(TaskScope),
    /// A failed task becomes skipped, what follows it in its job runs.
    SkipTask(TaskScope),
}

/// A job, a matrix or a child of one as the target of a retry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobScope {
    /// `2`; `2001` for a child.
    pub id: String,
    /// The user's name for it.
    pub name: String,
    /// The name of its stage.
    pub stage: String,
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

/// Why a person should be asked before this is done (contract 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// It skips the failed tasks of a whole stage.
    SkipsStage,
    /// The build ended, and did not fail.
    NotFailed,
}

impl Scope {
    /// The id that goes to BK-CI as `taskId`.
    pub fn task_id(&self) -> Option<&str> {
        match self {
            Self::WholeBuild => None,
            Self::Stage { id, .. } | Self::FailedJobs { id, .. } | Self::SkipInStage { id, .. } => Some(id),
            Self::Job(job) | Self::Matrix(job) | Self::Child(job) | Self::FailedChildren { matrix: job, .. } => {
                Some(&job.id)
            }
            Self::Task(task) | Self::SkipTask(task) => Some(&task.id),
        }
    }

    /// Whether BK-CI is asked to skip.
    pub fn skips(&self) -> bool {
        matches!(self, Self::SkipInStage { .. } | Self::SkipTask(_))
    }

    /// Whether BK-CI is asked for failed jobs only.
    pub fn only_failed_jobs(&self) -> bool {
        matches!(self, Self::FailedJobs { .. } | Self::FailedChildren { .. })
    }

    /// Whether everything runs again.
    pub fn is_whole_build(&self) -> bool {
        matches!(self, Self::WholeBuild)
    }

    /// Whether this is one of the two cases that are asked about first, unless an operator wants it otherwise.
    pub fn needs_confirmation(&self, build: &Build) -> Option<Why> {
        if build.is_finished() && !failed_or_canceled(Some(build.status)) {
            return Some(Why::NotFailed);
        }
        match self {
            Self::SkipInStage { .. } => Some(Why::SkipsStage),
            Self::WholeBuild | Self::Stage { .. } | Self::FailedJobs { .. } | Self::Job(_) | Self::Matrix(_) => None,
            Self::FailedChildren { .. } | Self::Child(_) | Self::Task(_) | Self::SkipTask(_) => None,
        }
    }

    /// In a build that still runs, where the attempt does not grow: how often the task that starts first was started
    /// by hand (bkci-api 7.2). Absent for a build that has ended.
    pub fn starts_by_hand(&self, build: &Build) -> Option<u32> {
        let (_, first) = (!build.is_finished()).then(|| self.first_task(build))??;
        Some(first.map_or(0, |task| task.starts_by_hand))
    }

    /// The job that is touched in a build that still runs, and its task that starts first.
    pub fn first_task<'a>(&self, build: &'a Build) -> Option<(&'a Job, Option<&'a Task>)> {
        let id = self.task_id()?;
        let of_job = |job: &'a Job| {
            let by_job = (job.id == id).then(|| (job, job.tasks.iter().find(|task| task.options.enabled)));
            by_job.or_else(|| job.tasks.iter().find(|task| task.id == id).map(|task| (job, Some(task))))
        };
        build.stages.iter().flat_map(Stage::running_jobs).find_map(of_job)
    }

    /// Finds what was named in the build. A build that ended well can be retried whole: see
    /// [`Self::needs_confirmation`].
    ///
    /// # Errors
    /// Why BK-CI must not be asked for this; nothing was changed.
    pub fn resolve(build: &Build, wanted: &Wanted) -> Result<Self, Refusal> {
        resolve::resolve(build, wanted)
    }
}

#[cfg(test)]
pub(in crate::model) mod tests;
