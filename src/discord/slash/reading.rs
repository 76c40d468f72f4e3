//! What is read out of each command, and what is not taken for one.

use serde_json::{Value, json};
use serenity::all::CommandInteraction;

use super::*;
use crate::commands::{BuildOptions, LogOptions, WatchOptions};
use crate::model::watch::{Hears, Permission, Role};

fn interaction(data: Value) -> Value {
    let user = json!({"id": "41", "username": "dev", "discriminator": "0", "avatar": null});
    json!({
        "id": "1575243320001560576", "application_id": "7", "type": 2, "token": "a-token", "version": 1, "data": data,
        "guild_id": "11", "channel_id": "12", "locale": "zh-CN", "guild_locale": "ja", "app_permissions": "0",
        "entitlements": [], "authorizing_integration_owners": {"0": "11"}, "context": 0,
        "attachment_size_limit": 10_485_760,
        "member": {
            "user": user, "roles": ["21", "22"], "permissions": "2048", "joined_at": "2024-01-01T00:00:00Z",
            "deaf": false, "mute": false, "flags": 0, "nick": null, "avatar": null, "premium_since": null,
        },
    })
}

fn read_json(interaction: Value) -> Result<Request, Unreadable> {
    read(&serde_json::from_value::<CommandInteraction>(interaction).expect("a command interaction"))
}

fn command(name: &str, options: Value) -> Value {
    let user = json!({"id": "42", "username": "ann", "discriminator": "0", "avatar": null});
    let role = json!({
        "id": "51", "name": "on call", "permissions": "0", "position": 1, "color": 0, "hoist": false, "managed": false,
        "mentionable": true, "icon": null, "unicode_emoji": null, "flags": 0, "description": null,
        "colors": {"primary_color": 0, "secondary_color": null, "tertiary_color": null},
    });
    let resolved = json!({"users": {"42": user}, "roles": {"51": role}});
    json!({"id": "9", "name": name, "type": 1, "options": options, "resolved": resolved})
}

fn read_command(name: &str, options: Value) -> Result<Command, Unreadable> {
    read_json(interaction(command(name, options))).map(|request| request.command)
}

fn text(name: &str, value: &str) -> Value {
    json!({"name": name, "type": 3, "value": value})
}

fn user() -> Value {
    json!({"name": "user", "type": 6, "value": "42"})
}

fn sub(name: &str, options: Value) -> Value {
    json!([{"name": name, "type": 1, "options": options}])
}

fn retry(more: &[Value]) -> Value {
    let required = [text("project", "demo"), text("pipeline", "p-1"), text("build", "b-2")];
    required.into_iter().chain(more.iter().cloned()).collect()
}

#[test]
fn who_asked_where_and_until_when_is_read() {
    let request = read_json(interaction(command("help", json!([])))).expect("a request");
    assert_eq!(request.interaction, InteractionId(1_575_243_320_001_560_576));
    let made_ms = (1_575_243_320_001_560_576_i64 >> 22) + 1_420_070_400_000;
    let expires = request.token.as_ref().map(|(_, expires)| *expires);
    assert_eq!(expires, Some(Timestamp(made_ms + 15 * 60 * 1_000)));
    assert_eq!(request.actor.user, UserId(41));
    assert_eq!(request.actor.roles, [RoleId(21), RoleId(22)]);
    assert_eq!((request.place.guild, request.place.channel), (GuildId(11), ChannelId(12)));
    assert_eq!((request.locale, request.guild_locale), (Locale::ZhCn, Locale::Ja));
    assert!(!format!("{request:?}").contains("a-token"), "a token is never printed");
}

#[test]
fn manage_server_and_administrator_both_manage_the_server() {
    for (permissions, manages) in [("0", false), ("2048", false), ("32", true), ("8", true), ("40", true)] {
        let mut interaction = interaction(command("help", json!([])));
        interaction["member"]["permissions"] = json!(permissions);
        let request = read_json(interaction).expect("a request");
        assert_eq!(request.actor.manage_server, manages, "{permissions}");
    }
}

#[test]
fn each_command_is_read_with_its_options() {
    let Ok(Command::Retry(options)) = read_command("retry", retry(&[])) else { panic!("a retry") };
    assert_eq!((&*options.project, &*options.pipeline, &*options.build), ("demo", "p-1", "b-2"));
    assert_eq!((options.task, options.skip), (None, None));
    let Ok(Command::Retry(options)) = read_command("retry", retry(&[text("task", "e-1")])) else { panic!("a retry") };
    assert_eq!((options.task.as_deref(), options.skip), (Some("e-1"), None));
    let Ok(Command::Retry(options)) = read_command("retry", retry(&[text("skip", "e-2")])) else { panic!("a retry") };
    assert_eq!((options.task, options.skip.as_deref()), (None, Some("e-2")));
    let (who, uid) = (UserId(42), "ann.uid".to_owned());
    for (name, options, expected) in [
        ("mapping", sub("set", json!([user(), text("uid", &uid)])), Command::MappingSet { user: who, uid }),
        ("mapping", sub("remove", json!([user()])), Command::MappingRemove { user: who }),
        ("mapping", sub("show", json!([user()])), Command::MappingShow { user: who }),
        ("mapping", sub("list", json!([])), Command::MappingList { filter: None }),
        ("mapping", sub("list", json!([text("filter", "a")])), Command::MappingList { filter: Some("a".into()) }),
        ("whoami", json!([]), Command::Whoami),
        ("help", json!([]), Command::Help),
    ] {
        assert_eq!(read_command(name, options.clone()), Ok(expected), "{name} {options}");
    }
}

fn build() -> BuildOptions {
    BuildOptions { project: "demo".into(), pipeline: "p-1".into(), build: "b-2".into() }
}

#[test]
fn a_build_is_looked_at_and_stopped() {
    let lines = |lines: i64| json!({"name": "lines", "type": 4, "value": lines});
    let log = |task: Option<&str>, lines| LogOptions { build: build(), task: task.map(str::to_owned), lines };
    for (name, more, expected) in [
        ("status", vec![], Command::BuildStatus(build())),
        ("stop", vec![], Command::BuildStop(build())),
        ("log", vec![], Command::BuildLog(log(None, None))),
        ("log", vec![text("task", "e-1"), lines(40)], Command::BuildLog(log(Some("e-1"), Some(40)))),
        ("log", vec![lines(1_000)], Command::BuildLog(log(None, Some(100)))),
        ("log", vec![lines(-1)], Command::BuildLog(log(None, None))),
    ] {
        assert_eq!(read_command("build", sub(name, retry(&more))), Ok(expected), "{name} {more:?}");
    }
}

fn watch(more: &[Value]) -> Value {
    [text("project", "demo"), text("pipeline", "p-1")].into_iter().chain(more.iter().cloned()).collect()
}

fn watched(options: &[Value], alter: impl FnOnce(&mut Value)) -> WatchOptions {
    let mut interaction = interaction(command("watch", sub("add", watch(options))));
    interaction["app_permissions"] = json!((1_u64 << 10 | 1 << 11 | 1 << 14).to_string());
    alter(&mut interaction);
    match read_json(interaction).expect("a request").command {
        Command::WatchAdd(options) => options,
        other => panic!("not a watch: {other:?}"),
    }
}

#[test]
fn a_watch_is_read_with_what_discord_says_of_the_role() {
    let plain = WatchOptions { project: "demo".into(), pipeline: "p-1".into(), ..WatchOptions::default() };
    assert_eq!(watched(&[], |_| {}), plain);
    let more = [
        text("on", "all"),
        text("branch", "release/*"),
        json!({"name": "mention", "type": 8, "value": "51"}),
        json!({"name": "mention_starter", "type": 5, "value": true}),
    ];
    let role = Role { id: RoleId(51), mentionable: true };
    let full = WatchOptions {
        on: Hears::All,
        branch: Some("release/*".into()),
        mention: Some(role),
        mention_starter: true,
        ..plain
    };
    assert_eq!(watched(&more, |_| {}), full);
    let shy = |interaction: &mut Value| interaction["data"]["resolved"]["roles"]["51"]["mentionable"] = json!(false);
    assert_eq!(watched(&more, shy).mention, Some(Role { mentionable: false, ..role }));
    let (project, pipeline) = ("demo".to_owned(), "p-1".to_owned());
    assert_eq!(read_command("watch", sub("remove", watch(&[]))), Ok(Command::WatchRemove { project, pipeline }));
    assert_eq!(read_command("watch", sub("list", json!([]))), Ok(Command::WatchList));
}

#[test]
fn who_may_mention_everybody_is_read_from_the_person() {
    for (permissions, may) in [("2048", false), ("131072", true), ("8", true), ("133120", true), ("65536", false)] {
        let options = watched(&[], |interaction| interaction["member"]["permissions"] = json!(permissions));
        assert_eq!(options.may_mention, may, "{permissions}");
    }
}

#[test]
fn what_the_bot_lacks_in_a_channel_or_thread_is_named() {
    use Permission as P;
    const VIEW: u64 = 1 << 10;
    const SEND: u64 = 1 << 11;
    const EMBED: u64 = 1 << 14;
    const IN_THREADS: u64 = 1 << 38;
    const ADMINISTRATOR: u64 = 1 << 3;
    const TEXT: u8 = 0;
    for (held, kind, missing) in [
        (VIEW | SEND | EMBED, TEXT, vec![]),
        (ADMINISTRATOR, TEXT, vec![]),
        (SEND | EMBED, TEXT, vec![P::ViewChannel]),
        (VIEW | EMBED | IN_THREADS, TEXT, vec![P::SendMessages]),
        (VIEW | SEND, TEXT, vec![P::EmbedLinks]),
        (0, TEXT, vec![P::ViewChannel, P::SendMessages, P::EmbedLinks]),
        (VIEW | EMBED | IN_THREADS, 11, vec![]),
        (VIEW | EMBED | IN_THREADS, 10, vec![]),
        (VIEW | EMBED | SEND, 11, vec![P::SendMessagesInThreads]),
        (VIEW | EMBED | SEND, 12, vec![P::SendMessagesInThreads]),
        (ADMINISTRATOR, 12, vec![]),
    ] {
        let options = watched(&[], |interaction| {
            interaction["app_permissions"] = json!(held.to_string());
            interaction["channel"] = json!({"id": "12", "type": kind, "name": "builds"});
        });
        assert_eq!(options.missing, missing, "{held:b} in {kind}");
    }
}

#[test]
fn what_is_typed_in_a_subcommand_is_read() {
    let focused = json!({"name": "task", "type": 3, "value": "un", "focused": true});
    for (name, options, expected) in [
        ("retry", retry(std::slice::from_ref(&focused)), Focus::Task),
        ("build", sub("log", retry(&[focused])), Focus::Logged),
    ] {
        let mut typing = interaction(command(name, options));
        typing["type"] = json!(4);
        let typed = read_typed(&serde_json::from_value(typing).expect("a command interaction")).expect("typed");
        assert_eq!((typed.focus, &*typed.text), (expected, "un"));
        assert_eq!((&*typed.project, &*typed.pipeline, &*typed.build), ("demo", "p-1", "b-2"));
    }
}

#[test]
fn a_shape_that_this_version_did_not_register_is_refused() {
    let number = json!([{"name": "project", "type": 4, "value": 5}]);
    let someone = json!([{"name": "user", "type": 6, "value": "43"}]);
    for (name, options, expected) in [
        ("retry", json!([]), Unreadable::Missing("project")),
        ("retry", json!([text("project", "demo"), text("pipeline", "p-1")]), Unreadable::Missing("build")),
        ("retry", number, Unreadable::Missing("project")),
        ("mapping", json!([]), Unreadable::UnknownCommand("mapping".into())),
        ("mapping", sub("rename", json!([])), Unreadable::UnknownCommand("mapping rename".into())),
        ("mapping", sub("set", json!([user()])), Unreadable::Missing("uid")),
        ("mapping", sub("set", json!([text("uid", "a")])), Unreadable::Missing("user")),
        // Named, but not among what came resolved with it.
        ("mapping", sub("show", someone), Unreadable::Missing("user")),
        ("deploy", json!([]), Unreadable::UnknownCommand("deploy".into())),
        ("build", json!([]), Unreadable::UnknownCommand("build".into())),
        ("build", sub("start", json!([])), Unreadable::UnknownCommand("build start".into())),
        ("build", sub("log", json!([text("project", "demo")])), Unreadable::Missing("pipeline")),
        ("watch", sub("mute", json!([])), Unreadable::UnknownCommand("watch mute".into())),
        ("watch", sub("add", watch(&[text("on", "sometimes")])), Unreadable::Missing("on")),
        (
            "watch",
            sub("add", watch(&[json!({"name": "mention", "type": 8, "value": "52"})])),
            Unreadable::Missing("mention"),
        ),
    ] {
        assert_eq!(read_command(name, options.clone()), Err(expected), "{name} {options}");
    }
}

#[test]
fn what_does_not_come_from_a_server_is_refused() {
    let mut direct = interaction(command("help", json!([])));
    let fields = direct.as_object_mut().expect("an object");
    let member = fields.remove("member").expect("a member");
    fields.remove("guild_id");
    fields.insert("user".to_owned(), member["user"].clone());
    assert_eq!(read_json(direct).err(), Some(Unreadable::NotInServer));
}
