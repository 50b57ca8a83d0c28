//! Snapshots of other journals and of newer versions: named as what they are, never used.

use doorbuster_snapshots::{
    FORMAT_VERSION, Meta, SnapshotError, SnapshotReader, SnapshotState, list, newest_valid,
    snapshot_name, verify,
};

use crate::support::*;

#[test]
fn a_snapshot_of_another_journal_is_named_and_refused() {
    let (disk, name) = disk_with(7, b"payload");
    write(&disk, Meta { journal: OTHER_ID, ..meta(8, b"theirs") }, b"theirs").unwrap();
    assert!(SnapshotReader::open_of(&disk, &name, ID).is_ok());
    let error = SnapshotReader::open_of(&disk, &snapshot_name(8), ID).unwrap_err();
    assert_eq!(
        error.to_string(),
        "snapshot: memory:image-00000000000000000008.image belongs to journal \
         61206a6f75726e616c20626573696465, not to 6a6f75726e616c206f66207465737473; move it to \
         the data directory it came from"
    );
    let listed = list(&disk, ID).unwrap();
    assert!(matches!(listed[0].state, SnapshotState::ForeignJournal(OTHER_ID)));
    assert!(matches!(listed[1].state, SnapshotState::Valid(_)));
    // Whole it is, whoever it belongs to.
    assert_eq!(verify(&disk, &snapshot_name(8)).unwrap().meta.journal, OTHER_ID);
}

/// A start passes over a snapshot of another journal and says so.
#[test]
fn a_start_passes_over_a_snapshot_of_another_journal() {
    let (disk, _) = disk_with(7, b"payload");
    write(&disk, Meta { journal: OTHER_ID, ..meta(8, b"theirs") }, b"theirs").unwrap();
    let newest = newest_valid(&disk, ID, |_| Ok(())).unwrap();
    assert_eq!(newest.snapshot.unwrap().0.meta.sequence, 7);
    assert_eq!(newest.passed_over.len(), 1);
    assert!(matches!(newest.passed_over[0].why, SnapshotError::ForeignJournal { .. }));
}

#[test]
fn a_newer_version_is_refused_with_what_to_do() {
    let (disk, _) = disk_with(7, b"payload");
    add(&disk, 8, b"payload");
    change(&disk, 8, |snapshot| {
        snapshot[8..12].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
        // Whatever a newer version may keep after its format.
        snapshot[16..4000].fill(0xA5);
        seal_header(snapshot);
    });
    let error = verify(&disk, &snapshot_name(8)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "snapshot: memory:image-00000000000000000008.image has format 2, but this version reads \
         formats up to 1; start the newer version that wrote it, or move the file away to start \
         from an older snapshot and the journal"
    );
    let listed = list(&disk, ID).unwrap();
    assert!(matches!(listed[0].state, SnapshotState::NewerVersion { format: 2 }));
    let newest = newest_valid(&disk, ID, |_| Ok(()));
    assert!(matches!(newest, Err(SnapshotError::NewerVersion { format: 2, .. })));
}

#[test]
fn a_flipped_bit_in_the_format_is_damage_and_no_newer_version() {
    let (disk, _) = disk_with(7, b"payload");
    change(&disk, 7, |snapshot| snapshot[8] ^= 2);
    assert!(matches!(verify(&disk, &snapshot_name(7)), Err(SnapshotError::Damaged { .. })));
}
