//! The hand-over as it is. Next: `scenarios`.

/// Nothing is wrong here.
mod seam {
    pub(super) use crate::modelled::{
        AtomicBool, AtomicU64, AtomicWaker, OnceLock, Ordering, Thread, current, fence, sleep,
    };
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
