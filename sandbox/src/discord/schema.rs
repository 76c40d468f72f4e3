//! The second and third opinion on every body: Discord's own OpenAPI document, and the `twilight` crates.
//!
//! The document is read once per process; a route's validator is compiled when its first body comes (40–115 ms each).

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::Context;
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use twilight_model::application::command::{Command, CommandOption, CommandOptionType};
use twilight_model::channel::message::{Component, Embed};

use super::refusal::Form;
use super::state::COMPONENTS_V2;

/// None: the document has no body for the route. Some(None): it has one that does not compile.
type Found = Option<Option<Arc<Validator>>>;
type Compiled = HashMap<(String, &'static str), Found>;

/// Discord's OpenAPI document.
pub(super) struct Document {
    document: Value,
    compiled: Mutex<Compiled>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Document {
    /// The document at `path`, shared by the whole process.
    pub fn at(path: &Path) -> anyhow::Result<Arc<Self>> {
        static READ: OnceLock<Mutex<HashMap<PathBuf, Arc<Document>>>> = OnceLock::new();
        let mut read = lock(READ.get_or_init(Mutex::default));
        if let Some(document) = read.get(path) {
            return Ok(Arc::clone(document));
        }
        let text =
            std::fs::read(path).with_context(|| format!("reading Discord's OpenAPI document {}", path.display()))?;
        let document = serde_json::from_slice(&text).context("reading Discord's OpenAPI document as JSON")?;
        let document = Arc::new(Self { document, compiled: Mutex::default() });
        read.insert(path.to_owned(), Arc::clone(&document));
        Ok(document)
    }

    /// Notes where `body` breaks the document.
    pub fn check(&self, method: &str, route: &'static str, body: &Value, form: &mut Form) {
        let Some(compiled) = self.validator(method, route) else { return };
        // A schema that cannot be read must not pass for one that was kept.
        let Some(validator) = compiled else {
            form.fault("", "OPENAPI", "the schema of this route cannot be compiled");
            return;
        };
        let body = coerced(body);
        for error in validator.iter_errors(&body) {
            form.fault(error.instance_path().as_str(), "OPENAPI", error.masked().to_string());
        }
    }

    fn validator(&self, method: &str, route: &'static str) -> Found {
        let key = (method.to_lowercase(), route);
        let mut compiled = lock(&self.compiled);
        if let Some(found) = compiled.get(&key) {
            return found.clone();
        }
        let pointer = format!(
            "/paths/{}/{}/requestBody/content/application~1json/schema",
            route.replace('~', "~0").replace('/', "~1"),
            key.0
        );
        let schema = self.document.pointer(&pointer).map(|schema| self.closed(schema));
        let validator = schema.map(|schema| jsonschema::validator_for(&schema).ok().map(Arc::new));
        compiled.insert(key, validator.clone());
        validator
    }

    /// The schema with the components that it refers to, directly or not, and none of the others.
    fn closed(&self, schema: &Value) -> Value {
        let mut names = BTreeSet::new();
        let mut schemas = Map::new();
        let mut left = references(schema);
        while let Some(name) = left.pop() {
            if names.insert(name.clone()) {
                let component = self.document["components"]["schemas"][&name].clone();
                left.extend(references(&component));
                schemas.insert(name, component);
            }
        }
        let mut closed = schema.clone();
        closed["components"] = json!({ "schemas": schemas });
        closed
    }
}

/// Names of the component schemas that `schema` refers to.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(map) => {
            let own = map.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix("#/components/schemas/"));
            own.map(str::to_owned).into_iter().chain(map.values().flat_map(references)).collect()
        }
        Value::Array(list) => list.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// Two differences between what Discord accepts and what its document says (`stack.md` 9): permissions as a string,
/// and numeric ids of attachments.
fn coerced(body: &Value) -> Value {
    match body {
        Value::Array(list) => Value::Array(list.iter().map(coerced).collect()),
        Value::Object(map) => {
            let each = map.iter().map(|(key, value)| {
                let value = match (key.as_str(), value) {
                    ("default_member_permissions", Value::String(bits)) => {
                        bits.parse::<u64>().map_or(json!(bits), Value::from)
                    }
                    ("attachments", Value::Array(list)) => Value::Array(list.iter().map(with_text_id).collect()),
                    (_, value) => coerced(value),
                };
                (key.clone(), value)
            });
            Value::Object(each.collect())
        }
        other => other.clone(),
    }
}

fn with_text_id(attachment: &Value) -> Value {
    let mut attachment = attachment.clone();
    if let Some(id) = attachment["id"].as_u64() {
        attachment["id"] = json!(id.to_string());
    }
    attachment
}

/// What `twilight` says of the embeds and components of a message at `path`.
pub(super) fn second_opinion_on_message(body: &Value, path: &str, form: &mut Form) {
    if let Some(content) = body["content"].as_str() {
        note(twilight_validate::message::content(content), &format!("{path}/content"), form);
    }
    let embeds: Vec<Value> = body["embeds"].as_array().into_iter().flatten().map(as_received).collect();
    match serde_json::from_value::<Vec<Embed>>(Value::Array(embeds)) {
        Ok(embeds) => note(twilight_validate::message::embeds(&embeds), &format!("{path}/embeds"), form),
        Err(error) => form.fault(&format!("{path}/embeds"), "TWILIGHT", error.to_string()),
    }
    let v2 = body["flags"].as_u64().unwrap_or(0) & COMPONENTS_V2 != 0;
    let components = if body["components"].is_null() { json!([]) } else { body["components"].clone() };
    match serde_json::from_value::<Vec<Component>>(components) {
        Ok(components) => {
            note(twilight_validate::message::components(&components, v2), &format!("{path}/components"), form);
        }
        Err(error) => form.fault(&format!("{path}/components"), "TWILIGHT", error.to_string()),
    }
}

/// An embed as Discord gives it back, which is what `twilight` reads.
fn as_received(embed: &Value) -> Value {
    let mut embed = super::payload::without_nulls(embed);
    embed["type"] = json!("rich");
    for field in embed["fields"].as_array_mut().into_iter().flatten() {
        if field["inline"].is_null() {
            field["inline"] = json!(false);
        }
    }
    if embed["fields"].is_null() {
        embed["fields"] = json!([]);
    }
    embed
}

/// What `twilight` says of a command at `path`, given as the API will answer it.
pub(super) fn second_opinion_on_command(answered: &Value, path: &str, form: &mut Form) {
    match serde_json::from_value::<Command>(answered.clone()) {
        Ok(command) => {
            note(twilight_validate::command::command(&command), path, form);
            note_options(&command.options, &format!("{path}/options"), form);
        }
        Err(error) => form.fault(path, "TWILIGHT", error.to_string()),
    }
}

fn note_options(options: &[CommandOption], path: &str, form: &mut Form) {
    let nested = |option: &CommandOption| {
        matches!(option.kind, CommandOptionType::SubCommand | CommandOptionType::SubCommandGroup)
    };
    // `options` also looks at the order of required options.
    note(twilight_validate::command::options(options), path, form);
    for (index, option) in options.iter().enumerate().filter(|(_, option)| nested(option)) {
        note_options(option.options.as_deref().unwrap_or_default(), &format!("{path}/{index}/options"), form);
    }
}

fn note<E: std::fmt::Display>(result: Result<(), E>, path: &str, form: &mut Form) {
    if let Err(error) = result {
        form.fault(path, "TWILIGHT", error.to_string());
    }
}
