//! What a test or a page does with builds, beside the API: adds them, moves them, damages them, looks at them.

use std::time::Duration;

use super::build::{Build, Defect, Verdict};
use super::build_plan::BuildPlan;
use super::looking::{AcceptedRetry, BuildView, Via};
use super::outcome::{ErrorType, Fail};
use super::retry::{Ask, Wish};
use super::status::Status;
use super::{BkCi, Refused};

impl BkCi {
    /// Adds a build and lets it run up to now.
    ///
    /// # Panics
    /// When its pipeline was not added.
    pub fn add_build(&self, plan: BuildPlan) -> String {
        self.change(|world, now| world.add_build(plan, now))
    }

    /// Somebody or something starts a build now: it is first seen in the queue, then moves with the clock. By whom, by
    /// what and of which commit the plan says; its age does not count.
    ///
    /// # Panics
    /// As [`BkCi::add_build`].
    pub fn start_build(&self, plan: BuildPlan) -> String {
        self.add_build(plan.age(Duration::ZERO))
    }

    /// A build as it is now.
    ///
    /// # Panics
    /// When there is none; so do all functions here that name a build.
    pub fn build(&self, build: &str) -> BuildView {
        self.look(|world| BuildView::of(world.build(build)))
    }

    /// Every start of a task: execution and task id, in order. The trigger is not listed; automatic repeats are.
    pub fn executed(&self, build: &str) -> Vec<(u32, String)> {
        self.look(|world| world.build(build).book.executed.clone())
    }

    /// The retries that were carried out, whatever became of their answers.
    pub fn accepted_retries(&self, build: &str) -> Vec<AcceptedRetry> {
        self.look(|world| world.retries.iter().filter(|(id, _)| id == build).map(|(_, retry)| retry.clone()).collect())
    }

    /// Somebody presses the button on BK-CI's own page: the same checks, no gateway. Answers the execution.
    ///
    /// # Errors
    /// What the service refused it with.
    pub fn retry_on_the_web(&self, uid: &str, build: &str, wish: Wish) -> Result<u32, Refused> {
        self.change(|world, now| {
            let (project, pipeline) = (world.build(build).project.clone(), world.build(build).pipeline.clone());
            let ask = Ask { uid, project: &project, pipeline: &pipeline, build, wish, via: Via::Web };
            Ok(world.retry(&ask, now)?.execute_count)
        })
    }

    /// Somebody stops the build on BK-CI's own page.
    ///
    /// # Errors
    /// What the service refused it with.
    pub fn stop_on_the_web(&self, uid: &str, build: &str) -> Result<(), Refused> {
        self.change(|world, now| {
            let (project, pipeline) = (world.build(build).project.clone(), world.build(build).pipeline.clone());
            Ok(world.stop(uid, &project, &pipeline, build, now)?)
        })
    }

    /// Opens the gate at which the build waits, or rejects there: then the build ends STAGE_SUCCESS (8).
    ///
    /// # Panics
    /// When it waits at none.
    pub fn review_gate(&self, uid: &str, build: &str, approve: bool) {
        let by = uid.to_owned();
        self.change(|world, now| world.alter_build(build, now, |build| build.decide_gate(by, approve, now)));
    }

    /// Decides a manual review task: it passes, or fails with REVIEW_ABORT.
    ///
    /// # Panics
    /// When no such task waits.
    pub fn review_task(&self, build: &str, task: &str, approve: bool) {
        self.change(|world, now| world.alter_build(build, now, |build| build.decide_task(task, approve, now)));
    }

    /// Writes the remark of a build, whatever its age: its row changes, and with it `updateTime` (7.4).
    pub fn set_remark(&self, build: &str, remark: &str) {
        self.alter(build, |build| build.remark = Some(remark.into()));
    }

    /// From now on this text is told as the build's status, as a newer service would that has a status more; `None`:
    /// the true one again. The build itself goes on as it would.
    pub fn tell_status(&self, build: &str, status: Option<&str>) {
        self.alter(build, |build| build.told = status.map(str::to_owned));
    }

    /// Damages a build.
    pub fn damage(&self, build: &str, defect: Defect) {
        self.alter(build, |build| build.defects.push(defect));
    }

    /// A task of the build set this variable while it ran.
    pub fn set_variable(&self, build: &str, key: &str, value: &str) {
        self.alter(build, |build| {
            build.set_by_tasks.insert(key.into(), value.into());
        });
    }

    /// What a task writes into the log in an execution, from 1, in place of what this double makes up; a line may be of
    /// several lines. Said before the task runs or after it did.
    pub fn set_log<L: Into<String>>(
        &self,
        build: &str,
        task: &str,
        execution: u32,
        lines: impl IntoIterator<Item = L>,
    ) {
        let lines = lines.into_iter().map(Into::into).collect();
        self.alter(build, |build| build.book.log.give(task, execution, lines));
    }

    /// The log of the build is told in this state from now on, with no line: 1 empty, 2 cleaned away, 3 closed, 999
    /// the search failed (9); 0 or `None`: as it is.
    pub fn set_log_status(&self, build: &str, status: Option<u32>) {
        self.alter(build, |build| build.book.log.status = status.filter(|status| *status != 0));
    }

    pub(super) fn alter(&self, build: &str, change: impl FnOnce(&mut Build)) {
        self.change(|world, now| world.alter_build(build, now, change));
    }
}

impl Build {
    fn decide_gate(&mut self, by: String, approve: bool, now: i64) {
        assert!(self.is_at_a_gate(), "the build waits at no gate");
        let waiting = self.stages.iter_mut().find(|stage| stage.status == Some(Status::Pause));
        let stage = waiting.expect("a build at a gate has a paused stage");
        let at_ms = now;
        if let Some(gate) = &mut stage.gate {
            gate.verdict = if approve { Verdict::Approved { by, at_ms } } else { Verdict::Rejected { by, at_ms } };
        }
        if approve {
            self.status = Status::Running;
            self.settle(now);
        } else {
            stage.status = Some(Status::StageSuccess);
            self.end(now, Status::StageSuccess);
        }
    }

    fn decide_task(&mut self, task: &str, approve: bool, now: i64) {
        let parts = self.stages.iter_mut().flat_map(|stage| &mut stage.jobs).flat_map(|job| job.parts_mut());
        let found = parts
            .flat_map(|job| &mut job.tasks)
            .find(|known| known.id == task && known.status == Some(Status::Reviewing));
        let task = found.expect("the task waits for a review");
        if approve {
            task.end(now, Status::Succeed, None);
        } else {
            let fail = Fail::new(ErrorType::User, 2199002, "review rejected").with_status(Status::ReviewAbort);
            task.end(now, Status::ReviewAbort, Some(fail));
        }
        self.book.end(task, now);
        self.settle(now);
    }
}
