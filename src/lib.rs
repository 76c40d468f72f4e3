//! Reprise: a Discord bot that retries BK-CI builds; exactly what was meant, once, under the name of the person who asked.
//!
//! # The shape
//!
//! Something arrives. It becomes a value, a decision is made, the decision becomes rows. Workers pick rows up:
//! [`operations`] acts on BK-CI, [`follower`] looks at BK-CI, [`outbox`] speaks on Discord, [`recovery`] decides what a
//! dead process left undecided. Nothing else acts, looks or speaks (a command may *read* BK-CI to decide). Rows are the only thing that connects the parts,
//! so a restart continues where the rows say.
//!
//! # The map: who may know whom
//!
//! `tests/house.rs` reads this drawing and holds it, and with it the first two points below.
//!
//! ```text
//! main → cli
//! cli → { check, run, config, telemetry, store, csv_file, discord::{client, slash}, text, clock }
//! check → { run, config, store, bkci, discord::{client, gateway}, text, clock }
//! run → { app, http, callback, recovery, operations, follower, outbox, worker }
//! run → { discord, discord::{client, gateway, endpoint, handle} }
//! run → { config, telemetry, store, bkci, commands (who was told what), text, clock }
//! http → { discord::endpoint, callback }
//! callback → app
//! discord::{gateway, endpoint} → { discord (functions that run hands in), clock }
//! discord::gateway → discord::client
//! discord::handle → { discord::{client, slash, buttons, message, render}, app, commands, policy }
//! discord::handle → { operations, outbox, store, text, reply }
//! commands → { app, config (what is set), policy, store, bkci (reads only), reply, clock }
//! commands → text (a log is cleaned before it is kept)
//! recovery → { app, commands, operations, reply }
//! operations → { app, config (what is set), store, bkci, reply }
//! follower → { app, store, bkci, reply, text (what of a log may be shown) }
//! outbox → { app, store, text, discord::{render, client} }
//! discord::client → commands (where an answer appears)
//! discord::registration → { discord::client, discord::slash }
//! discord::slash → commands
//! discord::buttons → { discord::slash, commands, reply }
//! discord::message → commands
//! discord::render → { discord::buttons, text, reply }
//! app → { config, store, bkci, clock, telemetry }
//! store → { commands (what a request is), reply }
//! text → reply
//! policy, telemetry → config (what is set)
//! worker → clock
//! everything → model
//! ```
//!
//! - [`model`], [`reply`], [`policy`], [`text`], [`commands::words`] do no I/O and read no clock.
//! - `serenity` appears only in `src/discord/`, `sqlx` only in `src/store/`, `axum` only in `http.rs`, `callback.rs`
//!   and `discord/endpoint.rs`, `reqwest` only in `src/bkci/` and where `discord/client.rs` hands serenity its HTTP client.
//! - Only [`outbox`] speaks, except the acknowledgement, suggestions and an incident's number, which Discord wants within
//!   3 s. The Discord client is not in [`app::App`]: it is handed to `outbox` and to `discord::handle` alone.
//!
//! # The walk of one `/retry`
//!
//! 1. Discord delivers an interaction by websocket ([`discord::gateway`]) or by signed POST ([`discord::endpoint`]). Both
//!    hand it to [`discord::handle`] and do nothing else.
//! 2. [`discord::slash::read`] makes a [`commands::Request`] of it. A command in words enters here, through
//!    [`discord::message::read`]: there is nothing to acknowledge, everybody reads the answer, and it is a reply.
//! 3. [`commands::open`] looks at the request and our own rows, and settles where the answer appears. The receipt is
//!    written; then the interaction is acknowledged while, at the same time, [`commands::Opened::decide`] reads the build
//!    as that person's UID. Nothing was changed at BK-CI so far.
//! 4. [`model::scope::Scope::resolve`] finds what was named in the build, or says why not. Only an id that was found there
//!    is ever sent.
//! 5. [`commands::record`] writes the decision: a delivery, or an operation that says *sending* and is leased to this
//!    process. The same interaction twice is one row; two people with the same goal meet on a unique index. A preview, and
//!    whatever the asker has to agree to, becomes a delivery and an offer: a button enters at 2 through
//!    [`discord::buttons::read`], as the person who presses, and is good only while the build is as it was shown.
//! 6. [`operations::carry_out`] asks BK-CI, once. A lost answer is never repeated: the build is read until it shows the
//!    next attempt and who started it, or for 75 s; later looks still correct the message.
//! 7. [`store::Store::conclude`] writes outcome and delivery in one transaction.
//! 8. [`outbox`] edits the reply; after the interaction's 15 minutes, the same message by the bot's own token. To words it
//!    replies, once, and edits that reply.
//! 9. The conclusion has also begun a follow, and made the answer the build's notice in that channel. [`follower`] looks
//!    at the build, as the person who retried it, until its attempt ends; what a reader sees of it becomes a newer text
//!    of the same delivery, within the budget of its edits ([`store::notices`]). A callback ([`callback`]) only makes the
//!    look due. Watches are looked at in the same way, and a failure they are to hear of makes a notice of its own. Its
//!    buttons enter at 2, and belong to the attempt they were shown for.
//!
//! Four write transactions on the happy path: receipt, operation, conclusion, delivered.

pub mod app;
pub mod bkci;
pub mod callback;
pub mod check;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod csv_file;
pub mod discord;
pub mod follower;
pub mod http;
pub mod model;
pub mod operations;
pub mod outbox;
pub mod policy;
pub mod recovery;
pub mod reply;
pub mod run;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod worker;
