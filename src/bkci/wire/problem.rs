//! What went wrong, as lists of errors and tasks tell it (bkci-api 5.2).

use serde::Deserialize;

use super::scalar::Scalar;
use crate::model::build::{ErrorInfo, ErrorKind, Problem};

/// An entry of `errorInfoList`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorWire {
    #[serde(default)]
    stage_id: Scalar,
    #[serde(default)]
    container_id: Scalar,
    #[serde(default)]
    task_id: Scalar,
    #[serde(default)]
    error_type: Scalar,
    #[serde(default)]
    error_code: Scalar,
    #[serde(default)]
    error_msg: Scalar,
}

pub(super) fn error(wire: ErrorWire) -> ErrorInfo {
    ErrorInfo {
        stage: wire.stage_id.text().unwrap_or_default(),
        job: wire.container_id.text().unwrap_or_default(),
        task: wire.task_id.text(),
        problem: Problem {
            kind: kind_by_number(wire.error_type.int()),
            code: wire.error_code.int().unwrap_or_default(),
            message: wire.error_msg.text().unwrap_or_default(),
        },
    }
}

fn kind_by_number(number: Option<i64>) -> ErrorKind {
    match number {
        Some(0) => ErrorKind::System,
        Some(1) => ErrorKind::User,
        Some(2) => ErrorKind::ThirdParty,
        Some(4) => ErrorKind::BuildMachine,
        _ => ErrorKind::Plugin,
    }
}

/// In an element the type is a name, in a list of errors a number.
pub(super) fn kind_by_name(name: &str) -> ErrorKind {
    match name {
        "SYSTEM" => ErrorKind::System,
        "USER" => ErrorKind::User,
        "THIRD_PARTY" => ErrorKind::ThirdParty,
        "BUILD_MACHINE" => ErrorKind::BuildMachine,
        _ => ErrorKind::Plugin,
    }
}
