//! How a node stands, as `/v1/status` tells it, and what came of a handover.
//!
//! Owns the members: what the writer knows of its state, what the cursors say, and how the node
//! stands among the others. Never asks the writer. Next: `answers`, `shared::standing`.

use super::json_writer::Json;
use super::reply::Reply;
use crate::domain::model::answer::TableFill;
use crate::domain::model::ids::Sequence;
use crate::http::front::Front;
use crate::shared::standing::{CopyStanding, Standing};
use hyper::StatusCode;

/// What is known of the state.
#[derive(Debug)]
pub(in crate::http) struct StateSummary<'s> {
    pub(in crate::http) epoch: u32,
    /// The sequence that it was read at.
    pub(in crate::http) sequence: Sequence,
    /// How full the tables are; none where no writer can tell.
    pub(in crate::http) tables: &'s [TableFill],
}

/// The status of a node that follows: the journal's tail is stored, and no writer tells of tables.
pub(in crate::http) fn of_follower(front: &Front) -> Reply {
    let sequence = front.cursors.settled();
    let epoch = front.standing.load().epoch;
    let mut json = Json::new();
    write(&mut json, front, &StateSummary { epoch, sequence, tables: &[] });
    Reply::json(StatusCode::OK, json)
}

/// Another node writes from here on.
pub(in crate::http) fn handed_over(to: &str) -> Reply {
    let mut json = Json::new();
    json.raw("{\"to\":");
    json.text(to);
    json.raw("}");
    Reply::json(StatusCode::OK, json)
}

/// Writes the members of a status.
pub(in crate::http) fn write(json: &mut Json, front: &Front, known: &StateSummary<'_>) {
    let standing = front.standing.load();
    json.raw("{\"version\":");
    json.text(env!("CARGO_PKG_VERSION"));
    json.raw(",\"role\":");
    json.text(standing.role.word());
    json.raw(",\"epoch\":");
    json.number(u64::from(known.epoch));
    json.raw(",\"seq\":");
    json.number(known.sequence);
    json.raw(",\"durable_seq\":");
    json.number(front.cursors.settled());
    json.raw(",\"snapshot_seq\":");
    json.maybe(front.snapshots.sequence(), Json::number);
    // Only while it is one: what is not there needs no attention.
    if let Some(why) = front.snapshots.failure() {
        json.raw(",\"snapshot_error\":");
        json.text(&why);
    }
    if let Some(what) = front.snapshots.damage() {
        json.raw(",\"journal_damage\":");
        json.text(&what);
    }
    json.raw(",\"journal_bytes\":");
    json.number(front.cursors.journal_bytes());
    json.raw(",\"uptime_ms\":");
    json.number(front.clock.elapsed_ms());
    json.raw(",\"mode\":");
    json.text(front.mode());
    json.raw(",\"durability\":");
    json.text(&front.durability);
    if standing.is_replicated {
        write_standing(json, &standing);
    }
    json.raw(",\"tables\":{");
    for (at, table) in known.tables.iter().enumerate() {
        json.raw(if at > 0 { ",\"" } else { "\"" });
        json.raw(table.name);
        json.raw("\":{\"used\":");
        json.number(table.used);
        json.raw(",\"cap\":");
        json.number(table.cap);
        json.raw("}");
    }
    json.raw("}}");
}

fn write_standing(json: &mut Json, standing: &Standing) {
    json.raw(",\"node\":");
    json.text(&standing.node);
    json.raw(",\"writer\":");
    let url = standing.writer.as_ref().and_then(|writer| writer.url.as_deref());
    json.maybe(url, Json::text);
    json.raw(",\"in_sync\":");
    json.list(&standing.in_sync, |json, node| json.text(node));
    json.raw(",\"copies\":");
    json.list(&standing.copies, |json, copy: &CopyStanding| {
        json.raw("{\"node\":");
        json.text(&copy.node);
        json.raw(",\"lag_records\":");
        json.number(copy.lag_records);
        json.raw(",\"lag_ms\":");
        json.number(copy.lag_ms);
        json.raw("}");
    });
    json.raw(",\"alone\":");
    json.boolean(standing.is_alone);
    if let Some((sequence, what)) = &standing.digest_differs {
        json.raw(",\"digest_differs\":{\"seq\":");
        json.number(*sequence);
        json.raw(",\"how\":");
        json.text(what);
        json.raw("}");
    }
}
