//! The model's rules of SKUs. Next: `reads`.

use super::{Done, Model, Sku, is_sold};
use doorbuster::domain::model::answer::{Answer, Refusal};
use doorbuster::domain::model::command::{
    AdjustSku, Adjustment, DeleteSku, PatchSku, Precondition, PutSku, Request, SkuSettings,
};
use doorbuster::domain::model::ids::{GroupId, STOCK_MAX, SkuId, Stamp, UserId};
use doorbuster::domain::model::order::Status;
use doorbuster::domain::model::sku::Refused;
use std::collections::{BTreeMap, BTreeSet};

impl Model {
    /// When sales and draws open or close, behind one moment and up to another, in order.
    pub(crate) fn edges(&self, after: Stamp, until: Stamp) -> BTreeSet<Stamp> {
        let sales = self.skus.iter().filter(|sku| !sku.deleted);
        let sales = sales.flat_map(|sku| [sku.settings.opens_at, sku.settings.closes_at]);
        let draws = self.draws.iter().map(|draw| draw.admission);
        let draws = draws.flat_map(|admission| [admission.opens_at, admission.closes_at]);
        sales.chain(draws).flatten().filter(|edge| (after + 1..=until).contains(edge)).collect()
    }

    /// The SKU that has this id now.
    pub(super) fn live(&self, id: &SkuId) -> Option<usize> {
        self.skus.iter().position(|sku| sku.id == *id && !sku.deleted)
    }

    pub(super) fn members(&self, group: &GroupId) -> Vec<usize> {
        let is_in = |sku: &Sku| !sku.deleted && sku.settings.limit_group.as_ref() == Some(group);
        (0..self.skus.len()).filter(|sku| is_in(&self.skus[*sku])).collect()
    }

    pub(super) fn held(&self, sku: usize) -> u64 {
        self.units(sku, |order| order.status == Status::Held)
    }

    pub(super) fn sold(&self, sku: usize) -> u64 {
        self.skus[sku].sold_before + self.units(sku, |order| is_sold(order.status))
    }

    pub(super) fn available(&self, sku: usize) -> u64 {
        self.skus[sku].total - self.held(sku) - self.sold(sku)
    }

    /// Users with units in use at a SKU, or, after its deletion, whose use has still to go.
    pub(super) fn users_of(&self, sku: usize) -> BTreeSet<UserId> {
        if self.skus[sku].deleted {
            return self.skus[sku].to_purge.clone();
        }
        let mut users: BTreeSet<UserId> =
            self.orders.iter().map(|order| order.user.clone()).collect();
        users.extend(self.skus[sku].use_before.keys().cloned());
        users.retain(|user| self.in_use(sku, user) > 0);
        users
    }

    pub(super) fn uses(&self) -> usize {
        (0..self.skus.len()).map(|sku| self.users_of(sku).len()).sum()
    }

    /// Users with an order or a use.
    pub(super) fn users(&self) -> BTreeSet<UserId> {
        let with_use = (0..self.skus.len()).flat_map(|sku| self.users_of(sku));
        self.orders.iter().map(|order| order.user.clone()).chain(with_use).collect()
    }

    /// SKUs on sale, and deleted ones that an order or a use still names.
    pub(super) fn skus_kept(&self) -> usize {
        let named = |at: usize| {
            self.orders.iter().any(|order| order.lines.iter().any(|line| line.sku == at))
        };
        let kept =
            |at: &usize| !self.skus[*at].deleted || named(*at) || !self.users_of(*at).is_empty();
        (0..self.skus.len()).filter(kept).count()
    }

    fn check_precondition(
        &self,
        precondition: &Precondition,
        sku: Option<usize>,
    ) -> Result<(), Refusal> {
        let version = sku.map(|sku| self.skus[sku].version);
        let met = match precondition {
            Precondition::None => true,
            Precondition::Exists => sku.is_some(),
            Precondition::Absent => sku.is_none(),
            Precondition::Version(None) => false,
            Precondition::Version(asked) => version == *asked,
            Precondition::OneOf(versions) => versions.iter().any(|asked| version == Some(*asked)),
            Precondition::NoneOf { exists, versions } => {
                (sku.is_some() || !exists) && versions.iter().all(|asked| version != Some(*asked))
            }
        };
        if met { Ok(()) } else { Err(Refusal::VersionMismatch(version)) }
    }

    fn check_total(&self, sku: usize, total: u64) -> Result<(), Refusal> {
        let (held, sold) = (self.held(sku), self.sold(sku));
        if total < held + sold {
            return Err(Refusal::StockBelowCommitted { held, sold });
        }
        Ok(())
    }

    fn check_settings(&self, sku: Option<usize>, settings: &SkuSettings) -> Result<(), Refusal> {
        if let (Some(opens), Some(closes)) = (settings.opens_at, settings.closes_at)
            && closes <= opens
        {
            return Err(Refusal::Invalid { field: "closes_at", reason: "" });
        }
        if let Some(group) = &settings.limit_group {
            let others = self.members(group).iter().filter(|member| Some(**member) != sku).count();
            if others >= 64 {
                return Err(Refusal::Invalid { field: "limit_group", reason: "" });
            }
        }
        Ok(())
    }

    fn sku_done(&self, sku: usize, changed: bool) -> Done {
        Done { changed, order: None, answer: Answer::Sku(Box::new(self.sku_view(sku))) }
    }

    pub(super) fn put_sku(&mut self, put: &PutSku) -> Result<Done, Refusal> {
        let found = self.live(&put.sku);
        self.check_precondition(&put.precondition, found)?;
        let Some(at) = found else {
            return self.create_sku(put);
        };
        if self.skus[at].total == put.stock && self.skus[at].settings == put.settings {
            return Ok(self.sku_done(at, false));
        }
        if !has_if_match(&put.precondition) {
            return Err(Refusal::IfMatchRequired(self.skus[at].version));
        }
        self.check_total(at, put.stock)?;
        self.check_settings(found, &put.settings)?;
        self.sequence += 1;
        self.skus[at].total = put.stock;
        self.skus[at].settings = put.settings.clone();
        self.skus[at].version = self.sequence;
        Ok(self.sku_done(at, true))
    }

    fn create_sku(&mut self, put: &PutSku) -> Result<Done, Refusal> {
        self.check_settings(None, &put.settings)?;
        if self.skus_kept() >= self.settings.caps.skus as usize {
            return Err(Refusal::Capacity("skus"));
        }
        self.sequence += 1;
        self.skus.push(Sku {
            id: put.sku.clone(),
            deleted: false,
            total: put.stock,
            sold_before: 0,
            use_before: BTreeMap::new(),
            to_purge: BTreeSet::new(),
            settings: put.settings.clone(),
            version: self.sequence,
            refused: Refused::default(),
        });
        let view = self.sku_view(self.skus.len() - 1);
        Ok(Done { changed: true, order: None, answer: Answer::SkuCreated(Box::new(view)) })
    }

    fn found(&self, id: &SkuId) -> Result<usize, Refusal> {
        self.live(id).ok_or(Refusal::UnknownSku(id.clone()))
    }

    pub(super) fn patch_sku(&mut self, patch: &PatchSku) -> Result<Done, Refusal> {
        let at = self.found(&patch.sku)?;
        self.check_precondition(&patch.precondition, Some(at))?;
        let settings = patch.changes.over(&self.skus[at].settings);
        if settings == self.skus[at].settings {
            return Ok(self.sku_done(at, false));
        }
        self.check_settings(Some(at), &settings)?;
        self.sequence += 1;
        self.skus[at].settings = settings;
        self.skus[at].version = self.sequence;
        Ok(self.sku_done(at, true))
    }

    pub(super) fn adjust_sku(
        &mut self,
        request: &Request,
        adjust: &AdjustSku,
    ) -> Result<Done, Refusal> {
        let at = self.found(&adjust.sku)?;
        self.check_precondition(&adjust.precondition, Some(at))?;
        let total = match adjust.adjustment {
            Adjustment::Stock(_) if !has_if_match(&adjust.precondition) => {
                return Err(Refusal::IfMatchRequired(self.skus[at].version));
            }
            Adjustment::Stock(total) => i128::from(total),
            Adjustment::Delta(delta) => i128::from(self.skus[at].total) + i128::from(delta),
        };
        let total = u64::try_from(total).map_err(|_| Refusal::StockBelowCommitted {
            held: self.held(at),
            sold: self.sold(at),
        })?;
        self.check_total(at, total)?;
        if total > STOCK_MAX {
            return Err(Refusal::Invalid { field: "delta", reason: "" });
        }
        self.make_room(request, false);
        self.check_room_for_key(request, true)?;
        self.check_room_for_answer(request)?;
        self.sequence += 1;
        if self.skus[at].total != total {
            self.skus[at].total = total;
            self.skus[at].version = self.sequence;
        }
        Ok(self.sku_done(at, true))
    }

    /// Remembered answers that are neither an order nor an entry.
    pub(super) fn answers(&self) -> usize {
        self.keys.iter().filter(|key| is_whole(key)).count()
    }

    pub(super) fn delete_sku(&mut self, delete: &DeleteSku) -> Result<Done, Refusal> {
        let at = self.found(&delete.sku)?;
        self.check_precondition(&delete.precondition, Some(at))?;
        if !has_if_match(&delete.precondition) {
            return Err(Refusal::IfMatchRequired(self.skus[at].version));
        }
        let held = self.held(at);
        if held > 0 || self.is_named(at) {
            return Err(Refusal::InUse { held });
        }
        self.sequence += 1;
        self.skus[at].to_purge = self.users_of(at);
        self.skus[at].deleted = true;
        Ok(Done { changed: true, order: None, answer: Answer::SkuDeleted })
    }
}

/// An answer that is neither an order nor an entry.
pub(super) fn is_whole(key: &super::Key) -> bool {
    matches!(key.answer, Answer::Sku(_) | Answer::Draw(_))
}

/// It says what must exist.
pub(super) fn has_if_match(precondition: &Precondition) -> bool {
    !matches!(
        precondition,
        Precondition::None | Precondition::Absent | Precondition::NoneOf { exists: false, .. }
    )
}
