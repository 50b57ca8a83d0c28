//! Pruning keeps what it says, and removes nothing before what stays was read.

use std::io;
use std::ops::ControlFlow;

use doorbuster_journal::{Disk, MemoryDisk};
use doorbuster_snapshots::{
    FORMAT_VERSION, Keep, Meta, Pruned, SnapshotError, no_pause, prune, snapshot_name,
};

use crate::support::*;
use crate::watched::WatchedDisk;

fn snapshots(sequences: &[u64]) -> MemoryDisk {
    let disk = MemoryDisk::default();
    sequences.iter().for_each(|&sequence| add(&disk, sequence, &sequence.to_le_bytes()));
    disk
}

fn prune_to<D: Disk>(disk: &D, snapshots: usize) -> Result<Pruned, SnapshotError> {
    prune(disk, ID, Keep::Newest(snapshots), no_pause)
}

fn names(sequences: &[u64]) -> Vec<String> {
    sequences.iter().map(|&sequence| snapshot_name(sequence)).collect()
}

#[test]
fn the_newest_stay_and_the_older_go() {
    let disk = snapshots(&[10, 20, 30, 40, 50]);
    let pruned = prune_to(&disk, 3).unwrap();
    assert_eq!((pruned.kept, pruned.removed), (vec![50, 40, 30], vec![10, 20]));
    let pruned = prune_to(&disk, 2).unwrap();
    assert_eq!(pruned.oldest_kept(), Some(40));
    assert_eq!(pruned.removed, [30]);
    assert!(pruned.passed_over.is_empty());
    assert_eq!(disk.after_power_loss(|_, _| false).names().unwrap(), names(&[40, 50]));
    assert!(prune_to(&disk, 2).unwrap().removed.is_empty());
}

#[test]
fn all_are_verified_and_stay_if_all_are_kept() {
    let disk = snapshots(&[10, 20, 30]);
    change(&disk, 10, |snapshot| snapshot[4104] ^= 1);
    let pruned = prune(&disk, ID, Keep::All, no_pause).unwrap();
    assert_eq!((&pruned.kept[..], pruned.oldest_kept()), (&[30, 20][..], Some(20)));
    assert_eq!(pruned.passed_over[0].sequence, 10);
    assert_eq!(disk.names().unwrap(), names(&[10, 20, 30]));
}

#[test]
fn the_journal_may_not_rest_on_a_single_snapshot() {
    let disk = snapshots(&[]);
    assert_eq!(prune_to(&disk, 2).unwrap().oldest_kept(), None);
    add(&disk, 10, b"one");
    let pruned = prune_to(&disk, 2).unwrap();
    assert_eq!((&pruned.kept[..], pruned.oldest_kept()), (&[10][..], None));
    for snapshots in [0, 1] {
        let error = prune_to(&disk, snapshots).unwrap_err();
        assert!(matches!(error, SnapshotError::Keep { .. }), "{error}");
    }
}

#[test]
fn nothing_goes_while_the_newest_is_damaged() {
    for at in [0, 4104] {
        let disk = snapshots(&[10, 20, 30, 40]);
        change(&disk, 40, |snapshot| snapshot[at] ^= 1);
        let error = prune_to(&disk, 2).unwrap_err();
        assert!(matches!(error, SnapshotError::Damaged { .. }), "{error}");
        assert_eq!(disk.names().unwrap(), names(&[10, 20, 30, 40]));
    }
}

#[test]
fn a_damaged_snapshot_does_not_count_as_kept() {
    let disk = snapshots(&[10, 20, 30, 40]);
    change(&disk, 30, |snapshot| snapshot[4104] ^= 1);
    let pruned = prune_to(&disk, 2).unwrap();
    assert_eq!((&pruned.kept[..], pruned.oldest_kept()), (&[40, 20][..], Some(20)));
    assert_eq!(pruned.removed, [10]);
    assert_eq!(pruned.passed_over[0].sequence, 30);
    assert_eq!(disk.names().unwrap(), names(&[20, 30, 40]), "the damaged one is for a person");
}

/// An old snapshot that says whose it is goes although its blocks are damaged.
#[test]
fn an_old_snapshot_goes_although_its_blocks_are_damaged() {
    let disk = snapshots(&[10, 20, 30, 40]);
    change(&disk, 20, |snapshot| snapshot[4104] ^= 1);
    change(&disk, 10, |snapshot| snapshot[0] ^= 1);
    let pruned = prune_to(&disk, 2).unwrap();
    assert_eq!(pruned.removed, [20]);
    assert_eq!(pruned.passed_over[0].sequence, 10);
    assert_eq!(disk.names().unwrap(), names(&[10, 30, 40]));
}

#[test]
fn snapshots_of_other_journals_are_neither_counted_nor_removed() {
    let disk = snapshots(&[10, 20, 30]);
    for sequence in [5, 25, 99] {
        let meta = Meta { journal: OTHER_ID, ..meta(sequence, b"theirs") };
        write(&disk, meta, b"theirs").unwrap();
    }
    let pruned = prune_to(&disk, 2).unwrap();
    assert_eq!((pruned.kept, pruned.removed), (vec![30, 20], vec![10]));
    assert!(pruned.passed_over.is_empty());
    assert_eq!(disk.names().unwrap(), names(&[5, 20, 25, 30, 99]));
}

#[test]
fn nothing_goes_beside_a_snapshot_of_a_newer_version() {
    let disk = snapshots(&[10, 20, 30, 40]);
    change(&disk, 10, |snapshot| {
        snapshot[8..12].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
        seal_header(snapshot);
    });
    assert!(matches!(prune_to(&disk, 2), Err(SnapshotError::NewerVersion { .. })));
    assert_eq!(disk.names().unwrap().len(), 4);
}

#[test]
fn a_stopped_pruning_removes_nothing() {
    let disk = snapshots(&[10, 20, 30]);
    let stopped = prune(&disk, ID, Keep::Newest(2), || ControlFlow::Break(()));
    assert!(matches!(stopped, Err(SnapshotError::Stopped { .. })));
    assert_eq!(disk.names().unwrap().len(), 3);
}

#[test]
fn a_failure_or_power_cut_at_any_call_leaves_what_is_kept() {
    let whole = WatchedDisk::new(snapshots(&[10, 20, 30, 40]), |_| Ok(()));
    prune_to(&whole, 2).unwrap();
    for failing in 0..whole.calls() {
        let memory = snapshots(&[10, 20, 30, 40]);
        let disk = WatchedDisk::new(memory.clone(), move |call| {
            if call.number == failing { Err(io::Error::other("medium error")) } else { Ok(()) }
        });
        // What cannot be read is passed over, and stays.
        let stays = match prune_to(&disk, 2) {
            Ok(pruned) => {
                let passed = pruned.passed_over.iter().map(|snapshot| snapshot.sequence);
                pruned.kept.iter().copied().chain(passed).collect()
            }
            Err(_) => vec![30, 40],
        };
        for left in [memory.clone(), memory.after_power_loss(|_, _| false)] {
            let left = left.names().unwrap();
            for name in names(&stays) {
                assert!(left.contains(&name), "call {failing}: {left:?}");
            }
        }
    }
}

#[test]
fn an_interrupted_removal_leaves_the_newest_without_a_gap() {
    for failing in ["remove", "sync_directory"] {
        let memory = snapshots(&[10, 20, 30, 40, 50]);
        let mut removals = 0;
        let disk = WatchedDisk::new(memory.clone(), move |call| {
            removals += usize::from(call.operation == "remove" && !call.done);
            let fails = call.operation == failing && (failing != "remove" || removals == 2);
            if fails && !call.done { Err(io::Error::other("medium error")) } else { Ok(()) }
        });
        assert!(matches!(prune_to(&disk, 2), Err(SnapshotError::Io { .. })));
        let left = memory.names().unwrap();
        assert!(names(&[10, 20, 30, 40, 50]).ends_with(&left), "{failing}: {left:?}");
        assert_eq!(left.len(), if failing == "remove" { 4 } else { 2 });
        // The next one finishes it.
        assert_eq!(prune_to(&memory, 2).unwrap().kept, [50, 40]);
        assert_eq!(memory.names().unwrap(), names(&[40, 50]));
    }
}
