//! Bookkeeping over a journal: of each SKU what is held and sold, of each user what is in use.
//!
//! Owns the invariants that must hold after every event, counted from the events alone, a few
//! look-ups an event, so that histories of any length can be checked. Knows neither commands nor
//! answers, and shares nothing with the rules or the model. Next: `check`.

use doorbuster::domain::model::draw::Reason;
use doorbuster::domain::model::event::{EntryMade, Event, OrderCreated, OrderRefunded};
use doorbuster::domain::model::ids::{
    DrawId, GroupId, LineRequests, OrderId, Sequence, SkuId, UserId,
};
use std::collections::BTreeMap;

/// What was sold and held, as the journal tells.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By the event that created it: a name may be another's later.
    skus: BTreeMap<Sequence, Sku>,
    names: BTreeMap<SkuId, Sequence>,
    orders: BTreeMap<OrderId, Order>,
    uses: BTreeMap<(Sequence, UserId), u64>,
    prizes: BTreeMap<DrawId, Vec<SkuId>>,
    epoch: u32,
    /// SKUs that this event changed.
    touched: Vec<Sequence>,
}

#[derive(Debug)]
struct Sku {
    /// None once it is deleted: then nothing of it is counted any more.
    id: Option<SkuId>,
    total: u64,
    held: u64,
    sold: u64,
    limit: u64,
    group: Option<GroupId>,
}

#[derive(Debug)]
struct Order {
    user: UserId,
    status: Status,
    /// SKU, units left.
    lines: Vec<(Sequence, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Held,
    Sold,
    Over,
}

type Kept = Result<(), String>;

fn take(from: &mut u64, units: u64, what: &str) -> Kept {
    *from = from.checked_sub(units).ok_or_else(|| format!("{what}: {from} less {units}"))?;
    Ok(())
}

impl Ledger {
    /// Books the event with this sequence.
    ///
    /// # Errors
    /// Which invariant it breaks.
    pub fn book(&mut self, sequence: Sequence, event: &Event) -> Kept {
        match event {
            Event::Started(started) => self.epoch = started.epoch,
            Event::SkuPut(put) => {
                let at = if put.created { sequence } else { self.sku(&put.sku)? };
                self.names.insert(put.sku.clone(), at);
                let id = Some(put.sku.clone());
                let new = Sku { id, total: 0, held: 0, sold: 0, limit: 0, group: None };
                self.skus.entry(at).or_insert(new);
                let sku = self.sku_mut(at);
                sku.total = put.stock;
                sku.limit = put.settings.per_user_limit;
                sku.group = put.settings.limit_group.clone();
            }
            Event::SkuPatched(patched) => {
                let at = self.sku(&patched.patch.sku)?;
                let sku = self.sku_mut(at);
                sku.limit = patched.settings.per_user_limit;
                sku.group = patched.settings.limit_group.clone();
            }
            Event::SkuAdjusted(adjusted) => {
                let at = self.sku(&adjusted.sku)?;
                self.sku_mut(at).total = adjusted.total;
            }
            Event::SkuDeleted(deleted) => {
                let at = self.sku(&deleted.sku)?;
                if self.skus[&at].held > 0 {
                    return Err(format!("{:?} is deleted while units are held", deleted.sku));
                }
                self.names.remove(&deleted.sku);
                self.sku_mut(at).id = None;
            }
            Event::DrawPut(put) => {
                let prizes = put.terms.odds.prizes().iter().map(|prize| prize.sku.clone());
                self.prizes.insert(put.draw.clone(), prizes.collect());
            }
            Event::OrderCreated(created) => self.create(sequence, created)?,
            Event::EntryMade(made) => self.enter(sequence, made)?,
            Event::OrderConfirmed(id) => self.move_held(*id, Status::Sold)?,
            Event::OrderCancelled(id) | Event::OrderExpired(id) => {
                self.move_held(*id, Status::Over)?;
            }
            Event::OrderReacquired(id) => self.reacquire(*id)?,
            Event::OrderRefunded(refunded) => self.refund(refunded)?,
            Event::OrdersArchived(orders) => {
                orders.iter().try_for_each(|order| self.archive(*order))?;
            }
            _ => {}
        }
        self.check_counts()
    }

    fn sku(&self, id: &SkuId) -> Result<Sequence, String> {
        self.names.get(id).copied().ok_or_else(|| format!("there is no {id:?}"))
    }

    fn sku_mut(&mut self, at: Sequence) -> &mut Sku {
        self.touched.push(at);
        self.skus.get_mut(&at).expect("a name and a line lead to a SKU")
    }

    /// Held and sold never exceed what there is: nothing is sold twice.
    fn check_counts(&mut self) -> Kept {
        for at in self.touched.drain(..) {
            let sku = &self.skus[&at];
            if sku.id.is_some() && sku.held + sku.sold > sku.total {
                let Sku { total, held, sold, .. } = sku;
                return Err(format!("oversold: SKU of {at}: {held} held, {sold} sold of {total}"));
            }
        }
        Ok(())
    }

    /// What a user has of a SKU, or of all SKUs in its group.
    fn used(&self, at: Sequence, user: &UserId) -> u64 {
        let of = |at: &Sequence| self.uses.get(&(*at, user.clone())).copied().unwrap_or(0);
        match &self.skus[&at].group {
            None => of(&at),
            Some(group) => {
                let live = self.names.values();
                live.filter(|at| self.skus[at].group.as_ref() == Some(group)).map(of).sum()
            }
        }
    }

    fn grant(&mut self, user: &UserId, lines: &[(Sequence, u64)], status: Status) -> Kept {
        for (at, units) in lines {
            let sku = self.sku_mut(*at);
            match status {
                Status::Held => sku.held += units,
                _ => sku.sold += units,
            }
            *self.uses.entry((*at, user.clone())).or_default() += units;
            let (limit, used) = (self.skus[at].limit, self.used(*at, user));
            if limit > 0 && used > limit {
                return Err(format!("{user:?} has {used} units where the limit is {limit}"));
            }
        }
        Ok(())
    }

    fn give_back(&mut self, user: &UserId, at: Sequence, units: u64) -> Kept {
        let used = self.uses.entry((at, user.clone())).or_default();
        take(used, units, "a user gives back more than there is in use")
    }

    fn create(&mut self, sequence: Sequence, created: &OrderCreated) -> Kept {
        let status = if created.expires_at.is_some() { Status::Held } else { Status::Sold };
        self.place(sequence, &created.user, &created.lines, status)
    }

    fn place(
        &mut self,
        sequence: Sequence,
        user: &UserId,
        lines: &LineRequests,
        status: Status,
    ) -> Kept {
        let found = lines.iter().map(|line| Ok((self.sku(&line.sku)?, line.quantity.into())));
        let lines: Vec<(Sequence, u64)> = found.collect::<Result<_, String>>()?;
        self.grant(user, &lines, status)?;
        let id = OrderId { epoch: self.epoch, sequence };
        self.orders.insert(id, Order { user: user.clone(), status, lines });
        Ok(())
    }

    fn enter(&mut self, sequence: Sequence, made: &EntryMade) -> Kept {
        if made.reason != Reason::Won {
            return Ok(());
        }
        let prizes = self.prizes.get(&made.draw).ok_or("an entry in a draw that is not there")?;
        let picked = made.pick.and_then(|pick| prizes.get(usize::from(pick)));
        let sku = picked.ok_or("a win of nothing")?.clone();
        let status = if made.expires_at.is_some() { Status::Held } else { Status::Sold };
        let line = doorbuster::domain::model::ids::LineRequest { sku, quantity: 1 };
        self.place(sequence, &made.user, &std::iter::once(line).collect(), status)
    }

    fn order(&mut self, id: OrderId) -> Result<&mut Order, String> {
        self.orders.get_mut(&id).ok_or_else(|| format!("there is no order {id:?}"))
    }

    fn move_held(&mut self, id: OrderId, to: Status) -> Kept {
        let order = self.order(id)?;
        if order.status != Status::Held {
            return Err(format!("{id:?} is moved from its hold, but is not held"));
        }
        order.status = to;
        let (user, lines) = (order.user.clone(), order.lines.clone());
        for (at, units) in lines {
            let sku = self.sku_mut(at);
            take(&mut sku.held, units, "more is released than was held")?;
            match to {
                Status::Sold => sku.sold += units,
                _ => self.give_back(&user, at, units)?,
            }
        }
        Ok(())
    }

    fn reacquire(&mut self, id: OrderId) -> Kept {
        let order = self.order(id)?;
        if order.status != Status::Over {
            return Err(format!("{id:?} is taken again, but was not over"));
        }
        order.status = Status::Sold;
        let (user, lines) = (order.user.clone(), order.lines.clone());
        self.grant(&user, &lines, Status::Sold)
    }

    /// At a SKU that has neither limit nor group, the use goes with the order.
    fn archive(&mut self, id: OrderId) -> Kept {
        let order = self.orders.remove(&id).ok_or_else(|| format!("there is no order {id:?}"))?;
        for (at, left) in order.lines.iter().filter(|_| order.status == Status::Sold) {
            let sku = &self.skus[at];
            if sku.id.is_some() && sku.limit == 0 && sku.group.is_none() {
                self.give_back(&order.user, *at, *left)?;
            }
        }
        Ok(())
    }

    fn refund(&mut self, refunded: &OrderRefunded) -> Kept {
        let order = self.orders.get_mut(&refunded.order).ok_or("an order that is not there")?;
        if order.status != Status::Sold {
            return Err(format!("{:?} is refunded, but is not sold", refunded.order));
        }
        let user = order.user.clone();
        let mut back = Vec::new();
        for (at, left) in &mut order.lines {
            let live = self.skus[at].id.as_ref();
            let asked = refunded.lines.iter().find(|line| Some(&line.sku) == live);
            let units = match asked {
                Some(line) => u64::from(line.quantity),
                None if refunded.lines.is_empty() => *left,
                None => 0,
            };
            take(left, units, "more is refunded than is left")?;
            back.extend(live.map(|_| (*at, units)));
        }
        if order.lines.iter().all(|(_, left)| *left == 0) {
            order.status = Status::Over;
        }
        for (at, units) in back {
            let sku = self.sku_mut(at);
            take(&mut sku.sold, units, "more comes back than was sold")?;
            if !refunded.restock {
                take(&mut sku.total, units, "more goes than there is")?;
            }
            self.give_back(&user, at, units)?;
        }
        Ok(())
    }
}
