//! The websocket transport: hands interactions over and does nothing else.
//!
//! serenity is watched, since some ends of a connection leave it spinning or silent (stack.md 1.4), and it would fall
//! back to the real gateway where another one was named.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serenity::all::{
    ClientBuilder, ConnectionStage, Context, Event, EventHandler, GatewayError, GatewayIntents, Interaction,
    RawEventHandler, Ready, ShardId, ShardManager,
};
use serenity::async_trait;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::client::{self, Client, Options};
use super::{OnInteraction, OnUndecodable};
use crate::clock::Clock;

/// Discord may take so long to say where its gateway is.
const ASK_WITHIN: Duration = Duration::from_secs(20);

/// How often serenity is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A connection that was lost so long is not coming back in this process.
const LOST_MAX: Duration = Duration::from_mins(5);

/// How long serenity may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// Whether the gateway is connected; shared with `/readyz`.
#[derive(Clone, Debug)]
pub struct Status(Arc<Mutex<Option<String>>>);

impl Status {
    /// Why interactions do not arrive, or `None` while they do.
    pub fn fault(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this is news.
    fn set(&self, fault: Option<&str>) -> bool {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = current.as_deref() != fault;
        *current = fault.map(str::to_owned);
        news
    }
}

/// A gateway whose address is known.
pub struct Gateway {
    options: Options,
    url: String,
    status: Status,
    clock: Clock,
}

impl Gateway {
    /// Asks Discord where its gateway is.
    ///
    /// # Errors
    /// Discord does not say. There is no fallback: it might lead a sandbox to the real gateway.
    pub async fn connect(_client: &Client, options: &Options, clock: Clock) -> anyhow::Result<Self> {
        let http = client::http(options)?.build();
        let asked =
            timeout(ASK_WITHIN, http.get_gateway()).await.context("Discord did not say where its gateway is")?;
        let Ok(gateway) = asked else {
            anyhow::bail!("Discord did not say where its gateway is");
        };
        let plain = gateway.url.starts_with("ws://") && options.connect_to.is_some();
        anyhow::ensure!(plain || gateway.url.starts_with("wss://"), "the gateway's address is not wss://");
        let status = Status(Arc::new(Mutex::new(Some("connecting to Discord's gateway".to_owned()))));
        Ok(Self { options: options.clone(), url: gateway.url, status, clock })
    }

    /// Whether it is connected, from now on.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Stays connected until `shutdown`.
    ///
    /// # Errors
    /// Discord does not let this bot in, with the key to look at; or the connection is lost for good.
    pub async fn run(
        self,
        on_interaction: OnInteraction,
        on_undecodable: OnUndecodable,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let http = client::http(&self.options)?.build();
        let building = ClientBuilder::new_with_http(http, GatewayIntents::empty())
            .event_handler(Handler { on_interaction, status: self.status.clone() })
            .raw_event_handler(RawHandler { on_undecodable });
        let mut client =
            building.await.map_err(|error| anyhow::anyhow!("building the gateway client: {}", reason(&error)))?;
        // serenity asked for itself, and would have fallen back to the real gateway.
        client.ws_url.lock().await.clone_from(&self.url);
        let shards = client.shard_manager.clone();
        let ended = tokio::select! {
            ended = client.start() => ended.map_err(|error| anyhow::anyhow!(reason(&error))),
            lost = self.watch(&shards) => Err(lost),
            () = shutdown.cancelled() => Ok(()),
        };
        // Before the first connection it returns at once, while `start` never would: hence the select above.
        let _ = timeout(GOODBYE, shards.shutdown_all()).await;
        let fault = ended.as_ref().err().map_or_else(|| "stopped".to_owned(), ToString::to_string);
        self.status.set(Some(&fault));
        ended
    }

    /// Ends when the connection was lost for too long.
    async fn watch(&self, shards: &ShardManager) -> anyhow::Error {
        let mut lost_since = self.clock.now();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let stage = shards.runners.lock().await.get(&ShardId(0)).map(|runner| runner.stage);
            if stage == Some(ConnectionStage::Connected) {
                lost_since = self.clock.now();
                if self.status.set(None) {
                    tracing::info!("connected to Discord's gateway");
                }
                continue;
            }
            if self.status.fault().is_none() {
                tracing::warn!(?stage, "the connection to Discord's gateway is lost; reconnecting");
                self.status.set(Some("the connection to Discord's gateway is lost"));
            }
            if self.clock.now().since(lost_since) > LOST_MAX {
                return anyhow::anyhow!("the connection to Discord's gateway did not come back");
            }
        }
    }
}

struct Handler {
    on_interaction: OnInteraction,
    status: Status,
}

#[async_trait]
impl EventHandler for Handler {
    async fn ready(&self, _: Context, _: Ready) {
        if self.status.set(None) {
            tracing::info!("connected to Discord's gateway");
        }
    }

    async fn interaction_create(&self, _: Context, interaction: Interaction) {
        (self.on_interaction)(interaction);
    }
}

struct RawHandler {
    on_undecodable: OnUndecodable,
}

#[async_trait]
impl RawEventHandler for RawHandler {
    async fn raw_event(&self, _: Context, event: Event) {
        let Event::Unknown(event) = event else { return };
        if event.kind != "INTERACTION_CREATE" {
            return;
        }
        let text = |name: &str| event.value.get(name).and_then(|value| value.as_str()).map(str::to_owned);
        let id = text("id").and_then(|id| id.parse().ok()).filter(|id| *id > 0);
        (self.on_undecodable)(id.zip(text("token")));
    }
}

/// In words, with the key to look at; never the library's own text, which may hold an address or a token.
fn reason(error: &serenity::Error) -> &'static str {
    match error {
        serenity::Error::Gateway(GatewayError::InvalidAuthentication | GatewayError::NoAuthentication) => {
            "Discord's gateway does not accept the bot's token (4004): look at discord.token"
        }
        serenity::Error::Gateway(GatewayError::InvalidGatewayIntents) => {
            "Discord's gateway does not know an intent this bot asks for (4013)"
        }
        serenity::Error::Gateway(GatewayError::DisallowedGatewayIntents) => {
            "Discord's gateway does not allow an intent this bot asks for (4014): enable it for the application"
        }
        serenity::Error::Gateway(GatewayError::InvalidShardData | GatewayError::OverloadedShard) => {
            "Discord's gateway wants this bot to be sharded (4010, 4011)"
        }
        _ => "Discord's gateway cannot be used",
    }
}
