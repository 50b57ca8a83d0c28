//! Dead letters: events that a target refused for good, and what an operator does about them.
//!
//! Owns that nothing is passed over silently: a letter is on disk before its sink goes on, and every
//! later event of the same subject follows it there, until an operator has them sent again or drops
//! them. Next: `letters` for the file, `command` for `doorbuster-sink dead`.

mod command;
mod letters;
mod record;

pub(crate) use command::{DeadCommand, run};
pub(crate) use letters::Letters;
pub(crate) use record::{Fate, Letter};
