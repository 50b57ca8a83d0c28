//! The simulator: the real server over a disk, a clock and a network that one seed decides.
//!
//! What runs is what is shipped: rules, turn, codec, journal, snapshots, recovery. What surrounds
//! it is simulated, and fails in every way that is known of it. The same seed does the same, to the
//! byte. Never has a second copy of anything it tests. Read `plan` for what a seed decides, `disk`
//! for what a disk may do, `world` for how time passes, `fate` for what befalls a server; the judge
//! is the crate `doorbuster-witness`. What its clients want, those of `tests/harness` ask over
//! HTTP.

#![forbid(unsafe_code)]

mod client;
pub mod cluster;
mod conclusion;
mod copies;
mod damage;
mod disk;
mod drill;
mod fate;
mod history;
pub mod nodes;
mod plan;
mod replica;
mod restore;
mod run;
mod search;
mod server;
mod steps;
mod stored_copy;
mod tally;
mod trace;
mod world;

pub use client::Knowledge;
pub use copies::TOOK_OVER;
pub use disk::lying::Lie;
pub use drill::all as drill;
pub use plan::{Faults, Plan};
pub use restore::PUT_BACK;
pub use run::{Options, Report, check_seed, rerun_line, run, run_plan};
pub use search::{Finding, search};
pub use tally::Tally;
pub use world::Violation;
