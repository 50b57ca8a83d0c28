//! Asks over one connection, and asks for no memory while it does.
//!
//! Owns the requests as bytes and a buffer for what comes back. Never looks into an answer's body.
//! Next: `server`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No answer of this test is longer.
const ANSWER_BYTES_MAX: usize = 4096;
/// Whoever takes this long is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request with a body.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

/// An order of one unit, of a user and under a key of its own.
pub(crate) fn order(sku: &str, name: &str) -> Vec<u8> {
    let key = format!("Idempotency-Key: {sku}-key-{name}\r\n");
    let body =
        format!("{{\"user\":\"{sku}-user-{name}\",\"lines\":[{{\"sku\":\"{sku}\",\"qty\":1}}]}}");
    request("POST", "/v1/orders", &key, &body)
}

/// One connection.
pub(crate) struct Asking {
    stream: TcpStream,
    buffer: Box<[u8; ANSWER_BYTES_MAX]>,
    /// Of the last answer.
    bytes: usize,
}

impl Asking {
    pub(crate) fn of(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("the server listens"))
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a socket takes it");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes it");
        Self { stream, buffer: Box::new([0; ANSWER_BYTES_MAX]), bytes: 0 }
    }

    /// Asks, and says with which status it was answered.
    pub(crate) fn status(&mut self, request: &[u8]) -> u16 {
        self.send(request);
        self.receive()
    }

    pub(crate) fn send(&mut self, request: &[u8]) {
        self.stream.write_all(request).expect("the server reads");
    }

    /// Reads the answer to its end, which must be this one.
    pub(crate) fn expect(&mut self, status: u16) {
        let told = self.receive();
        let answer = &self.buffer[..self.bytes];
        assert_eq!(told, status, "{}", String::from_utf8_lossy(answer));
    }

    fn receive(&mut self) -> u16 {
        self.bytes = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[self.bytes..]).expect("it answers");
            assert!(read > 0, "the answer ends early, or is too long");
            self.bytes += read;
            match whole(&self.buffer[..self.bytes]) {
                Some(bytes) if bytes == self.bytes => break,
                Some(bytes) => assert!(bytes > self.bytes, "more than was asked for"),
                None => {}
            }
        }
        number(&self.buffer["HTTP/1.1 ".len()..]).try_into().expect("a status")
    }

    /// The last answer, as it came.
    pub(crate) fn received(&self) -> String {
        String::from_utf8(self.buffer[..self.bytes].to_vec()).expect("UTF-8")
    }
}

/// How long the answer is that begins here; none while its head is not there.
fn whole(bytes: &[u8]) -> Option<usize> {
    const LENGTH: &[u8] = b"content-length: ";
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let at = bytes[..head].windows(LENGTH.len()).position(|name| name == LENGTH);
    Some(head + at.map_or(0, |at| number(&bytes[at + LENGTH.len()..])))
}

/// The number that stands here.
fn number(bytes: &[u8]) -> usize {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}
