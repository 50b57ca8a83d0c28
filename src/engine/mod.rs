//! From a directory to a state that may serve.
//!
//! Read `replay` (snapshot and journal), `recovery` (lock, replay, start an epoch), `follower` (a
//! directory that grows by what another machine writes), `recheck` (every decision again).

pub mod follower;
pub mod recheck;
pub mod recovery;
pub mod replay;
