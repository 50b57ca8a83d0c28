//! Filters that are made anew while keys come and go.

use super::*;
use std::collections::VecDeque;

/// Spreads a number over 128 bits, as a keyed hash does.
fn key(number: u64) -> u128 {
    u128::from(number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
}

/// Every key that is remembered is held at any time while filters come and go.
#[test]
fn every_remembered_key_is_held_while_filters_come_and_go() {
    let edge = Edge::default();
    let mut publisher = Publisher::of(&edge);
    let kept = crate::shared::reloadable::Kept::new(edge.keys.clone());
    let held = |number| kept.with(|_, filter| filter.may_hold(Hashes::key(key(number))));
    let mut remembered: VecDeque<u64> = VecDeque::new();
    let (mut next, mut shown, mut finished) = (0, None, 0);
    for turn in 0..40_000_u64 {
        if publisher.is_worn(Members::Keys) {
            publisher.begin(Members::Keys, remembered.len() as u64);
            shown = Some(remembered.front().copied().unwrap_or(next));
        }
        // Seven a turn, and 20,000 are remembered.
        for number in next..next + 7 {
            publisher.remember(key(number));
            remembered.push_back(number);
        }
        publisher.publish();
        next += 7;
        while remembered.len() > 20_000 {
            remembered.pop_front();
        }
        if let Some(from) = shown {
            let first = *remembered.front().expect("some are remembered");
            let end = from.max(first) + 64;
            (from.max(first)..end.min(next)).for_each(|number| publisher.show_key(key(number)));
            shown = (end < next).then_some(end);
            if shown.is_none() {
                publisher.finish(Members::Keys);
                finished += 1;
            }
        }
        let looked_at = remembered.len() as u64;
        let somewhere = |step: u64| remembered[((turn * 31 + step * 997) % looked_at) as usize];
        let ends = [remembered.front().copied(), remembered.back().copied()].into_iter().flatten();
        for number in (0..8).map(somewhere).chain(ends) {
            assert!(held(number), "{number} of {remembered:?} in turn {turn}");
        }
    }
    assert!(finished >= 4, "filters were made anew {finished} times");
    assert!(remembered.iter().all(|number| held(*number)));
    let long_gone = (0..10_000).filter(|number| held(*number)).count();
    assert!(long_gone < 200, "{long_gone} of 10,000 that were forgotten are still taken for held");
}

/// A turn is published whole and what is taken back is asked for.
#[test]
fn a_turn_is_published_whole() {
    let edge = Edge::default();
    let mut publisher = Publisher::of(&edge);
    let facts = |held| SoldOut {
        sequence: 9,
        created: 1,
        held,
        per_user_limit: 0,
        from_ms: 0,
        until_ms: u64::MAX,
    };
    let names: Vec<SkuId> =
        (0..1_000).map(|number| SkuId::parse(&format!("s{number}")).unwrap()).collect();
    let found = |sku: &SkuId| edge.skus.current().find(edge.hashes.sku(sku), sku);
    for sku in &names {
        publisher.change(sku.clone(), Some(facts(1)));
        publisher.change(sku.clone(), Some(facts(1)));
    }
    assert_eq!(found(&names[0]), None, "nothing shows before it is published");
    publisher.publish();
    assert!(names.iter().all(|sku| found(sku) == Some(facts(1))));
    names.iter().for_each(|sku| publisher.change(sku.clone(), None));
    publisher.change(names[7].clone(), Some(facts(2)));
    publisher.publish();
    for (number, sku) in names.iter().enumerate() {
        assert_eq!(found(sku), (number == 7).then_some(facts(2)), "{sku}");
    }
}
