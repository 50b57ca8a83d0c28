//! The contract a second time, written to be read: vectors, sums and scans, nothing kept that can
//! be counted.
//!
//! Owns its own idea of every rule in sections 1 to 4 of the contract. Knows the vocabulary of the
//! domain (commands, answers, ids, settings) and nothing of its state or tables; it counts
//! events to name sequences. Never is fast. Here is what it remembers and what falls due;
//! `orders`, `skus` and `draws` decide, `reads` shows, `follow` takes what a journal says. Next:
//! `orders`.

mod draws;
mod follow;
mod orders;
mod reads;
mod shares;
mod skus;

use doorbuster::domain::model::answer::{Answer, Answered, Refusal, RememberedBody};
use doorbuster::domain::model::command::{Command, Request, SkuSettings};
use doorbuster::domain::model::ids::{OrderId, PrincipalName, Sequence, SkuId, Stamp, UserId};
use doorbuster::domain::model::order::Status;
use doorbuster::domain::model::settings::Settings;
use doorbuster::domain::model::sku::{RefusalReason, Refused};
use std::collections::{BTreeMap, BTreeSet};

/// Keys, orders or uses that one sweeping event takes at most.
const EVENT_MAX: usize = 256;

/// All that has happened, as far as it still matters.
pub struct Model {
    settings: Settings,
    sequence: Sequence,
    epoch: u32,
    now: Stamp,
    /// Every SKU ever put, in the order of creation; an order names its SKU by the place here.
    skus: Vec<Sku>,
    /// Every draw ever made whose entries are kept, in the order they were made.
    draws: Vec<draws::Draw>,
    /// Kept orders, by id.
    orders: Vec<Order>,
    /// Remembered keys, oldest first.
    keys: Vec<Key>,
    /// Who ever owned an order or a key, or was configured.
    principals: Vec<PrincipalName>,
    /// Which configured principal brought a user, and began the use of a SKU by a user.
    user_owners: BTreeMap<UserId, PrincipalName>,
    use_owners: BTreeMap<(usize, UserId), PrincipalName>,
    refused: Vec<(SkuId, RefusalReason)>,
}

struct Sku {
    id: SkuId,
    deleted: bool,
    total: u64,
    /// Units sold by orders that are no longer kept.
    sold_before: u64,
    /// Units in use from orders that are no longer kept.
    use_before: BTreeMap<UserId, u64>,
    /// Users whose use has still to go after the deletion.
    to_purge: BTreeSet<UserId>,
    settings: SkuSettings,
    version: Sequence,
    refused: Refused,
}

struct Order {
    id: OrderId,
    principal: PrincipalName,
    user: UserId,
    status: Status,
    lines: Vec<Line>,
    reference: Option<compact_str::CompactString>,
    created_at: Stamp,
    expires_at: Stamp,
    graced: bool,
    changed: Sequence,
    /// The last change or keyed answer.
    touched: (Stamp, Sequence),
}

struct Line {
    sku: usize,
    quantity: u32,
    refunded: u32,
}

struct Key {
    hash: u128,
    fingerprint: u64,
    at: Stamp,
    sequence: Sequence,
    principal: PrincipalName,
    order: Option<OrderId>,
    /// The draw of an entry, by the event that made it.
    draw: Option<Sequence>,
    answer: Answer,
    body: RememberedBody,
}

/// A command that was not refused.
struct Done {
    /// Something happened, if only that the answer must be remembered.
    changed: bool,
    order: Option<OrderId>,
    answer: Answer,
}

impl Key {
    /// The sequence that the answer told.
    fn told(&self) -> Sequence {
        match &self.answer {
            Answer::Draw(draw) => draw.version,
            _ => self.sequence,
        }
    }
}

fn is_sold(status: Status) -> bool {
    [Status::Confirmed, Status::Shipped, Status::Completed].contains(&status)
}

fn left(line: &Line) -> u64 {
    u64::from(line.quantity) - u64::from(line.refunded)
}

impl Model {
    /// A server that has just started for the first time.
    pub fn start(settings: Settings, now: Stamp) -> Self {
        Self {
            sequence: 2,
            epoch: 1,
            now,
            skus: Vec::new(),
            draws: Vec::new(),
            orders: Vec::new(),
            keys: Vec::new(),
            principals: settings.principals.clone(),
            user_owners: BTreeMap::new(),
            use_owners: BTreeMap::new(),
            refused: Vec::new(),
            settings,
        }
    }

    /// Decides a request, and does what is decided.
    pub fn request(&mut self, request: &Request, now: Stamp) -> Answered {
        self.now = now;
        if let Command::Read(query) = &request.command {
            return self.answered(self.read(&request.principal, query));
        }
        if let Some(claim) = request.key
            && let Some(key) = self.keys.iter().find(|key| key.hash == claim.hash)
        {
            if key.fingerprint != claim.fingerprint {
                return self.answered(Answer::Refused(Refusal::KeyReused));
            }
            let answer = key.answer.clone();
            return Answered { sequence: key.told(), replayed: true, answer };
        }
        match self.perform(request) {
            Ok(done) => {
                if done.changed {
                    self.remember(request, &done);
                }
                // A draw that is closed again answers as it did then.
                let sequence = match (&request.command, &done.answer) {
                    (Command::CloseDraw(_), Answer::Draw(draw)) => draw.version,
                    _ => self.sequence,
                };
                Answered { sequence, replayed: false, answer: done.answer }
            }
            Err(refusal) => {
                self.note_refusal(&request.command, &refusal);
                self.answered(Answer::Refused(refusal))
            }
        }
    }

    fn answered(&self, answer: Answer) -> Answered {
        Answered { sequence: self.sequence, replayed: false, answer }
    }

    fn perform(&mut self, request: &Request) -> Result<Done, Refusal> {
        match &request.command {
            Command::CreateOrder(create) => self.create_order(request, create),
            Command::ActOnOrder(order, action) => self.act_on_order(request, *order, action),
            Command::PutSku(put) => self.put_sku(put),
            Command::PatchSku(patch) => self.patch_sku(patch),
            Command::AdjustSku(adjust) => self.adjust_sku(request, adjust),
            Command::DeleteSku(delete) => self.delete_sku(delete),
            Command::PutDraw(put) => self.put_draw(put),
            Command::EnterDraw(enter) => self.enter_draw(request, enter),
            Command::CloseDraw(draw) => self.close_draw(request, draw),
            Command::DeleteDraw(delete) => self.delete_draw(delete),
            Command::Read(_) => unreachable!("a read is never refused here"),
        }
    }

    fn remember(&mut self, request: &Request, done: &Done) {
        let Some(claim) = request.key else { return };
        self.know(&request.principal.name);
        let body = match (&done.answer, done.order) {
            (Answer::Created(_), Some(id)) => {
                RememberedBody::Created(self.order_view(self.kept(id).expect("just created")))
            }
            (Answer::Order(order), _) => RememberedBody::Order((**order).clone()),
            (Answer::Sku(sku), _) => RememberedBody::Sku((**sku).clone()),
            (Answer::Entered(entry), _) => RememberedBody::Entered((**entry).clone()),
            (Answer::Draw(draw), _) => RememberedBody::Draw((**draw).clone()),
            (answer, _) => unreachable!("{answer:?} has no key"),
        };
        self.keys.push(Key {
            hash: claim.hash,
            fingerprint: claim.fingerprint,
            at: self.now,
            sequence: self.sequence,
            principal: request.principal.name.clone(),
            order: done.order,
            draw: match &request.command {
                Command::EnterDraw(enter) => self.draw(&enter.draw).map(|draw| draw.created),
                _ => None,
            },
            answer: done.answer.clone(),
            body,
        });
    }

    fn know(&mut self, principal: &PrincipalName) {
        if !self.principals.contains(principal) {
            self.principals.push(principal.clone());
        }
    }

    fn kept(&self, id: OrderId) -> Option<&Order> {
        self.orders.iter().find(|order| order.id == id)
    }

    fn note_refusal(&mut self, command: &Command, refusal: &Refusal) {
        let one = |sku: &SkuId, reason| vec![(sku.clone(), reason)];
        self.refused.extend(match refusal {
            Refusal::SoldOut(lines) => {
                lines.iter().map(|line| (line.sku.clone(), RefusalReason::SoldOut)).collect()
            }
            Refusal::UserLimit(limit) => one(&limit.sku, RefusalReason::UserLimit),
            Refusal::NotOpen(window) => one(&window.sku, RefusalReason::NotOpen),
            Refusal::Closed(window) => one(&window.sku, RefusalReason::Closed),
            Refusal::Paused(sku) => one(sku, RefusalReason::Paused),
            Refusal::DrawOnly(sku) => one(sku, RefusalReason::DrawOnly),
            Refusal::HoldLimit { .. } => match command {
                Command::CreateOrder(create) => one(&create.lines[0].sku, RefusalReason::HoldLimit),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        });
    }

    /// Journals the refusals noted since the last time.
    pub fn count_refusals(&mut self) {
        self.sequence += u64::from(!self.refused.is_empty());
        for (id, reason) in std::mem::take(&mut self.refused) {
            if let Some(sku) = self.live(&id) {
                self.skus[sku].refused.0[reason as usize] += 1;
            }
        }
    }

    /// The settings change, as one event.
    pub fn change_settings(&mut self, settings: Settings) {
        self.sequence += 1;
        settings.principals.iter().for_each(|name| self.know(name));
        self.settings = settings;
    }

    /// Comes back, refusals not yet journaled forgotten; holds that are due get their one grace.
    pub fn restart(&mut self, now: Stamp) {
        self.sequence += 1;
        self.epoch += 1;
        self.refused.clear();
        let (sequence, expires_at) = (self.sequence + 1, now + self.settings.recovery_grace_ms);
        let due = |order: &&mut Order| {
            order.status == Status::Held && order.expires_at <= now && !order.graced
        };
        let mut graced = 0;
        for order in self.orders.iter_mut().filter(due) {
            order.graced = true;
            order.expires_at = expires_at;
            order.changed = sequence;
            order.touched = (now, sequence);
            graced += 1;
        }
        assert!(graced <= EVENT_MAX, "the model says one event of grace");
        self.sequence += u64::from(graced > 0);
    }

    /// Expires what is due, by deadline, then id.
    pub fn expire_due(&mut self, now: Stamp) {
        self.now = now;
        let due = |order: &&Order| order.status == Status::Held && order.expires_at <= now;
        let first = |model: &Self| {
            let due = model.orders.iter().filter(due);
            due.min_by_key(|order| (order.expires_at, order.id)).map(|order| order.id)
        };
        while let Some(id) = first(self) {
            self.change(id, |order| order.status = Status::Expired);
        }
    }

    /// Changes an order, as one event.
    fn change(&mut self, id: OrderId, change: impl FnOnce(&mut Order)) {
        self.sequence += 1;
        let (now, sequence) = (self.now, self.sequence);
        let order = self.orders.iter_mut().find(|order| order.id == id).expect("a kept order");
        change(order);
        order.changed = sequence;
        order.touched = (now, sequence);
    }

    /// Forgets, archives and purges what is due.
    pub fn tidy(&mut self, now: Stamp) {
        self.now = now;
        while self.forget_keys()
            || self.archive(self.retain_ms())
            || self.purge()
            || self.purge_entries()
        {}
    }

    /// Earlier where a cap was lowered below what is there.
    fn retain_ms(&self) -> u64 {
        match self.orders.len() > self.settings.caps.orders as usize {
            true => self.settings.idempotency_retain_ms,
            false => self.settings.orders_retain_ms,
        }
    }

    fn forget_keys(&mut self) -> bool {
        let over = |key: &&Key| key.at + self.settings.idempotency_retain_ms <= self.now;
        let count = self.keys.iter().take(EVENT_MAX).take_while(over).count();
        self.keys.drain(..count);
        self.sequence += u64::from(count > 0);
        count > 0
    }

    /// Lets go what nobody touched for so long, oldest first, up to one that a key still names.
    fn archive(&mut self, retain_ms: u64) -> bool {
        let going = self.archivable(retain_ms);
        if !going.is_empty() {
            self.archive_these(&going);
        }
        !going.is_empty()
    }

    /// What may leave in one event, in the order it does.
    fn archivable(&self, retain_ms: u64) -> Vec<OrderId> {
        let named: BTreeSet<OrderId> = self.keys.iter().filter_map(|key| key.order).collect();
        let mut resting: Vec<_> = self.orders.iter().collect();
        resting.retain(|order| order.status != Status::Held);
        resting.sort_by_key(|order| order.touched.1);
        let may_go =
            |order: &&&Order| order.touched.0 + retain_ms <= self.now && !named.contains(&order.id);
        resting.iter().take_while(may_go).take(EVENT_MAX).map(|order| order.id).collect()
    }

    /// As one event.
    fn archive_these(&mut self, going: &[OrderId]) {
        let going: BTreeSet<OrderId> = going.iter().copied().collect();
        for order in self.orders.extract_if(.., |order| going.contains(&order.id)) {
            for line in order.lines.iter().filter(|_| is_sold(order.status)) {
                let sku = &mut self.skus[line.sku];
                sku.sold_before += left(line);
                let keeps_use =
                    sku.settings.per_user_limit > 0 || sku.settings.limit_group.is_some();
                if keeps_use && left(line) > 0 {
                    *sku.use_before.entry(order.user.clone()).or_default() += left(line);
                }
            }
        }
        self.sequence += 1;
    }

    fn purge(&mut self) -> bool {
        let Some(sku) = self.skus.iter_mut().find(|sku| !sku.to_purge.is_empty()) else {
            return false;
        };
        assert!(sku.to_purge.len() <= EVENT_MAX, "the model purges a SKU in one event");
        sku.to_purge.clear();
        self.sequence += 1;
        true
    }
}
