//! JSON as the contract takes it: objects that name each member once, plain integers, no more.
//!
//! Owns a reading of its own, so that what a hostile client sends is not judged by the code that it
//! was sent to. Whatever is not as the contract says is `Nothing`. Next: `understand`.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::ops::RangeInclusive;

/// It asks for nothing that the contract knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nothing;

pub(crate) type Read<T> = Result<T, Nothing>;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Flag(bool),
    /// Without a point, an exponent or the sign of a zero.
    Integer(i128),
    /// Any other number.
    Number,
    Text(String),
    List(Vec<Json>),
    Object(Members),
}

/// What stands in an object, until it is taken out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Members(Vec<(String, Json)>);

impl Members {
    pub(crate) fn parse(text: &str) -> Read<Self> {
        match serde_json::from_str(text) {
            Ok(Json::Object(members)) => Ok(members),
            _ => Err(Nothing),
        }
    }

    /// Also if it is null.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.0.iter().position(|(own, _)| own == name)?;
        Some(self.0.remove(at).1)
    }

    /// Null is absent.
    pub(crate) fn maybe<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Json) -> Option<T>,
    ) -> Read<Option<T>> {
        match self.take(name) {
            None | Some(Json::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or(Nothing),
        }
    }

    pub(crate) fn one<T>(&mut self, name: &str, read: impl FnOnce(Json) -> Option<T>) -> Read<T> {
        self.maybe(name, read)?.ok_or(Nothing)
    }

    /// Absent is false.
    pub(crate) fn flag(&mut self, name: &str) -> Read<bool> {
        Ok(self.maybe(name, flag)?.unwrap_or(false))
    }

    /// There is no member that nobody knows.
    pub(crate) fn end(self) -> Read<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Nothing) }
    }
}

pub(crate) fn flag(value: Json) -> Option<bool> {
    if let Json::Flag(value) = value { Some(value) } else { None }
}

pub(crate) fn text(value: Json) -> Option<String> {
    if let Json::Text(text) = value { Some(text) } else { None }
}

/// A text of which something can be made.
pub(crate) fn of_text<T>(read: impl FnOnce(&str) -> Option<T>) -> impl FnOnce(Json) -> Option<T> {
    |value| read(&text(value)?)
}

pub(crate) fn integer(range: RangeInclusive<i64>) -> impl FnOnce(Json) -> Option<i64> {
    move |value| match value {
        Json::Integer(number) => i64::try_from(number).ok().filter(|number| range.contains(number)),
        _ => None,
    }
}

pub(crate) fn natural(range: RangeInclusive<u64>) -> impl FnOnce(Json) -> Option<u64> {
    move |value| match value {
        Json::Integer(number) => u64::try_from(number).ok().filter(|number| range.contains(number)),
        _ => None,
    }
}

/// A list of objects, each read to its end.
pub(crate) fn list_of<T>(
    each: impl Fn(&mut Members) -> Read<T>,
) -> impl FnOnce(Json) -> Option<Vec<T>> {
    move |value| {
        let Json::List(list) = value else { return None };
        let one = |value| {
            let Json::Object(mut members) = value else { return None };
            let read = each(&mut members).ok()?;
            members.end().ok().map(|()| read)
        };
        list.into_iter().map(one).collect()
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Flag(value))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Integer(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Integer(number.into()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = from.next_element()? {
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some((name, value)) = from.next_entry::<String, Json>()? {
            if members.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom("a member comes twice"));
            }
            members.push((name, value));
        }
        Ok(Json::Object(Members(members)))
    }
}

#[test]
fn only_what_the_contract_takes_is_read() {
    let read = |text: &str| Members::parse(text)?.one("n", natural(0..=9));
    assert_eq!(read(r#"{"n":7}"#), Ok(7));
    assert_eq!(read(r#"{"\u006e" : 7 }"#), Ok(7));
    for none in ["7.0", "7e0", "-0", "10", "-1", "\"7\"", "null", "07", "[7]", "7,\"n\":7"] {
        assert_eq!(read(&format!("{{\"n\":{none}}}")), Err(Nothing), "{none}");
    }
    for none in ["", "null", "[]", "{\"n\":7}{}", "\u{feff}{\"n\":7}", "{\"n\":\"\\ud800\"}"] {
        assert_eq!(read(none), Err(Nothing), "{none}");
    }
}
