//! Reprise
pub mod clock;
pub mod commands;
pub mod model;
pub mod reply;
pub mod store;
