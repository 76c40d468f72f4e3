//! Private keys, which go over several lines (RFC 7468).

use std::ops::Range;

const BEGIN: &str = "BEGIN ";
const END: &str = "END ";

/// A line of a key that is longer than this is surely one.
const KEY_LINE: usize = 40;

/// Which part of each line belongs to a private key. A key whose beginning or end was cut off is one still.
pub(super) fn within(lines: &[String]) -> Vec<Option<Range<usize>>> {
    let mut found: Vec<Option<Range<usize>>> = vec![None; lines.len()];
    let last_end = lines.iter().rposition(|line| boundary(line, END, 0).is_some());
    let mut open = false;
    for (index, line) in lines.iter().enumerate() {
        let goes_on = last_end.is_some_and(|end| end > index);
        let lone_end = boundary(line, END, 0).filter(|_| !open);
        let lone_end = lone_end.filter(|end| boundary(line, BEGIN, 0).is_none_or(|begin| begin.start > end.start));
        if let Some(end) = lone_end {
            without_beginning(lines, &mut found, index);
            found[index] = Some(0..end.end);
        }
        let (part, still) = part_of(line, open, goes_on);
        open = still;
        found[index] = match (found[index].take(), part) {
            (Some(end), Some(part)) => Some(end.start..part.end),
            (end, part) => end.or(part),
        };
    }
    found
}

/// What of a line belongs to keys, and whether one is open after it. `goes_on`: an end comes in a later line.
fn part_of(line: &str, mut open: bool, goes_on: bool) -> (Option<Range<usize>>, bool) {
    let (mut part, mut at, mut begins_here): (Option<Range<usize>>, usize, bool) = (None, 0, false);
    loop {
        let next = boundary(line, if open { END } else { BEGIN }, at);
        match next {
            Some(next) => {
                let from = if open { at } else { next.start };
                let start = part.map_or(from, |part| part.start);
                part = Some(start..next.end);
                (at, begins_here, open) = (next.end, !open, !open);
            }
            None if !open => return (part, false),
            None if begins_here || goes_on || is_key_line(line) || line.trim().is_empty() => {
                let start = part.map_or(at, |part| part.start);
                return (Some(start..line.len()).filter(|part| !part.is_empty()), true);
            }
            // It never ended, and this is not of it.
            None => open = false,
        }
    }
}

/// What stands before the end of a key that begins outside of what we were given.
fn without_beginning(lines: &[String], found: &mut [Option<Range<usize>>], end: usize) {
    for index in (0..end).rev() {
        if found[index].is_some() || !is_key_line(&lines[index]) {
            return;
        }
        found[index] = Some(0..lines[index].len());
    }
}

/// `-----BEGIN … PRIVATE KEY…-----` at or after `from`.
fn boundary(line: &str, kind: &str, from: usize) -> Option<Range<usize>> {
    let mut at = from;
    while let Some(dashes) = line[at..].find("-----") {
        let inner = at + dashes + 5;
        let Some(rest) = line[inner..].strip_prefix(kind) else {
            // One dash further, since there may be more than five.
            at = inner - 4;
            continue;
        };
        let length = rest.bytes().take(60).take_while(|byte| *byte != b'-').count();
        if rest.is_char_boundary(length) && rest[..length].contains("PRIVATE KEY") {
            let dashes = rest[length..].bytes().take_while(|byte| *byte == b'-').count();
            return Some(inner - 5..inner + kind.len() + length + dashes);
        }
        at = inner;
    }
    None
}

/// Base64, at the line's end at least: what stands before it may be a time.
fn is_key_line(line: &str) -> bool {
    let line = line.trim_end();
    let key = line.bytes().rev().take_while(|byte| is_base64(*byte)).count();
    key >= KEY_LINE || (key == line.len() && key > 0) || line.starts_with("Proc-Type:") || line.starts_with("DEK-Info:")
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}
