//! JSON shapes as BK-CI sends them, converted to `model` here and nowhere else.
//!
//! BK-CI leaves out what is null and may add fields at any time (bkci-api 3.1), so everything that can be absent is.

use serde::Deserialize;

use super::{Error, Retried};
use crate::model::build::{Build, Job, Stage, Task};
use crate::model::status::BuildStatus;
use crate::model::{BuildRef, Timestamp};

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

/// bkci-api 6.1
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildId {
    id: String,
    execute_count: Option<u32>,
    num: Option<u32>,
}

/// bkci-api 7.2
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModelRecord {
    id: String,
    pipeline_id: String,
    #[serde(default)]
    pipeline_name: String,
    start_time: Option<i64>,
    end_time: Option<i64>,
    current_timestamp: i64,
    status: String,
    model: Model,
    build_num: u32,
    execute_count: u32,
    #[serde(default)]
    record_list: Vec<Record>,
    webhook_info: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(default)]
    start_user: String,
}

#[derive(Deserialize)]
struct Model {
    stages: Vec<WireStage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireStage {
    id: Option<String>,
    name: Option<String>,
    status: Option<String>,
    can_retry: Option<bool>,
    #[serde(default)]
    containers: Vec<Container>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    id: Option<String>,
    container_id: Option<String>,
    #[serde(default)]
    name: String,
    status: Option<String>,
    #[serde(default)]
    elements: Vec<Element>,
    #[serde(default)]
    group_containers: Option<Vec<Container>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Element {
    id: Option<String>,
    #[serde(default)]
    name: String,
    step_id: Option<String>,
    status: Option<String>,
    can_retry: Option<bool>,
    can_skip: Option<bool>,
}

/// The answer to a retry. One that cannot be read leaves it open whether the retry happened.
pub(super) fn retried(body: &[u8]) -> Result<Retried, Error> {
    let Data { data } = serde_json::from_slice::<Data<BuildId>>(body)
        .map_err(|_| Error::Unanswered { hint: "a success without the build's id".to_owned() })?;
    Ok(Retried { build_id: data.id, execute_count: data.execute_count, number: data.num })
}

/// A build's detail.
pub(super) fn build(body: &[u8], asked: &BuildRef) -> Result<Build, Error> {
    let unreadable = |hint: &str| Error::Unreadable { hint: hint.to_owned() };
    let Data { data } = serde_json::from_slice::<Data<ModelRecord>>(body)
        .map_err(|error| unreadable(&format!("a build detail of another shape ({:?} error)", error.classify())))?;
    if data.id != asked.build.as_str() {
        return Err(unreadable("the detail of another build"));
    }
    Ok(Build {
        id: asked.build.clone(),
        pipeline: data.pipeline_id.parse().map_err(|_| unreadable("a build detail with a malformed pipeline id"))?,
        pipeline_name: data.pipeline_name,
        number: data.build_num,
        status: BuildStatus::from_wire(&data.status),
        execute_count: data.execute_count,
        // 0 stands for never (bkci-api 7.1).
        started: data.start_time.filter(|start| *start > 0).map(Timestamp),
        ended: data.end_time.filter(|end| *end > 0).map(Timestamp),
        read_at: Timestamp(data.current_timestamp),
        from_webhook: data.webhook_info.is_some(),
        // Latest execution first on the wire.
        starters: data.record_list.into_iter().rev().map(|record| record.start_user).collect(),
        stages: data.model.stages.into_iter().map(stage).collect(),
    })
}

fn status(wire: Option<String>) -> Option<BuildStatus> {
    wire.filter(|status| !status.is_empty()).map(|status| BuildStatus::from_wire(&status))
}

fn stage(wire: WireStage) -> Stage {
    let id = wire.id.unwrap_or_default();
    Stage {
        name: wire.name.filter(|name| !name.is_empty()).unwrap_or_else(|| id.clone()),
        id,
        status: status(wire.status),
        can_retry: wire.can_retry == Some(true),
        jobs: wire.containers.into_iter().map(job).collect(),
    }
}

fn job(wire: Container) -> Job {
    Job {
        id: wire.id.or(wire.container_id).unwrap_or_default(),
        name: wire.name,
        status: status(wire.status),
        tasks: wire.elements.into_iter().map(task).collect(),
        children: wire.group_containers.unwrap_or_default().into_iter().map(job).collect(),
    }
}

fn task(wire: Element) -> Task {
    Task {
        id: wire.id.unwrap_or_default(),
        step_id: wire.step_id.filter(|id| !id.is_empty()),
        name: wire.name,
        status: status(wire.status),
        can_retry: wire.can_retry == Some(true),
        can_skip: wire.can_skip == Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILD: &str = "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";

    fn asked() -> BuildRef {
        BuildRef {
            project: "gamecore".parse().expect("a project"),
            pipeline: "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a".parse().expect("a pipeline"),
            build: BUILD.parse().expect("a build"),
        }
    }

    fn detail() -> serde_json::Value {
        serde_json::json!({"status": 0, "data": {
            "id": BUILD, "pipelineId": "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a", "pipelineName": "nightly", "userId": "alice",
            "trigger": "手动", "queueTime": 1, "startTime": 2, "endTime": 3, "currentTimestamp": 4, "status": "FAILED",
            "buildNum": 128, "curVersion": 7, "executeCount": 2, "new field": [],
            "recordList": [{"startUser": "bob"}, {"startUser": "alice"}],
            "model": {"name": "nightly", "stages": [
                {"id": "stage-1", "containers": [{"@type": "trigger", "id": "0", "name": "t", "elements": [{"id": "T-1-1-1", "name": "Manual"}]}]},
                {"id": "stage-2", "name": "Build", "status": "FAILED", "canRetry": true, "containers": [
                    {"@type": "vmBuild", "id": "1", "name": "linux", "status": "FAILED", "elements": [
                        {"id": "e-1", "name": "Unit", "status": "FAILED", "canRetry": true, "stepId": "unit"}],
                     "groupContainers": [{"containerId": "1001", "name": "child", "elements": []}]}]}
            ]}
        }})
    }

    #[test]
    fn a_detail_becomes_a_build() {
        let build = build(detail().to_string().as_bytes(), &asked()).expect("a build");
        assert_eq!((build.number, build.execute_count, build.status), (128, 2, BuildStatus::Failed));
        assert_eq!((build.starter(1), build.starter(2), build.starter(3)), (Some("alice"), Some("bob"), None));
        assert_eq!(build.stages[0].name, "stage-1");
        let job = &build.stages[1].jobs[0];
        assert!(job.tasks[0].can_retry && !job.tasks[0].can_skip && build.stages[1].can_retry);
        assert_eq!((job.tasks[0].step_id.as_deref(), job.children[0].id.as_str()), (Some("unit"), "1001"));
        assert!(!build.from_webhook && build.is_finished());
    }

    #[test]
    fn a_detail_that_lacks_what_we_rely_on_is_unreadable() {
        for (pointer, change) in [
            ("/data/id", serde_json::json!("b-00000000000000000000000000000000")),
            ("/data/executeCount", serde_json::Value::Null),
            ("/data/status", serde_json::Value::Null),
            ("/data/model", serde_json::json!({})),
            ("/data/pipelineId", serde_json::json!("../x")),
            ("/data", serde_json::Value::Null),
        ] {
            let mut changed = detail();
            *changed.pointer_mut(pointer).expect("a field") = change;
            let error = build(changed.to_string().as_bytes(), &asked()).expect_err(pointer);
            assert_eq!(error.name(), "unreadable", "{pointer}");
        }
    }

    #[test]
    fn an_old_servers_answer_to_a_retry_is_enough() {
        let answer = retried(br#"{"status":0,"data":{"id":"b-1"}}"#).expect("an answer");
        assert_eq!(answer, Retried { build_id: "b-1".into(), execute_count: None, number: None });
        let answer = retried(br#"{"status":0,"data":{"id":"b-1","executeCount":2,"num":128}}"#).expect("an answer");
        assert_eq!((answer.execute_count, answer.number), (Some(2), Some(128)));
        for lost in ["{}", r#"{"status":0}"#, r#"{"status":0,"data":{}}"#, r#"{"status":0,"data":true}"#] {
            assert_eq!(retried(lost.as_bytes()).expect_err(lost).name(), "unanswered", "{lost}");
        }
    }
}
