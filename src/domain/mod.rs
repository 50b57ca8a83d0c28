//! The rules: pure, synchronous, and the only place where anything is decided.
//!
//! `decide` reads the state and says what a command does; `apply` writes it. Live runs both, a
//! replay runs only `apply`. Nothing here reads a clock, does IO, draws randomness, counts in
//! floats or lets the order of a map reach an outcome. Read in this order: `ids`, `command`,
//! `order` (the transition table), `decide`, `event`, `apply`, `state`.

pub mod answer;
pub mod apply;
mod apply_draw;
pub mod command;
pub mod deadlines;
pub mod decide;
pub mod decide_draw;
mod decide_sku;
pub mod draw;
pub mod draws;
pub mod entries;
pub mod event;
pub mod ids;
pub mod image_rows;
pub mod index;
pub mod invariants;
pub mod kept;
mod limits;
pub mod lives;
pub mod order;
pub mod orders;
pub mod pieces;
pub mod principals;
pub mod read;
mod read_draw;
pub mod refusals;
pub mod requests;
pub mod restore;
mod rows;
pub mod settings;
pub mod sku;
pub mod skus;
pub mod slab;
pub mod state;
pub mod sweep;
mod table_hash;
pub mod users;
pub mod warm;
