//! A data directory in memory, and what a kill or a power cut leaves of it.
//!
//! Owns the disks. Next: `shop`.

use doorbuster::engine::replay::{DataDirectory, ReplayError};
use doorbuster_journal::{Disk, JournalId, MemoryDisk, journal_id};
use doorbuster_test_support::random::Random;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Debug, Clone, Default)]
pub(crate) struct Data {
    pub(crate) journal: MemoryDisk,
    pub(crate) snapshots: MemoryDisk,
    pub(crate) top: MemoryDisk,
    pub(crate) aside: Arc<Mutex<BTreeMap<String, MemoryDisk>>>,
}

impl Data {
    /// What a killed process leaves.
    pub(crate) fn killed(&self) -> Self {
        self.left(|_| true)
    }

    /// What a power cut leaves: of what was not synced any sectors.
    pub(crate) fn after_power_loss(&self, random: &mut Random) -> Self {
        let percent = random.below(101);
        self.left(|_| random.percent(percent))
    }

    fn left(&self, mut persists: impl FnMut(u64) -> bool) -> Self {
        let mut left = |disk: &MemoryDisk| disk.after_power_loss(|_, sector| persists(sector));
        let (journal, snapshots, top) =
            (left(&self.journal), left(&self.snapshots), left(&self.top));
        let aside = self.aside.lock().expect("no test panicked with it").clone();
        Self { journal, snapshots, top, aside: Arc::new(Mutex::new(aside)) }
    }

    pub(crate) fn id(&self) -> JournalId {
        journal_id(&self.journal).expect("its headers are whole").expect("there is a journal")
    }

    /// The segments of the other, as far as this one has them, are the same to the byte.
    pub(crate) fn check_same_segments(&self, other: &Self) {
        let names = self.journal.names().expect("memory");
        assert!(!names.is_empty());
        for name in names {
            let (own, theirs) = (self.journal.contents(&name), other.journal.contents(&name));
            assert!(own.expect("it is listed") == theirs.expect("the other has it"), "{name}");
        }
    }
}

impl DataDirectory for Data {
    type Disk = MemoryDisk;

    fn journal(&self) -> Result<MemoryDisk, ReplayError> {
        Ok(self.journal.clone())
    }

    fn has_snapshots(&self) -> bool {
        true
    }

    fn snapshots(&self) -> Result<MemoryDisk, ReplayError> {
        Ok(self.snapshots.clone())
    }

    fn top(&self) -> Result<MemoryDisk, ReplayError> {
        Ok(self.top.clone())
    }

    fn set_aside(&self, name: &str) -> Result<MemoryDisk, ReplayError> {
        let mut aside = self.aside.lock().expect("no test panicked with it");
        Ok(aside.entry(name.to_owned()).or_default().clone())
    }

    fn random(&self) -> [u8; 16] {
        // Not one and the same: each start draws a life.
        static DRAWN: AtomicU64 = AtomicU64::new(1);
        u128::from(DRAWN.fetch_add(1, Ordering::Relaxed)).to_le_bytes()
    }
}
