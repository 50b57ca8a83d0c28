//! What every part of the server needs at its start: an error where the system has nothing to give,
//! and the end of the process where a part panics.
//!
//! Next: `listening`, `beside`, `writing`, which start the parts.

use super::ServerError;
use crate::process::log;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) fn start_error(part: &'static str) -> impl FnOnce(io::Error) -> ServerError {
    move |cause| ServerError::Start { part, cause }
}

/// Ends the process if `work` panics: the parts that are left cannot do without it.
pub(super) fn or_abort<T>(what: &str, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        tracing::error!(part = what, "a part panicked; the next start recovers what is durable");
        log::flush();
        std::process::abort()
    })
}
