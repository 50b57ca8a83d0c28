//! JSON as it comes in, strictly.
//!
//! Owns what is refused before any member is looked at: anything but one object, duplicates,
//! nesting, trailing bytes, bad UTF-8. Borrows from the body. Never knows a member's meaning. Next:
//! `fields`.

use super::problem::{Problem, Refused};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Objects and arrays inside each other at most; a line of an order is the third.
const DEPTH_MAX: u8 = 4;
/// Members of one object at most. No object of ours has half as many, and looking for duplicates
/// takes the square of it.
const MEMBERS_MAX: usize = 32;

/// A value, borrowed from the body where it has no escapes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'b> {
    Null,
    Bool(bool),
    Natural(u64),
    Negative(i64),
    /// A number that is no plain integer, or none that fits.
    OtherNumber,
    Text(Cow<'b, str>),
    List(Vec<Value<'b>>),
    Object(Members<'b>),
}

/// An object's members in their order, each name once.
pub(super) type Members<'b> = Vec<(Cow<'b, str>, Value<'b>)>;

/// Reads a body that must be one object.
pub(super) fn object(body: &[u8]) -> Result<Members<'_>, Refused> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Seed { depth: 0 }.deserialize(&mut reader);
    match value.and_then(|value| reader.end().map(|()| value)) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Problem::malformed("the body must be a JSON object")),
        Err(error) => Err(Problem::malformed(format!("the body is not the JSON we take: {error}"))),
    }
}

#[derive(Clone, Copy)]
struct Seed {
    depth: u8,
}

impl Seed {
    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom("nested too deeply"));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'b> DeserializeSeed<'b> for Seed {
    type Value = Value<'b>;

    fn deserialize<D: Deserializer<'b>>(self, reader: D) -> Result<Value<'b>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'b> Visitor<'b> for Seed {
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
pub(super) fn short(name: &str) -> String {
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
    use super::super::problem::Code;
    use super::*;

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
    fn integers_that_do_not_fit_are_no_integers() {
        let members = object(b"{\"a\":18446744073709551615,\"b\":18446744073709551616}").unwrap();
        let values: Vec<_> = members.into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, [Value::Natural(u64::MAX), Value::OtherNumber]);
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

    #[test]
    fn nesting_is_refused_however_deep() {
        check_refused(format!("{{\"a\":{}", "[".repeat(60_000)).as_bytes());
    }
}
