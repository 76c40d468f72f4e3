//! Logs and metrics.
//!
//! Libraries that put interaction tokens or addresses into their spans stay at `warn` whatever the operator asks for
//! (stack.md 1.4). Metrics live in a registry of their own, so that two bots in one process do not mix.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::LogFormat;

/// Never below `warn`: serenity's INFO spans hold interaction tokens, the others log addresses.
const QUIET: [&str; 7] = ["serenity", "tungstenite", "hyper", "hyper_util", "h2", "reqwest", "sqlx"];

/// Starts logging to standard error, for the whole process.
pub fn init(format: LogFormat, level: &str) {
    let layer: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Text => fmt::layer().with_writer(std::io::stderr).boxed(),
        LogFormat::Json => fmt::layer().json().with_writer(std::io::stderr).boxed(),
    };
    tracing_subscriber::registry().with(layer).with(filter(level)).init();
}

/// What is logged at a level that the configuration allows.
pub fn filter(level: &str) -> EnvFilter {
    let filter = EnvFilter::try_new(level).unwrap_or_default();
    QUIET.iter().fold(filter, |filter, module| match format!("{module}=warn").parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    })
}

/// A subscriber that writes where the caller wants; for tests that read what was logged.
pub fn subscriber<W>(level: &str, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::registry().with(fmt::layer().with_ansi(false).with_writer(writer)).with(filter(level))
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

/// What is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    interactions: Counter<u64, AtomicU64>,
    undecodable: Counter<u64, AtomicU64>,
    operations: Family<ByOutcome, Counter>,
    deliveries: Family<ByOutcome, Counter>,
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
        Self { registry, interactions, undecodable, operations, deliveries }
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
    fn libraries_that_log_tokens_stay_quiet_at_any_level() {
        for level in ["trace", "serenity=trace", "debug,serenity=info"] {
            let filter = filter(level).to_string();
            assert!(filter.contains("serenity=warn"), "{filter}");
            assert!(!filter.contains("serenity=trace") && !filter.contains("serenity=info"), "{filter}");
        }
    }

    #[test]
    fn what_is_counted_can_be_read() {
        let metrics = Metrics::default();
        metrics.operation("accepted");
        assert!(metrics.encode().contains("reprise_operations_total{outcome=\"accepted\"} 1"));
    }
}
