//! The only reader of time. Stamps decide outcomes: they follow the wall clock read at start, then
//! a monotonic clock, slewed towards the wall clock; they never jump and never go back.
//!
//! Everything else is told what time it is. Next: `writer`.

use crate::domain::model::ids::Stamp;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The wall clock may be this much behind the last stamp of the journal at a start (API 1).
pub const BEHIND_MS_MAX: u64 = 10 * 60 * 1000;
/// The wall clock may be this much ahead of the last stamp of the journal at a start (API 1).
pub const AHEAD_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1000;
/// How much faster or slower than the monotonic clock stamps may run: one part in this many. A
/// wall clock that is set by a minute is caught up with in 16 minutes.
const SLEW_PARTS: u64 = 16;
/// The wall clock is looked at this often; slewing in between would only chase jitter.
const COMPARE_EVERY_MS: u64 = 1_000;

/// A monotonic clock that all threads share; its zero is the start of the process.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    source: Source,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    System(Instant),
    Set(&'static SetClock),
}

/// A clock that stands still until it is set, for simulations: what runs by it is repeatable.
#[derive(Debug, Default)]
pub struct SetClock {
    elapsed_us: AtomicU64,
    wall_ms: AtomicU64,
}

impl SetClock {
    /// Sets what has elapsed since the start of the process, in microseconds, and what the system's
    /// clock shows, in milliseconds since 1970.
    pub fn set(&self, elapsed_us: u64, wall_ms: u64) {
        self.elapsed_us.store(elapsed_us, Ordering::Relaxed);
        self.wall_ms.store(wall_ms, Ordering::Relaxed);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads time")]
fn monotonic() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970 by the system's clock; 0 for a clock set before.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads time")]
#[must_use]
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Microseconds on the system's monotonic clock, as the service manager reads it.
#[must_use]
pub fn system_monotonic_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let part = |number: i64| u64::try_from(number).unwrap_or_default();
    part(now.tv_sec) * 1_000_000 + part(now.tv_nsec) / 1000
}

/// Milliseconds since the machine was started, the time in which it slept included.
fn boottime_ms() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let part = |number: i64| u64::try_from(number).unwrap_or_default();
    part(now.tv_sec) * 1_000 + part(now.tv_nsec) / 1_000_000
}

impl Clock {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { source: Source::System(monotonic()) }
    }

    /// Goes by a clock that a simulation sets.
    #[must_use]
    pub fn set_by(clock: &'static SetClock) -> Self {
        Self { source: Source::Set(clock) }
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        self.elapsed_us() / 1000
    }

    /// Milliseconds on a clock of this machine that goes on while it sleeps; its zero means nothing.
    /// What another node may take for over is timed by this one: a machine that slept has missed it.
    #[must_use]
    pub fn boottime_ms(&self) -> u64 {
        match self.source {
            Source::System(_) => boottime_ms(),
            Source::Set(_) => self.elapsed_ms(),
        }
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Microseconds since the start.
    #[must_use]
    pub fn elapsed_us(&self) -> u64 {
        u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn elapsed(&self) -> Duration {
        match self.source {
            Source::System(start) => monotonic().duration_since(start),
            Source::Set(clock) => Duration::from_micros(clock.elapsed_us.load(Ordering::Relaxed)),
        }
    }

    /// As [`wall_ms`], or what a set clock shows.
    #[must_use]
    pub fn wall_ms(&self) -> u64 {
        match self.source {
            Source::System(_) => wall_ms(),
            Source::Set(clock) => clock.wall_ms.load(Ordering::Relaxed),
        }
    }

    /// Lets this thread sleep; a set clock has no thread that would wait.
    pub fn sleep(&self, duration: Duration) {
        match self.source {
            Source::System(_) => std::thread::sleep(duration),
            Source::Set(_) => {}
        }
    }
}

/// Why a start refuses the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// Stamps would have to stand still for long.
    #[error(
        "the clock is {by_ms} ms behind the last stamp in the journal: set it right, \
         or start with --accept-clock to go on from that stamp"
    )]
    Behind {
        /// Milliseconds.
        by_ms: u64,
    },
    /// Holds and windows would end at once.
    #[error(
        "the clock is {by_ms} ms ahead of the last stamp in the journal: set it right, \
         or start with --accept-clock if the server was away that long"
    )]
    Ahead {
        /// Milliseconds.
        by_ms: u64,
    },
}

/// The writer's stamps.
#[derive(Debug)]
pub struct Stamps {
    clock: Clock,
    /// The last stamp given, in microseconds, and when by the monotonic clock.
    last_us: u64,
    last_elapsed_us: u64,
    /// Where the wall clock stands against the stamps, in microseconds, as last compared.
    ahead_us: i64,
    compare_at_ms: u64,
}

impl Stamps {
    /// Begins at the wall clock, or at the journal's last stamp if that is later.
    ///
    /// # Errors
    /// When the wall clock is too far from `last_stamp` and `accept` is not set.
    pub fn start(
        clock: Clock,
        wall_ms: u64,
        last_stamp: Option<Stamp>,
        accept: bool,
    ) -> Result<Self, ClockError> {
        let last = last_stamp.unwrap_or(wall_ms);
        if !accept && wall_ms + BEHIND_MS_MAX < last {
            return Err(ClockError::Behind { by_ms: last - wall_ms });
        }
        if !accept && wall_ms > last + AHEAD_MS_MAX {
            return Err(ClockError::Ahead { by_ms: wall_ms - last });
        }
        Ok(Self {
            clock,
            last_us: wall_ms.max(last) * 1000,
            last_elapsed_us: clock.elapsed_us(),
            ahead_us: 0,
            compare_at_ms: 0,
        })
    }

    /// The stamp of now.
    pub fn now(&mut self) -> Stamp {
        let elapsed_us = self.clock.elapsed_us();
        let stamp = self.advance(elapsed_us);
        if elapsed_us / 1000 >= self.compare_at_ms {
            self.compare(self.clock.wall_ms());
            self.compare_at_ms = elapsed_us / 1000 + COMPARE_EVERY_MS;
        }
        stamp
    }

    /// What `Clock::elapsed_ms` showed at the last stamp.
    #[must_use]
    pub fn last_elapsed_ms(&self) -> u64 {
        self.last_elapsed_us / 1000
    }

    fn compare(&mut self, wall_ms: u64) {
        let wall_us = i64::try_from(wall_ms.saturating_mul(1000)).unwrap_or(i64::MAX);
        let own_us = i64::try_from(self.last_us).unwrap_or(i64::MAX);
        self.ahead_us = wall_us.saturating_sub(own_us);
    }

    fn advance(&mut self, elapsed_us: u64) -> Stamp {
        let passed = elapsed_us.saturating_sub(self.last_elapsed_us);
        let slew_max = i64::try_from(passed / SLEW_PARTS).unwrap_or(i64::MAX);
        let slew = self.ahead_us.clamp(-slew_max, slew_max);
        self.ahead_us -= slew;
        // A slew back is at most a sixteenth of what passed, so stamps never go back.
        self.last_us += passed.saturating_add_signed(slew);
        self.last_elapsed_us = elapsed_us;
        self.last_us / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: u64 = 1_800_000_000_000;

    fn stamps(last: Option<Stamp>, accept: bool) -> Result<Stamps, ClockError> {
        Stamps::start(Clock::start(), WALL, last, accept).map(|mut stamps| {
            stamps.last_elapsed_us = 0;
            stamps
        })
    }

    #[test]
    fn a_start_refuses_a_clock_that_is_far_off_unless_told() {
        assert!(stamps(None, false).is_ok());
        assert!(stamps(Some(WALL + BEHIND_MS_MAX), false).is_ok());
        let behind = stamps(Some(WALL + BEHIND_MS_MAX + 1), false).unwrap_err();
        assert_eq!(behind, ClockError::Behind { by_ms: BEHIND_MS_MAX + 1 });
        assert!(stamps(Some(WALL - AHEAD_MS_MAX), false).is_ok());
        let ahead = stamps(Some(WALL - AHEAD_MS_MAX - 1), false).unwrap_err();
        assert_eq!(ahead, ClockError::Ahead { by_ms: AHEAD_MS_MAX + 1 });
        assert!(stamps(Some(WALL + BEHIND_MS_MAX + 1), true).is_ok());
    }

    #[test]
    fn stamps_begin_at_the_later_of_wall_clock_and_journal() {
        assert_eq!(stamps(Some(WALL - 5), false).unwrap().advance(0), WALL);
        assert_eq!(stamps(Some(WALL + 5), false).unwrap().advance(0), WALL + 5);
    }

    #[test]
    fn stamps_slew_towards_the_wall_clock_and_never_jump_or_go_back() {
        for step_ms in [-3_600_000_i64, -1, 0, 1, 3_600_000] {
            let mut stamps = stamps(None, false).unwrap();
            let mut last = stamps.advance(0);
            for second in 1..=20_000_u64 {
                let wall = (WALL + second * 1000).saturating_add_signed(step_ms);
                let now = stamps.advance(second * 1_000_000);
                stamps.compare(wall);
                let passed = now.checked_sub(last).expect("stamps never go back");
                assert!((937..=1063).contains(&passed), "{passed} ms passed in a second");
                last = now;
            }
            assert!(last.abs_diff((WALL + 20_000_000).saturating_add_signed(step_ms)) <= 3_600_000);
        }
    }

    #[test]
    fn a_small_step_is_caught_up_with() {
        let mut stamps = stamps(None, false).unwrap();
        for second in 1..=100_u64 {
            stamps.advance(second * 1_000_000);
            stamps.compare(WALL + second * 1000 + 2000);
        }
        let now = stamps.advance(101_000_000);
        assert!(now.abs_diff(WALL + 101_000 + 2000) <= 1, "{now}");
    }
}
