//! Copies that begin after a snapshot: whole, refused, and killed on the way.

use doorbuster_journal::{
    Discontinuity, Disk, FramePlace, Journal, JournalBeginning, JournalEnd, JournalError,
    MemoryDisk, Origin, RawTail, SnapshotEnd, StartAfterSnapshot, Verdict, create_after_snapshot,
    scan,
};

use crate::mortal::{MortalDisk, tell_points};
use crate::pair::*;
use crate::support::*;

/// The segment in which a snapshot ends: its header page, and its frames up to the end mark.
fn segment_of(disk: &MemoryDisk, snapshot: SnapshotEnd) -> (Vec<u8>, Vec<Shown>) {
    let last = scan(disk, Origin::Genesis).unwrap().last_sequence;
    let (tail, header) = RawTail::at_segment_of(disk, snapshot.sequence).unwrap();
    let mut shown = shown_from(disk, &tail.end(), last);
    shown.truncate(shown.iter().position(|(place, _)| place.offset == 0).unwrap_or(shown.len()));
    (header, shown)
}

fn begin<D: Disk>(
    disk: &MemoryDisk,
    copied: D,
    snapshot: SnapshotEnd,
) -> Result<Journal<D>, JournalError> {
    let last = scan(disk, Origin::Genesis).unwrap().last_sequence;
    begin_after(disk, last, copied, SMALL, snapshot)
}

#[test]
fn a_copy_begins_with_the_segment_in_which_a_snapshot_ends() {
    let (disk, content) = journal_of_segments(4);
    let last = content.len() as u64;
    for sequence in 1..=last {
        let snapshot = snapshot_at(&disk, sequence);
        let copied = MemoryDisk::default();
        let mut copy = begin(&disk, copied.clone(), snapshot).unwrap();
        assert_eq!((copy.appended(), copy.synced()), (sequence, sequence));
        // Nothing that was taken is lost by a power cut.
        let found = read_from(&copied.after_power_loss(|_, _| false), Origin::Snapshot(snapshot)).0;
        assert_eq!((found.snapshot_checked, found.last_sequence), (true, sequence));
        copy_all(&disk, last, &mut copy);
        let whole = scan(&disk, Origin::Genesis).unwrap().journal_end();
        assert_eq!(copy.end(), whole);
        check_same_up_to(&whole, &disk, &copied, &format!("a snapshot of {sequence}"));
        let (found, records) = read_from(&copied, Origin::Snapshot(snapshot));
        assert_eq!((found.last_sequence, records.len() as u64), (last, last - sequence));
    }
}

#[test]
fn a_copy_may_take_more_of_the_segment_than_the_snapshot_holds() {
    let (disk, _) = journal_of_segments(3);
    let last = scan(&disk, Origin::Genesis).unwrap().last_sequence;
    let first = scan(&disk, Origin::Genesis).unwrap().segments[1].first_sequence;
    let snapshot = snapshot_at(&disk, first);
    let (header, shown) = segment_of(&disk, snapshot);
    let copied = MemoryDisk::default();
    let mut beginning = Journal::begin_at(copied.clone(), SMALL, &header, snapshot).unwrap();
    for (place, bytes) in &shown {
        assert_eq!(beginning.place(), *place);
        beginning.copy(*place, bytes).unwrap();
    }
    let mut copy = beginning.finish().unwrap();
    assert!(copy.appended() > snapshot.sequence);
    copy_all(&disk, last, &mut copy);
    assert_eq!(copy.end(), scan(&disk, Origin::Genesis).unwrap().journal_end());
}

/// A start mark repeats the checksum that the snapshot knows.
#[test]
fn a_copy_begins_with_a_start_mark_after_its_snapshot() {
    let (disk, _) = journal_of_segments(2);
    let snapshot = snapshot_at(&disk, 3);
    let restored = MemoryDisk::default();
    let after = StartAfterSnapshot {
        id: ID,
        number: 4,
        segment_bytes: SMALL.segment_bytes,
        snapshot,
        epoch: 2,
        stamp_ms: 7,
    };
    create_after_snapshot(&restored, &after).unwrap();
    let origin = Origin::Snapshot(snapshot);
    let found = scan(&restored, origin).unwrap();
    let mut journal = Journal::resume(restored.clone(), SMALL, found).unwrap();
    append(&mut journal, 3, &["after"]);
    let header = restored.contents("00000004.segment").unwrap()[..4096].to_vec();
    let copied = MemoryDisk::default();
    let mut beginning = Journal::begin_at(copied.clone(), SMALL, &header, snapshot).unwrap();
    let (tail, _) = RawTail::at_segment_of(&restored, 4).unwrap();
    for (place, bytes) in shown_from(&restored, &tail.end(), 4) {
        beginning.copy(place, &bytes).unwrap();
    }
    let copy = beginning.finish().unwrap();
    assert_eq!(copy.end(), journal.end());
    assert_eq!(scan(&copied, origin).unwrap(), scan(&restored, origin).unwrap());
}

#[test]
fn what_is_no_segment_to_begin_with_is_refused() {
    let (disk, _) = journal_of_segments(3);
    let segments = scan(&disk, Origin::Genesis).unwrap().segments;
    let second = segments[1].first_sequence;
    let snapshot = snapshot_at(&disk, second + 1);
    let (header, shown) = segment_of(&disk, snapshot);
    let begin = |snapshot: SnapshotEnd| -> JournalBeginning<MemoryDisk> {
        Journal::begin_at(MemoryDisk::default(), SMALL, &header, snapshot).unwrap()
    };
    let differs = |told: Result<(), JournalError>| match told {
        Err(JournalError::NotContinued { discontinuity, .. }) => discontinuity,
        other => panic!("{other:?}"),
    };
    let (place, bytes) = &shown[0];
    // A later frame first, damage, and a snapshot that does not reach the segment.
    assert!(matches!(
        differs(begin(snapshot).copy(shown[1].0, bytes)),
        Discontinuity::Place { .. }
    ));
    let mut damaged = bytes.clone();
    damaged[70] ^= 1;
    let mut beginning = begin(snapshot);
    assert_eq!(differs(beginning.copy(*place, &damaged)), Discontinuity::Checksum);
    let told = differs(begin(snapshot_at(&disk, second - 2)).copy(*place, bytes));
    assert_eq!(told, Discontinuity::Sequence { expected: second - 1, found: second });
    // Right after a snapshot, an end mark does not tell whose it is.
    let told = differs(begin(snapshot_at(&disk, second - 1)).copy(*place, bytes));
    assert!(matches!(told, Discontinuity::Chain { .. }), "{told}");
    // A refusal leaves all as it was.
    beginning.copy(*place, bytes).unwrap();
    match beginning.finish() {
        Err(JournalError::SnapshotNotReached { sequence, reached }) => {
            assert_eq!((sequence, reached), (second + 1, second));
        }
        other => panic!("{:?}", other.map(|journal| journal.end())),
    }
    // A snapshot of another history.
    let other = SnapshotEnd { chain: snapshot.chain ^ 1, ..snapshot };
    let mut beginning = begin(other);
    beginning.copy(*place, bytes).unwrap();
    let told = beginning.copy(shown[1].0, &shown[1].1);
    let Err(JournalError::Refused(refusal)) = told else { panic!("{told:?}") };
    assert_eq!(refusal.verdict, Verdict::SnapshotForeign);
    assert_eq!(beginning.place(), shown[1].0);
    // Not a header, and a directory that holds a journal.
    for page in [&header[..100], &[0; 4096][..]] {
        let told = Journal::begin_at(MemoryDisk::default(), SMALL, page, snapshot);
        assert!(matches!(told.err(), Some(JournalError::NotContinued { .. })));
    }
    let told = Journal::begin_at(disk.clone(), SMALL, &header, snapshot).err();
    assert!(matches!(told, Some(JournalError::AlreadyExists { .. })), "{told:?}");
}

#[test]
fn an_end_mark_is_no_frame_to_begin_with() {
    let (disk, _) = journal_of_segments(2);
    let last = scan(&disk, Origin::Genesis).unwrap().last_sequence;
    let snapshot = snapshot_at(&disk, 1);
    let (header, shown) = segment_of(&disk, snapshot);
    let all = shown_from(&disk, &JournalEnd::GENESIS, last);
    let mut beginning = Journal::begin_at(MemoryDisk::default(), SMALL, &header, snapshot).unwrap();
    shown.iter().for_each(|(place, bytes)| beginning.copy(*place, bytes).unwrap());
    let (mark_place, mark) = &all[shown.len() + 1];
    assert_eq!(*mark_place, beginning.place());
    let told = beginning.copy(*mark_place, mark);
    assert!(
        matches!(&told, Err(JournalError::NotContinued { discontinuity, .. })
            if *discontinuity == Discontinuity::HeaderMissing),
        "{told:?}"
    );
    beginning.finish().unwrap();
}

/// A kill anywhere leaves no journal, which can be begun again, or one that is whole.
#[test]
fn a_kill_while_a_copy_begins_leaves_no_journal_or_a_whole_one() {
    let (disk, _) = journal_of_segments(3);
    let last = scan(&disk, Origin::Genesis).unwrap().last_sequence;
    let snapshot =
        snapshot_at(&disk, scan(&disk, Origin::Genesis).unwrap().segments[1].first_sequence + 2);
    let origin = Origin::Snapshot(snapshot);
    for call in 0.. {
        let mortal = MortalDisk::killed_at(MemoryDisk::default(), Some(call));
        let done = begin(&disk, mortal.clone(), snapshot).is_ok();
        let calls = mortal.calls();
        for left in
            [mortal.inner.clone(), mortal.inner.after_power_loss(|_, sector| sector % 3 == 0)]
        {
            let at = format!("call {call}: {:?}", calls.last());
            let is_begun = left.names().unwrap().contains(&"00000002.segment".to_owned());
            assert!(is_begun || !done, "{at}");
            let mut copy = if is_begun {
                let found = scan(&left, origin).unwrap();
                assert_eq!(
                    (found.snapshot_checked, found.last_sequence),
                    (true, snapshot.sequence)
                );
                Journal::resume(left.clone(), SMALL, found).unwrap()
            } else {
                begin(&disk, left.clone(), snapshot).unwrap()
            };
            copy_all(&disk, last, &mut copy);
            check_same_up_to(&copy.end(), &disk, &left, &at);
            assert_eq!(left.names().unwrap().len(), 2, "{at}");
        }
        if calls.len() <= call {
            assert!(done);
            tell_points("begin after a snapshot", &calls);
            for name in [
                "create 00000002.preparing",
                "store into 00000002.preparing",
                "sync 00000002.preparing",
                "rename to 00000002.segment",
                "sync the directory",
            ] {
                assert!(calls.iter().any(|call| call == name), "{name:?} is no point");
            }
            return;
        }
    }
}

#[test]
fn a_place_says_where_it_is() {
    assert_eq!(FramePlace::first_in(3).to_string(), "byte 4096 of segment 3");
}
