//! Moves builds with the clock: queue, stages one after another, the jobs of a stage at the same time, the tasks of
//! a job one after another. It runs what is wanted and records what ran; nothing here knows what a retry is.
//!
//! Looking at the world first lets everything that was due happen, each thing at its own time, so a build that was
//! not looked at for a day has the times of a build that ran unobserved.
//!
//! Source of the rules: bkci-api.md 5.1, 5.2, 6.2, 7.2 and 8.

use super::book::{Book, Event};
use super::build::{Build, ErrorInfo, Stage};
use super::job::{Job, Task};
use super::outcome::Fail;
use super::status::Status;
use super::world::{Concurrency, World};

impl World {
    /// Lets everything happen that is due until `now`.
    pub(super) fn step(&mut self, now: i64) {
        while let Some((at, index)) = self.next_event().filter(|(at, _)| *at <= now) {
            self.alter(index, at, |build| build.settle(at));
        }
    }

    /// The earliest event, and whose it is. Only what was touched is looked at.
    pub(super) fn next_event(&mut self) -> Option<(i64, usize)> {
        let mut affected = self.builds.take_touched();
        for index in affected.clone() {
            // Where one build runs at a time, each waits for the others.
            let pipeline = &self.builds.get(index).pipeline;
            if self.runs_one_at_a_time(pipeline) {
                affected.extend(self.builds.positions(pipeline));
            }
        }
        for index in affected {
            let due = self.due(self.builds.get(index));
            self.builds.schedule(index, due);
        }
        self.builds.first_due()
    }

    fn runs_one_at_a_time(&self, pipeline: &str) -> bool {
        let mut pipelines = self.pipelines.iter();
        pipelines.any(|known| known.run_lock == Concurrency::Single && known.id.0 == pipeline)
    }

    /// Changes a build.
    pub(super) fn alter<T>(&mut self, index: usize, at: i64, change: impl FnOnce(&mut Build) -> T) -> T {
        let (result, happened) = self.builds.alter(index, at, |build| (change(build), build.book.take_happened()));
        self.post(index, at, happened);
        result
    }

    /// A queued build of a pipeline that runs one build at a time waits for its turn; others wait for themselves.
    fn due(&self, build: &Build) -> Option<i64> {
        let own = build.next_due()?;
        if build.status != Status::Queue || !self.runs_one_at_a_time(&build.pipeline) {
            return Some(own);
        }
        let mut free_ms = own;
        for other in self.builds.of(&build.pipeline).filter(|other| other.id != build.id) {
            let first = (other.queue_ms, other.number) < (build.queue_ms, build.number);
            let waits_too = other.status == Status::Queue;
            if !other.is_finished() && (!waits_too || first) {
                return build.cancel.as_ref().and_then(|cancel| cancel.due_ms);
            }
            free_ms = free_ms.max(other.end_ms.unwrap_or(own));
        }
        Some(free_ms)
    }
}

/// What the engine needs to know of the build while it works on a part of it.
pub(super) struct Run<'a> {
    pub(super) at: i64,
    pub(super) execute_count: u32,
    pub(super) book: &'a mut Book,
}

impl Build {
    /// When something happens next by itself.
    pub(super) fn next_due(&self) -> Option<i64> {
        if self.is_finished() {
            return None;
        }
        let cancel = self.cancel.as_ref().and_then(|cancel| cancel.due_ms);
        let own = match self.status {
            Status::Queue => Some(self.leaves_queue_ms),
            _ => self
                .stages
                .iter()
                .flat_map(|stage| &stage.jobs)
                .flat_map(Job::parts)
                .flat_map(|job| &job.tasks)
                .filter_map(|task| task.due_ms)
                .min(),
        };
        cancel.into_iter().chain(own).min()
    }

    /// Lets happen what is due at `at`, and everything that follows from it at once.
    pub(super) fn settle(&mut self, at: i64) {
        if self.cancel.as_ref().and_then(|cancel| cancel.due_ms).is_some_and(|due| due <= at) {
            self.apply_cancel(at);
        }
        if self.status == Status::Queue && self.leaves_queue_ms <= at {
            self.leave_queue(at);
        }
        if self.status == Status::Running {
            self.progress(at);
        }
    }

    /// bkci-api.md 5.2: the errors of the last execution go when the build leaves the queue.
    fn leave_queue(&mut self, at: i64) {
        self.status = Status::Running;
        self.start_ms.get_or_insert(at);
        self.errors.clear();
        if let Some(record) = self.records.last_mut() {
            record.start_ms = Some(at);
        }
        self.book.note(Event::BuildStart, None);
    }

    fn progress(&mut self, at: i64) {
        while let Some(index) = self.stages.iter().position(|stage| stage.wanted) {
            let stopped = self.stages[..index].iter().any(|stage| !stage.finally && stage.is_failed_or_cancelled());
            let stage = &mut self.stages[index];
            if stage.status != Some(Status::Running) {
                if stopped && !stage.finally {
                    stage.give_up(Status::Unexec);
                    continue;
                }
                if !stage.enabled || stage.condition == Some(false) {
                    stage.give_up(Status::Skip);
                    continue;
                }
                if stage.waits_at_its_gate() {
                    self.status = Status::StageSuccess;
                    return;
                }
                stage.start(at, self.execute_count, &mut self.book);
            }
            let mut run = Run { at, execute_count: self.execute_count, book: &mut self.book };
            if !stage.progress(&mut run) {
                return;
            }
        }
        self.finish(at);
    }

    fn finish(&mut self, at: i64) {
        let worst = self.stages.iter().filter_map(|stage| stage.status).find(|status| status.is_failure());
        let cancelled = self.stages.iter().any(|stage| stage.status == Some(Status::Canceled));
        let status = if cancelled { Status::Canceled } else { worst.unwrap_or(Status::Succeed) };
        self.end(at, status);
    }

    pub(super) fn end(&mut self, at: i64, status: Status) {
        self.status = status;
        self.end_ms = Some(at);
        self.cancel = None;
        self.errors = self.collect_errors();
        if let Some(record) = self.records.last_mut() {
            record.end_ms = Some(at);
            record.errors.clone_from(&self.errors);
        }
        self.book.note(Event::BuildEnd, None);
    }

    /// bkci-api.md 5.2: computed when the build ends, from every task that has an error, tolerated or not.
    fn collect_errors(&self) -> Vec<ErrorInfo> {
        let mut errors = Vec::new();
        for stage in &self.stages {
            for job in &stage.jobs {
                for part in job.parts() {
                    part.errors(stage, job.matrix.is_some(), &mut errors);
                }
            }
        }
        errors
    }

    /// Stopping takes effect: what runs is cancelled, what has not run never will, the finally stage still runs.
    fn apply_cancel(&mut self, at: i64) {
        self.cancelled_by = self.cancel.as_ref().map(|cancel| cancel.by.clone());
        if let Some(cancel) = &mut self.cancel {
            cancel.due_ms = None;
        }
        if self.status == Status::Queue {
            for stage in &mut self.stages {
                stage.give_up(Status::Unexec);
            }
            self.end(at, Status::Canceled);
            return;
        }
        self.status = Status::Running;
        if let Some(stage) = self.stages.iter_mut().find(|stage| stage.wanted) {
            stage.cancel(at, &mut self.book);
        }
    }

    /// A second stop, more than a minute later: everything ends now (bkci-api.md 8).
    pub(super) fn kill(&mut self, at: i64) {
        self.apply_cancel(at);
        for stage in &mut self.stages {
            if stage.wanted {
                stage.cancel(at, &mut self.book);
            }
        }
        if !self.is_finished() {
            self.end(at, Status::Canceled);
        }
    }
}

impl Job {
    fn errors(&self, stage: &Stage, matrix: bool, errors: &mut Vec<ErrorInfo>) {
        let info = |task: Option<&Task>, fail: &Fail| ErrorInfo {
            stage_id: stage.id.clone(),
            container_id: self.id.clone(),
            matrix,
            task_id: task.map(|task| task.id.clone()).unwrap_or_default(),
            task_name: task.map_or_else(|| self.name.clone(), |task| task.name.clone()),
            atom_code: task.map(|task| task.atom.clone()).unwrap_or_default(),
            error_type: fail.error_type,
            code: fail.code,
            message: fail.message.clone(),
        };
        errors.extend(self.boot_error.iter().map(|fail| info(None, fail)));
        errors.extend(self.tasks.iter().filter_map(|task| Some(info(Some(task), task.error.as_ref()?))));
    }
}
