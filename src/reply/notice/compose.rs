//! From a build that was read to what a reader sees of it.

use super::{Acts, Attempt, Failed, Lost, Notice, Ping, Place, Stage, State};
use crate::model::BuildRef;
use crate::model::build::{Build, FailedPlace};
use crate::model::ids::{OfferId, UserId};
use crate::model::scope::{Kind, Part, Scope, Wanted, retryable, skippable};
use crate::model::status::BuildStatus;

/// So many failed places are told, and the number of the others.
const PLACES: usize = 3;

/// So many attempts are kept: the first and the latest ones tell the story.
const ATTEMPTS: u32 = 10;

/// A list has at most so many entries (discord-rules 4).
const CHOICES: usize = 25;

impl Notice {
    /// A build as it was read; nothing is known of it from before, and nothing can be done about it here.
    pub fn of(build: &BuildRef, read: &Build, link: Option<String>) -> Self {
        Self {
            build: build.clone(),
            pipeline_name: read.pipeline_name.clone(),
            number: read.number,
            link,
            started_by: read.starter(1).map(str::to_owned),
            branch: read.branch.clone(),
            commit: read.commit.clone().or_else(|| read.message.clone()),
            state: state(read),
            attempts: attempts(read),
            stages: read.stages.iter().skip(1).map(stage).collect(),
            step: read.running_step().map(|(stage, job, task)| [&stage.name, &job.name, &task.name].map(Clone::clone)),
            elapsed_s: elapsed_s(read),
            acts: None,
            ping: Ping::default(),
        }
    }

    /// With what was known of the attempts before: who had this bot start them, and how they ended.
    pub fn after(mut self, before: &Self) -> Self {
        let latest = self.attempt();
        for known in &before.attempts {
            let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.count == known.count) else { continue };
            if known.by.is_some() {
                (attempt.by, attempt.uid, attempt.scope) = (known.by, None, known.scope.clone());
            }
            if attempt.count < latest {
                let shown = (before.attempt() == known.count).then(|| before.state.ended()).flatten();
                attempt.ended = known.ended.or(shown);
            }
        }
        self
    }

    /// With who had this bot start an attempt, and what of the build.
    pub fn retried_by(mut self, count: u32, by: UserId, scope: Option<Scope>) -> Self {
        if let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.count == count) {
            (attempt.by, attempt.uid, attempt.scope) = (Some(by), None, scope);
        }
        self
    }

    /// Told as a repair: this channel had heard of a failure, of this build or of an earlier one.
    pub fn as_fixed(self, earlier: Option<u32>) -> Self {
        Self { state: State::Fixed { earlier }, ..self }
    }

    /// Not looked at any more.
    pub fn lost(self, lost: Lost) -> Self {
        Self { state: State::Unwatched(lost), step: None, acts: None, ..self }
    }
}

impl Acts {
    /// Somebody else can look for it.
    pub fn take_over(offer: OfferId) -> Self {
        let (from, skip) = (Vec::new(), Vec::new());
        Self { offer, failed_jobs: false, whole: false, stop: false, from, skip, take_over: true }
    }

    /// What can be done about a build as it was read; `None`: nothing.
    pub fn of(read: &Build, offer: OfferId) -> Option<Self> {
        let succeeded = read.is_finished() && !read.status.is_failure() && !read.status.is_cancel();
        if succeeded {
            return None;
        }
        let can = |wanted| Scope::resolve(read, &wanted).is_ok();
        let acts = Self {
            offer,
            failed_jobs: can(Wanted::FailedJobs(None)),
            whole: can(Wanted::WholeBuild),
            stop: !read.is_finished() && read.may_stop != Some(false),
            from: few(retryable(read)
                .into_iter()
                .filter(|part| matches!(part.kind, Kind::Task | Kind::Child | Kind::Job))),
            skip: few(skippable(read).into_iter()),
            take_over: false,
        };
        let some = acts.failed_jobs || acts.whole || acts.stop || !acts.from.is_empty() || !acts.skip.is_empty();
        some.then_some(acts)
    }
}

fn few(parts: impl Iterator<Item = Part>) -> Vec<Part> {
    parts.take(CHOICES).collect()
}

fn state(read: &Build) -> State {
    let status = read.status;
    match () {
        () if !read.is_finished() => State::Running { status },
        () if status.is_failure() => State::Failed(failed(read)),
        () if status.is_cancel() => State::Canceled { by: read.canceled_by.clone() },
        () => State::Passed,
    }
}

fn failed(read: &Build) -> Failed {
    let places = read.failures();
    let more = u32::try_from(places.len().saturating_sub(PLACES)).unwrap_or(u32::MAX);
    let places = places.into_iter().take(PLACES).map(place).collect();
    Failed { status: read.status, places, more, log: Vec::new() }
}

fn place(place: FailedPlace) -> Place {
    Place {
        stage: place.stage.1,
        job: place.job.map(|(_, name)| name).unwrap_or_default(),
        task: place.task.map(|(_, name)| name),
        problem: place.problem,
    }
}

fn stage(stage: &crate::model::build::Stage) -> Stage {
    let ended = stage.status.is_some_and(BuildStatus::is_finished);
    Stage {
        name: stage.name.clone(),
        status: stage.status,
        took_s: stage.took.filter(|_| ended).map(|took| took.as_secs()),
    }
}

fn attempts(read: &Build) -> Vec<Attempt> {
    let first = read.execute_count.saturating_sub(ATTEMPTS - 1).max(1);
    let ended = read.is_finished().then_some(read.status);
    (first..=read.execute_count)
        .map(|count| Attempt {
            count,
            by: None,
            uid: read.starter(count).map(str::to_owned),
            scope: None,
            ended: ended.filter(|_| count == read.execute_count),
        })
        .collect()
}

/// The first attempt has the build's own times. A later one that ran a part only leaves those as they were (bkci-api
/// 6.4): the stages that were at work last tell when it began, as far as anything does.
fn elapsed_s(read: &Build) -> u64 {
    let until = if read.is_finished() { read.ended.unwrap_or(read.read_at) } else { read.read_at };
    let at_work = |status: Option<BuildStatus>| status.is_some_and(|status| status.is_running() || status.is_failure());
    let stages = || read.stages.iter().filter(|stage| at_work(stage.status)).filter_map(|stage| stage.started);
    let began = if read.execute_count == 1 { read.started } else { stages().min() };
    began.map_or(0, |began| until.since(began).as_secs())
}
