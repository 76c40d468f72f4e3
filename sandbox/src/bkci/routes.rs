//! Which operation an address is, and what the service does with it: openapi's checks in their order, then the
//! process service's function.
//!
//! Only the seed's family (v3, bkci-api.md 1) is here; another family is another reading of the address into the
//! same `Route`.

use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::detail::{Page, Reading};
use super::errors::{Failure, GatewayFailure};
use super::gateway::Answer;
use super::looking::Via;
use super::retry::{Ask, Wish};
use super::world::World;

/// The part of a gateway's address before the resources: name of the gateway and stage (bkci-api.md 1).
pub(super) const BASE: &str = "/api/devops/prod";

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
    /// Projects of the user (10).
    Projects,
    /// One project (10).
    Project,
    /// Pipelines of a project (10).
    Pipelines,
    /// One pipeline (10).
    PipelineStatus,
}

impl Endpoint {
    fn method(self) -> Method {
        match self {
            Endpoint::Retry | Endpoint::Stop => Method::POST,
            Endpoint::Detail
            | Endpoint::Status
            | Endpoint::History
            | Endpoint::Projects
            | Endpoint::Project
            | Endpoint::Pipelines
            | Endpoint::PipelineStatus => Method::GET,
        }
    }

    /// The query names that the published contract has, besides the credentials (seed-retry-endpoint.md; 7.4; 10).
    pub(super) fn query_names(self) -> &'static [&'static str] {
        match self {
            Endpoint::Retry => &["taskId", "failedContainer", "skip", "channelCode"],
            Endpoint::History => &["page", "pageSize", "updateTimeDesc", "archiveFlag"],
            Endpoint::Pipelines => &["page", "pageSize"],
            Endpoint::Stop => &["channelCode"],
            Endpoint::Detail | Endpoint::Status | Endpoint::Projects | Endpoint::Project | Endpoint::PipelineStatus => {
                &[]
            }
        }
    }
}

/// An operation and the ids in its address.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) endpoint: Endpoint,
    pub(super) project: String,
    pub(super) pipeline: String,
    pub(super) build: String,
}

/// What the gateway makes of an address.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Route(Route),
    WrongMethod,
    Nothing,
}

/// A request, read.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) raw_query: Option<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) found: Found,
}

impl Incoming {
    pub(super) fn read(request: &Request) -> Self {
        let path = request.uri().path().to_owned();
        let raw_query = request.uri().query().map(str::to_owned);
        Self {
            method: request.method().clone(),
            query: raw_query.as_deref().map(decode_query).unwrap_or_default(),
            headers: request.headers().clone(),
            found: find(request.method(), &path),
            path,
            raw_query,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// An empty header is as good as none.
    pub(super) fn uid(&self) -> Option<&str> {
        self.header("x-devops-uid").filter(|uid| !uid.is_empty())
    }

    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        match &self.found {
            Found::Route(route) => Some(route.endpoint),
            Found::WrongMethod | Found::Nothing => None,
        }
    }

    /// The first value, as JAX-RS takes it.
    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// "Booleans never fail: anything but `true` is false" (bkci-api.md 3.3).
    fn flag(&self, name: &str) -> bool {
        self.parameter(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn number(&self, name: &str) -> Result<i64, Failure> {
        let Some(value) = self.parameter(name).filter(|value| !value.is_empty()) else { return Ok(0) };
        value.parse::<i32>().map(i64::from).map_err(|_| Failure::wrong_type())
    }

    /// `application/json`, with or without parameters.
    pub(super) fn sends_json(&self) -> bool {
        let media = self.header("content-type").and_then(|value| value.split(';').next()).unwrap_or_default();
        media.trim().eq_ignore_ascii_case("application/json")
    }
}

fn decode_query(raw: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pair = |part: &str| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(key), decode(value))
    };
    raw.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

/// The v3 family (bkci-api.md 1, 6 to 8, 10).
fn find(method: &Method, path: &str) -> Found {
    let Some(rest) = path.strip_prefix(BASE).and_then(|rest| rest.strip_prefix('/')) else { return Found::Nothing };
    let decoded: Vec<String> =
        rest.trim_end_matches('/').split('/').map(|part| percent_decode_str(part).decode_utf8_lossy().into()).collect();
    let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Found::Nothing;
    }
    let (endpoint, project, pipeline, build) = match parts.as_slice() {
        ["apigw-app", "v3", "projects"] => (Endpoint::Projects, "", "", ""),
        ["apigw-app", "v3", "projects", p] => (Endpoint::Project, *p, "", ""),
        ["apigw-app", "v3", "projects", p, "pipelines"] => (Endpoint::Pipelines, *p, "", ""),
        ["apigw-app", "v3", "projects", p, "pipelines", pl, "status"] => (Endpoint::PipelineStatus, *p, *pl, ""),
        ["apigw-app", "v3", "projects", p, "pipelines", pl, "builds", "history"] => (Endpoint::History, *p, *pl, ""),
        ["apigw-app", "v3", "projects", p, "pipelines", pl, "builds", b, "retry"] => (Endpoint::Retry, *p, *pl, *b),
        ["apigw-app", "v3", "projects", p, "pipelines", pl, "builds", b, "detail"] => (Endpoint::Detail, *p, *pl, *b),
        ["apigw-app", "v3", "projects", p, "pipelines", pl, "builds", b, "status"] => (Endpoint::Status, *p, *pl, *b),
        ["apigw-app", "v3", "projects", p, "pipelines", pl, "builds", b, "stop"] => (Endpoint::Stop, *p, *pl, *b),
        _ => return Found::Nothing,
    };
    if endpoint.method() != *method {
        return Found::WrongMethod;
    }
    Found::Route(Route { endpoint, project: project.into(), pipeline: pipeline.into(), build: build.into() })
}

impl World {
    /// The true answer to a request, and all that it does: gateway, openapi service, process service.
    pub(super) fn answer(&mut self, incoming: &Incoming, now: i64) -> Answer {
        let route = match &incoming.found {
            Found::Nothing => return Answer::gateway(&GatewayFailure::of(1640401, None)),
            Found::WrongMethod => return Answer::gateway(&GatewayFailure::of(1640501, None)),
            Found::Route(route) => route,
        };
        let application = match self.verify_application(&incoming.headers, &incoming.query) {
            Ok(application) => application,
            Err(failure) => return Answer::gateway(&failure),
        };
        match self.serve(route, incoming, &application, now) {
            Ok(data) => Answer::success(&data),
            Err(failure) => self.refusal(&failure, incoming),
        }
    }

    pub(super) fn refusal(&self, failure: &Failure, incoming: &Incoming) -> Answer {
        Answer::json(failure.http, &failure.body(self.language_of(incoming.uid())))
    }

    /// The openapi service: media type, query types, project and application, the user (bkci-api.md 2.2, 3.3).
    fn serve(&mut self, route: &Route, incoming: &Incoming, application: &str, now: i64) -> Reading {
        if incoming.method == Method::POST && !incoming.sends_json() {
            return Err(Failure::unsupported_media_type());
        }
        let page = Page {
            page: incoming.number("page")?,
            page_size: incoming.number("pageSize")?,
            update_time_desc: incoming.flag("updateTimeDesc"),
        };
        if !route.project.is_empty() {
            self.authorise(application, &route.project, now)?;
        }
        let uid = incoming.uid().ok_or_else(|| Failure::missing_argument("userId"))?;
        let Route { project, pipeline, build, .. } = route;
        match route.endpoint {
            Endpoint::Retry => self.retry_answer(route, incoming, uid, now),
            Endpoint::Detail => self.detail(uid, project, pipeline, build, now),
            Endpoint::Status => self.status(uid, project, pipeline, build, now),
            Endpoint::Stop => self.stop(uid, project, pipeline, build, now).map(|()| Value::Bool(true)),
            Endpoint::History => self.history(uid, project, pipeline, page, now),
            Endpoint::Projects => Ok(self.project_list(uid)),
            Endpoint::Project => self.one_project(uid, project),
            Endpoint::Pipelines => self.pipeline_list(uid, project, page, now),
            Endpoint::PipelineStatus => self.pipeline_status(uid, project, pipeline, now),
        }
    }

    fn retry_answer(&mut self, route: &Route, incoming: &Incoming, uid: &str, now: i64) -> Reading {
        let ask = Ask {
            uid,
            project: &route.project,
            pipeline: &route.pipeline,
            build: &route.build,
            wish: Wish {
                task_id: incoming.parameter("taskId").map(str::to_owned),
                failed_container: incoming.flag("failedContainer"),
                skip: incoming.flag("skip"),
            },
            via: Via::Api,
        };
        let accepted = self.retry(&ask, now)?;
        if self.settings.old_server {
            return Ok(json!({"id": route.build}));
        }
        Ok(json!({
            "id": route.build, "executeCount": accepted.execute_count, "projectId": route.project,
            "pipelineId": route.pipeline, "num": accepted.number,
        }))
    }
}
