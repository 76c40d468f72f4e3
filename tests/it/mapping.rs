//! Who acts as whom: administrators decide, the bot checks by itself, and a restart changes nothing.

use sandbox::discord::Typing;
use sandbox::discord::permissions::Target;

use crate::support::{MANAGE_SERVER, World, stories};

stories![
    an_administrator_sets_shows_lists_and_removes_a_mapping,
    somebody_without_a_mapping_is_told_the_exact_next_step,
    nobody_else_administers,
    a_server_that_opens_the_command_to_everybody_opens_nothing,
    manage_server_counts_only_in_a_listed_server,
    help_and_whoami_are_private,
];

fn command(user: u64, channel: u64, name: &str) -> Typing {
    Typing::new(user, channel, name)
}

async fn an_administrator_sets_shows_lists_and_removes_a_mapping(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let (admin, channel, who) = (world.admin, world.channel, world.stranger.to_string());
    let set = command(admin, channel, "mapping set").option("user", who.as_str()).option("uid", "m.allory");
    let answer = world.ask(set).await?;
    assert!(answer.ephemeral() && answer.text().contains("m.allory"), "{}", answer.text());
    world.stop().await?;
    world.start().await?;
    let show = world.ask(command(admin, channel, "mapping show").option("user", who.as_str())).await?;
    assert!(show.text().contains("m.allory") && show.text().contains(&format!("<@{admin}>")), "{}", show.text());
    let same =
        command(admin, channel, "mapping set").option("user", admin.to_string().as_str()).option("uid", "m.allory");
    assert!(world.ask(same).await?.text().contains(&format!("<@{who}>")), "one UID for two people is shown");
    let list = world.ask(command(admin, channel, "mapping list").option("filter", "ALLORY")).await?.text();
    assert!(list.contains("m.allory") && !list.contains("dev.uid"), "{list}");
    let bad = command(admin, channel, "mapping set").option("user", who.as_str()).option("uid", "=cmd|x");
    assert!(world.ask(bad).await?.text().contains("=cmd"));
    world.ask(command(admin, channel, "mapping remove").option("user", who.as_str())).await?;
    let gone = world.ask(command(world.stranger, channel, "whoami")).await?.text();
    assert!(!gone.contains("m.allory"), "{gone}");
    Ok(())
}

async fn somebody_without_a_mapping_is_told_the_exact_next_step(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let answer = world.ask(world.retry(world.stranger, &build)).await?;
    let step = format!("/mapping set user:<@{}> uid:", world.stranger);
    assert!(answer.ephemeral() && answer.text().contains(&step), "{}", answer.text());
    assert!(world.bkci.requests().is_empty());
    Ok(())
}

async fn nobody_else_administers(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let typing = command(world.dev, world.channel, "mapping show").option("user", world.dev.to_string().as_str());
    assert!(world.discord.type_command(typing).is_err(), "Discord hides the command");
    world.stop().await?;
    world.set("admin.users", &world.stranger.to_string());
    world.start().await?;
    let whoami = world.ask(command(world.stranger, world.channel, "whoami")).await?.text();
    assert!(whoami.contains("administer"), "{whoami}");
    let whoami = world.ask(command(world.dev, world.channel, "whoami")).await?.text();
    assert!(!whoami.contains("administer"), "{whoami}");
    Ok(())
}

/// An administrator of the server may let anybody use the command (discord-rules 3); the bot refuses by itself.
async fn a_server_that_opens_the_command_to_everybody_opens_nothing(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    world.discord.permit_command(world.guild, "mapping", Target::Role(world.guild), true);
    let me = world.stranger.to_string();
    for typing in [
        world.command(world.stranger, "mapping set").option("user", me.as_str()).option("uid", "root"),
        world.command(world.stranger, "mapping remove").option("user", world.dev.to_string().as_str()),
        world.command(world.stranger, "mapping show").option("user", world.dev.to_string().as_str()),
        world.command(world.stranger, "mapping list"),
    ] {
        let name = typing.command.clone();
        let answer = world.ask(typing).await?;
        let text = answer.text();
        assert!(answer.ephemeral() && text.contains("administrators") && !text.contains("dev.uid"), "{name}: {text}");
    }
    let whoami = world.ask(world.command(world.stranger, "whoami")).await?.text();
    assert!(!whoami.contains("root"), "{whoami}");
    let whoami = world.ask(world.command(world.dev, "whoami")).await?.text();
    assert!(whoami.contains("dev.uid"), "{whoami}");
    Ok(())
}

async fn manage_server_counts_only_in_a_listed_server(world: &mut World) -> anyhow::Result<()> {
    world.set("discord.guild_ids", "");
    let other = world.discord.add_guild("Mine", "en-US");
    let channel = world.discord.add_channel(other, "mine");
    world.discord.join(other, world.stranger, MANAGE_SERVER, &[]);
    world.start().await?;
    let me = world.stranger.to_string();
    let set = command(world.stranger, channel, "mapping set").option("user", me.as_str()).option("uid", "root");
    let answer = world.ask(set).await?;
    assert!(answer.text().contains("administrators"), "{}", answer.text());
    let whoami = world.ask(command(world.stranger, channel, "whoami")).await?.text();
    assert!(!whoami.contains("root"), "{whoami}");
    Ok(())
}

async fn help_and_whoami_are_private(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for name in ["help", "whoami"] {
        let answer = world.ask(command(world.dev, world.channel, name)).await?;
        assert!(answer.ephemeral() && answer.text().contains("dev.uid"), "{}", answer.text());
    }
    let answer = world.ask(command(world.dev, world.channel, "help").locale("zh-CN")).await?;
    assert!(answer.text().contains("流水线") || answer.text().contains("构建"), "{}", answer.text());
    Ok(())
}
