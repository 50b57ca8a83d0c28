//! Bodies of requests, read by the contract: ranges, counts, what excludes what.
//!
//! Owns what may stand in a body and what is meant where something does not. Never looks at a path
//! or a header. Next: `strict`, which reads JSON.

use crate::members::stamp;
use crate::strict::{Json, Members, Nothing, Read, flag, integer, list_of, natural, of_text, text};
use doorbuster::domain::model::command::{
    Action, AdjustSku, Adjustment, Command, CreateOrder, EnterDraw, Patch, Precondition, PutSku,
    Refund, SkuChanges, SkuSettings, Take,
};
use doorbuster::domain::model::draw::{Admission, Odds, Prize, Terms};
use doorbuster::domain::model::ids::{
    DrawId, GroupId, LineRequest, LineRequests, SkuId, Stamp, UserId,
};

const STOCK_MAX: u64 = 1_000_000_000_000;
const QUANTITY_MAX: u64 = 1_000_000;
const HOLD_MS_END: u64 = 2_592_000_000;
const INTEGER_MAX: u64 = (1 << 53) - 1;
const WEIGHT_MAX: u64 = 1_000_000_000;
const LINES_MAX: usize = 16;
const DELTA_MAX: i64 = 1_000_000_000_000;

pub(crate) fn needs_key(command: &Command) -> bool {
    match command {
        Command::CreateOrder(_) | Command::AdjustSku(_) | Command::EnterDraw(_) => true,
        Command::ActOnOrder(_, Action::Refund(refund)) => !refund.lines.is_empty(),
        _ => false,
    }
}

fn instant(value: Json) -> Option<Stamp> {
    stamp(&text(value)?)
}

fn printable(value: Json, least: usize, most: usize) -> Option<String> {
    let is_printable = |text: &String| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    text(value).filter(is_printable).filter(|text| (least..=most).contains(&text.len()))
}

fn sku(value: Json) -> Option<SkuId> {
    of_text(|id| SkuId::parse(id).ok())(value)
}

fn group(value: Json) -> Option<GroupId> {
    of_text(|id| GroupId::parse(id).ok())(value)
}

fn user(value: Json) -> Option<UserId> {
    of_text(|id| UserId::parse(id).ok())(value)
}

fn hold(value: Json) -> Option<u64> {
    natural(1..=HOLD_MS_END)(value)
}

/// Each SKU once.
fn lines(value: Json) -> Option<LineRequests> {
    let line = |line: &mut Members| {
        let quantity = line.one("qty", natural(1..=QUANTITY_MAX))?;
        let quantity = u32::try_from(quantity).map_err(|_| Nothing)?;
        Ok(LineRequest { sku: line.one("sku", sku)?, quantity })
    };
    let lines = list_of(line)(value)?;
    let is_twice = |at: usize| lines[..at].iter().any(|before| before.sku == lines[at].sku);
    let plain = (1..=LINES_MAX).contains(&lines.len()) && !(0..lines.len()).any(is_twice);
    plain.then(|| lines.into_iter().collect())
}

pub(crate) fn order(mut body: Members) -> Read<Command> {
    let create = CreateOrder {
        user: body.one("user", user)?,
        lines: body.one("lines", lines)?,
        reference: body.maybe("reference", |value| printable(value, 1, 128))?.map(Into::into),
        take: take(&mut body)?.0,
    };
    body.end().map(|()| Command::CreateOrder(create))
}

/// How it takes units; and the two members that say so.
fn take(body: &mut Members) -> Read<(Take, (Option<u64>, bool))> {
    let (hold_ms, sell) = (body.maybe("hold_ms", hold)?, body.flag("confirm")?);
    match (hold_ms, sell) {
        (Some(_), true) => Err(Nothing),
        (_, true) => Ok((Take::Sell, (None, true))),
        (hold_ms, false) => Ok((Take::Hold(hold_ms), (hold_ms, false))),
    }
}

pub(crate) fn action(verb: &str, mut body: Members) -> Read<Action> {
    let action = match verb {
        "confirm" => {
            let word = |value| text(value).filter(|word| word == "reacquire");
            Action::Confirm { reacquire: body.maybe("if_expired", word)?.is_some() }
        }
        "cancel" => Action::Cancel,
        "extend" => Action::Extend(body.one("hold_ms", hold)?),
        "ship" => Action::Ship,
        "complete" => Action::Complete,
        "refund" => Action::Refund(Refund {
            lines: body.maybe("lines", lines)?.unwrap_or_default(),
            restock: body.maybe("restock", flag)?.unwrap_or(true),
        }),
        _ => return Err(Nothing),
    };
    body.end().map(|()| action)
}

/// A sale or a draw opens before it closes.
fn check_window(opens_at: Option<Stamp>, closes_at: Option<Stamp>) -> Read<()> {
    match (opens_at, closes_at) {
        (Some(opens_at), Some(closes_at)) if opens_at >= closes_at => Err(Nothing),
        _ => Ok(()),
    }
}

pub(crate) fn put_sku(sku: SkuId, mut body: Members, precondition: Precondition) -> Read<Command> {
    let stock = body.one("stock", natural(0..=STOCK_MAX))?;
    let settings = SkuSettings {
        per_user_limit: body.maybe("per_user_limit", natural(0..=INTEGER_MAX))?.unwrap_or(0),
        limit_group: body.maybe("limit_group", group)?,
        opens_at: body.maybe("opens_at", instant)?,
        closes_at: body.maybe("closes_at", instant)?,
        hold_ms: body.maybe("hold_ms", hold)?,
        paused: body.flag("paused")?,
        direct: body.flag("direct")?,
    };
    check_window(settings.opens_at, settings.closes_at)?;
    body.end()?;
    Ok(Command::PutSku(Box::new(PutSku { sku, stock, settings, precondition })))
}

/// In a patch null says something.
fn patch<T>(
    body: &mut Members,
    name: &str,
    read: impl FnOnce(Json) -> Option<T>,
) -> Read<Patch<T>> {
    match body.take(name) {
        None => Ok(Patch::Keep),
        Some(Json::Null) => Ok(Patch::Reset),
        Some(value) => read(value).map(Patch::Set).ok_or(Nothing),
    }
}

pub(crate) fn changes(mut body: Members) -> Read<SkuChanges> {
    let changes = SkuChanges {
        per_user_limit: patch(&mut body, "per_user_limit", natural(0..=INTEGER_MAX))?,
        limit_group: patch(&mut body, "limit_group", |value| group(value).map(Some))?,
        opens_at: patch(&mut body, "opens_at", |value| instant(value).map(Some))?,
        closes_at: patch(&mut body, "closes_at", |value| instant(value).map(Some))?,
        hold_ms: patch(&mut body, "hold_ms", |value| hold(value).map(Some))?,
        paused: patch(&mut body, "paused", flag)?,
        direct: patch(&mut body, "direct", flag)?,
    };
    if let (Patch::Set(opens_at), Patch::Set(closes_at)) = (&changes.opens_at, &changes.closes_at) {
        check_window(*opens_at, *closes_at)?;
    }
    body.end().map(|()| changes)
}

pub(crate) fn adjust(sku: SkuId, mut body: Members, precondition: Precondition) -> Read<Command> {
    let delta = body.maybe("delta", integer(-DELTA_MAX..=DELTA_MAX))?;
    let stock = body.maybe("stock", natural(0..=STOCK_MAX))?;
    let adjustment = match (delta, stock) {
        (Some(delta), None) if delta != 0 => Adjustment::Delta(delta),
        (None, Some(stock)) => Adjustment::Stock(stock),
        _ => return Err(Nothing),
    };
    let counted = |reason: &String| (1..=200).contains(&reason.chars().count());
    let reason = body.one("reason", |value| text(value).filter(counted))?;
    body.end()?;
    Ok(Command::AdjustSku(Box::new(AdjustSku { sku, adjustment, reason, precondition })))
}

pub(crate) fn draw(mut body: Members) -> Read<(Terms, Admission)> {
    let prize = |prize: &mut Members| {
        let weight = prize.one("weight", natural(0..=WEIGHT_MAX))?;
        Ok(Prize { sku: prize.one("sku", sku)?, weight })
    };
    let prizes = body.one("prizes", list_of(prize))?;
    let blank = body.maybe("blank_weight", natural(0..=WEIGHT_MAX))?.unwrap_or(0);
    let odds = Odds::new(prizes, blank).map_err(|_| Nothing)?;
    let (_, (hold_ms, sell)) = take(&mut body)?;
    let admission = Admission {
        entries_per_user: body.maybe("entries_per_user", natural(0..=INTEGER_MAX))?.unwrap_or(1),
        opens_at: body.maybe("opens_at", instant)?,
        closes_at: body.maybe("closes_at", instant)?,
    };
    check_window(admission.opens_at, admission.closes_at)?;
    body.end().map(|()| (Terms { odds, hold_ms, sell }, admission))
}

pub(crate) fn entry(draw: DrawId, mut body: Members) -> Read<Command> {
    let user = body.one("user", user)?;
    let client_seed = body.maybe("client_seed", |value| printable(value, 0, 64))?.map(Into::into);
    body.end().map(|()| Command::EnterDraw(EnterDraw { draw, user, client_seed }))
}
