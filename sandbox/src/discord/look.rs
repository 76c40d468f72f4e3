//! Looking into the double: what is shown to whom, what was sent, what became of each interaction.

use serde_json::{Value, json};
use tokio::sync::watch;

use super::permissions::VIEW_CHANNEL;
use super::rest::TOKEN_MS;
use super::state::{InteractionState, Message, RequestRecord, Scope, State};
use super::{Discord, payload};

/// Real time that [`Discord::wait_for`] waits at most.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

impl Discord {
    /// What `viewer` sees in `channel`, oldest first, private answers to them included.
    pub fn messages(&self, channel: u64, viewer: u64) -> Vec<Message> {
        self.look_at(|state| {
            if state.permissions_in(channel, viewer) & VIEW_CHANNEL == 0 {
                return Vec::new();
            }
            let shown =
                state.messages.values().filter(|message| message.channel == channel && message.shows_to(viewer));
            shown.cloned().collect()
        })
    }

    /// One message, whoever may see it.
    pub fn message(&self, id: u64) -> Option<Message> {
        self.look_at(|state| state.messages.get(&id).cloned())
    }

    /// Everybody whom a message pinged, by name or by a role they have.
    pub fn people_pinged_by(&self, message: u64) -> Vec<u64> {
        self.look_at(|state| {
            state.messages.get(&message).map(|found| state.people_pinged_by(found)).unwrap_or_default()
        })
    }

    /// What became of an interaction.
    pub fn interaction(&self, id: u64) -> Option<InteractionState> {
        self.look_at(|state| state.interactions.get(&id).map(|interaction| interaction.seen.clone()))
    }

    /// All interactions, oldest first.
    pub fn interactions(&self) -> Vec<InteractionState> {
        self.look_at(|state| state.interactions.values().map(|interaction| interaction.seen.clone()).collect())
    }

    /// The message that holds the answer to an interaction, once it shows something.
    pub fn answer(&self, interaction: u64) -> Option<Message> {
        let answer = self.interaction(interaction)?.answer?;
        self.message(answer).filter(|message| !message.thinking())
    }

    /// The token that an interaction was delivered with.
    pub fn token_of(&self, interaction: u64) -> Option<String> {
        self.look_at(|state| state.interactions.get(&interaction).map(|interaction| interaction.token.clone()))
    }

    /// The interaction as it was delivered.
    pub fn payload_of(&self, interaction: u64) -> Option<Value> {
        self.look_at(|state| state.interactions.get(&interaction).map(|interaction| interaction.payload.clone()))
    }

    /// Every request to the REST interface so far.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.look_at(|state| state.requests.clone())
    }

    /// The registered commands, with localisations.
    pub fn commands(&self, scope: Scope) -> Vec<Value> {
        self.look_at(|state| {
            let commands = state.commands.values().filter(|command| command.scope == scope);
            commands.map(|command| command.body.clone()).collect()
        })
    }

    /// What a correct client never does, and this one did. Not in it: what any client may meet, such as being too late,
    /// a deleted message, a missing permission or a wrong token.
    pub fn violations(&self) -> Vec<String> {
        self.look_at(|state| state.violations.clone())
    }

    /// As [`Discord::violations`], and forgets them: for a test that provoked them.
    pub fn take_violations(&self) -> Vec<String> {
        self.change(|state| std::mem::take(&mut state.violations))
    }

    /// Faults that were ordered and did not strike yet.
    pub fn standing_faults(&self) -> Vec<String> {
        self.look_at(|state| state.faults.iter().map(super::faults::Standing::describe).collect())
    }

    /// Everything that must never be logged: the bot's token and every interaction's.
    pub fn secrets(&self) -> Vec<String> {
        self.look_at(|state| {
            let tokens = state.interactions.values().map(|interaction| interaction.token.clone());
            let loose = state.loose_tokens.iter().cloned();
            std::iter::once(state.bot.token.clone()).chain(tokens).chain(loose).collect()
        })
    }

    /// Changes whenever something in the double did.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// Waits until `look` finds what it looks for.
    ///
    /// # Panics
    /// After ten seconds of real time, saying what was awaited and how things stood.
    pub async fn wait_for<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let mut changed = self.changed();
        let patience = tokio::time::sleep(PATIENCE);
        tokio::pin!(patience);
        loop {
            changed.borrow_and_update();
            if let Some(found) = look(self) {
                return found;
            }
            tokio::select! {
                _ = changed.changed() => {}
                () = &mut patience => panic!("waited in vain for {what}\n{}", self.describe()),
            }
        }
    }

    /// How things stand, in a few lines without any secret.
    pub fn describe(&self) -> String {
        self.look_at(|state| {
            let mut lines = vec![format!("gateway sessions connected: {}", state.gateway.connected())];
            for interaction in state.interactions.values() {
                let seen = &interaction.seen;
                lines.push(format!(
                    "interaction {} {:?} deliveries {} acknowledged {:?} failed {:?}",
                    seen.id, seen.name, seen.deliveries, seen.acknowledged, seen.failed
                ));
            }
            for message in state.messages.values() {
                let thinking = if message.thinking() { " (thinking)" } else { "" };
                lines.push(format!("message {}{thinking}: {:?}", message.id, message.text()));
            }
            for request in state.requests.iter().rev().take(10).rev() {
                lines.push(format!("request {} {} -> {:?}", request.method, request.route, request.status));
            }
            lines.extend(state.violations.iter().map(|violation| format!("violation: {violation}")));
            lines.join("\n")
        })
    }

    /// All that a chat page shows. Ids are strings; nothing secret is in it.
    pub fn snapshot(&self) -> Value {
        self.look_at(snapshot)
    }
}

fn snapshot(state: &State) -> Value {
    let guilds: Vec<Value> = state.guilds.values().map(|guild| guild_view(state, guild.id)).collect();
    let users: Vec<Value> = state.users.values().map(payload::user).collect();
    let messages: Vec<Value> = state.messages.values().map(|message| message_view(state, message)).collect();
    let commands: Vec<&Value> = state.commands.values().map(|command| &command.body).collect();
    let interactions: Vec<Value> = state
        .interactions
        .values()
        .map(|interaction| {
            let seen = &interaction.seen;
            json!({
                "id": seen.id.to_string(), "kind": seen.kind, "user": seen.user.to_string(), "name": seen.name,
                "channel": seen.channel.to_string(), "created_ms": seen.created_ms, "failed": seen.failed,
                "acknowledged": seen.acknowledged.is_some(), "answer": seen.answer.map(|id| id.to_string()),
                "modal": seen.modal,
            })
        })
        .collect();
    json!({
        "now_ms": state.now_ms(),
        "application_id": state.bot.application.to_string(),
        "bot": state.bot.user.to_string(),
        "connected": state.gateway.connected(),
        "endpoint": state.endpoint.is_some(),
        "guilds": guilds,
        "users": users,
        "messages": messages,
        "commands": commands,
        "interactions": interactions,
        "violations": state.violations,
    })
}

fn guild_view(state: &State, id: u64) -> Value {
    let Some(guild) = state.guilds.get(&id) else { return Value::Null };
    let channels: Vec<Value> = state
        .channels
        .values()
        .filter(|channel| channel.guild == Some(id))
        .map(|channel| {
            let viewers =
                guild.members.keys().filter(|user| state.permissions_in(channel.id, **user) & VIEW_CHANNEL != 0);
            let viewers: Vec<String> = viewers.map(u64::to_string).collect();
            let parent = channel.parent.map(|parent| parent.to_string());
            json!({ "id": channel.id.to_string(), "name": channel.name, "viewers": viewers, "parent": parent })
        })
        .collect();
    let members: Vec<Value> = guild
        .members
        .iter()
        .map(|(user, member)| {
            let roles: Vec<String> = member.roles.iter().map(u64::to_string).collect();
            json!({ "user": user.to_string(), "roles": roles, "permissions": guild.permissions_of(*user).to_string() })
        })
        .collect();
    let roles: Vec<Value> = guild
        .roles
        .values()
        .map(|role| json!({ "id": role.id.to_string(), "name": role.name, "mentionable": role.mentionable }))
        .collect();
    json!({
        "id": id.to_string(), "name": guild.name, "owner": guild.owner.to_string(),
        "preferred_locale": guild.preferred_locale, "channels": channels, "members": members, "roles": roles,
    })
}

fn message_view(state: &State, message: &Message) -> Value {
    let mut view = payload::message(state, message);
    view["viewer"] = json!(message.viewer.map(|viewer| viewer.to_string()));
    view["thinking"] = json!(message.thinking());
    // "Thinking…" lasts as long as the token (`discord-rules.md` 1).
    view["expired"] = json!(message.thinking() && state.now_ms() >= message.created_ms + TOKEN_MS);
    view["edits"] = json!(message.edits.len());
    let texts = |ids: &[u64]| ids.iter().map(u64::to_string).collect::<Vec<_>>();
    view["pinged"] = json!({
        "users": texts(&message.pinged.users), "roles": texts(&message.pinged.roles),
        "everyone": message.pinged.everyone, "people": texts(&state.people_pinged_by(message)),
    });
    view["created_ms"] = json!(message.created_ms);
    view["used"] = message.interaction.as_ref().map_or(Value::Null, |used| {
        json!({ "id": used.id.to_string(), "kind": used.kind, "user": used.user.to_string(), "name": used.name })
    });
    view
}
