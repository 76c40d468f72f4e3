//! The client against a server that answers, breaks off, stalls or lies as told, over real connections.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::model::scope::TaskScope;
use crate::model::{RejectedBy, Rejection};

mod following;
mod hooks;

/// With characters that are written differently in a query, so that each form is looked for.
const SECRET: &str = "s3cr&t-app=secret";
const ENCODED_SECRET: &str = "s3cr%26t-app%3Dsecret";

const BUILD: &str = "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";

/// Enough for a busy machine to answer.
const AMPLE: Duration = Duration::from_secs(10);

/// For servers that never will.
const SHORT: Duration = Duration::from_millis(150);

#[derive(Clone)]
enum Does {
    /// Writes this and keeps the connection.
    Answer(Vec<u8>),
    /// Writes this and closes.
    BreakOff(Vec<u8>),
    /// Writes this, then nothing more.
    Stall(Vec<u8>),
    /// Writes this, then one byte after the other.
    Drip(Vec<u8>),
    /// Writes this, then so many bytes.
    Flood(Vec<u8>, usize),
    /// Resets the connection.
    Reset,
}

struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(does: Does) -> Self {
        Self::scripted(vec![does]).await
    }

    /// The n-th request is met by the n-th of `script`, later ones by its last.
    async fn scripted(script: Vec<Does>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), seen.clone()));
            }
        });
        Self { port, requests }
    }

    fn client(&self, credentials: Credentials) -> Client {
        client(&self.base(), credentials)
    }

    fn base(&self) -> String {
        format!("http://127.0.0.1:{}/api", self.port)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }
}

async fn serve(mut stream: TcpStream, script: Vec<Does>, seen: Arc<Mutex<Vec<String>>>) {
    while let Some(request) = read_request(&mut stream).await {
        let number = {
            let mut seen = seen.lock().expect("no panic");
            seen.push(request);
            seen.len() - 1
        };
        let does = script.get(number).or(script.last()).expect("a script");
        if !react(&mut stream, does).await {
            return;
        }
    }
}

/// Head and body.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(request).ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(head + &String::from_utf8(body).ok()?)
}

/// Whether the connection goes on.
async fn react(stream: &mut TcpStream, does: &Does) -> bool {
    match does {
        Does::Answer(bytes) => stream.write_all(bytes).await.is_ok(),
        Does::BreakOff(bytes) => {
            let _ = stream.write_all(bytes).await;
            false
        }
        Does::Stall(bytes) => {
            let _ = stream.write_all(bytes).await;
            // Until the client gives up and closes.
            let _ = stream.read_u8().await;
            false
        }
        Does::Drip(bytes) => {
            let _ = stream.write_all(bytes).await;
            let mut tick = tokio::time::interval(SHORT / 8);
            while stream.write_all(b" ").await.is_ok() {
                tick.tick().await;
            }
            false
        }
        Does::Flood(bytes, length) => {
            let _ = stream.write_all(bytes).await;
            let block = vec![b' '; 64 << 10];
            let mut left = *length;
            while left > 0 && stream.write_all(&block[..left.min(block.len())]).await.is_ok() {
                left = left.saturating_sub(block.len());
            }
            false
        }
        Does::Reset => {
            stream.set_zero_linger().expect("an open connection");
            false
        }
    }
}

fn options(base_url: &str, credentials: Credentials) -> Options {
    Options {
        base_url: base_url.into(),
        family: Family::V3,
        app_code: "chatops".into(),
        app_secret: SECRET.into(),
        credentials,
        web_url: Some("https://devops.example.com".into()),
        connect_timeout: AMPLE,
        read_timeout: AMPLE,
    }
}

fn client(base_url: &str, credentials: Credentials) -> Client {
    Client::new(options(base_url, credentials)).expect("good options")
}

fn uid() -> Uid {
    "alice".parse().expect("a UID")
}

fn build() -> BuildRef {
    BuildRef {
        project: "gamecore".parse().expect("a project"),
        pipeline: "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a".parse().expect("a pipeline"),
        build: BUILD.parse().expect("a build"),
    }
}

const EACH_FAMILY: [Family; 3] = [Family::V3, Family::V4, Family::V4Backend];

fn in_family(server: &Server, family: Family) -> Client {
    Client::new(Options { family, ..options(&server.base(), Credentials::Header) }).expect("good options")
}

fn http(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn json(status: u16, body: &str) -> Does {
    Does::Answer(http(status, "Content-Type: application/json\r\nX-Bkapi-Request-Id: r-1\r\n", body))
}

/// bkci-api 3.4: the code is in a header, and in a body of another shape.
fn gateway(status: u16, code: u32, more: &str) -> Does {
    let headers = format!(
        "X-Bkapi-Error-Code: {code}\r\nX-Bkapi-Error-Message: Parameters error [reason=\"x\"]\r\nX-Bkapi-Request-Id: r-1\r\n{more}"
    );
    Does::Answer(http(status, &headers, format!(r#"{{"code":{code},"data":null,"message":"x","result":false}}"#)))
}

const ACCEPTED: &str = r#"{"status":0,"data":{"id":"b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e","executeCount":2,"projectId":"gamecore","pipelineId":"p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a","num":128}}"#;

const DETAIL: &str = r#"{"status":0,"data":{"id":"b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e","pipelineId":"p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a","pipelineName":"nightly","status":"FAILED","buildNum":128,"executeCount":1,"currentTimestamp":1766400400000,"recordList":[{"startUser":"alice"}],"model":{"stages":[]}}}"#;

/// A short name of how a call ended.
fn told<T>(result: &Result<T, Error>) -> String {
    match result {
        Ok(_) => "fine".into(),
        Err(Error::NotSent { .. }) => "not sent".into(),
        Err(Error::Unanswered { .. }) => "unanswered".into(),
        Err(Error::Misconfigured { .. }) => "misconfigured".into(),
        Err(Error::Unreadable { .. }) => "unreadable".into(),
        Err(Error::Rejected(Rejection { by: RejectedBy::BkCi, http, code, .. })) => format!("bk-ci {http}/{code}"),
        Err(Error::Rejected(Rejection { by: RejectedBy::Gateway, http, code, .. })) => format!("gateway {http}/{code}"),
    }
}

fn assert_no_secret(text: &str, of: &str) {
    for secret in [SECRET, ENCODED_SECRET, "app_secret=", "?app_code"] {
        assert!(!text.contains(secret), "{of}: {text}");
    }
}

/// Orders one thing, tries both kinds of calls, and looks for the secret and the body in what is said about it. The
/// credentials are in the query, from where they leak most easily.
async fn outcomes(does: Does) -> (Result<Retried, Error>, Result<Build, Error>) {
    let read_timeout = if matches!(does, Does::Stall(_)) { SHORT } else { AMPLE };
    let server = Server::start(does).await;
    let options = Options { read_timeout, ..options(&server.base(), Credentials::Query) };
    let client = Client::new(options).expect("good options");
    let retried = client.retry(&uid(), &build(), &Scope::WholeBuild).await;
    assert_eq!(server.requests().len(), 1, "sent exactly once");
    let stopped = client.stop(&uid(), &build()).await;
    assert_eq!(server.requests().len(), 2, "sent exactly once");
    // What an accepted retry answers is not what an accepted stop answers.
    let same = told(&retried) == "fine" || told(&stopped) == told(&retried);
    assert!(same, "a stop ends as a retry does: {stopped:?}, {retried:?}");
    let read = client.build_detail(&uid(), &build()).await;
    for error in [retried.as_ref().err(), stopped.as_ref().err(), read.as_ref().err()].into_iter().flatten() {
        let said = format!("{error} {error:?} {error:#?}");
        assert_no_secret(&said, "an error");
        assert!(!said.contains("<html>"), "no body: {said}");
    }
    (retried, read)
}

async fn assert_outcomes(cases: Vec<(&str, Does, [&str; 2])>) {
    for (name, does, expected) in cases {
        let (retried, read) = outcomes(does).await;
        assert_eq!([told(&retried), told(&read)], expected, "{name}: a retry, a read");
    }
}

#[tokio::test]
async fn a_retry_goes_out_as_the_seed_describes_it() {
    let server = Server::start(json(200, ACCEPTED)).await;
    let retried = server.client(Credentials::Query).retry(&uid(), &build(), &Scope::WholeBuild).await;
    let expected = Retried { build_id: BUILD.into(), execute_count: Some(2), number: Some(128) };
    assert_eq!(retried, Ok(expected));
    let [request] = &server.requests()[..] else { panic!("one request") };
    let request =
        request.replace(&format!("127.0.0.1:{}", server.port), "HOST").replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!(request.replace("\r\n", "\n").trim_end(), @r"
    POST /api/apigw-app/v3/projects/gamecore/pipelines/p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a/builds/b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e/retry?app_code=chatops&app_secret=s3cr%26t-app%3Dsecret HTTP/1.1
    accept: application/json
    content-type: application/json
    content-length: 0
    x-devops-app-code: chatops
    x-devops-uid: alice
    user-agent: reprise/VERSION
    host: HOST
    ");
}

#[tokio::test]
async fn v4_has_its_ids_in_the_query_and_its_credentials_in_the_header() {
    let scope = Scope::SkipTask(TaskScope { id: "e-1".into(), name: "t".into(), job: "j".into(), stage: "s".into() });
    for (family, path) in [(Family::V4, "/v4/apigw-app"), (Family::V4Backend, "/apigw-app/v4")] {
        // An old server says the id and nothing else.
        let server =
            Server::start(json(200, r#"{"status":0,"data":{"id":"b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e"}}"#)).await;
        let options = Options { family, ..options(&server.base(), Credentials::Header) };
        let retried = Client::new(options).expect("good options").retry(&uid(), &build(), &scope).await;
        assert_eq!(retried, Ok(Retried { build_id: BUILD.into(), execute_count: None, number: None }));
        let [request] = &server.requests()[..] else { panic!("one request") };
        let line = format!(
            "POST /api{path}/projects/gamecore/build_retry?pipelineId=p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a&buildId={BUILD}&taskId=e-1&skip=true HTTP/1.1"
        );
        assert_eq!(request.lines().next(), Some(line.as_str()));
        for header in ["content-type: application/json", "content-length: 0", "x-devops-uid: alice", "x-bkapi-auth"] {
            assert!(request.contains(header), "{request}");
        }
    }
}

#[tokio::test]
async fn credentials_in_the_header_leave_the_address_clean() {
    let server = Server::start(json(200, ACCEPTED)).await;
    let scope = Scope::SkipTask(TaskScope { id: "e-1".into(), name: "t".into(), job: "j".into(), stage: "s".into() });
    server.client(Credentials::Header).retry(&uid(), &build(), &scope).await.expect("accepted");
    let [request] = &server.requests()[..] else { panic!("one request") };
    let line = request.lines().next().expect("a line");
    assert!(line.ends_with("/retry?taskId=e-1&skip=true HTTP/1.1"), "{line}");
    let authorization = format!(r#"x-bkapi-authorization: {{"bk_app_code":"chatops","bk_app_secret":"{SECRET}"}}"#);
    assert!(request.contains(&authorization), "{request}");
    assert!(!request.contains("app_secret="), "never both: {request}");
}

#[tokio::test]
async fn a_part_without_an_id_is_never_sent() {
    let server = Server::start(json(200, ACCEPTED)).await;
    let scope = Scope::Stage { id: " ".into(), name: "Build".into() };
    let retried = server.client(Credentials::Query).retry(&uid(), &build(), &scope).await;
    assert_eq!((told(&retried).as_str(), server.requests().len()), ("not sent", 0));
}

#[tokio::test]
async fn a_read_is_a_get_as_that_user() {
    let server = Server::start(json(200, DETAIL)).await;
    let read = server.client(Credentials::Header).build_detail(&uid(), &build()).await.expect("readable");
    assert_eq!((read.number, read.starters), (128, vec!["alice".to_owned()]));
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert!(request.starts_with("GET /api/apigw-app/v3/projects/gamecore/pipelines/p-"), "{request}");
    assert!(request.contains(&format!("/builds/{BUILD}/detail HTTP/1.1\r\n")), "{request}");
    assert!(request.contains("x-devops-uid: alice\r\n"), "{request}");
}

#[tokio::test]
async fn what_was_never_sent_is_told_apart() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let not_tls = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let not_tls_port = not_tls.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = not_tls.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 X\r\n\r\n").await;
        }
    });
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent_port = silent.local_addr().expect("an address").port();
    let bases = [
        format!("http://127.0.0.1:{closed}"),
        "http://bk-ci.invalid".to_owned(),
        format!("https://127.0.0.1:{}", not_tls_port),
        // Connects, and never gets on with TLS.
        format!("https://127.0.0.1:{silent_port}"),
    ];
    for base in bases {
        let silent = base.ends_with(&format!(":{silent_port}"));
        let connect_timeout = if silent { SHORT } else { AMPLE };
        let options = Options { connect_timeout, ..options(&base, Credentials::Query) };
        let client = Client::new(options).expect("good options");
        let retried = client.retry(&uid(), &build(), &Scope::WholeBuild).await;
        assert_eq!(told(&retried), "not sent", "{base}: {retried:?}");
        assert_no_secret(&format!("{retried:?}"), &base);
        assert_eq!(told(&client.build_detail(&uid(), &build()).await), "not sent", "{base}");
    }
}

#[tokio::test]
async fn what_came_back_broken_leaves_a_retry_open() {
    let ok = |more: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n{more}\r\n").into_bytes();
    let begun = || [ok(""), br#"{"status":"#.to_vec()].concat();
    let chunked = || b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{\"status\":\r\n".to_vec();
    let endless = || b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    assert_outcomes(vec![
        ("reset", Does::Reset, ["unanswered", "unanswered"]),
        ("closed", Does::BreakOff(Vec::new()), ["unanswered", "unanswered"]),
        ("silent", Does::Stall(Vec::new()), ["unanswered", "unanswered"]),
        ("not HTTP", Does::BreakOff(b"SSH-2.0-OpenSSH\r\n".to_vec()), ["unanswered", "unanswered"]),
        ("half a head", Does::Stall(b"HTTP/1.1 200 OK\r\nConte".to_vec()), ["unanswered", "unanswered"]),
        ("half a body", Does::BreakOff(begun()), ["unanswered", "unreadable"]),
        ("half a chunked body", Does::BreakOff(chunked()), ["unanswered", "unreadable"]),
        ("a body that stalls", Does::Stall(begun()), ["unanswered", "unanswered"]),
        (
            "40 MB announced",
            Does::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 40000000\r\n\r\n".to_vec()),
            ["unanswered", "unreadable"],
        ),
        ("40 MB unannounced", Does::Flood(endless(), 40 << 20), ["unanswered", "unreadable"]),
    ])
    .await;
}

#[tokio::test]
async fn an_answer_that_is_none_leaves_a_retry_open() {
    let html = "<html>please log in</html>";
    assert_outcomes(vec![
        ("HTML", Does::Answer(http(200, "Content-Type: text/html\r\n", html)), ["unanswered", "unreadable"]),
        ("empty", json(200, ""), ["unanswered", "unreadable"]),
        ("no content", Does::Answer(b"HTTP/1.1 204 X\r\n\r\n".to_vec()), ["unanswered", "unreadable"]),
        ("broken off, well framed", json(200, r#"{"status":0,"data":{"id":"b-"#), ["unanswered", "unreadable"]),
        ("no data", json(200, r#"{"status":0}"#), ["unanswered", "unreadable"]),
        ("no id", json(200, r#"{"status":0,"data":{"executeCount":2}}"#), ["unanswered", "unreadable"]),
        ("data of another kind", json(200, r#"{"status":0,"data":"yes"}"#), ["unanswered", "unreadable"]),
        ("no status", json(200, r#"{"data":{"id":"b-1"}}"#), ["unanswered", "unreadable"]),
        ("another JSON", json(200, r#"["ok"]"#), ["unanswered", "unreadable"]),
        ("success with a 4xx", json(400, ACCEPTED), ["unanswered", "unreadable"]),
        ("a refusal that broke off", json(400, r#"{"status":2100110,"mess"#), ["unanswered", "unreadable"]),
        ("408", json(408, r#"{"status":408,"message":"request timed out","data":"x"}"#), ["unanswered", "unanswered"]),
        ("408 in disguise", json(200, r#"{"status":408,"message":"x"}"#), ["unanswered", "unanswered"]),
        ("500", json(500, r#"{"status":500,"message":"Failed","data":"…"}"#), ["unanswered", "unanswered"]),
        ("502 in HTML", Does::Answer(http(502, "", html)), ["unanswered", "unanswered"]),
        ("504", Does::Answer(http(504, "", "")), ["unanswered", "unanswered"]),
        ("2100110", json(400, r#"{"status":2100110,"message":"results returned …"}"#), ["unanswered", "unanswered"]),
        ("gateway 502", gateway(502, 1_650_200, ""), ["unanswered", "unanswered"]),
        ("gateway 504", gateway(504, 1_650_401, ""), ["unanswered", "unanswered"]),
        ("gateway 408", gateway(408, 1_640_801, ""), ["unanswered", "unanswered"]),
        ("gateway 504 as 200", gateway(200, 1_650_401, ""), ["unanswered", "unanswered"]),
    ])
    .await;
}

#[tokio::test]
async fn a_refusal_names_who_refused() {
    let twice = |text: &'static str| [text, text];
    let unknown = r#"{"status":2101163,"message":"流水线构建[b-1]不存在"}"#;
    assert_outcomes(vec![
        ("unknown build", json(404, unknown), twice("bk-ci 404/2101163")),
        ("the same as 200", json(200, unknown), twice("bk-ci 200/2101163")),
        ("running", json(400, r#"{"status":2100002,"message":"x"}"#), twice("bk-ci 400/2100002")),
        ("no permission", json(403, r#"{"status":403,"message":"You don't"}"#), twice("bk-ci 403/403")),
        ("unknown project", json(404, r#"{"status":404,"message":"ProjectId [x] not find"}"#), twice("bk-ci 404/404")),
        ("gateway limit", gateway(429, 1_642_901, ""), twice("gateway 429/1642901")),
        ("gateway limit as 200", gateway(200, 1_642_904, ""), twice("gateway 200/1642904")),
        ("gateway, too large", gateway(413, 1_641_301, ""), twice("gateway 413/1641301")),
        ("limit of a proxy", Does::Answer(http(429, "", "<html>slow down</html>")), twice("gateway 429/429")),
    ])
    .await;
}

#[tokio::test]
async fn what_only_the_operator_can_mend_is_misconfigured_and_names_the_key() {
    let denied = r#"{"status":403,"message":"You don't have permission to do so","data":"Permission denied: apigwType[apigw-app],appCode[chatops],ProjectId[gamecore] x"}"#;
    let no_path = r#"{"status":404,"message":"requested resource does not exist","data":"HTTP 404 Not Found"}"#;
    let text = |status, body: &str| Does::Answer(http(status, "Content-Type: text/plain\r\n", body));
    let redirect = "Location: https://login.example.com/sso?back=app_secret%3Ds3cr%26t\r\n";
    let cases = [
        ("bkci.app_secret", gateway(400, 1_640_001, "")),
        ("bkci.app_secret", gateway(200, 1_640_001, "")),
        ("bkci.app_secret", gateway(401, 1_640_101, "")),
        ("bkci.base_url", gateway(401, 1_640_102, "")),
        ("bkci.app_code", gateway(403, 1_640_301, "")),
        ("this machine's address", gateway(403, 1_640_302, "")),
        ("bkci.api", gateway(404, 1_640_401, "")),
        ("bkci.base_url", gateway(405, 1_640_501, "")),
        ("chatops (bkci.app_code) is not authorised for the project gamecore", json(403, denied)),
        ("bkci.api", json(404, no_path)),
        ("bkci.base_url", text(400, "Devops OpenAPI Auth fail: path(/x)")),
        ("bkci.app_secret", text(400, "Devops OpenAPI Auth fail：app auth fail.")),
        ("gateway's address", text(403, "You do not have permission to access")),
        ("signed-in user", text(400, "Request don't has user's access_token.")),
        ("bkci.base_url", text(404, "<html>Not Found</html>")),
        ("bkci.base_url", text(403, "")),
        ("bkci.base_url", json(400, r#"{"error":"x"}"#)),
        ("a redirect to https://login.example.com. Is bkci.base_url", Does::Answer(http(302, redirect, ""))),
        ("bkci.base_url", Does::Answer(http(307, "", ""))),
    ];
    for (expected, does) in cases {
        let (retried, read) = outcomes(does).await;
        assert_eq!([told(&retried), told(&read)], ["misconfigured", "misconfigured"], "{expected}");
        let error = retried.expect_err(expected);
        assert!(error.to_string().contains(expected), "{error} should say {expected}");
        assert!(!error.to_string().contains("sso"), "only scheme and host: {error}");
    }
}

#[tokio::test]
async fn whatever_has_a_code_hands_it_on() {
    let denied = r#"{"status":403,"message":"no","data":"Permission denied: apigwType[apigw-app],appCode[chatops] x"}"#;
    let no_path = r#"{"status":404,"message":"requested resource does not exist","data":"HTTP 404 Not Found"}"#;
    let cases = [
        (1_640_001, RejectedBy::Gateway, gateway(400, 1_640_001, "")),
        (1_650_401, RejectedBy::Gateway, gateway(200, 1_650_401, "")),
        (403, RejectedBy::BkCi, json(403, denied)),
        (404, RejectedBy::BkCi, json(404, no_path)),
        (408, RejectedBy::BkCi, json(408, r#"{"status":408,"message":"request timed out"}"#)),
        (500, RejectedBy::BkCi, json(200, r#"{"status":500,"message":"x"}"#)),
        (502, RejectedBy::BkCi, Does::Answer(http(502, "X-Bkapi-Request-Id: r-1\r\n", "<html></html>"))),
        (2_100_110, RejectedBy::BkCi, json(400, r#"{"status":2100110,"message":"x"}"#)),
    ];
    for (code, by, does) in cases {
        let (retried, _) = outcomes(does).await;
        let Err(Error::Misconfigured { said: Some(said), .. } | Error::Unanswered { said: Some(said), .. }) = retried
        else {
            panic!("{code}: {retried:?}")
        };
        assert_eq!((said.code, said.by, said.request_id.as_deref()), (code, by, Some("r-1")));
    }
}

#[tokio::test]
async fn a_rejection_carries_what_the_person_needs() {
    let long = "构".repeat(400);
    let server = Server::start(json(400, &format!(r#"{{"status":2101047,"message":"{long}"}}"#))).await;
    let refused = server.client(Credentials::Query).retry(&uid(), &build(), &Scope::WholeBuild).await;
    let expected = Rejection {
        by: RejectedBy::BkCi,
        http: 400,
        code: 2_101_047,
        message: "构".repeat(300),
        request_id: Some("r-1".into()),
        retry_after_s: None,
    };
    assert_eq!(refused, Err(Error::Rejected(expected)));

    let server = Server::start(gateway(429, 1_642_902, "X-Bkapi-RateLimit-Reset: 17\r\n")).await;
    let refused = server.client(Credentials::Query).retry(&uid(), &build(), &Scope::WholeBuild).await;
    let expected = Rejection {
        by: RejectedBy::Gateway,
        http: 429,
        code: 1_642_902,
        message: "Parameters error [reason=\"x\"]".into(),
        request_id: Some("r-1".into()),
        retry_after_s: Some(17),
    };
    assert_eq!(refused, Err(Error::Rejected(expected)));
}

#[tokio::test]
async fn a_secret_that_is_sent_back_is_not_repeated() {
    // At the place where the message is cut, so that no half of it stays either.
    let message = format!("{} {SECRET} {ENCODED_SECRET}", "x".repeat(290));
    let envelope = |at: &str| format!(r#"{{"status":{at},"message":"{message}","data":"{SECRET}"}}"#);
    let in_headers = |code: u32| {
        let headers = format!(
            "X-Bkapi-Error-Code: {code}\r\nX-Bkapi-Error-Message: {message}\r\nX-Bkapi-Request-Id: {SECRET}\r\n"
        );
        Does::Answer(http(400, &headers, &message))
    };
    let location = format!("Location: https://{SECRET}.example.com/{SECRET}?{SECRET}\r\n");
    let cases = [
        json(400, &envelope("2101047")),
        json(403, &envelope("403")),
        json(500, &envelope("500")),
        json(200, &envelope("0")),
        in_headers(1_640_001),
        in_headers(1_642_901),
        in_headers(1_650_001),
        Does::Answer(http(302, &location, "")),
        Does::Answer(http(404, "", &message)),
        Does::BreakOff(message.clone().into_bytes()),
    ];
    for does in cases {
        for credentials in [Credentials::Query, Credentials::Header] {
            let server = Server::start(does.clone()).await;
            let refused = server.client(credentials).retry(&uid(), &build(), &Scope::WholeBuild).await;
            let said = format!("{refused:?} {}", refused.as_ref().expect_err("refused"));
            assert_no_secret(&said, "an error");
            assert!(!said.contains("s3cr"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_retry_that_broke_on_a_used_connection_is_not_sent_again() {
    let server = Server::scripted(vec![json(200, DETAIL), Does::BreakOff(Vec::new())]).await;
    let client = server.client(Credentials::Query);
    client.build_detail(&uid(), &build()).await.expect("readable");
    let retried = client.retry(&uid(), &build(), &Scope::WholeBuild).await;
    assert_eq!(told(&retried), "unanswered");
    assert_eq!(server.requests().iter().filter(|request| request.starts_with("POST")).count(), 1);
}

#[tokio::test]
async fn a_call_ends_when_it_was_said_to() {
    let endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    let server = Server::start(Does::Drip(endless)).await;
    let options =
        Options { connect_timeout: SHORT, read_timeout: 4 * SHORT, ..options(&server.base(), Credentials::Query) };
    let client = Client::new(options).expect("good options");
    assert_eq!(client.longest_call(), 9 * SHORT);
    let (uid, build) = (uid(), build());
    let (retried, read) = tokio::join!(
        tokio::time::timeout(AMPLE, client.retry(&uid, &build, &Scope::WholeBuild)),
        tokio::time::timeout(AMPLE, client.build_detail(&uid, &build)),
    );
    assert_eq!(told(&retried.expect("in time")), "unanswered");
    assert_eq!(told(&read.expect("in time")), "unanswered");
}

#[tokio::test]
async fn anything_bk_ci_says_to_nobody_proves_that_it_is_there() {
    let no_path = r#"{"status":404,"message":"requested resource does not exist","data":"HTTP 404 Not Found"}"#;
    let denied = r#"{"status":403,"message":"no","data":"Permission denied: apigwType[apigw-app],appCode[chatops] x"}"#;
    let no_user = r#"{"status":400,"message":"Parameter verification failed: request param userId cannot be empty"}"#;
    let cases = [
        ("fine", json(400, no_user)),
        ("fine", json(404, r#"{"status":404,"message":"ProjectId [reprise-check] not find, please check it."}"#)),
        ("fine", json(403, denied)),
        ("fine", json(200, r#"{"status":0}"#)),
        ("misconfigured", json(404, no_path)),
        ("misconfigured", gateway(400, 1_640_001, "")),
        ("misconfigured", Does::Answer(http(404, "", "<html></html>"))),
        ("unreadable", Does::Answer(http(200, "", "<html></html>"))),
        ("unanswered", Does::Answer(http(502, "", "<html></html>"))),
    ];
    for (expected, does) in cases {
        let server = Server::start(does).await;
        assert_eq!(told(&server.client(Credentials::Header).reach().await), expected);
        let [request] = &server.requests()[..] else { panic!("one request") };
        assert!(request.starts_with("GET ") && request.contains("x-devops-uid: reprise-check"), "as nobody: {request}");
    }
}

#[tokio::test]
async fn a_project_is_good_when_it_comes_back() {
    let cases = [
        (
            "fine",
            json(
                200,
                r#"{"status":0,"data":{"id":1,"projectId":"0a","projectCode":"gamecore","englishName":"gamecore"}}"#,
            ),
        ),
        ("unreadable", json(200, r#"{"status":0}"#)),
        ("bk-ci 403/403", json(403, r#"{"status":403,"message":"no"}"#)),
    ];
    for (expected, does) in cases {
        let server = Server::start(does).await;
        let seen = server.client(Credentials::Query).project(&uid(), &build().project).await;
        assert_eq!(told(&seen), expected);
        let [request] = &server.requests()[..] else { panic!("one request") };
        assert!(request.starts_with("GET /api/apigw-app/v3/projects/gamecore?app_code=chatops&"), "{request}");
    }
}

#[test]
fn the_client_and_a_fault_in_its_options_show_no_secret() {
    type Change = fn(&mut Options);
    let shown = format!("{:?}", client("https://bkapi.example.com/api/devops/prod", Credentials::Header));
    assert_eq!(shown, r#"Client { origin: "https://bkapi.example.com", .. }"#);
    let bad: [(&str, Change); 4] = [
        ("bkci.base_url", |options| options.base_url = format!("https://me:{SECRET}@h")),
        ("bkci.web_url", |options| options.web_url = Some(format!("https://h/?{SECRET}"))),
        ("bkci.app_code", |options| options.app_code = format!("\n{SECRET}")),
        ("bkci.app_secret", |options| options.app_secret = format!("{SECRET}ä").into()),
    ];
    for (key, change) in bad {
        let mut options = options("https://h", Credentials::Header);
        change(&mut options);
        let fault = format!("{:?}", Client::new(options).expect_err(key));
        assert!(fault.contains(key), "{fault}");
        assert_no_secret(&fault, key);
    }
}

#[test]
fn there_are_links_only_with_a_web_address() {
    let page = |web_url: Option<&str>| {
        let web_url = web_url.map(str::to_owned);
        let client = Client::new(Options { web_url, ..options("https://h", Credentials::Query) }).expect("good");
        client.build_page(&build(), Some(2))
    };
    assert_eq!((page(None), page(Some(""))), (None, None));
    assert!(page(Some("https://devops.example.com")).is_some_and(|page| page.ends_with("/executeDetail/2")));
}
