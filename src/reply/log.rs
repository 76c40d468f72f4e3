//! The end of a task's log.

use serde::{Deserialize, Serialize};

use super::About;
use crate::model::Timestamp;
use crate::model::scope::Part;

/// The end of a task's log. Names are texts of strangers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Of which build.
    pub about: About,
    /// Stage, job, task.
    pub place: [String; 3],
    /// The attempt that wrote it.
    pub attempt: u32,
    /// When the task ended, or started if it runs; BK-CI's clock.
    pub at: Option<Timestamp>,
    /// The task runs.
    pub runs: bool,
    /// The lines, or why there are none.
    pub lines: Logged,
}

/// What there is of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Logged {
    /// Cleaned, secrets masked, the oldest first; text of strangers.
    Lines(Vec<String>),
    /// Nothing was written.
    Empty,
    /// BK-CI does not keep it any more.
    CleanedAway,
    /// BK-CI keeps it where it is not looked through any more.
    Closed,
    /// BK-CI could not look through it now.
    Failed,
}

/// Why no log is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoLog {
    /// Nothing in the build has that id or name.
    NotFound {
        /// What was asked for.
        named: String,
        /// Tasks that have a log, the likeliest first.
        candidates: Vec<Part>,
    },
    /// Several tasks are called so.
    Ambiguous {
        /// What was asked for.
        named: String,
        /// Tasks that have a log.
        candidates: Vec<Part>,
    },
    /// It is no task.
    NoTask {
        /// What was asked for.
        named: String,
        /// Tasks that have a log.
        candidates: Vec<Part>,
    },
    /// The task has not run.
    NotRun {
        /// Its name.
        name: String,
        /// Tasks that have a log.
        candidates: Vec<Part>,
    },
    /// None was named, none failed and none runs.
    Nothing {
        /// Tasks that have a log.
        candidates: Vec<Part>,
    },
}
