//! A writer put together from what a start brings.
//!
//! Owns what it takes, and with what a writer begins. Never takes a turn. Next: `mod`.

use super::batch_limit::BatchLimit;
use super::capacity::JournalCapacity;
use super::edge_updates::EdgeUpdates;
use super::keeping::Keeping;
use super::refusal_counts::PendingRefusals;
use super::turn_metrics::TurnMetrics;
use super::{Core, EXPIRE_PER_TURN, Writer};
use crate::config::{Durability, Wait};
use crate::domain::model::ids::Sequence;
use crate::domain::model::settings::Settings;
use crate::domain::state::tables::State;
use crate::edge::Edge;
use crate::metrics::Meters;
use crate::ring::{Inbox, Outbox};
use crate::shared::clock::Stamps;
use crate::shared::snapshots::Snapshots;
use doorbuster_journal::{Disk, FileDisk, Journal};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// What the writer is made of.
pub struct WriterParts<D: Disk = FileDisk> {
    /// As recovered, this epoch's start included.
    pub state: State,
    /// Ready to append what follows.
    pub journal: Journal<D>,
    /// At or past the state's stamp.
    pub stamps: Stamps,
    /// Requests.
    pub inbox: Inbox,
    /// Answers.
    pub outbox: Outbox,
    /// Settings that are to hold from now on.
    pub settings: Receiver<Settings>,
    /// Size of a segment, in bytes.
    pub segment_bytes: u64,
    /// What an answer rests on.
    pub durability: Durability,
    /// How to wait.
    pub wait: Wait,
    /// The clock of request deadlines and of what is timed.
    pub clock: crate::shared::clock::Clock,
    /// Where it is counted and timed.
    pub meters: Arc<Meters>,
    /// Requests are timed.
    pub timed: bool,
    /// What IO threads refuse by.
    pub edge: Arc<Edge>,
    /// Told when enough has happened for a snapshot.
    pub snapshots: Arc<Snapshots>,
    /// How much that is, in events.
    pub snapshot_events: u64,
    /// The sequence of the snapshot there is; 0 = none.
    pub snapshot_sequence: Sequence,
}

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
            tally: PendingRefusals::default(),
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
