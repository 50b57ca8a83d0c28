//! The mistake: no fences, as if a flag could not overtake another. Next: `scenarios`.

mod seam {
    pub(super) use crate::modelled::{
        AtomicBool, AtomicU64, AtomicWaker, OnceLock, Ordering, Thread, current, sleep,
    };

    pub(super) fn fence(_: Ordering) {}
}

#[path = "../../../src/ring/backpressure.rs"]
mod backpressure;
#[path = "../../../src/ring/cursors.rs"]
mod cursors;
#[path = "../../../src/ring/parking.rs"]
mod parking;
#[path = "scenarios.rs"]
pub mod scenarios;
#[path = "../../../src/ring/timings.rs"]
mod timings;
