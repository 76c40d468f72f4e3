//! The limits of request bodies, one noun per file. Each writes what is wrong into a [`Form`](super::refusal::Form).

pub(super) mod commands;
pub(super) mod components;
pub(super) mod embeds;
pub(super) mod messages;
pub(super) mod modals;
