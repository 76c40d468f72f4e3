//! User stories, over the wire, against the doubles of Discord and BK-CI. Every story runs on both databases, and those of
//! retrying on each family of BK-CI's addresses.

mod support;

mod acknowledge;
mod bad_input;
mod build;
mod callback;
mod check;
mod complete;
mod container;
mod endpoint;
mod faults;
mod follow;
mod gateway;
mod hooks;
mod incident;
mod language;
mod mapping;
mod named;
mod offers;
mod page;
mod presses;
mod program;
mod registering;
mod restart;
mod retry;
mod running;
mod scope;
mod secrets;
mod stopping;
mod transport;
mod upgrade;
mod watch;
mod watch_commands;
mod words;
