//! Members that requests and answers share, read out of JSON.
//!
//! Owns no request and no answer. Whatever is not as the contract says is a panic that shows it.
//! Next: `understand`, `answers`.

use doorbuster::domain::model::command::SkuSettings;
use doorbuster::domain::model::draw::{Admission, Odds, Prize, Terms};
use doorbuster::domain::model::ids::{
    DrawId, GroupId, LineRequest, LineRequests, OrderId, SkuId, Stamp, UserId,
};
use doorbuster_witness::Names;
use jiff::civil::DateTime;
use serde_json::Value;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The last millisecond of 9999.
const LAST: Stamp = 253_402_300_799_999;

/// A member that is there and not null.
pub(crate) fn maybe<'v>(body: &'v Value, name: &str) -> Option<&'v Value> {
    body.get(name).filter(|value| !value.is_null())
}

#[track_caller]
pub(crate) fn number(body: &Value, name: &str) -> u64 {
    maybe_number(body, name).unwrap_or_else(|| panic!("no {name} in {body}"))
}

#[track_caller]
pub(crate) fn maybe_number(body: &Value, name: &str) -> Option<u64> {
    let value = maybe(body, name)?;
    Some(value.as_u64().unwrap_or_else(|| panic!("{name} is no number in {body}")))
}

#[track_caller]
pub(crate) fn small(body: &Value, name: &str) -> u32 {
    u32::try_from(number(body, name)).expect("a small number")
}

#[track_caller]
pub(crate) fn text<'v>(body: &'v Value, name: &str) -> &'v str {
    maybe_text(body, name).unwrap_or_else(|| panic!("no {name} in {body}"))
}

#[track_caller]
pub(crate) fn maybe_text<'v>(body: &'v Value, name: &str) -> Option<&'v str> {
    let value = maybe(body, name)?;
    Some(value.as_str().unwrap_or_else(|| panic!("{name} is no text in {body}")))
}

#[track_caller]
pub(crate) fn list<'v>(body: &'v Value, name: &str) -> &'v [Value] {
    body[name].as_array().unwrap_or_else(|| panic!("no {name} in {body}"))
}

#[track_caller]
pub(crate) fn flag(body: &Value, name: &str) -> bool {
    maybe(body, name).is_some_and(|value| value.as_bool().expect("true or false"))
}

#[track_caller]
pub(crate) fn instant(text: &str) -> Stamp {
    stamp(text).unwrap_or_else(|| panic!("{text} is no instant"))
}

/// An instant with any offset, up to the last millisecond of 9999: further than `jiff` has them.
pub(crate) fn stamp(text: &str) -> Option<Stamp> {
    let (local, offset_minutes) = match text.strip_suffix(['Z', 'z']) {
        Some(local) => (local, 0),
        None => {
            let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
            let (hours, minutes) = offset.get(1..)?.split_once(':')?;
            let minutes = hours.parse::<i128>().ok()? * 60 + minutes.parse::<i128>().ok()?;
            match offset.as_bytes()[0] {
                b'+' => (local, minutes),
                b'-' => (local, -minutes),
                _ => return None,
            }
        }
    };
    let local: DateTime = local.parse().ok()?;
    let local_ms = local.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0)).as_millis();
    let stamp = Stamp::try_from(local_ms - offset_minutes * 60_000).ok()?;
    (stamp <= LAST).then_some(stamp)
}

#[track_caller]
pub(crate) fn maybe_instant(body: &Value, name: &str) -> Option<Stamp> {
    maybe_text(body, name).map(instant)
}

#[track_caller]
pub(crate) fn sku(id: &str) -> SkuId {
    SkuId::parse(id).unwrap_or_else(|_| panic!("{id:?} is no id of a SKU"))
}

#[track_caller]
pub(crate) fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap_or_else(|_| panic!("{id:?} is no id of a user"))
}

#[track_caller]
pub(crate) fn draw(id: &str) -> DrawId {
    DrawId::parse(id).unwrap_or_else(|_| panic!("{id:?} is no id of a draw"))
}

/// Ids of orders that were seen: a client knows their text, and nothing of what it says.
static NAMES: Mutex<Names> = Mutex::new(Names::new());

pub(crate) fn names() -> MutexGuard<'static, Names> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
pub(crate) fn order(id: &str) -> OrderId {
    names().read(id).unwrap_or_else(|| panic!("{id:?} is no id of an order"))
}

/// The order that any text names: one that is no id names an order that there never was, and each
/// its own.
pub(crate) fn any_order(id: &str) -> OrderId {
    let mut names = names();
    // One order has one text.
    let known = names.read(id).filter(|known| names.text(*known) == id);
    known.unwrap_or_else(|| {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let none = names.read("none-0").expect("it has two parts");
        OrderId { sequence: hasher.finish(), ..none }
    })
}

/// The text of an id that was read.
pub(crate) fn order_text(id: OrderId) -> String {
    names().text(id)
}

#[track_caller]
fn group(id: &str) -> GroupId {
    GroupId::parse(id).unwrap_or_else(|_| panic!("{id:?} is no id of a group"))
}

pub(crate) fn line_requests(lines: &[Value]) -> LineRequests {
    let line =
        |line: &Value| LineRequest { sku: sku(text(line, "sku")), quantity: small(line, "qty") };
    lines.iter().map(line).collect()
}

pub(crate) fn settings(body: &Value) -> SkuSettings {
    SkuSettings {
        per_user_limit: maybe_number(body, "per_user_limit").unwrap_or(0),
        limit_group: maybe_text(body, "limit_group").map(group),
        opens_at: maybe_instant(body, "opens_at"),
        closes_at: maybe_instant(body, "closes_at"),
        hold_ms: maybe_number(body, "hold_ms"),
        paused: flag(body, "paused"),
        direct: flag(body, "direct"),
    }
}

pub(crate) fn terms(body: &Value) -> Terms {
    let prize =
        |prize: &Value| Prize { sku: sku(text(prize, "sku")), weight: number(prize, "weight") };
    let prizes = list(body, "prizes").iter().map(prize).collect();
    let odds = Odds::new(prizes, number(body, "blank_weight")).expect("odds");
    Terms { odds, hold_ms: maybe_number(body, "hold_ms"), sell: flag(body, "confirm") }
}

pub(crate) fn admission(body: &Value) -> Admission {
    Admission {
        entries_per_user: number(body, "entries_per_user"),
        opens_at: maybe_instant(body, "opens_at"),
        closes_at: maybe_instant(body, "closes_at"),
    }
}
