//! Black-box tests of the real server: the binary, real sockets, real files, `kill -9`.
//!
//! Holds the contract to what a client and an operator can see. Never looks into the server's
//! memory and never waits by sleeping: it polls what it waits for, with a deadline.
//!
//! - `orders`: what a client buys; `orders::sale` reads like the README
//! - `batch`: many commands in one request
//! - `feed`: events as their followers read them
//! - `snapshots`: taken, damaged, failing, pruned by
//! - `restart`: ends and starts; `restart::crash` and `restart::damage` matter most
//! - `admission`: who is let in, and how much each may use
//! - `connections`: framing, TLS, proxies, clients that take their time
//! - `clients`: common libraries, and the typed client
//! - `operate`: settings, logs, metrics, modes
//!
//! The server as a child and connections to it are in `tests/support`; many clients at once, and
//! directories after them, in `tests/directories`.

mod admission;
mod batch;
mod clients;
mod connections;
mod feed;
mod operate;
mod orders;
mod restart;
mod snapshots;

use doorbuster_test_support::target::Target;

/// The server for these tests, and a folder for its directories.
pub(crate) const TARGET: Target = doorbuster_test_support::target!();
