//! The websocket transport: stays connected, hands interactions and messages over, and does nothing else.
//!
//! serenity is watched from outside, since some ends of a connection leave it spinning or silent (stack.md 1.4), and it
//! would fall back to the real gateway where another one was named. A lost connection shows in `/readyz` at once, and
//! ends the program after five minutes; a spinning one is told apart within seconds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serenity::all::{ConnectionStage, GatewayError};
use tokio_util::sync::CancellationToken;

use super::client::{self, Client, Options};
use super::connection::Connection;
pub use super::connection::Ears;
use crate::clock::Clock;
use crate::model::Timestamp;

/// How often serenity is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Looks in a row without a pulse after which nothing arrives any more.
const SILENT: u32 = 2;

/// Looks in a row without a pulse after which serenity spins. Looks and not seconds, so that a machine that was asleep
/// is no false alarm.
const SPINNING: u32 = 6;

/// A connection that was lost so long is not coming back in this process.
const LOST_MAX: Duration = Duration::from_mins(5);

/// A second fatal close within this time is no accident: connecting again and again would cost the day's IDENTIFYs.
const AGAIN_WITHIN: Duration = Duration::from_mins(1);

/// What `/readyz` says meanwhile.
const LOST: &str = "the connection to Discord's gateway is lost";

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

/// Why a connection is of no use any more.
enum Broken {
    /// serenity gave up, and says why.
    Ended(serenity::Result<()>),
    /// It spins after a close that serenity has no answer to.
    Closed,
    /// It spins because it cannot connect again.
    Unreachable,
    /// It did not come back.
    Lost,
}

impl Gateway {
    /// Asks Discord where its gateway is.
    ///
    /// # Errors
    /// Discord does not say. There is no fallback: it might lead a sandbox to the real gateway.
    pub async fn connect(client: &Client, options: &Options, clock: Clock) -> anyhow::Result<Self> {
        let url = client.gateway_url().await.context("Discord did not say where its gateway is")?;
        let plain = url.starts_with("ws://") && options.connect_to.is_some();
        anyhow::ensure!(plain || url.starts_with("wss://"), "the gateway's address is not wss://");
        let status = Status(Arc::new(Mutex::new(Some("connecting to Discord's gateway".to_owned()))));
        Ok(Self { options: options.clone(), url, status, clock })
    }

    /// Whether it is connected, from now on.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Stays connected until `shutdown`.
    ///
    /// # Errors
    /// Discord does not let this bot in, with the key to look at; or the connection is lost for good.
    pub async fn run(self, ears: Ears, shutdown: CancellationToken) -> anyhow::Result<()> {
        let ended = self.stay(&ears, &shutdown).await;
        let fault = ended.as_ref().err().map_or_else(|| "stopped".to_owned(), ToString::to_string);
        self.status.set(Some(&fault));
        ended
    }

    /// One connection after the other. serenity resumes by itself where it can; this replaces what is stuck.
    async fn stay(&self, ears: &Ears, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let mut well = self.clock.now();
        let mut closed: Option<Timestamp> = None;
        loop {
            // A client of its own: what is kept alive in it lives in the runtime of that connection.
            let http = client::http(&self.options)?.build();
            let mut connection = Connection::start(http, self.url.clone(), ears.clone())?;
            let watched = shutdown.run_until_cancelled(self.watch(&mut connection, &mut well)).await;
            let Some(broken) = watched else {
                connection.leave().await;
                return Ok(());
            };
            connection.break_off().await;
            let now = self.clock.now();
            match broken {
                Broken::Ended(ended) => anyhow::bail!(ended.map_or_else(|error| reason(&error), |()| UNUSABLE)),
                Broken::Lost => anyhow::bail!("the connection to Discord's gateway did not come back"),
                Broken::Closed if closed.is_some_and(|before| now.since(before) < AGAIN_WITHIN) => {
                    anyhow::bail!(CLOSED_AGAIN)
                }
                Broken::Closed => closed = Some(now),
                Broken::Unreachable => {}
            }
            tracing::warn!("the connection to Discord's gateway is stuck; starting a new one");
        }
    }

    /// Ends when the connection is of no use any more. Notes when it was well.
    async fn watch(&self, connection: &mut Connection, well: &mut Timestamp) -> Broken {
        let (mut pulse, mut silent, news) = (connection.pulse(), 0, connection.news());
        loop {
            tokio::select! {
                ended = connection.ended() => return Broken::Ended(ended),
                () = news.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {
                    let before = std::mem::replace(&mut pulse, connection.pulse());
                    silent = if pulse == before { silent + 1 } else { 0 };
                }
            }
            let stage = connection.stage().await;
            if silent >= SPINNING {
                let trying = stage == Some(ConnectionStage::Connecting);
                return if trying { Broken::Unreachable } else { Broken::Closed };
            }
            if stage == Some(ConnectionStage::Connected) && silent < SILENT {
                *well = self.clock.now();
                if self.status.set(None) {
                    tracing::info!("connected to Discord's gateway");
                }
                continue;
            }
            if self.status.fault().is_none() {
                tracing::warn!(?stage, "the connection to Discord's gateway is lost; reconnecting");
                self.status.set(Some(LOST));
            }
            if self.clock.now().since(*well) > LOST_MAX {
                return Broken::Lost;
            }
        }
    }
}

/// A close whose code serenity does not tell.
const CLOSED_AGAIN: &str = "Discord's gateway closed the connection again in a way that forbids to reconnect \
                            (4010 or 4011: this bot would have to be sharded; 4003: not identified)";

const UNUSABLE: &str = "Discord's gateway cannot be used";

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
        _ => UNUSABLE,
    }
}
