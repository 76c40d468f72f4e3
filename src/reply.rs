//! Everything the bot can say, as facts. Words are made of them in [`crate::text`], in the reader's language.
//!
//! A reply is kept in a delivery's row until it was said, so it holds no secret and no interaction token. Every text in
//! it that came from BK-CI or a person is as it came: whoever words it must neutralise it.

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;
use crate::model::ids::{OfferId, PipelineId, ProjectId, Uid, UserId};
use crate::model::named::PipelineNamed;
use crate::model::scope::{self, Plan, Scope};
use crate::model::{BuildRef, Rejection, status::BuildStatus};

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
    },
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

/// Where a command in words is wrong, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    /// In bytes of what was typed after the mention; never within a character.
    pub at: usize,
    /// How.
    pub slip: Slip,
}

/// What can be wrong with a command in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Slip {
    /// Nothing follows the mention.
    NoCommand,
    /// There is no such command in words.
    UnknownCommand,
    /// Too few words.
    Missing(RetryOption),
    /// Too many words.
    Surplus,
    /// There is no such flag.
    UnknownFlag,
    /// It needs a value, and none follows.
    NoValue(Flag),
    /// It takes no value.
    Valued(Flag),
    /// It was given before.
    Twice(Flag),
    /// The first cannot be, since the second was given before.
    Excludes(Flag, Flag),
    /// A quotation without an end.
    Unclosed,
    /// A quotation and a word without a blank between.
    Glued,
}

/// The options of `retry` in words that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flag {
    /// `--task T`
    Task,
    /// `--skip T`
    Skip,
    /// `--failed-jobs`
    FailedJobs,
    /// `--preview`
    Preview,
}

impl Flag {
    /// Every flag.
    pub const ALL: [Self; 4] = [Self::Task, Self::Skip, Self::FailedJobs, Self::Preview];

    /// As people type it (contract 4).
    pub fn name(self) -> &'static str {
        match self {
            Self::Task => "--task",
            Self::Skip => "--skip",
            Self::FailedJobs => "--failed-jobs",
            Self::Preview => "--preview",
        }
    }
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

/// What a retry would do, with the buttons to agree or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Which build and part.
    pub about: About,
    /// What would run.
    pub plan: Plan,
    /// The buttons.
    pub offer: OfferId,
    /// Until when they work.
    pub expires: Timestamp,
}

/// Why a retry is not carried out before the asker agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// It may be more than the person thinks of.
    Risk(scope::Why),
    /// The operator wants every retry to be confirmed.
    Always,
    /// The asker wanted to see it first, in words.
    Preview,
    /// The program was interrupted, and too much time has passed since the person asked (house 4.3).
    Late,
}

/// What is different from when a button was posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// There is a newer attempt.
    Attempt {
        /// The attempt that was shown.
        before: u32,
        /// The latest.
        now: u32,
        /// The UID that started it, if BK-CI says so.
        by: Option<String>,
    },
    /// The build is in another state.
    Status {
        /// The state that was shown.
        before: BuildStatus,
        /// The state now.
        now: BuildStatus,
    },
    /// Some part of it is in another state.
    Parts,
}

/// Why a button does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unusable {
    /// It is for somebody else.
    ForAnother {
        /// For whom.
        asker: UserId,
    },
    /// Its time is over.
    Expired {
        /// When that was.
        at: Timestamp,
    },
    /// It was used.
    Used {
        /// By whom.
        by: UserId,
    },
    /// The bot does not know it.
    Unknown,
}

/// A pair of buttons under a message: what pressing them would do, for whom, until when. A button itself says nothing
/// but which offer it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Made from its cause.
    pub id: OfferId,
    /// Which build and which part; its scope is settled.
    pub about: About,
    /// The build's attempt when it was shown.
    pub attempt: u32,
    /// The build's state when it was shown.
    pub status: BuildStatus,
    /// Of everything that decides what would run (`Build::digest`).
    pub digest: String,
    /// Who may use it; absent: everybody who may do what it offers.
    pub asker: Option<UserId>,
    /// Until when.
    pub expires: Timestamp,
    /// Who used it up.
    pub used_by: Option<UserId>,
}

/// What a button of an offer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Do what was shown.
    Run,
    /// Do nothing.
    Cancel,
    /// Do what came to nothing before; the answer is a message of its own, since the first one may still be corrected.
    Again,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 3] = [Self::Run, Self::Cancel, Self::Again];

    /// As it stands in a button's `custom_id`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Cancel => "cancel",
            Self::Again => "again",
        }
    }
}

/// How a retry stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// BK-CI accepted it.
    Accepted {
        /// The build id as BK-CI returned it.
        build_id: String,
        /// The attempt this is (`executeCount`), where known.
        attempt: Option<u32>,
        /// BK-CI's own answer was lost; the build itself showed it.
        seen_later: bool,
    },
    /// Sent; BK-CI has not answered yet.
    Sent,
    /// BK-CI cannot be reached; nothing was sent so far, and it is tried for a while.
    Unreachable,
    /// Refused by BK-CI or its gateway; nothing runs.
    Rejected(Rejection),
    /// It surely never reached BK-CI.
    NotSent,
    /// The program is not set up rightly for BK-CI; nothing runs.
    Misconfigured {
        /// What the operator should look at: no secret, no body.
        hint: String,
        /// The code that came with it, if any.
        said: Option<Rejection>,
    },
    /// BK-CI never answered, and the build shows no new attempt.
    Unconfirmed {
        /// For how many seconds the build was looked at.
        looked_for_s: u64,
        /// Whether the build could be read at all.
        readable: bool,
    },
    /// Somebody else started the next attempt at the same moment.
    Overtaken {
        /// Their UID.
        by: String,
        /// The attempt they started.
        attempt: u32,
    },
    /// A new attempt runs, and BK-CI does not tell who started it.
    CannotTell {
        /// The attempt.
        attempt: u32,
    },
    /// In a build that runs the task is not as it was, and BK-CI does not tell who did that.
    CannotTellTask,
    /// BK-CI had not carried it out; a later wish for the same was.
    Superseded,
    /// Somebody had asked for the same before.
    AlreadyAsked {
        /// Who.
        first: UserId,
        /// Whether BK-CI has accepted theirs by now.
        accepted: bool,
    },
}

/// Why a read gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// Refused by BK-CI or its gateway.
    Rejected(Rejection),
    /// Not reached.
    Unreachable,
    /// Reached, no answer.
    Unanswered {
        /// The code that came instead, if any.
        said: Option<Rejection>,
    },
    /// An answer that is not BK-CI's, or too large.
    Unreadable {
        /// What it looked like: no body.
        hint: String,
    },
    /// The program is not set up rightly for BK-CI.
    Misconfigured {
        /// What the operator should look at: no secret, no body.
        hint: String,
        /// The code that came with it, if any.
        said: Option<Rejection>,
    },
    /// The build belongs to another pipeline or project than was named.
    OtherPipeline,
}

impl Outcome {
    /// Whether the same can be wished again: nothing happened, or nothing is to be seen of it.
    pub fn may_be_asked_again(&self) -> bool {
        match self {
            Self::NotSent | Self::Unconfirmed { .. } => true,
            Self::Accepted { .. } | Self::Sent | Self::Unreachable | Self::Rejected(_) | Self::Misconfigured { .. } => {
                false
            }
            Self::Overtaken { .. } | Self::CannotTell { .. } | Self::CannotTellTask => false,
            Self::Superseded | Self::AlreadyAsked { .. } => false,
        }
    }

    /// A word for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Sent => "sent",
            Self::Unreachable => "unreachable",
            Self::Rejected(_) => "rejected",
            Self::NotSent => "not_sent",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::Overtaken { .. } => "overtaken",
            Self::CannotTell { .. } | Self::CannotTellTask => "cannot_tell",
            Self::Superseded => "superseded",
            Self::AlreadyAsked { .. } => "already_asked",
        }
    }
}
