//! What happens to an interaction, whichever way it arrived: read it, look at our rows, write the receipt, acknowledge
//! it within Discord's three seconds while BK-CI is read, record the decision, and go straight on with what was recorded.
//! A message that is a command in words goes the same way, except that there is nothing to acknowledge.

use std::time::Duration;

use std::sync::Arc;

use secrecy::ExposeSecret as _;
use serenity::all::{CommandInteraction, Interaction, Message};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::client::{Client, Error};
use super::{buttons, message, render, slash};
use crate::app::App;
use crate::commands::complete::{self, Lists};
use crate::commands::spoken::Told;
use crate::commands::{self, Answer, Decision, FRESH, Opened, Origin, Recorded, Request};
use crate::model::ids::{InteractionId, UserId};
use crate::model::{Locale, Timestamp};
use crate::reply::Reply;
use crate::store::deliveries::Incident;
use crate::store::receipts::Claimed as Receipt;
use crate::{operations, outbox, policy, text};

/// A message has no "thinking…": when the decision takes longer, it is said that the build is being read. Well within the
/// five seconds after which somebody must see something (contract 5).
const QUIET: Duration = Duration::from_millis(2_500);

/// Takes interactions from either transport, and messages from the gateway.
#[derive(Clone)]
pub struct Front {
    /// The parts.
    pub app: App,
    /// The way to Discord.
    pub client: Client,
    /// What is in hand; awaited when the program stops.
    pub tasks: TaskTracker,
    /// Who was told what in public.
    pub told: Told,
    /// What can be chosen from, as it was read lately.
    pub lists: Arc<Lists>,
}

impl Front {
    /// Starts to serve an interaction and returns at once.
    pub fn take(&self, interaction: Interaction) {
        let interaction = match interaction {
            Interaction::Autocomplete(typing) => return self.suggest(typing),
            other => other,
        };
        let (request, id, token, locale) = match &interaction {
            Interaction::Command(command) => (slash::read(command), command.id, &command.token, &command.locale),
            Interaction::Component(press) => (buttons::read(press), press.id, &press.token, &press.locale),
            _ => {
                tracing::warn!(kind = ?interaction.kind(), "an interaction of a kind this version never asks for");
                return;
            }
        };
        match request {
            Ok(request) => self.start(request),
            Err(error) => {
                tracing::warn!(interaction = %id, %error, "an interaction that cannot be read");
                self.apologise(InteractionId(id.get()), token.clone(), Locale::from_discord(locale));
            }
        }
    }

    /// Starts to serve a message if it is a command in words, and returns at once. Where commands are not served, nothing
    /// is said at all.
    pub fn hear(&self, message: &Message, bot: UserId) {
        let Some(request) = message::read(message, bot) else { return };
        if policy::serves(&self.app.settings.discord, request.place.guild) {
            self.start(request);
        }
    }

    /// Shows what can be chosen for the option that is being typed: nothing, when anything goes wrong.
    fn suggest(&self, typing: CommandInteraction) {
        let (front, arrived) = (self.clone(), self.app.clock.now());
        let (interaction, locale) = (InteractionId(typing.id.get()), Locale::from_discord(&typing.locale));
        let token = typing.token.clone();
        let found = self.tasks.spawn(async move {
            let Some(typed) = slash::read_typed(&typing) else { return Vec::new() };
            let choices = complete::suggest(&front.app, &front.lists, &typed, arrived).await;
            let named = choices.iter().filter_map(|choice| text::suggestion(choice, locale));
            named.map(|suggestion| (suggestion.name, suggestion.value)).collect()
        });
        let client = self.client.clone();
        self.tasks.spawn(async move {
            // A panic's message may quote anything.
            let choices = found.await.unwrap_or_else(|_| {
                tracing::error!(%interaction, "looking for suggestions panicked");
                Vec::new()
            });
            if let Err(error) = client.suggest(interaction, &token, &choices).await {
                tracing::debug!(%interaction, %error, "nothing could be suggested");
            }
        });
    }

    /// Tells the person of an interaction that nothing could be done with it.
    pub fn apologise(&self, interaction: InteractionId, token: String, locale: Locale) {
        let client = self.client.clone();
        self.tasks.spawn(async move {
            if let Err(error) = client.incident(interaction, &token, &incident(interaction, locale)).await {
                tracing::warn!(%interaction, %error, "the person could not be told of an incident");
            }
        });
    }

    fn start(&self, request: Request) {
        let serving = serve(self.clone(), request.clone());
        self.hold(request, serving);
    }

    /// Serves a request by `serving`, on a task of its own: a panic ends there, and the person hears of it.
    pub fn hold(&self, request: Request, serving: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let front = self.clone();
        let span = tracing::info_span!("interaction", id = %request.interaction, command = request.command.name());
        self.tasks.spawn(
            async move {
                let error = match tokio::spawn(serving.in_current_span()).await {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => format!("{error:#}"),
                    // Its message may quote anything.
                    Err(_) => "it panicked".to_owned(),
                };
                tracing::error!(incident = %request.interaction, error, "serving an interaction failed");
                front.say_incident(&request).await;
            }
            .instrument(span),
        );
    }

    /// Through the rows when there is a receipt, so that nothing is left due; else straight to Discord. What was
    /// decided already is not replaced: whoever works on the rows says it.
    async fn say_incident(&self, request: &Request) {
        let reply = Reply::Incident { number: request.interaction.to_string() };
        let told = match self.app.store.say_incident(request.interaction, &reply, self.app.clock.now()).await {
            Ok(Incident::Said(delivery)) => outbox::deliver(&self.app, &self.client, &delivery).await.is_ok(),
            Ok(Incident::Decided) => true,
            Ok(Incident::NoReceipt) | Err(_) => false,
        };
        if told {
            return;
        }
        match &request.token {
            Some((token, _)) => {
                self.apologise(request.interaction, token.expose_secret().to_owned(), request.locale);
            }
            None => {
                let (channel, nonce) = (request.place.channel, format!("{}i", request.interaction));
                let reply_to = request.asked_in().map(|message| (channel, message));
                let message = render::message(&text::say(&reply, request.guild_locale));
                if let Err(error) = self.client.create_message(channel, message.create_message(&nonce, reply_to)).await
                {
                    tracing::warn!(%error, "the person could not be told of an incident");
                }
            }
        }
    }
}

fn incident(interaction: InteractionId, locale: Locale) -> String {
    let sentence = text::say(&Reply::Incident { number: interaction.to_string() }, locale);
    format!("**{}**\n{}", sentence.title, sentence.body)
}

async fn serve(front: Front, mut request: Request) -> anyhow::Result<()> {
    let (app, client) = (&front.app, &front.client);
    let now = app.clock.now();
    if request.origin == Origin::Message {
        request.guild_locale = app.store.guild_locale(request.place.guild).await?.unwrap_or_default();
    }
    let opened = commands::open(app, &request).await?;
    if request.origin == Origin::Message
        && let Some(line) = opened.line()
        && !front.told.is_news(request.actor.user, line, now)
    {
        tracing::info!(?line, "said within the hour; not said again");
        return Ok(());
    }
    let Some(receipt) = app.store.receive(&request, opened.answer, (uttered(&request, now), now)).await? else {
        tracing::info!("delivered before; nothing to do");
        return Ok(());
    };
    let decision = match &request.token {
        Some((token, _)) => {
            let answer = opened.answer;
            let acknowledging = client.acknowledge(request.interaction, token.expose_secret(), answer);
            let deciding = async { Ok(tokio::join!(opened.decide(app), note_language(app, &request)).0) };
            match tokio::try_join!(acknowledging, deciding) {
                Ok(((), decision)) => decision,
                Err(error) => {
                    tracing::warn!(%error, "could not be acknowledged; nothing was done");
                    // A button stays as it is, and can be pressed again.
                    let waits = matches!(answer, Answer::Public | Answer::Private);
                    if !waits || !matches!(error, Error::Unanswered { .. }) {
                        return app.store.drop_receipt(request.interaction).await;
                    }
                    // It may have been, and then somebody waits for an answer.
                    Decision::Say(Reply::NothingDone)
                }
            }
        }
        None => decide_aloud(&front, &receipt, opened).await?,
    };
    let recorded = commands::record(app, &receipt, decision).await?;
    tracing::info!(user = %request.actor.user, "decided");
    let delivery = match recorded {
        Recorded::Answer(delivery) => Some(*delivery),
        Recorded::Operation(operation) => operations::carry_out(app, &operation).await?,
        Recorded::Nothing => None,
    };
    match delivery {
        Some(delivery) => outbox::deliver(app, client, &delivery).await,
        None => Ok(()),
    }
}

/// When a wish was uttered. An interaction that comes late cannot be acknowledged; a message that a resumed connection
/// brings late is an old wish. Small differences between Discord's clock and ours mean nothing.
fn uttered(request: &Request, now: Timestamp) -> Timestamp {
    let typed = slash::made(request.interaction.0);
    if request.origin == Origin::Message && now.since(typed) > FRESH { typed } else { now }
}

/// Decides, and says meanwhile that the build is being read when that takes long.
async fn decide_aloud(front: &Front, receipt: &Receipt, opened: Opened) -> anyhow::Result<Decision> {
    let (app, client) = (&front.app, &front.client);
    let deciding = opened.decide(app);
    tokio::pin!(deciding);
    tokio::select! {
        decision = &mut deciding => return Ok(decision),
        () = app.clock.sleep(QUIET) => {}
    }
    // The row first, so that it is surely older than the answer; then Discord, for which nothing else waits.
    if let Some(delivery) = commands::reading(app, receipt).await? {
        let (app, client) = (app.clone(), client.clone());
        let saying = async move {
            if let Err(error) = outbox::deliver(&app, &client, &delivery).await {
                tracing::warn!(error = format!("{error:#}"), "an interim text could not be said");
            }
        };
        front.tasks.spawn(saying.in_current_span());
    }
    Ok(deciding.await)
}

/// Keeps in which language the server is answered, for what is asked there in words. Only a convenience.
async fn note_language(app: &App, request: &Request) {
    if let Err(error) = app.store.note_guild_locale(request.place.guild, request.guild_locale).await {
        tracing::warn!(error = format!("{error:#}"), "the server's language could not be kept");
    }
}
