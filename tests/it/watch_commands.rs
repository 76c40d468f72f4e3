//! `/watch`: who may have a channel told of a pipeline, as whom it is looked at, and who may end or take over that.

use reprise::model::ids::ChannelId;
use reprise::model::watch::Hears;
use reprise::store::watches::{State, Watch};
use sandbox::bkci::{Endpoint, Fault, ProjectRight, Right, Wrong};
use sandbox::discord::Typing;
use sandbox::discord::permissions::{EMBED_LINKS, MENTION_EVERYONE, SEND_MESSAGES, Target};
use serde_json::{Value, json};

use crate::support::{World, stories};

stories![
    whoever_sees_a_pipeline_has_the_channel_told_of_it,
    who_may_not_see_a_pipeline_watches_nothing_and_hears_why,
    somebody_else_who_sees_the_pipeline_takes_a_paused_watch_over,
    what_is_added_again_replaces_what_was_there,
    what_the_bot_lacks_in_the_channel_is_named_in_private,
    a_role_is_mentioned_only_where_somebody_may_and_never_everybody,
    a_branch_that_is_none_is_refused,
    a_watch_is_removed_by_whoever_sees_the_pipeline_and_by_its_adder_in_any_case,
    of_two_pipelines_with_one_name_none_is_guessed,
    the_list_is_private_and_says_as_whom_and_for_whom,
    a_watch_that_waits_for_nobody_is_not_taken_over,
    a_retelling_of_the_same_command_adds_one_watch,
];
stories!(in v4 V4: whoever_sees_a_pipeline_has_the_channel_told_of_it,
    who_may_not_see_a_pipeline_watches_nothing_and_hears_why);

fn add(world: &World, pipeline: &str) -> Typing {
    Typing::new(world.dev, world.channel, "watch add").option("project", "demo").option("pipeline", pipeline)
}

fn remove(world: &World, user: u64, pipeline: &str) -> Typing {
    Typing::new(user, world.channel, "watch remove").option("project", "demo").option("pipeline", pipeline)
}

async fn watches(world: &World) -> anyhow::Result<Vec<Watch>> {
    let store = world.store().await?;
    let found = store.watches_in(ChannelId(world.channel)).await?;
    store.close().await;
    Ok(found)
}

async fn whoever_sees_a_pipeline_has_the_channel_told_of_it(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    let before_ms = world.bkci.clock().now_ms();
    world.start().await?;
    for pipeline in [world.pipeline.0.clone(), "nightly".to_owned()] {
        let answer = world.ask(add(world, &pipeline).option("branch", "release/*")).await?;
        let text = answer.text();
        assert!(!answer.ephemeral() && answer.mentions.is_empty(), "{text}");
        for part in ["nightly", "fails, and when that is fixed", "`release/*`", "`dev.uid`", "every 5 s"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let [watch] = watches(world).await?.try_into().expect("one watch");
        assert_eq!((watch.as_user.as_str(), watch.user.0), ("dev.uid", world.dev));
        assert_eq!((watch.pipeline_name.as_str(), watch.hears), ("nightly", Hears::FailedAndFixed));
        assert_eq!((watch.branch.as_deref(), watch.state), (Some("release/*"), State::On));
        assert!(watch.since.0 > 0 && watch.since.0 <= before_ms.max(world.bkci.clock().now_ms()), "{watch:?}");
        let store = world.store().await?;
        let look = format!("demo/{}/dev.uid", world.pipeline);
        assert_eq!(store.watches_of(&look).await?, [watch], "its look is wanted");
        store.close().await;
    }
    let history = world.bkci.requests_of(Endpoint::History);
    assert!(history.iter().all(|asked| asked.parameter("updateTimeDesc") == Some("true")), "{history:?}");
    assert!(world.bkci.requests().iter().all(|asked| asked.uid.as_deref() == Some("dev.uid")));
    assert!(world.bkci.accepted_retries(&build).is_empty());
    Ok(())
}

async fn who_may_not_see_a_pipeline_watches_nothing_and_hears_why(world: &mut World) -> anyhow::Result<()> {
    world.failing_build();
    let other = world.bkci.add_pipeline("demo", "other");
    world.start().await?;
    let typing = Typing { user: world.stranger, ..add(world, "nightly") };
    let answer = world.ask(typing).await?;
    assert!(answer.ephemeral() && answer.text().contains("/mapping set user:"), "{}", answer.text());
    assert!(world.bkci.requests().is_empty());
    for (pipeline, parts) in [
        (other.0.as_str(), ["pipeline cannot be read", "no permission for this pipeline"]),
        ("nigh", ["which pipeline?", "exact"]),
    ] {
        let answer = world.ask(add(world, pipeline)).await?;
        assert!(!answer.ephemeral(), "found out after the acknowledgement");
        assert!(parts.iter().all(|part| answer.text().contains(part)), "{}", answer.text());
    }
    world.bkci.order(Endpoint::History, Fault::answer(Wrong::Gateway(1_650_401)));
    let answer = world.ask(add(world, &world.pipeline.0)).await?;
    assert!(answer.text().contains("pipeline cannot be read"), "{}", answer.text());
    let malformed = Typing::new(world.dev, world.channel, "watch add").option("project", "de/mo");
    let answer = world.ask(malformed.option("pipeline", "nightly")).await?;
    assert!(answer.ephemeral() && answer.text().contains("de/mo"), "{}", answer.text());
    assert!(watches(world).await?.is_empty());
    Ok(())
}

async fn what_is_added_again_replaces_what_was_there(world: &mut World) -> anyhow::Result<()> {
    world.map(world.stranger, "mal.uid").await?;
    world.bkci.permit("mal.uid", "demo", &world.pipeline, &[Right::View]);
    world.start().await?;
    let first = world.ask(add(world, &world.pipeline.0).option("branch", "main")).await?.text();
    assert!(first.contains("Watching") && !first.contains("like this"), "{first}");
    let [watch] = watches(world).await?.try_into().expect("one watch");
    assert_eq!((watch.since.0, watch.pipeline_name), (0, world.pipeline.0.clone()), "no build tells its name");
    let again = Typing { user: world.stranger, ..add(world, &world.pipeline.0) };
    let again = again.option("on", "all").option("mention_starter", true);
    let text = world.ask(again).await?.text();
    assert!(text.contains("like this") && text.contains("every build ends"), "{text}");
    assert!(text.contains("mentions whoever started"), "{text}");
    let [watch] = watches(world).await?.try_into().expect("one watch");
    assert_eq!((watch.as_user.as_str(), watch.user.0, watch.branch), ("mal.uid", world.stranger, None));
    assert_eq!((watch.hears, watch.mention_starter), (Hears::All, true));
    let store = world.store().await?;
    assert!(store.watches_of(&format!("demo/{}/dev.uid", world.pipeline)).await?.is_empty());
    store.close().await;
    Ok(())
}

async fn what_the_bot_lacks_in_the_channel_is_named_in_private(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let bot = Target::Member(world.discord.bot());
    for (denied, named, silent) in
        [(EMBED_LINKS, "Embed Links", "Send Messages"), (SEND_MESSAGES, "Send Messages, Embed Links", "View Channel")]
    {
        world.discord.overwrite(world.channel, bot, 0, denied);
        let answer = world.ask(add(world, "nightly")).await?;
        let text = answer.text();
        assert!(answer.ephemeral() && text.contains(named) && !text.contains(silent), "{text}");
    }
    assert!(world.bkci.requests().is_empty() && watches(world).await?.is_empty());
    Ok(())
}

async fn a_role_is_mentioned_only_where_somebody_may_and_never_everybody(world: &mut World) -> anyhow::Result<()> {
    let role = world.discord.add_role(world.guild, "on call", 0).to_string();
    let boss = world.discord.add_user("boss");
    world.discord.join(world.guild, boss, MENTION_EVERYONE, &[]);
    world.map(boss, "dev.uid").await?;
    world.start().await?;
    let everyone = world.guild.to_string();
    let by = |user, role: &str| Typing { user, ..add(world, &world.pipeline.0) }.option("mention", role);
    for (typing, part) in [
        (by(world.dev, &everyone), "never mentions everybody"),
        (by(boss, &everyone), "never mentions everybody"),
        (by(world.dev, &role), "Choose a role that anybody may mention"),
    ] {
        let answer = world.ask(typing).await?;
        assert!(answer.ephemeral() && answer.text().contains(part), "{part}: {}", answer.text());
    }
    assert!(watches(world).await?.is_empty() && world.bkci.requests().is_empty());
    let text = world.ask(by(boss, &role)).await?.text();
    assert!(text.contains(&format!("<@&{role}>")) && text.contains("only where the bot may mention"), "{text}");
    let altered = world.discord.type_altered(by(world.dev, &role), |payload| {
        payload["data"]["resolved"]["roles"][&role]["mentionable"] = json!(true);
    });
    let mentionable = world.answer(altered.map_err(|refused| anyhow::anyhow!("{refused:?}"))?, "Watching").await;
    assert!(!mentionable.text().contains("only where the bot may mention"), "{}", mentionable.text());
    assert!(mentionable.mention_roles.is_empty(), "the answer pings nobody");
    let [watch] = watches(world).await?.try_into().expect("one watch");
    assert_eq!(watch.mention.map(|role| role.to_string()), Some(role));
    Ok(())
}

async fn a_branch_that_is_none_is_refused(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let answer = world.ask(add(world, "nightly").option("branch", "main\nmaster")).await?;
    assert!(answer.ephemeral() && answer.text().contains("is no branch"), "{}", answer.text());
    assert!(watches(world).await?.is_empty() && world.bkci.requests().is_empty());
    Ok(())
}

async fn a_watch_is_removed_by_whoever_sees_the_pipeline_and_by_its_adder_in_any_case(
    world: &mut World,
) -> anyhow::Result<()> {
    world.start().await?;
    let pipeline = world.pipeline.0.clone();
    world.ask(add(world, "nightly")).await?;
    let unmapped = world.ask(remove(world, world.stranger, &pipeline)).await?;
    assert!(unmapped.ephemeral() && unmapped.text().contains("/mapping set"), "{}", unmapped.text());
    world.map(world.stranger, "mal.uid").await?;
    let blind = world.ask(remove(world, world.stranger, &pipeline)).await?.text();
    assert!(blind.contains("cannot be read"), "{blind}");
    assert_eq!(watches(world).await?.len(), 1);
    world.bkci.permit("mal.uid", "demo", &world.pipeline, &[Right::View]);
    let removed = world.ask(remove(world, world.stranger, "nightly")).await?;
    assert!(removed.text().contains("not watched any more") && !removed.ephemeral(), "{}", removed.text());
    assert!(watches(world).await?.is_empty());
    let absent = world.ask(remove(world, world.dev, &pipeline)).await?;
    assert!(absent.ephemeral() && absent.text().contains("/watch list"), "{}", absent.text());
    for user in [world.dev, world.admin] {
        world.ask(add(world, "nightly")).await?;
        // As of a pipeline that is gone: nobody sees anything.
        world.bkci.permit("dev.uid", "demo", &world.pipeline, &[]);
        let removed = world.ask(remove(world, user, "nightly")).await?.text();
        assert!(removed.contains("not watched any more") && removed.contains(&format!("<@{user}>")), "{removed}");
        world.bkci.permit("dev.uid", "demo", &world.pipeline, &[Right::View]);
    }
    assert!(watches(world).await?.is_empty());
    Ok(())
}

async fn of_two_pipelines_with_one_name_none_is_guessed(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    world.ask(add(world, "nightly")).await?;
    let twin = world.bkci.add_pipeline("demo", "twin");
    world.bkci.permit("dev.uid", "demo", &twin, &[Right::View]);
    world.ask(add(world, "twin")).await?;
    world.write("UPDATE watch SET pipeline_name = 'nightly'").await?;
    let answer = world.ask(remove(world, world.dev, "nightly")).await?;
    assert!(answer.ephemeral(), "{}", answer.text());
    assert!(answer.text().contains(&twin.0) && answer.text().contains(&world.pipeline.0), "{}", answer.text());
    assert_eq!(watches(world).await?.len(), 2);
    world.ask(remove(world, world.dev, &twin.0)).await?;
    assert_eq!(watches(world).await?.len(), 1);
    Ok(())
}

async fn the_list_is_private_and_says_as_whom_and_for_whom(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let empty = world.ask(world.command(world.stranger, "watch list")).await?;
    assert!(empty.ephemeral() && empty.text().contains("Nothing so far"), "{}", empty.text());
    world.ask(add(world, "nightly").option("on", "failed").option("branch", "main")).await?;
    let elsewhere = world.discord.add_channel(world.guild, "elsewhere");
    let other = world.ask(Typing::new(world.stranger, elsewhere, "watch list")).await?;
    assert!(other.text().contains("Nothing so far"), "another channel's are not shown: {}", other.text());
    let list = world.ask(world.command(world.stranger, "watch list")).await?;
    assert!(list.ephemeral(), "{}", list.text());
    for part in ["nightly", "`demo`", "failed", "`main`", "`dev.uid`", &format!("<@{}>", world.dev)] {
        assert!(list.text().contains(part), "{part}: {}", list.text());
    }
    assert!(!list.text().contains("paused"), "{}", list.text());
    world.write("UPDATE watch SET state = 'paused'").await?;
    let list = world.ask(world.command(world.dev, "watch list")).await?.text();
    assert!(list.contains("paused"), "{list}");
    Ok(())
}

/// A message with the button that is under a paused watch, and the rows behind it.
async fn paused(world: &World) -> anyhow::Result<u64> {
    let [watch] = watches(world).await?.try_into().expect("one watch");
    let later = world.clock().now().0 + 86_400_000;
    let rows = format!(
        "UPDATE watch SET state = 'paused'; DELETE FROM offer;
         INSERT INTO offer (id, cause, verb, about, attempt, status, digest, expires_ms)
         VALUES ('pause-1', 1, 'watch', '{}', 0, '', '', {later});",
        watch.id
    );
    world.write(&rows).await?;
    let button = json!({"type": 2, "style": 2, "label": "Take over", "custom_id": "take:pause-1"});
    let message = json!({"content": "paused", "components": [{"type": 1, "components": [button]}]});
    let request = reqwest::Client::new()
        .post(format!("{}/api/v10/channels/{}/messages", world.discord.plain_url(), world.channel))
        .header("authorization", format!("Bot {}", world.discord.token()))
        .header("user-agent", "DiscordBot (https://example.com, 1)")
        .header("content-type", "application/json")
        .body(message.to_string());
    let made: Value = serde_json::from_slice(&request.send().await?.error_for_status()?.bytes().await?)?;
    Ok(made["id"].as_str().and_then(|id| id.parse().ok()).expect("a message"))
}

fn press(world: &World, user: u64, message: u64) -> anyhow::Result<u64> {
    world.discord.press(user, message, "take:pause-1").map_err(|refused| anyhow::anyhow!("{refused:?}"))
}

async fn somebody_else_who_sees_the_pipeline_takes_a_paused_watch_over(world: &mut World) -> anyhow::Result<()> {
    world.bkci.permit_in_project("mal.uid", "demo", &[ProjectRight::View]);
    world.start().await?;
    world.ask(add(world, &world.pipeline.0)).await?;
    let message = paused(world).await?;
    let unmapped = world.answer(press(world, world.stranger, message)?, "/mapping set").await;
    assert!(unmapped.ephemeral());
    world.map(world.stranger, "mal.uid").await?;
    let blind = world.answer(press(world, world.stranger, message)?, "cannot be read").await;
    assert!(blind.ephemeral(), "{}", blind.text());
    assert_eq!(watches(world).await?[0].state, State::Paused);
    world.bkci.permit("mal.uid", "demo", &world.pipeline, &[Right::View]);
    world.failing_build();
    let pressed = press(world, world.stranger, message)?;
    assert!(world.answer(pressed, "in the channel").await.ephemeral());
    let says = |discord: &sandbox::discord::Discord| {
        let messages = discord.messages(world.channel, world.dev);
        messages.into_iter().find(|message| message.text().contains("is watched again"))
    };
    let told = world.discord.wait_for("the news", says).await;
    assert!(told.text().contains(&format!("<@{}>", world.stranger)) && told.text().contains("`mal.uid`"));
    assert!(told.mentions.is_empty(), "it pings nobody");
    let [watch] = watches(world).await?.try_into().expect("one watch");
    assert_eq!((watch.as_user.as_str(), watch.user.0, watch.state), ("mal.uid", world.stranger, State::On));
    assert!(watch.since.0 > 0, "what ended in between is not told");
    let late = world.answer(press(world, world.dev, message)?, &format!("<@{}>", world.stranger)).await;
    assert!(late.ephemeral(), "{}", late.text());
    assert_eq!(watches(world).await?[0].as_user.as_str(), "mal.uid");
    Ok(())
}

async fn a_watch_that_waits_for_nobody_is_not_taken_over(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    world.ask(add(world, &world.pipeline.0)).await?;
    let message = paused(world).await?;
    // Two press at the same moment: one is first.
    let pressed = [press(world, world.dev, message)?, press(world, world.dev, message)?];
    let mut answers = Vec::new();
    for press in pressed {
        answers.push(world.answer(press, "").await.text());
    }
    let (first, late) = (answers.iter().filter(|text| text.contains("in the channel")).count(), answers.len());
    assert_eq!((first, late), (1, 2), "{answers:?}");
    world.write("UPDATE offer SET used_by = NULL").await?;
    let on = world.answer(press(world, world.dev, message)?, "does not wait").await;
    assert!(on.ephemeral());
    world.ask(remove(world, world.dev, &world.pipeline.0)).await?;
    world.answer(press(world, world.dev, message)?, "does not wait").await;
    assert!(watches(world).await?.is_empty());
    let messages = world.discord.messages(world.channel, world.dev);
    assert_eq!(messages.iter().filter(|message| message.text().contains("is watched again")).count(), 1);
    Ok(())
}

async fn a_retelling_of_the_same_command_adds_one_watch(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let interaction = world.send(add(world, &world.pipeline.0))?;
    world.answer(interaction, "Watching").await;
    world.ask(remove(world, world.dev, &world.pipeline.0)).await?;
    world.discord.redeliver(interaction);
    world.settled().await?;
    assert!(watches(world).await?.is_empty(), "an interaction is served once");
    Ok(())
}
