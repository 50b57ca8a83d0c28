//! Load generator and latency reports.
fn main() {}
