//! Named points at which a build made for it fails on purpose, so that tests can see what comes of
//! it. In every other build there are none.
//!
//! Owns the names. A point is armed while the file that `FAULTS_FILE` names holds its word. Beside
//! them stands one pace: such a build takes `FAULTS_DECIDE_US` longer over each decision, so that
//! ten times of what it can do may be offered on a small machine. Next: `tests/contract`.

use std::time::Duration;

/// Where it may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// The start stays in recovery.
    Recovery,
    /// The ring takes nothing.
    RingFull,
    /// Every deadline has passed.
    Deadline,
    /// The journal has no room.
    NoSpace,
    /// Deciding panics.
    Decide,
    /// The journal refuses to store.
    Store,
    /// Too many snapshots are asked for.
    SnapshotAsks,
    /// A data sync does not come to its end while it is armed.
    Sync,
    /// No snapshot can be taken.
    Snapshot,
    /// Too many events are asked for.
    FeedAsks,
    /// The journal cannot be read on.
    Feed,
    /// The copies that stand in for other machines stand still.
    #[cfg(feature = "faults")]
    Copies,
}

/// Says whether it fails here, now.
#[cfg(feature = "faults")]
#[must_use]
pub(crate) fn armed(point: Point) -> bool {
    let word = format!("{point:?}");
    let file = std::env::var_os("FAULTS_FILE");
    let armed = file.and_then(|file| std::fs::read_to_string(file).ok());
    armed.is_some_and(|armed| armed.split_whitespace().any(|armed| armed == word))
}

/// Says that nothing fails: this build has no faults.
#[cfg(not(feature = "faults"))]
#[must_use]
pub(crate) const fn armed(_: Point) -> bool {
    false
}

/// What a decision takes longer than it does.
#[cfg(feature = "faults")]
#[must_use]
pub(crate) fn slowed() -> Duration {
    static SLOWED: std::sync::OnceLock<Duration> = std::sync::OnceLock::new();
    *SLOWED.get_or_init(|| {
        let asked = std::env::var("FAULTS_DECIDE_US").ok();
        Duration::from_micros(asked.map_or(0, |asked| asked.parse().expect("microseconds")))
    })
}

#[cfg(not(feature = "faults"))]
#[must_use]
pub(crate) const fn slowed() -> Duration {
    Duration::ZERO
}
