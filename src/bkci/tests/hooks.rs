//! Callbacks: what goes out in each family, how each answer ends, and that the token is seen by nobody but BK-CI.

use std::io;

use tracing_subscriber::filter::LevelFilter;

use super::*;

/// With characters that are written differently in a query and in JSON, so that each form is looked for.
const TOKEN: &str = "t0k\"n&of=callbacks";
const TOKEN_FORMS: [&str; 3] = [TOKEN, "t0k%22n%26of%3Dcallbacks", "t0k\\\"n&of=callbacks"];

const URL: &str = "https://bot.example.com/bkci/callback";

const DONE: &str = r#"{"status":0,"data":true}"#;
const REGISTERED: &str = r#"{"status":0,"data":{"successEvents":["BUILD_START","BUILD_END"],"failureEvents":{}}}"#;

/// What a hook borrows.
struct Told {
    uid: Uid,
    build: BuildRef,
    token: SecretString,
}

fn told_of() -> Told {
    Told { uid: uid(), build: build(), token: TOKEN.into() }
}

impl Told {
    fn hook(&self) -> Hook<'_> {
        Hook { project: &self.build.project, url: URL, token: &self.token }
    }
}

#[tokio::test]
async fn a_pipeline_is_hooked_for_each_event_under_a_name_of_its_own() {
    for family in [Family::V4, Family::V4Backend] {
        let server = Server::start(json(200, DONE)).await;
        let (client, of) = (in_family(&server, family), told_of());
        assert!(client.hooks_pipelines());
        client.hook_pipeline(&of.uid, &of.build.pipeline, &of.hook()).await.expect("done");
        let [request] = &server.requests()[..] else { panic!("one request") };
        let (head, body) = request.split_once("\r\n\r\n").expect("a body");
        assert!(head.starts_with("POST ") && head.contains("/callbacks/pipelines/p-4f0c"), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        let entry = |event, name| {
            serde_json::json!({"callbackEvent": event, "callbackUrl": URL, "secretToken": TOKEN, "callbackName": name,
                "region": "IDC"})
        };
        let expected = [entry("BUILD_START", "reprise-start"), entry("BUILD_END", "reprise-end")];
        assert_eq!(body, serde_json::json!(expected), "one of the same name would replace the other");

        client.unhook_pipeline(&of.uid, &of.build.project, &of.build.pipeline).await.expect("done");
        let lines: Vec<String> = server.requests()[1..].iter().filter_map(|r| Some(r.lines().next()?.into())).collect();
        let names = ["reprise-start", "reprise-end"];
        assert_eq!(lines.len(), 2);
        for (line, name) in lines.iter().zip(names) {
            assert!(line.starts_with("DELETE ") && line.contains(&format!("?callbackName={name} ")), "{line}");
        }
    }
}

#[tokio::test]
async fn v3_has_no_callbacks_of_single_pipelines_and_is_not_asked_for_them() {
    let server = Server::start(json(200, DONE)).await;
    let (client, of) = (in_family(&server, Family::V3), told_of());
    assert!(!client.hooks_pipelines());
    assert_eq!(told(&client.hook_pipeline(&of.uid, &of.build.pipeline, &of.hook()).await), "not sent");
    let unhooked = client.unhook_pipeline(&of.uid, &of.build.project, &of.build.pipeline).await;
    assert_eq!((told(&unhooked).as_str(), server.requests().len()), ("not sent", 0));
}

#[tokio::test]
async fn a_project_is_hooked_by_one_call_that_says_everything_in_its_address() {
    for family in EACH_FAMILY {
        let server = Server::start(json(200, REGISTERED)).await;
        let of = told_of();
        in_family(&server, family).hook_project(&of.uid, &of.hook()).await.expect("done");
        let [request] = &server.requests()[..] else { panic!("one request") };
        let line = request.lines().next().expect("a line");
        let query = "/callbacks/batch?url=https%3A%2F%2Fbot.example.com%2Fbkci%2Fcallback&region=IDC&event=BUILD_START%2CBUILD_END&secretToken=t0k%22n%26of%3Dcallbacks HTTP/1.1";
        assert!(line.starts_with("POST ") && line.ends_with(query), "{line}");
        assert!(request.contains("content-length: 0\r\n"), "{request}");
    }
}

#[tokio::test]
async fn how_hooking_ends_is_told_by_the_answer() {
    let half = r#"{"status":0,"data":{"successEvents":["BUILD_END"],"failureEvents":{"BUILD_START":"no room"}}}"#;
    let table = [
        (["fine", "unanswered"], json(200, DONE)),
        (["unanswered", "fine"], json(200, REGISTERED)),
        (["unanswered", "bk-ci 200/0"], json(200, half)),
        (["unanswered", "unanswered"], json(200, r#"{"status":0}"#)),
        (["unanswered", "unanswered"], json(200, r#"{"status":0,"data":false}"#)),
        (["unanswered", "unanswered"], Does::BreakOff(Vec::new())),
        (["unanswered", "unanswered"], Does::Answer(http(200, "", "<html></html>"))),
        (["bk-ci 403/403"; 2], json(403, r#"{"status":403,"message":"x"}"#)),
        (["bk-ci 400/2101104"; 2], json(400, r#"{"status":2101104,"message":"no manager"}"#)),
        (["bk-ci 400/2101366"; 2], json(400, r#"{"status":2101366,"message":"blocked"}"#)),
        (["misconfigured"; 2], gateway(403, 1_640_301, "")),
    ];
    for (expected, does) in table {
        let server = Server::start(does).await;
        let (client, of) = (in_family(&server, Family::V4), told_of());
        let pipeline = client.hook_pipeline(&of.uid, &of.build.pipeline, &of.hook()).await;
        let project = client.hook_project(&of.uid, &of.hook()).await;
        assert_eq!([told(&pipeline), told(&project)], expected, "a pipeline, a project");
        assert_eq!(server.requests().len(), 2, "once each");
    }
}

fn page(hooks: &[(i64, &str)]) -> Does {
    let records: Vec<_> = hooks.iter().map(|(id, url)| serde_json::json!({"id": id, "callBackUrl": url})).collect();
    json(200, &serde_json::json!({"status": 0, "data": {"records": records}}).to_string())
}

#[tokio::test]
async fn a_project_is_unhooked_by_our_address_on_every_page() {
    let others = "https://other.example.com/";
    for family in EACH_FAMILY {
        let pages = [page(&[(1, others), (2, URL)]), page(&[(3, URL), (4, "https://bot.example.com/")]), page(&[])];
        let gone = json(400, r#"{"status":2101136,"message":"does not exist"}"#);
        let server = Server::scripted([pages.to_vec(), vec![json(200, DONE), gone]].concat()).await;
        let of = told_of();
        in_family(&server, family).unhook_project(&of.uid, &of.build.project, URL).await.expect("done");
        let lines: Vec<String> = server.requests().iter().filter_map(|r| Some(r.lines().next()?.into())).collect();
        let [one, two, three, first, second] = lines.as_slice() else { panic!("five: {lines:?}") };
        for (line, page) in [(one, 1), (two, 2), (three, 3)] {
            assert!(line.starts_with("GET ") && line.contains(&format!("?page={page}&pageSize=100 ")), "{line}");
        }
        for (line, id) in [(first, 2), (second, 3)] {
            let ends = [format!("/callbacks/{id} HTTP/1.1"), format!("/callbacks/callback?id={id} HTTP/1.1")];
            assert!(line.starts_with("DELETE ") && ends.iter().any(|end| line.ends_with(end)), "{line}");
        }
    }
}

#[tokio::test]
async fn a_list_that_repeats_itself_ends_and_one_without_end_is_said() {
    let of = told_of();
    let server = Server::scripted(vec![page(&[(1, "x")]), page(&[(1, "x")]), json(200, DONE)]).await;
    in_family(&server, Family::V4).unhook_project(&of.uid, &of.build.project, URL).await.expect("nothing to do");
    assert_eq!(server.requests().len(), 2);

    let endless = (1..=60).map(|id| page(&[(id, "x")])).collect();
    let server = Server::scripted(endless).await;
    let unhooked = in_family(&server, Family::V4).unhook_project(&of.uid, &of.build.project, URL).await;
    assert_eq!((told(&unhooked).as_str(), server.requests().len()), ("unreadable", 50));

    let refused = json(400, r#"{"status":2101133,"message":"x"}"#);
    let server = Server::scripted(vec![page(&[(1, URL)]), page(&[]), refused]).await;
    let unhooked = in_family(&server, Family::V4).unhook_project(&of.uid, &of.build.project, URL).await;
    assert_eq!(told(&unhooked), "bk-ci 400/2101133");
}

/// Everything that is logged on this thread, by anyone, at any level.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_token_is_seen_by_nobody_but_bk_ci() {
    let logged = Logged::default();
    let writer = logged.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(move || writer.clone());
    // With a single subscriber, another thread that has none could switch off for all what it logs first.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(io::sink).finish());
    let guard = tracing::subscriber::set_default(subscriber.finish());

    let message = format!("{} {}", "x".repeat(280), TOKEN_FORMS.join(" "));
    let said = serde_json::json!({"status": 2101132, "message": message, "data": TOKEN}).to_string();
    let failed = serde_json::json!({"status": 0, "data": {"successEvents": [], "failureEvents": {"E": message}}});
    let location = format!("Location: https://{}.example.com/?{}\r\n", TOKEN_FORMS[1], TOKEN_FORMS[1]);
    let headers = format!("X-Bkapi-Error-Code: 1642901\r\nX-Bkapi-Error-Message: {TOKEN}\r\n");
    let answers = [
        json(400, &said),
        json(200, &failed.to_string()),
        json(500, &said),
        Does::Answer(http(302, &location, "")),
        Does::Answer(http(429, &headers, TOKEN)),
        Does::Answer(http(404, "", TOKEN)),
        Does::BreakOff(TOKEN.into()),
        Does::Reset,
    ];
    let of = told_of();
    let mut seen = format!("{:?} {:#?}", of.hook(), of.hook());
    for does in answers {
        let server = Server::start(does).await;
        let client = Client::new(Options { family: Family::V4, ..options(&server.base(), Credentials::Query) });
        let client = client.expect("good options");
        for ended in [
            client.hook_project(&of.uid, &of.hook()).await,
            client.hook_pipeline(&of.uid, &of.build.pipeline, &of.hook()).await,
        ] {
            let error = ended.expect_err("none registers anything");
            seen += &format!("{error} {error:?} {error:#?}");
        }
        assert!(server.requests()[0].contains(TOKEN_FORMS[1]), "it was sent");
    }
    let closed = client("http://127.0.0.1:1", Credentials::Query);
    seen += &format!("{:?}", closed.hook_project(&of.uid, &of.hook()).await);
    drop(guard);
    seen += &String::from_utf8_lossy(&logged.0.lock().expect("no panic"));
    assert!(seen.contains("hook_project") && seen.contains("asked BK-CI"), "nothing was logged: {seen}");
    for form in TOKEN_FORMS.iter().chain(&["t0k", "s3cr"]) {
        assert!(!seen.contains(form), "{form} in: {seen}");
    }
}
