//! `/build log`: the end of a task's log, of the latest attempt in which the task ran.

use super::retry::failure;
use crate::app::App;
use crate::bkci::{Error, LogState, LogTail, TaskLog};
use crate::model::Timestamp;
use crate::model::build::{Build, Task};
use crate::model::ids::Uid;
use crate::model::scope::{Part, Refusal, logged, ran};
use crate::model::status::BuildStatus;
use crate::reply::{About, Log, Logged, NoLog, Reply};
use crate::text;

/// So many lines are shown when none are asked for.
const LINES: u32 = 20;

/// So many lines are shown at most.
const LINES_MAX: u32 = 100;

/// A task keeps the log of the attempt that ran it last; so many attempts are looked through for it.
const ATTEMPTS: u32 = 5;

/// So many tasks are told of.
const CANDIDATES: usize = 5;

/// Which log.
#[derive(Debug)]
pub(super) struct Wanted {
    /// As typed.
    pub(super) task: Option<String>,
    /// How many lines of its end.
    pub(super) lines: Option<u32>,
}

/// Finds the task and reads its log as that user, who has read the build for this pipeline: v3 does not check that the
/// two belong together (bkci-api 9).
pub(super) async fn read(app: &App, wanted: Wanted, (about, as_user): (About, &Uid), build: &Build) -> Reply {
    let named = wanted.task.as_deref().map(str::trim).filter(|named| !named.is_empty());
    let (stage, job, task) = match logged(build, named) {
        Ok(Some(found)) => found,
        other => return Reply::NoLog { about, why: none(build, named, other.err()) },
    };
    if task.status.is_none_or(|status| !status.is_finished() && !status.is_running()) {
        let why = NoLog::NotRun { name: task.name.clone(), candidates: candidates(build) };
        return Reply::NoLog { about, why };
    }
    let lines = wanted.lines.unwrap_or(LINES).clamp(1, LINES_MAX);
    let (attempt, tail) = match tail(app, (&about, as_user), (build, task), lines).await {
        Ok(found) => found,
        Err(error) => return Reply::NotRead { build: about.build, failure: failure(error) },
    };
    let runs = task.status.is_some_and(BuildStatus::is_running);
    Reply::Log(Box::new(Log {
        about,
        place: [&stage.name, &job.name, &task.name].map(Clone::clone),
        attempt,
        at: moment(task, runs),
        runs,
        lines: match tail.state {
            LogState::Here => match text::clean(&tail.lines) {
                lines if lines.iter().all(|line| line.trim().is_empty()) => Logged::Empty,
                lines => Logged::Lines(lines),
            },
            LogState::Empty => Logged::Empty,
            LogState::CleanedAway => Logged::CleanedAway,
            LogState::Closed => Logged::Closed,
            LogState::Failed => Logged::Failed,
        },
    }))
}

/// A task that did not run again in the latest attempt has its log in an earlier one (bkci-api 9: `executeCount`).
async fn tail(
    app: &App,
    (about, uid): (&About, &Uid),
    (build, task): (&Build, &Task),
    lines: u32,
) -> Result<(u32, LogTail), Error> {
    let latest = build.execute_count;
    let of = |attempt| TaskLog { build: &about.build, task: &task.id, attempt };
    let first = app.bkci.log_tail(uid, of(latest), lines).await?;
    if first.state != LogState::Empty || task.status.is_some_and(BuildStatus::is_running) {
        return Ok((latest, first));
    }
    for attempt in (latest.saturating_sub(ATTEMPTS - 1).max(1)..latest).rev() {
        let earlier = app.bkci.log_tail(uid, of(attempt), lines).await?;
        if earlier.state != LogState::Empty {
            return Ok((attempt, earlier));
        }
    }
    Ok((latest, first))
}

fn moment(task: &Task, runs: bool) -> Option<Timestamp> {
    let started = task.started?;
    Some(if runs { started } else { started.plus(task.took.unwrap_or_default()) })
}

fn none(build: &Build, named: Option<&str>, refusal: Option<Refusal>) -> NoLog {
    let candidates = candidates(build);
    let Some(named) = named.map(str::to_owned) else { return NoLog::Nothing { candidates } };
    match refusal {
        None | Some(Refusal::Trigger) => NoLog::NoTask { named, candidates },
        Some(Refusal::Ambiguous { candidates, .. }) if !candidates.is_empty() => {
            NoLog::Ambiguous { named, candidates: candidates.into_iter().take(CANDIDATES).collect() }
        }
        Some(Refusal::Ambiguous { .. } | Refusal::NotFailed { .. }) => NoLog::Ambiguous { named, candidates },
        Some(_) => NoLog::NotFound { named, candidates },
    }
}

fn candidates(build: &Build) -> Vec<Part> {
    ran(build).into_iter().take(CANDIDATES).collect()
}
