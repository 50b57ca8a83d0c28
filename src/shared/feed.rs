//! What followers of the journal ask for, and what they are given: a leaf between HTTP, which asks,
//! and the feeder, which reads files on a thread of its own. Neither knows the other. Reads no file
//! and makes no text. Next: `feeder`, `http::handlers::events`.

use crate::domain::model::event::Record;
use crate::domain::model::ids::{OrderId, Sequence, Stamp};
use crate::domain::model::lives::Lives;
use crate::testing::failpoints::{Failpoint, armed};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::task::{Wake, Waker};
use tokio::sync::oneshot;

/// Questions that may wait for the feeder to look at them; more are refused.
const NOTES_MAX: usize = 8192;

/// A place in the history of a journal: after the event of this sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// In which start of the server the event was made; none for a sequence alone.
    pub epoch: Option<u32>,
    /// 0 = before the first.
    pub sequence: Sequence,
}

impl Position {
    /// As clients see it: an event's id, or a sequence alone.
    #[must_use]
    pub fn text(self, lives: &Lives) -> String {
        match self.epoch {
            Some(epoch) => lives.text(OrderId { epoch, sequence: self.sequence }).to_string(),
            None => self.sequence.to_string(),
        }
    }
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Entries of a JSON list.
    List,
    /// A line each.
    Lines,
    /// Server-sent events.
    ServerEvents,
}

/// What is asked of the feeder.
#[derive(Debug)]
pub struct FeedRequest {
    /// Events after this.
    pub after: Position,
    pub form: Form,
    /// So many at most; without it as many as make a piece, and at the end of the journal the
    /// answer waits until there is more.
    pub limit: Option<usize>,
    /// Where the answer goes.
    pub answer: oneshot::Sender<FeedReply>,
}

/// What comes back.
#[derive(Debug, Clone)]
pub enum FeedReply {
    Piece(Piece),
    /// The place is older than what is kept; the oldest place there is.
    Compacted {
        /// Events after this are there.
        oldest: Position,
    },
    /// This journal never had the place.
    Diverged,
    /// The journal cannot be read, for this reason.
    Failed(String),
}

/// Some events in their order, or none.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Written as asked; shared by all who asked the same.
    pub bytes: Bytes,
    /// Where the next begins.
    pub end: Position,
    /// How far the journal was durable in the configured mode.
    pub reach: Sequence,
}

/// A record as it is to be written.
#[derive(Debug, Clone, Copy)]
pub struct FeedEvent<'r> {
    pub epoch: u32,
    pub sequence: Sequence,
    pub stamp: Stamp,
    pub record: &'r Record,
    /// Whose journal, as a URI.
    pub source: &'r str,
    /// What ids are written with.
    pub lives: &'r Lives,
}

/// Appends a record in this form, if it is an event for followers; says whether it is.
pub type Write = fn(Form, &mut Vec<u8>, &FeedEvent<'_>) -> bool;

/// What the feeder is told.
#[derive(Debug)]
pub enum Note {
    FeedRequest(FeedRequest),
    /// The journal went on.
    Moved,
    /// Answer no more, and end.
    Stop,
}

/// The way to the feeder. Clones lead to the same one.
#[derive(Debug, Clone)]
pub struct Feed {
    notes: SyncSender<Note>,
}

impl Feed {
    /// A way; the notes come out at the other end.
    #[must_use]
    pub fn new() -> (Self, Receiver<Note>) {
        let (notes, noted) = sync_channel(NOTES_MAX);
        (Self { notes }, noted)
    }

    /// Asks for events; never waits. None where too many ask.
    #[must_use]
    pub fn ask(
        &self,
        after: Position,
        form: Form,
        limit: Option<usize>,
    ) -> Option<oneshot::Receiver<FeedReply>> {
        if armed(Failpoint::FeedAsks) {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        let want = FeedRequest { after, form, limit, answer };
        self.notes.try_send(Note::FeedRequest(want)).ok().map(|()| answered)
    }

    /// Tells the feeder that the journal went on.
    #[must_use]
    pub fn advance_waker(&self) -> Waker {
        Arc::new(Bell(self.notes.clone())).into()
    }

    /// Ends the feeder.
    pub fn stop(&self) {
        // A feeder that is gone has stopped.
        let _ = self.notes.send(Note::Stop);
    }
}

struct Bell(SyncSender<Note>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // Where it is full the feeder does not sleep, and looks by itself.
        let _ = self.0.try_send(Note::Moved);
    }
}
