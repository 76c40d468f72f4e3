//! Definitions of application commands (`discord-rules.md` 3).

use std::collections::HashSet;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::discord::refusal::Form;

const MAX_OPTIONS: usize = 25;
const MAX_CHARACTERS: usize = 8_000;
/// Largest INTEGER value: 2^53 − 1.
const MAX_INTEGER: f64 = 9_007_199_254_740_991.0;

/// The keys of localisation dictionaries.
const LOCALES: [&str; 32] = [
    "id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr", "hr", "it", "lt", "hu", "nl", "no", "pl", "pt-BR",
    "ro", "fi", "sv-SE", "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi", "th", "zh-CN", "ja", "zh-TW", "ko",
];

/// Checks a definition at `path`; `in_guild` tells whether it is for one server.
pub(in crate::discord) fn check(command: &Value, path: &str, in_guild: bool, form: &mut Form) {
    let at = |key: &str| format!("{path}/{key}");
    let kind = command["type"].as_u64().unwrap_or(1);
    let kinds = if in_guild { 1..=3 } else { 1..=4 };
    if !kinds.contains(&kind) {
        form.fault(&at("type"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4}.");
    }
    let chat_input = kind == 1;
    check_name(command, path, chat_input, form);
    if chat_input {
        check_description(command, path, form);
        check_options(&command["options"], &at("options"), 0, form);
    } else if kind != 4 {
        for (key, code) in [
            ("description", "APPLICATION_COMMAND_DESCRIPTION_NOT_ALLOWED"),
            ("options", "APPLICATION_COMMAND_OPTIONS_NOT_ALLOWED"),
        ] {
            let value = &command[key];
            if value.as_str().is_some_and(|text| !text.is_empty())
                || value.as_array().is_some_and(|list| !list.is_empty())
            {
                form.fault(&at(key), code, "Context menu commands cannot have this field");
            }
        }
    }
    if in_guild {
        for key in ["contexts", "integration_types"] {
            if !command[key].is_null() {
                form.fault(
                    &at(key),
                    "APPLICATION_COMMAND_GUILD_ONLY_GLOBAL",
                    "Only global commands can set this field",
                );
            }
        }
    }
    match &command["default_member_permissions"] {
        Value::Null => {}
        Value::String(bits) if bits.parse::<u64>().is_ok() => {}
        // The documentation says a string, the OpenAPI document an integer; Discord takes both.
        Value::Number(bits) if bits.is_u64() => {}
        _ => form.fault(&at("default_member_permissions"), "NUMBER_TYPE_COERCE", "Value is not a bit set."),
    }
    let characters = characters(command);
    if characters > MAX_CHARACTERS {
        let message = format!("Command exceeds maximum size ({MAX_CHARACTERS})");
        form.fault(path, "APPLICATION_COMMAND_TOO_LARGE", message);
    }
}

/// `^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$`, lower-case where a lower-case form exists.
fn is_chat_input_name(name: &str) -> bool {
    static PATTERN: OnceLock<Option<jsonschema::Validator>> = OnceLock::new();
    let pattern = PATTERN.get_or_init(|| {
        let pattern = r"^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$";
        jsonschema::validator_for(&json!({ "pattern": pattern })).ok()
    });
    let fits = pattern.as_ref().is_some_and(|pattern| pattern.is_valid(&json!(name)));
    fits && name.to_lowercase() == name
}

fn check_one_name(name: &str, path: &str, strict: bool, form: &mut Form) {
    form.length(path, name, 1, 32);
    if strict && !is_chat_input_name(name) {
        form.fault(path, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
    }
}

fn check_name(thing: &Value, path: &str, strict: bool, form: &mut Form) {
    match thing["name"].as_str() {
        Some(name) => check_one_name(name, &format!("{path}/name"), strict, form),
        None => form.required(&format!("{path}/name")),
    }
    for (locale, name) in thing["name_localizations"].as_object().into_iter().flatten() {
        let at = format!("{path}/name_localizations/{locale}");
        check_one_name(name.as_str().unwrap_or_default(), &at, strict, form);
    }
    check_locales(&thing["name_localizations"], &format!("{path}/name_localizations"), form);
}

fn check_description(thing: &Value, path: &str, form: &mut Form) {
    match thing["description"].as_str() {
        Some(text) => form.length(&format!("{path}/description"), text, 1, 100),
        None => form.required(&format!("{path}/description")),
    }
    for (locale, text) in thing["description_localizations"].as_object().into_iter().flatten() {
        let at = format!("{path}/description_localizations/{locale}");
        form.length(&at, text.as_str().unwrap_or_default(), 1, 100);
    }
    check_locales(&thing["description_localizations"], &format!("{path}/description_localizations"), form);
}

fn check_locales(dictionary: &Value, path: &str, form: &mut Form) {
    for locale in dictionary.as_object().into_iter().flatten().map(|(locale, _)| locale) {
        if !LOCALES.contains(&locale.as_str()) {
            form.fault(&format!("{path}/{locale}"), "ENUM_TYPE_COERCE", "Value is not a known locale.");
        }
    }
}

/// `depth`: 0 below a command, 1 below a group or subcommand of it, 2 below a subcommand of a group.
fn check_options(options: &Value, path: &str, depth: usize, form: &mut Form) {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    form.count(path, options.len(), 0, MAX_OPTIONS);
    let (mut names, mut optional_seen) = (HashSet::new(), false);
    let nested = options.iter().filter(|option| matches!(option["type"].as_u64(), Some(1 | 2))).count();
    if nested != 0 && nested != options.len() {
        form.fault(
            path,
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
            "Sub-command and sub-command group option types are mutually exclusive to all other types",
        );
    }
    for (index, option) in options.iter().enumerate() {
        let at = format!("{path}/{index}");
        check_name(option, &at, true, form);
        check_description(option, &at, form);
        if !names.insert(option["name"].as_str().unwrap_or_default()) {
            form.fault(
                &format!("{at}/name"),
                "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS",
                "Option name already exists",
            );
        }
        let kind = option["type"].as_u64().unwrap_or(0);
        match (kind, depth) {
            (1, 0 | 1) => check_options(&option["options"], &format!("{at}/options"), 2, form),
            (2, 0) => {
                form.count(&format!("{at}/options"), option["options"].as_array().map_or(0, Vec::len), 1, MAX_OPTIONS);
                check_options(&option["options"], &format!("{at}/options"), 1, form);
            }
            (1 | 2, _) => form.fault(
                &format!("{at}/type"),
                "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
                "Sub-commands cannot be nested here",
            ),
            (3..=11, 1) => form.fault(
                &format!("{at}/type"),
                "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
                "A group holds only sub-commands",
            ),
            (3..=11, _) => check_value_option(option, kind, &at, form),
            _ => form.fault(&format!("{at}/type"), "BASE_TYPE_CHOICES", "Value must be one of {1, …, 11}."),
        }
        let required = option["required"].as_bool().unwrap_or(false);
        if required && optional_seen {
            let message = "Required options must be placed before non-required options";
            form.fault(&at, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message);
        }
        optional_seen |= !required && kind > 2;
    }
    check_localised_names(options, path, form);
}

/// A localised option name differs from all default names of the others, and from all others in that locale.
fn check_localised_names(options: &[Value], path: &str, form: &mut Form) {
    for locale in LOCALES {
        let mut seen = HashSet::new();
        for (index, option) in options.iter().enumerate() {
            let Some(name) = option["name_localizations"][locale].as_str() else { continue };
            let clashes = options.iter().enumerate().any(|(other, one)| other != index && one["name"] == name);
            if clashes || !seen.insert(name) {
                let at = format!("{path}/{index}/name_localizations/{locale}");
                form.fault(&at, "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", "Option name already exists");
            }
        }
    }
}

fn check_value_option(option: &Value, kind: u64, path: &str, form: &mut Form) {
    let at = |key: &str| format!("{path}/{key}");
    let choices = option["choices"].as_array().map(Vec::as_slice).unwrap_or_default();
    let takes_choices = matches!(kind, 3 | 4 | 10);
    form.count(&at("choices"), choices.len(), 0, MAX_OPTIONS);
    if !choices.is_empty() && !takes_choices {
        form.fault(&at("choices"), "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", "This option type has no choices");
    }
    if option["autocomplete"].as_bool() == Some(true) && (!takes_choices || !choices.is_empty()) {
        form.fault(
            &at("autocomplete"),
            "APPLICATION_COMMAND_AUTOCOMPLETE_INVALID",
            "Not for this option type, nor together with choices",
        );
    }
    for (index, choice) in choices.iter().enumerate() {
        check_name_of_choice(choice, &format!("{path}/choices/{index}"), form);
        let value = &choice["value"];
        let fits = match kind {
            3 => value.as_str().is_some_and(|text| (1..=100).contains(&text.chars().count())),
            4 => value.as_i64().is_some() && value.as_f64().is_some_and(|number| number.abs() <= MAX_INTEGER),
            _ => value.as_f64().is_some_and(|number| number.abs() <= MAX_INTEGER + 1.0),
        };
        if !fits {
            form.fault(
                &format!("{path}/choices/{index}/value"),
                "BASE_TYPE_BAD_TYPE",
                "The value does not fit the option's type",
            );
        }
    }
    let (min, max) = (option["min_length"].as_u64(), option["max_length"].as_u64());
    if (min.is_some() || max.is_some()) && kind != 3 {
        form.fault(&at("min_length"), "APPLICATION_COMMAND_OPTIONS_LENGTH_INVALID", "Only for strings");
    }
    if min.is_some_and(|min| min > 6_000)
        || max.is_some_and(|max| !(1..=6_000).contains(&max))
        || min.zip(max).is_some_and(|(min, max)| min > max)
    {
        form.fault(&at("max_length"), "NUMBER_TYPE_MAX", "int value is out of range.");
    }
    if !matches!(kind, 4 | 10) && ["min_value", "max_value"].iter().any(|key| !option[key].is_null()) {
        form.fault(&at("min_value"), "APPLICATION_COMMAND_OPTIONS_RANGE_INVALID", "Only for numbers");
    }
}

fn check_name_of_choice(choice: &Value, path: &str, form: &mut Form) {
    form.length(&format!("{path}/name"), choice["name"].as_str().unwrap_or_default(), 1, 100);
    for (locale, name) in choice["name_localizations"].as_object().into_iter().flatten() {
        form.length(&format!("{path}/name_localizations/{locale}"), name.as_str().unwrap_or_default(), 1, 100);
    }
    check_locales(&choice["name_localizations"], &format!("{path}/name_localizations"), form);
}

/// Names, descriptions and values; of each text the longest localisation counts.
fn characters(thing: &Value) -> usize {
    let longest = |key: &str| {
        let localised = thing[format!("{key}_localizations")].as_object().into_iter().flatten().map(|(_, text)| text);
        let texts = localised.chain([&thing[key]]).filter_map(Value::as_str);
        texts.map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let value = thing["value"].as_str().map_or(0, |text| text.chars().count());
    let inner = ["options", "choices"].into_iter().flat_map(|key| thing[key].as_array().into_iter().flatten());
    longest("name") + longest("description") + value + inner.map(characters).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(command: &Value, in_guild: bool) -> String {
        let mut form = Form::default();
        check(command, "", in_guild, &mut form);
        form.describe()
    }

    #[test]
    fn names_follow_discords_pattern() {
        for good in ["retry", "重试", "リトライ", "build-log_2", "สวัสดี"] {
            assert!(is_chat_input_name(good), "{good}");
        }
        for bad in ["Retry", "re try", "", "a!", &"x".repeat(33)] {
            assert!(!is_chat_input_name(bad), "{bad}");
        }
    }

    #[test]
    fn wrong_definitions_are_named() {
        let option =
            |name: &str, required: bool| json!({ "type": 3, "name": name, "description": "d", "required": required });
        let with = |options: Value| json!({ "name": "retry", "description": "d", "options": options });
        assert_eq!(faults(&with(json!([option("a", true), option("b", false)])), true), "");
        for (command, code) in [
            (with(json!([option("a", false), option("b", true)])), "REQUIRED_INVALID"),
            (with(json!([option("a", true), option("a", true)])), "NAME_ALREADY_EXISTS"),
            (json!({ "name": "retry" }), "BASE_TYPE_REQUIRED"),
            (json!({ "name": "retry", "description": "d", "contexts": [0] }), "ONLY_GLOBAL"),
            (
                json!({ "name": "retry", "description": "d", "name_localizations": { "zh": "重试" } }),
                "ENUM_TYPE_COERCE",
            ),
            (json!({ "name": "DevOps mapping", "type": 2, "description": "d" }), "DESCRIPTION_NOT_ALLOWED"),
            (
                with(json!([{
                    "type": 3, "name": "a", "description": "d", "autocomplete": true,
                    "choices": [{ "name": "n", "value": "v" }],
                }])),
                "AUTOCOMPLETE_INVALID",
            ),
        ] {
            let said = faults(&command, true);
            assert!(said.contains(code), "{code}: {said}");
        }
    }

    #[test]
    fn a_command_has_at_most_8000_characters() {
        let choices: Vec<Value> =
            (0..25).map(|n| json!({ "name": "n".repeat(90), "value": format!("{n:0>100}") })).collect();
        let option = |name: &str| json!({ "type": 3, "name": name, "description": "d", "choices": choices });
        let command = json!({ "name": "big", "description": "d", "options": [option("a"), option("b")] });
        assert!(faults(&command, true).contains("TOO_LARGE"));
    }
}
