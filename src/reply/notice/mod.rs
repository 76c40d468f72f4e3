//! A notice: the one message per build in a channel, edited across attempts. It holds what a reader sees and nothing
//! else, so two notices that are the same need no edit.

mod compose;

use serde::{Deserialize, Serialize};

use super::About;
use crate::model::BuildRef;
use crate::model::build::Problem;
use crate::model::ids::{OfferId, PipelineId, ProjectId, RoleId, Uid, UserId};
use crate::model::scope::{Part, Scope};
use crate::model::status::BuildStatus;

/// What a reader sees of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Which build.
    pub build: BuildRef,
    /// The pipeline's name; text of a stranger.
    pub pipeline_name: String,
    /// The build's number.
    pub number: u32,
    /// The build's page, when `bkci.web_url` is set.
    pub link: Option<String>,
    /// UID of who or what started it first.
    pub started_by: Option<String>,
    /// Branch of its main repository; text of a stranger.
    pub branch: Option<String>,
    /// First line of its commit's message, else what its starter said of it; text of a stranger.
    pub commit: Option<String>,
    /// What it has come to.
    pub state: State,
    /// The attempts that are known of, the earliest first; the last one is the latest.
    pub attempts: Vec<Attempt>,
    /// The stages of the latest attempt, without the trigger stage.
    pub stages: Vec<Stage>,
    /// The task that runs now: stage, job, task.
    pub step: Option<[String; 3]>,
    /// How long the latest attempt has taken so far, or took: seconds.
    pub elapsed_s: u64,
    /// What can be done about it here.
    pub acts: Option<Acts>,
    /// Whom the creation of this message pings; an edit pings nobody (discord-rules 4).
    #[serde(default)]
    pub ping: Ping,
}

fn begun(count: u32, about: &About) -> Attempt {
    Attempt { count, by: Some(about.asked_by), uid: None, scope: about.scope.clone(), ended: None }
}

/// Puts an attempt in its place. A retry in a running build belongs to the attempt that runs.
fn put(attempts: &mut Vec<Attempt>, attempt: Attempt) {
    match attempts.binary_search_by_key(&attempt.count, |known| known.count) {
        Ok(at) => attempts[at] = attempt,
        Err(at) => attempts.insert(at, attempt),
    }
}

/// What a build has come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Queued or running, or waiting for a person when `status` says so.
    Running {
        /// BK-CI's word for it.
        status: BuildStatus,
    },
    /// It failed.
    Failed(Failed),
    /// It passed after a failure that this channel heard of.
    Fixed {
        /// The number of the build that failed, when it was an earlier one.
        earlier: Option<u32>,
    },
    /// It passed.
    Passed,
    /// It was stopped.
    Canceled {
        /// UID of who stopped it, where BK-CI says so.
        by: Option<String>,
    },
    /// It is not looked at any more.
    Unwatched(Lost),
}

impl State {
    /// BK-CI's word for the end, where this is one.
    pub fn ended(&self) -> Option<BuildStatus> {
        match self {
            Self::Running { .. } | Self::Unwatched(_) => None,
            Self::Failed(failed) => Some(failed.status),
            Self::Fixed { .. } | Self::Passed => Some(BuildStatus::Succeed),
            Self::Canceled { .. } => Some(BuildStatus::Canceled),
        }
    }
}

/// Why a build or a pipeline is not looked at any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lost {
    /// The UID may not see the pipeline any more, or the pipeline is gone.
    View,
    /// Nobody is mapped to the UID any more.
    Mapping,
    /// The build is gone.
    Build,
}

/// How a build failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// BK-CI's word for it: one of the eight failure states.
    pub status: BuildStatus,
    /// The places that failed, in model order: at most three.
    pub places: Vec<Place>,
    /// How many more there are.
    pub more: u32,
    /// The end of the first place's log: cleaned, secrets masked; text of strangers.
    pub log: Vec<String>,
}

/// Where a build failed, by names; text of strangers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Stage.
    pub stage: String,
    /// Job, or the child of a matrix.
    pub job: String,
    /// Task; absent when the job could not start.
    pub task: Option<String>,
    /// Why, if BK-CI says so.
    pub problem: Option<Problem>,
}

/// One attempt at a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// `executeCount`; 1 is the first.
    pub count: u32,
    /// The person who had this bot start it.
    pub by: Option<UserId>,
    /// UID of who started it, where nobody of this server is known to have.
    pub uid: Option<String>,
    /// What was re-run, where this bot knows.
    pub scope: Option<Scope>,
    /// How it ended; absent while it runs.
    pub ended: Option<BuildStatus>,
}

/// A stage of the latest attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name; text of a stranger.
    pub name: String,
    /// Absent while it has not begun.
    pub status: Option<BuildStatus>,
    /// How long it took, once it has ended: seconds.
    pub took_s: Option<u64>,
}

/// What can be done on a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acts {
    /// The offer that every button and list of this notice belongs to; made for one attempt.
    pub offer: OfferId,
    /// Something failed, and its failed jobs can be retried.
    pub failed_jobs: bool,
    /// The whole build can be retried.
    pub whole: bool,
    /// It runs, and can be stopped.
    pub stop: bool,
    /// What it can be retried from: at most 25.
    pub from: Vec<Part>,
    /// What can be skipped: at most 25.
    pub skip: Vec<Part>,
    /// Nobody looks at the build any more, and somebody can from now on.
    #[serde(default)]
    pub take_over: bool,
}

/// Whom a new message pings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// A role.
    pub role: Option<RoleId>,
    /// A person.
    pub user: Option<UserId>,
}

/// A watch that found no one to look for it any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// In which project.
    pub project: ProjectId,
    /// Which pipeline.
    pub pipeline: PipelineId,
    /// The pipeline's name; text of a stranger.
    pub pipeline_name: String,
    /// As whom it was looked at.
    pub as_user: Uid,
    /// Why not any more.
    pub lost: Lost,
    /// The button by which somebody else can look for it.
    pub offer: OfferId,
}

impl Notice {
    /// A build that was just retried: what is known before it was looked at, and how the attempt before had ended.
    pub fn begun(attempt: u32, about: &About, before: (u32, BuildStatus)) -> Self {
        let (count, ended) = (before.0, Some(before.1).filter(|status| status.is_finished()));
        let mut attempts = vec![Attempt { count, by: None, uid: None, scope: None, ended }];
        put(&mut attempts, begun(attempt, about));
        Self {
            build: about.build.clone(),
            pipeline_name: about.pipeline_name.clone(),
            number: about.number,
            link: about.link.clone(),
            started_by: None,
            branch: None,
            commit: None,
            state: State::Running { status: BuildStatus::Queue },
            attempts,
            stages: Vec::new(),
            step: None,
            elapsed_s: 0,
            acts: None,
            ping: Ping::default(),
        }
    }

    /// The same build, retried once more.
    pub fn again(mut self, attempt: u32, about: &About) -> Self {
        if let (Some(latest), Some(ended)) = (self.attempts.last_mut(), self.state.ended()) {
            latest.ended = latest.ended.or(Some(ended));
        }
        put(&mut self.attempts, begun(attempt, about));
        let status = BuildStatus::Queue;
        Self { state: State::Running { status }, stages: Vec::new(), step: None, elapsed_s: 0, acts: None, ..self }
    }

    /// Whether a reader sees the same, but for the time that passes.
    pub fn reads_like(&self, other: &Self) -> bool {
        let (mut these, mut those) = (self.clone(), other.clone());
        for notice in [&mut these, &mut those] {
            notice.elapsed_s = 0;
            notice.ping = Ping::default();
        }
        these == those
    }

    /// The latest attempt.
    pub fn attempt(&self) -> u32 {
        self.attempts.last().map_or(1, |attempt| attempt.count)
    }
}
