//! Finds what a person named.

use super::refusal::{Kind, Part, Refusal};
use crate::model::build::{Build, Job, Stage, Task, failed_or_canceled};
use crate::model::status::BuildStatus;

/// At most this many candidates are kept; people are shown fewer.
const CANDIDATES: usize = 20;

/// Something in a build. The borrowed parts are compared by their place, not by what they hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'a> {
    Stage(&'a Stage),
    /// A job or a matrix.
    Job(&'a Stage, &'a Job),
    Child(&'a Stage, &'a Job),
    Task(&'a Stage, &'a Job, &'a Task),
    /// A matrix's own task.
    Template(&'a Stage, &'a Task),
}

/// What for: it decides what may be meant by a name that several things bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Retry,
    Skip,
    FailedJobs,
    Log,
}

impl<'a> Found<'a> {
    pub(super) fn stage(self) -> &'a Stage {
        match self {
            Self::Stage(stage) | Self::Job(stage, _) | Self::Child(stage, _) => stage,
            Self::Task(stage, ..) | Self::Template(stage, _) => stage,
        }
    }

    pub(super) fn id(self) -> &'a str {
        match self {
            Self::Stage(stage) => &stage.id,
            Self::Job(_, job) | Self::Child(_, job) => &job.id,
            Self::Task(_, _, task) | Self::Template(_, task) => &task.id,
        }
    }

    pub(super) fn name(self) -> &'a str {
        match self {
            Self::Stage(stage) => &stage.name,
            Self::Job(_, job) | Self::Child(_, job) => &job.name,
            Self::Task(_, _, task) | Self::Template(_, task) => &task.name,
        }
    }

    pub(super) fn status(self) -> Option<BuildStatus> {
        match self {
            Self::Stage(stage) => stage.status,
            Self::Job(_, job) | Self::Child(_, job) => job.status,
            Self::Task(_, _, task) | Self::Template(_, task) => task.status,
        }
    }

    pub(super) fn part(self) -> Part {
        let (kind, within) = match self {
            Self::Stage(_) => (Kind::Stage, Vec::new()),
            Self::Job(stage, job) => (if job.matrix { Kind::Matrix } else { Kind::Job }, vec![stage.name.clone()]),
            Self::Child(stage, _) => (Kind::Child, vec![stage.name.clone()]),
            Self::Task(stage, job, _) => (Kind::Task, vec![stage.name.clone(), job.name.clone()]),
            Self::Template(stage, _) => (Kind::Task, vec![stage.name.clone()]),
        };
        Part { kind, id: self.id().to_owned(), name: self.name().to_owned(), within }
    }

    /// An id that the user chose.
    fn own_id(self) -> Option<&'a str> {
        match self {
            Self::Stage(_) => None,
            Self::Job(_, job) | Self::Child(_, job) => job.job_id.as_deref(),
            Self::Task(_, _, task) | Self::Template(_, task) => task.step_id.as_deref(),
        }
    }

    fn is(self, other: Found<'_>) -> bool {
        match (self, other) {
            (Self::Stage(one), Found::Stage(other)) => std::ptr::eq(one, other),
            (Self::Job(_, one) | Self::Child(_, one), Found::Job(_, other) | Found::Child(_, other)) => {
                std::ptr::eq(one, other)
            }
            (Self::Task(_, _, one), Found::Task(_, _, other)) => std::ptr::eq(one, other),
            (Self::Template(_, one), Found::Template(_, other)) => std::ptr::eq(one, other),
            (Self::Stage(_) | Self::Job(..) | Self::Child(..) | Self::Task(..) | Self::Template(..), _) => false,
        }
    }

    fn can_be(self, verb: Verb) -> bool {
        match (verb, self) {
            (_, Self::Template(..)) => false,
            (Verb::Skip | Verb::Log, Self::Task(..)) => true,
            (Verb::Log, Self::Stage(_) | Self::Job(..) | Self::Child(..)) => false,
            (Verb::Retry, _) | (_, Self::Stage(_)) => true,
            (Verb::FailedJobs, Self::Job(_, job)) => job.matrix,
            (Verb::Skip | Verb::FailedJobs, Self::Job(..) | Self::Child(..) | Self::Task(..)) => false,
        }
    }
}

/// Everything in a build, in the order in which BK-CI looks for an id: model order.
pub(super) fn parts(build: &Build) -> impl Iterator<Item = Found<'_>> {
    build.stages.iter().flat_map(|stage| {
        let jobs = stage.jobs.iter().flat_map(move |job| {
            let own = job.tasks.iter().map(move |task| match job.matrix {
                true => Found::Template(stage, task),
                false => Found::Task(stage, job, task),
            });
            let children = job.children.iter().flat_map(move |child| {
                let tasks = child.tasks.iter().map(move |task| Found::Task(stage, child, task));
                std::iter::once(Found::Child(stage, child)).chain(tasks)
            });
            std::iter::once(Found::Job(stage, job)).chain(own).chain(children)
        });
        std::iter::once(Found::Stage(stage)).chain(jobs)
    })
}

/// The tasks that ran or run, each with what can be found of its log: failed ones first, then those that run, in model
/// order. Not the trigger's.
pub fn ran(build: &Build) -> Vec<Part> {
    let rank = |status: BuildStatus| match () {
        () if status == BuildStatus::Skip => None,
        () if failed_or_canceled(Some(status)) => Some(0),
        () if status.is_running() => Some(1),
        () => status.is_finished().then_some(2),
    };
    let tasks = parts(build).filter(|part| matches!(part, Found::Task(..)) && !is_trigger(build, *part));
    let mut ranked: Vec<(i32, Found<'_>)> = tasks.filter_map(|task| Some((rank(task.status()?)?, task))).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, task)| task.part()).collect()
}

/// The task whose log somebody wants: named as for a retry, else the first that failed, else the one that runs. `None`:
/// what was named is no task, or none was named and there is none.
///
/// # Errors
/// Nothing is called so, or several things are.
pub fn logged<'a>(build: &'a Build, named: Option<&str>) -> Result<Option<(&'a Stage, &'a Job, &'a Task)>, Refusal> {
    let task = |found: Found<'a>| match found {
        Found::Task(stage, job, task) => Some((stage, job, task)),
        Found::Stage(_) | Found::Job(..) | Found::Child(..) | Found::Template(..) => None,
    };
    if let Some(named) = named {
        return one_of(build, named.trim(), Verb::Log).map(task);
    }
    let failed = build.failures().into_iter().find_map(|place| place.task).map(|(id, _)| id);
    let failed = failed.and_then(|id| parts(build).find(|part| part.id() == id).and_then(task));
    Ok(failed.or_else(|| build.running_step()))
}

/// What was named: by id, else by an id that the user chose, else by name.
pub(super) fn find<'a>(build: &'a Build, named: &str, verb: Verb) -> Result<Found<'a>, Refusal> {
    let named = named.trim();
    let found = one_of(build, named, verb)?;
    if unambiguous(build, found).is_err() {
        return Err(Refusal::Shadowed { named: named.to_owned() });
    }
    Ok(found)
}

/// Whether BK-CI, given this part's id, would find this part: the first stage id, job id, task id or step id in model
/// order wins (bkci-api 4, 6.2).
pub(super) fn unambiguous(build: &Build, found: Found<'_>) -> Result<(), Refusal> {
    let id = found.id();
    let is_step = |part: Found<'_>| match part {
        Found::Task(_, _, task) | Found::Template(_, task) => task.step_id.as_deref() == Some(id),
        Found::Stage(_) | Found::Job(..) | Found::Child(..) => false,
    };
    let first = parts(build).find(|part| part.id() == id || is_step(*part));
    let same = !id.trim().is_empty() && first.is_some_and(|first| first.is(found));
    if same { Ok(()) } else { Err(Refusal::Shadowed { named: id.to_owned() }) }
}

fn one_of<'a>(build: &'a Build, named: &str, verb: Verb) -> Result<Found<'a>, Refusal> {
    let lower = named.to_lowercase();
    let by_id = |part: &Found<'_>| part.id() == named;
    let by_own_id = |part: &Found<'_>| part.own_id() == Some(named);
    let by_name = |part: &Found<'_>| part.name().trim().to_lowercase() == lower;
    let ways: [&dyn Fn(&Found<'_>) -> bool; 3] = [&by_id, &by_own_id, &by_name];
    for is_named in ways.into_iter().filter(|_| !named.is_empty()) {
        let (of_trigger, mut matches): (Vec<Found<'a>>, Vec<Found<'a>>) =
            parts(build).filter(is_named).partition(|part| is_trigger(build, *part));
        keep_if_any(&mut matches, |part| part.can_be(verb));
        drop_children_of_named_matrices(&mut matches);
        match matches.as_slice() {
            [] if of_trigger.is_empty() => {}
            [] => return Err(Refusal::Trigger),
            [only] => return Ok(*only),
            several => return the_failed_one(several, named),
        }
    }
    let failed = parts(build).filter(|part| !is_trigger(build, *part) && failed_or_canceled(part.status()));
    Err(Refusal::NotFound { named: named.to_owned(), candidates: candidates(failed) })
}

pub(super) fn candidates<'a>(parts: impl Iterator<Item = Found<'a>>) -> Vec<Part> {
    parts.take(CANDIDATES).map(Found::part).collect()
}

fn is_trigger(build: &Build, part: Found<'_>) -> bool {
    build.stages.first().is_some_and(|trigger| std::ptr::eq(trigger, part.stage()))
}

fn keep_if_any(parts: &mut Vec<Found<'_>>, keep: impl Fn(&Found<'_>) -> bool) {
    if parts.iter().any(&keep) {
        parts.retain(keep);
    }
}

/// A matrix's children usually bear its name: the matrix is meant then.
fn drop_children_of_named_matrices(parts: &mut Vec<Found<'_>>) {
    let matrices: Vec<&Job> =
        parts.iter().filter_map(|part| if let Found::Job(_, job) = part { Some(*job) } else { None }).collect();
    parts.retain(|part| match part {
        Found::Child(_, child) => {
            !matrices.iter().any(|matrix| matrix.children.iter().any(|own| std::ptr::eq(own, *child)))
        }
        Found::Stage(_) | Found::Job(..) | Found::Task(..) | Found::Template(..) => true,
    });
}

/// Of several things that are called so, only what failed can be meant.
fn the_failed_one<'a>(several: &[Found<'a>], named: &str) -> Result<Found<'a>, Refusal> {
    let failed: Vec<Found<'a>> = several.iter().copied().filter(|part| failed_or_canceled(part.status())).collect();
    match (failed.as_slice(), several) {
        ([only], _) => Ok(*only),
        ([], [first, ..]) => Err(Refusal::NotFailed { name: first.name().to_owned() }),
        _ => Err(Refusal::Ambiguous { named: named.to_owned(), candidates: candidates(failed.into_iter()) }),
    }
}
