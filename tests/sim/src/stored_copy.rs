//! A copy of the directory, as it was taken at some moment of a run.
//!
//! Owns only what is kept of that moment. Next: `restore`.

use crate::disk::copies::Files;
use crate::history::History;

/// A directory as it was, and what was known of its history.
pub(crate) struct Copy {
    pub(crate) files: Files,
    pub(crate) history: History,
}
