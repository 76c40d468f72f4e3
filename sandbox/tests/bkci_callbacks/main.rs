//! The callbacks of the double of BK-CI, as bkci-api.md 11 describes them: registered over the API, received over the
//! wire.

mod receiver;
mod registering;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use receiver::{Got, Receiver};
use sandbox::bkci::{
    BuildPlan, Courier, Fail, Family, JobPlan, MatrixChild, Posted, ProjectRight, Right, SentCallback, StagePlan,
    TaskPlan, Wish,
};
use serde_json::{Value, json};
use support::{MINUTE, Scene, Tested, projects};

impl Scene {
    /// Where callbacks of the pipeline are, in v4.
    fn of_pipeline(&self, family: Family, query: &str) -> String {
        format!("{}/demo/callbacks/pipelines/{}{query}", projects(family), self.pipeline)
    }

    fn callbacks(family: Family, rest: &str) -> String {
        let slash = if family == Family::V3 && !rest.starts_with('/') { "/" } else { "" };
        format!("{}/demo/callbacks{slash}{rest}", projects(family))
    }

    /// Registers these events for the pipeline, as somebody who may edit it.
    async fn hook(&self, receiver: &Receiver, events: &[&str]) -> Tested {
        self.bkci.allow_internal_callbacks(true);
        self.bkci.grant("alice", &self.pipeline, Right::Edit);
        let entry = |event: &&str| {
            json!({
                "callbackEvent": event, "callbackUrl": receiver.url, "secretToken": "s3cret-of-the-hook",
                "callbackName": format!("reprise-{event}"), "region": "IDC",
            })
        };
        let body: Vec<Value> = events.iter().map(entry).collect();
        let put = self.post(Family::V4, &self.of_pipeline(Family::V4, ""), &json!(body).to_string()).await?;
        assert_eq!(put, (200, json!({"status": 0, "data": true})));
        Ok(())
    }

    /// One job with one task that fails and passes when run again.
    fn flaky(&self) -> String {
        let unit = TaskPlan::new("Unit").fails(Fail::script("exit 1")).passes();
        let stage = StagePlan::new("Test").job(JobPlan::new("linux").without_machine().task(unit));
        self.bkci.start_build(BuildPlan::new(&self.pipeline).stage(stage))
    }

    async fn pass(&self, by: Duration) {
        self.clock.advance(by);
        self.bkci.callbacks_settled().await;
    }
}

fn query(pairs: &[(&str, &str)]) -> String {
    let url = reqwest::Url::parse_with_params("http://x/", pairs).expect("pairs make a query");
    format!("?{}", url.query().unwrap_or_default())
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

// ---- 11.2 and 11.3: what is sent ----

#[tokio::test]
async fn section_11_3_the_end_of_a_build_is_told_with_its_token_and_its_nulls() -> Tested {
    let scene = Scene::set().await?;
    let receiver = Receiver::start().await?;
    scene.hook(&receiver, &["BUILD_END"]).await?;
    let children = JobPlan::new("matrix").task(TaskPlan::new("Compile")).child(MatrixChild::new("os", "linux"));
    let unit = TaskPlan::new("Unit").fails(Fail::script("exit 1"));
    let stage = StagePlan::new("Test").job(JobPlan::new("linux").task(unit)).job(children);
    let ship = StagePlan::new("Ship").job(JobPlan::new("ship").task(TaskPlan::new("Upload")));
    let build = scene.bkci.start_build(BuildPlan::new(&scene.pipeline).stage(stage).stage(ship).started_by("bob"));
    scene.pass(10 * MINUTE).await;
    let got = receiver.got();
    assert_eq!((got.len(), got[0].event()), (1, "BUILD_END".into()), "registered events only");
    assert_eq!(got[0].header("content-type"), Some("application/json;charset=utf-8"));
    assert_eq!(got[0].header("x-devops-webhook-token"), Some("s3cret-of-the-hook"));
    assert!(got[0].header("x-devops-trace-biz-id").is_some_and(|id| !id.is_empty()));
    let data = got[0].json()["data"].clone();
    let expected = [
        "buildId",
        "pipelineId",
        "pipelineName",
        "userId",
        "triggerUser",
        "cancelUserId",
        "status",
        "startTime",
        "endTime",
        "model",
        "projectId",
        "trigger",
        "stageId",
        "taskId",
        "buildNo",
        "debug",
    ];
    assert_eq!(keys(&data), BTreeSet::from(expected), "no executeCount, nulls are there");
    assert_eq!((&data["buildId"], &data["status"], &data["userId"]), (&json!(build), &json!("FAILED"), &json!("bob")));
    assert!(data["cancelUserId"].is_null() && data["stageId"].is_null() && data["taskId"].is_null());
    let [trigger, test, ship] = [0, 1, 2].map(|at| data["model"]["stages"][at].clone());
    assert_eq!((&trigger["stageName"], &trigger["name"]), (&json!("Stage-1"), &json!("stage-1")));
    assert_eq!(
        (&test["stageName"], &test["name"], &test["status"]),
        (&json!("Stage-2"), &json!("Test"), &json!("FAILED"))
    );
    assert_eq!(test["jobs"].as_array().map(Vec::len), Some(2), "the children of a matrix are not listed");
    assert_eq!(test["jobs"][1]["tasks"][0]["status"], "UNKNOWN", "a template never has a status");
    assert_eq!((&ship["status"], &ship["startTime"]), (&json!("UNEXEC"), &Value::Null));
    let expected = ["stageName", "name", "status", "startTime", "endTime", "jobs"];
    assert_eq!(keys(&ship), BTreeSet::from(expected), "nulls are there");
    Ok(())
}

#[tokio::test]
async fn section_11_2_every_kind_of_event_is_told_to_who_registered_it() -> Tested {
    let scene = Scene::set().await?;
    let receiver = Receiver::start().await?;
    let all = [
        "BUILD_START",
        "BUILD_END",
        "BUILD_STAGE_START",
        "BUILD_STAGE_END",
        "BUILD_JOB_START",
        "BUILD_JOB_END",
        "BUILD_TASK_START",
        "BUILD_TASK_END",
        "BUILD_TASK_PAUSE",
    ];
    scene.hook(&receiver, &all).await?;
    let off = JobPlan::new("off").disabled().task(TaskPlan::new("Never"));
    let ask = JobPlan::new("ask").without_machine().task(TaskPlan::new("May I?").review());
    let stage = StagePlan::new("Test").job(off).job(ask);
    let build = scene.bkci.start_build(BuildPlan::new(&scene.pipeline).stage(stage));
    scene.bkci.callbacks_settled().await;
    assert!(receiver.got().is_empty(), "nothing is told of the queue");
    scene.pass(MINUTE).await;
    let count = |kind: &str| receiver.events().iter().filter(|event| *event == kind).count();
    assert_eq!((count("BUILD_START"), count("BUILD_END"), count("BUILD_TASK_PAUSE")), (1, 0, 1));
    assert_eq!((count("BUILD_JOB_START"), count("BUILD_JOB_END")), (2, 2), "one had nothing to run, one goes on");
    let review = scene.bkci.build(&build).task("May I?").map(|task| task.id.clone()).unwrap_or_default();
    scene.bkci.review_task(&build, &review, true);
    scene.bkci.callbacks_settled().await;
    assert_eq!((count("BUILD_STAGE_START"), count("BUILD_STAGE_END"), count("BUILD_END")), (2, 2, 1));
    assert_eq!((count("BUILD_TASK_START"), count("BUILD_TASK_END")), (2, 2));
    for got in receiver.got().iter().map(Got::json) {
        let event = got["event"].as_str().unwrap_or_default();
        assert_eq!(got["data"]["stageId"].is_string(), event.starts_with("BUILD_STAGE"), "{event}");
        assert_eq!(got["data"]["taskId"].is_string(), event.starts_with("BUILD_TASK"), "{event}");
    }
    Ok(())
}

#[tokio::test]
async fn section_11_2_a_retry_tells_start_and_end_again_and_one_within_a_running_build_no_start() -> Tested {
    let scene = Scene::set().await?;
    let receiver = Receiver::start().await?;
    scene.hook(&receiver, &["BUILD_START", "BUILD_END"]).await?;
    let build = scene.flaky();
    scene.pass(MINUTE).await;
    scene.bkci.retry_on_the_web("alice", &build, Wish::default()).expect("accepted");
    scene.pass(MINUTE).await;
    assert_eq!(receiver.events(), ["BUILD_END", "BUILD_END", "BUILD_START", "BUILD_START"]);
    let unit = TaskPlan::new("Unit").step("unit").fails(Fail::script("exit 1")).passes();
    let stage = StagePlan::new("Test")
        .job(JobPlan::new("linux").without_machine().task(unit))
        .job(JobPlan::new("long").without_machine().task(TaskPlan::new("Soak").takes(60 * MINUTE)));
    let running = scene.bkci.start_build(BuildPlan::new(&scene.pipeline).stage(stage));
    scene.pass(MINUTE).await;
    let wish = Wish { task_id: Some("unit".into()), ..Wish::default() };
    assert_eq!(scene.bkci.retry_on_the_web("alice", &running, wish), Ok(1));
    scene.pass(MINUTE).await;
    let starts =
        receiver.got().iter().filter(|got| got.body.contains(&running) && got.event() == "BUILD_START").count();
    assert_eq!(starts, 1);
    Ok(())
}

#[tokio::test]
async fn section_11_3_a_late_start_tells_how_the_build_stands_when_it_is_sent() -> Tested {
    let scene = Scene::set().await?;
    let receiver = Receiver::start().await?;
    scene.hook(&receiver, &["BUILD_START", "BUILD_END"]).await?;
    scene.bkci.order_callbacks(Courier::Holds);
    scene.flaky();
    scene.pass(MINUTE).await;
    assert!(receiver.got().is_empty() && scene.bkci.sent_callbacks().is_empty(), "held");
    scene.bkci.order_callbacks(Courier::Prompt);
    scene.bkci.callbacks_settled().await;
    assert_eq!(receiver.events(), ["BUILD_END", "BUILD_START"]);
    assert!(receiver.got().iter().all(|got| got.json()["data"]["status"] == "FAILED"));
    Ok(())
}

#[tokio::test]
async fn section_11_1_what_a_project_registered_is_told_of_all_its_pipelines_without_a_token() -> Tested {
    let scene = Scene::set().await?;
    let receiver = Receiver::start().await?;
    scene.bkci.allow_internal_callbacks(true);
    scene.bkci.permit_in_project("alice", "demo", &[ProjectRight::Manage]);
    let pairs = query(&[("url", &receiver.url), ("region", "IDC"), ("event", "BUILD_END")]);
    assert_eq!(scene.post(Family::V3, &Scene::callbacks(Family::V3, &pairs), "").await?.0, 200);
    let other = scene.bkci.add_pipeline("demo", "other");
    let foreign = scene.bkci.add_pipeline("elsewhere", "nightly");
    scene.bkci.add_build(BuildPlan::failing(&other));
    scene.bkci.callbacks_settled().await;
    assert!(receiver.got().is_empty(), "what ended before is not told");
    for pipeline in [&other, &foreign] {
        scene.bkci.start_build(BuildPlan::succeeding(pipeline));
    }
    scene.pass(10 * MINUTE).await;
    let got = receiver.got();
    assert_eq!((got.len(), got[0].header("x-devops-webhook-token")), (1, Some("NONE")));
    assert_eq!(got[0].json()["data"]["pipelineId"], json!(other.0));
    Ok(())
}

// ---- 11.4: delivery ----

#[tokio::test]
async fn section_11_4_any_answer_is_a_success_and_a_refused_connection_is_not_tried_again() -> Tested {
    let scene = Scene::set().await?;
    let receiver = Receiver::start().await?;
    scene.hook(&receiver, &["BUILD_END"]).await?;
    receiver.answers.store(500, Ordering::SeqCst);
    scene.flaky();
    scene.pass(MINUTE).await;
    let sent = scene.bkci.sent_callbacks();
    assert_eq!((sent[0].outcome, sent[0].attempts, receiver.got().len()), (Posted::Answered(500), 1, 1));
    assert!(sent[0].took > Duration::ZERO && sent[0].body == receiver.got()[0].body);
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
    let nobody = Receiver { url: format!("http://127.0.0.1:{port}/"), ..receiver.clone() };
    scene.hook(&nobody, &["BUILD_END"]).await?;
    scene.flaky();
    scene.pass(MINUTE).await;
    let last = scene.bkci.sent_callbacks().pop().expect("two were sent");
    assert_eq!((last.outcome, last.attempts), (Posted::Failed, 1));
    Ok(())
}

#[tokio::test]
async fn section_11_4_a_receiver_that_does_not_answer_in_time_is_tried_three_times_more() -> Tested {
    let scene = Scene::set().await?;
    scene.bkci.set_callback_timeout(Duration::from_millis(200));
    let receiver = Receiver::start().await?;
    scene.hook(&receiver, &["BUILD_END"]).await?;
    receiver.takes_ms.store(60_000, Ordering::SeqCst);
    scene.flaky();
    let begun = std::time::Instant::now();
    scene.pass(MINUTE).await;
    let sent = scene.bkci.sent_callbacks();
    assert_eq!((sent[0].outcome, sent[0].attempts, receiver.got().len()), (Posted::TimedOut, 4, 4));
    assert!(begun.elapsed() > Duration::from_millis(4 * 200 + 3 * 500), "{:?}", begun.elapsed());
    Ok(())
}

#[tokio::test]
async fn callbacks_are_lost_doubled_and_turned_round_as_a_test_orders() -> Tested {
    let scene = Scene::set().await?;
    let receiver = Receiver::start().await?;
    scene.hook(&receiver, &["BUILD_START", "BUILD_END"]).await?;
    scene.bkci.order_callbacks(Courier::Loses);
    scene.flaky();
    scene.pass(MINUTE).await;
    let lost = |sent: &SentCallback| sent.outcome == Posted::Lost;
    assert!(receiver.got().is_empty() && scene.bkci.sent_callbacks().iter().filter(|one| lost(one)).count() == 2);
    scene.bkci.order_callbacks(Courier::Doubles);
    scene.flaky();
    scene.pass(MINUTE).await;
    assert_eq!(receiver.events(), ["BUILD_END", "BUILD_END", "BUILD_START", "BUILD_START"]);
    scene.bkci.order_callbacks(Courier::Holds);
    scene.flaky();
    scene.pass(MINUTE).await;
    scene.bkci.order_callbacks(Courier::Reverses);
    scene.bkci.callbacks_settled().await;
    let last: Vec<String> = receiver.got()[4..].iter().map(Got::event).collect();
    assert_eq!(last, ["BUILD_END", "BUILD_START"], "in the order of their arrival");
    Ok(())
}

#[tokio::test]
async fn section_11_4_a_re_send_is_empty_and_has_no_token() -> Tested {
    let scene = Scene::set().await?;
    let receiver = Receiver::start().await?;
    scene.hook(&receiver, &["BUILD_START", "BUILD_END"]).await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    scene.bkci.resend_empty(&build);
    scene.bkci.callbacks_settled().await;
    let got = receiver.got();
    assert_eq!((got.len(), got[0].body.as_str()), (1, ""));
    assert_eq!(got[0].header("x-devops-webhook-unique-id"), Some(build.as_str()));
    assert_eq!(got[0].header("x-devops-webhook-token"), None);
    Ok(())
}

#[tokio::test]
async fn a_double_sends_nothing_beyond_this_machine() -> Tested {
    let scene = Scene::set().await?;
    let receiver = Receiver { url: "https://reprise.example.com/bkci/callback".into(), ..Receiver::default() };
    scene.hook(&receiver, &["BUILD_END"]).await?;
    scene.flaky();
    scene.pass(MINUTE).await;
    let sent = scene.bkci.sent_callbacks();
    assert_eq!((sent.len(), sent[0].outcome, sent[0].attempts), (1, Posted::NotHere, 0));
    Ok(())
}
