//! Many requests in one, answered in order (API 5).
//!
//! Owns how a line is written, and when a batch may be sent again: lines are decided one after
//! another, so a second sending is safe only where every line that was perhaps decided is told its
//! first answer, which takes a key. Next: `retry`.

use super::answer::Answer;
use super::attempt::Whole;
use super::error::{Error, Problem};
use super::handle::Client;
use super::key::Key;
use super::orders::{Action, LineUnits, NewOrder};
use super::request::{Ask, path};
use super::retry::Failure;
use super::skus::{Adjustment, NewSku, Precondition};
use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Lines of a batch (API 5).
const LINES_MAX: usize = 10_000;
/// Bytes of a line, its end not counted.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a batch.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// One request of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// As [`Client::create_order`].
    Order {
        /// What is bought.
        order: NewOrder,
        /// The idempotency key of this order.
        key: Key,
    },
    /// As [`Client::act`].
    Act {
        /// The id of the order.
        id: String,
        /// What is done to it.
        action: Action,
        /// Without one, a batch whose answer was lost is not sent again.
        key: Option<Key>,
    },
    /// As [`Client::refund_lines`].
    RefundLines {
        /// The id of the order.
        id: String,
        /// What comes back.
        lines: Vec<LineUnits>,
        /// To be sold again; otherwise the units are gone.
        restock: bool,
        /// The idempotency key of this refund.
        key: Key,
    },
    /// As [`Client::enter_draw`].
    Enter {
        /// The id of the draw.
        draw: String,
        /// The user who enters.
        user: String,
        /// What the user adds to the chance.
        client_seed: Option<String>,
        /// The idempotency key of this entry.
        key: Key,
    },
    /// As [`Client::adjust_sku`].
    Adjust {
        /// The id of the SKU.
        sku: String,
        /// How the stock changes.
        adjustment: Adjustment,
        /// Why, 1 to 200 characters.
        reason: String,
        /// The idempotency key of this change.
        key: Key,
    },
    /// As [`Client::put_sku`], but never with [`Precondition::IfAbsent`]. It has no key: a batch
    /// whose answer was lost is not sent again.
    Put {
        /// The id of the SKU.
        sku: String,
        /// What it becomes.
        new: NewSku,
        /// What that rests on.
        precondition: Precondition,
    },
}

/// What one line was answered.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LineAnswer {
    /// The HTTP status that the request alone would have had.
    pub status: u16,
    /// The first answer to this key, given again.
    pub replayed: bool,
    /// The body of the line's answer.
    pub body: Value,
    /// How many attempts the batch took, from 1.
    #[serde(skip)]
    pub attempts: u32,
}

impl LineAnswer {
    /// The answer in its type.
    ///
    /// # Errors
    /// [`Error::Refused`] for a line that was refused, [`Error::Unreadable`] for another type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Answer<T>, Error> {
        let Self { status, replayed, attempts, .. } = *self;
        let unreadable =
            |cause: serde_json::Error| Error::Unreadable { status, cause: cause.to_string() };
        if !(200..300).contains(&status) {
            let problem = Problem::deserialize(&self.body).map_err(unreadable)?;
            return Err(Error::Refused(Box::new(problem)));
        }
        let body = T::deserialize(&self.body).map_err(unreadable)?;
        Ok(Answer { status, replayed, attempts, body })
    }

    /// Says whether the outcome of the line is unknown.
    fn is_unknown(&self) -> bool {
        self.body["code"] == "outcome_unknown"
    }
}

impl Line {
    fn key(&self) -> Option<&Key> {
        match self {
            Self::Order { key, .. }
            | Self::RefundLines { key, .. }
            | Self::Enter { key, .. }
            | Self::Adjust { key, .. } => Some(key),
            Self::Act { key, .. } => key.as_ref(),
            Self::Put { .. } => None,
        }
    }

    /// The members besides the key.
    fn members(&self) -> Result<Value, Error> {
        Ok(match self {
            Self::Order { order, .. } => with(order, [("op", json!("order"))]),
            Self::Act { id, action, .. } => {
                let (verb, body) = action.parts();
                with(&body.unwrap_or_else(|| json!({})), [("op", json!(verb)), ("id", json!(id))])
            }
            Self::RefundLines { id, lines, restock, .. } => {
                json!({"op": "refund", "id": id, "lines": lines, "restock": restock})
            }
            Self::Enter { draw, user, client_seed, .. } => {
                json!({"op": "entry", "draw": draw, "user": user, "client_seed": client_seed})
            }
            Self::Adjust { sku, adjustment, reason, .. } => {
                let body = adjustment.body(reason);
                let if_match = if_match(adjustment.precondition())?;
                with(&body, [("op", json!("adjust")), ("sku", json!(sku)), ("if_match", if_match)])
            }
            Self::Put { sku, new, precondition } => {
                let if_match = if_match(*precondition)?;
                with(new, [("op", json!("sku")), ("sku", json!(sku)), ("if_match", if_match)])
            }
        })
    }

    fn write(&self, text: &mut Vec<u8>) -> Result<(), Error> {
        let key = self.key().map(|key| ("key", json!(key.as_str())));
        let line = with(&self.members()?, key);
        let begin = text.len();
        serde_json::to_writer(&mut *text, &line).expect("numbers and text are JSON");
        if text.len() - begin > LINE_BYTES_MAX {
            return Err(Error::invalid(
                "batch",
                format!("a line has at most {LINE_BYTES_MAX} bytes"),
            ));
        }
        text.push(b'\n');
        Ok(())
    }
}

/// An object and more members.
fn with<'n>(
    object: &impl serde::Serialize,
    more: impl IntoIterator<Item = (&'n str, Value)>,
) -> Value {
    let mut value = serde_json::to_value(object).expect("numbers and text are JSON");
    for (name, member) in more {
        value[name] = member;
    }
    value
}

/// Null is as good as absent.
fn if_match(precondition: Precondition) -> Result<Value, Error> {
    match precondition {
        Precondition::None => Ok(Value::Null),
        Precondition::Exists => Ok(json!("*")),
        Precondition::Version(version) => Ok(json!(version)),
        Precondition::IfAbsent => {
            Err(Error::invalid("batch", "a line cannot say that a SKU must be absent"))
        }
    }
}

impl Client {
    /// Asks many things at once: 1 to 10,000 lines, decided one after another; one line's refusal
    /// harms no other. Answers stand in the order of the lines. If an answer is lost, all lines are
    /// sent again with their keys, where every line has one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for more lines or bytes than a batch may have, otherwise see [`Error`]:
    /// with [`Error::OutcomeUnknown`] some lines may have been decided, and the same batch may be
    /// sent again if every line has a key. What a single line was refused for stands in its answer.
    pub async fn batch(&self, lines: &[Line]) -> Result<Vec<LineAnswer>, Error> {
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        if lines.len() > LINES_MAX {
            return Err(Error::invalid("batch", format!("has at most {LINES_MAX} lines")));
        }
        let mut text = Vec::new();
        for line in lines {
            line.write(&mut text)?;
        }
        if text.len() > BATCH_BYTES_MAX {
            return Err(Error::invalid("batch", format!("has at most {BATCH_BYTES_MAX} bytes")));
        }
        let repeats = lines.iter().all(|line| line.key().is_some());
        let ask = Ask::new(Method::POST, path(["batch"]), repeats).lines(text);
        self.settle(&ask, |whole, attempts| answers(&whole, lines.len(), attempts).map(Ok)).await
    }
}

/// An answer for each line; anything less leaves something unknown.
fn answers(whole: &Whole, count: usize, attempts: u32) -> Result<Vec<LineAnswer>, Failure> {
    let lines = whole.body().split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let read = |line| serde_json::from_slice::<LineAnswer>(line);
    let told: Vec<LineAnswer> = lines.map_while(|line| read(line).ok()).collect();
    if told.len() != count {
        let cause = format!("{} of {count} lines were answered", told.len());
        return Err(Failure::NoAnswer(cause));
    }
    if told.iter().any(LineAnswer::is_unknown) {
        return Err(Failure::NoAnswer("the server stopped within the batch".to_owned()));
    }
    Ok(told.into_iter().map(|line| LineAnswer { attempts, ..line }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new("k").unwrap()
    }

    fn written(line: &Line) -> Value {
        let mut text = Vec::new();
        line.write(&mut text).unwrap();
        assert_eq!(text.pop(), Some(b'\n'));
        serde_json::from_slice(&text).unwrap()
    }

    /// A line has the members of its request and those for path and headers.
    #[test]
    fn a_line_has_its_requests_members_and_path_and_headers() {
        let order = NewOrder::of("u", "s", 2);
        assert_eq!(
            written(&Line::Order { order, key: key() }),
            json!({"op": "order", "key": "k", "user": "u", "confirm": false,
                   "lines": [{"sku": "s", "qty": 2}]})
        );
        let action = Action::Extend { hold_ms: 5 };
        assert_eq!(
            written(&Line::Act { id: "1-2".to_owned(), action, key: None }),
            json!({"op": "extend", "id": "1-2", "hold_ms": 5})
        );
        let adjustment = Adjustment::Stock { stock: 7, version: 3 };
        let (sku, reason) = ("s".to_owned(), "r".to_owned());
        assert_eq!(
            written(&Line::Adjust { sku, adjustment, reason, key: key() }),
            json!({"op": "adjust", "sku": "s", "stock": 7, "reason": "r", "if_match": 3, "key": "k"})
        );
    }

    #[test]
    fn what_cannot_be_said_in_a_line_is_the_callers_mistake() {
        let (sku, new) = ("s".to_owned(), NewSku::of(1));
        let line = Line::Put { sku, new, precondition: Precondition::IfAbsent };
        assert!(matches!(line.write(&mut Vec::new()), Err(Error::Invalid { .. })));
        let long =
            Line::Order { order: NewOrder::of("u".repeat(LINE_BYTES_MAX), "s", 1), key: key() };
        assert!(matches!(long.write(&mut Vec::new()), Err(Error::Invalid { .. })));
    }
}
