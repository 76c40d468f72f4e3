//! Where a build failed, and what runs in it now.

use serde::{Deserialize, Serialize};

use super::{Build, Job, Problem, Stage, Task, errors_are_current, failed};

/// Id and name of a part of a build.
type Named = (String, String);

/// A place that makes a build fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedPlace {
    /// Id and name.
    pub stage: Named,
    /// Id and name; a matrix's child under its own. Absent where the stage failed and no job of it did: at a quality gate
    /// or a review.
    pub job: Option<Named>,
    /// Id and name. Absent where the job failed without a task: its machine did not start, it waited too long.
    pub task: Option<Named>,
    /// Why, where BK-CI says so of this attempt.
    pub problem: Option<Problem>,
}

impl Build {
    /// What runs now: the first in model order. What waits for a person counts.
    pub fn running_step(&self) -> Option<(&Stage, &Job, &Task)> {
        if self.is_finished() {
            return None;
        }
        let steps = self.stages.iter().flat_map(|stage| {
            stage.running_jobs().flat_map(move |job| job.tasks.iter().map(move |task| (stage, job, task)))
        });
        { steps }.find(|(_, _, task)| task.status.is_some_and(|status| status.is_running()))
    }

    /// Where it fails, in model order; failures that the pipeline tolerates are left out.
    pub fn failures(&self) -> Vec<FailedPlace> {
        self.stages.iter().flat_map(|stage| self.failures_in(stage)).collect()
    }

    fn failures_in(&self, stage: &Stage) -> Vec<FailedPlace> {
        let jobs = stage.jobs.iter().filter(|job| !job.continue_when_failed);
        let places: Vec<FailedPlace> = jobs.flat_map(|job| self.failures_of(stage, job)).collect();
        if places.is_empty() && failed(stage.status) {
            return vec![self.place(stage, None, None)];
        }
        places
    }

    fn failures_of(&self, stage: &Stage, job: &Job) -> Vec<FailedPlace> {
        let children = job.children.iter().filter(|child| job.matrix && !child.continue_when_failed);
        let mut places: Vec<FailedPlace> = children.flat_map(|child| self.failures_of(stage, child)).collect();
        let own = job.tasks.iter().filter(|task| !job.matrix && failed(task.status) && !task.is_tolerated());
        places.extend(own.map(|task| self.place(stage, Some(job), Some(task))));
        if places.is_empty() && failed(job.status) {
            places.push(self.place(stage, Some(job), None));
        }
        places
    }

    fn place(&self, stage: &Stage, job: Option<&Job>, task: Option<&Task>) -> FailedPlace {
        let own = task.and_then(|task| task.error.clone());
        FailedPlace {
            stage: (stage.id.clone(), stage.name.clone()),
            job: job.map(|job| (job.id.clone(), job.name.clone())),
            task: task.map(|task| (task.id.clone(), task.name.clone())),
            problem: own.or_else(|| self.listed_problem(stage, job, task)),
        }
    }

    /// From the list of errors, by the task's id, or by the job's or the stage's where that has none (bkci-api 5.2).
    fn listed_problem(&self, stage: &Stage, job: Option<&Job>, task: Option<&Task>) -> Option<Problem> {
        if !errors_are_current(self.status, self.is_finished()) {
            return None;
        }
        let of_it = self.errors.iter().find(|error| match (job, task) {
            (_, Some(task)) => error.task.as_deref() == Some(task.id.as_str()),
            (Some(job), None) => error.task.is_none() && error.job == job.id,
            (None, None) => error.task.is_none() && error.job.is_empty() && error.stage == stage.id,
        });
        of_it.map(|error| error.problem.clone())
    }
}

#[cfg(test)]
mod tests;
