//! Says on a terminal how far long work is. Nothing where nobody looks.

use doorbuster::shared::clock::Clock;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

/// Reports between two lines: often enough to see that it moves.
const REPORTS_PER_LINE: u64 = 1024;
/// A bar is drawn again after so long, in milliseconds.
const BAR_EVERY_MS: u64 = 100;
/// A bar's length, in characters.
const BAR_WIDTH: u64 = 30;

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

/// How much of a known number of bytes is done, step after step. Any thread may report.
pub(crate) struct Bar {
    looked_at: bool,
    clock: Clock,
    drawn: Mutex<Drawn>,
}

#[derive(Default)]
struct Drawn {
    step: &'static str,
    bytes: u64,
    /// 0 = not known yet.
    total_bytes: u64,
    next_ms: u64,
    any: bool,
}

impl Bar {
    pub(crate) fn new(clock: Clock) -> Self {
        let drawn = Mutex::new(Drawn { step: "looking", ..Drawn::default() });
        Self { looked_at: std::io::stderr().is_terminal(), clock, drawn }
    }

    /// A step of so many bytes begins.
    pub(crate) fn begin(&self, step: &'static str, total_bytes: u64) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        *drawn = Drawn { step, total_bytes, any: drawn.any, ..Drawn::default() };
    }

    /// So many more bytes are done.
    pub(crate) fn advance(&self, bytes: u64) {
        if !self.looked_at {
            return;
        }
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        drawn.bytes += bytes;
        let now_ms = self.clock.elapsed_ms();
        if now_ms >= drawn.next_ms {
            drawn.next_ms = now_ms + BAR_EVERY_MS;
            drawn.any = true;
            let mut terminal = std::io::stderr().lock();
            let _ = write!(terminal, "\r\x1b[K{}", drawn.line());
            let _ = terminal.flush();
        }
    }
}

impl Drawn {
    /// `copying [#########.....................]  31 % of 120.4 MB`
    fn line(&self) -> String {
        let megabytes = |bytes: u64| format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10);
        if self.total_bytes == 0 {
            return format!("{} {}", self.step, megabytes(self.bytes));
        }
        // More is read than was foreseen where something is read twice.
        let done = self.bytes.min(self.total_bytes);
        let parts =
            |of: u64| (u128::from(done) * u128::from(of) / u128::from(self.total_bytes)) as u64;
        let filled = parts(BAR_WIDTH) as usize;
        let bar = format!("{}{}", "#".repeat(filled), ".".repeat(BAR_WIDTH as usize - filled));
        format!("{} [{bar}] {:>3} % of {}", self.step, parts(100), megabytes(self.total_bytes))
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        let drawn = self.drawn.get_mut().unwrap_or_else(PoisonError::into_inner);
        if drawn.any {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_and_never_overflows() {
        let line = |bytes, total_bytes| {
            Drawn { step: "copying", bytes, total_bytes, ..Drawn::default() }.line()
        };
        assert_eq!(line(1_250_000, 0), "copying 1.2 MB");
        let half = format!("copying [{}{}]  50 % of 2.0 MB", "#".repeat(15), ".".repeat(15));
        assert_eq!(line(1_000_000, 2_000_000), half);
        let full = format!("copying [{}] 100 % of 1.0 MB", "#".repeat(30));
        assert_eq!(line(u64::MAX, 1_000_000), full);
    }
}
