//! Every number of the stored format, each derived from the one before it.
//!
//! Owns the offsets, sizes, magic values, bounds and file names. Never touches a file. `FORMAT.md`
//! says the same in prose; a test below compares the two. Read `frame.rs` and `segment.rs` next,
//! which use these numbers.

pub(crate) use super::bytes::{read_u32, read_u64, write_at};

/// The version in every segment header. It rises with any change of meaning of any byte.
pub const FORMAT_VERSION: u32 = 1;

// The segment header: one page, so that no store of a frame ever rewrites it.
pub(crate) const SEGMENT_MAGIC: [u8; 8] = *b"DOORBJNL";
pub(crate) const SEGMENT_MAGIC_AT: usize = 0;
pub(crate) const SEGMENT_FORMAT_AT: usize = SEGMENT_MAGIC_AT + 8;
pub(crate) const SEGMENT_CRC_AT: usize = SEGMENT_FORMAT_AT + 4;
pub(crate) const SEGMENT_ID_AT: usize = SEGMENT_CRC_AT + 4;
pub(crate) const SEGMENT_NUMBER_AT: usize = SEGMENT_ID_AT + 16;
pub(crate) const SEGMENT_BYTES_AT: usize = SEGMENT_NUMBER_AT + 8;
pub(crate) const SEGMENT_FIELDS_END: usize = SEGMENT_BYTES_AT + 8;
pub(crate) const SEGMENT_HEADER_BYTES: usize = PAGE_BYTES;

// The frame: header, length-prefixed records, zeros up to alignment, trailer.
pub(crate) const FRAME_LENGTH_AT: usize = 0;
pub(crate) const FRAME_CRC_AT: usize = FRAME_LENGTH_AT + 4;
pub(crate) const FRAME_CHAIN_AT: usize = FRAME_CRC_AT + 4;
pub(crate) const FRAME_EPOCH_AT: usize = FRAME_CHAIN_AT + 4;
pub(crate) const FRAME_SHARD_AT: usize = FRAME_EPOCH_AT + 4;
pub(crate) const FRAME_KIND_AT: usize = FRAME_SHARD_AT + 2;
pub(crate) const FRAME_RESERVED_AT: usize = FRAME_KIND_AT + 1;
pub(crate) const FRAME_COUNT_AT: usize = FRAME_RESERVED_AT + 1;
pub(crate) const FRAME_FIRST_SEQUENCE_AT: usize = FRAME_COUNT_AT + 4;
pub(crate) const FRAME_STAMP_AT: usize = FRAME_FIRST_SEQUENCE_AT + 8;
pub(crate) const FRAME_WATERMARK_AT: usize = FRAME_STAMP_AT + 8;
pub(crate) const FRAME_SECOND_WATERMARK_AT: usize = FRAME_WATERMARK_AT + 8;
pub(crate) const FRAME_HEADER_BYTES: usize = FRAME_SECOND_WATERMARK_AT + 8;
pub(crate) const RECORD_PREFIX_BYTES: usize = 4;
pub(crate) const FRAME_TRAILER_BYTES: usize = 8;
pub(crate) const FRAME_ALIGN_BYTES: usize = 8;
pub(crate) const FRAME_BYTES_MIN: usize = FRAME_HEADER_BYTES + FRAME_TRAILER_BYTES;

/// The longest frame, in bytes, header and trailer included.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;

/// The longest record, in bytes: the longest frame less the bytes of its own framing.
pub const RECORD_BYTES_MAX: usize = 60 * 1024;

/// The longest totals that a seal carries, in bytes.
pub const SEAL_TOTALS_BYTES_MAX: usize = 4096;

/// The twelve high bits of a length word; the twenty low bits are the frame's length in bytes.
pub(crate) const LENGTH_MAGIC: u32 = 0xD0B0_0000;
pub(crate) const LENGTH_MASK: u32 = 0x000F_FFFF;

/// The high half of a trailer; the low half repeats the length word.
pub(crate) const TRAILER_MAGIC: u32 = 0x454D_4152;

/// The bytes that a disk writes all or none of. See the media assumptions in `FORMAT.md`.
pub(crate) const SECTOR_BYTES: usize = 512;

/// The smallest unit that the kernel writes back, in bytes.
pub(crate) const PAGE_BYTES: usize = 4096;

/// The length of an end mark: a frame whose only body is the number of the successor.
pub(crate) const END_MARK_BYTES: usize =
    closed_bytes(FRAME_HEADER_BYTES + RECORD_PREFIX_BYTES + size_of::<u64>());

/// The smallest segment, in bytes.
pub const SEGMENT_BYTES_MIN: u64 = 256 * 1024;
/// The largest segment, in bytes.
pub const SEGMENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// The default size of a segment, in bytes.
pub const SEGMENT_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;

const _: () = {
    assert!(SEGMENT_FIELDS_END <= SEGMENT_HEADER_BYTES);
    assert!(SEGMENT_HEADER_BYTES.is_multiple_of(SECTOR_BYTES));
    assert!(FRAME_HEADER_BYTES.is_multiple_of(FRAME_ALIGN_BYTES));
    assert!(SECTOR_BYTES.is_multiple_of(FRAME_ALIGN_BYTES));
    assert!(FRAME_BYTES_MAX.is_multiple_of(FRAME_ALIGN_BYTES));
    assert!(FRAME_BYTES_MAX <= LENGTH_MASK as usize);
    assert!(LENGTH_MAGIC & LENGTH_MASK == 0);
    assert!(
        closed_bytes(FRAME_HEADER_BYTES + RECORD_PREFIX_BYTES + RECORD_BYTES_MAX)
            <= FRAME_BYTES_MAX
    );
    assert!(SEAL_TOTALS_BYTES_MAX <= RECORD_BYTES_MAX);
    // The smallest segment holds several of the longest frames, so one roll is always enough.
    assert!(
        SEGMENT_BYTES_MIN as usize >= SEGMENT_HEADER_BYTES + 3 * FRAME_BYTES_MAX + END_MARK_BYTES
    );
    assert!(SEGMENT_BYTES_MIN.is_multiple_of(PAGE_BYTES as u64));
    assert!(SEGMENT_BYTES_MAX / (FRAME_ALIGN_BYTES as u64) < u32::MAX as u64);
};

/// The length of a whole frame whose header and records take `filled_bytes`.
pub(crate) const fn closed_bytes(filled_bytes: usize) -> usize {
    filled_bytes.next_multiple_of(FRAME_ALIGN_BYTES) + FRAME_TRAILER_BYTES
}

/// The most bytes one turn can take in a segment: `records` records of `payload_bytes` in all.
///
/// Counts length prefixes and the framing of every frame the turn may be split into: two frames
/// that follow each other within a turn hold more than [`FRAME_BYTES_MAX`] together, or the second
/// record would have gone into the first.
pub const fn turn_bytes_max(records: usize, payload_bytes: usize) -> u64 {
    const FRAMING_BYTES: usize = closed_bytes(FRAME_HEADER_BYTES) + FRAME_ALIGN_BYTES;
    let body_bytes = payload_bytes.saturating_add(records.saturating_mul(RECORD_PREFIX_BYTES));
    let frames = 1 + body_bytes / ((FRAME_BYTES_MAX - 2 * FRAMING_BYTES) / 2);
    body_bytes.saturating_add(frames.saturating_mul(FRAMING_BYTES)) as u64
}

/// The identity of a journal: sixteen random bytes, chosen once at creation.
///
/// It seeds every checksum, so a segment of another journal never passes for one of this journal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct JournalId(pub [u8; 16]);

impl std::fmt::Display for JournalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for JournalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JournalId({self})")
    }
}

pub(crate) fn segment_bytes_allowed(bytes: u64) -> bool {
    (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&bytes)
        && bytes.is_multiple_of(PAGE_BYTES as u64)
}

const SEGMENT_SUFFIX: &str = ".segment";
const PREPARING_SUFFIX: &str = ".preparing";

/// The name of a segment that is in use or ready for use.
pub(crate) fn segment_name(number: u64) -> String {
    format!("{number:08}{SEGMENT_SUFFIX}")
}

/// The name of a segment while it is made. It is never read, and the next start
/// removes it.
pub(crate) fn preparing_name(number: u64) -> String {
    format!("{number:08}{PREPARING_SUFFIX}")
}

pub(crate) fn is_preparing_name(name: &str) -> bool {
    name.ends_with(PREPARING_SUFFIX)
}

/// The number in the name of a segment. `None`: not a segment. `Some(None)`: named like a segment,
/// but not as [`segment_name`] names one.
pub(crate) fn segment_number(name: &str) -> Option<Option<u64>> {
    let digits = name.strip_suffix(SEGMENT_SUFFIX)?;
    let number = digits.parse::<u64>().ok().filter(|&number| number > 0);
    Some(number.filter(|&number| segment_name(number) == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../FORMAT.md");

    fn has_row(start: usize, bytes: usize, field: &str) {
        let row = format!("| {start} | {bytes} | {field} |");
        assert!(PAGE.contains(&row), "FORMAT.md has no row {row:?}");
    }

    fn has_constant(name: &str, value: u64) {
        let row = format!("| `{name}` | {value} |");
        assert!(PAGE.contains(&row), "FORMAT.md has no row {row:?}");
    }

    /// The page and the code agree on every field of a segment header.
    #[test]
    fn the_page_and_the_code_agree_on_a_segment_header() {
        has_row(SEGMENT_MAGIC_AT, 8, "magic");
        has_row(SEGMENT_FORMAT_AT, 4, "format");
        has_row(SEGMENT_CRC_AT, 4, "crc");
        has_row(SEGMENT_ID_AT, 16, "journal id");
        has_row(SEGMENT_NUMBER_AT, 8, "number");
        has_row(SEGMENT_BYTES_AT, 8, "size");
        has_row(SEGMENT_FIELDS_END, SEGMENT_HEADER_BYTES - SEGMENT_FIELDS_END, "zeros");
        assert!(PAGE.contains("`DOORBJNL`"));
    }

    #[test]
    fn the_page_and_the_code_agree_on_every_field_of_a_frame() {
        has_row(FRAME_LENGTH_AT, 4, "length word");
        has_row(FRAME_CRC_AT, 4, "crc");
        has_row(FRAME_CHAIN_AT, 4, "chain");
        has_row(FRAME_EPOCH_AT, 4, "epoch");
        has_row(FRAME_SHARD_AT, 2, "shard");
        has_row(FRAME_KIND_AT, 1, "kind");
        has_row(FRAME_RESERVED_AT, 1, "reserved");
        has_row(FRAME_COUNT_AT, 4, "count");
        has_row(FRAME_FIRST_SEQUENCE_AT, 8, "first sequence");
        has_row(FRAME_STAMP_AT, 8, "stamp");
        has_row(FRAME_WATERMARK_AT, 8, "watermark");
        has_row(FRAME_SECOND_WATERMARK_AT, 8, "second watermark");
        assert!(PAGE.contains(&format!("`0x{LENGTH_MAGIC:08X}`")));
        assert!(PAGE.contains(&format!("`0x{TRAILER_MAGIC:08X}`")));
    }

    #[test]
    fn the_page_and_the_code_agree_on_every_size() {
        has_constant("FORMAT_VERSION", u64::from(FORMAT_VERSION));
        has_constant("SEGMENT_HEADER_BYTES", SEGMENT_HEADER_BYTES as u64);
        has_constant("FRAME_HEADER_BYTES", FRAME_HEADER_BYTES as u64);
        has_constant("FRAME_TRAILER_BYTES", FRAME_TRAILER_BYTES as u64);
        has_constant("FRAME_ALIGN_BYTES", FRAME_ALIGN_BYTES as u64);
        has_constant("FRAME_BYTES_MIN", FRAME_BYTES_MIN as u64);
        has_constant("FRAME_BYTES_MAX", FRAME_BYTES_MAX as u64);
        has_constant("RECORD_PREFIX_BYTES", RECORD_PREFIX_BYTES as u64);
        has_constant("RECORD_BYTES_MAX", RECORD_BYTES_MAX as u64);
        has_constant("SEAL_TOTALS_BYTES_MAX", SEAL_TOTALS_BYTES_MAX as u64);
        has_constant("END_MARK_BYTES", END_MARK_BYTES as u64);
        has_constant("SECTOR_BYTES", SECTOR_BYTES as u64);
        has_constant("PAGE_BYTES", PAGE_BYTES as u64);
        has_constant("SEGMENT_BYTES_MIN", SEGMENT_BYTES_MIN);
        has_constant("SEGMENT_BYTES_MAX", SEGMENT_BYTES_MAX);
        has_constant("SEGMENT_BYTES_DEFAULT", SEGMENT_BYTES_DEFAULT);
    }

    #[test]
    fn only_names_this_journal_gives_are_segments() {
        assert_eq!(segment_number("00000001.segment"), Some(Some(1)));
        assert_eq!(segment_number("123456789.segment"), Some(Some(123_456_789)));
        assert_eq!(segment_number("1.segment"), Some(None));
        assert_eq!(segment_number("00000000.segment"), Some(None));
        assert_eq!(segment_number("+0000001.segment"), Some(None));
        assert_eq!(segment_number("00000001.preparing"), None);
        assert_eq!(segment_number("LOCK"), None);
    }
}
