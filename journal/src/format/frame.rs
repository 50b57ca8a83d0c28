//! One frame: closed for storage, and parsed again.
//!
//! Owns the layout of a frame in memory, in both directions. Never touches a file and never decides
//! what a bad frame means for the journal: `verdict.rs` does. Read `layout.rs` for the offsets.

use crc32fast::Hasher;

use crate::format::layout::*;
use crate::format::origin::SnapshotEnd;
use crate::format::verdict::FrameFault;

/// The content of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Records, each with a sequence of its own.
    Records,
    /// No record, but a new watermark and the writer's totals.
    Seal,
    /// No record: the last frame of a segment, which names the next segment.
    EndMark,
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Records => 1,
            Self::Seal => 2,
            Self::EndMark => 3,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Records),
            2 => Some(Self::Seal),
            3 => Some(Self::EndMark),
            _ => None,
        }
    }
}

/// The position of a frame. It seeds the checksum, so a frame is valid at one position only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// [`crate::format::segment::seed`] of the journal and the segment.
    pub(crate) seed: u32,
    /// From the start of the segment, in bytes.
    pub(crate) offset: u64,
}

impl Position {
    fn hasher(self) -> Hasher {
        // Offsets are multiples of 8 and below 2^35, so no two positions of a segment share a seed.
        Hasher::new_with_initial(self.seed ^ (self.offset / FRAME_ALIGN_BYTES as u64) as u32)
    }
}

/// The fields of a frame's header that are not derived from its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) chain: u32,
    pub(crate) epoch: u32,
    pub(crate) shard: u16,
    pub(crate) count: u32,
    pub(crate) first_sequence: u64,
    pub(crate) stamp_ms: u64,
    pub(crate) watermark: u64,
}

/// What a frame continues: the last sequence before it and the checksum of the frame before it.
/// The first frame of a journal continues the default value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Predecessor {
    pub(crate) last_sequence: u64,
    pub(crate) chain: u32,
}

impl Head {
    /// What this frame continues. A valid frame never starts at sequence 0.
    pub(crate) fn predecessor(&self) -> Predecessor {
        Predecessor { last_sequence: self.first_sequence - 1, chain: self.chain }
    }
}

/// Appends one length-prefixed body to an open frame.
pub(crate) fn append_body(frame: &mut Vec<u8>, body: &[u8]) {
    frame.extend_from_slice(&(body.len() as u32).to_le_bytes());
    frame.extend_from_slice(body);
}

/// Closes a frame whose header is still zero and whose bodies are appended: adds zeros up to the
/// alignment, then trailer, header and checksum. Returns the checksum: the next frame's chain.
pub(crate) fn close(frame: &mut Vec<u8>, head: &Head, position: Position) -> u32 {
    let bytes = closed_bytes(frame.len());
    assert!(bytes <= FRAME_BYTES_MAX, "a frame of {bytes} bytes is too long");
    let length_word = LENGTH_MAGIC | bytes as u32;
    frame.resize(bytes - FRAME_TRAILER_BYTES, 0);
    frame.extend_from_slice(&trailer(length_word).to_le_bytes());
    write_at(frame, FRAME_LENGTH_AT, length_word.to_le_bytes());
    write_at(frame, FRAME_CHAIN_AT, head.chain.to_le_bytes());
    write_at(frame, FRAME_EPOCH_AT, head.epoch.to_le_bytes());
    write_at(frame, FRAME_SHARD_AT, head.shard.to_le_bytes());
    write_at(frame, FRAME_KIND_AT, [head.kind.code()]);
    write_at(frame, FRAME_COUNT_AT, head.count.to_le_bytes());
    write_at(frame, FRAME_FIRST_SEQUENCE_AT, head.first_sequence.to_le_bytes());
    write_at(frame, FRAME_STAMP_AT, head.stamp_ms.to_le_bytes());
    write_at(frame, FRAME_WATERMARK_AT, head.watermark.to_le_bytes());
    let crc = checksum(length_word, &frame[FRAME_CHAIN_AT..], position);
    write_at(frame, FRAME_CRC_AT, crc.to_le_bytes());
    crc
}

/// The checksum over the length word and everything after the checksum field.
fn checksum(length_word: u32, behind: &[u8], position: Position) -> u32 {
    let mut hasher = position.hasher();
    hasher.update(&length_word.to_le_bytes());
    hasher.update(behind);
    hasher.finalize()
}

const fn trailer(length_word: u32) -> u64 {
    ((TRAILER_MAGIC as u64) << 32) | length_word as u64
}

/// A valid frame, borrowed from the block that it was read into.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub(crate) head: Head,
    pub(crate) crc: u32,
    /// The whole frame, from the length word to the trailer.
    bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The kind of its content.
    pub fn kind(&self) -> Kind {
        self.head.kind
    }

    /// The epoch: how often the server had started when it wrote this frame.
    pub fn epoch(&self) -> u32 {
        self.head.epoch
    }

    /// The shard; 0 as long as there is one writer.
    pub fn shard(&self) -> u16 {
        self.head.shard
    }

    /// The sequence of its first record; in a seal or an end mark, the next sequence.
    pub fn first_sequence(&self) -> u64 {
        self.head.first_sequence
    }

    /// The number of its records.
    pub fn count(&self) -> u32 {
        self.head.count
    }

    /// The stamp of the turn that wrote it, in milliseconds, as passed to
    /// [`crate::Journal::begin`].
    pub fn stamp_ms(&self) -> u64 {
        self.head.stamp_ms
    }

    /// The highest sequence that was known to be synced when the frame was written.
    pub fn watermark(&self) -> u64 {
        self.head.watermark
    }

    /// Its checksum, which the next frame repeats.
    pub fn checksum(&self) -> u32 {
        self.crc
    }

    /// The end of a snapshot whose last frame this is. `None` for a seal or an end mark: no
    /// snapshot ends with one.
    pub fn snapshot_end(&self) -> Option<SnapshotEnd> {
        let sequence = self.next_sequence() - 1;
        (self.head.kind == Kind::Records).then_some(SnapshotEnd { sequence, chain: self.crc })
    }

    /// Its length in the segment, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Its records and their sequences, in order; none in a seal or an end mark.
    pub fn records(&self) -> Records<'a> {
        let bodies = if self.head.count == 0 { &[] } else { self.bodies() };
        Records { sequence: self.head.first_sequence, left: self.head.count, bodies }
    }

    /// The writer's totals, if this is a seal.
    pub fn totals(&self) -> Option<&'a [u8]> {
        (self.head.kind == Kind::Seal).then(|| split_body(self.bodies()).map(|(body, _)| body))?
    }

    /// The number of the next segment, if this is an end mark.
    pub(crate) fn successor(&self) -> Option<u64> {
        (self.head.kind == Kind::EndMark)
            .then(|| split_body(self.bodies()).map(|(body, _)| read_u64(body, 0)))?
    }

    /// The sequence after its last record.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.head.first_sequence + u64::from(self.head.count)
    }

    pub(crate) fn bodies(&self) -> &'a [u8] {
        &self.bytes[FRAME_HEADER_BYTES..self.bytes.len() - FRAME_TRAILER_BYTES]
    }

    /// Returns whether the bodies agree with the header. Checked after the checksum, before any
    /// use.
    fn is_well_formed(&self) -> bool {
        let head = &self.head;
        let reserved_zero = self.bytes[FRAME_RESERVED_AT] == 0
            && read_u64(self.bytes, FRAME_SECOND_WATERMARK_AT) == 0;
        let bodies = match head.kind {
            Kind::Records => head.count,
            Kind::Seal | Kind::EndMark => 1,
        };
        let counted = (head.kind == Kind::Records) == (head.count > 0);
        let ordered = head.watermark < head.first_sequence
            && head.first_sequence.checked_add(u64::from(head.count)).is_some();
        let mut rest = self.bodies();
        let mut longest = 0;
        for _ in 0..bodies {
            let Some((body, after)) = split_body(rest) else { return false };
            longest = longest.max(body.len());
            rest = after;
        }
        let padded = rest.len() < FRAME_ALIGN_BYTES && rest.iter().all(|&byte| byte == 0);
        let sized = match head.kind {
            Kind::Records => longest <= RECORD_BYTES_MAX,
            Kind::Seal => longest <= SEAL_TOTALS_BYTES_MAX,
            Kind::EndMark => longest == size_of::<u64>(),
        };
        reserved_zero && counted && ordered && padded && sized
    }
}

fn split_body(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (prefix, rest) = bytes.split_first_chunk::<RECORD_PREFIX_BYTES>()?;
    rest.split_at_checked(u32::from_le_bytes(*prefix) as usize)
}

/// The records of a frame, each with its sequence.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    sequence: u64,
    left: u32,
    bodies: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (body, rest) = split_body(self.bodies)?;
        let sequence = self.sequence;
        self.sequence += 1;
        self.bodies = rest;
        Some((sequence, body))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

/// Parses the frame at the start of `bytes`, or returns its fault.
///
/// `bytes` must reach to the end of the segment or be at least [`FRAME_BYTES_MAX`] long.
pub(crate) fn parse(bytes: &[u8], position: Position) -> Result<Frame<'_>, FrameFault> {
    let length_word = match bytes.first_chunk::<4>() {
        Some(word) => u32::from_le_bytes(*word),
        None => 0,
    };
    if length_word == 0 {
        return Err(FrameFault::ZeroLength);
    }
    let Some(length) = length_of(length_word).filter(|&length| length <= bytes.len()) else {
        return Err(FrameFault::BadBytes);
    };
    let extent = &bytes[..length];
    let crc = read_u32(extent, FRAME_CRC_AT);
    let closed = read_u64(extent, length - FRAME_TRAILER_BYTES) == trailer(length_word);
    if !closed || checksum(length_word, &extent[FRAME_CHAIN_AT..], position) != crc {
        let torn = has_zero_sector(extent, position.offset)
            && !is_whole_but_for_its_length(bytes, position);
        return Err(if torn { FrameFault::ZeroSector } else { FrameFault::BadBytes });
    }
    let Some(kind) = Kind::from_code(extent[FRAME_KIND_AT]) else {
        return Err(FrameFault::Foreign);
    };
    let head = Head {
        kind,
        chain: read_u32(extent, FRAME_CHAIN_AT),
        epoch: read_u32(extent, FRAME_EPOCH_AT),
        shard: u16::from_le_bytes([extent[FRAME_SHARD_AT], extent[FRAME_SHARD_AT + 1]]),
        count: read_u32(extent, FRAME_COUNT_AT),
        first_sequence: read_u64(extent, FRAME_FIRST_SEQUENCE_AT),
        stamp_ms: read_u64(extent, FRAME_STAMP_AT),
        watermark: read_u64(extent, FRAME_WATERMARK_AT),
    };
    let frame = Frame { head, crc, bytes: extent };
    if frame.is_well_formed() { Ok(frame) } else { Err(FrameFault::Foreign) }
}

/// The length in a length word; `None` if it cannot be a length word.
pub(crate) fn length_of(length_word: u32) -> Option<usize> {
    let length = (length_word & LENGTH_MASK) as usize;
    let plausible = length_word & !LENGTH_MASK == LENGTH_MAGIC
        && (FRAME_BYTES_MIN..=FRAME_BYTES_MAX).contains(&length)
        && length.is_multiple_of(FRAME_ALIGN_BYTES);
    plausible.then_some(length)
}

/// Returns whether the checksum is right for another length that a trailer confirms. Then the frame
/// was stored whole, only its length word is damaged, and zeros up to the wrong end are not part of
/// it.
fn is_whole_but_for_its_length(bytes: &[u8], position: Position) -> bool {
    let crc = read_u32(bytes, FRAME_CRC_AT);
    let lengths = FRAME_BYTES_MIN..=bytes.len().min(FRAME_BYTES_MAX);
    lengths.step_by(FRAME_ALIGN_BYTES).any(|length| {
        let length_word = LENGTH_MAGIC | length as u32;
        read_u64(bytes, length - FRAME_TRAILER_BYTES) == trailer(length_word)
            && checksum(length_word, &bytes[FRAME_CHAIN_AT..length], position) == crc
    })
}

/// Returns whether the frame's part of some sector is all zero, as if it never reached the disk.
fn has_zero_sector(extent: &[u8], offset: u64) -> bool {
    let first_bytes = SECTOR_BYTES - (offset % SECTOR_BYTES as u64) as usize;
    let (first, rest) = extent.split_at(first_bytes.min(extent.len()));
    std::iter::once(first).chain(rest.chunks(SECTOR_BYTES)).any(is_zero)
}

/// Returns whether every byte is zero. Checks 64 bytes at a time, because a start reads the whole
/// unused end of a segment.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    const PIECE_BYTES: usize = 64;
    let pieces = bytes.chunks(PIECE_BYTES);
    pieces.map(|piece| piece.iter().fold(0, |seen, &byte| seen | byte)).all(|seen| seen == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSITION: Position = Position { seed: 7, offset: 4096 };
    const HEAD: Head = Head {
        kind: Kind::Records,
        chain: 1,
        epoch: 2,
        shard: 0,
        count: 2,
        first_sequence: 10,
        stamp_ms: 3,
        watermark: 9,
    };

    /// A closed frame that `change` has changed, with a checksum that is right again.
    fn closed(head: &Head, bodies: &[&[u8]], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut frame = vec![0; FRAME_HEADER_BYTES];
        bodies.iter().for_each(|body| append_body(&mut frame, body));
        close(&mut frame, head, POSITION);
        change(&mut frame);
        let crc = checksum(read_u32(&frame, FRAME_LENGTH_AT), &frame[FRAME_CHAIN_AT..], POSITION);
        write_at(&mut frame, FRAME_CRC_AT, crc.to_le_bytes());
        frame
    }

    #[test]
    fn a_closed_frame_is_read_back() {
        let bytes = closed(&HEAD, &[b"one", b""], |_| {});
        let frame = parse(&bytes, POSITION).unwrap();
        assert_eq!(frame.head, HEAD);
        assert_eq!(frame.records().collect::<Vec<_>>(), [(10, &b"one"[..]), (11, b"")]);
        assert_eq!((frame.next_sequence(), frame.totals(), frame.successor()), (12, None, None));
    }

    #[test]
    fn a_frame_that_contradicts_itself_is_foreign() {
        let two: &[&[u8]] = &[b"one", b"two"];
        let seal = Head { kind: Kind::Seal, count: 0, ..HEAD };
        let mark = Head { kind: Kind::EndMark, count: 0, ..HEAD };
        let cases = [
            ("too few records", closed(&Head { count: 3, ..HEAD }, two, |_| {})),
            ("too many records", closed(&Head { count: 1, ..HEAD }, two, |_| {})),
            ("no record", closed(&Head { count: 0, ..HEAD }, &[], |_| {})),
            ("records beyond counting", closed(&Head { count: u32::MAX, ..HEAD }, two, |_| {})),
            ("a watermark ahead", closed(&Head { watermark: 10, ..HEAD }, two, |_| {})),
            (
                "sequence zero",
                closed(&Head { first_sequence: 0, watermark: 0, ..HEAD }, two, |_| {}),
            ),
            ("no next sequence", closed(&Head { first_sequence: u64::MAX, ..HEAD }, two, |_| {})),
            ("a seal of two bodies", closed(&seal, two, |_| {})),
            ("a seal with a count", closed(&Head { count: 1, ..seal }, &[b""], |_| {})),
            ("an end mark of no number", closed(&mark, &[b"1234"], |_| {})),
            ("an unknown kind", closed(&HEAD, two, |frame| frame[FRAME_KIND_AT] = 9)),
            ("a reserved byte", closed(&HEAD, two, |frame| frame[FRAME_RESERVED_AT] = 1)),
            (
                "a second watermark",
                closed(&HEAD, two, |frame| frame[FRAME_SECOND_WATERMARK_AT] = 1),
            ),
            ("a record past the end", closed(&HEAD, two, |frame| frame[FRAME_HEADER_BYTES] = 200)),
            (
                "padding",
                closed(&HEAD, &[b"one", b"four"], |frame| {
                    let end = frame.len() - FRAME_TRAILER_BYTES;
                    frame[end - 1] = 1;
                }),
            ),
        ];
        for (what, bytes) in cases {
            assert_eq!(parse(&bytes, POSITION).err(), Some(FrameFault::Foreign), "{what}");
        }
    }

    #[test]
    fn a_frame_cut_anywhere_is_no_frame() {
        let bytes = closed(&HEAD, &[b"one", b"two"], |_| {});
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end], POSITION).is_err(), "cut to {end} bytes");
        }
    }
}
