//! JSON as it comes in, strictly.
//!
//! Owns what is refused before any member is looked at: anything but one object, duplicates,
//! nesting, trailing bytes, bad UTF-8. Borrows from the body. An integer beyond 64 bits
//! becomes the nearest one of 64 bits; every field's range check then refuses it. Never knows a
//! member's meaning. Next: `fields`.

use crate::domain::model::ids::{LINES_MAX, PRIZES_MAX};
use crate::http::response::problem::{Problem, Refused};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// Objects and arrays inside each other at most; a line of an order is the third.
const DEPTH_MAX: u8 = 4;
/// Values of one list that are looked at; what stands after them is read over. No list of ours may
/// be so long, so the list is refused for its length whatever they are.
const VALUES_MAX: usize = PRIZES_MAX + 1;
/// Digits in a row from which on a plain integer may be beyond 64 bits.
const LONG_DIGITS: usize = 19;
/// Members of one object at most. No object of ours has half as many, and looking for duplicates
/// takes the square of it.
const MEMBERS_MAX: usize = 32;

const _: () = assert!(VALUES_MAX > PRIZES_MAX && VALUES_MAX > LINES_MAX);

/// A value, borrowed from the body where it has no escapes.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::http) enum Value<'b> {
    Null,
    Bool(bool),
    Natural(u64),
    Negative(i64),
    /// A number that is no plain integer.
    OtherNumber,
    Text(Cow<'b, str>),
    List(Vec<Value<'b>>),
    Object(Members<'b>),
}

/// An object's members in their order, each name once.
pub(in crate::http) type Members<'b> = Vec<(Cow<'b, str>, Value<'b>)>;

impl Value<'_> {
    fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Natural(number) => Value::Natural(number),
            Self::Negative(number) => Value::Negative(number),
            Self::OtherNumber => Value::OtherNumber,
            Self::Text(text) => Value::Text(text.into_owned().into()),
            Self::List(list) => Value::List(list.into_iter().map(Value::into_owned).collect()),
            Self::Object(members) => {
                let owned = |(name, value): (Cow<'_, str>, Value<'_>)| {
                    (name.into_owned().into(), value.into_owned())
                };
                Value::Object(members.into_iter().map(owned).collect())
            }
        }
    }
}

/// Reads a body that must be one object.
pub(in crate::http) fn object(body: &[u8]) -> Result<Members<'_>, Refused> {
    match value(body)? {
        Value::Object(members) => Ok(members),
        _ => Err(Problem::malformed("the body must be a JSON object")),
    }
}

/// Reads a body where nothing need be said; then some clients send `null`.
pub(in crate::http) fn object_or_null(body: &[u8]) -> Result<Members<'_>, Refused> {
    match value(body)? {
        Value::Object(members) => Ok(members),
        Value::Null => Ok(Members::new()),
        _ => Err(Problem::malformed("the body must be a JSON object")),
    }
}

fn value(body: &[u8]) -> Result<Value<'_>, Refused> {
    let has_floats = Cell::new(false);
    let mut value = read(body, &has_floats);
    // serde_json takes too long an integer for a float, or for an error.
    if (has_floats.get() || value.is_err())
        && may_have_long_integers(body)
        && let Some(clamped) = with_clamped_integers(body)
    {
        value = read(&clamped, &has_floats).map(Value::into_owned);
    }
    value.map_err(|error| Problem::malformed(format!("the body is not the JSON we take: {error}")))
}

fn read<'b>(body: &'b [u8], has_floats: &Cell<bool>) -> Result<Value<'b>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Seed { depth: 0, has_floats }.deserialize(&mut reader)?;
    reader.end().map(|()| value)
}

/// Whether a plain integer can be beyond 64 bits; costs a small part of reading the text.
fn may_have_long_integers(text: &[u8]) -> bool {
    // So many digits in a row cover one of these places; one digit there has few beside it, or
    // enough.
    (LONG_DIGITS - 1..text.len()).step_by(LONG_DIGITS).any(|at| {
        let (before, behind) = text.split_at(at);
        let digits = |byte: &&u8| byte.is_ascii_digit();
        let behind = behind.iter().take_while(digits).count();
        behind > 0 && behind + before.iter().rev().take_while(digits).count() >= LONG_DIGITS
    })
}

/// The text with plain integers beyond 64 bits replaced by the nearest that fit; none if there are
/// none. What is no JSON stays none.
fn with_clamped_integers(text: &[u8]) -> Option<Vec<u8>> {
    let mut clamped = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let [byte, behind @ ..] = rest {
        let bytes = match byte {
            b'"' => {
                in_string = !in_string;
                1
            }
            b'\\' if in_string => behind.len().min(1) + 1,
            b'-' | b'0'..=b'9' if !in_string => {
                let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                rest.iter().take_while(is_part).count()
            }
            _ => 1,
        };
        let (token, behind) = rest.split_at_checked(bytes)?;
        let kept = if in_string { None } else { nearest(token) };
        clamped.extend_from_slice(kept.map_or(token, str::as_bytes));
        rest = behind;
    }
    (clamped != text).then_some(clamped)
}

/// What stands for a plain integer that does not fit.
fn nearest(token: &[u8]) -> Option<&'static str> {
    let (negative, digits) = match token.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, token),
    };
    let plain = digits.iter().all(u8::is_ascii_digit) && matches!(digits, [b'1'..=b'9', ..]);
    let text = str::from_utf8(token).ok().filter(|_| plain)?;
    match negative {
        true => text.parse::<i64>().is_err().then_some("-9223372036854775808"),
        false => text.parse::<u64>().is_err().then_some("18446744073709551615"),
    }
}

#[derive(Clone, Copy)]
struct Seed<'s> {
    depth: u8,
    has_floats: &'s Cell<bool>,
}

impl Seed<'_> {
    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom("nested too deeply"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'b> DeserializeSeed<'b> for Seed<'_> {
    type Value = Value<'b>;

    fn deserialize<D: Deserializer<'b>>(self, reader: D) -> Result<Value<'b>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'b> Visitor<'b> for Seed<'_> {
    type Value = Value<'b>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'b>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'b>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'b>, E> {
        Ok(Value::Natural(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'b>, E> {
        Ok(u64::try_from(value).map_or(Value::Negative(value), Value::Natural))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'b>, E> {
        self.has_floats.set(true);
        Ok(Value::OtherNumber)
    }

    fn visit_borrowed_str<E>(self, value: &'b str) -> Result<Value<'b>, E> {
        Ok(Value::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value<'b>, E> {
        Ok(Value::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'b>>(self, mut list: A) -> Result<Value<'b>, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(inner)? {
            values.push(value);
            if values.len() == VALUES_MAX {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                break;
            }
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'b>>(self, mut map: A) -> Result<Value<'b>, A::Error> {
        let inner = self.inner()?;
        let mut members: Members<'b> = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            if members.iter().any(|(there, _)| *there == name) {
                return Err(A::Error::custom(format_args!("member {} stands twice", short(&name))));
            }
            if members.len() == MEMBERS_MAX {
                return Err(A::Error::custom("too many members"));
            }
            members.push((name, map.next_value_seed(inner)?));
        }
        Ok(Value::Object(members))
    }
}

/// A name from outside, cut for use in a text for people.
pub(in crate::http) fn short(name: &str) -> String {
    let mut cut: String = name.chars().take(64).collect();
    if cut.len() < name.len() {
        cut.push('…');
    }
    cut
}

struct Name;

impl<'b> DeserializeSeed<'b> for Name {
    type Value = Cow<'b, str>;

    fn deserialize<D: Deserializer<'b>>(self, reader: D) -> Result<Cow<'b, str>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'b> Visitor<'b> for Name {
    type Value = Cow<'b, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, value: &'b str) -> Result<Cow<'b, str>, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cow<'b, str>, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::response::problem::Code;

    #[track_caller]
    fn check_refused(body: &[u8]) {
        let refused = object(body).expect_err(&String::from_utf8_lossy(body));
        assert_eq!(refused.code, Code::Malformed);
    }

    #[test]
    fn values_keep_their_kind_and_members_their_order() {
        let members = object(br#" {"b":1,"a":-2,"c":[null,true,"\u0041"],"d":1.0,"e":1e3} "#);
        let text = |text: &'static str| Cow::Borrowed(text);
        let list = vec![Value::Null, Value::Bool(true), Value::Text(text("A"))];
        let expected = vec![
            (text("b"), Value::Natural(1)),
            (text("a"), Value::Negative(-2)),
            (text("c"), Value::List(list)),
            (text("d"), Value::OtherNumber),
            (text("e"), Value::OtherNumber),
        ];
        assert_eq!(members.unwrap(), expected);
    }

    #[test]
    fn integers_that_do_not_fit_are_the_nearest_that_do() {
        let many = "9".repeat(1000);
        for (number, expected) in [
            ("18446744073709551615", Value::Natural(u64::MAX)),
            ("18446744073709551616", Value::Natural(u64::MAX)),
            ("-9223372036854775808", Value::Negative(i64::MIN)),
            ("-9223372036854775809", Value::Negative(i64::MIN)),
            (many.as_str(), Value::Natural(u64::MAX)),
            (&format!("-{many}"), Value::Negative(i64::MIN)),
            ("18446744073709551616.0", Value::OtherNumber),
            ("18446744073709551616e0", Value::OtherNumber),
            ("-18446744073709551616E-1", Value::OtherNumber),
            ("-0", Value::OtherNumber),
        ] {
            let body = format!(r#"{{"t\"1":"\\","a":[{number},{{"99999999999999999999":1.5}}] }}"#);
            let inner = vec![(Cow::Borrowed("99999999999999999999"), Value::OtherNumber)];
            let members = object(body.as_bytes()).unwrap();
            let list = Value::List(vec![expected, Value::Object(inner)]);
            let text = Value::Text(Cow::Borrowed("\\"));
            assert_eq!(members, vec![(Cow::Borrowed("t\"1"), text), (Cow::Borrowed("a"), list)]);
        }
        for number in [&format!("{many}e1"), &format!("0{many}"), &format!("+{many}")] {
            check_refused(format!("{{\"a\":{number}}}").as_bytes());
        }
        check_refused(format!("{{\"a\":{many}, \"a\":1}}").as_bytes());
    }

    #[test]
    fn anything_but_one_strict_object_is_malformed() {
        for body in [
            "",
            " ",
            "[]",
            "1",
            "null",
            "\"x\"",
            "{",
            "{}}",
            "{} {}",
            "{}x",
            "{\"a\":1,}",
            "{,}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":+1}",
            "{\"a\":.5}",
            "{\"a\":NaN}",
            "{\"a\":1e999}",
            "{\"a\":tru}",
            "{\"a\" 1}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":1} // comment",
            "\u{feff}{}",
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"\\u0061\":2}",
            "{\"a\":{\"b\":1,\"b\":2}}",
            "{\"a\":[[[[]]]]}",
        ] {
            check_refused(body.as_bytes());
        }
        check_refused(b"{\"a\":\"\xff\"}");
        check_refused(b"{\"\xc3\x28\":1}");
        assert!(object(b"{\"a\":[[[]]]}").is_ok());
    }

    #[test]
    fn a_crowd_of_members_is_refused_before_it_costs_time() {
        let crowd: Vec<String> = (0..5000).map(|number| format!("\"{number}\":1")).collect();
        check_refused(format!("{{{}}}", crowd.join(",")).as_bytes());
    }

    /// So a body costs no more than its bytes, whatever its lists hold.
    #[test]
    fn values_beyond_the_longest_list_are_read_over() {
        let list = |count| format!("{{\"lines\":[{}]}}", vec!["[1.5]"; count].join(","));
        for (count, kept) in [(100, 100), (101, 101), (102, 101), (10_000, 101)] {
            let body = list(count);
            let members = object(body.as_bytes()).expect("it is JSON");
            let [(_, Value::List(values))] = members.as_slice() else { panic!("{members:?}") };
            assert_eq!(values.len(), kept, "of {count}");
        }
        check_refused(list(10_000).replace("]}", ",}").as_bytes());
    }

    #[test]
    fn only_a_text_with_nineteen_digits_in_a_row_is_read_again() {
        assert!(!may_have_long_integers(b"[1.5,123456789012345678]"));
        assert!(may_have_long_integers(b"[1.5,-1234567890123456789]"));
        for (before, digits, behind) in (0..40).flat_map(|before| {
            (17..22).flat_map(move |digits| (0..20).map(move |behind| (before, digits, behind)))
        }) {
            let text = [b"x".repeat(before), b"7".repeat(digits), b"x".repeat(behind)].concat();
            let long = may_have_long_integers(&text);
            assert_eq!(long, digits >= LONG_DIGITS, "{before}, {digits}, {behind}");
        }
    }

    #[test]
    fn nesting_is_refused_however_deep() {
        check_refused(format!("{{\"a\":{}", "[".repeat(60_000)).as_bytes());
    }
}
