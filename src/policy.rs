//! Who may do what. Pure: from the settings and what Discord says of the member, nothing else.

use crate::config;
use crate::model::ids::GuildId;
use crate::model::{Actor, Place};

/// Whether this server is served at all (contract 2, `discord.guild_ids`).
pub fn serves(discord: &config::Discord, guild: GuildId) -> bool {
    discord.guild_ids.is_empty() || discord.guild_ids.contains(&guild.0)
}

/// Whether this person may administer mappings. A mapping is the right to act as somebody, so Manage Server counts only
/// in a server that the operator listed: anybody can have it in a server of their own (contract 2, `admin.*`).
pub fn administers(settings: &config::Settings, actor: &Actor, place: &Place) -> bool {
    let listed = settings.discord.guild_ids.contains(&place.guild.0);
    let by_role = listed || settings.discord.guild_ids.is_empty();
    settings.admin.users.contains(&actor.user.0)
        || (by_role && actor.roles.iter().any(|role| settings.admin.roles.contains(&role.0)))
        || (listed && actor.manage_server)
}
