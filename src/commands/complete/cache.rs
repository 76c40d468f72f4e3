//! What was read lately, and what is being read. Each key is read by one task at a time, which goes on when nobody waits
//! any more: whoever asks next finds what it brought.
//!
//! Promises that nothing is kept for longer than it may be shown, and that there is a bound to how much is kept.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::bkci;
use crate::clock::Clock;
use crate::model::Timestamp;

/// Keys that are kept; the one that was read longest ago makes room.
const KEPT: usize = 256;

/// After so many lives what was read is not even shown while it is read anew.
const LIVES: u32 = 10;

/// After a failure nothing is read for so long: people type several keys a second.
const PAUSE: Duration = Duration::from_secs(3);

/// Values by key, each read anew when its life is over.
pub(super) struct Cache<K, V> {
    life: Duration,
    entries: Mutex<HashMap<K, watch::Sender<State<V>>>>,
}

impl<K, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("life", &self.life).finish_non_exhaustive()
    }
}

struct State<V> {
    value: Option<Arc<V>>,
    /// When the value was read.
    read: Timestamp,
    /// There is nothing beyond it.
    whole: bool,
    /// A task is reading.
    loading: bool,
    /// What the value holds comes from the read that is under way.
    growing: bool,
    /// When it is to be read again.
    stale: Timestamp,
}

/// What is known of a key.
pub(super) struct Known<V> {
    /// Absent while nothing was ever read.
    pub(super) value: Option<Arc<V>>,
    /// There is nothing beyond it, and it is fresh.
    pub(super) whole: bool,
}

impl<K: Eq + Hash + Clone, V> Cache<K, V> {
    pub(super) fn new(life: Duration) -> Self {
        Self { life, entries: Mutex::default() }
    }

    /// What is known of a key by the deadline, or as soon as everything is. Starts to read it unless it is fresh, or
    /// being read.
    pub(super) async fn get<L>(
        &self,
        key: K,
        (clock, deadline): (&Clock, Timestamp),
        load: impl FnOnce(Filling<V>) -> L,
    ) -> Known<V>
    where
        L: Future<Output = ()> + Send + 'static,
    {
        let state = self.entry(key);
        let now = clock.now();
        let starts = state.send_if_modified(|state| {
            let starts = !state.loading && now >= state.stale;
            state.loading |= starts;
            starts
        });
        if starts {
            let filling = Filling { state: state.clone(), clock: clock.clone(), life: self.life, done: false };
            tokio::spawn(load(filling));
        }
        let mut seen = state.subscribe();
        tokio::select! {
            _ = seen.wait_for(|state| !state.loading) => {}
            () = clock.until(deadline) => {}
        }
        self.known(&state, clock.now())
    }

    /// What is known of a key, without reading it.
    pub(super) fn peek(&self, key: &K, now: Timestamp) -> Known<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).map_or(Known { value: None, whole: false }, |state| self.known(state, now))
    }

    fn known(&self, state: &watch::Sender<State<V>>, now: Timestamp) -> Known<V> {
        let state = state.borrow();
        let shown = now.since(state.read) < self.life * LIVES;
        Known {
            value: state.value.clone().filter(|_| shown),
            whole: state.whole && !state.loading && now < state.stale,
        }
    }

    fn entry(&self, key: K) -> watch::Sender<State<V>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= KEPT && !entries.contains_key(&key) {
            let idle = entries.iter().filter(|(_, state)| !state.borrow().loading);
            let oldest = idle.min_by_key(|(_, state)| state.borrow().read).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                entries.remove(&oldest);
            }
        }
        let never = Timestamp(i64::MIN);
        let empty = || State { value: None, read: never, whole: false, loading: false, growing: false, stale: never };
        entries.entry(key).or_insert_with(|| watch::Sender::new(empty())).clone()
    }
}

/// The one task that reads a key. Dropped before it is done, it has failed.
pub(super) struct Filling<V> {
    state: watch::Sender<State<V>>,
    clock: Clock,
    life: Duration,
    done: bool,
}

impl<V> Filling<V> {
    /// A beginning was read. It does not take the place of something whole that was read before.
    pub(super) fn so_far(&self, value: V) {
        let now = self.clock.now();
        self.state.send_if_modified(|state| {
            if state.value.is_none() || state.growing {
                (state.value, state.read, state.growing) = (Some(Arc::new(value)), now, true);
            }
            // Whoever waits, waits for the end.
            false
        });
    }

    /// Everything that will be read was read.
    pub(super) fn done(mut self, value: V, whole: bool) {
        self.done = true;
        let now = self.clock.now();
        let stale = now.plus(self.life);
        let value = Some(Arc::new(value));
        self.state.send_replace(State { value, read: now, whole, loading: false, growing: false, stale });
    }

    /// It could not be read. What somebody may not see any more is forgotten at once.
    pub(super) fn failed(self, error: &bkci::Error) {
        tracing::debug!(%error, "a list to choose from could not be read");
        if let bkci::Error::Rejected(_) | bkci::Error::Misconfigured { .. } = error {
            self.state.send_modify(|state| state.value = None);
        }
    }
}

impl<V> Drop for Filling<V> {
    fn drop(&mut self) {
        if !self.done {
            let stale = self.clock.now().plus(PAUSE);
            self.state.send_modify(|state| {
                (state.loading, state.growing, state.whole, state.stale) = (false, false, false, stale)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(60);

    struct Scene {
        clock: Clock,
        cache: Cache<&'static str, u32>,
    }

    impl Scene {
        fn set() -> Self {
            Self { clock: Clock::default(), cache: Cache::new(LIFE) }
        }

        /// Waits for nothing that is not there at once, or for as long as it takes.
        async fn get<L>(&self, key: &'static str, patient: bool, load: impl FnOnce(Filling<u32>) -> L) -> Option<u32>
        where
            L: Future<Output = ()> + Send + 'static,
        {
            let wait = if patient { Duration::from_secs(3600) } else { Duration::ZERO };
            let deadline = self.clock.now().plus(wait);
            self.cache.get(key, (&self.clock, deadline), load).await.value.map(|value| *value)
        }

        async fn read(&self, value: u32) -> Option<u32> {
            self.get("a", true, |filling| async move { filling.done(value, true) }).await
        }
    }

    #[tokio::test]
    async fn what_is_fresh_is_not_read_again() {
        let scene = Scene::set();
        assert_eq!(scene.read(1).await, Some(1));
        scene.clock.advance(LIFE - Duration::from_secs(1));
        assert_eq!(scene.read(2).await, Some(1));
        assert!(scene.cache.peek(&"a", scene.clock.now()).whole);
        scene.clock.advance(Duration::from_secs(1));
        assert!(!scene.cache.peek(&"a", scene.clock.now()).whole);
        assert_eq!(scene.read(3).await, Some(3));
    }

    #[tokio::test]
    async fn whoever_cannot_wait_gets_what_is_known_and_the_reading_goes_on() {
        let scene = Scene::set();
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        let slow = |filling: Filling<u32>| async move {
            filling.so_far(1);
            let _ = released.await;
            filling.done(2, true);
        };
        assert_eq!(scene.get("a", false, slow).await, None);
        tokio::task::yield_now().await;
        let again = |_: Filling<u32>| async { panic!("it is being read") };
        assert_eq!(scene.get("a", false, again).await, Some(1));
        let _ = release.send(());
        assert_eq!(scene.get("a", true, again).await, Some(2));
    }

    #[tokio::test]
    async fn while_it_is_read_anew_the_whole_of_before_stands_but_not_for_ever() {
        let scene = Scene::set();
        scene.read(1).await;
        scene.clock.advance(LIFE);
        let begun = |filling: Filling<u32>| async move {
            filling.so_far(7);
            std::future::pending::<()>().await;
        };
        assert_eq!(scene.get("a", false, begun).await, Some(1));
        tokio::task::yield_now().await;
        assert_eq!(scene.get("a", false, |_| async {}).await, Some(1), "a part does not take its place");
        scene.clock.advance(LIFE * (LIVES - 1));
        assert_eq!(scene.get("a", false, |_| async {}).await, None);
    }

    #[tokio::test]
    async fn a_failure_keeps_what_is_known_unless_it_is_a_refusal() {
        let scene = Scene::set();
        scene.read(1).await;
        scene.clock.advance(LIFE);
        let lost = |filling: Filling<u32>| async move { filling.failed(&bkci::Error::NotSent { hint: String::new() }) };
        assert_eq!(scene.get("a", true, lost).await, Some(1));
        assert_eq!(scene.read(2).await, Some(1), "it is not tried again at once");
        scene.clock.advance(PAUSE);
        let refused = |filling: Filling<u32>| async move {
            filling.failed(&bkci::Error::Misconfigured { hint: String::new(), said: None })
        };
        assert_eq!(scene.get("a", true, refused).await, None);
        scene.clock.advance(PAUSE);
        let dies = |filling: Filling<u32>| async move { drop(filling) };
        assert_eq!(scene.get("a", true, dies).await, None);
    }

    #[tokio::test]
    async fn no_more_is_kept_than_there_is_room_for() {
        let clock = Clock::default();
        let cache: Cache<usize, ()> = Cache::new(LIFE);
        for key in 0..KEPT + 10 {
            clock.advance(Duration::from_millis(1));
            let deadline = clock.now().plus(LIFE);
            cache.get(key, (&clock, deadline), |filling| async move { filling.done((), true) }).await;
        }
        let kept = |key| cache.peek(&key, clock.now()).value.is_some();
        assert_eq!(cache.entries.lock().expect("no panic").len(), KEPT);
        assert!(!kept(0) && !kept(9) && kept(10) && kept(KEPT + 9), "the oldest make room");
    }
}
