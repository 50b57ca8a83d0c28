//! Lines for the operator, on standard error. Nobody may be reading any more, or the log's disk be
//! full: a line that cannot be written is lost, and nothing else is.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static SILENT: AtomicBool = AtomicBool::new(false);

/// From here on nothing is told: a simulation runs thousands of servers, and nobody operates them.
pub fn silence() {
    SILENT.store(true, Ordering::Relaxed);
}

/// Writes a line.
pub(crate) fn tell(line: Arguments<'_>) {
    if SILENT.load(Ordering::Relaxed) {
        return;
    }
    // In one piece, so that lines of several threads do not mix.
    let text = format!("{line}\n");
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Writes over the line before, for progress that somebody watches.
pub(crate) fn tell_progress(line: Arguments<'_>) {
    let text = format!("\r{line} ");
    let _ = io::stderr().write_all(text.as_bytes());
}
