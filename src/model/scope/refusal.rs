//! Why a retry is refused, and what could have been meant instead.

use serde::{Deserialize, Serialize};

use crate::model::status::BuildStatus;

/// Something in a build that a person could name. Texts are those of strangers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What it is.
    pub kind: Kind,
    /// The id that names it and nothing else.
    pub id: String,
    /// The user's name for it.
    pub name: String,
    /// The names of its stage, and of its job for a task: outermost first.
    pub within: Vec<String>,
}

/// What a part of a build is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A stage.
    Stage,
    /// A job that is no matrix.
    Job,
    /// A job that is split into children.
    Matrix,
    /// A child of a matrix.
    Child,
    /// A task.
    Task,
}

/// Why a build, or a part of it, is not retried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// It has not ended. Meanwhile BK-CI takes only a failed task, or a child of a matrix (bkci-api 6.4).
    StillRunning(BuildStatus),
    /// It waits for somebody to approve a stage.
    AtGate,
    /// Its finally stage runs; until that has ended nothing can be retried (bkci-api 7.2).
    FinallyRunning,
    /// The build runs, and this stage of it does not.
    StageNotRunning {
        /// The stage's name.
        name: String,
    },
    /// The build runs, and so does this job of it.
    JobRunning {
        /// The job's name.
        name: String,
    },
    /// It started more than [`super::RETRY_WINDOW`] ago.
    TooOld,
    /// Nothing in this build has that id or name.
    NotFound {
        /// What was asked for.
        named: String,
        /// What failed.
        candidates: Vec<Part>,
    },
    /// Several things in this build that failed are called so.
    Ambiguous {
        /// What was asked for.
        named: String,
        /// Which.
        candidates: Vec<Part>,
    },
    /// BK-CI would take something else for this id, since it comes first in the build.
    Shadowed {
        /// What was asked for.
        named: String,
    },
    /// The trigger stage or its tasks.
    Trigger,
    /// The finally stage: each retry runs it again.
    Finally {
        /// Its name.
        name: String,
    },
    /// An earlier stage, or an earlier task of the job, failed too and would stay so: BK-CI would stop there and re-run
    /// nothing of this.
    Behind {
        /// What was asked for.
        name: String,
        /// The name of what failed earlier.
        earlier: String,
    },
    /// A task of a matrix itself: only a template of its children's tasks.
    Template {
        /// The task's name.
        name: String,
    },
    /// It is there, and did not fail.
    NotFailed {
        /// Its name.
        name: String,
    },
    /// No stage failed.
    NothingFailed,
    /// Failed jobs are those of a stage or a matrix, and this is neither.
    FailedJobsOf {
        /// Its name.
        name: String,
    },
    /// The pipeline does not allow to retry it by hand.
    NotRetryable {
        /// Its name.
        name: String,
    },
    /// The pipeline does not allow to skip it.
    NotSkippable {
        /// The tasks' names.
        names: Vec<String>,
    },
    /// BK-CI skips tasks one by one, or those of a stage without a failed matrix; what was named is neither.
    SkipWhat {
        /// Its name.
        name: String,
        /// The failed tasks in it.
        candidates: Vec<Part>,
    },
}
