//! Everything the double remembers: the world, what was said in it, what the bot registered and was sent.
//!
//! One value behind one lock. Nothing in here waits, so the lock is never held across an await.

use std::collections::{BTreeMap, HashMap};

use ed25519_dalek::SigningKey;
use serde_json::Value;

use super::faults::Standing;
use super::gateway::Gateway;
use super::ids::Snowflakes;
use super::limits::Limits;
use super::permissions::{CommandPermission, Overwrite};
use crate::clock::Clock;

/// `MessageFlags::SUPPRESS_EMBEDS`.
pub(super) const SUPPRESS_EMBEDS: u64 = 1 << 2;
/// `MessageFlags::EPHEMERAL`.
pub(super) const EPHEMERAL: u64 = 1 << 6;
/// `MessageFlags::LOADING`.
pub(super) const LOADING: u64 = 1 << 7;
/// `MessageFlags::SUPPRESS_NOTIFICATIONS`.
pub(super) const SUPPRESS_NOTIFICATIONS: u64 = 1 << 12;
/// `MessageFlags::IS_COMPONENTS_V2`.
pub(super) const COMPONENTS_V2: u64 = 1 << 15;

/// How every interaction token starts here.
pub(super) const TOKEN_PREFIX: &str = "interaction-token-";

/// The application under test.
pub(super) struct Bot {
    pub token: String,
    pub application: u64,
    pub user: u64,
    pub key: SigningKey,
}

/// A person, or a bot.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub id: u64,
    pub name: String,
    pub bot: bool,
    /// The language of their client.
    pub locale: String,
    /// Refuses direct messages from bots.
    pub closed_dms: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Role {
    pub id: u64,
    pub name: String,
    pub permissions: u64,
    /// Made by an integration: the bot's own role.
    pub managed: bool,
    /// Anybody may mention it.
    pub mentionable: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub roles: Vec<u64>,
    pub joined_ms: i64,
}

/// A server.
#[derive(Clone, Debug)]
pub(super) struct Guild {
    pub id: u64,
    pub name: String,
    pub owner: u64,
    pub preferred_locale: String,
    pub roles: BTreeMap<u64, Role>,
    pub members: BTreeMap<u64, Member>,
}

/// A text channel of a server, a public thread in one, or the direct messages of the bot with one person.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub id: u64,
    pub guild: Option<u64>,
    pub name: String,
    pub recipient: Option<u64>,
    /// Its own; a thread has none (`topics/threads`).
    pub overwrites: Vec<Overwrite>,
    /// The channel that it is a thread of. Nothing archives threads here.
    pub parent: Option<u64>,
}

/// Whom a message pinged when it was made; an edit pings nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pinged {
    /// People who see the message.
    pub users: Vec<u64>,
    /// Roles.
    pub roles: Vec<u64>,
    /// Everyone.
    pub everyone: bool,
}

impl Pinged {
    /// It pinged nobody.
    pub fn is_nobody(&self) -> bool {
        self.users.is_empty() && self.roles.is_empty() && !self.everyone
    }
}

/// Who used what, when a message answers an interaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// The interaction's id.
    pub id: u64,
    /// Interaction type: 2 command, 3 component, 5 form.
    pub kind: u8,
    /// Who acted.
    pub user: u64,
    /// The command's full name, or the component's `custom_id`.
    pub name: String,
}

/// A message as it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Snowflake.
    pub id: u64,
    /// Where it stands.
    pub channel: u64,
    /// Whose it is: a user's id.
    pub author: u64,
    /// Set when an ordinary webhook (not an interaction) wrote it: the name it used.
    pub webhook: Option<String>,
    /// The text.
    pub content: String,
    /// Embeds as stored.
    pub embeds: Vec<Value>,
    /// Components as stored.
    pub components: Vec<Value>,
    /// Attachment objects.
    pub attachments: Vec<Value>,
    /// Bit set of message flags.
    pub flags: u64,
    /// Given by the sender.
    pub nonce: Option<String>,
    /// When it was made, by the double's clock.
    pub created_ms: i64,
    /// When it was last edited.
    pub edited_ms: Option<i64>,
    /// When it was changed after it first showed something, by the double's clock: filling in a deferred answer does not
    /// count.
    pub edits: Vec<i64>,
    /// Set on private (ephemeral) messages: the only person who sees it.
    pub viewer: Option<u64>,
    /// The interaction that it answers.
    pub interaction: Option<Used>,
    /// The message that it replies to.
    pub reply_to: Option<u64>,
    /// Users that the text mentions and `allowed_mentions` lets through.
    pub mentions: Vec<u64>,
    /// Roles, likewise, and mentionable or with the permission that it needs.
    pub mention_roles: Vec<u64>,
    /// Everyone, likewise, with that permission.
    pub mention_everyone: bool,
    /// Whom it pinged when it was made.
    pub pinged: Pinged,
}

impl Message {
    /// Whom it pinged when it was made.
    pub fn pinged(&self) -> &Pinged {
        &self.pinged
    }

    /// The button with this label, or the select with this placeholder.
    pub fn component(&self, said: &str) -> Option<&Value> {
        let inner = self.components.iter().flat_map(|row| row["components"].as_array().into_iter().flatten());
        inner.into_iter().find(|component| component["label"] == said || component["placeholder"] == said)
    }

    /// What can be chosen in the select with this placeholder: labels and values.
    pub fn choices(&self, placeholder: &str) -> Vec<(String, String)> {
        let options = self.component(placeholder).and_then(|select| select["options"].as_array());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        options.into_iter().flatten().map(|option| (text(&option["label"]), text(&option["value"]))).collect()
    }

    /// Still "thinking…": deferred and not filled in yet.
    pub fn thinking(&self) -> bool {
        self.flags & LOADING != 0
    }

    /// Private: shown to one person only.
    pub fn ephemeral(&self) -> bool {
        self.flags & EPHEMERAL != 0
    }

    /// Whether `user` sees it, as far as privacy goes (the channel's permissions come on top).
    pub fn shows_to(&self, user: u64) -> bool {
        self.viewer.is_none_or(|viewer| viewer == user)
    }

    /// All texts in it, one per line: content, then each embed's parts, then what buttons and selects say.
    pub fn text(&self) -> String {
        let mut lines = vec![self.content.clone()];
        for embed in &self.embeds {
            let of = |pointer: &str| embed.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            lines.extend(["/author/name", "/title", "/description"].into_iter().filter_map(of));
            for field in embed["fields"].as_array().into_iter().flatten() {
                lines.extend(["name", "value"].into_iter().filter_map(|key| field[key].as_str().map(str::to_owned)));
            }
            lines.extend(of("/footer/text"));
        }
        for component in self.components.iter().flat_map(|row| row["components"].as_array().into_iter().flatten()) {
            let said = [&component["label"], &component["placeholder"]];
            lines.extend(said.into_iter().filter_map(Value::as_str).map(str::to_owned));
        }
        lines.retain(|line| !line.is_empty());
        lines.join("\n")
    }
}

/// Where commands are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// For every server.
    Global,
    /// For one server.
    Guild(u64),
}

/// A registered application command.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub id: u64,
    pub scope: Scope,
    /// As the API answers it, with localisations.
    pub body: Value,
}

impl Command {
    pub fn name(&self) -> &str {
        self.body["name"].as_str().unwrap_or_default()
    }

    /// 1 CHAT_INPUT, 2 USER, 3 MESSAGE.
    pub fn kind(&self) -> u64 {
        self.body["type"].as_u64().unwrap_or(1)
    }
}

/// How an interaction was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// When, by the double's clock.
    pub at_ms: i64,
    /// The callback type (`discord-rules.md` 1).
    pub callback: u8,
    /// In the body of the answer to a signed POST, rather than over REST.
    pub inline: bool,
    /// The answer is private.
    pub private: bool,
}

/// What became of an interaction.
#[derive(Clone, Debug)]
pub struct InteractionState {
    /// Snowflake.
    pub id: u64,
    /// 2 command, 3 component, 4 autocomplete, 5 form.
    pub kind: u8,
    /// Who acted.
    pub user: u64,
    /// In which server; none in direct messages.
    pub guild: Option<u64>,
    /// In which channel.
    pub channel: u64,
    /// The command's full name, or the `custom_id`.
    pub name: String,
    /// When the person acted, by the double's clock.
    pub created_ms: i64,
    /// How many times it was handed to the bot.
    pub deliveries: u32,
    /// The initial response.
    pub acknowledged: Option<Acknowledged>,
    /// What the person was shown when the bot did not answer in time.
    pub failed: Option<String>,
    /// The message that holds the answer.
    pub answer: Option<u64>,
    /// Further messages.
    pub followups: Vec<u64>,
    /// Suggestions, for an autocomplete.
    pub choices: Option<Vec<Value>>,
    /// The form that was opened.
    pub modal: Option<Value>,
}

/// An interaction with what only the double may know.
pub(super) struct Interaction {
    pub seen: InteractionState,
    pub token: String,
    /// As it was delivered.
    pub payload: Value,
    /// The message whose component was used, also for the form that such a press opened.
    pub source: Option<u64>,
}

/// A file that was uploaded.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub filename: String,
    pub content_type: String,
    pub bytes: Vec<u8>,
}

/// One request that reached the REST interface.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// `GET`, …
    pub method: String,
    /// With the query, without `/api/v10`. Interaction tokens stand in it: do not print it where secrets matter.
    pub path: String,
    /// The template as Discord's OpenAPI document writes it; empty for an unknown route.
    pub route: &'static str,
    /// The JSON body (`payload_json` of a multipart one), null without.
    pub body: Value,
    /// The status that was answered, none while in progress or when no answer was given.
    pub status: Option<u16>,
    /// When it came in, by the double's clock.
    pub at_ms: i64,
}

/// The whole memory of the double.
pub(super) struct State {
    pub clock: Clock,
    pub ids: Snowflakes,
    pub bot: Bot,
    pub gateway_url: String,
    pub users: BTreeMap<u64, User>,
    pub guilds: BTreeMap<u64, Guild>,
    pub channels: BTreeMap<u64, Channel>,
    pub messages: BTreeMap<u64, Message>,
    pub interactions: BTreeMap<u64, Interaction>,
    pub commands: BTreeMap<u64, Command>,
    /// Instead of the commands' defaults.
    pub command_permissions: Vec<CommandPermission>,
    /// Tokens of interactions that were not made by [`Discord::act`](super::Discord::act), so that they count as secrets.
    pub loose_tokens: Vec<String>,
    /// When commands were created, per server, for the daily limit.
    pub command_creates: HashMap<Scope, Vec<i64>>,
    pub uploads: BTreeMap<u64, Upload>,
    /// Nonces that still de-duplicate: the message they made, and until when.
    pub nonces: HashMap<(u64, String), (u64, i64)>,
    pub gateway: Gateway,
    /// The interactions endpoint URL; while set, nothing is delivered over the gateway.
    pub endpoint: Option<String>,
    pub limits: Limits,
    pub faults: Vec<Standing>,
    pub requests: Vec<RequestRecord>,
    pub violations: Vec<String>,
}

impl State {
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Notes something that a correct client never does.
    pub fn violated(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// The interaction that `token` was given out with.
    pub fn interaction_by_token(&self, token: &str) -> Option<u64> {
        self.interactions.iter().find(|(_, interaction)| interaction.token == token).map(|(id, _)| *id)
    }

    /// Whether the bot is in `guild`.
    pub fn bot_is_in(&self, guild: u64) -> bool {
        self.guilds.get(&guild).is_some_and(|guild| guild.members.contains_key(&self.bot.user))
    }
}
