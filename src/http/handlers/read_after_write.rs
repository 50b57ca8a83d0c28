//! Looks for what a key was answered while a request with that key may be on its way (API 1).
//!
//! Owns how such a look comes after it, whatever its rank. It goes through the last ring that
//! keyed requests take, after all that are there. What went into a ring that is drained before may
//! be seen only in the next turn; so what is not found is looked for once more, and by then that
//! turn is over. Never decides whether anything is remembered. Next: `ring::rank`.

use super::submit::Submit;
use crate::domain::model::answer::{Answer, Refusal};
use crate::domain::model::command::{Command, Query, Request};
use crate::ring::{Outcome, Rank, SubmitError, WriterReply};

/// The last rank that a request with a key has.
const LAST_KEYED: Rank = Rank::Ordinary;

/// Something is looked for that may be on its way.
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
