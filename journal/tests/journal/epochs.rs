//! The table of epochs, and how two journals find how far they have the same past.

use doorbuster_journal::{
    CommonEnd, EPOCHS_MAX, EpochStart, FramePlace, Journal, JournalEnd, JournalHistory, MemoryDisk,
    Origin, common_end, scan,
};

use crate::pair::*;
use crate::support::*;

/// A journal with a record in each of these epochs.
fn of_epochs(epochs: &[u32]) -> (MemoryDisk, Journal<MemoryDisk>) {
    let (disk, mut journal) = journal_with(&[]);
    epochs.iter().for_each(|&epoch| append(&mut journal, epoch, &["record"]));
    (disk, journal)
}

fn numbers(history: &JournalHistory) -> Vec<u32> {
    history.epochs.iter().map(|start| start.epoch).collect()
}

/// The end that both come to.
fn common(one: &JournalHistory, other: &JournalHistory) -> Option<CommonEnd> {
    let found = common_end(one, other);
    assert_eq!(found, common_end(other, one), "both sides come to the same");
    found
}

#[test]
fn a_scan_and_the_writer_tell_the_same_epochs() {
    let (disk, journal) = of_epochs(&[1, 1, 3, 4, 4, 9]);
    let history = journal.history();
    assert_eq!(history, scan(&disk, Origin::Genesis).unwrap().history());
    assert_eq!(numbers(&history), [1, 3, 4, 9]);
    let first: Vec<_> = history.epochs.iter().map(EpochStart::first_sequence).collect();
    assert_eq!(first, [1, 3, 4, 6]);
    assert!(history.epochs.iter().all(|start| start.is_whole));
    let ends = ends_of(&disk, journal.appended());
    let before: Vec<_> = [0, 2, 3, 5].into_iter().map(|frame: usize| ends[frame]).collect();
    assert_eq!(history.epochs.iter().map(|start| start.before).collect::<Vec<_>>(), before);
    let resumed =
        Journal::resume(disk.clone(), SMALL, scan(&disk, Origin::Genesis).unwrap()).unwrap();
    assert_eq!(resumed.history(), history);
}

/// The first frame of an epoch may be the end mark that leaves a segment.
#[test]
fn an_epoch_begins_with_the_frame_that_has_its_number() {
    let (disk, mut journal) = journal_with(&[]);
    for epoch in [1, 1, 1, 1, 1, 2] {
        append(&mut journal, epoch, &["r".repeat(50_000).as_str()]);
    }
    let history = journal.history();
    assert_eq!(history, scan(&disk, Origin::Genesis).unwrap().history());
    assert_eq!(history.end.place.segment, 2);
    assert_eq!(history.epochs[1].before.place.segment, 1, "the mark is of the new epoch");
}

#[test]
fn the_oldest_epochs_are_forgotten() {
    let epochs: Vec<u32> = (1..=EPOCHS_MAX as u32 + 7).collect();
    let (disk, journal) = of_epochs(&epochs);
    let history = journal.history();
    assert_eq!(numbers(&history), epochs[7..]);
    assert_eq!(scan(&disk, Origin::Genesis).unwrap().history(), history);
}

#[test]
fn after_a_snapshot_the_first_epoch_is_known_in_part() {
    let (disk, _) = journal_of_segments(4);
    let whole = scan(&disk, Origin::Genesis).unwrap();
    let last = whole.last_sequence;
    let part = scan(&disk, Origin::Snapshot(snapshot_at(&disk, last - 1))).unwrap();
    let [start] = part.history().epochs[..] else { panic!("one epoch") };
    assert!(!start.is_whole);
    assert_eq!(start.before.place, FramePlace::first_in(part.segments[0].number));
    let found = common(&whole.history(), &part.history()).unwrap();
    assert_eq!(found, CommonEnd { epoch: 1, end: whole.journal_end() });
}

#[test]
fn a_prefix_and_the_whole_have_the_end_of_the_prefix_in_common() {
    let (disk, journal) = of_epochs(&[1, 1, 2, 2, 5]);
    let ends = ends_of(&disk, 5);
    for frames in 1..=4 {
        let (copied, mut copy) = whole_copy(&disk, 1);
        copy_some(&disk, 5, &mut copy, frames).unwrap();
        let found = common(&copy.history(), &journal.history()).unwrap();
        assert_eq!(found.end, ends[frames + 1], "{frames}");
        assert_eq!(found.end, copy.end());
        assert_eq!(scan(&copied, Origin::Genesis).unwrap().history(), copy.history());
    }
}

#[test]
fn two_that_went_apart_have_the_end_of_the_last_common_epoch() {
    let (disk, mut journal) = of_epochs(&[1, 2, 2]);
    let (copied, mut copy) = whole_copy(&disk, 3);
    let fork = copy.end();
    // One goes on in its epoch, the other was made the writer meanwhile.
    append(&mut journal, 2, &["late"]);
    append(&mut copy, 3, &["new"]);
    append(&mut copy, 4, &["newer"]);
    let found = common(&journal.history(), &copy.history()).unwrap();
    assert_eq!(found, CommonEnd { epoch: 2, end: fork });
    // Twice apart: an epoch of its own on either side.
    append(&mut journal, 5, &["later"]);
    assert_eq!(common(&journal.history(), &copy.history()).unwrap().end, fork);
    assert_eq!(ends_of(&copied, 5)[3], fork);
}

#[test]
fn one_number_with_another_past_is_no_common_epoch() {
    let (_, one) = of_epochs(&[1, 2, 7]);
    let (_, other) = of_epochs(&[1, 2, 2, 7]);
    let found = common(&one.history(), &other.history()).unwrap();
    assert_eq!((found.epoch, found.end.sequence), (2, 2));
    let (_, stranger) = of_epochs(&[3, 4]);
    assert_eq!(common(&one.history(), &stranger.history()), None);
}

#[test]
fn an_empty_journal_has_its_start_in_common_with_all() {
    let empty = journal_with(&[]).1.history();
    let (_, other) = of_epochs(&[1, 2]);
    let nothing = CommonEnd { epoch: 0, end: JournalEnd::GENESIS };
    assert_eq!(common(&empty, &other.history()), Some(nothing));
    assert_eq!(common(&empty, &empty), Some(nothing));
}
