//! Repair: originals aside, losses named and accepted, the longest prefix kept, no crash harmful.

use doorbuster_journal::{
    Disk, FORMAT_VERSION, FileDisk, Journal, JournalError, MemoryDisk, Origin, RepairPlan,
    Repaired, SnapshotEnd, Verdict, plan_repair, repair, scan,
};
use doorbuster_test_support::random::Random;

use crate::support::*;

const FIRST: &str = "00000001.segment";
const SECOND: &str = "00000002.segment";
const THIRD: &str = "00000003.segment";

fn plan(disk: &MemoryDisk, snapshot: Option<SnapshotEnd>) -> RepairPlan {
    plan_repair(disk, snapshot).unwrap().expect("a journal that is refused")
}

/// All files of a disk.
fn files(disk: &MemoryDisk) -> Vec<(String, Vec<u8>)> {
    let names = disk.names().unwrap();
    names.into_iter().map(|name| (name.clone(), disk.contents(&name).unwrap())).collect()
}

fn without(disk: &MemoryDisk, name: &str) -> MemoryDisk {
    let copy = disk.after_power_loss(|_, _| true);
    copy.remove(name).unwrap();
    copy.sync_directory().unwrap();
    copy
}

/// Repairs as planned; asserts that every file that changed is in the quarantine as it was, that
/// the result can be read and appended to, and that it ends where the plan says.
fn repaired(
    disk: &MemoryDisk,
    snapshot: Option<SnapshotEnd>,
) -> (RepairPlan, Repaired, MemoryDisk) {
    let before = files(disk);
    let plan = plan(disk, snapshot);
    assert_eq!(files(disk), before, "planning changes nothing");
    let quarantine = MemoryDisk::default();
    let repaired = repair(disk, &quarantine, &plan, plan.first_sequence_lost).unwrap();
    for (name, bytes) in &before {
        let unchanged = disk.contents(name).is_ok_and(|now| now == *bytes);
        let kept = quarantine.contents(name).is_ok_and(|copy| copy == *bytes);
        assert!(unchanged || kept, "{name} is lost");
        assert_eq!(kept, repaired.copies.contains(&format!("memory:{name}")), "{name}");
    }
    assert_eq!(repaired.scan.last_sequence + 1, plan.first_sequence_lost);
    assert_eq!(repaired.scan.end, Verdict::CleanEnd);
    check_goes_on(&disk.after_power_loss(|_, _| false), plan.origin, plan.first_sequence_lost);
    (plan, repaired, quarantine)
}

/// Appends to what a scan accepts and reads it back.
fn check_goes_on(disk: &MemoryDisk, origin: Origin, next_sequence: u64) {
    let found = scan(disk, origin).unwrap();
    let mut journal = Journal::resume(disk.clone(), SMALL, found).unwrap();
    for _ in 0..20 {
        append(&mut journal, 9, &["-".repeat(20_000).as_str()]);
    }
    let (found, content) = read_from(&disk.after_power_loss(|_, _| false), origin);
    assert_eq!(found.last_sequence, next_sequence + 19);
    let numbers = (next_sequence + 20 - content.len() as u64)..;
    assert!(content.iter().zip(numbers).all(|((sequence, _), expected)| *sequence == expected));
}

#[test]
fn damage_in_the_middle_keeps_exactly_what_is_before_it() {
    let (disk, expected) = journal_of_segments(4);
    let damaged = with_changed(&disk, SECOND, |bytes| bytes[100_000] ^= 1);
    let (plan, repaired, _) = repaired(&damaged, None);
    assert_eq!(plan.refusal.verdict, Verdict::AnsweredDataDamaged);
    assert_eq!(plan.first_sequence_lost, plan.refusal.sequence);
    assert_eq!(plan.last_sequence_seen, expected.len() as u64, "valid frames behind are named");
    let files: Vec<_> = plan.losses.iter().map(|loss| loss.file.as_str()).collect();
    let all = ["memory:00000002.segment", "memory:00000003.segment", "memory:00000004.segment"];
    assert_eq!(files, all);
    assert_eq!(plan.losses[0].offset, plan.refusal.offset);
    assert_eq!(plan.losses[0].sequences.unwrap().0, plan.first_sequence_lost + 1);
    assert_eq!(repaired.copies, all);
    let text = plan.to_string();
    assert!(text.contains(&format!("from sequence {} on", plan.first_sequence_lost)), "{text}");
}

#[test]
fn what_is_accepted_must_be_what_is_lost() {
    let (disk, _) = journal_of_segments(3);
    let damaged = with_changed(&disk, SECOND, |bytes| bytes[100_000] ^= 1);
    let plan = plan(&damaged, None);
    let before = files(&damaged);
    let quarantine = MemoryDisk::default();
    for accepted in [0, plan.first_sequence_lost - 1, plan.first_sequence_lost + 1, u64::MAX] {
        let refused = repair(&damaged, &quarantine, &plan, accepted);
        assert!(matches!(refused, Err(JournalError::NotAccepted { .. })));
    }
    let other = with_changed(&disk, SECOND, |bytes| bytes[50_000] ^= 1);
    let outdated = repair(&other, &quarantine, &plan, plan.first_sequence_lost);
    assert!(matches!(outdated, Err(JournalError::PlanOutdated)));
    let same = repair(&damaged, &damaged.clone(), &plan, plan.first_sequence_lost);
    assert!(matches!(same, Err(JournalError::Quarantine { .. })));
    quarantine.put(SECOND, vec![1, 2, 3]);
    let taken = repair(&damaged, &quarantine, &plan, plan.first_sequence_lost);
    assert!(matches!(taken, Err(JournalError::Quarantine { .. })));
    assert_eq!(files(&damaged), before);
}

#[test]
fn a_journal_that_is_not_refused_is_not_repaired() {
    let (disk, _) = journal_of_segments(2);
    assert_eq!(plan_repair(&disk, None).unwrap(), None);
    assert_eq!(plan_repair(&MemoryDisk::default(), None).unwrap(), None);
}

#[test]
fn an_ambiguous_tail_is_given_up_from_its_sequence_on() {
    let (disk, expected) = journal_of_segments(2);
    let end = read(&disk).0.segments[1].end as usize;
    let damaged = with_changed(&disk, SECOND, |bytes| bytes[end - 20] ^= 1);
    let (plan, ..) = repaired(&damaged, None);
    assert_eq!(plan.refusal.verdict, Verdict::Ambiguous);
    assert_eq!(plan.first_sequence_lost, expected.len() as u64);
    assert_eq!(plan.last_sequence_seen, 0);
}

#[test]
fn headers_and_sizes_are_mended_without_loss() {
    let (disk, expected) = journal_of_segments(3);
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change); 4] = [
        (FIRST, |bytes| bytes[..4096].fill(0)),
        (SECOND, |bytes| bytes[20] ^= 1),
        (FIRST, |bytes| bytes.push(7)),
        (THIRD, |bytes| bytes.truncate(200_000)),
    ];
    for (name, change) in changes {
        let damaged = with_changed(&disk, name, change);
        let (plan, ..) = repaired(&damaged, None);
        assert_eq!(plan.first_sequence_lost, expected.len() as u64 + 1, "{name}");
        assert_eq!(plan.losses, [], "{name}");
    }
    // All at once.
    let mut damaged = disk;
    for (name, change) in [changes[0], changes[1], changes[3]] {
        damaged = with_changed(&damaged, name, change);
    }
    let (plan, ..) = repaired(&damaged, None);
    assert_eq!(plan.first_sequence_lost, expected.len() as u64 + 1);
}

#[test]
fn a_missing_segment_is_replaced_by_an_empty_one() {
    let (disk, _) = journal_of_segments(4);
    let starts = read(&disk).0.segments;
    for number in 1..=4 {
        let name = format!("{number:08}.segment");
        let (plan, ..) = repaired(&without(&disk, &name), None);
        assert_eq!(plan.first_sequence_lost, starts[number - 1].first_sequence);
        assert!(plan.losses.iter().any(|loss| loss.file.ends_with(&name)), "{plan}");
    }
}

#[test]
fn what_is_not_of_this_journal_is_moved_away() {
    let (disk, expected) = journal_of_segments(3);
    let copy = disk.after_power_loss(|_, _| true);
    copy.put("7.segment", b"strange".to_vec());
    copy.put("8.segment", Vec::new());
    let (plan, _, quarantine) = repaired(&copy, None);
    assert_eq!(plan.first_sequence_lost, expected.len() as u64 + 1);
    assert_eq!(quarantine.contents("7.segment").unwrap(), b"strange");
    let mixed = with_changed(&disk, SECOND, |bytes| *bytes = foreign_segment(&[]));
    let second = read(&disk).0.segments[1].first_sequence;
    assert_eq!(repaired(&mixed, None).0.first_sequence_lost, second);
}

#[test]
fn another_version_and_a_journal_without_a_name_are_left_alone() {
    let (disk, _) = journal_of_segments(2);
    let newer = with_changed(&disk, SECOND, |bytes| {
        bytes[8..12].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&bytes[..12]);
        hasher.update(&bytes[16..4096]);
        bytes[12..16].copy_from_slice(&hasher.finalize().to_le_bytes());
    });
    let nameless = MemoryDisk::default();
    nameless.put(FIRST, vec![0xEE; 300_000]);
    let snapshot = snapshot_at(&disk, 3);
    let cases = [
        (newer, None),
        (nameless, None),
        (MemoryDisk::default(), Some(snapshot)),
        (disk, Some(SnapshotEnd { chain: !snapshot.chain, ..snapshot })),
    ];
    for (disk, snapshot) in cases {
        let before = files(&disk);
        let refused = plan_repair(&disk, snapshot);
        assert!(matches!(refused, Err(JournalError::NotRepairable { .. })), "{refused:?}");
        assert_eq!(files(&disk), before);
    }
}

#[test]
fn a_snapshot_ahead_of_the_damage_is_continued_from() {
    let (disk, expected) = journal_of_segments(4);
    let third = read(&disk).0.segments[2].first_sequence;
    let damaged = with_changed(&disk, THIRD, |bytes| bytes[50_000] ^= 1);
    // The snapshot ends before the damage: what lies between is kept.
    let before = snapshot_at(&disk, third);
    let (plan, ..) = repaired(&damaged, Some(before));
    assert_eq!(plan.first_sequence_lost, third + 1);
    // The snapshot holds what is damaged: the journal starts anew right after it, and nothing is
    // lost.
    let behind = snapshot_at(&disk, third + 3);
    let damaged = with_changed(&disk, THIRD, |bytes| bytes[50_000] ^= 1);
    let (plan, repaired, _) = repaired(&damaged, Some(behind));
    assert_eq!((plan.first_sequence_lost, plan.last_sequence_seen), (expected.len() as u64 + 1, 0));
    check_behind(&damaged, behind, &expected);
    assert_eq!(damaged.names().unwrap()[0], "00000006.segment");
    assert_eq!(repaired.scan.last_epoch, 1);
    // It is of no use to an older snapshot, or to none.
    for origin in [Origin::Genesis, Origin::Snapshot(before)] {
        assert_eq!(refusal_from(&damaged, origin).verdict, Verdict::SegmentMissing);
    }
}

/// What is read after the snapshot is what was written there, and what [`check_goes_on`] appended.
fn check_behind(disk: &MemoryDisk, snapshot: SnapshotEnd, expected: &[Vec<u8>]) {
    let (_, content) = read_from(disk, Origin::Snapshot(snapshot));
    assert_eq!(content.first().map(|(sequence, _)| *sequence), Some(snapshot.sequence + 1));
    for (sequence, record) in content {
        assert_eq!(Some(&record), expected.get(sequence as usize - 1), "{sequence}");
    }
}

#[test]
fn what_follows_a_snapshot_is_kept_up_to_the_next_damage() {
    let (disk, expected) = journal_of_segments(4);
    let starts = read(&disk).0.segments;
    let (second, third) = (starts[1].first_sequence, starts[2].first_sequence);
    let damaged = with_changed(&disk, SECOND, |bytes| bytes[50_000] ^= 1);
    let damaged = with_changed(&damaged, THIRD, |bytes| bytes[200_000] ^= 1);
    let snapshot = snapshot_at(&disk, second + 4);
    let (plan, repaired, _) = repaired(&damaged, Some(snapshot));
    assert_eq!(plan.refusal.verdict, Verdict::AnsweredDataDamaged);
    assert_eq!(plan.first_sequence_lost, third + 6);
    let lost: Vec<_> = plan.losses.iter().filter_map(|loss| loss.sequences).collect();
    let last = expected.len() as u64;
    assert_eq!(lost, [(third + 7, starts[3].first_sequence - 1), (starts[3].first_sequence, last)]);
    assert_eq!(repaired.scan.segments.len(), 2, "{:?}", repaired.scan.segments);
    check_behind(&damaged, snapshot, &expected);
}

/// Where nothing follows a snapshot the journal starts with its mark.
#[test]
fn a_journal_that_ends_with_its_snapshot_starts_with_a_mark() {
    let (disk, expected) = journal_of_segments(3);
    let last = expected.len() as u64;
    let end = read(&disk).0.segments[2].end as usize;
    let damaged = with_changed(&disk, THIRD, |bytes| bytes[end - 20] ^= 1);
    let damaged = with_changed(&damaged, SECOND, |bytes| bytes[50_000] ^= 1);
    let snapshot = snapshot_at(&disk, last - 1);
    let damaged = with_changed(&damaged, THIRD, |bytes| bytes[4096 + 100] ^= 1);
    let (plan, repaired, _) = repaired(&damaged, Some(snapshot));
    assert_eq!(plan.first_sequence_lost, last);
    assert_eq!(damaged.names().unwrap(), ["00000005.segment"]);
    assert_eq!(repaired.scan.snapshot_end(), snapshot);
}

#[test]
fn a_snapshot_ahead_of_the_journals_end_is_continued_from() {
    let (disk, expected) = journal_of_segments(2);
    let snapshot = SnapshotEnd { sequence: expected.len() as u64 + 10, chain: 77 };
    let (plan, _, quarantine) = repaired(&disk, Some(snapshot));
    assert_eq!(plan.first_sequence_lost, snapshot.sequence + 1);
    assert_eq!(plan.last_sequence_seen, 0, "the snapshot holds everything");
    assert_eq!(quarantine.names().unwrap().len(), 2);
}

#[test]
fn a_start_mark_is_shown_to_nobody() {
    let (disk, _) = journal_of_segments(2);
    let snapshot = SnapshotEnd { sequence: 100, chain: 77 };
    repaired(&disk, Some(snapshot));
    doorbuster_journal::scan_with(&disk, Origin::Snapshot(snapshot), &mut |frame| {
        panic!("shown: {frame:?}")
    })
    .map(drop)
    .unwrap();
}

/// Cuts the power after every number of calls, on both directories; then tries again.
fn check_every_crash(damaged: &MemoryDisk, snapshot: Option<SnapshotEnd>) {
    let originals = files(damaged);
    let plan = plan(damaged, snapshot);
    for (cut_quarantine, persists) in [(true, false), (true, true), (false, false), (false, true)] {
        for calls in 0.. {
            let disk = damaged.after_power_loss(|_, _| true);
            let quarantine = MemoryDisk::default();
            let cut = if cut_quarantine { &quarantine } else { &disk };
            cut.lose_power_after(calls);
            let done = repair(&disk, &quarantine, &plan, plan.first_sequence_lost).is_ok();
            let disk = disk.after_power_loss(|_, _| persists);
            let quarantine = quarantine.after_power_loss(|_, _| persists);
            let what = format!("after {calls} calls, quarantine {cut_quarantine}");
            for (name, bytes) in &originals {
                let left = disk.contents(name).is_ok_and(|left| left == *bytes);
                let kept = quarantine.contents(name).is_ok_and(|kept| kept == *bytes);
                assert!(left || kept, "{name} is lost {what}");
            }
            match plan_repair(&disk, snapshot).unwrap() {
                None => {}
                Some(again) => {
                    assert!(!done, "{what}");
                    assert_eq!(again.first_sequence_lost, plan.first_sequence_lost, "{what}");
                    repair(&disk, &quarantine, &again, again.first_sequence_lost).unwrap();
                }
            }
            let found = scan(&disk, plan.origin).unwrap();
            assert_eq!(found.last_sequence + 1, plan.first_sequence_lost, "{what}");
            if done {
                break;
            }
        }
    }
}

/// A crash at any step leaves the damaged or the repaired journal and every original.
#[test]
fn a_crash_leaves_one_journal_and_every_original() {
    let (disk, _) = journal_of_segments(4);
    let third = read(&disk).0.segments[2].first_sequence;
    let middle = with_changed(&disk, THIRD, |bytes| bytes[50_000] ^= 1);
    check_every_crash(&middle, None);
    // What follows the snapshot fills one new segment, then more than one.
    check_every_crash(&middle, Some(snapshot_at(&disk, third + 3)));
    let second = read(&disk).0.segments[1].first_sequence;
    let earlier = with_changed(&disk, SECOND, |bytes| bytes[50_000] ^= 1);
    check_every_crash(&earlier, Some(snapshot_at(&disk, second + 3)));
    check_every_crash(&without(&disk, SECOND), None);
    let mended = with_changed(&disk, SECOND, |bytes| bytes[..4096].fill(0));
    check_every_crash(&with_changed(&mended, FIRST, |bytes| bytes.push(1)), None);
}

/// The first header is gone, and what tells whose journal it was goes.
#[test]
fn a_crash_never_takes_what_tells_whose_journal_it_is() {
    let (disk, _) = journal_of_segments(2);
    let nameless = with_changed(&disk, FIRST, |bytes| {
        bytes[..4096].fill(0);
        bytes[100_000] ^= 1;
    });
    check_every_crash(&nameless, None);
    // Nothing stays at all.
    check_every_crash(&without(&disk, FIRST), None);
}

/// Whatever is refused is repaired to an exact prefix or left alone.
#[test]
fn a_refused_journal_becomes_an_exact_prefix_or_stays() {
    let (disk, expected) = journal_of_segments(3);
    let last = expected.len() as u64;
    let (mut repairs, mut anew) = (0, 0);
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let mut damaged = disk.after_power_loss(|_, _| true);
        for _ in 0..1 + random.next() % 2 {
            let name = format!("{:08}.segment", 1 + random.next() % 3);
            damaged = with_changed(&damaged, &name, |bytes| {
                let start = (random.next() % bytes.len() as u64) as usize;
                let end = bytes.len().min(start + 1 + (random.next() % 9000) as usize);
                match random.next() % 4 {
                    0 => bytes.truncate(start),
                    1 => bytes[start..end].fill(0),
                    2 => bytes[start..end].fill_with(|| random.next() as u8),
                    _ => bytes[..4096].fill_with(|| random.next() as u8),
                }
            });
        }
        let snapshot =
            random.next().is_multiple_of(2).then(|| snapshot_at(&disk, 1 + random.next() % last));
        match plan_repair(&damaged, snapshot) {
            Ok(None) => continue,
            Ok(Some(_)) => repairs += 1,
            Err(error) => panic!("seed {seed}: {error}"),
        }
        let copy = damaged.after_power_loss(|_, _| true);
        let (plan, ..) = repaired(&copy, snapshot);
        let held = snapshot.map_or(0, |snapshot| snapshot.sequence);
        assert!(plan.first_sequence_lost > held, "seed {seed}");
        anew += u64::from(copy.names().unwrap()[0] == "00000005.segment");
        let (_, content) = read_from(&copy, plan.origin);
        for (sequence, record) in content {
            assert_eq!(record, expected[sequence as usize - 1], "seed {seed}");
        }
    }
    assert!(repairs > 50 && anew > 3, "{repairs} repairs, {anew} anew");
}

#[test]
fn real_directories_are_repaired() {
    let (journal_at, aside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = |directory: &tempfile::TempDir| FileDisk::open(directory.path()).unwrap();
    let mut journal = Journal::create(open(&journal_at), SMALL, ID).unwrap();
    for _ in 0..20 {
        append(&mut journal, 1, &["-".repeat(30_000).as_str()]);
    }
    drop(journal);
    let path = journal_at.path().join(FIRST);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100_000] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    std::fs::write(journal_at.path().join("x.segment"), b"").unwrap();
    let disk = open(&journal_at);
    let plan = plan_repair(&disk, None).unwrap().unwrap();
    let repaired = repair(&disk, &open(&aside), &plan, plan.first_sequence_lost).unwrap();
    assert_eq!(repaired.scan.last_sequence, 3);
    assert_eq!(repaired.copies.len(), 4);
    assert_eq!(std::fs::read(aside.path().join(FIRST)).unwrap(), bytes);
    let same = plan_repair(&disk, None).unwrap();
    assert_eq!(same, None);
}
