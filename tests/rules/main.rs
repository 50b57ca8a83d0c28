//! Tests of the pure rules: what `decide` and `apply` make of requests, without ring, disk or HTTP.
//!
//! `harness` is a writer of one thread and no journal. `scenario` runs short texts on it; the
//! modules after it are such texts, one feature each, their names the facts of the contract.
//! `model` says the same rules again, slowly and plainly, and `property` compares the two over
//! random histories. Nothing here reads a clock. Read in this order: `harness`, `scenario`,
//! any feature, `model`, `property`.

mod asking;
mod draw_history;
mod draw_words;
mod harness;
mod history;
mod property;
mod scenario;
mod wording;

mod capacity;
mod draws;
mod fairness;
mod idempotency;
mod impossible;
mod limits;
mod lists;
mod many;
mod order_of_checks;
mod orders;
mod prepared;
mod records;
mod retention;
mod sku_changes;
mod sku_deletion;
mod stored;
mod time;
mod transitions;
