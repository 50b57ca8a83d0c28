//! `/v1/batch` and `/v1/events` in the contract (API 5).

use super::operation::{Content, Operation};
use crate::http::response::problem::Code;
use serde_json::Value;

pub(super) fn operations() -> Vec<Operation> {
    vec![batch(), events()]
}

/// A body of these lines.
fn lines(lines: &[&str]) -> Value {
    lines.iter().flat_map(|line| [line, "\n"]).collect::<String>().into()
}

fn batch() -> Operation {
    Operation::new(("post", "/v1/batch"), "runBatch", "orders", "Many commands at once")
        .says(
            "A command a line, at most 10,000 lines of 64 KiB in 4 MiB; blank lines are skipped. \
             They are decided one after another, not as one transaction, and answered by a line \
             each in their order, exactly as if they had been sent alone: a key means the same in \
             both. What is wrong with the stream ends it with a line without `replayed`; earlier \
             lines stand. So does a token or an address that is taken back meanwhile, with 401 or \
             403. The answers come while the lines are read. A batch has no `Idempotency-Key`: its \
             lines have one each.",
        )
        .takes(&["RequestTimeout", "Traceparent"])
        .lines(
            "BatchLine",
            vec![
                (
                    "two orders",
                    lines(&[
                        r#"{"op":"order","key":"b-1","user":"u1","lines":[{"sku":"A","qty":1}]}"#,
                        r#"{"op":"order","key":"b-2","user":"u2","lines":[{"sku":"B","qty":2}]}"#,
                    ]),
                ),
                (
                    "stock",
                    lines(&[
                        r#"{"op":"sku","sku":"C","stock":1000,"per_user_limit":1}"#,
                        r#"{"op":"adjust","key":"b-3","sku":"C","delta":-5,"reason":"damaged"}"#,
                    ]),
                ),
            ],
        )
        .answers(
            200,
            "A line for each line.",
            Content::Lines("BatchAnswer"),
            &["X-Accel-Buffering"],
        )
        .served()
}

fn events() -> Operation {
    Operation::new(("get", "/v1/events"), "getEvents", "orders", "What changed, from the journal")
        .says(
            "CloudEvents, one for each record that changed a SKU or an order, durable as answers are \
             in the configured mode, in the order of their ids; a write that finds all as it wants it \
             is none. `oldest` of a 410 `compacted` is the furthest back that `after` may be: going on \
             from it skips nothing that is kept. A place that a power cut took back in a mode that \
             answers before the sync is `diverged`. `Accept: application/x-ndjson` and \
             `text/event-stream` follow; a blank line or a comment comes every 15 s. Lines of an order \
             stand in the event that created it. Without `after` from the beginning.",
        )
        .takes(&["EventsAfter", "EventLimit", "LastEventId", "Traceparent"])
        .answers(200, "A page, or a stream.", Content::Events, &["X-Accel-Buffering"])
        .served()
        .refuses(&[
            Code::Invalid,
            Code::Compacted,
            Code::Diverged,
            Code::Overloaded,
            Code::Internal,
        ])
}
