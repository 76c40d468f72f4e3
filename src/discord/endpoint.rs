//! The signed HTTP transport: verifies, answers Ping, hands interactions over and does nothing else.
//!
//! The acknowledgement goes over REST as with the gateway, so a POST is answered 202 without a body.

use std::time::Duration;

use anyhow::Context as _;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serenity::all::{Interaction, Verifier};

use super::{OnInteraction, OnUndecodable};
use crate::clock::Clock;
use crate::model::Timestamp;

/// Signed longer ago, or so far in the future, is stale: a recorded request cannot be played again later. Discord gives
/// no number; its own three seconds are far below.
const FRESH: Duration = Duration::from_mins(5);

/// Discord's headers (discord-rules 1).
const SIGNATURE: &str = "x-signature-ed25519";
const TIMESTAMP: &str = "x-signature-timestamp";

/// What the handler needs.
#[derive(Clone)]
pub struct Endpoint {
    verifier: Verifier,
    clock: Clock,
    on_interaction: OnInteraction,
    on_undecodable: OnUndecodable,
}

impl Endpoint {
    /// From the application's public key, 64 hexadecimal digits.
    ///
    /// # Errors
    /// It is no Ed25519 key.
    pub fn new(
        public_key: &str,
        clock: Clock,
        on_interaction: OnInteraction,
        on_undecodable: OnUndecodable,
    ) -> anyhow::Result<Self> {
        let mut key = [0; 32];
        anyhow::ensure!(public_key.len() == 64 && public_key.is_ascii(), "expected 64 hexadecimal digits");
        for (index, byte) in key.iter_mut().enumerate() {
            let digits = public_key.get(2 * index..2 * index + 2).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).context("expected 64 hexadecimal digits")?;
        }
        let verifier = Verifier::try_new(key).map_err(|_| anyhow::anyhow!("no Ed25519 public key"))?;
        Ok(Self { verifier, clock, on_interaction, on_undecodable })
    }

    fn is_authentic(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(signature), Some(timestamp)) = (header(SIGNATURE), header(TIMESTAMP)) else { return false };
        let Ok(signed_s) = timestamp.parse::<i64>() else { return false };
        let (signed, now) = (Timestamp(signed_s.saturating_mul(1000)), self.clock.now());
        let fresh = now.since(signed) <= FRESH && signed.since(now) <= FRESH;
        fresh && signature.is_ascii() && self.verifier.verify(signature, timestamp, body).is_ok()
    }
}

/// `POST /discord/interactions`
pub async fn receive(State(endpoint): State<Endpoint>, headers: HeaderMap, body: Bytes) -> Response {
    if !endpoint.is_authentic(&headers, &body) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match serde_json::from_slice::<Interaction>(&body) {
        Ok(Interaction::Ping(_)) => ([(header::CONTENT_TYPE, "application/json")], r#"{"type":1}"#).into_response(),
        Ok(interaction) => {
            (endpoint.on_interaction)(interaction);
            StatusCode::ACCEPTED.into_response()
        }
        Err(_) => {
            let raw: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            let sender = super::sender_of(&raw);
            // Refused, the interaction is over for Discord, and nobody can be told any more.
            let status = if sender.is_some() { StatusCode::ACCEPTED } else { StatusCode::BAD_REQUEST };
            (endpoint.on_undecodable)(sender);
            status.into_response()
        }
    }
}
