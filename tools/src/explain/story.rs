//! What is remembered of a buyer while the journal is read: what the user asked and was answered,
//! and its outcome.
//!
//! Owns what is told and what is only counted. Never reads a file. Next: `shelf`, `page`.

use super::shelf::Shelf;
use crate::events;
use crate::members::{self, Members};
use crate::refusals;
use doorbuster::domain::model::answer::Refusal;
use doorbuster::domain::model::command::Command;
use doorbuster::domain::model::draw::Reason;
use doorbuster::domain::model::event::{EntryMade, Event, OrderCreated, Origin, Record};
use doorbuster::domain::model::ids::{
    KeyClaim, LineRequests, OrderId, PrincipalName, SkuId, Stamp, UserId,
};
use doorbuster::domain::model::kept::KeptRefusal;
use doorbuster::domain::rules::refusal_counts::counted;
use doorbuster::domain::state::tables::State;
use doorbuster::http::key_hash;
use serde_json::Value;
use std::collections::BTreeMap;

/// Events that are shown; more are counted.
const EVENTS_MAX: usize = 500;
/// Refusals that are shown; more are counted. A script that asks again and again fills no screen.
const REFUSALS_MAX: usize = 200;
/// The name that a refusal is shown by.
const REFUSED: &str = "refused";
/// Stretches of refusals that were not kept which are shown one by one.
const STRETCHES_MAX: usize = 20;

/// Whose story, and what of it.
#[derive(clap::Args)]
pub(crate) struct Wanted {
    /// The buyer
    #[arg(long, value_parser = user)]
    pub(super) user: UserId,
    /// Only what has to do with this SKU
    #[arg(long, value_parser = sku)]
    pub(super) sku: Option<SkuId>,
    /// Only what was asked under this idempotency key, and its outcome
    #[arg(long)]
    pub(super) key: Option<String>,
}

fn user(text: &str) -> Result<UserId, String> {
    UserId::parse(text).map_err(|_| "cannot be a user's id".to_owned())
}

fn sku(text: &str) -> Result<SkuId, String> {
    SkuId::parse(text).map_err(|_| "cannot be a SKU's id".to_owned())
}

/// Something that happened.
pub(crate) struct Entry {
    /// The event, or the state in which a refusal was given.
    pub(super) sequence: u64,
    pub(super) at: Stamp,
    /// `refused`, or the name of the event.
    pub(super) what: &'static str,
    pub(super) members: Members,
    /// How each SKU stood that was short.
    pub(super) shelves: Vec<Value>,
}

/// Refusals of all users, as far as the journal knows of them.
#[derive(Default)]
pub(crate) struct Refusals {
    /// Kept whole.
    pub(super) kept: u64,
    /// Not kept, and said so.
    pub(super) not_kept: u64,
    /// From which to which sequence, and how many.
    pub(super) stretches: Vec<(u64, u64, u64)>,
    /// By SKU and reason: what the counts have more than was kept whole, in this start of the
    /// server.
    pub(super) open: i64,
    /// The same, of all starts; those that were said not to be kept are among them.
    pub(super) only_counted: u64,
    /// The first and the last event that counted some of those.
    pub(super) counted_between: Option<(u64, u64)>,
}

pub(crate) struct Story {
    pub(super) user: UserId,
    pub(super) sku: Option<SkuId>,
    pub(super) key: Option<String>,
    pub(super) entries: Vec<Entry>,
    /// Refusals among them.
    pub(super) refusals_told: usize,
    pub(super) entries_left_out: u64,
    /// Orders whose later events are shown: with a key, only those made under it.
    pub(super) orders: Vec<OrderId>,
    pub(super) shelves: BTreeMap<SkuId, Shelf>,
    pub(super) refusals: Refusals,
    /// The sequence before the first record that was read.
    pub(super) begins_behind: Option<u64>,
    /// The orders of the user as they stand at the end.
    pub(super) orders_now: Vec<Value>,
    pub(super) sequence: u64,
    pub(super) stamp: Stamp,
}

impl Story {
    pub(super) fn of(user: UserId, sku: Option<SkuId>, key: Option<String>) -> Self {
        Self {
            user,
            sku,
            key,
            entries: Vec::new(),
            refusals_told: 0,
            entries_left_out: 0,
            orders: Vec::new(),
            shelves: BTreeMap::new(),
            refusals: Refusals::default(),
            begins_behind: None,
            orders_now: Vec::new(),
            sequence: 0,
            stamp: 0,
        }
    }

    /// Looks at the record that comes next, with the state before it.
    pub(super) fn look(&mut self, state: &State, record: &Record, stamp: Stamp) {
        self.begins_behind.get_or_insert(state.sequence);
        let sequence = state.sequence + 1;
        let order = OrderId { epoch: state.epoch, sequence };
        for shelf in self.shelves.values_mut() {
            shelf.look(state, record, (order, stamp), &self.user);
        }
        match &record.event {
            Event::RefusalsKept(kept) => kept.iter().for_each(|kept| self.refused(state, kept)),
            Event::RefusalsNotKept(lost) => self.refusals.lose(lost.count, lost.since, sequence),
            Event::RefusalsCounted(counts) => {
                let of_sku = |sku: &SkuId| self.sku.as_ref().is_none_or(|wanted| wanted == sku);
                let counts = counts.iter().filter(|of| of_sku(&of.sku)).map(|of| of.count);
                let count = counts.sum();
                self.refusals.count(count, sequence);
            }
            // What was counted and not told yet went with the process.
            Event::Started(_) => self.refusals.open = 0,
            Event::OrderCreated(created) => {
                self.ordered(state, record, created, (order, stamp));
            }
            Event::EntryMade(made) => self.entered(state, record, made, (order, stamp)),
            Event::HoldsGraced(graced) => self.tell_of(state, &graced.orders, record, stamp),
            Event::OrdersArchived(orders) => self.tell_of(state, orders, record, stamp),
            event => {
                if let Some(order) = event.order() {
                    self.tell_of(state, &[order], record, stamp);
                }
            }
        }
    }

    fn ordered(
        &mut self,
        state: &State,
        record: &Record,
        created: &OrderCreated,
        (order, stamp): (OrderId, Stamp),
    ) {
        let wanted = created.user == self.user
            && self.names(&created.lines)
            && self.is_under_key(state, record.origin.as_ref());
        if wanted {
            self.orders.push(order);
            let more = vec![("order", state.lives.text(order).to_string().into())];
            self.tell_event(state, record, (order.sequence, stamp), more);
        }
    }

    fn entered(
        &mut self,
        state: &State,
        record: &Record,
        made: &EntryMade,
        (order, stamp): (OrderId, Stamp),
    ) {
        let draw = state.draws.find(&made.draw).map(|slot| &state.draws[slot]);
        let has_prize = |sku: &SkuId| {
            draw.is_some_and(|draw| draw.terms.odds.prizes().iter().any(|prize| prize.sku == *sku))
        };
        let wanted = made.user == self.user
            && self.sku.as_ref().is_none_or(has_prize)
            && self.is_under_key(state, record.origin.as_ref());
        if !wanted {
            return;
        }
        let won = made.reason == Reason::Won;
        if won {
            self.orders.push(order);
        }
        let picked = draw.and_then(|draw| draw.picked(made.pick));
        let more = vec![
            ("prize", picked.map(SkuId::as_str).into()),
            ("order", won.then(|| state.lives.text(order).to_string()).into()),
        ];
        self.tell_event(state, record, (order.sequence, stamp), more);
    }

    /// Tells an event on some orders, if one of them is the user's.
    fn tell_of(&mut self, state: &State, orders: &[OrderId], record: &Record, stamp: Stamp) {
        let own: Vec<OrderId> =
            orders.iter().copied().filter(|order| self.is_own(state, *order)).collect();
        if own.is_empty() {
            return;
        }
        let text = |order: &OrderId| state.lives.text(*order).to_string();
        let told = own.iter().map(text).collect::<Vec<_>>().join(" ");
        self.tell_event(state, record, (state.sequence + 1, stamp), vec![("order", told.into())]);
    }

    fn is_own(&self, state: &State, order: OrderId) -> bool {
        if self.orders.contains(&order) {
            return true;
        }
        // From before the first record that is kept.
        let Some(slot) = state.orders.find(order) else { return false };
        let order = &state.orders[slot];
        let mut lines = order.lines.iter();
        self.key.is_none()
            && state.users[order.user].id == self.user
            && self.sku.as_ref().is_none_or(|sku| lines.any(|line| state.skus[line.sku].id == *sku))
    }

    fn names(&self, lines: &LineRequests) -> bool {
        self.sku.as_ref().is_none_or(|sku| lines.iter().any(|line| line.sku == *sku))
    }

    fn is_under_key(&self, state: &State, origin: Option<&Origin>) -> bool {
        let Some(origin) = origin else { return self.key.is_none() };
        self.is_key(state, &origin.principal, origin.key)
    }

    fn is_key(&self, state: &State, principal: &PrincipalName, claim: Option<KeyClaim>) -> bool {
        let Some(key) = &self.key else { return true };
        let hash = || key_hash(&state.hash_key, principal, key.as_bytes());
        claim.is_some_and(|claim| claim.hash == hash())
    }

    fn tell_event(
        &mut self,
        state: &State,
        record: &Record,
        (sequence, at): (u64, Stamp),
        more: Members,
    ) {
        let mut members = more;
        for (name, value) in events::members(&record.event, &state.lives) {
            // Of events on many orders, those of others are no part of the story.
            if name != "orders" && !members.iter().any(|(known, _)| *known == name) {
                members.push((name, value));
            }
        }
        if let Some(origin) = &record.origin {
            members.push(("principal", origin.principal.as_str().into()));
            let key = origin.key.map(|key| format!("{:032x}", key.hash));
            members.push(("key_hash", key.into()));
        }
        members.retain(|(_, value)| !value.is_null());
        let what = events::name(&record.event);
        self.tell(Entry { sequence, at, what, members, shelves: Vec::new() });
    }

    fn tell(&mut self, entry: Entry) {
        let refused = self.refusals_told;
        let (told, most) = match entry.what {
            REFUSED => (refused, REFUSALS_MAX),
            _ => (self.entries.len() - refused, EVENTS_MAX),
        };
        if told < most {
            self.refusals_told += usize::from(entry.what == REFUSED);
            self.entries.push(entry);
        } else {
            self.entries_left_out += 1;
        }
    }

    /// A refusal that was kept whole, of any user.
    fn refused(&mut self, state: &State, kept: &KeptRefusal) {
        self.refusals.kept += 1;
        let counts = counted(&kept.command, &kept.refusal).into_iter();
        let of_sku = |sku: &SkuId| self.sku.as_ref().is_none_or(|wanted| wanted == sku);
        self.refusals.open += counts.filter(|(sku, _)| of_sku(sku)).count() as i64;
        if !self.is_wanted(state, kept) {
            return;
        }
        let mut members: Members = vec![
            ("code", refusals::code(&kept.refusal).into()),
            ("asked", members::object(refusals::asked(&kept.command, &state.lives))),
        ];
        members.extend(refusals::shortage(&kept.refusal));
        members.push(("at_edge", kept.at_edge.into()));
        members.push(("principal", kept.principal.as_str().into()));
        members.push(("key_hash", kept.key.map(|key| format!("{:032x}", key.hash)).into()));
        members.retain(|(_, value)| !value.is_null());
        let mut shelves = Vec::new();
        if let Refusal::SoldOut(lines) = &kept.refusal
            && self.refusals_told < REFUSALS_MAX
        {
            for line in lines {
                let shelf = self.shelves.entry(line.sku.clone()).or_default();
                shelves.extend(shelf.stand(state, line, kept));
            }
        }
        let (sequence, at) = (kept.seen, kept.at);
        self.tell(Entry { sequence, at, what: REFUSED, members, shelves });
    }

    fn is_wanted(&self, state: &State, kept: &KeptRefusal) -> bool {
        let is_users = match (kept.user(), &kept.command) {
            (Some(user), _) => *user == self.user,
            (None, Command::ActOnOrder(order, _)) => state
                .orders
                .find(*order)
                .is_some_and(|slot| state.users[state.orders[slot].user].id == self.user),
            _ => false,
        };
        let names_sku = |sku: &SkuId| match &kept.command {
            Command::CreateOrder(create) => create.lines.iter().any(|line| line.sku == *sku),
            Command::ActOnOrder(order, _) => state.orders.find(*order).is_some_and(|slot| {
                state.orders[slot].lines.iter().any(|line| state.skus[line.sku].id == *sku)
            }),
            Command::EnterDraw(enter) => state.draws.find(&enter.draw).is_some_and(|slot| {
                state.draws[slot].terms.odds.prizes().iter().any(|prize| prize.sku == *sku)
            }),
            _ => false,
        };
        is_users
            && self.sku.as_ref().is_none_or(names_sku)
            && self.is_key(state, &kept.principal, kept.key)
    }

    pub(super) fn end(&mut self, state: &State) {
        self.refusals.settle();
        (self.sequence, self.stamp) = (state.sequence, state.stamp);
        // Refusals of the edge are journaled some time after they were given.
        self.entries.sort_by_key(|entry| (entry.at, entry.sequence));
        let newest = state.users.find(&self.user).map(|user| state.users[user].newest);
        let orders = newest.into_iter().flat_map(|newest| state.orders.of_user_from(newest));
        let own = orders.filter(|order| self.is_own(state, order.id));
        let now = own.map(|order| {
            serde_json::json!({
                "id": state.lives.text(order.id).to_string(), "status": order.status.as_str(),
                "changed_seq": order.changed_sequence,
            })
        });
        self.orders_now = now.take(EVENTS_MAX).collect();
    }
}

impl Refusals {
    fn count(&mut self, count: u64, sequence: u64) {
        self.open -= i64::try_from(count).unwrap_or(i64::MAX);
        if self.open < 0 {
            self.only_counted += self.open.unsigned_abs();
            self.open = 0;
            let first = self.counted_between.map_or(sequence, |(first, _)| first);
            self.counted_between = Some((first, sequence));
        }
    }

    fn lose(&mut self, count: u64, since: u64, sequence: u64) {
        self.not_kept += count;
        if self.stretches.len() < STRETCHES_MAX {
            self.stretches.push((since, sequence, count));
        }
    }

    /// Those that were said not to be kept are counted too, and are no news.
    fn settle(&mut self) {
        self.only_counted = self.only_counted.saturating_sub(self.not_kept);
        if self.only_counted == 0 {
            self.counted_between = None;
        }
    }
}
