//! The contract as the server publishes it, held against the server itself.
//!
//! Drives a real server from its own `/openapi.json`: every operation, every status and every code
//! that the document declares is provoked, and every answer must have the shape it promises. A code
//! that nobody here knows how to provoke fails. For the faults of the server itself it needs a
//! build that can fail on purpose:
//!
//!     cargo test --features faults --test contract
//!
//! Start with `document`, then `world` (good requests), `refusals` (bad ones), `faults`.

mod copies;
mod document;
mod faults;
mod refusals;
mod stalls;
mod successes;
mod world;

// All of these serve `tests/server` first; not everything in them is needed here.
#[allow(dead_code)]
#[path = "../server/client.rs"]
mod client;
#[allow(dead_code)]
#[path = "../server/noise.rs"]
mod noise;
#[allow(dead_code)]
#[path = "../server/patience.rs"]
mod patience;
#[allow(dead_code)]
#[path = "../server/process.rs"]
mod process;
#[allow(dead_code)]
#[path = "../server/tokens.rs"]
mod tokens;
