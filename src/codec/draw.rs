//! Stored shapes of what is said about draws.

use super::CodecError;
use super::sku::{StoredPrecondition, sku_id};
use crate::domain::model::answer::DrawView;
use crate::domain::model::draw::{Admission, Odds, Prize, Reason, Seed, SeedCommitment, Terms};
use crate::domain::model::event::{DrawPut, EntryMade};
use crate::domain::model::ids::{CLIENT_SEED_BYTES_MAX, DrawId, UserId};
use compact_str::CompactString;
use serde::{Deserialize, Serialize};

pub(super) fn draw_id(text: &str) -> Result<DrawId, CodecError> {
    DrawId::parse(text).map_err(|_| CodecError::Value("draw id"))
}

pub(super) fn entry_reason(number: u8) -> Result<Reason, CodecError> {
    let known = Reason::ALL.get(usize::from(number)).copied();
    known.ok_or(CodecError::Value("reason of an entry"))
}

pub(super) fn client_seed(text: Option<&str>) -> Result<Option<CompactString>, CodecError> {
    match text {
        Some(text) if text.len() > CLIENT_SEED_BYTES_MAX => Err(CodecError::Value("client seed")),
        text => Ok(text.map(CompactString::new)),
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredTerms<'a> {
    #[serde(borrow)]
    prizes: Vec<(&'a str, u64)>,
    blank_weight: u64,
    hold_ms: Option<u64>,
    sell: bool,
}

impl<'a> From<&'a Terms> for StoredTerms<'a> {
    fn from(terms: &'a Terms) -> Self {
        let prizes = terms.odds.prizes().iter();
        Self {
            prizes: prizes.map(|prize| (prize.sku.as_str(), prize.weight)).collect(),
            blank_weight: terms.odds.blank_weight(),
            hold_ms: terms.hold_ms,
            sell: terms.sell,
        }
    }
}

impl StoredTerms<'_> {
    pub(super) fn read(self) -> Result<Terms, CodecError> {
        let prize = |(sku, weight)| Ok(Prize { sku: sku_id(sku)?, weight });
        let prizes: Result<Vec<Prize>, CodecError> = self.prizes.into_iter().map(prize).collect();
        let odds = Odds::new(prizes?, self.blank_weight);
        let odds = odds.map_err(|_| CodecError::Value("odds of a draw"))?;
        Ok(Terms { odds, hold_ms: self.hold_ms, sell: self.sell })
    }
}

#[derive(Serialize, Deserialize, Clone, Copy)]
pub(super) struct StoredAdmission {
    entries_per_user: u64,
    opens_at: Option<u64>,
    closes_at: Option<u64>,
}

impl From<Admission> for StoredAdmission {
    fn from(admission: Admission) -> Self {
        let Admission { entries_per_user, opens_at, closes_at } = admission;
        Self { entries_per_user, opens_at, closes_at }
    }
}

impl From<StoredAdmission> for Admission {
    fn from(stored: StoredAdmission) -> Self {
        let StoredAdmission { entries_per_user, opens_at, closes_at } = stored;
        Self { entries_per_user, opens_at, closes_at }
    }
}

/// Seed and commitment.
#[derive(Serialize, Deserialize, Clone, Copy)]
pub(super) struct StoredSealed([u8; 32], [u8; 32]);

impl From<SeedCommitment> for StoredSealed {
    fn from(sealed: SeedCommitment) -> Self {
        Self(sealed.seed.0, sealed.commitment)
    }
}

impl From<StoredSealed> for SeedCommitment {
    fn from(stored: StoredSealed) -> Self {
        Self { seed: Seed(stored.0), commitment: stored.1 }
    }
}

/// A draw as it was when a key was answered, after its closing.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredDrawView<'a> {
    draw: &'a str,
    #[serde(borrow)]
    terms: StoredTerms<'a>,
    admission: StoredAdmission,
    commitment: [u8; 32],
    seed: Option<[u8; 32]>,
    entries: u32,
    closed_at: Option<u64>,
    version: u64,
    now: u64,
}

impl<'a> From<&'a DrawView> for StoredDrawView<'a> {
    fn from(view: &'a DrawView) -> Self {
        Self {
            draw: view.draw.as_str(),
            terms: (&view.terms).into(),
            admission: view.admission.into(),
            commitment: view.commitment,
            seed: view.seed.map(|seed| seed.0),
            entries: view.entries,
            closed_at: view.closed_at,
            version: view.version,
            now: view.now,
        }
    }
}

impl StoredDrawView<'_> {
    pub(super) fn read(self) -> Result<DrawView, CodecError> {
        Ok(DrawView {
            draw: draw_id(self.draw)?,
            terms: self.terms.read()?,
            admission: self.admission.into(),
            commitment: self.commitment,
            seed: self.seed.map(Seed),
            entries: self.entries,
            closed_at: self.closed_at,
            version: self.version,
            now: self.now,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredDrawPut<'a> {
    draw: &'a str,
    #[serde(borrow)]
    terms: StoredTerms<'a>,
    admission: StoredAdmission,
    precondition: StoredPrecondition,
    sealed: Option<StoredSealed>,
}

impl<'a> From<&'a DrawPut> for StoredDrawPut<'a> {
    fn from(put: &'a DrawPut) -> Self {
        Self {
            draw: put.draw.as_str(),
            terms: (&put.terms).into(),
            admission: put.admission.into(),
            precondition: (&put.precondition).into(),
            sealed: put.sealed.map(StoredSealed::from),
        }
    }
}

impl StoredDrawPut<'_> {
    pub(super) fn read(self) -> Result<DrawPut, CodecError> {
        Ok(DrawPut {
            draw: draw_id(self.draw)?,
            terms: self.terms.read()?,
            admission: self.admission.into(),
            precondition: self.precondition.into(),
            sealed: self.sealed.map(SeedCommitment::from),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredEntryMade<'a> {
    draw: &'a str,
    user: &'a str,
    client_seed: Option<&'a str>,
    number: u32,
    pick: Option<u8>,
    reason: u8,
    expires_at: Option<u64>,
}

impl<'a> From<&'a EntryMade> for StoredEntryMade<'a> {
    fn from(made: &'a EntryMade) -> Self {
        Self {
            draw: made.draw.as_str(),
            user: made.user.as_str(),
            client_seed: made.client_seed.as_deref(),
            number: made.number,
            pick: made.pick,
            reason: made.reason as u8,
            expires_at: made.expires_at,
        }
    }
}

impl StoredEntryMade<'_> {
    pub(super) fn read(self) -> Result<EntryMade, CodecError> {
        Ok(EntryMade {
            draw: draw_id(self.draw)?,
            user: UserId::parse(self.user).map_err(|_| CodecError::Value("user id"))?,
            client_seed: client_seed(self.client_seed)?,
            number: self.number,
            pick: self.pick,
            reason: entry_reason(self.reason)?,
            expires_at: self.expires_at,
        })
    }
}
