//! Words for what a retry re-runs, and for why it does not.

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::{GIVEN_MAX, NAME_MAX, code, plain};
use crate::model::scope::{JobScope, Part, Refusal, Scope, TaskScope};
use crate::model::status::BuildStatus;

/// So many names or parts are listed, so that a hundred of them do not push out the rest.
const LISTED: usize = 8;

/// What is re-run, to stand in a sentence.
pub(super) fn scope_text(t: &FluentLanguageLoader, scope: &Scope) -> String {
    worded(t, scope, Room { name: NAME_MAX, listed: LISTED, others: true })
}

/// The same on a line of its own, with names cut short and little listed.
pub(super) fn scope_brief(t: &FluentLanguageLoader, scope: &Scope) -> String {
    worded(t, scope, Room { name: 24, listed: 2, others: false })
}

/// How much is said of a scope.
#[derive(Clone, Copy)]
struct Room {
    /// Names are cut to this.
    name: usize,
    /// So many are listed.
    listed: usize,
    /// Whether it is said what stays failed beside it.
    others: bool,
}

fn worded(t: &FluentLanguageLoader, scope: &Scope, room: Room) -> String {
    let name = |text: &String| plain(text, room.name);
    let bold = |text: &String| format!("**{}**", name(text));
    let list = |names: &[String]| some_of(names, room.listed, ", ", name);
    match scope {
        Scope::WholeBuild => fl!(t, "scope-whole"),
        Scope::Stage { name: text, .. } => fl!(t, "scope-stage", name = bold(text)),
        Scope::FailedJobs { name: text, jobs, others, .. } if others.is_empty() || !room.others => {
            fl!(t, "scope-failed-jobs", name = bold(text), jobs = list(jobs))
        }
        Scope::FailedJobs { name: text, jobs, others, .. } => {
            fl!(t, "scope-failed-jobs-first", name = bold(text), jobs = list(jobs), others = list(others))
        }
        Scope::SkipInStage { name: text, tasks, .. } => {
            fl!(t, "scope-skip-stage", name = bold(text), tasks = list(tasks))
        }
        Scope::Job(JobScope { name: text, stage, .. }) => {
            fl!(t, "scope-job", name = bold(text), stage = name(stage))
        }
        Scope::Matrix(JobScope { name: text, stage, .. }) => {
            fl!(t, "scope-matrix", name = bold(text), stage = name(stage))
        }
        Scope::FailedChildren { matrix: JobScope { name: text, stage, .. }, children } => {
            fl!(t, "scope-failed-children", name = bold(text), stage = name(stage), children = list(children))
        }
        Scope::Child(JobScope { name: text, stage, .. }) => {
            fl!(t, "scope-child", name = bold(text), stage = name(stage))
        }
        Scope::Task(TaskScope { name: text, job, stage, .. }) => {
            fl!(t, "scope-task", name = bold(text), job = name(job), stage = name(stage))
        }
        Scope::SkipTask(TaskScope { name: text, job, stage, .. }) => {
            fl!(t, "scope-skip-task", name = bold(text), job = name(job), stage = name(stage))
        }
    }
}

/// Why it is not re-run, and what to do instead.
pub(super) fn refusal_text(t: &FluentLanguageLoader, refusal: &Refusal, status: BuildStatus) -> String {
    let given = |text: &String| code(text, GIVEN_MAX);
    match refusal {
        Refusal::StillRunning(_) => fl!(t, "refusal-running", status = code(status.as_wire(), 30)),
        Refusal::AtGate => fl!(t, "refusal-gate"),
        Refusal::FinallyRunning => fl!(t, "refusal-finally-running"),
        Refusal::StageNotRunning { name: text } => fl!(t, "refusal-stage-not-running", name = name(text)),
        Refusal::JobRunning { name: text } => fl!(t, "refusal-job-running", name = name(text)),
        Refusal::TooOld => fl!(t, "refusal-old"),
        Refusal::NotFound { named, candidates } if candidates.is_empty() => {
            fl!(t, "refusal-not-found-none", named = given(named))
        }
        Refusal::NotFound { named, candidates } => {
            fl!(t, "refusal-not-found", named = given(named), candidates = parts(candidates))
        }
        Refusal::Ambiguous { named, candidates } => {
            fl!(t, "refusal-ambiguous", named = given(named), candidates = parts(candidates))
        }
        Refusal::Shadowed { named } => fl!(t, "refusal-shadowed", named = given(named)),
        Refusal::Trigger => fl!(t, "refusal-trigger"),
        Refusal::Finally { name: text } => fl!(t, "refusal-finally", name = name(text)),
        Refusal::Behind { name: text, earlier } => {
            fl!(t, "refusal-behind", name = name(text), earlier = name(earlier))
        }
        Refusal::Template { name: text } => fl!(t, "refusal-template", name = name(text)),
        Refusal::NotFailed { name: text } => fl!(t, "refusal-not-failed", name = name(text)),
        Refusal::NothingFailed => fl!(t, "refusal-nothing-failed"),
        Refusal::FailedJobsOf { name: text } => fl!(t, "refusal-failed-jobs-of", name = name(text)),
        Refusal::NotRetryable { name: text } => fl!(t, "refusal-not-retryable", name = name(text)),
        Refusal::NotSkippable { names } => fl!(t, "refusal-not-skippable", names = list(names)),
        Refusal::SkipWhat { name: text, candidates } if candidates.is_empty() => {
            fl!(t, "refusal-skip-what-none", name = name(text))
        }
        Refusal::SkipWhat { name: text, candidates } => {
            fl!(t, "refusal-skip-what", name = name(text), candidates = parts(candidates))
        }
    }
}

fn name(text: &str) -> String {
    plain(text, NAME_MAX)
}

fn list(names: &[String]) -> String {
    some_of(names, LISTED, ", ", |text| name(text))
}

/// To choose from: what is typed, and what it is.
pub(super) fn parts(parts: &[Part]) -> String {
    some_of(parts, LISTED, " · ", |part| match part.within.last() {
        Some(within) => format!("{} {} ({})", code(&part.id, 64), name(&part.name), name(within)),
        None => format!("{} {}", code(&part.id, 64), name(&part.name)),
    })
}

fn some_of<T>(all: &[T], room: usize, between: &str, text: impl Fn(&T) -> String) -> String {
    let more = all.len().saturating_sub(room);
    let listed = all.iter().take(room).map(text).chain((more > 0).then(|| format!("+{more}")));
    listed.collect::<Vec<_>>().join(between)
}
