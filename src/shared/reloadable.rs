//! A value that one thread replaces, rarely, while others read it.
//!
//! Owns the generation that tells readers of a replacement. Readers keep a copy each and take the
//! lock only after a replacement, so nothing else on the path of a request does. Next: `edge`,
//! `http::tokens`, `http::tls`.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The value that holds now.
#[derive(Debug)]
pub struct Reloadable<T> {
    generation: AtomicU64,
    value: Mutex<Arc<T>>,
}

impl<T> Reloadable<T> {
    /// Begins with this value.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { generation: AtomicU64::new(0), value: Mutex::new(Arc::new(value)) }
    }

    /// From here on this value holds.
    pub fn replace(&self, value: T) {
        let mut place = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Arc::new(value);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The value that holds, and the number of replacements before it.
    fn numbered(&self) -> (u64, Arc<T>) {
        let place = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        (self.generation.load(Ordering::Acquire), place.clone())
    }

    /// The value that holds. Takes a lock.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        self.numbered().1
    }
}

/// One thread's copy.
#[derive(Debug)]
pub struct Kept<T> {
    shared: Arc<Reloadable<T>>,
    copy: RefCell<(u64, Arc<T>)>,
}

impl<T> Kept<T> {
    /// A copy of the value that holds. Takes a lock.
    #[must_use]
    pub fn new(shared: Arc<Reloadable<T>>) -> Self {
        let copy = RefCell::new(shared.numbered());
        Self { shared, copy }
    }

    /// Shows the value that holds with its generation; not to be called from within itself.
    pub fn with<R>(&self, show: impl FnOnce(u64, &T) -> R) -> R {
        let generation = self.shared.generation.load(Ordering::Acquire);
        if self.copy.borrow().0 != generation {
            *self.copy.borrow_mut() = self.shared.numbered();
        }
        let (generation, value) = &*self.copy.borrow();
        show(*generation, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_follows_every_replacement() {
        let shared = Arc::new(Reloadable::new(1));
        let kept = Kept::new(shared.clone());
        assert_eq!(kept.with(|generation, value| (generation, *value)), (0, 1));
        shared.replace(2);
        shared.replace(3);
        assert_eq!(kept.with(|generation, value| (generation, *value)), (2, 3));
        assert_eq!(*shared.current(), 3);
    }
}
