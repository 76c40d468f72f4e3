//! Permission bits and how they are computed for a channel (`discord-rules.md` 5, `topics/permissions`).

use super::state::{Channel, Guild, State};

macro_rules! bits {
    ($($name:ident = $bit:literal),* $(,)?) => {
        $(
            #[doc = concat!("`", stringify!($name), "`, bit ", stringify!($bit), ".")]
            pub const $name: u64 = 1 << $bit;
        )*
    };
}

bits! {
    ADMINISTRATOR = 3, MANAGE_GUILD = 5, ADD_REACTIONS = 6, VIEW_CHANNEL = 10, SEND_MESSAGES = 11,
    MANAGE_MESSAGES = 13, EMBED_LINKS = 14, ATTACH_FILES = 15, READ_MESSAGE_HISTORY = 16, MENTION_EVERYONE = 17,
    USE_APPLICATION_COMMANDS = 31, CREATE_PUBLIC_THREADS = 35, SEND_MESSAGES_IN_THREADS = 38,
}

/// All bits that exist today: what an administrator or the owner has.
pub const ALL: u64 = (1 << 53) - 1;

/// What `@everyone` may do in a new server here.
pub const EVERYONE: u64 = VIEW_CHANNEL
    | SEND_MESSAGES
    | ADD_REACTIONS
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | USE_APPLICATION_COMMANDS
    | CREATE_PUBLIC_THREADS
    | SEND_MESSAGES_IN_THREADS;

/// What the bot's own role carries when it is invited with the permissions the README asks for.
pub const INVITED_BOT: u64 = VIEW_CHANNEL | SEND_MESSAGES | EMBED_LINKS | ATTACH_FILES | READ_MESSAGE_HISTORY;

/// Whom a channel overwrite is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A role; the server's own id means `@everyone`.
    Role(u64),
    /// A member, the bot's user included.
    Member(u64),
}

/// A channel's exception from the server-wide permissions.
#[derive(Clone, Copy, Debug)]
pub struct Overwrite {
    /// For whom.
    pub target: Target,
    /// Bits that are added.
    pub allow: u64,
    /// Bits that are taken away.
    pub deny: u64,
}

/// What the administrators of a server have set for one of its commands.
#[derive(Clone, Debug)]
pub(super) struct CommandPermission {
    pub guild: u64,
    pub command: String,
    pub target: Target,
    pub may: bool,
}

impl Channel {
    /// What it takes to post in it: in a thread SEND_MESSAGES has no effect (`discord-rules.md` 5).
    pub(super) fn needs_to_send(&self) -> u64 {
        if self.parent.is_some() { SEND_MESSAGES_IN_THREADS } else { SEND_MESSAGES }
    }
}

impl Guild {
    /// Server-wide permissions of a member; nothing for whoever is not one.
    pub(super) fn permissions_of(&self, user: u64) -> u64 {
        let Some(member) = self.members.get(&user) else { return 0 };
        if self.owner == user {
            return ALL;
        }
        let held = self.roles.values().filter(|role| role.id == self.id || member.roles.contains(&role.id));
        let bits = held.fold(0, |bits, role| bits | role.permissions);
        if bits & ADMINISTRATOR != 0 { ALL } else { bits }
    }
}

impl State {
    /// Permissions of `user` in `channel`: the computation of `discord-rules.md` 5, with the implicit denials. A thread
    /// has its channel's overwrites.
    pub(super) fn permissions_in(&self, channel: u64, user: u64) -> u64 {
        let Some(channel) = self.channels.get(&channel) else { return 0 };
        let Some(guild_id) = channel.guild else {
            let takes_part = channel.recipient == Some(user) || user == self.bot.user;
            return if takes_part { EVERYONE } else { 0 };
        };
        let Some(guild) = self.guilds.get(&guild_id) else { return 0 };
        let mut bits = guild.permissions_of(user);
        if bits == ALL || bits == 0 {
            return bits;
        }
        let roles = guild.members.get(&user).map(|member| member.roles.clone()).unwrap_or_default();
        let overwrites = channel.parent.and_then(|parent| self.channels.get(&parent)).unwrap_or(channel);
        let of = |wanted: &dyn Fn(Target) -> bool| {
            let fitting = overwrites.overwrites.iter().filter(|overwrite| wanted(overwrite.target));
            fitting.fold((0, 0), |(allow, deny), one| (allow | one.allow, deny | one.deny))
        };
        for (allow, deny) in [
            of(&|target| target == Target::Role(guild_id)),
            of(&|target| matches!(target, Target::Role(role) if roles.contains(&role))),
            of(&|target| target == Target::Member(user)),
        ] {
            bits = (bits & !deny) | allow;
        }
        if bits & VIEW_CHANNEL == 0 {
            return 0;
        }
        if bits & channel.needs_to_send() == 0 {
            bits &= !(EMBED_LINKS | ATTACH_FILES | MENTION_EVERYONE);
        }
        bits
    }

    /// Permissions of the bot in `channel`.
    pub(super) fn bot_permissions_in(&self, channel: u64) -> u64 {
        self.permissions_in(channel, self.bot.user)
    }

    /// Whether a client offers a command of a server to somebody (`discord-rules.md` 3): to administrators always, to
    /// others as its administrators have set it, else by the command's default, where 0 is for administrators only.
    pub(super) fn may_use(&self, command: &str, default: Option<u64>, channel: u64, user: u64) -> bool {
        let held = self.permissions_in(channel, user);
        let by_default = || default.is_none_or(|wanted| wanted != 0 && held & wanted == wanted);
        held & USE_APPLICATION_COMMANDS != 0
            && (held & ADMINISTRATOR != 0 || self.permitted(command, channel, user).unwrap_or_else(by_default))
    }

    /// What the administrators have set: for the person, else for any of their roles, else for everybody (the server's
    /// own id).
    fn permitted(&self, command: &str, channel: u64, user: u64) -> Option<bool> {
        let guild = self.channels.get(&channel)?.guild?;
        let roles = &self.guilds.get(&guild)?.members.get(&user)?.roles;
        let of = |fits: &dyn Fn(Target) -> bool| {
            let set = self.command_permissions.iter().filter(|set| set.guild == guild && set.command == command);
            set.filter(|set| fits(set.target)).map(|set| set.may).reduce(|one, another| one || another)
        };
        of(&|target| target == Target::Member(user))
            .or_else(|| of(&|target| matches!(target, Target::Role(role) if roles.contains(&role))))
            .or_else(|| of(&|target| target == Target::Role(guild)))
    }
}
