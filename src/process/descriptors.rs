//! How many files and sockets this process may have open.
//!
//! Owns raising that to what the system allows, and what is kept back from connections: a crowd
//! must not keep the journal from its next segment. Never opens anything. Next: `server`.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept for segments, snapshots, followers of the feed, event loops, and connections of the
/// reserve.
const KEPT: u64 = 256;

/// Raises the soft limit to the hard one; says what holds now.
#[must_use]
pub(crate) fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let holds = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    holds.unwrap_or(u64::MAX)
}

/// Connections that there may be with so many descriptors, if so many are wished for. Of very few
/// descriptors half are theirs.
#[must_use]
pub(crate) fn connections_max(descriptors: u64, wished: usize) -> usize {
    let free = descriptors.saturating_sub(KEPT).max(descriptors / 2);
    usize::try_from(free).unwrap_or(usize::MAX).min(wished).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_journal() {
        for (descriptors, wished, expected) in [
            (u64::MAX, 20_000, 20_000),
            (1_048_576, 20_000, 20_000),
            (20_000, 20_000, 19_744),
            (1_024, 20_000, 768),
            (300, 20_000, 150),
            (300, 10, 10),
            (0, 10, 1),
        ] {
            assert_eq!(connections_max(descriptors, wished), expected, "{descriptors} {wished}");
        }
    }

    #[test]
    fn what_was_raised_stays() {
        let raised = raise();
        assert_eq!(raise(), raised);
        assert!(raised > 0);
    }
}
