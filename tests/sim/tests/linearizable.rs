//! A second judge, made elsewhere: small histories must be linearizable in the eyes of a tester
//! that tries all orders (the crate `stateright`).
//!
//! One SKU, orders that sell at once, adjustments and reads, several clients, kills and power cuts.
//! The tester sees only what was asked and heard, and when; never the journal.

use doorbuster::domain::model::answer::{Answer, Refusal};
use doorbuster::domain::model::command::{Adjustment, Command};
use doorbuster_sim::{Options, Plan, run_plan};
use doorbuster_witness::Notes;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use std::collections::BTreeMap;

const SEEDS: u64 = 300;
/// Trying all orders of more takes too long.
const ATTEMPTS_MAX: usize = 12;

/// Units on sale, and what keys were answered; an item that is not there yet sells nothing.
#[derive(Debug, Clone, Default)]
struct Stock {
    total: Option<u64>,
    sold: u64,
    keys: BTreeMap<u128, (Asked, Told)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Asked {
    Put(u64),
    Order(u64),
    Adjust(i64),
    Read,
}

/// An attempt: what is asked, and under which key.
type Attempt = (Option<u128>, Asked);

#[derive(Debug, Clone, PartialEq)]
enum Told {
    Unknown,
    KeyReused,
    Differs,
    Done,
    SoldOut { available: u64 },
    Stock { total: u64, sold: u64 },
}

impl Stock {
    fn decide(&mut self, asked: &Asked) -> Told {
        if let (Asked::Put(stock), None) = (asked, self.total) {
            self.total = Some(*stock);
        }
        let Some(total) = self.total else { return Told::Unknown };
        match asked {
            Asked::Put(stock) if *stock != total => Told::Differs,
            Asked::Put(_) | Asked::Read => Told::Stock { total, sold: self.sold },
            Asked::Order(units) if self.sold + units > total => {
                Told::SoldOut { available: total - self.sold }
            }
            Asked::Order(units) => {
                self.sold += units;
                Told::Done
            }
            Asked::Adjust(delta) => {
                let total = total.checked_add_signed(*delta).expect("only more comes");
                self.total = Some(total);
                Told::Stock { total, sold: self.sold }
            }
        }
    }
}

impl SequentialSpec for Stock {
    type Op = Attempt;
    type Ret = Told;

    fn invoke(&mut self, (key, asked): &Attempt) -> Told {
        match key.and_then(|key| self.keys.get(&key)) {
            Some((first, told)) if first == asked => return told.clone(),
            Some(_) => return Told::KeyReused,
            None => {}
        }
        let told = self.decide(asked);
        let accepted = matches!(told, Told::Done | Told::Stock { .. });
        if let (Some(key), true) = (key, accepted) {
            self.keys.insert(*key, (asked.clone(), told.clone()));
        }
        told
    }
}

fn asked(command: &Command) -> Asked {
    match command {
        Command::PutSku(put) => Asked::Put(put.stock),
        Command::CreateOrder(create) => Asked::Order(create.lines[0].quantity.into()),
        Command::AdjustSku(adjust) => match adjust.adjustment {
            Adjustment::Delta(delta) => Asked::Adjust(delta),
            Adjustment::Stock(_) => unreachable!("nobody asks for that here"),
        },
        Command::Read(_) => Asked::Read,
        other => unreachable!("{other:?} is not asked here"),
    }
}

fn told(answer: &Answer) -> Told {
    match answer {
        Answer::Created(_) => Told::Done,
        Answer::Sku(sku) | Answer::SkuCreated(sku) => {
            Told::Stock { total: sku.total, sold: sku.sold }
        }
        Answer::Refused(Refusal::SoldOut(lines)) => Told::SoldOut { available: lines[0].available },
        Answer::Refused(Refusal::UnknownSku(_)) => Told::Unknown,
        Answer::Refused(Refusal::KeyReused) => Told::KeyReused,
        Answer::Refused(Refusal::IfMatchRequired(_)) => Told::Differs,
        other => unreachable!("{other:?} is not heard here"),
    }
}

fn is_consistent(notes: &Notes) -> bool {
    let attempts = notes.attempts().iter().map(|attempt| {
        let key = attempt.request.key.map(|claim| claim.hash);
        let heard = attempt.heard.as_ref();
        let heard = heard.map(|heard| (heard.at, told(&heard.answered.answer)));
        ((key, asked(&attempt.request.command)), attempt.sent, heard)
    });
    is_linearizable(&attempts.collect::<Vec<_>>())
}

/// What was asked, when it was sent, and when what was heard.
type Noted = (Attempt, u64, Option<(u64, Told)>);

/// Whether some order explains it.
fn is_linearizable(attempts: &[Noted]) -> bool {
    let mut moments: Vec<(u64, usize, bool)> = Vec::new();
    for (number, (_, sent, heard)) in attempts.iter().enumerate() {
        moments.push((*sent, number, true));
        moments.extend(heard.as_ref().map(|(at, _)| (*at, number, false)));
    }
    moments.sort_unstable();
    let mut tester = LinearizabilityTester::new(Stock::default());
    for (_, number, begins) in moments {
        // Each attempt is a thread of its own: one that was never answered stays in flight.
        let noted = match (begins, &attempts[number].2) {
            (true, _) => tester.on_invoke(number, attempts[number].0.clone()),
            (false, Some((_, told))) => tester.on_return(number, told.clone()),
            (false, None) => unreachable!("only what was told returns"),
        };
        noted.expect("a history is well formed");
    }
    tester.is_consistent()
}

/// Small histories are linearizable to a tester that tries all orders.
#[test]
fn small_histories_are_linearizable() {
    let mut tried = 0;
    for seed in 1..=SEEDS {
        let report = run_plan(Plan::plain(seed), seed, Options::default());
        assert_eq!(report.violation, None, "seed {seed}");
        if report.notes.attempts().len() <= ATTEMPTS_MAX {
            tried += 1;
            assert!(is_consistent(&report.notes), "seed {seed}");
        }
    }
    assert!(tried > SEEDS / 6, "only {tried} histories were small enough");
}

#[test]
fn the_tester_would_notice() {
    let sold = |key, sent, at, told| ((Some(key), Asked::Order(1)), sent, Some((at, told)));
    let put = ((None, Asked::Put(1)), 1, Some((2, Told::Stock { total: 1, sold: 0 })));
    let mut history = vec![put, sold(1, 3, 5, Told::Done)];
    assert!(is_linearizable(&history));
    history.push(sold(2, 4, 6, Told::Done));
    assert!(!is_linearizable(&history), "the last unit was sold twice");
    history[2].2 = Some((6, Told::SoldOut { available: 0 }));
    assert!(is_linearizable(&history));
    history.push(sold(1, 7, 8, Told::Done));
    assert!(is_linearizable(&history), "a retry hears what was answered");
}
