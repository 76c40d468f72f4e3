//! While BK-CI answers strangely, and when somebody may not look any more.

use std::time::Duration;

use sandbox::bkci::{BkCi, Endpoint, Fault, On, RequestRecord, Right, Wrong};
use sandbox::discord::{Message, Typing};

use super::{LOOK, flaky, look_after, looks, notice, notice_with};
use crate::support::{World, stories};

stories!(in sqlite Sqlite: bkci_in_trouble_is_asked_less_and_less_and_makes_no_false_notice,
    bkci_down_is_waited_out, bkci_slow_is_not_asked_twice_at_once,
    one_refusal_or_two_change_nothing_and_three_in_a_row_end_it, a_lost_mapping_ends_it,
    somebody_else_who_may_see_the_build_follows_it_on);
stories!(in v4 V4: one_refusal_or_two_change_nothing_and_three_in_a_row_end_it);

/// Whatever the follower reads.
fn reads() -> On {
    On::when(|request: &RequestRecord| {
        matches!(request.endpoint, Some(Endpoint::History | Endpoint::Batch | Endpoint::Detail))
    })
}

/// Lets ten minutes pass, and says how often it was looked.
async fn ten_minutes(world: &World, read: impl Fn(&World) -> usize) -> anyhow::Result<usize> {
    let before = read(world);
    for _ in 0..120 {
        world.pass(Duration::from_secs(5));
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    world.settled().await?;
    Ok(read(world) - before)
}

async fn compiling(world: &mut World) -> anyhow::Result<String> {
    let build = flaky(world, 1);
    world.start().await?;
    world.ask(world.retry(world.dev, &build)).await?;
    notice_with(world, "Now: **Build › compile › Compile**").await;
    Ok(build)
}

async fn bkci_in_trouble_is_asked_less_and_less_and_makes_no_false_notice(world: &mut World) -> anyhow::Result<()> {
    let build = flaky(world, 1);
    world.bkci.set_queue_time(Duration::from_secs(2 * 3600));
    world.start().await?;
    world.ask(world.retry(world.dev, &build)).await?;
    notice_with(world, "Queued: nightly").await;
    for (number, wrong) in [Wrong::RateLimited { reset_s: 30 }, Wrong::Html200, Wrong::Truncated, Wrong::ServerError]
        .into_iter()
        .enumerate()
    {
        let before = notice(world).text();
        let order = world.bkci.order_always(reads(), Fault::answer(wrong.clone()));
        let asked = ten_minutes(world, |_| order.hits() as usize).await?;
        assert!((4..=12).contains(&asked), "{asked} times after {wrong:?}");
        assert_eq!(notice(world).text(), before, "{wrong:?}");
        let told = world.logs.text().matches("could not be looked at").count();
        assert_eq!(told, number + 1, "{wrong:?} is told once:\n{}", world.logs.text());
        order.withdraw();
        // It goes on by itself, at its usual pace.
        look_after(world, Duration::from_secs(330)).await?;
        look_after(world, 2 * LOOK).await?;
    }
    world.pass(Duration::from_secs(2 * 3600));
    notice_with(world, "Recovered on attempt 2").await;
    Ok(())
}

async fn bkci_down_is_waited_out(world: &mut World) -> anyhow::Result<()> {
    compiling(world).await?;
    let before = notice(world).text();
    world.bkci.down().await?;
    ten_minutes(world, |_| 0).await?;
    assert_eq!(notice(world).text(), before);
    assert_eq!(world.logs.text().matches("could not be looked at").count(), 1, "{}", world.logs.text());
    world.bkci.up().await?;
    notice_with(world, "Recovered on attempt 2").await;
    Ok(())
}

async fn bkci_slow_is_not_asked_twice_at_once(world: &mut World) -> anyhow::Result<()> {
    compiling(world).await?;
    let slow = world.bkci.order(Endpoint::History, Fault::delay_answer(Duration::from_secs(18)));
    let before = looks(&world.bkci);
    for _ in 0..8 {
        world.pass(Duration::from_secs(2));
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert_eq!((slow.hits(), looks(&world.bkci)), (1, before + 1));
    notice_with(world, "Recovered on attempt 2").await;
    Ok(())
}

fn take_over(message: &Message) -> Option<String> {
    let rows = message.components.iter().flat_map(|row| row["components"].as_array().cloned().unwrap_or_default());
    let ids: Vec<String> = rows.filter_map(|button| button["custom_id"].as_str().map(str::to_owned)).collect();
    ids.into_iter().find(|id| id.starts_with("take:"))
}

/// The follow has ended: the notice says so once, and nobody looks any more.
async fn is_lost(world: &World, why: &str) -> anyhow::Result<()> {
    let lost = notice_with(world, "No longer followed: nightly").await;
    assert!(lost.text().contains(why) && take_over(&lost).is_some(), "{}\n{:?}", lost.text(), lost.components);
    let before = looks(&world.bkci);
    for _ in 0..12 {
        world.pass(Duration::from_secs(30));
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    world.settled().await?;
    assert_eq!((looks(&world.bkci), notice(world).text()), (before, lost.text()));
    Ok(())
}

async fn one_refusal_or_two_change_nothing_and_three_in_a_row_end_it(world: &mut World) -> anyhow::Result<()> {
    let build = flaky(world, 1);
    world.bkci.set_queue_time(Duration::from_secs(900));
    world.start().await?;
    world.ask(world.retry(world.dev, &build)).await?;
    notice_with(world, "Queued: nightly").await;
    let before = notice(world).text();
    let refused = |bkci: &BkCi| {
        let refused = |request: &RequestRecord| matches!(request.status, Some(400..=404));
        bkci.requests().iter().filter(|request| refused(request)).count()
    };
    for round in 0..2 {
        for look in 1..=2 {
            world.bkci.withdraw("dev.uid", &world.pipeline, Right::View);
            look_after(world, 2 * LOOK).await?;
            assert_eq!(refused(&world.bkci), 2 * round + look);
        }
        world.bkci.grant("dev.uid", &world.pipeline, Right::View);
        look_after(world, 4 * LOOK).await?;
        assert_eq!(notice(world).text(), before, "it is still followed");
    }
    world.bkci.withdraw("dev.uid", &world.pipeline, Right::View);
    is_lost(world, "may not see this pipeline any more").await?;
    assert_eq!(refused(&world.bkci), 7);
    Ok(())
}

async fn a_lost_mapping_ends_it(world: &mut World) -> anyhow::Result<()> {
    compiling(world).await?;
    let remove = Typing::new(world.admin, world.channel, "mapping remove").option("user", world.dev.to_string());
    assert!(world.ask(remove).await?.ephemeral());
    is_lost(world, "Nobody here is linked any more").await
}

async fn somebody_else_who_may_see_the_build_follows_it_on(world: &mut World) -> anyhow::Result<()> {
    world.map(world.stranger, "eve.uid").await?;
    compiling(world).await?;
    world.bkci.withdraw("dev.uid", &world.pipeline, Right::View);
    let lost = notice_with(world, "No longer followed: nightly").await;
    let button = take_over(&lost).expect("the button");
    let press =
        || world.discord.press(world.stranger, lost.id, &button).map_err(|refused| anyhow::anyhow!("{refused:?}"));
    let blind = world.answer(press()?, "no permission").await;
    assert!(blind.ephemeral(), "{}", blind.text());
    world.bkci.permit("eve.uid", "demo", &world.pipeline, &[Right::View]);
    let reads = world.bkci.requests().len();
    let taken = world.answer(press()?, "Followed again").await;
    assert!(taken.ephemeral() && taken.text().contains("`eve.uid`"), "{}", taken.text());
    let ended = notice_with(world, "Recovered on attempt 2").await;
    assert_eq!(ended.id, lost.id, "the same message goes on");
    let as_whom = world.bkci.requests().split_off(reads);
    assert!(as_whom.iter().all(|asked| asked.uid.as_deref() == Some("eve.uid")), "as who took it over");
    Ok(())
}
