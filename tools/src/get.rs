//! `order` and `sku`: one thing as the contract shows it, and for an order all that happened to it.
//!
//! Reads through the rules' own queries, so what is shown is what a client would see. The history
//! comes from the journal as far as it is kept. Never writes. Next: `events`.

use crate::events;
use crate::inspect::{self, Findings, Span, Table, Trouble};
use crate::instant;
use crate::members;
use doorbuster::codec;
use doorbuster::domain::model::answer::{Answer, OrderView};
use doorbuster::domain::model::command::{Command, Principal, Query, Reach, Request};
use doorbuster::domain::model::draw::Reason;
use doorbuster::domain::model::event::Event;
use doorbuster::domain::model::ids::{OrderId, PrincipalName, SkuId};
use doorbuster::domain::model::lives::Lost;
use doorbuster::domain::rules::decide::{Decision, decide};
use doorbuster::domain::state::tables::State;
use doorbuster_journal::{DumpContent, Frame, VisitError, dump};
use serde_json::{Value, json};
use std::path::Path;

const HISTORY: &[&str] = &["seq", "stamp", "epoch", "principal", "event"];

pub(crate) fn order(data: &Path, id: &str, span: Span) -> Result<Findings, Trouble> {
    let not_there = |told: String| Err(Trouble::NotThere(told));
    let state = inspect::read(data, span)?.state;
    let sequence = state.sequence;
    let order = match state.lives.cursor(id) {
        Some(Ok(order)) => order,
        Some(Err(Lost)) => {
            return not_there(format!(
                "up to sequence {sequence} no start of this journal gave {id} out"
            ));
        }
        None => return not_there(format!("{id} is no order's id: they are <life>-<sequence>")),
    };
    let rows = history(data, order, &state)?;
    let mut facts = match ask(&state, Query::Order(order)) {
        Answer::Order(view) => order_facts(&state, &view),
        _ if rows.is_empty() => {
            return not_there(format!("there is no order {id} at sequence {sequence}"));
        }
        // It left the table; what it was is still told.
        _ => vec![("id", id.into()), ("status", "not kept any more".into())],
    };
    facts.push(("seq", state.sequence.into()));
    let table = Table { name: "history", columns: HISTORY, rows };
    Ok(Findings::good(facts, Some(table)))
}

pub(crate) fn sku(data: &Path, id: &str, span: Span) -> Result<Findings, Trouble> {
    let Ok(sku) = SkuId::parse(id) else {
        return Err(Trouble::NotThere(format!("{id} cannot be a SKU's id")));
    };
    let state = inspect::read(data, span)?.state;
    let Answer::Sku(view) = ask(&state, Query::Sku(sku)) else {
        let told = format!("there is no SKU {id} at sequence {}", state.sequence);
        return Err(Trouble::NotThere(told));
    };
    let refused = view.refused.iter().map(|(reason, count)| (reason.as_str(), count.into()));
    let mut facts = vec![
        ("sku", view.sku.as_str().into()),
        ("total", view.total.into()),
        ("available", view.available().into()),
        ("held", view.held.into()),
        ("sold", view.sold.into()),
        ("refused", members::object(refused.collect())),
    ];
    facts.extend(events::sku_settings(&view.settings));
    facts.push(("version", view.version.into()));
    facts.push(("seq", state.sequence.into()));
    facts.push(("now", members::instant(Some(state.stamp))));
    Ok(Findings::good(facts, None))
}

/// Asks the rules, as somebody who may see everything.
fn ask(state: &State, query: Query) -> Answer {
    let principal = Principal { name: PrincipalName::local(), reach: Reach::All };
    let command = Command::Read(Box::new(query));
    let request = Request { principal, key: None, traceparent: None, command };
    match decide(state, &request, state.stamp) {
        Decision::Answer(answered) => answered.answer,
        Decision::Change(_) | Decision::First(_) => unreachable!("a read changes nothing"),
    }
}

fn order_facts(state: &State, view: &OrderView) -> Vec<(&'static str, Value)> {
    let slot = state.orders.find(view.order).expect("it was just seen");
    let principal = &state.principals[state.orders[slot].principal].name;
    let line = |line: &doorbuster::domain::model::answer::LineView| json!({ "sku": line.sku.as_str(), "qty": line.quantity, "refunded_qty": line.refunded });
    vec![
        ("id", state.lives.text(view.order).as_str().into()),
        ("user", view.user.as_str().into()),
        ("status", view.status.as_str().into()),
        ("lines", view.lines.iter().map(line).collect()),
        ("reference", view.reference.as_deref().into()),
        ("created_at", members::instant(Some(view.created_at))),
        ("expires_at", members::instant(view.expires_at)),
        ("changed_seq", view.changed_sequence.into()),
        ("principal", principal.as_str().into()),
    ]
}

/// Every event of an order up to the state's sequence, from all segments that are there.
fn history(data: &Path, order: OrderId, state: &State) -> Result<Vec<Vec<Value>>, Trouble> {
    let mut rows = Vec::new();
    let mut seen = order.sequence.saturating_sub(1);
    dump(&inspect::open(data)?, &mut |item| {
        if let DumpContent::Frame { frame, .. } = &item.content {
            history_of_frame(frame, order, state, &mut seen, &mut rows)?;
        }
        Ok(())
    })?;
    Ok(rows)
}

fn history_of_frame(
    frame: &Frame<'_>,
    order: OrderId,
    state: &State,
    seen: &mut u64,
    rows: &mut Vec<Vec<Value>>,
) -> Result<(), VisitError> {
    for (sequence, bytes) in frame.records() {
        if sequence <= *seen || sequence > state.sequence {
            continue;
        }
        *seen = sequence;
        // The replay has read what counts; what else lies here may be anything.
        let Ok(record) = codec::decode_record(bytes) else { continue };
        let created = OrderId { epoch: frame.epoch(), sequence };
        if concerns(&record.event, created, order) {
            rows.push(vec![
                sequence.into(),
                instant::text(frame.stamp_ms()).into(),
                frame.epoch().into(),
                record.origin.as_ref().map(|origin| origin.principal.as_str()).into(),
                events::line(&record.event, &state.lives).into(),
            ]);
        }
    }
    Ok(())
}

fn concerns(event: &Event, created: OrderId, order: OrderId) -> bool {
    match event {
        Event::OrderCreated(_) => created == order,
        Event::EntryMade(made) => made.reason == Reason::Won && created == order,
        Event::HoldsGraced(graced) => graced.orders.contains(&order),
        Event::OrdersArchived(orders) => orders.contains(&order),
        event => event.order() == Some(order),
    }
}
