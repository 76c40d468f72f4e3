//! A double of BK-CI with one pipeline, and a client that speaks to it as `alice`, in English.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::time::Duration;

use sandbox::bkci::{BkCi, Family, Language, PipelineId, Right};
use sandbox::clock::Clock;
use serde_json::{Value, json};

pub type Tested = anyhow::Result<()>;

pub const MINUTE: Duration = Duration::from_secs(60);
pub const FAMILIES: [Family; 3] = [Family::V3, Family::V4, Family::V4Backend];
pub const V4: [Family; 2] = [Family::V4, Family::V4Backend];

/// `alice` may look at `nightly` and run it.
pub struct Scene {
    pub bkci: BkCi,
    pub clock: Clock,
    pub pipeline: PipelineId,
    http: reqwest::Client,
}

impl Scene {
    pub async fn set() -> anyhow::Result<Self> {
        let clock = Clock::default();
        let bkci = BkCi::start(clock.clone()).await?;
        let pipeline = bkci.add_pipeline("demo", "nightly");
        bkci.permit("alice", "demo", &pipeline, &[Right::View, Right::Execute]);
        bkci.set_language("alice", Language::English);
        Ok(Self { bkci, clock, pipeline, http: reqwest::Client::builder().no_proxy().build()? })
    }

    /// HTTP status and body.
    pub async fn ask(&self, method: &str, family: Family, path: &str, body: &str) -> anyhow::Result<(u16, Value)> {
        let authorization = json!({"bk_app_code": self.bkci.app_code(), "bk_app_secret": self.bkci.app_secret()});
        let url = format!("{}{path}", self.bkci.base_url_of(family));
        let request = self.http.request(method.parse()?, url).header("X-DEVOPS-UID", "alice");
        let request = request.header("X-DEVOPS-APP-CODE", "reprise").header("Content-Type", "application/json");
        let request = request.header("X-Bkapi-Authorization", authorization.to_string());
        let response = request.body(body.to_owned()).send().await?;
        Ok((response.status().as_u16(), response.json().await?))
    }

    pub async fn get(&self, family: Family, path: &str) -> anyhow::Result<(u16, Value)> {
        self.ask("GET", family, path, "").await
    }

    pub async fn post(&self, family: Family, path: &str, body: &str) -> anyhow::Result<(u16, Value)> {
        self.ask("POST", family, path, body).await
    }

    /// `data` of a success.
    pub async fn data(&self, family: Family, path: &str) -> anyhow::Result<Value> {
        let (http, body) = self.get(family, path).await?;
        anyhow::ensure!(http == 200 && body["status"] == 0, "{http} {body}");
        Ok(body["data"].clone())
    }

    /// The address of an operation on a build.
    pub fn of_build(&self, family: Family, verb: &str, build: &str) -> String {
        match family {
            Family::V3 => {
                format!("/apigw-app/v3/projects/demo/pipelines/{}/builds/{build}/{verb}", self.pipeline)
            }
            Family::V4 | Family::V4Backend => {
                format!("{}/demo/build_{verb}?pipelineId={}&buildId={build}", projects(family), self.pipeline)
            }
        }
    }
}

pub fn projects(family: Family) -> &'static str {
    match family {
        Family::V3 => "/apigw-app/v3/projects",
        Family::V4 => "/v4/apigw-app/projects",
        Family::V4Backend => "/apigw-app/v4/projects",
    }
}
