//! `/retry`: from what was typed to one settled wish, or to the reason why not.

use std::time::Duration;

use super::named::Named;
use super::{Action, Answer, Decision, Next, Opened, Origin, Request, RetryOptions, private};
use crate::app::App;
use crate::bkci;
use crate::config::Confirm;
use crate::model::build::Build;
use crate::model::ids::{InteractionId, Uid, UserId};
use crate::model::scope::{self, Plan, Scope, what_runs};
use crate::model::{BuildRef, Timestamp};
use crate::reply::{About, Failure, Offer, Proposal, Reply, Why};
use crate::store::operations::Wish;

/// How long a preview or a confirmation can be accepted. A private message cannot be changed for longer either
/// (discord-rules 1).
const OFFERED_FOR: Duration = Duration::from_mins(15);

/// What a mapped person wants retried; what they named is well formed, nothing was looked up.
#[derive(Debug)]
pub struct Wanted {
    named: Named,
    asked: Asked,
}

/// Which part of a build somebody wants retried, and how.
#[derive(Debug)]
pub(super) struct Asked {
    /// The interaction it came from.
    pub(super) cause: InteractionId,
    /// As named.
    pub(super) part: scope::Wanted,
    /// As whom.
    pub(super) as_user: Uid,
    /// Who.
    pub(super) asked_by: UserId,
    /// It is only shown first, there.
    pub(super) preview: Option<Answer>,
    /// It was asked for on a notice, which shows what becomes of it.
    pub(super) quiet: bool,
    /// It was asked for in private, and what becomes of it is told in public.
    pub(super) posted: bool,
}

/// A settled wish, and what it would run.
#[derive(Debug)]
pub struct Planned {
    /// What is to be carried out.
    pub wish: Wish,
    /// What would run.
    pub plan: Plan,
}

pub(super) async fn open(app: &App, request: &Request, options: &RetryOptions) -> anyhow::Result<Opened> {
    let user = request.actor.user;
    let Some(mapping) = app.store.mapping(user).await? else {
        return Ok(private(Reply::NotMapped { user }));
    };
    Ok(match parse(options) {
        Ok((named, part)) => {
            let cause = request.interaction;
            let preview = options.preview.then_some(match request.origin {
                Origin::Command | Origin::Button { .. } => Answer::Private,
                Origin::Message => Answer::Public,
            });
            let asked =
                Asked { cause, part, as_user: mapping.uid, asked_by: user, preview, quiet: false, posted: false };
            let wanted = Wanted { named, asked };
            let answer = preview.unwrap_or(Answer::Public);
            Opened { answer, next: Next::Retry(Box::new(wanted)) }
        }
        Err(reply) => private(*reply),
    })
}

fn parse(options: &RetryOptions) -> Result<(Named, scope::Wanted), Box<Reply>> {
    let named = Named::read(&options.project, &options.pipeline, &options.build)?;
    let trimmed = |text: &String| text.trim().to_owned();
    let part = match (&options.task, &options.skip, options.failed_jobs) {
        (Some(_), Some(_), _) => return Err(Box::new(Reply::TaskAndSkip)),
        (None, Some(_), true) => return Err(Box::new(Reply::SkipAndFailedJobs)),
        (stage, None, true) => scope::Wanted::FailedJobs(stage.as_ref().map(trimmed)),
        (Some(task), None, false) => scope::Wanted::Retry(trimmed(task)),
        (None, Some(skip), false) => scope::Wanted::Skip(trimmed(skip)),
        (None, None, false) => scope::Wanted::WholeBuild,
    };
    Ok((named, part))
}

/// Reads a build as a UID. What goes to BK-CI later is only what was found in that answer.
pub(super) async fn read(app: &App, uid: &Uid, named: &BuildRef) -> Result<Build, Box<Reply>> {
    let not_read = |failure| Box::new(Reply::NotRead { build: named.clone(), failure });
    let build = app.bkci.build_detail(uid, named).await.map_err(|error| not_read(failure(error)))?;
    if build.pipeline == named.pipeline { Ok(build) } else { Err(not_read(Failure::OtherPipeline)) }
}

/// Finds the build that was named, reads it as the person's UID and settles what exactly would run.
pub(super) async fn decide(app: &App, Wanted { named, asked }: Wanted) -> Decision {
    match named.read_build(app, &asked.as_user).await {
        Ok((named, build)) => settle(asked, &build, named, app),
        Err(reply) => Decision::Say(*reply),
    }
}

/// Which build it is, by whom it was asked for; no scope.
pub(super) fn about(app: &App, (named, build): (BuildRef, &Build), asked_by: UserId) -> About {
    let link = app.bkci.build_page(&named, None);
    let (pipeline_name, number) = (build.pipeline_name.clone(), build.number);
    About { build: named, pipeline_name, number, scope: None, asked_by, link }
}

/// Settles what exactly would run of a build that was read, and whether somebody has to agree first.
pub(super) fn settle(asked: Asked, build: &Build, named: BuildRef, app: &App) -> Decision {
    let (confirm, now) = (app.settings.retry.confirm, app.clock.now());
    let mut about = about(app, (named, build), asked.asked_by);
    let scope = match Scope::resolve(build, &asked.part) {
        Ok(scope) => scope,
        Err(refusal) => return Decision::Say(Reply::NotRetried { about, refusal, status: build.status }),
    };
    let risk = scope.needs_confirmation(build).map(Why::Risk);
    let why = match confirm {
        Confirm::Never => None,
        Confirm::Always => risk.or(Some(Why::Always)),
        Confirm::Risky => risk,
    };
    about.scope = Some(scope.clone());
    let wish = Wish { quiet: asked.quiet, posted: asked.posted, ..Wish::new(about, asked.as_user, build) };
    let planned = Planned { plan: what_runs(build, &scope), wish };
    let why = match asked.preview {
        None if why.is_none() => return Decision::Do(Action::Retry(Box::new(planned))),
        None => why,
        Some(answer) if answer.is_private() => None,
        Some(_) => why.or(Some(Why::Preview)),
    };
    let (reply, offer) = propose(planned, asked.cause, (why, now));
    Decision::Propose(reply, Box::new(offer))
}

/// Shows what a wish would do, with buttons to have it done: as a preview, or because somebody has to agree.
pub(super) fn propose(planned: Planned, cause: InteractionId, (why, now): (Option<Why>, Timestamp)) -> (Reply, Offer) {
    let Planned { wish, plan } = planned;
    let id = cause.to_string().parse().expect("digits are an offer's id");
    let offer = wish.offered_as(id, now.plus(OFFERED_FOR));
    let proposal = Proposal { about: wish.about, plan, offer: offer.id.clone(), expires: offer.expires };
    let reply = match why {
        Some(why) => Reply::Confirm(proposal, why),
        None => Reply::Preview(proposal),
    };
    (reply, offer)
}

pub(super) fn failure(error: bkci::Error) -> Failure {
    match error {
        bkci::Error::NotSent { .. } => Failure::Unreachable,
        bkci::Error::Unanswered { said, .. } => Failure::Unanswered { said },
        bkci::Error::Rejected(rejection) => Failure::Rejected(rejection),
        bkci::Error::Misconfigured { hint, said } => Failure::Misconfigured { hint, said },
        bkci::Error::Unreadable { hint } => Failure::Unreadable { hint },
    }
}
