use proptest::prelude::*;

use super::*;

fn cleaned(line: &str) -> String {
    clean(&[line.to_owned()]).remove(0)
}

/// What is put in, and what is to be seen. `S` stands for the secret in both, and for the mask in the second.
const MASKED: &[(&str, &str)] = &[
    // Tokens that tell what they are.
    ("cloning with ghp_16C7e42F292c6912E7710c838347Ae178B4a", "cloning with ******"),
    ("ghs_16C7e42F292c6912E7710c838347Ae178B4a:x", "******:x"),
    ("github_pat_11ABCDEFG0abcdefghijkl_MNOPQRSTUVWXYZ0123456789", "******"),
    ("glpat-AbCdEf123456_-ZyXwVu.", "******"),
    ("posting with xoxb-123456789012-1234567890123-AbCdEfGhIjKl", "posting with ******"),
    ("key AKIAIOSFODNN7EXAMPLE was used", "key ****** was used"),
    ("(ASIAIOSFODNN7EXAMPLE)", "(******)"),
    ("SecretId AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "SecretId ******"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9", "******"),
    ("line one\\nghp_16C7e42F292c6912E7710c838347Ae178B4a", "line one\\n******"),
    ("npm_abcdefghijklmnopqrstuvwxyz0123456789 x", "****** x"),
    ("\u{1b}[31mghp_\u{1b}[0m16C7e42F292c6912E7710c838347Ae178B4a", "******"),
    // Headers.
    ("Authorization: Bearer abc.def-123", "Authorization: ******"),
    ("curl -H \"Authorization: Basic dXNlcjpwYXNz\" https://h/x", "curl -H \"Authorization: ******\" https://h/x"),
    ("> Bearer aB3dE5fG7hJ9", "> Bearer ******"),
    ("using basic dXNlcjpwYXNzd29yZA==", "using basic ******"),
    ("'PRIVATE-TOKEN: abc def'", "'PRIVATE-TOKEN: ****** def'"),
    ("Set-Cookie: sid=abc; Path=/", "Set-Cookie: ******"),
    ("X-Api-Key: 12345", "X-Api-Key: ******"),
    // Names and values.
    ("password=hunter2", "password=******"),
    ("PASSWORD = hunter2 ok", "PASSWORD = ****** ok"),
    ("password: hunter2", "password: ******"),
    ("db.passwd=a,b;c&d", "db.passwd=******"),
    ("export DB_PASS='it is''secret' && run", "export DB_PASS='******' && run"),
    ("client_secret=\"two words\" next", "client_secret=\"******\" next"),
    ("clientSecret:\"x\\\"y\" next", "clientSecret:\"******\" next"),
    (
        "{\"user\": \"bob\", \"password\": \"hunter2\", \"n\": 1}",
        "{\"user\": \"bob\", \"password\": \"******\", \"n\": 1}",
    ),
    ("{\\\"token\\\":\\\"abc\\\",\\\"n\\\":1}", "{\\\"token\\\":\\\"******\\\",\\\"n\\\":1}"),
    ("{'api_key': 'abc'}", "{'api_key': '******'}"),
    ("{'api_key': b'a b'}", "{'api_key': b'******'}"),
    ("[{\"key\":\"DEPLOY_PASSWORD\",\"value\":\"x y\"}]", "[{\"key\":\"DEPLOY_PASSWORD\",\"value\":\"******\"}]"),
    ("apiKey=abc accessKey=def", "apiKey=****** accessKey=******"),
    ("os.environ[\"GH_TOKEN\"] = \"abc\"", "os.environ[\"GH_TOKEN\"] = \"******\""),
    ("<password>a b</password>", "<password>******</password>"),
    ("tokens = [\"a\", \"b\"]", "tokens = [******]"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws_secret_access_key = ******"),
    ("AWS_SECRET_ACCESS_KEY: /wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY", "AWS_SECRET_ACCESS_KEY: ******"),
    ("SECRET_KEY_BASE=0123", "SECRET_KEY_BASE=******"),
    ("token2=abc", "token2=******"),
    ("password=\"unfinished", "password=\"******"),
    ("password=$ecret1", "password=******"),
    ("密码：hunter2 完成", "密码：****** 完成"),
    ("数据库密码: hunter2", "数据库密码: ******"),
    ("パスワード=hunter2", "パスワード=******"),
    ("run --password hunter2 --verbose", "run --password ****** --verbose"),
    ("run --api-token=abc -v", "run --api-token=****** -v"),
    ("run -token 'a b' x", "run -token '******' x"),
    ("docker login -u bob -p hunter2 registry", "docker login -u bob -p ****** registry"),
    ("mysql -uroot -phunter2 db", "mysql -uroot -p****** db"),
    ("curl -u bob:hunter2 https://h", "curl -u bob:****** https://h"),
    ("using token 3f9a8c7e6d5b4a39281706f5e4d3c2b1", "using token ******"),
    ("the secret is 3f9a8c7e-6d5b-4a39-2817-06f5e4d3c2b1", "the secret is ******"),
    // Addresses.
    ("https://bob:hunter2@git.example.com/x.git", "https://bob:******@git.example.com/x.git"),
    ("fatal: 'https://x:p/a#s?s@h/x'", "fatal: 'https://x:******@h/x'"),
    ("postgres://app:p@ss@db:5432/x?sslmode=off", "postgres://app:******@db:5432/x?sslmode=off"),
    ("https://abcdef0123456789abcdef@h/x", "https://******@h/x"),
    ("GET /x?page=1&access_token=abc&size=2", "GET /x?page=1&access_token=******&size=2"),
    ("https://h/x?key=3f9a8c7e-6d5b-4a39-2817-06f5e4d3c2b1", "https://h/x?key=******"),
    (
        "https://s3/x?X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe&y=1",
        "https://s3/x?X-Amz-Signature=******&y=1",
    ),
    ("POST https://hooks.slack.com/services/T0/B0/abc", "POST https://hooks.slack.com/services/******"),
    ("https://discord.com/api/webhooks/1/abc done", "https://discord.com/api/webhooks/****** done"),
    (
        "\"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n\"",
        "\"private_key\": \"******\"",
    ),
];

const SHOWN: &[&str] = &[
    "",
    "error: test failed, to rerun pass `--lib`",
    "test auth::token_expires ... FAILED",
    "test auth::token_expires_after_1_day_and_a_half ... ok",
    "FAILED tests/test_auth.py::test_refresh_token - AssertionError: 401 != 200",
    "test_refresh_token: ok",
    "test_password PASSED [ 12%]",
    "commit 3f9a8c7e6d5b4a39281706f5e4d3c2b1a0f9e8d7",
    "HEAD is now at 3f9a8c7 Rotate the secret weekly",
    "Merge 3f9a8c7e6d5b4a39281706f5e4d3c2b1a0f9e8d7 into 0123456789abcdef0123456789abcdef01234567",
    "sha256:3f9a8c7e6d5b4a39281706f5e4d3c2b1a0f9e8d73f9a8c7e6d5b4a39281706f5",
    "cache key: node-modules-3f9a8c7e6d5b4a39281706f5e4d3c2b1",
    "/data/landun/workspace/src/password/token.rs:12:5: warning: unused",
    "src/secret.rs --> src/token/mod.rs",
    "token_expires = 3600",
    "password_length: 12, secret_name: db",
    "SyntaxError: Unexpected token < in JSON at position 0",
    "use of secret::Token in token::parse",
    "if token == expected { return }",
    "pip install secret-token==1.2.3",
    "password: required",
    "Password: must be at least 8 characters",
    "token: null, secret: none",
    "token=$GITHUB_TOKEN",
    "password: ${DB_PASSWORD}",
    "password=%DB_PASSWORD%",
    "token: {{ vault }}",
    "password=\"\" next",
    "password=",
    "Enter password:",
    "fatal: could not read Password for 'https://h': terminal prompts disabled",
    "Basic authentication failed",
    "a bearer certificate",
    "Bearer authentication is required",
    "# pass 10",
    "# pass: 10",
    "--- PASS: TestLogin (0.00s)",
    "pass=12 fail=3",
    "total tokens: 1,234",
    "max_tokens=512",
    "PWD=/data/landun/workspace",
    "pwd: /builds/x",
    "OLDPWD=C:\\x",
    "bypass: enabled",
    "docker build --secret-file x --password-stdin .",
    "git clone https://git.example.com:8443/x.git",
    "npm install https://registry.npmjs.org/@babel/core",
    "ssh://git@git.example.com/x.git",
    "see https://h/a:b and mail bob@example.com",
    "authorization: required",
    "docker run -p 80:80 -u 1000:1000 x",
    "a < b and c > d",
    "[12:00:01] Unit tests: 12 passed, 1 failed",
    "打包失败：找不到文件 /data/x",
    "the task-runner asked for disk-space",
    "key=value keys=12 monkey: banana",
    "id: 3f9a8c7e-6d5b-4a39-2817-06f5e4d3c2b1",
];

#[test]
fn secrets_are_masked_and_what_stands_around_them_stays() {
    for (line, expected) in MASKED {
        assert_eq!(cleaned(line), *expected, "{line}");
    }
}

#[test]
fn what_is_no_secret_is_shown() {
    for line in SHOWN {
        assert_eq!(cleaned(line), *line);
    }
}

#[test]
fn what_was_masked_before_stays_as_it_is() {
    for (_, line) in MASKED {
        assert_eq!(cleaned(line), *line);
    }
}

#[test]
fn colours_markers_anchors_and_control_characters_are_gone() {
    let table = [
        ("\u{1b}[1;31mred\u{1b}[m and \u{1b}[0mplain", "red and plain"),
        ("\u{9b}31mred\u{9b}0m", "red"),
        ("\u{1b}]0;title\u{7}text", "text"),
        ("\u{1b}]8;;https://h\u{1b}\\link\u{1b}]8;;\u{1b}\\ end", "link end"),
        ("\u{1b}]never ends", "never ends"),
        ("\u{1b}(Bplain\u{1b}M\u{1b}", "plain"),
        ("\u{1b}[31", ""),
        ("a\tb\u{0}c\u{7f}d\u{85}e\r", "a bcde"),
        ("10%\r100%", "10% 100%"),
        ("##[error]no such file", "no such file"),
        ("\u{1b}[31m##[error]no\u{1b}[0m", "no"),
        ("##[group]Unit tests", "Unit tests"),
        ("##[endgroup]Unit tests", "Unit tests"),
        (" ##[section]##[command]make", "make"),
        ("##[12]x ##[error]y", "##[12]x ##[error]y"),
        ("##[]x", "##[]x"),
        ("##[error", "##[error"),
        ("see <a target='_blank' href='https://h/x?a=b'>the report</a>.", "see the report."),
        ("<A HREF=x>a</A> <abbr>b</abbr> <a", "a <abbr>b</abbr> <a"),
        ("<a href='x", "<a href='x"),
        ("构建\u{1b}[0m完成", "构建完成"),
    ];
    for (line, expected) in table {
        assert_eq!(cleaned(line), expected, "{line:?}");
    }
}

fn lines(text: &str) -> Vec<String> {
    clean(&text.lines().map(str::to_owned).collect::<Vec<_>>())
}

#[test]
fn a_private_key_is_masked_over_its_lines() {
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let whole = format!(
        "a\nkey: -----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{body}\nab cd\n-----END RSA PRIVATE KEY----- b\nc"
    );
    assert_eq!(lines(&whole), ["a", "key: ******", "******", "", "******", "******", "****** b", "c"]);
    let without_end =
        format!("-----BEGIN PRIVATE KEY-----\n{body}\n12:00:01 {body}\n\n{body}\nmake: *** [all] Error 1\nend");
    let expected = ["******", "******", "******", "", "******", "make: *** [all] Error 1", "end"];
    assert_eq!(lines(&without_end), expected);
    let without_beginning = format!("it is so\n12:00:01 {body}\n{body}\n-----END OPENSSH PRIVATE KEY-----\nend");
    assert_eq!(lines(&without_beginning), ["it is so", "******", "******", "******", "end"]);
    let twice =
        format!("-----BEGIN PRIVATE KEY----- x -----END PRIVATE KEY----- y -----BEGIN PRIVATE KEY-----\n{body}");
    assert_eq!(lines(&twice), ["******", "******"]);
    let pgp = "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: x y\n-----END PGP PRIVATE KEY BLOCK-----";
    assert_eq!(lines(pgp), ["******", "******", "******"]);
    let public = "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----";
    assert_eq!(lines(public), public.lines().collect::<Vec<_>>());
    assert_eq!(
        lines("---------------- BEGIN\n-----BEGIN tests-----"),
        ["---------------- BEGIN", "-----BEGIN tests-----"]
    );
}

#[test]
fn a_message_of_several_lines_stays_one_of_several_lines() {
    assert_eq!(mask("script exited with 1\n##[error]password=x\r\n"), "script exited with 1\npassword=******");
    assert_eq!(mask(""), "");
}

/// Where the time grew with the square of the length, a line of these would take minutes.
#[test]
fn the_time_grows_with_the_length_alone() {
    let bits = [
        "token=",
        "key=",
        "sig=\"",
        "pwd=/",
        "pass:",
        "<a ",
        "<",
        "://",
        "a://b:c",
        "secret/",
        "-----",
        "\u{1b}]",
        "\u{1b}[",
        "##[",
        "eyJ",
        "ghp_",
        "-p ",
        "token ",
        "secret\\",
        "\"",
        "Bearer ",
        "-----BEGIN PRIVATE KEY-----",
        "tokens=[",
        "[",
        "password: {",
        "auth:auth=",
        "@://",
        "x",
        "密码",
    ];
    for bit in bits {
        for end in ["", ">@]\"=x"] {
            let line = bit.repeat(100_000 / bit.len()) + end;
            let begun = std::time::Instant::now();
            assert!(!cleaned(&line).contains(char::is_control));
            assert!(begun.elapsed().as_secs() < 20, "{bit} took {:?}", begun.elapsed());
        }
    }
}

/// Pieces that mean something here, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("password"),
        Just("token"),
        Just("="),
        Just(": "),
        Just("\""),
        Just("'"),
        Just("\\"),
        Just(" "),
        Just("{"),
        Just("["),
        Just("]"),
        Just("://"),
        Just("@"),
        Just("a1B2c3D4e5F6g7H8"),
        Just("<a "),
        Just("<"),
        Just(">"),
        Just("x"),
        Just("\u{1b}["),
        Just("\u{1b}]"),
        Just("\u{7}"),
        Just("##["),
        Just("error]"),
        Just("\n"),
        Just("密码"),
        Just("：\u{3000}"),
        Just("-----BEGIN PRIVATE KEY-----"),
        Just("-----END PRIVATE KEY-----"),
        Just("Bearer "),
        Just("--"),
        Just("ghp_"),
        Just("\u{9b}"),
        Just("é"),
        Just("🦀"),
        Just("value"),
        Just(","),
        Just("pwd"),
        Just("-p"),
        Just("curl -u "),
        Just("$"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn assert_fit(given: &[String]) {
    let seen = clean(given);
    assert_eq!(seen.len(), given.len(), "a line for each");
    for (line, seen) in given.iter().zip(&seen) {
        assert!(!seen.contains(char::is_control), "{line:?} became {seen:?}");
        let masks = seen.matches(MASK).count();
        assert!(seen.len() <= line.len() + masks * MASK.len(), "{line:?} became {seen:?}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_cleaned(given in prop::collection::vec("[^*]{0,60}", 0..6)) {
        assert_fit(&given);
    }

    #[test]
    fn whatever_means_something_is_cleaned(given in prop::collection::vec(pieces(), 0..6)) {
        assert_fit(&given);
    }

    #[test]
    fn a_password_after_its_name_is_never_seen(
        before in "[a-z ]{0,8}",
        name in prop_oneof![Just("password"), Just("DB_PASSWORD"), Just("api_key"), Just("clientSecret"), Just("my.token")],
        link in prop_oneof![Just("="), Just(": "), Just(" = "), Just("=\""), Just("='"), Just("\": \""), Just(":=")],
        secret in "[A-Za-z0-9!@#%^&(),./:;?_|~+-]{12,30}Zq9",
    ) {
        let seen = cleaned(&format!("{before} {name}{link}{secret}"));
        prop_assert!(!seen.contains("Zq9") && !seen.contains(&secret[..8]), "{seen}");
    }
}
