//! The canonical encoding of a state: rows in an order that only events decide.
//!
//! Slots, hashes and free lists do not show, so a live state and any replay of the same events
//! encode to the same bytes. The digest is the SHA-256 of that. Next: `domain::state`.

use super::LAYOUT;
use super::event::{StoredOrderId, StoredRules};
use super::sku::{StoredSettings, StoredSkuView, refused};
use crate::domain::ids::SkuId;
use crate::domain::order::Order;
use crate::domain::requests::{Kept, Remembered};
use crate::domain::sku::Sku;
use crate::domain::state::State;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{self, Write};

#[derive(Serialize)]
enum Row<'a> {
    Head {
        sequence: u64,
        stamp: u64,
        epoch: u32,
        hash_key: [u8; 16],
        answers_before_sync: bool,
        rules: StoredRules,
    },
    Principal(&'a str),
    Sku {
        sku: &'a str,
        created_sequence: u64,
        deleted: bool,
        total: u64,
        held: u64,
        sold: u64,
        settings: StoredSettings<'a>,
        version: u64,
        refused: Vec<(u8, u64)>,
    },
    Use {
        sku_created_sequence: u64,
        user: &'a str,
        units: u64,
    },
    Order {
        order: StoredOrderId,
        user: &'a str,
        principal: u16,
        status: u8,
        graced: bool,
        created_at: u64,
        expires_at: u64,
        changed_sequence: u64,
        touched_at: u64,
        touched_sequence: u64,
        lines: Vec<(u64, u32, u32)>,
        reference: Option<&'a str>,
    },
    FirstKey(u64),
    Key {
        hash: u128,
        fingerprint: u64,
        sequence: u64,
        at: u64,
        principal: u16,
        answer: KeptRow<'a>,
    },
}

#[derive(Serialize)]
enum KeptRow<'a> {
    Created {
        order: StoredOrderId,
        expires_at: Option<u64>,
    },
    Order {
        order: StoredOrderId,
        status: u8,
        expires_at: Option<u64>,
        changed_sequence: u64,
        refunded: &'a [u32],
    },
    Sku(StoredSkuView<'a>),
}

/// SHA-256 of a state's canonical encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The digest of a state. Walks all of it.
#[must_use]
pub fn digest(state: &State) -> Digest {
    struct Hashing(Sha256);
    impl Write for Hashing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut sink = io::BufWriter::new(Hashing(Sha256::new()));
    each_row(state, &mut |row| {
        bincode::serde::encode_into_std_write(row, &mut sink, LAYOUT)
            .expect("a row of bounded members always encodes into a hash");
    });
    let hashing = sink.into_inner().map_err(io::IntoInnerError::into_error);
    Digest(hashing.expect("a hash takes all bytes").0.finalize().into())
}

fn each_row(state: &State, row: &mut dyn FnMut(Row<'_>)) {
    row(Row::Head {
        sequence: state.sequence,
        stamp: state.stamp,
        epoch: state.epoch,
        hash_key: state.hash_key,
        answers_before_sync: state.answers_before_sync,
        rules: (&state.settings).into(),
    });
    state.principals.iter().for_each(|entry| row(Row::Principal(entry.name.as_str())));
    let skus = || state.skus.after(None::<&SkuId>).chain(state.skus.deleted());
    skus().for_each(|sku| row(sku_row(sku)));
    for sku in skus() {
        for found in state.uses.of_sku(sku) {
            row(Row::Use {
                sku_created_sequence: sku.created_sequence,
                user: state.users[found.user].id.as_str(),
                units: found.units,
            });
        }
    }
    state.orders.after(None).for_each(|order| row(order_row(state, order)));
    row(Row::FirstKey(state.requests.first()));
    state.requests.iter().for_each(|key| row(key_row(state, key)));
}

fn sku_row(sku: &Sku) -> Row<'_> {
    Row::Sku {
        sku: sku.id.as_str(),
        created_sequence: sku.created_sequence,
        deleted: sku.deleted,
        total: sku.total,
        held: sku.held,
        sold: sku.sold,
        settings: (&sku.settings).into(),
        version: sku.version,
        refused: refused(&sku.refused),
    }
}

fn order_row<'a>(state: &'a State, order: &'a Order) -> Row<'a> {
    let line = |line: &crate::domain::order::Line| {
        (state.skus[line.sku].created_sequence, line.quantity, line.refunded)
    };
    Row::Order {
        order: order.id.into(),
        user: state.users[order.user].id.as_str(),
        principal: order.principal,
        status: order.status as u8,
        graced: order.graced,
        created_at: order.created_at,
        expires_at: order.expires_at,
        changed_sequence: order.changed_sequence,
        touched_at: order.touched_at,
        touched_sequence: order.touched_sequence,
        lines: order.lines.iter().map(line).collect(),
        reference: order.reference.as_deref(),
    }
}

fn key_row<'a>(state: &State, key: &'a Remembered) -> Row<'a> {
    let answer = match &key.answer {
        Kept::Created { order, expires_at } => {
            KeptRow::Created { order: state.orders[*order].id.into(), expires_at: *expires_at }
        }
        Kept::Order { order, then } => KeptRow::Order {
            order: state.orders[*order].id.into(),
            status: then.status as u8,
            expires_at: then.expires_at,
            changed_sequence: then.changed_sequence,
            refunded: &then.refunded,
        },
        Kept::Sku(sku) => KeptRow::Sku((&**sku).into()),
    };
    Row::Key {
        hash: key.hash,
        fingerprint: key.fingerprint,
        sequence: key.sequence,
        at: key.at,
        principal: key.principal,
        answer,
    }
}
