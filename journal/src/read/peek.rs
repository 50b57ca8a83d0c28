//! What headers and first frames alone can tell: whose journal a directory holds, and where in it a
//! time begins.
//!
//! Reads headers and first frames only, changes nothing, may run beside a live writer. Never
//! judges: the scan does. Read `scan.rs` next.

use crate::disk::traits::Disk;
use crate::error::JournalError;
use crate::format::layout::JournalId;
use crate::read::segment_file::{open_one, read_first_frame, segment_numbers};

/// The identity of the journal in a directory; `None` if there is none.
///
/// # Errors
/// [`JournalError::Refused`] if the newest segment's header is not intact, [`JournalError::Io`].
pub fn journal_id<D: Disk>(disk: &D) -> Result<Option<JournalId>, JournalError> {
    match segment_numbers(disk)?.last() {
        None => Ok(None),
        Some(&newest) => Ok(Some(open_one(disk, newest)?.header.id)),
    }
}

/// A lower bound of the sequences stamped at or after `stamp_ms`: the first sequence of the last
/// segment that starts before. `None` if no segment does.
///
/// # Errors
/// [`JournalError::Refused`] if a segment's header is not intact, [`JournalError::Io`].
pub fn sequence_at<D: Disk>(disk: &D, stamp_ms: u64) -> Result<Option<u64>, JournalError> {
    let mut found = None;
    for number in segment_numbers(disk)? {
        // A damaged or empty segment tells nothing of time; what is known so far stays true.
        let Ok(first) = read_first_frame(&open_one(disk, number)?)? else { break };
        if first.stamp_ms >= stamp_ms {
            break;
        }
        found = Some(first.first_sequence);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Journal, MemoryDisk, Options, SEGMENT_BYTES_MIN};

    #[test]
    fn headers_tell_whose_a_journal_is_and_where_a_time_begins() {
        let disk = MemoryDisk::default();
        assert_eq!(journal_id(&disk).unwrap(), None);
        assert_eq!(sequence_at(&disk, 0).unwrap(), None);
        let id = JournalId([3; 16]);
        let options = Options { segment_bytes: SEGMENT_BYTES_MIN };
        let mut journal = Journal::create(disk.clone(), options, id).unwrap();
        // Each turn takes a fifth of a segment, so that times spread over several.
        for turn in 0..20 {
            journal.begin(1, 1000 + turn);
            journal.push(|frame| frame.resize(frame.len() + 50_000, 1)).unwrap();
            journal.finish().unwrap();
        }
        assert_eq!(journal_id(&disk).unwrap(), Some(id));
        assert_eq!(sequence_at(&disk, 1000).unwrap(), None);
        for turn in 1..20 {
            let found = sequence_at(&disk, 1000 + turn).unwrap().expect("it began before");
            assert!(found <= turn + 1 && found + 6 > turn, "{found} for {turn}");
        }
    }
}
