//! The settings of admission: who is let in while there are more than can be served.
//!
//! All of them may change while the server runs. Next: `table`, and `http/admission` for what they
//! do.

use super::Config;
use super::table::{DURATION_OR_NONE, Entry, FILE, Kind, file, number, set};
use ipnet::IpNet;
use std::net::IpAddr;
use std::path::PathBuf;

/// Networks of trusted proxies at most.
const PROXIES_MAX: usize = 1000;

/// Who is let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admission {
    /// Addresses that may not come.
    pub deny_file: Option<PathBuf>,
    /// The only ones that may, if it is given.
    pub allow_file: Option<PathBuf>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections of one address at most; 0 = no limit.
    pub connections_per_address_max: u32,
    /// Requests of one principal.
    pub per_principal: Option<Rate>,
    /// Orders, entries and lists of one user.
    pub per_user: Option<Rate>,
    /// Requests of one address.
    pub per_address: Option<Rate>,
    /// Orders and lists are shed while they wait longer beyond the syncs that all share, in milliseconds;
    /// 0 = never.
    pub wait_ms_max: u64,
}

/// So many requests at once, and in each window after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests.
    pub requests: u32,
    /// The window, in seconds.
    pub window_s: u32,
}

const RATE: &str =
    "REQUESTS/SECONDS, 1 to 1,000,000 requests in 1 to 3,600 seconds, or empty for no limit";

fn rate(place: &mut Option<Rate>, text: &str) -> Option<()> {
    if text.is_empty() {
        return set(place, Some(None));
    }
    let (requests, window_s) = text.split_once('/')?;
    let requests = u32::try_from(number(requests, 1, 1_000_000)?).ok()?;
    let window_s = u32::try_from(number(window_s, 1, 3600)?).ok()?;
    set(place, Some(Some(Rate { requests, window_s })))
}

fn networks(text: &str) -> Option<Vec<IpNet>> {
    let network = |text: &str| {
        let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
        text.parse().ok().or_else(address)
    };
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let networks: Vec<IpNet> = words.map(network).collect::<Option<_>>()?;
    (networks.len() <= PROXIES_MAX).then_some(networks)
}

/// Its settings.
pub(super) static ADMISSION: &[Entry] = &[
    Entry {
        name: "address.deny_file",
        kind: Kind::Text,
        default: "",
        bounds: FILE,
        meaning: "addresses and networks (CIDR) that may not come, one a line; read again on SIGHUP",
        take: |config: &mut Config, text| file(&mut config.admission.deny_file, text),
    },
    Entry {
        name: "address.allow_file",
        kind: Kind::Text,
        default: "",
        bounds: FILE,
        meaning: "the only addresses and networks (CIDR) that may come, one a line; read again on \
                  SIGHUP",
        take: |config, text| file(&mut config.admission.allow_file, text),
    },
    Entry {
        name: "address.trusted_proxies",
        kind: Kind::Text,
        default: "",
        bounds: "addresses and networks (CIDR) with commas between them, at most 1,000",
        meaning: "proxies whose X-Forwarded-For is believed; read again on SIGHUP",
        take: |config, text| set(&mut config.admission.trusted_proxies, networks(text)),
    },
    Entry {
        name: "http.connections_per_address_max",
        kind: Kind::Number,
        default: "0",
        bounds: "an integer, 0 (no limit) to 1,000,000",
        meaning: "connections of one address (IPv6: one /64), trusted proxies apart; read again on \
                  SIGHUP",
        take: |config, text| {
            let most = number(text, 0, 1_000_000).and_then(|most| u32::try_from(most).ok());
            set(&mut config.admission.connections_per_address_max, most)
        },
    },
    Entry {
        name: "rate.principal",
        kind: Kind::Text,
        default: "",
        bounds: RATE,
        meaning: "requests of one principal; read again on SIGHUP",
        take: |config, text| rate(&mut config.admission.per_principal, text),
    },
    Entry {
        name: "rate.user",
        kind: Kind::Text,
        default: "",
        bounds: RATE,
        meaning: "orders, entries and lists of one user; read again on SIGHUP",
        take: |config, text| rate(&mut config.admission.per_user, text),
    },
    Entry {
        name: "rate.address",
        kind: Kind::Text,
        default: "",
        bounds: RATE,
        meaning: "requests of one address (IPv6: one /64); read again on SIGHUP",
        take: |config, text| rate(&mut config.admission.per_address, text),
    },
    Entry {
        name: "overload.wait_ms_max",
        kind: Kind::Number,
        default: "100",
        bounds: DURATION_OR_NONE,
        meaning: "orders and lists are shed while they would wait longer than this beyond the syncs \
                  that all share; read again on SIGHUP",
        take: |config, text| set(&mut config.admission.wait_ms_max, number(text, 0, 3_600_000)),
    },
];

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
}
