//! How events and states are stored. The only place that names bincode.
//!
//! Owns the stored shapes, which mirror the domain's types and are versioned with the journal: the
//! domain may change, a stored shape only grows. Layout: bincode 2 `legacy` (little endian, fixed
//! width integers, lengths as u64, variants as u32 in declared order), which is bincode 1's and
//! has byte-compatible successors. Nothing here decides anything. Next: `record`, `snapshot`.

mod action;
#[cfg(test)]
mod bad_rows_tests;
mod created;
mod draw;
mod event;
mod kept;
mod owners;
mod record;
mod rows;
mod sku;
mod snapshot;
mod values;

pub use kept::{Given, encode_refusal, encode_refusals};
pub use record::{Totals, decode_record, decode_totals, encode_record, encode_totals};
pub use snapshot::{Digest, LivesReader, StateReader, digest, encode_state};

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};

/// The version of the records that this program writes: grows with each event that an older program
/// cannot read.
pub const RECORD_VERSION: u32 = 1;

/// No record is longer, so no length inside one may be (bytes).
const DECODE_BYTES_MAX: usize = 64 * 1024;

type Layout = Configuration<LittleEndian, Fixint, Limit<DECODE_BYTES_MAX>>;

const LAYOUT: Layout = bincode::config::legacy().with_limit::<DECODE_BYTES_MAX>();

/// A stored record that cannot be read: not written by this version, or not by us at all.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The bytes do not follow the layout.
    #[error("the record does not decode: {0}")]
    Layout(#[from] bincode::error::DecodeError),
    /// The record ends before its bytes do.
    #[error("the record has {0} bytes too many")]
    Trailing(usize),
    /// A value that no version of ours has written.
    #[error("the record holds an impossible {0}")]
    Value(&'static str),
}
