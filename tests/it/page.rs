//! The chat page of the sandbox in a real browser, with the real program behind it.

use std::path::Path;
use std::time::Duration;

use sandbox::bkci::BkCi;
use sandbox::browser::{Browser, Key};
use sandbox::demo::{UID, UNUSED_UID};
use sandbox::page;
use sandbox::skips::skip;
use sandbox::stage::Stage;
use serde_json::Value;
use tokio::task::JoinHandle;

/// The edges of what failed and of what is well.
const RED: &str = "rgb(215, 58, 73)";
const GREEN: &str = "rgb(46, 160, 67)";

/// What time passes by brings comes within this, in real time: the bot may look as seldom as every five seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// The chat page in a browser, once the real program is connected.
async fn open(chromium: &Path, stage: &Stage) -> anyhow::Result<(Browser, JoinHandle<std::io::Result<()>>)> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let serving = tokio::spawn(axum::serve(listener, page::router(stage.page())).into_future());
    let mut browser = Browser::open(chromium, &url).await?;
    browser.see("#presence", "online").await?;
    Ok((browser, serving))
}

#[tokio::test]
async fn a_failure_appears_is_retried_by_its_button_and_the_same_message_ends_green() -> anyhow::Result<()> {
    let Some(chromium) = Browser::installed() else {
        skip("the chat page in a browser", "install chromium");
        return Ok(());
    };
    let stage = Stage::start(Path::new(env!("CARGO_BIN_EXE_reprise"))).await?;
    let (mut browser, serving) = open(&chromium, &stage).await?;

    the_channel_watches(&mut browser).await?;
    browser.click("#pipelines > section:first-child button", "New failing build").await?;
    let embed =
        "[...document.querySelectorAll('.message:not(.private) .embed')].find((one) => one.innerText.includes('#5'))";
    pass_until(&mut browser, &stage, &format!("{embed}?.innerText.includes('1 of 90 tests failed')")).await?;
    let message = browser.value(&format!("{embed}.closest('li').id")).await?;
    let message = format!("#{}", message.as_str().unwrap_or_default());
    let failed = browser.value(&format!("{embed}.style.borderLeftColor")).await?;
    // Were the node made anew, it would lose this.
    browser.value(&format!("document.querySelector('{message}').kept = true")).await?;
    browser.photograph("failure").await?;

    let build = stage.bkci.wait_for("a fifth build", |bkci| build_numbered(&bkci.snapshot(), 5)).await;
    browser.click(&format!("{message} .button"), "Retry failed jobs").await?;
    let retried = |bkci: &BkCi| bkci.accepted_retries(&build).first().cloned();
    assert_eq!(stage.bkci.wait_for("a retry", retried).await.uid, UID);
    browser.see(&message, "attempt 2").await?;
    stage.bkci.clock().advance(Duration::from_secs(3));
    browser.see(&message, "Running").await?;
    browser.photograph("failure-running").await?;
    pass_until(&mut browser, &stage, &format!("document.querySelector('{message}').innerText.includes('Recovered')"))
        .await?;
    browser.photograph("failure-recovered").await?;
    let green = browser.value(&format!("{embed}.style.borderLeftColor")).await?;
    assert_eq!((&failed, &green), (&RED.into(), &GREEN.into()));
    assert_eq!(browser.value(&format!("document.querySelector('{message}').kept")).await?, true, "the same node");
    let about =
        "[...document.querySelectorAll('.message:not(.private)')].filter((one) => one.innerText.includes('#5')).length";
    assert_eq!(browser.value(about).await?, 1, "one message tells of the build");

    assert!(browser.complaints().is_empty(), "the page complained: {:#?}", browser.complaints());
    assert!(stage.violations().is_empty(), "{:#?}", stage.violations());
    browser.close().await?;
    serving.abort();
    stage.stop().await
}

/// Typed with the keyboard.
async fn the_channel_watches(browser: &mut Browser) -> anyhow::Result<()> {
    browser.click("#people label", "chen").await?;
    browser.click("#text", "").await?;
    browser.write("/watch add").await?;
    browser.press(Key::Tab).await?;
    for (option, typed) in [("project", "demo"), ("pipeline", "nightly")] {
        browser.wait(&format!("document.activeElement.name === '{option}'")).await?;
        browser.write(typed).await?;
        browser.see("#suggestions [aria-selected=true]", typed).await?;
        browser.press(Key::Tab).await?;
    }
    browser.press(Key::Enter).await?;
    browser.see(".message .embed", "Watching").await
}

/// Lets the builds' time pass faster than ours, until something is to be seen. The bot's time is ours.
async fn pass_until(browser: &mut Browser, stage: &Stage, expression: &str) -> anyhow::Result<()> {
    let started = std::time::Instant::now();
    while browser.value(&format!("!!({expression})")).await? != true {
        if started.elapsed() > PATIENCE {
            browser.photograph("vain").await?;
            anyhow::bail!("waited in vain for {expression}\n{}", stage.discord.describe());
        }
        // Discord waits three seconds for an acknowledgement, and not as the builds' time passes.
        if stage.discord.interactions().iter().all(|one| one.acknowledged.is_some()) {
            stage.bkci.clock().advance(Duration::from_secs(1));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// The build of the first pipeline that has this number.
fn build_numbered(snapshot: &Value, number: i64) -> Option<String> {
    let builds = snapshot["projects"][0]["pipelines"][0]["builds"].as_array()?;
    let build = builds.iter().find(|build| build["number"] == number)?;
    build["id"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_retry_is_typed_on_the_page_and_answered_and_a_stranger_is_refused_privately() -> anyhow::Result<()> {
    let Some(chromium) = Browser::installed() else {
        skip("the chat page in a browser", "install chromium");
        return Ok(());
    };
    let stage = Stage::start(Path::new(env!("CARGO_BIN_EXE_reprise"))).await?;
    let (mut browser, serving) = open(&chromium, &stage).await?;

    the_developer_retries(&mut browser, &stage).await?;
    browser.photograph("chat").await?;
    the_developer_skips_a_task_after_a_preview(&mut browser, &stage).await?;
    the_newcomer_is_refused(&mut browser, &stage).await?;
    the_administrator_maps_them(&mut browser).await?;

    assert!(browser.complaints().is_empty(), "the page complained: {:#?}", browser.complaints());
    assert!(stage.violations().is_empty(), "{:#?}", stage.violations());
    browser.close().await?;
    serving.abort();
    stage.stop().await
}

/// With the keyboard alone, and suggestions taken by Tab and Enter.
async fn the_developer_retries(browser: &mut Browser, stage: &Stage) -> anyhow::Result<()> {
    let demo = &stage.demo;
    browser.click("#people label", "chen").await?;
    browser.click("#text", "").await?;
    browser.write("/who").await?;
    browser.see("#suggestions [aria-selected=true]", "/whoami").await?;
    browser.press(Key::Enter).await?;
    browser.press(Key::Enter).await?;
    browser.see(".message.private", UID).await?;

    browser.write("/ret").await?;
    browser.see("#suggestions [aria-selected=true]", "/retry").await?;
    browser.press(Key::Tab).await?;
    for (option, value) in [("project", "demo"), ("pipeline", &demo.pipeline.0), ("build", &demo.failed)] {
        browser.wait(&format!("document.activeElement.name === '{option}'")).await?;
        browser.see("#hint", option).await?;
        browser.write(value).await?;
        browser.press(if option == "build" { Key::Enter } else { Key::Tab }).await?;
    }
    browser.photograph("typed").await?;
    browser.see(".message:not(.private) .embed code", &demo.failed).await?;
    browser.see(".message:not(.private) .used", "/retry").await?;
    browser.see(&format!("[data-build={}]", demo.failed), "attempt 2").await?;
    stage.bkci.clock().advance(Duration::from_secs(15));
    browser.see(&format!("[data-build={}] .state", demo.failed), "running").await?;
    let retries = stage.bkci.accepted_retries(&demo.failed);
    assert_eq!(retries.iter().map(|retry| &*retry.uid).collect::<Vec<_>>(), [UID]);
    Ok(())
}

/// With what the bot suggests, options that are added, a private preview and its button.
async fn the_developer_skips_a_task_after_a_preview(browser: &mut Browser, stage: &Stage) -> anyhow::Result<()> {
    let untidy = &stage.demo.untidy;
    let number = format!("#{}", stage.bkci.build(untidy).number);
    browser.click("#text", "").await?;
    browser.write("/retry").await?;
    browser.press(Key::Tab).await?;
    for (option, typed, suggested) in
        [("project", "dem", "demo"), ("pipeline", "night", "nightly"), ("build", &number, &number)]
    {
        browser.wait(&format!("document.activeElement.name === '{option}'")).await?;
        browser.write(typed).await?;
        browser.see("#suggestions [aria-selected=true]", suggested).await?;
        browser.press(Key::Tab).await?;
    }
    // Which of the optional ones that are left, and what of its values.
    for (option, downs, suggested) in [("skip", 1, "Lint"), ("preview", 2, "True")] {
        browser.press(Key::Tab).await?;
        browser.press(Key::Enter).await?;
        browser.see("#suggestions [aria-selected=true]", "task").await?;
        for _ in 0..downs {
            browser.press(Key::ArrowDown).await?;
        }
        browser.see("#suggestions [aria-selected=true]", option).await?;
        browser.press(Key::Enter).await?;
        browser.wait(&format!("document.activeElement.name === '{option}'")).await?;
        browser.see("#suggestions [aria-selected=true]", suggested).await?;
        browser.photograph(option).await?;
        browser.press(Key::Tab).await?;
    }
    browser.press(Key::Enter).await?;
    browser.see(".message.private .embed", "Preview: nightly").await?;
    browser.see(".message.private .embed", "Becomes skipped").await?;
    browser.photograph("preview").await?;
    assert!(stage.bkci.accepted_retries(untidy).is_empty(), "nothing runs before the button is pressed");
    browser.click(".message.private .button", "Run this").await?;
    browser.see(".message:not(.private) .embed code", untidy).await?;
    browser.see(".message.private .embed", "What becomes of it is told in the channel").await?;
    browser.photograph("skipped").await?;
    let retried = &stage.bkci.accepted_retries(untidy)[0];
    let lint = stage.bkci.build(untidy).task("Lint").expect("a task").id.clone();
    assert_eq!((retried.task_id.as_deref(), retried.skip), (Some(&*lint), true));
    Ok(())
}

/// With the mouse, and the button beside a build.
async fn the_newcomer_is_refused(browser: &mut Browser, stage: &Stage) -> anyhow::Result<()> {
    let build = format!("[data-build={}]", stage.demo.failed);
    browser.click("#people label", "nova").await?;
    assert_eq!(browser.value("document.querySelectorAll('.message.private').length").await?, 0, "chen's own answers");
    if browser.value(&format!("document.querySelector('{build}').open")).await? == false {
        browser.click(&format!("{build} summary"), "").await?;
    }
    browser.click(&format!("{build} button"), "Retry").await?;
    browser.click("#send", "").await?;
    browser.see(".message.private", "not linked to a DevOps user").await?;
    browser.see(".message.private .only", "Only you can see this").await?;
    browser.photograph("refused").await?;
    assert_eq!(stage.bkci.accepted_retries(&stage.demo.failed).len(), 1, "nothing more was retried");
    browser.click("#people label", "chen").await?;
    browser.wait("!document.querySelector('#messages').innerText.includes('not linked')").await?;
    browser.click("#people label", "nova").await?;
    browser.click(".message.private button", "Dismiss message").await?;
    browser.wait("!document.querySelector('.message.private')").await?;
    Ok(())
}

/// A command that only administrators are offered, with a person for an option.
async fn the_administrator_maps_them(browser: &mut Browser) -> anyhow::Result<()> {
    browser.click("#text", "").await?;
    browser.write("/mapping").await?;
    browser.see("#hint", "No such command here").await?;
    browser.click("#people label", "ada").await?;
    browser.click("#text", "").await?;
    browser.write("/mapping set").await?;
    browser.press(Key::Enter).await?;
    browser.write("nov").await?;
    browser.see("#suggestions [aria-selected=true]", "nova").await?;
    browser.press(Key::Tab).await?;
    browser.wait("document.activeElement.name === 'uid'").await?;
    browser.write(UNUSED_UID).await?;
    browser.press(Key::Enter).await?;
    browser.see(".message.private .embed", &format!("@nova acts at BK-CI as {UNUSED_UID}")).await
}
