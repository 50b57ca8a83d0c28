//! Ids of orders as clients hold them, told apart by their text alone.
//!
//! The rules number orders by epoch and sequence, and a directory that was put back counts the same
//! epochs again. Clients know only text. Owns the way between the two: whoever plays a client keeps
//! ids whose epoch is a number of their text's first part, and has them named as a journal does.
//! Never judges. Next: `notes`.

use crate::entry::Entry;
use doorbuster::domain::model::answer::{Answer, OrderView, RememberedBody};
use doorbuster::domain::model::command::{Command, Query};
use doorbuster::domain::model::event::Event;
use doorbuster::domain::model::ids::OrderId;
use doorbuster::domain::model::lives::Lives;

/// The first parts of all ids that were seen; an id's epoch is the place of its own, from 1.
#[derive(Debug, Default)]
pub struct Names(Vec<String>);

impl Names {
    /// None yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The id that a text stands for; none for what has no two parts.
    pub fn read(&mut self, text: &str) -> Option<OrderId> {
        let (first, sequence) = text.split_once('-')?;
        let sequence = sequence.parse().ok()?;
        let known = self.0.iter().position(|known| known == first);
        let at = known.unwrap_or_else(|| {
            self.0.push(first.to_owned());
            self.0.len() - 1
        });
        let epoch = u32::try_from(at + 1).expect("a run has few starts");
        Some(OrderId { epoch, sequence })
    }

    /// The text of an id that was read; of any other, a text that is no order's.
    pub fn text(&self, id: OrderId) -> String {
        let first = (id.epoch as usize).checked_sub(1).and_then(|at| self.0.get(at));
        format!("{}-{}", first.map_or("none", String::as_str), id.sequence)
    }

    /// The same id as the journal of these lives numbers it; of what it never gave out, one that is
    /// no order's.
    pub fn in_journal(&self, lives: &Lives, id: OrderId) -> OrderId {
        let lost = OrderId { epoch: u32::MAX - id.epoch, sequence: id.sequence };
        lives.order(&self.text(id)).unwrap_or(lost)
    }
}

/// The lives of the starts among these records.
pub fn lives_of(entries: &[Entry]) -> Lives {
    let mut lives = Lives::new();
    for entry in entries {
        if let Event::Started(started) = &entry.record.event {
            // One that does not fit is a finding of the witness, not of this.
            let _ = lives.begin(started.epoch, started.life, entry.sequence);
        }
    }
    lives
}

/// The order that a command is about, if it is about one; or where a list goes on.
pub fn named(command: &mut Command) -> Option<&mut OrderId> {
    match command {
        Command::ActOnOrder(order, _) => Some(order),
        Command::Read(query) => match &mut **query {
            Query::Order(order) => Some(order),
            Query::Orders { after, .. } => after.as_mut(),
            Query::UserOrders { after, .. } => after.as_mut().map(|place| &mut place.order),
            _ => None,
        },
        _ => None,
    }
}

/// Gives every order in an answer another id.
pub fn rename(answer: &mut Answer, mut to: impl FnMut(OrderId) -> OrderId) {
    let mut view = |view: &mut OrderView| view.order = to(view.order);
    match answer {
        Answer::Created(created) => created.order = to(created.order),
        Answer::Order(order) => view(order),
        Answer::Orders(page) => {
            page.entries.iter_mut().for_each(&mut view);
            page.next = page.next.map(to);
        }
        Answer::Entered(entry) => entry.order.iter_mut().for_each(view),
        Answer::Entries(page) => {
            page.entries.iter_mut().flat_map(|entry| &mut entry.order).for_each(view);
        }
        Answer::Remembered(remembered) => match &mut remembered.body {
            RememberedBody::Created(order) | RememberedBody::Order(order) => view(order),
            RememberedBody::Entered(entry) => entry.order.iter_mut().for_each(view),
            RememberedBody::Sku(_) | RememberedBody::Draw(_) => {}
        },
        Answer::Sku(_)
        | Answer::SkuCreated(_)
        | Answer::SkuDeleted
        | Answer::Skus(_)
        | Answer::Draw(_)
        | Answer::DrawCreated(_)
        | Answer::DrawDeleted
        | Answer::Status(_)
        | Answer::Refused(_) => {}
    }
}
