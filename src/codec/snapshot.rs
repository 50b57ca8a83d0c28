//! The canonical encoding of a state: rows in an order that only events decide.
//!
//! Slots, hashes and free lists do not show, so a live state and any replay of the same events
//! encode to the same bytes. Each row is a length (u32, little endian) and that many bytes of
//! bincode. The digest is the SHA-256 of all of it. Next: `rows`, the shapes; `domain::restore`.

use super::rows::{Row, each_row, take_row};
use super::values;
use super::{CodecError, DECODE_BYTES_MAX, LAYOUT};
use crate::domain::memory::prefetch::TOGETHER_MAX;
use crate::domain::model::lives::Lives;
use crate::domain::state::restore::Restore;
use crate::domain::state::tables::State;
use sha2::{Digest as _, Sha256};
use std::convert::Infallible;
use std::fmt;

/// Rows are handed on in pieces of about this size, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

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
    let mut hash = Sha256::new();
    let hashed: Result<(), Infallible> = encode_state(state, &mut |piece| {
        hash.update(piece);
        Ok(())
    });
    let Ok(()) = hashed;
    Digest(hash.finalize().into())
}

/// Hands a state's canonical encoding on, piece by piece.
///
/// # Errors
/// The first of `take`, which ends it.
pub fn encode_state<E>(
    state: &State,
    take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut piece = Vec::with_capacity(PIECE_BYTES + DECODE_BYTES_MAX);
    let mut hand_on = |piece: &mut Vec<u8>| {
        let taken = take(piece);
        piece.clear();
        taken
    };
    each_row(state, &mut |row| {
        append_row(row, &mut piece);
        if piece.len() >= PIECE_BYTES { hand_on(&mut piece) } else { Ok(()) }
    })?;
    hand_on(&mut piece)
}

fn append_row(row: &Row<'_>, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    bincode::serde::encode_into_std_write(row, bytes, LAYOUT)
        .expect("a row of bounded members always encodes into memory");
    let length = u32::try_from(bytes.len() - start - 4).expect("a row is short");
    bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Puts a state together from pieces of its encoding, cut anywhere. Hashes nothing: a snapshot's
/// reader does.
pub struct StateReader {
    seed: u64,
    restore: Option<Restore>,
    /// The beginning of a row whose end has not come yet.
    rest: Vec<u8>,
}

impl StateReader {
    /// Begins. `seed` spreads the tables' hashes, see `State::new`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, restore: None, rest: Vec::new() }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// When a row does not decode, or contradicts the ones before.
    pub fn take(&mut self, piece: &[u8]) -> Result<(), CodecError> {
        self.rest.extend_from_slice(piece);
        let mut taken = 0;
        loop {
            let (rows, read) = rows_together(&self.rest[taken..])?;
            if rows.is_empty() {
                break;
            }
            taken += read;
            if let Some(restore) = &self.restore {
                restore.warm(rows.iter().filter_map(Row::wanted));
            }
            rows.into_iter().try_for_each(|row| take_row(&mut self.restore, self.seed, row))?;
        }
        self.rest.drain(..taken);
        Ok(())
    }

    /// The state, once all pieces are there.
    ///
    /// # Errors
    /// When they end within a row, or held none.
    pub fn finish(self) -> Result<State, CodecError> {
        if !self.rest.is_empty() {
            return Err(CodecError::Value("end of a snapshot"));
        }
        let restore = self.restore.ok_or(CodecError::Value("snapshot without a head"))?;
        Ok(restore.finish())
    }
}

/// Reads of a state's encoding only what stands at its beginning: the lives. From pieces, cut
/// anywhere.
#[derive(Default)]
pub struct LivesReader {
    lives: Lives,
    /// The beginning of a row whose end has not come yet.
    rest: Vec<u8>,
}

impl LivesReader {
    /// Takes the next piece. Says whether another may hold more of them.
    ///
    /// # Errors
    /// When a row does not decode, or contradicts the ones before.
    pub fn take(&mut self, piece: &[u8]) -> Result<bool, CodecError> {
        self.rest.extend_from_slice(piece);
        let mut taken = 0;
        while let Some(bytes) = next_row(&self.rest[taken..])? {
            match Row::read(bytes)? {
                Row::Head { .. } | Row::DrawCaps { .. } => {}
                Row::Life { epoch, life, sequence } => {
                    if !self.lives.begin(epoch, Some(values::life(life)?), sequence) {
                        return Err(CodecError::Value("start"));
                    }
                }
                _ => return Ok(false),
            }
            taken += 4 + bytes.len();
        }
        self.rest.drain(..taken);
        Ok(true)
    }

    /// Returns the lives that were read.
    #[must_use]
    pub fn finish(self) -> Lives {
        self.lives
    }
}

/// The rows at the front that are all there, as many as are looked up together at most; and their
/// bytes.
fn rows_together(bytes: &[u8]) -> Result<(Vec<Row<'_>>, usize), CodecError> {
    let (mut rows, mut read) = (Vec::with_capacity(TOGETHER_MAX), 0);
    while rows.len() < TOGETHER_MAX
        && let Some(row) = next_row(&bytes[read..])?
    {
        read += 4 + row.len();
        rows.push(Row::read(row)?);
    }
    Ok((rows, read))
}

/// The bytes of the row at the front, if they are all there.
fn next_row(bytes: &[u8]) -> Result<Option<&[u8]>, CodecError> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if length > DECODE_BYTES_MAX {
        return Err(CodecError::Value("length of a row"));
    }
    Ok(rest.get(..length))
}
