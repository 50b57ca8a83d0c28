//! The settings of admission as values: who is let in while there are more than can be served.
//!
//! Owns how their texts are read: rates, networks, origins and hosts. Next: `table_admission`, and
//! `http/admission` for what they do.

use super::bounds::{number, set};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

/// Networks of trusted proxies at most.
const PROXIES_MAX: usize = 1000;
/// Origins and hosts at most: a request is compared with each.
const SITES_MAX: usize = 100;

/// Who is let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdmissionSettings {
    /// Addresses that may not come.
    pub deny_file: Option<PathBuf>,
    /// The only ones that may, if it is given.
    pub allow_file: Option<PathBuf>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Each of their connections begins with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// Origins whose pages may ask, as browsers write them.
    pub origins: Vec<String>,
    /// Names that a server without tokens may be asked for, beside those of loopback; in lower
    /// case, without ports and brackets.
    pub hosts: Vec<String>,
    /// Connections of one address at most; 0 = no limit, none = a quarter of all.
    pub connections_per_address_max: Option<u32>,
    /// Requests of one principal.
    pub per_principal: Option<Rate>,
    /// Orders, entries and lists of one user.
    pub per_user: Option<Rate>,
    /// Requests of one address, whatever comes of them.
    pub per_address: Option<Rate>,
    /// Buckets of users that are kept.
    pub user_cells: usize,
    /// Buckets of addresses that are kept.
    pub address_cells: usize,
    /// Orders and lists are shed while they wait longer beyond the syncs that all share, in
    /// milliseconds; 0 = never.
    pub wait_ms_max: u64,
}

/// So many requests at once, and in each window after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub requests: u32,
    /// The window, in seconds.
    pub window_s: u32,
}

pub(super) const RATE: &str =
    "REQUESTS/SECONDS, 1 to 1,000,000 requests in 1 to 3,600 seconds, or empty for no limit";

pub(super) fn rate(place: &mut Option<Rate>, text: &str) -> Option<()> {
    if text.is_empty() {
        return set(place, Some(None));
    }
    let (requests, window_s) = text.split_once('/')?;
    let requests = u32::try_from(number(requests, 1, 1_000_000)?).ok()?;
    let window_s = u32::try_from(number(window_s, 1, 3600)?).ok()?;
    set(place, Some(Some(Rate { requests, window_s })))
}

pub(super) const CELLS: &str = "an integer, 1,024 to 16,777,216, rounded up to a power of two";

pub(super) fn cells(text: &str) -> Option<usize> {
    number(text, 1_024, 16_777_216).and_then(|count| usize::try_from(count).ok())
}

pub(super) fn networks(text: &str) -> Option<Vec<IpNet>> {
    let network = |text: &str| {
        let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
        text.parse().ok().or_else(address)
    };
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let networks: Vec<IpNet> = words.map(network).collect::<Option<_>>()?;
    (networks.len() <= PROXIES_MAX).then_some(networks)
}

/// The words between commas, if there are not too many.
pub(super) fn words(text: &str) -> Option<impl Iterator<Item = &str>> {
    let words = || text.split(',').map(str::trim).filter(|word| !word.is_empty());
    (words().count() <= SITES_MAX).then(words)
}

/// An origin as browsers write it, scheme, host and the port if it is not the scheme's own; nothing
/// else would ever be equal to one.
pub(super) fn origin(text: &str) -> Option<String> {
    let (scheme, authority) = text.split_once("://")?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let own = match scheme {
        "http" => Some("80"),
        "https" => Some("443"),
        _ => None,
    };
    let lettered = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.'));
    let ported = port.is_none_or(|port| number(port, 1, 65_535).is_some());
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let hosted = match address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_name(host),
    };
    let good = lettered && ported && hosted && (port.is_none() || port != own);
    (good && text == text.to_ascii_lowercase()).then(|| text.to_owned())
}

/// A name, or an address of four bytes.
fn is_name(text: &str) -> bool {
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !text.is_empty() && text.bytes().all(named)
}

/// A host without port; an address of sixteen bytes in brackets or without.
pub(super) fn host(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<Ipv6Addr>().ok().map(|address| address.to_string());
    address.or_else(|| is_name(text).then(|| text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_requests_in_seconds_or_none() {
        let mut place = None;
        for (text, expected) in [
            ("20/10", Some((20, 10))),
            ("1/3600", Some((1, 3600))),
            ("1000000/1", Some((1_000_000, 1))),
            ("", None),
        ] {
            assert_eq!(rate(&mut place, text), Some(()), "{text}");
            assert_eq!(place.map(|rate| (rate.requests, rate.window_s)), expected, "{text}");
        }
        for bad in ["20", "0/1", "1/0", "1/3601", "1000001/1", "1/2/3", "-1/2", " 1/2", "off"] {
            assert_eq!(rate(&mut place, bad), None, "{bad}");
        }
    }

    #[test]
    fn proxies_are_addresses_and_networks_with_commas() {
        assert_eq!(networks("").unwrap().len(), 0);
        assert_eq!(networks("10.0.0.0/8, ::1,192.0.2.1").unwrap().len(), 3);
        for bad in ["10.0.0.0/8 ::1", "10.0.0.0/40", "proxy.example"] {
            assert!(networks(bad).is_none(), "{bad}");
        }
        assert!(networks(&"::1,".repeat(PROXIES_MAX)).is_some());
        assert!(networks(&"::1,".repeat(PROXIES_MAX + 1)).is_none());
    }

    fn list(text: &str, each: fn(&str) -> Option<String>) -> Option<Vec<String>> {
        words(text)?.map(each).collect()
    }

    #[test]
    fn origins_are_exactly_as_browsers_write_them() {
        let good =
            "https://shop.example, http://127.0.0.1:8080,http://[::1]:3000,capacitor://localhost";
        assert_eq!(list(good, origin).unwrap().len(), 4);
        assert_eq!(list("", origin).unwrap().len(), 0);
        for bad in [
            "*",
            "null",
            "shop.example",
            "https://",
            "https://*.shop.example",
            "https://shop.example/",
            "https://shop.example:443",
            "http://shop.example:80",
            "https://shop.example:0",
            "https://shop.example:port",
            "https://Shop.example",
            "HTTPS://shop.example",
            "https://a@shop.example",
            "https://::1",
            "://shop.example",
        ] {
            assert_eq!(origin(bad), None, "{bad}");
        }
        assert!(list(&"http://a,".repeat(SITES_MAX), origin).is_some());
        assert!(list(&"http://a,".repeat(SITES_MAX + 1), origin).is_none());
    }

    #[test]
    fn hosts_have_no_ports_and_no_case() {
        let hosts = list("Shop.example, 10.0.0.1, [2001:DB8::1], ::2", host).unwrap();
        assert_eq!(hosts, ["shop.example", "10.0.0.1", "2001:db8::1", "::2"]);
        for bad in ["shop.example:80", "http://shop.example", "*", "a/b", "[shop]", "[::1"] {
            assert_eq!(host(bad), None, "{bad}");
        }
    }
}
