//! Where BK-CI's calls go, and how the application shows who it is (bkci-api 1 and 2.1).
//!
//! Promises that no id can change the path or add a parameter: every segment and every value is percent-encoded here.
//! A finished address may hold the application's secret or a callback's, so nothing in here is ever printed.

use std::borrow::Cow;

use anyhow::{Context, bail, ensure};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::endpoint::{Endpoint, NOWHERE};
use super::hooks::{EVENTS, Hook, REGION};
use super::lists::{Excerpt, PAGE};
use super::log::{Tail, TaskLog};
use crate::model::BuildRef;
use crate::model::ids::{PipelineId, ProjectId};
use crate::model::scope::Scope;

/// Everything but RFC 3986's unreserved characters: a value made of the rest means the same in any part of an address.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How the application proves itself. Never both: where the header is there, the gateway ignores the query
/// (bkci-api 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// `app_code` and `app_secret` as query parameters, as the seed describes it.
    Query,
    /// `X-Bkapi-Authorization`, a JSON object.
    Header,
}

/// The form of the addresses (bkci-api 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Ids in the path: `/apigw-app/v3/projects/…`.
    V3,
    /// Through the gateway, ids in the query: `/v4/apigw-app/projects/…`.
    V4,
    /// What the gateway forwards to: `/apigw-app/v4/projects/…`.
    V4Backend,
}

/// The addresses of one installation.
pub(super) struct Addresses {
    base: Url,
    family: Family,
}

impl Addresses {
    /// # Errors
    /// When `base_url` is not an address that paths can be put behind. The text does not repeat it.
    pub(super) fn new(base_url: &str, family: Family) -> anyhow::Result<Self> {
        let base = http_address(base_url).context("bkci.base_url")?;
        Ok(Self { base, family })
    }

    pub(super) fn family(&self) -> Family {
        self.family
    }

    /// Scheme and host, for logs and `Debug`.
    pub(super) fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// The whole address, with `credentials` (already chosen to go into the query) appended.
    pub(super) fn of(&self, endpoint: Endpoint<'_>, credentials: &[(&str, &str)]) -> Url {
        let (path, parameters) = match self.family {
            Family::V3 => v3(endpoint),
            Family::V4 => v4(endpoint, false),
            Family::V4Backend => v4(endpoint, true),
        };
        let mut query = String::new();
        let parameters = parameters.iter().map(|(name, value)| (*name, value.as_ref()));
        for (name, value) in parameters.chain(credentials.iter().copied()) {
            let mark = if query.is_empty() { "" } else { "&" };
            query.extend([mark, name, "="]);
            query.extend(utf8_percent_encode(value, RESERVED));
        }
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
        url
    }
}

type Parameters<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// bkci-api 1, family "seed / v3"; retry as the seed document says.
fn v3(endpoint: Endpoint<'_>) -> (String, Parameters<'_>) {
    let of_project = |project: &str, rest: &[&str]| path(&[&["apigw-app", "v3", "projects", project], rest].concat());
    let of_build = |[project, pipeline, build]: [&str; 3], last| {
        of_project(project, &["pipelines", pipeline, "builds", build, last])
    };
    let of_log = |[project, pipeline, build]: [&str; 3], last| {
        of_project(project, &["pipelines", pipeline, "builds", build, "logs", last])
    };
    match endpoint {
        Endpoint::Detail(build) => (of_build(ids(build), "detail"), Vec::new()),
        Endpoint::Retry(build, scope) => (of_build(ids(build), "retry"), retry_parameters(scope)),
        Endpoint::Stop(build) => (of_build(ids(build), "stop"), Vec::new()),
        Endpoint::LastLine(build) => (of_log(ids(build), "last_line_num"), Vec::new()),
        Endpoint::Log(log, tail) => (of_log(ids(log.build), "more"), log_parameters(log, tail)),
        Endpoint::Builds { project, pipeline, excerpt } => {
            let history = ["pipelines", pipeline.as_str(), "builds", "history"];
            (of_project(project.as_str(), &history), excerpt_parameters(excerpt))
        }
        // This one ends with a slash, and has no pages.
        Endpoint::Projects { page: _ } => (path(&["apigw-app", "v3", "projects", ""]), Vec::new()),
        Endpoint::Pipelines { project, named: _, page } => {
            (of_project(project.as_str(), &["pipelines"]), paging(page, PAGE))
        }
        Endpoint::Project(project) => (of_project(project.as_str(), &[]), Vec::new()),
        Endpoint::Probe => (of_build(NOWHERE, "detail"), Vec::new()),
        Endpoint::HookProject(hook) => {
            (of_project(hook.project.as_str(), &["callbacks", "batch"]), hook_parameters(hook))
        }
        // This one ends with a slash too.
        Endpoint::Hooks { project, page } => (of_project(project.as_str(), &["callbacks", ""]), paging(page, PAGE)),
        Endpoint::UnhookProject { project, id } => {
            (of_project(project.as_str(), &["callbacks", &id.to_string()]), Vec::new())
        }
        // What v3 does not have is never asked of it; where v4 is reached without a gateway, it stands beside v3.
        Endpoint::Batch { .. } | Endpoint::HookPipeline(..) | Endpoint::UnhookPipeline { .. } => v4(endpoint, true),
    }
}

/// bkci-api 1, the two families of v4 (6.1, 7.2, 10): they differ in their first two segments and, irregularly, in where
/// a project is.
fn v4(endpoint: Endpoint<'_>, backend: bool) -> (String, Parameters<'_>) {
    let front = if backend { ["apigw-app", "v4"] } else { ["v4", "apigw-app"] };
    let projects = |rest: &[&str]| path(&[&front, ["projects"].as_slice(), rest].concat());
    let of_build = |build: &BuildRef, call| projects(&[build.project.as_str(), call]);
    let of_log = |build: &BuildRef, call| projects(&[build.project.as_str(), "logs", call]);
    let of_hook = |project: &ProjectId, pipeline: &PipelineId| {
        projects(&[project.as_str(), "callbacks", "pipelines", pipeline.as_str()])
    };
    match endpoint {
        Endpoint::Detail(build) => (of_build(build, "build_detail"), pairing(ids(build))),
        Endpoint::Retry(build, scope) => {
            let parameters = pairing(ids(build)).into_iter().chain(retry_parameters(scope)).collect();
            (of_build(build, "build_retry"), parameters)
        }
        Endpoint::Stop(build) => (of_build(build, "build_stop"), pairing(ids(build))),
        Endpoint::LastLine(build) => (of_log(build, "last_line_num"), pairing(ids(build))),
        Endpoint::Log(log, tail) => {
            let parameters = pairing(ids(log.build)).into_iter().chain(log_parameters(log, tail)).collect();
            (of_log(log.build, "more_logs"), parameters)
        }
        Endpoint::Builds { project, pipeline, excerpt } => {
            let number = excerpt.number.map(|number| Cow::from(number.to_string()));
            let only = number.map(|number| [("buildNoStart", number.clone()), ("buildNoEnd", number)]);
            let parameters = std::iter::once(("pipelineId", pipeline.as_str().into()))
                .chain(excerpt_parameters(excerpt))
                .chain(only.into_iter().flatten());
            (projects(&[project.as_str(), "build_histories"]), parameters.collect())
        }
        Endpoint::Batch { project, pipeline, builds: _ } => {
            let parameters = vec![("pipelineId", pipeline.as_str().into())];
            (projects(&[project.as_str(), "batch_get_build_status"]), parameters)
        }
        Endpoint::HookProject(hook) => {
            (projects(&[hook.project.as_str(), "callbacks", "batch"]), hook_parameters(hook))
        }
        Endpoint::Hooks { project, page } => {
            (projects(&[project.as_str(), "callbacks", "callback_list"]), paging(page, PAGE))
        }
        Endpoint::UnhookProject { project, id } => {
            (projects(&[project.as_str(), "callbacks", "callback"]), vec![("id", id.to_string().into())])
        }
        Endpoint::HookPipeline(pipeline, hook) => (of_hook(hook.project, pipeline), Vec::new()),
        Endpoint::UnhookPipeline { project, pipeline, name } => {
            (of_hook(project, pipeline), vec![("callbackName", name.into())])
        }
        Endpoint::Projects { page } => {
            let list: &[&str] = if backend { &["project", "project_list"] } else { &["project_list"] };
            (projects(list), paging(page, PAGE))
        }
        Endpoint::Pipelines { project, named, page } => {
            let named = named.filter(|named| !named.is_empty()).map(|named| ("filterByPipelineName", named.into()));
            let parameters = paging(page, PAGE).into_iter().chain(named).collect();
            (projects(&[project.as_str(), "pipelines", "pipeline_list"]), parameters)
        }
        Endpoint::Project(project) if backend => (projects(&["project", project.as_str()]), Vec::new()),
        Endpoint::Project(project) => (projects(&[project.as_str()]), Vec::new()),
        Endpoint::Probe => (projects(&[NOWHERE[0], "build_detail"]), pairing(NOWHERE)),
    }
}

/// v4 checks that the two belong together before anything else (bkci-api 3.3, 6.3 #0b), so both always go.
fn pairing([_, pipeline, build]: [&str; 3]) -> Parameters<'_> {
    vec![("pipelineId", pipeline.into()), ("buildId", build.into())]
}

/// Both always go: their defaults differ from list to list (bkci-api 7.4, 10).
fn paging(page: u32, size: u32) -> Parameters<'static> {
    vec![("page", page.to_string().into()), ("pageSize", size.to_string().into())]
}

/// Both families order by update time (bkci-api 7.4).
fn excerpt_parameters(excerpt: Excerpt) -> Parameters<'static> {
    let latest_first = excerpt.by_update.then_some(("updateTimeDesc", "true".into()));
    paging(excerpt.page, excerpt.size).into_iter().chain(latest_first).collect()
}

/// All of them always: what is left out has a default that means another log, or its beginning (bkci-api 3.3, 9).
fn log_parameters<'a>(log: TaskLog<'a>, tail: Tail) -> Parameters<'a> {
    vec![
        ("start", "0".into()),
        ("end", tail.end.to_string().into()),
        ("num", tail.lines.to_string().into()),
        ("fromStart", "false".into()),
        ("tag", log.task.into()),
        ("executeCount", log.attempt.to_string().into()),
    ]
}

/// All in the address, the token too (bkci-api 11.1).
fn hook_parameters(hook: Hook<'_>) -> Parameters<'_> {
    let events: Vec<&str> = EVENTS.iter().map(|(event, _)| *event).collect();
    vec![
        ("url", hook.url.into()),
        ("region", REGION.into()),
        ("event", events.join(",").into()),
        ("secretToken", hook.token.expose_secret().into()),
    ]
}

fn ids(build: &BuildRef) -> [&str; 3] {
    [build.project.as_str(), build.pipeline.as_str(), build.build.as_str()]
}

/// `skip` and `failedContainer` without `taskId` would re-run the whole build (bkci-api 6.2, traps 1 and 2), so they
/// never go without it.
fn retry_parameters(scope: &Scope) -> Parameters<'_> {
    let Some(task_id) = scope.task_id() else { return Vec::new() };
    let failed = scope.only_failed_jobs().then_some(("failedContainer", "true".into()));
    let skip = scope.skips().then_some(("skip", "true".into()));
    std::iter::once(("taskId", task_id.into())).chain(failed).chain(skip).collect()
}

/// The build's page on the web (bkci-api 13), or the page of one execution of it.
pub(super) fn build_page(web: &Url, build: &BuildRef, attempt: Option<u32>) -> String {
    let [project, pipeline, id] = ids(build);
    let attempt = attempt.map(|attempt| attempt.to_string());
    let mut segments = vec!["console", "pipeline", project, pipeline, "detail", id];
    if let Some(attempt) = &attempt {
        segments.extend(["executeDetail", attempt.as_str()]);
    }
    let mut page = web.clone();
    page.set_path(&format!("{}{}", web.path().trim_end_matches('/'), path(&segments)));
    page.into()
}

/// `bkci.web_url`: an address, or just a host.
///
/// # Errors
/// When it is neither.
pub(super) fn web_address(web_url: &str) -> anyhow::Result<Url> {
    let web_url = web_url.trim();
    let address = if web_url.contains("://") { web_url.to_owned() } else { format!("https://{web_url}") };
    http_address(&address).context("bkci.web_url")
}

fn http_address(text: &str) -> anyhow::Result<Url> {
    let Ok(url) = Url::parse(text.trim()) else {
        bail!("expected an address like https://bkapi.example.com/api/x/prod")
    };
    ensure!(matches!(url.scheme(), "http" | "https"), "expected an address that starts with https:// or http://");
    ensure!(url.username().is_empty() && url.password().is_none(), "expected no user name or password in the address");
    ensure!(url.query().is_none() && url.fragment().is_none(), "expected an address without `?` and `#`");
    Ok(url)
}

fn path(segments: &[&str]) -> String {
    segments.iter().flat_map(|text| ["/".to_owned(), segment(text)]).collect()
}

/// One path segment. `.` and `..` cannot be written as a segment, not even encoded (WHATWG URL, "double-dot URL path
/// segment"): they become a name that nobody has.
fn segment(text: &str) -> String {
    match text {
        "." | ".." => text.replace('.', "%252E"),
        text => utf8_percent_encode(text, RESERVED).to_string(),
    }
}

/// The application at BK-CI's gateway.
pub(super) struct Application {
    pub(super) code: String,
    secret: SecretString,
    credentials: Credentials,
    code_header: HeaderValue,
    authorization: Option<HeaderValue>,
}

impl Application {
    /// # Errors
    /// When code or secret cannot be written into a header. The text holds neither.
    pub(super) fn new(code: String, secret: SecretString, credentials: Credentials) -> anyhow::Result<Self> {
        let code_header = ascii(&code).context("bkci.app_code: expected plain ASCII")?;
        let authorization = match credentials {
            Credentials::Query => None,
            Credentials::Header => Some(authorization(&code, &secret)?),
        };
        Ok(Self { code, secret, credentials, code_header, authorization })
    }

    /// `X-DEVOPS-APP-CODE`.
    pub(super) fn code_header(&self) -> HeaderValue {
        self.code_header.clone()
    }

    /// `X-Bkapi-Authorization`, marked sensitive, when the credentials go there.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        self.authorization.clone()
    }

    /// The query parameters, when the credentials go there.
    pub(super) fn parameters(&self) -> Vec<(&str, &str)> {
        match self.credentials {
            Credentials::Query => vec![("app_code", &self.code), ("app_secret", self.secret.expose_secret())],
            Credentials::Header => Vec::new(),
        }
    }

    /// The text without the secret, should somebody have sent it back to us.
    pub(super) fn scrub(&self, text: &str) -> String {
        scrub(text, &self.secret)
    }
}

/// The text without that secret in any of the forms in which it is sent.
pub(super) fn scrub(text: &str, secret: &SecretString) -> String {
    let secret = secret.expose_secret();
    if secret.is_empty() {
        return text.to_owned();
    }
    let encoded = utf8_percent_encode(secret, RESERVED).to_string();
    let json = serde_json::Value::from(secret).to_string();
    let escaped = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(&json);
    [secret, &encoded, escaped].into_iter().fold(text.to_owned(), |text, form| text.replace(form, "[REDACTED]"))
}

/// What lies beyond ASCII has no agreed meaning in a header.
fn ascii(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok().filter(|_| text.is_ascii())
}

/// bkci-api 2.1: JSON text; the `bk_` spellings are looked at first.
fn authorization(code: &str, secret: &SecretString) -> anyhow::Result<HeaderValue> {
    let json = serde_json::json!({ "bk_app_code": code, "bk_app_secret": secret.expose_secret() }).to_string();
    let mut value = ascii(&json).context("bkci.app_secret: expected plain ASCII")?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
