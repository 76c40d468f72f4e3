use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::model::Timestamp;
use crate::model::build::{Build, Condition, ErrorKind, Options, Problem};
use crate::model::ids::BuildId;
use crate::model::status::BuildStatus;

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
    assert_eq!((build.started, build.ended), (Some(Timestamp(1_766_400_000_000)), Some(Timestamp(1_766_400_312_000))));
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
fn what_decides_about_a_retry_is_read_and_what_is_left_out_is_the_usual() {
    let usual = read(&detail()).expect("readable");
    let stage = &usual.stages[1];
    assert_eq!(
        (stage.enabled, stage.finally, stage.conditional, stage.gated, stage.fast_kill),
        (true, false, false, false, false)
    );
    let job = &stage.jobs[0];
    assert_eq!((job.enabled, job.conditional, job.continue_when_failed, job.matrix), (true, false, false, false));
    assert_eq!(job.tasks[0].options, Options::default());
    assert_eq!((job.tasks[0].starts_by_hand, job.tasks[0].took), (0, None));
    assert!(stage.jobs[1].matrix, "by its flag");

    let mut wire = detail();
    let stage = &mut wire["data"]["model"]["stages"][1];
    stage["finally"] = json!(true);
    stage["fastKill"] = json!(true);
    stage["elapsed"] = json!(60_000);
    stage["stageControlOption"] = json!({"enable": false, "runCondition": "CUSTOM_VARIABLE_MATCH"});
    stage["checkIn"] = json!({"manualTrigger": true, "reviewGroups": [{"name": "Flow 1", "reviewers": ["carol"]}]});
    let jobs = &mut stage["containers"];
    jobs[0]["jobId"] = json!("job_linux");
    jobs[0]["systemElapsed"] = json!(1_000);
    jobs[0]["elementElapsed"] = json!("2000");
    jobs[0]["jobControlOption"] = json!({"enable": true, "runCondition": "STAGE_RUNNING", "continueWhenFailed": true});
    let tasks = &mut jobs[0]["elements"];
    tasks[0]["additionalOptions"] = json!({"enable": true, "continueWhenFailed": true, "manualSkip": true});
    tasks[0]["retryCountManual"] = json!(2);
    tasks[0]["elapsed"] = json!(5_000);
    tasks[0]["errorCode"] = json!(2_199_011);
    tasks[0]["errorMsg"] = json!("script exited with 1");
    tasks[1]["additionalOptions"] = json!({"enable": false, "runCondition": "PRE_TASK_FAILED_ONLY"});
    tasks[1]["@type"] = json!("manualReviewUserTask");
    let template = &mut jobs[1]["elements"][0];
    template["additionalOptions"] = json!({"runCondition": "PRE_TASK_FAILED_BUT_CANCEL", "pauseBeforeExec": true});
    jobs[1]["groupContainers"][0]["matrixContext"] = json!({"os": "linux", "jdk": 17});
    jobs[1]["jobControlOption"] = json!({"dependOnContainerId2JobIds": {"1": "job_linux"}});

    let build = read(&wire).expect("readable");
    let stage = &build.stages[1];
    assert_eq!(
        (stage.enabled, stage.finally, stage.conditional, stage.gated, stage.fast_kill),
        (false, true, true, true, true)
    );
    assert_eq!(stage.took, Some(Duration::from_secs(60)));
    let [job, matrix] = stage.jobs.as_slice() else { panic!("two jobs") };
    assert_eq!((job.job_id.as_deref(), job.took), (Some("job_linux"), Some(Duration::from_secs(3))));
    assert_eq!((job.continue_when_failed, job.conditional, matrix.conditional), (true, false, true));
    let options = Options { continue_when_failed: true, manual_skip: true, ..Options::default() };
    assert_eq!((job.tasks[0].options, job.tasks[0].starts_by_hand), (options, 2));
    assert_eq!(job.tasks[0].took, Some(Duration::from_secs(5)));
    let (kind, message) = (ErrorKind::User, "script exited with 1".to_owned());
    assert_eq!(job.tasks[0].error, Some(Problem { kind, code: 2_199_011, message }));
    let options = Options { enabled: false, condition: Condition::OnlyAfterFailure, ..Options::default() };
    assert_eq!((job.tasks[1].options, job.tasks[1].waits_for_a_person), (options, true));
    let child = &matrix.children[0];
    assert_eq!(child.name, "matrix (17, linux)", "what tells children apart");
    assert_eq!(child.tasks[0].options.condition, Condition::EvenAfterFailure, "its template's");
    assert!(child.tasks[0].waits_for_a_person);
    let [error] = build.errors.as_slice() else { panic!("one error") };
    assert_eq!((error.job.as_str(), &error.task, error.problem.kind), ("1", &None, ErrorKind::User));
}

#[test]
fn what_a_reader_wants_to_know_of_a_build_is_read() {
    let build = read(&detail()).expect("readable");
    assert_eq!((build.may_stop, &build.branch, &build.commit, &build.message), (Some(true), &None, &None, &None));
    assert_eq!((&build.canceled_by, build.stages[1].started), (&None, None));

    let mut wire = detail();
    let data = &mut wire["data"];
    data["cancelBuildPerm"] = json!("false");
    data["cancelUserId"] = json!("bob");
    data["buildMsg"] = json!("nightly run");
    data["material"] = json!([{"branchName": "side"},
        {"branchName": "main", "newCommitComment": "Fix the tests\r\n\nThey failed.", "mainRepo": true}]);
    data["model"]["stages"][1]["startEpoch"] = json!(1_766_400_001_000_i64);
    data["model"]["stages"][1]["containers"][0]["elements"][0]["startEpoch"] = json!("1766400100000");
    let build = read(&wire).expect("readable");
    assert_eq!((build.may_stop, build.canceled_by.as_deref()), (Some(false), Some("bob")));
    assert_eq!((build.branch.as_deref(), build.message.as_deref()), (Some("main"), Some("nightly run")));
    assert_eq!(build.commit.as_deref(), Some("Fix the tests"), "the first line");
    assert_eq!(build.stages[1].started, Some(Timestamp(1_766_400_001_000)));
    assert_eq!(build.stages[1].jobs[0].tasks[0].started, Some(Timestamp(1_766_400_100_000)));
    assert_eq!(build.digest(), read(&detail()).expect("readable").digest(), "none of it decides about a retry");

    for odd in [json!("x"), json!([1]), json!({"webhookBranch": {}}), json!(7)] {
        for field in ["material", "webhookInfo", "cancelBuildPerm", "cancelUserId", "buildMsg"] {
            let mut wire = detail();
            wire["data"][field] = odd.clone();
            let build = read(&wire).expect("readable");
            assert_eq!((build.branch, build.from_webhook), (None, field == "webhookInfo"), "{field}: {odd}");
        }
    }
}

#[test]
fn only_true_says_that_it_was_done() {
    assert_eq!(done(br#"{"status":0,"data":true}"#), Ok(()));
    for bad in ["", r#","data":false"#, r#","data":null"#, r#","data":1"#, r#","data":{}"#, r#","data":"yes""#] {
        assert!(done(format!(r#"{{"status":0{bad}}}"#).as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn controls_of_another_shape_are_as_good_as_absent() {
    let mut wire = detail();
    wire["data"]["errorInfoList"] = json!("none");
    let stage = &mut wire["data"]["model"]["stages"][1];
    stage["stageControlOption"] = json!([1]);
    stage["checkIn"] = json!("open");
    let jobs = &mut stage["containers"];
    jobs[0]["jobControlOption"] = json!(7);
    jobs[0]["elements"][0]["additionalOptions"] = json!({"enable": {"a": 1}, "runCondition": "SOMETHING_NEW"});
    jobs[0]["elements"][1]["additionalOptions"] = Value::Null;
    jobs[1]["groupContainers"][0]["matrixContext"] = json!([1]);
    let build = read(&wire).expect("readable");
    let stage = &build.stages[1];
    assert!(build.errors.is_empty() && stage.enabled && !stage.gated && stage.jobs[0].enabled);
    let options = Options { condition: Condition::Other, ..Options::default() };
    assert_eq!(stage.jobs[0].tasks[0].options, options, "what it does not know is no promise");
    assert_eq!(stage.jobs[1].children[0].name, "matrix (2001)");
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
