//! Says on a terminal how far long work is. Nothing where nobody looks.

use std::io::{IsTerminal, Write};

/// Reports between two lines: often enough to see that it moves.
const REPORTS_PER_LINE: u64 = 1024;

/// How far a replay is.
pub(crate) struct Progress {
    looked_at: bool,
    reports: u64,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { looked_at: std::io::stderr().is_terminal(), reports: 0 }
    }

    pub(crate) fn at(&mut self, sequence: u64) {
        self.reports += 1;
        if self.looked_at && self.reports.is_multiple_of(REPORTS_PER_LINE) {
            // Progress that does not show is no reason to stop.
            let mut terminal = std::io::stderr().lock();
            let _ = write!(terminal, "\rat sequence {sequence} ");
            let _ = terminal.flush();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.looked_at && self.reports >= REPORTS_PER_LINE {
            let _ = writeln!(std::io::stderr().lock());
        }
    }
}
