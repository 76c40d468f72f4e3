//! A build as far as we need it: stages → jobs → tasks, in the order BK-CI keeps them (bkci-api 7.2).

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::ids::{BuildId, PipelineId};
use super::status::BuildStatus;

/// One build in its latest execution, as `detail` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// `b-…`
    pub id: BuildId,
    /// The pipeline BK-CI says it belongs to.
    pub pipeline: PipelineId,
    /// The pipeline's name; free text of a stranger.
    pub pipeline_name: String,
    /// Per pipeline, from 1; the same after a retry.
    pub number: u32,
    /// State of the build.
    pub status: BuildStatus,
    /// 1 is the first run.
    pub execute_count: u32,
    /// Absent while it never started.
    pub started: Option<Timestamp>,
    /// Absent while it has not ended.
    pub ended: Option<Timestamp>,
    /// BK-CI's own clock when it answered.
    pub read_at: Timestamp,
    /// Started by a code event: a whole-build retry then keeps the event's user as starter (bkci-api 6.5).
    pub from_webhook: bool,
    /// Who started execution 1, 2, …: index `n - 1` is execution `n`. BK-CI lists them the other way round.
    pub starters: Vec<String>,
    /// In model order; the first is the trigger stage.
    pub stages: Vec<Stage>,
}

/// A stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// `stage-2`
    pub id: String,
    /// The user's name for it, else its id.
    pub name: String,
    /// Absent while it never ran.
    pub status: Option<BuildStatus>,
    /// BK-CI offers to retry it. Absent means no.
    pub can_retry: bool,
    /// In model order.
    pub jobs: Vec<Job>,
}

/// A job (BK-CI's container).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// A small decimal number as text; above 1000 for the child of a matrix.
    pub id: String,
    /// The user's name for it.
    pub name: String,
    /// Absent while it never ran.
    pub status: Option<BuildStatus>,
    /// In model order.
    pub tasks: Vec<Task>,
    /// What a matrix was split into; empty for every other job.
    pub children: Vec<Job>,
}

/// A task (BK-CI's element).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// `e-…`
    pub id: String,
    /// A name the user chose for expressions; may repeat.
    pub step_id: Option<String>,
    /// The user's name for it.
    pub name: String,
    /// Absent while it never ran.
    pub status: Option<BuildStatus>,
    /// BK-CI offers to retry it. Absent means no.
    pub can_retry: bool,
    /// BK-CI offers to skip it. Absent means no.
    pub can_skip: bool,
}

impl Build {
    /// Whether this execution has ended.
    pub fn is_finished(&self) -> bool {
        let has_ended = self.ended.is_some_and(|ended| self.started.is_none_or(|started| ended > started));
        self.status.is_finished_build(has_ended)
    }

    /// Who started execution `count` (1 is the first), if BK-CI says so.
    pub fn starter(&self, count: u32) -> Option<&str> {
        let index = usize::try_from(count.checked_sub(1)?).ok()?;
        self.starters.get(index).map(String::as_str)
    }
}

impl Stage {
    /// Every job, each matrix followed by its children.
    pub fn all_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().flat_map(|job| std::iter::once(job).chain(&job.children))
    }
}

/// Whether a part of a build can be the target of a retry: failed, or stopped by a person.
pub fn failed_or_canceled(status: Option<BuildStatus>) -> bool {
    status.is_some_and(|status| status.is_failure() || status.is_cancel())
}
