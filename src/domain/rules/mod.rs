//! What may happen: `decide` reads, `apply` writes.
//!
//! Read `decide`, `decide_sku`, `decide_draw` (what a command does), `checks` (what they have in
//! common), `limits` (what stops an order that the stock would allow), `visibility` (which orders
//! there are for a principal), `sweep` (what is due by itself), `apply`, `apply_order`,
//! `apply_draw` (what an event does), `read`, `read_draw`, `views` (what the state shows),
//! `refusal_counts` (which refusals are counted).

pub mod apply;
pub(in crate::domain) mod apply_draw;
pub(in crate::domain) mod apply_order;
pub(in crate::domain) mod checks;
pub mod decide;
pub mod decide_draw;
pub(in crate::domain) mod decide_sku;
pub(in crate::domain) mod limits;
pub mod read;
pub(in crate::domain) mod read_draw;
pub mod refusal_counts;
pub mod sweep;
pub(in crate::domain) mod views;
pub(in crate::domain) mod visibility;
