//! From an HTTP request of ours back to the command that it asks for: notes that were written to a
//! file can be judged again.
//!
//! Knows only what `speak` says. Never the server's own reading of requests. Next: `notes`.

use crate::client::Ask;
use crate::members::{
    admission, draw, group, instant, line_requests, list, maybe, maybe_number, maybe_text, number,
    order, settings, sku, terms, text, user,
};
use crate::speak::FOREIGN_TAG;
use doorbuster::domain::command::{
    Action, AdjustSku, Adjustment, Command, CreateOrder, DeleteDraw, DeleteSku, EnterDraw,
    OrderPlace, Patch, PatchSku, Precondition, PutDraw, PutSku, Query, Refund, SkuChanges, Take,
};
use doorbuster::domain::draw::Seed;
use doorbuster::domain::order::Status;
use serde_json::Value;

/// The command; the seed of a draw is the server's to make.
pub(crate) fn command(ask: &Ask) -> Command {
    let body: Value = ask.body.as_deref().map_or(Value::Null, |body| {
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
    });
    let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
    let segments: Vec<&str> = path.split('/').skip(2).collect();
    let precondition = precondition(ask);
    match (ask.method, segments.as_slice()) {
        ("GET", _) => Command::Read(Box::new(read(&segments, query))),
        ("POST", ["orders"]) => Command::CreateOrder(create(&body)),
        ("POST", ["orders", id, verb]) => Command::ActOnOrder(order(id), action(verb, &body)),
        ("PUT", ["skus", id]) => Command::PutSku(Box::new(PutSku {
            sku: sku(id),
            stock: number(&body, "stock"),
            settings: settings(&body),
            precondition,
        })),
        ("PATCH", ["skus", id]) => {
            let changes = changes(&body);
            Command::PatchSku(Box::new(PatchSku { sku: sku(id), changes, precondition }))
        }
        ("POST", ["skus", id, "adjust"]) => {
            let adjustment = match body["delta"].as_i64() {
                Some(delta) => Adjustment::Delta(delta),
                None => Adjustment::Stock(number(&body, "stock")),
            };
            let reason = text(&body, "reason").to_owned();
            Command::AdjustSku(Box::new(AdjustSku {
                sku: sku(id),
                adjustment,
                reason,
                precondition,
            }))
        }
        ("DELETE", ["skus", id]) => {
            Command::DeleteSku(Box::new(DeleteSku { sku: sku(id), precondition }))
        }
        ("PUT", ["draws", id]) => Command::PutDraw(Box::new(PutDraw {
            draw: draw(id),
            terms: terms(&body),
            admission: admission(&body),
            seed: Seed([0; 32]),
            precondition,
        })),
        ("POST", ["draws", id, "entries"]) => Command::EnterDraw(EnterDraw {
            draw: draw(id),
            user: user(text(&body, "user")),
            client_seed: maybe_text(&body, "client_seed").map(Into::into),
        }),
        ("POST", ["draws", id, "close"]) => Command::CloseDraw(draw(id)),
        ("DELETE", ["draws", id]) => {
            Command::DeleteDraw(Box::new(DeleteDraw { draw: draw(id), precondition }))
        }
        _ => panic!("nobody asks {ask:?}"),
    }
}

/// The value of a header that comes at most once.
pub(crate) fn header<'a>(ask: &'a Ask, name: &str) -> Option<&'a str> {
    ask.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

fn precondition(ask: &Ask) -> Precondition {
    match (header(ask, "If-Match"), header(ask, "If-None-Match")) {
        (None, None) => Precondition::None,
        (None, Some(_)) => Precondition::Absent,
        (Some("*"), _) => Precondition::Exists,
        (Some(FOREIGN_TAG), _) => Precondition::Version(None),
        (Some(tag), _) => {
            let version = tag.trim_matches('"').parse();
            Precondition::Version(Some(version.expect("a tag is a version")))
        }
    }
}

fn create(body: &Value) -> CreateOrder {
    CreateOrder {
        user: user(text(body, "user")),
        lines: line_requests(list(body, "lines")),
        reference: maybe_text(body, "reference").map(Into::into),
        take: match body["confirm"] == true {
            true => Take::Sell,
            false => Take::Hold(maybe_number(body, "hold_ms")),
        },
    }
}

fn action(verb: &str, body: &Value) -> Action {
    match verb {
        "confirm" => Action::Confirm { reacquire: maybe(body, "if_expired").is_some() },
        "cancel" => Action::Cancel,
        "extend" => Action::Extend(number(body, "hold_ms")),
        "ship" => Action::Ship,
        "complete" => Action::Complete,
        "refund" => Action::Refund(Refund {
            lines: maybe(body, "lines")
                .map_or_else(Default::default, |_| line_requests(list(body, "lines"))),
            restock: body["restock"] == true,
        }),
        _ => panic!("nobody asks for {verb}"),
    }
}

fn changes(body: &Value) -> SkuChanges {
    fn patch<T>(body: &Value, name: &str, read: impl Fn(&Value) -> Option<T>) -> Patch<T> {
        match body.get(name) {
            None => Patch::Keep,
            Some(Value::Null) => Patch::Reset,
            Some(value) => Patch::Set(read(value).unwrap_or_else(|| panic!("{name} in {body}"))),
        }
    }
    let at = |value: &Value| Some(Some(instant(value.as_str()?)));
    SkuChanges {
        per_user_limit: patch(body, "per_user_limit", Value::as_u64),
        limit_group: patch(body, "limit_group", |value| Some(Some(group(value.as_str()?)))),
        opens_at: patch(body, "opens_at", at),
        closes_at: patch(body, "closes_at", at),
        hold_ms: patch(body, "hold_ms", |value| Some(Some(value.as_u64()?))),
        paused: patch(body, "paused", Value::as_bool),
        direct: patch(body, "direct", Value::as_bool),
    }
}

fn read(segments: &[&str], query: &str) -> Query {
    let parameter = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(own, _)| *own == name).map(|(_, value)| value)
    };
    let limit = || parameter("limit").and_then(|limit| limit.parse().ok()).expect("a limit");
    let after = || parameter("cursor").map(order);
    match segments {
        ["skus"] => Query::Skus { after: parameter("cursor").map(sku), limit: limit() },
        ["skus", id] => Query::Sku(sku(id)),
        ["orders"] => Query::Orders {
            status: parameter("status").map(|word| Status::parse(word).expect("a status")),
            sku: parameter("sku").map(sku),
            after: after(),
            limit: limit(),
        },
        ["orders", id] => Query::Order(order(id)),
        ["users", id, "orders"] => {
            let after = after().map(|order| OrderPlace { order, sealed: false });
            Query::UserOrders { user: user(id), after, limit: limit() }
        }
        ["draws", id] => Query::Draw(draw(id)),
        ["draws", id, "entries"] => Query::Entries {
            draw: draw(id),
            user: parameter("user").map(user),
            after: parameter("after").map_or(0, |after| after.parse().expect("a number")),
            limit: limit(),
        },
        ["requests", key] => Query::Remembered(key_hash(key)),
        ["status"] => Query::Status,
        _ => panic!("nobody reads {segments:?}"),
    }
}

/// What `speak` made a key of.
pub(crate) fn key_hash(key: &str) -> u128 {
    u128::from_str_radix(key, 16).unwrap_or_else(|error| panic!("{key}: {error}"))
}
