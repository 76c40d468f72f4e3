//! What reading a build answers, with null fields left out as the service leaves them out (bkci-api.md 3.1 and 7).

use serde_json::{Map, Value, json};

use super::build::{Build, ErrorInfo, Gate, Stage, Verdict};
use super::build_plan::{Commit, REPOSITORY, Trigger};
use super::errors::{Failure, Language};
use super::job::{Job, JobKind, Task};
use super::plan::{Options, RunCondition};
use super::status::Status;
use super::world::{Pipeline, Right, World};

/// `canRetry` and `canSkip` are no longer computed after the retry window (bkci-api.md 6.3, last paragraph; 7.2).
const WINDOW_DAYS: u64 = 28;

/// An object without its null fields.
pub(super) fn object(fields: Value) -> Value {
    match fields {
        Value::Object(map) => Value::Object(map.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        other => other,
    }
}

fn empty_is_none(list: Vec<Value>) -> Option<Vec<Value>> {
    (!list.is_empty()).then_some(list)
}

impl World {
    /// bkci-api.md 7.2. The pairing of build and pipeline is checked here: 404/2101163.
    pub(super) fn detail(&mut self, uid: &str, project: &str, pipeline: &str, id: &str, now: i64) -> Reading {
        self.step(now);
        self.require(uid, pipeline, Right::View)?;
        let unknown = || Failure::code(2101163, &[id]);
        let build = self.build_in(project, id).filter(|build| build.pipeline == pipeline).ok_or_else(unknown)?;
        let pipeline = self.pipeline(project, pipeline).ok_or_else(|| Failure::code(2101038, &[]))?;
        let latest = self.builds.of(&build.pipeline).map(|other| other.number);
        let record = build.records.last();
        let detail = json!({
            "id": build.id, "pipelineId": build.pipeline, "pipelineName": pipeline.name, "userId": build.starter,
            "triggerUser": build.starter, "trigger": trigger_text(build, self.language_of(Some(uid))),
            "queueTime": build.queue_ms, "startTime": build.start_ms, "endTime": build.end_ms,
            "queueTimeCost": record.and_then(|record| Some(record.start_ms? - record.queue_ms)),
            "status": build.said(), "model": self.model(build, pipeline, now), "currentTimestamp": now,
            "buildNum": build.number, "cancelUserId": build.cancelled_by, "curVersion": build.version,
            "curVersionName": format!("V{}", build.version), "latestVersion": pipeline.version,
            "latestBuildNum": latest.max(), "lastModifyUser": pipeline.creator, "executeTime": execute_time(build),
            "errorInfoList": record.and_then(|record| errors(&record.errors)), "stageStatus": stage_status(build),
            "executeCount": build.execute_count,
            "startUserList": build.records.iter().rev().map(|record| &record.start_user).collect::<Vec<_>>(),
            "recordList": records(build), "buildMsg": build.message, "material": material(build),
            "remark": build.remark, "webhookInfo": webhook_info(build), "debug": false,
            "versionChange": (build.version != pipeline.version).then_some(true),
            "cancelBuildPerm": self.may_stop(uid, build),
        });
        Ok(object(detail))
    }

    /// bkci-api.md 7.1. In v3 the permission is checked on the pipeline of the path and the data comes from the
    /// build of the path, whichever pipeline that is of.
    pub(super) fn status(&mut self, uid: &str, project: &str, pipeline: &str, id: &str, now: i64) -> Reading {
        self.step(now);
        self.require(uid, pipeline, Right::View)?;
        let build = self.build_in(project, id).ok_or_else(|| Failure::code(2101163, &[id]))?;
        let mut status = history_of(build, self.language_of(Some(uid)), now);
        let waiting = |other: &&Build| other.status == Status::Queue && other.number <= build.number;
        let position =
            if build.status == Status::Queue { self.builds.of(&build.pipeline).filter(waiting).count() } else { 0 };
        status.insert("currentQueuePosition".into(), json!(position));
        status.insert("variables".into(), variables(build));
        Ok(Value::Object(status))
    }

    fn model(&self, build: &Build, pipeline: &Pipeline, now: i64) -> Value {
        let expired = build.start_ms.is_some_and(|start| now - start > World::days(WINDOW_DAYS));
        let buttons = !expired && !build.runs_finally();
        json!({
            "name": pipeline.name, "desc": "", "labels": [], "instanceFromTemplate": false,
            "pipelineCreator": pipeline.creator, "latestVersion": pipeline.version,
            "stages": build.stages.iter().map(|stage| stage_json(stage, buttons)).collect::<Vec<_>>(),
        })
    }
}

/// What a read answers.
pub(super) type Reading = Result<Value, Failure>;

fn execute_time(build: &Build) -> i64 {
    let run = |task: &Task| Some(task.end_ms? - task.start_ms?);
    build
        .stages
        .iter()
        .flat_map(|stage| &stage.jobs)
        .flat_map(Job::parts)
        .flat_map(|job| &job.tasks)
        .filter_map(run)
        .sum()
}

/// BuildHistory without the fields that only one of status and history has (bkci-api.md 7.1, 7.4).
pub(super) fn history_of(build: &Build, language: Language, now: i64) -> Map<String, Value> {
    let parameters: Vec<Value> =
        build.parameters.iter().map(|(key, value)| json!({"key": key, "value": value, "readOnly": false})).collect();
    let fields = json!({
        "id": build.id, "userId": build.starter, "trigger": trigger_text(build, language),
        "startType": start_type(build), "buildNum": build.number, "pipelineVersion": build.version,
        "startTime": build.start_ms.unwrap_or_default(), "endTime": build.end_ms, "status": build.said(),
        "stageStatus": stage_status(build), "currentTimestamp": now, "isMobileStart": false,
        "material": material(build), "queueTime": build.queue_ms, "remark": build.remark,
        "totalTime": build.end_ms.and_then(|end| Some(end - build.start_ms?)), "executeTime": execute_time(build),
        "buildParameters": parameters, "webhookInfo": webhook_info(build), "retry": build.execute_count > 1,
        "errorInfoList": errors(&build.errors), "buildMsg": build.message,
    });
    match object(fields) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Start parameters, what tasks set, and the service's own; BK_CI_RETRY_COUNT is absent on the first run (6.5).
fn variables(build: &Build) -> Value {
    let mut all = build.parameters.clone();
    all.extend(build.set_by_tasks.clone());
    all.insert("BK_CI_BUILD_NUM".into(), build.number.to_string());
    all.insert("BK_CI_BUILD_ID".into(), build.id.clone());
    all.insert("BK_CI_PIPELINE_ID".into(), build.pipeline.clone());
    all.insert("BK_CI_PROJECT_NAME".into(), build.project.clone());
    if let Some(record) = build.records.last() {
        all.insert("BK_CI_START_USER_ID".into(), record.start_user.clone());
    }
    if build.execute_count > 1 {
        all.insert("BK_CI_RETRY_COUNT".into(), (build.execute_count - 1).to_string());
    }
    json!(all)
}

/// Latest execution first (bkci-api.md 7.2).
fn records(build: &Build) -> Vec<Value> {
    let entry = |record: &super::build::Record| {
        let cost = record.end_ms.map(|end| {
            let start = record.start_ms.unwrap_or(end);
            cost(start - record.queue_ms, end - start)
        });
        object(json!({"startUser": record.start_user, "timeCost": cost}))
    };
    build.records.iter().rev().map(entry).collect()
}

fn cost(queue_ms: i64, execute_ms: i64) -> Value {
    json!({
        "systemCost": 0, "executeCost": execute_ms, "waitCost": 0, "queueCost": queue_ms,
        "totalCost": queue_ms + execute_ms,
    })
}

/// Localized, for people only (bkci-api.md 7.1). The reference gives the Chinese and English words for a start by
/// hand and the English one for the API; the others are this double's.
pub(super) fn trigger_text(build: &Build, language: Language) -> &'static str {
    let words = match build.trigger {
        Trigger::Manual => ["手动", "manual", "手動"],
        Trigger::Api => ["OpenAPI启动", "Openapi start", "OpenAPI起動"],
        Trigger::Timer => ["定时", "timer", "スケジュール"],
        Trigger::Webhook(_) => ["代码变更", "webhook", "コード変更"],
    };
    match language {
        Language::Chinese => words[0],
        Language::English => words[1],
        Language::Japanese => words[2],
    }
}

fn start_type(build: &Build) -> &'static str {
    match build.trigger {
        Trigger::Manual => "manualTrigger",
        Trigger::Api => "remoteTrigger",
        Trigger::Timer => "timerTrigger",
        Trigger::Webhook(_) => "codeGitWebHookTrigger",
    }
}

fn material(build: &Build) -> Option<Value> {
    let (url, branch, commit, message) = match (&build.commit, &build.trigger) {
        (Some(Commit { branch, commit, message }), _) => (REPOSITORY, branch, commit, message),
        (None, Trigger::Webhook(webhook)) => {
            (webhook.repository.as_str(), &webhook.branch, &webhook.commit, &webhook.message)
        }
        (None, Trigger::Manual | Trigger::Api | Trigger::Timer) => return None,
    };
    Some(json!([{
        "scmType": "CODE_GIT", "aliasName": "demo/app", "url": url, "branchName": branch, "newCommitId": commit,
        "newCommitComment": message, "commitTimes": 1, "mainRepo": true,
    }]))
}

fn webhook_info(build: &Build) -> Option<Value> {
    let Trigger::Webhook(webhook) = &build.trigger else { return None };
    Some(json!({
        "codeType": "GIT", "nameWithNamespace": "demo/app", "webhookRepoUrl": webhook.repository,
        "webhookBranch": webhook.branch, "webhookAliasName": "demo/app", "webhookType": "GIT",
        "webhookEventType": "PUSH", "webhookMessage": webhook.message, "webhookCommitId": webhook.commit,
    }))
}

/// `None` when empty: the field is left out. Here `errorType` is the number (bkci-api.md 5.2).
fn errors(list: &[ErrorInfo]) -> Option<Vec<Value>> {
    let entry = |error: &ErrorInfo| {
        json!({
            "stageId": error.stage_id, "containerId": error.container_id, "matrixFlag": error.matrix,
            "taskId": error.task_id, "taskName": error.task_name, "atomCode": error.atom_code,
            "errorType": error.error_type.number(), "errorCode": error.code, "errorMsg": error.message,
        })
    };
    empty_is_none(list.iter().map(entry).collect())
}

fn stage_status(build: &Build) -> Vec<Value> {
    let entry = |stage: &Stage| {
        object(json!({
            "stageId": stage.id, "name": stage.name, "status": stage.status.map(Status::as_str),
            "startEpoch": stage.start_ms, "elapsed": elapsed(stage.start_ms, stage.end_ms),
            "showMsg": stage.is_failed_or_cancelled().then_some(&stage.name),
        }))
    };
    build.stages.iter().map(entry).collect()
}

fn elapsed(start_ms: Option<i64>, end_ms: Option<i64>) -> Option<i64> {
    Some(end_ms? - start_ms?)
}

/// `buttons`: whether canRetry and canSkip are computed at all (bkci-api.md 7.2, last part).
fn stage_json(stage: &Stage, buttons: bool) -> Value {
    let jobs: Vec<Value> = stage.jobs.iter().map(|job| job_json(job, &job.tasks, buttons)).collect();
    object(json!({
        "id": stage.id, "name": stage.name, "stageIdForUser": stage.id, "status": stage.status.map(Status::as_str),
        "startEpoch": stage.start_ms, "elapsed": elapsed(stage.start_ms, stage.end_ms), "containers": jobs,
        "fastKill": stage.fast_kill, "finally": stage.finally,
        "canRetry": buttons.then(|| stage.is_failed_or_cancelled() && !stage.finally),
        "stageControlOption": {
            "enable": stage.enabled,
            "runCondition": stage.condition.map_or("AFTER_LAST_FINISHED", |_| "CUSTOM_VARIABLE_MATCH"),
        },
        "checkIn": stage.gate.as_ref().map(check_in), "executeCount": stage.execute_count,
    }))
}

fn check_in(gate: &Gate) -> Value {
    let (status, group, who) = match &gate.verdict {
        Verdict::NotReached => (None, None, None),
        Verdict::Awaited => (Some("REVIEWING"), None, None),
        Verdict::Approved { by, at_ms } => (Some("REVIEW_PROCESSED"), Some("PROCESS"), Some((by, at_ms))),
        Verdict::Rejected { by, at_ms } => (Some("REVIEW_ABORT"), Some("ABORT"), Some((by, at_ms))),
    };
    let group = object(json!({
        "id": gate.id, "name": "Flow 1", "reviewers": gate.reviewers, "groups": [], "status": group,
        "operator": who.map(|(by, _)| by), "reviewTime": who.map(|(_, at)| at),
    }));
    object(json!({
        "manualTrigger": true, "status": status, "reviewDesc": "", "reviewGroups": [group], "reviewParams": [],
        "timeout": 24,
    }))
}

/// `templates` are the elements that carry the options: the job's own, or the parent's for a matrix child.
fn job_json(job: &Job, templates: &[Task], buttons: bool) -> Value {
    let can_retry = buttons.then(|| job.is_failed_or_cancelled());
    let child = !job.context.is_empty();
    let element = |(index, task): (usize, &Task)| {
        let options = &templates.get(index).unwrap_or(task).options;
        task_json(task, options, child, can_retry == Some(true))
    };
    let children: Vec<Value> = job.children().iter().map(|child| job_json(child, &job.tasks, buttons)).collect();
    let kind = match job.kind {
        JobKind::Trigger => "trigger",
        JobKind::Normal => "normal",
        JobKind::Machine => "vmBuild",
    };
    object(json!({
        "@type": kind, "id": job.id, "containerId": job.id, "containerHashId": job.hash, "name": job.name,
        "status": job.status.map(Status::as_str), "startEpoch": job.start_ms, "systemElapsed": 0,
        "elementElapsed": elapsed(job.start_ms, job.end_ms).unwrap_or_default(), "canRetry": can_retry,
        "startVMStatus": start_vm_status(job), "executeCount": job.execute_count, "jobId": job.job_id,
        "containPostTaskFlag": false, "matrixGroupFlag": job.matrix.as_ref().map(|_| true),
        "matrixContext": child.then_some(&job.context), "groupContainers": empty_is_none(children),
        "params": (job.kind == JobKind::Trigger).then(Vec::<Value>::new),
        "baseOS": (job.kind == JobKind::Machine).then_some("LINUX"),
        "jobControlOption": (job.kind != JobKind::Trigger).then(|| json!({
            "enable": job.enabled, "continueWhenFailed": job.continue_when_failed,
            "runCondition": job.condition.map_or("STAGE_RUNNING", |_| "CUSTOM_VARIABLE_MATCH"),
        })),
        "elements": job.tasks.iter().enumerate().map(element).collect::<Vec<_>>(),
    }))
}

fn start_vm_status(job: &Job) -> Option<&'static str> {
    if job.kind != JobKind::Machine || job.matrix.is_some() {
        return None;
    }
    job.start_ms?;
    Some(job.boot_error.as_ref().map_or("SUCCEED", |fail| fail.status.as_str()))
}

/// A matrix child's elements are `matrixStatus` and have no options of their own (bkci-api.md 7.2).
fn task_json(task: &Task, options: &Options, child: bool, job_can_retry: bool) -> Value {
    let (can_retry, can_skip) = if job_can_retry { task_buttons(task, options) } else { (None, None) };
    let error = task.error.as_ref();
    object(json!({
        "@type": if child { "matrixStatus" } else { task.class },
        "originClassType": child.then_some(task.class), "originAtomCode": child.then_some(&task.atom),
        "name": task.name, "id": task.id, "status": task.status.map(Status::as_str),
        "executeCount": task.execute_count, "canRetry": can_retry, "canSkip": can_skip,
        "retryCountManual": task.retry_manual, "retryCountAuto": (task.retry_auto > 0).then_some(task.retry_auto),
        "elapsed": elapsed(task.start_ms, task.end_ms), "startEpoch": task.start_ms, "version": "1.*",
        "stepId": task.step_id, "atomCode": (!child).then_some(&task.atom), "classifyCode": "script",
        "errorType": error.map(|fail| fail.error_type.name()), "errorCode": error.map(|fail| fail.code),
        "errorMsg": error.map(|fail| &fail.message), "additionalOptions": (!child).then(|| options_json(options)),
    }))
}

/// bkci-api.md 7.2, "How canRetry/canSkip are computed", the element's part.
fn task_buttons(task: &Task, options: &Options) -> (Option<bool>, Option<bool>) {
    if !options.enable || !task.is_failed_or_cancelled() {
        return (None, None);
    }
    let can_retry = Some(options.manual_retry);
    if options.continue_when_failed {
        return if options.manual_skip == Some(true) { (can_retry, Some(true)) } else { (None, None) };
    }
    match options.run_condition {
        RunCondition::PreviousSucceeded | RunCondition::Variables { .. } => (can_retry, None),
        RunCondition::EvenIfFailed | RunCondition::EvenIfCanceled | RunCondition::OnlyIfFailed => (None, None),
    }
}

fn options_json(options: &Options) -> Value {
    object(json!({
        "enable": options.enable, "continueWhenFailed": options.continue_when_failed,
        "manualSkip": options.manual_skip, "retryWhenFailed": options.retry_when_failed,
        "retryCount": options.retry_count, "manualRetry": options.manual_retry, "timeout": 900,
        "runCondition": options.run_condition.as_str(), "pauseBeforeExec": false,
    }))
}
