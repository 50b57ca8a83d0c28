//! Standard output: what it cannot take is an error; a reader who has gone is none (API 7).
//!
//! Owns the difference. Never writes to standard error. Next: `server`, and `main` for the commands
//! that print and end.

use std::io::{self, ErrorKind, Write};

/// Writes all of a text.
///
/// # Errors
/// When it cannot be written, unless because nobody reads any more.
pub fn print(text: &str) -> io::Result<()> {
    quiet(write(&mut io::stdout().lock(), text))
}

fn write(out: &mut dyn Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

fn quiet(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
