//! A small world to try the bot in: one server, three people, one project with builds that failed, run and succeeded.

use std::time::Duration;

use crate::bkci::{BkCi, BuildPlan, Fail, JobPlan, PipelineId, Right, StagePlan, TaskPlan};
use crate::discord::Discord;
use crate::discord::permissions::MANAGE_GUILD;

/// The DevOps user that the developer is mapped to.
pub const UID: &str = "dev.chen";

/// A DevOps user that nobody is mapped to at first.
pub const UNUSED_UID: &str = "dev.nova";

/// Who and what there is.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The server.
    pub guild: u64,
    /// Its first channel.
    pub channel: u64,
    /// Holds Manage Server.
    pub administrator: u64,
    /// Mapped to [`UID`].
    pub developer: u64,
    /// Not mapped.
    pub newcomer: u64,
    /// The pipeline that `failed` belongs to: `nightly` of `demo`.
    pub pipeline: PipelineId,
    /// Every pipeline of `demo`.
    pub pipelines: Vec<PipelineId>,
    /// A build of it that failed, and would succeed when run again.
    pub failed: String,
    /// A build of it that failed in a task that may be skipped.
    pub untidy: String,
}

impl Demo {
    /// Fills both doubles.
    pub fn build(discord: &Discord, bkci: &BkCi) -> Self {
        let guild = discord.add_guild("Builders", "en-US");
        let channel = discord.add_channel(guild, "builds");
        discord.add_channel(guild, "general");
        let [administrator, developer, newcomer] = ["ada", "chen", "nova"].map(|name| discord.add_user(name));
        discord.join(guild, administrator, MANAGE_GUILD, &[]);
        discord.join(guild, developer, 0, &[]);
        discord.join(guild, newcomer, 0, &[]);
        bkci.add_project("demo");
        bkci.allow_internal_callbacks(true);
        let [pipeline, release] = ["nightly", "release"].map(|name| bkci.add_pipeline("demo", name));
        for one in [&pipeline, &release] {
            for uid in [UID, UNUSED_UID] {
                bkci.permit(uid, "demo", one, &[Right::View, Right::Execute, Right::Edit]);
            }
        }
        bkci.add_build(BuildPlan::succeeding(&pipeline).started_by(UID).message("Upgrade the compiler"));
        bkci.add_build(BuildPlan::running(&pipeline).started_by(UID).message("Soak test"));
        let untidy = bkci.add_build(untidy(&pipeline));
        let failed = bkci.add_build(failing(&pipeline));
        bkci.add_build(stuck(&release));
        let pipelines = vec![pipeline.clone(), release];
        Self { guild, channel, administrator, developer, newcomer, pipeline, pipelines, failed, untidy }
    }
}

/// A build that failed in its tests and would succeed when run again.
fn failing(pipeline: &PipelineId) -> BuildPlan {
    BuildPlan::failing(pipeline).started_by(UID).message("Retry the login when the session is stale")
}

/// A build that failed in a task that may be skipped.
fn untidy(pipeline: &PipelineId) -> BuildPlan {
    let lint = TaskPlan::new("Lint").step("lint").fails(Fail::script("12 style errors")).with(|options| {
        options.manual_skip = Some(true);
        options.continue_when_failed = true;
    });
    let linux = JobPlan::new("linux").task(TaskPlan::new("Compile")).task(lint).task(TaskPlan::new("Package"));
    BuildPlan::new(pipeline)
        .started_by(UID)
        .message("Tidy up the parser")
        .age(Duration::from_secs(3600))
        .stage(StagePlan::new("Build").job(linux))
}

/// A build whose machines did not start, beside others that did.
fn stuck(pipeline: &PipelineId) -> BuildPlan {
    let linux = JobPlan::new("linux").task(TaskPlan::new("Compile")).task(TaskPlan::new("Sign"));
    let no_machine = Fail::machine("no machine in the pool answered");
    let mac =
        JobPlan::new("mac").machine_fails(no_machine).task(TaskPlan::new("Compile")).task(TaskPlan::new("Notarise"));
    let publish = JobPlan::new("publish").task(TaskPlan::new("Upload").plugin("upload"));
    BuildPlan::new(pipeline)
        .started_by("dev.ada")
        .message("Release 2.4.0")
        .age(Duration::from_secs(7200))
        .stage(StagePlan::new("Build").job(linux).job(mac))
        .stage(StagePlan::new("Publish").job(publish))
}
