//! What people ask for, as values, and what is decided about it.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::model::ids::{InteractionId, UserId};
use crate::model::{Actor, Locale, Place, Timestamp};

/// What we read out of an interaction.
#[derive(Clone, Debug)]
pub struct Request {
    /// The interaction it came from; also the id of everything that follows from it.
    pub interaction: InteractionId,
    /// Lets the bot answer until [`Self::token_expires`]; as secret as a password until then.
    pub token: SecretString,
    /// 15 minutes after the interaction was made (discord-rules 1).
    pub token_expires: Timestamp,
    /// Who asked.
    pub actor: Actor,
    /// Where.
    pub place: Place,
    /// The person's language, for private answers.
    pub locale: Locale,
    /// The server's language, for public answers.
    pub guild_locale: Locale,
    /// What.
    pub command: Command,
}

/// What a person may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// `/retry`
    Retry(RetryOptions),
    /// `/mapping set`
    MappingSet {
        /// Whose mapping.
        user: UserId,
        /// As typed.
        uid: String,
    },
    /// `/mapping remove`
    MappingRemove {
        /// Whose mapping.
        user: UserId,
    },
    /// `/mapping show`
    MappingShow {
        /// Whose mapping.
        user: UserId,
    },
    /// `/mapping list`
    MappingList {
        /// A part of a UID or of a Discord id.
        filter: Option<String>,
    },
    /// `/whoami`
    Whoami,
    /// `/help`
    Help,
}

impl Command {
    /// The name people type, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Retry(_) => "retry",
            Self::MappingSet { .. } => "mapping set",
            Self::MappingRemove { .. } => "mapping remove",
            Self::MappingShow { .. } => "mapping show",
            Self::MappingList { .. } => "mapping list",
            Self::Whoami => "whoami",
            Self::Help => "help",
        }
    }
}

/// The options of `/retry`, as typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryOptions {
    /// English name of the project.
    pub project: String,
    /// `p-…`
    pub pipeline: String,
    /// `b-…`
    pub build: String,
    /// Retry from this task or stage.
    pub task: Option<String>,
    /// Skip this failed task, or this stage's failed tasks.
    pub skip: Option<String>,
}
