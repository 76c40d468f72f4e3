//! What people do: they type commands, press buttons, fill in forms, and talk.
//!
//! A person's client refuses what the real one refuses, so a test cannot do what nobody can do.

use std::fmt;

use serde_json::{Value, json};

use super::delivery::Act;
use super::permissions::{READ_MESSAGE_HISTORY, SEND_MESSAGES, VIEW_CHANNEL};
use super::rest::messages::{attach, remove};
use super::state::{Channel, Message, Pinged, State, Upload};
use super::typed::{Resolved, command_data};
use super::{Discord, ids};

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
            own.edits.push(now_ms);
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

impl State {
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
        if kind == 2 && !values.is_empty() {
            return Err(missing());
        }
        if kind != 2 {
            let count = values.len() as u64;
            let range = component["min_values"].as_u64().unwrap_or(1)..=component["max_values"].as_u64().unwrap_or(1);
            let offered = |value: &&str| {
                kind != 3
                    || component["options"].as_array().is_some_and(|all| all.iter().any(|one| one["value"] == **value))
            };
            let twice = (1..values.len()).any(|at| values[..at].contains(&values[at]));
            if !range.contains(&count) || twice || !values.iter().all(offered) {
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
        let needed = self.channels.get(&channel).map_or(SEND_MESSAGES, Channel::needs_to_send);
        if held & needed == 0 || (reply_to.is_some() && held & READ_MESSAGE_HISTORY == 0) {
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
            edits: Vec::new(),
            viewer: None,
            interaction: None,
            reply_to: None,
            mentions,
            mention_roles: Vec::new(),
            mention_everyone: false,
            pinged: Pinged::default(),
        }
    }

    fn put_spoken(&mut self, mut message: Message) -> u64 {
        let id = message.id;
        message.pinged = self.pinged_by(&message);
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
