//! `/mapping`: who acts as whom. A mapping is the right to act as somebody, so the bot checks by itself who may change
//! it, whatever Discord let through.

use super::{Action, Opened, Request, act, private};
use crate::app::App;
use crate::model::ids::{Uid, UserId};
use crate::policy;
use crate::reply::Reply;

/// As many as fit into one message; a filter finds the others.
const LISTED: usize = 25;

fn refused(app: &App, request: &Request) -> bool {
    !policy::administers(&app.settings, &request.actor, &request.place)
}

pub(super) async fn set(app: &App, request: &Request, user: UserId, given: &str) -> anyhow::Result<Opened> {
    if refused(app, request) {
        return Ok(private(Reply::NotAdministrator));
    }
    let Ok(uid) = given.parse::<Uid>() else {
        return Ok(private(Reply::BadUid { given: given.to_owned() }));
    };
    let before = app.store.mapping(user).await?.map(|mapping| mapping.uid).filter(|before| *before != uid);
    let shared_with = app.store.others_with(&uid, user).await?;
    let reply = Reply::MappingSet { user, uid: uid.clone(), before, shared_with };
    Ok(act(Action::SetMapping(user, uid, reply)))
}

pub(super) async fn remove(app: &App, request: &Request, user: UserId) -> anyhow::Result<Opened> {
    if refused(app, request) {
        return Ok(private(Reply::NotAdministrator));
    }
    Ok(match app.store.mapping(user).await? {
        Some(mapping) => act(Action::RemoveMapping(user, Reply::MappingRemoved { user, uid: mapping.uid })),
        None => private(Reply::MappingAbsent { user }),
    })
}

pub(super) async fn show(app: &App, request: &Request, user: UserId) -> anyhow::Result<Opened> {
    if refused(app, request) {
        return Ok(private(Reply::NotAdministrator));
    }
    let Some(mapping) = app.store.mapping(user).await? else {
        return Ok(private(Reply::MappingAbsent { user }));
    };
    let shared_with = app.store.others_with(&mapping.uid, user).await?;
    let (set_by, set_at) = (mapping.set_by, mapping.set_at);
    Ok(private(Reply::MappingShown { user, uid: mapping.uid, set_by, set_at, shared_with }))
}

pub(super) async fn list(app: &App, request: &Request, filter: Option<String>) -> anyhow::Result<Opened> {
    if refused(app, request) {
        return Ok(private(Reply::NotAdministrator));
    }
    let wanted = filter.as_deref().unwrap_or("").trim().to_lowercase();
    let mut entries: Vec<(UserId, Uid)> = app.store.mappings().await?.into_iter().map(|m| (m.user, m.uid)).collect();
    entries.retain(|(user, uid)| uid.as_str().to_lowercase().contains(&wanted) || user.to_string().contains(&wanted));
    let total = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    entries.truncate(LISTED);
    Ok(private(Reply::MappingList { filter, entries, total }))
}
