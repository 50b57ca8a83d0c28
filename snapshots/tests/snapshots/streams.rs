//! Snapshots through `io::Read` and `io::Write`: an encoder or decoder that knows nothing of
//! snapshots still hands on what went wrong, as the kind of error and with the cause inside.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use doorbuster_journal::MemoryDisk;
use doorbuster_snapshots::{
    BLOCK_PAYLOAD_BYTES_MAX, SnapshotError, SnapshotReader, SnapshotWriter,
};

use crate::support::*;

/// What is inside an error that came through `io`.
fn inside(error: io::Error) -> (io::ErrorKind, SnapshotError) {
    let kind = error.kind();
    (kind, error.downcast().expect("the cause is an error of snapshots"))
}

#[test]
fn a_reader_tells_damage_from_a_failing_disk() {
    let payload = noise(BLOCK_PAYLOAD_BYTES_MAX + 1000);
    let (disk, name) = disk_with(2, &payload);
    let second_block = (HEADER_BYTES + BLOCK_PREFIX_BYTES + BLOCK_PAYLOAD_BYTES_MAX) as u64;
    let mut back = Vec::new();

    let mut reader = SnapshotReader::open(&disk, &name).unwrap();
    disk.fail_reads(&name, second_block..second_block + 1).unwrap();
    let (kind, cause) = inside(reader.read_to_end(&mut back).unwrap_err());
    assert_eq!(kind, io::ErrorKind::Other, "what the disk said");
    assert!(matches!(cause, SnapshotError::Io { operation: "read", .. }), "{cause}");
    disk.fail_reads(&name, 0..0).unwrap();
    let (kind, cause) = inside(reader.read_to_end(&mut back).unwrap_err());
    assert_eq!(kind, io::ErrorKind::Other);
    assert!(matches!(cause, SnapshotError::Ended { .. }), "not read on behind a failure: {cause}");

    change(&disk, 2, |snapshot| snapshot[second_block as usize + 100] ^= 1);
    let mut reader = SnapshotReader::open(&disk, &name).unwrap();
    let (kind, cause) = inside(reader.read_to_end(&mut back).unwrap_err());
    assert_eq!(kind, io::ErrorKind::InvalidData);
    assert!(matches!(cause, SnapshotError::Damaged { .. }), "{cause}");
}

#[test]
fn a_writer_that_is_stopped_says_so_and_takes_no_more() {
    let payload = noise(BLOCK_PAYLOAD_BYTES_MAX + 1000);
    let disk = MemoryDisk::default();
    let stop = || ControlFlow::Break(());
    let mut writer = SnapshotWriter::begin(&disk, meta(2, &payload), stop).unwrap();
    let (kind, cause) = inside(writer.write_all(&payload).unwrap_err());
    assert_eq!(kind, io::ErrorKind::Other);
    assert!(matches!(cause, SnapshotError::Stopped { .. }), "{cause}");
    let (_, cause) = inside(writer.write_all(&payload).unwrap_err());
    assert!(matches!(cause, SnapshotError::Ended { .. }), "{cause}");
}
