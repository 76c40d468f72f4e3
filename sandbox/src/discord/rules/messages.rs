//! Bodies that make or edit a message (`discord-rules.md` 4).

use serde_json::Value;

use super::{components, embeds};
use crate::discord::payload::ATTACHMENT_LIMIT;
use crate::discord::refusal::{Form, Refusal};
use crate::discord::rest::{Call, File};
use crate::discord::state::{COMPONENTS_V2, EPHEMERAL, SUPPRESS_EMBEDS, SUPPRESS_NOTIFICATIONS};

const MAX_CONTENT: usize = 2_000;
const MAX_NONCE: usize = 25;
const MAX_ATTACHMENTS: usize = 10;
const MAX_MENTIONED: usize = 100;

/// Flags that a client may set on an interaction's answer (`discord-rules.md` 1).
const ANSWER_FLAGS: u64 = SUPPRESS_EMBEDS | EPHEMERAL | SUPPRESS_NOTIFICATIONS | COMPONENTS_V2;

/// Checks the message fields of `body`, which stands at `path` in the request.
pub(in crate::discord) fn check(body: &Value, files: &[File], path: &str, form: &mut Form) {
    let at = |key: &str| format!("{path}/{key}");
    let v2 = body["flags"].as_u64().unwrap_or(0) & COMPONENTS_V2 != 0;
    match &body["content"] {
        Value::Null => {}
        Value::String(content) => form.length(&at("content"), content, 0, MAX_CONTENT),
        _ => form.fault(&at("content"), "STRING_TYPE_CONVERT", "Could not interpret as string."),
    }
    embeds::check(&body["embeds"], &at("embeds"), form);
    components::check(&body["components"], &at("components"), v2, form);
    check_mentions(&body["allowed_mentions"], &at("allowed_mentions"), form);
    check_files(&body["attachments"], files, &at("attachments"), form);
    if v2 {
        for key in ["content", "embeds", "poll", "sticker_ids"] {
            let value = &body[key];
            let used =
                !value.is_null() && value.as_str() != Some("") && value.as_array().is_none_or(|list| !list.is_empty());
            if used {
                let message = format!("The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2");
                form.fault(&at(key), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message);
            }
        }
    }
}

/// Flags that may be set when an interaction is answered.
pub(in crate::discord) fn check_answer_flags(body: &Value, path: &str, form: &mut Form) {
    if body["flags"].as_u64().unwrap_or(0) & !ANSWER_FLAGS != 0 {
        form.fault(&format!("{path}/flags"), "MESSAGE_FLAGS_INVALID", "The specified flags cannot be set.");
    }
}

/// A body that posts to a channel.
pub(in crate::discord) fn check_create(call: &Call, form: &mut Form) {
    check(&call.body, &call.files, "", form);
    match &call.body["nonce"] {
        Value::String(nonce) => form.length("nonce", nonce, 0, MAX_NONCE),
        Value::Null | Value::Number(_) => {}
        _ => form.fault("nonce", "NONCE_TYPE_TYPE", "Nonce must be an integer or a string."),
    }
    if call.body["flags"].as_u64().unwrap_or(0) & !(SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS | COMPONENTS_V2) != 0 {
        form.fault("flags", "MESSAGE_FLAGS_INVALID", "The specified flags cannot be set.");
    }
}

/// A body that edits a message, by either route.
pub(in crate::discord) fn check_edit(call: &Call, form: &mut Form) {
    check(&call.body, &call.files, "", form);
}

/// A body that posts a followup. It has no nonce (`discord-rules.md` 1).
pub(in crate::discord) fn check_followup(call: &Call, form: &mut Form) {
    check(&call.body, &call.files, "", form);
    check_answer_flags(&call.body, "", form);
    for key in ["username", "avatar_url", "thread_name"] {
        if !call.body[key].is_null() {
            form.fault(key, "WEBHOOK_FIELD_NOT_SUPPORTED", "Not supported for interaction followups.");
        }
    }
}

fn check_mentions(mentions: &Value, path: &str, form: &mut Form) {
    if mentions.is_null() {
        return;
    }
    let parse: Vec<&str> = mentions["parse"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for kind in ["users", "roles"] {
        let ids = mentions[kind].as_array().map(Vec::as_slice).unwrap_or_default();
        form.count(&format!("{path}/{kind}"), ids.len(), 0, MAX_MENTIONED);
        if !ids.is_empty() && parse.contains(&kind) {
            let message = format!("parse:[\"{kind}\"] and {kind}: [ids...] are mutually exclusive.");
            form.fault(path, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message);
        }
    }
    if parse.iter().any(|kind| !["users", "roles", "everyone"].contains(kind)) {
        form.fault(
            &format!("{path}/parse"),
            "BASE_TYPE_CHOICES",
            "Value must be one of {'users', 'roles', 'everyone'}.",
        );
    }
}

fn check_files(attachments: &Value, files: &[File], path: &str, form: &mut Form) {
    let listed = attachments.as_array().map(Vec::as_slice).unwrap_or_default();
    form.count(path, listed.len().max(files.len()), 0, MAX_ATTACHMENTS);
    for file in files {
        if file.bytes.len() > ATTACHMENT_LIMIT {
            form.fault(path, "FILE_SIZE_MAXIMUM", format!("File {} is larger than 10 MiB.", file.index));
        }
    }
    for (index, attachment) in listed.iter().enumerate() {
        if attachment["id"].is_null() {
            form.required(&format!("{path}/{index}/id"));
        }
    }
}

/// A message needs something to show (`discord-rules.md` 4).
pub(in crate::discord) fn needs_content(
    content: &str,
    embeds: &[Value],
    components: &[Value],
    attachments: usize,
) -> Result<(), Refusal> {
    let shows = !content.trim().is_empty() || !embeds.is_empty() || !components.is_empty() || attachments > 0;
    if shows { Ok(()) } else { Err(Refusal::empty_message()) }
}
