//! The configuration as an operator gets it wrong, and how that is told.

mod documents;

use super::*;
use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;

/// In every value that is a secret, or stands where one would: it must be in no fault.
const SECRET: &str = "hunter2";

const REQUIRED: [(&str, &str); 4] = [
    ("REPRISE__DISCORD__TOKEN", "hunter2-token"),
    ("REPRISE__BKCI__BASE_URL", "https://bkapi.example.com/api/devops/prod/"),
    ("REPRISE__BKCI__APP_CODE", "chatops"),
    ("REPRISE__BKCI__APP_SECRET", "hunter2-secret"),
];

fn nothing() -> impl Iterator<Item = (String, String)> {
    std::iter::empty()
}

/// What is required, with some variables changed or added.
fn load(files: &[PathBuf], more: &[(&str, &str)]) -> Result<Settings, String> {
    let env = REQUIRED.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    // A later variable of the same name stands for the one value it would have.
    let env: BTreeMap<String, String> = env.collect();
    Settings::load(files, env.into_iter()).map_err(|faults| faults.to_string())
}

fn file(text: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("reprise.toml");
    std::fs::write(&path, text).expect("a file");
    (folder, path)
}

/// One fault each: the file's text, and what is said of it, without the file's own name.
fn assert_faults_of_files(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let (_folder, path) = file(text);
        let said = load(std::slice::from_ref(&path), &[]).expect_err(text);
        let said = said.replace(&path.display().to_string(), "F");
        assert_eq!(said.lines().collect::<Vec<_>>(), ["The configuration has 1 fault:", &format!("  {expected}")]);
        assert!(!said.contains(SECRET), "{said}");
    }
}

/// The same for one variable.
fn assert_faults_of_variables(cases: &[(&str, &str, &str)]) {
    for (name, value, expected) in cases {
        let said = load(&[], &[(name, value)]).expect_err(name);
        let expected = format!("  {}", expected.replace("HERE", &format!("(environment variable {name})")));
        assert_eq!(said.lines().collect::<Vec<_>>(), ["The configuration has 1 fault:", &expected], "{name}={value}");
        assert!(!said.contains(SECRET), "{said}");
    }
}

#[test]
fn what_is_required_is_enough() {
    let settings = load(&[], &[]).expect("valid");
    assert_eq!(settings.bkci.base_url, "https://bkapi.example.com/api/devops/prod");
    assert_eq!(settings.bkci.credentials, Credentials::Query);
    assert_eq!(settings.store.url.expose_secret(), "sqlite://reprise.db");
    assert_eq!((settings.discord.transport, settings.discord.words), (Transport::Gateway, true));
    assert!(settings.without_effect.is_empty(), "{:?}", settings.without_effect);
    let shown = format!("{settings:?}");
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn later_files_win_over_earlier_ones_and_the_environment_over_both() {
    let (_first, first) =
        file("[log]\nlevel = \"debug\"\n[discord]\nguild_ids = [11, \"12\"]\n[admin]\nusers = [7]\nroles = [5]\n");
    let (_second, second) = file("[log]\nlevel = \"warn\"\n[admin]\nusers = [8]\n");
    let settings = load(&[first.clone(), second.clone()], &[("REPRISE__LOG__LEVEL", "error")]).expect("valid");
    assert_eq!((settings.log.level.as_str(), settings.admin.users), ("error", vec![8]));
    assert_eq!((settings.discord.guild_ids, settings.admin.roles), (vec![11, 12], vec![5]));
    let settings = load(&[second, first], &[]).expect("valid");
    assert_eq!((settings.log.level.as_str(), settings.admin.users), ("debug", vec![7]));
}

#[test]
fn lists_in_the_environment_are_comma_separated() {
    let ids = |value| load(&[], &[("REPRISE__DISCORD__GUILD_IDS", value)]).map(|settings| settings.discord.guild_ids);
    assert_eq!(ids("13, 14,13"), Ok(vec![13, 14]));
    assert_eq!(ids(" "), Ok(Vec::new()));
}

#[test]
fn a_secret_may_come_from_a_file_but_not_from_both() {
    let (_folder, path) = file("from-a-file\n");
    let path = path.to_str().expect("a path");
    let both = load(&[], &[("REPRISE__BKCI__APP_SECRET_FILE", path)]).expect_err("both are given");
    assert!(both.contains("bkci.app_secret_file (environment variable REPRISE__BKCI__APP_SECRET_FILE)"), "{both}");
    assert!(both.contains("only one of the two") && !both.contains(SECRET), "{both}");
    let mut env: BTreeMap<_, _> = REQUIRED.into();
    env.remove("REPRISE__BKCI__APP_SECRET");
    env.insert("REPRISE__BKCI__APP_SECRET_FILE", path);
    let settings = Settings::load(&[], env.into_iter()).expect("valid");
    assert_eq!(settings.bkci.app_secret.expose_secret(), "from-a-file");
}

#[test]
fn a_secret_file_that_is_of_no_use_is_a_fault_of_its_key() {
    let (folder, good) = file("");
    let at = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let cases = [
        ("/nowhere/hunter2".to_owned(), "names a file that cannot be read: No such file or directory (os error 2)"),
        (folder.path().display().to_string(), "names a file that cannot be read: Is a directory (os error 21)"),
        (at("latin1", b"hunter2\xff"), "names a file that cannot be read: stream did not contain valid UTF-8"),
        (good.display().to_string(), "is empty"),
        (at("newline", b"\n"), "is empty"),
        (at("lines", b"hunter2\nhunter2\n"), "contains a blank, a control character or a character outside ASCII"),
    ];
    for (path, wrong) in cases {
        let mut env: BTreeMap<_, _> = REQUIRED.into();
        env.remove("REPRISE__DISCORD__TOKEN");
        env.insert("REPRISE__DISCORD__TOKEN_FILE", &path);
        let said = Settings::load(&[], env.into_iter()).expect_err(wrong).to_string();
        let key = "discord.token_file (environment variable REPRISE__DISCORD__TOKEN_FILE)";
        assert_eq!(said.lines().nth(1), Some(format!("  {key}: {wrong}; expected the bot's token").as_str()));
        assert!(said.lines().count() == 2 && !said.contains(SECRET), "{said}");
    }
}

#[test]
fn every_wrong_value_in_the_environment_is_told_with_its_form() {
    let no_web_address = "does not begin with https:// or http://";
    let ids = "expected a list of Discord ids (17 to 19 digits each)";
    assert_faults_of_variables(&[
        ("REPRISE__DISCORD__TOKEN", "", "discord.token HERE: is empty; expected the bot's token"),
        (
            "REPRISE__DISCORD__TOKEN",
            "Bot hunter2",
            "discord.token HERE: contains a blank, a control character or a character outside ASCII; expected the bot's token",
        ),
        ("REPRISE__BKCI__APP_SECRET", "", "bkci.app_secret HERE: is empty; expected the application's secret"),
        ("REPRISE__BKCI__APP_CODE", "", "bkci.app_code HERE: is empty; expected the application's code"),
        ("REPRISE__BKCI__APP_CODE", "a<b", "bkci.app_code HERE: contains < or >; expected the application's code"),
        (
            "REPRISE__BKCI__BASE_URL",
            "bkapi.example.com",
            &format!(
                "bkci.base_url HERE: {no_web_address}; expected https://HOST/PATH, everything before the API path"
            ),
        ),
        (
            "REPRISE__BKCI__BASE_URL",
            "https://bkapi.example.com/apigw-app/v3",
            "bkci.base_url HERE: contains the API path, which the program adds itself; expected https://HOST/PATH, everything before the API path",
        ),
        (
            "REPRISE__BKCI__BASE_URL",
            "https://me:hunter2@bkapi.example.com",
            "bkci.base_url HERE: names a user or a password (@); expected https://HOST/PATH, everything before the API path",
        ),
        (
            "REPRISE__BKCI__WEB_URL",
            "ftp://x",
            &format!("bkci.web_url HERE: {no_web_address}; expected https://HOST, or nothing"),
        ),
        (
            "REPRISE__STORE__URL",
            "mysql://me:hunter2@h/d",
            "store.url HERE: does not begin with sqlite:, postgres:// or postgresql://; expected sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE",
        ),
        (
            "REPRISE__HTTP__LISTEN",
            "8080",
            "http.listen HERE: is not an IP address with a port; expected IP:PORT, or nothing",
        ),
        (
            "REPRISE__HTTP__LISTEN",
            "127.0.0.1:65536",
            "http.listen HERE: is not an IP address with a port; expected IP:PORT, or nothing",
        ),
        (
            "REPRISE__DISCORD__CONNECT_TO",
            "relay:0",
            "discord.connect_to HERE: has no valid port (1 to 65535); expected HOST:PORT, or nothing",
        ),
        (
            "REPRISE__DISCORD__CA_FILE",
            "/nowhere",
            "discord.ca_file HERE: cannot be read: No such file or directory (os error 2); expected the path of a PEM file, or nothing",
        ),
        (
            "REPRISE__DISCORD__PUBLIC_KEY",
            "abc",
            "discord.public_key HERE: has 3 digits; expected 64 hexadecimal digits, or nothing",
        ),
        ("REPRISE__DISCORD__TRANSPORT", "udp", "discord.transport HERE: is \"udp\"; expected one of gateway, http"),
        ("REPRISE__DISCORD__WORDS", "yes", "discord.words HERE: is \"yes\"; expected true or false"),
        (
            "REPRISE__DISCORD__GUILD_IDS",
            "11,,12",
            &format!("discord.guild_ids HERE: entry 2 is not a Discord id; {ids}"),
        ),
        ("REPRISE__ADMIN__USERS", "11;12", &format!("admin.users HERE: entry 1 is not a Discord id; {ids}")),
        (
            "REPRISE__ADMIN__CHANNEL",
            "#builds",
            "admin.channel HERE: is not a Discord id; expected a Discord id (17 to 19 digits), or nothing",
        ),
        ("REPRISE__FOLLOW__POLL_MS", "199", "follow.poll_ms HERE: is 199; expected a whole number, 200 to 86400000"),
        ("REPRISE__FOLLOW__POLL_MS", "5s", "follow.poll_ms HERE: is \"5s\"; expected a whole number, 200 to 86400000"),
        ("REPRISE__BKCI__READ_TIMEOUT_MS", "0", "bkci.read_timeout_ms HERE: is 0; expected a whole number, 1 to 60000"),
        (
            "REPRISE__BKCI__CONNECT_TIMEOUT_MS",
            "-1",
            "bkci.connect_timeout_ms HERE: is -1; expected a whole number, 1 to 60000",
        ),
        (
            "REPRISE__BKCI__MAX_REQUESTS_PER_S",
            "",
            "bkci.max_requests_per_s HERE: is \"\"; expected a whole number, 1 to 1000",
        ),
        ("REPRISE__LOG__FORMAT", "xml", "log.format HERE: is \"xml\"; expected one of text, json"),
        (
            "REPRISE__LOG__LEVEL",
            "inof",
            "log.level HERE: part 1 is neither a level nor MODULE=LEVEL; expected a level, or MODULE=LEVEL, separated by commas",
        ),
        ("REPRISE__POLICY__RULE", "", "policy.rule HERE: cannot be given in the environment; expected no rule"),
    ]);
}

#[test]
fn a_wrong_type_in_a_file_is_told_without_its_value() {
    assert_faults_of_files(&[
        (
            "[bkci]\nread_timeout_ms = \"5s\"\n",
            "bkci.read_timeout_ms (file F): is a text; expected a whole number, 1 to 60000",
        ),
        (
            "[bkci]\nread_timeout_ms = 1.5\n",
            "bkci.read_timeout_ms (file F): is a fraction; expected a whole number, 1 to 60000",
        ),
        ("[discord]\nwords = \"true\"\n", "discord.words (file F): is a text; expected true or false"),
        (
            "[discord]\nguild_ids = 11\n",
            "discord.guild_ids (file F): is a number; expected a list of Discord ids (17 to 19 digits each)",
        ),
        (
            "[discord]\nguild_ids = [true]\n",
            "discord.guild_ids (file F): is a boolean; expected a list of Discord ids (17 to 19 digits each)",
        ),
        (
            "[log]\nlevel = 3\n",
            "log.level (file F): is a number; expected a level, or MODULE=LEVEL, separated by commas",
        ),
        ("[audit]\nkey = [\"hunter2\"]\n", "audit.key (file F): is a list; expected a key for the audit chain"),
        (
            "[[policy.rule]]\nname = \"x\"\neffect = \"deny\"\n",
            "policy.rule (file F): is not enforced by this version yet; expected no rule",
        ),
    ]);
}

#[test]
fn an_unknown_key_is_told_with_the_nearest_known_one() {
    assert_faults_of_files(&[
        ("[bkci]\nbase_ulr = \"hunter2\"\n", "bkci.base_ulr (file F): is not a known key; expected bkci.base_url?"),
        ("[discord]\nToken = \"hunter2\"\n", "discord.Token (file F): is not a known key; expected discord.token?"),
        ("token = \"hunter2\"\n", "token (file F): is not a known key; expected discord.token?"),
        (
            "[weather]\ncity = \"hunter2\"\n",
            "weather.city (file F): is not a known key; expected a key that config/default.toml names",
        ),
        ("[discrod]\n", "discrod (file F): is not a known key; expected a key that config/default.toml names"),
        (
            "[discord]\ntoken.value = \"hunter2\"\n",
            "discord.token.value (file F): is not a known key; expected discord.token?",
        ),
    ]);
    assert_faults_of_variables(&[
        (
            "REPRISE__DISCORD__TOKNE",
            "hunter2",
            "discord.tokne HERE: is not a known key; expected REPRISE__DISCORD__TOKEN?",
        ),
        (
            "REPRISE__DISCORD_TOKEN",
            "hunter2",
            "discord_token HERE: is not a known key; expected REPRISE__DISCORD__TOKEN?",
        ),
        (
            "REPRISE__discord__token",
            "hunter2",
            "discord.token HERE: is not written in capitals; expected REPRISE__DISCORD__TOKEN",
        ),
    ]);
    // Kubernetes sets such variables in every pod beside a service of this name.
    load(&[], &[("REPRISE_PORT", "tcp://10.0.0.1:8080"), ("REPRISE_SERVICE_HOST", "10.0.0.1")]).expect("not ours");
}

#[test]
fn a_file_that_cannot_be_read_or_is_no_toml_is_a_fault_with_its_place() {
    assert_faults_of_files(&[
        (
            "[discord]\ntoken = \"hunter2\n",
            "file F: TOML error at line 2, column 17: invalid basic string, expected `\"`; expected valid TOML",
        ),
        (
            "[discord]\ntoken = hunter2\n",
            "file F: TOML error at line 2, column 9: string values must be quoted, expected literal string; expected valid TOML",
        ),
        ("[log\n", "file F: TOML error at line 1, column 5: unclosed table, expected `]`; expected valid TOML"),
        (
            "[log]\nlevel = \"info\"\nlevel = \"hunter2\"\n",
            "file F: TOML error at line 3, column 1: duplicate key; expected valid TOML",
        ),
    ]);
    let missing = load(&[PathBuf::from("does-not-exist.toml")], &[]).expect_err("missing");
    assert!(missing.contains("  file does-not-exist.toml: cannot be read: No such file"), "{missing}");
    let (folder, latin1) = file(b"[log]\nlevel = \"inf\xf6\"\n");
    for (path, why) in [(latin1.as_path(), "valid UTF-8"), (folder.path(), "Is a directory")] {
        let said = load(&[path.to_owned()], &[]).expect_err(why);
        assert!(said.contains("cannot be read: ") && said.contains(why) && said.lines().count() == 2, "{said}");
    }
}

#[test]
fn a_file_that_cannot_be_read_hides_no_other_fault() {
    let (_folder, path) = file("[bkci]\nbase_ulr = \"x\"\n");
    let env = [("REPRISE__LOG__LEVLE", "x"), ("REPRISE__HTTP__LISTEN", "x"), ("REPRISE__DISCORD__TRANSPORT", "http")];
    let said = Settings::load(&[PathBuf::from("missing.toml"), path], env.into_iter()).expect_err("faults").to_string();
    let unless = "unless it stands in the file that cannot be read";
    for expected in [
        "file missing.toml: cannot be read".to_owned(),
        "bkci.base_ulr (file ".to_owned(),
        "log.levle (environment variable REPRISE__LOG__LEVLE): is not a known key; expected REPRISE__LOG__LEVEL?"
            .to_owned(),
        "http.listen (environment".to_owned(),
        format!("discord.token (not given): is required, {unless}"),
        format!("discord.public_key (default): is required with discord.transport = \"http\", {unless}"),
    ] {
        assert!(said.contains(&expected), "{expected}\n{said}");
    }
    assert!(said.starts_with("The configuration has 9 faults:"), "{said}");
}

#[test]
fn credentials_go_where_the_family_takes_them_unless_said() {
    let cases = [
        ("v3", "auto", Api::V3, Credentials::Query),
        ("v4", "auto", Api::V4, Credentials::Header),
        ("v4-backend", "auto", Api::V4Backend, Credentials::Header),
        ("v3", "header", Api::V3, Credentials::Header),
        ("v4", "query", Api::V4, Credentials::Query),
    ];
    for (api, credentials, family, place) in cases {
        let more = [("REPRISE__BKCI__API", api), ("REPRISE__BKCI__CREDENTIALS", credentials)];
        let settings = load(&[], &more).expect("valid");
        assert_eq!((settings.bkci.api, settings.bkci.credentials), (family, place), "{api} {credentials}");
    }
}

#[test]
fn all_faults_are_told_at_once_and_no_secret_is() {
    let (_folder, path) = file("[bkci]\nbase_ulr = \"https://x\"\nread_timeout_ms = \"5s\"\n[follow]\npoll_ms = 10\n");
    let faults = load(
        &[path],
        &[
            ("REPRISE__DISCORD__TOKEN", "hunter2 with blank"),
            ("REPRISE__DISCORD__TRANSPORT", "http"),
            ("REPRISE__BKCI__API", "v5"),
            ("REPRISE__STORE__URL", "mysql://me:hunter2@h/d"),
            ("REPRISE__IDENTITY__REQUIRE", "proof"),
            ("REPRISE__LOG__LEVEL", "loud"),
        ],
    );
    let faults = faults.expect_err("nine faults");
    for expected in [
        "discord.token (environment variable REPRISE__DISCORD__TOKEN): contains a blank",
        "discord.public_key (default): is required with discord.transport = \"http\"; expected",
        "bkci.api (environment variable REPRISE__BKCI__API): ",
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
    assert!(!faults.contains(SECRET), "{faults}");
}

#[test]
fn without_anything_the_required_keys_are_named() {
    let faults = Settings::load(&[], nothing()).expect_err("nothing is given").to_string();
    for key in ["discord.token", "bkci.base_url", "bkci.app_code", "bkci.app_secret"] {
        assert!(faults.contains(&format!("{key} (not given): is required; expected")), "{key}\n{faults}");
    }
    assert!(faults.starts_with("The configuration has 4 faults:"), "{faults}");
}

#[test]
fn a_variable_that_is_no_text_is_a_fault_of_its_key_and_others_are_ignored() {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let required = || REQUIRED.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let ignored = [(bytes(b"LANG"), bytes(b"\xff")), (bytes(b"\xff"), bytes(b"x"))];
    Settings::load(&[], required().into_iter().chain(ignored)).expect("nothing of ours is wrong");
    for (key, form) in [
        ("discord.token", "the bot's token"),
        ("discord.words", "true or false"),
        ("discord.guild_ids", "a list of Discord ids (17 to 19 digits each)"),
        ("admin.channel", "a Discord id (17 to 19 digits), or nothing"),
        ("follow.poll_ms", "a whole number, 200 to 86400000"),
        ("log.level", "a level, or MODULE=LEVEL, separated by commas"),
        ("weather.city", "a key that config/default.toml names"),
    ] {
        let name = layers::variable(key);
        let env: BTreeMap<_, _> =
            required().into_iter().chain([(OsString::from(&name), bytes(b"hunter2\xff"))]).collect();
        let said = Settings::load(&[], env.into_iter()).expect_err(key).to_string();
        let wrong = if key == "weather.city" { "is not a known key" } else { "is not UTF-8" };
        let expected = format!("  {key} (environment variable {name}): {wrong}; expected {form}");
        assert_eq!(said.lines().collect::<Vec<_>>(), ["The configuration has 1 fault:", &expected]);
    }
    let named = required().into_iter().chain([(bytes(b"REPRISE__LOG__\xff"), bytes(b"x"))]);
    let said = Settings::load(&[], named).expect_err("a name that is no text").to_string();
    assert!(said.contains("log.\u{fffd} (environment variable"), "{said}");
}

#[test]
fn health_needs_no_secret_and_minds_its_own_section_only() {
    let (_folder, path) = file("[http]\nlisten = \"127.0.0.1:9000\"\n[bkci]\nbase_ulr = 5\n");
    let files = [path];
    let listen = |files: &[PathBuf], env: &[(&str, &str)]| {
        let http = Http::load(files, env.iter().copied()).map_err(|faults| faults.to_string());
        http.map(|http| http.listen.to_string())
    };
    assert_eq!(listen(&[], &[]).as_deref(), Ok("127.0.0.1:8080"));
    assert_eq!(listen(&files, &[("REPRISE__BKCI__API", "v9")]).as_deref(), Ok("127.0.0.1:9000"));
    assert_eq!(listen(&files, &[("REPRISE__HTTP__LISTEN", "[::]:80")]).as_deref(), Ok("[::]:80"));
    let faults =
        listen(&[PathBuf::from("missing.toml")], &[("REPRISE__HTTP__LISTEN", "here")]).expect_err("two faults");
    assert!(faults.starts_with("The configuration has 2 faults:"), "{faults}");
}

#[test]
fn what_this_version_does_nothing_with_is_known() {
    let (_folder, path) = file("[admin]\nchannel = 17\n[follow]\npoll_ms = 5000\n");
    let (_secret, secret) = file("hunter2");
    let secret = secret.display().to_string();
    let settings = load(&[path], &[("REPRISE__AUDIT__KEY_FILE", &secret), ("REPRISE__LOG__LEVEL", "info")]);
    assert_eq!(settings.expect("valid").without_effect, ["admin.channel", "audit.key"]);
}

#[test]
fn callbacks_are_asked_for_where_they_can_be_checked_and_wanted() {
    let url = ("REPRISE__HTTP__PUBLIC_URL", "https://bot.example.com/reprise/");
    let token = ("REPRISE__BKCI__CALLBACK_TOKEN", "hunter2-callback");
    let v4 = ("REPRISE__BKCI__API", "v4");
    let of_projects = ("REPRISE__FOLLOW__PROJECT_CALLBACKS", "true");
    let callbacks = |more: &[(&str, &str)]| {
        let settings = load(&[], more).expect("valid");
        settings.callbacks().map(|callbacks| (callbacks.url, callbacks.of_projects))
    };
    let at = || "https://bot.example.com/reprise/bkci/callback".to_owned();
    for (more, expected) in [
        (vec![], None),
        (vec![url, v4], None),
        (vec![token, v4], None),
        (vec![url, token], None),
        (vec![url, token, v4], Some((at(), false))),
        (vec![url, token, v4, of_projects], Some((at(), false))),
        (vec![url, token, of_projects], Some((at(), true))),
    ] {
        assert_eq!(callbacks(&more), expected, "{more:?}");
    }
    for none in ["NONE", "none"] {
        let said = load(&[], &[("REPRISE__BKCI__CALLBACK_TOKEN", none)]).expect_err("no token");
        assert!(
            said.contains("is the word that BK-CI sends where there is no token; expected a random token"),
            "{said}"
        );
    }
}
