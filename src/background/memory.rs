//! Memory that a crowd of connections took and that is free again, given back to the system.
//!
//! Owns when: once many connections have ended, and hardly any end any more. Never counts bytes: a
//! connection is what takes memory by the thousand. Next: `server`, which starts it.

use crate::shared::clock::Clock;
use std::time::Duration;

/// Between two looks at how many connections have ended.
const PAUSE: Duration = Duration::from_secs(1);
/// So many connections that have ended are a crowd; at some 30 KiB each, 7 MiB.
const CROWD_MIN: u64 = 256;
/// Where connections come and go all the time, memory is given back once in so many looks.
const LOOKS_MAX: u32 = 60;

/// What was seen of connections that ended.
#[derive(Debug, Default)]
struct Crowd {
    /// Up to then memory was given back.
    given_back: u64,
    last: u64,
    looks: u32,
}

impl Crowd {
    /// Whether a crowd has left, now that so many connections have ended since the start.
    fn has_left(&mut self, ended: u64) -> bool {
        let (just_now, all) = (ended - self.last, ended - self.given_back);
        self.last = ended;
        self.looks += 1;
        let is_over = just_now <= all / 128 || self.looks >= LOOKS_MAX;
        let has_left = is_over && all >= CROWD_MIN;
        if has_left {
            (self.given_back, self.looks) = (ended, 0);
        }
        has_left
    }
}

/// Looks for ever, and gives back what it can; for a thread of its own.
pub(crate) fn give_back(clock: Clock, ended: impl Fn() -> u64) {
    let mut crowd = Crowd::default();
    loop {
        clock.sleep(PAUSE);
        if crowd.has_left(ended()) {
            doorbuster_journal::release_freed_memory();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_has_left_once_hardly_any_of_it_leave() {
        let mut crowd = Crowd::default();
        let looks = [0, 5_000, 14_000, 14_900, 14_900, 15_000];
        assert_eq!(
            looks.map(|ended| crowd.has_left(ended)),
            [false, false, false, false, true, false]
        );
        // The next one counts from there.
        let looks = [15_100, 15_200, 15_202, 15_210];
        assert_eq!(looks.map(|ended| crowd.has_left(ended)), [false, false, true, false]);
    }

    /// Where connections end all the time memory is given back now and then.
    #[test]
    fn memory_is_given_back_while_connections_end() {
        let mut crowd = Crowd::default();
        let looks = u64::from(10 * LOOKS_MAX);
        assert_eq!((1..=looks).filter(|look| crowd.has_left(50 * look)).count(), 10);
        assert!((0..looks).all(|_| !crowd.has_left(50 * looks)), "nobody comes, nothing is done");
    }
}
