//! Real proxies in front of a server, with the examples of `docs/PROXIES.md`.
//!
//! Owns cutting an example out of the page, putting a test's ports and files into it, and the proxy
//! as a child that ends with its test. Never asks anything: that is `proxies`. A proxy that is not
//! installed is told and left out, but not where everything must be there (`CI=true`).

use crate::TARGET;
use crate::connections::tls::Issued;
use doorbuster_test_support::client::Client;
use doorbuster_test_support::process::Server;
use doorbuster_test_support::wait::{self, TIMEOUT};
use socket2::{Domain, Socket, Type};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A port that was free a moment ago may be taken now; then another is tried.
const TRIES: usize = 5;

/// The program, if it is installed.
pub(crate) fn program(name: &str, package: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/usr/local/sbin"]);
    let found = folders.map(|folder| Path::new(folder).join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{package} is not installed");
        eprintln!("left out: {name} is not there; apt-get install {package}");
    }
    found
}

/// The example under this heading of the page.
fn example(heading: &str, language: &str, number: usize) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/PROXIES.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).expect("the heading is there");
    let section = section.split("\n## ").next().expect("a section");
    let fence = format!("```{language}\n");
    let block = section.split(&fence).nth(number + 1).expect("the example is there");
    block.split("```").next().expect("a block").to_owned()
}

/// Which example.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Example {
    /// nginx with nothing but `proxy_pass`.
    NginxDefaults,
    /// nginx as recommended.
    Nginx,
    /// HAProxy that speaks HTTP.
    HaproxyHttp,
    /// HAProxy that passes bytes on.
    HaproxyTcp,
}

/// A proxy in front of a server.
pub(crate) struct Front {
    child: Child,
    example: Example,
    address: SocketAddr,
    /// What it shows under TLS.
    issued: Issued,
    directory: TempDir,
}

impl Front {
    /// Starts the example before this server; none where the proxy is not installed.
    pub(crate) fn start(example: Example, server: &Server) -> Option<Self> {
        let (name, package) = match example {
            Example::NginxDefaults | Example::Nginx => ("nginx", "nginx-light"),
            Example::HaproxyHttp | Example::HaproxyTcp => ("haproxy", "haproxy"),
        };
        let program = program(name, package)?;
        let issued = Issued::new();
        let directory = TARGET.directory();
        issued.write(directory.path());
        let pair = ["cert.pem", "key.pem"].map(|file| directory.path().join(file));
        let both = pair.map(|file| fs::read_to_string(file).expect("it was written")).concat();
        fs::write(directory.path().join("both.pem"), both).expect("a file is written");
        for _ in 0..TRIES {
            let address = free_address();
            let file = directory.path().join("front.conf");
            let text = filled(example, address, server.address, directory.path());
            fs::write(&file, text).expect("a file is written");
            let mut command = Command::new(&program);
            match name {
                "nginx" => command.arg("-p").arg(directory.path()).arg("-c").arg(&file),
                _ => command.arg("-db").arg("-f").arg(&file),
            };
            let log = fs::File::create(directory.path().join("log")).expect("a file is made");
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
            let mut child = command.spawn().expect("it runs");
            let listens = wait::until("a proxy that listens or ends", || {
                match TcpStream::connect_timeout(&address, TIMEOUT) {
                    Ok(_) => Some(true),
                    Err(_) => child.try_wait().expect("a child").map(|_| false),
                }
            });
            if listens {
                return Some(Self { child, example, address, issued, directory });
            }
            let log = fs::read_to_string(directory.path().join("log")).expect("a file is read");
            eprintln!("{name} ended: {log}");
        }
        panic!("{name} does not start");
    }

    /// A connection to it from this address of this machine, under TLS where the example says so.
    pub(crate) fn connect_from(&self, source: [u8; 4]) -> Client {
        let stream = from(source, self.address);
        match self.example {
            Example::Nginx | Example::HaproxyHttp => {
                Client::over(self.issued.shake_on(stream, &["http/1.1"]).expect("a handshake"))
            }
            Example::NginxDefaults | Example::HaproxyTcp => Client::over(stream),
        }
    }

    /// A connection to it from the address that everything here comes from.
    pub(crate) fn connect(&self) -> Client {
        self.connect_from([127, 0, 0, 1])
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // Its workers end with it: they see that it is gone.
        let process = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// A connection from one address of this machine to another.
pub(crate) fn from(source: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let source = SocketAddr::from((source, 0));
    socket.bind(&source.into()).expect("all of 127.0.0.0/8 is this machine");
    socket.connect_timeout(&to.into(), TIMEOUT).expect("the port is listened on");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(TIMEOUT)).expect("a socket");
    stream.set_nodelay(true).expect("a socket");
    stream
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address")
}

/// The whole file of a proxy: the example of the page, and around it what Debian's own files say.
fn filled(example: Example, address: SocketAddr, server: SocketAddr, folder: &Path) -> String {
    let folder = folder.display();
    let (listen, port) = (address.to_string(), address.port());
    let (text, replaced) = match example {
        Example::NginxDefaults => (self::example("nginx", "nginx", 0), ("listen 80", "listen ")),
        Example::Nginx => (self::example("nginx", "nginx", 1), ("listen 443", "listen ")),
        Example::HaproxyHttp => {
            (self::example("HAProxy, as a proxy of HTTP", "haproxy", 0), ("bind :443", "bind "))
        }
        Example::HaproxyTcp => (
            self::example("HAProxy, or a balancer, that passes bytes on", "haproxy", 0),
            ("bind :443", "bind "),
        ),
    };
    let server = server.to_string();
    let text = [
        (replaced.0, format!("{}{listen}", replaced.1)),
        ("127.0.0.1:7070", server),
        ("/etc/ssl/shop.key", format!("{folder}/key.pem")),
    ]
    .into_iter()
    .fold(text, |text, (old, new)| text.replace(old, &new));
    assert!(text.contains(&port.to_string()), "the example listens elsewhere:\n{text}");
    match example {
        Example::NginxDefaults | Example::Nginx => {
            let text = text.replace("/etc/ssl/shop.pem", &format!("{folder}/cert.pem"));
            // Where root runs the tests, its workers must be able to read what is the test's.
            let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
            let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|name| format!("{name}_temp_path {folder}/{name};"))
                .concat();
            format!(
                "{user} daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;\n\
                 events {{ worker_connections 256; }}\n\
                 http {{ access_log off; {places}\n{text}}}\n"
            )
        }
        Example::HaproxyHttp | Example::HaproxyTcp => {
            let text = text.replace("/etc/ssl/shop.pem", &format!("{folder}/both.pem"));
            format!("global\n    maxconn 200\n\n{text}")
        }
    }
}

/// The first line that curl shows of an answer over HTTP/2 from the front, and the body.
pub(crate) fn over_http_2(front: &Front, path: &str) -> Option<String> {
    let curl = program("curl", "curl")?;
    let url = format!("https://shop:{}{path}", front.address.port());
    let resolve = format!("shop:{}:127.0.0.1", front.address.port());
    let output = Command::new(curl)
        .args(["--silent", "--show-error", "--include", "--http2", "--max-time", "60"])
        .arg("--cacert")
        .arg(front.directory.path().join("cert.pem"))
        .args(["--resolve", &resolve, &url])
        .output()
        .expect("it runs");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
