//! A task whose turn it is: whether it runs (bkci-api.md 7.2, `runCondition`), and how its run ends.

use super::engine::Run;
use super::job::Task;
use super::outcome::{Fail, Outcome};
use super::plan::RunCondition;
use super::status::Status;

/// What becomes of a task whose turn it is.
pub(super) enum Fate {
    Run,
    Leave(Status),
}

/// Why a task starts: the engine's own repeats do not count as manual (bkci-api.md 7.2).
#[derive(PartialEq)]
pub(super) enum Start {
    ByHand,
    Again,
}

impl Task {
    pub(super) fn fate(&self, failed: bool) -> Fate {
        if !self.options.enable {
            return Fate::Leave(Status::Skip);
        }
        match self.options.run_condition {
            RunCondition::PreviousSucceeded if failed => Fate::Leave(Status::Unexec),
            RunCondition::OnlyIfFailed if !failed => Fate::Leave(Status::Skip),
            RunCondition::Variables { .. } if failed => Fate::Leave(Status::Unexec),
            RunCondition::Variables { matched: false } => Fate::Leave(Status::Skip),
            RunCondition::PreviousSucceeded
            | RunCondition::EvenIfFailed
            | RunCondition::EvenIfCanceled
            | RunCondition::OnlyIfFailed
            | RunCondition::Variables { matched: true } => Fate::Run,
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        let run = self.runs.saturating_sub(1);
        self.outcomes.get(run).or(self.outcomes.last()).cloned().unwrap_or(Outcome::Pass)
    }

    pub(super) fn start(&mut self, run: &mut Run<'_>, listed: bool, why: Start) {
        self.runs += 1;
        self.execute_count = run.execute_count;
        self.start_ms.get_or_insert(run.at);
        self.error = None;
        if why == Start::ByHand {
            self.retry_manual = Some(self.retry_manual.map_or(0, |count| count + 1));
        }
        if listed {
            run.book.executed.push((run.execute_count, self.id.clone()));
        }
        let (status, ends) = match self.outcome() {
            Outcome::Review => (Status::Reviewing, false),
            Outcome::Hang => (Status::Running, false),
            Outcome::Pass | Outcome::Fail(_) => (Status::Running, true),
        };
        self.status = Some(status);
        self.due_ms = ends.then(|| run.at + self.takes_ms);
    }

    /// Ends the run that is due, and starts the next one when the task repeats itself.
    pub(super) fn progress(&mut self, run: &mut Run<'_>, listed: bool) {
        while self.due_ms.is_some_and(|due| due <= run.at) {
            self.due_ms = None;
            match self.outcome() {
                Outcome::Fail(_) if self.options.retry_when_failed && self.retry_auto < self.options.retry_count => {
                    self.retry_auto += 1;
                    self.start(run, listed, Start::Again);
                }
                Outcome::Fail(fail) => self.end(run.at, fail.status, Some(fail)),
                Outcome::Pass | Outcome::Review | Outcome::Hang => self.end(run.at, Status::Succeed, None),
            }
        }
    }

    pub(super) fn end(&mut self, at: i64, status: Status, error: Option<Fail>) {
        self.wanted = false;
        self.status = Some(status);
        self.end_ms = Some(at);
        self.due_ms = None;
        self.error = error;
    }
}
