//! The retry, as bkci-api.md 6 tells it: the checks in their order, the traps, what is queued again.
//!
//! It only queues; what then really runs is the engine's business. A request for less than it understands becomes
//! the whole build, silently, as in the real service (6.2).

use super::build::{Build, Defect, Record};
use super::errors::Failure;
use super::job::{Job, Task};
use super::looking::{AcceptedRetry, Via};
use super::status::Status;
use super::world::{Concurrency, Pipeline, ProjectRight, Right, World};

/// bkci-api.md 6.3 #4.
const LIMIT_DAYS: u64 = 28;
/// bkci-api.md 6.3 #11.
const BUCKET_MS: i64 = 60_000;
/// The parameter that a build still running misses (bkci-api.md 6.4).
const RUNNING: &str = "BK_CI_RETRY_TASK_IN_STAGE_ID";

/// What the caller asks for: the three query parameters of bkci-api.md 6.1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Task, stage, step, job or matrix child id; blank is the whole build.
    pub task_id: Option<String>,
    /// Only failed jobs; ignored without a stage or a matrix in `task_id`.
    pub failed_container: bool,
    /// Skip; ignored without `task_id`.
    pub skip: bool,
}

/// Whose wish about which build.
pub(super) struct Ask<'a> {
    pub(super) uid: &'a str,
    pub(super) project: &'a str,
    pub(super) pipeline: &'a str,
    pub(super) build: &'a str,
    pub(super) wish: Wish,
    pub(super) via: Via,
}

/// What the service answers (bkci-api.md 6.1).
pub(super) struct Accepted {
    pub(super) execute_count: u32,
    pub(super) number: i32,
}

/// Where `taskId` led: positions in the model.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    /// No `taskId`.
    Whole,
    /// A `taskId` that matched nothing.
    Unmatched,
    Stage(usize),
    Job(usize, usize),
    FailedChildren(usize, usize),
    Child(Spot),
    Task(Spot, usize),
}

/// A job, or a child of a matrix job.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spot {
    stage: usize,
    job: usize,
    child: Option<usize>,
}

impl World {
    /// Checks in the order of bkci-api.md 6.3, then queues. The world is held meanwhile: the lock per build of 6.5.
    pub(super) fn retry(&mut self, ask: &Ask<'_>, now: i64) -> Result<Accepted, Failure> {
        self.step(now);
        self.require(ask.uid, ask.pipeline, Right::Execute)?;
        let index = self.builds.position(ask.build).filter(|index| self.builds.get(*index).project == ask.project);
        let index = index.ok_or_else(|| Failure::code(2101163, &[ask.build]))?;
        let build = self.builds.get(index);
        let target = self.check(build, ask, now)?;
        let running = !build.is_finished();
        self.check_start(build, now)?;
        let clean = self.pipeline(ask.project, ask.pipeline).is_some_and(|pipeline| pipeline.clean_variables_on_retry);
        let queue_ms = self.settings.queue_ms;
        let accepted = self.alter(index, now, |build| {
            if !running {
                build.new_execution(target, ask.uid, now, queue_ms);
                if clean && target == Target::Whole {
                    build.set_by_tasks.clear();
                }
            }
            build.queue_again(target, &ask.wish);
            if running {
                build.settle(now);
            }
            Accepted { execute_count: build.execute_count, number: build.number }
        });
        self.remember(ask, accepted.execute_count, now);
        Ok(accepted)
    }

    /// Checks 3 to 9.
    fn check(&self, build: &Build, ask: &Ask<'_>, now: i64) -> Result<Target, Failure> {
        if build.pipeline != ask.pipeline {
            return Err(Failure::code(2101058, &[]));
        }
        if build.start_ms.is_some_and(|start| now - start > World::days(LIMIT_DAYS)) {
            return Err(Failure::code(2101258, &[&LIMIT_DAYS.to_string()]));
        }
        let pipeline = self.pipeline(ask.project, ask.pipeline).ok_or_else(|| Failure::code(2101038, &[]))?;
        if build.defects.contains(&Defect::VersionGone) {
            return Err(Failure::code(2101184, &[&build.version.to_string()]));
        }
        if pipeline.locked {
            return Err(Failure::code(2101047, &[]));
        }
        if build.defects.contains(&Defect::ModelUnreadable) {
            return Err(Failure::code(2101039, &[]));
        }
        let target = build.resolve(&ask.wish);
        let operates = self.may_in_project(ask.uid, ask.project, ProjectRight::ApiOperate);
        build.check_target(target, ask.wish.skip, operates)?;
        if !build.is_finished() {
            build.check_running(target)?;
        }
        Ok(target)
    }

    /// Checks 10 to 13b. The table makes no exception for a build that is still running.
    fn check_start(&self, build: &Build, now: i64) -> Result<(), Failure> {
        if !self.project(&build.project).is_some_and(|project| project.enabled) {
            return Err(Failure::code(2101080, &[&build.project]));
        }
        let Some(pipeline) = self.pipeline(&build.project, &build.pipeline) else {
            return Err(Failure::code(2101038, &[]));
        };
        if pipeline.starts_in_bucket(now) >= pipeline.max_concurrency {
            return Err(Failure::code(2101020, &[]));
        }
        if pipeline.run_lock == Concurrency::Lock {
            return Err(Failure::code(2101047, &[]));
        }
        let (queued, running): (Vec<&Build>, Vec<&Build>) = self
            .builds
            .of(&build.pipeline)
            .filter(|other| !other.is_finished())
            .partition(|other| other.status == Status::Queue);
        let busy = pipeline.run_lock == Concurrency::Single && !running.is_empty();
        if busy && queued.len() >= pipeline.max_queue {
            return Err(Failure::code(2101049, &[]));
        }
        if pipeline.summary_missing {
            return Err(Failure::code(2101139, &[]));
        }
        Ok(())
    }

    fn remember(&mut self, ask: &Ask<'_>, execute_count: u32, now: i64) {
        let accepted = AcceptedRetry {
            uid: ask.uid.into(),
            task_id: ask.wish.task_id.clone(),
            failed_container: ask.wish.failed_container,
            skip: ask.wish.skip,
            execute_count,
            at_ms: now,
            via: ask.via,
        };
        self.retries.push((ask.build.into(), accepted));
        if let Some(pipeline) = self.pipelines.iter_mut().find(|pipeline| pipeline.id.0 == ask.pipeline) {
            pipeline.starts_ms.push(now);
        }
    }
}

impl Pipeline {
    fn starts_in_bucket(&self, now: i64) -> usize {
        self.starts_ms.iter().filter(|at| **at / BUCKET_MS == now / BUCKET_MS).count()
    }
}

impl Build {
    /// The first match in model order wins, be it a stage, a job, a task or a stepId (bkci-api.md 4, 6.1).
    fn resolve(&self, wish: &Wish) -> Target {
        let Some(id) = wish.task_id.as_deref().filter(|id| !id.trim().is_empty()) else { return Target::Whole };
        for (stage_at, stage) in self.stages.iter().enumerate() {
            if stage.id == id {
                return Target::Stage(stage_at);
            }
            for (job_at, job) in stage.jobs.iter().enumerate() {
                if job.id == id && job.matrix.is_some() && wish.failed_container {
                    return Target::FailedChildren(stage_at, job_at);
                }
                // "As 'task' with the first task of the job" (6.2): where there is none, nothing matches (trap 3).
                if job.id == id && !job.tasks.is_empty() {
                    return Target::Job(stage_at, job_at);
                }
                let spot = Spot { stage: stage_at, job: job_at, child: None };
                if job.matrix.is_none() {
                    if let Some(task) = job.find_task(id) {
                        return Target::Task(spot, task);
                    }
                    continue;
                }
                for (child_at, child) in job.children().iter().enumerate() {
                    let spot = Spot { child: Some(child_at), ..spot };
                    if child.id == id {
                        return Target::Child(spot);
                    }
                    if let Some(task) = child.find_task(id) {
                        return Target::Task(spot, task);
                    }
                }
            }
        }
        Target::Unmatched
    }

    /// Check 8 of bkci-api.md 6.3.
    fn check_target(&self, target: Target, skip: bool, operates: bool) -> Result<(), Failure> {
        let records_gone = self.defects.contains(&Defect::RecordsGone);
        let task = match target {
            Target::Whole | Target::Unmatched => return Ok(()),
            Target::Stage(_) if records_gone => return Err(Failure::code(2101081, &[])),
            Target::Stage(stage) if !self.stages[stage].is_failed_or_cancelled() => {
                return Err(Failure::code(2101114, &[]));
            }
            Target::Stage(_) => return Ok(()),
            Target::FailedChildren(..) | Target::Child(_) => None,
            Target::Job(stage, job) => Some((Spot { stage, job, child: None }, 0)),
            Target::Task(spot, task) => Some((spot, task)),
        };
        // The permission to skip is read from the parent's template at the same position (6.2, last row).
        let template = task.and_then(|(spot, task)| self.stages[spot.stage].jobs[spot.job].tasks.get(task));
        let skippable = template.is_none_or(|task| task.options.manual_skip == Some(true));
        if skip && !skippable && !operates {
            return Err(Failure::code(2101221, &[]));
        }
        if records_gone { Err(Failure::code(2101081, &[])) } else { Ok(()) }
    }

    /// bkci-api.md 6.4.
    fn check_running(&self, target: Target) -> Result<(), Failure> {
        if self.is_at_a_gate() {
            return Err(Failure::code(2101129, &[]));
        }
        let (spot, task) = match target {
            Target::Task(spot, task) => (spot, Some(task)),
            Target::Child(spot) => (spot, None),
            Target::Whole | Target::Unmatched | Target::Stage(_) | Target::Job(..) | Target::FailedChildren(..) => {
                return Err(Failure::code(2100002, &[RUNNING]));
            }
        };
        if self.stages[spot.stage].status != Some(Status::Running) {
            return Err(Failure::code(2101273, &[]));
        }
        let job = self.part(spot);
        if !job.is_finished() {
            return Err(Failure::code(2101110, &[]));
        }
        let failed = task.map_or(job.is_failed_or_cancelled(), |task| job.tasks[task].is_failed_or_cancelled());
        if failed { Ok(()) } else { Err(Failure::code(2101277, &[])) }
    }

    /// bkci-api.md 6.5, "What happens to the build at once".
    fn new_execution(&mut self, target: Target, uid: &str, now: i64, queue_ms: i64) {
        self.status = Status::Queue;
        self.execute_count += 1;
        self.queue_ms = now;
        self.leaves_queue_ms = now + queue_ms;
        self.end_ms = None;
        self.cancel = None;
        self.cancelled_by = None;
        if matches!(target, Target::Whole | Target::Unmatched) {
            self.start_ms = Some(now);
        }
        let keeps_its_user = target == Target::Whole;
        let start_user = self.webhook_user().filter(|_| keeps_its_user).unwrap_or(uid).to_owned();
        self.records.push(Record { start_user, queue_ms: now, start_ms: None, end_ms: None, errors: Vec::new() });
    }

    fn queue_again(&mut self, target: Target, wish: &Wish) {
        match target {
            Target::Whole | Target::Unmatched => {
                for stage in &mut self.stages {
                    stage.requeue(None);
                }
            }
            Target::Stage(stage) => self.queue_stage(stage, wish),
            Target::Job(stage, job) => self.queue_job(Spot { stage, job, child: None }, 0, wish.skip),
            Target::FailedChildren(stage, job) => {
                self.open_for_retry(stage);
                self.stages[stage].jobs[job].requeue_failed_children();
            }
            Target::Child(spot) => self.queue_job(spot, 0, false),
            Target::Task(spot, task) => self.queue_job(spot, task, wish.skip),
        }
    }

    /// "every job of that stage again", "only jobs that did not succeed", or with the failed tasks made SKIP.
    fn queue_stage(&mut self, stage: usize, wish: &Wish) {
        self.open_for_retry(stage);
        for job in &mut self.stages[stage].jobs {
            if wish.failed_container && job.status.is_some_and(Status::is_success) {
                continue;
            }
            let skips_here = |part: &Job| part.tasks.iter().any(|task| task.status.is_some_and(Status::is_failure));
            // Without a failed task to skip it is "the rest of the stage": a matrix is split again.
            if !wish.skip || !job.parts().into_iter().any(skips_here) {
                job.requeue();
                continue;
            }
            job.wanted = true;
            job.status = Some(Status::Queue);
            for part in job.parts_mut() {
                let failed: Vec<bool> =
                    part.tasks.iter().map(|task| task.status.is_some_and(Status::is_failure)).collect();
                part.requeue_from(0);
                for (task, _) in part.tasks.iter_mut().zip(failed).filter(|(_, failed)| *failed) {
                    task.skip();
                }
            }
        }
    }

    /// The tasks of one job from `first` on; the other jobs of the stage keep what they have.
    fn queue_job(&mut self, spot: Spot, first: usize, skip: bool) {
        if self.is_finished_before_retry() {
            self.open_for_retry(spot.stage);
            // "…, later unfinished stages, finally-stage": the finally stage runs again as a whole (6.2), also when
            // it is a part of it that was named.
            if self.stages[spot.stage].finally {
                let named = self.part(spot).tasks.get(first).map(|task| task.id.clone());
                self.stages[spot.stage].requeue(Some(Status::Queue));
                let jobs = self.stages[spot.stage].jobs.iter_mut().flat_map(|job| &mut job.tasks);
                jobs.filter(|task| skip && Some(&task.id) == named.as_ref()).for_each(Task::skip);
                return;
            }
        }
        let job = &mut self.stages[spot.stage].jobs[spot.job];
        if spot.child.is_none() {
            job.requeue_from(first);
            if first == 0 && job.matrix.is_some() {
                job.requeue();
            }
        } else {
            job.wanted = true;
            job.status = Some(Status::Queue);
        }
        let part = self.part_mut(spot);
        if spot.child.is_some() {
            part.requeue_from(first);
        }
        if let Some(task) = part.tasks.get_mut(first).filter(|_| skip) {
            task.skip();
        }
    }

    /// A retry of a running build changes nothing but the job; the build itself is in no queue then.
    fn is_finished_before_retry(&self) -> bool {
        self.status == Status::Queue
    }

    /// The stage itself, "later unfinished stages, and finally-stage" (bkci-api.md 6.2).
    fn open_for_retry(&mut self, target: usize) {
        for (index, stage) in self.stages.iter_mut().enumerate() {
            if index == target {
                stage.reopen(Some(Status::Queue));
            } else if stage.finally || (index > target && !stage.status.is_some_and(Status::is_finish)) {
                stage.requeue(None);
            }
        }
    }

    fn part(&self, spot: Spot) -> &Job {
        let job = &self.stages[spot.stage].jobs[spot.job];
        spot.child.map_or(job, |child| &job.children()[child])
    }

    fn part_mut(&mut self, spot: Spot) -> &mut Job {
        let job = &mut self.stages[spot.stage].jobs[spot.job];
        match spot.child {
            Some(child) => job.parts_mut().swap_remove(child),
            None => job,
        }
    }
}

impl Job {
    fn find_task(&self, id: &str) -> Option<usize> {
        self.tasks.iter().position(|task| task.id == id || task.step_id.as_deref() == Some(id))
    }
}

impl Task {
    fn skip(&mut self) {
        self.wanted = false;
        self.status = Some(Status::Skip);
    }
}
