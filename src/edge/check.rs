//! Where an IO thread asks whether it may refuse an order by itself.
//!
//! Owns the conditions and their order, which makes a refusal true: first the SKU as published,
//! then the keys in flight, then the filters. A key that is in neither after the SKU was read
//! cannot have had an answer in the state in which the SKU was sold out. Never waits, never tries
//! again. Next: `publisher`.

use super::filter::Filter;
use super::published::{Edge, Hashes};
use super::sold_out_table::{SoldOut, SoldOutTable};
use crate::domain::model::command::{Command, CreateOrder, Request, Take};
use crate::domain::model::ids::{LineRequest, Sequence};
use crate::shared::reloadable::Kept;

/// One IO thread's way to the edge.
#[derive(Debug)]
pub struct SoldOutCheck {
    skus: Kept<SoldOutTable>,
    keys: Kept<Filter>,
    users: Kept<Filter>,
    hashes: Hashes,
}

impl SoldOutCheck {
    /// A check by this edge.
    #[must_use]
    pub fn of(edge: &Edge) -> Self {
        Self {
            skus: Kept::new(edge.skus.clone()),
            keys: Kept::new(edge.keys.clone()),
            users: Kept::new(edge.users.clone()),
            hashes: edge.hashes.clone(),
        }
    }

    /// What refuses a request here and now: a keyed order of one line, of an open SKU with nothing
    /// available, by a user that owns nothing that a limit could count. None where the writer must
    /// be asked. `copied` is what every copy that counts holds: what rests on more may be taken back.
    /// `under_way` says whether a key may be in the ring, by its hash; `elapsed_ms` what
    /// `Clock::elapsed_ms` shows.
    pub fn refusal(
        &self,
        request: &Request,
        copied: Sequence,
        under_way: impl FnOnce(u128) -> bool,
        elapsed_ms: impl FnOnce() -> u64,
    ) -> Option<SoldOut> {
        let Command::CreateOrder(order) = &request.command else { return None };
        let [line] = order.lines.as_slice() else { return None };
        let key = request.key?.hash;
        let hash = self.hashes.sku(&line.sku);
        let found = self.skus.with(|_, table| table.find(hash, &line.sku))?;
        let may_be_known =
            under_way(key) || self.keys.with(|_, keys| keys.may_hold(Hashes::key(key)));
        if found.sequence > copied || may_be_known || self.may_be_limited(order, line, &found) {
            return None;
        }
        let has_edges = found.from_ms > 0 || found.until_ms < u64::MAX;
        let open = !has_edges || (found.from_ms..found.until_ms).contains(&elapsed_ms());
        open.then_some(found)
    }

    /// A limit of the SKU or on open holds might go before: that takes a user that owns something,
    /// or a line that is over the SKU's limit by itself.
    fn may_be_limited(&self, order: &CreateOrder, line: &LineRequest, found: &SoldOut) -> bool {
        let limit = found.per_user_limit;
        let counts = limit > 0 || matches!(order.take, Take::Hold(_));
        let user = self.hashes.user(&order.user);
        (limit > 0 && u64::from(line.quantity) > limit)
            || (counts && self.users.with(|_, users| users.may_hold(user)))
    }
}
