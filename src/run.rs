//! Builds the parts, starts them, watches over them, and stops them in order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{App, Wake};
use crate::bkci;
use crate::callback::Callback;
use crate::clock::Clock;
use crate::commands::spoken::Told;
use crate::config::{self, Settings};
use crate::discord::OnMessage;
use crate::discord::client::{self, Client};
use crate::discord::endpoint::Endpoint;
use crate::discord::gateway::{Ears, Gateway, Status};
use crate::discord::handle::Front;
use crate::follower::pace::Pace;
use crate::model::Locale;
use crate::model::ids::InteractionId;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::worker::{POLL, Worker};
use crate::{follower, http, operations, outbox, recovery, text, worker};

/// What is in hand when the program is told to stop may take so long, and so may the workers' steps after that; the
/// rest stays in rows.
const DRAIN: Duration = Duration::from_secs(10);

/// The store may take so long to let go of its files and connections.
const CLOSE: Duration = Duration::from_secs(3);

/// So many looks are taken at the same time: while one waits for BK-CI, the next goes out. The pace is theirs together;
/// answers may take a third of a second each until 25 requests a second are too many for so few.
const FOLLOWERS: usize = 8;

/// How often rate-limit entries of interactions that are over are thrown away.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Runs the bot until `shutdown`, or until something failed for good.
///
/// # Errors
/// The store, Discord or the configuration do not allow to start; or the gateway is lost for good.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    clock: Clock,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let store = Store::open(&settings.store.url).await?;
    store.take_over().await?;
    let metrics = Arc::new(Metrics::new(store.written()));
    let app = App {
        bkci: bkci::Client::new(bkci_options(&settings))?.observed_by({
            let metrics = metrics.clone();
            move |call| metrics.bkci_call(call.endpoint, call.outcome, call.took)
        }),
        settings: Arc::new(settings),
        store,
        wake: Arc::new(Wake::default()),
        clock,
        metrics,
    };
    operations::hooks::align(&app).await?;
    let ended = supervise(&app, listener, &shutdown).await;
    if tokio::time::timeout(CLOSE, app.store.close()).await.is_err() {
        tracing::warn!("stopped while the store was at work");
    }
    ended
}

async fn supervise(app: &App, listener: TcpListener, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let Some(started) = shutdown.run_until_cancelled(connect(app)).await else { return Ok(()) };
    let (client, gateway) = started?;
    let tasks = TaskTracker::new();
    let front = Front {
        app: app.clone(),
        client: client.clone(),
        tasks: tasks.clone(),
        told: Told::default(),
        lists: Arc::default(),
    };
    let status = gateway.as_ref().map(Gateway::status);
    let router = http::router(http::Parts {
        ready: ready(app.store.clone(), status),
        metrics: {
            let (metrics, client) = (app.metrics.clone(), client.clone());
            Arc::new(move || {
                if let Some(routes) = client.rate_limits() {
                    metrics.rate_limits(routes);
                }
                metrics.encode()
            })
        },
        endpoint: endpoint(app, &front)?,
        callback: Callback::new(app, &tasks),
    });

    // Interactions stop first, then what is in hand is finished, then the workers stop.
    let workers_stop = CancellationToken::new();
    let workers = TaskTracker::new();
    start_workers(app, &client, &workers, &workers_stop);
    tidy_elsewhere(app, &client, &workers, &workers_stop);
    let serving = http::serve(listener, router, workers_stop.clone());
    let interactions = async {
        match gateway {
            Some(gateway) => gateway.run(ears(&front), shutdown.clone()).await,
            None => {
                shutdown.cancelled().await;
                Ok(())
            }
        }
    };
    let http_serving = tokio::spawn(serving);
    let ended = interactions.await;
    tasks.close();
    if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
        tracing::warn!(left = tasks.len(), "stopped with something in hand; it goes on from its rows after a restart");
    }
    workers_stop.cancel();
    workers.close();
    if tokio::time::timeout(DRAIN, workers.wait()).await.is_err() {
        tracing::warn!("stopped with a step under way; it goes on from its rows after a restart");
    }
    http_serving.await.context("serving HTTP")??;
    ended
}

/// Everything that is asked of Discord before the first interaction can come.
async fn connect(app: &App) -> anyhow::Result<(Client, Option<Gateway>)> {
    let settings = &app.settings;
    let client = Client::connect(discord_options(settings)?).await?;
    let registered = client.register(&settings.discord.guild_ids, &text::command_description).await?;
    tracing::info!(changed = registered.changed, "commands are registered");
    let gateway = match settings.discord.transport {
        config::Transport::Gateway => {
            Some(Gateway::connect(&client, &discord_options(settings)?, app.clock.clone()).await?)
        }
        config::Transport::Http => None,
    };
    Ok((client, gateway))
}

fn start_workers(app: &App, client: &Client, workers: &TaskTracker, stop: &CancellationToken) {
    let bells = &app.wake;
    let worker = |name, bell: &Arc<Notify>, poll| Worker {
        name,
        bell: bell.clone(),
        poll,
        clock: app.clock.clone(),
        shutdown: stop.clone(),
    };
    let parts = app.clone();
    workers.spawn(worker::run(worker("recovery", &bells.receipts, POLL), move || {
        let app = parts.clone();
        async move { recovery::step(&app).await }
    }));
    let parts = app.clone();
    workers.spawn(worker::run(worker("operations", &bells.operations, POLL), move || {
        let app = parts.clone();
        async move { operations::step(&app).await }
    }));
    let parts = app.clone();
    workers.spawn(worker::run(worker("hooks", &bells.hooks, POLL), move || {
        let app = parts.clone();
        async move { operations::hooks::step(&app).await }
    }));
    let pace = Arc::new(Pace::new(app.settings.bkci.max_requests_per_s));
    let often = POLL.min(app.settings.follow.poll / 4);
    for _ in 0..FOLLOWERS {
        let parts = (app.clone(), pace.clone());
        workers.spawn(worker::run(worker("follower", &bells.follower, often), move || {
            let (app, pace) = parts.clone();
            async move { follower::step(&app, &pace).await }
        }));
    }
    let parts = (app.clone(), client.clone());
    workers.spawn(worker::run(worker("outbox", &bells.outbox, POLL), move || {
        let (app, client) = parts.clone();
        async move { outbox::step(&app, &client).await }
    }));
    let (clock, client, stop) = (app.clock.clone(), client.clone(), stop.clone());
    workers.spawn(async move {
        while stop.run_until_cancelled(clock.sleep(SWEEP_EVERY)).await.is_some() {
            client.sweep_rate_limits().await;
        }
    });
}

/// What an earlier configuration left in other servers. Nobody waits for it.
fn tidy_elsewhere(app: &App, client: &Client, workers: &TaskTracker, stop: &CancellationToken) {
    let (app, client, stop) = (app.clone(), client.clone(), stop.clone());
    workers.spawn(async move {
        match stop.run_until_cancelled(client.clear_elsewhere(&app.settings.discord.guild_ids)).await {
            Some(Ok(cleared)) if cleared.changed => {
                tracing::info!("commands are cleared in servers that are not served")
            }
            Some(Err(error)) => {
                tracing::warn!(error = format!("{error:#}"), "commands may show in servers that are not served");
            }
            Some(Ok(_)) | None => {}
        }
    });
}

fn ears(front: &Front) -> Ears {
    let hearing = front.clone();
    let message: OnMessage = Arc::new(move |message, bot| hearing.hear(&message, bot));
    Ears {
        interaction: on_interaction(front),
        undecodable: on_undecodable(front),
        message: front.app.settings.discord.words.then_some(message),
    }
}

fn on_interaction(front: &Front) -> crate::discord::OnInteraction {
    let front = front.clone();
    Arc::new(move |interaction| {
        front.app.metrics.interaction_received();
        front.take(interaction);
    })
}

fn on_undecodable(front: &Front) -> crate::discord::OnUndecodable {
    let front = front.clone();
    Arc::new(move |who| {
        front.app.metrics.interaction_undecodable();
        tracing::warn!("an interaction could not be decoded; this version of the bot does not understand it");
        if let Some((id, token)) = who {
            front.apologise(InteractionId(id), token, Locale::default());
        }
    })
}

fn endpoint(app: &App, front: &Front) -> anyhow::Result<Option<Endpoint>> {
    match app.settings.discord.transport {
        config::Transport::Gateway => Ok(None),
        config::Transport::Http => {
            let key = app.settings.discord.public_key.as_deref().unwrap_or_default();
            let endpoint = Endpoint::new(key, app.clock.clone(), on_interaction(front), on_undecodable(front));
            Ok(Some(endpoint.context("discord.public_key")?))
        }
    }
}

/// Commands are registered by the time anybody can ask.
fn ready(store: Store, gateway: Option<Status>) -> http::Ready {
    Arc::new(move || {
        let (store, gateway) = (store.clone(), gateway.clone());
        Box::pin(async move {
            store.ping().await.map_err(|_| "the store does not answer".to_owned())?;
            match gateway.map(|status| status.fault()) {
                Some(Some(fault)) => Err(fault),
                Some(None) | None => Ok("ok".to_owned()),
            }
        })
    })
}

/// What the BK-CI client needs of the settings.
pub fn bkci_options(settings: &Settings) -> bkci::Options {
    let bkci = &settings.bkci;
    bkci::Options {
        base_url: bkci.base_url.clone(),
        family: match bkci.api {
            config::Api::V3 => bkci::Family::V3,
            config::Api::V4 => bkci::Family::V4,
            config::Api::V4Backend => bkci::Family::V4Backend,
        },
        app_code: bkci.app_code.clone(),
        app_secret: bkci.app_secret.clone(),
        credentials: match bkci.credentials {
            config::Credentials::Query => bkci::Credentials::Query,
            config::Credentials::Header => bkci::Credentials::Header,
        },
        web_url: bkci.web_url.clone(),
        connect_timeout: bkci.connect_timeout,
        read_timeout: bkci.read_timeout,
    }
}

/// What the Discord client needs of the settings.
///
/// # Errors
/// `discord.ca_file` cannot be read.
pub fn discord_options(settings: &Settings) -> anyhow::Result<client::Options> {
    let discord = &settings.discord;
    let ca_pem = discord.ca_file.as_ref().map(std::fs::read).transpose().context("reading discord.ca_file")?;
    Ok(client::Options {
        token: discord.token.clone(),
        connect_to: discord.connect_to.as_ref().map(ToString::to_string),
        ca_pem,
    })
}
