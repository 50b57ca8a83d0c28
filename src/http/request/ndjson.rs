//! A body as lines, while it comes.
//!
//! Owns the bounds of a stream of lines: its length, its lines, the length of each, and how long
//! the next bytes may take. Keeps no more than one piece of the body and one line that is not whole
//! yet. Never looks into a line. Next: `batch`.

use crate::http::HttpLimits;
use crate::http::response::problem::{Code, Problem, Refused};
use bytes::{Buf, Bytes};
use hyper::body::{Body, Incoming};
use std::io::BufRead;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;

/// The lines of one body.
pub(in crate::http) struct Lines {
    body: Incoming,
    splitter: Splitter,
    timeout: Duration,
    /// Runs while the client is waited for.
    timer: Option<Pin<Box<Sleep>>>,
    /// By its end all must have come: a byte now and then is no batch.
    whole: Pin<Box<Sleep>>,
}

impl Lines {
    pub(in crate::http) fn new(body: Incoming, limits: &HttpLimits) -> Self {
        let timeout = Duration::from_millis(limits.body_timeout_ms);
        let whole = tokio::time::sleep(Duration::from_millis(limits.batch_timeout_ms));
        let splitter = Splitter::new(limits);
        Self { body, splitter, timeout, timer: None, whole: Box::pin(whole) }
    }

    /// The next line that is not blank; none after the last. After an error there is nothing more
    /// to read.
    pub(in crate::http) fn poll_line(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Refused>> {
        loop {
            if let Some(line) = self.splitter.line()? {
                return Poll::Ready(Ok(Some(line)));
            }
            match ready!(self.poll_piece(context))? {
                Some(piece) => self.splitter.feed(piece)?,
                None => return Poll::Ready(self.splitter.end()),
            }
        }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Refused>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            let timeout = self.timeout;
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
            if self.whole.as_mut().poll(context).is_pending() {
                ready!(timer.as_mut().poll(context));
            }
            let late = Problem::new(Code::Timeout, "the body did not come in time");
            return Poll::Ready(Err(late.closing()));
        };
        self.timer = None;
        // Trailers do not get here: to `framing` they are bad framing.
        Poll::Ready(match frame {
            None => Ok(None),
            Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
            Some(Err(_)) => Err(Problem::bad_framing("the body ends early or is framed wrongly")),
        })
    }
}

struct Splitter {
    piece: Bytes,
    /// The beginning of a line whose end is not here yet.
    begun: Vec<u8>,
    bytes_left: u64,
    bytes_max: u64,
    lines_left: usize,
    lines_max: usize,
    line_bytes_max: usize,
}

impl Splitter {
    fn new(limits: &HttpLimits) -> Self {
        Self {
            piece: Bytes::new(),
            begun: Vec::new(),
            bytes_left: limits.batch_bytes_max,
            bytes_max: limits.batch_bytes_max,
            lines_left: limits.batch_lines_max,
            lines_max: limits.batch_lines_max,
            line_bytes_max: limits.line_bytes_max,
        }
    }

    /// Takes the next piece, once there is no line in the last one.
    fn feed(&mut self, piece: Bytes) -> Result<(), Refused> {
        let left = self.bytes_left.checked_sub(piece.len() as u64);
        self.bytes_left =
            left.ok_or_else(|| too_large(format!("a batch has at most {} bytes", self.bytes_max)))?;
        self.piece = piece;
        Ok(())
    }

    fn line(&mut self) -> Result<Option<Bytes>, Refused> {
        while !self.piece.is_empty() {
            // Reading from a slice cannot fail.
            let used = (&*self.piece).skip_until(b'\n').unwrap_or(self.piece.len());
            let mut line = self.piece.split_to(used);
            let ended = line.ends_with(b"\n");
            line.truncate(line.len() - usize::from(ended));
            if self.begun.len() + line.len() > self.line_bytes_max {
                return Err(too_large(format!("a line has at most {} bytes", self.line_bytes_max)));
            }
            if !ended || !self.begun.is_empty() {
                self.begun.extend_from_slice(&line);
                if !ended {
                    break;
                }
                line = std::mem::take(&mut self.begun).into();
            }
            if let Some(line) = self.counted(line)? {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    /// The last line may lack its end.
    fn end(&mut self) -> Result<Option<Bytes>, Refused> {
        let line = std::mem::take(&mut self.begun).into();
        self.counted(line)
    }

    fn counted(&mut self, line: Bytes) -> Result<Option<Bytes>, Refused> {
        if line.chunk().trim_ascii().is_empty() {
            return Ok(None);
        }
        let left = self.lines_left.checked_sub(1);
        self.lines_left =
            left.ok_or_else(|| too_large(format!("a batch has at most {} lines", self.lines_max)))?;
        Ok(Some(line))
    }
}

fn too_large(detail: String) -> Refused {
    Problem::new(Code::TooLarge, detail).closing()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: fn() -> HttpLimits = || HttpLimits {
        batch_bytes_max: 40,
        batch_lines_max: 3,
        line_bytes_max: 8,
        ..HttpLimits::default()
    };

    /// The lines of a body that comes in these pieces, joined; after them what ended it.
    fn lines(pieces: &[&str]) -> String {
        let mut splitter = Splitter::new(&LIMITS());
        let mut found = Vec::new();
        let fault = pieces.iter().try_for_each(|piece| {
            splitter.feed(Bytes::copy_from_slice(piece.as_bytes()))?;
            while let Some(line) = splitter.line()? {
                found.push(String::from_utf8(line.into()).unwrap());
            }
            Ok::<(), Refused>(())
        });
        match fault.and_then(|()| splitter.end()) {
            Ok(last) => found.extend(last.map(|line| String::from_utf8(line.into()).unwrap())),
            Err(refused) => found.push(refused.code.as_str().to_owned()),
        }
        found.join("|")
    }

    #[test]
    fn lines_are_found_however_their_bytes_come() {
        for whole in ["a\nbc\n\nd", "a\r\nbc\r\n  \r\nd", "\n\na\nbc\nd\n\n"] {
            let plain: String = lines(&[whole]).replace('\r', "");
            assert_eq!(plain, "a|bc|d", "{whole:?}");
            for at in 0..=whole.len() {
                let (one, two) = whole.split_at(at);
                assert_eq!(lines(&[one, two]).replace('\r', ""), "a|bc|d", "{whole:?} at {at}");
            }
            let bytes: Vec<&str> = whole.split_inclusive("").collect();
            assert_eq!(lines(&bytes).replace('\r', ""), "a|bc|d", "{whole:?}");
        }
        assert_eq!(lines(&[]), "");
        assert_eq!(lines(&["\n", " \n"]), "");
    }

    #[test]
    fn a_stream_beyond_its_bounds_ends_where_it_passes_them() {
        assert_eq!(lines(&["a\nb\nc\n\n\n"]), "a|b|c");
        assert_eq!(lines(&["a\nb\nc\nd\n"]), "a|b|c|too_large");
        assert_eq!(lines(&["a\nb\nc\nd"]), "a|b|c|too_large");
        assert_eq!(lines(&["12345678\n", "b"]), "12345678|b");
        assert_eq!(lines(&["a\n123456789\nb"]), "a|too_large");
        assert_eq!(lines(&["a\n12345", "6789"]), "a|too_large");
        assert_eq!(lines(&["a\n", &"\n".repeat(38), "b"]), "a|too_large");
    }
}
