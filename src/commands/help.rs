//! `/whoami` and `/help`: what the bot knows of this person, and what they may do.

use super::{Opened, Request, private};
use crate::app::App;
use crate::config::Transport;
use crate::policy;
use crate::reply::Reply;

pub(super) async fn whoami(app: &App, request: &Request) -> anyhow::Result<Opened> {
    let user = request.actor.user;
    let uid = app.store.mapping(user).await?.map(|mapping| mapping.uid);
    let administrator = policy::administers(&app.settings, &request.actor, &request.place);
    Ok(private(Reply::Whoami { user, uid, administrator }))
}

pub(super) async fn help(app: &App, request: &Request) -> anyhow::Result<Opened> {
    let uid = app.store.mapping(request.actor.user).await?.map(|mapping| mapping.uid);
    let administrator = policy::administers(&app.settings, &request.actor, &request.place);
    let discord = &app.settings.discord;
    let words = discord.words && discord.transport == Transport::Gateway;
    Ok(private(Reply::Help { uid, administrator, words }))
}
