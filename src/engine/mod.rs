//! From a directory to a state that may serve.
//!
//! Read `replay` (snapshot and journal), `recovery` (lock, replay, start an epoch), `recheck`
//! (every decision again).

pub mod recheck;
pub mod recovery;
pub mod replay;
