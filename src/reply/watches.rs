//! What is said to somebody who adds, removes, lists or takes over a watch.

use serde::{Deserialize, Serialize};

use super::Failure;
use crate::model::ids::{PipelineId, ProjectId, RoleId, Uid, UserId};
use crate::model::named::PipelineNamed;
use crate::model::watch::{Hears, Permission};

/// An answer about watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Watching {
    /// The channel hears of the pipeline from now on.
    Added(Added),
    /// Nothing is watched, for a reason that our own rows or Discord give.
    Refused(Refused),
    /// Nothing was done, since the pipeline cannot be read as that person.
    Unread {
        /// In which project.
        project: ProjectId,
        /// Which was named.
        pipeline: PipelineNamed,
        /// Why not.
        failure: Failure,
    },
    /// The channel hears of it no more.
    Removed {
        /// What was watched.
        entry: Entry,
        /// Who removed it.
        by: UserId,
    },
    /// The channel does not watch it.
    Absent {
        /// In which project.
        project: ProjectId,
        /// Which was named.
        pipeline: PipelineNamed,
    },
    /// What the channel watches.
    List {
        /// As many as fit.
        entries: Vec<Entry>,
        /// How many there are in all.
        total: u32,
    },
    /// A paused watch goes on, looked at as somebody else.
    Taken {
        /// The watch as it is now.
        entry: Entry,
    },
    /// Somebody was faster, or the watch is gone.
    NotPaused,
}

/// A watch that was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// The watch.
    pub entry: Entry,
    /// It takes the place of the one that the channel had.
    pub replaced: bool,
    /// Only who may mention everybody may mention the role: the bot has to, to ping it.
    pub unmentionable: bool,
    /// How often it is looked at in any case: milliseconds.
    pub poll_ms: u64,
    /// Whether BK-CI tells by itself.
    pub callback: Callback,
}

/// What somebody reads of a watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// In which project.
    pub project: ProjectId,
    /// Which pipeline.
    pub pipeline: PipelineId,
    /// The pipeline's name; text of a stranger.
    pub pipeline_name: String,
    /// Which ends are told.
    pub hears: Hears,
    /// Only builds of branches that fit this glob; text of a person.
    pub branch: Option<String>,
    /// The role that is pinged.
    pub mention: Option<RoleId>,
    /// Whether the person is pinged whose build failed.
    pub mention_starter: bool,
    /// Who added it, or took it over.
    pub user: UserId,
    /// As whom it is looked at.
    pub as_user: Uid,
    /// Nobody is there any more as whom to look.
    pub paused: bool,
}

/// Whether BK-CI calls this bot when something happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Callback {
    /// It is not asked to.
    Off,
    /// It is being asked to.
    Asked,
    /// It was asked to, and did not answer; it is asked again.
    AskedAgain,
    /// It does.
    On,
    /// It will not.
    Refused(Failure),
}

/// Why nothing is watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// The bot could not speak in this channel.
    Missing(Vec<Permission>),
    /// `@everyone` is never mentioned.
    Everyone,
    /// Only who may mention everybody may have this role mentioned.
    Unmentionable {
        /// Which role.
        role: RoleId,
    },
    /// The glob is too long, or holds characters that no branch has.
    Branch {
        /// What was given.
        given: String,
    },
}
