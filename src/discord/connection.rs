//! One connection of serenity's to the gateway, on a thread and runtime of its own.
//!
//! After some closes (4003, 4010, 4011, one without a code, a network that does not come back) serenity 0.12 reads the
//! dead socket in a loop that never yields. In a runtime with others that loop takes their worker away, hangs
//! `/readyz`, and keeps the process from ending. Here it can only stop its own pulse, which is watched from outside.
//! Nobody ever waits for this thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use serenity::all::{
    ClientBuilder, ConnectionStage, Context, Event, EventHandler, GatewayIntents, Http, Interaction, Message,
    OnlineStatus, RawEventHandler, Ready, ShardId, ShardManager, ShardStageUpdateEvent,
};
use serenity::async_trait;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{OnInteraction, OnMessage, OnUndecodable};
use crate::model::ids::UserId;

/// How often the pulse beats while serenity lets anything else run.
const BEAT_EVERY: Duration = Duration::from_millis(100);

/// How long serenity may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// To whom what arrives is handed over. All are called in the runtime that started the connection.
#[derive(Clone)]
pub struct Ears {
    /// Interactions.
    pub interaction: OnInteraction,
    /// Interactions that serenity cannot decode.
    pub undecodable: OnUndecodable,
    /// Messages, if the bot shall hear them at all.
    pub message: Option<OnMessage>,
}

impl Ears {
    /// Interactions come without an intent. A message's text comes without the privileged one when the bot is mentioned
    /// in it, and it is for nobody else (discord-rules 7).
    fn intents(&self) -> GatewayIntents {
        match &self.message {
            Some(_) => GatewayIntents::GUILD_MESSAGES,
            None => GatewayIntents::empty(),
        }
    }
}

/// A connection. Dropped, it is cut without a goodbye.
pub(super) struct Connection {
    goodbye: CancellationToken,
    cut: CancellationToken,
    beats: Arc<AtomicU64>,
    news: Arc<Notify>,
    shards: Arc<OnceLock<Arc<ShardManager>>>,
    ended: oneshot::Receiver<serenity::Result<()>>,
}

impl Connection {
    /// Starts to connect to `url`, and connects again by itself as far as serenity can.
    pub fn start(http: Http, url: String, ears: Ears) -> anyhow::Result<Self> {
        let (goodbye, cut) = (CancellationToken::new(), CancellationToken::new());
        let (told, ended) = oneshot::channel();
        let (beats, news, shards) = (Arc::default(), Arc::default(), Arc::default());
        let connection = Self { goodbye, cut, beats, news, shards, ended };
        let (home, news) = (Handle::current(), connection.news());
        let handler = Handler { ears, home, news, bot: OnceLock::new(), cut: connection.cut.clone() };
        let (goodbye, cut) = (connection.goodbye.clone(), connection.cut.clone());
        let (beats, shards) = (connection.beats.clone(), connection.shards.clone());
        let log = tracing::dispatcher::get_default(Clone::clone);
        let runtime = Builder::new_current_thread().enable_all().build().context("a runtime for the gateway")?;
        let work = move || {
            let ended = runtime.block_on(async {
                tokio::select! {
                    ended = connect(http, url, handler, &shards) => ended,
                    () = beat(&beats) => Ok(()),
                    () = say_goodbye(&goodbye, &shards) => Ok(()),
                    () = cut.cancelled() => Ok(()),
                }
            });
            runtime.shutdown_background();
            // Nobody listens when the program is about to end.
            let _ = told.send(ended);
        };
        let work = move || tracing::dispatcher::with_default(&log, work);
        std::thread::Builder::new()
            .name("discord-gateway".to_owned())
            .spawn(work)
            .context("a thread for the gateway")?;
        Ok(connection)
    }

    /// Changes while serenity lets anything else run.
    pub fn pulse(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Rings when [`Self::stage`] has changed.
    pub fn news(&self) -> Arc<Notify> {
        self.news.clone()
    }

    /// How far the connection is; `None` while there is none.
    pub async fn stage(&self) -> Option<ConnectionStage> {
        let runners = self.shards.get()?.runners.lock().await;
        runners.get(&ShardId(0)).map(|runner| runner.stage)
    }

    /// How serenity gave up by itself.
    pub async fn ended(&mut self) -> serenity::Result<()> {
        // The thread is gone without a word when it panicked.
        (&mut self.ended).await.unwrap_or(Ok(()))
    }

    /// Ends serenity's loop even if it spins: a message that cannot be sent on a closed socket makes it return. A
    /// healthy connection would only tell its presence.
    pub async fn break_off(&self) {
        let Some(shards) = self.shards.get() else { return };
        if let Some(runner) = shards.runners.lock().await.get(&ShardId(0)) {
            runner.runner_tx.set_status(OnlineStatus::Online);
        }
    }

    /// Leaves in good order, so that Discord ends the session, or without it after a little while.
    pub async fn leave(mut self) {
        self.goodbye.cancel();
        if timeout(GOODBYE, self.ended()).await.is_err() {
            self.break_off().await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.cut.cancel();
    }
}

async fn connect(
    http: Http,
    url: String,
    handler: Handler,
    shards: &OnceLock<Arc<ShardManager>>,
) -> serenity::Result<()> {
    let handler = Arc::new(handler);
    let building = ClientBuilder::new_with_http(http, handler.ears.intents());
    let building = building.event_handler_arc(handler.clone()).raw_event_handler(RawHandler(handler));
    let mut client = building.await?;
    // serenity asked for itself, and would have fallen back to the real gateway.
    client.ws_url.lock().await.clone_from(&url);
    let _ = shards.set(client.shard_manager.clone());
    client.start().await
}

async fn beat(beats: &AtomicU64) {
    loop {
        beats.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(BEAT_EVERY).await;
    }
}

async fn say_goodbye(told: &CancellationToken, shards: &OnceLock<Arc<ShardManager>>) {
    told.cancelled().await;
    if let Some(shards) = shards.get() {
        // Before the first connection this returns at once, while serenity's own `start` never would.
        let _ = timeout(GOODBYE, shards.shutdown_all()).await;
    }
}

struct Handler {
    ears: Ears,
    home: Handle,
    /// As who this is connected; not always the application's id.
    bot: OnceLock<UserId>,
    news: Arc<Notify>,
    cut: CancellationToken,
}

#[async_trait]
impl EventHandler for Handler {
    async fn ready(&self, _: Context, ready: Ready) {
        self.bot.get_or_init(|| UserId(ready.user.id.get()));
        self.news.notify_one();
    }

    async fn shard_stage_update(&self, _: Context, _: ShardStageUpdateEvent) {
        self.news.notify_one();
    }

    async fn interaction_create(&self, _: Context, interaction: Interaction) {
        if !self.cut.is_cancelled() {
            let _at_home = self.home.enter();
            (self.ears.interaction)(interaction);
        }
    }

    async fn message(&self, _: Context, message: Message) {
        if let (Some(hear), Some(bot), false) = (&self.ears.message, self.bot.get(), self.cut.is_cancelled()) {
            let _at_home = self.home.enter();
            hear(message, *bot);
        }
    }
}

struct RawHandler(Arc<Handler>);

#[async_trait]
impl RawEventHandler for RawHandler {
    async fn raw_event(&self, _: Context, event: Event) {
        let Event::Unknown(event) = event else { return };
        if event.kind != "INTERACTION_CREATE" || self.0.cut.is_cancelled() {
            return;
        }
        let _at_home = self.0.home.enter();
        (self.0.ears.undecodable)(super::sender_of(&event.value));
    }
}
