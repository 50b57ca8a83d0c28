//! An order: its status and how it may move, its lines and what links it to the tables.
//!
//! Owns the transition table of API 3. Never touches stock: that is `apply`. Next: `decide`.

use super::ids::{OrderId, Sequence, Stamp};
use super::words::words;
use compact_str::CompactString;
use std::ops::{Deref, DerefMut};

words! {
    /// Where an order stands.
    pub enum Status {
        /// Units held until the deadline.
        Held = 0 "held",
        /// Sold.
        Confirmed = 1 "confirmed",
        /// Sold, and left the house.
        Shipped = 2 "shipped",
        /// Sold, and arrived.
        Completed = 3 "completed",
        /// The hold was given back.
        Cancelled = 4 "cancelled",
        /// The hold ran out.
        Expired = 5 "expired",
        /// Sold once, all of it given back.
        Refunded = 6 "refunded",
    }
}

impl Status {
    /// The status of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Units of such an order are sold.
    #[must_use]
    pub const fn is_sold(self) -> bool {
        matches!(self, Self::Confirmed | Self::Shipped | Self::Completed)
    }
}

words! {
    /// What may be asked of an order, as the columns of the table below.
    pub enum Verb {
        /// Held to sold.
        Confirm "confirm",
        /// Give the hold back.
        Cancel "cancel",
        /// A later deadline.
        Extend "extend",
        /// Left the house.
        Ship "ship",
        /// Arrived.
        Complete "complete",
        /// Take sold units back.
        Refund "refund",
    }
}

/// What an action does to an order in some status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// The order changes.
    Change,
    /// 200 with the order as it is: webhooks repeat.
    Same,
    /// 409 `invalid_transition`.
    Not,
    /// 410 `hold_expired`.
    Gone,
}

/// The table of API 3, row by status, column by verb.
#[must_use]
pub const fn transition(from: Status, verb: Verb) -> Transition {
    use Transition::{Change, Gone, Not, Same};
    #[rustfmt::skip]
    let row = match from {
        //                    confirm cancel  extend  ship    complete refund
        Status::Held =>      [Change, Change, Change, Not,    Not,    Not],
        Status::Confirmed => [Same,   Not,    Not,    Change, Not,    Change],
        Status::Shipped =>   [Same,   Not,    Not,    Same,   Change, Change],
        Status::Completed => [Same,   Not,    Not,    Same,   Same,   Change],
        Status::Cancelled => [Not,    Same,   Not,    Not,    Not,    Not],
        Status::Expired =>   [Gone,   Same,   Gone,   Not,    Not,    Not],
        Status::Refunded =>  [Not,    Not,    Not,    Not,    Not,    Same],
    };
    row[verb as usize]
}

/// A line as kept: the SKU by its slot, which stays its own as long as an order names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Slot of the SKU.
    pub sku: u32,
    /// Units ordered.
    pub quantity: u32,
    /// Units given back by refunds; never above `quantity`.
    pub refunded: u32,
}

/// Lines as kept. One, the usual case, needs no allocation, and several cost an order no more room
/// of its own.
#[derive(Debug, Clone)]
pub enum Lines {
    /// The only one.
    One(Line),
    /// None or several.
    Several(Box<Vec<Line>>),
}

impl FromIterator<Line> for Lines {
    fn from_iter<I: IntoIterator<Item = Line>>(lines: I) -> Self {
        let mut lines = lines.into_iter();
        match (lines.next(), lines.next()) {
            (Some(only), None) => Self::One(only),
            (first, second) => {
                Self::Several(Box::new(first.into_iter().chain(second).chain(lines).collect()))
            }
        }
    }
}

impl Deref for Lines {
    type Target = [Line];

    fn deref(&self) -> &[Line] {
        match self {
            Self::One(line) => std::slice::from_ref(line),
            Self::Several(lines) => lines,
        }
    }
}

impl DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [Line] {
        match self {
            Self::One(line) => std::slice::from_mut(line),
            Self::Several(lines) => lines,
        }
    }
}

/// Remembered keys of actions on one order at most; with the key that created it these are 64 (API
/// 1).
pub const ACTION_KEYS_MAX: u16 = 63;

/// The keys whose answers name an order: where they end, and how many of them are of its actions,
/// in one word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OrderKeys(u64);

impl OrderKeys {
    /// Key numbers end below: at 300,000 keys a second after thirty years.
    const END_BITS: u32 = 48;
    const END_MASK: u64 = (1 << Self::END_BITS) - 1;

    /// One more than the number of the newest of them; 0 = there never was one.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.0 & Self::END_MASK
    }

    /// Those of its actions. Journals from before [`ACTION_KEYS_MAX`] may have more.
    #[must_use]
    pub const fn of_actions(self) -> u16 {
        (self.0 >> Self::END_BITS) as u16
    }

    /// A key is remembered that names it.
    pub(in crate::domain) fn note(&mut self, number: u64, of_action: bool) {
        let actions = self.of_actions().saturating_add(u16::from(of_action));
        self.set(number + 1, actions);
    }

    /// The key of an action is forgotten.
    pub(in crate::domain) fn forget_action(&mut self) {
        self.set(self.end(), self.of_actions().saturating_sub(1));
    }

    fn set(&mut self, end: u64, actions: u16) {
        assert!(end <= Self::END_MASK, "keys are numbered from 0");
        self.0 = (u64::from(actions) << Self::END_BITS) | end;
    }
}

/// An order as kept. The links belong to `orders`.
#[derive(Debug, Clone)]
pub struct Order {
    pub id: OrderId,
    /// Slot of the user.
    pub user: u32,
    /// Number of the principal who created it.
    pub principal: u16,
    /// Where it stands.
    pub status: Status,
    /// Its hold was moved past a start once already.
    pub graced: bool,
    /// When it was created.
    pub created_at: Stamp,
    /// The deadline; kept after the hold ended, meaningful only while held.
    pub expires_at: Stamp,
    /// The event that changed it last.
    pub changed_sequence: Sequence,
    /// Stamp of the last change or keyed answer: retention counts from here.
    pub touched_at: Stamp,
    /// The event of that change or answer.
    pub touched_sequence: Sequence,
    /// The remembered keys whose answers name it.
    pub keys: OrderKeys,
    pub lines: Lines,
    /// The shop's own name for it.
    pub reference: Option<Box<CompactString>>,
    /// Its user's next newer order.
    pub newer: u32,
    /// Its user's next older order.
    pub older: u32,
    /// Place in the heap of deadlines while held; afterwards the next order touched later.
    pub heap_or_later: u32,
    /// The order touched just before it, once it is not held.
    pub earlier: u32,
}

// A live order is two cache lines at most, without what else knows of it.
const _: () = assert!(size_of::<Order>() <= 112);

impl Order {
    /// Units of a line still held or sold.
    #[must_use]
    pub fn left(line: &Line) -> u64 {
        u64::from(line.quantity - line.refunded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_table_is_the_one_of_the_contract() {
        use Verb::{Cancel, Complete, Confirm, Extend, Refund, Ship};
        let verbs = [Confirm, Cancel, Extend, Ship, Complete, Refund];
        let table = [
            (Status::Held, "confirmed cancelled held - - -"),
            (Status::Confirmed, "same - - shipped - refunded"),
            (Status::Shipped, "same - - same completed refunded"),
            (Status::Completed, "same - - same same refunded"),
            (Status::Cancelled, "- same - - - -"),
            (Status::Expired, "410 same 410 - - -"),
            (Status::Refunded, "- - - - - same"),
        ];
        for (from, row) in table {
            for (verb, cell) in verbs.into_iter().zip(row.split(' ')) {
                let expected = match cell {
                    "same" => Transition::Same,
                    "-" => Transition::Not,
                    "410" => Transition::Gone,
                    _ => Transition::Change,
                };
                assert_eq!(transition(from, verb), expected, "{from:?} {verb:?}");
            }
        }
    }

    #[test]
    fn a_status_word_reads_back() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
            assert_eq!(Status::ALL[status as usize], status);
        }
        assert_eq!(Status::parse("Held"), None);
    }
}
