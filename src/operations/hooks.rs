//! Asks BK-CI to tell by itself of watched pipelines, and to stop doing so.
//!
//! Such a call may be repeated: a callback of one pipeline is kept by its name, and those of a project are looked for and
//! removed before they are registered (bkci-api 11.1). So a lost answer is asked for again, ever later. A refusal is told in the answer to
//! whoever added the watch, and costs nothing but time: the pipeline is polled in any case. Runs beside the other
//! operations, so that no retry waits for it.

use std::time::Duration;

use crate::app::App;
use crate::bkci::{self, Hook};
use crate::config::Callbacks;
use crate::model::Timestamp;
use crate::reply::Failure;
use crate::store::hooks::{Claimed, Step};

/// First wait after a call without an answer; doubles each time.
const BACK_OFF_FROM: Duration = Duration::from_secs(5);

/// Longest wait.
const BACK_OFF_TO: Duration = Duration::from_mins(30);

/// After so many calls in a row without an answer (about half a day) it is given up.
const TRIES: u32 = 32;

/// Removing callbacks of a project reads lists first, so it is more than one call.
const CALLS: u32 = 8;

/// Brings what BK-CI was asked for in line with the configuration, when the program starts.
///
/// # Errors
/// The store failed.
pub async fn align(app: &App) -> anyhow::Result<()> {
    let callbacks = app.settings.callbacks();
    let wanted = callbacks.map(|callbacks| (callbacks.mark(), callbacks.of_projects));
    let wanted = wanted.as_ref().map(|(mark, of_projects)| (mark.as_str(), *of_projects));
    app.store.align_hooks(wanted, app.clock.now()).await
}

/// Registers or removes one callback. `false`: there was none to work on.
///
/// # Errors
/// The store failed; the hook is found again when its lease ends.
pub async fn step(app: &App) -> anyhow::Result<bool> {
    let lease = app.operation_lease() * CALLS;
    let Some(hook) = app.store.claim_hook(app.clock.now(), lease).await? else {
        return Ok(false);
    };
    let mark = app.settings.callbacks().map_or_else(|| hook.mark.clone(), |callbacks| callbacks.mark());
    let answer = if hook.wanted { register(app, &hook).await } else { remove(app, &hook).await };
    let now = app.clock.now();
    let step = judge(&hook, answer, now);
    tell(&hook, &step);
    app.store.conclude_hook(&hook, (&step, &mark), now).await?;
    app.wake.outbox.notify_one();
    Ok(true)
}

async fn register(app: &App, hook: &Claimed) -> Result<(), bkci::Error> {
    let Some(callbacks) = app.settings.callbacks() else {
        let hint = "bkci.callback_token or http.public_url is not set".to_owned();
        return Err(bkci::Error::Misconfigured { hint, said: None });
    };
    let wanted = Hook { project: &hook.project, url: &callbacks.url, token: &callbacks.token };
    match &hook.pipeline {
        Some(pipeline) => app.bkci.hook_pipeline(&hook.as_user, pipeline, &wanted).await,
        None => {
            // Registering one that is there need not change its token, and an old address would be told for ever.
            remove(app, hook).await?;
            if Callbacks::address_of(&hook.mark) != callbacks.url {
                app.bkci.unhook_project(&hook.as_user, &hook.project, &callbacks.url).await?;
            }
            app.bkci.hook_project(&hook.as_user, &wanted).await
        }
    }
}

async fn remove(app: &App, hook: &Claimed) -> Result<(), bkci::Error> {
    let (uid, project) = (&hook.as_user, &hook.project);
    match &hook.pipeline {
        Some(pipeline) => app.bkci.unhook_pipeline(uid, project, pipeline).await,
        None => app.bkci.unhook_project(uid, project, Callbacks::address_of(&hook.mark)).await,
    }
}

fn judge(hook: &Claimed, answer: Result<(), bkci::Error>, now: Timestamp) -> Step {
    let again = hook.failed + 1 < TRIES;
    let later = |wait: Duration| Step::Later(now.plus(wait));
    match answer {
        Ok(()) => Step::Done,
        Err(bkci::Error::NotSent { .. } | bkci::Error::Unanswered { .. } | bkci::Error::Unreadable { .. }) if again => {
            later(back_off(hook.failed))
        }
        Err(bkci::Error::Rejected(rejection)) if rejection.http == 429 && again => {
            later(rejection.retry_after_s.map_or_else(|| back_off(hook.failed), Duration::from_secs))
        }
        Err(bkci::Error::NotSent { .. }) => Step::Refused(Failure::Unreachable),
        Err(bkci::Error::Unanswered { said, .. }) => Step::Refused(Failure::Unanswered { said }),
        Err(bkci::Error::Unreadable { hint }) => Step::Refused(Failure::Unreadable { hint }),
        Err(bkci::Error::Rejected(rejection)) => Step::Refused(Failure::Rejected(rejection)),
        Err(bkci::Error::Misconfigured { hint, said }) => Step::Refused(Failure::Misconfigured { hint, said }),
    }
}

fn tell(hook: &Claimed, step: &Step) {
    let (id, wanted) = (&hook.id, hook.wanted);
    match (step, wanted) {
        (Step::Done, true) => tracing::info!(hook = id, "BK-CI tells by itself"),
        (Step::Done, false) => tracing::info!(hook = id, "BK-CI does not tell by itself any more"),
        (Step::Refused(why), true) => tracing::warn!(hook = id, ?why, "BK-CI does not tell by itself; it is polled"),
        (Step::Refused(why), false) => {
            tracing::warn!(hook = id, ?why, "a callback could not be removed; it may still be there, and does no harm");
        }
        (Step::Later(_), _) => tracing::warn!(hook = id, wanted, "BK-CI did not answer about a callback; asked again"),
    }
}

fn back_off(failed: u32) -> Duration {
    BACK_OFF_FROM.saturating_mul(1 << failed.min(16)).min(BACK_OFF_TO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_half_an_hour() {
        let waits: Vec<u64> = (0..TRIES).map(|failed| back_off(failed).as_secs()).collect();
        assert_eq!(waits[..4], [5, 10, 20, 40]);
        assert_eq!(waits.last(), Some(&1800));
        assert!((10..14).contains(&(waits.iter().sum::<u64>() / 3600)), "about half a day: {waits:?}");
    }
}
