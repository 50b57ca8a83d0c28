//! Tables in memory whose cost is bounded: no rehash, no pause, no order of chance.
//!
//! Read `slab` (stable numbers), `index` and `hash` (found by hash), `chunked` (lists and queues),
//! `prefault` (memory made ready ahead), `prefetch` (places looked up together).

pub(in crate::domain) mod chunked;
pub(in crate::domain) mod hash;
pub mod index;
pub mod prefault;
pub mod prefetch;
pub mod slab;
