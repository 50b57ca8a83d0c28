//! Checking closed segments in the background: damage is reported with its place, nothing stops.

use doorbuster_journal::{
    Disk, Journal, JournalError, Link, MemoryDisk, Origin, Scrubbed, Verdict, scan, verify_segment,
};

use crate::support::*;

fn scrub(disk: &MemoryDisk, number: u64, after: Option<Link>) -> Scrubbed {
    verify_segment(disk, number, after, &mut |_| true).unwrap()
}

fn damage(disk: &MemoryDisk, number: u64) -> doorbuster_journal::Refusal {
    match scrub(disk, number, None) {
        Scrubbed::Damaged(refusal) => *refusal,
        other => panic!("not damaged: {other:?}"),
    }
}

#[test]
fn intact_segments_link_up_to_the_open_one() {
    let (disk, _) = journal_of_segments(4);
    let segments = scan(&disk, Origin::Genesis).unwrap().segments;
    let mut after = None;
    for segment in &segments[..3] {
        let Scrubbed::Intact { link, frames } = scrub(&disk, segment.number, after) else {
            panic!("segment {} is not intact", segment.number)
        };
        assert_eq!((link.number, frames), (segment.number + 1, segment.frames));
        assert_eq!(link.next_sequence, segments[segment.number as usize].first_sequence);
        assert!(matches!(scrub(&disk, segment.number, None), Scrubbed::Intact { .. }));
        after = Some(link);
    }
    assert_eq!(scrub(&disk, 4, after), Scrubbed::NotClosed);
    assert_eq!(scrub(&disk, 5, after), Scrubbed::Gone);
}

/// Every flipped bit of a closed segment is found with file and place.
#[test]
fn every_flipped_bit_of_a_closed_segment_is_found() {
    let (disk, _) = journal_of_segments(3);
    let end = scan(&disk, Origin::Genesis).unwrap().segments[1].end as usize;
    for at in (0..64).chain((4096..end).step_by(1009)).chain(end - 80..end) {
        let damaged = with_changed(&disk, "00000002.segment", |bytes| bytes[at] ^= 4);
        let damage = damage(&damaged, 2);
        assert!(!damage.verdict.is_resumable(), "byte {at}");
        assert_eq!(damage.file, "memory:00000002.segment");
        assert!(damage.offset <= at as u64, "byte {at}: {damage}");
        assert!(at < 4096 || damage.offset + 65_536 > at as u64, "byte {at}: {damage}");
    }
}

#[test]
fn a_closed_segment_of_zeros_or_cut_short_is_damaged() {
    let (disk, _) = journal_of_segments(3);
    let emptied = with_changed(&disk, "00000002.segment", |bytes| bytes[4096..].fill(0));
    assert_eq!(damage(&emptied, 2).verdict, Verdict::AnsweredDataDamaged);
    let cut = with_changed(&disk, "00000002.segment", |bytes| bytes.truncate(100_000));
    assert_eq!(damage(&cut, 2).verdict, Verdict::FileShort);
}

#[test]
fn a_segment_of_another_past_is_found_by_the_link() {
    let (disk, _) = journal_of_segments(3);
    let Scrubbed::Intact { link, .. } = scrub(&disk, 1, None) else { panic!("not intact") };
    for wrong in [
        Link { chain: link.chain ^ 1, ..link },
        Link { next_sequence: link.next_sequence + 1, ..link },
    ] {
        let Scrubbed::Damaged(refusal) = scrub(&disk, 2, Some(wrong)) else {
            panic!("segment 2 goes on from anything")
        };
        assert_eq!((refusal.verdict, refusal.offset), (Verdict::Foreign, 4096));
    }
}

/// The sequence of a damaged first frame is told by the link or not at all.
#[test]
fn only_a_link_tells_the_sequence_of_a_damaged_first_frame() {
    let (disk, _) = journal_of_segments(3);
    let Scrubbed::Intact { link, .. } = scrub(&disk, 1, None) else { panic!("not intact") };
    let damaged = with_changed(&disk, "00000002.segment", |bytes| bytes[5000] ^= 1);
    assert_eq!(damage(&damaged, 2).sequence, 0);
    let Scrubbed::Damaged(refusal) = scrub(&damaged, 2, Some(link)) else { panic!("intact") };
    assert_eq!(refusal.sequence, link.next_sequence);
}

#[test]
fn a_spare_is_not_closed() {
    let (disk, mut journal) = journal_with(&["one"]);
    journal.start_allocator().unwrap();
    wait_for_spare(&mut journal);
    assert_eq!(scrub(&disk, 1, None), Scrubbed::NotClosed);
    assert_eq!(scrub(&disk, 2, None), Scrubbed::NotClosed);
}

#[test]
fn a_scrub_pauses_and_stops_when_told_to() {
    let disk = MemoryDisk::default();
    let options = doorbuster_journal::Options { segment_bytes: 4 << 20 };
    let mut journal = Journal::create(disk.clone(), options, ID).unwrap();
    while disk.names().unwrap().len() < 2 {
        append(&mut journal, 1, &["-".repeat(50_000).as_str()]);
    }
    let mut pauses = Vec::new();
    verify_segment(&disk, 1, None, &mut |offset| {
        pauses.push(offset);
        true
    })
    .unwrap();
    assert_eq!(pauses.len(), 4, "{pauses:?}");
    let stopped = verify_segment(&disk, 1, None, &mut |offset| offset < 2_000_000);
    assert!(matches!(stopped, Err(JournalError::Stopped)));
}
