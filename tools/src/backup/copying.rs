//! From one data directory to another: snapshots, and the segments after them, up to the end or to
//! a sequence.
//!
//! Owns which snapshots and which segments belong to a copy, for a backup and a restore alike.
//! Reads beside a live server, whose snapshotter may remove a file meanwhile: that is an error
//! here, and the caller tries again from the newer snapshot. What is copied is not yet proven:
//! [`check`] replays it. Never changes the source.

use super::paced::{Meter, PacedDirectory, PacedDisk};
use super::staging::io_error;
use crate::inspect::Trouble;
use doorbuster::engine::replay::{
    self, DataDirectory, From, Replayed, Until, journal_directory, snapshot_directory,
};
use doorbuster_journal::{
    Copied, Disk as _, FileDisk, JournalError, JournalId, Origin, SEGMENT_BYTES_DEFAULT, Scan,
    SnapshotEnd, Space, StartAfterSnapshot, Verdict, copy_prefix, create_after_snapshot,
    journal_id, scan, sync_scanned,
};
use doorbuster_snapshots::{
    Listed, Meta, SnapshotError, SnapshotReader, SnapshotState, SnapshotWriter, list, no_pause,
    snapshot_name,
};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// What is to be copied.
pub(super) struct Selection<'w> {
    /// Only the newest snapshot and what is behind it; otherwise everything that is kept.
    pub(super) newest_only: bool,
    /// Nothing after this sequence.
    pub(super) until: Option<u64>,
    /// Somebody may be appending.
    pub(super) live: bool,
    pub(super) space: Space,
    /// Snapshots that turned out not to hold what they say.
    pub(super) excluded: &'w BTreeSet<u64>,
}

/// What was copied.
pub(super) struct Taken {
    /// Newest first.
    pub(super) snapshots: Vec<Meta>,
    /// Snapshots that could not be used, and why.
    pub(super) passed_over: Vec<String>,
    /// What the copied journal can be read from.
    pub(super) origin: Origin,
    pub(super) copied: Copied,
    /// The last sequence of the source that was seen, and of the copy if it was not cut.
    pub(super) last_sequence: u64,
}

impl Taken {
    /// The lowest sequence that the copy can be brought back to; 1 = all of its history is there.
    pub(super) fn goes_back_to(&self) -> u64 {
        match self.origin {
            Origin::Snapshot(snapshot) => snapshot.sequence,
            Origin::Genesis | Origin::GenesisBeside(_) => 1,
        }
    }

    fn newest_end(&self) -> Option<SnapshotEnd> {
        self.snapshots.first().map(end)
    }
}

fn end(snapshot: &Meta) -> SnapshotEnd {
    SnapshotEnd { sequence: snapshot.sequence, chain: snapshot.chain }
}

/// Copies into a folder that has the two directories and nothing in them.
pub(super) fn take(
    source: &PacedDirectory,
    target: &Path,
    selection: &Selection<'_>,
) -> Result<Taken, Trouble> {
    let bar = &source.meter.bar;
    let journal = source.path.join("journal").is_dir().then(|| source.journal()).transpose()?;
    let snapshots = source.has_snapshots().then(|| source.snapshots()).transpose()?;
    let id = whose(journal.as_ref(), snapshots.as_ref())?;
    let listed = match &snapshots {
        Some(disk) => list(disk, id)?,
        None => Vec::new(),
    };
    let to_snapshots = replay::open(&snapshot_directory(target))?;
    let mut taken = Taken {
        snapshots: Vec::new(),
        passed_over: Vec::new(),
        origin: Origin::Genesis,
        copied: Copied::default(),
        last_sequence: 0,
    };
    if let Some(disk) = &snapshots {
        copy_snapshots(disk, &to_snapshots, id, listed, selection, &source.meter, &mut taken)?;
    }
    let to = replay::open(&journal_directory(target))?;
    let has_segments = journal.as_ref().map(journal_id).transpose()?.flatten().is_some();
    let Some(journal) = journal.filter(|_| has_segments) else {
        return begin(&to, &to_snapshots, taken, 2, SEGMENT_BYTES_DEFAULT);
    };
    bar.begin("reading the journal", 0);
    let (origin, scanned) = scan_from(&journal, selection, &taken.snapshots)?;
    taken.origin = origin;
    taken.last_sequence = scanned.last_sequence;
    leave_out_older(&to_snapshots, &mut taken)?;
    if selection.live {
        sync_scanned(&journal, &scanned)?;
    }
    bar.begin("copying the journal", scanned.segments.iter().map(|segment| segment.end).sum());
    taken.copied = copy_prefix(&journal, &to, &scanned, selection.until, selection.space)?;
    match scanned.segments.first() {
        Some(first) if taken.copied.segments == 0 => {
            let (number, bytes) = (first.number.max(2), first.bytes);
            begin(&to, &to_snapshots, taken, number, bytes)
        }
        _ => Ok(taken),
    }
}

/// Whose journal it is; where there are only snapshots, whose the newest is.
fn whose(journal: Option<&PacedDisk>, snapshots: Option<&PacedDisk>) -> Result<JournalId, Trouble> {
    if let Some(id) = journal.map(journal_id).transpose()?.flatten() {
        return Ok(id);
    }
    let nobody = JournalId([0; 16]);
    let snapshots = snapshots.map(|disk| list(disk, nobody)).transpose()?.unwrap_or_default();
    let id = snapshots.iter().find_map(|snapshot| match &snapshot.state {
        SnapshotState::ForeignJournal(id) => Some(*id),
        SnapshotState::Valid(meta) => Some(meta.journal),
        _ => None,
    });
    id.ok_or_else(|| {
        Trouble::NotThere("it holds neither a journal nor a whole snapshot".to_owned())
    })
}

/// Copies the newest snapshot that is whole, or all that are, none of them beyond the end.
fn copy_snapshots(
    disk: &PacedDisk,
    to: &FileDisk,
    id: JournalId,
    snapshots: Vec<Listed>,
    selection: &Selection<'_>,
    meter: &Arc<Meter>,
    taken: &mut Taken,
) -> Result<(), Trouble> {
    let wanted = |snapshot: &Listed| {
        selection.until.is_none_or(|until| snapshot.sequence <= until)
            && !selection.excluded.contains(&snapshot.sequence)
    };
    for snapshot in snapshots.into_iter().filter(wanted) {
        if selection.newest_only && !taken.snapshots.is_empty() {
            break;
        }
        match snapshot.state {
            SnapshotState::Valid(meta) => meter.bar.begin("copying a snapshot", meta.payload_bytes),
            SnapshotState::NewerVersion { format } => {
                let told = format!("{}: format {format} is newer than this tool", snapshot.name);
                return Err(Trouble::Damage(told));
            }
            // Whose it is does not matter to ours.
            SnapshotState::ForeignJournal(_) => continue,
            SnapshotState::Broken(why) => {
                taken.passed_over.push(why.to_string());
                continue;
            }
        }
        match copy_snapshot(disk, to, id, &snapshot.name)? {
            Ok(meta) => taken.snapshots.push(meta),
            Err(why) if meter.is_ended() => return Err(why.into()),
            Err(why) => taken.passed_over.push(why.to_string()),
        }
    }
    Ok(())
}

/// The inner error is the source's; the snapshot is then not there.
fn copy_snapshot(
    disk: &PacedDisk,
    to: &FileDisk,
    id: JournalId,
    name: &str,
) -> Result<Result<Meta, SnapshotError>, Trouble> {
    let mut reader = match SnapshotReader::open_of(disk, name, id) {
        Ok(reader) => reader,
        Err(why) => return Ok(Err(why)),
    };
    let mut writer = SnapshotWriter::begin(to, reader.meta().clone(), no_pause)?;
    loop {
        match reader.next_block() {
            Ok(Some(block)) => writer.append(block)?,
            Ok(None) => break,
            Err(why) => return Ok(Err(why)),
        }
    }
    Ok(Ok(writer.finish()?.meta))
}

/// Reads the journal from as far back as is wished for and possible.
fn scan_from(
    journal: &PacedDisk,
    selection: &Selection<'_>,
    snapshots: &[Meta],
) -> Result<(Origin, Scan), Trouble> {
    let oldest_first = snapshots.iter().rev().map(|snapshot| Origin::Snapshot(end(snapshot)));
    let mut origins: Vec<Origin> = std::iter::once(Origin::Genesis).chain(oldest_first).collect();
    if selection.newest_only {
        origins.drain(..origins.len() - 1);
    }
    let last = origins.len() - 1;
    for (at, origin) in origins.into_iter().enumerate() {
        match scan(journal, origin) {
            // Pruned: from a newer snapshot on it is whole.
            Err(JournalError::Refused(refusal))
                if refusal.verdict == Verdict::SegmentMissing && at < last => {}
            scanned => return Ok((origin, scanned?)),
        }
    }
    unreachable!("the last one is handed on whatever it is")
}

/// A journal that begins after the newest snapshot and holds nothing.
fn begin(
    to: &FileDisk,
    to_snapshots: &FileDisk,
    mut taken: Taken,
    number: u64,
    bytes: u64,
) -> Result<Taken, Trouble> {
    let (Some(snapshot), Some(newest)) = (taken.newest_end(), taken.snapshots.first()) else {
        let told = "there is neither a journal nor a snapshot that could be used";
        let why = taken.passed_over.iter().map(|why| format!(": {why}")).collect::<String>();
        return Err(Trouble::Damage(format!("{told}{why}")));
    };
    let (id, epoch, stamp_ms) = (newest.journal, newest.epoch, newest.stamp_ms);
    let behind = StartAfterSnapshot { id, number, segment_bytes: bytes, snapshot, epoch, stamp_ms };
    create_after_snapshot(to, &behind)?;
    taken.origin = Origin::Snapshot(snapshot);
    taken.last_sequence = taken.last_sequence.max(snapshot.sequence);
    leave_out_older(to_snapshots, &mut taken)?;
    Ok(taken)
}

/// A snapshot that the journal does not reach back to is of no use to a start.
fn leave_out_older(to: &FileDisk, taken: &mut Taken) -> Result<(), Trouble> {
    let goes_back_to = taken.goes_back_to();
    let (kept, older): (Vec<Meta>, Vec<Meta>) =
        taken.snapshots.drain(..).partition(|snapshot| snapshot.sequence >= goes_back_to);
    taken.snapshots = kept;
    for snapshot in older {
        let name = snapshot_name(snapshot.sequence);
        to.remove(&name).map_err(io_error("remove", Path::new(&to.place(&name))))?;
    }
    to.sync_directory().map_err(io_error("sync", to.directory()))
}

/// Reads a copy from the device, whole, and replays it as a start would.
pub(super) fn check(place: &Path, taken: &Taken, meter: &Arc<Meter>) -> Result<Replayed, Trouble> {
    let snapshots = taken.snapshots.iter().map(|snapshot| snapshot.payload_bytes).sum::<u64>();
    meter.bar.begin("checking the copy", snapshots + taken.copied.bytes);
    let copy = PacedDirectory { path: place.to_owned(), meter: Arc::clone(meter), is_copy: true };
    // What a start from the newest snapshot does not come to.
    if taken.newest_end().is_some_and(|newest| Origin::Snapshot(newest) != taken.origin) {
        scan(&copy.journal()?, taken.origin)?;
    }
    let mut progress = |_| {};
    Ok(replay::replay_watched(&copy, From::NewestSnapshot, Until::End, &mut progress, None)?)
}
