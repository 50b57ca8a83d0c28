//! The SKUs that have nothing available, by name, where IO threads can read them while the writer
//! writes.
//!
//! Owns the sequence locks: a place with an odd version is closed, and whoever finds it so asks the
//! writer. A turn closes every place that it changes before it opens the first again, so that
//! nobody who has seen a part of a turn sees another part as it was before. All words are atomic; a
//! torn read is one that is thrown away. One thread writes. (Hans-J. Boehm, "Can seqlocks get along
//! with programming language memory models?", 2012, for the orderings.) Next: `publisher`, `check`.

use crate::domain::model::ids::{ID_BYTES_MAX, Sequence, SkuId};
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// A SKU stands in one of so many places that follow each other.
const PROBES: usize = 8;
/// Places of an empty table.
const PLACES_MIN: usize = 64;
/// Places at most, 8 MiB; SKUs that find none are asked for in the ring.
const PLACES_MAX: usize = 1 << 16;

const ID_WORDS: usize = ID_BYTES_MAX / 8;
const FACT_WORDS: usize = 6;

/// What must be known of a SKU with nothing available to refuse an order of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoldOut {
    /// The sequence of the state in which it was so; it still is unless this was taken back since.
    pub sequence: Sequence,
    /// The event that created the SKU: tells it from a namesake before or after.
    pub created: Sequence,
    /// Units in holds.
    pub held: u64,
    /// Units that one user may hold and own; 0 = no limit.
    pub per_user_limit: u64,
    /// The sale is open from then on, on `Clock::elapsed_ms`, and for over a second.
    pub from_ms: u64,
    /// The sale is open until then, and for over a second more; `u64::MAX` = it does not close.
    pub until_ms: u64,
}

impl SoldOut {
    const fn words(&self) -> [u64; FACT_WORDS] {
        let Self { sequence, created, held, per_user_limit, from_ms, until_ms } = *self;
        [sequence, created, held, per_user_limit, from_ms, until_ms]
    }

    const fn of_words(words: [u64; FACT_WORDS]) -> Self {
        let [sequence, created, held, per_user_limit, from_ms, until_ms] = words;
        Self { sequence, created, held, per_user_limit, from_ms, until_ms }
    }
}

#[derive(Debug)]
#[repr(align(128))]
struct Place {
    /// Odd while closed.
    version: AtomicU64,
    id: [AtomicU64; ID_WORDS],
    facts: [AtomicU64; FACT_WORDS],
}

impl Default for Place {
    fn default() -> Self {
        // Closed until it is first written.
        let zeros = || AtomicU64::new(0);
        let (id, facts) = (std::array::from_fn(|_| zeros()), std::array::from_fn(|_| zeros()));
        Self { version: AtomicU64::new(1), id, facts }
    }
}

/// An id, filled up with zeros, which no id holds.
fn id_words(id: &SkuId) -> [u64; ID_WORDS] {
    let mut words = [0; ID_WORDS];
    for (word, bytes) in words.iter_mut().zip(id.as_str().as_bytes().chunks(8)) {
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_le_bytes(whole);
    }
    words
}

fn read<const N: usize>(words: &[AtomicU64; N]) -> [u64; N] {
    std::array::from_fn(|at| words[at].load(Ordering::Relaxed))
}

impl Place {
    /// What stands here, unless it is closed or changes meanwhile.
    fn read(&self) -> Option<([u64; ID_WORDS], SoldOut)> {
        let version = self.version.load(Ordering::Acquire);
        let (id, facts) = (read(&self.id), read(&self.facts));
        fence(Ordering::Acquire);
        let whole = version.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == version;
        whole.then(|| (id, SoldOut::of_words(facts)))
    }

    fn close(&self) {
        self.version.store(self.version.load(Ordering::Relaxed) | 1, Ordering::Relaxed);
        fence(Ordering::Release);
    }

    fn write(&self, id: [u64; ID_WORDS], facts: &SoldOut) {
        self.close();
        let stored = self.id.iter().zip(id).chain(self.facts.iter().zip(facts.words()));
        stored.for_each(|(place, word)| place.store(word, Ordering::Relaxed));
        self.version.store(self.version.load(Ordering::Relaxed) + 1, Ordering::Release);
    }
}

#[derive(Debug)]
pub(super) struct SoldOutTable {
    /// Of the place with the same number: the SKU's hash, its lowest bit set; 0 = free.
    tags: Box<[AtomicU64]>,
    places: Box<[Place]>,
}

impl SoldOutTable {
    /// An empty table.
    pub(super) fn new() -> Self {
        Self::with_places(PLACES_MIN)
    }

    fn with_places(places: usize) -> Self {
        Self {
            tags: (0..places).map(|_| AtomicU64::new(0)).collect(),
            places: (0..places).map(|_| Place::default()).collect(),
        }
    }

    fn probes(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let mask = self.places.len() - 1;
        (0..PROBES).map(move |step| ((hash >> 32) as usize + step) & mask)
    }

    fn tagged(&self, at: usize, hash: u64) -> bool {
        self.tags[at].load(Ordering::Acquire) == hash | 1
    }

    /// What stands of a SKU; none where the writer must be asked. For readers.
    pub(super) fn find(&self, hash: u64, id: &SkuId) -> Option<SoldOut> {
        let mut words = None;
        for at in self.probes(hash).filter(|at| self.tagged(*at, hash)) {
            let words = *words.get_or_insert_with(|| id_words(id));
            if let Some((standing, facts)) = self.places[at].read()
                && standing == words
            {
                return Some(facts);
            }
        }
        None
    }

    /// The place of a SKU. For the writer, which needs no version.
    pub(super) fn place(&self, hash: u64, id: &SkuId) -> Option<usize> {
        let words = id_words(id);
        let is = |at: &usize| self.tagged(*at, hash) && read(&self.places[*at].id) == words;
        self.probes(hash).find(is)
    }

    /// What the writer wrote last in a place that is in use.
    pub(super) fn standing(&self, at: usize) -> SoldOut {
        SoldOut::of_words(read(&self.places[at].facts))
    }

    /// From here on readers of this place ask the writer.
    pub(super) fn close(&self, at: usize) {
        self.places[at].close();
    }

    /// Writes new facts of the SKU that stands there, and opens the place.
    pub(super) fn rewrite(&self, at: usize, facts: &SoldOut) {
        self.places[at].write(read(&self.places[at].id), facts);
    }

    /// The SKU leaves; the place stays closed.
    pub(super) fn vacate(&self, at: usize) {
        self.close(at);
        self.tags[at].store(0, Ordering::Relaxed);
    }

    /// Puts a SKU into the table that is not there yet; false if it finds no place.
    pub(super) fn put(&self, hash: u64, id: &SkuId, facts: &SoldOut) -> bool {
        self.put_words(hash | 1, id_words(id), facts).is_some()
    }

    fn put_words(&self, tag: u64, id: [u64; ID_WORDS], facts: &SoldOut) -> Option<usize> {
        let free = |at: &usize| self.tags[*at].load(Ordering::Relaxed) == 0;
        let at = self.probes(tag).find(free)?;
        self.places[at].write(id, facts);
        self.tags[at].store(tag, Ordering::Release);
        Some(at)
    }

    /// A larger table with the same SKUs, all places of this one closed for good; none where there
    /// may be no larger one.
    pub(super) fn grown(&self) -> Option<Self> {
        let mut places = self.places.len();
        while places < PLACES_MAX {
            places *= 2;
            let grown = Self::with_places(places);
            if (0..self.places.len()).all(|at| self.copy_into(&grown, at)) {
                self.places.iter().for_each(Place::close);
                return Some(grown);
            }
        }
        None
    }

    /// What is closed here is closed there.
    fn copy_into(&self, grown: &Self, at: usize) -> bool {
        let (tag, place) = (self.tags[at].load(Ordering::Relaxed), &self.places[at]);
        if tag == 0 {
            return true;
        }
        let Some(there) = grown.put_words(tag, read(&place.id), &self.standing(at)) else {
            return false;
        };
        if !place.version.load(Ordering::Relaxed).is_multiple_of(2) {
            grown.close(there);
        }
        true
    }
}

#[cfg(test)]
#[path = "sold_out_table_tests.rs"]
mod tests;
