//! Whose the users of a snapshot are.
//!
//! Owns the order in which that is told. Users have no rows of their own: a snapshot names them in
//! uses and orders. Next: `rows`.

use crate::domain::state::principals::{NO_PRINCIPAL, Table};
use crate::domain::state::tables::State;

/// Owners of users, each told before the first row that names its user: so their order is that of
/// the rows, whatever slots the users have.
pub(super) struct OwnedUsers {
    /// A bit for each slot whose user was named; none where no user has an owner.
    named: Option<Vec<u64>>,
}

impl OwnedUsers {
    pub(super) fn of(state: &State) -> Self {
        let owned = state.principals.iter().any(|entry| entry.owned(Table::Users) > 0);
        let words = (state.users.slots() as usize).div_ceil(u64::BITS as usize);
        Self { named: owned.then(|| vec![0; words]) }
    }

    /// The owner of a user whom the next row names, if it has one and no row named it before.
    pub(super) fn first_named(&mut self, state: &State, user: u32) -> Option<u16> {
        let named = self.named.as_mut()?;
        let (word, bit) = ((user / u64::BITS) as usize, 1 << (user % u64::BITS));
        let principal = state.users[user].owner;
        if named[word] & bit != 0 || principal == NO_PRINCIPAL {
            return None;
        }
        named[word] |= bit;
        Some(principal)
    }
}
