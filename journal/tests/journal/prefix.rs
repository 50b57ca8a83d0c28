//! Copies of a journal and of its first part, beside a writer too.

use crate::support::{
    ID, SMALL, append, append_unsynced, journal_with, read, read_from, snapshot_at,
};
use doorbuster_journal::{
    Access, Disk, DiskFile, Journal, JournalError, MemoryDisk, Origin, SEGMENT_BYTES_MIN, Space,
    StartAfterSnapshot, Verdict, copy_prefix, create_after_snapshot, scan, sync_scanned,
};

/// Turns of three records each, over several segments, with a seal after every fourth.
fn written(turns: u32) -> (MemoryDisk, Journal<MemoryDisk>) {
    let (disk, mut journal) = journal_with(&[]);
    let long = "x".repeat(15_000);
    for turn in 1..=turns {
        let record = format!("{turn} {long}");
        append(&mut journal, turn, &[&record, "b", "c"]);
        if turn % 4 == 0 {
            journal.seal(turn, u64::from(turn) * 1000, b"totals").unwrap();
            journal.sync().unwrap();
        }
    }
    (disk, journal)
}

fn bytes(disk: &MemoryDisk, name: &str) -> Vec<u8> {
    let file = disk.open(name, Access::Read).unwrap();
    let mut bytes = vec![0; file.bytes().unwrap() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

#[test]
fn a_whole_copy_has_the_same_bytes() {
    let (disk, _journal) = written(40);
    let found = scan(&disk, Origin::Genesis).unwrap();
    assert!(found.segments.len() > 2);
    for space in [Space::Allocated, Space::Sparse] {
        let copy = MemoryDisk::default();
        let copied = copy_prefix(&disk, &copy, &found, None, space).unwrap();
        assert_eq!(copied.segments, found.segments.len() as u64);
        assert_eq!(copied.bytes, found.segments.iter().map(|segment| segment.end).sum::<u64>());
        for name in copy.names().unwrap() {
            assert_eq!(bytes(&copy, &name), bytes(&disk, &name), "{name}");
        }
    }
}

#[test]
fn a_copy_ends_behind_any_record_and_can_be_continued() {
    let (disk, _journal) = written(40);
    let found = scan(&disk, Origin::Genesis).unwrap();
    let (_, all) = read(&disk);
    for until in 1..=found.last_sequence {
        let copy = MemoryDisk::default();
        copy_prefix(&disk, &copy, &found, Some(until), Space::Sparse).unwrap();
        let (copied, records) = read(&copy);
        assert_eq!(copied.end, Verdict::CleanEnd);
        assert_eq!(copied.last_sequence, until);
        assert_eq!(records, all[..until as usize]);
        assert_eq!(
            copied.last_epoch,
            (until as u32).div_ceil(3),
            "what a frame says of itself stays"
        );
        let mut journal = Journal::resume(copy.clone(), SMALL, copied).unwrap();
        append(&mut journal, 99, &["next"]);
        assert_eq!(read(&copy).0.last_sequence, until + 1);
    }
}

#[test]
fn what_is_appended_meanwhile_is_not_copied() {
    let (disk, mut journal) = written(3);
    let found = scan(&disk, Origin::Genesis).unwrap();
    append_unsynced(&mut journal, 4, &["later"]);
    let copy = MemoryDisk::default();
    copy_prefix(&disk, &copy, &found, None, Space::Sparse).unwrap();
    assert_eq!(read(&copy).0.last_sequence, 9);
}

#[test]
fn what_a_scan_showed_survives_a_power_cut_once_it_is_synced() {
    for synced in [false, true] {
        let (disk, mut journal) = written(3);
        append_unsynced(&mut journal, 4, &["stored"]);
        let found = scan(&disk, Origin::Genesis).unwrap();
        assert_eq!(found.last_sequence, 10);
        if synced {
            sync_scanned(&disk, &found).unwrap();
        }
        let after = disk.after_power_loss(|_, _| false);
        assert_eq!(read(&after).0.last_sequence, if synced { 10 } else { 9 });
    }
}

#[test]
fn a_copy_from_a_snapshot_needs_no_more_than_what_is_behind_it() {
    let (disk, _journal) = written(40);
    let snapshot = snapshot_at(&disk, 100);
    let found = scan(&disk, Origin::Snapshot(snapshot)).unwrap();
    let first = found.segments[0].number;
    assert!(first > 1);
    for until in [snapshot.sequence, snapshot.sequence + 1, 120] {
        let copy = MemoryDisk::default();
        copy_prefix(&disk, &copy, &found, Some(until), Space::Sparse).unwrap();
        let (copied, records) = read_from(&copy, Origin::Snapshot(snapshot));
        assert_eq!(
            (copied.last_sequence, records.len() as u64),
            (until, until - snapshot.sequence)
        );
    }
    let before = found.segments[0].first_sequence - 1;
    let copy = MemoryDisk::default();
    let copied = copy_prefix(&disk, &copy, &found, Some(before), Space::Sparse).unwrap();
    assert_eq!((copied.segments, copy.names().unwrap().len()), (0, 0), "none reaches that low");
}

#[test]
fn a_journal_can_begin_behind_a_snapshot() {
    let (disk, _journal) = written(10);
    let snapshot = snapshot_at(&disk, 17);
    let copy = MemoryDisk::default();
    let (epoch, stamp_ms) = (6, 6_000);
    let behind = StartAfterSnapshot {
        id: ID,
        number: 2,
        segment_bytes: SEGMENT_BYTES_MIN,
        snapshot,
        epoch,
        stamp_ms,
    };
    create_after_snapshot(&copy, &behind).unwrap();
    let (found, records) = read_from(&copy, Origin::Snapshot(snapshot));
    assert!(records.is_empty());
    assert_eq!((found.last_sequence, found.last_epoch), (snapshot.sequence, 6));
    let mut journal = Journal::resume(copy.clone(), SMALL, found).unwrap();
    append(&mut journal, 7, &["next"]);
    let (found, records) = read_from(&copy, Origin::Snapshot(snapshot));
    assert_eq!(records, [(snapshot.sequence + 1, b"next".to_vec())]);
    assert_eq!(found.last_epoch, 7);
    let alone = scan(&copy, Origin::Genesis);
    assert!(matches!(alone, Err(JournalError::Refused(refusal))
        if refusal.verdict == Verdict::SegmentMissing));
}

#[test]
fn a_segment_that_was_pruned_is_told_as_not_there() {
    let (disk, _journal) = written(40);
    let found = scan(&disk, Origin::Genesis).unwrap();
    disk.remove("00000001.segment").unwrap();
    let copy = MemoryDisk::default();
    match copy_prefix(&disk, &copy, &found, None, Space::Sparse) {
        Err(JournalError::Io { cause, .. }) => {
            assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
        }
        other => panic!("{other:?}"),
    }
}
