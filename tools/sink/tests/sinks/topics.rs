//! Topics have each event once, in order per subject, whatever is killed.

use crate::child::Setup;
use crate::kafka::Kafka;
use crate::shop::Shop;
use crate::tables::given;
use doorbuster_test_support::wait;
use serde_json::Value;

const PARTITIONS: i32 = 3;

fn count(kafka: &Kafka) -> usize {
    kafka.events("doorbuster", PARTITIONS).iter().map(Vec::len).sum()
}

#[test]
fn a_topic_has_each_event_once_whatever_is_killed() {
    let Some(kafka) = Kafka::start("doorbuster", PARTITIONS) else { return };
    let kills = given("KILLS", 5);
    let mut shop = Shop::open();
    let url = kafka.url();
    let sinks = format!("[[sink]]\nname = \"k\"\nkind = \"kafka\"\nurl = \"{url}\"\nbatch = 200\n");
    let setup = Setup::new(&shop.url(), &sinks);
    for _ in 0..kills {
        shop.trade(given("EVENTS", 2_000) / kills);
        let before = count(&kafka);
        let sink = setup.start();
        wait::until("some progress", || (count(&kafka) > before).then_some(()));
        sink.kill();
    }
    let sink = setup.start();
    shop.mark();
    let events = shop.events();
    wait::until("a topic that has it all", || (count(&kafka) >= events.len()).then_some(()));
    let partitions = kafka.events("doorbuster", PARTITIONS);
    let seq = |event: &Value| event["data"]["seq"].as_u64().expect("a number");
    for partition in &partitions {
        assert!(partition.is_sorted_by_key(seq), "each partition is in order");
        assert!(!partition.is_empty(), "subjects are spread");
    }
    let mut all: Vec<Value> = partitions.into_iter().flatten().collect();
    all.sort_by_key(seq);
    assert_eq!(all, events);
    sink.stop();
}
