//! What the tests of snapshots share: small snapshots in memory and reading them whole.

use doorbuster_journal::{Disk, JournalId, MemoryDisk};
use doorbuster_snapshots::{
    Meta, SnapshotError, SnapshotReader, SnapshotWriter, Verified, no_pause, snapshot_name,
};
use doorbuster_test_support::random::Random;
use sha2::{Digest, Sha256};

pub(crate) const ID: JournalId = JournalId(*b"journal of tests");
pub(crate) const OTHER_ID: JournalId = JournalId(*b"a journal beside");

pub(crate) const HEADER_BYTES: usize = 4096;
pub(crate) const BLOCK_PREFIX_BYTES: usize = 8;
pub(crate) const TRAILER_BYTES: usize = 64;

/// A meta that says something else for every sequence and payload.
pub(crate) fn meta(sequence: u64, payload: &[u8]) -> Meta {
    Meta {
        journal: ID,
        sequence,
        chain: sequence as u32 ^ 0xABCD_EF01,
        epoch: 3,
        stamp_ms: sequence ^ 1_700_000_000_000,
        payload_bytes: payload.len() as u64,
        digest: Sha256::digest(payload).into(),
        totals: b"12 orders, 3 SKUs".to_vec(),
    }
}

/// Writes a snapshot in pieces of 300,001 bytes: no divisor of a block.
pub(crate) fn write<D: Disk>(
    disk: &D,
    meta: Meta,
    payload: &[u8],
) -> Result<Verified, SnapshotError> {
    let mut writer = SnapshotWriter::begin(disk, meta, no_pause)?;
    payload.chunks(300_001).try_for_each(|piece| writer.append(piece))?;
    writer.finish()
}

/// A disk with one snapshot of this payload, and the snapshot's name.
pub(crate) fn disk_with(sequence: u64, payload: &[u8]) -> (MemoryDisk, String) {
    let disk = MemoryDisk::default();
    add(&disk, sequence, payload);
    (disk, snapshot_name(sequence))
}

pub(crate) fn add(disk: &MemoryDisk, sequence: u64, payload: &[u8]) {
    write(disk, meta(sequence, payload), payload).unwrap();
}

/// The whole payload, block by block.
pub(crate) fn read<D: Disk>(disk: &D, name: &str) -> Result<(Meta, Vec<u8>), SnapshotError> {
    let mut reader = SnapshotReader::open(disk, name)?;
    let mut payload = Vec::new();
    while let Some(block) = reader.next_block()? {
        assert!(!block.is_empty());
        payload.extend_from_slice(block);
    }
    Ok((reader.finish()?.meta, payload))
}

/// Bytes without a pattern, the same each time.
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    Random::new(0).bytes(bytes)
}

/// Damages a snapshot, whatever the damage.
pub(crate) fn change(disk: &MemoryDisk, sequence: u64, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = disk.contents(&snapshot_name(sequence)).unwrap();
    change(&mut bytes);
    disk.put(&snapshot_name(sequence), bytes);
}

/// Gives a header the checksum that goes with it.
pub(crate) fn seal_header(snapshot: &mut [u8]) {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&snapshot[..12]);
    hasher.update(&snapshot[16..HEADER_BYTES]);
    let crc = hasher.finalize();
    snapshot[12..16].copy_from_slice(&crc.to_le_bytes());
}
