//! `/retry`: from what was typed to one settled wish, or to the reason why not.

use super::{Action, Decision, Next, Opened, Request, RetryOptions, private};
use crate::app::App;
use crate::bkci;
use crate::model::BuildRef;
use crate::model::build::Build;
use crate::model::ids::{Uid, UserId};
use crate::model::scope::{self, Refusal, Scope, Why};
use crate::reply::{About, Failure, Reply, RetryOption};
use crate::store::operations::Wish;

/// What a mapped person wants retried; the ids are well formed, nothing was looked up.
#[derive(Debug)]
pub struct Wanted {
    build: BuildRef,
    part: scope::Wanted,
    as_user: Uid,
    asked_by: UserId,
}

pub(super) async fn open(app: &App, request: &Request, options: &RetryOptions) -> anyhow::Result<Opened> {
    let user = request.actor.user;
    let Some(mapping) = app.store.mapping(user).await? else {
        return Ok(private(Reply::NotMapped { user }));
    };
    Ok(match read(options) {
        Ok((build, part)) => {
            let wanted = Wanted { build, part, as_user: mapping.uid, asked_by: user };
            Opened { private: false, next: Next::Retry(wanted) }
        }
        Err(reply) => private(*reply),
    })
}

fn read(options: &RetryOptions) -> Result<(BuildRef, scope::Wanted), Box<Reply>> {
    let malformed = |option, given: &str| Box::new(Reply::Malformed { option, given: given.to_owned() });
    let project = options.project.parse().map_err(|_| malformed(RetryOption::Project, &options.project))?;
    let pipeline = options.pipeline.parse().map_err(|_| malformed(RetryOption::Pipeline, &options.pipeline))?;
    let build = options.build.parse().map_err(|_| malformed(RetryOption::Build, &options.build))?;
    if options.preview {
        return Err(Box::new(Reply::NoPreview));
    }
    let named = |text: &String| text.trim().to_owned();
    let part = match (&options.task, &options.skip, options.failed_jobs) {
        (Some(_), Some(_), _) => return Err(Box::new(Reply::TaskAndSkip)),
        (None, Some(_), true) => return Err(Box::new(Reply::SkipAndFailedJobs)),
        (stage, None, true) => scope::Wanted::FailedJobs(stage.as_ref().map(named)),
        (Some(task), None, false) => scope::Wanted::Retry(named(task)),
        (None, Some(skip), false) => scope::Wanted::Skip(named(skip)),
        (None, None, false) => scope::Wanted::WholeBuild,
    };
    Ok((BuildRef { project, pipeline, build }, part))
}

/// Reads the build as the person's UID and settles what exactly would run. What goes to BK-CI later is only what was
/// found in that answer.
pub(super) async fn decide(app: &App, wanted: Wanted) -> Decision {
    let build = match app.bkci.build_detail(&wanted.as_user, &wanted.build).await {
        Ok(build) => build,
        Err(error) => return Decision::Say(Reply::NotRead { build: wanted.build, failure: failure(error) }),
    };
    if build.pipeline != wanted.build.pipeline {
        return Decision::Say(Reply::NotRead { build: wanted.build, failure: Failure::OtherPipeline });
    }
    let link = app.bkci.build_page(&wanted.build, None);
    settle(wanted, &build, link)
}

fn settle(wanted: Wanted, build: &Build, link: Option<String>) -> Decision {
    let mut about = About {
        build: wanted.build,
        pipeline_name: build.pipeline_name.clone(),
        number: build.number,
        scope: None,
        asked_by: wanted.asked_by,
        link,
    };
    let resolved = Scope::resolve(build, &wanted.part).and_then(|scope| match scope.needs_confirmation(build) {
        Some(Why::NotFailed) => Err(Refusal::Succeeded),
        Some(Why::SkipsStage) | None => Ok(scope),
    });
    match resolved {
        Ok(scope) => {
            let starts_before = scope.starts_by_hand(build);
            about.scope = Some(scope);
            Decision::Do(Action::Retry(Box::new(Wish {
                about,
                as_user: wanted.as_user,
                count_before: build.execute_count,
                starts_before,
                from_webhook: build.from_webhook,
            })))
        }
        Err(refusal) => Decision::Say(Reply::NotRetried { about, refusal, status: build.status }),
    }
}

fn failure(error: bkci::Error) -> Failure {
    match error {
        bkci::Error::NotSent { .. } => Failure::Unreachable,
        bkci::Error::Unanswered { .. } => Failure::Unanswered,
        bkci::Error::Rejected(rejection) => Failure::Rejected(rejection),
        bkci::Error::Misconfigured { hint } => Failure::Misconfigured { hint },
        bkci::Error::Unreadable { hint } => Failure::Unreadable { hint },
    }
}
