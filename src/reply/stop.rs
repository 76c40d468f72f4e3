//! How a stop stands.

use serde::{Deserialize, Serialize};

use crate::model::Rejection;
use crate::model::ids::UserId;
use crate::model::status::BuildStatus;

/// How a stop stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopOutcome {
    /// BK-CI accepted it; the build ends a little later.
    Accepted {
        /// Which attempt is stopped.
        attempt: u32,
        /// It was asked to stop before, a while ago: now BK-CI ends it by force (bkci-api 8).
        forced: bool,
        /// BK-CI's own answer was lost; the build itself showed it.
        seen_later: bool,
    },
    /// Sent; BK-CI has not answered yet.
    Sent,
    /// BK-CI cannot be reached; nothing was sent so far, and it is tried for a while.
    Unreachable,
    /// Refused by BK-CI or its gateway.
    Rejected(Rejection),
    /// It surely never reached BK-CI.
    NotSent,
    /// The program is not set up rightly for BK-CI.
    Misconfigured {
        /// What the operator should look at: no secret, no body.
        hint: String,
        /// The code that came with it, if any.
        said: Option<Rejection>,
    },
    /// BK-CI never answered, and the build runs on.
    Unconfirmed {
        /// For how many seconds the build was looked at.
        looked_for_s: u64,
        /// Whether the build could be read at all.
        readable: bool,
    },
    /// The build had ended; nothing was sent.
    EndedBefore {
        /// How.
        status: BuildStatus,
    },
    /// BK-CI never answered, and the build has ended meanwhile, not by this stop as far as one can tell.
    Ended {
        /// How.
        status: BuildStatus,
        /// UID of who stopped it, where BK-CI says so.
        by: Option<String>,
    },
    /// BK-CI never answered, and a newer attempt runs, which is left alone.
    Moved {
        /// The newer attempt.
        attempt: u32,
    },
    /// The build was stopped, and a later wish for that was carried out.
    Superseded,
    /// Somebody had asked for the same before.
    AlreadyAsked {
        /// Who.
        first: UserId,
        /// Whether BK-CI has accepted theirs by now.
        accepted: bool,
        /// In so many seconds it can be ended by force.
        again_in_s: u64,
    },
}

impl StopOutcome {
    /// A word for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "stop_accepted",
            Self::Sent => "stop_sent",
            Self::Unreachable => "stop_unreachable",
            Self::Rejected(_) => "stop_rejected",
            Self::NotSent => "stop_not_sent",
            Self::Misconfigured { .. } => "stop_misconfigured",
            Self::Unconfirmed { .. } => "stop_unconfirmed",
            Self::EndedBefore { .. } => "stop_ended_before",
            Self::Ended { .. } => "stop_ended",
            Self::Moved { .. } => "stop_moved",
            Self::Superseded => "stop_superseded",
            Self::AlreadyAsked { .. } => "stop_already_asked",
        }
    }
}
