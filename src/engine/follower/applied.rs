//! The state of a follower, which grows by what is settled of its own journal.
//!
//! Owns the place up to which records were applied. Reads them from the files, as a start would, and
//! compares the totals of seals on the way. Never applies what may still be taken back: a cut of the
//! tail then needs no undoing. Next: `whole`.

use crate::codec;
use crate::domain::memory::prefetch::{TOGETHER_MAX, warm};
use crate::domain::model::event::Record;
use crate::domain::model::ids::Sequence;
use crate::domain::state::tables::State;
use crate::engine::replay::{apply_stored, compare};
use doorbuster_journal::{
    Disk, Frame, FramePlace, JournalError, Kind, SeekResult, Tail, VisitError,
};
use std::io::ErrorKind;
use std::ops::ControlFlow;

/// A state, and the way to what comes after it.
pub(super) struct Applied<D: Disk> {
    growing: Growing,
    /// None where it must be looked for.
    tail: Option<Tail<D>>,
    /// Up to where the journal was read last: what was settled, and its end.
    read: Option<(Sequence, FramePlace)>,
}

struct Growing {
    state: State,
    /// The records of a frame; keeps its capacity.
    records: Vec<Record>,
}

impl<D: Disk> Applied<D> {
    pub(super) fn new(state: State) -> Self {
        Self { growing: Growing { state, records: Vec::new() }, tail: None, read: None }
    }

    pub(super) fn state(&self) -> &State {
        &self.growing.state
    }

    pub(super) fn into_state(self) -> State {
        self.growing.state
    }

    /// The files were changed behind what was applied.
    pub(super) fn forget_place(&mut self) {
        self.tail = None;
        self.read = None;
    }

    /// Applies what is settled, and compares the seals up to the place `end`, before which all is
    /// stored.
    ///
    /// # Errors
    /// When the files cannot be read, or do not make sense. The state is not used afterwards.
    pub(super) fn apply_to(
        &mut self,
        disk: &D,
        settled: Sequence,
        end: FramePlace,
    ) -> Result<(), JournalError> {
        if self.read == Some((settled, end)) {
            return Ok(());
        }
        let kept = self.tail.is_some();
        match self.read_on(disk, settled, end) {
            // The segment after the one that was read was let go meanwhile: a snapshot holds it.
            Err(JournalError::Io { cause, .. }) if kept && cause.kind() == ErrorKind::NotFound => {
                self.tail = None;
                self.read_on(disk, settled, end)?;
            }
            read => read?,
        }
        self.read = Some((settled, end));
        Ok(())
    }

    fn read_on(
        &mut self,
        disk: &D,
        settled: Sequence,
        end: FramePlace,
    ) -> Result<(), JournalError> {
        let mut tail = match self.tail.take() {
            Some(tail) => tail,
            None => match Tail::seek(disk, self.growing.state.sequence + 1)? {
                SeekResult::Tail(tail) => tail,
                // There is no frame yet.
                SeekResult::Gone { .. } if end == FramePlace::first_in(1) => return Ok(()),
                SeekResult::Gone { oldest } => return Err(gone(disk, oldest)),
            },
        };
        let mut failed = None;
        let mut visit = |frame: &Frame<'_>| match self.growing.frame(frame) {
            Ok(()) => ControlFlow::Continue(()),
            Err(cause) => {
                let first_sequence = frame.first_sequence();
                failed = Some(JournalError::Visitor { first_sequence, cause });
                ControlFlow::Break(())
            }
        };
        tail.read_with_seals(disk, (settled, end), &mut visit)?;
        self.tail = Some(tail);
        failed.map_or(Ok(()), Err)
    }
}

fn gone<D: Disk>(disk: &D, oldest: Sequence) -> JournalError {
    let cause = format!("the journal begins with sequence {oldest}, after what was applied");
    JournalError::Io {
        operation: "read on in",
        file: disk.place(""),
        offset: 0,
        cause: std::io::Error::new(ErrorKind::InvalidData, cause),
    }
}

impl Growing {
    /// A frame that was applied already is passed over: a tail begins with its segment.
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), VisitError> {
        let next = self.state.sequence + 1;
        if let Some(totals) = frame.totals() {
            // One without any only marks where a repaired journal begins.
            if frame.first_sequence() == next && !totals.is_empty() {
                compare(&self.state, totals)?;
            }
            return Ok(());
        }
        let end = frame.first_sequence() + u64::from(frame.count());
        if frame.kind() != Kind::Records || end <= next {
            return Ok(());
        }
        self.records.clear();
        for (sequence, bytes) in frame.records() {
            let record = codec::decode_record(bytes);
            self.records.push(record.map_err(|error| format!("sequence {sequence}: {error}"))?);
        }
        let mut sequence = frame.first_sequence();
        for together in self.records.chunks(TOGETHER_MAX) {
            warm(&mut self.state, together.iter().map(Into::into));
            for record in together {
                apply_stored(&mut self.state, sequence, record, frame.stamp_ms())?;
                sequence += 1;
            }
        }
        Ok(())
    }
}
