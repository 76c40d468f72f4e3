//! The options of commands, as typed: nothing is looked up, nothing is checked.

use serde::{Deserialize, Serialize};

use crate::model::watch::{Hears, Permission, Role};

/// The options of `/retry`, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryOptions {
    /// English name of the project.
    pub project: String,
    /// Name or `p-…`
    pub pipeline: String,
    /// `b-…`, a number, `latest` or a link.
    pub build: String,
    /// Retry from this task or stage.
    pub task: Option<String>,
    /// Skip this failed task, or this stage's failed tasks.
    pub skip: Option<String>,
    /// Only failed jobs: of the stage or matrix that `task` names, else of the stage that failed.
    #[serde(default)]
    pub failed_jobs: bool,
    /// Only show what would run, and offer to run it.
    #[serde(default)]
    pub preview: bool,
}

/// Which build, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildOptions {
    /// English name of the project.
    pub project: String,
    /// Name or `p-…`
    pub pipeline: String,
    /// `b-…`, a number, `latest` or a link.
    pub build: String,
}

/// The options of `/build log`, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogOptions {
    /// Which build.
    pub build: BuildOptions,
    /// Of this task; else of the one that failed or runs.
    pub task: Option<String>,
    /// So many lines of its end.
    pub lines: Option<u32>,
}

/// The options of `/watch add`, as typed, and what Discord says with them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchOptions {
    /// English name of the project.
    pub project: String,
    /// Name or `p-…`
    pub pipeline: String,
    /// Which ends are told.
    pub on: Hears,
    /// Only builds of branches that fit this glob.
    pub branch: Option<String>,
    /// The role to ping.
    pub mention: Option<Role>,
    /// Whether to ping the person whose build failed.
    pub mention_starter: bool,
    /// The person who adds it may mention everybody, and so any role.
    pub may_mention: bool,
    /// What the bot may not do in this channel and would have to.
    pub missing: Vec<Permission>,
}
