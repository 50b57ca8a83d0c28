//! What a start brings for a writer.
//!
//! Owns only the list. Next: `builder`.

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
    pub inbox: Inbox,
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
