//! Every number of the stored format, each derived from the one before it.
//!
//! Owns the offsets, sizes, magic values, bounds and file names, and where everything lies in a
//! snapshot of a given length. Never touches a file. `FORMAT.md` says the same in prose; a test
//! below compares the two. Read `header.rs` and `trailer.rs` next, which use these numbers.

pub(crate) use doorbuster_journal::bytes::{read_array, read_u32, read_u64, write_at};

/// The version in every header. It rises with any change of meaning of any byte.
pub const FORMAT_VERSION: u32 = 1;

// The header: one page, so that every block starts on one.
pub(crate) const HEADER_MAGIC: [u8; 8] = *b"DOORBIMG";
pub(crate) const HEADER_MAGIC_AT: usize = 0;
pub(crate) const HEADER_FORMAT_AT: usize = HEADER_MAGIC_AT + 8;
pub(crate) const HEADER_CRC_AT: usize = HEADER_FORMAT_AT + 4;
pub(crate) const HEADER_ID_AT: usize = HEADER_CRC_AT + 4;
pub(crate) const HEADER_SEQUENCE_AT: usize = HEADER_ID_AT + 16;
pub(crate) const HEADER_PAYLOAD_BYTES_AT: usize = HEADER_SEQUENCE_AT + 8;
pub(crate) const HEADER_STAMP_AT: usize = HEADER_PAYLOAD_BYTES_AT + 8;
pub(crate) const HEADER_CHAIN_AT: usize = HEADER_STAMP_AT + 8;
pub(crate) const HEADER_EPOCH_AT: usize = HEADER_CHAIN_AT + 4;
pub(crate) const HEADER_DIGEST_AT: usize = HEADER_EPOCH_AT + 4;
pub(crate) const HEADER_TOTALS_BYTES_AT: usize = HEADER_DIGEST_AT + 32;
pub(crate) const HEADER_TOTALS_AT: usize = HEADER_TOTALS_BYTES_AT + 4;
pub(crate) const HEADER_FIELDS_END: usize = HEADER_TOTALS_AT + TOTALS_BYTES_MAX;
pub(crate) const HEADER_BYTES: usize = 4096;

/// The longest totals that a header carries, in bytes.
pub const TOTALS_BYTES_MAX: usize = 256;

// A block: length, checksum, payload.
pub(crate) const BLOCK_LENGTH_AT: usize = 0;
pub(crate) const BLOCK_CRC_AT: usize = BLOCK_LENGTH_AT + 4;
pub(crate) const BLOCK_PREFIX_BYTES: usize = BLOCK_CRC_AT + 4;

/// The longest block, in bytes, its prefix included: what is written and synced in one step.
pub const BLOCK_BYTES_MAX: usize = 1024 * 1024;

/// The payload of every block but the last, in bytes.
pub const BLOCK_PAYLOAD_BYTES_MAX: usize = BLOCK_BYTES_MAX - BLOCK_PREFIX_BYTES;

// The trailer: after the last block.
pub(crate) const TRAILER_MAGIC: [u8; 8] = *b"DOORBEND";
pub(crate) const TRAILER_MAGIC_AT: usize = 0;
pub(crate) const TRAILER_CRC_AT: usize = TRAILER_MAGIC_AT + 8;
pub(crate) const TRAILER_HEADER_CRC_AT: usize = TRAILER_CRC_AT + 4;
pub(crate) const TRAILER_SNAPSHOT_BYTES_AT: usize = TRAILER_HEADER_CRC_AT + 4;
pub(crate) const TRAILER_BLOCKS_AT: usize = TRAILER_SNAPSHOT_BYTES_AT + 8;
pub(crate) const TRAILER_HASH_AT: usize = TRAILER_BLOCKS_AT + 8;
pub(crate) const TRAILER_BYTES: usize = TRAILER_HASH_AT + 32;

/// The longest payload, in bytes: far above what the bounds of a state allow, far below what could
/// overflow an offset.
pub const PAYLOAD_BYTES_MAX: u64 = 1024 * 1024 * 1024 * 1024;

const _: () = {
    assert!(HEADER_FIELDS_END <= HEADER_BYTES);
    assert!(BLOCK_BYTES_MAX.is_multiple_of(HEADER_BYTES));
    assert!(BLOCK_PAYLOAD_BYTES_MAX <= u32::MAX as usize);
    assert!(TOTALS_BYTES_MAX <= u32::MAX as usize);
    // Neither the lengths of prefixes nor those of header and trailer can overflow.
    assert!(PAYLOAD_BYTES_MAX < u64::MAX / 2);
};

/// The size of the file of a snapshot with a payload of `payload_bytes`, in bytes: known before it
/// is written, so that its whole space can be reserved. `None` above [`PAYLOAD_BYTES_MAX`].
pub const fn snapshot_bytes(payload_bytes: u64) -> Option<u64> {
    if payload_bytes > PAYLOAD_BYTES_MAX {
        return None;
    }
    Some(Layout { payload_bytes }.snapshot_bytes())
}

/// Where everything lies in a snapshot. The length of the payload alone decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    payload_bytes: u64,
}

impl Layout {
    /// `None` above [`PAYLOAD_BYTES_MAX`].
    pub(crate) fn new(payload_bytes: u64) -> Option<Self> {
        (payload_bytes <= PAYLOAD_BYTES_MAX).then_some(Self { payload_bytes })
    }

    pub(crate) const fn payload_bytes(self) -> u64 {
        self.payload_bytes
    }

    pub(crate) const fn blocks(self) -> u64 {
        self.payload_bytes.div_ceil(BLOCK_PAYLOAD_BYTES_MAX as u64)
    }

    pub(crate) const fn block_at(self, number: u64) -> u64 {
        HEADER_BYTES as u64 + number * BLOCK_BYTES_MAX as u64
    }

    /// The bytes of payload in this block, for a number below [`Layout::blocks`].
    pub(crate) fn block_payload_bytes(self, number: u64) -> usize {
        let before = number * BLOCK_PAYLOAD_BYTES_MAX as u64;
        let left = self.payload_bytes.saturating_sub(before);
        left.min(BLOCK_PAYLOAD_BYTES_MAX as u64) as usize
    }

    pub(crate) const fn trailer_at(self) -> u64 {
        HEADER_BYTES as u64 + self.payload_bytes + self.blocks() * BLOCK_PREFIX_BYTES as u64
    }

    pub(crate) const fn snapshot_bytes(self) -> u64 {
        self.trailer_at() + TRAILER_BYTES as u64
    }
}

/// The fewest snapshots that a pruning keeps, so that a damaged one has a substitute.
pub const KEPT_SNAPSHOTS_MIN: usize = 2;

const SNAPSHOT_PREFIX: &str = "image-";
const SNAPSHOT_SUFFIX: &str = ".image";
/// Not the journal's `.preparing`, which each of its starts removes: the two may share a directory.
const WRITING_SUFFIX: &str = ".writing";

/// The name of the snapshot at this sequence.
pub fn snapshot_name(sequence: u64) -> String {
    format!("{SNAPSHOT_PREFIX}{sequence:020}{SNAPSHOT_SUFFIX}")
}

/// The name of a snapshot while it is written. A start never reads it.
pub(crate) fn writing_name(sequence: u64) -> String {
    format!("{SNAPSHOT_PREFIX}{sequence:020}{WRITING_SUFFIX}")
}

/// The sequence in the name of a snapshot; `None` for every other name.
pub(crate) fn snapshot_sequence(name: &str) -> Option<u64> {
    sequence_between(name, SNAPSHOT_SUFFIX).filter(|&sequence| snapshot_name(sequence) == name)
}

pub(crate) fn is_writing_name(name: &str) -> bool {
    sequence_between(name, WRITING_SUFFIX).is_some_and(|sequence| writing_name(sequence) == name)
}

fn sequence_between(name: &str, suffix: &str) -> Option<u64> {
    name.strip_prefix(SNAPSHOT_PREFIX)?.strip_suffix(suffix)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../FORMAT.md");

    fn has_row(start: usize, bytes: usize, field: &str) {
        let row = format!("| {start} | {bytes} | {field} |");
        assert!(PAGE.contains(&row), "FORMAT.md has no row {row:?}");
    }

    fn has_constant(name: &str, value: u64) {
        let row = format!("| `{name}` | {value} |");
        assert!(PAGE.contains(&row), "FORMAT.md has no row {row:?}");
    }

    #[test]
    fn the_page_and_the_code_agree_on_every_field_of_a_header() {
        has_row(HEADER_MAGIC_AT, 8, "magic");
        has_row(HEADER_FORMAT_AT, 4, "format");
        has_row(HEADER_CRC_AT, 4, "crc");
        has_row(HEADER_ID_AT, 16, "journal id");
        has_row(HEADER_SEQUENCE_AT, 8, "sequence");
        has_row(HEADER_PAYLOAD_BYTES_AT, 8, "payload length");
        has_row(HEADER_STAMP_AT, 8, "stamp");
        has_row(HEADER_CHAIN_AT, 4, "chain");
        has_row(HEADER_EPOCH_AT, 4, "epoch");
        has_row(HEADER_DIGEST_AT, 32, "digest");
        has_row(HEADER_TOTALS_BYTES_AT, 4, "totals length");
        has_row(HEADER_TOTALS_AT, TOTALS_BYTES_MAX, "totals");
        has_row(HEADER_FIELDS_END, HEADER_BYTES - HEADER_FIELDS_END, "zeros");
        assert!(PAGE.contains("`DOORBIMG`"));
    }

    /// The page and the code agree on every field of a block and the trailer.
    #[test]
    fn the_page_and_the_code_agree_on_a_block_and_the_trailer() {
        has_row(BLOCK_LENGTH_AT, 4, "length");
        has_row(BLOCK_CRC_AT, 4, "block crc");
        has_row(TRAILER_MAGIC_AT, 8, "end magic");
        has_row(TRAILER_CRC_AT, 4, "trailer crc");
        has_row(TRAILER_HEADER_CRC_AT, 4, "header crc");
        has_row(TRAILER_SNAPSHOT_BYTES_AT, 8, "snapshot length");
        has_row(TRAILER_BLOCKS_AT, 8, "blocks");
        has_row(TRAILER_HASH_AT, 32, "payload hash");
        assert!(PAGE.contains("`DOORBEND`"));
    }

    #[test]
    fn the_page_and_the_code_agree_on_every_size() {
        has_constant("FORMAT_VERSION", u64::from(FORMAT_VERSION));
        has_constant("HEADER_BYTES", HEADER_BYTES as u64);
        has_constant("TOTALS_BYTES_MAX", TOTALS_BYTES_MAX as u64);
        has_constant("BLOCK_PREFIX_BYTES", BLOCK_PREFIX_BYTES as u64);
        has_constant("BLOCK_BYTES_MAX", BLOCK_BYTES_MAX as u64);
        has_constant("BLOCK_PAYLOAD_BYTES_MAX", BLOCK_PAYLOAD_BYTES_MAX as u64);
        has_constant("TRAILER_BYTES", TRAILER_BYTES as u64);
        has_constant("PAYLOAD_BYTES_MAX", PAYLOAD_BYTES_MAX);
    }

    #[test]
    fn the_length_of_the_payload_decides_where_everything_lies() {
        let full = BLOCK_PAYLOAD_BYTES_MAX as u64;
        for (payload_bytes, blocks) in
            [(0, 0), (1, 1), (full - 1, 1), (full, 1), (full + 1, 2), (2 * full, 2)]
        {
            let layout = Layout::new(payload_bytes).unwrap();
            assert_eq!(layout.blocks(), blocks, "{payload_bytes} bytes");
            let held: usize = (0..blocks).map(|number| layout.block_payload_bytes(number)).sum();
            assert_eq!(held as u64, payload_bytes);
            let end = blocks.checked_sub(1).map_or(HEADER_BYTES as u64, |last| {
                let payload_bytes = layout.block_payload_bytes(last);
                layout.block_at(last) + (BLOCK_PREFIX_BYTES + payload_bytes) as u64
            });
            assert_eq!(layout.trailer_at(), end, "{payload_bytes} bytes");
        }
        assert!(Layout::new(PAYLOAD_BYTES_MAX).is_some());
        assert!(Layout::new(PAYLOAD_BYTES_MAX + 1).is_none());
        assert!(snapshot_bytes(u64::MAX).is_none());
    }

    #[test]
    fn only_names_this_crate_gives_are_snapshots() {
        for sequence in [0, 1, 12_345, u64::MAX] {
            assert_eq!(snapshot_sequence(&snapshot_name(sequence)), Some(sequence));
            assert!(is_writing_name(&writing_name(sequence)));
            assert!(!is_writing_name(&snapshot_name(sequence)));
        }
        for name in [
            "image-5.image",
            "image-+0000000000000000005.image",
            "image-99999999999999999999.image",
            "image-00000000000000000005.writing",
            "image-00000000000000000005.image.old",
            "00000001.segment",
            "image-.image",
            "",
        ] {
            assert_eq!(snapshot_sequence(name), None, "{name:?}");
        }
        assert!(!is_writing_name("00000001.preparing"));
    }
}
