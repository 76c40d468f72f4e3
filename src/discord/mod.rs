//! The only place that knows serenity: what arrives from Discord, and what is said there.

use std::sync::Arc;

use serenity::all::Interaction;

pub mod buttons;
pub mod client;
pub mod endpoint;
pub mod gateway;
pub mod handle;
pub mod render;
pub mod slash;

/// What a transport does with an interaction: hand it over, and nothing else.
pub type OnInteraction = Arc<dyn Fn(Interaction) + Send + Sync>;

/// What a transport does with an interaction that serenity cannot decode: its id and token, where they can be read.
pub type OnUndecodable = Arc<dyn Fn(Option<(u64, String)>) + Send + Sync>;
