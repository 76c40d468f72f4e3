//! Which addresses a callback may have (bkci-api.md 11.1), and to which this double really sends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

use super::errors::Failure;

/// The reference names none; these are services that nobody runs a receiver on.
const HIGH_RISK: &[u16] =
    &[21, 22, 23, 25, 135, 139, 445, 1433, 1521, 2375, 3306, 3389, 5432, 6379, 9200, 11211, 27017];

enum Points {
    Outside,
    /// To this machine, or into a private network.
    Inside,
    /// Link-local, which the metadata service of clouds is too, or nowhere.
    Never,
}

/// A name is not looked up: only `localhost` is known to be inside.
fn points(url: &Url) -> Points {
    let host = url.host_str().unwrap_or_default();
    let name = host.trim_end_matches('.');
    if name == "localhost" || name.ends_with(".localhost") {
        return Points::Inside;
    }
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Err(_) => Points::Outside,
        Ok(IpAddr::V4(ip)) => points_v4(ip),
        Ok(IpAddr::V6(ip)) => points_v6(ip),
    }
}

fn points_v4(ip: Ipv4Addr) -> Points {
    if ip.is_link_local() || ip.is_unspecified() {
        Points::Never
    } else if ip.is_loopback() || ip.is_private() {
        Points::Inside
    } else {
        Points::Outside
    }
}

fn points_v6(ip: Ipv6Addr) -> Points {
    if let Some(ip) = ip.to_ipv4_mapped() {
        return points_v4(ip);
    }
    if ip.is_unicast_link_local() || ip.is_unspecified() {
        Points::Never
    } else if ip.is_loopback() || ip.is_unique_local() {
        Points::Inside
    } else {
        Points::Outside
    }
}

/// Refuses what the service refuses. `inside` lets loopback and private networks through: one step further than the
/// deployment's own setting, which never lets loopback through.
pub(super) fn check(url: &str, inside: bool) -> Result<(), Failure> {
    let illegal = || Failure::code(2101132, &[]);
    let parsed = Url::parse(url).map_err(|_| illegal())?;
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none_or(str::is_empty) {
        return Err(illegal());
    }
    if let Some(port) = parsed.port().filter(|port| HIGH_RISK.contains(port)) {
        return Err(Failure::code(2101286, &[&port.to_string()]));
    }
    match points(&parsed) {
        Points::Inside if inside => Ok(()),
        Points::Outside => Ok(()),
        Points::Inside | Points::Never => Err(Failure::code(2101366, &[url])),
    }
}

/// Whether this is on this very machine: the only place that a double sends to.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}
