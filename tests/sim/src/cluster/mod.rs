//! The machine of roles (`doorbuster::cluster::role`) in every order of events, and at random.
//!
//! What runs is what is shipped; what surrounds it is as small as will do. In reading order:
//!
//! - `log`: what a node has stored
//! - `world`: nodes, disks, what is on its way, the arbiter; the steps
//! - `connections`, `processes`: what the steps do
//! - `sight`: what is to be seen of a world
//! - `violation`: what may be found wrong
//! - `judge`: what must hold after each step
//! - `mistake`: the rules, broken on purpose around the machine
//! - `model`: every order within bounds
//! - `walk`: long ways at random, with clocks that drift

mod connections;
mod judge;
mod log;
mod mistake;
mod model;
mod processes;
mod sight;
mod violation;
mod walk;
mod world;

pub use mistake::Mistake;
pub use model::{Bounds, Checked, SMALL, SWEEPS, Sweep, check};
pub use violation::Violation;
pub use walk::{Walked, walk};
