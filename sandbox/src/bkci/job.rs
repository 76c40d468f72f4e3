//! Jobs, the children of a matrix, and tasks, with their state in the build they belong to.

use std::collections::BTreeMap;

use super::outcome::{Fail, Outcome};
use super::plan::{JobPlan, MatrixChild, Options, TaskPlan};
use super::status::Status;
use super::world::hex32;

#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) class: &'static str,
    pub(super) atom: String,
    pub(super) step_id: Option<String>,
    pub(super) takes_ms: i64,
    pub(super) outcomes: Vec<Outcome>,
    /// What its runs write into the log, as far as the plan says.
    pub(super) logs: Vec<Vec<String>>,
    pub(super) options: Options,
    /// To be run, or skipped by its conditions, in this execution.
    pub(super) wanted: bool,
    pub(super) status: Option<Status>,
    pub(super) start_ms: Option<i64>,
    pub(super) end_ms: Option<i64>,
    /// When the run that is going on ends; `None` while it waits for a person.
    pub(super) due_ms: Option<i64>,
    /// How often it was started in the life of the build: chooses the outcome.
    pub(super) runs: usize,
    /// `retryCountManual` (bkci-api.md 7.2): `None` until the first start.
    pub(super) retry_manual: Option<u32>,
    pub(super) retry_auto: u32,
    pub(super) error: Option<Fail>,
    pub(super) execute_count: u32,
}

impl Task {
    fn new(plan: &TaskPlan) -> Self {
        Self {
            id: plan.id.clone().unwrap_or_else(|| format!("e-{}", hex32())),
            name: plan.name.clone(),
            class: plan.class,
            atom: plan.atom.clone(),
            step_id: plan.step_id.clone(),
            takes_ms: plan.takes_ms,
            outcomes: plan.outcomes.clone(),
            logs: plan.logs.clone(),
            options: plan.options.clone(),
            wanted: true,
            status: None,
            start_ms: None,
            end_ms: None,
            due_ms: None,
            runs: 0,
            retry_manual: None,
            retry_auto: 0,
            error: None,
            execute_count: 1,
        }
    }

    /// Whether this run has ended in a way that fails the job: `continueWhenFailed` tolerates a failure, unless
    /// `manualSkip` leaves the decision to a person.
    pub(super) fn failed_the_job(&self) -> bool {
        let tolerated = self.options.continue_when_failed && self.options.manual_skip != Some(true);
        self.status.is_some_and(Status::is_failure) && !tolerated
    }

    pub(super) fn is_failed_or_cancelled(&self) -> bool {
        self.status.is_some_and(|status| status.is_failure() || status.is_cancel())
    }

    /// Queues it again.
    pub(super) fn requeue(&mut self) {
        self.wanted = true;
        self.forget_run();
        self.status = Some(Status::Queue);
    }

    fn forget_run(&mut self) {
        self.status = None;
        self.start_ms = None;
        self.end_ms = None;
        self.due_ms = None;
        self.error = None;
        self.retry_auto = 0;
    }
}

#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) hash: String,
    pub(super) name: String,
    pub(super) job_id: Option<String>,
    pub(super) kind: JobKind,
    pub(super) enabled: bool,
    /// Whether its run condition holds; `None`: it has none but the usual one.
    pub(super) condition: Option<bool>,
    /// Its failure does not fail the stage.
    pub(super) continue_when_failed: bool,
    pub(super) wanted: bool,
    pub(super) status: Option<Status>,
    pub(super) start_ms: Option<i64>,
    pub(super) end_ms: Option<i64>,
    pub(super) boots: Vec<Option<Fail>>,
    pub(super) boot_runs: usize,
    pub(super) boot_error: Option<Fail>,
    pub(super) tasks: Vec<Task>,
    pub(super) matrix: Option<Matrix>,
    /// The variables of a matrix child.
    pub(super) context: BTreeMap<String, String>,
    pub(super) execute_count: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobKind {
    Trigger,
    Normal,
    Machine,
}

/// The children of a matrix job, and how to split it anew.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    plan: Vec<MatrixChild>,
    /// Empty until the job starts, and again when the whole matrix is queued again.
    pub(super) children: Vec<Job>,
    /// Runs so far by child and task, kept over a new split so that outcomes go on.
    runs: BTreeMap<(usize, usize), usize>,
}

impl Job {
    pub(super) fn new(plan: &JobPlan, id: usize) -> Self {
        let matrix = (!plan.matrix.is_empty()).then(|| Matrix {
            plan: plan.matrix.clone(),
            children: Vec::new(),
            runs: BTreeMap::new(),
        });
        Self {
            id: id.to_string(),
            hash: format!("c-{}", hex32()),
            name: plan.name.clone(),
            job_id: plan.job_id.clone(),
            kind: if plan.on_a_machine { JobKind::Machine } else { JobKind::Normal },
            enabled: plan.enabled,
            condition: plan.condition,
            continue_when_failed: plan.continue_when_failed,
            wanted: true,
            status: None,
            start_ms: None,
            end_ms: None,
            boots: plan.boots.clone(),
            boot_runs: 0,
            boot_error: None,
            tasks: plan.tasks.iter().map(Task::new).collect(),
            matrix,
            context: BTreeMap::new(),
            execute_count: 1,
        }
    }

    pub(super) fn trigger(class: &'static str) -> Self {
        let task = TaskPlan { class, atom: class.into(), ..TaskPlan::new("Trigger").id("T-1-1-1") };
        let mut job = Self::new(&JobPlan::new("trigger").task(task.takes(std::time::Duration::ZERO)), 0);
        job.kind = JobKind::Trigger;
        job
    }

    pub(super) fn is_failed_or_cancelled(&self) -> bool {
        self.status.is_some_and(|status| status.is_failure() || status.is_cancel())
    }

    /// What it makes of its stage: `jobControlOption.continueWhenFailed` tolerates a failure (bkci-api.md 7.2).
    pub(super) fn verdict(&self) -> Option<Status> {
        self.status
            .map(|status| if status.is_failure() && self.continue_when_failed { Status::Succeed } else { status })
    }

    pub(super) fn is_finished(&self) -> bool {
        !self.wanted && self.status.is_some_and(Status::is_finish)
    }

    /// Whether its work has begun in this execution and is not over.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.status, Some(Status::Running | Status::PrepareEnv))
    }

    /// Queues it again with the tasks from `first` on; what is before keeps its state.
    pub(super) fn requeue_from(&mut self, first: usize) {
        self.wanted = true;
        self.status = Some(Status::Queue);
        self.start_ms = None;
        self.end_ms = None;
        self.boot_error = None;
        for task in self.tasks.iter_mut().skip(first) {
            task.requeue();
        }
    }

    /// Queues all of it again; a matrix will be split anew (bkci-api.md 6.2, "matrix, whole").
    pub(super) fn requeue(&mut self) {
        self.requeue_from(0);
        if let Some(matrix) = &mut self.matrix {
            matrix.drop_children();
        }
    }

    /// Queues only the children of a matrix that failed or were cancelled.
    pub(super) fn requeue_failed_children(&mut self) {
        self.wanted = true;
        self.status = Some(Status::Queue);
        self.end_ms = None;
        for child in self.matrix.iter_mut().flat_map(|matrix| &mut matrix.children) {
            if child.is_failed_or_cancelled() {
                child.requeue();
            }
        }
    }

    /// The children, when this is a matrix that has been split.
    pub(super) fn children(&self) -> &[Job] {
        self.matrix.as_ref().map_or(&[], |matrix| &matrix.children)
    }

    /// The parts that run: the job itself, or a matrix's children.
    pub(super) fn parts(&self) -> Vec<&Job> {
        match &self.matrix {
            Some(matrix) => matrix.children.iter().collect(),
            None => vec![self],
        }
    }

    /// See [`Job::parts`].
    pub(super) fn parts_mut(&mut self) -> Vec<&mut Job> {
        if self.matrix.is_none() {
            return vec![self];
        }
        self.matrix.iter_mut().flat_map(|matrix| &mut matrix.children).collect()
    }

    /// Splits a matrix that has no children: ids are `parent*1000 + index` (bkci-api.md 4), task ids are new, and
    /// the counters of manual retries begin anew (7.2).
    pub(super) fn split(&mut self) {
        let Some(matrix) = &self.matrix else { return };
        if !matrix.children.is_empty() {
            return;
        }
        let children = matrix.plan.iter().enumerate().map(|(index, plan)| self.child(matrix, index, plan)).collect();
        if let Some(matrix) = &mut self.matrix {
            matrix.children = children;
        }
    }

    fn child(&self, matrix: &Matrix, index: usize, plan: &MatrixChild) -> Job {
        let parent: usize = self.id.parse().unwrap_or_default();
        let mut child = Job { matrix: None, context: plan.context.clone(), ..self.clone() };
        child.id = (parent * 1000 + index + 1).to_string();
        child.hash = format!("c-{}", hex32());
        child.job_id = self.job_id.as_ref().map(|id| format!("{id}.{}", index + 1));
        child.wanted = true;
        child.status = None;
        child.start_ms = None;
        for (position, task) in child.tasks.iter_mut().enumerate() {
            task.id = format!("e-{}", hex32());
            task.runs = matrix.runs.get(&(index, position)).copied().unwrap_or_default();
            task.retry_manual = None;
            task.wanted = true;
            task.forget_run();
            if let Some(outcomes) = plan.outcomes.get(&position) {
                task.outcomes.clone_from(outcomes);
            }
        }
        child
    }
}

impl Matrix {
    fn drop_children(&mut self) {
        for (index, child) in self.children.drain(..).enumerate() {
            for (position, task) in child.tasks.iter().enumerate() {
                self.runs.insert((index, position), task.runs);
            }
        }
    }
}
