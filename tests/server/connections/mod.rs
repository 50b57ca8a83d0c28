//! Connections from outside: framing, TLS, proxies, and what they may take up.
//!
//! - `protocol`: requests that are wrong, over bare sockets
//! - `tls`: real handshakes and certificates
//! - `certificates`: how long a certificate may be used
//! - `lifetime`: the end of a connection, and of all before a drain
//! - `patient`: clients that take their time, and crowds of them
//! - `proxy_protocol`: whose address counts behind a proxy of bytes
//! - `proxies`: a sale through real proxies
//! - `fronts`: those proxies, by the examples of `docs/PROXIES.md`

pub(crate) mod certificates;
pub(crate) mod fronts;
pub(crate) mod lifetime;
pub(crate) mod patient;
pub(crate) mod protocol;
pub(crate) mod proxies;
pub(crate) mod proxy_protocol;
pub(crate) mod tls;
