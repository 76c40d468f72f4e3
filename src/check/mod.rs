//! `reprise check`: tries everything the configuration names, and says of each finding which key it comes from and what
//! to do about it (contract 1).
//!
//! Promises: a part that is down does not keep the others from being tried, and nothing that is printed holds a secret.
//! Must not change anything outside, save that opening the store makes the database and brings its tables up to date.

mod discord;

use std::io::{ErrorKind, Write as _};

use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;

use crate::bkci;
use crate::config::Settings;
use crate::model::Rejection;
use crate::model::ids::{ProjectId, Uid};
use crate::run;
use crate::store::Store;

/// The keys that a call to BK-CI needs.
const BKCI: &str = "bkci.base_url, bkci.app_code, bkci.app_secret";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// As it should be.
    Good,
    /// Worth knowing; the bot does what it should without anybody's doing.
    Note,
    /// Somebody must do something.
    Bad,
}

/// One thing that was found out.
#[derive(Debug)]
struct Finding {
    verdict: Verdict,
    key: &'static str,
    text: String,
}

fn good(key: &'static str, text: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Good, key, text: text.into() }
}

fn note(key: &'static str, text: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Note, key, text: text.into() }
}

fn bad(key: &'static str, text: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Bad, key, text: text.into() }
}

/// Tries everything and prints what was found, one line each. With `as_user`, also whether BK-CI shows that project to
/// that user.
///
/// # Errors
/// Something needs attention.
pub async fn check(settings: &Settings, as_user: Option<(Uid, ProjectId)>) -> anyhow::Result<()> {
    let (store, http, discord, bkci) = tokio::join!(
        try_store(settings),
        try_http(settings),
        discord::try_discord(settings),
        try_bkci(settings, as_user)
    );
    let found: Vec<Finding> =
        [store, http, discord, bkci, callbacks(settings), without_effect(settings)].into_iter().flatten().collect();
    let mut out = std::io::stdout().lock();
    for Finding { verdict, key, text } in &found {
        let mark = match verdict {
            Verdict::Good => "ok    ",
            Verdict::Note => "note  ",
            Verdict::Bad => "FAILED",
        };
        writeln!(out, "{mark}  {key}: {text}")?;
    }
    let bad = found.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    anyhow::ensure!(bad == 0, "{bad} of {} findings need attention", found.len());
    Ok(())
}

async fn try_store(settings: &Settings) -> Vec<Finding> {
    let url = &settings.store.url;
    let todo = match url.expose_secret().starts_with("sqlite:") {
        true => "Is its folder there, may this user write in it, and was the file not written by a newer version?",
        false => "Does the server run, do user, password and database fit, and was it not written by a newer version?",
    };
    let finding = match Store::open(url).await {
        Ok(store) => {
            store.close().await;
            good("store.url", "the database is open and its tables are up to date")
        }
        Err(error) => bad("store.url", format!("{}. {todo}", in_words(&error))),
    };
    vec![finding]
}

/// What failed and why. The database's library repeats the cause in each of its texts.
fn in_words(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.as_str() {
        "" => cause,
        before if before.ends_with(&cause) => said,
        _ => format!("{said}: {cause}"),
    })
}

async fn try_http(settings: &Settings) -> Vec<Finding> {
    let listen = settings.http.listen;
    let finding = match TcpListener::bind(listen).await {
        Ok(_) => good("http.listen", format!("{listen} can be listened on")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            note("http.listen", format!("{listen} is in use; by this bot, if `reprise health` says so"))
        }
        Err(error) => {
            bad("http.listen", format!("{listen}: {error}. Give an address of this machine and a free port."))
        }
    };
    vec![finding]
}

async fn try_bkci(settings: &Settings, as_user: Option<(Uid, ProjectId)>) -> Vec<Finding> {
    let client = match bkci::Client::new(run::bkci_options(settings)) {
        Ok(client) => client,
        Err(error) => return vec![bad(BKCI, format!("{error:#}"))],
    };
    let reached = client.reach().await;
    let usable = reached.is_ok();
    let mut found = vec![match reached {
        Ok(()) => good(BKCI, "BK-CI answers and accepts the application"),
        Err(error) => bkci_fault(error),
    }];
    found.extend(match as_user {
        Some((uid, project)) if usable => Some(try_project(&client, &uid, &project).await),
        Some((uid, project)) => Some(note("--as, --project", format!("{project} was not tried as {uid}"))),
        None => None,
    });
    found
}

async fn try_project(client: &bkci::Client, uid: &Uid, project: &ProjectId) -> Finding {
    const KEY: &str = "--as, --project";
    match client.project(uid, project).await {
        Ok(()) => good(KEY, format!("BK-CI shows the project {project} to {uid}")),
        Err(bkci::Error::Rejected(Rejection { code: 403 | 2_101_008, .. })) => bad(
            KEY,
            format!("{uid} may not see the project {project}, or BK-CI knows no such user. Ask its administrator."),
        ),
        Err(bkci::Error::Rejected(Rejection { code: 404, .. })) => bad(
            KEY,
            format!("BK-CI knows no project {project}. Give its English name, as in the address of its pages."),
        ),
        Err(error) => bkci_fault(error),
    }
}

fn bkci_fault(error: bkci::Error) -> Finding {
    match error {
        bkci::Error::NotSent { hint, .. } => bad(
            "bkci.base_url",
            format!("{hint}. Is the address right, and may this machine reach it? No proxy is used."),
        ),
        bkci::Error::Unanswered { hint, .. } => {
            bad("bkci.base_url", format!("it is reached, but {hint}. Try again; then ask who runs BK-CI."))
        }
        bkci::Error::Unreadable { hint, .. } => {
            bad("bkci.base_url", format!("{hint}: what answers there is not BK-CI. Is the address right?"))
        }
        bkci::Error::Misconfigured { hint, .. } => bad(BKCI, hint),
        bkci::Error::Rejected(Rejection { code, http, message, .. }) => {
            bad(BKCI, format!("refused with {code} (HTTP {http}): {}. Try again in a minute.", message.escape_debug()))
        }
    }
}

/// Nobody need have callbacks: what is watched is polled. Half of what they need is a mistake.
fn callbacks(settings: &Settings) -> Vec<Finding> {
    const KEY: &str = "http.public_url, bkci.callback_token";
    let (url, token) = (settings.http.public_url.as_deref(), settings.bkci.callback_token.as_ref());
    let found = match (url, token, settings.callbacks()) {
        (None, None, _) if settings.follow.project_callbacks => {
            note("follow.project_callbacks", "without http.public_url and bkci.callback_token none are registered")
        }
        (None, None, _) => return Vec::new(),
        (Some(_), None, _) => bad(
            "bkci.callback_token",
            "is empty, so no callbacks are registered though http.public_url is set. Give a random token, or unset both.",
        ),
        (None, Some(_), _) => note(
            "http.public_url",
            "is empty, so callbacks are accepted and none are registered; what is watched is polled",
        ),
        (Some(_), Some(_), None) => note(
            "follow.project_callbacks",
            "bkci.api v3 has callbacks of whole projects only. Set it to true, or use v4; what is watched is polled",
        ),
        (Some(_), Some(_), Some(callbacks)) => {
            let of = if callbacks.of_projects { "of whole projects" } else { "of single pipelines" };
            let text = format!("callbacks {of} are registered for {} when a watch is added", callbacks.url);
            match callbacks.url.starts_with("https://") {
                true => good(KEY, text),
                false => note(KEY, format!("{text}; by http:// the token can be read on its way")),
            }
        }
    };
    vec![found]
}

fn without_effect(settings: &Settings) -> Vec<Finding> {
    let keys = settings.without_effect.iter();
    keys.map(|key| note(key, "is set, and has no effect in this version")).collect()
}
