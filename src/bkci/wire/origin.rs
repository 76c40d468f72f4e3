//! From which code a build was made: its materials, and the code event that started it (bkci-api 7.1).

use serde::Deserialize;
use serde_json::Value;

use super::scalar::Scalar;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MaterialWire {
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

/// Of its main repository, which is what people mean by a build's branch; else of what started it.
pub(super) struct Origin {
    pub(super) branch: Option<String>,
    /// The first line.
    pub(super) commit: Option<String>,
    pub(super) from_webhook: bool,
}

impl Origin {
    pub(super) fn of(mut materials: Vec<MaterialWire>, webhook: Option<Value>) -> Self {
        let from_webhook = webhook.is_some();
        materials.sort_by_key(|material| !material.main_repo.truth());
        let main = materials.into_iter().next().unwrap_or_default();
        // Serde would read a list as the fields in their order.
        let event = webhook.filter(Value::is_object).and_then(|event| serde_json::from_value(event).ok());
        let event: WebhookWire = event.unwrap_or_default();
        let commit = main.new_commit_comment.text().or(event.webhook_message.text());
        Self {
            branch: main.branch_name.text().or(event.webhook_branch.text()),
            commit: commit.and_then(|commit| commit.trim().lines().next().map(|line| line.trim_end().to_owned())),
            from_webhook,
        }
    }
}
