//! Words for what is suggested. Discord shows them as they are: no Markdown, no mentions, no links; so nothing is escaped,
//! only what nobody sees is left out.

use std::time::Duration;

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::plain::{bare, cut};
use super::{NAME_MAX, loader};
use crate::model::Locale;
use crate::model::choice::Choice;
use crate::model::scope::{Kind, Part};
use crate::model::status::BuildStatus;

/// The longest name and the longest value of a suggestion (discord-rules 2).
const LONGEST: usize = 100;

/// An error of a few words.
const FEW_WORDS: usize = 60;

/// A suggestion as Discord takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// What people read.
    pub name: String,
    /// What the option then holds.
    pub value: String,
}

/// Puts a suggestion into words; nothing for one that no option could hold.
pub fn suggestion(choice: &Choice, locale: Locale) -> Option<Suggestion> {
    let t = loader(locale);
    let (parts, value) = match choice {
        Choice::Project(project) => {
            let title = Some(bare(&project.title, NAME_MAX)).filter(|title| title != project.id.as_str());
            (vec![Some(project.id.to_string()), title], project.id.to_string())
        }
        Choice::Pipeline { pipeline, has_namesake } => {
            let id = has_namesake.then(|| pipeline.id.to_string());
            (vec![Some(bare(&pipeline.name, NAME_MAX)), id], pipeline.id.to_string())
        }
        Choice::Build { build, age } => {
            let about = build.branch.as_ref().or(build.message.as_ref()).or(build.commit.as_ref());
            let about = about.map(|text| bare(text, NAME_MAX));
            let age = age.map(|age| age_text(t, age));
            let parts = vec![Some(format!("#{}", build.number)), Some(status_text(t, build.status)), age, about];
            (parts, build.id.to_string())
        }
        Choice::Part { part, trouble } => {
            let job = Some(part).filter(|part| part.kind == Kind::Task).and_then(|part| part.within.last());
            let job = job.map(|job| bare(job, NAME_MAX));
            let trouble = trouble.as_ref().map(|trouble| bare(trouble, FEW_WORDS));
            (vec![Some(part_text(t, part)), job, trouble], part.id.clone())
        }
    };
    let told = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ");
    let name = if told.is_empty() { value.clone() } else { told };
    let holds = (1..=LONGEST).contains(&value.encode_utf16().count());
    holds.then(|| Suggestion { name: cut(&name, LONGEST), value })
}

pub(super) fn part_text(t: &FluentLanguageLoader, part: &Part) -> String {
    let name = bare(&part.name, NAME_MAX);
    match part.kind {
        Kind::Task => name,
        Kind::Stage => fl!(t, "choice-stage", name = name),
        Kind::Job => fl!(t, "choice-job", name = name),
        Kind::Matrix => fl!(t, "choice-matrix", name = name),
        Kind::Child => fl!(t, "choice-child", name = name),
    }
}

pub(super) fn status_text(t: &FluentLanguageLoader, status: BuildStatus) -> String {
    use BuildStatus as S;
    match status {
        _ if status.is_failure() => fl!(t, "choice-failed"),
        _ if status.is_cancel() => fl!(t, "choice-canceled"),
        _ if status.is_success() => fl!(t, "choice-succeeded"),
        S::Reviewing | S::Pause | S::StageSuccess | S::TriggerReviewing => fl!(t, "choice-waiting"),
        S::Queue | S::QueueCache | S::Retry | S::DependentWaiting => fl!(t, "choice-queued"),
        _ if status.is_running() => fl!(t, "choice-running"),
        _ => bare(status.as_wire(), NAME_MAX),
    }
}

/// Two digits at most: what is older is told in the next larger unit.
fn age_text(t: &FluentLanguageLoader, age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    match minutes {
        0 => fl!(t, "choice-now"),
        1..=99 => fl!(t, "choice-minutes", count = minutes.to_string()),
        100..=5_999 => fl!(t, "choice-hours", count = (minutes / 60).to_string()),
        _ => fl!(t, "choice-days", count = (minutes / 60 / 24).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Timestamp;
    use crate::model::listed;

    const PIPELINE: &str = "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a";
    const BUILD: &str = "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";

    fn build(status: BuildStatus) -> listed::Build {
        listed::Build {
            id: BUILD.parse().expect("a build"),
            number: 128,
            status,
            begun: Some(Timestamp(0)),
            ended: None,
            updated: None,
            read_at: None,
            branch: None,
            commit: None,
            message: Some("fix **it**\n@everyone".into()),
            start_user: None,
            from_webhook: false,
            execute_count: None,
            stages: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn name(choice: &Choice, locale: Locale) -> String {
        suggestion(choice, locale).expect("a suggestion").name
    }

    fn choices(text: &str) -> Vec<Choice> {
        let part = |kind| Part { kind, id: "e-1".into(), name: text.into(), within: vec![text.into(), text.into()] };
        let kinds = [Kind::Stage, Kind::Job, Kind::Matrix, Kind::Child, Kind::Task];
        let pipeline = || listed::Pipeline { id: PIPELINE.parse().expect("an id"), name: text.into(), readable: true };
        let mut choices: Vec<Choice> =
            kinds.into_iter().map(|kind| Choice::Part { part: part(kind), trouble: Some(text.into()) }).collect();
        choices.extend([
            Choice::Project(listed::Project { id: "demo".parse().expect("a project"), title: text.into() }),
            Choice::Pipeline { pipeline: pipeline(), has_namesake: true },
            Choice::Pipeline { pipeline: pipeline(), has_namesake: false },
            Choice::Build {
                build: listed::Build { branch: Some(text.into()), ..build(BuildStatus::Failed) },
                age: Some(Duration::from_secs(7)),
            },
        ]);
        choices
    }

    #[test]
    fn a_build_is_told_by_number_state_age_and_branch_or_message() {
        let choice =
            |status, minutes: u64| Choice::Build { build: build(status), age: Some(Duration::from_secs(60 * minutes)) };
        let failed = choice(BuildStatus::HeartbeatTimeout, 5);
        assert_eq!(name(&failed, Locale::En), "#128 · failed · 5 min ago · fix **it** @everyone");
        assert_eq!(name(&failed, Locale::ZhCn), "#128 · 失败 · 5 分钟前 · fix **it** @everyone");
        assert_eq!(name(&failed, Locale::Ja), "#128 · 失敗 · 5 分前 · fix **it** @everyone");
        for (status, minutes, expected) in [
            (BuildStatus::Running, 0, "#128 · running · just now · "),
            (BuildStatus::Succeed, 99, "#128 · succeeded · 99 min ago · "),
            (BuildStatus::Canceled, 100, "#128 · cancelled · 1 h ago · "),
            (BuildStatus::Queue, 5_999, "#128 · queued · 99 h ago · "),
            (BuildStatus::StageSuccess, 6_000, "#128 · waiting · 4 d ago · "),
            (BuildStatus::Unknown, 6_000, "#128 · UNKNOWN · 4 d ago · "),
        ] {
            let name = name(&choice(status, minutes), Locale::En);
            assert!(name.starts_with(expected), "{name}");
        }
        let choice = Choice::Build { build: build(BuildStatus::Failed), age: None };
        assert_eq!(suggestion(&choice, Locale::En).map(|s| s.value).as_deref(), Some(BUILD));
        assert_eq!(name(&choice, Locale::En), "#128 · failed · fix **it** @everyone");
    }

    #[test]
    fn the_others_are_told_by_their_names() {
        let names = |text: &str| choices(text).iter().map(|choice| name(choice, Locale::En)).collect::<Vec<_>>();
        insta::assert_debug_snapshot!(names("Unit tests"), @r##"
        [
            "stage Unit tests · Unit tests",
            "job Unit tests · Unit tests",
            "matrix Unit tests · Unit tests",
            "matrix child Unit tests · Unit tests",
            "Unit tests · Unit tests · Unit tests",
            "demo · Unit tests",
            "Unit tests · p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a",
            "Unit tests",
            "#128 · failed · just now · Unit tests",
        ]
        "##);
        assert!(names("demo").contains(&"demo".to_owned()), "a title that says nothing new is left out");
    }

    #[test]
    fn what_has_no_usable_value_is_not_suggested() {
        for id in [String::new(), "e".repeat(101)] {
            let part = Part { kind: Kind::Task, id, name: "x".into(), within: Vec::new() };
            assert_eq!(suggestion(&Choice::Part { part, trouble: None }, Locale::En), None);
        }
    }

    proptest! {
        #[test]
        fn every_suggestion_fits_and_shows_something(text in "\\PC{0,200}|[\u{200b}\u{202e}\n 🐢流]{0,200}") {
            for choice in choices(&text) {
                for locale in Locale::ALL {
                    let Suggestion { name, value } = suggestion(&choice, locale).expect("a suggestion");
                    prop_assert!((1..=100).contains(&name.encode_utf16().count()) && !name.trim().is_empty(), "{name:?}");
                    prop_assert!((1..=100).contains(&value.len()));
                    prop_assert!(!name.contains(['\n', '\u{202e}']), "{name:?}");
                }
            }
        }
    }
}
