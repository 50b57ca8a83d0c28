//! `/v1/batch` and `/v1/events` in the contract (API 5).

use super::operation::{Content, Operation};
use crate::http::problem::Code;

pub(super) fn operations() -> Vec<Operation> {
    vec![batch(), events()]
}

fn batch() -> Operation {
    Operation::new(("post", "/v1/batch"), "runBatch", "orders", "Many commands at once")
        .says(
            "A command a line, at most 10,000 lines of 64 KiB in 4 MiB; blank lines are skipped. \
             They are decided one after another, not as one transaction, and answered by a line \
             each in their order, exactly as if they had been sent alone: a key means the same in \
             both. What is wrong with the stream ends it with a line without `replayed`; earlier \
             lines stand. So does a token or an address that is taken back meanwhile, with 401 or \
             403. The answers come while the lines are read.",
        )
        .takes(&["RequestTimeout", "Traceparent"])
        .lines("BatchLine")
        .answers(200, "A line for each line.", Content::Lines("BatchAnswer"), &[])
        .served()
}

fn events() -> Operation {
    Operation::new(("get", "/v1/events"), "getEvents", "orders", "What changed, from the journal")
        .says(
            "CloudEvents, one for each record that changed a SKU or an order, durable, in the \
             order of their ids. `Accept: application/x-ndjson` and `text/event-stream` follow; a \
             blank line or a comment comes every 15 s. Lines of an order stand in the event that \
             created it. Without `after` from the beginning.",
        )
        .takes(&["After", "EventLimit", "LastEventId", "Traceparent"])
        .answers(200, "A page, or a stream.", Content::Events, &[])
        .served()
        .refuses(&[
            Code::Invalid,
            Code::Compacted,
            Code::Diverged,
            Code::RateLimited,
            Code::Overloaded,
            Code::Internal,
        ])
}
