//! Buttons and lists under a notice.

use std::collections::BTreeSet;

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::super::choices::part_text;
use super::super::plain::{bare, cut};
use super::super::{Button, List, ListChoice, NAME_MAX};
use crate::model::ids::OfferId;
use crate::model::scope::Part;
use crate::reply::Verb;
use crate::reply::notice::Acts;

/// Choices of a list (discord-rules 4).
const CHOICES: usize = 25;

/// Label, description and value of a choice (discord-rules 4).
const CHOICE_MAX: usize = 100;

/// What can be done about it here.
pub(super) fn offered(t: &FluentLanguageLoader, acts: Option<&Acts>) -> (Vec<Button>, Vec<List>) {
    let Some(acts) = acts else { return (Vec::new(), Vec::new()) };
    let button = |label: String, verb: Verb| Button { label, verb, offer: acts.offer.clone() };
    let buttons = [
        acts.failed_jobs.then(|| button(fl!(t, "notice-retry-failed"), Verb::FailedJobs)),
        acts.whole.then(|| button(fl!(t, "notice-retry-all"), Verb::Whole)),
        acts.stop.then(|| button(fl!(t, "notice-stop"), Verb::Stop)),
        acts.take_over.then(|| take_over(t, &acts.offer)),
    ];
    let list = |placeholder: String, verb: Verb, parts: &[Part]| {
        let choices = choices(t, parts);
        (!choices.is_empty()).then(|| List { placeholder, verb, offer: acts.offer.clone(), choices })
    };
    let lists =
        [list(fl!(t, "notice-from"), Verb::From, &acts.from), list(fl!(t, "notice-skip"), Verb::Skip, &acts.skip)];
    (buttons.into_iter().flatten().collect(), lists.into_iter().flatten().collect())
}

/// The button by which somebody else looks for a build or a watch.
pub(super) fn take_over(t: &FluentLanguageLoader, offer: &OfferId) -> Button {
    Button { label: fl!(t, "notice-take-over"), verb: Verb::TakeOver, offer: offer.clone() }
}

/// Lists show names as they are: no Markdown, no mentions. Values have to differ, and one that does not fit is no choice.
fn choices(t: &FluentLanguageLoader, parts: &[Part]) -> Vec<ListChoice> {
    let mut seen = BTreeSet::new();
    let usable = parts.iter().filter(|part| (1..=CHOICE_MAX).contains(&part.id.encode_utf16().count()));
    let usable = usable.filter(|part| !bare(&part.id, CHOICE_MAX).is_empty() && seen.insert(&part.id));
    let choice = |part: &Part| {
        let named = !bare(&part.name, NAME_MAX).is_empty();
        let label = if named { part_text(t, part) } else { bare(&part.id, CHOICE_MAX) };
        let within: Vec<String> =
            part.within.iter().map(|name| bare(name, NAME_MAX)).filter(|name| !name.is_empty()).collect();
        let (label, detail) = (cut(&label, CHOICE_MAX), cut(&within.join(" › "), CHOICE_MAX));
        ListChoice { label, detail, value: part.id.clone() }
    };
    usable.take(CHOICES).map(choice).collect()
}
