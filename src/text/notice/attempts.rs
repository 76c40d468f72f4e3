//! Words for the attempts at a build.

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::super::choices::status_text;
use super::super::plain::length;
use super::super::scopes::{scope_brief, scope_text};
use super::stages::Mark;
use super::{NAME_MAX, mention, plain, who};
use crate::model::status::BuildStatus;
use crate::reply::notice::Attempt;

/// So many are listed; the earlier ones are counted.
const LISTED: usize = 5;

/// They take no more UTF-16 units than this, short of a field's limit by what counts the earlier ones.
const MAX: usize = 960;

/// What the latest attempt re-runs and for whom, when somebody had this bot start it (contract 5).
pub(super) fn asked(t: &FluentLanguageLoader, attempts: &[Attempt]) -> Option<String> {
    let (scope, by) = attempts.last().and_then(|latest| latest.scope.as_ref().zip(latest.by))?;
    Some(fl!(t, "notice-accepted", scope = scope_text(t, scope), who = mention(by)))
}

/// A line per attempt, the latest last; `now` is how it stands if it has not ended. Nothing when that would say nothing
/// new: there was but one, or [`asked`] tells of the only one that is known.
pub(super) fn listed(t: &FluentLanguageLoader, attempts: &[Attempt], now: Option<BuildStatus>) -> Option<String> {
    let latest = attempts.last().filter(|latest| latest.count > 1 || latest.scope.is_some())?;
    if attempts.len() == 1 && now.is_some() && asked(t, attempts).is_some() {
        return None;
    }
    let mut lines = vec![line(t, latest, now)];
    let mut first = latest.count;
    let mut taken = length(&lines[0]);
    for attempt in attempts.iter().rev().skip(1).take(LISTED - 1) {
        let line = line(t, attempt, None);
        taken += length(&line) + 1;
        if taken > MAX {
            break;
        }
        first = attempt.count;
        lines.push(line);
    }
    let earlier = first.saturating_sub(1);
    lines.extend((earlier > 0).then(|| fl!(t, "notice-earlier", count = earlier.to_string())));
    lines.reverse();
    Some(lines.join("\n"))
}

/// Which, by whom, what was re-run, and how it ended or stands.
fn line(t: &FluentLanguageLoader, attempt: &Attempt, now: Option<BuildStatus>) -> String {
    let stands = |status| format!("{} {}", Mark::of(Some(status)).sign(), plain(&status_text(t, status), NAME_MAX));
    let parts = [
        Some(format!("**{}**", attempt.count)),
        who(attempt.by, attempt.uid.as_deref()),
        attempt.scope.as_ref().map(|scope| scope_brief(t, scope)),
        attempt.ended.or(now).map(stands),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}
