//! Who prepares memory for the tables ahead, and how the owner of a state asks for it.
//!
//! Owns the two ends between them: wishes one way, touched pieces the other, one of each at a time.
//! Whoever owns the state never waits: what has not come yet is asked for again later, and a table
//! helps itself meanwhile. Knows nothing of what is in a table. Next: `domain::pieces`, `replay`,
//! `writer`.

use crate::domain::memory::prefault::{Prefault, PrefaultRequest, PrefaultedChunks};
use crate::domain::state::tables::State;
use doorbuster_journal::populate;
use std::hint::black_box;
use std::io;
use std::mem::MaybeUninit;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

/// The end of whoever owns the state.
pub struct Prepared {
    wanted: SyncSender<PrefaultRequest>,
    pieces: Receiver<PrefaultedChunks>,
    /// Something was asked for and has not come.
    asked: bool,
}

/// The end of whoever has time to spare.
pub struct Preparer {
    wanted: Receiver<PrefaultRequest>,
    pieces: SyncSender<PrefaultedChunks>,
}

/// Both ends.
#[must_use]
pub fn pair() -> (Prepared, Preparer) {
    let (wants, wanted) = sync_channel(1);
    let (prepared, pieces) = sync_channel(1);
    let owner = Prepared { wanted: wants, pieces, asked: false };
    (owner, Preparer { wanted, pieces: prepared })
}

impl Prepared {
    /// With a thread at the other end, which ends when this is dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn by_thread() -> io::Result<Self> {
        let (owner, preparer) = pair();
        thread::Builder::new().name("table-preparer".to_owned()).spawn(move || preparer.run())?;
        Ok(owner)
    }

    /// Takes what has come, and asks for what will be needed next. Never waits.
    pub fn turn(&mut self, state: &mut State) {
        if self.asked {
            match self.pieces.try_recv() {
                Ok(pieces) => pieces.give(state),
                // Nobody prepares any more: the tables help themselves.
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
        self.asked =
            PrefaultRequest::by(state).is_some_and(|wanted| self.wanted.try_send(wanted).is_ok());
    }
}

impl Preparer {
    /// Prepares what was asked for by now, if anything was.
    pub fn turn(&self) {
        if let Ok(wanted) = self.wanted.try_recv() {
            // The owner may be gone.
            let _ = self.pieces.send(PrefaultedChunks::prepare(wanted, &BySystem));
        }
    }

    fn run(self) {
        for wanted in self.wanted {
            if self.pieces.send(PrefaultedChunks::prepare(wanted, &BySystem)).is_err() {
                return;
            }
        }
    }
}

/// Bytes of a page of memory at least; where pages are larger, some are touched twice.
const PAGE_BYTES: usize = 4096;

/// The system is asked for many pages at once, which takes two thirds of the time that touching one
/// after the other does (1.0 and 1.5 us a page, Linux 6.18).
struct BySystem;

impl Prefault for BySystem {
    fn touch<T>(&self, room: &mut [MaybeUninit<T>]) {
        // Older than Linux 5.14, or there is no memory, which the first touch will tell.
        if populate(room).is_err() {
            touch_each(room);
        }
    }
}

fn touch_each<T>(room: &mut [MaybeUninit<T>]) {
    let apart = (PAGE_BYTES / size_of::<T>().max(1)).max(1);
    room.iter_mut().step_by(apart).for_each(|row| *row = MaybeUninit::zeroed());
    if let Some(last) = room.last_mut() {
        *last = MaybeUninit::zeroed();
    }
    black_box(room);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    /// More than an allocator keeps for itself, so that none of it is there before.
    const ROOM_BYTES: usize = 40 << 20;

    /// Pages of a room that are there, and those that wholly belong to it, as the kernel tells
    /// (proc_pid_pagemap(5): bits 62 and 63).
    fn present<T>(room: &[MaybeUninit<T>]) -> (usize, usize) {
        let page_bytes = rustix::param::page_size();
        let first = room.as_ptr().addr();
        let pages = first.div_ceil(page_bytes)..(first + size_of_val(room)) / page_bytes;
        let mut entries = vec![0; pages.len() * 8];
        let map = File::open("/proc/self/pagemap").expect("Linux has it");
        map.read_exact_at(&mut entries, pages.start as u64 * 8).expect("the room is mapped");
        (entries.chunks(8).filter(|entry| entry[7] >> 6 != 0).count(), pages.len())
    }

    fn check<T>(touch: fn(&mut [MaybeUninit<T>])) {
        let mut rows: Vec<T> = Vec::with_capacity(ROOM_BYTES / size_of::<T>());
        let room = rows.spare_capacity_mut();
        let (before, pages) = present(room);
        assert!(before < pages / 2, "{before} of {pages} pages were there before");
        touch(room);
        assert_eq!(present(room), (pages, pages));
    }

    #[test]
    fn all_pages_are_there_when_the_system_was_asked_for_them() {
        check::<[u64; 14]>(|room| BySystem.touch(room));
    }

    #[test]
    fn all_pages_are_there_when_each_was_touched() {
        check::<u8>(touch_each);
        check::<[u64; 14]>(touch_each);
        check::<[u64; 1024]>(touch_each);
        touch_each::<()>(&mut [MaybeUninit::uninit(); 3]);
        touch_each::<u64>(&mut []);
    }
}
