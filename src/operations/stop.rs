//! Stops: sent once. A second one within 60 s is refused, and a later one ends the build by force (bkci-api 8), so a lost
//! answer is never made up for by another call: the build is read until it says who stopped it, or has ended.

use super::{Refused, answered, conclude, ended, unanswered_for};
use crate::app::App;
use crate::model::build::Build;
use crate::reply::StopOutcome;
use crate::store::deliveries::Claimed as Delivery;
use crate::store::operations::{Claimed, Said, State, StopWish};

pub(super) async fn carry_out(app: &App, operation: &Claimed, wish: &StopWish) -> anyhow::Result<Option<Delivery>> {
    let call = app.bkci.stop(&wish.as_user, &wish.about.build);
    let step = match answered(app, operation, Said::Stop(StopOutcome::Sent), call).await? {
        Ok(()) => ended(State::Accepted, accepted(wish, false)),
        Err(error) => Refused::read(operation, error).step(app.clock.now(), said),
    };
    conclude(app, operation, step).await
}

/// An intention that never reached BK-CI.
pub(super) fn given_up() -> Said {
    Said::Stop(StopOutcome::NotSent)
}

fn accepted(wish: &StopWish, seen_later: bool) -> Said {
    Said::Stop(StopOutcome::Accepted { attempt: wish.attempt, forced: wish.earlier > 0, seen_later })
}

fn said(refused: Refused) -> Said {
    Said::Stop(match refused {
        Refused::Rejected(rejection) => StopOutcome::Rejected(rejection),
        Refused::Misconfigured { hint, said } => StopOutcome::Misconfigured { hint, said },
        Refused::Unreachable => StopOutcome::Unreachable,
        Refused::Lost => StopOutcome::Sent,
    })
}

/// Looks at the build of a stop whose answer was lost.
pub(super) async fn look(app: &App, operation: &Claimed, wish: &StopWish) -> anyhow::Result<Option<Delivery>> {
    let read = app.bkci.build_detail(&wish.as_user, &wish.about.build).await;
    let now = app.clock.now();
    let readable = read.is_ok();
    let verdict = read.map_or_else(
        |error| {
            tracing::warn!(operation = operation.id, %error, "the build cannot be read");
            Verdict::NotYet
        },
        |build| judge(wish, &build),
    );
    let step = match verdict {
        // A goal is reached once: this row made room for the later wish when nothing was to be seen of it.
        Verdict::Ours if operation.state == State::Unconfirmed && app.store.superseded(operation).await? => {
            ended(State::Overtaken, Said::Stop(StopOutcome::Superseded))
        }
        Verdict::Ours => ended(State::Accepted, accepted(wish, true)),
        Verdict::Over(outcome) => ended(State::Overtaken, Said::Stop(outcome)),
        Verdict::NotYet => unanswered_for(operation, now, |looked_for_s| {
            Said::Stop(StopOutcome::Unconfirmed { looked_for_s, readable })
        }),
    };
    conclude(app, operation, step).await
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It runs, and nothing says that anybody stopped it.
    NotYet,
    /// The UID that we asked as has stopped it.
    Ours,
    /// There is nothing left to stop.
    Over(StopOutcome),
}

/// The witness is who stopped the build, as it says itself (`cancelUserId`, bkci-api 7.2).
fn judge(wish: &StopWish, build: &Build) -> Verdict {
    if build.execute_count != wish.attempt {
        return Verdict::Over(StopOutcome::Moved { attempt: build.execute_count });
    }
    let by = build.canceled_by.as_ref();
    if by.is_some_and(|by| by == wish.as_user.as_str()) && by != wish.canceled_before.as_ref() {
        return Verdict::Ours;
    }
    if !build.is_finished() {
        return Verdict::NotYet;
    }
    Verdict::Over(StopOutcome::Ended { status: build.status, by: by.cloned() })
}
