//! Facts to put into words: everything that can be said, builds as there are many, and any at all.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::model::build::{ErrorKind, Problem};
use crate::model::ids::UserId;
use crate::model::scope::{JobScope, Kind, Part, Scope, TaskScope};
use crate::model::status::BuildStatus;
use crate::reply::notice::{Acts, Attempt, Failed, Lost, Notice, Paused, Ping, Place, Stage, State};
use crate::text::tests::about;

const KINDS: [ErrorKind; 5] =
    [ErrorKind::System, ErrorKind::User, ErrorKind::ThirdParty, ErrorKind::Plugin, ErrorKind::BuildMachine];

const STATUSES: [BuildStatus; 29] = {
    use BuildStatus as S;
    [
        S::Succeed,
        S::Failed,
        S::Canceled,
        S::Running,
        S::Terminate,
        S::Reviewing,
        S::ReviewAbort,
        S::ReviewProcessed,
        S::HeartbeatTimeout,
        S::PrepareEnv,
        S::Unexec,
        S::Skip,
        S::QualityCheckFail,
        S::Queue,
        S::LoopWaiting,
        S::CallWaiting,
        S::TryFinally,
        S::QueueTimeout,
        S::ExecTimeout,
        S::QueueCache,
        S::Retry,
        S::Pause,
        S::StageSuccess,
        S::QuotaFailed,
        S::DependentWaiting,
        S::QualityCheckPass,
        S::QualityCheckWait,
        S::TriggerReviewing,
        S::Unknown,
    ]
};

/// Everything that can be said of a build, with `text` wherever a stranger's text stands.
pub(in crate::text) fn notices(text: &str) -> Vec<Notice> {
    let notice = |state| Notice {
        pipeline_name: text.into(),
        started_by: Some(text.into()),
        branch: Some(text.into()),
        commit: Some(text.into()),
        attempts: scopes(text).into_iter().zip(1..).map(|(scope, count)| attempt(count, Some(scope), text)).collect(),
        stages: STATUSES.map(|status| stage(text, Some(status), Some(100))).to_vec(),
        step: Some([text.into(), text.into(), text.into()]),
        acts: Some(acts(text)),
        ..bare(state)
    };
    let status = |status| State::Running { status };
    let failed = |status| State::Failed(failed(status, text));
    let lost = [Lost::View, Lost::Mapping, Lost::Build].map(State::Unwatched);
    let fixed = [State::Fixed { earlier: Some(127) }, State::Fixed { earlier: None }, State::Passed];
    let canceled = [State::Canceled { by: Some(text.into()) }, State::Canceled { by: None }];
    let states = STATUSES.map(status).into_iter().chain(STATUSES.map(failed)).chain(lost).chain(fixed).chain(canceled);
    let states: Vec<State> = states.collect();
    let scarce = states.iter().cloned().map(bare).chain([bare(State::Failed(Failed {
        status: BuildStatus::Failed,
        places: Vec::new(),
        more: 0,
        log: Vec::new(),
    }))]);
    scarce.chain(states.iter().cloned().map(notice)).collect()
}

/// The pauses of a watch.
pub(in crate::text) fn pauses(text: &str) -> Vec<Paused> {
    let paused = |lost| Paused {
        project: about(None).build.project,
        pipeline: about(None).build.pipeline,
        pipeline_name: text.into(),
        as_user: "alice".parse().expect("a UID"),
        lost,
        offer: "7".parse().expect("an id"),
    };
    [Lost::View, Lost::Mapping, Lost::Build].map(paused).to_vec()
}

fn scopes(text: &str) -> Vec<Scope> {
    let text = || text.to_owned();
    let job = || JobScope { id: text(), name: text(), stage: text() };
    let task = || TaskScope { id: text(), name: text(), job: text(), stage: text() };
    let many = || vec![text(); 20];
    vec![
        Scope::WholeBuild,
        Scope::FailedJobs { id: text(), name: text(), jobs: many(), others: many() },
        Scope::SkipInStage { id: text(), name: text(), tasks: many() },
        Scope::FailedChildren { matrix: job(), children: many() },
        Scope::SkipTask(task()),
        Scope::Task(task()),
    ]
}

pub(super) fn attempt(count: u32, scope: Option<Scope>, text: &str) -> Attempt {
    Attempt { count, by: None, uid: Some(text.into()), scope, ended: Some(BuildStatus::Failed) }
}

pub(super) fn stage(name: &str, status: Option<BuildStatus>, took_s: Option<u64>) -> Stage {
    Stage { name: name.into(), status, took_s }
}

fn failed(status: BuildStatus, text: &str) -> Failed {
    let place = |kind| Place {
        stage: text.into(),
        job: text.into(),
        task: Some(text.into()),
        problem: Some(Problem { kind, code: 2_199_011, message: text.into() }),
    };
    let bare = Place { task: None, problem: None, ..place(ErrorKind::User) };
    let mute = Problem { kind: ErrorKind::Plugin, code: 1, message: String::new() };
    let mute = Place { problem: Some(mute), ..place(ErrorKind::Plugin) };
    let places = KINDS.map(place).into_iter().chain([bare, mute]).collect();
    Failed { status, places, more: 2, log: vec![text.into(); 20] }
}

pub(super) fn acts(text: &str) -> Acts {
    let part = |at: usize| {
        let within = vec![text.to_owned(); at % 3];
        let kind = [Kind::Stage, Kind::Job, Kind::Task, Kind::Matrix, Kind::Child][at % 5];
        Part { kind, id: format!("e-{at}"), name: text.into(), within }
    };
    let parts: Vec<Part> = (0..40).map(part).collect();
    Acts {
        offer: "7".parse().expect("an id"),
        failed_jobs: true,
        whole: true,
        stop: true,
        from: parts.clone(),
        skip: parts,
        take_over: true,
    }
}

/// As little as can be known.
pub(super) fn bare(state: State) -> Notice {
    let about = about(None);
    Notice {
        build: about.build,
        pipeline_name: "nightly".into(),
        number: 128,
        link: None,
        started_by: None,
        branch: None,
        commit: None,
        state,
        attempts: Vec::new(),
        stages: Vec::new(),
        step: None,
        elapsed_s: 0,
        acts: None,
        ping: Ping::default(),
    }
}

/// A build as there are many.
pub(super) fn usual(state: State) -> Notice {
    let stages = [
        stage("Build", Some(BuildStatus::Succeed), Some(80)),
        stage("Test", Some(BuildStatus::Failed), Some(120)),
        stage("Deploy", None, None),
    ];
    Notice {
        started_by: Some("chen".into()),
        branch: Some("release/1.2".into()),
        commit: Some("Round totals half to even (#45)".into()),
        stages: stages.into(),
        elapsed_s: 200,
        ..bare(state)
    }
}

pub(super) fn usual_failure() -> Failed {
    let problem = Problem { kind: ErrorKind::User, code: 2_199_011, message: "script exited with 1".into() };
    let place = Place { stage: "Test".into(), job: "linux".into(), task: Some("Unit".into()), problem: Some(problem) };
    let log = ["test totals::half_to_even ... FAILED", "", "error: 1 of 212 tests failed"].map(str::to_owned);
    Failed { status: BuildStatus::Failed, places: vec![place], more: 0, log: log.into() }
}

pub(super) fn second_attempt(ended: Option<BuildStatus>) -> Vec<Attempt> {
    let scope = Scope::FailedJobs {
        id: "stage-3".into(),
        name: "Test".into(),
        jobs: vec!["linux".into()],
        others: vec!["Deploy".into()],
    };
    let first = Attempt { scope: None, ..attempt(1, None, "chen") };
    vec![first, Attempt { by: Some(UserId(42)), ended, ..attempt(2, Some(scope), "dev.ada") }]
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9 ._/-]{0,20}",
        "\\PC{0,400}",
        "[@<>`*_\\[\\]()#|~:流😀\n\u{1b}\u{202e}]{0,400}",
        select(vec!["*".repeat(3000), "😀".repeat(3000), "@".repeat(3000), "```\n".repeat(500), String::new()]),
    ]
}

fn any_status() -> impl Strategy<Value = BuildStatus> {
    select(STATUSES.to_vec())
}

fn any_scope() -> impl Strategy<Value = Scope> {
    (0..6usize, texts()).prop_map(|(which, text)| scopes(&text).remove(which))
}

fn any_state() -> impl Strategy<Value = State> {
    let problem = (select(KINDS.to_vec()), any::<i64>(), texts());
    let problem = problem.prop_map(|(kind, code, message)| Problem { kind, code, message });
    let place = (texts(), texts(), option::of(texts()), option::of(problem))
        .prop_map(|(stage, job, task, problem)| Place { stage, job, task, problem });
    let failed = (any_status(), vec(place, 0..4), any::<u32>(), vec(texts(), 0..40))
        .prop_map(|(status, places, more, log)| State::Failed(Failed { status, places, more, log }));
    prop_oneof![
        3 => failed,
        1 => any_status().prop_map(|status| State::Running { status }),
        1 => option::of(any::<u32>()).prop_map(|earlier| State::Fixed { earlier }),
        1 => option::of(texts()).prop_map(|by| State::Canceled { by }),
        1 => select(vec![State::Passed, State::Unwatched(Lost::View), State::Unwatched(Lost::Mapping)]),
    ]
}

pub(super) fn any_notice() -> impl Strategy<Value = Notice> {
    let attempt = (
        any::<u32>(),
        option::of(any::<u64>()),
        option::of(texts()),
        option::of(any_scope()),
        option::of(any_status()),
    )
        .prop_map(|(count, by, uid, scope, ended)| Attempt { count, by: by.map(UserId), uid, scope, ended });
    let stage = (texts(), option::of(any_status()), option::of(any::<u64>()))
        .prop_map(|(name, status, took_s)| Stage { name, status, took_s });
    let words = (texts(), option::of(texts()), option::of(texts()), option::of(texts()));
    let lists = (vec(attempt, 0..9), vec(stage, 0..30), option::of([texts(), texts(), texts()]));
    let rest = (any::<u32>(), any::<u64>(), option::of(texts()));
    (any_state(), words, lists, rest).prop_map(|(state, words, lists, (number, elapsed_s, acted))| {
        let (pipeline_name, started_by, branch, commit) = words;
        let (attempts, stages, step) = lists;
        let acts = acted.map(|text| acts(&text));
        let build = bare(State::Passed);
        Notice {
            state,
            pipeline_name,
            number,
            started_by,
            branch,
            commit,
            attempts,
            stages,
            step,
            elapsed_s,
            acts,
            ..build
        }
    })
}
