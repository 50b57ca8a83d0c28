//! The process around the parts: start, signals, settings, lines, stop.
//!
//! Read `server` (the wiring, in order), `peers` (other nodes), `reload`, `signals`, `log`, `systemd`,
//! `descriptors`, `core_dumps`, `output`. Builds that can fail on purpose have `copies`, a stand-in for other
//! machines.

#[cfg(feature = "failpoints")]
mod copies;
pub(crate) mod core_dumps;
pub(crate) mod descriptors;
pub mod log;
pub mod output;
pub mod peers;
pub(crate) mod reload;
pub mod server;
pub mod signals;
pub(crate) mod systemd;
