//! What operators, and a disk that stands still, keep the server from taking (API 6).
//!
//! Owns read-only mode and the circuit that opens while a data sync takes too long. Both refuse
//! before anything is decided, so neither is journaled, and a start is read-write again; deadlines
//! go on. Never ends anything itself: a drain is asked for here and done by `server`. Next:
//! `service`.

use crate::domain::model::command::Command;
use crate::http::front::{Front, Phase};
use crate::http::response::problem::{Code, Problem, Refused};
use crate::http::response::reply::Reply;
use std::sync::atomic::Ordering;

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Change {
    Drain,
    ReadOnly,
    ReadWrite,
}

/// How the server stands, as one word of `/v1/status`.
pub(in crate::http) const WORDS: [&str; 4] = ["read-write", "read-only", "stalled", "draining"];

impl Front {
    /// Only reads are served.
    pub(in crate::http) fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Acquire)
    }

    /// The disk has not answered for too long.
    pub(in crate::http) fn is_stalled(&self) -> bool {
        self.cursors.sync_age_ms(self.clock.elapsed_ms()) > self.stall_ms
    }

    /// One of [`WORDS`]; what weighs most.
    pub(in crate::http) fn mode(&self) -> &'static str {
        match () {
            () if self.is_leaving() => WORDS[3],
            () if self.is_stalled() => WORDS[2],
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

/// Refuses a command that may not be asked now.
pub(in crate::http) fn admits(front: &Front, command: &Command) -> Result<(), Refused> {
    if front.is_read_only() && !matches!(command, Command::Read(_)) {
        return Err(read_only());
    }
    // What exists can be finished: it waits for the disk, in a bounded ring.
    let is_new = matches!(command, Command::CreateOrder(_) | Command::EnterDraw(_));
    if is_new && front.is_stalled() {
        return Err(stalled());
    }
    Ok(())
}

/// Why a server that serves is not ready, if it is not.
pub(in crate::http) fn unready(front: &Front) -> Option<Refused> {
    match () {
        () if front.is_leaving() => {
            Some(Problem::new(Code::Draining, "the server is about to stop").closing())
        }
        () if front.is_read_only() => Some(read_only()),
        () if front.is_stalled() => Some(stalled()),
        () => None,
    }
}

fn read_only() -> Refused {
    Problem::new(Code::ReadOnly, "an operator lets the server only read")
}

fn stalled() -> Refused {
    Problem::new(Code::Overloaded, "the disk has not answered for too long")
}

/// Why nothing but `/livez` answers, if so.
pub(in crate::http) fn not_ready(phase: Phase) -> Option<Refused> {
    match phase {
        Phase::Recovering => {
            Some(Problem::new(Code::Recovering, "the journal is being read; come back soon"))
        }
        Phase::Draining => Some(Problem::new(Code::Draining, "the server is stopping").closing()),
        Phase::Serving => None,
    }
}
