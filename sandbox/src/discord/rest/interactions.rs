//! The initial response to an interaction (`discord-rules.md` 1), over REST or inside the answer to a signed POST.

use serde_json::{Value, json};

use super::messages::{self, Draft};
use super::{Answer, Call, Outcome};
use crate::discord::payload;
use crate::discord::refusal::{Form, Refusal, form_error};
use crate::discord::rules;
use crate::discord::schema::second_opinion_on_message;
use crate::discord::state::{Acknowledged, EPHEMERAL, LOADING, State, Used};

/// The initial response must come within this time (`discord-rules.md` 1).
pub(in crate::discord) const ANSWER_MS: i64 = 3_000;
/// Life of an interaction's token (`discord-rules.md` 1).
pub(in crate::discord) const TOKEN_MS: i64 = 15 * 60 * 1_000;

/// Which callback types an interaction may be answered with (the table of `discord-rules.md` 1). 12 needs an Activity,
/// which this application has not.
fn allowed(kind: u8, from_component: bool) -> &'static [u8] {
    match (kind, from_component) {
        (1, _) => &[1],
        (2, _) => &[4, 5, 9],
        (3, _) => &[4, 5, 6, 7, 9],
        (4, _) => &[8],
        (5, true) => &[4, 5, 6, 7],
        _ => &[4, 5],
    }
}

pub(super) fn callback_form(call: &Call, form: &mut Form) {
    check_form(call, form);
}

fn check_form(call: &Call, form: &mut Form) {
    let data = &call.body["data"];
    match call.body["type"].as_u64() {
        Some(4 | 7) => {
            rules::messages::check(data, &call.files, "data", form);
            rules::messages::check_answer_flags(data, "data", form);
            if form.is_clean() {
                second_opinion_on_message(data, "data", form);
            }
        }
        // Only EPHEMERAL counts in a deferral; other fields are ignored (`discord-rules.md` 1).
        Some(1 | 5 | 6) => {}
        Some(8) => rules::modals::check_choices(data, "data", form),
        Some(9) => rules::modals::check(data, "data", form),
        Some(_) => form.fault("type", "BASE_TYPE_CHOICES", "Value must be one of {1, 4, 5, 6, 7, 8, 9}."),
        None => form.required("type"),
    }
}

pub(super) fn callback(state: &mut State, call: &Call) -> Outcome {
    let id = call.id("interaction_id");
    let known = state.interactions.get(&id).is_some_and(|found| found.token == call.text("interaction_token"));
    if !known {
        return Err(Refusal::unknown_interaction());
    }
    acknowledge(state, id, call, false)?;
    if !call.flag("with_response") {
        return Ok(Answer::NoContent);
    }
    Ok(Answer::Json(200, callback_response(state, id)))
}

/// Answers an interaction with the body of the bot's HTTP answer.
pub(in crate::discord) fn respond(state: &mut State, id: u64, body: Value) -> Result<(), Refusal> {
    let call = Call {
        body,
        files: Vec::new(),
        params: Vec::new(),
        query: Vec::new(),
        route: "/interactions/{interaction_id}/{interaction_token}/callback",
    };
    let mut form = Form::default();
    check_form(&call, &mut form);
    form.into_result()?;
    acknowledge(state, id, &call, true)
}

/// The rules of the initial response: in time, once, of a type that fits.
fn acknowledge(state: &mut State, id: u64, call: &Call, inline: bool) -> Result<(), Refusal> {
    let now_ms = state.now_ms();
    let interaction = state.interactions.get(&id).ok_or_else(Refusal::unknown_interaction)?;
    let (kind, source) = (interaction.seen.kind, interaction.source);
    if interaction.seen.acknowledged.is_some() {
        let alive = now_ms < interaction.seen.created_ms + TOKEN_MS;
        return Err(if alive { Refusal::already_acknowledged() } else { Refusal::unknown_interaction() });
    }
    if interaction.seen.failed.is_some() || now_ms >= interaction.seen.created_ms + ANSWER_MS {
        return Err(Refusal::unknown_interaction());
    }
    let callback = call.body["type"].as_u64().and_then(|number| u8::try_from(number).ok()).unwrap_or(0);
    let may = allowed(kind, source.is_some());
    if !may.contains(&callback) {
        return Err(form_error("type", "BASE_TYPE_CHOICES", &format!("Value must be one of {may:?}.")));
    }
    let private = carry_out(state, id, callback, call)?;
    if let Some(interaction) = state.interactions.get_mut(&id) {
        interaction.seen.acknowledged = Some(Acknowledged { at_ms: now_ms, callback, inline, private });
    }
    Ok(())
}

/// Does what the callback says; returns whether the answer is private.
fn carry_out(state: &mut State, id: u64, callback: u8, call: &Call) -> Result<bool, Refusal> {
    let data = &call.body["data"];
    let Some(interaction) = state.interactions.get_mut(&id) else { return Err(Refusal::unknown_interaction()) };
    let source = interaction.source;
    match callback {
        4 | 5 => {
            let private = data["flags"].as_u64().unwrap_or(0) & EPHEMERAL != 0;
            let flags = if callback == 5 { LOADING } else { 0 };
            let message = answer_message(state, id, call, data, private, flags)?;
            remember_answer(state, id, message);
            Ok(private)
        }
        6 | 7 => {
            let source = source.ok_or_else(Refusal::unknown_message)?;
            if callback == 7 {
                messages::change(state, source, call, data, false)?;
            }
            remember_answer(state, id, source);
            Ok(state.messages.get(&source).is_some_and(|message| message.viewer.is_some()))
        }
        8 => {
            interaction.seen.choices = data["choices"].as_array().cloned();
            Ok(true)
        }
        _ => {
            interaction.seen.modal = (callback == 9).then(|| data.clone());
            Ok(true)
        }
    }
}

fn remember_answer(state: &mut State, id: u64, message: u64) {
    if let Some(interaction) = state.interactions.get_mut(&id) {
        interaction.seen.answer = Some(message);
    }
}

/// Makes the message that answers an interaction, or follows up on it.
pub(super) fn answer_message(
    state: &mut State,
    id: u64,
    call: &Call,
    body: &Value,
    private: bool,
    flags: u64,
) -> Result<u64, Refusal> {
    let seen = &state.interactions.get(&id).ok_or_else(Refusal::unknown_interaction)?.seen;
    let used = Used { id, kind: seen.kind, user: seen.user, name: seen.name.clone() };
    let (channel, user) = (seen.channel, seen.user);
    let mut draft = Draft::of_bot(state, channel);
    draft.interaction = Some(used);
    draft.viewer = private.then_some(user);
    draft.flags = flags | if private { EPHEMERAL } else { 0 };
    messages::post(state, draft, call, body, false)
}

/// The callback object of `with_response=true`.
fn callback_response(state: &State, id: u64) -> Value {
    let Some(interaction) = state.interactions.get(&id) else { return Value::Null };
    let seen = &interaction.seen;
    let callback = seen.acknowledged.map_or(0, |acknowledged| acknowledged.callback);
    let message = seen.answer.and_then(|id| state.messages.get(&id));
    let mut response = json!({
        "interaction": {
            "id": id.to_string(),
            "type": seen.kind,
            "response_message_id": message.map(|message| message.id.to_string()),
            "response_message_loading": message.is_some_and(|message| message.thinking()),
            "response_message_ephemeral": message.is_some_and(|message| message.ephemeral()),
            "channel_id": seen.channel.to_string(),
            "guild_id": seen.guild.map(|guild| guild.to_string()),
        },
    });
    if let (Some(message), 4 | 5 | 7) = (message, callback) {
        response["resource"] = json!({ "type": callback, "message": payload::message(state, message) });
    }
    response["interaction"] = payload::without_nulls(&response["interaction"]);
    response
}
