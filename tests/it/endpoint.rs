//! Interactions as signed POSTs: what is not signed by Discord, a moment ago, is not let in.

use serde_json::json;

use crate::support::{World, stories};

stories![
    a_ping_is_answered_by_a_pong,
    what_discord_did_not_sign_just_now_is_turned_away,
    a_body_over_the_limit_is_turned_away,
    an_unknown_type_is_refused_counted_and_warned_about,
    somebody_whose_interaction_cannot_be_decoded_hears_a_number,
];

async fn start(world: &mut World) -> anyhow::Result<()> {
    world.set("discord.transport", "http");
    world.set("discord.public_key", &world.discord.public_key());
    world.start().await
}

fn url(world: &World) -> String {
    format!("{}/discord/interactions", world.address())
}

async fn post(world: &World, headers: &[(&str, &str)], body: &str) -> anyhow::Result<(u16, String)> {
    let request = reqwest::Client::new().post(url(world)).body(body.to_owned());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = request.send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

/// Signs and posts, as of `age_s` seconds ago.
async fn post_signed(world: &World, age_s: i64, body: &str) -> anyhow::Result<(u16, String)> {
    let timestamp = (world.discord.clock().now_ms() / 1_000 - age_s).to_string();
    let signature = world.discord.sign(&timestamp, body);
    post(world, &[("x-signature-timestamp", &timestamp), ("x-signature-ed25519", &signature)], body).await
}

const PING: &str = r#"{"id":"1","application_id":"2","type":1,"token":"t","version":1,"entitlements":[],
                       "authorizing_integration_owners":{}}"#;

async fn a_ping_is_answered_by_a_pong(world: &mut World) -> anyhow::Result<()> {
    start(world).await?;
    assert_eq!(post_signed(world, 0, PING).await?, (200, r#"{"type":1}"#.to_owned()));
    // Discord's own checks: a PING, and a wrong signature.
    let url = url(world);
    world.discord.set_endpoint(Some(&url)).await?;
    world.discord.probe_endpoint().await
}

async fn what_discord_did_not_sign_just_now_is_turned_away(world: &mut World) -> anyhow::Result<()> {
    start(world).await?;
    for (age_s, status) in [(0, 200), (290, 200), (-290, 200), (310, 401), (-310, 401), (i64::MAX / 2, 401)] {
        assert_eq!(post_signed(world, age_s, PING).await?.0, status, "signed {age_s} s ago");
    }
    let now = (world.discord.clock().now_ms() / 1_000).to_string();
    let signature = world.discord.sign(&now, PING);
    let (at, by) = ("x-signature-timestamp", "x-signature-ed25519");
    let later = format!("{now}0");
    let tampered = PING.replace("\"t\"", "\"T\"");
    let half = &signature[..64];
    for (what, headers, body) in [
        ("no headers", vec![], PING),
        ("no signature", vec![(at, now.as_str())], PING),
        ("no timestamp", vec![(by, signature.as_str())], PING),
        ("another body", vec![(at, now.as_str()), (by, signature.as_str())], tampered.as_str()),
        ("an empty body", vec![(at, now.as_str()), (by, signature.as_str())], ""),
        ("another timestamp", vec![(at, later.as_str()), (by, signature.as_str())], PING),
        ("no number", vec![(at, "now"), (by, signature.as_str())], PING),
        ("half a signature", vec![(at, now.as_str()), (by, half)], PING),
        ("no hexadecimal digits", vec![(at, now.as_str()), (by, "zz")], PING),
    ] {
        assert_eq!(post(world, &headers, body).await?, (401, String::new()), "{what}");
    }
    assert!(world.get("/metrics").await?.1.contains("reprise_interactions_total 0"));
    Ok(())
}

async fn a_body_over_the_limit_is_turned_away(world: &mut World) -> anyhow::Result<()> {
    start(world).await?;
    let large = format!("{PING}{}", " ".repeat(1024 * 1024));
    assert_eq!(post_signed(world, 0, &large).await?.0, 413);
    let fits = format!("{PING}{}", " ".repeat(1024 * 1024 - PING.len()));
    assert_eq!(post_signed(world, 0, &fits).await?.0, 200);
    Ok(())
}

async fn an_unknown_type_is_refused_counted_and_warned_about(world: &mut World) -> anyhow::Result<()> {
    start(world).await?;
    let later = json!({"id": "1", "type": 77, "token": "t"}).to_string();
    let suggestions = json!({"id": "1", "type": 4, "token": "t"}).to_string();
    for body in [later, suggestions, "[".to_owned(), String::new()] {
        assert_eq!(post_signed(world, 0, &body).await?, (400, String::new()), "{body}");
    }
    assert!(world.get("/metrics").await?.1.contains("reprise_interactions_undecodable_total 4"));
    assert_eq!(world.logs.text().matches("an interaction could not be decoded").count(), 4);
    Ok(())
}

async fn somebody_whose_interaction_cannot_be_decoded_hears_a_number(world: &mut World) -> anyhow::Result<()> {
    for transport in ["gateway", "http"] {
        world.set("discord.transport", transport);
        world.set("discord.public_key", &world.discord.public_key());
        world.start().await?;
        if transport == "http" {
            let url = url(world);
            world.discord.set_endpoint(Some(&url)).await?;
        }
        let altered = world.discord.type_altered(world.command(world.dev, "whoami"), |payload| {
            payload["data"] = json!({"a later version": true});
        });
        let interaction = altered.map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
        let answer = world.answer(interaction, &interaction.to_string()).await;
        assert!(answer.ephemeral(), "{transport}");
        assert!(world.get("/metrics").await?.1.contains("reprise_interactions_undecodable_total 1"), "{transport}");
        world.stop().await?;
    }
    Ok(())
}
