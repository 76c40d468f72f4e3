//! The BlueKing gateway in front of the service: who the application is (bkci-api.md 2.1), and the shapes of its own
//! answers (3.4).

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use serde_json::{Value, json};

use super::errors::GatewayFailure;
use super::world::{World, hex32};

/// bkci-api.md 2.1.
const CODE_LIMIT: usize = 32;
/// bkci-api.md 2.1.
const SECRET_LIMIT: usize = 128;

/// The header with the application's credentials.
pub(super) const AUTHORIZATION: &str = "x-bkapi-authorization";

/// An answer before it is on the wire: a fault may still break it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// An answer of the service: JSON, passed on by the gateway with its request id (bkci-api.md 3.1).
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", "application/json".into()), ("X-Bkapi-Request-Id", request_id())],
            body: body.to_string().into_bytes(),
        }
    }

    /// Success: `data`, which is JSON, is left out when it is null.
    pub(super) fn success(data: &str) -> Self {
        let mut answer = Self::json(200, &json!({"status": 0}));
        if data != "null" {
            // Written around the data: a page of a hundred builds need not be copied first.
            answer.body = format!(r#"{{"status":0,"data":{data}}}"#).into_bytes();
        }
        answer
    }

    /// An error of the gateway itself (bkci-api.md 3.4).
    pub(super) fn gateway(failure: &GatewayFailure) -> Self {
        let mut answer = Self::json(failure.http, &failure.body());
        answer.headers[0].1 = "application/json; charset=utf-8".into();
        answer.headers.push(("X-Bkapi-Error-Code", failure.code.to_string()));
        answer.headers.push(("X-Bkapi-Error-Message", failure.message.clone()));
        answer
    }

    /// Plain text or HTML.
    pub(super) fn text(status: u16, content_type: &str, body: &str) -> Self {
        Self { status, headers: vec![("Content-Type", content_type.into())], body: body.as_bytes().to_vec() }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The response with this body in place of the answer's own.
    pub(super) fn with_body(&self, body: Body) -> Response<Body> {
        let mut builder = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            builder = builder.header(*name, value);
        }
        builder.body(body).unwrap_or_else(|_| Response::new(Body::empty()))
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let body = Body::from(self.body.clone());
        self.with_body(body)
    }
}

/// The shape of a UUID, which the gateway's ids have.
pub(super) fn request_id() -> String {
    let hex = hex32();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The first of the two spellings that is present; the `bk_` form is looked at first (bkci-api.md 2.1).
fn spelled<'a>(find: impl Fn(&str) -> Option<&'a str>, name: &str) -> Option<&'a str> {
    find(&format!("bk_{name}")).or_else(|| find(name))
}

impl World {
    /// The application's code, or why the gateway turns the request away (bkci-api.md 2.1, 3.4).
    pub(super) fn verify_application(
        &self,
        headers: &HeaderMap,
        query: &[(String, String)],
    ) -> Result<String, GatewayFailure> {
        let refuse = |reason: &str| Err(GatewayFailure::of(1640001, Some(reason)));
        let (code, secret) = match headers.get(AUTHORIZATION) {
            // The header wins completely, even when it says nothing useful.
            Some(header) => {
                let Ok(Value::Object(given)) = serde_json::from_slice(header.as_bytes()) else {
                    return refuse("request header X-Bkapi-Authorization is not a valid JSON");
                };
                let find = |name: &str| given.get(name).and_then(Value::as_str);
                (spelled(find, "app_code").map(str::to_owned), spelled(find, "app_secret").map(str::to_owned))
            }
            None => {
                let find = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
                (spelled(find, "app_code").map(str::to_owned), spelled(find, "app_secret").map(str::to_owned))
            }
        };
        let Some(code) = code.filter(|code| !code.is_empty()) else {
            return refuse("app code cannot be empty");
        };
        let Some(secret) = secret.filter(|secret| !secret.is_empty()) else {
            return refuse("please provide bk_app_secret or bk_signature to verify app");
        };
        if code.len() > CODE_LIMIT {
            return refuse("app code cannot be longer than 32 characters");
        }
        if code.contains(|c: char| c.is_ascii_whitespace() || c == '<' || c == '>') {
            return refuse("app code contains invalid characters");
        }
        if secret.len() > SECRET_LIMIT {
            return refuse("app secret cannot be longer than 128 characters");
        }
        let Some(known) = self.applications.iter().find(|known| known.code == code) else {
            return refuse("app not found");
        };
        if known.secret != secret {
            return refuse("bk_app_code or bk_app_secret is incorrect");
        }
        Ok(code)
    }
}
