//! What lists say of projects, pipelines and builds: enough to choose one, never enough to act on one.
//!
//! Every name and message is text of a stranger.

use std::time::Duration;

use super::Timestamp;
use super::build::{ErrorInfo, errors_are_current, has_ended};
use super::ids::{BuildId, PipelineId, ProjectId};
use super::status::BuildStatus;

/// A project that somebody sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// English name: what is sent.
    pub id: ProjectId,
    /// Display name.
    pub title: String,
}

/// A pipeline of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// `p-…`
    pub id: PipelineId,
    /// Its name.
    pub name: String,
    /// Whether the person who asked may look at it.
    pub readable: bool,
}

/// A build of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// `b-…`
    pub id: BuildId,
    /// Per pipeline, from 1.
    pub number: u32,
    /// State.
    pub status: BuildStatus,
    /// When it started, or was queued while it has not.
    pub begun: Option<Timestamp>,
    /// Absent while it has not ended.
    pub ended: Option<Timestamp>,
    /// When BK-CI last wrote anything of it, by BK-CI's clock; only where a history says so (bkci-api 7.4).
    pub updated: Option<Timestamp>,
    /// BK-CI's own clock when it answered; ages are measured by it.
    pub read_at: Option<Timestamp>,
    /// Branch of its main repository.
    pub branch: Option<String>,
    /// First line of what was committed to its main repository.
    pub commit: Option<String>,
    /// What its starter said of it (`buildMsg`).
    pub message: Option<String>,
    /// UID of who or what started it first.
    pub start_user: Option<String>,
    /// Started by a code event.
    pub from_webhook: bool,
    /// Its latest attempt, where the list says so.
    pub execute_count: Option<u32>,
    /// Its stages in their order, the trigger first; empty where the list does not say.
    pub stages: Vec<Stage>,
    /// What went wrong in this attempt, tolerated failures too. Never those of the attempt before, which BK-CI keeps
    /// until the build leaves the queue (bkci-api 5.2).
    pub errors: Vec<ErrorInfo>,
}

/// A stage, as a list tells it (`BuildStageStatus`, bkci-api 7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// `stage-2`
    pub id: String,
    /// The user's name for it, else its id.
    pub name: String,
    /// Absent while it never ran.
    pub status: Option<BuildStatus>,
    /// How long it took in the execution that ran it last.
    pub took: Option<Duration>,
}

impl Build {
    /// Whether this attempt has ended, as [`super::build::Build::is_finished`].
    pub fn is_finished(&self) -> bool {
        self.status.is_finished_build(has_ended(self.begun, self.ended))
    }

    /// Forgets the errors of the attempt before.
    pub fn without_stale_errors(mut self) -> Self {
        if !errors_are_current(self.status, self.is_finished()) {
            self.errors.clear();
        }
        self
    }
}
