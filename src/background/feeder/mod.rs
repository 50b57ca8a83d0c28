//! The thread that reads the journal for its followers.
//!
//! Owns everything about the feed that touches files: where a place is, what is behind it, and how
//! much of it is handed out in which time. Reads what is durable in the configured mode, as answers
//! are, and nothing else, from the files and never from the writer; what followers share is read
//! and written once. Goes easy on the machine: buyers come first, followers may lag. Never makes
//! text by itself. Next: `feed`, the journal's `tail`.

mod reader;

use crate::domain::model::ids::Sequence;
use crate::domain::model::lives::Lives;
use crate::engine::replay::DataDirectory;
use crate::ring::Cursors;
use crate::shared::clock::Clock;
use crate::shared::feed::{Feed, FeedReply, FeedRequest, Note, Write};
use doorbuster_journal::JournalId;
use reader::Reader;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// What happens within a round goes out together.
const ROUND_US: u64 = 2_000;
/// Handed out in a round at most, to all followers together: 32 MB/s. Beyond that they lag, so
/// that a crowd of them takes no more than this from those who buy.
const ROUND_BYTES: usize = 64 * 1024;
/// A short piece counts as this many bytes: sending it costs as much.
const ANSWER_BYTES: usize = 8 * 1024;
/// No journal goes on faster.
const RECORDS_PER_MS_MAX: u64 = 10_000;
/// A place that is so many records ahead is looked at again when it may have been reached.
const FAR: u64 = 2 * RECORDS_PER_MS_MAX;
/// However far it is.
const FAR_SLEEP_MAX: Duration = Duration::from_secs(3600);
/// Below the writer and the IO threads.
const NICENESS: i32 = 10;

/// What the feeder works with.
pub struct FeederParts<P: DataDirectory> {
    /// The data directory.
    pub data: P,
    /// Whose journal.
    pub journal: JournalId,
    /// What ids are written with; the last of them is this start's.
    pub lives: Arc<Lives>,
    /// How far the journal is.
    pub cursors: Arc<Cursors>,
    /// Where the bell for new records is rung.
    pub feed: Feed,
    /// What is asked.
    pub notes: Receiver<Note>,
    /// How events are written.
    pub write: Write,
    /// For the length of a round.
    pub clock: Clock,
}

/// The background thread.
pub struct Feeder<P: DataDirectory = PathBuf> {
    cursors: Arc<Cursors>,
    advance_waker: std::task::Waker,
    notes: Receiver<Note>,
    clock: Clock,
    reader: Reader<P>,
    wants: VecDeque<FeedRequest>,
}

/// The feeder was told to stop.
struct Stopped;

impl<P: DataDirectory> Feeder<P> {
    /// Puts it together.
    #[must_use]
    pub fn new(parts: FeederParts<P>) -> Self {
        let FeederParts { data, journal, lives, cursors, feed, notes, write, clock } = parts;
        let reader = Reader::new(data, journal, lives, write);
        Self {
            cursors,
            advance_waker: feed.advance_waker(),
            notes,
            clock,
            reader,
            wants: VecDeque::new(),
        }
    }

    /// Answers until it is told to stop.
    pub fn run(mut self) {
        // A refusal by the system costs only that.
        let _ = rustix::process::nice(NICENESS);
        let (mut end_us, mut left) = (0, 0);
        loop {
            let now_us = self.clock.elapsed_us();
            if now_us >= end_us {
                (end_us, left) = (now_us + ROUND_US, ROUND_BYTES);
            }
            let reach = self.cursors.answerable();
            let served = self.serve(reach, &mut left);
            let rest = Duration::from_micros(end_us.saturating_sub(self.clock.elapsed_us()));
            let heard = if left == 0 {
                std::thread::sleep(rest);
                Ok(())
            } else if served {
                // Others may be about to ask for the same.
                self.listen(Some(rest))
            } else {
                self.sleep(reach)
            };
            if heard.and_then(|()| self.drain()).is_err() {
                return;
            }
        }
    }

    /// Answers what was asked and can be answered, once. For whoever takes the steps one by one;
    /// [`run`](Self::run) does all of it.
    pub fn step(&mut self) {
        if self.drain().is_ok() {
            self.serve(self.cursors.answerable(), &mut { ROUND_BYTES });
        }
    }

    /// Answers what can be answered, in turn, while there is anything left to hand out.
    fn serve(&mut self, reach: Sequence, left: &mut usize) -> bool {
        let mut served = false;
        for _ in 0..self.wants.len() {
            let Some(want) = self.wants.pop_front() else { break };
            if want.answer.is_closed() {
                continue;
            }
            let waits = want.limit.is_none() && want.after.sequence >= reach;
            if waits || *left == 0 {
                self.wants.push_back(want);
                continue;
            }
            let given = self.reader.given(&want, reach);
            if let FeedReply::Piece(piece) = &given {
                *left = left.saturating_sub(piece.bytes.len().max(ANSWER_BYTES));
            }
            served = true;
            // Whoever asked may have gone.
            let _ = want.answer.send(given);
        }
        served
    }

    /// Waits until somebody asks, or, if anybody waits for more, until there is more.
    fn sleep(&mut self, reach: Sequence) -> Result<(), Stopped> {
        let nearest = self.wants.iter().map(|want| want.after.sequence).min();
        let Some(nearest) = nearest else { return self.listen(None) };
        let ahead = nearest.saturating_sub(reach);
        if ahead >= FAR {
            // Being woken by every turn of the writer until then would cost buyers.
            let until = Duration::from_millis(ahead / RECORDS_PER_MS_MAX).min(FAR_SLEEP_MAX);
            return self.listen(Some(until));
        }
        self.cursors.wake_when_moved(&self.advance_waker);
        if self.cursors.answerable() > reach { Ok(()) } else { self.listen(None) }
    }

    fn listen(&mut self, limit: Option<Duration>) -> Result<(), Stopped> {
        let heard = match limit {
            Some(limit) => self.notes.recv_timeout(limit),
            None => self.notes.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match heard {
            Ok(note) => self.take(note),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(Stopped),
        }
    }

    fn drain(&mut self) -> Result<(), Stopped> {
        while let Ok(note) = self.notes.try_recv() {
            self.take(note)?;
        }
        Ok(())
    }

    fn take(&mut self, note: Note) -> Result<(), Stopped> {
        match note {
            Note::FeedRequest(want) => self.wants.push_back(want),
            Note::Moved => {}
            Note::Stop => return Err(Stopped),
        }
        Ok(())
    }
}
