//! What operators, and a disk that stands still, keep the server from taking (API 6).
//!
//! Owns read-only mode and the circuit that opens while a data sync, or the copies, take too long.
//! They refuse before anything is decided, so none is journaled, and a start is read-write again;
//! deadlines go on. Never ends anything itself: a drain is asked for here and done by `server`.
//! Next: `replication`, `service`.

use super::replication;
use crate::domain::model::command::Command;
use crate::http::front::{Front, Phase};
use crate::http::response::answers;
use crate::http::response::problem::{Code, Problem, Refused};
use crate::http::response::reply::Reply;
use crate::shared::snapshots::NoSnapshot;
use std::sync::atomic::Ordering;

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Change {
    Drain,
    ReadOnly,
    ReadWrite,
}

/// How the server stands, as one word of `/v1/status`.
pub(in crate::http) const WORDS: [&str; 6] =
    ["read-write", "read-only", "unreplicated", "stalled", "following", "draining"];

impl Front {
    /// Only reads are served.
    pub(in crate::http) fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Acquire)
    }

    /// The disk has not answered for too long.
    pub(in crate::http) fn is_stalled(&self) -> bool {
        self.is_stalled_at(self.clock.elapsed_ms())
    }

    fn is_stalled_at(&self, now_ms: u64) -> bool {
        self.cursors.sync_age_ms(now_ms) > self.stall_ms
    }

    /// New orders wait for copies that are behind or missing.
    pub(in crate::http) fn is_unreplicated(&self) -> bool {
        replication::unreplicated(self, self.clock.elapsed_ms()).is_some()
    }

    /// One of [`WORDS`]; what weighs most.
    pub(in crate::http) fn mode(&self) -> &'static str {
        match () {
            () if self.is_leaving() => WORDS[5],
            () if self.phase() == Phase::Following => WORDS[4],
            () if self.is_stalled() => WORDS[3],
            () if self.is_unreplicated() => WORDS[2],
            () if self.is_read_only() => WORDS[1],
            () => WORDS[0],
        }
    }
}

/// Does what an operator asked for.
pub(in crate::http) fn change(front: &Front, change: Change) -> Reply {
    match change {
        Change::ReadOnly => front.read_only.store(true, Ordering::Release),
        Change::ReadWrite => front.read_only.store(false, Ordering::Release),
        Change::Drain => {
            // The receiver is gone if the server stops already.
            let _ = front.stop.send(());
        }
    }
    Reply::fixed(match change {
        Change::Drain => "{\"mode\":\"draining\"}",
        Change::ReadOnly => "{\"mode\":\"read-only\"}",
        Change::ReadWrite => "{\"mode\":\"read-write\"}",
    })
}

/// Waits for a snapshot to be taken in the background; the writer is not asked.
pub(in crate::http) async fn take_snapshot(front: &Front) -> Result<Reply, Refused> {
    let busy = || Problem::new(Code::Overloaded, "too many snapshots have been asked for");
    let taken = front.snapshots.ask().ok_or_else(busy)?.await;
    match taken {
        Ok(Ok(sequence)) => Ok(answers::snapshot_taken(sequence)),
        Ok(Err(NoSnapshot::NoSpace)) => {
            Err(Problem::new(Code::NoSpace, "the disk has no room for a snapshot"))
        }
        Ok(Err(NoSnapshot::Failed(why))) => Err(Problem::new(Code::Internal, why)),
        Err(_) => Err(Problem::new(Code::Draining, "the server takes no new requests")),
    }
}

/// Refuses a command that may not be asked now.
pub(in crate::http) fn admits(front: &Front, command: &Command) -> Result<(), Refused> {
    if front.is_read_only() && !matches!(command, Command::Read(_)) {
        return Err(read_only());
    }
    // What exists can be finished: it waits for the disk and the copies, in a bounded ring.
    let is_new = matches!(command, Command::CreateOrder(_) | Command::EnterDraw(_));
    if !is_new {
        return Ok(());
    }
    let now_ms = front.clock.elapsed_ms();
    if front.is_stalled_at(now_ms) {
        return Err(stalled());
    }
    replication::unreplicated(front, now_ms).map_or(Ok(()), Err)
}

/// Why new orders are not served, if so, as probes hear it.
pub(in crate::http) fn unready(front: &Front) -> Option<Refused> {
    match front.phase() {
        Phase::Recovering => return Some(recovering()),
        Phase::Draining => return Some(draining("the server is stopping")),
        Phase::Following | Phase::Serving => {}
    }
    match () {
        () if front.is_leaving() => Some(draining("the server is about to stop")),
        () if front.phase() == Phase::Following => Some(replication::standby(front)),
        () if front.is_read_only() => Some(read_only()),
        () if front.is_stalled() => Some(stalled()),
        () => replication::unreplicated(front, front.clock.elapsed_ms()),
    }
}

fn read_only() -> Refused {
    Problem::new(Code::ReadOnly, "an operator lets the server only read")
}

fn stalled() -> Refused {
    Problem::new(Code::Overloaded, "the disk has not answered for too long")
}

fn recovering() -> Refused {
    Problem::new(Code::Recovering, "the journal is being read; come back soon")
}

fn draining(detail: &'static str) -> Refused {
    Problem::new(Code::Draining, detail).closing()
}

/// Why a place does not answer in this phase, if so; probes answer in each. `is_of_any_node` is a
/// place that a node answers at that does not write.
pub(in crate::http) fn not_served(front: &Front, is_of_any_node: bool) -> Option<Refused> {
    match front.phase() {
        Phase::Recovering => Some(recovering()),
        Phase::Draining => Some(draining("the server is stopping")),
        Phase::Following if !is_of_any_node => Some(replication::not_writer(front)),
        Phase::Following | Phase::Serving => None,
    }
}
