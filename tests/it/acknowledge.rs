//! Discord's three seconds: the first response is slow, lost or refused, and still there is at most one, and never an
//! answer that is not true.

use sandbox::discord::{Fault, Gate};
use serde_json::json;

use crate::support::{World, stories};

const CALLBACK: &str = "/interactions/{interaction_id}/{interaction_token}/callback";
const ANSWER: &str = "/webhooks/{webhook_id}/{webhook_token}/messages/@original";

stories![
    a_lost_acknowledgement_or_a_lost_answer_to_it_is_asked_for_again,
    a_slow_acknowledgement_is_asked_for_again_and_counts_once,
    what_discord_no_longer_knows_does_nothing,
    what_somebody_else_has_acknowledged_is_theirs,
    an_acknowledgement_that_nobody_knows_of_does_nothing_and_says_so,
    a_message_of_a_shape_to_come_has_arrived_all_the_same,
];

fn requests(world: &World, route: &str) -> usize {
    world.discord.requests().iter().filter(|request| request.route == route).count()
}

async fn a_lost_acknowledgement_or_a_lost_answer_to_it_is_asked_for_again(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let on = || Fault::on("POST", CALLBACK);
    for fault in [on().lose_request(), on().lose_answer(), on().html_502(), on().status(503)] {
        let build = world.failing_build();
        let before = requests(world, CALLBACK);
        world.discord.order(fault.clone());
        let interaction = world.send(world.retry(world.dev, &build))?;
        world.answer(interaction, "Retry accepted").await;
        let seen = world.discord.interaction(interaction).expect("an interaction");
        let took_ms = seen.acknowledged.expect("acknowledged").at_ms - seen.created_ms;
        assert!(took_ms < 3_000 && seen.failed.is_none(), "{fault:?}: {took_ms} ms");
        assert!(requests(world, CALLBACK) - before >= 2, "{fault:?}");
        assert_eq!(world.bkci.accepted_retries(&build).len(), 1, "{fault:?}");
    }
    Ok(())
}

async fn a_slow_acknowledgement_is_asked_for_again_and_counts_once(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let gate = Gate::default();
    world.discord.order(Fault::on("POST", CALLBACK).hold_request(&gate));
    let interaction = world.send(world.retry(world.dev, &build))?;
    let answer = world.answer(interaction, "Retry accepted").await;
    gate.open();
    // The one that was held is refused by Discord, and nothing comes of it.
    let refused = |discord: &sandbox::discord::Discord| {
        discord.requests().iter().find(|request| request.route == CALLBACK).and_then(|request| request.status)
    };
    assert_eq!(world.discord.wait_for("the late one", refused).await, 400);
    world.stop().await?;
    assert_eq!(world.discord.answer(interaction), Some(answer));
    assert_eq!(world.discord.messages(world.channel, world.dev).len(), 1);
    Ok(())
}

async fn what_discord_no_longer_knows_does_nothing(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let unknown = json!({"message": "Unknown interaction", "code": 10062});
    world.discord.order(Fault::on("POST", CALLBACK).json(404, &unknown));
    world.send(world.retry(world.dev, &build))?;
    world.logs.wait_for("nothing was done").await;
    world.settled().await?;
    world.stop().await?;
    assert_eq!((requests(world, CALLBACK), requests(world, ANSWER)), (1, 0));
    assert!(world.bkci.accepted_retries(&build).is_empty());
    Ok(())
}

async fn what_somebody_else_has_acknowledged_is_theirs(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let theirs = json!({"message": "Interaction has already been acknowledged.", "code": 40060});
    world.discord.order(Fault::on("POST", CALLBACK).json(400, &theirs));
    world.send(world.retry(world.dev, &build))?;
    world.logs.wait_for("acknowledged already").await;
    world.settled().await?;
    world.stop().await?;
    assert_eq!(requests(world, ANSWER), 0, "their answer is not touched");
    assert!(world.bkci.accepted_retries(&build).is_empty());
    Ok(())
}

async fn an_acknowledgement_that_nobody_knows_of_does_nothing_and_says_so(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    world.discord.order(Fault::on("POST", CALLBACK).times(u32::MAX).lose_answer());
    let interaction = world.send(world.retry(world.dev, &build))?;
    world.answer(interaction, "Nothing was done").await;
    world.discord.clear_faults();
    assert!(world.bkci.accepted_retries(&build).is_empty());
    Ok(())
}

async fn a_message_of_a_shape_to_come_has_arrived_all_the_same(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let strange = |message: &mut serde_json::Value| {
        message["type"] = json!("announcement");
        message["components"] = json!([{"type": 17, "components": {"later": true}}]);
        message["author"] = json!(null);
    };
    world.discord.order(Fault::on("PATCH", ANSWER).times(u32::MAX).alter_answer(strange));
    let interaction = world.send(world.retry(world.dev, &build))?;
    world.answer(interaction, "Retry accepted").await;
    world.settled().await?;
    world.discord.clear_faults();
    assert_eq!(requests(world, ANSWER), 1, "said once");
    Ok(())
}
