//! The objects as Discord writes them into answers and events (`resources/*`, `events/gateway-events`).

use serde_json::{Map, Value, json};

use super::ids::{self, iso8601};
use super::permissions::Target;
use super::state::{Channel, Guild, Message, Role, State, User};

/// `GATEWAY_MESSAGE_CONTENT_LIMITED` is what an application in few servers has when the intent is enabled; 0 here.
pub(super) const APPLICATION_FLAGS: u64 = 0;
/// A channel of type 11 (`resources/channel#channel-object-channel-types`).
const PUBLIC_THREAD: u8 = 11;
/// Default size limit of an attachment: 10 MiB (`discord-rules.md` 4).
pub(super) const ATTACHMENT_LIMIT: usize = 10 * 1024 * 1024;

pub(super) fn user(user: &User) -> Value {
    json!({
        "id": user.id.to_string(),
        // Only people's names are lower case (`resources/user`).
        "username": if user.bot { user.name.clone() } else { user.name.to_lowercase() },
        "discriminator": "0",
        "global_name": if user.bot { Value::Null } else { json!(user.name) },
        "avatar": null,
        "bot": user.bot,
        "system": false,
        "public_flags": 0,
        "flags": 0,
        "banner": null,
        "accent_color": null,
        "avatar_decoration_data": null,
        "collectibles": null,
        "primary_guild": null,
    })
}

fn user_by_id(state: &State, id: u64) -> Value {
    state.users.get(&id).map_or(Value::Null, user)
}

pub(super) fn current_user(state: &State) -> Value {
    let mut me = user_by_id(state, state.bot.user);
    me["mfa_enabled"] = json!(true);
    me["verified"] = json!(true);
    me["email"] = Value::Null;
    me["locale"] = json!("en-US");
    me
}

pub(super) fn application(state: &State) -> Value {
    let owner = state.users.values().find(|user| !user.bot).map_or(Value::Null, user);
    json!({
        "id": state.bot.application.to_string(),
        "name": state.users.get(&state.bot.user).map(|user| user.name.clone()),
        "icon": null,
        "description": "",
        "type": null,
        "bot": user_by_id(state, state.bot.user),
        "summary": "",
        "bot_public": false,
        "bot_require_code_grant": false,
        "is_monetized": false,
        "rpc_origins": [],
        "redirect_uris": [],
        "owner": owner,
        "team": null,
        "verify_key": state.bot.public_key(),
        "flags": APPLICATION_FLAGS,
        "flags_new": APPLICATION_FLAGS.to_string(),
        "explicit_content_filter": 0,
        "eligible_oauth2_scopes": ["bot", "applications.commands"],
        "approximate_user_authorization_count": 0,
        "interactions_endpoint_url": state.endpoint,
        "role_connections_verification_url": null,
        "integration_types_config": { "0": {} },
        "approximate_guild_count": state.guilds.len(),
        "approximate_user_install_count": 0,
    })
}

pub(super) fn role(role: &Role, guild: u64, position: usize) -> Value {
    json!({
        "id": role.id.to_string(),
        "name": role.name,
        "description": null,
        "permissions": role.permissions.to_string(),
        "position": if role.id == guild { 0 } else { position },
        "color": 0,
        "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null },
        "hoist": false,
        "managed": role.managed,
        "mentionable": role.mentionable,
        "icon": null,
        "unicode_emoji": null,
        "flags": 0,
    })
}

fn roles(guild: &Guild) -> Vec<Value> {
    guild.roles.values().enumerate().map(|(position, one)| role(one, guild.id, position)).collect()
}

/// A member, without permissions.
pub(super) fn member(state: &State, guild: u64, user: u64) -> Option<Value> {
    let found = state.guilds.get(&guild)?.members.get(&user)?;
    let roles: Vec<String> = found.roles.iter().map(u64::to_string).collect();
    Some(json!({
        "user": user_by_id(state, user),
        "nick": null,
        "avatar": null,
        "banner": null,
        "roles": roles,
        "joined_at": iso8601(found.joined_ms),
        "premium_since": null,
        "deaf": false,
        "mute": false,
        "flags": 0,
        "pending": false,
        "communication_disabled_until": null,
    }))
}

fn guild_owner(state: &State, guild: u64) -> String {
    state.guilds.get(&guild).map_or(0, |guild| guild.owner).to_string()
}

pub(super) fn channel(state: &State, channel: &Channel) -> Value {
    let last = state.messages.values().rev().find(|message| message.channel == channel.id).map(|message| message.id);
    let last_message_id = last.map(|id| id.to_string());
    let Some(guild) = channel.guild else {
        let recipients: Vec<Value> = channel.recipient.map(|user| user_by_id(state, user)).into_iter().collect();
        return json!({
            "id": channel.id.to_string(), "type": 1, "flags": 0, "last_message_id": last_message_id,
            "recipients": recipients,
        });
    };
    let overwrites: Vec<Value> = channel
        .overwrites
        .iter()
        .map(|one| {
            let (id, kind) = match one.target {
                Target::Role(id) => (id, 0),
                Target::Member(id) => (id, 1),
            };
            json!({ "id": id.to_string(), "type": kind, "allow": one.allow.to_string(), "deny": one.deny.to_string() })
        })
        .collect();
    if let Some(parent) = channel.parent {
        let made = iso8601(ids::made_ms(channel.id));
        return json!({
            "id": channel.id.to_string(), "type": PUBLIC_THREAD, "guild_id": guild.to_string(), "name": channel.name,
            "flags": 0, "parent_id": parent.to_string(), "owner_id": guild_owner(state, guild),
            "last_message_id": last_message_id, "rate_limit_per_user": 0, "last_pin_timestamp": null,
            "message_count": 0, "member_count": 1, "total_message_sent": 0,
            "thread_metadata": {
                "archived": false, "archive_timestamp": made, "auto_archive_duration": 4320, "locked": false,
                "create_timestamp": made,
            },
        });
    }
    json!({
        "id": channel.id.to_string(), "type": 0, "guild_id": guild.to_string(), "name": channel.name, "position": 0,
        "flags": 0, "parent_id": null, "topic": null, "nsfw": false, "rate_limit_per_user": 0,
        "last_message_id": last_message_id, "last_pin_timestamp": null, "permission_overwrites": overwrites,
    })
}

/// The channel inside an interaction: with the permissions of the person in it.
pub(super) fn partial_channel(state: &State, id: u64, user: u64) -> Value {
    let Some(found) = state.channels.get(&id) else { return Value::Null };
    let mut partial = channel(state, found);
    if let Some(partial) = partial.as_object_mut() {
        partial.remove("permission_overwrites");
        partial.insert("permissions".into(), json!(state.permissions_in(id, user).to_string()));
    }
    partial
}

pub(super) fn guild(guild: &Guild) -> Value {
    json!({
        "id": guild.id.to_string(), "name": guild.name, "icon": null, "icon_hash": null, "splash": null,
        "discovery_splash": null, "owner_id": guild.owner.to_string(), "region": "deprecated",
        "afk_channel_id": null, "afk_timeout": 300, "widget_enabled": false, "widget_channel_id": null,
        "verification_level": 0, "default_message_notifications": 0, "explicit_content_filter": 0,
        "roles": roles(guild), "emojis": [], "stickers": [], "features": [], "mfa_level": 0,
        "application_id": null, "system_channel_id": null, "system_channel_flags": 0, "rules_channel_id": null,
        "max_presences": null, "max_members": 500_000, "vanity_url_code": null, "description": null,
        "banner": null, "premium_tier": 0, "premium_subscription_count": 0,
        "preferred_locale": guild.preferred_locale, "public_updates_channel_id": null, "home_header": null,
        "max_video_channel_users": 25, "max_stage_video_channel_users": 50, "nsfw": false, "nsfw_level": 0,
        "premium_progress_bar_enabled": false, "safety_alerts_channel_id": null, "incidents_data": null,
    })
}

pub(super) fn guild_create(state: &State, id: u64) -> Option<Value> {
    let found = state.guilds.get(&id)?;
    let mut data = guild(found);
    let me = found.members.get(&state.bot.user)?;
    let own = state.channels.values().filter(|channel| channel.guild == Some(id));
    let (threads, channels): (Vec<&Channel>, Vec<&Channel>) = own.partition(|channel| channel.parent.is_some());
    let told = |channels: Vec<&Channel>| channels.into_iter().map(|one| channel(state, one)).collect::<Vec<_>>();
    // Without the members intent only the bot itself is in here (`events/gateway-events#guild-create`).
    let members: Vec<Value> = member(state, id, state.bot.user).into_iter().collect();
    let more = json!({
        "joined_at": iso8601(me.joined_ms), "large": false, "unavailable": false,
        "member_count": found.members.len(), "voice_states": [], "members": members,
        "channels": told(channels), "threads": told(threads), "presences": [], "stage_instances": [], "guild_scheduled_events": [], "soundboard_sounds": [],
    });
    if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more);
    }
    Some(data)
}

/// Components with the ids that Discord generates for those that came without one (`discord-rules.md` 4).
fn with_ids(components: &[Value]) -> Vec<Value> {
    fn number(value: &mut Value, next: &mut u64) {
        if let Some(component) = value.as_object_mut().filter(|component| component.contains_key("type")) {
            if component.get("id").and_then(Value::as_u64).unwrap_or(0) == 0 {
                *next += 1;
                component.insert("id".into(), json!(*next));
            }
            for key in ["components", "accessory", "component"] {
                match component.get_mut(key) {
                    Some(Value::Array(inner)) => inner.iter_mut().for_each(|one| number(one, next)),
                    Some(inner) => number(inner, next),
                    None => {}
                }
            }
        }
    }
    let mut components = components.to_vec();
    let mut next = 0;
    components.iter_mut().for_each(|one| number(one, &mut next));
    components
}

/// A message as REST answers it.
pub(super) fn message(state: &State, message: &Message) -> Value {
    let author = match &message.webhook {
        Some(name) => {
            json!({ "id": message.author.to_string(), "username": name, "discriminator": "0000", "avatar": null,
                "bot": true, "global_name": null, "public_flags": 0, "flags": 0 })
        }
        None => user_by_id(state, message.author),
    };
    let mentions: Vec<Value> = message.mentions.iter().map(|id| user_by_id(state, *id)).collect();
    let mention_roles: Vec<String> = message.mention_roles.iter().map(u64::to_string).collect();
    let mut data = json!({
        "id": message.id.to_string(),
        "channel_id": message.channel.to_string(),
        "type": message_type(message),
        "author": author,
        "content": message.content,
        "timestamp": iso8601(message.created_ms),
        "edited_timestamp": message.edited_ms.map(iso8601),
        "tts": false,
        "mention_everyone": message.mention_everyone,
        "mentions": mentions,
        "mention_roles": mention_roles,
        "attachments": message.attachments,
        "embeds": message.embeds,
        "components": with_ids(&message.components),
        "pinned": false,
        "flags": message.flags,
    });
    if let Some(nonce) = &message.nonce {
        data["nonce"] = json!(nonce);
    }
    if let Some(used) = &message.interaction {
        data["webhook_id"] = json!(state.bot.application.to_string());
        data["application_id"] = json!(state.bot.application.to_string());
        data["interaction_metadata"] = interaction_metadata(state, message);
        if used.kind == 2 {
            data["interaction"] = json!({
                "id": used.id.to_string(), "type": 2, "name": used.name, "user": user_by_id(state, used.user),
            });
        }
    } else if message.webhook.is_some() {
        data["webhook_id"] = json!(message.author.to_string());
    } else if message.author == state.bot.user {
        data["application_id"] = json!(state.bot.application.to_string());
    }
    if let Some(reply_to) = message.reply_to {
        data["message_reference"] =
            json!({ "type": 0, "channel_id": message.channel.to_string(), "message_id": reply_to.to_string() });
        let referenced = state.messages.get(&reply_to).filter(|referenced| referenced.reply_to.is_none());
        data["referenced_message"] = referenced.map_or(Value::Null, |referenced| self::message(state, referenced));
    }
    data
}

/// 0 DEFAULT, 19 REPLY, 20 CHAT_INPUT_COMMAND.
fn message_type(message: &Message) -> u8 {
    match (&message.interaction, message.reply_to) {
        (_, Some(_)) => 19,
        (Some(used), None) if used.kind == 2 => 20,
        _ => 0,
    }
}

fn interaction_metadata(state: &State, message: &Message) -> Value {
    let Some(used) = &message.interaction else { return Value::Null };
    let guild = state.channels.get(&message.channel).and_then(|channel| channel.guild).unwrap_or(0);
    let mut data = json!({
        "id": used.id.to_string(),
        "type": used.kind,
        "user": user_by_id(state, used.user),
        "authorizing_integration_owners": { "0": guild.to_string() },
    });
    let source = state.interactions.get(&used.id).and_then(|interaction| interaction.source);
    match used.kind {
        3 => data["interacted_message_id"] = json!(source.unwrap_or(message.id).to_string()),
        5 => {
            data["triggering_interaction_metadata"] = json!({
                "id": used.id.to_string(), "type": 2, "user": user_by_id(state, used.user),
                "authorizing_integration_owners": { "0": guild.to_string() },
            });
        }
        _ => data["name"] = json!(used.name),
    }
    data
}

/// A message as an event carries it: with the server and the author's membership.
pub(super) fn message_event(state: &State, id: u64) -> Option<Value> {
    let found = state.messages.get(&id)?;
    let mut data = message(state, found);
    if let Some(guild) = state.channels.get(&found.channel)?.guild {
        data["guild_id"] = json!(guild.to_string());
        if let Some(mut member) = member(state, guild, found.author) {
            member.as_object_mut()?.remove("user");
            data["member"] = member;
        }
    }
    let channel = state.channels.get(&found.channel)?;
    data["channel_type"] =
        json!(if channel.parent.is_some() { PUBLIC_THREAD } else { u8::from(channel.guild.is_none()) });
    Some(data)
}

/// The same without what needs the message-content intent (`discord-rules.md` 7).
pub(super) fn emptied(message: &Value) -> Value {
    let mut message = message.clone();
    message["content"] = json!("");
    for key in ["embeds", "attachments", "components"] {
        message[key] = json!([]);
    }
    if let Some(message) = message.as_object_mut() {
        message.remove("poll");
    }
    message
}

/// A value without its nulls: how Discord stores what clients write as `null` or leave out.
pub(super) fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept: Map<String, Value> = map
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect();
            Value::Object(kept)
        }
        Value::Array(list) => Value::Array(list.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}
