//! Moves builds with the clock: queue, stages one after another, the jobs of a stage at the same time, the tasks of
//! a job one after another. It runs what is wanted and records what ran; nothing here knows what a retry is.
//!
//! Looking at the world first lets everything that was due happen, each thing at its own time, so a build that was
//! not looked at for a day has the times of a build that ran unobserved.
//!
//! Source of the rules: bkci-api.md 5.1, 5.2, 6.2, 7.2 and 8.

use super::build::{Build, ErrorInfo, Stage, Verdict};
use super::job::{Job, JobKind, Task};
use super::outcome::{ErrorType, Fail};
use super::status::Status;
use super::turn::{Fate, Start};
use super::world::{Concurrency, World};

impl World {
    /// Lets everything happen that is due until `now`.
    pub(super) fn step(&mut self, now: i64) {
        while let Some((at, index)) = self.next_event(now) {
            self.builds[index].settle(at);
        }
    }

    /// The earliest event that is not later than `now`, and whose it is.
    fn next_event(&self, now: i64) -> Option<(i64, usize)> {
        let due = |(index, build): (usize, &Build)| Some((self.due(build)?, index));
        self.builds.iter().enumerate().filter_map(due).filter(|(at, _)| *at <= now).min()
    }

    /// A queued build of a pipeline that runs one build at a time waits for its turn; others wait for themselves.
    fn due(&self, build: &Build) -> Option<i64> {
        let own = build.next_due()?;
        let single = |pipeline: &&super::world::Pipeline| {
            pipeline.id.0 == build.pipeline && pipeline.run_lock == Concurrency::Single
        };
        if build.status != Status::Queue || !self.pipelines.iter().any(|pipeline| single(&pipeline)) {
            return Some(own);
        }
        let mut free_ms = own;
        for other in self.builds.iter().filter(|other| other.pipeline == build.pipeline && other.id != build.id) {
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
    pub(super) executed: &'a mut Vec<(u32, String)>,
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
                stage.start(at, self.execute_count);
            }
            let mut run = Run { at, execute_count: self.execute_count, executed: &mut self.executed };
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
            stage.cancel(at);
        }
    }

    /// A second stop, more than a minute later: everything ends now (bkci-api.md 8).
    pub(super) fn kill(&mut self, at: i64) {
        self.apply_cancel(at);
        for stage in &mut self.stages {
            if stage.wanted {
                stage.cancel(at);
            }
        }
        if !self.is_finished() {
            self.end(at, Status::Canceled);
        }
    }
}

impl Stage {
    fn start(&mut self, at: i64, execute_count: u32) {
        self.status = Some(Status::Running);
        self.start_ms = Some(at);
        self.execute_count = execute_count;
    }

    /// The stage will not run in this execution.
    fn give_up(&mut self, status: Status) {
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
    fn waits_at_its_gate(&mut self) -> bool {
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
    fn progress(&mut self, run: &mut Run<'_>) -> bool {
        for job in self.jobs.iter_mut().filter(|job| job.wanted) {
            job.progress(run);
        }
        if self.fast_kill && self.jobs.iter().filter_map(Job::verdict).any(Status::is_failure) {
            for job in self.jobs.iter_mut().filter(|job| job.wanted) {
                job.terminate(run.at);
            }
        }
        if self.jobs.iter().any(|job| job.wanted) {
            return false;
        }
        self.wanted = false;
        self.end_ms = Some(run.at);
        self.status = Some(verdict(self.jobs.iter().filter_map(Job::verdict)));
        true
    }

    fn cancel(&mut self, at: i64) {
        for job in self.jobs.iter_mut().filter(|job| job.wanted) {
            job.cancel(at);
        }
        self.wanted = false;
        self.status = Some(Status::Canceled);
        self.end_ms = Some(at);
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
    }

    fn progress_children(&mut self, run: &mut Run<'_>) {
        self.split();
        if !self.is_running() {
            self.status = Some(Status::Running);
            self.start_ms = Some(run.at);
            self.execute_count = run.execute_count;
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
    }

    fn start(&mut self, run: &mut Run<'_>) {
        self.status = Some(Status::Running);
        self.start_ms = Some(run.at);
        self.end_ms = None;
        self.execute_count = run.execute_count;
        if self.kind == JobKind::Machine {
            self.boot_error = self.boots.get(self.boot_runs).cloned().flatten();
            self.boot_runs += 1;
        }
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
            let task = &mut self.tasks[index];
            if task.start_ms.is_none() {
                match task.fate(failed) {
                    Fate::Run => task.start(run, listed, Start::ByHand),
                    Fate::Leave(status) => {
                        task.wanted = false;
                        task.status = Some(status);
                        continue;
                    }
                }
            }
            task.progress(run, listed);
            if task.wanted {
                return false;
            }
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

    fn cancel(&mut self, at: i64) {
        self.break_off(at, Status::Canceled, None);
    }

    /// Another job of the stage failed, and the stage has fastKill (2199010, bkci-api.md 5.2).
    fn terminate(&mut self, at: i64) {
        let killed = Fail::new(ErrorType::User, 2199010, "terminated by fast kill of the stage");
        self.break_off(at, Status::Terminate, Some(&killed));
    }

    fn break_off(&mut self, at: i64, status: Status, error: Option<&Fail>) {
        for child in self.matrix.iter_mut().flat_map(|matrix| &mut matrix.children).filter(|child| child.wanted) {
            child.break_off(at, status, error);
        }
        for task in self.tasks.iter_mut().filter(|task| task.wanted) {
            let runs = task.start_ms.is_some();
            task.wanted = false;
            task.due_ms = None;
            task.status = Some(if runs { status } else { Status::Unexec });
            task.end_ms = runs.then_some(at);
            task.error = error.filter(|_| runs).cloned();
        }
        self.wanted = false;
        self.status = Some(status);
        self.end_ms = Some(at);
    }

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
