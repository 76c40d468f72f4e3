use super::*;
use crate::model::ids::BuildId;
use crate::model::scope::{JobScope, TaskScope};

fn build() -> BuildRef {
    BuildRef {
        project: "gamecore".parse().expect("a project"),
        pipeline: "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a".parse().expect("a pipeline"),
        build: "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e".parse().expect("a build"),
    }
}

fn addresses(base: &str) -> Addresses {
    Addresses::new(base, Family::V3).expect("a good address")
}

const FAMILIES: [Family; 3] = [Family::V3, Family::V4, Family::V4Backend];

fn task(id: &str) -> TaskScope {
    TaskScope { id: id.into(), name: "Unit tests".into(), job: "linux".into(), stage: "Build".into() }
}

const BUILD: &str = "https://bkapi.example.com/api/devops/prod/apigw-app/v3/projects/gamecore/pipelines/p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a/builds/b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";

#[test]
fn the_seed_s_address_is_built_behind_the_base() {
    for base in ["https://bkapi.example.com/api/devops/prod", " https://bkapi.example.com/api/devops/prod/ "] {
        let addresses = addresses(base);
        let build = build();
        let of = |endpoint: Endpoint<'_>| String::from(addresses.of(endpoint, &[]));
        assert_eq!(of(Endpoint::Detail(&build)), format!("{BUILD}/detail"));
        assert_eq!(of(Endpoint::Retry(&build, &Scope::WholeBuild)), format!("{BUILD}/retry"));
        let project = "https://bkapi.example.com/api/devops/prod/apigw-app/v3/projects/gamecore";
        assert_eq!(of(Endpoint::Project(&build.project)), project);
    }
    let bare = addresses("http://127.0.0.1:8080").of(Endpoint::Detail(&build()), &[]);
    assert!(bare.as_str().starts_with("http://127.0.0.1:8080/apigw-app/v3/projects/gamecore/"), "{bare}");
}

/// bkci-api 1, 6.1, 7.2 and 10, row by row.
#[test]
fn each_family_has_its_own_address_for_each_call() {
    let (build, whole) = (build(), Scope::WholeBuild);
    let skip = Scope::SkipTask(task("e-1"));
    let of_build = "pipelineId=p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a&buildId=b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";
    let token = SecretString::from("t&k n");
    let hook = Hook { project: &build.project, url: "https://bot/bkci/callback?a=b", token: &token };
    let told = "url=https%3A%2F%2Fbot%2Fbkci%2Fcallback%3Fa%3Db&region=IDC&event=BUILD_START%2CBUILD_END&secretToken=t%26k%20n";
    let pipeline = &build.pipeline;
    let of_log = "start=0&end=4321&num=20&fromStart=false&tag=e-1%20%26&executeCount=3";
    let in_path = "pipelines/p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a/builds/b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";
    let nowhere = "p-00000000000000000000000000000000";
    let none = "b-00000000000000000000000000000000";
    let project = Endpoint::Project(&build.project);
    let excerpt = |number| Excerpt { number, page: 2, size: 50, by_update: false };
    let builds = |number| {
        let (project, pipeline) = (&build.project, &build.pipeline);
        Endpoint::Builds { project, pipeline, excerpt: excerpt(number) }
    };
    let by_update = Endpoint::Builds {
        project: &build.project,
        pipeline: &build.pipeline,
        excerpt: Excerpt { by_update: true, ..Excerpt::default() },
    };
    let ids: Vec<BuildId> = vec![build.build.clone()];
    let batch = Endpoint::Batch { project: &build.project, pipeline: &build.pipeline, builds: &ids };
    let of_pipeline = "pipelineId=p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a";
    let history = "apigw-app/v3/projects/gamecore/pipelines/p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a/builds/history";
    let pipelines = |named| Endpoint::Pipelines { project: &build.project, named, page: 3 };
    let table = [
        (
            Endpoint::Projects { page: 2 },
            "/apigw-app/v3/projects/".to_owned(),
            "/v4/apigw-app/projects/project_list?page=2&pageSize=100".to_owned(),
            "/apigw-app/v4/projects/project/project_list?page=2&pageSize=100".to_owned(),
        ),
        (
            pipelines(None),
            "/apigw-app/v3/projects/gamecore/pipelines?page=3&pageSize=100".to_owned(),
            "/v4/apigw-app/projects/gamecore/pipelines/pipeline_list?page=3&pageSize=100".to_owned(),
            "/apigw-app/v4/projects/gamecore/pipelines/pipeline_list?page=3&pageSize=100".to_owned(),
        ),
        (
            pipelines(Some("a&b c")),
            "/apigw-app/v3/projects/gamecore/pipelines?page=3&pageSize=100".to_owned(),
            "/v4/apigw-app/projects/gamecore/pipelines/pipeline_list?page=3&pageSize=100&filterByPipelineName=a%26b%20c".to_owned(),
            "/apigw-app/v4/projects/gamecore/pipelines/pipeline_list?page=3&pageSize=100&filterByPipelineName=a%26b%20c".to_owned(),
        ),
        (
            builds(None),
            format!("/{history}?page=2&pageSize=50"),
            format!("/v4/apigw-app/projects/gamecore/build_histories?{of_pipeline}&page=2&pageSize=50"),
            format!("/apigw-app/v4/projects/gamecore/build_histories?{of_pipeline}&page=2&pageSize=50"),
        ),
        (
            builds(Some(128)),
            format!("/{history}?page=2&pageSize=50"),
            format!("/v4/apigw-app/projects/gamecore/build_histories?{of_pipeline}&page=2&pageSize=50&buildNoStart=128&buildNoEnd=128"),
            format!("/apigw-app/v4/projects/gamecore/build_histories?{of_pipeline}&page=2&pageSize=50&buildNoStart=128&buildNoEnd=128"),
        ),
        (
            by_update,
            format!("/{history}?page=1&pageSize=100&updateTimeDesc=true"),
            format!("/v4/apigw-app/projects/gamecore/build_histories?{of_pipeline}&page=1&pageSize=100&updateTimeDesc=true"),
            format!("/apigw-app/v4/projects/gamecore/build_histories?{of_pipeline}&page=1&pageSize=100&updateTimeDesc=true"),
        ),
        (
            batch,
            format!("/apigw-app/v4/projects/gamecore/batch_get_build_status?{of_pipeline}"),
            format!("/v4/apigw-app/projects/gamecore/batch_get_build_status?{of_pipeline}"),
            format!("/apigw-app/v4/projects/gamecore/batch_get_build_status?{of_pipeline}"),
        ),
        (
            Endpoint::Stop(&build),
            format!("/apigw-app/v3/projects/gamecore/{in_path}/stop"),
            format!("/v4/apigw-app/projects/gamecore/build_stop?{of_build}"),
            format!("/apigw-app/v4/projects/gamecore/build_stop?{of_build}"),
        ),
        (
            Endpoint::HookProject(hook),
            format!("/apigw-app/v3/projects/gamecore/callbacks/batch?{told}"),
            format!("/v4/apigw-app/projects/gamecore/callbacks/batch?{told}"),
            format!("/apigw-app/v4/projects/gamecore/callbacks/batch?{told}"),
        ),
        (
            Endpoint::Hooks { project: &build.project, page: 2 },
            "/apigw-app/v3/projects/gamecore/callbacks/?page=2&pageSize=100".to_owned(),
            "/v4/apigw-app/projects/gamecore/callbacks/callback_list?page=2&pageSize=100".to_owned(),
            "/apigw-app/v4/projects/gamecore/callbacks/callback_list?page=2&pageSize=100".to_owned(),
        ),
        (
            Endpoint::UnhookProject { project: &build.project, id: 7 },
            "/apigw-app/v3/projects/gamecore/callbacks/7".to_owned(),
            "/v4/apigw-app/projects/gamecore/callbacks/callback?id=7".to_owned(),
            "/apigw-app/v4/projects/gamecore/callbacks/callback?id=7".to_owned(),
        ),
        (
            Endpoint::HookPipeline(pipeline, hook),
            format!("/apigw-app/v4/projects/gamecore/callbacks/pipelines/{pipeline}"),
            format!("/v4/apigw-app/projects/gamecore/callbacks/pipelines/{pipeline}"),
            format!("/apigw-app/v4/projects/gamecore/callbacks/pipelines/{pipeline}"),
        ),
        (
            Endpoint::UnhookPipeline { project: &build.project, pipeline: &build.pipeline, name: "a b" },
            format!("/apigw-app/v4/projects/gamecore/callbacks/pipelines/{pipeline}?callbackName=a%20b"),
            format!("/v4/apigw-app/projects/gamecore/callbacks/pipelines/{pipeline}?callbackName=a%20b"),
            format!("/apigw-app/v4/projects/gamecore/callbacks/pipelines/{pipeline}?callbackName=a%20b"),
        ),
        (
            Endpoint::LastLine(&build),
            format!("/apigw-app/v3/projects/gamecore/{in_path}/logs/last_line_num"),
            format!("/v4/apigw-app/projects/gamecore/logs/last_line_num?{of_build}"),
            format!("/apigw-app/v4/projects/gamecore/logs/last_line_num?{of_build}"),
        ),
        (
            Endpoint::Log(TaskLog { build: &build, task: "e-1 &", attempt: 3 }, Tail { end: 4321, lines: 20 }),
            format!("/apigw-app/v3/projects/gamecore/{in_path}/logs/more?{of_log}"),
            format!("/v4/apigw-app/projects/gamecore/logs/more_logs?{of_build}&{of_log}"),
            format!("/apigw-app/v4/projects/gamecore/logs/more_logs?{of_build}&{of_log}"),
        ),
        (
            Endpoint::Retry(&build, &whole),
            format!("/apigw-app/v3/projects/gamecore/{in_path}/retry"),
            format!("/v4/apigw-app/projects/gamecore/build_retry?{of_build}"),
            format!("/apigw-app/v4/projects/gamecore/build_retry?{of_build}"),
        ),
        (
            Endpoint::Retry(&build, &skip),
            format!("/apigw-app/v3/projects/gamecore/{in_path}/retry?taskId=e-1&skip=true"),
            format!("/v4/apigw-app/projects/gamecore/build_retry?{of_build}&taskId=e-1&skip=true"),
            format!("/apigw-app/v4/projects/gamecore/build_retry?{of_build}&taskId=e-1&skip=true"),
        ),
        (
            Endpoint::Detail(&build),
            format!("/apigw-app/v3/projects/gamecore/{in_path}/detail"),
            format!("/v4/apigw-app/projects/gamecore/build_detail?{of_build}"),
            format!("/apigw-app/v4/projects/gamecore/build_detail?{of_build}"),
        ),
        (
            project,
            "/apigw-app/v3/projects/gamecore".to_owned(),
            "/v4/apigw-app/projects/gamecore".to_owned(),
            "/apigw-app/v4/projects/project/gamecore".to_owned(),
        ),
        (
            Endpoint::Probe,
            format!("/apigw-app/v3/projects/reprise-check/pipelines/{nowhere}/builds/{none}/detail"),
            format!("/v4/apigw-app/projects/reprise-check/build_detail?pipelineId={nowhere}&buildId={none}"),
            format!("/apigw-app/v4/projects/reprise-check/build_detail?pipelineId={nowhere}&buildId={none}"),
        ),
    ];
    for (endpoint, v3, v4, v4_backend) in table {
        let bases = ["https://h/api/devops/prod", "https://h/api/devops/prod/", "https://h/openapi/api"];
        for ((family, base), expected) in FAMILIES.into_iter().zip(bases).zip([v3, v4, v4_backend]) {
            let addresses = Addresses::new(base, family).expect("a good address");
            let base = base.trim_end_matches('/');
            assert_eq!(addresses.of(endpoint, &[]).as_str(), format!("{base}{expected}"), "{family:?}");
        }
    }
}

#[test]
fn skip_and_failed_container_never_go_without_what_they_belong_to() {
    let stage = || ("stage-2".to_owned(), "Build".to_owned());
    let (id, name) = stage();
    let job = || JobScope { id: "2".into(), name: "linux".into(), stage: "Build".into() };
    let (jobs, others) = (vec!["linux".into()], Vec::new());
    let failed_jobs = Scope::FailedJobs { id: stage().0, name: stage().1, jobs, others };
    let failed_children = Scope::FailedChildren { matrix: job(), children: vec!["linux (a)".into()] };
    let cases = [
        (Scope::WholeBuild, None),
        (Scope::Stage { id, name }, Some("taskId=stage-2")),
        (
            Scope::SkipInStage { id: stage().0, name: stage().1, tasks: vec!["Unit tests".into()] },
            Some("taskId=stage-2&skip=true"),
        ),
        (failed_jobs, Some("taskId=stage-2&failedContainer=true")),
        (Scope::Job(job()), Some("taskId=2")),
        (Scope::Matrix(job()), Some("taskId=2")),
        (Scope::Child(job()), Some("taskId=2")),
        (failed_children, Some("taskId=2&failedContainer=true")),
        (Scope::Task(task("e-1")), Some("taskId=e-1")),
        (Scope::SkipTask(task("e-1")), Some("taskId=e-1&skip=true")),
    ];
    for (scope, query) in cases {
        let url = addresses("https://h").of(Endpoint::Retry(&build(), &scope), &[]);
        assert_eq!(url.query(), query, "{scope:?}");
    }
}

#[test]
fn a_hostile_value_stays_one_value() {
    for hostile in ["e-1&skip=true", "a b+c", "#x", "../../x", "%2e%2e", "ü=?;", "a\r\nX: y"] {
        let scope = Scope::Task(task(hostile));
        for (family, named) in FAMILIES.into_iter().zip([0, 2, 2]) {
            let addresses = Addresses::new("https://h", family).expect("a good address");
            let url = addresses.of(Endpoint::Retry(&build(), &scope), &[("app_code", "a&b")]);
            let pairs: Vec<_> =
                url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
            let expected = [("taskId".to_owned(), hostile.to_owned()), ("app_code".to_owned(), "a&b".to_owned())];
            assert_eq!(pairs[named..], expected, "{url}");
            assert!(url.path().ends_with("retry") && url.fragment().is_none(), "{url}");
        }
    }
}

#[test]
fn a_hostile_segment_stays_one_segment() {
    for hostile in [".", "..", "../..", "a/b", "a\\b", "%2e%2e", "%2F", "?x", "#x", "a;b", "", "a b", "项目", "\n"] {
        let mut url = Url::parse("https://h/base").expect("an address");
        url.set_path(&format!("/base{}", path(&["projects", hostile, "end"])));
        let segments: Vec<_> = url.path_segments().expect("segments").collect();
        assert_eq!(segments.len(), 4, "{hostile:?} became {url}");
        assert_eq!((segments[0], segments[1], segments[3]), ("base", "projects", "end"), "{url}");
        assert!(url.query().is_none() && url.fragment().is_none(), "{url}");
    }
}

#[test]
fn an_address_that_cannot_be_right_is_refused_without_repeating_it() {
    for bad in ["", "bkapi.example.com/api", "ftp://h", "https://me:s3cret@h/", "https://h/?a=s3cret", "https://h/#x"] {
        let fault = format!("{:#}", Addresses::new(bad, Family::V3).err().expect(bad));
        assert!(fault.starts_with("bkci.base_url: expected"), "{fault}");
        assert!(!fault.contains("s3cret"), "{fault}");
    }
}

#[test]
fn a_build_s_page_is_under_the_web_address() {
    let page = |web: &str, attempt| build_page(&web_address(web).expect("a good address"), &build(), attempt);
    let expected = "https://devops.example.com/console/pipeline/gamecore/p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a/detail/b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";
    for web in ["https://devops.example.com", "https://devops.example.com/", "devops.example.com"] {
        assert_eq!(page(web, None), expected);
        assert_eq!(page(web, Some(2)), format!("{expected}/executeDetail/2"));
    }
    assert!(web_address("https://").is_err() && web_address("a b").is_err());
}

#[test]
fn credentials_go_one_way_only() {
    let application = |credentials| {
        Application::new("chat\"ops".into(), "p&ss \"wörd".into(), credentials).map_err(|fault| format!("{fault:#}"))
    };
    let query = application(Credentials::Query).expect("good");
    assert_eq!(query.parameters(), [("app_code", "chat\"ops"), ("app_secret", "p&ss \"wörd")]);
    assert!(query.authorization().is_none());
    let fault = application(Credentials::Header).err().expect("not ASCII");
    assert_eq!(fault, "bkci.app_secret: expected plain ASCII");

    let header = Application::new("chatops".into(), "s3\"cret".into(), Credentials::Header).expect("good");
    assert!(header.parameters().is_empty());
    let value = header.authorization().expect("a header");
    assert!(value.is_sensitive());
    assert_eq!(value.to_str().ok(), Some(r#"{"bk_app_code":"chatops","bk_app_secret":"s3\"cret"}"#));
}

#[test]
fn a_secret_that_comes_back_is_removed_in_each_of_its_forms() {
    let application = Application::new("chatops".into(), "p\"&ss".into(), Credentials::Query).expect("good");
    let cases = [r#"a p"&ss b"#, "a p%22%26ss b", r#"a p\"&ss b"#];
    for text in cases {
        assert_eq!(application.scrub(text), "a [REDACTED] b", "{text}");
    }
}
