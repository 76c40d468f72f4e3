//! BK-CI's JSON, converted to [`crate::model`] here and nowhere else.
//!
//! Promises to read what the reference describes even when fields are added, missing where they may be (BK-CI leaves
//! out every null, bkci-api 3.1), `null`, or a number written as text; and to refuse a build that lacks what decisions
//! rest on. Must not put any part of a body into a fault: it may hold what users never meant to show.

mod detail;
pub(super) mod hooks;
pub(super) mod lists;
pub(super) mod log;
mod origin;
mod problem;
mod scalar;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::Retried;
use scalar::Scalar;

pub(super) use detail::build;

/// Why an answer cannot be used: for operators, without any part of the answer.
pub(super) type Fault = String;

/// What BK-CI wraps every answer in (bkci-api 3.1).
pub(super) struct Envelope {
    /// 0 is success.
    pub(super) status: i64,
    /// Text of a stranger.
    pub(super) message: String,
    /// `data` where it is a text: some refusals explain themselves there.
    pub(super) explanation: String,
}

/// What a body is.
pub(super) enum Body {
    /// BK-CI's envelope.
    Envelope(Envelope),
    /// JSON, but not BK-CI's.
    OtherJson,
    /// Begins like JSON and is none: broken off, most likely.
    BrokenJson,
    /// Something else: HTML, plain text.
    Text,
    /// Nothing.
    Empty,
}

#[derive(Deserialize)]
struct EnvelopeWire {
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    message: Scalar,
    #[serde(default)]
    data: Scalar,
}

/// Tells what a body is without keeping it.
pub(super) fn open(body: &[u8]) -> Body {
    let body = body.trim_ascii();
    let Some(first) = body.first() else { return Body::Empty };
    if serde_json::from_slice::<IgnoredAny>(body).is_err() {
        return if matches!(first, b'{' | b'[') { Body::BrokenJson } else { Body::Text };
    }
    // Serde would read a list as the fields in their order.
    let object = Some(body).filter(|_| *first == b'{');
    match object.and_then(|object| serde_json::from_slice::<EnvelopeWire>(object).ok()) {
        Some(EnvelopeWire { status, message, data }) => match status.int() {
            Some(status) => {
                let [message, explanation] = [message, data].map(|text| text.text().unwrap_or_default());
                Body::Envelope(Envelope { status, message, explanation })
            }
            None => Body::OtherJson,
        },
        None => Body::OtherJson,
    }
}

#[derive(Deserialize)]
struct Success<T> {
    data: Option<T>,
}

/// The `data` of a successful answer.
fn data<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    // Serde's own words would repeat values of the body.
    let shape = |error: serde_json::Error| {
        format!("BK-CI's answer has another shape than expected (at line {}, column {})", error.line(), error.column())
    };
    let success: Success<T> = serde_json::from_slice(body).map_err(shape)?;
    success.data.ok_or_else(|| "BK-CI's answer has no data".to_owned())
}

#[derive(Deserialize)]
struct RetriedWire {
    #[serde(default)]
    id: Scalar,
    #[serde(default, rename = "executeCount")]
    execute_count: Scalar,
    #[serde(default)]
    num: Scalar,
}

/// The answer to an accepted retry (bkci-api 6.1). Old servers send the id alone.
pub(super) fn retried(body: &[u8]) -> Result<Retried, Fault> {
    let RetriedWire { id, execute_count, num } = data(body)?;
    let build_id = id.text().ok_or("BK-CI's answer names no build")?;
    Ok(Retried { build_id, execute_count: execute_count.count(), number: num.count() })
}

/// The answer to a change that says nothing but `true` (bkci-api 8, 11.1).
pub(super) fn done(body: &[u8]) -> Result<(), Fault> {
    match data::<Scalar>(body)?.flag() {
        Some(true) => Ok(()),
        Some(false) | None => Err("BK-CI's answer does not say that it was done".to_owned()),
    }
}

/// Whether a project came back (bkci-api 10).
pub(super) fn project(body: &[u8]) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct ProjectWire {
        #[serde(default, rename = "englishName")]
        english_name: Scalar,
        #[serde(default, rename = "projectCode")]
        project_code: Scalar,
    }
    let ProjectWire { english_name, project_code } = data(body)?;
    match english_name.text().or(project_code.text()) {
        Some(_) => Ok(()),
        None => Err("BK-CI's answer names no project".to_owned()),
    }
}

#[cfg(test)]
mod tests;
