//! Two and three real processes with one history, and a real etcd: loads, kills, partitions of time.
//!
//! Owns what clients and operators see of a cluster: nothing answered is lost or answered twice, the
//! journals of all nodes are equal byte for byte, and every role tells what it is. Asserts no timing.
//! Needs Debian's packages `etcd-server` and `etcd-client`; without them it fails where `CI` is set
//! and says so elsewhere.
//!
//! - `nodes`: the processes and the register
//! - `load`: clients that buy meanwhile
//! - `segments`: journals compared byte for byte
//! - `takeover`: the writer ends in every way
//! - `standing`: what a node says of itself, and who is refused at a start

mod load;
mod nodes;
mod segments;
mod standing;
mod takeover;

use doorbuster_test_support::target::Target;

/// The server for these tests, and a folder for its directories.
pub(crate) const TARGET: Target = doorbuster_test_support::target!();

/// A process that ends so is to be started again.
pub(crate) const AGAIN: i32 = 75;
