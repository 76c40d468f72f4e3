//! A button or a list on a notice: whoever presses acts as themselves, with the mapping and the rights they have at that
//! moment, through the same path as the command. The offer is good for one attempt of the build, for everybody, as often
//! as they like. The answer is the presser's alone: the notice itself shows everybody what becomes of the build, and
//! where the channel has none, a retry that is accepted makes one.

use super::build::stopping;
use super::retry::Asked;
use super::{Action, Answer, Decision, Next, Opened, Request, private, retry};
use crate::app::App;
use crate::model::build::Build;
use crate::model::ids::{InteractionId, Uid};
use crate::model::scope;
use crate::reply::{About, Change, Reply, Unusable, Verb};

/// A build that is looked at again, as somebody else.
#[derive(Debug)]
pub struct Following {
    pub(super) about: About,
    pub(super) as_user: Uid,
    pub(super) attempt: u32,
}

/// What a mapped person wants done about a build, as its notice offered.
#[derive(Debug)]
pub struct Pressed {
    cause: InteractionId,
    about: About,
    attempt: u32,
    act: Act,
    as_user: Uid,
    /// The channel has a message that is kept up to date about the build: what was pressed may be how the build stood
    /// once (`/build status`).
    shown: bool,
}

#[derive(Debug)]
enum Act {
    Retry(scope::Wanted),
    Stop,
    /// Look at the build as oneself, since nobody else can any more.
    TakeOver,
}

pub(super) async fn open(
    app: &App,
    request: &Request,
    (verb, chosen): (Verb, Option<&str>),
    (about, attempt): (About, u32),
) -> anyhow::Result<Opened> {
    let by = request.actor.user;
    let Some(act) = act(verb, chosen) else {
        return Ok(private(Reply::Unusable(Unusable::Unknown)));
    };
    let Some(mapping) = app.store.mapping(by).await? else {
        return Ok(private(Reply::NotMapped { user: by }));
    };
    let about = About { asked_by: by, ..about };
    let kept = app.store.notices_of(&about.build.build).await?;
    let shown = kept.iter().any(|kept| kept.place.channel == request.place.channel);
    let pressed = Pressed { cause: request.interaction, about, attempt, act, as_user: mapping.uid, shown };
    Ok(Opened { answer: Answer::Private, next: Next::Notice(Box::new(pressed)) })
}

/// What was chosen stands for an id of the build, and is looked for in it like anything that somebody types.
fn act(verb: Verb, chosen: Option<&str>) -> Option<Act> {
    let chosen = chosen.map(str::to_owned);
    Some(Act::Retry(match verb {
        Verb::FailedJobs => scope::Wanted::FailedJobs(None),
        Verb::Whole => scope::Wanted::WholeBuild,
        Verb::From => scope::Wanted::Retry(chosen?),
        Verb::Skip => scope::Wanted::Skip(chosen?),
        Verb::Stop => return Some(Act::Stop),
        Verb::TakeOver => return Some(Act::TakeOver),
        Verb::Run | Verb::Cancel | Verb::Again => return None,
    }))
}

/// Reads the build as the person who pressed. Nothing is done to another attempt than the one the notice was about.
pub(super) async fn decide(app: &App, pressed: Pressed) -> Decision {
    let Pressed { cause, about, attempt, act, as_user, shown } = pressed;
    let build = match retry::read(app, &as_user, &about.build).await {
        Ok(build) => build,
        Err(reply) => return Decision::Say(*reply),
    };
    // Whoever can read it can look at it, whichever attempt it has come to.
    if build.execute_count != attempt && !matches!(act, Act::TakeOver) {
        let change = first(app, &about, &build).await;
        return Decision::Say(Reply::Changed { about, change });
    }
    match act {
        Act::Retry(part) => {
            let asked_by = about.asked_by;
            let asked = Asked { cause, part, as_user, asked_by, preview: None, quiet: shown, posted: !shown };
            retry::settle(asked, &build, about.build, app)
        }
        Act::Stop => stopping(about, as_user, &build),
        Act::TakeOver => {
            let attempt = build.execute_count;
            Decision::Do(Action::Follow(Box::new(Following { about, as_user, attempt })))
        }
    }
}

/// Who started the latest attempt: the person, where it is one who asked this bot.
async fn first(app: &App, about: &About, build: &Build) -> Change {
    let now = build.execute_count;
    // A whole-build retry of a build that a code event started keeps that event's user (bkci-api 6.5): no witness.
    let witness = build.starter(now).filter(|by| !build.from_webhook || build.starter(1) != Some(by));
    let ours = app.store.wish_for(&about.build.build, now).await.unwrap_or_else(|error| {
        tracing::warn!(error = format!("{error:#}"), "who was first could not be looked up");
        None
    });
    let user = ours.filter(|ours| ours.accepted || witness == Some(ours.as_user.as_str())).map(|ours| ours.by);
    Change::First { now, user, uid: witness.map(str::to_owned), status: build.status }
}
