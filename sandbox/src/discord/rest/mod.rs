//! The REST interface: how a request is received, judged and answered. What each route does stands in its own file.
//!
//! Order, as at Discord's: ban, User-Agent, authorisation, rate limits, content type and JSON, form, then the route.

mod commands;
mod guilds;
mod interactions;
pub(super) mod messages;
mod multipart;
pub(super) mod users;
mod webhooks;

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use percent_encoding::percent_decode_str;
use serde_json::Value;

pub(super) use self::interactions::{ANSWER_MS, TOKEN_MS, respond};
pub(super) use self::multipart::File;
use super::Discord;
use super::faults::{Effect, strike};
use super::limits::{ELSEWHERE, MESSAGES, RateScope, Size, TooMany};
use super::refusal::{Form, Refusal};
use super::state::{RequestRecord, State, TOKEN_PREFIX};
use crate::wire::Cut;

/// The largest request (`discord-rules.md` 4): 25 MiB.
const MAX_REQUEST_BYTES: usize = 25 * 1024 * 1024;

/// Parameters of a path: name and value.
type Params = Vec<(&'static str, String)>;

/// A request, read.
pub(super) struct Call {
    pub body: Value,
    pub files: Vec<File>,
    params: Params,
    query: Vec<(String, String)>,
    route: &'static str,
}

impl Call {
    /// A path parameter as text.
    pub fn text(&self, name: &str) -> &str {
        self.params.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    /// A path parameter as an id; 0, which nothing has, when it is none.
    pub fn id(&self, name: &str) -> u64 {
        super::ids::parse(self.text(name)).unwrap_or(0)
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Booleans in queries: true, True, 1 (`discord-rules.md` 6).
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.query(name), Some("true" | "True" | "1"))
    }

    /// Whether the route is that of one server.
    pub fn in_guild(&self) -> bool {
        self.route.contains("{guild_id}")
    }
}

/// A successful answer.
pub(super) enum Answer {
    Json(u16, Value),
    NoContent,
}

type Outcome = Result<Answer, Refusal>;

/// Who may call a route.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Auth {
    /// The bot's token is needed.
    Bot,
    /// None is needed: the path holds a token, or there is nothing to protect.
    None,
}

/// One entry of the table.
struct Route {
    method: &'static str,
    template: &'static str,
    auth: Auth,
    bucket: Size,
    form: fn(&Call, &mut Form),
    handle: fn(&mut State, &Call) -> Outcome,
}

fn nothing(_: &Call, _: &mut Form) {}

const fn route(method: &'static str, template: &'static str, handle: fn(&mut State, &Call) -> Outcome) -> Route {
    Route { method, template, auth: Auth::Bot, bucket: ELSEWHERE, form: nothing, handle }
}

impl Route {
    const fn open(mut self) -> Self {
        self.auth = Auth::None;
        self
    }
    const fn form(mut self, form: fn(&Call, &mut Form)) -> Self {
        self.form = form;
        self
    }
    const fn bucket(mut self, bucket: Size) -> Self {
        self.bucket = bucket;
        self
    }

    /// Interaction endpoints are not bound to the global limit (`discord-rules.md` 1).
    fn is_globally_limited(&self) -> bool {
        !self.template.starts_with("/interactions") && !self.template.starts_with("/webhooks")
    }

    fn takes_body(&self) -> bool {
        matches!(self.method, "POST" | "PUT" | "PATCH")
    }

    /// The path's parameters, if it fits.
    fn fit(&self, path: &str) -> Option<Params> {
        let (mut wanted, mut given) = (self.template.split('/'), path.split('/'));
        let mut params = Vec::new();
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return Some(params),
                (Some(name), Some(value)) if name.starts_with('{') => {
                    let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
                    params.push((name.trim_matches(['{', '}']), value));
                }
                (Some(word), Some(value)) if word == value || (word == "@original" && value == "%40original") => {}
                _ => return None,
            }
        }
    }
}

const ROUTES: &[Route] = &[
    route("GET", "/gateway", users::gateway).open(),
    route("GET", "/gateway/bot", users::gateway_bot),
    route("GET", "/users/@me", users::me),
    route("GET", "/users/@me/guilds", users::my_guilds),
    route("POST", "/users/@me/channels", users::create_dm),
    route("GET", "/users/{user_id}", users::user),
    route("GET", "/applications/@me", users::application),
    route("GET", "/oauth2/applications/@me", users::application),
    route("GET", "/guilds/{guild_id}", guilds::guild),
    route("GET", "/guilds/{guild_id}/channels", guilds::channels),
    route("GET", "/guilds/{guild_id}/roles", guilds::roles),
    route("GET", "/guilds/{guild_id}/members/{user_id}", guilds::member),
    route("GET", "/channels/{channel_id}", guilds::channel),
    route("GET", "/channels/{channel_id}/messages", messages::list),
    route("POST", "/channels/{channel_id}/messages", messages::create).form(messages::create_form).bucket(MESSAGES),
    route("GET", "/channels/{channel_id}/messages/{message_id}", messages::get),
    route("PATCH", "/channels/{channel_id}/messages/{message_id}", messages::edit)
        .form(messages::edit_form)
        .bucket(MESSAGES),
    route("DELETE", "/channels/{channel_id}/messages/{message_id}", messages::delete).bucket(MESSAGES),
    route("GET", "/applications/{application_id}/commands", commands::list),
    route("PUT", "/applications/{application_id}/commands", commands::replace).form(commands::list_form),
    route("POST", "/applications/{application_id}/commands", commands::create).form(commands::one_form),
    route("GET", "/applications/{application_id}/commands/{command_id}", commands::get),
    route("PATCH", "/applications/{application_id}/commands/{command_id}", commands::edit),
    route("DELETE", "/applications/{application_id}/commands/{command_id}", commands::delete),
    route("GET", "/applications/{application_id}/guilds/{guild_id}/commands", commands::list),
    route("PUT", "/applications/{application_id}/guilds/{guild_id}/commands", commands::replace)
        .form(commands::list_form),
    route("POST", "/applications/{application_id}/guilds/{guild_id}/commands", commands::create)
        .form(commands::one_form),
    route("GET", "/applications/{application_id}/guilds/{guild_id}/commands/{command_id}", commands::get),
    route("PATCH", "/applications/{application_id}/guilds/{guild_id}/commands/{command_id}", commands::edit),
    route("DELETE", "/applications/{application_id}/guilds/{guild_id}/commands/{command_id}", commands::delete),
    route("POST", "/interactions/{interaction_id}/{interaction_token}/callback", interactions::callback)
        .form(interactions::callback_form)
        .open(),
    route("POST", "/webhooks/{webhook_id}/{webhook_token}", webhooks::follow_up)
        .form(webhooks::followup_form)
        .bucket(MESSAGES)
        .open(),
    route("GET", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", webhooks::get).bucket(MESSAGES).open(),
    route("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", webhooks::edit)
        .form(messages::edit_form)
        .bucket(MESSAGES)
        .open(),
    route("DELETE", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", webhooks::delete)
        .bucket(MESSAGES)
        .open(),
    route("GET", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", webhooks::get).bucket(MESSAGES).open(),
    route("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", webhooks::edit)
        .form(messages::edit_form)
        .bucket(MESSAGES)
        .open(),
    route("DELETE", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", webhooks::delete)
        .bucket(MESSAGES)
        .open(),
];

/// What is sent back, before it is a response.
struct Reply {
    status: u16,
    headers: HeaderMap,
    content_type: &'static str,
    body: Vec<u8>,
    scope: Option<RateScope>,
}

impl Reply {
    fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            content_type: "application/json",
            body: body.to_string().into_bytes(),
            scope: None,
        }
    }

    fn too_many(too_many: &TooMany, mut headers: HeaderMap) -> Self {
        too_many.headers(&mut headers);
        Self { headers, scope: Some(too_many.scope), ..Self::json(429, &too_many.body()) }
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = axum::http::StatusCode::from_u16(self.status).unwrap_or_default();
        *response.headers_mut() = self.headers;
        if self.status != 204 {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        response
    }
}

/// Answers one request.
pub(super) async fn serve(discord: Discord, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if parts.uri.path().starts_with("/attachments/") {
        return serve_file(&discord, &parts);
    }
    let Ok(bytes) = axum::body::to_bytes(body, MAX_REQUEST_BYTES).await else {
        return Reply::json(413, &Refusal::too_large().body()).into_response();
    };
    // What was received is carried out even when the client hangs up meanwhile, as a real server would.
    let carried_out = tokio::spawn(carry_out(discord, parts, bytes)).await;
    carried_out.ok().flatten().map_or_else(Cut::response, Reply::into_response)
}

/// Records the request, carries it out, and records how; `None` closes the connection.
async fn carry_out(discord: Discord, parts: Parts, bytes: Bytes) -> Option<Reply> {
    let record = describe(&discord, &parts, &bytes);
    let (index, effect) = discord.change(|state| {
        let effect = strike(&mut state.faults, &record);
        state.requests.push(record);
        (state.requests.len() - 1, effect)
    });
    let reply = answer_under(&discord, effect, &parts, &bytes).await?;
    discord.change(|state| {
        let now_ms = state.now_ms();
        state.limits.answered(now_ms, reply.status, reply.scope);
        if let Some(record) = state.requests.get_mut(index) {
            record.status = Some(reply.status);
        }
    });
    Some(reply)
}

/// Carries the request out as far as the ordered fault lets it; `None` closes the connection.
async fn answer_under(discord: &Discord, effect: Option<Effect>, parts: &Parts, bytes: &Bytes) -> Option<Reply> {
    let act = || discord.change_with(|state, document| answer(state, document, parts, bytes));
    match effect {
        None => Some(act()),
        Some(Effect::Answer { status, content_type, body }) => {
            let html = content_type.starts_with("text/html");
            let content_type = if html { "text/html" } else { "application/json" };
            Some(Reply { content_type, body: body.into_bytes(), ..Reply::json(status, &Value::Null) })
        }
        Some(Effect::RateLimited { scope, retry_after_s }) => {
            Some(Reply::too_many(&TooMany { scope, retry_after_s }, HeaderMap::new()))
        }
        Some(Effect::LoseRequest) => None,
        Some(Effect::LoseAnswer) => {
            act();
            None
        }
        Some(Effect::DelayRequest(wait)) => {
            pass(discord, wait).await;
            Some(act())
        }
        Some(Effect::DelayAnswer(wait)) => {
            let reply = act();
            pass(discord, wait).await;
            Some(reply)
        }
        Some(Effect::HoldRequest(gate)) => {
            gate.pass().await;
            Some(act())
        }
        Some(Effect::HoldAnswer(gate)) => {
            let reply = act();
            gate.pass().await;
            Some(reply)
        }
        Some(Effect::AlterAnswer(alteration)) => {
            let reply = act();
            let mut body = serde_json::from_slice(&reply.body).unwrap_or_default();
            (alteration.0)(&mut body);
            Some(Reply { body: body.to_string().into_bytes(), ..reply })
        }
    }
}

async fn pass(discord: &Discord, wait: Duration) {
    let clock = discord.clock();
    clock.until(clock.now_ms() + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2)).await;
}

/// The path below the version, or nothing where there is no API.
fn api_path(parts: &Parts) -> Option<&str> {
    let path = parts.uri.path();
    let below = path.strip_prefix("/api/v10").or_else(|| path.strip_prefix("/api"))?;
    below.starts_with('/').then_some(below)
}

fn find(method: &str, path: &str) -> Result<(&'static Route, Params), Refusal> {
    let mut known = false;
    for route in ROUTES {
        if let Some(params) = route.fit(path) {
            if route.method == method {
                return Ok((route, params));
            }
            known = true;
        }
    }
    Err(if known { Refusal::wrong_method() } else { Refusal::unknown_route() })
}

fn describe(discord: &Discord, parts: &Parts, bytes: &Bytes) -> RequestRecord {
    let route =
        api_path(parts).and_then(|path| find(parts.method.as_str(), path).ok()).map_or("", |found| found.0.template);
    let body = multipart::read(content_type(parts), bytes).map(|(body, _)| body).unwrap_or_default();
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    RequestRecord {
        method: parts.method.to_string(),
        path: path.strip_prefix("/api/v10").unwrap_or(path).to_owned(),
        route,
        body,
        status: None,
        at_ms: discord.clock().now_ms(),
    }
}

fn content_type(parts: &Parts) -> &str {
    parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Judges and carries out a request.
fn answer(state: &mut State, document: Option<&super::schema::Document>, parts: &Parts, bytes: &Bytes) -> Reply {
    let now_ms = state.now_ms();
    if state.limits.banned(now_ms) {
        // Cloudflare's page, not the API (`discord-rules.md` 6).
        return Reply {
            content_type: "text/html",
            body: b"error code: 1015".to_vec(),
            ..Reply::json(429, &Value::Null)
        };
    }
    let mut headers = HeaderMap::new();
    match judged(state, document, parts, bytes, &mut headers) {
        Ok(Answer::Json(status, body)) => Reply { headers, ..Reply::json(status, &body) },
        Ok(Answer::NoContent) => Reply { headers, status: 204, body: Vec::new(), ..Reply::json(204, &Value::Null) },
        Err(No::TooMany(too_many)) => Reply::too_many(&too_many, headers),
        Err(No::Refused(refusal, why)) => {
            if refusal.violation {
                let route = api_path(parts).and_then(|path| find(parts.method.as_str(), path).ok());
                let place = route.map_or_else(|| without_tokens(parts.uri.path()), |found| found.0.template.to_owned());
                state.violated(format!("{} {place}: {} ({}) {why}", parts.method, refusal.message, refusal.code));
            }
            Reply { headers, ..Reply::json(refusal.status, &refusal.body()) }
        }
    }
}

/// A path that no template stands for, without the interaction tokens that may be in it.
fn without_tokens(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.starts_with(TOKEN_PREFIX) { "{token}" } else { segment });
    segments.collect::<Vec<&str>>().join("/")
}

/// Why a request is not carried out.
enum No {
    Refused(Refusal, String),
    TooMany(TooMany),
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        let why = refusal.errors.as_ref().map(Value::to_string).unwrap_or_default();
        Self::Refused(refusal, why)
    }
}

impl From<TooMany> for No {
    fn from(too_many: TooMany) -> Self {
        Self::TooMany(too_many)
    }
}

fn judged(
    state: &mut State,
    document: Option<&super::schema::Document>,
    parts: &Parts,
    bytes: &Bytes,
    headers: &mut HeaderMap,
) -> Result<Answer, No> {
    let now_ms = state.now_ms();
    let path = api_path(parts).ok_or_else(Refusal::unknown_route)?;
    let header = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if !header(USER_AGENT).is_some_and(|agent| agent.starts_with("DiscordBot (")) {
        return Err(Refusal::no_user_agent().into());
    }
    let (route, params) = find(parts.method.as_str(), path)?;
    let token = format!("Bot {}", state.bot.token);
    if route.auth == Auth::Bot && header(AUTHORIZATION) != Some(token.as_str()) {
        return Err(Refusal::unauthorized().into());
    }
    if route.is_globally_limited() {
        state.limits.globally(now_ms)?;
    }
    // Buckets are shared by template and top-level resource: channel, guild, webhook with token (`discord-rules.md` 6).
    let major = |(name, _): &&(&str, String)| match *name {
        "channel_id" | "guild_id" | "webhook_id" | "webhook_token" => true,
        // Nothing is said of interactions' own; each is a resource here.
        name => name.starts_with("interaction"),
    };
    let major: Vec<&str> = params.iter().filter(major).map(|(_, value)| value.as_str()).collect();
    let bucket = format!("{} {} {}", route.method, route.template, major.join("/"));
    state.limits.in_bucket(now_ms, &bucket, route.bucket, headers)?;

    let query = parts.uri.query().map(read_query).unwrap_or_default();
    let mut call = Call { body: Value::Null, files: Vec::new(), params, query, route: route.template };
    check_ids(&call)?;
    if route.takes_body() {
        if bytes.is_empty() {
            return Err(Refusal::invalid_json().into());
        }
        (call.body, call.files) = multipart::read(content_type(parts), bytes)?;
        let mut form = Form::default();
        (route.form)(&call, &mut form);
        if form.is_clean()
            && let Some(document) = document
        {
            document.check(route.method, route.template, &call.body, &mut form);
        }
        form.into_result()?;
    }
    Ok((route.handle)(state, &call)?)
}

/// Ids in the path are snowflakes.
fn check_ids(call: &Call) -> Result<(), Refusal> {
    let mut form = Form::default();
    for (name, value) in call.params.iter().filter(|(name, _)| name.ends_with("_id")) {
        if value.parse::<u64>().is_err() {
            form.fault(name, "NUMBER_TYPE_COERCE", format!("Value \"{value}\" is not snowflake."));
        }
    }
    form.into_result()
}

fn read_query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

/// Discord's file host. Clients must not send it their token.
fn serve_file(discord: &Discord, parts: &Parts) -> Response {
    let id = parts.uri.path().split('/').nth(3).and_then(super::ids::parse).unwrap_or(0);
    discord.change(|state| {
        if parts.headers.contains_key(AUTHORIZATION) {
            state.violated("a request to cdn.discordapp.com carried an Authorization header");
        }
        let Some(upload) = state.uploads.get(&id) else {
            return Reply { content_type: "text/plain", ..Reply::json(404, &Value::Null) }.into_response();
        };
        let mut response = Response::new(Body::from(upload.bytes.clone()));
        if let Ok(content_type) = HeaderValue::from_str(&upload.content_type) {
            response.headers_mut().insert(CONTENT_TYPE, content_type);
        }
        response
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_fit_paths() {
        let (route, params) = find("PATCH", "/webhooks/1/tok/messages/@original").expect("a route");
        assert_eq!(route.template, "/webhooks/{webhook_id}/{webhook_token}/messages/@original");
        assert_eq!(params, [("webhook_id", "1".to_owned()), ("webhook_token", "tok".to_owned())]);
        assert_eq!(find("POST", "/nowhere").err().expect("none").status, 404);
        assert_eq!(find("DELETE", "/gateway").err().expect("none").status, 405);
    }
}
