//! Headers of the PROXY protocol, from peers that must send one and from peers that must not.
//!
//! Owns whose address counts behind a proxy that passes bytes on, and what becomes of a connection
//! that begins otherwise than it must. What bytes are a header is tested in `src/http`; real
//! proxies are in `proxies`. Next: `admission`.

use crate::TARGET;
use crate::admission::quotas::Place;
use crate::connections::fronts::from;
use doorbuster_test_support::client::{Ask, Client, socket};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::wait;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const ON: &str = "address.proxy_protocol = \"on\"\naddress.trusted_proxies = \"127.0.0.1\"\n";

fn v1(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 127.0.0.1 40000 7070\r\n").into_bytes()
}

/// A header of version 2 about IPv4, with values behind the addresses.
fn v2(client: [u8; 4]) -> Vec<u8> {
    let rest = [&client[..], &[127, 0, 0, 1, 0x9c, 0x40, 0x1b, 0x9e], b"\x04\0\x02hi"].concat();
    [SIGNATURE, &[0x21, 0x11, 0, rest.len() as u8], &rest].concat()
}

fn local() -> Vec<u8> {
    [SIGNATURE, &[0x20, 0, 0, 0]].concat()
}

/// A connection that begins with these bytes.
fn begin(server: &Server, header: &[u8]) -> Client {
    let mut client = server.connect();
    client.write(header).expect("the server takes bytes");
    client
}

/// The server answers these first bytes with the refusal of a connection that begins wrongly.
#[track_caller]
fn refused(mut stream: TcpStream, bytes: &[u8]) {
    // It may have ended before all of them were written.
    let _ = stream.write_all(bytes);
    let mut client = Client::over(stream);
    let answer = client.read(false).expect("a reason is given");
    let problem = answer.problem(400, "malformed");
    assert!(problem["detail"].as_str().expect("text").contains("PROXY protocol header"));
    assert_eq!(answer.header("Connection"), Some("close"));
    assert!(client.is_closed());
}

/// How often connections were refused for their headers.
fn refusals(server: &Server) -> u64 {
    let mut client = begin(server, &local());
    let metrics = String::from_utf8(client.ask(&Ask::get("/metrics")).body).expect("text");
    let row = "doorbuster_admission_refusals_total{reason=\"proxy_header\"} ";
    let count = metrics.lines().find_map(|line| line.strip_prefix(row)?.parse().ok());
    count.unwrap_or_else(|| panic!("{metrics}"))
}

#[test]
fn a_client_behind_a_header_counts_by_its_own_address() {
    let place = Place::with(&format!("{ON}rate.address = \"1/3600\"\n"), |launch| launch);
    let server = &place.server;
    let ask = Ask::get("/v1/skus/nothing");
    for header in [v1("192.0.2.1"), v2([192, 0, 2, 2]), v1("192.0.2.3")] {
        begin(server, &header).ask(&ask).problem(404, "unknown_sku");
        let mut again = begin(server, &header);
        again.ask(&ask).problem(429, "rate_limited");
        // It is no proxy, so what it says of others is nothing.
        let claims = ask.clone().header("X-Forwarded-For", "192.0.2.99");
        again.ask(&claims).problem(429, "rate_limited");
    }
    let mut six = begin(server, b"PROXY TCP6 2001:db8::1 ::1 40000 7070\r\n");
    six.ask(&ask).problem(404, "unknown_sku");
    six.ask(&ask).problem(429, "rate_limited");
    // The proxy's own look, by each way to say so.
    begin(server, &local()).ask(&ask).problem(404, "unknown_sku");
    begin(server, b"PROXY UNKNOWN\r\n").ask(&ask).problem(429, "rate_limited");
    begin(server, &[SIGNATURE, &[0x21, 0, 0, 0]].concat()).ask(&ask).problem(429, "rate_limited");
    // A proxy behind a proxy, which says in its turn whose request it is.
    let mut chain = begin(server, &v1("127.0.0.1"));
    chain.ask(&ask.clone().header("X-Forwarded-For", "192.0.2.50")).problem(404, "unknown_sku");
    chain.ask(&ask.header("X-Forwarded-For", "192.0.2.1")).problem(429, "rate_limited");
}

#[test]
fn a_header_may_come_byte_by_byte_with_a_sale_behind_it() {
    let place = Place::with(ON, |launch| launch);
    let put = Ask::put("/v1/skus/s", &json!({"stock": 9})).bytes();
    for (number, header) in [v1("192.0.2.1"), v2([192, 0, 2, 1])].into_iter().enumerate() {
        let mut stream = socket(place.server.address).expect("a connection");
        for byte in &header {
            stream.write_all(&[*byte]).expect("the server takes bytes");
        }
        stream.write_all(&put).expect("the server takes bytes");
        let mut client = Client::over(stream);
        assert_eq!(client.read(false).expect("an answer").status, [201, 200][number]);
        let order = client.ask(&Ask::order(&format!("k{number}"), "u", "s", 1)).expect(201);
        let id = order["id"].as_str().expect("an id");
        assert_eq!(client.ask(&Ask::act(id, "confirm")).expect(200)["status"], "confirmed");
    }
    // Header and request in one piece.
    let ask = Ask::get("/v1/skus/s").bytes();
    let answer = begin(&place.server, &[v2([192, 0, 2, 1]), ask].concat()).read(false);
    assert_eq!(answer.expect("an answer").expect(200)["sold"], 2);
}

/// Standard error, once this stands there: lines are written by a thread of their own.
fn told(server: &Server, expected: &str) -> String {
    wait::until(expected, || {
        let complaints = server.complaints();
        complaints.contains(expected).then_some(complaints)
    })
}

#[test]
fn a_trusted_proxy_without_a_header_is_refused() {
    let place = Place::with(ON, |launch| launch);
    let server = &place.server;
    let connect = || socket(server.address).expect("a connection");
    let before = refusals(server);
    refused(connect(), &Ask::get("/livez").bytes());
    refused(connect(), b"PROXY TCP4 192.0.2.1 127.0.0.1 1\r\nGET /livez HTTP/1.1\r\n");
    refused(connect(), &[b"PROXY ".as_slice(), &[b'x'; 200]].concat());
    refused(connect(), &[SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat());
    refused(connect(), &[SIGNATURE, &[0x22, 0x11, 0, 12]].concat());
    // What ends in the middle is no header either; what never begins needs no answer.
    let mut cut = connect();
    cut.write_all(&v2([192, 0, 2, 1])[..20]).expect("the server takes bytes");
    cut.shutdown(std::net::Shutdown::Write).expect("a socket");
    refused(cut, b"");
    let silent = connect();
    silent.shutdown(std::net::Shutdown::Write).expect("a socket");
    assert!(Client::over(silent).is_closed());
    assert_eq!(refusals(server), before + 6);
    let told = told(server, "that must begin with a PROXY protocol header");
    assert!(told.contains("peer=127.0.0.1"), "{told}");
    assert_eq!(told.matches("PROXY protocol header").count(), 1, "once a minute: {told}");
}

#[test]
fn a_header_from_a_peer_that_is_not_trusted_is_refused() {
    let place = Place::with(ON, |launch| launch);
    let stranger = || from([127, 0, 0, 2], place.server.address);
    let before = refusals(&place.server);
    refused(stranger(), &[v1("127.0.0.1"), Ask::get("/livez").bytes()].concat());
    refused(stranger(), &v2([127, 0, 0, 1]));
    assert_eq!(refusals(&place.server), before + 2);
    let told = told(&place.server, "that begins with a PROXY protocol header");
    assert!(told.contains("peer=127.0.0.2"), "{told}");
    // It speaks HTTP like any other client.
    Client::over(stranger()).get("/livez");
    // And where no header is expected at all, the same.
    place.set("address.trusted_proxies = \"127.0.0.1\"");
    refused(socket(place.server.address).expect("a connection"), &v2([192, 0, 2, 1]));
    place.server.connect().get("/livez");
}

#[test]
fn lists_and_bounds_hold_for_the_client_behind_a_header() {
    let directory = TARGET.directory();
    let file = directory.path().join("bots");
    std::fs::write(&file, "192.0.2.66\n").expect("a file is written");
    let file = file.to_str().expect("a path in UTF-8").to_owned();
    let settings = format!("{ON}http.connections_per_address_max = 2\n");
    let place = Place::with(&settings, |launch| launch.variable("ADDRESS_DENY_FILE", &file));
    let server = &place.server;
    assert!(begin(server, &v1("192.0.2.66")).is_closed());
    let mut two: Vec<Client> = (0..2).map(|_| begin(server, &v1("192.0.2.1"))).collect();
    two.iter_mut().for_each(|client| drop(client.get("/livez")));
    assert!(begin(server, &v1("192.0.2.1")).is_closed());
    begin(server, &v1("192.0.2.2")).get("/livez");
    drop(two);
    wait::until("a free place", || {
        let mut client = begin(server, &v1("192.0.2.1"));
        client.write(&Ask::get("/livez").bytes()).ok()?;
        client.read(false).ok()
    });
    // The proxy's own are not counted.
    let mut own: Vec<Client> = (0..5).map(|_| begin(server, &local())).collect();
    own.iter_mut().for_each(|client| drop(client.get("/livez")));
    // Whose word counts no longer, speaks for nobody on the connections that are there.
    let mut brought = begin(server, &v1("192.0.2.3"));
    brought.get("/livez");
    place.set("address.proxy_protocol = \"on\"\naddress.trusted_proxies = \"10.0.0.1\"\n");
    brought.ask(&Ask::get("/livez")).problem(403, "forbidden");
    own[0].get("/livez");
}

#[test]
fn a_header_that_does_not_come_in_time_ends_the_connection() {
    let place = Place::with(&format!("{ON}http.header_timeout_ms = 200\n"), |launch| launch);
    for begun in [&b""[..], b"PROXY TCP4 192", &v2([192, 0, 2, 1])[..14]] {
        let mut stream = socket(place.server.address).expect("a connection");
        stream.write_all(begun).expect("the server takes bytes");
        let mut heard = Vec::new();
        // Closed with what was said unread, or in order.
        let _ = stream.read_to_end(&mut heard);
        assert!(heard.is_empty(), "{}", heard.escape_ascii());
    }
    begin(&place.server, &local()).get("/livez");
}
