//! Logs and metrics.
//!
//! Libraries that put interaction tokens or addresses into their spans stay at `warn` whatever the operator asks for
//! (stack.md 1.4). Metrics live in a registry of their own, so that two bots in one process do not mix.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::LogFormat;

/// Never below `warn`: serenity's INFO spans hold interaction tokens, the others log addresses.
const QUIET: [&str; 8] =
    ["serenity", "tungstenite", "tokio_tungstenite", "hyper", "hyper_util", "h2", "reqwest", "sqlx"];

/// Starts logging to standard error, for the whole process.
pub fn init(format: LogFormat, level: &str) {
    let layer: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Text => fmt::layer().with_writer(std::io::stderr).boxed(),
        LogFormat::Json => fmt::layer().json().with_writer(std::io::stderr).boxed(),
    };
    tracing_subscriber::registry().with(layer).with(filter(level)).with(quiet()).init();
}

/// What is logged at a level that the configuration allows.
pub fn filter(level: &str) -> EnvFilter {
    EnvFilter::try_new(level).unwrap_or_default()
}

/// What is never logged, whatever the configuration says. A filter of its own: among the directives of one filter the
/// narrower wins, so that `serenity::http=trace` or `[span]=trace` would undo a `serenity=warn` beside it.
fn quiet() -> Targets {
    let everything = Targets::new().with_default(LevelFilter::TRACE);
    everything.with_targets(QUIET.map(|module| (module, LevelFilter::WARN)))
}

/// A subscriber that writes where the caller wants; for tests that read what was logged.
pub fn subscriber<W>(level: &str, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_ansi(false).with_writer(writer);
    tracing_subscriber::registry().with(layer).with(filter(level)).with(quiet())
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Call {
    endpoint: &'static str,
    outcome: &'static str,
}

/// In seconds: from a cached answer to the longest that a call may take with the default time-outs.
const CALL_TAKES_S: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 45.0];

/// What is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    interactions: Counter<u64, AtomicU64>,
    undecodable: Counter<u64, AtomicU64>,
    operations: Family<ByOutcome, Counter>,
    deliveries: Family<ByOutcome, Counter>,
    bkci_requests: Family<Call, Counter>,
    bkci_durations: Family<Call, Histogram, fn() -> Histogram>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("reprise");
        let metrics = (Counter::default(), Counter::default(), Family::default(), Family::default());
        let (interactions, undecodable, operations, deliveries) = metrics;
        registry.register("interactions", "Interactions that arrived", interactions.clone());
        registry.register("interactions_undecodable", "Interactions that could not be decoded", undecodable.clone());
        registry.register("operations", "Wishes that BK-CI was asked for, by how they stand", operations.clone());
        registry.register("deliveries", "Texts said on Discord, by what became of them", deliveries.clone());
        let bkci_requests = Family::default();
        let bkci_durations: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(CALL_TAKES_S));
        registry.register("bkci_requests", "Calls of BK-CI, by how they ended", bkci_requests.clone());
        let help = "How long they took, answer included";
        registry.register_with_unit("bkci_request_duration", help, Unit::Seconds, bkci_durations.clone());
        Self { registry, interactions, undecodable, operations, deliveries, bkci_requests, bkci_durations }
    }
}

impl Metrics {
    /// An interaction arrived.
    pub fn interaction_received(&self) {
        self.interactions.inc();
    }

    /// An interaction could not be decoded.
    pub fn interaction_undecodable(&self) {
        self.undecodable.inc();
    }

    /// A wish came to something.
    pub fn operation(&self, outcome: &'static str) {
        self.operations.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// A text was said, postponed or given up.
    pub fn delivery(&self, outcome: &'static str) {
        self.deliveries.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// A call of BK-CI has ended.
    pub fn bkci_call(&self, endpoint: &'static str, outcome: &'static str, took: Duration) {
        let call = Call { endpoint, outcome };
        self.bkci_requests.get_or_create(&call).inc();
        self.bkci_durations.get_or_create(&call).observe(took.as_secs_f64());
    }

    /// As OpenMetrics text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_directive_is_narrow_enough_to_let_a_token_out() {
        let narrow = ["info,serenity::http=trace", "info,[perform]=trace"];
        for level in ["trace", "info,serenity=trace", "debug,serenity=info"].into_iter().chain(narrow) {
            let log = Log::default();
            tracing::subscriber::with_default(subscriber(level, log.clone()), || {
                let span = tracing::info_span!(target: "serenity::http::client", "perform", token = "hunter2");
                let _inside = span.enter();
                tracing::info!(target: "serenity::http::client", "hunter2");
                tracing::trace!(target: "tokio_tungstenite", "hunter2");
                tracing::warn!(target: "serenity::gateway", "kept");
                tracing::error!(target: "reprise", "ours");
            });
            let logged = log.text();
            assert!(!logged.contains("hunter2"), "{level}: {logged}");
            assert!(logged.contains("ours") && logged.contains("kept"), "{level}: {logged}");
        }
    }

    /// A writer that keeps what was logged.
    #[derive(Clone, Default)]
    struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl Log {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("no panic while logging").clone()).expect("UTF-8")
        }
    }

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic while logging").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl fmt::MakeWriter<'_> for Log {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn what_is_counted_can_be_read() {
        let metrics = Metrics::default();
        metrics.operation("accepted");
        metrics.bkci_call("retry", "ok", Duration::from_millis(300));
        let text = metrics.encode();
        for line in [
            "reprise_operations_total{outcome=\"accepted\"} 1",
            "reprise_bkci_requests_total{endpoint=\"retry\",outcome=\"ok\"} 1",
            "reprise_bkci_request_duration_seconds_sum{endpoint=\"retry\",outcome=\"ok\"} 0.3",
            "reprise_bkci_request_duration_seconds_bucket{le=\"0.25\",endpoint=\"retry\",outcome=\"ok\"} 0",
            "reprise_bkci_request_duration_seconds_bucket{le=\"0.5\",endpoint=\"retry\",outcome=\"ok\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
