//! Reports: what was measured, as numbers for programs and as a page for people.
//!
//! Owns the folder that a run leaves behind, and what can be done with such folders. Next:
//! `summary` for what a report says, `files` for its files, `html` for the page.

pub(crate) mod conditions;
mod diff;
pub(crate) mod files;
pub(crate) mod gaps;
mod html;
mod merge;
pub(crate) mod outcome;
mod plot;
pub(crate) mod series;
pub(crate) mod summary;
#[cfg(test)]
mod tests;

use crate::error::BenchError;
use std::path::PathBuf;

/// What to do with reports.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Add the reports of several generators up; percentiles are of all requests, not averaged
    Merge {
        /// Folders that `run` wrote
        #[arg(required = true)]
        reports: Vec<PathBuf>,
        /// Where the sum goes
        #[arg(long, alias = "out", value_name = "DIR")]
        report: PathBuf,
        /// Write over a report that is there
        #[arg(long)]
        force: bool,
    },
    /// Show two reports side by side, and what differs in their conditions
    Diff {
        /// Before
        before: PathBuf,
        /// After
        after: PathBuf,
    },
}

pub(crate) fn run(command: &Command) -> Result<(), BenchError> {
    match command {
        Command::Merge { reports, report, force } => {
            files::check_free(report, *force)?;
            merge::run(reports, report)
        }
        Command::Diff { before, after } => diff::run(before, after),
    }
}
