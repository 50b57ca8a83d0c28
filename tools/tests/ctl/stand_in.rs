//! Stand-ins for nodes: each answers whatever it is asked over HTTP as it is told.
//!
//! Owns a socket on loopback, for as long as it is held.

use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// A node that answers until it is dropped.
pub(crate) struct StandIn {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    answering: Option<JoinHandle<()>>,
}

impl StandIn {
    /// Answers each request by a status and a body.
    pub(crate) fn start(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it has an address");
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let answering = thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if end.load(Ordering::Acquire) {
                    return;
                }
                serve(stream, &answer);
            }
        });
        Self { address, ended, answering: Some(answering) }
    }

    /// A node of this role that has so much.
    pub(crate) fn of_status(role: &str, epoch: u64, durable_seq: u64) -> Self {
        let status = json!({"version": "0", "role": role, "epoch": epoch, "seq": 1,
            "durable_seq": durable_seq, "snapshot_seq": null, "journal_bytes": 0, "uptime_ms": 1,
            "durability": "group", "tables": {}, "writer": null, "in_sync": [], "copies": []});
        Self::start(move |request| {
            assert!(request.starts_with("GET /v1/status HTTP/1.1"), "{request}");
            (200, status.to_string())
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        drop(TcpStream::connect(self.address));
        let ended = self.answering.take().map(JoinHandle::join);
        // What it found wrong fails the test, unless that has failed already.
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the stand-in panicked");
    }
}

fn serve(stream: TcpStream, answer: &impl Fn(&str) -> (u16, String)) {
    let mut reader = BufReader::new(stream);
    let (mut request, mut length) = (String::new(), 0);
    loop {
        let before = request.len();
        if reader.read_line(&mut request).expect("a line") == 0 {
            return;
        }
        let line = request[before..].to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    request.push_str(&String::from_utf8(body).expect("text"));
    let (status, body) = answer(&request);
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    let mut stream = reader.into_inner();
    stream.write_all((head + &body).as_bytes()).expect("the client listens");
}
