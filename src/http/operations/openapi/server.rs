//! Probes, figures and what operators ask for, in the contract (API 6).

use super::operation::{Content, Operation};
use crate::http::response::problem::Code;

const TAG: &str = "server";

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(("get", "/livez"), "getLive", TAG, "The process lives")
            .says("Also while it starts or stops.")
            .answers(200, "It does.", Content::Json("Probe"), &[]),
        Operation::new(("get", "/readyz"), "getReady", TAG, "New requests are served")
            .says(
                "Not while it starts, stops or only reads, nor while the disk stands still or the \
                 copies are missing; and only where the writer is.",
            )
            .answers(200, "They are.", Content::Json("Probe"), &[])
            // Served at any time, and to every address: a probe is charged to none.
            .refuses(&[Code::Recovering, Code::Draining, Code::ReadOnly, Code::Overloaded])
            .refuses(&[Code::Standby, Code::NoArbiter, Code::Unreplicated]),
        Operation::new(("get", "/v1/status"), "getStatus", TAG, "How the server stands")
            .says(
                "How far the journal is and what of it is on disk, how full each table is, and how \
                 the node stands among the others. A node that follows tells of no tables.",
            )
            .answers(200, "So.", Content::Json("Status"), &[])
            .asked(),
        Operation::new(
            ("get", "/v1/latency"),
            "getLatency",
            TAG,
            "Where the time of requests goes",
        )
        .says(
            "Of all requests that the writer answered since the start, in microseconds. Each line \
             of a batch counts in `ring`, `decide`, `append`, `durable` and `repl`, the wait for the \
             copies; the batch counts once in `parse`, up to its first line in the ring, in `answer`, \
             from its last line durable and copied, and in `whole`, as long as its client takes to \
             send it included.",
        )
        .answers(200, "Stage by stage.", Content::Json("Latency"), &[])
        .served(),
        Operation::new(
            ("get", "/v1/latency.hgrm"),
            "getLatencyPercentiles",
            TAG,
            "A stage's distribution, as HdrHistogram's plotter reads it",
        )
        .says("Of all requests that the writer answered since the start.")
        .takes(&["Stage"])
        .answers(200, "In microseconds.", Content::Text("text/plain; charset=utf-8"), &[])
        .served()
        .refuses(&[Code::Invalid]),
        Operation::new(("get", "/metrics"), "getMetrics", TAG, "What Prometheus scrapes")
            .says(
                "Prometheus' text format 0.0.4, or OpenMetrics 1.0 where `Accept` would rather have \
                 that. Every counter is there from the start, at 0.",
            )
            .answers(200, "All figures.", Content::Metrics, &[])
            .served(),
        Operation::new(("get", "/openapi.json"), "getContract", TAG, "This document")
            .says("The same file lies in the source as `docs/openapi.json`.")
            .answers(200, "OpenAPI 3.1.", Content::Json("Document"), &[])
            .served(),
        Operation::new(("get", "/"), "getRoot", TAG, "This document, until there is a page")
            .says("As `/openapi.json`.")
            .answers(200, "OpenAPI 3.1.", Content::Json("Document"), &[])
            .served(),
        Operation::new(("post", "/v1/admin/snapshot"), "takeSnapshot", TAG, "Take a snapshot now")
            .says("Answers when it is written, synced and verified. Never holds the sale up.")
            .may_have_body("Empty", vec![])
            .answers(200, "The newest snapshot.", Content::Json("Snapshot"), &[])
            .served()
            .refuses(&[Code::Overloaded, Code::Internal, Code::NoSpace]),
        Operation::new(("post", "/v1/admin/handover"), "handOver", TAG, "Have a copy write on")
            .says(
                "Answers when another node has what it needs to write. `outcome_unknown`: \
                 `/v1/status` of the nodes tells which one does.",
            )
            .may_have_body("Handover", vec![])
            .answers(200, "Which one.", Content::Json("HandedOver"), &[])
            .served()
            .refuses(&[Code::ReplicationOff, Code::NotInSync])
            .refuses(&[Code::Overloaded, Code::OutcomeUnknown]),
        mode("/v1/admin/drain", "drain", "Finish what is under way and stop")
            .says("As SIGTERM does, `drain_delay_ms` before it included; the process ends with 0."),
        mode("/v1/admin/read-only", "setReadOnly", "Take no more writes")
            .says("They get 503 `read_only`, `/readyz` too; reads are served, deadlines run."),
        mode("/v1/admin/read-write", "setReadWrite", "Take writes again")
            .says("As every start does."),
    ]
}

fn mode(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new(("post", path), id, TAG, summary)
        .may_have_body("Empty", vec![])
        .answers(200, "The mode from now on.", Content::Json("Mode"), &[])
        .served()
}
