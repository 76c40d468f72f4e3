//! What a test or a demo world says about a build before it runs: of which pipeline, by whom and by what it is started,
//! of which commit, and its stages.

use std::collections::BTreeMap;
use std::time::Duration;

use super::outcome::Fail;
use super::plan::{JobPlan, StagePlan, TaskPlan, millis};
use super::world::PipelineId;

/// The repository of whatever does not say another.
pub(super) const REPOSITORY: &str = "https://git.example.com/demo/app.git";

/// How and by what a build was started (bkci-api.md 7.1, `startType`).
#[derive(Clone, Debug, Default)]
pub enum Trigger {
    /// By hand, in BK-CI's own page.
    #[default]
    Manual,
    /// Through the API.
    Api,
    /// By a timer.
    Timer,
    /// By a code event.
    Webhook(Webhook),
}

/// The code event of a build (bkci-api.md 7.1, `webhookInfo`, `material`).
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Who pushed: this user stays the starter when the whole build is retried (bkci-api.md 6.5).
    pub user: String,
    /// Address of the repository.
    pub repository: String,
    /// Branch that was pushed to.
    pub branch: String,
    /// Commit.
    pub commit: String,
    /// First line of the commit's message.
    pub message: String,
}

impl Webhook {
    /// A push of one commit to `branch` by `user`.
    pub fn push(user: &str, branch: &str, commit: &str, message: &str) -> Self {
        Self {
            user: user.into(),
            repository: REPOSITORY.into(),
            branch: branch.into(),
            commit: commit.into(),
            message: message.into(),
        }
    }
}

/// The commit that is built.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) branch: String,
    pub(super) commit: String,
    pub(super) message: String,
}

/// A build before it runs.
#[derive(Clone, Debug)]
pub struct BuildPlan {
    pub(super) pipeline: PipelineId,
    pub(super) starter: String,
    pub(super) trigger: Trigger,
    pub(super) age_ms: i64,
    pub(super) stages: Vec<StagePlan>,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) message: Option<String>,
    pub(super) remark: Option<String>,
    pub(super) commit: Option<Commit>,
}

const HOUR: Duration = Duration::from_secs(3600);

impl BuildPlan {
    /// A build of this pipeline that starts now, by hand, by `admin`, with no stage but the trigger's.
    pub fn new(pipeline: &PipelineId) -> Self {
        Self {
            pipeline: pipeline.clone(),
            starter: "admin".into(),
            trigger: Trigger::Manual,
            age_ms: 0,
            stages: Vec::new(),
            parameters: BTreeMap::from([("BRANCH".into(), "main".into())]),
            message: None,
            remark: None,
            commit: None,
        }
    }

    /// A build that was started an hour ago and failed in *Unit tests* (stage-2, job 1, stepId `unit_test`), which
    /// would pass when run again; *Deploy* (stage-3) was not reached.
    pub fn failing(pipeline: &PipelineId) -> Self {
        let tests = TaskPlan::new("Unit tests").step("unit_test").fails(Fail::script("script exited with 1")).passes();
        Self::two_stages(pipeline, tests).age(HOUR)
    }

    /// A build that was started an hour ago and succeeded.
    pub fn succeeding(pipeline: &PipelineId) -> Self {
        Self::two_stages(pipeline, TaskPlan::new("Unit tests").step("unit_test")).age(HOUR)
    }

    /// A build that was started a minute ago and whose *Unit tests* go on for ten hours.
    pub fn running(pipeline: &PipelineId) -> Self {
        let tests = TaskPlan::new("Unit tests").step("unit_test").takes(10 * HOUR);
        Self::two_stages(pipeline, tests).age(Duration::from_secs(60))
    }

    fn two_stages(pipeline: &PipelineId, tests: TaskPlan) -> Self {
        let build = JobPlan::new("linux")
            .task(TaskPlan::new("Checkout").plugin("checkout"))
            .task(tests)
            .task(TaskPlan::new("Package"));
        let deploy = JobPlan::new("deploy").task(TaskPlan::new("Roll out").plugin("rollout"));
        Self::new(pipeline).stage(StagePlan::new("Build").job(build)).stage(StagePlan::new("Deploy").job(deploy))
    }

    /// Who started it.
    pub fn started_by(mut self, uid: &str) -> Self {
        self.starter = uid.into();
        self
    }

    /// How it was started. A code event also names the starter.
    pub fn by(mut self, trigger: Trigger) -> Self {
        if let Trigger::Webhook(webhook) = &trigger {
            self.starter.clone_from(&webhook.user);
            self.message.get_or_insert_with(|| webhook.message.clone());
        }
        self.trigger = trigger;
        self
    }

    /// How long ago it started.
    pub fn age(mut self, age: Duration) -> Self {
        self.age_ms = millis(age);
        self
    }

    /// Adds a stage; the first that is added is `stage-2`.
    pub fn stage(mut self, stage: StagePlan) -> Self {
        self.stages.push(stage);
        self
    }

    /// Adds the stage that runs at the end, however the others ended.
    pub fn finally(mut self, mut stage: StagePlan) -> Self {
        stage.finally = true;
        self.stages.push(stage);
        self
    }

    /// A start parameter.
    pub fn parameter(mut self, key: &str, value: &str) -> Self {
        self.parameters.insert(key.into(), value.into());
        self
    }

    /// What is built: `material` (bkci-api.md 7.1), which a build has however it was started.
    pub fn commit(mut self, branch: &str, commit: &str, message: &str) -> Self {
        self.commit = Some(Commit { branch: branch.into(), commit: commit.into(), message: message.into() });
        self
    }

    /// The build's remark.
    pub fn remark(mut self, remark: &str) -> Self {
        self.remark = Some(remark.into());
        self
    }

    /// The build's message.
    pub fn message(mut self, message: &str) -> Self {
        self.message = Some(message.into());
        self
    }
}
