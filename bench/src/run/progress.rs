//! Shows a run on a terminal while it goes. Nothing where nobody looks.

use crate::report::outcome::Outcome;
use crate::report::summary::{Latency, Recording};
use std::io::{IsTerminal, Write};

/// A line that is written over once a second.
#[derive(Debug)]
pub(crate) struct Progress {
    looked_at: bool,
    written: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { looked_at: std::io::stderr().is_terminal(), written: false }
    }

    /// Shows the second before this one.
    pub(crate) fn show(
        &mut self,
        second: u64,
        recording: &Recording,
        queued: usize,
        in_flight: u64,
    ) {
        let Some(last) = second.checked_sub(1).filter(|_| self.looked_at) else { return };
        let latency = Latency::of(&recording.second(last));
        let counts = Outcome::ALL.iter().filter_map(|outcome| {
            let count = recording.outcomes.get(outcome)?.second(last)?.len();
            Some(format!("{} {count}", outcome.name()))
        });
        let counts: Vec<String> = counts.collect();
        let line = format!(
            "{second} s: p50 {:.2} ms, p99 {:.2} ms, {in_flight} under way, {queued} waiting, \
             {} dropped; {}",
            latency.p50_us / 1e3,
            latency.p99_us / 1e3,
            recording.sends.dropped,
            counts.join(", ")
        );
        // Progress that does not show is no reason to stop.
        let mut terminal = std::io::stderr().lock();
        let _ = write!(terminal, "\r\x1b[K{line}");
        let _ = terminal.flush();
        self.written = true;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.written {
            let _ = writeln!(std::io::stderr().lock());
        }
    }
}
