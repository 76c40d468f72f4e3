//! Secrets that are known by their own form: tokens of well-known services, what proves somebody in a header, and
//! addresses that carry a password.

use std::ops::Range;

/// How a token begins; of how many characters the rest is at least, and of which.
type Known = (&'static str, usize, fn(u8) -> bool);

const KNOWN: &[Known] = &[
    ("ghp_", 10, is_word),
    ("gho_", 10, is_word),
    ("ghu_", 10, is_word),
    ("ghs_", 10, is_word),
    ("ghr_", 10, is_word),
    ("github_pat_", 10, is_word),
    ("glpat-", 10, is_dotted),
    ("gldt-", 10, is_dotted),
    ("glrt-", 10, is_dotted),
    ("glptt-", 10, is_dotted),
    ("xoxa-", 8, is_dotted),
    ("xoxb-", 8, is_dotted),
    ("xoxe-", 8, is_dotted),
    ("xoxo-", 8, is_dotted),
    ("xoxp-", 8, is_dotted),
    ("xoxr-", 8, is_dotted),
    ("xoxs-", 8, is_dotted),
    ("xapp-", 8, is_dotted),
    ("AKIA", 12, is_upper),
    ("ASIA", 12, is_upper),
    ("AKID", 16, is_alphanumeric),
    ("LTAI", 12, is_alphanumeric),
    ("AIza", 30, is_dotted),
    ("eyJ", 17, is_base64),
    ("sk-", 20, is_dotted),
    ("sk_live_", 10, is_word),
    ("rk_live_", 10, is_word),
    ("npm_", 30, is_alphanumeric),
    ("pypi-", 30, is_dotted),
    ("hf_", 30, is_alphanumeric),
    ("dckr_pat_", 10, is_dotted),
    ("ya29.", 20, is_dotted),
];

/// Addresses where knowing the rest is being allowed to write.
const HOOKS: [&str; 2] = ["hooks.slack.com/services/", "/api/webhooks/"];

/// Tokens that tell what they are.
pub(super) fn known(line: &str) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < line.len() {
        match token_at(line.as_bytes(), at) {
            Some(end) => {
                found.push(at..end);
                at = end;
            }
            None => at += 1,
        }
    }
    found
}

fn token_at(line: &[u8], at: usize) -> Option<usize> {
    if !is_fresh(line, at) {
        return None;
    }
    let rest = &line[at..];
    KNOWN.iter().find_map(|(begins, least, is_of_it)| {
        let more = rest.strip_prefix(begins.as_bytes())?.iter().take_while(|byte| is_of_it(**byte)).count();
        (more >= *least).then_some(at + begins.len() + more)
    })
}

/// Whether no word goes on here. What stands before may be escaped: `\n`, `%3D`.
fn is_fresh(line: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map_or(b' ', |index| line[index]);
    let escaped = before(2) == b'\\' && matches!(before(1), b'n' | b'r' | b't');
    !before(1).is_ascii_alphanumeric() || escaped || before(3) == b'%'
}

/// What follows `Bearer` or `Basic`.
pub(super) fn presented(line: &str) -> Vec<Range<usize>> {
    let (mut found, mut after_scheme) = (Vec::new(), false);
    for word in words(line) {
        let text = &line[word.clone()];
        if after_scheme {
            let quotes = text.len() - text.trim_start_matches(['"', '\'', '`', '\\', '<', '(', '=', ':']).len();
            let length = text[quotes..].bytes().take_while(|byte| is_base64(*byte) || *byte == b'~').count();
            let value = word.start + quotes..word.start + quotes + length;
            if length >= 24 || (length >= 6 && is_no_word(&line[value.clone()])) {
                found.push(value);
            }
        }
        after_scheme = ["bearer", "basic"].iter().any(|scheme| ends_with_word(text.trim_end_matches(':'), scheme));
    }
    found
}

/// What commands are given as a password: `docker login -p x`, `sshpass -p x`, `mysql -px`, `curl -u user:x`.
pub(super) fn given(line: &str) -> Vec<Range<usize>> {
    let (mut found, mut command, mut option) = (Vec::new(), "", "");
    for word in words(line) {
        let text = &line[word.clone()];
        let colon = text.find(':').map_or(text.len(), |colon| colon + 1);
        let secret = match (command, option) {
            ("login" | "sshpass", "-p") => Some(word.start),
            ("curl", "-u" | "--user") => Some(word.start + colon),
            ("mysql", _) if text.starts_with("-p") => Some(word.start + 2),
            _ => None,
        };
        found.extend(secret.map(|start| start..word.end).filter(|secret| !secret.is_empty()));
        let name = ["login", "sshpass", "curl", "mysql"]
            .into_iter()
            .find(|name| ends_with_word(text, name) || (*name == "mysql" && ends_with_word(text, "mysqldump")));
        command = name.unwrap_or(command);
        option = text;
    }
    found
}

/// Whether it ends with this word, however it is written.
fn ends_with_word(text: &str, word: &str) -> bool {
    let Some(at) = text.len().checked_sub(word.len()) else { return false };
    let (text, end) = text.as_bytes().split_at(at);
    end.eq_ignore_ascii_case(word.as_bytes()) && !text.last().is_some_and(u8::is_ascii_alphanumeric)
}

/// Something that no language writes so: with digits, or with capitals after its first letter.
fn is_no_word(text: &str) -> bool {
    let capitals = text.bytes().skip(1).filter(u8::is_ascii_uppercase).count();
    let small = text.bytes().any(|byte| byte.is_ascii_lowercase());
    text.bytes().any(|byte| byte.is_ascii_digit() || byte == b'=') || (capitals > 0 && small)
}

/// The password in `https://user:password@host`, and what may be written to by whoever knows the address.
pub(super) fn in_addresses(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for word in words(line) {
        let text = &line[word.clone()];
        let hook = HOOKS.iter().find_map(|hook| text.find(hook).map(|at| at + hook.len()));
        found.extend(hook.filter(|rest| *rest < text.len()).map(|rest| word.start + rest..word.end));
        let Some(last_at) = text.rfind('@') else { continue };
        let mut from = 0;
        while let Some(colon) = text[from..last_at].find("://") {
            let (scheme, user) = (&text[from..from + colon], from + colon + 3);
            let http = ["http", "https"].iter().any(|known| ends_with_word(scheme, known));
            from = user;
            if let Some(secret) = password(&text[user..], (last_at - user, http)) {
                found.push(word.start + user + secret.start..word.start + user + secret.end);
                from = (user + secret.end).min(last_at);
            }
        }
    }
    found
}

/// In what follows `://`, with the last `@` of the whole word.
fn password(text: &str, (last_at, http): (usize, bool)) -> Option<Range<usize>> {
    let authority = &text[..text.find(['/', '?', '#', '"', '\'', '<', '>', '\\']).unwrap_or(text.len())];
    let colon = authority.find(':').filter(|_| !authority.starts_with('['));
    match (authority.rfind('@'), colon) {
        (Some(at), Some(colon)) if colon < at => Some(colon + 1..at).filter(|secret| !secret.is_empty()),
        // A token in place of a user; `git` and the like are names.
        (Some(at), _) => (http && at >= 16).then_some(0..at),
        // A password may hold what would end it; a port may not.
        (None, Some(colon)) if !authority[colon + 1..].bytes().all(|byte| byte.is_ascii_digit()) => {
            (last_at > colon).then_some(colon + 1..last_at)
        }
        (None, _) => None,
    }
}

/// What stands between blanks.
pub(super) fn words(line: &str) -> impl Iterator<Item = Range<usize>> {
    let start = line.as_ptr().addr();
    line.split_whitespace().map(move |word| {
        let at = word.as_ptr().addr() - start;
        at..at + word.len()
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_dotted(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'-' | b'.')
}

fn is_upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn is_base64(byte: u8) -> bool {
    is_dotted(byte) || matches!(byte, b'+' | b'/' | b'=')
}
