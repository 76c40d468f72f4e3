//! What became of a call that did not simply succeed: each way a call can end, told apart by what the caller must do.
//!
//! The order of the questions matters (bkci-api 3.4): the gateway's own header first, whatever the HTTP status; then
//! the statuses that leave open what happened; then BK-CI's envelope. In doubt a retry is [`Error::Unanswered`]:
//! it may have happened, and only a read can tell. No text made here holds an address's query, a body or a secret.

use reqwest::Response;
use reqwest::header::{HeaderMap, LOCATION};
use secrecy::SecretString;

use super::address::{self, Application};
use super::endpoint::Endpoint;
use super::wire::{self, Body, Envelope};
use crate::model::{RejectedBy, Rejection};

/// Texts of strangers are cut to this many characters.
const LONGEST_MESSAGE: usize = 300;

/// A request id is a UUID at the gateway; longer ones are cut.
const LONGEST_REQUEST_ID: usize = 64;

/// "Results returned by the internal service could not be parsed": BK-CI passed the call on and does not know what
/// became of it (bkci-api 15).
const INTERNAL_ANSWER_UNREADABLE: i64 = 2_100_110;

/// The body of the 403 for an application that a project has not authorised begins its `data` so (bkci-api 2.2).
const APPLICATION_DENIED: &str = "Permission denied: apigwType";

/// No right to view, as each service says it; a project, a pipeline that is not there (bkci-api 2.2, 3.3, 15).
const VIEW_REFUSED: [i64; 6] = [403, 2_101_008, 2_100_054, 404, 2_101_038, 2_101_164];

/// How a call ended, other than well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It surely never reached BK-CI: it may be sent again.
    #[error("not sent: {hint}")]
    NotSent {
        /// What was in the way, for operators.
        hint: String,
    },
    /// It was sent, and what came back does not tell what happened. Never send a retry again after this: read.
    #[error("sent, but not answered: {hint}")]
    Unanswered {
        /// What came instead of an answer, for operators.
        hint: String,
        /// The code that came with it, if any.
        said: Option<Rejection>,
    },
    /// BK-CI or its gateway refused; nothing happened.
    #[error("refused by {:?} with HTTP {} and code {}", .0.by, .0.http, .0.code)]
    Rejected(Rejection),
    /// BK-CI cannot be used with this configuration; nothing happened.
    #[error("{hint}")]
    Misconfigured {
        /// Which key of the configuration to look at, and why.
        hint: String,
        /// The code that came with it, if any.
        said: Option<Rejection>,
    },
    /// A read brought something that is not what BK-CI sends. A retry never ends so.
    #[error("unreadable: {hint}")]
    Unreadable {
        /// What it looked like, for operators.
        hint: String,
    },
}

impl Error {
    /// Whether it says that this user may not look at the pipeline, or that it or its project is gone: looking again will
    /// not help until somebody changes that (bkci-api 2.2, 3.3, 7.4, 9). What the application itself may not, and whatever
    /// passes by itself, is not it.
    pub fn is_refusal_of_view(&self) -> bool {
        match self {
            Self::Rejected(said) => said.by == RejectedBy::BkCi && VIEW_REFUSED.contains(&said.code),
            Self::NotSent { .. } | Self::Unanswered { .. } => false,
            Self::Misconfigured { .. } | Self::Unreadable { .. } => false,
        }
    }

    fn misconfigured(hint: impl Into<String>) -> Self {
        Self::Misconfigured { hint: hint.into(), said: None }
    }

    fn unanswered(hint: impl Into<String>) -> Self {
        Self::Unanswered { hint: hint.into(), said: None }
    }

    /// The same, with the code that tells more.
    fn with(self, rejection: Rejection) -> Self {
        match self {
            Self::Misconfigured { hint, .. } => Self::Misconfigured { hint, said: Some(rejection) },
            Self::Unanswered { hint, .. } => Self::Unanswered { hint, said: Some(rejection) },
            Self::NotSent { .. } | Self::Rejected(_) | Self::Unreadable { .. } => self,
        }
    }

    /// The last thing that is done to every error: whatever came from outside loses the application's secret and `other`,
    /// then its excess.
    pub(super) fn told(self, application: &Application, other: Option<&SecretString>) -> Self {
        let clean = |text: &str, longest| {
            let text = application.scrub(text);
            let text = other.map_or(text.clone(), |other| address::scrub(&text, other));
            text.chars().take(longest).collect::<String>()
        };
        let hint = |hint: String| clean(&hint, LONGEST_MESSAGE);
        let told = |rejection: Rejection| Rejection {
            message: clean(&rejection.message, LONGEST_MESSAGE),
            request_id: rejection.request_id.map(|id| clean(&id, LONGEST_REQUEST_ID)),
            ..rejection
        };
        match self {
            Self::NotSent { hint: text } => Self::NotSent { hint: hint(text) },
            Self::Unanswered { hint: text, said } => Self::Unanswered { hint: hint(text), said: said.map(told) },
            Self::Misconfigured { hint: text, said } => Self::Misconfigured { hint: hint(text), said: said.map(told) },
            Self::Unreadable { hint: text } => Self::Unreadable { hint: hint(text) },
            Self::Rejected(rejection) => Self::Rejected(told(rejection)),
        }
    }
}

/// Something came back, and it is not an answer: to a read that is unreadable, to a retry it is none.
pub(super) fn unusable(endpoint: Endpoint<'_>, hint: impl Into<String>) -> Error {
    if endpoint.changes_something() { Error::unanswered(hint) } else { Error::Unreadable { hint: hint.into() } }
}

/// The one place where a transport error becomes ours, for a call that brought no answer. Whatever connects comes
/// before the request, so a failure to connect is the only one that is sure.
pub(super) fn unsent_or_lost(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let cause = deepest_cause(&error);
    if error.is_connect() || error.is_builder() {
        let what = if error.is_timeout() { "no connection in time" } else { "no connection" };
        return Error::NotSent { hint: format!("{what} to bkci.base_url ({cause})") };
    }
    if error.is_timeout() {
        return Error::unanswered("no answer in time (bkci.read_timeout_ms)");
    }
    Error::unanswered(format!("the connection broke before the answer ({cause})"))
}

/// The same for a body that ended before its end.
pub(super) fn cut_short(endpoint: Endpoint<'_>, error: &reqwest::Error) -> Error {
    if error.is_timeout() {
        return Error::unanswered("the answer began, and did not end in time (bkci.read_timeout_ms)");
    }
    unusable(endpoint, "the answer broke off")
}

/// What the operating system or the TLS library said; the layers above it would repeat the address.
fn deepest_cause(error: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest.to_string()
}

/// What is known of an answer before its body.
pub(super) struct Head {
    pub(super) http: u16,
    gateway_code: Option<String>,
    gateway_message: String,
    request_id: Option<String>,
    retry_after_s: Option<u64>,
    leads_to: Option<String>,
}

impl Head {
    /// The response headers of bkci-api 3.4.
    pub(super) fn of(response: &Response) -> Self {
        let text = |name| header(response.headers(), name);
        let reset = text("X-Bkapi-RateLimit-Reset").or_else(|| text("Retry-After"));
        let target = text(LOCATION.as_str()).and_then(|location| response.url().join(&location).ok());
        Self {
            http: response.status().as_u16(),
            gateway_code: text("X-Bkapi-Error-Code"),
            gateway_message: text("X-Bkapi-Error-Message").unwrap_or_default(),
            request_id: text("X-Bkapi-Request-Id"),
            retry_after_s: reset.and_then(|seconds| seconds.parse().ok()),
            leads_to: target.map(|url| url.origin().ascii_serialization()),
        }
    }

    /// What these already decide, before any body is read.
    pub(super) fn verdict(&self) -> Result<(), Error> {
        if let Some(code) = &self.gateway_code {
            return Err(self.of_gateway(code));
        }
        match self.http {
            300..=399 => {
                let target = self.leads_to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
                Err(Error::misconfigured(format!("HTTP {}: a redirect{target}. Is bkci.base_url right?", self.http)))
            }
            // bkci-api 3.3: the call to the service behind timed out, and may have been carried out.
            408 => Err(self.silent("HTTP 408: BK-CI's own services did not answer in time".to_owned())),
            500.. => Err(self.silent(format!("HTTP {}", self.http))),
            _ => Ok(()),
        }
    }

    /// The table of bkci-api 3.4. The class of a code is its third to fifth digit; the HTTP status may be rewritten.
    fn of_gateway(&self, text: &str) -> Error {
        let code = text.parse::<i64>().unwrap_or_default();
        let said = |message| self.rejection(RejectedBy::Gateway, code, message);
        let look_at =
            |keys: &str| Error::misconfigured(format!("the gateway answers {code}: {keys}")).with(said(String::new()));
        match code {
            1_640_001 | 1_640_101 => look_at(
                "it does not accept the application. Look at bkci.app_code, bkci.app_secret and bkci.credentials",
            ),
            1_640_102 => look_at("it wants a signed-in user. Is bkci.base_url the address for applications?"),
            1_640_301 => look_at("the application in bkci.app_code may not use this API; it is granted at the gateway"),
            1_640_302 => look_at("it does not accept calls from this machine's address (bkci.base_url)"),
            1_640_401 | 1_640_501 => look_at("it has no such API. Look at bkci.base_url and bkci.api"),
            _ => match code / 100 % 1000 {
                400..=407 | 409..=499 => Error::Rejected(said(self.gateway_message.clone())),
                _ => Error::unanswered(format!("the gateway answers {code}")).with(said(String::new())),
            },
        }
    }

    /// Nobody knows who in between answers so: only the status is worth telling.
    fn silent(&self, hint: String) -> Error {
        Error::unanswered(hint).with(self.rejection(RejectedBy::BkCi, self.http.into(), String::new()))
    }

    fn rejection(&self, by: RejectedBy, code: i64, message: String) -> Rejection {
        let retry_after_s = self.retry_after_s.filter(|_| self.http == 429 || code / 100 % 1000 == 429);
        Rejection { by, http: self.http, code, message, request_id: self.request_id.clone(), retry_after_s }
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(name)?.as_bytes()).trim().to_owned();
    Some(value).filter(|value| !value.is_empty())
}

/// A whole answer.
pub(super) struct Answer<'a> {
    pub(super) endpoint: Endpoint<'a>,
    pub(super) app_code: &'a str,
    pub(super) head: Head,
    pub(super) body: Vec<u8>,
}

impl Answer<'_> {
    /// The body of a success: HTTP 2xx and `status` 0 (bkci-api 3.1).
    ///
    /// # Errors
    /// What else it is.
    pub(super) fn accepted(&self) -> Result<&[u8], Error> {
        let envelope = self.envelope()?;
        match (self.head.http, envelope.status) {
            (200..=299, 0) => Ok(&self.body),
            (_, 0) => Err(self.unusable("says both that it worked and that it did not")),
            (_, _) => Err(self.refusal(envelope)),
        }
    }

    /// Whether it is BK-CI that answered, in whatever way, at an address it knows.
    ///
    /// # Errors
    /// Who or what else it is.
    pub(super) fn prove_bkci(&self) -> Result<(), Error> {
        let envelope = self.envelope()?;
        if self.is_unknown_address(&envelope) { Err(self.refusal(envelope)) } else { Ok(()) }
    }

    pub(super) fn unusable(&self, what: &str) -> Error {
        unusable(self.endpoint, format!("HTTP {}: the answer {what}", self.head.http))
    }

    fn envelope(&self) -> Result<Envelope, Error> {
        let refused = (400..=499).contains(&self.head.http);
        match wire::open(&self.body) {
            Body::Envelope(envelope) => Ok(envelope),
            // A refusal may be broken off before it says that it is not one (2100110).
            Body::BrokenJson => Err(self.unusable("is not whole")),
            Body::OtherJson | Body::Text | Body::Empty if refused => Err(self.refused_by_another()),
            Body::OtherJson => Err(self.unusable("is not of BK-CI's form")),
            Body::Text => Err(self.unusable("is not JSON")),
            Body::Empty => Err(self.unusable("is empty")),
        }
    }

    /// BK-CI says no (bkci-api 3.2, 3.3).
    fn refusal(&self, envelope: Envelope) -> Error {
        let Envelope { status, message, explanation } = &envelope;
        let (project, app_code) = (self.endpoint.project(), self.app_code);
        let said = |message| self.head.rejection(RejectedBy::BkCi, *status, message);
        match *status {
            INTERNAL_ANSWER_UNREADABLE | 408 | 500..=599 => {
                Error::unanswered(format!("BK-CI answers {status}")).with(said(String::new()))
            }
            403 if explanation.starts_with(APPLICATION_DENIED) => Error::misconfigured(format!(
                "the application {app_code} (bkci.app_code) is not authorised for the project {project} at BK-CI"
            ))
            .with(said(String::new())),
            _ if self.is_unknown_address(&envelope) => Error::misconfigured(format!(
                "BK-CI answers HTTP {}: it has no such API. Look at bkci.base_url and bkci.api",
                self.head.http
            ))
            .with(said(String::new())),
            _ => Error::Rejected(said(message.clone())),
        }
    }

    /// "No such path", "wrong method", "wrong Content-Type" (bkci-api 3.3): about the call, not about what was asked.
    fn is_unknown_address(&self, envelope: &Envelope) -> bool {
        matches!(envelope.status, 404 | 405 | 415)
            && envelope.explanation.starts_with(&format!("HTTP {} ", envelope.status))
    }

    /// A 4xx without envelope: BK-CI's own filters answer in plain text (bkci-api 2.2), proxies in HTML.
    fn refused_by_another(&self) -> Error {
        let http = self.head.http;
        if http == 429 {
            return Error::Rejected(self.head.rejection(RejectedBy::Gateway, http.into(), String::new()));
        }
        let begins = |text: &str| self.body.trim_ascii_start().starts_with(text.as_bytes());
        let why = if begins("Devops OpenAPI Auth fail: path(") {
            "BK-CI does not take this path. Are bkci.base_url and bkci.api right?"
        } else if begins("Devops OpenAPI Auth fail") {
            "BK-CI does not accept the application. Look at bkci.app_code and bkci.app_secret"
        } else if begins("You do not have permission to access") {
            "BK-CI wants to be called through its gateway. Is bkci.base_url the gateway's address, and bkci.api not v4-backend?"
        } else if begins("Request don't has user's access_token") {
            "BK-CI wants a signed-in user. Is bkci.base_url the address for applications?"
        } else {
            "this is not BK-CI's form of an answer. Does bkci.base_url lead to it, and may bkci.app_code use it?"
        };
        Error::misconfigured(format!("HTTP {http}: {why}"))
    }
}
