//! Records as an operator reads them: every member by its name, but no secret.
//!
//! The only place that turns events into text. Never prints the hash key of a start: whoever has
//! it can tell which idempotency keys were used. Nor the seed of a draw: before the draw is closed,
//! whoever has it can tell who will win.

use crate::members::{Members, hex, instant, lines, object, orders, word};
use crate::refusals;
use doorbuster::domain::model::command::{
    Adjustment, Patch, Precondition, SkuChanges, SkuSettings, Take,
};
use doorbuster::domain::model::draw::Prize;
use doorbuster::domain::model::event::{DrawPut, Event, Origin, Record, SkuAdjusted, Started};
use doorbuster::domain::model::lives::Lives;
use doorbuster::domain::model::settings::Settings;
use serde_json::{Map, Value, json};

pub(crate) fn name(event: &Event) -> &'static str {
    match event {
        Event::Started(_) => "started",
        Event::SettingsChanged(_) => "settings_changed",
        Event::SkuPut(_) => "sku_put",
        Event::SkuPatched(_) => "sku_patched",
        Event::SkuAdjusted(_) => "sku_adjusted",
        Event::SkuDeleted(_) => "sku_deleted",
        Event::OrderCreated(_) => "order_created",
        Event::OrderConfirmed(_) => "order_confirmed",
        Event::OrderReacquired(_) => "order_reacquired",
        Event::OrderCancelled(_) => "order_cancelled",
        Event::OrderExpired(_) => "order_expired",
        Event::OrderExtended(_) => "order_extended",
        Event::HoldsGraced(_) => "holds_graced",
        Event::OrderShipped(_) => "order_shipped",
        Event::OrderCompleted(_) => "order_completed",
        Event::OrderRefunded(_) => "order_refunded",
        Event::AnswerRepeated(_) => "answer_repeated",
        Event::KeysForgotten(_) => "keys_forgotten",
        Event::OrdersArchived(_) => "orders_archived",
        Event::UsesPurged(_) => "uses_purged",
        Event::RefusalsCounted(_) => "refusals_counted",
        Event::DrawPut(_) => "draw_put",
        Event::DrawClosed(_) => "draw_closed",
        Event::DrawCloseRepeated(_) => "draw_close_repeated",
        Event::DrawDeleted(_) => "draw_deleted",
        Event::EntryMade(_) => "entry_made",
        Event::EntriesPurged(_) => "entries_purged",
        Event::AdjustmentRepeated(_) => "adjustment_repeated",
        Event::RefusalsKept(_) => "refusals_kept",
        Event::RefusalsNotKept(_) => "refusals_not_kept",
    }
}

/// What the event holds.
pub(crate) fn members(event: &Event, lives: &Lives) -> Members {
    match event {
        Event::Started(started) => started_members(started),
        Event::SettingsChanged(settings) => settings_members(settings),
        Event::SkuPut(put) => {
            let mut members = vec![("sku", put.sku.as_str().into()), ("stock", put.stock.into())];
            members.extend(sku_settings(&put.settings));
            members.extend(precondition(&put.precondition));
            members.push(("created", put.created.into()));
            members
        }
        Event::SkuPatched(patched) => {
            let mut members = vec![("sku", patched.patch.sku.as_str().into())];
            members.push(("changes", changes(&patched.patch.changes)));
            members.extend(precondition(&patched.patch.precondition));
            members.push(("settings", object(sku_settings(&patched.settings))));
            members
        }
        Event::SkuAdjusted(adjusted) | Event::AdjustmentRepeated(adjusted) => {
            adjusted_members(adjusted)
        }
        Event::SkuDeleted(deleted) => {
            let sku = [("sku", deleted.sku.as_str().into())];
            sku.into_iter().chain(precondition(&deleted.precondition)).collect()
        }
        Event::KeysForgotten(count) => vec![("count", (*count).into())],
        Event::OrdersArchived(ids) => vec![("orders", orders(ids, lives))],
        Event::UsesPurged(purged) => {
            vec![("created_seq", purged.created_sequence.into()), ("count", purged.count.into())]
        }
        Event::RefusalsCounted(counts) => {
            let count = |of: &doorbuster::domain::model::event::RefusalCount| json!({ "sku": of.sku.as_str(), "reason": of.reason.as_str(), "count": of.count });
            vec![("refused", counts.iter().map(count).collect())]
        }
        Event::DrawPut(put) => put_draw_members(put),
        Event::DrawClosed(draw) | Event::DrawCloseRepeated(draw) => {
            vec![("draw", draw.as_str().into())]
        }
        Event::DrawDeleted(deleted) => {
            let draw = [("draw", deleted.draw.as_str().into())];
            draw.into_iter().chain(precondition(&deleted.precondition)).collect()
        }
        Event::EntryMade(made) => vec![
            ("draw", made.draw.as_str().into()),
            ("entry", made.number.into()),
            ("user", made.user.as_str().into()),
            ("client_seed", made.client_seed.as_deref().into()),
            ("pick", made.pick.into()),
            ("reason", made.reason.as_str().into()),
            ("expires_at", instant(made.expires_at)),
        ],
        Event::EntriesPurged(purged) => {
            vec![("created_seq", purged.created_sequence.into()), ("count", purged.count.into())]
        }
        Event::RefusalsKept(kept) => {
            vec![("refusals", kept.iter().map(|kept| refusals::object(kept, lives)).collect())]
        }
        Event::RefusalsNotKept(lost) => {
            vec![("count", lost.count.into()), ("since_seq", lost.since.into())]
        }
        event => order_members(event, lives),
    }
}

fn put_draw_members(put: &DrawPut) -> Members {
    let prize = |prize: &Prize| json!({ "sku": prize.sku.as_str(), "weight": prize.weight });
    let mut members = vec![
        ("draw", put.draw.as_str().into()),
        ("prizes", put.terms.odds.prizes().iter().map(prize).collect()),
        ("blank_weight", put.terms.odds.blank_weight().into()),
        ("entries_per_user", put.admission.entries_per_user.into()),
        ("opens_at", instant(put.admission.opens_at)),
        ("closes_at", instant(put.admission.closes_at)),
        ("hold_ms", put.terms.hold_ms.into()),
        ("confirm", put.terms.sell.into()),
        ("commitment", put.sealed.map(|sealed| hex(&sealed.commitment)).into()),
    ];
    members.extend(precondition(&put.precondition));
    members
}

fn order_members(event: &Event, lives: &Lives) -> Members {
    let mut members: Members = Vec::new();
    if let Some(order) = event.order() {
        members.push(("order", lives.text(order).as_str().into()));
    }
    match event {
        Event::OrderCreated(created) => {
            members.push(("user", created.user.as_str().into()));
            members.push(("lines", lines(&created.lines)));
            members.push(("reference", created.reference.as_deref().into()));
            match created.take {
                Take::Hold(hold_ms) => members.push(("hold_ms", hold_ms.into())),
                Take::Sell => members.push(("confirm", true.into())),
            }
            members.push(("expires_at", instant(created.expires_at)));
        }
        Event::OrderExtended(extended) => {
            members.push(("hold_ms", extended.hold_ms.into()));
            members.push(("expires_at", instant(Some(extended.expires_at))));
        }
        Event::HoldsGraced(graced) => {
            members.push(("orders", orders(&graced.orders, lives)));
            members.push(("expires_at", instant(Some(graced.expires_at))));
        }
        Event::OrderRefunded(refunded) => {
            members.push(("lines", lines(&refunded.lines)));
            members.push(("restock", refunded.restock.into()));
        }
        Event::AnswerRepeated(repeated) => {
            members.push(("action", repeated.action.verb().as_str().into()));
        }
        _ => {}
    }
    members
}

fn started_members(started: &Started) -> Members {
    vec![
        ("epoch", started.epoch.into()),
        ("life", started.life.map(|life| life.to_string()).into()),
        ("answers_before_sync", started.answers_before_sync.into()),
        ("lost_from", started.lost_from.into()),
    ]
}

fn settings_members(settings: &Settings) -> Members {
    let caps = &settings.caps;
    vec![
        ("hold_ms_default", settings.hold_ms_default.into()),
        ("hold_ms_max", settings.hold_ms_max.into()),
        ("open_holds_per_user_max", settings.open_holds_per_user_max.into()),
        ("recovery_grace_ms", settings.recovery_grace_ms.into()),
        ("idempotency_retain_ms", settings.idempotency_retain_ms.into()),
        ("orders_retain_ms", settings.orders_retain_ms.into()),
        (
            "caps",
            json!({
                "skus": caps.skus, "orders": caps.orders, "keys": caps.keys,
                "answers": caps.answers, "uses": caps.uses, "users": caps.users,
                "draws": caps.draws, "entries": caps.entries,
            }),
        ),
    ]
}

fn adjusted_members(adjusted: &SkuAdjusted) -> Members {
    let mut members = vec![("sku", adjusted.sku.as_str().into())];
    members.push(match adjusted.adjustment {
        Adjustment::Delta(delta) => ("delta", delta.into()),
        Adjustment::Stock(stock) => ("stock", stock.into()),
    });
    members.push(("reason", adjusted.reason.as_str().into()));
    members.extend(precondition(&adjusted.precondition));
    members.push(("total", adjusted.total.into()));
    members
}

/// The settings of a SKU under the names of the contract.
pub(crate) fn sku_settings(settings: &SkuSettings) -> Members {
    vec![
        ("per_user_limit", settings.per_user_limit.into()),
        ("limit_group", settings.limit_group.as_ref().map(|group| group.as_str()).into()),
        ("opens_at", instant(settings.opens_at)),
        ("closes_at", instant(settings.closes_at)),
        ("hold_ms", settings.hold_ms.into()),
        ("paused", settings.paused.into()),
        ("direct", settings.direct.into()),
    ]
}

fn changes(changes: &SkuChanges) -> Value {
    fn put<T>(map: &mut Map<String, Value>, name: &str, of: &Patch<T>, show: fn(&T) -> Value) {
        match of {
            Patch::Keep => {}
            Patch::Reset => drop(map.insert(name.to_owned(), Value::Null)),
            Patch::Set(value) => drop(map.insert(name.to_owned(), show(value))),
        }
    }
    let mut map = Map::new();
    put(&mut map, "per_user_limit", &changes.per_user_limit, |limit| (*limit).into());
    put(&mut map, "limit_group", &changes.limit_group, |group| {
        group.as_ref().map(|group| group.as_str()).into()
    });
    put(&mut map, "opens_at", &changes.opens_at, |at| instant(*at));
    put(&mut map, "closes_at", &changes.closes_at, |at| instant(*at));
    put(&mut map, "hold_ms", &changes.hold_ms, |hold_ms| (*hold_ms).into());
    put(&mut map, "paused", &changes.paused, |paused| (*paused).into());
    put(&mut map, "direct", &changes.direct, |direct| (*direct).into());
    Value::Object(map)
}

fn precondition(precondition: &Precondition) -> Option<(&'static str, Value)> {
    match precondition {
        Precondition::None => None,
        Precondition::Exists => Some(("if_match", "*".into())),
        Precondition::Version(version) => {
            let version = version.map_or("not a version".to_owned(), |version| version.to_string());
            Some(("if_match", version.into()))
        }
        Precondition::Absent => Some(("if_none_match", "*".into())),
        Precondition::OneOf(versions) => Some(("if_match", json!(versions))),
        Precondition::NoneOf { versions, .. } => Some(("if_none_match", json!(versions))),
    }
}

fn origin(origin: &Origin) -> Members {
    let mut members: Members = vec![("principal", origin.principal.as_str().into())];
    if let Some(key) = origin.key {
        members.push(("key_hash", format!("{:032x}", key.hash).into()));
    }
    if let Some(trace) = origin.traceparent {
        let (id, parent) = (hex(&trace.trace), hex(&trace.parent));
        members.push(("traceparent", format!("00-{id}-{parent}-{:02x}", trace.flags).into()));
    }
    members
}

/// A record as one object.
pub(crate) fn record_object(record: &Record, lives: &Lives) -> Members {
    let mut all = record.origin.as_ref().map(origin).unwrap_or_default();
    all.push(("event", name(&record.event).into()));
    all.push(("members", object(members(&record.event, lives))));
    all
}

/// `order_created user=u1 lines=[{"qty":1,"sku":"A"}]`
pub(crate) fn line(event: &Event, lives: &Lives) -> String {
    let mut line = name(event).to_owned();
    for (name, value) in members(event, lives).into_iter().filter(|(_, value)| !value.is_null()) {
        line.push_str(&format!(" {name}={}", word(&value)));
    }
    line
}

/// Who asked, for a line; `-` for what no request caused.
pub(crate) fn principal(record: &Record) -> &str {
    record.origin.as_ref().map_or("-", |origin| origin.principal.as_str())
}
