//! What happens to a request between its head and its answer.
//!
//! Owns the order of checks (API 1). Read `service` (one request, start to end), `submit` and
//! `read_after_write` (the writer is asked), `sold_out` and `sold_out_responder` (what an IO thread
//! refuses by itself), `batch` and `batch_times` (many in one), `events` and `cloud_events` (the
//! feed), `mode` (what operators switch), `replication` (what other nodes keep a node from).

pub(in crate::http) mod batch;
pub(in crate::http) mod batch_times;
pub(in crate::http) mod cloud_events;
pub(in crate::http) mod events;
pub(in crate::http) mod mode;
pub(in crate::http) mod read_after_write;
pub(in crate::http) mod replication;
pub(in crate::http) mod service;
pub(in crate::http) mod sold_out;
pub(in crate::http) mod sold_out_responder;
pub(in crate::http) mod submit;
