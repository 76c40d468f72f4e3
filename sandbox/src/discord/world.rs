//! Building the world: servers, channels, people, roles and what they may do.

use std::collections::BTreeMap;

use serde_json::json;

use super::gateway::{Event, GUILDS};
use super::permissions::{CommandPermission, EVERYONE, INVITED_BOT, Overwrite, Target};
use super::rest::users::dm_channel;
use super::state::{Channel, Guild, Member, Role, State, User};
use super::{Discord, payload};

impl Discord {
    /// A server, owned by a person of its own, that the bot was invited to. `preferred_locale` such as `en-US`.
    pub fn add_guild(&self, name: &str, preferred_locale: &str) -> u64 {
        self.change(|state| {
            let owner = add_user(state, &format!("Owner of {name}"), false);
            let id = state.ids.next();
            let everyone =
                Role { id, name: "@everyone".into(), permissions: EVERYONE, managed: false, mentionable: false };
            let guild = Guild {
                id,
                name: name.into(),
                owner,
                preferred_locale: preferred_locale.into(),
                roles: BTreeMap::from([(id, everyone)]),
                members: BTreeMap::new(),
            };
            state.guilds.insert(id, guild);
            add_member(state, id, owner, Vec::new());
            let bot = state.bot.user;
            let role = add_role(state, id, "The bot's own role", INVITED_BOT, true);
            add_member(state, id, bot, vec![role]);
            announce(state, id);
            id
        })
    }

    /// Makes a member the owner.
    pub fn set_owner(&self, guild: u64, user: u64) {
        self.change(|state| {
            if let Some(guild) = state.guilds.get_mut(&guild) {
                guild.owner = user;
            }
        });
    }

    /// A text channel.
    pub fn add_channel(&self, guild: u64, name: &str) -> u64 {
        self.change(|state| {
            let id = state.ids.next();
            let (guild, overwrites) = (Some(guild), Vec::new());
            let channel = Channel { id, guild, name: name.into(), recipient: None, overwrites, parent: None };
            announce_channel(state, "CHANNEL_CREATE", channel)
        })
    }

    /// A public thread in a text channel, whose overwrites it has (`topics/threads`).
    pub fn add_thread(&self, parent: u64, name: &str) -> u64 {
        self.change(|state| {
            let id = state.ids.next();
            let guild = state.channels.get(&parent).and_then(|channel| channel.guild);
            let (overwrites, parent) = (Vec::new(), Some(parent));
            let thread = Channel { id, guild, name: name.into(), recipient: None, overwrites, parent };
            announce_channel(state, "THREAD_CREATE", thread)
        })
    }

    /// Deletes a channel with all that was said in it.
    pub fn delete_channel(&self, channel: u64) {
        self.change(|state| {
            let Some(gone) = state.channels.remove(&channel) else { return };
            let data = payload::channel(state, &gone);
            state.messages.retain(|_, message| message.channel != channel);
            let now_ms = state.now_ms();
            let event = Event { name: "CHANNEL_DELETE", guild: gone.guild, intents: GUILDS };
            state.gateway.dispatch(&event, now_ms, |_| data.clone());
        });
    }

    /// The direct messages of the bot with a person.
    pub fn dm_channel(&self, user: u64) -> u64 {
        self.change(|state| dm_channel(state, user).id)
    }

    /// A person.
    pub fn add_user(&self, name: &str) -> u64 {
        self.change(|state| add_user(state, name, false))
    }

    /// Another bot.
    pub fn add_bot_user(&self, name: &str) -> u64 {
        self.change(|state| add_user(state, name, true))
    }

    /// Whether a person refuses direct messages from bots.
    pub fn close_dms(&self, user: u64, closed: bool) {
        self.change(|state| {
            if let Some(user) = state.users.get_mut(&user) {
                user.closed_dms = closed;
            }
        });
    }

    /// The language of a person's client, `en-US` until then: what presses and forms come in. Commands name their own.
    pub fn set_locale(&self, user: u64, locale: &str) {
        self.change(|state| {
            if let Some(user) = state.users.get_mut(&user) {
                user.locale = locale.into();
            }
        });
    }

    /// A role that cannot be mentioned by everybody, as new ones are; answers its id.
    pub fn add_role(&self, guild: u64, name: &str, permissions: u64) -> u64 {
        self.change(|state| add_role(state, guild, name, permissions, false))
    }

    /// Whether anybody may mention a role.
    pub fn set_mentionable(&self, guild: u64, role: u64, mentionable: bool) {
        self.change(|state| {
            let guild = state.guilds.get_mut(&guild);
            if let Some(role) = guild.and_then(|guild| guild.roles.get_mut(&role)) {
                role.mentionable = mentionable;
            }
        });
    }

    /// Makes a user a member with these roles. `permissions` beyond those come with a role of their own, as they can
    /// only do there.
    pub fn join(&self, guild: u64, user: u64, permissions: u64, roles: &[u64]) {
        self.change(|state| {
            let mut roles = roles.to_vec();
            if permissions != 0 {
                roles.push(add_role(state, guild, &format!("Permissions of {user}"), permissions, false));
            }
            add_member(state, guild, user, roles);
        });
    }

    /// Removes a member; for the bot itself, its sessions are told.
    pub fn leave(&self, guild: u64, user: u64) {
        self.change(|state| {
            if let Some(guild) = state.guilds.get_mut(&guild) {
                guild.members.remove(&user);
            }
            if user == state.bot.user {
                let now_ms = state.now_ms();
                let event = Event { name: "GUILD_DELETE", guild: Some(guild), intents: GUILDS };
                // Without `unavailable` it means that the bot was removed.
                state.gateway.dispatch(&event, now_ms, |_| json!({ "id": guild.to_string() }));
            }
        });
    }

    /// Invites the bot again.
    pub fn invite_bot(&self, guild: u64) {
        self.change(|state| {
            let bot = state.bot.user;
            let own = state.guilds.get(&guild).and_then(|guild| guild.roles.values().find(|role| role.managed));
            let roles = own.map(|role| role.id).into_iter().collect();
            add_member(state, guild, bot, roles);
            announce(state, guild);
        });
    }

    /// Sets what the bot's own role carries in a server.
    pub fn set_bot_permissions(&self, guild: u64, permissions: u64) {
        self.change(|state| {
            let guild = state.guilds.get_mut(&guild);
            if let Some(role) = guild.and_then(|guild| guild.roles.values_mut().find(|role| role.managed)) {
                role.permissions = permissions;
            }
        });
    }

    /// Sets what everybody may do in a server.
    pub fn set_everyone_permissions(&self, guild: u64, permissions: u64) {
        self.change(|state| {
            let everyone = state.guilds.get_mut(&guild).and_then(|server| server.roles.get_mut(&guild));
            if let Some(role) = everyone {
                role.permissions = permissions;
            }
        });
    }

    /// Adds a channel overwrite, in place of an earlier one for the same target.
    pub fn overwrite(&self, channel: u64, target: Target, allow: u64, deny: u64) {
        self.change(|state| {
            if let Some(channel) = state.channels.get_mut(&channel) {
                channel.overwrites.retain(|one| one.target != target);
                channel.overwrites.push(Overwrite { target, allow, deny });
            }
        });
    }

    /// Opens a command to somebody, or closes it, as administrators of a server can in its settings. In place of an
    /// earlier setting for the same target.
    pub fn permit_command(&self, guild: u64, command: &str, target: Target, may: bool) {
        let set = CommandPermission { guild, command: command.to_owned(), target, may };
        self.change(|state| {
            let is_new =
                |old: &CommandPermission| (old.guild, &old.command, old.target) != (guild, &set.command, target);
            state.command_permissions.retain(is_new);
            state.command_permissions.push(set);
        });
    }

    /// What the bot may do in a channel.
    pub fn bot_permissions(&self, channel: u64) -> u64 {
        self.look_at(|state| state.bot_permissions_in(channel))
    }
}

pub(super) fn add_user(state: &mut State, name: &str, bot: bool) -> u64 {
    let id = state.ids.next();
    state.users.insert(id, User { id, name: name.into(), bot, locale: "en-US".into(), closed_dms: false });
    id
}

fn add_role(state: &mut State, guild: u64, name: &str, permissions: u64, managed: bool) -> u64 {
    let id = state.ids.next();
    if let Some(guild) = state.guilds.get_mut(&guild) {
        guild.roles.insert(id, Role { id, name: name.into(), permissions, managed, mentionable: false });
    }
    id
}

fn add_member(state: &mut State, guild: u64, user: u64, roles: Vec<u64>) {
    let joined_ms = state.now_ms();
    if let Some(guild) = state.guilds.get_mut(&guild) {
        guild.members.insert(user, Member { roles, joined_ms });
    }
}

fn announce_channel(state: &mut State, name: &'static str, channel: Channel) -> u64 {
    let (id, guild) = (channel.id, channel.guild);
    let data = payload::channel(state, &channel);
    state.channels.insert(id, channel);
    let now_ms = state.now_ms();
    state.gateway.dispatch(&Event { name, guild, intents: GUILDS }, now_ms, |_| data.clone());
    id
}

/// Tells the sessions of a server that the bot is in now.
fn announce(state: &mut State, guild: u64) {
    if let Some(data) = payload::guild_create(state, guild) {
        let now_ms = state.now_ms();
        let event = Event { name: "GUILD_CREATE", guild: Some(guild), intents: GUILDS };
        state.gateway.dispatch(&event, now_ms, |_| data.clone());
    }
}
