//! Words for the stages of a build: a mark, a name and a time each; of many only what matters.

use std::time::Duration;

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::{PART_MAX, plain, span};
use crate::model::status::BuildStatus;
use crate::reply::notice::Stage;

/// So many stages have a line each.
const LINES: usize = 8;

/// Of more, so many are named; the rest is counted.
const NAMED: usize = 6;

/// How a stage, or an attempt, stands. In the order in which they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Passed,
    Skipped,
    Failed,
    Canceled,
    Waits,
    Runs,
    Queued,
    Ahead,
    Unknown,
}

impl Mark {
    const ALL: [Self; 9] = [
        Self::Passed,
        Self::Skipped,
        Self::Failed,
        Self::Canceled,
        Self::Waits,
        Self::Runs,
        Self::Queued,
        Self::Ahead,
        Self::Unknown,
    ];

    pub(super) fn of(status: Option<BuildStatus>) -> Self {
        use BuildStatus as S;
        let Some(status) = status else { return Self::Ahead };
        match status {
            S::Succeed | S::ReviewProcessed | S::QualityCheckPass => Self::Passed,
            S::Skip => Self::Skipped,
            S::Failed | S::QuotaFailed | S::Terminate | S::ReviewAbort | S::QualityCheckFail => Self::Failed,
            S::QueueTimeout | S::ExecTimeout | S::HeartbeatTimeout => Self::Failed,
            S::Canceled => Self::Canceled,
            S::Reviewing | S::Pause | S::StageSuccess | S::TriggerReviewing | S::QualityCheckWait => Self::Waits,
            S::Running | S::PrepareEnv | S::LoopWaiting | S::CallWaiting | S::TryFinally => Self::Runs,
            S::Queue | S::QueueCache | S::Retry | S::DependentWaiting => Self::Queued,
            S::Unexec => Self::Ahead,
            S::Unknown => Self::Unknown,
        }
    }

    /// Told apart by shape, not by colour alone.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Passed => "✅",
            Self::Skipped => "⏭️",
            Self::Failed => "❌",
            Self::Canceled => "🚫",
            Self::Waits => "⏸️",
            Self::Runs => "▶️",
            Self::Queued => "⏳",
            Self::Ahead => "▫️",
            Self::Unknown => "❔",
        }
    }

    /// Whether a reader looks for it first.
    fn matters(self) -> bool {
        match self {
            Self::Failed | Self::Canceled | Self::Waits | Self::Runs | Self::Unknown => true,
            Self::Passed | Self::Skipped | Self::Queued | Self::Ahead => false,
        }
    }
}

/// A line per stage; of many the number per mark, then those that matter with where they stand. Nothing without stages.
pub(super) fn listed(t: &FluentLanguageLoader, stages: &[Stage]) -> Option<String> {
    if stages.len() <= LINES {
        let lines: Vec<String> = stages.iter().map(|stage| line(t, stage, None)).collect();
        return (!lines.is_empty()).then(|| lines.join("\n"));
    }
    let count = |mark: Mark| stages.iter().filter(|stage| Mark::of(stage.status) == mark).count();
    let counts = Mark::ALL.map(|mark| (mark, count(mark))).into_iter().filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(mark, count)| format!("{} {count}", mark.sign())).collect();
    let matter: Vec<(usize, &Stage)> =
        stages.iter().enumerate().filter(|(_, stage)| Mark::of(stage.status).matters()).collect();
    let more = matter.len().saturating_sub(NAMED);
    let named = matter.into_iter().take(NAMED).map(|(at, stage)| line(t, stage, Some((at + 1, stages.len()))));
    let more = (more > 0).then(|| fl!(t, "plan-more", more = more.to_string()));
    Some([counts.join(" · ")].into_iter().chain(named).chain(more).collect::<Vec<_>>().join("\n"))
}

fn line(t: &FluentLanguageLoader, stage: &Stage, at: Option<(usize, usize)>) -> String {
    let mark = Mark::of(stage.status);
    let name = plain(&stage.name, PART_MAX);
    let name = if mark.matters() { format!("**{name}**") } else { name };
    let at = at.map(|(at, of)| format!(" ({at}/{of})")).unwrap_or_default();
    let took = stage.took_s.map(|took| format!(" · {}", span(t, Duration::from_secs(took)))).unwrap_or_default();
    format!("{} {name}{at}{took}", mark.sign())
}
