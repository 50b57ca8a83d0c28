//! A thousand followers with nothing to read, some that fall behind, and one that never reads: the
//! server's memory stays bounded, and orders go on.

use crate::TARGET;
use crate::batch::promises::{answers, orders};
use crate::feed::reading::{Follower, follow, pages};
use doorbuster_test_support::client::{Ask, Client};
use serde_json::json;

const IDLE: usize = 1_000;
const LAGGING: usize = 20;
const ORDERS: usize = 10_000;
const ROUNDS: usize = 4;

/// What the server may take for all of them, its orders included, in bytes.
const GROWTH_MAX: u64 = 200 * 1024 * 1024;

/// A thousand idle followers and one that never reads are bounded in memory.
#[test]
fn idle_and_deaf_followers_are_bounded_in_memory() {
    let data = TARGET.directory();
    let server =
        TARGET.launch(data.path()).small().argument("--durability").argument("group").start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 1_000_000}));
    let before = server.resident_bytes();
    let begin = |after: &str| Follower::begin(server.address, &follow(after)).expect("a stream");
    // Far ahead: nothing comes for them, for as long as this takes.
    let far = client.get("/v1/events?after=1000000000")["next_after"].clone();
    let far = far.as_str().expect("a place");
    let idle: Vec<Follower> = (0..IDLE).map(|_| begin(far)).collect();
    let mut lagging: Vec<Follower> = (0..LAGGING).map(|_| begin("0")).collect();
    let mut silent = Client::connect(server.address).expect("a connection");
    silent.write(&follow("0").bytes()).expect("the server takes bytes");
    for round in 0..ROUNDS {
        let told = answers(&client.ask(&Ask::batch(&orders(&format!("r{round}"), ORDERS))));
        let made = told.iter().filter(|line| line["status"] == 201).count();
        let waits = told.iter().filter(|line| line["body"]["code"] == "no_space").count();
        assert_eq!(made + waits, ORDERS);
        assert!(made > 0);
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "{grown} bytes more");
    // Whoever reads gets everything, however far behind.
    let (all, _) = pages(client, "0", 1000);
    for follower in &mut lagging[..2] {
        for event in &all {
            assert_eq!(follower.event().expect("a line").as_ref(), Some(event));
        }
    }
    drop((idle, silent));
    assert_eq!(client.get("/v1/skus/s")["held"], all.len() - 1);
}
