//! Faults that a test orders: the service acts or does not, answers late, wrongly or not at all.
//!
//! A fault has three parts that are chosen apart: whether (and when) the request is carried out, what is waited for,
//! and what the client sees. The sources of the answers are bkci-api.md 3.3, 3.4 and 6.5.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures_util::stream::{self, StreamExt};
use serde_json::json;
use tokio::sync::watch;

use super::BkCi;
use super::endpoint::Endpoint;
use super::errors::{Failure, GatewayFailure};
use super::gateway::{Answer, request_id};
use super::incoming::Incoming;
use super::looking::RequestRecord;
use super::plan::millis;
use crate::wire::Cut;

type Matcher = Arc<dyn Fn(&RequestRecord) -> bool + Send + Sync>;

/// Which requests a fault meets.
#[derive(Clone)]
pub enum On {
    /// Every request.
    Any,
    /// Requests of one operation.
    Only(Endpoint),
    /// Requests for which this is true.
    When(Matcher),
}

impl From<Endpoint> for On {
    fn from(endpoint: Endpoint) -> Self {
        On::Only(endpoint)
    }
}

impl On {
    /// Requests for which `matches` is true.
    pub fn when(matches: impl Fn(&RequestRecord) -> bool + Send + Sync + 'static) -> Self {
        On::When(Arc::new(matches))
    }

    fn meets(&self, record: &RequestRecord) -> bool {
        match self {
            On::Any => true,
            On::Only(endpoint) => record.endpoint == Some(*endpoint),
            On::When(matches) => matches(record),
        }
    }
}

/// What the client sees instead of the true answer.
#[derive(Clone, Debug)]
pub enum Wrong {
    /// The connection is closed without an answer.
    Lost,
    /// The connection is reset (RST).
    Reset,
    /// 408: the openapi service waited 15 s (bkci-api.md 3.3).
    RequestTimeout,
    /// 500: an unexpected exception (3.3).
    ServerError,
    /// 400/2100110: the answer of the service behind could not be parsed (3.3).
    Unparsable,
    /// A refusal of the service by its code (15), in the reader's language.
    Refusal(u32),
    /// An error of the gateway by its code (3.4), such as 1650200 (502) or 1650401 (504).
    Gateway(u32),
    /// An error of the gateway, rewritten to HTTP 200 by the stage's legacy option (3.4).
    GatewayAs200(u32),
    /// 429/1642902 with the `X-Bkapi-RateLimit-*` headers and no `Retry-After` (3.4).
    RateLimited {
        /// Seconds until the limit is reset.
        reset_s: u32,
    },
    /// A 502 page of the load balancer in front, without any header of the gateway (3.4).
    NginxBadGateway,
    /// HTTP 200 with an HTML page, as a login page or a captive proxy answers.
    Html200,
    /// HTTP 200 without a body.
    Empty200,
    /// Half of the body, then the connection breaks.
    Truncated,
    /// A body of this many bytes.
    Huge {
        /// Length.
        bytes: usize,
    },
    /// The body, a byte at a time.
    SlowDrip {
        /// Real time between bytes.
        every: Duration,
    },
    /// 302 to this address.
    Redirect {
        /// Where to.
        to: String,
    },
    /// 403 in plain text: the request came without a token of the gateway (2.2).
    PlainForbidden,
}

impl Wrong {
    /// The 40 MB body: as much as the gateway lets pass (bkci-api.md 14).
    pub const FORTY_MEGABYTES: Wrong = Wrong::Huge { bytes: 40 * 1024 * 1024 };
}

#[derive(Clone, Copy, Debug)]
enum Acts {
    No,
    Yes,
    Later { ms: i64 },
}

#[derive(Clone, Copy, Debug)]
enum Until {
    Released,
    Passed { ms: i64 },
}

/// A fault to order.
#[derive(Clone, Debug)]
pub struct Fault {
    acts: Acts,
    before: Option<Until>,
    after: Option<Until>,
    wrong: Option<Wrong>,
}

impl Fault {
    const NONE: Fault = Fault { acts: Acts::Yes, before: None, after: None, wrong: None };

    /// The request is carried out; the connection closes without an answer.
    pub fn lose_answer() -> Self {
        Self::answer(Wrong::Lost).after_acting()
    }

    /// Nothing is done; the connection closes without an answer.
    pub fn lose_request() -> Self {
        Self::answer(Wrong::Lost)
    }

    /// Nothing is done and this is answered; `after_acting` and `acting_later` change the first half.
    pub fn answer(wrong: Wrong) -> Self {
        Self { acts: Acts::No, wrong: Some(wrong), ..Self::NONE }
    }

    /// The answer is sent when the order is released; the request is carried out at once.
    pub fn hold_answer() -> Self {
        Self { after: Some(Until::Released), ..Self::NONE }
    }

    /// The request is carried out when the order is released.
    pub fn hold_request() -> Self {
        Self { before: Some(Until::Released), ..Self::NONE }
    }

    /// The answer is sent when the world's clock has moved on so far; the request is carried out at once.
    pub fn delay_answer(by: Duration) -> Self {
        Self { after: Some(Until::Passed { ms: millis(by) }), ..Self::NONE }
    }

    /// The request is carried out when the world's clock has moved on so far.
    pub fn delay_request(by: Duration) -> Self {
        Self { before: Some(Until::Passed { ms: millis(by) }), ..Self::NONE }
    }

    /// The request is carried out, whatever is answered.
    pub fn after_acting(mut self) -> Self {
        self.acts = Acts::Yes;
        self
    }

    /// The answer goes out at once; the request is carried out when the world's clock has moved on so far.
    pub fn acting_later(mut self, by: Duration) -> Self {
        self.acts = Acts::Later { ms: millis(by) };
        self
    }
}

/// A fault that was ordered.
pub(super) struct Order {
    on: On,
    fault: Fault,
    /// `None`: until withdrawn.
    times: Option<u32>,
    hits: AtomicU32,
    withdrawn: AtomicBool,
    released: watch::Sender<bool>,
}

/// The order's handle.
#[derive(Clone)]
pub struct Ordered(Arc<Order>);

impl Ordered {
    pub(super) fn new(on: On, times: Option<u32>, fault: Fault) -> (Self, Arc<Order>) {
        let order = Arc::new(Order {
            on,
            fault,
            times,
            hits: AtomicU32::new(0),
            withdrawn: AtomicBool::new(false),
            released: watch::Sender::new(false),
        });
        (Self(order.clone()), order)
    }

    /// Meets no further request; those that are held stay held.
    pub fn withdraw(&self) {
        self.0.withdrawn.store(true, Ordering::SeqCst);
    }

    /// Lets go what is held, and whatever the order meets from now on.
    pub fn release(&self) {
        self.0.released.send_replace(true);
    }

    /// How many requests it has met.
    pub fn hits(&self) -> u32 {
        self.0.hits.load(Ordering::SeqCst)
    }
}

impl Order {
    /// Whether this order meets the request; counts it. Called with the world held, so counting is exact.
    pub(super) fn take(&self, record: &RequestRecord) -> bool {
        let spent = self.times.is_some_and(|times| self.hits.load(Ordering::SeqCst) >= times);
        if self.withdrawn.load(Ordering::SeqCst) || spent || !self.on.meets(record) {
            return false;
        }
        self.hits.fetch_add(1, Ordering::SeqCst);
        true
    }

    /// Carries the fault out; `reset` makes the connection end with RST.
    pub(super) async fn carry_out(&self, bkci: &BkCi, incoming: &Incoming, reset: &AtomicBool) -> Response {
        self.wait(self.fault.before, bkci).await;
        let truth = match self.fault.acts {
            Acts::No => None,
            Acts::Yes => Some(bkci.act(incoming)),
            Acts::Later { ms } => {
                let (bkci, incoming, at) = (bkci.clone(), incoming.clone(), bkci.clock().now_ms() + ms);
                tokio::spawn(async move {
                    bkci.clock().until(at).await;
                    bkci.act(&incoming);
                });
                None
            }
        };
        self.wait(self.fault.after, bkci).await;
        match &self.fault.wrong {
            Some(wrong) => wrong.response(bkci, incoming, truth, reset),
            None => truth.map_or_else(Cut::response, Answer::into_response),
        }
    }

    async fn wait(&self, until: Option<Until>, bkci: &BkCi) {
        match until {
            None => {}
            Some(Until::Passed { ms }) => bkci.clock().until(bkci.clock().now_ms() + ms).await,
            Some(Until::Released) => {
                // An error means that the sender is gone, which it cannot be while `self` lives.
                let _ = self.released.subscribe().wait_for(|released| *released).await;
            }
        }
    }
}

const NGINX_502: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway\
    </h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
const LOGIN_PAGE: &str = "<!DOCTYPE html><html><head><title>Login</title></head><body><form action=\"/login\">\
    </form></body></html>";

impl Wrong {
    fn response(&self, bkci: &BkCi, incoming: &Incoming, truth: Option<Answer>, reset: &AtomicBool) -> Response {
        let body =
            || truth.unwrap_or_else(|| Answer::success(&json!({"id": "b-0", "filling": "0".repeat(200)}).to_string()));
        let refusal = |failure: &Failure| bkci.refusal(failure, incoming).into_response();
        match self {
            Wrong::Lost => Cut::response(),
            Wrong::Reset => {
                reset.store(true, Ordering::SeqCst);
                Cut::response()
            }
            Wrong::RequestTimeout => refusal(&Failure::timed_out()),
            Wrong::ServerError => refusal(&Failure::exception()),
            Wrong::Unparsable => refusal(&Failure::code(2100110, &["502", "<html>"])),
            Wrong::Refusal(code) => refusal(&Failure::code(*code, &[])),
            Wrong::Gateway(code) => Answer::gateway(&GatewayFailure::of(*code, None)).into_response(),
            Wrong::GatewayAs200(code) => {
                let answer = Answer::gateway(&GatewayFailure::of(*code, None));
                Answer { status: 200, ..answer }.into_response()
            }
            Wrong::RateLimited { reset_s } => Answer::gateway(&GatewayFailure::of(1642902, None))
                .header("X-Bkapi-RateLimit-Limit", "10")
                .header("X-Bkapi-RateLimit-Remaining", "0")
                .header("X-Bkapi-RateLimit-Reset", reset_s.to_string())
                .header("X-Bkapi-RateLimit-Plugin", "bk-stage-rate-limit")
                .into_response(),
            Wrong::NginxBadGateway => Answer::text(502, "text/html", NGINX_502).into_response(),
            Wrong::Html200 => Answer::text(200, "text/html; charset=utf-8", LOGIN_PAGE).into_response(),
            Wrong::Empty200 => Answer::json(200, &json!({})).with_body(Body::empty()),
            Wrong::Truncated => truncated(body()),
            Wrong::Huge { bytes } => huge(*bytes),
            Wrong::SlowDrip { every } => slow(body(), *every),
            Wrong::Redirect { to } => Answer::text(302, "text/html", "").header("Location", to.clone()).into_response(),
            Wrong::PlainForbidden => Answer::text(403, "text/plain", "You do not have permission to access")
                .header("X-Bkapi-Request-Id", request_id())
                .into_response(),
        }
    }
}

/// Announces the whole length, sends half. Between half and break the stream is pending once: only then are the
/// headers and the half on the wire, and the client has seen a status.
fn truncated(answer: Answer) -> Response {
    let length = answer.body.len();
    let half = stream::iter([Ok(answer.body[..length / 2].to_vec())]);
    let broken = stream::once(async {
        tokio::task::yield_now().await;
        Err(std::io::Error::other("the double breaks this body off"))
    });
    answer.header("Content-Length", length.to_string()).with_body(Body::from_stream(half.chain(broken)))
}

fn huge(bytes: usize) -> Response {
    const CHUNK: usize = 64 * 1024;
    let opening = br#"{"status":0,"data":{"id":""#.to_vec();
    let filling = std::iter::repeat_with(|| vec![b'a'; CHUNK]).take(bytes / CHUNK);
    let parts = std::iter::once(opening).chain(filling).map(Ok::<_, Infallible>);
    Answer::json(200, &json!({})).with_body(Body::from_stream(stream::iter(parts)))
}

fn slow(answer: Answer, every: Duration) -> Response {
    let bytes = answer.body.clone().into_iter();
    let drip = stream::unfold(bytes, move |mut bytes| async move {
        let byte = bytes.next()?;
        tokio::time::sleep(every).await;
        Some((Ok::<_, Infallible>(vec![byte]), bytes))
    });
    answer.with_body(Body::from_stream(drip))
}

/// Whether this double can answer with the code: a wrong order is a mistake in the test.
pub(super) fn is_orderable(fault: &Fault) -> bool {
    match &fault.wrong {
        Some(Wrong::Refusal(code)) => Failure::knows(*code),
        _ => true,
    }
}
