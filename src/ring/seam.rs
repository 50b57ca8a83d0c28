//! What the hand-over between threads takes from outside, in one place.
//!
//! Owns no code of its own but the sleep. `parking`, `backpressure`, `cursors` and `timings` name
//! nothing else of this kind, so that the model checker in `tests/loom` can compile the same files
//! against its own. Next: `parking`.

pub(super) use atomic_waker::AtomicWaker;
pub(super) use std::sync::OnceLock;
pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
pub(super) use std::thread::{Thread, current};
use std::time::Duration;

/// Sleeps until this thread is unparked, or for `timeout` at most.
pub(super) fn sleep(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => std::thread::park_timeout(timeout),
        None => std::thread::park(),
    }
}
