//! The only place that knows serenity: what arrives from Discord, and what is said there.

use std::sync::Arc;

use serenity::all::Interaction;

pub mod buttons;
pub mod client;
mod connection;
pub mod endpoint;
pub mod gateway;
pub mod handle;
pub mod render;
pub mod slash;

/// What a transport does with an interaction: hand it over, and nothing else.
pub type OnInteraction = Arc<dyn Fn(Interaction) + Send + Sync>;

/// What a transport does with an interaction that serenity cannot decode: its id and token, where they can be read.
pub type OnUndecodable = Arc<dyn Fn(Option<(u64, String)>) + Send + Sync>;

/// Whose an interaction is that cannot be decoded: its id and token, where they can be read.
fn sender_of(raw: &serde_json::Value) -> Option<(u64, String)> {
    let text = |name: &str| raw.get(name).and_then(|value| value.as_str());
    let id = text("id")?.parse().ok().filter(|id| *id > 0)?;
    Some((id, text("token")?.to_owned()))
}
