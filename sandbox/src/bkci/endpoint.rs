//! The operations of the API that this double has, with their methods and the query names that are published.

use axum::http::Method;

use super::families::Family;

/// What all readings of log lines take (9).
const LOG_FILTERS: &[&str] = &["tag", "containerHashId", "jobId", "stepId", "executeCount", "debug", "archiveFlag"];

/// How a log is read (bkci-api.md 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogCall {
    /// The first lines, or in v4 the last.
    Init,
    /// A range of lines.
    More,
    /// Lines from one on.
    After,
    /// The number of the last line.
    LastLine,
    /// Where the log is kept.
    Mode,
}

/// What is done with callbacks (bkci-api.md 11.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackCall {
    /// Register one event for a project.
    Create,
    /// Register several.
    CreateMany,
    /// Those of a project.
    List,
    /// Remove one of a project.
    Delete,
    /// Register or change those of a pipeline; v4 only.
    PutOfPipeline,
    /// Those of a pipeline; v4 only.
    ListOfPipeline,
    /// Remove one of a pipeline; v4 only.
    DeleteOfPipeline,
}

/// An operation of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Retry a build (bkci-api.md 6).
    Retry,
    /// Detail of a build (7.2).
    Detail,
    /// Status of a build (7.1).
    Status,
    /// Stop a build (8).
    Stop,
    /// Builds of a pipeline (7.4).
    History,
    /// Many builds at once (7.5); v4 only.
    Batch,
    /// Read a log (9).
    Log(LogCall),
    /// Register, list or remove callbacks (11.1).
    Callback(CallbackCall),
    /// Projects of the user (10).
    Projects,
    /// One project (10).
    Project,
    /// Pipelines of a project (10).
    Pipelines,
    /// Pipelines by a part of their name (10); v4 only.
    PipelineSearch,
    /// One pipeline (10).
    PipelineStatus,
}

impl Endpoint {
    pub(super) fn method(self) -> Method {
        match self {
            Endpoint::Retry
            | Endpoint::Stop
            | Endpoint::Batch
            | Endpoint::Callback(CallbackCall::Create | CallbackCall::CreateMany | CallbackCall::PutOfPipeline) => {
                Method::POST
            }
            Endpoint::Callback(CallbackCall::Delete | CallbackCall::DeleteOfPipeline) => Method::DELETE,
            Endpoint::Detail
            | Endpoint::Status
            | Endpoint::History
            | Endpoint::Log(_)
            | Endpoint::Callback(CallbackCall::List | CallbackCall::ListOfPipeline)
            | Endpoint::Projects
            | Endpoint::Project
            | Endpoint::Pipelines
            | Endpoint::PipelineSearch
            | Endpoint::PipelineStatus => Method::GET,
        }
    }

    /// Whether the published contract has this query name, besides the credentials.
    pub(super) fn publishes(self, family: Family, name: &str) -> bool {
        let filters = matches!(self, Endpoint::Log(LogCall::Init | LogCall::More | LogCall::After));
        self.query_names(family).contains(&name) || (filters && LOG_FILTERS.contains(&name))
    }

    /// Source: seed-retry-endpoint.md; 6.1; 7; 8; 9; 10; 11.1. Filters of v4's lists that this double does not play are not
    /// among them: nobody shall lean on them here.
    fn query_names(self, family: Family) -> &'static [&'static str] {
        match (self, family.has_ids_in_the_path()) {
            (Endpoint::Retry, true) => &["taskId", "failedContainer", "skip", "channelCode"],
            (Endpoint::Retry, false) => &["pipelineId", "buildId", "buildNumber", "taskId", "failedContainer", "skip"],
            (Endpoint::Stop, true) => &["channelCode"],
            (Endpoint::Detail | Endpoint::Status, true) => &[],
            (Endpoint::Detail | Endpoint::Status | Endpoint::Stop, false) => &["pipelineId", "buildId"],
            (Endpoint::History, true) => &["page", "pageSize", "updateTimeDesc", "archiveFlag"],
            (Endpoint::History, false) => &[
                "pipelineId",
                "page",
                "pageSize",
                "updateTimeDesc",
                "status",
                "buildNoStart",
                "buildNoEnd",
                "startUser",
            ],
            (Endpoint::Batch, true | false) => &["pipelineId"],
            (Endpoint::Log(LogCall::Init), true) => &[],
            (Endpoint::Log(LogCall::Init), false) => &["pipelineId", "buildId", "reverse", "logType"],
            (Endpoint::Log(LogCall::More), true) => &["start", "end", "num", "fromStart"],
            (Endpoint::Log(LogCall::More), false) => &["pipelineId", "buildId", "start", "end", "num", "fromStart"],
            (Endpoint::Log(LogCall::After), true) => &["start"],
            (Endpoint::Log(LogCall::After), false) => &["pipelineId", "buildId", "start"],
            (Endpoint::Log(LogCall::LastLine), true) => &["archiveFlag"],
            (Endpoint::Log(LogCall::LastLine), false) => &["pipelineId", "buildId", "archiveFlag"],
            (Endpoint::Log(LogCall::Mode), true) => &["executeCount", "stepId", "archiveFlag"],
            (Endpoint::Log(LogCall::Mode), false) => {
                &["pipelineId", "buildId", "tag", "executeCount", "stepId", "archiveFlag"]
            }
            (Endpoint::Callback(CallbackCall::Create | CallbackCall::CreateMany), true | false) => {
                &["url", "region", "event", "secretToken"]
            }
            (Endpoint::Callback(CallbackCall::List), true | false) => &["page", "pageSize"],
            (Endpoint::Callback(CallbackCall::Delete), true) => &[],
            (Endpoint::Callback(CallbackCall::Delete), false) => &["id"],
            (Endpoint::Callback(CallbackCall::PutOfPipeline), true | false) => &[],
            (Endpoint::Callback(CallbackCall::ListOfPipeline), true | false) => &["event"],
            (Endpoint::Callback(CallbackCall::DeleteOfPipeline), true | false) => &["callbackName"],
            (Endpoint::Pipelines, true) => &["page", "pageSize"],
            (Endpoint::Pipelines, false) => &["page", "pageSize", "filterByPipelineName"],
            (Endpoint::PipelineSearch, true | false) => &["pipelineName"],
            (Endpoint::Projects | Endpoint::PipelineStatus, true) => &[],
            (Endpoint::Projects, false) => &["page", "pageSize"],
            (Endpoint::PipelineStatus, false) => &["pipelineId"],
            (Endpoint::Project, true | false) => &[],
        }
    }

    /// The query names that may be given more than once (7.4).
    pub(super) fn may_repeat(self, name: &str) -> bool {
        self == Endpoint::History && matches!(name, "status" | "startUser")
    }
}
