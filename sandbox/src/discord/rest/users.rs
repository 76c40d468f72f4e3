//! Users, the application, direct-message channels, and where the gateway is.

use serde_json::{Value, json};

use super::{Answer, Call, Outcome};
use crate::discord::ids;
use crate::discord::payload;
use crate::discord::refusal::{Refusal, form_error};
use crate::discord::state::{Channel, State};

pub(super) fn gateway(state: &mut State, _: &Call) -> Outcome {
    Ok(Answer::Json(200, json!({ "url": state.gateway_url })))
}

pub(super) fn gateway_bot(state: &mut State, _: &Call) -> Outcome {
    let remaining = state.gateway.identifies_left(state.now_ms());
    Ok(Answer::Json(
        200,
        json!({
            "url": state.gateway_url,
            "shards": 1,
            "session_start_limit": {
                "total": 1000, "remaining": remaining, "reset_after": 86_400_000, "max_concurrency": 1,
            },
        }),
    ))
}

pub(super) fn me(state: &mut State, _: &Call) -> Outcome {
    Ok(Answer::Json(200, payload::current_user(state)))
}

/// Servers per answer, at most and by default (`resources/user#get-current-user-guilds`).
const GUILDS_MAX: usize = 200;

pub(super) fn my_guilds(state: &mut State, call: &Call) -> Outcome {
    let limit = call.query("limit").map_or(Some(GUILDS_MAX), |limit| limit.parse().ok());
    let Some(limit) = limit.filter(|limit| (1..=GUILDS_MAX).contains(limit)) else {
        return Err(form_error("limit", "NUMBER_TYPE_MAX", "int value should be less than or equal to 200."));
    };
    let bound = |name: &str| call.query(name).and_then(ids::parse);
    let (before, after) = (bound("before"), bound("after"));
    let fits = |id: u64| before.is_none_or(|before| id < before) && after.is_none_or(|after| id > after);
    let mine = state.guilds.values().filter(|guild| guild.members.contains_key(&state.bot.user) && fits(guild.id));
    let guilds: Vec<Value> = mine
        .take(limit)
        .map(|guild| {
            json!({
                "id": guild.id.to_string(), "name": guild.name, "icon": null, "banner": null,
                "owner": guild.owner == state.bot.user, "features": [],
                "permissions": guild.permissions_of(state.bot.user).to_string(),
            })
        })
        .collect();
    Ok(Answer::Json(200, Value::Array(guilds)))
}

pub(super) fn user(state: &mut State, call: &Call) -> Outcome {
    let user = state.users.get(&call.id("user_id")).ok_or_else(Refusal::unknown_user)?;
    Ok(Answer::Json(200, payload::user(user)))
}

pub(super) fn application(state: &mut State, _: &Call) -> Outcome {
    Ok(Answer::Json(200, payload::application(state)))
}

/// The same channel each time (`discord-rules.md` 5). Whether it takes messages shows when one is sent.
pub(super) fn create_dm(state: &mut State, call: &Call) -> Outcome {
    let recipient = call.body["recipient_id"].as_str().and_then(ids::parse);
    let recipient =
        recipient.ok_or_else(|| form_error("recipient_id", "BASE_TYPE_REQUIRED", "This field is required"))?;
    if !state.users.contains_key(&recipient) {
        return Err(Refusal::unknown_user());
    }
    if state.users.get(&recipient).is_some_and(|user| user.bot) {
        return Err(Refusal::cannot_message_user());
    }
    let channel = dm_channel(state, recipient);
    Ok(Answer::Json(200, payload::channel(state, &channel)))
}

/// The direct messages of the bot with `user`, made when there are none.
pub(in crate::discord) fn dm_channel(state: &mut State, user: u64) -> Channel {
    if let Some(found) = state.channels.values().find(|channel| channel.recipient == Some(user)) {
        return found.clone();
    }
    let id = state.ids.next();
    let (name, recipient, overwrites) = (String::new(), Some(user), Vec::new());
    let channel = Channel { id, guild: None, name, recipient, overwrites, parent: None };
    state.channels.insert(id, channel.clone());
    channel
}
