//! Any record: what decodes encodes to the same bytes again, one byte more or less is another
//! record or none. Next: `doorbuster::codec`.

use doorbuster::codec::{decode_record, decode_totals, encode_record, encode_totals};

pub(crate) fn decode(input: &[u8]) {
    if let Ok(totals) = decode_totals(input) {
        assert!(input.starts_with(&encode_totals(&totals)), "members may follow, none may change");
    }
    let Ok(record) = decode_record(input) else { return };
    let mut bytes = Vec::new();
    encode_record(&record, &mut bytes);
    assert!(bytes == input, "there is one way to store a record: {record:?}");
    let (_, shorter) = input.split_last().expect("no record is empty");
    assert!(decode_record(shorter).is_err(), "a record without its last byte is none");
    bytes.push(0);
    assert!(decode_record(&bytes).is_err(), "a record with a byte behind it is none");
}
