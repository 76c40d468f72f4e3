//! A build as far as we need it: stages → jobs → tasks, in the order BK-CI keeps them (bkci-api 7.2).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Timestamp;
use super::ids::{BuildId, PipelineId};
use super::status::BuildStatus;

pub use self::failures::FailedPlace;

mod failures;

/// One build in its latest execution, as `detail` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// `b-…`
    pub id: BuildId,
    /// The pipeline BK-CI says it belongs to.
    pub pipeline: PipelineId,
    /// The pipeline's name; free text of a stranger.
    pub pipeline_name: String,
    /// Per pipeline, from 1; the same after a retry.
    pub number: u32,
    /// State of the build.
    pub status: BuildStatus,
    /// 1 is the first run.
    pub execute_count: u32,
    /// Absent while it never started.
    pub started: Option<Timestamp>,
    /// Absent while it has not ended.
    pub ended: Option<Timestamp>,
    /// BK-CI's own clock when it answered.
    pub read_at: Timestamp,
    /// Started by a code event: a whole-build retry then keeps the event's user as starter (bkci-api 6.5).
    pub from_webhook: bool,
    /// Branch of its main repository.
    pub branch: Option<String>,
    /// First line of what was committed there.
    pub commit: Option<String>,
    /// What its starter said of it (`buildMsg`).
    pub message: Option<String>,
    /// Whether the user who asked may stop it, where BK-CI says so (`cancelBuildPerm`).
    pub may_stop: Option<bool>,
    /// UID of who stopped it.
    pub canceled_by: Option<String>,
    /// Who started execution 1, 2, …: index `n - 1` is execution `n`. BK-CI lists them the other way round.
    pub starters: Vec<String>,
    /// What went wrong in this execution, tolerated failures too; complete only once it has ended (bkci-api 5.2).
    pub errors: Vec<ErrorInfo>,
    /// In model order; the first is the trigger stage.
    pub stages: Vec<Stage>,
}

/// A stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// `stage-2`
    pub id: String,
    /// The user's name for it, else its id.
    pub name: String,
    /// Absent while it never ran.
    pub status: Option<BuildStatus>,
    /// BK-CI offers to retry it. Absent means no.
    pub can_retry: bool,
    /// Runs at the end, however the others ended; each retry runs it again.
    pub finally: bool,
    /// Switched on.
    pub enabled: bool,
    /// Runs only under a condition of the pipeline's that the detail does not settle.
    pub conditional: bool,
    /// One failed job ends the others.
    pub fast_kill: bool,
    /// Somebody must approve before it starts (`checkIn`).
    pub gated: bool,
    /// When it last started.
    pub started: Option<Timestamp>,
    /// How long it took in the execution that ran it last.
    pub took: Option<Duration>,
    /// In model order.
    pub jobs: Vec<Job>,
}

/// A job (BK-CI's container).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// A small decimal number as text; above 1000 for the child of a matrix.
    pub id: String,
    /// An id that the user chose; may be missing.
    pub job_id: Option<String>,
    /// The user's name for it.
    pub name: String,
    /// Absent while it never ran.
    pub status: Option<BuildStatus>,
    /// BK-CI offers to retry it. Absent means no.
    pub can_retry: bool,
    /// Switched on.
    pub enabled: bool,
    /// Runs only under a condition, or after other jobs of its stage: the detail does not settle whether.
    pub conditional: bool,
    /// The stage goes on as if it had not failed.
    pub continue_when_failed: bool,
    /// It is split into children; its own tasks are only their templates.
    pub matrix: bool,
    /// One failed child of the matrix ends the others.
    pub fast_kill: bool,
    /// How long it took in the execution that ran it last.
    pub took: Option<Duration>,
    /// In model order.
    pub tasks: Vec<Task>,
    /// What a matrix was split into; empty for every other job.
    pub children: Vec<Job>,
}

/// A task (BK-CI's element).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// `e-…`
    pub id: String,
    /// A name the user chose for expressions; may repeat.
    pub step_id: Option<String>,
    /// The user's name for it.
    pub name: String,
    /// Absent while it never ran.
    pub status: Option<BuildStatus>,
    /// BK-CI offers to retry it. Absent means no.
    pub can_retry: bool,
    /// BK-CI offers to skip it. Absent means no.
    pub can_skip: bool,
    /// How the pipeline controls it.
    pub options: Options,
    /// How often it was started again by hand in the life of the build (`retryCountManual`, bkci-api 7.2).
    pub starts_by_hand: u32,
    /// A person decides in it, or before it: a manual review, a pause before it runs.
    pub waits_for_a_person: bool,
    /// When it last started.
    pub started: Option<Timestamp>,
    /// How long it took when it ran last.
    pub took: Option<Duration>,
    /// Why it failed, if BK-CI says so.
    pub error: Option<Problem>,
}

/// `additionalOptions`; those of a matrix child's task are the template's (bkci-api 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Switched on.
    pub enabled: bool,
    /// The job goes on after it failed.
    pub continue_when_failed: bool,
    /// A person may skip it after it failed; the job then waits for that decision instead of going on.
    pub manual_skip: bool,
    /// When it runs.
    pub condition: Condition,
}

/// When a task runs (`runCondition`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// `PRE_TASK_SUCCESS`: while nothing before it in the job has failed.
    #[default]
    AfterSuccess,
    /// `PRE_TASK_FAILED_BUT_CANCEL`, `PRE_TASK_FAILED_EVEN_CANCEL`: also after a failure.
    EvenAfterFailure,
    /// `PRE_TASK_FAILED_ONLY`: after a failure only.
    OnlyAfterFailure,
    /// Something that the detail does not settle: variables, expressions, another task's end.
    Other,
}

/// What went wrong, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Whose fault BK-CI thinks it is.
    pub kind: ErrorKind,
    /// Such as 2199011, a script that failed (bkci-api 5.2).
    pub code: i64,
    /// Free text of a stranger.
    pub message: String,
}

/// One entry of `errorInfoList` (bkci-api 5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorInfo {
    /// `stage-2`; may be empty.
    pub stage: String,
    /// The job's id, or the matrix child's; may be empty.
    pub job: String,
    /// Absent when the job could not start, or a quality gate of the stage failed.
    pub task: Option<String>,
    /// What.
    pub problem: Problem,
}

/// BK-CI's error type (bkci-api 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are BK-CI's own; bkci-api 5.2 lists them")]
pub enum ErrorKind {
    System,
    User,
    ThirdParty,
    Plugin,
    BuildMachine,
}

impl Default for Options {
    fn default() -> Self {
        let condition = Condition::default();
        Self { enabled: true, continue_when_failed: false, manual_skip: false, condition }
    }
}

impl Build {
    /// Whether this execution has ended.
    pub fn is_finished(&self) -> bool {
        self.status.is_finished_build(has_ended(self.started, self.ended))
    }

    /// Who started execution `count` (1 is the first), if BK-CI says so.
    pub fn starter(&self, count: u32) -> Option<&str> {
        let index = usize::try_from(count.checked_sub(1)?).ok()?;
        self.starters.get(index).map(String::as_str)
    }

    /// Stands for everything that decides what a retry would run: the same for two reads of a build that did not move,
    /// another one after any change of attempt, state or model. 32 hexadecimal digits.
    pub fn digest(&self) -> String {
        let mut print = Print(Sha256::new());
        print.texts(&[self.id.as_str(), self.pipeline.as_str(), &self.execute_count.to_string()]);
        print.status(Some(self.status));
        print.texts(&[&self.ended.map_or(0, |ended| ended.0).to_string()]);
        for stage in &self.stages {
            print.stage(stage);
        }
        print.0.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Stage {
    /// Every job, each matrix followed by its children.
    pub fn all_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().flat_map(|job| std::iter::once(job).chain(&job.children))
    }

    /// The jobs that run: a matrix's children in its place.
    pub fn running_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().flat_map(Job::parts)
    }
}

impl Job {
    /// The job itself, or the children of a matrix.
    pub fn parts(&self) -> &[Job] {
        if self.matrix { &self.children } else { std::slice::from_ref(self) }
    }
}

impl Task {
    /// Whether the job goes on after this task failed. Where a person may skip it, the job does not (bkci-api 7.2).
    pub fn is_tolerated(&self) -> bool {
        self.options.continue_when_failed && !self.options.manual_skip
    }
}

/// Whether a build with these times has come to an end, as far as they tell.
pub(super) fn has_ended(started: Option<Timestamp>, ended: Option<Timestamp>) -> bool {
    ended.is_some_and(|ended| started.is_none_or(|started| ended > started))
}

/// Whether a build's list of errors is of the attempt it is in: BK-CI clears the old ones when the build leaves the queue,
/// not when it is retried (bkci-api 5.2).
pub(super) fn errors_are_current(status: BuildStatus, finished: bool) -> bool {
    finished || status.is_running()
}

/// Whether a part of a build can be the target of a retry: failed, or stopped by a person.
pub fn failed_or_canceled(status: Option<BuildStatus>) -> bool {
    status.is_some_and(|status| status.is_failure() || status.is_cancel())
}

/// Whether a part of a build failed.
pub fn failed(status: Option<BuildStatus>) -> bool {
    status.is_some_and(BuildStatus::is_failure)
}

/// Whether a part of a build ended, one way or the other.
pub fn finished(status: Option<BuildStatus>) -> bool {
    status.is_some_and(BuildStatus::is_finished)
}

/// Writes fields so that no two sequences of them read the same.
struct Print(Sha256);

impl Print {
    fn texts(&mut self, texts: &[&str]) {
        for text in texts {
            self.0.update(text.len().to_be_bytes());
            self.0.update(text.as_bytes());
        }
    }

    fn status(&mut self, status: Option<BuildStatus>) {
        self.texts(&[status.map_or("", BuildStatus::as_wire)]);
    }

    fn flags(&mut self, flags: &[bool]) {
        self.0.update(flags.len().to_be_bytes());
        self.0.update(flags.iter().map(|flag| u8::from(*flag)).collect::<Vec<_>>());
    }

    fn stage(&mut self, stage: &Stage) {
        self.texts(&["stage", &stage.id, &stage.name]);
        self.status(stage.status);
        self.flags(&[stage.can_retry, stage.finally, stage.enabled, stage.conditional, stage.fast_kill, stage.gated]);
        for job in &stage.jobs {
            self.job(job);
        }
    }

    fn job(&mut self, job: &Job) {
        self.texts(&["job", &job.id, &job.name]);
        self.status(job.status);
        self.flags(&[job.can_retry, job.enabled, job.conditional, job.continue_when_failed, job.matrix, job.fast_kill]);
        for task in &job.tasks {
            self.task(task);
        }
        self.texts(&["children"]);
        for child in &job.children {
            self.job(child);
        }
    }

    fn task(&mut self, task: &Task) {
        let Options { enabled, continue_when_failed, manual_skip, condition } = task.options;
        let step = task.step_id.as_deref().unwrap_or_default();
        self.texts(&["task", &task.id, &task.name, step, &task.starts_by_hand.to_string(), &format!("{condition:?}")]);
        self.status(task.status);
        self.flags(&[task.can_retry, task.can_skip, enabled, continue_when_failed, manual_skip]);
    }
}
