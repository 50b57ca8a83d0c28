//! The tables of a shop's database (API 10): what the events mean for them.
//!
//! Owns the meaning, for every database alike: rows are loaded, events folded into them, and what
//! changed is stored together with the position, in one transaction. Knows no SQL: a database is a
//! `store::Store`. Next: `schema`, `rows`, `fold`, `apply`, `rebuild`; the databases are `postgres`, `mysql`.

mod apply;
mod draws;
mod fold;
#[cfg(test)]
mod fold_tests;
mod listed;
mod orders;
mod rebuild;
mod rows;
pub(crate) mod schema;
mod skus;
mod store;

pub(crate) use apply::Tables;
pub(crate) use listed::prizes_of;
pub(crate) use rows::{Changes, DrawRow, EntryRow, LineRow, OrderRow, SkuRow};
pub(crate) use store::Store;
