//! Servers, their members and channels.

use serde_json::Value;

use super::{Answer, Call, Outcome};
use crate::discord::payload;
use crate::discord::permissions::VIEW_CHANNEL;
use crate::discord::refusal::Refusal;
use crate::discord::state::State;

/// The server of the path: 10004 when there is none, 50001 when the bot is not in it.
fn accessible(state: &State, call: &Call) -> Result<u64, Refusal> {
    let id = call.id("guild_id");
    if !state.guilds.contains_key(&id) {
        return Err(Refusal::unknown_guild());
    }
    if state.bot_is_in(id) { Ok(id) } else { Err(Refusal::missing_access()) }
}

pub(super) fn guild(state: &mut State, call: &Call) -> Outcome {
    let id = accessible(state, call)?;
    let guild = state.guilds.get(&id).ok_or_else(Refusal::unknown_guild)?;
    let mut data = payload::guild(guild);
    if call.flag("with_counts") {
        data["approximate_member_count"] = guild.members.len().into();
        data["approximate_presence_count"] = guild.members.len().into();
    }
    Ok(Answer::Json(200, data))
}

/// All channels of the server but its threads: the list does not depend on what the bot may see.
pub(super) fn channels(state: &mut State, call: &Call) -> Outcome {
    let id = accessible(state, call)?;
    let channels = state.channels.values().filter(|channel| channel.guild == Some(id) && channel.parent.is_none());
    Ok(Answer::Json(200, channels.map(|channel| payload::channel(state, channel)).collect()))
}

pub(super) fn roles(state: &mut State, call: &Call) -> Outcome {
    let id = accessible(state, call)?;
    let guild = state.guilds.get(&id).ok_or_else(Refusal::unknown_guild)?;
    let roles = guild.roles.values().enumerate();
    Ok(Answer::Json(200, roles.map(|(position, role)| payload::role(role, id, position)).collect::<Value>()))
}

pub(super) fn member(state: &mut State, call: &Call) -> Outcome {
    let id = accessible(state, call)?;
    let user = call.id("user_id");
    if !state.users.contains_key(&user) {
        return Err(Refusal::unknown_user());
    }
    payload::member(state, id, user).map(|member| Answer::Json(200, member)).ok_or_else(Refusal::unknown_member)
}

pub(super) fn channel(state: &mut State, call: &Call) -> Outcome {
    let id = call.id("channel_id");
    let channel = state.channels.get(&id).ok_or_else(Refusal::unknown_channel)?;
    if state.bot_permissions_in(id) & VIEW_CHANNEL == 0 {
        return Err(Refusal::missing_access());
    }
    Ok(Answer::Json(200, payload::channel(state, channel)))
}
