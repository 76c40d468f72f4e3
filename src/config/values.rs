//! The forms that values must have, each a pure check that says what is wrong with a text.
//!
//! Must not: repeat the text in what it says; an address may hold a password, and a secret may be pasted anywhere.

use std::net::SocketAddr;
use std::path::PathBuf;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::settings::HostPort;

/// Length of an Ed25519 public key (RFC 8032, 5.1.5), in hexadecimal digits.
const PUBLIC_KEY_DIGITS: usize = 64;

/// What is wrong with a text.
pub(super) type Wrong = String;

/// A secret that is sent in headers and addresses: visible ASCII only. Anything else is a stray newline or a paste error.
pub(super) fn credential(text: &str) -> Result<(), Wrong> {
    match text.chars().all(|c| c.is_ascii_graphic()) {
        true => Ok(()),
        false => Err("contains a blank, a control character or a character outside ASCII".to_owned()),
    }
}

/// A token that callbacks must show. BK-CI sends the word NONE where a callback was registered without one (bkci-api 11.3),
/// so that word proves nothing.
pub(super) fn callback_token(text: &str) -> Result<(), Wrong> {
    credential(text)?;
    match text.eq_ignore_ascii_case("NONE") {
        true => Err("is the word that BK-CI sends where there is no token".to_owned()),
        false => Ok(()),
    }
}

/// A text without control characters and without blanks around it.
pub(super) fn line(text: &str) -> Result<String, Wrong> {
    match text.trim() == text && !text.contains(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err("contains a control character, or a blank at an end".to_owned()),
    }
}

/// An application code. The gateway turns down one with a blank or one of `<>` (bkci-api.md 2.1).
pub(super) fn app_code(text: &str) -> Result<String, Wrong> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    credential(text)?;
    match text.contains(['<', '>']) {
        true => Err("contains < or >".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// A web address without query, fragment and user; trailing slashes are cut off.
pub(super) fn web_address(text: &str) -> Result<String, Wrong> {
    let after_scheme = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let rest = after_scheme.ok_or("does not begin with https:// or http://")?;
    if !rest.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c)) {
        return Err("contains a character that an address cannot have".to_owned());
    }
    if rest.contains('?') {
        return Err("has a query (?)".to_owned());
    }
    if rest.contains('#') {
        return Err("has a fragment (#)".to_owned());
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err("names a user or a password (@)".to_owned());
    }
    host_and_port(authority)?;
    Ok(text.trim_end_matches('/').to_owned())
}

/// The address of web pages: the host alone will do.
pub(super) fn page_address(text: &str) -> Result<String, Wrong> {
    if text.contains("://") { web_address(text) } else { web_address(&format!("https://{text}")) }
}

/// The address before BK-CI's API paths.
pub(super) fn api_address(text: &str) -> Result<String, Wrong> {
    let address = web_address(text)?;
    match address.contains("/apigw-") {
        true => Err("contains the API path, which the program adds itself".to_owned()),
        false => Ok(address),
    }
}

/// A host with the port it must have.
pub(super) fn host_port(text: &str) -> Result<HostPort, Wrong> {
    match host_and_port(text)? {
        (host, Some(port)) => Ok(HostPort { host, port }),
        (_, None) => Err("has no port".to_owned()),
    }
}

/// `HOST`, `HOST:PORT`, `[IPV6]`, `[IPV6]:PORT`.
fn host_and_port(text: &str) -> Result<(String, Option<u16>), Wrong> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, after)) => {
            address.parse::<std::net::Ipv6Addr>().map_err(|_| "has a malformed IPv6 address")?;
            let port = after.strip_prefix(':');
            if port.is_none() && !after.is_empty() {
                return Err("has something other than a port after its IPv6 address".to_owned());
            }
            (address, port)
        }
        None => {
            let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            if host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) {
                return Err("has no valid host name".to_owned());
            }
            (host, port)
        }
    };
    let port = port.map(|port| match port.parse::<u16>() {
        Ok(number) if number > 0 && !port.starts_with('+') => Ok(number),
        _ => Err("has no valid port (1 to 65535)".to_owned()),
    });
    Ok((host.to_owned(), port.transpose()?))
}

/// An address to listen on.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| "is not an IP address with a port".to_owned())
}

/// A Discord id. It fits 63 bits (discord-rules.md), and the store keeps it in as many.
pub(super) fn snowflake(text: &str) -> Result<u64, Wrong> {
    let digits = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(id) if digits && id > 0 => Ok(id.unsigned_abs()),
        _ => Err("is not a Discord id".to_owned()),
    }
}

/// An Ed25519 public key. Whether it is a point of the curve is found out where it is used.
pub(super) fn public_key(text: &str) -> Result<String, Wrong> {
    if !text.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err("contains something other than hexadecimal digits".to_owned());
    }
    match text.len() {
        PUBLIC_KEY_DIGITS => Ok(text.to_lowercase()),
        length => Err(format!("has {length} digits")),
    }
}

/// A database's address.
pub(super) fn store_url(text: &str) -> Result<(), Wrong> {
    let rest = ["postgres://", "postgresql://", "sqlite://", "sqlite:"].iter().find_map(|s| text.strip_prefix(s));
    match rest {
        None => Err("does not begin with sqlite:, postgres:// or postgresql://".to_owned()),
        Some("") => Err("names no database".to_owned()),
        Some(_) if text.contains(char::is_control) => Err("contains a control character".to_owned()),
        Some(_) => Ok(()),
    }
}

/// A file with a certificate in it.
pub(super) fn certificate_file(text: &str) -> Result<PathBuf, Wrong> {
    let pem = std::fs::read_to_string(text).map_err(|error| format!("cannot be read: {error}"))?;
    match pem.contains("-----BEGIN CERTIFICATE-----") {
        true => Ok(PathBuf::from(text)),
        false => Err("holds no certificate".to_owned()),
    }
}

/// A filter for the log. A bare word that is no level would be taken for the name of a module, and silence everything
/// else: `inof` must not do that.
pub(super) fn log_level(text: &str) -> Result<String, Wrong> {
    let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    let has_no_level = |part: &&str| !part.contains(['=', '[', ']', '{', '}']) && !is_level(part);
    if let Some(position) = text.split(',').position(|part| has_no_level(&part)) {
        return Err(format!("part {} is neither a level nor MODULE=LEVEL", position + 1));
    }
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("is not a valid filter".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_addresses_are_trimmed_or_refused() {
        let good = [
            ("https://bkapi.example.com/api/devops/prod", "https://bkapi.example.com/api/devops/prod"),
            ("https://bkapi.example.com/api/devops/prod///", "https://bkapi.example.com/api/devops/prod"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://[::1]:8080/x", "http://[::1]:8080/x"),
            ("http://ci_host", "http://ci_host"),
        ];
        for (text, expected) in good {
            assert_eq!(web_address(text).as_deref(), Ok(expected), "{text}");
        }
        let bad = [
            ("", "does not begin"),
            ("bkapi.example.com", "does not begin"),
            ("ftp://bkapi.example.com", "does not begin"),
            ("https://", "host"),
            ("https:///x", "host"),
            ("https://a b/", "character"),
            ("https://a/b\\c", "character"),
            ("https://a/流水线", "character"),
            ("https://a/?x=1", "query"),
            ("https://a/#x", "fragment"),
            ("https://me:hunter2@a/", "password"),
            ("https://a:0/", "port"),
            ("https://a:port/", "port"),
            ("https://a:70000/", "port"),
            ("https://[::g]/", "IPv6"),
            ("https://[::1]x/", "IPv6"),
        ];
        for (text, expected) in bad {
            let wrong = web_address(text).expect_err(text);
            assert!(wrong.contains(expected), "{text}: {wrong}");
        }
        assert_eq!(page_address("devops.example.com").as_deref(), Ok("https://devops.example.com"));
        assert!(page_address("a b").is_err() && page_address("ftp://a").is_err());
        assert!(api_address("https://a/apigw-app/v3").is_err(), "the API path is not part of the base");
    }

    #[test]
    fn hosts_have_their_ports() {
        let address = host_port("[::1]:443").expect("an IPv6 address");
        assert_eq!((address.host.as_str(), address.port), ("::1", 443));
        assert_eq!(address.to_string(), "[::1]:443");
        assert_eq!(host_port("relay.internal:8443").expect("a name").to_string(), "relay.internal:8443");
        for text in ["", "relay", "relay:", "relay:0", "relay:+1", ":443", "a:b:443", "::1", "https://relay:443"] {
            assert!(host_port(text).is_err(), "{text}");
        }
    }

    #[test]
    fn snowflakes_are_positive_and_fit() {
        assert_eq!(snowflake("123456789012345678"), Ok(123_456_789_012_345_678));
        assert_eq!(snowflake("9223372036854775807"), Ok(9_223_372_036_854_775_807));
        for text in ["", "0", "-1", "+1", "12a", "9223372036854775808", "<@1>", " 1"] {
            assert!(snowflake(text).is_err(), "{text}");
        }
    }

    #[test]
    fn log_levels_are_levels() {
        for text in
            ["info", "off", "INFO", "warn,reprise=debug", "info,reprise::store=trace", "reprise[interaction]=debug"]
        {
            assert_eq!(log_level(text).as_deref(), Ok(text), "{text}");
        }
        for text in ["", "inof", "info,repirse", "reprise=loud", "info,,debug"] {
            assert!(log_level(text).is_err(), "{text}");
        }
    }

    #[test]
    fn databases_have_known_schemes() {
        for text in ["sqlite://reprise.db", "sqlite:/data/r.db", "postgres://u:p@h/d", "postgresql:///d"] {
            assert_eq!(store_url(text), Ok(()), "{text}");
        }
        for text in
            ["", "reprise.db", "mysql://h/d", "sqlite:", "sqlite://", "postgres://", "postgres:h", "sqlite:a\nb"]
        {
            assert!(store_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn public_keys_have_64_hexadecimal_digits() {
        assert_eq!(public_key(&"aB".repeat(32)), Ok("ab".repeat(32)));
        for text in ["", "ab", &"g".repeat(64), &"a".repeat(66)] {
            assert!(public_key(text).is_err(), "{text}");
        }
    }
}
