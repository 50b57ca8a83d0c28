//! What a node has stored, as short as it can be told apart.
//!
//! An entry is its epoch and its author: one process writes in an epoch, so these and the place say
//! which record it is, and where two processes wrote in one epoch the author shows it. Next: `world`.

use doorbuster_journal::{EpochStart, FramePlace, JournalEnd, JournalHistory};

/// Entries at most.
pub(super) const ENTRIES_MAX: usize = 24;

/// A journal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Log {
    length: u8,
    entries: [u8; ENTRIES_MAX],
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.entries().iter().map(|entry| format!("{}/{}", entry >> 2, entry & 3));
        f.write_str(&shown.collect::<Vec<_>>().join(" "))
    }
}

impl Log {
    pub(super) fn entries(&self) -> &[u8] {
        &self.entries[..self.len()]
    }

    pub(super) fn len(&self) -> usize {
        self.length.into()
    }

    /// The last record's sequence.
    pub(super) fn end(&self) -> u64 {
        self.length.into()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == ENTRIES_MAX
    }

    pub(super) fn push(&mut self, epoch: u32, author: usize) {
        let entry = u8::try_from(epoch << 2).expect("epochs are few") | author as u8;
        self.entries[self.len()] = entry;
        self.length += 1;
    }

    /// Takes the next entry of another log; false where there is none.
    pub(super) fn take_from(&mut self, other: &Self) -> bool {
        if self.len() >= other.len() {
            return false;
        }
        self.entries[self.len()] = other.entries[self.len()];
        self.length += 1;
        true
    }

    /// What lies behind goes.
    pub(super) fn cut(&mut self, end: u64) {
        let kept = usize::try_from(end).unwrap_or(ENTRIES_MAX).min(self.len());
        self.entries[kept..].fill(0);
        self.length = kept as u8;
    }

    pub(super) fn prefix(&self, end: u64) -> Self {
        let mut prefix = *self;
        prefix.cut(end);
        prefix
    }

    pub(super) fn starts_with(&self, other: &Self) -> bool {
        self.entries().starts_with(other.entries())
    }

    /// The epoch of the last entry; 0 without one.
    pub(super) fn epoch(&self) -> u32 {
        self.entries().last().map_or(0, |entry| u32::from(entry >> 2))
    }

    /// What the journal itself would tell of it: its epochs, and where each began. A record takes
    /// eight bytes, and the author of the one before stands in the chain.
    fn history(&self) -> JournalHistory {
        let entries = self.entries();
        let before = |at: usize| JournalEnd {
            place: FramePlace { segment: 1, offset: 64 + 8 * at as u64 },
            sequence: at as u64,
            chain: at.checked_sub(1).map_or(0, |last| entries[last].into()),
        };
        let begins = |at: &usize| *at == 0 || entries[*at] >> 2 != entries[*at - 1] >> 2;
        let start = |at: usize| EpochStart {
            epoch: u32::from(entries[at] >> 2),
            before: if at == 0 { JournalEnd::GENESIS } else { before(at) },
            is_whole: true,
        };
        let end = if entries.is_empty() { JournalEnd::GENESIS } else { before(entries.len()) };
        JournalHistory { epochs: (0..entries.len()).filter(begins).map(start).collect(), end }
    }

    /// The last record that both have, as the journal finds it; none where the tables show no
    /// common past.
    pub(super) fn common_end(&self, other: &Self) -> Option<u64> {
        doorbuster_journal::common_end(&self.history(), &other.history())
            .map(|common| common.end.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(entries: &[(u32, usize)]) -> Log {
        let mut log = Log::default();
        entries.iter().for_each(|(epoch, author)| log.push(*epoch, *author));
        log
    }

    #[test]
    fn two_logs_share_up_to_the_shorter_end_of_their_last_epoch() {
        let one = log(&[(1, 0), (1, 0), (1, 0), (2, 1)]);
        let shared = |entries| one.common_end(&log(entries));
        assert_eq!(shared(&[(1, 0), (1, 0)]), Some(2));
        assert_eq!(shared(&[(1, 0), (1, 0), (3, 2)]), Some(2));
        assert_eq!(shared(&[(1, 0), (1, 0), (1, 0), (1, 0)]), Some(3));
        assert_eq!(one.common_end(&one), Some(4));
        assert_eq!(shared(&[]), Some(0));
    }
}
