//! Starting from a snapshot: what is read, what is shown, and when snapshot and journal do not fit.

use std::io;
use std::sync::{Arc, Mutex};

use doorbuster_journal::{
    Access, Disk, Journal, MemoryDisk, MemoryFile, Origin, SnapshotEnd, Verdict, scan,
};

use crate::support::*;

const SECOND: &str = "00000002.segment";

/// A copy without these segments.
fn without(disk: &MemoryDisk, numbers: &[u64]) -> MemoryDisk {
    let copy = disk.after_power_loss(|_, _| true);
    numbers.iter().for_each(|number| copy.remove(&format!("{number:08}.segment")).unwrap());
    copy.sync_directory().unwrap();
    copy
}

/// The first sequence of each segment, and the last of all.
fn bounds(disk: &MemoryDisk) -> (Vec<u64>, u64) {
    let found = scan(disk, Origin::Genesis).unwrap();
    (found.segments.iter().map(|segment| segment.first_sequence).collect(), found.last_sequence)
}

/// Every snapshot is continued from with exactly what follows it.
#[test]
fn every_snapshot_continues_with_exactly_what_follows_it() {
    let (disk, expected) = journal_of_segments(4);
    for sequence in 1..=expected.len() as u64 {
        let snapshot = snapshot_at(&disk, sequence);
        let (found, content) = read_from(&disk, Origin::Snapshot(snapshot));
        let followers = (sequence + 1..).zip(expected[sequence as usize..].iter().cloned());
        assert_eq!(content, followers.collect::<Vec<_>>(), "a snapshot of {sequence}");
        assert_eq!(found.last_sequence, expected.len() as u64);
        assert!(found.snapshot_checked);
        assert_eq!(found.origin, Origin::Snapshot(snapshot));
        assert_eq!(found.snapshot_end(), snapshot_at(&disk, found.last_sequence));
    }
}

#[test]
fn segments_that_a_snapshot_holds_may_be_gone() {
    let (disk, expected) = journal_of_segments(4);
    let (starts, last) = bounds(&disk);
    for sequence in starts[2]..=last {
        let pruned = without(&disk, &[1, 2]);
        let snapshot = snapshot_at(&disk, sequence);
        let (found, content) = read_from(&pruned, Origin::Snapshot(snapshot));
        assert_eq!(content.len() as u64, last - sequence);
        assert!(found.snapshot_checked && found.segments[0].number >= 3);
        // Every way to go on is still there.
        let mut journal = Journal::resume(pruned.clone(), SMALL, found).unwrap();
        append(&mut journal, 2, &["after"]);
        let (found, content) = read_from(&pruned, Origin::Snapshot(snapshot));
        assert_eq!(found.last_sequence, last + 1);
        assert_eq!(content.last().unwrap(), &(last + 1, b"after".to_vec()));
    }
    assert_eq!(expected.len() as u64, last);
}

/// A journal that starts right after a snapshot is taken unchecked.
#[test]
fn a_journal_that_starts_right_after_a_snapshot_is_unchecked() {
    let (disk, _) = journal_of_segments(3);
    let (starts, _) = bounds(&disk);
    let snapshot = snapshot_at(&disk, starts[2] - 1);
    let (found, content) = read_from(&without(&disk, &[1, 2]), Origin::Snapshot(snapshot));
    assert_eq!((found.snapshot_checked, content[0].0), (false, starts[2]));
    // With the frame there it is checked, although nothing of its segment is shown.
    let (found, content) = read_from(&without(&disk, &[1]), Origin::Snapshot(snapshot));
    assert_eq!((found.snapshot_checked, content[0].0), (true, starts[2]));
}

#[test]
fn a_hole_behind_a_snapshot_is_refused_and_one_before_it_is_not() {
    let (disk, _) = journal_of_segments(5);
    let (starts, _) = bounds(&disk);
    let snapshot = Origin::Snapshot(snapshot_at(&disk, starts[2]));
    assert!(scan(&without(&disk, &[2]), snapshot).is_ok());
    for missing in [3, 4] {
        let refusal = refusal_from(&without(&disk, &[missing]), snapshot);
        assert_eq!(refusal.verdict, Verdict::SegmentMissing);
        let name = format!("{missing:08}.segment");
        assert!(refusal.detail.contains(&name), "{refusal}");
    }
    let refusal = refusal_from(&without(&disk, &[1, 2, 3]), snapshot);
    assert_eq!((refusal.verdict, refusal.sequence), (Verdict::SegmentMissing, starts[2] + 1));
    // Without a snapshot nothing stands in for the first segment.
    assert_eq!(
        refusal_from(&without(&disk, &[1]), Origin::Genesis).verdict,
        Verdict::SegmentMissing
    );
}

#[test]
fn a_snapshot_with_an_unused_spare_and_nothing_else_is_refused() {
    let (disk, _) = journal_of_segments(2);
    let snapshot = Origin::Snapshot(snapshot_at(&disk, 3));
    let emptied = with_changed(&without(&disk, &[1]), SECOND, |bytes| bytes[4096..].fill(0));
    assert_eq!(refusal_from(&emptied, snapshot).verdict, Verdict::SegmentMissing);
    let damaged = with_changed(&without(&disk, &[1]), SECOND, |bytes| bytes[5000] ^= 1);
    assert_eq!(refusal_from(&damaged, snapshot).verdict, Verdict::AnsweredDataDamaged);
}

#[test]
fn a_snapshot_of_another_past_is_refused() {
    let (disk, expected) = journal_of_segments(3);
    for sequence in 1..=expected.len() as u64 {
        let snapshot = snapshot_at(&disk, sequence);
        let other = SnapshotEnd { chain: snapshot.chain ^ 1, ..snapshot };
        for origin in [Origin::Snapshot(other), Origin::GenesisBeside(other)] {
            let refusal = refusal_from(&disk, origin);
            assert_eq!((refusal.verdict, refusal.sequence), (Verdict::SnapshotForeign, sequence));
        }
        assert!(scan(&disk, Origin::GenesisBeside(snapshot)).unwrap().snapshot_checked);
    }
}

#[test]
fn a_snapshot_that_ends_inside_a_frame_is_refused() {
    let (disk, mut journal) = journal_with(&[]);
    append(&mut journal, 1, &["one", "two", "three"]);
    let snapshot = snapshot_at(&disk, 3);
    for sequence in [1, 2] {
        let refusal = refusal_from(&disk, Origin::Snapshot(SnapshotEnd { sequence, ..snapshot }));
        assert_eq!((refusal.verdict, refusal.sequence), (Verdict::SnapshotForeign, 1));
        assert!(refusal.detail.contains("goes on to 3"), "{refusal}");
    }
}

/// A seal right after a snapshot is shown and not taken for its end.
#[test]
fn a_seal_right_after_a_snapshot_is_shown_and_is_not_its_end() {
    let (disk, mut journal) = journal_with(&["one"]);
    journal.seal(1, 1, b"early").unwrap();
    append(&mut journal, 1, &["two"]);
    journal.seal(1, 2, b"late").unwrap();
    let mut seals = Vec::new();
    let origin = Origin::Snapshot(snapshot_at(&disk, 2));
    let found = doorbuster_journal::scan_with(&disk, origin, &mut |frame| {
        seals.extend(frame.totals().map(<[u8]>::to_vec));
        Ok(())
    })
    .unwrap();
    assert_eq!((found.snapshot_checked, seals), (true, vec![b"late".to_vec()]));
    assert_eq!(found.snapshot_end(), snapshot_at(&disk, 2));
}

#[test]
fn a_snapshot_of_nothing_is_no_snapshot() {
    let (disk, expected) = journal_of_segments(2);
    let nothing = Origin::Snapshot(SnapshotEnd { sequence: 0, chain: 0 });
    assert_eq!(read_from(&disk, nothing).1.len(), expected.len());
    assert!(scan(&MemoryDisk::default(), nothing).is_ok());
    assert_eq!(refusal_from(&without(&disk, &[1]), nothing).verdict, Verdict::SegmentMissing);
}

/// Damage that a snapshot holds is not met and damage after it is.
#[test]
fn only_damage_after_a_snapshot_is_met() {
    let (disk, expected) = journal_of_segments(4);
    let (starts, last) = bounds(&disk);
    let snapshot = Origin::Snapshot(snapshot_at(&disk, starts[2]));
    let damaged = with_changed(&disk, SECOND, |bytes| bytes[5000..9000].fill(0xFF));
    assert_eq!(read_from(&damaged, snapshot).0.last_sequence, last);
    assert_eq!(refusal(&damaged).verdict, Verdict::AnsweredDataDamaged);
    let damaged = with_changed(&disk, "00000003.segment", |bytes| bytes[90_000..91_000].fill(0xFF));
    assert_eq!(refusal_from(&damaged, snapshot).verdict, Verdict::AnsweredDataDamaged);
    assert_eq!(expected.len() as u64, last);
}

#[test]
fn the_size_of_a_journal_counts_segments_that_were_not_read() {
    let (disk, _) = journal_of_segments(5);
    let (starts, _) = bounds(&disk);
    let found = scan(&disk, Origin::Snapshot(snapshot_at(&disk, starts[3]))).unwrap();
    assert_eq!((found.older_segments, found.older_bytes), (3, 3 * SMALL.segment_bytes));
    let journal = Journal::resume(disk, SMALL, found).unwrap();
    assert_eq!(journal.bytes(), 5 * SMALL.segment_bytes);
}

#[test]
fn an_open_segment_without_a_frame_and_a_spare_are_gone_past() {
    let (disk, expected) = journal_of_segments(3);
    let last = expected.len() as u64;
    let snapshot = Origin::Snapshot(snapshot_at(&disk, last - 1));
    // The last segment holds the last frame only: without it, it is open and empty.
    let emptied = with_changed(&disk, "00000003.segment", |bytes| bytes[4096..].fill(0));
    let (found, content) = read_from(&without(&emptied, &[1]), snapshot);
    assert_eq!((found.last_sequence, content.len(), found.snapshot_checked), (last - 1, 0, true));
    let mut journal = Journal::resume(disk.clone(), SMALL, scan(&disk, snapshot).unwrap()).unwrap();
    journal.start_allocator().unwrap();
    wait_for_spare(&mut journal);
    journal.close().unwrap();
    let found = scan(&without(&disk, &[1]), snapshot).unwrap();
    assert_eq!((found.last_sequence, found.spare()), (last, Some(4)));
}

/// Any flipped bit before the start is not met and any after it is refused.
#[test]
fn only_bits_flipped_after_the_start_are_met_and_refused() {
    let (disk, expected) = journal_of_segments(3);
    let (starts, last) = bounds(&disk);
    let snapshot = Origin::Snapshot(snapshot_at(&disk, starts[1] + 1));
    let ends: Vec<_> = scan(&disk, Origin::Genesis).unwrap().segments;
    for (number, segment) in (1..).zip(&ends) {
        let header = (0..64).step_by(3);
        for at in header.chain((4096..segment.end as usize).step_by(499)) {
            let name = format!("{number:08}.segment");
            let damaged = with_changed(&disk, &name, |bytes| bytes[at] ^= 1 << (at % 8));
            match scan(&damaged, snapshot) {
                Ok(found) => assert_eq!((number, found.last_sequence), (1, last), "byte {at}"),
                Err(error) => assert!(number > 1, "byte {at}: {error}"),
            }
        }
    }
    assert_eq!(expected.len() as u64, last);
}

/// A disk that remembers how much was read of which file.
#[derive(Clone)]
struct Counted {
    disk: MemoryDisk,
    read: Arc<Mutex<std::collections::BTreeMap<String, u64>>>,
}

struct CountedFile {
    file: MemoryFile,
    name: String,
    disk: Counted,
}

impl Disk for Counted {
    type File = CountedFile;

    fn names(&self) -> io::Result<Vec<String>> {
        self.disk.names()
    }

    fn create(&self, _: &str, _: u64) -> io::Result<CountedFile> {
        unreachable!("a scan makes no file")
    }

    fn open(&self, name: &str, access: Access) -> io::Result<CountedFile> {
        let file = self.disk.open(name, access)?;
        Ok(CountedFile { file, name: name.to_owned(), disk: self.clone() })
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        unreachable!("a scan renames no file")
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        unreachable!("a scan removes no file")
    }

    fn sync_directory(&self) -> io::Result<()> {
        unreachable!("a scan changes no name")
    }

    fn place(&self, name: &str) -> String {
        self.disk.place(name)
    }
}

impl doorbuster_journal::DiskFile for CountedFile {
    type Mapped = <MemoryFile as doorbuster_journal::DiskFile>::Mapped;

    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut read = self.disk.read.lock().unwrap();
        *read.entry(self.name.clone()).or_default() += buffer.len() as u64;
        self.file.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        unreachable!("a scan writes nothing")
    }

    fn sync(&self) -> io::Result<()> {
        unreachable!("a scan syncs nothing")
    }

    fn map(self, _: u64) -> io::Result<Self::Mapped> {
        unreachable!("a scan maps nothing")
    }
}

#[test]
fn a_long_history_is_not_read_again() {
    let (disk, _) = journal_of_segments(6);
    let (starts, last) = bounds(&disk);
    let read = |sequence| {
        let counted = Counted { disk: disk.clone(), read: Arc::default() };
        scan(&counted, Origin::Snapshot(snapshot_at(&disk, sequence))).unwrap();
        Arc::try_unwrap(counted.read).unwrap().into_inner().unwrap()
    };
    let newest = read(last);
    assert_eq!(newest.keys().collect::<Vec<_>>(), ["00000006.segment"]);
    let older = read(starts[4] - 1);
    assert_eq!(older.len(), 3, "segments 4 to 6: {older:?}");
}
