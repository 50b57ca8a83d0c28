//! Mistakes on purpose: a build with the feature `planted` makes one of them at a time, so that the
//! tests can show that they would find it. Every other build makes none.
//!
//! Owns their names, and which of them is made. In the lowest of all crates, so that every crate
//! can use them. Next: `tests/sim`.

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Answers leave before their frame is synced.
    AnswerBeforeSync,
    /// Every other sync is taken for done.
    SyncSkipped,
    /// A sync that failed is asked again, and that is believed.
    SyncRetried,
    /// A new segment's name is not made durable.
    DirectorySyncSkipped,
    /// What a start drops is not overwritten with zeros.
    TailLeft,
    /// A start drops all from the first bad frame on, whatever vouches for it.
    CutAtFirstBadFrame,
    /// A frame may follow any other that has the right number.
    ChainUnchecked,
    /// A frame says that all before it is synced.
    WatermarkTooHigh,
    /// A new segment's space is asked for and not written.
    SpaceUnwritten,
    /// A segment is left before it is synced.
    SegmentLeftUnsynced,
    /// A start takes for durable what it can read.
    PagesNotStoredAgain,
    /// A damaged snapshot is taken as it is.
    SnapshotUnverified,
    /// A snapshot gets its name before it is synced.
    SnapshotUnsynced,
    /// A snapshot forgets one remembered key.
    KeyLostInSnapshot,
    /// Segments go that the older snapshot needs.
    PrunedTooFar,
    /// One unit more is sold than there is.
    StockOffByOne,
    /// Stock is checked before the user's limit.
    LimitAfterStock,
    /// A group's limit counts each SKU alone.
    GroupNotSummed,
    /// An order's lines are recorded in another order.
    LinesReversed,
    /// A hold that ends is given back twice.
    DoubleRelease,
    /// A hold that ends still counts for its user.
    UseKept,
    /// A hold that ran out can still be confirmed.
    ConfirmAfterExpiry,
    /// More can be refunded than is left.
    RefundUnchecked,
    /// A key answers whatever is asked with it.
    FingerprintIgnored,
    /// A hold is given its grace at every start.
    GraceTwice,
    /// A roll uses the low half of its digest.
    RollBiased,
    /// Holds run out by the system's clock.
    ExpiryByWallClock,
    /// The writer sleeps past a hold that runs out.
    ExpiryUnplanned,
    /// Stamps follow the system's clock wherever it goes.
    StampFollowsClock,
    /// The writer is not called for every request.
    WakeLost,
    /// An answer does not wake whoever waits.
    LaneWakeLost,
    /// A start goes on in the epoch before.
    EpochKept,
    /// A start counts the random part of its ids from the epoch.
    LifeFromEpoch,
    /// Changed settings are used and not journaled.
    SettingsUnrecorded,
    /// Refusals are recorded in the order of a hash.
    HashOrder,
    /// The sold-out edge refuses who has been answered already.
    WinnerRefused,
}

impl Bug {
    /// All of them, each with what it is.
    pub const ALL: &[(Self, &str)] = &[
        (Self::AnswerBeforeSync, "answers leave before their frame is synced"),
        (Self::SyncSkipped, "every other sync is taken for done"),
        (Self::SyncRetried, "a sync that failed is asked again, and that is believed"),
        (Self::DirectorySyncSkipped, "a new segment's name is not made durable"),
        (Self::TailLeft, "what a start drops is not overwritten with zeros"),
        (
            Self::CutAtFirstBadFrame,
            "a start drops all from the first bad frame on, whatever vouches for it",
        ),
        (Self::ChainUnchecked, "a frame may follow any other that has the right number"),
        (Self::WatermarkTooHigh, "a frame says that all before it is synced"),
        (Self::SpaceUnwritten, "a new segment's space is asked for and not written"),
        (Self::SegmentLeftUnsynced, "a segment is left before it is synced"),
        (Self::PagesNotStoredAgain, "a start takes for durable what it can read"),
        (Self::SnapshotUnverified, "a damaged snapshot is taken as it is"),
        (Self::SnapshotUnsynced, "a snapshot gets its name before it is synced"),
        (Self::KeyLostInSnapshot, "a snapshot forgets one remembered key"),
        (Self::PrunedTooFar, "segments go that the older snapshot needs"),
        (Self::StockOffByOne, "one unit more is sold than there is"),
        (Self::LimitAfterStock, "stock is checked before the user's limit"),
        (Self::GroupNotSummed, "a group's limit counts each SKU alone"),
        (Self::LinesReversed, "an order's lines are recorded in another order"),
        (Self::DoubleRelease, "a hold that ends is given back twice"),
        (Self::UseKept, "a hold that ends still counts for its user"),
        (Self::ConfirmAfterExpiry, "a hold that ran out can still be confirmed"),
        (Self::RefundUnchecked, "more can be refunded than is left"),
        (Self::FingerprintIgnored, "a key answers whatever is asked with it"),
        (Self::GraceTwice, "a hold is given its grace at every start"),
        (Self::RollBiased, "a roll uses the low half of its digest"),
        (Self::ExpiryByWallClock, "holds run out by the system's clock"),
        (Self::ExpiryUnplanned, "the writer sleeps past a hold that runs out"),
        (Self::StampFollowsClock, "stamps follow the system's clock wherever it goes"),
        (Self::WakeLost, "the writer is not called for every request"),
        (Self::LaneWakeLost, "an answer does not wake whoever waits"),
        (Self::EpochKept, "a start goes on in the epoch before"),
        (Self::LifeFromEpoch, "a start counts the random part of its ids from the epoch"),
        (Self::SettingsUnrecorded, "changed settings are used and not journaled"),
        (Self::HashOrder, "refusals are recorded in the order of a hash"),
        (Self::WinnerRefused, "the sold-out edge refuses who has been answered already"),
    ];
}

#[cfg(feature = "planted")]
static CHOSEN: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(u32::MAX);

/// Makes this mistake from now on and no other; `None` makes none.
#[cfg(feature = "planted")]
pub fn plant(bug: Option<Bug>) {
    let chosen = bug.map_or(u32::MAX, |bug| bug as u32);
    CHOSEN.store(chosen, std::sync::atomic::Ordering::Relaxed);
}

/// Returns whether this mistake is made.
#[cfg(feature = "planted")]
#[must_use]
pub fn planted(bug: Bug) -> bool {
    CHOSEN.load(std::sync::atomic::Ordering::Relaxed) == bug as u32
}

/// Returns false: this build makes no mistake on purpose.
#[cfg(not(feature = "planted"))]
#[must_use]
pub const fn planted(_: Bug) -> bool {
    false
}
