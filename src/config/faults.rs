//! What is wrong with a configuration, said for the operator who has to mend it.
//!
//! Promises: every fault names its key, the layer it came from, what is wrong, and the expected form. Must not: carry a
//! value that could be a secret; whoever makes a [`Fault`] keeps to that.

use std::fmt;
use std::path::PathBuf;

/// The layer that a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `config/default.toml`, compiled in.
    Default,
    /// A `--config` file.
    File(PathBuf),
    /// The environment variable of this name.
    Variable(String),
    /// No layer gives it.
    Nowhere,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Nowhere => write!(f, "not given"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, `section.key`; empty when it is a whole file.
    pub key: String,
    /// Where the value came from.
    pub origin: Origin,
    /// What is wrong. Never a secret's value.
    pub wrong: String,
    /// The form that would be right.
    pub expected: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match self.key.as_str() {
            "" => format!("{}: {}; expected {}", self.origin, self.wrong, self.expected),
            key => format!("{key} ({}): {}; expected {}", self.origin, self.wrong, self.expected),
        };
        // Names of files and keys are foreign text: whatever they hold, a fault stays one line.
        f.write_str(&line.replace(|c: char| c.is_control(), " "))
    }
}

/// All that is wrong, in the order of the layers and then of the keys. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub(super) Vec<Fault>);

impl Faults {
    /// The faults one by one.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "The configuration has 1 fault:")?,
            count => write!(f, "The configuration has {count} faults:")?,
        }
        for fault in &self.0 {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// The known key that a mistyped one most likely meant: one that it was put under, else the nearest spelling, else the
/// same key of another section.
pub(super) fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let leaf = |key: &'a str| key.rsplit('.').next().unwrap_or(key);
    if let Some((above, _)) = key.rsplit_once('.')
        && let Some(value) = known.clone().find(|candidate| *candidate == above)
    {
        return Some(value);
    }
    let closest = known.clone().map(|candidate| (distance(key, candidate), candidate)).min();
    if let Some((steps, candidate)) = closest
        && steps <= (key.len() / 4).max(2)
    {
        return Some(candidate);
    }
    let wanted = key.rsplit('.').next().unwrap_or(key);
    let mut same_leaf = known.filter(|candidate| leaf(candidate) == wanted);
    same_leaf.next().filter(|_| same_leaf.next().is_none())
}

/// Levenshtein distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_key_finds_its_neighbour() {
        let known = ["bkci.base_url", "bkci.app_code", "discord.token", "discord.token_file", "follow.poll_ms"];
        let cases = [
            ("bkci.base_ulr", Some("bkci.base_url")),
            ("bkci.baseurl", Some("bkci.base_url")),
            ("discord.tokne", Some("discord.token")),
            ("discrod.token", Some("discord.token")),
            ("bkci.poll_ms", Some("follow.poll_ms")),
            ("discord.token.value", Some("discord.token")),
            ("weather.city", None),
        ];
        for (key, expected) in cases {
            assert_eq!(nearest(key, known.into_iter()), expected, "{key}");
        }
    }

    #[test]
    fn a_fault_stays_on_one_line() {
        let fault = Fault {
            key: "a.b\nc".into(),
            origin: Origin::File("x\ny".into()),
            wrong: "is wrong".into(),
            expected: "something".into(),
        };
        assert_eq!(fault.to_string(), "a.b c (file x y): is wrong; expected something");
        assert_eq!(Faults(vec![fault]).to_string().lines().count(), 2);
    }
}
