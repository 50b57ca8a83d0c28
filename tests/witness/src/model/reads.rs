//! What the model shows. Next: `property`.

use super::{Model, Order};
use doorbuster::domain::model::answer::{
    Answer, LineView, OrderView, Page, Refusal, Remembered, SkuView, StateStatus, TableFill,
};
use doorbuster::domain::model::command::{Principal, Query};
use doorbuster::domain::model::ids::OrderId;
use doorbuster::domain::model::order::Status;

/// Orders that one list looks at.
const VISITS_MAX: usize = 1000;

impl Model {
    pub(super) fn read(&self, principal: &Principal, query: &Query) -> Answer {
        match query {
            Query::Sku(id) => match self.live(id) {
                Some(sku) => Answer::Sku(Box::new(self.sku_view(sku))),
                None => Answer::Refused(Refusal::UnknownSku(id.clone())),
            },
            Query::Skus { after, limit } => {
                let mut ids: Vec<_> =
                    self.skus.iter().filter(|sku| !sku.deleted).map(|sku| sku.id.clone()).collect();
                ids.sort();
                ids.retain(|id| after.as_ref().is_none_or(|after| id > after));
                let next = (ids.len() > *limit).then(|| ids[*limit - 1].clone());
                let page = ids.iter().take(*limit);
                let live = |id| self.sku_view(self.live(id).expect("a live SKU"));
                Answer::Skus(Box::new(Page { entries: page.map(live).collect(), next }))
            }
            Query::Order(id) => match self.kept(*id) {
                Some(order) if Self::visible(principal, order) => {
                    Answer::Order(Box::new(self.order_view(order)))
                }
                _ => Answer::Refused(Refusal::UnknownOrder),
            },
            Query::Orders { status, sku, after, limit } => {
                let names = |order: &Order| {
                    let mut ids = order.lines.iter().map(|line| &self.skus[line.sku].id);
                    sku.as_ref().is_none_or(|sku| ids.any(|id| id == sku))
                };
                let later = self
                    .orders
                    .iter()
                    .filter(|order| after.is_none_or(|after| order.id.sequence > after.sequence));
                self.page(later, *limit, |order| {
                    Self::visible(principal, order)
                        && status.is_none_or(|status| order.status == status)
                        && names(order)
                })
            }
            Query::UserOrders { user, after, limit } => {
                let of_user = self.orders.iter().rev().filter(|order| order.user == *user);
                let older = of_user.filter(|order| {
                    after.is_none_or(|after| order.id.sequence < after.order.sequence)
                });
                self.page(older, *limit, |order| order.principal == principal.name)
            }
            Query::Draw(id) => match self.draw(id) {
                Some(draw) => Answer::Draw(Box::new(self.draw_view(draw))),
                None => Answer::Refused(Refusal::UnknownDraw),
            },
            Query::Entries { draw, user, after, limit } => {
                self.entries(principal, draw, user.as_ref(), *after, *limit)
            }
            Query::Remembered(hash) => match self.keys.iter().find(|key| key.hash == *hash) {
                Some(key) => Answer::Remembered(Box::new(Remembered {
                    sequence: key.told(),
                    body: key.body.clone(),
                })),
                None => Answer::Refused(Refusal::UnknownRequest),
            },
            Query::Status => self.status(),
        }
    }

    /// Looks at no more than the budget, and past the page only to see whether more is to be shown.
    fn page<'a>(
        &self,
        orders: impl Iterator<Item = &'a Order>,
        limit: usize,
        wanted: impl Fn(&Order) -> bool,
    ) -> Answer {
        let orders: Vec<&Order> = orders.collect();
        let seen = &orders[..orders.len().min(VISITS_MAX)];
        let shown: Vec<&Order> = seen.iter().copied().filter(|order| wanted(order)).collect();
        let next: Option<OrderId> = if shown.len() > limit {
            Some(shown[limit - 1].id)
        } else if seen.len() < orders.len() {
            seen.last().map(|order| order.id)
        } else {
            None
        };
        let entries = shown.into_iter().take(limit).map(|order| self.order_view(order)).collect();
        Answer::Orders(Box::new(Page { entries, next }))
    }

    fn status(&self) -> Answer {
        let caps = &self.settings.caps;
        let fill =
            |name, used: usize, cap: u32| TableFill { name, used: used as u64, cap: cap.into() };
        Answer::Status(Box::new(StateStatus {
            epoch: self.epoch,
            tables: vec![
                fill("skus", self.skus_kept(), caps.skus),
                fill("orders", self.orders.len(), caps.orders),
                fill("keys", self.keys.len(), caps.keys),
                fill("answers", self.answers(), caps.answers),
                fill("uses", self.uses(), caps.uses),
                fill("users", self.users().len(), caps.users),
                fill("draws", self.draws.len(), caps.draws),
                fill("entries", self.entries_kept(), caps.entries),
                fill("principals", self.principals.len(), 4096),
            ],
        }))
    }

    pub(super) fn sku_view(&self, at: usize) -> SkuView {
        let sku = &self.skus[at];
        SkuView {
            sku: sku.id.clone(),
            total: sku.total,
            held: self.held(at),
            sold: self.sold(at),
            refused: sku.refused,
            settings: sku.settings.clone(),
            version: sku.version,
            now: self.now,
        }
    }

    pub(super) fn order_view(&self, order: &Order) -> OrderView {
        let line = |line: &super::Line| LineView {
            sku: self.skus[line.sku].id.clone(),
            quantity: line.quantity,
            refunded: line.refunded,
        };
        OrderView {
            order: order.id,
            user: order.user.clone(),
            status: order.status,
            lines: order.lines.iter().map(line).collect(),
            reference: order.reference.clone(),
            created_at: order.created_at,
            expires_at: (order.status == Status::Held).then_some(order.expires_at),
            changed_sequence: order.changed,
        }
    }
}
