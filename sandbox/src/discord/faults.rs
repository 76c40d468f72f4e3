//! Faults that a test orders: what goes wrong, with which request, how many times.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::limits::RateScope;
use super::state::RequestRecord;

type Predicate = Arc<dyn Fn(&RequestRecord) -> bool + Send + Sync>;

/// Which requests are struck.
#[derive(Clone)]
enum Matcher {
    Route { method: String, route: String },
    When(Predicate),
}

/// What happens to them.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// Answered without being carried out.
    Answer { status: u16, content_type: String, body: String },
    /// Answered 429 without being carried out.
    RateLimited { scope: RateScope, retry_after_s: f64 },
    /// The connection is closed before anything happened.
    LoseRequest,
    /// Carried out; then the connection is closed without an answer.
    LoseAnswer,
    /// Not carried out before the double's clock has moved on by so much.
    DelayRequest(Duration),
    /// Carried out at once; answered when the double's clock has moved on by so much.
    DelayAnswer(Duration),
    /// Not carried out before the gate opens.
    HoldRequest(Gate),
    /// Carried out at once; answered when the gate opens.
    HoldAnswer(Gate),
    /// Carried out; then something in the JSON answer is changed.
    AlterAnswer(Alteration),
}

/// What is changed in a JSON answer.
#[derive(Clone)]
pub(super) struct Alteration(pub Arc<dyn Fn(&mut Value) + Send + Sync>);

impl fmt::Debug for Alteration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alteration")
    }
}

/// An order for trouble: `Fault::on("POST", "/channels/{channel_id}/messages").times(2).status(500)`.
#[derive(Clone)]
pub struct Fault {
    matcher: Matcher,
    times: u32,
    effect: Effect,
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = match &self.matcher {
            Matcher::Route { method, route } => format!("{method} {route}"),
            Matcher::When(_) => "a predicate".to_owned(),
        };
        f.debug_struct("Fault").field("on", &on).field("times", &self.times).field("effect", &self.effect).finish()
    }
}

impl Fault {
    /// Strikes the next request with this method on this route; the route is written as in Discord's OpenAPI
    /// document, for example `/channels/{channel_id}/messages`. Until told otherwise, it is answered 500.
    pub fn on(method: &str, route: &str) -> Self {
        Self::made(Matcher::Route { method: method.into(), route: route.into() })
    }

    /// Strikes the next request that `chosen` picks.
    pub fn when(chosen: impl Fn(&RequestRecord) -> bool + Send + Sync + 'static) -> Self {
        Self::made(Matcher::When(Arc::new(chosen)))
    }

    fn made(matcher: Matcher) -> Self {
        Self { matcher, times: 1, effect: Effect::LoseRequest }.status(500)
    }

    /// How many requests are struck; `u32::MAX` for all.
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Answers this status without acting, with the JSON body that Discord gives it.
    pub fn status(self, status: u16) -> Self {
        let reason = axum::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let message = format!("{status}: {}", reason.unwrap_or("Error"));
        self.json(status, &serde_json::json!({ "message": message, "code": 0 }))
    }

    /// Answers this JSON body without acting.
    pub fn json(mut self, status: u16, body: &Value) -> Self {
        self.effect = Effect::Answer { status, content_type: "application/json".into(), body: body.to_string() };
        self
    }

    /// Answers 502 with an HTML page, as the proxies in front of Discord do.
    pub fn html_502(mut self) -> Self {
        let body = "<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>".into();
        self.effect = Effect::Answer { status: 502, content_type: "text/html".into(), body };
        self
    }

    /// Answers 429 (`discord-rules.md` 6) without acting.
    pub fn rate_limited(mut self, scope: RateScope, retry_after_s: f64) -> Self {
        self.effect = Effect::RateLimited { scope, retry_after_s };
        self
    }

    /// Closes the connection before acting: the request is lost.
    pub fn lose_request(mut self) -> Self {
        self.effect = Effect::LoseRequest;
        self
    }

    /// Acts, then closes the connection without an answer.
    pub fn lose_answer(mut self) -> Self {
        self.effect = Effect::LoseAnswer;
        self
    }

    /// Acts only when the double's clock has moved on by `wait`.
    pub fn delay_request(mut self, wait: Duration) -> Self {
        self.effect = Effect::DelayRequest(wait);
        self
    }

    /// Acts at once, answers when the double's clock has moved on by `wait`.
    pub fn delay_answer(mut self, wait: Duration) -> Self {
        self.effect = Effect::DelayAnswer(wait);
        self
    }

    /// Acts only once `gate` is open.
    pub fn hold_request(mut self, gate: &Gate) -> Self {
        self.effect = Effect::HoldRequest(gate.clone());
        self
    }

    /// Acts at once, answers once `gate` is open.
    pub fn hold_answer(mut self, gate: &Gate) -> Self {
        self.effect = Effect::HoldAnswer(gate.clone());
        self
    }

    /// Acts, and answers with something changed in the JSON: what a later version of Discord may send.
    pub fn alter_answer(mut self, alter: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.effect = Effect::AlterAnswer(Alteration(Arc::new(alter)));
        self
    }
}

/// Holds what waits at it until it is opened. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Gate {
    /// Lets everything through from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(super) async fn pass(&self) {
        // This sender lives in `self`, so the wait only ends when the gate opens.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

/// An ordered fault that has strikes left.
pub(super) struct Standing(Fault);

impl Standing {
    pub fn new(fault: Fault) -> Self {
        Self(fault)
    }

    pub fn describe(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// The effect of the first standing fault that fits, whose count goes down by one.
pub(super) fn strike(standing: &mut Vec<Standing>, request: &RequestRecord) -> Option<Effect> {
    let index = standing.iter().position(|Standing(fault)| match &fault.matcher {
        Matcher::Route { method, route } => *method == request.method && *route == request.route,
        Matcher::When(chosen) => chosen(request),
    })?;
    let fault = &mut standing[index].0;
    let effect = fault.effect.clone();
    if fault.times != u32::MAX {
        fault.times = fault.times.saturating_sub(1);
    }
    if fault.times == 0 {
        standing.remove(index);
    }
    Some(effect)
}
