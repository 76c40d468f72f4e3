//! Words for what a retry would run, before it is asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::{Field, NAME_MAX, field, plain};
use crate::model::scope::{Fate, Part, Plan, PlannedJob};

/// So many jobs are listed under one heading, and so many tasks of a job; the rest is counted.
const LINES: usize = 8;

/// One heading per kind of thing that happens; nothing is said of what does not.
pub(super) fn fields(t: &FluentLanguageLoader, plan: &Plan) -> Vec<Field> {
    let by = |wanted: fn(Fate) -> bool| jobs(t, plan, wanted);
    let people = plan.tasks().filter(|(_, _, task)| task.waits_for_a_person && task.fate.may_run());
    let listed = [
        (fl!(t, "plan-runs"), by(Fate::runs_if_all_pass)),
        (fl!(t, "plan-skips"), by(|fate| fate == Fate::Skipped)),
        (fl!(t, "plan-may-run"), by(|fate| fate == Fate::MayRun)),
        (fl!(t, "plan-if-failed"), by(|fate| fate == Fate::RunsIfFailed)),
        (fl!(t, "plan-stays"), parts(t, &plan.stays)),
        (fl!(t, "plan-unreached"), parts(t, &plan.unreached)),
        (fl!(t, "plan-gates"), cut(t, plan.gates(), ", ", |stage| name(&stage.name))),
        (fl!(t, "plan-people"), cut(t, people, ", ", |(_, _, task)| name(&task.name))),
    ];
    let listed = listed.into_iter().filter(|(_, value)| !value.is_empty());
    let mut fields: Vec<Field> = listed.map(|(label, value)| field(label, value, false)).collect();
    fields.extend(plan.wipes_variables.map(|wiped| {
        let value = if wiped { fl!(t, "plan-variables-wiped") } else { fl!(t, "plan-variables-kept") };
        field(fl!(t, "plan-variables"), value, true)
    }));
    fields.extend(plan.took().map(|took| field(fl!(t, "plan-took"), span(t, took), true)));
    fields.push(field(fl!(t, "plan-refuses"), fl!(t, "plan-refuses-why"), false));
    fields
}

/// A line per job: its stage, its name, and its tasks of one fate.
fn jobs(t: &FluentLanguageLoader, plan: &Plan, wanted: fn(Fate) -> bool) -> String {
    let of_fate = |job: &'_ PlannedJob| job.tasks.iter().any(|task| wanted(task.fate));
    let jobs = plan.stages.iter().flat_map(|stage| stage.jobs.iter().map(move |job| (stage, job)));
    cut(t, jobs.filter(|(_, job)| of_fate(job)), "\n", |(stage, job)| {
        let within = format!("{} › {}", name(&stage.name), name(&job.name));
        let tasks = job.tasks.iter().filter(|task| wanted(task.fate));
        let tasks = cut(t, tasks, ", ", |task| name(&task.name));
        match job.split {
            Some(children) => fl!(t, "plan-matrix", within = within, tasks = tasks, children = children.to_string()),
            None => fl!(t, "plan-job", within = within, tasks = tasks),
        }
    })
}

/// Parts with what they lie in, those of one place on one line.
fn parts(t: &FluentLanguageLoader, parts: &[Part]) -> String {
    let mut places: BTreeMap<&[String], Vec<&Part>> = BTreeMap::new();
    for part in parts {
        places.entry(&part.within).or_default().push(part);
    }
    cut(t, places.into_iter(), "\n", |(within, parts)| {
        let names = cut(t, parts.into_iter(), ", ", |part| name(&part.name));
        if within.is_empty() {
            return names;
        }
        let within = within.iter().map(|text| name(text)).collect::<Vec<_>>().join(" › ");
        fl!(t, "plan-job", within = within, tasks = names)
    })
}

/// The first few as text, and how many more there are.
fn cut<T>(
    t: &FluentLanguageLoader,
    mut items: impl Iterator<Item = T>,
    between: &str,
    text: impl Fn(T) -> String,
) -> String {
    let mut kept: Vec<String> = items.by_ref().take(LINES).map(text).collect();
    let left = items.count();
    if left > 0 {
        kept.push(fl!(t, "plan-more", more = left.to_string()));
    }
    kept.join(between)
}

/// A length of time as people say it, to the second below an hour and to the minute above.
pub(super) fn span(t: &FluentLanguageLoader, span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    if hours > 0 {
        return fl!(t, "span-hours", hours = hours.to_string(), minutes = minutes.to_string());
    }
    if minutes > 0 {
        return fl!(t, "span-minutes", minutes = minutes.to_string(), seconds = (seconds % 60).to_string());
    }
    fl!(t, "span-seconds", seconds = seconds.to_string())
}

fn name(text: &str) -> String {
    plain(text, NAME_MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::model::scope::{Kind, PlannedStage, PlannedTask, Scope, TaskScope};
    use crate::reply::{About, Proposal, Reply};
    use crate::text::tests::{about, read};

    /// A plan in which everything happens that can be told of.
    pub(crate) fn plan(name: &str) -> Plan {
        let fates = [Fate::Runs, Fate::RunsIfAllPass, Fate::RunsIfFailed, Fate::MayRun, Fate::Skipped, Fate::Idle];
        let task = |fate| PlannedTask {
            id: "e-1".into(),
            name: name.into(),
            fate,
            waits_for_a_person: true,
            took: Some(Duration::from_secs(4000)),
        };
        let tasks: Vec<PlannedTask> = fates.into_iter().cycle().take(60).map(task).collect();
        let job = |split| PlannedJob { id: "1".into(), name: name.into(), split, took: None, tasks: tasks.clone() };
        let jobs: Vec<PlannedJob> = [None, Some(3)].into_iter().cycle().take(12).map(job).collect();
        let stage =
            PlannedStage { id: "stage-2".into(), name: name.into(), finally: false, gated: true, took: None, jobs };
        let part = Part {
            kind: Kind::Task,
            id: "e-2".into(),
            name: name.into(),
            within: vec![name.into(), format!("{name}2")],
        };
        let top = Part { kind: Kind::Stage, within: Vec::new(), ..part.clone() };
        Plan { stages: vec![stage; 3], stays: vec![part; 100], unreached: vec![top; 100], wipes_variables: Some(true) }
    }

    #[test]
    fn a_preview_reads_as_a_person_in_a_hurry_would_want() {
        let task = |name: &str, fate, seconds| PlannedTask {
            id: "e-1".into(),
            name: name.into(),
            fate,
            waits_for_a_person: false,
            took: Some(Duration::from_secs(seconds)),
        };
        let tasks =
            vec![task("Unit", Fate::Skipped, 9), task("Report", Fate::Runs, 70), task("Mail", Fate::RunsIfFailed, 1)];
        let job = PlannedJob { id: "1".into(), name: "linux".into(), split: None, took: None, tasks };
        let stage = PlannedStage {
            id: "stage-3".into(),
            name: "Test".into(),
            finally: false,
            gated: true,
            took: None,
            jobs: vec![job],
        };
        let stays = Part { kind: Kind::Job, id: "2".into(), name: "windows".into(), within: vec!["Test".into()] };
        let plan = Plan { stages: vec![stage], stays: vec![stays], unreached: Vec::new(), wipes_variables: None };
        let skip = TaskScope { id: "e-1".into(), name: "Unit".into(), job: "linux".into(), stage: "Test".into() };
        let about = About { pipeline_name: "nightly".into(), ..about(Some(Scope::SkipTask(skip))) };
        let offer = "1".parse().expect("an id");
        let preview = Reply::Preview(Proposal { about, plan, offer, expires: Timestamp(1_766_400_000_000) });
        insta::assert_snapshot!(read(&preview), @"
        Preview: nightly #128
        Nothing was done yet. **Run this** retries without task **Unit**, which is skipped (Test › linux). What becomes of it is told in the channel. The buttons work until <t:1766400000:f>.
        Runs: Test › linux: Report
        Becomes skipped: Test › linux: Unit
        Runs only if something before it fails: Test › linux: Mail
        Stays failed: Test: windows
        Waits for approval before: Test
        Took last time: 1 min 10 s
        BK-CI may still refuse: without the right to execute the pipeline, when it is locked, when its queue is full, or when the build has changed
        Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
        Project: `demo`
        Pipeline: nightly
        ");
    }
}
