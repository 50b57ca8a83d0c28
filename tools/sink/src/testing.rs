//! What unit tests of several files share: events and settings that are put together shortly.
//!
//! Only in builds of tests. Next: `event`, `config`.

use crate::config::SinkSettings;
use crate::event::Event;
use doorbuster::client;
use serde_json::Value;

/// An event of this number.
pub(crate) fn event(seq: u64, word: &str, subject: &str, data: Value) -> Event {
    client::Event {
        id: format!("7k3v9q2m-{seq}"),
        source: "urn:doorbuster:journal:00".to_owned(),
        kind: format!("doorbuster.{word}"),
        subject: subject.to_owned(),
        time: "2027-01-15T08:00:00.123Z".to_owned(),
        traceparent: None,
        data,
    }
    .into()
}

/// A sink of this kind.
pub(crate) fn settings(kind: &str, url: &str, more: &str) -> SinkSettings {
    let text = format!("name = \"s\"\nkind = \"{kind}\"\nurl = \"{url}\"\n{more}");
    toml::from_str(&text).expect("they are settings")
}
