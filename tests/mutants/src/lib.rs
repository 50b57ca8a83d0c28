//! Mistakes made on purpose: is each one found, by what, and how soon?
//!
//! A mutant is the product with one mistake in it. The product's source has none: a mutant is a row
//! of a table, a piece of the source and what stands there instead. All are built at once, from one
//! copy of the source in which each replaced piece asks which mutant runs; the simulator then hunts
//! them one after the other. Never changes a file of the product. Read `mutant` for what a row is,
//! `table` for the rows, `switched` for what the copy says, `copy` for where it is, `hunt` for the
//! rest.

#![forbid(unsafe_code)]

pub mod copy;
pub mod hunt;
pub mod mutant;
pub mod switched;
pub mod table;
