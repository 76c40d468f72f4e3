//! Carries intentions out at BK-CI, each at most once, and finds out what became of those whose answer was lost.
//!
//! The row says *sending* before a call goes out. From then on the call may have happened, so it is never repeated:
//! the build is read instead, until it shows a new attempt or the time for that is over (house 4.6).

use std::time::Duration;

use crate::app::App;
use crate::bkci;
use crate::model::Timestamp;
use crate::model::build::{Build, failed_or_canceled};
use crate::model::scope::Scope;
use crate::reply::Outcome;
use crate::store::deliveries::Claimed as Delivery;
use crate::store::operations::{Claimed, State, Step, Wish};

/// After this long without an answer the person is told so (contract 5: within 5 s).
const INTERIM: Duration = Duration::from_millis(3_500);

/// How long a call that surely did not reach BK-CI is tried again (house 4.6).
const TRY_FOR: Duration = Duration::from_secs(30);

/// Between two such tries.
const TRY_EVERY: Duration = Duration::from_secs(3);

/// How long BK-CI may still apply a call that was lost: its gateway gives up after 30 s, its services after 15 s each
/// (bkci-api 14).
const LOOK_FOR: Duration = Duration::from_secs(75);

/// Between two looks while the person waits.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Between two looks later on.
const LATE_LOOK_EVERY: Duration = Duration::from_mins(5);

/// After this the last word stands.
const LATE_LOOKS_FOR: Duration = Duration::from_hours(24);

/// Takes one operation that was left behind or is due. `false`: there was none.
///
/// # Errors
/// The store failed; the operation is found again when its lease ends.
pub async fn step(app: &App) -> anyhow::Result<bool> {
    let now = app.clock.now();
    let Some(mut operation) = app.store.claim_operation(now, app.operation_lease()).await? else {
        return Ok(false);
    };
    let delivery = match operation.state {
        State::Intended if now.since(operation.asked) > TRY_FOR => {
            conclude(app, &operation, ended(State::NotSent, Outcome::NotSent)).await?
        }
        State::Intended => {
            if !app.store.mark_sending(&operation, now).await? {
                return Ok(true);
            }
            operation.state = State::Sending;
            operation.sent = Some(now);
            carry_out(app, &operation).await?
        }
        State::Sending | State::Unconfirmed => look(app, &operation).await?,
        State::Accepted | State::Rejected | State::NotSent | State::Overtaken => None,
    };
    if let Some(delivery) = delivery {
        // The worker that speaks is another one: leave the row to it.
        app.store.postpone(&delivery, now, "").await?;
        app.wake.outbox.notify_one();
    }
    Ok(true)
}

/// Sends an operation that the caller holds and that is marked as sending. The answer to give comes back claimed.
///
/// # Errors
/// The store failed; the operation is found as *sending* when its lease ends, and only looked at.
pub async fn carry_out(app: &App, operation: &Claimed) -> anyhow::Result<Option<Delivery>> {
    let wish = &operation.wish;
    let Some(scope) = &wish.about.scope else {
        anyhow::bail!("{} has no settled scope", operation.id);
    };
    let call = app.bkci.retry(&wish.as_user, &wish.about.build, scope);
    tokio::pin!(call);
    let answer = tokio::select! {
        answer = &mut call => answer,
        () = app.clock.until(operation.asked.plus(INTERIM)) => {
            app.store.report(operation, Outcome::Sent, app.clock.now()).await?;
            app.wake.outbox.notify_one();
            call.await
        }
    };
    let now = app.clock.now();
    let step = match answer {
        Ok(retried) => ended(
            State::Accepted,
            Outcome::Accepted { build_id: retried.build_id, attempt: retried.execute_count, seen_later: false },
        ),
        Err(bkci::Error::Rejected(rejection)) => ended(State::Rejected, Outcome::Rejected(rejection)),
        Err(bkci::Error::Misconfigured { hint, said }) => {
            tracing::error!(operation = operation.id, hint, "BK-CI does not accept how this bot is set up");
            ended(State::Rejected, Outcome::Misconfigured { hint, said })
        }
        Err(bkci::Error::NotSent { hint }) => {
            tracing::warn!(operation = operation.id, hint, "BK-CI could not be reached");
            Step { state: State::Intended, outcome: Some(Outcome::Unreachable), due: Some(now.plus(TRY_EVERY)) }
        }
        Err(bkci::Error::Unanswered { hint, .. } | bkci::Error::Unreadable { hint }) => {
            tracing::warn!(operation = operation.id, hint, "BK-CI's answer was lost; looking at the build instead");
            Step { state: State::Sending, outcome: Some(Outcome::Sent), due: Some(now) }
        }
    };
    if let (State::Accepted | State::Rejected, Some(outcome)) = (step.state, &step.outcome) {
        tracing::info!(operation = operation.id, build = %wish.about.build, outcome = outcome.name(), "BK-CI answered");
    }
    app.wake.operations.notify_one();
    conclude(app, operation, step).await
}

/// Looks at the build of an operation whose answer was lost.
async fn look(app: &App, operation: &Claimed) -> anyhow::Result<Option<Delivery>> {
    let wish = &operation.wish;
    let read = app.bkci.build_detail(&wish.as_user, &wish.about.build).await;
    let now = app.clock.now();
    let verdict = match &read {
        Ok(build) => judge(operation, build),
        Err(error) => {
            tracing::warn!(operation = operation.id, %error, "the build cannot be read");
            Verdict::NotYet
        }
    };
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
        Verdict::NotYet => wait(operation, read.is_ok(), now),
    };
    if let Some(outcome) = &step.outcome {
        tracing::info!(operation = operation.id, outcome = outcome.name(), "looked at the build");
    }
    conclude(app, operation, step).await
}

async fn conclude(app: &App, operation: &Claimed, step: Step) -> anyhow::Result<Option<Delivery>> {
    if let Some(outcome) = &step.outcome {
        app.metrics.operation(outcome.name());
    }
    app.store.conclude(operation, &step, app.clock.now()).await
}

fn ended(state: State, outcome: Outcome) -> Step {
    Step { state, outcome: Some(outcome), due: None }
}

fn wait(operation: &Claimed, readable: bool, now: Timestamp) -> Step {
    let waited = now.since(operation.sent.unwrap_or(operation.asked));
    let later = now.plus(LATE_LOOK_EVERY);
    match operation.state {
        State::Sending if waited < LOOK_FOR => {
            Step { state: State::Sending, outcome: None, due: Some(now.plus(LOOK_EVERY)) }
        }
        State::Sending => {
            let outcome = Outcome::Unconfirmed { looked_for_s: waited.as_secs(), readable };
            Step { state: State::Unconfirmed, outcome: Some(outcome), due: Some(later) }
        }
        state => {
            let due = (waited < LATE_LOOKS_FOR).then_some(later);
            Step { state, outcome: None, due }
        }
    }
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

fn judge(operation: &Claimed, build: &Build) -> Verdict {
    let wish = &operation.wish;
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
