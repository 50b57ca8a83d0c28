//! Reading while it is written, and every SKU found again.

use super::*;
use foldhash::quality::FixedState;
use std::hash::BuildHasher;
use std::sync::atomic::AtomicBool;
use std::thread;

fn named(number: u64) -> (u64, SkuId) {
    let id = SkuId::parse(&format!("sku-with-a-name-of-some-length-{number}")).unwrap();
    (FixedState::with_seed(1).hash_one(id.as_str()), id)
}

/// Facts of which each word follows from one number.
fn facts(number: u64) -> SoldOut {
    let fact = |factor| number.wrapping_mul(factor);
    SoldOut {
        sequence: number,
        created: fact(3),
        held: fact(5),
        per_user_limit: fact(7),
        from_ms: fact(11),
        until_ms: fact(13),
    }
}

#[test]
fn a_sku_is_found_by_its_whole_name_until_it_leaves() {
    let table = SoldOutTable::new();
    let (hash, id) = named(1);
    let (_, other) = named(2);
    assert!(table.put(hash, &id, &facts(1)));
    assert_eq!(table.find(hash, &id), Some(facts(1)));
    assert_eq!(table.find(hash, &other), None, "one with the same hash is another");
    assert!(table.put(hash, &other, &facts(2)));
    assert_eq!((table.find(hash, &id), table.find(hash, &other)), (Some(facts(1)), Some(facts(2))));
    let at = table.place(hash, &id).unwrap();
    table.close(at);
    assert_eq!(table.find(hash, &id), None);
    table.rewrite(at, &facts(3));
    assert_eq!(table.find(hash, &id), Some(facts(3)));
    table.vacate(at);
    assert_eq!((table.find(hash, &id), table.place(hash, &id)), (None, None));
    assert!(table.put(hash, &named(3).1, &facts(4)));
    assert_eq!(table.find(hash, &other), Some(facts(2)));
}

/// A table grows with its SKUs, and the one before says nothing more.
#[test]
fn a_table_grows_and_the_one_before_says_nothing_more() {
    let mut table = SoldOutTable::new();
    let mut outgrown = Vec::new();
    for number in 0..5_000 {
        let (hash, id) = named(number);
        if !table.put(hash, &id, &facts(number)) {
            let grown = table.grown().expect("there may be a larger one");
            assert!(grown.put(hash, &id, &facts(number)));
            outgrown.push(std::mem::replace(&mut table, grown));
        }
    }
    assert!(outgrown.len() > 3);
    for number in 0..5_000 {
        let (hash, id) = named(number);
        assert_eq!(table.find(hash, &id), Some(facts(number)));
        assert!(outgrown.iter().all(|table| table.find(hash, &id).is_none()));
    }
}

#[test]
fn what_was_closed_in_a_board_is_closed_in_the_larger_one() {
    let table = SoldOutTable::new();
    let (hash, id) = named(1);
    assert!(table.put(hash, &id, &facts(1)));
    table.close(table.place(hash, &id).unwrap());
    let grown = table.grown().expect("there may be a larger one");
    assert_eq!(grown.find(hash, &id), None);
    grown.rewrite(grown.place(hash, &id).unwrap(), &facts(2));
    assert_eq!(grown.find(hash, &id), Some(facts(2)));
}

#[test]
fn nobody_reads_half_of_a_change_or_one_sku_older_than_another() {
    const TURNS: u64 = 100_000;
    let table = SoldOutTable::new();
    let skus = [named(1), named(2)];
    skus.iter().for_each(|(hash, id)| assert!(table.put(*hash, id, &facts(0))));
    let places = skus.each_ref().map(|(hash, id)| table.place(*hash, id).unwrap());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut found, mut last) = (0_u64, 0);
            while !done.load(Ordering::Relaxed) {
                for (hash, id) in &skus {
                    let Some(read) = table.find(*hash, id) else { continue };
                    assert_eq!(read, facts(read.sequence), "a torn read is thrown away");
                    assert!(read.sequence >= last, "nothing is older than what was seen before");
                    (found, last) = (found + 1, read.sequence);
                }
            }
            found
        });
        for turn in 1..=TURNS {
            // Now one first, now the other.
            let mut order = places;
            order.rotate_left((turn % 2) as usize);
            order.iter().for_each(|at| table.close(*at));
            order.iter().for_each(|at| table.rewrite(*at, &facts(turn)));
            if turn % 64 == 0 {
                thread::yield_now();
            }
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().expect("the reader saw nothing wrong") > 0);
    });
    skus.iter().for_each(|(hash, id)| assert_eq!(table.find(*hash, id), Some(facts(TURNS))));
}
