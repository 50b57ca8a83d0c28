//! Stored shapes of what is asked of orders: lines, how units are taken, actions.

use super::CodecError;
use super::sku::sku_id;
use crate::domain::model::command::{Action, Refund, Take};
use crate::domain::model::ids::{LineRequest, LineRequests};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

pub(super) type StoredLines<'a> = SmallVec<[(&'a str, u32); 1]>;

pub(super) fn store_lines(lines: &LineRequests) -> StoredLines<'_> {
    lines.iter().map(|line| (line.sku.as_str(), line.quantity)).collect()
}

pub(super) fn read_lines(lines: StoredLines<'_>) -> Result<LineRequests, CodecError> {
    let line = |(sku, quantity)| Ok(LineRequest { sku: sku_id(sku)?, quantity });
    lines.into_iter().map(line).collect()
}

#[derive(Serialize, Deserialize, Clone, Copy)]
pub(super) enum StoredTake {
    Hold(Option<u64>),
    Sell,
}

impl From<Take> for StoredTake {
    fn from(take: Take) -> Self {
        match take {
            Take::Hold(hold_ms) => Self::Hold(hold_ms),
            Take::Sell => Self::Sell,
        }
    }
}

impl From<StoredTake> for Take {
    fn from(stored: StoredTake) -> Self {
        match stored {
            StoredTake::Hold(hold_ms) => Self::Hold(hold_ms),
            StoredTake::Sell => Self::Sell,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) enum StoredAction<'a> {
    Confirm {
        reacquire: bool,
    },
    Cancel,
    Extend(u64),
    Ship,
    Complete,
    Refund {
        #[serde(borrow)]
        lines: StoredLines<'a>,
        restock: bool,
    },
}

impl<'a> From<&'a Action> for StoredAction<'a> {
    fn from(action: &'a Action) -> Self {
        match action {
            Action::Confirm { reacquire } => Self::Confirm { reacquire: *reacquire },
            Action::Cancel => Self::Cancel,
            Action::Extend(hold_ms) => Self::Extend(*hold_ms),
            Action::Ship => Self::Ship,
            Action::Complete => Self::Complete,
            Action::Refund(refund) => {
                Self::Refund { lines: store_lines(&refund.lines), restock: refund.restock }
            }
        }
    }
}

impl StoredAction<'_> {
    pub(super) fn read(self) -> Result<Action, CodecError> {
        Ok(match self {
            Self::Confirm { reacquire } => Action::Confirm { reacquire },
            Self::Cancel => Action::Cancel,
            Self::Extend(hold_ms) => Action::Extend(hold_ms),
            Self::Ship => Action::Ship,
            Self::Complete => Action::Complete,
            Self::Refund { lines, restock } => {
                Action::Refund(Refund { lines: read_lines(lines)?, restock })
            }
        })
    }
}
