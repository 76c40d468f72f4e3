//! Where BK-CI's calls go, and how the application shows who it is (bkci-api 1 and 2.1).
//!
//! Promises that no id can change the path or add a parameter: every segment and every value is percent-encoded here.
//! A finished address may hold the application's secret, so nothing in here is ever printed.

use std::borrow::Cow;

use anyhow::{Context, bail, ensure};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};

use super::lists::{Excerpt, PAGE};
use crate::model::BuildRef;
use crate::model::ids::{PipelineId, ProjectId};
use crate::model::scope::Scope;

/// Everything but RFC 3986's unreserved characters: a value made of the rest means the same in any part of an address.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A project, pipeline and build that no installation has: `reach` asks for them as nobody.
const NOWHERE: [&str; 3] =
    ["reprise-check", "p-00000000000000000000000000000000", "b-00000000000000000000000000000000"];

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

/// One call that the client makes.
#[derive(Clone, Copy)]
pub(super) enum Endpoint<'a> {
    /// bkci-api 7.2
    Detail(&'a BuildRef),
    /// bkci-api 6.1
    Retry(&'a BuildRef, &'a Scope),
    /// bkci-api 7.4
    Builds { project: &'a ProjectId, pipeline: &'a PipelineId, excerpt: Excerpt },
    /// bkci-api 10, "project list"
    Projects { page: u32 },
    /// bkci-api 10, "pipeline list"
    Pipelines { project: &'a ProjectId, named: Option<&'a str>, page: u32 },
    /// bkci-api 10, "project get"
    Project(&'a ProjectId),
    /// A detail that cannot exist.
    Probe,
}

impl<'a> Endpoint<'a> {
    /// For logs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Detail(_) => "detail",
            Self::Retry(..) => "retry",
            Self::Builds { .. } => "builds",
            Self::Projects { .. } => "projects",
            Self::Pipelines { .. } => "pipelines",
            Self::Project(_) => "project",
            Self::Probe => "probe",
        }
    }

    /// Whether it is more than a look: then it is never taken for undone because its answer is.
    pub(super) fn changes_something(self) -> bool {
        match self {
            Self::Retry(..) => true,
            Self::Detail(_) | Self::Builds { .. } | Self::Projects { .. } | Self::Pipelines { .. } => false,
            Self::Project(_) | Self::Probe => false,
        }
    }

    pub(super) fn method(self) -> Method {
        if self.changes_something() { Method::POST } else { Method::GET }
    }

    /// What it is about, for logs.
    pub(super) fn build(self) -> Option<&'a BuildRef> {
        match self {
            Self::Detail(build) | Self::Retry(build, _) => Some(build),
            Self::Builds { .. } | Self::Projects { .. } | Self::Pipelines { .. } => None,
            Self::Project(_) | Self::Probe => None,
        }
    }

    pub(super) fn project(self) -> &'a str {
        match self {
            Self::Detail(build) | Self::Retry(build, _) => build.project.as_str(),
            Self::Builds { project, .. } | Self::Pipelines { project, .. } => project.as_str(),
            Self::Project(project) => project.as_str(),
            Self::Projects { .. } => "",
            Self::Probe => NOWHERE[0],
        }
    }
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
    let of_build = |[project, pipeline, build]: [&str; 3], last| {
        path(&["apigw-app", "v3", "projects", project, "pipelines", pipeline, "builds", build, last])
    };
    match endpoint {
        Endpoint::Detail(build) => (of_build(ids(build), "detail"), Vec::new()),
        Endpoint::Retry(build, scope) => (of_build(ids(build), "retry"), retry_parameters(scope)),
        Endpoint::Builds { project, pipeline, excerpt } => {
            let [project, pipeline] = [project.as_str(), pipeline.as_str()];
            let history = ["apigw-app", "v3", "projects", project, "pipelines", pipeline, "builds", "history"];
            (path(&history), paging(excerpt.page, excerpt.size))
        }
        // This one ends with a slash, and has no pages.
        Endpoint::Projects { page: _ } => (path(&["apigw-app", "v3", "projects", ""]), Vec::new()),
        Endpoint::Pipelines { project, named: _, page } => {
            (path(&["apigw-app", "v3", "projects", project.as_str(), "pipelines"]), paging(page, PAGE))
        }
        Endpoint::Project(project) => (path(&["apigw-app", "v3", "projects", project.as_str()]), Vec::new()),
        Endpoint::Probe => (of_build(NOWHERE, "detail"), Vec::new()),
    }
}

/// bkci-api 1, the two families of v4 (6.1, 7.2, 10): they differ in their first two segments and, irregularly, in where
/// a project is.
fn v4(endpoint: Endpoint<'_>, backend: bool) -> (String, Parameters<'_>) {
    let front = if backend { ["apigw-app", "v4"] } else { ["v4", "apigw-app"] };
    let projects = |rest: &[&str]| path(&[&front, ["projects"].as_slice(), rest].concat());
    match endpoint {
        Endpoint::Detail(build) => (projects(&[build.project.as_str(), "build_detail"]), pairing(ids(build))),
        Endpoint::Retry(build, scope) => {
            let parameters = pairing(ids(build)).into_iter().chain(retry_parameters(scope)).collect();
            (projects(&[build.project.as_str(), "build_retry"]), parameters)
        }
        Endpoint::Builds { project, pipeline, excerpt } => {
            let number = excerpt.number.map(|number| Cow::from(number.to_string()));
            let only = number.map(|number| [("buildNoStart", number.clone()), ("buildNoEnd", number)]);
            let parameters = std::iter::once(("pipelineId", pipeline.as_str().into()))
                .chain(paging(excerpt.page, excerpt.size))
                .chain(only.into_iter().flatten());
            (projects(&[project.as_str(), "build_histories"]), parameters.collect())
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
        let secret = self.secret.expose_secret();
        if secret.is_empty() {
            return text.to_owned();
        }
        let encoded = utf8_percent_encode(secret, RESERVED).to_string();
        let json = serde_json::Value::from(secret).to_string();
        let escaped = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(&json);
        [secret, &encoded, escaped].into_iter().fold(text.to_owned(), |text, form| text.replace(form, "[REDACTED]"))
    }
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
mod tests {
    use super::*;
    use crate::model::scope::{JobScope, TaskScope};

    fn build() -> BuildRef {
        BuildRef {
            project: "gamecore".parse().expect("a project"),
            pipeline: "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a".parse().expect("a pipeline"),
            build: "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e".parse().expect("a build"),
        }
    }

    fn addresses(base: &str) -> Addresses {
        Addresses::new(base, Family::V3).expect("a good address")
    }

    const FAMILIES: [Family; 3] = [Family::V3, Family::V4, Family::V4Backend];

    fn task(id: &str) -> TaskScope {
        TaskScope { id: id.into(), name: "Unit tests".into(), job: "linux".into(), stage: "Build".into() }
    }

    const BUILD: &str = "https://bkapi.example.com/api/devops/prod/apigw-app/v3/projects/gamecore/pipelines/p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a/builds/b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";

    #[test]
    fn the_seed_s_address_is_built_behind_the_base() {
        for base in ["https://bkapi.example.com/api/devops/prod", " https://bkapi.example.com/api/devops/prod/ "] {
            let addresses = addresses(base);
            let build = build();
            let of = |endpoint: Endpoint<'_>| String::from(addresses.of(endpoint, &[]));
            assert_eq!(of(Endpoint::Detail(&build)), format!("{BUILD}/detail"));
            assert_eq!(of(Endpoint::Retry(&build, &Scope::WholeBuild)), format!("{BUILD}/retry"));
            let project = "https://bkapi.example.com/api/devops/prod/apigw-app/v3/projects/gamecore";
            assert_eq!(of(Endpoint::Project(&build.project)), project);
        }
        let bare = addresses("http://127.0.0.1:8080").of(Endpoint::Detail(&build()), &[]);
        assert!(bare.as_str().starts_with("http://127.0.0.1:8080/apigw-app/v3/projects/gamecore/"), "{bare}");
    }

    /// bkci-api 1, 6.1, 7.2 and 10, row by row.
    #[test]
    fn each_family_has_its_own_address_for_each_call() {
        let (build, whole) = (build(), Scope::WholeBuild);
        let skip = Scope::SkipTask(task("e-1"));
        let of_build = "pipelineId=p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a&buildId=b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";
        let in_path = "pipelines/p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a/builds/b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";
        let nowhere = "p-00000000000000000000000000000000";
        let none = "b-00000000000000000000000000000000";
        let project = Endpoint::Project(&build.project);
        let excerpt = |number| Excerpt { number, page: 2, size: 50 };
        let builds = |number| {
            let (project, pipeline) = (&build.project, &build.pipeline);
            Endpoint::Builds { project, pipeline, excerpt: excerpt(number) }
        };
        let of_pipeline = "pipelineId=p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a";
        let history = "apigw-app/v3/projects/gamecore/pipelines/p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a/builds/history";
        let pipelines = |named| Endpoint::Pipelines { project: &build.project, named, page: 3 };
        let table = [
            (
                Endpoint::Projects { page: 2 },
                "/apigw-app/v3/projects/".to_owned(),
                "/v4/apigw-app/projects/project_list?page=2&pageSize=100".to_owned(),
                "/apigw-app/v4/projects/project/project_list?page=2&pageSize=100".to_owned(),
            ),
            (
                pipelines(None),
                "/apigw-app/v3/projects/gamecore/pipelines?page=3&pageSize=100".to_owned(),
                "/v4/apigw-app/projects/gamecore/pipelines/pipeline_list?page=3&pageSize=100".to_owned(),
                "/apigw-app/v4/projects/gamecore/pipelines/pipeline_list?page=3&pageSize=100".to_owned(),
            ),
            (
                pipelines(Some("a&b c")),
                "/apigw-app/v3/projects/gamecore/pipelines?page=3&pageSize=100".to_owned(),
                "/v4/apigw-app/projects/gamecore/pipelines/pipeline_list?page=3&pageSize=100&filterByPipelineName=a%26b%20c".to_owned(),
                "/apigw-app/v4/projects/gamecore/pipelines/pipeline_list?page=3&pageSize=100&filterByPipelineName=a%26b%20c".to_owned(),
            ),
            (
                builds(None),
                format!("/{history}?page=2&pageSize=50"),
                format!("/v4/apigw-app/projects/gamecore/build_histories?{of_pipeline}&page=2&pageSize=50"),
                format!("/apigw-app/v4/projects/gamecore/build_histories?{of_pipeline}&page=2&pageSize=50"),
            ),
            (
                builds(Some(128)),
                format!("/{history}?page=2&pageSize=50"),
                format!("/v4/apigw-app/projects/gamecore/build_histories?{of_pipeline}&page=2&pageSize=50&buildNoStart=128&buildNoEnd=128"),
                format!("/apigw-app/v4/projects/gamecore/build_histories?{of_pipeline}&page=2&pageSize=50&buildNoStart=128&buildNoEnd=128"),
            ),
            (
                Endpoint::Retry(&build, &whole),
                format!("/apigw-app/v3/projects/gamecore/{in_path}/retry"),
                format!("/v4/apigw-app/projects/gamecore/build_retry?{of_build}"),
                format!("/apigw-app/v4/projects/gamecore/build_retry?{of_build}"),
            ),
            (
                Endpoint::Retry(&build, &skip),
                format!("/apigw-app/v3/projects/gamecore/{in_path}/retry?taskId=e-1&skip=true"),
                format!("/v4/apigw-app/projects/gamecore/build_retry?{of_build}&taskId=e-1&skip=true"),
                format!("/apigw-app/v4/projects/gamecore/build_retry?{of_build}&taskId=e-1&skip=true"),
            ),
            (
                Endpoint::Detail(&build),
                format!("/apigw-app/v3/projects/gamecore/{in_path}/detail"),
                format!("/v4/apigw-app/projects/gamecore/build_detail?{of_build}"),
                format!("/apigw-app/v4/projects/gamecore/build_detail?{of_build}"),
            ),
            (
                project,
                "/apigw-app/v3/projects/gamecore".to_owned(),
                "/v4/apigw-app/projects/gamecore".to_owned(),
                "/apigw-app/v4/projects/project/gamecore".to_owned(),
            ),
            (
                Endpoint::Probe,
                format!("/apigw-app/v3/projects/reprise-check/pipelines/{nowhere}/builds/{none}/detail"),
                format!("/v4/apigw-app/projects/reprise-check/build_detail?pipelineId={nowhere}&buildId={none}"),
                format!("/apigw-app/v4/projects/reprise-check/build_detail?pipelineId={nowhere}&buildId={none}"),
            ),
        ];
        for (endpoint, v3, v4, v4_backend) in table {
            let bases = ["https://h/api/devops/prod", "https://h/api/devops/prod/", "https://h/openapi/api"];
            for ((family, base), expected) in FAMILIES.into_iter().zip(bases).zip([v3, v4, v4_backend]) {
                let addresses = Addresses::new(base, family).expect("a good address");
                let base = base.trim_end_matches('/');
                assert_eq!(addresses.of(endpoint, &[]).as_str(), format!("{base}{expected}"), "{family:?}");
            }
        }
    }

    #[test]
    fn skip_and_failed_container_never_go_without_what_they_belong_to() {
        let stage = || ("stage-2".to_owned(), "Build".to_owned());
        let (id, name) = stage();
        let job = || JobScope { id: "2".into(), name: "linux".into(), stage: "Build".into() };
        let (jobs, others) = (vec!["linux".into()], Vec::new());
        let failed_jobs = Scope::FailedJobs { id: stage().0, name: stage().1, jobs, others };
        let failed_children = Scope::FailedChildren { matrix: job(), children: vec!["linux (a)".into()] };
        let cases = [
            (Scope::WholeBuild, None),
            (Scope::Stage { id, name }, Some("taskId=stage-2")),
            (
                Scope::SkipInStage { id: stage().0, name: stage().1, tasks: vec!["Unit tests".into()] },
                Some("taskId=stage-2&skip=true"),
            ),
            (failed_jobs, Some("taskId=stage-2&failedContainer=true")),
            (Scope::Job(job()), Some("taskId=2")),
            (Scope::Matrix(job()), Some("taskId=2")),
            (Scope::Child(job()), Some("taskId=2")),
            (failed_children, Some("taskId=2&failedContainer=true")),
            (Scope::Task(task("e-1")), Some("taskId=e-1")),
            (Scope::SkipTask(task("e-1")), Some("taskId=e-1&skip=true")),
        ];
        for (scope, query) in cases {
            let url = addresses("https://h").of(Endpoint::Retry(&build(), &scope), &[]);
            assert_eq!(url.query(), query, "{scope:?}");
        }
    }

    #[test]
    fn a_hostile_value_stays_one_value() {
        for hostile in ["e-1&skip=true", "a b+c", "#x", "../../x", "%2e%2e", "ü=?;", "a\r\nX: y"] {
            let scope = Scope::Task(task(hostile));
            for (family, named) in FAMILIES.into_iter().zip([0, 2, 2]) {
                let addresses = Addresses::new("https://h", family).expect("a good address");
                let url = addresses.of(Endpoint::Retry(&build(), &scope), &[("app_code", "a&b")]);
                let pairs: Vec<_> =
                    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
                let expected = [("taskId".to_owned(), hostile.to_owned()), ("app_code".to_owned(), "a&b".to_owned())];
                assert_eq!(pairs[named..], expected, "{url}");
                assert!(url.path().ends_with("retry") && url.fragment().is_none(), "{url}");
            }
        }
    }

    #[test]
    fn a_hostile_segment_stays_one_segment() {
        for hostile in [".", "..", "../..", "a/b", "a\\b", "%2e%2e", "%2F", "?x", "#x", "a;b", "", "a b", "项目", "\n"]
        {
            let mut url = Url::parse("https://h/base").expect("an address");
            url.set_path(&format!("/base{}", path(&["projects", hostile, "end"])));
            let segments: Vec<_> = url.path_segments().expect("segments").collect();
            assert_eq!(segments.len(), 4, "{hostile:?} became {url}");
            assert_eq!((segments[0], segments[1], segments[3]), ("base", "projects", "end"), "{url}");
            assert!(url.query().is_none() && url.fragment().is_none(), "{url}");
        }
    }

    #[test]
    fn an_address_that_cannot_be_right_is_refused_without_repeating_it() {
        for bad in
            ["", "bkapi.example.com/api", "ftp://h", "https://me:s3cret@h/", "https://h/?a=s3cret", "https://h/#x"]
        {
            let fault = format!("{:#}", Addresses::new(bad, Family::V3).err().expect(bad));
            assert!(fault.starts_with("bkci.base_url: expected"), "{fault}");
            assert!(!fault.contains("s3cret"), "{fault}");
        }
    }

    #[test]
    fn a_build_s_page_is_under_the_web_address() {
        let page = |web: &str, attempt| build_page(&web_address(web).expect("a good address"), &build(), attempt);
        let expected = "https://devops.example.com/console/pipeline/gamecore/p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a/detail/b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";
        for web in ["https://devops.example.com", "https://devops.example.com/", "devops.example.com"] {
            assert_eq!(page(web, None), expected);
            assert_eq!(page(web, Some(2)), format!("{expected}/executeDetail/2"));
        }
        assert!(web_address("https://").is_err() && web_address("a b").is_err());
    }

    #[test]
    fn credentials_go_one_way_only() {
        let application = |credentials| {
            Application::new("chat\"ops".into(), "p&ss \"wörd".into(), credentials)
                .map_err(|fault| format!("{fault:#}"))
        };
        let query = application(Credentials::Query).expect("good");
        assert_eq!(query.parameters(), [("app_code", "chat\"ops"), ("app_secret", "p&ss \"wörd")]);
        assert!(query.authorization().is_none());
        let fault = application(Credentials::Header).err().expect("not ASCII");
        assert_eq!(fault, "bkci.app_secret: expected plain ASCII");

        let header = Application::new("chatops".into(), "s3\"cret".into(), Credentials::Header).expect("good");
        assert!(header.parameters().is_empty());
        let value = header.authorization().expect("a header");
        assert!(value.is_sensitive());
        assert_eq!(value.to_str().ok(), Some(r#"{"bk_app_code":"chatops","bk_app_secret":"s3\"cret"}"#));
    }

    #[test]
    fn a_secret_that_comes_back_is_removed_in_each_of_its_forms() {
        let application = Application::new("chatops".into(), "p\"&ss".into(), Credentials::Query).expect("good");
        let cases = [r#"a p"&ss b"#, "a p%22%26ss b", r#"a p\"&ss b"#];
        for text in cases {
            assert_eq!(application.scrub(text), "a [REDACTED] b", "{text}");
        }
    }
}
