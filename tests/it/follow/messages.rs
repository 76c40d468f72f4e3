//! Which message shows a build, by which token it is edited, and what happens when it or its channel is gone.

use std::time::Duration;

use sandbox::bkci::{Endpoint, Right};
use sandbox::discord::permissions::Target;
use sandbox::discord::{Message, RequestRecord, Typing};

use super::{LOOK, flaky, look_after, notice, notice_with, retry_on_the_web, shown};
use crate::support::{World, stories};

stories![
    past_the_interactions_time_the_same_message_is_edited_by_the_bots_own_token,
    what_a_private_preview_runs_is_shown_in_the_public_message,
];
stories!(in sqlite_alone Sqlite: where_the_bot_may_not_see_the_channel_it_gives_up_once_its_token_is_gone,
    an_answer_that_was_deleted_is_said_anew_once, a_watchs_notice_that_was_deleted_stays_deleted_and_a_retry_shows_anew,
    two_channels_have_one_message_each, a_channel_that_is_gone_is_given_up_and_told_once);

/// Longer than an interaction can be answered (discord-rules 2).
const TOKEN: Duration = Duration::from_secs(15 * 60);

/// `resources/message#edit-message`, by the bot's own token.
const EDIT: (&str, &str) = ("PATCH", "/channels/{channel_id}/messages/{message_id}");
const CREATE: (&str, &str) = ("POST", "/channels/{channel_id}/messages");

/// By an interaction's token.
const EDIT_ANSWER: (&str, &str) = ("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/@original");

fn sent(world: &World, (method, route): (&str, &str)) -> Vec<RequestRecord> {
    let of_it = |request: &RequestRecord| request.method == method && request.route == route;
    world.discord.requests().into_iter().filter(of_it).collect()
}

/// A build that waits for its tests when the interaction's time is over.
async fn until_the_token_is_gone(world: &World) -> anyhow::Result<()> {
    let build = flaky(world, 1);
    world.bkci.set_queue_time(TOKEN + Duration::from_secs(60));
    world.ask(world.retry(world.dev, &build)).await?;
    notice_with(world, "Queued: nightly").await;
    look_after(world, TOKEN).await
}

async fn past_the_interactions_time_the_same_message_is_edited_by_the_bots_own_token(
    world: &mut World,
) -> anyhow::Result<()> {
    world.start().await?;
    until_the_token_is_gone(world).await?;
    let (first, before) = (notice(world), sent(world, EDIT_ANSWER).len());
    assert!(before > 0 && sent(world, EDIT).is_empty());
    let ended = notice_with(world, "Recovered on attempt 2, retried by").await;
    world.settled().await?;
    assert_eq!(ended.id, first.id);
    let edits = sent(world, EDIT);
    assert!(!edits.is_empty() && edits.iter().all(|request| request.status == Some(200)), "{edits:?}");
    assert_eq!((sent(world, EDIT_ANSWER).len(), sent(world, CREATE).len()), (before, 0));
    Ok(())
}

async fn where_the_bot_may_not_see_the_channel_it_gives_up_once_its_token_is_gone(
    world: &mut World,
) -> anyhow::Result<()> {
    let view = 1 << 10;
    world.discord.overwrite(world.channel, Target::Member(world.discord.bot()), 0, view);
    world.start().await?;
    until_the_token_is_gone(world).await?;
    assert!(sent(world, EDIT).is_empty(), "by the interaction's token nobody needs to see the channel");
    world.pass_on("its end", |world| (!sent(world, CREATE).is_empty()).then_some(())).await;
    for _ in 0..20 {
        look_or_rest(world).await?;
    }
    let refused = |route| sent(world, route).iter().map(|request| request.status).collect::<Vec<_>>();
    assert_eq!((refused(EDIT), refused(CREATE)), (vec![Some(403)], vec![Some(403)]), "house 4.8, and no more");
    assert_eq!(world.logs.text().matches("cannot be said").count(), 1);
    Ok(())
}

/// Lets time pass; the bot looks if it still follows anything.
async fn look_or_rest(world: &World) -> anyhow::Result<()> {
    world.pass(LOOK);
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    world.settled().await
}

async fn an_answer_that_was_deleted_is_said_anew_once(world: &mut World) -> anyhow::Result<()> {
    let build = flaky(world, 1);
    world.start().await?;
    let first = world.ask(world.retry(world.dev, &build)).await?;
    notice_with(world, "Now: **Build › compile › Compile**").await;
    world.discord.delete_message(first.id);
    let shows = |world: &World| shown(world, world.channel).into_iter().find(|said| said.text().contains("Recovered"));
    let anew = world.pass_on("the end in another message", shows).await;
    world.settled().await?;
    assert!(anew.id != first.id && notice(world).id == anew.id);
    assert_eq!(sent(world, CREATE).len(), 1);
    Ok(())
}

fn watch(world: &World, channel: u64) -> Typing {
    Typing::new(world.dev, channel, "watch add").option("project", "demo").option("pipeline", "nightly")
}

/// What was posted about the build itself.
fn told(world: &World, channel: u64) -> Vec<Message> {
    shown(world, channel).into_iter().filter(|message| !message.text().contains("Watching")).collect()
}

async fn a_watchs_notice_that_was_deleted_stays_deleted_and_a_retry_shows_anew(
    world: &mut World,
) -> anyhow::Result<()> {
    world.start().await?;
    world.ask(watch(world, world.channel)).await?;
    let build = flaky(world, 2);
    let find = |world: &World| told(world, world.channel).into_iter().next();
    let failed = world.pass_on("its failure", find).await;
    assert!(failed.text().contains("Failed: nightly"), "{}", failed.text());
    world.discord.delete_message(failed.id);
    world.bkci.permit("eve", "demo", &world.pipeline, &[Right::View, Right::Execute]);
    retry_on_the_web(world, "eve", &build)?;
    for _ in 0..12 {
        look_after(world, LOOK).await?;
    }
    assert!(world.bkci.build(&build).finished);
    assert!(told(world, world.channel).is_empty(), "whoever deleted it wants no other");
    assert_eq!(world.logs.text().matches("cannot be said").count(), 1);
    // Somebody asks for it again: their answer shows how it goes on.
    let asked = world.send(world.retry(world.dev, &build))?;
    world.answer(asked, "Retry accepted").await;
    let ended = world.pass_until_answered(asked, "Recovered on attempt 3, retried by").await;
    assert_eq!(told(world, world.channel).iter().map(|message| message.id).collect::<Vec<_>>(), [ended.id]);
    Ok(())
}

async fn two_channels_have_one_message_each(world: &mut World) -> anyhow::Result<()> {
    let other = world.discord.add_channel(world.guild, "more-builds");
    let build = flaky(world, 2);
    world.start().await?;
    let first = world.send(world.retry(world.dev, &build))?;
    world.answer(first, "Retry accepted").await;
    world.pass_until_answered(first, "2 of 90 failed").await;
    let there = Typing::new(world.dev, other, "retry").option("project", "demo").option("pipeline", "nightly");
    let second = world.send(there.option("build", build.as_str()))?;
    world.answer(second, "Retry accepted").await;
    for asked in [first, second] {
        world.pass_until_answered(asked, "Recovered on attempt 3, retried by").await;
    }
    assert_eq!((shown(world, world.channel).len(), shown(world, other).len()), (1, 1));
    Ok(())
}

async fn a_channel_that_is_gone_is_given_up_and_told_once(world: &mut World) -> anyhow::Result<()> {
    let build = flaky(world, 1);
    world.start().await?;
    world.ask(world.retry(world.dev, &build)).await?;
    notice_with(world, "Now: **Build › compile › Compile**").await;
    let before = world.discord.requests().len();
    world.discord.delete_channel(world.channel);
    for _ in 0..20 {
        look_or_rest(world).await?;
    }
    assert!(world.bkci.build(&build).finished);
    assert_eq!(world.logs.text().matches("cannot be said").count(), 1);
    let tries = world.discord.requests().split_off(before);
    assert!(tries.len() <= 3, "{tries:#?}");
    let details = world.bkci.requests_of(Endpoint::Detail).len();
    world.pass(Duration::from_secs(600));
    look_or_rest(world).await?;
    assert_eq!(world.bkci.requests_of(Endpoint::Detail).len(), details, "it has ended");
    Ok(())
}

async fn what_a_private_preview_runs_is_shown_in_the_public_message(world: &mut World) -> anyhow::Result<()> {
    let build = flaky(world, 1);
    world.start().await?;
    let preview = world.ask(world.retry(world.dev, &build).option("preview", true)).await?;
    assert!(preview.ephemeral() && shown(world, world.channel).is_empty());
    let run = preview.component("Run this").and_then(|button| button["custom_id"].as_str().map(str::to_owned));
    let pressed = world.discord.press(world.dev, preview.id, &run.expect("a button"));
    let pressed = pressed.map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let closed = world.answer(pressed, "Accepted").await;
    let public = world.pass_on("a public message", |world| shown(world, world.channel).into_iter().next()).await;
    let ended = notice_with(world, "Recovered on attempt 2, retried by").await;
    world.settled().await?;
    assert!(ended.id == public.id && !ended.ephemeral() && closed.id == preview.id);
    let private = world.discord.message(preview.id).map(|message| message.text());
    assert_eq!(private, Some(closed.text()), "the preview stays closed");
    Ok(())
}
