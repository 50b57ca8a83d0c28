//! A disk that fails at any call: no snapshot, nothing left behind, and an error that says what.

use std::io;
use std::ops::ControlFlow;

use doorbuster_journal::{Disk, MemoryDisk};
use doorbuster_snapshots::{
    BLOCK_PAYLOAD_BYTES_MAX, SnapshotError, SnapshotWriter, list, newest_valid, no_pause,
    snapshot_name, verify,
};

use crate::support::*;
use crate::watched::WatchedDisk;

const WRITING: &str = "image-00000000000000000002.writing";

fn payload() -> Vec<u8> {
    noise(BLOCK_PAYLOAD_BYTES_MAX + 1000)
}

/// A disk with an older snapshot, whose call of this number fails.
fn failing_at(failing: usize, kind: io::ErrorKind) -> WatchedDisk {
    let (memory, _) = disk_with(1, b"the snapshot before");
    WatchedDisk::new(memory, move |call| {
        if call.number == failing && !call.done { Err(kind.into()) } else { Ok(()) }
    })
}

fn operation(error: &SnapshotError) -> &'static str {
    match error {
        SnapshotError::Io { operation, .. } => operation,
        SnapshotError::ReadBack { cause } => operation(cause),
        other => panic!("{other}"),
    }
}

/// A failure at any call leaves no snapshot and no file and says what failed.
#[test]
fn a_failure_at_any_call_leaves_no_file_and_names_the_call() {
    let payload = payload();
    let whole = failing_at(usize::MAX, io::ErrorKind::Other);
    write(&whole, meta(2, &payload), &payload).unwrap();
    let mut operations = Vec::new();
    for failing in 0..whole.calls() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
            let disk = failing_at(failing, kind);
            let error = write(&disk, meta(2, &payload), &payload).unwrap_err();
            let names = disk.inner.names().unwrap();
            assert_eq!(names, [snapshot_name(1)], "call {failing}: {error}");
            assert!(error.to_string().contains("memory:image-00000000000000000002."), "{error}");
            assert!(error.to_string().ends_with(&io::Error::from(kind).to_string()), "{error}");
            operations.push(operation(&error));
        }
    }
    operations.dedup();
    assert_eq!(
        operations,
        [
            "look for",
            "remove",
            "reserve the space of",
            // The first block; the second with the trailer; the header.
            "write",
            "sync",
            "write",
            "sync",
            "write",
            "sync",
            // Header, trailer, blocks.
            "open",
            "measure",
            "read",
            "rename to",
            "sync the directory of",
        ]
    );
}

/// A disk that dies at any call leaves no snapshot or a whole one.
#[test]
fn a_disk_dying_at_any_call_leaves_no_snapshot_or_a_whole_one() {
    let payload = payload();
    let whole = failing_at(usize::MAX, io::ErrorKind::Other);
    write(&whole, meta(2, &payload), &payload).unwrap();
    for failing in 0..whole.calls() {
        let (memory, _) = disk_with(1, b"the snapshot before");
        let disk = WatchedDisk::new(memory, move |call| {
            if call.number >= failing { Err(io::Error::other("gone")) } else { Ok(()) }
        });
        assert!(write(&disk, meta(2, &payload), &payload).is_err());
        for left in [disk.inner.clone(), disk.inner.after_power_loss(|_, _| false)] {
            for snapshot in list(&left, ID).unwrap() {
                verify(&left, &snapshot.name).unwrap_or_else(|error| panic!("{failing}: {error}"));
            }
        }
    }
}

#[test]
fn a_call_that_succeeds_but_says_it_failed_leaves_no_snapshot() {
    let payload = payload();
    let whole = failing_at(usize::MAX, io::ErrorKind::Other);
    write(&whole, meta(2, &payload), &payload).unwrap();
    for failing in 0..whole.calls() {
        let (memory, _) = disk_with(1, b"the snapshot before");
        let disk = WatchedDisk::new(memory, move |call| {
            if call.number == failing && call.done { Err(io::Error::other("late")) } else { Ok(()) }
        });
        // The look for a snapshot and for a leftover find none: they are not done, only tried.
        if write(&disk, meta(2, &payload), &payload).is_err() {
            assert_eq!(disk.inner.names().unwrap(), [snapshot_name(1)], "call {failing}");
        } else {
            assert!(failing < 2, "call {failing}");
        }
    }
}

#[test]
fn a_full_disk_is_found_before_the_first_byte_is_written() {
    let (disk, _) = disk_with(1, b"the snapshot before");
    disk.set_full(true);
    let error = SnapshotWriter::begin(&disk, meta(2, b"1234"), no_pause).unwrap_err();
    assert_eq!(
        error.to_string(),
        "snapshot: cannot reserve the space of memory:image-00000000000000000002.writing at byte \
         4172: no storage space"
    );
    disk.set_full(false);
    add(&disk, 2, b"1234");
}

#[test]
fn a_sync_that_fails_is_not_tried_again() {
    let payload = payload();
    for failing in 1..=3 {
        let (memory, _) = disk_with(1, b"the snapshot before");
        let inner = memory.clone();
        let mut syncs = 0;
        let disk = WatchedDisk::new(memory, move |call| {
            if call.operation == "sync" && !call.done {
                syncs += 1;
                assert!(syncs <= failing, "a sync after a failed one");
                if syncs == failing {
                    // As on Linux: the pages are clean, readers see the new data, the disk has not.
                    inner.fail_syncs(1);
                }
            }
            io::Result::Ok(())
        });
        let error = write(&disk, meta(2, &payload), &payload).unwrap_err();
        assert_eq!(operation(&error), "sync");
        assert_eq!(disk.inner.names().unwrap(), [snapshot_name(1)]);
    }
}

/// A disk that keeps other bytes than it was given is found out.
#[test]
fn a_disk_that_keeps_other_bytes_is_found_out() {
    let payload = payload();
    let snapshot_bytes = disk_with(2, &payload).0.contents(&snapshot_name(2)).unwrap().len();
    for at in [0, 5000, HEADER_BYTES + 1_048_576 + 4, snapshot_bytes - 1] {
        let (memory, _) = disk_with(1, b"the snapshot before");
        let inner = memory.clone();
        let mut opened = 0;
        let disk = WatchedDisk::new(memory, move |call| {
            opened += usize::from(call.operation == "open" && !call.done);
            if opened == 2 && call.operation == "open" {
                let mut bytes = inner.contents(WRITING)?;
                bytes[at] ^= u8::from(!call.done);
                inner.put(WRITING, bytes);
            }
            io::Result::Ok(())
        });
        let error = write(&disk, meta(2, &payload), &payload).unwrap_err();
        assert!(matches!(error, SnapshotError::ReadBack { .. }), "byte {at}: {error}");
        assert_eq!(disk.inner.names().unwrap(), [snapshot_name(1)]);
    }
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    let (disk, _) = disk_with(1, b"the snapshot before");
    let payload = payload();
    for bytes in [0, 1, BLOCK_PAYLOAD_BYTES_MAX, payload.len()] {
        let mut writer = SnapshotWriter::begin(&disk, meta(2, &payload), no_pause).unwrap();
        writer.append(&payload[..bytes]).unwrap();
        assert_eq!(disk.names().unwrap(), [snapshot_name(1), WRITING.to_owned()]);
        drop(writer);
        assert_eq!(disk.names().unwrap(), [snapshot_name(1)]);
    }
}

#[test]
fn a_stop_at_any_step_leaves_nothing() {
    let payload = payload();
    for stop_at in 1..=6 {
        let (disk, _) = disk_with(1, b"the snapshot before");
        let mut steps = 0;
        let pause = || {
            steps += 1;
            if steps == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut writer = SnapshotWriter::begin(&disk, meta(2, &payload), pause).unwrap();
        let result = writer.append(&payload).and_then(|()| writer.finish());
        // The first block, the rest, the header; two blocks read back.
        if stop_at <= 5 {
            assert!(matches!(result, Err(SnapshotError::Stopped { .. })), "step {stop_at}");
            assert_eq!(disk.names().unwrap(), [snapshot_name(1)]);
        } else {
            result.unwrap();
        }
    }
}

#[test]
fn a_payload_of_another_length_than_announced_makes_no_snapshot() {
    let (disk, _) = disk_with(1, b"the snapshot before");
    let mut writer = SnapshotWriter::begin(&disk, meta(2, b"1234"), no_pause).unwrap();
    writer.append(b"123").unwrap();
    let error = writer.finish().unwrap_err();
    assert_eq!(
        error.to_string(),
        "snapshot: memory:image-00000000000000000002.writing was to hold 4 bytes, but was given 3"
    );
    let mut writer = SnapshotWriter::begin(&disk, meta(2, b"1234"), no_pause).unwrap();
    writer.append(b"123").unwrap();
    let error = writer.append(b"45").unwrap_err();
    assert!(matches!(error, SnapshotError::PayloadLength { announced: 4, given: 5, .. }));
    assert_eq!(disk.names().unwrap(), [snapshot_name(1)], "removed at once");
    assert!(matches!(writer.append(b"4"), Err(SnapshotError::Ended { .. })));
    assert!(matches!(writer.finish(), Err(SnapshotError::Ended { .. })));
}

#[test]
fn a_snapshot_that_exists_is_never_written_over() {
    let (disk, name) = disk_with(2, b"first");
    let before = disk.contents(&name).unwrap();
    let error = write(&disk, meta(2, b"second"), b"second").unwrap_err();
    assert!(matches!(error, SnapshotError::AlreadyExists { .. }));
    assert_eq!(disk.contents(&name).unwrap(), before);
    assert_eq!(disk.names().unwrap(), [name]);
}

/// A snapshot that cannot be read is passed over like a damaged one.
#[test]
fn an_unreadable_snapshot_is_passed_over_like_a_damaged_one() {
    let memory = MemoryDisk::default();
    add(&memory, 1, b"older");
    add(&memory, 2, b"newer");
    let calls = WatchedDisk::new(memory.clone(), |_| Ok(()));
    let newest = newest_valid(&calls, ID, |_| Ok(())).unwrap();
    assert_eq!(newest.snapshot.unwrap().0.meta.sequence, 2);
    // The first call lists the directory: without that nothing is known.
    for failing in 1..calls.calls() {
        let disk = WatchedDisk::new(memory.clone(), move |call| {
            if call.number == failing { Err(io::Error::other("medium error")) } else { Ok(()) }
        });
        let newest = newest_valid(&disk, ID, |_| Ok(())).unwrap();
        assert_eq!(newest.snapshot.unwrap().0.meta.sequence, 1, "call {failing}");
        assert!(matches!(newest.passed_over[0].why, SnapshotError::Io { .. }));
    }
}
