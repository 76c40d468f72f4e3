//! What the client asks of BK-CI, before it is an address: one variant per call.
//!
//! Must not hold an address or a credential of ours. What a call carries in its body is written here.

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};

use super::hooks::{EVENTS, Hook, REGION};
use super::lists::Excerpt;
use super::log::{Tail, TaskLog};
use crate::model::BuildRef;
use crate::model::ids::{BuildId, PipelineId, ProjectId};
use crate::model::scope::Scope;

/// A project, pipeline and build that no installation has: `reach` asks for them as nobody.
pub(super) const NOWHERE: [&str; 3] =
    ["reprise-check", "p-00000000000000000000000000000000", "b-00000000000000000000000000000000"];

/// One call that the client makes.
#[derive(Clone, Copy)]
pub(super) enum Endpoint<'a> {
    /// bkci-api 7.2
    Detail(&'a BuildRef),
    /// bkci-api 6.1
    Retry(&'a BuildRef, &'a Scope),
    /// bkci-api 8
    Stop(&'a BuildRef),
    /// bkci-api 7.4
    Builds { project: &'a ProjectId, pipeline: &'a PipelineId, excerpt: Excerpt },
    /// bkci-api 7.5; v4 only
    Batch { project: &'a ProjectId, pipeline: &'a PipelineId, builds: &'a [BuildId] },
    /// bkci-api 9
    LastLine(&'a BuildRef),
    /// bkci-api 9, "range"
    Log(TaskLog<'a>, Tail),
    /// bkci-api 10, "project list"
    Projects { page: u32 },
    /// bkci-api 10, "pipeline list"
    Pipelines { project: &'a ProjectId, named: Option<&'a str>, page: u32 },
    /// bkci-api 10, "project get"
    Project(&'a ProjectId),
    /// bkci-api 11.1, "pipeline-level create"; v4 only
    HookPipeline(&'a PipelineId, Hook<'a>),
    /// bkci-api 11.1, "pipeline-level delete"; v4 only
    UnhookPipeline { project: &'a ProjectId, pipeline: &'a PipelineId, name: &'static str },
    /// bkci-api 11.1, "create many"
    HookProject(Hook<'a>),
    /// bkci-api 11.1, "list"
    Hooks { project: &'a ProjectId, page: u32 },
    /// bkci-api 11.1, "delete"
    UnhookProject { project: &'a ProjectId, id: i64 },
    /// A detail that cannot exist.
    Probe,
}

impl<'a> Endpoint<'a> {
    /// For logs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Detail(_) => "detail",
            Self::Retry(..) => "retry",
            Self::Stop(_) => "stop",
            Self::Builds { .. } => "builds",
            Self::Batch { .. } => "batch",
            Self::LastLine(_) => "last_line",
            Self::Log(..) => "log",
            Self::Projects { .. } => "projects",
            Self::Pipelines { .. } => "pipelines",
            Self::Project(_) => "project",
            Self::HookPipeline(..) => "hook_pipeline",
            Self::UnhookPipeline { .. } => "unhook_pipeline",
            Self::HookProject(_) => "hook_project",
            Self::Hooks { .. } => "hooks",
            Self::UnhookProject { .. } => "unhook_project",
            Self::Probe => "probe",
        }
    }

    /// Whether it is more than a look: then it is never taken for undone because its answer is.
    pub(super) fn changes_something(self) -> bool {
        match self {
            Self::Retry(..) | Self::Stop(_) => true,
            Self::HookPipeline(..) | Self::UnhookPipeline { .. } => true,
            Self::HookProject(_) | Self::UnhookProject { .. } => true,
            Self::Detail(_) | Self::Builds { .. } | Self::Projects { .. } | Self::Pipelines { .. } => false,
            Self::LastLine(_) | Self::Log(..) | Self::Hooks { .. } => false,
            Self::Batch { .. } | Self::Project(_) | Self::Probe => false,
        }
    }

    pub(super) fn method(self) -> Method {
        match self {
            Self::Retry(..) | Self::Stop(_) | Self::Batch { .. } => Method::POST,
            Self::HookPipeline(..) | Self::HookProject(_) => Method::POST,
            Self::UnhookPipeline { .. } | Self::UnhookProject { .. } => Method::DELETE,
            Self::Hooks { .. } => Method::GET,
            Self::Detail(_) | Self::Builds { .. } | Self::Projects { .. } | Self::Pipelines { .. } => Method::GET,
            Self::LastLine(_) | Self::Log(..) | Self::Project(_) | Self::Probe => Method::GET,
        }
    }

    /// JSON; absent where everything is in the address.
    pub(super) fn body(self) -> Option<String> {
        match self {
            Self::Batch { builds, .. } => {
                let builds: Vec<&str> = builds.iter().map(BuildId::as_str).collect();
                Some(serde_json::json!(builds).to_string())
            }
            Self::HookPipeline(_, hook) => Some(events_of(hook)),
            Self::UnhookPipeline { .. } | Self::HookProject(_) => None,
            Self::Hooks { .. } | Self::UnhookProject { .. } => None,
            Self::Detail(_) | Self::Retry(..) | Self::Stop(_) | Self::Builds { .. } => None,
            Self::LastLine(_) | Self::Log(..) => None,
            Self::Projects { .. } | Self::Pipelines { .. } | Self::Project(_) | Self::Probe => None,
        }
    }

    /// What it carries that nobody may see, beside the application's own secret.
    pub(super) fn secret(self) -> Option<&'a SecretString> {
        match self {
            Self::HookPipeline(_, hook) | Self::HookProject(hook) => Some(hook.token),
            Self::UnhookPipeline { .. } | Self::Hooks { .. } | Self::UnhookProject { .. } => None,
            Self::Detail(_) | Self::Retry(..) | Self::Stop(_) | Self::LastLine(_) | Self::Log(..) => None,
            Self::Builds { .. } | Self::Batch { .. } | Self::Projects { .. } | Self::Pipelines { .. } => None,
            Self::Project(_) | Self::Probe => None,
        }
    }

    /// What it is about, for logs.
    pub(super) fn build(self) -> Option<&'a BuildRef> {
        match self {
            Self::Detail(build) | Self::Retry(build, _) | Self::Stop(build) | Self::LastLine(build) => Some(build),
            Self::Log(log, _) => Some(log.build),
            Self::HookPipeline(..) | Self::UnhookPipeline { .. } | Self::HookProject(_) => None,
            Self::Hooks { .. } | Self::UnhookProject { .. } => None,
            Self::Builds { .. } | Self::Batch { .. } | Self::Projects { .. } | Self::Pipelines { .. } => None,
            Self::Project(_) | Self::Probe => None,
        }
    }

    pub(super) fn project(self) -> &'a str {
        match self {
            Self::Detail(build) | Self::Retry(build, _) | Self::Stop(build) => build.project.as_str(),
            Self::LastLine(build) | Self::Log(TaskLog { build, .. }, _) => build.project.as_str(),
            Self::Builds { project, .. } | Self::Batch { project, .. } => project.as_str(),
            Self::Pipelines { project, .. } | Self::Project(project) => project.as_str(),
            Self::HookPipeline(_, hook) | Self::HookProject(hook) => hook.project.as_str(),
            Self::UnhookPipeline { project, .. } | Self::UnhookProject { project, .. } => project.as_str(),
            Self::Hooks { project, .. } => project.as_str(),
            Self::Projects { .. } => "",
            Self::Probe => NOWHERE[0],
        }
    }
}

/// bkci-api 11.1: one entry for each event, each under a name of its own.
fn events_of(hook: Hook<'_>) -> String {
    let event = |(event, name): &(&str, &str)| {
        serde_json::json!({
            "callbackEvent": event,
            "callbackUrl": hook.url,
            "secretToken": hook.token.expose_secret(),
            "callbackName": name,
            "region": REGION,
        })
    };
    serde_json::Value::from_iter(EVENTS.iter().map(event)).to_string()
}
