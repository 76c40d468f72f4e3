//! A headless Chromium for the tests of the chat page, driven over its DevTools protocol by real mouse and key events.
//!
//! Only the handful of calls those tests need, over libraries that the doubles use anyway: the crate that carries the
//! whole protocol is five megabytes of generated source, most of a minute to build, for the same few calls.
//! It waits for what is to be seen, never for time to pass, and remembers what the page complained about.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::skips;

/// Names a folder for pictures of the page.
const SCREENSHOTS: &str = "REPRISE_SCREENSHOT";

/// Names under which distributions install it.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// No outside world, no first-run questions. Without its sandbox, as it cannot have one for root.
const ARGUMENTS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en-US",
    "--remote-debugging-port=0",
];

/// The size of the window in pixels.
const WINDOW: (u32, u32) = (1280, 800);

/// Real time that anything may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Real time that the browser may take to start, on a machine that builds something else beside.
const WELCOME: Duration = Duration::from_secs(30);

/// A key with its virtual key code and, where it has one, the text it produces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// ↓
    ArrowDown,
    /// ⌫
    Backspace,
    /// ⏎
    Enter,
    /// ⎋
    Escape,
    /// ⇥
    Tab,
}

impl Key {
    fn parts(self) -> (&'static str, u32, &'static str) {
        match self {
            Self::ArrowDown => ("ArrowDown", 40, ""),
            Self::Backspace => ("Backspace", 8, ""),
            Self::Enter => ("Enter", 13, "\r"),
            Self::Escape => ("Escape", 27, ""),
            Self::Tab => ("Tab", 9, ""),
        }
    }
}

/// A browser with one page. Dropping it kills it.
pub struct Browser {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    calls: u64,
    complaints: Vec<String>,
    child: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// The program, where one is installed.
    pub fn installed() -> Option<PathBuf> {
        skips::program(&PROGRAMS)
    }

    /// Starts `program` with an empty profile and opens `url`.
    ///
    /// # Errors
    /// When it does not start, or does not speak as expected.
    pub async fn open(program: &Path, url: &str) -> anyhow::Result<Self> {
        let profile = tempfile::tempdir()?;
        let mut command = Command::new(program);
        command.args(ARGUMENTS).arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        let address = tokio::time::timeout(WELCOME, address(&mut child)).await.context("waiting for the browser")??;
        let (socket, _) = tokio_tungstenite::connect_async(&address).await.context("connecting to the browser")?;
        let (calls, complaints) = (0, Vec::new());
        let mut browser = Self { socket, session: None, calls, complaints, child, _profile: profile };
        browser.attach(url).await?;
        Ok(browser)
    }

    async fn attach(&mut self, url: &str) -> anyhow::Result<()> {
        let targets = self.call("Target.getTargets", json!({})).await?;
        let page = targets["targetInfos"].as_array().and_then(|all| all.iter().find(|one| one["type"] == "page"));
        let target = page.context("the browser has a page")?["targetId"].clone();
        let attached = self.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await?;
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            self.call(&format!("{domain}.enable"), json!({})).await?;
        }
        let (width, height) = WINDOW;
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", screen).await?;
        self.call("Page.navigate", json!({ "url": url })).await?;
        Ok(())
    }

    async fn call(&mut self, method: &str, parameters: Value) -> anyhow::Result<Value> {
        self.calls += 1;
        let id = self.calls;
        let mut call = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        self.socket.send(Message::Text(call.to_string())).await?;
        let answered = async {
            loop {
                let message = self.socket.next().await.context("the browser hung up")??;
                let Message::Text(text) = message else { continue };
                let mut message: Value = serde_json::from_str(&text)?;
                if message["id"] == id {
                    anyhow::ensure!(message["error"].is_null(), "{method}: {}", message["error"]);
                    return Ok(message["result"].take());
                }
                self.complaints.extend(complaint(&message));
            }
        };
        tokio::time::timeout(PATIENCE, answered).await.with_context(|| format!("no answer to {method}"))?
    }

    /// The value of a JavaScript expression in the page.
    ///
    /// # Errors
    /// When it throws.
    pub async fn value(&mut self, expression: &str) -> anyhow::Result<Value> {
        let parameters = json!({ "expression": expression, "returnByValue": true });
        let mut answer = self.call("Runtime.evaluate", parameters).await?;
        let thrown = &answer["exceptionDetails"];
        anyhow::ensure!(thrown.is_null(), "{expression}: {thrown}");
        Ok(answer["result"]["value"].take())
    }

    /// Waits until a JavaScript expression is true in the page, and answers its value.
    ///
    /// # Errors
    /// When it is not in time; says what the page shows then.
    pub async fn wait(&mut self, expression: &str) -> anyhow::Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.value(expression).await?;
            if !matches!(value, Value::Null | Value::Bool(false)) && value != "" && value != 0 {
                return Ok(value);
            }
            if Instant::now() > deadline {
                self.photograph("failure").await?;
                let shown = self.value("document.body.innerText").await?;
                let complaints = self.complaints.join("\n");
                anyhow::bail!("waited in vain for {expression}\n{}\n{complaints}", shown.as_str().unwrap_or_default());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until an element that fits the selector shows `text`.
    ///
    /// # Errors
    /// As [`Browser::wait`].
    pub async fn see(&mut self, selector: &str, text: &str) -> anyhow::Result<()> {
        self.wait(&format!("!!{}", element(selector, text))).await.map(drop)
    }

    /// Moves the mouse to an element that fits the selector and contains `text`, once there is one, and clicks.
    ///
    /// # Errors
    /// When there is none, or something else lies over it.
    pub async fn click(&mut self, selector: &str, text: &str) -> anyhow::Result<()> {
        let find = element(selector, text);
        self.wait(&format!("!!{find}")).await?;
        let place = self
            .value(&format!(
                "(() => {{ const node = {find}; node.scrollIntoView({{ block: 'nearest' }}); \
                 const box = node.getBoundingClientRect(); const x = box.x + box.width / 2, y = box.y + box.height / 2; \
                 const top = document.elementFromPoint(x, y); return {{ x, y, open: node.contains(top) }}; }})()"
            ))
            .await?;
        anyhow::ensure!(place["open"] == true, "something lies over {selector:?} with {text:?}");
        for (kind, button, count) in
            [("mouseMoved", "none", 0), ("mousePressed", "left", 1), ("mouseReleased", "left", 1)]
        {
            let event =
                json!({ "type": kind, "x": place["x"], "y": place["y"], "button": button, "clickCount": count });
            self.call("Input.dispatchMouseEvent", event).await?;
        }
        Ok(())
    }

    /// Puts a file into a file field, as its dialog would, which a browser without a screen cannot show.
    ///
    /// # Errors
    /// When there is no such field.
    pub async fn attach_file(&mut self, selector: &str, file: &Path) -> anyhow::Result<()> {
        let expression = element(selector, "");
        let field = self.call("Runtime.evaluate", json!({ "expression": expression })).await?;
        let parameters = json!({ "objectId": field["result"]["objectId"], "files": [file] });
        self.call("DOM.setFileInputFiles", parameters).await.map(drop)
    }

    /// Presses and releases a key.
    ///
    /// # Errors
    /// When the browser does not take it.
    pub async fn press(&mut self, key: Key) -> anyhow::Result<()> {
        let (name, code, text) = key.parts();
        self.stroke(json!({ "key": name, "code": name, "windowsVirtualKeyCode": code }), text).await
    }

    /// Types a text, key by key.
    ///
    /// # Errors
    /// As [`Browser::press`].
    pub async fn write(&mut self, text: &str) -> anyhow::Result<()> {
        for character in text.chars() {
            let character = character.to_string();
            self.stroke(json!({ "key": character }), &character).await?;
        }
        Ok(())
    }

    async fn stroke(&mut self, mut event: Value, text: &str) -> anyhow::Result<()> {
        for kind in ["keyDown", "keyUp"] {
            event["type"] = json!(kind);
            event["text"] = json!(if kind == "keyDown" { text } else { "" });
            self.call("Input.dispatchKeyEvent", event.clone()).await?;
        }
        Ok(())
    }

    /// Writes what is to be seen to `NAME.png` in the folder that `REPRISE_SCREENSHOT` names; without it does nothing.
    ///
    /// # Errors
    /// When it cannot be drawn or written.
    pub async fn photograph(&mut self, name: &str) -> anyhow::Result<()> {
        let Some(folder) = std::env::var_os(SCREENSHOTS) else { return Ok(()) };
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" })).await?;
        let bytes = openssl::base64::decode_block(picture["data"].as_str().unwrap_or_default())?;
        let file = Path::new(&folder).join(format!("{name}.png"));
        std::fs::write(&file, bytes).with_context(|| format!("writing {}", file.display()))
    }

    /// What scripts threw, what was logged as an error, what could not be loaded.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn close(mut self) -> anyhow::Result<()> {
        self.session = None;
        // It may be gone before it has answered.
        let _ = self.call("Browser.close", json!({})).await;
        tokio::time::timeout(PATIENCE, self.child.wait()).await.context("the browser does not end")??;
        Ok(())
    }
}

/// Reads what the browser says until it tells where it listens, and lets it go on talking to nobody.
async fn address(child: &mut Child) -> anyhow::Result<String> {
    let mut lines = BufReader::new(child.stderr.take().context("the browser's standard error")?).lines();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await? {
        if let Some(address) = line.strip_prefix("DevTools listening on ") {
            let address = address.trim().to_owned();
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(address);
        }
        let _ = writeln!(said, "{line}");
    }
    anyhow::bail!("the browser did not start:\n{said}")
}

fn complaint(event: &Value) -> Option<String> {
    let parameters = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(parameters["exceptionDetails"].to_string()),
        "Runtime.consoleAPICalled" if parameters["type"] == "error" => Some(parameters["args"].to_string()),
        "Log.entryAdded" if parameters["entry"]["level"] == "error" => Some(parameters["entry"].to_string()),
        _ => None,
    }
}

/// JavaScript for the last element that fits the selector, is to be seen and contains the text.
fn element(selector: &str, text: &str) -> String {
    let (selector, text) = (json!(selector), json!(text));
    format!(
        "[...document.querySelectorAll({selector})].filter((one) => one.checkVisibility() && \
         one.textContent.includes({text})).at(-1)"
    )
}
