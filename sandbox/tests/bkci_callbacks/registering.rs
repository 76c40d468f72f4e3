//! bkci-api.md 11.1: registration.

use std::collections::BTreeSet;

use sandbox::bkci::{Family, ProjectRight, Right};
use serde_json::{Value, json};

use super::support::{FAMILIES, Scene, Tested, V4, projects};
use super::{keys, query};

#[tokio::test]
async fn section_11_1_a_project_has_a_row_per_event_and_its_list_never_tells_the_token() -> Tested {
    let scene = Scene::set().await?;
    let refused = async |family, method, path: String| {
        let (http, body) = scene.ask(method, family, &path, "").await?;
        anyhow::Ok((
            http,
            body["status"].as_i64().unwrap_or(-1),
            body["message"].as_str().unwrap_or_default().to_owned(),
        ))
    };
    let url = "https://reprise.example.com/bkci/callback";
    let one = query(&[("url", url), ("region", "IDC"), ("event", "BUILD_END"), ("secretToken", "s3cret")]);
    for family in FAMILIES {
        let list = Scene::callbacks(family, if family == Family::V3 { "" } else { "/callback_list" });
        let create = Scene::callbacks(family, &one);
        let text = "Pipeline: alice non-project demo administrator";
        assert_eq!(refused(family, "POST", create.clone()).await?, (400, 2101104, text.into()));
        scene.bkci.permit_in_project("alice", "demo", &[ProjectRight::Manage]);
        assert_eq!(scene.post(family, &create, "").await?, (200, json!({"status": 0, "data": true})));
        assert_eq!(scene.post(family, &create, "").await?.0, 200, "the same row again");
        let many = query(&[("url", url), ("region", "IDC"), ("event", "BUILD_START,BUILD_OVER,BUILD_TASK_END")]);
        let (_, batch) = scene.post(family, &Scene::callbacks(family, &format!("/batch{many}")), "").await?;
        assert_eq!(batch["data"]["successEvents"], json!(["BUILD_START", "BUILD_TASK_END"]));
        assert_eq!(keys(&batch["data"]["failureEvents"]), BTreeSet::from(["BUILD_OVER"]));
        let page = scene.data(family, &list).await?;
        assert_eq!(page["count"], 3);
        assert!(!page.to_string().contains("s3cret"), "{page}");
        let row = &page["records"][0];
        assert_eq!((&row["callBackUrl"], &row["events"]), (&json!(url), &json!("BUILD_END")));
        for row in page["records"].as_array().into_iter().flatten() {
            let rest =
                if family == Family::V3 { format!("/{}", row["id"]) } else { format!("/callback?id={}", row["id"]) };
            let path = Scene::callbacks(family, &rest);
            assert_eq!(scene.ask("DELETE", family, &path, "").await?, (200, json!({"status": 0, "data": true})));
            assert_eq!(refused(family, "DELETE", path).await?.1, 2101136, "it is gone");
        }
        assert_eq!(scene.data(family, &list).await?["count"], 0);
        scene.bkci.permit_in_project("alice", "demo", &[]);
    }
    let elsewhere = format!("{}/elsewhere/callbacks/callback_list", projects(Family::V4));
    scene.bkci.add_project("elsewhere");
    let text = "User (alice) does not have (elsewhere) project permission";
    assert_eq!(refused(Family::V4, "GET", elsewhere).await?, (400, 2101133, text.into()));
    assert!(scene.bkci.secrets().contains(&"s3cret".to_owned()));
    Ok(())
}

#[tokio::test]
async fn section_11_1_addresses_that_are_illegal_risky_or_inside_are_refused() -> Tested {
    let scene = Scene::set().await?;
    scene.bkci.permit_in_project("alice", "demo", &[ProjectRight::Manage]);
    scene.bkci.grant("alice", &scene.pipeline, Right::Edit);
    let verdict = async |url: &str| {
        let pairs = query(&[("url", url), ("region", "OSS"), ("event", "BUILD_END")]);
        let (http, of_project) = scene.post(Family::V3, &Scene::callbacks(Family::V3, &pairs), "").await?;
        let body = json!([{"callbackEvent": "BUILD_END", "callbackUrl": url, "callbackName": "x"}]);
        let path = scene.of_pipeline(Family::V4, "");
        let (again, of_pipeline) = scene.post(Family::V4, &path, &body.to_string()).await?;
        assert_eq!((http, &of_project["status"]), (again, &of_pipeline["status"]), "{url}");
        anyhow::Ok((http, of_project["status"].as_i64().unwrap_or(-1)))
    };
    for url in ["reprise", "ftp://reprise.example.com/", "http://", "javascript:alert(1)"] {
        assert_eq!(verdict(url).await?, (400, 2101132), "{url}");
    }
    assert_eq!(verdict("http://reprise.example.com:6379/").await?, (400, 2101286));
    let inside =
        ["http://127.0.0.1:8080/", "http://localhost/", "http://10.1.2.3/", "http://[::1]/", "http://192.168.0.9/"];
    let never = ["http://169.254.169.254/", "http://0.0.0.0/", "http://[fe80::1]/"];
    for url in inside.iter().chain(&never) {
        assert_eq!(verdict(url).await?, (400, 2101366), "{url}");
    }
    assert_eq!(verdict("https://reprise.example.com/bkci/callback").await?, (200, 0));
    scene.bkci.allow_internal_callbacks(true);
    for url in inside {
        assert_eq!(verdict(url).await?, (200, 0), "{url}");
    }
    for url in never {
        assert_eq!(verdict(url).await?, (400, 2101366), "{url}");
    }
    Ok(())
}

#[tokio::test]
async fn section_11_1_callbacks_of_a_pipeline_are_keyed_by_name_and_need_the_right_to_edit() -> Tested {
    let scene = Scene::set().await?;
    let url = "https://reprise.example.com/bkci/callback";
    let entry = |name: &str, event: &str| json!({"callbackEvent": event, "callbackUrl": url, "secretToken": "s3cret", "callbackName": name});
    for family in V4 {
        let path = scene.of_pipeline(family, "");
        let put = |entries: Value| {
            let (scene, path) = (&scene, path.clone());
            async move { scene.post(family, &path, &entries.to_string()).await }
        };
        assert_eq!(put(json!([entry("a", "BUILD_END")])).await?.0, 403, "execute is not edit");
        scene.bkci.grant("alice", &scene.pipeline, Right::Edit);
        let both = json!([entry("a", "BUILD_START"), entry("a", "BUILD_END"), entry("b", "BUILD_START")]);
        assert_eq!(put(both).await?.0, 200);
        let list = scene.data(family, &path).await?;
        let mut seen: Vec<String> =
            list.as_array().into_iter().flatten().map(|row| row["callbackEvent"].to_string()).collect();
        seen.sort_unstable();
        assert_eq!(seen, ["\"BUILD_END\"", "\"BUILD_START\""], "one name is one event: the later one");
        assert!(!list.to_string().contains("s3cret"));
        let held = scene.bkci.registered_callbacks();
        let of_pipeline = Some((scene.pipeline.0.clone(), "a".to_owned()));
        assert!(held.iter().any(|one| one.of_pipeline == of_pipeline && one.token.as_deref() == Some("s3cret")));
        let filtered = scene.data(family, &scene.of_pipeline(family, "?event=BUILD_END")).await?;
        assert_eq!((filtered.as_array().map(Vec::len), &filtered[0]["callbackName"]), (Some(1), &json!("a")));
        for (body, message) in [
            (
                json!([{"callbackEvent": "BUILD_END", "callbackUrl": url}]),
                "request body content parameter is incorrect. \
              Tips: Please confirm whether the callbackName meets the requirements",
            ),
            (json!([entry("c", "BUILD_OVER")]), "Query parameter request error"),
            (json!(["c"]), "Query parameter request error"),
            (entry("c", "BUILD_END"), "Query parameter request error"),
        ] {
            let (http, answer) = put(body).await?;
            assert_eq!((http, &answer["status"], &answer["message"]), (400, &json!(400), &json!(message)));
        }
        for name in ["a", "b"] {
            let path = scene.of_pipeline(family, &format!("?callbackName={name}"));
            assert_eq!(scene.ask("DELETE", family, &path, "").await?, (200, json!({"status": 0, "data": true})));
        }
        assert_eq!(scene.data(family, &path).await?, json!([]));
        scene.bkci.withdraw("alice", &scene.pipeline, Right::Edit);
        assert_eq!(scene.ask("DELETE", family, &scene.of_pipeline(family, "?callbackName=a"), "").await?.0, 403);
    }
    let v3 = format!("{}/demo/callbacks/pipelines/{}", projects(Family::V3), scene.pipeline);
    assert_eq!(scene.post(Family::V3, &v3, "[]").await?.0, 404, "v4 only");
    Ok(())
}
