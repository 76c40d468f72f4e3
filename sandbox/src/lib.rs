//! Doubles of Discord and BK-CI that are as strict, and as unkind, as the real services are documented to be.
//!
//! The bot's own tests and the sandbox program are built on them. They never depend on the bot: [`stage`] starts it as
//! a program, and [`page`] shows what the doubles hold and lets people act in them.

pub mod bkci;
pub mod browser;
pub mod clock;
pub mod demo;
pub mod discord;
pub mod page;
pub mod port;
pub mod skips;
pub mod stage;
pub mod timetable;
pub mod wire;
