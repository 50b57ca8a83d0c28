//! A data directory that follows another machine's: the journal as the writer sends it, and the
//! state as far as it is settled.
//!
//! Read `directory` (what is asked of it), then `whole` (a journal and its state), `applied` (how the
//! state grows), `bootstrap` (how a directory begins), `discard` (how one begins anew), `options`,
//! `error`. No socket, no clock but for a pause, no thread of its own: the thread that speaks with
//! the writer drives it, and so does a simulation.

mod applied;
mod bootstrap;
mod directory;
mod discard;
mod error;
mod options;
mod whole;

pub use bootstrap::{BootstrapStart, SnapshotStart};
pub use directory::Follower;
pub use error::FollowerError;
pub use options::{Background, FollowerOptions, SpareSource};
