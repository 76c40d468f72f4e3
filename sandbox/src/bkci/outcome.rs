//! How a run of a task ends, and what a failure leaves behind (bkci-api.md 5.1, 5.2).

use super::status::Status;

/// The `errorType` of a failure: the name in an element, the number in `errorInfoList` (bkci-api.md 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// 0
    System,
    /// 1
    User,
    /// 2
    ThirdParty,
    /// 3
    Plugin,
    /// 4
    BuildMachine,
}

impl ErrorType {
    pub(super) fn number(self) -> u32 {
        match self {
            ErrorType::System => 0,
            ErrorType::User => 1,
            ErrorType::ThirdParty => 2,
            ErrorType::Plugin => 3,
            ErrorType::BuildMachine => 4,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            ErrorType::System => "SYSTEM",
            ErrorType::User => "USER",
            ErrorType::ThirdParty => "THIRD_PARTY",
            ErrorType::Plugin => "PLUGIN",
            ErrorType::BuildMachine => "BUILD_MACHINE",
        }
    }
}

/// How a run fails: with which status, and what it leaves in the error list.
#[derive(Clone, Debug)]
pub struct Fail {
    /// FAILED unless said otherwise; it is carried up to job, stage and build.
    pub status: Status,
    /// Kind.
    pub error_type: ErrorType,
    /// Code.
    pub code: u32,
    /// Text.
    pub message: String,
}

impl Fail {
    /// A script that ended with an error (2199011, bkci-api.md 5.2).
    pub fn script(message: &str) -> Self {
        Self { status: Status::Failed, error_type: ErrorType::User, code: 2199011, message: message.into() }
    }

    /// Any other failure.
    pub fn new(error_type: ErrorType, code: u32, message: &str) -> Self {
        Self { status: Status::Failed, error_type, code, message: message.into() }
    }

    /// A machine that did not start (2189504, bkci-api.md 5.2): the job fails and no task of it has run.
    pub fn machine(message: &str) -> Self {
        Self::new(ErrorType::BuildMachine, 2189504, message)
    }

    /// The same failure under another status of the failure set, such as EXEC_TIMEOUT.
    pub fn with_status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }
}

/// How one run of a task ends.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It succeeds.
    Pass,
    /// It fails.
    Fail(Fail),
    /// It waits for a person (REVIEWING) until `BkCi::review_task` is called.
    Review,
    /// It goes on until somebody stops the build.
    Hang,
}
