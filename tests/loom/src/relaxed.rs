//! The mistake: every atomic step is relaxed, so that what stands before a flag may come behind it.
//! Next: `scenarios`.

mod seam {
    use crate::modelled;
    pub(super) use crate::modelled::{
        AtomicWaker, OnceLock, Ordering, Thread, current, fence, sleep,
    };
    use loom::sync::atomic;

    #[derive(Debug, Default)]
    pub(super) struct AtomicBool(modelled::AtomicBool);

    impl AtomicBool {
        pub(super) fn new(value: bool) -> Self {
            Self(modelled::AtomicBool::new(value))
        }

        pub(super) fn load(&self, _: Ordering) -> bool {
            self.0.load(Ordering::Relaxed)
        }

        pub(super) fn store(&self, value: bool, _: Ordering) {
            self.0.store(value, Ordering::Relaxed);
        }

        pub(super) fn swap(&self, value: bool, _: Ordering) -> bool {
            self.0.swap(value, Ordering::Relaxed)
        }
    }

    #[derive(Debug, Default)]
    pub(super) struct AtomicU64(atomic::AtomicU64);

    impl AtomicU64 {
        pub(super) fn new(value: u64) -> Self {
            Self(atomic::AtomicU64::new(value))
        }

        pub(super) fn load(&self, _: Ordering) -> u64 {
            self.0.load(Ordering::Relaxed)
        }

        pub(super) fn store(&self, value: u64, _: Ordering) {
            self.0.store(value, Ordering::Relaxed);
        }
    }
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
