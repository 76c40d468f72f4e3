//! What is wrong with a command in words, and where.

use serde::{Deserialize, Serialize};

use super::RetryOption;

/// Where a command in words is wrong, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    /// In bytes of what was typed after the mention; never within a character.
    pub at: usize,
    /// How.
    pub slip: Slip,
}

/// What can be wrong with a command in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Slip {
    /// Nothing follows the mention.
    NoCommand,
    /// There is no such command in words.
    UnknownCommand,
    /// Too few words.
    Missing(RetryOption),
    /// Too many words.
    Surplus,
    /// There is no such flag.
    UnknownFlag,
    /// It needs a value, and none follows.
    NoValue(Flag),
    /// It takes no value.
    Valued(Flag),
    /// It was given before.
    Twice(Flag),
    /// The first cannot be, since the second was given before.
    Excludes(Flag, Flag),
    /// A quotation without an end.
    Unclosed,
    /// A quotation and a word without a blank between.
    Glued,
}

/// The options of `retry` in words that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flag {
    /// `--task T`
    Task,
    /// `--skip T`
    Skip,
    /// `--failed-jobs`
    FailedJobs,
    /// `--preview`
    Preview,
}

impl Flag {
    /// Every flag.
    pub const ALL: [Self; 4] = [Self::Task, Self::Skip, Self::FailedJobs, Self::Preview];

    /// As people type it (contract 4).
    pub fn name(self) -> &'static str {
        match self {
            Self::Task => "--task",
            Self::Skip => "--skip",
            Self::FailedJobs => "--failed-jobs",
            Self::Preview => "--preview",
        }
    }
}
