//! The configuration: layers read, everything checked, all faults told at once (contract 2).
//!
//! Promises: a [`Settings`] is valid; a fault names its key, its layer and the expected form, and never a secret's value.
//! Must not: accept silently what this version does not do, where somebody would rely on it.

mod faults;
mod layers;
mod reader;
mod settings;
mod values;

use std::path::PathBuf;

pub use faults::{Fault, Faults, Origin};
pub use settings::{
    Admin, Api, Audit, Bkci, Confirm, Credentials, Discord, Follow, HostPort, Http, Identity, Log, LogFormat, Require,
    Retry, Settings, Store, Transport,
};

use layers::Layers;
use reader::Reader;
use values::{
    api_address, app_code, certificate_file, credential, host_port, line, log_level, public_key, socket_address,
    store_url, web_address,
};

/// A second is the longest that makes sense here, a day the longest that an interval may be.
const MINUTE_MS: u32 = 60_000;
const DAY_MS: u32 = 86_400_000;

impl Settings {
    /// Reads the built-in defaults, then each file, then the environment.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(files: &[PathBuf], env: impl Iterator<Item = (String, String)>) -> Result<Self, Faults> {
        let (layers, faults) = Layers::collect(files, env);
        let unreadable = faults.iter().any(|fault| fault.key.is_empty());
        let mut reader = Reader::new(&layers, faults);
        let settings = read(&mut reader);
        // Where a whole file is missing, keys would seem unknown or absent that are not.
        if unreadable {
            reader.into_faults()?
        } else {
            reader.finish()?
        }
        Ok(settings)
    }
}

fn read(reader: &mut Reader<'_>) -> Settings {
    let settings = Settings {
        discord: discord(reader),
        bkci: bkci(reader),
        store: Store {
            url: reader.secret("store.url", "sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE", store_url),
        },
        http: Http {
            listen: reader
                .optional("http.listen", "IP:PORT", socket_address)
                .unwrap_or_else(|| ([127, 0, 0, 1], 8080).into()),
            public_url: reader.optional("http.public_url", "https://HOST/PATH", web_address),
        },
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
        reader.refuse("discord.public_key", "is required with discord.transport = \"http\"", "64 hexadecimal digits");
    }
    settings
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
        web_url: reader.optional("bkci.web_url", "https://HOST", web_address),
        connect_timeout: reader.milliseconds("bkci.connect_timeout_ms", 1..=MINUTE_MS),
        read_timeout: reader.milliseconds("bkci.read_timeout_ms", 1..=MINUTE_MS),
        max_requests_per_s: reader.number("bkci.max_requests_per_s", 1..=1000),
        callback_token: reader.optional_secret("bkci.callback_token", "a random token", credential),
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

/// What somebody would rely on and this version does not do must not look as if it did.
fn refuse_unbuilt(reader: &mut Reader<'_>, settings: &Settings) {
    const LATER: &str = "is not enforced by this version yet";
    if settings.bkci.api != Api::V3 {
        reader.refuse("bkci.api", "comes with a later release", "v3");
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    const REQUIRED: [(&str, &str); 4] = [
        ("REPRISE__DISCORD__TOKEN", "hunter2-token"),
        ("REPRISE__BKCI__BASE_URL", "https://bkapi.example.com/api/devops/prod/"),
        ("REPRISE__BKCI__APP_CODE", "chatops"),
        ("REPRISE__BKCI__APP_SECRET", "hunter2-secret"),
    ];

    fn load(files: &[PathBuf], more: &[(&str, &str)]) -> Result<Settings, String> {
        let env = REQUIRED.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        // A later variable of the same name stands for the one value it would have.
        let env: std::collections::BTreeMap<String, String> = env.collect();
        Settings::load(files, env.into_iter()).map_err(|faults| faults.to_string())
    }

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("reprise.toml");
        std::fs::write(&path, text).expect("a file");
        (folder, path)
    }

    #[test]
    fn what_is_required_is_enough() {
        let settings = load(&[], &[]).expect("valid");
        assert_eq!(settings.bkci.base_url, "https://bkapi.example.com/api/devops/prod");
        assert_eq!(settings.bkci.credentials, Credentials::Query);
        assert_eq!(settings.store.url.expose_secret(), "sqlite://reprise.db");
        assert_eq!((settings.discord.transport, settings.discord.words), (Transport::Gateway, true));
        let shown = format!("{settings:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn later_layers_win_and_lists_are_comma_separated() {
        let (_folder, path) =
            file("[log]\nlevel = \"debug\"\n[discord]\nguild_ids = [11, \"12\"]\n[admin]\nusers = [7]\n");
        let settings = load(&[path], &[("REPRISE__DISCORD__GUILD_IDS", "13, 14,13")]).expect("valid");
        assert_eq!((settings.log.level.as_str(), settings.admin.users), ("debug", vec![7]));
        assert_eq!(settings.discord.guild_ids, [13, 14]);
    }

    #[test]
    fn a_secret_may_come_from_a_file_but_not_from_both() {
        let (_folder, path) = file("from-a-file\n");
        let path = path.to_str().expect("a path");
        let both = load(&[], &[("REPRISE__BKCI__APP_SECRET_FILE", path)]).expect_err("both are given");
        assert!(both.contains("only one of the two") && !both.contains("hunter2"), "{both}");
        let mut env: Vec<(String, String)> = REQUIRED.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        env.retain(|(name, _)| name != "REPRISE__BKCI__APP_SECRET");
        env.push(("REPRISE__BKCI__APP_SECRET_FILE".to_owned(), path.to_owned()));
        let env = env.into_iter();
        let settings = Settings::load(&[], env).expect("valid");
        assert_eq!(settings.bkci.app_secret.expose_secret(), "from-a-file");
    }

    #[test]
    fn all_faults_are_told_at_once_and_no_secret_is() {
        let (_folder, path) =
            file("[bkci]\nbase_ulr = \"https://x\"\nread_timeout_ms = \"5s\"\n[follow]\npoll_ms = 10\n");
        let faults = load(
            &[path],
            &[
                ("REPRISE__DISCORD__TOKEN", "hunter2 with blank"),
                ("REPRISE__DISCORD__TRANSPORT", "http"),
                ("REPRISE__BKCI__API", "v4"),
                ("REPRISE__STORE__URL", "mysql://me:hunter2@h/d"),
                ("REPRISE__IDENTITY__REQUIRE", "proof"),
                ("REPRISE__LOG__LEVEL", "loud"),
            ],
        );
        let faults = faults.expect_err("nine faults");
        for expected in [
            "discord.token (environment variable REPRISE__DISCORD__TOKEN): contains a blank",
            "discord.public_key (default): is required",
            "bkci.api (environment variable REPRISE__BKCI__API): comes with a later release; expected v3",
            "store.url (environment variable REPRISE__STORE__URL)",
            "bkci.read_timeout_ms (file ",
            "follow.poll_ms (file ",
            "identity.require (environment variable REPRISE__IDENTITY__REQUIRE): is not enforced",
            "log.level (environment variable REPRISE__LOG__LEVEL)",
            "is not a known key; expected bkci.base_url?",
        ] {
            assert!(faults.contains(expected), "{expected}\n{faults}");
        }
        assert!(faults.starts_with("The configuration has 9 faults:"), "{faults}");
        assert!(!faults.contains("hunter2"), "{faults}");
    }

    #[test]
    fn without_anything_the_required_keys_are_named() {
        let faults = Settings::load(&[], std::iter::empty()).expect_err("nothing is given").to_string();
        for key in ["discord.token", "bkci.base_url", "bkci.app_code", "bkci.app_secret"] {
            assert!(faults.contains(&format!("{key} (not given): is required")), "{key}\n{faults}");
        }
    }

    #[test]
    fn a_file_that_is_missing_or_no_toml_is_a_fault() {
        let missing = load(&[PathBuf::from("does-not-exist.toml")], &[]).expect_err("missing");
        assert!(missing.contains("file does-not-exist.toml: cannot be read"), "{missing}");
        let (_folder, path) = file("[discord]\ntoken = \"hunter2\n");
        let broken = load(&[path], &[]).expect_err("no TOML");
        assert!(broken.contains("TOML error") && !broken.contains("hunter2"), "{broken}");
    }

    #[test]
    fn a_policy_rule_is_refused_as_long_as_nothing_enforces_it() {
        let (_folder, path) = file("[[policy.rule]]\nname = \"x\"\neffect = \"deny\"\n");
        assert!(load(&[path], &[]).expect_err("a rule").contains("policy.rule"));
    }

    #[test]
    fn the_default_file_documents_every_key_and_no_other() {
        let (layers, faults) = Layers::collect(&[], std::iter::empty());
        let mut reader = Reader::new(&layers, faults);
        let _ = read(&mut reader);
        let mut section = String::new();
        let mut documented = std::collections::BTreeSet::new();
        for line in layers::DEFAULTS.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.to_owned();
            } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ")
                && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            {
                documented.insert(format!("{section}.{key}"));
            }
        }
        assert_eq!(&documented, reader.known());
    }

    #[test]
    fn the_example_loads_once_its_blanks_are_filled() {
        let text = include_str!("../../config/example.toml");
        let (_folder, path) = file(text);
        let settings = Settings::load(&[path], std::iter::empty());
        let faults = settings.err().map(|faults| faults.to_string()).unwrap_or_default();
        assert!(!faults.contains("not a known key"), "{faults}");
    }
}
