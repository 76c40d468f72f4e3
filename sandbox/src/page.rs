//! The chat page: shows what both doubles hold, and lets a person type. For this machine only.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bkci::BkCi;
use crate::demo::Demo;
use crate::discord::{Discord, Typing};

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

#[derive(Deserialize)]
struct Typed {
    user: String,
    command: String,
    locale: String,
    options: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Pressed {
    user: String,
    message: String,
    custom_id: String,
}

/// Builds the page's router.
pub fn router(page: Page) -> Router {
    let file = |kind: &'static str, text: &'static str| get(async move || ([(header::CONTENT_TYPE, kind)], text));
    Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("../page/index.html")))
        .route("/style.css", file("text/css; charset=utf-8", include_str!("../page/style.css")))
        .route("/chat.js", file("text/javascript; charset=utf-8", include_str!("../page/chat.js")))
        .route("/state", get(state))
        .route("/type", post(typed))
        .route("/press", post(pressed))
        .with_state(page)
}

async fn state(State(page): State<Page>) -> Json<Value> {
    let people = json!({
        page.demo.developer.to_string(): "a mapped developer",
        page.demo.newcomer.to_string(): "not mapped",
        page.demo.administrator.to_string(): "an administrator",
    });
    Json(json!({"discord": page.discord.snapshot(), "bkci": page.bkci.snapshot(), "people": people}))
}

async fn typed(State(page): State<Page>, Json(typed): Json<Typed>) -> impl IntoResponse {
    let Ok(user) = typed.user.parse() else { return (StatusCode::BAD_REQUEST, "no such person".to_owned()) };
    let typing = Typing::new(user, page.demo.channel, &typed.command).locale(&typed.locale);
    let typing = typed.options.into_iter().fold(typing, |typing, (name, value)| typing.option(&name, value));
    told(page.discord.type_command(typing).map(|_| ()).map_err(|refused| format!("{refused:?}")))
}

async fn pressed(State(page): State<Page>, Json(pressed): Json<Pressed>) -> impl IntoResponse {
    let (Ok(user), Ok(message)) = (pressed.user.parse(), pressed.message.parse()) else {
        return (StatusCode::BAD_REQUEST, "no such message".to_owned());
    };
    let done = page.discord.press(user, message, &pressed.custom_id);
    told(done.map(|_| ()).map_err(|refused| format!("{refused:?}")))
}

fn told(done: Result<(), String>) -> (StatusCode, String) {
    match done {
        Ok(()) => (StatusCode::OK, String::new()),
        Err(refused) => (StatusCode::UNPROCESSABLE_ENTITY, refused),
    }
}
