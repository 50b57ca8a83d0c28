//! The entries of one draw, by number, in the order they were made.
//!
//! Owns how they lie in memory and how one is found. Never rolls. Next: `draws`.

use crate::domain::model::draw::{Pick, Reason};
use crate::domain::model::ids::Sequence;

/// An entry as kept.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Slot of who entered.
    pub entrant: u32,
    /// Number of the principal that brought it.
    pub principal: u16,
    /// What was picked.
    pub pick: Pick,
    /// Its outcome.
    pub reason: Reason,
    /// Its event; a win's order has the same sequence.
    pub sequence: Sequence,
    /// The start of the server it was made in.
    pub epoch: u32,
    /// The same user's next entry in this draw; 0 = none yet.
    pub next: u32,
    /// What the user added.
    pub client_seed: Option<Box<str>>,
}

/// Entries of a draw by number, from 1, in pieces: none of them ever moves for long.
#[derive(Debug, Clone, Default)]
pub struct Entries {
    pieces: Vec<Vec<Entry>>,
}

/// Entries in one piece.
const PIECE: usize = 1024;

impl Entries {
    #[must_use]
    pub fn len(&self) -> u32 {
        let before = self.pieces.len().saturating_sub(1) * PIECE;
        let all = before + self.pieces.last().map_or(0, Vec::len);
        u32::try_from(all).expect("caps are 32-bit")
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    fn place(number: u32) -> Option<(usize, usize)> {
        let place = number.checked_sub(1)? as usize;
        Some((place / PIECE, place % PIECE))
    }

    /// The entry of a number.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Entry> {
        let (piece, place) = Self::place(number)?;
        self.pieces.get(piece)?.get(place)
    }

    pub(in crate::domain) fn get_mut(&mut self, number: u32) -> Option<&mut Entry> {
        let (piece, place) = Self::place(number)?;
        self.pieces.get_mut(piece)?.get_mut(place)
    }

    pub(in crate::domain) fn push(&mut self, entry: Entry) {
        match self.pieces.last_mut() {
            Some(last) if last.len() < PIECE => last.push(entry),
            _ => self.pieces.push(vec![entry]),
        }
    }

    pub(in crate::domain) fn pop(&mut self) -> Option<Entry> {
        let last = self.pieces.last_mut()?;
        let gone = last.pop();
        if last.is_empty() {
            self.pieces.pop();
        }
        gone
    }

    /// Entries with their numbers, after `after`.
    pub fn after(&self, after: u32) -> impl Iterator<Item = (u32, &Entry)> {
        let numbers = after.saturating_add(1)..=self.len();
        numbers.map(|number| (number, self.get(number).expect("numbers have no gaps")))
    }

    /// The number of the entry that one event made.
    #[must_use]
    pub fn of_sequence(&self, sequence: Sequence) -> Option<u32> {
        let (mut low, mut high) = (1, self.len().checked_add(1)?);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle)?.sequence < sequence {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        self.get(low).filter(|entry| entry.sequence == sequence).map(|_| low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_number_and_by_event() {
        let entry = |number: u32| Entry {
            entrant: 0,
            principal: 0,
            pick: None,
            reason: Reason::Blank,
            sequence: u64::from(number) * 3,
            epoch: 1,
            next: 0,
            client_seed: None,
        };
        let mut entries = Entries::default();
        assert_eq!((entries.of_sequence(3), entries.after(0).count()), (None, 0));
        let many = 2 * PIECE as u32 + 1;
        (1..=many).for_each(|number| entries.push(entry(number)));
        for number in [1, 2, PIECE as u32, PIECE as u32 + 1, many] {
            assert_eq!(entries.of_sequence(u64::from(number) * 3), Some(number));
            assert_eq!(entries.of_sequence(u64::from(number) * 3 + 1), None);
        }
        assert!(entries.get(0).is_none() && entries.get(many + 1).is_none());
        assert_eq!(entries.after(PIECE as u32).next().unwrap().0, PIECE as u32 + 1);
        for left in (0..many).rev() {
            entries.pop();
            assert_eq!(entries.len(), left);
        }
        assert!(entries.is_empty() && entries.pop().is_none());
    }
}
