//! How long to wait before the next try: 1, 2, 4 … 60 s, for ever.
//!
//! Owns the count of failures in a row and when an operator hears of them. Never sleeps. Next:
//! `worker`.

use crate::config::RetrySettings;
use std::hash::{BuildHasher, Hasher, RandomState};

#[derive(Debug)]
pub(crate) struct Retry {
    settings: RetrySettings,
    /// In a row.
    failures: u32,
}

/// What a failure calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) ms: u64,
    /// It is the failure after which an operator is told.
    pub(crate) alert: bool,
}

impl Retry {
    pub(crate) fn new(settings: RetrySettings) -> Self {
        Self { settings, failures: 0 }
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// One more failure; the target may have said how long to stay away.
    pub(crate) fn failed(&mut self, asked_ms: Option<u64>) -> Wait {
        let RetrySettings { first_ms, factor, max_ms, alert_after } = self.settings;
        let grown = factor.saturating_pow(self.failures.min(64)).saturating_mul(first_ms);
        self.failures = self.failures.saturating_add(1);
        let own_ms = grown.min(max_ms);
        // Sinks that were cut off together do not come back together.
        let spread = own_ms / 5;
        let roll = RandomState::new().build_hasher().finish() % (spread + 1);
        let ms = (own_ms - spread / 2 + roll).max(asked_ms.unwrap_or(0).min(max_ms * 10));
        Wait { ms, alert: self.failures == alert_after }
    }

    /// It went well; says whether an operator was told of failures.
    pub(crate) fn succeeded(&mut self) -> bool {
        let told = self.failures >= self.settings.alert_after;
        self.failures = 0;
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_the_third_is_told() {
        let mut retry = Retry::new(RetrySettings::default());
        for (number, around) in
            [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000].iter().enumerate()
        {
            let Wait { ms, alert } = retry.failed(None);
            assert!((around * 9 / 10..=around * 11 / 10).contains(&ms), "{ms} of {around}");
            assert_eq!(alert, number == 2);
        }
        assert!(retry.succeeded());
        assert!(retry.failed(Some(90_000)).ms >= 90_000);
        assert!(!retry.succeeded());
    }
}
