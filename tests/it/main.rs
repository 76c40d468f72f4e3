//! User stories, over the wire, against the doubles of Discord and BK-CI. Every story runs on both databases.

mod support;

mod bad_input;
mod check;
mod container;
mod faults;
mod language;
mod gateway;
mod mapping;
mod offers;
mod page;
mod program;
mod restart;
mod retry;
mod running;
mod scope;
mod transport;
mod upgrade;
