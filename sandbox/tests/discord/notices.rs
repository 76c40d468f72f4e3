//! What notices need of the double: roles and pings, edits, selects, threads, and what the bot may do in a channel.

use sandbox::discord::Pinged;
use sandbox::discord::permissions::{ADMINISTRATOR, EMBED_LINKS, MENTION_EVERYONE, SEND_MESSAGES_IN_THREADS};

use super::*;

impl World {
    async fn posted(&self, body: Value) -> anyhow::Result<u64> {
        // Five a channel in five seconds.
        self.clock.advance(Duration::from_secs(1));
        let answer = self.post(&self.messages_path(), body).await?;
        anyhow::ensure!(answer.0 == 200, "{answer:?}");
        Ok(answer.1["id"].as_str().unwrap_or_default().parse()?)
    }

    async fn edited(&self, message: u64, body: Value) -> anyhow::Result<Value> {
        let answer = self.patch(&format!("{}/{message}", self.messages_path()), body).await?;
        anyhow::ensure!(answer.0 == 200, "{answer:?}");
        Ok(answer.1)
    }

    fn pinged(&self, message: u64) -> Pinged {
        self.discord.message(message).map(|message| message.pinged().clone()).unwrap_or_default()
    }

    /// Takes these bits from everybody, and so from the bot, in the channel.
    fn deny(&self, bits: u64) {
        self.discord.overwrite(self.channel, Target::Role(self.guild), 0, bits);
        self.discord.overwrite(self.channel, Target::Member(self.discord.bot()), 0, bits);
    }
}

/// `discord-rules.md` 4, `allowed_mentions`; 5, MENTION_EVERYONE.
#[tokio::test]
async fn a_role_is_pinged_when_it_is_mentionable_or_the_bot_may_mention_everyone() -> Done {
    let world = World::new().await?;
    let role = world.discord.add_role(world.guild, "on call", 0);
    world.discord.join(world.guild, world.dev, 0, &[role]);
    let body = json!({
        "content": format!("<@&{role}> <@{}>", world.admin),
        "allowed_mentions": { "parse": [], "roles": [role.to_string()], "users": [world.admin.to_string()] },
    });
    let shy = world.posted(body.clone()).await?;
    assert_eq!(world.pinged(shy), Pinged { users: vec![world.admin], ..Pinged::default() });
    assert_eq!(world.discord.people_pinged_by(shy), [world.admin]);

    world.discord.set_mentionable(world.guild, role, true);
    let open = world.posted(body.clone()).await?;
    assert_eq!(world.pinged(open), Pinged { users: vec![world.admin], roles: vec![role], everyone: false });
    assert_eq!(world.discord.people_pinged_by(open), [world.admin, world.dev]);

    world.discord.set_mentionable(world.guild, role, false);
    world.discord.set_bot_permissions(world.guild, MENTION_EVERYONE);
    assert_eq!(world.pinged(world.posted(body.clone()).await?).roles, [role]);
    // Only whom `allowed_mentions` lists, and everyone by no role's id.
    let nobody = json!({ "parse": [] });
    let everyone = world.guild.to_string();
    for (content, allowed) in [
        (format!("<@&{role}> <@{}> @everyone", world.admin), nobody),
        (format!("<@&{everyone}>"), json!({ "parse": [], "roles": [everyone] })),
        (format!("<@&{}>", u64::MAX >> 1), json!({ "parse": ["roles"] })),
    ] {
        let quiet = world.posted(json!({ "content": content, "allowed_mentions": allowed })).await?;
        assert!(world.pinged(quiet).is_nobody(), "{content}");
    }
    // An embed mentions, and pings nobody.
    let embed = json!({ "embeds": [{ "description": format!("<@{}>", world.dev) }] });
    assert!(world.pinged(world.posted(embed).await?).is_nobody());
    assert_eq!(world.discord.violations(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn whoever_does_not_see_the_channel_is_not_pinged() -> Done {
    let world = World::new().await?;
    let role = world.discord.add_role(world.guild, "on call", 0);
    world.discord.set_mentionable(world.guild, role, true);
    world.discord.join(world.guild, world.dev, 0, &[role]);
    world.discord.overwrite(world.channel, Target::Member(world.dev), 0, VIEW_CHANNEL);
    let said = world.posted(json!({ "content": format!("<@{}> <@&{role}>", world.dev) })).await?;
    assert_eq!(world.pinged(said), Pinged { roles: vec![role], ..Pinged::default() });
    assert_eq!(world.discord.people_pinged_by(said), Vec::<u64>::new());
    Ok(())
}

#[tokio::test]
async fn an_edit_pings_nobody_and_is_noted_with_its_time() -> Done {
    let world = World::new().await?;
    let dev = world.dev.to_string();
    let allowed = json!({ "parse": [], "users": [dev] });
    let content = format!("<@{dev}>");
    let said = world.posted(json!({ "content": content, "allowed_mentions": allowed })).await?;
    let quiet = world.posted(json!({ "content": "no one" })).await?;
    let mut times = Vec::new();
    for seconds in [10, 20] {
        world.clock.advance(Duration::from_secs(seconds));
        let embeds = json!([{ "title": "later" }]);
        let edit = json!({ "embeds": embeds, "allowed_mentions": { "parse": [] } });
        assert_eq!(world.edited(said, edit).await?["mentions"][0]["id"], *dev, "the text is as it was");
        times.push(world.clock.now_ms());
    }
    let message = world.discord.message(said).expect("a message");
    let near = |(edit, time): (&i64, &i64)| (time - 5_000..=*time).contains(edit);
    assert!(message.edits.len() == 2 && message.edits.iter().zip(&times).all(near), "{:?} {times:?}", message.edits);
    assert_eq!((message.edited_ms, &message.content), (message.edits.last().copied(), &content));
    assert_eq!(message.pinged.users, [world.dev], "when it was made");
    world.edited(quiet, json!({ "content": format!("<@{dev}>"), "allowed_mentions": allowed })).await?;
    assert!(world.pinged(quiet).is_nobody());
    assert_eq!(world.discord.message(quiet).map(|message| message.mentions), Some(vec![world.dev]));
    Ok(())
}

/// `discord-rules.md` 5: what is missing is answered with 403.
#[tokio::test]
async fn what_the_bot_may_not_do_in_a_channel_is_refused() -> Done {
    let plain = || json!({ "content": "x" });
    let embed = || json!({ "embeds": [{ "title": "x" }] });
    for (denied, body, expected) in [
        (VIEW_CHANNEL, plain(), 50001),
        (SEND_MESSAGES, plain(), 50013),
        (SEND_MESSAGES, embed(), 50013),
        (EMBED_LINKS, embed(), 50013),
    ] {
        let world = World::new().await?;
        world.deny(denied);
        assert_eq!(code(&world.post(&world.messages_path(), body).await?), (403, expected), "{denied:b}");
        assert_eq!(world.discord.messages(world.channel, world.discord.bot()), []);
        assert_eq!(world.discord.violations(), Vec::<String>::new(), "any client may meet it");
    }
    let world = World::new().await?;
    world.deny(EMBED_LINKS);
    assert_eq!(world.post(&world.messages_path(), plain()).await?.0, 200);
    Ok(())
}

/// `discord-rules.md` 5: SEND_MESSAGES has no effect in a thread.
#[tokio::test]
async fn a_thread_has_its_channels_overwrites_and_a_permission_of_its_own() -> Done {
    let world = World::new().await?;
    // GUILDS, without which nobody hears of channels (discord-rules 7).
    let mut client = Client::login(&world, 1).await?;
    let thread = world.discord.add_thread(world.channel, "flaky tests");
    let told = client.event("THREAD_CREATE").await?;
    assert_eq!((&told["type"], &told["parent_id"]), (&json!(11), &json!(world.channel.to_string())));
    let path = format!("/channels/{thread}/messages");
    world.deny(SEND_MESSAGES);
    assert_eq!(world.post(&path, json!({ "embeds": [{ "title": "x" }] })).await?.0, 200);
    assert!(world.discord.say(world.dev, thread, "x").is_ok());
    world.deny(SEND_MESSAGES_IN_THREADS);
    assert_eq!(code(&world.post(&path, json!({ "content": "x" })).await?), (403, 50013));
    assert!(world.discord.say(world.dev, thread, "x").is_err());
    assert_eq!(world.discord.bot_permissions(thread) & EMBED_LINKS, 0, "implied");
    world.deny(VIEW_CHANNEL);
    assert_eq!(code(&world.post(&path, json!({ "content": "x" })).await?), (403, 50001));
    let listed = world.get(&format!("/guilds/{}/channels", world.guild)).await?.1;
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "threads are not among them");
    Ok(())
}

/// `discord-rules.md` 1: computed for the channel.
#[tokio::test]
async fn an_interaction_tells_what_the_bot_may_do_there_and_what_was_named() -> Done {
    let world = World::new().await?;
    let role = world.discord.add_role(world.guild, "on call", 0);
    let options = json!([
        { "type": 8, "name": "who", "description": "Whom" },
        { "type": 3, "name": "on", "description": "When", "choices": [{ "name": "Always", "value": "all" }] },
    ]);
    assert_eq!(world.register(json!([{ "name": "tell", "description": "Tell", "options": options }])).await?.0, 200);
    let _client = Client::login(&world, 0).await?;
    let typing = |channel| Typing::new(world.dev, channel, "tell");
    let payload = |typing| -> anyhow::Result<Value> {
        let id = world.discord.type_command(typing)?;
        Ok(world.discord.payload_of(id).unwrap_or_default())
    };
    let bits = |payload: &Value| payload["app_permissions"].as_str().and_then(|bits| bits.parse::<u64>().ok());
    let thread = world.discord.add_thread(world.channel, "flaky tests");
    let told = payload(typing(thread))?;
    assert_eq!(told["channel"]["type"], 11);
    assert_eq!(bits(&told), Some(world.discord.bot_permissions(world.channel)));
    serde_json::from_value::<twilight_model::application::interaction::Interaction>(told)?;
    world.deny(EMBED_LINKS);
    for channel in [world.channel, thread] {
        let held = bits(&payload(typing(channel))?).unwrap_or_default();
        assert_eq!(held & (EMBED_LINKS | VIEW_CHANNEL | SEND_MESSAGES), VIEW_CHANNEL | SEND_MESSAGES);
    }
    world.discord.set_bot_permissions(world.guild, ADMINISTRATOR);
    assert_ne!(bits(&payload(typing(world.channel))?).unwrap_or_default() & ADMINISTRATOR, 0);

    for mentionable in [true, false] {
        world.discord.set_mentionable(world.guild, role, mentionable);
        let told = payload(typing(world.channel).option("who", role.to_string()).option("on", "all"))?;
        let named = &told["data"]["resolved"]["roles"][role.to_string()];
        assert_eq!((&named["name"], &named["mentionable"]), (&json!("on call"), &json!(mentionable)));
        assert_eq!(told["data"]["options"][1]["value"], "all");
    }
    for (name, value) in [("who", world.dev.to_string()), ("on", "Always".to_owned())] {
        let refused = world.discord.type_command(typing(world.channel).option(name, value));
        assert!(matches!(refused, Err(Refused::BadOption(..))), "{name}: {refused:?}");
    }
    Ok(())
}

/// `discord-rules.md` 4, Components.
#[tokio::test]
async fn one_of_its_options_is_chosen_from_a_select_of_the_bots() -> Done {
    let (world, mut client) = World::ready().await?;
    let options: Vec<Value> = ["unit", "lint"].map(|id| json!({ "label": format!("Run {id}"), "value": id })).into();
    let select = json!({ "type": 3, "custom_id": "from:1", "placeholder": "Retry from…", "options": options });
    let stop = json!({ "type": 2, "style": 4, "custom_id": "stop:1", "label": "Stop" });
    let rows = json!([{ "type": 1, "components": [stop] }, { "type": 1, "components": [select] }]);
    let said = world.posted(json!({ "content": "failed", "components": rows })).await?;
    let message = world.discord.message(said).expect("a message");
    assert_eq!(message.text(), "failed\nStop\nRetry from…");
    assert_eq!(message.choices("Retry from…")[1], ("Run lint".to_owned(), "lint".to_owned()));
    assert_eq!(message.component("Stop").map(|button| &button["custom_id"]), Some(&json!("stop:1")));

    world.discord.choose(world.dev, said, "from:1", &["lint"])?;
    let told = client.event("INTERACTION_CREATE").await?;
    let data = &told["data"];
    assert_eq!((&data["component_type"], &data["values"]), (&json!(3), &json!(["lint"])));
    assert_eq!(told["message"]["id"], said.to_string());
    serde_json::from_value::<twilight_model::application::interaction::Interaction>(told)?;

    for (custom_id, values) in [
        ("from:1", [].as_slice()),
        ("from:1", &["Run lint"]),
        ("from:1", &["lint", "unit"]),
        ("from:1", &["lint", "lint"]),
        ("stop:1", &["lint"]),
    ] {
        let refused = world.discord.choose(world.dev, said, custom_id, values);
        assert!(matches!(refused, Err(Refused::NoSuchComponent(_))), "{custom_id} {values:?}");
    }
    // What an edit took away cannot be chosen any more.
    world.edited(said, json!({ "components": [] })).await?;
    assert!(world.discord.choose(world.dev, said, "from:1", &["lint"]).is_err());
    Ok(())
}
