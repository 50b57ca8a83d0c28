//! One stored record, and what a seal says: what is told of bytes that are not as they were
//! written. Next: `stored`, whole histories.

use doorbuster::codec::{
    CodecError, Totals, decode_record, decode_totals, encode_record, encode_totals,
};
use doorbuster::domain::model::event::{Event, Origin, Record};
use doorbuster::domain::model::ids::{OrderId, PrincipalName};

fn record() -> Record {
    let principal = PrincipalName::parse("shop").expect("a principal's name");
    let origin = Origin { principal, reach_all: false, key: None, traceparent: None };
    Record {
        origin: Some(origin),
        event: Event::OrderConfirmed(OrderId { epoch: 3, sequence: 17 }),
    }
}

#[test]
fn bytes_behind_a_record_are_counted() {
    let mut bytes = Vec::new();
    encode_record(&record(), &mut bytes);
    assert_eq!(decode_record(&bytes).expect("it is whole"), record());
    for more in 1..4 {
        bytes.push(0);
        let refused = decode_record(&bytes).expect_err("it is too long");
        assert!(matches!(refused, CodecError::Trailing(count) if count == more), "{refused}");
    }
}

#[test]
fn totals_come_back_whatever_a_later_version_appends() {
    let totals = Totals {
        drained: true,
        sequence: 9,
        skus: 1,
        users: 2,
        uses: 3,
        orders: 4,
        held: 5,
        keys: 6,
    };
    let mut bytes = encode_totals(&totals);
    assert_eq!(decode_totals(&bytes).expect("they are whole"), totals);
    bytes.extend_from_slice(b"later");
    assert_eq!(decode_totals(&bytes).expect("more is passed over"), totals);
    bytes.truncate(bytes.len() - 6);
    decode_totals(&bytes).expect_err("a byte is missing");
}
