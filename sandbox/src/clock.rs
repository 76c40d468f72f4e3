//! The time both doubles live in: the system's clock plus an offset that a test moves forward, so that three
//! seconds, fifteen minutes or twenty-eight days pass at once and no test sleeps.

use std::time::Duration;

use tokio::sync::watch;

/// A clock that only ever moves forward. Clones share the offset.
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
    /// Milliseconds since 1970, UTC, as this world sees them.
    pub fn now_ms(&self) -> i64 {
        let since_1970 = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX) + *self.offset_ms.borrow()
    }

    /// Lets `by` pass at once, and wakes whoever waits in [`Clock::until`].
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.offset_ms.send_modify(|offset| *offset += by);
    }

    /// Waits until `at_ms`, by real time or because the clock was moved.
    pub async fn until(&self, at_ms: i64) {
        let mut moved = self.offset_ms.subscribe();
        loop {
            let left = at_ms - self.now_ms();
            let Ok(left) = u64::try_from(left) else { return };
            if left == 0 {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left)) => {}
                _ = moved.changed() => {}
            }
        }
    }
}
