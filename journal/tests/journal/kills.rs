//! `kill -9` between any two steps, and within each: of preparing a segment, going over to it,
//! resuming, pruning, repairing, and keeping the ballast. The next start is right at every one.
//!
//! With `--nocapture` each test prints its points by name.

use std::ops::Range;

use doorbuster_journal::{
    Ballast, Disk, Journal, JournalError, MemoryDisk, Origin, plan_repair, prune, repair, scan,
};

use crate::mortal::{MortalDisk, tell_points};
use crate::support::*;

/// Runs `work` on a fresh disk, killed at each of its calls in turn, and shows what is left each
/// time; at last unhurt. Each name that is told must be among the points.
fn kill_everywhere(
    what: &str,
    named: &[&str],
    fresh: impl Fn() -> MemoryDisk,
    work: impl Fn(&MortalDisk) -> Result<(), JournalError>,
    check: impl Fn(&MemoryDisk, &str, bool),
) {
    for last in 0.. {
        let disk = MortalDisk::killed_at(fresh(), Some(last));
        let done = work(&disk).is_ok();
        let calls = disk.calls();
        let killed = calls.len() == last + 1;
        // A call whose error nobody heeds still ends the process.
        assert!(!done || !killed || calls[last].starts_with("store"), "{what}: {:?}", calls[last]);
        let at = format!("{what}, call {last}: {:?}", calls.last());
        check(&disk.inner, &at, done && !killed);
        if !killed {
            tell_points(what, &calls);
            for name in named {
                assert!(calls.iter().any(|call| call == name), "{what}: {name:?} is no point");
            }
            return;
        }
    }
}

/// Starts from what is left, appends, and reads it all.
fn check_goes_on(disk: &MemoryDisk, expected: Range<usize>, what: &str) {
    let (found, content) = read(disk);
    assert!(expected.contains(&content.len()), "{what}: {} records", content.len());
    let mut journal = match found.id {
        None => Journal::create(disk.clone(), SMALL, ID).unwrap(),
        Some(_) => Journal::resume(disk.clone(), SMALL, found).unwrap(),
    };
    for _ in 0..6 {
        append(&mut journal, 2, &["z".repeat(50_000).as_str()]);
    }
    let (found, after) = read(disk);
    assert_eq!(after[..content.len()], content, "{what}");
    assert_eq!(after.len(), content.len() + 6, "{what}");
    assert_eq!(found.dropped, None, "{what}");
    let left = disk.names().unwrap();
    assert!(!left.iter().any(|name| name.ends_with(".preparing")), "{what}: {left:?}");
}

/// A kill anywhere in the making of a journal leaves one or none.
#[test]
fn a_kill_in_the_creation_leaves_one_journal_or_none() {
    kill_everywhere(
        "make a journal",
        &[
            "create 00000001.preparing",
            "write 00000001.preparing",
            "sync 00000001.preparing",
            "rename to 00000001.segment",
            "sync the directory",
            // An open file goes by the name it was opened under.
            "map 00000001.preparing",
        ],
        MemoryDisk::default,
        |disk| Journal::create(disk.clone(), SMALL, ID).map(drop),
        |left, at, _| check_goes_on(left, 0..1, at),
    );
}

/// Five turns that nearly fill a segment; all are stored, the last one is not synced.
fn nearly_full() -> MemoryDisk {
    let (disk, mut journal) = journal_with(&[]);
    for turn in 0..5 {
        append_unsynced(&mut journal, 1, &["r".repeat(50_000).as_str()]);
        if turn < 4 {
            journal.sync().unwrap();
        }
    }
    disk
}

fn try_append(journal: &mut Journal<MortalDisk>) -> Result<(), JournalError> {
    journal.begin(1, 1);
    journal.push(|frame| frame.extend_from_slice("s".repeat(50_000).as_bytes()))?;
    journal.finish()?;
    journal.sync().map(drop)
}

/// A kill anywhere between resuming and the next segment loses nothing that was stored.
#[test]
fn a_kill_between_resume_and_next_segment_loses_nothing() {
    kill_everywhere(
        "resume, prepare the next segment, go over to it",
        &[
            // A leftover of the process before.
            "remove 00000002.preparing",
            "write 00000001.segment",
            "sync 00000001.segment",
            "map 00000001.segment",
            "create 00000002.preparing",
            "write 00000002.preparing",
            "sync 00000002.preparing",
            "rename to 00000002.segment",
            "sync the directory",
            // An open file goes by the name it was opened under.
            "map 00000002.preparing",
            "store into 00000001.segment",
            "store into 00000002.preparing",
            "sync 00000002.preparing",
        ],
        || {
            let disk = nearly_full();
            disk.put("00000002.preparing", vec![1; 5000]);
            disk
        },
        |disk| {
            let found = scan(disk, Origin::Genesis)?;
            let mut journal = Journal::resume(disk.clone(), SMALL, found)?;
            try_append(&mut journal)?;
            try_append(&mut journal)
        },
        |left, at, done| {
            let expected = if done { 7..8 } else { 5..8 };
            check_goes_on(left, expected, at);
        },
    );
}

/// A kill anywhere in a start that drops a torn tail leaves it to the next one.
#[test]
fn a_kill_while_a_tail_is_dropped_leaves_it_to_the_next_start() {
    let torn = || {
        let disk = nearly_full();
        let end = scan(&disk, Origin::Genesis).unwrap().segments[0].end as usize;
        // Of the last turn, a sector is missing.
        let tail = end - 20_000;
        let sector = tail - tail % 512;
        with_changed(&disk, "00000001.segment", |bytes| bytes[sector..sector + 512].fill(0))
    };
    kill_everywhere(
        "resume behind a torn tail",
        &["write 00000001.segment", "sync 00000001.segment", "sync the directory"],
        torn,
        |disk| {
            let found = scan(disk, Origin::Genesis)?;
            Journal::resume(disk.clone(), SMALL, found).map(drop)
        },
        |left, at, _| check_goes_on(left, 4..5, at),
    );
}

#[test]
fn a_kill_anywhere_in_a_pruning_leaves_what_the_snapshot_needs() {
    let (whole, expected) = journal_of_segments(5);
    let starts: Vec<u64> =
        read(&whole).0.segments.iter().map(|segment| segment.first_sequence).collect();
    let snapshot = snapshot_at(&whole, starts[3] + 1);
    let last = expected.len() as u64;
    kill_everywhere(
        "prune",
        &["remove 00000001.segment", "remove 00000003.segment", "sync the directory"],
        || whole.after_power_loss(|_, _| true),
        |disk| prune(disk, snapshot.sequence).map(drop),
        |left, at, done| {
            let (found, content) = read_from(left, Origin::Snapshot(snapshot));
            assert_eq!((found.last_sequence, found.snapshot_checked), (last, true), "{at}");
            assert_eq!(content.len() as u64, last - snapshot.sequence, "{at}");
            let names = left.names().unwrap();
            assert!(whole.names().unwrap().ends_with(&names), "{at}: a gap in {names:?}");
            assert!(!done || names.len() == 2, "{at}: {names:?}");
            // The next one finishes it.
            prune(left, snapshot.sequence).unwrap();
            assert_eq!(left.names().unwrap().len(), 2, "{at}");
        },
    );
}

/// A kill anywhere in a repair leaves the damaged or the repaired journal and every original.
#[test]
fn a_kill_in_a_repair_leaves_one_journal_and_every_original() {
    let (whole, _) = journal_of_segments(4);
    let third = read(&whole).0.segments[2].first_sequence;
    let name = "00000003.segment";
    let damaged = with_changed(&whole, name, |bytes| bytes[50_000] ^= 1);
    let originals: Vec<(String, Vec<u8>)> = damaged
        .names()
        .unwrap()
        .into_iter()
        .map(|name| (name.clone(), damaged.contents(&name).unwrap()))
        .collect();
    for snapshot in [None, Some(snapshot_at(&whole, third + 3))] {
        let plan = plan_repair(&damaged, snapshot).unwrap().unwrap();
        let named: &[&str] = match snapshot {
            None => &["remove 00000004.segment", "rename to 00000003.segment"],
            Some(_) => &["rename to 00000006.segment", "remove 00000001.segment"],
        };
        let copies = [
            "create 00000003.segment.copying",
            "write 00000003.segment.copying",
            "sync 00000003.segment.copying",
            "rename to 00000003.segment",
            "sync the directory",
        ];
        // The quarantine of a round is looked at by the check of that round.
        let quarantine = std::sync::Mutex::new(MemoryDisk::default());
        kill_everywhere(
            if snapshot.is_some() { "repair behind a snapshot" } else { "repair" },
            &[named, &copies].concat(),
            || damaged.after_power_loss(|_, _| true),
            |disk| {
                let aside = MemoryDisk::default();
                *quarantine.lock().unwrap() = aside.clone();
                let aside = disk.beside(aside);
                repair(disk, &aside, &plan, plan.first_sequence_lost).map(drop)
            },
            |left, at, done| {
                let aside = quarantine.lock().unwrap().clone();
                for (name, bytes) in &originals {
                    let kept = [left, &aside].map(|disk| disk.contents(name).ok());
                    assert!(kept.contains(&Some(bytes.clone())), "{at}: {name} is lost");
                }
                match plan_repair(left, snapshot).unwrap() {
                    None => {}
                    Some(again) => {
                        assert!(!done, "{at}");
                        assert_eq!(again.first_sequence_lost, plan.first_sequence_lost, "{at}");
                        repair(left, &aside, &again, again.first_sequence_lost).unwrap();
                    }
                }
                let durable = aside.after_power_loss(|_, _| false);
                for (name, bytes) in &originals {
                    let kept = [left, &durable].map(|disk| disk.contents(name).ok());
                    assert!(kept.contains(&Some(bytes.clone())), "{at}: {name} can be lost");
                }
                let found = scan(left, plan.origin).unwrap();
                assert_eq!(found.last_sequence + 1, plan.first_sequence_lost, "{at}");
                Journal::resume(left.clone(), SMALL, found).unwrap();
                let names = left.names().unwrap();
                assert!(names.iter().all(|name| name.ends_with(".segment")), "{at}: {names:?}");
            },
        );
    }
}

#[test]
fn a_kill_anywhere_around_the_ballast_leaves_it_whole_or_gone() {
    let ballast = |disk| Ballast::new(disk, 10_000);
    kill_everywhere(
        "make, take and make the ballast",
        &[
            "create ballast.preparing",
            "write ballast.preparing",
            "sync ballast.preparing",
            "rename to ballast",
            "sync the directory",
            "remove ballast",
        ],
        MemoryDisk::default,
        |disk| {
            ballast(disk.clone()).restore()?;
            Ballast::new(disk.clone(), 10_000).release()?;
            ballast(disk.clone()).restore()
        },
        |left, at, done| {
            let again = Ballast::new(left.clone(), 10_000);
            assert!(!done || again.is_whole().unwrap(), "{at}");
            let bytes = left.contents("ballast").unwrap_or_default();
            assert!([0, 10_000].contains(&bytes.len()), "{at}: {} bytes", bytes.len());
            again.restore().unwrap();
            assert_eq!(left.names().unwrap(), ["ballast"], "{at}");
        },
    );
}
