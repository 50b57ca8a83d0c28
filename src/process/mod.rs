//! The process around the parts: start, signals, settings, lines, stop.
//!
//! Read `server` (the wiring, in order), `reload`, `signals`, `log`, `systemd`, `descriptors`,
//! `core_dumps`, `output`.

pub(crate) mod core_dumps;
pub(crate) mod descriptors;
pub mod log;
pub mod output;
pub(crate) mod reload;
pub mod server;
pub mod signals;
pub(crate) mod systemd;
