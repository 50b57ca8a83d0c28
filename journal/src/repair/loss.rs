//! What a repair would give up, in numbers and in words.
//!
//! Owns the description only: `salvage.rs` finds it, `plan.rs` collects it.

use std::fmt;

/// A piece of a file that goes, or a file that is gone already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Where a person finds the file.
    pub file: String,
    /// Where the piece starts, in bytes.
    pub offset: u64,
    /// From there to the last byte that is not zero, in bytes.
    pub bytes: u64,
    /// Valid frames of records in it that nothing else holds.
    pub frames: u64,
    /// The first and last sequence in these frames, if there are any.
    pub sequences: Option<(u64, u64)>,
    /// Why it cannot stay.
    pub reason: &'static str,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, bytes, frames, reason, .. } = self;
        write!(f, "{file} from byte {offset}: {bytes} bytes, {reason}; ")?;
        match self.sequences {
            Some((first, last)) => {
                write!(f, "{frames} readable frames with sequences from {first} to {last}")
            }
            None => f.write_str("no readable record"),
        }
    }
}
