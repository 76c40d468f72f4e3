//! Message components (`discord-rules.md` 4, Components).
//!
//! Rows with buttons and selects are checked in full; of Components V2 the count, the exclusions and the flag. The rest
//! of V2 is left to Discord's own OpenAPI document.

use std::collections::HashSet;

use serde_json::Value;

use crate::discord::refusal::Form;

const MAX_ROWS: usize = 5;
const MAX_BUTTONS: usize = 5;
const MAX_V2: usize = 40;
const MAX_SELECT_OPTIONS: usize = 25;

/// Checks the components at `path`; `v2` tells whether the message has the flag.
pub(in crate::discord) fn check(components: &Value, path: &str, v2: bool, form: &mut Form) {
    let Some(components) = components.as_array() else {
        if !components.is_null() {
            form.fault(path, "BASE_TYPE_BAD_TYPE", "Only lists are accepted.");
        }
        return;
    };
    let mut custom_ids = HashSet::new();
    if v2 {
        let all = components.iter().map(count).sum();
        form.count(path, all, 0, MAX_V2);
    } else {
        form.count(path, components.len(), 0, MAX_ROWS);
    }
    for (index, component) in components.iter().enumerate() {
        let at = format!("{path}/{index}");
        match component["type"].as_u64() {
            Some(1) => check_row(component, &at, &mut custom_ids, form),
            Some(9 | 10 | 12 | 13 | 14 | 17) if v2 => {}
            Some(9 | 10 | 12 | 13 | 14 | 17) => {
                form.fault(&format!("{at}/type"), "UNION_TYPE_CHOICES", "Value of field \"type\" must be one of (1,).");
            }
            _ => {
                form.fault(&format!("{at}/type"), "UNION_TYPE_CHOICES", "Value of field \"type\" is not allowed here.")
            }
        }
    }
}

fn count(component: &Value) -> usize {
    let children = component["components"].as_array().into_iter().flatten().chain(component.get("accessory"));
    1 + children.map(count).sum::<usize>()
}

fn check_row(row: &Value, path: &str, custom_ids: &mut HashSet<String>, form: &mut Form) {
    let inner = row["components"].as_array().map(Vec::as_slice).unwrap_or_default();
    form.count(&format!("{path}/components"), inner.len(), 1, MAX_BUTTONS);
    let selects = inner.iter().filter(|one| matches!(one["type"].as_u64(), Some(3 | 5..=8))).count();
    // A row has up to five buttons or one select.
    if selects > 1 || (selects == 1 && inner.len() > 1) {
        let message = "The specified component exceeds the maximum width";
        form.fault(&format!("{path}/components"), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", message);
    }
    for (index, component) in inner.iter().enumerate() {
        let at = format!("{path}/components/{index}");
        match component["type"].as_u64() {
            Some(2) => check_button(component, &at, form),
            Some(kind @ (3 | 5..=8)) => check_select(component, kind, &at, form),
            _ => {
                form.fault(&format!("{at}/type"), "UNION_TYPE_CHOICES", "Value of field \"type\" is not allowed here.")
            }
        }
        if let Some(custom_id) = component["custom_id"].as_str()
            && !custom_ids.insert(custom_id.to_owned())
        {
            let message = "Component custom id cannot be duplicated";
            form.fault(&format!("{at}/custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", message);
        }
    }
}

fn check_button(button: &Value, path: &str, form: &mut Form) {
    let has = |key: &str| !button[key].is_null();
    let custom_id = format!("{path}/custom_id");
    match button["style"].as_u64() {
        Some(1..=4) => match button["custom_id"].as_str() {
            Some(id) if !has("url") => form.length(&custom_id, id, 1, 100),
            Some(_) => form.fault(
                path,
                "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE",
                "A custom id and url cannot both be specified",
            ),
            None => form.fault(path, "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED", "A custom id is required"),
        },
        Some(5) => match button["url"].as_str() {
            Some(_) if has("custom_id") => form.fault(
                path,
                "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE",
                "A custom id and url cannot both be specified",
            ),
            Some(url) => {
                form.length(&format!("{path}/url"), url, 1, 512);
                if !["http://", "https://", "discord://"].iter().any(|scheme| url.starts_with(scheme)) {
                    form.fault(
                        &format!("{path}/url"),
                        "URL_TYPE_INVALID_SCHEME",
                        "Scheme must be one of ('discord', 'http', 'https').",
                    );
                }
            }
            None => form.fault(path, "BUTTON_COMPONENT_URL_REQUIRED", "A url is required"),
        },
        Some(6) if has("sku_id") && !has("custom_id") && !has("url") && !has("label") => return,
        _ => form.fault(&format!("{path}/style"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5, 6}."),
    }
    let label = button["label"].as_str().unwrap_or_default();
    form.length(&format!("{path}/label"), label, 0, 80);
    if label.is_empty() && !has("emoji") {
        form.fault(path, "BUTTON_COMPONENT_INVALID", "A button must have a label or an emoji");
    }
}

/// Checks a select; also used by forms.
pub(super) fn check_select(select: &Value, kind: u64, path: &str, form: &mut Form) {
    match select["custom_id"].as_str() {
        Some(id) => form.length(&format!("{path}/custom_id"), id, 1, 100),
        None => form.required(&format!("{path}/custom_id")),
    }
    if let Some(placeholder) = select["placeholder"].as_str() {
        form.length(&format!("{path}/placeholder"), placeholder, 0, 150);
    }
    let min = select["min_values"].as_u64().unwrap_or(1);
    let max = select["max_values"].as_u64().unwrap_or(1);
    if min > 25 {
        form.fault(&format!("{path}/min_values"), "NUMBER_TYPE_MAX", "int value should be less than or equal to 25.");
    }
    if !(1..=25).contains(&max) || max < min {
        form.fault(&format!("{path}/max_values"), "NUMBER_TYPE_MAX", "int value should be between min_values and 25.");
    }
    if kind == 3 {
        check_options(select, max, path, form);
    }
}

fn check_options(select: &Value, max_values: u64, path: &str, form: &mut Form) {
    let options = select["options"].as_array().map(Vec::as_slice).unwrap_or_default();
    form.count(&format!("{path}/options"), options.len(), 1, MAX_SELECT_OPTIONS);
    if (options.len() as u64) < max_values {
        form.fault(
            &format!("{path}/max_values"),
            "SELECT_COMPONENT_MAX_VALUES",
            "There are fewer options than max_values.",
        );
    }
    let mut values = HashSet::new();
    for (index, option) in options.iter().enumerate() {
        for (key, required) in [("label", true), ("value", true), ("description", false)] {
            let at = format!("{path}/options/{index}/{key}");
            match option[key].as_str() {
                Some(text) => form.length(&at, text, 1, 100),
                None if required => form.required(&at),
                None => {}
            }
        }
        if !values.insert(option["value"].as_str().unwrap_or_default()) {
            let message = "The specified option value is already used";
            form.fault(&format!("{path}/options/{index}/value"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", message);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(components: Value) -> String {
        let mut form = Form::default();
        check(&components, "components", false, &mut form);
        form.describe()
    }

    fn row(inner: Value) -> Value {
        json!({ "type": 1, "components": inner })
    }

    fn button(custom_id: &str) -> Value {
        json!({ "type": 2, "style": 1, "label": "Go", "custom_id": custom_id })
    }

    #[test]
    fn what_discord_accepts_passes() {
        let link = json!({ "type": 2, "style": 5, "label": "Build", "url": "https://example.org" });
        let select = json!({ "type": 3, "custom_id": "s", "options": [{ "label": "a", "value": "a" }] });
        assert_eq!(faults(json!([row(json!([button("a"), link])), row(json!([select]))])), "");
    }

    #[test]
    fn what_discord_refuses_is_named() {
        let select = json!({ "type": 3, "custom_id": "s", "options": [{ "label": "a", "value": "a" }] });
        let six: Vec<Value> = (0..6).map(|n| button(&n.to_string())).collect();
        for (components, code) in [
            (json!([row(json!([button("a")])), row(json!([button("a")]))]), "COMPONENT_CUSTOM_ID_DUPLICATED"),
            (json!([row(json!([select, button("a")]))]), "COMPONENT_LAYOUT_WIDTH_EXCEEDED"),
            (json!([row(json!(six))]), "BASE_TYPE_BAD_LENGTH"),
            (json!([row(json!([button(&"x".repeat(101))]))]), "BASE_TYPE_MAX_LENGTH"),
            (json!([button("a")]), "UNION_TYPE_CHOICES"),
            (json!([{ "type": 10, "content": "v2" }]), "UNION_TYPE_CHOICES"),
        ] {
            let said = faults(components);
            assert!(said.contains(code), "{code}: {said}");
        }
    }
}
