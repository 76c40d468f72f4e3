//! What a test or a page may look at: requests, accepted retries, builds, the whole world as JSON.

use serde_json::{Value, json};

use super::build::{Build, Stage};
use super::endpoint::Endpoint;
use super::families::Family;
use super::job::{Job, Task};
use super::status::Status;
use super::world::{Pipeline, World};

/// A request as it arrived, and how it was answered.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// Position among all requests, from 0.
    pub index: usize,
    /// Method.
    pub method: String,
    /// Path as sent, without the query.
    pub path: String,
    /// Decoded pairs of the query.
    pub query: Vec<(String, String)>,
    /// Path and query exactly as sent.
    pub raw_target: String,
    /// Headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Which operation it is; `None` for a path that the service does not have.
    pub endpoint: Option<Endpoint>,
    /// Which family of addresses it is; `None` as above.
    pub family: Option<Family>,
    /// The build that the address names.
    pub build: Option<String>,
    /// `X-DEVOPS-UID`.
    pub uid: Option<String>,
    /// The body, read as UTF-8.
    pub body: String,
    /// Time of arrival, by the world's clock.
    pub at_ms: i64,
    /// Status of the answer; `None` while there is none, and for good when the connection was broken.
    pub status: Option<u16>,
}

impl RequestRecord {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The first value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Where a retry came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// The API.
    Api,
    /// BK-CI's own page.
    Web,
}

/// A retry that the service carried out, whatever became of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedRetry {
    /// As whom.
    pub uid: String,
    /// `taskId` as it was sent.
    pub task_id: Option<String>,
    /// `failedContainer` as it was understood.
    pub failed_container: bool,
    /// `skip` as it was understood.
    pub skip: bool,
    /// The execution it belongs to.
    pub execute_count: u32,
    /// When.
    pub at_ms: i64,
    /// Where from.
    pub via: Via,
}

/// A build as it is now.
#[derive(Clone, Debug)]
pub struct BuildView {
    /// Id.
    pub id: String,
    /// Number.
    pub number: i32,
    /// Project.
    pub project: String,
    /// Pipeline.
    pub pipeline: String,
    /// BuildStatus.
    pub status: String,
    /// Whether it has ended.
    pub finished: bool,
    /// Execution, from 1.
    pub execute_count: u32,
    /// Times.
    pub queue_ms: i64,
    /// See `queue_ms`; moved by a whole-build retry only.
    pub start_ms: Option<i64>,
    /// See `queue_ms`.
    pub end_ms: Option<i64>,
    /// Starter of each execution, latest first.
    pub start_users: Vec<String>,
    /// Stages.
    pub stages: Vec<StageView>,
}

/// A stage of a [`BuildView`].
#[derive(Clone, Debug)]
pub struct StageView {
    /// `stage-2`.
    pub id: String,
    /// Name.
    pub name: String,
    /// Status; `None` when it was not reached.
    pub status: Option<String>,
    /// Jobs.
    pub jobs: Vec<JobView>,
}

/// A job of a [`BuildView`], or a child of a matrix job.
#[derive(Clone, Debug)]
pub struct JobView {
    /// `"1"`, or `"2001"` for a child.
    pub id: String,
    /// Name.
    pub name: String,
    /// Status; `None` when it was not reached.
    pub status: Option<String>,
    /// Tasks.
    pub tasks: Vec<TaskView>,
    /// Children of a matrix job.
    pub children: Vec<JobView>,
}

/// A task of a [`BuildView`].
#[derive(Clone, Debug)]
pub struct TaskView {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// `stepId`.
    pub step_id: Option<String>,
    /// Status; `None` when it was not reached.
    pub status: Option<String>,
    /// `retryCountManual`.
    pub retry_count_manual: Option<u32>,
}

impl BuildView {
    pub(super) fn of(build: &Build) -> Self {
        Self {
            id: build.id.clone(),
            number: build.number,
            project: build.project.clone(),
            pipeline: build.pipeline.clone(),
            status: build.said().into(),
            finished: build.is_finished(),
            execute_count: build.execute_count,
            queue_ms: build.queue_ms,
            start_ms: build.start_ms,
            end_ms: build.end_ms,
            start_users: build.records.iter().rev().map(|record| record.start_user.clone()).collect(),
            stages: build.stages.iter().map(StageView::of).collect(),
        }
    }

    /// The first task of this name, in a job or in a matrix child.
    pub fn task(&self, name: &str) -> Option<&TaskView> {
        let jobs = self.stages.iter().flat_map(|stage| &stage.jobs);
        // A matrix parent's own elements are templates, so its children are looked at instead.
        let parts =
            jobs.flat_map(|job| if job.children.is_empty() { std::slice::from_ref(job) } else { &job.children });
        parts.flat_map(|job| &job.tasks).find(|task| task.name == name)
    }

    /// The first job of this name.
    pub fn job(&self, name: &str) -> Option<&JobView> {
        self.stages.iter().flat_map(|stage| &stage.jobs).find(|job| job.name == name)
    }

    /// The first stage of this name.
    pub fn stage(&self, name: &str) -> Option<&StageView> {
        self.stages.iter().find(|stage| stage.name == name)
    }
}

impl StageView {
    fn of(stage: &Stage) -> Self {
        Self {
            id: stage.id.clone(),
            name: stage.name.clone(),
            status: said(stage.status),
            jobs: stage.jobs.iter().map(JobView::of).collect(),
        }
    }
}

impl JobView {
    fn of(job: &Job) -> Self {
        Self {
            id: job.id.clone(),
            name: job.name.clone(),
            status: said(job.status),
            tasks: job.tasks.iter().map(TaskView::of).collect(),
            children: job.children().iter().map(JobView::of).collect(),
        }
    }
}

impl TaskView {
    fn of(task: &Task) -> Self {
        Self {
            id: task.id.clone(),
            name: task.name.clone(),
            step_id: task.step_id.clone(),
            status: said(task.status),
            retry_count_manual: task.retry_manual,
        }
    }
}

fn said(status: Option<Status>) -> Option<String> {
    status.map(|status| status.as_str().to_owned())
}

impl World {
    /// Everything a page shows: projects, their pipelines, their builds, latest first.
    pub(super) fn snapshot(&mut self, now: i64) -> Value {
        self.step(now);
        let projects: Vec<Value> = self
            .projects
            .iter()
            .map(|project| {
                let pipelines: Vec<Value> = self
                    .pipelines
                    .iter()
                    .filter(|pipeline| pipeline.project == project.name && !pipeline.deleted)
                    .map(|pipeline| self.pipeline_snapshot(pipeline))
                    .collect();
                json!({
                    "name": project.name, "title": project.title, "enabled": project.enabled, "pipelines": pipelines,
                })
            })
            .collect();
        json!({"now_ms": now, "projects": projects})
    }

    fn pipeline_snapshot(&self, pipeline: &Pipeline) -> Value {
        let builds: Vec<&Build> = self.builds.of(&pipeline.id.0).rev().collect();
        json!({
            "id": pipeline.id.0, "name": pipeline.name, "locked": pipeline.locked,
            "builds": builds.into_iter().map(|build| self.build_snapshot(build)).collect::<Vec<_>>(),
        })
    }

    fn build_snapshot(&self, build: &Build) -> Value {
        let retries: Vec<Value> = self
            .retries
            .iter()
            .filter(|(id, _)| *id == build.id)
            .map(|(_, retry)| {
                json!({
                    "uid": retry.uid, "task_id": retry.task_id, "failed_container": retry.failed_container,
                    "skip": retry.skip, "execute_count": retry.execute_count, "at_ms": retry.at_ms,
                    "via": if retry.via == Via::Api { "api" } else { "web" },
                })
            })
            .collect();
        json!({
            "id": build.id, "number": build.number, "status": build.said(),
            "finished": build.is_finished(), "execute_count": build.execute_count, "starter": build.starter,
            "start_users": build.records.iter().rev().map(|record| &record.start_user).collect::<Vec<_>>(),
            "message": build.message, "queue_ms": build.queue_ms, "start_ms": build.start_ms,
            "end_ms": build.end_ms, "retries": retries,
            "stages": build.stages.iter().map(stage_snapshot).collect::<Vec<_>>(),
        })
    }
}

fn stage_snapshot(stage: &Stage) -> Value {
    json!({
        "id": stage.id, "name": stage.name, "status": said(stage.status), "finally": stage.finally,
        "gate": stage.gate.as_ref().map(|gate| &gate.reviewers),
        "jobs": stage.jobs.iter().map(job_snapshot).collect::<Vec<_>>(),
    })
}

fn job_snapshot(job: &Job) -> Value {
    json!({
        "id": job.id, "name": job.name, "status": said(job.status), "context": job.context,
        "tasks": job.tasks.iter().map(task_snapshot).collect::<Vec<_>>(),
        "children": job.children().iter().map(job_snapshot).collect::<Vec<_>>(),
    })
}

fn task_snapshot(task: &Task) -> Value {
    json!({
        "id": task.id, "name": task.name, "step_id": task.step_id, "status": said(task.status),
        "start_ms": task.start_ms, "end_ms": task.end_ms, "error": task.error.as_ref().map(|fail| &fail.message),
    })
}
