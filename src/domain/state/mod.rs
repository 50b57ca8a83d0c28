//! All that the rules know: one table a file, each with its cap.
//!
//! Read `tables` (all of them together), `skus`, `usage`, `orders`, `draws`, `entries`,
//! `idempotency`, `deadlines`, `principals`, then `snapshot_rows` and `restore` (a state from a
//! snapshot), `invariants` (what is always true).

pub mod deadlines;
pub mod draws;
pub mod entries;
pub mod idempotency;
pub mod invariants;
pub mod orders;
pub mod principals;
pub mod restore;
pub mod skus;
pub mod snapshot_rows;
pub mod tables;
pub mod usage;
