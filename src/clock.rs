//! What time it is, read at the edges only, and waiting for a moment.
//!
//! In production this is the system's clock. A test moves it forward, and whoever waits wakes at once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::model::{Timestamp, millis};

/// A clock. Clones share the offset.
#[derive(Clone, Debug)]
pub struct Clock {
    offset_ms: watch::Sender<i64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { offset_ms: watch::Sender::new(0) }
    }
}

impl Clock {
    /// Now.
    pub fn now(&self) -> Timestamp {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(millis(since_1970).saturating_add(*self.offset_ms.borrow()))
    }

    /// Moves this clock forward, for tests.
    pub fn advance(&self, by: Duration) {
        self.offset_ms.send_modify(|offset| *offset += millis(by));
    }

    /// Waits until `at`.
    pub async fn until(&self, at: Timestamp) {
        let mut moved = self.offset_ms.subscribe();
        loop {
            let left = at.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                _ = moved.changed() => {}
            }
        }
    }

    /// Waits for `span`.
    pub async fn sleep(&self, span: Duration) {
        self.until(self.now().plus(span)).await;
    }
}
