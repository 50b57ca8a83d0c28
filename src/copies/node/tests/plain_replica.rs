//! A data directory in memory that follows: a journal whose records mean nothing.
//!
//! Owns no rule of the protocol. Next: `world`.

use crate::copies::replica::{Replica, ReplicaError, ReplicaStart};
use crate::domain::model::ids::Sequence;
use crate::engine::replay::{DataDirectory, ReplayError};
use doorbuster_journal::{
    CutLimits, Disk, FramePlace, Journal, JournalBeginning, JournalEnd, JournalError,
    JournalHistory, JournalId, MemoryDisk, Options, Origin, SEGMENT_BYTES_MIN, SegmentAllocator,
    SnapshotEnd, cut, scan_with,
};
use doorbuster_snapshots::{SnapshotState, list, snapshot_name};

pub(super) const OPTIONS: Options = Options { segment_bytes: SEGMENT_BYTES_MIN };
pub(super) const JOURNAL: JournalId = JournalId([7; 16]);

#[derive(Clone, Default)]
pub(super) struct Data {
    pub(super) journal: MemoryDisk,
    pub(super) snapshots: MemoryDisk,
    pub(super) top: MemoryDisk,
}

impl Data {
    /// What a power cut leaves where nothing stays that was not synced.
    pub(super) fn after_power_loss(&self) -> Self {
        let cut = |disk: &MemoryDisk| disk.after_power_loss(|_, _| false);
        Self { journal: cut(&self.journal), snapshots: cut(&self.snapshots), top: cut(&self.top) }
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

    fn set_aside(&self, _name: &str) -> Result<MemoryDisk, ReplayError> {
        Ok(MemoryDisk::default())
    }

    fn random(&self) -> [u8; 16] {
        JOURNAL.0
    }
}

enum Stage {
    Empty,
    Snapshot(SnapshotEnd, Vec<u8>),
    Header(SnapshotEnd),
    Begins(JournalBeginning<MemoryDisk>),
    Whole(Journal<MemoryDisk>, SegmentAllocator<MemoryDisk>),
}

pub(super) struct PlainReplica {
    data: Data,
    stage: Stage,
    settled: Sequence,
}

pub(super) fn newest_snapshot(data: &Data) -> Option<SnapshotEnd> {
    let snapshots = list(&data.snapshots, JOURNAL).expect("it can be read");
    snapshots.iter().find_map(|listed| match &listed.state {
        SnapshotState::Valid(meta) => {
            Some(SnapshotEnd { sequence: meta.sequence, chain: meta.chain })
        }
        _ => None,
    })
}

fn refused(error: JournalError) -> ReplicaError {
    ReplicaError::Refused(error.to_string())
}

fn whole(mut journal: Journal<MemoryDisk>) -> Stage {
    let allocator = journal.segment_allocator();
    Stage::Whole(journal, allocator)
}

impl PlainReplica {
    pub(super) fn open(data: Data) -> Self {
        let newest = newest_snapshot(&data);
        let origin = newest.map_or(Origin::Genesis, Origin::Snapshot);
        let settled = newest.map_or(0, |snapshot| snapshot.sequence);
        let scan = scan_with(&data.journal, origin, &mut |_| Ok(()));
        let journal = scan.and_then(|scan| Journal::resume(data.journal.clone(), OPTIONS, scan));
        let stage = match journal {
            Ok(journal) => whole(journal),
            Err(JournalError::Empty { .. } | JournalError::Refused(..)) => Stage::Empty,
            Err(error) => panic!("{error}"),
        };
        let mut replica = Self { data, stage, settled };
        if let Stage::Whole(journal, _) = &replica.stage {
            replica.settled = settled.max(journal.watermark());
        }
        replica
    }

    pub(super) fn promote(self) -> (Journal<MemoryDisk>, SegmentAllocator<MemoryDisk>, Sequence) {
        match self.stage {
            Stage::Whole(journal, allocator) => (journal, allocator, self.settled),
            _ => panic!("only a whole journal is promoted"),
        }
    }
}

impl Replica for PlainReplica {
    fn journal_id(&self) -> Option<JournalId> {
        match &self.stage {
            Stage::Whole(journal, _) => Some(journal.id()),
            _ => None,
        }
    }

    fn history(&self) -> JournalHistory {
        match &self.stage {
            Stage::Whole(journal, _) => journal.history(),
            _ => JournalHistory { epochs: Vec::new(), end: JournalEnd::GENESIS },
        }
    }

    fn settled(&self) -> Sequence {
        self.settled
    }

    fn synced(&self) -> Sequence {
        match &self.stage {
            Stage::Whole(journal, _) => journal.synced(),
            _ => 0,
        }
    }

    fn epoch(&self) -> u32 {
        self.history().epochs.last().map_or(0, |last| last.epoch)
    }

    fn cut_to(&mut self, epoch: u32, end: &JournalEnd) -> Result<(), ReplicaError> {
        let limits =
            CutLimits { snapshot_sequence: self.settled, set_aside_bytes_max: 1024 * 1024 * 1024 };
        self.stage = Stage::Empty;
        let aside = MemoryDisk::default();
        let done = cut(&self.data.journal, &aside, end, limits);
        *self = Self { settled: self.settled, ..Self::open(self.data.clone()) };
        done.map(drop).map_err(refused)?;
        assert!(epoch > 0 && self.history().end == *end, "it was cut exactly");
        Ok(())
    }

    fn begin_anew(&mut self, start: ReplicaStart) -> Result<(), ReplicaError> {
        assert_eq!(start.journal, JOURNAL);
        self.stage = Stage::Empty;
        for disk in [&self.data.journal, &self.data.snapshots] {
            for name in disk.names().expect("it can be read") {
                disk.remove(&name).expect("it is there");
            }
            disk.sync_directory().expect("the disk works");
        }
        self.settled = 0;
        self.stage = match start.snapshot {
            Some((end, bytes)) => Stage::Snapshot(end, Vec::with_capacity(bytes as usize)),
            None => Stage::Header(SnapshotEnd { sequence: 0, chain: 0 }),
        };
        Ok(())
    }

    fn snapshot_piece(&mut self, bytes: &[u8]) -> Result<(), ReplicaError> {
        match &mut self.stage {
            Stage::Snapshot(_, file) if file.capacity() - file.len() >= bytes.len() => {
                file.extend_from_slice(bytes);
                Ok(())
            }
            _ => Err(ReplicaError::Refused("no such piece was announced".to_owned())),
        }
    }

    fn finish_snapshot(&mut self) -> Result<(), ReplicaError> {
        let Stage::Snapshot(end, file) = std::mem::replace(&mut self.stage, Stage::Empty) else {
            return Err(ReplicaError::Refused("no snapshot was begun".to_owned()));
        };
        self.data.snapshots.put(&snapshot_name(end.sequence), file);
        self.stage = Stage::Header(end);
        Ok(())
    }

    fn store(&mut self, place: FramePlace, bytes: &[u8]) -> Result<(), ReplicaError> {
        match &mut self.stage {
            Stage::Whole(journal, allocator) => {
                let mut stored = journal.copy(place, bytes);
                if matches!(stored, Err(JournalError::NoSpare)) {
                    allocator.step();
                    stored = journal.copy(place, bytes);
                }
                return stored.map_err(refused);
            }
            Stage::Header(end) => {
                let disk = self.data.journal.clone();
                let beginning = Journal::begin_at(disk, OPTIONS, bytes, *end).map_err(refused)?;
                self.stage = Stage::Begins(beginning);
            }
            Stage::Begins(beginning) => beginning.copy(place, bytes).map_err(refused)?,
            Stage::Empty | Stage::Snapshot(..) => {
                return Err(ReplicaError::Refused("there is no journal".to_owned()));
            }
        }
        match std::mem::replace(&mut self.stage, Stage::Empty) {
            Stage::Begins(beginning) if beginning.is_complete() => {
                self.stage = whole(beginning.finish().map_err(refused)?);
            }
            other => self.stage = other,
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<Sequence, ReplicaError> {
        match &mut self.stage {
            Stage::Whole(journal, _) => {
                journal.sync().map_err(|error| ReplicaError::Failed(error.to_string()))
            }
            _ => Ok(0),
        }
    }

    fn settle(&mut self, settled: Sequence) -> Result<(), ReplicaError> {
        assert!(settled <= self.synced(), "nothing is shown that is not on the disk");
        self.settled = settled;
        Ok(())
    }
}
