//! The three families of BK-CI's addresses, as `bkci-api.md` 1, 2.2, 3.3, 6.1, 7.4 and 10 describe them.

use sandbox::bkci::{BkCi, BuildPlan, Family, Language, PipelineId, ProjectRight, Right};
use sandbox::clock::Clock;
use serde_json::{Value, json};

type Tested = anyhow::Result<()>;

const FAMILIES: [Family; 3] = [Family::V3, Family::V4, Family::V4Backend];
const V4: [Family; 2] = [Family::V4, Family::V4Backend];
const NOWHERE: &str = "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";

/// `alice` may look at and retry `nightly`, and speaks English.
struct Scene {
    bkci: BkCi,
    pipeline: PipelineId,
    http: reqwest::Client,
}

struct Answer {
    http: u16,
    by_the_gateway: Option<String>,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("JSON: {}", self.text))
    }

    fn data(&self) -> Value {
        assert_eq!(self.http, 200, "{}", self.text);
        self.json()["data"].clone()
    }

    /// HTTP status, code and message.
    fn refusal(&self) -> (u16, i64, String) {
        let body = self.json();
        (self.http, body["status"].as_i64().unwrap_or(-1), body["message"].as_str().unwrap_or_default().to_owned())
    }
}

impl Scene {
    async fn set() -> anyhow::Result<Self> {
        let bkci = BkCi::start(Clock::default()).await?;
        let pipeline = bkci.add_pipeline("demo", "nightly");
        bkci.permit("alice", "demo", &pipeline, &[Right::View, Right::Execute]);
        bkci.set_language("alice", Language::English);
        Ok(Self { bkci, pipeline, http: reqwest::Client::new() })
    }

    async fn ask(&self, method: &str, family: Family, path: &str) -> anyhow::Result<Answer> {
        let authorization = json!({"bk_app_code": self.bkci.app_code(), "bk_app_secret": self.bkci.app_secret()});
        self.ask_with(method, family, path, &[("X-Bkapi-Authorization", &authorization.to_string())]).await
    }

    async fn ask_with(
        &self,
        method: &str,
        family: Family,
        path: &str,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        let url = format!("{}{path}", self.bkci.base_url_of(family));
        let mut request = self.http.request(method.parse()?, url).header("X-DEVOPS-UID", "alice");
        request = request.header("X-DEVOPS-APP-CODE", "reprise").header("Content-Type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        assert_eq!(header("X-Bkapi-Request-Id").is_some(), family != Family::V4Backend, "the gateway adds it");
        let by_the_gateway = header("X-Bkapi-Error-Code");
        Ok(Answer { http: response.status().as_u16(), by_the_gateway, text: response.text().await? })
    }

    async fn get(&self, family: Family, path: &str) -> anyhow::Result<Answer> {
        self.ask("GET", family, path).await
    }

    /// The address of an operation on a build.
    fn of_build(&self, family: Family, verb: &str, pipeline: &PipelineId, build: &str) -> String {
        match family {
            Family::V3 => format!("/apigw-app/v3/projects/demo/pipelines/{pipeline}/builds/{build}/{verb}"),
            Family::V4 | Family::V4Backend => {
                format!("{}/demo/build_{verb}?pipelineId={pipeline}&buildId={build}", projects(family))
            }
        }
    }

    /// A build that failed, of another pipeline that alice may look at too.
    fn elsewhere(&self) -> (PipelineId, String) {
        let other = self.bkci.add_pipeline("demo", "other");
        self.bkci.permit("alice", "demo", &other, &[Right::View, Right::Execute]);
        let build = self.bkci.add_build(BuildPlan::failing(&other));
        (other, build)
    }
}

fn projects(family: Family) -> &'static str {
    match family {
        Family::V3 => "/apigw-app/v3/projects",
        Family::V4 => "/v4/apigw-app/projects",
        Family::V4Backend => "/apigw-app/v4/projects",
    }
}

// ---- 1: the addresses ----

#[tokio::test]
async fn one_world_is_behind_all_three_families() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    let address = |family, verb| scene.of_build(family, verb, &scene.pipeline, &build);
    for (family, attempt) in FAMILIES.into_iter().zip(2..) {
        let detail = scene.get(family, &address(family, "detail")).await?.data();
        assert_eq!((&detail["pipelineName"], &detail["id"]), (&json!("nightly"), &json!(build)));
        assert_eq!(scene.get(family, &address(family, "status")).await?.data()["id"], json!(build));
        let retried = scene.ask("POST", family, &address(family, "retry")).await?.data();
        assert_eq!((&retried["executeCount"], &retried["pipelineId"]), (&json!(attempt), &json!(scene.pipeline.0)));
        assert_eq!(retried["num"], 1);
        assert_eq!(scene.ask("POST", family, &address(family, "stop")).await?.data(), json!(true));
        scene.bkci.clock().advance(std::time::Duration::from_secs(120));
    }
    let requests = scene.bkci.requests();
    assert!(requests.iter().all(|request| request.build.as_ref() == Some(&build)), "wherever its id stands");
    assert_eq!(requests.iter().filter(|request| request.family == Some(Family::V4Backend)).count(), 4);
    assert!(scene.bkci.violations().is_empty(), "{:?}", scene.bkci.violations());
    Ok(())
}

#[tokio::test]
async fn projects_are_where_the_irregular_mapping_puts_them() -> Tested {
    let scene = Scene::set().await?;
    let lists = [
        "/apigw-app/v3/projects/",
        "/v4/apigw-app/projects/project_list",
        "/apigw-app/v4/projects/project/project_list",
    ];
    let ones = ["/apigw-app/v3/projects/demo", "/v4/apigw-app/projects/demo", "/apigw-app/v4/projects/project/demo"];
    for ((family, list), one) in FAMILIES.into_iter().zip(lists).zip(ones) {
        assert_eq!(scene.get(family, list).await?.data()[0]["englishName"], "demo", "{family:?}");
        assert_eq!(scene.get(family, one).await?.data()["englishName"], "demo", "{family:?}");
    }
    assert!(scene.bkci.violations().is_empty(), "{:?}", scene.bkci.violations());
    let wrong = ["/apigw-app/v3/projects", "/v4/apigw-app/projects/demo/", "/apigw-app/v4/projects/demo"];
    for (family, address) in FAMILIES.into_iter().zip(wrong) {
        assert_eq!(scene.get(family, address).await?.http, 404, "{address}");
    }
    assert_eq!(scene.bkci.violations().len(), 3);
    Ok(())
}

#[tokio::test]
async fn each_door_says_in_its_own_way_that_it_does_not_know_a_path() -> Tested {
    let scene = Scene::set().await?;
    for path in ["/apigw-app/v4/projects/demo/build_detail", "/v4/apigw-app/projects/demo/nothing"] {
        let answer = scene.get(Family::V4, path).await?;
        assert_eq!((answer.http, answer.by_the_gateway.as_deref()), (404, Some("1640401")), "{path}");
    }
    let filtered = scene.get(Family::V4Backend, "/v4/apigw-app/projects/demo/build_detail").await?;
    assert_eq!((filtered.http, filtered.by_the_gateway), (400, None));
    assert!(filtered.text.starts_with("Devops OpenAPI Auth fail: path("), "{}", filtered.text);

    let unknown = scene.get(Family::V4Backend, "/apigw-app/v4/projects/demo/nothing").await?;
    let expected = json!({"status": 404, "message": "requested resource does not exist", "data": "HTTP 404 Not Found"});
    assert_eq!((unknown.http, unknown.json()), (404, expected));
    let wrong = scene.get(Family::V4Backend, "/apigw-app/v4/projects/demo/build_retry").await?;
    assert_eq!((wrong.http, &wrong.json()["data"]), (405, &json!("HTTP 405 Method Not Allowed")));
    let wrong = scene.get(Family::V4, "/v4/apigw-app/projects/demo/build_retry").await?;
    assert_eq!((wrong.http, wrong.by_the_gateway.as_deref()), (405, Some("1640501")));
    Ok(())
}

// ---- 2.2: past the gateway ----

#[tokio::test]
async fn past_the_gateway_nobody_looks_at_the_application_unless_the_gateway_is_demanded() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    scene.bkci.authorise_application("demo", false);
    let detail = |family| scene.of_build(family, "detail", &scene.pipeline, &build);
    let anonymous = |family| {
        let address = detail(family);
        let scene = &scene;
        async move { scene.ask_with("GET", family, &address, &[]).await }
    };
    assert_eq!(anonymous(Family::V4).await?.by_the_gateway.as_deref(), Some("1640001"));
    assert_eq!(scene.get(Family::V4, &detail(Family::V4)).await?.http, 403, "the project has not authorised it");
    assert_eq!(anonymous(Family::V4Backend).await?.data()["id"], json!(build));
    // Nor is the project looked up there: an unknown one is a build that is not found.
    let ghost = detail(Family::V4Backend).replace("/demo/", "/ghost/");
    assert_eq!(scene.get(Family::V4Backend, &ghost).await?.refusal().1, 400);
    assert_eq!(scene.get(Family::V4, &detail(Family::V4).replace("/demo/", "/ghost/")).await?.refusal().1, 404);

    scene.bkci.demand_gateway(true);
    let refused = scene.get(Family::V4Backend, &detail(Family::V4Backend)).await?;
    assert_eq!((refused.http, refused.text.as_str()), (403, "You do not have permission to access"));
    Ok(())
}

// ---- 3.3, 6.1, 6.3 #0b: ids in the query ----

#[tokio::test]
async fn v4_looks_at_the_pairing_of_build_and_pipeline_before_anything_else() -> Tested {
    let scene = Scene::set().await?;
    let (_, elsewhere) = scene.elsewhere();
    scene.bkci.permit("alice", "demo", &scene.pipeline, &[]);
    for family in V4 {
        for (method, verb) in [("POST", "retry"), ("GET", "detail"), ("GET", "status"), ("POST", "stop")] {
            let of_build = |build: &str| scene.of_build(family, verb, &scene.pipeline, build);
            let wrong = scene.ask(method, family, &of_build(&elsewhere)).await?.refusal();
            let expected = "Parameter verification failed: {0} PipelineId is invalid ".to_owned();
            assert_eq!(wrong, (400, 400, expected), "{family:?} {verb}: before the permission");
            let unknown = scene.ask(method, family, &of_build(NOWHERE)).await?.refusal();
            let expected = "Parameter verification failed: {0} parameter content of the request is empty".to_owned();
            assert_eq!(unknown, (400, 400, expected), "{family:?} {verb}");
        }
    }
    // v3 has codes of its own for these, and looks at the permission first.
    let v3 = scene.of_build(Family::V3, "retry", &scene.pipeline, &elsewhere);
    assert_eq!(scene.ask("POST", Family::V3, &v3).await?.refusal().0, 403);
    scene.bkci.permit("alice", "demo", &scene.pipeline, &[Right::Execute]);
    assert_eq!(scene.ask("POST", Family::V3, &v3).await?.refusal().1, 2101058);
    Ok(())
}

#[tokio::test]
async fn v4_says_which_ids_are_missing_and_finds_a_build_by_its_number() -> Tested {
    let scene = Scene::set().await?;
    let (other, _) = scene.elsewhere();
    let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
    let pipeline = &scene.pipeline;
    for family in V4 {
        let of = |rest: &str| format!("{}/demo/{rest}", projects(family));
        let failed = "Parameter verification failed: ";
        for (method, rest, expected) in [
            ("POST", "build_retry".to_owned(), "{0} pipelineId and buildId cannot be empty at the same time"),
            (
                "POST",
                "build_retry?buildNumber=1".to_owned(),
                "{0} pipelineId and buildId cannot be empty at the same time",
            ),
            (
                "POST",
                format!("build_retry?pipelineId={pipeline}"),
                "{0} buildId and buildNumber cannot be empty at the same time",
            ),
            (
                "POST",
                format!("build_retry?pipelineId={pipeline}&buildNumber=9"),
                "{0} parameter content of the request is empty",
            ),
            ("GET", format!("build_detail?pipelineId={pipeline}"), "request param buildId cannot be empty"),
            ("GET", "build_detail?buildId=".to_owned(), "request param buildId cannot be empty"),
            ("GET", "build_histories".to_owned(), "request param pipelineId cannot be empty"),
            ("GET", "pipelines/pipeline_status".to_owned(), "request param pipelineId cannot be empty"),
        ] {
            let refusal = scene.ask(method, family, &of(&rest)).await?.refusal();
            assert_eq!(refusal, (400, 400, format!("{failed}{expected}")), "{rest}");
        }
        let wrong = scene.ask("POST", family, &of(&format!("build_retry?pipelineId={pipeline}&buildNumber=x"))).await?;
        assert_eq!(wrong.refusal(), (400, 400, "query parameter type is incorrect".to_owned()));
        let alone = scene.get(family, &of(&format!("build_detail?buildId={build}"))).await?;
        assert_eq!(alone.data()["pipelineId"], json!(pipeline.0), "the pipeline may be left out");
        let number =
            scene.ask("POST", family, &of(&format!("build_retry?pipelineId={pipeline}&buildNumber=1"))).await?;
        assert_eq!(number.data()["id"], json!(build));
        scene.bkci.clock().advance(std::time::Duration::from_secs(120));
    }
    assert_eq!(scene.bkci.accepted_retries(&build).len(), 2);
    assert_ne!(other, *pipeline);
    Ok(())
}

// ---- 7.4, 10: lists ----

#[tokio::test]
async fn v4_filters_the_history_by_number_status_and_starter() -> Tested {
    let scene = Scene::set().await?;
    for (plan, uid) in [
        (BuildPlan::failing(&scene.pipeline), "alice"),
        (BuildPlan::succeeding(&scene.pipeline), "bob"),
        (BuildPlan::failing(&scene.pipeline), "bob"),
        (BuildPlan::running(&scene.pipeline), "alice"),
    ] {
        scene.bkci.add_build(plan.started_by(uid));
    }
    for family in V4 {
        let base = format!("{}/demo/build_histories?pipelineId={}", projects(family), scene.pipeline);
        for (query, expected) in [
            ("", vec![4, 3, 2, 1]),
            ("&page=2&pageSize=3", vec![1]),
            ("&buildNoStart=2&buildNoEnd=2", vec![2]),
            ("&buildNoStart=3", vec![4, 3]),
            ("&status=FAILED", vec![3, 1]),
            ("&status=FAILED&status=RUNNING", vec![4, 3, 1]),
            ("&startUser=bob&status=FAILED", vec![3]),
        ] {
            let page = scene.get(family, &format!("{base}{query}")).await?.data();
            let records = page["records"].as_array().cloned().unwrap_or_default();
            let numbers: Vec<_> = records.iter().filter_map(|record| record["buildNum"].as_i64()).collect();
            assert_eq!(numbers, expected, "{query}");
        }
        assert_eq!(scene.get(family, &format!("{base}&pageSize=1000")).await?.data()["pageSize"], 100);
        assert_eq!(scene.get(family, &format!("{base}&status=BROKEN")).await?.refusal().0, 400);
    }
    assert!(scene.bkci.violations().is_empty(), "{:?}", scene.bkci.violations());
    // v3 does not know these filters: it answers everything, and whoever sends them breaks the contract.
    let v3 =
        format!("/apigw-app/v3/projects/demo/pipelines/{}/builds/history?buildNoStart=2&buildNoEnd=2", scene.pipeline);
    assert_eq!(scene.get(Family::V3, &v3).await?.data()["count"], 4);
    assert_eq!(scene.bkci.violations().len(), 2);
    Ok(())
}

#[tokio::test]
async fn v4_pages_projects_by_ten_and_finds_pipelines_by_name() -> Tested {
    let scene = Scene::set().await?;
    for number in 0..12 {
        scene.bkci.permit_in_project("alice", &format!("p{number}"), &[]);
        scene.bkci.add_pipeline("demo", &format!("night {number}"));
    }
    let names = |value: &Value, field: &str| -> Vec<String> {
        let list = value.as_array().cloned().unwrap_or_default();
        list.iter().map(|entry| entry[field].as_str().unwrap_or_default().to_owned()).collect()
    };
    for (family, list) in V4.into_iter().zip(["/project_list", "/project/project_list"]) {
        let list = format!("{}{list}", projects(family));
        assert_eq!(scene.get(family, &list).await?.data().as_array().map(Vec::len), Some(10));
        assert_eq!(
            names(&scene.get(family, &format!("{list}?page=2")).await?.data(), "projectCode"),
            ["p9", "p10", "p11"]
        );
        assert_eq!(scene.get(family, &format!("{list}?pageSize=100")).await?.data().as_array().map(Vec::len), Some(13));

        let pipelines = format!("{}/demo/pipelines", projects(family));
        let all = scene.get(family, &format!("{pipelines}/pipeline_list")).await?.data();
        assert_eq!((&all["count"], &all["pageSize"]), (&json!(13), &json!(20)));
        let found = scene.get(family, &format!("{pipelines}/pipeline_list?filterByPipelineName=ghtly")).await?.data();
        assert_eq!((&found["count"], &found["records"][0]["pipelineName"]), (&json!(1), &json!("nightly")));
        assert_eq!(found["records"][0]["hasPermission"], true);

        scene.bkci.permit_in_project("alice", "demo", &[]);
        let search = format!("{pipelines}/search_by_name?pipelineName=night");
        assert_eq!(scene.get(family, &search).await?.http, 403, "not the right to look at the whole project");
        scene.bkci.permit_in_project("alice", "demo", &[ProjectRight::View]);
        let found = names(&scene.get(family, &search).await?.data(), "pipelineName");
        assert_eq!((found.len(), found[0].as_str()), (10, "nightly"));
        let status = scene.get(family, &format!("{pipelines}/pipeline_status?pipelineId={}", scene.pipeline)).await?;
        assert_eq!(status.data()["pipelineName"], "nightly");
        let status = scene.get(family, &format!("{pipelines}/pipeline_status?pipelineId=p-ghost")).await?;
        assert_eq!(status.json(), json!({"status": 0}), "no data at all");
    }
    assert!(scene.bkci.violations().is_empty(), "{:?}", scene.bkci.violations());
    Ok(())
}

#[tokio::test]
async fn an_old_server_answers_the_id_alone_on_each_family() -> Tested {
    let scene = Scene::set().await?;
    scene.bkci.old_server(true);
    for family in FAMILIES {
        let build = scene.bkci.add_build(BuildPlan::failing(&scene.pipeline));
        let retry = scene.of_build(family, "retry", &scene.pipeline, &build);
        assert_eq!(scene.ask("POST", family, &retry).await?.data(), json!({"id": build}), "{family:?}");
    }
    Ok(())
}
