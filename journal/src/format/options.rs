//! The settings of a journal.
//!
//! Owns the settings that an operator may choose, and their bounds. Never touches a file.

use crate::error::JournalError;
use crate::format::layout::{SEGMENT_BYTES_DEFAULT, segment_bytes_allowed};

/// The settings of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The size of new segments, in bytes: from [`crate::SEGMENT_BYTES_MIN`] to
    /// [`crate::SEGMENT_BYTES_MAX`], a multiple of 4,096. Existing segments keep their size.
    pub segment_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT_BYTES_DEFAULT }
    }
}

impl Options {
    /// Refuses a size outside the bounds.
    ///
    /// # Errors
    /// [`JournalError::Options`] naming the size.
    pub fn check(&self) -> Result<(), JournalError> {
        if segment_bytes_allowed(self.segment_bytes) {
            Ok(())
        } else {
            Err(JournalError::Options { segment_bytes: self.segment_bytes })
        }
    }
}
