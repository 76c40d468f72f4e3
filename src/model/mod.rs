//! Values without I/O and without a clock: what the rest of the program talks about.

pub mod build;
pub mod choice;
pub mod ids;
pub mod listed;
pub mod named;
pub mod scope;
pub mod status;
pub mod watch;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use ids::{BuildId, ChannelId, GuildId, PipelineId, ProjectId, RoleId, UserId};

/// A moment: milliseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This moment, moved later by `by`.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// How long ago `earlier` was; zero when it was not.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A duration in whole milliseconds, as rows keep it.
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The person who asked, as Discord describes the member in the interaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Discord user.
    pub user: UserId,
    /// The roles this member holds in the place's server.
    pub roles: Vec<RoleId>,
    /// Whether Discord computed Manage Server (or Administrator) for this member in this server.
    pub manage_server: bool,
}

/// Where something was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Discord server.
    pub guild: GuildId,
    /// Discord channel or thread.
    pub channel: ChannelId,
}

/// One build of one pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BuildRef {
    /// English name of the project.
    pub project: ProjectId,
    /// `p-…`
    pub pipeline: PipelineId,
    /// `b-…`
    pub build: BuildId,
}

impl fmt::Display for BuildRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.project, self.pipeline, self.build)
    }
}

/// A language the bot speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Locale {
    /// English, and whatever is not one of the others.
    #[default]
    #[serde(rename = "en")]
    En,
    /// Simplified Chinese.
    #[serde(rename = "zh-CN")]
    ZhCn,
    /// Japanese.
    #[serde(rename = "ja")]
    Ja,
}

impl Locale {
    /// Every language.
    pub const ALL: [Self; 3] = [Self::En, Self::ZhCn, Self::Ja];

    /// From Discord's locale (discord-rules 3).
    pub fn from_discord(locale: &str) -> Self {
        match locale {
            "zh-CN" => Self::ZhCn,
            "ja" => Self::Ja,
            _ => Self::En,
        }
    }

    /// Discord's name of it, also the folder of its catalogue.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::ZhCn => "zh-CN",
            Self::Ja => "ja",
        }
    }
}

/// A refusal by BK-CI or by the gateway in front of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Who refused.
    pub by: RejectedBy,
    /// HTTP status.
    pub http: u16,
    /// BK-CI's `status` (bkci-api 15), or the gateway's code (bkci-api 3.4).
    pub code: i64,
    /// The message as it came, cut to 300 characters; text of a stranger.
    pub message: String,
    /// The gateway's `X-Bkapi-Request-Id`.
    pub request_id: Option<String>,
    /// Seconds until a rate limit ends.
    pub retry_after_s: Option<u64>,
}

/// Why build and pipeline do not fit each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpaired {
    /// There is no such build in the project.
    NoBuild,
    /// The build belongs to another pipeline.
    OtherPipeline,
}

impl Rejection {
    /// What v4 says of a build and a pipeline that do not fit, in place of v3's codes of their own (bkci-api 3.3, 6.3
    /// #0b). All that tells it from other mistakes with code 400 are these words; unlike those before them they are in no
    /// catalogue, so they are the same in each language.
    pub fn unpaired(&self) -> Option<Unpaired> {
        match self.message.trim_end() {
            _ if self.by != RejectedBy::BkCi || self.code != 400 => None,
            text if text.ends_with("{0} PipelineId is invalid") => Some(Unpaired::OtherPipeline),
            text if text.ends_with("{0} parameter content of the request is empty") => Some(Unpaired::NoBuild),
            _ => None,
        }
    }
}

/// Who refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RejectedBy {
    /// BK-CI.
    BkCi,
    /// The BlueKing API gateway.
    Gateway,
}
