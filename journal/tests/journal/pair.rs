//! A journal and its copy in tests: frames read raw from one and stored by the other.
//!
//! Owns the small steps that all tests of copying share. Next: `copying.rs`, `copied_power.rs`.

use std::ops::ControlFlow;

use doorbuster_journal::{
    Disk, FramePlace, Journal, JournalEnd, JournalError, MemoryDisk, Options, Origin, RawTail,
    SnapshotEnd, scan,
};

use crate::support::SMALL;

pub(crate) const NOTHING: SnapshotEnd = SnapshotEnd { sequence: 0, chain: 0 };

/// What a raw tail shows: a place, and the bytes there.
pub(crate) type Shown = (FramePlace, Vec<u8>);

/// Everything from an end on that is stored by now.
pub(crate) fn shown_from<D: Disk>(disk: &D, end: &JournalEnd, appended: u64) -> Vec<Shown> {
    let mut shown = Vec::new();
    let mut tail = RawTail::at(disk, end).unwrap();
    tail.read(disk, appended, &mut |place, bytes| {
        shown.push((place, bytes.to_vec()));
        ControlFlow::Continue(())
    })
    .unwrap();
    shown
}

/// Every end that a journal has had, from its first frame to its last: before each frame, and the
/// end of all.
pub(crate) fn ends_of(disk: &MemoryDisk, appended: u64) -> Vec<JournalEnd> {
    let mut ends = Vec::new();
    let (mut sequence, mut chain) = (0, 0);
    let mut tail = RawTail::at(disk, &JournalEnd::GENESIS).unwrap();
    tail.read(disk, appended, &mut |place, bytes| {
        if place.offset > 0 {
            ends.push(JournalEnd { place, sequence, chain });
            // FORMAT.md: first sequence and count, then the checksum that the next frame repeats.
            let first = u64::from_le_bytes(bytes[24..32].try_into().unwrap());
            let count = u32::from_le_bytes(bytes[20..24].try_into().unwrap());
            sequence = first + u64::from(count) - 1;
            chain = u32::from_le_bytes(bytes[4..8].try_into().unwrap());
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    ends.push(tail.end());
    ends
}

/// Copies at most `frames_max` frames and headers that are after the end of the copy.
pub(crate) fn copy_some<S: Disk, T: Disk>(
    source: &S,
    appended: u64,
    copy: &mut Journal<T>,
    frames_max: usize,
) -> Result<usize, JournalError> {
    let mut tail = RawTail::at(source, &copy.end())?;
    let mut copied = Ok(0);
    tail.read(source, appended, &mut |place, bytes| match copied {
        Ok(frames) if frames < frames_max => {
            copied = copy.copy(place, bytes).map(|()| frames + 1);
            if copied.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        }
        _ => ControlFlow::Break(()),
    })?;
    copied
}

/// Copies all that is stored.
pub(crate) fn copy_all<S: Disk, T: Disk>(source: &S, appended: u64, copy: &mut Journal<T>) {
    copy_some(source, appended, copy, usize::MAX).unwrap();
}

/// A copy of an empty directory that begins with the first segment of another journal.
pub(crate) fn copy_from_genesis<D: Disk>(
    source: &MemoryDisk,
    disk: D,
    options: Options,
) -> Journal<D> {
    let header = source.contents("00000001.segment").unwrap();
    let mut beginning = Journal::begin_at(disk, options, &header[..4096], NOTHING).unwrap();
    let last = scan(source, Origin::Genesis).unwrap().last_sequence;
    let shown = shown_from(source, &JournalEnd::GENESIS, last);
    let (place, bytes) = shown.first().expect("it holds a frame");
    beginning.copy(*place, bytes).unwrap();
    beginning.finish().unwrap()
}

/// A copy of an empty directory that begins with the segment in which a snapshot ends.
pub(crate) fn begin_after<S: Disk, D: Disk>(
    source: &S,
    appended: u64,
    disk: D,
    options: Options,
    snapshot: SnapshotEnd,
) -> Result<Journal<D>, JournalError> {
    let (mut tail, header) = RawTail::at_segment_of(source, snapshot.sequence)?;
    let mut beginning = Journal::begin_at(disk, options, &header, snapshot)?;
    let mut copied = Ok(());
    tail.read(source, appended, &mut |place, bytes| {
        copied = beginning.copy(place, bytes);
        match copied {
            Ok(()) if !beginning.is_complete() => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    })?;
    copied?;
    beginning.finish()
}

/// A copy that holds all that is stored, with the least segments.
pub(crate) fn whole_copy(source: &MemoryDisk, appended: u64) -> (MemoryDisk, Journal<MemoryDisk>) {
    let disk = MemoryDisk::default();
    let mut copy = copy_from_genesis(source, disk.clone(), SMALL);
    copy_all(source, appended, &mut copy);
    (disk, copy)
}

/// Checks that both have the same bytes up to the end of the copy, which is no later than that of
/// the other, in all segments that both have.
pub(crate) fn check_same_up_to(end: &JournalEnd, source: &MemoryDisk, copy: &MemoryDisk, at: &str) {
    let oldest = [source, copy].map(|disk| -> u64 {
        let oldest = disk.names().unwrap().into_iter().find(|name| name.ends_with(".segment"));
        oldest.unwrap().trim_end_matches(".segment").parse().unwrap()
    });
    for number in oldest[0].max(oldest[1])..=end.place.segment {
        let name = format!("{number:08}.segment");
        let (one, other) = (source.contents(&name).unwrap(), copy.contents(&name).unwrap());
        assert_eq!(one.len(), other.len(), "{at}: the size of {name}");
        let compared =
            if number < end.place.segment { one.len() } else { end.place.offset as usize };
        assert!(one[..compared] == other[..compared], "{at}: {name} differs before {compared}");
    }
}
