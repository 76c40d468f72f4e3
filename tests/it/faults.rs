//! BK-CI refuses, keeps silent, or lies: what the person hears is true, and nothing is sent twice.

use sandbox::bkci::{BuildPlan, Endpoint, Fault, Right, Trigger, Webhook, Wish, Wrong};

use crate::support::{World, stories_on_each_family};

stories_on_each_family![
    an_answer_lost_after_bkci_acted_is_found_out,
    an_answer_lost_before_bkci_acted_ends_unconfirmed,
    bkci_slow_to_answer_shows_within_five_seconds_and_is_corrected,
    bkci_down_is_tried_for_a_while_and_then_given_up,
    somebody_on_the_web_was_first,
    a_webhook_builds_starter_is_no_witness,
    strange_answers_to_the_retry_are_looked_into,
    strange_answers_to_the_read_do_nothing,
    refusals_of_the_gateway_are_told_apart,
    calls_of_bkci_are_counted_by_how_they_end,
];

fn typed(world: &World, build: &str) -> anyhow::Result<u64> {
    world.discord.type_command(world.retry(world.dev, build)).map_err(|refused| anyhow::anyhow!("{refused:?}"))
}

fn says(world: &World, interaction: u64, part: &str) -> Option<()> {
    let answer = world.discord.answer(interaction)?;
    answer.text().contains(part).then_some(())
}

async fn an_answer_lost_after_bkci_acted_is_found_out(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    world.bkci.order(Endpoint::Retry, Fault::lose_answer());
    let interaction = typed(world, &build)?;
    world.pass_until("the truth", |world| says(world, interaction, "the build shows the new attempt")).await;
    assert_eq!(world.bkci.requests_of(Endpoint::Retry).len(), 1);
    Ok(())
}

async fn an_answer_lost_before_bkci_acted_ends_unconfirmed(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    world.bkci.order(Endpoint::Retry, Fault::lose_request());
    let interaction = typed(world, &build)?;
    world.pass_until("an interim text", |world| says(world, interaction, "has not answered yet")).await;
    world.pass_until("an end", |world| says(world, interaction, "Unknown whether")).await;
    assert_eq!(world.bkci.requests_of(Endpoint::Retry).len(), 1);
    assert!(world.bkci.accepted_retries(&build).is_empty());
    // Unconfirmed makes room for another try, and the first answer is then corrected.
    let second = typed(world, &build)?;
    world.answer(second, &build).await;
    world.pass(std::time::Duration::from_secs(301));
    world.pass_until("the correction", |world| says(world, interaction, "a later retry was")).await;
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    Ok(())
}

async fn bkci_slow_to_answer_shows_within_five_seconds_and_is_corrected(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let held = world.bkci.order(Endpoint::Retry, Fault::hold_answer());
    let interaction = typed(world, &build)?;
    world.pass_until("an interim text", |world| says(world, interaction, "has not answered yet")).await;
    held.release();
    world.answer(interaction, "Retry accepted").await;
    let answer = world.discord.answer(interaction).expect("an answer");
    assert_eq!(world.discord.messages(world.channel, world.dev).len(), 1, "the same message was edited");
    assert!(!answer.edits.is_empty());
    Ok(())
}

async fn bkci_down_is_tried_for_a_while_and_then_given_up(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    // Up for the read, down before the retry arrives.
    let held = world.discord.messages(world.channel, world.dev).len();
    assert_eq!(held, 0);
    world.bkci.down().await?;
    let interaction = typed(world, &build)?;
    world.answer(interaction, "cannot be reached").await;
    world.bkci.up().await?;
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    Ok(())
}

async fn somebody_on_the_web_was_first(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.bkci.permit("eve", "demo", &world.pipeline, &[Right::View, Right::Execute]);
    world.start().await?;
    world.bkci.order(Endpoint::Retry, Fault::lose_request());
    let interaction = typed(world, &build)?;
    world.pass_until("an interim text", |world| says(world, interaction, "has not answered yet")).await;
    world.bkci.retry_on_the_web("eve", &build, Wish::default()).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    world.pass_until("who was first", |world| says(world, interaction, "eve")).await;
    Ok(())
}

async fn a_webhook_builds_starter_is_no_witness(world: &mut World) -> anyhow::Result<()> {
    let webhook = Trigger::Webhook(Webhook::push("dev.uid", "main", "abc123", "fix"));
    let build = world.bkci.add_build(BuildPlan::failing(&world.pipeline).by(webhook));
    world.start().await?;
    world.bkci.order(Endpoint::Retry, Fault::lose_answer());
    let interaction = typed(world, &build)?;
    world.pass_until("that it cannot be told", |world| says(world, interaction, "does not tell")).await;
    Ok(())
}

async fn strange_answers_to_the_retry_are_looked_into(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for wrong in [
        Wrong::Reset,
        Wrong::RequestTimeout,
        Wrong::ServerError,
        Wrong::Unparsable,
        Wrong::Gateway(1_650_200),
        Wrong::GatewayAs200(1_650_401),
        Wrong::NginxBadGateway,
        Wrong::Html200,
        Wrong::Empty200,
        Wrong::Truncated,
        Wrong::FORTY_MEGABYTES,
    ] {
        let build = world.failing_build();
        world.bkci.order(Endpoint::Retry, Fault::answer(wrong.clone()).after_acting());
        let interaction = typed(world, &build)?;
        let seen = |world: &World| says(world, interaction, "the build shows the new attempt");
        world.pass_until(&format!("the truth after {wrong:?}"), seen).await;
        assert_eq!(world.bkci.accepted_retries(&build).len(), 1, "{wrong:?}");
    }
    Ok(())
}

async fn strange_answers_to_the_read_do_nothing(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    for (wrong, part) in [
        (Wrong::Reset, "does not answer"),
        (Wrong::ServerError, "a fault of its own"),
        (Wrong::NginxBadGateway, "does not reach BK-CI"),
        (Wrong::Html200, "not JSON"),
        (Wrong::Empty200, "Tell an administrator"),
        (Wrong::Truncated, "Tell an administrator"),
        (Wrong::FORTY_MEGABYTES, "Tell an administrator"),
        (Wrong::Redirect { to: "http://127.0.0.1:1/login?secret=1".into() }, "redirect"),
        (Wrong::PlainForbidden, "403"),
        (Wrong::RateLimited { reset_s: 17 }, "17 s"),
        (Wrong::Gateway(1_640_001), "app_secret"),
    ] {
        world.bkci.order(Endpoint::Detail, Fault::answer(wrong.clone()));
        let interaction = typed(world, &build)?;
        let text = world.answer(interaction, "").await.text();
        assert!(text.contains(part) && !text.contains("login"), "{wrong:?}: {text}");
    }
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    Ok(())
}

async fn refusals_of_the_gateway_are_told_apart(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.forgive("BK-CI does not accept how this bot is set up");
    world.start().await?;
    for (wrong, part) in [
        (Wrong::RateLimited { reset_s: 9 }, "9 s"),
        (Wrong::Gateway(1_640_001), "bkci.app_secret"),
        (Wrong::Gateway(1_640_301), "bkci.app_code"),
        (Wrong::Redirect { to: "http://127.0.0.1:1/login?secret=1".into() }, "redirect"),
        (Wrong::PlainForbidden, "403"),
        (Wrong::Refusal(2_101_049), "2101049"),
    ] {
        world.bkci.order(Endpoint::Retry, Fault::answer(wrong.clone()));
        let interaction = typed(world, &build)?;
        let text = world.answer(interaction, part).await.text();
        assert!(text.contains("Not retried") && !text.contains("login"), "{wrong:?}: {text}");
    }
    assert!(world.bkci.accepted_retries(&build).is_empty());
    Ok(())
}

async fn calls_of_bkci_are_counted_by_how_they_end(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    world.bkci.order(Endpoint::Detail, Fault::answer(Wrong::Html200));
    world.ask(world.retry(world.dev, &build)).await?;
    world.bkci.order(Endpoint::Retry, Fault::answer(Wrong::Refusal(2_101_049)));
    world.ask(world.retry(world.dev, &build)).await?;
    world.answer(typed(world, &build)?, "Retry accepted").await;
    let (_, metrics) = world.get("/metrics").await?;
    let counted = |name: &str| {
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        let mut counted: Vec<&str> = lines.filter_map(|line| line.strip_prefix(name)).collect();
        counted.sort_unstable();
        counted.join("\n")
    };
    let expected = [
        r#"{endpoint="detail",outcome="ok"} 2"#,
        r#"{endpoint="detail",outcome="unreadable"} 1"#,
        r#"{endpoint="retry",outcome="ok"} 1"#,
        r#"{endpoint="retry",outcome="rejected"} 1"#,
    ];
    assert_eq!(counted("reprise_bkci_requests_total"), expected.join("\n"));
    assert_eq!(counted("reprise_bkci_request_duration_seconds_count"), expected.join("\n"));
    assert!(!metrics.contains(&build) && !metrics.contains("dev.uid"), "{metrics}");
    Ok(())
}
