//! Doorbuster: one process that sells what thousands of people want in the same second.
#![forbid(unsafe_code)]
// A line that cannot be written must not panic: see `log`.
#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod background;
pub mod client;
pub mod codec;
pub mod config;
pub mod domain;
pub mod edge;
pub mod engine;
pub mod http;
pub mod metrics;
pub mod process;
pub mod ring;
pub mod shared;
mod testing;
pub mod writer;
