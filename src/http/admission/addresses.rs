//! Who may come at all, by address, and whose address counts where a proxy speaks for its clients.
//!
//! Owns lists of networks and the reading of `X-Forwarded-For`. That header counts only from a peer
//! that is a trusted proxy; then its right-most address that is no trusted proxy is the client, as
//! only what trusted proxies appended is known to be true. Never opens a file: `reload` brings the
//! text. Next: `control`.

use crate::http::response::problem::{Code, Problem, Refused};
use hyper::header::{HeaderMap, HeaderName};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Networks in one list at most.
pub const NETWORKS_MAX: usize = 100_000;

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Some networks, IPv4 and IPv6.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    /// First and last address of each, in order, none touching another. An IPv4 address stands as
    /// the IPv6 address it is mapped to.
    ranges: Vec<(u128, u128)>,
}

/// Why a list of networks cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {what}")]
pub struct BadNetworks {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong there, and what it must be.
    pub what: &'static str,
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Networks {
    /// A list of these.
    pub fn of(networks: impl IntoIterator<Item = IpNet>) -> Self {
        let range = |network: IpNet| (number(network.network()), number(network.broadcast()));
        let mut ranges: Vec<_> = networks.into_iter().map(range).collect();
        ranges.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        merged.shrink_to_fit();
        Self { ranges: merged }
    }

    /// Reads a file: an address or a network a line, `#` before a remark; `file` names it in
    /// errors.
    ///
    /// # Errors
    /// When a line is neither, or there are more than [`NETWORKS_MAX`].
    pub fn read(file: &str, text: &str) -> Result<Self, BadNetworks> {
        let mut networks = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let bad = |what| BadNetworks { file: file.to_owned(), line: number + 1, what };
            let words = line.split('#').next().unwrap_or_default().trim();
            if words.is_empty() {
                continue;
            }
            if networks.len() == NETWORKS_MAX {
                return Err(bad("there are more than 100,000 networks"));
            }
            let network = network(words);
            networks.push(network.ok_or_else(|| bad("a line is an address or a network (CIDR)"))?);
        }
        Ok(Self::of(networks))
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The address is in one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let number = number(address);
        let after = self.ranges.partition_point(|(first, _)| *first <= number);
        after.checked_sub(1).is_some_and(|at| number <= self.ranges[at].1)
    }
}

/// A network, or an address as the network of itself.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Which addresses may come, and which may speak for others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// None of these may.
    pub deny: Networks,
    /// Only these may, if there are any.
    pub allow: Networks,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Networks,
    /// Each of their connections begins with a header of the PROXY protocol.
    pub proxy_protocol: bool,
}

impl Addresses {
    /// A denied address is denied wherever it shows; to be allowed is asked of clients only.
    fn lets_in(&self, client: IpAddr) -> bool {
        !self.deny.contains(client) && (self.allow.is_empty() || self.allow.contains(client))
    }

    /// Whether a connection from this peer is worth accepting: a proxy is, whoever its clients are.
    pub(super) fn accepts(&self, peer: IpAddr) -> bool {
        if self.trusted_proxies.contains(peer) {
            return !self.deny.contains(peer);
        }
        self.lets_in(peer)
    }

    /// A connection from this peer begins with a header that says whose it is.
    pub(super) fn is_to_introduce(&self, peer: IpAddr) -> bool {
        self.proxy_protocol && self.trusted_proxies.contains(peer)
    }

    /// The word of this proxy, by which a connection is another's, still counts.
    pub(super) fn brings(&self, proxy: IpAddr) -> bool {
        self.trusted_proxies.contains(proxy) && !self.deny.contains(proxy)
    }

    /// Whose request it is, if they may ask.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, Refused> {
        let client = self.forwarded(peer, headers)?;
        self.admits(peer, client)?;
        Ok(client)
    }

    /// Refuses a client that may not ask through this peer.
    pub(super) fn admits(&self, peer: IpAddr, client: IpAddr) -> Result<(), Refused> {
        let asks_for_itself = client == peer && self.trusted_proxies.contains(peer);
        // The peer's own address, too: a proxy may have been denied since it connected.
        let denied = self.deny.contains(peer) || self.deny.contains(client);
        if denied || !(asks_for_itself || self.lets_in(client)) {
            return Err(not_taken());
        }
        Ok(())
    }

    /// A header that a trusted proxy sends but that cannot be read is refused: to take the proxy's
    /// own address instead would let its client past the lists and the buckets.
    fn forwarded(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, Refused> {
        if !self.trusted_proxies.contains(peer) {
            return Ok(peer);
        }
        let malformed = || Problem::malformed("X-Forwarded-For holds what is no address");
        let mut client = peer;
        let mut lines = headers.get_all(&FORWARDED_FOR).iter();
        // From the right: what stands left of the first stranger is that stranger's word.
        while let Some(line) = lines.next_back() {
            let line = line.to_str().map_err(|_| malformed())?;
            for hop in line.rsplit(',') {
                client = address(hop.trim_matches([' ', '\t'])).ok_or_else(malformed)?;
                if !self.trusted_proxies.contains(client) {
                    return Ok(client);
                }
            }
        }
        Ok(client)
    }
}

/// The refusal of a client by its address, or its proxy's.
pub(super) fn not_taken() -> Refused {
    Problem::new(Code::Forbidden, "requests from this address are not taken")
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let bare = text.parse::<IpAddr>().ok();
    let bare = bare.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    bare.or_else(|| bracketed().map(IpAddr::V6)).map(|address| address.to_canonical())
}

/// What counts as one sender: an address, and of IPv6 the network of 64 bits that one host is
/// usually given whole (RFC 6177).
pub(super) fn sender(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() & !u128::from(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::headers;

    fn networks(text: &str) -> Networks {
        Networks::read("list", &text.replace(' ', "\n")).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_list_holds_networks_and_addresses_of_both_kinds() {
        let list = networks("10.0.0.0/8 192.0.2.7 2001:db8::/32 ::1 10.1.0.0/16 11.0.0.0/8");
        for inside in ["10.0.0.0", "10.255.255.255", "11.2.3.4", "192.0.2.7", "2001:db8::9", "::1"]
        {
            assert!(list.contains(ip(inside)), "{inside}");
        }
        for outside in ["9.255.255.255", "12.0.0.0", "192.0.2.6", "192.0.2.8", "2001:db9::", "::2"]
        {
            assert!(!list.contains(ip(outside)), "{outside}");
        }
        assert!(list.contains(ip("::ffff:10.9.9.9").to_canonical()));
        assert!(networks("0.0.0.0/0").contains(ip("255.255.255.255")));
        assert!(!networks("0.0.0.0/0").contains(ip("2001:db8::")));
        assert!(networks("::/0").contains(ip("ffff::")) && !networks("").contains(ip("::")));
    }

    #[test]
    fn a_list_says_which_line_is_wrong() {
        let read = |text| Networks::read("list", text).unwrap_err().to_string();
        assert_eq!(read("# ours\n10.0.0.0/8 # remark\n\nnonsense"), {
            "list, line 4: a line is an address or a network (CIDR)"
        });
        for bad in ["10.0.0.0/33", "10.0.0", "10.0.0.1-10.0.0.9", "::/129", "example.com"] {
            assert!(Networks::read("list", bad).is_err(), "{bad}");
        }
        let many = "10.0.0.1\n".repeat(NETWORKS_MAX + 1);
        assert!(read(&many).contains("line 100001: there are more than"));
    }

    fn client(addresses: &Addresses, peer: &str, lines: &[&str]) -> Result<String, Code> {
        let lines: Vec<_> = lines.iter().map(|line| format!("X-Forwarded-For: {line}")).collect();
        let found = addresses.client(ip(peer), &headers(&lines.join("\n")));
        found.map(|client| client.to_string()).map_err(|refused| refused.code)
    }

    /// Only a trusted proxy speaks for others and only its own word counts.
    #[test]
    fn only_a_trusted_proxy_speaks_for_others() {
        let trusted_proxies = networks("10.0.0.0/24 2001:db8::/64");
        let addresses = Addresses { trusted_proxies, ..Addresses::default() };
        let cases: &[(&str, &[&str], Result<&str, Code>)] = &[
            ("10.0.0.1", &[], Ok("10.0.0.1")),
            ("10.0.0.1", &["192.0.2.1"], Ok("192.0.2.1")),
            // A client that is no proxy may say anything.
            ("192.0.2.9", &["192.0.2.1"], Ok("192.0.2.9")),
            ("192.0.2.9", &["nonsense"], Ok("192.0.2.9")),
            // What a client sent itself stands left of what the proxy added.
            ("10.0.0.1", &["203.0.113.1, 192.0.2.1"], Ok("192.0.2.1")),
            ("10.0.0.1", &["nonsense, 192.0.2.1"], Ok("192.0.2.1")),
            ("10.0.0.1", &["203.0.113.1", "192.0.2.1"], Ok("192.0.2.1")),
            ("10.0.0.1", &["203.0.113.1, 192.0.2.1, 10.0.0.2"], Ok("192.0.2.1")),
            ("10.0.0.1", &["203.0.113.1, 192.0.2.1", "10.0.0.2"], Ok("192.0.2.1")),
            ("10.0.0.1", &["10.0.0.3,10.0.0.2"], Ok("10.0.0.3")),
            ("2001:db8::1", &["[2001:db8:1::2]:443"], Ok("2001:db8:1::2")),
            ("2001:db8::1", &["[2001:db8:1::2]"], Ok("2001:db8:1::2")),
            ("10.0.0.1", &["192.0.2.1:8080"], Ok("192.0.2.1")),
            ("10.0.0.1", &["::ffff:192.0.2.1"], Ok("192.0.2.1")),
            ("10.0.0.1", &["\t192.0.2.1 "], Ok("192.0.2.1")),
            ("10.0.0.1", &[""], Err(Code::Malformed)),
            ("10.0.0.1", &["192.0.2.1, "], Err(Code::Malformed)),
            ("10.0.0.1", &["192.0.2.1, unknown"], Err(Code::Malformed)),
            ("10.0.0.1", &["192.0.2.1, 10.0.0.2, _hidden"], Err(Code::Malformed)),
            ("10.0.0.1", &["192.0.2.1", "010.0.0.2"], Err(Code::Malformed)),
        ];
        for (peer, lines, expected) in cases {
            let expected = expected.map(str::to_owned);
            assert_eq!(client(&addresses, peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn denial_goes_over_leave_and_finds_clients_behind_proxies() {
        let addresses = Addresses {
            deny: networks("192.0.2.66 10.0.0.66"),
            allow: networks("192.0.2.0/24"),
            trusted_proxies: networks("10.0.0.0/24"),
            proxy_protocol: false,
        };
        for (peer, accepted) in [
            ("192.0.2.1", true),
            ("192.0.2.66", false),
            ("203.0.113.1", false),
            ("10.0.0.1", true),
            ("10.0.0.66", false),
        ] {
            assert_eq!(addresses.accepts(ip(peer)), accepted, "{peer}");
        }
        let behind = |line| client(&addresses, "10.0.0.1", &[line]);
        assert_eq!(behind("192.0.2.1"), Ok("192.0.2.1".to_owned()));
        assert_eq!(behind("192.0.2.66"), Err(Code::Forbidden));
        assert_eq!(behind("203.0.113.1"), Err(Code::Forbidden));
        // The proxy's own look whether the server lives.
        assert_eq!(client(&addresses, "10.0.0.1", &[]), Ok("10.0.0.1".to_owned()));
        assert_eq!(client(&addresses, "10.0.0.66", &[]), Err(Code::Forbidden));
        // A list that changed while the connection was open.
        assert_eq!(client(&addresses, "10.0.0.66", &["192.0.2.1"]), Err(Code::Forbidden));
        assert_eq!(client(&addresses, "203.0.113.1", &[]), Err(Code::Forbidden));
    }

    /// Only a trusted proxy introduces its clients, and its word ends with the trust.
    #[test]
    fn only_a_trusted_proxy_introduces_its_clients() {
        let proxies = networks("10.0.0.0/24");
        let mut addresses = Addresses { trusted_proxies: proxies, ..Addresses::default() };
        assert!(!addresses.is_to_introduce(ip("10.0.0.1")));
        addresses.proxy_protocol = true;
        assert!(addresses.is_to_introduce(ip("10.0.0.1")));
        assert!(!addresses.is_to_introduce(ip("192.0.2.1")));
        assert!(addresses.brings(ip("10.0.0.1")) && !addresses.brings(ip("192.0.2.1")));
        addresses.deny = networks("10.0.0.1");
        assert!(!addresses.brings(ip("10.0.0.1")) && addresses.brings(ip("10.0.0.2")));
    }

    #[test]
    fn one_sender_is_an_address_of_four_bytes_or_a_network_of_eight() {
        assert_ne!(sender(ip("192.0.2.1")), sender(ip("192.0.2.2")));
        assert_eq!(sender(ip("192.0.2.1")), sender(ip("::ffff:192.0.2.1")));
        assert_eq!(sender(ip("2001:db8::1")), sender(ip("2001:db8::ffff:1")));
        assert_ne!(sender(ip("2001:db8::1")), sender(ip("2001:db8:0:1::1")));
    }
}
