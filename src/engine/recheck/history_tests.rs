//! Histories in memory, looked at record by record: those that the rules make, and those that no
//! writer can have made. Next: `replay --recheck` in the tests of `doorbusterctl`, on directories.

use super::*;
use crate::domain::model::command::{Precondition, SkuSettings, Take};
use crate::domain::model::draw::{Admission, Odds, Prize, Reason, Terms};
use crate::domain::model::event::{EntriesPurged, HoldsGraced, UsesPurged};
use crate::domain::model::ids::{DrawId, KeyClaim, LineRequest, SkuId, UserId};
use crate::domain::model::settings::Settings;
use crate::domain::model::sku::RefusalReason;
use crate::domain::rules::apply::apply;
use crate::domain::rules::decide::decide;

pub(super) const START: Stamp = 1_700_000_000_000;

/// A history in memory; each record is looked at before it is applied.
pub(super) struct History {
    pub(super) state: State,
    pub(super) recheck: Recheck,
}

impl History {
    /// A start, a SKU with five units and a limit of two a user.
    pub(super) fn begin(rules: DecideRule) -> Self {
        let mut history = Self { state: State::new(1), recheck: Recheck::new(rules) };
        let (hash_key, lost_from, life) = ([7; 16], None, None);
        let started = Started { epoch: 1, hash_key, answers_before_sync: false, lost_from, life };
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

    pub(super) fn record(&mut self, origin: Option<Origin>, event: Event, stamp: Stamp) {
        let record = Record { origin, event };
        self.recheck.look(&self.state, &record, stamp);
        apply(&mut self.state, &record, stamp);
    }

    pub(super) fn ask(&mut self, command: Command, stamp: Stamp) {
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
        self.order_of("u", quantity, stamp)
    }

    pub(super) fn order_of(&mut self, user: &str, quantity: u32, stamp: Stamp) -> OrderId {
        let lines = [LineRequest { sku: SkuId::parse("A").unwrap(), quantity }];
        let (user, take) = (UserId::parse(user).unwrap(), Take::Hold(None));
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
fn sale(rules: DecideRule) -> Recheck {
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
        if let Decision::Change(Event::EntryMade(entry)) = decide(&history.state, &request, START)
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
    // Closed again, it is remembered for a key and for nothing else.
    let repeated = || Event::DrawCloseRepeated(draw.clone());
    let key = Some(KeyClaim { hash: 1, fingerprint: 1 });
    let keyed = origin().map(|origin| Origin { key, ..origin });
    assert_eq!(history.said(keyed, repeated(), START), None);
    assert!(history.said(origin(), repeated(), START).is_some());
    let (draw, precondition) = (draw, Precondition::None);
    history.ask(Command::DeleteDraw(Box::new(DeleteDraw { draw, precondition })), START);
    let purged = sweep::tidy(&history.state, START).expect("no key names an entry");
    history.record(None, purged, START);
    assert_eq!(history.recheck.different, 2);
    assert_eq!(history.state.draws.entries(), 0);
}

impl History {
    /// What is said of a record that comes next and is not applied; none where it may come.
    fn said(&mut self, origin: Option<Origin>, event: Event, stamp: Stamp) -> Option<String> {
        let (before, kept) = (self.recheck.different, self.recheck.differences.len());
        self.recheck.look(&self.state, &Record { origin, event: event.clone() }, stamp);
        let different = self.recheck.different - before;
        assert_eq!(different, (self.recheck.differences.len() - kept) as u64, "all are kept");
        let found = self.recheck.differences.get(kept)?;
        assert_eq!((found.sequence, found.stamp), (self.state.sequence + 1, stamp));
        assert_eq!(found.recorded.event, event);
        Some(match &found.now {
            Now::Wrong(why) => (*why).to_owned(),
            Now::Due(None) => "not due".to_owned(),
            Now::Due(Some(due)) => format!("due: {due:?}"),
            Now::Decided(decision) => format!("{decision:?}"),
            Now::Panicked => "panicked".to_owned(),
            Now::Stood(units) => format!("stood {units:?}"),
        })
    }

    fn unasked(&mut self, event: Event, stamp: Stamp) -> Option<String> {
        self.said(None, event, stamp)
    }

    fn start(&self, epoch: u32, lost_from: Option<Sequence>) -> Event {
        let (hash_key, life) = ([7; 16], None);
        Event::Started(Started { epoch, hash_key, answers_before_sync: true, lost_from, life })
    }

    fn change_settings(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.state.settings.clone();
        change(&mut settings);
        self.record(None, Event::SettingsChanged(Box::new(settings)), START);
    }
}

fn said(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// What moved a deadline by little, and would leave it now, is no difference; all else about it is.
#[test]
fn an_extension_by_little_was_an_event_once() {
    let mut history = History::begin(decide);
    let order = history.order(1, START);
    let extended = |hold_ms, moved_ms| {
        let expires_at = START + 1_000 + moved_ms;
        Event::OrderExtended(OrderExtended { order, hold_ms, expires_at })
    };
    let key = Some(KeyClaim { hash: 1, fingerprint: 1 });
    let keyed = || origin().map(|origin| Origin { key, ..origin });
    let name = PrincipalName::parse("other").unwrap();
    let other = origin().map(|origin| Origin { principal: name, reach_all: false, ..origin });
    assert_eq!(history.said(origin(), extended(1_000, 9), START + 9), None);
    assert_eq!(history.said(keyed(), extended(1_000, 9), START + 9), None);
    for (origin, event, stamp) in [
        (origin(), extended(1_000, 10), START + 9),
        (origin(), extended(1_000, 8), START + 9),
        (origin(), extended(1_000, 0), START),
        (keyed(), extended(1_000, 0), START),
        (origin(), extended(1_000, 1_000), START + 1_000),
        (other, extended(1_000, 9), START + 9),
    ] {
        assert!(history.said(origin, event.clone(), stamp).is_some(), "{event:?} at {stamp}");
    }
    assert_eq!(history.said(origin(), extended(1_000, 100), START + 100), None, "it moves enough");
}

#[test]
fn what_nobody_can_ask_for_and_what_somebody_must_are_told() {
    let mut history = History::begin(decide);
    let order = history.order(1, START);
    for event in [Event::KeysForgotten(1), history.start(2, None), Event::OrderExpired(order)] {
        assert_eq!(history.said(origin(), event, START), said("nobody can ask for it"));
    }
    let deleted = DrawId::parse("d").unwrap();
    for event in [Event::OrderConfirmed(order), Event::DrawClosed(deleted)] {
        assert_eq!(history.unasked(event, START), said("somebody must have asked for it"));
    }
    let same = Event::SettingsChanged(Box::new(history.state.settings.clone()));
    assert_eq!(history.unasked(same, START), said("it changes nothing"));
}

#[test]
fn epochs_grow_and_lose_only_what_a_mode_may_lose() {
    let mut history = History::begin(decide);
    let next = history.state.sequence + 1;
    for epoch in [0, 1] {
        let again = history.start(epoch, None);
        assert_eq!(history.unasked(again, START), said("epochs grow"));
    }
    let lost = "no answer can have been lost there";
    // Its answers waited for the sync.
    let start = history.start(2, Some(next));
    assert_eq!(history.unasked(start, START), said(lost));
    // From here on they do not.
    let start = history.start(2, None);
    history.record(None, start, START);
    let next = history.state.sequence + 1;
    for (lost_from, expected) in [
        (None, None),
        (Some(next), None),
        (Some(next - 1), said(lost)),
        (Some(next + 1), said(lost)),
    ] {
        // Epochs that were granted and never wrote are missing.
        let start = history.start(5, lost_from);
        assert_eq!(history.unasked(start, START), expected, "{lost_from:?}");
    }
    let mut nothing = History { state: State::new(1), recheck: Recheck::new(decide) };
    let start = nothing.start(1, Some(1));
    assert_eq!(nothing.unasked(start, START), said(lost));
}

#[test]
fn a_hold_expires_when_it_is_due_and_no_other_before_it() {
    let mut history = History::begin(decide);
    let (one, other) = (history.order(1, START), history.order(1, START + 5));
    let early = history.unasked(Event::OrderExpired(one), START + 999).expect("it is not due");
    assert_eq!(early, format!("{:?}", Decision::Change(Event::OrderCancelled(one))));
    assert_eq!(history.unasked(Event::OrderExpired(one), START + 1_000), None);
    // Somebody may have acted on the second before its turn came.
    assert_eq!(history.unasked(Event::OrderExpired(other), START + 1_004), {
        said(&format!("{:?}", Decision::Change(Event::OrderCancelled(other))))
    });
    assert_eq!(history.unasked(Event::OrderExpired(other), START + 1_005), None);
    history.recheck.rules = |_, _, _| panic!("no more");
    assert_eq!(history.unasked(Event::OrderExpired(one), START + 999), said("panicked"));
}

/// Grace is given at a start to all that is due and before anything else.
#[test]
fn grace_is_given_first_and_to_all_that_is_due() {
    let mut history = History::begin(decide);
    let (one, later) = (history.order(1, START), START + 5_000);
    let graced = |orders| {
        let expires_at = later + Settings::default().recovery_grace_ms;
        Event::HoldsGraced(HoldsGraced { orders, expires_at })
    };
    // The start of `begin` is over: an order was made since.
    let outside = history.unasked(graced(vec![one]), later);
    assert_eq!(outside, said("grace is given at a start only"));
    let start = history.start(2, None);
    history.record(None, start, later);
    let due = said(&format!("due: {:?}", graced(vec![one])));
    assert_eq!(history.unasked(graced(vec![]), later), due);
    assert_eq!(history.unasked(graced(vec![one]), later), None);
    assert_eq!(history.unasked(Event::OrderExpired(one), later), due);
    // The start is over with that, and it is told once.
    assert_eq!(history.unasked(Event::OrderExpired(one), later), None);
}

#[test]
fn orders_leave_early_only_from_a_full_table_and_oldest_first() {
    let mut history = History::begin(decide);
    history.change_settings(|settings| {
        (settings.caps.orders, settings.idempotency_retain_ms) = (2, 100);
    });
    let confirm = Action::Confirm { reacquire: false };
    let one = history.order(1, START);
    history.ask(Command::ActOnOrder(one, confirm.clone()), START);
    let archived = |orders: &[OrderId]| Event::OrdersArchived(orders.to_vec());
    let not_due = said("not due");
    assert_eq!(history.unasked(archived(&[one]), START + 100), not_due, "there is room");
    let other = history.order(1, START + 10);
    history.ask(Command::ActOnOrder(other, confirm), START + 10);
    for (orders, stamp, expected) in [
        (&[one][..], START + 100, None),
        (&[one, other], START + 110, None),
        (&[one], START + 99, not_due.clone()),
        (&[one], 99, not_due.clone()),
        (&[one, other], START + 109, not_due.clone()),
        (&[other], START + 110, not_due.clone()),
        (&[other, one], START + 110, not_due.clone()),
        (&[], START + 110, not_due.clone()),
    ] {
        assert_eq!(history.unasked(archived(orders), stamp), expected, "{orders:?} at {stamp}");
    }
}

#[test]
fn refusals_are_counted_in_order_and_once_each() {
    let mut history = History::begin(decide);
    let count =
        |sku: &str, reason, count| RefusalCount { sku: SkuId::parse(sku).unwrap(), reason, count };
    let (sold_out, paused) = (RefusalReason::SoldOut, RefusalReason::Paused);
    let (first, last) = if sold_out < paused { (sold_out, paused) } else { (paused, sold_out) };
    let sound = vec![count("A", first, 1), count("A", last, 1), count("B", first, 9)];
    assert_eq!(history.unasked(Event::RefusalsCounted(sound), START), None);
    for counts in [
        vec![],
        vec![count("A", first, 0)],
        vec![count("A", first, 1), count("A", first, 1)],
        vec![count("A", last, 1), count("A", first, 1)],
        vec![count("B", first, 1), count("A", last, 1)],
    ] {
        let told = history.unasked(Event::RefusalsCounted(counts), START);
        assert_eq!(told, said("refusals are counted once each"));
    }
}

#[test]
fn what_is_tidied_must_be_due_and_as_much_as_that() {
    let mut history = History::begin(decide);
    let one = history.order(1, START);
    let purged = UsesPurged { created_sequence: 3, count: 1 };
    let entries = EntriesPurged { created_sequence: 3, count: 1 };
    for event in [
        Event::KeysForgotten(1),
        Event::OrdersArchived(vec![one]),
        Event::UsesPurged(purged),
        Event::EntriesPurged(entries),
    ] {
        assert_eq!(history.unasked(event, START + 999), said("not due"));
    }
}

#[test]
fn differences_beyond_those_that_are_kept_are_counted() {
    let mut history = History::begin(decide);
    let many = DIFFERENCES_KEPT_MAX as u64 + 5;
    for _ in 0..many {
        let record = Record { origin: None, event: Event::KeysForgotten(1) };
        history.recheck.look(&history.state, &record, START);
    }
    let found = (history.recheck.different, history.recheck.differences.len());
    assert_eq!(found, (many, DIFFERENCES_KEPT_MAX));
    assert_eq!(history.recheck.unasked, many + 2, "two came before");
}
