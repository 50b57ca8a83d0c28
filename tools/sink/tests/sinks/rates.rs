//! How fast targets take events, beside a running server: `cargo test --release -p doorbuster-sink
//! --test sinks rates -- --ignored --nocapture`.
//!
//! Owns the bars of the issue. Prints what it measured; fails below a bar where `STRICT` is set.

use crate::child::Setup;
use crate::database::Database;
use crate::mariadb::MariaDb;
use crate::nats::Nats;
use crate::postgres::Postgres;
use crate::receiver::Receiver;
use crate::shop::Shop;
use crate::tables::{given, settings};
use doorbuster_test_support::wait::{self, wall_ms};

/// Prints events a second, from a full feed to the target's last event.
fn told(what: &str, events: u64, begun_ms: u64, bar: u64) {
    let took_ms = (wall_ms() - begun_ms).max(1);
    let rate = events * 1_000 / took_ms;
    println!("{what:<40} {rate:>8} events/s   (bar {bar}, {events} events in {took_ms} ms)");
    assert!(std::env::var("STRICT").is_err() || rate >= bar, "{what}: {rate} a second");
}

/// The sink knows the shop; then it is away while so much happens.
fn of_database(database: &dyn Database, bar: u64, more: &str) {
    let name = "rates";
    database.make(name);
    let mut shop = Shop::open_with(&[("JOURNAL_SEGMENT_BYTES", "67108864")]);
    let setup = Setup::new(&shop.url(), &settings(database, name, more));
    let sink = setup.start();
    sink.says("following");
    let begun = database.position(name);
    sink.stop();
    shop.trade(given("EVENTS", 200_000));
    let mark = shop.mark();
    let begun_ms = wall_ms();
    let sink = setup.start();
    until_there(|| database.position(name) >= mark);
    told(&format!("{} {more}", database.kind()), mark - begun, begun_ms, bar);
    sink.stop();
}

/// As `wait::until`, for what takes minutes.
fn until_there(mut is_there: impl FnMut() -> bool) {
    for _ in 0..20 {
        let mut tries = 0_u32;
        let there = wait::until("progress", || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            tries += 1;
            if is_there() { Some(true) } else { (tries > 1_000).then_some(false) }
        });
        if there {
            return;
        }
    }
    panic!("it does not come");
}

#[test]
#[ignore = "takes minutes"]
fn rates_of_databases() {
    if let Some(postgres) = Postgres::start() {
        of_database(&postgres, 20_000, "mode = \"events\"");
    }
    if let Some(postgres) = Postgres::start() {
        of_database(&postgres, 20_000, "mode = \"tables\"");
    }
    if let Some(mariadb) = MariaDb::start() {
        of_database(&mariadb, 10_000, "mode = \"tables\"");
    }
}

#[test]
#[ignore = "takes minutes"]
fn rates_of_streams_and_webhooks() {
    let mut shop = Shop::open_with(&[("JOURNAL_SEGMENT_BYTES", "67108864")]);
    shop.trade(given("EVENTS", 200_000));
    shop.mark();
    let count = u64::try_from(shop.events().len()).expect("it fits");
    if let Some(nats) = Nats::start() {
        let sinks = format!("[[sink]]\nname = \"n\"\nkind = \"nats\"\nurl = \"{}\"\n", nats.url());
        let setup = Setup::new(&shop.url(), &sinks);
        let begun_ms = wall_ms();
        let sink = setup.start();
        until_there(|| nats.count("DOORBUSTER") >= count);
        told("nats", count, begun_ms, 20_000);
        sink.stop();
    }
    let receiver = Receiver::start(|_, _| "200 OK");
    let sinks = format!(
        "[[sink]]\nname = \"w\"\nkind = \"webhook\"\nurl = \"{}\"\nbegin = \"oldest\"\nbatch = 100\n",
        receiver.url()
    );
    let setup = Setup::new(&shop.url(), &sinks);
    let begun_ms = wall_ms();
    let sink = setup.start();
    let calls = usize::try_from(count / 100).expect("it fits");
    until_there(|| receiver.calls().len() >= calls);
    told("webhook batch = 100", count, begun_ms, 5_000);
    sink.stop();
}
