//! Models made up by dice: the same seed makes the same model.

use std::time::Duration;

use sandbox::bkci::{
    BuildPlan, ErrorType, Fail, JobPlan, MatrixChild, Options, Outcome, PipelineId, RunCondition, StagePlan, Status,
    TaskPlan,
};

/// Every status that counts as a failure of a task and that the double knows (bkci-api 5.1).
const FAILURES: [Status; 7] = [
    Status::Failed,
    Status::Terminate,
    Status::ReviewAbort,
    Status::HeartbeatTimeout,
    Status::QualityCheckFail,
    Status::QueueTimeout,
    Status::ExecTimeout,
];

const NAMES: [&str; 5] = ["lint", "unit", "pack", "ship", "Unit"];
const STEPS: [&str; 3] = ["one", "two", "three"];

/// SplitMix64: small, and the same everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn up_to(&mut self, most: u64) -> u64 {
        1 + self.next() % most
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let index = self.next() % from.len() as u64;
        from[usize::try_from(index).expect("an index")]
    }
}

/// A build as it will be made, as often as it is wanted.
pub struct Model {
    pub plan: BuildPlan,
    /// Somebody stops it so long after its start.
    pub stopped_after: Option<Duration>,
}

/// What the stages before say about one that is made.
#[derive(Clone, Copy)]
struct Place {
    /// It is reached in the first run, whatever happens.
    first: bool,
    /// Something in it goes on for hours, and something in it has failed.
    goes_on: bool,
    /// How many of a hundred tasks fail when they run first.
    fail: u64,
    /// What fails may be skipped.
    lenient: bool,
}

impl Model {
    pub fn roll(dice: &mut Dice, pipeline: &PipelineId) -> Self {
        let goes_on = dice.percent(25);
        let stopped = !goes_on && dice.percent(20);
        let stages = 1 + dice.up_to(3);
        let going_on = dice.up_to(stages.min(2));
        // Half of the models fail in one stage only: there all that runs again can pass.
        let (failing, lenient) = (dice.percent(50).then(|| dice.up_to(stages.min(2))), dice.percent(35));
        let fail = |number| match failing {
            Some(only) if only == number => 30,
            Some(_) => 0,
            None => 18,
        };
        let mut plan = BuildPlan::new(pipeline).started_by("dev.uid");
        for number in 1..=stages {
            let (first, goes_on) = (number == 1 && !stopped, goes_on && number == going_on);
            let place = Place { first, goes_on, fail: fail(number), lenient };
            plan = plan.stage(stage(dice, place));
        }
        if dice.percent(60) {
            plan = plan.finally(stage(dice, Place { first: false, goes_on: false, fail: fail(stages + 1), lenient }));
        }
        let stopped_after = stopped.then(|| Duration::from_millis(dice.up_to(60) * 1000 + 500));
        // One that is stopped in time starts now.
        let plan = if stopped { plan } else { plan.age(Duration::from_secs(3600)) };
        Self { plan, stopped_after }
    }
}

fn stage(dice: &mut Dice, place: Place) -> StagePlan {
    let mut stage = StagePlan::new(dice.pick(&NAMES));
    if place.goes_on {
        let soak = TaskPlan::new("soak").takes(Duration::from_secs(10 * 3600));
        let red = TaskPlan::new("red").step(dice.pick(&STEPS)).fails(fail(dice)).passes();
        let red = if dice.percent(50) { red.with(let_a_person_decide) } else { red };
        stage = stage.job(JobPlan::new("long").task(soak).task(task(dice, place)));
        let job = JobPlan::new("short").task(red).task(task(dice, place)).task(task(dice, place));
        stage = stage.job(if dice.percent(40) { split(dice, job, place) } else { job });
    } else {
        stage = decorated(dice, stage, place);
    }
    for _ in 0..dice.up_to(if place.goes_on { 1 } else { 3 }) {
        stage = stage.job(job(dice, place));
    }
    if dice.percent(15) { stage.gate(&["carol"]) } else { stage }
}

fn let_a_person_decide(options: &mut Options) {
    options.continue_when_failed = true;
    options.manual_skip = Some(true);
}

fn decorated(dice: &mut Dice, stage: StagePlan, place: Place) -> StagePlan {
    match dice.up_to(100) {
        1..=10 => stage.fast_kill(),
        11..=16 if !place.first => stage.disabled(),
        17..=24 => stage.when(dice.percent(60)),
        _ => stage,
    }
}

fn job(dice: &mut Dice, place: Place) -> JobPlan {
    let mut job = JobPlan::new(dice.pick(&NAMES));
    if dice.percent(30) {
        job = job.job_id(dice.pick(&STEPS));
    }
    for _ in 0..dice.up_to(4) {
        job = job.task(task(dice, place));
    }
    match dice.up_to(100) {
        1..=6 => job.disabled(),
        7..=13 => job.when(dice.percent(60)),
        14..=22 => job.tolerated(),
        // Only where it is surely started in the first run: a plan takes for granted that machines start.
        23..=28 if place.first && place.fail > 0 => job.machine_fails(Fail::machine("no agent")),
        34..=58 => split(dice, job, place),
        _ => job,
    }
}

fn split(dice: &mut Dice, mut job: JobPlan, place: Place) -> JobPlan {
    for child in ["linux", "windows", "macos"].into_iter().take(usize::from(dice.percent(50)) + 2) {
        let mut child = MatrixChild::new("os", child);
        if place.fail > 0 && dice.percent(40) {
            child = child.task_ends(0, vec![Outcome::Fail(fail(dice)), Outcome::Pass]);
        } else if dice.percent(40) {
            child = child.task_ends(0, vec![Outcome::Pass]);
        }
        job = job.child(child);
    }
    job
}

fn fail(dice: &mut Dice) -> Fail {
    Fail::new(ErrorType::User, 2_199_011, "exit 1").with_status(dice.pick(&FAILURES))
}

fn task(dice: &mut Dice, place: Place) -> TaskPlan {
    if dice.percent(3) {
        return TaskPlan::new("review").review();
    }
    let mut task = TaskPlan::new(dice.pick(&NAMES)).takes(Duration::from_secs(dice.up_to(30) - 1));
    if dice.percent(30) {
        task = task.step(dice.pick(&STEPS));
    }
    let fails = dice.percent(place.fail);
    if fails {
        task = task.fails(fail(dice));
        task = if dice.percent(90) { task.passes() } else { task };
    }
    let (condition, enable, manual_retry) = (condition(dice), !dice.percent(8), !dice.percent(8));
    let (tolerant, skippable, repeats) = (dice.percent(20), dice.percent(30), dice.percent(8));
    task.with(|options| {
        options.run_condition = condition;
        options.enable = enable;
        options.manual_retry = manual_retry;
        options.continue_when_failed = tolerant;
        options.manual_skip = skippable.then_some(true);
        options.retry_when_failed = repeats;
        options.retry_count = u32::from(repeats);
        if fails && place.lenient {
            let_a_person_decide(options);
        }
    })
}

fn condition(dice: &mut Dice) -> RunCondition {
    match dice.up_to(100) {
        1..=8 => RunCondition::EvenIfFailed,
        9..=12 => RunCondition::EvenIfCanceled,
        13..=20 => RunCondition::OnlyIfFailed,
        21..=27 => RunCondition::Variables { matched: dice.percent(60) },
        _ => RunCondition::PreviousSucceeded,
    }
}
