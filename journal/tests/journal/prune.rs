//! Pruning: whole closed segments below a snapshot go, oldest first, and nothing else ever does.

use doorbuster_journal::{
    Disk, FileDisk, Journal, JournalError, MemoryDisk, Origin, Pruned, Verdict, prune, scan,
};

use crate::support::*;

fn starts(disk: &MemoryDisk) -> Vec<u64> {
    let found = scan(disk, Origin::Genesis).unwrap();
    found.segments.iter().map(|segment| segment.first_sequence).collect()
}

fn numbers(disk: &MemoryDisk) -> Vec<String> {
    disk.names().unwrap().iter().map(|name| name.replace(".segment", "")).collect()
}

#[test]
fn only_segments_wholly_below_the_sequence_are_removed() {
    let (disk, expected) = journal_of_segments(5);
    let starts = starts(&disk);
    for keep_from in 0..=expected.len() as u64 + 10 {
        let copy = disk.after_power_loss(|_, _| true);
        let pruned = prune(&copy, keep_from).unwrap();
        // The last segment holds a single frame, so nothing says that it was synced.
        let gone = starts[1..4].iter().filter(|&&start| start <= keep_from).count() as u64;
        let bytes = gone * SMALL.segment_bytes;
        assert_eq!(pruned, Pruned { segments: gone, bytes, first_kept: gone + 1 }, "{keep_from}");
        assert_eq!(copy.names().unwrap().len() as u64, 5 - gone);
    }
}

/// Every snapshot at or after the sequence still starts and is checked.
#[test]
fn every_snapshot_from_the_sequence_on_still_starts_checked() {
    let (disk, expected) = journal_of_segments(5);
    let last = expected.len() as u64;
    for keep_from in 1..=last {
        let copy = disk.after_power_loss(|_, _| true);
        prune(&copy, keep_from).unwrap();
        for sequence in keep_from..=last {
            let found = scan(&copy, Origin::Snapshot(snapshot_at(&disk, sequence))).unwrap();
            assert!(found.snapshot_checked, "kept from {keep_from}, snapshot of {sequence}");
            assert_eq!(found.last_sequence, last);
        }
    }
}

#[test]
fn the_segment_before_one_that_is_not_known_to_be_synced_stays() {
    let (disk, mut journal) = journal_with(&[]);
    while scan(&disk, Origin::Genesis).unwrap().segments.len() < 2 {
        append_unsynced(&mut journal, 1, &["-".repeat(30_000).as_str()]);
    }
    assert_eq!(prune(&disk, u64::MAX).unwrap().segments, 0);
    journal.sync().unwrap();
    assert_eq!(prune(&disk, u64::MAX).unwrap().segments, 0, "nothing says so yet");
    journal.seal(1, 1, b"totals").unwrap();
    assert_eq!(prune(&disk, u64::MAX).unwrap().segments, 1);
    assert_eq!(numbers(&disk), ["00000002"]);
    assert_eq!(prune(&disk, u64::MAX).unwrap().segments, 0, "the open one stays");
}

/// A segment whose frames say nothing is known to be synced by the one after it.
#[test]
fn the_next_segment_proves_that_a_silent_one_is_synced() {
    let (disk, mut journal) = journal_with(&[]);
    journal.begin(1, 1);
    let mut left = 0;
    while scan(&disk, Origin::Genesis).unwrap().segments.len() < 3 {
        journal.push(|frame| frame.resize(frame.len() + 60_000, 1)).unwrap();
        left += 1;
    }
    assert!(left > 6, "one turn over three segments");
    assert_eq!(prune(&disk, u64::MAX).unwrap().segments, 1);
}

#[test]
fn an_unused_spare_and_the_open_segment_stay() {
    let disk = journal_with_spare(&["one"]);
    assert_eq!(prune(&disk, u64::MAX).unwrap(), Pruned { first_kept: 1, ..Pruned::default() });
    assert_eq!(prune(&MemoryDisk::default(), 7).unwrap(), Pruned::default());
}

/// A power cut between two removals leaves the rest without a gap.
#[test]
fn a_power_cut_between_two_removals_leaves_no_gap() {
    let (disk, expected) = journal_of_segments(6);
    let snapshot = Origin::Snapshot(snapshot_at(&disk, expected.len() as u64));
    for calls in 0..=12 {
        let copy = disk.after_power_loss(|_, _| true);
        copy.lose_power_after(calls);
        let _ = prune(&copy, u64::MAX);
        let cut = copy.after_power_loss(|_, _| false);
        assert_eq!(scan(&cut, snapshot).unwrap().last_sequence, expected.len() as u64);
        let left = numbers(&cut);
        let whole: Vec<_> = (1..=6).map(|number| format!("{number:08}")).collect();
        assert!(whole.ends_with(&left), "after {calls} calls: {left:?}");
    }
}

#[test]
fn a_live_writer_goes_on_and_its_size_shrinks() {
    let directory = tempfile::tempdir().unwrap();
    let open = || FileDisk::open(directory.path()).unwrap();
    let mut journal = Journal::create(open(), SMALL, ID).unwrap();
    journal.start_allocator().unwrap();
    let pruner = journal.pruner();
    let (wanted, done) = std::sync::mpsc::channel::<u64>();
    let thread = std::thread::spawn(move || {
        let removed = |sequence| pruner.prune(sequence).unwrap().bytes;
        done.into_iter().map(removed).sum::<u64>()
    });
    let mut written = SMALL.segment_bytes;
    for turn in 0..200 {
        wait_for_spare(&mut journal);
        let before = journal.free_space().segment_bytes_left;
        append(&mut journal, 1, &["-".repeat(20_000).as_str()]);
        if journal.free_space().segment_bytes_left > before {
            written += SMALL.segment_bytes;
        }
        wanted.send(turn).unwrap();
    }
    drop(wanted);
    let removed = thread.join().unwrap();
    assert!(removed > 0);
    assert_eq!(journal.bytes(), written - removed);
    journal.close().unwrap();
}

#[test]
fn a_segment_that_is_not_of_this_journal_is_not_removed() {
    let (disk, _) = journal_of_segments(3);
    for (change, verdict) in [
        (foreign_segment(&[]), Verdict::Foreign),
        (vec![0; SMALL.segment_bytes as usize], Verdict::HeaderDamaged),
        (Vec::new(), Verdict::FileShort),
    ] {
        let mixed = with_changed(&disk, "00000001.segment", |bytes| *bytes = change);
        match prune(&mixed, u64::MAX) {
            Err(JournalError::Refused(refusal)) => assert_eq!(refusal.verdict, verdict),
            other => panic!("not refused: {other:?}"),
        }
        assert_eq!(numbers(&mixed).len(), 3);
    }
}
