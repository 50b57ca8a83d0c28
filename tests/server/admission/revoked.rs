//! What goes on for long ends when its client may not have it any more: streams of events, batches.
//!
//! Owns tokens that are taken back or run out, and addresses that are denied, in the middle. What
//! they mean for single requests is in `rotation` and `admission`.

use crate::TARGET;
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::tokens::TokensFile;
use doorbuster_test_support::wait::wall_ms;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

/// A second by the contract; a beat of the stream, which would end it as well, comes after fifteen.
const ENDED_MS_MAX: u64 = 5_000;
const BOSS: (&str, &str, &str, &str) = ("boss", "admin", "boss", "");
const AUDIT: (&str, &str, &str, &str) = ("audit", "admin", "audit", "");

/// A server with two admins, behind a proxy that speaks for its clients.
struct Shop {
    directory: TempDir,
    tokens: TokensFile,
    server: Server,
}

impl Shop {
    fn open() -> Self {
        let directory = TARGET.directory();
        let tokens = TokensFile::beside(directory.path(), &[BOSS, AUDIT]);
        let deny = directory.path().join("deny");
        fs::write(&deny, "").expect("a file is written");
        let launch = tokens.launch(TARGET).variable("ADDRESS_TRUSTED_PROXIES", "127.0.0.1");
        let server = launch.variable("ADDRESS_DENY_FILE", deny.to_str().expect("UTF-8")).start();
        Self { directory, tokens, server }
    }

    fn deny(&self, address: &str) {
        let file: PathBuf = self.directory.path().join("deny");
        fs::write(file, address).expect("a file is written");
        self.server.reload("took the limits and address lists");
    }

    fn revoke_audit(&self) {
        self.tokens.hold(&[BOSS]);
        self.server.reload("took the tokens");
    }

    fn follow(&self, accept: &str, token: &str, address: &str) -> Client {
        let ask = Ask::get("/v1/events").header("Accept", accept).token(token);
        let mut client = self.server.connect();
        let bytes = ask.header("X-Forwarded-For", address).bytes();
        client.write(&bytes).expect("the server takes bytes");
        assert_eq!(client.head().expect("a head").status, 200);
        client
    }
}

/// It ends in order, long before anything else would end it.
#[track_caller]
fn ends_soon(client: &mut Client, since_ms: u64) {
    while client.chunk().expect("an orderly end").is_some() {}
    let after_ms = wall_ms() - since_ms;
    assert!(after_ms < ENDED_MS_MAX, "after {after_ms} ms");
}

#[test]
fn a_silent_stream_ends_soon_after_its_address_or_token_is_gone() {
    let shop = Shop::open();
    let forms = ["application/x-ndjson", "text/event-stream"];
    let mut denied = forms.map(|form| shop.follow(form, "boss", "192.0.2.66"));
    let mut revoked = forms.map(|form| shop.follow(form, "audit", "192.0.2.1"));
    let mut stays = shop.follow(forms[0], "boss", "192.0.2.1");
    let since_ms = wall_ms();
    shop.deny("192.0.2.66");
    denied.iter_mut().for_each(|client| ends_soon(client, since_ms));
    let since_ms = wall_ms();
    shop.revoke_audit();
    revoked.iter_mut().for_each(|client| ends_soon(client, since_ms));
    // The connection of a stream that ended stands, and its client is told.
    let again = Ask::get("/v1/events").token("audit").header("X-Forwarded-For", "192.0.2.1");
    revoked[0].ask(&again).problem(401, "unauthenticated");
    let again = Ask::get("/v1/events").token("boss").header("X-Forwarded-For", "192.0.2.66");
    denied[0].ask(&again).problem(403, "forbidden");
    let mut boss = shop.server.connect().with_token("boss");
    boss.put_sku("s", &json!({"stock": 1}));
    assert!(stays.chunk().expect("it goes on").is_some());
}

/// A batch of one line so far, which is answered; the body goes on.
fn begun(shop: &Shop, token: &str) -> Client {
    let mut client = shop.server.connect();
    let head = format!(
        "POST /v1/batch HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {token}\r\n\
         X-Forwarded-For: 192.0.2.7\r\nContent-Type: application/x-ndjson\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    client.write(head.as_bytes()).expect("the server takes bytes");
    line(&mut client, "before");
    assert_eq!(client.head().expect("a head").status, 200);
    assert_eq!(answers(&mut client)[0]["status"], 201);
    client
}

/// Puts a SKU that there is not yet.
fn line(client: &mut Client, sku: &str) {
    static PUT: AtomicU64 = AtomicU64::new(0);
    let number = PUT.fetch_add(1, Ordering::Relaxed);
    let line = json!({"op": "sku", "sku": format!("{sku}-{number}"), "stock": 1}).to_string();
    let chunk = format!("{:x}\r\n{line}\n\r\n", line.len() + 1);
    client.write(chunk.as_bytes()).expect("the server takes bytes");
}

/// Answers to lines that came in one piece.
fn answers(client: &mut Client) -> Vec<Value> {
    let piece = client.chunk().expect("a piece").expect("it goes on");
    let text = String::from_utf8(piece).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// A batch ends with one line that says why its client may not go on.
#[test]
fn a_batch_ends_with_a_line_that_says_why() {
    let shop = Shop::open();
    let mut stays = begun(&shop, "boss");
    let mut revoked = begun(&shop, "audit");
    shop.revoke_audit();
    let mut denied = begun(&shop, "boss");
    // Two lines, and one answer.
    for expected in [(&mut revoked, 401, "unauthenticated"), (&mut stays, 201, "")] {
        let (client, status, code) = expected;
        line(client, "after");
        let told = answers(client);
        assert_eq!((told.len(), &told[0]["status"]), (1, &json!(status)), "{told:?}");
        if !code.is_empty() {
            assert_eq!(told[0]["body"]["code"], code);
            assert_eq!(client.chunk().expect("an orderly end"), None);
        }
    }
    shop.deny("192.0.2.7");
    for _ in 0..2 {
        line(&mut denied, "after");
    }
    let told = answers(&mut denied);
    assert_eq!((told.len(), &told[0]["body"]["code"]), (1, &json!("forbidden")), "{told:?}");
    assert_eq!(denied.chunk().expect("an orderly end"), None);
    shop.deny("");
    let skus = shop.server.connect().with_token("boss").get("/v1/skus")["skus"].clone();
    let after = skus.as_array().expect("a list").iter();
    let after = after.filter(|sku| sku["sku"].as_str().is_some_and(|id| id.starts_with("after")));
    assert_eq!(after.count(), 1, "only the one that may: {skus}");
}
