//! Lines on their way to standard error.
//!
//! Owns the bounded queue of them and what becomes of those that it cannot take: they are counted,
//! and told once a line can be written again. A thread that tells something holds a lock for the
//! time of a copy and never waits for a reader, a disk or a terminal; the one thread that writes
//! may. Next: `log`.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// Of all lines that wait; one more is lost.
const BYTES_MAX: usize = 1 << 20;
/// A longer line is cut.
const LINE_BYTES_MAX: usize = 64 * 1024;
const CUT: &[u8] = " … (cut)\n".as_bytes();
/// How long an end waits for lines to be written: a reader that stands still keeps nothing from
/// ending.
const FLUSH_MAX: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(super) struct Lines {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Since that was told last.
    lost: u64,
    /// One was taken out and is not written yet.
    writing: bool,
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line, or counts it as lost.
    pub(super) fn push(&self, line: &[u8]) {
        let line = in_one_piece(line);
        let mut waiting = self.lock();
        if waiting.bytes + line.len() > BYTES_MAX {
            waiting.lost += 1;
            return;
        }
        waiting.bytes += line.len();
        waiting.lines.push_back(line);
        drop(waiting);
        self.changed.notify_all();
    }

    /// Waits until all that was pushed is written, for [`FLUSH_MAX`] at most.
    pub(super) fn flush(&self) {
        let busy = |waiting: &mut Waiting| waiting.writing || !waiting.lines.is_empty();
        drop(self.changed.wait_timeout_while(self.lock(), FLUSH_MAX, busy));
    }

    /// Writes what comes.
    pub(super) fn write_for_ever(&self, out: &mut dyn Write) {
        loop {
            self.write_next(out);
        }
    }

    /// Writes one line, once there is one.
    fn write_next(&self, out: &mut dyn Write) {
        let empty = |waiting: &mut Waiting| waiting.lines.is_empty();
        let waiting = self.changed.wait_while(self.lock(), empty);
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let Some(line) = waiting.lines.pop_front() else { return };
        waiting.bytes -= line.len();
        waiting.writing = true;
        drop(waiting);
        let written = out.write_all(&line);
        let mut waiting = self.lock();
        waiting.writing = false;
        let lost = match written {
            // Only what can be written can be told.
            Ok(()) => std::mem::take(&mut waiting.lost),
            Err(_) => {
                waiting.lost += 1;
                0
            }
        };
        drop(waiting);
        if lost > 0 {
            tracing::warn!(lost, "lines were lost: standard error did not take them");
        }
        self.changed.notify_all();
    }
}

/// Bounded, and with no end of a line within: a name or an error from outside must not pass for a
/// line of ours.
fn in_one_piece(line: &[u8]) -> Vec<u8> {
    let (text, end) = match line.strip_suffix(b"\n") {
        Some(text) => (text, &b"\n"[..]),
        None => (line, &b""[..]),
    };
    // A return at the beginning is progress, which writes over itself.
    let (start, text) = match text.strip_prefix(b"\r") {
        Some(text) if end.is_empty() => (&b"\r"[..], text),
        _ => (&b""[..], text),
    };
    let mut piece = start.to_vec();
    piece.reserve(text.len() + end.len());
    for byte in text {
        if piece.len() >= LINE_BYTES_MAX {
            // No part of a character.
            let whole =
                std::str::from_utf8(&piece).map_or_else(|error| error.valid_up_to(), str::len);
            piece.truncate(whole);
            piece.extend_from_slice(CUT);
            return piece;
        }
        match byte {
            b'\n' => piece.extend_from_slice(b"\\n"),
            b'\r' => piece.extend_from_slice(b"\\r"),
            _ => piece.push(*byte),
        }
    }
    piece.extend_from_slice(end);
    piece
}

/// Where the formatter writes: it hands over each event in one call.
#[derive(Debug, Clone)]
pub(super) struct Sink(Arc<Lines>);

impl Sink {
    pub(super) fn into(lines: Arc<Lines>) -> Self {
        Self(lines)
    }
}

impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Sink {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes what it is given, or nothing while it is full.
    #[derive(Default)]
    struct Place {
        taken: Vec<u8>,
        full: bool,
    }

    impl Write for Place {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.taken.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_line_whatever_stands_in_it() {
        for (line, expected) in [
            (&b"plain\n"[..], &b"plain\n"[..]),
            (b"a\nb\r\n", b"a\\nb\\r\n"),
            (b"\rprogress ", b"\rprogress "),
            (b"\rno progress\n", b"\\rno progress\n"),
            (b"", b""),
        ] {
            assert_eq!(in_one_piece(line), expected);
        }
        let long = format!("{}\n", "é".repeat(LINE_BYTES_MAX));
        let piece = String::from_utf8(in_one_piece(long.as_bytes())).unwrap();
        assert!(piece.len() <= LINE_BYTES_MAX + CUT.len() && piece.ends_with("é … (cut)\n"));
    }

    #[test]
    fn lines_beyond_the_queue_are_lost_and_counted_and_nobody_waits() {
        let lines = Lines::default();
        let line = [b'x'; 1024];
        for _ in 0..BYTES_MAX / 1024 + 3 {
            lines.push(&line);
        }
        let (bytes, lost) = {
            let waiting = lines.lock();
            (waiting.bytes, waiting.lost)
        };
        assert_eq!((bytes, lost), (BYTES_MAX, 3));
        let mut place = Place::default();
        lines.write_next(&mut place);
        assert_eq!((place.taken.len(), lines.lock().lost), (1024, 0), "it was told");
        lines.push(&line);
        assert_eq!(lines.lock().lost, 0, "there is room again");
    }

    #[test]
    fn a_line_that_cannot_be_written_is_lost_alone() {
        let lines = Lines::default();
        let mut place = Place { full: true, ..Place::default() };
        lines.push(b"lost\n");
        lines.write_next(&mut place);
        assert_eq!(lines.lock().lost, 1);
        place.full = false;
        lines.push(b"kept\n");
        lines.write_next(&mut place);
        assert_eq!((&place.taken[..], lines.lock().lost), (&b"kept\n"[..], 0));
    }
}
