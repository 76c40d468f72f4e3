//! The chat page in a real browser, with a bot made for it: suggestions, optional options, buttons, selects and forms;
//! edits, pings and links to messages.
//! The story of the real bot on the page is told where its program is built, in `tests/it/page.rs`.

use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use sandbox::bkci::BkCi;
use sandbox::browser::{Browser, Key};
use sandbox::clock::Clock;
use sandbox::demo::Demo;
use sandbox::discord::{Discord, Options};
use sandbox::page::{self, Page};
use sandbox::skips::skip;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What a stranger may write.
const HOSTILE: &str = "<img src=x onerror=alert(1)> **bold** `code` \\*plain\\* <@1>";

/// A bot that takes orders, over signed HTTP, answering in the response itself.
async fn waiter(headers: HeaderMap, Json(interaction): Json<Value>) -> Response {
    // The double only ever sends a right signature or this one.
    if headers["x-signature-ed25519"].to_str().unwrap_or_default().starts_with("0000000000000000") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let data = &interaction["data"];
    let button =
        |style: u8, id: &str, label: &str| json!({ "type": 2, "style": style, "custom_id": id, "label": label });
    let answer = match (interaction["type"].as_u64(), data["custom_id"].as_str()) {
        (Some(1), _) => json!({ "type": 1 }),
        (Some(4), _) => {
            let typed = data["options"][0]["value"].as_str().unwrap_or_default();
            let dishes =
                ["Noodles", "Dumplings", "Rice"].into_iter().filter(|dish| dish.to_lowercase().contains(typed));
            let choices: Vec<Value> =
                dishes.map(|dish| json!({ "name": dish, "value": format!("id-{dish}") })).collect();
            json!({ "type": 8, "data": { "choices": choices } })
        }
        (Some(3), Some("size")) => json!({ "type": 7, "data": { "content": format!("Size {}", data["values"][0]) } }),
        (Some(3), Some("note")) => {
            let input = json!({ "type": 4, "custom_id": "text", "style": 1, "label": "For the kitchen" });
            let rows = json!([{ "type": 1, "components": [input] }]);
            json!({ "type": 9, "data": { "custom_id": "noted", "title": "A note", "components": rows } })
        }
        (Some(3), _) => json!({ "type": 7, "data": { "content": "Cancelled", "components": [] } }),
        (Some(5), _) => {
            let text = data["components"][0]["components"][0]["value"].as_str().unwrap_or_default();
            json!({ "type": 4, "data": { "content": format!("Noted: {text}"), "flags": 64 } })
        }
        _ => {
            let sizes: Vec<Value> = ["small", "large"].map(|size| json!({ "label": size, "value": size })).into();
            let select = json!({ "type": 3, "custom_id": "size", "placeholder": "Which size?", "options": sizes });
            let buttons = [button(1, "note", "Add a note"), button(4, "cancel", "Cancel")];
            let rows = json!([{ "type": 1, "components": buttons }, { "type": 1, "components": [select] }]);
            json!({ "type": 4, "data": { "content": HOSTILE, "components": rows } })
        }
    };
    Json(answer).into_response()
}

/// The doubles with the waiter in them, and the page's address.
async fn stage() -> anyhow::Result<(Discord, Demo, String)> {
    let discord = Discord::start(Options::from_env(Clock::default())).await?;
    let bkci = BkCi::start(discord.clock().clone()).await?;
    let demo = Demo::build(&discord, &bkci);
    let bot = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}/", bot.local_addr()?);
    tokio::spawn(axum::serve(bot, Router::new().route("/", post(waiter))).into_future());
    discord.set_endpoint(Some(&endpoint)).await?;
    let dish =
        json!({ "type": 3, "name": "dish", "description": "What to eat", "required": true, "autocomplete": true });
    let hot = json!({ "type": 5, "name": "hot", "description": "With chili" });
    let list = json!({ "type": 11, "name": "list", "description": "What else is wanted" });
    let order = json!({ "name": "order", "description": "Order something", "options": [dish, hot, list] });
    let serve = json!({ "type": 2, "name": "Serve" });
    let path = format!("/api/v10/applications/{}/guilds/{}/commands", discord.application_id(), demo.guild);
    let request = reqwest::Client::new().put(format!("{}{path}", discord.plain_url())).json(&json!([order, serve]));
    let request = request.header("user-agent", "DiscordBot (https://example.org, 1)");
    let registered = request.header("authorization", format!("Bot {}", discord.token())).send().await?;
    anyhow::ensure!(registered.status().is_success(), registered.text().await?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let page = Page { discord: discord.clone(), bkci, demo: demo.clone() };
    tokio::spawn(axum::serve(listener, page::router(page)).into_future());
    Ok((discord, demo, url))
}

#[tokio::test]
async fn suggestions_buttons_selects_and_forms_act_on_the_page() -> anyhow::Result<()> {
    let Some(chromium) = Browser::installed() else {
        skip("buttons, selects and forms of the chat page", "install chromium");
        return Ok(());
    };
    let (discord, _, url) = stage().await?;
    let mut browser = Browser::open(&chromium, &url).await?;
    browser.see("#presence", "online").await?;
    an_order_is_typed(&mut browser, &discord).await?;
    its_answer_is_acted_on(&mut browser, &discord).await?;
    assert!(browser.complaints().is_empty(), "the page complained: {:#?}", browser.complaints());
    assert!(discord.violations().is_empty(), "{:#?}", discord.violations());
    browser.close().await
}

/// A bot that speaks by itself, over REST.
async fn tell(discord: &Discord, method: Method, path: &str, body: Value) -> anyhow::Result<String> {
    let url = format!("{}/api/v10{path}", discord.plain_url());
    let request = reqwest::Client::new().request(method, url).json(&body);
    let request = request.header("user-agent", "DiscordBot (https://example.org, 1)");
    let answer = request.header("authorization", format!("Bot {}", discord.token())).send().await?;
    anyhow::ensure!(answer.status().is_success(), answer.text().await?);
    Ok(answer.json::<Value>().await?["id"].as_str().unwrap_or_default().to_owned())
}

/// A notice as a bot posts it: how it stands, buttons, and a list.
fn notice(said: &str, buttons: &[&str]) -> Value {
    let options: Vec<Value> = ["unit", "lint"]
        .map(|one| json!({ "label": format!("Task {one}"), "value": one, "description": "Test › linux" }))
        .into();
    let select = json!({ "type": 3, "custom_id": "from", "placeholder": "Retry from…", "options": options });
    let button = |label: &&str| json!({ "type": 2, "style": 1, "label": label, "custom_id": label });
    let buttons: Vec<Value> = buttons.iter().map(button).collect();
    json!({
        "embeds": [{ "title": said, "description": "nightly #7", "color": 14_105_161 }],
        "components": [{ "type": 1, "components": buttons }, { "type": 1, "components": [select] }],
    })
}

#[tokio::test]
async fn an_edit_shows_in_place_pings_are_marked_and_a_link_leads_to_its_message() -> anyhow::Result<()> {
    let Some(chromium) = Browser::installed() else {
        skip("edits, pings and links of the chat page", "install chromium");
        return Ok(());
    };
    let (discord, demo, url) = stage().await?;
    let role = discord.add_role(demo.guild, "oncall", 0);
    discord.set_mentionable(demo.guild, role, true);
    discord.join(demo.guild, demo.newcomer, 0, &[role]);
    let mut browser = Browser::open(&chromium, &url).await?;
    browser.see("#presence", "online").await?;
    browser.click("#people label", "chen").await?;
    let messages = format!("/channels/{}/messages", demo.channel);
    let mut body = notice("failed", &["Retry failed jobs", "Retry all"]);
    body["content"] = json!(format!("<@&{role}> <@{}>", demo.developer));
    let id = tell(&discord, Method::POST, &messages, body).await?;
    let message = format!("#m-{id}");
    browser.see(&format!("{message}.calls .pinged"), "@chen@oncall").await?;
    browser.see(&format!("{message} .content .mention.me"), "@chen").await?;
    browser.photograph("pinged").await?;
    let calls = format!("document.querySelector('{message}').classList.contains('calls')");
    for (person, called) in [("nova", true), ("ada", false), ("chen", true)] {
        browser.click("#people label", person).await?;
        browser.wait(&format!("document.querySelector('{message}') && {calls} === {called}")).await?;
    }

    // The list is open and the keyboard is in it: an edit of something else leaves both alone.
    browser.value(&format!("window.kept = document.querySelector('{message}')")).await?;
    browser.click(&format!("{message} .select"), "Retry from…").await?;
    browser.press(Key::ArrowDown).await?;
    let path = format!("{messages}/{id}");
    tell(&discord, Method::PATCH, &path, notice("running", &["Stop"])).await?;
    browser.see(&format!("{message}.changed .embed"), "running").await?;
    browser.photograph("edited").await?;
    browser.see(&format!("{message} .choices:not([hidden]) [aria-selected=true]"), "Task lint").await?;
    assert_eq!(browser.value(&format!("window.kept === document.querySelector('{message}')")).await?, true);
    browser.press(Key::Escape).await?;
    browser.wait("!document.querySelector('.changed')").await?;

    // The keyboard is never led to another button than the one it was on.
    browser.value(&format!("document.querySelector('{message} .button').focus()")).await?;
    tell(&discord, Method::PATCH, &path, notice("passed", &["Retry all"])).await?;
    browser.see(&format!("{message} .edited"), "edited 2 times").await?;
    assert_eq!(browser.value("document.activeElement === window.kept").await?, true);
    browser.see(&format!("{message}.calls .content"), "@oncall").await?;

    let other = discord.add_channel(demo.guild, "elsewhere");
    let link = format!("https://discord.com/channels/{}/{}/{id}", demo.guild, demo.channel);
    let embed = json!({ "embeds": [{ "description": format!("Told before: {link}") }] });
    tell(&discord, Method::POST, &format!("/channels/{other}/messages"), embed).await?;
    browser.click(".channel", "elsewhere").await?;
    browser.click(".embed a", "#builds").await?;
    browser.see("#channel", "builds").await?;
    browser.see(&format!("{message}.found .embed"), "passed").await?;
    browser.photograph("found").await?;
    assert!(browser.complaints().is_empty(), "the page complained: {:#?}", browser.complaints());
    assert!(discord.violations().is_empty(), "{:#?}", discord.violations());
    browser.close().await
}

async fn an_order_is_typed(browser: &mut Browser, discord: &Discord) -> anyhow::Result<()> {
    browser.click("#text", "").await?;
    browser.write("/").await?;
    browser.see("#suggestions [role=option]", "Order something").await?;
    browser.photograph("commands").await?;
    browser.press(Key::Tab).await?;
    browser.see("#suggestions", "Dumplings").await?;
    browser.press(Key::Enter).await?;
    browser.wait("document.activeElement.value === 'Noodles'").await?;
    for _ in "Noodles".chars() {
        browser.press(Key::Backspace).await?;
    }
    browser.write("umpl").await?;
    browser.wait("document.querySelectorAll('#suggestions li').length === 1").await?;
    browser.photograph("suggestions").await?;
    browser.press(Key::Tab).await?;
    browser.wait("document.activeElement.value === 'Dumplings'").await?;
    // The optional ones come after the last field.
    browser.press(Key::Tab).await?;
    browser.press(Key::Enter).await?;
    browser.see("#suggestions [aria-selected=true]", "With chili").await?;
    browser.press(Key::Enter).await?;
    browser.see("#suggestions [aria-selected=true]", "True").await?;
    browser.photograph("optional").await?;
    browser.press(Key::Enter).await?;
    browser.press(Key::Tab).await?;
    browser.press(Key::Enter).await?;
    browser.see("#suggestions [aria-selected=true]", "What else").await?;
    browser.press(Key::Enter).await?;
    browser.wait("document.activeElement.name === 'list'").await?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("list.txt"), "tea")?;
    browser.attach_file("#typed [type=file]", &folder.path().join("list.txt")).await?;
    browser.click("#send", "").await?;
    browser.see(".message .used", "/order").await?;
    let sent = discord.interactions().into_iter().rfind(|one| one.kind == 2).and_then(|one| discord.payload_of(one.id));
    let data = sent.map(|payload| payload["data"].clone()).unwrap_or_default();
    assert_eq!(data["options"][0]["value"], "id-Dumplings", "the value behind the name");
    assert_eq!(data["options"][1]["value"], true);
    let file = data["options"][2]["value"].as_str().unwrap_or_default();
    let uploaded = &data["resolved"]["attachments"][file];
    assert_eq!((&uploaded["filename"], &uploaded["size"]), (&json!("list.txt"), &json!(3)));
    Ok(())
}

async fn its_answer_is_acted_on(browser: &mut Browser, discord: &Discord) -> anyhow::Result<()> {
    browser.see(".message .content", "<img src=x onerror=alert(1)> bold code *plain*").await?;
    assert_eq!(browser.value("document.querySelectorAll('.content img').length").await?, 0, "text is never HTML");
    browser.photograph("answer").await?;

    browser.click(".message .button", "Add a note").await?;
    browser.see("dialog", "For the kitchen").await?;
    browser.wait("document.activeElement.name === 'text'").await?;
    browser.write("no onions").await?;
    browser.photograph("form").await?;
    browser.press(Key::Enter).await?;
    browser.see(".message.private .content", "Noted: no onions").await?;
    browser.wait("!document.querySelector('dialog')").await?;

    browser.value("document.querySelector('#locale').focus()").await?;
    browser.press(Key::ArrowDown).await?;
    browser.wait("document.querySelector('#locale').value === 'zh-CN'").await?;
    browser.value("document.querySelector('.message .select').focus()").await?;
    for key in [Key::ArrowDown, Key::ArrowDown, Key::Escape, Key::Enter, Key::ArrowDown] {
        browser.press(key).await?;
    }
    browser.see(".choices [aria-selected=true]", "large").await?;
    browser.photograph("select").await?;
    let chosen = || discord.interactions().into_iter().filter(|one| one.name == "size").count();
    assert_eq!(chosen(), 0, "looking is not choosing");
    browser.press(Key::Enter).await?;
    browser.see(".message .content", "Size \"large\"").await?;
    browser.wait("document.querySelector('.choices').hidden").await?;
    browser.click(".message .select", "Which size?").await?;
    browser.click(".message .choices li", "small").await?;
    browser.see(".message .content", "Size \"small\"").await?;
    let chosen = discord.interactions().into_iter().rfind(|one| one.name == "size").map(|one| one.id);
    let payload = chosen.and_then(|id| discord.payload_of(id)).unwrap_or_default();
    assert_eq!(payload["data"]["values"], json!(["small"]));
    assert_eq!(payload["locale"], "zh-CN", "the language of the one who chose");

    browser.click(".message .button", "Cancel").await?;
    browser.see(".message .content", "Cancelled").await?;
    browser.wait("!document.querySelector('.message .button')").await?;

    browser.click(".person .apps button", "Serve").await?;
    browser.see(".message .used", "Serve").await?;
    let used = discord.interactions().into_iter().rfind(|one| one.name == "Serve").map(|one| one.id);
    let payload = used.and_then(|id| discord.payload_of(id)).unwrap_or_default();
    let ada = browser.value("[...document.querySelectorAll('#people input')].at(-1).value").await?;
    assert_eq!(payload["data"]["target_id"], ada, "the last person on the list");
    Ok(())
}
