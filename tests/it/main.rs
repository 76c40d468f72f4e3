//! User stories, over the wire, against the doubles of Discord and BK-CI. Every story runs on both databases, and those of
//! retrying on each family of BK-CI's addresses.

mod support;

mod acknowledge;
mod bad_input;
mod check;
mod complete;
mod container;
mod endpoint;
mod faults;
mod gateway;
mod incident;
mod language;
mod mapping;
mod named;
mod offers;
mod page;
mod program;
mod registering;
mod restart;
mod retry;
mod running;
mod scope;
mod secrets;
mod transport;
mod upgrade;
mod words;
