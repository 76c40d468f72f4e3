//! Discord's part of `reprise check`: the token, the application, the way interactions take, and each server.

use super::{Finding, bad, good, note};
use crate::clock::Clock;
use crate::config::{self, Settings};
use crate::discord::client::{self, Client};
use crate::discord::gateway::Gateway;
use crate::{run, text};

/// View Channel, Send Messages, Embed Links (discord-rules 5).
const PERMISSIONS: u64 = 1 << 10 | 1 << 11 | 1 << 14;

pub(super) async fn try_discord(settings: &Settings) -> Vec<Finding> {
    let mut found: Vec<Finding> = who_administers(settings).into_iter().collect();
    let options = match run::discord_options(settings) {
        Ok(options) => options,
        Err(error) => {
            found.push(bad("discord.ca_file", format!("{error:#}")));
            return found;
        }
    };
    let client = match Client::connect(options.clone()).await {
        Ok(client) => client,
        Err(error) => {
            found.push(discord_fault(settings, &error));
            return found;
        }
    };
    found.push(good("discord.token", format!("Discord knows it: application {}", client.application_id())));
    found.extend(try_transport(settings, &client, &options).await);
    if settings.discord.guild_ids.is_empty() {
        found.push(try_commands(&client, None).await);
    }
    for guild in &settings.discord.guild_ids {
        found.push(try_permissions(&client, *guild).await);
        found.push(try_commands(&client, Some(*guild)).await);
    }
    found
}

/// What an empty `discord.guild_ids` means (contract 2, `admin.*`).
fn who_administers(settings: &Settings) -> Option<Finding> {
    let admin = &settings.admin;
    let text = match (settings.discord.guild_ids.is_empty(), admin.users.is_empty() && admin.roles.is_empty()) {
        (false, _) => return None,
        (true, false) => {
            "is empty: every server is served, and only admin.users and admin.roles administer. List your servers to let \
             people with Manage Server in them administer too."
        }
        (true, true) => {
            "is empty, and so are admin.users and admin.roles: every server is served and nobody administers. List your \
             servers here, or name administrators; until then only `reprise mapping import` adds mappings."
        }
    };
    Some(note("discord.guild_ids", text))
}

fn discord_fault(settings: &Settings, error: &anyhow::Error) -> Finding {
    use client::Error;
    match error.downcast_ref::<Error>() {
        Some(Error::Unauthorized) => {
            let todo = "Developer portal › Bot › Reset Token gives a new one.";
            bad("discord.token", format!("Discord does not accept it. {todo}"))
        }
        Some(Error::NotSent) => match settings.discord.connect_to {
            Some(_) => bad(
                "discord.connect_to",
                "nothing answers there as discord.com, or not with a certificate that is trusted (discord.ca_file).",
            ),
            None => bad(
                "discord.connect_to",
                "discord.com cannot be reached. Let this machine through to it, or name a relay here.",
            ),
        },
        Some(
            Error::RateLimited
            | Error::Unanswered { .. }
            | Error::Gone { .. }
            | Error::AlreadyAcknowledged
            | Error::Forbidden { .. }
            | Error::Refused { .. },
        ) => bad("discord.token", format!("{error:#}. Try again in a minute; Discord itself may be in trouble.")),
        None => bad("discord.connect_to", format!("{error:#}. Look at discord.connect_to and discord.ca_file.")),
    }
}

/// Discord sends interactions one way only, as its side is set up (discord-rules 1, "Delivery").
async fn try_transport(settings: &Settings, client: &Client, options: &client::Options) -> Vec<Finding> {
    let application = match client.application().await {
        Ok(application) => application,
        Err(error) => return vec![bad("discord.token", format!("{error}. Try again in a minute."))],
    };
    let mut found = Vec::new();
    if application.public {
        let todo = "Switch it off: developer portal › Bot.";
        found.push(note("discord.token", format!("Public Bot is on, so anybody may invite this bot. {todo}")));
    }
    match (settings.discord.transport, &application.endpoint) {
        (config::Transport::Gateway, Some(endpoint)) => found.push(bad(
            "discord.transport",
            format!(
                "Discord sends interactions to {endpoint} and none to the gateway. Empty the Interactions Endpoint URL \
                 (developer portal › General Information), or set \"http\"."
            ),
        )),
        (config::Transport::Gateway, None) => {
            let gateway = Gateway::connect(client, options, Clock::default()).await;
            found.push(match gateway {
                Ok(_) => good("discord.transport", "interactions come by the gateway, and Discord says where it is"),
                Err(error) => bad("discord.transport", format!("{error:#}. Try again in a minute.")),
            });
        }
        (config::Transport::Http, Some(endpoint)) => {
            found.push(good("discord.transport", format!("Discord sends interactions to {endpoint}")));
        }
        (config::Transport::Http, None) => found.push(bad(
            "discord.transport",
            "Discord does not know where to send interactions. Start `reprise serve`, then enter \
             https://…/discord/interactions as Interactions Endpoint URL (developer portal › General Information).",
        )),
    }
    let key = settings.discord.public_key.as_ref();
    if key.is_some_and(|key| !key.eq_ignore_ascii_case(&application.public_key)) {
        let todo = "Copy it: developer portal › General Information.";
        found.push(bad("discord.public_key", format!("is not this application's. {todo}")));
    }
    found
}

async fn try_permissions(client: &Client, guild: u64) -> Finding {
    match client.permissions(guild).await {
        Ok(what) => good("discord.guild_ids", format!("server {guild}: {what}")),
        Err(error) => bad("discord.guild_ids", format!("server {guild}: {error:#}. {}", invite(client, guild))),
    }
}

/// `serve` registers by itself, so commands that differ are no fault; that they cannot be read is one.
async fn try_commands(client: &Client, guild: Option<u64>) -> Finding {
    let place = guild.map_or_else(|| "globally".to_owned(), |guild| format!("server {guild}"));
    match client.is_registered(guild.as_slice(), &text::command_description).await {
        Ok(true) => good("discord.guild_ids", format!("{place}: the commands are registered as this version has them")),
        Ok(false) => {
            let text = "the commands are not registered as this version has them; `serve` does so when it starts";
            note("discord.guild_ids", format!("{place}: {text}"))
        }
        Err(error) => {
            let todo = guild.map_or_else(|| "Try again in a minute.".to_owned(), |guild| invite(client, guild));
            bad("discord.guild_ids", format!("{place}: {error:#}. {todo}"))
        }
    }
}

fn invite(client: &Client, guild: u64) -> String {
    let application = client.application_id();
    format!(
        "Invite the bot (again) with all it needs: https://discord.com/oauth2/authorize?client_id={application}\
         &scope=bot+applications.commands&permissions={PERMISSIONS}&guild_id={guild}"
    )
}
