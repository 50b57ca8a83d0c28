//! The model's idea of who may fill how much of which table: counted anew each time it is asked.
//!
//! A configured principal has a reserve; what no reserve holds is common. Next: `orders`.

use super::Model;
use doorbuster::domain::model::answer::{Answer, Refusal};
use doorbuster::domain::model::ids::{OrderId, PrincipalName, UserId};

/// Keys that one order may have, its creation's included.
const KEYS_OF_ORDER_MAX: usize = 64;

impl Model {
    /// Rows of a table, and of these the ones that a principal brought.
    fn rows(&self, table: &'static str, by: &PrincipalName) -> (usize, usize) {
        fn count<'a>(rows: impl Iterator<Item = &'a PrincipalName>, by: &PrincipalName) -> usize {
            rows.filter(|name| *name == by).count()
        }
        match table {
            "orders" => {
                (self.orders.len(), count(self.orders.iter().map(|order| &order.principal), by))
            }
            "keys" => (self.keys.len(), count(self.keys.iter().map(|key| &key.principal), by)),
            "answers" => {
                let whole = self.keys.iter().filter(|key| super::skus::is_whole(key));
                (self.answers(), count(whole.map(|key| &key.principal), by))
            }
            "entries" => {
                let entries = self.draws.iter().flat_map(|draw| &draw.entries);
                (self.entries_kept(), count(entries.map(|entry| &entry.principal), by))
            }
            "users" => {
                let users = self.users();
                let owners = users.iter().filter_map(|user| self.user_owners.get(user));
                (users.len(), count(owners, by))
            }
            "uses" => {
                let kept = |(sku, user): &(usize, UserId)| self.users_of(*sku).contains(user);
                let owners = self.use_owners.iter().filter(|(pair, _)| kept(pair));
                (self.uses(), count(owners.map(|(_, name)| name), by))
            }
            other => unreachable!("there is no table {other}"),
        }
    }

    /// Rows of its reserve that a principal has not filled.
    fn reserve_left(&self, table: &'static str, name: &PrincipalName, cap: usize) -> usize {
        let configured = &self.settings.principals;
        let reserve = match configured.len() {
            0 => 0,
            1..=10 => cap / 20,
            many => cap / 2 / many,
        };
        let has_one = configured.contains(name);
        if has_one { reserve.saturating_sub(self.rows(table, name).1) } else { 0 }
    }

    /// Room for `more` rows: in the principal's own reserve, or in what is common, which ends at
    /// `end`.
    pub(super) fn check_room(
        &self,
        name: &PrincipalName,
        (table, more): (&'static str, usize),
        (end, cap): (usize, usize),
    ) -> Result<(), Refusal> {
        let used = self.rows(table, name).0;
        let others = self.settings.principals.iter().filter(|other| *other != name);
        let fits = if self.reserve_left(table, name, cap) >= more {
            used + more <= cap
        } else {
            let kept: usize = others.map(|other| self.reserve_left(table, other, cap)).sum();
            used + more + kept <= end
        };
        if fits { Ok(()) } else { Err(Refusal::Capacity(table)) }
    }

    /// An order has as many keys as it may.
    pub(super) fn check_keys_of(&self, id: OrderId) -> Result<(), Refusal> {
        let of_actions = self
            .keys
            .iter()
            .filter(|key| matches!(&key.answer, Answer::Order(_)) && key.order == Some(id));
        match of_actions.count() + 1 < KEYS_OF_ORDER_MAX {
            true => Ok(()),
            false => Err(Refusal::Capacity("keys")),
        }
    }

    /// Notes whose the user and the uses are that begin with these lines.
    pub(super) fn note_owners(&mut self, by: &PrincipalName, user: &UserId, skus: &[usize]) {
        let owner = self.settings.principals.contains(by).then(|| by.clone());
        if !self.users().contains(user) {
            self.user_owners.remove(user);
            self.user_owners.extend(owner.clone().map(|owner| (user.clone(), owner)));
        }
        for sku in skus {
            if self.in_use(*sku, user) == 0 {
                let pair = (*sku, user.clone());
                self.use_owners.remove(&pair);
                self.use_owners.extend(owner.clone().map(|owner| (pair, owner)));
            }
        }
    }
}
