//! The configuration: layers read, everything checked, all faults told at once (contract 2).
//!
//! Promises: a [`Settings`] is valid; a fault names its key, its layer and the expected form, and never a secret's value.
//! Must not: accept silently what this version does not do, where somebody would rely on it.

mod faults;
mod layers;
mod reader;
mod settings;
mod values;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;

pub use faults::{Fault, Faults, Origin};
pub use settings::{
    Admin, Api, Audit, Bkci, Callbacks, Confirm, Credentials, Discord, Follow, HostPort, Http, Identity, Log,
    LogFormat, Require, Retry, Settings, Store, Transport,
};

use layers::Layers;
use reader::Reader;
use values::{
    api_address, app_code, callback_token, certificate_file, credential, host_port, line, log_level, page_address,
    public_key, socket_address, store_url, web_address,
};

/// A minute is the longest that a person's wait makes sense, a day the longest that an interval may be.
const MINUTE_MS: u32 = 60_000;
const DAY_MS: u32 = 86_400_000;

impl Settings {
    /// Reads the built-in defaults, then each file, then the environment, of which other programs' variables are
    /// ignored, in whatever encoding.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(
        files: &[PathBuf],
        env: impl Iterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Result<Self, Faults> {
        let (layers, faults) = Layers::collect(files, of_the_system(env));
        let mut reader = Reader::new(&layers, faults);
        let settings = read(&mut reader);
        reader.tell_unknown_keys();
        reader.finish()?;
        Ok(settings)
    }
}

impl Http {
    /// Reads this section alone out of the same layers, whatever else is in them: `reprise health` needs no secret.
    ///
    /// # Errors
    /// What is wrong with this section, and files that cannot be read, since it may stand in one.
    pub fn load(
        files: &[PathBuf],
        env: impl Iterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Result<Self, Faults> {
        let (layers, mut faults) = Layers::collect(files, of_the_system(env));
        faults.retain(|fault| fault.key.is_empty());
        let mut reader = Reader::new(&layers, faults);
        let http = http(&mut reader);
        reader.finish()?;
        Ok(http)
    }
}

fn of_the_system(
    env: impl Iterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
) -> impl Iterator<Item = (OsString, OsString)> {
    env.map(|(name, value)| (name.into(), value.into()))
}

fn read(reader: &mut Reader<'_>) -> Settings {
    let settings = Settings {
        discord: discord(reader),
        bkci: bkci(reader),
        store: Store {
            url: reader.secret("store.url", "sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE", store_url),
        },
        http: http(reader),
        admin: Admin {
            users: reader.ids("admin.users"),
            roles: reader.ids("admin.roles"),
            channel: reader.optional_id("admin.channel"),
        },
        retry: Retry {
            confirm: reader.choice(
                "retry.confirm",
                [("risky", Confirm::Risky), ("always", Confirm::Always), ("never", Confirm::Never)],
            ),
        },
        follow: Follow {
            poll: reader.milliseconds("follow.poll_ms", 200..=DAY_MS),
            log_lines: reader.number("follow.log_lines", 0..=1000),
            project_callbacks: reader.flag("follow.project_callbacks"),
        },
        identity: identity(reader),
        audit: Audit { key: reader.optional_secret("audit.key", "a key for the audit chain", credential) },
        log: Log {
            format: reader.choice("log.format", [("text", LogFormat::Text), ("json", LogFormat::Json)]),
            level: reader.text("log.level", "a level, or MODULE=LEVEL, separated by commas", log_level),
        },
        without_effect: WITHOUT_EFFECT.into_iter().filter(|key| reader.is_set(key)).collect(),
    };
    refuse_unbuilt(reader, &settings);
    settings
}

fn discord(reader: &mut Reader<'_>) -> Discord {
    let settings = Discord {
        token: reader.secret("discord.token", "the bot's token", credential),
        guild_ids: reader.ids("discord.guild_ids"),
        transport: reader.choice("discord.transport", [("gateway", Transport::Gateway), ("http", Transport::Http)]),
        public_key: reader.optional("discord.public_key", "64 hexadecimal digits", public_key),
        words: reader.flag("discord.words"),
        connect_to: reader.optional("discord.connect_to", "HOST:PORT", host_port),
        ca_file: reader.optional("discord.ca_file", "the path of a PEM file", certificate_file),
    };
    if settings.transport == Transport::Http && settings.public_key.is_none() {
        let wrong = reader.required(" with discord.transport = \"http\"");
        reader.refuse("discord.public_key", &wrong, "64 hexadecimal digits");
    }
    settings
}

fn http(reader: &mut Reader<'_>) -> Http {
    Http {
        listen: reader
            .optional("http.listen", "IP:PORT", socket_address)
            .unwrap_or_else(|| ([127, 0, 0, 1], 8080).into()),
        public_url: reader.optional("http.public_url", "https://HOST/PATH", web_address),
    }
}

fn bkci(reader: &mut Reader<'_>) -> Bkci {
    let api = reader.choice("bkci.api", [("v3", Api::V3), ("v4", Api::V4), ("v4-backend", Api::V4Backend)]);
    let credentials = reader.choice(
        "bkci.credentials",
        [("auto", None), ("query", Some(Credentials::Query)), ("header", Some(Credentials::Header))],
    );
    let by_family = match api {
        Api::V3 => Credentials::Query,
        Api::V4 | Api::V4Backend => Credentials::Header,
    };
    Bkci {
        base_url: reader.text("bkci.base_url", "https://HOST/PATH, everything before the API path", api_address),
        api,
        app_code: reader.text("bkci.app_code", "the application's code", app_code),
        app_secret: reader.secret("bkci.app_secret", "the application's secret", credential),
        credentials: credentials.unwrap_or(by_family),
        web_url: reader.optional("bkci.web_url", "https://HOST", page_address),
        connect_timeout: reader.milliseconds("bkci.connect_timeout_ms", 1..=MINUTE_MS),
        read_timeout: reader.milliseconds("bkci.read_timeout_ms", 1..=MINUTE_MS),
        max_requests_per_s: reader.number("bkci.max_requests_per_s", 1..=1000),
        callback_token: reader.optional_secret("bkci.callback_token", "a random token", callback_token),
    }
}

fn identity(reader: &mut Reader<'_>) -> Identity {
    Identity {
        require: reader.choice(
            "identity.require",
            [("admin", Require::Admin), ("proof", Require::Proof), ("both", Require::Both)],
        ),
        proof_project: reader.optional("identity.proof_project", "a project's English name", line),
        proof_pipeline: reader.optional("identity.proof_pipeline", "a pipeline's id", line),
        reader_uid: reader.optional("identity.reader_uid", "a DevOps UID", line),
        expires_days: reader.number("identity.expires_days", 0..=3650),
    }
}

/// Accepted, and without effect as long as the part of the program they are for is not there: `reprise check` says so.
const WITHOUT_EFFECT: [&str; 2] = ["admin.channel", "audit.key"];

/// What somebody would rely on and this version does not do must not look as if it did.
fn refuse_unbuilt(reader: &mut Reader<'_>, settings: &Settings) {
    const LATER: &str = "is not enforced by this version yet";
    let identity = &settings.identity;
    let unbuilt = [
        ("identity.require", identity.require != Require::Admin, "admin"),
        ("identity.proof_project", identity.proof_project.is_some(), "nothing"),
        ("identity.proof_pipeline", identity.proof_pipeline.is_some(), "nothing"),
        ("identity.reader_uid", identity.reader_uid.is_some(), "nothing"),
        ("identity.expires_days", identity.expires_days != 0, "0"),
    ];
    for (key, _, expected) in unbuilt.into_iter().filter(|(_, given, _)| *given) {
        reader.refuse(key, LATER, expected);
    }
    reader.no_tables("policy.rule", "no rule");
}
