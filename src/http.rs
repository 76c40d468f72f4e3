//! What the program answers over HTTP (contract 3).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use crate::callback::{self, Callback};
use crate::discord::endpoint::{self, Endpoint};

/// Interactions are a few kilobytes; a whole message that a command is used on fits too.
const BODY_MAX: usize = 1024 * 1024;

/// Nothing here takes long.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What is under way when the server is told to stop may take so long; somebody who sent half a request is not waited for.
const LINGER: Duration = Duration::from_secs(3);

/// Says `ok` or `standby`, or why the program is not ready.
pub type Ready = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, String>> + Send>> + Send + Sync>;

/// What the router is made of.
pub struct Parts {
    /// For `/readyz`.
    pub ready: Ready,
    /// For `/metrics`.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// For `/discord/interactions`; absent with the gateway.
    pub endpoint: Option<Endpoint>,
    /// For `/bkci/callback`; absent without a token.
    pub callback: Option<Callback>,
}

/// Builds the router.
pub fn router(parts: Parts) -> Router {
    let Parts { ready, metrics, endpoint, callback } = parts;
    let readyz = move || {
        let asked = ready();
        async move {
            match asked.await {
                Ok(text) => (StatusCode::OK, text),
                Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
            }
        }
    };
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut router = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(async move || ([(header::CONTENT_TYPE, content_type)], metrics()).into_response()));
    if let Some(endpoint) = endpoint {
        router = router.route("/discord/interactions", post(endpoint::receive).with_state(endpoint));
    }
    router = router.layer(RequestBodyLimitLayer::new(BODY_MAX));
    if let Some(callback) = callback {
        // It bounds the body by itself: BK-CI takes any answer for success, so a refusal would tell nobody anything.
        router = router.route("/bkci/callback", post(callback::receive).with_state(callback));
    }
    router
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, ANSWER_WITHIN))
        .layer(CatchPanicLayer::new())
}

/// Serves until `shutdown`, then finishes what is under way, within three seconds.
///
/// # Errors
/// The listener broke.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) -> anyhow::Result<()> {
    let address = listener.local_addr().context("reading the address of http.listen")?;
    tracing::info!("listening on http://{address}");
    let late = {
        let shutdown = shutdown.clone();
        async move {
            shutdown.cancelled().await;
            tokio::time::sleep(LINGER).await;
        }
    };
    let serving = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned());
    tokio::select! {
        served = async { serving.await } => served.context("serving HTTP"),
        () = late => Ok(()),
    }
}
