//! Everything the bot can say, as facts. Words are made of them in [`crate::text`], in the reader's language.
//!
//! A reply is kept in a delivery's row until it was said, so it holds no secret and no interaction token. Every text in
//! it that came from BK-CI or a person is as it came: whoever words it must neutralise it.

mod log;
pub mod notice;
mod offers;
mod outcomes;
mod stop;
mod typed;
pub mod watches;

use serde::{Deserialize, Serialize};

pub use log::{Log, Logged, NoLog};
pub use notice::Notice;
pub use offers::{Change, Offer, Proposal, Shown, Unusable, Verb, What, Why};
pub use outcomes::{Failure, Outcome};
pub use stop::StopOutcome;
pub use typed::{Flag, Mistake, Slip};
pub use watches::Watching;

use crate::model::BuildRef;
use crate::model::Timestamp;
use crate::model::ids::{OfferId, PipelineId, ProjectId, Uid, UserId};
use crate::model::named::PipelineNamed;
use crate::model::scope::{self, Scope};
use crate::model::status::BuildStatus;
use crate::model::watch::MessageRef;

/// Something to be said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// What became of a retry that was asked for.
    Retry {
        /// Which build, which part, by whom.
        about: About,
        /// How it stands.
        outcome: Outcome,
        /// The button by which the person can ask for the same again.
        #[serde(default)]
        again: Option<OfferId>,
        /// The message of this channel that shows how the build goes on, when it is another one.
        #[serde(default)]
        notice: Option<MessageRef>,
    },
    /// How a build stands: the one message of a channel that is kept up to date, or what was asked for once.
    Notice(Box<Notice>),
    /// The end of a task's log.
    Log(Box<Log>),
    /// There is no task whose log could be shown.
    NoLog {
        /// Which build.
        about: About,
        /// Why.
        why: NoLog,
    },
    /// What became of stopping a build.
    Stop {
        /// Which build, by whom.
        about: About,
        /// How it stands.
        outcome: StopOutcome,
    },
    /// What somebody is told who adds, removes, lists or takes over a watch.
    Watching(Box<Watching>),
    /// A build is looked at again, as somebody else.
    Followed {
        /// Which build, by whom.
        about: About,
        /// As whom.
        as_user: Uid,
    },
    /// A watch found nobody any more as whom it could look.
    WatchPaused(notice::Paused),
    /// Nothing was sent, since the build or the part that was named cannot be retried.
    NotRetried {
        /// Which build.
        about: About,
        /// Why.
        refusal: scope::Refusal,
        /// The build's state when it was read.
        status: BuildStatus,
    },
    /// The build could not be read, so nothing was sent.
    NotRead {
        /// Which build.
        build: BuildRef,
        /// Why.
        failure: Failure,
    },
    /// What was named does not lead to one build, so nothing was sent.
    Unfound {
        /// In which project.
        project: ProjectId,
        /// Why.
        why: Unfound,
    },
    /// An option is not of its form; nothing was read or sent.
    Malformed {
        /// Which option.
        option: RetryOption,
        /// What was given.
        given: String,
    },
    /// `task` and `skip` were both given.
    TaskAndSkip,
    /// `skip` and `failed_jobs` were both given.
    SkipAndFailedJobs,
    /// A command in words is not of its form; nothing was read or sent.
    Mistaken {
        /// What was typed after the mention.
        typed: String,
        /// What is wrong with it.
        mistake: Mistake,
    },
    /// What was asked in words is answered to one person alone, so not here.
    SeeWhoami,
    /// The build is being read; what becomes of the wish will be said in this place.
    Reading,
    /// The person has no mapping.
    NotMapped {
        /// The person.
        user: UserId,
    },
    /// What a retry would do, shown to the asker before anything is done.
    Preview(Proposal),
    /// What a retry would do, shown to everybody; the asker has to agree.
    Confirm(Proposal, Why),
    /// A preview was accepted: what becomes of it is told in the channel.
    PreviewClosed,
    /// What was proposed was declined.
    Declined {
        /// Which build and part.
        about: About,
    },
    /// The build is not as it was when the button was posted; nothing was done.
    Changed {
        /// Which build and part.
        about: About,
        /// What is different.
        change: Change,
    },
    /// A button that cannot be used.
    Unusable(Unusable),
    /// Only administrators may do this.
    NotAdministrator,
    /// Interactions from this server are not served.
    ServerNotServed,
    /// `/whoami`
    Whoami {
        /// The person.
        user: UserId,
        /// As whom they act, if mapped.
        uid: Option<Uid>,
        /// Whether they may administer mappings.
        administrator: bool,
    },
    /// `/help`
    Help {
        /// As whom they act, if mapped.
        uid: Option<Uid>,
        /// Whether they may administer mappings.
        administrator: bool,
        /// Whether commands in words are answered too.
        #[serde(default)]
        words: bool,
    },
    /// A mapping was added or changed.
    MappingSet {
        /// Of whom.
        user: UserId,
        /// To which UID.
        uid: Uid,
        /// The UID before, if another.
        before: Option<Uid>,
        /// Other people who act as the same UID.
        shared_with: Vec<UserId>,
    },
    /// A mapping was removed.
    MappingRemoved {
        /// Of whom.
        user: UserId,
        /// The UID before.
        uid: Uid,
    },
    /// There is no mapping to show or remove.
    MappingAbsent {
        /// Of whom.
        user: UserId,
    },
    /// One mapping.
    MappingShown {
        /// Of whom.
        user: UserId,
        /// As whom they act.
        uid: Uid,
        /// Who set it; absent for one that came from a file on the server.
        set_by: Option<UserId>,
        /// When it was set.
        set_at: Timestamp,
        /// Other people who act as the same UID.
        shared_with: Vec<UserId>,
    },
    /// The mappings that match.
    MappingList {
        /// What was looked for.
        filter: Option<String>,
        /// As many as fit, sorted by UID.
        entries: Vec<(UserId, Uid)>,
        /// How many match in all.
        total: u32,
    },
    /// The UID is not of its form.
    BadUid {
        /// What was given.
        given: String,
    },
    /// The program stopped before it could decide, and the wish is too old to be carried out without asking again.
    NothingDone,
    /// Something failed on our side.
    Incident {
        /// A number that also stands in the log.
        number: String,
    },
}

/// The options of `/retry` that have a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetryOption {
    /// English name.
    Project,
    /// Name or `p-…`
    Pipeline,
    /// `b-…`, a number, `latest` or a link.
    Build,
}

/// Why what was named does not lead to one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unfound {
    /// No pipeline has exactly this name.
    Pipeline {
        /// The name.
        named: String,
        /// Some whose names contain it.
        similar: Vec<(PipelineId, String)>,
    },
    /// More than one pipeline has this name.
    Ambiguous {
        /// The name.
        named: String,
        /// Some of them.
        candidates: Vec<(PipelineId, String)>,
    },
    /// There are more pipelines than are looked through.
    PipelineTooFar {
        /// The name.
        named: String,
        /// Some seen so far whose names are it or contain it.
        similar: Vec<(PipelineId, String)>,
    },
    /// No build of the pipeline has this number.
    Number {
        /// Which pipeline.
        pipeline: PipelineNamed,
        /// The number.
        number: u32,
        /// The latest, where known.
        latest: Option<u32>,
    },
    /// There are more builds than are looked through.
    NumberTooFar {
        /// Which pipeline.
        pipeline: PipelineNamed,
        /// The number.
        number: u32,
        /// How many pages of builds were looked at.
        pages: u32,
    },
    /// The pipeline has no build.
    NoBuild {
        /// Which pipeline.
        pipeline: PipelineNamed,
    },
    /// The link leads to a build of another project than was named.
    OtherProject {
        /// Where it leads.
        linked: ProjectId,
    },
    /// The link leads to a build of another pipeline than was named.
    OtherPipeline {
        /// Where it leads.
        linked: PipelineId,
        /// Which was named.
        named: PipelineNamed,
    },
    /// The list to look in could not be read.
    Unread {
        /// Which pipeline was named.
        pipeline: PipelineNamed,
        /// Why not.
        failure: Failure,
    },
}

/// Which build and which part of it, and who asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Which build.
    pub build: BuildRef,
    /// The pipeline's name as BK-CI gave it.
    pub pipeline_name: String,
    /// The build's number.
    pub number: u32,
    /// Which part; absent while none was settled on.
    pub scope: Option<Scope>,
    /// Who asked.
    pub asked_by: UserId,
    /// The build's page, when `bkci.web_url` is set.
    pub link: Option<String>,
}
