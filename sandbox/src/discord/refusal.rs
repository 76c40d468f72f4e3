//! How Discord says no: JSON error codes (`discord-rules.md` 8) and the `errors` tree of code 50035.
//!
//! A refusal knows whether it is a *violation*, something a well-written client never causes, or an answer that any
//! client may meet (too late, deleted, no permission). Only the former fail a test by themselves.

use serde_json::{Map, Value, json};

/// An error answer of the REST interface.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub status: u16,
    pub code: u32,
    pub message: String,
    pub errors: Option<Value>,
    pub violation: bool,
}

impl Refusal {
    fn new(status: u16, code: u32, message: &str) -> Self {
        Self { status, code, message: message.into(), errors: None, violation: false }
    }

    fn violation(mut self) -> Self {
        self.violation = true;
        self
    }

    /// The body as Discord writes it.
    pub fn body(&self) -> Value {
        let mut body = json!({ "message": self.message, "code": self.code });
        if let Some(errors) = &self.errors {
            body["errors"] = errors.clone();
        }
        body
    }

    /// A wrong or missing bot token (`discord-rules.md` 8, row 401).
    pub fn unauthorized() -> Self {
        Self::new(401, 0, "401: Unauthorized")
    }
    /// A route the double does not have.
    pub fn unknown_route() -> Self {
        Self::new(404, 0, "404: Not Found").violation()
    }
    /// A known path with another method.
    pub fn wrong_method() -> Self {
        Self::new(405, 0, "405: Method Not Allowed").violation()
    }
    /// A request without `User-Agent: DiscordBot (…)` (`discord-rules.md` 6) is stopped in front of the API.
    pub fn no_user_agent() -> Self {
        Self::new(403, 40333, "internal network error").violation()
    }
    /// Another application's commands (`topics/opcodes-and-status-codes#json`).
    pub fn not_your_application() -> Self {
        Self::new(403, 20012, "You are not authorized to perform this action on this application").violation()
    }
    /// `discord-rules.md` 8.
    pub fn unknown_channel() -> Self {
        Self::new(404, 10003, "Unknown Channel")
    }
    /// `discord-rules.md` 8.
    pub fn unknown_guild() -> Self {
        Self::new(404, 10004, "Unknown Guild")
    }
    /// `discord-rules.md` 8.
    pub fn unknown_member() -> Self {
        Self::new(404, 10007, "Unknown Member")
    }
    /// `discord-rules.md` 8.
    pub fn unknown_message() -> Self {
        Self::new(404, 10008, "Unknown Message")
    }
    /// `discord-rules.md` 8.
    pub fn unknown_user() -> Self {
        Self::new(404, 10013, "Unknown User")
    }
    /// The interaction was never answered, or is gone (`discord-rules.md` 8).
    pub fn unknown_webhook() -> Self {
        Self::new(404, 10015, "Unknown Webhook")
    }
    /// The same, while an answer was still possible: the client skipped the initial response.
    pub fn nothing_answered_yet() -> Self {
        Self::unknown_webhook().violation()
    }
    /// Later than three seconds, or a wrong id or token (`discord-rules.md` 1).
    pub fn unknown_interaction() -> Self {
        Self::new(404, 10062, "Unknown interaction")
    }
    /// `discord-rules.md` 8.
    pub fn unknown_command() -> Self {
        Self::new(404, 10063, "Unknown application command")
    }
    /// `discord-rules.md` 3: commands per application and scope.
    pub fn too_many_commands(limit: usize) -> Self {
        Self::new(400, 30032, &format!("Maximum number of application commands reached ({limit}).")).violation()
    }
    /// `discord-rules.md` 3: creates per day and guild.
    pub fn too_many_creates() -> Self {
        Self::new(400, 30034, "Max number of daily application command creates has been reached (200)").violation()
    }
    /// `discord-rules.md` 8.
    pub fn too_large() -> Self {
        Self::new(413, 40005, "Request entity too large").violation()
    }
    /// A second initial response (`discord-rules.md` 1).
    pub fn already_acknowledged() -> Self {
        Self::new(400, 40060, "Interaction has already been acknowledged.")
    }
    /// The bot cannot see the channel or is not in the server (`discord-rules.md` 5).
    pub fn missing_access() -> Self {
        Self::new(403, 50001, "Missing Access")
    }
    /// `discord-rules.md` 4.
    pub fn not_the_author() -> Self {
        Self::new(403, 50005, "Cannot edit a message authored by another user").violation()
    }
    /// `discord-rules.md` 4.
    pub fn empty_message() -> Self {
        Self::new(400, 50006, "Cannot send an empty message").violation()
    }
    /// `discord-rules.md` 5.
    pub fn cannot_message_user() -> Self {
        Self::new(403, 50007, "Cannot send messages to this user")
    }
    /// `discord-rules.md` 5.
    pub fn missing_permissions() -> Self {
        Self::new(403, 50013, "Missing Permissions")
    }
    /// The interaction's token is older than fifteen minutes, or was never given out (`discord-rules.md` 1).
    pub fn invalid_webhook_token() -> Self {
        Self::new(401, 50027, "Invalid Webhook Token")
    }
    /// `discord-rules.md` 8.
    pub fn invalid_json() -> Self {
        Self::new(400, 50109, "The request body contains invalid JSON.").violation()
    }
    /// `discord-rules.md` 8.
    pub fn reply_without_history() -> Self {
        Self::new(400, 160_002, "Cannot reply without permission to read message history")
    }
}

/// What is wrong with a body, field by field: becomes code 50035 with its `errors` tree (`discord-rules.md` 8).
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    faults: Vec<Fault>,
}

#[derive(Clone, Debug)]
struct Fault {
    path: String,
    code: String,
    message: String,
}

impl Form {
    /// Notes a fault at `path`: keys and indices separated by `/`, empty for the body itself.
    pub fn fault(&mut self, path: &str, code: &str, message: impl Into<String>) {
        self.faults.push(Fault { path: path.trim_matches('/').into(), code: code.into(), message: message.into() });
    }

    /// A field that must be there.
    pub fn required(&mut self, path: &str) {
        self.fault(path, "BASE_TYPE_REQUIRED", "This field is required");
    }

    /// A text whose length in characters is outside `min..=max`.
    pub fn length(&mut self, path: &str, text: &str, min: usize, max: usize) {
        let length = text.chars().count();
        if length < min {
            self.fault(path, "BASE_TYPE_BAD_LENGTH", format!("Must be between {min} and {max} in length."));
        } else if length > max {
            self.fault(path, "BASE_TYPE_MAX_LENGTH", format!("Must be {max} or fewer in length."));
        }
    }

    /// A list whose length is outside `min..=max`.
    pub fn count(&mut self, path: &str, count: usize, min: usize, max: usize) {
        if !(min..=max).contains(&count) {
            self.fault(path, "BASE_TYPE_BAD_LENGTH", format!("Must be between {min} and {max} in length."));
        }
    }

    /// Takes over what another form noted.
    pub fn append(&mut self, other: Self) {
        self.faults.extend(other.faults);
    }

    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// `Err` with the tree when anything was noted.
    pub fn into_result(self) -> Result<(), Refusal> {
        if self.is_clean() {
            return Ok(());
        }
        let mut tree = Value::Object(Map::new());
        for fault in &self.faults {
            let mut node = &mut tree;
            for key in fault.path.split('/').filter(|key| !key.is_empty()) {
                node = &mut node[key];
            }
            let error = json!({ "code": fault.code, "message": fault.message });
            match node.get_mut("_errors").and_then(Value::as_array_mut) {
                Some(errors) => errors.push(error),
                None => node["_errors"] = json!([error]),
            }
        }
        let mut refusal = Refusal::new(400, 50035, "Invalid Form Body").violation();
        refusal.errors = Some(tree);
        Err(refusal)
    }

    /// The faults in words.
    #[cfg(test)]
    pub fn describe(&self) -> String {
        let words: Vec<String> = self
            .faults
            .iter()
            .map(|fault| format!("at \"{}\": {} ({})", fault.path, fault.message, fault.code))
            .collect();
        words.join("; ")
    }
}

/// Shorthand for a form with one fault.
pub(super) fn form_error(path: &str, code: &str, message: &str) -> Refusal {
    let mut form = Form::default();
    form.fault(path, code, message);
    form.into_result().err().unwrap_or_else(Refusal::invalid_json)
}
