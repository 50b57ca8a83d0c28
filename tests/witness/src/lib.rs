//! The witness: from what clients asked and heard, and from the journal, whether the server kept
//! its promise.
//!
//! Owns a second opinion on every rule (`model`), on every count (`ledger`) and on chance
//! (`chance`), none of which shares code with the rules. Never runs a server: the simulator and the
//! tests of the real binary bring their notes and the journal. Next: `notes`, `check`.

#![forbid(unsafe_code)]

pub mod chance;
mod changes;
mod check;
mod entry;
mod ledger;
pub mod model;
mod names;
mod notes;

pub use changes::changes;
pub use check::refusals::refusals_missing;
pub use check::{Checked, Fault, check};
pub use entry::Entry;
pub use ledger::Ledger;
pub use names::{Names, lives_of, named, rename};
pub use notes::{Attempt, Heard, Notes};
