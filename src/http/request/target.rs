//! Paths and queries.
//!
//! Owns splitting and percent-decoding: segments are split first and decoded once, so an escaped
//! slash never makes a segment. Never knows what a place can do. Next: `routes`.

use super::fields::{Faults, unknown_parameter};
use super::json::short;
use crate::http::response::problem::{Code, Problem, Refused};
use smallvec::SmallVec;
use std::borrow::Cow;

/// The deepest path of ours has five segments.
const SEGMENTS_MAX: usize = 5;
/// Entries of a page at most, and by default (API 2).
const LIMIT_MAX: usize = 100;

/// The segments of a path, decoded.
pub(in crate::http) fn segments(
    path: &str,
) -> Result<SmallVec<[Cow<'_, str>; SEGMENTS_MAX]>, Refused> {
    let rest = path.strip_prefix('/').ok_or_else(|| Problem::malformed("the path is no path"))?;
    let mut segments = SmallVec::new();
    for segment in rest.split('/') {
        let decoded = decoded(segment)?;
        if segments.len() == SEGMENTS_MAX {
            return Err(nothing_here());
        }
        segments.push(decoded);
    }
    Ok(segments)
}

pub(in crate::http) fn nothing_here() -> Refused {
    Problem::new(Code::NotFound, "no such path")
}

/// Undoes percent-encoding once. `+` is a plus: this is no form.
fn decoded(text: &str) -> Result<Cow<'_, str>, Refused> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let bad = || Problem::malformed("a percent-encoding is not valid");
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => {
                let high = hex_digit(bytes.next()).ok_or_else(bad)?;
                high << 4 | hex_digit(bytes.next()).ok_or_else(bad)?
            }
            _ => byte,
        });
    }
    String::from_utf8(plain).map(Cow::Owned).map_err(|_| bad())
}

fn hex_digit(byte: Option<u8>) -> Option<u8> {
    char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The parameters of a query, in the order of `names`.
pub(in crate::http) fn parameters<'q, const N: usize>(
    query: Option<&'q str>,
    names: [&'static str; N],
) -> Result<[Option<Cow<'q, str>>; N], Refused> {
    let mut values = [const { None }; N];
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name)?;
        let known = names.iter().zip(values.iter_mut()).find(|(known, _)| **known == name);
        let Some((known, place)) = known else {
            return Err(unknown_parameter(short(&name)));
        };
        if place.replace(decoded(value)?).is_some() {
            return Err(Problem::malformed(format!("the query parameter {known} is repeated")));
        }
    }
    Ok(values)
}

/// `limit`, 1..=100; anything else is a fault.
pub(in crate::http) fn limit(value: Option<Cow<'_, str>>, faults: &mut Faults) -> usize {
    let Some(value) = value else { return LIMIT_MAX };
    let plain = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|number| plain && (1..=LIMIT_MAX).contains(number));
    number.unwrap_or_else(|| {
        faults.add("limit", format!("must be 1..={LIMIT_MAX}"));
        LIMIT_MAX
    })
}

/// `cursor`: an id that a page before ended with; anything else is a fault.
pub(in crate::http) fn cursor<T, E>(
    value: Option<Cow<'_, str>>,
    faults: &mut Faults,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let parsed = parse(&value?).ok();
    if parsed.is_none() {
        faults.add("cursor", "must be a next_cursor of this list");
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Result<&[&str], Code>) {
        let segments = segments(path).map_err(|refused| refused.code);
        let segments =
            segments.as_ref().map(|found| found.iter().map(AsRef::as_ref).collect::<Vec<&str>>());
        assert_eq!(segments.as_deref().map_err(|code| **code), expected, "{path}");
    }

    #[test]
    fn segments_are_split_first_and_decoded_once() {
        check("/", Ok(&[""]));
        check("/v1/orders", Ok(&["v1", "orders"]));
        check("/v1/orders/", Ok(&["v1", "orders", ""]));
        check("/a%2Fb/%41%2541", Ok(&["a/b", "A%41"]));
        check("/a+b", Ok(&["a+b"]));
        check("/%C3%A4", Ok(&["ä"]));
        check("/1/2/3/4/5/6", Err(Code::NotFound));
        for bad in ["*", "", "/%", "/%4", "/%4g", "/%+1", "/%FF", "/a/%/"] {
            check(bad, Err(Code::Malformed));
        }
    }

    #[test]
    fn parameters_are_known_and_stand_once() {
        let check = |query: Option<&str>, expected: Result<[Option<&str>; 2], Code>| {
            let found = parameters(query, ["limit", "cursor"]).map_err(|refused| refused.code);
            let found = found.as_ref().map(|values| values.each_ref().map(|v| v.as_deref()));
            assert_eq!(found.map_err(|code| *code), expected, "{query:?}");
        };
        check(None, Ok([None, None]));
        check(Some(""), Ok([None, None]));
        check(Some("cursor=a%20b&limit=1"), Ok([Some("1"), Some("a b")]));
        check(Some("limit"), Ok([Some(""), None]));
        check(Some("limit=1&limit=1"), Err(Code::Malformed));
        check(Some("limit=%"), Err(Code::Malformed));
        check(Some("Limit=1"), Err(Code::UnknownField));
        check(Some("verbose"), Err(Code::UnknownField));
    }

    #[test]
    fn a_limit_is_1_to_100() {
        for (text, good) in [("1", true), ("100", true), ("0", false), ("101", false)]
            .into_iter()
            .chain(["", "-1", "+1", "1.0", "x", "18446744073709551616"].map(|text| (text, false)))
        {
            let mut faults = Faults::default();
            limit(Some(text.into()), &mut faults);
            assert_eq!(faults.end().is_ok(), good, "{text}");
        }
    }
}
