//! The pace of background reads: `bkci.max_requests_per_s`. What a person waits for does not queue here.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Turns are this much further apart than the limit asks for, so that what arrives late on its way does not make one
/// more in a second.
const SLACK: f64 = 1.04;

/// Hands out turns, one after another and none saved up: no second has more of them than it may. Whoever wakes late
/// makes the next one wait. It protects a service outside, so it counts real time whatever the program's clock says.
#[derive(Debug)]
pub struct Pace {
    every: Duration,
    /// Held by who waits for the next turn; the others queue for it.
    next: Mutex<Instant>,
}

impl Pace {
    /// So many turns a second.
    pub fn new(per_s: u32) -> Self {
        let every = Duration::from_secs(1).mul_f64(SLACK) / per_s.max(1);
        Self { every, next: Mutex::new(Instant::now()) }
    }

    /// Waits for a turn.
    pub async fn turn(&self) {
        let mut next = self.next.lock().await;
        tokio::time::sleep_until(*next).await;
        *next = Instant::now() + self.every;
    }

    /// Whether nobody waits for a turn: for what can also be read later.
    pub fn is_idle(&self) -> bool {
        self.next.try_lock().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// However late somebody wakes, the next turn is as far away: so the gaps alone bound every second.
    #[tokio::test]
    async fn no_second_has_more_turns_than_it_may_however_many_wait_for_one() {
        for per_s in 1..=1000 {
            assert!(Pace::new(per_s).every * per_s > Duration::from_secs(1), "{per_s}");
        }
        let (pace, begun) = (Arc::new(Pace::new(1000)), Instant::now());
        let waiting: Vec<_> = (0..40)
            .map(|_| {
                let pace = pace.clone();
                tokio::spawn(async move { pace.turn().await })
            })
            .collect();
        for turn in waiting {
            turn.await.expect("a turn");
        }
        assert!(begun.elapsed() >= pace.every * 39, "forty turns have a gap between each two");
    }

    #[tokio::test]
    async fn it_is_idle_when_nobody_waits() {
        let pace = Arc::new(Pace::new(1));
        pace.turn().await;
        assert!(pace.is_idle(), "the next turn is free");
        let waiting = tokio::spawn({
            let pace = pace.clone();
            async move { pace.turn().await }
        });
        tokio::task::yield_now().await;
        assert!(!pace.is_idle());
        waiting.abort();
        assert!(waiting.await.is_err() && pace.is_idle(), "who waits no more holds nothing up");
    }
}
