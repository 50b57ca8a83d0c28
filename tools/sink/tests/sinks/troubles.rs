//! What goes wrong is a sentence that names the remedy; what was wrong and is put right goes on.

use crate::child::Setup;
use crate::database::Database;
use crate::mariadb::MariaDb;
use crate::postgres::Postgres;
use crate::shop::Shop;
use crate::tables::{caught_up, same, settings};
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::wait;
use serde_json::json;
use std::fs;

/// A constraint of the shop's own refuses an order; the others go on, and when the constraint is
/// gone the dead letters make the same rows.
fn holds_back_what_is_refused(database: &dyn Database) {
    database.make("poison");
    let mut shop = Shop::open();
    let setup = Setup::new(&shop.url(), "");
    setup.say(&shop.url(), &settings(database, "poison", ""), "[dead]\nafter = 2\n");
    let sink = setup.start();
    sink.says("following");
    let rule = "alter table doorbuster_orders add constraint no_poison \
         check (reference is null or reference <> 'poison')";
    database.run("poison", rule);
    let body = json!({"user": "ada", "reference": "poison", "lines": [{"sku": "sku-1", "qty": 2}]});
    let made = shop.client().ask(&Ask::post("/v1/orders", &body).key("poison")).expect(201);
    let id = made["id"].as_str().expect("an id").to_owned();
    shop.trade(200);
    shop.client().ask(&Ask::act(&id, "confirm")).expect(200);
    shop.trade(200);
    caught_up(&mut shop, database, "poison");
    let orders = shop.orders().len();
    let rows = database.rows("poison", "doorbuster_orders").expect("they are there");
    assert_eq!(rows.len() + 1, orders, "all but one");
    let listed = setup.ended(&["dead", "list", "--sink", "db"]).stdout;
    assert_eq!(String::from_utf8(listed).expect("text").lines().count(), 2);
    database.run("poison", "alter table doorbuster_orders drop constraint no_poison");
    let subject = format!("orders/{id}");
    let asked = setup.ended(&["dead", "retry", "--sink", "db", "--subject", &subject]);
    assert!(String::from_utf8_lossy(&asked.stdout).starts_with("2 letters"), "{asked:?}");
    wait::until("no letters", || setup.ended(&["dead", "list"]).stdout.is_empty().then_some(()));
    same(&mut shop, database, "poison");
    sink.stop();
}

/// By default the sink stops instead.
fn stops_at_what_is_refused(database: &dyn Database) {
    database.make("stops");
    let mut shop = Shop::open();
    let setup = Setup::new(&shop.url(), &settings(database, "stops", ""));
    let sink = setup.start();
    sink.says("following");
    let rule = "alter table doorbuster_orders add constraint no_orders check (id = '')";
    database.run("stops", rule);
    shop.trade(20);
    let (code, said) = sink.wait();
    assert_eq!(code, 1);
    assert!(said.contains("was refused") && said.contains("dead.after"), "{said}");
    database.run("stops", "alter table doorbuster_orders drop constraint no_orders");
    let sink = setup.start();
    caught_up(&mut shop, database, "stops");
    same(&mut shop, database, "stops");
    sink.stop();
}

/// The server is put back to an older state: the sink stops, and what it says to do works.
fn stops_where_the_server_went_back(database: &dyn Database) {
    database.make("back");
    let mut shop = Shop::open();
    shop.trade(100);
    let setup = Setup::new(&shop.url(), &settings(database, "back", ""));
    let sink = setup.start();
    sink.says("following");
    shop.kill();
    let copy = crate::child::target().directory();
    copy_all(shop.data.path(), copy.path());
    shop.start();
    shop.trade(200);
    caught_up(&mut shop, database, "back");
    shop.kill();
    fs::remove_dir_all(shop.data.path()).expect("it goes");
    fs::create_dir(shop.data.path()).expect("it comes");
    copy_all(copy.path(), shop.data.path());
    shop.start();
    let (code, said) = sink.wait();
    assert_eq!(code, 1);
    assert!(said.contains("diverged") && said.contains("delete this sink's position"), "{said}");
    shop.forget();
    // As docs/SINKS.md says it.
    for table in ["order_lines", "orders", "skus", "entries", "draws", "position"] {
        database.run("back", &format!("delete from doorbuster_{table}"));
    }
    let sink = setup.start();
    shop.trade(100);
    caught_up(&mut shop, database, "back");
    same(&mut shop, database, "back");
    sink.stop();
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it can be read");
        let into = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&into).expect("it is made");
            copy_all(&entry.path(), &into);
        } else {
            fs::copy(entry.path(), into).expect("it is copied");
        }
    }
}

/// The database is away while the shop sells: alert at the third failure, memory stays, and all of
/// it comes.
fn waits_for_a_database_that_is_away(database: &mut dyn Database) {
    database.make("away");
    let mut shop = Shop::open();
    let setup = Setup::new(&shop.url(), &settings(database, "away", ""));
    let sink = setup.start();
    sink.says("following");
    database.stop();
    shop.trade(3_000);
    sink.says("fails: ");
    let before = sink.resident_bytes();
    shop.trade(12_000);
    let grown = sink.resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more");
    database.go_on();
    caught_up(&mut shop, database, "away");
    same(&mut shop, database, "away");
    assert!(sink.said().contains("works again"));
    sink.stop();
}

#[test]
fn postgres_refuses_and_goes_back_and_is_away() {
    let Some(mut postgres) = Postgres::start() else { return };
    holds_back_what_is_refused(&postgres);
    stops_at_what_is_refused(&postgres);
    stops_where_the_server_went_back(&postgres);
    waits_for_a_database_that_is_away(&mut postgres);
}

#[test]
fn mariadb_refuses_and_is_away() {
    let Some(mut mariadb) = MariaDb::start() else { return };
    holds_back_what_is_refused(&mariadb);
    stops_at_what_is_refused(&mariadb);
    waits_for_a_database_that_is_away(&mut mariadb);
}

#[test]
fn what_is_wrong_is_said_before_anything_is_written() {
    let Some(postgres) = Postgres::start() else { return };
    let shop = Shop::open();
    postgres.make("wrong");
    let checked = |sinks: &str| {
        let setup = Setup::new(&shop.url(), sinks);
        let ran = setup.ended(&["check"]);
        (ran.status.code(), String::from_utf8(ran.stdout).expect("text"))
    };
    let good = settings(&postgres, "wrong", "");
    let (code, text) = checked(&good);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("good  db: PostgreSQL"), "{text}");
    assert_eq!(postgres.rows("wrong", "doorbuster_position"), None, "nothing is made");
    postgres.run("wrong", "create role limited login");
    postgres.run("wrong", "revoke all on schema public from public");
    postgres.run("wrong", "create schema other; create table other.doorbuster_orders (x int)");
    for (from, to, part) in [
        ("/wrong", "/absent", "make the database"),
        ("shop@", "nobody@", "make the role"),
        ("shop@", "limited@", "may not make tables"),
    ] {
        let (code, text) = checked(&good.replace(from, to));
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(part), "{part}: {text}");
    }
    let elsewhere = good.replace("/wrong", "/wrong?options=-csearch_path%3Dother");
    let (code, said) = Setup::new(&shop.url(), &elsewhere).start().wait();
    assert_eq!(code, 1);
    assert!(said.contains("is not one of ours"), "{said}");
    let (code, text) = checked(&good.replace("kind = \"postgres\"", "kind = \"paper\""));
    assert_eq!((code, text.as_str()), (Some(3), ""));
}
