//! `/v1/skus` (API 2).
//!
//! Owns the shape of SKUs and of changes to them; preconditions come from elsewhere
//! (`writer_request`). What needs the state, such as whether `If-Match` is required, is the
//! writer's. Next: `answers`.

use super::input::{Input, ParsedCommand};
use crate::domain::model::command::{
    AdjustSku, Adjustment, Command, DeleteSku, Patch, PatchSku, PutSku,
};
use crate::domain::model::command::{Precondition, Query, SkuChanges, SkuSettings};
use crate::domain::model::ids::{GroupId, HOLD_MS_END, INTEGER_END};
use crate::domain::model::ids::{REASON_CHARACTERS_MAX, STOCK_MAX, SkuId, Stamp};
use crate::http::request::fields::{
    Faults, boolean, id, present, required, text, unknown, wrong_type,
};
use crate::http::request::json::{Members, Value, short};
use crate::http::request::target::{cursor, limit, parameters};
use crate::http::response::problem::Refused;
use hyper::Method;

const MEMBERS: &[&str] = &[
    "stock",
    "per_user_limit",
    "limit_group",
    "opens_at",
    "closes_at",
    "hold_ms",
    "paused",
    "direct",
];

pub(super) fn list(input: &Input<'_>) -> Result<ParsedCommand<'static>, Refused> {
    let [limit, cursor] = parameters(input.query, ["limit", "cursor"])?;
    let mut faults = Faults::default();
    let limit = self::limit(limit, &mut faults);
    let after = self::cursor(cursor, &mut faults, SkuId::parse);
    faults.end()?;
    Ok(ParsedCommand::read(Query::Skus { after, limit }))
}

pub(super) fn one(sku: &str, input: &Input<'_>) -> Result<ParsedCommand<'static>, Refused> {
    input.no_parameters()?;
    let command = match *input.method {
        Method::PUT => {
            let members = input.members()?;
            return put(own(sku)?, &members);
        }
        Method::PATCH => Command::PatchSku(Box::new(patch(sku, input)?)),
        Method::DELETE => {
            let precondition = Precondition::None;
            Command::DeleteSku(Box::new(DeleteSku { sku: own(sku)?, precondition }))
        }
        _ => return Ok(ParsedCommand::read(Query::Sku(own(sku)?))),
    };
    Ok(ParsedCommand::unkeyed(command))
}

fn own(sku: &str) -> Result<SkuId, Refused> {
    SkuId::parse(sku).map_err(|_| wrong_type("the SKU in the path", "an id"))
}

/// A SKU created, or replaced whole.
pub(super) fn put(sku: SkuId, members: &Members<'_>) -> Result<ParsedCommand<'static>, Refused> {
    let mut faults = Faults::default();
    let mut stock = None;
    let mut settings = SkuSettings::default();
    for (name, value) in present(members, MEMBERS, "")? {
        match name {
            "stock" => stock = Some(faults.natural(value, "stock", 0..=STOCK_MAX)?),
            "per_user_limit" => settings.per_user_limit = per_user_limit(value, &mut faults)?,
            "limit_group" => settings.limit_group = Some(group(value)?),
            "opens_at" => settings.opens_at = Some(faults.instant(value, "opens_at")?),
            "closes_at" => settings.closes_at = Some(faults.instant(value, "closes_at")?),
            "hold_ms" => settings.hold_ms = Some(hold_ms(value, &mut faults)?),
            "paused" => settings.paused = boolean(value, "paused")?,
            _ => settings.direct = boolean(value, "direct")?,
        }
    }
    let stock = required(stock, "stock")?;
    window(settings.opens_at, settings.closes_at, &mut faults);
    faults.end()?;
    let put = PutSku { sku, stock, settings, precondition: Precondition::None };
    Ok(ParsedCommand::unkeyed(Command::PutSku(Box::new(put))))
}

fn patch(sku: &str, input: &Input<'_>) -> Result<PatchSku, Refused> {
    let members = input.members()?;
    let sku = own(sku)?;
    let mut faults = Faults::default();
    let mut changes = SkuChanges::default();
    for (name, value) in &members {
        match name.as_ref() {
            "per_user_limit" => {
                changes.per_user_limit = change(value, |value| per_user_limit(value, &mut faults))?;
            }
            "limit_group" => {
                changes.limit_group = change(value, |value| group(value).map(Some))?;
            }
            "opens_at" => {
                changes.opens_at =
                    change(value, |value| faults.instant(value, "opens_at").map(Some))?;
            }
            "closes_at" => {
                changes.closes_at =
                    change(value, |value| faults.instant(value, "closes_at").map(Some))?;
            }
            "hold_ms" => {
                changes.hold_ms = change(value, |value| hold_ms(value, &mut faults).map(Some))?;
            }
            "paused" => changes.paused = change(value, |value| boolean(value, "paused"))?,
            "direct" => changes.direct = change(value, |value| boolean(value, "direct"))?,
            other => return Err(unknown(short(other))),
        }
    }
    if let (Patch::Set(opens_at), Patch::Set(closes_at)) = (&changes.opens_at, &changes.closes_at) {
        window(*opens_at, *closes_at, &mut faults);
    }
    faults.end()?;
    Ok(PatchSku { sku, changes, precondition: Precondition::None })
}

/// In a PATCH null says something: back to the default.
fn change<T>(
    value: &Value<'_>,
    read: impl FnOnce(&Value<'_>) -> Result<T, Refused>,
) -> Result<Patch<T>, Refused> {
    if *value == Value::Null { Ok(Patch::Reset) } else { read(value).map(Patch::Set) }
}

fn per_user_limit(value: &Value<'_>, faults: &mut Faults) -> Result<u64, Refused> {
    faults.natural(value, "per_user_limit", 0..=INTEGER_END - 1)
}

fn group(value: &Value<'_>) -> Result<GroupId, Refused> {
    id(value, "limit_group", GroupId::parse)
}

fn hold_ms(value: &Value<'_>, faults: &mut Faults) -> Result<u64, Refused> {
    faults.natural(value, "hold_ms", 1..=HOLD_MS_END)
}

fn window(opens_at: Option<Stamp>, closes_at: Option<Stamp>, faults: &mut Faults) {
    if let (Some(opens_at), Some(closes_at)) = (opens_at, closes_at)
        && opens_at >= closes_at
    {
        faults.add("opens_at", "must be before closes_at");
    }
}

pub(super) fn adjust_alone(
    sku: &str,
    input: &Input<'_>,
) -> Result<ParsedCommand<'static>, Refused> {
    input.no_parameters()?;
    let members = input.members_or_none()?;
    adjust(own(sku)?, &members)
}

/// A total set anew.
pub(super) fn adjust(sku: SkuId, members: &Members<'_>) -> Result<ParsedCommand<'static>, Refused> {
    let mut faults = Faults::default();
    let (mut delta, mut stock, mut reason) = (None, None, None);
    for (name, value) in present(members, &["delta", "stock", "reason"], "")? {
        match name {
            "delta" => delta = Some(self::delta(value, &mut faults)?),
            "stock" => stock = Some(faults.natural(value, "stock", 0..=STOCK_MAX)?),
            _ => reason = Some(self::reason(value, &mut faults)?),
        }
    }
    let reason = required(reason, "reason")?;
    if delta.is_some() && stock.is_some() {
        faults.add("stock", "must be absent where delta is given");
    }
    faults.end()?;
    let by_delta = delta.map(Adjustment::Delta);
    let adjustment = required(by_delta.or(stock.map(Adjustment::Stock)), "delta or stock")?;
    let adjust = AdjustSku { sku, adjustment, reason, precondition: Precondition::None };
    let command = Command::AdjustSku(Box::new(adjust));
    Ok(ParsedCommand { key_required: true, ..ParsedCommand::unkeyed(command) })
}

fn delta(value: &Value<'_>, faults: &mut Faults) -> Result<i64, Refused> {
    let delta = match value {
        Value::Natural(number) => i64::try_from(*number).unwrap_or(i64::MAX),
        Value::Negative(number) => *number,
        _ => return Err(wrong_type("delta", "a plain integer")),
    };
    if delta == 0 || delta.unsigned_abs() > STOCK_MAX {
        faults.add("delta", format!("must be 1..={STOCK_MAX} up or down"));
    }
    Ok(delta)
}

fn reason(value: &Value<'_>, faults: &mut Faults) -> Result<String, Refused> {
    let reason = text(value, "reason")?;
    if !(1..=REASON_CHARACTERS_MAX).contains(&reason.chars().count()) {
        faults.add("reason", format!("must have 1..={REASON_CHARACTERS_MAX} characters"));
    }
    Ok(reason.to_owned())
}
