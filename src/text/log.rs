//! Makes the log of a build fit to be shown: without colours, markers and secrets.
//!
//! Promises that no control character is left, that what looks like a secret is replaced by `******` wherever it stands,
//! and time that grows with the length alone. A secret without a telling name or form cannot be known; BK-CI's agents
//! mask those that are declared (bkci-api 9). Must not be the last thing that is done to a text: it is still a
//! stranger's, and goes through [`super::plain()`] or [`super::code()`] after this, never before.

mod escapes;
mod keys;
mod named;
mod secrets;

use std::ops::Range;

/// In place of a secret; what BK-CI's agents write (bkci-api 9).
const MASK: &str = "******";

/// Lines of a log as a reader may see them, one for each.
pub fn clean(lines: &[String]) -> Vec<String> {
    let bare: Vec<String> =
        lines.iter().map(|line| without_anchors(without_markers(&escapes::removed(line)))).collect();
    let keys = keys::within(&bare);
    bare.iter().zip(keys).map(|(line, key)| masked(line, key)).collect()
}

/// A message of one or more lines as a reader may see it: cleaned as a log is.
pub fn mask(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    clean(&lines).join("\n")
}

fn masked(line: &str, key: Option<Range<usize>>) -> String {
    let mut secrets: Vec<Range<usize>> = key.into_iter().collect();
    secrets.extend(secrets::known(line));
    secrets.extend(secrets::presented(line));
    secrets.extend(secrets::given(line));
    secrets.extend(secrets::in_addresses(line));
    secrets.extend(named::values(line));
    secrets.sort_by_key(|range| range.start);
    let (mut shown, mut from) = (String::with_capacity(line.len()), 0);
    for secret in secrets {
        if secret.start > from || (secret.start == from && shown.is_empty()) {
            shown.push_str(&line[from..secret.start]);
            shown.push_str(MASK);
        }
        from = from.max(secret.end);
    }
    shown.push_str(&line[from..]);
    shown
}

/// Without what BK-CI and its agents put before a line: `##[error]`, `##[group]` and the like (bkci-api 9). The name of
/// a group stays.
fn without_markers(line: &str) -> &str {
    let mut rest = line;
    while let Some(marked) = rest.trim_start().strip_prefix("##[") {
        let word = marked.bytes().take(20).take_while(|byte| byte.is_ascii_alphabetic() || *byte == b'-').count();
        match marked[word..].strip_prefix(']') {
            Some(after) if word > 0 => rest = after,
            Some(_) | None => break,
        }
    }
    rest
}

/// `<a href='…'>text</a>` becomes its text.
fn without_anchors(line: &str) -> String {
    let (mut shown, mut rest) = (String::with_capacity(line.len()), line);
    while let Some(at) = rest.find('<') {
        shown.push_str(&rest[..at]);
        rest = &rest[at..];
        if begins_anchor(rest) {
            // Where there is no end, there is none for those that follow either.
            let Some(end) = rest.find('>') else { break };
            rest = &rest[end + 1..];
        } else {
            shown.push('<');
            rest = &rest[1..];
        }
    }
    shown.push_str(rest);
    shown
}

fn begins_anchor(tag: &str) -> bool {
    let name = tag.get(1..).unwrap_or_default();
    let ends = name.get(..3).is_some_and(|end| end.eq_ignore_ascii_case("/a>"));
    ends || name.strip_prefix(['a', 'A']).is_some_and(|rest| rest.starts_with(char::is_whitespace))
}

#[cfg(test)]
mod tests;
