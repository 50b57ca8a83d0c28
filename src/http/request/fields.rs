//! Members of bodies as values of the domain.
//!
//! Owns the line between 400 and 422: a wrong type or pattern is malformed and ends the reading; a
//! value of the right type that is out of range is a fault, and all faults are told together. Never
//! reads JSON text. Next: `routes`.

use super::json::{Members, Value, short};
use crate::domain::model::ids::{BadId, LineRequest, LineRequests, SkuId};
use crate::domain::model::ids::{LINES_MAX, QUANTITY_MAX, Stamp};
use crate::http::response::problem::{Code, Fault, Member, Problem, Refused};
use crate::shared::instant::{self, BadInstant};
use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;

/// All faults of one request.
#[derive(Debug, Default)]
pub(in crate::http) struct Faults(Vec<Fault>);

impl Faults {
    pub(in crate::http) fn add(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        reason: impl Into<Cow<'static, str>>,
    ) {
        self.0.push(Fault { field: field.into(), reason: reason.into() });
    }

    /// A natural number of this range; out of it is a fault, and the start stands in.
    pub(in crate::http) fn natural(
        &mut self,
        value: &Value<'_>,
        field: impl Display,
        range: RangeInclusive<u64>,
    ) -> Result<u64, Refused> {
        match value {
            Value::Natural(number) if range.contains(number) => Ok(*number),
            Value::Natural(_) | Value::Negative(_) => {
                let reason = format!("must be {}..={}", range.start(), range.end());
                self.add(field.to_string(), reason);
                Ok(*range.start())
            }
            _ => Err(wrong_type(field, "a plain integer")),
        }
    }

    /// An instant; before 1970 is a fault, and so is after 9999, which an offset can reach.
    pub(in crate::http) fn instant(
        &mut self,
        value: &Value<'_>,
        field: &'static str,
    ) -> Result<Stamp, Refused> {
        match instant::parse(text(value, field)?) {
            Ok(stamp) => Ok(stamp),
            Err(BadInstant::Form) => Err(wrong_type(field, "an RFC 3339 instant")),
            Err(BadInstant::TooEarly) => {
                self.add(field, "must not be before 1970");
                Ok(0)
            }
            Err(BadInstant::TooLate) => {
                self.add(field, "must not be after the year 9999 in UTC");
                Ok(0)
            }
        }
    }

    /// The lines of an order or a refund.
    pub(in crate::http) fn lines(&mut self, value: &Value<'_>) -> Result<LineRequests, Refused> {
        let Value::List(list) = value else { return Err(wrong_type("lines", "a list")) };
        let counted = (1..=LINES_MAX).contains(&list.len());
        let mut unheard = Self::default();
        if !counted {
            self.add("lines", format!("must have 1..={LINES_MAX} entries"));
        }
        // Thousands of lines too many do not make thousands of faults.
        let faults = if counted { self } else { &mut unheard };
        let mut lines = LineRequests::with_capacity(list.len().min(LINES_MAX));
        for (at, value) in list.iter().enumerate() {
            let line = faults.line(value, at)?;
            if !counted {
                continue;
            }
            if lines.iter().any(|earlier: &LineRequest| earlier.sku == line.sku) {
                faults.add(format!("lines[{at}].sku"), "must not stand in an earlier line");
            }
            lines.push(line);
        }
        Ok(lines)
    }

    fn line(&mut self, value: &Value<'_>, at: usize) -> Result<LineRequest, Refused> {
        let Value::Object(members) = value else {
            return Err(wrong_type(format_args!("lines[{at}]"), "an object"));
        };
        let (mut sku, mut quantity) = (None, None);
        for (name, value) in present(members, &["sku", "qty"], format_args!("lines[{at}]."))? {
            match name {
                "sku" => {
                    sku = Some(id(value, format_args!("lines[{at}].sku"), SkuId::parse)?);
                }
                _ => {
                    let field = format_args!("lines[{at}].qty");
                    quantity = Some(self.natural(value, field, 1..=QUANTITY_MAX)?);
                }
            }
        }
        let sku = required(sku, format_args!("lines[{at}].sku"))?;
        let quantity = required(quantity, format_args!("lines[{at}].qty"))?;
        Ok(LineRequest { sku, quantity: u32::try_from(quantity).unwrap_or(1) })
    }

    /// Ends the reading: a problem that tells every fault, if there is any.
    pub(in crate::http) fn end(self) -> Result<(), Refused> {
        let Some(first) = self.0.first() else { return Ok(()) };
        let detail = format!("{} {}", first.field, first.reason);
        Err(Problem::new(Code::Invalid, detail).with("errors", Member::Faults(self.0)))
    }

    /// The problem of one fault.
    pub(in crate::http) fn one(field: &'static str, reason: &'static str) -> Refused {
        let fault = Fault { field: field.into(), reason: reason.into() };
        Problem::new(Code::Invalid, format!("{field} {reason}"))
            .with("errors", Member::Faults(vec![fault]))
    }
}

/// Members that have a value, all names being known: null means absent, but a name that is unknown
/// is so with or without a value. `place` stands before it in the problem.
pub(in crate::http) fn present<'m, 'b>(
    members: &'m Members<'b>,
    known: &'static [&'static str],
    place: impl Display,
) -> Result<impl Iterator<Item = (&'m str, &'m Value<'b>)>, Refused> {
    for (name, _) in members {
        if !known.contains(&name.as_ref()) {
            return Err(unknown(format_args!("{place}{}", short(name))));
        }
    }
    let with_value = members.iter().filter(|(_, value)| *value != Value::Null);
    Ok(with_value.map(|(name, value)| (name.as_ref(), value)))
}

pub(in crate::http) fn text<'v>(
    value: &'v Value<'_>,
    field: impl Display,
) -> Result<&'v str, Refused> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(wrong_type(field, "a string")),
    }
}

pub(in crate::http) fn boolean(value: &Value<'_>, field: impl Display) -> Result<bool, Refused> {
    match value {
        Value::Bool(value) => Ok(*value),
        _ => Err(wrong_type(field, "true or false")),
    }
}

pub(in crate::http) fn id<T>(
    value: &Value<'_>,
    field: impl Display,
    parse: fn(&str) -> Result<T, BadId>,
) -> Result<T, Refused> {
    parse(text(value, &field)?).map_err(|BadId| wrong_type(field, "an id"))
}

pub(in crate::http) fn required<T>(value: Option<T>, field: impl Display) -> Result<T, Refused> {
    value.ok_or_else(|| Problem::malformed(format!("{field} is missing")))
}

pub(in crate::http) fn wrong_type(field: impl Display, expected: &str) -> Refused {
    Problem::malformed(format!("{field} must be {expected}"))
}

pub(in crate::http) fn unknown(field: impl Display) -> Refused {
    let field = field.to_string();
    Problem::new(Code::UnknownField, format!("{field} is unknown"))
        .with("field", Member::Text(field.into()))
}

pub(in crate::http) fn unknown_parameter(name: String) -> Refused {
    Problem::new(Code::UnknownField, format!("the query parameter {name} is unknown"))
        .with("field", Member::Text(name.into()))
}
