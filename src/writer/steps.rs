//! The writer for a caller that takes its turns one by one: a simulation does; `run` is a loop of
//! the same.
//!
//! Owns nothing, decides nothing. Next: `mod`.

use super::{Stopped, Writer};
use crate::domain::model::ids::Stamp;
use crate::domain::state::tables::State;
use doorbuster_journal::{Disk, JournalError, SegmentAllocator};

impl<D: Disk> Writer<D> {
    /// Says that this thread takes the turns, and shows how things stand. For a caller that takes
    /// them one by one; [`run`](Self::run) does all of it.
    pub fn open(&mut self) {
        self.inbox.settle();
        let core = &mut self.core;
        core.watch.show(&core.state, core.now, core.journal.segments());
        core.show_all();
        core.publish();
    }

    /// The work of the journal's own thread, for a caller that takes the turns one by one.
    pub fn spare_maker(&mut self) -> SegmentAllocator<D> {
        self.core.journal.segment_allocator()
    }

    /// A lane has called since the last turn.
    #[must_use]
    pub fn called(&self) -> bool {
        self.inbox.called()
    }

    /// The state, as of the last turn.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.core.state
    }

    /// The stamp of the last turn.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.core.now
    }

    /// Leaves the journal sealed and synced.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn stop(mut self) -> Result<Stopped, JournalError> {
        self.collect_refusal_reports();
        self.core.stop()
    }
}
