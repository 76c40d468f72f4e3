//! Words for what `/build` and the buttons of a notice come to.

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::plain::block;
use super::{
    GIVEN_MAX, HINT_MAX, NAME_MAX, Sentence, Tone, code, codes, field, link, mention, offers, place_fields, plain,
    rejection_fields, scopes, simple,
};
use crate::reply::{About, Log, Logged, NoLog, StopOutcome};

/// How a stop stands.
pub(super) fn stop(t: &FluentLanguageLoader, about: &About, outcome: &StopOutcome) -> Sentence {
    let (tone, title, body) = stop_words(t, about, outcome);
    let mut fields = vec![field(fl!(t, "label-build"), code(about.build.build.as_str(), 64), false)];
    fields.push(field(fl!(t, "label-number"), format!("#{}", about.number), true));
    match outcome {
        StopOutcome::Accepted { attempt, .. } | StopOutcome::Moved { attempt } => {
            fields.push(field(fl!(t, "label-attempt"), attempt.to_string(), true));
        }
        StopOutcome::Rejected(rejection) => fields.extend(rejection_fields(t, rejection)),
        StopOutcome::Misconfigured { said, .. } => {
            fields.extend(said.iter().flat_map(|said| rejection_fields(t, said)));
        }
        StopOutcome::Sent
        | StopOutcome::Unreachable
        | StopOutcome::NotSent
        | StopOutcome::Unconfirmed { .. }
        | StopOutcome::EndedBefore { .. }
        | StopOutcome::Ended { .. }
        | StopOutcome::Superseded
        | StopOutcome::AlreadyAsked { .. } => {}
    }
    fields.extend(place_fields(t, about));
    Sentence { fields, link: link(t, about), ..simple(tone, title, body) }
}

/// A message as a whole has room for more (discord-rules 4); a phone has not.
const LOG_MAX: usize = 3500;

/// The end of a task's log.
pub(super) fn log(t: &FluentLanguageLoader, log: &Log) -> Sentence {
    let [_, _, task] = &log.place;
    let title = fl!(t, "log-title", task = plain(task, NAME_MAX), number = log.about.number.to_string());
    let place = log.place.iter().map(|name| plain(name, NAME_MAX)).collect::<Vec<_>>().join(" › ");
    let attempt = log.attempt.to_string();
    let when = log.at.map(|at| format!("<t:{}:R>", at.0.div_euclid(1000)));
    let head = match (when, log.runs) {
        (Some(when), true) => fl!(t, "log-running", place = place, attempt = attempt, when = when),
        (Some(when), false) => fl!(t, "log-ended", place = place, attempt = attempt, when = when),
        (None, _) => fl!(t, "log-of", place = place, attempt = attempt),
    };
    let (tone, below) = match &log.lines {
        Logged::Lines(lines) => match block(lines, LOG_MAX) {
            Some(block) => (Tone::Neutral, block),
            None => (Tone::Neutral, fl!(t, "log-empty")),
        },
        Logged::Empty if log.runs => (Tone::Neutral, fl!(t, "log-empty-yet")),
        Logged::Empty => (Tone::Neutral, fl!(t, "log-empty")),
        Logged::CleanedAway => (Tone::Bad, fl!(t, "log-cleaned-away")),
        Logged::Closed => (Tone::Bad, fl!(t, "log-closed")),
        Logged::Failed => (Tone::Bad, fl!(t, "log-failed")),
    };
    let fields = offers::fields(t, &log.about);
    Sentence { fields, link: link(t, &log.about), ..simple(tone, title, format!("{head}\n{below}")) }
}

/// Why there is no log to be shown.
pub(super) fn no_log(t: &FluentLanguageLoader, about: &About, why: &NoLog) -> Sentence {
    let given = |text: &String| code(text, GIVEN_MAX);
    let (what, candidates) = match why {
        NoLog::NotFound { named, candidates } => (fl!(t, "no-log-not-found", named = given(named)), candidates),
        NoLog::Ambiguous { named, candidates } => (fl!(t, "no-log-ambiguous", named = given(named)), candidates),
        NoLog::NoTask { named, candidates } => (fl!(t, "no-log-no-task", named = given(named)), candidates),
        NoLog::NotRun { name, candidates } => (fl!(t, "no-log-not-run", name = plain(name, NAME_MAX)), candidates),
        NoLog::Nothing { candidates } => (fl!(t, "no-log-nothing"), candidates),
    };
    let next = if candidates.is_empty() {
        fl!(t, "no-log-none")
    } else {
        fl!(t, "no-log-candidates", candidates = scopes::parts(candidates))
    };
    let title =
        fl!(t, "no-log-title", pipeline = plain(&about.pipeline_name, NAME_MAX), number = about.number.to_string());
    let fields = offers::fields(t, about);
    Sentence { fields, link: link(t, about), ..simple(Tone::Bad, title, format!("{what} {next}")) }
}

fn stop_words(t: &FluentLanguageLoader, about: &About, outcome: &StopOutcome) -> (Tone, String, String) {
    let (who, number) = (mention(about.asked_by), about.number.to_string());
    let pipeline = || plain(&about.pipeline_name, NAME_MAX);
    match outcome {
        StopOutcome::Accepted { attempt, forced, seen_later } => {
            let attempt = attempt.to_string();
            let body = match (forced, seen_later) {
                (false, false) => fl!(t, "stop-accepted-body", attempt = attempt, who = who),
                (true, false) => fl!(t, "stop-forced-body", attempt = attempt, who = who),
                (_, true) => fl!(t, "stop-later-body", attempt = attempt, who = who),
            };
            (Tone::Good, fl!(t, "stop-accepted-title", pipeline = pipeline(), number = number), body)
        }
        StopOutcome::Sent => (Tone::Waiting, fl!(t, "sent-title"), fl!(t, "stop-sent-body", who = who)),
        StopOutcome::Unreachable => {
            (Tone::Waiting, fl!(t, "unreachable-title"), fl!(t, "stop-unreachable-body", who = who))
        }
        StopOutcome::Rejected(rejection) => {
            let cause = codes::refusal(t, rejection);
            (Tone::Bad, fl!(t, "stop-rejected-title"), fl!(t, "stop-rejected-body", cause = cause, who = who))
        }
        StopOutcome::NotSent => (Tone::Bad, fl!(t, "stop-not-sent-title"), fl!(t, "stop-not-sent-body", who = who)),
        StopOutcome::Misconfigured { hint, said } => {
            let body = match said.as_ref().and_then(|said| codes::set_up(t, said)) {
                Some(cause) => fl!(t, "stop-rejected-body", cause = cause, who = who),
                None => fl!(t, "misconfigured-body", hint = code(hint, HINT_MAX)),
            };
            (Tone::Bad, fl!(t, "stop-misconfigured-title"), body)
        }
        StopOutcome::Unconfirmed { looked_for_s, readable } => {
            let seconds = looked_for_s.to_string();
            let body = if *readable {
                fl!(t, "stop-unconfirmed-body", who = who, seconds = seconds)
            } else {
                fl!(t, "stop-unconfirmed-unreadable-body", who = who, seconds = seconds)
            };
            (Tone::Waiting, fl!(t, "stop-unconfirmed-title"), body)
        }
        StopOutcome::EndedBefore { status } => {
            let title = fl!(t, "stop-ended-before-title", pipeline = pipeline(), number = number);
            (Tone::Neutral, title, fl!(t, "stop-ended-before-body", status = code(status.as_wire(), 30)))
        }
        StopOutcome::Ended { status, by } => {
            let status = code(status.as_wire(), 30);
            let body = match by {
                Some(by) => fl!(t, "stop-ended-by-body", status = status, by = code(by, 64), who = who),
                None => fl!(t, "stop-ended-body", status = status, who = who),
            };
            (Tone::Neutral, fl!(t, "stop-ended-title", pipeline = pipeline(), number = number), body)
        }
        StopOutcome::Moved { attempt } => {
            let body = fl!(t, "stop-moved-body", attempt = attempt.to_string(), who = who);
            (Tone::Waiting, fl!(t, "stop-moved-title"), body)
        }
        StopOutcome::Superseded => {
            (Tone::Neutral, fl!(t, "stop-superseded-title"), fl!(t, "stop-superseded-body", who = who))
        }
        StopOutcome::AlreadyAsked { first, accepted, again_in_s } => {
            let first = mention(*first);
            let body = if *accepted {
                fl!(t, "stop-already-accepted-body", first = first, seconds = again_in_s.to_string())
            } else {
                fl!(t, "stop-already-pending-body", first = first)
            };
            (Tone::Neutral, fl!(t, "already-title"), body)
        }
    }
}
