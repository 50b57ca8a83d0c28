//! Whatever the edge refuses, the writer would refuse alike: random sales, turn by turn, and after
//! each turn random orders at the door, each held against `decide` at the latest and the earliest
//! stamp that it may have by then.

use super::*;
use crate::domain::model::answer::{Answer, Refusal};
use crate::domain::model::command::{
    Action, AdjustSku, Adjustment, Command, CreateOrder, DeleteSku, EnterDraw, Precondition,
    Principal, PutDraw, PutSku, Reach, Refund, Request, Take,
};
use crate::domain::model::draw::{Admission, Odds, Prize, Seed, Terms};
use crate::domain::model::event::{Origin, Started};
use crate::domain::model::ids::{GroupId, KeyClaim, LineRequest, PrincipalName, UserId};
use crate::domain::model::settings::{Caps, Settings};
use crate::domain::rules::apply::apply;
use crate::domain::rules::decide::{Decision, decide};
use crate::domain::rules::sweep;
use crate::edge::SoldOutCheck;
use crate::ring::NO_COPIES;
use doorbuster_test_support::random::Random;

/// Refusals at the door of one run; `DOORBUSTER_EDGE_REFUSALS` asks for another number.
const REFUSALS: u64 = 1_000_000;
/// Orders at the door after each turn.
const ASKED_A_TURN: u64 = 400;
const SKUS: u64 = 12;
const USERS: u64 = 400;
const BASE: Stamp = 1_700_000_000_000;

/// A value once in so many times.
fn sometimes<T>(
    random: &mut Random,
    times: u64,
    value: impl FnOnce(&mut Random) -> T,
) -> Option<T> {
    random.once_in(times).then(|| value(random))
}

struct World {
    state: State,
    showing: EdgeUpdates,
    door: SoldOutCheck,
    random: Random,
    moment: Moment,
    /// Keyed requests that were taken, and the orders they made.
    given: Vec<Request>,
    orders: Vec<OrderId>,
    refused: u64,
    /// Retries of winners that the door let through, as it must.
    retried: u64,
    forgotten: u64,
}

fn sku(number: u64) -> SkuId {
    SkuId::parse(&format!("sku-{number}")).unwrap()
}

fn request(command: Command, key: Option<KeyClaim>) -> Request {
    let principal = Principal { name: PrincipalName::local(), reach: Reach::All };
    Request { principal, key, traceparent: None, command }
}

impl World {
    fn new(seed: u64) -> Self {
        let edge = Edge::default();
        let mut world = Self {
            state: State::new(seed),
            showing: EdgeUpdates::at(&edge),
            door: SoldOutCheck::of(&edge),
            random: Random::new(seed),
            moment: Moment { now: BASE, elapsed_ms: 5 },
            given: Vec::new(),
            orders: Vec::new(),
            refused: 0,
            retried: 0,
            forgotten: 0,
        };
        let caps =
            Caps { orders: 4_000, keys: 4_000, uses: 4_000, users: 4_000, ..Caps::default() };
        let settings = Settings {
            hold_ms_default: 2_000,
            open_holds_per_user_max: 2,
            idempotency_retain_ms: 20_000,
            orders_retain_ms: 30_000,
            caps: Caps { skus: 1_000, answers: 4_000, draws: 1_000, entries: 100_000, ..caps },
            ..Settings::default()
        };
        let (hash_key, lost_from, life) = ([7; 16], None, None);
        let started = Started { epoch: 1, hash_key, answers_before_sync: false, lost_from, life };
        world.record(None, Event::Started(started));
        world.record(None, Event::SettingsChanged(Box::new(settings)));
        world.showing.show_all(&world.state, world.moment);
        world
    }

    fn record(&mut self, origin: Option<Origin>, event: Event) {
        let record = Record { origin, event };
        apply(&mut self.state, &record, self.moment.now);
        if let Event::KeysForgotten(count) = record.event {
            self.forgotten += u64::from(count);
        }
        self.showing.note(&self.state, &record);
    }

    fn change(&mut self, request: Request) {
        loop {
            match decide(&self.state, &request, self.moment.now) {
                Decision::First(event) => self.record(None, event),
                Decision::Answer(_) => return,
                Decision::Change(event) => {
                    let origin = Origin {
                        principal: request.principal.name.clone(),
                        reach_all: true,
                        key: if event.remembers() { request.key } else { None },
                        traceparent: None,
                    };
                    self.record(Some(origin), event);
                    let order = OrderId { epoch: 1, sequence: self.state.sequence };
                    self.orders.extend(self.state.orders.find(order).map(|_| order));
                    self.given.extend(request.key.map(|_| request.clone()));
                    return;
                }
            }
        }
    }

    /// Time passes by both clocks, whose speeds differ by a sixteenth at most.
    fn pass(&mut self, stamp_ms: u64) {
        let speed = 15 + self.random.below(3);
        self.moment.now += stamp_ms;
        self.moment.elapsed_ms += stamp_ms * 16 / speed;
    }

    fn turn(&mut self) {
        let passed_max = if self.random.once_in(8) { 2_000 } else { 50 };
        let passed = self.random.below(passed_max);
        self.pass(passed);
        while let Some(event) = sweep::expire(&self.state, self.moment.now) {
            self.record(None, event);
        }
        if let Some(event) = sweep::tidy(&self.state, self.moment.now) {
            self.record(None, event);
        }
        for _ in 0..self.random.below(6) {
            let command = self.command();
            let key = self.key();
            self.change(request(command, Some(key)));
        }
        self.showing.end_turn(&self.state, self.moment);
        let (given, orders) = (self.given.len(), self.orders.len());
        self.given.drain(..given.saturating_sub(500));
        self.orders.drain(..orders.saturating_sub(500));
    }

    fn key(&mut self) -> KeyClaim {
        let (upper, lower) = (self.random.next(), self.random.next());
        KeyClaim { hash: u128::from(upper) << 64 | u128::from(lower), fingerprint: 1 }
    }

    fn some_order(&mut self) -> Option<OrderId> {
        let at = self.random.below(self.orders.len().max(1) as u64);
        self.orders.get(at as usize).copied()
    }

    fn command(&mut self) -> Command {
        let sku = sku(self.random.below(SKUS));
        let precondition = Precondition::Exists;
        let act = |order, action| Command::ActOnOrder(order, action);
        let draw = DrawId::parse(&format!("draw-{}", self.random.below(4))).unwrap();
        match (self.random.below(24), self.some_order()) {
            (0..=1, _) => {
                let settings = self.settings();
                let known = self.state.skus.find(&sku).is_some();
                let precondition = if known { precondition } else { Precondition::None };
                let stock = self.random.below(4);
                Command::PutSku(Box::new(PutSku { sku, stock, settings, precondition }))
            }
            (2, _) if self.random.once_in(4) => {
                Command::DeleteSku(Box::new(DeleteSku { sku, precondition }))
            }
            (3, _) => {
                let delta = if self.random.once_in(2) { 1 } else { -1 };
                let (adjustment, reason) = (Adjustment::Delta(delta), "count".to_owned());
                let adjust = AdjustSku { sku, adjustment, reason, precondition };
                Command::AdjustSku(Box::new(adjust))
            }
            (4..=7, Some(order)) => {
                act(order, Action::Confirm { reacquire: self.random.once_in(2) })
            }
            (8..=9, Some(order)) => act(order, Action::Cancel),
            (10, Some(order)) => act(order, Action::Extend(1 + self.random.below(4_000))),
            (11, Some(order)) => {
                let restock = self.random.once_in(2);
                act(order, Action::Refund(Refund { lines: Default::default(), restock }))
            }
            (12, _) if self.random.once_in(6) => self.put_draw(draw),
            (13, _) if self.random.once_in(2) => Command::CloseDraw(draw),
            (14..=15, _) => {
                let user = self.user();
                Command::EnterDraw(EnterDraw { draw, user, client_seed: None })
            }
            _ => Command::CreateOrder(self.order()),
        }
    }

    fn settings(&mut self) -> SkuSettings {
        let now = self.moment.now;
        let near = move |random: &mut Random| now + random.below(8_000) - 4_000;
        SkuSettings {
            per_user_limit: sometimes(&mut self.random, 2, |random| 1 + random.below(2))
                .unwrap_or(0),
            limit_group: sometimes(&mut self.random, 3, |_| GroupId::parse("group").unwrap()),
            opens_at: sometimes(&mut self.random, 5, near),
            closes_at: sometimes(&mut self.random, 5, near),
            hold_ms: sometimes(&mut self.random, 3, |random| 1 + random.below(5_000)),
            paused: self.random.once_in(10),
            direct: self.random.once_in(2),
        }
    }

    fn put_draw(&mut self, draw: DrawId) -> Command {
        let prize = |sku| Prize { sku, weight: 1 };
        let odds = Odds::new(vec![prize(sku(self.random.below(SKUS)))], 1).unwrap();
        Command::PutDraw(Box::new(PutDraw {
            draw,
            terms: Terms { odds, hold_ms: None, sell: self.random.once_in(2) },
            admission: Admission { entries_per_user: 0, opens_at: None, closes_at: None },
            seed: Seed([3; 32]),
            precondition: Precondition::None,
        }))
    }

    fn user(&mut self) -> UserId {
        UserId::parse(&format!("user-{}", self.random.below(USERS))).unwrap()
    }

    fn order(&mut self) -> CreateOrder {
        let take = match self.random.below(3) {
            0 => Take::Sell,
            1 => Take::Hold(None),
            _ => Take::Hold(Some(1 + self.random.below(3_000))),
        };
        let mut lines: Vec<LineRequest> = Vec::new();
        let line_count = if self.random.once_in(8) { 2 } else { 1 };
        while lines.len() < line_count {
            let line = LineRequest {
                sku: sku(self.random.below(SKUS)),
                quantity: 1 + self.random.below(3) as u32,
            };
            if lines.iter().all(|other| other.sku != line.sku) {
                lines.push(line);
            }
        }
        CreateOrder { user: self.user(), lines: lines.into(), reference: None, take }
    }

    /// One order comes to the door, some time after the turn.
    fn ask(&mut self) {
        let retried = self.random.once_in(3);
        let at = self.random.below(self.given.len().max(1) as u64) as usize;
        let asked = match self.given.get(at).filter(|_| retried) {
            // A retry, or a key that is used for something else.
            Some(given) if self.random.once_in(2) => given.clone(),
            Some(given) => {
                let claim = given.key.map(|claim| KeyClaim { fingerprint: 2, ..claim });
                request(Command::CreateOrder(self.order()), claim)
            }
            None => {
                let key = self.key();
                request(Command::CreateOrder(self.order()), Some(key))
            }
        };
        let passed = if self.random.once_in(2) { 0 } else { self.random.below(6_000) };
        let elapsed_ms = self.moment.elapsed_ms + passed;
        let Some(found) = self.door.refusal(&asked, NO_COPIES, |_| false, || elapsed_ms) else {
            let key = asked.key.expect("all have one").hash;
            self.retried += u64::from(retried && self.state.requests.find(key).is_some());
            return;
        };
        self.refused += 1;
        let Command::CreateOrder(order) = &asked.command else { panic!("{asked:?} at the door") };
        assert!(found.sequence <= self.state.sequence, "only what is published is told");
        for speed in [15, 17] {
            // The stamp is told in whole milliseconds.
            let now = self.moment.now + passed * speed / 16 + u64::from(speed > 16);
            let decision = decide(&self.state, &asked, now);
            let Decision::Answer(answered) = &decision else { panic!("{asked:?}: {decision:?}") };
            let Answer::Refused(Refusal::SoldOut(lines)) = &answered.answer else {
                panic!("{asked:?} is refused as {found:?} at {now}, but {decision:?}")
            };
            let [line] = lines.as_slice() else { panic!("{lines:?}") };
            assert_eq!(line.sku, order.lines[0].sku);
            assert_eq!((line.available, line.held), (0, found.held), "{decision:?}");
            let slot = self.state.skus.find(&line.sku).expect("it is there");
            assert_eq!(self.state.skus[slot].created_sequence, found.created);
        }
    }
}

#[test]
fn whatever_the_edge_refuses_the_writer_would_refuse_alike() {
    let wanted = std::env::var("DOORBUSTER_EDGE_REFUSALS").ok();
    let wanted = wanted.map_or(REFUSALS, |text| text.parse().expect("a number of refusals"));
    let (mut refused, mut seed) = (0, 1);
    while refused < wanted {
        let mut world = World::new(seed);
        for _ in 0..500 {
            world.turn();
            (0..ASKED_A_TURN).for_each(|_| world.ask());
        }
        assert!(world.refused > 10_000, "the edge refuses: {} with seed {seed}", world.refused);
        assert!(
            world.retried > 5_000 && world.forgotten > 100,
            "keys come again and are forgotten"
        );
        (refused, seed) = (refused + world.refused, seed + 1);
    }
}

/// A refusal is given only while both edges of the window are over a second away.
#[test]
fn a_refusal_is_given_only_far_from_the_windows_edges() {
    let moment = Moment { now: 100_000, elapsed_ms: 10_000 };
    let check = |opens_at, closes_at, expected: Option<(u64, u64)>| {
        let settings = SkuSettings { opens_at, closes_at, ..SkuSettings::default() };
        assert_eq!(open_between(&settings, moment), expected, "{settings:?}");
    };
    check(None, None, Some((0, u64::MAX)));
    check(Some(98_999), None, Some((0, u64::MAX)));
    check(Some(99_000), None, Some((10_002, u64::MAX)));
    check(Some(115_999), None, Some((10_001 + 17_000 * 9 / 8, u64::MAX)));
    check(None, Some(101_000), Some((0, 10_000)));
    check(None, Some(100_999), None);
    check(None, Some(117_000), Some((0, 25_000)));
}
