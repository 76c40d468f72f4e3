//! What a callback says of a build (bkci-api.md 11.3): a snapshot of the moment in which it is sent, nulls and all.

use serde_json::{Value, json};

use super::book::{Event, Happened};
use super::build::{Build, Stage};
use super::detail::trigger_text;
use super::job::{Job, Task};
use super::status::Status;
use super::world::World;

impl Event {
    /// The value on the wire (11.2).
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Event::BuildStart => "BUILD_START",
            Event::BuildEnd => "BUILD_END",
            Event::StageStart => "BUILD_STAGE_START",
            Event::StageEnd => "BUILD_STAGE_END",
            Event::JobStart => "BUILD_JOB_START",
            Event::JobEnd => "BUILD_JOB_END",
            Event::TaskStart => "BUILD_TASK_START",
            Event::TaskEnd => "BUILD_TASK_END",
            Event::TaskPause => "BUILD_TASK_PAUSE",
        }
    }

    /// `stageId` and `taskId`: the first only for events of stages, the second only for those of tasks.
    fn parts(self, part: Option<&String>) -> (Option<&String>, Option<&String>) {
        match self {
            Event::StageStart | Event::StageEnd => (part, None),
            Event::TaskStart | Event::TaskEnd | Event::TaskPause => (None, part),
            Event::BuildStart | Event::BuildEnd | Event::JobStart | Event::JobEnd => (None, None),
        }
    }
}

impl World {
    pub(super) fn callback_body(&self, build: &Build, happened: &Happened) -> Value {
        let pipeline = self.pipelines.iter().find(|pipeline| pipeline.id.0 == build.pipeline);
        let (stage, task) = happened.event.parts(happened.part.as_ref());
        let stages: Vec<Value> = build.stages.iter().enumerate().map(|(at, stage)| stage_json(at + 1, stage)).collect();
        json!({
            "event": happened.event.as_str(),
            "data": {
                "buildId": build.id, "pipelineId": build.pipeline,
                "pipelineName": pipeline.map(|pipeline| &pipeline.name), "userId": build.starter,
                "triggerUser": build.starter, "cancelUserId": build.cancelled_by, "status": build.said(),
                "startTime": build.start_ms, "endTime": build.end_ms, "model": {"stages": stages},
                "projectId": build.project, "trigger": trigger_text(build, self.settings.language),
                "stageId": stage, "taskId": task, "buildNo": build.number, "debug": false,
            },
        })
    }
}

fn said(status: Option<Status>) -> &'static str {
    status.map_or("UNKNOWN", Status::as_str)
}

fn stage_json(position: usize, stage: &Stage) -> Value {
    json!({
        "stageName": format!("Stage-{position}"), "name": stage.name, "status": said(stage.status),
        "startTime": stage.start_ms, "endTime": stage.end_ms,
        "jobs": stage.jobs.iter().map(job_json).collect::<Vec<_>>(),
    })
}

/// The children of a matrix are not listed, only its templates.
fn job_json(job: &Job) -> Value {
    json!({
        "jobName": job.name, "status": said(job.status), "startTime": job.start_ms, "endTime": job.end_ms,
        "tasks": job.tasks.iter().map(task_json).collect::<Vec<_>>(),
    })
}

fn task_json(task: &Task) -> Value {
    json!({
        "taskId": task.id, "taskName": task.name, "atomCode": task.atom, "status": said(task.status),
        "startTime": task.start_ms, "endTime": task.end_ms,
    })
}
