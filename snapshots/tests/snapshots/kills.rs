//! `kill -9` between any two steps, and within each write, of taking a snapshot and letting old
//! ones go: what was done stays, names and all, and nothing cleans up. The next start has a whole
//! snapshot, and the next snapshot is taken.
//!
//! With `--nocapture` the points are printed by name.

use std::io;
use std::sync::{Arc, Mutex};

use doorbuster_journal::{Disk, MemoryDisk};
use doorbuster_snapshots::{
    BLOCK_PAYLOAD_BYTES_MAX, Keep, Meta, SnapshotError, newest_valid, no_pause, prune,
    remove_leftovers, snapshot_name,
};

use crate::support::*;
use crate::watched::WatchedDisk;

/// What a server does for a snapshot: removes leftovers, writes, keeps two.
fn take<D: Disk>(disk: &D, meta: Meta, payload: &[u8]) -> Result<(), SnapshotError> {
    remove_leftovers(disk)?;
    write(disk, meta, payload)?;
    prune(disk, ID, Keep::Newest(2), no_pause).map(drop)
}

/// Three snapshots are there, and what a process before left of a fourth.
fn before() -> MemoryDisk {
    let disk = MemoryDisk::default();
    for sequence in [1, 2, 3] {
        add(&disk, sequence, &sequence.to_le_bytes());
    }
    disk.put("image-00000000000000000004.writing", vec![1; 5000]);
    disk
}

/// The disk of a process that is killed at this call, and the calls it came to.
fn killed_at(last: usize) -> (WatchedDisk, Arc<Mutex<Vec<&'static str>>>) {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let disk = WatchedDisk::new(before(), move |call| {
        if call.number > last || (call.number == last && call.done) {
            return Err(io::Error::other("killed"));
        }
        if !call.done {
            seen.lock().unwrap().push(call.operation);
        }
        if call.number == last { Err(io::Error::other("killed")) } else { Ok(()) }
    });
    (disk, calls)
}

/// What is left has a whole newest snapshot, never a damaged one, and takes the next.
fn check_left(left: &MemoryDisk, newest: &Meta, payload: &[u8], done: bool, at: &str) {
    let found = newest_valid(left, ID, |_| Ok(())).unwrap();
    assert!(found.passed_over.is_empty(), "{at}: {:?}", found.passed_over);
    let sequence = found.snapshot.expect(at).0.meta.sequence;
    assert!([3, newest.sequence].contains(&sequence), "{at}: {sequence}");
    assert!(!done || sequence == newest.sequence, "{at}");
    // The next process finds nothing new to write if the snapshot is there, and prunes again.
    if sequence == newest.sequence {
        remove_leftovers(left).unwrap();
        prune(left, ID, Keep::Newest(2), no_pause).unwrap();
    } else {
        take(left, newest.clone(), payload).unwrap_or_else(|error| panic!("{at}: {error}"));
    }
    assert_eq!(left.names().unwrap(), [snapshot_name(3), snapshot_name(newest.sequence)], "{at}");
    let (meta, read) = read(left, &snapshot_name(newest.sequence)).unwrap();
    assert!(meta == *newest && read == payload, "{at}");
}

/// A kill anywhere in the taking of a snapshot leaves whole ones and the next is taken.
#[test]
fn a_kill_leaves_whole_snapshots_and_the_next_one_is_written() {
    let payload = noise(BLOCK_PAYLOAD_BYTES_MAX + 1000);
    let newest = meta(9, &payload);
    for last in 0.. {
        let (disk, calls) = killed_at(last);
        let taken = take(&disk, newest.clone(), &payload);
        let calls = calls.lock().unwrap().clone();
        // A snapshot that cannot be opened is passed over by a pruning, which is no error.
        let done = taken.is_ok() && calls.len() <= last;
        let at = format!("call {last}: {:?}", calls.last());
        check_left(&disk.inner, &newest, &payload, done, &at);
        if done {
            println!("taking a snapshot: killed at each of {} points", calls.len());
            calls.chunk_by(|one, other| one == other).for_each(|same| {
                println!("  {:>5} x {}", same.len(), same[0]);
            });
            for named in
                ["names", "create", "write", "sync", "rename", "sync_directory", "read", "remove"]
            {
                assert!(calls.contains(&named), "{named} is no point");
            }
            return;
        }
    }
}
