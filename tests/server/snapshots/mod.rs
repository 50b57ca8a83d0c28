//! Snapshots: taken, damaged, failing, and the segments that they let go.
//!
//! - `taking`: by request, by count, at a stop: all give one state
//! - `damage`: the one before is taken, or nothing is served
//! - `failure`: a snapshot that cannot be written costs no order
//! - `kills`: `kill -9` while snapshots are taken
//! - `pruning`: segments that no snapshot needs any more

pub(crate) mod damage;
pub(crate) mod failure;
pub(crate) mod kills;
pub(crate) mod pruning;
pub(crate) mod taking;
