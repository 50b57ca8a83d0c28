//! What was done to the servers, and what they did, counted.
//!
//! Never decides anything. Next: `world`.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by name, in the order of the names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    counts: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// One more.
    pub fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// So many more.
    pub fn add(&mut self, what: &'static str, more: u64) {
        *self.counts.entry(what).or_default() += more;
    }

    /// How many.
    pub fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// All that another counted.
    pub fn take(&mut self, other: &Self) {
        other.counts.iter().for_each(|(what, count)| self.add(what, *count));
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, count) in &self.counts {
            writeln!(f, "  {what:<44} {count:>14}")?;
        }
        Ok(())
    }
}
