//! A writer put together from what a start brings.
//!
//! Owns with what a writer begins. Never takes a turn. Next: `mod`.

use super::batch_limit::BatchLimit;
use super::capacity::JournalCapacity;
use super::edge_updates::EdgeUpdates;
use super::kept_refusals::Keeping;
use super::parts::WriterParts;
use super::pending_refusals::PendingRefusals;
use super::turn_metrics::TurnMetrics;
use super::{Core, EXPIRE_PER_TURN, Writer};
use doorbuster_journal::Disk;

impl<D: Disk> Writer<D> {
    /// Puts a writer together.
    #[must_use]
    pub fn new(parts: WriterParts<D>) -> Self {
        let core = Core {
            now: parts.state.stamp,
            sealed_at: parts.state.stamp,
            state: parts.state,
            journal: parts.journal,
            stamps: parts.stamps,
            outbox: parts.outbox,
            settings: parts.settings,
            fresh_settings: None,
            durability: parts.durability,
            clock: parts.clock,
            room: JournalCapacity::of(parts.segment_bytes),
            pending: PendingRefusals::default(),
            keeping: Keeping::by(parts.edge.clone()),
            showing: EdgeUpdates::at(&parts.edge),
            expire_budget: EXPIRE_PER_TURN,
            unsealed_since: None,
            unsynced_since: None,
            spare_failed: false,
            prepared: None,
            records_in_turn: 0,
            watch: TurnMetrics::new(parts.clock, parts.meters, parts.timed),
            snapshots: parts.snapshots,
            snapshot_events: parts.snapshot_events,
            snapshot_at: parts.snapshot_sequence + parts.snapshot_events,
            failure: None,
        };
        Self { core, inbox: parts.inbox, pace: BatchLimit::new(), wait: parts.wait }
    }
}
