//! What commands and workers are given. It cannot speak on Discord: the Discord client is handed to `outbox` and to
//! `discord::handle` alone, so the types keep that rule.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::bkci;
use crate::clock::Clock;
use crate::config::Settings;
use crate::store::Store;
use crate::telemetry::Metrics;

/// Added to the longest call to get a lease: what writing rows may take.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

/// The parts that everything else works with. Clones share them.
#[derive(Clone, Debug)]
pub struct App {
    /// What the operator wants.
    pub settings: Arc<Settings>,
    /// The rows.
    pub store: Store,
    /// BK-CI.
    pub bkci: bkci::Client,
    /// Tells workers that there is something to do.
    pub wake: Arc<Wake>,
    /// What time it is.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// One bell per worker. Losing a ring costs one polling interval.
#[derive(Debug, Default)]
pub struct Wake {
    /// For `recovery`.
    pub receipts: Arc<Notify>,
    /// For `operations`.
    pub operations: Arc<Notify>,
    /// For `operations::hooks`.
    pub hooks: Arc<Notify>,
    /// For `follower`.
    pub follower: Arc<Notify>,
    /// For `outbox`.
    pub outbox: Arc<Notify>,
}

impl App {
    /// How long a claimed operation stays ours: longer than any call to BK-CI.
    pub fn operation_lease(&self) -> Duration {
        self.bkci.longest_call() + LEASE_MARGIN
    }
}
