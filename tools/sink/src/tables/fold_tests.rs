//! What events mean, without a database.

use super::fold::{Need, Rows, Slot};
use super::rows::SkuRow;
use crate::event::Event;
use crate::testing::event;
use serde_json::{Value, json};

fn about(seq: u64, word: &str, data: Value) -> Event {
    event(seq, word, "orders/x", data)
}

fn put(seq: u64, sku: &str, total: u64, created: bool) -> Event {
    about(seq, "sku.put", json!({"sku": sku, "total": total, "created": created, "paused": false}))
}

fn created(seq: u64, sku: &str, qty: u64) -> Event {
    let lines = json!([{"sku": sku, "qty": qty}]);
    let data = json!({"id": format!("1-{seq}"), "user": "ada", "status": "held", "lines": lines,
        "created_at": "2027-01-15T08:00:00.000Z", "expires_at": "2027-01-15T08:05:00.000Z"});
    about(seq, "order.created", data)
}

fn moved(seq: u64, word: &str, id: &str) -> Event {
    about(seq, word, json!({"id": id}))
}

fn folded(rows: &mut Rows, events: &[Event]) {
    for event in events {
        assert_eq!(rows.fold(event), Ok(()), "{event:?}");
    }
}

/// Total, available, held and sold.
fn units(rows: &Rows, sku: &str) -> [i64; 4] {
    let SkuRow { total, held, sold, .. } = rows.skus[sku].row;
    [total, rows.skus[sku].row.available(), held, sold]
}

fn status<'a>(rows: &'a Rows, id: &str) -> &'a str {
    &rows.orders[id].row.status
}

#[test]
fn units_follow_their_orders() {
    let mut rows = Rows::default();
    folded(&mut rows, &[put(1, "a", 10, true), created(2, "a", 3), created(3, "a", 2)]);
    assert_eq!(units(&rows, "a"), [10, 5, 5, 0]);
    folded(&mut rows, &[moved(4, "order.confirmed", "1-2"), moved(5, "order.cancelled", "1-3")]);
    assert_eq!(units(&rows, "a"), [10, 7, 0, 3]);
    let lines = json!([{"sku": "a", "qty": 1}]);
    let part = json!({"id": "1-2", "lines": lines, "restock": false});
    folded(&mut rows, &[about(6, "order.refunded", part)]);
    assert_eq!((units(&rows, "a"), status(&rows, "1-2")), ([9, 7, 0, 2], "confirmed"));
    let rest = json!({"id": "1-2", "restock": true});
    folded(&mut rows, &[about(7, "order.refunded", rest)]);
    assert_eq!((units(&rows, "a"), status(&rows, "1-2")), ([9, 9, 0, 0], "refunded"));
    folded(&mut rows, &[moved(8, "order.reacquired", "1-3")]);
    assert_eq!((units(&rows, "a"), status(&rows, "1-3")), ([9, 7, 0, 2], "confirmed"));
}

#[test]
fn an_event_that_was_folded_changes_nothing_more() {
    let mut rows = Rows::default();
    let events = [
        put(1, "a", 10, true),
        created(2, "a", 3),
        moved(3, "order.confirmed", "1-2"),
        about(4, "order.refunded", json!({"id": "1-2", "restock": true})),
    ];
    folded(&mut rows, &events);
    let (before, order) = (units(&rows, "a"), rows.orders["1-2"].row.clone());
    folded(&mut rows, &events);
    assert_eq!((units(&rows, "a"), &rows.orders["1-2"].row), (before, &order));
}

/// The new SKU of an old name is another one: its units are its own.
#[test]
fn a_refund_of_a_deleted_sku_moves_no_unit_of_its_successor() {
    let mut rows = Rows::default();
    folded(
        &mut rows,
        &[
            put(1, "a", 10, true),
            created(2, "a", 3),
            moved(3, "order.confirmed", "1-2"),
            about(4, "sku.deleted", json!({"sku": "a"})),
            put(5, "a", 20, true),
            about(6, "order.refunded", json!({"id": "1-2", "restock": true})),
        ],
    );
    assert_eq!((units(&rows, "a"), status(&rows, "1-2")), ([20, 20, 0, 0], "refunded"));
}

/// A list does not say which SKU a line is of; then the server is asked, and nothing has changed.
#[test]
fn a_listed_line_has_its_sku_looked_up() {
    let mut rows = Rows::default();
    folded(&mut rows, &[put(1, "a", 10, true), created(2, "a", 3)]);
    folded(&mut rows, &[moved(3, "order.confirmed", "1-2")]);
    let Some(Slot { row, .. }) = rows.orders.get_mut("1-2") else { panic!("it is there") };
    row.lines[0].sku_seq = None;
    let Some(Slot { row, .. }) = rows.skus.get_mut("a") else { panic!("it is there") };
    row.created_seq = Some(0);
    let refund = about(4, "order.refunded", json!({"id": "1-2", "restock": true}));
    assert_eq!(rows.fold(&refund), Err(Need::Sku("a".to_owned())));
    assert_eq!((units(&rows, "a"), status(&rows, "1-2")), ([10, 7, 0, 3], "confirmed"));
    // As it was listed at a later sequence: the refund is in it.
    let Some(Slot { row, .. }) = rows.skus.get_mut("a") else { panic!("it is there") };
    (row.counted_seq, row.sold) = (9, 0);
    folded(&mut rows, &[refund]);
    assert_eq!((units(&rows, "a"), status(&rows, "1-2")), ([10, 10, 0, 0], "refunded"));
}

#[test]
fn a_win_is_an_order_and_an_unknown_draw_is_looked_up() {
    let mut rows = Rows::default();
    let prizes = json!([{"sku": "a", "weight": 1}]);
    let draw = json!({"draw": "d", "created": true, "prizes": prizes, "commitment": "00"});
    let entry = |seq: u64, prize: Option<u64>| {
        let order = prize.map(|_| format!("1-{seq}"));
        let outcome = if prize.is_some() { "won" } else { "lost" };
        let data = json!({"draw": "d", "entry": seq, "user": "ada", "outcome": outcome,
            "prize": prize, "reason": "x", "order": order, "expires_at": null});
        about(seq, "draw.entered", data)
    };
    assert_eq!(rows.fold(&entry(1, None)), Err(Need::Draw("d".to_owned())));
    folded(&mut rows, &[put(2, "a", 5, true), about(3, "draw.put", draw)]);
    folded(&mut rows, &[entry(4, Some(0)), entry(5, None)]);
    assert_eq!((units(&rows, "a"), status(&rows, "1-4")), ([5, 4, 0, 1], "confirmed"));
    let picks: Vec<_> = rows.entries.iter().map(|entry| entry.pick.as_deref()).collect();
    assert_eq!(picks, [Some("a"), None]);
}

#[test]
fn an_archived_order_stays_and_is_marked() {
    let mut rows = Rows::default();
    folded(&mut rows, &[put(1, "a", 5, true), created(2, "a", 1)]);
    folded(&mut rows, &[moved(3, "order.expired", "1-2")]);
    folded(&mut rows, &[about(4, "orders.archived", json!({"orders": ["1-2", "1-9"]}))]);
    assert_eq!(rows.orders["1-2"].row.archived_ms, Some(1_800_000_000_123));
    assert_eq!((rows.orders.len(), units(&rows, "a")), (1, [5, 5, 0, 0]));
}
