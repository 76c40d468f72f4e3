//! A build as the process service keeps it: stages, jobs and tasks with their state. It holds what happened; what
//! happens next is the engine's, what a retry changes is `retry`'s.

use std::collections::BTreeMap;

use super::plan::{BuildPlan, ErrorType, Fail, JobPlan, MatrixChild, Options, Outcome, StagePlan, TaskPlan, Trigger};
use super::status::Status;
use super::world::hex32;

/// One entry of `errorInfoList` (bkci-api.md 5.2).
#[derive(Clone, Debug)]
pub(super) struct ErrorInfo {
    pub(super) stage_id: String,
    pub(super) container_id: String,
    pub(super) matrix: bool,
    pub(super) task_id: String,
    pub(super) task_name: String,
    pub(super) atom_code: String,
    pub(super) error_type: ErrorType,
    pub(super) code: u32,
    pub(super) message: String,
}

/// One execution of a build (`recordList`, bkci-api.md 7.2).
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) start_user: String,
    pub(super) queue_ms: i64,
    pub(super) start_ms: Option<i64>,
    pub(super) end_ms: Option<i64>,
    pub(super) errors: Vec<ErrorInfo>,
}

/// A wish to stop a build, which takes effect later (bkci-api.md 8).
#[derive(Clone, Debug)]
pub(super) struct Cancel {
    pub(super) by: String,
    pub(super) asked_ms: i64,
    pub(super) due_ms: Option<i64>,
}

/// What an operator can damage, so that the checks of bkci-api.md 6.3 #5b, #7 and #8 say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The version of the pipeline that the build ran with was deleted (2101184).
    VersionGone,
    /// The model cannot be read (2101039).
    ModelUnreadable,
    /// The records of stages, jobs and tasks were cleaned away (2101081).
    RecordsGone,
}

#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) class: &'static str,
    pub(super) atom: String,
    pub(super) step_id: Option<String>,
    pub(super) takes_ms: i64,
    pub(super) outcomes: Vec<Outcome>,
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
    fn new(plan: &JobPlan, id: usize) -> Self {
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

    fn trigger(class: &'static str) -> Self {
        let task = TaskPlan { class, atom: class.into(), ..TaskPlan::new("Trigger").id("T-1-1-1") };
        let mut job = Self::new(&JobPlan::new("trigger").task(task.takes(std::time::Duration::ZERO)), 0);
        job.kind = JobKind::Trigger;
        job
    }

    pub(super) fn is_failed_or_cancelled(&self) -> bool {
        self.status.is_some_and(|status| status.is_failure() || status.is_cancel())
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

/// The review before a stage (`checkIn`, bkci-api.md 7.2).
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) id: String,
    pub(super) reviewers: Vec<String>,
    pub(super) verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    NotReached,
    Awaited,
    Approved { by: String, at_ms: i64 },
    Rejected { by: String, at_ms: i64 },
}

#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) finally: bool,
    pub(super) fast_kill: bool,
    pub(super) enabled: bool,
    pub(super) gate: Option<Gate>,
    pub(super) wanted: bool,
    pub(super) status: Option<Status>,
    pub(super) start_ms: Option<i64>,
    pub(super) end_ms: Option<i64>,
    pub(super) jobs: Vec<Job>,
    pub(super) execute_count: u32,
}

impl Stage {
    fn new(plan: &StagePlan, number: usize, next_job: &mut usize) -> Self {
        let mut jobs = Vec::new();
        for job in &plan.jobs {
            jobs.push(Job::new(job, *next_job));
            *next_job += 1;
        }
        let gate = plan.reviewers.as_ref().map(|reviewers| Gate {
            id: format!("g-{}", hex32()),
            reviewers: reviewers.clone(),
            verdict: Verdict::NotReached,
        });
        Self {
            id: format!("stage-{number}"),
            name: plan.name.clone(),
            finally: plan.finally,
            fast_kill: plan.fast_kill,
            enabled: plan.enabled,
            gate,
            wanted: true,
            status: None,
            start_ms: None,
            end_ms: None,
            jobs,
            execute_count: 1,
        }
    }

    /// Whether it failed or was cancelled.
    pub(super) fn is_failed_or_cancelled(&self) -> bool {
        self.status.is_some_and(|status| status.is_failure() || status.is_cancel())
    }

    /// Puts the stage itself back to its start; its jobs are the caller's. The gate must be passed again
    /// (bkci-api.md 6.2, trap 6).
    pub(super) fn reopen(&mut self, status: Option<Status>) {
        self.wanted = true;
        self.status = status;
        self.start_ms = None;
        self.end_ms = None;
        if let Some(gate) = &mut self.gate {
            gate.verdict = Verdict::NotReached;
        }
    }

    /// Puts the stage and all its jobs back to their start.
    pub(super) fn requeue(&mut self, status: Option<Status>) {
        self.reopen(status);
        for job in &mut self.jobs {
            job.requeue();
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Build {
    pub(super) id: String,
    pub(super) number: i32,
    pub(super) project: String,
    pub(super) pipeline: String,
    pub(super) version: i32,
    pub(super) starter: String,
    pub(super) trigger: Trigger,
    pub(super) parameters: BTreeMap<String, String>,
    /// What tasks set while the build ran.
    pub(super) set_by_tasks: BTreeMap<String, String>,
    pub(super) message: Option<String>,
    pub(super) remark: Option<String>,
    pub(super) status: Status,
    pub(super) execute_count: u32,
    pub(super) queue_ms: i64,
    pub(super) start_ms: Option<i64>,
    pub(super) end_ms: Option<i64>,
    /// When it may leave the queue.
    pub(super) leaves_queue_ms: i64,
    pub(super) cancel: Option<Cancel>,
    pub(super) cancelled_by: Option<String>,
    /// First execution first.
    pub(super) records: Vec<Record>,
    /// What status and history show: kept over a retry until the build runs again (bkci-api.md 5.2).
    pub(super) errors: Vec<ErrorInfo>,
    pub(super) stages: Vec<Stage>,
    /// Every start of a task: execution and task id. The trigger is not work and not listed.
    pub(super) executed: Vec<(u32, String)>,
    pub(super) defects: Vec<Defect>,
}

impl Build {
    /// A build that is in the queue since `queue_ms` and leaves it at `start_ms`.
    pub(super) fn new(plan: BuildPlan, place: Place, queue_ms: i64, start_ms: i64) -> Self {
        let class = match plan.trigger {
            Trigger::Manual | Trigger::Api => "manualTrigger",
            Trigger::Timer => "timerTrigger",
            Trigger::Webhook(_) => "codeGitWebHookTrigger",
        };
        let mut stages = vec![Stage::new(&StagePlan::new("stage-1"), 1, &mut 0)];
        stages[0].jobs.push(Job::trigger(class));
        let mut next_job = 1;
        for (index, stage) in plan.stages.iter().enumerate() {
            stages.push(Stage::new(stage, index + 2, &mut next_job));
        }
        Self {
            id: format!("b-{}", hex32()),
            number: place.number,
            project: place.project,
            pipeline: plan.pipeline.0,
            version: place.version,
            records: vec![Record {
                start_user: plan.starter.clone(),
                queue_ms,
                start_ms: None,
                end_ms: None,
                errors: Vec::new(),
            }],
            starter: plan.starter,
            trigger: plan.trigger,
            parameters: plan.parameters,
            set_by_tasks: BTreeMap::new(),
            message: plan.message,
            remark: plan.remark,
            status: Status::Queue,
            execute_count: 1,
            queue_ms,
            start_ms: None,
            end_ms: None,
            leaves_queue_ms: start_ms,
            cancel: None,
            cancelled_by: None,
            errors: Vec::new(),
            stages,
            executed: Vec::new(),
            defects: Vec::new(),
        }
    }

    /// STAGE_SUCCESS is finished only once the build has an end (bkci-api.md 5.1).
    pub(super) fn is_finished(&self) -> bool {
        self.status.is_finish() || (self.status == Status::StageSuccess && self.end_ms.is_some())
    }

    /// Waits at a stage's gate.
    pub(super) fn is_at_a_gate(&self) -> bool {
        self.status == Status::StageSuccess && self.end_ms.is_none()
    }

    /// The user who stays the starter of a whole-build retry (bkci-api.md 6.5).
    pub(super) fn webhook_user(&self) -> Option<&str> {
        match &self.trigger {
            Trigger::Webhook(webhook) => Some(&webhook.user),
            Trigger::Manual | Trigger::Api | Trigger::Timer => None,
        }
    }

    /// Whether the finally stage is at work (nothing may be retried from the page then: bkci-api.md 7.2).
    pub(super) fn runs_finally(&self) -> bool {
        self.stages.iter().any(|stage| stage.finally && stage.status == Some(Status::Running))
    }
}

/// Where a new build belongs.
pub(super) struct Place {
    pub(super) project: String,
    pub(super) number: i32,
    pub(super) version: i32,
}
