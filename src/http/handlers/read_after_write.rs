//! Read-after-write for idempotency keys: a look-up of a key while a request with that key may be
//! in flight (API 1).
//!
//! Owns that the look-up comes after that request, whatever its rank: it is queued in the last ring
//! that keyed requests use. If it finds nothing, it is repeated once, because the turn may have
//! drained an earlier ring before the request was in it, and takes that request only in the next
//! turn. Never decides whether anything is remembered. Next: `ring::rank`.

use super::submit::Submit;
use crate::domain::model::answer::{Answer, Refusal};
use crate::domain::model::command::{Command, Query, Request};
use crate::ring::{Outcome, Rank, SubmitError, WriterReply};

/// The last rank that a request with a key has.
const LAST_KEYED: Rank = Rank::Ordinary;

/// Says whether a key is looked up that may be in flight.
pub(in crate::http) fn may_be_coming<A: Submit>(lane: &A, request: &Request) -> bool {
    let Command::Read(query) = &request.command else { return false };
    matches!(**query, Query::Remembered(key) if lane.may_be_in_flight(key))
}

/// Looks up after what is on its way; gives the last answer.
pub(in crate::http) async fn look<A: Submit>(
    lane: &A,
    request: Request,
    deadline_ms: Option<u64>,
) -> Result<WriterReply, SubmitError> {
    let first = lane.ask(request.clone(), LAST_KEYED, deadline_ms)?.await;
    match is_missing(&first.outcome) {
        true => Ok(lane.ask(request, LAST_KEYED, deadline_ms)?.await),
        false => Ok(first),
    }
}

fn is_missing(outcome: &Outcome) -> bool {
    let Outcome::Answered(answered) = outcome else { return false };
    matches!(answered.answer, Answer::Refused(Refusal::UnknownRequest))
}

#[cfg(test)]
#[path = "read_after_write_tests.rs"]
mod tests;
