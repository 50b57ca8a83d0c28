//! Idempotency: what each key was answered, for as long as it is remembered.
//!
//! Keys stand in the order they came, which is the order of their stamps, so forgetting is taking
//! the oldest off the front, a few a turn. One index finds them; a look-up is one probe, and the
//! whole cap is usable at any time. (Generations, whole tables thrown away by turns, cost a probe
//! each and keep keys for up to twice as long.) Next: `apply`.

use super::answer::{DrawView, SkuView};
use super::ids::{KeyClaim, Sequence, Stamp};
use super::order::Status;
use super::table::Index;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// A remembered key.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// Keyed hash of principal and key.
    pub hash: u128,
    /// What was asked.
    pub fingerprint: u64,
    /// The event of the answer.
    pub sequence: Sequence,
    /// Its stamp.
    pub at: Stamp,
    /// Number of the principal.
    pub principal: u16,
    /// The answer, as far as the order it names does not tell.
    pub answer: Kept,
}

/// What must be kept of an answer to give it again byte for byte.
#[derive(Debug, Clone)]
pub enum Kept {
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

impl Kept {
    /// The draw that must stay as long as the key.
    #[must_use]
    pub const fn draw(&self) -> Option<u32> {
        match self {
            Self::Entry { draw, .. } => Some(*draw),
            _ => None,
        }
    }

    /// It is neither an order nor an entry, and kept whole.
    const fn is_wide(&self) -> bool {
        matches!(self, Self::Sku(_) | Self::Draw(_))
    }
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
    kept: VecDeque<Remembered>,
    index: Index,
    /// The number of the oldest key kept.
    first: u64,
    /// Answers kept whole.
    wide: u32,
}

fn upper(hash: u128) -> u64 {
    (hash >> 64) as u64
}

impl Requests {
    pub(super) const ENTRY_BYTES: usize = size_of::<Remembered>() + Index::ENTRY_BYTES;

    pub(super) fn with_cap(cap: u32) -> Self {
        Self {
            kept: VecDeque::with_capacity(cap as usize),
            index: Index::with_cap(cap),
            first: 0,
            wide: 0,
        }
    }

    pub(super) fn grow(&mut self, cap: u32) {
        self.kept.reserve_exact((cap as usize).saturating_sub(self.kept.len()));
        self.index.grow(cap);
    }

    /// Remembered keys.
    #[must_use]
    pub fn len(&self) -> u32 {
        u32::try_from(self.kept.len()).expect("caps are 32-bit")
    }

    /// No key is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Answers that are not an order's, kept whole.
    #[must_use]
    pub fn wide(&self) -> u32 {
        self.wide
    }

    /// The number of the oldest key kept: orders named only by lower ones are free to go.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Makes room for one more; see `Index::make_room`.
    pub(super) fn make_room(&mut self) {
        self.index.make_room();
    }

    /// Numbers keys from here on, before the first is there.
    pub(super) fn begin_at(&mut self, first: u64) {
        assert!(self.kept.is_empty());
        self.first = first;
    }

    fn at(&self, number: u32) -> usize {
        ((u64::from(number).wrapping_sub(self.first)) & NUMBER_MASK) as usize
    }

    /// What a key was answered.
    #[must_use]
    pub fn find(&self, hash: u128) -> Option<&Remembered> {
        let number = self.index.find(upper(hash), |number| {
            self.kept.get(self.at(number)).is_some_and(|kept| kept.hash == hash)
        })?;
        self.kept.get(self.at(number))
    }

    /// Remembers an answer; gives the number of the key.
    pub(super) fn remember(
        &mut self,
        claim: KeyClaim,
        sequence: Sequence,
        at: Stamp,
        principal: u16,
        answer: Kept,
    ) -> u64 {
        let number = self.first + self.kept.len() as u64;
        self.wide += u32::from(answer.is_wide());
        let KeyClaim { hash, fingerprint } = claim;
        self.kept.push_back(Remembered { hash, fingerprint, sequence, at, principal, answer });
        self.index.insert(upper(hash), (number & NUMBER_MASK) as u32);
        number
    }

    /// The oldest key.
    #[must_use]
    pub fn oldest(&self) -> Option<&Remembered> {
        self.kept.front()
    }

    /// How many of the oldest keys were answered at or before `until`, counting to `most`.
    #[must_use]
    pub fn old(&self, until: Stamp, most: u32) -> u32 {
        let old = self.kept.iter().take(most as usize).take_while(|kept| kept.at <= until);
        u32::try_from(old.count()).expect("no more than most")
    }

    /// Forgets the oldest key.
    pub(super) fn forget_oldest(&mut self) -> Remembered {
        let gone = self.kept.pop_front().expect("only keys that are kept are forgotten");
        self.index.remove(upper(gone.hash), (self.first & NUMBER_MASK) as u32);
        self.first += 1;
        self.wide -= u32::from(gone.answer.is_wide());
        gone
    }

    /// The keys, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Remembered> {
        self.kept.iter()
    }
}

const _: () = assert!(NUMBER_MASK < u32::MAX as u64, "no number is the slot that is none");
