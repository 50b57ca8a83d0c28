//! The journal of a data directory, read beside the server and replayed without it.
//!
//! Owns where frames lie and what state their records make. Reads only; recovery proper is the
//! library's. Next: `ledger`.

use doorbuster::codec::{self, Digest};
use doorbuster::domain::model::event::Record;
use doorbuster::domain::rules::apply::apply;
use doorbuster::domain::state::tables::State;
use doorbuster::engine::replay::journal_directory;
use doorbuster_journal::{FileDisk, JournalError, Kind, Scan, scan_with};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The header page of a segment (journal/FORMAT.md).
pub const FIRST_FRAME_AT: u64 = 4096;

/// Where a frame lies.
#[derive(Debug, Clone, Copy)]
pub struct StoredFrame {
    /// What stands in it.
    pub kind: Kind,
    /// In its segment, in bytes.
    pub offset: u64,
    /// Its size.
    pub bytes: u64,
    /// The last sequence up to its end.
    pub last_sequence: u64,
}

/// A journal, whole.
pub struct History {
    /// What the scan says of the segments.
    pub scan: Scan,
    /// Of the whole journal, in order.
    pub frames: Vec<StoredFrame>,
    /// From sequence 1 on, without a gap.
    pub records: Vec<Record>,
    /// After the last of them.
    pub state: State,
}

impl History {
    /// Reads all of it.
    ///
    /// # Panics
    /// When it cannot be read, or its sequences have a gap.
    pub fn of(data: &Path) -> Self {
        Self::until(data, u64::MAX).expect("the journal reads")
    }

    /// Reads as `of`, but replays no record after `last`.
    pub fn until(data: &Path, last: u64) -> Result<Self, JournalError> {
        let disk = FileDisk::open(journal_directory(data)).expect("there is a journal");
        let (mut frames, mut records) = (Vec::new(), Vec::new());
        let (mut state, mut offset) = (State::new(0), FIRST_FRAME_AT);
        let mut last_sequence = 0;
        let scan = scan_with(&disk, doorbuster_journal::Origin::Genesis, &mut |frame| {
            for (sequence, bytes) in frame.records() {
                assert_eq!(sequence, last_sequence + 1, "sequences have no gap");
                last_sequence = sequence;
                let record = codec::decode_record(bytes)?;
                if sequence <= last {
                    apply(&mut state, &record, frame.stamp_ms());
                    assert_eq!(state.sequence, sequence, "one event, one sequence");
                }
                records.push(record);
            }
            let (kind, bytes) = (frame.kind(), frame.bytes());
            frames.push(StoredFrame { kind, offset, bytes, last_sequence });
            offset = if kind == Kind::EndMark { FIRST_FRAME_AT } else { offset + bytes };
            Ok(())
        })?;
        Ok(Self { scan, frames, records, state })
    }

    /// The record of a sequence.
    pub fn record(&self, sequence: u64) -> &Record {
        let index = usize::try_from(sequence).ok().and_then(|sequence| sequence.checked_sub(1));
        let record = index.and_then(|index| self.records.get(index));
        record.unwrap_or_else(|| panic!("sequence {sequence} is not in the journal"))
    }
}

/// The digest of the state at a sequence.
pub fn digest_at(data: &Path, sequence: u64) -> Digest {
    codec::digest(&History::until(data, sequence).expect("the journal reads").state)
}

/// Nothing more happens in the journal by itself: it is sealed, and its spare is there.
pub fn is_quiet(data: &Path) -> bool {
    let Ok(history) = History::until(data, 0) else { return false };
    let sealed = history.frames.last().is_some_and(|frame| frame.kind == Kind::Seal);
    sealed && history.scan.spare().is_some()
}

/// Every file of a directory with all its bytes.
pub fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).expect("a directory reads") {
            let path = entry.expect("a directory reads").path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.clone(), fs::read(&path).expect("a file reads"));
            }
        }
    }
    found
}

/// Asserts that two readings of a directory are the same, without printing megabytes.
#[track_caller]
pub fn check_unchanged(before: &BTreeMap<PathBuf, Vec<u8>>, after: &BTreeMap<PathBuf, Vec<u8>>) {
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(before), names(after));
    for (path, bytes) in before {
        assert!(after[path] == *bytes, "{} changed", path.display());
    }
}
