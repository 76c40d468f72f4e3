//! The double of BK-CI: the BlueKing gateway, the openapi service and the process service behind one address.
//!
//! It promises to be no kinder than the real service is documented to be: what the reference says is refused, re-run
//! whole, lost or told wrongly, is so here. It holds a world that a test fills and looks into, moves builds with a
//! [`Clock`], and breaks down in the ways a test orders. It has no function that says beforehand what a retry would
//! run: one runs it and looks at [`BkCi::executed`].
//!
//! Section numbers in this module are those of `bkci-api.md`.

mod acting;
mod book;
mod build;
mod build_plan;
mod builds;
mod callback_body;
mod codes;
mod contract;
mod courier;
mod detail;
mod endpoint;
mod engine;
mod errors;
mod families;
mod faults;
mod gateway;
mod history;
mod hook_url;
mod hooks;
mod incoming;
mod job;
mod line;
mod lists;
mod log;
mod log_text;
mod logs;
mod looking;
mod outcome;
mod plan;
mod retry;
mod routes;
mod serving;
mod status;
mod stop;
mod turn;
mod work;
mod world;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tokio::sync::{Notify, watch};

use crate::clock::Clock;
use crate::port::Port;

pub use build::Defect;
pub use build_plan::{BuildPlan, Trigger, Webhook};
pub use courier::{Courier, Posted, SentCallback};
pub use endpoint::{CallbackCall, Endpoint, LogCall};
pub use errors::Language;
pub use families::Family;
pub use faults::{Fault, On, Ordered, Wrong};
pub use hooks::RegisteredCallback;
pub use looking::{AcceptedRetry, BuildView, JobView, RequestRecord, StageView, TaskView, Via};
pub use outcome::{ErrorType, Fail, Outcome};
pub use plan::{JobPlan, MatrixChild, Options, RunCondition, StagePlan, TaskPlan};
pub use retry::Wish;

pub use status::Status;
pub use world::{Concurrency, Pipeline, PipelineId, Project, ProjectRight, Right};

use errors::Failure;
use line::Line;
use world::{Application, World};

/// The application that every new world knows.
pub const APP_CODE: &str = "reprise";
/// Its secret.
pub const APP_SECRET: &str = "sandbox-app-secret-3f1c9a7be0";

/// How long [`BkCi::wait_for`] waits, in real time.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks even when nothing was told: builds move without telling.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running double. Clones are handles to the same one.
#[derive(Clone)]
pub struct BkCi {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    port: Port,
    application: Mutex<(String, String)>,
    world: Mutex<World>,
    changed: watch::Sender<u64>,
    post: Notify,
    line: tokio::sync::Mutex<Option<Line>>,
}

impl fmt::Debug for BkCi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BkCi").field("address", &self.shared.port.address()).finish_non_exhaustive()
    }
}

/// Why the service refused something that was asked on its own page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status.
    pub http: u16,
    /// `status` of the envelope.
    pub code: u32,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { http: failure.http, code: failure.status }
    }
}

impl BkCi {
    /// Starts an empty world on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(clock: Clock) -> anyhow::Result<Self> {
        // The router needs the handle and the handle needs the port: the port is taken first and not yet served.
        let port = Port::take().context("taking a port for BK-CI's double")?;
        let application =
            Application { code: APP_CODE.into(), secret: APP_SECRET.into(), refused_projects: Default::default() };
        let bkci = Self {
            shared: Arc::new(Shared {
                clock,
                port,
                application: Mutex::new((APP_CODE.into(), APP_SECRET.into())),
                world: Mutex::new(World::new(application)),
                changed: watch::Sender::new(0),
                post: Notify::new(),
                line: tokio::sync::Mutex::new(None),
            }),
        };
        bkci.up().await?;
        tokio::spawn(bkci.clone().deliver());
        Ok(bkci)
    }

    /// What a client of v3 or v4 is configured with: everything before `/apigw-app/v3/…`, shaped as a gateway's (1).
    pub fn base_url(&self) -> String {
        self.base_url_of(Family::V4)
    }

    /// What a client of this family is configured with. All are the same world; only who speaks v4-backend comes past
    /// the gateway. There the service looks at no credentials of the application, and does not check whether it may use
    /// the project: `api.gateway.auth` is off (2.2), unless [`BkCi::demand_gateway`].
    pub fn base_url_of(&self, family: Family) -> String {
        let prefix = match family {
            Family::V3 | Family::V4 => families::GATEWAY,
            Family::V4Backend => families::BACKEND,
        };
        format!("http://{}{prefix}", self.shared.port.address())
    }

    /// The code of the application.
    pub fn app_code(&self) -> String {
        lock(&self.shared.application).0.clone()
    }

    /// The secret of the application.
    pub fn app_secret(&self) -> String {
        lock(&self.shared.application).1.clone()
    }

    /// Every secret that a client of this world may hold: none of them may appear in a log.
    pub fn secrets(&self) -> Vec<String> {
        self.world().known_secrets.iter().cloned().collect()
    }

    /// The world's clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    // ---- the world ----

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.shared.world)
    }

    /// Looks at the world as it is now.
    fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        let mut world = self.world();
        world.step(self.shared.clock.now_ms());
        let found = look(&world);
        self.wake_the_courier(&world);
        found
    }

    /// Changes the world as it is now, and tells whoever waits.
    fn change<T>(&self, change: impl FnOnce(&mut World, i64) -> T) -> T {
        let now = self.shared.clock.now_ms();
        let mut world = self.world();
        world.step(now);
        let result = change(&mut world, now);
        self.wake_the_courier(&world);
        drop(world);
        self.tell();
        result
    }

    /// What was looked at has moved, and what was changed may move otherwise than it would have.
    fn wake_the_courier(&self, world: &World) {
        if world.has_post() {
            self.shared.post.notify_one();
        }
    }

    fn tell(&self) {
        self.shared.changed.send_modify(|count| *count += 1);
    }

    /// Replaces the application's credentials; the old pair is forgotten, its secret is still a secret.
    pub fn set_application(&self, code: &str, secret: &str) {
        *lock(&self.shared.application) = (code.into(), secret.into());
        self.change(|world, _| {
            world.known_secrets.insert(secret.into());
            if let Some(application) = world.applications.first_mut() {
                application.code = code.into();
                application.secret = secret.into();
            }
        });
    }

    /// Takes the application's right to a project away, or gives it back. The service remembers what it knew for
    /// five minutes (2.2, 14).
    pub fn authorise_application(&self, project: &str, allowed: bool) {
        self.change(|world, _| {
            for application in &mut world.applications {
                if allowed {
                    application.refused_projects.remove(project);
                } else {
                    application.refused_projects.insert(project.into());
                }
            }
        });
    }

    /// Adds a project; adding it twice is adding it once.
    pub fn add_project(&self, name: &str) {
        self.change(|world, _| world.add_project(name));
    }

    /// Changes a project.
    ///
    /// # Panics
    /// When there is no such project.
    pub fn change_project(&self, name: &str, change: impl FnOnce(&mut Project)) {
        self.change(|world, _| {
            let project = world.projects.iter_mut().find(|project| project.name == name);
            change(project.expect("the project was added"));
        });
    }

    /// Adds a pipeline, and its project if need be.
    pub fn add_pipeline(&self, project: &str, name: &str) -> PipelineId {
        self.change(|world, now| world.add_pipeline(project, name, now))
    }

    /// Changes a pipeline: locks it, deletes it, limits its queue.
    ///
    /// # Panics
    /// When there is no such pipeline.
    pub fn change_pipeline(&self, pipeline: &PipelineId, change: impl FnOnce(&mut Pipeline)) {
        self.change(|world, _| {
            let found = world.pipelines.iter_mut().find(|known| known.id == *pipeline);
            change(found.expect("the pipeline was added"));
            world.builds.touch(&pipeline.0);
        });
    }

    /// Gives a person exactly these rights on a pipeline; an empty list takes them away.
    pub fn permit(&self, uid: &str, project: &str, pipeline: impl AsRef<str>, rights: &[Right]) {
        self.change(|world, _| {
            world.add_project(project);
            world.user(uid).pipelines.insert(pipeline.as_ref().into(), rights.iter().copied().collect());
        });
    }

    /// Gives a person one right more on a pipeline.
    pub fn grant(&self, uid: &str, pipeline: &PipelineId, right: Right) {
        self.change(|world, _| world.user(uid).pipelines.entry(pipeline.0.clone()).or_default().insert(right));
    }

    /// Takes one right on a pipeline away; the others stay.
    pub fn withdraw(&self, uid: &str, pipeline: &PipelineId, right: Right) {
        self.change(|world, _| world.user(uid).pipelines.entry(pipeline.0.clone()).or_default().remove(&right));
    }

    /// Gives a person exactly these rights in a project; with an empty list still a member.
    pub fn permit_in_project(&self, uid: &str, project: &str, rights: &[ProjectRight]) {
        self.change(|world, _| {
            world.add_project(project);
            world.user(uid).projects.insert(project.into(), rights.iter().copied().collect());
        });
    }

    /// The language in which a person's messages are (3.5).
    pub fn set_language(&self, uid: &str, language: Language) {
        self.change(|world, _| world.user(uid).language = language);
    }

    /// Retry answers `{id}` only, as the seed document shows (6.1).
    pub fn old_server(&self, old: bool) {
        self.change(|world, _| world.settings.old_server = old);
    }

    /// Missing permissions are 403/2101008 instead of 403/403 (3.3).
    pub fn old_authorisation(&self, old: bool) {
        self.change(|world, _| world.settings.old_auth = old);
    }

    /// The service wants the gateway's token: who comes past the gateway is turned away (2.2 point 2).
    pub fn demand_gateway(&self, demanded: bool) {
        self.change(|world, _| world.settings.demands_gateway = demanded);
    }

    /// How long builds stay in the queue from now on; a second unless said.
    pub fn set_queue_time(&self, time: Duration) {
        self.change(|world, _| world.settings.queue_ms = plan::millis(time));
    }

    // ---- faults ----

    /// The next request that `on` meets suffers this fault. Of several orders the first that meets a request counts.
    pub fn order(&self, on: impl Into<On>, fault: Fault) -> Ordered {
        self.place(on.into(), Some(1), fault)
    }

    /// The next so many requests suffer it.
    pub fn order_times(&self, on: impl Into<On>, times: u32, fault: Fault) -> Ordered {
        self.place(on.into(), Some(times), fault)
    }

    /// All requests suffer it until the order is withdrawn.
    pub fn order_always(&self, on: impl Into<On>, fault: Fault) -> Ordered {
        self.place(on.into(), None, fault)
    }

    fn place(&self, on: On, times: Option<u32>, fault: Fault) -> Ordered {
        assert!(faults::is_orderable(&fault), "this double knows no such code");
        let (ordered, order) = Ordered::new(on, times, fault);
        self.change(|world, _| world.orders.push(order));
        ordered
    }

    // ---- looking ----

    /// All requests so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.world().requests.clone()
    }

    /// The requests of one operation.
    pub fn requests_of(&self, endpoint: Endpoint) -> Vec<RequestRecord> {
        self.world().requests.iter().filter(|record| record.endpoint == Some(endpoint)).cloned().collect()
    }

    /// What clients did against the published contract, in words.
    pub fn violations(&self) -> Vec<String> {
        self.world().violations.clone()
    }

    /// The world as a page shows it: projects, pipelines, builds (latest first) with stages, jobs and tasks.
    pub fn snapshot(&self) -> Value {
        let mut world = self.world();
        let snapshot = world.snapshot(self.shared.clock.now_ms());
        self.wake_the_courier(&world);
        snapshot
    }

    /// Grows with each request, answer and change; builds that move by the clock do not tell.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// Looks until there is something, for at most ten seconds of real time.
    ///
    /// # Panics
    /// When there is nothing by then, with `what`.
    pub async fn wait_for<T>(&self, what: &str, look: impl Fn(&BkCi) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut changed = self.changes();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(tokio::time::Instant::now() < deadline, "waited {} s for {what}", PATIENCE.as_secs());
            // Either is a reason to look again.
            let _ = tokio::time::timeout(LOOK_EVERY, changed.changed()).await;
        }
    }
}

/// A test that panics while it holds a lock has failed already; the others may go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
