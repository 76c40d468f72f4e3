//! Values that are secret because of the name before them: `password=…`, `"apiKey": "…"`, `--token …`.
//!
//! In doubt the value is masked: what a reader loses is a word, what a stranger wins is an account.

use std::ops::Range;

use super::secrets::words;

/// How the names of secrets end, in small letters and without what separates their words.
const SECRET: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "encryptionkey",
    "signingkey",
    "authkey",
    "accountkey",
    "storagekey",
    "credential",
];

/// More of them, in the other languages that BK-CI speaks.
const SECRET_WORDS: [&str; 8] = ["密码", "口令", "令牌", "密钥", "パスワード", "トークン", "暗証番号", "秘密鍵"];

/// What may follow them in a name that still is a secret's; without the digits at its end (`base64`, `b64`).
const AFTER: [&str; 7] = ["value", "hash", "b", "base", "plain", "text", "raw"];

/// Words that stand after such a name in a sentence, or for nothing at all.
const ORDINARY: [&str; 42] = [
    "true",
    "false",
    "null",
    "none",
    "nil",
    "undefined",
    "yes",
    "no",
    "ok",
    "required",
    "missing",
    "invalid",
    "expired",
    "must",
    "is",
    "was",
    "not",
    "the",
    "a",
    "an",
    "unexpected",
    "expected",
    "cannot",
    "should",
    "failed",
    "passed",
    "fail",
    "error",
    "empty",
    "unset",
    "string",
    "number",
    "boolean",
    "object",
    "optional",
    "too",
    "incorrect",
    "mismatch",
    "denied",
    "rejected",
    "unknown",
    "please",
];

/// Such a name is not longer than this; what is, is looked at from its end.
const NAME_MAX: usize = 64;

/// A word of so many letters and digits, mixed, after such a name is taken for the secret itself.
const RANDOM: usize = 16;

/// How sure a name makes us that what follows is secret.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A secret of one word.
    Secret,
    /// Several of them, or a count.
    Plural,
    /// A header's value, up to its end.
    Header,
    /// `pass`: a secret, or how many tests passed.
    Pass,
    /// The working directory, or a secret.
    Directory,
    /// A secret only if it looks like one.
    Perhaps,
}

/// What stands between a name and its value.
#[derive(Clone, Copy, PartialEq)]
enum Link {
    Equals,
    Colon,
    /// `--password x`
    Blank,
    /// `<password>x<`
    Element,
}

/// The values in a line.
pub(super) fn values(line: &str) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(name) = next_name(line, at) {
        at = name.end;
        if let Some(value) = value_of(line, &name) {
            at = value.end.max(at);
            found.push(value);
        }
    }
    found
}

fn next_name(line: &str, from: usize) -> Option<Range<usize>> {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let start = from + line[from..].find(is_of_name)?;
    let length = line[start..].find(|c| !is_of_name(c)).unwrap_or(line.len() - start);
    Some(start..start + length)
}

fn value_of(line: &str, name: &Range<usize>) -> Option<Range<usize>> {
    let before = line[..name.start].chars().next_back();
    let kind = kind_of(&line[name.clone()], before)?;
    let Some((link, start)) = link(line, name, before) else {
        return random_word(line, name.end).filter(|_| matches!(kind, Kind::Secret | Kind::Plural));
    };
    let value = match opening(&line[start..]) {
        Some((quote, content)) => quoted(line, start + content, (quote, kind)),
        None => unquoted(line, start, (kind, link, before)),
    }?;
    let text = &line[value.clone()];
    let is_secret = match kind {
        Kind::Secret | Kind::Header | Kind::Directory => true,
        Kind::Plural | Kind::Pass => !is_count(text),
        Kind::Perhaps => is_random(text),
    };
    let stands_for_one = text.trim().is_empty() || is_reference(text) || is_ordinary(text, link);
    (is_secret && !stands_for_one).then_some(value)
}

fn kind_of(name: &str, before: Option<char>) -> Option<Kind> {
    let cut = (0..=name.len()).rev().find(|at| name.len() - at >= NAME_MAX && name.is_char_boundary(*at));
    let name = name[cut.unwrap_or(0)..].trim_end_matches(['.', '-', '_']);
    if SECRET_WORDS.iter().any(|word| name.ends_with(word)) {
        return Some(Kind::Secret);
    }
    let squashed: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let word = squashed.trim_end_matches(|c: char| c.is_ascii_digit());
    let word = AFTER.iter().find_map(|after| word.strip_suffix(after).filter(|word| is_secret(word))).unwrap_or(word);
    match word {
        "pwd" | "oldpwd" => Some(Kind::Directory),
        "pass" => Some(Kind::Pass),
        "auth" | "sig" | "sign" => Some(Kind::Perhaps),
        "key" => Some(Kind::Perhaps).filter(|_| matches!(before, Some('?' | '&'))),
        _ if is_secret(word) => Some(Kind::Secret),
        _ if word.strip_suffix('s').is_some_and(is_secret) => Some(Kind::Plural),
        _ if word.ends_with("authorization") || word.ends_with("cookie") => Some(Kind::Header),
        _ if word.ends_with("signature") => Some(Kind::Perhaps),
        _ if ["_pass", "-pass", ".pass", "_PASS", "-PASS", "Pass"].iter().any(|end| name.ends_with(end)) => {
            Some(Kind::Plural)
        }
        _ => None,
    }
}

fn is_secret(word: &str) -> bool {
    SECRET.iter().any(|secret| word.ends_with(secret))
}

/// What leads from a name to its value, and where that begins.
fn link(line: &str, name: &Range<usize>, before: Option<char>) -> Option<(Link, usize)> {
    let rest = &line[name.end..];
    let closed = rest.trim_start_matches(['\\', '"', '\'', '`', ']']);
    let spaced = closed.trim_start();
    let at = |rest: &str| line.len() - rest.trim_start().len();
    let is_flag = line[name.clone()].starts_with('-') && closed.len() == rest.len() && spaced.len() < closed.len();
    let as_entry = || {
        // `"key": "PASSWORD", "value": "x"`
        let value = spaced.strip_prefix(',').unwrap_or(spaced).trim_start().trim_start_matches(['\\', '"', '\'']);
        let rest = value.strip_prefix("value")?.trim_start_matches(['\\', '"', '\'']).trim_start();
        rest.strip_prefix(['=', ':']).map(|rest| (Link::Equals, at(rest)))
    };
    if before == Some('<') && rest.starts_with('>') {
        return Some((Link::Element, name.end + 1));
    }
    if spaced.starts_with("::") || (spaced.starts_with("==") && compares(closed)) {
        return None;
    }
    if let Some(value) = [":=", "=>", "="].iter().find_map(|link| spaced.strip_prefix(link)) {
        return Some((Link::Equals, at(value)));
    }
    if let Some(value) = spaced.strip_prefix([':', '：', '＝']) {
        return Some((Link::Colon, at(value)));
    }
    if is_flag && !spaced.is_empty() && !spaced.starts_with('-') {
        return Some((Link::Blank, at(spaced)));
    }
    as_entry()
}

/// Whether `==` is a comparison or asks for a version.
fn compares(rest: &str) -> bool {
    let after = rest.trim_start().trim_start_matches('=');
    rest.starts_with(char::is_whitespace) || after.starts_with(|c: char| c.is_whitespace() || c.is_ascii_digit())
}

/// A quote as it is written, with the backslashes before it, and where what it holds begins.
fn opening(value: &str) -> Option<(&str, usize)> {
    // Python: `b'…'`.
    let prefix = value.bytes().take(2).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let prefixes = [0, prefix];
    prefixes.iter().find_map(|prefix| {
        let rest = value.get(*prefix..)?;
        let slashes = rest.len() - rest.trim_start_matches('\\').len();
        let quote = rest[slashes..].starts_with(['"', '\'', '`']);
        quote.then(|| (&rest[..slashes + 1], prefix + slashes + 1))
    })
}

/// Up to the same quote; where that is missing, up to the line's end.
fn quoted(line: &str, start: usize, (quote, kind): (&str, Kind)) -> Option<Range<usize>> {
    let mark = quote.chars().next_back()?;
    let (mut slashes, escaped_by) = (0, quote.len() - 1);
    let ends = |slashes: usize| if escaped_by == 0 { slashes.is_multiple_of(2) } else { slashes <= escaped_by };
    let mut end = line.len();
    for (at, c) in line[start..].char_indices() {
        if c == mark && ends(slashes) {
            end = start + at - slashes.min(escaped_by);
            let after = &line[start + at + 1..];
            // A quote that is doubled, or text that is joined to it, goes on.
            if kind != Kind::Perhaps && after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '"' | '\'')) {
                let joined = after.find(char::is_whitespace).unwrap_or(after.len());
                end = start + at + 1 + joined;
                end -= usize::from(line[..end].ends_with(mark));
            }
            break;
        }
        slashes = if c == '\\' { slashes + 1 } else { 0 };
    }
    Some(start..end).filter(|value| !value.is_empty())
}

fn unquoted(line: &str, start: usize, (kind, link, before): (Kind, Link, Option<char>)) -> Option<Range<usize>> {
    let rest = &line[start..];
    let length = |end: &dyn Fn(char) -> bool| rest.find(end).unwrap_or(rest.len());
    let opens =
        |inner: &str| inner.is_empty() || inner.starts_with(|c: char| c.is_whitespace() || "\"'}{\\".contains(c));
    let is_other_than_secret = match kind {
        Kind::Pass => link != Link::Equals,
        Kind::Directory => rest.starts_with(['/', '~', '.']) || rest.get(1..3) == Some(":\\"),
        Kind::Secret | Kind::Plural | Kind::Header | Kind::Perhaps => false,
    };
    if is_other_than_secret {
        return None;
    }
    let end = match rest.chars().next()? {
        // What is in it is looked at by itself.
        '{' if opens(&rest[1..]) => return None,
        // `=` only ends such a value: what follows it is another.
        _ if kind == Kind::Perhaps => length(&|c| !(c.is_ascii_alphanumeric() || "-_.+/%~".contains(c))),
        '[' => return Some(start + 1..start + length(&|c| c == ']')).filter(|value| !value.is_empty()),
        _ if kind == Kind::Header && link == Link::Colon => {
            match before.filter(|before| matches!(before, '"' | '\'' | '`')) {
                Some(quote) => length(&|c| c == quote),
                None => rest.len(),
            }
        }
        _ if link == Link::Element => length(&|c| c == '<'),
        _ if matches!(before, Some('?' | '&')) => length(&|c| c.is_whitespace() || matches!(c, '&' | '#' | '"' | '\'')),
        _ => length(&char::is_whitespace),
    };
    Some(start..start + end).filter(|value| !value.is_empty())
}

/// The next word, if it can hardly be one.
fn random_word(line: &str, from: usize) -> Option<Range<usize>> {
    let closed = line[from..].trim_start_matches(['"', '\'', '`', ')']);
    if !closed.starts_with(char::is_whitespace) {
        return None;
    }
    let start = line.len() - closed.len();
    let is_filler = |word: &Range<usize>| matches!(&line[word.clone()], "is" | "was");
    let mut next = words(closed).take(2).map(|word| start + word.start..start + word.end);
    next.find(|word| !is_filler(word)).filter(|word| is_random(&line[word.clone()]))
}

/// Letters and digits in a mix that no word has: a UUID, or a long run of both.
fn is_random(text: &str) -> bool {
    let is_uuid = |part: &str| {
        let groups: Vec<usize> = part.split('-').take(6).map(str::len).collect();
        groups == [8, 4, 4, 4, 12] && part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    };
    let is_mixed = |run: &str| {
        let has = |what: fn(&u8) -> bool| run.bytes().any(|byte| what(&byte));
        run.len() >= RANDOM && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
    };
    let trimmed = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    is_uuid(trimmed) || text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '+' || c == '=')).any(is_mixed)
}

/// A variable that stands for the value, or what was masked before.
fn is_reference(text: &str) -> bool {
    let text = text.trim_end_matches([',', ';']);
    let inner = |begin: &str, end: &str| text.strip_prefix(begin).and_then(|text| text.strip_suffix(end));
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    let plain = text.strip_prefix('$').is_some_and(is_name) || inner("%", "%").is_some_and(is_name);
    let braced = inner("${", "}").or_else(|| inner("{{", "}}"));
    plain || braced.is_some_and(|name| !name.contains(['}', ':'])) || text.bytes().all(|byte| byte == b'*')
}

/// An ordinary word after a colon; after anything else only one that stands for nothing.
fn is_ordinary(text: &str, link: Link) -> bool {
    let word = text.trim_end_matches([',', ';', '.', ')', '}', ']', '"', '\'', '!']);
    let known = if link == Link::Colon { &ORDINARY[..] } else { &ORDINARY[..8] };
    word.len() < 16 && known.iter().any(|ordinary| word.eq_ignore_ascii_case(ordinary))
}

fn is_count(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b'.' | b'/' | b'%' | b')' | b'}'))
}
