//! BK-CI, as somebody: one function per call that the program makes.
//!
//! Promises:
//! - every call goes out at most once. Redirects, and the HTTP library's own repetitions, are off; what remains is that
//!   a pooled connection found closed *before* a byte was written is replaced by a fresh one;
//! - every call ends within [`Client::longest_call`], with a bounded part of the answer read;
//! - an error tells what the caller must do next ([`Error`]), and never holds the application's secret or a callback's.
//!
//! Must not decide anything: whether a retry may be sent, or sent again, is the caller's business. Must not be handed a
//! task id that was not found in the build's detail: BK-CI would re-run everything (bkci-api 6.2, trap 3).

mod address;
mod batch;
mod endpoint;
mod error;
mod hooks;
mod lists;
mod log;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, Url};
use secrecy::SecretString;
use tracing::{debug, field};

use self::address::{Addresses, Application};
pub use self::address::{Credentials, Family};
pub use self::batch::BATCH;
use self::endpoint::Endpoint;
pub use self::error::Error;
use self::error::{Answer, Head};
pub use self::hooks::Hook;
pub use self::lists::{BuildFound, BuildsOf, PAGES, Part, PipelineFound, PipelinesOf, Walk, Walked};
pub use self::log::{LOG_LINE_MAX, LOG_LINES, LogState, LogTail, TaskLog};
use crate::model::BuildRef;
use crate::model::build::Build;
use crate::model::ids::{ProjectId, Uid};
use crate::model::scope::Scope;

/// A build with hundreds of jobs is a few MB; nobody can make us hold more than this.
const LONGEST_READ: usize = 16 << 20;

/// What answers a change is a few hundred bytes.
const LONGEST_OF_CHANGE: usize = 64 << 10;

/// Shorter than any proxy keeps an unused connection (nginx: 60 s and 75 s), so that a retry is not written into one
/// that is just being closed: that would be an [`Error::Unanswered`] for nothing.
const IDLE: Duration = Duration::from_secs(15);

/// How to reach BK-CI.
pub struct Options {
    /// Everything before the family's own paths (contract 2).
    pub base_url: String,
    /// The form of the addresses.
    pub family: Family,
    /// The application.
    pub app_code: String,
    /// Its secret.
    pub app_secret: SecretString,
    /// Where the two are written.
    pub credentials: Credentials,
    /// Host of the web pages; without it there are no links.
    pub web_url: Option<String>,
    /// For name, connection and TLS.
    pub connect_timeout: Duration,
    /// For the answer to begin, and between any two parts of it.
    pub read_timeout: Duration,
}

/// BK-CI accepted a retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retried {
    /// The build id as BK-CI returned it.
    pub build_id: String,
    /// The attempt this is; in a running build the one it was.
    pub execute_count: Option<u32>,
    /// The build's number.
    pub number: Option<u32>,
}

/// A call that has ended, for whoever counts: no id, no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which call.
    pub endpoint: &'static str,
    /// `ok`, or which case of [`Error`].
    pub outcome: &'static str,
    /// From the request to the end of the answer.
    pub took: Duration,
}

/// Calls BK-CI. Clones share connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    observe: Arc<dyn Fn(Ended) + Send + Sync>,
}

struct Shared {
    http: reqwest::Client,
    addresses: Addresses,
    application: Application,
    web: Option<Url>,
    longest_call: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("origin", &self.shared.addresses.origin()).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When an option cannot be used; the text names its key and never its value.
    pub fn new(options: Options) -> anyhow::Result<Self> {
        let Options { base_url, family, app_code, app_secret, credentials, web_url, connect_timeout, read_timeout } =
            options;
        let web = web_url.filter(|url| !url.trim().is_empty()).map(|url| address::web_address(&url)).transpose()?;
        let http = reqwest::Client::builder()
            .user_agent(concat!("reprise/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connect_timeout)
            .read_timeout(read_timeout)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            // The default sends a request again when a peer says that it did not process it. We believe no one: the
            // rows decide whether a retry is sent again.
            .retry(reqwest::retry::never())
            // One request per connection, so that a broken connection is about exactly one call.
            .http1_only()
            // `HTTPS_PROXY` is usually there for Discord. It must not see BK-CI's credentials, and what it answers
            // when BK-CI is down would look like BK-CI's own answer: "not sent" would become "may have happened".
            .no_proxy()
            .build()
            .map_err(reqwest::Error::without_url)
            .context("preparing the HTTP client for BK-CI")?;
        let shared = Shared {
            http,
            addresses: Addresses::new(&base_url, family)?,
            application: Application::new(app_code, app_secret, credentials)?,
            web,
            longest_call: connect_timeout + 2 * read_timeout,
        };
        Ok(Self { shared: Arc::new(shared), observe: Arc::new(|_| {}) })
    }

    /// Tells `observe` of every call when it has ended.
    pub fn observed_by(self, observe: impl Fn(Ended) + Send + Sync + 'static) -> Self {
        Self { observe: Arc::new(observe), ..self }
    }

    /// No call takes longer than this, however slowly the answer drips. Leases must be longer.
    pub fn longest_call(&self) -> Duration {
        self.shared.longest_call
    }

    /// A build in its latest execution, as that user sees it (bkci-api 7.2). To which pipeline it belongs is what BK-CI
    /// says: compare it with the one that was named.
    ///
    /// # Errors
    /// Nothing was changed, whichever it is. [`Error::NotSent`] and [`Error::Unanswered`] may pass: read again later.
    pub async fn build_detail(&self, uid: &Uid, build: &BuildRef) -> Result<Build, Error> {
        let read = |answer: &Answer<'_>| {
            wire::build(answer.accepted()?, &build.build).map_err(|hint| error::unusable(answer.endpoint, hint))
        };
        self.ask(Endpoint::Detail(build), Some(uid), read).await
    }

    /// Retries `scope` of a build as that user (bkci-api 6.1). Never call this twice for one intention, unless the first
    /// call ended in [`Error::NotSent`].
    ///
    /// # Errors
    /// [`Error::NotSent`]: it may be sent again. [`Error::Unanswered`]: it may have happened, only a read can tell.
    /// [`Error::Rejected`] and [`Error::Misconfigured`]: nothing happened. Never [`Error::Unreadable`].
    pub async fn retry(&self, uid: &Uid, build: &BuildRef, scope: &Scope) -> Result<Retried, Error> {
        // BK-CI takes a blank id for none, and would re-run the whole build (bkci-api 6.2, trap 3).
        if scope.task_id().is_some_and(|id| id.trim().is_empty()) {
            return Err(Error::NotSent { hint: "the part of the build that was meant has no id".to_owned() });
        }
        let read = |answer: &Answer<'_>| {
            wire::retried(answer.accepted()?).map_err(|hint| error::unusable(answer.endpoint, hint))
        };
        self.ask(Endpoint::Retry(build, scope), Some(uid), read).await
    }

    /// Stops a build as that user (bkci-api 8). It ends later. Never call this twice for one intention, unless the first
    /// call ended in [`Error::NotSent`]: a second stop after 60 s breaks off what a build does to end in order.
    ///
    /// # Errors
    /// As [`Self::retry`].
    pub async fn stop(&self, uid: &Uid, build: &BuildRef) -> Result<(), Error> {
        let read =
            |answer: &Answer<'_>| wire::done(answer.accepted()?).map_err(|hint| error::unusable(answer.endpoint, hint));
        self.ask(Endpoint::Stop(build), Some(uid), read).await
    }

    /// Whether that user sees the project: then address, credentials and the project's authorisation are good.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn project(&self, uid: &Uid, project: &ProjectId) -> Result<(), Error> {
        let read = |answer: &Answer<'_>| {
            wire::project(answer.accepted()?).map_err(|hint| error::unusable(answer.endpoint, hint))
        };
        self.ask(Endpoint::Project(project), Some(uid), read).await
    }

    /// Whether BK-CI answers there and the gateway accepts the application. Asks, as a made-up user, for the detail of a
    /// build that cannot exist: BK-CI refuses that in one way or another, and that it is BK-CI who refuses is the proof.
    ///
    /// # Errors
    /// What answers instead, if anything.
    pub async fn reach(&self) -> Result<(), Error> {
        let nobody: Uid = "reprise-check".parse().expect("a well-formed UID");
        self.ask(Endpoint::Probe, Some(&nobody), |answer| answer.prove_bkci()).await
    }

    /// The web page of a build, or of one attempt (bkci-api 13); absent without `bkci.web_url`.
    pub fn build_page(&self, build: &BuildRef, attempt: Option<u32>) -> Option<String> {
        self.shared.web.as_ref().map(|web| address::build_page(web, build, attempt))
    }

    fn family(&self) -> Family {
        self.shared.addresses.family()
    }

    async fn ask<T>(
        &self,
        endpoint: Endpoint<'_>,
        uid: Option<&Uid>,
        read: impl FnOnce(&Answer<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let begun = Instant::now();
        let mut http = None;
        let answer = self.exchange(endpoint, uid, &mut http).await;
        let result = answer
            .and_then(|answer| read(&answer))
            .map_err(|error| error.told(&self.shared.application, endpoint.secret()));
        let build = endpoint.build().map(field::display);
        let ended = Ended { endpoint: endpoint.name(), outcome: outcome(&result), took: begun.elapsed() };
        let duration_ms = ended.took.as_millis() as u64;
        debug!(endpoint = ended.endpoint, outcome = ended.outcome, build, http, duration_ms, "asked BK-CI");
        (self.observe)(ended);
        result
    }

    async fn exchange<'a>(
        &'a self,
        endpoint: Endpoint<'a>,
        uid: Option<&Uid>,
        http: &mut Option<u16>,
    ) -> Result<Answer<'a>, Error> {
        let application = &self.shared.application;
        let url = self.shared.addresses.of(endpoint, &application.parameters());
        let request = self.shared.http.request(endpoint.method(), url).headers(self.headers(endpoint, uid));
        let request = match endpoint.body() {
            Some(body) => request.body(body),
            None => request,
        };
        let response = request.timeout(self.longest_call()).send().await.map_err(error::unsent_or_lost)?;
        let head = Head::of(&response);
        *http = Some(head.http);
        head.verdict()?;
        let body = body_of(response, endpoint).await?;
        Ok(Answer { endpoint, app_code: &application.code, head, body })
    }

    fn headers(&self, endpoint: Endpoint<'_>, uid: Option<&Uid>) -> HeaderMap {
        let json = HeaderValue::from_static("application/json");
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, json.clone());
        // Wanted even without a body, else 415 (bkci-api 1).
        headers.insert(CONTENT_TYPE, json);
        if endpoint.method() != Method::GET && endpoint.body().is_none() {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        headers.insert("X-DEVOPS-APP-CODE", self.shared.application.code_header());
        if let Some(uid) = uid {
            let uid = HeaderValue::from_str(uid.as_str()).expect("a Uid is made of visible ASCII");
            headers.insert("X-DEVOPS-UID", uid);
        }
        if let Some(authorization) = self.shared.application.authorization() {
            headers.insert("X-Bkapi-Authorization", authorization);
        }
        headers
    }
}

fn outcome<T>(result: &Result<T, Error>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(Error::NotSent { .. }) => "not_sent",
        Err(Error::Unanswered { .. }) => "unanswered",
        Err(Error::Rejected(_)) => "rejected",
        Err(Error::Misconfigured { .. }) => "misconfigured",
        Err(Error::Unreadable { .. }) => "unreadable",
    }
}

async fn body_of(mut response: Response, endpoint: Endpoint<'_>) -> Result<Vec<u8>, Error> {
    let longest = if endpoint.changes_something() { LONGEST_OF_CHANGE } else { LONGEST_READ };
    let too_long = || error::unusable(endpoint, format!("the answer is longer than {} KiB", longest >> 10));
    if response.content_length().is_some_and(|length| length > longest as u64) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| error::cut_short(endpoint, &error))? {
        if body.len() + part.len() > longest {
            return Err(too_long());
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

#[cfg(test)]
mod tests;
