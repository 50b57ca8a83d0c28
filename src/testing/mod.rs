//! What builds for tests have, and no other: `failpoints`, where they fail on purpose.

pub(crate) mod failpoints;
