//! A check of a closed segment, long after it was written.
//!
//! Owns the full reading of one segment and its result. Never stops anything and never writes: it
//! returns damage, for an alarm. Runs on any thread beside the writer. Read `read/walk.rs` for
//! which frame may follow which.

use std::io;

use crate::disk::traits::{Disk, DiskFile};
use crate::error::{JournalError, Refusal};
use crate::format::frame::Predecessor;
use crate::format::origin::Origin;
use crate::format::verdict::{Evidence, Following, FrameFault, Verdict, judge};
use crate::read::evidence;
use crate::read::segment_file::{SegmentFile, open_one, read_first_frame};
use crate::read::walk::Walk;

/// The bytes that are read between two pauses.
const PAUSE_BYTES: u64 = 1024 * 1024;

/// The end of one segment, which the next one must continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The number of the next segment.
    pub number: u64,
    /// The first sequence in it.
    pub next_sequence: u64,
    /// The chain of its first frame.
    pub chain: u32,
}

/// The result of scrubbing a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scrubbed {
    /// Every frame is valid and continues the one before, up to the end mark.
    Intact {
        /// What the next segment must continue.
        link: Link,
        /// The number of frames, the end mark included.
        frames: u64,
    },
    /// The first damage that was found. The server can continue: this is history.
    Damaged(Box<Refusal>),
    /// The segment is still open, or an unused spare: a start checks it.
    NotClosed,
    /// There is no such file; most likely it was pruned.
    Gone,
}

/// Reads one whole closed segment and checks every frame, the chain and the end mark. With the
/// [`Link`] of the segment before, also checks that it continues there.
///
/// Calls `pause` before each MiB with the present offset: it may sleep, and it returns whether to
/// continue. Damage in the very first frame has sequence 0 if no link tells the right one. Drops
/// the cached pages of the file first, as far as the disk can, so that it reads the device and not
/// the memory; and again at the end, so that a history does not fill the memory.
///
/// # Errors
/// [`JournalError::Io`] if the device fails, [`JournalError::Stopped`] if `pause` returns false;
/// never for any content of the file.
pub fn verify_segment<D: Disk>(
    disk: &D,
    number: u64,
    after: Option<Link>,
    pause: &mut dyn FnMut(u64) -> bool,
) -> Result<Scrubbed, JournalError> {
    let opened = open_one(disk, number);
    let segment = match opened {
        Ok(segment) => segment,
        Err(JournalError::Refused(refusal)) => return Ok(Scrubbed::Damaged(refusal)),
        Err(JournalError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
            return Ok(Scrubbed::Gone);
        }
        Err(error) => return Err(error),
    };
    let forget = || {
        let forgotten = segment.file.forget_cached();
        forgotten.map_err(JournalError::io("drop the cached pages of", segment.place.clone(), 0))
    };
    forget()?;
    let scrubbed = check(disk, &segment, after, pause)?;
    forget()?;
    Ok(scrubbed)
}

fn check<D: Disk>(
    disk: &D,
    segment: &SegmentFile<D::File>,
    after: Option<Link>,
    pause: &mut dyn FnMut(u64) -> bool,
) -> Result<Scrubbed, JournalError> {
    let number = segment.header.number;
    let after = after.filter(|link| link.number == number);
    let predecessor = match after {
        Some(link) => Predecessor { last_sequence: link.next_sequence - 1, chain: link.chain },
        None if number == 1 => Predecessor::default(),
        None => match read_first_frame(segment)? {
            Ok(head) => head.predecessor(),
            Err(_) => Predecessor::default(),
        },
    };
    let mut walk = Walk::new(Origin::Genesis, predecessor);
    walk.enter(segment);
    let mut pause_at = 0;
    loop {
        let mut stopped = false;
        let mut end = walk.end;
        let walked = walk.walk_frames(segment, &mut |frame| {
            if end >= pause_at {
                pause_at = end + PAUSE_BYTES;
                stopped = !pause(end);
            }
            end += frame.bytes();
            if stopped { Err("told to stop".into()) } else { Ok(()) }
        });
        let fault = match walked {
            Err(JournalError::Visitor { .. }) if stopped => return Err(JournalError::Stopped),
            Err(error) => return Err(error),
            Ok(None) => {
                let frames = walk.frames();
                let (next_sequence, chain) = (walk.next_sequence(), walk.chain);
                let link = Link { number: number + 1, next_sequence, chain };
                return Ok(Scrubbed::Intact { link, frames });
            }
            Ok(Some(fault)) => fault,
        };
        if fault != FrameFault::Foreign && evidence::is_whole(segment, walk.end)? {
            continue;
        }
        let linked = number == 1 || after.is_some();
        return judge_end(disk, segment, &walk, fault, linked);
    }
}

/// Judges a segment whose frames end without an end mark: damage, or the end of the journal.
fn judge_end<D: Disk>(
    disk: &D,
    segment: &SegmentFile<D::File>,
    walk: &Walk,
    fault: FrameFault,
    linked: bool,
) -> Result<Scrubbed, JournalError> {
    let (offset, mut sequence) = (walk.end, walk.next_sequence());
    let found = evidence::collect_after(std::slice::from_ref(segment), offset, sequence, 0)?;
    let mut evidence = Evidence::Frame { fault, following: found.following };
    if judge(&evidence).is_resumable() || judge(&evidence) == Verdict::Ambiguous {
        let next = match open_one(disk, segment.header.number + 1) {
            Ok(next) => read_first_frame(&next)?.is_ok().then_some(next.place),
            Err(_) => None,
        };
        match next {
            Some(file) => {
                evidence = Evidence::Frame { fault, following: Following::Segment { file } };
            }
            None if judge(&evidence).is_resumable() => return Ok(Scrubbed::NotClosed),
            None => {}
        }
    }
    if !linked && walk.frames() == 0 {
        sequence = 0;
    }
    Ok(Scrubbed::Damaged(Box::new(Refusal {
        verdict: judge(&evidence),
        file: segment.place.clone(),
        offset,
        sequence,
        detail: evidence.detail(),
    })))
}
