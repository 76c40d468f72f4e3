//! BK-CI: one function per API call that is used, each as the UID of the person it is for.
//!
//! Knows the addresses, the credentials and the shapes on the wire, and turns every answer and every silence into one of
//! five errors, so that callers choose by case. It repeats nothing: in particular never a retry, which takes no
//! idempotency key (bkci-api 6.5).

mod address;
mod error;
mod wire;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response};
use secrecy::{ExposeSecret as _, SecretString};

pub use address::Credentials;
pub use error::Error;

use crate::model::BuildRef;
use crate::model::build::Build;
use crate::model::ids::{ProjectId, Uid};
use crate::model::scope::Scope;
use address::Endpoint;

/// The application's code (bkci-api 2.1).
const APP_CODE: HeaderName = HeaderName::from_static("x-devops-app-code");

/// On whose behalf the call runs (bkci-api 2.1).
const UID: HeaderName = HeaderName::from_static("x-devops-uid");

/// Credentials as JSON (bkci-api 2.1).
const AUTHORIZATION: HeaderName = HeaderName::from_static("x-bkapi-authorization");

/// A build's detail holds the whole pipeline model. Larger ones are refused rather than kept in memory.
const READ_MAX: usize = 16 * 1024 * 1024;

/// A retry's answer is a handful of fields.
const ACT_MAX: usize = 64 * 1024;

/// A whole answer may take this much longer than the longest silence in it, so that one that drips for ever ends.
const WHOLE_MARGIN: Duration = Duration::from_secs(5);

/// What the client needs to know.
#[derive(Debug)]
pub struct Options {
    /// Everything before `/apigw-app/v3/…`.
    pub base_url: String,
    /// The application.
    pub app_code: String,
    /// Its secret.
    pub app_secret: SecretString,
    /// How the two are sent; never both ways in one request.
    pub credentials: Credentials,
    /// Host of the BK-CI web pages, for links.
    pub web_url: Option<String>,
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// The longest silence after that.
    pub read_timeout: Duration,
}

/// The client. Clones share connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    options: std::sync::Arc<Options>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base_url", &self.options.base_url).finish_non_exhaustive()
    }
}

/// BK-CI accepted a retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retried {
    /// The build id as BK-CI returned it: the same that was retried.
    pub build_id: String,
    /// The attempt this is; old servers do not say.
    pub execute_count: Option<u32>,
    /// The build's number; old servers do not say.
    pub number: Option<u32>,
}

/// Whether a call can change something, which decides what a lost answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    Act,
}

impl Client {
    /// Builds the client; nothing is sent.
    ///
    /// # Errors
    /// The options cannot be put into headers, or TLS is not available.
    pub fn new(options: Options) -> anyhow::Result<Self> {
        HeaderValue::from_str(&options.app_code).context("bkci.app_code cannot be sent in a header")?;
        let http = reqwest::Client::builder()
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.read_timeout)
            .timeout(options.connect_timeout + options.read_timeout + WHOLE_MARGIN)
            // A followed redirect would carry the credentials to wherever it points.
            .redirect(reqwest::redirect::Policy::none())
            // The library repeats requests that a server refused at protocol level; what may be repeated is decided by rows.
            .retry(reqwest::retry::never())
            .build()
            .context("building the HTTP client for BK-CI")?;
        Ok(Self { http, options: std::sync::Arc::new(options) })
    }

    /// The build in its latest execution, as that UID may see it (bkci-api 7.2).
    ///
    /// # Errors
    /// Any case of [`Error`]; nothing was changed.
    pub async fn build_detail(&self, uid: &Uid, build: &BuildRef) -> Result<Build, Error> {
        let body = self.call(Method::GET, &Endpoint::Detail(build), uid).await?;
        wire::build(&body, build)
    }

    /// Retries what the scope says (bkci-api 6.1). Must not be called twice for one intention.
    ///
    /// # Errors
    /// [`Error::Unanswered`]: it may have happened, only a read can tell. Every other case: it did not happen.
    pub async fn retry(&self, uid: &Uid, build: &BuildRef, scope: &Scope) -> Result<Retried, Error> {
        let body = self.call(Method::POST, &Endpoint::Retry(build, scope), uid).await?;
        wire::retried(&body)
    }

    /// Whether this UID can read this project; for `reprise check`.
    ///
    /// # Errors
    /// Any case of [`Error`].
    pub async fn project(&self, uid: &Uid, project: &ProjectId) -> Result<(), Error> {
        self.call(Method::GET, &Endpoint::Project(project), uid).await.map(|_| ())
    }

    /// Whether BK-CI is there and accepts the application; for `reprise check`. An answer of BK-CI itself, even a
    /// refusal of the made-up user, is enough.
    ///
    /// # Errors
    /// Any other case of [`Error`].
    pub async fn reach(&self) -> Result<(), Error> {
        let uid: Uid = "reprise-check".parse().expect("a well-formed UID");
        match self.call(Method::GET, &Endpoint::Projects, &uid).await {
            Ok(_) | Err(Error::Rejected(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The page of a build, or of one attempt (bkci-api 13).
    pub fn build_page(&self, build: &BuildRef, attempt: Option<u32>) -> Option<String> {
        self.options.web_url.as_deref().map(|web_url| address::page(web_url, build, attempt))
    }

    async fn call(&self, method: Method, endpoint: &Endpoint<'_>, uid: &Uid) -> Result<Vec<u8>, Error> {
        let kind = if method == Method::GET { Kind::Read } else { Kind::Act };
        let started = Instant::now();
        let mut request =
            self.http.request(method, address::url(&self.options.base_url, endpoint)).headers(self.headers(uid)?);
        if self.options.credentials == Credentials::Query {
            let secret = self.options.app_secret.expose_secret();
            request = request.query(&[("app_code", self.options.app_code.as_str()), ("app_secret", secret)]);
        }
        let answer = match request.send().await {
            Ok(response) => read(response, kind).await,
            Err(error) => Err(error::from_transport(error)),
        };
        let failed = answer.as_ref().err().map(Error::name);
        let elapsed_ms = started.elapsed().as_millis();
        tracing::debug!(endpoint = endpoint.name(), %uid, elapsed_ms, failed, "asked BK-CI");
        answer
    }

    fn headers(&self, uid: &Uid) -> Result<HeaderMap, Error> {
        let options = &self.options;
        let value =
            |text: &str| HeaderValue::from_str(text).map_err(|_| Error::misconfigured("bkci.app_code cannot be sent"));
        let mut headers = HeaderMap::new();
        headers.insert(APP_CODE, value(&options.app_code)?);
        headers.insert(UID, value(uid.as_str())?);
        // Without it the service answers 415, body or not (bkci-api 1).
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if options.credentials == Credentials::Header {
            let secret = options.app_secret.expose_secret();
            let json = serde_json::json!({"bk_app_code": options.app_code, "bk_app_secret": secret}).to_string();
            let mut json = value(&json)?;
            json.set_sensitive(true);
            headers.insert(AUTHORIZATION, json);
        }
        Ok(headers)
    }
}

/// Reads a bounded body and tells success from every kind of failure.
async fn read(mut response: Response, kind: Kind) -> Result<Vec<u8>, Error> {
    let max = if kind == Kind::Read { READ_MAX } else { ACT_MAX };
    let head = error::Head::of(&response);
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > max => {
                return Err(head.broken(kind, &format!("an answer of more than {max} bytes")));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) if error.is_timeout() => return Err(head.broken(kind, "an answer that did not end in time")),
            Err(_) => return Err(head.broken(kind, "an answer that broke off")),
        }
    }
    error::judge(&head, &body, kind)?;
    Ok(body)
}
