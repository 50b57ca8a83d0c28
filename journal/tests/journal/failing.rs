//! Each call to the disk fails once, in everything that the journal does: the failure is told, with
//! what was tried on which file, and what was durable before can still be read.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use doorbuster_journal::{
    Ballast, Journal, JournalError, MemoryDisk, Origin, Sought, Tail, dump, journal_id, prune,
    scan, sequence_at, verify_segment,
};

use crate::faulty::{FaultyDisk, SAID};
use crate::support::*;

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

#[test]
fn a_journal_that_could_not_be_made_can_be_made_or_resumed_then() {
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

#[test]
fn whoever_only_reads_says_what_cannot_be_read_and_changes_nothing() {
    let (start, content) = journal_of_segments(3);
    let image = Origin::Image(image_at(&start, content.len() as u64 / 2));
    let unchanged = |disk: &MemoryDisk| assert_eq!(read(disk).1, content);
    let reads: BTreeSet<_> = ["list", "measure", "open", "read"].into();

    assert_eq!(told(&start, |disk| scan(&disk, Origin::Genesis), unchanged), reads);
    assert_eq!(told(&start, |disk| scan(&disk, image), unchanged), reads);
    assert_eq!(told(&start, |disk| journal_id(&disk), unchanged), reads);
    assert_eq!(told(&start, |disk| sequence_at(&disk, u64::MAX), unchanged), reads);
    let follow = |disk: FaultyDisk| {
        let Sought::Tail(mut tail) = Tail::seek(&disk, 1)? else { panic!("nothing was pruned") };
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
fn a_pruning_that_fails_leaves_what_the_image_needs() {
    let (start, content) = journal_of_segments(4);
    let last = content.len() as u64;
    let image = image_at(&start, last);
    let operations = told(
        &start,
        |disk| prune(&disk, last),
        |disk| {
            let found = scan(&disk.after_power_loss(|_, _| false), Origin::Image(image)).unwrap();
            assert_eq!(found.last_sequence, last);
        },
    );
    let all = ["list", "measure", "open", "read", "remove", "sync the directory of"];
    assert_eq!(operations, all.into());
}

#[test]
fn a_ballast_that_could_not_be_made_or_taken_can_be_then() {
    const BYTES: u64 = 50_000;
    let made = |disk: FaultyDisk| {
        let ballast = Ballast::new(disk, BYTES);
        ballast.restore()?;
        ballast.take()
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
