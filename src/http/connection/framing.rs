//! The second pair of eyes on message framing.
//!
//! hyper hides what it tolerates: it drops a Content-Length that comes with Transfer-Encoding,
//! folds equal repeats into one and lets a trailer run past a bare LF, so a service cannot refuse
//! them. Two readers that differ on such a message are how requests are smuggled, so this scanner
//! reads the same bytes first and says how many of them hyper may see: no line that ends a part of
//! a message gets through unless both read it alike, and nothing after a fault does. Owns only
//! that; faults in which both agree are left to hyper. Next: `stream`.

use super::hello::HANDSHAKE_RECORD;
use memchr::{memchr, memchr_iter};
use smallvec::SmallVec;

/// Of a line that is split over reads, only so much is kept: names and lengths are shorter. Where a
/// length or a chunk's size stands in a longer line, it counts as unknown, split or not.
const KEPT_BYTES: usize = 64;
const LENGTH: &[u8] = b"content-length:";
const ENCODING: &[u8] = b"transfer-encoding:";
/// How HTTP/2 begins where nobody asked for it first (RFC 9113, 3.4), and where its version stands.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";
const VERSION_AT: usize = PREFACE.len() - 3;
/// The version that hyper is shown in its place.
const SHOWN_VERSION: &[u8] = b"1.1";
/// As many digits always fit into 64 bits, with room to spare above.
const LENGTH_DIGITS_MAX: usize = 19;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between messages or in a head.
    RequestHeaders,
    /// In a body of known length, so many bytes before its end.
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    /// After the last chunk, where only a blank line may come: no trailer says anything to us.
    LastLine,
    /// Nothing more gets through.
    Lost,
}

/// Why a request is not to be answered as it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Fault {
    /// Its head says two things about the length of its body, or one that cannot be read.
    Ambiguous,
    /// Its request line is too long; hyper sees only the start of it.
    LongLine,
    /// Its target goes on after a `#`, which hyper leaves out.
    Fragment,
    /// The preface of HTTP/2; hyper takes it for a request of HTTP/1.1.
    Http2,
    /// The beginning of TLS; hyper sees nothing of it.
    Tls,
}

impl Fault {
    /// What hyper is shown after what it has seen, so that it asks for an answer: this comes in
    /// its turn, after the answers to the requests before it.
    pub(in crate::http) const fn stand_in(self) -> &'static [u8] {
        match self {
            Self::LongLine => b" HTTP/1.1\r\n\r\n",
            Self::Tls => b"GET / HTTP/1.1\r\n\r\n",
            Self::Ambiguous | Self::Fragment | Self::Http2 => b"",
        }
    }

    /// What the client is told.
    pub(in crate::http) const fn says(self) -> &'static str {
        match self {
            Self::Ambiguous => "the length of the body is given twice or unreadable",
            Self::LongLine => "the request line is too long",
            Self::Fragment => "a request target has no fragment",
            Self::Http2 => "HTTP/2 is not spoken here: this port speaks HTTP/1.1",
            Self::Tls => "TLS is not spoken here: this port speaks HTTP/1.1 in clear",
        }
    }
}

/// Follows the messages of one connection.
#[derive(Debug)]
pub(in crate::http) struct Framing {
    state: State,
    request_line_bytes_max: usize,
    /// The request line of this head was seen.
    begun: bool,
    /// There is a `#` in it.
    fragment: bool,
    /// So many bytes of HTTP/2's first line it begins with.
    preface_bytes: usize,
    /// The first bytes of a line whose end is not here yet, and how long it is so far.
    kept: SmallVec<[u8; KEPT_BYTES]>,
    line_bytes: usize,
    lengths: u32,
    length: Option<u64>,
    encodings: u32,
    heads: u64,
    faulty_head: Option<(u64, Fault)>,
}

impl Framing {
    pub(in crate::http) fn new(request_line_bytes_max: usize) -> Self {
        Self {
            state: State::RequestHeaders,
            request_line_bytes_max,
            begun: false,
            fragment: false,
            preface_bytes: 0,
            kept: SmallVec::new(),
            line_bytes: 0,
            lengths: 0,
            length: None,
            encodings: 0,
            heads: 0,
            faulty_head: None,
        }
    }

    /// What is wrong with this head, counted from 0; nothing after such a one gets through.
    pub(in crate::http) fn fault_of_head(&self, number: u64) -> Option<Fault> {
        self.faulty_head.filter(|(faulty, _)| *faulty == number).map(|(_, fault)| fault)
    }

    /// The heads that were found, a faulty one among them, and whether anything more gets through.
    #[cfg(test)]
    pub(in crate::http) fn found(&self) -> (u64, bool) {
        (self.heads + u64::from(self.faulty_head.is_some()), self.is_lost())
    }

    /// Nothing more gets through: the connection must end.
    pub(in crate::http) fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// What hyper is shown in place of the rest.
    pub(in crate::http) fn stand_in(&self) -> &'static [u8] {
        self.faulty_head.map_or(b"", |(_, fault)| fault.stand_in())
    }

    /// A next head has begun but not ended.
    pub(in crate::http) fn is_in_head(&self) -> bool {
        self.state == State::RequestHeaders && (self.begun || self.line_bytes > 0)
    }

    /// Nothing was seen after so many requests.
    pub(in crate::http) fn is_behind(&self, requests: u64) -> bool {
        self.state == State::RequestHeaders && !self.is_in_head() && self.heads == requests
    }

    /// Reads on; says how many of these bytes hyper may see. Changes none but the digits of a
    /// length beyond all lengths, and of a version that is HTTP/2's.
    pub(in crate::http) fn feed(&mut self, bytes: &mut [u8]) -> usize {
        let mut passed = 0;
        while self.state != State::Lost
            && let Some(rest @ [_, ..]) = bytes.get_mut(passed..)
        {
            passed += match self.state {
                State::Body(left) => self.skip(rest, left, State::Body, State::RequestHeaders),
                State::ChunkData(left) => self.skip(rest, left, State::ChunkData, State::ChunkEnd),
                State::RequestHeaders if self.begun && self.line_bytes == 0 => {
                    match self.usual_lines(rest) {
                        0 => self.line(rest),
                        usual => usual,
                    }
                }
                _ => self.line(rest),
            };
        }
        passed
    }

    fn skip(&mut self, bytes: &[u8], left: u64, within: fn(u64) -> State, after: State) -> usize {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - here as u64;
        self.state = if left == 0 { after } else { within(left) };
        here
    }

    /// Reads the lines after a request line that are here whole, in one pass: nearly every head
    /// is. It ends after the head, or where only [`line`](Self::line) can go on.
    fn usual_lines(&mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        for end in memchr_iter(b'\n', bytes) {
            let line = bytes.get(passed..=end).unwrap_or_default();
            // All others say nothing of a body, and do not end the head.
            if let Some(b'c' | b'C' | b't' | b'T' | b'\r' | b'\n') = line.first() {
                if after_name(line, LENGTH).is_some_and(|value| value.len() > LENGTH_DIGITS_MAX) {
                    return passed;
                }
                self.head_line(line, line.len());
            }
            passed = end + 1;
            if self.state != State::RequestHeaders || !self.begun {
                return passed;
            }
        }
        passed
    }

    /// Reads up to the end of a line.
    fn line(&mut self, bytes: &mut [u8]) -> usize {
        let used = memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
        let (line, _) = bytes.split_at_mut(used);
        if self.state == State::RequestHeaders && self.begun {
            self.shorten_length(line);
        } else if self.state == State::RequestHeaders {
            if self.line_bytes == 0 && line.first() == Some(&HANDSHAKE_RECORD) {
                self.fault(Fault::Tls);
                return 0;
            }
            self.show_as_ours(line);
        }
        let line = &*line;
        let room = self.request_line_bytes_max.saturating_sub(self.line_bytes);
        if self.state == State::RequestHeaders && !self.begun && line.len() > room {
            self.fault(Fault::LongLine);
            return room;
        }
        if self.state == State::RequestHeaders && !self.begun {
            self.fragment |= memchr(b'#', line).is_some();
        }
        let ended = line.last() == Some(&b'\n');
        let passes = if ended && self.line_bytes == 0 {
            self.ended_line(line, line.len())
        } else {
            let room = KEPT_BYTES.saturating_sub(self.kept.len()).min(line.len());
            self.kept.extend_from_slice(line.get(..room).unwrap_or_default());
            self.line_bytes += line.len();
            if ended {
                let kept = std::mem::take(&mut self.kept);
                let line_bytes = std::mem::take(&mut self.line_bytes);
                self.ended_line(&kept, line_bytes)
            } else {
                self.may_go_on()
            }
        };
        if !passes {
            self.state = State::Lost;
            return 0;
        }
        used
    }

    /// hyper would close at HTTP/2's first line without a word, so it is shown another version.
    fn show_as_ours(&mut self, line: &mut [u8]) {
        if self.preface_bytes != self.line_bytes {
            return;
        }
        for (own, byte) in PREFACE.iter().skip(self.line_bytes).zip(line) {
            if byte != own {
                return;
            }
            let shown = self.preface_bytes.checked_sub(VERSION_AT).map(|at| SHOWN_VERSION[at]);
            *byte = shown.unwrap_or(*byte);
            self.preface_bytes += 1;
        }
    }

    /// To hyper the last lengths of 64 bits mean something else, and longer ones are none, so it
    /// would answer without a body. Without their last digits they are still too large for us.
    fn shorten_length(&self, line: &mut [u8]) {
        let kept = self.kept.len();
        let first = self.kept.first().or(line.first()).copied().unwrap_or_default();
        if self.line_bytes > KEPT_BYTES || !first.eq_ignore_ascii_case(&b'c') {
            return;
        }
        let mut whole = self.kept.clone();
        let room = KEPT_BYTES.saturating_sub(kept).min(line.len());
        whole.extend_from_slice(line.get(..room).unwrap_or_default());
        let Some(value) = after_name(&whole, LENGTH) else { return };
        let digits = value.iter().enumerate().filter(|(_, byte)| byte.is_ascii_digit());
        let significant = digits.skip_while(|(_, byte)| **byte == b'0');
        for (at, _) in significant.skip(LENGTH_DIGITS_MAX) {
            let at = (LENGTH.len() + at).checked_sub(kept);
            if let Some(digit) = at.and_then(|at| line.get_mut(at)) {
                *digit = b' ';
            }
        }
    }

    /// Whether the line that is not at its end may still become a good one.
    fn may_go_on(&self) -> bool {
        match self.state {
            State::ChunkSize => self.line_bytes <= KEPT_BYTES,
            State::ChunkEnd | State::LastLine => self.kept.as_slice() == b"\r",
            _ => true,
        }
    }

    /// Takes a line, of which the first bytes are at hand; says whether hyper may see it.
    fn ended_line(&mut self, line: &[u8], line_bytes: usize) -> bool {
        match self.state {
            State::ChunkSize if line_bytes <= KEPT_BYTES => match chunk(line) {
                Some(0) => self.state = State::LastLine,
                Some(size) => self.state = State::ChunkData(size),
                None => return false,
            },
            State::ChunkEnd if line == b"\r\n" => self.state = State::ChunkSize,
            State::LastLine if line == b"\r\n" => self.state = State::RequestHeaders,
            // A single LF ends a line of a head (RFC 9112, 2.2), for hyper as well.
            State::RequestHeaders => self.head_line(line, line_bytes),
            _ => return false,
        }
        true
    }

    fn head_line(&mut self, line: &[u8], line_bytes: usize) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            // Blank lines before a request line are to be ignored (RFC 9112, 2.2).
            if self.begun {
                self.end_head();
            }
        } else if !self.begun {
            self.begun = true;
        } else if let Some(value) = after_name(line, LENGTH) {
            self.lengths += 1;
            self.length = decimal(value).filter(|_| line_bytes <= KEPT_BYTES);
        } else if after_name(line, ENCODING).is_some() {
            self.encodings += 1;
        }
    }

    fn end_head(&mut self) {
        let ambiguous =
            self.lengths > 1 || (self.lengths > 0 && (self.encodings > 0 || self.length.is_none()));
        if ambiguous {
            self.fault(Fault::Ambiguous);
            return;
        }
        if self.fragment {
            self.fault(Fault::Fragment);
            return;
        }
        if self.preface_bytes > VERSION_AT {
            self.fault(Fault::Http2);
            return;
        }
        self.state = match self.length {
            _ if self.encodings > 0 => State::ChunkSize,
            None | Some(0) => State::RequestHeaders,
            Some(length) => State::Body(length),
        };
        self.heads += 1;
        self.begun = false;
        self.preface_bytes = 0;
        self.lengths = 0;
        self.length = None;
        self.encodings = 0;
    }

    fn fault(&mut self, fault: Fault) {
        self.faulty_head = Some((self.heads, fault));
        self.state = State::Lost;
    }
}

/// What stands after a name and its colon.
fn after_name<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    // Few other names are as long, so most lines are told apart by where the colon stands.
    (start.last() == name.last() && start.eq_ignore_ascii_case(name)).then_some(value)
}

/// Blanks around a value; other white space makes it a bad one.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn decimal(value: &[u8]) -> Option<u64> {
    let digits = trimmed(value);
    let number = digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    });
    number.filter(|_| !digits.is_empty())
}

/// The size in the line before a chunk, which may have an extension.
fn chunk(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r\n")?;
    if line.contains(&b'\r') {
        return None;
    }
    let size = line.split(|byte| *byte == b';').next()?;
    let blanks = size.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let digits = size.get(..size.len() - blanks)?;
    let plain = digits.iter().all(u8::is_ascii_hexdigit);
    u64::from_str_radix(str::from_utf8(digits).ok().filter(|_| plain)?, 16).ok()
}

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
