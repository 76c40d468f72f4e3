//! What a retry would run is what BK-CI runs: for models made up by the hundred, and for cases written by hand.
//!
//! The detail is read and the retry is sent over the wire; the double's engine then runs task by task, and what it ran is
//! compared with what was foretold. The engine knows nothing of foretelling.

mod cases;
mod models;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use reprise::bkci::{Client, Credentials, Family, Options};
use reprise::model::BuildRef;
use reprise::model::build::Build;
use reprise::model::ids::Uid;
use reprise::model::scope::{Fate, Plan, PlannedJob, PlannedStage, PlannedTask, Scope, Wanted, what_runs};
use sandbox::bkci::{BkCi, BuildView, JobView, PipelineId, Right};
use sandbox::clock::Clock;
use secrecy::SecretString;

use models::{Dice, Model};

/// So many models are made up.
const MODELS: u64 = 100;

/// Longer than any stage but one that is meant to go on.
const LATER: Duration = Duration::from_secs(3600);

/// BK-CI's double and the bot's own client, nothing between them but the wire.
struct Scene {
    bkci: BkCi,
    client: Client,
    pipeline: PipelineId,
    uid: Uid,
}

impl Scene {
    async fn set() -> anyhow::Result<Self> {
        let bkci = BkCi::start(Clock::default()).await?;
        let pipeline = bkci.add_pipeline("demo", "nightly");
        bkci.permit("dev.uid", "demo", &pipeline, &[Right::View, Right::Execute]);
        bkci.change_pipeline(&pipeline, |pipeline| pipeline.max_concurrency = usize::MAX);
        let client = Client::new(Options {
            base_url: bkci.base_url(),
            family: Family::V3,
            app_code: bkci.app_code(),
            app_secret: SecretString::from(bkci.app_secret()),
            credentials: Credentials::Query,
            web_url: None,
            connect_timeout: Duration::from_secs(3),
            read_timeout: Duration::from_secs(20),
        })?;
        Ok(Self { bkci, client, pipeline, uid: "dev.uid".parse()? })
    }

    fn address(&self, build: &str) -> anyhow::Result<BuildRef> {
        Ok(BuildRef { project: "demo".parse()?, pipeline: self.pipeline.0.parse()?, build: build.parse()? })
    }

    async fn read(&self, build: &str) -> anyhow::Result<Build> {
        Ok(self.client.build_detail(&self.uid, &self.address(build)?).await?)
    }

    async fn send(&self, build: &str, scope: &Scope) -> anyhow::Result<()> {
        self.client.retry(&self.uid, &self.address(build)?, scope).await?;
        Ok(())
    }

    /// A build of this model after its first run, or in the middle of it where the model goes on for long.
    fn first_run(&self, model: &Model) -> String {
        let build = self.bkci.add_build(model.plan.clone());
        if let Some(after) = model.stopped_after {
            self.bkci.clock().advance(after);
            // It may have ended by then.
            let _ = self.bkci.stop_on_the_web("dev.uid", &build);
        }
        self.run_on(&build, 4);
        build
    }

    /// Lets a build run, approving what waits for a person, until it has ended or `steps` have passed. Answers the ids of
    /// the stages at whose gates it waited.
    fn run_on(&self, build: &str, steps: usize) -> Vec<String> {
        let mut gates = Vec::new();
        for _ in 0..steps {
            self.bkci.clock().advance(LATER);
            let view = self.bkci.build(build);
            if view.finished {
                break;
            }
            if view.status == "STAGE_SUCCESS" {
                gates.extend(view.stages.iter().find(|stage| is(&stage.status, "PAUSE")).map(|stage| stage.id.clone()));
                self.bkci.review_gate("carol", build, true);
            }
            let reviews = all_tasks(&view).filter(|(_, task)| is(&task.status, "REVIEWING"));
            reviews.for_each(|(_, task)| self.bkci.review_task(build, &task.id, true));
        }
        gates
    }
}

fn is(status: &Option<String>, wanted: &str) -> bool {
    status.as_deref() == Some(wanted)
}

fn all_jobs(view: &BuildView) -> impl Iterator<Item = &JobView> {
    view.stages.iter().flat_map(|stage| &stage.jobs)
}

/// Every task that can run, with the id of its job: children instead of templates.
fn all_tasks(view: &BuildView) -> impl Iterator<Item = (&str, &sandbox::bkci::TaskView)> {
    let parts =
        all_jobs(view).flat_map(|job| if job.children.is_empty() { std::slice::from_ref(job) } else { &job.children });
    parts.flat_map(|job| job.tasks.iter().map(move |task| (job.id.as_str(), task)))
}

/// Everything that somebody could name in this build: each id, own id and name, in each of the three ways.
fn everything_named(build: &Build) -> Vec<Wanted> {
    let mut names = BTreeSet::new();
    for stage in &build.stages {
        names.extend([stage.id.clone(), stage.name.clone()]);
        for job in stage.all_jobs() {
            names.extend([job.id.clone(), job.name.clone()].into_iter().chain(job.job_id.clone()));
            for task in &job.tasks {
                names.extend([task.id.clone(), task.name.clone()].into_iter().chain(task.step_id.clone()));
            }
        }
    }
    let ways = |name: String| {
        [Wanted::Retry(name.clone()), Wanted::Skip(name.clone()), Wanted::FailedJobs(Some(name))].into_iter()
    };
    [Wanted::WholeBuild, Wanted::FailedJobs(None)].into_iter().chain(names.into_iter().flat_map(ways)).collect()
}

/// A form that resolved, by its place in the model: ids are made up anew for each build of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Form {
    place: Option<(usize, Vec<usize>)>,
    skips: bool,
    only_failed_jobs: bool,
}

impl Form {
    fn of(build: &Build, scope: &Scope) -> Self {
        let place = scope.task_id().map(|id| ids(build).into_iter().find(|(_, known)| known == id).expect("a part").0);
        Self { place, skips: scope.skips(), only_failed_jobs: scope.only_failed_jobs() }
    }

    /// The same in another build of the model.
    fn resolve(&self, build: &Build) -> Scope {
        let id = self.place.as_ref().map(|place| ids(build).remove(place).expect("the same model"));
        let wanted = match (id, self.skips, self.only_failed_jobs) {
            (None, _, _) => Wanted::WholeBuild,
            (Some(id), true, _) => Wanted::Skip(id),
            (Some(id), false, true) => Wanted::FailedJobs(Some(id)),
            (Some(id), false, false) => Wanted::Retry(id),
        };
        Scope::resolve(build, &wanted).expect("a build of the same model takes the same forms")
    }
}

/// The id of everything, by its place in the model.
fn ids(build: &Build) -> BTreeMap<(usize, Vec<usize>), String> {
    let mut ids = BTreeMap::new();
    for (stage_at, stage) in build.stages.iter().enumerate() {
        ids.insert((stage_at, Vec::new()), stage.id.clone());
        for (job_at, job) in stage.all_jobs().enumerate() {
            ids.insert((stage_at, vec![job_at]), job.id.clone());
            let tasks = job.tasks.iter().enumerate();
            ids.extend(tasks.map(|(task_at, task)| ((stage_at, vec![job_at, task_at]), task.id.clone())));
        }
    }
    ids
}

/// Every form that resolves in this build, once, with what it is called.
fn forms(build: &Build) -> BTreeMap<Form, &'static str> {
    let resolved = everything_named(build).into_iter().filter_map(|wanted| Scope::resolve(build, &wanted).ok());
    resolved.map(|scope| (Form::of(build, &scope), kind(&scope))).collect()
}

/// What a plan says of the tasks whose fate is `wanted`, as ids of the view: those of the children where a matrix is
/// split again.
fn foretold(plan: &Plan, view: &BuildView, wanted: impl Fn(Fate) -> bool) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for (_, job, task) in plan.tasks().filter(|(_, _, task)| wanted(task.fate)) {
        let Some(matrix) = all_jobs(view).find(|known| known.id == job.id && job.split.is_some()) else {
            ids.insert(task.id.clone());
            continue;
        };
        let position = matrix.tasks.iter().position(|template| template.id == task.id).expect("a template");
        ids.extend(matrix.children.iter().map(|child| child.tasks[position].id.clone()));
    }
    ids
}

/// How often each thing was seen, so that the proof cannot go hollow.
#[derive(Debug, Default)]
struct Seen {
    compared: usize,
    exact: usize,
    running: usize,
    scopes: BTreeMap<&'static str, usize>,
    fates: BTreeMap<String, usize>,
    gates: usize,
    unreached: usize,
    stays: usize,
}

fn kind(scope: &Scope) -> &'static str {
    match scope {
        Scope::WholeBuild => "whole build",
        Scope::Stage { .. } => "stage",
        Scope::FailedJobs { .. } => "failed jobs",
        Scope::SkipInStage { .. } => "skip in stage",
        Scope::Job(_) => "job",
        Scope::Matrix(_) => "matrix",
        Scope::FailedChildren { .. } => "failed children",
        Scope::Child(_) => "child",
        Scope::Task(_) => "task",
        Scope::SkipTask(_) => "skip task",
    }
}

#[tokio::test]
async fn what_is_foretold_is_what_runs_for_every_form_of_every_model() -> anyhow::Result<()> {
    let (scene, mut seen) = (Scene::set().await?, Seen::default());
    for seed in 0..MODELS {
        let model = Model::roll(&mut Dice::new(seed), &scene.pipeline);
        let sample = scene.first_run(&model);
        let detail = scene.read(&sample).await?;
        assert_eq!(scene.read(&sample).await?.digest(), detail.digest(), "nothing happened between two reads");
        for (form, kind) in forms(&detail) {
            let build = scene.first_run(&model);
            let compared = compare(&scene, &build, &form, &mut seen).await;
            compared.with_context(|| format!("seed {seed}, {kind}\n{}", drawn(&scene.bkci.build(&build))))?;
        }
    }
    assert!(scene.bkci.violations().is_empty(), "{:?}", scene.bkci.violations());
    assert!(seen.compared >= 500 && seen.exact >= 300 && seen.running >= 40, "{seen:?}");
    assert!(seen.gates >= 60 && seen.unreached >= 60 && seen.stays >= 60, "{seen:?}");
    assert!(seen.scopes.len() == 10 && seen.scopes.values().all(|times| *times >= 10), "{seen:?}");
    assert!(seen.fates.len() == 6 && seen.fates.values().all(|times| *times >= 40), "{seen:?}");
    Ok(())
}

async fn compare(scene: &Scene, build: &str, form: &Form, seen: &mut Seen) -> anyhow::Result<()> {
    let detail = scene.read(build).await?;
    let scope = form.resolve(&detail);
    let plan = what_runs(&detail, &scope);
    let before = scene.bkci.executed(build).len();
    scene.send(build, &scope).await?;
    assert_ne!(scene.read(build).await?.digest(), detail.digest(), "something happened");
    let gates = scene.run_on(build, 30);
    let view = scene.bkci.build(build);
    anyhow::ensure!(view.finished, "it still runs");

    let elsewhere = running_meanwhile(&detail, &scope);
    let everywhere: BTreeSet<String> = scene.bkci.executed(build)[before..].iter().map(|(_, id)| id.clone()).collect();
    let executed: BTreeSet<String> = &everywhere - &elsewhere;
    let certain = foretold(&plan, &view, |fate| fate == Fate::Runs);
    let possible = foretold(&plan, &view, Fate::may_run);
    anyhow::ensure!(certain.is_subset(&executed), "certain but not run: {:?}\n{}", &certain - &executed, said(&plan));
    anyhow::ensure!(
        executed.is_subset(&possible),
        "run but not foretold: {:?}\n{}",
        &executed - &possible,
        said(&plan)
    );
    let skipped = foretold(&plan, &view, |fate| fate == Fate::Skipped);
    let state =
        |id: &String| all_tasks(&view).find(|(_, task)| task.id == *id).and_then(|(_, task)| task.status.clone());
    anyhow::ensure!(skipped.iter().all(|id| is(&state(id), "SKIP")), "not skipped\n{}", said(&plan));

    let waited: Vec<&str> = plan.gates().map(|stage| stage.id.as_str()).collect();
    let all_passed = everywhere.iter().all(|id| is(&state(id), "SUCCEED"));
    if all_passed {
        let expected = foretold(&plan, &view, Fate::runs_if_all_pass);
        let uncertain = foretold(&plan, &view, |fate| fate == Fate::MayRun);
        anyhow::ensure!(
            &executed - &uncertain == expected,
            "all passed: {:?} ran\n{}",
            &executed - &uncertain,
            said(&plan)
        );
        anyhow::ensure!(gates == waited || !uncertain.is_empty(), "waited at {gates:?}, not {waited:?}");
        seen.exact += 1;
    }
    anyhow::ensure!(gates.iter().all(|gate| waited.contains(&gate.as_str())), "waited at {gates:?}, not {waited:?}");
    for part in &plan.unreached {
        let stage = view.stages.iter().find(|stage| stage.id == part.id).expect("a stage");
        anyhow::ensure!(is(&stage.status, "UNEXEC"), "{} was reached: {:?}", part.name, stage.status);
    }
    for part in &plan.stays {
        anyhow::ensure!(!plan.tasks().any(|(_, job, task)| job.id == part.id || task.id == part.id), "{part:?} stays");
    }
    count(&plan, &scope, seen);
    seen.running += usize::from(!detail.is_finished());
    Ok(())
}

fn drawn(view: &BuildView) -> String {
    let state = |status: &Option<String>| status.clone().unwrap_or_default();
    let mut lines = vec![format!("{} {}", view.status, view.execute_count)];
    for stage in &view.stages {
        lines.push(format!("{} {}", stage.id, state(&stage.status)));
        for job in stage.jobs.iter().flat_map(|job| std::iter::once(job).chain(&job.children)) {
            lines.push(format!("  {} {} {}", job.id, job.name, state(&job.status)));
            lines.extend(job.tasks.iter().map(|t| format!("    {} {} {}", &t.id, t.name, state(&t.status))));
        }
    }
    lines.join("\n")
}

fn said(plan: &Plan) -> String {
    let line = |(stage, job, task): (&PlannedStage, &PlannedJob, &PlannedTask)| {
        format!("{} {} {} {} {:?}", stage.id, job.id, task.id, task.name, task.fate)
    };
    plan.tasks().map(line).collect::<Vec<_>>().join("\n")
}

/// In a build that runs, the other jobs of the stage go on, whatever is retried.
fn running_meanwhile(build: &Build, scope: &Scope) -> BTreeSet<String> {
    let Some((job, _)) = scope.first_task(build).filter(|_| !build.is_finished()) else { return BTreeSet::new() };
    let stages = build.stages.iter().filter(|stage| stage.all_jobs().any(|known| known.id == job.id));
    let others = stages.flat_map(|stage| stage.running_jobs()).filter(|other| other.id != job.id);
    others.flat_map(|other| &other.tasks).map(|task| task.id.clone()).collect()
}

fn count(plan: &Plan, scope: &Scope, seen: &mut Seen) {
    seen.compared += 1;
    *seen.scopes.entry(kind(scope)).or_default() += 1;
    for (_, _, task) in plan.tasks() {
        *seen.fates.entry(format!("{:?}", task.fate)).or_default() += 1;
    }
    seen.gates += plan.gates().count();
    seen.unreached += plan.unreached.len();
    seen.stays += plan.stays.len();
}
