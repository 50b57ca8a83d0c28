//! Threads beside the writer, each with low priority and work of its own.
//!
//! Read `snapshotter` (snapshots), `scrubber` (closed segments read again), `feeder` (the journal
//! for its followers), `prefault_thread` (memory for the tables ahead), `memory` (given back when a
//! crowd has left).

pub mod feeder;
pub(crate) mod memory;
pub mod prefault_thread;
pub(crate) mod scrubber;
pub mod snapshotter;
