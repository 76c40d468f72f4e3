//! Where the commands are registered, and that nothing is left behind elsewhere. Without the bot: what registers is the
//! same for `serve`, `check` and `commands`.

use std::time::Duration;

use reprise::discord::client::{Client, Options};
use reprise::text::command_description;
use sandbox::clock::Clock;
use sandbox::discord::{Discord, Scope};

async fn discord() -> anyhow::Result<(Discord, Client)> {
    let discord = Discord::start(sandbox::discord::Options::from_env(Clock::default())).await?;
    let client = Client::connect(options(&discord, discord.ca_pem())).await?;
    Ok((discord, client))
}

fn options(discord: &Discord, ca_pem: &str) -> Options {
    Options {
        token: discord.token().into(),
        connect_to: Some(discord.connect_to().to_string()),
        ca_pem: Some(ca_pem.as_bytes().to_vec()),
    }
}

fn places(discord: &Discord, guilds: &[u64]) -> Vec<bool> {
    let global = std::iter::once(Scope::Global);
    let scopes = global.chain(guilds.iter().map(|guild| Scope::Guild(*guild)));
    scopes.map(|scope| !discord.commands(scope).is_empty()).collect()
}

#[tokio::test]
async fn commands_are_where_they_belong_and_nowhere_else() -> anyhow::Result<()> {
    let (discord, client) = discord().await?;
    let guilds = [discord.add_guild("One", "en-US"), discord.add_guild("Two", "en-US")];
    for (served, changes, expected) in [
        (&guilds[..], (true, false), [false, true, true]),
        (&guilds[..1], (false, true), [false, true, false]),
        (&[], (true, true), [true, false, false]),
        (&guilds[1..], (true, false), [false, false, true]),
        (&guilds[1..], (false, false), [false, false, true]),
    ] {
        assert_eq!(client.is_registered(served, &command_description).await?, !changes.0, "{served:?}");
        let here = client.register(served, &command_description).await?;
        let elsewhere = client.clear_elsewhere(served).await?;
        assert_eq!((here.changed, elsewhere.changed), changes, "{served:?}");
        assert_eq!(places(&discord, &guilds), expected, "{served:?}");
        assert!(client.is_registered(served, &command_description).await?);
    }
    client.clear(&guilds).await?;
    assert_eq!(places(&discord, &guilds), [false, false, false]);
    let reads = discord.requests().into_iter().filter(|request| request.route.ends_with("/commands"));
    let reads: Vec<_> = reads.filter(|request| request.method == "GET").collect();
    assert!(!reads.is_empty() && reads.iter().all(|request| request.path.contains("with_localizations=true")));
    assert_eq!(discord.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_server_that_cannot_be_read_matters_only_where_it_is_served() -> anyhow::Result<()> {
    let (discord, client) = discord().await?;
    let guilds = [discord.add_guild("One", "en-US"), discord.add_guild("Two", "en-US")];
    let missing = serde_json::json!({"message": "Missing Access", "code": 50001});
    let two = guilds[1].to_string();
    let without_commands = move |request: &sandbox::discord::RequestRecord| request.path.contains(&two);
    discord.order(sandbox::discord::Fault::when(without_commands).times(u32::MAX).json(403, &missing));
    client.register(&guilds[..1], &command_description).await?;
    client.clear_elsewhere(&guilds[..1]).await?;
    let refused = client.register(&guilds, &command_description).await.expect_err("it is served");
    assert!(format!("{refused:#}").contains(&format!("in the server {}", guilds[1])), "{refused:#}");
    Ok(())
}

#[tokio::test]
async fn every_server_is_looked_at_however_many_there_are() -> anyhow::Result<()> {
    let (discord, client) = discord().await?;
    let guilds: Vec<u64> = (0..201).map(|number| discord.add_guild(&format!("Server {number}"), "en-US")).collect();
    let last = *guilds.last().expect("a server");
    client.register(&[last], &command_description).await?;
    assert!(!discord.commands(Scope::Guild(last)).is_empty());
    // Time runs fast, or the limit of 50 requests a second would take its own.
    let clock = discord.clock().clone();
    let hurry = tokio::spawn(async move {
        loop {
            clock.advance(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    client.clear_elsewhere(&guilds[..1]).await?;
    hurry.abort();
    assert!(discord.commands(Scope::Guild(last)).is_empty(), "the 201st server");
    assert!(client.permissions(last).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn every_certificate_of_the_file_is_trusted() -> anyhow::Result<()> {
    let (discord, _) = discord().await?;
    let another = Discord::another_ca_pem()?;
    let bundle = format!("{another}\n{}", discord.ca_pem());
    Client::connect(options(&discord, &bundle)).await?;
    let error = Client::connect(options(&discord, &another)).await.err().expect("not trusted");
    assert!(format!("{error:#}").contains("cannot be reached"), "{error:#}");
    let error = Client::connect(options(&discord, "# nothing")).await.err().expect("nothing in it");
    assert!(format!("{error:#}").contains("discord.ca_file"), "{error:#}");
    Ok(())
}

async fn swept(client: &Client) -> Option<usize> {
    client.sweep_rate_limits().await;
    client.rate_limits()
}

#[tokio::test]
async fn only_a_used_up_limit_is_remembered_and_only_until_it_is_over() -> anyhow::Result<()> {
    let (discord, client) = discord().await?;
    let guild = discord.add_guild("One", "en-US");
    client.register(&[guild], &command_description).await?;
    assert_eq!(swept(&client).await, Some(0), "nothing was used up");
    // Twenty in ten seconds is the double's limit; the last one comes near the end of that time.
    for _ in 0..19 {
        client.permissions(guild).await?;
    }
    discord.clock().advance(Duration::from_millis(9_000));
    client.permissions(guild).await?;
    assert_eq!(swept(&client).await, Some(1), "used up");
    let over = async {
        while swept(&client).await != Some(0) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), over).await?;
    Ok(())
}
