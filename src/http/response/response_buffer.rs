//! Room to write answers in: each IO thread has some, cuts its answers from it, and has it whole
//! again once they are gone.
//!
//! Owns that an answer asks for no memory of its own. hyper copies an answer to what it writes to
//! the connection nearly as soon as it is rendered; where it cannot yet, the answer keeps the room
//! and the next one gets another. Never knows what is written. Next: `json_writer`.

use bytes::{Bytes, BytesMut};
use std::cell::Cell;

/// Room for some answers. Little, because a client that does not read may keep one of them, and
/// with it all of the room that it was cut from.
const ROOM_BYTES: usize = 4 * 1024;

thread_local! {
    static SPARE: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

/// Bytes in the making.
#[derive(Debug)]
pub(in crate::http) struct ResponseBuffer(BytesMut);

impl ResponseBuffer {
    /// Room for so many bytes, or more.
    pub(in crate::http) fn of(bytes: usize) -> Self {
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        let mut room = spare.unwrap_or_else(|| BytesMut::with_capacity(ROOM_BYTES));
        room.reserve(bytes);
        Self(room)
    }

    /// What was written, cut off; the rest is for the next answer. A long answer has all of it.
    pub(in crate::http) fn cut(mut self) -> Bytes {
        let written = match self.0.len() {
            ..=ROOM_BYTES => self.0.split(),
            _ => std::mem::take(&mut self.0),
        };
        written.freeze()
    }

    pub(in crate::http) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(in crate::http) fn clear(&mut self) {
        self.0.clear();
    }

    pub(in crate::http) fn extend(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl Drop for ResponseBuffer {
    fn drop(&mut self) {
        // None that is used up, nor one that longer answers have made larger.
        if (1..=ROOM_BYTES).contains(&self.0.capacity()) {
            self.0.clear();
            let spare = std::mem::take(&mut self.0);
            // At the end of a thread there may be no place for it.
            let _ = SPARE.try_with(|place| place.set(Some(spare)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Bytes {
        let mut room = ResponseBuffer::of(320);
        room.extend(text.as_bytes());
        room.cut()
    }

    #[test]
    fn an_answer_that_is_gone_leaves_its_room_to_the_next() {
        let first = written("one").as_ptr();
        let places: Vec<_> = (0..1_000).map(|_| written(&"x".repeat(300)).as_ptr()).collect();
        let room = first as usize..first as usize + ROOM_BYTES;
        assert!(places.iter().all(|place| room.contains(&(*place as usize))), "{places:?}");
    }

    #[test]
    fn an_answer_that_stays_is_not_written_over() {
        let kept: Vec<Bytes> = (0..100).map(|number| written(&format!("{number:0300}"))).collect();
        for (number, kept) in kept.iter().enumerate() {
            assert_eq!(kept, format!("{number:0300}").as_bytes());
        }
    }

    #[test]
    fn the_room_of_a_long_answer_is_given_up() {
        let long = "long".repeat(100_000);
        assert_eq!(written(&long), long.as_bytes());
        assert!(ResponseBuffer::of(320).0.capacity() <= ROOM_BYTES);
    }

    #[test]
    fn two_answers_at_once_are_apart() {
        let (mut one, mut other) = (ResponseBuffer::of(8), ResponseBuffer::of(8));
        one.extend(b"one");
        other.extend(b"other");
        one.extend(b"+");
        other.extend(b"+");
        assert_eq!((&*one.cut(), &*other.cut()), (&b"one+"[..], &b"other+"[..]));
    }
}
