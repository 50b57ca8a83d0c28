//! Rows in pieces of one size: a list that grows at its end, and a queue.
//!
//! A piece never moves, so growing copies nothing, and memory is taken as it is needed. The first
//! write to a page costs a page fault, about as much as filling in a dozen rows, so a piece may be
//! handed in already faulted in by another thread: see `prefault`. Without one, a table takes
//! its own, and is only slower. Never decides what a row means. Next: `slab`, `idempotency`.

use std::collections::VecDeque;
use std::mem::MaybeUninit;

/// Rows of a piece: enough that a new one is rare, little enough that a spare one is no burden.
const PIECE_ROWS: usize = 1 << PIECE_BITS;
const PIECE_BITS: u32 = 13;

pub trait Prefault {
    /// Touches every page of memory that was not written to yet.
    fn touch<T>(&self, room: &mut [MaybeUninit<T>]);
}

/// An empty piece.
#[derive(Debug)]
pub(in crate::domain) struct Chunk<T>(Vec<T>);

impl<T> Chunk<T> {
    fn untouched() -> Self {
        Self(Vec::with_capacity(PIECE_ROWS))
    }

    /// A piece whose pages are all there.
    pub(in crate::domain) fn touched(by: &impl Prefault) -> Self {
        let Self(mut rows) = Self::untouched();
        by.touch(rows.spare_capacity_mut());
        Self(rows)
    }
}

/// Whether the last piece is far enough in use that the next one will be needed.
fn next_is_near<T>(last: Option<&Vec<T>>) -> bool {
    last.is_some_and(|last| last.len() >= PIECE_ROWS / 8)
}

/// Has the next rows' places brought into the cache, all at once, by writing zeros there. Else each
/// row waits for its own: another core had the page last, as it cleared it.
fn fetch<T>(last: Option<&mut Vec<T>>, count: usize) {
    if let Some(last) = last {
        let room = last.spare_capacity_mut();
        let count = count.min(room.len());
        room[..count].fill_with(MaybeUninit::zeroed);
    }
}

/// A list that grows and shrinks at its end.
#[derive(Debug)]
pub(in crate::domain) struct ChunkedVec<T> {
    /// All full but the last, and none empty.
    pieces: Vec<Vec<T>>,
    spare: Option<Chunk<T>>,
}

impl<T: Clone> Clone for ChunkedVec<T> {
    fn clone(&self) -> Self {
        Self { pieces: self.pieces.clone(), spare: None }
    }
}

impl<T> ChunkedVec<T> {
    pub(in crate::domain) const fn new() -> Self {
        Self { pieces: Vec::new(), spare: None }
    }

    #[inline]
    pub(in crate::domain) fn len(&self) -> usize {
        let last = self.pieces.last().map_or(PIECE_ROWS, Vec::len);
        (self.pieces.len() << PIECE_BITS) + last - PIECE_ROWS
    }

    pub(in crate::domain) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    #[inline]
    pub(in crate::domain) fn get(&self, at: usize) -> Option<&T> {
        self.pieces.get(at >> PIECE_BITS)?.get(at % PIECE_ROWS)
    }

    #[inline]
    pub(in crate::domain) fn push(&mut self, row: T) {
        match self.pieces.last_mut() {
            Some(last) if last.len() < PIECE_ROWS => last.push(row),
            _ => self.push_on_next(row),
        }
    }

    #[cold]
    fn push_on_next(&mut self, row: T) {
        let Chunk(mut rows) = self.spare.take().unwrap_or_else(Chunk::untouched);
        rows.push(row);
        self.pieces.push(rows);
    }

    /// See [`fetch`].
    pub(in crate::domain) fn fetch_next(&mut self, count: usize) {
        fetch(self.pieces.last_mut(), count);
    }

    pub(in crate::domain) fn pop(&mut self) -> Option<T> {
        let last = self.pieces.last_mut()?;
        let row = last.pop();
        if last.is_empty() {
            self.spare = self.pieces.pop().map(Chunk);
        }
        row
    }

    pub(in crate::domain) fn swap(&mut self, one: usize, other: usize)
    where
        T: Copy,
    {
        let row = self[one];
        self[one] = self[other];
        self[other] = row;
    }

    pub(in crate::domain) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten()
    }

    pub(in crate::domain) fn wants_piece(&self) -> bool {
        self.spare.is_none() && next_is_near(self.pieces.last())
    }

    pub(in crate::domain) fn give_piece(&mut self, piece: Chunk<T>) {
        self.spare = Some(piece);
    }
}

impl<T> std::ops::Index<usize> for ChunkedVec<T> {
    type Output = T;

    #[inline]
    fn index(&self, at: usize) -> &T {
        &self.pieces[at >> PIECE_BITS][at % PIECE_ROWS]
    }
}

impl<T> std::ops::IndexMut<usize> for ChunkedVec<T> {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.pieces[at >> PIECE_BITS][at % PIECE_ROWS]
    }
}

/// A queue. A piece that all rows have left is filled again.
#[derive(Debug)]
pub(in crate::domain) struct ChunkedQueue<T> {
    /// All full but the last, and none empty.
    pieces: VecDeque<Vec<T>>,
    /// Rows of the first piece that have left.
    left: usize,
    spare: Option<Chunk<T>>,
}

impl<T: Clone> Clone for ChunkedQueue<T> {
    fn clone(&self) -> Self {
        Self { pieces: self.pieces.clone(), left: self.left, spare: None }
    }
}

impl<T: Copy> ChunkedQueue<T> {
    pub(in crate::domain) const fn new() -> Self {
        Self { pieces: VecDeque::new(), left: 0, spare: None }
    }

    pub(in crate::domain) fn len(&self) -> usize {
        let last = self.pieces.back().map_or(PIECE_ROWS, Vec::len);
        (self.pieces.len() << PIECE_BITS) + last - PIECE_ROWS - self.left
    }

    pub(in crate::domain) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(in crate::domain) fn get(&self, at: usize) -> Option<&T> {
        let at = at + self.left;
        self.pieces.get(at >> PIECE_BITS)?.get(at % PIECE_ROWS)
    }

    pub(in crate::domain) fn front(&self) -> Option<&T> {
        self.get(0)
    }

    pub(in crate::domain) fn push_back(&mut self, row: T) {
        match self.pieces.back_mut() {
            Some(last) if last.len() < PIECE_ROWS => last.push(row),
            _ => {
                let Chunk(mut rows) = self.spare.take().unwrap_or_else(Chunk::untouched);
                rows.push(row);
                self.pieces.push_back(rows);
            }
        }
    }

    /// See [`fetch`].
    pub(in crate::domain) fn fetch_next(&mut self, count: usize) {
        fetch(self.pieces.back_mut(), count);
    }

    pub(in crate::domain) fn pop_front(&mut self) -> Option<T> {
        let row = *self.front()?;
        self.left += 1;
        if self.pieces.front().is_some_and(|first| first.len() == self.left) {
            self.left = 0;
            let mut emptied = self.pieces.pop_front().unwrap_or_default();
            emptied.clear();
            self.spare = Some(Chunk(emptied));
        }
        Some(row)
    }

    pub(in crate::domain) fn iter(&self) -> impl Iterator<Item = &T> {
        self.iter_from(0)
    }

    pub(in crate::domain) fn iter_from(&self, at: usize) -> impl Iterator<Item = &T> {
        (at..self.len()).map_while(|at| self.get(at))
    }

    pub(in crate::domain) fn wants_piece(&self) -> bool {
        self.spare.is_none() && next_is_near(self.pieces.back())
    }

    pub(in crate::domain) fn give_piece(&mut self, piece: Chunk<T>) {
        self.spare = Some(piece);
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Leaves something there that is no row.
    struct Scribble;

    impl Prefault for Scribble {
        fn touch<T>(&self, room: &mut [MaybeUninit<T>]) {
            room.fill_with(MaybeUninit::zeroed);
        }
    }

    /// Steps long enough to fill and empty pieces.
    fn steps() -> impl Strategy<Value = Vec<(bool, usize)>> {
        proptest::collection::vec((any::<bool>(), 0_usize..3 * PIECE_ROWS), 1..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn rows_are_what_a_list_would_be(steps in steps(), given in any::<bool>()) {
            let (mut rows, mut model) = (ChunkedVec::new(), Vec::new());
            for (add, count) in steps {
                for _ in 0..count {
                    if add {
                        rows.push(model.len());
                        model.push(model.len());
                    } else {
                        prop_assert_eq!(rows.pop(), model.pop());
                    }
                }
                rows.fetch_next(count);
                if given && rows.wants_piece() {
                    rows.give_piece(Chunk::touched(&Scribble));
                    prop_assert!(!rows.wants_piece());
                }
                prop_assert_eq!((rows.len(), rows.is_empty()), (model.len(), model.is_empty()));
                prop_assert!(rows.iter().eq(model.iter()));
                prop_assert!(rows.clone().iter().eq(model.iter()));
                prop_assert_eq!(rows.get(model.len()), None);
            }
            if let Some(last) = model.len().checked_sub(1) {
                rows.swap(0, last);
                model.swap(0, last);
                prop_assert!(rows.iter().eq(model.iter()));
            }
        }

        #[test]
        fn a_queue_gives_back_what_came_first(steps in steps(), given in any::<bool>()) {
            let (mut queue, mut model) = (ChunkedQueue::new(), VecDeque::new());
            let mut next = 0;
            for (add, count) in steps {
                for _ in 0..count {
                    if add {
                        queue.push_back(next);
                        model.push_back(next);
                        next += 1;
                    } else {
                        prop_assert_eq!(queue.pop_front(), model.pop_front());
                    }
                }
                queue.fetch_next(count);
                if given && queue.wants_piece() {
                    queue.give_piece(Chunk::touched(&Scribble));
                }
                prop_assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
                prop_assert!(queue.iter().eq(model.iter()));
                prop_assert!(queue.clone().iter().eq(model.iter()));
                prop_assert_eq!((queue.front(), queue.get(model.len())), (model.front(), None));
            }
        }
    }
}
