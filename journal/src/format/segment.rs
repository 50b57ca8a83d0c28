//! The header of a segment file: its journal, number and size.
//!
//! Owns the identity of a segment (magic, format, journal, number, size). Never touches a file.
//! Read `append/prepare.rs` next for how a segment is made.

use crate::format::layout::*;
use crate::format::options::Options;
use crate::format::verdict::Evidence;

/// The identity of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) id: JournalId,
    pub(crate) number: u64,
    pub(crate) bytes: u64,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut page = [0; SEGMENT_HEADER_BYTES];
        write_at(&mut page, SEGMENT_MAGIC_AT, SEGMENT_MAGIC);
        write_at(&mut page, SEGMENT_FORMAT_AT, FORMAT_VERSION.to_le_bytes());
        write_at(&mut page, SEGMENT_ID_AT, self.id.0);
        write_at(&mut page, SEGMENT_NUMBER_AT, self.number.to_le_bytes());
        write_at(&mut page, SEGMENT_BYTES_AT, self.bytes.to_le_bytes());
        let crc = header_checksum(&page);
        write_at(&mut page, SEGMENT_CRC_AT, crc.to_le_bytes());
        page
    }

    /// Decodes a header page, or returns the evidence against it.
    ///
    /// The checksum is compared before the format, and both have the same offset in every format,
    /// so that a flipped bit never looks like another version.
    pub(crate) fn decode(page: &[u8; SEGMENT_HEADER_BYTES]) -> Result<Self, Evidence> {
        let intact = page[SEGMENT_MAGIC_AT..SEGMENT_FORMAT_AT] == SEGMENT_MAGIC
            && read_u32(page, SEGMENT_CRC_AT) == header_checksum(page);
        if !intact {
            return Err(Evidence::HeaderDamaged);
        }
        let format = read_u32(page, SEGMENT_FORMAT_AT);
        if format != FORMAT_VERSION {
            return Err(Evidence::OtherFormat { format });
        }
        let mut id = [0; 16];
        id.copy_from_slice(&page[SEGMENT_ID_AT..SEGMENT_NUMBER_AT]);
        let header = Self {
            id: JournalId(id),
            number: read_u64(page, SEGMENT_NUMBER_AT),
            bytes: read_u64(page, SEGMENT_BYTES_AT),
        };
        if segment_bytes_allowed(header.bytes) { Ok(header) } else { Err(Evidence::HeaderDamaged) }
    }

    /// The header of the next segment.
    pub(crate) fn successor(&self, options: &Options) -> Self {
        Self { number: self.number + 1, bytes: options.segment_bytes, ..*self }
    }

    /// The start value of every checksum of this segment's frames.
    pub(crate) fn seed(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.id.0);
        hasher.update(&self.number.to_le_bytes());
        hasher.finalize()
    }
}

fn header_checksum(page: &[u8; SEGMENT_HEADER_BYTES]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&page[..SEGMENT_CRC_AT]);
    hasher.update(&page[SEGMENT_ID_AT..]);
    hasher.finalize()
}
