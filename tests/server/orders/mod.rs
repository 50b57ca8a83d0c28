//! What a client buys: SKUs, orders, draws, and who gets the last unit.
//!
//! - `sale`: a whole sale, one client at a time; read it first
//! - `rules`: the finer rules of SKUs and orders
//! - `idempotency`: a key and its answer, while it is remembered
//! - `contention`: many buyers at once for few units
//! - `draws`: draws, and what a sudden death leaves of them
//! - `unchanged`: writes that find everything as they want it
//! - `edge`: what is refused without the writer, and what never is
//! - `refusals`: every refusal in the journal, or counted

pub(crate) mod contention;
pub(crate) mod draws;
pub(crate) mod edge;
pub(crate) mod idempotency;
pub(crate) mod refusals;
pub(crate) mod rules;
pub(crate) mod sale;
pub(crate) mod unchanged;
