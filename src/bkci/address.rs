//! Where calls go. What comes from a person or from BK-CI can never change the shape of an address: every part is
//! percent-encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::BuildRef;
use crate::model::ids::ProjectId;
use crate::model::scope::Scope;

/// Everything but RFC 3986's unreserved characters. A part that is only dots cannot arise from our id types.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How the application's credentials are sent (bkci-api 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// `app_code` and `app_secret` in the query, as the seed document has it.
    Query,
    /// JSON in `X-Bkapi-Authorization`.
    Header,
}

/// A call, with what its address is made of.
#[derive(Debug)]
pub(super) enum Endpoint<'a> {
    /// bkci-api 7.2
    Detail(&'a BuildRef),
    /// bkci-api 6.1
    Retry(&'a BuildRef, &'a Scope),
    /// bkci-api 10
    Project(&'a ProjectId),
    /// bkci-api 10
    Projects,
}

impl Endpoint<'_> {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Detail(_) => "detail",
            Self::Retry(..) => "retry",
            Self::Project(_) => "project",
            Self::Projects => "projects",
        }
    }
}

fn part(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, PART)
}

/// The address of a call in the v3 family (bkci-api 1).
pub(super) fn url(base: &str, endpoint: &Endpoint<'_>) -> String {
    let projects = format!("{base}/apigw-app/v3/projects");
    match endpoint {
        Endpoint::Detail(build) => format!("{projects}/{}/detail", build_path(build)),
        Endpoint::Retry(build, scope) => format!("{projects}/{}/retry{}", build_path(build), retry_query(scope)),
        Endpoint::Project(project) => format!("{projects}/{}", part(project.as_str())),
        Endpoint::Projects => format!("{projects}/"),
    }
}

fn build_path(BuildRef { project, pipeline, build }: &BuildRef) -> String {
    format!("{}/pipelines/{}/builds/{}", part(project.as_str()), part(pipeline.as_str()), part(build.as_str()))
}

/// `skip` never goes without `taskId`: BK-CI would ignore it and re-run everything (bkci-api 6.2, trap 2).
fn retry_query(scope: &Scope) -> String {
    match (scope.task_id(), scope.skips()) {
        (Some(id), true) => format!("?taskId={}&skip=true", part(id)),
        (Some(id), false) => format!("?taskId={}", part(id)),
        (None, _) => String::new(),
    }
}

/// A page of BK-CI's own web site (bkci-api 13).
pub(super) fn page(web_url: &str, BuildRef { project, pipeline, build }: &BuildRef, attempt: Option<u32>) -> String {
    let host = web_url.trim_end_matches('/');
    let (project, pipeline, build) = (part(project.as_str()), part(pipeline.as_str()), part(build.as_str()));
    let page = format!("{host}/console/pipeline/{project}/{pipeline}/detail/{build}");
    match attempt {
        Some(attempt) => format!("{page}/executeDetail/{attempt}"),
        None => page,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scope::TaskScope;

    fn build() -> BuildRef {
        BuildRef {
            project: "git_7".parse().expect("a project"),
            pipeline: "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a".parse().expect("a pipeline"),
            build: "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e".parse().expect("a build"),
        }
    }

    fn task(id: &str) -> TaskScope {
        TaskScope { id: id.into(), name: "n".into(), job: "j".into(), stage: "s".into() }
    }

    #[test]
    fn a_retry_goes_where_the_seed_document_says() {
        let path = "http://h/api/apigw-app/v3/projects/git_7/pipelines/p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a\
                    /builds/b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e/retry";
        let url = |scope: &Scope| url("http://h/api", &Endpoint::Retry(&build(), scope));
        assert_eq!(url(&Scope::WholeBuild), path);
        assert_eq!(url(&Scope::Task(task("e-1"))), format!("{path}?taskId=e-1"));
        assert_eq!(url(&Scope::SkipTask(task("e-1"))), format!("{path}?taskId=e-1&skip=true"));
        assert_eq!(url(&Scope::Task(task("a&skip=true#/ü"))), format!("{path}?taskId=a%26skip%3Dtrue%23%2F%C3%BC"));
    }

    #[test]
    fn a_page_is_that_of_the_build_or_of_one_attempt() {
        let base = "https://ci.example.com/console/pipeline/git_7/p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a/detail/b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";
        assert_eq!(page("https://ci.example.com/", &build(), None), base);
        assert_eq!(page("https://ci.example.com", &build(), Some(2)), format!("{base}/executeDetail/2"));
    }
}
