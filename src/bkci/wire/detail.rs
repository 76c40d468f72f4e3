//! The detail of a build (bkci-api 7.2), as far as we need it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::origin::{MaterialWire, Origin};
use super::problem::{ErrorWire, error, kind_by_name};
use super::scalar::{Scalar, filled, lenient, list};
use super::{Fault, data};
use crate::model::build::{Build, Condition, Job, Options, Problem, Stage, Task};
use crate::model::ids::BuildId;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DetailWire {
    #[serde(default)]
    id: Scalar,
    #[serde(default)]
    pipeline_id: Scalar,
    #[serde(default)]
    pipeline_name: Scalar,
    #[serde(default)]
    build_num: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    execute_count: Scalar,
    #[serde(default)]
    start_time: Scalar,
    #[serde(default)]
    end_time: Scalar,
    #[serde(default)]
    current_timestamp: Scalar,
    #[serde(default)]
    webhook_info: Option<Value>,
    #[serde(default, deserialize_with = "lenient")]
    material: Vec<MaterialWire>,
    #[serde(default)]
    build_msg: Scalar,
    #[serde(default)]
    cancel_build_perm: Scalar,
    #[serde(default)]
    cancel_user_id: Scalar,
    #[serde(default, deserialize_with = "list")]
    record_list: Vec<RecordWire>,
    #[serde(default, deserialize_with = "lenient")]
    error_info_list: Vec<ErrorWire>,
    model: Option<ModelWire>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordWire {
    #[serde(default)]
    start_user: Scalar,
}

#[derive(Deserialize)]
struct ModelWire {
    stages: Option<Vec<StageWire>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StageWire {
    #[serde(default)]
    id: Scalar,
    #[serde(default)]
    name: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    can_retry: Scalar,
    #[serde(default)]
    finally: Scalar,
    #[serde(default)]
    fast_kill: Scalar,
    #[serde(default)]
    start_epoch: Scalar,
    #[serde(default)]
    elapsed: Scalar,
    #[serde(default, deserialize_with = "lenient")]
    stage_control_option: ControlWire,
    #[serde(default, deserialize_with = "lenient")]
    check_in: CheckWire,
    #[serde(default, deserialize_with = "list")]
    containers: Vec<JobWire>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CheckWire {
    #[serde(default)]
    manual_trigger: Scalar,
}

/// `stageControlOption`, `jobControlOption`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ControlWire {
    #[serde(default)]
    enable: Scalar,
    #[serde(default)]
    run_condition: Scalar,
    #[serde(default)]
    continue_when_failed: Scalar,
    #[serde(default, deserialize_with = "filled")]
    depend_on_container_id2_job_ids: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobWire {
    #[serde(default)]
    id: Scalar,
    #[serde(default)]
    container_id: Scalar,
    #[serde(default)]
    job_id: Scalar,
    #[serde(default)]
    name: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    can_retry: Scalar,
    #[serde(default)]
    matrix_group_flag: Scalar,
    #[serde(default)]
    system_elapsed: Scalar,
    #[serde(default)]
    element_elapsed: Scalar,
    #[serde(default, deserialize_with = "lenient")]
    job_control_option: ControlWire,
    #[serde(default, deserialize_with = "lenient")]
    matrix_control_option: MatrixWire,
    #[serde(default, deserialize_with = "lenient")]
    matrix_context: BTreeMap<String, Scalar>,
    #[serde(default, deserialize_with = "list")]
    elements: Vec<TaskWire>,
    #[serde(default, deserialize_with = "list")]
    group_containers: Vec<JobWire>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MatrixWire {
    #[serde(default)]
    fast_kill: Scalar,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskWire {
    #[serde(default, rename = "@type")]
    kind: Scalar,
    #[serde(default)]
    origin_class_type: Scalar,
    #[serde(default)]
    id: Scalar,
    #[serde(default)]
    step_id: Scalar,
    #[serde(default)]
    name: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    can_retry: Scalar,
    #[serde(default)]
    can_skip: Scalar,
    #[serde(default)]
    retry_count_manual: Scalar,
    #[serde(default)]
    start_epoch: Scalar,
    #[serde(default)]
    elapsed: Scalar,
    #[serde(default)]
    error_type: Scalar,
    #[serde(default)]
    error_code: Scalar,
    #[serde(default)]
    error_msg: Scalar,
    #[serde(default, deserialize_with = "lenient")]
    additional_options: Option<OptionsWire>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OptionsWire {
    #[serde(default)]
    enable: Scalar,
    #[serde(default)]
    continue_when_failed: Scalar,
    #[serde(default)]
    manual_skip: Scalar,
    #[serde(default)]
    run_condition: Scalar,
    #[serde(default)]
    pause_before_exec: Scalar,
    #[serde(default, deserialize_with = "filled")]
    element_post_info: bool,
}

/// A build's detail, which must be of the build that was asked for. To which pipeline it belongs is kept as BK-CI says
/// it: the caller compares.
pub(in crate::bkci) fn build(body: &[u8], asked: &BuildId) -> Result<Build, Fault> {
    let detail: DetailWire = data(body)?;
    let lacks = |field: &str| format!("BK-CI's build detail lacks a usable `{field}`");
    let id = detail.id.text().ok_or_else(|| lacks("id"))?;
    if id != asked.as_str() {
        return Err("BK-CI's build detail is of another build".to_owned());
    }
    let pipeline_text = detail.pipeline_id.text().ok_or_else(|| lacks("pipelineId"))?;
    let status = detail.status.status().ok_or_else(|| lacks("status"))?;
    let read_at = detail.current_timestamp.moment().ok_or_else(|| lacks("currentTimestamp"))?;
    let origin = Origin::of(detail.material, detail.webhook_info);
    let stages = detail.model.and_then(|model| model.stages).ok_or_else(|| lacks("model.stages"))?;
    Ok(Build {
        id: asked.clone(),
        pipeline: pipeline_text.parse().map_err(|_| lacks("pipelineId"))?,
        pipeline_name: detail.pipeline_name.text().unwrap_or(pipeline_text),
        number: detail.build_num.count().ok_or_else(|| lacks("buildNum"))?,
        status,
        execute_count: detail.execute_count.count().ok_or_else(|| lacks("executeCount"))?,
        started: detail.start_time.moment(),
        ended: detail.end_time.moment(),
        read_at,
        from_webhook: origin.from_webhook,
        branch: origin.branch,
        commit: origin.commit,
        message: detail.build_msg.text(),
        may_stop: detail.cancel_build_perm.flag(),
        canceled_by: detail.cancel_user_id.text(),
        // BK-CI lists the latest execution first.
        starters: detail
            .record_list
            .into_iter()
            .rev()
            .map(|record| record.start_user.text().unwrap_or_default())
            .collect(),
        errors: detail.error_info_list.into_iter().map(error).collect(),
        stages: stages.into_iter().map(stage).collect(),
    })
}

fn stage(wire: StageWire) -> Stage {
    let id = wire.id.text().unwrap_or_default();
    let control = wire.stage_control_option;
    Stage {
        name: wire.name.text().unwrap_or_else(|| id.clone()),
        id,
        status: wire.status.status(),
        can_retry: wire.can_retry.truth(),
        finally: wire.finally.truth(),
        enabled: control.enable.truth_unless_false(),
        conditional: is_other_than(control.run_condition, "AFTER_LAST_FINISHED"),
        fast_kill: wire.fast_kill.truth(),
        gated: wire.check_in.manual_trigger.truth(),
        started: wire.start_epoch.moment(),
        took: wire.elapsed.duration(),
        jobs: wire.containers.into_iter().map(job).collect(),
    }
}

fn job(wire: JobWire) -> Job {
    let id = wire.id.text().or(wire.container_id.text()).unwrap_or_default();
    let control = wire.job_control_option;
    let tasks: Vec<Task> = wire.elements.into_iter().map(task).collect();
    let mut children: Vec<Job> = wire.group_containers.into_iter().map(child).collect();
    for child in &mut children {
        // A child's tasks have no options of their own (bkci-api 7.2): look at the parent's with the same index.
        for (task, template) in child.tasks.iter_mut().zip(&tasks) {
            task.options = template.options;
            task.waits_for_a_person |= template.waits_for_a_person;
        }
    }
    let took = [wire.system_elapsed, wire.element_elapsed].iter().filter_map(Scalar::duration).reduce(|a, b| a + b);
    Job {
        job_id: wire.job_id.text(),
        name: wire.name.text().unwrap_or_else(|| id.clone()),
        id,
        status: wire.status.status(),
        can_retry: wire.can_retry.truth(),
        enabled: control.enable.truth_unless_false(),
        conditional: control.depend_on_container_id2_job_ids || is_other_than(control.run_condition, "STAGE_RUNNING"),
        continue_when_failed: control.continue_when_failed.truth(),
        matrix: wire.matrix_group_flag.truth() || !children.is_empty(),
        fast_kill: wire.matrix_control_option.fast_kill.truth(),
        took,
        tasks,
        children,
    }
}

/// Children bear the name of their matrix: what tells them apart is added.
fn child(mut wire: JobWire) -> Job {
    let context = std::mem::take(&mut wire.matrix_context);
    let values: Vec<String> = context.into_values().filter_map(Scalar::text).collect();
    let mut child = job(wire);
    let apart = if values.is_empty() { child.id.clone() } else { values.join(", ") };
    child.name = format!("{} ({apart})", child.name);
    child
}

fn task(wire: TaskWire) -> Task {
    let id = wire.id.text().unwrap_or_default();
    let options = wire.additional_options.unwrap_or_default();
    let is_review = |kind: Scalar| kind.text().is_some_and(|kind| kind == "manualReviewUserTask");
    let waits_for_a_person =
        is_review(wire.kind) || is_review(wire.origin_class_type) || options.pause_before_exec.truth();
    // In an element the type is a name (bkci-api 5.2).
    let kind = wire.error_type.text().map(|name| kind_by_name(&name));
    Task {
        name: wire.name.text().unwrap_or_else(|| id.clone()),
        id,
        step_id: wire.step_id.text(),
        status: wire.status.status(),
        can_retry: wire.can_retry.truth(),
        can_skip: wire.can_skip.truth(),
        options: Options {
            enabled: options.enable.truth_unless_false(),
            continue_when_failed: options.continue_when_failed.truth(),
            manual_skip: options.manual_skip.truth(),
            condition: if options.element_post_info { Condition::Other } else { condition(options.run_condition) },
        },
        starts_by_hand: wire.retry_count_manual.count().unwrap_or_default(),
        waits_for_a_person,
        started: wire.start_epoch.moment(),
        took: wire.elapsed.duration(),
        error: kind.map(|kind| Problem {
            kind,
            code: wire.error_code.int().unwrap_or_default(),
            message: wire.error_msg.text().unwrap_or_default(),
        }),
    }
}

fn condition(wire: Scalar) -> Condition {
    match wire.text().as_deref() {
        None | Some("PRE_TASK_SUCCESS") => Condition::AfterSuccess,
        Some("PRE_TASK_FAILED_BUT_CANCEL" | "PRE_TASK_FAILED_EVEN_CANCEL") => Condition::EvenAfterFailure,
        Some("PRE_TASK_FAILED_ONLY") => Condition::OnlyAfterFailure,
        Some(_) => Condition::Other,
    }
}

fn is_other_than(condition: Scalar, usual: &str) -> bool {
    condition.text().is_some_and(|condition| condition != usual)
}
