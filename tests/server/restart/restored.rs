//! An old copy of the data directory is put back: what the lives behind it gave out names nothing
//! any more, and nobody is given it again (API 1, API 5).
//!
//! Owns when the directory is copied and put back. Copies are plain ones, of a stopped server or of
//! one that rests. That it holds however a server dies in between is the simulator's (`tests/sim`).

use crate::TARGET;
use crate::batch::promises::answers;
use crate::feed::reading::{follow, pages, sequence};
use doorbuster_test_support::client::{Answer, Ask, Client};
use doorbuster_test_support::process::Server;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Orders of a life.
const ORDERS: usize = 12;
const VERBS: [&str; 6] = ["confirm", "cancel", "extend", "ship", "complete", "refund"];

/// Copies all files below one directory to another, which is emptied before.
fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).expect("a directory of ours");
    }
    fs::create_dir_all(to).expect("a directory of ours");
    for entry in fs::read_dir(from).expect("it reads") {
        let entry = entry.expect("it reads");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().expect("it has one").is_dir() {
            true => copy(&source, &target),
            false => drop(fs::copy(&source, &target).expect("a file of ours is copied")),
        }
    }
}

/// What clients were given.
#[derive(Debug, Clone, Default)]
struct Given {
    orders: Vec<String>,
    /// Ids of events, and where pages went on.
    places: Vec<String>,
    cursors: Vec<String>,
}

impl Given {
    fn take(&mut self, more: Self) {
        self.orders.extend(more.orders);
        self.places.extend(more.places);
        self.cursors.extend(more.cursors);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

struct Shop {
    data: PathBuf,
    /// Behind the copy of the first day.
    lost: Given,
    /// Every id of an order that anybody was ever given.
    ever: BTreeSet<String>,
    sold: usize,
}

impl Shop {
    fn start(&self) -> Server {
        TARGET.launch(&self.data).small().variable("OPEN_HOLDS_PER_USER_MAX", "0").start()
    }

    /// Sells, and notes all that clients are given of this life.
    fn trade(&mut self, client: &mut Client) -> Given {
        let page = client.get("/v1/events?after=0&limit=1000");
        let before = text(&page["next_after"]);
        let mut given = Given::default();
        for _ in 0..ORDERS {
            self.sold += 1;
            let ask = Ask::order(&format!("key-{}", self.sold), "u", "s", 1);
            let answer = client.ask(&ask);
            let id = text(&answer.expect(201)["id"]);
            assert_eq!(answer.header("Location"), Some(&*format!("/v1/orders/{id}")));
            assert!(self.ever.insert(id.clone()), "{id} was given out before");
            given.orders.push(id);
        }
        let (events, end) = pages(client, &before, 5);
        let ids = events.iter().map(|event| text(&event["id"]));
        given.places.extend(ids.chain([end]));
        for list in ["/v1/orders", "/v1/users/u/orders"] {
            let page = client.get(&format!("{list}?limit=1"));
            let behind = format!("{list}?limit=1&cursor={}", given.orders[0]);
            let page_behind = client.get(&behind);
            given.cursors.push(given.orders[0].clone());
            for next in [&page["next_cursor"], &page_behind["next_cursor"]] {
                if next.as_str().is_some_and(|next| given.orders.iter().any(|id| id == next)) {
                    given.cursors.push(text(next));
                }
            }
        }
        given
    }

    /// Kills the server and puts a copy in place of all there is.
    fn put_back(&self, server: Server, kept: &Path) {
        server.kill();
        copy(kept, &self.data);
    }
}

fn check_lost(client: &mut Client, lost: &Given) {
    let unknown = |answer: &Answer, what: &str| {
        assert_eq!(answer.status, 404, "{what}: {answer:?}");
        answer.problem(404, "unknown_order");
    };
    for (number, id) in lost.orders.iter().enumerate() {
        unknown(&client.ask(&Ask::get(format!("/v1/orders/{id}"))), id);
        for verb in VERBS {
            let extend =
                |ask: Ask| if verb == "extend" { ask.json(r#"{"hold_ms":5}"#) } else { ask };
            unknown(&client.ask(&extend(Ask::act(id, verb))), verb);
            let keyed = extend(Ask::act(id, verb)).key(&format!("{verb}-{number}"));
            unknown(&client.ask(&keyed), verb);
        }
        let line = |verb: &&str| {
            let mut line = json!({"op": verb, "key": format!("{verb} {id}"), "id": id});
            if *verb == "extend" {
                line["hold_ms"] = 5.into();
            }
            line.to_string()
        };
        let lines: Vec<String> = VERBS.iter().map(line).collect();
        for line in answers(&client.ask(&Ask::batch(&lines.join("\n")))) {
            let told = (&line["status"], &line["body"]["code"]);
            assert_eq!(told, (&json!(404), &json!("unknown_order")));
        }
    }
    for place in &lost.places {
        client.ask(&Ask::get(format!("/v1/events?after={place}"))).problem(410, "diverged");
        client.ask(&follow(place)).problem(410, "diverged");
        let last = Ask::get("/v1/events").header("Last-Event-ID", place);
        client.ask(&last).problem(410, "diverged");
    }
    for cursor in &lost.cursors {
        for list in ["/v1/orders", "/v1/users/u/orders", "/v1/users/nobody/orders"] {
            let ask = Ask::get(format!("{list}?cursor={cursor}"));
            client.ask(&ask).problem(410, "diverged");
        }
    }
}

fn check_kept(client: &mut Client, kept: &Given) {
    for id in &kept.orders {
        assert_eq!(&text(&client.get(&format!("/v1/orders/{id}"))["id"]), id);
    }
    for place in &kept.places {
        client.ask(&Ask::get(format!("/v1/events?after={place}"))).expect(200);
    }
    for cursor in &kept.cursors {
        client.ask(&Ask::get(format!("/v1/orders?cursor={cursor}"))).expect(200);
    }
}

#[test]
fn three_lives_that_are_lost_name_nothing_any_more() {
    let (place, stopped, rested) = (TARGET.directory(), TARGET.directory(), TARGET.directory());
    let data = place.path().join("data");
    let mut shop = Shop { data, lost: Given::default(), ever: BTreeSet::new(), sold: 0 };

    // The day that is copied, while the server is stopped.
    let server = shop.start();
    server.connect().put_sku("s", &json!({"stock": 1_000_000}));
    let kept = shop.trade(&mut server.connect());
    server.stop().stopped();
    let stopped = stopped.path().join("copy");
    copy(&shop.data, &stopped);

    // The first life is lost whole.
    let server = shop.start();
    let given = shop.trade(&mut server.connect());
    check_kept(&mut server.connect(), &kept);
    shop.lost.take(given);
    shop.put_back(server, &stopped);

    // The second is copied in the middle, while the server rests, and its end is lost.
    let server = shop.start();
    let client = &mut server.connect();
    check_lost(client, &shop.lost);
    let middle = shop.trade(client);
    let rested = rested.path().join("copy");
    copy(&shop.data, &rested);
    let end = shop.trade(client);
    shop.lost.take(end);
    shop.put_back(server, &rested);

    // The third; then the day of the first copy is put back, and the second life is lost whole too.
    let server = shop.start();
    let client = &mut server.connect();
    check_lost(client, &shop.lost);
    check_kept(client, &middle);
    let third = shop.trade(client);
    shop.lost.take(middle);
    shop.lost.take(third);
    shop.put_back(server, &stopped);

    let server = shop.start();
    let client = &mut server.connect();
    check_lost(client, &shop.lost);
    check_kept(client, &kept);
    let fresh = shop.trade(client);
    // Without lives these would be the same ones.
    let numbers =
        |given: &Given| -> BTreeSet<u64> { given.orders.iter().map(|id| sequence(id)).collect() };
    let shared = numbers(&fresh).intersection(&numbers(&shop.lost)).count();
    assert!(shared > ORDERS / 2, "{shared} sequences were given out again: {fresh:?}");
    check_lost(client, &shop.lost);
    check_kept(client, &fresh);
    assert_eq!(client.get("/v1/skus/s")["held"], 2 * ORDERS);
}
