//! What `src/ring/seam.rs` gives, as loom models it. Next: `sound`.

use loom::future::AtomicWaker as ModelledWaker;
use loom::sync::atomic;
pub(crate) use loom::sync::atomic::{AtomicU64, fence};
pub(crate) use loom::thread::{Thread, current};
pub(crate) use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

/// A flag. loom lets a plain store come between a swap and the value that the swap read, which no
/// memory does, and then finds wakes lost that are not; as swaps, its stores stand in the order in
/// which they are made. That adds no order between threads: the ordering asked for is kept.
#[derive(Debug, Default)]
pub(crate) struct AtomicBool(atomic::AtomicBool);

impl AtomicBool {
    pub(crate) fn new(value: bool) -> Self {
        Self(atomic::AtomicBool::new(value))
    }

    pub(crate) fn load(&self, order: Ordering) -> bool {
        self.0.load(order)
    }

    pub(crate) fn store(&self, value: bool, order: Ordering) {
        self.0.swap(value, order);
    }

    pub(crate) fn swap(&self, value: bool, order: Ordering) -> bool {
        self.0.swap(value, order)
    }
}

/// Sleeps until unparked. Time that runs out would only hide a wake that is lost.
pub(crate) fn sleep(timeout: Option<Duration>) {
    assert_eq!(timeout, None);
    loom::thread::park();
}

/// What is set is seen only by who synchronises with whoever set it.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    is_set: AtomicBool,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self { value: std::sync::OnceLock::new(), is_set: AtomicBool::new(false) }
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        self.value.set(value)?;
        self.is_set.store(true, Ordering::Release);
        Ok(())
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.is_set.load(Ordering::Acquire).then(|| self.value.get())?
    }
}

/// As the one of `atomic-waker`.
#[derive(Debug)]
pub(crate) struct AtomicWaker(ModelledWaker);

impl AtomicWaker {
    pub(crate) fn new() -> Self {
        Self(ModelledWaker::new())
    }

    pub(crate) fn register(&self, waker: &Waker) {
        self.0.register_by_ref(waker);
    }

    pub(crate) fn wake(&self) {
        self.0.wake();
    }
}
