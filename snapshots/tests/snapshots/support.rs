//! What the tests of images share: writing and reading one whole.

use doorbuster_journal::Disk;
use doorbuster_snapshots::{ImageReader, ImageWriter, Meta, SnapshotError, Verified, no_pause};

/// Writes an image in pieces of 300,001 bytes: no divisor of a block.
pub(crate) fn write<D: Disk>(
    disk: &D,
    meta: Meta,
    payload: &[u8],
) -> Result<Verified, SnapshotError> {
    let mut writer = ImageWriter::begin(disk, meta, no_pause)?;
    payload.chunks(300_001).try_for_each(|piece| writer.append(piece))?;
    writer.finish()
}

/// The whole payload, block by block.
pub(crate) fn read<D: Disk>(disk: &D, name: &str) -> Result<(Meta, Vec<u8>), SnapshotError> {
    let mut reader = ImageReader::open(disk, name)?;
    let mut payload = Vec::new();
    while let Some(block) = reader.next_block()? {
        assert!(!block.is_empty());
        payload.extend_from_slice(block);
    }
    Ok((reader.finish()?.meta, payload))
}
