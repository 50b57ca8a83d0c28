//! What the measurements say, on standard output and standard error.
//!
//! Owns the macros of that name for the whole program: the standard library's end the process with
//! a panic where a line cannot be written, though the measurement goes on and its report is worth
//! having. A reader who went away is no error; anything else is told at the end, with exit code 3.

use doorbuster::process::output;
use std::fmt::Arguments;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// As the standard library's, but what cannot be written is kept for [`failure`].
macro_rules! println {
    () => { $crate::out::line(format_args!("")) };
    ($($arguments:tt)*) => { $crate::out::line(format_args!($($arguments)*)) };
}

/// As the standard library's, but without a panic: nobody is left to be told.
macro_rules! eprintln {
    ($($arguments:tt)*) => { $crate::out::complain(format_args!($($arguments)*)) };
}

/// Why nothing more is written.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

pub(crate) fn line(line: Arguments<'_>) {
    let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    if failed.is_none() {
        *failed = writeln!(io::stdout().lock(), "{line}").err();
    }
}

/// Text that is to be written as it is.
pub(crate) fn text(text: &[u8]) {
    let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    if failed.is_none() {
        *failed = io::stdout().lock().write_all(text).err();
    }
}

pub(crate) fn complain(line: Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// What could not be written, told once everything was said.
pub(crate) fn failure() -> Option<io::Error> {
    let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    let written = failed.take().map_or_else(|| io::stdout().lock().flush(), Err);
    output::unless_closed(written).err()
}
