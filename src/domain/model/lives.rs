//! Lives: which start of the server made an id, so that no id is ever given out twice.
//!
//! A start counts epochs from what lies in its directory, so the start of a directory that was put
//! back counts again what a lost one counted. Each start therefore draws 40 random bits, its life,
//! and ids are written with the life in place of the epoch: `<life>-<sequence>` (API 1). Owns the
//! table of lives, the text of ids and of places in the feed, and which of them this journal can
//! have given out. Epochs of journals from before drew no life and are written as numbers. Never
//! draws: a life comes with the event of its start. Next: `ids`, `recovery`, which draws.

use super::ids::{OrderId, Sequence};
use std::collections::BTreeMap;
use std::fmt;

/// Random bits of a life.
const LIFE_BITS: u32 = 40;
/// Characters of a life's text: five bits each.
const LIFE_CHARACTERS: usize = (LIFE_BITS / CHARACTER_BITS) as usize;
const CHARACTER_BITS: u32 = 5;
/// Digits and small letters without i, l, o and u, as Crockford's base 32 has them.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Bytes of an id's text at most: an epoch in decimal, a dash, a sequence in decimal.
const TEXT_BYTES_MAX: usize = 10 + 1 + 20;

/// The random part of the ids that one start gives out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Life(u64);

impl Life {
    /// A life of these bits; none where there are more than 40, or where its text would be all
    /// digits, which is how epochs are written.
    #[must_use]
    pub fn of_bits(bits: u64) -> Option<Self> {
        let life = Self(bits);
        let lettered = life.text().iter().any(|character| !character.is_ascii_digit());
        (bits >> LIFE_BITS == 0 && lettered).then_some(life)
    }

    /// Its bits, below 2^40.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Takes the eight characters that stand for a life; there is one spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != LIFE_CHARACTERS {
            return None;
        }
        let mut bits = 0;
        for byte in text.bytes() {
            let character = ALPHABET.iter().position(|known| *known == byte)?;
            bits = bits << CHARACTER_BITS | character as u64;
        }
        Self::of_bits(bits)
    }

    /// Its eight characters.
    #[must_use]
    pub fn text(self) -> [u8; LIFE_CHARACTERS] {
        let mut text = [0; LIFE_CHARACTERS];
        for (at, character) in text.iter_mut().rev().enumerate() {
            *character = ALPHABET[(self.0 >> (CHARACTER_BITS * at as u32)) as usize & 31];
        }
        text
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.text()).expect("the alphabet is ASCII"))
    }
}

/// A start that drew a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// Which start of the journal.
    pub epoch: u32,
    /// What it drew.
    pub life: Life,
    /// The sequence of its event: all that it made stands at it or after it.
    pub sequence: Sequence,
}

/// All lives of a journal. About 50 bytes for each start of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lives {
    /// Starts of the server, those without a life included.
    epochs: u32,
    /// By epoch.
    begun: Vec<Begun>,
    by_life: BTreeMap<Life, u32>,
    /// The last of `begun` as text: nearly all ids that are written are of the start that serves.
    newest: Option<(u32, [u8; LIFE_CHARACTERS])>,
}

/// What the first part of an id says.
enum Prefix {
    Epoch(u32),
    /// The text of a life that this journal never had.
    Lost,
}

/// A place in the feed, as a text names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// An event's id: the epoch that made the event, and its sequence.
    At(OrderId),
    /// A sequence alone; 0 is before the first event.
    Bare(Sequence),
    /// A place that this journal never had.
    Diverged,
}

impl Lives {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { epochs: 0, begun: Vec::new(), by_life: BTreeMap::new(), newest: None }
    }

    /// Takes a start of the server, whose event has this sequence. False, and nothing is changed,
    /// where it does not fit those before: its epoch or sequence is not after theirs, or its life
    /// is another's.
    #[must_use]
    pub fn begin(&mut self, epoch: u32, life: Option<Life>, sequence: Sequence) -> bool {
        let behind = self.begun.last().is_none_or(|last| last.sequence < sequence);
        if epoch <= self.epochs || sequence == 0 || !behind {
            return false;
        }
        if let Some(life) = life {
            if self.has(life) {
                return false;
            }
            self.by_life.insert(life, epoch);
            self.begun.push(Begun { epoch, life, sequence });
            self.newest = Some((epoch, life.text()));
        }
        self.epochs = epoch;
        true
    }

    /// Says how many starts there were: the last ones of a snapshot may have drawn no life.
    pub(in crate::domain) fn end_at(&mut self, epochs: u32) {
        self.epochs = self.epochs.max(epochs);
    }

    /// Starts of the server, those without a life included.
    #[must_use]
    pub fn epochs(&self) -> u32 {
        self.epochs
    }

    /// The starts that drew a life, in their order.
    #[must_use]
    pub fn begun(&self) -> &[Begun] {
        &self.begun
    }

    /// A start of this journal drew it.
    #[must_use]
    pub fn has(&self, life: Life) -> bool {
        self.by_life.contains_key(&life)
    }

    /// The text of an epoch's life; none for an epoch that drew none.
    #[inline]
    #[must_use]
    pub fn life_text(&self, epoch: u32) -> Option<[u8; LIFE_CHARACTERS]> {
        match self.newest {
            Some((newest, text)) if newest == epoch => Some(text),
            _ => self.found(epoch).map(|begun| begun.life.text()),
        }
    }

    fn found(&self, epoch: u32) -> Option<&Begun> {
        let at = self.begun.binary_search_by_key(&epoch, |begun| begun.epoch).ok()?;
        Some(&self.begun[at])
    }

    /// The text of an order's or an event's id: `<life>-<sequence>`, or `<epoch>-<sequence>` for an
    /// epoch that drew no life.
    #[must_use]
    pub fn text(&self, id: OrderId) -> IdText {
        let mut text = IdText { bytes: [0; TEXT_BYTES_MAX], length: 0 };
        match self.life_text(id.epoch) {
            Some(life) => text.push(&life),
            None => text.push(itoa::Buffer::new().format(id.epoch).as_bytes()),
        }
        text.push(b"-");
        text.push(itoa::Buffer::new().format(id.sequence).as_bytes());
        text
    }

    /// The id that a text stands for; none where this journal cannot have given it out.
    #[must_use]
    pub fn order(&self, text: &str) -> Option<OrderId> {
        self.id(text)?.ok()
    }

    /// The place that a text stands for: an event's id, or a sequence alone. None for what is
    /// neither.
    #[must_use]
    pub fn place(&self, text: &str) -> Option<Place> {
        if !text.contains('-') {
            return number(text).map(Place::Bare);
        }
        self.id(text).map(|id| id.map_or(Place::Diverged, Place::At))
    }

    /// The order of a list that a text names as the place to go on from; none for what is no id.
    ///
    /// # Errors
    /// `Lost`, inside, where this journal never gave the id out.
    #[must_use]
    pub fn cursor(&self, text: &str) -> Option<Result<OrderId, Lost>> {
        self.id(text)
    }

    /// None for what has not the form of an id.
    fn id(&self, text: &str) -> Option<Result<OrderId, Lost>> {
        let (prefix, sequence) = text.split_once('-')?;
        let sequence = number(sequence)?;
        let id = match self.prefix(prefix)? {
            Prefix::Epoch(epoch) => OrderId { sequence, epoch },
            Prefix::Lost => return Some(Err(Lost)),
        };
        Some(if self.may_have_made(id) { Ok(id) } else { Err(Lost) })
    }

    fn prefix(&self, text: &str) -> Option<Prefix> {
        if let Some((epoch, newest)) = &self.newest
            && text.as_bytes() == newest
        {
            return Some(Prefix::Epoch(*epoch));
        }
        if let Some(life) = Life::parse(text) {
            return Some(self.by_life.get(&life).map_or(Prefix::Lost, |of| Prefix::Epoch(*of)));
        }
        // A number that no epoch has is one that a lost start of a version from before counted.
        let epoch = u32::try_from(number(text)?).ok()?;
        let unnamed = (1..=self.epochs).contains(&epoch) && self.found(epoch).is_none();
        Some(if unnamed { Prefix::Epoch(epoch) } else { Prefix::Lost })
    }

    /// The epoch can have made an event of this sequence: it is none that another start made. What
    /// the newest start has not made yet, it may still make.
    fn may_have_made(&self, id: OrderId) -> bool {
        let at = self.begun.partition_point(|begun| begun.epoch <= id.epoch);
        let first = match at.checked_sub(1).map(|before| &self.begun[before]) {
            Some(own) if own.epoch == id.epoch => own.sequence,
            Some(before) => before.sequence.saturating_add(1),
            None => 1,
        };
        let over = self.begun.get(at).is_some_and(|next| id.sequence >= next.sequence);
        id.sequence >= first && !over
    }

    /// The epoch that made the event of this sequence, where the table says.
    #[must_use]
    pub fn epoch_of(&self, sequence: Sequence) -> Option<u32> {
        let at = self.begun.partition_point(|begun| begun.sequence <= sequence);
        let begun = &self.begun[at.checked_sub(1)?];
        // A start without a life may lie between two with one, and does not say where it began.
        let last = self.begun.get(at).map_or(self.epochs, |next| next.epoch - 1);
        (last == begun.epoch).then_some(begun.epoch)
    }
}

/// A text has the form of an id, and this journal never gave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost;

/// An id as text.
#[derive(Clone, Copy)]
pub struct IdText {
    bytes: [u8; TEXT_BYTES_MAX],
    length: usize,
}

impl IdText {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// As clients see it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).expect("ids are ASCII")
    }
}

impl fmt::Debug for IdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for IdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One number must not have two spellings: no sign, no leading zero.
fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let one_spelling = text == "0" || !text.starts_with('0');
    text.parse().ok().filter(|_| plain && one_spelling)
}

#[cfg(test)]
#[path = "lives_tests.rs"]
mod tests;
