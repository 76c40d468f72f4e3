//! Which entries of a list are suggested for what was typed, and in which order. Pure.

use super::SHOWN;
use crate::model::build::{Build, Job, Task, failed_or_canceled};
use crate::model::choice::Choice;
use crate::model::listed;
use crate::model::named::BuildNamed;
use crate::model::scope::{Kind, Part};

/// How well an entry fits what was typed; the lower the better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Exact,
    Beginning,
    Somewhere,
}

fn fit<'a>(texts: impl IntoIterator<Item = &'a str>, typed: &str) -> Option<Fit> {
    let typed = typed.to_lowercase();
    let one = |text: &str| {
        let text = text.to_lowercase();
        match () {
            () if text == typed => Some(Fit::Exact),
            () if text.starts_with(&typed) => Some(Fit::Beginning),
            () if text.contains(&typed) => Some(Fit::Somewhere),
            () => None,
        }
    };
    texts.into_iter().filter_map(one).min()
}

/// The best fitting ones, each group in the order it came.
fn best<T>(entries: impl Iterator<Item = T>, fit: impl Fn(&T) -> Option<Fit>) -> Vec<T> {
    let mut fitting: Vec<(Fit, T)> = entries.filter_map(|entry| Some((fit(&entry)?, entry))).collect();
    fitting.sort_by_key(|(fit, _)| *fit);
    fitting.into_iter().map(|(_, entry)| entry).take(SHOWN).collect()
}

pub(super) fn projects(listed: &[listed::Project], typed: &str) -> Vec<Choice> {
    let fits = |project: &&listed::Project| fit([project.id.as_str(), &project.title], typed);
    best(listed.iter(), fits).into_iter().cloned().map(Choice::Project).collect()
}

/// By name or id; only those that the person may look at.
pub(super) fn pipelines(listed: Vec<listed::Pipeline>, typed: &str) -> Vec<Choice> {
    let readable = listed.into_iter().filter(|pipeline| pipeline.readable);
    let shown = best(readable, |pipeline| fit([pipeline.name.as_str(), pipeline.id.as_str()], typed));
    let has_namesake = |one: &listed::Pipeline| shown.iter().any(|other| other.name == one.name && other.id != one.id);
    let choice = |pipeline: &listed::Pipeline| Choice::Pipeline {
        pipeline: pipeline.clone(),
        has_namesake: has_namesake(pipeline),
    };
    shown.iter().map(choice).collect()
}

/// Failed ones first, the latest of them first. `latest` and a link are found too.
pub(super) fn builds(listed: Vec<listed::Build>, typed: &str) -> Vec<Choice> {
    let newest = listed.iter().map(|build| build.number).max();
    let word = typed.to_lowercase();
    let says_latest = !word.is_empty() && "latest".starts_with(&word);
    let linked = match BuildNamed::read(typed) {
        Ok(BuildNamed::Link(link)) => Some(link.build),
        Ok(BuildNamed::Id(_) | BuildNamed::Number(_) | BuildNamed::Latest) | Err(_) => None,
    };
    let digits = typed.strip_prefix('#').unwrap_or(typed);
    let fits = |build: &listed::Build| {
        if linked.as_ref() == Some(&build.id) || (says_latest && newest == Some(build.number)) {
            return Some(Fit::Exact);
        }
        let number = build.number.to_string();
        let by_number = fit([number.as_str()], digits).filter(|fit| *fit <= Fit::Beginning);
        let told = [&build.branch, &build.message, &build.start_user].into_iter().flatten();
        let by_text = fit(told.map(String::as_str).chain([build.id.as_str()]), typed);
        // Only the number sorts before the state.
        by_number.or(by_text.map(|_| Fit::Somewhere)).map(|fit| if fit == Fit::Exact { fit } else { Fit::Somewhere })
    };
    let mut listed = listed;
    listed.sort_by_key(|build| (!build.status.is_failure(), std::cmp::Reverse(build.number)));
    let age = |build: &listed::Build| Some(build.read_at?.since(build.begun?));
    let shown = best(listed.into_iter(), fits);
    shown.into_iter().map(|build| Choice::Build { age: age(&build), build }).collect()
}

/// Tasks before what they are in: they are what people look for.
pub(super) fn parts(mut choices: Vec<Choice>, typed: &str) -> Vec<Choice> {
    let rank = |choice: &Choice| match choice {
        Choice::Part { part, .. } => match part.kind {
            Kind::Task => 0,
            Kind::Stage => 1,
            Kind::Job | Kind::Matrix | Kind::Child => 2,
        },
        Choice::Project(_) | Choice::Pipeline { .. } | Choice::Build { .. } => 3,
    };
    choices.sort_by_key(rank);
    best(choices.into_iter(), |choice| match choice {
        Choice::Part { part, trouble } => {
            let around = part.within.iter().chain(trouble).map(String::as_str);
            fit([part.name.as_str(), part.id.as_str()].into_iter().chain(around), typed)
        }
        Choice::Project(_) | Choice::Pipeline { .. } | Choice::Build { .. } => None,
    })
}

/// What went wrong in a part of a build: its own error, else that of its job, else which of its tasks failed.
pub(super) fn trouble(build: &Build, part: &Part) -> Option<String> {
    let jobs = || build.stages.iter().flat_map(|stage| stage.all_jobs().map(move |job| (stage, job)));
    let inside: Vec<&Job> = match part.kind {
        Kind::Stage => jobs().filter(|(stage, _)| stage.id == part.id).map(|(_, job)| job).collect(),
        Kind::Job | Kind::Child => jobs().filter(|(_, job)| job.id == part.id).map(|(_, job)| job).collect(),
        Kind::Matrix => jobs().filter(|(_, job)| job.id == part.id).flat_map(|(_, job)| &job.children).collect(),
        Kind::Task => Vec::new(),
    };
    if part.kind == Kind::Task {
        let task = jobs().flat_map(|(_, job)| &job.tasks).find(|task| task.id == part.id);
        return task.and_then(|task| error_of(build, task));
    }
    let failed: Vec<&Task> =
        inside.iter().flat_map(|job| &job.tasks).filter(|task| failed_or_canceled(task.status)).collect();
    match failed.as_slice() {
        // A machine that did not start, or a gate (bkci-api 5.2).
        [] => build
            .errors
            .iter()
            .find(|error| error.task.is_none() && is_about(error, part, &inside))
            .map(|error| error.problem.message.clone()),
        tasks => Some(tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>().join(", ")),
    }
}

fn is_about(error: &crate::model::build::ErrorInfo, part: &Part, inside: &[&Job]) -> bool {
    inside.iter().any(|job| job.id == error.job) || (part.kind == Kind::Stage && error.stage == part.id)
}

fn error_of(build: &Build, task: &Task) -> Option<String> {
    let own = task.error.as_ref().map(|problem| &problem.message);
    let listed = || build.errors.iter().find(|error| error.task.as_deref() == Some(&task.id));
    own.or_else(|| listed().map(|error| &error.problem.message)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::model::build::{ErrorInfo, ErrorKind, Options, Problem, Stage};
    use crate::model::status::BuildStatus as S;

    fn pipeline(number: u32, name: &str) -> listed::Pipeline {
        let id = format!("p-{number:032x}").parse().expect("an id");
        listed::Pipeline { id, name: name.into(), readable: true }
    }

    fn build(number: u32, status: S) -> listed::Build {
        listed::Build {
            id: format!("b-{number:032x}").parse().expect("an id"),
            number,
            status,
            begun: Some(Timestamp(1_000)),
            ended: None,
            updated: None,
            read_at: Some(Timestamp(61_000)),
            branch: Some("main".into()),
            commit: None,
            message: None,
            start_user: Some("alice".into()),
            from_webhook: false,
            execute_count: None,
            stages: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn names(choices: &[Choice]) -> Vec<String> {
        let name = |choice: &Choice| match choice {
            Choice::Project(project) => project.id.to_string(),
            Choice::Pipeline { pipeline, has_namesake } => {
                format!("{}{}", pipeline.name, if *has_namesake { "!" } else { "" })
            }
            Choice::Build { build, .. } => format!("#{}", build.number),
            Choice::Part { part, trouble } => format!("{}: {}", part.id, trouble.as_deref().unwrap_or("-")),
        };
        choices.iter().map(name).collect()
    }

    #[test]
    fn what_fits_best_comes_first_and_no_more_than_discord_shows() {
        let listed = vec![pipeline(1, "my night"), pipeline(2, "Nightly"), pipeline(3, "night"), pipeline(4, "day")];
        assert_eq!(names(&pipelines(listed.clone(), "night")), ["night", "Nightly", "my night"]);
        assert_eq!(names(&pipelines(listed.clone(), "")), ["my night", "Nightly", "night", "day"]);
        assert_eq!(names(&pipelines(listed.clone(), &listed[3].id.to_string()[..34])), ["day"]);
        assert_eq!(names(&pipelines(listed, "x")), Vec::<String>::new());
        let many = (0..60).map(|number| pipeline(number, "p")).collect();
        assert_eq!(pipelines(many, "").len(), SHOWN);
    }

    #[test]
    fn pipelines_of_one_name_are_told_apart_and_hidden_ones_left_out() {
        let hidden = listed::Pipeline { readable: false, ..pipeline(3, "twin") };
        let listed = vec![pipeline(1, "twin"), pipeline(2, "twin"), hidden.clone(), pipeline(4, "other")];
        assert_eq!(names(&pipelines(listed, "")), ["twin!", "twin!", "other"]);
        assert_eq!(names(&pipelines(vec![pipeline(1, "twin"), hidden], "")), ["twin"]);
    }

    #[test]
    fn failed_builds_come_first_and_a_number_before_all() {
        let listed = || {
            let states = [S::Failed, S::Succeed, S::HeartbeatTimeout, S::Running, S::Canceled];
            (1..=12).map(|number| build(number, states[number as usize % 5])).collect::<Vec<_>>()
        };
        let found = |typed: &str| names(&builds(listed(), typed)).join(" ");
        assert_eq!(found(""), "#12 #10 #7 #5 #2 #11 #9 #8 #6 #4 #3 #1");
        assert_eq!(found("1"), "#1 #12 #10 #11");
        assert_eq!(found("#1"), "#1 #12 #10 #11");
        assert_eq!(found("11"), "#11");
        assert_eq!(found("la"), "#12");
        assert_eq!(found("LATEST"), "#12");
        assert_eq!(found("ALICE"), found(""));
        assert_eq!(found("b-"), found(""));
        assert_eq!(found("other"), "");
        let link = format!("https://h/console/pipeline/demo/{}/detail/{}", pipeline(1, "").id, build(4, S::Running).id);
        assert_eq!(found(&link), "#4");
        let Some(Choice::Build { age, .. }) = builds(listed(), "").into_iter().next() else { panic!("a build") };
        assert_eq!(age.map(|age| age.as_secs()), Some(60), "by BK-CI's clock");
    }

    fn task(id: &str, status: S, error: Option<Problem>) -> Task {
        let (id, name, status) = (id.to_owned(), id.to_owned(), Some(status));
        let (step_id, started, took, options) = (None, None, None, Options::default());
        let (can_retry, can_skip, waits_for_a_person, starts_by_hand) = (true, false, false, 0);
        Task {
            id,
            step_id,
            name,
            status,
            can_retry,
            can_skip,
            options,
            starts_by_hand,
            waits_for_a_person,
            started,
            took,
            error,
        }
    }

    fn job(id: &str, tasks: Vec<Task>) -> Job {
        let (id, name, job_id, status, took) = (id.to_owned(), id.to_owned(), None, Some(S::Failed), None);
        let (can_retry, enabled, conditional, continue_when_failed) = (true, true, false, false);
        let (matrix, fast_kill, children) = (false, false, Vec::new());
        Job {
            id,
            job_id,
            name,
            status,
            can_retry,
            enabled,
            conditional,
            continue_when_failed,
            matrix,
            fast_kill,
            took,
            tasks,
            children,
        }
    }

    fn problem(message: &str) -> Problem {
        Problem { kind: ErrorKind::User, code: 1, message: message.into() }
    }

    fn detail() -> Build {
        let error = |job: &str, task: Option<&str>, message: &str| ErrorInfo {
            stage: "stage-2".into(),
            job: job.into(),
            task: task.map(str::to_owned),
            problem: problem(message),
        };
        let own = task("e-1", S::Failed, Some(problem("its own")));
        let others = [task("e-2", S::Failed, None), task("e-3", S::Succeed, None)];
        let jobs = vec![job("1", [vec![own], others.into()].concat()), job("2", Vec::new())];
        let stage = Stage {
            id: "stage-2".into(),
            name: "Test".into(),
            status: Some(S::Failed),
            can_retry: true,
            finally: false,
            enabled: true,
            conditional: false,
            fast_kill: false,
            gated: false,
            started: None,
            took: None,
            jobs,
        };
        Build {
            id: build(1, S::Failed).id,
            pipeline: pipeline(1, "p").id,
            pipeline_name: "p".into(),
            number: 1,
            status: S::Failed,
            execute_count: 1,
            started: None,
            ended: None,
            read_at: Timestamp(1),
            from_webhook: false,
            branch: None,
            commit: None,
            message: None,
            may_stop: None,
            canceled_by: None,
            starters: Vec::new(),
            errors: vec![
                error("2", None, "no machine"),
                error("1", Some("e-1"), "listed"),
                error("1", Some("e-2"), "listed"),
            ],
            stages: vec![stage],
        }
    }

    #[test]
    fn a_part_is_told_with_its_own_error_or_with_what_failed_in_it() {
        let part = |kind, id: &str| Part { kind, id: id.into(), name: id.into(), within: Vec::new() };
        for (kind, id, expected) in [
            (Kind::Task, "e-1", Some("its own")),
            (Kind::Task, "e-2", Some("listed")),
            (Kind::Task, "e-3", None),
            (Kind::Job, "1", Some("e-1, e-2")),
            (Kind::Job, "2", Some("no machine")),
            (Kind::Stage, "stage-2", Some("e-1, e-2")),
            (Kind::Stage, "stage-9", None),
        ] {
            assert_eq!(trouble(&detail(), &part(kind, id)).as_deref(), expected, "{id}");
        }
    }

    #[test]
    fn tasks_come_before_what_they_are_in() {
        let part = |kind, id: &str, trouble: Option<&str>| Choice::Part {
            part: Part { kind, id: id.into(), name: format!("name of {id}"), within: vec!["Test".into()] },
            trouble: trouble.map(str::to_owned),
        };
        let all = || {
            vec![part(Kind::Job, "1", None), part(Kind::Stage, "stage-2", None), part(Kind::Task, "e-1", Some("red"))]
        };
        assert_eq!(names(&parts(all(), "")), ["e-1: red", "stage-2: -", "1: -"]);
        assert_eq!(names(&parts(all(), "RED")), ["e-1: red"]);
        assert_eq!(names(&parts(all(), "test")).len(), 3);
    }
}
