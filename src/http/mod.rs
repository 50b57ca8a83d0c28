//! HTTP/1.1 in front of the ring: a client's request comes in, its shape is checked, the writer is
//! asked, and the answer goes out as JSON.
//!
//! Owns everything that clients see as text. Never decides anything about stock, and knows no
//! storage. The rooms, in the order of a request's way; each `mod.rs` is a table of contents:
//!
//! - `connection`: sockets, TLS, framing, the sweep, the drain
//! - `request`: headers, path, body and JSON into values
//! - `auth`: who asks, and what that principal may
//! - `admission`: addresses, rate limits, the concurrency limit
//! - `routes`: path to command, a file per family
//! - `handlers`: the order of checks; batches, the feed, modes
//! - `response`: answers, problems, the JSON writer
//! - `operations`: metrics of requests, log lines, the OpenAPI document
//!
//! Beside the rooms: `front`, what all IO threads share, and `worker`, what each has of its own.

mod admission;
mod auth;
mod connection;
mod front;
mod handlers;
mod operations;
mod request;
mod response;
mod routes;
#[cfg(test)]
mod testing;
mod worker;

pub use crate::shared::reloadable::Reloadable;
pub use admission::{
    Addresses, BadNetworks, Cells, NETWORKS_MAX, Networks, PerAddress, Quota, Rules,
    SharedAdmission,
};
pub use auth::origin::Sites;
pub use auth::roles::Role;
pub use auth::tokens::{BadTokens, TOKENS_MAX, Token, Tokens};
pub use connection::limits::HttpLimits;
#[cfg(feature = "doors")]
pub use connection::listener::doors;
pub use connection::listener::{EVENT_INTERVAL, serve};
pub use connection::reserve::{ALL_RESERVED_PLACES, RESERVED_HEAD_MS, RESERVED_PLACES};
pub use connection::tls::{BadCertificate, Certificate, HandshakeEnd, Handshakes, Validity};
pub use front::{Front, Phase, ReplicationLimits, Shared};
pub use handlers::cloud_events::write_event;
pub use operations::request_metrics::LABELS;
pub use request::fingerprint::key_hash;
