//! The snapshots that are taken beside a node that follows.
//!
//! Owns when there is a snapshotter: only while the follower lets the directory be read. Never
//! decides when a snapshot is due. Next: `process`.

use crate::disk::lying::LyingDisk;
use crate::server::SimData;
use doorbuster::background::snapshotter::{Snapshotter, SnapshotterParts};
use doorbuster::config::Config;
use doorbuster::engine::follower::Background;
use doorbuster::ring::Cursors;
use doorbuster::shared::clock::Clock;
use doorbuster::shared::snapshots::Snapshots;
use doorbuster_journal::{JournalId, Pruner};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The snapshotter of a node that follows, stepped by hand.
#[derive(Clone, Default)]
pub(super) struct Beside(Arc<Mutex<Option<Snapshotting>>>);

/// One that may work now.
pub(super) struct Snapshotting {
    pub(super) snapshotter: Snapshotter<SimData>,
    pub(super) snapshots: Arc<Snapshots>,
}

impl Beside {
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<Snapshotting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn background(
        &self,
        data: &SimData,
        config: &Config,
        around: (&Arc<Cursors>, Clock),
    ) -> BesideFollower {
        let (cursors, clock) = (around.0.clone(), around.1);
        let (data, config) = (data.clone(), config.clone());
        BesideFollower { place: self.clone(), data, config, cursors, clock }
    }
}

/// What a follower tells of when the directory may be read.
pub(super) struct BesideFollower {
    place: Beside,
    data: SimData,
    config: Config,
    cursors: Arc<Cursors>,
    clock: Clock,
}

impl Background<LyingDisk> for BesideFollower {
    fn begin(&mut self, journal: JournalId, pruner: Pruner<LyingDisk>) {
        let (snapshots, asked) = Snapshots::new();
        let snapshots = Arc::new(snapshots);
        let snapshotter = Snapshotter::new(SnapshotterParts {
            data: self.data.clone(),
            pruner,
            journal,
            cursors: self.cursors.clone(),
            snapshots: snapshots.clone(),
            asked,
            clock: self.clock,
            every_ms: self.config.snapshot_every_ms,
            every_events: self.config.snapshot_events,
            retain_ms: self.config.journal_retain_ms,
            keep: self.config.snapshot_keep,
            ballast_bytes: self.config.ballast_bytes,
        });
        *self.place.lock() = Some(Snapshotting { snapshotter, snapshots });
    }

    fn pause(&mut self) {
        *self.place.lock() = None;
    }
}
