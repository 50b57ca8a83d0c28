//! Rows that decode and are no state: each is refused with the words that say why.
//!
//! A snapshot with the right checksums is still believed only as far as its rows agree. Every row
//! here is one that stands in a snapshot, with one member changed, left out or put elsewhere.

use super::rows::{Row, StoredKept};
use super::values::StoredOrderId;
use super::{CodecError, DECODE_BYTES_MAX, LAYOUT, StateReader};
use crate::domain::model::answer::{DrawView, SkuView};
use crate::domain::model::command::SkuSettings;
use crate::domain::model::draw::{Admission, Odds, Prize, Reason, Seed, SeedCommitment, Terms};
use crate::domain::model::ids::{CLIENT_SEED_BYTES_MAX, DrawId, GroupId, OrderId, SkuId};
use crate::domain::model::order::Status;
use crate::domain::model::settings::{Caps, Settings};
use crate::domain::model::sku::{RefusalReason, Refused};
use crate::domain::state::tables::State;
use smallvec::smallvec;

/// Where the rows stand that [`taken`] begins with.
const HEAD: usize = 0;
const PRINCIPAL: usize = 2;
const SKU: usize = 3;
const OTHER_SKU: usize = 4;
const USE: usize = 5;
const ORDER: usize = 6;
const OTHER_ORDER: usize = 7;
const DRAW: usize = 8;
const ENTRY: usize = 9;
const KEY_CREATED: usize = 10;
const KEY_ORDER: usize = 11;
const KEY_ENTRY: usize = 12;
const KEY_SKU: usize = 13;
const KEY_DRAW: usize = 14;

/// So often was the SKU of a key's answer refused; no other number is this one.
const KEPT_REFUSALS: u64 = 0x0102_0304_0506_0708;

const OPEN: Admission = Admission { entries_per_user: 0, opens_at: None, closes_at: None };

type Change = fn(&mut Vec<Row<'_>>);

fn order_id(sequence: u64) -> StoredOrderId {
    OrderId { epoch: 1, sequence }.into()
}

fn sku_row<'a>(sku: &'a str, created_sequence: u64, settings: &'a SkuSettings) -> Row<'a> {
    Row::Sku {
        sku,
        created_sequence,
        deleted: false,
        total: 9,
        held: 0,
        sold: 1,
        settings: settings.into(),
        version: created_sequence,
        refused: vec![(0, 2)],
    }
}

fn order_row(sequence: u64) -> Row<'static> {
    Row::Order {
        order: order_id(sequence),
        user: "u1",
        principal: 0,
        status: Status::Confirmed as u8,
        graced: false,
        created_at: 500,
        expires_at: 600,
        changed_sequence: sequence,
        touched_at: 500,
        touched_sequence: sequence,
        lines: smallvec![(3, 1, 0)],
        reference: Some("shop-17"),
    }
}

fn head_row() -> Row<'static> {
    let caps = Caps {
        skus: 20,
        orders: 20,
        keys: 20,
        answers: 20,
        uses: 20,
        users: 20,
        ..Caps::default()
    };
    Row::Head {
        sequence: 20,
        stamp: 1_000,
        epoch: 1,
        hash_key: [7; 16],
        answers_before_sync: false,
        rules: (&Settings { caps, ..Settings::default() }).into(),
        first_key: 0,
    }
}

fn draw_row<'a>(draw: &'a str, created_sequence: u64, terms: &'a Terms) -> Row<'a> {
    Row::Draw {
        draw,
        created_sequence,
        deleted: false,
        terms: terms.into(),
        admission: OPEN.into(),
        sealed: SeedCommitment { seed: Seed([1; 32]), commitment: [2; 32] }.into(),
        closed_at: None,
        version: created_sequence,
    }
}

fn key_row(hash: u128, answer: StoredKept<'_>) -> Row<'_> {
    Row::Key { hash, fingerprint: 1, sequence: 6, at: 500, principal: 0, answer }
}

fn terms() -> Terms {
    let prize = Prize { sku: SkuId::parse("A").unwrap(), weight: 1 };
    Terms { odds: Odds::new(vec![prize], 1).unwrap(), hold_ms: None, sell: true }
}

fn encoded(rows: &[Row<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for row in rows {
        let row = bincode::serde::encode_to_vec(row, LAYOUT).unwrap();
        bytes.extend_from_slice(&(row.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&row);
    }
    bytes
}

fn read(bytes: &[u8]) -> Result<State, CodecError> {
    let mut reader = StateReader::new(7);
    reader.take(bytes)?;
    reader.finish()
}

/// A state with a row of every kind, after this change.
fn taken(change: impl FnOnce(&mut Vec<Row<'_>>)) -> Result<State, CodecError> {
    let group = GroupId::parse("g").ok();
    let settings = SkuSettings { limit_group: group, ..SkuSettings::default() };
    let mut counted = Refused::default();
    counted.0[RefusalReason::Paused as usize] = KEPT_REFUSALS;
    let sku = SkuView {
        sku: SkuId::parse("A").unwrap(),
        total: 9,
        held: 0,
        sold: 1,
        refused: counted,
        settings: settings.clone(),
        version: 3,
        now: 500,
    };
    let terms = terms();
    let draw = DrawView {
        draw: DrawId::parse("d").unwrap(),
        terms: terms.clone(),
        admission: OPEN,
        commitment: [2; 32],
        seed: Some(Seed([1; 32])),
        entries: 1,
        closed_at: None,
        version: 8,
        now: 500,
    };
    let mut rows = vec![
        head_row(),
        Row::DrawCaps { draws: 10, entries: 10 },
        Row::Principal("east"),
        sku_row("A", 3, &settings),
        sku_row("B", 4, &settings),
        Row::Use { sku_created_sequence: 3, user: "u1", units: 1 },
        order_row(6),
        order_row(7),
        draw_row("d", 8, &terms),
        Row::Entry {
            user: "u1",
            principal: 0,
            client_seed: Some("luck"),
            pick: None,
            reason: Reason::Blank as u8,
            sequence: 9,
            epoch: 1,
        },
        key_row(1, StoredKept::Created { order: order_id(6), expires_at: None }),
        key_row(
            2,
            StoredKept::Order {
                order: order_id(6),
                status: Status::Confirmed as u8,
                expires_at: None,
                changed_sequence: 6,
                refunded: smallvec![0],
            },
        ),
        key_row(3, StoredKept::Entry { draw_created_sequence: 8, number: 1, expires_at: 0 }),
        key_row(4, StoredKept::Sku((&sku).into())),
        key_row(5, StoredKept::Draw((&draw).into())),
    ];
    change(&mut rows);
    read(&encoded(&rows))
}

fn refused(change: impl FnOnce(&mut Vec<Row<'_>>)) -> String {
    match taken(change) {
        Ok(_) => "taken".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn check(what: &str, changes: &[Change]) {
    for (at, change) in changes.iter().enumerate() {
        assert_eq!(
            refused(change),
            format!("the record holds an impossible {what}"),
            "change {at}"
        );
    }
}

fn set_kept(rows: &mut [Row<'_>], at: usize, set: fn(&mut StoredKept<'_>)) {
    if let Row::Key { answer, .. } = &mut rows[at] {
        set(answer);
    }
}

/// Changes one member of the row at a place, which must be of this kind.
macro_rules! set {
    ($at:expr, $kind:ident, $member:ident = $value:expr) => {
        (|rows| match &mut rows[$at] {
            Row::$kind { $member, .. } => *$member = $value,
            _ => panic!("another row stands there"),
        }) as Change
    };
}

#[path = "bad_principals_tests.rs"]
mod principals;

#[test]
fn rows_that_agree_are_a_state() {
    let state = taken(|_| {}).expect("nothing is wrong with them");
    assert_eq!((state.sequence, state.orders.len(), state.requests.len()), (20, 2, 5));
    assert_eq!(state.settings.caps.of_draws(), (10, 10));
}

fn life_row(epoch: u32, life: u64, sequence: u64) -> Row<'static> {
    Row::Life { epoch, life, sequence }
}

#[test]
fn starts_that_contradict_the_head_or_each_other_are_refused() {
    let drawn = 31 << 20;
    let one = taken(|rows| rows.insert(PRINCIPAL, life_row(1, 31 << 20, 1))).expect("it fits");
    assert_eq!(one.lives.begun().len(), 1);
    assert_eq!(one.lives.begun()[0].life.bits(), drawn);
    check(
        "a start does not fit the ones before",
        &[
            |rows| rows.insert(PRINCIPAL, life_row(2, 31, 1)),
            |rows| rows.insert(PRINCIPAL, life_row(1, 31, 21)),
            |rows| rows.insert(PRINCIPAL, life_row(1, 31, 0)),
            |rows| {
                rows.insert(PRINCIPAL, life_row(1, 31, 1));
                rows.insert(PRINCIPAL, life_row(1, 63, 2));
            },
            |rows| {
                if let Row::Head { epoch, .. } = &mut rows[HEAD] {
                    *epoch = 2;
                }
                rows.insert(PRINCIPAL, life_row(2, 31, 2));
                rows.insert(PRINCIPAL, life_row(1, 31, 1));
            },
        ],
    );
    // More bits than there are, and a text that would be all digits.
    let bits: [Change; 2] = [
        |rows| rows.insert(PRINCIPAL, life_row(1, 1 << 40 | 31, 1)),
        |rows| rows.insert(PRINCIPAL, life_row(1, 9, 1)),
    ];
    check("life", &bits);
}

#[test]
fn stock_that_does_not_add_up_is_refused() {
    let overdrawn = "more units held and sold than there are";
    check(overdrawn, &[set!(SKU, Sku, sold = 10), set!(SKU, Sku, held = u64::MAX)]);
    check(
        "a SKU stands twice",
        &[set!(OTHER_SKU, Sku, sku = "A"), set!(OTHER_SKU, Sku, created_sequence = 3)],
    );
    check("refusal reason", &[set!(SKU, Sku, refused = vec![(99, 1)])]);
    let twice = "refusal reason that stands twice";
    check(twice, &[set!(SKU, Sku, refused = vec![(0, 1), (0, 1)])]);
    check(
        "a use stands twice, or for nothing",
        &[set!(USE, Use, units = 0), |rows| {
            rows.insert(USE, Row::Use { sku_created_sequence: 3, user: "u1", units: 2 })
        }],
    );
    check(
        "a SKU is named that is not there",
        &[
            set!(USE, Use, sku_created_sequence = 99),
            set!(ORDER, Order, lines = smallvec![(99, 1, 0)]),
        ],
    );
}

#[test]
fn orders_that_contradict_what_is_there_are_refused() {
    check(
        "orders stand by id",
        &[|rows| rows.swap(ORDER, OTHER_ORDER), set!(ORDER, Order, order = order_id(0))],
    );
    check("more given back than ordered", &[set!(ORDER, Order, lines = smallvec![(3, 1, 2)])]);
    let touched = "one event touches one order at rest";
    check(touched, &[set!(OTHER_ORDER, Order, touched_sequence = 6)]);
    check(
        "order status",
        &[set!(ORDER, Order, status = 99), |rows| {
            set_kept(rows, KEY_ORDER, |kept| {
                if let StoredKept::Order { status, .. } = kept {
                    *status = 99;
                }
            })
        }],
    );
    check(
        "a principal is named that is not there",
        &[
            set!(ORDER, Order, principal = 1),
            set!(ENTRY, Entry, principal = 1),
            set!(KEY_CREATED, Key, principal = 1),
        ],
    );
}

#[test]
fn draws_and_entries_that_contradict_what_is_there_are_refused() {
    let twice: [Change; 2] = [
        |rows| rows.insert(KEY_CREATED, draw_row("d", 18, Box::leak(Box::new(terms())))),
        |rows| rows.insert(KEY_CREATED, draw_row("e", 8, Box::leak(Box::new(terms())))),
    ];
    check("a draw stands twice", &twice);
    check("a draw is deleted but not closed", &[set!(DRAW, Draw, deleted = true)]);
    check(
        "a draw names a SKU that is not there",
        &[set!(SKU, Sku, sku = "C"), |rows| {
            if let Row::Sku { deleted, .. } = &mut rows[SKU] {
                *deleted = true;
            }
        }],
    );
    check("an entry stands before its draw", &[|rows| rows.swap(DRAW, ENTRY)]);
    check("entries stand in the order of their events", &[set!(ENTRY, Entry, sequence = 0)]);
    check(
        "a pick does not fit its draw",
        &[
            set!(ENTRY, Entry, pick = Some(1)),
            set!(ENTRY, Entry, pick = Some(0)),
            set!(ENTRY, Entry, reason = Reason::Won as u8),
        ],
    );
    check("reason of an entry", &[set!(ENTRY, Entry, reason = 99)]);
    let long: Change = |rows| {
        let seed: &'static str = "s".repeat(CLIENT_SEED_BYTES_MAX + 1).leak();
        if let Row::Entry { client_seed, .. } = &mut rows[ENTRY] {
            *client_seed = Some(seed);
        }
    };
    check("client seed", &[long]);
}

#[test]
fn keys_that_answer_with_what_is_not_there_are_refused() {
    check("a key stands twice", &[set!(KEY_ORDER, Key, hash = 1)]);
    check(
        "a key names an order that is not there",
        &[
            |rows| {
                set_kept(rows, KEY_CREATED, |kept| {
                    if let StoredKept::Created { order, .. } = kept {
                        *order = order_id(99);
                    }
                })
            },
            |rows| {
                set_kept(rows, KEY_ORDER, |kept| {
                    if let StoredKept::Order { order, .. } = kept {
                        *order = order_id(99);
                    }
                })
            },
            // An entry that won, without the order that it made.
            |rows| {
                if let Row::Entry { pick, reason, .. } = &mut rows[ENTRY] {
                    (*pick, *reason) = (Some(0), Reason::Won as u8);
                }
            },
        ],
    );
    check(
        "a key names a draw that is not there",
        &[|rows| {
            set_kept(rows, KEY_ENTRY, |kept| {
                if let StoredKept::Entry { draw_created_sequence, .. } = kept {
                    *draw_created_sequence = 99;
                }
            })
        }],
    );
    check(
        "a key names an entry that is not there",
        &[|rows| {
            set_kept(rows, KEY_ENTRY, |kept| {
                if let StoredKept::Entry { number, .. } = kept {
                    *number = 2;
                }
            })
        }],
    );
}

#[test]
fn rows_out_of_place_or_cut_are_refused() {
    check("second head", &[|rows| rows.insert(1, head_row())]);
    check("row before the head", &[|rows| rows.swap(1, HEAD), |rows| drop(rows.remove(HEAD))]);
    check("snapshot without a head", &[|rows| rows.clear()]);
    let whole = encoded(&[Row::Principal("east")]);
    let cut = read(&whole[..whole.len() - 1]).expect_err("it is cut");
    assert_eq!(cut.to_string(), "the record holds an impossible end of a snapshot");
    let long = ((DECODE_BYTES_MAX + 1) as u32).to_le_bytes();
    let long = read(&long).expect_err("no row is so long");
    assert_eq!(long.to_string(), "the record holds an impossible length of a row");
    let mut more = encoded(&[Row::Principal("east")]);
    more[0] += 2;
    more.extend_from_slice(&[0; 2]);
    let more = read(&more).expect_err("two bytes belong to no member");
    assert_eq!(more.to_string(), "the record has 2 bytes too many");
    let mut unknown = encoded(&[Row::Principal("east")]);
    unknown[4] = 99;
    let unknown = read(&unknown).expect_err("no row is of that kind").to_string();
    assert!(unknown.starts_with("the record does not decode: "), "{unknown}");
}

#[test]
fn a_refusal_that_no_version_counts_is_refused_inside_an_answer() {
    let mut bytes = Vec::new();
    assert!(taken(|rows| bytes = encoded(rows)).is_ok());
    let count = KEPT_REFUSALS.to_le_bytes();
    let place = bytes.windows(count.len()).position(|part| part == count).expect("it is kept");
    assert_eq!(bytes[place - 1], RefusalReason::Paused as u8);
    bytes[place - 1] = 99;
    let told = read(&bytes).expect_err("nobody counts that").to_string();
    assert_eq!(told, "the record holds an impossible refusal reason");
}

/// Each text of an id, in each row that holds one: a control character is in none.
#[test]
fn names_that_nobody_can_have_are_refused() {
    check("principal", &[|rows| rows[PRINCIPAL] = Row::Principal("\u{7}")]);
    check("SKU id", &[set!(SKU, Sku, sku = "\u{7}")]);
    check(
        "user id",
        &[
            set!(USE, Use, user = "\u{7}"),
            set!(ORDER, Order, user = "\u{7}"),
            set!(ENTRY, Entry, user = "\u{7}"),
        ],
    );
    check("draw id", &[set!(DRAW, Draw, draw = "\u{7}")]);
    // Those within shapes that records share: a text of one letter follows its length.
    let within = [
        (SKU, ["SKU id", "group id"]),
        (DRAW, ["draw id", "SKU id"]),
        (KEY_SKU, ["SKU id", "group id"]),
        (KEY_DRAW, ["draw id", "SKU id"]),
    ];
    for (at, expected) in within {
        let (mut bytes, mut place) = (Vec::new(), 0..0);
        let kept = taken(|rows| {
            bytes = encoded(rows);
            place = encoded(&rows[..at]).len()..encoded(&rows[..=at]).len();
        });
        assert!(kept.is_ok());
        let is_text = |text: &usize| {
            bytes[..*text].ends_with(&1_u64.to_le_bytes()) && bytes[*text].is_ascii_alphabetic()
        };
        let found = place.filter(is_text).map(|text| {
            let mut changed = bytes.clone();
            changed[text] = 7;
            read(&changed).expect_err("no id has a control character").to_string()
        });
        let words = expected.map(|what| format!("the record holds an impossible {what}"));
        assert_eq!(found.collect::<Vec<_>>(), words, "row {at}");
    }
}
