//! One record of the journal, as the witness is shown it.
//!
//! Owns only the shape. Next: `check`.

use doorbuster::domain::model::event::Record;
use doorbuster::domain::model::ids::{Sequence, Stamp};

/// One record of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1.
    pub sequence: Sequence,
    /// When it was decided.
    pub stamp: Stamp,
    /// In which epoch.
    pub epoch: u32,
    /// What.
    pub record: Record,
}
