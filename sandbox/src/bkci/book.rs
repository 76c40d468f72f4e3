//! What is written down while a build runs: which tasks ran, what happened that a callback tells, and the log.

use super::job::{Job, JobKind, Task};
use super::log::Log;
use super::outcome::Outcome;

#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    /// Every start of a task: execution and task id. The trigger is not work and not listed.
    pub(super) executed: Vec<(u32, String)>,
    pub(super) log: Log,
    happened: Vec<Happened>,
}

/// What happens to builds (`CallBackEvent`, bkci-api.md 11.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    BuildStart,
    BuildEnd,
    StageStart,
    StageEnd,
    JobStart,
    JobEnd,
    TaskStart,
    TaskEnd,
    TaskPause,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub(super) event: Event,
    /// The stage of a stage's event, the task of a task's.
    pub(super) part: Option<String>,
}

impl Book {
    pub(super) fn note(&mut self, event: Event, part: Option<&str>) {
        self.happened.push(Happened { event, part: part.map(str::to_owned) });
    }

    /// A task of the job has started.
    pub(super) fn begin(&mut self, job: &Job, task: usize, at: i64) {
        let begun = &job.tasks[task];
        self.note(Event::TaskStart, Some(&begun.id));
        if matches!(begun.outcome(), Outcome::Review) {
            self.note(Event::TaskPause, Some(&begun.id));
        }
        if job.kind != JobKind::Trigger {
            self.log.begin(job, begun, at);
        }
    }

    /// A task has ended.
    pub(super) fn end(&mut self, task: &Task, at: i64) {
        self.note(Event::TaskEnd, Some(&task.id));
        self.log.end(task, at);
    }

    /// What happened since this was last asked.
    pub(super) fn take_happened(&mut self) -> Vec<Happened> {
        std::mem::take(&mut self.happened)
    }
}
