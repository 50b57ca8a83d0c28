//! Black-box tests of the real server: the binary, real sockets, real files, `kill -9`.
//!
//! Holds the contract to what a client and an operator can see. Never looks into the server's
//! memory and never waits by sleeping: it polls what it waits for, with a deadline. Start with
//! `process` (a server as a child), `client` (a connection), then `sale`, which reads like the
//! README; `crash` and `damage` are the ones that matter most.

mod admission;
mod answered_feed;
mod batch;
mod batch_alone;
mod batch_faults;
mod certificates;
mod clients;
mod command_line;
mod configuration;
mod contention;
mod core_dumps;
mod crash;
mod damage;
mod directory;
mod drain;
mod draws;
mod edge;
mod failing;
mod feed;
mod feed_crowd;
mod feed_kills;
mod file_limit;
mod fronts;
mod idempotency;
mod lifetime;
mod limits;
mod logging;
mod modes;
mod notified;
mod observe;
mod operations;
mod origins;
mod output;
mod patient;
mod permissions;
mod protocol;
mod proxies;
mod proxy_protocol;
mod pruning;
mod rebuilt;
mod refusals;
mod restart;
mod restored;
mod revoked;
mod roles;
mod rotation;
mod rules;
mod sale;
mod shares;
mod signals;
mod snapshot_damage;
mod snapshot_failure;
mod snapshot_kills;
mod snapshots;
mod tls;
mod typed;
mod typed_many;
mod unchanged;

use doorbuster_test_support::target::Target;

/// The server for these tests, and a folder for its directories.
pub(crate) const TARGET: Target = doorbuster_test_support::target!();
