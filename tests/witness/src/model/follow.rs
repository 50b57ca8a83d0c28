//! The model follows a journal: what nobody asked for happens in it as the journal says, if it may.
//!
//! Next: `check`.

use super::{EVENT_MAX, Model};
use doorbuster::domain::model::event::{Event, HoldsGraced, RefusalCount};
use doorbuster::domain::model::ids::{OrderId, Sequence, Stamp};
use doorbuster::domain::model::order::Status;
use doorbuster::domain::model::settings::Settings;

type Allowed = Result<(), String>;

fn must(true_of_it: bool, why: &str) -> Allowed {
    if true_of_it { Ok(()) } else { Err(why.to_owned()) }
}

impl Model {
    /// Before the first start of a server.
    #[must_use]
    pub fn blank() -> Self {
        Self { sequence: 0, epoch: 0, ..Self::start(Settings::default(), 0) }
    }

    /// The sequence of the last event.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Takes an event that nobody asked for.
    ///
    /// # Errors
    /// Why it should not have happened.
    pub fn follow(&mut self, event: &Event, now: Stamp) -> Allowed {
        self.now = now;
        match event {
            Event::Started(started) => {
                must(started.epoch > self.epoch, "an epoch is higher than the last")?;
                self.epoch = started.epoch;
                self.sequence += 1;
                self.refused.clear();
                Ok(())
            }
            Event::SettingsChanged(settings) => {
                must(**settings != self.settings, "settings change to others")?;
                self.change_settings((**settings).clone());
                Ok(())
            }
            Event::HoldsGraced(graced) => self.grace(graced),
            Event::OrderExpired(order) => self.expire_one(*order),
            Event::KeysForgotten(count) => self.forget_some(*count as usize),
            Event::OrdersArchived(orders) => self.archive_some(orders),
            Event::UsesPurged(purged) => {
                let first = self.skus.iter().find(|sku| !sku.to_purge.is_empty());
                let count = first.map_or(0, |sku| sku.to_purge.len());
                must(count == purged.count as usize && self.purge(), "uses of a deleted SKU go")
            }
            Event::EntriesPurged(_) => must(self.purge_entries(), "entries of a deleted draw go"),
            Event::RefusalsCounted(counts) => self.take_refusals(counts),
            Event::RefusalsKept(_) | Event::RefusalsNotKept(_) => {
                self.sequence += 1;
                Ok(())
            }
            _ => Err("somebody must have asked for it".to_owned()),
        }
    }

    fn grace(&mut self, graced: &HoldsGraced) -> Allowed {
        let due = |order: &super::Order| {
            order.status == Status::Held && order.expires_at <= self.now && !order.graced
        };
        let all_due = graced.orders.iter().all(|id| self.kept(*id).is_some_and(due));
        must(all_due, "grace is for holds that fell due, once")?;
        let expires_at = self.now + self.settings.recovery_grace_ms;
        must(graced.expires_at == expires_at, "grace counts from the start")?;
        self.sequence += 1;
        let (now, sequence) = (self.now, self.sequence);
        for order in self.orders.iter_mut().filter(|order| graced.orders.contains(&order.id)) {
            order.graced = true;
            order.expires_at = expires_at;
            order.changed = sequence;
            order.touched = (now, sequence);
        }
        Ok(())
    }

    fn expire_one(&mut self, id: OrderId) -> Allowed {
        let order = self.kept(id).ok_or("an order that is not kept expires")?;
        must(order.status == Status::Held, "only a hold expires")?;
        must(order.expires_at <= self.now, "a hold expires when it is due, not before")?;
        self.change(id, |order| order.status = Status::Expired);
        Ok(())
    }

    fn forget_some(&mut self, count: usize) -> Allowed {
        let over = |key: &super::Key| key.at + self.settings.idempotency_retain_ms <= self.now;
        let may_go = self.keys.iter().take_while(|key| over(key)).take(EVENT_MAX).count();
        must((1..=may_go).contains(&count), "keys are kept as long as promised")?;
        self.keys.drain(..count);
        self.sequence += 1;
        Ok(())
    }

    fn archive_some(&mut self, orders: &[OrderId]) -> Allowed {
        let full = self.orders.len() >= self.settings.caps.orders as usize;
        let early = if full { self.settings.idempotency_retain_ms } else { self.retain_ms() };
        let fits = [self.retain_ms(), early].into_iter().find(|retain_ms| {
            let may_go = self.archivable(*retain_ms);
            !orders.is_empty() && orders.iter().eq(may_go.iter().take(orders.len()))
        });
        must(fits.is_some(), "orders are kept as long as promised, the longest untouched go")?;
        self.archive_these(orders);
        Ok(())
    }

    fn take_refusals(&mut self, counts: &[RefusalCount]) -> Allowed {
        must(counts.iter().all(|of| of.count > 0), "what is counted happened")?;
        let name = |of: &RefusalCount| (of.sku.clone(), of.reason);
        let sorted = counts.windows(2).all(|pair| name(&pair[0]) < name(&pair[1]));
        must(sorted, "refusals are counted once each, in the order of their names")?;
        self.refused.clear();
        self.sequence += 1;
        for of in counts {
            if let Some(sku) = self.live(&of.sku) {
                self.skus[sku].refused.0[of.reason as usize] += of.count;
            }
        }
        Ok(())
    }
}
