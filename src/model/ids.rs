//! Identifiers as types: one that exists is well formed, and two kinds cannot be swapped.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not an identifier of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct Malformed {
    /// The form that would have been accepted, in English, for logs and operators.
    pub expected: &'static str,
}

macro_rules! snowflakes {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// As rows keep it: Discord's ids stay below 2^63 (a timestamp in the upper 42 bits).
            pub fn as_i64(self) -> i64 {
                self.0.cast_signed()
            }

            /// From a row.
            pub fn from_i64(value: i64) -> Self {
                Self(value.cast_unsigned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Malformed;

            fn from_str(text: &str) -> Result<Self, Malformed> {
                let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                let value = text.parse::<u64>().ok().filter(|value| digits && *value > 0 && i64::try_from(*value).is_ok());
                value.map(Self).ok_or(Malformed { expected: "a Discord id: up to 19 digits" })
            }
        }
    )+};
}

snowflakes! {
    /// A Discord user.
    UserId,
    /// A role of a Discord server.
    RoleId,
    /// A Discord server.
    GuildId,
    /// A Discord channel or thread.
    ChannelId,
    /// A Discord message.
    MessageId,
    /// One interaction: something a person did, delivered once or more often.
    InteractionId,
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident, $expected:literal, $valid:path);+ $(;)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Malformed;

            fn from_str(text: &str) -> Result<Self, Malformed> {
                let text = text.trim();
                if $valid(text) { Ok(Self(text.to_owned())) } else { Err(Malformed { expected: $expected }) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = Malformed;

            fn try_from(text: String) -> Result<Self, Malformed> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

texts! {
    /// A DevOps user id: as whom the bot acts at BK-CI (contract 4).
    Uid, "1–64 characters: a letter or digit, then letters, digits, `.`, `_`, `-`, `@`", is_uid;
    /// A project's English name (bkci-api 4).
    ProjectId, "the project's English name: letters, digits, `-` and `_`, at most 64 characters", is_project;
    /// A pipeline: `p-` and 32 hexadecimal digits (bkci-api 4).
    PipelineId, "`p-` and 32 hexadecimal digits", is_pipeline;
    /// A build: `b-` and 32 hexadecimal digits (bkci-api 4). It stays the same when the build is retried.
    BuildId, "`b-` and 32 hexadecimal digits", is_build;
    /// A button that the bot posted, by what caused it (contract 4: a `custom_id` is `verb:offer-id`).
    OfferId, "the id of a button of this bot", is_offer;
}

fn is_uid(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.len() <= 64
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@'))
}

/// Wider than what BK-CI allows at creation, since stream projects are called `git_<n>`.
fn is_project(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn is_pipeline(text: &str) -> bool {
    is_prefixed_hex(text, "p-")
}

fn is_build(text: &str) -> bool {
    is_prefixed_hex(text, "b-")
}

fn is_offer(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_prefixed_hex(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_what_the_contract_says() {
        for good in ["alice", "a", "9lives", "a.b_c-d@e", &"x".repeat(64)] {
            assert!(good.parse::<Uid>().is_ok(), "{good}");
        }
        for bad in ["", " ", "=alice", "+1", "-a", "@a", ".a", "a b", "a/b", "ä", "a\nb", &"x".repeat(65)] {
            assert!(bad.parse::<Uid>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn build_and_pipeline_ids_are_a_prefix_and_32_hexadecimal_digits() {
        let hex = "7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";
        assert!(format!("b-{hex}").parse::<BuildId>().is_ok());
        assert!(format!(" b-{hex} ").parse::<BuildId>().is_ok(), "pasted with blanks");
        for bad in
            [hex.to_owned(), format!("p-{hex}"), format!("b-{hex}0"), "b-".to_owned(), format!("b-{}g", &hex[1..])]
        {
            assert!(bad.parse::<BuildId>().is_err(), "{bad}");
        }
        assert!(format!("p-{hex}").parse::<PipelineId>().is_ok());
    }

    #[test]
    fn a_project_is_an_english_name() {
        for good in ["demo", "git_1234", "game-core2"] {
            assert!(good.parse::<ProjectId>().is_ok(), "{good}");
        }
        for bad in ["", "a/b", "a b", "../x", "项目", "a%2F"] {
            assert!(bad.parse::<ProjectId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_snowflake_is_a_positive_number_that_a_row_can_hold() {
        assert_eq!("175928847299117063".parse::<UserId>(), Ok(UserId(175_928_847_299_117_063)));
        for bad in ["", "0", "-1", "+1", "1 ", "12a", "9223372036854775808"] {
            assert!(bad.parse::<UserId>().is_err(), "{bad:?}");
        }
        assert_eq!(UserId::from_i64(UserId(7).as_i64()), UserId(7));
    }
}
