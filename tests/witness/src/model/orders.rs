//! The model's rules of orders. Next: `skus`.

use super::{Done, Line, Model, Order, is_sold, left};
use doorbuster::domain::model::answer::{Answer, Created, Refusal, ShortLine, UserLimit, Window};
use doorbuster::domain::model::command::{
    Action, CreateOrder, Principal, Reach, Refund, Request, SkuSettings, Take,
};
use doorbuster::domain::model::ids::{OrderId, PrincipalName, UserId};
use doorbuster::domain::model::order::Status;

/// A SKU by its place, and units of it.
pub(super) type Wanted = (usize, u64);

impl Model {
    pub(super) fn create_order(
        &mut self,
        request: &Request,
        create: &CreateOrder,
    ) -> Result<Done, Refusal> {
        let mut lines: Vec<Wanted> = Vec::new();
        for line in &create.lines {
            let sku = self.live(&line.sku).ok_or(Refusal::UnknownSku(line.sku.clone()))?;
            lines.push((sku, u64::from(line.quantity)));
        }
        self.check_window(&lines)?;
        self.check_pause(&lines)?;
        self.check_draw_only(&lines, None)?;
        self.check_user_limits(&create.user, &lines)?;
        if create.take != Take::Sell {
            self.check_open_holds(&create.user)?;
        }
        self.check_stock(&lines)?;
        self.check_room_for_use(&request.principal.name, &create.user, &lines)?;
        self.make_room(request, true);
        // With the order that left, its user may have left: then there must be room for it again.
        self.check_room_for_use(&request.principal.name, &create.user, &lines)?;
        self.check_room_for_order(request)?;
        self.check_room_for_key(request, true)?;

        let created =
            self.place(&request.principal, &create.user, &lines, &create.reference, create.take);
        Ok(Done { changed: true, order: Some(created.order), answer: Answer::Created(created) })
    }

    /// The order, as one event.
    pub(super) fn place(
        &mut self,
        principal: &Principal,
        user: &UserId,
        lines: &[Wanted],
        reference: &Option<compact_str::CompactString>,
        take: Take,
    ) -> Created {
        let expires_at = match take {
            Take::Sell => None,
            Take::Hold(own) => {
                let default = self.settings.hold_ms_default;
                let of_skus = lines
                    .iter()
                    .map(|(sku, _)| self.skus[*sku].settings.hold_ms.unwrap_or(default));
                let hold_ms = own.or(of_skus.min()).expect("an order has lines");
                Some(self.now + hold_ms.min(self.settings.hold_ms_max))
            }
        };
        self.sequence += 1;
        self.know(&principal.name);
        let skus: Vec<usize> = lines.iter().map(|(sku, _)| *sku).collect();
        self.note_owners(&principal.name, user, &skus);
        let status = if expires_at.is_some() { Status::Held } else { Status::Confirmed };
        let id = OrderId { epoch: self.epoch, sequence: self.sequence };
        let line = |(sku, quantity): &Wanted| Line {
            sku: *sku,
            quantity: u32::try_from(*quantity).expect("it was one"),
            refunded: 0,
        };
        self.orders.push(Order {
            id,
            principal: principal.name.clone(),
            user: user.clone(),
            status,
            lines: lines.iter().map(line).collect(),
            reference: reference.clone(),
            created_at: self.now,
            expires_at: expires_at.unwrap_or(0),
            graced: false,
            changed: self.sequence,
            touched: (self.now, self.sequence),
        });
        Created { order: id, status, created_at: self.now, expires_at }
    }

    pub(super) fn settings_of(&self, line: &Wanted) -> &SkuSettings {
        &self.skus[line.0].settings
    }

    pub(super) fn check_window(&self, lines: &[Wanted]) -> Result<(), Refusal> {
        let now = self.now;
        let window = |line: &Wanted, edge: Option<u64>| {
            let (sku, edge) = (self.skus[line.0].id.clone(), edge.expect("an edge"));
            Box::new(Window { sku, edge, now })
        };
        let closed = |line: &&Wanted| self.settings_of(line).closes_at.is_some_and(|at| now >= at);
        if let Some(line) = lines.iter().find(closed) {
            return Err(Refusal::Closed(window(line, self.settings_of(line).closes_at)));
        }
        let early = |line: &&Wanted| self.settings_of(line).opens_at.is_some_and(|at| now < at);
        if let Some(line) = lines.iter().find(early) {
            return Err(Refusal::NotOpen(window(line, self.settings_of(line).opens_at)));
        }
        Ok(())
    }

    pub(super) fn check_pause(&self, lines: &[Wanted]) -> Result<(), Refusal> {
        match lines.iter().find(|line| self.settings_of(line).paused) {
            Some(line) => Err(Refusal::Paused(self.skus[line.0].id.clone())),
            None => Ok(()),
        }
    }

    pub(super) fn check_user_limits(&self, user: &UserId, lines: &[Wanted]) -> Result<(), Refusal> {
        for (at, (sku, requested)) in lines.iter().enumerate() {
            let limit = self.skus[*sku].settings.per_user_limit;
            let counted: Vec<usize> = match &self.skus[*sku].settings.limit_group {
                None => vec![*sku],
                Some(group) => self.members(group),
            };
            let before = lines[..at].iter().filter(|(sku, _)| counted.contains(sku));
            let before: u64 = before.map(|(_, units)| units).sum();
            let used = before + counted.iter().map(|sku| self.in_use(*sku, user)).sum::<u64>();
            if limit > 0 && used + requested > limit {
                let sku = self.skus[*sku].id.clone();
                let limit = UserLimit { sku, limit, used, requested: *requested };
                return Err(Refusal::UserLimit(Box::new(limit)));
            }
        }
        Ok(())
    }

    pub(super) fn check_open_holds(&self, user: &UserId) -> Result<(), Refusal> {
        let limit = self.settings.open_holds_per_user_max;
        let held = self.orders.iter().filter(|order| order.status == Status::Held);
        let used = held.filter(|order| order.user == *user).count() as u32;
        if limit > 0 && used >= limit {
            return Err(Refusal::HoldLimit { used, limit });
        }
        Ok(())
    }

    pub(super) fn check_stock(&self, lines: &[Wanted]) -> Result<(), Refusal> {
        let short = lines.iter().filter(|(sku, units)| self.available(*sku) < *units);
        let short = short.map(|(sku, units)| {
            Box::new(ShortLine {
                sku: self.skus[*sku].id.clone(),
                requested: *units,
                available: self.available(*sku),
                held: self.held(*sku),
            })
        });
        let short: smallvec::SmallVec<[_; 1]> = short.collect();
        if short.is_empty() { Ok(()) } else { Err(Refusal::SoldOut(short)) }
    }

    /// What may leave a full table leaves: orders only for a new order.
    pub(super) fn make_room(&mut self, request: &Request, for_order: bool) {
        let caps = self.settings.caps.clone();
        while for_order && self.orders.len() == caps.orders as usize {
            if !self.archive(self.settings.idempotency_retain_ms) && !self.forget_keys() {
                break;
            }
        }
        let end = (caps.keys - caps.keys / 10) as usize;
        while request.key.is_some() && self.keys.len() >= end && self.forget_keys() {}
    }

    pub(super) fn check_room_for_order(&self, request: &Request) -> Result<(), Refusal> {
        let cap = self.settings.caps.orders as usize;
        self.check_room(&request.principal.name, ("orders", 1), (cap, cap))
    }

    /// The last tenth is for what exists.
    pub(super) fn check_room_for_key(&self, request: &Request, new: bool) -> Result<(), Refusal> {
        let cap = self.settings.caps.keys as usize;
        if request.key.is_none() {
            return Ok(());
        }
        let end = if new { cap - cap / 10 } else { cap };
        self.check_room(&request.principal.name, ("keys", 1), (end, cap))
    }

    pub(super) fn check_room_for_answer(&self, request: &Request) -> Result<(), Refusal> {
        let cap = self.settings.caps.answers as usize;
        if request.key.is_none() {
            return Ok(());
        }
        self.check_room(&request.principal.name, ("answers", 1), (cap, cap))
    }

    pub(super) fn check_room_for_use(
        &self,
        by: &PrincipalName,
        user: &UserId,
        lines: &[Wanted],
    ) -> Result<(), Refusal> {
        let caps = &self.settings.caps;
        if !self.users().contains(user) {
            let cap = caps.users as usize;
            self.check_room(by, ("users", 1), (cap, cap))?;
        }
        match lines.iter().filter(|(sku, _)| self.in_use(*sku, user) == 0).count() {
            0 => Ok(()),
            new => self.check_room(by, ("uses", new), (caps.uses as usize, caps.uses as usize)),
        }
    }

    pub(super) fn visible(principal: &Principal, order: &Order) -> bool {
        principal.reach == Reach::All || order.principal == principal.name
    }

    pub(super) fn act_on_order(
        &mut self,
        request: &Request,
        id: OrderId,
        action: &Action,
    ) -> Result<Done, Refusal> {
        use Status::{Cancelled, Completed, Confirmed, Expired, Held, Refunded, Shipped};
        let found = self.kept(id).filter(|order| Self::visible(&request.principal, order));
        let order = found.ok_or(Refusal::UnknownOrder)?;
        if order.status == Held && order.expires_at <= self.now {
            self.change(id, |order| order.status = Expired);
        }
        let status = self.kept(id).expect("found above").status;
        match (action, status) {
            (Action::Confirm { .. }, Held) => self.move_to(request, id, Confirmed),
            (Action::Confirm { .. }, Confirmed | Shipped | Completed) => self.same(request, id),
            (Action::Confirm { reacquire: true }, Expired) => self.reacquire(request, id),
            (Action::Confirm { .. } | Action::Extend(_), Expired) => Err(Refusal::HoldExpired),
            (Action::Cancel, Held) => self.move_to(request, id, Cancelled),
            (Action::Cancel, Cancelled | Expired) => self.same(request, id),
            (Action::Extend(hold_ms), Held) => self.extend(request, id, *hold_ms),
            (Action::Ship, Confirmed) => self.move_to(request, id, Shipped),
            (Action::Ship, Shipped | Completed) => self.same(request, id),
            (Action::Complete, Shipped) => self.move_to(request, id, Completed),
            (Action::Complete, Completed) => self.same(request, id),
            (Action::Refund(refund), Confirmed | Shipped | Completed) => {
                self.refund(request, id, refund)
            }
            (Action::Refund(_), Refunded) => self.same(request, id),
            (_, status) => Err(Refusal::InvalidTransition(status)),
        }
    }

    fn room_for_action(&mut self, request: &Request, id: OrderId) -> Result<(), Refusal> {
        self.make_room(request, false);
        if request.key.is_some() {
            self.check_keys_of(id)?;
        }
        self.check_room_for_key(request, false)
    }

    fn done(&self, id: OrderId, changed: bool) -> Done {
        let view = self.order_view(self.kept(id).expect("a kept order"));
        Done { changed, order: Some(id), answer: Answer::Order(Box::new(view)) }
    }

    fn move_to(&mut self, request: &Request, id: OrderId, to: Status) -> Result<Done, Refusal> {
        self.room_for_action(request, id)?;
        self.change(id, |order| order.status = to);
        Ok(self.done(id, true))
    }

    /// Nothing changes; with a key, that has to be remembered.
    fn same(&mut self, request: &Request, id: OrderId) -> Result<Done, Refusal> {
        if request.key.is_none() {
            return Ok(self.done(id, false));
        }
        self.room_for_action(request, id)?;
        let changed = self.kept(id).expect("a kept order").changed;
        self.change(id, |_| ());
        self.orders.iter_mut().find(|order| order.id == id).expect("a kept order").changed =
            changed;
        Ok(self.done(id, true))
    }

    fn extend(&mut self, request: &Request, id: OrderId, hold_ms: u64) -> Result<Done, Refusal> {
        let order = self.kept(id).expect("a kept order");
        let latest = order.created_at + self.settings.hold_ms_max;
        let deadline = (self.now + hold_ms).min(latest).max(order.expires_at);
        let least_ms = (hold_ms / 2).min(100).max(hold_ms / 100);
        let by_little = deadline < latest && deadline < order.expires_at + least_ms;
        if deadline == order.expires_at || by_little {
            return self.same(request, id);
        }
        self.room_for_action(request, id)?;
        self.change(id, |order| order.expires_at = deadline);
        Ok(self.done(id, true))
    }

    fn reacquire(&mut self, request: &Request, id: OrderId) -> Result<Done, Refusal> {
        let order = self.kept(id).expect("a kept order");
        let (user, owner) = (order.user.clone(), order.principal.clone());
        let lines: Vec<Wanted> =
            order.lines.iter().map(|line| (line.sku, u64::from(line.quantity))).collect();
        if let Some((sku, _)) = lines.iter().find(|(sku, _)| self.skus[*sku].deleted) {
            return Err(Refusal::UnknownSku(self.skus[*sku].id.clone()));
        }
        self.check_pause(&lines)?;
        self.check_draw_only(&lines, Some(id))?;
        self.check_user_limits(&user, &lines)?;
        self.check_stock(&lines)?;
        self.check_room_for_use(&owner, &user, &lines)?;
        self.room_for_action(request, id)?;
        let skus: Vec<usize> = lines.iter().map(|(sku, _)| *sku).collect();
        self.note_owners(&owner, &user, &skus);
        self.move_to(request, id, Status::Confirmed)
    }

    fn refund(&mut self, request: &Request, id: OrderId, refund: &Refund) -> Result<Done, Refusal> {
        let order = self.kept(id).expect("a kept order");
        let mut back: Vec<u32> = order.lines.iter().map(|_| 0).collect();
        for asked in &refund.lines {
            let is_it = |line: &Line| self.skus[line.sku].id == asked.sku;
            match order.lines.iter().position(is_it) {
                Some(at) if u64::from(asked.quantity) <= left(&order.lines[at]) => {
                    back[at] = asked.quantity;
                }
                _ => return Err(Refusal::Invalid { field: "lines", reason: "" }),
            }
        }
        if refund.lines.is_empty() {
            back = order.lines.iter().map(|line| line.quantity - line.refunded).collect();
        }
        self.room_for_action(request, id)?;
        self.change(id, |order| {
            for (line, units) in order.lines.iter_mut().zip(&back) {
                line.refunded += units;
            }
            if order.lines.iter().all(|line| line.refunded == line.quantity) {
                order.status = Status::Refunded;
            }
        });
        // What happens to the counts of a deleted SKU, nobody can see.
        if !refund.restock {
            let lines = &self.kept(id).expect("a kept order").lines;
            let gone: Vec<_> = lines.iter().map(|line| line.sku).zip(back).collect();
            for (sku, units) in gone.into_iter().filter(|(_, units)| *units > 0) {
                self.skus[sku].total = self.skus[sku].total.saturating_sub(u64::from(units));
                self.skus[sku].version = self.sequence;
            }
        }
        Ok(self.done(id, true))
    }

    /// Units of a SKU in kept orders of which this is true.
    pub(super) fn units(&self, sku: usize, which: impl Fn(&Order) -> bool) -> u64 {
        let orders = self.orders.iter().filter(|order| which(order));
        let lines = orders.flat_map(|order| &order.lines);
        lines.filter(|line| line.sku == sku).map(left).sum()
    }

    /// Units that a user holds and owns of a SKU.
    pub(super) fn in_use(&self, sku: usize, user: &UserId) -> u64 {
        let counts = |order: &Order| order.status == Status::Held || is_sold(order.status);
        let kept = self.units(sku, |order| order.user == *user && counts(order));
        kept + self.skus[sku].use_before.get(user).copied().unwrap_or(0)
    }
}
