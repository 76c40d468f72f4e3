//! What following and watching builds leans on in the double of BK-CI: bkci-api.md 2.2, 3.3, 5, 7.4, 7.5 and 8.

mod support;

use std::time::{Duration, Instant};

use sandbox::bkci::{BuildPlan, Endpoint, Fail, Family, JobPlan, Right, StagePlan, TaskPlan, Trigger, Webhook, Wish};
use serde_json::{Value, json};
use support::{MINUTE, Scene, Tested, V4, projects};

const NOWHERE: &str = "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";

impl Scene {
    async fn batch(&self, family: Family, body: &Value) -> anyhow::Result<(u16, Value)> {
        let path = format!("{}/demo/batch_get_build_status?pipelineId={}", projects(family), self.pipeline);
        self.post(family, &path, &body.to_string()).await
    }

    fn history_path(&self, family: Family, more: &str) -> String {
        match family {
            Family::V3 => {
                format!("/apigw-app/v3/projects/demo/pipelines/{}/builds/history?x=1{more}", self.pipeline)
            }
            Family::V4 | Family::V4Backend => {
                format!("{}/demo/build_histories?pipelineId={}{more}", projects(family), self.pipeline)
            }
        }
    }

    /// Ids by the time of their last change, latest first.
    async fn by_update(&self) -> anyhow::Result<Vec<Value>> {
        let page = self.data(Family::V3, &self.history_path(Family::V3, "&updateTimeDesc=true")).await?;
        Ok(page["records"].as_array().into_iter().flatten().map(|record| record["id"].clone()).collect())
    }

    async fn row(&self, build: &str) -> anyhow::Result<Value> {
        let page = self.data(Family::V3, &self.history_path(Family::V3, "&pageSize=100")).await?;
        let records = page["records"].as_array().cloned().unwrap_or_default();
        Ok(records.into_iter().find(|record| record["id"] == build).unwrap_or_default())
    }
}

fn one_task(scene: &Scene, task: TaskPlan) -> BuildPlan {
    BuildPlan::new(&scene.pipeline).stage(StagePlan::new("Test").job(JobPlan::new("linux").task(task)))
}

// ---- 7.5: batch ----

#[tokio::test]
async fn section_7_5_a_batch_checks_the_named_pipeline_and_reads_any_build_of_the_project() -> Tested {
    let scene = Scene::set().await?;
    let secret = scene.bkci.add_pipeline("demo", "secret");
    let mine = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    let other = scene.bkci.add_build(BuildPlan::succeeding(&secret));
    let elsewhere = scene.bkci.add_pipeline("elsewhere", "nightly");
    let foreign = scene.bkci.add_build(BuildPlan::succeeding(&elsewhere));
    for family in V4 {
        let (http, body) = scene.batch(family, &json!([mine, other, foreign, NOWHERE, mine])).await?;
        let rows = body["data"].as_array().cloned().unwrap_or_default();
        let mut found: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
        found.sort_unstable();
        let mut expected = [mine.as_str(), other.as_str()];
        expected.sort_unstable();
        assert_eq!((http, found.as_slice()), (200, expected.as_slice()), "unknown ids are left out");
        let row = rows.iter().find(|row| row["id"] == mine.as_str()).cloned().unwrap_or_default();
        assert_eq!((&row["status"], &row["executeCount"]), (&json!("FAILED"), &json!(1)));
        assert_eq!(row["errorInfoList"][0]["errorCode"], 2199011);
        assert_eq!(row["stageStatus"][1]["status"], "FAILED");
        assert!(row["updateTime"].is_i64() && row["variables"].is_null(), "{row}");
    }
    scene.bkci.withdraw("alice", &scene.pipeline, Right::View);
    assert_eq!(scene.batch(Family::V4, &json!([mine])).await?.0, 403, "execute is not view");
    scene.bkci.grant("alice", &scene.pipeline, Right::View);
    assert_eq!(scene.batch(Family::V4, &json!([mine])).await?.0, 200);
    let asked = scene.bkci.requests_of(Endpoint::Batch);
    assert_eq!(asked.last().map(|request| request.body.clone()), Some(json!([mine]).to_string()));
    Ok(())
}

#[tokio::test]
async fn section_7_5_more_than_a_hundred_ids_are_2101282_and_v3_has_no_batch() -> Tested {
    let scene = Scene::set().await?;
    let ids = |count: u32| json!((0..count).map(|n| format!("b-{n:032x}")).collect::<Vec<_>>());
    let (http, body) = scene.batch(Family::V4, &ids(101)).await?;
    let text = "The number of buildId for batch retrieval of build status cannot exceed 100";
    assert_eq!((http, &body["status"], &body["message"]), (400, &json!(2101282), &json!(text)));
    assert_eq!(scene.batch(Family::V4, &ids(100)).await?, (200, json!({"status": 0, "data": []})));
    let v3 = format!("/apigw-app/v3/projects/demo/batch_get_build_status?pipelineId={}", scene.pipeline);
    assert_eq!(scene.post(Family::V3, &v3, "[]").await?.0, 404);
    Ok(())
}

#[tokio::test]
async fn section_3_3_a_batch_takes_a_json_array_and_nothing_else() -> Tested {
    let scene = Scene::set().await?;
    let path = format!("/v4/apigw-app/projects/demo/batch_get_build_status?pipelineId={}", scene.pipeline);
    for (body, message) in [
        ("", "Parameter verification failed: request param buildIds cannot be empty"),
        ("[\"b-1\"", "Bad Parameters in json"),
        ("{\"ids\":[]}", "Query parameter request error"),
        ("[7]", "Query parameter request error"),
    ] {
        let (http, answer) = scene.post(Family::V4, &path, body).await?;
        assert_eq!((http, &answer["status"], &answer["message"]), (400, &json!(400), &json!(message)), "{body}");
    }
    Ok(())
}

// ---- 7.4: history by update time ----

#[tokio::test]
async fn section_7_4_history_by_update_time_follows_every_change_of_a_row() -> Tested {
    let scene = Scene::set().await?;
    let old = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline).age(120 * MINUTE));
    let new = scene.bkci.add_build(BuildPlan::succeeding(&scene.pipeline));
    assert_eq!(scene.by_update().await?, [json!(new), json!(old)]);
    scene.clock.advance(MINUTE);
    scene.bkci.set_remark(&old, "known to be flaky");
    assert_eq!(scene.by_update().await?, [json!(old), json!(new)], "a remark");
    let row = scene.row(&old).await?;
    let ended = row["endTime"].as_i64().unwrap_or_default();
    assert!(row["updateTime"].as_i64() > Some(ended + 60_000), "long after its end: {row}");
    let by_number = scene.data(Family::V3, &scene.history_path(Family::V3, "")).await?;
    assert_eq!(by_number["records"][0]["id"], json!(new), "without the order it is the number");

    scene.clock.advance(MINUTE);
    let count = scene.bkci.retry_on_the_web("alice", &new, Wish::default()).expect("accepted");
    assert_eq!((count, scene.by_update().await?), (2, vec![json!(new), json!(old)]), "a retry");
    let mut seen = vec![scene.row(&new).await?];
    for _ in 0..60 {
        scene.clock.advance(Duration::from_secs(1));
        seen.push(scene.row(&new).await?);
    }
    let news = |row: &Value| json!([row["status"], row["stageStatus"], row["executeCount"], row["endTime"]]);
    for pair in seen.windows(2) {
        let (before, after) = (pair[0]["updateTime"].as_i64(), pair[1]["updateTime"].as_i64());
        assert_eq!(news(&pair[0]) != news(&pair[1]), after > before, "{} {}", pair[0], pair[1]);
    }
    let distinct: std::collections::BTreeSet<_> = seen.iter().map(|row| row["updateTime"].as_i64()).collect();
    assert!(distinct.len() >= 4, "queued, running, next stage, ended: {distinct:?}");
    Ok(())
}

#[tokio::test]
async fn section_7_4_a_page_is_silently_a_hundred_rows() -> Tested {
    let scene = Scene::set().await?;
    for _ in 0..130 {
        scene.bkci.add_build(BuildPlan::new(&scene.pipeline).age(MINUTE));
    }
    for family in [Family::V3, Family::V4] {
        for order in ["", "&updateTimeDesc=true"] {
            let path = scene.history_path(family, &format!("&pageSize=500{order}"));
            let page = scene.data(family, &path).await?;
            let length = page["records"].as_array().map(Vec::len);
            assert_eq!((length, &page["pageSize"], &page["totalPages"]), (Some(100), &json!(100), &json!(2)));
            let second = scene.data(family, &format!("{path}&page=2")).await?;
            assert_eq!(second["records"].as_array().map(Vec::len), Some(30));
        }
    }
    Ok(())
}

#[tokio::test]
async fn section_5_2_the_errors_of_the_last_attempt_stay_in_the_rows_until_the_build_runs_again() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    scene.bkci.retry_on_the_web("alice", &build, Wish::default()).expect("accepted");
    let queued = scene.row(&build).await?;
    assert_eq!((&queued["status"], &queued["executeCount"]), (&json!("QUEUE"), &json!(2)));
    assert!(queued["endTime"].is_null() && queued["errorInfoList"].is_array(), "stale: {queued}");
    let (_, batch) = scene.batch(Family::V4, &json!([build])).await?;
    assert_eq!(batch["data"][0]["errorInfoList"], queued["errorInfoList"]);
    scene.clock.advance(Duration::from_secs(2));
    let running = scene.row(&build).await?;
    assert_eq!((&running["status"], &running["errorInfoList"]), (&json!("RUNNING"), &Value::Null));
    Ok(())
}

#[tokio::test]
async fn section_7_1_a_row_says_who_started_what_by_what() -> Tested {
    let scene = Scene::set().await?;
    let start = |plan: BuildPlan| scene.bkci.start_build(plan);
    let plan = || one_task(&scene, TaskPlan::new("Unit tests"));
    let by_hand = start(plan().started_by("bob").commit("feature/x", "a1b2c3", "Fix the login").message("nightly"));
    let pushed = start(plan().by(Trigger::Webhook(Webhook::push("carol", "main", "d4e5f6", "Merge x"))));
    let timed = start(plan().by(Trigger::Timer).remark("weekly"));
    let row = scene.row(&by_hand).await?;
    assert_eq!(
        (&row["userId"], &row["startType"], &row["buildMsg"]),
        (&json!("bob"), &json!("manualTrigger"), &json!("nightly"))
    );
    let material = &row["material"][0];
    assert_eq!((&material["branchName"], &material["newCommitId"]), (&json!("feature/x"), &json!("a1b2c3")));
    assert_eq!(material["newCommitComment"], "Fix the login");
    assert_eq!((&row["status"], &row["trigger"]), (&json!("QUEUE"), &json!("manual")));
    let row = scene.row(&pushed).await?;
    assert_eq!((&row["userId"], &row["startType"]), (&json!("carol"), &json!("codeGitWebHookTrigger")));
    assert_eq!((&row["material"][0]["branchName"], &row["buildMsg"]), (&json!("main"), &json!("Merge x")));
    let row = scene.row(&timed).await?;
    assert_eq!(
        (&row["startType"], &row["material"], &row["remark"]),
        (&json!("timerTrigger"), &Value::Null, &json!("weekly"))
    );
    scene.clock.advance(Duration::from_secs(2));
    assert_eq!(scene.row(&timed).await?["status"], "RUNNING");
    scene.clock.advance(MINUTE);
    assert_eq!(scene.row(&timed).await?["status"], "SUCCEED");
    Ok(())
}

// ---- the published contract ----

#[tokio::test]
async fn calls_with_the_published_names_are_no_violation_and_others_are() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    let (pipeline, url) = (&scene.pipeline, "url=https%3A%2F%2Freprise.example.com%2F&region=IDC&event=BUILD_END");
    let filters = "tag=e-1&containerHashId=c-1&jobId=j&stepId=s&executeCount=1&debug=true&archiveFlag=false";
    let v3 = format!("/apigw-app/v3/projects/demo/pipelines/{pipeline}/builds/{build}/logs");
    for path in [
        format!("{v3}/init?{filters}"),
        format!("{v3}/more?{filters}&start=1&end=9&num=5&fromStart=false"),
        format!("{v3}/after?{filters}&start=1"),
        format!("{v3}/last_line_num?archiveFlag=false"),
        format!("{v3}/mode?executeCount=1&stepId=s"),
        "/apigw-app/v3/projects/demo/callbacks/?page=1&pageSize=20".into(),
    ] {
        scene.get(Family::V3, &path).await?;
    }
    scene.post(Family::V3, &format!("/apigw-app/v3/projects/demo/callbacks/?{url}&secretToken=x"), "").await?;
    scene.ask("DELETE", Family::V3, "/apigw-app/v3/projects/demo/callbacks/7", "").await?;
    for family in V4 {
        let (base, ids) = (format!("{}/demo", projects(family)), format!("pipelineId={pipeline}&buildId={build}"));
        for path in [
            format!("{base}/logs/init_logs?{ids}&{filters}&reverse=true&logType=ERROR"),
            format!("{base}/logs/more_logs?{ids}&{filters}&start=1&end=9&num=5&fromStart=false"),
            format!("{base}/logs/after_line_logs?{ids}&{filters}&start=1"),
            format!("{base}/logs/last_line_num?{ids}"),
            format!("{base}/logs/log_mode?{ids}&tag=e-1"),
            format!("{base}/callbacks/callback_list?page=1&pageSize=20"),
            format!("{base}/callbacks/pipelines/{pipeline}?event=BUILD_END"),
        ] {
            scene.get(family, &path).await?;
        }
        scene.batch(family, &json!([build])).await?;
        scene.post(family, &format!("{base}/callbacks/batch?{url}"), "").await?;
        scene.post(family, &format!("{base}/callbacks/pipelines/{pipeline}"), "[]").await?;
        scene.ask("DELETE", family, &format!("{base}/callbacks/callback?id=7"), "").await?;
        scene.ask("DELETE", family, &format!("{base}/callbacks/pipelines/{pipeline}?callbackName=x"), "").await?;
    }
    assert_eq!(scene.bkci.violations(), Vec::<String>::new());
    for path in [format!("{v3}/init?reverse=true"), format!("{v3}/after?end=9"), format!("{v3}/mode?tag=e-1")] {
        let before = scene.bkci.violations().len();
        scene.get(Family::V3, &path).await?;
        assert_eq!(scene.bkci.violations().len(), before + 1, "{path}");
    }
    Ok(())
}

// ---- 5.1: builds that are not simple ----

#[tokio::test]
async fn section_5_1_a_status_that_nobody_knows_is_told_everywhere_until_it_is_taken_back() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::running(&scene.pipeline));
    let before = scene.row(&build).await?["updateTime"].clone();
    scene.clock.advance(MINUTE);
    scene.bkci.tell_status(&build, Some("WARMING_UP"));
    let row = scene.row(&build).await?;
    assert!(row["status"] == "WARMING_UP" && row["updateTime"].as_i64() > before.as_i64(), "{row}");
    for verb in ["status", "detail"] {
        assert_eq!(scene.data(Family::V4, &scene.of_build(Family::V4, verb, &build)).await?["status"], "WARMING_UP");
    }
    scene.bkci.tell_status(&build, None);
    assert_eq!(scene.row(&build).await?["status"], "RUNNING");
    Ok(())
}

#[tokio::test]
async fn a_task_can_hang_and_one_can_pass_on_its_second_retry() -> Tested {
    let scene = Scene::set().await?;
    let hung = scene.bkci.start_build(one_task(&scene, TaskPlan::new("Soak").hangs()));
    let flaky = TaskPlan::new("Flaky").passes_on_retry(2, Fail::script("exit 1"));
    let flaky = scene.bkci.start_build(one_task(&scene, flaky));
    scene.clock.advance(1000 * MINUTE);
    assert_eq!(scene.bkci.build(&hung).status, "RUNNING");
    let mut statuses = vec![scene.bkci.build(&flaky).status];
    for _ in 0..2 {
        scene.bkci.retry_on_the_web("alice", &flaky, Wish::default()).expect("accepted");
        scene.clock.advance(MINUTE);
        statuses.push(scene.bkci.build(&flaky).status);
    }
    assert_eq!(statuses, ["FAILED", "FAILED", "SUCCEED"]);
    scene.bkci.stop_on_the_web("alice", &hung).expect("accepted");
    scene.clock.advance(MINUTE);
    assert_eq!(scene.bkci.build(&hung).status, "CANCELED");
    Ok(())
}

// ---- 8: stop, in the forms of v4 ----

#[tokio::test]
async fn section_8_a_stop_in_v4_checks_the_pairing_and_is_carried_out_later() -> Tested {
    let scene = Scene::set().await?;
    for family in V4 {
        let build = scene.bkci.add_build(BuildPlan::running(&scene.pipeline));
        let stop = |query: String| format!("{}/demo/build_stop?{query}", projects(family));
        let wrong = stop(format!("pipelineId=p-1&buildId={build}"));
        let text = "Parameter verification failed: {0} PipelineId is invalid ";
        assert_eq!(scene.post(family, &wrong, "").await?, (400, json!({"status": 400, "message": text})));
        let unknown = stop(format!("buildId={NOWHERE}"));
        let text = "Parameter verification failed: {0} parameter content of the request is empty";
        assert_eq!(scene.post(family, &unknown, "").await?, (400, json!({"status": 400, "message": text})));
        let right = stop(format!("buildId={build}"));
        assert_eq!(scene.post(family, &right, "").await?, (200, json!({"status": 0, "data": true})));
        assert_eq!(scene.bkci.build(&build).status, "RUNNING", "answered before it is done");
        assert_eq!(scene.post(family, &right, "").await?.1["status"], 2101019);
        scene.clock.advance(MINUTE);
        let detail = scene.data(family, &scene.of_build(family, "detail", &build)).await?;
        assert_eq!((&detail["status"], &detail["cancelUserId"]), (&json!("CANCELED"), &json!("alice")));
        assert_eq!(scene.post(family, &right, "").await?.1["status"], 2101182);
    }
    Ok(())
}

#[tokio::test]
async fn section_7_2_cancel_build_perm_says_what_a_stop_would() -> Tested {
    let scene = Scene::set().await?;
    let hers = scene.bkci.add_build(BuildPlan::running(&scene.pipeline).started_by("alice"));
    let bobs = scene.bkci.add_build(BuildPlan::running(&scene.pipeline).started_by("bob"));
    let perm = async |build: &str| {
        let detail = scene.data(Family::V4, &scene.of_build(Family::V4, "detail", build)).await?;
        anyhow::Ok(detail["cancelBuildPerm"].clone())
    };
    assert_eq!((perm(&hers).await?, perm(&bobs).await?), (json!(true), json!(true)));
    scene.bkci.change_pipeline(&scene.pipeline, |pipeline| pipeline.restricted_stop = true);
    assert_eq!((perm(&hers).await?, perm(&bobs).await?), (json!(true), json!(false)));
    assert_eq!(scene.bkci.stop_on_the_web("alice", &bobs).map_err(|refused| refused.code), Err(2101340));
    scene.bkci.withdraw("alice", &scene.pipeline, Right::Execute);
    assert_eq!(perm(&hers).await?, json!(false));
    let stop = format!("/v4/apigw-app/projects/demo/build_stop?buildId={hers}");
    let (http, body) = scene.post(Family::V4, &stop, "").await?;
    assert_eq!((http, &body["status"]), (400, &json!(2101008)), "400, not 403");
    Ok(())
}

// ---- speed ----

/// 10,000 builds in 100 pipelines are looked at as a follower does. The bound is generous: the figures that matter are
/// those that `--release --nocapture` prints.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the figures are what one runs it for")]
async fn ten_thousand_builds_are_read_cheaply() -> Tested {
    let scene = Scene::set().await?;
    let mut pipelines = vec![scene.pipeline.clone()];
    pipelines.extend((1..100).map(|n| scene.bkci.add_pipeline("demo", &format!("p{n}"))));
    let begun = Instant::now();
    let mut builds = Vec::new();
    for pipeline in &pipelines {
        scene.bkci.permit("alice", "demo", pipeline, &[Right::View]);
        for n in 0..100 {
            let plan = if n % 10 == 0 { BuildPlan::failing(pipeline) } else { BuildPlan::running(pipeline) };
            builds.push(scene.bkci.add_build(plan));
        }
    }
    let filled = begun.elapsed();
    let mut took = Vec::new();
    for _ in 0..2 {
        let begun = Instant::now();
        for (n, pipeline) in pipelines.iter().take(50).enumerate() {
            let ids = json!(builds[n * 100..(n + 1) * 100]);
            let path = format!("/v4/apigw-app/projects/demo/batch_get_build_status?pipelineId={pipeline}");
            let (_, body) = scene.post(Family::V4, &path, &ids.to_string()).await?;
            assert_eq!(body["data"].as_array().map(Vec::len), Some(100));
        }
        took.push(begun.elapsed());
        let begun = Instant::now();
        for pipeline in pipelines.iter().take(50) {
            let path = format!(
                "/apigw-app/v3/projects/demo/pipelines/{pipeline}/builds/history?pageSize=100&updateTimeDesc=true"
            );
            assert_eq!(scene.data(Family::V3, &path).await?["records"].as_array().map(Vec::len), Some(100));
        }
        took.push(begun.elapsed());
    }
    println!("10,000 builds added in {filled:?}; 50 batches of 100, 50 pages of 100, and both again: {took:?}");
    assert!(took.iter().sum::<Duration>() < Duration::from_secs(30), "{took:?}");
    Ok(())
}
