//! From a place in the journal to the events behind it.
//!
//! Owns what is kept open and what was just written, both bounded, so that followers who are at the
//! same place cost one reading, and whoever pages on does not look for the place again. Never
//! waits. Next: the journal's `tail`.

use crate::codec;
use crate::domain::model::ids::Sequence;
use crate::domain::model::lives::Lives;
use crate::engine::replay::DataDirectory;
use crate::shared::feed::{FeedEvent, FeedReply, FeedRequest, Form, Piece, Position, Write};
use crate::testing::failpoints::{Failpoint, armed};
use bytes::Bytes;
use doorbuster_journal::{Frame, JournalError, JournalId, SeekResult, Tail};
use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

/// A piece for followers is about this long, in bytes.
const PIECE_BYTES: usize = 32 * 1024;
/// A page ends at this many bytes, however many events were asked for.
const PAGE_BYTES: usize = 1024 * 1024;
/// Records looked at for one piece; most of them may be no events.
const LOOKED_AT_MAX: usize = 100_000;
/// Places that are kept open.
const TAILS_MAX: usize = 16;
/// A place that is kept open is not read on from over more records than this.
const NEAR: u64 = 100_000;
/// Pieces that are kept for others: 8 MiB.
const KEPT_MAX: usize = 256;

/// Reads and remembers.
pub(super) struct Reader<P: DataDirectory> {
    data: P,
    lives: Arc<Lives>,
    source: String,
    write: Write,
    disk: Option<P::Disk>,
    tails: VecDeque<Open<P>>,
    kept: VecDeque<Kept>,
}

/// An open place, and the last record in front of it where it is known.
struct Open<P: DataDirectory> {
    tail: Tail<P::Disk>,
    before: Option<Position>,
}

struct Kept {
    form: Form,
    after: Sequence,
    piece: Piece,
}

/// What a reading has come to.
struct Reading<'r> {
    want: &'r FeedRequest,
    bytes: Vec<u8>,
    bytes_max: usize,
    events_left: usize,
    looked_at: usize,
    end: Position,
    diverged: bool,
    broken: Option<String>,
}

impl<P: DataDirectory> Reader<P> {
    pub(super) fn new(data: P, journal: JournalId, lives: Arc<Lives>, write: Write) -> Self {
        Self {
            data,
            lives,
            source: format!("urn:doorbuster:journal:{journal}"),
            write,
            disk: None,
            tails: VecDeque::new(),
            kept: VecDeque::new(),
        }
    }

    /// What is behind the place that is wanted, as far as it was answered.
    pub(super) fn given(&mut self, want: &FeedRequest, reach: Sequence) -> FeedReply {
        if armed(Failpoint::Feed) {
            return FeedReply::Failed("it fails on purpose".to_owned());
        }
        let after = want.after;
        if after.sequence > reach {
            // It may still come, if it is of this start, or of one before that had it: after a
            // takeover it is here, and not yet known as settled. No other start will make it.
            let epoch = self.lives.epochs();
            let of = after.epoch.unwrap_or(epoch);
            let next = self.lives.begun().iter().find(|begun| begun.epoch > of);
            if of != epoch && next.is_none_or(|next| after.sequence >= next.sequence) {
                return FeedReply::Diverged;
            }
            let end = Position { epoch: Some(of), sequence: after.sequence };
            return FeedReply::Piece(Piece { bytes: Bytes::new(), end, reach });
        }
        let same = |kept: &&Kept| kept.form == want.form && kept.after == after.sequence;
        if let Some(kept) = self.kept.iter().find(same).filter(|_| want.limit.is_none()) {
            return FeedReply::Piece(kept.piece.clone());
        }
        if self.disk.is_none() {
            match self.data.journal() {
                Ok(disk) => self.disk = Some(disk),
                Err(error) => return FeedReply::Failed(error.to_string()),
            }
        }
        match self.read(want, reach) {
            Ok(given) => given,
            // Pruned while it was read.
            Err(JournalError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
                self.read(want, reach).unwrap_or_else(failed)
            }
            Err(error) => failed(error),
        }
    }

    fn read(&mut self, want: &FeedRequest, reach: Sequence) -> Result<FeedReply, JournalError> {
        let mut open = match self.take_open(want.after) {
            Some(open) => open,
            None => match self.seek(want.after.sequence)? {
                Ok(open) => open,
                Err(oldest) => return Ok(FeedReply::Compacted { oldest }),
            },
        };
        let page = want.limit.is_some();
        let mut reading = Reading {
            want,
            bytes: Vec::with_capacity(if page { 0 } else { PIECE_BYTES }),
            bytes_max: if page { PAGE_BYTES } else { PIECE_BYTES },
            events_left: want.limit.unwrap_or(usize::MAX),
            looked_at: 0,
            end: want.after,
            diverged: false,
            broken: None,
        };
        if let Some(before) = open.before.filter(|before| before.sequence == want.after.sequence) {
            reading.at(before);
        }
        let (write, source, lives) = (self.write, self.source.as_str(), &*self.lives);
        let disk = self.disk.as_ref().expect("it was opened");
        let frame = &mut |frame: &Frame<'_>| reading.frame(frame, write, (source, lives));
        open.tail.read(disk, reach, frame)?;
        if reading.diverged {
            return Ok(FeedReply::Diverged);
        }
        if let Some(broken) = reading.broken {
            return Ok(FeedReply::Failed(broken));
        }
        let Reading { bytes, end, .. } = reading;
        // In front of a frame; inside one, what is behind is found in it again.
        open.before = Some(end).filter(|end| end.sequence + 1 == open.tail.next_sequence());
        self.keep_open(open);
        let piece = Piece { bytes: bytes.into(), end, reach };
        if !page {
            self.keep(Kept { form: want.form, after: want.after.sequence, piece: piece.clone() });
        }
        Ok(FeedReply::Piece(piece))
    }

    /// An open place from which what is wanted is near, and where its epoch can still be told.
    fn take_open(&mut self, after: Position) -> Option<Open<P>> {
        let fits = |open: &Open<P>| {
            let next = open.tail.next_sequence();
            let known = open.before.is_some_and(|before| before.sequence == after.sequence);
            (next <= after.sequence || known) && after.sequence.saturating_sub(next) <= NEAR
        };
        let places = self.tails.iter().enumerate().filter(|(_, open)| fits(open));
        let (at, _) = places.max_by_key(|(_, open)| open.tail.next_sequence())?;
        self.tails.remove(at)
    }

    fn seek(&self, sequence: Sequence) -> Result<Result<Open<P>, Position>, JournalError> {
        let disk = self.disk.as_ref().expect("it was opened");
        let mut sought = Tail::seek(disk, sequence.max(1))?;
        if let SeekResult::Gone { oldest } = sought {
            if oldest != sequence + 1 {
                return Ok(Err(self.place(oldest - 1)));
            }
            // Everything behind the place is there.
            sought = Tail::seek(disk, oldest)?;
        }
        Ok(match sought {
            SeekResult::Tail(tail) => Ok(Open { tail, before: None }),
            SeekResult::Gone { oldest } => Err(self.place(oldest - 1)),
        })
    }

    /// The place behind an event that may be gone: with its epoch, where the lives tell it.
    fn place(&self, sequence: Sequence) -> Position {
        Position { epoch: self.lives.epoch_of(sequence), sequence }
    }

    fn keep_open(&mut self, open: Open<P>) {
        self.tails.push_back(open);
        if self.tails.len() > TAILS_MAX {
            self.tails.pop_front();
        }
    }

    fn keep(&mut self, kept: Kept) {
        self.kept.push_back(kept);
        if self.kept.len() > KEPT_MAX {
            self.kept.pop_front();
        }
    }
}

impl Reading<'_> {
    /// The record at the place that is wanted.
    fn at(&mut self, position: Position) {
        let wanted = self.want.after;
        self.diverged = wanted.epoch.is_some_and(|epoch| Some(epoch) != position.epoch);
        self.end = position;
    }

    fn frame(
        &mut self,
        frame: &Frame<'_>,
        write: Write,
        (source, lives): (&str, &Lives),
    ) -> ControlFlow<()> {
        let after = self.want.after.sequence;
        let epoch = frame.epoch();
        if (frame.first_sequence()..frame.first_sequence() + u64::from(frame.count()))
            .contains(&after)
        {
            self.at(Position { epoch: Some(epoch), sequence: after });
        }
        for (sequence, bytes) in frame.records() {
            if sequence <= after || sequence <= self.end.sequence {
                continue;
            }
            let full = self.events_left == 0 || self.bytes.len() >= self.bytes_max;
            if self.diverged || full || self.looked_at >= LOOKED_AT_MAX {
                return ControlFlow::Break(());
            }
            let record = match codec::decode_record(bytes) {
                Ok(record) => record,
                Err(error) => {
                    self.broken = Some(error.to_string());
                    return ControlFlow::Break(());
                }
            };
            let stamp = frame.stamp_ms();
            let happened = FeedEvent { epoch, sequence, stamp, record: &record, source, lives };
            self.looked_at += 1;
            self.events_left -= usize::from(write(self.want.form, &mut self.bytes, &happened));
            self.end = Position { epoch: Some(epoch), sequence };
        }
        ControlFlow::Continue(())
    }
}

fn failed(error: JournalError) -> FeedReply {
    FeedReply::Failed(error.to_string())
}
