//! Finds slab numbers by hash.
//!
//! An index has room for its cap from the start and touches none of it before it is used, so no
//! growth ever stalls the writer. Removal shifts later entries back instead of leaving tombstones,
//! so it never has to be rebuilt. It cannot be gone through by hash: map order cannot reach an
//! event, a snapshot or an answer. Next: `slab`, `prefetch`.

use super::slab::NONE;
use smallvec::SmallVec;
use std::cell::Cell;

/// Places that are looked up together at most: more than a core can have under way at once.
pub const TOGETHER_MAX: usize = 64;
/// Words of one cache line.
const LINE_WORDS: usize = 8;
/// Numbers in a row that share a line, if they are hashed so; see [`near`].
pub(in crate::domain) const NEIGHBOURS: usize = LINE_WORDS;
/// Words of one page of memory, as the processor's tables usually have it.
const PAGE_WORDS: usize = 512;

/// Finds slab numbers by the hash of what they hold: open addressing, linear probing, at most 80 %
/// full, one 64-bit word an entry (upper half of the hash, number + 1).
///
/// A page that no entry was ever put on is not searched, and hardly ever read, either: the system
/// would map it twice, to a shared page of zeros for the read and to one of its own for the write
/// that follows, and would have to interrupt the other cores for that.
///
/// A tag's lower three bits say where in its cache line an entry stands, the others which line: so
/// numbers whose hashes are [`near`] each other are found by touching one line.
#[derive(Debug, Clone)]
pub struct Index {
    words: Vec<u64>,
    /// Words before the first page. Where an allocation begins changes nothing but speed.
    skipped: usize,
    /// A bit for each page that an entry was put on.
    used_pages: Vec<u64>,
    lines: usize,
    used: u32,
    cap: u32,
    /// Where the last search that found nothing ended, unless something was put in or taken out
    /// since: what was looked for and is not there is what comes next.
    sought: Cell<Option<Vacant>>,
}

const fn tag(hash: u64) -> u64 {
    hash >> 32
}

/// The hash of a number among eight that follow each other, given the hash of their group: they
/// stand in one cache line, so that what comes together is looked up with one miss.
#[must_use]
pub const fn near(group: u64, number: u64) -> u64 {
    const PLACE: u64 = 0b111 << 32;
    (group & !PLACE) | ((number << 32) & PLACE)
}

/// Where an entry that is not there yet would stand; good until the index changes.
#[derive(Debug, Clone, Copy)]
pub struct Vacant {
    place: usize,
    hash: u64,
}

/// Where some searches begin: at most those of what `prefetch` looks up together and of as many new
/// orders.
pub type Places = SmallVec<[usize; TOGETHER_MAX + TOGETHER_MAX / NEIGHBOURS + 1]>;

impl Index {
    /// Address space that one entry takes: a word at 80 % full.
    pub(in crate::domain) const ENTRY_BYTES: usize = 10;

    /// An empty index with room for `cap` entries.
    #[must_use]
    pub fn with_cap(cap: u32) -> Self {
        let places = cap as usize + cap as usize / 4 + 8;
        let lines = places.div_ceil(LINE_WORDS);
        // One line more: see `prefetch_probe`.
        let words = vec![0; (lines + 1) * LINE_WORDS + PAGE_WORDS];
        let skipped = words.as_ptr().align_offset(PAGE_WORDS * size_of::<u64>()) % PAGE_WORDS;
        let pages = (lines * LINE_WORDS).div_ceil(PAGE_WORDS);
        let used_pages = vec![0; pages.div_ceil(u64::BITS as usize)];
        Self { words, skipped, used_pages, lines, used: 0, cap, sought: Cell::new(None) }
    }

    /// Makes room for `cap` entries in all, if there is less.
    pub fn grow(&mut self, cap: u32) {
        if cap <= self.cap {
            return;
        }
        let mut grown = Self::with_cap(cap);
        let places = 0..self.lines * LINE_WORDS;
        for word in places.map(|place| self.word(place)).filter(|word| *word != 0) {
            grown.insert(word, (word as u32).wrapping_sub(1));
        }
        *self = grown;
    }

    /// Makes room for one more, if there is none: for a state that is put together again, whose
    /// caps may have been lowered below what it holds.
    pub fn make_room(&mut self) {
        if self.used == self.cap {
            self.grow(self.cap + self.cap / 4 + 16);
        }
    }

    fn is_used(&self, place: usize) -> bool {
        let page = place / PAGE_WORDS;
        self.used_pages[page / u64::BITS as usize] >> (page % u64::BITS as usize) & 1 == 1
    }

    fn word(&self, place: usize) -> u64 {
        if self.is_used(place) { self.words[self.skipped + place] } else { 0 }
    }

    fn set(&mut self, place: usize, word: u64) {
        let page = place / PAGE_WORDS;
        self.used_pages[page / u64::BITS as usize] |= 1 << (page % u64::BITS as usize);
        self.words[self.skipped + place] = word;
    }

    /// Where the search for a tag begins.
    fn home(&self, tag: u64) -> usize {
        // The upper 29 bits of a tag choose the line, and there are fewer than 2^29 lines, so the
        // product fits; its upper part spreads the tags evenly over any number of lines.
        let line = ((tag >> 3) * self.lines as u64) >> 29;
        usize::try_from(line * LINE_WORDS as u64 + (tag & 7)).expect("an index fits memory")
    }

    fn after(&self, place: usize) -> usize {
        if place + 1 == self.lines * LINE_WORDS { 0 } else { place + 1 }
    }

    /// Where the searches for some hashes begin, but for those on pages that hold nothing.
    pub fn places(&self, hashes: impl Iterator<Item = u64>) -> Places {
        hashes.map(|hash| self.home(tag(hash))).filter(|place| self.is_used(*place)).collect()
    }

    /// Reads the words there. Says nothing; it is done so that what is looked up soon is in the
    /// cache by then: see `prefetch`.
    #[must_use]
    pub fn prefetch_probe(&self, places: &Places) -> u64 {
        let words = &self.words[self.skipped..];
        // The fuller an index, the more searches go on in the next line.
        if self.used > self.cap / 2 {
            places.iter().fold(0, |read, place| read ^ words[*place] ^ words[place + LINE_WORDS])
        } else {
            places.iter().fold(0, |read, place| read ^ words[*place])
        }
    }

    /// The number at `hash` for which `is` holds.
    pub fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let found = self.find_or_vacant(hash, is);
        found.map_err(|vacant| self.sought.set(Some(vacant))).ok()
    }

    /// The number at `hash` for which `is` holds, or where it would stand.
    ///
    /// # Errors
    /// Where it would stand.
    pub fn find_or_vacant(&self, hash: u64, is: impl Fn(u32) -> bool) -> Result<u32, Vacant> {
        let tag = tag(hash);
        let mut place = self.home(tag);
        let mut word = self.word(place);
        loop {
            if word == 0 {
                return Err(Vacant { place, hash });
            }
            let number = (word as u32).wrapping_sub(1);
            if word >> 32 == tag && is(number) {
                return Ok(number);
            }
            place = self.after(place);
            // Only the first word of a page can be one of a page that was never used.
            let follows = !place.is_multiple_of(PAGE_WORDS);
            word = if follows { self.words[self.skipped + place] } else { self.word(place) };
        }
    }

    /// Makes `number` found at `hash`.
    ///
    /// # Panics
    /// Beyond the cap, which the caller checks.
    pub fn insert(&mut self, hash: u64, number: u32) {
        // Whatever was looked for at this hash, the search ended at the first free place.
        let sought = self.sought.get().filter(|vacant| vacant.hash == hash);
        let vacant = sought.map_or_else(|| self.find_or_vacant(hash, |_| false), Err);
        self.fill(vacant.expect_err("nothing was looked for"), number);
    }

    /// Makes `number` found where nothing was.
    ///
    /// # Panics
    /// Beyond the cap, which the caller checks.
    pub fn fill(&mut self, vacant: Vacant, number: u32) {
        assert!(self.used < self.cap, "caps are checked before a command is accepted");
        assert!(number != NONE);
        self.set(vacant.place, (tag(vacant.hash) << 32) | u64::from(number + 1));
        self.sought.set(None);
        self.used += 1;
    }

    /// Makes `number` no longer found at `hash`, and moves what stood after it back.
    ///
    /// # Panics
    /// When it was not there: a broken link.
    pub fn remove(&mut self, hash: u64, number: u32) {
        let gone = (tag(hash) << 32) | u64::from(number + 1);
        let mut hole = self.home(tag(hash));
        while self.word(hole) != gone {
            assert!(self.word(hole) != 0, "entry {number} is indexed while it is in use");
            hole = self.after(hole);
        }
        let mut place = hole;
        loop {
            place = self.after(place);
            let word = self.word(place);
            if word == 0 {
                break;
            }
            // An entry may move back only to a place at or after its home, cyclically.
            let home = self.home(tag(word));
            let reachable = if hole <= place {
                home <= hole || home > place
            } else {
                home <= hole && home > place
            };
            if reachable {
                self.set(hole, word);
                hole = place;
            }
        }
        self.set(hole, 0);
        self.sought.set(None);
        self.used -= 1;
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A hash whose search begins at this place.
    fn hash_at(index: &Index, place: usize) -> u64 {
        let line = ((place / LINE_WORDS) as u64) << 29;
        (line.div_ceil(index.lines as u64) << 3 | (place % LINE_WORDS) as u64) << 32
    }

    /// The last line has none after it, and an allocation may begin anywhere on a page.
    #[test]
    fn a_glance_may_begin_at_any_place_of_an_index_however_full() {
        for cap in 8..200 {
            let mut index = Index::with_cap(cap);
            index.skipped = PAGE_WORDS - 1;
            let hashes: Vec<u64> =
                (0..index.lines * LINE_WORDS).map(|place| hash_at(&index, place)).collect();
            for number in 0..index.cap {
                index.insert(hashes[number as usize], number);
                let places = index.places(hashes.iter().copied());
                let next =
                    |place| if index.used > index.cap / 2 { place + LINE_WORDS } else { place };
                let read = places.iter().filter(|place| next(**place) != **place);
                let read = read.fold(index.prefetch_probe(&places), |read, place| {
                    read ^ index.words[index.skipped + next(*place)]
                });
                let all =
                    hashes.iter().fold(0, |all, hash| all ^ index.word(index.home(tag(*hash))));
                assert_eq!(read, all, "one page, and it is used");
            }
        }
    }

    #[test]
    fn an_entry_stands_on_a_page_that_was_never_used_before() {
        let mut index = Index::with_cap(4 * PAGE_WORDS as u32);
        let border = hash_at(&index, PAGE_WORDS - 1);
        assert_eq!(index.home(tag(border)), PAGE_WORDS - 1);
        assert!(index.places([border].into_iter()).is_empty(), "there is nothing to read");
        for number in 0..3 {
            assert_eq!(index.find(border, |found| found == number), None);
            index.insert(border, number);
        }
        assert_eq!(index.places([border].into_iter()).as_slice(), [PAGE_WORDS - 1]);
        assert_eq!(index.used_pages, [0b11], "a run that began on the first page ends on the next");
        index.remove(border, 0);
        for number in 1..3 {
            assert_eq!(index.find(border, |found| found == number), Some(number));
        }
        index.remove(border, 1);
        assert_eq!(index.word(PAGE_WORDS), 0, "what stood behind was moved back over the border");
        assert_eq!(index.find(border, |_| true), Some(2));
    }

    proptest! {
        /// Runs around the borders of several pages and around the end, some pages never used.
        #[test]
        fn an_index_of_several_pages_finds_what_a_map_finds(
            steps in proptest::collection::vec(
                ((0_usize..6, 0_usize..12), 0_u32..60, any::<bool>(), any::<bool>()), 0..300),
        ) {
            let mut index = Index::with_cap(5 * PAGE_WORDS as u32);
            let places = index.lines * LINE_WORDS;
            prop_assert!(places > 5 * PAGE_WORDS);
            let mut model: BTreeMap<u32, u64> = BTreeMap::new();
            for ((page, beside), number, add, look) in steps {
                let border = if page == 5 { places } else { (page + 1) * PAGE_WORDS };
                let hash = hash_at(&index, (border - 6 + beside) % places);
                match (model.get(&number).copied(), add) {
                    (None, true) => {
                        index.insert(hash, number);
                        model.insert(number, hash);
                    }
                    (Some(hash), false) => {
                        index.remove(hash, number);
                        model.remove(&number);
                    }
                    _ => {}
                }
                for (number, hash) in &model {
                    prop_assert_eq!(index.find(*hash, |found| found == *number), Some(*number));
                }
                // What is not found is remembered, so not after each step.
                let absent = look.then(|| index.find(hash, |found| !model.contains_key(&found)));
                prop_assert_eq!(absent.flatten(), None);
            }
        }

        /// Hashes of few values, so that runs collide, wrap around and move back.
        #[test]
        fn an_index_finds_what_a_map_finds(
            cap in 1_u32..40,
            steps in proptest::collection::vec(
                (0_u64..12, 0_u32..40, any::<bool>(), any::<bool>()), 0..400),
        ) {
            let mut index = Index::with_cap(cap);
            let mut model = BTreeMap::new();
            let spread = |home: u64| (home * 0x1999_9999) << 32;
            for (home, number, add, look) in steps {
                let known = model.get(&number).copied();
                match (known, add) {
                    (None, true) if model.len() < cap as usize => {
                        index.insert(spread(home), number);
                        model.insert(number, home);
                    }
                    (Some(home), false) => {
                        index.remove(spread(home), number);
                        model.remove(&number);
                    }
                    _ => {}
                }
                if number == 7 {
                    index.grow(cap + 5);
                }
                for (number, home) in &model {
                    let found = index.find(spread(*home), |candidate| candidate == *number);
                    prop_assert_eq!(found, Some(*number));
                }
                let absent =
                    look.then(|| index.find(spread(home), |found| !model.contains_key(&found)));
                prop_assert_eq!(absent.flatten(), None);
            }
        }
    }
}

#[cfg(test)]
#[path = "index_spread_tests.rs"]
mod spread_tests;
