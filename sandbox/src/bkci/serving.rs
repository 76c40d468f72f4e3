//! The line on which requests arrive, and each request from its arrival to its answer: noted, met by a fault or carried
//! out, answered.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;

use super::BkCi;
use super::contract;
use super::errors::Failure;
use super::families::Door;
use super::faults::Order;
use super::gateway::Answer;
use super::incoming::Incoming;
use super::line::{self, Line};
use super::looking::RequestRecord;
use crate::wire::Cut;

impl BkCi {
    /// Refuses connections on the same port, and ends those that are open.
    ///
    /// # Errors
    /// When the port cannot be kept.
    pub async fn down(&self) -> anyhow::Result<()> {
        let line = self.shared.line.lock().await.take();
        if let Some(line) = line {
            line.cut().await;
        }
        Ok(())
    }

    /// Accepts connections again.
    ///
    /// # Errors
    /// When the port was lost.
    pub async fn up(&self) -> anyhow::Result<()> {
        let mut line = self.shared.line.lock().await;
        if line.is_none() {
            *line = Some(Line::listen(&self.shared.port, self.router()).context("listening again")?);
        }
        Ok(())
    }

    fn router(&self) -> line::NewRouter {
        let bkci = self.clone();
        Arc::new(move |reset| Router::new().fallback(arrive).with_state((bkci.clone(), reset)))
    }

    /// Notes a request and finds the fault that meets it.
    fn note(&self, incoming: &Incoming) -> (usize, Option<Arc<Order>>) {
        self.change(|world, now| {
            let record = record(incoming, world.requests.len(), now);
            for violation in contract::violations(incoming) {
                world.violations.push(format!("{} {}: {violation}", record.method, record.path));
            }
            let order = world.orders.iter().find(|order| order.take(&record)).cloned();
            let index = record.index;
            world.requests.push(record);
            (index, order)
        })
    }

    /// Carries a request out.
    pub(super) fn act(&self, incoming: &Incoming) -> Answer {
        self.change(|world, now| world.answer(incoming, now))
    }

    pub(super) fn refusal(&self, failure: &Failure, incoming: &Incoming) -> Answer {
        self.world().refusal(failure, incoming)
    }

    async fn serve(&self, incoming: Incoming, reset: &AtomicBool) -> Response {
        let (index, order) = self.note(&incoming);
        let mut response = match order {
            Some(order) => order.carry_out(self, &incoming, reset).await,
            None => self.act(&incoming).into_response(),
        };
        if incoming.door == Door::Backend {
            // It is the gateway that adds it (3.1).
            response.headers_mut().remove("X-Bkapi-Request-Id");
        }
        if response.extensions().get::<Cut>().is_none() {
            let status = response.status().as_u16();
            self.change(|world, _| world.requests[index].status = Some(status));
        }
        response
    }
}

/// One request, on a task of its own: a client that hangs up does not stop what the service has begun (6.5).
pub(super) async fn arrive(State((bkci, reset)): State<(BkCi, Arc<AtomicBool>)>, request: Request) -> Response {
    let Some(incoming) = Incoming::read(request).await else { return Cut::response() };
    let served = tokio::spawn(async move { bkci.serve(incoming, &reset).await }).await;
    served.unwrap_or_else(|_| Cut::response())
}

fn record(incoming: &Incoming, index: usize, at_ms: i64) -> RequestRecord {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let raw_target = match &incoming.raw_query {
        Some(query) => format!("{}?{query}", incoming.path),
        None => incoming.path.clone(),
    };
    RequestRecord {
        index,
        method: incoming.method.to_string(),
        path: incoming.path.clone(),
        query: incoming.query.clone(),
        raw_target,
        headers: incoming.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        endpoint: incoming.route().map(|route| route.endpoint),
        family: incoming.route().map(|route| route.family),
        build: incoming.build().map(str::to_owned),
        uid: incoming.uid().map(str::to_owned),
        body: String::from_utf8_lossy(&incoming.body).into_owned(),
        at_ms,
        status: None,
    }
}
