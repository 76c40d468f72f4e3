//! Bodies: JSON, or `multipart/form-data` with `payload_json` and `files[n]` (`discord-rules.md` 4).

use serde_json::Value;

use crate::discord::refusal::{Refusal, form_error};

/// One uploaded file.
#[derive(Clone, Debug)]
pub(in crate::discord) struct File {
    /// The `n` of `files[n]`: the `id` in `attachments`.
    pub index: u64,
    pub filename: String,
    pub content_type: String,
    pub bytes: Vec<u8>,
}

/// Reads a body by its content type. No body at all is null.
pub(super) fn read(content_type: &str, bytes: &[u8]) -> Result<(Value, Vec<File>), Refusal> {
    if bytes.is_empty() {
        return Ok((Value::Null, Vec::new()));
    }
    if content_type.starts_with("application/json") {
        let body = serde_json::from_slice(bytes).map_err(|_| Refusal::invalid_json())?;
        return Ok((body, Vec::new()));
    }
    let boundary = content_type.strip_prefix("multipart/form-data").and_then(|rest| rest.split_once("boundary="));
    let Some((_, boundary)) = boundary else {
        // "Valid Content-Type or 50035" (`discord-rules.md` 6).
        let message = "Expected \"Content-Type\" header to be one of {'application/json', 'multipart/form-data'}.";
        return Err(form_error("", "CONTENT_TYPE_INVALID", message));
    };
    read_parts(boundary.split(';').next().unwrap_or_default().trim_matches('"'), bytes)
}

fn read_parts(boundary: &str, bytes: &[u8]) -> Result<(Value, Vec<File>), Refusal> {
    let (mut body, mut files) = (Value::Null, Vec::new());
    for part in parts(format!("--{boundary}").as_bytes(), bytes) {
        let Some(split) = find(part, b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&part[..split]).into_owned();
        let content = &part[split + 4..];
        let name = parameter(&head, "name").unwrap_or_default();
        if name == "payload_json" {
            body = serde_json::from_slice(content).map_err(|_| Refusal::invalid_json())?;
        } else if let Some(index) = name.strip_prefix("files[").and_then(|rest| rest.strip_suffix(']')) {
            let content_type = head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
            });
            files.push(File {
                index: index.parse().unwrap_or_default(),
                filename: parameter(&head, "filename").unwrap_or_else(|| "file".into()),
                content_type: content_type.unwrap_or_else(|| "application/octet-stream".into()),
                bytes: content.to_vec(),
            });
        } else {
            return Err(form_error(&name, "MULTIPART_FIELD", "Only payload_json and files[n] are accepted."));
        }
    }
    Ok((body, files))
}

/// What stands between the boundaries, without the line breaks that belong to them.
fn parts<'a>(delimiter: &[u8], mut rest: &'a [u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(start) = find(rest, delimiter) {
        rest = &rest[start + delimiter.len()..];
        let Some(end) = find(rest, delimiter) else { break };
        let part = rest[..end].strip_prefix(b"\r\n").unwrap_or(&rest[..end]);
        parts.push(part.strip_suffix(b"\r\n").unwrap_or(part));
    }
    parts
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn parameter(head: &str, name: &str) -> Option<String> {
    let (_, rest) = head.split_once(&format!("; {name}=\""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multipart_body_is_taken_apart() {
        let file = "Content-Disposition: form-data; name=\"files[0]\"; filename=\"a.csv\"\r\nContent-Type: text/csv";
        let json = "Content-Disposition: form-data; name=\"payload_json\"\r\n\r\n{\"content\":\"x\"}";
        let body = format!("--B\r\n{file}\r\n\r\na,b\r\n\r\n--B\r\n{json}\r\n--B--\r\n");
        let (json, files) = read("multipart/form-data; boundary=B", body.as_bytes()).expect("readable");
        assert_eq!(json["content"], "x");
        assert_eq!((files[0].filename.as_str(), files[0].content_type.as_str()), ("a.csv", "text/csv"));
        assert_eq!(files[0].bytes, b"a,b\r\n");
    }
}
