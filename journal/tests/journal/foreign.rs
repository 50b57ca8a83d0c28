//! Segments that are missing, or that belong elsewhere.

use doorbuster_journal::{Disk, Journal, MemoryDisk, Origin, Verdict, scan};

use crate::support::*;

fn without(disk: &MemoryDisk, name: &str) -> MemoryDisk {
    let copy = disk.after_power_loss(|_, _| true);
    copy.remove(name).unwrap();
    copy
}

#[test]
fn a_missing_first_segment_is_refused() {
    let (disk, _) = journal_of_segments(3);
    let refusal = refusal(&without(&disk, "00000001.segment"));
    assert_eq!(refusal.verdict, Verdict::SegmentMissing);
    assert!(refusal.to_string().contains("00000001.segment should come before it"));
}

#[test]
fn a_missing_middle_segment_is_refused() {
    let (disk, _) = journal_of_segments(3);
    let refusal = refusal(&without(&disk, "00000002.segment"));
    assert_eq!(refusal.verdict, Verdict::SegmentMissing);
}

#[test]
fn a_missing_last_segment_is_refused() {
    let (disk, _) = journal_of_segments(3);
    let refusal = refusal(&without(&disk, "00000003.segment"));
    assert_eq!(refusal.verdict, Verdict::SegmentMissing);
    assert!(refusal.detail.contains("00000003.segment"), "{refusal}");
}

#[test]
fn a_missing_spare_is_not_missed() {
    let disk = journal_with_spare(&["one"]);
    let found = scan(&without(&disk, "00000002.segment"), Origin::Genesis).unwrap();
    assert_eq!((found.spare(), found.last_sequence), (None, 1));
}

#[test]
fn a_damaged_end_mark_before_a_segment_in_use_is_refused() {
    let (disk, _) = journal_of_segments(3);
    let end = read(&disk).0.segments[1].end as usize;
    for change in [0, 0xFF] {
        let damaged =
            with_changed(&disk, "00000002.segment", |bytes| bytes[end - 80..end].fill(change));
        let refusal = refusal(&damaged);
        assert_eq!(refusal.verdict, Verdict::AnsweredDataDamaged);
        assert_eq!(refusal.offset, end as u64 - 80);
    }
}

#[test]
fn a_segment_emptied_before_one_in_use_is_refused() {
    let (disk, _) = journal_of_segments(3);
    let damaged = with_changed(&disk, "00000002.segment", |bytes| bytes[4096..].fill(0));
    assert_eq!(refusal(&damaged).verdict, Verdict::AnsweredDataDamaged);
}

#[test]
fn two_unused_segments_show_that_the_first_was_in_use() {
    let (disk, _) = journal_of_segments(3);
    let emptied = with_changed(&disk, "00000002.segment", |bytes| bytes[4096..].fill(0));
    let emptied = with_changed(&emptied, "00000003.segment", |bytes| bytes[4096..].fill(0));
    let emptied = with_changed(&emptied, "00000001.segment", |bytes| {
        let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
        bytes[end - 80..].fill(0);
    });
    assert_eq!(refusal(&emptied).verdict, Verdict::AnsweredDataDamaged);
}

#[test]
fn a_spare_that_is_not_empty_is_refused() {
    let disk = journal_with_spare(&["one"]);
    let damaged = with_changed(&disk, "00000002.segment", |bytes| bytes[100_000] = 1);
    let refusal = refusal(&damaged);
    assert_eq!((refusal.verdict, refusal.sequence), (Verdict::Ambiguous, 2));
}

#[test]
fn a_segment_of_another_journal_is_refused() {
    let (disk, _) = journal_of_segments(3);
    let mixed = with_changed(&disk, "00000001.segment", |bytes| *bytes = foreign_segment(&[]));
    assert_eq!(refusal(&mixed).verdict, Verdict::Foreign);
}

#[test]
fn an_own_segment_under_another_number_is_refused() {
    let (disk, _) = journal_of_segments(3);
    let copy = disk.contents("00000002.segment").unwrap();
    let mixed = with_changed(&disk, "00000003.segment", |bytes| *bytes = copy);
    let refusal = refusal(&mixed);
    assert_eq!(refusal.verdict, Verdict::Foreign);
    assert!(refusal.detail.contains("number 2"));
}

#[test]
fn frames_of_another_segment_are_no_frames() {
    let (disk, _) = journal_of_segments(3);
    let other = disk.contents("00000002.segment").unwrap();
    let mixed = with_changed(&disk, "00000003.segment", |bytes| {
        bytes[4096..].copy_from_slice(&other[4096..]);
    });
    assert_eq!(
        refusal(&mixed).verdict,
        Verdict::Ambiguous,
        "no valid frame, so not foreign either"
    );
}

#[test]
fn a_name_like_a_segment_that_is_none_of_ours_is_refused() {
    let (disk, _) = journal_of_segments(2);
    disk.put("2.segment", Vec::new());
    assert_eq!(refusal(&disk).verdict, Verdict::Foreign);
}

#[test]
fn other_files_and_unfinished_segments_are_left_alone() {
    let (disk, expected) = journal_of_segments(2);
    disk.put("LOCK", b"held".to_vec());
    disk.put("00000003.preparing", b"half".to_vec());
    assert_eq!(read(&disk).1, expected);
    assert!(disk.contents("00000003.preparing").is_ok(), "a scan removes nothing");
}

#[test]
fn a_valid_frame_of_another_past_is_refused() {
    // The same journal, continued twice from one copy: each second frame is valid in its place.
    let (disk, _) = journal_with(&[]);
    let twin = disk.after_power_loss(|_, _| true);
    let write = |disk: &MemoryDisk, first: &str| {
        let mut journal =
            Journal::resume(disk.clone(), SMALL, scan(disk, Origin::Genesis).unwrap()).unwrap();
        append(&mut journal, 1, &[first]);
        let end = scan(disk, Origin::Genesis).unwrap().segments[0].end as usize;
        append(&mut journal, 1, &["next"]);
        end
    };
    let (end, _) = (write(&disk, "this"), write(&twin, "that"));
    let other = twin.contents("00000001.segment").unwrap();
    let mixed = with_changed(&disk, "00000001.segment", |bytes| {
        bytes[end..].copy_from_slice(&other[end..]);
    });
    let refusal = refusal(&mixed);
    assert_eq!(
        (refusal.verdict, refusal.offset, refusal.sequence),
        (Verdict::Foreign, end as u64, 2)
    );
}
