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
        server: String,
        /// Its first line.
        said: String,
    },
    /// A server answered what the scenario does not expect, so its numbers mean nothing.
    #[error("{server} answered {answer:?}")]
    Answer {
        server: String,
        /// The answer, or the part of it that says most.
        answer: String,
    },
    /// A server does not do the job that it would be compared by.
    #[error("{server} cannot be compared: {fault}")]
    NotComparable {
        server: String,
        /// What it did wrong.
        fault: String,
    },
    /// A server that must be compared is not installed.
    #[error("{server} is not here: apt-get install {package}")]
    NotInstalled {
        server: &'static str,
        /// Where Debian has it.
        package: &'static str,
    },
    /// Somebody who wants to hear of it: a bar does not hold.
    #[error("{missed} of the bars do not hold or were not measured")]
    BarsMissed { missed: usize },
    /// A request through the client went wrong.
    #[error("{0}{what_to_do}", what_to_do = advice(.0))]
    Client(#[from] doorbuster::client::Error),
    /// A file is not what a report leaves behind.
    #[error("{file}: {cause}; is it from `doorbuster-bench run` of this version?")]
    NotAReport {
        file: String,
        /// What is wrong with it.
        cause: String,
    },
    /// What was answered is not what the server holds.
    #[error(
        "{differences} differences between what was answered and what the server holds: see {report}"
    )]
    Differences {
        differences: u64,
        /// Where they are told.
        report: String,
    },
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
}

impl BenchError {
    /// 1: a difference was found, or a bar does not hold; 2: usage; 3: it could not be measured.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Differences { .. } | Self::NotComparable { .. } | Self::BarsMissed { .. } => 1,
            Self::Usage(_) | Self::Client(doorbuster::client::Error::Invalid { .. }) => 2,
            _ => 3,
        }
    }
}

/// What to do about it.
fn advice(error: &doorbuster::client::Error) -> &'static str {
    use doorbuster::client::Error;
    match error {
        Error::NotReached { .. } => {
            "; is the server running there? Start it with `doorbuster --listen ADDRESS`"
        }
        Error::Refused(problem) if matches!(problem.status, 401 | 403) => {
            "; put a token of the role admin into DOORBUSTER_TOKEN"
        }
        _ => "",
    }
}

/// Names what was tried.
pub(crate) fn io_error(operation: impl Into<String>) -> impl FnOnce(io::Error) -> BenchError {
    move |cause| BenchError::Io { operation: operation.into(), cause }
}
