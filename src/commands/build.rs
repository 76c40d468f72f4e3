//! `/build`: how a build stands, the end of a log of it, and to stop it; as the person who asks.

use super::named::Named;
use super::{Action, Answer, BuildOptions, Decision, LogOptions, Next, Opened, Request, log, private, retry};
use crate::app::App;
use crate::model::build::Build;
use crate::model::ids::{InteractionId, OfferId, Uid, UserId};
use crate::model::scope::RETRY_WINDOW;
use crate::reply::notice::Acts;
use crate::reply::{self, About, Notice, Offer, Reply, StopOutcome};
use crate::store::operations::StopWish;

/// What a mapped person wants of a build; what they named is well formed, nothing was looked up.
#[derive(Debug)]
pub struct Wanted {
    named: Named,
    what: What,
    as_user: Uid,
    asked_by: UserId,
}

#[derive(Debug)]
enum What {
    Status(InteractionId),
    Log(log::Wanted),
    Stop,
}

pub(super) async fn status(app: &App, request: &Request, options: &BuildOptions) -> anyhow::Result<Opened> {
    open(app, request, options, (Answer::Public, What::Status(request.interaction))).await
}

pub(super) async fn log(app: &App, request: &Request, options: &LogOptions) -> anyhow::Result<Opened> {
    let wanted = log::Wanted { task: options.task.clone(), lines: options.lines };
    open(app, request, &options.build, (Answer::Private, What::Log(wanted))).await
}

pub(super) async fn stop(app: &App, request: &Request, options: &BuildOptions) -> anyhow::Result<Opened> {
    open(app, request, options, (Answer::Public, What::Stop)).await
}

async fn open(
    app: &App,
    request: &Request,
    options: &BuildOptions,
    (answer, what): (Answer, What),
) -> anyhow::Result<Opened> {
    let asked_by = request.actor.user;
    let Some(mapping) = app.store.mapping(asked_by).await? else {
        return Ok(private(Reply::NotMapped { user: asked_by }));
    };
    Ok(match Named::read(&options.project, &options.pipeline, &options.build) {
        Ok(named) => {
            let wanted = Wanted { named, what, as_user: mapping.uid, asked_by };
            Opened { answer, next: Next::Build(Box::new(wanted)) }
        }
        Err(reply) => private(*reply),
    })
}

pub(super) async fn decide(app: &App, wanted: Wanted) -> Decision {
    let Wanted { named, what, as_user, asked_by } = wanted;
    let (named, build) = match named.read_build(app, &as_user).await {
        Ok(found) => found,
        Err(reply) => return Decision::Say(*reply),
    };
    let about = retry::about(app, (named, &build), asked_by);
    match what {
        What::Status(cause) => standing(app, about, &build, cause).await,
        What::Log(wanted) => Decision::Say(log::read(app, wanted, (about, &as_user), &build).await),
        What::Stop => stopping(about, as_user, &build),
    }
}

/// How a build stands, with what can be done about it: by whoever presses, like on a notice.
async fn standing(app: &App, about: About, build: &Build, cause: InteractionId) -> Decision {
    let mut facts = Notice::of(&about.build, build, about.link.clone());
    for count in facts.attempts.iter().map(|attempt| attempt.count).filter(|count| *count > 1).collect::<Vec<_>>() {
        match app.store.wish_for(&about.build.build, count).await {
            Ok(ours) => {
                if let Some(ours) = ours.filter(|ours| ours.accepted) {
                    facts = facts.retried_by(count, ours.by, ours.scope);
                }
            }
            Err(error) => tracing::warn!(error = format!("{error:#}"), "who retried cannot be looked up"),
        }
    }
    let id: OfferId = cause.to_string().parse().expect("digits are an offer's id");
    facts.acts = Acts::of(build, id.clone());
    if facts.acts.is_none() {
        return Decision::Say(Reply::Notice(Box::new(facts)));
    }
    let expires = build.started.unwrap_or(build.read_at).plus(RETRY_WINDOW);
    let what = reply::What::Notice { about, attempt: build.execute_count };
    let offer = Offer { id, what, asker: None, expires, used_by: None };
    Decision::Propose(Reply::Notice(Box::new(facts)), Box::new(offer))
}

/// A build that has ended is not stopped. It was read for the pipeline that was named: BK-CI itself does not check that
/// they belong together.
pub(super) fn stopping(about: About, as_user: Uid, build: &Build) -> Decision {
    if build.is_finished() {
        let outcome = StopOutcome::EndedBefore { status: build.status };
        return Decision::Say(Reply::Stop { about, outcome });
    }
    Decision::Do(Action::Stop(Box::new(StopWish::new(about, as_user, build))))
}
