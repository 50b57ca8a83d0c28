//! The outcome of an accept that fails.
//!
//! Owns the difference between a client that went away, which is nothing, and a machine that has no
//! descriptor or memory to give: then accepting pauses and goes on, is counted, and told once a
//! minute. Never closes anything to make room. Next: `listener`.

use crate::http::operations::news::News;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Accepting at once again would spin.
const PAUSE: Duration = Duration::from_millis(50);

/// How accepting went, on all IO threads.
#[derive(Debug, Default)]
pub(in crate::http) struct Accepting {
    failures: AtomicU64,
    news: News,
}

impl Accepting {
    /// Takes note of a failure, and waits as long as is good before the next attempt.
    pub(in crate::http) async fn failed(&self, error: &io::Error, now_ms: u64) {
        if is_of_one_client(error.kind()) {
            return;
        }
        self.failures.fetch_add(1, Ordering::Relaxed);
        if self.news.is_due(now_ms) {
            let cause = error.to_string();
            tracing::warn!(cause, "cannot accept connections, and tries again meanwhile");
        }
        tokio::time::sleep(PAUSE).await;
    }

    /// Accepts that failed for want of something.
    pub(in crate::http) fn failures(&self) -> u64 {
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
    fn a_client_that_went_away_is_no_failure() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let accepting = Accepting::default();
        let gone = io::Error::from(ErrorKind::ConnectionAborted);
        runtime.block_on(accepting.failed(&gone, 0));
        assert_eq!(accepting.failures(), 0);
    }
}
