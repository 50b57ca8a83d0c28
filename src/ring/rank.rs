//! Whose request goes before whose: a ring each, drained in this order, and room that is kept.
//!
//! Owns the order and the sizes. Requests of one rank keep their order; those of one connection do
//! too, because a connection has one request under way. Lines of a batch are all of one rank, so
//! that they are decided one after another as they stand there. Next: `lane`, `inbox`.

use crate::domain::model::command::{Command, Query};

/// How much a request matters while there is more to do than can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Actions on orders that exist, and operations: money may have moved already, and an operator
    /// must be able to steer a server that is too busy.
    Urgent,
    /// Orders, entries and single reads of tokens of the class `priority`.
    Preferred,
    /// Orders of all others, and lines of batches.
    Ordinary,
    /// Lists, whoever asks for them.
    List,
}

impl Rank {
    /// All, the first to be served first.
    pub const ALL: [Self; 4] = [Self::Urgent, Self::Preferred, Self::Ordinary, Self::List];

    /// The rank of a request alone, from a token of the priority class or not.
    #[must_use]
    pub fn of(command: &Command, preferred: bool) -> Self {
        match command {
            Command::ActOnOrder(..)
            | Command::PutSku(_)
            | Command::PatchSku(_)
            | Command::AdjustSku(_)
            | Command::DeleteSku(_)
            | Command::PutDraw(_)
            | Command::CloseDraw(_)
            | Command::DeleteDraw(_) => Self::Urgent,
            Command::CreateOrder(_) | Command::EnterDraw(_) => Self::of_one(preferred),
            Command::Read(query) => match **query {
                Query::Status => Self::Urgent,
                Query::Sku(_) | Query::Order(_) | Query::Remembered(_) | Query::Draw(_) => {
                    Self::of_one(preferred)
                }
                Query::Skus { .. }
                | Query::Orders { .. }
                | Query::UserOrders { .. }
                | Query::Entries { .. } => Self::List,
            },
        }
    }

    const fn of_one(preferred: bool) -> Self {
        if preferred { Self::Preferred } else { Self::Ordinary }
    }

    /// Places of its ring: powers of two, at least 64 (the ring's own bound).
    pub(super) const fn slots(self) -> usize {
        match self {
            Self::Urgent | Self::Preferred => 1024,
            Self::Ordinary => super::RING_SLOTS,
            Self::List => 256,
        }
    }

    /// A lane takes a request of this rank while fewer than so many wait there for their answer, so
    /// that what matters less leaves tickets to what matters more.
    pub(super) const fn tickets_max(self) -> usize {
        match self {
            Self::Urgent => super::TICKETS_PER_LANE,
            Self::Preferred => super::RING_SLOTS + 1024,
            Self::Ordinary => super::RING_SLOTS,
            Self::List => super::RING_SLOTS * 3 / 4,
        }
    }
}

/// Requests that may wait for the writer, of all ranks.
pub const ALL_SLOTS: usize = {
    let mut sum = 0;
    let mut at = 0;
    while at < Rank::ALL.len() {
        let slots = Rank::ALL[at].slots();
        assert!(slots.is_power_of_two() && slots >= 64);
        assert!(Rank::ALL[at] as usize == at);
        sum += slots;
        at += 1;
    }
    sum
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::model::command::Action;
    use crate::domain::model::ids::{OrderId, SkuId};

    #[test]
    fn what_exists_goes_before_what_is_new_and_lists_come_last() {
        let order = OrderId { epoch: 1, sequence: 2 };
        let cancel = Command::ActOnOrder(order, Action::Cancel);
        let one = Command::Read(Box::new(Query::Order(order)));
        let list = Command::Read(Box::new(Query::Skus { after: None, limit: 1 }));
        let sku = Command::Read(Box::new(Query::Sku(SkuId::parse("a").unwrap())));
        for preferred in [false, true] {
            let own = if preferred { Rank::Preferred } else { Rank::Ordinary };
            assert_eq!(Rank::of(&cancel, preferred), Rank::Urgent);
            assert_eq!(Rank::of(&Command::Read(Box::new(Query::Status)), preferred), Rank::Urgent);
            assert_eq!(Rank::of(&one, preferred), own);
            assert_eq!(Rank::of(&sku, preferred), own);
            assert_eq!(Rank::of(&list, preferred), Rank::List);
        }
        assert!(Rank::ALL.is_sorted());
    }

    #[test]
    fn each_rank_leaves_tickets_to_those_before_it() {
        let tickets = Rank::ALL.map(Rank::tickets_max);
        assert!(tickets.is_sorted_by(|before, after| before > after), "{tickets:?}");
    }
}
