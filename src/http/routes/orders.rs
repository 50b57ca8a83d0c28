//! `/v1/orders` and `/v1/users/{user}/orders` (API 3).
//!
//! Owns the shape of orders and of what may be done to them. Ids of orders are opaque: a text that
//! this journal gave to none names no order, which is for the writer to say in its turn. Next:
//! `answers`.

use super::input::{Input, ParsedCommand};
use super::plain_order;
use crate::domain::model::command::{
    Action, Command, CreateOrder, OrderPlace, Query, Refund, Take,
};
use crate::domain::model::ids::{BadId, HOLD_MS_END, OrderId, REFERENCE_BYTES_MAX, SkuId, UserId};
use crate::domain::model::lives::{Lives, Lost};
use crate::domain::model::order::{Status, Verb};
use crate::http::request::fields::{Faults, boolean, id, present, required, text, wrong_type};
use crate::http::request::json::{Members, Value};
use crate::http::request::sealed_cursor::{self, Whose};
use crate::http::request::target::{cursor, limit, parameters};
use crate::http::response::problem::{Problem, Refused};
use compact_str::CompactString;
use hyper::Method;
use std::borrow::Cow;

/// What an id that is none of ours stands for: epochs and sequences begin at 1.
const NO_ORDER: OrderId = OrderId { epoch: 0, sequence: 0 };

const MEMBERS: &[&str] = &["user", "lines", "hold_ms", "confirm", "reference"];

pub(super) fn all(input: &Input<'_>) -> Result<ParsedCommand<'static>, Refused> {
    if input.method != Method::POST {
        return list(input);
    }
    input.no_parameters()?;
    match plain_order::read(input.body) {
        Some(order) => Ok(created(order)),
        None => create(&input.members()?),
    }
}

/// A new order.
pub(super) fn create(members: &Members<'_>) -> Result<ParsedCommand<'static>, Refused> {
    let mut faults = Faults::default();
    let (mut user, mut lines, mut hold_ms) = (None, None, None);
    let (mut sell, mut reference) = (false, None);
    for (name, value) in present(members, MEMBERS, "")? {
        match name {
            "user" => user = Some(id(value, "user", UserId::parse)?),
            "lines" => lines = Some(faults.lines(value)?),
            "hold_ms" => hold_ms = Some(faults.natural(value, "hold_ms", 1..=HOLD_MS_END)?),
            "confirm" => sell = boolean(value, "confirm")?,
            _ => reference = Some(self::reference(value, &mut faults)?),
        }
    }
    let user = required(user, "user")?;
    let lines = required(lines, "lines")?;
    if sell && hold_ms.is_some() {
        faults.add("hold_ms", "must be absent with confirm, which holds nothing");
    }
    faults.end()?;
    let take = if sell { Take::Sell } else { Take::Hold(hold_ms) };
    Ok(created(CreateOrder { user, lines, reference, take }))
}

/// What asks for it.
pub(super) fn created(order: CreateOrder) -> ParsedCommand<'static> {
    ParsedCommand { key_required: true, ..ParsedCommand::unkeyed(Command::CreateOrder(order)) }
}

fn reference(value: &Value<'_>, faults: &mut Faults) -> Result<CompactString, Refused> {
    let reference = text(value, "reference")?;
    let printable = reference.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !printable || !(1..=REFERENCE_BYTES_MAX).contains(&reference.len()) {
        faults.add("reference", format!("must be 1..={REFERENCE_BYTES_MAX} printable ASCII"));
    }
    Ok(CompactString::new(reference))
}

fn list(input: &Input<'_>) -> Result<ParsedCommand<'static>, Refused> {
    let names = ["status", "sku", "limit", "cursor"];
    let [status, sku, limit, cursor] = parameters(input.query, names)?;
    let mut faults = Faults::default();
    let status = status.and_then(|word| {
        let status = Status::parse(&word);
        if status.is_none() {
            faults.add("status", "must be a status of orders");
        }
        status
    });
    let sku = sku.map(|sku| SkuId::parse(&sku)).transpose();
    let sku = sku.map_err(|_| wrong_type("the query parameter sku", "an id"))?;
    let limit = self::limit(limit, &mut faults);
    let after = place(cursor, &mut faults, |text| input.lives.cursor(text));
    faults.end()?;
    let after = after?;
    Ok(ParsedCommand::read(Query::Orders { status, sku, after, limit }))
}

pub(super) fn of_user(user: &str, input: &Input<'_>) -> Result<ParsedCommand<'static>, Refused> {
    let [limit, cursor] = parameters(input.query, ["limit", "cursor"])?;
    let user = UserId::parse(user).map_err(|_| wrong_type("the user in the path", "an id"))?;
    let mut faults = Faults::default();
    let limit = self::limit(limit, &mut faults);
    let whose = Whose { principal: input.principal.name.clone(), user };
    let mut sealed = false;
    let after = place(cursor, &mut faults, |text| {
        let opened = sealed_cursor::open(input.hash_key, &whose, input.lives, text);
        sealed = opened.is_some();
        opened.or_else(|| input.lives.cursor(text))
    });
    faults.end()?;
    let after = after?.map(|order| OrderPlace { order, sealed });
    let user = whose.user;
    Ok(ParsedCommand::read(Query::UserOrders { user, after, limit }))
}

/// Where a page of orders goes on. A cursor of a life that this journal never had is no place in
/// its lists: what stands after its sequence is not what stood there.
fn place(
    cursor: Option<Cow<'_, str>>,
    faults: &mut Faults,
    read: impl FnOnce(&str) -> Option<Result<OrderId, Lost>>,
) -> Result<Option<OrderId>, Refused> {
    let after = self::cursor(cursor, faults, |text| read(text).ok_or(BadId));
    after.transpose().map_err(|Lost| Problem::diverged())
}

pub(super) fn one(order: &str, input: &Input<'_>) -> Result<ParsedCommand<'static>, Refused> {
    input.no_parameters()?;
    Ok(ParsedCommand::read(Query::Order(input.lives.order(order).unwrap_or(NO_ORDER))))
}

pub(super) fn act_alone<'r>(
    order: &'r str,
    verb: Verb,
    input: &Input<'_>,
) -> Result<ParsedCommand<'r>, Refused> {
    input.no_parameters()?;
    Ok(act(order, action(verb, &input.members_or_none()?)?, input.lives))
}

/// An action on the order of this id.
pub(super) fn act<'r>(order: &'r str, action: Action, lives: &Lives) -> ParsedCommand<'r> {
    let key_required = matches!(&action, Action::Refund(refund) if !refund.lines.is_empty());
    let own = lives.order(order);
    let foreign_order = own.is_none().then_some(order);
    let command = Command::ActOnOrder(own.unwrap_or(NO_ORDER), action);
    ParsedCommand { command, foreign_order, key_required }
}

/// What is to be done to an order.
pub(super) fn action(verb: Verb, members: &Members<'_>) -> Result<Action, Refused> {
    match verb {
        Verb::Confirm => confirm(members),
        Verb::Extend => extend(members),
        Verb::Refund => refund(members),
        Verb::Cancel => bare(Action::Cancel, members),
        Verb::Ship => bare(Action::Ship, members),
        Verb::Complete => bare(Action::Complete, members),
    }
}

fn bare(action: Action, members: &Members<'_>) -> Result<Action, Refused> {
    present(members, &[], "").map(|_| action)
}

fn confirm(members: &Members<'_>) -> Result<Action, Refused> {
    let mut reacquire = false;
    for (_, value) in present(members, &["if_expired"], "")? {
        if text(value, "if_expired")? != "reacquire" {
            return Err(Faults::one("if_expired", "must be reacquire"));
        }
        reacquire = true;
    }
    Ok(Action::Confirm { reacquire })
}

fn extend(members: &Members<'_>) -> Result<Action, Refused> {
    let mut faults = Faults::default();
    let mut hold_ms = None;
    for (_, value) in present(members, &["hold_ms"], "")? {
        hold_ms = Some(faults.natural(value, "hold_ms", 1..=HOLD_MS_END)?);
    }
    let hold_ms = required(hold_ms, "hold_ms")?;
    faults.end()?;
    Ok(Action::Extend(hold_ms))
}

fn refund(members: &Members<'_>) -> Result<Action, Refused> {
    let mut faults = Faults::default();
    let mut refund = Refund { lines: Default::default(), restock: true };
    for (name, value) in present(members, &["lines", "restock"], "")? {
        match name {
            "lines" => refund.lines = faults.lines(value)?,
            _ => refund.restock = boolean(value, "restock")?,
        }
    }
    faults.end()?;
    Ok(Action::Refund(refund))
}
