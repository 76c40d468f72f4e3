//! Messages that are commands in words: from what Discord delivered to a [`Request`]. Pure.

use serenity::all::{Message, MessageType};

use crate::commands::words::{self, Heard};
use crate::commands::{Command, Origin, Request};
use crate::model::ids::{ChannelId, GuildId, InteractionId, RoleId, UserId};
use crate::model::{Actor, Locale, Place};

/// Reads a message of a server. `None`: it is no command. The languages are English: a message tells none.
///
/// Discord says nothing of what its author may do there, so Manage Server is never seen here.
pub fn read(message: &Message, bot: UserId) -> Option<Request> {
    let (Some(guild), Some(member)) = (message.guild_id, message.member.as_deref()) else { return None };
    if !matches!(message.kind, MessageType::Regular | MessageType::InlineReply) {
        return None;
    }
    let heard = Heard {
        text: &message.content,
        by_bot: message.author.bot,
        by_webhook: message.webhook_id.is_some(),
        edited: message.edited_timestamp.is_some(),
    };
    let typed = words::addressed(heard, bot)?;
    let command = match words::parse(typed) {
        Ok(words) => words.into(),
        Err(mistake) => Command::Mistaken { typed: typed.to_owned(), mistake },
    };
    Some(Request {
        interaction: InteractionId(message.id.get()),
        token: None,
        actor: Actor {
            user: UserId(message.author.id.get()),
            roles: member.roles.iter().map(|role| RoleId(role.get())).collect(),
            manage_server: false,
        },
        place: Place { guild: GuildId(guild.get()), channel: ChannelId(message.channel_id.get()) },
        locale: Locale::default(),
        guild_locale: Locale::default(),
        origin: Origin::Message,
        command,
    })
}
