//! An event loop of its own for a thread of the crowd or of the buyers.

use crate::error::{BenchError, io_error};

/// On a thread of its own, an event loop.
pub(super) fn on_event_loop<T>(
    work: impl Future<Output = Result<T, BenchError>>,
) -> Result<T, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(io_error("start an event loop"))?;
    tokio::task::LocalSet::new().block_on(&runtime, work)
}
