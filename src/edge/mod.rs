//! The sold-out edge: what lets an IO thread refuse an order of a SKU with nothing available
//! without asking the writer.
//!
//! Owns a copy of the little that such a refusal needs: the SKUs with nothing available, and
//! filters of all remembered keys and of all users that own anything. The writer publishes what a
//! turn changed when it is durable, before the answers of that turn leave, so a refusal here never
//! contradicts what a client was told. What is not sure takes the ring: this module says "sold out"
//! or nothing. Never decides what an order may have, never counts. Read in this order:
//! `published` (what both sides share), `check` (the question), `publisher` (the writer's side),
//! `sold_out_table`, `filter`.

mod check;
mod filter;
mod published;
mod publisher;
mod sold_out_table;

pub use check::SoldOutCheck;
pub use published::Edge;
pub use publisher::{Members, Publisher};
pub use sold_out_table::SoldOut;
