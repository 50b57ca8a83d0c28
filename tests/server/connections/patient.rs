//! Clients that take their time, and crowds of them: each limit ends what it is for, and nothing
//! else suffers from it.
//!
//! The limits are short here, and a test waits until the server ends a connection, never for a
//! time.

use crate::TARGET;
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::wait;
use rustix::process::{Resource, Rlimit};
use serde_json::json;
use std::fs;
use tempfile::TempDir;

fn impatient(settings: &[(&str, &str)]) -> (TempDir, Server) {
    let data = TARGET.directory();
    let launch = settings
        .iter()
        .fold(TARGET.launch(data.path()), |launch, (name, value)| launch.variable(name, value));
    let server = launch.start();
    server.connect().put_sku("s", &json!({"stock": 1000}));
    (data, server)
}

/// These bytes and no more come to this answer, and then to the end.
fn check_ends(server: &Server, bytes: &[u8], expected: Option<(u16, &str)>) {
    let mut client = server.connect();
    client.write(bytes).expect("the server takes bytes");
    if let Some((status, code)) = expected {
        client.read(false).expect("an answer").problem(status, code);
    }
    assert!(client.is_closed(), "{:?}", String::from_utf8_lossy(bytes));
}

#[test]
fn each_kind_of_slowness_ends_at_its_own_limit() {
    let (_data, server) = impatient(&[("HTTP_IDLE_MS", "100")]);
    check_ends(&server, b"", None);
    // Behind an answer it is idle again.
    let mut client = server.connect();
    client.ask(&Ask::get("/livez")).expect(200);
    assert!(client.is_closed());
    let (_data, server) = impatient(&[("HTTP_HEADER_TIMEOUT_MS", "100")]);
    for bytes in
        [&b"G"[..], b"GET /livez HTTP/1.1\r\n", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"]
    {
        check_ends(&server, bytes, None);
    }
    let (_data, server) = impatient(&[("HTTP_BODY_TIMEOUT_MS", "100")]);
    let order = Ask::order("k", "u", "s", 1).bytes();
    check_ends(&server, &order[..order.len() - 1], Some((408, "timeout")));
    let batch = Ask::batch(&"x".repeat(100)).bytes();
    check_ends(&server, &batch[..batch.len() - 1], Some((408, "timeout")));
    server.connect().ask(&Ask::get("/v1/requests/k")).problem(404, "unknown_request");
}

/// A batch that comes byte by byte ends at the limit of the whole.
#[test]
fn a_batch_sent_byte_by_byte_ends_at_the_limit_of_the_whole() {
    let (_data, server) = impatient(&[("HTTP_BATCH_TIMEOUT_MS", "200")]);
    let mut client = server.connect();
    let head =
        b"POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n\
                 Content-Length: 4000000\r\n\r\n";
    client.write(head).expect("the server takes bytes");
    // Every byte is well within the limit of the next one.
    wait::until("the end of the batch", || client.write(b" ").is_err().then_some(()));
}

#[test]
fn a_client_that_does_not_read_is_ended_and_holds_nobody_up() {
    let (_data, server) = impatient(&[("HTTP_WRITE_TIMEOUT_MS", "100")]);
    let mut deaf = server.connect();
    // The answers are soon more than the system's buffers take.
    let ask = Ask::get("/openapi.json").bytes();
    wait::until("the end of it", || deaf.write(&ask).is_err().then_some(()));
    server.connect().get("/livez");
}

/// A connection ends behind the last request it may have and says so.
#[test]
fn a_connection_ends_behind_the_last_request_it_may_have() {
    let (_data, server) = impatient(&[("HTTP_REQUESTS_MAX", "3")]);
    let mut client = server.connect();
    for number in 1..=3 {
        let answer = client.ask(&Ask::order(&format!("k{number}"), "u", "s", 1));
        answer.expect(201);
        assert_eq!(answer.header("Connection"), (number == 3).then_some("close"));
    }
    assert!(client.is_closed());
    let (_data, server) = impatient(&[("HTTP_LIFETIME_MS", "1")]);
    // The sweep tells the time, so the first answers may come before it has passed.
    let mut client = server.connect();
    wait::until("the last answer", || {
        let answer = client.ask(&Ask::get("/livez"));
        (answer.header("Connection") == Some("close")).then_some(())
    });
    assert!(client.is_closed());
}

#[test]
fn sizes_of_heads_targets_and_bodies_are_as_set() {
    let (_data, server) = impatient(&[
        ("HTTP_HEADERS_MAX", "16"),
        ("HTTP_URI_BYTES_MAX", "512"),
        ("HTTP_BODY_BYTES_MAX", "1024"),
        ("HTTP_HEADER_BYTES_MAX", "65536"),
    ]);
    let headers = |count: usize| {
        let mut ask = Ask::get("/livez");
        ask.headers = (0..count).map(|number| (format!("x-{number}"), "y".to_owned())).collect();
        ask
    };
    assert_eq!(server.connect().ask(&headers(15)).status, 200);
    assert_eq!(server.connect().ask(&headers(16)).status, 431);
    let long = Ask::get("/livez").header("x-long", &"y".repeat(60_000));
    assert_eq!(server.connect().ask(&long).status, 200);
    let path = |bytes: usize| Ask::get(format!("/{}", "a".repeat(bytes - 1)));
    assert_eq!(server.connect().ask(&path(512)).status, 404);
    assert_eq!(server.connect().ask(&path(513)).status, 414);
    let order = r#"{"user":"u","lines":[{"sku":"s","qty":1}]}"#;
    let padded = |bytes: usize| {
        let body = format!("{order}{}", " ".repeat(bytes - order.len()));
        Ask::new("POST", "/v1/orders").json(&body).key("k")
    };
    assert_eq!(server.connect().ask(&padded(1025)).status, 413);
    assert_eq!(server.connect().ask(&padded(1024)).status, 201);
}

/// Some hundred idle half open and slow connections go by their limits while others buy.
#[test]
fn slow_connections_go_by_their_limits_while_others_buy() {
    let (_data, server) = impatient(&[
        ("HTTP_HEADER_TIMEOUT_MS", "300"),
        ("HTTP_BODY_TIMEOUT_MS", "300"),
        ("HTTP_IDLE_MS", "300"),
    ]);
    let order = Ask::order("slow", "u", "s", 1).bytes();
    let mut bad: Vec<Client> = Vec::new();
    for bytes in [&b""[..], b"POST /v1/or", &order[..order.len() - 5]] {
        for _ in 0..100 {
            let mut client = server.connect();
            client.write(bytes).expect("the server takes bytes");
            bad.push(client);
        }
    }
    for number in 0..50 {
        let ask = Ask::order(&format!("k{number}"), &format!("u{number}"), "s", 1);
        server.connect().ask(&ask).expect(201);
    }
    for client in &mut bad {
        // Slow bodies are told so; the others are let go.
        while let Ok(answer) = client.read(false) {
            answer.problem(408, "timeout");
        }
    }
    let open = wait::until("nobody is left", || {
        let text = server.connect().ask(&Ask::get("/metrics")).body;
        let text = String::from_utf8(text).expect("text");
        let open = text.lines().find_map(|line| line.strip_prefix("doorbuster_connections "));
        open.and_then(|open| open.parse::<u64>().ok()).filter(|open| *open < 60)
    });
    assert!(open >= 1);
    let held = server.connect().get("/v1/skus/s")["held"].clone();
    assert_eq!(held, 50);
}

fn open_files(server: &Server) -> u64 {
    let folder = format!("/proc/{}/fd", server.id());
    fs::read_dir(folder).expect("it still runs").count() as u64
}

/// The value of a metric's only row.
fn metric(client: &mut Client, name: &str) -> u64 {
    let text = client.ask(&Ask::get("/metrics")).body;
    let text = String::from_utf8(text).expect("text");
    let row = text.lines().find(|line| line.starts_with(name));
    let value = row.and_then(|row| row.rsplit(' ').next()).and_then(|value| value.parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// A server out of descriptors serves who is there and accepts again when it can.
#[test]
fn a_server_out_of_descriptors_serves_who_is_there() {
    let (_data, server) = impatient(&[]);
    let mut there = server.connect();
    there.get("/livez");
    assert_eq!(metric(&mut there, "doorbuster_accept_failures_total"), 0);
    let set = |current: Option<u64>, maximum: Option<u64>| {
        let limit = Rlimit { current, maximum };
        let pid = rustix::process::Pid::from_raw(server.id().try_into().expect("a pid"));
        rustix::process::prlimit(pid, Resource::Nofile, limit).expect("it is our child")
    };
    let all = rustix::process::getrlimit(Resource::Nofile).maximum;
    let before = set(Some(open_files(&server)), all);
    // The system takes the connection for the server, which cannot have it.
    let mut waiting = server.connect();
    waiting.write(&Ask::order("k", "u", "s", 1).bytes()).expect("the system takes bytes");
    wait::until("failures", || {
        (metric(&mut there, "doorbuster_accept_failures_total") >= 3).then_some(())
    });
    there.ask(&Ask::order("there", "u", "s", 1)).expect(201);
    set(before.current, before.maximum);
    waiting.read(false).expect("an answer").expect(201);
    let exit = server.stop();
    assert_eq!(exit.complaints.matches("cannot accept connections").count(), 1, "{exit:?}");
    exit.stopped();
}
