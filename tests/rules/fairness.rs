//! A draw of a hundred thousand entries: no prize beyond its stock, nobody beyond his entries,
//! every pick what the contract's words say it is, and frequencies that chance explains. Seeds are
//! fixed, so the outcome is, too. Next: `property`.

use crate::draw_words::draw_id;
use crate::harness::claim;
use crate::wording::{sku_id, user_id};
use doorbuster::domain::model::answer::{Answer, EntryView};
use doorbuster::domain::model::command::{
    Command, EnterDraw, Precondition, Principal, PutDraw, PutSku, Reach, Request, SkuSettings,
};
use doorbuster::domain::model::draw::{Admission, Odds, Prize, Reason, Seed, Terms};
use doorbuster::domain::model::event::{Event, Origin, Record, Started};
use doorbuster::domain::model::ids::PrincipalName;
use doorbuster::domain::model::settings::Settings;
use doorbuster::domain::rules::apply::apply;
use doorbuster::domain::rules::decide::{Decision, decide};
use doorbuster::domain::rules::read::answer_to;
use doorbuster::domain::state::invariants;
use doorbuster::domain::state::tables::State;
use doorbuster_witness::chance;
use std::collections::BTreeMap;

const ENTRIES: u64 = 100_000;
const PER_USER: u64 = 3;
/// Each user tries once more than he may.
const USERS: u64 = ENTRIES / PER_USER;
const PRIZES: [(&str, u64, u64); 3] =
    [("phone", 10, 1), ("ticket", 500, 30), ("coupon", 9_000, 99)];
const BLANK_WEIGHT: u64 = 870;

struct Sale {
    state: State,
    principal: Principal,
}

impl Sale {
    fn apply(&mut self, origin: Option<Origin>, event: Event) {
        apply(&mut self.state, &Record { origin, event }, 1_000);
    }

    fn ask(&mut self, key: Option<u64>, command: Command) -> Answer {
        let name = self.principal.name.clone();
        let key = key.map(|key| claim(name.as_str(), &key.to_string(), &command));
        let principal = self.principal.clone();
        let request = Request { principal, key, traceparent: None, command };
        match decide(&self.state, &request, 1_000) {
            Decision::Change(event) => {
                let origin = Origin { principal: name, reach_all: true, key, traceparent: None };
                self.apply(Some(origin), event.clone());
                answer_to(&self.state, &event).answer
            }
            Decision::Answer(answered) => answered.answer,
            Decision::First(event) => panic!("{event:?} is not due"),
        }
    }

    fn begin(seed: [u8; 32]) -> Self {
        let principal = Principal { name: PrincipalName::local(), reach: Reach::All };
        let mut sale = Self { state: State::new(1), principal };
        let (hash_key, lost_from, life) = ([7; 16], None, None);
        let started = Started { epoch: 1, hash_key, answers_before_sync: false, lost_from, life };
        sale.apply(None, Event::Started(started));
        let mut settings = Settings::default();
        settings.caps.orders = 200_000;
        settings.caps.keys = 200_000;
        settings.caps.users = 200_000;
        settings.caps.uses = 200_000;
        settings.caps.entries = 200_000;
        sale.apply(None, Event::SettingsChanged(Box::new(settings)));
        for (sku, stock, _) in PRIZES {
            let (sku, precondition) = (sku_id(sku), Precondition::None);
            let settings = SkuSettings::default();
            sale.ask(
                None,
                Command::PutSku(Box::new(PutSku { sku, stock, settings, precondition })),
            );
        }
        let prize = |(sku, _, weight): (&str, u64, u64)| Prize { sku: sku_id(sku), weight };
        let odds = Odds::new(PRIZES.map(prize).to_vec(), BLANK_WEIGHT).unwrap();
        let put = PutDraw {
            draw: draw_id("big"),
            terms: Terms { odds, hold_ms: None, sell: true },
            admission: Admission { entries_per_user: PER_USER, opens_at: None, closes_at: None },
            seed: Seed(seed),
            precondition: Precondition::None,
        };
        let made = sale.ask(None, Command::PutDraw(Box::new(put)));
        assert!(matches!(made, Answer::DrawCreated(_)));
        sale
    }

    fn enter(&mut self, key: u64, user: u64) -> Answer {
        let client_seed = user.is_multiple_of(2).then(|| format!("luck {key}").into());
        let (draw, user) = (draw_id("big"), user_id(&format!("user-{user}")));
        self.ask(Some(key), Command::EnterDraw(EnterDraw { draw, user, client_seed }))
    }
}

/// All entries in the order they were made.
fn run(seed: [u8; 32]) -> (Sale, Vec<EntryView>) {
    let mut sale = Sale::begin(seed);
    let mut entries = Vec::new();
    for key in 0..USERS * (PER_USER + 1) {
        match sale.enter(key, key % USERS) {
            Answer::Entered(entry) => entries.push(*entry),
            Answer::Refused(refusal) => {
                assert_eq!(format!("{refusal:?}"), "EntryLimit { used: 3, limit: 3 }");
            }
            other => panic!("{other:?}"),
        }
    }
    (sale, entries)
}

/// The statistic of Pearson's test over what was seen and how much was to be expected of each.
fn chi_squared(seen: &[f64], weights: &[u64]) -> f64 {
    let (all, total) = (seen.iter().sum::<f64>(), weights.iter().sum::<u64>() as f64);
    let part = |(seen, weight): (&f64, &u64)| {
        let expected = all * *weight as f64 / total;
        (seen - expected).powi(2) / expected
    };
    seen.iter().zip(weights).map(part).sum()
}

/// A hundred thousand entries are drawn by the odds and within the stock.
#[test]
fn entries_are_drawn_by_the_odds_and_within_the_stock() {
    let seed = std::array::from_fn(|at| at as u8 ^ 0xA5);
    let (sale, entries) = run(seed);
    assert_eq!(entries.len() as u64, USERS * PER_USER);
    invariants::check(&sale.state);

    let weights = PRIZES.map(|(_, _, weight)| weight);
    let mut seen = [0.0; PRIZES.len() + 1];
    let mut won: BTreeMap<&str, u64> = BTreeMap::new();
    let mut of_user: BTreeMap<&str, u64> = BTreeMap::new();
    for (entry, number) in entries.iter().zip(1..) {
        let client_seed = entry.client_seed.as_deref();
        let ticket = ("big", number, entry.user.as_str(), client_seed);
        let pick = chance::pick(&seed, ticket, &weights, BLANK_WEIGHT);
        let sku = pick.map(|place| PRIZES[place].0);
        assert_eq!(entry.pick.as_ref().map(|sku| sku.as_str()), sku, "entry {number}");
        seen[pick.unwrap_or(PRIZES.len())] += 1.0;
        *of_user.entry(entry.user.as_str()).or_default() += 1;
        let Some((name, stock, _)) = pick.map(|place| PRIZES[place]) else {
            assert_eq!(entry.reason, Reason::Blank);
            continue;
        };
        let won = won.entry(name).or_default();
        let expected = if *won < stock { Reason::Won } else { Reason::NoStock };
        assert_eq!(entry.reason, expected, "entry {number} of {name}");
        *won += u64::from(expected == Reason::Won);
    }
    // Phones and tickets ran out, coupons may not have.
    assert_eq!((won["phone"], won["ticket"]), (10, 500));
    for (name, stock, _) in PRIZES {
        let slot = sale.state.skus.find(&sku_id(name)).unwrap();
        let sku = &sale.state.skus[slot];
        assert_eq!((sku.sold, sku.held, sku.total), (won[name], 0, stock));
    }
    assert!(of_user.values().all(|entries| *entries == PER_USER));

    // Three degrees of freedom: 16.27 is exceeded by chance once in a thousand seeds. This one is
    // fixed, so what holds once holds always.
    let mut all = weights.to_vec();
    all.push(BLANK_WEIGHT);
    let statistic = chi_squared(&seen, &all);
    assert!(statistic < 16.27, "{statistic} of {seen:?}");
}

/// The same seed and entries give the same winners and another seed others.
#[test]
fn the_same_seed_and_entries_give_the_same_winners() {
    let (one, again, other) = (run([1; 32]).1, run([1; 32]).1, run([2; 32]).1);
    assert_eq!(one, again);
    let winners = |entries: &[EntryView]| -> Vec<u32> {
        let won = entries.iter().filter(|entry| entry.reason == Reason::Won);
        won.map(|entry| entry.number).collect()
    };
    assert_ne!(winners(&one), winners(&other));
}
