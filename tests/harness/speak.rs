//! From a command to the HTTP request that asks for it, alone or as a line of a batch.
//!
//! Owns the client's side of the contract's requests. Never sends anything. Next: `understand`, the
//! way back.

use crate::members::order_text;
use doorbuster::domain::model::command::{
    Action, AdjustSku, Adjustment, Command, CreateOrder, Patch, Precondition, PutDraw, Query,
    Request, SkuChanges, SkuSettings, Take,
};
use doorbuster::domain::model::draw::Prize;
use doorbuster::domain::model::ids::{GroupId, LineRequest, LineRequests, OrderId, Stamp};
use doorbuster_test_support::client::Ask;
use serde_json::{Map, Value, json};

/// A tag that no version of a SKU or a draw ever has.
pub(crate) const FOREIGN_TAG: &str = "\"never\"";

/// The key of a claim, as clients send it: other keys have other hashes.
pub(crate) fn key_text(hash: u128) -> String {
    format!("{hash:032x}")
}

/// The request, with its headers, but for who asks.
pub(crate) fn ask(request: &Request) -> Ask {
    let (method, path, body) = said(&request.command);
    let mut ask = Ask::new(method, path);
    if let Some(body) = body {
        ask = ask.json(&body.to_string());
    }
    if let Some((name, value)) = condition(precondition(&request.command)) {
        ask = ask.header(name, &value);
    }
    match request.key {
        Some(claim) => ask.key(&key_text(claim.hash)),
        None => ask,
    }
}

/// The line of a batch that asks for the same; none where a batch has no such line.
pub(crate) fn line(request: &Request) -> Option<String> {
    let (op, id) = match &request.command {
        Command::CreateOrder(_) => ("order", None),
        Command::ActOnOrder(order, action) => {
            (action.verb().as_str(), Some(("id", order_text(*order))))
        }
        Command::EnterDraw(enter) => ("entry", Some(("draw", enter.draw.to_string()))),
        Command::AdjustSku(adjust) => ("adjust", Some(("sku", adjust.sku.to_string()))),
        Command::PutSku(put) => ("sku", Some(("sku", put.sku.to_string()))),
        _ => return None,
    };
    let (_, _, body) = said(&request.command);
    let mut line: Map<String, Value> =
        body.and_then(|body| body.as_object().cloned()).unwrap_or_default();
    line.insert("op".to_owned(), op.into());
    line.extend(id.map(|(name, id)| (name.to_owned(), id.into())));
    match condition(precondition(&request.command)) {
        Some(("If-Match", tag)) => drop(line.insert("if_match".to_owned(), tag.into())),
        // A line cannot say it.
        Some(_) => return None,
        None => {}
    }
    line.extend(request.key.map(|claim| ("key".to_owned(), key_text(claim.hash).into())));
    Some(Value::Object(line).to_string())
}

fn precondition(command: &Command) -> &Precondition {
    match command {
        Command::PutSku(put) => &put.precondition,
        Command::PatchSku(patch) => &patch.precondition,
        Command::AdjustSku(adjust) => &adjust.precondition,
        Command::DeleteSku(delete) => &delete.precondition,
        Command::PutDraw(put) => &put.precondition,
        Command::DeleteDraw(delete) => &delete.precondition,
        _ => &Precondition::None,
    }
}

fn condition(precondition: &Precondition) -> Option<(&'static str, String)> {
    let if_match = |tag: &str| Some(("If-Match", tag.to_owned()));
    match precondition {
        Precondition::None => None,
        Precondition::Exists => if_match("*"),
        Precondition::Version(Some(version)) => if_match(&format!("\"{version}\"")),
        Precondition::Version(None) => if_match(FOREIGN_TAG),
        Precondition::Absent => Some(("If-None-Match", "*".to_owned())),
        Precondition::OneOf(_) | Precondition::NoneOf { .. } => {
            unreachable!("nobody in a plan asks for several versions")
        }
    }
}

/// Method, path and body.
fn said(command: &Command) -> (&'static str, String, Option<Value>) {
    match command {
        Command::CreateOrder(create) => ("POST", "/v1/orders".to_owned(), Some(order(create))),
        Command::ActOnOrder(order, action) => (
            "POST",
            format!("/v1/orders/{}/{}", order_text(*order), action.verb().as_str()),
            acted(action),
        ),
        Command::PutSku(put) => {
            let mut body = settings(&put.settings);
            body["stock"] = put.stock.into();
            ("PUT", format!("/v1/skus/{}", put.sku), Some(body))
        }
        Command::PatchSku(patch) => {
            ("PATCH", format!("/v1/skus/{}", patch.sku), Some(changed(&patch.changes)))
        }
        Command::AdjustSku(adjust) => {
            ("POST", format!("/v1/skus/{}/adjust", adjust.sku), Some(adjusted(adjust)))
        }
        Command::DeleteSku(delete) => ("DELETE", format!("/v1/skus/{}", delete.sku), None),
        Command::PutDraw(put) => ("PUT", format!("/v1/draws/{}", put.draw), Some(draw(put))),
        Command::EnterDraw(enter) => {
            let seed = enter.client_seed.as_deref();
            let body = json!({"user": enter.user.as_str(), "client_seed": seed});
            ("POST", format!("/v1/draws/{}/entries", enter.draw), Some(body))
        }
        Command::CloseDraw(draw) => ("POST", format!("/v1/draws/{draw}/close"), None),
        Command::DeleteDraw(delete) => ("DELETE", format!("/v1/draws/{}", delete.draw), None),
        Command::Read(query) => ("GET", path(query), None),
    }
}

fn order(create: &CreateOrder) -> Value {
    let mut body = json!({
        "user": create.user.as_str(),
        "lines": lines(&create.lines),
        "reference": create.reference.as_deref(),
    });
    match create.take {
        Take::Hold(hold_ms) => body["hold_ms"] = hold_ms.into(),
        Take::Sell => body["confirm"] = true.into(),
    }
    body
}

fn lines(lines: &LineRequests) -> Value {
    let line = |line: &LineRequest| json!({"sku": line.sku.as_str(), "qty": line.quantity});
    lines.iter().map(line).collect()
}

fn acted(action: &Action) -> Option<Value> {
    match action {
        Action::Confirm { reacquire: true } => Some(json!({"if_expired": "reacquire"})),
        Action::Extend(hold_ms) => Some(json!({"hold_ms": hold_ms})),
        Action::Refund(refund) => {
            let mut body = json!({"restock": refund.restock});
            if !refund.lines.is_empty() {
                body["lines"] = lines(&refund.lines);
            }
            Some(body)
        }
        _ => None,
    }
}

fn instant(stamp: Stamp) -> String {
    let stamp = i64::try_from(stamp).expect("an instant of this age");
    jiff::Timestamp::from_millisecond(stamp).expect("an instant of this age").to_string()
}

fn settings(settings: &SkuSettings) -> Value {
    json!({
        "per_user_limit": settings.per_user_limit,
        "limit_group": settings.limit_group.as_ref().map(|group| group.as_str()),
        "opens_at": settings.opens_at.map(instant),
        "closes_at": settings.closes_at.map(instant),
        "hold_ms": settings.hold_ms,
        "paused": settings.paused,
        "direct": settings.direct,
    })
}

fn changed(changes: &SkuChanges) -> Value {
    let mut body = json!({});
    let mut change = |name: &str, patch: Patch<Value>| match patch {
        Patch::Keep => {}
        Patch::Reset => body[name] = Value::Null,
        Patch::Set(value) => body[name] = value,
    };
    fn patch<T>(patch: &Patch<T>, value: impl Fn(&T) -> Value) -> Patch<Value> {
        match patch {
            Patch::Keep => Patch::Keep,
            Patch::Reset => Patch::Reset,
            Patch::Set(new) => Patch::Set(value(new)),
        }
    }
    let group = |group: &Option<GroupId>| Value::from(group.as_ref().map(|group| group.as_str()));
    let at = |at: &Option<Stamp>| Value::from(at.map(instant));
    change("per_user_limit", patch(&changes.per_user_limit, |limit| json!(limit)));
    change("limit_group", patch(&changes.limit_group, group));
    change("opens_at", patch(&changes.opens_at, at));
    change("closes_at", patch(&changes.closes_at, at));
    change("hold_ms", patch(&changes.hold_ms, |hold_ms| json!(hold_ms)));
    change("paused", patch(&changes.paused, |paused| json!(paused)));
    change("direct", patch(&changes.direct, |direct| json!(direct)));
    body
}

fn adjusted(adjust: &AdjustSku) -> Value {
    match adjust.adjustment {
        Adjustment::Delta(delta) => json!({"delta": delta, "reason": adjust.reason}),
        Adjustment::Stock(stock) => json!({"stock": stock, "reason": adjust.reason}),
    }
}

fn draw(put: &PutDraw) -> Value {
    let prize = |prize: &Prize| json!({"sku": prize.sku.as_str(), "weight": prize.weight});
    let prizes: Value = put.terms.odds.prizes().iter().map(prize).collect();
    let mut body = json!({
        "prizes": prizes,
        "blank_weight": put.terms.odds.blank_weight(),
        "entries_per_user": put.admission.entries_per_user,
        "opens_at": put.admission.opens_at.map(instant),
        "closes_at": put.admission.closes_at.map(instant),
        "hold_ms": put.terms.hold_ms,
    });
    if put.terms.sell {
        body["confirm"] = true.into();
    }
    body
}

fn path(query: &Query) -> String {
    let asked = |path: String, limit: &usize, more: &[(&str, Option<String>)]| {
        let more: String = more
            .iter()
            .filter_map(|(name, value)| Some(format!("&{name}={}", value.as_ref()?)))
            .collect();
        format!("{path}?limit={limit}{more}")
    };
    let text = |id: &Option<OrderId>| id.map(order_text);
    match query {
        Query::Sku(sku) => format!("/v1/skus/{sku}"),
        Query::Skus { after, limit } => asked(
            "/v1/skus".to_owned(),
            limit,
            &[("cursor", after.as_ref().map(ToString::to_string))],
        ),
        Query::Order(order) => format!("/v1/orders/{}", order_text(*order)),
        Query::Orders { status, sku, after, limit } => {
            let status = status.map(|status| status.as_str().to_owned());
            let sku = sku.as_ref().map(ToString::to_string);
            let more = [("status", status), ("sku", sku), ("cursor", text(after))];
            asked("/v1/orders".to_owned(), limit, &more)
        }
        Query::UserOrders { user, after, limit } => {
            let after = after.map(|place| place.order);
            asked(format!("/v1/users/{user}/orders"), limit, &[("cursor", text(&after))])
        }
        Query::Draw(draw) => format!("/v1/draws/{draw}"),
        Query::Entries { draw, user, after, limit } => {
            let user = user.as_ref().map(ToString::to_string);
            let more = [("after", (*after > 0).then(|| after.to_string())), ("user", user)];
            asked(format!("/v1/draws/{draw}/entries"), limit, &more)
        }
        Query::Remembered(hash) => format!("/v1/requests/{}", key_text(*hash)),
        Query::Status => "/v1/status".to_owned(),
    }
}
