//! Buttons on a notice: each acts as the person who presses, once for all who press, and never on another attempt than the
//! one that was shown.

use std::time::Duration;

use reprise::model::Timestamp;
use reprise::model::ids::{ChannelId, UserId};
use reprise::model::status::BuildStatus;
use reprise::reply::{About, Notice};
use sandbox::bkci::{BkCi, BuildPlan, Endpoint, Fault, Right, Trigger, Webhook, Wish, Wrong};
use sandbox::discord::{Discord, Message};
use serde_json::json;

use crate::support::{World, stories, stories_on_each_family};

stories_on_each_family![
    a_press_retries_the_failed_jobs_as_the_person_who_presses_and_says_so_to_them_alone,
    who_presses_on_an_attempt_that_is_over_hears_who_was_first,
    a_build_of_a_code_event_does_not_make_its_author_the_one_who_was_first,
    what_asks_first_asks_the_presser_alone_and_tells_them_alone,
    without_a_mapping_or_the_right_a_press_does_nothing,
    after_28_days_a_button_says_why_it_does_not_work_any_more,
    buttons_survive_a_restart_and_a_lost_answer_is_found_out,
];
// A crowd is work for a machine: once on each database is enough.
stories!(in crowd_sqlite Sqlite: a_hundred_presses_at_once_retry_once_and_the_others_hear_who_was_first);
stories!(in crowd_postgres Postgres: a_hundred_presses_at_once_retry_once_and_the_others_hear_who_was_first);

/// An offer as a notice makes it, and a message with its buttons.
pub async fn notice(world: &World, build: &str, attempt: u32) -> anyhow::Result<Message> {
    notice_until(world, build, (attempt, world.clock().now().plus(Duration::from_hours(28 * 24)))).await
}

async fn notice_until(world: &World, build: &str, (attempt, expires): (u32, Timestamp)) -> anyhow::Result<Message> {
    let about = About {
        build: reprise::model::BuildRef {
            project: "demo".parse()?,
            pipeline: world.pipeline.0.parse()?,
            build: build.parse()?,
        },
        pipeline_name: "nightly".to_owned(),
        number: 1,
        scope: None,
        asked_by: UserId(world.dev),
        link: None,
    };
    let facts = serde_json::to_string(&Notice::begun(attempt, &about, (attempt, BuildStatus::Failed)))?;
    let columns = "id, guild, channel, build, project, pipeline, number, locale, delivery, facts, broken";
    let key = reprise::store::notices::id_of(ChannelId(world.channel), &about.build.build);
    let place = format!("{}, {}, '{build}', 'demo', '{}'", world.guild, world.channel, world.pipeline.0);
    let row = format!("INSERT INTO notice ({columns}) VALUES ({key}, {place}, 1, 'en', 'none', '{facts}', TRUE)");
    world.put_rows(format!("{row} ON CONFLICT DO NOTHING")).await?;
    let id = format!("notice-{build}-{attempt}");
    let about = serde_json::to_string(&about)?;
    let values = format!("'{id}', 1, 'notice', '{about}', {attempt}, '', '', NULL, {}", expires.0);
    let columns = "id, cause, verb, about, attempt, status, digest, asker, expires_ms";
    world.put_rows(format!("INSERT INTO offer ({columns}) VALUES ({values})")).await?;
    let button = |verb: &str| json!({"type": 2, "style": 2, "label": verb, "custom_id": format!("{verb}:{id}")});
    let buttons = ["failed", "all", "stop"].map(button);
    let buttons = json!({"type": 1, "components": buttons});
    let message = json!({"content": format!("notice of {build}"), "components": [buttons]});
    let url = format!("{}/api/v10/channels/{}/messages", world.discord.plain_url(), world.channel);
    let request = reqwest::Client::new().post(url).header("Authorization", format!("Bot {}", world.discord.token()));
    let request = request.header("User-Agent", "DiscordBot (https://example.com, 1)").json(&message);
    let posted: serde_json::Value = request.send().await?.error_for_status()?.json().await?;
    let id: u64 = posted["id"].as_str().unwrap_or_default().parse()?;
    Ok(world.discord.message(id).expect("the message that was posted"))
}

pub fn press(world: &World, user: u64, message: &Message, verb: &str) -> anyhow::Result<u64> {
    let row = message.components[0]["components"].as_array().cloned().unwrap_or_default();
    let ids = row.iter().filter_map(|button| button["custom_id"].as_str());
    let id = ids.into_iter().find(|id| id.split(':').next() == Some(verb)).expect("a button with this verb");
    world.discord.press(user, message.id, id).map_err(|refused| anyhow::anyhow!("{refused:?}"))
}

fn public(world: &World) -> Vec<Message> {
    world.discord.messages(world.channel, world.stranger)
}

async fn a_press_retries_the_failed_jobs_as_the_person_who_presses_and_says_so_to_them_alone(
    world: &mut World,
) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.map(world.admin, "ada.uid").await?;
    world.bkci.permit("ada.uid", "demo", &world.pipeline, &[Right::View, Right::Execute]);
    world.start().await?;
    let notice = notice(world, &build, 1).await?;
    let pressed = press(world, world.admin, &notice, "failed")?;
    let answer = world.answer(pressed, "Retry accepted").await;
    assert!(answer.ephemeral() && answer.id != notice.id, "the notice stays, the answer is the presser's");
    assert!(answer.text().contains(&build) && answer.mentions.is_empty(), "{}", answer.text());
    assert_eq!(public(world).len(), 1, "nothing but the notice stands in the channel");
    let retry = &world.bkci.accepted_retries(&build)[0];
    assert_eq!((retry.uid.as_str(), retry.failed_container), ("ada.uid", true));
    Ok(())
}

async fn a_hundred_presses_at_once_retry_once_and_the_others_hear_who_was_first(
    world: &mut World,
) -> anyhow::Result<()> {
    let build = world.failing_build();
    let mut people = Vec::new();
    let mut mappings = Vec::new();
    for number in 0..100 {
        let person = world.discord.add_user(&format!("person{number}"));
        world.discord.join(world.guild, person, 0, &[]);
        let uid = format!("person{number}.uid");
        world.bkci.permit(&uid, "demo", &world.pipeline, &[Right::View, Right::Execute]);
        mappings.push((UserId(person), uid.parse()?));
        people.push(person);
    }
    let store = world.store().await?;
    store.import_mappings(&mappings, world.clock().now()).await?;
    store.close().await;
    world.start().await?;
    let notice = notice(world, &build, 1).await?;
    // Everybody has read the build before anybody's retry: nobody is kept from it by what they saw.
    let held = world.bkci.order_times(Endpoint::Detail, 100, Fault::hold_answer());
    let mut presses = Vec::new();
    for few in people.chunks(10) {
        for person in few {
            presses.push(press(world, *person, &notice, "failed")?);
        }
        // Or a busy machine would take longer than Discord's three seconds for some of them.
        let acknowledged = |discord: &Discord| {
            let all = discord.interactions();
            all.iter().all(|interaction| interaction.acknowledged.is_some()).then_some(())
        };
        world.discord.wait_for("their acknowledgements", acknowledged).await;
    }
    let read = |bkci: &BkCi| (bkci.requests_of(Endpoint::Detail).len() >= 100).then_some(());
    world.bkci.wait_for("a hundred reads", read).await;
    held.release();
    let mut accepted = Vec::new();
    let mut told = Vec::new();
    for (person, pressed) in people.iter().zip(presses) {
        let mut answer = world.answer(pressed, "").await;
        if answer.text().contains("This message changes") {
            answer = world.answer(pressed, "Retry accepted").await;
        }
        assert!(answer.ephemeral(), "{}", answer.text());
        if answer.text().contains("Retry accepted") { accepted.push(*person) } else { told.push(answer.text()) }
    }
    assert_eq!(world.bkci.requests_of(Endpoint::Retry).len(), 1);
    assert_eq!((accepted.len(), told.len()), (1, 99));
    let first = format!("<@{}>", accepted[0]);
    assert!(told.iter().all(|text| text.contains(&first)), "{told:#?}");
    Ok(())
}

async fn who_presses_on_an_attempt_that_is_over_hears_who_was_first(world: &mut World) -> anyhow::Result<()> {
    let (ours, theirs) = (world.failing_build(), world.failing_build());
    world.map(world.admin, "ada.uid").await?;
    for uid in ["ada.uid", "eve"] {
        world.bkci.permit(uid, "demo", &world.pipeline, &[Right::View, Right::Execute]);
    }
    world.start().await?;
    let shown = notice(world, &ours, 1).await?;
    world.ask(world.retry(world.dev, &ours)).await?;
    for verb in ["all", "failed"] {
        let answer = world.answer(press(world, world.admin, &shown, verb)?, "first").await;
        let text = answer.text();
        assert!(
            answer.ephemeral() && text.contains(&format!("<@{}>", world.dev)) && text.contains("attempt 2"),
            "{text}"
        );
    }
    let shown = notice(world, &theirs, 1).await?;
    world.bkci.retry_on_the_web("eve", &theirs, Wish::default()).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let text = world.answer(press(world, world.admin, &shown, "all")?, "first").await.text();
    assert!(text.contains("`eve`") && text.contains("attempt 2"), "{text}");
    assert_eq!(world.bkci.requests_of(Endpoint::Retry).len(), 1, "the presses sent nothing");
    Ok(())
}

async fn a_build_of_a_code_event_does_not_make_its_author_the_one_who_was_first(
    world: &mut World,
) -> anyhow::Result<()> {
    let webhook = Trigger::Webhook(Webhook::push("author", "main", "abc123", "fix"));
    let build = world.bkci.add_build(BuildPlan::failing(&world.pipeline).by(webhook));
    world.bkci.permit("eve", "demo", &world.pipeline, &[Right::View, Right::Execute]);
    world.start().await?;
    let shown = notice(world, &build, 1).await?;
    world.bkci.retry_on_the_web("eve", &build, Wish::default()).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let text = world.answer(press(world, world.dev, &shown, "all")?, "first").await.text();
    assert!(text.contains("Somebody was first") && !text.contains("author"), "{text}");
    Ok(())
}

async fn what_asks_first_asks_the_presser_alone_and_tells_them_alone(world: &mut World) -> anyhow::Result<()> {
    world.set("retry.confirm", "always");
    let build = world.failing_build();
    world.start().await?;
    let notice = notice(world, &build, 1).await?;
    let asked = world.answer(press(world, world.dev, &notice, "all")?, "Nothing was done yet").await;
    assert!(asked.ephemeral(), "{}", asked.text());
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    let result = world.answer(press(world, world.dev, &asked, "run")?, "Retry accepted").await;
    assert!(result.ephemeral() && result.id == asked.id, "in its place");
    assert_eq!(public(world).len(), 1, "nothing but the notice stands in the channel");
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    Ok(())
}

async fn without_a_mapping_or_the_right_a_press_does_nothing(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.map(world.admin, "ada.uid").await?;
    world.bkci.permit("ada.uid", "demo", &world.pipeline, &[Right::View]);
    world.start().await?;
    let notice = notice(world, &build, 1).await?;
    let unmapped = world.answer(press(world, world.stranger, &notice, "failed")?, "/mapping set").await;
    assert!(unmapped.ephemeral() && world.bkci.requests().is_empty(), "{}", unmapped.text());
    let refused = world.answer(press(world, world.admin, &notice, "failed")?, "no permission").await;
    assert!(refused.ephemeral(), "{}", refused.text());
    assert!(world.bkci.accepted_retries(&build).is_empty());
    world.bkci.order(Endpoint::Detail, Fault::answer(Wrong::PlainForbidden));
    let unread = world.answer(press(world, world.dev, &notice, "failed")?, "403").await;
    assert!(unread.ephemeral(), "{}", unread.text());
    assert_eq!(world.bkci.requests_of(Endpoint::Retry).len(), 1);
    Ok(())
}

async fn after_28_days_a_button_says_why_it_does_not_work_any_more(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let expired = Timestamp(world.clock().now().0 - 2 * 24 * 3_600_000);
    let notice = notice_until(world, &build, (1, expired)).await?;
    let refused = world.answer(press(world, world.dev, &notice, "failed")?, "28 days").await;
    assert!(refused.ephemeral() && refused.text().contains("Start a new build"), "{}", refused.text());
    assert!(world.bkci.requests().is_empty(), "nothing was even read");
    Ok(())
}

async fn buttons_survive_a_restart_and_a_lost_answer_is_found_out(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let notice = notice(world, &build, 1).await?;
    world.stop().await?;
    world.start().await?;
    world.bkci.order(Endpoint::Retry, Fault::lose_answer());
    let pressed = press(world, world.dev, &notice, "failed")?;
    let found = |world: &World| {
        let answer = world.discord.answer(pressed)?;
        answer.text().contains("the build shows the new attempt").then_some(())
    };
    world.pass_until("the truth", found).await;
    assert_eq!(world.bkci.requests_of(Endpoint::Retry).len(), 1);
    Ok(())
}
