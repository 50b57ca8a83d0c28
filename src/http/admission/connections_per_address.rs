//! How many connections each address has.
//!
//! Owns the count, which is asked once when a connection is accepted and told when it ends; never
//! on the path of a request, so a lock does. There are no more entries than connections. Next:
//! `control`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections by sender.
#[derive(Debug, Default)]
pub(super) struct ConnectionCounter(Mutex<HashMap<u128, u32>>);

/// A place among the connections of one sender, given back when it is dropped.
#[derive(Debug)]
pub(in crate::http) struct ConnectionPermit {
    counter: Arc<ConnectionCounter>,
    sender: u128,
}

impl ConnectionCounter {
    /// Takes a place, if the sender has fewer than so many.
    pub(super) fn enter(self: &Arc<Self>, sender: u128, most: u32) -> Option<ConnectionPermit> {
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = seats.entry(sender).or_default();
        if *taken >= most {
            return None;
        }
        *taken += 1;
        Some(ConnectionPermit { counter: self.clone(), sender })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut seats = self.counter.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut taken) = seats.entry(self.sender) {
            *taken.get_mut() -= 1;
            if *taken.get() == 0 {
                taken.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_has_so_many_connections_and_leaves_nothing_behind() {
        let counter = Arc::new(ConnectionCounter::default());
        let seats =
            [counter.enter(1, 2), counter.enter(1, 2)].map(|permit| permit.expect("a place"));
        assert!(counter.enter(1, 2).is_none() && counter.enter(2, 2).is_some());
        let [one, other] = seats;
        drop(one);
        let again = counter.enter(1, 2).expect("a place");
        // Fewer are allowed now: those that are there stay.
        assert!(counter.enter(1, 1).is_none());
        drop((other, again));
        assert!(counter.0.lock().unwrap().is_empty());
    }
}
