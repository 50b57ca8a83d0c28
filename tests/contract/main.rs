//! The contract as the server publishes it, held against the server itself.
//!
//! Drives a real server from its own `/openapi.json`: every operation, every status and every code
//! that the document declares is provoked, and every answer must have the shape it promises. A code
//! that nobody here knows how to provoke fails. For the faults of the server itself it needs a
//! build that can fail on purpose:
//!
//!     cargo test --features failpoints --test contract
//!
//! Start with `document`, then `world` (good requests), `refusals` (bad ones), `faults`.

mod copies;
mod document;
mod faults;
mod refusals;
mod stalls;
mod successes;
mod world;

use doorbuster_test_support::target::Target;

/// The server for these tests, and a folder for its directories.
pub(crate) const TARGET: Target = doorbuster_test_support::target!();
