//! Both transports lead to the same place, and their known troubles are noticed.

use sandbox::bkci::Endpoint;
use sandbox::discord::Scope;

use crate::support::{World, stories};

stories![
    a_signed_post_retries_a_build,
    by_signed_post_too_what_is_typed_is_suggested_and_buttons_act,
    commands_are_registered_only_when_they_differ,
    an_interaction_that_cannot_be_decoded_is_counted,
    health_readiness_and_metrics_answer,
    half_a_request_does_not_hold_up_the_stop,
    limits_of_interactions_that_are_over_are_forgotten_in_time,
    a_proxy_of_the_environment_is_not_asked_for_what_is_led_elsewhere,
    without_a_gateway_address_the_start_fails,
];

async fn start_by_signed_post(world: &mut World) -> anyhow::Result<()> {
    world.set("discord.transport", "http");
    world.set("discord.public_key", &world.discord.public_key());
    world.start().await?;
    let url = format!("{}/discord/interactions", world.address());
    world.discord.set_endpoint(Some(&url)).await
}

async fn a_signed_post_retries_a_build(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    start_by_signed_post(world).await?;
    let answer = world.ask(world.retry(world.dev, &build)).await?;
    assert!(answer.text().contains(&build));
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    Ok(())
}

async fn by_signed_post_too_what_is_typed_is_suggested_and_buttons_act(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    start_by_signed_post(world).await?;
    // On a busy machine the first keystroke may come before BK-CI has answered.
    let mut suggested = Vec::new();
    for _ in 0..20 {
        let typing = world.command(world.dev, "retry").option("project", "de");
        suggested = world.discord.autocomplete(typing, "project").await.map_err(|why| anyhow::anyhow!("{why:?}"))?;
        if !suggested.is_empty() {
            break;
        }
    }
    assert_eq!(suggested[0]["value"], "demo");
    let shown = world.ask(world.retry(world.dev, &build).option("preview", true)).await?;
    let run = format!("run:{}", shown.interaction.as_ref().expect("an answer").id);
    let pressed = world.discord.press(world.dev, shown.id, &run).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    world.answer(pressed, "Accepted").await;
    world.settled().await?;
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    Ok(())
}

async fn commands_are_registered_only_when_they_differ(world: &mut World) -> anyhow::Result<()> {
    let puts = |world: &World| world.discord.requests().iter().filter(|request| request.method == "PUT").count();
    world.start().await?;
    assert_eq!(puts(world), 1);
    world.stop().await?;
    world.start().await?;
    assert_eq!(puts(world), 1, "the same commands are left alone");
    world.stop().await?;
    world.set("discord.guild_ids", "");
    world.start().await?;
    let guild = Scope::Guild(world.guild);
    let cleared = |discord: &sandbox::discord::Discord| discord.commands(guild).is_empty().then_some(());
    world.discord.wait_for("moving to global to clear the server's", cleared).await;
    assert!(!world.discord.commands(Scope::Global).is_empty());
    Ok(())
}

async fn an_interaction_that_cannot_be_decoded_is_counted(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    world.discord.send_raw("INTERACTION_CREATE", serde_json::json!({"id": "1", "type": 77, "token": 5}));
    let counted = async {
        loop {
            if world.get("/metrics").await?.1.contains("reprise_interactions_undecodable_total 1") {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), counted).await?
}

async fn health_readiness_and_metrics_answer(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    assert_eq!(world.get("/healthz").await?.0, 200);
    let ready = async {
        loop {
            if world.get("/readyz").await?.0 == 200 {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), ready).await??;
    world.ask(sandbox::discord::Typing::new(world.dev, world.channel, "help")).await?;
    assert!(world.get("/metrics").await?.1.contains("reprise_interactions_total 1"));
    assert_eq!(world.get("/bkci/callback").await?.0, 404);
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    Ok(())
}

async fn half_a_request_does_not_hold_up_the_stop(world: &mut World) -> anyhow::Result<()> {
    use tokio::io::AsyncWriteExt as _;
    world.start().await?;
    let address = world.address().trim_start_matches("http://").to_owned();
    let mut connection = tokio::net::TcpStream::connect(&address).await?;
    connection.write_all(b"POST /discord/interactions HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\n{").await?;
    let mut another = tokio::net::TcpStream::connect(&address).await?;
    another.write_all(b"GET /health").await?;
    assert_eq!(world.get("/healthz").await?.0, 200, "both are in its hands by now");
    let told = std::time::Instant::now();
    world.stop().await?;
    assert!(told.elapsed() < std::time::Duration::from_secs(6), "{:?}", told.elapsed());
    Ok(())
}

async fn limits_of_interactions_that_are_over_are_forgotten_in_time(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for _ in 0..12 {
        world.ask(world.command(world.dev, "whoami")).await?;
    }
    let remembered = async |world: &World| {
        let metrics = world.get("/metrics").await?.1;
        let line = metrics.lines().find_map(|line| line.strip_prefix("reprise_discord_rate_limits "));
        anyhow::Ok(line.unwrap_or_default().parse::<u32>()?)
    };
    assert!(remembered(world).await? >= 12, "one for each acknowledgement");
    world.pass(std::time::Duration::from_secs(61));
    let forgotten = async {
        while remembered(world).await? > 2 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), forgotten).await?
}

/// `discord.connect_to` leads to the double; a proxy would lead to the real Discord.
async fn a_proxy_of_the_environment_is_not_asked_for_what_is_led_elsewhere(world: &mut World) -> anyhow::Result<()> {
    use tokio::io::AsyncReadExt as _;
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", proxy.local_addr()?);
    let command = |world: &World, connect_to: &str| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_reprise"));
        command.args(["commands", "register"]).current_dir(world.folder()).kill_on_drop(true);
        command.env_clear().envs(world.environment()).env("REPRISE__DISCORD__CONNECT_TO", connect_to);
        command.env("HTTPS_PROXY", &address).env("https_proxy", &address).output()
    };
    let led_elsewhere = command(world, &world.discord.connect_to().to_string()).await?;
    assert!(led_elsewhere.status.success(), "{}", String::from_utf8_lossy(&led_elsewhere.stderr));
    assert!(!world.discord.commands(Scope::Guild(world.guild)).is_empty());
    // Without it the operator's proxy is used.
    let asked = async {
        let mut connection = proxy.accept().await?.0;
        let mut request = [0; 23];
        connection.read_exact(&mut request).await?;
        anyhow::Ok(String::from_utf8_lossy(&request).into_owned())
    };
    let (direct, asked) = tokio::join!(command(world, ""), asked);
    assert!(!direct?.status.success());
    assert_eq!(asked?, "CONNECT discord.com:443");
    Ok(())
}

async fn without_a_gateway_address_the_start_fails(world: &mut World) -> anyhow::Result<()> {
    use sandbox::discord::Fault;
    world.discord.order(Fault::when(|request| request.path.starts_with("/gateway")).times(50).status(500));
    let shutdown = tokio_util::sync::CancellationToken::new();
    let settings = reprise::config::Settings::load(&[], world.environment().into_iter());
    let settings = settings.map_err(|faults| anyhow::anyhow!("{faults}"))?;
    let listener = tokio::net::TcpListener::bind(settings.http.listen).await?;
    let started = reprise::run::run(settings, listener, reprise::clock::Clock::default(), shutdown).await;
    let error = started.expect_err("there is no fallback").to_string();
    assert!(error.contains("gateway"), "{error}");
    world.discord.clear_faults();
    Ok(())
}
