//! Stored shapes of what is said about SKUs.

use super::CodecError;
use crate::domain::model::answer::SkuView;
use crate::domain::model::command::{
    Adjustment, Patch, PatchSku, Precondition, SkuChanges, SkuSettings,
};
use crate::domain::model::ids::{GroupId, SkuId};
use crate::domain::model::sku::{RefusalReason, Refused};
use serde::{Deserialize, Serialize};

pub(super) fn sku_id(text: &str) -> Result<SkuId, CodecError> {
    SkuId::parse(text).map_err(|_| CodecError::Value("SKU id"))
}

fn group_id(text: &str) -> Result<GroupId, CodecError> {
    GroupId::parse(text).map_err(|_| CodecError::Value("group id"))
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredSettings<'a> {
    per_user_limit: u64,
    limit_group: Option<&'a str>,
    opens_at: Option<u64>,
    closes_at: Option<u64>,
    hold_ms: Option<u64>,
    paused: bool,
    direct: bool,
}

impl<'a> From<&'a SkuSettings> for StoredSettings<'a> {
    fn from(settings: &'a SkuSettings) -> Self {
        Self {
            per_user_limit: settings.per_user_limit,
            limit_group: settings.limit_group.as_ref().map(GroupId::as_str),
            opens_at: settings.opens_at,
            closes_at: settings.closes_at,
            hold_ms: settings.hold_ms,
            paused: settings.paused,
            direct: settings.direct,
        }
    }
}

impl StoredSettings<'_> {
    pub(super) fn read(&self) -> Result<SkuSettings, CodecError> {
        Ok(SkuSettings {
            per_user_limit: self.per_user_limit,
            limit_group: self.limit_group.map(group_id).transpose()?,
            opens_at: self.opens_at,
            closes_at: self.closes_at,
            hold_ms: self.hold_ms,
            paused: self.paused,
            direct: self.direct,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) enum StoredPrecondition {
    None,
    Exists,
    Version(Option<u64>),
    Absent,
    /// Events keep the version that met it instead.
    OneOf(Box<[u64]>),
    NoneOf {
        exists: bool,
        versions: Box<[u64]>,
    },
}

impl From<&Precondition> for StoredPrecondition {
    fn from(precondition: &Precondition) -> Self {
        match precondition {
            Precondition::None => Self::None,
            Precondition::Exists => Self::Exists,
            Precondition::Version(version) => Self::Version(*version),
            Precondition::Absent => Self::Absent,
            Precondition::OneOf(versions) => Self::OneOf(versions.clone()),
            Precondition::NoneOf { exists, versions } => {
                Self::NoneOf { exists: *exists, versions: versions.clone() }
            }
        }
    }
}

impl From<StoredPrecondition> for Precondition {
    fn from(stored: StoredPrecondition) -> Self {
        match stored {
            StoredPrecondition::None => Self::None,
            StoredPrecondition::Exists => Self::Exists,
            StoredPrecondition::Version(version) => Self::Version(version),
            StoredPrecondition::Absent => Self::Absent,
            StoredPrecondition::OneOf(versions) => Self::OneOf(versions),
            StoredPrecondition::NoneOf { exists, versions } => Self::NoneOf { exists, versions },
        }
    }
}

#[derive(Serialize, Deserialize, Clone, Copy)]
pub(super) enum StoredAdjustment {
    Delta(i64),
    Stock(u64),
}

impl From<Adjustment> for StoredAdjustment {
    fn from(adjustment: Adjustment) -> Self {
        match adjustment {
            Adjustment::Delta(delta) => Self::Delta(delta),
            Adjustment::Stock(stock) => Self::Stock(stock),
        }
    }
}

impl From<StoredAdjustment> for Adjustment {
    fn from(stored: StoredAdjustment) -> Self {
        match stored {
            StoredAdjustment::Delta(delta) => Self::Delta(delta),
            StoredAdjustment::Stock(stock) => Self::Stock(stock),
        }
    }
}

#[derive(Serialize, Deserialize)]
enum StoredPatch<T> {
    Keep,
    Reset,
    Set(T),
}

impl<T: Clone> From<&Patch<T>> for StoredPatch<T> {
    fn from(patch: &Patch<T>) -> Self {
        match patch {
            Patch::Keep => Self::Keep,
            Patch::Reset => Self::Reset,
            Patch::Set(value) => Self::Set(value.clone()),
        }
    }
}

impl<T> From<StoredPatch<T>> for Patch<T> {
    fn from(stored: StoredPatch<T>) -> Self {
        match stored {
            StoredPatch::Keep => Self::Keep,
            StoredPatch::Reset => Self::Reset,
            StoredPatch::Set(value) => Self::Set(value),
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredChanges<'a> {
    per_user_limit: StoredPatch<u64>,
    #[serde(borrow)]
    limit_group: StoredPatch<Option<&'a str>>,
    opens_at: StoredPatch<Option<u64>>,
    closes_at: StoredPatch<Option<u64>>,
    hold_ms: StoredPatch<Option<u64>>,
    paused: StoredPatch<bool>,
    direct: StoredPatch<bool>,
}

impl<'a> From<&'a SkuChanges> for StoredChanges<'a> {
    fn from(changes: &'a SkuChanges) -> Self {
        let limit_group = match &changes.limit_group {
            Patch::Keep => StoredPatch::Keep,
            Patch::Reset => StoredPatch::Reset,
            Patch::Set(group) => StoredPatch::Set(group.as_ref().map(GroupId::as_str)),
        };
        Self {
            per_user_limit: (&changes.per_user_limit).into(),
            limit_group,
            opens_at: (&changes.opens_at).into(),
            closes_at: (&changes.closes_at).into(),
            hold_ms: (&changes.hold_ms).into(),
            paused: (&changes.paused).into(),
            direct: (&changes.direct).into(),
        }
    }
}

impl StoredChanges<'_> {
    fn read(self) -> Result<SkuChanges, CodecError> {
        let limit_group = match self.limit_group {
            StoredPatch::Keep => Patch::Keep,
            StoredPatch::Reset => Patch::Reset,
            StoredPatch::Set(group) => Patch::Set(group.map(group_id).transpose()?),
        };
        Ok(SkuChanges {
            per_user_limit: self.per_user_limit.into(),
            limit_group,
            opens_at: self.opens_at.into(),
            closes_at: self.closes_at.into(),
            hold_ms: self.hold_ms.into(),
            paused: self.paused.into(),
            direct: self.direct.into(),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredPatchSku<'a> {
    sku: &'a str,
    #[serde(borrow)]
    changes: StoredChanges<'a>,
    precondition: StoredPrecondition,
}

impl<'a> From<&'a PatchSku> for StoredPatchSku<'a> {
    fn from(patch: &'a PatchSku) -> Self {
        Self {
            sku: patch.sku.as_str(),
            changes: (&patch.changes).into(),
            precondition: (&patch.precondition).into(),
        }
    }
}

impl StoredPatchSku<'_> {
    pub(super) fn read(self) -> Result<PatchSku, CodecError> {
        Ok(PatchSku {
            sku: sku_id(self.sku)?,
            changes: self.changes.read()?,
            precondition: self.precondition.into(),
        })
    }
}

pub(super) fn reason(number: u8) -> Result<RefusalReason, CodecError> {
    RefusalReason::ALL
        .into_iter()
        .find(|reason| *reason as u8 == number)
        .ok_or(CodecError::Value("refusal reason"))
}

/// Refusals as pairs, so that reasons can be added.
pub(super) fn refused(refused: &Refused) -> Vec<(u8, u64)> {
    refused.iter().map(|(reason, count)| (reason as u8, count)).collect()
}

/// The pairs back; a reason that stands twice is none of ours.
pub(super) fn read_refused(pairs: &[(u8, u64)]) -> Result<Refused, CodecError> {
    let mut refused = Refused::default();
    for (number, count) in pairs {
        let place = &mut refused.0[reason(*number)? as usize];
        if *place != 0 {
            return Err(CodecError::Value("refusal reason that stands twice"));
        }
        *place = *count;
    }
    Ok(refused)
}

/// A SKU as it was when a key was answered.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredSkuView<'a> {
    sku: &'a str,
    total: u64,
    held: u64,
    sold: u64,
    refused: Vec<(u8, u64)>,
    #[serde(borrow)]
    settings: StoredSettings<'a>,
    version: u64,
    now: u64,
}

impl<'a> From<&'a SkuView> for StoredSkuView<'a> {
    fn from(view: &'a SkuView) -> Self {
        Self {
            sku: view.sku.as_str(),
            total: view.total,
            held: view.held,
            sold: view.sold,
            refused: refused(&view.refused),
            settings: (&view.settings).into(),
            version: view.version,
            now: view.now,
        }
    }
}

impl StoredSkuView<'_> {
    pub(super) fn read(&self) -> Result<SkuView, CodecError> {
        Ok(SkuView {
            sku: sku_id(self.sku)?,
            total: self.total,
            held: self.held,
            sold: self.sold,
            refused: read_refused(&self.refused)?,
            settings: self.settings.read()?,
            version: self.version,
            now: self.now,
        })
    }
}
