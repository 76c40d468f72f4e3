//! Calls that following and stopping a build make: what goes out in each family, and how each answer ends.

use super::*;
use crate::model::ids::BuildId;

#[tokio::test]
async fn a_stop_goes_out_once_and_is_done_when_bk_ci_says_so() {
    let cases = [
        ("fine", json(200, r#"{"status":0,"data":true}"#)),
        ("unanswered", json(200, r#"{"status":0,"data":false}"#)),
        ("unanswered", json(200, r#"{"status":0}"#)),
        ("unanswered", json(200, ACCEPTED)),
        ("unanswered", Does::BreakOff(Vec::new())),
        ("bk-ci 400/2101182", json(400, r#"{"status":2101182,"message":"has ended"}"#)),
        ("bk-ci 400/2101019", json(400, r#"{"status":2101019,"message":"alice, 60"}"#)),
        ("bk-ci 400/2101340", json(400, r#"{"status":2101340,"message":"x"}"#)),
        ("bk-ci 400/2101008", json(400, r#"{"status":2101008,"message":"x"}"#)),
    ];
    for (expected, does) in cases {
        for family in EACH_FAMILY {
            let server = Server::start(does.clone()).await;
            assert_eq!(told(&in_family(&server, family).stop(&uid(), &build()).await), expected, "{family:?}");
            let [request] = &server.requests()[..] else { panic!("one request") };
            assert!(request.starts_with("POST ") && request.contains("stop"), "{request}");
            for header in ["content-type: application/json\r\n", "content-length: 0\r\n", "x-devops-uid: alice\r\n"] {
                assert!(request.contains(header), "{request}");
            }
        }
    }
}

fn of<'a>(uid: &'a Uid, build: &'a BuildRef) -> BuildsOf<'a> {
    BuildsOf { uid, project: &build.project, pipeline: &build.pipeline }
}

fn listed(id: &str) -> String {
    format!(r#"{{"id":"{id}","buildNum":128,"status":"RUNNING","executeCount":2}}"#)
}

#[tokio::test]
async fn a_batch_names_its_builds_in_the_body_and_hears_of_no_others() {
    let other = "b-00000000000000000000000000000001".parse::<BuildId>().expect("a build");
    let unasked = listed("b-00000000000000000000000000000002");
    let told = [listed(BUILD), unasked, listed(BUILD)].join(",");
    for family in [Family::V4, Family::V4Backend] {
        let server = Server::start(json(200, &format!(r#"{{"status":0,"data":[{told}]}}"#))).await;
        let (client, uid, build) = (in_family(&server, family), uid(), build());
        assert!(client.batches());
        let asked = [build.build.clone(), other.clone()];
        let seen = client.builds_named(of(&uid, &build), &asked).await.expect("readable");
        let ids: Vec<_> = seen.iter().map(|build| build.id.as_str()).collect();
        assert_eq!(ids, [BUILD], "once, and only what was asked for");
        let [request] = &server.requests()[..] else { panic!("one request") };
        assert!(request.starts_with("POST ") && request.contains("/batch_get_build_status?pipelineId=p-"), "{request}");
        let body = format!(r#"["{BUILD}","{other}"]"#);
        assert!(request.ends_with(&format!("\r\n\r\n{body}")), "{request}");
        assert_eq!(request.matches("content-length").count(), 1, "{request}");
        assert!(request.contains(&format!("content-length: {}\r\n", body.len())), "{request}");

        assert_eq!(client.builds_named(of(&uid, &build), &[]).await, Ok(Vec::new()));
        assert_eq!(server.requests().len(), 1, "nothing to ask");
    }
}

#[tokio::test]
async fn a_batch_is_a_read_though_it_is_a_post() {
    let cases = [
        ("unreadable", json(200, r#"{"status":0,"data":{"records":[]}}"#)),
        ("unreadable", json(200, r#"{"status":0}"#)),
        ("unreadable", Does::Answer(http(200, "", "<html></html>"))),
        ("unreadable", Does::BreakOff(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{".to_vec())),
        ("unanswered", Does::BreakOff(Vec::new())),
        ("bk-ci 400/2101282", json(400, r#"{"status":2101282,"message":"x"}"#)),
        ("bk-ci 403/403", json(403, r#"{"status":403,"message":"x"}"#)),
    ];
    for (expected, does) in cases {
        let server = Server::start(does).await;
        let (uid, build) = (uid(), build());
        let asked = [build.build.clone()];
        let seen = in_family(&server, Family::V4).builds_named(of(&uid, &build), &asked).await;
        assert_eq!(told(&seen), expected);
    }
}

#[tokio::test]
async fn v3_has_no_batch_and_is_not_asked_for_one() {
    let server = Server::start(json(200, r#"{"status":0,"data":[]}"#)).await;
    let (client, uid, build) = (in_family(&server, Family::V3), uid(), build());
    assert!(!client.batches());
    let asked = [build.build.clone()];
    assert_eq!(told(&client.builds_named(of(&uid, &build), &asked).await), "not sent");
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
#[should_panic(expected = "the caller asks in parts")]
async fn a_batch_of_too_many_is_the_caller_s_mistake() {
    let (uid, build) = (uid(), build());
    let asked = vec![build.build.clone(); BATCH + 1];
    let client = Client::new(Options { family: Family::V4, ..options("http://bk-ci.invalid", Credentials::Query) });
    let _ = client.expect("good options").builds_named(of(&uid, &build), &asked).await;
}

#[tokio::test]
async fn what_changed_last_is_asked_for_page_by_page() {
    let page = format!(r#"{{"status":0,"data":{{"page":2,"totalPages":3,"records":[{}]}}}}"#, listed(BUILD));
    for family in EACH_FAMILY {
        let server = Server::start(json(200, &page)).await;
        let (uid, build) = (uid(), build());
        let part = in_family(&server, family).builds_by_update(of(&uid, &build), 2).await.expect("readable");
        assert_eq!((part.entries.len(), part.more, part.pages), (1, true, Some(3)));
        let [request] = &server.requests()[..] else { panic!("one request") };
        let line = request.lines().next().expect("a line");
        assert!(line.starts_with("GET ") && line.contains("page=2&pageSize=100&updateTimeDesc=true"), "{line}");
    }
}

#[tokio::test]
async fn a_log_s_end_is_two_calls_the_second_for_that_task_and_attempt() {
    let last = json(200, r#"{"status":0,"data":{"buildId":"b-1","finished":true,"lastLineNum":4321}}"#);
    let more = json(200, r#"{"status":0,"data":{"status":0,"logs":[{"message":"one\ntwo"},{"message":"three"}]}}"#);
    for family in EACH_FAMILY {
        let server = Server::scripted(vec![last.clone(), more.clone()]).await;
        let (uid, build) = (uid(), build());
        let log = TaskLog { build: &build, task: "e-1", attempt: 3 };
        let tail = in_family(&server, family).log_tail(&uid, log, 2).await.expect("readable");
        assert_eq!((tail.state, tail.lines), (LogState::Here, vec!["two".to_owned(), "three".to_owned()]));
        let [first, second] = &server.requests()[..] else { panic!("two requests") };
        assert!(first.starts_with("GET ") && first.contains("/last_line_num"), "{first}");
        assert!(second.contains("end=4321&num=2&fromStart=false&tag=e-1&executeCount=3 HTTP"), "{second}");
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_an_error_and_one_that_is_gone_an_answer() {
    let last = || json(200, r#"{"status":0,"data":{"lastLineNum":0}}"#);
    let denied = || json(400, r#"{"status":2100054,"message":"x"}"#);
    let cases = [
        ("bk-ci 400/2100054", vec![denied()], 1),
        ("bk-ci 400/2100054", vec![last(), denied()], 2),
        ("unreadable", vec![json(200, r#"{"status":0,"data":{}}"#)], 1),
        ("unreadable", vec![last(), json(200, r#"{"status":0}"#)], 2),
        ("unanswered", vec![last(), Does::BreakOff(Vec::new())], 2),
        ("fine", vec![last(), json(200, r#"{"status":0,"data":{"status":2,"logs":[],"message":"x"}}"#)], 2),
    ];
    for (expected, script, calls) in cases {
        let server = Server::scripted(script).await;
        let (uid, build) = (uid(), build());
        let log = TaskLog { build: &build, task: "e-1", attempt: 1 };
        let tail = in_family(&server, Family::V3).log_tail(&uid, log, 0).await;
        assert_eq!((told(&tail).as_str(), server.requests().len()), (expected, calls));
    }
}

#[tokio::test]
async fn a_refusal_of_view_is_told_from_what_else_goes_wrong() {
    let denied = r#"{"status":403,"message":"You don't have permission to do so","data":"Permission denied: apigwType[apigw-app],appCode[chatops] x"}"#;
    let no_path = r#"{"status":404,"message":"requested resource does not exist","data":"HTTP 404 Not Found"}"#;
    let text = "You do not have permission to access";
    let table = [
        (true, json(403, r#"{"status":403,"message":"You don't have permission to do so"}"#)),
        (true, json(200, r#"{"status":403,"message":"in disguise"}"#)),
        (true, json(403, r#"{"status":2101008,"message":"x"}"#)),
        (true, json(400, r#"{"status":2100054,"message":"x"}"#)),
        (true, json(404, r#"{"status":2101038,"message":"x"}"#)),
        (true, json(404, r#"{"status":2101164,"message":"x"}"#)),
        (true, json(404, r#"{"status":404,"message":"ProjectId [x] not find, please check it."}"#)),
        (false, json(403, denied)),
        (false, json(404, no_path)),
        (false, json(404, r#"{"status":2101163,"message":"no such build"}"#)),
        (false, json(400, r#"{"status":400,"message":"Parameter verification failed: {0} PipelineId is invalid "}"#)),
        (false, json(400, r#"{"status":2101282,"message":"x"}"#)),
        (false, json(408, r#"{"status":408,"message":"request timed out"}"#)),
        (false, json(500, r#"{"status":403,"message":"x"}"#)),
        (false, json(200, r#"{"status":0}"#)),
        (false, gateway(403, 1_640_301, "")),
        (false, gateway(404, 1_640_401, "")),
        (false, gateway(429, 1_642_901, "")),
        (false, Does::Answer(http(403, "Content-Type: text/plain\r\n", text))),
        (false, Does::Answer(http(404, "", "<html>Not Found</html>"))),
        (false, Does::Answer(http(502, "", ""))),
        (false, Does::BreakOff(Vec::new())),
    ];
    for (expected, does) in table {
        let server = Server::start(does).await;
        let read = in_family(&server, Family::V4).build_detail(&uid(), &build()).await;
        let error = read.expect_err("none is a build");
        assert_eq!(error.is_refusal_of_view(), expected, "{error:?}");
    }
    assert!(!Error::NotSent { hint: String::new() }.is_refusal_of_view());
}
