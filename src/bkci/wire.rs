//! BK-CI's JSON, converted to [`crate::model`] here and nowhere else.
//!
//! Promises to read what the reference describes even when fields are added, missing where they may be (BK-CI leaves
//! out every null, bkci-api 3.1), `null`, or a number written as text; and to refuse a build that lacks what decisions
//! rest on. Must not put any part of a body into a fault: it may hold what users never meant to show.

use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Retried;
use crate::model::Timestamp;
use crate::model::build::{Build, Job, Stage, Task};
use crate::model::ids::BuildId;
use crate::model::status::BuildStatus;

/// Why an answer cannot be used: for operators, without any part of the answer.
pub(super) type Fault = String;

/// What BK-CI wraps every answer in (bkci-api 3.1).
pub(super) struct Envelope {
    /// 0 is success.
    pub(super) status: i64,
    /// Text of a stranger.
    pub(super) message: String,
    /// `data` where it is a text: some refusals explain themselves there.
    pub(super) explanation: String,
}

/// What a body is.
pub(super) enum Body {
    /// BK-CI's envelope.
    Envelope(Envelope),
    /// JSON, but not BK-CI's.
    OtherJson,
    /// Begins like JSON and is none: broken off, most likely.
    BrokenJson,
    /// Something else: HTML, plain text.
    Text,
    /// Nothing.
    Empty,
}

#[derive(Deserialize)]
struct EnvelopeWire {
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    message: Scalar,
    #[serde(default)]
    data: Scalar,
}

/// Tells what a body is without keeping it.
pub(super) fn open(body: &[u8]) -> Body {
    let body = body.trim_ascii();
    let Some(first) = body.first() else { return Body::Empty };
    if serde_json::from_slice::<IgnoredAny>(body).is_err() {
        return if matches!(first, b'{' | b'[') { Body::BrokenJson } else { Body::Text };
    }
    // Serde would read a list as the fields in their order.
    let object = Some(body).filter(|_| *first == b'{');
    match object.and_then(|object| serde_json::from_slice::<EnvelopeWire>(object).ok()) {
        Some(EnvelopeWire { status, message, data }) => match status.int() {
            Some(status) => {
                let [message, explanation] = [message, data].map(|text| text.text().unwrap_or_default());
                Body::Envelope(Envelope { status, message, explanation })
            }
            None => Body::OtherJson,
        },
        None => Body::OtherJson,
    }
}

#[derive(Deserialize)]
struct Success<T> {
    data: Option<T>,
}

/// The `data` of a successful answer.
fn data<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    // Serde's own words would repeat values of the body.
    let shape = |error: serde_json::Error| {
        format!("BK-CI's answer has another shape than expected (at line {}, column {})", error.line(), error.column())
    };
    let success: Success<T> = serde_json::from_slice(body).map_err(shape)?;
    success.data.ok_or_else(|| "BK-CI's answer has no data".to_owned())
}

#[derive(Deserialize)]
struct RetriedWire {
    #[serde(default)]
    id: Scalar,
    #[serde(default, rename = "executeCount")]
    execute_count: Scalar,
    #[serde(default)]
    num: Scalar,
}

/// The answer to an accepted retry (bkci-api 6.1). Old servers send the id alone.
pub(super) fn retried(body: &[u8]) -> Result<Retried, Fault> {
    let RetriedWire { id, execute_count, num } = data(body)?;
    let build_id = id.text().ok_or("BK-CI's answer names no build")?;
    Ok(Retried { build_id, execute_count: execute_count.count(), number: num.count() })
}

/// Whether a project came back (bkci-api 10).
pub(super) fn project(body: &[u8]) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct ProjectWire {
        #[serde(default, rename = "englishName")]
        english_name: Scalar,
        #[serde(default, rename = "projectCode")]
        project_code: Scalar,
    }
    let ProjectWire { english_name, project_code } = data(body)?;
    match english_name.text().or(project_code.text()) {
        Some(_) => Ok(()),
        None => Err("BK-CI's answer names no project".to_owned()),
    }
}

/// The fields of bkci-api 7.2 that we need.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DetailWire {
    #[serde(default)]
    id: Scalar,
    #[serde(default)]
    pipeline_id: Scalar,
    #[serde(default)]
    pipeline_name: Scalar,
    #[serde(default)]
    build_num: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    execute_count: Scalar,
    #[serde(default)]
    start_time: Scalar,
    #[serde(default)]
    end_time: Scalar,
    #[serde(default)]
    current_timestamp: Scalar,
    #[serde(default)]
    webhook_info: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "list")]
    record_list: Vec<RecordWire>,
    model: Option<ModelWire>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordWire {
    #[serde(default)]
    start_user: Scalar,
}

#[derive(Deserialize)]
struct ModelWire {
    stages: Option<Vec<StageWire>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StageWire {
    #[serde(default)]
    id: Scalar,
    #[serde(default)]
    name: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    can_retry: Scalar,
    #[serde(default, deserialize_with = "list")]
    containers: Vec<JobWire>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobWire {
    #[serde(default)]
    id: Scalar,
    #[serde(default)]
    container_id: Scalar,
    #[serde(default)]
    name: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default, deserialize_with = "list")]
    elements: Vec<TaskWire>,
    #[serde(default, deserialize_with = "list")]
    group_containers: Vec<JobWire>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskWire {
    #[serde(default)]
    id: Scalar,
    #[serde(default)]
    step_id: Scalar,
    #[serde(default)]
    name: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    can_retry: Scalar,
    #[serde(default)]
    can_skip: Scalar,
}

/// A build's detail (bkci-api 7.2), which must be of the build that was asked for. To which pipeline it belongs is
/// kept as BK-CI says it: the caller compares.
pub(super) fn build(body: &[u8], asked: &BuildId) -> Result<Build, Fault> {
    let detail: DetailWire = data(body)?;
    let lacks = |field: &str| format!("BK-CI's build detail lacks a usable `{field}`");
    let id = detail.id.text().ok_or_else(|| lacks("id"))?;
    if id != asked.as_str() {
        return Err("BK-CI's build detail is of another build".to_owned());
    }
    let pipeline_text = detail.pipeline_id.text().ok_or_else(|| lacks("pipelineId"))?;
    let status = detail.status.text().ok_or_else(|| lacks("status"))?;
    let read_at = detail.current_timestamp.moment().ok_or_else(|| lacks("currentTimestamp"))?;
    let stages = detail.model.and_then(|model| model.stages).ok_or_else(|| lacks("model.stages"))?;
    Ok(Build {
        id: asked.clone(),
        pipeline: pipeline_text.parse().map_err(|_| lacks("pipelineId"))?,
        pipeline_name: detail.pipeline_name.text().unwrap_or(pipeline_text),
        number: detail.build_num.count().ok_or_else(|| lacks("buildNum"))?,
        status: BuildStatus::from_wire(&status),
        execute_count: detail.execute_count.count().ok_or_else(|| lacks("executeCount"))?,
        started: detail.start_time.moment(),
        ended: detail.end_time.moment(),
        read_at,
        from_webhook: detail.webhook_info.is_some(),
        // BK-CI lists the latest execution first.
        starters: detail
            .record_list
            .into_iter()
            .rev()
            .map(|record| record.start_user.text().unwrap_or_default())
            .collect(),
        stages: stages.into_iter().map(stage).collect(),
    })
}

fn stage(wire: StageWire) -> Stage {
    let id = wire.id.text().unwrap_or_default();
    Stage {
        name: wire.name.text().unwrap_or_else(|| id.clone()),
        id,
        status: wire.status.status(),
        can_retry: wire.can_retry.truth(),
        jobs: wire.containers.into_iter().map(job).collect(),
    }
}

fn job(wire: JobWire) -> Job {
    let id = wire.id.text().or(wire.container_id.text()).unwrap_or_default();
    Job {
        name: wire.name.text().unwrap_or_else(|| id.clone()),
        id,
        status: wire.status.status(),
        tasks: wire.elements.into_iter().map(task).collect(),
        children: wire.group_containers.into_iter().map(job).collect(),
    }
}

fn task(wire: TaskWire) -> Task {
    let id = wire.id.text().unwrap_or_default();
    Task {
        name: wire.name.text().unwrap_or_else(|| id.clone()),
        id,
        step_id: wire.step_id.text(),
        status: wire.status.status(),
        can_retry: wire.can_retry.truth(),
        can_skip: wire.can_skip.truth(),
    }
}

/// A list that may be `null`.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(wire: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(wire)?.unwrap_or_default())
}

/// A single value, however it is written. An object or a list in its place is as good as nothing.
#[derive(Default)]
enum Scalar {
    #[default]
    Absent,
    Truth(bool),
    Number(i64),
    Text(String),
}

impl Scalar {
    /// A text with something in it; a number as text, since ids are sometimes written as numbers.
    fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text).filter(|text| !text.trim().is_empty()),
            Self::Number(number) => Some(number.to_string()),
            Self::Absent | Self::Truth(_) => None,
        }
    }

    fn int(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Absent | Self::Truth(_) => None,
        }
    }

    /// Build numbers and executions count from 1.
    fn count(&self) -> Option<u32> {
        self.int().and_then(|number| u32::try_from(number).ok()).filter(|count| *count > 0)
    }

    /// 0 stands for "not yet" (bkci-api 7.1).
    fn moment(&self) -> Option<Timestamp> {
        self.int().filter(|ms| *ms > 0).map(Timestamp)
    }

    fn truth(&self) -> bool {
        match self {
            Self::Truth(truth) => *truth,
            Self::Text(text) => text == "true",
            Self::Absent | Self::Number(_) => false,
        }
    }

    fn status(self) -> Option<BuildStatus> {
        self.text().map(|text| BuildStatus::from_wire(&text))
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(wire: D) -> Result<Self, D::Error> {
        wire.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Truth(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(value).map_or(Scalar::Absent, Scalar::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar, E> {
        Ok(Scalar::Absent)
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Absent)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Absent)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const BUILD: &str = "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";
    const PIPELINE: &str = "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a";
    const TASK: &str = "e-0b1c2d3e4f5a4b6c8d7e9f0a1b2c3d4e";

    fn asked() -> BuildId {
        BUILD.parse().expect("a build")
    }

    /// A detail with the fields of bkci-api 7.2, its ids and times those of 7.1's example.
    const DETAIL: &str = r#"{"status": 0, "data": {
        "id": "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e", "pipelineId": "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a",
        "pipelineName": "nightly", "userId": "alice", "trigger": "手动", "triggerUser": "alice",
        "queueTime": 1766399999000, "startTime": 1766400000000, "endTime": 1766400312000,
        "currentTimestamp": 1766400400000, "status": "FAILED", "buildNum": 128, "curVersion": 7, "latestVersion": 7,
        "latestBuildNum": 128, "executeCount": 3, "executeTime": 305000, "startUserList": ["carol", "bob", "alice"],
        "recordList": [{"startUser": "carol", "timeCost": {"totalCost": 1}}, {"startUser": "bob"}, {"startUser": "alice"}],
        "errorInfoList": [{"stageId": "stage-2", "containerId": "1", "errorType": 1, "errorCode": 2199011}],
        "cancelBuildPerm": true,
        "model": {"name": "nightly", "labels": [], "stages": [
          {"id": "stage-1", "name": "stage-1", "status": "SUCCEED", "finally": false, "containers": [
            {"@type": "trigger", "id": "0", "name": "trigger", "status": "SUCCEED", "params": [], "elements": [
              {"@type": "manualTrigger", "id": "T-1-1-1", "name": "Manual", "status": "SUCCEED", "executeCount": 1}]}]},
          {"id": "stage-2", "name": "Build", "status": "FAILED", "canRetry": true, "checkIn": {"manualTrigger": false},
           "containers": [
            {"@type": "vmBuild", "id": "1", "containerId": "1", "name": "linux", "status": "FAILED", "canRetry": true,
             "elements": [
              {"@type": "linuxScript", "id": "e-0b1c2d3e4f5a4b6c8d7e9f0a1b2c3d4e", "stepId": "unit_test",
               "name": "Unit tests", "status": "FAILED", "canRetry": true, "canSkip": true, "errorType": "USER"},
              {"@type": "marketBuild", "id": "e-1", "name": "Publish", "status": "UNEXEC"}]},
            {"@type": "vmBuild", "id": "2", "name": "matrix", "status": "FAILED", "matrixGroupFlag": true,
             "elements": [{"@type": "linuxScript", "id": "e-2", "name": "Compile"}],
             "groupContainers": [
              {"@type": "vmBuild", "id": "2001", "name": "matrix", "status": "FAILED", "elements": [
                {"@type": "matrixStatus", "originClassType": "linuxScript", "id": "e-3", "name": "Compile",
                 "status": "QUEUE_TIMEOUT"}]}]}]}]}}}"#;

    fn detail() -> Value {
        serde_json::from_str(DETAIL).expect("JSON")
    }

    fn read(detail: &Value) -> Result<Build, Fault> {
        build(detail.to_string().as_bytes(), &asked())
    }

    #[test]
    fn a_detail_becomes_a_build() {
        let build = read(&detail()).expect("readable");
        assert_eq!((build.id.as_str(), build.pipeline.as_str()), (BUILD, PIPELINE));
        assert_eq!((build.pipeline_name.as_str(), build.number, build.execute_count), ("nightly", 128, 3));
        assert_eq!(build.status, BuildStatus::Failed);
        assert_eq!(
            (build.started, build.ended),
            (Some(Timestamp(1_766_400_000_000)), Some(Timestamp(1_766_400_312_000)))
        );
        assert_eq!(build.read_at, Timestamp(1_766_400_400_000));
        assert!(!build.from_webhook);
        assert_eq!(build.starters, ["alice", "bob", "carol"], "the first execution comes first");
        assert_eq!(build.starter(3), Some("carol"));

        let [trigger, stage] = build.stages.as_slice() else { panic!("two stages: {:?}", build.stages) };
        assert_eq!((trigger.id.as_str(), trigger.can_retry), ("stage-1", false));
        assert_eq!((stage.name.as_str(), stage.status, stage.can_retry), ("Build", Some(BuildStatus::Failed), true));
        let [unit_tests, publish] = stage.jobs[0].tasks.as_slice() else { panic!("two tasks") };
        assert_eq!((unit_tests.id.as_str(), unit_tests.step_id.as_deref()), (TASK, Some("unit_test")));
        assert!(unit_tests.can_retry && unit_tests.can_skip && !publish.can_retry && !publish.can_skip);
        let [child] = stage.jobs[1].children.as_slice() else { panic!("one child") };
        assert_eq!((child.id.as_str(), child.tasks[0].status), ("2001", Some(BuildStatus::QueueTimeout)));
        assert_eq!(stage.jobs[1].tasks[0].status, None, "absent is not a state");
    }

    #[test]
    fn a_build_is_read_whatever_is_added_left_out_or_written_as_text() {
        let mut wire = detail();
        let data = &mut wire["data"];
        data["status"] = json!("SOMETHING_NEW");
        data["buildNum"] = json!("128");
        data["currentTimestamp"] = json!("1766400400000");
        data["startTime"] = json!(0);
        data["endTime"] = Value::Null;
        data["webhookInfo"] = json!({"webhookType": "GIT"});
        data["recordList"] = Value::Null;
        data["pipelineName"] = json!({"unexpected": ["shape"]});
        data["new"] = json!([{"deep": {"er": 1.5}}]);
        let stage = &mut data["model"]["stages"][1];
        stage["name"] = Value::Null;
        stage["canRetry"] = Value::Null;
        stage["containers"][0]["id"] = json!(1);
        stage["containers"][0]["elements"] = Value::Null;
        stage["containers"][1].as_object_mut().expect("a job").remove("id");
        stage["containers"][1]["containerId"] = json!("2");

        let build = read(&wire).expect("readable");
        assert_eq!((build.status, build.number), (BuildStatus::Unknown, 128));
        assert_eq!((build.started, build.ended), (None, None));
        assert!(build.from_webhook && build.starters.is_empty());
        assert_eq!(build.pipeline_name, PIPELINE);
        let stage = &build.stages[1];
        assert_eq!((stage.name.as_str(), stage.can_retry), ("stage-2", false));
        assert_eq!((stage.jobs[0].id.as_str(), stage.jobs[0].tasks.len(), stage.jobs[1].id.as_str()), ("1", 0, "2"));
    }

    #[test]
    fn a_detail_that_decisions_cannot_rest_on_is_refused() {
        type Change = fn(&mut Value);
        let cases: [(&str, Change); 14] = [
            ("is of another build", |d| d["id"] = json!("b-00000000000000000000000000000000")),
            ("`id`", |d| d["id"] = Value::Null),
            ("`pipelineId`", |d| d["pipelineId"] = json!("nightly")),
            ("`pipelineId`", |d| d["pipelineId"] = Value::Null),
            ("`status`", |d| d["status"] = Value::Null),
            ("`buildNum`", |d| d["buildNum"] = json!(-1)),
            ("`executeCount`", |d| d["executeCount"] = Value::Null),
            ("`executeCount`", |d| d["executeCount"] = json!(0)),
            ("`executeCount`", |d| d["executeCount"] = json!(1.5)),
            ("`currentTimestamp`", |d| d["currentTimestamp"] = json!("soon")),
            ("`model.stages`", |d| d["model"] = Value::Null),
            ("`model.stages`", |d| d["model"] = json!({})),
            ("another shape", |d| d["model"] = json!("s3cret")),
            ("no data", |d| *d = Value::Null),
        ];
        for (expected, change) in cases {
            let mut wire = detail();
            change(&mut wire["data"]);
            let fault = read(&wire).expect_err(expected);
            assert!(fault.contains(expected), "{fault} should say {expected}");
            assert!(!fault.contains("s3cret") && !fault.contains("nightly"), "{fault}");
        }
    }

    #[test]
    fn an_accepted_retry_names_its_build_and_perhaps_more() {
        let read = |body: &str| retried(body.as_bytes()).map(|r| (r.build_id, r.execute_count, r.number));
        let reference = r#"{"status":0,"data":{"id":"b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e","executeCount":2,"projectId":"gamecore","pipelineId":"p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a","num":128}}"#;
        assert_eq!(read(reference), Ok((BUILD.to_owned(), Some(2), Some(128))));
        let seed = r#"{"data" : {"id" : "String"}, "message" : "String", "status" : 0}"#;
        assert_eq!(read(seed), Ok(("String".to_owned(), None, None)));
        for bad in [
            r#"{"status":0}"#,
            r#"{"status":0,"data":null}"#,
            r#"{"status":0,"data":{}}"#,
            r#"{"status":0,"data":{"id":""}}"#,
            r#"{"status":0,"data":true}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_body_is_told_apart_without_trusting_it() {
        let kind = |body: &str| match open(body.as_bytes()) {
            Body::Envelope(envelope) => format!("{} {} {}", envelope.status, envelope.message, envelope.explanation),
            Body::OtherJson => "other".to_owned(),
            Body::BrokenJson => "broken".to_owned(),
            Body::Text => "text".to_owned(),
            Body::Empty => "empty".to_owned(),
        };
        let cases = [
            (r#"{"status":0,"data":{"id":1}}"#, "0  "),
            (r#" {"status":"403","message":"no","data":"why"} "#, "403 no why"),
            (r#"{"code":1640001,"result":false}"#, "other"),
            (r#"{"status":null}"#, "other"),
            ("[1]", "other"),
            ("true", "other"),
            (r#"{"status":0,"da"#, "broken"),
            ("<html>status 0</html>", "text"),
            ("Devops OpenAPI Auth fail: path(", "text"),
            (" \r\n", "empty"),
        ];
        for (body, expected) in cases {
            assert_eq!(kind(body), expected, "{body}");
        }
    }
}
