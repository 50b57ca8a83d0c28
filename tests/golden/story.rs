//! What happened in the data directory of version 1, event by event: every kind of event there was
//! and, at the snapshot, every kind of row.
//!
//! Owns the events, as values: no rule decides them again, so a rule that changes changes nothing
//! here, and kinds of events that came later are none of this story. Next: `directory`, which
//! stores it.

use doorbuster::domain::model::command::{
    Action, Adjustment, Patch, PatchSku, Precondition, Refund, SkuChanges, SkuSettings, Take,
};
use doorbuster::domain::model::event::{
    AnswerRepeated, Event, HoldsGraced, OrderCreated, OrderExtended, OrderRefunded, Origin, Record,
    RefusalCount, SkuAdjusted, SkuDeleted, SkuPatched, SkuPut, Started, UsesPurged,
};
use doorbuster::domain::model::ids::{
    GroupId, KeyClaim, LineRequest, LineRequests, OrderId, PrincipalName, SkuId, Stamp,
    Traceparent, UserId,
};
use doorbuster::domain::model::lives::Life;
use doorbuster::domain::model::settings::Settings;
use doorbuster::domain::model::sku::RefusalReason;

/// 2025-06-15T15:06:40Z.
const START: Stamp = 1_750_000_000_000;
const HASH_KEY: [u8; 16] = *b"the key of tests";
/// Lines of the orders that fill the first segment.
const WIDE_LINES: u32 = 16;
/// So many of them, in turns of so many.
const WIDE_TURNS: u64 = 5;
const WIDE_ORDERS: u64 = 39;

/// What one turn appends, and what follows it.
pub(crate) struct Turn {
    pub(crate) epoch: u32,
    pub(crate) stamp: Stamp,
    pub(crate) records: Vec<Record>,
    pub(crate) then: Then,
}

/// What follows a turn, once it is synced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    Seal,
    Snapshot,
    /// The seal of an orderly stop.
    Stop,
}

/// What the two starts draw, where they draw anything.
pub(crate) const LIVES: [&str; 2] = ["7k3v9q2m", "zz0000ab"];

/// The same from when starts drew lives; nothing else of it is different.
pub(crate) fn tell_with_lives() -> Vec<Turn> {
    let mut turns = tell();
    for record in turns.iter_mut().flat_map(|turn| &mut turn.records) {
        if let Event::Started(started) = &mut record.event {
            started.life = Life::parse(LIVES[started.epoch as usize - 1]);
        }
    }
    turns
}

struct Story {
    turns: Vec<Turn>,
    sequence: u64,
    keys: u128,
}

/// All of it, from the first start to the second stop.
pub(crate) fn tell() -> Vec<Turn> {
    let mut story = Story { turns: Vec::new(), sequence: 0, keys: 0 };
    story.open();
    let gone = story.sell();
    story.act(gone);
    story.change_skus();
    let held = story.tidy(gone);
    story.come_back(held);
    story.turns
}

fn sku(id: &str) -> SkuId {
    SkuId::parse(id).expect("a SKU's id")
}

fn wide_sku(number: u32) -> SkuId {
    sku(&format!("wide-{number:02}-{}", "x".repeat(56)))
}

fn lines(of: &[(&str, u32)]) -> LineRequests {
    of.iter().map(|(id, quantity)| LineRequest { sku: sku(id), quantity: *quantity }).collect()
}

fn settings() -> Settings {
    let mut caps = Settings::default().caps;
    caps.skus = 64;
    caps.orders = 512;
    caps.keys = 256;
    caps.answers = 32;
    caps.uses = 512;
    caps.users = 128;
    Settings { hold_ms_default: 90_000, open_holds_per_user_max: 5, caps, ..Settings::default() }
}

fn furnished() -> SkuSettings {
    SkuSettings {
        per_user_limit: 2_000,
        limit_group: Some(GroupId::parse("pair").expect("a group's id")),
        opens_at: Some(START - 1),
        closes_at: Some(START + 10_000_000_000),
        hold_ms: Some(77_000),
        direct: true,
        ..SkuSettings::default()
    }
}

fn put(id: SkuId, stock: u64, settings: SkuSettings, precondition: Precondition) -> Event {
    let created = precondition != Precondition::Exists;
    Event::SkuPut(Box::new(SkuPut { sku: id, stock, settings, precondition, created }))
}

fn created(user: &str, lines: LineRequests, take: Take, expires_at: Option<Stamp>) -> Event {
    let user = UserId::parse(user).expect("a user's id");
    let reference = lines.get(1).map(|_| "shop-17 / \"two\"".into());
    Event::OrderCreated(OrderCreated { user, lines, reference, take, expires_at })
}

fn repeated(order: OrderId, action: Action) -> Event {
    Event::AnswerRepeated(Box::new(AnswerRepeated { order, action }))
}

impl Story {
    fn turn(&mut self, epoch: u32, after_ms: u64) {
        let stamp = START + after_ms;
        self.turns.push(Turn { epoch, stamp, records: Vec::new(), then: Then::Nothing });
    }

    fn then(&mut self, then: Then) {
        self.turns.last_mut().expect("a turn").then = then;
    }

    /// The next event; gives the id of the order that it makes, if it does.
    fn say(&mut self, origin: Option<Origin>, event: Event) -> OrderId {
        self.sequence += 1;
        let turn = self.turns.last_mut().expect("a turn");
        turn.records.push(Record { origin, event });
        OrderId { epoch: turn.epoch, sequence: self.sequence }
    }

    fn own(&mut self, event: Event) {
        self.say(None, event);
    }

    /// Asked for without a key.
    fn ask(&mut self, principal: &str, event: Event) -> OrderId {
        let principal = PrincipalName::parse(principal).expect("a name");
        let origin = Origin { principal, reach_all: true, key: None, traceparent: None };
        self.say(Some(origin), event)
    }

    /// Asked for under a new key, in a trace.
    fn ask_once(&mut self, event: Event) -> OrderId {
        self.keys += 1;
        let hash = self.keys.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        let traceparent = Traceparent { trace: [7; 16], parent: [8; 8], flags: 1 };
        let origin = Origin {
            principal: PrincipalName::parse("shop").expect("a name"),
            reach_all: false,
            key: Some(KeyClaim { hash, fingerprint: hash as u64 ^ 1 }),
            traceparent: Some(traceparent).filter(|_| self.keys.is_multiple_of(2)),
        };
        self.say(Some(origin), event)
    }

    /// The first start, and what is on sale.
    fn open(&mut self) {
        self.turn(1, 0);
        self.own(Event::Started(Started {
            epoch: 1,
            hash_key: HASH_KEY,
            answers_before_sync: false,
            lost_from: None,
            life: None,
        }));
        self.own(Event::SettingsChanged(Box::new(settings())));
        self.turn(1, 10);
        self.ask("boss", put(sku("A"), 5_000, furnished(), Precondition::Absent));
        self.ask("boss", put(sku("B"), 4, SkuSettings::default(), Precondition::None));
        for number in 0..WIDE_LINES {
            let settings = SkuSettings::default();
            self.ask("boss", put(wide_sku(number), 1_000_000, settings, Precondition::None));
        }
        self.then(Then::Seal);
    }

    /// Orders that will be gone at the snapshot; they are wide, and fill the first segment.
    fn sell(&mut self) -> u64 {
        let first = self.sequence + 1;
        for turn in 0..WIDE_TURNS {
            self.turn(1, 100 + turn);
            for order in 0..WIDE_ORDERS {
                let line = |number| LineRequest { sku: wide_sku(number), quantity: 1 + number };
                let lines = (0..WIDE_LINES).map(line).collect();
                let event = created(&format!("wide-{}", order % 3), lines, Take::Sell, None);
                match (turn, order) {
                    (0, 0) => self.ask_once(event),
                    _ => self.ask("shop", event),
                };
            }
        }
        first
    }

    /// Every action on orders.
    fn act(&mut self, first: u64) {
        assert_eq!(self.sequence + 1, first + WIDE_TURNS * WIDE_ORDERS);
        let until = |ms: u64| Some(START + 1_000 + ms);
        self.turn(1, 1_000);
        let hold = Take::Hold(Some(60_000));
        let sold = self.ask_once(created("ann", lines(&[("A", 2)]), hold, until(60_000)));
        let kept = created("bob", lines(&[("A", 1)]), Take::Hold(None), until(77_000));
        let kept = self.ask_once(kept);
        self.ask_once(created("cid", lines(&[("A", 1), ("B", 1)]), Take::Sell, None));
        let given_up = created("dan", lines(&[("B", 1)]), Take::Hold(None), until(90_000));
        let given_up = self.ask("shop", given_up);
        self.ask_once(Event::OrderConfirmed(sold));
        self.ask_once(repeated(sold, Action::Confirm { reacquire: true }));
        let extended = OrderExtended { order: kept, hold_ms: 80_000, expires_at: START + 81_000 };
        self.ask_once(Event::OrderExtended(extended));
        self.ask_once(repeated(kept, Action::Extend(3)));
        self.ask("shop", Event::OrderCancelled(given_up));
        self.ask_once(repeated(given_up, Action::Cancel));
        self.turn(1, 1_001);
        self.ask("desk", Event::OrderShipped(sold));
        self.ask_once(repeated(sold, Action::Ship));
        self.ask("desk", Event::OrderCompleted(sold));
        self.ask_once(repeated(sold, Action::Complete));
        let part = Refund { lines: lines(&[("A", 1)]), restock: false };
        let Refund { lines, restock } = part.clone();
        let refunded = OrderRefunded { order: sold, lines, restock };
        self.ask_once(Event::OrderRefunded(Box::new(refunded)));
        let rest = OrderRefunded { order: sold, lines: LineRequests::new(), restock: true };
        self.ask("desk", Event::OrderRefunded(Box::new(rest)));
        self.ask_once(repeated(sold, Action::Refund(part)));
        self.then(Then::Seal);
    }

    /// Every change of a SKU, and refusals for every reason.
    fn change_skus(&mut self) {
        self.turn(1, 2_000);
        let reasons = RefusalReason::ALL.into_iter().filter(|reason| *reason as u8 <= 5);
        let count = |reason| RefusalCount { sku: sku("A"), reason, count: 10 + reason as u64 };
        self.own(Event::RefusalsCounted(reasons.map(count).collect()));
        let changes = SkuChanges {
            per_user_limit: Patch::Set(1_000),
            limit_group: Patch::Reset,
            hold_ms: Patch::Keep,
            paused: Patch::Set(true),
            ..SkuChanges::default()
        };
        let settings = changes.over(&furnished());
        let precondition = Precondition::Version(Some(3));
        let patch = PatchSku { sku: sku("A"), changes, precondition };
        self.ask("boss", Event::SkuPatched(Box::new(SkuPatched { patch, settings })));
        let adjusted = SkuAdjusted {
            sku: sku("A"),
            adjustment: Adjustment::Delta(-5),
            reason: "damaged ✗".to_owned(),
            precondition: Precondition::None,
            total: 4_994,
        };
        self.ask_once(Event::SkuAdjusted(Box::new(adjusted)));
        let counted = SkuAdjusted {
            sku: sku("B"),
            adjustment: Adjustment::Stock(100),
            reason: "recount".to_owned(),
            precondition: Precondition::Version(Some(4)),
            total: 100,
        };
        self.ask("boss", Event::SkuAdjusted(Box::new(counted)));
        self.ask("boss", put(sku("A"), 6_000, furnished(), Precondition::Exists));
    }

    /// What leaves, and what runs out. The snapshot holds what stays. Gives the order that is held.
    fn tidy(&mut self, gone: u64) -> OrderId {
        self.turn(1, 200_000);
        let hold = Take::Hold(Some(1_000));
        let expires_at = Some(START + 201_000);
        let expired = self.ask("shop", created("eve", lines(&[("A", 1)]), hold, expires_at));
        let held = Take::Hold(Some(600_000));
        let expires_at = Some(START + 800_000);
        let held = self.ask_once(created("fay", lines(&[("A", 3)]), held, expires_at));
        self.turn(1, 201_000);
        self.own(Event::OrderExpired(expired));
        self.ask("shop", Event::OrderReacquired(expired));
        self.own(Event::KeysForgotten(1));
        let wide = (gone..gone + WIDE_TURNS * WIDE_ORDERS - 1)
            .map(|sequence| OrderId { epoch: 1, sequence });
        self.own(Event::OrdersArchived(wide.collect()));
        let precondition = Precondition::Exists;
        self.ask("boss", Event::SkuDeleted(SkuDeleted { sku: sku("B"), precondition }));
        self.own(Event::UsesPurged(UsesPurged { created_sequence: 4, count: 1 }));
        self.ask("boss", put(sku("B"), 7, SkuSettings::default(), Precondition::None));
        self.then(Then::Snapshot);
        held
    }

    /// What a start would read behind the snapshot.
    fn come_back(&mut self, held: OrderId) {
        self.turn(1, 201_500);
        self.ask_once(created("gus", lines(&[("B", 2)]), Take::Sell, None));
        let lost_from = Some(self.sequence + 1);
        self.turn(2, 900_000);
        self.own(Event::Started(Started {
            epoch: 2,
            hash_key: HASH_KEY,
            answers_before_sync: true,
            lost_from,
            life: None,
        }));
        let orders = vec![held];
        self.own(Event::HoldsGraced(HoldsGraced { orders, expires_at: START + 960_000 }));
        self.turn(2, 900_001);
        self.ask_once(Event::OrderConfirmed(held));
        self.then(Then::Stop);
    }
}
