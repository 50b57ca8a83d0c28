//! TLS as a client meets it: real handshakes with certificates made on the spot.
//!
//! Owns what the server promises about handshakes and certificates. What is said under TLS is the
//! same as without it, and tested there. Next: `rotation` for tokens.

use crate::TARGET;
use doorbuster_test_support::client::{Ask, Client, Transport, socket};
use doorbuster_test_support::process::{Launch, Server};
use doorbuster_test_support::tokens::TokensFile;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// A certificate of its own making.
pub(crate) struct Issued {
    certificate: CertificateDer<'static>,
    chain_pem: String,
    key_pem: String,
}

impl Issued {
    pub(crate) fn new() -> Self {
        let parameters = rcgen::CertificateParams::new(["shop".to_owned()]);
        Self::of(parameters.expect("a name"))
    }

    /// Signed by its own key.
    pub(crate) fn of(parameters: rcgen::CertificateParams) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        Self {
            certificate: certificate.der().clone(),
            chain_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    /// Puts both files there.
    pub(crate) fn write(&self, folder: &Path) {
        fs::write(folder.join("cert.pem"), &self.chain_pem).expect("a file is written");
        fs::write(folder.join("key.pem"), &self.key_pem).expect("a file is written");
    }

    /// A client that trusts this certificate only.
    fn config(&self, protocols: &[&str]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    fn shake(&self, server: &Server, protocols: &[&str]) -> io::Result<Secured> {
        self.shake_on(socket(server.address)?, protocols)
    }

    /// A handshake on a connection that is there.
    pub(crate) fn shake_on(&self, stream: TcpStream, protocols: &[&str]) -> io::Result<Secured> {
        let name = ServerName::try_from("shop").expect("a name");
        let session = ClientConnection::new(Arc::new(self.config(protocols)), name);
        let session = session.map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Secured(stream))
    }

    /// Says a whole hello, hears what the server says to it, and nothing more.
    fn begin(&self, server: &Server) -> TcpStream {
        let mut stream = socket(server.address).expect("a connection");
        let name = ServerName::try_from("shop").expect("a name");
        let mut client = ClientConnection::new(Arc::new(self.config(&[])), name).expect("TLS");
        client.write_tls(&mut stream).expect("the server takes bytes");
        assert!(stream.read(&mut [0]).expect("the server speaks") > 0);
        stream
    }

    pub(crate) fn connect(&self, server: &Server) -> Client {
        Client::over(self.shake(server, &["http/1.1"]).expect("a handshake"))
    }
}

/// TLS on a socket, its handshake done.
#[derive(Debug)]
pub(crate) struct Secured(StreamOwned<ClientConnection, TcpStream>);

impl Read for Secured {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Secured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Transport for Secured {
    fn end(&mut self) -> io::Result<()> {
        self.0.conn.send_close_notify();
        self.flush()
    }
}

fn launch(data: &TempDir) -> Launch {
    let path = |name| data.path().join(name);
    let launch = TARGET.launch(&path("data")).small();
    let launch = launch.argument("--tls-cert").argument(path("cert.pem"));
    launch.argument("--tls-key").argument(path("key.pem"))
}

fn start(settings: impl FnOnce(Launch) -> Launch) -> (Server, Issued, TempDir) {
    let (data, issued) = (TARGET.directory(), Issued::new());
    issued.write(data.path());
    let server = settings(launch(&data)).start();
    assert!(server.is_secured);
    (server, issued, data)
}

/// The server ends this without a word.
fn is_closed_in_silence(stream: &mut TcpStream) {
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        Ok(_) => assert!(heard.is_empty(), "{heard:?}"),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
}

#[test]
fn a_sale_goes_the_same_under_tls() {
    let data = TARGET.directory();
    let issued = Issued::new();
    issued.write(data.path());
    let buy = ("shop", "buy", "shop", "");
    let tokens = TokensFile::beside(data.path(), &[buy, ("boss", "admin", "boss", "")]);
    let path = |name: &str| data.path().join(name).to_str().expect("a path in UTF-8").to_owned();
    let server = tokens.launch(TARGET).variable("TLS_CERT", &path("cert.pem"));
    let server = server.variable("TLS_KEY", &path("key.pem")).start();
    assert!(server.is_secured);
    let mut boss = issued.connect(&server).with_token("boss");
    boss.put_sku("s", &json!({"stock": 500}));
    let mut shop = issued.connect(&server).with_token("shop");
    for number in 0..100 {
        let name = format!("k{number}");
        let order = shop.ask(&Ask::order(&name, &name, "s", 1)).expect(201);
        shop.ask(&Ask::act(order["id"].as_str().expect("an id"), "confirm")).expect(200);
    }
    // An answer and a body of many records.
    let page = boss.get("/v1/orders");
    assert_eq!(page["orders"].as_array().map(Vec::len), Some(100));
    let long = Ask::order("long", "u", "s", 1).json(&"x".repeat(200_000));
    boss.ask(&long).problem(413, "too_large");
    issued.connect(&server).ask(&Ask::get("/v1/skus")).problem(401, "unauthenticated");
    // Whoever has said everything still hears the answer.
    let mut last = issued.connect(&server);
    last.write(&Ask::get("/v1/skus/s").token("shop").bytes()).expect("the server takes bytes");
    last.end().expect("the server takes an end");
    assert_eq!(last.read(false).expect("an answer").status, 200);
    assert!(last.is_closed());
    // A page of this server's own origin is told by the host it was asked for.
    let own = Ask::get("/v1/skus/s").header("Origin", "https://localhost");
    assert_eq!(shop.ask(&own).expect(200)["sold"], 100);
    server.stop().stopped();
}

#[test]
fn only_http_1_is_agreed_upon() {
    let (server, issued, _data) = start(|launch| launch);
    for (offered, agreed) in [
        (&["h2", "http/1.1"] as &[&str], Some("http/1.1")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let stream = issued.shake(&server, offered).expect("a handshake");
        assert_eq!(stream.0.conn.alpn_protocol(), agreed.map(str::as_bytes), "{offered:?}");
        Client::over(stream).get("/livez");
    }
    issued.shake(&server, &["h2"]).expect_err("nothing in common");
    // The alert of that name, and no silent end.
    let why = issued.shake(&server, &["h2", "spdy/3"]).expect_err("nothing in common");
    assert!(why.to_string().contains("NoApplicationProtocol"), "{why}");
    issued.connect(&server).get("/livez");
}

#[test]
fn a_certificate_is_replaced_while_connections_stay() {
    let (server, first, data) = start(|launch| launch);
    let mut stays = first.connect(&server);
    let second = Issued::new();
    second.write(data.path());
    server.reload("took the certificate");
    second.connect(&server).get("/livez");
    first.shake(&server, &[]).expect_err("the certificate is another one");
    stays.get("/v1/status");
    // A key of another certificate, then none at all.
    fs::write(data.path().join("key.pem"), &first.key_pem).expect("a file is written");
    server.reload("kept the certificate as it was");
    fs::write(data.path().join("cert.pem"), "nonsense").expect("a file is written");
    server.reload("kept the certificate as it was");
    fs::remove_file(data.path().join("key.pem")).expect("it was there");
    server.reload("kept the certificate as it was");
    second.connect(&server).get("/livez");
    stays.get("/v1/status");
    server.stop().stopped();
}

#[test]
fn a_start_refuses_a_certificate_that_it_cannot_use() {
    let (data, issued) = (TARGET.directory(), Issued::new());
    let refuses = |parts: &[&str]| {
        let exit = launch(&data).run();
        assert_eq!((exit.code, exit.lines.len()), (Some(1), 0), "{exit:?}");
        for part in parts {
            assert!(exit.complaints.contains(part), "{part}: {exit:?}");
        }
        assert!(!data.path().join("data").exists(), "nothing was begun");
    };
    refuses(&["cannot read", "cert.pem"]);
    issued.write(data.path());
    fs::write(data.path().join("cert.pem"), "nonsense").expect("a file is written");
    refuses(&["cert.pem", "no certificate chain in PEM"]);
    issued.write(data.path());
    fs::write(data.path().join("key.pem"), &issued.chain_pem).expect("a file is written");
    refuses(&["key.pem", "no private key in PEM"]);
    Issued::new().write(data.path());
    fs::write(data.path().join("key.pem"), &issued.key_pem).expect("a file is written");
    refuses(&["cert.pem", "key.pem", "cannot be used together"]);
    let exit = TARGET.launch(&data.path().join("data")).argument("--tls-cert").argument("c").run();
    assert!(exit.code == Some(2) && exit.complaints.contains("go together"), "{exit:?}");
}

#[test]
fn plain_text_to_a_tls_port_is_told_what_is_spoken_there() {
    let (server, issued, _data) = start(|launch| launch);
    for text in ["GET /livez HTTP/1.1\r\nHost: shop\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n", "\0"] {
        let mut plain = server.connect();
        let answer = plain.raw(text.as_bytes());
        let problem = answer.problem(400, "malformed");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("HTTPS")));
        assert_eq!(answer.header("Connection"), Some("close"));
        assert!(plain.is_closed());
    }
    issued.connect(&server).get("/livez");
}

/// A client that does not finish its handshake is gone by the limit and holds nobody up.
#[test]
fn an_unfinished_handshake_is_gone_by_the_limit() {
    let timeout = |launch: Launch| launch.variable("TLS_HANDSHAKE_TIMEOUT_MS", "8000");
    let (server, issued, _data) = start(timeout);
    let mut crowd: Vec<TcpStream> = (0..200)
        .map(|number| {
            let mut stream = socket(server.address).expect("a connection");
            // Nothing, or the start of a record that never ends.
            let begun: &[u8] = if number % 2 == 0 { &[] } else { &[22, 3, 1, 2, 0, 1] };
            stream.write_all(begun).expect("the server takes bytes");
            stream
        })
        .collect();
    let mut client = issued.connect(&server);
    client.put_sku("s", &json!({"stock": 100}));
    for number in 0..20 {
        let name = format!("k{number}");
        issued.connect(&server).ask(&Ask::order(&name, &name, "s", 1)).expect(201);
    }
    crowd.iter_mut().for_each(is_closed_in_silence);
    assert_eq!(client.get("/v1/skus/s")["held"], 20);
}

fn two_at_a_time(launch: Launch) -> Launch {
    launch.variable("TLS_HANDSHAKES_MAX", "2").variable("TLS_HANDSHAKE_TIMEOUT_MS", "600000")
}

#[test]
fn silent_connections_hold_no_place_among_handshakes() {
    let (server, issued, _data) = start(two_at_a_time);
    let begun: [&[u8]; 3] = [&[], &[22], &[22, 3, 1, 2, 0, 1]];
    let crowd: Vec<TcpStream> = (0..60)
        .map(|number| {
            let mut stream = socket(server.address).expect("a connection");
            stream.write_all(begun[number % begun.len()]).expect("the server takes bytes");
            stream
        })
        .collect();
    for _ in 0..20 {
        issued.connect(&server).get("/livez");
    }
    drop(crowd);
}

#[test]
fn a_handshake_waits_for_its_place_and_is_not_turned_away() {
    let (server, issued, _data) = start(two_at_a_time);
    let stalled: Vec<TcpStream> = (0..2).map(|_| issued.begin(&server)).collect();
    std::thread::scope(|scope| {
        let address = server.address;
        let issued = &issued;
        let late = move || issued.shake_on(socket(address)?, &["http/1.1"]).map(Client::over);
        let late = scope.spawn(move || late().expect("a handshake").get("/livez"));
        // Whatever comes first: it is served once the two are gone.
        drop(stalled);
        late.join().expect("it is served");
    });
}

#[test]
fn the_header_of_a_proxy_comes_before_the_handshake() {
    let (server, issued, _data) = start(|launch| {
        let launch = launch.variable("ADDRESS_PROXY_PROTOCOL", "on");
        let launch = launch.variable("ADDRESS_TRUSTED_PROXIES", "127.0.0.1");
        launch.variable("RATE_ADDRESS", "1/3600")
    });
    let begin = |header: &[u8]| {
        let mut stream = socket(server.address).expect("a connection");
        stream.write_all(header).expect("the server takes bytes");
        issued.shake_on(stream, &["http/1.1"])
    };
    let ask = Ask::get("/v1/skus/s");
    for client in ["192.0.2.1", "192.0.2.2"] {
        let header = format!("PROXY TCP4 {client} 127.0.0.1 40000 443\r\n");
        let mut first = Client::over(begin(header.as_bytes()).expect("a handshake"));
        first.ask(&ask).problem(404, "unknown_sku");
        first.ask(&ask).problem(429, "rate_limited");
    }
    // Without one there is no handshake, and not a byte that the client would take for one.
    begin(b"").expect_err("the server ends it");
    let mut plain = socket(server.address).expect("a connection");
    plain.write_all(&Ask::get("/livez").bytes()).expect("the server takes bytes");
    is_closed_in_silence(&mut plain);
}
