//! What waits for a copy on another machine, with a stand-in for the copies that stands still and
//! comes back: answers, reads, the feed, snapshots and the sold-out edge show nothing that is
//! synced on this disk alone.

use crate::faults::{check, declared};
use crate::stalls::metric;
use crate::world::World;
use doorbuster_test_support::client::{Answer, Ask, Client, socket};
use doorbuster_test_support::wait;
use serde_json::json;
use std::io::ErrorKind;
use std::net::TcpStream;

/// A request whose answer is awaited later.
struct Waiting {
    stream: TcpStream,
    client: Client,
}

impl Waiting {
    fn send(world: &World, ask: &Ask) -> Self {
        let stream = socket(world.server.address).expect("the server accepts");
        let mut client = Client::over(stream.try_clone().expect("a second handle"));
        client.write(&ask.bytes()).expect("the server takes bytes");
        Self { stream, client }
    }

    fn is_unanswered(&self) -> bool {
        self.stream.set_nonblocking(true).expect("a socket");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("a socket");
        peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    fn answer(mut self) -> Answer {
        self.client.read(false).expect("an answer")
    }
}

/// A server whose copies hold everything a millisecond later.
fn copied() -> World {
    let long = ("JOURNAL_STALL_MS", "3600000");
    World::with(|launch| launch.environment("FAILPOINTS_COPIES_MS", "1").variable(long.0, long.1))
}

/// Waits until this disk holds more than so many records, all synced.
fn until_synced_past(world: &mut World, sequence: u64) {
    wait::until("the disk holds it", || {
        let client = &mut world.client;
        let is_synced = metric(client, "doorbuster_durable_lag_records ") == 0;
        (metric(client, "doorbuster_sequence ") > sequence && is_synced).then_some(())
    });
}

fn events_after(world: &mut World, sequence: u64) -> usize {
    let page = world.client.get(&format!("/v1/events?after={sequence}&limit=100"));
    page["events"].as_array().expect("a page of events").len()
}

#[test]
fn what_this_disk_alone_holds_is_shown_to_no_client() {
    let mut world = copied();
    let sku = world.sku(json!({"stock": 1}));
    let (last_unit, too_late) = (world.order(&sku), world.order(&sku));
    let settled = world.client.get("/v1/status")["durable_seq"].as_u64().expect("a number");
    world.arm("Copies");
    let order = Waiting::send(&world, &last_unit);
    until_synced_past(&mut world, settled);
    let read = Waiting::send(&world, &Ask::get(format!("/v1/skus/{sku}")));
    let status = Waiting::send(&world, &Ask::get("/v1/status"));
    // The sold-out table shows it already.
    let refused = Waiting::send(&world, &too_late);
    assert_eq!(events_after(&mut world, settled), 0);
    let taken = world.client.ask(&Ask::new("POST", "/v1/admin/snapshot")).expect(200);
    assert!(taken["snapshot_seq"].as_u64() <= Some(settled), "{taken}");
    for waiting in [&order, &read, &status, &refused] {
        assert!(waiting.is_unanswered());
    }
    world.arm("");
    assert_eq!(order.answer().expect(201)["status"], "held");
    assert_eq!(read.answer().expect(200)["available"], 0);
    assert_eq!(status.answer().expect(200)["tables"]["orders"]["used"], 1);
    refused.answer().problem(409, "sold_out");
    assert!(events_after(&mut world, settled) > 0);
    world.server.stop().stopped();
}

#[test]
fn copies_that_come_back_let_a_whole_backlog_go() {
    let mut world = copied();
    let sku = world.sku(json!({"stock": 100}));
    for _ in 0..3 {
        let stored = metric(&mut world.client, "doorbuster_sequence ");
        world.arm("Copies");
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                let ask = world.order(&sku);
                Waiting::send(&world, &ask)
            })
            .collect();
        until_synced_past(&mut world, stored + 19);
        world.arm("");
        for waiting in waiting {
            waiting.answer().expect(201);
        }
    }
    assert_eq!(world.client.get(&format!("/v1/skus/{sku}"))["held"], 60);
    world.server.stop().stopped();
}

/// What exists waits for copies that stand still; what is new is refused after a while.
#[test]
fn new_orders_are_refused_while_the_copies_stand_still() {
    let mut world = World::with(|launch| {
        launch.environment("FAILPOINTS_COPIES_MS", "1").variable("JOURNAL_STALL_MS", "1")
    });
    let operations = declared(&world.document, "unreplicated");
    let asks: Vec<Ask> = operations.iter().map(|one| world.good(&one.operation)).collect();
    let sku = world.sku(json!({"stock": 1}));
    let ask = world.order(&sku).header("Server-Timing", "1");
    world.arm("Copies");
    let order = Waiting::send(&world, &ask);
    wait::until("the circuit opens", || {
        let ready = world.client.ask(&Ask::get("/readyz"));
        (ready.status == 503 && ready.json()["code"] == "unreplicated").then_some(())
    });
    wait::until("the disk holds it", || {
        (metric(&mut world.client, "doorbuster_durable_lag_records ") == 0).then_some(())
    });
    for (declared, ask) in operations.iter().zip(&asks) {
        check(&world.document, declared, &world.client.ask(ask));
    }
    for (name, value) in [("unreplicated", 1), ("ready", 0), ("stalled", 0)] {
        assert_eq!(metric(&mut world.client, &format!("doorbuster_{name} ")), value, "{name}");
    }
    assert!(order.is_unanswered());
    world.arm("");
    let answer = order.answer();
    let timing = answer.header("Server-Timing").expect("it was asked for").to_owned();
    let waited = timing.split(", ").find_map(|stage| stage.strip_prefix("repl;dur="));
    // It was durable here some requests before.
    assert!(waited.and_then(|ms| ms.parse().ok()).is_some_and(|ms: f64| ms > 0.0), "{timing}");
    answer.expect(201);
    wait::until("the circuit closes", || {
        (world.client.ask(&Ask::get("/readyz")).status == 200).then_some(())
    });
    for ask in &asks {
        assert!(world.client.ask(ask).status < 300, "{ask:?}");
    }
    world.server.stop().stopped();
}
