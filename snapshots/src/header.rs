//! The header of a snapshot: of which state it is a snapshot.
//!
//! Owns the one page at the start of the file, and the seed of every other checksum. Never reads or
//! writes a file, and never knows what is in a block. Read `trailer.rs` next for the other end.

use doorbuster_journal::JournalId;

use crate::error::Damage;
use crate::format::*;

/// The description of a snapshot: known before it is written, and read from its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The journal that it was made from.
    pub journal: JournalId,
    /// The last sequence that it holds.
    pub sequence: u64,
    /// The journal's chain value at that sequence.
    pub chain: u32,
    /// The epoch of the event at that sequence.
    pub epoch: u32,
    /// The stamp of that event, in milliseconds.
    pub stamp_ms: u64,
    /// The digest of the state. The caller decides what it is taken over; if that is the payload,
    /// see [`crate::SnapshotWriter::digest_payload`].
    pub digest: [u8; 32],
    /// Some counts for people and tools, opaque here: at most [`TOTALS_BYTES_MAX`] bytes.
    pub totals: Vec<u8>,
    /// The bytes of the payload: at most [`PAYLOAD_BYTES_MAX`]. The caller counts them beforehand,
    /// which costs time in the background, so that all space is reserved before the first byte is
    /// written, and a full disk never holds half of a snapshot.
    pub payload_bytes: u64,
}

/// Why a header page cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Damaged(Damage),
    Newer { format: u32 },
}

impl Meta {
    /// Encodes the page. The caller has checked that the totals fit.
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut page = [0; HEADER_BYTES];
        write_at(&mut page, HEADER_MAGIC_AT, HEADER_MAGIC);
        write_at(&mut page, HEADER_FORMAT_AT, FORMAT_VERSION.to_le_bytes());
        write_at(&mut page, HEADER_ID_AT, self.journal.0);
        write_at(&mut page, HEADER_SEQUENCE_AT, self.sequence.to_le_bytes());
        write_at(&mut page, HEADER_PAYLOAD_BYTES_AT, self.payload_bytes.to_le_bytes());
        write_at(&mut page, HEADER_STAMP_AT, self.stamp_ms.to_le_bytes());
        write_at(&mut page, HEADER_CHAIN_AT, self.chain.to_le_bytes());
        write_at(&mut page, HEADER_EPOCH_AT, self.epoch.to_le_bytes());
        write_at(&mut page, HEADER_DIGEST_AT, self.digest);
        let totals_bytes = self.totals.len() as u32;
        write_at(&mut page, HEADER_TOTALS_BYTES_AT, totals_bytes.to_le_bytes());
        page[HEADER_TOTALS_AT..HEADER_TOTALS_AT + self.totals.len()].copy_from_slice(&self.totals);
        let crc = checksum(&page);
        write_at(&mut page, HEADER_CRC_AT, crc.to_le_bytes());
        page
    }

    /// Decodes a header page, or returns what is wrong with it.
    ///
    /// The checksum is compared before the format, and both have the same offset in every format,
    /// so that a flipped bit never looks like another version. Bytes without a meaning must be
    /// zero: each meta has exactly one page.
    pub(crate) fn decode(page: &[u8; HEADER_BYTES]) -> Result<Self, Unreadable> {
        let intact =
            page[HEADER_MAGIC_AT..HEADER_FORMAT_AT] == HEADER_MAGIC && crc(page) == checksum(page);
        if !intact {
            return Err(Unreadable::Damaged(Damage::Header));
        }
        let format = read_u32(page, HEADER_FORMAT_AT);
        if format > FORMAT_VERSION {
            return Err(Unreadable::Newer { format });
        }
        let totals_bytes = read_u32(page, HEADER_TOTALS_BYTES_AT) as usize;
        let payload_bytes = read_u64(page, HEADER_PAYLOAD_BYTES_AT);
        if totals_bytes > TOTALS_BYTES_MAX || payload_bytes > PAYLOAD_BYTES_MAX {
            return Err(Unreadable::Damaged(Damage::HeaderField));
        }
        let meta = Self {
            journal: JournalId(read_array(page, HEADER_ID_AT)),
            sequence: read_u64(page, HEADER_SEQUENCE_AT),
            chain: read_u32(page, HEADER_CHAIN_AT),
            epoch: read_u32(page, HEADER_EPOCH_AT),
            stamp_ms: read_u64(page, HEADER_STAMP_AT),
            digest: read_array(page, HEADER_DIGEST_AT),
            totals: page[HEADER_TOTALS_AT..HEADER_TOTALS_AT + totals_bytes].to_vec(),
            payload_bytes,
        };
        if meta.encode() == *page {
            Ok(meta)
        } else {
            Err(Unreadable::Damaged(Damage::HeaderField))
        }
    }

    /// Starts a checksum over a block, or, with the number of blocks, over the trailer.
    ///
    /// Journal, sequence and number go into it, so that no block passes for another one.
    pub(crate) fn checksum_of(&self, number: u64) -> crc32fast::Hasher {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.journal.0);
        hasher.update(&self.sequence.to_le_bytes());
        hasher.update(&number.to_le_bytes());
        hasher
    }
}

/// The checksum that is stored in a page.
pub(crate) fn crc(page: &[u8; HEADER_BYTES]) -> u32 {
    read_u32(page, HEADER_CRC_AT)
}

fn checksum(page: &[u8; HEADER_BYTES]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&page[..HEADER_CRC_AT]);
    hasher.update(&page[HEADER_ID_AT..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta() -> Meta {
        Meta {
            journal: JournalId(*b"journal of tests"),
            sequence: 9,
            chain: 8,
            epoch: 7,
            stamp_ms: 6,
            digest: [5; 32],
            totals: vec![4; 40],
            payload_bytes: 3,
        }
    }

    fn with_checksum(change: impl FnOnce(&mut [u8; HEADER_BYTES])) -> [u8; HEADER_BYTES] {
        let mut page = meta().encode();
        change(&mut page);
        let crc = checksum(&page);
        write_at(&mut page, HEADER_CRC_AT, crc.to_le_bytes());
        page
    }

    fn damage(change: impl FnOnce(&mut [u8; HEADER_BYTES])) -> Unreadable {
        Meta::decode(&with_checksum(change)).unwrap_err()
    }

    #[test]
    fn a_header_reads_as_it_was_written_up_to_the_longest_totals() {
        for totals_bytes in [0, 1, TOTALS_BYTES_MAX] {
            let meta = Meta { totals: vec![1; totals_bytes], ..meta() };
            assert_eq!(Meta::decode(&meta.encode()), Ok(meta));
        }
    }

    #[test]
    fn a_whole_header_with_a_field_out_of_bounds_is_damaged() {
        let field = Unreadable::Damaged(Damage::HeaderField);
        assert_eq!(damage(|page| page[HEADER_TOTALS_BYTES_AT + 1] = 2), field, "257 and more");
        assert_eq!(damage(|page| page[HEADER_PAYLOAD_BYTES_AT + 7] = 1), field);
        assert_eq!(damage(|page| page[HEADER_TOTALS_AT + 40] = 1), field, "behind the totals");
        assert_eq!(damage(|page| page[HEADER_BYTES - 1] = 1), field, "behind the fields");
        assert_eq!(damage(|page| page[HEADER_FORMAT_AT] = 0), field, "format 0 never was");
    }

    #[test]
    fn only_a_whole_header_can_say_that_it_is_newer() {
        assert_eq!(damage(|page| page[HEADER_FORMAT_AT] = 2), Unreadable::Newer { format: 2 });
        let mut page = meta().encode();
        page[HEADER_FORMAT_AT] = 2;
        assert_eq!(Meta::decode(&page), Err(Unreadable::Damaged(Damage::Header)));
    }

    #[test]
    fn a_page_of_zeros_is_no_header() {
        assert_eq!(Meta::decode(&[0; HEADER_BYTES]), Err(Unreadable::Damaged(Damage::Header)));
    }
}
