//! What may happen: `decide` reads, `apply` writes.
//!
//! Read `decide`, `decide_sku`, `decide_draw` (what a command does), `limits` (what stops an order
//! that the stock would allow), `sweep` (what is due by itself), `apply`, `apply_draw` (what an
//! event does), `read`, `read_draw` (what the state shows), `refusal_counts` (which
//! refusals are counted).

pub mod apply;
pub(in crate::domain) mod apply_draw;
pub mod decide;
pub mod decide_draw;
pub(in crate::domain) mod decide_sku;
pub(in crate::domain) mod limits;
pub mod read;
pub(in crate::domain) mod read_draw;
pub mod refusal_counts;
pub mod sweep;
