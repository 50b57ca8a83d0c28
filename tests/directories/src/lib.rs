//! Data directories after a load: what clients were answered, and what the server stored of it.
//!
//! - `history`: the journal, read and replayed without the server
//! - `stored`: segments and snapshots as files, and copies in which some are missing
//! - `crowd`: many clients at once, over all lives of one server
//! - `shopper`: one of them, and what it was answered
//! - `ledger`: the answers against the server and its journal
//!
//! Reads only; a directory of a test is copied before it is changed. The server as a process and
//! its connections are in `doorbuster-test-support`.

#![forbid(unsafe_code)]

pub mod crowd;
pub mod history;
pub mod ledger;
pub mod shopper;
pub mod stored;
