//! What a retry would run, worked out from the detail before it is asked for. Facts only; words are made elsewhere.
//!
//! It speaks of one attempt in which machines start, people approve at the gates and nobody stops the build.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Scope;
use super::find::Found;
use super::refusal::Part;
use crate::model::build::{Build, Condition, Job, Stage, Task, failed, failed_or_canceled, finished};
use crate::model::status::BuildStatus;

/// What a retry would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The stages in which something runs, may run, or is skipped, in model order. The trigger is not listed.
    pub stages: Vec<PlannedStage>,
    /// What failed and stays as it is.
    pub stays: Vec<Part>,
    /// The later stages that are not reached, since something before them stays failed.
    pub unreached: Vec<Part>,
    /// Whether variables that tasks had set are wiped first; absent when the detail does not tell (bkci-api 6.2).
    pub wipes_variables: Option<bool>,
}

/// A stage in which something runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStage {
    /// `stage-2`
    pub id: String,
    /// The user's name for it.
    pub name: String,
    /// The finally stage.
    pub finally: bool,
    /// The build waits before it until somebody approves, again (bkci-api 6.2, trap 6).
    pub gated: bool,
    /// How long it took when it ran last.
    pub took: Option<Duration>,
    /// The jobs of it in which something runs.
    pub jobs: Vec<PlannedJob>,
}

/// A job in which something runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedJob {
    /// `2`; `2001` for a child.
    pub id: String,
    /// The user's name for it.
    pub name: String,
    /// A matrix that is split again: each of its tasks runs once in each child, and so many children it had last time.
    pub split: Option<usize>,
    /// How long it took when it ran last.
    pub took: Option<Duration>,
    /// Its tasks from the first that is touched on.
    pub tasks: Vec<PlannedTask>,
}

/// A task, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTask {
    /// `e-…`
    pub id: String,
    /// The user's name for it.
    pub name: String,
    /// What becomes of it.
    pub fate: Fate,
    /// A person decides in it or before it.
    pub waits_for_a_person: bool,
    /// How long it took when it ran last.
    pub took: Option<Duration>,
}

/// What becomes of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It runs, however the others end.
    Runs,
    /// It runs when all that runs before it passes.
    RunsIfAllPass,
    /// It runs only when something before it fails.
    RunsIfFailed,
    /// It runs or not, on a condition that the detail does not settle.
    MayRun,
    /// It becomes skipped, since that is asked for.
    Skipped,
    /// It does not run: switched off, or what it waits for cannot come about.
    Idle,
}

impl Plan {
    /// Every task with its stage and job, in order.
    pub fn tasks(&self) -> impl Iterator<Item = (&PlannedStage, &PlannedJob, &PlannedTask)> {
        let jobs = self.stages.iter().flat_map(|stage| stage.jobs.iter().map(move |job| (stage, job)));
        jobs.flat_map(|(stage, job)| job.tasks.iter().map(move |task| (stage, job, task)))
    }

    /// The stages before which the build waits for an approval.
    pub fn gates(&self) -> impl Iterator<Item = &PlannedStage> {
        self.stages.iter().filter(|stage| stage.gated)
    }

    /// About how long it would take if all goes well and takes as long as it took last: stages one after another, jobs at
    /// the same time. What never ran counts nothing; absent when nothing of it ever ran.
    pub fn took(&self) -> Option<Duration> {
        let known = self.tasks().any(|(_, _, task)| task.fate.runs_if_all_pass() && task.took.is_some());
        let job = |job: &PlannedJob| {
            let tasks = job.tasks.iter().filter(|task| task.fate.runs_if_all_pass());
            tasks.filter_map(|task| task.took).sum::<Duration>()
        };
        let stage = |stage: &PlannedStage| stage.jobs.iter().map(job).max().unwrap_or_default();
        known.then(|| self.stages.iter().map(stage).sum())
    }
}

impl Fate {
    /// Whether it runs when all that runs passes.
    pub fn runs_if_all_pass(self) -> bool {
        matches!(self, Self::Runs | Self::RunsIfAllPass)
    }

    /// Whether it could run at all.
    pub fn may_run(self) -> bool {
        !matches!(self, Self::Skipped | Self::Idle)
    }

    /// For a part that may not be reached: nothing in it is certain.
    fn behind(self, before: Before) -> Self {
        match (before, self) {
            (_, Self::Idle | Self::Skipped | Self::MayRun) | (Before::Nothing, _) => self,
            (Before::Condition, Self::Runs | Self::RunsIfAllPass | Self::RunsIfFailed) => Self::MayRun,
            (Before::Work, Self::Runs | Self::RunsIfAllPass) => Self::RunsIfAllPass,
            (Before::Work, Self::RunsIfFailed) => self,
        }
    }
}

/// What a part depends on from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// It surely starts.
    Nothing,
    /// It starts when other work passes.
    Work,
    /// Nobody can tell.
    Condition,
}

/// Which part of a stage is queued again.
enum Queued<'a> {
    /// All of it; with `skipping`, tasks that failed become skipped.
    All { skipping: bool },
    /// The jobs that did not succeed.
    Unsuccessful,
    /// The failed children of a matrix.
    FailedChildren(&'a str),
    /// A job, a matrix or a child with all its tasks.
    Job(&'a str),
    /// A task and what follows it in its job; or without it.
    Task { id: &'a str, skipping: bool },
}

/// What asking BK-CI for this would run (bkci-api 6.2, 6.4, 7.2). Pure; `scope` was resolved against this build.
pub fn what_runs(build: &Build, scope: &Scope) -> Plan {
    let mut plan = Plan { stages: Vec::new(), stays: Vec::new(), unreached: Vec::new(), wipes_variables: Some(false) };
    let (target, queued) = match scope {
        Scope::WholeBuild => {
            plan.wipes_variables = None;
            whole(build, &mut plan);
            return plan;
        }
        Scope::Stage { id, .. } => (stage_by_id(build, id), Queued::All { skipping: false }),
        Scope::SkipInStage { id, .. } => (stage_by_id(build, id), Queued::All { skipping: true }),
        Scope::FailedJobs { id, .. } => (stage_by_id(build, id), Queued::Unsuccessful),
        Scope::Job(job) | Scope::Matrix(job) | Scope::Child(job) => (stage_of(build, &job.id), Queued::Job(&job.id)),
        Scope::FailedChildren { matrix, .. } => (stage_of(build, &matrix.id), Queued::FailedChildren(&matrix.id)),
        Scope::Task(task) => (stage_of(build, &task.id), Queued::Task { id: &task.id, skipping: false }),
        Scope::SkipTask(task) => (stage_of(build, &task.id), Queued::Task { id: &task.id, skipping: true }),
    };
    if let Some(target) = target {
        from_stage(build, target, &queued, &mut plan);
    }
    plan
}

fn stage_by_id(build: &Build, id: &str) -> Option<usize> {
    build.stages.iter().position(|stage| stage.id == id)
}

fn stage_of(build: &Build, id: &str) -> Option<usize> {
    let holds = |stage: &Stage| {
        stage.all_jobs().any(|job| job.id == id) || stage.running_jobs().flat_map(|job| &job.tasks).any(|t| t.id == id)
    };
    build.stages.iter().position(holds)
}

fn whole(build: &Build, plan: &mut Plan) {
    let mut before = Before::Nothing;
    for stage in build.stages.iter().skip(1) {
        plan_stage(stage, if stage.finally { Before::Nothing } else { before }, plan);
        before = if stage.enabled { Before::Work } else { before };
    }
}

/// bkci-api 6.2: the target, "later unfinished stages, and finally-stage".
fn from_stage(build: &Build, target: usize, queued: &Queued<'_>, plan: &mut Plan) {
    let mut blocked = false;
    for (index, stage) in build.stages.iter().enumerate().skip(1) {
        let keeps_its_state = index < target || (index > target && finished(stage.status));
        if keeps_its_state && !stage.finally {
            let failed = stage.jobs.iter().filter(|job| failed_or_canceled(job.status));
            plan.stays.extend(failed.map(|job| Found::Job(stage, job).part()));
            blocked |= failed_or_canceled(stage.status);
        } else if blocked && !stage.finally {
            plan.unreached.push(Found::Stage(stage).part());
        } else if index == target && !stage.finally {
            blocked |= plan_target(build, stage, queued, plan);
        } else if stage.finally {
            // Whatever of it is named, it runs again as a whole.
            let skipped = if let Queued::Task { id, skipping: true } = queued { Some(*id) } else { None };
            let jobs = stage.jobs.iter().map(|job| fresh(job, |task| Some(task.id.as_str()) == skipped)).collect();
            add(stage, Before::Nothing, Work { jobs, gated: stage.gated, fails: false }, plan);
        } else {
            plan_stage(stage, Before::Work, plan);
        }
    }
}

fn plan_stage(stage: &Stage, before: Before, plan: &mut Plan) {
    let jobs = stage.jobs.iter().map(|job| fresh(job, |_| false)).collect();
    add(stage, before, Work { jobs, gated: stage.gated, fails: false }, plan);
}

/// What runs in a stage.
struct Work {
    jobs: Vec<PlannedJob>,
    gated: bool,
    /// Something in it stays failed, so it fails however the rest ends.
    fails: bool,
}

/// Adds a stage, weakened by what it depends on, unless nothing in it is touched.
fn add(stage: &Stage, before: Before, work: Work, plan: &mut Plan) {
    let Work { mut jobs, gated, fails } = work;
    jobs.retain(|job| job.tasks.iter().any(|task| task.fate != Fate::Idle));
    // At its gate the build waits even where nothing in the stage is switched on.
    if !stage.enabled || (jobs.is_empty() && !gated) {
        return;
    }
    let before = if stage.conditional || (stage.fast_kill && fails) { Before::Condition } else { before };
    let may_be_killed = stage.fast_kill && jobs.len() > 1;
    for job in &mut jobs {
        for (index, task) in job.tasks.iter_mut().enumerate() {
            let by_others = if may_be_killed && index > 0 { Before::Work } else { Before::Nothing };
            task.fate = task.fate.behind(by_others).behind(before);
        }
    }
    let (id, name) = (stage.id.clone(), stage.name.clone());
    plan.stages.push(PlannedStage { id, name, finally: stage.finally, gated, took: stage.took, jobs });
}

/// Whether the stage fails again whatever runs, since something in it stays failed.
fn plan_target(build: &Build, stage: &Stage, queued: &Queued<'_>, plan: &mut Plan) -> bool {
    let (mut jobs, mut fails) = (Vec::new(), false);
    for job in &stage.jobs {
        let touched = touch(stage, job, queued);
        // Only a failure is tolerated, not that somebody stopped it.
        fails |= touched.canceled || (touched.failed && !job.continue_when_failed);
        plan.stays.extend(touched.stays.into_iter().map(Found::part));
        jobs.extend(touched.jobs);
    }
    // A gate that a running build has passed stays open (bkci-api 6.2, trap 6).
    add(stage, Before::Nothing, Work { jobs, gated: stage.gated && build.is_finished(), fails }, plan);
    fails
}

/// What becomes of one job of the target stage.
#[derive(Default)]
struct Touched<'a> {
    jobs: Vec<PlannedJob>,
    stays: Vec<Found<'a>>,
    /// It ends failed, whatever runs.
    failed: bool,
    /// It ends cancelled, whatever runs.
    canceled: bool,
}

fn touch<'a>(stage: &'a Stage, job: &'a Job, queued: &Queued<'_>) -> Touched<'a> {
    match *queued {
        Queued::All { skipping } => again(fresh(job, |task| skipping && failed(task.status))),
        Queued::Unsuccessful if job.status.is_some_and(BuildStatus::is_success) => Touched::default(),
        Queued::Unsuccessful => again(fresh(job, |_| false)),
        Queued::Job(id) if job.id == id => again(fresh(job, |_| false)),
        Queued::FailedChildren(id) if job.id != id => keep(Found::Job(stage, job)),
        Queued::FailedChildren(_) => {
            each_child(stage, job, |child| failed_or_canceled(child.status).then_some((0, false)))
        }
        Queued::Job(id) if job.matrix => each_child(stage, job, |child| (child.id == id).then_some((0, false))),
        Queued::Job(_) => keep(Found::Job(stage, job)),
        Queued::Task { id, skipping } => {
            let position = |part: &Job| Some((part.tasks.iter().position(|task| task.id == id)?, skipping));
            match position(job) {
                _ if job.matrix => each_child(stage, job, position),
                Some((first, skipping)) => from_task(stage, job, first, skipping),
                None => keep(Found::Job(stage, job)),
            }
        }
    }
}

fn again<'a>(job: PlannedJob) -> Touched<'a> {
    Touched { jobs: vec![job], ..Touched::default() }
}

fn keep(part: Found<'_>) -> Touched<'_> {
    let (failed, canceled) = (failed(part.status()), part.status().is_some_and(BuildStatus::is_cancel));
    let stays = if failed || canceled { vec![part] } else { Vec::new() };
    Touched { jobs: Vec::new(), stays, failed, canceled }
}

/// A matrix of which some children run again; `first` tells from which task on, and whether without that one.
fn each_child<'a>(stage: &'a Stage, matrix: &'a Job, first: impl Fn(&Job) -> Option<(usize, bool)>) -> Touched<'a> {
    let children = matrix.children.iter().map(|child| match first(child) {
        Some((first, skipping)) => from_task(stage, child, first, skipping),
        None => keep(Found::Child(stage, child)),
    });
    let mut all: Vec<Touched<'a>> = children.collect();
    // Nothing of the matrix is touched: name it rather than each of its children.
    if all.iter().all(|child| child.jobs.is_empty()) {
        return keep(Found::Job(stage, matrix));
    }
    let failed = all.iter().any(|child| child.failed);
    let canceled = all.iter().any(|child| child.canceled);
    let stays = all.iter_mut().flat_map(|child| std::mem::take(&mut child.stays)).collect();
    let mut jobs: Vec<PlannedJob> = all.into_iter().flat_map(|child| child.jobs).collect();
    if matrix.fast_kill {
        let tasks = jobs.iter_mut().flat_map(|job| &mut job.tasks);
        tasks.for_each(|task| task.fate = task.fate.behind(if failed { Before::Condition } else { Before::Work }));
    }
    Touched { jobs, stays, failed, canceled }
}

/// A job from one of its tasks on. What failed before that task stays as it is.
fn from_task<'a>(stage: &'a Stage, job: &'a Job, first: usize, skipping: bool) -> Touched<'a> {
    let kept = job.tasks[..first].iter().filter(|task| failed_or_canceled(task.status) && !task.is_tolerated());
    let stays: Vec<Found<'a>> = kept.map(|task| Found::Task(stage, job, task)).collect();
    let fates = fates(job, first, |index| skipping && index == first);
    let tasks = job.tasks[first..].iter().zip(fates).map(|(task, fate)| planned(task, fate, task.took)).collect();
    let canceled = stays.iter().any(|task| task.status().is_some_and(BuildStatus::is_cancel));
    let failed = stays.iter().any(|task| failed(task.status()));
    Touched { jobs: vec![planned_job(job, None, tasks)], stays, failed, canceled }
}

/// A job from its start; a matrix is split again.
fn fresh(job: &Job, skipped: impl Fn(&Task) -> bool) -> PlannedJob {
    let longest = |index: usize| job.children.iter().filter_map(|child| child.tasks.get(index)?.took).max();
    let fates = fates(job, 0, |index| skipped(&job.tasks[index]));
    let tasks = job.tasks.iter().zip(fates).enumerate().map(|(index, (task, fate))| {
        let fate = if job.matrix && job.fast_kill { fate.behind(Before::Work) } else { fate };
        planned(task, fate, task.took.or_else(|| longest(index)))
    });
    planned_job(job, job.matrix.then_some(job.children.len()), tasks.collect())
}

fn planned_job(job: &Job, split: Option<usize>, tasks: Vec<PlannedTask>) -> PlannedJob {
    PlannedJob { id: job.id.clone(), name: job.name.clone(), split, took: job.took, tasks }
}

fn planned(task: &Task, fate: Fate, took: Option<Duration>) -> PlannedTask {
    let waits_for_a_person = task.waits_for_a_person && fate.may_run();
    PlannedTask { id: task.id.clone(), name: task.name.clone(), fate, waits_for_a_person, took }
}

/// What becomes of a job's tasks from `first` on, the earlier ones staying as they are (bkci-api 7.2, `runCondition`).
fn fates(job: &Job, first: usize, skipped: impl Fn(usize) -> bool) -> Vec<Fate> {
    let (kept, queued) = job.tasks.split_at(first);
    let mut before = Earlier::of(kept);
    let fates = queued.iter().enumerate().map(|(offset, task)| {
        let fate = if skipped(first + offset) { Fate::Skipped } else { before.fate(task) };
        if fate.may_run() {
            before.may_fail |= !task.is_tolerated();
            before.may_fail_tolerated |= task.is_tolerated();
        }
        fate
    });
    let own = if job.conditional { Before::Condition } else { Before::Nothing };
    let fates = fates.map(|fate| if job.enabled { fate.behind(own) } else { Fate::Idle });
    fates.collect()
}

/// What is known of the tasks before one in its job.
struct Earlier {
    failed: bool,
    failed_tolerated: bool,
    canceled: bool,
    may_fail: bool,
    may_fail_tolerated: bool,
}

impl Earlier {
    fn of(kept: &[Task]) -> Self {
        Self {
            failed: kept.iter().any(|task| failed(task.status) && !task.is_tolerated()),
            failed_tolerated: kept.iter().any(|task| failed(task.status) && task.is_tolerated()),
            canceled: kept.iter().any(|task| task.status.is_some_and(BuildStatus::is_cancel)),
            may_fail: false,
            may_fail_tolerated: false,
        }
    }

    fn fate(&self, task: &Task) -> Fate {
        if !task.options.enabled {
            return Fate::Idle;
        }
        let fate = match task.options.condition {
            Condition::AfterSuccess if self.failed => Fate::Idle,
            Condition::AfterSuccess if self.may_fail => Fate::RunsIfAllPass,
            Condition::AfterSuccess | Condition::EvenAfterFailure => Fate::Runs,
            Condition::OnlyAfterFailure if self.failed => Fate::Runs,
            // The reference does not say whether a failure that the pipeline tolerates counts here.
            Condition::OnlyAfterFailure if self.failed_tolerated => Fate::MayRun,
            Condition::OnlyAfterFailure if self.may_fail || self.may_fail_tolerated => Fate::RunsIfFailed,
            Condition::OnlyAfterFailure => Fate::Idle,
            Condition::Other => Fate::MayRun,
        };
        if self.canceled { fate.behind(Before::Condition) } else { fate }
    }
}
