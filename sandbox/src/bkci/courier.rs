//! Sends callbacks (bkci-api.md 11.3, 11.4): real requests, to this machine alone, as builds move by the clock.
//!
//! Any answer is a success; only a time-out is tried again. The order is not kept, as in the real service: up to eight
//! are under way at a time. What was sent, and what became of it, can be looked at.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::redirect::Policy;
use tokio::sync::Semaphore;

use super::book::Happened;
use super::gateway::request_id;
use super::hook_url;
use super::hooks::Hook;
use super::world::World;
use super::{BkCi, LOOK_EVERY};

/// 11.4: to connect, and to be answered.
pub(super) const TIMEOUT: Duration = Duration::from_secs(3);
/// 11.4: after a time-out.
const MORE_ATTEMPTS: u32 = 3;
/// 11.4
const BETWEEN: Duration = Duration::from_millis(500);
/// How many are under way at a time: this double's choice.
const AT_A_TIME: usize = 8;
/// How long [`BkCi::callbacks_settled`] waits, in real time: a receiver that never answers takes 13.5 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// How callbacks travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Courier {
    /// Each once, soon.
    #[default]
    Prompt,
    /// None arrives.
    Loses,
    /// Each twice.
    Doubles,
    /// Those that are due at the same moment go out one after another, the last first.
    Reverses,
    /// None leaves until another way is ordered; then all leave, each telling how things stand by then.
    Holds,
}

/// A callback that was sent, or would have been.
#[derive(Clone, Debug)]
pub struct SentCallback {
    /// Position among all, from 0.
    pub index: usize,
    /// `CallBackEvent`; empty for a re-send.
    pub event: String,
    /// The build that it tells of.
    pub build: String,
    /// Where to.
    pub url: String,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Real time from the start of the last attempt to the head of its answer, or to its failure.
    pub took: Duration,
    /// What became of it.
    pub outcome: Posted,
}

/// What became of a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It is under way.
    Waiting,
    /// It was lost, as ordered.
    Lost,
    /// Its address is not on this machine: a double sends nothing there.
    NotHere,
    /// It was answered with this HTTP status: a success, whatever it is.
    Answered(u16),
    /// No answer in time, four times.
    TimedOut,
    /// It could not be sent or the connection broke: not tried again.
    Failed,
}

/// Something to send.
pub(super) struct Outgoing {
    url: String,
    token: Option<String>,
    build: String,
    /// `None`: an entry of the history, sent again with nothing in it.
    happened: Option<Happened>,
}

impl World {
    /// Queues what happened to a build for those who want to hear of it.
    /// What happened before a callback was registered is not told to it: a build may be added that ended an hour ago.
    pub(super) fn post(&mut self, build: usize, at: i64, happened: Vec<Happened>) {
        let build = self.builds.get(build);
        for one in happened {
            let event = one.event.as_str();
            let hears = |hook: &&Hook| hook.since_ms <= at && hook.hears(&build.project, &build.pipeline, event);
            for hook in self.hooks.iter().filter(hears) {
                let (url, token) = (hook.url.clone(), hook.token.clone());
                self.outgoing.push(Outgoing { url, token, build: build.id.clone(), happened: Some(one.clone()) });
            }
        }
    }

    fn resend(&mut self, build: &str) {
        let of = self.build(build);
        let mut urls: Vec<String> = Vec::new();
        for hook in self.hooks.iter().filter(|hook| hook.hears(&of.project, &of.pipeline, &hook.event)) {
            if !urls.contains(&hook.url) {
                urls.push(hook.url.clone());
            }
        }
        let again = |url| Outgoing { url, token: None, build: build.to_owned(), happened: None };
        self.outgoing.extend(urls.into_iter().map(again));
    }

    /// Whether callbacks may be due.
    pub(super) fn has_post(&self) -> bool {
        !self.hooks.is_empty() || !self.outgoing.is_empty()
    }

    fn is_posted(&self) -> bool {
        self.under_way == 0 && (self.outgoing.is_empty() || self.settings.courier == Courier::Holds)
    }

    /// Takes what is to be sent now, as it reads now, in the order in which it goes out.
    fn take_post(&mut self) -> Vec<SentCallback> {
        let courier = self.settings.courier;
        if courier == Courier::Holds {
            return Vec::new();
        }
        let mut outgoing = std::mem::take(&mut self.outgoing);
        if courier == Courier::Reverses {
            outgoing.reverse();
        }
        let copies = if courier == Courier::Doubles { 2 } else { 1 };
        let all = outgoing.iter().flat_map(|one| std::iter::repeat_n(one, copies));
        let first = self.sent.len();
        let mut written: Vec<SentCallback> = all.map(|one| self.write(one)).collect();
        for (index, one) in (first..).zip(&mut written) {
            one.index = index;
            if courier == Courier::Loses {
                one.outcome = Posted::Lost;
            }
        }
        self.sent.extend(written.iter().cloned());
        written.retain(|one| one.outcome == Posted::Waiting);
        self.under_way += written.len();
        written
    }

    fn write(&self, one: &Outgoing) -> SentCallback {
        let (event, headers, body) = match &one.happened {
            None => (String::new(), vec![("X-DEVOPS-WEBHOOK-UNIQUE-ID", one.build.clone())], String::new()),
            Some(happened) => {
                let headers = vec![
                    ("Content-Type", "application/json;charset=utf-8".to_owned()),
                    ("X-DEVOPS-WEBHOOK-TOKEN", one.token.clone().unwrap_or_else(|| "NONE".into())),
                    ("X-DEVOPS-TRACE-BIZ-ID", request_id()),
                ];
                let body = self.callback_body(self.build(&one.build), happened).to_string();
                (happened.event.as_str().to_owned(), headers, body)
            }
        };
        let here = Url::parse(&one.url).is_ok_and(|url| hook_url::is_loopback(&url));
        let outcome = if here { Posted::Waiting } else { Posted::NotHere };
        let (build, url, took) = (one.build.clone(), one.url.clone(), Duration::ZERO);
        SentCallback { index: 0, event, build, url, headers, body, attempts: 0, took, outcome }
    }
}

impl BkCi {
    /// Lets callbacks be registered to loopback and private addresses: one step further than the deployment's own
    /// `project.callback.allow-internal-url`, which never lets loopback through (11.1). Not allowed unless said.
    pub fn allow_internal_callbacks(&self, allowed: bool) {
        self.change(|world, _| world.settings.internal_callbacks = allowed);
    }

    /// How callbacks travel from now on, those too that have not left yet.
    pub fn order_callbacks(&self, courier: Courier) {
        self.change(|world, _| world.settings.courier = courier);
    }

    /// Whether callbacks arrive at all, as things are ordered.
    pub fn callbacks_arrive(&self) -> bool {
        self.look(|world| !matches!(world.settings.courier, Courier::Loses | Courier::Holds))
    }

    /// How long a receiver may take to answer, in real time: less than the true three seconds (11.4) where a test means
    /// to wait for the end of it.
    pub fn set_callback_timeout(&self, timeout: Duration) {
        self.change(|world, _| world.settings.callback_timeout = timeout);
    }

    /// Somebody sends what the history has about this build again: an empty body and no token, once to each address
    /// that is registered for its project or pipeline (11.4).
    pub fn resend_empty(&self, build: &str) {
        self.change(|world, _| world.resend(build));
    }

    /// All callbacks so far, in the order in which they went out.
    pub fn sent_callbacks(&self) -> Vec<SentCallback> {
        self.look(|world| world.sent.clone())
    }

    /// Waits until everything that has happened by now was told, lost or held back.
    ///
    /// # Panics
    /// When it takes longer than half a minute of real time.
    pub async fn callbacks_settled(&self) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut changed = self.changes();
        while !self.look(World::is_posted) {
            assert!(tokio::time::Instant::now() < deadline, "callbacks were not sent within {PATIENCE:?}");
            // Either is a reason to look again.
            let _ = tokio::time::timeout(LOOK_EVERY, changed.changed()).await;
        }
    }

    /// Sends what is due, for as long as there is a world.
    pub(super) async fn deliver(self) {
        let limit = Arc::new(Semaphore::new(AT_A_TIME));
        loop {
            let now = self.shared.clock.now_ms();
            let (due, next, in_turn, news) = {
                let mut world = self.world();
                world.step(now);
                let sent = world.sent.len();
                let due = world.take_post();
                let next = if world.hooks.is_empty() { None } else { world.next_event() };
                let in_turn = world.settings.courier == Courier::Reverses;
                (due, next.map(|(at, _)| at), in_turn, world.sent.len() > sent)
            };
            if news {
                self.tell();
            }
            for one in due {
                if in_turn {
                    self.carry(&HTTP, one).await;
                    continue;
                }
                let (bkci, limit) = (self.clone(), limit.clone());
                tokio::spawn(async move {
                    // It is never closed.
                    let _permit = limit.acquire_owned().await;
                    bkci.carry(&HTTP, one).await;
                });
            }
            let moved = async {
                match next {
                    Some(at) => self.shared.clock.until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.shared.post.notified() => {}
                () = moved => {}
            }
        }
    }

    async fn carry(&self, http: &reqwest::Client, mut callback: SentCallback) {
        loop {
            callback.attempts += 1;
            let begun = Instant::now();
            let timeout = self.world().settings.callback_timeout;
            let answer = send(http, &callback, timeout).await;
            callback.took = begun.elapsed();
            callback.outcome = match answer {
                Ok(response) => Posted::Answered(response.status().as_u16()),
                Err(error) if error.is_timeout() && callback.attempts > MORE_ATTEMPTS => Posted::TimedOut,
                Err(error) if error.is_timeout() => {
                    tokio::time::sleep(BETWEEN).await;
                    continue;
                }
                Err(_) => Posted::Failed,
            };
            break;
        }
        let mut world = self.world();
        world.under_way -= 1;
        let index = callback.index;
        world.sent[index] = callback;
        drop(world);
        self.tell();
    }
}

/// One for all doubles of a process: making one reads the system's certificates, which takes longer than many a test. No
/// connection is kept, since it would belong to another test's runtime.
///
/// 11.4: no certificate is looked at, and redirects are followed; here only on this machine.
static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| {
    let policy = Policy::custom(|attempt| {
        if attempt.previous().len() > 10 || !hook_url::is_loopback(attempt.url()) {
            attempt.stop()
        } else {
            attempt.follow()
        }
    });
    reqwest::Client::builder()
        .no_proxy()
        .redirect(policy)
        .connect_timeout(TIMEOUT)
        .danger_accept_invalid_certs(true)
        .pool_max_idle_per_host(0)
        .build()
        .expect("a client of these options")
});

async fn send(
    http: &reqwest::Client,
    callback: &SentCallback,
    timeout: Duration,
) -> reqwest::Result<reqwest::Response> {
    let mut request = http.post(&callback.url).timeout(timeout).body(callback.body.clone());
    for (name, value) in &callback.headers {
        request = request.header(*name, value);
    }
    request.send().await
}
