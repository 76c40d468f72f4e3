//! What a client must not do by the published contract, whether or not the service would notice: both forms of
//! credentials at once, a POST without its media type, an address that is not encoded or not there.
//!
//! Source: seed-retry-endpoint.md; bkci-api.md 1, 2.1, 4 and 6.1; bkci-openapi.yaml.

use axum::http::Method;

use super::endpoint::Endpoint;
use super::families::{Found, Route};
use super::gateway::AUTHORIZATION;
use super::incoming::Incoming;

const CREDENTIALS: &[&str] = &["app_code", "app_secret", "bk_app_code", "bk_app_secret"];

/// The violations of one request, in words; no value of a query or header is in them.
pub(super) fn violations(incoming: &Incoming) -> Vec<String> {
    let mut found = Vec::new();
    match &incoming.found {
        Found::Nothing | Found::NotOfTheApi => found.push("unknown path".to_owned()),
        Found::WrongMethod => found.push("wrong method".to_owned()),
        Found::Route(_) => {}
    }
    let in_query = incoming.query.iter().any(|(key, _)| CREDENTIALS.contains(&key.as_str()));
    if in_query && incoming.headers.contains_key(AUTHORIZATION) {
        found.push("credentials in the query and in X-Bkapi-Authorization".to_owned());
    }
    if incoming.method == Method::POST && !incoming.sends_json() {
        found.push("a POST without Content-Type: application/json".to_owned());
    }
    if !is_encoded(&incoming.path, b"/") || !incoming.raw_query.as_deref().is_none_or(|raw| is_encoded(raw, b"/?")) {
        found.push("characters in the address that must be percent-encoded".to_owned());
    }
    if incoming.uid().is_none() {
        found.push("no X-DEVOPS-UID".to_owned());
    }
    if let Some(route) = incoming.route() {
        found.extend(query_violations(route, incoming));
    }
    found
}

fn query_violations(route: &Route, incoming: &Incoming) -> Vec<String> {
    let mut found = Vec::new();
    let endpoint = route.endpoint;
    // The seed document requires it of this operation; elsewhere it is optional (bkci-openapi.yaml, appCodeHeader).
    if endpoint == Endpoint::Retry && incoming.header("x-devops-app-code").is_none_or(str::is_empty) {
        found.push("no X-DEVOPS-APP-CODE".to_owned());
    }
    for (position, (key, _)) in incoming.query.iter().enumerate() {
        if !CREDENTIALS.contains(&key.as_str()) && !endpoint.publishes(route.family, key) {
            found.push(format!("unknown query parameter {key}"));
        }
        let again = incoming.query[..position].iter().any(|(earlier, _)| earlier == key);
        if again && !endpoint.may_repeat(key) {
            found.push(format!("query parameter {key} is given twice"));
        }
    }
    found
}

/// RFC 3986: unreserved, sub-delims, `:` and `@`, and percent with two hexadecimal digits.
fn is_encoded(text: &str, also: &[u8]) -> bool {
    let bytes = text.as_bytes();
    let allowed =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(byte) || also.contains(byte);
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit)),
        other => allowed(other),
    })
}
