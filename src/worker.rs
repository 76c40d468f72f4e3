//! The one loop of every worker: wake or poll, step until idle, back off on errors, stop when told.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// How often rows are looked at when nobody rings.
pub const POLL: Duration = Duration::from_secs(1);

/// First wait after an error; doubles up to [`BACK_OFF_TO`].
const BACK_OFF_FROM: Duration = Duration::from_millis(200);

/// Longest wait after an error.
const BACK_OFF_TO: Duration = Duration::from_secs(10);

/// A worker: what it is called, and when it looks for work.
#[derive(Clone, Debug)]
pub struct Worker {
    /// For logs.
    pub name: &'static str,
    /// Rings when there is work.
    pub bell: Arc<Notify>,
    /// How often it looks when nobody rings.
    pub poll: Duration,
    /// What time it is.
    pub clock: Clock,
    /// Ends it.
    pub shutdown: CancellationToken,
}

/// Runs `step` until the worker is to end. A step that is under way is finished.
pub async fn run<S, F>(worker: Worker, step: S)
where
    S: Fn() -> F,
    F: Future<Output = anyhow::Result<bool>>,
{
    let Worker { name, bell, poll, clock, shutdown } = worker;
    let mut wait = BACK_OFF_FROM;
    while !shutdown.is_cancelled() {
        // A panic ends the step, not the worker: others wait for it.
        let stepped = AssertUnwindSafe(async { step().await }).catch_unwind().await;
        match stepped.unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked"))) {
            Ok(true) => {
                wait = BACK_OFF_FROM;
                continue;
            }
            Ok(false) => {
                wait = BACK_OFF_FROM;
                tokio::select! {
                    () = bell.notified() => {}
                    () = clock.sleep(poll) => {}
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_step_that_fails_or_panics_is_repeated() {
        let (steps, stop) = (Arc::new(AtomicU32::new(0)), CancellationToken::new());
        let (counted, told) = (steps.clone(), stop.clone());
        let step = move || {
            let (step, told) = (counted.fetch_add(1, Ordering::Relaxed), told.clone());
            async move {
                match step {
                    0 => panic!("on purpose"),
                    1 => anyhow::bail!("on purpose"),
                    _ => {
                        told.cancel();
                        Ok(false)
                    }
                }
            }
        };
        let (bell, clock) = (Arc::default(), Clock::default());
        run(Worker { name: "test", bell, poll: POLL, clock, shutdown: stop }, step).await;
        assert_eq!(steps.load(Ordering::Relaxed), 3);
    }
}
