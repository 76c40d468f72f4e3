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
    /// It was used.
    Used {
        /// By whom.
        by: UserId,
    },
    /// The bot does not know it.
    Unknown,
}

/// A pair of buttons under a message: what pressing them would do, for whom, until when. A button itself says nothing
/// but which offer it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Made from its cause.
    pub id: OfferId,
    /// Which build and which part; its scope is settled.
    pub about: About,
    /// The build's attempt when it was shown.
    pub attempt: u32,
    /// The build's state when it was shown.
    pub status: BuildStatus,
    /// Of everything that decides what would run (`Build::digest`).
    pub digest: String,
    /// Who may use it; absent: everybody who may do what it offers.
    pub asker: Option<UserId>,
    /// Until when.
    pub expires: Timestamp,
    /// Who used it up.
    pub used_by: Option<UserId>,
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
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 3] = [Self::Run, Self::Cancel, Self::Again];

    /// As it stands in a button's `custom_id`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Cancel => "cancel",
            Self::Again => "again",
        }
    }
}
