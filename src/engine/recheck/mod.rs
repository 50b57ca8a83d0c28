//! Decides a journal again: does every command still come out as it was recorded?
//!
//! A replay only applies what was decided, so that old journals stay true when the rules change;
//! this asks the rules that are in force now. Owns the way back from a record to the request that
//! made it, and what must be true of the events that no request caused. A refusal that was kept
//! whole is decided again where it stands, which is the state that it was given in; of one that the
//! sold-out edge gave, the units of its SKU are compared with those at the sequence that it names:
//! whether its key was remembered or a limit went before then is not. Never writes, and changes no
//! state: it is shown each record before `apply` is. Next: `replay`,
//! `domain::rules::decide`, `domain::rules::sweep`, `shelves`.

use crate::domain::model::answer::{Answer, Refusal};
use crate::domain::model::command::{
    Action, AdjustSku, Command, CreateOrder, DeleteDraw, DeleteSku, EnterDraw, Principal, PutDraw,
    PutSku, Reach, Refund, Request,
};
use crate::domain::model::draw::Seed;
use crate::domain::model::event::{Event, OrderExtended, Origin, Record, RefusalCount, Started};
use crate::domain::model::ids::{OrderId, PrincipalName, Sequence, Stamp};
use crate::domain::model::kept::{KeptRefusal, NotKept, stored_form};
use crate::domain::model::lives::Lives;
use crate::domain::rules::decide::{Decision, extended};
use crate::domain::rules::sweep;
use crate::domain::state::tables::State;
use crate::engine::replay::{From, Progress, ReplayError, Replayed, Until, replay_watched};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod refusals_tests;
mod shelves;

use shelves::Shelves;

/// Differences that are kept whole; the others are only counted.
pub const DIFFERENCES_KEPT_MAX: usize = 20;

/// The rules to decide by: `domain::decide::decide`, or a changed one in a test.
pub type DecideRule = fn(&State, &Request, Stamp) -> Decision;

/// A record that would not be made now.
#[derive(Debug, Clone)]
pub struct Disagreement {
    pub sequence: Sequence,
    pub stamp: Stamp,
    /// What was recorded.
    pub recorded: Record,
    /// What is true now.
    pub now: Now,
}

/// What comes out now.
#[derive(Debug, Clone)]
pub enum Now {
    /// The command is decided like this.
    Decided(Box<Decision>),
    /// At the sequence that the edge named, the SKU had so many units available and held; none:
    /// there was no such SKU.
    Stood(Option<(u64, u64)>),
    /// Deciding panics.
    Panicked,
    /// An event that no request caused should be this one, or none.
    Due(Option<Box<Event>>),
    /// What is wrong with it.
    Wrong(&'static str),
}

/// What was found so far.
#[derive(Debug)]
pub struct Recheck {
    rules: DecideRule,
    /// Records whose command was decided again.
    pub commands: u64,
    /// Refusals that were decided again.
    pub refusals: u64,
    /// Refusals of the edge whose numbers were compared.
    pub edge_refusals: u64,
    /// Refusals of the edge that name a state from before this replay began.
    pub edge_refusals_beyond: u64,
    /// Records that no request caused, each checked as far as the state tells.
    pub unasked: u64,
    /// Records that would not be made now.
    pub different: u64,
    /// The first of them.
    pub differences: Vec<Disagreement>,
    /// What the ids in them are written with.
    pub lives: Lives,
    shelves: Shelves,
    /// The last record that may have changed what is decided by; none before the first.
    changed: Option<Sequence>,
    /// The stamp of the last start, while its first events come.
    starting: Option<Stamp>,
}

impl Recheck {
    /// Nothing was looked at yet.
    #[must_use]
    pub fn new(rules: DecideRule) -> Self {
        Self {
            rules,
            commands: 0,
            refusals: 0,
            edge_refusals: 0,
            edge_refusals_beyond: 0,
            unasked: 0,
            different: 0,
            differences: Vec::new(),
            lives: Lives::new(),
            shelves: Shelves::default(),
            changed: None,
            starting: None,
        }
    }

    /// Replays a data directory and looks at each record on the way. What was found until an error
    /// stays here.
    ///
    /// # Errors
    /// As [`crate::engine::replay::replay`].
    pub fn run(
        &mut self,
        data: &Path,
        from: From,
        until: Until,
        progress: Progress<'_>,
    ) -> Result<Replayed, ReplayError> {
        let mut watch = |state: &State, record: &Record, stamp| self.look(state, record, stamp);
        replay_watched(data, from, until, progress, Some(&mut watch))
    }

    /// Looks at the record that comes next, made at `stamp`, with the state before it.
    pub fn look(&mut self, state: &State, record: &Record, stamp: Stamp) {
        self.shelves.catch_up(state);
        self.changed.get_or_insert(state.sequence);
        if let Event::RefusalsKept(kept) = &record.event {
            kept.iter().for_each(|refusal| self.look_at_refusal(state, refusal, stamp));
        }
        let found = match &record.origin {
            Some(origin) => {
                self.commands += 1;
                self.decide_again(state, origin, &record.event, stamp)
            }
            None => {
                self.unasked += 1;
                self.check_unasked(state, &record.event, stamp)
            }
        };
        let started = self.check_start(state, &record.event, stamp);
        self.shelves.note(state, record);
        if !matches!(record.event, Event::RefusalsKept(_) | Event::RefusalsNotKept(_)) {
            self.changed = Some(state.sequence + 1);
        }
        let Err(now) = found.and(started) else { return };
        self.differs(state, record.clone(), stamp, now);
    }

    fn differs(&mut self, state: &State, recorded: Record, stamp: Stamp, now: Now) {
        self.different += 1;
        if self.differences.len() < DIFFERENCES_KEPT_MAX {
            let sequence = state.sequence + 1;
            self.differences.push(Disagreement { sequence, stamp, recorded, now });
            self.lives = state.lives.clone();
        }
    }

    fn look_at_refusal(&mut self, state: &State, kept: &KeptRefusal, stamp: Stamp) {
        let found = match kept.at_edge {
            true => self.compare_at_edge(state, kept),
            false => {
                self.refusals += 1;
                self.refuse_again(state, kept)
            }
        };
        let in_time = match kept.at <= stamp && kept.seen <= state.sequence {
            true => Ok(()),
            false => Err(Now::Wrong("it was given before it was journaled")),
        };
        if let Err(now) = in_time.and(found) {
            let event = Event::RefusalsKept(vec![kept.clone()]);
            self.differs(state, Record { origin: None, event }, kept.at, now);
        }
    }

    /// Nothing that is decided by has changed since it was given: the state is the one that it saw.
    fn refuse_again(&self, state: &State, kept: &KeptRefusal) -> Result<(), Now> {
        if self.changed.is_some_and(|changed| kept.seen < changed) {
            return Err(Now::Wrong("it stands right behind the state that it was given in"));
        }
        match self.decide(state, &kept.request(), kept.at)? {
            Decision::Answer(answered) => match &answered.answer {
                Answer::Refused(again) if stored_form(again.clone()) == kept.refusal => Ok(()),
                _ => Err(Now::Decided(Box::new(Decision::Answer(answered)))),
            },
            other => Err(Now::Decided(Box::new(other))),
        }
    }

    /// The edge says that a SKU has nothing available and so many units held at a sequence.
    fn compare_at_edge(&mut self, state: &State, kept: &KeptRefusal) -> Result<(), Now> {
        let Refusal::SoldOut(lines) = &kept.refusal else {
            return Err(Now::Wrong("the edge says that something is sold out, or nothing"));
        };
        let Command::CreateOrder(order) = &kept.command else {
            return Err(Now::Wrong("the edge refuses orders"));
        };
        let ([line], [asked]) = (lines.as_slice(), order.lines.as_slice()) else {
            return Err(Now::Wrong("the edge refuses orders of one line"));
        };
        if (&line.sku, line.requested) != (&asked.sku, u64::from(asked.quantity)) {
            return Err(Now::Wrong("it is the answer to another order"));
        }
        match self.shelves.units_at(state, &line.sku, kept.seen) {
            Err(_) => self.edge_refusals_beyond += 1,
            Ok(units) => {
                self.edge_refusals += 1;
                if units != Some((0, line.held)) || line.available != 0 {
                    return Err(Now::Stood(units));
                }
            }
        }
        Ok(())
    }

    fn decide_again(
        &self,
        state: &State,
        origin: &Origin,
        event: &Event,
        stamp: Stamp,
    ) -> Result<(), Now> {
        let command = command_of(event).ok_or(Now::Wrong("nobody can ask for it"))?;
        let reach = if origin.reach_all { Reach::All } else { Reach::Own };
        let request = Request {
            principal: Principal { name: origin.principal.clone(), reach },
            key: origin.key,
            traceparent: origin.traceparent,
            command,
        };
        match self.decide(state, &request, stamp)? {
            Decision::Change(again) if again == *event || as_before(&again, event) => Ok(()),
            again if extended_as_before(state, &again, event, stamp) => Ok(()),
            other => Err(Now::Decided(Box::new(other))),
        }
    }

    fn decide(&self, state: &State, request: &Request, stamp: Stamp) -> Result<Decision, Now> {
        let decided = catch_unwind(AssertUnwindSafe(|| (self.rules)(state, request, stamp)));
        decided.map_err(|_| Now::Panicked)
    }

    fn check_unasked(&self, state: &State, event: &Event, stamp: Stamp) -> Result<(), Now> {
        match event {
            Event::Started(started) => check_started(state, started),
            Event::SettingsChanged(settings) if **settings == state.settings => {
                Err(Now::Wrong("it changes nothing"))
            }
            Event::SettingsChanged(_) => Ok(()),
            Event::OrderExpired(order) => self.check_expired(state, *order, stamp),
            Event::HoldsGraced(_) if self.starting.is_none() => {
                Err(Now::Wrong("grace is given at a start only"))
            }
            Event::HoldsGraced(_) => due(sweep::grace(state, stamp).into_iter().next(), event),
            Event::OrdersArchived(orders) if may_leave_early(state, orders, stamp) => Ok(()),
            Event::KeysForgotten(_)
            | Event::OrdersArchived(_)
            | Event::UsesPurged(_)
            | Event::EntriesPurged(_) => due(sweep::tidy(state, stamp), event),
            Event::RefusalsCounted(counts) => check_refusals(counts),
            Event::RefusalsKept(kept) if kept.is_empty() => Err(Now::Wrong("it tells nothing")),
            // Each was looked at by itself.
            Event::RefusalsKept(_) => Ok(()),
            Event::RefusalsNotKept(NotKept { count, since }) => {
                let sound = *count > 0 && *since <= state.sequence;
                if sound { Ok(()) } else { Err(Now::Wrong("it tells nothing")) }
            }
            _ => Err(Now::Wrong("somebody must have asked for it")),
        }
    }

    /// Either its turn came, or a client acted on it after its deadline.
    fn check_expired(&self, state: &State, order: OrderId, stamp: Stamp) -> Result<(), Now> {
        let event = Event::OrderExpired(order);
        if sweep::expire(state, stamp).as_ref() == Some(&event) {
            return Ok(());
        }
        let request = Request {
            principal: Principal { name: PrincipalName::local(), reach: Reach::All },
            key: None,
            traceparent: None,
            command: Command::ActOnOrder(order, Action::Cancel),
        };
        match self.decide(state, &request, stamp)? {
            Decision::First(again) if again == event => Ok(()),
            other => Err(Now::Decided(Box::new(other))),
        }
    }

    /// A start gives all holds that fell due their grace before anything else happens.
    fn check_start(&mut self, state: &State, event: &Event, stamp: Stamp) -> Result<(), Now> {
        match event {
            Event::Started(_) => self.starting = Some(stamp),
            Event::SettingsChanged(_) | Event::HoldsGraced(_) => {}
            _ => {
                let missed = self.starting.take().map(|start| sweep::grace(state, start));
                if let Some(graced) = missed.and_then(|events| events.into_iter().next()) {
                    return Err(Now::Due(Some(Box::new(graced))));
                }
            }
        }
        Ok(())
    }
}

/// An adjustment to the number that is there was an event like any other once.
fn as_before(again: &Event, event: &Event) -> bool {
    matches!((again, event), (Event::AdjustmentRepeated(again), Event::SkuAdjusted(then)) if again == then)
}

/// An extension by little, which leaves the order as it is now, moved its deadline once.
fn extended_as_before(state: &State, again: &Decision, event: &Event, stamp: Stamp) -> bool {
    let Event::OrderExtended(OrderExtended { order, hold_ms, expires_at }) = event else {
        return false;
    };
    let leaves_it = match again {
        Decision::Answer(answered) => matches!(answered.answer, Answer::Order(_)),
        Decision::Change(Event::AnswerRepeated(repeated)) => repeated.order == *order,
        _ => false,
    };
    let found = state.orders.find(*order).filter(|_| leaves_it);
    found.map(|slot| &state.orders[slot]).is_some_and(|order| {
        order.expires_at < *expires_at && extended(state, order, *hold_ms, stamp) == *expires_at
    })
}

fn due(due: Option<Event>, event: &Event) -> Result<(), Now> {
    if due.as_ref() == Some(event) { Ok(()) } else { Err(Now::Due(due.map(Box::new))) }
}

/// What was asked for, as far as deciding goes; none for what no client can ask for.
#[must_use]
pub fn command_of(event: &Event) -> Option<Command> {
    let act = |order: OrderId, action| Some(Command::ActOnOrder(order, action));
    match event {
        Event::SkuPut(put) => Some(Command::PutSku(Box::new(PutSku {
            sku: put.sku.clone(),
            stock: put.stock,
            settings: put.settings.clone(),
            precondition: put.precondition.clone(),
        }))),
        Event::SkuPatched(patched) => Some(Command::PatchSku(Box::new(patched.patch.clone()))),
        Event::SkuAdjusted(adjusted) | Event::AdjustmentRepeated(adjusted) => {
            Some(Command::AdjustSku(Box::new(AdjustSku {
                sku: adjusted.sku.clone(),
                adjustment: adjusted.adjustment,
                reason: adjusted.reason.clone(),
                precondition: adjusted.precondition.clone(),
            })))
        }
        Event::SkuDeleted(deleted) => Some(Command::DeleteSku(Box::new(DeleteSku {
            sku: deleted.sku.clone(),
            precondition: deleted.precondition.clone(),
        }))),
        Event::OrderCreated(created) => Some(Command::CreateOrder(CreateOrder {
            user: created.user.clone(),
            lines: created.lines.clone(),
            reference: created.reference.clone(),
            take: created.take,
        })),
        // A hold is confirmed the same, whatever was to happen had it run out.
        Event::OrderConfirmed(order) => act(*order, Action::Confirm { reacquire: false }),
        Event::OrderReacquired(order) => act(*order, Action::Confirm { reacquire: true }),
        Event::OrderCancelled(order) => act(*order, Action::Cancel),
        Event::OrderExtended(extended) => act(extended.order, Action::Extend(extended.hold_ms)),
        Event::OrderShipped(order) => act(*order, Action::Ship),
        Event::OrderCompleted(order) => act(*order, Action::Complete),
        Event::OrderRefunded(refunded) => {
            let (lines, restock) = (refunded.lines.clone(), refunded.restock);
            act(refunded.order, Action::Refund(Refund { lines, restock }))
        }
        Event::AnswerRepeated(repeated) => act(repeated.order, repeated.action.clone()),
        Event::DrawPut(put) => Some(Command::PutDraw(Box::new(PutDraw {
            draw: put.draw.clone(),
            terms: put.terms.clone(),
            admission: put.admission,
            // A draw that exists has its own.
            seed: put.sealed.map_or(Seed([0; 32]), |sealed| sealed.seed),
            precondition: put.precondition.clone(),
        }))),
        Event::EntryMade(made) => Some(Command::EnterDraw(EnterDraw {
            draw: made.draw.clone(),
            user: made.user.clone(),
            client_seed: made.client_seed.clone(),
        })),
        Event::DrawClosed(draw) | Event::DrawCloseRepeated(draw) => {
            Some(Command::CloseDraw(draw.clone()))
        }
        Event::DrawDeleted(deleted) => Some(Command::DeleteDraw(Box::new(DeleteDraw {
            draw: deleted.draw.clone(),
            precondition: deleted.precondition.clone(),
        }))),
        _ => None,
    }
}

fn check_started(state: &State, started: &Started) -> Result<(), Now> {
    let lost = started.lost_from.is_none_or(|lost_from| {
        state.epoch > 0 && state.answers_before_sync && lost_from == state.sequence + 1
    });
    if started.epoch <= state.epoch {
        return Err(Now::Wrong("epochs grow"));
    }
    if started.life.is_some_and(|life| state.lives.has(life)) {
        return Err(Now::Wrong("no two starts have one life"));
    }
    if lost { Ok(()) } else { Err(Now::Wrong("no answer can have been lost there")) }
}

/// When the table is full, orders leave as soon as no key can name them.
fn may_leave_early(state: &State, orders: &[OrderId], stamp: Stamp) -> bool {
    let settings = &state.settings;
    let Some(until) = stamp.checked_sub(settings.idempotency_retain_ms) else { return false };
    let first_key = state.requests.first();
    let longest_untouched = || state.orders.by_touch().take(orders.len());
    state.orders.len() >= settings.caps.orders
        && !orders.is_empty()
        && longest_untouched().map(|order| &order.id).eq(orders)
        && longest_untouched()
            .all(|order| order.touched_at <= until && order.keys.end() <= first_key)
}

/// Refused requests leave no other trace, so only the form can be checked.
fn check_refusals(counts: &[RefusalCount]) -> Result<(), Now> {
    let key = |of: &RefusalCount| (of.sku.clone(), of.reason);
    let sorted = counts.windows(2).all(|pair| key(&pair[0]) < key(&pair[1]));
    let counted = !counts.is_empty() && counts.iter().all(|of| of.count > 0);
    if sorted && counted { Ok(()) } else { Err(Now::Wrong("refusals are counted once each")) }
}
