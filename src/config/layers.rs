//! The layers of a configuration, laid flat: `section.key` → value, each with the layer it came from.
//!
//! Promises: what a later layer gives wins; nothing is dropped, so that unknown keys of every layer can be told.
//! Must not: interpret a value (the `config` crate's environment source would turn a token `00123` into a number, and
//! its errors print the line they are about, which may hold a secret; so only its reading of TOML is used).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use config::{File, FileFormat, Source, Value, ValueKind};

use super::faults::{Fault, Origin};

/// Every variable of ours begins so. A single underscore does not count: Kubernetes sets `REPRISE_PORT` and the like in
/// every pod beside a service named `reprise`.
const PREFIX: &str = "REPRISE__";

/// The first layer.
pub(super) const DEFAULTS: &str = include_str!("../../config/default.toml");

/// A value as a layer gave it.
pub(super) enum Raw {
    /// From the environment: text whose type the key decides.
    Variable(String),
    /// From the environment, and no text.
    NotUtf8,
    /// From TOML, typed.
    Toml(ValueKind),
}

/// A key, its value, and where both stand.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) origin: Origin,
    pub(super) raw: Raw,
}

/// All layers, earlier first.
#[derive(Default)]
pub(super) struct Layers {
    entries: Vec<Entry>,
    file_missing: bool,
}

impl Layers {
    /// Reads every layer. What cannot be read at all is a fault; the rest is still there, so that its faults can be told
    /// as well.
    pub(super) fn collect(files: &[PathBuf], env: impl Iterator<Item = (OsString, OsString)>) -> (Self, Vec<Fault>) {
        let mut layers = Self::default();
        let mut faults = Vec::new();
        if let Err(fault) = layers.add_toml(DEFAULTS, &Origin::Default) {
            faults.push(fault);
        }
        for path in files {
            if let Err(fault) = layers.add_file(path) {
                layers.file_missing = true;
                faults.push(fault);
            }
        }
        let variables = env.map(|(name, value)| (name.to_string_lossy().into_owned(), value));
        let mut variables: Vec<_> = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        variables.sort();
        for (name, value) in variables {
            if let Err(fault) = layers.add_variable(name, value) {
                faults.push(fault);
            }
        }
        (layers, faults)
    }

    /// The value that counts: the last layer's.
    pub(super) fn winner(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }

    /// What the first layer says, whatever the others do.
    pub(super) fn built_in(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key && entry.origin == Origin::Default)
    }

    /// Whether a file could not be read, so that what seems absent may stand there.
    pub(super) fn file_missing(&self) -> bool {
        self.file_missing
    }

    /// Every entry of every layer.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    fn add_file(&mut self, path: &Path) -> Result<(), Fault> {
        let origin = Origin::File(path.to_owned());
        let text = std::fs::read_to_string(path).map_err(|error| Fault {
            key: String::new(),
            origin: origin.clone(),
            wrong: format!("cannot be read: {error}"),
            expected: "a readable TOML file in UTF-8".to_owned(),
        })?;
        self.add_toml(&text, &origin)
    }

    fn add_toml(&mut self, text: &str, origin: &Origin) -> Result<(), Fault> {
        let tables = File::from_str(text, FileFormat::Toml).collect().map_err(|error| Fault {
            key: String::new(),
            origin: origin.clone(),
            wrong: without_source_line(&error.to_string()),
            expected: "valid TOML".to_owned(),
        })?;
        self.flatten(Value::new(None, tables), String::new(), origin);
        Ok(())
    }

    fn add_variable(&mut self, name: String, value: OsString) -> Result<(), Fault> {
        let key = name[PREFIX.len()..].to_lowercase().replace("__", ".");
        if variable(&key) != name {
            return Err(Fault {
                wrong: "is not written in capitals".to_owned(),
                expected: variable(&key),
                origin: Origin::Variable(name),
                key,
            });
        }
        let raw = value.into_string().map_or(Raw::NotUtf8, Raw::Variable);
        self.entries.push(Entry { key, origin: Origin::Variable(name), raw });
        Ok(())
    }

    fn flatten(&mut self, value: Value, key: String, origin: &Origin) {
        let ValueKind::Table(table) = value.kind else {
            return self.entries.push(Entry { key, origin: origin.clone(), raw: Raw::Toml(value.kind) });
        };
        // An empty table stays, so that a mistyped section header is told even before it has keys.
        if table.is_empty() && !key.is_empty() {
            let raw = Raw::Toml(ValueKind::Table(table));
            return self.entries.push(Entry { key, origin: origin.clone(), raw });
        }
        let mut fields: Vec<_> = table.into_iter().collect();
        fields.sort_by(|left, right| left.0.cmp(&right.0));
        for (name, field) in fields {
            let key = if key.is_empty() { name } else { format!("{key}.{name}") };
            self.flatten(field, key, origin);
        }
    }
}

/// The environment variable of a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

/// A TOML error without the line it quotes, which may hold a secret: where it is, then what it is.
fn without_source_line(error: &str) -> String {
    let lines: Vec<&str> = error.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.as_slice() {
        [place, .., what] => format!("{}: {what}", place.replace("TOML parse error at", "TOML error at")),
        [what] => (*what).to_owned(),
        [] => "TOML error".to_owned(),
    }
}
