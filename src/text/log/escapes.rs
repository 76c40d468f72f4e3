//! What a terminal would act on instead of showing it.

const ESCAPE: char = '\u{1b}';

/// Without escape sequences and control characters. Blanks of all kinds become blanks.
pub(super) fn removed(line: &str) -> String {
    let (mut shown, mut rest) = (String::with_capacity(line.len()), line);
    while let Some(at) = rest.find(char::is_control) {
        shown.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = sequence(rest);
        if rest.starts_with(['\t', '\r', '\n']) && rest.len() > length {
            shown.push(' ');
        }
        rest = &rest[length..];
    }
    shown.push_str(rest);
    shown
}

/// Bytes of the sequence, or of the one control character, that `text` begins with (ECMA-48, 5.3 to 5.6).
fn sequence(text: &str) -> usize {
    let mut chars = text.chars();
    let first = chars.next().map_or(0, char::len_utf8);
    let rest = chars.as_str();
    match (text.chars().next(), rest.chars().next()) {
        (Some('\u{9b}'), _) => first + control_sequence(rest),
        (Some('\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}'), _) => first + string(rest),
        (Some(ESCAPE), Some('[')) => first + 1 + control_sequence(&rest[1..]),
        (Some(ESCAPE), Some(']' | 'P' | 'X' | '^' | '_')) => first + 1 + string(&rest[1..]),
        (Some(ESCAPE), Some(' '..='~')) => first + two_part(rest),
        _ => first,
    }
}

/// Parameters, intermediates, and the final byte if that is there.
fn control_sequence(text: &str) -> usize {
    let bytes = text.as_bytes();
    let end = bytes.iter().take_while(|byte| matches!(byte, b' '..=b'?')).count();
    if bytes.get(end).is_some_and(|last| matches!(last, b'@'..=b'~')) { end + 1 } else { end }
}

/// Up to its end, such as a window's title or the target of a link. One without an end is text.
fn string(text: &str) -> usize {
    let ends = |c| matches!(c, '\u{7}' | '\u{9c}' | ESCAPE);
    match text.find(ends) {
        Some(at) if text[at..].starts_with("\u{1b}\\") => at + 2,
        Some(at) if text[at..].starts_with(ESCAPE) => 0,
        Some(at) => at + text[at..].chars().next().map_or(0, char::len_utf8),
        None => 0,
    }
}

/// Such as the choice of a character set.
fn two_part(text: &str) -> usize {
    let bytes = text.as_bytes();
    let end = bytes.iter().take_while(|byte| matches!(byte, b' '..=b'/')).count();
    if bytes.get(end).is_some_and(|last| matches!(last, b'0'..=b'~')) { end + 1 } else { end }
}
