//! Stored shapes of refusals that are kept whole. Variants and members are only ever appended.
//!
//! Owns how a refusal is written as it is given, so that none waits for its frame in any other
//! form, and how a record is put together from such bytes. Next: `event`, `writer::keeping`.

use super::action::{StoredAction, StoredLines, StoredTake, read_lines, store_lines};
use super::draw::{StoredAdmission, StoredTerms, client_seed, draw_id};
use super::sku::{StoredAdjustment, StoredPatchSku, StoredPrecondition, StoredSettings, sku_id};
use super::values::{StoredOrderId, status, user_id};
use super::{CodecError, LAYOUT};
use crate::domain::model::answer::{Refusal, ShortLine, TABLES, UserLimit, Window};
use crate::domain::model::command::{
    AdjustSku, Command, CreateOrder, DeleteDraw, DeleteSku, EnterDraw, PutDraw, PutSku, Reach,
    Request,
};
use crate::domain::model::draw::Seed;
use crate::domain::model::ids::{KeyClaim, PrincipalName, Sequence, Stamp};
use crate::domain::model::kept::{INVALID_FIELDS, KeptRefusal};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The number of `StoredEvent::RefusalsKept`.
const REFUSALS_KEPT: u32 = 30;

/// A refusal as it is given, with where and when that is.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// What was asked, and by whom.
    pub request: &'a Request,
    pub refusal: &'a Refusal,
    /// The sequence that the client is told.
    pub seen: Sequence,
    pub at: Stamp,
    /// At the sold-out edge.
    pub at_edge: bool,
}

/// Appends one refusal's bytes, to become a part of a record. False, and nothing is appended, for a
/// read: nothing was refused by a look-up that found nothing.
pub fn encode_refusal(given: &Given<'_>, bytes: &mut Vec<u8>) -> bool {
    let Some(command) = StoredCommand::of(&given.request.command) else { return false };
    let principal = &given.request.principal;
    let stored = StoredKept {
        principal: principal.name.as_str(),
        reach_all: principal.reach == Reach::All,
        key: given.request.key.map(|key| (key.hash, key.fingerprint)),
        command,
        refusal: given.refusal.into(),
        seen: given.seen,
        at: given.at,
        at_edge: given.at_edge,
    };
    bincode::serde::encode_into_std_write(stored, bytes, LAYOUT)
        .expect("a refusal of bounded members always encodes into memory");
    true
}

/// Appends the bytes of a record of so many refusals, each of them as `encode_refusal` wrote it.
pub fn encode_refusals(count: u32, refusals: &[u8], bytes: &mut Vec<u8>) {
    // No request caused it.
    bytes.push(0);
    bytes.extend_from_slice(&REFUSALS_KEPT.to_le_bytes());
    bytes.extend_from_slice(&u64::from(count).to_le_bytes());
    bytes.extend_from_slice(refusals);
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredKept<'a> {
    principal: &'a str,
    reach_all: bool,
    key: Option<(u128, u64)>,
    #[serde(borrow)]
    command: StoredCommand<'a>,
    #[serde(borrow)]
    refusal: StoredRefusal<'a>,
    seen: u64,
    at: u64,
    at_edge: bool,
}

impl<'a> From<&'a KeptRefusal> for StoredKept<'a> {
    fn from(kept: &'a KeptRefusal) -> Self {
        Self {
            principal: kept.principal.as_str(),
            reach_all: kept.reach_all,
            key: kept.key.map(|key| (key.hash, key.fingerprint)),
            command: StoredCommand::of(&kept.command).expect("reads are not kept"),
            refusal: (&kept.refusal).into(),
            seen: kept.seen,
            at: kept.at,
            at_edge: kept.at_edge,
        }
    }
}

impl StoredKept<'_> {
    pub(super) fn read(self) -> Result<KeptRefusal, CodecError> {
        let principal = PrincipalName::parse(self.principal);
        Ok(KeptRefusal {
            principal: principal.map_err(|_| CodecError::Value("principal"))?,
            reach_all: self.reach_all,
            key: self.key.map(|(hash, fingerprint)| KeyClaim { hash, fingerprint }),
            command: self.command.read()?,
            refusal: self.refusal.read()?,
            seen: self.seen,
            at: self.at,
            at_edge: self.at_edge,
        })
    }
}

/// What was asked. A new draw's seed is no part of it: it is a secret, and decides nothing here.
#[derive(Serialize, Deserialize)]
enum StoredCommand<'a> {
    CreateOrder {
        user: &'a str,
        #[serde(borrow)]
        lines: StoredLines<'a>,
        reference: Option<&'a str>,
        take: StoredTake,
    },
    ActOnOrder {
        order: StoredOrderId,
        #[serde(borrow)]
        action: StoredAction<'a>,
    },
    PutSku {
        sku: &'a str,
        stock: u64,
        #[serde(borrow)]
        settings: StoredSettings<'a>,
        precondition: StoredPrecondition,
    },
    PatchSku(#[serde(borrow)] StoredPatchSku<'a>),
    AdjustSku {
        sku: &'a str,
        adjustment: StoredAdjustment,
        reason: &'a str,
        precondition: StoredPrecondition,
    },
    DeleteSku {
        sku: &'a str,
        precondition: StoredPrecondition,
    },
    PutDraw {
        draw: &'a str,
        #[serde(borrow)]
        terms: StoredTerms<'a>,
        admission: StoredAdmission,
        precondition: StoredPrecondition,
    },
    EnterDraw {
        draw: &'a str,
        user: &'a str,
        client_seed: Option<&'a str>,
    },
    CloseDraw(&'a str),
    DeleteDraw {
        draw: &'a str,
        precondition: StoredPrecondition,
    },
}

impl<'a> StoredCommand<'a> {
    /// None for a read.
    fn of(command: &'a Command) -> Option<Self> {
        Some(match command {
            Command::CreateOrder(create) => Self::CreateOrder {
                user: create.user.as_str(),
                lines: store_lines(&create.lines),
                reference: create.reference.as_deref(),
                take: create.take.into(),
            },
            Command::ActOnOrder(order, action) => {
                Self::ActOnOrder { order: (*order).into(), action: action.into() }
            }
            Command::PutSku(put) => Self::PutSku {
                sku: put.sku.as_str(),
                stock: put.stock,
                settings: (&put.settings).into(),
                precondition: (&put.precondition).into(),
            },
            Command::PatchSku(patch) => Self::PatchSku((&**patch).into()),
            Command::AdjustSku(adjust) => Self::AdjustSku {
                sku: adjust.sku.as_str(),
                adjustment: adjust.adjustment.into(),
                reason: &adjust.reason,
                precondition: (&adjust.precondition).into(),
            },
            Command::DeleteSku(delete) => Self::DeleteSku {
                sku: delete.sku.as_str(),
                precondition: (&delete.precondition).into(),
            },
            Command::PutDraw(put) => Self::PutDraw {
                draw: put.draw.as_str(),
                terms: (&put.terms).into(),
                admission: put.admission.into(),
                precondition: (&put.precondition).into(),
            },
            Command::EnterDraw(enter) => Self::EnterDraw {
                draw: enter.draw.as_str(),
                user: enter.user.as_str(),
                client_seed: enter.client_seed.as_deref(),
            },
            Command::CloseDraw(draw) => Self::CloseDraw(draw.as_str()),
            Command::DeleteDraw(delete) => Self::DeleteDraw {
                draw: delete.draw.as_str(),
                precondition: (&delete.precondition).into(),
            },
            Command::Read(_) => return None,
        })
    }

    fn read(self) -> Result<Command, CodecError> {
        Ok(match self {
            Self::CreateOrder { user, lines, reference, take } => {
                let lines = read_lines(lines)?;
                // The rules count on it.
                if lines.is_empty() {
                    return Err(CodecError::Value("order without lines"));
                }
                Command::CreateOrder(CreateOrder {
                    user: user_id(user)?,
                    lines,
                    reference: reference.map(Into::into),
                    take: take.into(),
                })
            }
            Self::ActOnOrder { order, action } => Command::ActOnOrder(order.into(), action.read()?),
            Self::PutSku { sku, stock, settings, precondition } => {
                Command::PutSku(Box::new(PutSku {
                    sku: sku_id(sku)?,
                    stock,
                    settings: settings.read()?,
                    precondition: precondition.into(),
                }))
            }
            Self::PatchSku(patch) => Command::PatchSku(Box::new(patch.read()?)),
            Self::AdjustSku { sku, adjustment, reason, precondition } => {
                Command::AdjustSku(Box::new(AdjustSku {
                    sku: sku_id(sku)?,
                    adjustment: adjustment.into(),
                    reason: reason.to_owned(),
                    precondition: precondition.into(),
                }))
            }
            Self::DeleteSku { sku, precondition } => Command::DeleteSku(Box::new(DeleteSku {
                sku: sku_id(sku)?,
                precondition: precondition.into(),
            })),
            Self::PutDraw { draw, terms, admission, precondition } => {
                Command::PutDraw(Box::new(PutDraw {
                    draw: draw_id(draw)?,
                    terms: terms.read()?,
                    admission: admission.into(),
                    seed: Seed([0; 32]),
                    precondition: precondition.into(),
                }))
            }
            Self::EnterDraw { draw, user, client_seed: seed } => Command::EnterDraw(EnterDraw {
                draw: draw_id(draw)?,
                user: user_id(user)?,
                client_seed: client_seed(seed)?,
            }),
            Self::CloseDraw(draw) => Command::CloseDraw(draw_id(draw)?),
            Self::DeleteDraw { draw, precondition } => Command::DeleteDraw(Box::new(DeleteDraw {
                draw: draw_id(draw)?,
                precondition: precondition.into(),
            })),
        })
    }
}

#[derive(Serialize, Deserialize)]
enum StoredRefusal<'a> {
    KeyReused,
    UnknownSku(&'a str),
    UnknownOrder,
    UnknownDraw,
    UnknownRequest,
    VersionMismatch(Option<u64>),
    IfMatchRequired(u64),
    InvalidTransition(u8),
    HoldExpired,
    Closed(&'a str, u64, u64),
    NotOpen(&'a str, u64, u64),
    Paused(&'a str),
    UserLimit { sku: &'a str, limit: u64, used: u64, requested: u64 },
    HoldLimit { used: u32, limit: u32 },
    DrawOnly(&'a str),
    DrawClosed { closes_at: u64, now: u64 },
    DrawNotOpen { opens_at: u64, now: u64 },
    EntryLimit { used: u64, limit: u64 },
    DrawFixed,
    DrawUnclosed,
    SoldOut(#[serde(borrow)] SmallVec<[(&'a str, u64, u64, u64); 1]>),
    StockBelowCommitted { held: u64, sold: u64 },
    InUse(u64),
    Invalid(&'a str),
    Capacity(&'a str),
}

impl<'a> From<&'a Refusal> for StoredRefusal<'a> {
    fn from(refusal: &'a Refusal) -> Self {
        match refusal {
            Refusal::KeyReused => Self::KeyReused,
            Refusal::UnknownSku(sku) => Self::UnknownSku(sku.as_str()),
            Refusal::UnknownOrder => Self::UnknownOrder,
            Refusal::UnknownDraw => Self::UnknownDraw,
            Refusal::UnknownRequest => Self::UnknownRequest,
            Refusal::VersionMismatch(version) => Self::VersionMismatch(*version),
            Refusal::IfMatchRequired(version) => Self::IfMatchRequired(*version),
            Refusal::InvalidTransition(status) => Self::InvalidTransition(*status as u8),
            Refusal::HoldExpired => Self::HoldExpired,
            Refusal::Closed(window) => Self::Closed(window.sku.as_str(), window.edge, window.now),
            Refusal::NotOpen(window) => Self::NotOpen(window.sku.as_str(), window.edge, window.now),
            Refusal::Paused(sku) => Self::Paused(sku.as_str()),
            Refusal::UserLimit(of) => {
                let UserLimit { sku, limit, used, requested } = &**of;
                let (limit, used, requested) = (*limit, *used, *requested);
                Self::UserLimit { sku: sku.as_str(), limit, used, requested }
            }
            Refusal::HoldLimit { used, limit } => Self::HoldLimit { used: *used, limit: *limit },
            Refusal::DrawOnly(sku) => Self::DrawOnly(sku.as_str()),
            Refusal::DrawClosed { closes_at, now } => {
                Self::DrawClosed { closes_at: *closes_at, now: *now }
            }
            Refusal::DrawNotOpen { opens_at, now } => {
                Self::DrawNotOpen { opens_at: *opens_at, now: *now }
            }
            Refusal::EntryLimit { used, limit } => Self::EntryLimit { used: *used, limit: *limit },
            Refusal::DrawFixed => Self::DrawFixed,
            Refusal::DrawUnclosed => Self::DrawUnclosed,
            Refusal::SoldOut(lines) => {
                let line = |line: &'a ShortLine| {
                    (line.sku.as_str(), line.requested, line.available, line.held)
                };
                Self::SoldOut(lines.iter().map(|boxed| line(boxed)).collect())
            }
            Refusal::StockBelowCommitted { held, sold } => {
                Self::StockBelowCommitted { held: *held, sold: *sold }
            }
            Refusal::InUse { held } => Self::InUse(*held),
            Refusal::Invalid { field, .. } => Self::Invalid(field),
            Refusal::Capacity(table) => Self::Capacity(table),
        }
    }
}

impl StoredRefusal<'_> {
    fn read(self) -> Result<Refusal, CodecError> {
        let window = |sku: &str, edge, now| -> Result<Box<Window>, CodecError> {
            Ok(Box::new(Window { sku: sku_id(sku)?, edge, now }))
        };
        Ok(match self {
            Self::KeyReused => Refusal::KeyReused,
            Self::UnknownSku(sku) => Refusal::UnknownSku(sku_id(sku)?),
            Self::UnknownOrder => Refusal::UnknownOrder,
            Self::UnknownDraw => Refusal::UnknownDraw,
            Self::UnknownRequest => Refusal::UnknownRequest,
            Self::VersionMismatch(version) => Refusal::VersionMismatch(version),
            Self::IfMatchRequired(version) => Refusal::IfMatchRequired(version),
            Self::InvalidTransition(number) => Refusal::InvalidTransition(status(number)?),
            Self::HoldExpired => Refusal::HoldExpired,
            Self::Closed(sku, edge, now) => Refusal::Closed(window(sku, edge, now)?),
            Self::NotOpen(sku, edge, now) => Refusal::NotOpen(window(sku, edge, now)?),
            Self::Paused(sku) => Refusal::Paused(sku_id(sku)?),
            Self::UserLimit { sku, limit, used, requested } => {
                Refusal::UserLimit(Box::new(UserLimit {
                    sku: sku_id(sku)?,
                    limit,
                    used,
                    requested,
                }))
            }
            Self::HoldLimit { used, limit } => Refusal::HoldLimit { used, limit },
            Self::DrawOnly(sku) => Refusal::DrawOnly(sku_id(sku)?),
            Self::DrawClosed { closes_at, now } => Refusal::DrawClosed { closes_at, now },
            Self::DrawNotOpen { opens_at, now } => Refusal::DrawNotOpen { opens_at, now },
            Self::EntryLimit { used, limit } => Refusal::EntryLimit { used, limit },
            Self::DrawFixed => Refusal::DrawFixed,
            Self::DrawUnclosed => Refusal::DrawUnclosed,
            Self::SoldOut(lines) => {
                let line = |(sku, requested, available, held)| {
                    Ok(Box::new(ShortLine { sku: sku_id(sku)?, requested, available, held }))
                };
                let lines: Result<_, CodecError> = lines.into_iter().map(line).collect();
                Refusal::SoldOut(lines?)
            }
            Self::StockBelowCommitted { held, sold } => Refusal::StockBelowCommitted { held, sold },
            Self::InUse(held) => Refusal::InUse { held },
            Self::Invalid(field) => {
                Refusal::Invalid { field: known(&INVALID_FIELDS, field), reason: "" }
            }
            Self::Capacity(table) => Refusal::Capacity(known(&TABLES, table)),
        })
    }
}

/// The word of this list that is meant; its last one for a word of another version.
fn known(words: &'static [&'static str], word: &str) -> &'static str {
    let last = words.last().expect("a list of words");
    words.iter().find(|own| **own == word).unwrap_or(last)
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
