//! What can go wrong in a measurement.

use std::io;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// The system said no.
    #[error("cannot {operation}: {cause}")]
    Io {
        /// What was tried.
        operation: String,
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
    /// A server did not say where it listens.
    #[error("{server} did not start: it said {said:?}")]
    NotListening {
        /// Which.
        server: String,
        /// Its first line.
        said: String,
    },
    /// A server answered what the scenario does not expect, so its numbers mean nothing.
    #[error("{server} answered {answer:?}")]
    Answer {
        /// Which.
        server: String,
        /// The first line of the answer.
        answer: String,
    },
}

/// Names what was tried.
pub(crate) fn io_error(operation: impl Into<String>) -> impl FnOnce(io::Error) -> BenchError {
    move |cause| BenchError::Io { operation: operation.into(), cause }
}
