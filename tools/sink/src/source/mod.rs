//! The server that is followed: one or more addresses, and a token. Asks the public API only.
//!
//! - `addresses`: which of them is asked
//! - `reader`: the feed, read ahead of a sink
//! - `lists`: the state of now

mod addresses;
mod lists;
mod reader;

pub(crate) use addresses::Source;
pub(crate) use reader::{End, Item, Reading};
