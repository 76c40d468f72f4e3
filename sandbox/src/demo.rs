//! A small world to try the bot in: one server, three people, one project with builds that failed, run and succeeded.

use crate::bkci::{BkCi, BuildPlan, PipelineId, Right};
use crate::discord::Discord;

/// Discord's bit for Manage Server (discord-rules 5).
const MANAGE_SERVER: u64 = 1 << 5;

/// The DevOps user that the developer is mapped to.
pub const UID: &str = "dev.chen";

/// Who and what there is.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The server.
    pub guild: u64,
    /// Its channel.
    pub channel: u64,
    /// Holds Manage Server.
    pub administrator: u64,
    /// Mapped to [`UID`].
    pub developer: u64,
    /// Not mapped.
    pub newcomer: u64,
    /// The pipeline of `demo`.
    pub pipeline: PipelineId,
    /// A build that failed.
    pub failed: String,
}

impl Demo {
    /// Fills both doubles.
    pub fn build(discord: &Discord, bkci: &BkCi) -> Self {
        let guild = discord.add_guild("Builders", "en-US");
        let channel = discord.add_channel(guild, "builds");
        let [administrator, developer, newcomer] = ["ada", "chen", "nova"].map(|name| discord.add_user(name));
        discord.join(guild, administrator, MANAGE_SERVER, &[]);
        discord.join(guild, developer, 0, &[]);
        discord.join(guild, newcomer, 0, &[]);
        bkci.add_project("demo");
        let pipeline = bkci.add_pipeline("demo", "nightly");
        bkci.permit(UID, "demo", &pipeline, &[Right::View, Right::Execute]);
        bkci.add_build(BuildPlan::succeeding(&pipeline).started_by(UID));
        bkci.add_build(BuildPlan::running(&pipeline).started_by(UID));
        let failed = bkci.add_build(BuildPlan::failing(&pipeline).started_by(UID));
        Self { guild, channel, administrator, developer, newcomer, pipeline, failed }
    }
}
