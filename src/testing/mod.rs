//! What builds for tests have, and no other: `faults`, points that fail.

pub(crate) mod faults;
