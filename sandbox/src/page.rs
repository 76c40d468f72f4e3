//! The chat page: shows what both doubles hold, and lets people act. For this machine only.
//!
//! Everything a person does goes through the Discord double's own `people`, so the page can do nothing that the real
//! client would not let through. It promises to load nothing from anywhere else; the browser is told to hold it to that.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::bkci::{BkCi, Courier};
use crate::demo::{Demo, UID};
use crate::discord::{Discord, Refused, Typing};
use crate::timetable;

/// Scripts, styles and requests from the page itself, and nothing else.
const POLICY: (HeaderName, &str) = (header::CONTENT_SECURITY_POLICY, "default-src 'self'; img-src 'self' data:");

/// What the page shows.
#[derive(Clone)]
pub struct Page {
    /// The chat.
    pub discord: Discord,
    /// The builds.
    pub bkci: BkCi,
    /// Who one can be.
    pub demo: Demo,
}

/// Builds the page's router.
pub fn router(page: Page) -> Router {
    let script = |text| file("text/javascript; charset=utf-8", text);
    Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("../page/index.html")))
        .route("/style.css", file("text/css; charset=utf-8", include_str!("../page/style.css")))
        .route("/chat.js", script(include_str!("../page/chat.js")))
        .route("/builds.js", script(include_str!("../page/builds.js")))
        .route("/composer.js", script(include_str!("../page/composer.js")))
        .route("/dom.js", script(include_str!("../page/dom.js")))
        .route("/forms.js", script(include_str!("../page/forms.js")))
        .route("/markdown.js", script(include_str!("../page/markdown.js")))
        .route("/messages.js", script(include_str!("../page/messages.js")))
        .route("/options.js", script(include_str!("../page/options.js")))
        .route("/select.js", script(include_str!("../page/select.js")))
        .route("/state", get(state))
        .route("/type", post(typed))
        .route("/complete", post(complete))
        .route("/use", post(used))
        .route("/press", post(pressed))
        .route("/submit", post(submitted))
        .route("/say", post(said))
        .route("/upload", post(uploaded))
        .route("/dismiss", post(dismissed))
        .route("/build", post(built))
        .route("/callbacks", post(called_back))
        .with_state(page)
}

fn file(kind: &'static str, text: &'static str) -> MethodRouter<Page> {
    get(async move || ([POLICY, (header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], text))
}

/// A snowflake, which JavaScript cannot hold as a number.
fn id<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

#[derive(Deserialize)]
struct Typed {
    #[serde(deserialize_with = "id")]
    user: u64,
    #[serde(deserialize_with = "id")]
    channel: u64,
    command: String,
    locale: String,
    #[serde(default)]
    options: Vec<(String, Value)>,
    /// The option under the cursor, when suggestions are wanted.
    focused: Option<String>,
    /// The user on whom a command of the Apps menu is used.
    target: Option<String>,
}

impl From<Typed> for Typing {
    fn from(typed: Typed) -> Self {
        let Typed { user, channel, command, locale, options, .. } = typed;
        Self { user, channel, command, options, locale }
    }
}

#[derive(Deserialize)]
struct Pressed {
    #[serde(deserialize_with = "id")]
    user: u64,
    #[serde(deserialize_with = "id")]
    message: u64,
    #[serde(default)]
    custom_id: String,
    #[serde(default)]
    values: Vec<String>,
    locale: String,
}

#[derive(Deserialize)]
struct Submitted {
    /// The interaction that opened the form.
    #[serde(deserialize_with = "id")]
    opener: u64,
    values: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(deserialize_with = "id")]
    user: u64,
    #[serde(deserialize_with = "id")]
    channel: u64,
    content: String,
}

#[derive(Deserialize)]
struct Uploaded {
    #[serde(deserialize_with = "id")]
    channel: u64,
    name: String,
}

#[derive(Deserialize)]
struct Built {
    pipeline: String,
}

#[derive(Deserialize)]
struct CalledBack {
    arrive: bool,
}

async fn state(State(page): State<Page>) -> Json<Value> {
    let Demo { developer, newcomer, administrator, .. } = page.demo;
    let people = json!([
        { "id": developer.to_string(), "note": format!("acts as {UID}") },
        { "id": newcomer.to_string(), "note": "not mapped yet" },
        { "id": administrator.to_string(), "note": "administrator" },
    ]);
    Json(
        json!({ "discord": page.discord.snapshot(), "bkci": page.bkci.snapshot(), "people": people, "callbacks": page.bkci.callbacks_arrive() }),
    )
}

async fn typed(State(page): State<Page>, Json(typed): Json<Typed>) -> Response {
    told(page.discord.type_command(typed.into()))
}

async fn complete(State(page): State<Page>, Json(typed): Json<Typed>) -> Response {
    let focused = typed.focused.clone().unwrap_or_default();
    match page.discord.autocomplete(typed.into(), &focused).await {
        Ok(choices) => Json(choices).into_response(),
        Err(why) => refused(why),
    }
}

async fn used(State(page): State<Page>, Json(typed): Json<Typed>) -> Response {
    let target = typed.target.as_deref().and_then(|target| target.parse().ok()).unwrap_or(0);
    told(page.discord.use_on_user(typed.into(), target))
}

async fn pressed(State(page): State<Page>, Json(pressed): Json<Pressed>) -> Response {
    page.discord.set_locale(pressed.user, &pressed.locale);
    let values: Vec<&str> = pressed.values.iter().map(String::as_str).collect();
    told(page.discord.choose(pressed.user, pressed.message, &pressed.custom_id, &values))
}

async fn submitted(State(page): State<Page>, Json(submitted): Json<Submitted>) -> Response {
    let values: Vec<(&str, &str)> = submitted.values.iter().map(|(name, value)| (&**name, &**value)).collect();
    told(page.discord.submit_modal(submitted.opener, &values))
}

async fn said(State(page): State<Page>, Json(said): Json<Said>) -> Response {
    told(page.discord.say(said.user, said.channel, &said.content))
}

async fn uploaded(State(page): State<Page>, Query(what): Query<Uploaded>, bytes: Bytes) -> Response {
    told(Ok(page.discord.upload(what.channel, &what.name, "application/octet-stream", &bytes)))
}

/// A private answer goes when its reader says so; nobody else's message does.
async fn dismissed(State(page): State<Page>, Json(pressed): Json<Pressed>) -> Response {
    let own = page.discord.message(pressed.message).filter(|message| message.viewer == Some(pressed.user));
    let own = own.ok_or_else(|| Refused::NotPermitted("dismiss this message".into()));
    told(own.map(|message| {
        page.discord.delete_message(message.id);
        message.id
    }))
}

/// There is always something left to retry: it fails in a quarter of a minute.
async fn built(State(page): State<Page>, Json(built): Json<Built>) -> Response {
    let Some(pipeline) = page.demo.pipelines.iter().find(|known| known.0 == built.pipeline) else {
        return (StatusCode::NOT_FOUND, "no such pipeline").into_response();
    };
    page.bkci.start_build(timetable::flaky(pipeline));
    StatusCode::NO_CONTENT.into_response()
}

/// Whether BK-CI's callbacks arrive from now on; what is registered stays registered.
async fn called_back(State(page): State<Page>, Json(CalledBack { arrive }): Json<CalledBack>) -> StatusCode {
    page.bkci.order_callbacks(if arrive { Courier::Prompt } else { Courier::Loses });
    StatusCode::NO_CONTENT
}

/// What came of an act: the id of what it made.
fn told(done: Result<u64, Refused>) -> Response {
    match done {
        Ok(id) => Json(json!({ "id": id.to_string() })).into_response(),
        Err(why) => refused(why),
    }
}

fn refused(why: Refused) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, why.to_string()).into_response()
}
