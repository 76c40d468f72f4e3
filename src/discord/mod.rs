//! The only place that knows serenity: what arrives from Discord, and what is said there.

use std::sync::Arc;

use serenity::all::{Interaction, Message};

use crate::model::ids::UserId;

pub mod buttons;
pub mod client;
mod connection;
pub mod endpoint;
pub mod gateway;
pub mod handle;
pub mod message;
mod registration;
pub mod render;
pub mod slash;

/// What a transport does with an interaction: hand it over, and nothing else.
pub type OnInteraction = Arc<dyn Fn(Interaction) + Send + Sync>;

/// What the gateway does with a message, and as which user it is there itself: hand both over, and nothing else.
pub type OnMessage = Arc<dyn Fn(Message, UserId) + Send + Sync>;

/// What a transport does with an interaction that serenity cannot decode: its id and token, where they can be read.
pub type OnUndecodable = Arc<dyn Fn(Option<(u64, String)>) + Send + Sync>;

/// Kinds of interactions that may be answered by a message: command, component, form (discord-rules 1).
const ANSWERED: [u64; 3] = [2, 3, 5];

/// Whose an interaction is that cannot be decoded: its id and token, where they can be read and somebody can be told.
fn sender_of(raw: &serde_json::Value) -> Option<(u64, String)> {
    raw.get("type").and_then(|kind| kind.as_u64()).filter(|kind| ANSWERED.contains(kind))?;
    let text = |name: &str| raw.get(name).and_then(|value| value.as_str());
    let id = text("id")?.parse().ok().filter(|id| *id > 0)?;
    Some((id, text("token")?.to_owned()))
}
