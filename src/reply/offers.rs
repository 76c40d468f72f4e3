//! What is proposed before it is done: the facts that are shown, and the buttons under them.

use serde::{Deserialize, Serialize};

use super::About;
use crate::model::Timestamp;
use crate::model::ids::{OfferId, UserId};
use crate::model::scope::{self, Plan};
use crate::model::status::BuildStatus;

/// What a retry would do, with the buttons to agree or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Which build and part.
    pub about: About,
    /// What would run.
    pub plan: Plan,
    /// The buttons.
    pub offer: OfferId,
    /// Until when they work.
    pub expires: Timestamp,
}

/// Why a retry is not carried out before the asker agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// It may be more than the person thinks of.
    Risk(scope::Why),
    /// The operator wants every retry to be confirmed.
    Always,
    /// The asker wanted to see it first, in words.
    Preview,
    /// The program was interrupted, and too much time has passed since the person asked (house 4.3).
    Late,
}

/// What is different from when a button was posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// There is a newer attempt.
    Attempt {
        /// The attempt that was shown.
        before: u32,
        /// The latest.
        now: u32,
        /// The UID that started it, if BK-CI says so.
        by: Option<String>,
    },
    /// The build is in another state.
    Status {
        /// The state that was shown.
        before: BuildStatus,
        /// The state now.
        now: BuildStatus,
    },
    /// Some part of it is in another state.
    Parts,
    /// Somebody was first: the attempt that a notice was about is over.
    First {
        /// The latest attempt.
        now: u32,
        /// The person who had this bot start it.
        user: Option<UserId>,
        /// The UID that started it, where no such person is known and BK-CI says so.
        uid: Option<String>,
        /// How it stands.
        status: BuildStatus,
    },
}

/// Why a button does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unusable {
    /// It is for somebody else.
    ForAnother {
        /// For whom.
        asker: UserId,
    },
    /// Its time is over.
    Expired {
        /// When that was.
        at: Timestamp,
    },
    /// BK-CI does not retry builds that started so long ago.
    TooOld {
        /// Until when it did.
        at: Timestamp,
    },
    /// It was used.
    Used {
        /// By whom.
        by: UserId,
    },
    /// The bot does not know it.
    Unknown,
}

/// Buttons and lists under a message: what pressing them would do, for whom, until when. A button itself says nothing
/// but which offer it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Made from its cause.
    pub id: OfferId,
    /// What it is for.
    pub what: What,
    /// Who may use it; absent: everybody who may do what it offers.
    pub asker: Option<UserId>,
    /// Until when.
    pub expires: Timestamp,
    /// Who used it up.
    pub used_by: Option<UserId>,
}

/// What an offer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Exactly what was shown, once.
    Shown(Shown),
    /// Whatever can be done on a notice, as long as the build is at this attempt.
    Notice {
        /// Which build; no scope.
        about: About,
        /// The attempt the notice was about.
        attempt: u32,
    },
    /// Looking for a paused watch, as oneself.
    Watch {
        /// Its id.
        watch: String,
    },
}

/// A retry that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Which build and which part; its scope is settled.
    pub about: About,
    /// The build's attempt when it was shown.
    pub attempt: u32,
    /// The build's state when it was shown.
    pub status: BuildStatus,
    /// Of everything that decides what would run (`Build::digest`).
    pub digest: String,
    /// It was shown to one person who pressed on a notice: what becomes of it is that person's alone to read.
    pub quiet: bool,
}

/// What a button of an offer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Do what was shown.
    Run,
    /// Do nothing.
    Cancel,
    /// Do what came to nothing before; the answer is a message of its own, since the first one may still be corrected.
    Again,
    /// On a notice: retry the failed jobs.
    FailedJobs,
    /// On a notice: retry the whole build.
    Whole,
    /// On a notice: retry from what is chosen.
    From,
    /// On a notice: skip what is chosen.
    Skip,
    /// On a notice: stop the build.
    Stop,
    /// Look for a paused watch.
    TakeOver,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 9] = [
        Self::Run,
        Self::Cancel,
        Self::Again,
        Self::FailedJobs,
        Self::Whole,
        Self::From,
        Self::Skip,
        Self::Stop,
        Self::TakeOver,
    ];

    /// As it stands in a button's `custom_id`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Cancel => "cancel",
            Self::Again => "again",
            Self::FailedJobs => "failed",
            Self::Whole => "all",
            Self::From => "from",
            Self::Skip => "skip",
            Self::Stop => "stop",
            Self::TakeOver => "take",
        }
    }
}
