//! The second pair of eyes on message framing.
//!
//! hyper hides what it tolerates: it drops a Content-Length that comes with Transfer-Encoding and
//! folds equal repeats into one, so a service cannot refuse them. Two readers that differ on such a
//! message are how requests are smuggled, so this scanner reads the same bytes and remembers which
//! head was ambiguous. Owns only that verdict and the length of an unfinished request line; never
//! parses anything else, and leaves every other fault to hyper. Next: `stream`.

use smallvec::SmallVec;
use std::io::BufRead;

/// Of a line that is split over reads, only so much is kept: names and lengths are shorter.
const KEPT_BYTES: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between messages or in a head.
    Head,
    /// In a body of known length, so many bytes before its end.
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailer,
    /// The bytes make no sense; hyper refuses them as well, and closes.
    Lost,
}

/// Follows the messages of one connection.
#[derive(Debug)]
pub(super) struct Framing {
    state: State,
    /// The request line of this head was seen.
    begun: bool,
    /// The first bytes of a line whose end is not here yet, and how long it is so far.
    kept: SmallVec<[u8; KEPT_BYTES]>,
    line_bytes: usize,
    lengths: u32,
    length: Option<u64>,
    encodings: u32,
    heads: u64,
    ambiguous_head: Option<u64>,
}

impl Framing {
    pub(super) fn new() -> Self {
        Self {
            state: State::Head,
            begun: false,
            kept: SmallVec::new(),
            line_bytes: 0,
            lengths: 0,
            length: None,
            encodings: 0,
            heads: 0,
            ambiguous_head: None,
        }
    }

    /// Which head, from 0, says two things about the length of its body.
    pub(super) fn ambiguous_head(&self) -> Option<u64> {
        self.ambiguous_head
    }

    /// Bytes of a request line whose end has not come.
    pub(super) fn open_request_line_bytes(&self) -> usize {
        if self.state == State::Head && !self.begun { self.line_bytes } else { 0 }
    }

    /// Reads on.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Lost => return,
                State::Body(left) => self.skip(bytes, left, State::Body, State::Head),
                State::ChunkData(left) => self.skip(bytes, left, State::ChunkData, State::ChunkEnd),
                _ => self.line(bytes),
            };
        }
    }

    fn skip<'b>(
        &mut self,
        bytes: &'b [u8],
        left: u64,
        within: fn(u64) -> State,
        after: State,
    ) -> &'b [u8] {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - here as u64;
        self.state = if left == 0 { after } else { within(left) };
        bytes.get(here..).unwrap_or_default()
    }

    fn line<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let mut rest = bytes;
        // Reading from a slice cannot fail.
        let used = rest.skip_until(b'\n').unwrap_or(bytes.len());
        let line = bytes.get(..used).unwrap_or(bytes);
        let ended = line.last() == Some(&b'\n');
        if ended && self.line_bytes == 0 {
            self.ended_line(line);
            return rest;
        }
        let room = KEPT_BYTES.saturating_sub(self.kept.len()).min(line.len());
        self.kept.extend_from_slice(line.get(..room).unwrap_or_default());
        self.line_bytes += line.len();
        if ended {
            // A line that does not fit is no blank one, nor a length of ours.
            let kept = std::mem::take(&mut self.kept);
            self.line_bytes = 0;
            self.ended_line(&kept);
        }
        rest
    }

    fn ended_line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.state {
            State::Head => self.head_line(line),
            State::ChunkSize => self.state = chunk(line),
            State::ChunkEnd => {
                self.state = if line.is_empty() { State::ChunkSize } else { State::Lost }
            }
            State::Trailer if line.is_empty() => self.state = State::Head,
            State::Trailer | State::Body(_) | State::ChunkData(_) | State::Lost => {}
        }
    }

    fn head_line(&mut self, line: &[u8]) {
        if line.is_empty() {
            // Blank lines before a request line are to be ignored (RFC 9112, 2.2).
            if self.begun {
                self.end_head();
            }
        } else if !self.begun {
            self.begun = true;
        } else if let Some(value) = after_name(line, b"content-length:") {
            self.lengths += 1;
            self.length = decimal(value);
        } else if after_name(line, b"transfer-encoding:").is_some() {
            self.encodings += 1;
        }
    }

    fn end_head(&mut self) {
        // A length that cannot be read here is padded beyond any honest one.
        let ambiguous =
            self.lengths > 1 || (self.lengths > 0 && (self.encodings > 0 || self.length.is_none()));
        if ambiguous && self.ambiguous_head.is_none() {
            self.ambiguous_head = Some(self.heads);
        }
        self.state = match self.length {
            _ if ambiguous => State::Lost,
            _ if self.encodings > 0 => State::ChunkSize,
            _ if self.lengths == 0 => State::Head,
            Some(0) => State::Head,
            Some(length) => State::Body(length),
            None => State::Lost,
        };
        self.heads += 1;
        self.begun = false;
        self.lengths = 0;
        self.length = None;
        self.encodings = 0;
    }
}

fn after_name<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(value)
}

fn decimal(value: &[u8]) -> Option<u64> {
    str::from_utf8(value.trim_ascii()).ok()?.parse().ok()
}

fn chunk(line: &[u8]) -> State {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let size = str::from_utf8(digits).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
    match size {
        Some(0) => State::Trailer,
        Some(size) => State::ChunkData(size),
        None => State::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";

    /// However the bytes are cut into reads, the verdict is the same.
    fn check(text: &str, ambiguous: Option<u64>) {
        for step in [1, 2, 3, 7, 16, 100_000] {
            let mut framing = Framing::new();
            text.as_bytes().chunks(step).for_each(|bytes| framing.feed(bytes));
            assert_eq!(framing.ambiguous_head(), ambiguous, "{step} bytes at a time: {text}");
        }
    }

    #[test]
    fn plain_messages_are_not_ambiguous() {
        check(GOOD, None);
        check(&format!("{GOOD}\r\n{GOOD}{GOOD}"), None);
        check("GET / HTTP/1.1\nHost: a\n\n", None);
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(&format!("{chunked}3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n{GOOD}"), None);
        check(&format!("{chunked}1a\r\nContent-Length: 1\r\nConte\r\n\r\n0\r\n\r\n{GOOD}"), None);
    }

    #[test]
    fn two_lengths_or_a_length_and_an_encoding_are_ambiguous() {
        let double = "POST / HTTP/1.1\r\ncontent-length: 3\r\nContent-Length: 3\r\n\r\nabc";
        check(double, Some(0));
        check(&format!("{GOOD}{double}"), Some(1));
        let both = "POST / HTTP/1.1\r\nContent-Length: 3\r\nTRANSFER-encoding: chunked\r\n\r\n";
        check(&format!("{GOOD}{GOOD}{both}"), Some(2));
        let both = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n";
        check(both, Some(0));
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        check(&format!("{chunked}{both}"), Some(1));
    }

    #[test]
    fn a_body_is_not_read_as_a_head() {
        let body = "X / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n";
        check(&format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()), None);
    }

    #[test]
    fn an_endless_request_line_is_measured() {
        let mut framing = Framing::new();
        framing.feed(GOOD.as_bytes());
        framing.feed(b"GET /");
        framing.feed(&[b'a'; 5000]);
        assert_eq!(framing.open_request_line_bytes(), 5005);
        framing.feed(b" HTTP/1.1\r\nHost: a");
        assert_eq!(framing.open_request_line_bytes(), 0);
    }
}
