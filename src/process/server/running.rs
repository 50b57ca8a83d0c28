//! A server whose socket is open: what it tells when it serves, and how it stops.
//!
//! Owns the order of a stop, and the lines on standard output. Next: `writing`, `systemd`.

use super::ServerError;
use super::beside;
use crate::codec;
use crate::config::Config;
use crate::domain::state::tables::State;
use crate::engine::recovery::Lock;
use crate::http::Front;
use crate::process::output::print;
use crate::process::systemd::Manager;
use crate::ring::Caller;
use crate::shared::clock::Clock;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Beyond `drain_ms` a stop still syncs, seals and joins its threads; the service manager is to
/// wait for that.
const STOP_PATIENCE_MS: u64 = 30_000;

/// A server that listens.
pub(super) struct Running<'c> {
    pub(super) config: &'c Config,
    pub(super) clock: Clock,
    pub(super) manager: Manager,
    pub(super) lock: Arc<Lock>,
    pub(super) front: Arc<Front>,
    pub(super) io_threads: Vec<JoinHandle<()>>,
    /// `listening on …`
    pub(super) listening: String,
    pub(super) writers_caller: Option<Caller>,
    /// It ends where this does.
    pub(super) watchdog: Option<Sender<()>>,
}

impl Running<'_> {
    /// Starts what runs beside the journal.
    pub(super) fn start_beside(&self) -> Result<(), ServerError> {
        beside::start_guard(&self.lock, self.clock)?;
        beside::start_giving_back(&self.front, self.clock)
    }

    /// Says that it serves, and in which epoch or role; the inner error where nobody can be told.
    pub(super) fn tell_ready(&mut self, what: &str) -> Result<io::Result<()>, ServerError> {
        let (listening, durability) = (&self.listening, self.config.durability);
        let data = self.config.data.display();
        let told = print(&format!("{listening} durability {durability} {what} data {data}\n"));
        if let Some(caller) = self.writers_caller.take() {
            let (stopping, watched) = mpsc::channel();
            beside::start_watchdog(&self.manager, &self.front, caller, watched)?;
            self.watchdog = Some(stopping);
        }
        if told.is_ok() {
            self.manager.ready(listening);
        }
        Ok(told)
    }

    /// Refuses what is new, answers what is there, and ends the IO threads.
    pub(super) fn take_nothing_more(&mut self, delay_ms: u64) {
        let drain_ms = self.config.drain_ms;
        self.manager.stopping(delay_ms + drain_ms + STOP_PATIENCE_MS);
        self.front.leave();
        // Everything is served meanwhile; a second signal ends the process here, too.
        thread::sleep(Duration::from_millis(delay_ms));
        self.watchdog = None;
        self.front.drain(drain_ms);
        for thread in self.io_threads.drain(..) {
            thread.join().expect("an IO thread that panics ends the process");
        }
    }
}

/// The last line.
pub(super) fn tell_stopped(state: &State) -> io::Result<()> {
    let (epoch, sequence, digest) = (state.epoch, state.sequence, codec::digest(state));
    print(&format!("stopped epoch {epoch} seq {sequence} digest {digest}\n"))
}
