//! Reads single keys out of the layers and notes every fault on the way.
//!
//! Promises: each method checks its key whatever was wrong before, so that all faults are found in one go; a key that was
//! asked for is a known key, so the reading code is the one list of them. A faulty key yields a stand-in, which nobody
//! sees, because [`Reader::finish`] then returns the faults. Must not: repeat a value that could be a secret.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use config::ValueKind;
use secrecy::SecretString;

use super::faults::{Fault, Faults, Origin, nearest};
use super::layers::{Entry, Layers, Raw, variable};
use super::values::{self, Wrong};

/// A value longer than this is not repeated in a fault, nor one of a key where a secret is likely to be pasted.
const LONGEST_ECHO: usize = 16;

/// Reads keys, collects faults.
pub(super) struct Reader<'a> {
    layers: &'a Layers,
    known: BTreeSet<String>,
    faults: Vec<Fault>,
}

/// Keys of every kind.
impl<'a> Reader<'a> {
    /// Starts with the faults of the layers themselves.
    pub(super) fn new(layers: &'a Layers, faults: Vec<Fault>) -> Self {
        Self { layers, known: BTreeSet::new(), faults }
    }

    /// A required secret.
    pub(super) fn secret(&mut self, key: &str, expected: &str, check: fn(&str) -> Result<(), Wrong>) -> SecretString {
        let faults_before = self.faults.len();
        let secret = self.optional_secret(key, expected, check);
        if secret.is_none() && self.faults.len() == faults_before {
            self.missing(key, &format!("{expected}, as {key}, {key}_file or {}", variable(key)));
        }
        secret.unwrap_or_default()
    }

    /// A secret that may be absent. An empty one is a fault, unless the default is empty, which then means "off".
    pub(super) fn optional_secret(
        &mut self,
        key: &str,
        expected: &str,
        check: fn(&str) -> Result<(), Wrong>,
    ) -> Option<SecretString> {
        let file_key = format!("{key}_file");
        let (inline, file) = (self.find(key), self.find(&file_key));
        if let (Some(inline), Some(file)) = (inline, file)
            && inline.origin != Origin::Default
        {
            let wrong = format!("{key} is given too ({})", inline.origin);
            self.fault(&file_key, &file.origin, wrong, "only one of the two");
            return None;
        }
        let (key, entry) = if file.is_some() { (file_key.as_str(), file) } else { (key, inline) };
        let entry = entry?;
        let text = match (text_of(&entry.raw), file) {
            (Ok(path), Some(_)) => secret_file(path),
            (text, _) => text.map(str::to_owned),
        };
        let off_when_empty = file.is_none() && self.is_empty_by_default(key);
        let secret = text.and_then(|text| match text.is_empty() {
            true if off_when_empty => Ok(None),
            true => Err("is empty".to_owned()),
            false => check(&text).map(|()| Some(SecretString::from(text))),
        });
        secret.unwrap_or_else(|wrong| {
            self.fault(key, &entry.origin, wrong, expected);
            None
        })
    }

    /// A required text.
    pub(super) fn text<T: Default>(&mut self, key: &str, expected: &str, check: fn(&str) -> Result<T, Wrong>) -> T {
        self.parsed(key, expected, |raw| check(text_of(raw)?)).unwrap_or_default()
    }

    /// A text that means "none" when it is empty.
    pub(super) fn optional<T>(&mut self, key: &str, expected: &str, check: fn(&str) -> Result<T, Wrong>) -> Option<T> {
        let expected = format!("{expected}, or nothing");
        let value = self.parsed(key, &expected, |raw| match text_of(raw)? {
            "" => Ok(None),
            text => check(text).map(Some),
        });
        value.flatten()
    }

    /// A whole number.
    pub(super) fn number(&mut self, key: &str, range: RangeInclusive<u32>) -> u32 {
        let expected = format!("a whole number, {} to {}", range.start(), range.end());
        let value = self.parsed(key, &expected, |raw| {
            let number = whole_number_of(raw)?;
            match u32::try_from(number) {
                Ok(number) if range.contains(&number) => Ok(number),
                _ => Err(format!("is {number}")),
            }
        });
        value.unwrap_or(*range.start())
    }

    /// A whole number of milliseconds.
    pub(super) fn milliseconds(&mut self, key: &str, range: RangeInclusive<u32>) -> Duration {
        Duration::from_millis(self.number(key, range).into())
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, key: &str) -> bool {
        let value = self.parsed(key, "true or false", |raw| match raw {
            Raw::Toml(ValueKind::Boolean(flag)) => Ok(*flag),
            Raw::Variable(text) => text.parse().map_err(|_| format!("is {}", echo(text))),
            Raw::NotUtf8 => Err(not_utf8()),
            Raw::Toml(other) => Err(is_a(other)),
        });
        value.unwrap_or_default()
    }

    /// One word of several; the first is the stand-in.
    pub(super) fn choice<T: Copy, const N: usize>(&mut self, key: &str, choices: [(&str, T); N]) -> T {
        let expected = format!("one of {}", choices.map(|(word, _)| word).join(", "));
        let value = self.parsed(key, &expected, |raw| {
            let text = text_of(raw)?;
            let chosen = choices.iter().find(|(word, _)| *word == text);
            chosen.map(|(_, value)| *value).ok_or_else(|| format!("is {}", echo(text)))
        });
        value.unwrap_or(choices[0].1)
    }

    /// Discord ids, each once.
    pub(super) fn ids(&mut self, key: &str) -> Vec<u64> {
        let value = self.parsed(key, "a list of Discord ids (17 to 19 digits each)", |raw| {
            let mut ids = Vec::new();
            for (index, item) in items_of(raw)?.into_iter().enumerate() {
                let id = values::snowflake(&item).map_err(|wrong| format!("entry {} {wrong}", index + 1))?;
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
            Ok(ids)
        });
        value.unwrap_or_default()
    }

    /// A Discord id, or nothing when it is empty.
    pub(super) fn optional_id(&mut self, key: &str) -> Option<u64> {
        let value = self.parsed(key, "a Discord id (17 to 19 digits), or nothing", |raw| match id_text_of(raw)? {
            text if text.is_empty() => Ok(None),
            text => values::snowflake(&text).map(Some),
        });
        value.flatten()
    }

    /// A list of tables that must stay empty.
    pub(super) fn no_tables(&mut self, key: &str, expected: &str) {
        let check = |raw: &Raw| match raw {
            Raw::Toml(ValueKind::Array(items)) if items.is_empty() => Ok(()),
            Raw::Toml(_) => Err("is not enforced by this version yet".to_owned()),
            Raw::Variable(_) | Raw::NotUtf8 => Err("cannot be given in the environment".to_owned()),
        };
        let _stays_empty = self.parsed(key, expected, check);
    }
}

/// Faults that are about more than one key's form.
impl<'a> Reader<'a> {
    /// Notes a promise of the configuration that this version would not keep; only when the key is otherwise in order.
    pub(super) fn refuse(&mut self, key: &str, wrong: &str, expected: &str) {
        if self.faults.iter().any(|fault| fault.key == key) {
            return;
        }
        let origin = self.find(key).map_or(Origin::Nowhere, |entry| entry.origin.clone());
        self.fault(key, &origin, wrong.to_owned(), expected);
    }

    /// Whether a layer over the defaults gives the key, or the file of a secret.
    pub(super) fn is_set(&self, key: &str) -> bool {
        let given = |key: &str| self.layers.winner(key).is_some_and(|entry| entry.origin != Origin::Default);
        given(key) || given(&format!("{key}_file"))
    }

    /// All faults.
    pub(super) fn finish(self) -> Result<(), Faults> {
        if self.faults.is_empty() { Ok(()) } else { Err(Faults(self.faults)) }
    }

    /// The keys that were asked for.
    #[cfg(test)]
    pub(super) fn known(&self) -> &BTreeSet<String> {
        &self.known
    }

    fn find(&mut self, key: &str) -> Option<&'a Entry> {
        self.known.insert(key.to_owned());
        self.layers.winner(key)
    }

    fn is_empty_by_default(&self, key: &str) -> bool {
        self.layers.built_in(key).is_some_and(|entry| text_of(&entry.raw) == Ok(""))
    }

    /// The value of a key, checked; `None` with a fault noted when it is wrong or not there.
    fn parsed<T>(&mut self, key: &str, expected: &str, check: impl Fn(&Raw) -> Result<T, Wrong>) -> Option<T> {
        let Some(entry) = self.find(key) else {
            self.missing(key, &format!("{expected}, as {key} or {}", variable(key)));
            return None;
        };
        match check(&entry.raw) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.fault(key, &entry.origin, wrong, expected);
                None
            }
        }
    }

    fn missing(&mut self, key: &str, expected: &str) {
        self.fault(key, &Origin::Nowhere, self.required(""), expected);
    }

    /// What to say of a key that is not there and must be, when `under` some condition.
    pub(super) fn required(&self, under: &str) -> String {
        let unless = if self.layers.file_missing() { ", unless it stands in the file that cannot be read" } else { "" };
        format!("is required{under}{unless}")
    }

    fn fault(&mut self, key: &str, origin: &Origin, wrong: String, expected: impl Into<String>) {
        self.faults.push(Fault { key: key.to_owned(), origin: origin.clone(), wrong, expected: expected.into() });
    }

    /// Notes the keys of every layer that nobody asked for so far.
    pub(super) fn tell_unknown_keys(&mut self) {
        for entry in self.layers.entries() {
            let section = format!("{}.", entry.key);
            let is_section = || self.known.range(section.clone()..).next().is_some_and(|key| key.starts_with(&section));
            if self.known.contains(&entry.key) || (is_empty_table(&entry.raw) && is_section()) {
                continue;
            }
            let nearest = nearest(&entry.key, self.known.iter().map(String::as_str));
            let expected = match (nearest, &entry.origin) {
                (Some(key), Origin::Variable(_)) => format!("{}?", variable(key)),
                (Some(key), Origin::Default | Origin::File(_) | Origin::Nowhere) => format!("{key}?"),
                (None, _) => "a key that config/default.toml names".to_owned(),
            };
            self.faults.push(Fault {
                key: entry.key.clone(),
                origin: entry.origin.clone(),
                wrong: "is not a known key".to_owned(),
                expected,
            });
        }
    }
}

fn text_of(raw: &Raw) -> Result<&str, Wrong> {
    match raw {
        Raw::Variable(text) | Raw::Toml(ValueKind::String(text)) => Ok(text),
        Raw::NotUtf8 => Err(not_utf8()),
        Raw::Toml(other) => Err(is_a(other)),
    }
}

/// A section header with nothing under it.
fn is_empty_table(raw: &Raw) -> bool {
    matches!(raw, Raw::Toml(ValueKind::Table(table)) if table.is_empty())
}

fn whole_number_of(raw: &Raw) -> Result<i64, Wrong> {
    match raw {
        Raw::Toml(ValueKind::I64(number)) => Ok(*number),
        Raw::Toml(other) => Err(is_a(other)),
        Raw::NotUtf8 => Err(not_utf8()),
        Raw::Variable(text) => text.trim().parse().map_err(|_| format!("is {}", echo(text))),
    }
}

fn id_text_of(raw: &Raw) -> Result<String, Wrong> {
    match raw {
        Raw::Toml(kind) => id_text(kind),
        Raw::NotUtf8 => Err(not_utf8()),
        Raw::Variable(text) => Ok(text.trim().to_owned()),
    }
}

/// Ids are quoted or bare.
fn id_text(kind: &ValueKind) -> Result<String, Wrong> {
    match kind {
        ValueKind::String(text) => Ok(text.trim().to_owned()),
        ValueKind::I64(number) => Ok(number.to_string()),
        other => Err(is_a(other)),
    }
}

fn items_of(raw: &Raw) -> Result<Vec<String>, Wrong> {
    match raw {
        Raw::Variable(text) if text.trim().is_empty() => Ok(Vec::new()),
        Raw::Variable(text) => Ok(text.split(',').map(|item| item.trim().to_owned()).collect()),
        Raw::NotUtf8 => Err(not_utf8()),
        Raw::Toml(ValueKind::Array(items)) => items.iter().map(|item| id_text(&item.kind)).collect(),
        Raw::Toml(other) => Err(is_a(other)),
    }
}

fn not_utf8() -> Wrong {
    "is not UTF-8".to_owned()
}

/// The type of a value that has the wrong one; not the value, which may be a secret.
fn is_a(kind: &ValueKind) -> Wrong {
    let name = match kind {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "a boolean",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => "a number",
        ValueKind::Float(_) => "a fraction",
        ValueKind::String(_) => "a text",
        ValueKind::Table(_) => "a table",
        ValueKind::Array(_) => "a list",
    };
    format!("is {name}")
}

/// Short values are repeated; a long one might be a secret in the wrong place.
fn echo(text: &str) -> String {
    if text.chars().count() <= LONGEST_ECHO { format!("{text:?}") } else { "a longer text".to_owned() }
}

fn secret_file(path: &str) -> Result<String, Wrong> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("names a file that cannot be read: {error}"))?;
    Ok(text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text)).to_owned())
}
