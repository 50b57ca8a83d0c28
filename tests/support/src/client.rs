//! One keep-alive connection to the server, blocking, on bare sockets.
//!
//! Owns requests as bytes and answers as parsed. Never retries, never reconnects, and reads no
//! more than an answer says it is long, so that a test sees what a client would. Next: `process`.

use crate::wait::TIMEOUT;
use serde_json::Value;
use std::fmt::{self, Write as _};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// A request in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// `GET`, for example.
    pub method: &'static str,
    /// With the query, if there is one.
    pub path: String,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// None has no `Content-Length` either.
    pub body: Option<String>,
}

impl Ask {
    /// A request without headers and body.
    pub fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: None }
    }

    /// `GET` of a path.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// `POST` of a JSON body.
    pub fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::new("POST", path).json(&body.to_string())
    }

    /// `PUT` of a JSON body.
    pub fn put(path: impl Into<String>, body: &Value) -> Self {
        Self::new("PUT", path).json(&body.to_string())
    }

    /// `POST /v1/orders` of one line.
    pub fn order(key: &str, user: &str, sku: &str, quantity: u64) -> Self {
        let lines = serde_json::json!([{"sku": sku, "qty": quantity}]);
        Self::post("/v1/orders", &serde_json::json!({"user": user, "lines": lines})).key(key)
    }

    /// `POST /v1/orders/{id}/{action}` without a body.
    pub fn act(id: &str, action: &str) -> Self {
        Self::new("POST", format!("/v1/orders/{id}/{action}"))
    }

    /// With this text as a body of JSON.
    pub fn json(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self.header("Content-Type", "application/json")
    }

    /// `POST /v1/batch` of these lines.
    pub fn batch(lines: &str) -> Self {
        let mut ask = Self::new("POST", "/v1/batch");
        ask.body = Some(lines.to_owned());
        ask.header("Content-Type", "application/x-ndjson")
    }

    /// With an idempotency key.
    pub fn key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// With a bearer token.
    pub fn token(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As it is sent.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.headers.iter().any(|(name, _)| name == "Host") {
            head.push_str("Host: localhost\r\n");
        }
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").expect("a string takes text");
        }
        if let Some(body) = &self.body {
            write!(head, "Content-Length: {}\r\n", body.len()).expect("a string takes text");
        }
        head.push_str("\r\n");
        head.push_str(self.body.as_deref().unwrap_or_default());
        head.into_bytes()
    }
}

/// An answer, whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// Empty where there is none.
    pub body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{} {:?} {body}", self.status, self.headers)
    }
}

impl Answer {
    /// The value of a header that comes at most once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} comes twice: {self:?}");
        value
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body of an answer that must have this status.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("Cache-Control"), Some("no-store"), "{self:?}");
        assert_eq!(self.header("Content-Type"), Some("application/json"), "{self:?}");
        self.json()
    }

    /// The body of a refusal that must be this one, in the one shape of refusals (API 1).
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "not {code}: {self:?}");
        assert_eq!(self.header("Content-Type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.header("Cache-Control"), Some("no-store"), "{self:?}");
        let body = self.json();
        assert_eq!((&body["code"], &body["status"]), (&code.into(), &status.into()), "{self:?}");
        let shape = ["type", "title", "detail"].into_iter().all(|name| body[name].is_string())
            && body["retryable"].is_boolean();
        assert!(shape, "not the shape of a problem: {self:?}");
        body
    }

    /// It says that the key was known.
    pub fn is_replayed(&self) -> bool {
        self.header("Idempotent-Replayed") == Some("true")
    }
}

/// What carries the bytes: a socket, or TLS on one.
pub trait Transport: Read + Write + Send {
    /// Sends nothing more, and still reads.
    fn end(&mut self) -> io::Result<()>;
}

impl Transport for TcpStream {
    fn end(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// A socket that gives up in the end.
pub fn socket(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// A connection.
pub struct Client {
    stream: BufReader<Box<dyn Transport>>,
    token: Option<String>,
}

impl Client {
    /// Connects to a server without TLS.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        socket(address).map(Self::over)
    }

    /// Speaks HTTP over this.
    pub fn over(transport: impl Transport + 'static) -> Self {
        Self { stream: BufReader::new(Box::new(transport)), token: None }
    }

    /// Shows this token with every request.
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Sends nothing more, and still reads.
    pub fn end(&mut self) -> io::Result<()> {
        self.stream.get_mut().end()
    }

    /// The next answer. That to a HEAD has no body, whatever its length says.
    pub fn read(&mut self, to_head: bool) -> io::Result<Answer> {
        let mut answer = self.head()?;
        if answer.header("Transfer-Encoding") == Some("chunked") && !to_head {
            while let Some(chunk) = self.chunk()? {
                answer.body.extend_from_slice(&chunk);
            }
            return Ok(answer);
        }
        let length = answer.header("Content-Length").map_or(Ok(0), str::parse);
        let length = length.map_err(|_| bad("length"))?;
        if !to_head && answer.status != 204 {
            answer.body = vec![0; length];
            self.stream.read_exact(&mut answer.body)?;
        }
        Ok(answer)
    }

    /// The next answer up to its body.
    pub fn head(&mut self) -> io::Result<Answer> {
        let start = self.line()?;
        let status = start.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status: u16 = status.ok_or_else(|| bad(&format!("status line {start:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").ok_or_else(|| bad("header"))?;
            headers.push((name.to_owned(), value.to_owned()));
        }
        Ok(Answer { status, headers, body: Vec::new() })
    }

    /// The next chunk of a body that comes bit by bit; none behind the last.
    pub fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let size = usize::from_str_radix(&self.line()?, 16).map_err(|_| bad("chunk's size"))?;
        let mut chunk = vec![0; size];
        self.stream.read_exact(&mut chunk)?;
        if !self.line()?.is_empty() {
            return Err(bad("end of a chunk"));
        }
        Ok((size > 0).then_some(chunk))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let Some(text) = line.strip_suffix("\r\n") else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        Ok(text.to_owned())
    }

    /// Sends a request and reads its answer.
    pub fn send(&mut self, ask: &Ask) -> io::Result<Answer> {
        let bytes = match &self.token {
            Some(token) => ask.clone().token(token).bytes(),
            None => ask.bytes(),
        };
        self.write(&bytes)?;
        self.read(ask.method == "HEAD")
    }

    /// Sends where the connection must hold.
    pub fn ask(&mut self, ask: &Ask) -> Answer {
        self.send(ask).unwrap_or_else(|error| panic!("{error}, asking {ask:?}"))
    }

    /// The body of a `GET`, which must be answered with 200.
    pub fn get(&mut self, path: &str) -> Value {
        self.ask(&Ask::get(path)).expect(200)
    }

    /// Puts a new SKU on sale.
    pub fn put_sku(&mut self, sku: &str, settings: &Value) -> Value {
        self.ask(&Ask::put(format!("/v1/skus/{sku}"), settings)).expect(201)
    }

    /// Bytes as they are, and the one answer to them.
    pub fn raw(&mut self, bytes: &[u8]) -> Answer {
        self.write(bytes).expect("the server takes bytes");
        self.read(false).unwrap_or_else(|error| {
            panic!("{error}, answering {:?}", String::from_utf8_lossy(bytes))
        })
    }

    /// The server says nothing more and ends the connection.
    pub fn is_closed(&mut self) -> bool {
        match self.stream.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
