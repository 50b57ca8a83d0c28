//! What operators and generators see: metrics, log lines, the contract.
//!
//! Read `request_metrics` (counters, timings, endpoints), `labels` (the words they are counted by),
//! `news` (lines on standard error), `possible` (the outcomes that each request may have),
//! `openapi` (the served document).

pub(in crate::http) mod labels;
pub(in crate::http) mod news;
pub(in crate::http) mod openapi;
pub(in crate::http) mod possible;
pub(in crate::http) mod request_metrics;
