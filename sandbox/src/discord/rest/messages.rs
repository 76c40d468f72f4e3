//! Messages of channels: reading, posting, editing and deleting with the bot's token (`discord-rules.md` 4 and 5).

use serde_json::{Value, json};

use super::{Answer, Call, Outcome};
use crate::discord::payload::{self, without_nulls};
use crate::discord::permissions::{
    ATTACH_FILES, EMBED_LINKS, MANAGE_MESSAGES, MENTION_EVERYONE, READ_MESSAGE_HISTORY, SEND_MESSAGES, VIEW_CHANNEL,
};
use crate::discord::refusal::{Form, Refusal, form_error};
use crate::discord::rules;
use crate::discord::schema::second_opinion_on_message;
use crate::discord::state::{COMPONENTS_V2, Channel, LOADING, Message, Pinged, State, Upload, Used};
use crate::discord::{gateway, ids};

/// "A few minutes" (`discord-rules.md` 4): how long a nonce de-duplicates. Ours: three minutes.
const NONCE_MS: i64 = 3 * 60 * 1_000;
/// Messages per list request (`resources/message#get-channel-messages`): at most, and by default.
const LIST_MAX: usize = 100;
const LIST_DEFAULT: usize = 50;

pub(super) fn create_form(call: &Call, form: &mut Form) {
    rules::messages::check_create(call, form);
    if form.is_clean() {
        second_opinion_on_message(&call.body, "", form);
    }
}

pub(super) fn edit_form(call: &Call, form: &mut Form) {
    rules::messages::check_edit(call, form);
    if form.is_clean() {
        second_opinion_on_message(&call.body, "", form);
    }
}

/// The channel of the path, if the bot sees it: 10003, 50001 (`discord-rules.md` 5).
fn visible_channel(state: &State, call: &Call) -> Result<u64, Refusal> {
    let id = call.id("channel_id");
    if !state.channels.contains_key(&id) {
        return Err(Refusal::unknown_channel());
    }
    if state.bot_permissions_in(id) & VIEW_CHANNEL == 0 { Err(Refusal::missing_access()) } else { Ok(id) }
}

/// The message of the path. A private one does not exist for this route (`discord-rules.md` 1).
fn visible_message(state: &State, call: &Call) -> Result<u64, Refusal> {
    let channel = visible_channel(state, call)?;
    let id = call.id("message_id");
    let shown = state.messages.get(&id).is_some_and(|message| message.channel == channel && message.viewer.is_none());
    if shown { Ok(id) } else { Err(Refusal::unknown_message()) }
}

/// One message as this route answers it.
pub(super) fn answered(state: &State, id: u64) -> Outcome {
    let message = state.messages.get(&id).ok_or_else(Refusal::unknown_message)?;
    Ok(Answer::Json(200, payload::message(state, message)))
}

pub(super) fn get(state: &mut State, call: &Call) -> Outcome {
    let id = visible_message(state, call)?;
    if state.bot_permissions_in(call.id("channel_id")) & READ_MESSAGE_HISTORY == 0 {
        return Err(Refusal::missing_permissions());
    }
    answered(state, id)
}

/// Newest first. Without the history permission the list is empty.
pub(super) fn list(state: &mut State, call: &Call) -> Outcome {
    let channel = visible_channel(state, call)?;
    let limit = call.query("limit").map_or(Some(LIST_DEFAULT), |limit| limit.parse().ok());
    let Some(limit) = limit.filter(|limit| (1..=LIST_MAX).contains(limit)) else {
        return Err(form_error("limit", "NUMBER_TYPE_MAX", "int value should be less than or equal to 100."));
    };
    if state.bot_permissions_in(channel) & READ_MESSAGE_HISTORY == 0 {
        return Ok(Answer::Json(200, json!([])));
    }
    let bound = |name: &str| call.query(name).and_then(ids::parse);
    let (before, after) = (bound("before"), bound("after"));
    let fits = |message: &&Message| {
        message.channel == channel
            && message.viewer.is_none()
            && before.is_none_or(|before| message.id < before)
            && after.is_none_or(|after| message.id > after)
    };
    let mut found: Vec<&Message> = state.messages.values().filter(fits).collect();
    if after.is_some() && before.is_none() {
        // After a message: the ones next to it.
        found.truncate(limit);
    }
    let newest = found.iter().rev().take(limit);
    Ok(Answer::Json(200, newest.map(|message| payload::message(state, message)).collect()))
}

pub(super) fn create(state: &mut State, call: &Call) -> Outcome {
    let channel = visible_channel(state, call)?;
    may_post(state, channel, call)?;
    let nonce = match &call.body["nonce"] {
        Value::String(nonce) => Some(nonce.clone()),
        Value::Number(nonce) => Some(nonce.to_string()),
        _ => None,
    };
    let now_ms = state.now_ms();
    let enforced = nonce.clone().filter(|_| call.body["enforce_nonce"] == true);
    if let Some(nonce) = &enforced
        && let Some((earlier, until_ms)) = state.nonces.get(&(channel, nonce.clone()))
        && now_ms < *until_ms
    {
        let earlier = *earlier;
        return answered(state, earlier);
    }
    let reply_to = referenced(state, channel, &call.body["message_reference"])?;
    let mut draft = Draft::of_bot(state, channel);
    draft.nonce = nonce;
    draft.reply_to = reply_to;
    let id = post(state, draft, call, &call.body, true)?;
    if let Some(nonce) = enforced {
        state.nonces.insert((channel, nonce), (id, now_ms + NONCE_MS));
    }
    answered(state, id)
}

/// Permissions to post (`discord-rules.md` 5), and whether a person takes direct messages.
fn may_post(state: &State, channel: u64, call: &Call) -> Result<(), Refusal> {
    if let Some(recipient) = state.channels.get(&channel).and_then(|channel| channel.recipient) {
        let shared = state
            .guilds
            .values()
            .any(|guild| guild.members.contains_key(&recipient) && guild.members.contains_key(&state.bot.user));
        let closed = state.users.get(&recipient).is_some_and(|user| user.closed_dms);
        return if shared && !closed { Ok(()) } else { Err(Refusal::cannot_message_user()) };
    }
    let held = state.bot_permissions_in(channel);
    let embeds = call.body["embeds"].as_array().is_some_and(|embeds| !embeds.is_empty());
    let sending = state.channels.get(&channel).map_or(SEND_MESSAGES, Channel::needs_to_send);
    let needed = [(true, sending), (embeds, EMBED_LINKS), (!call.files.is_empty(), ATTACH_FILES)];
    let missing = needed.iter().any(|(applies, bit)| *applies && held & bit == 0);
    if missing { Err(Refusal::missing_permissions()) } else { Ok(()) }
}

fn referenced(state: &State, channel: u64, reference: &Value) -> Result<Option<u64>, Refusal> {
    let Some(id) = reference["message_id"].as_str() else { return Ok(None) };
    if state.bot_permissions_in(channel) & READ_MESSAGE_HISTORY == 0 {
        return Err(Refusal::reply_without_history());
    }
    let id = ids::parse(id).unwrap_or(0);
    let known = state.messages.get(&id).is_some_and(|message| message.channel == channel && message.viewer.is_none());
    match (known, reference["fail_if_not_exists"].as_bool()) {
        (true, _) => Ok(Some(id)),
        (false, Some(false)) => Ok(None),
        (false, _) => Err(form_error("message_reference", "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message")),
    }
}

pub(super) fn edit(state: &mut State, call: &Call) -> Outcome {
    let id = visible_message(state, call)?;
    if state.messages.get(&id).is_some_and(|message| message.author != state.bot.user) {
        return Err(Refusal::not_the_author());
    }
    change(state, id, call, &call.body, true)?;
    answered(state, id)
}

pub(super) fn delete(state: &mut State, call: &Call) -> Outcome {
    let id = visible_message(state, call)?;
    let own = state.messages.get(&id).is_some_and(|message| message.author == state.bot.user);
    if !own && state.bot_permissions_in(call.id("channel_id")) & MANAGE_MESSAGES == 0 {
        return Err(Refusal::missing_permissions());
    }
    remove(state, id);
    Ok(Answer::NoContent)
}

/// Takes a message away and tells the sessions.
pub(in crate::discord) fn remove(state: &mut State, id: u64) {
    let Some(gone) = state.messages.remove(&id) else { return };
    let guild = state.channels.get(&gone.channel).and_then(|channel| channel.guild);
    if gone.viewer.is_some() {
        return;
    }
    let intents = if guild.is_some() { gateway::GUILD_MESSAGES } else { gateway::DIRECT_MESSAGES };
    let mut data = json!({ "id": id.to_string(), "channel_id": gone.channel.to_string() });
    if let Some(guild) = guild {
        data["guild_id"] = json!(guild.to_string());
    }
    let now_ms = state.now_ms();
    state.gateway.dispatch(&gateway::Event { name: "MESSAGE_DELETE", guild, intents }, now_ms, |_| data.clone());
}

/// What a message is besides its body.
pub(in crate::discord) struct Draft {
    pub channel: u64,
    pub author: u64,
    pub nonce: Option<String>,
    pub reply_to: Option<u64>,
    pub interaction: Option<Used>,
    pub viewer: Option<u64>,
    /// Flags beyond those of the body.
    pub flags: u64,
}

impl Draft {
    /// A message of the bot.
    pub fn of_bot(state: &State, channel: u64) -> Self {
        let author = state.bot.user;
        Self { channel, author, nonce: None, reply_to: None, interaction: None, viewer: None, flags: 0 }
    }
}

/// Puts a message into its channel and tells the sessions. `parses_all`: what `allowed_mentions` is by default,
/// everything for ordinary messages and users only for interactions (`discord-rules.md` 4).
pub(in crate::discord) fn post(
    state: &mut State,
    draft: Draft,
    call: &Call,
    body: &Value,
    parses_all: bool,
) -> Result<u64, Refusal> {
    let id = state.ids.next();
    let mut message = Message {
        id,
        channel: draft.channel,
        author: draft.author,
        webhook: None,
        content: String::new(),
        embeds: Vec::new(),
        components: Vec::new(),
        attachments: Vec::new(),
        flags: draft.flags,
        nonce: draft.nonce,
        created_ms: state.now_ms(),
        edited_ms: None,
        edits: Vec::new(),
        viewer: draft.viewer,
        interaction: draft.interaction,
        reply_to: draft.reply_to,
        mentions: Vec::new(),
        mention_roles: Vec::new(),
        mention_everyone: false,
        pinged: Pinged::default(),
    };
    if draft.flags & LOADING == 0 {
        message.flags |= body["flags"].as_u64().unwrap_or(0);
        fill(state, &mut message, call, body);
        mention(state, &mut message, &body["allowed_mentions"], parses_all);
        message.pinged = state.pinged_by(&message);
        rules::messages::needs_content(
            &message.content,
            &message.embeds,
            &message.components,
            message.attachments.len(),
        )?;
    }
    state.messages.insert(id, message);
    state.tell_message("MESSAGE_CREATE", id);
    Ok(id)
}

/// Changes a message and tells the sessions. Filling in a deferred one is no edit that a person would see as such.
pub(in crate::discord) fn change(
    state: &mut State,
    id: u64,
    call: &Call,
    body: &Value,
    parses_all: bool,
) -> Result<(), Refusal> {
    let mut message = state.messages.get(&id).cloned().ok_or_else(Refusal::unknown_message)?;
    let was_thinking = message.thinking();
    check_v2(&message, body)?;
    fill(state, &mut message, call, body);
    // Mentions are worked out anew only from a new text (`resources/message#edit-message`), and nobody is pinged again.
    if was_thinking || body.get("content").is_some() {
        mention(state, &mut message, &body["allowed_mentions"], parses_all);
    }
    rules::messages::needs_content(&message.content, &message.embeds, &message.components, message.attachments.len())?;
    message.flags = (message.flags | body["flags"].as_u64().unwrap_or(0) & COMPONENTS_V2) & !LOADING;
    if !was_thinking {
        let now_ms = state.now_ms();
        message.edits.push(now_ms);
        message.edited_ms = Some(now_ms);
    }
    state.messages.insert(id, message);
    state.tell_message("MESSAGE_UPDATE", id);
    Ok(())
}

/// A message with the flag takes no content or embeds in a later edit either (`discord-rules.md` 4).
fn check_v2(message: &Message, body: &Value) -> Result<(), Refusal> {
    let legacy = ["content", "embeds"].iter().any(|key| {
        body[key].as_str().is_some_and(|text| !text.is_empty())
            || body[key].as_array().is_some_and(|list| !list.is_empty())
    });
    if message.flags & COMPONENTS_V2 != 0 && legacy {
        let message = "Legacy fields cannot be used with MessageFlags.IS_COMPONENTS_V2";
        return Err(form_error("content", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message));
    }
    Ok(())
}

/// Takes over the keys that `body` has.
fn fill(state: &mut State, message: &mut Message, call: &Call, body: &Value) {
    let Some(fields) = body.as_object() else { return };
    if let Some(content) = fields.get("content") {
        message.content = content.as_str().unwrap_or_default().trim().to_owned();
    }
    if let Some(embeds) = fields.get("embeds") {
        message.embeds = embeds.as_array().into_iter().flatten().map(kept_embed).collect();
    }
    if let Some(components) = fields.get("components") {
        message.components = components.as_array().into_iter().flatten().map(without_nulls).collect();
    }
    let listed = fields.get("attachments").and_then(Value::as_array);
    if let Some(listed) = listed {
        // Attachments that are not listed are removed (`discord-rules.md` 4).
        message.attachments.retain(|kept| listed.iter().any(|one| one["id"] == kept["id"]));
    }
    for file in &call.files {
        let description = listed.and_then(|listed| {
            listed.iter().find(|one| {
                one["id"].as_u64() == Some(file.index)
                    || one["id"].as_str().and_then(|id| id.parse().ok()) == Some(file.index)
            })
        });
        let upload = Upload {
            filename: file.filename.clone(),
            content_type: file.content_type.clone(),
            bytes: file.bytes.clone(),
        };
        let mut attachment = attach(state, message.channel, upload);
        if let Some(text) = description.map(|one| &one["description"]).filter(|text| text.is_string()) {
            attachment["description"] = text.clone();
        }
        message.attachments.push(attachment);
    }
}

/// An embed as Discord keeps it.
fn kept_embed(embed: &Value) -> Value {
    let mut kept = without_nulls(embed);
    kept["type"] = json!("rich");
    if kept["fields"].as_array().is_some_and(Vec::is_empty)
        && let Some(kept) = kept.as_object_mut()
    {
        kept.remove("fields");
    }
    for field in kept.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten() {
        if field["inline"].is_null() {
            field["inline"] = json!(false);
        }
    }
    kept
}

/// Keeps an uploaded file and answers its attachment object.
pub(in crate::discord) fn attach(state: &mut State, channel: u64, upload: Upload) -> Value {
    let id = state.ids.next();
    let url = format!("https://cdn.discordapp.com/attachments/{channel}/{id}/{}", upload.filename);
    let attachment = json!({
        "id": id.to_string(), "filename": upload.filename, "size": upload.bytes.len(), "url": url,
        "proxy_url": url, "content_type": upload.content_type,
    });
    state.uploads.insert(id, upload);
    attachment
}

/// Works out whom the content mentions (`discord-rules.md` 4, `allowed_mentions`).
fn mention(state: &State, message: &mut Message, allowed: &Value, parses_all: bool) {
    let held = state.permissions_in(message.channel, message.author);
    let parses = |kind: &str| match &allowed["parse"] {
        Value::Array(parse) => parse.iter().any(|one| one == kind),
        _ if allowed.is_object() => false,
        _ => parses_all || kind == "users",
    };
    let listed = |kind: &str, id: u64| {
        allowed[kind].as_array().into_iter().flatten().any(|one| one.as_str().and_then(ids::parse) == Some(id))
    };
    let users = mentioned(&message.content, "<@").into_iter().chain(mentioned(&message.content, "<@!"));
    message.mentions =
        users.filter(|id| state.users.contains_key(id) && (parses("users") || listed("users", *id))).collect();
    let replied = message.reply_to.and_then(|id| state.messages.get(&id)).map(|replied| replied.author);
    // A reply pings its author unless `allowed_mentions` says otherwise.
    let pings_replied = allowed["replied_user"].as_bool().unwrap_or(allowed.is_null());
    message.mentions.extend(replied.filter(|_| pings_replied));
    message.mentions.dedup();
    let may_ping_all = held & MENTION_EVERYONE != 0;
    let guild = state.channels.get(&message.channel).and_then(|channel| state.guilds.get(&channel.guild?));
    let may_ping = |id: u64| {
        let role = guild.and_then(|guild| guild.roles.get(&id).filter(|role| role.id != guild.id));
        role.is_some_and(|role| role.mentionable || may_ping_all)
    };
    message.mention_roles = mentioned(&message.content, "<@&")
        .into_iter()
        .filter(|id| may_ping(*id) && (parses("roles") || listed("roles", *id)))
        .collect();
    message.mention_roles.dedup();
    let everyone = message.content.contains("@everyone") || message.content.contains("@here");
    message.mention_everyone = everyone && may_ping_all && parses("everyone");
}

impl State {
    /// Whom a new message pings: of those it mentions, who sees it.
    pub(in crate::discord) fn pinged_by(&self, message: &Message) -> Pinged {
        let sees =
            |user: &u64| message.shows_to(*user) && self.permissions_in(message.channel, *user) & VIEW_CHANNEL != 0;
        let users = message.mentions.iter().copied().filter(|user| *user != message.author && sees(user)).collect();
        // A private message reaches one person alone.
        let public = message.viewer.is_none();
        let roles = if public { message.mention_roles.clone() } else { Vec::new() };
        Pinged { users, roles, everyone: public && message.mention_everyone }
    }

    /// Everybody whom a message pinged, by whatever it named them.
    pub(in crate::discord) fn people_pinged_by(&self, message: &Message) -> Vec<u64> {
        let pinged = &message.pinged;
        let guild = self.channels.get(&message.channel).and_then(|channel| self.guilds.get(&channel.guild?));
        let members = guild.into_iter().flat_map(|guild| &guild.members).filter(|(user, member)| {
            let sees = self.permissions_in(message.channel, **user) & VIEW_CHANNEL != 0;
            let named = pinged.everyone || member.roles.iter().any(|role| pinged.roles.contains(role));
            sees && named && **user != message.author
        });
        let mut people: Vec<u64> = pinged.users.iter().chain(members.map(|(user, _)| user)).copied().collect();
        people.sort_unstable();
        people.dedup();
        people
    }
}

/// Ids that stand in the text between `open` and `>`.
fn mentioned(text: &str, open: &str) -> Vec<u64> {
    let after = text.match_indices(open).map(|(at, _)| &text[at + open.len()..]);
    after.filter_map(|rest| ids::parse(rest.split_once('>')?.0)).collect()
}
