//! A full disk: nothing new is sold, what exists is served to the last byte of room, and selling
//! goes on by itself when there is room again (DESIGN 4, "Room").
//!
//! Owns the order in which things are refused. A file that takes all the room makes it happen at a
//! known moment.

use crate::TARGET;
use doorbuster::codec;
use doorbuster::engine::replay::snapshot_directory;
use doorbuster_test_directories::history::{History, files, is_quiet};
use doorbuster_test_directories::ledger::check_remembered;
use doorbuster_test_directories::shopper::Accepted;
use doorbuster_test_support::client::{Answer, Ask, Client};
use doorbuster_test_support::process::{Launch, Server};
use doorbuster_test_support::small_disk::{SmallDisk, on_a_small_disk};
use doorbuster_test_support::wait;
use doorbuster_test_support::wide;
use serde_json::{Value, json};

const DISK_BYTES: u64 = 12 << 20;
/// Small orders made before the disk is full.
const HELD: usize = 60;

fn launch(disk: &SmallDisk) -> Launch {
    TARGET
        .launch(&disk.data())
        .small()
        .variable("JOURNAL_SEGMENT_BYTES", "262144")
        .variable("SNAPSHOTS_EVERY_EVENTS", "1000000000")
        .variable("OPEN_HOLDS_PER_USER_MAX", "0")
}

/// What was answered, and what was never to be.
#[derive(Default)]
pub(crate) struct Book {
    accepted: Vec<Accepted>,
    held: Vec<String>,
    orders: usize,
}

impl Book {
    pub(crate) fn ask(&mut self, client: &mut Client, ask: Ask, status: u16) -> Value {
        let answer = client.ask(&ask);
        let body = answer.expect(status);
        self.orders += usize::from(status == 201);
        self.accepted.push(Accepted { ask, answer });
        body
    }

    /// An order that was answered.
    pub(crate) fn take(&mut self, ask: Ask, answer: Answer) {
        answer.expect(201);
        self.orders += 1;
        self.accepted.push(Accepted { ask, answer });
    }

    /// A key that no order has had.
    pub(crate) fn next_key(&self) -> String {
        format!("order-{}", self.orders)
    }

    /// Small orders to pay or give up later.
    pub(crate) fn hold(&mut self, client: &mut Client, orders: usize) {
        for order in 0..orders {
            let sku = wide::sku(order % wide::LINES);
            let held =
                self.ask(client, Ask::order(&format!("held-{order}"), "holder", &sku, 1), 201);
            self.held.push(held["id"].as_str().expect("an order has an id").to_owned());
        }
    }

    /// Pays or gives up one of the orders that are held.
    pub(crate) fn act(&mut self, client: &mut Client, action: &str) {
        let id = self.held.pop().expect("an order is held");
        let done = self.ask(client, Ask::act(&id, action).key(&format!("{action}-{id}")), 200);
        let status = if action == "confirm" { "confirmed" } else { "cancelled" };
        assert_eq!(done["status"], status);
    }

    /// Sells until there is no room; gives the key that was refused.
    pub(crate) fn sell_out_the_disk(&mut self, client: &mut Client) -> String {
        for order in 0..100_000 {
            let key = format!("wide-{order}");
            let ask = wide::order(&key);
            let answer = client.ask(&ask);
            if answer.status == 503 {
                let refused = answer.problem(503, "no_space");
                assert_eq!(refused["retryable"], true);
                assert!(answer.header("Retry-After").is_some(), "{answer:?}");
                return key;
            }
            self.take(ask, answer);
        }
        panic!("a full disk takes 100,000 orders");
    }

    pub(crate) fn check(&self, client: &mut Client) {
        for accepted in &self.accepted {
            check_remembered(client, accepted, true);
        }
        assert_eq!(client.get("/v1/status")["tables"]["orders"]["used"], self.orders);
        for number in 0..wide::LINES {
            let sku = client.get(&format!("/v1/skus/{}", wide::sku(number)));
            let [total, available, held, sold] = ["total", "available", "held", "sold"]
                .map(|name| sku[name].as_u64().expect("a count"));
            assert_eq!(available + held + sold, total, "{sku}");
        }
    }
}

fn sequence(client: &mut Client) -> Value {
    client.get("/v1/status")["seq"].clone()
}

/// New things are refused without a trace.
pub(crate) fn check_nothing_new(client: &mut Client, key: &str) {
    let before = sequence(client);
    for _ in 0..20 {
        client.ask(&wide::order(key)).problem(503, "no_space");
        client.ask(&Ask::order(key, "small", &wide::sku(0), 1)).problem(503, "no_space");
    }
    let put = Ask::put("/v1/skus/new", &json!({"stock": 1}));
    client.ask(&put).problem(503, "no_space");
    let adjust = json!({"delta": 1, "reason": "counted"});
    let adjust = Ask::post(format!("/v1/skus/{}/adjust", wide::sku(0)), &adjust);
    client.ask(&adjust.key("adjust")).problem(503, "no_space");
    client.ask(&Ask::get(format!("/v1/requests/{key}"))).problem(404, "unknown_request");
    client.ask(&Ask::get("/v1/skus/new")).problem(404, "unknown_sku");
    assert_eq!(sequence(client), before, "nothing was sequenced");
}

/// A sale with held orders on a disk that is then full, up to the first refusal.
fn fill_up(disk: &SmallDisk) -> (Server, Book, String) {
    let mut book = Book::default();
    let server = launch(disk).start();
    let client = &mut server.connect();
    wide::put_skus(client);
    book.hold(client, HELD);
    wait::until("there is a spare segment", || is_quiet(&disk.data()).then_some(()));
    disk.fill();
    let refused = book.sell_out_the_disk(client);
    (server, book, refused)
}

/// A snapshot needs room, and is missed by nobody. No part of it stays.
fn check_no_snapshot(client: &mut Client, disk: &SmallDisk) {
    let refused = client.ask(&Ask::new("POST", "/v1/admin/snapshot")).problem(503, "no_space");
    assert_eq!(refused["detail"], "the disk has no room for a snapshot");
    assert!(client.get("/v1/status")["snapshot_error"].is_string());
    let left = files(&snapshot_directory(&disk.data()));
    assert!(left.is_empty(), "{:?}", left.keys());
}

fn check_resumed(client: &mut Client, book: &mut Book, key: &str) {
    let ask = wide::order(key);
    let answer = wait::until("it sells again", || {
        let answer = client.ask(&ask);
        (answer.status != 503).then_some(answer)
    });
    assert!(!answer.is_replayed(), "a refused key is free: {answer:?}");
    book.take(ask, answer);
    let taken = client.ask(&Ask::new("POST", "/v1/admin/snapshot")).expect(200);
    let status = client.get("/v1/status");
    assert_eq!(status["snapshot_seq"], taken["snapshot_seq"]);
    assert!(status.get("snapshot_error").is_none(), "{status}");
}

/// Over a sudden end and an orderly one, all of what was answered.
fn check_ledger(disk: &SmallDisk, server: Server, book: &Book) {
    book.check(&mut server.connect());
    assert_eq!(server.kill().code, None);
    let server = launch(disk).start();
    book.check(&mut server.connect());
    let stopped = server.stop().stopped();
    let history = History::of(&disk.data());
    assert_eq!(codec::digest(&history.state).to_string(), stopped.digest);
}

/// A full disk takes no orders but payments and cancellations and sells again when freed.
#[test]
fn a_full_disk_takes_payments_and_cancellations_only() {
    on_a_small_disk(TARGET, DISK_BYTES, |disk| {
        let (server, mut book, refused) = fill_up(disk);
        let client = &mut server.connect();
        check_nothing_new(client, &refused);
        for _ in 0..10 {
            book.act(client, "confirm");
            book.act(client, "cancel");
            client.ask(&wide::order(&refused)).problem(503, "no_space");
        }
        check_no_snapshot(client, disk);
        book.act(client, "confirm");
        book.check(client);
        client.get("/readyz");
        disk.free();
        check_resumed(client, &mut book, &refused);
        check_ledger(disk, server, &book);
    });
}

/// A server that is killed on a full disk starts there and takes payments.
#[test]
fn a_server_killed_on_a_full_disk_starts_and_takes_payments() {
    on_a_small_disk(TARGET, DISK_BYTES, |disk| {
        let (mut server, mut book, refused) = fill_up(disk);
        for _ in 0..3 {
            assert_eq!(server.kill().code, None);
            server = launch(disk).start();
            let client = &mut server.connect();
            check_nothing_new(client, &refused);
            book.act(client, "confirm");
            book.act(client, "cancel");
        }
        disk.free();
        check_resumed(&mut server.connect(), &mut book, &refused);
        check_ledger(disk, server, &book);
    });
}

/// The last byte of room ends actions too and room brings all back.
#[test]
fn the_last_byte_of_room_ends_actions_until_there_is_more() {
    on_a_small_disk(TARGET, DISK_BYTES, |disk| {
        let (server, mut book, refused) = fill_up(disk);
        let client = &mut server.connect();
        let id = book.held.pop().expect("an order is held");
        let mut extended = 0;
        let before = loop {
            let before = sequence(client);
            // By more than a hundredth each time: less would change nothing.
            let next = &book.held[extended % book.held.len()];
            let body = json!({"hold_ms": 400_000 + 10_000 * (extended / book.held.len())});
            let answer = client.ask(&Ask::post(format!("/v1/orders/{next}/extend"), &body));
            if answer.status == 503 {
                answer.problem(503, "no_space");
                break before;
            }
            answer.expect(200);
            extended += 1;
        };
        assert!(extended > 20, "the room kept for actions took {extended} of them");
        client.ask(&Ask::act(&id, "confirm")).problem(503, "no_space");
        check_nothing_new(client, &refused);
        assert_eq!(sequence(client), before);
        book.check(client);
        disk.free();
        check_resumed(client, &mut book, &refused);
        client.ask(&Ask::act(&id, "confirm")).expect(200);
        check_ledger(disk, server, &book);
    });
}
