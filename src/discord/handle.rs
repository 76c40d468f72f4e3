//! What happens to an interaction, whichever way it arrived: read it, look at our rows, write the receipt, acknowledge
//! it within Discord's three seconds while BK-CI is read, record the decision, and go straight on with what was recorded.

use secrecy::ExposeSecret as _;
use serenity::all::Interaction;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::client::{Client, Error};
use super::{buttons, slash};
use crate::app::App;
use crate::commands::{self, Answer, Decision, Recorded, Request};
use crate::model::Locale;
use crate::model::ids::InteractionId;
use crate::reply::Reply;
use crate::store::deliveries::Incident;
use crate::{operations, outbox, text};

/// Takes interactions from either transport.
#[derive(Clone)]
pub struct Front {
    /// The parts.
    pub app: App,
    /// The way to Discord.
    pub client: Client,
    /// What is in hand; awaited when the program stops.
    pub tasks: TaskTracker,
}

impl Front {
    /// Starts to serve an interaction and returns at once.
    pub fn take(&self, interaction: Interaction) {
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
        let serving = serve(self.app.clone(), self.client.clone(), request.clone());
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
        if !told {
            self.apologise(request.interaction, request.token.expose_secret().to_owned(), request.locale);
        }
    }
}

fn incident(interaction: InteractionId, locale: Locale) -> String {
    let sentence = text::say(&Reply::Incident { number: interaction.to_string() }, locale);
    format!("**{}**\n{}", sentence.title, sentence.body)
}

async fn serve(app: App, client: Client, request: Request) -> anyhow::Result<()> {
    let received = app.clock.now();
    let opened = commands::open(&app, &request).await?;
    let Some(receipt) = app.store.receive(&request, opened.answer, received).await? else {
        tracing::info!("delivered before; nothing to do");
        return Ok(());
    };
    let token = request.token.expose_secret();
    let answer = opened.answer;
    let acknowledging = client.acknowledge(request.interaction, token, answer);
    let deciding = async { Ok(opened.decide(&app).await) };
    let decision = match tokio::try_join!(acknowledging, deciding) {
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
    };
    let recorded = commands::record(&app, &receipt, decision).await?;
    tracing::info!(user = %request.actor.user, "decided");
    let delivery = match recorded {
        Recorded::Answer(delivery) => Some(*delivery),
        Recorded::Operation(operation) => operations::carry_out(&app, &operation).await?,
        Recorded::Nothing => None,
    };
    match delivery {
        Some(delivery) => outbox::deliver(&app, &client, &delivery).await,
        None => Ok(()),
    }
}
