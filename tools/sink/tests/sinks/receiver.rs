//! A service of the shop that is called by webhooks, on bare sockets.
//!
//! Owns what it answers, in turn, and what it was sent. Next: `hooks`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A call as it came.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(own, _)| own == name);
        &found.unwrap_or_else(|| panic!("no {name}: {self:?}")).1
    }
}

type Judge = dyn Fn(usize, &Call) -> &'static str + Send + Sync;

/// Listens until it is dropped.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
    over: Arc<AtomicBool>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // So that it looks.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Receiver {
    /// Answers each call, numbered from 0, by its status line.
    pub(crate) fn start(
        judge: impl Fn(usize, &Call) -> &'static str + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let port = listener.local_addr().expect("it has an address").port();
        let (calls, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (all, ended, judge): (_, _, Arc<Judge>) =
            (calls.clone(), over.clone(), Arc::new(judge));
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                if ended.load(Ordering::Acquire) {
                    return;
                }
                let (all, judge) = (Arc::clone(&all), judge.clone());
                thread::spawn(move || while serve(&socket, &all, &*judge).is_some() {});
            }
        });
        Self { port, calls, over }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Those that were taken or refused so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("nobody fails with it").clone()
    }
}

fn serve(socket: &TcpStream, calls: &Mutex<Vec<Call>>, judge: &Judge) -> Option<()> {
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    // None where the caller has gone.
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok()?;
        }
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let call = Call { headers, body };
    let status = {
        let mut all = calls.lock().ok()?;
        let status = judge(all.len(), &call);
        all.push(call);
        status
    };
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    let mut writer = socket;
    writer.write_all(answer.as_bytes()).ok()
}
