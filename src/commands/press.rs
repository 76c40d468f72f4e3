//! A button of an offer: the person who presses acts, as themselves, with the rights they have at that moment. What runs
//! is exactly what was shown, or nothing.

use super::retry::Planned;
use super::{Action, Answer, Decision, Next, Opened, Origin, Request, private, retry, settled};
use crate::app::App;
use crate::model::build::Build;
use crate::model::ids::{OfferId, Uid, UserId};
use crate::model::scope::{Plan, what_runs};
use crate::reply::{About, Change, Offer, Reply, Unusable, Verb};
use crate::store::operations::Wish;

/// An offer that this person may accept, unless the build has changed.
#[derive(Debug)]
pub struct Pressed {
    offer: Offer,
    as_user: Uid,
    by: UserId,
    posted: bool,
}

pub(super) async fn open(app: &App, request: &Request, verb: Verb, id: &OfferId) -> anyhow::Result<Opened> {
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
    let answer = match verb {
        Verb::Run | Verb::Cancel => Answer::InPlace { message, private: on_private },
        Verb::Again => Answer::Public,
    };
    match verb {
        Verb::Cancel => {
            let about = offer.about;
            Ok(settled(answer, Decision::Do(Action::Decline(offer.id, Reply::Declined { about }))))
        }
        Verb::Run | Verb::Again => {
            let Some(mapping) = app.store.mapping(by).await? else {
                return Ok(private(Reply::NotMapped { user: by }));
            };
            let pressed = Pressed { offer, as_user: mapping.uid, by, posted: answer.is_private() };
            Ok(Opened { answer, next: Next::Press(Box::new(pressed)) })
        }
    }
}

fn unusable(offer: &Offer, by: UserId, app: &App) -> Option<Unusable> {
    if let Some(asker) = offer.asker.filter(|asker| *asker != by) {
        return Some(Unusable::ForAnother { asker });
    }
    if let Some(by) = offer.used_by {
        return Some(Unusable::Used { by });
    }
    (app.clock.now() > offer.expires).then_some(Unusable::Expired { at: offer.expires })
}

/// Reads the build again, as the person who pressed. Only the state that was shown makes the offer good.
pub(super) async fn decide(app: &App, pressed: Pressed) -> Decision {
    let Pressed { offer, as_user, by, posted } = pressed;
    let build = match retry::read(app, &as_user, &offer.about.build).await {
        Ok(build) => build,
        Err(reply) => return Decision::Say(*reply),
    };
    let about = About { asked_by: by, ..offer.about.clone() };
    match change(&offer, &build) {
        Some(change) => Decision::Say(Reply::Changed { about, change }),
        None => {
            let plan = about.scope.as_ref().map_or_else(Plan::default, |scope| what_runs(&build, scope));
            let wish = Wish { posted, ..Wish::new(about, as_user, &build) };
            Decision::Do(Action::Accept(offer.id, Box::new(Planned { wish, plan })))
        }
    }
}

fn change(offer: &Offer, build: &Build) -> Option<Change> {
    if build.execute_count != offer.attempt {
        let (before, now) = (offer.attempt, build.execute_count);
        return Some(Change::Attempt { before, now, by: build.starter(now).map(str::to_owned) });
    }
    if build.status != offer.status {
        return Some(Change::Status { before: offer.status, now: build.status });
    }
    (build.digest() != offer.digest).then_some(Change::Parts)
}
