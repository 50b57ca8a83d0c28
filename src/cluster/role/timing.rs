//! How long a node waits for another, and the relations without which waiting proves nothing.
//!
//! Time is for speed and for reads, never for a write. Next: `mod.rs`, whose rules use these.

use std::fmt;

/// Durations in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timing {
    /// The writer may answer reads for so long after it sent what all copies have acknowledged.
    pub lease_ms: u64,
    /// A copy in sync claims when it has acknowledged nothing for so long.
    pub silence_ms: u64,
    /// The same where the connection to the writer was closed.
    pub closed_ms: u64,
    /// The writer drops a copy that has acknowledged nothing for so long.
    pub lag_ms: u64,
    /// A copy looks at the register so often, also while it hears from a writer: that writer may
    /// have been replaced.
    pub read_ms: u64,
    /// A change whose outcome is not known is asked again after so long.
    pub retry_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease_ms: 500,
            silence_ms: 1_000,
            closed_ms: 625,
            lag_ms: 1_000,
            read_ms: 1_000,
            retry_ms: 100,
        }
    }
}

/// Durations under which a replaced writer could answer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadTiming(Timing);

impl fmt::Display for BadTiming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timing { lease_ms, silence_ms, closed_ms, .. } = self.0;
        write!(
            f,
            "the silence of {silence_ms} ms must be at least twice the lease of {lease_ms} ms, and \
             the shorter one of {closed_ms} ms at least five quarters of it"
        )
    }
}

impl std::error::Error for BadTiming {}

impl Timing {
    /// The last rule: a lease ends before a silence does, although two clocks may differ in rate by
    /// a quarter.
    ///
    /// # Errors
    /// When it does not.
    pub fn checked(self) -> Result<Self, BadTiming> {
        let twice = self.lease_ms.saturating_mul(2);
        let quarters = self.lease_ms.saturating_mul(5).div_ceil(4);
        if self.lease_ms > 0 && self.silence_ms >= twice && self.closed_ms >= quarters {
            return Ok(self);
        }
        Err(BadTiming(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_hold() {
        assert!(Timing::default().checked().is_ok());
    }

    #[test]
    fn a_lease_that_outlives_a_silence_is_refused() {
        let timing = Timing::default();
        for bad in [
            Timing { silence_ms: 999, ..timing },
            Timing { closed_ms: 624, ..timing },
            Timing { lease_ms: 501, ..timing },
            Timing { lease_ms: 0, ..timing },
            Timing { lease_ms: u64::MAX, ..timing },
        ] {
            let told = bad.checked().unwrap_err().to_string();
            assert!(told.contains("at least twice the lease"), "{told}");
        }
    }
}
