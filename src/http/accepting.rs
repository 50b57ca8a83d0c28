//! What becomes of an accept that fails.
//!
//! Owns the difference between a client that went away, which is nothing, and a machine that has no
//! descriptor or memory to give: then accepting pauses and goes on, is counted, and told once a
//! minute. Never closes anything to make room. Next: `listener`.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Accepting at once again would spin.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two lines about it.
const TOLD_EVERY_MS: u64 = 60_000;

/// How accepting went, on all IO threads.
#[derive(Debug)]
pub(super) struct Accepting {
    failures: AtomicU64,
    /// When it was told last, on the clock of `Front`.
    told_ms: AtomicU64,
}

impl Default for Accepting {
    fn default() -> Self {
        Self { failures: AtomicU64::new(0), told_ms: AtomicU64::new(u64::MAX) }
    }
}

impl Accepting {
    /// Takes note of a failure, and waits as long as is good before the next attempt.
    pub(super) async fn failed(&self, error: &io::Error, now_ms: u64) {
        if is_of_one_client(error.kind()) {
            return;
        }
        self.failures.fetch_add(1, Ordering::Relaxed);
        if self.is_news(now_ms) {
            let cause = error.to_string();
            tracing::warn!(cause, "cannot accept connections, and tries again meanwhile");
        }
        tokio::time::sleep(PAUSE).await;
    }

    /// One IO thread tells it.
    fn is_news(&self, now_ms: u64) -> bool {
        let told_ms = self.told_ms.load(Ordering::Relaxed);
        let due = told_ms == u64::MAX || now_ms.saturating_sub(told_ms) >= TOLD_EVERY_MS;
        due && self
            .told_ms
            .compare_exchange(told_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Accepts that failed for want of something.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}

/// The next in the queue may be fine.
fn is_of_one_client(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_want_of_descriptors_is_told_once_a_minute() {
        let accepting = Accepting::default();
        let told: Vec<u64> =
            [0, 50, 59_999, 60_000, 60_050, 120_000, 500_000].into_iter().collect();
        let told: Vec<u64> = told.into_iter().filter(|now_ms| accepting.is_news(*now_ms)).collect();
        assert_eq!(told, [0, 60_000, 120_000, 500_000]);
    }

    #[test]
    fn a_client_that_went_away_is_no_failure() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let accepting = Accepting::default();
        let gone = io::Error::from(ErrorKind::ConnectionAborted);
        runtime.block_on(accepting.failed(&gone, 0));
        assert_eq!(accepting.failures(), 0);
    }
}
