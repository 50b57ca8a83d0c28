//! What a sink's loop keeps: its target, its place, its letters.
//!
//! Owns the fields; each file of this folder has its part of the work. Next: `life`.

use super::retry::Retry;
use super::standing::Standing;
use crate::alert::Alert;
use crate::config::Config;
use crate::dead::Letters;
use crate::event::Position;
use crate::sink::Sink;
use crate::source::Source;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, watch};

/// What all sinks of a process share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) source: Arc<Source>,
    /// The configuration, which a SIGHUP replaces.
    pub(crate) config: watch::Receiver<Arc<Config>>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) alert: Option<Alert>,
    /// Where each sink says once that it follows, and from where, or that it does not yet.
    pub(crate) begun: mpsc::UnboundedSender<(String, Option<Position>)>,
}

/// A sink at work.
#[derive(Debug)]
pub(crate) struct Worker<S> {
    pub(super) sink: S,
    pub(super) name: String,
    pub(super) standing: Arc<Standing>,
    pub(super) shared: Shared,
    pub(super) letters: Letters,
    pub(super) retry: Retry,
    pub(super) position: Position,
    pub(super) batch: usize,
    pub(super) ahead: usize,
    /// It was said that it does not follow yet; and that it does.
    pub(super) said: (bool, bool),
}

impl<S: Sink> Worker<S> {
    pub(crate) fn new(
        sink: S,
        standing: Arc<Standing>,
        letters: Letters,
        shared: Shared,
        (batch, ahead): (usize, usize),
    ) -> Self {
        let retry = Retry::new(shared.config.borrow().retry);
        let name = standing.name.clone();
        let position = Position::default();
        Self {
            sink,
            name,
            standing,
            shared,
            letters,
            retry,
            position,
            batch,
            ahead,
            said: (false, false),
        }
    }

    pub(super) fn stand_at(&mut self, position: Position) {
        self.standing.position.store(position.seq, Ordering::Relaxed);
        self.position = position;
    }

    pub(super) fn count_letters(&self) {
        let count = u64::try_from(self.letters.count()).unwrap_or(u64::MAX);
        self.standing.dead.store(count, Ordering::Relaxed);
    }

    /// Says once that the sink does not follow yet, and once that it does.
    pub(super) fn say_begun(&mut self, position: Option<Position>) {
        let said = if position.is_some() { &mut self.said.1 } else { &mut self.said.0 };
        if !std::mem::replace(said, true) {
            let _ = self.shared.begun.send((self.name.clone(), position));
        }
    }
}
