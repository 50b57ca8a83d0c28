//! Failpoints of the server: borders at which a build with the feature `failpoints` fails on
//! purpose, so that tests can see what comes of it. In every other build there are none.
//!
//! Owns their names, and the one line that tells of such a build. A failpoint stands at the top of
//! a function and is armed while a file says so (`journal/src/disk/failpoints.rs`, which has those
//! of the disk). Beside them stands one pace: such a build takes `FAILPOINTS_DECIDE_US` longer over
//! each decision, so that ten times of what it can do may be offered on a small machine. Next:
//! `tests/contract`.

use crate::shared::clock::Clock;

/// Where it may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failpoint {
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
    /// No snapshot can be taken.
    Snapshot,
    /// Too many events are asked for.
    FeedAsks,
    /// The journal cannot be read on.
    Feed,
    /// The copies that stand in for other machines stand still.
    #[cfg(feature = "failpoints")]
    Copies,
}

/// Tells the operator that this build can fail on purpose.
pub(crate) fn tell() {
    if cfg!(feature = "failpoints") {
        tracing::warn!(
            feature = "failpoints",
            "this build fails on purpose where it is told to: it is for tests only"
        );
    }
}

#[cfg(feature = "failpoints")]
pub(crate) use built_in::{armed, hold, slow_down};

#[cfg(feature = "failpoints")]
mod built_in {
    use super::{Clock, Failpoint};
    use std::sync::OnceLock;
    use std::time::Duration;

    /// Between two looks at a failpoint that holds a thread.
    const LOOK: Duration = Duration::from_millis(1);

    /// Returns whether it fails here, now.
    #[must_use]
    pub(crate) fn armed(failpoint: Failpoint) -> bool {
        doorbuster_journal::failpoint_armed(&format!("{failpoint:?}"))
    }

    /// Goes no further while it is armed.
    pub(crate) fn hold(failpoint: Failpoint, clock: &Clock) {
        while armed(failpoint) {
            clock.sleep(LOOK);
        }
    }

    /// Sleeps for what so many decisions are to take longer, once for all: so short a sleep for
    /// each would take far longer.
    pub(crate) fn slow_down(decisions: usize, clock: &Clock) {
        static LONGER: OnceLock<Duration> = OnceLock::new();
        let longer = *LONGER.get_or_init(|| {
            let asked = std::env::var("FAILPOINTS_DECIDE_US").ok();
            Duration::from_micros(asked.map_or(0, |asked| asked.parse().expect("microseconds")))
        });
        let longer = longer * u32::try_from(decisions).unwrap_or(u32::MAX);
        if !longer.is_zero() {
            clock.sleep(longer);
        }
    }
}

/// Returns false: this build does not fail on purpose.
#[cfg(not(feature = "failpoints"))]
#[must_use]
pub(crate) const fn armed(_: Failpoint) -> bool {
    false
}

/// Goes on.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn hold(_: Failpoint, _: &Clock) {}

/// Takes no longer.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn slow_down(_: usize, _: &Clock) {}
