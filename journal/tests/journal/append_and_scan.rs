//! What is appended is what a scan shows, across frames, segments and restarts.

use crate::support::*;
use doorbuster_journal::{
    Disk, FRAME_BYTES_MAX, FileDisk, Journal, JournalError, JournalId, Kind, MemoryDisk, Origin,
    RECORD_BYTES_MAX, Spare, Verdict, scan, scan_with, turn_bytes_max,
};
use proptest::prelude::*;

#[test]
fn a_directory_without_segments_is_an_empty_journal() {
    let found = scan(&MemoryDisk::default(), Origin::Genesis).unwrap();
    assert_eq!((found.id, found.last_sequence, found.end), (None, 0, Verdict::CleanEnd));
    assert!(found.segments.is_empty());
    let refused = Journal::resume(MemoryDisk::default(), SMALL, found).err().unwrap();
    assert!(matches!(refused, JournalError::Empty { .. }));
}

#[test]
fn a_new_journal_holds_nothing() {
    let (disk, _) = journal_with(&[]);
    let found = scan(&disk, Origin::Genesis).unwrap();
    assert_eq!((found.id, found.last_sequence, found.spare()), (Some(ID), 0, None));
}

#[test]
fn a_journal_is_not_created_over_another() {
    let (disk, _) = journal_with(&[]);
    let refused = Journal::create(disk, SMALL, JournalId([9; 16])).err().unwrap();
    assert!(matches!(refused, JournalError::AlreadyExists { .. }));
}

#[test]
fn a_frame_carries_what_its_turn_began_with() {
    let (disk, mut journal) = journal_with(&[]);
    append(&mut journal, 3, &["one"]);
    append(&mut journal, 4, &["two", "three"]);
    journal.seal(4, 99, b"totals").unwrap();
    let mut seen = Vec::new();
    let found = scan_with(&disk, Origin::Genesis, &mut |frame| {
        seen.push((frame.kind(), frame.epoch(), frame.stamp_ms(), frame.watermark()));
        assert_eq!(frame.shard(), 0);
        assert_eq!(frame.totals(), (frame.kind() == Kind::Seal).then_some(&b"totals"[..]));
        Ok(())
    })
    .unwrap();
    assert_eq!(
        seen,
        [(Kind::Records, 3, 3000, 0), (Kind::Records, 4, 4000, 1), (Kind::Seal, 4, 99, 3)]
    );
    assert_eq!((found.last_sequence, found.vouched), (3, 3));
    assert_eq!((found.last_epoch, found.last_stamp_ms), (4, 99));
}

/// A copy may store a frame before it has synced those before it; then a watermark beyond what the
/// copies hold would make a torn tail on its disk look like damage.
#[test]
fn a_watermark_waits_for_the_copies() {
    let (disk, mut journal) = journal_with(&[]);
    for (copied, record) in [(0, "one"), (1, "two"), (1, "three"), (u64::MAX, "four")] {
        journal.set_copied(copied);
        append(&mut journal, 1, &[record]);
    }
    assert_eq!((journal.synced(), journal.settled()), (4, 4));
    journal.set_copied(2);
    assert_eq!(journal.settled(), 2);
    journal.seal(1, 99, b"totals").unwrap();
    let mut watermarks = Vec::new();
    let found = scan_with(&disk, Origin::Genesis, &mut |frame| {
        watermarks.push(frame.watermark());
        Ok(())
    });
    assert_eq!(watermarks, [0, 1, 1, 3, 2]);
    assert_eq!(found.unwrap().vouched, 3);
}

#[test]
fn a_seal_without_totals_at_the_very_start_is_shown() {
    // Only after a repair is it the mark that a journal starts with.
    let (disk, mut journal) = journal_with(&[]);
    journal.seal(1, 99, b"").unwrap();
    let mut kinds = Vec::new();
    scan_with(&disk, Origin::Genesis, &mut |frame| {
        kinds.push((frame.kind(), frame.totals().map(<[u8]>::len)));
        Ok(())
    })
    .unwrap();
    assert_eq!(kinds, [(Kind::Seal, Some(0))]);
}

/// A turn longer than a frame becomes several and keeps its sequences.
#[test]
fn a_turn_of_several_frames_keeps_its_sequences() {
    let (disk, mut journal) = journal_with(&[]);
    journal.begin(1, 1);
    let records: Vec<Vec<u8>> = (1..=5).map(|n| vec![n; RECORD_BYTES_MAX]).collect();
    for (record, sequence) in records.iter().zip(1..) {
        assert_eq!(journal.push(|frame| frame.extend_from_slice(record)).unwrap(), sequence);
    }
    journal.finish().unwrap();
    assert_eq!(journal.appended(), 5);
    let (found, content) = read(&disk);
    assert_eq!(content, records);
    assert!(found.segments.len() > 1, "five of the longest records roll a small segment");
}

#[test]
fn an_encoder_that_panics_leaves_no_record() {
    let (disk, mut journal) = journal_with(&[]);
    journal.begin(1, 1);
    journal.push(|frame| frame.push(1)).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        journal.push(|frame| {
            frame.push(2);
            panic!("an encoder gives up");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(journal.push(|frame| frame.push(3)).unwrap(), 2);
    journal.finish().unwrap();
    assert_eq!(read(&disk).1, [[1], [3]]);
}

#[test]
fn a_visitor_that_fails_ends_the_scan() {
    let (disk, _journal) = journal_with(&["one", "two"]);
    let error = scan_with(&disk, Origin::Genesis, &mut |frame| match frame.first_sequence() {
        2 => Err("enough".into()),
        _ => Ok(()),
    });
    assert!(matches!(error, Err(JournalError::Visitor { first_sequence: 2, .. })));
}

#[test]
fn real_files_roll_over_spares_and_are_resumed() {
    let directory = tempfile::tempdir().unwrap();
    let open = || FileDisk::open(directory.path()).unwrap();
    let mut journal = Journal::create(open(), SMALL, ID).unwrap();
    journal.start_allocator().unwrap();
    let mut expected = Vec::new();
    for turn in 0..60 {
        wait_for_spare(&mut journal);
        let record = vec![turn as u8 + 1; 20_000];
        journal.begin(1, turn);
        journal.push(|frame| frame.extend_from_slice(&record)).unwrap();
        journal.finish().unwrap();
        assert_eq!(journal.sync().unwrap(), turn + 1);
        expected.push(record);
    }
    wait_for_spare(&mut journal);
    journal.close().unwrap();
    std::fs::write(directory.path().join("00000009.preparing"), b"left").unwrap();

    let disk = open();
    let (found, content) = read(&disk);
    assert_eq!(content, expected);
    assert_eq!(found.segments.len(), 5);
    assert_eq!(found.spare(), Some(6));
    let mut journal = Journal::resume(disk, SMALL, found).unwrap();
    assert!(!directory.path().join("00000009.preparing").exists());
    append(&mut journal, 2, &["after"]);
    expected.push(b"after".to_vec());
    assert_eq!(read(&open()).1, expected);
}

#[test]
fn a_scan_beside_a_live_writer_never_takes_it_for_damage() {
    let (disk, mut journal) = journal_with(&["first"]);
    let mut seen = 0;
    // The scan has read ahead of what it shows: all that is appended here is news to it.
    let found = scan_with(&disk, Origin::Genesis, &mut |frame| {
        seen += u64::from(frame.count());
        if journal.appended() < 100 {
            append(&mut journal, 1, &["more", &"-".repeat(20_000)]);
        }
        Ok(())
    })
    .unwrap();
    assert_eq!((found.end, found.last_sequence, seen), (Verdict::CleanEnd, 101, 101));
    assert!(found.segments.len() > 3);
}

#[test]
fn two_journals_live_in_one_process() {
    let (first, second) = (MemoryDisk::default(), MemoryDisk::default());
    let mut one = Journal::create(first.clone(), SMALL, ID).unwrap();
    let mut two = Journal::create(second.clone(), SMALL, JournalId([2; 16])).unwrap();
    let worker = std::thread::spawn(move || append(&mut two, 1, &["two"]));
    append(&mut one, 1, &["one"]);
    worker.join().unwrap();
    assert_eq!(read(&first).1, [b"one"]);
    assert_eq!(read(&second).1, [b"two"]);
}

#[test]
fn an_unused_spare_is_picked_up_instead_of_made_anew() {
    let disk = journal_with_spare(&["one"]);

    let found = scan(&disk, Origin::Genesis).unwrap();
    assert_eq!(found.spare(), Some(2));
    let mut journal = Journal::resume(disk.clone(), SMALL, found).unwrap();
    disk.set_full(true);
    journal.start_allocator().unwrap();
    wait_for_spare(&mut journal);
    assert_eq!(journal.free_space().spare, Spare::Ready);
}

#[test]
fn a_full_disk_shows_in_the_free_space_and_passes() {
    let (disk, mut journal) = journal_with(&[]);
    assert_eq!(journal.free_space().spare, Spare::OnDemand);
    disk.set_full(true);
    journal.start_allocator().unwrap();
    while journal.free_space().spare != Spare::Failed {
        std::thread::yield_now();
        journal.begin(1, 1);
    }
    assert!(matches!(journal.take_spare_failure(), Some(JournalError::Io { .. })));
    let record = [7; 1000];
    journal.begin(1, 1);
    let mut taken = 0_u64;
    while journal.free_space().fits(turn_bytes_max(1, record.len())) {
        journal.push(|frame| frame.extend_from_slice(&record)).unwrap();
        journal.finish().unwrap();
        taken += 1;
    }
    journal.push(|frame| frame.extend_from_slice(&record)).unwrap();
    taken += 1;
    if journal.finish().is_ok() {
        // The bound is a bound: what it refused may still have fitted. The next one does not.
        journal.push(|frame| frame.extend_from_slice(&record)).unwrap();
        taken += 1;
        assert!(matches!(journal.finish(), Err(JournalError::NoSpare)));
    }
    disk.set_full(false);
    wait_for_spare_in_turn(&mut journal);
    journal.finish().unwrap();
    assert_eq!(journal.appended(), taken);
    assert_eq!(read(&disk).1.len() as u64, taken);
}

/// A segment that cannot be made leaves no file and costs no record.
#[test]
fn a_failed_new_segment_leaves_no_file_and_loses_no_record() {
    let (disk, mut journal) = journal_with(&[]);
    disk.set_full(true);
    journal.begin(1, 1);
    let failure = loop {
        if let Err(failure) = journal.push(|frame| frame.resize(frame.len() + 50_000, 1)) {
            break failure;
        }
    };
    assert!(matches!(failure, JournalError::Io { operation: "allocate", .. }), "{failure}");
    assert_eq!(disk.names().unwrap(), ["00000001.segment"]);
    disk.set_full(false);
    let sequence = journal.push(|frame| frame.push(2)).unwrap();
    journal.finish().unwrap();
    let (found, content) = read(&disk);
    assert_eq!((found.last_sequence, content.last().unwrap().as_slice()), (sequence, &[2][..]));
}

#[test]
fn a_segment_filled_to_the_last_byte_still_takes_its_end_mark() {
    let (disk, mut journal) = journal_with(&[]);
    let framing_bytes = 56 + 4 + 8;
    while journal.free_space().segment_bytes_left > 0 {
        let left = journal.free_space().segment_bytes_left.min(30_000) as usize;
        append(&mut journal, 1, &["-".repeat(left - framing_bytes).as_str()]);
        assert_eq!(read(&disk).0.segments.len(), 1);
    }
    append(&mut journal, 1, &["next"]);
    let (found, content) = read(&disk);
    assert_eq!(found.segments[0].end, SMALL.segment_bytes);
    assert_eq!((found.segments.len(), content.last().unwrap().as_slice()), (2, &b"next"[..]));
}

#[test]
fn the_promised_free_space_holds_turns_of_every_shape() {
    for (records, bytes) in [(1, 1), (500, 100), (7, 20_000), (2, RECORD_BYTES_MAX), (12_000, 1)] {
        let (_, mut journal) = journal_with(&[]);
        let before = journal.free_space().segment_bytes_left;
        journal.begin(1, 1);
        for _ in 0..records {
            journal.push(|frame| frame.resize(frame.len() + bytes, 1)).unwrap();
        }
        journal.finish().unwrap();
        let used = before - journal.free_space().segment_bytes_left;
        assert!(used <= turn_bytes_max(records, records * bytes), "{records} of {bytes}: {used}");
    }
    assert!(turn_bytes_max(1, RECORD_BYTES_MAX) <= 2 * FRAME_BYTES_MAX as u64);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_turns_are_read_back_across_rolls_and_restarts(
        turns in prop::collection::vec(
            (prop::collection::vec((0_usize..9000, any::<u8>()), 0..12), 0_u8..8), 1..40),
    ) {
        let (disk, mut journal) = journal_with(&[]);
        let mut expected = Vec::new();
        for (turn, (records, then)) in turns.iter().enumerate() {
            journal.begin(1, turn as u64);
            for &(bytes, fill) in records {
                expected.push(vec![fill; bytes]);
                let sequence = journal.push(|frame| frame.resize(frame.len() + bytes, fill)).unwrap();
                prop_assert_eq!(sequence, expected.len() as u64);
            }
            journal.finish().unwrap();
            match then {
                0 => journal.seal(1, turn as u64, b"so far").unwrap(),
                1 => {
                    let found = scan(&disk, Origin::Genesis).unwrap();
                    prop_assert_eq!(found.last_sequence, expected.len() as u64);
                    journal = Journal::resume(disk.clone(), SMALL, found).unwrap();
                }
                2..5 => prop_assert_eq!(journal.sync().unwrap(), expected.len() as u64),
                _ => {}
            }
        }
        let (found, content) = read(&disk);
        prop_assert_eq!(found.end, Verdict::CleanEnd);
        prop_assert_eq!(content, expected);
    }
}
