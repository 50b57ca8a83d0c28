//! A stored record applied to a state, and a seal compared with it.
//!
//! Owns what a checksum cannot tell: a record that does not fit must end whoever applies it with a
//! message, not the process. The state is not used afterwards. Never reads a file. Next: `replay`,
//! and `follower` for a state that grows while it is written elsewhere.

use crate::codec::{self, Totals};
use crate::domain::model::event::Record;
use crate::domain::model::ids::{Sequence, Stamp};
use crate::domain::rules::apply::apply;
use crate::domain::state::tables::State;
use doorbuster_journal::VisitError;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Applies the record of a sequence.
///
/// # Errors
/// When it is not the next one, or does not fit.
#[inline]
pub(crate) fn apply_stored(
    state: &mut State,
    sequence: Sequence,
    record: &Record,
    stamp: Stamp,
) -> Result<(), VisitError> {
    let applied = sequence == state.sequence + 1
        && catch_unwind(AssertUnwindSafe(|| apply(state, record, stamp))).is_ok();
    match applied {
        true => Ok(()),
        false => Err(format!("sequence {sequence} does not fit what came before it").into()),
    }
}

/// Compares a state with what a seal says that the writer's own state held. Gives whether it is the
/// seal of an orderly stop.
///
/// # Errors
/// When they differ.
pub(crate) fn compare(state: &State, totals: &[u8]) -> Result<bool, VisitError> {
    let sealed = codec::decode_totals(totals)?;
    let own = Totals::of(state, sealed.drained);
    if own == sealed {
        return Ok(sealed.drained);
    }
    Err(format!("the journal replays to {own:?}, but was sealed at {sealed:?}").into())
}
