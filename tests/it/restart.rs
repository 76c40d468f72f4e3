//! A process dies anywhere: the next one goes on where the rows say, and nothing is sent twice.

use sandbox::bkci::{Endpoint, Fault};

use crate::support::{World, stories_on_each_family};

stories_on_each_family![
    killed_while_bkci_was_asked_the_truth_is_found_out,
    killed_while_the_build_was_read_it_is_decided_anew,
    killed_after_a_button_was_pressed_what_it_offered_is_done_once,
    told_to_stop_it_finishes_what_is_in_hand,
];

async fn killed_while_bkci_was_asked_the_truth_is_found_out(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    world.bkci.order(Endpoint::Retry, Fault::hold_answer());
    let typing = world.retry(world.dev, &build);
    let interaction = world.discord.type_command(typing).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    world.bkci.wait_for("the retry", |bkci| (!bkci.accepted_retries(&build).is_empty()).then_some(())).await;
    world.kill().await;
    world.start().await?;
    world
        .pass_until("the truth", |world| {
            let text = world.discord.answer(interaction)?.text();
            text.contains(&build).then_some(()).filter(|()| text.contains("Retry accepted"))
        })
        .await;
    assert_eq!(world.bkci.requests_of(Endpoint::Retry).len(), 1);
    Ok(())
}

async fn killed_while_the_build_was_read_it_is_decided_anew(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    world.bkci.order(Endpoint::Detail, Fault::hold_answer());
    let typing = world.retry(world.dev, &build);
    let interaction = world.discord.type_command(typing).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let acknowledged = |discord: &sandbox::discord::Discord| discord.interaction(interaction)?.acknowledged.map(|_| ());
    world.discord.wait_for("the acknowledgement", acknowledged).await;
    world.bkci.wait_for("the read", |bkci| (!bkci.requests_of(Endpoint::Detail).is_empty()).then_some(())).await;
    world.kill().await;
    world.start().await?;
    world
        .pass_until("the decision", |world| {
            world.discord.answer(interaction)?.text().contains("Retry accepted").then_some(())
        })
        .await;
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    Ok(())
}

async fn killed_after_a_button_was_pressed_what_it_offered_is_done_once(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let shown = world.ask(world.retry(world.dev, &build).option("preview", true)).await?;
    world.bkci.order(Endpoint::Detail, Fault::hold_answer());
    let run = format!("run:{}", shown.interaction.as_ref().expect("an answer").id);
    let pressed = world.discord.press(world.dev, shown.id, &run).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let acknowledged = |discord: &sandbox::discord::Discord| discord.interaction(pressed)?.acknowledged.map(|_| ());
    world.discord.wait_for("the acknowledgement", acknowledged).await;
    world.bkci.wait_for("the read", |bkci| (bkci.requests_of(Endpoint::Detail).len() == 2).then_some(())).await;
    world.kill().await;
    world.start().await?;
    let result = |world: &World| {
        let public = world.discord.messages(world.channel, world.stranger);
        public.iter().any(|message| message.text().contains("Retry accepted")).then_some(())
    };
    world.pass_until("the result in the channel", result).await;
    let closed =
        |world: &World| world.discord.message(shown.id).filter(|shown| shown.components.is_empty()).map(|_| ());
    world.pass_until("the preview is closed", closed).await;
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    Ok(())
}

async fn told_to_stop_it_finishes_what_is_in_hand(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let held = world.bkci.order(Endpoint::Retry, Fault::hold_request());
    let typing = world.retry(world.dev, &build);
    let interaction = world.discord.type_command(typing).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    world.bkci.wait_for("the retry", |bkci| (!bkci.requests_of(Endpoint::Retry).is_empty()).then_some(())).await;
    let (stopped, ()) = tokio::join!(world.stop(), async { held.release() });
    stopped?;
    assert!(world.discord.answer(interaction).expect("an answer").text().contains("Retry accepted"));
    Ok(())
}
