//! Databases hold what the shop holds, whatever is killed on the way.
//!
//! Owns the comparison: rows and lines, units of each SKU, entries, and events, against what the
//! server itself lists. Next: `troubles`.

use crate::child::Setup;
use crate::database::Database;
use crate::mariadb::MariaDb;
use crate::postgres::Postgres;
use crate::shop::Shop;
use doorbuster_test_support::wait;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn settings(database: &dyn Database, name: &str, more: &str) -> String {
    let (kind, url) = (database.kind(), database.url(name));
    format!("[[sink]]\nname = \"db\"\nkind = \"{kind}\"\nurl = \"{url}\"\n{more}\n")
}

/// A number from the environment: more than a test takes time for.
pub(crate) fn given(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().expect("it is a number"))
}

/// Waits until the database has everything up to now.
pub(crate) fn caught_up(shop: &mut Shop, database: &dyn Database, name: &str) {
    let mark = shop.mark();
    wait::until("a database that has it all", || (database.position(name) >= mark).then_some(()));
}

fn by_id(rows: Vec<Value>, id: &str) -> BTreeMap<String, Value> {
    let count = rows.len();
    let rows: BTreeMap<_, _> = rows.into_iter().map(|row| (row[id].to_string(), row)).collect();
    assert_eq!(rows.len(), count, "each once");
    rows
}

/// An instant to the millisecond, whatever a database prints around it.
fn instant(value: &Value) -> Option<String> {
    let text = value.as_str()?.replace('T', " ");
    let (seconds, rest) = text.split_at(19);
    let digits: String =
        rest.trim_start_matches('.').chars().take_while(char::is_ascii_digit).collect();
    Some(format!("{seconds}.{digits:0<3.3}"))
}

fn lines(of: &Value) -> BTreeSet<(String, u64, u64)> {
    let number = |value: &Value| value.as_u64().expect("a number");
    let line = |line: &Value| {
        (line["sku"].to_string(), number(&line["qty"]), number(&line["refunded_qty"]))
    };
    of.as_array().expect("lines").iter().map(line).collect()
}

/// Orders, lines and units are those that the server shows.
pub(crate) fn same(shop: &mut Shop, database: &dyn Database, name: &str) {
    let there = |table: &str| database.rows(name, table).expect("the table is there");
    let mut told: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in there("doorbuster_order_lines") {
        told.entry(line["order_id"].to_string()).or_default().push(line);
    }
    let mut rows = by_id(there("doorbuster_orders"), "id");
    rows.retain(|_, row| row["archived_at"].is_null());
    let orders = by_id(shop.orders(), "id");
    assert_eq!(rows.len(), orders.len(), "as many orders as there are");
    for (id, order) in &orders {
        let row = rows.get(id).unwrap_or_else(|| panic!("no order {id}"));
        assert_eq!(row["user_id"], order["user"], "{id}");
        for member in ["status", "reference", "changed_seq"] {
            assert_eq!(row[member], order[member], "{member} of {order}");
        }
        for member in ["created_at", "expires_at"] {
            assert_eq!(instant(&row[member]), instant(&order[member]), "{member} of {order}");
        }
        let own = Value::Array(told.remove(id).unwrap_or_default());
        assert_eq!(lines(&own), lines(&order["lines"]), "lines of {order}");
    }
    let mut rows = by_id(there("doorbuster_skus"), "sku");
    rows.retain(|_, row| row["deleted_at"].is_null());
    let skus = by_id(shop.skus(), "sku");
    assert_eq!(rows.keys().collect::<Vec<_>>(), skus.keys().collect::<Vec<_>>());
    for (id, sku) in &skus {
        for member in ["total", "available", "held", "sold"] {
            assert_eq!(rows[id][member], sku[member], "{member} of {sku}");
        }
        assert_eq!(rows[id]["settings"]["per_user_limit"], sku["per_user_limit"], "{sku}");
        assert_eq!(rows[id]["settings"]["hold_ms"], sku["hold_ms"], "{sku}");
    }
}

/// The events' table has each event after this sequence, once, as the feed tells it.
pub(crate) fn same_events(shop: &mut Shop, database: &dyn Database, name: &str, after: u64) {
    let rows = database.rows(name, "doorbuster_events").expect("the table is there");
    let rows = by_id(rows, "seq");
    let mut events = shop.events();
    events.retain(|event| event["data"]["seq"].as_u64() > Some(after));
    let events: BTreeMap<_, _> =
        events.into_iter().map(|event| (event["data"]["seq"].to_string(), event)).collect();
    assert_eq!(rows.keys().collect::<Vec<_>>(), events.keys().collect::<Vec<_>>());
    for (seq, event) in &events {
        for member in ["id", "source", "type", "subject", "data"] {
            assert_eq!(rows[seq][member], event[member], "{event}");
        }
        assert_eq!(instant(&rows[seq]["at"]), instant(&event["time"]), "{event}");
    }
}

/// A shop that sold before the sink came, and goes on.
fn begins_with_what_there_is(database: &dyn Database) {
    database.make("begins");
    let mut shop = Shop::open();
    shop.trade(1_500);
    shop.draw("old", 20);
    let setup = Setup::new(&shop.url(), &settings(database, "begins", "mode = \"both\""));
    let sink = setup.start();
    sink.says("following http://127.0.0.1:");
    let begun = database.position("begins");
    same(&mut shop, database, "begins");
    shop.trade(1_500);
    shop.draw("new", 30);
    for user in 100..110 {
        shop.enter("old", user);
    }
    caught_up(&mut shop, database, "begins");
    same(&mut shop, database, "begins");
    same_events(&mut shop, database, "begins", begun);
    for draw in ["old", "new"] {
        let rows = database.rows("begins", "doorbuster_entries").expect("they are there");
        let rows: BTreeMap<_, _> = rows
            .into_iter()
            .filter(|row| row["draw"] == draw)
            .map(|row| (row["entry"].to_string(), row))
            .collect();
        for entry in shop.entries(draw) {
            let row = &rows[&entry["entry"].to_string()];
            assert_eq!(row["user_id"], entry["user"]);
            assert_eq!(row["order_id"], entry["order"]["id"]);
            for member in ["outcome", "pick", "reason", "seq"] {
                assert_eq!(row[member], entry[member], "{entry}");
            }
        }
    }
    sink.stop();
}

/// A SKU that went and came again: what was bought of the old one moves no unit of the new one.
fn knows_which_sku_was_bought(database: &dyn Database) {
    use doorbuster_test_support::client::Ask;
    database.make("skus");
    let mut shop = Shop::open();
    let client = shop.client();
    let mut bought = Vec::new();
    for round in 0..3 {
        client.put_sku("gone", &json!({"stock": 10}));
        for order in 0..2 {
            let key = format!("gone-{round}-{order}");
            let body =
                json!({"user": "ada", "confirm": true, "lines": [{"sku": "gone", "qty": 2}]});
            let made = client.ask(&Ask::post("/v1/orders", &body).key(&key)).expect(201);
            bought.push(made["id"].as_str().expect("an id").to_owned());
        }
        if round < 2 {
            let any = Ask::new("DELETE", "/v1/skus/gone").header("If-Match", "*");
            assert_eq!(client.ask(&any).status, 204);
        }
    }
    // The first of each is given back before the sink sees anything but lists.
    let setup = Setup::new(&shop.url(), &settings(database, "skus", ""));
    let sink = setup.start();
    sink.says("following");
    for id in &bought {
        let ask = Ask::post(format!("/v1/orders/{id}/refund"), &json!({"restock": true}));
        shop.client().ask(&ask).expect(200);
    }
    caught_up(&mut shop, database, "skus");
    same(&mut shop, database, "skus");
    // And once more by events alone.
    let deleted = Ask::new("DELETE", "/v1/skus/gone").header("If-Match", "*");
    assert_eq!(shop.client().ask(&deleted).status, 204);
    shop.client().put_sku("gone", &json!({"stock": 3}));
    caught_up(&mut shop, database, "skus");
    same(&mut shop, database, "skus");
    sink.stop();
}

/// The sink, the database and the server are killed again and again while the shop sells.
fn survives_kills(database: &mut dyn Database) {
    let (kills, events) = (given("KILLS", 8), given("EVENTS", 4_000));
    database.make("kills");
    let mut shop = Shop::open();
    let setup =
        Setup::new(&shop.url(), &settings(database, "kills", "mode = \"both\"\nbatch = 200"));
    let first = setup.start();
    first.says("following");
    let begun = database.position("kills");
    first.kill();
    for round in 0..kills {
        shop.trade(events / kills);
        let before = database.position("kills");
        let sink = setup.start();
        match round % 10 {
            3 => {
                database.stop();
                shop.trade(100);
                database.go_on();
            }
            7 => shop.restart(),
            _ => {}
        }
        // Somewhere between its first batch and its last.
        wait::until("some progress", || (database.position("kills") > before).then_some(()));
        sink.kill();
    }
    let sink = setup.start();
    caught_up(&mut shop, database, "kills");
    same(&mut shop, database, "kills");
    same_events(&mut shop, database, "kills", begun);
    eprintln!("{kills} kills, answers by status: {:?}", shop.answered);
    sink.stop();
}

/// What the server no longer keeps is made up for from lists.
fn is_rebuilt_when_the_feed_is_gone(database: &dyn Database) {
    database.make("rebuilt");
    let mut shop = Shop::open_with(&[
        ("JOURNAL_RETAIN_MS", "1"),
        ("JOURNAL_SEGMENT_BYTES", "262144"),
        ("SNAPSHOTS_KEEP", "2"),
    ]);
    let setup = Setup::new(&shop.url(), &settings(database, "rebuilt", "batch = 50"));
    let sink = setup.start();
    sink.says("following");
    shop.trade(500);
    caught_up(&mut shop, database, "rebuilt");
    sink.kill();
    let before = database.position("rebuilt");
    // Until the segments with what comes next are gone.
    wait::until("a feed that begins later", || {
        use doorbuster_test_support::client::Ask;
        shop.trade(2_000);
        shop.client().ask(&Ask::new("POST", "/v1/admin/snapshot"));
        let page = shop.client().ask(&Ask::get(format!("/v1/events?after={before}")));
        (page.status == 410).then_some(())
    });
    let sink = setup.start();
    sink.says("tables are rebuilt");
    caught_up(&mut shop, database, "rebuilt");
    same(&mut shop, database, "rebuilt");
    shop.trade(500);
    caught_up(&mut shop, database, "rebuilt");
    same(&mut shop, database, "rebuilt");
    sink.stop();
}

fn stops_a_second_instance(database: &dyn Database) {
    database.make("twice");
    let mut shop = Shop::open();
    let sinks = settings(database, "twice", "mode = \"both\"\nbatch = 1");
    let setups = [Setup::new(&shop.url(), &sinks), Setup::new(&shop.url(), &sinks)];
    let first = setups[0].start();
    first.says("following");
    let begun = database.position("twice");
    let second = setups[1].start();
    second.says("following");
    let mut both = [Some(first), Some(second)];
    let over = wait::until("one of them to stop", || {
        shop.trade(50);
        both.iter().position(|sink| {
            sink.as_ref().is_some_and(|sink| sink.said().contains("another instance"))
        })
    });
    let (code, said) = both[over].take().expect("it is there").wait();
    assert_eq!(code, 1, "{said}");
    caught_up(&mut shop, database, "twice");
    same(&mut shop, database, "twice");
    same_events(&mut shop, database, "twice", begun);
}

#[test]
fn postgres_begins_with_what_there_is() {
    let Some(postgres) = Postgres::start() else { return };
    begins_with_what_there_is(&postgres);
    knows_which_sku_was_bought(&postgres);
}

#[test]
fn postgres_survives_kills() {
    let Some(mut postgres) = Postgres::start() else { return };
    survives_kills(&mut postgres);
}

#[test]
fn postgres_is_rebuilt_and_a_second_instance_stops() {
    let Some(postgres) = Postgres::start() else { return };
    is_rebuilt_when_the_feed_is_gone(&postgres);
    stops_a_second_instance(&postgres);
}

#[test]
fn mariadb_begins_with_what_there_is() {
    let Some(mariadb) = MariaDb::start() else { return };
    begins_with_what_there_is(&mariadb);
    knows_which_sku_was_bought(&mariadb);
}

#[test]
fn mariadb_survives_kills() {
    let Some(mut mariadb) = MariaDb::start() else { return };
    survives_kills(&mut mariadb);
}

#[test]
fn mariadb_is_rebuilt_and_a_second_instance_stops() {
    let Some(mariadb) = MariaDb::start() else { return };
    is_rebuilt_when_the_feed_is_gone(&mariadb);
    stops_a_second_instance(&mariadb);
}
