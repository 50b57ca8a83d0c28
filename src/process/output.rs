//! Standard output of the programs here: what cannot be written there is an error, told on standard
//! error with exit code 3; a reader who went away, as `head` does, is none.
//!
//! Owns that one decision, and the command line's own output: help and version. Never decides what
//! is said.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// The exit code where standard output cannot be written (API 7).
pub const UNWRITTEN: u8 = 3;

/// What is left of a write's error once a reader who went away is no error.
///
/// # Errors
/// Any other error, as it was.
pub fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(cause) if cause.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes all of a text to standard output.
///
/// # Errors
/// When it cannot be written, unless because its reader went away.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    unless_closed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// What to say of a failed write.
#[must_use]
pub fn reason(cause: &io::Error) -> String {
    format!("cannot write to standard output: {cause}")
}

/// Reads the command line. Help and version are printed here, and a usage error is told.
///
/// # Errors
/// The code to exit with, where there is nothing more to do.
pub fn parse<P: clap::Parser>(program: &str) -> Result<P, ExitCode> {
    P::try_parse().map_err(|told| refuse(program, &told))
}

/// Prints what clap has to say, and gives the code to exit with.
#[must_use]
pub fn refuse(program: &str, told: &clap::Error) -> ExitCode {
    let code = u8::try_from(told.exit_code()).unwrap_or(2);
    let printed = told.print().and_then(|()| io::stdout().flush());
    match unless_closed(printed) {
        Ok(()) => ExitCode::from(code),
        // A usage error goes to standard error, and what cannot be told there cannot be told.
        Err(_) if told.use_stderr() => ExitCode::from(code),
        Err(cause) => {
            let _ = writeln!(io::stderr().lock(), "{program}: {}", reason(&cause));
            ExitCode::from(UNWRITTEN)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reader_who_went_away_is_no_error() {
        assert!(unless_closed(Ok(())).is_ok());
        assert!(unless_closed(Err(ErrorKind::BrokenPipe.into())).is_ok());
        for kind in [ErrorKind::StorageFull, ErrorKind::PermissionDenied, ErrorKind::Other] {
            assert_eq!(unless_closed(Err(kind.into())).unwrap_err().kind(), kind);
        }
    }
}
