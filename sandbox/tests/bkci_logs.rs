//! The logs of the double of BK-CI, as bkci-api.md 9 describes them.

mod support;

use sandbox::bkci::{BuildPlan, Fail, Family, JobPlan, Right, StagePlan, TaskPlan, Wish};
use serde_json::{Value, json};
use support::{FAMILIES, MINUTE, Scene, Tested, V4, projects};

const NOWHERE: &str = "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";

impl Scene {
    /// The address of a reading of a log; `verb` is v3's.
    fn log_path(&self, family: Family, verb: &str, build: &str, query: &str) -> String {
        let v4 = match verb {
            "init" => "init_logs",
            "more" => "more_logs",
            "after" => "after_line_logs",
            "mode" => "log_mode",
            other => other,
        };
        let pipeline = &self.pipeline;
        match family {
            Family::V3 => {
                format!("{}/demo/pipelines/{pipeline}/builds/{build}/logs/{verb}?{query}", projects(family))
            }
            Family::V4 | Family::V4Backend => {
                format!("{}/demo/logs/{v4}?pipelineId={pipeline}&buildId={build}&{query}", projects(family))
            }
        }
    }

    async fn log(&self, family: Family, verb: &str, build: &str, query: &str) -> anyhow::Result<Value> {
        self.data(family, &self.log_path(family, verb, build, query)).await
    }

    async fn messages(&self, family: Family, verb: &str, build: &str, query: &str) -> anyhow::Result<Vec<String>> {
        Ok(messages(&self.log(family, verb, build, query).await?))
    }

    fn task(&self, build: &str, name: &str) -> String {
        self.bkci.build(build).task(name).map(|task| task.id.clone()).unwrap_or_default()
    }

    /// A task that writes `first`, fails, writes `second` and passes; beside another that writes.
    fn two_jobs(&self) -> String {
        let fails = Fail::script("exit 1");
        let unit = TaskPlan::new("Unit").step("unit").log(["u1", "u2", "u3"]).log(["again"]).fails(fails).passes();
        let lint = TaskPlan::new("Lint").log(["##[group]l1", "##[debug]l2", "##[error]l3", "##[warning]l4"]);
        let job = |name: &str, task| JobPlan::new(name).without_machine().job_id(name).task(task);
        let stage = StagePlan::new("Test").job(job("unit", unit)).job(job("lint", lint));
        self.bkci.add_build(BuildPlan::new(&self.pipeline).stage(stage).age(10 * MINUTE))
    }
}

fn messages(log: &Value) -> Vec<String> {
    let lines = log["logs"].as_array().into_iter().flatten();
    lines.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
}

fn numbers(log: &Value) -> Vec<i64> {
    log["logs"].as_array().into_iter().flatten().map(|line| line["lineNo"].as_i64().unwrap_or(-1)).collect()
}

#[tokio::test]
async fn section_9_lines_are_numbered_over_the_whole_build_and_interleave() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.two_jobs();
    for family in FAMILIES {
        let log = scene.log(family, "init", &build, "debug=true").await?;
        assert_eq!(numbers(&log), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(messages(&log)[..4], ["u1", "##[group]l1", "u2", "##[debug]l2"], "{log}");
        let line = &log["logs"][0];
        assert_eq!((&line["tag"], &line["executeCount"]), (&json!(scene.task(&build, "Unit")), &json!(1)));
        assert_eq!((&line["stepId"], &line["jobId"]), (&json!("unit"), &json!("unit")));
        assert_eq!((&log["finished"], &log["status"], &log["hasMore"]), (&json!(true), &json!(0), &json!(false)));
        let mine = scene.log(family, "init", &build, &format!("tag={}", scene.task(&build, "Unit"))).await?;
        assert_eq!((numbers(&mine), messages(&mine)), (vec![1, 3, 5], vec!["u1".into(), "u2".into(), "u3".into()]));
    }
    Ok(())
}

#[tokio::test]
async fn section_9_without_an_execution_it_is_the_first_one_that_is_told() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.two_jobs();
    scene.bkci.retry_on_the_web("alice", &build, Wish::default()).expect("accepted");
    scene.clock.advance(MINUTE);
    let tag = format!("tag={}", scene.task(&build, "Unit"));
    for family in FAMILIES {
        assert_eq!(scene.messages(family, "init", &build, &tag).await?, ["u1", "u2", "u3"]);
        assert_eq!(scene.messages(family, "init", &build, &format!("{tag}&executeCount=2")).await?, ["again"]);
        let last = scene.log(family, "last_line_num", &build, "").await?;
        assert_eq!((&last["lastLineNum"], &last["finished"]), (&json!(12), &json!(true)), "over all executions");
    }
    scene.bkci.set_log(&build, &scene.task(&build, "Unit"), 2, ["changed", "of\ntwo lines"]);
    let changed = scene.messages(Family::V3, "init", &build, &format!("{tag}&executeCount=2")).await?;
    assert_eq!(changed, ["changed", "of\ntwo lines"], "a line of two lines is one line");
    Ok(())
}

#[tokio::test]
async fn section_9_filters_choose_by_task_job_step_kind_and_debug() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.two_jobs();
    let detail = scene.data(Family::V3, &scene.of_build(Family::V3, "detail", &build)).await?;
    let hash = detail["model"]["stages"][1]["containers"][1]["containerHashId"].as_str().unwrap_or_default();
    let lint = ["##[group]l1", "##[error]l3", "##[warning]l4"];
    for family in FAMILIES {
        assert_eq!(scene.messages(family, "init", &build, &format!("containerHashId={hash}")).await?, lint);
        assert_eq!(scene.messages(family, "init", &build, "jobId=lint").await?, lint);
        assert_eq!(scene.messages(family, "init", &build, "stepId=unit").await?, ["u1", "u2", "u3"]);
        assert_eq!(scene.messages(family, "init", &build, "jobId=lint&debug=true").await?.len(), 4);
    }
    for family in V4 {
        let mut newest_first = scene.messages(family, "init", &build, "reverse=true&jobId=lint").await?;
        newest_first.reverse();
        assert_eq!(newest_first, lint);
        assert_eq!(scene.messages(family, "init", &build, "logType=ERROR").await?, ["##[error]l3"]);
        assert_eq!(scene.messages(family, "init", &build, "logType=WARN").await?, ["##[warning]l4"]);
        let wrong = scene.get(family, &scene.log_path(family, "init", &build, "logType=FATAL")).await?;
        assert_eq!(wrong.0, 400);
    }
    assert_eq!(scene.messages(Family::V3, "init", &build, "reverse=true&jobId=lint").await?, lint, "v3 has no reverse");
    Ok(())
}

#[tokio::test]
async fn section_9_a_range_has_a_hundred_lines_unless_said_and_can_be_its_end() -> Tested {
    let scene = Scene::set().await?;
    let task = TaskPlan::new("Chatty").log((1..=300).map(|n| format!("line {n}")));
    let job = JobPlan::new("linux").without_machine().task(task);
    let build = scene.bkci.add_build(BuildPlan::new(&scene.pipeline).stage(StagePlan::new("T").job(job)).age(MINUTE));
    for family in FAMILIES {
        let more = async |query: &str| anyhow::Ok(numbers(&scene.log(family, "more", &build, query).await?));
        assert_eq!(more("start=11&end=300").await?, (11..=110).collect::<Vec<_>>());
        assert_eq!(more("start=11&end=300&num=5").await?, [11, 12, 13, 14, 15]);
        assert_eq!(more("start=11&end=300&num=3&fromStart=false").await?, [298, 299, 300], "ascending");
        assert_eq!(more("start=299&end=900").await?, [299, 300]);
        let after = scene.log(family, "after", &build, "start=298").await?;
        assert_eq!((numbers(&after), &after["hasMore"]), (vec![298, 299, 300], &json!(false)), "inclusive");
        let none = scene.log(family, "after", &build, "start=301").await?;
        assert_eq!((&none["status"], &none["logs"]), (&json!(1), &json!([])), "1 is empty");
    }
    Ok(())
}

#[tokio::test]
async fn section_9_a_call_answers_ten_thousand_lines_at_most() -> Tested {
    let scene = Scene::set().await?;
    let task = TaskPlan::new("Chatty").log((1..=10_050).map(|n| n.to_string())).takes(MINUTE);
    let job = JobPlan::new("linux").without_machine().task(task);
    let plan = BuildPlan::new(&scene.pipeline).stage(StagePlan::new("T").job(job)).age(10 * MINUTE);
    let build = scene.bkci.add_build(plan);
    let first = scene.log(Family::V4, "init", &build, "").await?;
    assert_eq!((numbers(&first).len(), &first["hasMore"]), (10_000, &json!(true)));
    let last = scene.log(Family::V4, "init", &build, "reverse=true").await?;
    assert_eq!((numbers(&last)[0], numbers(&last).len()), (10_050, 10_000));
    let rest = scene.log(Family::V4, "after", &build, "start=10001").await?;
    assert_eq!((numbers(&rest).len(), &rest["hasMore"]), (50, &json!(false)));
    Ok(())
}

#[tokio::test]
async fn section_9_a_refusal_is_2100054_with_http_400() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.two_jobs();
    scene.bkci.withdraw("alice", &scene.pipeline, Right::View);
    for family in FAMILIES {
        for verb in ["init", "more", "after", "last_line_num", "mode"] {
            let (http, body) = scene.get(family, &scene.log_path(family, verb, &build, "start=1&end=2")).await?;
            let pipeline = &scene.pipeline;
            let text =
                format!("User (alice) does not have permission to view pipeline {pipeline} under project (demo).");
            assert_eq!((http, &body["status"], &body["message"]), (400, &json!(2100054), &json!(text)), "{verb}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn section_9_v3_checks_no_pairing_and_answers_200_for_a_build_that_is_not_there() -> Tested {
    let scene = Scene::set().await?;
    let secret = scene.bkci.add_pipeline("demo", "secret");
    let theirs = scene.bkci.add_build(BuildPlan::failing(&secret));
    assert!(!scene.messages(Family::V3, "init", &theirs, "").await?.is_empty(), "read through another pipeline");
    let gone = scene.log(Family::V3, "init", NOWHERE, "").await?;
    assert_eq!((&gone["status"], &gone["logs"], &gone["buildId"]), (&json!(2), &json!([]), &json!(NOWHERE)));
    for family in V4 {
        for (build, text) in
            [(theirs.as_str(), "PipelineId is invalid "), (NOWHERE, "parameter content of the request is empty")]
        {
            for verb in ["init", "more", "after", "last_line_num", "mode"] {
                let (http, body) = scene.get(family, &scene.log_path(family, verb, build, "")).await?;
                let message = json!(format!("Parameter verification failed: {{0}} {text}"));
                assert_eq!((http, &body["status"], &body["message"]), (400, &json!(400), &message), "{verb}");
            }
        }
        let path = format!("{}/demo/logs/last_line_num?buildId={theirs}", projects(family));
        let (http, body) = scene.get(family, &path).await?;
        let text = "Parameter verification failed: request param pipelineId cannot be empty";
        assert_eq!((http, &body["message"]), (400, &json!(text)));
    }
    Ok(())
}

#[tokio::test]
async fn section_9_a_log_can_be_cleaned_away_closed_or_not_searchable_with_http_200() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.two_jobs();
    for status in [1, 2, 3, 999] {
        scene.bkci.set_log_status(&build, Some(status));
        for family in FAMILIES {
            let log = scene.log(family, "init", &build, "").await?;
            assert_eq!((&log["status"], &log["logs"]), (&json!(status), &json!([])));
            assert_eq!(log["message"].is_string(), status != 1);
        }
    }
    scene.bkci.set_log_status(&build, None);
    assert_eq!(scene.log(Family::V3, "init", &build, "").await?["status"], 0);
    let mode = scene.log(Family::V4, "mode", &build, "").await?;
    assert_eq!(mode, json!({"buildId": build, "finished": true, "logMode": "UPLOAD"}));
    Ok(())
}

#[tokio::test]
async fn section_9_what_no_test_wrote_looks_like_a_real_log() -> Tested {
    let scene = Scene::set().await?;
    let no_machine = Fail::machine("no machine in the pool answered");
    let unit = TaskPlan::new("Unit").fails(Fail::script("script exited with 1"));
    let stage = StagePlan::new("Test")
        .job(JobPlan::new("linux").task(unit))
        .job(JobPlan::new("mac").machine_fails(no_machine).task(TaskPlan::new("Compile")));
    let build = scene.bkci.add_build(BuildPlan::new(&scene.pipeline).stage(stage).age(MINUTE));
    let tag = format!("tag={}", scene.task(&build, "Unit"));
    let log = scene.messages(Family::V3, "init", &build, &tag).await?;
    let text = log.join("\n");
    for part in
        ["##[group]", "##[endgroup]", "##[command]", "\u{1b}[1;31m", "\u{1b}[m", "******", "<a target='_blank' href="]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("##[debug]"), "only when asked for");
    assert!(log.iter().any(|line| line.contains("stack backtrace:\n")), "one line of many");
    assert!(log.iter().any(|line| line.starts_with("##[error]") && line.contains("script exited with 1")));
    let boot = scene.messages(Family::V3, "init", &build, "tag=startVM-2").await?;
    assert_eq!(boot.last().map(String::as_str), Some("##[error]no machine in the pool answered"));
    Ok(())
}

#[tokio::test]
async fn section_9_a_running_task_writes_on_and_what_was_read_keeps_its_number() -> Tested {
    let scene = Scene::set().await?;
    let build = scene.bkci.start_build(BuildPlan::running(&scene.pipeline));
    let read = async || scene.log(Family::V4, "init", &build, "debug=true").await;
    let empty = read().await?;
    assert_eq!((&empty["status"], &empty["finished"]), (&json!(1), &json!(false)), "still in the queue");
    let mut before = Vec::new();
    for step in [5, 60, 3 * 3600, 20 * 3600] {
        scene.clock.advance(std::time::Duration::from_secs(step));
        let log = read().await?;
        let now = messages(&log);
        assert!(now.len() > before.len() && now.starts_with(&before), "{before:?} {now:?}");
        assert_eq!(log["finished"], json!(step == 20 * 3600));
        before = now;
    }
    Ok(())
}
