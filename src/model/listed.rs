//! What lists say of projects, pipelines and builds: enough to choose one, never enough to act on one.
//!
//! Every name and message is text of a stranger.

use super::Timestamp;
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
    /// BK-CI's own clock when it answered; ages are measured by it.
    pub read_at: Option<Timestamp>,
    /// Branch of its main repository.
    pub branch: Option<String>,
    /// What its starter or the code event said of it.
    pub message: Option<String>,
    /// UID of who or what started it first.
    pub start_user: Option<String>,
    /// Its latest attempt, where the list says so.
    pub execute_count: Option<u32>,
}
