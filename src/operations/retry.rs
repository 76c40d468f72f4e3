//! Retries: sent once; a lost answer is found out by the attempt that the build shows, and by who started it.

use super::{Refused, answered, conclude, ended, unanswered_for};
use crate::app::App;
use crate::model::build::{Build, failed_or_canceled};
use crate::model::scope::Scope;
use crate::reply::Outcome;
use crate::store::deliveries::Claimed as Delivery;
use crate::store::operations::{Claimed, Said, State, Wish};

pub(super) async fn carry_out(app: &App, operation: &Claimed, wish: &Wish) -> anyhow::Result<Option<Delivery>> {
    let Some(scope) = &wish.about.scope else {
        anyhow::bail!("{} has no settled scope", operation.id);
    };
    let call = app.bkci.retry(&wish.as_user, &wish.about.build, scope);
    let answer = answered(app, operation, Said::Retry(Outcome::Sent), call).await?;
    let step = match answer {
        Ok(retried) => {
            let (build_id, attempt) = (retried.build_id, retried.execute_count);
            ended(State::Accepted, Said::Retry(Outcome::Accepted { build_id, attempt, seen_later: false }))
        }
        Err(error) => Refused::read(operation, error).step(app.clock.now(), said),
    };
    conclude(app, operation, step).await
}

/// An intention that never reached BK-CI.
pub(super) fn given_up() -> Said {
    Said::Retry(Outcome::NotSent)
}

fn said(refused: Refused) -> Said {
    Said::Retry(match refused {
        Refused::Rejected(rejection) => Outcome::Rejected(rejection),
        Refused::Misconfigured { hint, said } => Outcome::Misconfigured { hint, said },
        Refused::Unreachable => Outcome::Unreachable,
        Refused::Lost => Outcome::Sent,
    })
}

/// Looks at the build of a retry whose answer was lost.
pub(super) async fn look(app: &App, operation: &Claimed, wish: &Wish) -> anyhow::Result<Option<Delivery>> {
    let read = app.bkci.build_detail(&wish.as_user, &wish.about.build).await;
    let now = app.clock.now();
    let verdict = match &read {
        Ok(build) => judge(wish, build),
        Err(error) => {
            tracing::warn!(operation = operation.id, %error, "the build cannot be read");
            Verdict::NotYet
        }
    };
    let ended = |state, outcome| ended(state, Said::Retry(outcome));
    let step = match verdict {
        Verdict::Ours { attempt }
            if operation.state == State::Unconfirmed && app.store.superseded(operation).await? =>
        {
            tracing::info!(operation = operation.id, attempt, "a later wish was carried out instead");
            ended(State::Overtaken, Outcome::Superseded)
        }
        Verdict::Ours { attempt } => {
            let build_id = wish.about.build.build.to_string();
            ended(State::Accepted, Outcome::Accepted { build_id, attempt: Some(attempt), seen_later: true })
        }
        Verdict::Theirs { by, attempt } => ended(State::Overtaken, Outcome::Overtaken { by, attempt }),
        Verdict::Unclear { attempt } => ended(State::Overtaken, Outcome::CannotTell { attempt }),
        Verdict::Moved if operation.state == State::Unconfirmed && app.store.superseded(operation).await? => {
            ended(State::Overtaken, Outcome::Superseded)
        }
        Verdict::Moved => ended(State::Overtaken, Outcome::CannotTellTask),
        Verdict::NotYet => unanswered_for(operation, now, |looked_for_s| {
            Said::Retry(Outcome::Unconfirmed { looked_for_s, readable: read.is_ok() })
        }),
    };
    conclude(app, operation, step).await
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// No new attempt.
    NotYet,
    /// The next attempt is the one we asked for.
    Ours { attempt: u32 },
    /// Somebody else started the next attempt.
    Theirs { by: String, attempt: u32 },
    /// There is a next attempt, and nothing says whose.
    Unclear { attempt: u32 },
    /// In the same attempt the task is not as it was, and nothing says who did that.
    Moved,
}

fn judge(wish: &Wish, build: &Build) -> Verdict {
    match (wish.starts_before, &wish.about.scope) {
        (Some(before), Some(scope)) => judge_running(wish, build, (scope, before)),
        (Some(_) | None, _) => judge_ended(wish, build),
    }
}

/// A retry in a build that runs adds no entry to `recordList` and no attempt: the witness is the task itself, its state
/// and how often it was started by hand (bkci-api 6.4, 7.2).
fn judge_running(wish: &Wish, build: &Build, (scope, before): (&Scope, u32)) -> Verdict {
    if build.execute_count > wish.count_before {
        // The build had ended before the call arrived, or was retried since.
        return match judge_ended(wish, build) {
            Verdict::Theirs { attempt, .. } => Verdict::Unclear { attempt },
            verdict => verdict,
        };
    }
    let Some((job, task)) = scope.first_task(build) else { return Verdict::NotYet };
    let started = task.is_some_and(|task| task.starts_by_hand > before);
    let of_task = task.filter(|_| !matches!(scope, Scope::Child(_)));
    let status = of_task.map_or(job.status, |task| task.status);
    if started || !failed_or_canceled(status) { Verdict::Moved } else { Verdict::NotYet }
}

/// The witness is who started the attempt after the one we knew (`recordList`, bkci-api 7.2).
fn judge_ended(wish: &Wish, build: &Build) -> Verdict {
    if build.execute_count <= wish.count_before {
        return Verdict::NotYet;
    }
    let attempt = wish.count_before + 1;
    // A whole-build retry of a build that a code event started keeps that event's user (bkci-api 6.5): no witness.
    let whole = wish.about.scope.as_ref().is_none_or(|scope| scope.is_whole_build());
    let witness = if wish.from_webhook && whole { None } else { build.starter(attempt) };
    match witness {
        Some(by) if by == wish.as_user.as_str() => Verdict::Ours { attempt },
        Some(by) => Verdict::Theirs { by: by.to_owned(), attempt },
        None => Verdict::Unclear { attempt },
    }
}
