//! The person's language for private answers, the server's for public ones; refusals in words in each.

use sandbox::bkci::{Endpoint, Fault, Wrong};
use sandbox::discord::Typing;

use crate::support::{World, stories};

stories![
    private_answers_speak_the_persons_language_and_public_ones_the_servers,
    a_code_is_told_in_the_servers_language
];

/// A channel in a served server whose language is Chinese.
fn chinese_channel(world: &mut World) -> u64 {
    let guild = world.discord.add_guild("构建", "zh-CN");
    world.discord.join(guild, world.dev, 0, &[]);
    world.discord.join(guild, world.stranger, 0, &[]);
    world.set("discord.guild_ids", &format!("{},{guild}", world.guild));
    world.discord.add_channel(guild, "builds")
}

fn retry(world: &World, user: u64, channel: u64, build: &str) -> Typing {
    let typing = Typing { channel, ..world.retry(user, build) };
    typing.locale("ja")
}

async fn private_answers_speak_the_persons_language_and_public_ones_the_servers(
    world: &mut World,
) -> anyhow::Result<()> {
    let channel = chinese_channel(world);
    let build = world.failing_build();
    world.start().await?;
    let private = world.ask(retry(world, world.stranger, channel, &build)).await?;
    assert!(private.ephemeral() && private.text().contains("DevOps ユーザーに未連携です"), "{}", private.text());
    let private = world.ask(Typing::new(world.dev, channel, "whoami").locale("ja")).await?;
    assert!(private.ephemeral() && private.text().contains("として操作します"), "{}", private.text());
    let public = world.ask(retry(world, world.dev, channel, &build)).await?;
    assert!(!public.ephemeral() && public.text().contains("重试已受理"), "{}", public.text());
    // A language that is not spoken here becomes English.
    let other = world.ask(Typing::new(world.dev, channel, "whoami").locale("fr")).await?;
    assert!(other.text().contains("act at BK-CI as"), "{}", other.text());
    Ok(())
}

async fn a_code_is_told_in_the_servers_language(world: &mut World) -> anyhow::Result<()> {
    let channel = chinese_channel(world);
    let build = world.failing_build();
    world.forgive("BK-CI does not accept how this bot is set up");
    world.start().await?;
    for (endpoint, wrong, parts) in [
        (Endpoint::Retry, Wrong::Refusal(2_101_049), ["流水线队列已满", "2101049 (HTTP 400)"]),
        (Endpoint::Retry, Wrong::RateLimited { reset_s: 9 }, ["9 秒", "1642902"]),
        (Endpoint::Retry, Wrong::Gateway(1_640_301), ["没有该 API 的权限", "1640301"]),
        (Endpoint::Detail, Wrong::Gateway(1_640_001), ["bkci.app_secret", "1640001"]),
        (Endpoint::Detail, Wrong::Gateway(1_650_200), ["网关无法连接 BK-CI", "1650200"]),
        (Endpoint::Detail, Wrong::NginxBadGateway, ["网关无法连接 BK-CI", "HTTP 502"]),
        (Endpoint::Detail, Wrong::RequestTimeout, ["未在规定时间内响应", "HTTP 408"]),
        (Endpoint::Detail, Wrong::Unparsable, ["无法解析其内部服务", "2100110"]),
    ] {
        world.bkci.order(endpoint, Fault::answer(wrong.clone()));
        let text = world.ask(retry(world, world.dev, channel, &build)).await?.text();
        assert!(parts.iter().all(|part| text.contains(part)), "{wrong:?}: {text}");
    }
    assert!(world.bkci.accepted_retries(&build).is_empty());
    Ok(())
}
