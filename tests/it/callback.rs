//! What BK-CI tells by itself: a hint that makes a look due. Nobody without the token is heard, and nothing else is believed.

use std::time::{Duration, Instant};

use sandbox::bkci::{Endpoint, PipelineId, Right};
use sandbox::discord::Typing;
use serde_json::json;

use crate::support::{World, stories};

stories![
    without_a_token_there_is_no_such_address,
    who_does_not_show_the_token_is_turned_away,
    a_callback_makes_the_looks_of_its_pipeline_due_and_no_others,
    what_is_garbled_or_of_another_pipeline_changes_nothing,
    a_body_of_any_length_is_answered,
    while_the_store_hangs_callbacks_are_answered_at_once,
];

const TOKEN: &str = "hunter2-callback-token";

async fn start(world: &mut World) -> anyhow::Result<()> {
    world.set("bkci.callback_token", TOKEN);
    // Nobody polls within a day: who looks was told to.
    world.set("follow.poll_ms", "86400000");
    world.start().await
}

async fn post(world: &World, token: Option<&str>, body: impl Into<reqwest::Body>) -> anyhow::Result<u16> {
    static HTTP: std::sync::LazyLock<reqwest::Client> = std::sync::LazyLock::new(|| {
        reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client without options")
    });
    let request = HTTP.post(format!("{}/bkci/callback", world.address())).body(body);
    let request = token.iter().fold(request, |request, token| request.header("X-DEVOPS-WEBHOOK-TOKEN", *token));
    Ok(request.send().await?.status().as_u16())
}

/// As bkci-api 11.3 shows it, in short.
fn told(world: &World) -> String {
    let data = json!({"buildId": "b-1", "pipelineId": world.pipeline.0, "projectId": "demo", "status": "FAILED",
                      "cancelUserId": null, "model": {"stages": []}, "stageId": null, "debug": false});
    json!({"event": "BUILD_END", "data": data}).to_string()
}

async fn counted(world: &World, outcome: &str) -> anyhow::Result<u64> {
    let metrics = world.get("/metrics").await?.1;
    let start = format!("reprise_callbacks_total{{outcome=\"{outcome}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&start));
    Ok(line.map_or(0, |count| count.parse().expect("a number")))
}

/// Watches the pipeline, and another one, and waits until nobody looks for a day.
async fn watch(world: &World) -> anyhow::Result<PipelineId> {
    let other = world.bkci.add_pipeline("demo", "other");
    world.bkci.permit("dev.uid", "demo", &other, &[Right::View]);
    for pipeline in [&world.pipeline.0, &other.0] {
        let add = Typing::new(world.dev, world.channel, "watch add").option("project", "demo");
        world.ask(add.option("pipeline", pipeline.as_str())).await?;
    }
    let begun = Instant::now();
    while far(world).await? < 2 {
        anyhow::ensure!(begun.elapsed() < Duration::from_secs(10), "nobody looks first\n{}", world.logs.text());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(other)
}

/// How many looks are far away.
async fn far(world: &World) -> anyhow::Result<i64> {
    let soon = world.clock().now().0 + 3_600_000;
    world.number(&format!("SELECT COUNT(*) FROM look WHERE due_ms > {soon}")).await
}

/// How often a pipeline was read.
fn reads(world: &World, pipeline: &PipelineId) -> usize {
    world.bkci.requests_of(Endpoint::History).iter().filter(|asked| asked.path.contains(&pipeline.0)).count()
}

async fn until_read(world: &World, before: usize) {
    world.pass_until("a look", |world| (reads(world, &world.pipeline) > before).then_some(())).await;
}

async fn without_a_token_there_is_no_such_address(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for token in [None, Some(""), Some("NONE"), Some(TOKEN)] {
        assert_eq!(post(world, token, told(world)).await?, 404, "{token:?}");
    }
    Ok(())
}

async fn who_does_not_show_the_token_is_turned_away(world: &mut World) -> anyhow::Result<()> {
    start(world).await?;
    watch(world).await?;
    let (longer, blank) = (format!("{TOKEN}x"), format!("{TOKEN} x"));
    let wrong = TOKEN.replace('h', "H");
    let tokens =
        [None, Some(""), Some("NONE"), Some("none"), Some(&TOKEN[..8]), Some(&longer), Some(&blank), Some(&wrong)];
    for token in tokens {
        assert_eq!(post(world, token, told(world)).await?, 401, "{token:?}");
    }
    assert_eq!(post(world, None, vec![0; 3 * 1024 * 1024]).await.unwrap_or(401), 401, "its body is not read");
    assert_eq!(world.get("/bkci/callback").await?.0, 405);
    assert_eq!((counted(world, "refused").await?, counted(world, "accepted").await?), (9, 0));
    assert_eq!(far(world).await?, 2);
    assert!(!world.logs.text().contains("hunter2"));
    Ok(())
}

async fn a_callback_makes_the_looks_of_its_pipeline_due_and_no_others(world: &mut World) -> anyhow::Result<()> {
    start(world).await?;
    let other = watch(world).await?;
    let before = [&world.pipeline, &other].map(|pipeline| reads(world, pipeline));
    // Twice, late, in any order: all the same.
    for _ in 0..3 {
        assert_eq!(post(world, Some(TOKEN), told(world)).await?, 200);
    }
    until_read(world, before[0]).await;
    assert_eq!(reads(world, &other), before[1], "the other pipeline is none of its business");
    assert_eq!(counted(world, "accepted").await?, 3);
    let replies = world.discord.messages(world.channel, world.stranger);
    assert_eq!(replies.len(), 2, "a callback alone says nothing");
    Ok(())
}

async fn what_is_garbled_or_of_another_pipeline_changes_nothing(world: &mut World) -> anyhow::Result<()> {
    start(world).await?;
    watch(world).await?;
    let unknown = told(world).replace(&world.pipeline.0, "p-00000000000000000000000000000000");
    let elsewhere = told(world).replace("\"demo\"", "\"elsewhere\"");
    for body in [unknown, elsewhere] {
        assert_eq!(post(world, Some(TOKEN), body).await?, 200);
    }
    assert_eq!(counted(world, "accepted").await?, 2);
    let cut = told(world)[..60].to_owned();
    let project = json!({"event": "PROJECT_CREATE", "data": {"projectId": "demo"}}).to_string();
    // An empty body is what BK-CI's own "send again" sends (bkci-api 11.4).
    for body in [String::new(), "null".into(), cut, project, "[".repeat(50_000)] {
        assert_eq!(post(world, Some(TOKEN), body).await?, 200);
    }
    assert_eq!(counted(world, "undecodable").await?, 5);
    world.settled().await?;
    assert_eq!(far(world).await?, 2);
    Ok(())
}

async fn a_body_of_any_length_is_answered(world: &mut World) -> anyhow::Result<()> {
    start(world).await?;
    watch(world).await?;
    let padded = |length: usize| {
        let told = told(world);
        let padding = " ".repeat(length - told.len());
        format!("{told}{padding}")
    };
    for length in [256 * 1024 + 1, 2 * 1024 * 1024] {
        assert_eq!(post(world, Some(TOKEN), padded(length)).await?, 200, "{length}");
    }
    assert_eq!((counted(world, "undecodable").await?, far(world).await?), (2, 2));
    // The connection may be closed before the end of what nobody listens to.
    let before = reads(world, &world.pipeline);
    let endless = post(world, Some(TOKEN), padded(40 * 1024 * 1024)).await;
    assert!(endless.as_ref().map_or(true, |status| *status == 200), "{endless:?}");
    assert_eq!(post(world, Some(TOKEN), padded(256 * 1024)).await?, 200);
    until_read(world, before).await;
    assert_eq!(counted(world, "accepted").await?, 1);
    Ok(())
}

async fn while_the_store_hangs_callbacks_are_answered_at_once(world: &mut World) -> anyhow::Result<()> {
    start(world).await?;
    watch(world).await?;
    post(world, None, "").await?;
    let before = reads(world, &world.pipeline);
    let mut hanging = world.rows().await?;
    hanging.hold().await?;
    let mut took = Vec::new();
    for _ in 0..70 {
        let asked = Instant::now();
        assert_eq!(post(world, Some(TOKEN), told(world)).await?, 200);
        took.push(asked.elapsed());
    }
    assert_eq!((counted(world, "accepted").await?, counted(world, "dropped").await?), (64, 6), "what waits is bounded");
    hanging.close().await?;
    took.sort();
    let (half, longest) = (took[35], took[69]);
    // The longest is the machine's, when others are at work on it; a store that was waited for would show in each.
    assert!(half < Duration::from_millis(50) && longest < Duration::from_secs(1), "{half:?}, at most {longest:?}");
    until_read(world, before).await;
    Ok(())
}
