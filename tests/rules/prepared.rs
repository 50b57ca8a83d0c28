//! Memory that was prepared elsewhere changes no outcome. Next:
//! `doorbuster::background::prefault_thread`.

use crate::harness::{BASE, settings};
use doorbuster::background::prefault_thread;
use doorbuster::codec;
use doorbuster::domain::memory::prefault::PrefaultRequest;
use doorbuster::domain::model::command::{Precondition, SkuSettings, Take};
use doorbuster::domain::model::event::{Event, OrderCreated, Origin, Record, SkuPut, Started};
use doorbuster::domain::model::ids::{
    KeyClaim, LineRequest, OrderId, PrincipalName, SkuId, UserId,
};
use doorbuster::domain::model::settings::{Caps, Settings};
use doorbuster::domain::rules::apply::apply;
use doorbuster::domain::state::invariants;
use doorbuster::domain::state::tables::State;

/// More than a piece of any table holds.
const ORDERS: u64 = 20_000;

fn sku() -> SkuId {
    SkuId::parse("A").expect("an id")
}

fn created(number: u64) -> Record {
    Record {
        origin: Some(Origin {
            principal: PrincipalName::local(),
            reach_all: true,
            key: Some(KeyClaim { hash: u128::from(number) << 64, fingerprint: number }),
            traceparent: None,
        }),
        event: Event::OrderCreated(OrderCreated {
            user: UserId::parse(&format!("u{number}")).expect("an id"),
            lines: std::iter::once(LineRequest { sku: sku(), quantity: 1 }).collect(),
            reference: None,
            take: Take::Hold(None),
            expires_at: Some(BASE + 60_000 + number % 7),
        }),
    }
}

/// Everybody orders, every third cancels at once, and the older half of the keys is forgotten.
fn records() -> Vec<Record> {
    let ours = |event| Record { origin: None, event };
    let hash_key = [7; 16];
    let (lost_from, life) = (None, None);
    let started = Started { epoch: 1, hash_key, answers_before_sync: false, lost_from, life };
    let room = ORDERS as u32 + 10;
    let caps = Caps { orders: room, keys: room, uses: room, users: room, ..settings().caps };
    let put = SkuPut {
        sku: sku(),
        stock: ORDERS,
        settings: SkuSettings::default(),
        precondition: Precondition::None,
        created: true,
    };
    let mut records = vec![
        ours(Event::Started(started)),
        ours(Event::SettingsChanged(Box::new(Settings { caps, ..settings() }))),
        ours(Event::SkuPut(Box::new(put))),
    ];
    for number in 0..ORDERS {
        records.push(created(number));
        if number.is_multiple_of(3) {
            let sequence = records.len() as u64;
            records.push(ours(Event::OrderCancelled(OrderId { epoch: 1, sequence })));
        }
    }
    records.push(ours(Event::KeysForgotten(ORDERS as u32 / 2)));
    records
}

#[test]
fn a_state_that_is_given_memory_is_the_state_that_is_not() {
    let (mut helped, mut alone) = (State::new(1), State::new(2));
    let (mut prepared, preparer) = prefault_thread::pair();
    let mut asked = 0;
    for (at, record) in records().iter().enumerate() {
        apply(&mut alone, record, BASE);
        apply(&mut helped, record, BASE);
        if at.is_multiple_of(64) && PrefaultRequest::by(&helped).is_some() {
            asked += 1;
            prepared.turn(&mut helped);
            preparer.turn();
            prepared.turn(&mut helped);
            assert_eq!(PrefaultRequest::by(&helped), None, "what was wanted has been given");
        }
    }
    assert!(asked > 2, "tables grew beyond a piece");
    assert!(PrefaultRequest::by(&alone).is_some(), "whoever asks for nothing is given nothing");
    invariants::check(&helped);
    assert_eq!(codec::digest(&helped).to_string(), codec::digest(&alone).to_string());
}
