//! Something fails on our side: the person gets a number that stands in the log, nothing is left due, and what was true
//! stays said.

use std::sync::Arc;

use anyhow::Context as _;
use reprise::app::App;
use reprise::commands::{self, Request};
use reprise::discord::client::Client;
use reprise::discord::endpoint::Endpoint;
use reprise::discord::handle::Front;
use reprise::discord::slash;
use reprise::telemetry::Metrics;
use reprise::{bkci, http, outbox, run, text};
use sandbox::discord::{Acknowledged, Discord};
use secrecy::ExposeSecret as _;
use serenity::all::Interaction;
use tokio_util::sync::CancellationToken;

use crate::support::{World, stories};

stories![
    a_panic_gives_the_person_the_number_that_is_in_the_log,
    a_panic_before_the_acknowledgement_is_told_too,
    what_was_decided_before_a_panic_is_said,
    an_incident_never_replaces_an_answer,
];

/// How a test serves the next interaction.
type Serve = Arc<dyn Fn(&Front, Request) + Send + Sync>;

/// The bot's front on the signed transport, without the workers, serving as the test wants it.
async fn front(world: &World, serve: Serve) -> anyhow::Result<Front> {
    let settings = Arc::new(world.settings()?);
    let store = world.store().await?;
    let app = App {
        bkci: bkci::Client::new(run::bkci_options(&settings))?,
        metrics: Arc::new(Metrics::new(store.written())),
        settings,
        store,
        wake: Arc::default(),
        clock: world.clock(),
    };
    let client = Client::connect(run::discord_options(&app.settings)?).await?;
    client.register(&app.settings.discord.guild_ids, &text::command_description).await?;
    let front = Front { app, client, tasks: Default::default(), told: Default::default(), lists: Default::default() };
    let served = front.clone();
    let take = move |interaction| {
        let Interaction::Command(command) = interaction else { panic!("a command") };
        serve(&served, slash::read(&command).expect("a request"));
    };
    let clock = front.app.clock.clone();
    let endpoint = Endpoint::new(&world.discord.public_key(), clock, Arc::new(take), Arc::new(|_| {}))?;
    let parts = http::Parts {
        ready: Arc::new(|| Box::pin(async { Ok("ok".to_owned()) })),
        metrics: Arc::new(String::new),
        endpoint: Some(endpoint),
        callback: None,
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/discord/interactions", listener.local_addr()?);
    tokio::spawn(http::serve(listener, http::router(parts), CancellationToken::new()));
    world.discord.set_endpoint(Some(&url)).await?;
    Ok(front)
}

fn token(request: &Request) -> &str {
    request.token.as_ref().map_or("", |(token, _)| token.expose_secret())
}

/// As the bot serves, as far as the acknowledgement.
async fn begin(front: &Front, request: &Request) -> anyhow::Result<reprise::store::receipts::Claimed> {
    let opened = commands::open(&front.app, request).await?;
    let now = front.app.clock.now();
    let receipt = front.app.store.receive(request, opened.answer, (now, now)).await?;
    front.client.acknowledge(request.interaction, token(request), opened.answer).await?;
    receipt.context("a receipt")
}

async fn a_panic_gives_the_person_the_number_that_is_in_the_log(world: &mut World) -> anyhow::Result<()> {
    world.forgive("serving an interaction failed");
    let build = world.failing_build();
    let serve: Serve = Arc::new(|front, request| {
        let (panicking, asked) = (front.clone(), request.clone());
        front.hold(request, async move {
            begin(&panicking, &asked).await?;
            panic!("with {}", token(&asked));
        });
    });
    let front = front(world, serve).await?;
    for typing in [world.retry(world.dev, &build), world.command(world.dev, "whoami")] {
        let interaction = world.send(typing)?;
        let number = interaction.to_string();
        world.answer(interaction, &number).await;
        assert!(world.logs.errors(&[]).iter().any(|line| line.contains(&format!("incident={number}"))), "{number}");
    }
    front.tasks.close();
    front.tasks.wait().await;
    assert_eq!(front.app.store.left_to_do(world.clock().now()).await?, 0);
    assert!(world.bkci.requests().is_empty());
    Ok(())
}

async fn a_panic_before_the_acknowledgement_is_told_too(world: &mut World) -> anyhow::Result<()> {
    world.forgive("serving an interaction failed");
    let serve: Serve = Arc::new(|front, request| front.hold(request, async { panic!("at once") }));
    let _front = front(world, serve).await?;
    let interaction = world.send(world.command(world.dev, "whoami"))?;
    let answer = world.answer(interaction, &interaction.to_string()).await;
    assert!(answer.ephemeral());
    let first = world.discord.interaction(interaction).and_then(|seen| seen.acknowledged);
    assert!(matches!(first, Some(Acknowledged { callback: 4, .. })), "{first:?}");
    Ok(())
}

async fn what_was_decided_before_a_panic_is_said(world: &mut World) -> anyhow::Result<()> {
    world.forgive("serving an interaction failed");
    let serve: Serve = Arc::new(|front, request| {
        let (panicking, asked) = (front.clone(), request.clone());
        front.hold(request, async move {
            let receipt = begin(&panicking, &asked).await?;
            let decision = commands::open(&panicking.app, &asked).await?.decide(&panicking.app).await;
            commands::record(&panicking.app, &receipt, decision).await?;
            panic!("before it is said");
        });
    });
    let front = front(world, serve).await?;
    let interaction = world.send(world.command(world.dev, "whoami"))?;
    world.logs.wait_for("serving an interaction failed").await;
    front.tasks.close();
    front.tasks.wait().await;
    assert_eq!(world.discord.answer(interaction), None, "a number would stand in the place of the truth");
    world.pass(std::time::Duration::from_secs(31));
    assert!(outbox::step(&front.app, &front.client).await?, "the row was left to the workers");
    world.answer(interaction, "dev.uid").await;
    Ok(())
}

async fn an_incident_never_replaces_an_answer(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let interaction = world.send(world.command(world.dev, "whoami"))?;
    let answer = world.answer(interaction, "dev.uid").await;
    world.stop().await?;
    let client = Client::connect(run::discord_options(&world.settings()?)?).await?;
    let token = world.discord.token_of(interaction).context("a token")?;
    client.incident(reprise::model::ids::InteractionId(interaction), &token, "number 5").await?;
    assert_eq!(world.discord.answer(interaction), Some(answer));
    let shown = |discord: &Discord| {
        let further = *discord.interaction(interaction)?.followups.first()?;
        discord.message(further)
    };
    let further = shown(&world.discord).context("a further message")?;
    assert!(further.ephemeral() && further.text().contains("number 5"));
    Ok(())
}
