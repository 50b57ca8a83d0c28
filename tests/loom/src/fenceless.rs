//! The mistake: no fences, as if a flag could not overtake another. Next: `scenarios`.

mod seam {
    pub(super) use crate::modelled::{
        AtomicBool, AtomicU64, AtomicWaker, OnceLock, Ordering, Thread, current, sleep,
    };

    pub(super) fn fence(_: Ordering) {}
}

#[path = "../../../src/ring/cursors.rs"]
mod cursors;
#[path = "../../../src/ring/parking.rs"]
mod parking;
#[path = "scenarios.rs"]
pub mod scenarios;
#[path = "../../../src/ring/starved.rs"]
mod starved;
#[path = "../../../src/ring/times.rs"]
mod times;
