//! A state put together again from what a snapshot holds, instead of from events.
//!
//! The rows come in the snapshot's order: head, principals, SKUs, uses, orders, draws with their
//! entries, keys. What they do not say (links, heaps, counts) follows from them. Rows that
//! contradict each other are refused, whatever their checksum says. Next: `snapshot_rows`, and
//! `codec::snapshot`, which writes and reads them.

use super::entries::Entry;
use super::idempotency::StoredReply;
use super::principals::{NO_PRINCIPAL, PRINCIPALS_MAX, Table};
use super::snapshot_rows::{DrawRow, EntryRow, HeadRow, KeptRow, KeyRow, OrderRow, Owner, SkuRow};
use super::tables::State;
use crate::domain::memory::prefetch::{PrefetchKeys, warm_rows};
use crate::domain::memory::slab::NONE;
use crate::domain::model::draw::Reason;
use crate::domain::model::ids::{OrderId, PrincipalName, STOCK_MAX, Sequence, UserId};
use crate::domain::model::lives::Begun;
use crate::domain::model::order::{Line, Lines, Order, OrderKeys, Status};
use crate::domain::model::settings::{Caps, Settings};
use crate::domain::model::sku::Sku;
use crate::domain::state::draws::Draw;
use std::collections::BTreeMap;

/// Why rows are no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot contradicts itself: {0}")]
pub struct Contradiction(pub &'static str);

/// A state in the making.
pub struct Restore {
    state: State,
    /// Slots of SKUs by the event that created them.
    skus: BTreeMap<Sequence, u32>,
    /// Orders that are not held, by their last touch.
    touched: BTreeMap<Sequence, u32>,
    last_order: Sequence,
    /// Slots of draws by the event that made them.
    draws: BTreeMap<Sequence, u32>,
    /// The slot of the draw whose entries come.
    last_draw: Option<u32>,
    /// Whose the next new user is.
    user_owner: Option<u16>,
    /// Whose the next use is.
    use_owner: Option<u16>,
}

fn require(holds: bool, what: &'static str) -> Result<(), Contradiction> {
    if holds { Ok(()) } else { Err(Contradiction(what)) }
}

impl Restore {
    /// Begins with the numbers of the whole.
    #[must_use]
    pub fn new(seed: u64, head: HeadRow) -> Self {
        let mut state = State::new(seed);
        state.take_settings(head.settings);
        state.sequence = head.sequence;
        state.stamp = head.stamp;
        state.epoch = head.epoch;
        state.hash_key = head.hash_key;
        state.answers_before_sync = head.answers_before_sync;
        state.requests.begin_at(head.first_key);
        Self {
            state,
            skus: BTreeMap::new(),
            touched: BTreeMap::new(),
            last_order: 0,
            draws: BTreeMap::new(),
            last_draw: None,
            user_owner: None,
            use_owner: None,
        }
    }

    /// Brings what the next rows will be looked up by into the cache. Says nothing: see `prefetch`.
    pub fn warm<'a>(&self, rows: impl Iterator<Item = PrefetchKeys<'a>>) {
        warm_rows(&self.state, rows);
    }

    /// The caps of draws and entries, where they are not the defaults.
    pub fn draw_caps(&mut self, draws: u32, entries: u32) {
        let caps = Caps { draws, entries, ..self.state.settings.caps.clone() };
        let settings = Settings { caps, ..self.state.settings.clone() };
        self.state.take_settings(settings);
    }

    /// The next start that drew a life.
    ///
    /// # Errors
    /// When it does not fit the ones before, or the head.
    pub fn life(&mut self, begun: Begun) -> Result<(), Contradiction> {
        let Begun { epoch, life, sequence } = begun;
        let state = &mut self.state;
        let within = epoch <= state.epoch && sequence <= state.sequence;
        let fits = within && state.lives.begin(epoch, Some(life), sequence);
        require(fits, "a start does not fit the ones before")
    }

    /// The next principal.
    ///
    /// # Errors
    /// When there are too many.
    pub fn principal(&mut self, name: PrincipalName) -> Result<(), Contradiction> {
        let principals = &mut self.state.principals;
        require(principals.len() < PRINCIPALS_MAX, "more principals than fit")?;
        require(principals.number(&name).is_none(), "a principal stands twice")?;
        principals.number_or_new(&name);
        Ok(())
    }

    /// The principals that the settings name, and the numbers of those that are configured, once
    /// all principals are there.
    ///
    /// # Errors
    /// When one is not there.
    pub fn configured(
        &mut self,
        names: Vec<PrincipalName>,
        numbers: &[u16],
    ) -> Result<(), Contradiction> {
        numbers.iter().try_for_each(|number| self.find_principal(*number).map(drop))?;
        let State { principals, settings, .. } = &mut self.state;
        settings.principals = names;
        principals.restore_configured(numbers, &settings.caps);
        Ok(())
    }

    fn find_principal(&self, number: u16) -> Result<u16, Contradiction> {
        let known = usize::from(number) < self.state.principals.len();
        require(known, "a principal is named that is not there")?;
        Ok(number)
    }

    /// The next user or use is this principal's.
    ///
    /// # Errors
    /// When the principal is not there.
    pub fn owner(&mut self, owner: Owner) -> Result<(), Contradiction> {
        let number = self.find_principal(owner.principal)?;
        let place = if owner.of_user { &mut self.user_owner } else { &mut self.use_owner };
        require(place.replace(number).is_none(), "an owner stands twice")
    }

    /// The next SKU.
    ///
    /// # Errors
    /// When it stands twice, or its counts do not add up.
    pub fn sku(&mut self, row: SkuRow) -> Result<(), Contradiction> {
        let state = &mut self.state;
        let committed = row.held.checked_add(row.sold);
        let adds_up = committed.is_some_and(|committed| committed <= row.total);
        require(adds_up, "more units held and sold than there are")?;
        state.skus.make_room();
        require(row.deleted || state.skus.find(&row.id).is_none(), "a SKU stands twice")?;
        let created = row.created_sequence;
        let sku = Sku {
            deleted: row.deleted,
            total: row.total,
            held: row.held,
            sold: row.sold,
            version: row.version,
            refused: row.refused,
            ..Sku::new(row.id, created)
        };
        let slot = state.skus.restore(sku);
        if row.deleted {
            state.skus[slot].settings = row.settings;
        } else {
            state.skus.regroup(slot, row.settings.limit_group.as_ref());
            state.skus[slot].settings = row.settings;
        }
        require(self.skus.insert(created, slot).is_none(), "a SKU stands twice")
    }

    fn find_sku(&self, created: Sequence) -> Result<u32, Contradiction> {
        self.skus.get(&created).copied().ok_or(Contradiction("a SKU is named that is not there"))
    }

    /// The next use, in its SKU's order.
    ///
    /// # Errors
    /// When its SKU is not there.
    pub fn use_of(
        &mut self,
        sku: Sequence,
        user: &UserId,
        units: u64,
    ) -> Result<(), Contradiction> {
        let sku = self.find_sku(sku)?;
        let user = self.user(user)?;
        let owner = self.use_owner.take().unwrap_or(NO_PRINCIPAL);
        let State { skus, users, uses, principals, .. } = &mut self.state;
        require(units <= STOCK_MAX, "a use of more units than a SKU may have")?;
        require(
            units > 0 && uses.units(users, sku, user) == 0,
            "a use stands twice, or for nothing",
        )?;
        uses.make_room();
        uses.add(skus, users, (sku, user), (units, owner));
        principals.add(Table::Uses, owner);
        Ok(())
    }

    fn user(&mut self, user: &UserId) -> Result<u32, Contradiction> {
        let State { users, principals, .. } = &mut self.state;
        users.make_room();
        let before = users.len();
        let owner = self.user_owner.take();
        let slot = users.find_or_create_of(principals, user, owner.unwrap_or(NO_PRINCIPAL));
        require(owner.is_none() || users.len() > before, "a user has two owners")?;
        Ok(slot)
    }

    /// The next order.
    ///
    /// # Errors
    /// When it is out of order, or names what is not there.
    pub fn order(&mut self, row: OrderRow) -> Result<(), Contradiction> {
        require(row.id.sequence > self.last_order, "orders stand by id")?;
        self.last_order = row.id.sequence;
        self.state.orders.make_room();
        let lines = self.lines(&row)?;
        let user = self.user(&row.user)?;
        let principal = self.find_principal(row.principal)?;
        self.state.principals.add(Table::Orders, principal);
        let order = Order {
            id: row.id,
            user,
            principal: row.principal,
            status: row.status,
            graced: row.graced,
            created_at: row.created_at,
            expires_at: row.expires_at,
            changed_sequence: row.changed_sequence,
            touched_at: row.touched_at,
            touched_sequence: row.touched_sequence,
            keys: OrderKeys::default(),
            lines,
            reference: row.reference.map(Box::new),
            newer: NONE,
            older: NONE,
            heap_or_later: NONE,
            earlier: NONE,
        };
        let slot = self.state.orders.restore(&mut self.state.users, order);
        if row.status != Status::Held {
            let before = self.touched.insert(row.touched_sequence, slot);
            require(before.is_none(), "one event touches one order at rest")?;
        }
        Ok(())
    }

    fn lines(&mut self, row: &OrderRow) -> Result<Lines, Contradiction> {
        let mut line = |&(sku, quantity, refunded): &(Sequence, u32, u32)| {
            let sku = self.find_sku(sku)?;
            require(refunded <= quantity, "more given back than ordered")?;
            self.state.skus[sku].lines += 1;
            Ok(Line { sku, quantity, refunded })
        };
        row.lines.iter().map(&mut line).collect()
    }

    /// The next draw.
    ///
    /// # Errors
    /// When it stands twice, or names a SKU that is not there while it is unclosed.
    pub fn draw(&mut self, row: DrawRow) -> Result<(), Contradiction> {
        let state = &mut self.state;
        let created = row.created_sequence;
        require(row.deleted || state.draws.find(&row.id).is_none(), "a draw stands twice")?;
        require(row.closed_at.is_some() || !row.deleted, "a draw is deleted but not closed")?;
        let mut named = Vec::new();
        for prize in row.terms.odds.prizes().iter().filter(|_| row.closed_at.is_none()) {
            let slot = state.skus.find(&prize.sku);
            named.push(slot.ok_or(Contradiction("a draw names a SKU that is not there"))?);
        }
        let draw = Draw {
            id: row.id,
            created_sequence: created,
            deleted: row.deleted,
            terms: row.terms,
            admission: row.admission,
            sealed: row.sealed,
            closed_at: row.closed_at,
            version: row.version,
            key_end: 0,
            entries: Default::default(),
        };
        require(!self.draws.contains_key(&created), "a draw stands twice")?;
        let slot = state.draws.insert(draw, &named);
        self.draws.insert(created, slot);
        self.last_draw = Some(slot);
        Ok(())
    }

    /// The next entry of the draw that came last.
    ///
    /// # Errors
    /// When it is out of order, or does not fit its draw.
    pub fn entry(&mut self, row: EntryRow) -> Result<(), Contradiction> {
        let slot = self.last_draw.ok_or(Contradiction("an entry stands before its draw"))?;
        let draw = &self.state.draws[slot];
        let last = draw.entries.get(draw.entries.len()).map_or(0, |last| last.sequence);
        require(row.sequence > last, "entries stand in the order of their events")?;
        let fits = draw.picked(row.pick).is_some() == row.pick.is_some()
            && row.pick.is_none() == (row.reason == Reason::Blank);
        require(fits, "a pick does not fit its draw")?;
        let principal = self.find_principal(row.principal)?;
        self.state.principals.add(Table::Entries, principal);
        let entry = Entry {
            entrant: 0,
            principal: row.principal,
            pick: row.pick,
            reason: row.reason,
            sequence: row.sequence,
            epoch: row.epoch,
            next: 0,
            client_seed: row.client_seed,
        };
        self.state.draws.enter(slot, &row.user, entry);
        Ok(())
    }

    /// The next key.
    ///
    /// # Errors
    /// When its order or principal is not there.
    pub fn key(&mut self, row: KeyRow) -> Result<(), Contradiction> {
        let principal = self.find_principal(row.principal)?;
        let state = &mut self.state;
        state.requests.make_room();
        require(state.requests.find(row.claim.hash).is_none(), "a key stands twice")?;
        let find = |id: OrderId| {
            state.orders.find(id).ok_or(Contradiction("a key names an order that is not there"))
        };
        let (order, answer) = match row.answer {
            KeptRow::Created(id, expires_at) => {
                let order = find(id)?;
                (Some(order), StoredReply::Created { order, expires_at })
            }
            KeptRow::Order(id, then) => {
                let order = find(id)?;
                (Some(order), StoredReply::Order { order, then })
            }
            KeptRow::Sku(sku) => (None, StoredReply::Sku(sku)),
            KeptRow::Entry(created, number, expires_at) => {
                let draw = self.draws.get(&created).copied();
                let draw = draw.ok_or(Contradiction("a key names a draw that is not there"))?;
                let entry = state.draws[draw].entries.get(number);
                let entry = entry.ok_or(Contradiction("a key names an entry that is not there"))?;
                let won = OrderId { sequence: entry.sequence, epoch: entry.epoch };
                let won = (entry.reason == Reason::Won).then(|| find(won)).transpose()?;
                (won, StoredReply::Entry { draw, number, expires_at })
            }
            KeptRow::Draw(draw) => (None, StoredReply::Draw(draw)),
        };
        state.principals.add(Table::Keys, principal);
        if answer.is_whole() {
            state.principals.add(Table::Answers, principal);
        }
        let KeyRow { claim, sequence, at, .. } = row;
        let (draw, of_action) = (answer.draw(), answer.acted_on().is_some());
        let number = state.requests.remember(claim, sequence, at, principal, answer);
        if let Some(draw) = draw {
            state.draws[draw].key_end = number + 1;
        }
        if let Some(order) = order {
            state.orders[order].keys.note(number, of_action);
        }
        Ok(())
    }

    /// The state, once all rows are there.
    #[must_use]
    pub fn finish(mut self) -> State {
        self.state.lives.end_at(self.state.epoch);
        for slot in self.touched.into_values() {
            self.state.orders.rest(slot);
        }
        for slot in self.skus.into_values() {
            self.state.skus.release_if_unused(slot);
        }
        self.state.draws.settle(self.state.requests.first());
        self.state
    }
}
