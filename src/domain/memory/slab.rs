//! A slab of entries at stable numbers, by which everything in the state refers to everything else.
//!
//! It takes memory piece by piece, so no growth ever stalls the writer. Never looked through for an
//! outcome: which number an entry has depends on what was freed before. Next: `chunked`, `index`.

use super::chunked::ChunkedVec;

/// The slot that is none.
pub const NONE: u32 = u32::MAX;

/// Entries at stable numbers, freed numbers used again, last freed first.
#[derive(Debug, Clone)]
pub struct Slab<T> {
    pub(in crate::domain) rows: ChunkedVec<Entry<T>>,
    free: u32,
    used: u32,
}

/// A place in a slab.
#[derive(Debug, Clone)]
pub(in crate::domain) enum Entry<T> {
    Used(T),
    /// A free slot, and the next free one.
    Free(u32),
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { rows: ChunkedVec::new(), free: NONE, used: 0 }
    }
}

impl<T> Slab<T> {
    /// Address space that one entry takes.
    pub(in crate::domain) const ENTRY_BYTES: usize = size_of::<Entry<T>>();

    /// Entries in use.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.used
    }

    /// No entry is in use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Keeps an entry and gives its number.
    ///
    /// # Panics
    /// When all 2^32 - 1 numbers are in use; caps are checked long before.
    pub fn insert(&mut self, value: T) -> u32 {
        self.used += 1;
        if self.free == NONE {
            let number = u32::try_from(self.rows.len()).expect("caps are 32-bit");
            assert!(number != NONE, "caps end below the slot that is none");
            self.rows.push(Entry::Used(value));
            return number;
        }
        let number = self.free;
        match std::mem::replace(&mut self.rows[number as usize], Entry::Used(value)) {
            Entry::Free(next) => self.free = next,
            Entry::Used(_) => unreachable!("the free list names only free entries"),
        }
        number
    }

    /// Brings the places of so many more entries into the cache; see `prefetch`.
    pub(in crate::domain) fn fetch_next(&mut self, count: usize) {
        // Freed ones are taken first, and were written before.
        if self.free == NONE {
            self.rows.fetch_next(count);
        }
    }

    /// Takes an entry out; its number will be used again.
    ///
    /// # Panics
    /// When there is none: a broken link.
    pub fn remove(&mut self, number: u32) -> T {
        let entry = std::mem::replace(&mut self.rows[number as usize], Entry::Free(self.free));
        match entry {
            Entry::Used(value) => {
                self.free = number;
                self.used -= 1;
                value
            }
            Entry::Free(_) => panic!("entry {number} is removed only once"),
        }
    }

    /// The entry of a number, if it is in use.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&T> {
        match self.rows.get(number as usize)? {
            Entry::Used(value) => Some(value),
            Entry::Free(_) => None,
        }
    }

    /// All numbers ever used are below.
    #[must_use]
    pub fn end(&self) -> u32 {
        u32::try_from(self.rows.len()).expect("caps are 32-bit")
    }

    /// The entries in use in a range of numbers. Never for outcomes, as `iter`.
    pub fn range(&self, numbers: std::ops::Range<u32>) -> impl Iterator<Item = &T> {
        numbers.filter_map(|number| self.get(number))
    }

    /// The entries in use with their numbers, by number. For checks, never for outcomes: numbers
    /// depend on what was freed before.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.rows.iter().enumerate().filter_map(|(number, entry)| match entry {
            Entry::Used(value) => Some((u32::try_from(number).expect("caps are 32-bit"), value)),
            Entry::Free(_) => None,
        })
    }
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, number: u32) -> &T {
        match &self.rows[number as usize] {
            Entry::Used(value) => value,
            Entry::Free(_) => panic!("entry {number} is in use while something names it"),
        }
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, number: u32) -> &mut T {
        match &mut self.rows[number as usize] {
            Entry::Used(value) => value,
            Entry::Free(_) => panic!("entry {number} is in use while something names it"),
        }
    }
}

/// Has the rows of a table, which lie in its `slab`, found by their slots.
macro_rules! by_slot {
    ($table:ty, $row:ty) => {
        impl std::ops::Index<u32> for $table {
            type Output = $row;

            fn index(&self, slot: u32) -> &$row {
                &self.slab[slot]
            }
        }

        impl std::ops::IndexMut<u32> for $table {
            fn index_mut(&mut self, slot: u32) -> &mut $row {
                &mut self.slab[slot]
            }
        }
    };
}

pub(in crate::domain) use by_slot;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_number_is_used_again() {
        let mut slab = Slab::default();
        let first = slab.insert("a");
        let second = slab.insert("b");
        assert_eq!(slab.remove(first), "a");
        assert_eq!(slab.len(), 1);
        assert_eq!(slab.insert("c"), first);
        assert_eq!((slab[first], slab[second]), ("c", "b"));
        assert_eq!(slab.iter().map(|(number, _)| number).collect::<Vec<_>>(), [first, second]);
    }
}
