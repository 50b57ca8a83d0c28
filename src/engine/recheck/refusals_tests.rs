//! Refusals that were kept whole, decided again where they stand, and those that the rules would
//! not give or the edge cannot have seen. Next: `history_tests`.

use super::history_tests::{History, START};
use super::*;
use crate::domain::model::answer::ShortLine;
use crate::domain::model::command::Take;
use crate::domain::model::ids::{LineRequest, SkuId, UserId};
use crate::domain::rules::decide::decide;
use smallvec::smallvec;

fn asks(user: &str, quantity: u32) -> KeptRefusal {
    let sku = SkuId::parse("A").unwrap();
    let requested = u64::from(quantity);
    let (available, held) = (1, 4);
    let short = ShortLine { sku: sku.clone(), requested, available, held };
    let create = CreateOrder {
        user: UserId::parse(user).unwrap(),
        lines: smallvec![LineRequest { sku, quantity }],
        reference: None,
        take: Take::Hold(None),
    };
    KeptRefusal {
        principal: PrincipalName::local(),
        reach_all: true,
        key: None,
        command: Command::CreateOrder(create),
        refusal: Refusal::SoldOut(smallvec![Box::new(short)]),
        seen: 0,
        at: START + 10,
        at_edge: false,
    }
}

fn with_units(mut kept: KeptRefusal, available: u64, held: u64) -> KeptRefusal {
    let Refusal::SoldOut(lines) = &mut kept.refusal else { panic!("{kept:?}") };
    (lines[0].available, lines[0].held) = (available, held);
    kept
}

/// Four of five units are held, by two users.
fn held() -> History {
    let mut history = History::begin(decide);
    history.order_of("u1", 2, START + 1);
    history.order_of("u2", 2, START + 2);
    history
}

fn differences(history: &mut History, kept: KeptRefusal) -> Vec<String> {
    let before = history.recheck.differences.len();
    history.record(None, Event::RefusalsKept(vec![kept]), START + 20);
    let found = &history.recheck.differences[before..];
    found.iter().map(|difference| format!("{:?}", difference.now)).collect()
}

#[test]
fn a_refusal_is_decided_again_with_its_reason_and_its_numbers() {
    let mut history = held();
    let seen = history.state.sequence;
    let right = KeptRefusal { seen, ..asks("u3", 2) };
    assert_eq!(differences(&mut history, right.clone()), [""; 0]);
    // After other refusals it stands in the same state.
    assert_eq!(differences(&mut history, right.clone()), [""; 0]);
    assert_eq!(history.recheck.refusals, 2);
    for (wrong, told) in [
        (with_units(right.clone(), 0, 4), "available: 1"),
        (with_units(right.clone(), 1, 3), "held: 4"),
        (KeptRefusal { refusal: Refusal::HoldExpired, ..right.clone() }, "SoldOut"),
        (KeptRefusal { command: asks("u1", 2).command, ..right.clone() }, "UserLimit"),
        (KeptRefusal { command: asks("u3", 1).command, ..right.clone() }, "OrderCreated"),
        (KeptRefusal { seen: seen - 1, ..right.clone() }, "right behind"),
        (KeptRefusal { seen: seen + 99, ..right.clone() }, "before it was journaled"),
        (KeptRefusal { at: START + 21, ..right.clone() }, "before it was journaled"),
        (KeptRefusal { at: START + 5_000, ..right.clone() }, "before it was journaled"),
    ] {
        let found = differences(&mut history, wrong);
        assert!(found.len() == 1 && found[0].contains(told), "{told}: {found:?}");
    }
}

#[test]
fn the_edge_saw_the_numbers_of_the_sequence_that_it_names() {
    let mut history = held();
    let order = history.order_of("u3", 1, START + 3);
    let sold_out = history.state.sequence;
    history.ask(Command::ActOnOrder(order, Action::Confirm { reacquire: false }), START + 4);
    let confirmed = history.state.sequence;
    history.ask(Command::ActOnOrder(order, Action::Ship), START + 5);
    let edge =
        |seen, held| with_units(KeptRefusal { seen, at_edge: true, ..asks("u9", 2) }, 0, held);
    for (seen, held) in [(sold_out, 5), (confirmed, 4), (confirmed + 1, 4)] {
        assert_eq!(differences(&mut history, edge(seen, held)), [""; 0], "{seen}");
    }
    assert_eq!((history.recheck.edge_refusals, history.recheck.refusals), (3, 0));
    for (wrong, told) in [
        (edge(sold_out, 4), "Stood(Some((0, 5)))"),
        (edge(confirmed, 5), "Stood(Some((0, 4)))"),
        (edge(sold_out - 1, 4), "Stood(Some((1, 4)))"),
        (edge(1, 0), "Stood(None)"),
        (with_units(edge(confirmed, 4), 1, 4), "Stood(Some((0, 4)))"),
        (KeptRefusal { command: asks("u9", 3).command, ..edge(confirmed, 4) }, "another order"),
        (KeptRefusal { refusal: Refusal::HoldExpired, ..edge(confirmed, 4) }, "sold out"),
    ] {
        let found = differences(&mut history, wrong);
        assert!(found.len() == 1 && found[0].contains(told), "{told}: {found:?}");
    }
}

#[test]
fn what_was_not_kept_is_a_count_of_some_up_to_here() {
    let mut history = held();
    let sequence = history.state.sequence;
    let lost = |count, since| Event::RefusalsNotKept(NotKept { count, since });
    history.record(None, lost(1, sequence), START + 20);
    assert_eq!(history.recheck.different, 0);
    history.record(None, lost(0, sequence), START + 20);
    history.record(None, lost(1, sequence + 99), START + 20);
    history.record(None, Event::RefusalsKept(Vec::new()), START + 20);
    assert_eq!(history.recheck.different, 3);
}
