//! `reprise check`: every part is tried whatever is wrong with the others, and each finding says what to do.

use sandbox::bkci::{Endpoint, Family, Right};

use crate::program::{run, text};
use crate::support::{World, stories};

stories![
    a_good_configuration_is_told_to_be_good,
    each_fault_is_told_with_its_key_and_the_other_parts_are_tried,
    with_everything_down_everything_is_told,
    the_servers_are_looked_at_one_by_one,
    the_way_that_interactions_take_is_looked_at,
    an_empty_list_of_servers_is_told,
    what_has_no_effect_is_told,
    what_callbacks_need_is_told,
    bkci_is_found_by_each_family_of_addresses,
];

struct Checked {
    code: Option<i32>,
    lines: String,
}

impl Checked {
    /// The lines with one mark.
    fn with(&self, mark: &str) -> Vec<&str> {
        self.lines.lines().filter(|line| line.starts_with(mark)).collect()
    }
}

async fn check(world: &World, arguments: &[&str], more: &[(&str, &str)]) -> anyhow::Result<Checked> {
    let ended = run(world, &[&["check"], arguments].concat(), more).await?;
    let lines = text(&ended.stdout);
    for secret in world.discord.secrets().into_iter().chain(world.bkci.secrets()) {
        assert!(!lines.contains(&secret) && !text(&ended.stderr).contains(&secret), "a secret is printed");
    }
    let lines = lines.replace(&world.guild.to_string(), "GUILD");
    let lines = lines.replace(&world.discord.application_id().to_string(), "APPLICATION");
    Ok(Checked { code: ended.status.code(), lines })
}

async fn a_good_configuration_is_told_to_be_good(world: &mut World) -> anyhow::Result<()> {
    let arguments = ["--as", "dev.uid", "--project", "demo"];
    let fresh = check(world, &arguments, &[]).await?;
    insta::allow_duplicates!(insta::assert_snapshot!(fresh.lines, @"
    ok      store.url: the database is open and its tables are up to date
    ok      http.listen: 127.0.0.1:0 can be listened on
    ok      discord.token: Discord knows it: application APPLICATION
    ok      discord.transport: interactions come by the gateway, and Discord says where it is
    ok      discord.guild_ids: server GUILD: the bot is there, and may view channels, send messages and embed links
    note    discord.guild_ids: server GUILD: the commands are not registered as this version has them; `serve` does so when it starts
    ok      bkci.base_url, bkci.app_code, bkci.app_secret: BK-CI answers and accepts the application
    ok      --as, --project: BK-CI shows the project demo to dev.uid
    "));
    assert_eq!(fresh.code, Some(0));
    run(world, &["commands", "register"], &[]).await?;
    let registered = check(world, &arguments, &[]).await?;
    assert_eq!((registered.code, registered.with("ok").len()), (Some(0), 8), "{}", registered.lines);
    Ok(())
}

async fn each_fault_is_told_with_its_key_and_the_other_parts_are_tried(world: &mut World) -> anyhow::Result<()> {
    let nobody = "127.0.0.1:1";
    let cases = [
        ("REPRISE__STORE__URL", "sqlite:///nowhere/reprise.db", "store.url: opening the SQLite database"),
        ("REPRISE__STORE__URL", "postgres://u:hunter2@no.such.invalid/d", "store.url: connecting to the PostgreSQL"),
        ("REPRISE__HTTP__LISTEN", "192.0.2.1:80", "http.listen: 192.0.2.1:80: Cannot assign requested address"),
        ("REPRISE__DISCORD__TOKEN", "hunter2", "discord.token: Discord does not accept it. Developer portal"),
        ("REPRISE__DISCORD__CONNECT_TO", nobody, "discord.connect_to: nothing answers there as discord.com"),
        ("REPRISE__DISCORD__CONNECT_TO", "no.such.invalid:1", "discord.connect_to: discord.connect_to: failed to lo"),
        ("REPRISE__BKCI__BASE_URL", "http://127.0.0.1:1/x", "bkci.base_url: no connection to bkci.base_url"),
        ("REPRISE__BKCI__APP_SECRET", "hunter2", "bkci.base_url, bkci.app_code, bkci.app_secret: the gateway answers"),
    ];
    for (name, value, expected) in cases {
        let checked = check(world, &[], &[(name, value)]).await?;
        let failed = checked.with("FAILED");
        assert!(failed.len() == 1 && failed[0][8..].starts_with(expected), "{name}={value}\n{}", checked.lines);
        assert_eq!(checked.code, Some(1), "{name}={value}\n{}", checked.lines);
        for part in ["store.", "http.", "discord.", "bkci."] {
            let tried = checked.lines.lines().any(|line| line[8..].starts_with(part));
            assert!(tried, "{part} was not tried with {name}={value}\n{}", checked.lines);
        }
        assert!(!checked.lines.contains("hunter2"), "{}", checked.lines);
    }
    world.start().await?;
    let checked = check(world, &[], &[("REPRISE__BKCI__BASE_URL", world.address())]).await?;
    assert!(checked.with("FAILED")[0].contains("this is not BK-CI's form of an answer"), "{}", checked.lines);
    world.bkci.permit("eve", "demo", &world.pipeline, &[Right::View]);
    for (uid, project, expected) in [
        ("nobody", "demo", "nobody may not see the project demo"),
        ("eve", "elsewhere", "BK-CI knows no project elsewhere"),
    ] {
        let checked = check(world, &["--as", uid, "--project", project], &[]).await?;
        assert!(checked.with("FAILED")[0].contains(expected), "{}", checked.lines);
        assert_eq!(checked.code, Some(1));
    }
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    Ok(())
}

async fn with_everything_down_everything_is_told(world: &mut World) -> anyhow::Result<()> {
    world.discord.pause().await;
    world.bkci.down().await?;
    let broken = [("REPRISE__STORE__URL", "sqlite:///nowhere/reprise.db")];
    let checked = check(world, &["--as", "dev.uid", "--project", "demo"], &broken).await?;
    let keys: Vec<_> = checked.with("FAILED").iter().filter_map(|line| line[8..].split(": ").next()).collect();
    assert_eq!(keys, ["store.url", "discord.connect_to", "bkci.base_url"], "{}", checked.lines);
    assert_eq!(checked.with("note"), ["note    --as, --project: demo was not tried as dev.uid"]);
    assert_eq!(checked.code, Some(1));
    world.discord.resume().await;
    world.bkci.up().await?;
    Ok(())
}

async fn the_servers_are_looked_at_one_by_one(world: &mut World) -> anyhow::Result<()> {
    let other = world.discord.add_guild("Testers", "en-US");
    let both = format!("{},{other}", world.guild);
    let guilds = [("REPRISE__DISCORD__GUILD_IDS", both.as_str())];
    let invite = "https://discord.com/oauth2/authorize?client_id=APPLICATION&scope=bot+applications.commands\
                  &permissions=19456&guild_id=";
    world.discord.set_bot_permissions(world.guild, 1 << 10);
    world.discord.set_everyone_permissions(world.guild, 0);
    world.discord.leave(other, world.discord.bot());
    let checked = check(world, &[], &guilds).await?;
    let failed = checked.with("FAILED");
    let lacks = format!(
        "FAILED  discord.guild_ids: server GUILD: the bot lacks there: Send Messages, Embed Links. Invite the bot (again) with all it needs: {invite}GUILD"
    );
    assert_eq!(failed[0], lacks, "{}", checked.lines);
    assert!(failed[1].contains(&format!("server {other}: the bot is not there. ")), "{}", checked.lines);
    assert!(failed[1].ends_with(&format!("{invite}{other}")), "{}", checked.lines);
    assert!(failed[2].contains(&format!("server {other}: reading the commands")), "{}", checked.lines);
    assert_eq!((failed.len(), checked.code), (3, Some(1)), "{}", checked.lines);
    world.discord.invite_bot(other);
    world.discord.set_bot_permissions(world.guild, 1 << 3);
    assert_eq!(check(world, &[], &guilds).await?.code, Some(0), "an administrator may everything");
    Ok(())
}

async fn the_way_that_interactions_take_is_looked_at(world: &mut World) -> anyhow::Result<()> {
    world.set("discord.transport", "http");
    world.set("discord.public_key", &world.discord.public_key());
    let before = check(world, &[], &[]).await?;
    let failed = before.with("FAILED");
    assert!(failed.len() == 1 && failed[0].contains("Discord does not know where to send"), "{}", before.lines);
    world.start().await?;
    let endpoint = format!("{}/discord/interactions", world.address());
    world.discord.set_endpoint(Some(&endpoint)).await?;
    let running = check(world, &[], &[]).await?;
    assert_eq!(running.code, Some(0), "{}", running.lines);
    let other_key = "ab".repeat(32);
    let wrong_key = check(world, &[], &[("REPRISE__DISCORD__PUBLIC_KEY", &other_key)]).await?;
    assert!(wrong_key.with("FAILED")[0].starts_with("FAILED  discord.public_key: is not this"), "{}", wrong_key.lines);
    let gateway = check(world, &[], &[("REPRISE__DISCORD__TRANSPORT", "gateway")]).await?;
    let expected =
        format!("FAILED  discord.transport: Discord sends interactions to {endpoint} and none to the gateway");
    assert!(gateway.with("FAILED")[0].starts_with(&expected), "{}", gateway.lines);
    let listen = world.address().strip_prefix("http://").expect("an address").to_owned();
    let in_use = check(world, &[], &[("REPRISE__HTTP__LISTEN", &listen)]).await?;
    assert!(in_use.with("note")[0].contains("is in use; by this bot, if"), "{}", in_use.lines);
    Ok(())
}

async fn an_empty_list_of_servers_is_told(world: &mut World) -> anyhow::Result<()> {
    let everywhere = ("REPRISE__DISCORD__GUILD_IDS", "");
    let nobody = check(world, &[], &[everywhere]).await?;
    assert!(nobody.with("note")[0].contains("every server is served and nobody administers"), "{}", nobody.lines);
    assert_eq!(nobody.code, Some(0));
    let someone = check(world, &[], &[everywhere, ("REPRISE__ADMIN__USERS", "17")]).await?;
    assert!(someone.with("note")[0].contains("only admin.users and admin.roles administer"), "{}", someone.lines);
    assert!(someone.with("note")[1].contains("globally: the commands are not registered"), "{}", someone.lines);
    Ok(())
}

async fn what_has_no_effect_is_told(world: &mut World) -> anyhow::Result<()> {
    let checked = check(world, &[], &[("REPRISE__ADMIN__CHANNEL", "17")]).await?;
    assert!(checked.with("note").contains(&"note    admin.channel: is set, and has no effect in this version"));
    assert_eq!(checked.code, Some(0));
    Ok(())
}

async fn what_callbacks_need_is_told(world: &mut World) -> anyhow::Result<()> {
    let url = ("REPRISE__HTTP__PUBLIC_URL", "https://bot.example.com");
    let open = ("REPRISE__HTTP__PUBLIC_URL", "http://bot.example.com");
    let token = ("REPRISE__BKCI__CALLBACK_TOKEN", "hunter2");
    let projects = ("REPRISE__FOLLOW__PROJECT_CALLBACKS", "true");
    for (more, mark, part) in [
        (vec![url], "FAILED", "bkci.callback_token: is empty, so no callbacks are registered"),
        (vec![token], "note", "http.public_url: is empty, so callbacks are accepted and none are registered"),
        (vec![projects], "note", "follow.project_callbacks: without http.public_url and bkci.callback_token"),
        (vec![url, token], "note", "follow.project_callbacks: bkci.api v3 has callbacks of whole projects only"),
        (
            vec![url, token, projects],
            "ok",
            "of whole projects are registered for https://bot.example.com/bkci/callback",
        ),
        (vec![open, token, projects], "note", "by http:// the token can be read"),
    ] {
        let checked = check(world, &[], &more).await?;
        assert!(checked.with(mark).iter().any(|line| line.contains(part)), "{more:?}\n{}", checked.lines);
        assert_eq!(checked.code, Some(i32::from(mark == "FAILED")), "{}", checked.lines);
        assert!(!checked.lines.contains("hunter2"), "{}", checked.lines);
    }
    Ok(())
}

async fn bkci_is_found_by_each_family_of_addresses(world: &mut World) -> anyhow::Result<()> {
    for family in [Family::V3, Family::V4, Family::V4Backend] {
        world.speak(family);
        let before = world.bkci.requests().len();
        let checked = check(world, &["--as", "dev.uid", "--project", "demo"], &[]).await?;
        assert_eq!(checked.code, Some(0), "{family:?}: {}", checked.lines);
        let asked: Vec<_> = world.bkci.requests().into_iter().skip(before).map(|request| request.family).collect();
        assert_eq!(asked, [Some(family); 2], "once as nobody, once as the user");
    }
    world.bkci.demand_gateway(true);
    let checked = check(world, &[], &[]).await?;
    assert!(checked.with("FAILED")[0].contains("gateway's address"), "{}", checked.lines);
    Ok(())
}
