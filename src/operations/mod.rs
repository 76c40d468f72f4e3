//! Carries intentions out at BK-CI, each at most once, and finds out what became of those whose answer was lost.
//!
//! The row says *sending* before a call goes out. From then on the call may have happened, so it is never repeated:
//! the build is read instead, until it shows what became of it or the time for that is over (house 4.6).

mod retry;
mod stop;

pub mod hooks;

use std::time::Duration;

use crate::app::App;
use crate::bkci;
use crate::model::{Rejection, Timestamp};
use crate::store::deliveries::Claimed as Delivery;
use crate::store::operations::{Claimed, Deed, Said, State, Step};

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
            let said = match &operation.deed {
                Deed::Retry(_) => retry::given_up(),
                Deed::Stop(_) => stop::given_up(),
            };
            conclude(app, &operation, ended(State::NotSent, said)).await?
        }
        State::Intended => {
            if !app.store.mark_sending(&operation, now).await? {
                return Ok(true);
            }
            operation.state = State::Sending;
            operation.sent = Some(now);
            carry_out(app, &operation).await?
        }
        State::Sending | State::Unconfirmed => match &operation.deed {
            Deed::Retry(wish) => retry::look(app, &operation, wish).await?,
            Deed::Stop(wish) => stop::look(app, &operation, wish).await?,
        },
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
    match &operation.deed {
        Deed::Retry(wish) => retry::carry_out(app, operation, wish).await,
        Deed::Stop(wish) => stop::carry_out(app, operation, wish).await,
    }
}

/// Waits for BK-CI's answer to a call. When that takes long, the person is told that it was sent.
async fn answered<T>(
    app: &App,
    operation: &Claimed,
    sent: Said,
    call: impl Future<Output = Result<T, bkci::Error>>,
) -> anyhow::Result<Result<T, bkci::Error>> {
    tokio::pin!(call);
    tokio::select! {
        answer = &mut call => return Ok(answer),
        () = app.clock.until(operation.asked.plus(INTERIM)) => {}
    }
    app.store.report(operation, &sent, app.clock.now()).await?;
    app.wake.outbox.notify_one();
    Ok(call.await)
}

/// What an answer comes to that is no consent.
enum Refused {
    /// Nothing happened.
    Rejected(Rejection),
    /// Nothing happened, since the program is not set up rightly.
    Misconfigured {
        /// What the operator should look at.
        hint: String,
        /// The code that came with it.
        said: Option<Rejection>,
    },
    /// It was not sent, and can be.
    Unreachable,
    /// It may have happened.
    Lost,
}

impl Refused {
    fn read(operation: &Claimed, error: bkci::Error) -> Self {
        let operation = &operation.id;
        match error {
            bkci::Error::Rejected(rejection) => Self::Rejected(rejection),
            bkci::Error::Misconfigured { hint, said } => {
                tracing::error!(operation, hint, "BK-CI does not accept how this bot is set up");
                Self::Misconfigured { hint, said }
            }
            bkci::Error::NotSent { hint } => {
                tracing::warn!(operation, hint, "BK-CI could not be reached");
                Self::Unreachable
            }
            bkci::Error::Unanswered { hint, .. } | bkci::Error::Unreadable { hint } => {
                tracing::warn!(operation, hint, "BK-CI's answer was lost; looking at the build instead");
                Self::Lost
            }
        }
    }

    /// How the operation goes on, with what `said` makes of it.
    fn step(self, now: Timestamp, said: impl FnOnce(Self) -> Said) -> Step {
        let (state, due) = match &self {
            Self::Rejected(_) | Self::Misconfigured { .. } => (State::Rejected, None),
            Self::Unreachable => (State::Intended, Some(now.plus(TRY_EVERY))),
            Self::Lost => (State::Sending, Some(now)),
        };
        Step { state, said: Some(said(self)), due }
    }
}

async fn conclude(app: &App, operation: &Claimed, step: Step) -> anyhow::Result<Option<Delivery>> {
    if let Some(said) = &step.said {
        let build = &operation.deed.about().build;
        tracing::info!(operation = operation.id, %build, outcome = said.name(), "how it stands");
        app.metrics.operation(said.name());
    }
    let delivery = app.store.conclude(operation, &step, app.clock.now()).await?;
    app.wake.operations.notify_one();
    // A notice of the channel may show more than the answer.
    app.wake.outbox.notify_one();
    Ok(delivery)
}

fn ended(state: State, said: Said) -> Step {
    Step { state, said: Some(said), due: None }
}

/// How an operation goes on of which nothing is to be seen; after a while that is what is said.
fn unanswered_for(operation: &Claimed, now: Timestamp, unconfirmed: impl FnOnce(u64) -> Said) -> Step {
    let waited = now.since(operation.sent.unwrap_or(operation.asked));
    let later = now.plus(LATE_LOOK_EVERY);
    match operation.state {
        State::Sending if waited < LOOK_FOR => {
            Step { state: State::Sending, said: None, due: Some(now.plus(LOOK_EVERY)) }
        }
        State::Sending => {
            Step { state: State::Unconfirmed, said: Some(unconfirmed(waited.as_secs())), due: Some(later) }
        }
        state => {
            let due = (waited < LATE_LOOKS_FOR).then_some(later);
            Step { state, said: None, due }
        }
    }
}
