//! What a repair would lose, in numbers and in words.
//!
//! Owns the type only: `salvage.rs` builds it, `plan.rs` collects all.

use std::fmt;

/// A part of a file that is lost, or a file that is missing already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The path of the file.
    pub file: String,
    /// The offset at which the part starts, in bytes.
    pub offset: u64,
    /// Its length up to the last byte that is not zero, in bytes.
    pub bytes: u64,
    /// The number of valid frames of records in it that nothing else holds.
    pub frames: u64,
    /// The first and last sequence in these frames, if there are any.
    pub sequences: Option<(u64, u64)>,
    /// The reason.
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
