//! The journal of a directory that was scanned, open for appending.
//!
//! The only caller of `Journal::resume`, which drops torn tails; a tail that another machine's
//! history replaces is for the journal's `cut`. Next: `epoch`.

use super::RecoveryError;
use crate::engine::replay::DataDirectory;
use doorbuster_journal::{Journal, JournalId, Options, Scan};

/// Resumes a scanned journal, after which everything that the scan showed is durable, or creates one
/// where there is none.
///
/// # Errors
/// When the disk fails; nothing was lost by trying.
pub(crate) fn resume<P: DataDirectory + ?Sized>(
    data: &P,
    segment_bytes: u64,
    scan: Scan,
) -> Result<Journal<P::Disk>, RecoveryError> {
    let disk = data.journal()?;
    let options = Options { segment_bytes };
    let journal = match scan.id {
        None => Journal::create(disk, options, JournalId(data.random())),
        Some(_) => Journal::resume(disk, options, scan),
    }?;
    Ok(journal)
}
