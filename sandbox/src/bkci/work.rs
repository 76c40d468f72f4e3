//! Stages and jobs at work: what starts, what is waited for, and what each makes of its parts.

use super::book::{Book, Event};
use super::build::{Stage, Verdict};
use super::engine::Run;
use super::job::{Job, JobKind, Task};
use super::outcome::{ErrorType, Fail};
use super::status::Status;
use super::turn::{Fate, Start};

impl Stage {
    pub(super) fn start(&mut self, at: i64, execute_count: u32, book: &mut Book) {
        self.status = Some(Status::Running);
        self.start_ms = Some(at);
        self.execute_count = execute_count;
        book.note(Event::StageStart, Some(&self.id));
    }

    /// The stage will not run in this execution.
    pub(super) fn give_up(&mut self, status: Status) {
        if !self.wanted {
            return;
        }
        self.wanted = false;
        self.status = Some(status);
        for job in &mut self.jobs {
            job.give_up(status);
        }
    }

    /// A gate that nobody has opened stops the build here (bkci-api.md 5.1): the stage shows PAUSE.
    pub(super) fn waits_at_its_gate(&mut self) -> bool {
        let Some(gate) = &mut self.gate else { return false };
        match gate.verdict {
            Verdict::Approved { .. } => false,
            Verdict::NotReached | Verdict::Awaited | Verdict::Rejected { .. } => {
                gate.verdict = Verdict::Awaited;
                self.status = Some(Status::Pause);
                true
            }
        }
    }

    /// Whether the stage is over.
    pub(super) fn progress(&mut self, run: &mut Run<'_>) -> bool {
        for job in self.jobs.iter_mut().filter(|job| job.wanted) {
            job.progress(run);
        }
        if self.fast_kill && self.jobs.iter().filter_map(Job::verdict).any(Status::is_failure) {
            for job in self.jobs.iter_mut().filter(|job| job.wanted) {
                job.terminate(run.at, run.book);
            }
        }
        if self.jobs.iter().any(|job| job.wanted) {
            return false;
        }
        self.wanted = false;
        self.end_ms = Some(run.at);
        self.status = Some(verdict(self.jobs.iter().filter_map(Job::verdict)));
        run.book.note(Event::StageEnd, Some(&self.id));
        true
    }

    pub(super) fn cancel(&mut self, at: i64, book: &mut Book) {
        let began = self.status == Some(Status::Running);
        for job in self.jobs.iter_mut().filter(|job| job.wanted) {
            job.cancel(at, book);
        }
        self.wanted = false;
        self.status = Some(Status::Canceled);
        self.end_ms = Some(at);
        if began {
            book.note(Event::StageEnd, Some(&self.id));
        }
    }
}

/// What the parts make of the whole: cancelled, else the first failure as it is, else skipped if all were.
fn verdict(parts: impl Iterator<Item = Status> + Clone) -> Status {
    if parts.clone().any(Status::is_cancel) {
        return Status::Canceled;
    }
    let mut all_skipped = true;
    for status in parts {
        if status.is_failure() {
            return status;
        }
        all_skipped &= status == Status::Skip;
    }
    if all_skipped { Status::Skip } else { Status::Succeed }
}

/// How a job is ended before it is done.
#[derive(Clone, Copy)]
struct Break<'a> {
    at: i64,
    status: Status,
    error: Option<&'a Fail>,
}

impl Job {
    fn give_up(&mut self, status: Status) {
        if !self.wanted {
            return;
        }
        self.wanted = false;
        self.status = Some(status);
        for task in self.tasks.iter_mut().filter(|task| task.wanted) {
            task.wanted = false;
            task.status = Some(status);
        }
    }

    fn progress(&mut self, run: &mut Run<'_>) {
        if !self.enabled || self.condition == Some(false) {
            self.give_up(Status::Skip);
            run.book.note(Event::JobEnd, None);
            return;
        }
        if self.matrix.is_some() {
            self.progress_children(run);
            return;
        }
        if !self.is_running() {
            self.start(run);
        }
        if self.boot_error.is_none() && !self.progress_tasks(run) {
            return;
        }
        self.finish(run.at);
        run.book.note(Event::JobEnd, None);
    }

    fn progress_children(&mut self, run: &mut Run<'_>) {
        self.split();
        if !self.is_running() {
            self.status = Some(Status::Running);
            self.start_ms = Some(run.at);
            self.execute_count = run.execute_count;
            run.book.note(Event::JobStart, None);
        }
        for task in &mut self.tasks {
            // The parent's own elements are templates: they never run and keep no state.
            task.wanted = false;
            task.status = None;
        }
        let Some(matrix) = &mut self.matrix else { return };
        for child in matrix.children.iter_mut().filter(|child| child.wanted) {
            child.progress(run);
        }
        if matrix.children.iter().any(|child| child.wanted) {
            return;
        }
        self.status = Some(verdict(self.children().iter().filter_map(|child| child.status)));
        self.wanted = false;
        self.end_ms = Some(run.at);
        run.book.note(Event::JobEnd, None);
    }

    fn start(&mut self, run: &mut Run<'_>) {
        self.status = Some(Status::Running);
        self.start_ms = Some(run.at);
        self.end_ms = None;
        self.execute_count = run.execute_count;
        if self.kind == JobKind::Machine {
            self.boot_error = self.boots.get(self.boot_runs).cloned().flatten();
            self.boot_runs += 1;
            run.book.log.machine(self, run.at);
        }
        run.book.note(Event::JobStart, None);
        if self.boot_error.is_some() {
            for task in self.tasks.iter_mut().filter(|task| task.wanted) {
                task.wanted = false;
                task.status = Some(Status::Unexec);
            }
        }
    }

    /// Whether no task is left.
    fn progress_tasks(&mut self, run: &mut Run<'_>) -> bool {
        let listed = self.kind != JobKind::Trigger;
        for index in 0..self.tasks.len() {
            if !self.tasks[index].wanted {
                continue;
            }
            let failed = self.tasks[..index].iter().any(Task::failed_the_job);
            if self.tasks[index].start_ms.is_none() {
                let task = &mut self.tasks[index];
                match task.fate(failed) {
                    Fate::Run => {
                        task.start(run, listed, Start::ByHand);
                        run.book.begin(self, index, run.at);
                    }
                    Fate::Leave(status) => {
                        task.wanted = false;
                        task.status = Some(status);
                        continue;
                    }
                }
            }
            let task = &mut self.tasks[index];
            task.progress(run, listed);
            if task.wanted {
                return false;
            }
            run.book.end(task, run.at);
        }
        true
    }

    fn finish(&mut self, at: i64) {
        let failed = self.tasks.iter().find(|task| task.failed_the_job()).and_then(|task| task.status);
        let cancelled = self.tasks.iter().any(|task| task.status == Some(Status::Canceled));
        let skipped = !self.tasks.is_empty() && self.tasks.iter().all(|task| task.status == Some(Status::Skip));
        let status = match (&self.boot_error, failed) {
            (Some(fail), _) => fail.status,
            (None, Some(status)) => status,
            (None, None) if cancelled => Status::Canceled,
            (None, None) if skipped => Status::Skip,
            (None, None) => Status::Succeed,
        };
        self.wanted = false;
        self.status = Some(status);
        self.end_ms = Some(at);
    }

    fn cancel(&mut self, at: i64, book: &mut Book) {
        self.break_off(Break { at, status: Status::Canceled, error: None }, book);
    }

    /// Another job of the stage failed, and the stage has fastKill (2199010, bkci-api.md 5.2).
    fn terminate(&mut self, at: i64, book: &mut Book) {
        let killed = Fail::new(ErrorType::User, 2199010, "terminated by fast kill of the stage");
        self.break_off(Break { at, status: Status::Terminate, error: Some(&killed) }, book);
    }

    fn break_off(&mut self, how: Break<'_>, book: &mut Book) {
        let Break { at, status, error } = how;
        let began = self.start_ms.is_some();
        for child in self.matrix.iter_mut().flat_map(|matrix| &mut matrix.children).filter(|child| child.wanted) {
            child.break_off(how, book);
        }
        for task in self.tasks.iter_mut().filter(|task| task.wanted) {
            let runs = task.start_ms.is_some();
            task.wanted = false;
            task.due_ms = None;
            task.status = Some(if runs { status } else { Status::Unexec });
            task.end_ms = runs.then_some(at);
            task.error = error.filter(|_| runs).cloned();
            if runs {
                book.end(task, at);
            }
        }
        self.wanted = false;
        self.status = Some(status);
        self.end_ms = Some(at);
        if began && self.context.is_empty() {
            book.note(Event::JobEnd, None);
        }
    }
}
