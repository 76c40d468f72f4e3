//! Words for what is proposed before it is done, and for buttons that do nothing.

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::scopes::scope_text;
use super::{Button, NAME_MAX, Sentence, Tone, code, field, link, mention, moment, place_fields, plain, plan, simple};
use crate::model::ids::OfferId;
use crate::model::scope;
use crate::model::status::BuildStatus;
use crate::reply::{About, Change, Proposal, Unusable, Verb, Why};

pub(super) fn preview(t: &FluentLanguageLoader, proposal: &Proposal) -> Sentence {
    let about = &proposal.about;
    let title = fl!(t, "preview-title", pipeline = name(about), number = about.number.to_string());
    let body = fl!(t, "preview-body", scope = what(t, about), until = moment(proposal.expires));
    proposed(t, proposal, title, body)
}

pub(super) fn confirm(t: &FluentLanguageLoader, proposal: &Proposal, why: Why) -> Sentence {
    let about = &proposal.about;
    let title = fl!(t, "confirm-title", pipeline = name(about), number = about.number.to_string());
    let (who, until) = (mention(about.asked_by), moment(proposal.expires));
    let why = match why {
        Why::Risk(scope::Why::SkipsStage) => fl!(t, "confirm-skips-stage"),
        Why::Risk(scope::Why::NotFailed) => fl!(t, "confirm-not-failed"),
        Why::Always => fl!(t, "confirm-always"),
        Why::Preview => fl!(t, "confirm-preview"),
        Why::Late => fl!(t, "confirm-late"),
    };
    let body = fl!(t, "confirm-body", why = why, scope = what(t, about), who = who, until = until);
    proposed(t, proposal, title, body)
}

fn proposed(t: &FluentLanguageLoader, proposal: &Proposal, title: String, body: String) -> Sentence {
    let about = &proposal.about;
    let button = |label, verb| Button { label, verb, offer: proposal.offer.clone() };
    let buttons = vec![button(fl!(t, "button-run"), Verb::Run), button(fl!(t, "button-cancel"), Verb::Cancel)];
    let mut fields = plan::fields(t, &proposal.plan);
    fields.extend(self::fields(t, about));
    Sentence { fields, link: link(t, about), buttons, ..simple(Tone::Waiting, title, body) }
}

/// The button by which the person can ask for the same again.
pub(super) fn again(t: &FluentLanguageLoader, offer: Option<&OfferId>) -> Vec<Button> {
    let button = |offer: &OfferId| Button { label: fl!(t, "button-again"), verb: Verb::Again, offer: offer.clone() };
    offer.map(button).into_iter().collect()
}

pub(super) fn declined(t: &FluentLanguageLoader, about: &About) -> Sentence {
    let title = fl!(t, "declined-title", pipeline = name(about), number = about.number.to_string());
    let body = fl!(t, "declined-body", scope = what(t, about), who = mention(about.asked_by));
    Sentence { fields: fields(t, about), link: link(t, about), ..simple(Tone::Neutral, title, body) }
}

pub(super) fn changed(t: &FluentLanguageLoader, about: &About, change: &Change) -> Sentence {
    let what = match change {
        Change::Attempt { before, now, by: Some(by) } => {
            let (before, now) = (before.to_string(), now.to_string());
            fl!(t, "changed-attempt-by", before = before, now = now, by = code(by, 64))
        }
        Change::Attempt { before, now, by: None } => {
            fl!(t, "changed-attempt", before = before.to_string(), now = now.to_string())
        }
        Change::Status { before, now } => {
            let (before, now) = (code(before.as_wire(), 30), code(now.as_wire(), 30));
            fl!(t, "changed-status", before = before, now = now)
        }
        Change::Parts => fl!(t, "changed-parts"),
        Change::First { now, user, uid, status } => {
            let who = user.map(mention).or_else(|| uid.as_ref().map(|uid| code(uid, 64)));
            return first(t, about, who, (*now, *status));
        }
    };
    let title = fl!(t, "changed-title", pipeline = name(about), number = about.number.to_string());
    let body = fl!(t, "changed-body", what = what);
    Sentence { fields: fields(t, about), link: link(t, about), ..simple(Tone::Bad, title, body) }
}

/// On a notice: that somebody was first is no mishap.
fn first(t: &FluentLanguageLoader, about: &About, who: Option<String>, (now, status): (u32, BuildStatus)) -> Sentence {
    let title = fl!(t, "first-title", pipeline = name(about), number = about.number.to_string());
    let (now, status) = (now.to_string(), code(status.as_wire(), 30));
    let body = match who {
        Some(who) => fl!(t, "first-body", who = who, now = now, status = status),
        None => fl!(t, "first-body-unknown", now = now, status = status),
    };
    Sentence { fields: fields(t, about), link: link(t, about), ..simple(Tone::Neutral, title, body) }
}

pub(super) fn unusable(t: &FluentLanguageLoader, why: &Unusable) -> Sentence {
    let body = match why {
        Unusable::ForAnother { asker } => fl!(t, "unusable-for-another", asker = mention(*asker)),
        Unusable::Expired { at } => fl!(t, "unusable-expired", at = moment(*at)),
        Unusable::TooOld { at } => fl!(t, "unusable-too-old", at = moment(*at)),
        Unusable::Used { by } => fl!(t, "unusable-used", by = mention(*by)),
        Unusable::Unknown => fl!(t, "unusable-unknown"),
    };
    simple(Tone::Bad, fl!(t, "unusable-title"), body)
}

fn name(about: &About) -> String {
    plain(&about.pipeline_name, NAME_MAX)
}

fn what(t: &FluentLanguageLoader, about: &About) -> String {
    about.scope.as_ref().map_or_else(|| fl!(t, "scope-whole"), |scope| scope_text(t, scope))
}

pub(super) fn fields(t: &FluentLanguageLoader, about: &About) -> Vec<super::Field> {
    let mut fields = vec![field(fl!(t, "label-build"), code(about.build.build.as_str(), 64), false)];
    fields.extend(place_fields(t, about));
    fields
}
