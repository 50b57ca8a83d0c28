//! What builds for tests have, and no other: `faults` (points that fail), `planted` (mistakes).

pub(crate) mod faults;
pub(crate) mod planted;
