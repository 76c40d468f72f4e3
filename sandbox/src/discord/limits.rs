//! Rate limits (`discord-rules.md` 6): buckets, the global limit, and the ban after too many invalid requests.
//!
//! Discord publishes no bucket sizes ("do not hard-code limits"). The ones here are ours, near to what has been seen:
//! five requests in five seconds per channel or interaction token for messages, twenty in ten seconds elsewhere.
//! The windows are counted by the double's clock.

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

/// Requests per second of one bot (`discord-rules.md` 6); the interaction endpoints are exempt.
const GLOBAL_PER_S: u32 = 50;
/// Invalid requests within [`INVALID_WINDOW_MS`] that lead to a ban of the address (`discord-rules.md` 6).
const INVALID_LIMIT: u32 = 10_000;
const INVALID_WINDOW_MS: i64 = 10 * 60 * 1_000;

/// The size of a bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub limit: u32,
    pub window_ms: i64,
}

/// Posting and editing messages.
pub(super) const MESSAGES: Size = Size { limit: 5, window_ms: 5_000 };
/// Everything else.
pub(super) const ELSEWHERE: Size = Size { limit: 20, window_ms: 10_000 };

/// Whom a 429 is about (`discord-rules.md` 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateScope {
    /// This bot, this bucket.
    User,
    /// This bot, everything.
    Global,
    /// Everybody who uses that resource; does not count as an invalid request.
    Shared,
}

impl RateScope {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Global => "global",
            Self::Shared => "shared",
        }
    }
}

/// A window that is counted in.
#[derive(Clone, Copy, Debug)]
struct Window {
    since_ms: i64,
    count: u32,
}

impl Default for Window {
    fn default() -> Self {
        // Long over, so that the first request opens a new one.
        Self { since_ms: i64::MIN / 2, count: 0 }
    }
}

impl Window {
    /// Counts one more; starts anew when the window is over.
    fn count(&mut self, now_ms: i64, window_ms: i64) -> u32 {
        if now_ms >= self.since_ms + window_ms {
            *self = Self { since_ms: now_ms, count: 0 };
        }
        self.count += 1;
        self.count
    }
}

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Limits {
    buckets: HashMap<String, Window>,
    global: Window,
    invalid: Window,
}

/// A request that must wait.
#[derive(Clone, Debug)]
pub(super) struct TooMany {
    pub scope: RateScope,
    pub retry_after_s: f64,
}

impl TooMany {
    /// The body (`discord-rules.md` 6).
    pub fn body(&self) -> Value {
        json!({
            "message": "You are being rate limited.",
            "retry_after": self.retry_after_s,
            "global": self.scope == RateScope::Global,
        })
    }

    /// The headers that only a 429 has (`discord-rules.md` 6).
    pub fn headers(&self, into: &mut HeaderMap) {
        set(into, "retry-after", self.retry_after_s.ceil());
        set(into, "x-ratelimit-scope", self.scope.name());
        if self.scope == RateScope::Global {
            set(into, "x-ratelimit-global", "true");
        }
    }
}

fn set(into: &mut HeaderMap, name: &'static str, value: impl ToString) {
    if let Ok(value) = HeaderValue::from_str(&value.to_string()) {
        into.insert(HeaderName::from_static(name), value);
    }
}

impl Limits {
    /// Whether the address is banned for its invalid requests.
    pub fn banned(&self, now_ms: i64) -> bool {
        self.invalid.count >= INVALID_LIMIT && now_ms < self.invalid.since_ms + INVALID_WINDOW_MS
    }

    /// Counts an answer among the invalid requests if it is one (`discord-rules.md` 6).
    pub fn answered(&mut self, now_ms: i64, status: u16, scope: Option<RateScope>) {
        if matches!(status, 401 | 403) || (status == 429 && scope != Some(RateScope::Shared)) {
            self.invalid.count(now_ms, INVALID_WINDOW_MS);
        }
    }

    /// Counts a request of the bot against the global limit.
    pub fn globally(&mut self, now_ms: i64) -> Result<(), TooMany> {
        if self.global.count(now_ms, 1_000) <= GLOBAL_PER_S {
            return Ok(());
        }
        let retry_after_s = seconds(self.global.since_ms + 1_000 - now_ms);
        Err(TooMany { scope: RateScope::Global, retry_after_s })
    }

    /// Counts a request in its bucket and writes the headers that tell of it.
    pub fn in_bucket(&mut self, now_ms: i64, bucket: &str, size: Size, headers: &mut HeaderMap) -> Result<(), TooMany> {
        let window = self.buckets.entry(bucket.to_owned()).or_default();
        let count = window.count(now_ms, size.window_ms);
        let reset_ms = window.since_ms + size.window_ms;
        let reset_after_s = seconds(reset_ms - now_ms);
        set(headers, "x-ratelimit-limit", size.limit);
        set(headers, "x-ratelimit-remaining", size.limit.saturating_sub(count));
        set(headers, "x-ratelimit-reset", seconds(reset_ms));
        set(headers, "x-ratelimit-reset-after", reset_after_s);
        let name: String = bucket
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
            .to_string();
        set(headers, "x-ratelimit-bucket", name);
        if count <= size.limit {
            return Ok(());
        }
        Err(TooMany { scope: RateScope::User, retry_after_s: reset_after_s })
    }
}

/// Milliseconds as the decimal seconds of the headers.
fn seconds(ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "times and waits here are far below 2^52 ms")]
    let seconds = ms as f64 / 1_000.0;
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_message_in_five_seconds_waits() {
        let mut limits = Limits::default();
        let mut headers = HeaderMap::new();
        for _ in 0..5 {
            limits.in_bucket(1_000, "messages/1", MESSAGES, &mut headers).expect("within the limit");
        }
        let refused = limits.in_bucket(2_000, "messages/1", MESSAGES, &mut headers).expect_err("over the limit");
        assert!((refused.retry_after_s - 4.0).abs() < f64::EPSILON);
        assert!(limits.in_bucket(6_000, "messages/1", MESSAGES, &mut headers).is_ok());
    }

    #[test]
    fn ten_thousand_invalid_requests_are_a_ban() {
        let mut limits = Limits::default();
        for _ in 0..10_000 {
            limits.answered(1_000, 403, None);
        }
        limits.answered(1_000, 429, Some(RateScope::Shared));
        assert!(limits.banned(2_000));
        assert!(!limits.banned(1_000 + INVALID_WINDOW_MS));
    }
}
