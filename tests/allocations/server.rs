//! The whole server in this process: its threads, its journal, its syncs.
//!
//! Owns that it has a port of its own, that it serves, and that it is gone at the end. Never counts
//! anything. Next: `main`.

use crate::exchange::{self, Asking};
use doorbuster::config::{Config, Sources};
use doorbuster::process::server::{self, Signals};
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use tempfile::TempDir;

/// A server that serves.
pub(crate) struct Server {
    address: SocketAddr,
    serving: JoinHandle<()>,
    /// Its directory, beside the build and not in memory: syncs shall be real.
    _data: TempDir,
    /// Keeps the port.
    _port: Socket,
}

/// Starts it and waits until it serves.
pub(crate) fn start() -> Server {
    let data = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let (port, address) = reserve();
    let config = config(&data, address);
    let again = config.clone();
    let serving = thread::spawn(move || {
        let signals = Signals::watch().expect("the system gives a thread");
        let reread = Box::new(move || Ok(again.clone()));
        server::run(&config, reread, signals).expect("it serves to its end");
    });
    let server = Server { address, serving, _data: data, _port: port };
    server.wait();
    server
}

/// A port that nobody else is given, and that may still be listened on: both sockets say that they
/// share it, and this one never listens.
fn reserve() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("a socket takes it");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
    let address = socket.local_addr().expect("it is bound");
    (socket, address.as_socket().expect("an address of the Internet"))
}

fn config(data: &TempDir, address: SocketAddr) -> Config {
    let mut sources = Sources::default();
    let mut set = |name: &str, value: String| {
        sources.set("test", name, value).expect("a setting");
    };
    set("data", data.path().display().to_string());
    set("listen", address.to_string());
    set("io_threads", "1".to_owned());
    // Larger than what is recorded: no next one is made meanwhile.
    set("journal.segment_bytes", (8 << 20).to_string());
    for table in ["skus", "orders", "keys", "answers", "uses", "users", "entries"] {
        set(&format!("caps.{table}"), "200000".to_owned());
    }
    sources.config().expect("settings that fit")
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// It listens soon, and is ready soon after; a thread that ended would be neither.
    fn wait(&self) {
        let ready = exchange::request("GET", "/readyz", "", "");
        let mut asking = loop {
            assert!(!self.serving.is_finished(), "the server does not start");
            match TcpStream::connect(self.address) {
                Ok(stream) => break Asking::over(stream),
                Err(_) => thread::yield_now(),
            }
        };
        while asking.status(&ready) != 200 {
            assert!(!self.serving.is_finished(), "the server does not start");
            thread::yield_now();
        }
    }

    /// Puts a SKU.
    pub(crate) fn put(&self, sku: &str, stock: u64) {
        let body = format!("{{\"stock\":{stock}}}");
        let put = exchange::request("PUT", &format!("/v1/skus/{sku}"), "", &body);
        let mut asking = Asking::of(self.address);
        asking.send(&put);
        asking.expect(201);
    }

    /// Drains it and waits until all of its threads that ask for memory are gone.
    pub(crate) fn stop(self) {
        let drain = exchange::request("POST", "/v1/admin/drain", "", "");
        let status = Asking::of(self.address).status(&drain);
        assert!((200..300).contains(&status), "{status}");
        self.serving.join().expect("it ends in good order");
    }
}
