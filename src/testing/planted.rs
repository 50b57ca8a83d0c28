//! Mistakes made on purpose in a build for that, and in no other: the journal crate's names for
//! them.
//!
//! A leaf, so that every part may ask, the rules too: without the feature `planted` each answer is
//! a constant no. Next: `tests/sim`.

pub(crate) use doorbuster_journal::{Bug, planted};
