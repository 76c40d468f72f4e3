//! Lists of projects, pipelines and builds (bkci-api 7.4, 10).
//!
//! An entry without a usable id cannot be chosen and is left out; the others are not lost for it.

use serde::Deserialize;
use serde_json::Value;

use super::origin::{MaterialWire, Origin};
use super::problem::{ErrorWire, error};
use super::scalar::{Scalar, lenient};
use super::{Fault, data};
use crate::bkci::lists::{PAGE, Part};
use crate::model::listed;

/// The list of projects, which has no page around it (bkci-api 10).
pub(in crate::bkci) fn projects(body: &[u8], paged: bool) -> Result<Part<listed::Project>, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ProjectWire {
        #[serde(default)]
        english_name: Scalar,
        #[serde(default)]
        project_code: Scalar,
        #[serde(default)]
        project_name: Scalar,
    }
    let wires: Vec<ProjectWire> = data(body)?;
    let more = paged && wires.len() >= PAGE as usize;
    let project = |wire: ProjectWire| {
        let id = wire.english_name.text().or(wire.project_code.text())?;
        let title = wire.project_name.text().unwrap_or_else(|| id.clone());
        Some(listed::Project { id: id.parse().ok()?, title })
    };
    Ok(Part { entries: wires.into_iter().filter_map(project).collect(), more, pages: None })
}

/// A page (bkci-api 7.4).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageWire<T> {
    #[serde(default)]
    page: Scalar,
    #[serde(default)]
    total_pages: Scalar,
    records: Option<Vec<T>>,
}

impl<T> PageWire<T> {
    fn part<E>(self, entry: impl Fn(T) -> Option<E>) -> Result<Part<E>, Fault> {
        let records = self.records.ok_or("BK-CI's list has no records")?;
        let pages = self.total_pages.count();
        let more = match (self.page.count(), pages) {
            (Some(page), Some(pages)) => page < pages,
            // Without them a full page is all there is to go by.
            (None, _) | (_, None) => records.len() >= PAGE as usize,
        };
        Ok(Part { entries: records.into_iter().filter_map(entry).collect(), more, pages })
    }
}

/// A page of pipelines (bkci-api 10).
pub(in crate::bkci) fn pipelines(body: &[u8]) -> Result<Part<listed::Pipeline>, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct PipelineWire {
        #[serde(default)]
        pipeline_id: Scalar,
        #[serde(default)]
        pipeline_name: Scalar,
        #[serde(default)]
        has_permission: Scalar,
    }
    data::<PageWire<PipelineWire>>(body)?.part(|wire| {
        let id = wire.pipeline_id.text()?;
        let name = wire.pipeline_name.text().unwrap_or_else(|| id.clone());
        Some(listed::Pipeline { id: id.parse().ok()?, name, readable: wire.has_permission.truth() })
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildWire {
    #[serde(default)]
    id: Scalar,
    #[serde(default)]
    build_num: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    start_time: Scalar,
    #[serde(default)]
    queue_time: Scalar,
    #[serde(default)]
    current_timestamp: Scalar,
    #[serde(default)]
    build_msg: Scalar,
    #[serde(default)]
    user_id: Scalar,
    #[serde(default)]
    execute_count: Scalar,
    #[serde(default)]
    end_time: Scalar,
    #[serde(default)]
    update_time: Scalar,
    #[serde(default, deserialize_with = "lenient")]
    material: Vec<MaterialWire>,
    webhook_info: Option<Value>,
    #[serde(default, deserialize_with = "lenient")]
    stage_status: Vec<StageWire>,
    #[serde(default, deserialize_with = "lenient")]
    error_info_list: Vec<ErrorWire>,
}

/// `BuildStageStatus` (bkci-api 7.1).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StageWire {
    #[serde(default)]
    stage_id: Scalar,
    #[serde(default)]
    name: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    elapsed: Scalar,
}

/// A page of a pipeline's builds (bkci-api 7.4).
pub(in crate::bkci) fn builds(body: &[u8]) -> Result<Part<listed::Build>, Fault> {
    data::<PageWire<BuildWire>>(body)?.part(build)
}

/// Builds that were asked for by id (bkci-api 7.5): no page around them.
pub(in crate::bkci) fn batch(body: &[u8]) -> Result<Vec<listed::Build>, Fault> {
    Ok(data::<Vec<BuildWire>>(body)?.into_iter().filter_map(build).collect())
}

fn build(wire: BuildWire) -> Option<listed::Build> {
    let origin = Origin::of(wire.material, wire.webhook_info);
    let build = listed::Build {
        id: wire.id.text()?.parse().ok()?,
        number: wire.build_num.count()?,
        status: wire.status.status()?,
        begun: wire.start_time.moment().or(wire.queue_time.moment()),
        ended: wire.end_time.moment(),
        updated: wire.update_time.moment(),
        read_at: wire.current_timestamp.moment(),
        branch: origin.branch,
        commit: origin.commit,
        message: wire.build_msg.text(),
        start_user: wire.user_id.text(),
        from_webhook: origin.from_webhook,
        execute_count: wire.execute_count.count(),
        stages: wire.stage_status.into_iter().map(stage).collect(),
        errors: wire.error_info_list.into_iter().map(error).collect(),
    };
    Some(build.without_stale_errors())
}

fn stage(wire: StageWire) -> listed::Stage {
    let id = wire.stage_id.text().unwrap_or_default();
    let name = wire.name.text().unwrap_or_else(|| id.clone());
    listed::Stage { id, name, status: wire.status.status(), took: wire.elapsed.duration() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::Timestamp;
    use crate::model::status::BuildStatus;

    const BUILD: &str = "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";
    const PIPELINE: &str = "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a";

    fn body(data: &Value) -> Vec<u8> {
        json!({"status": 0, "data": data}).to_string().into_bytes()
    }

    #[test]
    fn projects_are_known_by_their_english_names() {
        let hex = "0".repeat(32);
        let wire = json!([
            {"id": 1, "projectId": hex, "projectName": "游戏", "projectCode": "gamecore", "englishName": "gamecore"},
            {"projectId": hex, "projectCode": "only-code", "englishName": null},
            {"projectId": hex, "projectName": "no id"},
            {"projectId": hex, "englishName": "not/a name"},
        ]);
        let part = projects(&body(&wire), true).expect("readable");
        let seen: Vec<_> = part.entries.iter().map(|p| (p.id.as_str(), p.title.as_str())).collect();
        assert_eq!(seen, [("gamecore", "游戏"), ("only-code", "only-code")]);
        assert!(!part.more);
        let full = json!(vec![json!({"englishName": "a"}); PAGE as usize]);
        assert!(projects(&body(&full), true).expect("readable").more);
        assert!(!projects(&body(&full), false).expect("readable").more, "v3 answers all at once");
        assert!(projects(&body(&Value::Null), true).is_err());
    }

    #[test]
    fn pipelines_say_whether_the_person_may_look_at_them() {
        let wire = json!({"count": 3, "page": 1, "pageSize": 100, "totalPages": 2, "records": [
            {"projectId": "gamecore", "pipelineId": PIPELINE, "pipelineName": "nightly", "hasPermission": true, "lock": false},
            {"pipelineId": PIPELINE, "pipelineName": {"odd": 1}},
            {"pipelineId": "nightly", "pipelineName": "nightly"},
        ]});
        let part = pipelines(&body(&wire)).expect("readable");
        let seen: Vec<_> = part.entries.iter().map(|p| (p.id.as_str(), p.name.as_str(), p.readable)).collect();
        assert_eq!(seen, [(PIPELINE, "nightly", true), (PIPELINE, PIPELINE, false)]);
        assert!(part.more);
        assert!(pipelines(&body(&json!({"count": 0}))).is_err(), "a page without records is none");
    }

    #[test]
    fn builds_are_told_by_number_state_age_branch_and_message() {
        let wire = json!({"page": 2, "totalPages": 2, "records": [
            {"id": BUILD, "userId": "alice", "buildNum": 128, "status": "FAILED", "startTime": 1766400000000_i64,
             "queueTime": 1766399999000_i64, "currentTimestamp": 1766400400000_i64, "executeCount": 2,
             "buildMsg": "nightly", "buildParameters": [{"key": "secret", "value": "x"}],
             "material": [{"branchName": "side"}, {"branchName": "main", "newCommitComment": "\n fix \n\nbecause", "mainRepo": true}]},
            {"id": BUILD, "buildNum": "127", "status": "QUEUE", "startTime": 0, "queueTime": 1766399999000_i64,
             "webhookInfo": {"webhookBranch": "dev", "webhookMessage": "push"}},
            {"id": BUILD, "buildNum": 126, "status": "SOMETHING_NEW", "material": null},
            {"id": "128", "buildNum": 125, "status": "FAILED"},
            {"id": BUILD, "status": "FAILED"},
        ]});
        let part = builds(&body(&wire)).expect("readable");
        assert!(!part.more);
        let [first, second, third] = part.entries.as_slice() else { panic!("three: {:?}", part.entries) };
        assert_eq!((first.number, first.status, first.execute_count), (128, BuildStatus::Failed, Some(2)));
        assert_eq!((first.branch.as_deref(), first.message.as_deref()), (Some("main"), Some("nightly")));
        assert_eq!((first.commit.as_deref(), first.from_webhook), (Some("fix"), false));
        assert_eq!(first.begun, Some(Timestamp(1_766_400_000_000)));
        assert_eq!((first.read_at, first.start_user.as_deref()), (Some(Timestamp(1_766_400_400_000)), Some("alice")));
        assert_eq!((second.number, second.begun), (127, Some(Timestamp(1_766_399_999_000))));
        assert_eq!((second.branch.as_deref(), second.message.as_deref()), (Some("dev"), None));
        assert_eq!((second.commit.as_deref(), second.from_webhook), (Some("push"), true));
        assert_eq!((third.status, third.begun, &third.branch), (BuildStatus::Unknown, None, &None));
    }

    /// A build with the fields of bkci-api 7.1 that following looks at.
    fn followed(change: impl Fn(&mut Value)) -> listed::Build {
        let mut wire = json!({
            "id": BUILD, "buildNum": 128, "status": "FAILED", "startTime": 1766400000000_i64, "executeCount": 2,
            "endTime": 1766400312000_i64, "updateTime": 1766400312500_i64, "stageStatus": [
                {"stageId": "stage-1", "name": "stage-1", "status": "SUCCEED", "startEpoch": 1, "elapsed": 1000},
                {"stageId": "stage-2", "name": "Build", "status": "FAILED", "elapsed": "311000", "showMsg": "Build"},
                {"stageId": "stage-3"}],
            "errorInfoList": [{"stageId": "stage-2", "containerId": "1", "matrixFlag": false, "taskId": "e-1",
                "taskName": "Unit tests", "errorType": 1, "errorCode": 2199011, "errorMsg": "script exited with 1"}]});
        change(&mut wire);
        batch(&body(&json!([wire]))).expect("readable").remove(0)
    }

    #[test]
    fn what_following_needs_is_read() {
        let build = followed(|_| ());
        assert_eq!(build.ended, Some(Timestamp(1_766_400_312_000)));
        assert_eq!((build.updated, build.is_finished()), (Some(Timestamp(1_766_400_312_500)), true));
        let stages: Vec<_> = build.stages.iter().map(|s| (s.id.as_str(), s.name.as_str(), s.status, s.took)).collect();
        let seconds = |seconds| Some(std::time::Duration::from_secs(seconds));
        assert_eq!(
            stages,
            [
                ("stage-1", "stage-1", Some(BuildStatus::Succeed), seconds(1)),
                ("stage-2", "Build", Some(BuildStatus::Failed), seconds(311)),
                ("stage-3", "stage-3", None, None),
            ]
        );
        let [error] = build.errors.as_slice() else { panic!("one: {:?}", build.errors) };
        assert_eq!((error.stage.as_str(), error.job.as_str(), error.task.as_deref()), ("stage-2", "1", Some("e-1")));
        assert_eq!((error.problem.code, error.problem.message.as_str()), (2_199_011, "script exited with 1"));
    }

    #[test]
    fn errors_of_the_attempt_before_are_forgotten_and_a_gate_is_no_end() {
        // State, end time, errors kept, ended (bkci-api 5.1, 5.2).
        let table = [
            ("FAILED", true, true, true),
            ("SUCCEED", true, true, true),
            ("CANCELED", true, true, true),
            ("QUEUE", false, false, false),
            ("QUEUE_CACHE", false, false, false),
            ("QUEUE", true, false, false),
            ("RUNNING", false, true, false),
            ("PAUSE", false, true, false),
            ("STAGE_SUCCESS", false, false, false),
            ("STAGE_SUCCESS", true, true, true),
            ("DEPENDENT_WAITING", false, false, false),
            ("SOMETHING_NEW", false, false, false),
            ("UNKNOWN", true, false, false),
        ];
        for (status, ended, kept, finished) in table {
            let build = followed(|wire| {
                wire["status"] = json!(status);
                wire["endTime"] = if ended { json!(1766400312000_i64) } else { Value::Null };
            });
            assert_eq!((!build.errors.is_empty(), build.is_finished()), (kept, finished), "{status}, ended: {ended}");
        }
        let never = followed(|wire| {
            wire["status"] = json!("STAGE_SUCCESS");
            wire["endTime"] = json!(0);
        });
        assert!(!never.is_finished(), "an end at 0 is none");
    }

    #[test]
    fn what_is_of_another_shape_loses_no_build() {
        let odd = [json!("x"), json!(7), json!({"a": [1]}), json!([1]), json!([[{}]]), json!(true), Value::Null];
        for value in odd {
            let fields =
                ["material", "webhookInfo", "stageStatus", "errorInfoList", "updateTime", "endTime", "buildMsg"];
            for field in fields {
                let build = followed(|wire| wire[field] = value.clone());
                assert_eq!((build.number, build.branch, build.commit), (128, None, None), "{field}: {value}");
            }
        }
    }

    #[test]
    fn a_batch_is_a_list_and_nothing_else() {
        assert_eq!(batch(&body(&json!([]))), Ok(Vec::new()));
        let partly = batch(&body(&json!([{"id": "x"}, {}, {"id": BUILD, "buildNum": 1, "status": "RUNNING"}])));
        assert_eq!(partly.expect("readable").len(), 1, "one that cannot be told apart is left out");
        for odd in [json!({"records": []}), Value::Null, json!("x"), json!([1])] {
            assert!(batch(&body(&odd)).is_err(), "{odd}");
        }
    }
}
