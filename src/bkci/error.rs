//! What an answer that is no success means: one table for BK-CI, its gateway, and whatever stands in front of them.

use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Response, StatusCode};
use serde::Deserialize;

use super::Kind;
use crate::model::{RejectedBy, Rejection};

/// Why a call gave nothing. No case holds a body, an address with its query, or a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request surely never reached BK-CI: it may be sent again.
    #[error("not sent: {hint}")]
    NotSent {
        /// What happened, for the log.
        hint: String,
    },
    /// It was sent, and what became of it is not known.
    #[error("not answered: {hint}")]
    Unanswered {
        /// What happened, for the log.
        hint: String,
    },
    /// BK-CI or its gateway refused; nothing was done.
    #[error("refused with {} (HTTP {})", .0.code, .0.http)]
    Rejected(Rejection),
    /// This bot is not set up rightly; nothing was done.
    #[error("set up wrongly: {hint}")]
    Misconfigured {
        /// What the operator should look at.
        hint: String,
    },
    /// A read gave something that is not an answer of BK-CI.
    #[error("not readable: {hint}")]
    Unreadable {
        /// What it looked like.
        hint: String,
    },
}

impl Error {
    pub(super) fn misconfigured(hint: impl Into<String>) -> Self {
        Self::Misconfigured { hint: hint.into() }
    }

    /// A word for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotSent { .. } => "not_sent",
            Self::Unanswered { .. } => "unanswered",
            Self::Rejected(_) => "rejected",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Unreadable { .. } => "unreadable",
        }
    }
}

/// A refusal's message is cut to this.
const MESSAGE_MAX: usize = 300;

/// The gateway's own errors are recognised by this header, whatever the HTTP status (bkci-api 3.4).
const GATEWAY_CODE: &str = "x-bkapi-error-code";

/// bkci-api 3.1
const REQUEST_ID: &str = "x-bkapi-request-id";

/// Seconds until a rate limit ends; there is no `Retry-After` (bkci-api 3.4).
const RATE_LIMIT_RESET: &str = "x-bkapi-ratelimit-reset";

/// An internal answer could not be parsed: what was asked may have been done (bkci-api 3.3).
const INTERNAL_ANSWER_UNREADABLE: i64 = 2_100_110;

/// What a response says besides its body.
#[derive(Debug)]
pub(super) struct Head {
    status: StatusCode,
    gateway_code: Option<i64>,
    request_id: Option<String>,
    retry_after_s: Option<u64>,
    redirect: Option<String>,
    html: bool,
}

impl Head {
    pub(super) fn of(response: &Response) -> Self {
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let content_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
        Self {
            status: response.status(),
            // A code that is no number is still the gateway's.
            gateway_code: header(GATEWAY_CODE).filter(|code| !code.is_empty()).map(|code| code.parse().unwrap_or(0)),
            request_id: header(REQUEST_ID).map(|id| cut(id, 64)),
            retry_after_s: header(RATE_LIMIT_RESET).and_then(|seconds| seconds.parse().ok()),
            redirect: header(LOCATION.as_str()).map(host_of),
            html: content_type.contains("html"),
        }
    }

    /// An answer that began and cannot be used.
    pub(super) fn broken(&self, kind: Kind, what: &str) -> Error {
        let hint = format!("{what} (HTTP {})", self.status.as_u16());
        match kind {
            Kind::Act => Error::Unanswered { hint },
            Kind::Read => Error::Unreadable { hint },
        }
    }

    fn rejected(&self, by: RejectedBy, code: i64, message: &str) -> Error {
        Error::Rejected(Rejection {
            by,
            http: self.status.as_u16(),
            code,
            message: cut(message, MESSAGE_MAX),
            request_id: self.request_id.clone(),
            retry_after_s: self.retry_after_s,
        })
    }
}

/// Scheme and host of a redirect's target: the rest may hold anything.
fn host_of(location: &str) -> String {
    reqwest::Url::parse(location)
        .map_or_else(|_| "a relative address".to_owned(), |url| url.origin().ascii_serialization())
}

/// Cuts at characters.
fn cut(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

/// The failure of a request that got no answer at all (stack.md 4). The library's own text would hold the address.
pub(super) fn from_transport(error: reqwest::Error) -> Error {
    let error = error.without_url();
    if error.is_builder() {
        return Error::misconfigured("bkci.base_url does not make a valid address");
    }
    if error.is_connect() {
        let hint =
            if error.is_timeout() { "no connection in time" } else { "no connection (refused, unknown host or TLS)" };
        return Error::NotSent { hint: hint.to_owned() };
    }
    let hint = if error.is_timeout() { "no answer in time" } else { "the connection broke" };
    Error::Unanswered { hint: hint.to_owned() }
}

/// The parts of both envelopes that are looked at (bkci-api 3.1, 3.4).
#[derive(Debug, Deserialize)]
struct Envelope {
    status: Option<i64>,
    message: Option<String>,
    data: Option<serde_json::Value>,
}

/// Tells success (HTTP 2xx and `status` 0) from every failure. The gateway's header comes first: a gateway may rewrite
/// errors to HTTP 200 (bkci-api 3.4).
pub(super) fn judge(head: &Head, body: &[u8], kind: Kind) -> Result<(), Error> {
    let envelope: Option<Envelope> = serde_json::from_slice(body).ok();
    let message = envelope.as_ref().and_then(|envelope| envelope.message.as_deref()).unwrap_or_default();
    if let Some(code) = head.gateway_code {
        return Err(gateway(head, code, message));
    }
    let http = head.status.as_u16();
    if head.status.is_redirection() {
        let target = head.redirect.as_deref().unwrap_or("nowhere");
        return Err(Error::misconfigured(format!("HTTP {http}, a redirect to {target}: is bkci.base_url right?")));
    }
    // 408: an internal call timed out; any 5xx: something broke on the way. What was asked may have been done.
    if head.status.is_server_error() || head.status == StatusCode::REQUEST_TIMEOUT {
        return Err(Error::Unanswered { hint: format!("HTTP {http}") });
    }
    let Some(Envelope { status: Some(status), data, .. }) = &envelope else {
        return Err(strange(head, body, kind));
    };
    let status = *status;
    if head.status.is_success() && status == 0 {
        return Ok(());
    }
    if status == INTERNAL_ANSWER_UNREADABLE {
        return Err(Error::Unanswered { hint: format!("HTTP {http}, code {status}") });
    }
    // bkci-api 2.2, 3: the application, not the person, lacks a right.
    let detail = data.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
    if detail.starts_with("Permission denied: apigwType") {
        return Err(Error::misconfigured(format!(
            "HTTP {http}: the application of bkci.app_code is not authorised for this project"
        )));
    }
    Err(head.rejected(RejectedBy::BkCi, status, message))
}

/// bkci-api 3.4
fn gateway(head: &Head, code: i64, message: &str) -> Error {
    match code {
        1_640_001 | 1_640_101 | 1_640_102 => Error::misconfigured(format!(
            "gateway code {code}: the application is not accepted; look at bkci.app_code, bkci.app_secret, bkci.credentials"
        )),
        1_640_301 => {
            Error::misconfigured(format!("gateway code {code}: the application has no permission for this API"))
        }
        1_640_302 => Error::misconfigured(format!("gateway code {code}: this machine's address is not let in")),
        1_640_401 | 1_640_501 => {
            Error::misconfigured(format!("gateway code {code}: no such API there; look at bkci.base_url and bkci.api"))
        }
        1_650_000..=1_659_999 => Error::Unanswered { hint: format!("gateway code {code}") },
        _ if head.status.is_server_error() => Error::Unanswered { hint: format!("gateway code {code}") },
        _ => head.rejected(RejectedBy::Gateway, code, message),
    }
}

/// Not BK-CI's envelope: a filter's plain text (bkci-api 2.2), a page of something in front, or nothing.
fn strange(head: &Head, body: &[u8], kind: Kind) -> Error {
    let http = head.status.as_u16();
    let looks = if body.is_empty() {
        "an empty answer"
    } else if head.html || body.trim_ascii_start().starts_with(b"<") {
        "an HTML page"
    } else {
        "no JSON of BK-CI"
    };
    if head.status.is_success() {
        return head.broken(kind, looks);
    }
    Error::misconfigured(format!("HTTP {http} with {looks}: is bkci.base_url right, and may this application use it?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16) -> Head {
        Head {
            status: StatusCode::from_u16(status).expect("a status"),
            gateway_code: None,
            request_id: Some("r-1".into()),
            retry_after_s: None,
            redirect: None,
            html: false,
        }
    }

    fn judged(head: &Head, body: &str, kind: Kind) -> String {
        judge(head, body.as_bytes(), kind).err().map_or_else(|| "success".to_owned(), |error| error.to_string())
    }

    #[test]
    fn an_answer_of_bkci_is_a_success_only_with_2xx_and_status_0() {
        let act = |status, body| judged(&head(status), body, Kind::Act);
        assert_eq!(act(200, r#"{"status":0,"data":{"id":"b"}}"#), "success");
        assert_eq!(act(200, r#"{"status":2101047,"message":"locked"}"#), "refused with 2101047 (HTTP 200)");
        assert_eq!(act(404, r#"{"status":2101163,"message":"x"}"#), "refused with 2101163 (HTTP 404)");
        assert_eq!(act(403, r#"{"status":403,"message":"x"}"#), "refused with 403 (HTTP 403)");
        assert_eq!(act(400, r#"{"status":2100110,"message":"x"}"#), "not answered: HTTP 400, code 2100110");
        for lost in [408, 500, 502, 503, 504] {
            assert!(act(lost, r#"{"status":1,"message":"x"}"#).starts_with("not answered"), "{lost}");
            assert!(act(lost, "<html>").starts_with("not answered"), "{lost}");
        }
        for strange in ["", "<html></html>", "{}", "[]", "null", "ok", r#"{"status":0"#] {
            assert!(act(200, strange).starts_with("not answered"), "{strange}");
            assert!(judged(&head(200), strange, Kind::Read).starts_with("not readable"), "{strange}");
            assert!(act(404, strange).starts_with("set up wrongly"), "{strange}");
        }
        let apps = r#"{"status":403,"message":"x","data":"Permission denied: apigwType[apigw-app],appCode[c]"}"#;
        assert!(act(403, apps).starts_with("set up wrongly"));
        assert!(act(302, "").starts_with("set up wrongly: HTTP 302"));
    }

    #[test]
    fn the_gateways_header_comes_before_the_http_status() {
        let with = |status, code| {
            judged(&Head { gateway_code: Some(code), ..head(status) }, r#"{"code":1,"message":"m"}"#, Kind::Act)
        };
        assert!(with(200, 1_640_001).starts_with("set up wrongly"));
        assert!(with(401, 1_640_101).starts_with("set up wrongly"));
        assert!(with(403, 1_640_302).starts_with("set up wrongly"));
        assert_eq!(with(429, 1_642_902), "refused with 1642902 (HTTP 429)");
        assert_eq!(with(504, 1_650_401), "not answered: gateway code 1650401");
        assert_eq!(with(200, 1_650_200), "not answered: gateway code 1650200");
    }

    #[test]
    fn a_long_message_is_cut_at_characters() {
        let body = format!(r#"{{"status":1,"message":"{}"}}"#, "流".repeat(500));
        let Err(Error::Rejected(rejection)) = judge(&head(400), body.as_bytes(), Kind::Act) else {
            panic!("a refusal")
        };
        assert_eq!(rejection.message.chars().count(), MESSAGE_MAX);
        assert_eq!(rejection.request_id.as_deref(), Some("r-1"));
    }
}
