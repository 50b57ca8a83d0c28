//! Idempotency: what each key was answered, for as long as it is remembered.
//!
//! Keys stand in the order they came, which is the order of their stamps, so forgetting is taking
//! the oldest off the front, a few a turn. One index finds them; a look-up is one probe, and the
//! whole cap is usable at any time. (Generations, whole tables thrown away by turns, cost a probe
//! each and keep keys for up to twice as long.) Next: `apply`.

use crate::domain::memory::chunked::ChunkedQueue;
use crate::domain::memory::index::{Index, Places};
use crate::domain::memory::slab::NONE;
use crate::domain::model::answer::{DrawView, SkuView};
use crate::domain::model::ids::{KeyClaim, Sequence, Stamp};
use crate::domain::model::order::Status;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::VecDeque;

/// A remembered key.
#[derive(Debug, Clone)]
pub struct Remembered<'a> {
    /// Keyed hash of principal and key.
    pub hash: u128,
    /// What was asked.
    pub fingerprint: u64,
    /// The event of the answer.
    pub sequence: Sequence,
    pub at: Stamp,
    /// Number of the principal.
    pub principal: u16,
    /// The answer, as far as the order it names does not tell.
    pub answer: Cow<'a, StoredReply>,
}

/// A key as it lies in the queue: most answers are new orders, of which only the deadline is kept.
#[derive(Debug, Clone, Copy)]
pub(in crate::domain) struct Row {
    hash_upper: u64,
    hash_lower: u64,
    fingerprint: u64,
    sequence: Sequence,
    at: Stamp,
    /// The deadline of a hold; the number of a wide answer.
    value: u64,
    /// Slot of a new order.
    order: u32,
    principal: u16,
    answer: Shape,
}

/// How the answer to a key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Shape {
    Held,
    Sold,
    Wide,
}

const _: () = assert!(size_of::<Row>() == 56);

/// What must be kept of an answer to give it again byte for byte.
#[derive(Debug, Clone)]
pub enum StoredReply {
    /// 201 with a new order: all but the deadline stays true of it.
    Created {
        /// Slot of the order, which stays as long as the key.
        order: u32,
        /// The deadline then; none if it was sold at once.
        expires_at: Option<Stamp>,
    },
    /// 200 with an order.
    Order {
        /// Slot of the order, which stays as long as the key.
        order: u32,
        /// What may have changed since.
        then: Box<OrderThen>,
    },
    /// 200 with a SKU, whole.
    Sku(Box<SkuView>),
    /// 201 with an entry.
    Entry {
        /// Slot of the draw, which stays as long as the key.
        draw: u32,
        /// The entry's number in it.
        number: u32,
        /// The deadline of a held win then; 0 for any other entry.
        expires_at: Stamp,
    },
    /// 200 with a draw, whole.
    Draw(Box<DrawView>),
}

impl StoredReply {
    /// The draw that must stay as long as the key.
    #[must_use]
    pub const fn draw(&self) -> Option<u32> {
        match self {
            Self::Entry { draw, .. } => Some(*draw),
            _ => None,
        }
    }

    /// Slot of the order that an action was about.
    pub(in crate::domain) const fn acted_on(&self) -> Option<u32> {
        match self {
            Self::Order { order, .. } => Some(*order),
            _ => None,
        }
    }

    /// Says whether the answer is kept whole, being neither an order nor an entry.
    pub(in crate::domain) const fn is_whole(&self) -> bool {
        matches!(self, Self::Sku(_) | Self::Draw(_))
    }
}

/// A key that was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domain) struct Forgotten {
    /// Number of its principal.
    pub(in crate::domain) principal: u16,
    /// Its answer was neither an order's nor an entry's.
    pub(in crate::domain) whole: bool,
    /// Slot of the order that an action under it was about.
    pub(in crate::domain) acted_on: Option<u32>,
}

/// What of an order changes over its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderThen {
    /// Where it stood.
    pub status: Status,
    /// Its deadline while held.
    pub expires_at: Option<Stamp>,
    /// The event that had changed it last.
    pub changed_sequence: Sequence,
    /// Units given back, line by line; empty if none were.
    pub refunded: SmallVec<[u32; 1]>,
}

/// Keys are numbered from 0 as they come; the index holds the lower bits.
const NUMBER_MASK: u64 = 0x7FFF_FFFF;

/// The keys of the state.
#[derive(Debug, Clone)]
pub struct Requests {
    pub(in crate::domain) rows: ChunkedQueue<Row>,
    /// Answers of more than a deadline, in the order of their keys.
    wide: VecDeque<StoredReply>,
    /// The number of the first of them.
    wide_first: u64,
    index: Index,
    /// The number of the oldest key kept.
    first: u64,
    /// Answers that are no order's and no entry's.
    whole: u32,
}

const fn upper(hash: u128) -> u64 {
    (hash >> 64) as u64
}

impl Row {
    fn hash(&self) -> u128 {
        (u128::from(self.hash_upper) << 64) | u128::from(self.hash_lower)
    }
}

impl Requests {
    pub(in crate::domain) const ENTRY_BYTES: usize =
        size_of::<Row>() + size_of::<StoredReply>() + Index::ENTRY_BYTES;

    pub(in crate::domain) fn with_cap(cap: u32) -> Self {
        Self {
            rows: ChunkedQueue::new(),
            wide: VecDeque::with_capacity(cap as usize),
            wide_first: 0,
            index: Index::with_cap(cap),
            first: 0,
            whole: 0,
        }
    }

    pub(in crate::domain) fn grow(&mut self, cap: u32) {
        self.wide.reserve_exact((cap as usize).saturating_sub(self.wide.len()));
        self.index.grow(cap);
    }

    /// Remembered keys.
    #[must_use]
    pub fn len(&self) -> u32 {
        u32::try_from(self.rows.len()).expect("caps are 32-bit")
    }

    /// No key is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Answers that are not an order's, kept whole.
    #[must_use]
    pub fn wide(&self) -> u32 {
        self.whole
    }

    /// The number of the oldest key kept: orders named only by lower ones are free to go.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Makes room for one more; see `Index::make_room`.
    pub(in crate::domain) fn make_room(&mut self) {
        self.index.make_room();
    }

    /// Numbers keys from here on, before the first is there.
    pub(in crate::domain) fn begin_at(&mut self, first: u64) {
        assert!(self.rows.is_empty());
        self.first = first;
    }

    pub(in crate::domain) fn hash(&self, hash: u128) -> u64 {
        upper(hash)
    }

    /// Where the searches for some keys begin; see `prefetch`.
    pub(in crate::domain) fn places(&self, hashes: impl Iterator<Item = u64>) -> Places {
        self.index.places(hashes)
    }

    /// Reads there; see `prefetch`.
    pub(in crate::domain) fn prefetch_probe(&self, places: &Places) -> u64 {
        self.index.prefetch_probe(places)
    }

    fn at(&self, number: u32) -> usize {
        ((u64::from(number).wrapping_sub(self.first)) & NUMBER_MASK) as usize
    }

    /// What a key was answered.
    #[must_use]
    pub fn find(&self, hash: u128) -> Option<Remembered<'_>> {
        let number = self.index.find(upper(hash), |number| {
            self.rows.get(self.at(number)).is_some_and(|row| row.hash() == hash)
        })?;
        self.rows.get(self.at(number)).map(|row| self.remembered(row))
    }

    fn remembered<'a>(&'a self, row: &Row) -> Remembered<'a> {
        let created =
            |expires_at| Cow::Owned(StoredReply::Created { order: row.order, expires_at });
        let answer = match row.answer {
            Shape::Held => created(Some(row.value)),
            Shape::Sold => created(None),
            Shape::Wide => Cow::Borrowed(&self.wide[(row.value - self.wide_first) as usize]),
        };
        let (hash, fingerprint) = (row.hash(), row.fingerprint);
        let (sequence, at, principal) = (row.sequence, row.at, row.principal);
        Remembered { hash, fingerprint, sequence, at, principal, answer }
    }

    /// Remembers an answer; gives the number of the key.
    pub(in crate::domain) fn remember(
        &mut self,
        claim: KeyClaim,
        sequence: Sequence,
        at: Stamp,
        principal: u16,
        answer: StoredReply,
    ) -> u64 {
        let number = self.first + self.rows.len() as u64;
        let KeyClaim { hash, fingerprint } = claim;
        let (answer, order, value) = match answer {
            StoredReply::Created { order, expires_at: Some(expires_at) } => {
                (Shape::Held, order, expires_at)
            }
            StoredReply::Created { order, expires_at: None } => (Shape::Sold, order, 0),
            answer => {
                self.whole += u32::from(answer.is_whole());
                self.wide.push_back(answer);
                (Shape::Wide, NONE, self.wide_first + self.wide.len() as u64 - 1)
            }
        };
        let (hash_upper, hash_lower) = (upper(hash), hash as u64);
        self.rows.push_back(Row {
            hash_upper,
            hash_lower,
            fingerprint,
            sequence,
            at,
            value,
            order,
            principal,
            answer,
        });
        self.index.insert(hash_upper, (number & NUMBER_MASK) as u32);
        number
    }

    /// The stamp of the oldest key.
    #[must_use]
    pub fn oldest_at(&self) -> Option<Stamp> {
        self.rows.front().map(|row| row.at)
    }

    /// How many of the oldest keys were answered at or before `until`, counting to `most`.
    #[must_use]
    pub fn old(&self, until: Stamp, most: u32) -> u32 {
        let old = self.rows.iter().take(most as usize).take_while(|row| row.at <= until);
        u32::try_from(old.count()).expect("no more than most")
    }

    /// Forgets the oldest key; says what is to be counted down for it.
    pub(in crate::domain) fn forget_oldest(&mut self) -> Forgotten {
        let gone = self.rows.pop_front().expect("only keys that are kept are forgotten");
        self.index.remove(gone.hash_upper, (self.first & NUMBER_MASK) as u32);
        self.first += 1;
        let mut forgotten = Forgotten { principal: gone.principal, whole: false, acted_on: None };
        if gone.answer == Shape::Wide {
            let answer = self.wide.pop_front().expect("wide answers go with their keys");
            self.wide_first += 1;
            self.whole -= u32::from(answer.is_whole());
            forgotten.whole = answer.is_whole();
            forgotten.acted_on = answer.acted_on();
        }
        forgotten
    }

    /// The number of the next key.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first + self.rows.len() as u64
    }

    /// The hashes of the keys from this number on, oldest first.
    pub fn hashes_from(&self, number: u64) -> impl Iterator<Item = u128> {
        let gone = number.saturating_sub(self.first).min(self.rows.len() as u64);
        self.rows.iter_from(gone as usize).map(Row::hash)
    }

    /// The keys, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Remembered<'_>> {
        self.rows.iter().map(|row| self.remembered(row))
    }
}

const _: () = assert!(NUMBER_MASK < u32::MAX as u64, "no number is the slot that is none");
