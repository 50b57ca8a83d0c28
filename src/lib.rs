//! Doorbuster: one process that sells what thousands of people want in the same second.
#![forbid(unsafe_code)]
// A line that cannot be written must not panic: see `log`.
#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod client;
pub mod clock;
pub mod codec;
pub mod config;
mod core_dumps;
mod descriptors;
pub mod domain;
pub mod edge;
mod faults;
pub mod feed;
pub mod feeder;
pub mod http;
pub mod images;
mod instant;
pub mod log;
mod memory;
pub mod metrics;
pub mod output;
mod planted;
pub mod preparer;
pub mod recheck;
pub mod recovery;
mod reload;
pub mod reloadable;
pub mod replay;
pub mod ring;
mod scrubber;
pub mod server;
pub mod signals;
pub mod snapshotter;
mod systemd;
pub mod writer;
