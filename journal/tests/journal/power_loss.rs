//! Power cuts, kills and failed syncs: what was synced stays, what was not goes as a whole.

use std::collections::BTreeSet;

use doorbuster_journal::{Journal, JournalError, MemoryDisk, Origin, Verdict, scan};

use doorbuster_test_support::random::Random;

use crate::support::*;

/// Two synced turns, then a batch of turns that is not synced. Returns how many records are synced.
fn with_unsynced_batch(turns: &[usize]) -> (MemoryDisk, Vec<Vec<u8>>, usize) {
    let (disk, mut journal) = journal_with(&["one"]);
    append(&mut journal, 1, &["two", "three"]);
    for (turn, &bytes) in turns.iter().enumerate() {
        let record = char::from(b'a' + turn as u8).to_string().repeat(bytes);
        append_unsynced(&mut journal, 1, &[&record]);
    }
    let content = read(&disk).1;
    (disk, content, 3)
}

/// Which sectors would be lost if nothing persisted by chance.
fn unsynced_sectors(disk: &MemoryDisk) -> Vec<(String, u64)> {
    let mut sectors = BTreeSet::new();
    disk.after_power_loss(|name, sector| sectors.insert((name.to_owned(), sector)));
    sectors.into_iter().collect()
}

/// After this power cut: a prefix with everything synced, which can be appended to for good.
fn check_survival(cut: &MemoryDisk, expected: &[Vec<u8>], synced: usize, what: &str) {
    let (found, mut content) = try_read(cut).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(expected.starts_with(&content), "{what}: other content");
    assert!(content.len() >= synced, "{what}: {} of {synced} synced records", content.len());
    let vouched = found.vouched;
    assert!(vouched <= found.last_sequence, "{what}");
    let mut journal = Journal::resume(cut.clone(), SMALL, found).unwrap();
    // As long as one of the lost ones, so that a remnant after it would line up.
    append(&mut journal, 2, &["z".repeat(400).as_str()]);
    content.push("z".repeat(400).into_bytes());
    let cut_again = cut.after_power_loss(|_, _| false);
    let (found, after) = read(&cut_again);
    assert_eq!(after, content, "{what}: appended after resuming");
    assert_eq!(found.end, Verdict::CleanEnd, "{what}");
}

#[test]
fn any_sectors_of_an_unsynced_batch_may_reach_the_disk() {
    let (disk, expected, synced) = with_unsynced_batch(&[400, 900, 400, 30, 30, 1200, 400]);
    let sectors = unsynced_sectors(&disk);
    assert!((6..=12).contains(&sectors.len()), "{} sectors", sectors.len());
    for subset in 0..1_u64 << sectors.len() {
        let persists = |name: &str, sector: u64| {
            let at = sectors.iter().position(|known| (known.0.as_str(), known.1) == (name, sector));
            subset & (1 << at.unwrap()) != 0
        };
        let cut = disk.after_power_loss(persists);
        check_survival(&cut, &expected, synced, &format!("sectors {subset:b} of {sectors:?}"));
    }
}

#[test]
fn any_pages_of_large_unsynced_frames_may_reach_the_disk() {
    let (disk, expected, synced) = with_unsynced_batch(&[9000, 400, 20_000, 50_000, 4000]);
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let pages: u64 = random.next() & random.next();
        let keeps = random.next().is_multiple_of(2);
        let cut = disk.after_power_loss(|_, sector| (pages >> (sector / 8 % 64) & 1 == 1) == keeps);
        check_survival(&cut, &expected, synced, &format!("seed {seed}"));
    }
}

#[test]
fn a_frame_behind_a_gap_is_dropped_with_the_gap_and_announced() {
    let (disk, _, _) = with_unsynced_batch(&[600, 600, 600]);
    let third = scan(&disk, Origin::Genesis).unwrap().segments[0].end - 672;
    let cut = disk.after_power_loss(|_, sector| sector >= third / 512);
    let found = scan(&cut, Origin::Genesis).unwrap();
    assert_eq!((found.end, found.last_sequence, found.vouched), (Verdict::ReorderedTail, 3, 1));
    let dropped = found.dropped.unwrap();
    assert_eq!((dropped.first_sequence_lost, dropped.frames), (4, 1));
    assert_eq!(dropped.file, "memory:00000001.segment");
    // From the first frame that is missing to the end of the one after the gap.
    assert_eq!((dropped.offset, dropped.bytes), (third - 2 * 672, 3 * 672));
}

#[test]
fn a_kill_loses_nothing_that_was_stored() {
    let (disk, expected, _) = with_unsynced_batch(&[400, 900]);
    let (found, content) = read(&disk);
    assert_eq!(content, expected);
    assert_eq!((found.vouched, found.last_sequence), (3, 5));
    // What was only in memory is on disk once the journal is resumed: it may be answered now.
    drop(Journal::resume(disk.clone(), SMALL, found).unwrap());
    assert_eq!(read(&disk.after_power_loss(|_, _| false)).1, expected);
}

#[test]
fn a_failed_sync_ends_the_journal() {
    let (disk, mut journal) = journal_with(&["one"]);
    append_unsynced(&mut journal, 1, &["two"]);
    disk.fail_syncs(1);
    assert!(matches!(journal.sync(), Err(JournalError::Io { operation: "sync", .. })));
    assert_eq!((journal.synced(), journal.appended()), (1, 2));
    assert!(matches!(journal.sync(), Err(JournalError::Poisoned)));
    assert!(matches!(journal.push(|_| {}), Err(JournalError::Poisoned)));
    assert!(matches!(journal.finish(), Err(JournalError::Poisoned)));
    assert!(matches!(journal.seal(1, 1, b""), Err(JournalError::Poisoned)));
    journal.close().unwrap();
}

/// What a failed sync left in memory is stored again by the next start.
#[test]
fn the_next_start_stores_again_what_a_failed_sync_left() {
    let (disk, expected, _) = with_unsynced_batch(&[400, 9000, 400]);
    let mut journal =
        Journal::resume(disk.clone(), SMALL, scan(&disk, Origin::Genesis).unwrap()).unwrap();
    append_unsynced(&mut journal, 2, &["last"]);
    disk.fail_syncs(1);
    assert!(journal.sync().is_err());
    drop(journal);
    let lost = disk.after_power_loss(|_, _| true);
    assert_eq!(read(&lost).1, expected, "the pages are clean, the disk is stale");
    drop(Journal::resume(disk.clone(), SMALL, scan(&disk, Origin::Genesis).unwrap()).unwrap());
    let kept = read(&disk.after_power_loss(|_, _| false)).1;
    assert_eq!(kept[..expected.len()], expected);
    assert_eq!(kept.last().unwrap(), b"last");
}

#[test]
fn a_roll_whose_sync_fails_loses_nothing_over_the_next_start() {
    let (disk, mut journal) = journal_with(&[]);
    let record = "r".repeat(50_000);
    for _ in 0..5 {
        append_unsynced(&mut journal, 1, &[&record]);
    }
    journal.start_allocator().unwrap();
    wait_for_spare(&mut journal);
    disk.fail_syncs(1);
    journal.begin(1, 1);
    journal.push(|frame| frame.extend_from_slice(record.as_bytes())).unwrap();
    assert!(matches!(journal.finish(), Err(JournalError::Io { operation: "sync", .. })));
    assert!(matches!(journal.finish(), Err(JournalError::Poisoned)));
    journal.close().unwrap();

    // The end mark is readable and the successor empty: both segments may be stale on disk.
    let found = scan(&disk, Origin::Genesis).unwrap();
    assert_eq!((found.segments.len(), found.last_sequence, found.vouched), (2, 5, 0));
    let mut journal = Journal::resume(disk.clone(), SMALL, found).unwrap();
    append(&mut journal, 2, &["after"]);
    let (found, content) = read(&disk.after_power_loss(|_, _| false));
    assert_eq!((found.segments.len(), content.len()), (2, 6));
}

/// An end mark after a gap is dropped and the spare used again.
#[test]
fn an_end_mark_after_a_gap_goes_and_the_spare_is_used_again() {
    let (disk, mut journal) = journal_with(&[]);
    let record = "r".repeat(50_000);
    append(&mut journal, 1, &[&record]);
    for _ in 0..4 {
        append_unsynced(&mut journal, 1, &[&record]);
    }
    journal.start_allocator().unwrap();
    wait_for_spare(&mut journal);
    drop(journal);
    let found = scan(&disk, Origin::Genesis).unwrap();
    let end_sector = found.segments[0].end / 512;
    // Everything but the second frame's middle reached the disk.
    let cut = disk.after_power_loss(|_, sector| sector > 120 || sector == end_sector);
    let found = scan(&cut, Origin::Genesis).unwrap();
    assert_eq!(
        (found.end, found.last_sequence, found.spare()),
        (Verdict::ReorderedTail, 1, Some(2))
    );
    let mut journal = Journal::resume(cut.clone(), SMALL, found).unwrap();
    for _ in 0..8 {
        append(&mut journal, 2, &[&record]);
    }
    let (found, content) = read(&cut.after_power_loss(|_, _| false));
    assert_eq!((content.len(), found.segments.len(), found.spare()), (9, 2, None));
}

#[test]
fn a_journal_survives_a_power_cut_right_after_it_was_created() {
    let (disk, _) = journal_with(&[]);
    let found = scan(&disk.after_power_loss(|_, _| false), Origin::Genesis).unwrap();
    assert_eq!(found.id, Some(ID));
}

#[test]
fn a_power_cut_at_any_turn_keeps_what_was_synced() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let (disk, mut journal) = journal_with(&[]);
        let (mut expected, mut synced) = (Vec::new(), 0);
        for _ in 0..random.next() % 30 {
            let record = vec![1 + (random.next() % 250) as u8; (random.next() % 30_000) as usize];
            journal.begin(1, 1);
            journal.push(|frame| frame.extend_from_slice(&record)).unwrap();
            journal.finish().unwrap();
            expected.push(record);
            if random.next().is_multiple_of(3) {
                synced = journal.sync().unwrap() as usize;
            }
            synced = synced.max(journal.synced() as usize);
        }
        let cut = disk.after_power_loss(|_, _| random.next().is_multiple_of(2));
        check_survival(&cut, &expected, synced, &format!("seed {seed}"));
    }
}
