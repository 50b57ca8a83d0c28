//! Reads closed segments again, one at a time, long after they were written: rot is found while a
//! snapshot and a backup still know better. Damage there is an alarm, not a stop: the server does
//! not need what it has long applied.
//!
//! Runs on the snapshotter's thread, when that has nothing else to do. Next: `snapshotter`, the
//! journal crate's `scrub`.

use crate::shared::clock::Clock;
use doorbuster_journal::{Disk, JournalError, Link, Scrubbed, verify_segment};
use std::time::Duration;

/// Between two MiB, so that the journal's own syncs wait for little.
const PAUSE: Duration = Duration::from_millis(10);

/// Where the next look begins.
#[derive(Debug, Default)]
pub(crate) struct Scrubber {
    next: u64,
    /// What the segment before said of the next.
    link: Option<Link>,
}

impl Scrubber {
    /// Reads the next closed segment; after the last it begins again. Gives what is damaged.
    ///
    /// # Errors
    /// When the directory or the segment cannot be read at all.
    pub(crate) fn look<D: Disk>(
        &mut self,
        journal: &D,
        clock: Clock,
    ) -> Result<Option<String>, JournalError> {
        let Some(number) = self.choose(journal)? else { return Ok(None) };
        let link = self.link.take().filter(|link| link.number == number);
        let mut pause = |_offset| {
            clock.sleep(PAUSE);
            true
        };
        self.next = number + 1;
        match verify_segment(journal, number, link, &mut pause)? {
            Scrubbed::Intact { link, .. } => self.link = Some(link),
            Scrubbed::Damaged(refusal) => {
                let told = refusal.to_string();
                tracing::warn!(
                    file = refusal.file,
                    offset = refusal.offset,
                    sequence = refusal.sequence,
                    why = told,
                    "the journal's history is damaged; service goes on"
                );
                return Ok(Some(told));
            }
            Scrubbed::NotClosed => self.next = 0,
            Scrubbed::Gone => {}
        }
        Ok(None)
    }

    /// The lowest number from where the last look ended, or of all.
    fn choose<D: Disk>(&self, journal: &D) -> Result<Option<u64>, JournalError> {
        let names = journal.names().map_err(|cause| JournalError::Io {
            operation: "list",
            file: journal.place(""),
            offset: 0,
            cause,
        })?;
        let number = |name: &String| name.strip_suffix(".segment")?.parse::<u64>().ok();
        let numbers = || names.iter().filter_map(number);
        Ok(numbers().filter(|number| *number >= self.next).min().or_else(|| numbers().min()))
    }
}
