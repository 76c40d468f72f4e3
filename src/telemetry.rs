//! Logs and metrics.
//!
//! Libraries that put interaction tokens, frames or addresses into what they log stay quiet whatever the operator asks
//! for (stack.md 1.4). Metrics live in a registry of their own, so that two bots in one process do not mix.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::LogFormat;

/// Never louder. serenity's INFO spans hold interaction tokens; its warnings quote a frame it cannot parse, and the
/// address of a request that was answered unexpectedly, both with tokens. The others log addresses.
const QUIET: [(&str, LevelFilter); 8] = [
    ("serenity", LevelFilter::ERROR),
    ("tungstenite", LevelFilter::WARN),
    ("tokio_tungstenite", LevelFilter::WARN),
    ("hyper", LevelFilter::WARN),
    ("hyper_util", LevelFilter::WARN),
    ("h2", LevelFilter::WARN),
    ("reqwest", LevelFilter::WARN),
    ("sqlx", LevelFilter::WARN),
];

/// Starts logging to standard error, for the whole process; panics too.
pub fn init(format: LogFormat, level: &str) {
    let layer: Box<dyn Layer<_> + Send + Sync> = match format {
        // Colours are for people: in a file or a journal they would be noise.
        LogFormat::Text => fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr).boxed(),
        LogFormat::Json => fmt::layer().json().with_writer(std::io::stderr).boxed(),
    };
    tracing_subscriber::registry().with(layer).with(filter(level)).with(quiet()).init();
    std::panic::set_hook(Box::new(tell_panic));
}

/// Its message may quote anything, so only the place is told.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "a panic");
}

/// What is logged at a level that the configuration allows.
pub fn filter(level: &str) -> EnvFilter {
    EnvFilter::try_new(level).unwrap_or_default()
}

/// What is never logged, whatever the configuration says. A filter of its own: among the directives of one filter the
/// narrower wins, so that `serenity::http=trace` or `[span]=trace` would undo a `serenity=warn` beside it.
fn quiet() -> Targets {
    let everything = Targets::new().with_default(LevelFilter::TRACE);
    everything.with_targets(QUIET)
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
    callbacks: Family<ByOutcome, Counter>,
    looks: Family<ByOutcome, Counter>,
    bkci_requests: Family<Call, Counter>,
    bkci_durations: Family<Call, Histogram, fn() -> Histogram>,
    rate_limits: Gauge<i64, AtomicI64>,
}

impl Metrics {
    /// With what the store counts: its transactions that changed something.
    pub fn new(transactions: Counter) -> Self {
        let mut registry = Registry::with_prefix("reprise");
        let metrics = (Counter::default(), Counter::default(), Family::default(), Family::default());
        let (interactions, undecodable, operations, deliveries) = metrics;
        registry.register("interactions", "Interactions that arrived", interactions.clone());
        registry.register("interactions_undecodable", "Interactions that could not be decoded", undecodable.clone());
        registry.register("operations", "Wishes that BK-CI was asked for, by how they stand", operations.clone());
        registry.register("deliveries", "Texts said on Discord, by what became of them", deliveries.clone());
        let callbacks = Family::default();
        registry.register("callbacks", "Callbacks of BK-CI, by what became of them", callbacks.clone());
        let looks = Family::default();
        registry.register("looks", "Looks at followed and watched pipelines, by how they ended", looks.clone());
        let bkci_requests = Family::default();
        let bkci_durations: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(CALL_TAKES_S));
        registry.register("bkci_requests", "Calls of BK-CI, by how they ended", bkci_requests.clone());
        let help = "How long they took, answer included";
        registry.register_with_unit("bkci_request_duration", help, Unit::Seconds, bkci_durations.clone());
        registry.register("store_transactions", "Transactions that changed rows", transactions);
        let rate_limits = Gauge::default();
        registry.register("discord_rate_limits", "Routes whose rate limits are remembered", rate_limits.clone());
        Self {
            registry,
            interactions,
            undecodable,
            operations,
            deliveries,
            callbacks,
            looks,
            bkci_requests,
            bkci_durations,
            rate_limits,
        }
    }

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

    /// A pipeline was looked at for what is followed and watched.
    pub fn look(&self, outcome: &'static str) {
        self.looks.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// A text was said, postponed or given up.
    pub fn delivery(&self, outcome: &'static str) {
        self.deliveries.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// BK-CI told something by itself.
    pub fn callback(&self, outcome: &'static str) {
        self.callbacks.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// A call of BK-CI has ended.
    pub fn bkci_call(&self, endpoint: &'static str, outcome: &'static str, took: Duration) {
        let call = Call { endpoint, outcome };
        self.bkci_requests.get_or_create(&call).inc();
        self.bkci_durations.get_or_create(&call).observe(took.as_secs_f64());
    }

    /// How many of Discord's routes are remembered with their limits.
    pub fn rate_limits(&self, routes: usize) {
        self.rate_limits.set(i64::try_from(routes).unwrap_or(i64::MAX));
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
                tracing::warn!(target: "serenity::gateway::ws", "text: hunter2");
                tracing::error!(target: "serenity::gateway", "kept");
                tracing::error!(target: "reprise", "ours");
            });
            let logged = log.text();
            assert!(!logged.contains("hunter2"), "{level}: {logged}");
            assert!(logged.contains("ours") && logged.contains("kept"), "{level}: {logged}");
        }
    }

    #[test]
    fn a_panic_is_logged_by_its_place_and_not_by_its_message() {
        let log = Log::default();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(tell_panic));
        let ended = tracing::subscriber::with_default(subscriber("info", log.clone()), || {
            std::panic::catch_unwind(|| panic!("hunter2"))
        });
        std::panic::set_hook(before);
        assert!(ended.is_err());
        let logged = log.text();
        assert!(logged.contains("telemetry.rs") && !logged.contains("hunter2"), "{logged}");
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
        let transactions = Counter::default();
        let metrics = Metrics::new(transactions.clone());
        metrics.operation("accepted");
        metrics.bkci_call("retry", "ok", Duration::from_millis(300));
        metrics.rate_limits(3);
        transactions.inc();
        let text = metrics.encode();
        for line in [
            "reprise_operations_total{outcome=\"accepted\"} 1",
            "reprise_bkci_requests_total{endpoint=\"retry\",outcome=\"ok\"} 1",
            "reprise_bkci_request_duration_seconds_sum{endpoint=\"retry\",outcome=\"ok\"} 0.3",
            "reprise_bkci_request_duration_seconds_bucket{le=\"0.25\",endpoint=\"retry\",outcome=\"ok\"} 0",
            "reprise_bkci_request_duration_seconds_bucket{le=\"0.5\",endpoint=\"retry\",outcome=\"ok\"} 1",
            "reprise_discord_rate_limits 3",
            "reprise_store_transactions_total 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
