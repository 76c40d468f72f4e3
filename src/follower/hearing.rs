//! What a channel hears of a build: nothing, a new notice, or its notice edited. Pure.

use crate::model::listed::Build;
use crate::model::status::BuildStatus;
use crate::model::watch::{Hears, fits};
use crate::reply::Notice;
use crate::reply::notice::State;
use crate::store::notices::Weight;
use crate::store::watches::Watch;

/// How a build ended, as far as a watch cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// One of the eight failure states.
    Failed,
    /// Well, or stopped at a gate on purpose.
    Passed,
    /// Stopped by a person.
    Canceled,
}

/// How a build ended; `None`: it has not.
pub fn end(build: &Build) -> Option<End> {
    match build.status {
        _ if !build.is_finished() => None,
        status if status.is_failure() => Some(End::Failed),
        status if status.is_cancel() => Some(End::Canceled),
        _ => Some(End::Passed),
    }
}

/// Whether a channel that has no notice of a build may want one, for what a watch of it says. A success after a failure
/// is told only where the channel had heard of that: the caller knows.
pub fn wants(watch: &Watch, build: &Build) -> Option<End> {
    let end = end(build)?;
    let heard_later = build.ended.is_none_or(|ended| ended > watch.since);
    let on_branch = watch.branch.as_deref().is_none_or(|glob| fits(glob, build.branch.as_deref().unwrap_or_default()));
    let told = match (watch.hears, end) {
        (Hears::All, _) | (_, End::Failed) | (Hears::FailedAndFixed, End::Passed) => true,
        (Hears::Failed, End::Passed) | (Hears::Failed | Hears::FailedAndFixed, End::Canceled) => false,
    };
    (heard_later && on_branch && told).then_some(end)
}

/// What a list shows of a build that its notice does not; `None`: nothing.
pub fn news(build: &Build, notice: &Notice) -> Option<Weight> {
    let attempt = build.execute_count.unwrap_or_else(|| notice.attempt());
    if attempt < notice.attempt() {
        // What was read before the latest retry is no news.
        return None;
    }
    let shown = notice.state.ended();
    let same_end = match end(build) {
        None => matches!(notice.state, State::Running { .. } | State::Unwatched(_)),
        Some(End::Failed) => shown.is_some_and(BuildStatus::is_failure),
        Some(End::Canceled) => shown.is_some_and(BuildStatus::is_cancel),
        Some(End::Passed) => shown.is_some_and(BuildStatus::is_success),
    };
    if attempt != notice.attempt() || !same_end {
        return Some(Weight::Turn);
    }
    let listed = build.stages.iter().skip(1).map(|stage| stage.status);
    let moved = !build.stages.is_empty() && !listed.eq(notice.stages.iter().map(|stage| stage.status));
    moved.then_some(Weight::Progress)
}

/// How much it matters that a notice changes.
pub fn weight(before: &Notice, now: &Notice) -> Weight {
    let turned = before.attempt() != now.attempt()
        || before.state.ended() != now.state.ended()
        || std::mem::discriminant(&before.state) != std::mem::discriminant(&now.state);
    if turned { Weight::Turn } else { Weight::Progress }
}

/// Stands for what a list shows of a build: attempt, state, and the states of its stages.
pub fn print(build: &Build) -> String {
    let stages = build.stages.iter().map(|stage| stage.status.map_or("-", BuildStatus::as_wire));
    let mut print = format!("{}/{}", build.execute_count.unwrap_or(0), build.status.as_wire());
    for stage in stages {
        print.push('/');
        print.push_str(stage);
    }
    print
}
