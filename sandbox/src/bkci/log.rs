//! The log of a build: lines that its tasks write while they run, numbered over the whole build in the order of their
//! writing, so that those of one task are not contiguous (bkci-api.md 9).
//!
//! Lines are written up only when somebody reads. What is written keeps its number.

use std::collections::BTreeMap;

use super::job::{Job, Task};
use super::log_text;
use super::outcome::Fail;

#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    /// Told in place of the log (`status`, bkci-api.md 9).
    pub(super) status: Option<u32>,
    runs: Vec<LoggedRun>,
    written: Vec<LogLine>,
    /// What a test says that a task writes, by task and execution.
    given: BTreeMap<(String, u32), Vec<String>>,
}

/// A run of a task, as far as the log wants to know.
#[derive(Clone, Debug)]
pub(super) struct LoggedRun {
    /// `tag`: the task's id.
    pub(super) tag: String,
    pub(super) name: String,
    pub(super) atom: String,
    pub(super) container: String,
    pub(super) job_id: Option<String>,
    pub(super) step_id: Option<String>,
    pub(super) execution: u32,
    pub(super) start_ms: i64,
    pub(super) takes_ms: i64,
    /// `None` while it goes on.
    pub(super) end_ms: Option<i64>,
    pub(super) error: Option<Fail>,
    /// What the plan says that it writes.
    lines: Option<Vec<String>>,
    /// How many of its lines were written up.
    written: usize,
}

/// A line of the log. `index` of a line is its number less one.
#[derive(Clone, Debug)]
pub(super) struct LogLine {
    pub(super) at_ms: i64,
    pub(super) message: String,
    pub(super) kind: LogKind,
    /// Which run wrote it.
    pub(super) run: usize,
}

/// `logType` (bkci-api.md 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogKind {
    Log,
    Debug,
    Warn,
    Error,
}

impl LogKind {
    /// By its value on the wire.
    pub(super) fn named(text: &str) -> Option<Self> {
        match text {
            "LOG" => Some(LogKind::Log),
            "DEBUG" => Some(LogKind::Debug),
            "WARN" => Some(LogKind::Warn),
            "ERROR" => Some(LogKind::Error),
            _ => None,
        }
    }

    /// By the marker at the start of a line.
    fn of(message: &str) -> Self {
        let marked = |marker: &str| message.starts_with(marker);
        match () {
            () if marked("##[error]") => LogKind::Error,
            () if marked("##[warning]") => LogKind::Warn,
            () if marked("##[debug]") => LogKind::Debug,
            () => LogKind::Log,
        }
    }
}

impl Log {
    /// A task starts to write.
    pub(super) fn begin(&mut self, job: &Job, task: &Task, at: i64) {
        let spoken = task.logs.get(task.runs.saturating_sub(1)).or(task.logs.last());
        self.runs.push(LoggedRun {
            tag: task.id.clone(),
            name: task.name.clone(),
            atom: task.atom.clone(),
            container: job.hash.clone(),
            job_id: job.job_id.clone(),
            step_id: task.step_id.clone(),
            execution: task.execute_count,
            start_ms: at,
            takes_ms: task.takes_ms,
            end_ms: None,
            error: None,
            lines: spoken.cloned(),
            written: 0,
        });
    }

    /// It has ended.
    pub(super) fn end(&mut self, task: &Task, at: i64) {
        if let Some(run) = self.runs.iter_mut().rev().find(|run| run.tag == task.id && run.end_ms.is_none()) {
            run.end_ms = Some(at);
            run.error.clone_from(&task.error);
        }
    }

    /// A machine starts, or does not: the pseudo task `startVM-1` writes (bkci-api.md 4).
    pub(super) fn machine(&mut self, job: &Job, at: i64) {
        self.runs.push(LoggedRun {
            tag: format!("startVM-{}", job.id),
            name: job.name.clone(),
            atom: String::new(),
            container: job.hash.clone(),
            job_id: job.job_id.clone(),
            step_id: None,
            execution: job.execute_count,
            start_ms: at,
            takes_ms: 0,
            end_ms: Some(at),
            error: job.boot_error.clone(),
            lines: Some(log_text::machine(&job.name, job.boot_error.as_ref())),
            written: 0,
        });
    }

    /// Everything is written anew: a test says so before it reads, or means to.
    pub(super) fn give(&mut self, task: &str, execution: u32, lines: Vec<String>) {
        self.given.insert((task.to_owned(), execution), lines);
        self.written.clear();
        for run in &mut self.runs {
            run.written = 0;
        }
    }

    /// Writes up to `now`.
    pub(super) fn write_up(&mut self, now: i64) {
        let mut fresh = Vec::new();
        for (index, run) in self.runs.iter_mut().enumerate() {
            let given = self.given.get(&(run.tag.clone(), run.execution)).or(run.lines.as_ref());
            let all = given.map_or_else(|| log_text::made_up(run), |lines| at_once(run, lines));
            for (at_ms, message) in all.into_iter().skip(run.written).take_while(|(at, _)| *at <= now) {
                run.written += 1;
                fresh.push(LogLine { at_ms, kind: LogKind::of(&message), message, run: index });
            }
        }
        fresh.sort_by_key(|line| line.at_ms);
        self.written.extend(fresh);
    }

    /// The lines so far, with the runs that wrote them and their numbers: from 1, over the whole build.
    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = (i64, &LogLine, &LoggedRun)> {
        self.written.iter().enumerate().map(|(index, line)| {
            let number = i64::try_from(index).unwrap_or(i64::MAX - 1) + 1;
            (number, line, &self.runs[line.run])
        })
    }

    pub(super) fn last_number(&self) -> i64 {
        i64::try_from(self.written.len()).unwrap_or(i64::MAX)
    }

    /// Whether the task has written its last line of this execution; `None` when it did not run in it.
    pub(super) fn is_over(&self, tag: &str, execution: u32) -> Option<bool> {
        let mut runs = self.runs.iter().rev();
        runs.find(|run| run.tag == tag && run.execution == execution).map(|run| run.end_ms.is_some())
    }
}

/// A line a millisecond, from the start of the run.
fn at_once(run: &LoggedRun, lines: &[String]) -> Vec<(i64, String)> {
    let latest = run.end_ms.unwrap_or(i64::MAX);
    lines.iter().zip(run.start_ms..).map(|(line, at)| (at.min(latest), line.clone())).collect()
}
