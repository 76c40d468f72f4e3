//! A build as the process service keeps it: stages, jobs and tasks with their state. It holds what happened; what
//! happens next is the engine's, what a retry changes is `retry`'s.

use std::collections::BTreeMap;

use super::book::Book;
use super::build_plan::{BuildPlan, Commit, Trigger};
use super::history::Written;
use super::job::Job;
use super::outcome::ErrorType;
use super::plan::StagePlan;
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
    /// Whether its run condition holds; `None`: it has none but the usual one.
    pub(super) condition: Option<bool>,
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
            condition: plan.condition,
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
    pub(super) commit: Option<Commit>,
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
    pub(super) book: Book,
    pub(super) defects: Vec<Defect>,
    /// When its row in the list of builds last changed (`updateTime`, bkci-api.md 7.4).
    pub(super) updated_ms: i64,
    /// A status that is told in place of the true one.
    pub(super) told: Option<String>,
    /// Its row in lists, as long as it does not change.
    pub(super) written: Written,
}

/// What the row of a build holds, as far as it moves: a change of it moves `updateTime`. Jobs and tasks are rows of
/// their own.
#[derive(PartialEq)]
pub(super) struct Row {
    status: Status,
    told: Option<String>,
    execute_count: u32,
    times: [Option<i64>; 3],
    remark: Option<String>,
    stages: Vec<(Option<Status>, Option<i64>, Option<i64>)>,
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
            commit: plan.commit,
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
            book: Book::default(),
            defects: Vec::new(),
            updated_ms: queue_ms,
            told: None,
            written: Written::default(),
        }
    }

    pub(super) fn row(&self) -> Row {
        Row {
            status: self.status,
            told: self.told.clone(),
            execute_count: self.execute_count,
            times: [Some(self.queue_ms), self.start_ms, self.end_ms],
            remark: self.remark.clone(),
            stages: self.stages.iter().map(|stage| (stage.status, stage.start_ms, stage.end_ms)).collect(),
        }
    }

    /// The status on the wire.
    pub(super) fn said(&self) -> &str {
        self.told.as_deref().unwrap_or(self.status.as_str())
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
