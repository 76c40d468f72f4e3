//! A slash command that a person types, read against its definition: the client refuses what does not fit.

use serde_json::{Map, Value, json};

use super::delivery::Act;
use super::people::{Refused, Typing};
use super::permissions::VIEW_CHANNEL;
use super::state::{Command, Scope, State, Upload};
use super::{ids, payload};

/// A string option's length when the definition names none (`discord-rules.md` 3).
const MAX_STRING: u64 = 6_000;
/// Largest INTEGER: 2^53 − 1 (`discord-rules.md` 3).
const MAX_INTEGER: f64 = 9_007_199_254_740_991.0;

/// The objects that option values refer to.
#[derive(Default)]
pub(super) struct Resolved(Map<String, Value>);

impl Resolved {
    fn put(&mut self, kind: &str, id: u64, object: Value) {
        self.0.entry(kind).or_insert_with(|| json!({}))[id.to_string()] = object;
    }

    /// A user, and without the user in it the member. False when there is no such user.
    pub(super) fn user(&mut self, state: &State, guild: Option<u64>, id: u64) -> bool {
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

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

pub(super) fn command_data(command: &Command) -> Value {
    let mut data = json!({ "id": command.id.to_string(), "name": command.name(), "type": command.kind() });
    // Where the command is registered, which is not always where it is used.
    if let Scope::Guild(guild) = command.scope {
        data["guild_id"] = json!(guild.to_string());
    }
    data
}

impl State {
    pub(super) fn guild_of(&self, channel: u64) -> Option<u64> {
        self.channels.get(&channel)?.guild
    }

    /// The command of `kind` that the client offers to this person here.
    pub(super) fn offered(&self, typing: &Typing, kind: u64) -> Result<&Command, Refused> {
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
    pub(super) fn compose_command(&self, typing: &Typing, focused: Option<&str>) -> Result<Act, Refused> {
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
