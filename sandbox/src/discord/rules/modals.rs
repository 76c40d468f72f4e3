//! Forms (`discord-rules.md` 4, Modals) and autocomplete choices (2).

use std::collections::HashSet;

use serde_json::Value;

use super::components::check_select;
use crate::discord::refusal::Form;

const MAX_CHOICES: usize = 25;
const MAX_CHOICE: usize = 100;

/// Checks the data of a callback of type 9.
pub(in crate::discord) fn check(modal: &Value, path: &str, form: &mut Form) {
    let mut custom_ids = HashSet::new();
    for (key, max) in [("custom_id", 100), ("title", 45)] {
        match modal[key].as_str() {
            Some(text) => form.length(&format!("{path}/{key}"), text, 1, max),
            None => form.required(&format!("{path}/{key}")),
        }
    }
    let components = modal["components"].as_array().map(Vec::as_slice).unwrap_or_default();
    form.count(&format!("{path}/components"), components.len(), 1, 5);
    for (index, component) in components.iter().enumerate() {
        let at = format!("{path}/components/{index}");
        match component["type"].as_u64() {
            Some(1) => {
                let inner = component["components"].as_array().map(Vec::as_slice).unwrap_or_default();
                form.count(&format!("{at}/components"), inner.len(), 1, 1);
                for (index, input) in inner.iter().enumerate() {
                    let at = format!("{at}/components/{index}");
                    // A label of its own belongs to an input in a row only.
                    match input["label"].as_str() {
                        Some(label) => form.length(&format!("{at}/label"), label, 1, 45),
                        None => form.required(&format!("{at}/label")),
                    }
                    check_input(input, &at, &mut custom_ids, form);
                }
            }
            Some(18) => {
                let label = component["label"].as_str().unwrap_or_default();
                form.length(&format!("{at}/label"), label, 1, 45);
                if let Some(description) = component["description"].as_str() {
                    form.length(&format!("{at}/description"), description, 1, 100);
                }
                check_input(&component["component"], &format!("{at}/component"), &mut custom_ids, form);
            }
            Some(10) => {}
            _ => form.fault(
                &format!("{at}/type"),
                "UNION_TYPE_CHOICES",
                "Value of field \"type\" must be one of (1, 10, 18).",
            ),
        }
    }
}

fn check_input(input: &Value, path: &str, custom_ids: &mut HashSet<String>, form: &mut Form) {
    let custom_id = input["custom_id"].as_str().unwrap_or_default();
    form.length(&format!("{path}/custom_id"), custom_id, 1, 100);
    if !custom_ids.insert(custom_id.to_owned()) {
        let message = "Component custom id cannot be duplicated";
        form.fault(&format!("{path}/custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", message);
    }
    match input["type"].as_u64() {
        Some(4) => {
            if !matches!(input["style"].as_u64(), Some(1 | 2)) {
                form.fault(&format!("{path}/style"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2}.");
            }
            for (key, max) in [("value", 4_000), ("placeholder", 100)] {
                form.length(&format!("{path}/{key}"), input[key].as_str().unwrap_or_default(), 0, max);
            }
            let (min, max) = (input["min_length"].as_u64().unwrap_or(0), input["max_length"].as_u64().unwrap_or(4_000));
            if min > 4_000 || !(1..=4_000).contains(&max) || min > max {
                form.fault(&format!("{path}/max_length"), "NUMBER_TYPE_MAX", "int value is out of range.");
            }
        }
        Some(kind @ (3 | 5..=8)) => {
            check_select(input, kind, path, form);
            if input["min_values"].as_u64() == Some(0) && input["required"].as_bool() != Some(false) {
                form.fault(
                    &format!("{path}/min_values"),
                    "SELECT_COMPONENT_MIN_VALUES",
                    "Must be at least 1 while required.",
                );
            }
        }
        Some(19 | 21..=23) => {}
        _ => form.fault(&format!("{path}/type"), "UNION_TYPE_CHOICES", "Value of field \"type\" is not allowed here."),
    }
}

/// Checks the data of a callback of type 8.
pub(in crate::discord) fn check_choices(data: &Value, path: &str, form: &mut Form) {
    let Some(choices) = data["choices"].as_array() else {
        form.required(&format!("{path}/choices"));
        return;
    };
    form.count(&format!("{path}/choices"), choices.len(), 0, MAX_CHOICES);
    for (index, choice) in choices.iter().enumerate() {
        let at = format!("{path}/choices/{index}");
        form.length(&format!("{at}/name"), choice["name"].as_str().unwrap_or_default(), 1, MAX_CHOICE);
        match &choice["value"] {
            Value::String(value) => form.length(&format!("{at}/value"), value, 1, MAX_CHOICE),
            Value::Number(_) => {}
            _ => form.required(&format!("{at}/value")),
        }
    }
}
