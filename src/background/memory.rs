//! Memory that a crowd of connections took and that is free again, given back to the system.
//!
//! Owns when: a second after no more connections end, where many have. Never counts bytes: a
//! connection is what takes memory by the thousand. Next: `server`, which starts it.

use crate::shared::clock::Clock;
use std::time::Duration;

/// Between two looks at how many connections there are.
const PAUSE: Duration = Duration::from_secs(1);
/// So many fewer connections are a crowd that has left; at some 30 KiB each, 7 MiB.
const CROWD_MIN: usize = 256;

/// What was seen of the number of connections.
#[derive(Debug, Default)]
struct Crowd {
    most: usize,
    last: usize,
}

impl Crowd {
    /// Whether a crowd has left, now that there are so many. True once for each.
    fn has_left(&mut self, connections: usize) -> bool {
        let leaves = connections < self.last;
        self.last = connections;
        self.most = self.most.max(connections);
        let has_left = !leaves && self.most - connections >= CROWD_MIN;
        if has_left {
            self.most = connections;
        }
        has_left
    }
}

/// Looks for ever, and gives back what it can; for a thread of its own.
pub(crate) fn give_back(clock: Clock, connections: impl Fn() -> usize) {
    let mut crowd = Crowd::default();
    loop {
        clock.sleep(PAUSE);
        if crowd.has_left(connections()) {
            doorbuster_journal::release_freed_memory();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_has_left_once_no_more_of_it_leave() {
        let mut crowd = Crowd::default();
        let looks = [10, 5_000, 15_000, 9_000, 3_000, 20, 20, 20];
        assert_eq!(
            looks.map(|now| crowd.has_left(now)),
            [false, false, false, false, false, false, true, false]
        );
        // Some still stay, and the next crowd counts from there.
        let looks = [2_000, 1_900, 1_900, 1_744, 1_744, 1_744];
        assert_eq!(looks.map(|now| crowd.has_left(now)), [false, false, false, false, true, false]);
    }

    #[test]
    fn what_comes_and_goes_is_no_crowd() {
        let mut crowd = Crowd::default();
        assert!((0..1_000).all(|look| !crowd.has_left(500 + look % CROWD_MIN)));
    }
}
