//! Lists of projects, pipelines and builds (bkci-api 7.4, 10).
//!
//! An entry without a usable id cannot be chosen and is left out; the others are not lost for it.

use serde::Deserialize;

use super::scalar::{Scalar, list};
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
    #[serde(default, deserialize_with = "list")]
    material: Vec<MaterialWire>,
    webhook_info: Option<WebhookWire>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MaterialWire {
    #[serde(default)]
    branch_name: Scalar,
    #[serde(default)]
    new_commit_comment: Scalar,
    #[serde(default)]
    main_repo: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WebhookWire {
    #[serde(default)]
    webhook_branch: Scalar,
    #[serde(default)]
    webhook_message: Scalar,
}

/// A page of a pipeline's builds (bkci-api 7.4).
pub(in crate::bkci) fn builds(body: &[u8]) -> Result<Part<listed::Build>, Fault> {
    data::<PageWire<BuildWire>>(body)?.part(build)
}

fn build(mut wire: BuildWire) -> Option<listed::Build> {
    // The main repository is what people mean by a build's branch.
    wire.material.sort_by_key(|material| !material.main_repo.truth());
    let material = wire.material.into_iter().next().unwrap_or_default();
    let webhook = wire.webhook_info.unwrap_or_default();
    let message = [wire.build_msg, material.new_commit_comment, webhook.webhook_message];
    let branch = [material.branch_name, webhook.webhook_branch];
    Some(listed::Build {
        id: wire.id.text()?.parse().ok()?,
        number: wire.build_num.count()?,
        status: wire.status.status()?,
        begun: wire.start_time.moment().or(wire.queue_time.moment()),
        read_at: wire.current_timestamp.moment(),
        branch: branch.into_iter().find_map(Scalar::text),
        message: message.into_iter().find_map(Scalar::text),
        start_user: wire.user_id.text(),
        execute_count: wire.execute_count.count(),
    })
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
             "material": [{"branchName": "side"}, {"branchName": "main", "newCommitComment": "fix", "mainRepo": true}]},
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
        assert_eq!(first.begun, Some(Timestamp(1_766_400_000_000)));
        assert_eq!((first.read_at, first.start_user.as_deref()), (Some(Timestamp(1_766_400_400_000)), Some("alice")));
        assert_eq!((second.number, second.begun), (127, Some(Timestamp(1_766_399_999_000))));
        assert_eq!((second.branch.as_deref(), second.message.as_deref()), (Some("dev"), Some("push")));
        assert_eq!((third.status, third.begun, &third.branch), (BuildStatus::Unknown, None, &None));
    }
}
