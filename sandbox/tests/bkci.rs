//! The double of BK-CI holds to the reference: each group of tests names the section of `bkci-api.md` that it plays.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use sandbox::bkci::{
    BkCi, BuildPlan, Concurrency, Defect, Endpoint, Fail, Fault, JobPlan, Language, MatrixChild, On, Outcome,
    PipelineId, ProjectRight, Right, RunCondition, StagePlan, Status, TaskPlan, Trigger, Via, Webhook, Wish, Wrong,
};
use sandbox::clock::Clock;
use serde_json::{Value, json};

type Tested = anyhow::Result<()>;

const DAY: Duration = Duration::from_secs(24 * 3600);
const MINUTE: Duration = Duration::from_secs(60);

/// A double with one project and pipeline, a developer `alice` who may do what is needed, and a client.
struct Scene {
    bkci: BkCi,
    clock: Clock,
    pipeline: PipelineId,
    http: reqwest::Client,
}

impl Scene {
    async fn set() -> anyhow::Result<Self> {
        let clock = Clock::default();
        let bkci = BkCi::start(clock.clone()).await?;
        let pipeline = bkci.add_pipeline("demo", "nightly");
        bkci.permit("alice", "demo", &pipeline, &[Right::View, Right::Execute]);
        bkci.set_language("alice", Language::English);
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .read_timeout(Duration::from_secs(5))
            .build()?;
        Ok(Self { bkci, clock, pipeline, http })
    }

    fn request(&self, method: Method, address: &str) -> RequestBuilder {
        let is_post = method == Method::POST;
        let request = self.http.request(method, format!("{}{address}", self.bkci.base_url()));
        if is_post { request.header("Content-Type", "application/json") } else { request }
    }

    fn as_alice(&self, method: Method, address: &str) -> RequestBuilder {
        self.request(method, address)
            .query(&[("app_code", self.bkci.app_code()), ("app_secret", self.bkci.app_secret())])
            .header("X-DEVOPS-UID", "alice")
            .header("X-DEVOPS-APP-CODE", "reprise")
    }

    fn address(&self, build: &str, verb: &str) -> String {
        format!("/apigw-app/v3/projects/demo/pipelines/{}/builds/{build}/{verb}", self.pipeline)
    }

    fn retry_request(&self, build: &str, query: &[(&str, &str)]) -> RequestBuilder {
        self.as_alice(Method::POST, &self.address(build, "retry")).query(query)
    }

    async fn retry(&self, build: &str, query: &[(&str, &str)]) -> anyhow::Result<(u16, Value)> {
        read(self.retry_request(build, query).send().await?).await
    }

    /// Retries, and answers HTTP status and code.
    async fn verdict(&self, build: &str, query: &[(&str, &str)]) -> anyhow::Result<(u16, u64)> {
        let (http, body) = self.retry(build, query).await?;
        Ok((http, body["status"].as_u64().unwrap_or(u64::MAX)))
    }

    async fn get(&self, address: &str) -> anyhow::Result<(u16, Value)> {
        read(self.as_alice(Method::GET, address).send().await?).await
    }

    async fn data(&self, build: &str, verb: &str) -> anyhow::Result<Value> {
        let (http, body) = self.get(&self.address(build, verb)).await?;
        anyhow::ensure!(http == 200, "{http} {body}");
        Ok(body["data"].clone())
    }

    /// The names of the tasks that ran in an execution, in order.
    fn ran(&self, build: &str, execution: u32) -> Vec<String> {
        let view = self.bkci.build(build);
        let jobs = || view.stages.iter().flat_map(|stage| &stage.jobs);
        let tasks = || jobs().chain(jobs().flat_map(|job| &job.children)).flat_map(|job| &job.tasks);
        let name = |id: &str| tasks().find(|task| task.id == id).map_or("?", |task| &task.name).to_owned();
        self.bkci.executed(build).iter().filter(|(count, _)| *count == execution).map(|(_, id)| name(id)).collect()
    }

    fn task(&self, build: &str, name: &str) -> String {
        self.bkci.build(build).task(name).map(|task| task.id.clone()).unwrap_or_default()
    }
}

async fn read(response: Response) -> anyhow::Result<(u16, Value)> {
    Ok((response.status().as_u16(), response.json().await?))
}

fn task(name: &str) -> TaskPlan {
    TaskPlan::new(name)
}

fn broken(name: &str) -> TaskPlan {
    TaskPlan::new(name).fails(Fail::script("exit 1"))
}

fn job(name: &str, tasks: impl IntoIterator<Item = TaskPlan>) -> JobPlan {
    tasks.into_iter().fold(JobPlan::new(name), JobPlan::task)
}

/// Two failed jobs and a good one in stage-2, an unreached stage-3, a finally stage-4; it started an hour ago.
fn wide(pipeline: &PipelineId) -> BuildPlan {
    let mends = |name: &str| broken(name).passes().step("same");
    BuildPlan::new(pipeline)
        .stage(
            StagePlan::new("Test")
                .job(job("good", [task("lint")]))
                .job(job("unit", [task("fetch"), mends("unit"), task("report")]))
                .job(job("end to end", [mends("e2e")])),
        )
        .stage(StagePlan::new("Ship").job(job("ship", [task("upload")])))
        .finally(StagePlan::new("Tidy").job(job("tidy", [task("sweep")])))
        .age(60 * MINUTE)
}

// ---- 2.1 and 3.4: the gateway ----

#[tokio::test]
async fn the_header_wins_over_the_query_and_a_bad_header_makes_the_application_anonymous() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    let (code, secret) = (scene.bkci.app_code(), scene.bkci.app_secret());
    let detail = scene.address(&build, "detail");
    let with_header = |header: String| scene.as_alice(Method::GET, &detail).header("X-Bkapi-Authorization", header);
    for good in [
        json!({"bk_app_code": code, "bk_app_secret": secret}),
        json!({"app_code": code, "app_secret": secret}),
        json!({"bk_app_code": code, "app_code": "x", "bk_app_secret": secret}),
    ] {
        assert_eq!(with_header(good.to_string()).send().await?.status(), 200);
    }
    for (bad, reason) in [
        ("[]".to_owned(), "request header X-Bkapi-Authorization is not a valid JSON"),
        ("nonsense".to_owned(), "request header X-Bkapi-Authorization is not a valid JSON"),
        ("{}".to_owned(), "app code cannot be empty"),
        (json!({"app_code": code}).to_string(), "please provide bk_app_secret or bk_signature to verify app"),
        (json!({"app_code": code, "app_secret": "x"}).to_string(), "bk_app_code or bk_app_secret is incorrect"),
        (json!({"app_code": "nobody", "app_secret": secret}).to_string(), "app not found"),
        (json!({"app_code": "x".repeat(33), "app_secret": secret}).to_string(), "app code cannot be longer"),
        (json!({"app_code": "a b", "app_secret": secret}).to_string(), "invalid characters"),
        (json!({"app_code": code, "app_secret": "x".repeat(129)}).to_string(), "app secret cannot be longer"),
    ] {
        let response = with_header(bad).send().await?;
        assert_eq!(response.headers()["X-Bkapi-Error-Code"], "1640001");
        assert!(response.headers().contains_key("X-Bkapi-Request-Id"));
        let (http, body) = read(response).await?;
        assert_eq!((http, &body["code"], &body["code_name"]), (400, &json!(1640001), &json!("INVALID_ARGS")));
        assert_eq!((&body["result"], body.get("data")), (&json!(false), Some(&Value::Null)));
        assert!(body["message"].as_str().is_some_and(|text| text.contains(reason)), "{body}");
    }
    let violations = scene.bkci.violations();
    assert_eq!(violations.len(), 12, "each request carried both forms: {violations:?}");
    Ok(())
}

#[tokio::test]
async fn an_unknown_path_and_a_wrong_method_are_the_gateways() -> Tested {
    let scene = Scene::set().await?;
    let nothing = scene.as_alice(Method::GET, "/apigw-app/v3/nothing").send().await?;
    assert_eq!((nothing.status().as_u16(), &nothing.headers()["X-Bkapi-Error-Code"]), (404, &"1640401".parse()?));
    let wrong = scene.as_alice(Method::GET, &scene.address("b-1", "retry")).send().await?;
    assert_eq!((wrong.status().as_u16(), &wrong.headers()["X-Bkapi-Error-Code"]), (405, &"1640501".parse()?));
    assert_eq!(scene.bkci.violations().len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_contract_is_broken_by_what_is_not_known_or_left_out() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    scene.retry_request(&build, &[("taskid", "e-1")]).send().await?;
    scene.request(Method::POST, &scene.address(&build, "retry")).send().await?;
    let violations = scene.bkci.violations().join("\n");
    for expected in ["unknown query parameter taskid", "no X-DEVOPS-UID", "no X-DEVOPS-APP-CODE"] {
        assert!(violations.contains(expected), "{expected} in {violations}");
    }
    let before = scene.bkci.violations().len();
    scene.retry(&build, &[("taskId", "unit test/ü"), ("failedContainer", "true"), ("channelCode", "BS")]).await?;
    assert_eq!(scene.bkci.violations().len(), before);
    let sent = scene.bkci.requests();
    assert_eq!(sent[2].parameter("taskId"), Some("unit test/ü"));
    assert_eq!((sent[2].uid.as_deref(), sent[2].endpoint), (Some("alice"), Some(Endpoint::Retry)));
    assert_eq!((sent[2].build.as_deref(), sent[2].status), (Some(build.as_str()), Some(400)));
    assert!(sent[2].raw_target.contains("taskId=unit+test%2F%C3%BC"), "{}", sent[2].raw_target);
    Ok(())
}

// ---- 2.2 and 3.3: the openapi service ----

#[tokio::test]
async fn the_openapi_service_wants_a_media_type_a_project_an_application_and_a_user() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    let credentials = [("app_code", scene.bkci.app_code()), ("app_secret", scene.bkci.app_secret())];
    let retry = scene.address(&build, "retry");

    let bare = scene.http.post(format!("{}{retry}", scene.bkci.base_url())).query(&credentials);
    let (http, body) = read(bare.send().await?).await?;
    assert_eq!((http, &body["status"], &body["data"]), (415, &json!(415), &json!("HTTP 415 Unsupported Media Type")));

    let anonymous = scene.request(Method::POST, &retry).query(&credentials);
    let missing = json!({"status": 400, "message": "参数校验失败:request param userId cannot be empty"});
    assert_eq!(read(anonymous.send().await?).await?, (400, missing));

    let ghost = json!({"status": 404, "message": "ProjectId [ghost] not find, please check it."});
    assert_eq!(scene.get("/apigw-app/v3/projects/ghost/pipelines").await?, (404, ghost));
    Ok(())
}

#[tokio::test]
async fn an_application_without_the_project_is_refused_and_that_is_remembered_for_five_minutes() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    scene.bkci.authorise_application("demo", false);
    let (http, body) = scene.retry(&build, &[]).await?;
    assert_eq!((http, &body["status"]), (403, &json!(403)));
    assert_eq!(body["message"], "You don't have permission to do so");
    let data = body["data"].as_str().unwrap_or_default();
    assert!(data.starts_with("Permission denied: apigwType[apigw-app],appCode[reprise],ProjectId[demo]"), "{data}");
    scene.bkci.authorise_application("demo", true);
    assert_eq!(scene.verdict(&build, &[]).await?, (403, 403));
    scene.clock.advance(5 * MINUTE);
    assert_eq!(scene.verdict(&build, &[]).await?, (200, 0));
    Ok(())
}

#[tokio::test]
async fn messages_are_in_the_language_of_the_user() -> Tested {
    let scene = Scene::set().await?;
    let ghost = "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";
    for (language, message) in [
        (Language::Chinese, format!("流水线构建[{ghost}]不存在")),
        (Language::English, format!("Pipeline build [{ghost}] does not exist")),
        (Language::Japanese, format!("パイプライン構築[{ghost}]が存在しません")),
    ] {
        scene.bkci.set_language("alice", language);
        assert_eq!(scene.retry(ghost, &[]).await?, (404, json!({"status": 2101163, "message": message})));
    }
    Ok(())
}

// ---- 6.3: the order of checks ----

#[tokio::test]
async fn each_check_comes_before_the_next() -> Tested {
    let scene = Scene::set().await?;
    let bkci = &scene.bkci;
    let old = bkci.add_build(BuildPlan::failing(&scene.pipeline).age(29 * DAY));
    let other = bkci.add_pipeline("demo", "other");
    let elsewhere = bkci.add_build(BuildPlan::failing(&other));
    let skip = [("taskId", "unit_test"), ("skip", "true")];
    let damaged = |defect| {
        let build = bkci.add_build(BuildPlan::failing(&scene.pipeline));
        bkci.damage(&build, defect);
        build
    };
    // Everything is wrong at once; then it is put right from the first check to the last.
    bkci.permit("alice", "demo", &scene.pipeline, &[Right::View]);
    bkci.change_project("demo", |project| project.enabled = false);
    bkci.change_pipeline(&scene.pipeline, |pipeline| {
        pipeline.deleted = true;
        pipeline.locked = true;
        pipeline.max_concurrency = 0;
        pipeline.run_lock = Concurrency::Lock;
        pipeline.summary_missing = true;
    });
    assert_eq!(scene.verdict("b-ghost", &[]).await?, (403, 403), "1: permission comes before existence");
    bkci.permit("alice", "demo", &scene.pipeline, &[Right::View, Right::Execute]);
    assert_eq!(scene.verdict("b-ghost", &[]).await?, (404, 2101163), "2");
    assert_eq!(scene.verdict(&elsewhere, &[]).await?, (400, 2101058), "3");
    assert_eq!(scene.verdict(&old, &[]).await?, (400, 2101258), "4");

    let build = damaged(Defect::VersionGone);
    assert_eq!(scene.verdict(&build, &[]).await?, (404, 2101038), "5");
    bkci.change_pipeline(&scene.pipeline, |pipeline| pipeline.deleted = false);
    assert_eq!(scene.verdict(&build, &[]).await?, (404, 2101184), "5b");

    let build = damaged(Defect::ModelUnreadable);
    assert_eq!(scene.verdict(&build, &[]).await?, (400, 2101047), "6");
    bkci.change_pipeline(&scene.pipeline, |pipeline| pipeline.locked = false);
    assert_eq!(scene.verdict(&build, &[]).await?, (400, 2101039), "7");

    let build = damaged(Defect::RecordsGone);
    assert_eq!(scene.verdict(&build, &[("taskId", "stage-1")]).await?, (400, 2101081), "8a before 8b");
    assert_eq!(scene.verdict(&build, &skip).await?, (400, 2101221), "8c before 8d");
    bkci.permit_in_project("alice", "demo", &[ProjectRight::ApiOperate]);
    assert_eq!(scene.verdict(&build, &skip).await?, (400, 2101081), "8d");

    let build = bkci.add_build(BuildPlan::failing(&scene.pipeline));
    assert_eq!(scene.verdict(&build, &[("taskId", "stage-1")]).await?, (400, 2101114), "8b");
    assert_eq!(scene.verdict(&build, &[]).await?, (400, 2101080), "10");
    bkci.change_project("demo", |project| project.enabled = true);
    assert_eq!(scene.verdict(&build, &[]).await?, (400, 2101020), "11");
    bkci.change_pipeline(&scene.pipeline, |pipeline| pipeline.max_concurrency = 50);
    assert_eq!(scene.verdict(&build, &[]).await?, (400, 2101047), "12");
    bkci.add_build(BuildPlan::running(&scene.pipeline));
    bkci.change_pipeline(&scene.pipeline, |pipeline| {
        pipeline.run_lock = Concurrency::Single;
        pipeline.max_queue = 0;
    });
    assert_eq!(scene.verdict(&build, &[]).await?, (400, 2101049), "13");
    bkci.change_pipeline(&scene.pipeline, |pipeline| pipeline.max_queue = 10);
    assert_eq!(scene.verdict(&build, &[]).await?, (400, 2101139), "13b");
    bkci.change_pipeline(&scene.pipeline, |pipeline| pipeline.summary_missing = false);
    assert!(bkci.accepted_retries(&build).is_empty());
    assert_eq!(scene.verdict(&build, &[]).await?, (200, 0));
    assert_eq!(bkci.accepted_retries(&build).len(), 1);
    Ok(())
}

#[tokio::test]
async fn too_many_starts_in_a_minute_are_refused() -> Tested {
    let scene = Scene::set().await?;
    scene.bkci.change_pipeline(&scene.pipeline, |pipeline| pipeline.max_concurrency = 1);
    let first = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    let second = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    // A bucket is a minute of the clock: begin at the start of one.
    let left_ms = 60_000 - scene.clock.now_ms() % 60_000;
    scene.clock.advance(Duration::from_millis(u64::try_from(left_ms)?));
    assert_eq!(scene.verdict(&first, &[]).await?, (200, 0));
    assert_eq!(scene.verdict(&second, &[]).await?, (400, 2101020));
    scene.clock.advance(MINUTE);
    assert_eq!(scene.verdict(&second, &[]).await?, (200, 0));
    Ok(())
}

#[tokio::test]
async fn the_older_authorisation_names_the_right_that_is_missing() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    scene.bkci.permit("alice", "demo", &scene.pipeline, &[Right::View]);
    let plain = json!({"status": 403, "message": "You don't have permission to do so"});
    assert_eq!(scene.retry(&build, &[]).await?, (403, plain));
    scene.bkci.old_authorisation(true);
    let named = json!({"status": 2101008, "message": "Pipelining: users do not have Run permissions"});
    assert_eq!(scene.retry(&build, &[]).await?, (403, named));
    Ok(())
}

// ---- 6.1, 6.2, 6.5: modes and traps ----

#[tokio::test]
async fn a_whole_build_goes_back_to_the_queue_and_runs_again_from_the_start() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline).started_by("bob"));
    let before = scene.bkci.build(&build);
    assert_eq!((before.status.as_str(), before.execute_count), ("FAILED", 1));
    assert_eq!(scene.ran(&build, 1), ["Checkout", "Unit tests"]);

    let expected = json!({
        "id": build, "executeCount": 2, "projectId": "demo", "pipelineId": scene.pipeline.0, "num": before.number,
    });
    assert_eq!(scene.retry(&build, &[]).await?, (200, json!({"status": 0, "data": expected})));

    // Queued: no end, a new start, and the old errors still in the status (5.2).
    let status = scene.data(&build, "status").await?;
    assert_eq!((&status["status"], &status["retry"]), (&json!("QUEUE"), &json!(true)));
    assert!(status.get("endTime").is_none());
    assert!(status["startTime"].as_i64() > before.start_ms);
    assert_eq!(status["errorInfoList"][0]["errorCode"], 2199011);
    assert_eq!(status["variables"]["BK_CI_RETRY_COUNT"], "1");
    assert_eq!((&status["userId"], &status["variables"]["BK_CI_START_USER_ID"]), (&json!("bob"), &json!("alice")));

    scene.clock.advance(Duration::from_secs(2));
    let status = scene.data(&build, "status").await?;
    assert_eq!(status["status"], "RUNNING");
    assert!(status.get("errorInfoList").is_none());

    scene.clock.advance(2 * MINUTE);
    assert_eq!(scene.bkci.build(&build).status, "SUCCEED");
    assert_eq!(scene.ran(&build, 2), ["Checkout", "Unit tests", "Package", "Roll out"]);
    assert_eq!(scene.bkci.build(&build).start_users, ["alice", "bob"]);
    Ok(())
}

#[tokio::test]
async fn what_is_understood_as_less_than_it_says_re_runs_the_whole_build() -> Tested {
    let scene = Scene::set().await?;
    for trap in [
        vec![("failedContainer", "true")],
        vec![("skip", "true")],
        vec![("taskId", ""), ("skip", "true")],
        vec![("taskId", " ")],
        vec![("taskId", "e-00000000000000000000000000000000")],
        vec![("taskId", "Unit tests"), ("skip", "true")],
    ] {
        let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
        assert_eq!(scene.verdict(&build, &trap).await?, (200, 0), "{trap:?}");
        scene.clock.advance(2 * MINUTE);
        assert_eq!(scene.ran(&build, 2), ["Checkout", "Unit tests", "Package", "Roll out"], "{trap:?}");
    }
    // Nothing checks that the build failed.
    let fine = scene.bkci.add_build(BuildPlan::succeeding(&scene.pipeline));
    assert_eq!(scene.verdict(&fine, &[]).await?, (200, 0));
    scene.clock.advance(2 * MINUTE);
    assert_eq!(scene.ran(&fine, 2).len(), 4);
    Ok(())
}

#[tokio::test]
async fn a_task_runs_with_what_follows_it_and_other_failed_jobs_stay_failed() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(wide(&scene.pipeline));
    let first = scene.bkci.build(&build);
    assert_eq!(first.status, "FAILED");

    // The stepId is in two jobs: the first in model order wins (4).
    scene.retry(&build, &[("taskId", "same")]).await?;
    scene.clock.advance(2 * MINUTE);
    assert_eq!(scene.ran(&build, 2), ["unit", "report", "sweep"]);
    let view = scene.bkci.build(&build);
    assert_eq!((view.status.as_str(), view.start_ms), ("FAILED", first.start_ms), "only a whole retry moves startTime");
    assert_eq!(view.job("end to end").and_then(|job| job.status.as_deref()), Some("FAILED"));

    // Then the other job, by its id: now the later stage is reached.
    scene.retry(&build, &[("taskId", "3")]).await?;
    scene.clock.advance(2 * MINUTE);
    assert_eq!(scene.ran(&build, 3), ["e2e", "upload", "sweep"]);
    assert_eq!(scene.bkci.build(&build).status, "SUCCEED");
    Ok(())
}

#[tokio::test]
async fn a_stage_runs_again_with_all_or_with_failed_jobs_or_with_failed_tasks_skipped() -> Tested {
    let scene = Scene::set().await?;
    for (query, ran) in [
        (vec![("taskId", "stage-2")], vec!["lint", "fetch", "e2e", "unit", "report", "upload", "sweep"]),
        (
            vec![("taskId", "stage-2"), ("failedContainer", "true")],
            vec!["fetch", "e2e", "unit", "report", "upload", "sweep"],
        ),
        (vec![("taskId", "stage-2"), ("skip", "true")], vec!["lint", "fetch", "report", "upload", "sweep"]),
    ] {
        let build = scene.bkci.add_build(wide(&scene.pipeline));
        assert_eq!(scene.verdict(&build, &query).await?, (200, 0));
        scene.clock.advance(3 * MINUTE);
        assert_eq!(scene.ran(&build, 2), ran, "{query:?}");
        assert_eq!(scene.bkci.build(&build).status, "SUCCEED");
    }
    Ok(())
}

#[tokio::test]
async fn a_skipped_task_is_not_run_and_what_follows_is() -> Tested {
    let scene = Scene::set().await?;
    let plan = |manual_skip| {
        let tests = broken("tests").with(|options| options.manual_skip = manual_skip);
        BuildPlan::new(&scene.pipeline)
            .stage(StagePlan::new("Test").job(job("linux", [task("fetch"), tests, task("report")])))
            .age(60 * MINUTE)
    };
    let build = scene.bkci.add_build(plan(None));
    let tests = scene.task(&build, "tests");
    assert_eq!(scene.verdict(&build, &[("taskId", &tests), ("skip", "true")]).await?, (400, 2101221));

    let build = scene.bkci.add_build(plan(Some(true)));
    let tests = scene.task(&build, "tests");
    assert_eq!(scene.verdict(&build, &[("taskId", &tests), ("skip", "true")]).await?, (200, 0));
    scene.clock.advance(MINUTE);
    assert_eq!(scene.ran(&build, 2), ["report"]);
    let view = scene.bkci.build(&build);
    assert_eq!(view.status, "SUCCEED");
    let tests = view.task("tests");
    assert_eq!(tests.and_then(|task| task.status.as_deref()), Some("SKIP"));
    assert_eq!(tests.and_then(|task| task.retry_count_manual), Some(0), "skipping does not count");
    Ok(())
}

/// A matrix of three children, two of which fail the first time.
fn matrix(pipeline: &PipelineId) -> BuildPlan {
    let failing = || vec![Outcome::Fail(Fail::script("exit 1")), Outcome::Pass];
    let job = job("matrix", [task("fetch"), task("test").step("t")])
        .child(MatrixChild::new("os", "linux"))
        .child(MatrixChild::new("os", "windows").task_ends(1, failing()))
        .child(MatrixChild::new("os", "macos").task_ends(1, failing()));
    BuildPlan::new(pipeline).stage(StagePlan::new("Test").job(job)).age(60 * MINUTE)
}

#[tokio::test]
async fn the_detail_of_a_matrix_has_its_children_with_ids_of_their_own() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(matrix(&scene.pipeline));
    let detail = scene.data(&build, "detail").await?;
    let (yes, failed) = (json!(true), json!("FAILED"));
    let parent = &detail["model"]["stages"][1]["containers"][0];
    assert_eq!((&parent["id"], &parent["matrixGroupFlag"], &parent["canRetry"]), (&json!("1"), &yes, &yes));
    let child = &parent["groupContainers"][1];
    assert_eq!((&child["id"], &child["status"], &child["canRetry"]), (&json!("1002"), &failed, &yes));
    let element = &child["elements"][1];
    assert_eq!((&element["@type"], &element["originClassType"]), (&json!("matrixStatus"), &json!("linuxScript")));
    assert!(element.get("additionalOptions").is_none());
    assert_eq!(element["canRetry"], true, "by the options of the parent's element");
    assert_eq!(detail["errorInfoList"][0]["matrixFlag"], true);
    Ok(())
}

#[tokio::test]
async fn a_matrix_runs_again_whole_or_its_failed_children_or_one_of_them() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(matrix(&scene.pipeline));
    let view = scene.bkci.build(&build);
    let children = &view.job("matrix").expect("it is there").children;

    scene.retry(&build, &[("taskId", &children[1].tasks[1].id)]).await?;
    scene.clock.advance(MINUTE);
    assert_eq!(scene.ran(&build, 2), ["test"]);
    assert_eq!(scene.bkci.build(&build).status, "FAILED");

    scene.retry(&build, &[("taskId", "1"), ("failedContainer", "true")]).await?;
    scene.clock.advance(MINUTE);
    assert_eq!(scene.ran(&build, 3), ["fetch", "test"], "only the one child that was still failed");
    assert_eq!(scene.bkci.build(&build).status, "SUCCEED");

    scene.retry(&build, &[("taskId", "1002")]).await?;
    scene.clock.advance(MINUTE);
    assert_eq!(scene.ran(&build, 4), ["fetch", "test"]);

    scene.retry(&build, &[("taskId", "1")]).await?;
    scene.clock.advance(MINUTE);
    assert_eq!(scene.ran(&build, 5).len(), 6, "split again completely");
    let fresh = scene.bkci.build(&build).task("test").and_then(|task| task.retry_count_manual);
    assert_eq!(fresh, Some(0), "a fresh split begins anew");
    Ok(())
}

#[tokio::test]
async fn a_gate_must_be_opened_again_after_a_retry_of_a_task_behind_it() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(
        BuildPlan::new(&scene.pipeline)
            .stage(StagePlan::new("Ship").gate(&["carol"]).job(job("ship", [broken("upload").passes()]))),
    );
    let upload = scene.task(&build, "upload");
    scene.clock.advance(MINUTE);
    let view = scene.bkci.build(&build);
    assert_eq!((view.status.as_str(), view.finished), ("STAGE_SUCCESS", false));
    assert_eq!(scene.verdict(&build, &[]).await?, (400, 2101129));
    assert_eq!(scene.verdict(&build, &[("taskId", &upload)]).await?, (400, 2101129));
    scene.bkci.review_gate("carol", &build, true);
    scene.clock.advance(MINUTE);
    assert_eq!(scene.bkci.build(&build).status, "FAILED");

    scene.retry(&build, &[("taskId", &upload)]).await?;
    scene.clock.advance(MINUTE);
    let detail = scene.data(&build, "detail").await?;
    assert_eq!((&detail["status"], detail.get("endTime")), (&json!("STAGE_SUCCESS"), None));
    assert_eq!(detail["model"]["stages"][1]["checkIn"]["status"], "REVIEWING");
    scene.bkci.review_gate("carol", &build, false);
    let view = scene.bkci.build(&build);
    assert_eq!((view.status.as_str(), view.finished), ("STAGE_SUCCESS", true));
    Ok(())
}

#[tokio::test]
async fn a_build_of_a_code_event_keeps_its_user_when_retried_whole_and_only_then() -> Tested {
    let scene = Scene::set().await?;
    let push = Webhook::push("gina", "main", "c0ffee", "fix the build");
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline).by(Trigger::Webhook(push)));
    scene.retry(&build, &[]).await?;
    scene.clock.advance(2 * MINUTE);
    scene.retry(&build, &[("taskId", "unit_test")]).await?;
    let detail = scene.data(&build, "detail").await?;
    let records = detail["recordList"].as_array().cloned().unwrap_or_default();
    let users: Vec<&Value> = records.iter().map(|record| &record["startUser"]).collect();
    assert_eq!(users, ["alice", "gina", "gina"], "latest first");
    assert_eq!((&detail["userId"], &detail["executeCount"]), (&json!("gina"), &json!(3)));
    assert_eq!(detail["webhookInfo"]["webhookBranch"], "main");
    assert_eq!(scene.data(&build, "status").await?["startType"], "codeGitWebHookTrigger");
    Ok(())
}

#[tokio::test]
async fn an_old_server_answers_the_id_alone_and_variables_are_wiped_where_the_pipeline_says_so() -> Tested {
    let scene = Scene::set().await?;
    scene.bkci.old_server(true);
    scene.bkci.change_pipeline(&scene.pipeline, |pipeline| pipeline.clean_variables_on_retry = true);
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    scene.bkci.set_variable(&build, "ARTIFACT", "a.zip");
    assert_eq!(scene.data(&build, "status").await?["variables"]["ARTIFACT"], "a.zip");
    assert_eq!(scene.retry(&build, &[]).await?, (200, json!({"status": 0, "data": {"id": build}})));
    let variables = &scene.data(&build, "status").await?["variables"];
    assert_eq!((variables.get("ARTIFACT"), &variables["BRANCH"]), (None, &json!("main")));
    Ok(())
}

// ---- 6.4: running builds ----

#[tokio::test]
async fn a_running_build_refuses_all_but_a_failed_task_of_a_finished_job() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(
        BuildPlan::new(&scene.pipeline)
            .stage(StagePlan::new("Prepare").job(job("prepare", [task("ready")])))
            .stage(
                StagePlan::new("Test")
                    .job(job("quick", [task("fetch"), broken("quick").passes(), task("after")]))
                    .job(job("long", [task("soak").takes(60 * MINUTE)])),
            )
            .age(5 * MINUTE),
    );
    let id = |name: &str| scene.task(&build, name);
    assert_eq!(scene.bkci.build(&build).status, "RUNNING");
    for (task, refusal) in [
        (String::new(), 2100002),
        ("e-unknown".to_owned(), 2100002),
        ("2".to_owned(), 2100002),
        ("stage-3".to_owned(), 2101114),
        (id("ready"), 2101273),
        (id("soak"), 2101110),
        (id("fetch"), 2101277),
    ] {
        assert_eq!(scene.verdict(&build, &[("taskId", &task)]).await?, (400, refusal), "{task}");
    }
    let (_, body) = scene.retry(&build, &[]).await?;
    assert_eq!(body["message"], "Parameter BK_CI_RETRY_TASK_IN_STAGE_ID cannot be empty");

    scene.bkci.change_project("demo", |project| project.enabled = false);
    assert_eq!(scene.verdict(&build, &[("taskId", &id("quick"))]).await?, (400, 2101080), "6.3 #10 holds here too");
    scene.bkci.change_project("demo", |project| project.enabled = true);

    let (http, body) = scene.retry(&build, &[("taskId", &id("quick"))]).await?;
    assert_eq!((http, &body["data"]["executeCount"]), (200, &json!(1)), "the attempt does not grow");
    assert_eq!(scene.bkci.build(&build).status, "RUNNING");
    scene.clock.advance(MINUTE);
    assert_eq!(scene.ran(&build, 1), ["ready", "fetch", "soak", "quick", "quick", "after"]);
    let view = scene.bkci.build(&build);
    assert_eq!(view.task("quick").and_then(|task| task.retry_count_manual), Some(1));
    assert_eq!(view.start_users.len(), 1, "no new entry in recordList");
    assert_eq!(scene.bkci.accepted_retries(&build)[0].via, Via::Api);
    Ok(())
}

#[tokio::test]
async fn the_second_of_two_retries_finds_the_build_running() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    let (first, second) = tokio::join!(scene.verdict(&build, &[]), scene.verdict(&build, &[]));
    let mut verdicts = [first?, second?];
    verdicts.sort_unstable();
    assert_eq!(verdicts, [(200, 0), (400, 2100002)]);
    assert_eq!(scene.bkci.accepted_retries(&build).len(), 1);
    Ok(())
}

#[tokio::test]
async fn somebody_else_may_be_faster_on_the_page() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    assert!(scene.bkci.retry_on_the_web("bob", &build, Wish::default()).is_err());
    scene.bkci.permit("bob", "demo", &scene.pipeline, &[Right::Execute]);
    assert_eq!(scene.bkci.retry_on_the_web("bob", &build, Wish::default()), Ok(2));
    assert_eq!(scene.verdict(&build, &[]).await?, (400, 2100002));
    let retries = scene.bkci.accepted_retries(&build);
    assert_eq!((retries[0].uid.as_str(), retries[0].via, retries[0].execute_count), ("bob", Via::Web, 2));
    Ok(())
}

// ---- 7: reading ----

#[tokio::test]
async fn the_detail_of_a_failed_build_says_what_can_be_retried() -> Tested {
    let scene = Scene::set().await?;
    let manual = broken("manual").with(|options| {
        options.continue_when_failed = true;
        options.manual_skip = Some(true);
    });
    let tolerated = broken("tolerated").with(|options| options.continue_when_failed = true);
    let hidden = broken("hidden").with(|options| options.manual_retry = false);
    let after = broken("after").with(|options| options.run_condition = RunCondition::EvenIfFailed);
    let build = scene.bkci.add_build(
        BuildPlan::new(&scene.pipeline)
            .stage(
                StagePlan::new("Test")
                    .job(job("a", [manual, task("never")]))
                    .job(job("b", [tolerated, hidden, after]))
                    .job(job("c", [task("fine")]))
                    .job(job("d", [task("no machine")]).machine_fails(Fail::machine("no agent"))),
            )
            .finally(StagePlan::new("Tidy").job(job("tidy", [broken("sweep")])))
            .age(60 * MINUTE),
    );
    let detail = scene.data(&build, "detail").await?;
    let stages = &detail["model"]["stages"];
    let jobs = &stages[1]["containers"];
    let element = |job: usize, task: usize| &jobs[job]["elements"][task];
    let buttons = |job, task| (element(job, task).get("canRetry"), element(job, task).get("canSkip"));
    let (yes, no) = (json!(true), json!(false));
    assert_eq!((&stages[1]["canRetry"], &stages[2]["canRetry"]), (&yes, &no), "never for the finally stage");
    assert_eq!((&stages[1]["finally"], &stages[2]["finally"]), (&no, &yes));
    assert_eq!(buttons(0, 0), (Some(&yes), Some(&yes)), "a person may go on or try again");
    assert_eq!((buttons(0, 1), &element(0, 1)["status"]), ((None, None), &json!("UNEXEC")));
    assert_eq!(buttons(1, 0), (None, None), "tolerated");
    assert_eq!(buttons(1, 1), (Some(&no), None), "manualRetry=false");
    assert_eq!(buttons(1, 2), (None, None), "runs after a failure");
    assert_eq!((&jobs[2]["canRetry"], buttons(2, 0)), (&no, (None, None)));
    assert_eq!(element(1, 1)["errorType"], "USER");
    assert_eq!((&stages[0]["containers"][0]["@type"], &jobs[0]["@type"]), (&json!("trigger"), &json!("vmBuild")));

    // The job without a machine has an error and no failed element (5.2, 7.2).
    let errors = detail["errorInfoList"].as_array().cloned().unwrap_or_default();
    let machine = errors.iter().find(|error| error["containerId"] == "4").cloned().unwrap_or_default();
    assert_eq!((&machine["taskId"], &machine["taskName"]), (&json!(""), &json!("d")));
    assert_eq!((&machine["errorType"], &machine["errorCode"]), (&json!(4), &json!(2189504)));
    assert_eq!(errors.len(), 6, "tolerated failures are listed too");
    assert_eq!(detail["pipelineId"], scene.pipeline.0);

    scene.clock.advance(28 * DAY);
    let detail = scene.data(&build, "detail").await?;
    assert!(detail["model"]["stages"][1].get("canRetry").is_none(), "no longer computed");
    Ok(())
}

#[tokio::test]
async fn detail_checks_the_pairing_of_build_and_pipeline_and_status_does_not() -> Tested {
    let scene = Scene::set().await?;
    let secret = scene.bkci.add_pipeline("demo", "secret");
    let theirs = scene.bkci.add_build(BuildPlan::failing(&secret));
    let (http, body) = scene.get(&scene.address(&theirs, "detail")).await?;
    assert_eq!((http, &body["status"]), (404, &json!(2101163)));
    let status = scene.data(&theirs, "status").await?;
    assert_eq!((&status["id"], status.get("pipelineId")), (&json!(theirs), None));
    Ok(())
}

#[tokio::test]
async fn history_lists_the_latest_first_in_pages_and_looks_the_pipeline_up_first() -> Tested {
    let scene = Scene::set().await?;
    for _ in 0..3 {
        scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    }
    let history = format!("/apigw-app/v3/projects/demo/pipelines/{}/builds/history", scene.pipeline);
    let page = |query: &str| format!("{history}?{query}");
    let (_, body) = scene.get(&page("page=2&pageSize=2")).await?;
    let data = &body["data"];
    assert_eq!((&data["count"], &data["totalPages"]), (&json!(3), &json!(2)));
    assert_eq!(data["records"][0]["buildNum"], 1);
    let (_, body) = scene.get(&page("pageSize=1000")).await?;
    let newest = &body["data"]["records"][0];
    assert_eq!((&body["data"]["pageSize"], &newest["buildNum"]), (&json!(100), &json!(3)));
    assert_eq!((&newest["executeCount"], newest.get("variables")), (&json!(1), None));
    assert_eq!(scene.get(&page("page=abc")).await?.0, 400);
    let (http, body) = scene.get("/apigw-app/v3/projects/demo/pipelines/p-ghost/builds/history").await?;
    assert_eq!((http, &body["status"]), (404, &json!(2101038)));
    Ok(())
}

#[tokio::test]
async fn projects_and_pipelines_are_listed() -> Tested {
    let scene = Scene::set().await?;
    scene.bkci.add_project("others");
    let (_, body) = scene.get("/apigw-app/v3/projects/").await?;
    assert_eq!(body["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(body["data"][0]["englishName"], "demo");
    let (_, body) = scene.get("/apigw-app/v3/projects/demo/pipelines").await?;
    let row = &body["data"]["records"][0];
    assert_eq!((&row["pipelineName"], &row["lock"]), (&json!("nightly"), &json!(false)));
    assert_eq!(row["hasPermission"], true);
    let (_, body) = scene.get("/apigw-app/v3/projects/demo/pipelines/p-ghost/status").await?;
    assert_eq!(body, json!({"status": 0}), "no data at all");
    assert_eq!(scene.bkci.snapshot()["projects"][0]["pipelines"][0]["name"], "nightly");
    assert!(scene.bkci.violations().is_empty(), "{:?}", scene.bkci.violations());
    Ok(())
}

// ---- 5.1, 7.2, 8: the engine ----

#[tokio::test]
async fn the_engine_repeats_tasks_by_itself_kills_fast_and_carries_the_status_up() -> Tested {
    let scene = Scene::set().await?;
    let flaky = broken("flaky").passes().with(|options| {
        options.retry_when_failed = true;
        options.retry_count = 2;
    });
    let slow = TaskPlan::new("slow").takes(60 * MINUTE);
    let timeout = TaskPlan::new("timeout").fails(Fail::script("too long").with_status(Status::ExecTimeout));
    let build = scene.bkci.add_build(
        BuildPlan::new(&scene.pipeline)
            .stage(StagePlan::new("A").job(job("a", [flaky])))
            .stage(StagePlan::new("B").fast_kill().job(job("b", [timeout])).job(job("c", [slow])))
            .stage(StagePlan::new("C").job(job("d", [task("unreached")])))
            .age(5 * MINUTE),
    );
    let view = scene.bkci.build(&build);
    assert_eq!(scene.ran(&build, 1), ["flaky", "flaky", "timeout", "slow"]);
    assert_eq!((view.status.as_str(), view.finished), ("EXEC_TIMEOUT", true));
    assert_eq!(view.task("slow").and_then(|task| task.status.as_deref()), Some("TERMINATE"));
    assert_eq!(view.task("flaky").and_then(|task| task.retry_count_manual), Some(0), "not repeated by hand");
    assert_eq!(view.stage("C").and_then(|stage| stage.status.as_deref()), Some("UNEXEC"));
    Ok(())
}

#[tokio::test]
async fn conditions_decide_what_runs_after_a_failure() -> Tested {
    let scene = Scene::set().await?;
    let when = |name, condition| task(name).with(|options| options.run_condition = condition);
    let plan = |first: TaskPlan| {
        let tasks = [
            first,
            task("next"),
            when("always", RunCondition::EvenIfFailed),
            when("only after failure", RunCondition::OnlyIfFailed),
            task("switched off").with(|options| options.enable = false),
        ];
        BuildPlan::new(&scene.pipeline).stage(StagePlan::new("A").job(job("a", tasks))).age(60 * MINUTE)
    };
    let failed = scene.bkci.add_build(plan(broken("first")));
    assert_eq!(scene.ran(&failed, 1), ["first", "always", "only after failure"]);
    assert_eq!(scene.bkci.build(&failed).status, "FAILED");
    let fine = scene.bkci.add_build(plan(task("first")));
    assert_eq!(scene.ran(&fine, 1), ["first", "next", "always"]);
    let tolerant = plan(broken("first").with(|options| options.continue_when_failed = true));
    let tolerated = scene.bkci.add_build(tolerant);
    assert_eq!(scene.ran(&tolerated, 1), ["first", "next", "always"]);
    let status = scene.data(&tolerated, "status").await?;
    assert_eq!((&status["status"], &status["errorInfoList"][0]["taskName"]), (&json!("SUCCEED"), &json!("first")));
    Ok(())
}

#[tokio::test]
async fn a_review_task_waits_for_a_person() -> Tested {
    let scene = Scene::set().await?;
    let plan = BuildPlan::new(&scene.pipeline)
        .stage(StagePlan::new("A").job(job("a", [TaskPlan::new("review").review(), task("next")])))
        .age(60 * MINUTE);
    let build = scene.bkci.add_build(plan);
    let review = scene.task(&build, "review");
    scene.clock.advance(DAY);
    let view = scene.bkci.build(&build);
    assert_eq!(view.task("review").and_then(|task| task.status.as_deref()), Some("REVIEWING"));
    scene.bkci.review_task(&build, &review, true);
    scene.clock.advance(MINUTE);
    assert_eq!((scene.bkci.build(&build).status.as_str(), scene.ran(&build, 1).len()), ("SUCCEED", 2));
    Ok(())
}

#[tokio::test]
async fn builds_of_a_single_pipeline_wait_for_each_other() -> Tested {
    let scene = Scene::set().await?;
    scene.bkci.change_pipeline(&scene.pipeline, |pipeline| pipeline.run_lock = Concurrency::Single);
    let plan = || BuildPlan::new(&scene.pipeline).stage(StagePlan::new("A").job(job("a", [task("t").takes(MINUTE)])));
    let (first, second) = (scene.bkci.add_build(plan()), scene.bkci.add_build(plan()));
    scene.clock.advance(Duration::from_secs(30));
    assert_eq!(scene.bkci.build(&first).status, "RUNNING");
    assert_eq!(scene.bkci.build(&second).status, "QUEUE");
    scene.clock.advance(60 * MINUTE);
    let (first, second) = (scene.bkci.build(&first), scene.bkci.build(&second));
    assert_eq!((first.status.as_str(), second.status.as_str()), ("SUCCEED", "SUCCEED"));
    assert_eq!(second.start_ms, first.end_ms);
    Ok(())
}

#[tokio::test]
async fn stopping_is_answered_at_once_and_happens_later() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::running(&scene.pipeline));
    let stop = async || read(scene.as_alice(Method::POST, &scene.address(&build, "stop")).send().await?).await;
    assert_eq!(stop().await?, (200, json!({"status": 0, "data": true})));
    assert_eq!(scene.bkci.build(&build).status, "RUNNING");
    let (http, body) = stop().await?;
    assert_eq!((http, &body["status"]), (400, &json!(2101019)));
    assert!(body["message"].as_str().is_some_and(|text| text.contains("cancelled by alice")));
    scene.clock.advance(Duration::from_secs(2));
    let view = scene.bkci.build(&build);
    assert_eq!((view.status.as_str(), view.finished), ("CANCELED", true));
    assert_eq!(stop().await?.1["status"], 2101182);
    assert_eq!(scene.data(&build, "detail").await?["cancelUserId"], "alice");
    scene.bkci.permit("alice", "demo", &scene.pipeline, &[Right::View]);
    let (http, body) = stop().await?;
    assert_eq!((http, &body["status"]), (400, &json!(2101008)), "400 here, not 403");
    Ok(())
}

// ---- faults ----

#[tokio::test]
async fn an_answer_can_be_lost_after_or_before_the_request_is_carried_out() -> Tested {
    let scene = Scene::set().await?;
    for (fault, acted) in [
        (Fault::lose_answer(), 1),
        (Fault::lose_request(), 0),
        (Fault::answer(Wrong::Reset), 0),
        (Fault::answer(Wrong::Reset).after_acting(), 1),
    ] {
        let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
        let order = scene.bkci.order(Endpoint::Retry, fault);
        let error = scene.retry_request(&build, &[]).send().await.expect_err("there is no answer");
        assert!(error.is_request() && !error.is_connect() && !error.is_timeout(), "{:?}", error.without_url());
        assert_eq!((order.hits(), scene.bkci.accepted_retries(&build).len()), (1, acted));
        assert_eq!(scene.bkci.requests_of(Endpoint::Retry).last().and_then(|record| record.status), None);
    }
    Ok(())
}

#[tokio::test]
async fn a_reset_is_a_reset_and_not_a_close() -> Tested {
    let scene = Scene::set().await?;
    scene.bkci.order(On::Any, Fault::answer(Wrong::Reset));
    let error = scene.retry_request("b-1", &[]).send().await.expect_err("there is no answer");
    let mut source = std::error::Error::source(&error);
    let mut reset = false;
    while let Some(inner) = source {
        let kind = inner.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        reset |= kind == Some(std::io::ErrorKind::ConnectionReset);
        source = inner.source();
    }
    assert!(reset, "{:?}", error.without_url());
    Ok(())
}

#[tokio::test]
async fn wrong_answers_in_json_look_as_the_reference_says() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    for (wrong, http, field, code) in [
        (Wrong::RequestTimeout, 408, "status", 408),
        (Wrong::ServerError, 500, "status", 500),
        (Wrong::Unparsable, 400, "status", 2100110),
        (Wrong::Refusal(2101129), 400, "status", 2101129),
        (Wrong::Gateway(1650200), 502, "code", 1650200),
        (Wrong::Gateway(1650401), 504, "code", 1650401),
        (Wrong::GatewayAs200(1640301), 200, "code", 1640301),
        (Wrong::RateLimited { reset_s: 7 }, 429, "code", 1642902),
    ] {
        scene.bkci.order(Endpoint::Retry, Fault::answer(wrong.clone()));
        let response = scene.retry_request(&build, &[]).send().await?;
        let headers = response.headers().clone();
        assert!(headers.contains_key("X-Bkapi-Request-Id") && !headers.contains_key("Retry-After"));
        assert_eq!(headers.contains_key("X-Bkapi-Error-Code"), field == "code", "{wrong:?}");
        assert_eq!(headers.contains_key("X-Bkapi-RateLimit-Reset"), http == 429);
        let (seen, body) = read(response).await?;
        assert_eq!((seen, &body[field]), (http, &json!(code)), "{wrong:?}");
    }
    assert!(scene.bkci.accepted_retries(&build).is_empty());
    Ok(())
}

#[tokio::test]
async fn wrong_answers_may_be_pages_or_nothing() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    for (wrong, http, text) in [
        (Wrong::NginxBadGateway, 502, "nginx"),
        (Wrong::Html200, 200, "<html>"),
        (Wrong::Empty200, 200, ""),
        (Wrong::PlainForbidden, 403, "You do not have permission to access"),
    ] {
        scene.bkci.order(Endpoint::Retry, Fault::answer(wrong));
        let response = scene.retry_request(&build, &[]).send().await?;
        assert_eq!(response.status(), http);
        let body = response.text().await?;
        assert!(body.contains(text) && body.is_empty() == text.is_empty(), "{body}");
    }
    let login = "https://login.example.com/";
    scene.bkci.order(Endpoint::Retry, Fault::answer(Wrong::Redirect { to: login.into() }));
    let response = scene.retry_request(&build, &[]).send().await?;
    assert_eq!((response.status().as_u16(), &response.headers()["Location"]), (302, &login.parse()?));
    assert!(scene.bkci.accepted_retries(&build).is_empty());
    Ok(())
}

#[tokio::test]
async fn bodies_can_break_off_drip_or_be_huge() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    scene.bkci.order(Endpoint::Retry, Fault::answer(Wrong::Truncated).after_acting());
    let response = scene.retry_request(&build, &[]).send().await?;
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    assert_eq!(scene.bkci.accepted_retries(&build).len(), 1, "it was carried out all the same");

    let detail = scene.address(&build, "detail");
    scene.bkci.order(Endpoint::Detail, Fault::answer(Wrong::SlowDrip { every: Duration::from_secs(60) }));
    let hasty = reqwest::Client::builder().read_timeout(Duration::from_millis(100)).build()?;
    let response = hasty.get(format!("{}{detail}", scene.bkci.base_url())).send().await?;
    assert!(response.bytes().await.expect_err("the body never comes").is_timeout());

    scene.bkci.order(Endpoint::Detail, Fault::answer(Wrong::FORTY_MEGABYTES));
    let response = scene.as_alice(Method::GET, &detail).send().await?;
    assert!(response.bytes().await?.len() > 40_000_000);
    Ok(())
}

#[tokio::test]
async fn an_answer_can_be_held_and_a_deed_can_come_later_than_its_answer() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    let held = scene.bkci.order(Endpoint::Retry, Fault::hold_answer());
    let request = tokio::spawn(scene.retry_request(&build, &[]).send());
    scene.bkci.wait_for("the retry", |bkci| bkci.accepted_retries(&build).first().cloned()).await;
    assert!(!request.is_finished());
    held.release();
    assert_eq!(request.await??.status(), 200);

    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    let late = Fault::answer(Wrong::Gateway(1650401)).acting_later(Duration::from_secs(40));
    scene.bkci.order(Endpoint::Retry, late);
    assert_eq!(scene.retry(&build, &[]).await?.0, 504);
    assert!(scene.bkci.accepted_retries(&build).is_empty());
    scene.clock.advance(Duration::from_secs(40));
    scene.bkci.wait_for("the late retry", |bkci| bkci.accepted_retries(&build).first().cloned()).await;
    Ok(())
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_stop_what_the_service_has_begun() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    scene.bkci.order(Endpoint::Retry, Fault::delay_request(MINUTE));
    let request = tokio::spawn(scene.retry_request(&build, &[]).send());
    scene.bkci.wait_for("its arrival", |bkci| bkci.requests_of(Endpoint::Retry).first().cloned()).await;
    request.abort();
    scene.clock.advance(MINUTE);
    scene.bkci.wait_for("the delayed retry", |bkci| bkci.accepted_retries(&build).first().cloned()).await;
    Ok(())
}

#[tokio::test]
async fn orders_last_as_long_as_they_say() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    let detail = async || anyhow::Ok(scene.get(&scene.address(&build, "detail")).await?.0);
    let twice = scene.bkci.order_times(Endpoint::Detail, 2, Fault::answer(Wrong::ServerError));
    assert_eq!((detail().await?, detail().await?, detail().await?), (500, 500, 200));
    assert_eq!(twice.hits(), 2);
    let alices = On::when(|record| record.uid.as_deref() == Some("alice"));
    let always = scene.bkci.order_always(alices, Fault::answer(Wrong::ServerError));
    assert_eq!((detail().await?, detail().await?), (500, 500));
    always.withdraw();
    assert_eq!(detail().await?, 200);
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_down_refuses_connections_on_the_same_port() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    assert_eq!(scene.data(&build, "status").await?["status"], "FAILED");
    scene.bkci.down().await?;
    let error = scene.retry_request(&build, &[]).send().await.expect_err("nobody listens");
    assert!(error.is_connect(), "{:?}", error.without_url());
    scene.bkci.up().await?;
    assert_eq!(scene.verdict(&build, &[]).await?, (200, 0));
    Ok(())
}
