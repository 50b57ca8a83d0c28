//! Frames that one journal made, stored by another: byte for byte, or not at all.

use std::ops::ControlFlow;

use doorbuster_journal::{
    Discontinuity, Disk, FramePlace, Journal, JournalEnd, JournalError, MemoryDisk, Options,
    Origin, RawTail, SEGMENT_BYTES_MIN, Spare, prune, scan, verify_end,
};
use doorbuster_test_support::random::Random;

use crate::pair::*;
use crate::support::*;

/// Turns of three records each, over several segments and epochs, with a seal after every fourth.
fn written(turns: u32) -> (MemoryDisk, Journal<MemoryDisk>) {
    let (disk, mut journal) = journal_with(&[]);
    write(&mut journal, 1..=turns);
    (disk, journal)
}

fn write(journal: &mut Journal<MemoryDisk>, turns: std::ops::RangeInclusive<u32>) {
    let long = "x".repeat(15_000);
    for turn in turns {
        append(journal, turn / 10 + 1, &[&format!("{turn} {long}"), "b", "c"]);
        if turn.is_multiple_of(4) {
            journal.seal(turn / 10 + 1, 1, b"totals").unwrap();
            journal.sync().unwrap();
        }
    }
}

fn check_same_files(one: &MemoryDisk, other: &MemoryDisk) {
    assert_eq!(one.names().unwrap(), other.names().unwrap());
    for name in one.names().unwrap() {
        assert!(one.contents(&name).unwrap() == other.contents(&name).unwrap(), "{name}");
    }
}

#[test]
fn a_copy_of_every_frame_has_the_same_bytes() {
    let (disk, journal) = written(40);
    assert!(journal.segments() > 2);
    let (copied, mut copy) = whole_copy(&disk, journal.appended());
    check_same_files(&disk, &copied);
    assert_eq!(copy.end(), journal.end());
    assert_eq!(copy.history(), journal.history());
    assert_eq!((copy.appended(), copy.id()), (journal.appended(), journal.id()));
    assert_eq!((copy.bytes(), copy.segments()), (journal.bytes(), journal.segments()));
    assert_eq!(copy.sync().unwrap(), journal.appended());
    let found = scan(&copied.after_power_loss(|_, _| false), Origin::Genesis).unwrap();
    assert_eq!(found, scan(&disk, Origin::Genesis).unwrap());
    assert_eq!(copy.watermark(), found.vouched);
}

#[test]
fn a_copy_can_stop_at_any_frame_and_go_on_after_a_restart() {
    let (disk, journal) = written(24);
    let frames = shown_from(&disk, &JournalEnd::GENESIS, journal.appended()).len();
    let copied = MemoryDisk::default();
    let mut copy = copy_from_genesis(&disk, copied.clone(), SMALL);
    for _ in 0..frames {
        copy_some(&disk, journal.appended(), &mut copy, 1).unwrap();
        // A header alone leaves nothing behind that a restart finds.
        copy_some(&disk, journal.appended(), &mut copy, 2).unwrap();
        copy.close().unwrap();
        let found = scan(&copied, Origin::Genesis).unwrap();
        copy = Journal::resume(copied.clone(), SMALL, found).unwrap();
    }
    check_same_files(&disk, &copied);
    assert_eq!(copy.end(), journal.end());
}

#[test]
fn a_copy_that_takes_over_appends_and_is_copied_in_turn() {
    let (mut disk, mut journal) = written(10);
    let (mut copied, mut copy) = whole_copy(&disk, journal.appended());
    for epoch in 10..14 {
        append(&mut copy, epoch, &["r".repeat(50_000).as_str()]);
        append(&mut copy, epoch, &["r".repeat(50_000).as_str()]);
        copy_all(&copied, copy.appended(), &mut journal);
        std::mem::swap(&mut copy, &mut journal);
        std::mem::swap(&mut copied, &mut disk);
    }
    check_same_files(&disk, &copied);
    assert_eq!(copy.history(), journal.history());
    let epochs: Vec<_> = copy.history().epochs.iter().map(|start| start.epoch).collect();
    assert_eq!(epochs, [1, 2, 10, 11, 12, 13]);
}

#[test]
fn segments_of_a_copy_have_the_size_that_travels() {
    let large = Options { segment_bytes: 2 * SEGMENT_BYTES_MIN };
    let (disk, journal) = written(40);
    let copied = MemoryDisk::default();
    let mut copy = copy_from_genesis(&disk, copied.clone(), large);
    copy_all(&disk, journal.appended(), &mut copy);
    check_same_files(&disk, &copied);
    // Its own size is for what it appends itself.
    for _ in 0..12 {
        append(&mut copy, 9, &["r".repeat(50_000).as_str()]);
    }
    let found = scan(&copied, Origin::Genesis).unwrap();
    assert_eq!(found.segments.last().unwrap().bytes, large.segment_bytes);
}

/// A spare of another size, made by a thread or found by a start, is made anew.
#[test]
fn a_spare_of_another_size_is_replaced_before_the_end_mark() {
    let large = Options { segment_bytes: 2 * SEGMENT_BYTES_MIN };
    let (disk, journal) = written(40);
    let copied = MemoryDisk::default();
    let mut copy = copy_from_genesis(&disk, copied.clone(), large);
    copy.start_allocator().unwrap();
    wait_for_spare(&mut copy);
    copy.close().unwrap();
    let found = scan(&copied, Origin::Genesis).unwrap();
    assert_eq!(found.spare(), Some(2));
    assert_eq!(copied.contents("00000002.segment").unwrap().len() as u64, large.segment_bytes);
    let mut copy = Journal::resume(copied.clone(), large, found).unwrap();
    copy.start_allocator().unwrap();
    loop {
        match copy_some(&disk, journal.appended(), &mut copy, usize::MAX) {
            Ok(_) => break,
            Err(JournalError::NoSpare) => {
                std::thread::yield_now();
                let free = copy.free_space();
                assert!(free.spare != Spare::Failed, "{:?}", copy.take_spare_failure());
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(copy.end(), journal.end());
    copy.close().unwrap();
    check_same_up_to(&journal.end(), &disk, &copied, "all");
}

/// Everything that a journal holds and says of itself.
fn condition(disk: &MemoryDisk, journal: &Journal<MemoryDisk>) -> (Vec<Vec<u8>>, JournalEnd) {
    let names = disk.names().unwrap();
    (names.iter().map(|name| disk.contents(name).unwrap()).collect(), journal.end())
}

#[test]
fn each_way_in_which_a_frame_does_not_continue_is_refused() {
    let (disk, journal) = written(4);
    let (copied, mut copy) = whole_copy(&disk, 3);
    let shown = shown_from(&disk, &copy.end(), journal.appended());
    let (place, bytes) = shown[0].clone();
    let (second_place, second) = shown[1].clone();
    let before = condition(&copied, &copy);
    let changed = |at: usize, bit: u8| {
        let mut changed = bytes.clone();
        changed[at] ^= bit;
        changed
    };
    // The same records, made elsewhere.
    let forged = |id, records: &[&str], epoch| {
        let disk = MemoryDisk::default();
        let mut journal = Journal::create(disk.clone(), SMALL, id).unwrap();
        records.iter().for_each(|record| append(&mut journal, epoch, &[record]));
        shown_from(&disk, &JournalEnd::GENESIS, journal.appended())
    };
    let other_journal = forged(doorbuster_journal::JournalId([9; 16]), &["a"], 1);
    let offset = |offset| FramePlace { offset, ..place };
    let segment = FramePlace { segment: 2, ..place };
    let expected = place;
    let cases: Vec<(&str, FramePlace, Vec<u8>, Discontinuity)> = vec![
        ("no bytes", place, vec![], Discontinuity::Length { bytes: 0 }),
        ("zeros", place, vec![0; 64], Discontinuity::Length { bytes: 64 }),
        ("cut", place, bytes[..64].to_vec(), Discontinuity::Length { bytes: 64 }),
        (
            "two frames",
            place,
            [bytes.clone(), second.clone()].concat(),
            Discontinuity::Length { bytes: bytes.len() + second.len() },
        ),
        ("a flipped bit", place, changed(100, 4), Discontinuity::Checksum),
        (
            "a flipped bit of the trailer",
            place,
            changed(bytes.len() - 1, 1),
            Discontinuity::Checksum,
        ),
        ("the frame after", second_place, second.clone(), Discontinuity::Place { expected }),
        (
            "another offset",
            offset(place.offset + 8),
            bytes.clone(),
            Discontinuity::Place { expected },
        ),
        ("another segment", segment, bytes.clone(), Discontinuity::Place { expected }),
        ("the frame after, here", place, second, Discontinuity::Checksum),
        ("another journal's", place, other_journal[0].1.clone(), Discontinuity::Checksum),
    ];
    for (what, place, bytes, discontinuity) in cases {
        let refused = copy.copy(place, &bytes);
        let told = match refused {
            Err(JournalError::NotContinued { place: told, discontinuity }) if told == place => {
                discontinuity
            }
            other => panic!("{what}: {other:?}"),
        };
        assert_eq!(told, discontinuity, "{what}");
        assert!(condition(&copied, &copy) == before, "{what}: something was changed");
    }
    // What continues still does.
    copy_all(&disk, journal.appended(), &mut copy);
    assert_eq!(copy.end(), journal.end());
}

/// Frames of the same journal and place that continue another past.
#[test]
fn a_frame_of_another_past_is_refused_for_what_differs() {
    let make = |records: &[&[&str]], epochs: &[u32]| {
        let (disk, mut journal) = journal_with(&[]);
        for (records, epoch) in records.iter().zip(epochs) {
            append(&mut journal, *epoch, records);
        }
        (disk, journal)
    };
    let (disk, _) = make(&[&["one"]], &[5]);
    let refused = |records: &[&[&str]], epochs: &[u32]| {
        let (copied, mut copy) = whole_copy(&disk, 1);
        let before = condition(&copied, &copy);
        let (other, journal) = make(records, epochs);
        let shown = shown_from(&other, &JournalEnd::GENESIS, journal.appended());
        let (place, bytes) = shown.last().unwrap();
        let error = copy.copy(*place, bytes).unwrap_err();
        assert!(condition(&copied, &copy) == before, "something was changed");
        assert!(error.to_string().contains("does not continue"), "{error}");
        match error {
            JournalError::NotContinued { discontinuity, .. } => discontinuity,
            other => panic!("{other}"),
        }
    };
    let chain = refused(&[&["two"], &["two"]], &[5, 5]);
    assert!(matches!(chain, Discontinuity::Chain { expected, found } if expected != found));
    // Two short records take as much space as one of their length.
    let sequence = refused(&[&["", ""], &["two"]], &[5, 5]);
    assert_eq!(sequence, Discontinuity::Sequence { expected: 2, found: 3 });
    let epoch = refused(&[&["one"], &["two"]], &[5, 4]);
    assert_eq!(epoch, Discontinuity::Epoch { newest: 5, found: 4 });
}

#[test]
fn an_end_mark_is_taken_only_after_the_header_it_leads_to() {
    let (disk, journal) = written(20);
    let shown = shown_from(&disk, &JournalEnd::GENESIS, journal.appended());
    let mark = 1 + shown.iter().position(|(place, _)| place.offset == 0).unwrap();
    let copied = MemoryDisk::default();
    let mut copy = copy_from_genesis(&disk, copied.clone(), SMALL);
    copy_some(&disk, journal.appended(), &mut copy, mark - 2).unwrap();
    let before = condition(&copied, &copy);
    let mut refused = |place: FramePlace, bytes: &[u8]| {
        let told = match copy.copy(place, bytes) {
            Err(JournalError::NotContinued { discontinuity, .. }) => discontinuity,
            other => panic!("{other:?}"),
        };
        assert!(condition(&copied, &copy) == before, "something was changed");
        told
    };
    let (header_place, header) = &shown[mark - 1];
    let (mark_place, mark_bytes) = &shown[mark];
    assert_eq!(refused(*mark_place, mark_bytes), Discontinuity::HeaderMissing);
    let third = FramePlace { segment: 3, offset: 0 };
    let expected = *header_place;
    assert_eq!(refused(third, header), Discontinuity::Place { expected });
    assert_eq!(refused(expected, &header[..4000]), Discontinuity::Length { bytes: 4000 });
    let header_of = |id, number: &str| {
        let other = MemoryDisk::default();
        let mut journal = Journal::create(other.clone(), SMALL, id).unwrap();
        for _ in 0..8 {
            append(&mut journal, 1, &["r".repeat(50_000).as_str()]);
        }
        other.contents(number).unwrap()[..4096].to_vec()
    };
    let mut damaged = header.clone();
    damaged[33] ^= 1;
    let foreign = doorbuster_journal::JournalId([9; 16]);
    for page in [
        damaged,
        vec![0; 4096],
        header_of(ID, "00000001.segment"),
        header_of(foreign, "00000002.segment"),
    ] {
        let told = refused(expected, &page);
        assert!(matches!(told, Discontinuity::Header { number: 2, .. }), "{told}");
    }
    // The right header, and then the mark, which is synced.
    copy.copy(*header_place, header).unwrap();
    copy.copy(*mark_place, mark_bytes).unwrap();
    assert_eq!(copy.synced(), copy.appended());
    let cut = copied.after_power_loss(|_, _| false);
    let found = scan(&cut, Origin::Genesis).unwrap();
    assert_eq!(found.journal_end(), copy.end());
    assert_eq!(found.journal_end().place, FramePlace::first_in(2));
}

/// Whatever comes from a network: refused without a change, or exactly what continues.
#[test]
fn any_bytes_in_any_place_are_refused_or_continue() {
    let (disk, journal) = written(12);
    let shown = shown_from(&disk, &JournalEnd::GENESIS, journal.appended());
    let (mut refused, mut taken) = (0, 0);
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let mut draw = |count: usize| (random.next() % count as u64) as usize;
        let copied = MemoryDisk::default();
        let mut copy = copy_from_genesis(&disk, copied.clone(), SMALL);
        copy_some(&disk, journal.appended(), &mut copy, draw(shown.len())).unwrap();
        let (mut place, mut bytes) = shown[draw(shown.len())].clone();
        if draw(4) > 0 {
            place = copy.end().place;
        }
        if draw(8) == 0 {
            place = FramePlace { segment: place.segment + 1, offset: 0 };
        }
        let at = draw(bytes.len());
        match draw(6) {
            0 => bytes[at] ^= 1 << draw(8),
            1 => bytes.truncate(at),
            2 => bytes[at..].fill(0),
            3 => bytes.rotate_left(at),
            _ => {}
        }
        let before = condition(&copied, &copy);
        let end = copy.end();
        match copy.copy(place, &bytes) {
            Err(JournalError::NotContinued { .. }) => {
                refused += 1;
                assert!(condition(&copied, &copy) == before, "seed {seed}: something was changed");
            }
            Ok(()) if place.offset == 0 => assert_eq!(copy.end(), end),
            Ok(()) => {
                taken += 1;
                assert!(shown.contains(&(place, bytes)), "seed {seed}");
                assert!(copy.end().place > end.place);
            }
            Err(error) => panic!("seed {seed}: {error}"),
        }
        copy_all(&disk, journal.appended(), &mut copy);
        check_same_files(&disk, &copied);
    }
    assert!(refused > 1_000 && taken > 20, "{refused} refused, {taken} taken");
}

/// A copy that catches up is told that much is settled which it has not synced.
#[test]
fn a_copy_that_catches_up_is_never_refused_after_a_power_cut() {
    let (disk, journal) = written(12);
    let frames = shown_from(&disk, &JournalEnd::GENESIS, journal.appended()).len();
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let copied = MemoryDisk::default();
        let mut copy = copy_from_genesis(&disk, copied.clone(), SMALL);
        copy_some(&disk, journal.appended(), &mut copy, random.place(frames)).unwrap();
        let cut = copied.after_power_loss(|_, _| random.once_in(2));
        let found = scan(&cut, Origin::Genesis).unwrap_or_else(|error| panic!("{seed}: {error}"));
        let copy = Journal::resume(cut.clone(), SMALL, found).unwrap();
        check_same_up_to(&copy.end(), &disk, &cut, &format!("seed {seed}"));
    }
}

#[test]
fn a_copy_whose_sync_failed_takes_nothing_more() {
    let (disk, journal) = written(2);
    let (copied, mut copy) = whole_copy(&disk, 3);
    copy_all(&disk, journal.appended(), &mut copy);
    copied.fail_syncs(1);
    assert!(matches!(copy.sync(), Err(JournalError::Io { .. })));
    let refused = copy.copy(copy.end().place, &[]);
    assert!(matches!(refused, Err(JournalError::Poisoned)), "{refused:?}");
}

#[test]
fn a_raw_tail_shows_what_is_stored_again_until_it_is_taken() {
    let (disk, mut journal) = written(20);
    let all = shown_from(&disk, &JournalEnd::GENESIS, journal.appended());
    let mut tail = RawTail::at(&disk, &JournalEnd::GENESIS).unwrap();
    let mut taken = Vec::new();
    let mut headers = 0;
    while tail.end() != journal.end() {
        // One frame at a time. A header that was shown alone comes again with its end mark.
        let mut frames = 0;
        tail.read(&disk, journal.appended(), &mut |place, bytes| {
            if frames == 1 {
                return ControlFlow::Break(());
            }
            headers += usize::from(place.offset == 0);
            if place.offset == 0 && headers % 2 == 1 {
                return ControlFlow::Break(());
            }
            frames += usize::from(place.offset > 0);
            taken.push((place, bytes.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    }
    assert!(taken == all);
    assert!(headers >= 2);
    // A frame is shown whole or not at all, a seal as soon as it is stored.
    let appended = journal.appended();
    append_unsynced(&mut journal, 9, &["one", "two"]);
    assert_eq!(shown_from(&disk, &tail.end(), appended).len(), 0);
    assert_eq!(shown_from(&disk, &tail.end(), appended + 1).len(), 0);
    assert_eq!(shown_from(&disk, &tail.end(), appended + 2).len(), 1);
    journal.seal(9, 9, b"").unwrap();
    assert_eq!(shown_from(&disk, &tail.end(), appended + 2).len(), 2);
}

/// A stored frame that does not continue the one before is damage, and not for others.
#[test]
fn a_raw_tail_shows_no_frame_of_another_past() {
    let make = |first: &str| {
        let (disk, mut journal) = journal_with(&[first]);
        append(&mut journal, 1, &["two"]);
        disk.contents("00000001.segment").unwrap()
    };
    let (one, mut other) = (make("one"), make("own"));
    let disk = MemoryDisk::default();
    disk.put("00000001.segment", one.clone());
    let frames = shown_from(&disk, &JournalEnd::GENESIS, 2);
    let second = frames[1].0.offset as usize;
    other[..second].copy_from_slice(&one[..second]);
    disk.put("00000001.segment", other);
    let mut tail = RawTail::at(&disk, &JournalEnd::GENESIS).unwrap();
    let mut shown = 0;
    let mut read = |appended| {
        tail.read(&disk, appended, &mut |_, _| {
            shown += 1;
            ControlFlow::Continue(())
        })
    };
    read(1).unwrap();
    let told = read(2);
    let Err(JournalError::Io { cause, .. }) = told else { panic!("{told:?}") };
    assert_eq!(cause.kind(), std::io::ErrorKind::InvalidData);
    assert_eq!(shown, 1);
}

#[test]
fn a_raw_tail_begins_only_at_an_end_that_the_journal_had() {
    let (disk, journal) = written(20);
    let ends = ends_of(&disk, journal.appended());
    assert!(ends.iter().any(|end| end.place == FramePlace::first_in(2)));
    for end in &ends {
        verify_end(&disk, end).unwrap();
        assert_eq!(RawTail::at(&disk, end).unwrap().end(), *end);
        let offset = end.place.offset;
        for wrong in [
            JournalEnd { sequence: end.sequence + 1, ..*end },
            JournalEnd { chain: end.chain ^ 1, ..*end },
            JournalEnd { place: FramePlace { offset: offset + 8, ..end.place }, ..*end },
            JournalEnd { place: FramePlace { offset: 8, ..end.place }, ..*end },
        ] {
            let told = RawTail::at(&disk, &wrong).err();
            assert!(matches!(told, Some(JournalError::NotContinued { .. })), "{wrong}: {told:?}");
        }
    }
    // After an end mark, a journal goes on in the next segment.
    let first_in_second = ends.iter().find(|end| end.place.segment == 2).unwrap();
    let mark = ends.iter().rfind(|end| end.place.segment == 1).unwrap();
    let after = FramePlace { segment: 1, offset: mark.place.offset + 80 };
    let told = verify_end(&disk, &JournalEnd { place: after, ..*first_in_second });
    assert!(matches!(told, Err(JournalError::NotContinued { .. })), "{told:?}");
}

#[test]
fn a_raw_tail_of_what_was_pruned_is_told_as_not_there() {
    let (disk, mut journal) = written(40);
    journal.seal(9, 9, &[]).unwrap();
    journal.sync().unwrap();
    let ends = ends_of(&disk, journal.appended());
    prune(&disk, journal.appended() - 4).unwrap();
    let told = RawTail::at(&disk, &ends[3]).err();
    let Some(JournalError::Io { cause, .. }) = told else { panic!("{told:?}") };
    assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
    let told = RawTail::at_segment_of(&disk, 1).err();
    let Some(JournalError::Io { cause, .. }) = told else { panic!("{told:?}") };
    assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
    // The first segment that is left stands for what it continues.
    let oldest = scan_oldest(&disk);
    let first = ends.iter().find(|end| end.place == FramePlace::first_in(oldest)).unwrap();
    assert_eq!(RawTail::at(&disk, first).unwrap().end(), *first);
}

fn scan_oldest(disk: &MemoryDisk) -> u64 {
    disk.names().unwrap()[0].trim_end_matches(".segment").parse().unwrap()
}
