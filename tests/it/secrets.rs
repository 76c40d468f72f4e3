//! What goes wrong in the libraries between us and Discord must not bring a token into the log. Each story ends with a
//! search of everything that was logged, at `debug`, for every secret of both doubles.

use sandbox::discord::Fault;
use serde_json::json;

use crate::support::{World, stories};

stories![
    a_frame_that_cannot_be_read_is_not_quoted,
    an_answer_that_nobody_expected_does_not_bring_its_address_into_the_log,
    a_broken_interaction_is_not_quoted,
];

async fn a_frame_that_cannot_be_read_is_not_quoted(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let interaction = world.send(world.command(world.dev, "whoami"))?;
    world.answer(interaction, "").await;
    let token = world.discord.token_of(interaction).expect("a token");
    let whole = json!({"op": 0, "t": "INTERACTION_CREATE", "s": "later", "d": {"token": token}}).to_string();
    let half = whole.trim_end_matches('}');
    for frame in [whole.as_str(), half] {
        world.discord.send_frame(frame);
        assert!(world.ask(world.command(world.dev, "whoami")).await?.text().contains("dev.uid"));
    }
    Ok(())
}

async fn an_answer_that_nobody_expected_does_not_bring_its_address_into_the_log(
    world: &mut World,
) -> anyhow::Result<()> {
    world.start().await?;
    let callback = "/interactions/{interaction_id}/{interaction_token}/callback";
    for fault in [
        Fault::on("POST", callback).json(200, &json!({})),
        Fault::on("POST", callback).json(400, &json!({"code": 50035, "message": "Invalid Form Body"})),
        Fault::on("POST", callback).html_502(),
        Fault::on("POST", callback).times(20).lose_request(),
    ] {
        world.discord.order(fault);
        let before = world.logs.text().len();
        world.send(world.command(world.dev, "whoami"))?;
        let told = async {
            while !["said", "cannot be said", "nothing was done"]
                .iter()
                .any(|end| world.logs.text()[before..].contains(end))
            {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), told).await?;
        world.discord.clear_faults();
    }
    world.stop().await?;
    // Twice it could not know that Discord had never heard of an acknowledgement, and tried to answer.
    let never_answered = world.discord.take_violations();
    assert!(never_answered.len() == 2 && never_answered.iter().all(|one| one.contains("10015")), "{never_answered:?}");
    Ok(())
}

async fn a_broken_interaction_is_not_quoted(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for data in [
        json!({"id": "1", "type": 2, "token": "interaction-token-of-nobody", "data": {"name": 5}}),
        json!({"id": "1", "type": 77, "token": "interaction-token-of-later"}),
        json!({"id": "interaction-token-as-an-id", "token": "interaction-token-and-a-bad-id"}),
    ] {
        world.discord.send_raw("INTERACTION_CREATE", data);
    }
    let counted = async {
        while !world.get("/metrics").await?.1.contains("reprise_interactions_undecodable_total 3") {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), counted).await??;
    world.logs.wait_for("the person could not be told of an incident").await;
    assert!(world.discord.secrets().iter().any(|secret| secret.ends_with("of-nobody")));
    Ok(())
}
