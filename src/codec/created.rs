//! The record of a new order, written and read without serde: nearly all of a busy journal.
//!
//! Owns no layout of its own: its bytes are those that bincode makes of `StoredRecord`, which its
//! tests hold it to byte for byte. What it does not know, and whatever looks wrong, it leaves to
//! the general way, which reads it or says what is wrong with it. Next: `record`, `event`.

use super::DECODE_BYTES_MAX;
use crate::domain::model::command::Take;
use crate::domain::model::event::{Event, OrderCreated, Origin, Record};
use crate::domain::model::ids::{
    KeyClaim, LINES_MAX, LineRequest, LineRequests, PrincipalName, SkuId, Traceparent, UserId,
};
use compact_str::CompactString;

/// The number of `StoredEvent::OrderCreated`.
const ORDER_CREATED: u32 = 6;
/// The numbers of `StoredTake`.
const HOLD: u32 = 0;
const SELL: u32 = 1;

const NONE: u8 = 0;
const SOME: u8 = 1;

/// What a record of one line takes, but for the texts in it, in bytes.
const FIXED_BYTES: usize = 128;

/// Appends the bytes of a record that made an order.
pub(super) fn encode(origin: &Origin, created: &OrderCreated, bytes: &mut Vec<u8>) {
    bytes.reserve(FIXED_BYTES + origin.principal.as_str().len() + created.user.as_str().len());
    bytes.push(SOME);
    put_text(bytes, origin.principal.as_str());
    bytes.push(u8::from(origin.reach_all));
    match origin.key {
        None => bytes.push(NONE),
        Some(key) => {
            let mut member = [SOME; 25];
            member[1..17].copy_from_slice(&key.hash.to_le_bytes());
            member[17..].copy_from_slice(&key.fingerprint.to_le_bytes());
            bytes.extend_from_slice(&member);
        }
    }
    match origin.traceparent {
        None => bytes.push(NONE),
        Some(Traceparent { trace, parent, flags }) => {
            bytes.push(SOME);
            bytes.extend_from_slice(&trace);
            bytes.extend_from_slice(&parent);
            bytes.push(flags);
        }
    }
    bytes.extend_from_slice(&ORDER_CREATED.to_le_bytes());
    put_text(bytes, created.user.as_str());
    bytes.extend_from_slice(&(created.lines.len() as u64).to_le_bytes());
    for line in &created.lines {
        put_text(bytes, line.sku.as_str());
        bytes.extend_from_slice(&line.quantity.to_le_bytes());
    }
    match &created.reference {
        None => bytes.push(NONE),
        Some(reference) => {
            bytes.push(SOME);
            put_text(bytes, reference);
        }
    }
    match created.take {
        Take::Hold(hold_ms) => {
            bytes.extend_from_slice(&HOLD.to_le_bytes());
            put_number(bytes, hold_ms);
        }
        Take::Sell => bytes.extend_from_slice(&SELL.to_le_bytes()),
    }
    put_number(bytes, created.expires_at);
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn put_number(bytes: &mut Vec<u8>, number: Option<u64>) {
    match number {
        None => bytes.push(NONE),
        Some(number) => {
            let mut member = [SOME; 9];
            member[1..].copy_from_slice(&number.to_le_bytes());
            bytes.extend_from_slice(&member);
        }
    }
}

/// Reads the record of a new order. None where it is of another kind, or not sound.
pub(super) fn decode(bytes: &[u8]) -> Option<Record> {
    if bytes.len() > DECODE_BYTES_MAX {
        return None;
    }
    let mut rest = Rest(bytes);
    // The tag of the origin: records of orders have one.
    if rest.byte()? != SOME {
        return None;
    }
    let principal = rest.text()?;
    let reach_all = rest.flag()?;
    let key = match rest.flag()? {
        false => None,
        true => Some(KeyClaim { hash: rest.wide()?, fingerprint: rest.number()? }),
    };
    let traceparent = match rest.flag()? {
        false => None,
        true => {
            Some(Traceparent { trace: *rest.array()?, parent: *rest.array()?, flags: rest.byte()? })
        }
    };
    if rest.short()? != ORDER_CREATED {
        return None;
    }
    let user = UserId::parse(rest.text()?).ok()?;
    let lines = rest.lines()?;
    let reference = match rest.flag()? {
        false => None,
        true => Some(CompactString::new(rest.text()?)),
    };
    let take = match rest.short()? {
        HOLD => Take::Hold(rest.optional()?),
        SELL => Take::Sell,
        _ => return None,
    };
    let expires_at = rest.optional()?;
    if !rest.0.is_empty() {
        return None;
    }
    let principal = PrincipalName::parse(principal).ok()?;
    let origin = Origin { principal, reach_all, key, traceparent };
    let created = OrderCreated { user, lines, reference, take, expires_at };
    Some(Record { origin: Some(origin), event: Event::OrderCreated(created) })
}

/// What was not read yet. Everything is none where the bytes end before it does.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn array<const BYTES: usize>(&mut self) -> Option<&'a [u8; BYTES]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(array)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| *byte)
    }

    /// A byte that is 0 or 1.
    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            NONE => Some(false),
            SOME => Some(true),
            _ => None,
        }
    }

    fn short(&mut self) -> Option<u32> {
        self.array().map(|bytes| u32::from_le_bytes(*bytes))
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(|bytes| u64::from_le_bytes(*bytes))
    }

    fn wide(&mut self) -> Option<u128> {
        self.array().map(|bytes| u128::from_le_bytes(*bytes))
    }

    fn optional(&mut self) -> Option<Option<u64>> {
        match self.flag()? {
            false => Some(None),
            true => self.number().map(Some),
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn lines(&mut self) -> Option<LineRequests> {
        let count = usize::try_from(self.number()?).ok()?;
        if count > LINES_MAX {
            return None;
        }
        let mut lines = LineRequests::new();
        for _ in 0..count {
            lines.push(LineRequest {
                sku: SkuId::parse(self.text()?).ok()?,
                quantity: self.short()?,
            });
        }
        Some(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{decode_in_general, encode_in_general};
    use super::*;
    use crate::codec::{decode_record, encode_record};
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    fn origins() -> impl Strategy<Value = Origin> {
        let key = (any::<u128>(), any::<u64>());
        let key = key.prop_map(|(hash, fingerprint)| KeyClaim { hash, fingerprint });
        let traceparent = (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u8>());
        let traceparent =
            traceparent.prop_map(|(trace, parent, flags)| Traceparent { trace, parent, flags });
        let members =
            ("[a-z0-9._:@-]{3,64}", any::<bool>(), option::of(key), option::of(traceparent));
        members.prop_map(|(name, reach_all, key, traceparent)| {
            let principal = PrincipalName::parse(&name).expect("it matches the pattern");
            Origin { principal, reach_all, key, traceparent }
        })
    }

    fn creations() -> impl Strategy<Value = OrderCreated> {
        let line = ("[A-Za-z0-9_:@-]{1,64}", any::<u32>()).prop_map(|(sku, quantity)| {
            LineRequest { sku: SkuId::parse(&sku).expect("it matches the pattern"), quantity }
        });
        let take = prop_oneof![option::of(any::<u64>()).prop_map(Take::Hold), Just(Take::Sell),];
        let lines = vec(line, 0..=LINES_MAX + 1);
        let members =
            ("[A-Za-z0-9+|=~]{1,64}", lines, option::of(".{0,40}"), take, option::of(any::<u64>()));
        members.prop_map(|(user, lines, reference, take, expires_at)| OrderCreated {
            user: UserId::parse(&user).expect("it matches the pattern"),
            lines: lines.into_iter().collect(),
            reference: reference.map(CompactString::from),
            take,
            expires_at,
        })
    }

    fn records() -> impl Strategy<Value = Record> {
        let members = (option::weighted(0.95, origins()), creations());
        members.prop_map(|(origin, created)| Record { origin, event: Event::OrderCreated(created) })
    }

    fn encoded(record: &Record) -> Vec<u8> {
        let mut bytes = vec![0xEE];
        encode_record(record, &mut bytes);
        bytes.split_off(1)
    }

    proptest! {
        #[test]
        fn a_new_order_has_the_bytes_that_bincode_gives_it(record in records()) {
            let mut general = Vec::new();
            encode_in_general(&record, &mut general);
            prop_assert_eq!(encoded(&record), general);
        }

        /// A new order is read by itself unless it has no origin or too many lines.
        #[test]
        fn a_new_order_is_read_by_its_own_reader(
            record in records(),
        ) {
            let bytes = encoded(&record);
            let Event::OrderCreated(created) = &record.event else { unreachable!() };
            let usual = record.origin.is_some() && created.lines.len() <= LINES_MAX;
            prop_assert_eq!(decode(&bytes), usual.then_some(record.clone()));
            prop_assert_eq!(decode_in_general(&bytes).expect("it is sound"), record);
        }

        /// With a byte changed, cut off or appended, both ways read the same or both refuse.
        #[test]
        fn what_is_damaged_is_read_as_bincode_reads_it(
            record in records(),
            at in any::<prop::sample::Index>(),
            byte in prop_oneof![0_u8..8, any::<u8>()],
            cut in 0..3_usize,
        ) {
            let mut bytes = encoded(&record);
            let at = at.index(bytes.len());
            match cut {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at),
                _ => bytes.push(byte),
            }
            match (decode_record(&bytes), decode_in_general(&bytes)) {
                (Ok(own), Ok(general)) => prop_assert_eq!(own, general),
                (Err(own), Err(general)) => {
                    prop_assert_eq!(own.to_string(), general.to_string());
                }
                (own, general) => prop_assert!(false, "{own:?} is not {general:?}"),
            }
        }
    }

    #[test]
    fn a_length_beyond_the_record_is_no_length() {
        let mut bytes = vec![SOME];
        bytes.extend_from_slice(&u64::MAX.to_le_bytes());
        bytes.extend_from_slice(&[0; 64]);
        assert_eq!(decode(&bytes), None);
        assert!(decode_record(&bytes).is_err());
    }
}
