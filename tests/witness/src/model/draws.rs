//! The model's rules of draws. Next: `reads`.

use super::orders::Wanted;
use super::skus::has_if_match;
use super::{Done, EVENT_MAX, Model};
use crate::chance;
use doorbuster::domain::model::answer::{Answer, DrawView, EntryView, Page, Refusal};
use doorbuster::domain::model::command::{
    DeleteDraw, EnterDraw, Precondition, Principal, PutDraw, Request, Take,
};
use doorbuster::domain::model::draw::{Admission, Reason, Seed, Terms};
use doorbuster::domain::model::ids::{
    DrawId, OrderId, PrincipalName, Sequence, SkuId, Stamp, UserId,
};
use sha2::{Digest as _, Sha256};

pub(super) struct Draw {
    id: DrawId,
    pub(super) created: Sequence,
    deleted: bool,
    terms: Terms,
    pub(super) admission: Admission,
    seed: Seed,
    closed_at: Option<Stamp>,
    version: Sequence,
    pub(super) entries: Vec<Entry>,
}

pub(super) struct Entry {
    user: UserId,
    pub(super) principal: PrincipalName,
    client_seed: Option<compact_str::CompactString>,
    pick: Option<SkuId>,
    reason: Reason,
    sequence: Sequence,
    order: Option<OrderId>,
}

impl Draw {
    fn names(&self, id: &SkuId) -> bool {
        self.closed_at.is_none() && self.terms.odds.prizes().iter().any(|prize| prize.sku == *id)
    }

    fn end(&self) -> Option<Stamp> {
        match (self.closed_at, self.admission.closes_at) {
            (Some(closed_at), Some(closes_at)) => Some(closed_at.min(closes_at)),
            (closed_at, closes_at) => closed_at.or(closes_at),
        }
    }
}

impl Model {
    pub(super) fn draw(&self, id: &DrawId) -> Option<&Draw> {
        self.draws.iter().find(|draw| draw.id == *id && !draw.deleted)
    }

    fn draw_mut(&mut self, id: &DrawId) -> &mut Draw {
        let found = self.draws.iter_mut().find(|draw| draw.id == *id && !draw.deleted);
        found.expect("it was found before")
    }

    /// An unclosed draw names a SKU.
    pub(super) fn is_named(&self, sku: usize) -> bool {
        self.draws.iter().any(|draw| draw.names(&self.skus[sku].id))
    }

    /// `retaken` is an expired order that would have its units again.
    pub(super) fn check_draw_only(
        &self,
        lines: &[Wanted],
        retaken: Option<OrderId>,
    ) -> Result<(), Refusal> {
        for line in lines.iter().filter(|line| !self.settings_of(line).direct) {
            let id = &self.skus[line.0].id;
            let is_win = |draw: &&Draw| {
                let mut orders = draw.entries.iter().filter_map(|entry| entry.order);
                draw.names(id) && orders.any(|order| Some(order) == retaken)
            };
            if self.is_named(line.0) && !self.draws.iter().any(|draw| is_win(&draw)) {
                return Err(Refusal::DrawOnly(id.clone()));
            }
        }
        Ok(())
    }

    pub(super) fn put_draw(&mut self, put: &PutDraw) -> Result<Done, Refusal> {
        let found = self.draw(&put.draw);
        let same_terms = found.is_some_and(|draw| draw.terms == put.terms);
        for prize in put.terms.odds.prizes().iter().filter(|_| !same_terms) {
            if self.live(&prize.sku).is_none() {
                return Err(Refusal::UnknownSku(prize.sku.clone()));
            }
        }
        let version = found.map(|draw| draw.version);
        match (&put.precondition, version) {
            (Precondition::None, _)
            | (Precondition::Exists, Some(_))
            | (Precondition::Absent, None) => {}
            (Precondition::Version(Some(asked)), Some(version)) if *asked == version => {}
            (Precondition::OneOf(asked), Some(version)) if asked.contains(&version) => {}
            (Precondition::NoneOf { versions, .. }, Some(version))
                if !versions.contains(&version) => {}
            (Precondition::NoneOf { exists: false, .. }, None) => {}
            _ => return Err(Refusal::VersionMismatch(version)),
        }
        let Some(draw) = found else { return self.create_draw(put) };
        if same_terms && draw.admission == put.admission {
            let view = Answer::Draw(Box::new(self.draw_view(draw)));
            return Ok(Done { changed: false, order: None, answer: view });
        }
        if !has_if_match(&put.precondition) {
            return Err(Refusal::IfMatchRequired(draw.version));
        }
        if !same_terms {
            return Err(Refusal::DrawFixed);
        }
        if draw.closed_at.is_some() {
            return Err(self.draw_closed(draw));
        }
        self.sequence += 1;
        let (sequence, admission) = (self.sequence, put.admission);
        let draw = self.draw_mut(&put.draw);
        draw.admission = admission;
        draw.version = sequence;
        let view = self.draw_view(self.draw(&put.draw).expect("just changed"));
        Ok(Done { changed: true, order: None, answer: Answer::Draw(Box::new(view)) })
    }

    fn create_draw(&mut self, put: &PutDraw) -> Result<Done, Refusal> {
        if self.draws.len() >= self.settings.caps.draws as usize {
            return Err(Refusal::Capacity("draws"));
        }
        self.sequence += 1;
        self.draws.push(Draw {
            id: put.draw.clone(),
            created: self.sequence,
            deleted: false,
            terms: put.terms.clone(),
            admission: put.admission,
            seed: put.seed,
            closed_at: None,
            version: self.sequence,
            entries: Vec::new(),
        });
        let view = self.draw_view(self.draw(&put.draw).expect("just made"));
        Ok(Done { changed: true, order: None, answer: Answer::DrawCreated(Box::new(view)) })
    }

    fn draw_closed(&self, draw: &Draw) -> Refusal {
        let closes_at = draw.end().expect("it is over");
        Refusal::DrawClosed { closes_at, now: self.now }
    }

    pub(super) fn close_draw(&mut self, request: &Request, id: &DrawId) -> Result<Done, Refusal> {
        let draw = self.draw(id).ok_or(Refusal::UnknownDraw)?;
        let was_closed = draw.closed_at.is_some();
        if request.key.is_some() {
            self.make_room(request, false);
            self.check_room_for_key(request, true)?;
            self.check_room_for_answer(request)?;
        }
        let changed = !was_closed || request.key.is_some();
        self.sequence += u64::from(changed);
        let (now, sequence) = (self.now, self.sequence);
        let draw = self.draw_mut(id);
        if !was_closed {
            draw.closed_at = Some(now);
            draw.version = sequence;
        }
        let draw = self.draw(id).expect("just closed");
        // Nothing of it changes after that, and the answer neither.
        let view = DrawView { now: draw.closed_at.expect("closed"), ..self.draw_view(draw) };
        Ok(Done { changed, order: None, answer: Answer::Draw(Box::new(view)) })
    }

    pub(super) fn delete_draw(&mut self, delete: &DeleteDraw) -> Result<Done, Refusal> {
        let draw = self.draw(&delete.draw).ok_or(Refusal::UnknownDraw)?;
        match &delete.precondition {
            Precondition::None | Precondition::Exists => {}
            Precondition::Version(Some(asked)) if *asked == draw.version => {}
            Precondition::OneOf(asked) if asked.contains(&draw.version) => {}
            Precondition::NoneOf { versions, .. } if !versions.contains(&draw.version) => {}
            _ => return Err(Refusal::VersionMismatch(Some(draw.version))),
        }
        if draw.closed_at.is_none() {
            return Err(Refusal::DrawUnclosed);
        }
        self.sequence += 1;
        self.draw_mut(&delete.draw).deleted = true;
        self.draws.retain(|draw| !draw.deleted || !draw.entries.is_empty());
        Ok(Done { changed: true, order: None, answer: Answer::DrawDeleted })
    }

    pub(super) fn enter_draw(
        &mut self,
        request: &Request,
        enter: &EnterDraw,
    ) -> Result<Done, Refusal> {
        let draw = self.draw(&enter.draw).ok_or(Refusal::UnknownDraw)?;
        if draw.closed_at.is_some() || draw.end().is_some_and(|end| self.now >= end) {
            return Err(self.draw_closed(draw));
        }
        if let Some(opens_at) = draw.admission.opens_at.filter(|opens_at| self.now < *opens_at) {
            return Err(Refusal::DrawNotOpen { opens_at, now: self.now });
        }
        let used = draw.entries.iter().filter(|entry| entry.user == enter.user).count() as u64;
        let limit = draw.admission.entries_per_user;
        if limit > 0 && used >= limit {
            return Err(Refusal::EntryLimit { used, limit });
        }
        let take = if draw.terms.sell { Take::Sell } else { Take::Hold(draw.terms.hold_ms) };
        if take != Take::Sell {
            self.check_open_holds(&enter.user)?;
        }
        self.check_room_for_win(request, enter)?;
        self.make_room(request, true);
        // With an order that left, its user may have left: then there must be room for it again.
        self.check_room_for_win(request, enter)?;
        self.check_room_for_order(request)?;
        self.check_room_for_key(request, true)?;
        self.check_room_for_entry(request)?;
        let (pick, reason) = self.try_luck(enter);
        let order = (reason == Reason::Won).then(|| {
            let sku = self.live(pick.as_ref().expect("a win")).expect("a prize");
            self.place(&request.principal, &enter.user, &[(sku, 1)], &None, take).order
        });
        if order.is_none() {
            self.sequence += 1;
            self.know(&request.principal.name);
        }
        let entry = Entry {
            user: enter.user.clone(),
            principal: request.principal.name.clone(),
            client_seed: enter.client_seed.clone(),
            pick,
            reason,
            sequence: self.sequence,
            order,
        };
        self.draw_mut(&enter.draw).entries.push(entry);
        let draw = self.draw(&enter.draw).expect("found above");
        let view = self.entry_view(&request.principal, draw, draw.entries.len());
        Ok(Done { changed: true, order, answer: Answer::Entered(Box::new(view)) })
    }

    /// Whatever may be won must find room.
    fn check_room_for_win(&self, request: &Request, enter: &EnterDraw) -> Result<(), Refusal> {
        let draw = self.draw(&enter.draw).expect("found before");
        for prize in draw.terms.odds.prizes().iter().filter(|prize| prize.weight > 0) {
            let sku = self.live(&prize.sku).expect("a prize of an unclosed draw");
            self.check_room_for_use(&request.principal.name, &enter.user, &[(sku, 1)])?;
        }
        Ok(())
    }

    fn check_room_for_entry(&self, request: &Request) -> Result<(), Refusal> {
        let cap = self.settings.caps.entries as usize;
        self.check_room(&request.principal.name, ("entries", 1), (cap, cap))
    }

    pub(super) fn entries_kept(&self) -> usize {
        self.draws.iter().map(|draw| draw.entries.len()).sum()
    }

    fn try_luck(&self, enter: &EnterDraw) -> (Option<SkuId>, Reason) {
        let draw = self.draw(&enter.draw).expect("found before");
        let odds = &draw.terms.odds;
        let weights: Vec<u64> = odds.prizes().iter().map(|prize| prize.weight).collect();
        let number = draw.entries.len() as u64 + 1;
        let ticket = (draw.id.as_str(), number, enter.user.as_str(), enter.client_seed.as_deref());
        let pick = chance::pick(&draw.seed.0, ticket, &weights, odds.blank_weight());
        let Some(place) = pick else { return (None, Reason::Blank) };
        let id = odds.prizes()[place].sku.clone();
        let one = [(self.live(&id).expect("a prize"), 1)];
        let reason = if let Err(refusal) = self.check_window(&one) {
            match refusal {
                Refusal::Closed(_) => Reason::Closed,
                _ => Reason::NotOpen,
            }
        } else if self.check_pause(&one).is_err() {
            Reason::Paused
        } else if self.check_user_limits(&enter.user, &one).is_err() {
            Reason::UserLimit
        } else if self.check_stock(&one).is_err() {
            Reason::NoStock
        } else {
            Reason::Won
        };
        (Some(id), reason)
    }

    pub(super) fn draw_view(&self, draw: &Draw) -> DrawView {
        DrawView {
            draw: draw.id.clone(),
            terms: draw.terms.clone(),
            admission: draw.admission,
            commitment: Sha256::digest(draw.seed.0).into(),
            seed: draw.closed_at.map(|_| draw.seed),
            entries: draw.entries.len() as u32,
            closed_at: draw.closed_at,
            version: draw.version,
            now: self.now,
        }
    }

    /// Another principal's order does not exist for this one.
    fn entry_view(&self, principal: &Principal, draw: &Draw, number: usize) -> EntryView {
        let entry = &draw.entries[number - 1];
        let order = entry.order.and_then(|order| self.kept(order));
        let order = order.filter(|order| Self::visible(principal, order));
        EntryView {
            draw: draw.id.clone(),
            number: number as u32,
            user: entry.user.clone(),
            client_seed: entry.client_seed.clone(),
            pick: entry.pick.clone(),
            reason: entry.reason,
            order: order.map(|order| self.order_view(order)),
            sequence: entry.sequence,
        }
    }

    /// Histories are too short for the budget of a page to matter.
    pub(super) fn entries(
        &self,
        principal: &Principal,
        id: &DrawId,
        user: Option<&UserId>,
        after: u32,
        limit: usize,
    ) -> Answer {
        let Some(draw) = self.draw(id) else { return Answer::Refused(Refusal::UnknownDraw) };
        let shown = |number: &usize| {
            *number > after as usize
                && user.is_none_or(|user| draw.entries[number - 1].user == *user)
                && (draw.closed_at.is_some()
                    || draw.entries[number - 1].principal == principal.name)
        };
        let numbers: Vec<usize> = (1..=draw.entries.len()).filter(shown).collect();
        let next = (numbers.len() > limit).then(|| numbers[limit - 1] as u32);
        let view = |number| self.entry_view(principal, draw, number);
        let entries = numbers.into_iter().take(limit).map(view).collect();
        Answer::Entries(Box::new(Page { entries, next }))
    }

    /// Entries of a deleted draw leave once no key names any of them.
    pub(super) fn purge_entries(&mut self) -> bool {
        let pinned = |draw: &Draw| self.keys.iter().any(|key| key.draw == Some(draw.created));
        let free = self.draws.iter().position(|draw| draw.deleted && !pinned(draw));
        let Some(at) = free else { return false };
        assert!(self.draws[at].entries.len() <= EVENT_MAX, "the model purges a draw in one event");
        self.draws.remove(at);
        self.sequence += 1;
        true
    }
}
