//! The states of builds, stages, jobs and tasks (bkci-api 5.1).

use serde::{Deserialize, Serialize};

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $wire:literal),+ $(,)?) => {
        /// BK-CI's `BuildStatus`. A value this program does not know is `Unknown`: keep looking.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "the names are BK-CI's own; bkci-api 5.1 lists what each means")]
        pub enum BuildStatus { $($(#[$doc])* $name),+ }

        impl BuildStatus {
            /// Reads BK-CI's name of a status.
            pub fn from_wire(text: &str) -> Self {
                match text { $($wire => Self::$name,)+ _ => Self::Unknown }
            }

            /// BK-CI's name of this status.
            pub fn as_wire(self) -> &'static str {
                match self { $(Self::$name => $wire),+ }
            }
        }

        #[cfg(test)]
        const ALL: &[BuildStatus] = &[$(BuildStatus::$name),+];
    };
}

statuses! {
    Succeed = "SUCCEED", Failed = "FAILED", Canceled = "CANCELED", Running = "RUNNING", Terminate = "TERMINATE",
    Reviewing = "REVIEWING", ReviewAbort = "REVIEW_ABORT", ReviewProcessed = "REVIEW_PROCESSED",
    HeartbeatTimeout = "HEARTBEAT_TIMEOUT", PrepareEnv = "PREPARE_ENV", Unexec = "UNEXEC", Skip = "SKIP",
    QualityCheckFail = "QUALITY_CHECK_FAIL", Queue = "QUEUE", LoopWaiting = "LOOP_WAITING",
    CallWaiting = "CALL_WAITING", TryFinally = "TRY_FINALLY", QueueTimeout = "QUEUE_TIMEOUT",
    ExecTimeout = "EXEC_TIMEOUT", QueueCache = "QUEUE_CACHE", Retry = "RETRY", Pause = "PAUSE",
    StageSuccess = "STAGE_SUCCESS", QuotaFailed = "QUOTA_FAILED", DependentWaiting = "DEPENDENT_WAITING",
    QualityCheckPass = "QUALITY_CHECK_PASS", QualityCheckWait = "QUALITY_CHECK_WAIT",
    TriggerReviewing = "TRIGGER_REVIEWING", Unknown = "UNKNOWN",
}

impl BuildStatus {
    /// One of the eight failure states.
    pub fn is_failure(self) -> bool {
        use BuildStatus as S;
        match self {
            S::Failed | S::QuotaFailed | S::Terminate | S::ReviewAbort | S::QualityCheckFail => true,
            S::QueueTimeout | S::ExecTimeout | S::HeartbeatTimeout => true,
            S::Succeed | S::Canceled | S::Running | S::Reviewing | S::ReviewProcessed | S::PrepareEnv => false,
            S::Unexec | S::Skip | S::Queue | S::LoopWaiting | S::CallWaiting | S::TryFinally => false,
            S::QueueCache | S::Retry | S::Pause | S::StageSuccess | S::DependentWaiting => false,
            S::QualityCheckPass | S::QualityCheckWait | S::TriggerReviewing | S::Unknown => false,
        }
    }

    /// Stopped by a person.
    pub fn is_cancel(self) -> bool {
        self == Self::Canceled
    }

    /// Ended well. `STAGE_SUCCESS` is not among them: it is ambiguous, see [`Self::is_finished_build`].
    pub fn is_success(self) -> bool {
        matches!(self, Self::Succeed | Self::ReviewProcessed | Self::Skip | Self::QualityCheckPass)
    }

    /// Under way, or waiting for a person in the middle of it.
    pub fn is_running(self) -> bool {
        use BuildStatus as S;
        matches!(self, S::Running | S::Reviewing | S::PrepareEnv | S::LoopWaiting | S::CallWaiting | S::Pause)
    }

    /// Ended, one way or the other.
    pub fn is_finished(self) -> bool {
        self.is_failure() || self.is_success() || self.is_cancel()
    }

    /// Whether a *build* in this state has ended: `STAGE_SUCCESS` waits at a gate while there is no end time and was
    /// stopped there on purpose once there is one (bkci-api 5.1).
    pub fn is_finished_build(self, has_ended: bool) -> bool {
        self.is_finished() || (self == Self::StageSuccess && has_ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_survives_the_wire_and_unknown_ones_are_unknown() {
        for status in ALL {
            assert_eq!(BuildStatus::from_wire(status.as_wire()), *status);
        }
        assert_eq!(BuildStatus::from_wire("SOMETHING_NEW"), BuildStatus::Unknown);
    }

    #[test]
    fn the_predicates_are_the_table_of_the_reference() {
        let named = |wanted: fn(BuildStatus) -> bool| {
            ALL.iter().copied().filter(|s| wanted(*s)).map(BuildStatus::as_wire).collect::<Vec<_>>().join(" ")
        };
        insta::assert_snapshot!(named(BuildStatus::is_failure), @"FAILED TERMINATE REVIEW_ABORT HEARTBEAT_TIMEOUT QUALITY_CHECK_FAIL QUEUE_TIMEOUT EXEC_TIMEOUT QUOTA_FAILED");
        insta::assert_snapshot!(named(BuildStatus::is_success), @"SUCCEED REVIEW_PROCESSED SKIP QUALITY_CHECK_PASS");
        insta::assert_snapshot!(named(BuildStatus::is_cancel), @"CANCELED");
        insta::assert_snapshot!(named(BuildStatus::is_running), @"RUNNING REVIEWING PREPARE_ENV LOOP_WAITING CALL_WAITING PAUSE");
    }

    #[test]
    fn a_build_at_a_gate_has_ended_only_with_an_end_time() {
        assert!(!BuildStatus::StageSuccess.is_finished_build(false));
        assert!(BuildStatus::StageSuccess.is_finished_build(true));
    }
}
