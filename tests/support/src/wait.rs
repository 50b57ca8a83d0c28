//! Waiting for things, never for long: the only reader of clocks among these tests.
//!
//! Owns the one deadline that every wait has. It is far beyond what anything takes, so that a slow
//! machine fails no test; nothing is ever expected to take a certain time. Next: `process`.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nothing that is waited for takes this long unless it is broken.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// The end of a wait.
pub struct Deadline(Instant);

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "a test's own patience, not the server's time")]
    fn now() -> Instant {
        Instant::now()
    }

    /// One that begins now.
    pub fn from_now() -> Self {
        Self(Self::now() + TIMEOUT)
    }

    /// What is left of it; zero when it is over.
    pub fn left(&self) -> Duration {
        self.0.saturating_duration_since(Self::now())
    }
}

/// Asks again and again until there is an answer.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Deadline::from_now();
    let mut tries = 0_u64;
    while !deadline.left().is_zero() {
        if let Some(found) = ask() {
            return found;
        }
        tries += 1;
        thread::yield_now();
    }
    panic!("{what}: not within {TIMEOUT:?} and {tries} tries")
}

/// The wall clock, in milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "to know that a deadline of the server has passed")]
pub fn wall_ms() -> u64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    u64::try_from(passed.as_millis()).expect("it is before the year 500 million")
}
