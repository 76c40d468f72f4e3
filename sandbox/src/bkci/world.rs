//! Projects, pipelines, people and applications of the double, and the checks on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::build::{Build, Place};
use super::build_plan::BuildPlan;
use super::builds::Builds;
use super::courier::{self, Courier, Outgoing, SentCallback};
use super::errors::{Failure, Language};
use super::faults::Order;
use super::hooks::Hook;
use super::looking::{AcceptedRetry, RequestRecord};
use super::plan::millis;

/// How long an application's authorisation for a project is remembered, granted or refused (bkci-api.md 2.2, 14).
const AUTHORISATION_CACHE_MS: i64 = 5 * 60 * 1000;

/// A pipeline's id: `p-` and 32 hexadecimal digits (bkci-api.md 4).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipelineId(pub String);

impl fmt::Display for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for PipelineId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// What a person may do with a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Look at it, its builds and their details.
    View,
    /// Start, retry, stop.
    Execute,
    /// Change it.
    Edit,
}

/// What a person may do in a whole project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProjectRight {
    /// Look at all its pipelines: what v4's search by name needs (bkci-api.md 10).
    View,
    /// The API-operate permission: skip tasks that do not allow it (bkci-api.md 6.3 #8c).
    ApiOperate,
    /// Manage the project.
    Manage,
}

/// A project.
#[derive(Clone, Debug)]
pub struct Project {
    /// English name: what the API takes.
    pub name: String,
    /// The 32 hexadecimal digits that the API does *not* take (bkci-api.md 4).
    pub hex_id: String,
    /// Display name.
    pub title: String,
    /// Builds of a disabled project cannot be retried (2101080).
    pub enabled: bool,
}

/// How many builds of a pipeline run at a time (its run lock).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Concurrency {
    /// As many as are started.
    #[default]
    Multiple,
    /// One; the others wait in the queue.
    Single,
    /// None: the run lock is LOCK (2101047, bkci-api.md 6.3 #12).
    Lock,
}

/// A pipeline. A test changes it through `BkCi::change_pipeline`.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Id.
    pub id: PipelineId,
    /// Its project's English name.
    pub project: String,
    /// Name.
    pub name: String,
    /// Locked as a whole (2101047, bkci-api.md 6.3 #6).
    pub locked: bool,
    /// Run lock.
    pub run_lock: Concurrency,
    /// Builds that may wait while one runs, for [`Concurrency::Single`] (2101049).
    pub max_queue: usize,
    /// Starts and retries allowed within the same 60 s (2101020; the default of bkci-api.md 6.3 #11 is 50).
    pub max_concurrency: usize,
    /// Variables that tasks set are wiped when the whole build is retried (bkci-api.md 6.2).
    pub clean_variables_on_retry: bool,
    /// Only the trigger user or a manager may stop a build (2101340, bkci-api.md 8).
    pub restricted_stop: bool,
    /// Version that new builds run with.
    pub version: i32,
    /// Deleted (2101038).
    pub deleted: bool,
    /// Its summary record is missing (2101139).
    pub summary_missing: bool,
    /// Who made it.
    pub creator: String,
    pub(super) created_ms: i64,
    pub(super) next_number: i32,
    pub(super) starts_ms: Vec<i64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct User {
    pub(super) language: Language,
    pub(super) pipelines: BTreeMap<String, BTreeSet<Right>>,
    pub(super) projects: BTreeMap<String, BTreeSet<ProjectRight>>,
}

#[derive(Clone, Debug)]
pub(super) struct Application {
    pub(super) code: String,
    pub(super) secret: String,
    pub(super) refused_projects: BTreeSet<String>,
}

/// How this deployment is set up.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Retry answers `{id}` only, as the seed shows (bkci-api.md 6.1).
    pub(super) old_server: bool,
    /// Missing permissions are 2101008 instead of 403 (bkci-api.md 3.3).
    pub(super) old_auth: bool,
    /// Who does not come through the gateway is turned away (bkci-api.md 2.2 point 2).
    pub(super) demands_gateway: bool,
    /// How long a build stays in the queue.
    pub(super) queue_ms: i64,
    /// Language of users who never chose one.
    pub(super) language: Language,
    /// Callbacks may be registered to loopback and private addresses.
    pub(super) internal_callbacks: bool,
    /// How callbacks travel.
    pub(super) courier: Courier,
    /// How long a receiver may take.
    pub(super) callback_timeout: Duration,
}

pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) projects: Vec<Project>,
    pub(super) pipelines: Vec<Pipeline>,
    pub(super) users: BTreeMap<String, User>,
    pub(super) applications: Vec<Application>,
    pub(super) known_secrets: BTreeSet<String>,
    pub(super) authorisations: BTreeMap<(String, String), (bool, i64)>,
    pub(super) builds: Builds,
    pub(super) requests: Vec<RequestRecord>,
    pub(super) violations: Vec<String>,
    pub(super) retries: Vec<(String, AcceptedRetry)>,
    pub(super) orders: Vec<Arc<Order>>,
    pub(super) hooks: Vec<Hook>,
    /// The number of the last callback of a project.
    pub(super) last_hook: i64,
    pub(super) outgoing: Vec<Outgoing>,
    pub(super) under_way: usize,
    pub(super) sent: Vec<SentCallback>,
}

impl World {
    pub(super) fn new(application: Application) -> Self {
        Self {
            settings: Settings {
                old_server: false,
                old_auth: false,
                demands_gateway: false,
                queue_ms: 1000,
                language: Language::Chinese,
                internal_callbacks: false,
                courier: Courier::Prompt,
                callback_timeout: courier::TIMEOUT,
            },
            projects: Vec::new(),
            pipelines: Vec::new(),
            users: BTreeMap::new(),
            known_secrets: BTreeSet::from([application.secret.clone()]),
            applications: vec![application],
            authorisations: BTreeMap::new(),
            builds: Builds::default(),
            requests: Vec::new(),
            violations: Vec::new(),
            retries: Vec::new(),
            orders: Vec::new(),
            hooks: Vec::new(),
            last_hook: 0,
            outgoing: Vec::new(),
            under_way: 0,
            sent: Vec::new(),
        }
    }

    pub(super) fn add_project(&mut self, name: &str) {
        if self.project(name).is_none() {
            self.projects.push(Project { name: name.into(), hex_id: hex32(), title: name.into(), enabled: true });
        }
    }

    pub(super) fn add_pipeline(&mut self, project: &str, name: &str, now: i64) -> PipelineId {
        self.add_project(project);
        let id = PipelineId(format!("p-{}", hex32()));
        self.pipelines.push(Pipeline {
            id: id.clone(),
            project: project.into(),
            name: name.into(),
            locked: false,
            run_lock: Concurrency::Multiple,
            max_queue: 10,
            max_concurrency: 50,
            clean_variables_on_retry: false,
            restricted_stop: false,
            version: 1,
            deleted: false,
            summary_missing: false,
            creator: "admin".into(),
            created_ms: now,
            next_number: 1,
            starts_ms: Vec::new(),
        });
        id
    }

    /// # Panics
    /// When the plan's pipeline was never added: a mistake in the test.
    pub(super) fn add_build(&mut self, plan: BuildPlan, now: i64) -> String {
        let queue_ms = self.settings.queue_ms;
        let pipeline = self
            .pipelines
            .iter_mut()
            .find(|pipeline| pipeline.id == plan.pipeline)
            .expect("a build is planned for a pipeline that was added");
        let place =
            Place { project: pipeline.project.clone(), number: pipeline.next_number, version: pipeline.version };
        pipeline.next_number += 1;
        // A build that starts now is first seen in the queue; an older one started `age` ago.
        let start_ms = if plan.age_ms == 0 { now + queue_ms } else { now - plan.age_ms };
        let build = Build::new(plan, place, start_ms - queue_ms, start_ms);
        let id = build.id.clone();
        self.builds.push(build);
        self.step(now);
        id
    }

    pub(super) fn project(&self, name: &str) -> Option<&Project> {
        self.projects.iter().find(|project| project.name == name)
    }

    /// A pipeline that was not deleted.
    pub(super) fn pipeline(&self, project: &str, id: &str) -> Option<&Pipeline> {
        self.pipelines.iter().find(|pipeline| pipeline.project == project && pipeline.id.0 == id && !pipeline.deleted)
    }

    pub(super) fn build_in(&self, project: &str, id: &str) -> Option<&Build> {
        self.builds.find(id).filter(|build| build.project == project)
    }

    /// # Panics
    /// When no build has this id: a mistake in the test.
    pub(super) fn build(&self, id: &str) -> &Build {
        self.builds.find(id).unwrap_or_else(|| panic!("no build {id} in this world"))
    }

    /// # Panics
    /// As [`World::build`].
    pub(super) fn alter_build<T>(&mut self, id: &str, at: i64, change: impl FnOnce(&mut Build) -> T) -> T {
        let index = self.builds.position(id).unwrap_or_else(|| panic!("no build {id} in this world"));
        self.alter(index, at, change)
    }

    pub(super) fn user(&mut self, uid: &str) -> &mut User {
        let language = self.settings.language;
        self.users.entry(uid.into()).or_insert_with(|| User { language, ..User::default() })
    }

    /// Messages are in the stored language of the user, not of the request (bkci-api.md 3.5).
    pub(super) fn language_of(&self, uid: Option<&str>) -> Language {
        uid.and_then(|uid| self.users.get(uid)).map_or(self.settings.language, |user| user.language)
    }

    pub(super) fn may(&self, uid: &str, pipeline: &str, right: Right) -> bool {
        let rights = self.users.get(uid).and_then(|user| user.pipelines.get(pipeline));
        rights.is_some_and(|rights| rights.contains(&right))
    }

    pub(super) fn may_in_project(&self, uid: &str, project: &str, right: ProjectRight) -> bool {
        let rights = self.users.get(uid).and_then(|user| user.projects.get(project));
        rights.is_some_and(|rights| rights.contains(&right))
    }

    /// A member is whoever has any right in the project.
    pub(super) fn is_member(&self, uid: &str, project: &str) -> bool {
        let Some(user) = self.users.get(uid) else { return false };
        let of_pipelines = user.pipelines.keys().any(|id| self.pipeline(project, id).is_some());
        user.projects.contains_key(project) || of_pipelines
    }

    /// The check of the process service (bkci-api.md 2.2 point 5, 3.3): made before anything is looked up, so a
    /// pipeline that does not exist is "forbidden" and not "unknown" (6.3 #1).
    pub(super) fn require(&self, uid: &str, pipeline: &str, right: Right) -> Result<(), Failure> {
        if self.may(uid, pipeline, right) {
            return Ok(());
        }
        if !self.settings.old_auth {
            return Err(Failure::forbidden());
        }
        let name = match right {
            Right::View => "View",
            Right::Execute => "Run",
            Right::Edit => "Edit",
        };
        Err(Failure::code(2101008, &[name]))
    }

    /// The aspect of the openapi service (bkci-api.md 2.2 point 3).
    pub(super) fn authorise(&mut self, application: &str, project: &str, now: i64) -> Result<(), Failure> {
        if self.project(project).is_none() {
            return Err(Failure::unknown_project(project));
        }
        let key = (application.to_owned(), project.to_owned());
        let remembered = self.authorisations.get(&key).filter(|(_, at)| now - at < AUTHORISATION_CACHE_MS);
        let allowed = remembered.map_or_else(|| self.is_authorised(application, project), |(allowed, _)| *allowed);
        if remembered.is_none() {
            self.authorisations.insert(key, (allowed, now));
        }
        if allowed { Ok(()) } else { Err(Failure::application_forbidden(application, project)) }
    }

    fn is_authorised(&self, application: &str, project: &str) -> bool {
        let known = self.applications.iter().find(|known| known.code == application);
        known.is_some_and(|known| !known.refused_projects.contains(project))
    }

    /// How long ago, in milliseconds, the day limit of `days` lies.
    pub(super) fn days(days: u64) -> i64 {
        millis(std::time::Duration::from_secs(days * 24 * 3600))
    }
}

/// 32 lower-case hexadecimal digits, as all ids of BK-CI have (bkci-api.md 4).
pub(super) fn hex32() -> String {
    format!("{:032x}", rand::random::<u128>())
}
