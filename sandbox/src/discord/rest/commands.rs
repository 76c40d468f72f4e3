//! Registration of application commands, global and per server (`discord-rules.md` 3).

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{Answer, Call, Outcome};
use crate::discord::payload::without_nulls;
use crate::discord::refusal::{Form, Refusal, form_error};
use crate::discord::rules;
use crate::discord::schema::second_opinion_on_command;
use crate::discord::state::{Command, Scope, State};

/// Limits per scope by type: CHAT_INPUT, USER, MESSAGE (`discord-rules.md` 3), and one global PRIMARY_ENTRY_POINT.
const LIMITS: [(u64, usize); 4] = [(1, 100), (2, 15), (3, 15), (4, 1)];
/// Creates per day and server (`discord-rules.md` 3).
const CREATES_PER_DAY: usize = 200;
const DAY_MS: i64 = 86_400_000;

/// Scope of the path: the application must be the bot's, and the bot (or its commands) in the server.
fn scope(state: &State, call: &Call) -> Result<Scope, Refusal> {
    if call.id("application_id") != state.bot.application {
        return Err(Refusal::not_your_application());
    }
    if !call.in_guild() {
        return Ok(Scope::Global);
    }
    let guild = call.id("guild_id");
    // A server that is not there looks the same as one that did not invite the application.
    if state.bot_is_in(guild) { Ok(Scope::Guild(guild)) } else { Err(Refusal::missing_access()) }
}

pub(super) fn one_form(call: &Call, form: &mut Form) {
    check(&call.body, "", call.in_guild(), form);
}

pub(super) fn list_form(call: &Call, form: &mut Form) {
    let Some(commands) = call.body.as_array() else {
        form.fault("", "BASE_TYPE_BAD_TYPE", "Only lists are accepted.");
        return;
    };
    let mut names = HashSet::new();
    for (index, command) in commands.iter().enumerate() {
        check(command, &index.to_string(), call.in_guild(), form);
        if !names.insert((command["type"].as_u64().unwrap_or(1), command["name"].as_str().unwrap_or_default())) {
            let message = "Application command names must be unique";
            form.fault(&index.to_string(), "APPLICATION_COMMANDS_DUPLICATE_NAME", message);
        }
    }
}

fn check(command: &Value, path: &str, in_guild: bool, form: &mut Form) {
    let mut own = Form::default();
    rules::commands::check(command, path, in_guild, &mut own);
    let clean = own.is_clean();
    form.append(own);
    if clean {
        let scope = if in_guild { Scope::Guild(1) } else { Scope::Global };
        second_opinion_on_command(&as_answered(command, 1, 1, 1, scope), path, form);
    }
}

/// A definition as the server keeps it: with ids, version, and the fields that it fills in.
fn as_answered(command: &Value, id: u64, version: u64, application: u64, scope: Scope) -> Value {
    let mut body = without_nulls(command);
    let permissions = match &body["default_member_permissions"] {
        Value::Number(bits) => json!(bits.to_string()),
        other => other.clone(),
    };
    let chat_input = body["type"].as_u64().unwrap_or(1) == 1;
    let Some(fields) = body.as_object_mut() else { return body };
    fields.insert("id".into(), json!(id.to_string()));
    fields.insert("application_id".into(), json!(application.to_string()));
    fields.insert("version".into(), json!(version.to_string()));
    fields.insert("default_member_permissions".into(), permissions);
    fields.entry("type").or_insert(json!(1));
    fields.entry("description").or_insert(json!(""));
    fields.entry("nsfw").or_insert(json!(false));
    for key in ["name_localizations", "description_localizations"] {
        fields.entry(key).or_insert(Value::Null);
    }
    match scope {
        Scope::Guild(guild) => {
            fields.insert("guild_id".into(), json!(guild.to_string()));
            fields.remove("dm_permission");
        }
        Scope::Global => {
            fields.entry("dm_permission").or_insert(json!(true));
            fields.entry("contexts").or_insert(Value::Null);
            fields.entry("integration_types").or_insert(json!([0]));
        }
    }
    if fields.get("options").and_then(Value::as_array).is_some_and(Vec::is_empty) || !chat_input {
        fields.remove("options");
    }
    normalise_options(fields.get_mut("options"));
    body
}

/// What Discord leaves out of options because it is the default: `required` and `autocomplete` when false, empty lists.
fn normalise_options(options: Option<&mut Value>) {
    for option in options.and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(fields) = option.as_object_mut() else { continue };
        for key in ["required", "autocomplete"] {
            if fields.get(key).and_then(Value::as_bool) == Some(false) {
                fields.remove(key);
            }
        }
        for key in ["choices", "options", "channel_types"] {
            if fields.get(key).and_then(Value::as_array).is_some_and(Vec::is_empty) {
                fields.remove(key);
            }
        }
        normalise_options(fields.get_mut("options"));
    }
}

/// Without the dictionaries of localisations, at every depth (`discord-rules.md` 1).
fn without_localisations(command: &Value) -> Value {
    match command {
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| !key.ends_with("_localizations"))
            .map(|(key, value)| (key.clone(), without_localisations(value)))
            .collect(),
        Value::Array(list) => list.iter().map(without_localisations).collect(),
        other => other.clone(),
    }
}

pub(super) fn list(state: &mut State, call: &Call) -> Outcome {
    let scope = scope(state, call)?;
    let full = call.flag("with_localizations");
    let commands = state.commands.values().filter(|command| command.scope == scope);
    let shown = |command: &Command| if full { command.body.clone() } else { without_localisations(&command.body) };
    Ok(Answer::Json(200, commands.map(shown).collect()))
}

/// The command of the path.
fn found(state: &State, call: &Call, scope: Scope) -> Result<u64, Refusal> {
    let id = call.id("command_id");
    let known = state.commands.get(&id).is_some_and(|command| command.scope == scope);
    if known { Ok(id) } else { Err(Refusal::unknown_command()) }
}

pub(super) fn get(state: &mut State, call: &Call) -> Outcome {
    let scope = scope(state, call)?;
    let id = found(state, call, scope)?;
    Ok(Answer::Json(200, state.commands.get(&id).map(|command| command.body.clone()).unwrap_or_default()))
}

/// Replaces all commands of the scope, of every type. What keeps its name keeps its id.
pub(super) fn replace(state: &mut State, call: &Call) -> Outcome {
    let scope = scope(state, call)?;
    let wanted = call.body.as_array().cloned().unwrap_or_default();
    check_counts(&wanted)?;
    let before: Vec<Command> = state.commands.values().filter(|command| command.scope == scope).cloned().collect();
    let is_new = |wanted: &&Value| !before.iter().any(|old| is_same(old, wanted));
    count_creates(state, scope, wanted.iter().filter(is_new).count())?;
    state.commands.retain(|_, command| command.scope != scope);
    for definition in &wanted {
        let id = before.iter().find(|old| is_same(old, definition)).map(|old| old.id);
        put(state, scope, id, definition);
    }
    let commands = state.commands.values().filter(|command| command.scope == scope);
    Ok(Answer::Json(200, commands.map(|command| command.body.clone()).collect()))
}

fn is_same(command: &Command, definition: &Value) -> bool {
    command.name() == definition["name"] && command.kind() == definition["type"].as_u64().unwrap_or(1)
}

/// Keeps a definition under a new version.
fn put(state: &mut State, scope: Scope, id: Option<u64>, definition: &Value) -> u64 {
    let id = id.unwrap_or_else(|| state.ids.next());
    let version = state.ids.next();
    let body = as_answered(definition, id, version, state.bot.application, scope);
    state.commands.insert(id, Command { id, scope, body });
    id
}

fn check_counts(commands: &[Value]) -> Result<(), Refusal> {
    for (kind, limit) in LIMITS {
        if commands.iter().filter(|command| command["type"].as_u64().unwrap_or(1) == kind).count() > limit {
            return Err(Refusal::too_many_commands(limit));
        }
    }
    Ok(())
}

fn count_creates(state: &mut State, scope: Scope, count: usize) -> Result<(), Refusal> {
    let now_ms = state.now_ms();
    let creates = state.command_creates.entry(scope).or_default();
    creates.retain(|at_ms| now_ms - at_ms < DAY_MS);
    if creates.len() + count > CREATES_PER_DAY {
        return Err(Refusal::too_many_creates());
    }
    creates.extend(std::iter::repeat_n(now_ms, count));
    Ok(())
}

/// A name that is already used in the scope is overwritten: 200 instead of 201.
pub(super) fn create(state: &mut State, call: &Call) -> Outcome {
    let scope = scope(state, call)?;
    let old = state.commands.values().find(|old| old.scope == scope && is_same(old, &call.body)).map(|old| old.id);
    if old.is_none() {
        let mut all: Vec<Value> = state
            .commands
            .values()
            .filter(|command| command.scope == scope)
            .map(|command| command.body.clone())
            .collect();
        all.push(call.body.clone());
        check_counts(&all)?;
        count_creates(state, scope, 1)?;
    }
    let id = put(state, scope, old, &call.body);
    let body = state.commands.get(&id).map(|command| command.body.clone()).unwrap_or_default();
    Ok(Answer::Json(if old.is_some() { 200 } else { 201 }, body))
}

pub(super) fn edit(state: &mut State, call: &Call) -> Outcome {
    let scope = scope(state, call)?;
    let id = found(state, call, scope)?;
    let mut merged = state.commands.get(&id).map(|command| command.body.clone()).unwrap_or_default();
    if let (Some(merged), Some(changes)) = (merged.as_object_mut(), call.body.as_object()) {
        merged.extend(changes.clone());
    }
    if call.body["type"].is_u64() {
        return Err(form_error("type", "APPLICATION_COMMAND_TYPE_IMMUTABLE", "The type cannot be changed"));
    }
    let mut definition = merged.clone();
    if let Some(fields) = definition.as_object_mut() {
        fields.retain(|key, _| !["id", "application_id", "version", "guild_id"].contains(&key.as_str()));
    }
    let mut form = Form::default();
    check(&definition, "", call.in_guild(), &mut form);
    form.into_result()?;
    let clash =
        state.commands.values().any(|other| other.scope == scope && other.id != id && is_same(other, &definition));
    if clash {
        return Err(form_error(
            "name",
            "APPLICATION_COMMANDS_DUPLICATE_NAME",
            "Application command names must be unique",
        ));
    }
    put(state, scope, Some(id), &definition);
    get(state, call)
}

pub(super) fn delete(state: &mut State, call: &Call) -> Outcome {
    let scope = scope(state, call)?;
    let id = found(state, call, scope)?;
    state.commands.remove(&id);
    Ok(Answer::NoContent)
}
