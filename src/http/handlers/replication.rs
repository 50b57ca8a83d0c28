//! What a node does not take because of the others, and the handover to one of them (API 8).
//!
//! Owns which standing refuses what: a node that follows has no writer, and what is new waits until
//! the copies are there. Refuses before anything is decided. Never decides who writes: it only
//! looks at the standing. Next: `mode`, `shared::standing`.

use crate::domain::model::command::Command;
use crate::http::front::Front;
use crate::http::response::problem::{Code, Member, Problem, Refused};
use crate::http::response::reply::Reply;
use crate::http::response::status;
use crate::ring::NO_COPIES;
use crate::shared::handover::Unanswered;
use crate::shared::standing::StandingRole;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

const LATE: &str = "copies have been behind or missing for too long";

/// A handover takes some 150 ms; whoever asks for one hears this much later that it is not known
/// what became of it.
const HANDOVER_PATIENCE: Duration = Duration::from_secs(10);

/// What is new waits for copies that are behind or missing; `now_ms` is on the clock of `Front`.
pub(in crate::http) fn unreplicated(front: &Front, now_ms: u64) -> Option<Refused> {
    let (standing, limits) = (&front.standing, &front.replication);
    let why = match () {
        () if is_late(front, now_ms) => LATE,
        () if standing.unsettled_bytes() > limits.unsettled_bytes_max => {
            "too much waits for the copies"
        }
        () if limits.refuses_alone && standing.is_alone() => {
            "no copy is in sync, and the writer alone is not to go on"
        }
        () => return None,
    };
    Some(Problem::new(Code::Unreplicated, why))
}

/// Records have waited for copies for too long.
fn is_late(front: &Front, now_ms: u64) -> bool {
    front.standing.unreplicated_ms(now_ms) > front.stall_ms
}

/// A read of a node with copies: it shows nothing that they lack, and what was decided before it
/// may wait for them. Whatever else is asked may be decided, so it hears nothing but its answer.
pub(in crate::http) fn waits_for_copies(front: &Front, command: &Command) -> bool {
    matches!(command, Command::Read(_)) && front.cursors.copied() != NO_COPIES
}

/// Waits for the answer to such a read, for as long as copies may be behind or missing, or the lease
/// over.
pub(in crate::http) async fn hear<T>(
    front: &Front,
    answer: impl Future<Output = T>,
) -> Result<T, Refused> {
    let mut answer = pin!(answer);
    let patience = Duration::from_millis(front.stall_ms);
    loop {
        if let Ok(answer) = tokio::time::timeout(patience, answer.as_mut()).await {
            return Ok(answer);
        }
        // Something else may take long, like the disk: that is waited for.
        let has_lease = front.cursors.is_good(|| front.clock.boottime_ms());
        if !has_lease || is_late(front, front.clock.elapsed_ms()) {
            return Err(Problem::new(Code::Unreplicated, LATE));
        }
    }
}

/// Another node writes, or none yet.
pub(in crate::http) fn not_writer(front: &Front) -> Refused {
    let url = front.standing.load().writer.clone().and_then(|writer| writer.url);
    Problem::new(Code::NotWriter, "this node follows; ask the writer")
        .with("writer", Member::MaybeText(url.map(Into::into)))
}

/// Why a node that follows is not ready.
pub(in crate::http) fn standby(front: &Front) -> Refused {
    let standing = front.standing.load();
    let is_joining = standing.role == StandingRole::Joining;
    if is_joining && standing.arbiter_gone_since_ms.is_some() {
        return Problem::new(Code::NoArbiter, "the arbiter does not answer, and tells who writes");
    }
    Problem::new(Code::Standby, "this node follows another, and takes over when that is gone")
}

/// Has a copy write on: this one, or any that is in sync.
pub(in crate::http) async fn hand_over(
    front: &Front,
    to: Option<String>,
) -> Result<Reply, Refused> {
    let standing = front.standing.load();
    let Some(handover) = front.handover.as_ref().filter(|_| standing.is_replicated) else {
        return Err(Problem::new(Code::ReplicationOff, "this server has no copies"));
    };
    let is_copy = |to: &String| standing.copies.iter().any(|copy| copy.node == *to);
    if to.as_ref().is_some_and(|to| !is_copy(to)) {
        return Err(Problem::new(Code::NotInSync, "to names none of the copies"));
    }
    let answer = handover.ask(to).map_err(|why| match why {
        Unanswered::Busy => Problem::new(Code::Overloaded, "a handover is under way"),
        Unanswered::Ended => Problem::new(Code::Draining, "the server is stopping"),
    })?;
    match tokio::time::timeout(HANDOVER_PATIENCE, answer).await {
        Ok(Ok(Ok(to))) => Ok(status::handed_over(&to)),
        Ok(Ok(Err(why))) => Err(Problem::new(Code::NotInSync, why)),
        Ok(Err(_)) | Err(_) => Err(Problem::new(
            Code::OutcomeUnknown,
            "it is not known whether another node writes; the status tells",
        )),
    }
}

#[cfg(test)]
#[path = "replication_tests.rs"]
mod tests;
