//! `/v1/draws` (API 4).
//!
//! Owns the shape of draws and entries, and makes the secret seed that a new draw commits to: the
//! rules draw no randomness of their own. Next: `answers`, `domain::decide_draw`.

use super::input::{Input, ParsedCommand};
use crate::domain::model::command::{Command, DeleteDraw, EnterDraw, Precondition, PutDraw, Query};
use crate::domain::model::draw::{Admission, Odds, OddsError, Prize, Seed, Terms};
use crate::domain::model::ids::{CLIENT_SEED_BYTES_MAX, DrawId, HOLD_MS_END, INTEGER_END};
use crate::domain::model::ids::{PRIZES_MAX, SkuId, UserId, WEIGHT_MAX};
use crate::http::request::fields::{Faults, boolean, id, present, required, text, wrong_type};
use crate::http::request::json::{Members, Value};
use crate::http::request::target::{limit, parameters};
use crate::http::response::problem::{Code, Problem, Refused};
use compact_str::CompactString;
use hyper::Method;

const MEMBERS: &[&str] =
    &["prizes", "blank_weight", "entries_per_user", "opens_at", "closes_at", "hold_ms", "confirm"];

/// Entries of one user in a draw that does not say.
const ENTRIES_PER_USER: u64 = 1;

pub(super) fn one(draw: &str, input: &Input<'_>) -> Result<ParsedCommand<'static>, Refused> {
    input.no_parameters()?;
    let command = match *input.method {
        Method::PUT => Command::PutDraw(Box::new(put(draw, input)?)),
        Method::DELETE => {
            let precondition = Precondition::None;
            Command::DeleteDraw(Box::new(DeleteDraw { draw: own(draw)?, precondition }))
        }
        _ => return Ok(ParsedCommand::read(Query::Draw(own(draw)?))),
    };
    Ok(ParsedCommand::unkeyed(command))
}

fn own(draw: &str) -> Result<DrawId, Refused> {
    DrawId::parse(draw).map_err(|_| wrong_type("the draw in the path", "an id"))
}

fn put(draw: &str, input: &Input<'_>) -> Result<PutDraw, Refused> {
    let members = input.members()?;
    let draw = own(draw)?;
    let mut faults = Faults::default();
    let (mut prizes, mut blank_weight, mut hold_ms, mut sell) = (None, 0, None, false);
    let mut admission =
        Admission { entries_per_user: ENTRIES_PER_USER, opens_at: None, closes_at: None };
    for (name, value) in present(&members, MEMBERS, "")? {
        match name {
            "prizes" => prizes = Some(self::prizes(value, &mut faults)?),
            "blank_weight" => blank_weight = faults.natural(value, name, 0..=WEIGHT_MAX)?,
            "entries_per_user" => {
                admission.entries_per_user = faults.natural(value, name, 0..=INTEGER_END - 1)?;
            }
            "opens_at" => admission.opens_at = Some(faults.instant(value, "opens_at")?),
            "closes_at" => admission.closes_at = Some(faults.instant(value, "closes_at")?),
            "hold_ms" => hold_ms = Some(faults.natural(value, name, 1..=HOLD_MS_END)?),
            _ => sell = boolean(value, name)?,
        }
    }
    let odds = Odds::new(required(prizes, "prizes")?, blank_weight);
    if let (Some(opens_at), Some(closes_at)) = (admission.opens_at, admission.closes_at)
        && opens_at >= closes_at
    {
        faults.add("opens_at", "must be before closes_at");
    }
    if sell && hold_ms.is_some() {
        faults.add("hold_ms", "must be absent with confirm, which holds nothing");
    }
    let odds = odds.map_err(|bad| tell(bad, &mut faults));
    faults.end()?;
    let odds = odds.map_err(|()| Faults::one("prizes", "must be odds"))?;
    let terms = Terms { odds, hold_ms, sell };
    let (seed, precondition) = (fresh_seed()?, Precondition::None);
    Ok(PutDraw { draw, terms, admission, seed, precondition })
}

/// Counts and weights that are out of range were told where they stand; what is left is between
/// several prizes.
fn tell(bad: OddsError, faults: &mut Faults) {
    match bad {
        OddsError::Twice(place) => {
            faults.add(format!("prizes[{place}].sku"), "must not stand in an earlier prize");
        }
        OddsError::Nothing => {
            faults.add("prizes", "must have a weight above 0, or blank_weight must be");
        }
        OddsError::Count => faults.add("prizes", format!("must have 1..={PRIZES_MAX} entries")),
        OddsError::Weight => faults.add("prizes", format!("must have weights 0..={WEIGHT_MAX}")),
    }
}

fn prizes(value: &Value<'_>, faults: &mut Faults) -> Result<Vec<Prize>, Refused> {
    let Value::List(list) = value else { return Err(wrong_type("prizes", "a list")) };
    // Of thousands too many, only the shape is looked at.
    let mut unheard = Faults::default();
    let counted = list.len() <= PRIZES_MAX;
    let faults = if counted { faults } else { &mut unheard };
    let prizes = list.iter().enumerate().map(|(at, value)| prize(value, at, faults));
    prizes.collect()
}

fn prize(value: &Value<'_>, at: usize, faults: &mut Faults) -> Result<Prize, Refused> {
    let Value::Object(members) = value else {
        return Err(wrong_type(format_args!("prizes[{at}]"), "an object"));
    };
    let (mut sku, mut weight) = (None, None);
    for (name, value) in present(members, &["sku", "weight"], format_args!("prizes[{at}]."))? {
        match name {
            "sku" => sku = Some(id(value, format_args!("prizes[{at}].sku"), SkuId::parse)?),
            _ => {
                let field = format_args!("prizes[{at}].weight");
                weight = Some(faults.natural(value, field, 0..=WEIGHT_MAX)?);
            }
        }
    }
    let sku = required(sku, format_args!("prizes[{at}].sku"))?;
    let weight = required(weight, format_args!("prizes[{at}].weight"))?;
    Ok(Prize { sku, weight })
}

/// From the system; the journal keeps it, no client is told before the draw is closed.
fn fresh_seed() -> Result<Seed, Refused> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|_| Problem::new(Code::Internal, "the system gives no random bytes"))?;
    Ok(Seed(bytes))
}

pub(super) fn entries(draw: &str, input: &Input<'_>) -> Result<ParsedCommand<'static>, Refused> {
    if input.method == Method::POST { enter_alone(draw, input) } else { list(draw, input) }
}

fn enter_alone(draw: &str, input: &Input<'_>) -> Result<ParsedCommand<'static>, Refused> {
    input.no_parameters()?;
    let members = input.members()?;
    enter(own(draw)?, &members)
}

/// A try of one's luck.
pub(super) fn enter(
    draw: DrawId,
    members: &Members<'_>,
) -> Result<ParsedCommand<'static>, Refused> {
    let mut faults = Faults::default();
    let (mut user, mut client_seed) = (None, None);
    for (name, value) in present(members, &["user", "client_seed"], "")? {
        match name {
            "user" => user = Some(id(value, "user", UserId::parse)?),
            _ => client_seed = Some(self::client_seed(value, &mut faults)?),
        }
    }
    let user = required(user, "user")?;
    faults.end()?;
    let command = Command::EnterDraw(EnterDraw { draw, user, client_seed });
    Ok(ParsedCommand { key_required: true, ..ParsedCommand::unkeyed(command) })
}

fn client_seed(value: &Value<'_>, faults: &mut Faults) -> Result<CompactString, Refused> {
    let added = text(value, "client_seed")?;
    let printable = added.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !printable || added.len() > CLIENT_SEED_BYTES_MAX {
        let reason = format!("must be at most {CLIENT_SEED_BYTES_MAX} printable ASCII");
        faults.add("client_seed", reason);
    }
    Ok(CompactString::new(added))
}

fn list(draw: &str, input: &Input<'_>) -> Result<ParsedCommand<'static>, Refused> {
    let [after, limit, user] = parameters(input.query, ["after", "limit", "user"])?;
    let draw = own(draw)?;
    let user = user.map(|user| UserId::parse(&user)).transpose();
    let user = user.map_err(|_| wrong_type("the query parameter user", "an id"))?;
    let mut faults = Faults::default();
    let limit = self::limit(limit, &mut faults);
    let after = after.map_or(0, |after| {
        let number = after.parse().ok().filter(|_| after.bytes().all(|byte| byte.is_ascii_digit()));
        number.unwrap_or_else(|| {
            faults.add("after", "must be a next_after of this list, or the number of an entry");
            0
        })
    });
    faults.end()?;
    Ok(ParsedCommand::read(Query::Entries { draw, user, after, limit }))
}

/// `POST /v1/draws/{draw}/close`; its body has no members.
pub(super) fn close(draw: &str, input: &Input<'_>) -> Result<ParsedCommand<'static>, Refused> {
    input.no_parameters()?;
    present(&input.members_or_none()?, &[], "").map(drop)?;
    Ok(ParsedCommand::unkeyed(Command::CloseDraw(own(draw)?)))
}

#[cfg(test)]
#[path = "draws_tests.rs"]
mod tests;
