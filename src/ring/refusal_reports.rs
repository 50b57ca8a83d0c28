//! Refusals that IO threads gave by themselves, on their way to be counted by the writer.
//!
//! Owns two bounded rings to each lane. That of the counts always has room for one last handing in:
//! none is lost where the server stops in good order. That of whole refusals, used where they are
//! kept, takes what it has room for and counts the others. Next: `lane`, `writer::tally`,
//! `writer::keeping`.

use crate::domain::model::command::Request;
use crate::domain::model::ids::{Sequence, SkuId};

/// SKUs that one handing in tells of at most.
pub const REFUSAL_REPORTS_MAX: usize = 64;
/// Places in the ring of one lane: some for what the writer has not taken yet, some for the last.
pub(super) const REFUSAL_REPORT_SLOTS: usize = 4 * REFUSAL_REPORTS_MAX;

/// Refusals of one SKU as sold out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalReport {
    pub sku: SkuId,
    /// The event that created it.
    pub created: Sequence,
    pub count: u64,
}

/// Whole refusals of one lane that may wait for the writer.
pub(super) const TURNED_AWAY_SLOTS: usize = 8192;
/// So many are handed in before the writer is called for them; fewer wait for its next turn, or for
/// the counts of the second.
pub(super) const TURNED_AWAY_PER_CALL: u32 = 2048;
const _: () = assert!(2 * (TURNED_AWAY_PER_CALL as usize) < TURNED_AWAY_SLOTS);

/// An order of one line that an IO thread refused as sold out, whole.
#[derive(Debug, Clone)]
pub struct TurnedAway {
    /// What was asked, and by whom.
    pub request: Request,
    /// Units in holds then; none were available.
    pub held: u64,
    /// The sequence that the client was told.
    pub seen: Sequence,
    /// When, on `Clock::elapsed_ms`.
    pub elapsed_ms: u64,
}
