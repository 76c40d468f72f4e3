//! The websocket to Discord breaks in every way it can: whoever watches hears of it at once, what arrives meanwhile is
//! answered once, and what does not mend ends the program with a reason.

use std::time::{Duration, Instant};

use sandbox::bkci::{self, Endpoint};
use sandbox::discord::{Fault, Gate};

use crate::support::{World, stories};

stories![
    a_close_that_leaves_the_library_spinning_is_noticed_and_replaced_once,
    told_to_stop_while_the_library_spins_it_stops,
    told_to_stop_before_it_ever_connected_it_stops,
    told_to_stop_before_discord_says_who_it_is_it_stops,
    a_bot_that_is_not_let_in_ends_with_the_reason,
    a_connection_that_does_not_come_back_ends_the_program,
    whatever_cuts_the_connection_interactions_arrive_and_are_answered_once,
    a_session_that_is_over_is_begun_anew,
];

/// Waits until `/readyz` answers so; says what it said.
async fn readyz(world: &World, status: u16) -> anyhow::Result<String> {
    let asked = async {
        loop {
            let (now, text) = world.get("/readyz").await?;
            if now == status {
                return anyhow::Ok(text);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), asked).await;
    in_time.map_err(|_| anyhow::anyhow!("/readyz never became {status}\n{}", world.logs.text()))?
}

/// Discord lets a bot identify once in five seconds (discord-rules 7).
fn let_it_identify(world: &World) {
    world.pass(Duration::from_secs(5));
}

async fn a_close_that_leaves_the_library_spinning_is_noticed_and_replaced_once(
    world: &mut World,
) -> anyhow::Result<()> {
    let (in_hand, build) = (world.failing_build(), world.failing_build());
    world.start().await?;
    let held = world.bkci.order(Endpoint::Retry, bkci::Fault::hold_answer());
    let asked = world.send(world.retry(world.dev, &in_hand))?;
    world.bkci.wait_for("the retry", |bkci| (!bkci.accepted_retries(&in_hand).is_empty()).then_some(())).await;
    let_it_identify(world);
    let noticed = Instant::now();
    world.discord.close_gateway(4010);
    let said = readyz(world, 503).await?;
    assert!(said.contains("lost") && noticed.elapsed() < Duration::from_secs(5), "{said} {:?}", noticed.elapsed());
    readyz(world, 200).await?;
    assert!(world.ask(world.retry(world.dev, &build)).await?.text().contains(&build), "a fresh connection works");
    held.release();
    let answer = world.answer(asked, "Retry accepted").await.text();
    assert!(!answer.contains("was lost"), "what was in hand went on: {answer}");
    let_it_identify(world);
    world.discord.refuse_gateway(Some(4011));
    world.discord.close_gateway(4011);
    let ended = world.ended().await.expect_err("it must not try again and again").to_string();
    assert!(ended.contains("4011") && ended.contains("sharded"), "{ended}");
    Ok(())
}

async fn told_to_stop_while_the_library_spins_it_stops(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    world.discord.close_gateway(4011);
    readyz(world, 503).await?;
    let told = Instant::now();
    world.stop().await?;
    assert!(told.elapsed() < Duration::from_secs(4), "{:?}", told.elapsed());
    Ok(())
}

async fn told_to_stop_before_it_ever_connected_it_stops(world: &mut World) -> anyhow::Result<()> {
    // One address refuses, the other one accepts and then says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    for url in ["ws://127.0.0.1:9".to_owned(), format!("ws://{}", silent.local_addr()?)] {
        let elsewhere = serde_json::json!({"url": url});
        world.discord.order(Fault::on("GET", "/gateway").times(u32::MAX).json(200, &elsewhere));
        world.begin().await?;
        let said = readyz(world, 503).await?;
        assert!(said.contains("connecting"), "{said}");
        let told = Instant::now();
        world.stop().await?;
        assert!(told.elapsed() < Duration::from_secs(4), "{:?}", told.elapsed());
        world.discord.clear_faults();
    }
    Ok(())
}

async fn told_to_stop_before_discord_says_who_it_is_it_stops(world: &mut World) -> anyhow::Result<()> {
    let gate = Gate::default();
    world.discord.order(Fault::on("GET", "/oauth2/applications/@me").hold_request(&gate));
    world.begin().await?;
    let asked = |discord: &sandbox::discord::Discord| (!discord.requests().is_empty()).then_some(());
    world.discord.wait_for("the question", asked).await;
    let told = Instant::now();
    world.stop().await?;
    assert!(told.elapsed() < Duration::from_secs(5), "it took {:?}", told.elapsed());
    gate.open();
    Ok(())
}

async fn a_bot_that_is_not_let_in_ends_with_the_reason(world: &mut World) -> anyhow::Result<()> {
    for (code, part) in [(4004, "discord.token"), (4013, "4013"), (4014, "enable it for the application")] {
        world.start().await?;
        world.discord.refuse_gateway(Some(code));
        world.discord.close_gateway(code);
        let ended = world.ended().await.expect_err("Discord does not let it in").to_string();
        assert!(ended.contains(part), "{code}: {ended}");
        world.discord.refuse_gateway(None);
    }
    Ok(())
}

async fn a_connection_that_does_not_come_back_ends_the_program(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    world.discord.pause().await;
    let said = readyz(world, 503).await?;
    assert!(said.contains("lost"), "{said}");
    world.pass(Duration::from_secs(285));
    // As long as it takes to look twice.
    let patience = Instant::now() + Duration::from_millis(1_200);
    while Instant::now() < patience {
        assert_eq!(world.get("/readyz").await?, (503, said.clone()), "it still tries");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.pass(Duration::from_secs(16));
    let ended = world.ended().await.expect_err("five minutes are over").to_string();
    assert!(ended.contains("did not come back"), "{ended}");
    world.discord.resume().await;
    Ok(())
}

async fn whatever_cuts_the_connection_interactions_arrive_and_are_answered_once(
    world: &mut World,
) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let mut asked = vec![world.send(world.retry(world.dev, &build))?];
    world.answer(asked[0], &build).await;
    let cuts: [&dyn Fn(&World); 6] = [
        &|world| world.discord.reconnect(),
        &|world| world.discord.close_gateway(4000),
        &|world| world.discord.close_gateway(4008),
        &|world| world.discord.drop_gateway(),
        &|world| world.discord.invalidate_session(true),
        &|world| world.discord.send_frame("{\"op\":"),
    ];
    for cut in cuts {
        cut(world);
        // Kept by Discord until the session is resumed, and then delivered; perhaps more than once.
        let interaction = world.send(world.command(world.dev, "whoami"))?;
        world.discord.redeliver(interaction);
        world.answer(interaction, "dev.uid").await;
        world.discord.redeliver(asked[0]);
        asked.push(interaction);
    }
    world.stop().await?;
    for interaction in asked {
        let token = world.discord.token_of(interaction).expect("a token");
        let requests = world.discord.requests();
        // Asked for again it may be; taken it is once.
        let taken = requests.iter().filter(|request| request.status == Some(204));
        let callbacks = taken.filter(|request| request.path.contains("/callback"));
        assert_eq!(callbacks.filter(|request| request.path.contains(&token)).count(), 1, "acknowledged once");
    }
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    Ok(())
}

async fn a_session_that_is_over_is_begun_anew(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let_it_identify(world);
    world.discord.invalidate_session(false);
    let again = |discord: &sandbox::discord::Discord| (discord.gateway_sessions() > 0).then_some(());
    world.discord.wait_for("a new session", again).await;
    let answer = world.ask(world.command(world.dev, "whoami")).await?;
    assert!(answer.text().contains("dev.uid"));
    Ok(())
}
