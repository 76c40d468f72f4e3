//! The statuses of builds, stages, jobs and tasks, and their predicates, as bkci-api.md 5.1 defines them.

/// BuildStatus (bkci-api.md 5.1): the values this double uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// SUCCEED
    Succeed,
    /// FAILED
    Failed,
    /// CANCELED
    Canceled,
    /// RUNNING
    Running,
    /// TERMINATE: a passive stop, counted as a failure.
    Terminate,
    /// REVIEWING: a task waits for a person.
    Reviewing,
    /// REVIEW_ABORT: a person rejected; a failure.
    ReviewAbort,
    /// HEARTBEAT_TIMEOUT: a failure.
    HeartbeatTimeout,
    /// PREPARE_ENV: the machine of a job is starting.
    PrepareEnv,
    /// UNEXEC: never run; *not* finished.
    Unexec,
    /// SKIP: counted as a success.
    Skip,
    /// QUALITY_CHECK_FAIL: a failure.
    QualityCheckFail,
    /// QUEUE
    Queue,
    /// QUEUE_TIMEOUT: a failure.
    QueueTimeout,
    /// EXEC_TIMEOUT: a failure.
    ExecTimeout,
    /// PAUSE: waits for a person.
    Pause,
    /// STAGE_SUCCESS: waits at a stage's gate while it has no end, stopped there on purpose once it has one.
    StageSuccess,
}

impl Status {
    const ALL: [Status; 17] = [
        Status::Succeed,
        Status::Failed,
        Status::Canceled,
        Status::Running,
        Status::Terminate,
        Status::Reviewing,
        Status::ReviewAbort,
        Status::HeartbeatTimeout,
        Status::PrepareEnv,
        Status::Unexec,
        Status::Skip,
        Status::QualityCheckFail,
        Status::Queue,
        Status::QueueTimeout,
        Status::ExecTimeout,
        Status::Pause,
        Status::StageSuccess,
    ];

    /// The status with this value on the wire.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Succeed => "SUCCEED",
            Status::Failed => "FAILED",
            Status::Canceled => "CANCELED",
            Status::Running => "RUNNING",
            Status::Terminate => "TERMINATE",
            Status::Reviewing => "REVIEWING",
            Status::ReviewAbort => "REVIEW_ABORT",
            Status::HeartbeatTimeout => "HEARTBEAT_TIMEOUT",
            Status::PrepareEnv => "PREPARE_ENV",
            Status::Unexec => "UNEXEC",
            Status::Skip => "SKIP",
            Status::QualityCheckFail => "QUALITY_CHECK_FAIL",
            Status::Queue => "QUEUE",
            Status::QueueTimeout => "QUEUE_TIMEOUT",
            Status::ExecTimeout => "EXEC_TIMEOUT",
            Status::Pause => "PAUSE",
            Status::StageSuccess => "STAGE_SUCCESS",
        }
    }

    /// Whether it counts as a failure: not only FAILED does (bkci-api.md 5.1).
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Status::Failed
                | Status::Terminate
                | Status::ReviewAbort
                | Status::QualityCheckFail
                | Status::QueueTimeout
                | Status::ExecTimeout
                | Status::HeartbeatTimeout
        )
    }

    /// Whether it counts as a success.
    pub fn is_success(self) -> bool {
        matches!(self, Status::Succeed | Status::Skip)
    }

    /// Whether it was cancelled.
    pub fn is_cancel(self) -> bool {
        self == Status::Canceled
    }

    /// Failure, success or cancel. STAGE_SUCCESS depends on the end time: see `Build::is_finished`.
    pub fn is_finish(self) -> bool {
        self.is_failure() || self.is_success() || self.is_cancel()
    }
}
