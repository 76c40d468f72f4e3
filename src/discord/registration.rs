//! Where the commands are registered, and where they must not be any more.
//!
//! They belong into the servers of `discord.guild_ids`, or into the global scope when none is listed. Everywhere else,
//! what an earlier configuration left is cleared, so that no command shows twice or leads nowhere.

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;
use serenity::all::{CreateCommand, GuildId as Guild, LightMethod, Permissions, Request, Route};

use super::client::{Client, Error};
use super::slash::{self, Describe, Scope};

/// As many servers come with one answer (Discord's reference, Get Current User Guilds).
const PAGE: usize = 200;

/// What registering came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Whether anything had to be written.
    pub changed: bool,
}

/// All that is read of a server.
#[derive(Deserialize)]
struct Server {
    id: Guild,
    permissions: Permissions,
}

/// One server, or the global scope.
type Place = Option<Guild>;

impl Client {
    /// Registers the commands where they belong and differ, and clears the global scope where they do not belong there.
    ///
    /// # Errors
    /// Discord cannot be reached or refuses, with the server it is about.
    pub async fn register(&self, guilds: &[u64], describe: &Describe) -> anyhow::Result<Registered> {
        let defined = slash::definitions(Scope::from(guilds.is_empty()), describe);
        let wrong = self.differences(guilds, &defined).await?;
        for (place, commands) in &wrong {
            self.put(*place, commands).await?;
        }
        Ok(Registered { changed: !wrong.is_empty() })
    }

    /// Whether the commands are registered as this version defines them.
    ///
    /// # Errors
    /// As [`Self::register`].
    pub async fn is_registered(&self, guilds: &[u64], describe: &Describe) -> anyhow::Result<bool> {
        let defined = slash::definitions(Scope::from(guilds.is_empty()), describe);
        Ok(self.differences(guilds, &defined).await?.is_empty())
    }

    /// Clears every server the bot is in and that is not listed. One after the other, so with many servers it takes a
    /// while: Discord allows a few requests a second.
    ///
    /// # Errors
    /// As [`Self::register`].
    pub async fn clear_elsewhere(&self, guilds: &[u64]) -> anyhow::Result<Registered> {
        let mut changed = false;
        for server in self.servers().await?.into_iter().filter(|server| !guilds.contains(&server.id.get())) {
            let place = Some(server.id);
            match self.registered(place).await {
                Ok(commands) if commands.is_empty() => {}
                Ok(_) => {
                    self.put(place, &[]).await?;
                    changed = true;
                }
                // Left a moment ago, or invited without commands: there are none.
                Err(Error::Forbidden { .. } | Error::Gone { .. }) => {}
                Err(error) => return Err(error).with_context(|| reading(place)),
            }
        }
        Ok(Registered { changed })
    }

    /// Removes every command of this application, in both scopes.
    ///
    /// # Errors
    /// As [`Self::register`].
    pub async fn clear(&self, guilds: &[u64]) -> anyhow::Result<()> {
        for (place, commands) in self.differences(guilds, &[]).await? {
            self.put(place, commands).await?;
        }
        self.clear_elsewhere(guilds).await?;
        Ok(())
    }

    /// Where something else is registered than what belongs there, and what does: in the listed servers the commands
    /// and globally none, or globally the commands.
    async fn differences<'a>(
        &self,
        guilds: &[u64],
        defined: &'a [CreateCommand],
    ) -> anyhow::Result<Vec<(Place, &'a [CreateCommand])>> {
        let scope = Scope::from(guilds.is_empty());
        let listed = guilds.iter().map(|guild| (Some(Guild::new(*guild)), defined));
        let global = match scope {
            Scope::Global => defined,
            Scope::Guild => &[],
        };
        let mut wrong = Vec::new();
        for (place, commands) in listed.chain(std::iter::once((None, global))) {
            let registered = self.registered(place).await.with_context(|| reading(place))?;
            if slash::differs(scope, commands, &registered) {
                wrong.push((place, commands));
            }
        }
        Ok(wrong)
    }

    /// Every server the bot is in, page by page.
    async fn servers(&self) -> anyhow::Result<Vec<Server>> {
        let mut servers: Vec<Server> = Vec::new();
        loop {
            let after = servers.last().map(|server| ("after", server.id.to_string()));
            let params = std::iter::once(("limit", PAGE.to_string())).chain(after).collect();
            let request = Request::new(Route::UserMeGuilds, LightMethod::Get).params(Some(params));
            let page: Vec<Server> = self.fire(request).await.context("asking Discord for this bot's servers")?;
            let full = page.len() == PAGE;
            servers.extend(page);
            if !full {
                return Ok(servers);
            }
        }
    }

    async fn registered(&self, place: Place) -> Result<Vec<Value>, Error> {
        let params = Some(vec![("with_localizations", "true".to_owned())]);
        self.fire(Request::new(self.route(place), LightMethod::Get).params(params)).await
    }

    async fn put(&self, place: Place, commands: &[CreateCommand]) -> anyhow::Result<()> {
        let body = Some(serde_json::to_vec(commands)?);
        let put = self.call::<Vec<Value>>(LightMethod::Put, self.route(place), body).await;
        put.with_context(|| format!("registering the commands {}", named(place)))?;
        Ok(())
    }

    fn route(&self, place: Place) -> Route<'static> {
        let application_id = self.application_id().into();
        match place {
            Some(guild_id) => Route::GuildCommands { application_id, guild_id },
            None => Route::Commands { application_id },
        }
    }

    /// What the bot may do in a server, in words, for `reprise check`.
    ///
    /// # Errors
    /// The bot is not in that server, or lacks a permission everywhere there.
    pub async fn permissions(&self, guild: u64) -> anyhow::Result<String> {
        let server = self.servers().await?.into_iter().find(|server| server.id.get() == guild);
        let server = server.context("the bot is not there")?;
        let wanted = Permissions::VIEW_CHANNEL | Permissions::SEND_MESSAGES | Permissions::EMBED_LINKS;
        let missing = wanted - server.permissions;
        let all = missing.is_empty() || server.permissions.administrator();
        anyhow::ensure!(all, "the bot lacks there: {}", missing.get_permission_names().join(", "));
        Ok("the bot is there, and may view channels, send messages and embed links".to_owned())
    }
}

fn reading(place: Place) -> String {
    format!("reading the commands that are registered {}", named(place))
}

fn named(place: Place) -> String {
    place.map_or_else(|| "globally".to_owned(), |guild| format!("in the server {guild}"))
}
