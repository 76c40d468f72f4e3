//! What people ask for, and what is decided about it.
//!
//! A request goes through three steps. [`open`] looks at the request and our own rows only, and settles whether the
//! answer is private. [`Opened::decide`] may read BK-CI, and changes nothing anywhere. [`record`] writes the decision
//! as rows, in one transaction. Nothing here speaks on Discord or changes BK-CI.

mod build;
pub mod complete;
mod help;
mod log;
mod mapping;
mod named;
mod notice;
mod options;
mod press;
pub mod retry;
pub mod spoken;
pub mod watch;
pub mod words;

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::model::ids::{InteractionId, MessageId, OfferId, Uid, UserId};
use crate::model::{Actor, Locale, Place, Timestamp};
use crate::policy;
use crate::reply::{Mistake, Offer, Outcome, Reply, StopOutcome, Verb, Why};
use crate::store::deliveries::Text;
use crate::store::operations::{self, Deed, Intention, StopWish, Wish};
use crate::store::{Tx, deliveries, follows, mappings, offers, receipts};

pub use options::{BuildOptions, LogOptions, RetryOptions, WatchOptions};

/// A wish that is older is not carried out without asking again (house 4.3).
pub const FRESH: Duration = Duration::from_secs(30);

/// What we read out of an interaction, or out of a message that is a command in words.
#[derive(Clone, Debug)]
pub struct Request {
    /// The interaction it came from, or the message: Discord gives no id twice. Also the id of everything that follows
    /// from it.
    pub interaction: InteractionId,
    /// Lets the bot answer an interaction until the moment given, 15 minutes after it was made (discord-rules 1); as
    /// secret as a password until then. A message has none.
    pub token: Option<(SecretString, Timestamp)>,
    /// Who asked.
    pub actor: Actor,
    /// Where.
    pub place: Place,
    /// The person's language, for private answers.
    pub locale: Locale,
    /// The server's language, for public answers.
    pub guild_locale: Locale,
    /// What the person used.
    pub origin: Origin,
    /// What.
    pub command: Command,
}

impl Request {
    /// The message that asked in words, if that is what it came from.
    pub fn asked_in(&self) -> Option<MessageId> {
        match self.origin {
            Origin::Command | Origin::Button { .. } => None,
            Origin::Message => Some(MessageId(self.interaction.0)),
        }
    }
}

/// What a person used to ask for something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A slash command.
    #[default]
    Command,
    /// A button of a message of ours.
    Button {
        /// The message.
        message: MessageId,
        /// Only the person who pressed sees that message.
        private: bool,
    },
    /// A message that starts with the bot's mention: everybody reads the answer.
    Message,
}

/// Where the answer appears; settled from the request and our own rows, before the acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A new message in the channel.
    Public,
    /// A new message that only the asker sees.
    Private,
    /// In place of the message whose button was pressed.
    InPlace {
        /// The message.
        message: MessageId,
        /// Only the person who pressed sees it.
        private: bool,
    },
}

impl Answer {
    /// Whether only the asker sees it.
    pub fn is_private(self) -> bool {
        match self {
            Self::Public => false,
            Self::Private => true,
            Self::InPlace { private, .. } => private,
        }
    }

    /// The message that turns into the answer.
    pub fn takes_the_place_of(self) -> Option<MessageId> {
        match self {
            Self::Public | Self::Private => None,
            Self::InPlace { message, .. } => Some(message),
        }
    }
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
    /// `/build status`
    BuildStatus(BuildOptions),
    /// `/build log`
    BuildLog(LogOptions),
    /// `/build stop`
    BuildStop(BuildOptions),
    /// `/watch add`
    WatchAdd(WatchOptions),
    /// `/watch remove`
    WatchRemove {
        /// English name of the project.
        project: String,
        /// Name or `p-…`
        pipeline: String,
    },
    /// `/watch list`
    WatchList,
    /// A button of an offer, or a choice from a list of one.
    Press {
        /// Which button.
        verb: Verb,
        /// Of which offer.
        offer: OfferId,
        /// What was chosen from a list.
        #[serde(default)]
        chosen: Option<String>,
    },
    /// Words that are no command.
    Mistaken {
        /// What was typed after the mention.
        typed: String,
        /// What is wrong with it.
        mistake: Mistake,
    },
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
            Self::BuildStatus(_) => "build status",
            Self::BuildLog(_) => "build log",
            Self::BuildStop(_) => "build stop",
            Self::WatchAdd(_) => "watch add",
            Self::WatchRemove { .. } => "watch remove",
            Self::WatchList => "watch list",
            Self::Press { verb, .. } => verb.as_str(),
            Self::Mistaken { .. } => "mistaken",
        }
    }
}

/// A request, looked at together with our own rows.
#[derive(Debug)]
pub struct Opened {
    /// Where the answer appears.
    pub answer: Answer,
    next: Next,
}

#[derive(Debug)]
enum Next {
    Settled(Box<Decision>),
    Retry(Box<retry::Wanted>),
    Press(Box<press::Pressed>),
    Watch(Box<watch::Wanted>),
    Notice(Box<notice::Pressed>),
    Build(Box<build::Wanted>),
}

/// What a command comes to.
#[derive(Debug)]
pub enum Decision {
    /// Something is said, nothing is done.
    Say(Reply),
    /// Something is said, and buttons under it would do something.
    Propose(Reply, Box<Offer>),
    /// Something is done.
    Do(Action),
}

/// What can be done.
#[derive(Debug)]
pub enum Action {
    /// Retry a build at BK-CI.
    Retry(Box<retry::Planned>),
    /// Retry it as an offer said, which is used up with it.
    Accept(OfferId, Box<retry::Planned>),
    /// Stop a build at BK-CI.
    Stop(Box<StopWish>),
    /// Use an offer up without doing anything, and say so.
    Decline(OfferId, Reply),
    /// Look at a build as oneself from now on, and say so.
    Follow(Box<notice::Following>),
    /// Add or change a mapping, and say so.
    SetMapping(UserId, Uid, Reply),
    /// Remove a mapping, and say so.
    RemoveMapping(UserId, Reply),
    /// Add, remove or take over a watch, and say so.
    Watch(Box<watch::Act>),
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
    let opened = look(app, request).await?;
    Ok(match request.origin {
        Origin::Command | Origin::Button { .. } => opened,
        Origin::Message => opened.in_public(),
    })
}

async fn look(app: &App, request: &Request) -> anyhow::Result<Opened> {
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
        Command::BuildStatus(options) => build::status(app, request, options).await,
        Command::BuildLog(options) => build::log(app, request, options).await,
        Command::BuildStop(options) => build::stop(app, request, options).await,
        Command::WatchAdd(options) => watch::add(app, request, options).await,
        Command::WatchRemove { project, pipeline } => watch::remove(app, request, (project, pipeline)).await,
        Command::WatchList => watch::list(app, request).await,
        Command::Press { verb, offer, chosen } => press::open(app, request, (*verb, chosen.as_deref()), offer).await,
        Command::Mistaken { typed, mistake } => {
            Ok(private(Reply::Mistaken { typed: typed.clone(), mistake: *mistake }))
        }
    }
}

fn private(reply: Reply) -> Opened {
    settled(Answer::Private, Decision::Say(reply))
}

fn act(action: Action) -> Opened {
    settled(Answer::Private, Decision::Do(action))
}

fn settled(answer: Answer, decision: Decision) -> Opened {
    Opened { answer, next: Next::Settled(Box::new(decision)) }
}

impl Opened {
    /// Decides, reading BK-CI where that is needed.
    pub async fn decide(self, app: &App) -> Decision {
        match self.next {
            Next::Settled(decision) => *decision,
            Next::Retry(wanted) => retry::decide(app, *wanted).await,
            Next::Press(pressed) => press::decide(app, *pressed).await,
            Next::Watch(wanted) => watch::decide(app, *wanted).await,
            Next::Notice(pressed) => notice::decide(app, *pressed).await,
            Next::Build(wanted) => build::decide(app, *wanted).await,
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
    let stale = now.since(receipt.received) > FRESH;
    let recorded = match decision {
        Decision::Say(reply) => say(&mut tx, cause, &reply, now).await?,
        Decision::Propose(reply, offer) => {
            offers::post(&mut tx, cause, &offer).await?;
            say(&mut tx, cause, &reply, now).await?
        }
        Decision::Do(Action::Retry(planned) | Action::Accept(_, planned)) if stale => {
            let (reply, offer) = retry::propose(*planned, cause, (Some(Why::Late), now));
            offers::post(&mut tx, cause, &offer).await?;
            say(&mut tx, cause, &reply, now).await?
        }
        Decision::Do(_) if stale => say(&mut tx, cause, &Reply::NothingDone, now).await?,
        Decision::Do(Action::Retry(planned)) => retry(app, &mut tx, receipt, planned.wish).await?,
        Decision::Do(Action::Accept(offer, planned)) => {
            if !offers::take(&mut tx, &offer, receipt.request.actor.user, now).await? {
                return used_before(tx, cause).await;
            }
            retry(app, &mut tx, receipt, planned.wish).await?
        }
        Decision::Do(Action::Stop(wish)) => intend(app, &mut tx, receipt, Deed::Stop(*wish)).await?,
        Decision::Do(Action::Decline(offer, reply)) => {
            if !offers::take(&mut tx, &offer, receipt.request.actor.user, now).await? {
                return used_before(tx, cause).await;
            }
            say(&mut tx, cause, &reply, now).await?
        }
        Decision::Do(Action::Follow(following)) => {
            let notice::Following { about, as_user, attempt } = *following;
            let wanted = follows::Wanted { build: &about.build, as_user: &as_user, user: about.asked_by, attempt };
            follows::want(&mut tx, &wanted, now).await?;
            app.wake.follower.notify_one();
            say(&mut tx, cause, &Reply::Followed { about, as_user }, now).await?
        }
        Decision::Do(Action::Watch(act)) => watch::record(app, &mut tx, receipt, *act).await?,
        Decision::Do(Action::SetMapping(user, uid, reply)) => {
            mappings::set_mapping(&mut tx, user, &uid, Some(receipt.request.actor.user), now).await?;
            say(&mut tx, cause, &reply, now).await?
        }
        Decision::Do(Action::RemoveMapping(user, reply)) => {
            mappings::remove_mapping(&mut tx, user).await?;
            say(&mut tx, cause, &reply, now).await?
        }
    };
    tx.commit().await?;
    app.wake.outbox.notify_one();
    Ok(recorded)
}

/// Says that the build is being read, unless somebody has decided meanwhile: nothing older is said over an answer.
///
/// # Errors
/// The store failed; nothing was written.
pub async fn reading(app: &App, receipt: &receipts::Claimed) -> anyhow::Result<Option<deliveries::Claimed>> {
    let mut tx = app.store.begin().await?;
    if !receipts::undecided(&mut tx, receipt).await? {
        return Ok(None);
    }
    let text = Text { cause: receipt.request.interaction, post: false, reply: &Reply::Reading, closing: false };
    let delivery = deliveries::say(&mut tx, text, app.clock.now()).await?;
    tx.commit().await?;
    Ok(delivery)
}

/// What becomes of a wish that is told in a message of its own is announced in its answer.
async fn retry(app: &App, tx: &mut Tx, receipt: &receipts::Claimed, wish: Wish) -> anyhow::Result<Recorded> {
    let posted = wish.posted;
    let recorded = intend(app, tx, receipt, Deed::Retry(wish)).await?;
    if posted && matches!(recorded, Recorded::Operation(_)) {
        let cause = receipt.request.interaction;
        let text = Text { cause, post: false, reply: &Reply::PreviewClosed, closing: false };
        deliveries::offer(tx, text, app.clock.now()).await?;
    }
    Ok(recorded)
}

async fn intend(app: &App, tx: &mut Tx, receipt: &receipts::Claimed, deed: Deed) -> anyhow::Result<Recorded> {
    let (cause, now) = (receipt.request.interaction, app.clock.now());
    let (first, accepted, since) =
        match operations::intend(tx, cause, deed.clone(), receipt.received, (now, app.operation_lease())).await? {
            Intention::Ours(operation) => return Ok(Recorded::Operation(operation)),
            Intention::First { by, accepted, since } => (by, accepted, since),
        };
    let reply = match deed {
        Deed::Retry(wish) => {
            let outcome = Outcome::AlreadyAsked { first, accepted };
            Reply::Retry { about: wish.about, outcome, again: None, notice: None }
        }
        Deed::Stop(wish) => {
            let again_in_s = operations::STOP_AGAIN_AFTER.saturating_sub(now.since(since)).as_secs();
            Reply::Stop { about: wish.about, outcome: StopOutcome::AlreadyAsked { first, accepted, again_in_s } }
        }
    };
    say(tx, cause, &reply, now).await
}

/// The same button was pressed twice at once. The message it stands on says, or will say, what the first press came to:
/// the second must not write over that.
async fn used_before(mut tx: Tx, cause: InteractionId) -> anyhow::Result<Recorded> {
    receipts::close(&mut tx, cause).await?;
    tx.commit().await?;
    Ok(Recorded::Nothing)
}

async fn say(tx: &mut Tx, cause: InteractionId, reply: &Reply, now: Timestamp) -> anyhow::Result<Recorded> {
    let delivery = deliveries::say(tx, Text::last(cause, reply), now).await?;
    Ok(delivery.map_or(Recorded::Nothing, |delivery| Recorded::Answer(Box::new(delivery))))
}
