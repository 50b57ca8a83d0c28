//! What a follower is given.
//!
//! Owns the types only. Next: `directory`.

use crate::ring::Cursors;
use crate::shared::clock::Clock;
use doorbuster_journal::{Disk, JournalId, Pruner};
use std::sync::Arc;

/// How a follower works.
pub struct FollowerOptions<D: Disk> {
    /// Size of segments that this node makes once it writes; those before are as large as the
    /// writer's.
    pub segment_bytes: u64,
    /// The most that one cut may set aside, in bytes.
    pub set_aside_bytes_max: u64,
    /// Who makes the next segment.
    pub spares: SpareSource,
    /// Where it shows how far it is.
    pub cursors: Arc<Cursors>,
    /// What works on the directory at the same time.
    pub background: Box<dyn Background<D>>,
}

/// Who makes the next segment of a follower.
#[derive(Debug, Clone, Copy)]
pub enum SpareSource {
    /// It does, when it needs one.
    InPlace,
    /// A thread, ahead; where one is needed before it is ready, the follower looks again by this
    /// clock.
    Thread(Clock),
}

/// What works on the directory of a follower in the background: snapshots.
pub trait Background<D: Disk>: Send {
    /// The directory holds a whole journal: from here on it may be read, up to what the cursors
    /// call settled, and segments be removed by this.
    fn begin(&mut self, journal: JournalId, pruner: Pruner<D>);

    /// Returns once nothing in the directory is read or changed any more, until the next `begin`. A
    /// takeover needs none: the journal goes on as the same value.
    fn pause(&mut self);
}

/// Nothing works in the background.
impl<D: Disk> Background<D> for () {
    fn begin(&mut self, _journal: JournalId, _pruner: Pruner<D>) {}

    fn pause(&mut self) {}
}
