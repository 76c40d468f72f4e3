//! What people do: they type commands, press buttons, fill in forms, and talk.
//!
//! A person's client refuses what the real one refuses, so a test cannot do what nobody can do.

use std::fmt;

use serde_json::{Map, Value, json};

use super::delivery::Act;
use super::permissions::{READ_MESSAGE_HISTORY, SEND_MESSAGES, VIEW_CHANNEL};
use super::rest::messages::{attach, remove};
use super::state::{Command, Message, Scope, State, Upload};
use super::{Discord, ids, payload};

/// A string option's length when the definition names none (`discord-rules.md` 3).
const MAX_STRING: u64 = 6_000;
/// Largest INTEGER: 2^53 − 1 (`discord-rules.md` 3).
const MAX_INTEGER: f64 = 9_007_199_254_740_991.0;

/// Why a person's client does not send something. Nothing reached the bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No such command is offered in this place.
    NoSuchCommand(String),
    /// The person is not in the server, or does not see the channel or the message.
    NotVisible(String),
    /// The person may not do this here.
    NotPermitted(String),
    /// An option is unknown, missing, or its value does not fit.
    BadOption(String, String),
    /// The component or form is not there, or is disabled.
    NoSuchComponent(String),
    /// What a suggestion list shows when none came.
    NoSuggestions(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchCommand(name) => write!(f, "there is no command /{name} here"),
            Self::NotVisible(what) => write!(f, "{what} is not visible to this person"),
            Self::NotPermitted(what) => write!(f, "this person may not {what}"),
            Self::BadOption(name, why) => write!(f, "option {name}: {why}"),
            Self::NoSuchComponent(which) => write!(f, "there is nothing to use: {which}"),
            Self::NoSuggestions(why) => write!(f, "loading options failed: {why}"),
        }
    }
}

impl std::error::Error for Refused {}

/// A slash command as a person types it.
#[derive(Clone, Debug)]
pub struct Typing {
    /// Who types.
    pub user: u64,
    /// Where.
    pub channel: u64,
    /// The full name without the slash: `retry`, `mapping set`.
    pub command: String,
    /// Option names and values. Users, roles, channels and attachments are ids as strings.
    pub options: Vec<(String, Value)>,
    /// The language of the person's client, such as `en-US` or `zh-CN`.
    pub locale: String,
}

impl Typing {
    /// `/command` without options, by a client in English.
    pub fn new(user: u64, channel: u64, command: &str) -> Self {
        Self { user, channel, command: command.into(), options: Vec::new(), locale: "en-US".into() }
    }

    /// With one more option.
    pub fn option(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }

    /// By a client in that language.
    pub fn locale(mut self, locale: &str) -> Self {
        self.locale = locale.into();
        self
    }
}

impl Discord {
    /// Types a command and sends it; answers the interaction's id.
    ///
    /// # Errors
    /// What the real client would not let through.
    pub fn type_command(&self, typing: Typing) -> Result<u64, Refused> {
        let act = self.look_at(|state| state.compose_command(&typing, None))?;
        Ok(self.act(act))
    }

    /// Types a command whose interaction is changed on its way: a shape that only a later version of Discord sends.
    ///
    /// # Errors
    /// As [`Discord::type_command`].
    pub fn type_altered(&self, typing: Typing, alter: impl FnOnce(&mut Value)) -> Result<u64, Refused> {
        let act = self.look_at(|state| state.compose_command(&typing, None))?;
        Ok(self.act_altered(act, alter))
    }

    /// Types a command with `focused` being the option under the cursor, and waits for the suggestions.
    ///
    /// # Errors
    /// What the real client would not let through, or no suggestions within three seconds.
    pub async fn autocomplete(&self, mut typing: Typing, focused: &str) -> Result<Vec<Value>, Refused> {
        if !typing.options.iter().any(|(name, _)| name == focused) {
            typing = typing.option(focused, "");
        }
        let act = self.look_at(|state| state.compose_command(&typing, Some(focused)))?;
        let id = self.act(act);
        let done = |discord: &Self| {
            let seen = discord.interaction(id)?;
            let failed = seen.failed.map(|why| Err(Refused::NoSuggestions(why)));
            seen.choices.map(Ok).or(failed)
        };
        self.wait_for("suggestions for an option", done).await
    }

    /// Uses a command on a user (the *Apps* menu).
    ///
    /// # Errors
    /// As [`Discord::type_command`].
    pub fn use_on_user(&self, typing: Typing, target: u64) -> Result<u64, Refused> {
        let act = self.look_at(|state| {
            let command = state.offered(&typing, 2)?;
            let mut resolved = Resolved::default();
            resolved.user(state, state.guild_of(typing.channel), target);
            let mut data = command_data(command);
            data["target_id"] = json!(target.to_string());
            data["resolved"] = resolved.into_value();
            Ok(Act::new(2, &typing, command.name(), data, None))
        })?;
        Ok(self.act(act))
    }

    /// Presses a button.
    ///
    /// # Errors
    /// When the person does not see the message, or it has no such button that is enabled.
    pub fn press(&self, user: u64, message: u64, custom_id: &str) -> Result<u64, Refused> {
        self.choose(user, message, custom_id, &[])
    }

    /// Chooses `values` in a select; with none, presses a button.
    ///
    /// # Errors
    /// As [`Discord::press`].
    pub fn choose(&self, user: u64, message: u64, custom_id: &str, values: &[&str]) -> Result<u64, Refused> {
        let act = self.look_at(|state| state.compose_press(user, message, custom_id, values))?;
        Ok(self.act(act))
    }

    /// Sends the form that the interaction `opener` was answered with.
    ///
    /// # Errors
    /// When there is no such form, a field is unknown, or a value does not fit.
    pub fn submit_modal(&self, opener: u64, values: &[(&str, &str)]) -> Result<u64, Refused> {
        let act = self.look_at(|state| state.compose_form(opener, values))?;
        Ok(self.act(act))
    }

    /// Says something in a channel; answers the message's id.
    ///
    /// # Errors
    /// When the person may not post there.
    pub fn say(&self, user: u64, channel: u64, content: &str) -> Result<u64, Refused> {
        self.change(|state| state.say(user, channel, content, None))
    }

    /// Replies to a message, which pings its author as clients do by default.
    ///
    /// # Errors
    /// As [`Discord::say`].
    pub fn reply(&self, user: u64, message: u64, content: &str) -> Result<u64, Refused> {
        self.change(|state| {
            let found = state.messages.get(&message).filter(|found| found.shows_to(user));
            let channel = found.ok_or_else(|| Refused::NotVisible("the message".into()))?.channel;
            state.say(user, channel, content, Some(message))
        })
    }

    /// Changes what a person said.
    ///
    /// # Errors
    /// When it is not theirs.
    pub fn edit_said(&self, user: u64, message: u64, content: &str) -> Result<(), Refused> {
        self.change(|state| {
            let now_ms = state.now_ms();
            let mentions = state.users_mentioned(content);
            let own = state.messages.get_mut(&message).filter(|found| found.author == user);
            let own = own.ok_or_else(|| Refused::NotPermitted("edit this message".into()))?;
            own.content = content.into();
            own.edits += 1;
            own.edited_ms = Some(now_ms);
            own.mentions = mentions;
            state.tell_message("MESSAGE_UPDATE", message);
            Ok(())
        })
    }

    /// Hands the same message over once more, as happens ("at-least-zero-times", `discord-rules.md` 7).
    pub fn redeliver_message(&self, message: u64) {
        self.change(|state| state.tell_message("MESSAGE_CREATE", message));
    }

    /// Deletes a message, as somebody who may does by hand. Private ones are dismissed.
    pub fn delete_message(&self, message: u64) {
        self.change(|state| remove(state, message));
    }

    /// Posts through an ordinary webhook, under any name.
    pub fn say_as_webhook(&self, channel: u64, name: &str, content: &str) -> u64 {
        self.change(|state| {
            let webhook = state.ids.next();
            let mentions = state.users_mentioned(content);
            let message = state.spoken(webhook, channel, content, mentions);
            state.put_spoken(Message { webhook: Some(name.into()), ..message })
        })
    }

    /// Uploads a file for an ATTACHMENT option; answers its id.
    pub fn upload(&self, channel: u64, filename: &str, content_type: &str, bytes: &[u8]) -> u64 {
        let upload = Upload { filename: filename.into(), content_type: content_type.into(), bytes: bytes.to_vec() };
        let attachment = self.change(|state| attach(state, channel, upload));
        attachment["id"].as_str().and_then(ids::parse).unwrap_or(0)
    }
}

/// The objects that option values refer to.
#[derive(Default)]
struct Resolved(Map<String, Value>);

impl Resolved {
    fn put(&mut self, kind: &str, id: u64, object: Value) {
        self.0.entry(kind).or_insert_with(|| json!({}))[id.to_string()] = object;
    }

    /// A user, and without the user in it the member. False when there is no such user.
    fn user(&mut self, state: &State, guild: Option<u64>, id: u64) -> bool {
        let Some(user) = state.users.get(&id) else { return false };
        self.put("users", id, payload::user(user));
        if let Some(mut member) = guild.and_then(|guild| payload::member(state, guild, id)) {
            if let Some(fields) = member.as_object_mut() {
                for key in ["user", "deaf", "mute"] {
                    fields.remove(key);
                }
                let bits = guild.and_then(|guild| state.guilds.get(&guild)).map_or(0, |guild| guild.permissions_of(id));
                fields.insert("permissions".into(), json!(bits.to_string()));
            }
            self.put("members", id, member);
        }
        true
    }

    fn role(&mut self, state: &State, guild: Option<u64>, id: u64) -> bool {
        let Some(guild) = guild.and_then(|guild| state.guilds.get(&guild)) else { return false };
        let Some(role) = guild.roles.get(&id) else { return false };
        self.put("roles", id, payload::role(role, guild.id, 1));
        true
    }

    fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

fn command_data(command: &Command) -> Value {
    let mut data = json!({ "id": command.id.to_string(), "name": command.name(), "type": command.kind() });
    // Where the command is registered, which is not always where it is used.
    if let Scope::Guild(guild) = command.scope {
        data["guild_id"] = json!(guild.to_string());
    }
    data
}

impl State {
    fn guild_of(&self, channel: u64) -> Option<u64> {
        self.channels.get(&channel)?.guild
    }

    /// The command of `kind` that the client offers to this person here.
    fn offered(&self, typing: &Typing, kind: u64) -> Result<&Command, Refused> {
        let held = self.permissions_in(typing.channel, typing.user);
        if held & VIEW_CHANNEL == 0 {
            return Err(Refused::NotVisible("the channel".into()));
        }
        let name = if kind == 1 { typing.command.split(' ').next().unwrap_or_default() } else { &typing.command };
        let guild = self.guild_of(typing.channel);
        let in_scope = |scope: Scope| {
            self.commands
                .values()
                .find(|command| command.scope == scope && command.kind() == kind && command.name() == name)
        };
        // One of the server shows before a global one of the same name.
        let found = guild.and_then(|guild| in_scope(Scope::Guild(guild))).or_else(|| in_scope(Scope::Global));
        let context = u64::from(guild.is_none());
        let shown = found.filter(|command| match command.body["contexts"].as_array() {
            Some(contexts) => contexts.iter().any(|one| *one == context),
            None => guild.is_some() || command.body["dm_permission"].as_bool().unwrap_or(true),
        });
        let bot_is_there = guild.is_none_or(|guild| self.bot_is_in(guild));
        let command = shown.filter(|_| bot_is_there).ok_or_else(|| Refused::NoSuchCommand(typing.command.clone()))?;
        if guild.is_some() {
            let wanted = command.body["default_member_permissions"].as_str().and_then(|bits| bits.parse().ok());
            if !self.may_use(command.name(), wanted, typing.channel, typing.user) {
                return Err(Refused::NotPermitted(format!("use /{}", typing.command)));
            }
        }
        Ok(command)
    }

    /// Reads what was typed against the command's definition. With `focused`, as an autocomplete.
    fn compose_command(&self, typing: &Typing, focused: Option<&str>) -> Result<Act, Refused> {
        let command = self.offered(typing, 1)?;
        let words: Vec<&str> = typing.command.split(' ').collect();
        let unknown = || Refused::NoSuchCommand(typing.command.clone());
        let mut leaf = &command.body;
        let mut path = Vec::new();
        for word in &words[1..] {
            let options = leaf["options"].as_array().ok_or_else(unknown)?;
            leaf = options.iter().find(|one| one["name"] == *word && is_nested(one)).ok_or_else(unknown)?;
            path.push(leaf);
        }
        let defined = leaf["options"].as_array().map(Vec::as_slice).unwrap_or_default();
        // With subcommands the command itself cannot be invoked (`discord-rules.md` 3).
        if defined.iter().any(is_nested) {
            return Err(unknown());
        }
        let mut resolved = Resolved::default();
        let mut options = self.read_options(typing, defined, focused, &mut resolved)?;
        for nested in path.iter().rev() {
            options = vec![json!({ "name": nested["name"], "type": nested["type"], "options": options })];
        }
        let mut data = command_data(command);
        data["options"] = Value::Array(options);
        let resolved = resolved.into_value();
        if resolved != json!({}) {
            data["resolved"] = resolved;
        }
        let kind = if focused.is_some() { 4 } else { 2 };
        Ok(Act::new(kind, typing, &typing.command, data, None))
    }

    fn read_options(
        &self,
        typing: &Typing,
        defined: &[Value],
        focused: Option<&str>,
        resolved: &mut Resolved,
    ) -> Result<Vec<Value>, Refused> {
        let bad = |name: &str, why: &str| Refused::BadOption(name.into(), why.into());
        if let Some((name, _)) =
            typing.options.iter().find(|(name, _)| !defined.iter().any(|one| one["name"] == **name))
        {
            return Err(bad(name, "is unknown"));
        }
        let missing = defined
            .iter()
            .find(|one| one["required"] == true && !typing.options.iter().any(|(name, _)| one["name"] == **name));
        if let (Some(missing), None) = (missing, focused) {
            return Err(bad(missing["name"].as_str().unwrap_or_default(), "is missing"));
        }
        let mut read = Vec::new();
        for (name, value) in &typing.options {
            let Some(definition) = defined.iter().find(|one| one["name"] == **name) else { continue };
            let mut option = json!({ "name": name, "type": definition["type"], "value": value });
            if focused == Some(name.as_str()) {
                if definition["autocomplete"] != true {
                    return Err(bad(name, "has no suggestions"));
                }
                // What is under the cursor is partial text, not checked (`discord-rules.md` 2).
                option["focused"] = json!(true);
            } else if focused.is_none() {
                self.check_value(typing.channel, definition, value, resolved).map_err(|why| bad(name, &why))?;
            }
            read.push(option);
        }
        Ok(read)
    }

    /// Whether a value fits its option (`discord-rules.md` 3).
    fn check_value(&self, channel: u64, option: &Value, value: &Value, resolved: &mut Resolved) -> Result<(), String> {
        let guild = self.guild_of(channel);
        let kind = option["type"].as_u64().unwrap_or(0);
        let id = value.as_str().and_then(ids::parse).unwrap_or(0);
        let fits = match kind {
            3 => value.as_str().is_some_and(|text| {
                let length = text.chars().count() as u64;
                let least = option["min_length"].as_u64().unwrap_or(0).max(u64::from(option["required"] == true));
                (least..=option["max_length"].as_u64().unwrap_or(MAX_STRING)).contains(&length)
            }),
            4 => value.is_i64() && in_range(option, value),
            5 => value.is_boolean(),
            6 => resolved.user(self, guild, id),
            7 => {
                let found = self.channels.get(&id).filter(|found| found.guild == guild);
                found.map(|_| resolved.put("channels", id, payload::partial_channel(self, id, self.bot.user))).is_some()
            }
            8 => resolved.role(self, guild, id),
            9 => resolved.user(self, guild, id) || resolved.role(self, guild, id),
            10 => value.is_number() && in_range(option, value),
            11 => self
                .uploads
                .get(&id)
                .map(|upload| resolved.put("attachments", id, attachment(channel, id, upload)))
                .is_some(),
            _ => false,
        };
        if !fits {
            return Err(format!("the value {value} does not fit type {kind}"));
        }
        match option["choices"].as_array().filter(|choices| !choices.is_empty()) {
            Some(choices) if !choices.iter().any(|choice| choice["value"] == *value) => {
                Err(format!("{value} is not one of the choices"))
            }
            _ => Ok(()),
        }
    }

    fn compose_press(&self, user: u64, id: u64, custom_id: &str, values: &[&str]) -> Result<Act, Refused> {
        let message = self.messages.get(&id).filter(|message| message.shows_to(user));
        let message = message.ok_or_else(|| Refused::NotVisible("the message".into()))?;
        if self.permissions_in(message.channel, user) & VIEW_CHANNEL == 0 {
            return Err(Refused::NotVisible("the channel".into()));
        }
        let component = message.components.iter().find_map(|component| component_named(component, custom_id));
        let missing = || Refused::NoSuchComponent(custom_id.to_owned());
        let component = component.filter(|component| component["disabled"] != true).ok_or_else(missing)?;
        let kind = component["type"].as_u64().unwrap_or(0);
        let mut data = json!({ "custom_id": custom_id, "component_type": kind });
        if kind != 2 {
            let count = values.len() as u64;
            let range = component["min_values"].as_u64().unwrap_or(1)..=component["max_values"].as_u64().unwrap_or(1);
            let offered = |value: &&str| {
                kind != 3
                    || component["options"].as_array().is_some_and(|all| all.iter().any(|one| one["value"] == **value))
            };
            if !range.contains(&count) || !values.iter().all(offered) {
                return Err(missing());
            }
            data["values"] = json!(values);
        }
        let mut typing = Typing::new(user, message.channel, custom_id);
        if let Some(user) = self.users.get(&user) {
            typing.locale.clone_from(&user.locale);
        }
        Ok(Act::new(3, &typing, custom_id, data, Some(id)))
    }

    fn compose_form(&self, opener: u64, values: &[(&str, &str)]) -> Result<Act, Refused> {
        let missing = || Refused::NoSuchComponent(format!("a form opened by interaction {opener}"));
        let opened = self.interactions.get(&opener).ok_or_else(missing)?;
        let modal = opened.seen.modal.as_ref().ok_or_else(missing)?;
        let mut components = Vec::new();
        for row in modal["components"].as_array().into_iter().flatten() {
            let mut filled = json!({ "type": row["type"], "id": components.len() * 2 + 1 });
            let id = components.len() * 2 + 2;
            match row["type"].as_u64() {
                Some(18) => filled["component"] = fill_input(&row["component"], values, id)?,
                Some(1) => filled["components"] = json!([fill_input(&row["components"][0], values, id)?]),
                _ => {}
            }
            components.push(filled);
        }
        let text = Value::Array(components.clone()).to_string();
        if let Some((name, _)) = values.iter().find(|(name, _)| !text.contains(&json!(name).to_string())) {
            return Err(Refused::NoSuchComponent((*name).to_owned()));
        }
        let custom_id = modal["custom_id"].as_str().unwrap_or_default();
        let mut typing = Typing::new(opened.seen.user, opened.seen.channel, custom_id);
        typing.locale = opened.payload["locale"].as_str().unwrap_or("en-US").into();
        let data = json!({ "custom_id": custom_id, "components": components });
        Ok(Act::new(5, &typing, custom_id, data, opened.source))
    }

    fn say(&mut self, user: u64, channel: u64, content: &str, reply_to: Option<u64>) -> Result<u64, Refused> {
        let held = self.permissions_in(channel, user);
        if held & VIEW_CHANNEL == 0 {
            return Err(Refused::NotVisible("the channel".into()));
        }
        if held & SEND_MESSAGES == 0 || (reply_to.is_some() && held & READ_MESSAGE_HISTORY == 0) {
            return Err(Refused::NotPermitted("post here".into()));
        }
        let mut mentions = self.users_mentioned(content);
        mentions.extend(reply_to.and_then(|id| self.messages.get(&id)).map(|replied| replied.author));
        mentions.dedup();
        let message = self.spoken(user, channel, content, mentions);
        Ok(self.put_spoken(Message { reply_to, ..message }))
    }

    fn spoken(&mut self, author: u64, channel: u64, content: &str, mentions: Vec<u64>) -> Message {
        Message {
            id: self.ids.next(),
            channel,
            author,
            webhook: None,
            content: content.into(),
            embeds: Vec::new(),
            components: Vec::new(),
            attachments: Vec::new(),
            flags: 0,
            nonce: None,
            created_ms: self.now_ms(),
            edited_ms: None,
            edits: 0,
            viewer: None,
            interaction: None,
            reply_to: None,
            mentions,
            mention_roles: Vec::new(),
            mention_everyone: false,
        }
    }

    fn put_spoken(&mut self, message: Message) -> u64 {
        let id = message.id;
        self.messages.insert(id, message);
        self.tell_message("MESSAGE_CREATE", id);
        id
    }

    fn users_mentioned(&self, content: &str) -> Vec<u64> {
        let after = content.split("<@").skip(1).filter_map(|rest| rest.split_once('>'));
        let ids = after.filter_map(|(id, _)| ids::parse(id.trim_start_matches('!')));
        ids.filter(|id| self.users.contains_key(id)).collect()
    }
}

fn is_nested(option: &Value) -> bool {
    matches!(option["type"].as_u64(), Some(1 | 2))
}

fn in_range(option: &Value, value: &Value) -> bool {
    let number = value.as_f64().unwrap_or(f64::NAN);
    let min = option["min_value"].as_f64().unwrap_or(-MAX_INTEGER);
    let max = option["max_value"].as_f64().unwrap_or(MAX_INTEGER);
    (min..=max).contains(&number)
}

fn attachment(channel: u64, id: u64, upload: &Upload) -> Value {
    // Files of interactions are ephemeral attachments, but at the same host.
    let url = format!("https://cdn.discordapp.com/attachments/{channel}/{id}/{}", upload.filename);
    json!({
        "id": id.to_string(), "filename": upload.filename, "size": upload.bytes.len(), "url": url,
        "proxy_url": url, "content_type": upload.content_type, "ephemeral": true,
    })
}

fn component_named<'a>(component: &'a Value, custom_id: &str) -> Option<&'a Value> {
    if component["custom_id"] == custom_id {
        return Some(component);
    }
    let children = component["components"].as_array().into_iter().flatten().chain(component.get("accessory"));
    children.into_iter().find_map(|child| component_named(child, custom_id))
}

/// A text input with what was typed into it; checks what the client checks.
fn fill_input(input: &Value, values: &[(&str, &str)], id: usize) -> Result<Value, Refused> {
    let custom_id = input["custom_id"].as_str().unwrap_or_default();
    let typed = values.iter().find(|(name, _)| *name == custom_id).map(|(_, value)| *value);
    let value = typed.or_else(|| input["value"].as_str()).unwrap_or_default();
    let required = input["required"].as_bool().unwrap_or(true);
    let length = value.chars().count() as u64;
    let least = input["min_length"].as_u64().unwrap_or(0).max(u64::from(required));
    let most = input["max_length"].as_u64().unwrap_or(4_000);
    if !(least..=most).contains(&length) && (required || length > 0) {
        return Err(Refused::BadOption(custom_id.into(), format!("needs {least} to {most} characters")));
    }
    Ok(json!({ "type": input["type"], "id": id, "custom_id": custom_id, "value": value }))
}
