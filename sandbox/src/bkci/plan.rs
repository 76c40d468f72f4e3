//! What a test or a demo world says about the stages, jobs and tasks of a build before it runs: how long each takes and
//! how each of its runs ends.
//!
//! A plan never says what a retry will run. It says how a task ends *if* it runs; the engine finds out what runs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::outcome::{Fail, Outcome};

/// When a task runs (bkci-api.md 7.2, `additionalOptions.runCondition`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunCondition {
    /// PRE_TASK_SUCCESS: only while nothing before it in the job has failed.
    #[default]
    PreviousSucceeded,
    /// PRE_TASK_FAILED_BUT_CANCEL: also after a failure, but not when the build is being cancelled.
    EvenIfFailed,
    /// PRE_TASK_FAILED_EVEN_CANCEL: always. (This double does not run it during a cancel.)
    EvenIfCanceled,
    /// PRE_TASK_FAILED_ONLY: only after a failure.
    OnlyIfFailed,
    /// CUSTOM_VARIABLE_MATCH: while nothing before it has failed, and only if the variables match. Whether they do is
    /// said here, and is not to be seen in the detail.
    Variables {
        /// They match.
        matched: bool,
    },
}

impl RunCondition {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            RunCondition::PreviousSucceeded => "PRE_TASK_SUCCESS",
            RunCondition::EvenIfFailed => "PRE_TASK_FAILED_BUT_CANCEL",
            RunCondition::EvenIfCanceled => "PRE_TASK_FAILED_EVEN_CANCEL",
            RunCondition::OnlyIfFailed => "PRE_TASK_FAILED_ONLY",
            RunCondition::Variables { .. } => "CUSTOM_VARIABLE_MATCH",
        }
    }
}

/// `additionalOptions` of a task (bkci-api.md 7.2).
#[derive(Clone, Debug)]
pub struct Options {
    /// A disabled task is skipped.
    pub enable: bool,
    /// The job goes on as if the task had not failed, unless `manual_skip` is set too.
    pub continue_when_failed: bool,
    /// A person may skip the task after it failed. Absent on the wire when `None`.
    pub manual_skip: Option<bool>,
    /// The engine repeats a failed run by itself, up to `retry_count` times.
    pub retry_when_failed: bool,
    /// See `retry_when_failed`.
    pub retry_count: u32,
    /// Whether the page shows a retry button; the API does not enforce it (bkci-api.md 6.2, trap 5).
    pub manual_retry: bool,
    /// When it runs.
    pub run_condition: RunCondition,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            enable: true,
            continue_when_failed: false,
            manual_skip: None,
            retry_when_failed: false,
            retry_count: 0,
            manual_retry: true,
            run_condition: RunCondition::default(),
        }
    }
}

/// A task of a plan.
#[derive(Clone, Debug)]
pub struct TaskPlan {
    pub(super) id: Option<String>,
    pub(super) name: String,
    pub(super) class: &'static str,
    pub(super) atom: String,
    pub(super) step_id: Option<String>,
    pub(super) takes_ms: i64,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) logs: Vec<Vec<String>>,
    pub(super) options: Options,
}

impl TaskPlan {
    /// A shell script that takes ten seconds and succeeds.
    pub fn new(name: &str) -> Self {
        Self {
            id: None,
            name: name.into(),
            class: "linuxScript",
            atom: "linuxScript".into(),
            step_id: None,
            takes_ms: 10_000,
            outcomes: Vec::new(),
            logs: Vec::new(),
            options: Options::default(),
        }
    }

    /// Its id (`e-` and 32 hexadecimal digits); else one is made up.
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.into());
        self
    }

    /// A plugin of the store instead of a script.
    pub fn plugin(mut self, atom_code: &str) -> Self {
        self.class = "marketBuild";
        self.atom = atom_code.into();
        self
    }

    /// A manual review: each run waits for a person.
    pub fn review(mut self) -> Self {
        self.class = "manualReviewUserTask";
        self.atom = "manualReviewUserTask".into();
        self.outcomes = vec![Outcome::Review];
        self
    }

    /// Its stepId, chosen by the user; it need not be unique (bkci-api.md 4).
    pub fn step(mut self, step_id: &str) -> Self {
        self.step_id = Some(step_id.into());
        self
    }

    /// How long each run takes.
    pub fn takes(mut self, duration: Duration) -> Self {
        self.takes_ms = millis(duration);
        self
    }

    /// The next run fails so; the last outcome that was said holds for all further runs.
    pub fn fails(mut self, fail: Fail) -> Self {
        self.outcomes.push(Outcome::Fail(fail));
        self
    }

    /// Fails so when it first runs and when it is run again, and passes when it runs for the `retry`th time after the
    /// first.
    pub fn passes_on_retry(mut self, retry: usize, fail: Fail) -> Self {
        self.outcomes.extend(std::iter::repeat_n(Outcome::Fail(fail), retry));
        self.passes()
    }

    /// The next run writes these lines into the log, all within its first moments, and no other; what was said last
    /// holds for all further runs. Where nothing is said this double makes lines up.
    pub fn log<L: Into<String>>(mut self, lines: impl IntoIterator<Item = L>) -> Self {
        self.logs.push(lines.into_iter().map(Into::into).collect());
        self
    }

    /// The next run never ends by itself.
    pub fn hangs(mut self) -> Self {
        self.outcomes.push(Outcome::Hang);
        self
    }

    /// The next run succeeds.
    pub fn passes(mut self) -> Self {
        self.outcomes.push(Outcome::Pass);
        self
    }

    /// Changes its options.
    pub fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }
}

/// A job of a plan.
#[derive(Clone, Debug)]
pub struct JobPlan {
    pub(super) name: String,
    pub(super) job_id: Option<String>,
    pub(super) on_a_machine: bool,
    pub(super) enabled: bool,
    pub(super) condition: Option<bool>,
    pub(super) continue_when_failed: bool,
    pub(super) tasks: Vec<TaskPlan>,
    pub(super) boots: Vec<Option<Fail>>,
    pub(super) matrix: Vec<MatrixChild>,
}

/// One child of a matrix job: its variables, and the outcomes that differ from the job's own tasks.
#[derive(Clone, Debug, Default)]
pub struct MatrixChild {
    pub(super) context: BTreeMap<String, String>,
    pub(super) outcomes: BTreeMap<usize, Vec<Outcome>>,
}

impl MatrixChild {
    /// A child with this variable.
    pub fn new(key: &str, value: &str) -> Self {
        Self { context: BTreeMap::from([(key.into(), value.into())]), outcomes: BTreeMap::new() }
    }

    /// In this child the task at `position` ends so, run after run.
    pub fn task_ends(mut self, position: usize, outcomes: Vec<Outcome>) -> Self {
        self.outcomes.insert(position, outcomes);
        self
    }
}

impl JobPlan {
    /// A job on a build machine, without tasks.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            job_id: None,
            on_a_machine: true,
            enabled: true,
            condition: None,
            continue_when_failed: false,
            tasks: Vec::new(),
            boots: Vec::new(),
            matrix: Vec::new(),
        }
    }

    /// The `jobId` that a user chose.
    pub fn job_id(mut self, id: &str) -> Self {
        self.job_id = Some(id.into());
        self
    }

    /// A job without a build environment (`@type` normal).
    pub fn without_machine(mut self) -> Self {
        self.on_a_machine = false;
        self
    }

    /// The job is skipped.
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// The job runs only if variables match (`jobControlOption.runCondition` CUSTOM_VARIABLE_MATCH); whether they do.
    pub fn when(mut self, matched: bool) -> Self {
        self.condition = Some(matched);
        self
    }

    /// Its failure does not fail the stage (`jobControlOption.continueWhenFailed`, bkci-api.md 7.2).
    pub fn tolerated(mut self) -> Self {
        self.continue_when_failed = true;
        self
    }

    /// Adds a task.
    pub fn task(mut self, task: TaskPlan) -> Self {
        self.tasks.push(task);
        self
    }

    /// The next start of the machine fails; without a further word the one after it works.
    pub fn machine_fails(mut self, fail: Fail) -> Self {
        self.boots.push(Some(fail));
        self
    }

    /// Makes the job a matrix and adds a child.
    pub fn child(mut self, child: MatrixChild) -> Self {
        self.matrix.push(child);
        self
    }
}

/// A stage of a plan.
#[derive(Clone, Debug)]
pub struct StagePlan {
    pub(super) name: String,
    pub(super) jobs: Vec<JobPlan>,
    pub(super) reviewers: Option<Vec<String>>,
    pub(super) fast_kill: bool,
    pub(super) enabled: bool,
    pub(super) condition: Option<bool>,
    pub(super) finally: bool,
}

impl StagePlan {
    /// A stage without jobs.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            jobs: Vec::new(),
            reviewers: None,
            fast_kill: false,
            enabled: true,
            condition: None,
            finally: false,
        }
    }

    /// Adds a job; the jobs of a stage run at the same time.
    pub fn job(mut self, job: JobPlan) -> Self {
        self.jobs.push(job);
        self
    }

    /// Adds a gate before the stage (`checkIn`): one of these people must approve.
    pub fn gate(mut self, reviewers: &[&str]) -> Self {
        self.reviewers = Some(reviewers.iter().map(ToString::to_string).collect());
        self
    }

    /// The first failed job terminates the others.
    pub fn fast_kill(mut self) -> Self {
        self.fast_kill = true;
        self
    }

    /// The stage is skipped.
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// The stage runs only if variables match (`stageControlOption.runCondition` CUSTOM_VARIABLE_MATCH); whether they do.
    pub fn when(mut self, matched: bool) -> Self {
        self.condition = Some(matched);
        self
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
