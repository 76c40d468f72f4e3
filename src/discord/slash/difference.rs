//! Whether what is registered at Discord is what this version defines.

use serde_json::Value;
use serenity::all::CreateCommand;

use super::Scope;

/// What the server adds to a command, or says of it without having been told (discord-rules 3).
const ADDED: [&str; 9] = [
    "id",
    "version",
    "application_id",
    "guild_id",
    "dm_permission",
    "default_permission",
    "handler",
    "name_localized",
    "description_localized",
];

/// Whether what is registered is not what this version defines, so that it must be registered anew. The order of
/// commands means nothing, that of options does.
pub fn differs(scope: Scope, defined: &[CreateCommand], registered: &[Value]) -> bool {
    let defined: Vec<Value> = defined.iter().map(|command| serde_json::to_value(command).unwrap_or_default()).collect();
    let plain = |commands: &[Value]| {
        let mut plain: Vec<String> = commands.iter().map(|command| stripped(scope, command).to_string()).collect();
        plain.sort();
        plain
    };
    plain(&defined) != plain(registered)
}

fn stripped(scope: Scope, command: &Value) -> Value {
    let Value::Object(fields) = command else { return command.clone() };
    let mut kept = serde_json::Map::new();
    for (name, value) in fields {
        let of_global = matches!(name.as_str(), "contexts" | "integration_types");
        if ADDED.contains(&name.as_str()) || (of_global && scope == Scope::Guild) || means_nothing(name, value) {
            continue;
        }
        let value = match (name.as_str(), value) {
            ("options" | "choices", Value::Array(options)) => {
                options.iter().map(|option| stripped(scope, option)).collect()
            }
            // The document says integer, the server sends text (stack.md 9).
            ("default_member_permissions", Value::Number(number)) => Value::String(number.to_string()),
            (_, value) => value.clone(),
        };
        kept.insert(name.clone(), value);
    }
    Value::Object(kept)
}

/// Absent, or what the server says by default: `false`, an empty list, the command type for slash commands.
fn means_nothing(name: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(_) => name == "type" && value == 1,
        Value::Bool(true) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::definitions;
    use super::*;
    use crate::model::Locale;
    use serde_json::json;

    fn describe(path: &str, locale: Locale) -> String {
        format!("{path} in {}", locale.as_str())
    }

    fn registered(scope: Scope) -> Vec<Value> {
        let mut commands: Vec<Value> =
            definitions(scope, &describe).iter().map(|c| serde_json::to_value(c).expect("JSON")).collect();
        for command in &mut commands {
            let fields = command.as_object_mut().expect("an object");
            for (name, value) in [
                ("id", json!("1")),
                ("version", json!("2")),
                ("application_id", json!("3")),
                ("nsfw", json!(false)),
                ("dm_permission", json!(true)),
                ("name_localizations", json!(null)),
                ("type", json!(1)),
            ] {
                fields.insert(name.to_owned(), value);
            }
            if scope == Scope::Guild {
                fields.insert("guild_id".to_owned(), json!("9"));
                fields.insert("integration_types".to_owned(), json!([0]));
                fields.insert("contexts".to_owned(), json!(null));
            }
        }
        commands.reverse();
        commands
    }

    #[test]
    fn what_the_server_adds_makes_no_difference() {
        for scope in [Scope::Global, Scope::Guild] {
            assert!(!differs(scope, &definitions(scope, &describe), &registered(scope)), "{scope:?}");
        }
    }

    #[test]
    fn every_difference_that_somebody_would_see_counts() {
        let changed_in = |name: &str, pointer: &str, value: Value| {
            let mut commands = registered(Scope::Guild);
            let command = commands.iter_mut().find(|command| command["name"] == name).expect(name);
            *command.pointer_mut(pointer).expect(pointer) = value;
            differs(Scope::Guild, &definitions(Scope::Guild, &describe), &commands)
        };
        let changed = |pointer: &str, value: Value| changed_in("retry", pointer, value);
        assert!(changed("/description", json!("another")));
        assert!(changed("/description_localizations/ja", json!("another")));
        assert!(changed("/options/0/required", json!(false)));
        assert!(changed("/options/0/description_localizations", json!({})));
        let choice = "/options/0/options/2/choices/1";
        assert!(changed_in("watch", &format!("{choice}/name"), json!("another")));
        assert!(changed_in("watch", &format!("{choice}/name_localizations/ja"), json!("another")));
        let said_by_discord = json!({"name": "watch add on all in en", "value": "all", "name_localized": "all",
            "name_localizations": {"zh-CN": "watch add on all in zh-CN", "ja": "watch add on all in ja"}});
        assert!(!changed_in("watch", "/options/0/options/2/choices/2", said_by_discord));
        let mut fewer = registered(Scope::Guild);
        fewer.pop();
        assert!(differs(Scope::Guild, &definitions(Scope::Guild, &describe), &fewer));
    }
}
