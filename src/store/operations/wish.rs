//! What an operation is to carry out. It is kept as it was settled, and does not change any more.

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;
use crate::model::build::Build;
use crate::model::ids::{BuildId, OfferId, Uid};
use crate::model::status::BuildStatus;
use crate::reply::{About, Offer, Shown, What};

/// What is to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A retry.
    Retry(Wish),
    /// A stop.
    Stop(StopWish),
}

/// `operation.kind`
const RETRY: &str = "retry";

/// `operation.kind`
const STOP: &str = "stop";

impl Deed {
    /// Which build, by whom.
    pub fn about(&self) -> &About {
        match self {
            Self::Retry(wish) => &wish.about,
            Self::Stop(wish) => &wish.about,
        }
    }

    /// Two deeds with the same goal are one.
    pub fn goal(&self) -> String {
        match self {
            Self::Retry(wish) => wish.goal(),
            Self::Stop(wish) => wish.goal(),
        }
    }

    /// Its answer is a message of its own.
    pub(super) fn posted(&self) -> bool {
        match self {
            Self::Retry(wish) => wish.posted,
            Self::Stop(_) => false,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Retry(_) => RETRY,
            Self::Stop(_) => STOP,
        }
    }

    pub(super) fn to_row(&self) -> anyhow::Result<String> {
        Ok(match self {
            Self::Retry(wish) => serde_json::to_string(wish)?,
            Self::Stop(wish) => serde_json::to_string(wish)?,
        })
    }

    pub(super) fn from_row(kind: &str, text: &str) -> anyhow::Result<Self> {
        Ok(match kind {
            RETRY => Self::Retry(serde_json::from_str(text)?),
            STOP => Self::Stop(serde_json::from_str(text)?),
            other => anyhow::bail!("this version does not know operations of kind {other:?}"),
        })
    }
}

/// A stop that is to be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopWish {
    /// Which build, asked for by whom; no scope.
    pub about: About,
    /// As whom.
    pub as_user: Uid,
    /// The attempt that is to be stopped (`executeCount`).
    pub attempt: u32,
    /// Who had stopped the build before, as it says itself: no witness for this stop.
    pub canceled_before: Option<String>,
    /// So many stops of this attempt had BK-CI accepted from here before: one more ends it by force (bkci-api 8).
    pub earlier: u32,
}

impl StopWish {
    /// A wish about a build as it was read.
    pub fn new(about: About, as_user: Uid, build: &Build) -> Self {
        let canceled_before = build.canceled_by.clone();
        Self { about, as_user, attempt: build.execute_count, canceled_before, earlier: 0 }
    }

    fn goal(&self) -> String {
        let Self { about, attempt, earlier, .. } = self;
        format!("stop/{}/{attempt}/{earlier}", about.build.build)
    }
}

/// A retry that is to be carried out; it does not change any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Which build and part, asked for by whom. Its scope is settled.
    pub about: About,
    /// As whom.
    pub as_user: Uid,
    /// The build's attempt before (`executeCount`).
    pub count_before: u32,
    /// In a build that still ran, where the attempt does not grow: how often the task had been started by hand before
    /// (bkci-api 6.4, 7.2).
    #[serde(default)]
    pub starts_before: Option<u32>,
    /// The build's starters are those of its code event (bkci-api 6.5).
    pub from_webhook: bool,
    /// The build's state before; not known of wishes of version 0.1.
    #[serde(default = "unknown")]
    pub status: BuildStatus,
    /// Of everything that decides what would run, before (`Build::digest`).
    #[serde(default)]
    pub digest: String,
    /// It was asked for on a private message, so what becomes of it is told in a public message of its own.
    #[serde(default)]
    pub posted: bool,
    /// It was asked for on a notice, which shows everybody how the build goes on: the answer is the asker's alone.
    #[serde(default)]
    pub quiet: bool,
}

fn unknown() -> BuildStatus {
    BuildStatus::Unknown
}

impl Wish {
    /// A wish about a build as it was read, whose outcome is the answer to its cause.
    pub fn new(about: About, as_user: Uid, build: &Build) -> Self {
        Self {
            starts_before: about.scope.as_ref().and_then(|scope| scope.starts_by_hand(build)),
            about,
            as_user,
            count_before: build.execute_count,
            from_webhook: build.from_webhook,
            status: build.status,
            digest: build.digest(),
            posted: false,
            quiet: false,
        }
    }

    /// What a button offers that would carry this wish out, as long as the build stays as it was.
    pub fn offered_as(&self, id: OfferId, expires: Timestamp) -> Offer {
        Offer {
            id,
            what: What::Shown(Shown {
                about: self.about.clone(),
                attempt: self.count_before,
                status: self.status,
                digest: self.digest.clone(),
                quiet: self.quiet,
            }),
            asker: Some(self.about.asked_by),
            expires,
            used_by: None,
        }
    }

    /// Two wishes with the same goal are one.
    pub fn goal(&self) -> String {
        let attempt = goal_of_attempt(&self.about.build.build, self.count_before);
        let task = self.about.scope.as_ref().and_then(|scope| scope.task_id());
        match (self.starts_before, task) {
            (Some(starts), Some(task)) => format!("{attempt}/{task}/{starts}"),
            (Some(_) | None, _) => attempt,
        }
    }
}

/// The goal of starting the attempt after this one.
pub(super) fn goal_of_attempt(build: &BuildId, count_before: u32) -> String {
    format!("retry/{build}/{count_before}")
}
