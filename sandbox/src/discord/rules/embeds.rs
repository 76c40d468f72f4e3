//! Embeds (`discord-rules.md` 4).

use serde_json::Value;

use crate::discord::refusal::Form;

const MAX_EMBEDS: usize = 10;
const MAX_TOTAL: usize = 6_000;
const MAX_FIELDS: usize = 25;
const URL_KEYS: [&str; 6] =
    ["/url", "/author/url", "/author/icon_url", "/footer/icon_url", "/image/url", "/thumbnail/url"];

/// Checks a list of embeds at `path`.
pub(in crate::discord) fn check(embeds: &Value, path: &str, form: &mut Form) {
    let Some(embeds) = embeds.as_array() else {
        if !embeds.is_null() {
            form.fault(path, "BASE_TYPE_BAD_TYPE", "Only lists are accepted.");
        }
        return;
    };
    form.count(path, embeds.len(), 0, MAX_EMBEDS);
    for (index, embed) in embeds.iter().enumerate() {
        check_one(embed, &format!("{path}/{index}"), form);
    }
    let total: usize = embeds.iter().map(characters).sum();
    if total > MAX_TOTAL {
        form.fault(path, "MAX_EMBED_SIZE_EXCEEDED", format!("Embed size exceeds maximum size of {MAX_TOTAL}"));
    }
}

fn check_one(embed: &Value, path: &str, form: &mut Form) {
    let limits = [("title", 256), ("description", 4_096), ("footer/text", 2_048), ("author/name", 256)];
    for (key, max) in limits {
        match embed.pointer(&format!("/{key}")) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => form.length(&format!("{path}/{key}"), text, 0, max),
            Some(_) => form.fault(&format!("{path}/{key}"), "STRING_TYPE_CONVERT", "Could not interpret as string."),
        }
    }
    for key in URL_KEYS {
        let url = embed.pointer(key).and_then(Value::as_str);
        if url.is_some_and(|url| !["http://", "https://", "attachment://"].iter().any(|scheme| url.starts_with(scheme)))
        {
            let message = "Scheme must be one of ('http', 'https').";
            form.fault(&format!("{path}{key}"), "URL_TYPE_INVALID_SCHEME", message);
        }
    }
    let fields = embed["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    form.count(&format!("{path}/fields"), fields.len(), 0, MAX_FIELDS);
    for (index, field) in fields.iter().enumerate() {
        for (key, max) in [("name", 256), ("value", 1_024)] {
            let at = format!("{path}/fields/{index}/{key}");
            match field[key].as_str().filter(|text| !text.trim().is_empty()) {
                Some(text) => form.length(&at, text, 1, max),
                None => form.required(&at),
            }
        }
    }
    let shown = ["/title", "/description", "/author/name", "/footer/text", "/image/url", "/thumbnail/url"];
    let empty = fields.is_empty()
        && shown.iter().all(|key| embed.pointer(key).and_then(Value::as_str).is_none_or(str::is_empty));
    if empty {
        form.required(&format!("{path}/description"));
    }
}

/// What counts towards the common limit: title, description, field names and values, footer, author.
fn characters(embed: &Value) -> usize {
    let texts = ["/title", "/description", "/footer/text", "/author/name"];
    let count = |value: Option<&Value>| value.and_then(Value::as_str).map_or(0, |text| text.chars().count());
    let own: usize = texts.iter().map(|key| count(embed.pointer(key))).sum();
    let fields = embed["fields"].as_array().into_iter().flatten();
    own + fields.map(|field| count(field.get("name")) + count(field.get("value"))).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(embeds: Value) -> String {
        let mut form = Form::default();
        check(&embeds, "embeds", &mut form);
        form.describe()
    }

    #[test]
    fn each_length_has_its_limit() {
        let long = |length: usize| "x".repeat(length);
        assert_eq!(faults(json!([{ "title": long(256), "description": long(4096) }])), "");
        for (embed, at) in [
            (json!({ "title": long(257) }), "embeds/0/title"),
            (json!({ "description": long(4097) }), "embeds/0/description"),
            (json!({ "title": "t", "footer": { "text": long(2049) } }), "embeds/0/footer/text"),
            (json!({ "title": "t", "author": { "name": long(257) } }), "embeds/0/author/name"),
            (json!({ "fields": [{ "name": long(257), "value": "v" }] }), "embeds/0/fields/0/name"),
            (json!({ "fields": [{ "name": "n", "value": long(1025) }] }), "embeds/0/fields/0/value"),
            (json!({ "fields": [{ "name": "n", "value": "" }] }), "embeds/0/fields/0/value"),
            (json!({ "title": "t", "url": "javascript:x" }), "embeds/0/url"),
            (json!({}), "embeds/0/description"),
        ] {
            let said = faults(json!([embed]));
            assert!(said.contains(&format!("at \"{at}\"")), "{at}: {said}");
        }
    }

    #[test]
    fn all_embeds_together_have_one_limit() {
        let half = json!({ "description": "x".repeat(3_001) });
        assert!(faults(json!([half, half])).contains("MAX_EMBED_SIZE_EXCEEDED"));
    }
}
