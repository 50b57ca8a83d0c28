//! An event as sinks get it, and a place in the feed.
//!
//! Owns the text of an event: CloudEvents 1.0, structured JSON, the members in a fixed order, so
//! that the same event is the same text at every target. Never looks into `data`. Next: `sink`.

use doorbuster::client;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happened, and its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    specversion: String,
    pub(crate) id: String,
    pub(crate) source: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) time: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) traceparent: Option<String>,
    datacontenttype: String,
    pub(crate) data: Value,
}

/// Where a follower is: the last event that its target has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Whose journal; empty before the first event.
    pub(crate) source: String,
    /// As the server is told.
    pub(crate) id: String,
    pub(crate) seq: u64,
}

impl Event {
    pub(crate) fn seq(&self) -> u64 {
        sequence(&self.id).unwrap_or_default()
    }

    /// The word after `doorbuster.`.
    pub(crate) fn word(&self) -> &str {
        self.kind.strip_prefix("doorbuster.").unwrap_or(&self.kind)
    }

    /// The whole event as JSON.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("text and JSON are JSON")
    }

    pub(crate) fn position(&self) -> Position {
        Position { source: self.source.clone(), id: self.id.clone(), seq: self.seq() }
    }

    /// All that it happened to: its subject, and the orders that it names besides.
    pub(crate) fn subjects(&self) -> Vec<String> {
        let mut subjects = vec![self.subject.clone()];
        let order = |value: &Value| value.as_str().map(|id| format!("orders/{id}"));
        subjects.extend(self.data.get("order").and_then(order));
        let orders = self.data.get("orders").and_then(Value::as_array);
        subjects.extend(orders.into_iter().flatten().filter_map(order));
        subjects
    }

    /// The subjects whose later events rest on this one.
    pub(crate) fn own_subjects(&self) -> Vec<String> {
        let mut subjects = self.subjects();
        // Of many orders at once nothing rests on it.
        subjects.truncate(2);
        if self.data.get("orders").is_some() {
            subjects.truncate(1);
        }
        subjects
    }
}

impl From<client::Event> for Event {
    fn from(event: client::Event) -> Self {
        let client::Event { id, source, kind, subject, time, traceparent, data } = event;
        let (specversion, datacontenttype) = ("1.0".to_owned(), "application/json".to_owned());
        Self { specversion, id, source, kind, subject, time, traceparent, datacontenttype, data }
    }
}

/// The number in an id: what follows its last dash.
pub(crate) fn sequence(id: &str) -> Option<u64> {
    id.rsplit('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;
    use serde_json::json;

    #[test]
    fn its_text_is_the_event_that_the_feed_tells() {
        let told = event(27, "order.cancelled", "orders/2-9", json!({"id": "2-9", "seq": 27}));
        let text = r#"{"specversion":"1.0","id":"7k3v9q2m-27","source":"urn:doorbuster:journal:00","type":"doorbuster.order.cancelled","subject":"orders/2-9","time":"2027-01-15T08:00:00.123Z","datacontenttype":"application/json","data":{"id":"2-9","seq":27}}"#;
        assert_eq!(told.text(), text);
        assert_eq!(serde_json::from_str::<Event>(text).unwrap(), told);
        assert_eq!((told.seq(), told.word()), (27, "order.cancelled"));
    }

    #[test]
    fn a_win_is_about_its_draw_and_its_order() {
        let won = event(5, "draw.entered", "draws/d", json!({"order": "1-5"}));
        assert_eq!(won.subjects(), ["draws/d", "orders/1-5"]);
        assert_eq!(won.own_subjects(), won.subjects());
        let many = event(6, "orders.archived", "orders", json!({"orders": ["1-1", "1-2"]}));
        assert_eq!(many.subjects(), ["orders", "orders/1-1", "orders/1-2"]);
        assert_eq!(many.own_subjects(), ["orders"]);
    }
}
