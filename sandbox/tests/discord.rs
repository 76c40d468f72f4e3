//! The Discord double, held against what `discord-rules.md` says of the real one. Each test names the rule.

#[path = "discord/notices.rs"]
mod notices;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use sandbox::clock::Clock;
use sandbox::discord::permissions::{EVERYONE, MANAGE_GUILD, SEND_MESSAGES, Target, VIEW_CHANNEL};
use sandbox::discord::{Discord, Fault, Gate, MESSAGE_CONTENT, Options, RateScope, Refused, Scope, Typing};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

type Done = anyhow::Result<()>;

/// A double with one server, one channel, an administrator and a developer.
struct World {
    discord: Discord,
    clock: Clock,
    http: reqwest::Client,
    guild: u64,
    channel: u64,
    admin: u64,
    dev: u64,
}

/// A status and a JSON body (null when it is empty).
type Answer = (u16, Value);

impl World {
    async fn new() -> anyhow::Result<Self> {
        let clock = Clock::default();
        let discord = Discord::start(Options::from_env(clock.clone())).await?;
        let guild = discord.add_guild("Workshop", "en-US");
        let channel = discord.add_channel(guild, "builds");
        let (admin, dev) = (discord.add_user("Ada"), discord.add_user("Dev"));
        discord.join(guild, admin, MANAGE_GUILD, &[]);
        discord.join(guild, dev, 0, &[]);
        // By its own name and over TLS, as the bot does.
        let http = reqwest::Client::builder()
            .resolve("discord.com", discord.connect_to())
            .add_root_certificate(reqwest::Certificate::from_pem(discord.ca_pem().as_bytes())?)
            .user_agent("DiscordBot (https://example.org, 1)")
            .no_proxy()
            .build()?;
        Ok(Self { discord, clock, http, guild, channel, admin, dev })
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("https://discord.com:{}/api/v10{path}", self.discord.connect_to().port());
        self.http.request(method, url).header("authorization", format!("Bot {}", self.discord.token()))
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Answer> {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok((status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? }))
    }

    async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.call(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Answer> {
        self.call(Method::POST, path, Some(body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> anyhow::Result<Answer> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    fn commands_path(&self) -> String {
        format!("/applications/{}/guilds/{}/commands", self.discord.application_id(), self.guild)
    }

    async fn register(&self, commands: Value) -> anyhow::Result<Answer> {
        self.call(Method::PUT, &self.commands_path(), Some(commands)).await
    }

    /// Registers `/retry build:` and connects to the gateway.
    async fn ready() -> anyhow::Result<(Self, Client)> {
        let world = Self::new().await?;
        assert_eq!(world.register(json!([retry()])).await?.0, 200);
        let client = Client::login(&world, 0).await?;
        Ok((world, client))
    }

    fn type_retry(&self) -> Result<u64, Refused> {
        self.discord.type_command(Typing::new(self.dev, self.channel, "retry").option("build", "b-1"))
    }

    fn callback(&self, interaction: u64) -> String {
        let token = self.discord.token_of(interaction).unwrap_or_default();
        format!("/interactions/{interaction}/{token}/callback")
    }

    fn webhook(&self, interaction: u64) -> String {
        let token = self.discord.token_of(interaction).unwrap_or_default();
        format!("/webhooks/{}/{token}", self.discord.application_id())
    }

    fn messages_path(&self) -> String {
        format!("/channels/{}/messages", self.channel)
    }
}

fn retry() -> Value {
    let build = json!({
        "type": 3, "name": "build", "description": "Which", "required": true, "autocomplete": true, "max_length": 20,
    });
    json!({
        "name": "retry", "description": "Retry a build",
        "description_localizations": { "zh-CN": "重试构建" },
        "options": [build],
    })
}

fn code(answer: &Answer) -> (u16, u64) {
    (answer.0, answer.1["code"].as_u64().unwrap_or(0))
}

/// A client of the gateway.
struct Client {
    socket: WebSocketStream<TcpStream>,
    session: String,
    sequence: u64,
}

impl Client {
    async fn connect(world: &World) -> anyhow::Result<Self> {
        let url = world.discord.gateway_url();
        let stream = TcpStream::connect(url.trim_start_matches("ws://")).await?;
        let (socket, _) = tokio_tungstenite::client_async(format!("{url}/?v=10&encoding=json"), stream).await?;
        let mut client = Self { socket, session: String::new(), sequence: 0 };
        assert_eq!(client.frame().await?["op"], 10);
        Ok(client)
    }

    async fn login(world: &World, intents: u64) -> anyhow::Result<Self> {
        let mut client = Self::connect(world).await?;
        client.identify(&world.discord.token(), intents).await?;
        let ready = client.event("READY").await?;
        client.session = ready["session_id"].as_str().unwrap_or_default().to_owned();
        Ok(client)
    }

    async fn identify(&mut self, token: &str, intents: u64) -> Done {
        let properties = json!({ "os": "linux", "browser": "test", "device": "test" });
        self.send(json!({ "op": 2, "d": { "token": token, "intents": intents, "properties": properties } })).await
    }

    async fn resume(&mut self, world: &World, session: &str, sequence: u64) -> Done {
        let token = world.discord.token();
        self.send(json!({ "op": 6, "d": { "token": token, "session_id": session, "seq": sequence } })).await
    }

    async fn send(&mut self, frame: Value) -> Done {
        Ok(self.socket.send(Message::Text(frame.to_string())).await?)
    }

    async fn next(&mut self) -> anyhow::Result<Message> {
        let next = tokio::time::timeout(Duration::from_secs(5), self.socket.next()).await?;
        Ok(next.ok_or_else(|| anyhow::anyhow!("the gateway hung up"))??)
    }

    async fn frame(&mut self) -> anyhow::Result<Value> {
        let frame: Value = serde_json::from_str(self.next().await?.to_text()?)?;
        self.sequence = frame["s"].as_u64().unwrap_or(self.sequence);
        Ok(frame)
    }

    async fn event(&mut self, name: &str) -> anyhow::Result<Value> {
        loop {
            let frame = self.frame().await?;
            if frame["t"] == name {
                return Ok(frame["d"].clone());
            }
        }
    }

    async fn close_code(&mut self) -> anyhow::Result<u16> {
        loop {
            if let Message::Close(frame) = self.next().await? {
                return Ok(frame.map_or(1005, |frame| frame.code.into()));
            }
        }
    }
}

#[tokio::test]
async fn a_command_is_typed_acknowledged_and_answered() -> Done {
    let (world, mut client) = World::ready().await?;
    let id = world.type_retry()?;
    let told = client.event("INTERACTION_CREATE").await?;
    assert_eq!(told["id"], id.to_string());
    assert_eq!(told["data"]["options"][0]["value"], "b-1");
    assert_eq!((told["context"].clone(), told["locale"].clone()), (json!(0), json!("en-US")));
    assert!(told["member"]["permissions"].is_string() && told.get("user").is_none());
    serde_json::from_value::<twilight_model::application::interaction::Interaction>(told)?;

    // The token in the path is enough: no authorisation is needed.
    let plain = reqwest::Client::builder().no_proxy().user_agent("DiscordBot (x, 1)").build()?;
    let url = format!("{}/api/v10{}", world.discord.plain_url(), world.callback(id));
    assert_eq!(plain.post(url).json(&json!({ "type": 5 })).send().await?.status(), 204);
    let answer = world.discord.interaction(id).and_then(|seen| seen.answer).expect("a waiting message");
    assert!(world.discord.message(answer).is_some_and(|message| message.thinking()));
    assert!(world.discord.answer(id).is_none());

    let edited =
        world.patch(&format!("{}/messages/@original", world.webhook(id)), json!({ "content": "done" })).await?;
    assert_eq!((edited.0, edited.1["content"].clone()), (200, json!("done")));
    serde_json::from_value::<twilight_model::channel::Message>(edited.1.clone())?;
    let message = world.discord.answer(id).expect("an answer");
    assert_eq!((message.content.as_str(), message.edits.len(), message.edited_ms), ("done", 0, None));
    assert_eq!(edited.1["id"], message.id.to_string());
    assert_eq!(message.interaction.map(|used| (used.name, used.user)), Some(("retry".to_owned(), world.dev)));
    assert!(world.discord.messages(world.channel, world.admin).iter().any(|message| message.content == "done"));
    assert_eq!(world.discord.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn the_initial_response_comes_once_and_within_three_seconds() -> Done {
    let (world, _client) = World::ready().await?;
    let message = json!({ "type": 4, "data": { "content": "hi" } });
    let first = world.type_retry()?;
    assert_eq!(world.post(&world.callback(first), message.clone()).await?.0, 204);
    assert_eq!(code(&world.post(&world.callback(first), message.clone()).await?), (400, 40060));

    let late = world.type_retry()?;
    world.clock.advance(Duration::from_secs(3));
    let failed = world.discord.wait_for("the failure", |discord| discord.interaction(late)?.failed).await;
    assert_eq!(failed, "The application did not respond");
    assert_eq!(code(&world.post(&world.callback(late), message).await?), (404, 10062));
    let original = format!("{}/messages/@original", world.webhook(late));
    assert_eq!(code(&world.patch(&original, json!({ "content": "late" })).await?), (404, 10015));
    assert_eq!(world.discord.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_token_lives_fifteen_minutes_and_the_message_outlives_it() -> Done {
    let (world, _client) = World::ready().await?;
    let id = world.type_retry()?;
    let original = format!("{}/messages/@original", world.webhook(id));
    assert_eq!(code(&world.get(&original).await?), (404, 10015));
    let path = format!("{}?with_response=true", world.callback(id));
    let response = world.post(&path, json!({ "type": 4, "data": { "content": "hi" } })).await?;
    assert_eq!((response.0, response.1["resource"]["type"].clone()), (200, json!(4)));
    let message = response.1["resource"]["message"]["id"].as_str().expect("an id").to_owned();
    world.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(code(&world.patch(&original, json!({ "content": "late" })).await?), (401, 50027));
    let edited = world.patch(&format!("{}/{message}", world.messages_path()), json!({ "content": "later" })).await?;
    assert_eq!(edited.0, 200);
    assert!(world.discord.answer(id).is_some_and(|message| message.content == "later" && message.edits.len() == 1));
    Ok(())
}

#[tokio::test]
async fn a_private_answer_is_seen_by_one_person_and_edited_by_its_token_only() -> Done {
    let (world, _client) = World::ready().await?;
    let id = world.type_retry()?;
    assert_eq!(world.post(&world.callback(id), json!({ "type": 5, "data": { "flags": 64 } })).await?.0, 204);
    // Privacy is fixed at the deferral.
    let original = format!("{}/messages/@original", world.webhook(id));
    assert_eq!(world.patch(&original, json!({ "content": "secret", "flags": 0 })).await?.1["flags"], 64);
    let message = world.discord.answer(id).expect("an answer");
    assert_eq!(message.viewer, Some(world.dev));
    assert!(world.discord.messages(world.channel, world.dev).contains(&message));
    assert!(!world.discord.messages(world.channel, world.admin).contains(&message));
    let path = format!("{}/{}", world.messages_path(), message.id);
    assert_eq!(code(&world.patch(&path, json!({ "content": "x" })).await?), (404, 10008));
    assert_eq!(world.patch(&original, json!({ "content": "y" })).await?.0, 200);
    Ok(())
}

#[tokio::test]
async fn each_kind_of_interaction_takes_its_own_callbacks() -> Done {
    let (world, mut client) = World::ready().await?;
    let id = world.type_retry()?;
    for wrong in [1, 6, 7, 8, 12] {
        let body = json!({ "type": wrong, "data": { "choices": [], "content": "x" } });
        assert_eq!(code(&world.post(&world.callback(id), body).await?), (400, 50035), "type {wrong}");
    }
    let button = json!({ "type": 2, "style": 4, "label": "Again", "custom_id": "retry:1" });
    let row = json!([{ "type": 1, "components": [button] }]);
    let body = json!({ "type": 4, "data": { "content": "choose", "components": row } });
    assert_eq!(world.post(&world.callback(id), body).await?.0, 204);
    let message = world.discord.answer(id).expect("an answer").id;
    assert!(world.discord.press(world.admin, message, "nothing").is_err());
    let press = world.discord.press(world.admin, message, "retry:1")?;
    client.event("INTERACTION_CREATE").await?;
    let told = client.event("INTERACTION_CREATE").await?;
    assert_eq!((told["type"].clone(), told["message"]["id"].clone()), (json!(3), json!(message.to_string())));
    serde_json::from_value::<twilight_model::application::interaction::Interaction>(told)?;
    let update = json!({ "type": 7, "data": { "content": "pressed", "components": [] } });
    assert_eq!(world.post(&world.callback(press), update).await?.0, 204);
    let changed = world.discord.message(message).map(|message| (message.content, message.edits.len()));
    assert_eq!(changed, Some(("pressed".into(), 1)));
    assert!(world.discord.press(world.admin, message, "retry:1").is_err());
    Ok(())
}

#[tokio::test]
async fn a_form_is_opened_filled_in_and_sent() -> Done {
    let (world, mut client) = World::ready().await?;
    let id = world.type_retry()?;
    let input = json!({ "type": 4, "custom_id": "uid", "style": 1, "label": "UID", "max_length": 5 });
    let modal = json!({ "custom_id": "map", "title": "Mapping", "components": [{ "type": 1, "components": [input] }] });
    assert_eq!(world.post(&world.callback(id), json!({ "type": 9, "data": modal })).await?.0, 204);
    assert!(world.discord.submit_modal(id, &[("uid", "toolong")]).is_err());
    assert!(world.discord.submit_modal(id, &[("other", "x")]).is_err());
    let sent = world.discord.submit_modal(id, &[("uid", "dev1")])?;
    client.event("INTERACTION_CREATE").await?;
    let told = client.event("INTERACTION_CREATE").await?;
    assert_eq!(told["data"]["components"][0]["components"][0]["value"], "dev1");
    serde_json::from_value::<twilight_model::application::interaction::Interaction>(told)?;
    // A form cannot answer a form, nor update a message when no component opened it.
    for wrong in [9, 6] {
        let body = json!({ "type": wrong, "data": modal });
        assert_eq!(code(&world.post(&world.callback(sent), body).await?), (400, 50035));
    }
    assert_eq!(world.post(&world.callback(sent), json!({ "type": 4, "data": { "content": "ok" } })).await?.0, 204);
    Ok(())
}

#[tokio::test]
async fn suggestions_are_asked_for_and_shown() -> Done {
    let (world, mut client) = World::ready().await?;
    let discord = world.discord.clone();
    let typing = Typing::new(world.dev, world.channel, "retry").option("build", "b");
    let asking = tokio::spawn(async move { discord.autocomplete(typing, "build").await });
    let told = client.event("INTERACTION_CREATE").await?;
    let focused = told["data"]["options"][0]["focused"].clone();
    assert_eq!((told["type"].clone(), focused), (json!(4), json!(true)));
    let path = world.callback(told["id"].as_str().unwrap_or_default().parse()?);
    assert_eq!(code(&world.post(&path, json!({ "type": 5 })).await?), (400, 50035));
    let body = |count: usize| {
        let choices = (0..count).map(|n| json!({ "name": format!("#{n}"), "value": n.to_string() }));
        json!({ "type": 8, "data": { "choices": choices.collect::<Vec<Value>>() } })
    };
    assert_eq!(code(&world.post(&path, body(26)).await?), (400, 50035));
    assert_eq!(world.post(&path, body(25)).await?.0, 204);
    assert_eq!(asking.await??.len(), 25);
    Ok(())
}

#[tokio::test]
async fn the_client_refuses_what_cannot_be_typed() -> Done {
    let world = World::new().await?;
    let typing = |user: u64, command: &str| Typing::new(user, world.channel, command);
    assert_eq!(world.type_retry(), Err(Refused::NoSuchCommand("retry".into())));
    let user_option = json!({ "type": 6, "name": "user", "description": "Who", "required": true });
    let set = json!({ "type": 1, "name": "set", "description": "Set", "options": [user_option] });
    let mapping = json!({
        "name": "mapping", "description": "Mappings", "default_member_permissions": "32", "options": [set],
    });
    assert_eq!(world.register(json!([retry(), mapping])).await?.0, 200);
    let bad = |typing: Typing| matches!(world.discord.type_command(typing), Err(Refused::BadOption(..)));
    assert!(bad(typing(world.dev, "retry")));
    assert!(bad(typing(world.dev, "retry").option("build", 1)));
    assert!(bad(typing(world.dev, "retry").option("build", "x".repeat(21))));
    assert!(bad(typing(world.dev, "retry").option("build", "b").option("nope", "x")));
    let set = |user| typing(user, "mapping set").option("user", world.dev.to_string());
    assert!(matches!(world.discord.type_command(set(world.dev)), Err(Refused::NotPermitted(_))));
    let base = world.discord.type_command(typing(world.admin, "mapping"));
    assert!(matches!(base, Err(Refused::NoSuchCommand(_))));
    let stranger = world.discord.add_user("Stranger");
    assert!(matches!(world.discord.type_command(set(stranger)), Err(Refused::NotVisible(_))));
    // Nobody is connected: the person sees the failure at once.
    let sent = world.discord.type_command(set(world.admin))?;
    assert!(world.discord.interaction(sent).is_some_and(|seen| seen.failed.is_some() && seen.deliveries == 0));
    let payload = world.discord.payload_of(sent).expect("a payload");
    assert_eq!(payload["data"]["options"][0]["options"][0]["value"], world.dev.to_string());
    assert!(payload["data"]["resolved"]["users"][world.dev.to_string()].is_object());
    serde_json::from_value::<twilight_model::application::interaction::Interaction>(payload)?;
    Ok(())
}

#[tokio::test]
async fn wrong_bodies_get_the_tree_of_errors_and_are_remembered() -> Done {
    let world = World::new().await?;
    let answer = world.post(&world.messages_path(), json!({ "embeds": [{ "title": "x".repeat(257) }] })).await?;
    assert_eq!(code(&answer), (400, 50035));
    assert_eq!(answer.1["errors"]["embeds"]["0"]["title"]["_errors"][0]["code"], "BASE_TYPE_MAX_LENGTH");
    assert_eq!(code(&world.post(&world.messages_path(), json!({ "content": " " })).await?), (400, 50006));
    let garbage = world.request(Method::POST, &world.messages_path()).header("content-type", "application/json");
    assert_eq!(garbage.body("{").send().await?.json::<Value>().await?["code"], 50109);
    let form = world.request(Method::POST, &world.messages_path()).header("content-type", "text/plain");
    assert_eq!(form.body("content=x").send().await?.json::<Value>().await?["code"], 50035);
    assert_eq!(world.get("/no/such/route").await?, (404, json!({ "message": "404: Not Found", "code": 0 })));
    let me = format!("{}/api/v10/users/@me", world.discord.plain_url());
    let nameless = reqwest::Client::builder().no_proxy().build()?;
    assert_eq!(nameless.get(&me).send().await?.status(), 403);
    assert_eq!(world.discord.take_violations().len(), 6);
    // Not a breach of the contract, but a wrong setting.
    assert_eq!(world.http.get(&me).header("authorization", "Bot wrong").send().await?.status(), 401);
    assert_eq!(world.discord.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn channels_are_guarded_by_the_bots_permissions() -> Done {
    let world = World::new().await?;
    let body = json!({ "content": "hello" });
    assert_eq!(world.post(&world.messages_path(), body.clone()).await?.0, 200);
    assert_eq!(code(&world.post("/channels/1/messages", body.clone()).await?), (404, 10003));
    let bot = Target::Member(world.discord.bot());
    world.discord.overwrite(world.channel, bot, 0, SEND_MESSAGES);
    assert_eq!(code(&world.post(&world.messages_path(), body.clone()).await?), (403, 50013));
    world.discord.overwrite(world.channel, bot, 0, VIEW_CHANNEL);
    assert_eq!(code(&world.post(&world.messages_path(), body).await?), (403, 50001));
    assert_eq!(world.discord.bot_permissions(world.channel), 0);
    world.discord.overwrite(world.channel, bot, EVERYONE, 0);
    let said = world.discord.say(world.dev, world.channel, "mine")?;
    let path = format!("{}/{said}", world.messages_path());
    assert_eq!(code(&world.patch(&path, json!({ "content": "yours" })).await?), (403, 50005));
    let nowhere = format!("{}/1", world.messages_path());
    assert_eq!(code(&world.patch(&nowhere, json!({ "content": "x" })).await?), (404, 10008));
    world.discord.close_dms(world.dev, true);
    let dm = world.post("/users/@me/channels", json!({ "recipient_id": world.dev.to_string() })).await?;
    let path = format!("/channels/{}/messages", dm.1["id"].as_str().unwrap_or(""));
    assert_eq!(code(&world.post(&path, json!({ "content": "psst" })).await?), (403, 50007));
    Ok(())
}

#[tokio::test]
async fn a_nonce_makes_one_message_for_some_minutes() -> Done {
    let world = World::new().await?;
    let body = json!({ "content": "once", "nonce": "n-1", "enforce_nonce": true });
    let first = world.post(&world.messages_path(), body.clone()).await?;
    assert_eq!(world.post(&world.messages_path(), body.clone()).await?.1["id"], first.1["id"]);
    world.clock.advance(Duration::from_secs(3 * 60));
    assert_ne!(world.post(&world.messages_path(), body).await?.1["id"], first.1["id"]);
    assert_eq!(world.discord.messages(world.channel, world.dev).len(), 2);
    Ok(())
}

#[tokio::test]
async fn commands_are_registered_compared_and_limited() -> Done {
    let world = World::new().await?;
    let put = world.register(json!([retry()])).await?;
    assert_eq!(put.0, 200);
    assert_eq!(put.1[0]["description_localizations"]["zh-CN"], "重试构建");
    serde_json::from_value::<Vec<twilight_model::application::command::Command>>(put.1.clone())?;
    let path = world.commands_path();
    assert!(world.get(&path).await?.1[0].get("description_localizations").is_none());
    let full = world.get(&format!("{path}?with_localizations=true")).await?;
    assert!(full.1[0]["description_localizations"].is_object());
    assert_eq!(world.register(json!([retry()])).await?.1[0]["id"], put.1[0]["id"]);
    assert_eq!(world.post(&path, retry()).await?.0, 200);
    assert_eq!(world.post(&path, json!({ "name": "help", "description": "Help" })).await?.0, 201);
    let refused = world.register(json!([{ "name": "Retry", "description": "d", "contexts": [0] }])).await?;
    assert_eq!(refused.1["errors"]["0"]["name"]["_errors"][0]["code"], "APPLICATION_COMMAND_INVALID_NAME");
    assert!(refused.1["errors"]["0"]["contexts"].is_object());
    let id = put.1[0]["id"].as_str().unwrap_or("").to_owned();
    assert_eq!(world.call(Method::DELETE, &format!("{path}/{id}"), None).await?.0, 204);
    assert_eq!(code(&world.get(&format!("{path}/{id}")).await?), (404, 10063));
    assert_eq!(world.discord.commands(Scope::Guild(world.guild)).len(), 1);
    let global = format!("/applications/{}/commands", world.discord.application_id());
    let help = json!([{
        "name": "help", "description": "d", "contexts": [0], "integration_types": [0],
        "default_member_permissions": "32",
    }]);
    let put = world.call(Method::PUT, &global, Some(help)).await?;
    assert_eq!(put.1[0]["default_member_permissions"], "32");
    Ok(())
}

#[tokio::test]
async fn a_lost_session_is_resumed_with_what_it_missed() -> Done {
    let (world, mut client) = World::ready().await?;
    world.discord.send_raw("SOMETHING", json!({ "n": 1 }));
    client.event("SOMETHING").await?;
    let (session, sequence) = (client.session.clone(), client.sequence);
    world.discord.drop_gateway();
    world.discord.wait_for("the drop", |discord| (discord.gateway_sessions() == 0).then_some(())).await;
    let id = world.type_retry()?;
    assert!(world.discord.interaction(id).is_some_and(|seen| seen.failed.is_none()));
    let mut again = Client::connect(&world).await?;
    again.resume(&world, &session, sequence).await?;
    assert_eq!(again.frame().await?["t"], "INTERACTION_CREATE");
    assert_eq!(again.frame().await?["t"], "RESUMED");

    world.discord.invalidate_session(false);
    assert_eq!(again.frame().await?["op"], 9);
    let mut third = Client::connect(&world).await?;
    third.resume(&world, &session, sequence).await?;
    assert_eq!(third.frame().await?, json!({ "op": 9, "d": false, "s": null, "t": null }));
    // One IDENTIFY in five seconds.
    third.identify(&world.discord.token(), 0).await?;
    assert_eq!(third.frame().await?["op"], 9);
    world.clock.advance(Duration::from_secs(5));
    third.identify(&format!("Bot {}", world.discord.token()), 0).await?;
    third.event("READY").await?;
    Ok(())
}

#[tokio::test]
async fn the_gateway_closes_with_the_documented_codes() -> Done {
    let world = World::new().await?;
    let token = world.discord.token();
    for (token, intents, code) in [("wrong", 0, 4004), (&token, MESSAGE_CONTENT, 4014), (&token, 1 << 40, 4013)] {
        let mut client = Client::connect(&world).await?;
        client.identify(token, intents).await?;
        assert_eq!(client.close_code().await?, code);
    }
    let mut client = Client::connect(&world).await?;
    client.send(json!({ "op": 3, "d": {} })).await?;
    assert_eq!(client.close_code().await?, 4003);
    world.discord.refuse_gateway(Some(4011));
    let mut client = Client::connect(&world).await?;
    client.identify(&token, 0).await?;
    assert_eq!(client.close_code().await?, 4011);
    world.discord.refuse_gateway(None);
    let mut client = Client::login(&world, 0).await?;
    client.send(json!({ "op": 1, "d": client.sequence })).await?;
    assert_eq!(client.frame().await?["op"], 11);
    world.discord.reconnect();
    assert_eq!(client.frame().await?["op"], 7);
    world.discord.close_gateway(4000);
    assert_eq!(client.close_code().await?, 4000);
    Ok(())
}

#[tokio::test]
async fn content_is_emptied_unless_the_bot_is_mentioned() -> Done {
    let world = World::new().await?;
    let mut client = Client::login(&world, 1 | (1 << 9)).await?;
    let guild = client.event("GUILD_CREATE").await?;
    assert_eq!(guild["id"], world.guild.to_string());
    world.discord.say(world.dev, world.channel, "nothing for bots")?;
    assert_eq!(client.event("MESSAGE_CREATE").await?["content"], "");
    let mention = format!("<@{}> retry", world.discord.bot());
    world.discord.say(world.dev, world.channel, &mention)?;
    let told = client.event("MESSAGE_CREATE").await?;
    assert_eq!(told["content"], mention.as_str());
    assert_eq!(told["mentions"][0]["id"], world.discord.bot().to_string());
    Ok(())
}

#[tokio::test]
async fn only_what_allowed_mentions_lets_through_pings() -> Done {
    let world = World::new().await?;
    let content = format!("<@{}> @everyone", world.dev);
    let quiet = json!({ "content": content, "allowed_mentions": { "parse": [] } });
    let loud = json!({ "content": content });
    for (body, pinged) in [(quiet, 0), (loud, 1)] {
        let message = world.post(&world.messages_path(), body).await?.1;
        assert_eq!(message["mentions"].as_array().map(Vec::len), Some(pinged));
        // The bot has no right to ping everyone.
        assert_eq!(message["mention_everyone"], false);
    }
    Ok(())
}

#[tokio::test]
async fn ordered_faults_strike_as_ordered() -> Done {
    let world = World::new().await?;
    let route = "/channels/{channel_id}/messages";
    let body = json!({ "content": "hello" });
    let count = || world.discord.messages(world.channel, world.dev).len();
    world.discord.order(Fault::on("POST", route).lose_answer());
    assert!(world.post(&world.messages_path(), body.clone()).await.is_err());
    assert_eq!(count(), 1);
    world.discord.order(Fault::on("POST", route).lose_request());
    assert!(world.post(&world.messages_path(), body.clone()).await.is_err());
    assert_eq!(count(), 1);
    world.discord.order(Fault::on("POST", route).rate_limited(RateScope::Global, 1.5));
    let limited = world.request(Method::POST, &world.messages_path()).json(&body).send().await?;
    assert_eq!(limited.headers()["x-ratelimit-scope"], "global");
    assert_eq!(limited.headers()["retry-after"], "2");
    assert_eq!(limited.json::<Value>().await?["retry_after"], 1.5);
    world.discord.order(Fault::when(|request| request.body["content"] == "hello").html_502());
    let page = world.request(Method::POST, &world.messages_path()).json(&body).send().await?;
    assert_eq!((page.status().as_u16(), page.headers()["content-type"].to_str()?), (502, "text/html"));

    let gate = Gate::default();
    world.discord.order(Fault::on("POST", route).hold_answer(&gate));
    let waiting = tokio::spawn(world.request(Method::POST, &world.messages_path()).json(&body).send());
    world.discord.wait_for("the held message", |_| (count() == 2).then_some(())).await;
    assert!(!waiting.is_finished());
    gate.open();
    assert_eq!(waiting.await??.status(), 200);
    assert_eq!(world.discord.standing_faults(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn too_many_messages_in_a_channel_wait() -> Done {
    let world = World::new().await?;
    let body = json!({ "content": "hello" });
    for left in (0..5).rev() {
        let response = world.request(Method::POST, &world.messages_path()).json(&body).send().await?;
        assert_eq!(response.headers()["x-ratelimit-remaining"], left.to_string().as_str());
    }
    let refused = world.request(Method::POST, &world.messages_path()).json(&body).send().await?;
    assert_eq!((refused.status().as_u16(), refused.headers()["x-ratelimit-scope"].to_str()?), (429, "user"));
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(world.post(&world.messages_path(), body).await?.0, 200);
    Ok(())
}

#[tokio::test]
async fn an_outage_refuses_connections_until_it_is_over() -> Done {
    let (world, _client) = World::ready().await?;
    world.discord.pause().await;
    let refused = world.request(Method::GET, "/users/@me").send().await;
    assert!(refused.is_err_and(|error| error.is_connect()));
    assert_eq!(world.discord.gateway_sessions(), 0);
    world.discord.resume().await;
    assert_eq!(world.get("/users/@me").await?.0, 200);
    Ok(())
}

/// Digits to bytes.
fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).filter_map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).ok()).collect()
}

/// A bot's HTTP endpoint that answers PONG to a PING and `status` with `body` to everything else; it checks signatures
/// or does not.
async fn endpoint(key: String, strict: bool, status: u16, body: &'static str) -> anyhow::Result<String> {
    use axum::http::{HeaderMap, StatusCode};
    use ed25519_dalek::{Signature, VerifyingKey};
    let key = VerifyingKey::from_bytes(&bytes(&key).try_into().unwrap_or([0; 32]))?;
    let answer = move |headers: HeaderMap, raw: axum::body::Bytes| async move {
        let of = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let signed = [of("x-signature-timestamp").as_bytes(), &raw].concat();
        let signature = Signature::from_slice(&bytes(&of("x-signature-ed25519")));
        let right = signature.is_ok_and(|signature| key.verify_strict(&signed, &signature).is_ok());
        if strict && !right {
            return (StatusCode::UNAUTHORIZED, [("content-type", "text/plain")], "");
        }
        let ping = serde_json::from_slice::<Value>(&raw).is_ok_and(|body| body["type"] == 1);
        let json = [("content-type", "application/json")];
        if ping {
            return (StatusCode::OK, json, r#"{"type":1}"#);
        }
        (StatusCode::from_u16(status).unwrap_or_default(), json, body)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/discord/interactions", listener.local_addr()?);
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(sandbox::wire::serve(stream, router.clone()));
        }
    });
    Ok(url)
}

#[tokio::test]
async fn an_endpoint_is_verified_and_then_replaces_the_gateway() -> Done {
    let (world, _client) = World::ready().await?;
    let discord = &world.discord;
    let lax = endpoint(discord.public_key(), false, 202, "").await?;
    assert!(discord.set_endpoint(Some(&lax)).await.is_err_and(|error| format!("{error:#}").contains("401")));

    let inline = endpoint(discord.public_key(), true, 200, r#"{"type":4,"data":{"content":"inline"}}"#).await?;
    discord.set_endpoint(Some(&inline)).await?;
    let id = world.type_retry()?;
    let message = discord.wait_for("the inline answer", |discord| discord.answer(id)).await;
    assert_eq!(message.content, "inline");
    let how = discord.wait_for("the acknowledgement", |discord| discord.interaction(id)?.acknowledged).await;
    assert!(how.inline);

    let accepted = endpoint(discord.public_key(), true, 202, "").await?;
    discord.set_endpoint(Some(&accepted)).await?;
    let id = world.type_retry()?;
    assert_eq!(world.post(&world.callback(id), json!({ "type": 4, "data": { "content": "rest" } })).await?.0, 204);
    discord.probe_endpoint().await?;
    assert_eq!(discord.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_followup_is_a_message_of_its_own_unless_the_answer_still_waits() -> Done {
    let (world, _client) = World::ready().await?;
    let id = world.type_retry()?;
    assert_eq!(world.post(&world.callback(id), json!({ "type": 5 })).await?.0, 204);
    let webhook = world.webhook(id);
    // Fills in the waiting message; its own privacy does not count.
    let first = world.post(&webhook, json!({ "content": "one", "flags": 64 })).await?;
    assert_eq!(first.1["id"], world.discord.answer(id).expect("an answer").id.to_string());
    let second = world.post(&webhook, json!({ "content": "two", "flags": 64 })).await?;
    assert_ne!(second.1["id"], first.1["id"]);
    let path = format!("{webhook}/messages/{}", second.1["id"].as_str().unwrap_or(""));
    assert_eq!(world.call(Method::DELETE, &path, None).await?.0, 204);
    assert_eq!(code(&world.get(&path).await?), (404, 10008));
    Ok(())
}

#[tokio::test]
async fn files_go_up_as_multipart_and_come_down_without_a_token() -> Done {
    let world = World::new().await?;
    let payload = json!({ "content": "file", "attachments": [{ "id": 0, "description": "a list" }] });
    let file =
        "Content-Disposition: form-data; name=\"files[0]\"; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\na,b";
    let fields = format!("Content-Disposition: form-data; name=\"payload_json\"\r\n\r\n{payload}");
    let body = format!("--XX\r\n{file}\r\n--XX\r\n{fields}\r\n--XX--\r\n");
    let request = world.request(Method::POST, &world.messages_path());
    let request = request.header("content-type", "multipart/form-data; boundary=XX").body(body);
    let message: Value = request.send().await?.json().await?;
    let url = message["attachments"][0]["url"].as_str().unwrap_or_default().to_owned();
    assert_eq!(message["attachments"][0]["description"], "a list");
    let path = url.strip_prefix("https://cdn.discordapp.com").expect("Discord's file host");
    let file = world.http.get(format!("{}{path}", world.discord.plain_url())).send().await?;
    assert_eq!(file.text().await?, "a,b");
    assert_eq!(world.discord.violations(), Vec::<String>::new());
    Ok(())
}

/// Where an answer breaks the schema that Discord's own document has for it.
fn breaches(document: &Value, method: &str, template: &str, answer: &Answer) -> anyhow::Result<Vec<String>> {
    let (status, body) = answer;
    let content = &document["paths"][template][method]["responses"][status.to_string()]["content"];
    let mut schema = content["application/json"]["schema"].clone();
    anyhow::ensure!(schema.is_object(), "the document has no answer {status} for {method} {template}");
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema)?;
    Ok(validator.iter_errors(body).map(|error| format!("{template}{}: {error}", error.instance_path())).collect())
}

#[tokio::test]
async fn answers_keep_discords_own_document() -> Done {
    let Some(path) = std::env::var_os("DISCORD_OPENAPI") else {
        eprintln!("SKIPPED: DISCORD_OPENAPI names no document");
        return Ok(());
    };
    let document: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let (world, _client) = World::ready().await?;
    let (guild, channel, dev) = (world.guild, world.channel, world.dev);
    let button = json!({ "type": 2, "style": 1, "label": "Go", "custom_id": "go" });
    let embed = json!({ "title": "t", "color": 5, "fields": [{ "name": "n", "value": "v" }] });
    let body = json!({ "content": "x", "embeds": [embed], "components": [{ "type": 1, "components": [button] }] });
    let said = world.post(&world.messages_path(), body.clone()).await?;
    let message = said.1["id"].as_str().unwrap_or_default().to_owned();
    let id = world.type_retry()?;
    let callback = format!("{}?with_response=true", world.callback(id));
    let answered = world.post(&callback, json!({ "type": 4, "data": body })).await?;
    let commands = "/applications/{application_id}/guilds/{guild_id}/commands";
    let original = format!("{}/messages/@original", world.webhook(id));
    let mut found = Vec::new();
    for (method, template, answer) in [
        ("post", "/channels/{channel_id}/messages", said),
        ("post", "/interactions/{interaction_id}/{interaction_token}/callback", answered),
        ("get", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", world.get(&original).await?),
        ("get", "/gateway", world.get("/gateway").await?),
        ("get", "/gateway/bot", world.get("/gateway/bot").await?),
        ("get", "/users/@me", world.get("/users/@me").await?),
        ("get", "/applications/@me", world.get("/applications/@me").await?),
        ("get", "/guilds/{guild_id}", world.get(&format!("/guilds/{guild}")).await?),
        ("get", "/guilds/{guild_id}/channels", world.get(&format!("/guilds/{guild}/channels")).await?),
        ("get", "/guilds/{guild_id}/roles", world.get(&format!("/guilds/{guild}/roles")).await?),
        ("get", "/guilds/{guild_id}/members/{user_id}", world.get(&format!("/guilds/{guild}/members/{dev}")).await?),
        ("get", "/channels/{channel_id}", world.get(&format!("/channels/{channel}")).await?),
        ("get", "/channels/{channel_id}/messages", world.get(&world.messages_path()).await?),
        (
            "get",
            "/channels/{channel_id}/messages/{message_id}",
            world.get(&format!("{}/{message}", world.messages_path())).await?,
        ),
        ("get", commands, world.get(&world.commands_path()).await?),
        ("put", commands, world.register(json!([retry()])).await?),
    ] {
        found.extend(breaches(&document, method, template, &answer)?);
    }
    assert_eq!(found, Vec::<String>::new());
    assert_eq!(world.discord.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_body_that_only_discords_document_refuses_is_refused() -> Done {
    let world = World::new().await?;
    let answer = world.post(&world.messages_path(), json!({ "content": "x", "tts": "loudly" })).await?;
    if std::env::var_os("DISCORD_OPENAPI").is_none() {
        eprintln!("SKIPPED: DISCORD_OPENAPI names no document");
        return Ok(());
    }
    assert_eq!(code(&answer), (400, 50035));
    assert_eq!(answer.1["errors"]["tts"]["_errors"][0]["code"], "OPENAPI");
    assert!(world.discord.take_violations().iter().any(|violation| violation.contains("tts")));
    Ok(())
}

#[tokio::test]
async fn an_id_in_a_path_is_a_snowflake() -> Done {
    let world = World::new().await?;
    let answer = world.get("/channels/builds/messages").await?;
    assert_eq!(code(&answer), (400, 50035));
    assert!(answer.1["errors"]["channel_id"].is_object());
    // No interaction's token is in what is told of unknown routes.
    let token = "interaction-token-0123";
    assert_eq!(world.get(&format!("/webhooks/1/{token}/slack")).await?.0, 404);
    assert!(world.discord.take_violations().iter().all(|violation| !violation.contains(token)));
    Ok(())
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_take_its_request_back() -> Done {
    let world = World::new().await?;
    let gate = Gate::default();
    world.discord.order(Fault::on("POST", "/channels/{channel_id}/messages").hold_request(&gate));
    let waiting =
        tokio::spawn(world.request(Method::POST, &world.messages_path()).json(&json!({ "content": "x" })).send());
    world.discord.wait_for("the request", |discord| (!discord.requests().is_empty()).then_some(())).await;
    waiting.abort();
    gate.open();
    let told = |discord: &Discord| discord.messages(world.channel, world.dev).pop();
    assert_eq!(world.discord.wait_for("the message", told).await.content, "x");
    Ok(())
}

#[tokio::test]
async fn some_close_codes_end_the_session() -> Done {
    let (world, mut client) = World::ready().await?;
    world.discord.withhold_acks(true);
    client.send(json!({ "op": 1, "d": null })).await?;
    world.discord.close_gateway(4011);
    // Not answered, so the close is the next that comes.
    assert!(matches!(client.next().await?, Message::Close(_)));
    drop(client.socket);
    world.discord.wait_for("the end", |discord| (discord.gateway_sessions() == 0).then_some(())).await;
    // Nobody will resume, so nobody is told.
    let id = world.type_retry()?;
    assert!(world.discord.interaction(id).is_some_and(|seen| seen.failed.is_some()));
    let mut again = Client::connect(&world).await?;
    again.resume(&world, &client.session, 1).await?;
    assert_eq!(again.frame().await?["d"], false);
    Ok(())
}

/// `resources/user#get-current-user-guilds`: 200 at most, `after` an id.
#[tokio::test]
async fn servers_come_in_pages() -> Done {
    let world = World::new().await?;
    let more = [world.discord.add_guild("Second", "en-US"), world.discord.add_guild("Third", "en-US")];
    let ids = |answer: Answer| -> Vec<u64> {
        let servers = answer.1.as_array().cloned().unwrap_or_default();
        servers.iter().filter_map(|server| server["id"].as_str()?.parse().ok()).collect()
    };
    assert_eq!(ids(world.get("/users/@me/guilds").await?), [world.guild, more[0], more[1]]);
    assert_eq!(ids(world.get("/users/@me/guilds?limit=2").await?), [world.guild, more[0]]);
    assert_eq!(ids(world.get(&format!("/users/@me/guilds?limit=2&after={}", more[0])).await?), [more[1]]);
    assert_eq!(code(&world.get("/users/@me/guilds?limit=201").await?), (400, 50035));
    Ok(())
}

/// `discord-rules.md` 3: administrators of a server can change who may use a command there.
#[tokio::test]
async fn who_may_use_a_command_is_the_servers_to_set() -> Done {
    let world = World::new().await?;
    let mapping = json!({"name": "mapping", "description": "Mapping", "default_member_permissions": "32"});
    world.post(&world.commands_path(), mapping).await?;
    let may = |user| {
        let typed = world.discord.type_command(Typing::new(user, world.channel, "mapping"));
        !matches!(typed, Err(Refused::NotPermitted(_)))
    };
    assert!(may(world.admin) && !may(world.dev), "by default");
    let (guild, everybody) = (world.guild, Target::Role(world.guild));
    world.discord.permit_command(guild, "mapping", everybody, true);
    assert!(may(world.dev), "open to everybody");
    let role = world.discord.add_role(guild, "Guests", 0);
    world.discord.join(guild, world.dev, 0, &[role]);
    world.discord.permit_command(guild, "mapping", Target::Role(role), false);
    assert!(!may(world.dev) && may(world.admin), "a role counts more than everybody");
    world.discord.permit_command(guild, "mapping", Target::Member(world.dev), true);
    assert!(may(world.dev), "a person counts more than a role");
    world.discord.permit_command(guild, "mapping", everybody, false);
    assert!(!may(world.admin), "what is set replaces the default");
    Ok(())
}

/// What a later version of Discord may send and answer.
#[tokio::test]
async fn an_interaction_and_an_answer_can_be_altered() -> Done {
    let world = World::new().await?;
    world.post(&world.commands_path(), retry()).await?;
    let altered = |payload: &mut Value| payload["data"] = json!({"later": true});
    let typing = Typing::new(world.dev, world.channel, "retry").option("build", "b-1");
    let interaction = world.discord.type_altered(typing, altered)?;
    assert_eq!(world.discord.payload_of(interaction).expect("a payload")["data"], json!({"later": true}));
    world.discord.order(Fault::on("GET", "/users/@me").alter_answer(|body| body["id"] = json!(7)));
    assert_eq!(world.get("/users/@me").await?.1["id"], 7);
    assert!(world.get("/users/@me").await?.1["id"].is_string());
    Ok(())
}
