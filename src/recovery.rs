//! Decides what was left without a decision: a process died between a receipt and its decision.
//!
//! It is decided anew, since nothing was changed before a decision. What would be done is done only while the wish is
//! fresh; later the person is told that nothing was done, and asked again where a button can do that.

use crate::app::App;
use crate::commands::{self, Decision, Recorded};
use crate::reply::Reply;

/// Takes one receipt that was left. `false`: there was none.
///
/// # Errors
/// The store failed; the receipt is found again when its lease ends.
pub async fn step(app: &App) -> anyhow::Result<bool> {
    let now = app.clock.now();
    app.store.forget_tokens(now).await?;
    let Some(receipt) = app.store.claim_receipt(now).await? else {
        return Ok(false);
    };
    let age = now.since(receipt.received);
    tracing::warn!(interaction = %receipt.request.interaction, age_ms = age.as_millis(), "left without a decision");
    let opened = commands::open(app, &receipt.request).await?;
    // What was acknowledged as public must not show what would now be private.
    let decision = if opened.answer.is_private() && !receipt.private {
        Decision::Say(Reply::NothingDone)
    } else {
        opened.decide(app).await
    };
    match commands::record(app, &receipt, decision).await? {
        Recorded::Answer(delivery) => {
            app.store.postpone(&delivery, now, "").await?;
            app.wake.outbox.notify_one();
        }
        Recorded::Operation(operation) => {
            if let Some(delivery) = crate::operations::carry_out(app, &operation).await? {
                app.store.postpone(&delivery, now, "").await?;
                app.wake.outbox.notify_one();
            }
        }
        Recorded::Nothing => {}
    }
    Ok(true)
}
