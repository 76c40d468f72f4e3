//! Words for a notice: how a build stands, for somebody who looks at a phone in passing.
//!
//! What has come of it and where stands first, the rest below. Every part is bounded, and the log takes only what the
//! others leave: nothing that a stranger wrote can push out the place of a failure or the build's id (discord-rules 4).

mod acts;
mod attempts;
mod failure;
mod stages;

use std::time::Duration;

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::log::mask;
use super::plain::length;
use super::plan::span;
use super::{Field, Link, NAME_MAX, Sentence, Tone, code, field, link, mention, plain, simple};
use crate::model::ids::{Uid, UserId};
use crate::model::status::BuildStatus;
use crate::model::watch::MessageRef;
use crate::reply::About;
use crate::reply::notice::{Lost, Notice, Paused, State};

/// One message as a whole (discord-rules 4).
const MESSAGE_MAX: usize = 6000;

/// Its body.
const BODY_MAX: usize = 4096;

/// The end of a log takes no more than this, so that a phone shows what is below it.
const LOG_MAX: usize = 1500;

/// Names of stages, jobs and tasks in a place are cut to this.
const PART_MAX: usize = 40;

/// A branch is cut to this.
const BRANCH_MAX: usize = 60;

/// The first line of a commit's message is cut to this.
const COMMIT_MAX: usize = 120;

/// How a build stands.
pub(super) fn notice(t: &FluentLanguageLoader, notice: &Notice) -> Sentence {
    let title = title(t, notice);
    let fields = fields(t, notice);
    let taken = fields.iter().map(|field| length(&field.name) + length(&field.value)).sum::<usize>() + length(&title);
    let body = body(t, notice, BODY_MAX.min(MESSAGE_MAX.saturating_sub(taken)));
    let link = notice.link.clone().map(|url| Link { label: fl!(t, "label-open"), url });
    let (buttons, lists) = acts::offered(t, notice.acts.as_ref());
    let ping = notice.ping.clone();
    Sentence { fields, link, buttons, lists, ping, ..simple(tone(&notice.state), title, body) }
}

/// The answer to a retry, when another message of the channel shows how the build goes on.
pub(super) fn elsewhere(t: &FluentLanguageLoader, answer: Sentence, shown: Option<&MessageRef>) -> Sentence {
    let Some(MessageRef { guild, channel, message }) = shown else { return answer };
    let link = format!("https://discord.com/channels/{guild}/{channel}/{message}");
    Sentence { body: format!("{}\n{}", answer.body, fl!(t, "notice-elsewhere", link = link)), ..answer }
}

/// Somebody looks at a build again.
pub(super) fn followed(t: &FluentLanguageLoader, about: &About, as_user: &Uid) -> Sentence {
    let (pipeline, number) = (plain(&about.pipeline_name, NAME_MAX), about.number.to_string());
    let title = fl!(t, "notice-followed-title", pipeline = pipeline, number = number);
    let body = fl!(t, "notice-followed-body", uid = code(as_user.as_str(), 64));
    Sentence { link: link(t, about), ..simple(Tone::Good, title, body) }
}

/// A watch that found no one to look for it any more, and the button to look for it.
pub(super) fn paused(t: &FluentLanguageLoader, paused: &Paused) -> Sentence {
    let title = fl!(t, "notice-paused-title", pipeline = plain(&paused.pipeline_name, NAME_MAX));
    let uid = code(paused.as_user.as_str(), 64);
    let why = match paused.lost {
        Lost::View | Lost::Build => fl!(t, "notice-paused-view", uid = uid),
        Lost::Mapping => fl!(t, "notice-paused-mapping", uid = uid),
    };
    let body = format!("{why}\n{}", fl!(t, "notice-paused-next"));
    let fields = vec![
        field(fl!(t, "label-project"), code(paused.project.as_str(), 64), true),
        field(fl!(t, "label-pipeline"), code(paused.pipeline.as_str(), 64), true),
    ];
    Sentence { fields, buttons: vec![acts::take_over(t, &paused.offer)], ..simple(Tone::Bad, title, body) }
}

fn tone(state: &State) -> Tone {
    match state {
        State::Running { .. } => Tone::Waiting,
        State::Failed(_) => Tone::Bad,
        State::Fixed { .. } | State::Passed => Tone::Good,
        State::Canceled { .. } | State::Unwatched(_) => Tone::Neutral,
    }
}

fn title(t: &FluentLanguageLoader, notice: &Notice) -> String {
    let (pipeline, number) = (plain(&notice.pipeline_name, NAME_MAX), notice.number.to_string());
    let title = match &notice.state {
        State::Running { status } => match Pace::of(*status) {
            Pace::Queued => fl!(t, "notice-queued-title", pipeline = pipeline, number = number),
            Pace::Waits => fl!(t, "notice-waiting-title", pipeline = pipeline, number = number),
            Pace::Runs => fl!(t, "notice-running-title", pipeline = pipeline, number = number),
        },
        State::Failed(_) => fl!(t, "notice-failed-title", pipeline = pipeline, number = number),
        State::Fixed { earlier: None } => fl!(t, "notice-recovered-title", pipeline = pipeline, number = number),
        State::Fixed { earlier: Some(_) } => fl!(t, "notice-fixed-title", pipeline = pipeline, number = number),
        State::Passed => fl!(t, "notice-passed-title", pipeline = pipeline, number = number),
        State::Canceled { .. } => fl!(t, "notice-canceled-title", pipeline = pipeline, number = number),
        State::Unwatched(_) => fl!(t, "notice-unwatched-title", pipeline = pipeline, number = number),
    };
    match notice.attempt() {
        0 | 1 => title,
        attempt => fl!(t, "notice-attempt-title", title = title, attempt = attempt.to_string()),
    }
}

/// What a build that has not ended does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    Queued,
    Runs,
    Waits,
}

impl Pace {
    fn of(status: BuildStatus) -> Self {
        use BuildStatus as S;
        match status {
            S::Queue | S::QueueCache | S::Retry | S::DependentWaiting => Self::Queued,
            S::Reviewing | S::Pause | S::StageSuccess | S::TriggerReviewing | S::QualityCheckWait => Self::Waits,
            S::Succeed | S::Failed | S::Canceled | S::Running | S::Terminate | S::ReviewAbort => Self::Runs,
            S::ReviewProcessed | S::HeartbeatTimeout | S::PrepareEnv | S::Unexec | S::Skip => Self::Runs,
            S::QualityCheckFail | S::LoopWaiting | S::CallWaiting | S::TryFinally | S::QueueTimeout => Self::Runs,
            S::ExecTimeout | S::QuotaFailed | S::QualityCheckPass | S::Unknown => Self::Runs,
        }
    }
}

/// At most `max` UTF-16 units.
fn body(t: &FluentLanguageLoader, notice: &Notice, max: usize) -> String {
    let context = context(t, notice);
    if let State::Failed(failed) = &notice.state {
        return failure::failed(t, failed, &context, max);
    }
    let lines: Vec<String> = leading(t, notice).into_iter().chain(context).collect();
    if lines.is_empty() { fl!(t, "notice-nothing") } else { lines.join("\n") }
}

/// What is to be said first of a build that did not fail.
fn leading(t: &FluentLanguageLoader, notice: &Notice) -> Vec<String> {
    match &notice.state {
        State::Failed(_) | State::Passed => Vec::new(),
        State::Running { status } => {
            let asked = attempts::asked(t, &notice.attempts);
            let queued = (Pace::of(*status) == Pace::Queued && asked.is_none()).then(|| fl!(t, "notice-queued"));
            running(t, *status, notice.step.as_ref()).into_iter().chain(queued).chain(asked).collect()
        }
        State::Fixed { earlier } => {
            let retried = (notice.attempt() > 1).then(|| recovered(t, notice));
            let earlier = earlier.map(|earlier| {
                let (number, earlier) = (notice.number.to_string(), earlier.to_string());
                fl!(t, "notice-fixed", number = number, earlier = earlier)
            });
            earlier.into_iter().chain(retried).collect()
        }
        State::Canceled { by } => by.iter().map(|by| fl!(t, "notice-canceled-by", who = code(by, 64))).collect(),
        State::Unwatched(Lost::View) => vec![fl!(t, "notice-lost-view")],
        State::Unwatched(Lost::Mapping) => vec![fl!(t, "notice-lost-mapping")],
        State::Unwatched(Lost::Build) => vec![fl!(t, "notice-lost-build")],
    }
}

fn running(t: &FluentLanguageLoader, status: BuildStatus, step: Option<&[String; 3]>) -> Option<String> {
    let place = step.map(|step| place(step.iter().map(String::as_str)));
    match (Pace::of(status), place) {
        (Pace::Waits, Some(place)) => Some(fl!(t, "notice-waits-at", place = place)),
        (Pace::Waits, None) => Some(fl!(t, "notice-waits")),
        (Pace::Runs, Some(place)) => Some(fl!(t, "notice-now", place = place)),
        (Pace::Runs, None) | (Pace::Queued, _) => None,
    }
}

fn recovered(t: &FluentLanguageLoader, notice: &Notice) -> String {
    let attempt = notice.attempt().to_string();
    match notice.attempts.last().and_then(|last| who(last.by, last.uid.as_deref())) {
        Some(who) => fl!(t, "notice-recovered-by", attempt = attempt, who = who),
        None => fl!(t, "notice-recovered", attempt = attempt),
    }
}

/// What it is about: the commit, who started it, how long it took.
fn context(t: &FluentLanguageLoader, notice: &Notice) -> Vec<String> {
    let branch = notice.branch.as_ref().map(|branch| code(branch, BRANCH_MAX));
    let commit = notice.commit.as_ref().map(|commit| plain(&mask(commit), COMMIT_MAX));
    let by = notice.started_by.as_ref().map(|by| fl!(t, "notice-started-by", who = code(by, 64)));
    let time = (notice.elapsed_s > 0).then(|| span(t, Duration::from_secs(notice.elapsed_s)));
    let time = time.and_then(|time| match &notice.state {
        State::Running { .. } => Some(fl!(t, "notice-so-far", time = time)),
        State::Failed(_) | State::Fixed { .. } | State::Passed | State::Canceled { .. } => {
            Some(fl!(t, "notice-took", time = time))
        }
        State::Unwatched(_) => None,
    });
    let lines = [[branch, commit], [by, time]].map(|parts| parts.into_iter().flatten().collect::<Vec<_>>().join(" · "));
    lines.into_iter().filter(|line| !line.is_empty()).collect()
}

fn fields(t: &FluentLanguageLoader, notice: &Notice) -> Vec<Field> {
    let stages = stages::listed(t, &notice.stages).map(|stages| field(fl!(t, "notice-stages"), stages, false));
    let now = match &notice.state {
        State::Running { status } => Some(*status),
        State::Failed(_) | State::Fixed { .. } | State::Passed | State::Canceled { .. } | State::Unwatched(_) => None,
    };
    let attempts =
        attempts::listed(t, &notice.attempts, now).map(|attempts| field(fl!(t, "notice-attempts"), attempts, false));
    let facts = fl!(
        t,
        "notice-facts",
        number = notice.number.to_string(),
        attempt = notice.attempt().to_string(),
        project = code(notice.build.project.as_str(), 64),
        pipeline = plain(&notice.pipeline_name, NAME_MAX)
    );
    let id = code(notice.build.build.as_str(), 64);
    stages.into_iter().chain(attempts).chain([field(fl!(t, "label-build"), format!("{id}\n{facts}"), false)]).collect()
}

/// A person of this server, without a ping, or else a UID.
fn who(by: Option<UserId>, uid: Option<&str>) -> Option<String> {
    by.map(mention).or_else(|| uid.map(|uid| code(uid, 64)))
}

/// Names from the outermost to the innermost.
fn place<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.filter(|name| !name.trim().is_empty()).map(|name| plain(name, PART_MAX)).collect();
    if names.is_empty() { plain("", PART_MAX) } else { format!("**{}**", names.join(" › ")) }
}

#[cfg(test)]
pub(super) mod tests;
