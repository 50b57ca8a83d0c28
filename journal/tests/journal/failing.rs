//! Each call to the disk fails once, in everything that the journal does: the failure is told, with
//! what was tried on which file, and what was durable before can still be read.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use doorbuster_journal::{
    Ballast, Disk, Journal, JournalError, MemoryDisk, Origin, SeekResult, SnapshotEnd, Tail, dump,
    journal_id, plan_repair, prune, repair, scan, sequence_at, verify_segment,
};

use crate::support::*;
use doorbuster_test_support::faulty_disk::{FaultyDisk, SAID};

const SECOND: &str = "00000002.segment";

fn copy(disk: &MemoryDisk) -> MemoryDisk {
    disk.after_power_loss(|_, _| true)
}

/// Does the same as often as it calls the disk, another call failing each time, each time on a disk
/// of its own. Gives what failed, as the operator is told; `left` looks at what is left each time.
fn told<T>(
    start: &MemoryDisk,
    act: impl Fn(FaultyDisk) -> Result<T, JournalError>,
    left: impl Fn(&MemoryDisk),
) -> BTreeSet<&'static str> {
    let whole = FaultyDisk::failing_at(copy(start), None);
    assert!(act(whole.clone()).is_ok(), "nothing fails");
    let mut operations = BTreeSet::new();
    for failing in 0..whole.calls() {
        let disk = FaultyDisk::failing_at(copy(start), Some(failing));
        match act(disk.clone()) {
            Err(JournalError::Io { operation, file, cause, .. }) => {
                assert_eq!(cause.to_string(), SAID, "call {failing}");
                assert!(file.starts_with("memory:"), "call {failing}: {file}");
                operations.insert(operation);
            }
            Err(other) => panic!("call {failing}: {other}"),
            Ok(_) => panic!("call {failing} failed and nobody was told"),
        }
        left(&disk.inner);
    }
    operations
}

/// What any failure leaves is a journal with all of these records, or one more, that goes on.
fn check_kept(disk: &MemoryDisk, records: &[Vec<u8>]) {
    let disk = disk.after_power_loss(|_, _| false);
    let (found, content) = read(&disk);
    assert_eq!(content, records);
    let mut journal = Journal::resume(disk.clone(), SMALL, found).unwrap();
    append(&mut journal, 9, &["and on"]);
    assert_eq!(read(&disk).1.len(), records.len() + 1);
}

/// A journal that could not be made can be made or resumed then.
#[test]
fn a_failed_creation_can_be_repeated_or_resumed() {
    let start = MemoryDisk::default();
    // What an interrupted start left is in the way.
    start.put("00000001.preparing", vec![1; 100]);
    let make = |disk: FaultyDisk| Journal::create(disk, SMALL, ID);
    let operations = told(&start, make, |disk| {
        let disk = disk.after_power_loss(|_, _| false);
        match Journal::create(disk.clone(), SMALL, ID) {
            Ok(mut journal) => append(&mut journal, 1, &["first"]),
            Err(JournalError::AlreadyExists { .. }) => check_kept(&disk, &[]),
            Err(other) => panic!("{other}"),
        }
    });
    let all =
        ["allocate", "list", "map", "remove", "rename", "sync", "sync the directory of", "write"];
    assert_eq!(operations, all.into());
}

/// Whoever only reads says what cannot be read and changes nothing.
#[test]
fn readers_name_what_cannot_be_read_and_change_nothing() {
    let (start, content) = journal_of_segments(3);
    let snapshot = Origin::Snapshot(snapshot_at(&start, content.len() as u64 / 2));
    let unchanged = |disk: &MemoryDisk| assert_eq!(read(disk).1, content);
    let reads: BTreeSet<_> = ["list", "measure", "open", "read"].into();

    assert_eq!(told(&start, |disk| scan(&disk, Origin::Genesis), unchanged), reads);
    assert_eq!(told(&start, |disk| scan(&disk, snapshot), unchanged), reads);
    assert_eq!(told(&start, |disk| journal_id(&disk), unchanged), reads);
    assert_eq!(told(&start, |disk| sequence_at(&disk, u64::MAX), unchanged), reads);
    let follow = |disk: FaultyDisk| {
        let SeekResult::Tail(mut tail) = Tail::seek(&disk, 1)? else {
            panic!("nothing was pruned")
        };
        tail.read(&disk, content.len() as u64, &mut |_| ControlFlow::Continue(()))
    };
    assert_eq!(told(&start, follow, unchanged), reads);
    let checked = |disk: FaultyDisk| verify_segment(&disk, 2, None, &mut |_| true);
    let forgets: BTreeSet<_> = ["drop the cached pages of", "measure", "open", "read"].into();
    assert_eq!(told(&start, checked, unchanged), forgets);
}

/// A dump goes past pages that cannot be read: it is for a bad day.
#[test]
fn a_dump_fails_only_if_a_file_cannot_be_opened() {
    let (start, _) = journal_of_segments(2);
    let whole = FaultyDisk::failing_at(copy(&start), None);
    let show = |disk: &FaultyDisk| {
        let mut unreadable = false;
        let shown = dump(disk, &mut |item| {
            unreadable |= ["bad header", "unreadable"].contains(&item.content.label());
            Ok(())
        });
        shown.map(|()| unreadable)
    };
    assert!(!show(&whole).unwrap());
    let mut operations = BTreeSet::new();
    for failing in 0..whole.calls() {
        match show(&FaultyDisk::failing_at(copy(&start), Some(failing))) {
            Err(JournalError::Io { operation, cause, .. }) => {
                assert_eq!(cause.to_string(), SAID);
                operations.insert(operation);
            }
            Err(other) => panic!("call {failing}: {other}"),
            // A block that could not be read was read page by page then, and all was there.
            Ok(_) => assert!(failing > 0, "a list that fails shows nothing"),
        }
    }
    assert_eq!(operations, ["list", "measure", "open"].into());
}

#[test]
fn a_journal_that_could_not_be_resumed_can_be_resumed_then() {
    let (start, content) = journal_of_segments(2);
    // A tail that is dropped, and what an interrupted preparation left.
    let end = read(&start).0.segments[1].end as usize;
    let start = with_changed(&start, SECOND, |bytes| bytes[end + 600..end + 700].fill(7));
    start.put("00000003.preparing", vec![0; 100]);
    let resume = |disk: FaultyDisk| {
        let found = scan(&disk, Origin::Genesis)?;
        assert!(found.dropped.is_some());
        Journal::resume(disk, SMALL, found)
    };
    let operations = told(&start, resume, |disk| check_kept(disk, &content));
    let all = ["list", "map", "measure", "open", "read", "remove", "sync", "write"];
    assert_eq!(operations, all.into());
}

#[test]
fn a_roll_that_fails_loses_nothing_that_was_synced() {
    let (start, content) = journal_of_segments(2);
    let roll = |disk: FaultyDisk| {
        let found = scan(&disk.inner, Origin::Genesis).unwrap();
        let mut journal = Journal::resume(disk, SMALL, found)?;
        for _ in 0..8 {
            journal.begin(1, 1000);
            journal.push(|frame| frame.resize(frame.len() + 30_000, 7))?;
            journal.finish()?;
            journal.sync()?;
        }
        journal.close()
    };
    let operations = told(&start, roll, |disk| {
        let (_, kept) = read(&disk.after_power_loss(|_, _| false));
        assert_eq!(kept[..content.len()], content);
    });
    let all = [
        "allocate",
        "list",
        "map",
        "open",
        "read",
        "remove",
        "rename",
        "sync",
        "sync the directory of",
        "write",
    ];
    assert_eq!(operations, all.into());
}

#[test]
fn a_pruning_that_fails_leaves_what_the_snapshot_needs() {
    let (start, content) = journal_of_segments(4);
    let last = content.len() as u64;
    let snapshot = snapshot_at(&start, last);
    let operations = told(
        &start,
        |disk| prune(&disk, last),
        |disk| {
            let found =
                scan(&disk.after_power_loss(|_, _| false), Origin::Snapshot(snapshot)).unwrap();
            assert_eq!(found.last_sequence, last);
        },
    );
    let all = ["list", "measure", "open", "read", "remove", "sync the directory of"];
    assert_eq!(operations, all.into());
}

/// Each call fails once, to the journal and to the quarantine: every original is in one of the two,
/// and the same repair can be made then. Gives what failed, as the operator is told.
fn check_every_repair(
    damaged: &MemoryDisk,
    snapshot: Option<SnapshotEnd>,
) -> BTreeSet<&'static str> {
    let plan = plan_repair(damaged, snapshot).unwrap().expect("a journal that is refused");
    let lost = plan.first_sequence_lost;
    let mut operations = BTreeSet::new();
    for in_journal in [true, false] {
        for failing in 0.. {
            let (disk, aside) = (copy(damaged), MemoryDisk::default());
            let told_to = |here: bool| (here == in_journal).then_some(failing);
            let journal = FaultyDisk::failing_at(disk.clone(), told_to(true));
            let quarantine = FaultyDisk::failing_at(aside.clone(), told_to(false));
            let done = repair(&journal, &quarantine, &plan, lost);
            if let Err(JournalError::Io { operation, cause, .. }) = &done {
                assert_eq!(cause.to_string(), SAID, "call {failing}");
                operations.insert(*operation);
            }
            for name in damaged.names().unwrap() {
                let original = damaged.contents(&name).unwrap();
                let kept = |disk: &MemoryDisk| disk.contents(&name).is_ok_and(|it| it == original);
                assert!(kept(&disk) || kept(&aside), "call {failing}: {name} is lost");
            }
            if let Some(again) = plan_repair(&disk, snapshot).unwrap() {
                assert!(done.is_err(), "call {failing}: it was called repaired");
                assert_eq!(again.first_sequence_lost, lost, "call {failing}");
                repair(&disk, &aside, &again, lost).unwrap();
            }
            assert_eq!(scan(&disk, plan.origin).unwrap().last_sequence + 1, lost);
            let calls = if in_journal { journal.calls() } else { quarantine.calls() };
            if failing >= calls {
                done.unwrap();
                break;
            }
        }
    }
    operations
}

/// A repair that fails at any call loses no original and can be made then.
#[test]
fn a_failed_repair_loses_no_original_and_can_be_repeated() {
    let (start, _) = journal_of_segments(3);
    let damaged = with_changed(&start, SECOND, |bytes| bytes[50_000] ^= 1);
    let all: BTreeSet<_> = [
        "create",
        "drop the cached pages of",
        "list",
        "measure",
        "open",
        "read",
        "remove",
        "rename",
        "sync",
        "sync the directory of",
        "write",
    ]
    .into();
    assert_eq!(check_every_repair(&damaged, None), all);
    // The frames do not reach the snapshot: what follows it is stored anew.
    let snapshot = snapshot_at(&start, read(&start).0.segments[1].first_sequence + 3);
    assert_eq!(check_every_repair(&damaged, Some(snapshot)), all);
}

/// A plan of a repair says what cannot be read and changes nothing.
#[test]
fn a_plan_names_what_cannot_be_read_and_changes_nothing() {
    let (start, _) = journal_of_segments(3);
    let damaged = with_changed(&start, SECOND, |bytes| bytes[50_000] ^= 1);
    let whole = FaultyDisk::failing_at(copy(&damaged), None);
    let plan = plan_repair(&whole, None).unwrap().expect("a journal that is refused");
    let mut operations = BTreeSet::new();
    for failing in 0..whole.calls() {
        let disk = FaultyDisk::failing_at(copy(&damaged), Some(failing));
        match plan_repair(&disk, None) {
            Err(JournalError::Io { operation, cause, .. }) => {
                assert_eq!(cause.to_string(), SAID);
                operations.insert(operation);
            }
            Err(other) => panic!("call {failing}: {other}"),
            // A block that could not be read was read page by page then, and all was there; a
            // header is one more to mend. Nothing more is given up.
            Ok(found) => {
                let found = found.expect("a journal that is refused");
                let both = (found.first_sequence_lost, found.losses);
                assert_eq!(both, (plan.first_sequence_lost, plan.losses.clone()), "{failing}");
            }
        }
        for name in damaged.names().unwrap() {
            assert_eq!(disk.inner.contents(&name).unwrap(), damaged.contents(&name).unwrap());
        }
    }
    assert_eq!(operations, ["list", "measure", "open", "read"].into());
}

#[test]
fn a_ballast_that_could_not_be_made_or_taken_can_be_then() {
    const BYTES: u64 = 50_000;
    let made = |disk: FaultyDisk| {
        let ballast = Ballast::new(disk, BYTES);
        ballast.restore()?;
        ballast.release()
    };
    let start = MemoryDisk::default();
    // Another size than is wanted.
    start.put("ballast", vec![0; 4096]);
    let operations = told(&start, made, |disk| {
        let ballast = Ballast::new(disk.after_power_loss(|_, _| false), BYTES);
        ballast.restore().unwrap();
        assert!(ballast.is_whole().unwrap());
    });
    let all = ["allocate", "measure", "remove", "rename", "sync", "write"];
    assert_eq!(operations, all.into());
}
