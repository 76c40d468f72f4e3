//! Looks at BK-CI for what is followed and watched, and has channels told what changed.
//!
//! A look is one UID's view of one pipeline: a call or two tell what became of all its builds. Whatever changed is then
//! read as that same UID, so that nobody is shown what was not read by somebody who may see it (bkci-api 2.2). Nothing
//! is believed but what BK-CI answers; a callback only makes a look due.
//!
//! Must not change anything at BK-CI.

mod hearing;
pub mod pace;
mod sight;
mod tell;

use std::collections::HashSet;
use std::time::Duration;

pub use self::hearing::print;
use self::pace::Pace;
use self::sight::Sight;
use crate::app::App;
use crate::model::Timestamp;
use crate::model::ids::UserId;
use crate::reply::notice::Lost;
use crate::store::follows::{Change, Follow};
use crate::store::looks::{Findings, Look, Next};
use crate::store::watches::Watch;

/// A UID that is refused so often in a row may not see the pipeline any more: a refusal can pass, such as that of an
/// application whose authorisation is read anew every five minutes (bkci-api 14).
const REFUSALS: u32 = 3;

/// Longest wait after looks that failed.
const BACK_OFF_TO: Duration = Duration::from_mins(5);

/// A build that has run for so long is looked at less often …
const LONG: Duration = Duration::from_mins(10);

/// … down to this part of the pace, when it has run for six times as long.
const SLOWEST: f64 = 1.6;

/// What one look is for.
struct Wanted {
    follows: Vec<Follow>,
    watches: Vec<Watch>,
    /// Who is mapped to the UID that looks.
    mapped: HashSet<UserId>,
}

/// Takes one look that is due. `false`: there was none.
///
/// # Errors
/// The store failed; the look is found again when its lease ends.
pub async fn step(app: &App, pace: &Pace) -> anyhow::Result<bool> {
    let now = app.clock.now();
    let Some(look) = app.store.claim_look(now, lease(app)).await? else { return Ok(false) };
    let wanted = Wanted {
        follows: app.store.follows_of(&look.id).await?,
        watches: app.store.watches_of(&look.id).await?,
        mapped: app.store.people_of(&look.as_user).await?,
    };
    let findings = find(app, pace, &look, wanted).await?;
    if app.store.record_look(&look, &findings, app.clock.now()).await? {
        app.wake.outbox.notify_one();
    }
    Ok(true)
}

/// Longer than a look takes; should it take longer, somebody else looks too, and the later of the two writes nothing.
fn lease(app: &App) -> Duration {
    app.operation_lease() * 3
}

async fn find(app: &App, pace: &Pace, look: &Look, wanted: Wanted) -> anyhow::Result<Findings> {
    let now = app.clock.now();
    let mut findings = Findings::new(Next { due: now, mark: look.mark, refused: 0, failed: 0 });
    let Wanted { follows, watches, mapped } = wanted;
    let (follows, orphans): (Vec<_>, Vec<_>) = follows.into_iter().partition(|follow| mapped.contains(&follow.user));
    let (watches, unwatched): (Vec<_>, Vec<_>) = watches.into_iter().partition(|watch| mapped.contains(&watch.user));
    lose(app, look, &mut findings, (&orphans, &unwatched, Lost::Mapping)).await?;
    if follows.is_empty() && watches.is_empty() {
        return Ok(findings);
    }
    let followed: Vec<_> = follows.iter().map(|follow| follow.build.clone()).collect();
    let told = match sight::look(&app.bkci, pace, look, (&followed, !watches.is_empty())).await {
        Ok(Sight { builds, mark }) => {
            findings.next.mark = mark;
            let telling = tell::Telling { app, pace, look, follows: &follows, watches: &watches };
            telling.find(&builds, &mut findings).await?
        }
        Err(error) => Err(error),
    };
    app.metrics.look(match &told {
        Ok(_) => "ok",
        Err(error) if error.is_refusal_of_view() => "refused",
        Err(_) => "failed",
    });
    match told {
        Ok(true) => findings.next.due = next_due(app, look, &follows, now),
        // What was not read is seen again only before the mark moves on.
        Ok(false) => findings.next.mark = look.mark,
        Err(error) if error.is_refusal_of_view() && look.refused + 1 >= REFUSALS => {
            tracing::warn!(look = look.id, %error, "may not be looked at any more");
            lose(app, look, &mut findings, (&follows, &watches, Lost::View)).await?;
        }
        Err(error) => {
            let refused = error.is_refusal_of_view();
            findings.next.refused = if refused { look.refused + 1 } else { 0 };
            findings.next.failed = if refused { 0 } else { look.failed + 1 };
            findings.next.mark = look.mark;
            findings.next.due = now.plus(back_off(app, look.refused.max(look.failed)));
            if look.failed == 0 {
                tracing::warn!(look = look.id, %error, "could not be looked at; it is tried again");
            }
        }
    }
    Ok(findings)
}

/// Ends what cannot be looked at any more: its channels hear of it once.
async fn lose(
    app: &App,
    look: &Look,
    findings: &mut Findings,
    (follows, watches, lost): (&[Follow], &[Watch], Lost),
) -> anyhow::Result<()> {
    for follow in follows {
        findings.edits.extend(tell::lost(app, &follow.build, lost).await?);
        findings.follows.push((follow.clone(), Change::Ended));
    }
    for watch in watches {
        let (paused, offer) = tell::paused(look, watch, lost);
        findings.paused.push((watch.clone(), paused, offer));
    }
    Ok(())
}

/// When a look that went well is taken again: a little earlier or later each time, so that many do not meet, and less
/// often while only long builds run.
fn next_due(app: &App, look: &Look, follows: &[Follow], now: Timestamp) -> Timestamp {
    let youngest = follows.iter().map(|follow| now.since(follow.since)).min().unwrap_or_default();
    let beyond = youngest.saturating_sub(LONG).div_duration_f64(LONG * 5).min(1.0);
    let slower = 1.0 + (SLOWEST - 1.0) * beyond;
    now.plus(app.settings.follow.poll.mul_f64(slower * jitter(look)))
}

/// From 0.9 to 1.1.
fn jitter(look: &Look) -> f64 {
    let bytes = look.id.bytes().chain(look.attempts.to_be_bytes());
    let hash =
        bytes.fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
    0.9 + f64::from(u32::try_from(hash >> 40).unwrap_or(0) % 1000) / 5000.0
}

fn back_off(app: &App, failures: u32) -> Duration {
    app.settings.follow.poll.saturating_mul(1 << failures.min(10)).min(BACK_OFF_TO)
}
