//! Whatever is said of a build, the message stays within Discord's limits (discord-rules 4), and what matters is in it.

use proptest::prelude::*;

use super::facts::{any_notice, bare, notices};
use crate::model::Locale;
use crate::reply::Reply;
use crate::reply::notice::{Notice, State};
use crate::text::plain::length;
use crate::text::tests::outside_code;
use crate::text::{List, Sentence, plain, say};

fn said(notice: &Notice, locale: Locale) -> Sentence {
    say(&Reply::Notice(Box::new(notice.clone())), locale)
}

/// What of a message is too long or empty.
fn beyond(sentence: &Sentence) -> Option<String> {
    let (title, body) = (length(&sentence.title), length(&sentence.body));
    let fields = sentence.fields.iter().map(|field| (length(&field.name), length(&field.value)));
    let fields: Vec<(usize, usize)> = fields.collect();
    let total = title + body + fields.iter().map(|(name, value)| name + value).sum::<usize>();
    let fit = fields.iter().all(|(name, value)| (1..=256).contains(name) && (1..=1024).contains(value));
    let fit = fit && title <= 256 && (1..=4096).contains(&body) && total <= 6000 && fields.len() <= 25;
    (!fit).then(|| format!("title {title}, body {body}, fields {fields:?}, in all {total}"))
}

/// A list that Discord would refuse, or in which something is hidden.
fn is_refused(list: &List) -> bool {
    let seen = |text: &str| !text.contains(|c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}'));
    let fits = list.choices.iter().all(|choice| {
        (1..=100).contains(&length(&choice.label))
            && length(&choice.detail) <= 100
            && length(&choice.value) <= 100
            && seen(&choice.label)
            && seen(&choice.detail)
    });
    !fits || !(1..=25).contains(&list.choices.len())
}

/// Every character of these takes two places, whatever is done to it.
#[test]
fn the_longest_notice_fits() {
    for text in ["*", "@", "😀"].map(|text| text.repeat(300)) {
        let mut full: Vec<Notice> = notices(&text).into_iter().filter(|notice| !notice.stages.is_empty()).collect();
        full.dedup_by_key(|notice| std::mem::discriminant(&notice.state));
        for notice in full {
            for locale in Locale::ALL {
                assert_eq!(beyond(&said(&notice, locale)), None, "{:?}", notice.state);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_notice_keeps_its_state_its_place_and_the_builds_id_within_the_limits(notice in any_notice()) {
        for locale in Locale::ALL {
            let sentence = said(&notice, locale);
            prop_assert_eq!(beyond(&sentence), None);

            let usual = said(&bare(notice.state.clone()), locale).title;
            let state = usual.split("nightly").next().expect("what comes before the name");
            prop_assert!(!state.is_empty() && sentence.title.starts_with(state), "{}", sentence.title);
            let id = format!("`{}`", notice.build.build);
            prop_assert!(sentence.fields.iter().any(|field| field.value.starts_with(&id)), "{:?}", sentence.fields);
            if let State::Failed(failed) = &notice.state && let Some(first) = failed.places.first() {
                let names = [Some(&first.stage), Some(&first.job), first.task.as_ref()].into_iter().flatten();
                let line = sentence.body.lines().next().expect("a line");
                for name in names.filter(|name| !name.trim().is_empty()) {
                    prop_assert!(line.contains(&plain(name, 40)), "{name} is not in {line}");
                }
            }
            let values = sentence.fields.iter().map(|field| &field.value);
            for text in [&sentence.title, &sentence.body].into_iter().chain(values) {
                let outside = outside_code(text);
                let outside = outside.filter(|outside| !outside.contains("@everyone") && !outside.contains("]("));
                prop_assert!(outside.is_some(), "{text}");
            }
            prop_assert!(sentence.buttons.len() <= 4, "a link takes the fifth place of the row");
            prop_assert!(!sentence.lists.iter().any(is_refused), "{:?}", sentence.lists);
        }
    }
}
