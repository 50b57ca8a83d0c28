//! Decides a journal again: does every command still come out as it was recorded?
//!
//! A replay only applies what was decided, so that old journals stay true when the rules change;
//! this asks the rules that are in force now. Owns the way back from a record to the request that
//! made it, and what must be true of the events that nobody asked for. Never writes, and changes no
//! state: it is shown each record before `apply` is. Next: `replay`, `domain::decide`,
//! `domain::sweep`.

use crate::domain::command::{
    Action, AdjustSku, Command, CreateOrder, DeleteDraw, DeleteSku, EnterDraw, Principal, PutDraw,
    PutSku, Reach, Refund, Request,
};
use crate::domain::decide::Decision;
use crate::domain::draw::Seed;
use crate::domain::event::{Event, Origin, Record, RefusalCount, Started};
use crate::domain::ids::{OrderId, PrincipalName, Sequence, Stamp};
use crate::domain::state::State;
use crate::domain::sweep;
use crate::replay::{From, Progress, ReplayError, Replayed, Until, replay_watched};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Differences that are kept whole; the others are only counted.
pub const DIFFERENCES_KEPT_MAX: usize = 20;

/// The rules to decide by: `domain::decide::decide`, or a changed one in a test.
pub type Rules = fn(&State, &Request, Stamp) -> Decision;

/// A record that would not be made now.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Which.
    pub sequence: Sequence,
    /// Its stamp.
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
    /// Deciding panics.
    Panicked,
    /// An event that nobody asked for should be this one, or none.
    Due(Option<Box<Event>>),
    /// What is wrong with it.
    Wrong(&'static str),
}

/// What was found so far.
#[derive(Debug)]
pub struct Recheck {
    rules: Rules,
    /// Records whose command was decided again.
    pub commands: u64,
    /// Records that nobody asked for, each checked as far as the state tells.
    pub unasked: u64,
    /// Records that would not be made now.
    pub different: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
    /// The stamp of the last start, while its first events come.
    starting: Option<Stamp>,
}

impl Recheck {
    /// Nothing was looked at yet.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        let differences = Vec::new();
        Self { rules, commands: 0, unasked: 0, different: 0, differences, starting: None }
    }

    /// Replays a data directory and looks at each record on the way. What was found until an error
    /// stays here.
    ///
    /// # Errors
    /// As [`crate::replay::replay`].
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
        let Err(now) = found.and(started) else { return };
        self.different += 1;
        if self.differences.len() < DIFFERENCES_KEPT_MAX {
            let sequence = state.sequence + 1;
            self.differences.push(Difference { sequence, stamp, recorded: record.clone(), now });
        }
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
            Decision::Change(again) if again == *event => Ok(()),
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
            _ => Err(Now::Wrong("somebody must have asked for it")),
        }
    }

    /// Either its turn came, or somebody acted on it after its deadline.
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

fn due(due: Option<Event>, event: &Event) -> Result<(), Now> {
    if due.as_ref() == Some(event) { Ok(()) } else { Err(Now::Due(due.map(Box::new))) }
}

/// What was asked for, as far as deciding goes; none for what nobody can ask for.
#[must_use]
pub fn command_of(event: &Event) -> Option<Command> {
    let act = |order: OrderId, action| Some(Command::ActOnOrder(order, action));
    match event {
        Event::SkuPut(put) => Some(Command::PutSku(Box::new(PutSku {
            sku: put.sku.clone(),
            stock: put.stock,
            settings: put.settings.clone(),
            precondition: put.precondition,
        }))),
        Event::SkuPatched(patched) => Some(Command::PatchSku(Box::new(patched.patch.clone()))),
        Event::SkuAdjusted(adjusted) => Some(Command::AdjustSku(Box::new(AdjustSku {
            sku: adjusted.sku.clone(),
            adjustment: adjusted.adjustment,
            reason: adjusted.reason.clone(),
            precondition: adjusted.precondition,
        }))),
        Event::SkuDeleted(deleted) => Some(Command::DeleteSku(Box::new(DeleteSku {
            sku: deleted.sku.clone(),
            precondition: deleted.precondition,
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
            precondition: put.precondition,
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
            precondition: deleted.precondition,
        }))),
        _ => None,
    }
}

fn check_started(state: &State, started: &Started) -> Result<(), Now> {
    let lost = started.lost_from.is_none_or(|lost_from| {
        state.epoch > 0 && state.answers_before_sync && lost_from == state.sequence + 1
    });
    match (started.epoch == state.epoch + 1, lost) {
        (true, true) => Ok(()),
        (false, _) => Err(Now::Wrong("epochs grow by one")),
        (_, false) => Err(Now::Wrong("no answer can have been lost there")),
    }
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
        && longest_untouched().all(|order| order.touched_at <= until && order.key_end <= first_key)
}

/// Refused requests leave no other trace, so only the form can be checked.
fn check_refusals(counts: &[RefusalCount]) -> Result<(), Now> {
    let key = |of: &RefusalCount| (of.sku.clone(), of.reason);
    let sorted = counts.windows(2).all(|pair| key(&pair[0]) < key(&pair[1]));
    let counted = !counts.is_empty() && counts.iter().all(|of| of.count > 0);
    if sorted && counted { Ok(()) } else { Err(Now::Wrong("refusals are counted once each")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::apply::apply;
    use crate::domain::command::{Precondition, SkuSettings, Take};
    use crate::domain::decide::decide;
    use crate::domain::draw::{Admission, Odds, Prize, Reason, Terms};
    use crate::domain::event::EntriesPurged;
    use crate::domain::ids::{DrawId, LineRequest, SkuId, UserId};
    use crate::domain::settings::Settings;

    const START: Stamp = 1_700_000_000_000;

    /// A history in memory; each record is looked at before it is applied.
    struct History {
        state: State,
        recheck: Recheck,
    }

    impl History {
        /// A start, a SKU with five units and a limit of two a user.
        fn begin(rules: Rules) -> Self {
            let mut history = Self { state: State::new(1), recheck: Recheck::new(rules) };
            let (hash_key, lost_from) = ([7; 16], None);
            let started = Started { epoch: 1, hash_key, answers_before_sync: false, lost_from };
            history.record(None, Event::Started(started), START);
            let settings = history.state.settings.clone();
            let settings = Settings { hold_ms_default: 1_000, ..settings };
            history.record(None, Event::SettingsChanged(Box::new(settings)), START);
            let settings = SkuSettings { per_user_limit: 2, ..SkuSettings::default() };
            let (sku, precondition) = (SkuId::parse("A").unwrap(), Precondition::None);
            let put = PutSku { sku, stock: 5, settings, precondition };
            history.ask(Command::PutSku(Box::new(put)), START);
            history
        }

        fn record(&mut self, origin: Option<Origin>, event: Event, stamp: Stamp) {
            let record = Record { origin, event };
            self.recheck.look(&self.state, &record, stamp);
            apply(&mut self.state, &record, stamp);
        }

        fn ask(&mut self, command: Command, stamp: Stamp) {
            let principal = Principal { name: PrincipalName::local(), reach: Reach::All };
            let request = Request { principal, key: None, traceparent: None, command };
            loop {
                match decide(&self.state, &request, stamp) {
                    Decision::First(event) => self.record(None, event, stamp),
                    Decision::Change(event) => return self.record(origin(), event, stamp),
                    Decision::Answer(_) => return,
                }
            }
        }

        fn order(&mut self, quantity: u32, stamp: Stamp) -> OrderId {
            let lines = [LineRequest { sku: SkuId::parse("A").unwrap(), quantity }];
            let (user, take) = (UserId::parse("u").unwrap(), Take::Hold(None));
            let create = CreateOrder { user, lines: lines.into(), reference: None, take };
            self.ask(Command::CreateOrder(create), stamp);
            OrderId { epoch: self.state.epoch, sequence: self.state.sequence }
        }
    }

    fn origin() -> Option<Origin> {
        let principal = PrincipalName::local();
        Some(Origin { principal, reach_all: true, key: None, traceparent: None })
    }

    /// An order that is confirmed, and one that runs out under a late confirmation.
    fn sale(rules: Rules) -> Recheck {
        let mut history = History::begin(rules);
        let (one, other) = (history.order(1, START + 1), history.order(1, START + 2));
        let confirm = Action::Confirm { reacquire: false };
        history.ask(Command::ActOnOrder(one, confirm.clone()), START + 3);
        history.ask(Command::ActOnOrder(other, confirm), START + 5_000);
        assert_eq!(history.state.sequence, 7);
        history.recheck
    }

    #[test]
    fn the_rules_that_decided_find_no_difference() {
        let found = sale(decide);
        assert_eq!((found.commands, found.unasked, found.different), (4, 3, 0));
    }

    #[test]
    fn a_changed_rule_is_found_where_it_decides_otherwise() {
        let found = sale(|state, request, now| decide(state, request, now + 1));
        assert_eq!(found.different, 2, "{:?}", found.differences);
        let first = &found.differences[0];
        assert_eq!((first.sequence, first.stamp), (4, START + 1));
        let Now::Decided(decision) = &first.now else { panic!("{first:?}") };
        let Decision::Change(Event::OrderCreated(again)) = &**decision else {
            panic!("{decision:?}");
        };
        assert_eq!(again.expires_at, Some(START + 1 + 1 + 1_000));
        // The hold that ran out in its turn is judged by the sweep.
        let found = sale(|state, request, now| match &request.command {
            Command::ActOnOrder(..) => panic!("no more"),
            _ => decide(state, request, now),
        });
        assert_eq!(found.different, 1);
        assert!(matches!(found.differences[0].now, Now::Panicked));
    }

    #[test]
    fn an_entry_is_rolled_again_from_the_seed_in_the_journal() {
        let mut history = History::begin(decide);
        let prize = Prize { sku: SkuId::parse("A").unwrap(), weight: 1 };
        let odds = Odds::new(vec![prize], 1).unwrap();
        let draw = DrawId::parse("d").unwrap();
        let put = PutDraw {
            draw: draw.clone(),
            terms: Terms { odds, hold_ms: None, sell: false },
            admission: Admission { entries_per_user: 0, opens_at: None, closes_at: None },
            seed: Seed([5; 32]),
            precondition: Precondition::None,
        };
        history.ask(Command::PutDraw(Box::new(put)), START);
        let mut made = None;
        for number in 0..8 {
            let user = UserId::parse(&format!("u{number}")).unwrap();
            let enter = EnterDraw { draw: draw.clone(), user, client_seed: None };
            let request = Request {
                principal: Principal { name: PrincipalName::local(), reach: Reach::All },
                key: None,
                traceparent: None,
                command: Command::EnterDraw(enter.clone()),
            };
            if let Decision::Change(Event::EntryMade(entry)) =
                decide(&history.state, &request, START)
                && entry.pick.is_some()
            {
                made = Some(entry);
            }
            if made.is_some() {
                break;
            }
            history.ask(Command::EnterDraw(enter), START);
        }
        assert_eq!(history.recheck.different, 0);
        // A win that an operator turned into a blank.
        let mut blank = made.expect("eight blanks at even odds are one in 256");
        (blank.pick, blank.reason, blank.expires_at) = (None, Reason::Blank, None);
        history.record(origin(), Event::EntryMade(blank), START);
        assert_eq!(history.recheck.different, 1);
        history.ask(Command::CloseDraw(draw.clone()), START);
        let (draw, precondition) = (draw, Precondition::None);
        history.ask(Command::DeleteDraw(Box::new(DeleteDraw { draw, precondition })), START);
        let purged = sweep::tidy(&history.state, START).expect("no key names an entry");
        history.record(None, purged, START);
        assert_eq!(history.recheck.different, 1);
        assert_eq!(history.state.draws.entries(), 0);
    }

    #[test]
    fn what_nobody_asked_for_must_be_due() {
        let mut history = History::begin(decide);
        let (one, _) = (history.order(1, START), history.order(1, START));
        let (hash_key, lost_from) = ([7; 16], Some(6));
        let started = Started { epoch: 2, hash_key, answers_before_sync: false, lost_from };
        let refused: Vec<Event> = vec![
            Event::OrderExpired(one),
            Event::OrdersArchived(vec![one]),
            Event::KeysForgotten(1),
            Event::RefusalsCounted(Vec::new()),
            Event::SettingsChanged(Box::new(history.state.settings.clone())),
            Event::OrderConfirmed(one),
            Event::EntriesPurged(EntriesPurged { created_sequence: 3, count: 1 }),
            Event::Started(started),
        ];
        for (before, event) in refused.into_iter().enumerate() {
            let record = Record { origin: None, event };
            history.recheck.look(&history.state, &record, START + 999);
            assert_eq!(history.recheck.different, before as u64 + 1, "{record:?}");
        }
        history.recheck.starting = Some(START + 5_000);
        let record = Record { origin: None, event: Event::OrderExpired(one) };
        history.recheck.look(&history.state, &record, START + 5_000);
        let last = history.recheck.differences.last().unwrap();
        let Now::Due(Some(due)) = &last.now else { panic!("{last:?}") };
        assert!(matches!(**due, Event::HoldsGraced(_)), "{last:?}");
    }
}
