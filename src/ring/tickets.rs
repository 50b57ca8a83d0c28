//! The requests of one lane that wait for their answer: a fixed table, which is the lane's
//! admission limit.
//!
//! A ticket goes home only after its answer came, also when the client has long gone, so an answer
//! always finds its ticket and the answer ring can never be too small. Next: `lane`.

use super::outcome::WriterReply;
use std::task::Waker;

/// One request that waits: its place in the table and how often the place was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ticket {
    pub(super) place: u32,
    generation: u32,
}

#[derive(Debug)]
enum Holder {
    Free { next: u32 },
    PendingReply(Option<Waker>),
    Abandoned,
    Answered(WriterReply),
}

#[derive(Debug)]
struct Entry {
    generation: u32,
    holder: Holder,
}

const END: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Tickets {
    entries: Vec<Entry>,
    free: u32,
    out: usize,
    /// Of those, how many have no answer yet.
    unanswered: usize,
    /// Answers so far.
    answers: u64,
}

impl Tickets {
    pub(super) fn new(count: usize) -> Self {
        let end = u32::try_from(count).expect("tickets are few");
        let entry = |place| Entry { generation: 0, holder: Holder::Free { next: place + 1 } };
        let mut entries: Vec<Entry> = (0..end).map(entry).collect();
        if let Some(last) = entries.last_mut() {
            last.holder = Holder::Free { next: END };
        }
        let free = if count == 0 { END } else { 0 };
        Self { free, entries, out: 0, unanswered: 0, answers: 0 }
    }

    /// Tickets that are out.
    pub(super) fn out(&self) -> usize {
        self.out
    }

    /// Tickets that are out and have no answer yet; and answers so far.
    pub(super) fn standing(&self) -> (usize, u64) {
        (self.unanswered, self.answers)
    }

    /// Takes a ticket; none when all are out.
    pub(super) fn take(&mut self) -> Option<Ticket> {
        let place = self.free;
        let entry = self.entries.get_mut(place as usize)?;
        let Holder::Free { next } = entry.holder else {
            unreachable!("the free list names only free tickets");
        };
        entry.holder = Holder::PendingReply(None);
        self.free = next;
        self.out += 1;
        self.unanswered += 1;
        Some(Ticket { place, generation: entry.generation })
    }

    fn entry(&mut self, ticket: Ticket) -> &mut Entry {
        let entry = &mut self.entries[ticket.place as usize];
        assert_eq!(entry.generation, ticket.generation, "a ticket is used once");
        entry
    }

    /// Gives a ticket back that nothing was asked with.
    pub(super) fn give_back(&mut self, ticket: Ticket) {
        self.unanswered -= 1;
        self.release(ticket);
    }

    fn release(&mut self, ticket: Ticket) {
        let free = self.free;
        let entry = self.entry(ticket);
        entry.holder = Holder::Free { next: free };
        entry.generation = entry.generation.wrapping_add(1);
        self.free = ticket.place;
        self.out -= 1;
    }

    /// Brings the answer; gives who is to be woken.
    pub(super) fn answer(&mut self, ticket: Ticket, arrived: WriterReply) -> Option<Waker> {
        self.unanswered -= 1;
        self.answers += 1;
        let entry = self.entry(ticket);
        match std::mem::replace(&mut entry.holder, Holder::Answered(arrived)) {
            Holder::PendingReply(waker) => waker,
            Holder::Abandoned => {
                self.release(ticket);
                None
            }
            Holder::Free { .. } | Holder::Answered(_) => {
                unreachable!("a ticket that is out is answered once")
            }
        }
    }

    /// Takes the answer if it came; otherwise remembers whom to wake.
    pub(super) fn collect(&mut self, ticket: Ticket, waker: &Waker) -> Option<WriterReply> {
        let entry = self.entry(ticket);
        if let Holder::PendingReply(known) = &mut entry.holder {
            match known {
                Some(known) => known.clone_from(waker),
                None => *known = Some(waker.clone()),
            }
            return None;
        }
        let holder = std::mem::replace(&mut entry.holder, Holder::Abandoned);
        self.release(ticket);
        match holder {
            Holder::Answered(arrived) => Some(arrived),
            _ => unreachable!("only its holder collects a ticket, and once"),
        }
    }

    /// Drops the answer, come or to come, as no caller will collect it. The command goes on.
    pub(super) fn abandon(&mut self, ticket: Ticket) {
        let entry = self.entry(ticket);
        match entry.holder {
            Holder::PendingReply(_) => entry.holder = Holder::Abandoned,
            Holder::Answered(_) => self.release(ticket),
            Holder::Free { .. } | Holder::Abandoned => unreachable!("a ticket is abandoned once"),
        }
    }

    /// Answers all that wait, because no other answer will come.
    pub(super) fn answer_all(&mut self, arrived: &WriterReply) -> Vec<Waker> {
        let mut wakers = Vec::new();
        for entry in &mut self.entries {
            if let Holder::PendingReply(waker) = &mut entry.holder {
                wakers.extend(waker.take());
                entry.holder = Holder::Answered(arrived.clone());
                self.unanswered -= 1;
                self.answers += 1;
            }
        }
        wakers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{Outcome, StageTimes};

    fn arrived(outcome: Outcome) -> WriterReply {
        WriterReply { outcome, times: StageTimes::default() }
    }

    #[test]
    fn a_table_lends_each_ticket_to_one_holder() {
        let mut tickets = Tickets::new(2);
        let (first, second) = (tickets.take().unwrap(), tickets.take().unwrap());
        assert_ne!(first.place, second.place);
        assert_eq!(tickets.take(), None);
        assert!(tickets.answer(first, arrived(Outcome::NoSpace)).is_none());
        assert_eq!(tickets.collect(first, Waker::noop()), Some(arrived(Outcome::NoSpace)));
        let third = tickets.take().unwrap();
        assert_eq!(third.place, first.place);
        assert_ne!(third, first);
        assert_eq!(tickets.out(), 2);
        // What is answered is no load, collected or not.
        assert_eq!(tickets.standing(), (2, 1));
        tickets.answer(third, arrived(Outcome::NoSpace));
        assert_eq!((tickets.out(), tickets.standing()), (2, (1, 2)));
        tickets.give_back(second);
        assert_eq!((tickets.out(), tickets.standing()), (1, (0, 2)));
    }

    #[test]
    fn an_abandoned_ticket_goes_home_with_its_answer() {
        let mut tickets = Tickets::new(1);
        let ticket = tickets.take().unwrap();
        assert_eq!(tickets.collect(ticket, Waker::noop()), None);
        tickets.abandon(ticket);
        assert_eq!(tickets.take(), None);
        assert!(tickets.answer(ticket, arrived(Outcome::Internal)).is_none());
        assert_eq!(tickets.out(), 0);
        let ticket = tickets.take().unwrap();
        tickets.answer(ticket, arrived(Outcome::Internal));
        tickets.abandon(ticket);
        assert_eq!(tickets.out(), 0);
    }

    #[test]
    fn all_that_wait_are_told_when_the_writer_stops() {
        let mut tickets = Tickets::new(2);
        let ticket = tickets.take().unwrap();
        assert_eq!(tickets.collect(ticket, Waker::noop()), None);
        assert_eq!(tickets.answer_all(&arrived(Outcome::Unknown)).len(), 1);
        assert_eq!(tickets.collect(ticket, Waker::noop()), Some(arrived(Outcome::Unknown)));
    }
}
