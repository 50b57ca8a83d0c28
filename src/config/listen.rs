//! Where to listen: an address, or a name that the start looks up.
//!
//! Owns both forms. Which addresses are allowed is in `relations`. Next: `relations`, `server`.

use std::fmt;
use std::net::SocketAddr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port.
    Address(SocketAddr),
    /// A host name and a port.
    Name(String, u16),
}

impl Listen {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self::Address(address));
        }
        let (host, port) = text.rsplit_once(':')?;
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits)?;
        is_host_name(host).then(|| Self::Name(host.to_owned(), port))
    }

    /// Says whether it is beyond loopback, without looking a name up.
    pub fn is_beyond_loopback(&self) -> bool {
        matches!(self, Self::Address(address) if !address.ip().is_loopback())
    }
}

/// Labels of letters, digits, `-` and `_`, and not the four numbers of an address gone wrong.
fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(plain)
    };
    let labels = host.strip_suffix('.').unwrap_or(host);
    let last = labels.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit());
    labels.len() <= 253 && labels.split('.').all(is_label) && !numeric
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Sources};
    use super::*;

    #[test]
    fn names_and_addresses_are_told_from_what_is_neither() {
        for (text, is_name) in [
            ("127.0.0.1:7070", Some(false)),
            ("[::1]:0", Some(false)),
            ("localhost:7070", Some(true)),
            ("shop-1.internal.:80", Some(true)),
            ("a_b:1", Some(true)),
            ("localhost", None),
            (":7070", None),
            ("localhost:", None),
            ("localhost:+1", None),
            ("localhost:65536", None),
            ("127.0.0.256:80", None),
            ("::1:80", None),
            ("a..b:80", None),
            ("a b:80", None),
            ("http://localhost:80", None),
        ] {
            let parsed = Listen::parse(text);
            let found = parsed.as_ref().map(|parsed| matches!(parsed, Listen::Name(..)));
            assert_eq!(found, is_name, "{text}");
            assert_eq!(parsed.map(|parsed| parsed.to_string()), is_name.map(|_| text.to_owned()));
        }
    }

    #[test]
    fn the_rule_of_loopback_holds_for_every_address_of_a_name() {
        let config = |set: &[(&str, &str)]| {
            let mut sources = Sources::default();
            for (name, value) in [("listen", "shop:7070")].iter().chain(set) {
                sources.set("test", name, (*value).to_owned()).unwrap();
            }
            sources.config().unwrap()
        };
        let found = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let (closed, open) = (config(&[]), config(&[("insecure", "true")]));
        let first = |config: &Config, texts: &[&str]| {
            config.first_allowed(found(texts)).map(|first| first.map(|first| first.to_string()))
        };
        let own = ["[::1]:7070", "127.0.1.1:7070", "127.0.0.1:7070"];
        assert_eq!(first(&closed, &own), Ok(Some("127.0.0.1:7070".to_owned())));
        assert_eq!(first(&closed, &[]), Ok(None));
        let mixed = ["127.0.0.1:7070", "10.0.0.1:7070"];
        let refused = first(&closed, &mixed).unwrap_err().to_string();
        assert!(refused.contains("shop:7070 is 10.0.0.1:7070"), "{refused}");
        assert!(refused.contains("--insecure"), "{refused}");
        assert_eq!(first(&open, &mixed), Ok(Some("10.0.0.1:7070".to_owned())));
    }
}
