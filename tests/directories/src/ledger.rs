//! The books: what clients were answered against what the server and its journal hold.
//!
//! Owns the checks after a load, whatever ended the server: nothing answered is lost or different,
//! nothing is sold twice, no sequence is missing. Never sends a load: that is `shopper`.

use crate::history::History;
use crate::shopper::{Accepted, catalogue};
use doorbuster::domain::model::event::Event;
use doorbuster_test_support::client::Client;
use doorbuster_test_support::wait;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// The key still has this answer: asked for by key, and by the same request again.
pub fn check_remembered(client: &mut Client, accepted: &Accepted, repeat: bool) {
    let Some(key) = accepted.key() else { return };
    let path = format!("/v1/requests/{}", key.replace('/', "%2F"));
    let kept = client.get(&path);
    assert_eq!(kept["status"], accepted.answer.status, "{key}: {kept}");
    assert_eq!(kept["body"], accepted.answer.json(), "{key}");
    if repeat {
        // Shortly after a start the first spare segment is still being made.
        let again = wait::until("a repeated request is answered", || {
            let again = client.ask(&accepted.ask);
            (again.status != 503).then_some(again)
        });
        assert!(again.is_replayed(), "{key}: {again:?}");
        let (status, body) = (accepted.answer.status, &accepted.answer.body);
        assert_eq!((again.status, &again.body), (status, body), "{key}");
        assert_eq!(again.header("Location"), accepted.answer.header("Location"), "{key}");
    }
}

fn number(body: &Value, name: &str) -> u64 {
    body[name].as_u64().unwrap_or_else(|| panic!("no {name} in {body}"))
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}"))
}

/// All SKUs and all orders of one sequence.
struct Books {
    skus: Vec<Value>,
    orders: HashMap<String, Value>,
}

/// Pages are of one sequence only if none passed while they were read.
fn read_books(client: &mut Client) -> Books {
    wait::until("nothing happens while all pages are read", || {
        let before = number(&client.get("/v1/status"), "seq");
        let skus = pages(client, "skus");
        let all = pages(client, "orders");
        let count = all.len();
        let ids = all.into_iter().map(|order| (text(&order, "id").to_owned(), order));
        let orders: HashMap<String, Value> = ids.collect();
        assert_eq!(orders.len(), count, "an order is listed twice");
        let after = number(&client.get("/v1/status"), "seq");
        (before == after).then_some(Books { skus, orders })
    })
}

fn pages(client: &mut Client, what: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/v1/{what}?limit=100{cursor}"));
        found.extend(page[what].as_array().expect("a page").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
        assert!(found.len() < 1_000_000, "the pages of {what} end");
    }
}

/// Units of each order's lines that are held and sold, by SKU and by SKU and user.
#[derive(Default)]
struct Units {
    held: HashMap<String, u64>,
    sold: HashMap<String, u64>,
    used: HashMap<(String, String), u64>,
}

fn units<'a>(orders: impl Iterator<Item = &'a Value>) -> Units {
    let mut units = Units::default();
    for order in orders {
        let held = match text(order, "status") {
            "held" => true,
            "cancelled" | "expired" => continue,
            _ => false,
        };
        for line in order["lines"].as_array().expect("lines") {
            let sku = text(line, "sku").to_owned();
            let left = number(line, "qty") - number(line, "refunded_qty");
            let used = (sku.clone(), text(order, "user").to_owned());
            *units.used.entry(used).or_default() += left;
            let by_sku = if held { &mut units.held } else { &mut units.sold };
            *by_sku.entry(sku).or_default() += left;
        }
    }
    units
}

/// Compares all that was answered with all that the server shows.
pub fn audit(client: &mut Client, accepted: &[&Accepted]) {
    let books = read_books(client);
    check_orders(&books, accepted);
    let units = units(books.orders.values());
    let moved = moved(accepted);
    let of = |counts: &HashMap<String, u64>, sku: &str| counts.get(sku).copied().unwrap_or(0);
    let mut limits = HashMap::new();
    for (name, stock, limit) in catalogue() {
        let sku = books.skus.iter().find(|sku| sku["sku"] == *name);
        let sku = sku.unwrap_or_else(|| panic!("{name} is gone"));
        let [total, available, held, sold] =
            ["total", "available", "held", "sold"].map(|name| number(sku, name));
        assert_eq!(available + held + sold, total, "{sku}");
        let moved = moved.get(&name).copied().unwrap_or(0);
        assert_eq!(Some(total), stock.checked_add_signed(moved), "{sku}");
        assert_eq!(held, of(&units.held, &name), "held of {sku}");
        assert_eq!(sold, of(&units.sold, &name), "sold of {sku}");
        limits.insert(name, limit);
    }
    for ((sku, user), used) in &units.used {
        let limit = limits[sku];
        assert!(limit == 0 || *used <= limit, "{user} has {used} of {sku}, {limit} allowed");
    }
}

/// No id was given twice, no order is lost, and none is older than a client saw it.
fn check_orders(books: &Books, accepted: &[&Accepted]) {
    let mut created = HashSet::new();
    for accepted in accepted {
        let body = accepted.answer.json();
        let Some(id) = body["id"].as_str().map(str::to_owned) else { continue };
        let now = books.orders.get(&id).unwrap_or_else(|| panic!("{id} is lost: {body}"));
        for name in ["user", "reference", "created_at"] {
            assert_eq!(now[name], body[name], "{name} of {id}");
        }
        let (then, changed) = (number(&body, "changed_seq"), number(now, "changed_seq"));
        assert!(changed >= then, "{now} was {body} before");
        if changed == then {
            assert_eq!((&now["status"], &now["lines"]), (&body["status"], &body["lines"]), "{id}");
            assert_eq!(now["expires_at"], body["expires_at"], "{id}");
        }
        if accepted.answer.status == 201 {
            assert!(created.insert(id), "an order id was given twice: {body}");
        }
    }
}

/// How adjustments and returned units that were not put back on sale moved each SKU's total.
/// Returning to an order that has nothing left to return is answered as well, and changes nothing.
fn moved(accepted: &[&Accepted]) -> HashMap<String, i64> {
    let mut moved = HashMap::new();
    for accepted in accepted {
        let answer = accepted.answer.json();
        let body = accepted.ask.body.as_deref().map(serde_json::from_str::<Value>);
        let Some(Ok(body)) = body else { continue };
        if let Some(delta) = body["delta"].as_i64() {
            *moved.entry(text(&answer, "sku").to_owned()).or_default() += delta;
        } else if body["restock"] == false && answer["changed_seq"] == answer["seq"] {
            let line = &body["lines"][0];
            let units = i64::try_from(number(line, "qty")).expect("few units");
            *moved.entry(text(line, "sku").to_owned()).or_default() -= units;
        }
    }
    moved
}

/// Each answer's sequence is the journal's record of it. That sequences have no gap, `History` saw.
pub fn check_journal(history: &History, accepted: &[&Accepted]) {
    for accepted in accepted {
        let body = accepted.answer.json();
        let sequence = number(&body, "seq");
        let record = history.record(sequence);
        if body["id"].is_null() {
            let (Event::SkuAdjusted(adjusted) | Event::AdjustmentRepeated(adjusted)) =
                &record.event
            else {
                panic!("{body} is answered at {record:?}")
            };
            let total = number(&body, "total");
            assert_eq!((adjusted.sku.as_str(), adjusted.total), (text(&body, "sku"), total));
            continue;
        }
        let id = text(&body, "id");
        if accepted.answer.status == 201 {
            let Event::OrderCreated(created) = &record.event else {
                panic!("{body} is answered at {record:?}")
            };
            assert_eq!(created.user.as_str(), text(&body, "user"));
            let lines = created.lines.iter();
            let lines: Vec<_> =
                lines.map(|line| (line.sku.as_str(), u64::from(line.quantity))).collect();
            let answered = body["lines"].as_array().expect("lines").iter();
            let answered: Vec<_> =
                answered.map(|line| (text(line, "sku"), number(line, "qty"))).collect();
            assert_eq!(lines, answered, "{id}");
        } else if accepted.key().is_some() {
            let order = record.event.order().unwrap_or_else(|| panic!("{body} at {record:?}"));
            assert!(id.ends_with(&format!("-{}", order.sequence)), "{body} at {record:?}");
        }
    }
}
