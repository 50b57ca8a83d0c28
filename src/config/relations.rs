//! What settings say together: which contradict each other, and where the server may listen.
//!
//! Owns the rule of loopback, for the address that was written and for those that a name has. Opens
//! no socket. Next: `relations_cluster`, `listen`, `sources`.

use super::error::ConfigError;
use super::listen::Listen;
use super::relations_cluster;
use super::values::Config;
use std::net::{SocketAddr, ToSocketAddrs};

const BEYOND_LOOPBACK: &str = "without tokens the server listens on loopback only; name a file of \
     tokens in auth.tokens_file, or, to listen on other addresses all the same, to anybody who can \
     reach them, add --insecure";

impl Config {
    fn may_listen_beyond_loopback(&self) -> bool {
        self.insecure || self.tokens_file.is_some()
    }

    /// The address to listen on. A name is looked up now; of several addresses it is the first,
    /// IPv4 before IPv6 and then by number, so that the same name gives the same address.
    ///
    /// # Errors
    /// When the name has no address, or one of them is beyond loopback and neither tokens nor
    /// `insecure` allow that.
    pub fn address(&self) -> Result<SocketAddr, ConfigError> {
        let (host, port) = match &self.listen {
            Listen::Address(address) => return Ok(*address),
            Listen::Name(host, port) => (host, *port),
        };
        let unknown = |why: String| {
            ConfigError::Relation(format!("listen: the host name {host} has no address: {why}"))
        };
        let found = (host.as_str(), port).to_socket_addrs();
        let found = found.map_err(|cause| unknown(cause.to_string()))?;
        let first = self.first_allowed(found.collect())?;
        first.ok_or_else(|| unknown("it is known, but has none".to_owned()))
    }

    pub(super) fn first_allowed(
        &self,
        found: Vec<SocketAddr>,
    ) -> Result<Option<SocketAddr>, ConfigError> {
        let beyond = found.iter().find(|address| !address.ip().is_loopback());
        if let Some(beyond) = beyond.filter(|_| !self.may_listen_beyond_loopback()) {
            let why = BEYOND_LOOPBACK;
            return Err(ConfigError::Relation(format!("{} is {beyond}: {why}", self.listen)));
        }
        Ok(found.into_iter().min_by_key(|address| (address.is_ipv6(), *address)))
    }
}

pub(super) fn check_relations(config: &Config) -> Result<(), ConfigError> {
    let rules = &config.rules;
    let relations = [
        (
            rules.orders_retain_ms >= rules.idempotency_retain_ms,
            "orders.retain_ms must not be below idempotency.retain_ms: a remembered key names \
             its order",
        ),
        (
            config.may_listen_beyond_loopback() || !config.listen.is_beyond_loopback(),
            BEYOND_LOOPBACK,
        ),
        (
            !config.admission.proxy_protocol || !config.admission.trusted_proxies.is_empty(),
            "address.proxy_protocol = on: name the proxies in address.trusted_proxies; from others \
             the header is not taken",
        ),
        (
            config.tls_cert.is_some() == config.tls_key.is_some(),
            "tls.cert and tls.key go together: give both or neither",
        ),
    ];
    match relations.into_iter().find(|(holds, _)| !holds) {
        Some((_, broken)) => Err(ConfigError::Relation(broken.to_owned())),
        None => relations_cluster::check(config),
    }
}
