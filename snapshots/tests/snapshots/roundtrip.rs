//! What was written is what is read, whatever its length and however it was given.

use std::io::{BufRead, Read, Write};
use std::ops::ControlFlow;

use doorbuster_journal::{Disk, FileDisk, MemoryDisk};
use doorbuster_snapshots::{
    BLOCK_BYTES_MAX, BLOCK_PAYLOAD_BYTES_MAX, Meta, PAYLOAD_BYTES_MAX, SnapshotError,
    SnapshotReader, SnapshotState, SnapshotWriter, TOTALS_BYTES_MAX, list, no_pause,
    snapshot_bytes, snapshot_name, verify,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::support::*;

/// Payloads around the bounds of blocks read as they were written.
#[test]
fn payloads_around_block_bounds_read_as_they_were_written() {
    let full = BLOCK_PAYLOAD_BYTES_MAX;
    for bytes in [0, 1, 2, full - 1, full, full + 1, 2 * full - 1, 2 * full, 2 * full + 1] {
        let payload = noise(bytes);
        let (disk, name) = disk_with(7, &payload);
        let (found, content) = read(&disk, &name).unwrap();
        assert_eq!(found, meta(7, &payload), "{bytes} bytes");
        assert!(content == payload, "{bytes} bytes: other content");
        let verified = verify(&disk, &name).unwrap();
        assert_eq!(verified.payload_sha256, verified.meta.digest, "{bytes} bytes");
        assert_eq!(verified.file, "memory:image-00000000000000000007.image");
        let stored = disk.contents(&name).unwrap().len() as u64;
        assert_eq!((verified.snapshot_bytes, snapshot_bytes(bytes as u64)), (stored, Some(stored)));
        assert_eq!(disk.names().unwrap(), [name], "no other file is left");
    }
}

#[test]
fn a_real_directory_holds_snapshots_as_memory_does() {
    let directory = tempfile::tempdir().unwrap();
    let disk = FileDisk::open(directory.path()).unwrap();
    let payload = noise(BLOCK_PAYLOAD_BYTES_MAX + 5000);
    let verified = write(&disk, meta(8, &payload), &payload).unwrap();
    let (memory, name) = disk_with(8, &payload);
    assert_eq!(verified.file, disk.place(&name));
    let stored = std::fs::read(directory.path().join(&name)).unwrap();
    assert!(stored == memory.contents(&name).unwrap(), "other bytes");
    assert!(read(&disk, &name).unwrap().1 == payload);
    assert_eq!(disk.names().unwrap(), [name]);
}

#[test]
fn the_journal_and_its_snapshots_share_a_directory() {
    let disk = MemoryDisk::default();
    let options =
        doorbuster_journal::Options { segment_bytes: doorbuster_journal::SEGMENT_BYTES_MIN };
    drop(doorbuster_journal::Journal::create(disk.clone(), options, ID).unwrap());
    add(&disk, 5, b"payload");
    assert_eq!(
        doorbuster_journal::scan(&disk, doorbuster_journal::Origin::Genesis)
            .unwrap()
            .segments
            .len(),
        1
    );
    assert_eq!(list(&disk, ID).unwrap().len(), 1);
}

#[test]
fn encoders_and_decoders_can_stream_through_a_snapshot() {
    let payload = noise(BLOCK_PAYLOAD_BYTES_MAX + 100);
    let disk = MemoryDisk::default();
    let mut writer = SnapshotWriter::begin(&disk, meta(1, &payload), no_pause).unwrap();
    writer.write_all(&payload).unwrap();
    writer.flush().unwrap();
    writer.finish().unwrap();

    let mut reader = SnapshotReader::open(&disk, &snapshot_name(1)).unwrap();
    let mut start = [0; 10];
    reader.read_exact(&mut start).unwrap();
    assert_eq!(start, payload[..10]);
    reader.consume(5);
    let rest_of_block = reader.next_block().unwrap().unwrap();
    assert!(rest_of_block == &payload[15..BLOCK_PAYLOAD_BYTES_MAX]);
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert!(rest == payload[BLOCK_PAYLOAD_BYTES_MAX..]);
    assert_eq!(reader.next_block().unwrap(), None);
    assert_eq!(reader.finish().unwrap().meta, meta(1, &payload));
}

/// The pause is called after each step of writing and reading back.
#[test]
fn the_pause_comes_after_each_step_of_writing_and_reading() {
    let payload = noise(2 * BLOCK_PAYLOAD_BYTES_MAX + 1);
    let disk = MemoryDisk::default();
    let mut steps = 0;
    let pause = || {
        steps += 1;
        ControlFlow::Continue(())
    };
    let mut writer = SnapshotWriter::begin(&disk, meta(1, &payload), pause).unwrap();
    writer.append(&payload).unwrap();
    writer.finish().unwrap();
    // Two full blocks, the rest with the trailer, the header; three blocks read back.
    assert_eq!(steps, 7);
}

/// Totals and payloads beyond their bounds are refused before anything is written.
#[test]
fn totals_and_payloads_out_of_bounds_are_refused_at_once() {
    let disk = MemoryDisk::default();
    let longest = Meta { totals: vec![1; TOTALS_BYTES_MAX], ..meta(1, b"") };
    write(&disk, longest.clone(), b"").unwrap();
    assert_eq!(verify(&disk, &snapshot_name(1)).unwrap().meta, longest);

    let long = Meta { totals: vec![1; TOTALS_BYTES_MAX + 1], ..meta(2, b"") };
    let error = write(&disk, long, b"").unwrap_err();
    assert_eq!(error.to_string(), "snapshot: the totals have 257 bytes, but at most 256 are kept");
    let long = Meta { payload_bytes: PAYLOAD_BYTES_MAX + 1, ..meta(2, b"") };
    assert!(matches!(write(&disk, long, b""), Err(SnapshotError::PayloadTooLong { .. })));
    assert_eq!(disk.names().unwrap(), [snapshot_name(1)]);
}

#[test]
fn snapshots_are_listed_newest_first_with_what_they_hold() {
    let disk = MemoryDisk::default();
    assert!(list(&disk, ID).unwrap().is_empty());
    for sequence in [3, u64::MAX, 0, 20] {
        add(&disk, sequence, &sequence.to_le_bytes());
    }
    disk.put("image-5.image", b"no name of ours".to_vec());
    disk.put("00000001.preparing", Vec::new());
    let listed = list(&disk, ID).unwrap();
    let sequences: Vec<u64> = listed.iter().map(|snapshot| snapshot.sequence).collect();
    assert_eq!(sequences, [u64::MAX, 20, 3, 0]);
    for snapshot in listed {
        assert_eq!(snapshot.name, snapshot_name(snapshot.sequence));
        let SnapshotState::Valid(found) = snapshot.state else { panic!("{snapshot:?}") };
        assert_eq!(found, meta(snapshot.sequence, &snapshot.sequence.to_le_bytes()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_meta_and_payload_in_any_pieces_reads_as_it_was_written(
        numbers in any::<(u64, u32, u32, u64)>(),
        id in any::<[u8; 16]>(),
        (digest, of_payload) in any::<([u8; 32], bool)>(),
        totals in proptest::collection::vec(any::<u8>(), 0..=TOTALS_BYTES_MAX),
        pieces in proptest::collection::vec(
            prop_oneof![0..2000_usize, Just(BLOCK_BYTES_MAX), Just(BLOCK_PAYLOAD_BYTES_MAX)],
            0..4,
        ),
    ) {
        let payload = noise(pieces.iter().sum());
        let (sequence, chain, epoch, stamp_ms) = numbers;
        let meta = Meta {
            journal: doorbuster_journal::JournalId(id),
            sequence, chain, epoch, stamp_ms, digest, totals,
            payload_bytes: payload.len() as u64,
        };
        let disk = MemoryDisk::default();
        let mut writer = SnapshotWriter::begin(&disk, meta.clone(), no_pause).unwrap();
        let mut rest = &payload[..];
        for bytes in pieces {
            let (piece, later) = rest.split_at(bytes);
            writer.append(piece).unwrap();
            rest = later;
        }
        let mut meta = meta;
        if of_payload {
            writer.digest_payload();
            meta.digest = Sha256::digest(&payload).into();
        }
        prop_assert_eq!(&writer.finish().unwrap().meta, &meta);
        let (found, content) = read(&disk, &snapshot_name(sequence)).unwrap();
        prop_assert_eq!(found, meta);
        prop_assert!(content == payload);
    }
}
