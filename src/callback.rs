//! What BK-CI tells by itself (bkci-api 11.3): a hint that something happened to a pipeline, and nothing more.
//!
//! Promises: nobody without the token gets further than the head of their request; the answer never waits for the store,
//! since BK-CI waits three seconds and then tells again; whatever is told, twice, late, forged or garbled, changes nothing
//! but the moment of the next look. Must not take anything out of a body but which pipeline it is about.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use futures_util::StreamExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::model::ids::{PipelineId, ProjectId};

/// Where the token stands.
const TOKEN: &str = "x-devops-webhook-token";

/// What BK-CI sends there when a callback was registered without a token.
const NO_TOKEN: &str = "NONE";

/// The model of a large build is some 100 KB. What is longer is not read for which pipeline it is about: polling sees it.
const BODY_MAX: usize = 256 * 1024;

/// What is longer than this is not even listened to until its end.
const DRAINED_MAX: usize = 8 * 1024 * 1024;

/// So many hints may wait for the store at once. More are dropped: polling sees what they were about.
const WAITING_MAX: usize = 64;

/// What the handler needs.
#[derive(Clone)]
pub struct Callback {
    app: App,
    token: SecretString,
    tasks: TaskTracker,
    waiting: Arc<Semaphore>,
}

impl Callback {
    /// Absent without a token that callbacks must show: then there is no such address (contract 2).
    pub fn new(app: &App, tasks: &TaskTracker) -> Option<Self> {
        let token = app.settings.bkci.callback_token.clone()?;
        let waiting = Arc::new(Semaphore::new(WAITING_MAX));
        Some(Self { app: app.clone(), token, tasks: tasks.clone(), waiting })
    }

    fn is_authentic(&self, headers: &HeaderMap) -> bool {
        let Some(shown) = headers.get(TOKEN).map(|value| value.as_bytes()) else { return false };
        let token = self.token.expose_secret().as_bytes();
        shown != NO_TOKEN.as_bytes() && !token.is_empty() && bool::from(token.ct_eq(shown))
    }

    /// Makes the looks at a pipeline due, beside the answer.
    fn hint(&self, about: About) {
        let Ok(place) = self.waiting.clone().try_acquire_owned() else {
            return self.app.metrics.callback("dropped");
        };
        self.app.metrics.callback("accepted");
        let app = self.app.clone();
        self.tasks.spawn(async move {
            let _place = place;
            match app.store.hint(&about.project, &about.pipeline, app.clock.now()).await {
                Ok(0) => {}
                Ok(_) => app.wake.follower.notify_one(),
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "a callback came to nothing; polling sees it later");
                }
            }
        });
    }
}

/// `POST /bkci/callback`
pub async fn receive(State(callback): State<Callback>, headers: HeaderMap, body: Body) -> StatusCode {
    if !callback.is_authentic(&headers) {
        callback.app.metrics.callback("refused");
        return StatusCode::UNAUTHORIZED;
    }
    match read(body).await.as_deref().and_then(about) {
        Some(about) => callback.hint(about),
        None => callback.app.metrics.callback("undecodable"),
    }
    StatusCode::OK
}

/// The body, unless it is too long or breaks off.
async fn read(body: Body) -> Option<Vec<u8>> {
    let (mut parts, mut read, mut length) = (body.into_data_stream(), Vec::new(), 0);
    while let Some(part) = parts.next().await {
        let part = part.ok()?;
        length += part.len();
        if length > DRAINED_MAX {
            return None;
        }
        if length <= BODY_MAX {
            read.extend_from_slice(&part);
        }
    }
    (length <= BODY_MAX).then_some(read)
}

#[derive(Debug, PartialEq, Eq)]
struct About {
    project: ProjectId,
    pipeline: PipelineId,
}

#[derive(Deserialize)]
struct Told {
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    project_id: String,
    pipeline_id: String,
}

/// Which pipeline a body is about, if it is about one.
fn about(body: &[u8]) -> Option<About> {
    let Told { data } = serde_json::from_slice(body).ok()?;
    Some(About { project: data.project_id.parse().ok()?, pipeline: data.pipeline_id.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIPELINE: &str = "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a";

    #[test]
    fn nothing_but_the_pipeline_is_taken_out_of_a_body() {
        for good in [
            format!(r#"{{"event":"BUILD_END","data":{{"pipelineId":"{PIPELINE}","projectId":"demo","model":null}}}}"#),
            format!(
                r#"{{"data":{{"projectId":"demo","buildId":7,"status":{{}},"pipelineId":"{PIPELINE}"}},"more":[1]}}"#
            ),
        ] {
            let found = about(good.as_bytes()).expect("a pipeline");
            assert_eq!((found.project.as_str(), found.pipeline.as_str()), ("demo", PIPELINE), "{good}");
        }
        for bad in [
            String::new(),
            "null".to_owned(),
            "[]".to_owned(),
            "{}".to_owned(),
            r#"{"event":"PROJECT_CREATE","data":{"projectId":"demo"}}"#.to_owned(),
            format!(r#"{{"data":{{"projectId":"../x","pipelineId":"{PIPELINE}"}}}}"#),
            r#"{"data":{"projectId":"demo","pipelineId":"p-1"}}"#.to_owned(),
            format!(r#"{{"data":{{"projectId":7,"pipelineId":"{PIPELINE}"}}}}"#),
            format!(r#"{{"data":{{"projectId":"demo","pipelineId":"{PIPELINE}"}}"#),
            "[".repeat(100_000),
        ] {
            assert_eq!(about(bad.as_bytes()), None, "{bad:.80}");
        }
        assert_eq!(about(b"\xff\xfe{"), None);
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            about(&body);
        }
    }
}
