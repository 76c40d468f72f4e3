//! How an interaction reaches the bot: over the gateway, or as a signed POST to its endpoint, never both
//! (`discord-rules.md` 1); and what happens when no answer comes in time.

use std::time::Duration;

use anyhow::{Context, bail};
use ed25519_dalek::Signer;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::gateway::Event;
use super::people::Typing;
use super::rest::{self, ANSWER_MS};
use super::state::{Bot, Interaction, InteractionState, State, TOKEN_PREFIX};
use super::{Discord, payload};

/// What a person sees when nothing answered.
const FAILED: &str = "The application did not respond";
/// Real time that an endpoint may take; the double's clock counts as well.
const POST_PATIENCE: Duration = Duration::from_secs(3);

/// Something a person did that becomes an interaction.
pub(super) struct Act {
    kind: u8,
    user: u64,
    channel: u64,
    locale: String,
    name: String,
    data: Value,
    source: Option<u64>,
}

impl Act {
    /// `source` is the message whose component was used, if one was.
    pub fn new(kind: u8, typing: &Typing, name: &str, data: Value, source: Option<u64>) -> Self {
        let (user, channel, locale) = (typing.user, typing.channel, typing.locale.clone());
        Self { kind, user, channel, locale, name: name.into(), data, source }
    }
}

impl Bot {
    /// The application's public key, in hexadecimal digits.
    pub fn public_key(&self) -> String {
        hex(self.key.verifying_key().as_bytes())
    }

    /// Signs a body as `discord-rules.md` 1 (HTTP endpoint) says: timestamp and raw body.
    fn sign(&self, timestamp: &str, body: &str) -> String {
        hex(&self.key.sign(format!("{timestamp}{body}").as_bytes()).to_bytes())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl State {
    /// Makes the interaction and the payload that tells of it.
    fn begin(&mut self, act: Act) -> u64 {
        let id = self.ids.next();
        let token = format!("{TOKEN_PREFIX}{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        let guild = self.channels.get(&act.channel).and_then(|channel| channel.guild);
        let seen = InteractionState {
            id,
            kind: act.kind,
            user: act.user,
            guild,
            channel: act.channel,
            name: act.name.clone(),
            created_ms: self.now_ms(),
            deliveries: 0,
            acknowledged: None,
            failed: None,
            answer: None,
            followups: Vec::new(),
            choices: None,
            modal: None,
        };
        let payload = self.payload(id, &token, guild, &act);
        self.interactions.insert(id, Interaction { seen, token, payload, source: act.source });
        id
    }

    /// The interaction object (`discord-rules.md` 1, `interactions/receiving-and-responding#interaction-object`).
    fn payload(&self, id: u64, token: &str, guild: Option<u64>, act: &Act) -> Value {
        let owner = guild.map_or_else(|| "0".to_owned(), |guild| guild.to_string());
        let mut payload = json!({
            "id": id.to_string(),
            "application_id": self.bot.application.to_string(),
            "type": act.kind,
            "token": token,
            "version": 1,
            "data": act.data,
            "channel_id": act.channel.to_string(),
            "channel": payload::partial_channel(self, act.channel, act.user),
            "locale": act.locale,
            "app_permissions": self.bot_permissions_in(act.channel).to_string(),
            "entitlements": [],
            "entitlement_sku_ids": [],
            "authorizing_integration_owners": { "0": owner },
            "context": u8::from(guild.is_none()),
            "attachment_size_limit": payload::ATTACHMENT_LIMIT,
        });
        match guild.and_then(|guild| self.guilds.get(&guild)) {
            Some(guild) => {
                let mut member = payload::member(self, guild.id, act.user).unwrap_or_default();
                member["permissions"] = json!(self.permissions_in(act.channel, act.user).to_string());
                payload["member"] = member;
                payload["guild_id"] = json!(guild.id.to_string());
                payload["guild_locale"] = json!(guild.preferred_locale);
                payload["guild"] =
                    json!({ "id": guild.id.to_string(), "locale": guild.preferred_locale, "features": [] });
            }
            None => payload["user"] = self.users.get(&act.user).map_or(Value::Null, payload::user),
        }
        if let Some(message) = act.source.and_then(|source| self.messages.get(&source)) {
            payload["message"] = payload::message(self, message);
        }
        payload
    }

    fn fail(&mut self, id: u64) {
        if let Some(interaction) = self.interactions.get_mut(&id)
            && interaction.seen.acknowledged.is_none()
            && interaction.seen.failed.is_none()
        {
            interaction.seen.failed = Some(FAILED.into());
        }
    }
}

/// A POST that is ready to go.
struct Signed {
    url: String,
    timestamp: String,
    signature: String,
    body: String,
}

impl Discord {
    /// Makes an interaction out of what a person did, delivers it, and watches its three seconds.
    pub(super) fn act(&self, act: Act) -> u64 {
        self.act_altered(act, |_| {})
    }

    /// As [`Discord::act`], with the payload changed before it is delivered.
    pub(super) fn act_altered(&self, act: Act, alter: impl FnOnce(&mut Value)) -> u64 {
        let (id, deadline_ms) = self.change(|state| {
            let id = state.begin(act);
            if let Some(interaction) = state.interactions.get_mut(&id) {
                alter(&mut interaction.payload);
            }
            (id, state.now_ms() + ANSWER_MS)
        });
        self.deliver(id);
        let discord = self.clone();
        tokio::spawn(async move {
            discord.clock().until(deadline_ms).await;
            discord.change(|state| state.fail(id));
        });
        id
    }

    /// Hands the same interaction over once more, as happens ("at-least-zero-times", `discord-rules.md` 7).
    pub fn redeliver(&self, interaction: u64) {
        self.deliver(interaction);
    }

    fn deliver(&self, id: u64) {
        let signed = self.change(|state| {
            let found = state.interactions.get_mut(&id)?;
            let (payload, guild) = (found.payload.clone(), found.seen.guild);
            if let Some(url) = state.endpoint.clone() {
                found.seen.deliveries += 1;
                return Some(state.signed(url, &payload));
            }
            let now_ms = state.now_ms();
            let event = Event { name: "INTERACTION_CREATE", guild, intents: 0 };
            if state.gateway.dispatch(&event, now_ms, |_| payload.clone()) == 0 {
                // Nobody is there, and nobody will resume: it is lost.
                state.fail(id);
            } else if let Some(found) = state.interactions.get_mut(&id) {
                found.seen.deliveries += 1;
            }
            None
        });
        if let Some(signed) = signed {
            let discord = self.clone();
            tokio::spawn(async move { discord.post(id, signed).await });
        }
    }

    /// Posts an interaction and takes the answer, if it came in time.
    async fn post(&self, id: u64, signed: Signed) {
        let deadline_ms = self.look_at(|state| state.now_ms()) + ANSWER_MS;
        let answer = tokio::select! {
            answer = self.send(&signed) => answer,
            () = self.clock().until(deadline_ms) => return self.change(|state| state.fail(id)),
        };
        self.change(|state| {
            let outcome = match answer {
                // The answer comes over REST.
                Ok((202, _, body)) if body.is_empty() => Ok(()),
                Ok((200, content_type, body)) if content_type.starts_with("application/json") => {
                    match serde_json::from_str(&body) {
                        Ok(body) => rest::respond(state, id, body).map_err(|refusal| refusal.body().to_string()),
                        Err(error) => Err(error.to_string()),
                    }
                }
                Ok((status, content_type, _)) => Err(format!("status {status}, content type {content_type:?}")),
                // Not reached or broken off: the person sees it, but it is no breach of contract.
                Err(_) => return state.fail(id),
            };
            if let Err(why) = outcome {
                state.violated(format!("interactions endpoint: answer refused: {why}"));
                state.fail(id);
            }
        });
    }

    async fn send(&self, signed: &Signed) -> anyhow::Result<(u16, String, String)> {
        let request = self.poster()?.post(&signed.url).timeout(POST_PATIENCE).body(signed.body.clone());
        let request = request.header(CONTENT_TYPE, "application/json");
        let request = request.header("user-agent", "Discord-Interactions/1.0 (+https://discord.com)");
        let request = request.header("x-signature-timestamp", &signed.timestamp);
        let response = request.header("x-signature-ed25519", &signed.signature).send().await?;
        let content_type =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (status, content_type) = (response.status().as_u16(), content_type.to_owned());
        Ok((status, content_type, response.text().await?))
    }

    /// The signature of a body with the application's key (`discord-rules.md` 1, HTTP endpoint), in hexadecimal digits.
    /// `timestamp` is what stands in the header, usually seconds since 1970.
    pub fn sign(&self, timestamp: &str, body: &str) -> String {
        self.look_at(|state| state.bot.sign(timestamp, body))
    }

    /// Sets or clears the interactions endpoint URL, after the checks that Discord makes (`discord-rules.md` 1, HTTP
    /// endpoint): a PING must be answered by PONG, and a wrong signature by 401.
    ///
    /// # Errors
    /// When the endpoint fails a check; it is not set then.
    pub async fn set_endpoint(&self, url: Option<&str>) -> anyhow::Result<()> {
        if let Some(url) = url {
            self.probe(url, true).await.context("the interactions endpoint URL could not be verified")?;
            self.probe(url, false).await.context("the interactions endpoint URL could not be verified")?;
        }
        self.change(|state| state.endpoint = url.map(str::to_owned));
        Ok(())
    }

    /// Sends a PING with a wrong signature, as Discord does now and then. An endpoint that accepts it is removed.
    ///
    /// # Errors
    /// When it accepted.
    pub async fn probe_endpoint(&self) -> anyhow::Result<()> {
        let Some(url) = self.look_at(|state| state.endpoint.clone()) else { return Ok(()) };
        let probed = self.probe(&url, false).await;
        if let Err(error) = &probed {
            self.change(|state| {
                state.endpoint = None;
                state.violated(format!("interactions endpoint: removed: {error:#}"));
            });
        }
        probed
    }

    async fn probe(&self, url: &str, right: bool) -> anyhow::Result<()> {
        let mut signed = self.change(|state| {
            let id = state.ids.next();
            let application = state.bot.application.to_string();
            let ping = json!({
                "id": id.to_string(), "application_id": application, "type": 1, "version": 1,
                "token": format!("ping-token-{id}"), "entitlements": [], "authorizing_integration_owners": {},
            });
            state.signed(url.to_owned(), &ping)
        });
        if !right {
            signed.signature = "0".repeat(128);
        }
        let (status, content_type, body) = self.send(&signed).await?;
        if !right {
            return if status == 401 { Ok(()) } else { bail!("a wrong signature was answered with {status}, not 401") };
        }
        let pong = serde_json::from_str::<Value>(&body).is_ok_and(|body| body["type"] == 1);
        if status != 200 || !content_type.starts_with("application/json") || !pong {
            bail!("PING was answered with {status}, content type {content_type:?}, not with PONG");
        }
        Ok(())
    }
}

impl State {
    fn signed(&self, url: String, payload: &Value) -> Signed {
        let body = payload.to_string();
        let timestamp = (self.now_ms() / 1_000).to_string();
        let signature = self.bot.sign(&timestamp, &body);
        Signed { url, timestamp, signature, body }
    }
}
