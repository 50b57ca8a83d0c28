//! Streams at fault: what was read before stands and is answered, then one line says what is wrong
//! (API 5). And what a batch refuses before its first line.

use crate::TARGET;
use crate::batch::promises::{answers, order, orders};
use doorbuster_test_directories::history::History;
use doorbuster_test_support::client::{Answer, Ask};
use doorbuster_test_support::process::Server;
use serde_json::json;

const HEAD: &str =
    "POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n";

fn open(data: &tempfile::TempDir) -> Server {
    let server = TARGET.launch(data.path()).small().argument("--durability").argument("os").start();
    server.connect().put_sku("s", &json!({"stock": 1_000_000}));
    server
}

fn held(server: &Server) -> u64 {
    server.connect().get("/v1/skus/s")["held"].as_u64().expect("a number")
}

/// The statuses of the lines, but the last, which must be a fault of this kind and nothing else.
#[track_caller]
fn check_fault(answer: &Answer, good: usize, status: u16, code: &str) {
    let mut told = answers(answer);
    let last = told.pop().expect("a last line");
    assert_eq!((&last["status"], &last["body"]["code"]), (&json!(status), &json!(code)));
    assert_eq!(last["body"]["status"], status);
    let members: Vec<&String> = last.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["body", "status"], "{last}");
    assert_eq!(told.len(), good);
    assert!(told.iter().all(|line| line["status"] == 201), "{told:?}");
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn chunked(server: &Server, chunks: &str) -> Answer {
    server.connect().raw(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{chunks}").as_bytes())
}

/// A stream beyond its bounds ends with a line and what was before stands.
#[test]
fn a_stream_beyond_its_bounds_ends_with_a_line() {
    let data = TARGET.directory();
    let server = open(&data);
    let many = format!("{}\n{}", orders("many", 10_000), order("one", "more", "s"));
    check_fault(&server.connect().ask(&Ask::batch(&many)), 10_000, 413, "too_large");
    assert_eq!(held(&server), 10_000);
    let long = format!("{}\n{}\n{}", orders("a", 2), "x".repeat(65_537), order("b", "b", "s"));
    check_fault(&server.connect().ask(&Ask::batch(&long)), 2, 413, "too_large");
    let longest = format!("{}\n{}", "x".repeat(65_536), order("c", "c", "s"));
    let told = answers(&server.connect().ask(&Ask::batch(&longest)));
    assert_eq!((&told[0]["status"], &told[1]["status"]), (&json!(400), &json!(201)));
    // Without a length up front, the body is read until it is too long.
    let blank = format!("{}\n", " ".repeat(65_535));
    let much = chunk(&format!("{}\n", orders("d", 3))) + &chunk(&blank).repeat(64);
    check_fault(&chunked(&server, &much), 3, 413, "too_large");
    assert_eq!(held(&server), 10_000 + 2 + 1 + 3);
}

/// A stream that is framed wrongly or breaks off ends with a line.
#[test]
fn a_stream_of_bad_framing_or_without_an_end_ends_with_a_line() {
    let data = TARGET.directory();
    let server = open(&data);
    let good = chunk(&format!("{}\n{{\"op\":", orders("a", 5)));
    check_fault(&chunked(&server, &format!("{good}zz\r\n")), 5, 400, "malformed");
    let mut client = server.connect();
    let part = orders("b", 5);
    let length = part.len() + 50;
    let text = format!("{HEAD}Content-Length: {length}\r\n\r\n{part}\n{{\"op\"");
    client.write(text.as_bytes()).expect("the server takes bytes");
    client.end().expect("the rest never comes");
    check_fault(&client.read(false).expect("an answer"), 5, 400, "malformed");
    assert_eq!(held(&server), 10);
}

#[test]
fn a_stream_that_stands_still_ends_with_a_line() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().variable("HTTP_BODY_TIMEOUT_MS", "100").start();
    server.connect().put_sku("s", &json!({"stock": 10}));
    let answer = chunked(&server, &chunk(&format!("{}\n", orders("a", 2))));
    check_fault(&answer, 2, 408, "timeout");
}

#[test]
fn what_is_wrong_before_the_first_line_is_a_plain_refusal() {
    let data = TARGET.directory();
    let server = open(&data);
    let client = &mut server.connect();
    let line = order("k", "u", "s");
    client.ask(&Ask::batch(&line).key("k")).problem(400, "malformed");
    client.ask(&Ask::post("/v1/batch", &json!({}))).problem(415, "unsupported_media_type");
    let mut ask = Ask::batch(&line);
    ask.path.push_str("?x=1");
    client.ask(&ask).problem(400, "unknown_field");
    ask.path = "/v1/batch/".to_owned();
    client.ask(&ask).problem(404, "not_found");
    let answer = client.ask(&Ask::get("/v1/batch"));
    answer.problem(405, "method_not_allowed");
    assert_eq!(answer.header("Allow"), Some("POST, OPTIONS"));
    // The connection stayed open all along, and the body was read past.
    assert_eq!(answers(&client.ask(&Ask::batch(&line)))[0]["status"], 201);
    let large = format!("{HEAD}Content-Length: {}\r\n\r\n", 4 * 1024 * 1024 + 1);
    let answer = client.raw(large.as_bytes());
    answer.problem(413, "too_large");
    assert_eq!(answer.header("Connection"), Some("close"));
    let long = server.connect().ask(&Ask::batch(&"x".repeat(65_537)));
    long.problem(413, "too_large");
    let json = Ask::batch(&line).header("Content-Encoding", "gzip");
    server.connect().ask(&json).problem(415, "unsupported_media_type");
}

#[test]
fn what_was_not_read_when_the_client_went_is_not_decided() {
    let data = TARGET.directory();
    let server = open(&data);
    let mut client = server.connect();
    let read = orders("read", 700);
    let length = read.len() + 1_000_000;
    let text = format!("{HEAD}Content-Length: {length}\r\n\r\n{read}\n{{\"op\":\"order\",\"key\"");
    client.write(text.as_bytes()).expect("the server takes bytes");
    assert_eq!(client.head().expect("a head").status, 200);
    let mut told = Vec::new();
    while told.iter().filter(|byte| **byte == b'\n').count() < 700 {
        told.extend(client.chunk().expect("a chunk").expect("it goes on"));
    }
    drop(client);
    // A stop waits for what is under way, so that nothing is decided after this.
    let stopped = server.stop().stopped();
    let history = History::of(data.path());
    assert_eq!(history.state.sequence, stopped.sequence);
    assert_eq!(history.state.orders.len(), 700);
}
