//! Refusals that IO threads gave by themselves, on their way to be counted by the writer.
//!
//! Owns a bounded ring to each lane, which always has room for one last handing in: none is lost
//! where the server stops in good order. Next: `lane`, `writer::tally`.

use crate::domain::ids::{Sequence, SkuId};

/// SKUs that one handing in tells of at most.
pub const HANDED_IN_MAX: usize = 64;
/// Places in the ring of one lane: some for what the writer has not taken yet, some for the last.
pub(super) const HANDED_IN_SLOTS: usize = 4 * HANDED_IN_MAX;

/// Refusals of one SKU as sold out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedIn {
    /// Which.
    pub sku: SkuId,
    /// The event that created it.
    pub created: Sequence,
    /// How many.
    pub count: u64,
}
