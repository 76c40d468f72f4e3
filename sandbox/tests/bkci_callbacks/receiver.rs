//! A receiver of callbacks on this machine.

#![expect(unreachable_pub, reason = "a module of a test program")]

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

/// What a receiver got.
#[derive(Clone, Debug)]
pub struct Got {
    pub headers: HeaderMap,
    pub body: String,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("JSON: {}", self.body))
    }

    pub fn event(&self) -> String {
        self.json()["event"].as_str().unwrap_or_default().to_owned()
    }
}

/// A receiver of callbacks on this machine.
#[derive(Clone, Default)]
pub struct Receiver {
    pub got: Arc<Mutex<Vec<Got>>>,
    /// The status that it answers; 0: 200.
    pub answers: Arc<AtomicU16>,
    /// How long it takes to answer, in ms of real time.
    pub takes_ms: Arc<AtomicU64>,
    pub url: String,
}

impl Receiver {
    pub async fn start() -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/bkci/callback", listener.local_addr()?);
        let receiver = Self { url, ..Self::default() };
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(receiver)
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().map(|got| got.clone()).unwrap_or_default()
    }

    /// Kinds of what came, in no order.
    pub fn events(&self) -> Vec<String> {
        let mut events: Vec<String> = self.got().iter().map(Got::event).collect();
        events.sort_unstable();
        events
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let got = Got { headers, body: String::from_utf8_lossy(&body).into_owned() };
    if let Ok(mut all) = receiver.got.lock() {
        all.push(got);
    }
    tokio::time::sleep(Duration::from_millis(receiver.takes_ms.load(Ordering::SeqCst))).await;
    StatusCode::from_u16(receiver.answers.load(Ordering::SeqCst)).unwrap_or(StatusCode::OK)
}
