//! Words for where and why a build failed.

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::super::log::mask;
use super::super::plain::{block, length};
use super::{LOG_MAX, place, plain};
use crate::model::build::{ErrorKind, Problem};
use crate::model::status::BuildStatus;
use crate::reply::notice::{Failed, Place};

/// A message of the first place is cut to this.
const FIRST_MAX: usize = 200;

/// A message of a further place is cut to this.
const FURTHER_MAX: usize = 80;

/// The first place and its error, the end of its log, the further places, then what else there is to say. The log takes
/// what the others leave of `max` UTF-16 units.
pub(super) fn failed(t: &FluentLanguageLoader, failed: &Failed, context: &[String], max: usize) -> String {
    let mut first = Vec::new();
    let mut rest = Vec::new();
    if let Some((place, further)) = failed.places.split_first() {
        first.push(self::place(names(place)));
        first.extend(place.problem.as_ref().map(|problem| problem_text(t, problem, FIRST_MAX)));
        rest.extend((!further.is_empty()).then(|| fl!(t, "notice-also")));
        rest.extend(further.iter().map(|place| further_text(t, place)));
        rest.extend((failed.more > 0).then(|| fl!(t, "plan-more", more = failed.more.to_string())));
    }
    first.extend(why(t, failed.status));
    if first.is_empty() {
        first.push(fl!(t, "notice-nowhere"));
    }
    rest.extend(context.iter().cloned());
    let taken: usize = first.iter().chain(&rest).map(|line| length(line) + 1).sum();
    first.extend(block(&failed.log, max.saturating_sub(taken).min(LOG_MAX)));
    first.extend(rest);
    first.join("\n")
}

fn further_text(t: &FluentLanguageLoader, place: &Place) -> String {
    let problem = place.problem.as_ref().map(|problem| problem_text(t, problem, FURTHER_MAX));
    [Some(self::place(names(place))), problem].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn names(place: &Place) -> impl Iterator<Item = &str> {
    [Some(&place.stage), Some(&place.job), place.task.as_ref()].into_iter().flatten().map(String::as_str)
}

/// Whose fault BK-CI thinks it is, its number, and what it says (bkci-api 5.2).
fn problem_text(t: &FluentLanguageLoader, problem: &Problem, max: usize) -> String {
    let kind = match problem.kind {
        ErrorKind::System => fl!(t, "notice-error-platform"),
        ErrorKind::User => fl!(t, "notice-error-user"),
        ErrorKind::ThirdParty => fl!(t, "notice-error-third-party"),
        ErrorKind::Plugin => fl!(t, "notice-error-plugin"),
        ErrorKind::BuildMachine => fl!(t, "notice-error-machine"),
    };
    let code = problem.code.to_string();
    if problem.message.trim().is_empty() {
        return fl!(t, "notice-problem-bare", kind = kind, code = code);
    }
    fl!(t, "notice-problem", kind = kind, code = code, message = plain(&mask(&problem.message), max))
}

/// What a failure state says beyond that it failed (bkci-api 5.1).
fn why(t: &FluentLanguageLoader, status: BuildStatus) -> Option<String> {
    use BuildStatus as S;
    match status {
        S::Terminate => Some(fl!(t, "notice-why-terminated")),
        S::ReviewAbort => Some(fl!(t, "notice-why-rejected")),
        S::QualityCheckFail => Some(fl!(t, "notice-why-quality")),
        S::QueueTimeout => Some(fl!(t, "notice-why-queue")),
        S::ExecTimeout => Some(fl!(t, "notice-why-time")),
        S::HeartbeatTimeout => Some(fl!(t, "notice-why-heartbeat")),
        S::QuotaFailed => Some(fl!(t, "notice-why-quota")),
        S::Failed | S::Succeed | S::Canceled | S::Running | S::Reviewing | S::ReviewProcessed | S::PrepareEnv => None,
        S::Unexec | S::Skip | S::Queue | S::LoopWaiting | S::CallWaiting | S::TryFinally | S::QueueCache => None,
        S::Retry | S::Pause | S::StageSuccess | S::DependentWaiting | S::QualityCheckPass => None,
        S::QualityCheckWait | S::TriggerReviewing | S::Unknown => None,
    }
}
