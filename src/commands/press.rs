//! A button of an offer: the person who presses acts, as themselves, with the rights they have at that moment. What runs
//! is exactly what was shown, or nothing. What stands on a notice is in [`super::notice`].

use super::retry::Planned;
use super::{Action, Answer, Decision, Next, Opened, Origin, Request, notice, private, retry, settled, watch};
use crate::app::App;
use crate::model::build::Build;
use crate::model::ids::{OfferId, Uid, UserId};
use crate::model::scope::{Plan, what_runs};
use crate::reply::{About, Change, Offer, Reply, Shown, Unusable, Verb, What};
use crate::store::operations::Wish;

/// An offer that this person may accept, unless the build has changed.
#[derive(Debug)]
pub struct Pressed {
    offer: OfferId,
    shown: Shown,
    as_user: Uid,
    by: UserId,
    posted: bool,
}

pub(super) async fn open(
    app: &App,
    request: &Request,
    (verb, chosen): (Verb, Option<&str>),
    id: &OfferId,
) -> anyhow::Result<Opened> {
    let Origin::Button { message, private: on_private } = request.origin else {
        anyhow::bail!("an offer can only be accepted by its button");
    };
    let by = request.actor.user;
    let Some(offer) = app.store.offer(id).await? else {
        return Ok(private(Reply::Unusable(Unusable::Unknown)));
    };
    if let Some(why) = unusable(&offer, by, app) {
        return Ok(private(Reply::Unusable(why)));
    }
    let in_place = Answer::InPlace { message, private: on_private };
    match (offer.what, verb) {
        (What::Shown(shown), Verb::Cancel) => {
            let about = shown.about;
            Ok(settled(in_place, Decision::Do(Action::Decline(offer.id, Reply::Declined { about }))))
        }
        (What::Shown(shown), Verb::Run | Verb::Again) => {
            let answer = match (verb == Verb::Again, shown.quiet) {
                (true, true) => Answer::Private,
                (true, false) => Answer::Public,
                (false, _) => in_place,
            };
            let Some(mapping) = app.store.mapping(by).await? else {
                return Ok(private(Reply::NotMapped { user: by }));
            };
            let posted = answer.is_private() && !shown.quiet;
            let pressed = Pressed { offer: offer.id, shown, as_user: mapping.uid, by, posted };
            Ok(Opened { answer, next: Next::Press(Box::new(pressed)) })
        }
        (What::Watch { watch: id }, Verb::TakeOver) => watch::take(app, request, (offer.id, &id)).await,
        (What::Notice { about, attempt }, _) => notice::open(app, request, (verb, chosen), (about, attempt)).await,
        (What::Shown(_) | What::Watch { .. }, _) => Ok(private(Reply::Unusable(Unusable::Unknown))),
    }
}

fn unusable(offer: &Offer, by: UserId, app: &App) -> Option<Unusable> {
    if let Some(asker) = offer.asker.filter(|asker| *asker != by) {
        return Some(Unusable::ForAnother { asker });
    }
    if let Some(by) = offer.used_by {
        return Some(Unusable::Used { by });
    }
    let at = offer.expires;
    (app.clock.now() > at).then_some(match offer.what {
        What::Notice { .. } => Unusable::TooOld { at },
        What::Shown(_) | What::Watch { .. } => Unusable::Expired { at },
    })
}

/// Reads the build again, as the person who pressed. Only the state that was shown makes the offer good.
pub(super) async fn decide(app: &App, pressed: Pressed) -> Decision {
    let Pressed { offer, shown, as_user, by, posted } = pressed;
    let build = match retry::read(app, &as_user, &shown.about.build).await {
        Ok(build) => build,
        Err(reply) => return Decision::Say(*reply),
    };
    let about = About { asked_by: by, ..shown.about.clone() };
    match change(&shown, &build) {
        Some(change) => Decision::Say(Reply::Changed { about, change }),
        None => {
            let plan = about.scope.as_ref().map_or_else(Plan::default, |scope| what_runs(&build, scope));
            let wish = Wish { posted, quiet: shown.quiet, ..Wish::new(about, as_user, &build) };
            Decision::Do(Action::Accept(offer, Box::new(Planned { wish, plan })))
        }
    }
}

fn change(shown: &Shown, build: &Build) -> Option<Change> {
    if build.execute_count != shown.attempt {
        let (before, now) = (shown.attempt, build.execute_count);
        return Some(Change::Attempt { before, now, by: build.starter(now).map(str::to_owned) });
    }
    if build.status != shown.status {
        return Some(Change::Status { before: shown.status, now: build.status });
    }
    (build.digest() != shown.digest).then_some(Change::Parts)
}
