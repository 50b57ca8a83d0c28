//! Doorbuster: one process that sells what thousands of people want in the same second.
//!
//! In the order of a request's way:
//!
//! - `http`: connections, and a request's way from bytes to a command and back to JSON
//! - `ring`: requests to the writer by rank, answers back
//! - `writer`: the turn of the one thread that decides
//! - `domain`: the rules and the state that they know
//! - `codec`: stored shapes, and the state's digest
//! - `edge`: what IO threads may refuse as sold out without the writer
//! - `engine`: replay, recovery, recheck: from a directory to a state
//! - `background`: threads beside the writer: snapshots, the feed, prefault
//! - `shared`: the clock, and what parts tell one another
//! - `config`, `metrics`: settings; counters and histograms
//! - `process`: start, signals, reload, lines for the operator, stop
//! - `cluster`: several nodes with one history: who writes, and which copies count
//! - `copies`: how the journal comes to other nodes, byte for byte
//! - `client`: the typed client, which knows nothing of the server
//! - `testing`: what only builds for tests have
//!
//! `ARCHITECTURE.md` says why each is where it is.
#![forbid(unsafe_code)]
// A line that cannot be written must not panic: see `log`.
#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod background;
pub mod client;
pub mod cluster;
pub mod codec;
pub mod config;
pub mod copies;
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
