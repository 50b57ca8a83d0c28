//! The snapshot a start goes by: the newest that is whole and can be loaded.

use doorbuster_journal::MemoryDisk;
use doorbuster_snapshots::{
    Damage, LoadError, SnapshotError, SnapshotReader, newest_valid, verify_with,
};

use crate::support::*;

fn payload_of(reader: &mut SnapshotReader<MemoryDisk>) -> Result<Vec<u8>, LoadError> {
    let mut payload = Vec::new();
    while let Some(block) = reader.next_block()? {
        payload.extend_from_slice(block);
    }
    Ok(payload)
}

fn three_snapshots() -> MemoryDisk {
    let disk = MemoryDisk::default();
    add(&disk, 10, b"ten");
    add(&disk, 20, b"twenty");
    add(&disk, 30, b"thirty");
    disk
}

#[test]
fn without_a_snapshot_a_start_replays_everything() {
    let newest = newest_valid(&MemoryDisk::default(), ID, payload_of).unwrap();
    assert!(newest.snapshot.is_none() && newest.passed_over.is_empty());
}

#[test]
fn the_newest_snapshot_is_used_and_no_other_is_read() {
    let disk = three_snapshots();
    change(&disk, 10, Vec::clear);
    let newest = newest_valid(&disk, ID, payload_of).unwrap();
    let (verified, payload) = newest.snapshot.unwrap();
    assert_eq!((verified.meta, payload), (meta(30, b"thirty"), b"thirty".to_vec()));
    assert!(newest.passed_over.is_empty());
}

#[test]
fn damaged_snapshots_are_passed_over_one_by_one_and_named() {
    let disk = three_snapshots();
    change(&disk, 30, |snapshot| snapshot[4104] ^= 1);
    change(&disk, 20, |snapshot| snapshot.truncate(4110));
    let newest = newest_valid(&disk, ID, payload_of).unwrap();
    assert_eq!(newest.snapshot.unwrap().1, b"ten");
    let passed: Vec<u64> = newest.passed_over.iter().map(|snapshot| snapshot.sequence).collect();
    assert_eq!(passed, [30, 20]);
    // The reader's error reaches the caller through whoever loaded the snapshot.
    let SnapshotError::Rejected { cause, .. } = &newest.passed_over[0].why else {
        panic!("{newest:?}", newest = newest.passed_over)
    };
    let cause = cause.downcast_ref::<SnapshotError>().unwrap();
    assert!(matches!(cause, SnapshotError::Damaged { damage: Damage::BlockChecksum, .. }));
}

#[test]
fn what_was_made_of_a_snapshot_that_fails_later_is_dropped() {
    let disk = three_snapshots();
    change(&disk, 30, |snapshot| snapshot[4104] ^= 1);
    // This one reads nothing, so only what is left to verify can find the damage.
    let newest = newest_valid(&disk, ID, |reader| Ok(reader.meta().sequence)).unwrap();
    assert_eq!(newest.snapshot.unwrap().1, 20);
    assert!(matches!(newest.passed_over[0].why, SnapshotError::Damaged { .. }));
}

#[test]
fn a_snapshot_that_cannot_be_loaded_is_passed_over() {
    let disk = three_snapshots();
    let newest = newest_valid(&disk, ID, |reader| match reader.meta().sequence {
        30 => Err("a row of no known kind".into()),
        _ => payload_of(reader),
    })
    .unwrap();
    assert_eq!(newest.snapshot.unwrap().1, b"twenty");
    assert_eq!(
        newest.passed_over[0].why.to_string(),
        "snapshot: memory:image-00000000000000000030.image cannot be loaded: a row of no known kind"
    );
}

#[test]
fn a_verification_can_be_stopped_between_blocks() {
    let (disk, name) = disk_with(1, &noise(3_000_000));
    let mut blocks = 0;
    let stopped = verify_with(&disk, &name, || {
        blocks += 1;
        if blocks == 2 {
            std::ops::ControlFlow::Break(())
        } else {
            std::ops::ControlFlow::Continue(())
        }
    });
    let expected = 4096 + 2 * 1_048_576;
    assert!(matches!(stopped, Err(SnapshotError::Stopped { offset, .. }) if offset == expected));
}
