//! Threads beside the writer, each with low priority and work of its own.
//!
//! Read `snapshotter` (snapshots), `follower_snapshotter` (the same on a node that follows),
//! `scrubber` (closed segments read again), `feeder` (the journal for its followers),
//! `prefault_thread` (memory for the tables ahead), `memory` (given back when a crowd has left).

pub mod feeder;
pub mod follower_snapshotter;
pub(crate) mod memory;
pub mod prefault_thread;
pub(crate) mod scrubber;
pub mod snapshotter;
