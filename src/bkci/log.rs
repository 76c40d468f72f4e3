//! The end of a task's log (bkci-api 9).
//!
//! Promises two calls at most and a bounded answer. The lines are as BK-CI sent them: colours, markers and secrets are
//! still in them. Must not be shown before [`crate::text::clean`].

use super::endpoint::Endpoint;
use super::error::Answer;
use super::lists::unusable;
use super::{Client, Error, wire};
use crate::model::BuildRef;
use crate::model::ids::Uid;

/// No tail is longer. BK-CI gives up to 10,000 (bkci-api 9); more than this nobody reads in a chat.
pub const LOG_LINES: u32 = 1_000;

/// Characters of a line; the rest of it is left out.
pub const LOG_LINE_MAX: usize = 2_000;

/// Which log.
#[derive(Clone, Copy, Debug)]
pub struct TaskLog<'a> {
    /// Of which build.
    pub build: &'a BuildRef,
    /// The task's id, as found in the build's detail.
    pub task: &'a str,
    /// Of which attempt. BK-CI takes the first one where none is said.
    pub attempt: u32,
}

/// The end of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTail {
    /// As they came, the oldest first; text of strangers, with secrets in it. Empty unless the state is `Here`.
    pub lines: Vec<String>,
    /// Whether there is a log, and if not, why.
    pub state: LogState,
}

/// What BK-CI says of a log (`QueryLogs.status`, bkci-api 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogState {
    /// There are lines.
    Here,
    /// It has no line.
    Empty,
    /// It was too old to be kept.
    CleanedAway,
    /// BK-CI keeps it, and does not search in it any more.
    Closed,
    /// BK-CI could not search in it now.
    Failed,
}

/// Which lines of a log.
#[derive(Clone, Copy)]
pub(super) struct Tail {
    /// The number of the build's last line.
    pub(super) end: u64,
    /// How many before it, of that task.
    pub(super) lines: u32,
}

impl Client {
    /// The last `lines` lines of a task's log, at least one and at most [`LOG_LINES`]; each is cut at [`LOG_LINE_MAX`]
    /// characters, and a message of several lines counts as so many.
    ///
    /// The caller has read the detail of this build for this pipeline before, as this user: v3 checks the right to look on
    /// the pipeline that is named and takes the log from the build that is named, whichever pipeline that belongs to
    /// (bkci-api 7.1, 9).
    ///
    /// # Errors
    /// As for every read: nothing was changed. No right to look is 2100054 here ([`Error::is_refusal_of_view`]).
    pub async fn log_tail(&self, uid: &Uid, of: TaskLog<'_>, lines: u32) -> Result<LogTail, Error> {
        let end = self.log_end(uid, of.build).await?;
        self.log_before(uid, of, (end, lines)).await
    }

    /// The number of the last line of a build's log: the first of the two calls of [`Self::log_tail`], for whoever has to
    /// keep a pace between them.
    ///
    /// # Errors
    /// As [`Self::log_tail`].
    pub async fn log_end(&self, uid: &Uid, build: &BuildRef) -> Result<u64, Error> {
        let read = |answer: &Answer<'_>| wire::log::last_line(answer.accepted()?).map_err(unusable(answer));
        self.ask(Endpoint::LastLine(build), Some(uid), read).await
    }

    /// The last `lines` lines of a task's log up to line `end`: the second of them.
    ///
    /// # Errors
    /// As [`Self::log_tail`].
    pub async fn log_before(&self, uid: &Uid, of: TaskLog<'_>, (end, lines): (u64, u32)) -> Result<LogTail, Error> {
        let lines = lines.clamp(1, LOG_LINES);
        let read = |answer: &Answer<'_>| wire::log::tail(answer.accepted()?, lines as usize).map_err(unusable(answer));
        self.ask(Endpoint::Log(of, Tail { end, lines }), Some(uid), read).await
    }
}
