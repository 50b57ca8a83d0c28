//! Power cuts at every step of writing a snapshot: none is there, or a whole one.

use std::io;

use doorbuster_journal::{Disk, MemoryDisk};
use doorbuster_snapshots::{
    BLOCK_PAYLOAD_BYTES_MAX, SnapshotWriter, list, no_pause, remove_leftovers, snapshot_name,
    verify,
};

use crate::support::*;
use crate::watched::WatchedDisk;

/// After this power cut: the old snapshot, and the new one whole or not at all; no third file once
/// the leftovers are gone. Says whether the new one is there.
fn check_survival(cut: &MemoryDisk, what: &str) -> bool {
    remove_leftovers(cut).unwrap();
    let snapshots = list(cut, ID).unwrap();
    let names = cut.names().unwrap();
    assert_eq!(snapshots.len(), names.len(), "{what}: {names:?}");
    for snapshot in &snapshots {
        verify(cut, &snapshot.name).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    assert_eq!(snapshots.last().unwrap().sequence, 1, "{what}");
    snapshots.len() == 2
}

/// Cuts the power before and after every call while a second snapshot is written, letting different
/// unsynced sectors reach the disk. With `names_at_once`, names reach it without being asked to.
fn cut_everywhere(payload_bytes: usize, names_at_once: bool) {
    let (memory, _) = disk_with(1, b"the snapshot before");
    let inner = memory.clone();
    let disk = WatchedDisk::new(memory, move |call| {
        if names_at_once && call.done {
            inner.sync_directory()?;
        }
        let patterns: [fn(u64) -> bool; 5] = [
            |_| false,
            |_| true,
            |sector| sector < 8,
            |sector| sector >= 8,
            |sector| sector.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63 == 1,
        ];
        for (pattern, persists) in patterns.into_iter().enumerate() {
            let cut = inner.after_power_loss(|_, sector| persists(sector));
            check_survival(&cut, &format!("pattern {pattern} at {call:?}"));
        }
        io::Result::Ok(())
    });
    let payload = noise(payload_bytes);
    write(&disk, meta(2, &payload), &payload).unwrap();
    assert!(check_survival(&disk.inner.after_power_loss(|_, _| false), "finished"));
}

#[test]
fn a_cut_at_any_step_leaves_a_whole_snapshot_or_none() {
    for payload_bytes in [0, 100, BLOCK_PAYLOAD_BYTES_MAX, BLOCK_PAYLOAD_BYTES_MAX + 100_000] {
        cut_everywhere(payload_bytes, false);
        cut_everywhere(payload_bytes, true);
    }
}

#[test]
fn an_unfinished_file_is_no_snapshot_even_under_the_name_of_one() {
    let payload = noise(BLOCK_PAYLOAD_BYTES_MAX + 100);
    let memory = MemoryDisk::default();
    let inner = memory.clone();
    let disk = WatchedDisk::new(memory, move |call| {
        // Before the header is written, which is the last write of all.
        if call.operation == "sync" && !call.done {
            let copy = MemoryDisk::default();
            let written = inner.contents("image-00000000000000000002.writing")?;
            let header = written[..HEADER_BYTES].iter().any(|&byte| byte != 0);
            copy.put(&snapshot_name(2), written);
            assert_eq!(verify(&copy, &snapshot_name(2)).is_ok(), header, "{call:?}");
        }
        io::Result::Ok(())
    });
    write(&disk, meta(2, &payload), &payload).unwrap();
}

/// What a killed writer left is removed on request or by the next writer.
#[test]
fn leftovers_go_on_request_or_with_the_next_writer() {
    let (disk, _) = disk_with(1, b"the snapshot before");
    let leave = |sequence| {
        let mut writer = SnapshotWriter::begin(&disk, meta(sequence, b"1234"), no_pause).unwrap();
        writer.append(b"12").unwrap();
        std::mem::forget(writer);
    };
    leave(2);
    leave(3);
    disk.put("00000004.preparing", Vec::new());
    disk.put("image-5.writing", Vec::new());
    assert_eq!(list(&disk, ID).unwrap().len(), 1);
    add(&disk, 2, b"whole");
    assert_eq!(remove_leftovers(&disk).unwrap(), 1);
    assert_eq!(remove_leftovers(&disk).unwrap(), 0);
    let others = ["00000004.preparing".to_owned(), "image-5.writing".to_owned()];
    let left = [others[0].clone(), snapshot_name(1), snapshot_name(2), others[1].clone()];
    let names = disk.after_power_loss(|_, _| true).names().unwrap();
    assert_eq!(names, left, "only what a writer of snapshots names is removed");
}
