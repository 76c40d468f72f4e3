use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::RejectedBy;
use crate::model::named::PipelineNamed;
use crate::model::scope::{self, JobScope, Kind, Part, Scope, TaskScope};
use crate::reply::{Change, Log, Logged, NoLog, Proposal, StopOutcome, Unfound, Unusable, Why};
use crate::reply::{Flag, Mistake, Slip};

const ENGLISH: &str = include_str!("../../i18n/en/reprise.ftl");
const OTHERS: [&str; 2] = [include_str!("../../i18n/zh-CN/reprise.ftl"), include_str!("../../i18n/ja/reprise.ftl")];

/// Key → the variables it uses. A key that is there twice is a fault: Fluent would silently take one of them.
fn keys(catalogue: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in catalogue.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let mut text = line;
        if !line.starts_with([' ', '}']) {
            let (key, rest) = line.split_once(" =").unwrap_or_else(|| panic!("no key: {line}"));
            key.clone_into(&mut current);
            text = rest;
            assert!(found.insert(key.to_owned(), BTreeSet::new()).is_none(), "{key} is there twice");
        }
        let name = |part: &str| part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
        let variables = text.split('$').skip(1).map(name);
        found.get_mut(&current).expect("a key comes first").extend(variables);
    }
    found
}

#[test]
fn every_language_has_every_key_with_the_same_variables() {
    let english = keys(ENGLISH);
    assert!(english.len() > 90);
    for other in OTHERS.map(keys) {
        for (key, variables) in &english {
            assert_eq!(other.get(key), Some(variables), "{key}");
        }
        assert_eq!(other.len(), english.len(), "a key that English does not have");
    }
}

#[test]
fn the_reader_of_catalogues_sees_keys_and_variables() {
    let read = keys(
        "# note\n\na = { $x } and {$y_1}\nb =\n    one { $z }\n    { $n ->\n        [one] 1\n       *[other] { $m }\n    }\n",
    );
    let variables = |key: &str| read[key].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!((variables("a"), variables("b")), (vec!["x", "y_1"], vec!["m", "n", "z"]));
}

/// The paths of all commands and options, as the registration asks for their descriptions.
fn described() -> BTreeSet<String> {
    let asked = std::sync::Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let noted = asked.clone();
    let describe = move |path: &str, _: Locale| {
        noted.lock().expect("no panic before").insert(path.to_owned());
        path.to_owned()
    };
    crate::discord::slash::definitions(crate::discord::slash::Scope::Guild, &describe);
    let paths = asked.lock().expect("no panic before").clone();
    assert!(paths.contains("retry") && paths.contains("mapping set uid"));
    paths
}

#[test]
fn every_command_and_option_is_described_in_every_language() {
    for path in described() {
        for locale in Locale::ALL {
            let text = command_description(&path, locale);
            assert!((1..=100).contains(&text.chars().count()) && !text.contains("localization"), "{path}: {text}");
        }
        let [english, chinese, japanese] = Locale::ALL.map(|locale| command_description(&path, locale));
        assert!(english != chinese && english != japanese && chinese != japanese, "{path} is not translated");
    }
}

/// What stands in the catalogues is said somewhere.
#[test]
fn no_key_is_left_over() {
    let descriptions: BTreeSet<String> =
        described().iter().map(|path| format!("cmd-{}", path.replace(' ', "-"))).collect();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/text");
    let within = |folder: &std::path::Path| -> Vec<std::path::PathBuf> {
        folder.read_dir().expect("a folder of ours").map(|entry| entry.expect("an entry").path()).collect()
    };
    let files = within(&folder).into_iter().flat_map(|path| if path.is_dir() { within(&path) } else { vec![path] });
    let files = files.filter(|file| file.extension().is_some_and(|ext| ext == "rs") && !file.ends_with("tests.rs"));
    let code: String = files.map(|file| std::fs::read_to_string(file).expect("a source")).collect();
    for key in keys(ENGLISH).keys() {
        let said = code.contains(&format!("\"{key}\"")) || descriptions.contains(key);
        assert!(said, "{key} is never said");
    }
}

/// What a stranger may put into every field that is theirs.
const HOSTILE: &str = "@everyone <@&1> `x` **b** [a](https://e.com)\n# h ||s||";

pub(super) fn about(scope: Option<Scope>) -> About {
    About {
        build: BuildRef {
            project: "demo".parse().expect("a project"),
            pipeline: "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a".parse().expect("a pipeline"),
            build: "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e".parse().expect("a build"),
        },
        pipeline_name: HOSTILE.into(),
        number: 128,
        scope,
        asked_by: UserId(42),
        link: Some("https://ci.example.com/x".into()),
    }
}

fn rejection(code: i64) -> Rejection {
    let (message, request_id) = (HOSTILE.to_owned(), Some(HOSTILE.to_owned()));
    Rejection { by: RejectedBy::BkCi, http: 400, code, message, request_id, retry_after_s: None }
}

fn outcomes() -> Vec<Outcome> {
    vec![
        Outcome::Accepted { build_id: HOSTILE.into(), attempt: Some(2), seen_later: false },
        Outcome::Accepted { build_id: HOSTILE.into(), attempt: None, seen_later: true },
        Outcome::Sent,
        Outcome::Unreachable,
        Outcome::Rejected(rejection(1)),
        Outcome::Rejected(Rejection {
            by: RejectedBy::Gateway,
            http: 429,
            retry_after_s: Some(7),
            ..rejection(1_642_902)
        }),
        Outcome::NotSent,
        Outcome::Misconfigured { hint: HOSTILE.into(), said: None },
        Outcome::Misconfigured { hint: HOSTILE.into(), said: Some(rejection(1_640_001)) },
        Outcome::Unconfirmed { looked_for_s: 75, readable: true },
        Outcome::Unconfirmed { looked_for_s: 75, readable: false },
        Outcome::Overtaken { by: HOSTILE.into(), attempt: 2 },
        Outcome::CannotTell { attempt: 2 },
        Outcome::CannotTellTask,
        Outcome::Superseded,
        Outcome::AlreadyAsked { first: UserId(7), accepted: true },
        Outcome::AlreadyAsked { first: UserId(7), accepted: false },
    ]
}

fn stop_outcomes() -> Vec<StopOutcome> {
    let accepted = |forced, seen_later| StopOutcome::Accepted { attempt: 2, forced, seen_later };
    vec![
        accepted(false, false),
        accepted(true, false),
        accepted(false, true),
        StopOutcome::Sent,
        StopOutcome::Unreachable,
        StopOutcome::Rejected(rejection(1)),
        StopOutcome::Rejected(rejection(2_101_019)),
        StopOutcome::Rejected(Rejection { message: "by u9. Again after 42 seconds.".into(), ..rejection(2_101_019) }),
        StopOutcome::NotSent,
        StopOutcome::Misconfigured { hint: HOSTILE.into(), said: None },
        StopOutcome::Misconfigured { hint: HOSTILE.into(), said: Some(rejection(1_640_001)) },
        StopOutcome::Unconfirmed { looked_for_s: 75, readable: true },
        StopOutcome::Unconfirmed { looked_for_s: 75, readable: false },
        StopOutcome::EndedBefore { status: BuildStatus::Succeed },
        StopOutcome::Ended { status: BuildStatus::Canceled, by: Some(HOSTILE.into()) },
        StopOutcome::Ended { status: BuildStatus::Failed, by: None },
        StopOutcome::Moved { attempt: 3 },
        StopOutcome::Superseded,
        StopOutcome::AlreadyAsked { first: UserId(7), accepted: true, again_in_s: 40 },
        StopOutcome::AlreadyAsked { first: UserId(7), accepted: false, again_in_s: 40 },
    ]
}

fn logs() -> Vec<Reply> {
    let text = || HOSTILE.to_owned();
    let part = || Part { kind: Kind::Task, id: text(), name: text(), within: vec![text(), text()] };
    let named = text;
    let candidates = || vec![part(), part()];
    let lines = [
        Logged::Lines(vec![text(), "```".into(), text()]),
        Logged::Lines(vec![" ".into()]),
        Logged::Empty,
        Logged::CleanedAway,
        Logged::Closed,
        Logged::Failed,
    ];
    let log = |lines, runs, at| {
        let (about, place) = (about(None), [text(), text(), text()]);
        Reply::Log(Box::new(Log { about, place, attempt: 2, at, runs, lines }))
    };
    let shown = lines.map(|lines| log(lines, false, Some(Timestamp(0))));
    let others = [log(Logged::Empty, true, Some(Timestamp(0))), log(Logged::Lines(vec![text(); 100]), true, None)];
    let whys = [
        NoLog::NotFound { named: named(), candidates: candidates() },
        NoLog::Ambiguous { named: named(), candidates: candidates() },
        NoLog::NoTask { named: named(), candidates: candidates() },
        NoLog::NotRun { name: named(), candidates: candidates() },
        NoLog::Nothing { candidates: candidates() },
        NoLog::Nothing { candidates: Vec::new() },
    ];
    let none = whys.map(|why| Reply::NoLog { about: about(None), why });
    shown.into_iter().chain(others).chain(none).collect()
}

/// Every refusal, with `text` wherever a stranger's text stands.
fn refusals(text: &str) -> Vec<Refusal> {
    let text = || text.to_owned();
    let part = |within| Part { kind: Kind::Task, id: text(), name: text(), within };
    let parts = || vec![part(vec![text(), text()]), part(Vec::new())];
    vec![
        Refusal::StillRunning(BuildStatus::Running),
        Refusal::AtGate,
        Refusal::TooOld,
        Refusal::NotFound { named: text(), candidates: parts() },
        Refusal::Ambiguous { named: text(), candidates: (0..10).flat_map(|_| parts()).collect() },
        Refusal::SkipWhat { name: text(), candidates: parts() },
        Refusal::SkipWhat { name: text(), candidates: Vec::new() },
        Refusal::FinallyRunning,
        Refusal::StageNotRunning { name: text() },
        Refusal::JobRunning { name: text() },
        Refusal::Finally { name: text() },
        Refusal::Behind { name: text(), earlier: text() },
        Refusal::Template { name: text() },
        Refusal::NothingFailed,
        Refusal::FailedJobsOf { name: text() },
        Refusal::NotFound { named: text(), candidates: Vec::new() },
        Refusal::Shadowed { named: text() },
        Refusal::Trigger,
        Refusal::NotFailed { name: text() },
        Refusal::NotRetryable { name: text() },
        Refusal::NotSkippable { names: vec![text()] },
    ]
}

fn not_retried(refusal: Refusal) -> Reply {
    Reply::NotRetried { about: about(None), refusal, status: BuildStatus::Running }
}

fn replies() -> Vec<Reply> {
    let hostile = || HOSTILE.to_owned();
    let task = || TaskScope { id: hostile(), name: hostile(), job: hostile(), stage: hostile() };
    let job = || JobScope { id: hostile(), name: hostile(), stage: hostile() };
    let failed_jobs = |others| {
        let (id, name, jobs) = (hostile(), hostile(), vec![hostile(); 20]);
        Scope::FailedJobs { id, name, jobs, others }
    };
    let scopes = [
        Scope::WholeBuild,
        Scope::Stage { id: hostile(), name: hostile() },
        Scope::SkipInStage { id: hostile(), name: hostile(), tasks: vec![hostile(); 20] },
        failed_jobs(Vec::new()),
        failed_jobs(vec![hostile(); 20]),
        Scope::Job(job()),
        Scope::Matrix(job()),
        Scope::Child(job()),
        Scope::FailedChildren { matrix: job(), children: vec![hostile(); 20] },
        Scope::Task(task()),
        Scope::SkipTask(task()),
    ];
    let failures = [
        Failure::Rejected(rejection(2_101_163)),
        Failure::Unreachable,
        Failure::Unanswered { said: None },
        Failure::Unanswered { said: Some(rejection(502)) },
        Failure::Unreadable { hint: hostile() },
        Failure::Misconfigured { hint: hostile(), said: None },
        Failure::Misconfigured { hint: hostile(), said: Some(rejection(1_640_001)) },
        Failure::OtherPipeline,
    ];
    let uid: Uid = "alice".parse().expect("a UID");
    let mut replies: Vec<Reply> = outcomes()
        .into_iter()
        .map(|outcome| Reply::Retry { about: about(Some(Scope::WholeBuild)), outcome, again: None, notice: None })
        .collect();
    replies.extend(scopes.map(|scope| Reply::Retry {
        about: about(Some(scope)),
        outcome: Outcome::Sent,
        again: None,
        notice: None,
    }));
    replies.extend(logs());
    replies.extend(stop_outcomes().into_iter().map(|outcome| Reply::Stop { about: about(None), outcome }));
    let as_user = "dev.uid".parse().expect("a UID");
    replies.push(Reply::Followed { about: about(None), as_user });
    replies.extend(refusals(HOSTILE).into_iter().map(not_retried));
    replies.extend(failures.map(|failure| Reply::NotRead { build: about(None).build, failure }));
    let options = [RetryOption::Project, RetryOption::Pipeline, RetryOption::Build];
    replies.extend(options.map(|option| Reply::Malformed { option, given: hostile() }));
    let offer: OfferId = "1".parse().expect("an id");
    let proposal = || Proposal {
        about: about(Some(Scope::WholeBuild)),
        plan: plan::tests::plan(HOSTILE),
        offer: offer.clone(),
        expires: Timestamp(0),
    };
    replies.extend(
        [Why::Risk(scope::Why::SkipsStage), Why::Risk(scope::Why::NotFailed), Why::Always, Why::Preview, Why::Late]
            .map(|why| Reply::Confirm(proposal(), why)),
    );
    let changes = [
        Change::Attempt { before: 1, now: 2, by: Some(hostile()) },
        Change::Attempt { before: 1, now: 2, by: None },
        Change::Status { before: BuildStatus::Failed, now: BuildStatus::Running },
        Change::Parts,
        Change::First { now: 2, user: Some(UserId(1)), uid: None, status: BuildStatus::Running },
        Change::First { now: 2, user: None, uid: Some(hostile()), status: BuildStatus::Running },
        Change::First { now: 2, user: None, uid: None, status: BuildStatus::Running },
    ];
    replies.extend(changes.map(|change| Reply::Changed { about: about(None), change }));
    let unusable = [
        Unusable::ForAnother { asker: UserId(1) },
        Unusable::Expired { at: Timestamp(0) },
        Unusable::TooOld { at: Timestamp(0) },
        Unusable::Used { by: UserId(1) },
        Unusable::Unknown,
    ];
    replies.extend(unusable.map(Reply::Unusable));
    replies.extend([Reply::Preview(proposal()), Reply::PreviewClosed, Reply::Declined { about: about(None) }]);
    let flags = Flag::ALL
        .into_iter()
        .flat_map(|flag| [Slip::NoValue(flag), Slip::Valued(flag), Slip::Twice(flag), Slip::Excludes(flag, flag)]);
    let slips = [Slip::NoCommand, Slip::UnknownCommand, Slip::Surplus, Slip::UnknownFlag, Slip::Unclosed, Slip::Glued];
    let slips = slips.into_iter().chain(flags).chain(options.map(Slip::Missing));
    replies.extend(slips.map(|slip| Reply::Mistaken { typed: hostile(), mistake: Mistake { at: 11, slip } }));
    let project = about(None).build.project;
    replies.extend(watches::tests::replies(HOSTILE));
    replies.extend(unfounds().map(|why| Reply::Unfound { project: project.clone(), why }));
    let (user, shared_with) = (UserId(42), vec![UserId(7)]);
    replies.extend([
        Reply::TaskAndSkip,
        Reply::SkipAndFailedJobs,
        Reply::SeeWhoami,
        Reply::Reading,
        Reply::NotMapped { user },
        Reply::NotAdministrator,
        Reply::ServerNotServed,
        Reply::Whoami { user, uid: Some(uid.clone()), administrator: true },
        Reply::Whoami { user, uid: None, administrator: false },
        Reply::Help { uid: Some(uid.clone()), administrator: true, words: true },
        Reply::Help { uid: None, administrator: false, words: false },
        Reply::MappingSet { user, uid: uid.clone(), before: Some(uid.clone()), shared_with: shared_with.clone() },
        Reply::MappingRemoved { user, uid: uid.clone() },
        Reply::MappingAbsent { user },
        Reply::MappingShown { user, uid: uid.clone(), set_by: Some(user), set_at: Timestamp(0), shared_with },
        Reply::MappingShown { user, uid: uid.clone(), set_by: None, set_at: Timestamp(0), shared_with: Vec::new() },
        Reply::MappingList { filter: Some(hostile()), entries: vec![(user, uid)], total: 3 },
        Reply::MappingList { filter: None, entries: Vec::new(), total: 0 },
        Reply::BadUid { given: hostile() },
        Reply::NothingDone,
        Reply::Incident { number: "7".into() },
    ]);
    replies.extend(notice::tests::notices(HOSTILE).into_iter().map(|notice| Reply::Notice(Box::new(notice))));
    replies.extend(notice::tests::pauses(HOSTILE).into_iter().map(Reply::WatchPaused));
    replies
}

fn unfounds() -> [Unfound; 13] {
    let named = || HOSTILE.to_owned();
    let BuildRef { project: linked, pipeline, .. } = about(None).build;
    let few = || vec![(pipeline.clone(), named()); 5];
    let name = || PipelineNamed::Name(named());
    [
        Unfound::Pipeline { named: named(), similar: Vec::new() },
        Unfound::Pipeline { named: named(), similar: few() },
        Unfound::Ambiguous { named: named(), candidates: few() },
        Unfound::PipelineTooFar { named: named(), similar: Vec::new() },
        Unfound::PipelineTooFar { named: named(), similar: few() },
        Unfound::Number { pipeline: name(), number: 128, latest: None },
        Unfound::Number { pipeline: PipelineNamed::Id(pipeline.clone()), number: 128, latest: Some(127) },
        Unfound::NumberTooFar { pipeline: name(), number: 128, pages: 10 },
        Unfound::NoBuild { pipeline: name() },
        Unfound::OtherProject { linked },
        Unfound::OtherPipeline { linked: pipeline.clone(), named: name() },
        Unfound::Unread { pipeline: name(), failure: Failure::Unreachable },
        Unfound::Unread { pipeline: name(), failure: Failure::Rejected(rejection(2_101_038)) },
    ]
}

fn texts(sentence: &Sentence) -> Vec<&String> {
    let buttons = sentence.buttons.iter().map(|button| &button.label);
    let fields = sentence.fields.iter().flat_map(|field| [&field.name, &field.value]);
    [&sentence.title, &sentence.body].into_iter().chain(fields).chain(buttons).collect()
}

#[test]
fn no_field_of_a_stranger_does_anything_in_any_language() {
    for locale in Locale::ALL {
        for reply in replies() {
            let sentence = say(&reply, locale);
            for text in texts(&sentence) {
                assert!(!text.trim().is_empty(), "{reply:?}");
                // Fluent leaves a variable that it was not given as `{$name}`.
                assert!(!text.contains("{$") && !text.contains("{ $") && !text.contains("No localization"), "{text}");
                let outside = outside_code(text).unwrap_or_else(|| panic!("a code span is left open in {text}"));
                for token in ["@everyone", "<@&", "](", "**b", "||", "\n# ", "://"] {
                    assert!(!outside.contains(token), "{token} is active in {text}");
                }
            }
        }
    }
}

/// What Discord reads as Markdown: without code spans and without escaped characters; nothing if a span is left open.
pub(super) fn outside_code(text: &str) -> Option<String> {
    let (mut outside, mut in_code, mut characters) = (String::new(), false, text.chars());
    while let Some(character) = characters.next() {
        match character {
            '`' => in_code = !in_code,
            _ if in_code => {}
            '\\' => {
                characters.next();
                outside.push(' ');
            }
            other => outside.push(other),
        }
    }
    (!in_code).then_some(outside)
}

#[test]
fn what_tells_active_tokens_finds_them() {
    assert_eq!(outside_code("a `@everyone` b").as_deref(), Some("a  b"));
    assert_eq!(outside_code(r"\`@everyone\`").as_deref(), Some(" @everyone "));
    assert_eq!(outside_code(r"\\<@&1>").as_deref(), Some(" <@&1>"));
    assert_eq!(outside_code("a `b"), None);
}

#[test]
fn a_refusal_never_says_that_nothing_runs_while_something_does() {
    let outcome = Outcome::Rejected(rejection(2_100_002));
    let said = [Locale::En, Locale::Ja].map(|locale| {
        say(&Reply::Retry { about: about(None), outcome: outcome.clone(), again: None, notice: None }, locale).body
    });
    assert!(!said[0].contains("Nothing runs") && !said[1].contains("何も実行されません"), "{said:?}");
}

/// One sentence says why, another what to do next (contract 5). What codes say is tested beside them.
#[test]
fn every_refusal_says_what_to_do_next() {
    let sentences = |text: &str| text.split_inclusive(['.', '。', ';', '；']).filter(|part| part.len() > 3).count();
    for locale in Locale::ALL {
        let failure = Failure::Rejected(Rejection { message: "no".into(), ..rejection(1) });
        let body = say(&Reply::NotRead { build: about(None).build, failure }, locale).body;
        for why in unfounds() {
            let reply = Reply::Unfound { project: about(None).build.project, why };
            let body = say(&reply, locale).body;
            assert!(sentences(&body) >= 2, "{body}");
        }
        assert!(sentences(&body) >= 2, "{body}");
        for refusal in refusals("unit") {
            let body = say(&not_retried(refusal.clone()), locale).body;
            assert!(sentences(&body) >= 2, "{refusal:?}: {body}");
        }
    }
}

/// Discord refuses a field whose value is blank.
#[test]
fn a_blank_name_does_not_make_a_blank_field() {
    for blank in ["", "   ", "\u{200b}"] {
        let about = About { pipeline_name: blank.into(), ..about(None) };
        let sentence = say(&Reply::Retry { about, outcome: Outcome::Sent, again: None, notice: None }, Locale::En);
        for text in texts(&sentence) {
            assert!(!text.trim().is_empty(), "{sentence:?}");
        }
    }
}

pub(super) fn read(reply: &Reply) -> String {
    read_in(reply, Locale::En)
}

pub(super) fn read_in(reply: &Reply, locale: Locale) -> String {
    let sentence = say(reply, locale);
    let fields = sentence.fields.iter().map(|field| format!("{}: {}", field.name, field.value));
    [sentence.title, sentence.body].into_iter().chain(fields).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_main_answers_read_well() {
    let about = About { pipeline_name: "nightly".into(), ..about(Some(Scope::WholeBuild)) };
    let build_id = about.build.build.to_string();
    let outcome = Outcome::Accepted { build_id, attempt: Some(2), seen_later: false };
    insta::assert_snapshot!(read(&Reply::Retry { about: about.clone(), outcome, again: None, notice: None }), @"
    Retry accepted: nightly #128
    BK-CI runs the whole build. Asked for by <@42>.
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    Number: #128
    Attempt: 2
    Project: `demo`
    Pipeline: nightly
    ");
    let locked = Rejection { request_id: Some("4f6d".into()), ..rejection(2_101_047) };
    insta::assert_snapshot!(read(&Reply::Retry { about, outcome: Outcome::Rejected(locked), again: None, notice: None }), @"
    Not retried: refused
    The pipeline is locked. Ask its owner to unlock it. Nothing was started. Asked for: the whole build, by <@42>.
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    BK-CI code: 2101047 (HTTP 400)
    Request id: `4f6d`
    Project: `demo`
    Pipeline: nightly
    ");
    insta::assert_snapshot!(read(&Reply::NotMapped { user: UserId(42) }), @"
    You are not linked to a DevOps user yet
    Nothing was done. Ask an administrator to run: `/mapping set user:<@42> uid:<DevOps id>`
    ");
}
