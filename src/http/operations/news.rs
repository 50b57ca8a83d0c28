//! Lines for the operator about what clients and the machine bring about, as often as these like.
//!
//! Owns that each kind is told once a minute at most, by all IO threads together. Never writes a
//! line itself. Next: `accept_errors`, `introduction`.

use std::sync::atomic::{AtomicU64, Ordering};

/// Between two lines of a kind.
const TOLD_EVERY_MS: u64 = 60_000;

/// When a kind of line was told last.
#[derive(Debug)]
pub(in crate::http) struct News {
    /// On the clock of `Front`.
    told_ms: AtomicU64,
}

impl Default for News {
    fn default() -> Self {
        Self { told_ms: AtomicU64::new(u64::MAX) }
    }
}

impl News {
    /// Says whether it is to be told now, by the IO thread that asks.
    pub(in crate::http) fn is_due(&self, now_ms: u64) -> bool {
        let told_ms = self.told_ms.load(Ordering::Relaxed);
        let due = told_ms == u64::MAX || now_ms.saturating_sub(told_ms) >= TOLD_EVERY_MS;
        due && self
            .told_ms
            .compare_exchange(told_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_line_is_told_once_a_minute() {
        let news = News::default();
        let times = [0, 50, 59_999, 60_000, 60_050, 120_000, 500_000];
        let told: Vec<u64> = times.into_iter().filter(|now_ms| news.is_due(*now_ms)).collect();
        assert_eq!(told, [0, 60_000, 120_000, 500_000]);
    }
}
