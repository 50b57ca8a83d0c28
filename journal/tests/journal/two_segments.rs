//! A small journal of two segments, built from `FORMAT.md` alone, and everything that can happen to
//! its bytes: each bit, each truncation, each zeroed tail, each sector, each file in a wrong place.
//!
//! The writer here knows the page, not the crate, and leaves its first segment early, as the format
//! allows: so the used part is small enough for every bit of it.

use doorbuster_journal::{
    Access, Disk, DiskFile, Journal, JournalError, JournalId, MemoryDisk, Origin,
    SEGMENT_BYTES_MIN, Scan, SnapshotEnd, Verdict, scan_with,
};
use doorbuster_test_support::random::Random;

use crate::support::*;

const NAMES: [&str; 2] = ["00000001.segment", "00000002.segment"];
const HEADER_BYTES: usize = 4096;
const SECTOR_BYTES: usize = 512;
const RECORDS: u8 = 1;
const SEAL: u8 = 2;
const END_MARK: u8 = 3;

/// A frame as it was written.
#[derive(Clone, Debug)]
struct Written {
    segment: usize,
    start: usize,
    bytes: Vec<u8>,
    first_sequence: u64,
    last_sequence: u64,
    watermark: u64,
    crc: u32,
}

/// The journal, what is in it and where.
struct Built {
    disk: MemoryDisk,
    frames: Vec<Written>,
    content: Vec<Vec<u8>>,
    chain: u32,
    offset: usize,
}

fn crc(start: u32, parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(start);
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

fn header(id: JournalId, number: u64) -> Vec<u8> {
    let mut page = b"DOORBJNL".to_vec();
    page.extend(1_u32.to_le_bytes());
    page.extend([0; 4]);
    page.extend(id.0);
    page.extend(number.to_le_bytes());
    page.extend(SEGMENT_BYTES_MIN.to_le_bytes());
    page.resize(HEADER_BYTES, 0);
    let checksum = crc(0, &[&page[..12], &page[16..]]);
    page[12..16].copy_from_slice(&checksum.to_le_bytes());
    page.resize(SEGMENT_BYTES_MIN as usize, 0);
    page
}

impl Built {
    fn new(id: JournalId) -> Self {
        let disk = MemoryDisk::default();
        let mut built =
            Self { disk, frames: Vec::new(), content: Vec::new(), chain: 0, offset: HEADER_BYTES };
        built.disk.put(NAMES[0], header(id, 1));
        built.disk.put(NAMES[1], header(id, 2));
        let frames: [(usize, u8, &[usize], u64); 11] = [
            (0, RECORDS, &[40], 0),
            (0, RECORDS, &[9, 0, 77], 1),
            (0, SEAL, &[30], 4),
            (0, RECORDS, &[700], 4),
            (0, RECORDS, &[12, 12], 5),
            (0, END_MARK, &[8], 5),
            (1, RECORDS, &[60], 7),
            (1, RECORDS, &[5, 6, 7], 8),
            (1, RECORDS, &[600], 8),
            (1, RECORDS, &[33], 12),
            (1, SEAL, &[30], 13),
        ];
        for (segment, kind, bodies, watermark) in frames {
            built.append(id, segment, kind, bodies, watermark);
        }
        built
    }

    fn append(&mut self, id: JournalId, segment: usize, kind: u8, bodies: &[usize], mark: u64) {
        if self.frames.last().is_some_and(|last| last.segment != segment) {
            self.offset = HEADER_BYTES;
        }
        let first_sequence = self.content.len() as u64 + 1;
        let count = if kind == RECORDS { bodies.len() as u32 } else { 0 };
        let mut body = Vec::new();
        for &bytes in bodies {
            let number = self.content.len() as u8;
            let mut record: Vec<u8> =
                (0..bytes).map(|at| 1 + (at as u8).wrapping_mul(29).max(number) % 250).collect();
            if kind == END_MARK {
                record = (segment as u64 + 2).to_le_bytes().to_vec();
            }
            body.extend((record.len() as u32).to_le_bytes());
            body.extend(&record);
            if kind == RECORDS {
                self.content.push(record);
            }
        }
        body.resize(body.len().next_multiple_of(8), 0);
        let length = 56 + body.len() + 8;
        let word = (0xD0B0_0000 | length as u32).to_le_bytes();
        let mut rest = self.chain.to_le_bytes().to_vec();
        rest.extend(3_u32.to_le_bytes());
        rest.extend([0, 0, kind, 0]);
        rest.extend(count.to_le_bytes());
        for field in [first_sequence, 1_700_000_000_000, mark, 0] {
            rest.extend(field.to_le_bytes());
        }
        rest.extend(body);
        rest.extend(word);
        rest.extend(0x454D_4152_u32.to_le_bytes());
        let seed = crc(0, &[&id.0, &(segment as u64 + 1).to_le_bytes()]);
        self.chain = crc(seed ^ (self.offset / 8) as u32, &[&word, &rest]);
        let bytes = [&word[..], &self.chain.to_le_bytes(), &rest].concat();
        assert_eq!(bytes.len(), length);
        let file = self.disk.open(NAMES[segment], Access::ReadAndWrite).unwrap();
        file.write_all_at(&bytes, self.offset as u64).unwrap();
        file.sync().unwrap();
        self.frames.push(Written {
            segment,
            start: self.offset,
            first_sequence,
            last_sequence: self.content.len() as u64,
            watermark: mark,
            crc: self.chain,
            bytes,
        });
        self.offset += length;
    }

    fn end(&self, segment: usize) -> usize {
        let last = self.frames.iter().rfind(|frame| frame.segment == segment).unwrap();
        last.start + last.bytes.len()
    }

    fn frame_at(&self, segment: usize, at: usize) -> Option<&Written> {
        let covers = |frame: &&Written| {
            frame.segment == segment && (frame.start..frame.start + frame.bytes.len()).contains(&at)
        };
        self.frames.iter().find(covers)
    }

    /// What a snapshot of everything up to this frame says of itself.
    fn snapshot(&self, frame: usize) -> SnapshotEnd {
        let frame = &self.frames[frame];
        SnapshotEnd { sequence: frame.last_sequence, chain: frame.crc }
    }

    /// The highest sequence that what is left on this disk says was synced.
    fn vouched(&self, disk: &MemoryDisk) -> u64 {
        let contents = NAMES.map(|name| disk.contents(name).unwrap_or_default());
        let whole = |frame: &&Written| {
            let at = frame.start..frame.start + frame.bytes.len();
            contents[frame.segment].get(at).is_some_and(|bytes| bytes == frame.bytes)
        };
        let vouched = self.frames.iter().filter(whole).map(|frame| match frame.segment {
            0 => frame.watermark,
            _ => frame.watermark.max(self.frames[5].last_sequence),
        });
        vouched.max().unwrap_or(0)
    }

    /// Reads from an origin. Whatever is shown is what was written under that sequence.
    fn read(&self, disk: &MemoryDisk, origin: Origin, what: &str) -> Result<Scan, JournalError> {
        let mut next = None;
        let found = scan_with(disk, origin, &mut |frame| {
            for (sequence, record) in frame.records() {
                assert_eq!(record, self.content[sequence as usize - 1], "{what}: {sequence}");
                assert!(next.is_none_or(|next| next == sequence), "{what}: a gap");
                next = Some(sequence + 1);
            }
            Ok(())
        })?;
        assert!(next.is_none_or(|next| next == found.last_sequence + 1), "{what}");
        Ok(found)
    }

    /// The promise, whatever happened to the bytes.
    fn check(&self, disk: &MemoryDisk, what: &str) -> Option<Scan> {
        match self.read(disk, Origin::Genesis, what) {
            Ok(found) => {
                assert!(found.last_sequence >= self.vouched(disk), "{what}: {found:?}");
                match &found.dropped {
                    Some(dropped) => {
                        assert_eq!(dropped.first_sequence_lost, found.last_sequence + 1, "{what}");
                        assert!(dropped.file.starts_with("memory:"), "{what}");
                    }
                    None => assert_eq!(found.end, Verdict::CleanEnd, "{what}"),
                }
                Some(found)
            }
            Err(JournalError::Refused(refusal)) => {
                assert!(!refusal.verdict.is_resumable(), "{what}");
                assert!(refusal.file.starts_with("memory:0000000"), "{what}: {refusal}");
                let text = refusal.to_string();
                for part in ["at byte ", "at sequence ", &refusal.file] {
                    assert!(text.contains(part), "{what}: {text}");
                }
                None
            }
            Err(other) => panic!("{what}: {other}"),
        }
    }
}

/// Changes one byte in place.
fn change(disk: &MemoryDisk, segment: usize, at: usize, of: impl FnOnce(u8) -> u8) {
    let file = disk.open(NAMES[segment], Access::ReadAndWrite).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[of(byte[0])], at as u64).unwrap();
}

/// The page alone tells how to write a journal and it can be gone on from.
#[test]
fn a_journal_written_by_the_page_alone_can_be_continued() {
    let built = Built::new(ID);
    let found = built.read(&built.disk, Origin::Genesis, "whole").unwrap();
    assert_eq!((found.end, found.last_sequence, found.vouched), (Verdict::CleanEnd, 13, 13));
    assert_eq!(found.chain, built.chain);
    let ends: Vec<_> = found.segments.iter().map(|segment| segment.end as usize).collect();
    assert_eq!(ends, [built.end(0), built.end(1)]);
    let mut journal = Journal::resume(built.disk.clone(), SMALL, found).unwrap();
    append(&mut journal, 4, &["behind"]);
    assert_eq!(read(&built.disk).1.last().unwrap(), b"behind");
}

/// Every flipped bit of two segments is refused with file offset and sequence.
#[test]
fn every_flipped_bit_of_two_segments_is_refused() {
    let built = Built::new(ID);
    let disk = &built.disk;
    let (mut flips, mut met) = (0, [0; 3]);
    for segment in [0, 1] {
        for at in 0..built.end(segment) {
            let frame = built.frame_at(segment, at);
            let place = frame.map_or((0, 0), |frame| (frame.start, frame.first_sequence));
            // The snapshots end in the second segment, one inside it and one at its end.
            let origins = [
                Origin::Genesis,
                Origin::GenesisBeside(built.snapshot(9)),
                Origin::Snapshot(built.snapshot(7)),
            ];
            for bit in 0..8 {
                change(disk, segment, at, |byte| byte ^ 1 << bit);
                for (origin, met) in origins.into_iter().zip(&mut met) {
                    let what = format!("bit {bit} of byte {at} of {} {origin:?}", NAMES[segment]);
                    match built.read(disk, origin, &what) {
                        Err(JournalError::Refused(refusal)) => {
                            assert!(!refusal.verdict.is_resumable(), "{what}");
                            let told = (refusal.offset as usize, refusal.sequence);
                            assert_eq!(told, place, "{what}: {refusal}");
                            assert_eq!(refusal.file, format!("memory:{}", NAMES[segment]));
                            *met += 1;
                        }
                        // StartAfterSnapshot a snapshot, the first segment is not read.
                        Ok(found) => {
                            let beyond = matches!(origin, Origin::Snapshot(_)) && segment == 0;
                            assert!(beyond, "{what}: taken");
                            assert_eq!((found.last_sequence, found.dropped), (13, None), "{what}");
                        }
                        Err(other) => panic!("{what}: {other}"),
                    }
                }
                change(disk, segment, at, |byte| byte ^ 1 << bit);
                flips += 1;
            }
        }
    }
    let second = 8 * built.end(1);
    assert_eq!(met, [flips, flips, second], "of {flips} flips");
    built.read(disk, Origin::Genesis, "as it was").unwrap();
}

#[test]
fn a_flipped_bit_in_what_is_not_used_costs_nothing() {
    let built = Built::new(ID);
    let intact = built.read(&built.disk, Origin::Genesis, "whole").unwrap();
    for segment in [0, 1] {
        let end = built.end(segment);
        let sample = (end + 16..SEGMENT_BYTES_MIN as usize).step_by(61);
        for (number, at) in (end..end + 16).chain(sample).enumerate() {
            change(&built.disk, segment, at, |byte| byte ^ 1 << (number % 8));
            let what = format!("byte {at} of {}", NAMES[segment]);
            if segment == 0 {
                // StartAfterSnapshot an end mark nothing is read.
                assert_eq!(built.check(&built.disk, &what).as_ref(), Some(&intact), "{what}");
            } else if at < end + 4 {
                // What looks like the length of a frame may have been one.
                let refusal = refusal(&built.disk);
                let told = (refusal.verdict, refusal.offset as usize, refusal.sequence);
                assert_eq!(told, (Verdict::Ambiguous, end, 14), "{what}");
            } else {
                let found = built.check(&built.disk, &what).unwrap_or_else(|| panic!("{what}"));
                let dropped = found.dropped.map(|of| (of.first_sequence_lost, of.frames));
                assert_eq!((found.last_sequence, dropped), (13, Some((14, 0))), "{what}");
            }
            change(&built.disk, segment, at, |_| 0);
        }
    }
}

#[test]
fn every_length_of_either_file_but_its_own_is_refused() {
    let built = Built::new(ID);
    let whole = SEGMENT_BYTES_MIN as usize;
    for segment in [0, 1] {
        let bytes = built.disk.contents(NAMES[segment]).unwrap();
        let copy = built.disk.after_power_loss(|_, _| true);
        let used = built.end(segment);
        for length in (0..=used + 8).chain((used..whole).step_by(509)).chain([whole - 1]) {
            copy.put(NAMES[segment], bytes[..length].to_vec());
            let refusal = refusal(&copy);
            let told = (refusal.verdict, refusal.file, refusal.offset as usize);
            let place = format!("memory:{}", NAMES[segment]);
            assert_eq!(told, (Verdict::FileShort, place, length), "{length} bytes");
        }
        copy.put(NAMES[segment], [&bytes[..], &[0]].concat());
        assert_eq!(refusal(&copy).verdict, Verdict::FileLong);
    }
}

/// Zeros the tail of one segment byte by byte, last byte first.
fn check_tails(built: &Built, segment: usize, check: impl Fn(usize)) {
    let disk = &built.disk;
    for from in (HEADER_BYTES..built.end(segment)).rev() {
        change(disk, segment, from, |_| 0);
        check(from);
    }
}

/// Every zeroed tail of the first segment is refused while the second is there.
#[test]
fn every_zeroed_tail_before_a_second_segment_is_refused() {
    let built = Built::new(ID);
    let last = built.frame_at(0, built.end(0) - 1).unwrap();
    check_tails(&built, 0, |from| {
        // The trailer is never zero, so from its last byte on there is damage.
        let frame = built.frame_at(0, from).unwrap();
        assert!(frame.start <= last.start);
        let refusal = refusal(&built.disk);
        let told = (refusal.verdict, refusal.offset as usize, refusal.sequence);
        let place = (Verdict::AnsweredDataDamaged, frame.start, frame.first_sequence);
        assert_eq!(told, place, "zeros from {from}");
    });
}

/// Every zeroed tail of the journal leaves an announced prefix or is refused.
#[test]
fn every_zeroed_tail_leaves_a_prefix_or_is_refused() {
    let built = Built::new(ID);
    let snapshot = Origin::GenesisBeside(built.snapshot(9));
    let check = |segment: usize, from: usize| {
        let what = format!("zeros from byte {from} of {}", NAMES[segment]);
        let frame = built.frame_at(segment, from).unwrap();
        let gone = frame.bytes[..from - frame.start].iter().all(|byte| *byte == 0);
        if let Some(found) = built.check(&built.disk, &what) {
            assert_eq!(found.last_sequence + 1, frame.first_sequence, "{what}: {found:?}");
            // Where nothing at all is left of a frame, nothing tells that there was one.
            assert_eq!(found.dropped.is_none(), gone, "{what}");
        } else {
            assert!(!gone, "{what}: refused");
        }
        // A snapshot knows of all of it, but not of the seal.
        if (segment, from) <= (1, built.frames[9].start) {
            assert!(built.read(&built.disk, snapshot, &what).is_err(), "{what}: taken");
        }
    };
    check_tails(&built, 1, |from| check(1, from));
    // The second segment is an unused spare by now.
    check_tails(&built, 0, |from| check(0, from));
}

#[test]
fn zeros_and_noise_in_any_sector_never_read_as_other_content() {
    let built = Built::new(ID);
    let intact = NAMES.map(|name| built.disk.contents(name).unwrap());
    for segment in [0, 1] {
        let file = built.disk.open(NAMES[segment], Access::ReadAndWrite).unwrap();
        let used = built.end(segment).next_multiple_of(SECTOR_BYTES) + SECTOR_BYTES;
        for start in (0..used).step_by(SECTOR_BYTES) {
            for seed in 0..10 {
                let mut random = Random::new(seed << 32 | start as u64);
                let sector: Vec<u8> = match seed {
                    0 => vec![0; SECTOR_BYTES],
                    1 => vec![0xFF; SECTOR_BYTES],
                    _ => (0..SECTOR_BYTES).map(|_| random.next() as u8).collect(),
                };
                file.write_all_at(&sector, start as u64).unwrap();
                let what = format!("sector at {start} of {}, seed {seed}", NAMES[segment]);
                let changed = built.disk.contents(NAMES[segment]).unwrap() != intact[segment];
                match built.check(&built.disk, &what) {
                    // The first segment is vouched for to its end, and not read after it.
                    Some(found) if segment == 0 => {
                        assert_eq!((found.last_sequence, found.dropped), (13, None), "{what}");
                        assert!(!changed || start >= built.end(0), "{what}");
                    }
                    _ => assert!(changed || seed == 0, "{what}"),
                }
                let original = &intact[segment][start..start + SECTOR_BYTES];
                file.write_all_at(original, start as u64).unwrap();
            }
        }
    }
    built.read(&built.disk, Origin::Genesis, "as it was").unwrap();
}

#[test]
fn files_deleted_swapped_doubled_or_from_elsewhere_are_refused() {
    let built = Built::new(ID);
    let other = Built::new(JournalId([3; 16]));
    let own = NAMES.map(|name| built.disk.contents(name).unwrap());
    let theirs = NAMES.map(|name| other.disk.contents(name).unwrap());
    // A copy of the first segment from before its last two frames.
    let mut older = own[0].clone();
    older[built.frames[4].start..].fill(0);
    let [one, two] = own;
    let [their_one, their_two] = theirs;
    const THIRD: &str = "00000003.segment";
    use Verdict::{AnsweredDataDamaged, Foreign, SegmentMissing};
    type Files<'f> = Vec<(&'static str, &'f Vec<u8>)>;
    let cases: [(&str, Files<'_>, Verdict, &str); 9] = [
        ("no first", vec![(NAMES[1], &two)], SegmentMissing, NAMES[1]),
        ("no second", vec![(NAMES[0], &one)], SegmentMissing, NAMES[0]),
        ("swapped", vec![(NAMES[0], &two), (NAMES[1], &one)], Foreign, NAMES[0]),
        ("the first twice", vec![(NAMES[0], &one), (NAMES[1], &one)], Foreign, NAMES[1]),
        ("the second twice", vec![(NAMES[0], &two), (NAMES[1], &two)], Foreign, NAMES[0]),
        (
            "the second once more",
            vec![(NAMES[0], &one), (NAMES[1], &two), (THIRD, &two)],
            Foreign,
            THIRD,
        ),
        ("another's first", vec![(NAMES[0], &their_one), (NAMES[1], &two)], Foreign, NAMES[1]),
        ("another's second", vec![(NAMES[0], &one), (NAMES[1], &their_two)], Foreign, NAMES[1]),
        (
            "an older first",
            vec![(NAMES[0], &older), (NAMES[1], &two)],
            AnsweredDataDamaged,
            NAMES[0],
        ),
    ];
    for (what, files, verdict, named) in cases {
        let disk = MemoryDisk::default();
        files.into_iter().for_each(|(name, bytes)| disk.put(name, bytes.clone()));
        let refusal = refusal(&disk);
        let told = (refusal.verdict, &refusal.file);
        assert_eq!(told, (verdict, &format!("memory:{named}")), "{what}: {refusal}");
        for part in ["at byte ", "at sequence "] {
            assert!(refusal.to_string().contains(part), "{what}: {refusal}");
        }
    }
    // An older copy of the last segment is a whole journal of before: only a snapshot knows more.
    let mut before = two.clone();
    before[built.frames[9].start..].fill(0);
    let disk = MemoryDisk::default();
    disk.put(NAMES[0], one);
    disk.put(NAMES[1], before);
    assert_eq!(built.check(&disk, "an older second").unwrap().last_sequence, 12);
    for origin in [Origin::GenesisBeside(built.snapshot(9)), Origin::Snapshot(built.snapshot(9))] {
        let refusal = refusal_from(&disk, origin);
        assert_eq!((refusal.verdict, refusal.sequence), (AnsweredDataDamaged, 13), "{refusal}");
    }
}
