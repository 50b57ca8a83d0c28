//! A journal that is given up, because the writer no longer has what comes next after it.
//!
//! Owns the mark that makes this survive a kill: from the mark on the segments mean nothing, and
//! whoever opens the directory to follow goes on removing them. Snapshots stay: they are of the same
//! history. Only for a journal that was compared with the writer's, and cut where it differed.
//! Next: `bootstrap`.

use crate::engine::replay::{DataDirectory, ReplayError};
use doorbuster_journal::{Disk, JournalError};
use std::io::{self, ErrorKind};

/// The file that says that the segments are given up.
const MARK: &str = "segments-given-up";

/// Marks the journal as given up, and removes its segments.
pub(super) fn discard<P: DataDirectory + ?Sized>(data: &P) -> Result<(), ReplayError> {
    let top = data.top()?;
    match top.create(MARK, 0) {
        Err(cause) if cause.kind() != ErrorKind::AlreadyExists => {
            return Err(error("create", &top, MARK)(cause));
        }
        _ => {}
    }
    top.sync_directory().map_err(error("sync the directory of", &top, MARK))?;
    go_on(data)
}

/// Removes what an attempt before has left, if there was one.
pub(super) fn go_on<P: DataDirectory + ?Sized>(data: &P) -> Result<(), ReplayError> {
    let top = data.top()?;
    let names = top.names().map_err(error("list", &top, ""))?;
    if !names.iter().any(|name| name == MARK) {
        return Ok(());
    }
    let journal = data.journal()?;
    for name in journal.names().map_err(error("list", &journal, ""))? {
        journal.remove(&name).map_err(error("remove", &journal, &name))?;
    }
    journal.sync_directory().map_err(error("sync", &journal, ""))?;
    top.remove(MARK).map_err(error("remove", &top, MARK))?;
    top.sync_directory().map_err(error("sync the directory of", &top, MARK))
}

fn error<D: Disk>(
    operation: &'static str,
    disk: &D,
    name: &str,
) -> impl FnOnce(io::Error) -> ReplayError + use<D> {
    let file = disk.place(name);
    move |cause| JournalError::Io { operation, file, offset: 0, cause }.into()
}
