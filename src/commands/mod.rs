//! What people ask for, and what is decided about it.
//!
//! A request goes through three steps. [`open`] looks at the request and our own rows only, and settles whether the
//! answer is private. [`Opened::decide`] may read BK-CI, and changes nothing anywhere. [`record`] writes the decision
//! as rows, in one transaction. Nothing here speaks on Discord or changes BK-CI.

mod help;
mod mapping;
pub mod retry;

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::model::ids::{InteractionId, Uid, UserId};
use crate::model::{Actor, Locale, Place, Timestamp};
use crate::policy;
use crate::reply::{Outcome, Reply};
use crate::store::operations::{self, Intention, Wish};
use crate::store::{deliveries, mappings, receipts};

/// A wish that is older is not carried out without asking again (house 4.3).
pub const FRESH: Duration = Duration::from_secs(30);

/// What we read out of an interaction.
#[derive(Clone, Debug)]
pub struct Request {
    /// The interaction it came from; also the id of everything that follows from it.
    pub interaction: InteractionId,
    /// Lets the bot answer until [`Self::token_expires`]; as secret as a password until then.
    pub token: SecretString,
    /// 15 minutes after the interaction was made (discord-rules 1).
    pub token_expires: Timestamp,
    /// Who asked.
    pub actor: Actor,
    /// Where.
    pub place: Place,
    /// The person's language, for private answers.
    pub locale: Locale,
    /// The server's language, for public answers.
    pub guild_locale: Locale,
    /// What.
    pub command: Command,
}

/// What a person may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// `/retry`
    Retry(RetryOptions),
    /// `/mapping set`
    MappingSet {
        /// Whose mapping.
        user: UserId,
        /// As typed.
        uid: String,
    },
    /// `/mapping remove`
    MappingRemove {
        /// Whose mapping.
        user: UserId,
    },
    /// `/mapping show`
    MappingShow {
        /// Whose mapping.
        user: UserId,
    },
    /// `/mapping list`
    MappingList {
        /// A part of a UID or of a Discord id.
        filter: Option<String>,
    },
    /// `/whoami`
    Whoami,
    /// `/help`
    Help,
}

impl Command {
    /// The name people type, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Retry(_) => "retry",
            Self::MappingSet { .. } => "mapping set",
            Self::MappingRemove { .. } => "mapping remove",
            Self::MappingShow { .. } => "mapping show",
            Self::MappingList { .. } => "mapping list",
            Self::Whoami => "whoami",
            Self::Help => "help",
        }
    }
}

/// The options of `/retry`, as typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryOptions {
    /// English name of the project.
    pub project: String,
    /// `p-…`
    pub pipeline: String,
    /// `b-…`
    pub build: String,
    /// Retry from this task or stage.
    pub task: Option<String>,
    /// Skip this failed task, or this stage's failed tasks.
    pub skip: Option<String>,
    /// Only failed jobs: of the stage or matrix that `task` names, else of the stage that failed.
    #[serde(default)]
    pub failed_jobs: bool,
    /// Only say what would run.
    #[serde(default)]
    pub preview: bool,
}

/// A request, looked at together with our own rows.
#[derive(Debug)]
pub struct Opened {
    /// Whether the answer is for the asker only.
    pub private: bool,
    next: Next,
}

#[derive(Debug)]
enum Next {
    Settled(Box<Decision>),
    Retry(retry::Wanted),
}

/// What a command comes to.
#[derive(Debug)]
pub enum Decision {
    /// Something is said, nothing is done.
    Say(Reply),
    /// Something is done.
    Do(Action),
}

/// What can be done.
#[derive(Debug)]
pub enum Action {
    /// Retry a build at BK-CI.
    Retry(Box<Wish>),
    /// Add or change a mapping, and say so.
    SetMapping(UserId, Uid, Reply),
    /// Remove a mapping, and say so.
    RemoveMapping(UserId, Reply),
}

/// What the caller goes on with after a decision was recorded.
#[derive(Debug)]
pub enum Recorded {
    /// The answer, claimed.
    Answer(Box<deliveries::Claimed>),
    /// The operation, claimed and marked as sending.
    Operation(Box<operations::Claimed>),
    /// Somebody else is at it.
    Nothing,
}

/// Looks at a request and our own rows.
///
/// # Errors
/// The store failed; nothing was acknowledged or done.
pub async fn open(app: &App, request: &Request) -> anyhow::Result<Opened> {
    if !policy::serves(&app.settings.discord, request.place.guild) {
        return Ok(private(Reply::ServerNotServed));
    }
    match &request.command {
        Command::Retry(options) => retry::open(app, request, options).await,
        Command::MappingSet { user, uid } => mapping::set(app, request, *user, uid).await,
        Command::MappingRemove { user } => mapping::remove(app, request, *user).await,
        Command::MappingShow { user } => mapping::show(app, request, *user).await,
        Command::MappingList { filter } => mapping::list(app, request, filter.clone()).await,
        Command::Whoami => help::whoami(app, request).await,
        Command::Help => help::help(app, request).await,
    }
}

fn private(reply: Reply) -> Opened {
    Opened { private: true, next: Next::Settled(Box::new(Decision::Say(reply))) }
}

fn act(action: Action) -> Opened {
    Opened { private: true, next: Next::Settled(Box::new(Decision::Do(action))) }
}

impl Opened {
    /// Decides, reading BK-CI where that is needed.
    pub async fn decide(self, app: &App) -> Decision {
        match self.next {
            Next::Settled(decision) => *decision,
            Next::Retry(wanted) => retry::decide(app, wanted).await,
        }
    }
}

/// Writes a decision as rows. Nothing is written when the receipt is no longer the caller's, and a retry that was
/// decided too late is not carried out.
///
/// # Errors
/// The store failed; nothing was written.
pub async fn record(app: &App, receipt: &receipts::Claimed, decision: Decision) -> anyhow::Result<Recorded> {
    let now = app.clock.now();
    let cause = receipt.request.interaction;
    let mut tx = app.store.begin().await?;
    if !receipts::decided(&mut tx, receipt).await? {
        return Ok(Recorded::Nothing);
    }
    let recorded = match decision {
        Decision::Do(Action::Retry(_)) if now.since(receipt.received) > FRESH => {
            answer(deliveries::say(&mut tx, cause, &Reply::NothingDone, true, now).await?)
        }
        Decision::Do(Action::Retry(wish)) => {
            let lease = (now, app.operation_lease());
            match operations::intend(&mut tx, cause, &wish, receipt.received, lease).await? {
                Intention::Ours(operation) => Recorded::Operation(operation),
                Intention::First { by, accepted } => {
                    let outcome = Outcome::AlreadyAsked { first: by, accepted };
                    let reply = Reply::Retry { about: wish.about, outcome };
                    answer(deliveries::say(&mut tx, cause, &reply, true, now).await?)
                }
            }
        }
        Decision::Do(Action::SetMapping(user, uid, reply)) => {
            mappings::set_mapping(&mut tx, user, &uid, Some(receipt.request.actor.user), now).await?;
            answer(deliveries::say(&mut tx, cause, &reply, true, now).await?)
        }
        Decision::Do(Action::RemoveMapping(user, reply)) => {
            mappings::remove_mapping(&mut tx, user).await?;
            answer(deliveries::say(&mut tx, cause, &reply, true, now).await?)
        }
        Decision::Say(reply) => answer(deliveries::say(&mut tx, cause, &reply, true, now).await?),
    };
    tx.commit().await?;
    Ok(recorded)
}

fn answer(delivery: Option<deliveries::Claimed>) -> Recorded {
    delivery.map_or(Recorded::Nothing, |delivery| Recorded::Answer(Box::new(delivery)))
}
