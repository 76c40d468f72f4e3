//! How a retry stands, and why a read gave nothing.

use serde::{Deserialize, Serialize};

use crate::model::Rejection;
use crate::model::ids::UserId;

/// How a retry stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// BK-CI accepted it.
    Accepted {
        /// The build id as BK-CI returned it.
        build_id: String,
        /// The attempt this is (`executeCount`), where known.
        attempt: Option<u32>,
        /// BK-CI's own answer was lost; the build itself showed it.
        seen_later: bool,
    },
    /// Sent; BK-CI has not answered yet.
    Sent,
    /// BK-CI cannot be reached; nothing was sent so far, and it is tried for a while.
    Unreachable,
    /// Refused by BK-CI or its gateway; nothing runs.
    Rejected(Rejection),
    /// It surely never reached BK-CI.
    NotSent,
    /// The program is not set up rightly for BK-CI; nothing runs.
    Misconfigured {
        /// What the operator should look at: no secret, no body.
        hint: String,
        /// The code that came with it, if any.
        said: Option<Rejection>,
    },
    /// BK-CI never answered, and the build shows no new attempt.
    Unconfirmed {
        /// For how many seconds the build was looked at.
        looked_for_s: u64,
        /// Whether the build could be read at all.
        readable: bool,
    },
    /// Somebody else started the next attempt at the same moment.
    Overtaken {
        /// Their UID.
        by: String,
        /// The attempt they started.
        attempt: u32,
    },
    /// A new attempt runs, and BK-CI does not tell who started it.
    CannotTell {
        /// The attempt.
        attempt: u32,
    },
    /// In a build that runs the task is not as it was, and BK-CI does not tell who did that.
    CannotTellTask,
    /// BK-CI had not carried it out; a later wish for the same was.
    Superseded,
    /// Somebody had asked for the same before.
    AlreadyAsked {
        /// Who.
        first: UserId,
        /// Whether BK-CI has accepted theirs by now.
        accepted: bool,
    },
}

/// Why a read gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// Refused by BK-CI or its gateway.
    Rejected(Rejection),
    /// Not reached.
    Unreachable,
    /// Reached, no answer.
    Unanswered {
        /// The code that came instead, if any.
        said: Option<Rejection>,
    },
    /// An answer that is not BK-CI's, or too large.
    Unreadable {
        /// What it looked like: no body.
        hint: String,
    },
    /// The program is not set up rightly for BK-CI.
    Misconfigured {
        /// What the operator should look at: no secret, no body.
        hint: String,
        /// The code that came with it, if any.
        said: Option<Rejection>,
    },
    /// The build belongs to another pipeline or project than was named.
    OtherPipeline,
}

impl Outcome {
    /// Whether the same can be wished again: nothing happened, or nothing is to be seen of it.
    pub fn may_be_asked_again(&self) -> bool {
        match self {
            Self::NotSent | Self::Unconfirmed { .. } => true,
            Self::Accepted { .. } | Self::Sent | Self::Unreachable | Self::Rejected(_) | Self::Misconfigured { .. } => {
                false
            }
            Self::Overtaken { .. } | Self::CannotTell { .. } | Self::CannotTellTask => false,
            Self::Superseded | Self::AlreadyAsked { .. } => false,
        }
    }

    /// A word for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Sent => "sent",
            Self::Unreachable => "unreachable",
            Self::Rejected(_) => "rejected",
            Self::NotSent => "not_sent",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::Overtaken { .. } => "overtaken",
            Self::CannotTell { .. } | Self::CannotTellTask => "cannot_tell",
            Self::Superseded => "superseded",
            Self::AlreadyAsked { .. } => "already_asked",
        }
    }
}
