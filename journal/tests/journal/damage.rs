//! Damage to what is stored: found, named, and never read as something else.

use doorbuster_journal::{
    FORMAT_VERSION, Journal, JournalError, MemoryDisk, Origin, SnapshotEnd, Verdict, scan,
};
use doorbuster_test_support::random::Random;

use crate::support::*;

const FIRST: &str = "00000001.segment";
const HEADER_BYTES: usize = 4096;

/// Six synced turns, then three of one batch that was synced at its end only.
fn small_journal() -> (MemoryDisk, Vec<Vec<u8>>) {
    let (disk, mut journal) = journal_with(&[]);
    for turn in 0..9 {
        let records = [format!("turn {turn}"), "-".repeat(60 + 37 * turn)];
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        append_unsynced(&mut journal, 1, &records);
        if turn < 6 || turn == 8 {
            journal.sync().unwrap();
        }
    }
    let (_, content) = read(&disk);
    (disk, content)
}

/// Asserts the promise: a prefix whose loss is announced, or a refusal with a place.
fn check_prefix_or_refusal(disk: &MemoryDisk, expected: &[Vec<u8>], what: &str) {
    match try_read(disk) {
        Ok((found, content)) => {
            assert!(expected.starts_with(&content), "{what}: other content");
            if let Some(dropped) = &found.dropped {
                assert_eq!(dropped.first_sequence_lost, found.last_sequence + 1, "{what}");
            } else {
                assert_eq!(found.end, Verdict::CleanEnd, "{what}");
            }
        }
        Err(JournalError::Refused(refusal)) => {
            assert!(!refusal.verdict.is_resumable(), "{what}");
            assert!(refusal.file.starts_with("memory:"), "{what}");
        }
        Err(other) => panic!("{what}: {other}"),
    }
}

#[test]
fn zeros_from_any_byte_on_leave_a_prefix_or_are_refused() {
    let (disk, expected) = small_journal();
    let end = read(&disk).0.segments[0].end as usize;
    let snapshot = snapshot_at(&disk, 12);
    for from in HEADER_BYTES..end {
        let damaged = with_changed(&disk, FIRST, |bytes| bytes[from..].fill(0));
        check_prefix_or_refusal(&damaged, &expected, &format!("zeros from byte {from}"));
        // Twelve records were synced before the last batch; a snapshot of them vouches for them.
        match scan(&damaged, Origin::GenesisBeside(snapshot)) {
            Ok(found) => assert!(found.last_sequence >= 12, "zeros from byte {from}"),
            Err(JournalError::Refused(refusal)) => assert!(!refusal.verdict.is_resumable()),
            Err(other) => panic!("zeros from byte {from}: {other}"),
        }
    }
}

/// Zeros over part of a frame that a later one vouches for are refused.
#[test]
fn zeros_in_a_vouched_frame_are_refused() {
    let (disk, _) = small_journal();
    let frame_bytes = 64 + 4 + 6 + 4 + 60 + 2;
    for at in (HEADER_BYTES..HEADER_BYTES + frame_bytes).step_by(8) {
        let damaged = with_changed(&disk, FIRST, |bytes| bytes[at..at + 8].fill(0));
        let (before, after) = (disk.contents(FIRST).unwrap(), damaged.contents(FIRST).unwrap());
        if before != after {
            let refusal = refusal(&damaged);
            assert_eq!(refusal.verdict, Verdict::AnsweredDataDamaged, "zeros at byte {at}");
            assert_eq!((refusal.offset, refusal.sequence), (HEADER_BYTES as u64, 1));
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let (disk, _) = small_journal();
    let whole = disk.contents(FIRST).unwrap();
    for bytes in (0..HEADER_BYTES + 2000).chain((HEADER_BYTES..whole.len()).step_by(1021)) {
        let cut = MemoryDisk::default();
        cut.put(FIRST, whole[..bytes].to_vec());
        let refusal = refusal(&cut);
        assert_eq!(refusal.verdict, Verdict::FileShort, "cut to {bytes} bytes");
    }
}

#[test]
fn a_segment_longer_than_its_header_says_is_refused() {
    let (disk, _) = small_journal();
    let damaged = with_changed(&disk, FIRST, |bytes| bytes.push(0));
    assert_eq!(refusal(&damaged).verdict, Verdict::FileLong);
}

#[test]
fn any_flipped_bit_is_refused_or_costs_an_announced_tail() {
    let (disk, expected) = small_journal();
    let found = read(&disk).0;
    let end = found.segments[0].end as usize;
    let header = (0..64).chain((64..HEADER_BYTES).step_by(61));
    for at in
        header.chain(HEADER_BYTES..end).chain((end..SMALL.segment_bytes as usize).step_by(997))
    {
        for bit in 0..8 {
            let damaged = with_changed(&disk, FIRST, |bytes| bytes[at] ^= 1 << bit);
            let what = format!("bit {bit} of byte {at}");
            if at < end {
                // No sector is missing, so nothing that was readable is ever dropped.
                assert!(!refusal(&damaged).verdict.is_resumable(), "{what}");
            } else {
                check_prefix_or_refusal(&damaged, &expected, &what);
            }
        }
    }
}

#[test]
fn a_seal_vouches_for_every_byte_before_it() {
    let (disk, _) = small_journal();
    let end = read(&disk).0.segments[0].end as usize;
    let mut journal =
        Journal::resume(disk.clone(), SMALL, scan(&disk, Origin::Genesis).unwrap()).unwrap();
    journal.seal(1, 1, b"totals").unwrap();
    for from in HEADER_BYTES..end {
        let damaged = with_changed(&disk, FIRST, |bytes| bytes[from..end].fill(0));
        if damaged.contents(FIRST).unwrap() != disk.contents(FIRST).unwrap() {
            let refusal = refusal(&damaged);
            assert_eq!(refusal.verdict, Verdict::AnsweredDataDamaged, "zeros from {from}");
        }
    }
}

#[test]
fn a_watermark_vouches_for_the_very_sequence_it_names() {
    let (disk, mut journal) = journal_with(&["one"]);
    journal.seal(1, 1, b"").unwrap();
    let damaged = with_changed(&disk, FIRST, |bytes| bytes[HEADER_BYTES..][..4].fill(0));
    let refusal = refusal(&damaged);
    assert_eq!((refusal.verdict, refusal.sequence), (Verdict::AnsweredDataDamaged, 1));
}

#[test]
fn a_frame_copied_to_another_offset_is_no_frame() {
    let (disk, expected) = small_journal();
    let end = read(&disk).0.segments[0].end as usize;
    let copied = with_changed(&disk, FIRST, |bytes| {
        let first = bytes[HEADER_BYTES..HEADER_BYTES + 144].to_vec();
        bytes[end + 8..end + 8 + first.len()].copy_from_slice(&first);
    });
    let (found, content) = read(&copied);
    assert_eq!((found.end, content), (Verdict::TornTail, expected));
    assert_eq!(found.dropped.unwrap().frames, 0);
}

/// Wrong bytes at the tail are refused naming the flag that accepts the loss.
#[test]
fn wrong_bytes_at_the_tail_are_refused_with_advice() {
    let (disk, _) = small_journal();
    let end = read(&disk).0.segments[0].end as usize;
    let damaged = with_changed(&disk, FIRST, |bytes| bytes[end - 20] ^= 1);
    let refusal = refusal(&damaged);
    assert_eq!((refusal.verdict, refusal.sequence), (Verdict::Ambiguous, 17));
    let text = refusal.to_string();
    for part in ["memory:00000001.segment", "sequence 17", "--accept-tail-loss"] {
        assert!(text.contains(part), "{text:?} lacks {part:?}");
    }
}

#[test]
fn a_longer_length_word_is_not_taken_for_a_torn_frame() {
    let (disk, _) = small_journal();
    let bytes = disk.contents(FIRST).unwrap();
    let end = read(&disk).0.segments[0].end as usize;
    let length = u32::from_le_bytes(bytes[end - 8..end - 4].try_into().unwrap()) & 0xF_FFFF;
    let start = end - length as usize;
    let damaged = with_changed(&disk, FIRST, |bytes| bytes[start + 1] ^= 0x10);
    assert_eq!(refusal(&damaged).verdict, Verdict::Ambiguous);
}

#[test]
fn a_snapshot_ahead_of_the_journal_is_refused() {
    let (disk, expected) = small_journal();
    let last = expected.len() as u64;
    let snapshot = snapshot_at(&disk, last);
    assert_eq!(scan(&disk, Origin::Snapshot(snapshot)).unwrap().vouched, last);
    for sequence in [last + 1, u64::MAX] {
        let snapshot = SnapshotEnd { sequence, ..snapshot };
        for origin in [Origin::Snapshot(snapshot), Origin::GenesisBeside(snapshot)] {
            let refusal = refusal_from(&disk, origin);
            assert_eq!(refusal.verdict, Verdict::AnsweredDataDamaged);
            assert_eq!(refusal.sequence, last + 1, "the first sequence that is missing");
        }
    }
    let refusal = refusal_from(&MemoryDisk::default(), Origin::Snapshot(snapshot));
    assert_eq!(refusal.verdict, Verdict::SegmentMissing);
}

#[test]
fn another_format_is_refused_saying_which_server_reads_it() {
    let (disk, _) = small_journal();
    let damaged = with_changed(&disk, FIRST, |bytes| {
        bytes[8..12].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&bytes[..12]);
        hasher.update(&bytes[16..HEADER_BYTES]);
        bytes[12..16].copy_from_slice(&hasher.finalize().to_le_bytes());
    });
    let refusal = refusal(&damaged);
    assert_eq!(refusal.verdict, Verdict::OtherFormat);
    assert!(refusal.to_string().contains("Start the version of the server that wrote it"));
}

/// Noise over any range never panics and never reads as other content.
#[test]
fn noise_never_panics_and_never_reads_as_other_content() {
    let (disk, expected) = journal_of_segments(3);
    for seed in 0..600 {
        let mut random = Random::new(seed);
        let name = format!("{:08}.segment", 1 + random.next() % 3);
        let damaged = with_changed(&disk, &name, |bytes| {
            let start = (random.next() % bytes.len() as u64) as usize;
            let end = bytes.len().min(start + 1 + (random.next() % 3000) as usize);
            match random.next() % 3 {
                0 => bytes[start..end].fill(0),
                1 => bytes[start..end].fill(0xFF),
                _ => bytes[start..end].fill_with(|| random.next() as u8),
            }
        });
        check_prefix_or_refusal(&damaged, &expected, &format!("seed {seed}"));
    }
}
