//! Streams have each event once, in order, whatever is killed.

use crate::child::Setup;
use crate::nats::Nats;
use crate::shop::Shop;
use crate::tables::given;
use doorbuster_test_support::wait;
use serde_json::Value;

fn settings(nats: &Nats, more: &str) -> String {
    format!("[[sink]]\nname = \"bus\"\nkind = \"nats\"\nurl = \"{}\"\n{more}\n", nats.url())
}

/// The stream is the feed.
fn same(shop: &mut Shop, nats: &Nats) {
    let messages = nats.messages("DOORBUSTER");
    let ids: Vec<&String> = messages.iter().map(|(id, _)| id).collect();
    let own: Vec<String> =
        messages.iter().map(|(_, event)| event["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(ids, own.iter().collect::<Vec<_>>());
    let events: Vec<Value> = messages.into_iter().map(|(_, event)| event).collect();
    assert_eq!(events, shop.events());
}

fn caught_up(shop: &mut Shop, nats: &Nats) {
    shop.mark();
    let count = u64::try_from(shop.events().len()).expect("it fits");
    wait::until("a stream that has it all", || (nats.count("DOORBUSTER") >= count).then_some(()));
}

#[test]
fn a_stream_has_each_event_once_whatever_is_killed() {
    let Some(mut nats) = Nats::start() else { return };
    let kills = given("KILLS", 8);
    let mut shop = Shop::open();
    shop.trade(200);
    let setup = Setup::new(&shop.url(), &settings(&nats, "batch = 100"));
    for round in 0..kills {
        shop.trade(given("EVENTS", 3_000) / kills);
        let before = nats.count("DOORBUSTER");
        let sink = setup.start();
        match round % 10 {
            3 => {
                nats.stop();
                shop.trade(50);
                nats.go_on();
            }
            6 => shop.restart(),
            _ => {}
        }
        wait::until("some progress", || (nats.count("DOORBUSTER") > before).then_some(()));
        sink.kill();
    }
    let sink = setup.start();
    caught_up(&mut shop, &nats);
    same(&mut shop, &nats);
    sink.stop();
}

#[test]
fn a_second_instance_is_refused_and_a_foreign_message_is_told() {
    let Some(nats) = Nats::start() else { return };
    let mut shop = Shop::open();
    let sinks = settings(&nats, "batch = 5");
    let setups = [Setup::new(&shop.url(), &sinks), Setup::new(&shop.url(), &sinks)];
    let mut both = [Some(setups[0].start()), Some(setups[1].start())];
    let over = wait::until("one of them to stop", || {
        shop.trade(50);
        both.iter().position(|sink| {
            sink.as_ref().is_some_and(|sink| sink.said().contains("another instance"))
        })
    });
    let (code, said) = both[over].take().expect("it is there").wait();
    assert_eq!(code, 1, "{said}");
    caught_up(&mut shop, &nats);
    same(&mut shop, &nats);
    let other = both[1 - over].take().expect("it is there");
    other.stop();
    nats.disturb("doorbuster.order.created");
    let (code, said) = setups[1 - over].start().wait();
    assert_eq!(code, 1);
    assert!(said.contains("something else publishes"), "{said}");
}
