//! Frames with the right checksum that no writer has made: stored where a frame is expected, and
//! told from true ones by what they say.
//!
//! Forges with the crate's own framing, which tests from outside cannot. Next: `walk`,
//! `open_segments`.

use crate::format::frame::{self, Head, Kind, Position};
use crate::format::layout::*;
use crate::format::segment::SegmentHeader;
use crate::{
    Journal, JournalError, MemoryDisk, Options, Origin, Refusal, Scan, SnapshotEnd, Verdict, scan,
    scan_with,
};

const OPTIONS: Options = Options { segment_bytes: SEGMENT_BYTES_MIN };
const ID: JournalId = JournalId([5; 16]);
const NAME: &str = "00000001.segment";

/// A synced journal of one segment, whose frames leave at most `bytes_left_max` bytes of it.
fn written(bytes_left_max: u64) -> (MemoryDisk, Scan) {
    let disk = MemoryDisk::default();
    let mut journal = Journal::create(disk.clone(), OPTIONS, ID).unwrap();
    while journal.free_space().segment_bytes_left > bytes_left_max {
        journal.begin(1, 1000);
        journal.push(|frame| frame.resize(frame.len() + 9_000, 1)).unwrap();
        journal.finish().unwrap();
    }
    journal.sync().unwrap();
    let found = scan(&disk, Origin::Genesis).unwrap();
    assert_eq!(found.segments.len(), 1, "a test of one segment");
    (disk, found)
}

/// What `kind` says of itself when it continues this journal as it should.
fn head(found: &Scan, kind: Kind) -> Head {
    Head {
        kind,
        chain: found.chain,
        epoch: 1,
        shard: 0,
        count: u32::from(kind == Kind::Records),
        first_sequence: found.last_sequence + 1,
        stamp_ms: 1000,
        watermark: found.last_sequence,
    }
}

/// Puts a whole frame of one body where the journal ends.
fn forge(disk: &MemoryDisk, found: &Scan, head: &Head, body: &[u8]) {
    let offset = found.segments[0].end;
    let mut bytes = disk.contents(NAME).unwrap();
    put_frame(&mut bytes, 1, offset, head, body);
    disk.put(NAME, bytes);
}

/// Puts a whole frame of one body into the bytes of a segment.
fn put_frame(segment: &mut [u8], number: u64, offset: u64, head: &Head, body: &[u8]) {
    let header = SegmentHeader { id: ID, number, bytes: OPTIONS.segment_bytes };
    let mut forged = vec![0; FRAME_HEADER_BYTES];
    frame::append_body(&mut forged, body);
    frame::close(&mut forged, head, Position { seed: header.seed(), offset });
    let start = usize::try_from(offset).unwrap();
    segment[start..start + forged.len()].copy_from_slice(&forged);
}

fn refused(disk: &MemoryDisk) -> Refusal {
    match scan(disk, Origin::Genesis) {
        Err(JournalError::Refused(refusal)) => *refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// The body of a frame of `frame_bytes` bytes.
fn body(frame_bytes: u64) -> Vec<u8> {
    let framing_bytes = FRAME_HEADER_BYTES + RECORD_PREFIX_BYTES + FRAME_TRAILER_BYTES;
    vec![2; usize::try_from(frame_bytes).unwrap() - framing_bytes]
}

#[test]
fn a_forged_frame_that_says_what_ours_would_is_taken_for_ours() {
    let (disk, found) = written(100_000);
    forge(&disk, &found, &Head { shard: 7, ..head(&found, Kind::Records) }, b"one more");
    let mut said = (0, 0);
    let grown = scan_with(&disk, Origin::Genesis, &mut |frame| {
        said = (frame.shard(), frame.checksum());
        Ok(())
    })
    .unwrap();
    assert_eq!(grown.last_sequence, found.last_sequence + 1);
    assert_eq!(said, (7, grown.chain), "what the last frame says of itself is shown");
}

#[test]
fn an_end_mark_names_the_next_segment_and_no_other() {
    let (disk, found) = written(100_000);
    for successor in [0_u64, 1, 3] {
        forge(&disk, &found, &head(&found, Kind::EndMark), &successor.to_le_bytes());
        let refusal = refused(&disk);
        assert_eq!(refusal.verdict, Verdict::Foreign, "{successor}: {refusal}");
        assert_eq!(refusal.offset, found.segments[0].end);
    }
}

#[test]
fn a_frame_of_records_leaves_room_for_the_end_mark() {
    let (disk, found) = written(50_000);
    let left = OPTIONS.segment_bytes - found.segments[0].end;
    let frame = |bytes: u64| {
        forge(&disk, &found, &head(&found, Kind::Records), &body(bytes));
        scan(&disk, Origin::Genesis)
    };
    let longest = left - END_MARK_BYTES as u64;
    assert_eq!(frame(longest).unwrap().last_sequence, found.last_sequence + 1);
    for bytes in [longest + FRAME_ALIGN_BYTES as u64, left] {
        frame(bytes).unwrap_err();
        assert_eq!(refused(&disk).verdict, Verdict::Foreign, "{bytes} of {left}");
    }
}

#[test]
fn the_last_sequence_there_could_be_is_never_taken() {
    // A segment that starts right after a snapshot so far on that no writer gets there.
    let scanned = |first_sequence: u64| {
        let header = SegmentHeader { id: ID, number: 2, bytes: OPTIONS.segment_bytes };
        let mut bytes = vec![0; usize::try_from(header.bytes).unwrap()];
        bytes[..SEGMENT_HEADER_BYTES].copy_from_slice(&header.encode());
        let snapshot = SnapshotEnd { sequence: first_sequence - 1, chain: 9 };
        let head = Head {
            kind: Kind::Records,
            chain: snapshot.chain,
            epoch: 1,
            shard: 0,
            count: 1,
            first_sequence,
            stamp_ms: 1000,
            watermark: snapshot.sequence,
        };
        put_frame(&mut bytes, 2, SEGMENT_HEADER_BYTES as u64, &head, b"far on");
        let disk = MemoryDisk::default();
        disk.put("00000002.segment", bytes);
        scan(&disk, Origin::Snapshot(snapshot))
    };
    assert_eq!(scanned(u64::MAX - 2).unwrap().last_sequence, u64::MAX - 2);
    let Err(JournalError::Refused(refusal)) = scanned(u64::MAX - 1) else { panic!("it is taken") };
    assert_eq!((refusal.verdict, refusal.sequence), (Verdict::Foreign, u64::MAX - 1));
}
