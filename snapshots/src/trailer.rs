//! The trailer of a snapshot: it proves that the file is complete.
//!
//! Owns the last bytes of the file. Never reads or writes a file. Read `writer.rs` next for when it
//! is written, `reader.rs` for when it is checked.

use crate::error::Damage;
use crate::format::*;
use crate::header::{self, Meta};

/// What is known only after the last block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) payload_hash: [u8; 32],
}

impl Trailer {
    /// Encodes the trailer that belongs to this header page.
    pub(crate) fn encode(
        &self,
        meta: &Meta,
        layout: Layout,
        header: &[u8; HEADER_BYTES],
    ) -> [u8; TRAILER_BYTES] {
        let mut bytes = [0; TRAILER_BYTES];
        write_at(&mut bytes, TRAILER_MAGIC_AT, TRAILER_MAGIC);
        write_at(&mut bytes, TRAILER_HEADER_CRC_AT, header::crc(header).to_le_bytes());
        write_at(&mut bytes, TRAILER_SNAPSHOT_BYTES_AT, layout.snapshot_bytes().to_le_bytes());
        write_at(&mut bytes, TRAILER_BLOCKS_AT, layout.blocks().to_le_bytes());
        write_at(&mut bytes, TRAILER_HASH_AT, self.payload_hash);
        let crc = checksum(&bytes, meta, layout);
        write_at(&mut bytes, TRAILER_CRC_AT, crc.to_le_bytes());
        bytes
    }

    /// Decodes the trailer of exactly this header: except the hash, every byte of it is known
    /// beforehand.
    pub(crate) fn decode(
        bytes: &[u8; TRAILER_BYTES],
        meta: &Meta,
        layout: Layout,
        header: &[u8; HEADER_BYTES],
    ) -> Result<Self, Damage> {
        let trailer = Self { payload_hash: read_array(bytes, TRAILER_HASH_AT) };
        if trailer.encode(meta, layout, header) == *bytes {
            Ok(trailer)
        } else {
            Err(Damage::Trailer)
        }
    }
}

fn checksum(bytes: &[u8; TRAILER_BYTES], meta: &Meta, layout: Layout) -> u32 {
    let mut hasher = meta.checksum_of(layout.blocks());
    hasher.update(&bytes[..TRAILER_CRC_AT]);
    hasher.update(&bytes[TRAILER_HEADER_CRC_AT..]);
    hasher.finalize()
}
