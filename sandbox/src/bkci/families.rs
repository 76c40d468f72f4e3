//! The three families of addresses (bkci-api.md 1, 6.1, 7, 8 and 10): which operation a path is, and through which door
//! it came.
//!
//! A slash too many or too few is another path: that the real service would forgive it is not documented.

use axum::http::Method;
use percent_encoding::percent_decode_str;

use super::endpoint::{CallbackCall, Endpoint, LogCall};

/// The part of a gateway's address before the resources: name of the gateway and stage (bkci-api.md 1).
pub(super) const GATEWAY: &str = "/api/devops/prod";
/// What the gateway puts before the paths that it forwards (bkci-api.md 1).
pub(super) const BACKEND: &str = "/openapi/api";

/// A family of addresses (bkci-api.md 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Ids in the path.
    V3,
    /// Through the gateway, ids in the query.
    V4,
    /// What the gateway forwards to: nobody is in front.
    V4Backend,
}

impl Family {
    /// Whether pipeline and build stand in the path; else in the query.
    pub(super) fn has_ids_in_the_path(self) -> bool {
        match self {
            Family::V3 => true,
            Family::V4 | Family::V4Backend => false,
        }
    }
}

/// Through which door a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// The BlueKing gateway.
    Gateway,
    /// The openapi service itself.
    Backend,
}

/// An operation and the ids in its path; v4 has the others in the query.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) endpoint: Endpoint,
    pub(super) family: Family,
    pub(super) project: String,
    pub(super) pipeline: String,
    pub(super) build: String,
}

/// What is at a path.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Route(Route),
    WrongMethod,
    Nothing,
    /// The service's path filter turns it away (bkci-api.md 2.2 point 1).
    NotOfTheApi,
}

pub(super) fn find(method: &Method, path: &str) -> (Door, Found) {
    let behind = |prefix: &str| path.strip_prefix(prefix)?.strip_prefix('/');
    match (behind(BACKEND), behind(GATEWAY)) {
        (Some(rest), _) if !["apigw/", "apigw-user/", "apigw-app/"].iter().any(|kind| rest.starts_with(kind)) => {
            (Door::Backend, Found::NotOfTheApi)
        }
        (Some(rest), _) => (Door::Backend, route(method, Door::Backend, rest)),
        (None, Some(rest)) => (Door::Gateway, route(method, Door::Gateway, rest)),
        (None, None) => (Door::Gateway, Found::Nothing),
    }
}

fn route(method: &Method, door: Door, rest: &str) -> Found {
    let decoded: Vec<String> =
        rest.split('/').map(|part| percent_decode_str(part).decode_utf8_lossy().into()).collect();
    let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let found = match (door, parts.as_slice()) {
        (_, ["apigw-app", "v3", "projects", rest @ ..]) => v3(rest).map(|ids| (Family::V3, ids)),
        (Door::Gateway, ["v4", "apigw-app", "projects", rest @ ..]) => v4_gateway(rest).map(|ids| (Family::V4, ids)),
        (Door::Backend, ["apigw-app", "v4", "projects", rest @ ..]) => {
            v4_backend(rest).map(|ids| (Family::V4Backend, ids))
        }
        _ => None,
    };
    let Some((family, (endpoints, [project, pipeline, build]))) = found else { return Found::Nothing };
    let Some(endpoint) = endpoints.iter().copied().find(|endpoint| endpoint.method() == *method) else {
        return Found::WrongMethod;
    };
    Found::Route(Route { endpoint, family, project: project.into(), pipeline: pipeline.into(), build: build.into() })
}

/// The operations at a path, each with a method of its own, and project, pipeline and build as far as it names them.
type Ids<'a> = (&'static [Endpoint], [&'a str; 3]);

const PROJECT_CALLBACKS: &[Endpoint] =
    &[Endpoint::Callback(CallbackCall::Create), Endpoint::Callback(CallbackCall::List)];
const PIPELINE_CALLBACKS: &[Endpoint] = &[
    Endpoint::Callback(CallbackCall::PutOfPipeline),
    Endpoint::Callback(CallbackCall::ListOfPipeline),
    Endpoint::Callback(CallbackCall::DeleteOfPipeline),
];

fn v3<'a>(rest: &[&'a str]) -> Option<Ids<'a>> {
    let named = |ids: &[&str]| ids.iter().all(|id| !id.is_empty());
    let (endpoints, ids): Ids<'a> = match *rest {
        [""] => return Some((&[Endpoint::Projects], ["", "", ""])),
        [p] => (&[Endpoint::Project], [p, "", ""]),
        [p, "pipelines"] => (&[Endpoint::Pipelines], [p, "", ""]),
        [p, "callbacks", ""] => (PROJECT_CALLBACKS, [p, "", ""]),
        [p, "callbacks", "batch"] => (&[Endpoint::Callback(CallbackCall::CreateMany)], [p, "", ""]),
        [p, "callbacks", id] if named(&[id]) => (&[Endpoint::Callback(CallbackCall::Delete)], [p, "", ""]),
        [p, "pipelines", pl, "status"] if named(&[pl]) => (&[Endpoint::PipelineStatus], [p, pl, ""]),
        [p, "pipelines", pl, "builds", "history"] if named(&[pl]) => (&[Endpoint::History], [p, pl, ""]),
        [p, "pipelines", pl, "builds", b, "logs", verb] if named(&[pl, b]) => (of_log(verb)?, [p, pl, b]),
        [p, "pipelines", pl, "builds", b, verb] if named(&[pl, b]) => (of_build(verb)?, [p, pl, b]),
        _ => return None,
    };
    named(&[ids[0]]).then_some((endpoints, ids))
}

fn of_build(verb: &str) -> Option<&'static [Endpoint]> {
    match verb {
        "retry" => Some(&[Endpoint::Retry]),
        "detail" => Some(&[Endpoint::Detail]),
        "status" => Some(&[Endpoint::Status]),
        "stop" => Some(&[Endpoint::Stop]),
        _ => None,
    }
}

fn of_log(verb: &str) -> Option<&'static [Endpoint]> {
    match verb {
        "init" => Some(&[Endpoint::Log(LogCall::Init)]),
        "more" => Some(&[Endpoint::Log(LogCall::More)]),
        "after" => Some(&[Endpoint::Log(LogCall::After)]),
        "last_line_num" => Some(&[Endpoint::Log(LogCall::LastLine)]),
        "mode" => Some(&[Endpoint::Log(LogCall::Mode)]),
        _ => None,
    }
}

fn v4_gateway<'a>(rest: &[&'a str]) -> Option<Ids<'a>> {
    match *rest {
        ["project_list"] => Some((&[Endpoint::Projects], ["", "", ""])),
        [p] if !p.is_empty() => Some((&[Endpoint::Project], [p, "", ""])),
        _ => v4(rest),
    }
}

/// The irregular mapping of bkci-api.md 1; all else is as at the gateway.
fn v4_backend<'a>(rest: &[&'a str]) -> Option<Ids<'a>> {
    match *rest {
        ["project", "project_list"] => Some((&[Endpoint::Projects], ["", "", ""])),
        ["project", p] if !p.is_empty() => Some((&[Endpoint::Project], [p, "", ""])),
        _ => v4(rest),
    }
}

fn v4<'a>(rest: &[&'a str]) -> Option<Ids<'a>> {
    if let [project, "callbacks", "pipelines", pipeline] = *rest {
        return (!project.is_empty() && !pipeline.is_empty()).then_some((PIPELINE_CALLBACKS, [project, pipeline, ""]));
    }
    let (project, endpoints): (&str, &'static [Endpoint]) = match *rest {
        [p, "build_retry"] => (p, &[Endpoint::Retry]),
        [p, "build_detail"] => (p, &[Endpoint::Detail]),
        [p, "build_status"] => (p, &[Endpoint::Status]),
        [p, "build_stop"] => (p, &[Endpoint::Stop]),
        [p, "build_histories"] => (p, &[Endpoint::History]),
        [p, "batch_get_build_status"] => (p, &[Endpoint::Batch]),
        [p, "callbacks"] => (p, &[Endpoint::Callback(CallbackCall::Create)]),
        [p, "callbacks", "batch"] => (p, &[Endpoint::Callback(CallbackCall::CreateMany)]),
        [p, "callbacks", "callback_list"] => (p, &[Endpoint::Callback(CallbackCall::List)]),
        [p, "callbacks", "callback"] => (p, &[Endpoint::Callback(CallbackCall::Delete)]),
        [p, "logs", "init_logs"] => (p, &[Endpoint::Log(LogCall::Init)]),
        [p, "logs", "more_logs"] => (p, &[Endpoint::Log(LogCall::More)]),
        [p, "logs", "after_line_logs"] => (p, &[Endpoint::Log(LogCall::After)]),
        [p, "logs", "last_line_num"] => (p, &[Endpoint::Log(LogCall::LastLine)]),
        [p, "logs", "log_mode"] => (p, &[Endpoint::Log(LogCall::Mode)]),
        [p, "pipelines", "pipeline_list"] => (p, &[Endpoint::Pipelines]),
        [p, "pipelines", "search_by_name"] => (p, &[Endpoint::PipelineSearch]),
        [p, "pipelines", "pipeline_status"] => (p, &[Endpoint::PipelineStatus]),
        _ => return None,
    };
    (!project.is_empty()).then_some((endpoints, [project, "", ""]))
}
