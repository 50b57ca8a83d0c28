//! A disk that stands still: new orders are turned away, what exists waits, and all goes on by itself
//! when the disk does. What waits at the end of a drain hears that its outcome is unknown.

use crate::client::Ask;
use crate::faults::{check, declared};
use crate::patience;
use crate::world::World;
use serde_json::json;

/// Writes that the writer takes to a disk that stands still; their answers are awaited later.
fn stalled() -> (World, crate::client::Client, String) {
    let mut world =
        World::with(|launch| launch.variable("JOURNAL_STALL_MS", "1").variable("DRAIN_MS", "300"));
    let (_, order) = world.held();
    let sku = world.sku(json!({"stock": 9}));
    let ask = world.order(&sku);
    world.arm("Sync");
    let mut waiting = world.server.connect();
    waiting.write(&ask.bytes()).expect("the server takes bytes");
    patience::until("the circuit opens", || {
        let ready = world.client.ask(&Ask::get("/readyz"));
        (ready.status == 503).then_some(())
    });
    (world, waiting, order)
}

#[test]
fn while_the_disk_stands_still_new_orders_are_refused_and_what_exists_waits() {
    let (mut world, mut waiting, order) = stalled();
    let ready = declared(&world.document, "overloaded");
    let ready = ready.into_iter().find(|declared| declared.operation == "getReady");
    check(
        &world.document,
        &ready.expect("it is declared"),
        &world.client.ask(&Ask::get("/readyz")),
    );
    let metrics = |world: &mut World| {
        let text = world.client.ask(&Ask::get("/metrics")).body;
        String::from_utf8(text).expect("the metrics are text")
    };
    let text = metrics(&mut world);
    assert!(text.contains("doorbuster_stalled 1") && text.contains("doorbuster_ready 0"), "{text}");
    // They are not put into the ring: nobody could answer them.
    for number in 0..100 {
        let ask = Ask::order(&format!("shed-{number}"), "u", "none", 1);
        assert_eq!(world.client.ask(&ask).problem(503, "overloaded")["retryable"], true);
    }
    let line =
        json!({"op": "order", "key": "shed", "user": "u", "lines": [{"sku": "s", "qty": 1}]});
    let answered = world.client.ask(&Ask::batch(&line.to_string())).json();
    assert_eq!(answered["body"]["code"], "overloaded", "{answered}");
    let mut confirming = world.server.connect();
    confirming.write(&Ask::act(&order, "confirm").bytes()).expect("the server takes bytes");
    world.arm("");
    assert_eq!(waiting.read(false).expect("an answer").status, 201);
    assert_eq!(confirming.read(false).expect("an answer").expect(200)["status"], "confirmed");
    patience::until("the circuit closes", || {
        let ready = world.client.ask(&Ask::get("/readyz"));
        (ready.status == 200).then_some(())
    });
    assert!(metrics(&mut world).contains("doorbuster_stalled 0"));
    let sku = world.sku(json!({"stock": 1}));
    let ask = world.order(&sku);
    world.client.ask(&ask).expect(201);
}

#[test]
fn what_waits_at_the_end_of_a_drain_is_told_that_its_outcome_is_unknown_and_is_not_lost() {
    let (world, mut waiting, _) = stalled();
    world.server.terminate();
    waiting.read(false).expect("an answer").problem(503, "outcome_unknown");
    assert!(waiting.is_closed());
    world.arm("");
    let World { server, data, .. } = world;
    let stopped = server.wait().stopped();
    let server = crate::world::launch(&data, "127.0.0.1:0").start();
    let status = server.connect().get("/v1/status");
    // The held one of before, and the one whose outcome was unknown.
    assert_eq!(status["tables"]["orders"]["used"], 2, "{status}");
    assert_eq!(status["epoch"], stopped.epoch + 1);
    server.stop().stopped();
}
