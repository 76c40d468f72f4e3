//! The one loop of every worker: wake or poll, step until idle, back off on errors, stop when told.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// How often rows are looked at when nobody rings.
const POLL: Duration = Duration::from_secs(1);

/// First wait after an error; doubles up to [`BACK_OFF_TO`].
const BACK_OFF_FROM: Duration = Duration::from_millis(200);

/// Longest wait after an error.
const BACK_OFF_TO: Duration = Duration::from_secs(10);

/// Runs `step` until `shutdown`. A step that is under way is finished.
pub async fn run<S, F>(name: &'static str, bell: Arc<Notify>, clock: Clock, shutdown: CancellationToken, step: S)
where
    S: Fn() -> F,
    F: Future<Output = anyhow::Result<bool>>,
{
    let mut wait = BACK_OFF_FROM;
    while !shutdown.is_cancelled() {
        match step().await {
            Ok(true) => {
                wait = BACK_OFF_FROM;
                continue;
            }
            Ok(false) => {
                wait = BACK_OFF_FROM;
                tokio::select! {
                    () = bell.notified() => {}
                    () = clock.sleep(POLL) => {}
                    () = shutdown.cancelled() => {}
                }
            }
            Err(error) => {
                tracing::error!(worker = name, error = format!("{error:#}"), "a step failed; it will be repeated");
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = shutdown.cancelled() => {}
                }
                wait = (wait * 2).min(BACK_OFF_TO);
            }
        }
    }
}
