//! Mappings as a CSV file: `discord_user_id,devops_uid`; further columns may follow and are left alone.

use std::collections::HashMap;
use std::io::Write;

use anyhow::Context as _;

use crate::model::ids::{Uid, UserId};

/// The header's first two columns.
const HEADER: [&str; 2] = ["discord_user_id", "devops_uid"];

/// Reads mappings.
///
/// # Errors
/// Every line that is wrong, each with its number: nothing of the file may be used then.
pub fn read(bytes: &[u8]) -> anyhow::Result<Vec<(UserId, Uid)>> {
    // Spreadsheets like to begin a file with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(bytes);
    let header = reader.headers().context("reading the header")?;
    anyhow::ensure!(
        header.iter().take(2).eq(HEADER),
        "the first line must be `{}` (further columns may follow)",
        HEADER.join(",")
    );
    let mut mappings = Vec::new();
    let mut faults = Vec::new();
    let mut lines: HashMap<UserId, u64> = HashMap::new();
    for record in reader.records() {
        let line = record.as_ref().ok().and_then(csv::StringRecord::position).map_or(0, csv::Position::line);
        match record.map_err(|error| error.to_string()).and_then(|record| entry(&record)) {
            Ok((user, uid)) => match lines.insert(user, line) {
                Some(first) => faults.push(format!("line {line}: {user} stands on line {first} already")),
                None => mappings.push((user, uid)),
            },
            Err(fault) => faults.push(format!("line {line}: {fault}")),
        }
    }
    anyhow::ensure!(faults.is_empty(), "nothing was imported:\n{}", faults.join("\n"));
    Ok(mappings)
}

fn entry(record: &csv::StringRecord) -> Result<(UserId, Uid), String> {
    let cell = |index: usize| record.get(index).unwrap_or_default();
    let user = cell(0).parse::<UserId>().map_err(|error| format!("{:?}: {error}", cell(0)))?;
    let uid = cell(1).parse::<Uid>().map_err(|error| format!("{:?}: {error}", cell(1)))?;
    Ok((user, uid))
}

/// Writes mappings, sorted by UID and then by Discord id.
///
/// # Errors
/// The output cannot be written.
pub fn write(mappings: &[(UserId, Uid)], to: impl Write) -> anyhow::Result<()> {
    let mut sorted = mappings.to_vec();
    sorted.sort_by(|a, b| (&a.1, a.0).cmp(&(&b.1, b.0)));
    let mut writer = csv::Writer::from_writer(to);
    writer.write_record(HEADER)?;
    for (user, uid) in &sorted {
        writer.write_record([user.to_string().as_str(), uid.as_str()])?;
    }
    writer.flush().context("writing the mappings")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported(text: &str) -> String {
        match read(text.as_bytes()) {
            Ok(mappings) => {
                let mut out = Vec::new();
                write(&mappings, &mut out).expect("memory can be written");
                String::from_utf8(out).expect("text")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_was_exported_imports_to_the_same() {
        let text = "discord_user_id,devops_uid\n12,alice\n13,alice\n11,bob\n";
        assert_eq!(imported(text), text);
        let marked = "\u{feff}discord_user_id,devops_uid,note\r\n 12 , alice ,hello\r\n";
        assert_eq!(imported(marked), "discord_user_id,devops_uid\n12,alice\n");
    }

    #[test]
    fn every_wrong_line_is_named_and_nothing_is_used() {
        insta::assert_snapshot!(imported("discord_user_id,devops_uid\n12,alice\nx,bob\n12,carol\n14,=cmd\n15\n"), @r#"
        nothing was imported:
        line 3: "x": expected a Discord id: up to 19 digits
        line 4: 12 stands on line 2 already
        line 5: "=cmd": expected 1–64 characters: a letter or digit, then letters, digits, `.`, `_`, `-`, `@`
        line 6: "": expected 1–64 characters: a letter or digit, then letters, digits, `.`, `_`, `-`, `@`
        "#);
        assert!(imported("user,uid\n1,a\n").contains("the first line must be"));
        assert!(imported("").contains("the first line must be"));
    }
}
