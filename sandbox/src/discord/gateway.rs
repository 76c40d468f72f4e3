//! What the gateway remembers: sessions, their event logs, and what it does with each frame of a client
//! (`discord-rules.md` 7). Sockets are in `socket`; nothing here waits.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::permissions;
use super::state::State;
use super::{ids, payload};

/// `GatewayIntents::GUILDS`.
pub(super) const GUILDS: u64 = 1;
/// `GatewayIntents::GUILD_MESSAGES`.
pub(super) const GUILD_MESSAGES: u64 = 1 << 9;
/// `GatewayIntents::DIRECT_MESSAGES`.
pub(super) const DIRECT_MESSAGES: u64 = 1 << 12;
/// `GatewayIntents::MESSAGE_CONTENT`, privileged.
pub const MESSAGE_CONTENT: u64 = 1 << 15;
/// Intents that must be enabled for the application: `GUILD_MEMBERS`, `GUILD_PRESENCES`, `MESSAGE_CONTENT`.
const PRIVILEGED: u64 = (1 << 1) | (1 << 8) | MESSAGE_CONTENT;
/// All intents that exist (`events/gateway#gateway-intents`): bits 0–16, 20, 21, 24, 25.
const KNOWN_INTENTS: u64 = 0x1_FFFF | (1 << 20) | (1 << 21) | (1 << 24) | (1 << 25);

/// A frame a client may send at most (`discord-rules.md` 7, 4002).
const MAX_FRAME_BYTES: usize = 4096;
/// Frames per minute and connection (`discord-rules.md` 7, 4008).
const MAX_FRAMES_PER_MIN: usize = 120;
/// IDENTIFYs per day (`discord-rules.md` 7).
const IDENTIFIES_PER_DAY: usize = 1_000;
/// `max_concurrency` is 1 here: one IDENTIFY in five seconds (`discord-rules.md` 7).
const IDENTIFY_PAUSE_MS: i64 = 5_000;
/// "Keeps it a few minutes" (`discord-rules.md` 7): how long a lost connection can be resumed. Ours: three minutes.
const RESUMABLE_MS: i64 = 3 * 60 * 1_000;
/// Events that are kept for a resume. Ours: Discord names no number.
const KEPT_EVENTS: usize = 1_000;

/// Close codes after which a session cannot be resumed: the client's 1000 and 1001, and those that demand a new session
/// or no reconnecting at all (`discord-rules.md` 7, `topics/opcodes-and-status-codes#gateway`).
const SESSION_ENDING: [u16; 10] = [1000, 1001, 4004, 4007, 4009, 4010, 4011, 4012, 4013, 4014];

/// What is to be done with a client's socket.
#[derive(Debug)]
pub(super) enum ToClient {
    Frame(String),
    Close(u16, &'static str),
    /// The TCP connection goes away without a close frame.
    Drop,
}

/// Opcode: reconnect and resume.
pub(super) const RECONNECT: u64 = 7;
const INVALID_SESSION: u64 = 9;
const HELLO: u64 = 10;
const HEARTBEAT_ACK: u64 = 11;

impl ToClient {
    /// A frame that is no event.
    pub fn control(opcode: u64, data: impl Into<Value>) -> Self {
        Self::Frame(json!({ "op": opcode, "d": data.into(), "s": null, "t": null }).to_string())
    }
}

/// One socket.
struct Connection {
    outgoing: UnboundedSender<ToClient>,
    session: Option<String>,
    frames_ms: VecDeque<i64>,
}

/// One session: it outlives its connection for a while.
struct Session {
    intents: u64,
    shard: (u64, u64),
    sequence: u64,
    log: VecDeque<(u64, String)>,
    connection: Option<u64>,
    /// When the connection was lost.
    lost_ms: i64,
}

impl Session {
    fn has_guild(&self, guild: Option<u64>) -> bool {
        // Shard = (guild_id >> 22) % num_shards; what has no guild goes to shard 0 (`discord-rules.md` 7).
        let (shard, shards) = self.shard;
        guild.map_or(0, |guild| (guild >> 22) % shards) == shard
    }
}

/// The gateway's memory.
pub(super) struct Gateway {
    connections: HashMap<u64, Connection>,
    sessions: BTreeMap<String, Session>,
    next_connection: u64,
    identifies_ms: Vec<i64>,
    last_identify_ms: i64,
    /// Privileged intents that are enabled in the application's settings.
    pub enabled_intents: u64,
    pub heartbeat_interval_ms: u64,
    /// Heartbeats are not answered: the client must notice that the connection is a zombie.
    pub withholds_acks: bool,
    /// Every connection is closed with this code after IDENTIFY or RESUME.
    pub refuses_with: Option<u16>,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            connections: HashMap::new(),
            sessions: BTreeMap::new(),
            next_connection: 0,
            identifies_ms: Vec::new(),
            last_identify_ms: i64::MIN / 2,
            enabled_intents: 0,
            heartbeat_interval_ms: 41_250,
            withholds_acks: false,
            refuses_with: None,
        }
    }
}

/// Something that is told to sessions.
pub(super) struct Event<'a> {
    pub name: &'a str,
    pub guild: Option<u64>,
    /// Intents of which one is needed; 0 when none is.
    pub intents: u64,
}

impl Gateway {
    /// Sessions that are connected now.
    pub fn connected(&self) -> usize {
        self.sessions.values().filter(|session| session.connection.is_some()).count()
    }

    /// What each session that is connected now asked to be told (`discord-rules.md` 7).
    pub fn intents(&self) -> Vec<u64> {
        let connected = self.sessions.values().filter(|session| session.connection.is_some());
        connected.map(|session| session.intents).collect()
    }

    /// Session starts that are left today.
    pub fn identifies_left(&self, now_ms: i64) -> usize {
        let today = self.identifies_ms.iter().filter(|at| now_ms - **at < 86_400_000).count();
        IDENTIFIES_PER_DAY.saturating_sub(today)
    }

    /// A socket was accepted: greets it (HELLO).
    pub fn connect(&mut self, outgoing: UnboundedSender<ToClient>) -> u64 {
        self.next_connection += 1;
        let hello = json!({ "heartbeat_interval": self.heartbeat_interval_ms, "_trace": [] });
        // A failed send means that the socket is gone; its task then reports that by itself.
        let _ = outgoing.send(ToClient::control(HELLO, hello));
        let connection = Connection { outgoing, session: None, frames_ms: VecDeque::new() };
        self.connections.insert(self.next_connection, connection);
        self.next_connection
    }

    /// A socket is gone, by a close frame with `code` or without one. Some codes end the session with it.
    pub fn disconnect(&mut self, connection: u64, code: Option<u16>, now_ms: i64) {
        let Some(gone) = self.connections.remove(&connection) else { return };
        let Some(id) = gone.session else { return };
        if code.is_some_and(|code| SESSION_ENDING.contains(&code)) {
            self.sessions.remove(&id);
        } else if let Some(session) = self.sessions.get_mut(&id)
            && session.connection == Some(connection)
        {
            session.connection = None;
            session.lost_ms = now_ms;
        }
    }

    /// Every socket is gone at once.
    pub fn lose_all(&mut self, now_ms: i64) {
        let connections: Vec<u64> = self.connections.keys().copied().collect();
        for connection in connections {
            self.disconnect(connection, None, now_ms);
        }
    }

    fn send(&self, connection: u64, what: ToClient) {
        if let Some(connection) = self.connections.get(&connection) {
            // As in `connect`.
            let _ = connection.outgoing.send(what);
        }
    }

    /// Does the same to every socket.
    pub fn to_all(&self, mut what: impl FnMut() -> ToClient) {
        for connection in self.connections.keys() {
            self.send(*connection, what());
        }
    }

    /// Forgets sessions that can no longer be resumed.
    fn forget_old(&mut self, now_ms: i64) {
        self.sessions.retain(|_, session| session.connection.is_some() || now_ms - session.lost_ms < RESUMABLE_MS);
    }

    /// Tells every session that wants it; `data` is asked per session's intents. Returns how many sessions will see it,
    /// now or when they resume.
    pub fn dispatch(&mut self, event: &Event<'_>, now_ms: i64, data: impl Fn(u64) -> Value) -> usize {
        self.forget_old(now_ms);
        let mut reached = 0;
        let mut frames = Vec::new();
        for session in self.sessions.values_mut() {
            if !session.has_guild(event.guild) || (event.intents != 0 && session.intents & event.intents == 0) {
                continue;
            }
            session.sequence += 1;
            let frame = json!({ "op": 0, "t": event.name, "s": session.sequence, "d": data(session.intents) });
            let frame = frame.to_string();
            session.log.push_back((session.sequence, frame.clone()));
            if session.log.len() > KEPT_EVENTS {
                session.log.pop_front();
            }
            frames.extend(session.connection.map(|connection| (connection, frame)));
            reached += 1;
        }
        for (connection, frame) in frames {
            self.send(connection, ToClient::Frame(frame));
        }
        reached
    }

    /// Ends every session (op 9). Resumable: the client may resume at once. Otherwise the sessions are forgotten.
    pub fn invalidate(&mut self, resumable: bool) {
        self.to_all(|| ToClient::control(INVALID_SESSION, json!(resumable)));
        if !resumable {
            self.sessions.clear();
            self.connections.values_mut().for_each(|connection| connection.session = None);
        }
    }
}

impl State {
    /// A client's frame.
    pub(super) fn gateway_frame(&mut self, connection: u64, text: &str) {
        if let Err((code, why)) = self.read_frame(connection, text) {
            if code != 4000 && code != 4009 {
                self.violated(format!("gateway: closed with {code}: {why}"));
            }
            self.gateway.send(connection, ToClient::Close(code, why));
        }
    }

    fn read_frame(&mut self, connection: u64, text: &str) -> Result<(), (u16, &'static str)> {
        let now_ms = self.now_ms();
        if text.len() > MAX_FRAME_BYTES {
            return Err((4002, "Error while decoding payload."));
        }
        let Some(from) = self.gateway.connections.get_mut(&connection) else { return Ok(()) };
        from.frames_ms.push_back(now_ms);
        while from.frames_ms.front().is_some_and(|at| now_ms - at >= 60_000) {
            from.frames_ms.pop_front();
        }
        if from.frames_ms.len() > MAX_FRAMES_PER_MIN {
            return Err((4008, "Rate limited."));
        }
        let identified = from.session.is_some();
        let frame: Value = serde_json::from_str(text).map_err(|_| (4002, "Error while decoding payload."))?;
        let data = &frame["d"];
        match frame["op"].as_u64() {
            Some(1) => {
                if !self.gateway.withholds_acks {
                    self.gateway.send(connection, ToClient::control(HEARTBEAT_ACK, Value::Null));
                }
                Ok(())
            }
            Some(2) if identified => Err((4005, "Already authenticated.")),
            Some(2) => self.identify(connection, data),
            Some(6) if identified => Err((4005, "Already authenticated.")),
            Some(6) => self.resume(connection, data),
            Some(3 | 4 | 8 | 31) if !identified => Err((4003, "Not authenticated.")),
            Some(8) => {
                self.members_chunk(connection, data);
                Ok(())
            }
            Some(3 | 4 | 31) => Ok(()),
            Some(_) => Err((4001, "Unknown opcode.")),
            None => Err((4002, "Error while decoding payload.")),
        }
    }

    /// The token with or without `Bot ` in front: serenity sends it with (`stack.md` 1.1), the documentation without.
    fn is_gateway_token(&self, token: &Value) -> bool {
        token.as_str().is_some_and(|token| token.strip_prefix("Bot ").unwrap_or(token) == self.bot.token)
    }

    fn identify(&mut self, connection: u64, data: &Value) -> Result<(), (u16, &'static str)> {
        let now_ms = self.now_ms();
        if !self.is_gateway_token(&data["token"]) {
            return Err((4004, "Authentication failed."));
        }
        let complete = ["os", "browser", "device"].iter().all(|key| data["properties"][key].is_string());
        let large_threshold = &data["large_threshold"];
        let threshold_fits =
            large_threshold.is_null() || large_threshold.as_u64().is_some_and(|n| (50..=250).contains(&n));
        if !complete || !threshold_fits {
            return Err((4002, "Error while decoding payload."));
        }
        let Some(intents) = data["intents"].as_u64().filter(|bits| bits & !KNOWN_INTENTS == 0) else {
            return Err((4013, "Invalid intent(s)."));
        };
        if intents & PRIVILEGED & !self.gateway.enabled_intents != 0 {
            return Err((4014, "Disallowed intent(s)."));
        }
        let shard = match &data["shard"] {
            Value::Null => (0, 1),
            shard => match (shard[0].as_u64(), shard[1].as_u64()) {
                (Some(id), Some(count)) if id < count => (id, count),
                _ => return Err((4010, "Invalid shard.")),
            },
        };
        if let Some(code) = self.gateway.refuses_with {
            self.gateway.send(connection, ToClient::Close(code, "Refused."));
            return Ok(());
        }
        if self.gateway.identifies_left(now_ms) == 0 {
            // The token is reset then (`discord-rules.md` 7): nobody can log in with it any more.
            self.violated("gateway: more than 1000 IDENTIFYs in a day");
            return Err((4004, "Authentication failed."));
        }
        if now_ms - self.gateway.last_identify_ms < IDENTIFY_PAUSE_MS {
            self.gateway.send(connection, ToClient::control(INVALID_SESSION, json!(false)));
            return Ok(());
        }
        self.gateway.last_identify_ms = now_ms;
        self.gateway.identifies_ms.push(now_ms);
        self.start_session(connection, intents, shard);
        Ok(())
    }

    fn start_session(&mut self, connection: u64, intents: u64, shard: (u64, u64)) {
        let id = format!("{:032x}", rand::random::<u128>());
        let session =
            Session { intents, shard, sequence: 0, log: VecDeque::new(), connection: Some(connection), lost_ms: 0 };
        let guilds: Vec<u64> = self
            .guilds
            .keys()
            .copied()
            .filter(|guild| self.bot_is_in(*guild) && session.has_guild(Some(*guild)))
            .collect();
        self.gateway.sessions.insert(id.clone(), session);
        if let Some(connection) = self.gateway.connections.get_mut(&connection) {
            connection.session = Some(id.clone());
        }
        let unavailable: Vec<Value> =
            guilds.iter().map(|guild| json!({ "id": guild.to_string(), "unavailable": true })).collect();
        let ready = json!({
            "v": 10,
            "user": payload::current_user(self),
            "user_settings": {},
            "session_type": "normal",
            "session_id": id,
            "resume_gateway_url": self.gateway_url,
            "relationships": [],
            "private_channels": [],
            "presences": [],
            "guilds": unavailable,
            "guild_join_requests": [],
            "geo_ordered_rtc_regions": [],
            "shard": [shard.0, shard.1],
            "application": { "id": self.bot.application.to_string(), "flags": payload::APPLICATION_FLAGS },
            "_trace": [],
        });
        self.tell_session(&id, "READY", &ready);
        if intents & GUILDS != 0 {
            for guild in guilds {
                if let Some(data) = payload::guild_create(self, guild) {
                    self.tell_session(&id, "GUILD_CREATE", &data);
                }
            }
        }
    }

    /// An event for one session only; READY and RESUMED are not replayed, so they are not logged.
    fn tell_session(&mut self, id: &str, name: &str, data: &Value) {
        let Some(session) = self.gateway.sessions.get_mut(id) else { return };
        session.sequence += 1;
        let frame = json!({ "op": 0, "t": name, "s": session.sequence, "d": data }).to_string();
        if name != "READY" && name != "RESUMED" {
            session.log.push_back((session.sequence, frame.clone()));
        }
        if let Some(connection) = session.connection {
            self.gateway.send(connection, ToClient::Frame(frame));
        }
    }

    fn resume(&mut self, connection: u64, data: &Value) -> Result<(), (u16, &'static str)> {
        if !self.is_gateway_token(&data["token"]) {
            return Err((4004, "Authentication failed."));
        }
        if let Some(code) = self.gateway.refuses_with {
            self.gateway.send(connection, ToClient::Close(code, "Refused."));
            return Ok(());
        }
        let now_ms = self.now_ms();
        self.gateway.forget_old(now_ms);
        let id = data["session_id"].as_str().unwrap_or_default().to_owned();
        let Some(session) = self.gateway.sessions.get_mut(&id) else {
            self.gateway.send(connection, ToClient::control(INVALID_SESSION, json!(false)));
            return Ok(());
        };
        let Some(seen) = data["seq"].as_u64().filter(|seen| *seen <= session.sequence) else {
            return Err((4007, "Invalid seq."));
        };
        let replaced = session.connection.replace(connection);
        let missed: Vec<String> =
            session.log.iter().filter(|(sequence, _)| *sequence > seen).map(|(_, frame)| frame.clone()).collect();
        if let Some(replaced) = replaced
            && let Some(old) = self.gateway.connections.get_mut(&replaced)
        {
            old.session = None;
            self.gateway.send(replaced, ToClient::Close(4000, "Session resumed elsewhere."));
        }
        if let Some(connection) = self.gateway.connections.get_mut(&connection) {
            connection.session = Some(id.clone());
        }
        for frame in missed {
            self.gateway.send(connection, ToClient::Frame(frame));
        }
        self.tell_session(&id, "RESUMED", &json!({ "_trace": [] }));
        Ok(())
    }

    /// The answer to op 8, which clients with the guild-members intent send to fill their caches.
    fn members_chunk(&mut self, connection: u64, data: &Value) {
        let Some(guild) = data["guild_id"].as_str().and_then(ids::parse) else { return };
        let Some(members) = self.guilds.get(&guild).map(|guild| guild.members.keys().copied().collect::<Vec<u64>>())
        else {
            return;
        };
        let members: Vec<Value> = members.iter().filter_map(|user| payload::member(self, guild, *user)).collect();
        let chunk = json!({
            "guild_id": guild.to_string(), "members": members, "chunk_index": 0, "chunk_count": 1,
            "nonce": data["nonce"],
        });
        let session = self.gateway.connections.get(&connection).and_then(|connection| connection.session.clone());
        if let Some(session) = session {
            self.tell_session(&session, "GUILD_MEMBERS_CHUNK", &chunk);
        }
    }

    /// Tells the sessions about a message, if the bot may see it (`discord-rules.md` 7 on emptied content).
    pub(super) fn tell_message(&mut self, name: &str, message: u64) {
        let Some(told) = self.messages.get(&message) else { return };
        let (channel, private, author, mentions_bot) =
            (told.channel, told.viewer.is_some(), told.author, told.mentions.contains(&self.bot.user));
        // Private answers are shown to their reader only; the bot hears of them by the answers to its requests.
        if private || self.bot_permissions_in(channel) & permissions::VIEW_CHANNEL == 0 {
            return;
        }
        let Some(full) = payload::message_event(self, message) else { return };
        let guild = self.channels.get(&channel).and_then(|channel| channel.guild);
        let keeps_content = author == self.bot.user || mentions_bot || guild.is_none();
        let intents = if guild.is_some() { GUILD_MESSAGES } else { DIRECT_MESSAGES };
        let now_ms = self.now_ms();
        self.gateway.dispatch(&Event { name, guild, intents }, now_ms, |intents| {
            if keeps_content || intents & MESSAGE_CONTENT != 0 { full.clone() } else { payload::emptied(&full) }
        });
    }
}
